//! Credentials of providers, sealed; settings of the installation; and what providers charged for calls.

use super::{SqliteStore, from_word, get, map_error, sql, to_json, within};
use crate::contract::{Answer, Costs, Credential, Credentials, Owner, Settings, StageCost, Versioned};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use async_trait::async_trait;
use base::{BusinessId, CallId, Money, Secret};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use sqlx::query;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use uuid::Uuid;

const TABLE: &str = "credentials";

/// What is sealed. The name lies inside, too, so that a credential does not open under another provider's name.
#[derive(Serialize, Deserialize)]
struct Content {
    provider: String,
    fields: BTreeMap<String, String>,
}

fn owner_id(owner: Owner) -> BusinessId {
    match owner {
        Owner::Installation => BusinessId(Uuid::nil()),
        Owner::Business(business) => business,
    }
}

impl SqliteStore {
    fn credential_seal(&self, owner: Owner) -> RowSeal {
        let business = owner_id(owner);
        self.keys.row(Row { business, table: TABLE, id: business.0 })
    }

    fn seal_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: &BTreeMap<String, Secret<String>>,
    ) -> Answer<Vec<u8>> {
        let fields = fields.iter().map(|(key, value)| (key.clone(), value.expose().clone())).collect();
        let content = to_json(&Content { provider: provider.to_owned(), fields })?;
        self.credential_seal(owner).seal(0, &content)
    }

    fn read_credential(&self, row: &SqliteRow) -> Answer<Credential> {
        let owner = match BusinessId(get(row, "owner")?) {
            BusinessId(id) if id.is_nil() => Owner::Installation,
            business => Owner::Business(business),
        };
        let provider: String = get(row, "provider")?;
        let sealed: &[u8] = get(row, "sealed")?;
        let content = self.credential_seal(owner).open(0, sealed).map_err(|error| error.to_string()).and_then(|text| {
            let content = serde_json::from_str::<Content>(&text).ok().filter(|content| content.provider == provider);
            content.ok_or_else(|| "it was changed or moved".to_owned())
        });
        let (fields, damage) = match content {
            Ok(content) => (content.fields, None),
            Err(why) => (BTreeMap::new(), Some(why)),
        };
        let fields = fields.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
        Ok(Credential { owner, provider, fields, damage, updated_at_ms: get(row, "updated_at_ms")? })
    }
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn put_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: &BTreeMap<String, Secret<String>>,
        at_ms: i64,
    ) -> Answer<()> {
        let sealed = self.seal_credential(owner, provider, fields)?;
        let put = query(sql::PUT_CREDENTIAL).bind(owner_id(owner).0).bind(provider).bind(sealed).bind(at_ms);
        within(async { put.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }

    async fn credentials(&self) -> Answer<Vec<Credential>> {
        let rows = within(async { query(sql::CREDENTIALS).fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(|row| self.read_credential(row)).collect()
    }

    async fn delete_credential(&self, owner: Owner, provider: &str) -> Answer<bool> {
        let delete = query(sql::DELETE_CREDENTIAL).bind(owner_id(owner).0).bind(provider);
        let gone = within(async { delete.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(gone.rows_affected() > 0)
    }

    async fn reseal_credentials(&self) -> Answer<u64> {
        let all = self.credentials().await?;
        let mut count = 0;
        for credential in all.into_iter().filter(|one| one.damage.is_none()) {
            let sealed = self.seal_credential(credential.owner, &credential.provider, &credential.fields)?;
            let owner = owner_id(credential.owner).0;
            // Only if nobody has changed it meanwhile.
            let put = query(sql::RESEAL_CREDENTIAL).bind(owner).bind(&credential.provider).bind(sealed);
            let put = put.bind(credential.updated_at_ms);
            let done = within(async { put.execute(&self.writer).await.map_err(map_error) }).await?;
            count += done.rows_affected();
        }
        Ok(count)
    }
}

#[async_trait]
impl Settings for SqliteStore {
    async fn setting(&self, name: &str) -> Answer<Option<Versioned>> {
        let find = query(sql::SETTING).bind(name);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        let read = |row: SqliteRow| Ok(Versioned { value: get(&row, "value")?, version: get(&row, "version")? });
        row.map(read).transpose()
    }

    async fn put_setting(&self, name: &str, value: &str, expected: Option<u32>) -> Answer<u32> {
        within(async {
            let mut write = self.begin().await?;
            let find = query(sql::SETTING).bind(name);
            let row = find.fetch_optional(&mut *write).await.map_err(map_error)?;
            let version: u32 = row.as_ref().map_or(Ok(0), |row| get(row, "version"))?;
            if expected.is_some_and(|expected| expected != version) {
                return Err(StoreError::Conflict(format!("it was changed meanwhile: it is at version {version}")));
            }
            let put = query(sql::PUT_SETTING).bind(name).bind(value).bind(version + 1);
            put.execute(&mut *write).await.map_err(map_error)?;
            write.commit().await.map_err(map_error)?;
            Ok(version + 1)
        })
        .await
    }
}

#[async_trait]
impl Costs for SqliteStore {
    async fn add_costs(&self, scope: &TenantScope, call: CallId, costs: &[StageCost]) -> Answer<()> {
        within(async {
            let mut write = self.begin().await?;
            for StageCost { stage, provider, cost } in costs {
                let add = query(sql::ADD_COST).bind(call.0).bind(stage.name()).bind(provider);
                let add = add.bind(scope.business.0).bind(cost.usd_micros);
                add.execute(&mut *write).await.map_err(map_error)?;
            }
            write.commit().await.map_err(map_error)
        })
        .await
    }

    async fn costs(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<StageCost>> {
        let find = query(sql::COSTS).bind(scope.business.0).bind(call.0);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_cost).collect()
    }

    async fn cost_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Money> {
        let find = query(sql::COST_SINCE).bind(scope.business.0).bind(started_from_ms);
        let row = within(async { find.fetch_one(&self.readers).await.map_err(map_error) }).await?;
        Ok(Money::from_usd_micros(get(&row, "cost")?))
    }

    async fn costs_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Vec<StageCost>> {
        let find = query(sql::COSTS_SINCE).bind(scope.business.0).bind(started_from_ms);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_cost).collect()
    }
}

fn read_cost(row: &SqliteRow) -> Answer<StageCost> {
    Ok(StageCost {
        stage: from_word("stage", get(row, "stage")?)?,
        provider: get(row, "provider")?,
        cost: Money::from_usd_micros(get(row, "cost")?),
    })
}
