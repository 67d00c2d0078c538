//! Recordings by name, and the end of what is kept.

use super::calls::read_route;
use super::{PAGE, SqliteStore, get, map_error, sql, within};
use crate::contract::{Answer, CallRoute, Cursor, Recordings, Retention};
use async_trait::async_trait;
use base::CallId;
use model::business::TenantScope;
use sqlx::query;
use uuid::Uuid;

/// What goes in one transaction, last the rows that others refer to.
const FORGET: [&str; 4] = [sql::FORGET_RECORDINGS, sql::FORGET_MESSAGES, sql::FORGET_JOURNAL, sql::FORGET_LOG];

impl SqliteStore {
    /// Recorded inputs are many, so they go in steps that let live calls write in between.
    async fn forget_inputs(&self, scope: &TenantScope, call: CallId) -> Answer<()> {
        loop {
            let some = query(sql::FORGET_INPUTS).bind(scope.business.0).bind(call.0);
            let gone = within(async { some.execute(&self.writer).await.map_err(map_error) }).await?;
            if gone.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    async fn forget_words(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()> {
        let mut write = self.begin().await?;
        for statement in FORGET {
            let forget = query(statement).bind(scope.business.0).bind(call.0);
            forget.execute(&mut *write).await.map_err(map_error)?;
        }
        let mark = query(sql::MARK_FORGOTTEN).bind(scope.business.0).bind(call.0).bind(at_ms);
        mark.execute(&mut *write).await.map_err(map_error)?;
        write.commit().await.map_err(map_error)
    }

    async fn delete_rows(&self, scope: &TenantScope, call: CallId, conversation: Uuid) -> Answer<()> {
        let mut write = self.begin().await?;
        for statement in FORGET.into_iter().chain([sql::FORGET_COSTS, sql::DELETE_CALL]) {
            let forget = query(statement).bind(scope.business.0).bind(call.0);
            forget.execute(&mut *write).await.map_err(map_error)?;
        }
        let delete = query(sql::DELETE_CONVERSATION).bind(scope.business.0).bind(conversation);
        delete.execute(&mut *write).await.map_err(map_error)?;
        write.commit().await.map_err(map_error)
    }
}

#[async_trait]
impl Recordings for SqliteStore {
    async fn add_recording(&self, scope: &TenantScope, call: CallId, name: &str, at_ms: i64) -> Answer<()> {
        let add = query(sql::ADD_RECORDING).bind(call.0).bind(name).bind(scope.business.0).bind(at_ms);
        within(async { add.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }

    async fn recordings(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<String>> {
        let find = query(sql::RECORDINGS).bind(scope.business.0).bind(call.0).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        rows.iter().map(|row| get(row, "name")).collect()
    }
}

#[async_trait]
impl Retention for SqliteStore {
    async fn calls_to_forget(&self, before_ms: i64, after: Option<Cursor>) -> Answer<Vec<CallRoute>> {
        let after = after.unwrap_or(Cursor { at_ms: i64::MIN, id: Uuid::nil() });
        let find = query(sql::CALLS_TO_FORGET).bind(before_ms).bind(after.at_ms).bind(after.id).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_route).collect()
    }

    async fn forget_call(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()> {
        self.need_call(scope, call).await?;
        self.forget_inputs(scope, call).await?;
        within(self.forget_words(scope, call, at_ms)).await
    }

    async fn delete_call(&self, scope: &TenantScope, call: CallId) -> Answer<bool> {
        let find = query(sql::CALL).bind(scope.business.0).bind(call.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        let Some(row) = row else { return Ok(false) };
        let conversation: Uuid = get(&row, "conversation")?;
        self.forget_inputs(scope, call).await?;
        within(self.delete_rows(scope, call, conversation)).await?;
        Ok(true)
    }

    async fn scrub(&self) -> Answer<()> {
        super::checkpoint(&self.writer).await
    }
}
