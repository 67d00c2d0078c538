//! Calls, the log around them, and conversations.

use super::{PAGE, SqliteStore, from_json, from_word, get, map_error, missing, sql, to_i64, to_json, to_u64, within};
use crate::contract::{
    Answer, CallFilter, CallLogEntry, CallLogs, CallRoute, CallUpdate, Calls, Conversation, Conversations, Cursor,
    Message, Page,
};
use crate::error::StoreError;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, CallTime, ConversationId, MessageId, Money, Pii, TurnId, limits};
use model::business::TenantScope;
use model::call::{Call, Direction};
use serde_json::Value;
use sqlx::query;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn read_call(row: &SqliteRow) -> Answer<Call> {
    let customer: Option<String> = get(row, "customer")?;
    Ok(Call {
        id: CallId(get(row, "id")?),
        business: BusinessId(get(row, "business")?),
        agent: AgentId(get(row, "agent")?),
        conversation: ConversationId(get(row, "conversation")?),
        direction: from_word("direction", get(row, "direction")?)?,
        carrier: get(row, "carrier")?,
        carrier_ref: get(row, "carrier_ref")?,
        customer: customer.map(Pii::new),
        number: get(row, "number")?,
        state: from_word("state", get(row, "state")?)?,
        started_at_ms: get(row, "started_at_ms")?,
        answered_at_ms: get(row, "answered_at_ms")?,
        ended_at_ms: get(row, "ended_at_ms")?,
        ended_reason: get(row, "ended_reason")?,
        recording: get(row, "recording")?,
        cost: Money::from_usd_micros(get(row, "cost_usd_micros")?),
    })
}

pub(super) fn read_route(row: &SqliteRow) -> Answer<CallRoute> {
    let call = read_call(row)?;
    Ok(CallRoute { scope: TenantScope { business: call.business }, call })
}

/// The call after a change. Nothing known is taken back.
fn apply(mut call: Call, update: &CallUpdate) -> Answer<Call> {
    if let Some(state) = update.state {
        call.state = call.state.advance(state).unwrap_or(call.state);
    }
    match (&call.carrier_ref, &update.carrier_ref) {
        (Some(known), Some(new)) if known != new => {
            return Err(StoreError::Conflict("the carrier gave this call another id before".into()));
        }
        (None, Some(new)) => call.carrier_ref = Some(new.clone()),
        _ => {}
    }
    call.answered_at_ms = call.answered_at_ms.or(update.answered_at_ms);
    call.ended_at_ms = call.ended_at_ms.or(update.ended_at_ms);
    call.ended_reason = call.ended_reason.or_else(|| update.ended_reason.clone());
    call.recording = update.recording.clone().or(call.recording);
    call.cost += update.cost;
    Ok(call)
}

impl SqliteStore {
    async fn write_update(&self, scope: &TenantScope, id: CallId, update: &CallUpdate) -> Answer<Call> {
        let mut write = self.begin().await?;
        let find = query(sql::CALL).bind(scope.business.0).bind(id.0);
        let row = find.fetch_optional(&mut *write).await.map_err(map_error)?.ok_or(missing("call"))?;
        let call = apply(read_call(&row)?, update)?;
        let put = query(sql::UPDATE_CALL)
            .bind(scope.business.0)
            .bind(id.0)
            .bind(&call.carrier_ref)
            .bind(call.state.name())
            .bind(call.answered_at_ms)
            .bind(call.ended_at_ms)
            .bind(&call.ended_reason)
            .bind(&call.recording)
            .bind(call.cost.usd_micros);
        put.execute(&mut *write).await.map_err(map_error)?;
        if let Some(ended_at_ms) = call.ended_at_ms {
            let end = query(sql::END_CONVERSATION).bind(scope.business.0).bind(call.conversation.0).bind(ended_at_ms);
            end.execute(&mut *write).await.map_err(map_error)?;
        }
        write.commit().await.map_err(map_error)?;
        Ok(call)
    }

    async fn write_call(&self, call: &Call) -> Answer<()> {
        let mut write = self.begin().await?;
        let customer = call.customer.as_ref().map(|customer| customer.expose().as_str());
        let conversation = query(sql::INSERT_CONVERSATION)
            .bind(call.conversation.0)
            .bind(call.business.0)
            .bind(call.agent.0)
            .bind(customer)
            .bind(call.started_at_ms);
        conversation.execute(&mut *write).await.map_err(map_error)?;
        let insert = query(sql::INSERT_CALL)
            .bind(call.id.0)
            .bind(call.business.0)
            .bind(call.agent.0)
            .bind(call.conversation.0)
            .bind(direction_name(call.direction))
            .bind(&call.carrier)
            .bind(&call.carrier_ref)
            .bind(customer)
            .bind(&call.number)
            .bind(call.state.name())
            .bind(call.started_at_ms)
            .bind(call.answered_at_ms)
            .bind(call.ended_at_ms)
            .bind(&call.ended_reason)
            .bind(&call.recording)
            .bind(call.cost.usd_micros);
        insert.execute(&mut *write).await.map_err(map_error)?;
        write.commit().await.map_err(map_error)
    }
}

