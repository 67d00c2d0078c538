//! API keys and clients, how a business lets people in, and the audit log.

use super::people::page;
use crate::args;
use crate::contract::{Answer, Cursor, Page};
use crate::db::{Db, DbRow, PAGE, missing, to_json};
use crate::error::StoreError;
use crate::people::{
    AccessKey, AccessKeys, AddressList, Audit, AuditFilter, AuditLine, Audited, EntryRules, IdentityProvider,
    KeyAccess, KeyKind, NewKey, SecretHash,
};
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use crate::trail;
use async_trait::async_trait;
use base::{AccessKeyId, BusinessId, Pii, Secret, UserId, limits};
use model::business::TenantScope;
use model::people::PermissionSet;
use uuid::Uuid;

/// The last use of a key is noted this often.
const TOUCH_EVERY_MS: i64 = 60_000;

/// Networks of a row that may have none.
pub(super) fn read_networks(row: &DbRow) -> Answer<Vec<String>> {
    Ok(row.json_option("networks")?.unwrap_or_default())
}

fn read_key(row: &DbRow) -> Answer<AccessKey> {
    let kind = match row.get::<String>("kind")?.as_str() {
        "client" => KeyKind::Client,
        _ => KeyKind::Key,
    };
    let permissions: String = row.get("permissions")?;
    // A permission that this program does not know allows nothing here.
    let known = permissions.split_ascii_whitespace().filter_map(|name| name.parse().ok());
    Ok(AccessKey {
        id: AccessKeyId(row.get("id")?),
        kind,
        name: row.get("name")?,
        prefix: row.get("prefix")?,
        permissions: known.collect::<PermissionSet>(),
        created_by: row.get("created_by")?,
        created_at_ms: row.get("created_at_ms")?,
        expires_at_ms: row.get("expires_at_ms")?,
        used_at_ms: row.get("used_at_ms")?,
        previous_until_ms: row.get("previous_until_ms")?,
        revoked_at_ms: row.get("revoked_at_ms")?,
    })
}

fn read_access(row: &DbRow) -> Answer<KeyAccess> {
    let scope = TenantScope { business: BusinessId(row.get("business")?) };
    Ok(KeyAccess { scope, key: read_key(row)?, networks: read_networks(row)? })
}

impl SqlStore {
    /// Notes the use of a key. A use that cannot be noted is a use all the same.
    async fn touch_key(&self, access: &KeyAccess, at_ms: i64) {
        if access.key.used_at_ms.is_some_and(|used| used > at_ms - TOUCH_EVERY_MS) {
            return;
        }
        let args = args![access.scope.business.0, access.key.id.0, at_ms];
        if let Err(error) = self.db.write(&access.scope, sql::TOUCH_KEY, args).await {
            tracing::warn!(%error, key = %access.key.id, "the use of a key was not noted");
        }
    }

    pub(super) fn provider_seal(&self, scope: &TenantScope, id: Uuid) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "identity_providers", id })
    }
}

#[async_trait]
impl AccessKeys for SqlStore {
    async fn create_key(&self, scope: &TenantScope, key: &NewKey, at_ms: i64) -> Answer<()> {
        let args = args![
            key.id.0,
            scope.business.0,
            key.kind.name(),
            &key.name,
            &key.prefix,
            key.hash.as_slice(),
            key.permissions.to_string(),
            &key.created_by,
            at_ms,
            key.expires_at_ms,
        ];
        self.db.write(scope, sql::INSERT_KEY, args).await.map(drop)
    }

    async fn key(&self, scope: &TenantScope, kind: KeyKind, id: AccessKeyId) -> Answer<AccessKey> {
        read_key(&self.need(scope, "key", sql::KEY, args![scope.business.0, kind.name(), id.0]).await?)
    }

