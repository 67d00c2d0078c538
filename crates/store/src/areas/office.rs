//! Profiles, named values, and credentials of tools.

use crate::args;
use crate::contract::office::{BusinessProfile, Office, ToolCredential, ValueKind};
use crate::contract::{Answer, Versioned};
use crate::db::{Db, DbRow, PAGE, Tx, missing, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, Secret};
use model::business::{Business, Profile, TenantScope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const TABLE: &str = "tool_credentials";

/// What is sealed. The name lies inside, too, so that a credential does not open under another name.
#[derive(Serialize, Deserialize)]
struct Content {
    name: String,
    fields: BTreeMap<String, String>,
}

fn read_value(row: &DbRow) -> Answer<Versioned> {
    Ok(Versioned { value: row.get("value")?, version: row.get("version")? })
}

impl SqlStore {
    fn tool_seal(&self, business: BusinessId) -> RowSeal {
        self.keys.row(Row { business, table: TABLE, id: business.0 })
    }

    fn open_tool_credential(&self, business: BusinessId, row: &DbRow) -> Answer<ToolCredential> {
        let name: String = row.get("name")?;
        let sealed: Vec<u8> = row.get("sealed")?;
        let text = self.tool_seal(business).open(0, &sealed)?;
        let moved = || StoreError::Sealed(format!("the credential {name} does not open: it was changed or moved"));
        let content: Content = serde_json::from_str(&text).map_err(|_| moved())?;
        if content.name != name {
            return Err(moved());
        }
        let fields = content.fields.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
        Ok(ToolCredential { name, fields, updated_at_ms: row.get("updated_at_ms")? })
    }

    fn seal_tool_credential(
        &self,
        business: BusinessId,
        name: &str,
        fields: &BTreeMap<String, Secret<String>>,
    ) -> Answer<Vec<u8>> {
        let fields = fields.iter().map(|(key, value)| (key.clone(), value.expose().clone())).collect();
        self.tool_seal(business).seal(0, &to_json(&Content { name: name.to_owned(), fields })?)
    }

    /// Seals the credentials of all tools anew and answers how many.
    pub(super) async fn reseal_tool_credentials(&self) -> Answer<u64> {
        let reach = Db::across("a new data key seals the credentials of all");
        let mut count = 0;
        for row in self.db.read(reach, sql::TOOL_CREDENTIALS_OF_ALL, args![]).await? {
            let business = BusinessId(row.get("business")?);
            let ToolCredential { name, fields, updated_at_ms } = match self.open_tool_credential(business, &row) {
                Ok(credential) => credential,
                Err(error) => {
                    tracing::warn!(%error, %business, "a credential of a tool stays as it is");
                    continue;
                }
            };
            let sealed = self.seal_tool_credential(business, &name, &fields)?;
            let args = args![business.0, &name, sealed, updated_at_ms];
            count += self.db.write(reach, sql::RESEAL_TOOL_CREDENTIAL, args).await?;
        }
        Ok(count)
    }
}

#[async_trait]
impl Office for SqlStore {
    async fn profile(&self, scope: &TenantScope) -> Answer<BusinessProfile> {
        let row = self.need(scope, "business", sql::PROFILE, args![scope.business.0]).await?;
        let business = Business {
            id: scope.business,
            slug: row.get("slug")?,
            name: row.get("name")?,
            time_zone: row.get("time_zone")?,
        };
        Ok(BusinessProfile { business, profile: row.json("profile")?, version: row.get("profile_version")? })
    }

    async fn put_profile(
        &self,
        scope: &TenantScope,
        business: &Business,
        profile: &Profile,
        expected: Option<u32>,
    ) -> Answer<u32> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::PROFILE_TO_CHANGE, args![scope.business.0]).await?.ok_or(missing("business"))?;
        let version: u32 = row.get("profile_version")?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the profile was changed meanwhile: version {version}")));
        }
        let args = args![scope.business.0, &business.name, &business.time_zone, to_json(profile)?];
        tx.write(sql::PUT_PROFILE, args).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn value(&self, scope: &TenantScope, kind: ValueKind, name: &str) -> Answer<Versioned> {
        read_value(&self.need(scope, "value", sql::VALUE, args![scope.business.0, kind.name(), name]).await?)
    }

    async fn values(
        &self,
        scope: &TenantScope,
        kind: ValueKind,
        after: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<(String, Versioned)>> {
        let args = args![scope.business.0, kind.name(), after.unwrap_or(""), rows_max];
        let rows = self.db.read(scope, sql::VALUES_AFTER, args).await?;
        rows.iter().map(|row| Ok((row.get("name")?, read_value(row)?))).collect()
    }

    async fn put_value(
        &self,
        scope: &TenantScope,
        kind: ValueKind,
        name: &str,
        value: &str,
        expected: Option<u32>,
    ) -> Answer<u32> {
        let mut tx: Tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::VALUE_TO_CHANGE, args![scope.business.0, kind.name(), name]).await?;
        let version = row.map_or(Ok(0), |row| row.get::<u32>("version"))?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the value was changed meanwhile: it is at version {version}")));
        }
        let args = args![scope.business.0, kind.name(), name, value, version + 1];
        tx.write(sql::PUT_VALUE, args).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn values_of_all(&self, kind: ValueKind, after: Option<BusinessId>) -> Answer<Vec<(TenantScope, Versioned)>> {
        let reach = Db::across("one worker does something for all businesses");
        let after = after.map_or(uuid::Uuid::nil(), |business| business.0);
        let rows = self.db.read(reach, sql::VALUES_OF_ALL, args![kind.name(), after, PAGE]).await?;
        let scope = |row: &DbRow| Ok::<_, StoreError>(TenantScope { business: BusinessId(row.get("business")?) });
        rows.iter().map(|row| Ok((scope(row)?, read_value(row)?))).collect()
    }

    async fn delete_value(&self, scope: &TenantScope, kind: ValueKind, name: &str) -> Answer<bool> {
        Ok(self.db.write(scope, sql::DELETE_VALUE, args![scope.business.0, kind.name(), name]).await? > 0)
    }

    async fn put_tool_credential(
        &self,
        scope: &TenantScope,
        name: &str,
        fields: &BTreeMap<String, Secret<String>>,
        at_ms: i64,
    ) -> Answer<()> {
        let sealed = self.seal_tool_credential(scope.business, name, fields)?;
        let args = args![scope.business.0, name, sealed, at_ms];
        self.db.write(scope, sql::PUT_TOOL_CREDENTIAL, args).await.map(drop)
    }

    async fn tool_credential(&self, scope: &TenantScope, name: &str) -> Answer<ToolCredential> {
        let row = self.need(scope, "credential", sql::TOOL_CREDENTIAL, args![scope.business.0, name]).await?;
        self.open_tool_credential(scope.business, &row)
    }

    async fn tool_credentials(&self, scope: &TenantScope) -> Answer<Vec<ToolCredential>> {
        let rows = self.db.read(scope, sql::TOOL_CREDENTIALS, args![scope.business.0, PAGE]).await?;
        rows.iter().map(|row| self.open_tool_credential(scope.business, row)).collect()
    }

    async fn delete_tool_credential(&self, scope: &TenantScope, name: &str) -> Answer<bool> {
        Ok(self.db.write(scope, sql::DELETE_TOOL_CREDENTIAL, args![scope.business.0, name]).await? > 0)
    }
}
