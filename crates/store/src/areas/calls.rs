//! Calls, the log around them, and conversations.

use super::drafts::pattern;
use super::events;
use crate::args;
use crate::contract::{
    Answer, CallFilter, CallLogEntry, CallLogs, CallRoute, CallUpdate, Calls, Charge, Conversation, ConversationFilter,
    Conversations, Cursor, Message, Page, StageCost,
};
use crate::db::{Db, DbRow, PAGE, Tx, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, CallTime, ConversationId, MessageId, Money, Pii, TurnId, limits};
use model::business::TenantScope;
use model::call::{Call, CallState, Direction};
use serde_json::Value;
use uuid::Uuid;

/// What marks a charge that was written down, among the deliveries that were seen.
const CHARGES: &str = "charge";

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

pub(crate) fn read_call(row: &DbRow) -> Answer<Call> {
    let customer: Option<String> = row.get("customer")?;
    Ok(Call {
        id: CallId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        agent: AgentId(row.get("agent")?),
        conversation: ConversationId(row.get("conversation")?),
        direction: row.word("direction")?,
        carrier: row.get("carrier")?,
        carrier_ref: row.get("carrier_ref")?,
        customer: customer.map(Pii::new),
        number: row.get("number")?,
        state: row.word("state")?,
        started_at_ms: row.get("started_at_ms")?,
        answered_at_ms: row.get("answered_at_ms")?,
        ended_at_ms: row.get("ended_at_ms")?,
        ended_reason: row.get("ended_reason")?,
        recording: row.get("recording")?,
        cost: Money::from_usd_micros(row.get("cost_usd_micros")?),
        agent_version: row.get("agent_version")?,
    })
}

pub(crate) fn read_route(row: &DbRow) -> Answer<CallRoute> {
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
    Ok(call)
}

impl SqlStore {
    async fn write_update(&self, scope: &TenantScope, id: CallId, update: &CallUpdate) -> Answer<Call> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::CALL_TO_CHANGE, args![scope.business.0, id.0]).await?.ok_or(missing("call"))?;
        let before = read_call(&row)?;
        let mut call = apply(before.clone(), update)?;
        if let Some(charge) = &update.charge {
            call.cost += charge_once(&mut tx, scope, id, charge).await?;
        }
        let args = args![
            scope.business.0,
            id.0,
            &call.carrier_ref,
            call.state.name(),
            call.answered_at_ms,
            call.ended_at_ms,
            &call.ended_reason,
            &call.recording,
            call.cost.usd_micros,
        ];
        tx.write(sql::UPDATE_CALL, args).await?;
        if let Some(ended_at_ms) = call.ended_at_ms {
            tx.write(sql::END_CONVERSATION, args![scope.business.0, call.conversation.0, ended_at_ms]).await?;
        }
        let told = events::call_changed(&mut tx, scope, Some(&before), &call).await?;
        tx.commit().await?;
        if told {
            self.bells.ring_events(scope.business);
        }
        Ok(call)
    }

    async fn write_call(&self, scope: &TenantScope, call: &Call) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let customer = call.customer.as_ref().map(|customer| customer.expose().as_str());
        let conversation = args![call.conversation.0, call.business.0, call.agent.0, customer, call.started_at_ms];
        tx.write(sql::INSERT_CONVERSATION, conversation).await?;
        let args = args![
            call.id.0,
            call.business.0,
            call.agent.0,
            call.conversation.0,
            direction_name(call.direction),
            &call.carrier,
            &call.carrier_ref,
            customer,
            &call.number,
            call.state.name(),
            call.started_at_ms,
            call.answered_at_ms,
            call.ended_at_ms,
            &call.ended_reason,
            &call.recording,
            call.cost.usd_micros,
            call.agent_version,
        ];
        tx.write(sql::INSERT_CALL, args).await?;
        events::call_changed(&mut tx, scope, None, call).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(())
    }
}

