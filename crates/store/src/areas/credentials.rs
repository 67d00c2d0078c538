//! Credentials of providers, sealed; settings of the installation; and what providers charged for calls.

use crate::args;
use crate::contract::{Answer, Costs, Credential, Credentials, Owner, Settings, StageCost, Versioned};
use crate::db::{Db, DbRow, Reach, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, CallId, Money, Secret};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

const TABLE: &str = "credentials";
const CREDENTIALS: Reach = Db::across("the node uses the credentials of all");
const SETTINGS: Reach = Db::across("settings are the installation's");

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

fn reach(owner: Owner) -> Reach {
    match owner {
        Owner::Installation => CREDENTIALS,
        Owner::Business(business) => Reach::Business(business.0),
    }
}

impl SqlStore {
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

    fn read_credential(&self, row: &DbRow) -> Answer<Credential> {
        let owner = match BusinessId(row.get("owner")?) {
            BusinessId(id) if id.is_nil() => Owner::Installation,
            business => Owner::Business(business),
        };
        let provider: String = row.get("provider")?;
        let sealed: Vec<u8> = row.get("sealed")?;
        let content =
            self.credential_seal(owner).open(0, &sealed).map_err(|error| error.to_string()).and_then(|text| {
                let content =
                    serde_json::from_str::<Content>(&text).ok().filter(|content| content.provider == provider);
                content.ok_or_else(|| "it was changed or moved".to_owned())
            });
        let (fields, damage) = match content {
            Ok(content) => (content.fields, None),
            Err(why) => (BTreeMap::new(), Some(why)),
        };
        let fields = fields.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
        Ok(Credential { owner, provider, fields, damage, updated_at_ms: row.get("updated_at_ms")? })
    }
}

#[async_trait]
impl Credentials for SqlStore {
    async fn put_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: &BTreeMap<String, Secret<String>>,
        at_ms: i64,
    ) -> Answer<()> {
        let sealed = self.seal_credential(owner, provider, fields)?;
        let args = args![owner_id(owner).0, provider, sealed, at_ms];
        self.db.write(reach(owner), sql::PUT_CREDENTIAL, args).await.map(drop)
    }

    async fn credentials(&self) -> Answer<Vec<Credential>> {
        let rows = self.db.read(CREDENTIALS, sql::CREDENTIALS, args![]).await?;
        rows.iter().map(|row| self.read_credential(row)).collect()
    }

    async fn delete_credential(&self, owner: Owner, provider: &str) -> Answer<bool> {
        let args = args![owner_id(owner).0, provider];
        Ok(self.db.write(reach(owner), sql::DELETE_CREDENTIAL, args).await? > 0)
    }

    async fn reseal_credentials(&self) -> Answer<u64> {
        let all = self.credentials().await?;
        let mut count = self.reseal_tool_credentials().await? + self.reseal_secrets().await?;
        for credential in all.into_iter().filter(|one| one.damage.is_none()) {
            let sealed = self.seal_credential(credential.owner, &credential.provider, &credential.fields)?;
            let owner = owner_id(credential.owner).0;
            // Only if nobody has changed it meanwhile.
            let args = args![owner, &credential.provider, sealed, credential.updated_at_ms];
            count += self.db.write(reach(credential.owner), sql::RESEAL_CREDENTIAL, args).await?;
        }
        Ok(count)
    }
}

#[async_trait]
impl Settings for SqlStore {
    async fn setting(&self, name: &str) -> Answer<Option<Versioned>> {
        let row = self.db.read_one(SETTINGS, sql::SETTING, args![name]).await?;
        row.map(|row| Ok(Versioned { value: row.get("value")?, version: row.get("version")? })).transpose()
    }

    async fn put_setting(&self, name: &str, value: &str, expected: Option<u32>) -> Answer<u32> {
        let mut tx = self.db.begin(SETTINGS).await?;
        let row = tx.read_one(sql::SETTING_TO_CHANGE, args![name]).await?;
        let version: u32 = row.as_ref().map_or(Ok(0), |row| row.get("version"))?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("it was changed meanwhile: it is at version {version}")));
        }
        let statement = if version == 0 { sql::INSERT_SETTING } else { sql::UPDATE_SETTING };
        tx.write(statement, args![name, value]).await?;
        tx.commit().await?;
        Ok(version + 1)
    }
}

#[async_trait]
impl Costs for SqlStore {
    async fn costs(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<StageCost>> {
        let rows = self.db.read(scope, sql::COSTS, args![scope.business.0, call.0]).await?;
        rows.iter().map(read_cost).collect()
    }

    async fn cost_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Money> {
        let row = self.need(scope, "cost", sql::COST_SINCE, args![scope.business.0, started_from_ms]).await?;
        Ok(Money::from_usd_micros(row.get("cost")?))
    }

    async fn costs_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Vec<StageCost>> {
        let rows = self.db.list(scope, sql::COSTS_SINCE, args![scope.business.0, started_from_ms]).await?;
        rows.iter().map(read_cost).collect()
    }
}

fn read_cost(row: &DbRow) -> Answer<StageCost> {
    Ok(StageCost {
        stage: row.word("stage")?,
        provider: row.get("provider")?,
        cost: Money::from_usd_micros(row.get("cost")?),
    })
}
