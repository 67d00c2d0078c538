//! Callers who wait for a person.

use crate::args;
use crate::contract::Answer;
use crate::contract::queue::{Queue, WaitingCall};
use crate::db::{Db, DbRow, PAGE, Reach, to_i64};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, NodeId, Pii, limits};
use model::business::TenantScope;
use uuid::Uuid;

const PLACES: Reach = Db::across("a node tells its waiting callers of all businesses where they stand");

fn read_waiting(row: &DbRow) -> Answer<WaitingCall> {
    Ok(WaitingCall {
        call: CallId(row.get("id")?),
        agent: AgentId(row.get("agent")?),
        customer: row.get::<Option<String>>("customer")?.map(Pii::new),
        number: row.get("number")?,
        since_ms: row.get("waiting_since_ms")?,
        reason: row.get::<Option<String>>("waiting_reason")?.unwrap_or_default(),
        brief: row.get::<Option<String>>("waiting_brief")?.map(Pii::new),
        node: row.get::<Option<Uuid>>("node")?.map(NodeId),
    })
}

#[async_trait]
impl Queue for SqlStore {
    async fn all_waiting(&self) -> Answer<Vec<(BusinessId, CallId)>> {
        let rows_max = to_i64(limits::QUEUE_CALLERS_MAX as u64)?;
        let rows = self.db.read(PLACES, sql::ALL_WAITING, args![rows_max]).await?;
        rows.iter().map(|row| Ok((BusinessId(row.get("business")?), CallId(row.get("id")?)))).collect()
    }

    async fn waiting(&self, scope: &TenantScope) -> Answer<Vec<WaitingCall>> {
        self.db.read(scope, sql::WAITING, args![scope.business.0, PAGE]).await?.iter().map(read_waiting).collect()
    }

    async fn claim_waiting(&self, scope: &TenantScope, now_ms: i64) -> Answer<Option<CallId>> {
        let free_before = now_ms - to_i64(limits::QUEUE_CLAIM_MS)?;
        let rows = self.db.write_rows(scope, sql::CLAIM_WAITING, args![scope.business.0, now_ms, free_before]).await?;
        rows.first().map(|row| row.get("id").map(CallId)).transpose()
    }
}