/// Writes down what was charged, and answers what that adds to the cost: nothing when it was written before.
async fn charge_once(tx: &mut Tx, scope: &TenantScope, call: CallId, charge: &Charge) -> Answer<Money> {
    if tx.write(sql::SEE_DELIVERY, args![CHARGES, charge.id.to_string(), events::wall_ms()]).await? == 0 {
        return Ok(Money::ZERO);
    }
    for StageCost { stage, provider, cost } in &charge.lines {
        let args = args![call.0, stage.name(), provider, scope.business.0, cost.usd_micros];
        tx.write(sql::ADD_COST, args).await?;
    }
    Ok(charge.total)
}

/// Which statement lists in this order, and the place before its first row.
fn direction(ascending: bool, up: sql::Sql, down: sql::Sql) -> (sql::Sql, Cursor) {
    if ascending {
        (up, Cursor { at_ms: i64::MIN, id: Uuid::nil() })
    } else {
        (down, Cursor { at_ms: i64::MAX, id: Uuid::max() })
    }
}

#[async_trait]
impl Calls for SqlStore {
    async fn create_call(&self, scope: &TenantScope, call: &Call) -> Answer<()> {
        if call.business != scope.business {
            return Err(missing("call"));
        }
        self.db.retrying(|| self.write_call(scope, call)).await
    }

    async fn call(&self, scope: &TenantScope, id: CallId) -> Answer<Call> {
        read_call(&self.need(scope, "call", sql::CALL, args![scope.business.0, id.0]).await?)
    }

    async fn update_call(&self, scope: &TenantScope, id: CallId, update: &CallUpdate) -> Answer<Call> {
        self.db.retrying(|| self.write_update(scope, id, update)).await
    }

    async fn calls(
        &self,
        scope: &TenantScope,
        filter: &CallFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Call>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        // Lists without words have statements of their own: they are many, and know nothing of messages.
        let (up, down) = match filter.words {
            Some(_) => (sql::CALLS_SAID_UP, sql::CALLS_SAID_DOWN),
            None => (sql::CALLS_UP, sql::CALLS_DOWN),
        };
        let (statement, from) = direction(filter.ascending, up, down);
        let after = after.unwrap_or(from);
        let mut args = args![
            scope.business.0,
            filter.state.map(CallState::name),
            filter.agent.map(|agent| agent.0),
            filter.direction.map(direction_name),
            &filter.number,
            &filter.customer,
            filter.from_ms.unwrap_or(i64::MIN),
            filter.to_ms.unwrap_or(i64::MAX),
            after.at_ms,
            after.id,
            // One more than asked for tells whether there is a next page.
            i64::from(rows_max) + 1,
            filter.agent_version,
        ];
        args.extend(filter.words.as_deref().map(|words| pattern(words).into()));
        let rows = self.db.list(scope, statement, args).await?;
        let mut rows = rows.iter().map(read_call).collect::<Answer<Vec<Call>>>()?;
        let more = rows.len() > rows_max as usize;
        rows.truncate(rows_max as usize);
        let next = rows.last().filter(|_| more).map(|call| Cursor { at_ms: call.started_at_ms, id: call.id.0 });
        Ok(Page { rows, next })
    }

    async fn route_call(&self, carrier: &str, carrier_ref: &str) -> Answer<CallRoute> {
        let reach = Db::across("whose a carrier's report is");
        read_route(&self.need(reach, "call", sql::ROUTE_CALL, args![carrier, carrier_ref]).await?)
    }

    async fn unfinished_calls(&self, started_before_ms: i64) -> Answer<Vec<CallRoute>> {
        let reach = Db::across("a node looks for calls whose process died");
        let rows = self.db.read(reach, sql::UNFINISHED_CALLS, args![started_before_ms, PAGE]).await?;
        rows.iter().map(read_route).collect()
    }
}

