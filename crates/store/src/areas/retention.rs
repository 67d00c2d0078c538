//! Recordings by name, and the end of what is kept.

use super::calls::{read_call, read_route};
use super::events;
use crate::args;
use crate::contract::{Answer, CallRoute, Cursor, Recordings, Redacted, Retention};
use crate::db::{Db, PAGE, to_i64, to_json};
use crate::sql::{self, Sql};
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::CallId;
use model::business::TenantScope;
use model::call::Call;
use uuid::Uuid;

/// What goes in one transaction, last the rows that others refer to.
const FORGET: [Sql; 7] = [
    sql::FORGET_RECORDINGS,
    sql::FORGET_MESSAGES,
    sql::FORGET_JOURNAL,
    sql::FORGET_LOG,
    sql::FORGET_DISPATCHES,
    sql::FORGET_SHARES,
    sql::FORGET_NOTE,
];

impl SqlStore {
    /// Recorded inputs are many, so they go in steps that let live calls write in between.
    async fn forget_inputs(&self, scope: &TenantScope, call: CallId) -> Answer<()> {
        while self.db.write(scope, sql::FORGET_INPUTS, args![scope.business.0, call.0]).await? > 0 {}
        Ok(())
    }

    async fn forget_words(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        for statement in FORGET {
            tx.write(statement, args![scope.business.0, call.0]).await?;
        }
        tx.write(sql::MARK_FORGOTTEN, args![scope.business.0, call.0, at_ms]).await?;
        events::forget_words(&mut tx, scope, call, at_ms).await?;
        tx.commit().await
    }

    async fn delete_rows(&self, scope: &TenantScope, call: CallId, conversation: Uuid) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        for statement in FORGET.into_iter().chain([sql::FORGET_COSTS, sql::DELETE_CALL]) {
            tx.write(statement, args![scope.business.0, call.0]).await?;
        }
        tx.write(sql::DELETE_CONVERSATION, args![scope.business.0, conversation]).await?;
        events::forget_call(&mut tx, scope, call).await?;
        tx.commit().await
    }
}

#[async_trait]
impl Recordings for SqlStore {
    async fn add_recording(&self, scope: &TenantScope, call: CallId, name: &str, at_ms: i64) -> Answer<()> {
        let args = args![call.0, name, scope.business.0, at_ms];
        self.db.write(scope, sql::ADD_RECORDING, args).await.map(drop)
    }

    async fn recordings(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<String>> {
        let rows = self.db.read(scope, sql::RECORDINGS, args![scope.business.0, call.0, PAGE]).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        rows.iter().map(|row| row.get("name")).collect()
    }
}

#[async_trait]
impl Retention for SqlStore {
    async fn calls_to_forget(&self, before_ms: i64, after: Option<Cursor>) -> Answer<Vec<CallRoute>> {
        let after = after.unwrap_or(Cursor { at_ms: i64::MIN, id: Uuid::nil() });
        let reach = Db::across("one worker forgets for all businesses");
        let args = args![before_ms, after.at_ms, after.id, PAGE];
        self.db.read(reach, sql::CALLS_TO_FORGET, args).await?.iter().map(read_route).collect()
    }

    async fn calls_of_business_to_forget(
        &self,
        scope: &TenantScope,
        before_ms: i64,
        after: Option<Cursor>,
    ) -> Answer<Vec<Call>> {
        let after = after.unwrap_or(Cursor { at_ms: i64::MIN, id: Uuid::nil() });
        let args = args![scope.business.0, before_ms, after.at_ms, after.id, PAGE];
        self.db.read(scope, sql::CALLS_OF_BUSINESS_TO_FORGET, args).await?.iter().map(read_call).collect()
    }

    async fn recordings_to_forget(
        &self,
        scope: &TenantScope,
        after_ms: i64,
        before_ms: i64,
    ) -> Answer<Vec<(CallId, i64)>> {
        let args = args![scope.business.0, after_ms, before_ms, PAGE];
        let rows = self.db.read(scope, sql::RECORDINGS_TO_FORGET, args).await?;
        rows.iter().map(|row| Ok((CallId(row.get("call")?), row.get("opened_at_ms")?))).collect()
    }

    async fn forget_recordings(&self, scope: &TenantScope, call: CallId) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::FORGET_RECORDINGS, args![scope.business.0, call.0]).await?;
        tx.write(sql::CLEAR_RECORDING, args![scope.business.0, call.0]).await?;
        tx.commit().await
    }

    async fn forget_numbers(&self, scope: &TenantScope, before_ms: i64) -> Answer<u64> {
        let mut tx = self.db.begin(scope).await?;
        let rows = tx.read(sql::NUMBERS_TO_FORGET, args![scope.business.0, before_ms, PAGE]).await?;
        for row in &rows {
            let (call, conversation): (Uuid, Uuid) = (row.get("id")?, row.get("conversation")?);
            tx.write(sql::CLEAR_CUSTOMER, args![scope.business.0, call]).await?;
            tx.write(sql::CLEAR_CONVERSATION, args![scope.business.0, conversation]).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    async fn calls_to_redact(&self, scope: &TenantScope, from_ms: i64) -> Answer<Vec<Call>> {
        let args = args![scope.business.0, from_ms, PAGE];
        self.db.read(scope, sql::CALLS_TO_REDACT, args).await?.iter().map(read_call).collect()
    }

    async fn redact_call(&self, scope: &TenantScope, call: CallId, redacted: &Redacted, at_ms: i64) -> Answer<()> {
        self.need_call(scope, call).await?;
        self.forget_inputs(scope, call).await?;
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        for record in &redacted.records {
            let args = args![business, call.0, to_i64(record.seq.0)?, to_json(&record.entry)?];
            tx.write(sql::REDACT_ENTRY, args).await?;
        }
        for (message, text) in &redacted.messages {
            tx.write(sql::REDACT_MESSAGE, args![business, call.0, message.0, text.expose()]).await?;
        }
        for statement in [sql::FORGET_READING, sql::ERASE_TURN_EVENTS, sql::ERASE_TURN_DELIVERIES] {
            tx.write(statement, args![business, call.0]).await?;
        }
        tx.write(sql::MARK_REDACTED, args![business, call.0, at_ms]).await?;
        tx.commit().await
    }

    async fn forget_call(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()> {
        self.need_call(scope, call).await?;
        self.forget_inputs(scope, call).await?;
        self.db.retrying(|| self.forget_words(scope, call, at_ms)).await?;
        self.bells.ring_events(scope.business);
        Ok(())
    }

    async fn delete_call(&self, scope: &TenantScope, call: CallId) -> Answer<bool> {
        let Some(row) = self.db.read_one(scope, sql::CALL, args![scope.business.0, call.0]).await? else {
            return Ok(false);
        };
        let conversation: Uuid = row.get("conversation")?;
        self.forget_inputs(scope, call).await?;
        self.db.retrying(|| self.delete_rows(scope, call, conversation)).await?;
        self.bells.ring_events(scope.business);
        Ok(true)
    }

    async fn scrub(&self) -> Answer<()> {
        match &self.db {
            Db::Sqlite(db) => db.checkpoint().await,
            // Its log is the server's: what is in it is gone when the server has written over it.
            Db::Postgres(_) => Ok(()),
        }
    }
}
