//! Calls that are shown to whoever has a link, and notes on calls.

use crate::args;
use crate::contract::Answer;
use crate::contract::shares::{CallNote, Notes, Share, Shares};
use crate::db::{Db, DbRow, PAGE};
use crate::error::StoreError;
use crate::people::SecretHash;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, CallId, Pii, limits};
use model::business::TenantScope;
use uuid::Uuid;

fn read_share(row: &DbRow) -> Answer<Share> {
    Ok(Share {
        id: row.get("id")?,
        call: CallId(row.get("call")?),
        recording: row.get("recording")?,
        created_by: row.get("created_by")?,
        created_at_ms: row.get("created_at_ms")?,
        expires_at_ms: row.get("expires_at_ms")?,
    })
}

#[async_trait]
impl Shares for SqlStore {
    async fn share_call(&self, scope: &TenantScope, share: &Share, token: &SecretHash) -> Answer<()> {
        self.need_call(scope, share.call).await?;
        let (business, call) = (scope.business.0, share.call.0);
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::DROP_OLD_SHARES, args![business, call, share.created_at_ms]).await?;
        let row = tx.read_one(sql::COUNT_SHARES, args![business, call]).await?;
        let known: u64 = row.map_or(Ok(0), |row| row.get("count"))?;
        if known >= u64::from(limits::CALL_SHARES_MAX) {
            let most = limits::CALL_SHARES_MAX;
            return Err(StoreError::Conflict(format!("the call has {most} links already; take one back first")));
        }
        let args = args![
            share.id,
            business,
            call,
            token.as_slice(),
            share.recording,
            &share.created_by,
            share.created_at_ms,
            share.expires_at_ms,
        ];
        tx.write(sql::INSERT_SHARE, args).await?;
        tx.commit().await
    }

    async fn shares(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<Vec<Share>> {
        let rows = self.db.read(scope, sql::SHARES, args![scope.business.0, call.0, at_ms, PAGE]).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        rows.iter().map(read_share).collect()
    }

    async fn revoke_share(&self, scope: &TenantScope, call: CallId, id: Uuid) -> Answer<bool> {
        Ok(self.db.write(scope, sql::REVOKE_SHARE, args![scope.business.0, call.0, id]).await? > 0)
    }

    async fn shared_call(&self, token: &SecretHash, at_ms: i64) -> Answer<Option<(TenantScope, Share)>> {
        let reach = Db::across("whose a shared call is");
        let row = self.db.read_one(reach, sql::SHARED_CALL, args![token.as_slice(), at_ms]).await?;
        let whose = |row: DbRow| Ok((TenantScope { business: BusinessId(row.get("business")?) }, read_share(&row)?));
        row.map(whose).transpose()
    }
}

#[async_trait]
impl Notes for SqlStore {
    async fn note(&self, scope: &TenantScope, call: CallId) -> Answer<Option<CallNote>> {
        let Some(row) = self.db.read_one(scope, sql::NOTE, args![scope.business.0, call.0]).await? else {
            self.need_call(scope, call).await?;
            return Ok(None);
        };
        let text: String = row.get("text")?;
        Ok(Some(CallNote {
            text: Pii::new(text),
            updated_by: row.get("updated_by")?,
            updated_at_ms: row.get("updated_at_ms")?,
            version: row.get("version")?,
        }))
    }

    async fn put_note(&self, scope: &TenantScope, call: CallId, note: &CallNote, expected: Option<u32>) -> Answer<u32> {
        self.need_call(scope, call).await?;
        let (business, call) = (scope.business.0, call.0);
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::NOTE_TO_CHANGE, args![business, call]).await?;
        let version: u32 = row.as_ref().map_or(Ok(0), |row| row.get("version"))?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the note was changed meanwhile: it is at version {version}")));
        }
        let statement = if version == 0 { sql::INSERT_NOTE } else { sql::UPDATE_NOTE };
        let args = args![business, call, note.text.expose(), &note.updated_by, note.updated_at_ms];
        tx.write(statement, args).await?;
        tx.commit().await?;
        Ok(version + 1)
    }
}