#[async_trait]
impl CallLogs for SqlStore {
    async fn log_call(&self, scope: &TenantScope, call: CallId, kind: &str, data: &Value, at_ms: i64) -> Answer<()> {
        let args = args![scope.business.0, call.0, kind, to_json(data)?, at_ms];
        self.db.write(scope, sql::LOG_CALL, args).await.map(drop)
    }

    async fn call_log(&self, scope: &TenantScope, call: CallId, after_id: i64) -> Answer<Vec<CallLogEntry>> {
        let args = args![scope.business.0, call.0, after_id, PAGE];
        let rows = self.db.read(scope, sql::CALL_LOG, args).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        let read = |row: &DbRow| {
            Ok(CallLogEntry {
                id: row.get("id")?,
                kind: row.get("kind")?,
                data: row.json("data")?,
                at_ms: row.get("at_ms")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl SqlStore {
    /// An empty list of a call that exists is not the same as a list of a call that does not.
    pub(crate) async fn need_call(&self, scope: &TenantScope, call: CallId) -> Answer<()> {
        self.need(scope, "call", sql::CALL_EXISTS, args![scope.business.0, call.0]).await.map(drop)
    }
}

fn read_message(row: &DbRow) -> Answer<Message> {
    let text: String = row.get("text")?;
    Ok(Message {
        id: MessageId(row.get("id")?),
        conversation: ConversationId(row.get("conversation")?),
        seq: row.get("seq")?,
        turn: TurnId(row.get("turn")?),
        role: row.word("role")?,
        text: Pii::new(text),
        complete: row.get("complete")?,
        citations: row.json("citations")?,
        latency: row.json_option("latency")?,
        at: CallTime(row.get("at_ms")?),
        sentiment: row.get::<Option<i64>>("sentiment")?.map(super::journal::of_hundredths),
    })
}

fn read_conversation(row: &DbRow) -> Answer<Conversation> {
    let customer: Option<String> = row.get("customer")?;
    Ok(Conversation {
        id: ConversationId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        agent: AgentId(row.get("agent")?),
        customer: customer.map(Pii::new),
        started_at_ms: row.get("started_at_ms")?,
        ended_at_ms: row.get("ended_at_ms")?,
    })
}

#[async_trait]
impl Conversations for SqlStore {
    async fn conversation(&self, scope: &TenantScope, id: ConversationId) -> Answer<Conversation> {
        read_conversation(&self.need(scope, "conversation", sql::CONVERSATION, args![scope.business.0, id.0]).await?)
    }

    async fn conversations(
        &self,
        scope: &TenantScope,
        filter: &ConversationFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Conversation>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let (statement, from) = direction(filter.ascending, sql::CONVERSATIONS_UP, sql::CONVERSATIONS_DOWN);
        let after = after.unwrap_or(from);
        let args = args![
            scope.business.0,
            filter.agent.map(|agent| agent.0),
            &filter.customer,
            filter.words.as_deref().map(pattern),
            filter.from_ms.unwrap_or(i64::MIN),
            filter.to_ms.unwrap_or(i64::MAX),
            after.at_ms,
            after.id,
            i64::from(rows_max) + 1,
        ];
        let rows = self.db.list(scope, statement, args).await?;
        let mut rows = rows.iter().map(read_conversation).collect::<Answer<Vec<Conversation>>>()?;
        let more = rows.len() > rows_max as usize;
        rows.truncate(rows_max as usize);
        let next = rows.last().filter(|_| more).map(|one| Cursor { at_ms: one.started_at_ms, id: one.id.0 });
        Ok(Page { rows, next })
    }

    async fn messages(&self, scope: &TenantScope, id: ConversationId, after_seq: u64) -> Answer<Vec<Message>> {
        let args = args![scope.business.0, id.0, to_i64(after_seq)?, PAGE];
        let rows = self.db.read(scope, sql::MESSAGES, args).await?;
        if rows.is_empty() {
            self.conversation(scope, id).await?;
        }
        rows.iter().map(read_message).collect()
    }
}