    async fn keys(
        &self,
        scope: &TenantScope,
        kind: KeyKind,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<AccessKey>> {
        let rows_max = rows_max.min(limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![scope.business.0, kind.name(), after.at_ms, after.id, rows_max + 1];
        let rows = self.db.read(scope, sql::KEYS, args).await?;
        page(&rows, rows_max, read_key, |key| Cursor { at_ms: key.created_at_ms, id: key.id.0 })
    }

    async fn rotate_key(
        &self,
        scope: &TenantScope,
        kind: KeyKind,
        id: AccessKeyId,
        prefix: &str,
        hash: &SecretHash,
        previous_until_ms: i64,
    ) -> Answer<()> {
        let args = args![scope.business.0, kind.name(), id.0, prefix, hash.as_slice(), previous_until_ms];
        match self.db.write(scope, sql::ROTATE_KEY, args).await? {
            0 => Err(missing("key")),
            _ => Ok(()),
        }
    }

    async fn revoke_key(&self, scope: &TenantScope, kind: KeyKind, id: AccessKeyId, at_ms: i64) -> Answer<bool> {
        let args = args![scope.business.0, kind.name(), id.0, at_ms];
        Ok(self.db.write(scope, sql::REVOKE_KEY, args).await? > 0)
    }

    async fn key_by_secret(&self, kind: KeyKind, hash: &SecretHash, at_ms: i64) -> Answer<Option<KeyAccess>> {
        let reach = Db::across("whose a key is");
        let row = self.db.read_one(reach, sql::KEY_BY_SECRET, args![kind.name(), hash.as_slice(), at_ms]).await?;
        let Some(access) = row.as_ref().map(read_access).transpose()? else { return Ok(None) };
        self.touch_key(&access, at_ms).await;
        Ok(Some(access))
    }

    async fn client_access(&self, scope: &TenantScope, id: AccessKeyId, at_ms: i64) -> Answer<Option<KeyAccess>> {
        let row = self.db.read_one(scope, sql::CLIENT_ACCESS, args![scope.business.0, id.0, at_ms]).await?;
        row.as_ref().map(read_access).transpose()
    }
}

#[async_trait]
impl EntryRules for SqlStore {
    async fn address_list(&self, scope: &TenantScope) -> Answer<AddressList> {
        let row = self.db.read_one(scope, sql::ADDRESS_LIST, args![scope.business.0]).await?;
        let Some(row) = row else { return Ok(AddressList::default()) };
        Ok(AddressList { networks: read_networks(&row)?, version: row.get("version")? })
    }

    async fn put_address_list(&self, scope: &TenantScope, networks: &[String], expected: Option<u32>) -> Answer<u32> {
        let text = to_json(&networks)?;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::ADDRESS_LIST_TO_CHANGE, args![scope.business.0]).await?;
        let version: u32 = row.as_ref().map_or(Ok(0), |row| row.get("version"))?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("it was changed meanwhile: it is at version {version}")));
        }
        let statement = if version == 0 { sql::INSERT_ADDRESS_LIST } else { sql::UPDATE_ADDRESS_LIST };
        tx.write(statement, args![scope.business.0, &text]).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn put_identity_provider(
        &self,
        scope: &TenantScope,
        provider: &IdentityProvider,
        secret: Option<&Secret<String>>,
        at_ms: i64,
    ) -> Answer<()> {
        let seal = self.provider_seal(scope, provider.id);
        let sealed = secret.map(|secret| seal.seal(0, secret.expose())).transpose()?;
        let args = args![provider.id, scope.business.0, to_json(provider)?, sealed, at_ms];
        match self.db.write(scope, sql::PUT_IDENTITY_PROVIDER, args).await? {
            0 => Err(missing("identity provider")), // Another business's.
            _ => Ok(()),
        }
    }

    async fn identity_providers(&self, scope: &TenantScope) -> Answer<Vec<IdentityProvider>> {
        let rows = self.db.read(scope, sql::IDENTITY_PROVIDERS, args![scope.business.0, PAGE]).await?;
        rows.iter().map(read_provider).collect()
    }

    async fn identity_provider(&self, id: Uuid) -> Answer<(TenantScope, IdentityProvider, Option<Secret<String>>)> {
        let reach = Db::across("whose an identity provider is");
        let row = self.need(reach, "identity provider", sql::IDENTITY_PROVIDER, args![id]).await?;
        let scope = TenantScope { business: BusinessId(row.get("business")?) };
        let sealed: Option<Vec<u8>> = row.get("secret_sealed")?;
        let secret = sealed.map(|sealed| self.provider_seal(&scope, id).open(0, &sealed)).transpose()?;
        Ok((scope, read_provider(&row)?, secret.map(Secret::new)))
    }

    async fn delete_identity_provider(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::FORGET_IDENTITIES, args![scope.business.0, id]).await?;
        let gone = tx.write(sql::DELETE_IDENTITY_PROVIDER, args![scope.business.0, id]).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    async fn identity(&self, scope: &TenantScope, provider: Uuid, subject: &str) -> Answer<Option<UserId>> {
        let row = self.db.read_one(scope, sql::IDENTITY, args![scope.business.0, provider, subject]).await?;
        row.map(|row| Ok(UserId(row.get("user_id")?))).transpose()
    }

    async fn link_identity(&self, scope: &TenantScope, provider: Uuid, subject: &str, user: UserId) -> Answer<()> {
        let args = args![scope.business.0, provider, subject, user.0];
        self.db.write(scope, sql::LINK_IDENTITY, args).await.map(drop)
    }
}

fn read_provider(row: &DbRow) -> Answer<IdentityProvider> {
    row.json("settings")
}

fn read_line(row: &DbRow) -> Answer<AuditLine> {
    Ok(AuditLine {
        id: row.get("id")?,
        at_ms: row.get("at_ms")?,
        actor_kind: row.get("actor_kind")?,
        actor_id: row.get("actor_id")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        details: row.json("details")?,
        address: row.get::<Option<String>>("address")?.map(Pii::new),
    })
}

#[async_trait]
impl Audit for SqlStore {
    async fn audit(&self, scope: &TenantScope, line: &Audited<'_>, at_ms: i64) -> Answer<()> {
        self.db.write(scope, sql::INSERT_AUDIT, trail::row(scope, line, at_ms)?).await.map(drop)
    }

    async fn audit_lines(
        &self,
        scope: &TenantScope,
        filter: &AuditFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<AuditLine>> {
        let rows_max = rows_max.min(limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![
            scope.business.0,
            &filter.actor_id,
            &filter.action,
            filter.from_ms.unwrap_or(0),
            filter.before_ms.unwrap_or(i64::MAX),
            after.at_ms,
            after.id,
            rows_max + 1,
        ];
        let rows = self.db.read(scope, sql::AUDIT_LINES, args).await?;
        page(&rows, rows_max, read_line, |line| Cursor { at_ms: line.at_ms, id: line.id })
    }
}