#[async_trait]
impl Calls for SqliteStore {
    async fn create_call(&self, scope: &TenantScope, call: &Call) -> Answer<()> {
        if call.business != scope.business {
            return Err(missing("call"));
        }
        within(self.write_call(call)).await
    }

    async fn call(&self, scope: &TenantScope, id: CallId) -> Answer<Call> {
        let find = query(sql::CALL).bind(scope.business.0).bind(id.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_call(&row.ok_or(missing("call"))?)
    }

    async fn update_call(&self, scope: &TenantScope, id: CallId, update: &CallUpdate) -> Answer<Call> {
        within(self.write_update(scope, id, update)).await
    }

    async fn calls(
        &self,
        scope: &TenantScope,
        filter: &CallFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Call>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let find = query(sql::CALLS)
            .bind(scope.business.0)
            .bind(filter.state.map(model::call::CallState::name))
            .bind(filter.agent.map(|agent| agent.0))
            .bind(after.at_ms)
            .bind(after.id)
            // One more than asked for tells whether there is a next page.
            .bind(i64::from(rows_max) + 1);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        let mut rows = rows.iter().map(read_call).collect::<Answer<Vec<Call>>>()?;
        let more = rows.len() > rows_max as usize;
        rows.truncate(rows_max as usize);
        let next = rows.last().filter(|_| more).map(|call| Cursor { at_ms: call.started_at_ms, id: call.id.0 });
        Ok(Page { rows, next })
    }

    async fn route_call(&self, carrier: &str, carrier_ref: &str) -> Answer<CallRoute> {
        let find = query(sql::ROUTE_CALL).bind(carrier).bind(carrier_ref);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_route(&row.ok_or(missing("call"))?)
    }

    async fn unfinished_calls(&self, started_before_ms: i64) -> Answer<Vec<CallRoute>> {
        let find = query(sql::UNFINISHED_CALLS).bind(started_before_ms).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_route).collect()
    }
}

#[async_trait]
impl CallLogs for SqliteStore {
    async fn log_call(&self, scope: &TenantScope, call: CallId, kind: &str, data: &Value, at_ms: i64) -> Answer<()> {
        let data = to_json(data)?;
        let add = query(sql::LOG_CALL).bind(scope.business.0).bind(call.0).bind(kind).bind(data).bind(at_ms);
        within(async { add.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }

    async fn call_log(&self, scope: &TenantScope, call: CallId, after_id: i64) -> Answer<Vec<CallLogEntry>> {
        let find = query(sql::CALL_LOG).bind(scope.business.0).bind(call.0).bind(after_id).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        let read = |row: &SqliteRow| {
            Ok(CallLogEntry {
                id: get(row, "id")?,
                kind: get(row, "kind")?,
                data: from_json("call log", get(row, "data")?)?,
                at_ms: get(row, "at_ms")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl SqliteStore {
    /// An empty list of a call that exists is not the same as a list of a call that does not.
    pub(super) async fn need_call(&self, scope: &TenantScope, call: CallId) -> Answer<()> {
        let find = query(sql::CALL_EXISTS).bind(scope.business.0).bind(call.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        row.map(drop).ok_or(missing("call"))
    }
}

fn read_message(row: &SqliteRow) -> Answer<Message> {
    let text: String = get(row, "text")?;
    let latency: Option<String> = get(row, "latency")?;
    Ok(Message {
        id: MessageId(get(row, "id")?),
        conversation: ConversationId(get(row, "conversation")?),
        seq: to_u64(get(row, "seq")?)?,
        turn: TurnId(to_u64(get(row, "turn")?)?),
        role: from_word("role", get(row, "role")?)?,
        text: Pii::new(text),
        complete: get(row, "complete")?,
        citations: from_json("citations", get(row, "citations")?)?,
        latency: latency.as_deref().map(|text| from_json("latency", text)).transpose()?,
        at: CallTime(to_u64(get(row, "at_ms")?)?),
    })
}

#[async_trait]
impl Conversations for SqliteStore {
    async fn conversation(&self, scope: &TenantScope, id: ConversationId) -> Answer<Conversation> {
        let find = query(sql::CONVERSATION).bind(scope.business.0).bind(id.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        let row = row.ok_or(missing("conversation"))?;
        let customer: Option<String> = get(&row, "customer")?;
        Ok(Conversation {
            id: ConversationId(get(&row, "id")?),
            business: BusinessId(get(&row, "business")?),
            agent: AgentId(get(&row, "agent")?),
            customer: customer.map(Pii::new),
            started_at_ms: get(&row, "started_at_ms")?,
            ended_at_ms: get(&row, "ended_at_ms")?,
        })
    }

    async fn messages(&self, scope: &TenantScope, id: ConversationId, after_seq: u64) -> Answer<Vec<Message>> {
        let find = query(sql::MESSAGES).bind(scope.business.0).bind(id.0).bind(to_i64(after_seq)?).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        if rows.is_empty() {
            self.conversation(scope, id).await?;
        }
        rows.iter().map(read_message).collect()
    }
}
