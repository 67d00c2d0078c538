//! Tickets, messages that agents send, and what calls come to.

use super::events::{self, Fresh};
use crate::args;
use crate::contract::desk::{Dispatch, Dispatched, Dispatches, MaySend, Statistics, TicketFilter, Tickets};
use crate::contract::{Answer, Cursor};
use crate::db::{DbRow, PAGE, Tx, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, Pii, TicketId, UserId};
use model::business::TenantScope;
use model::event::EventKind;
use model::statistics::Counts;
use model::ticket::{Ticket, TicketFacts, TicketPriority, TicketStatus};
use uuid::Uuid;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn read_ticket(row: &DbRow) -> Answer<Ticket> {
    let customer: Option<String> = row.get("customer")?;
    Ok(Ticket {
        id: TicketId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        number: row.get("number")?,
        subject: Pii::new(row.get("subject")?),
        text: Pii::new(row.get("text")?),
        status: row.word("status")?,
        priority: row.word("priority")?,
        customer: customer.map(Pii::new),
        call: row.get::<Option<Uuid>>("call")?.map(CallId),
        agent: row.get::<Option<Uuid>>("agent")?.map(AgentId),
        assignee: row.get::<Option<Uuid>>("assignee")?.map(UserId),
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
        version: row.get("version")?,
    })
}

fn exposed(text: &Option<Pii<String>>) -> Option<&str> {
    text.as_ref().map(|text| text.expose().as_str())
}

/// Whoever holds the head of a business's events counts alone until the end of the transaction.
async fn alone(tx: &mut Tx, scope: &TenantScope) -> Answer<()> {
    tx.read(sql::BUMP_EVENTS, args![scope.business.0, 0_i64]).await.map(drop)
}

/// Adds to what ended in a slot, of the business and of the agent.
pub(super) async fn add_counts(tx: &mut Tx, scope: &TenantScope, agent: Uuid, slot: i64, added: &Counts) -> Answer<()> {
    if added.is_nothing() {
        return Ok(());
    }
    alone(tx, scope).await?;
    let sum = |row: Option<DbRow>| {
        let mut counts: Counts = row.map(|row| row.json("counts")).transpose()?.unwrap_or_default();
        counts += added;
        to_json(&counts)
    };
    let business = scope.business.0;
    let all = sum(tx.read_one(sql::COUNTS_TO_CHANGE, args![business, slot]).await?)?;
    tx.write(sql::PUT_COUNTS, args![business, slot, all]).await?;
    let of_agent = sum(tx.read_one(sql::AGENT_COUNTS_TO_CHANGE, args![business, agent, slot]).await?)?;
    tx.write(sql::PUT_AGENT_COUNTS, args![business, agent, slot, of_agent]).await.map(drop)
}

#[async_trait]
impl Tickets for SqlStore {
    async fn create_ticket(&self, scope: &TenantScope, ticket: &Ticket, key: Option<&str>) -> Answer<Ticket> {
        if ticket.business != scope.business {
            return Err(missing("ticket"));
        }
        let mut tx = self.db.begin(scope).await?;
        alone(&mut tx, scope).await?;
        if let Some(key) = key
            && let Some(row) = tx.read_one(sql::TICKET_OF_KEY, args![scope.business.0, key]).await?
        {
            return read_ticket(&row);
        }
        let row = tx.read_one(sql::LAST_TICKET, args![scope.business.0]).await?.ok_or(missing("business"))?;
        let number = row.get::<u64>("number")? + 1;
        let made = Ticket { number, version: 1, updated_at_ms: ticket.created_at_ms, ..ticket.clone() };
        let args = args![
            made.id.0,
            scope.business.0,
            to_i64(number)?,
            made.subject.expose(),
            made.text.expose(),
            made.status.name(),
            made.priority.name(),
            exposed(&made.customer),
            made.call.map(|call| call.0),
            made.agent.map(|agent| agent.0),
            made.assignee.map(|user| user.0),
            key,
            made.created_at_ms,
        ];
        tx.write(sql::INSERT_TICKET, args).await?;
        let fresh = [Fresh::new(EventKind::TicketCreated, made.id.0, &TicketFacts::from(&made))?];
        events::write(&mut tx, scope, &fresh, made.created_at_ms).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(made)
    }

    async fn ticket(&self, scope: &TenantScope, id: TicketId) -> Answer<Ticket> {
        read_ticket(&self.need(scope, "ticket", sql::TICKET, args![scope.business.0, id.0]).await?)
    }

    async fn update_ticket(&self, scope: &TenantScope, ticket: &Ticket, expected: Option<u32>) -> Answer<Ticket> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::TICKET_TO_CHANGE, args![scope.business.0, ticket.id.0]).await?;
        let version: u32 = row.ok_or(missing("ticket"))?.get("version")?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the ticket was changed meanwhile: version {version}")));
        }
        let args = args![
            scope.business.0,
            ticket.id.0,
            ticket.subject.expose(),
            ticket.text.expose(),
            ticket.status.name(),
            ticket.priority.name(),
            exposed(&ticket.customer),
            ticket.assignee.map(|user| user.0),
            ticket.updated_at_ms,
        ];
        tx.write(sql::UPDATE_TICKET, args).await?;
        let row = tx.read_one(sql::TICKET, args![scope.business.0, ticket.id.0]).await?.ok_or(missing("ticket"))?;
        let now = read_ticket(&row)?;
        let fresh = [Fresh::new(EventKind::TicketChanged, now.id.0, &TicketFacts::from(&now))?];
        events::write(&mut tx, scope, &fresh, now.updated_at_ms).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(now)
    }

    async fn tickets(
        &self,
        scope: &TenantScope,
        filter: &TicketFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Vec<Ticket>> {
        let (statement, from) = if filter.ascending {
            (sql::TICKETS_UP, Cursor { at_ms: i64::MIN, id: Uuid::nil() })
        } else {
            (sql::TICKETS_DOWN, Cursor { at_ms: i64::MAX, id: Uuid::max() })
        };
        let after = after.unwrap_or(from);
        let args = args![
            scope.business.0,
            filter.status.map(TicketStatus::name),
            filter.priority.map(TicketPriority::name),
            filter.assignee.map(|user| user.0),
            &filter.customer,
            filter.call.map(|call| call.0),
            after.at_ms,
            after.id,
            rows_max,
        ];
        self.db.list(scope, statement, args).await?.iter().map(read_ticket).collect()
    }
}

#[async_trait]
impl Dispatches for SqlStore {
    async fn intend_dispatch(&self, scope: &TenantScope, dispatch: &Dispatch) -> Answer<MaySend> {
        let business = scope.business.0;
        let recipient = dispatch.recipient.expose().as_str();
        let mut tx = self.db.begin(scope).await?;
        // Two calls that write to the same person at once must see each other.
        alone(&mut tx, scope).await?;
        if tx.read_one(sql::DISPATCH_OF_KEY, args![business, &dispatch.key]).await?.is_some() {
            return Ok(MaySend::Repeated);
        }
        let count = |row: Option<DbRow>| row.map_or(Ok(0), |row| row.get::<u64>("count"));
        let of_call = count(tx.read_one(sql::DISPATCHES_OF_CALL, args![business, dispatch.call.0]).await?)?;
        if of_call >= u64::from(dispatch.per_call_max) {
            return Ok(MaySend::CallHasEnough);
        }
        let since = args![business, recipient, dispatch.at_ms - DAY_MS];
        if count(tx.read_one(sql::DISPATCHES_TO, since).await?)? >= u64::from(dispatch.per_day_max) {
            return Ok(MaySend::RecipientHasEnough);
        }
        let args =
            args![dispatch.id, business, dispatch.call.0, dispatch.channel, recipient, &dispatch.key, dispatch.at_ms];
        tx.write(sql::INSERT_DISPATCH, args).await?;
        tx.commit().await?;
        Ok(MaySend::Yes)
    }

    async fn dispatches(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<Dispatched>> {
        let rows = self.db.read(scope, sql::DISPATCHES, args![scope.business.0, call.0, PAGE]).await?;
        let read = |row: &DbRow| {
            Ok(Dispatched {
                id: row.get("id")?,
                channel: row.get("channel")?,
                recipient: Pii::new(row.get("recipient")?),
                state: row.get("state")?,
                at_ms: row.get("created_at_ms")?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn close_dispatch(&self, scope: &TenantScope, id: Uuid, state: &'static str) -> Answer<()> {
        self.db.write(scope, sql::CLOSE_DISPATCH, args![scope.business.0, id, state]).await.map(drop)
    }
}

#[async_trait]
impl Statistics for SqlStore {
    async fn call_counts(&self, scope: &TenantScope, from_slot: i64, to_slot: i64) -> Answer<Vec<(i64, Counts)>> {
        let rows = self.db.list(scope, sql::COUNTS, args![scope.business.0, from_slot, to_slot]).await?;
        rows.iter().map(|row| Ok((row.get("slot")?, row.json("counts")?))).collect()
    }

    async fn agent_counts(
        &self,
        scope: &TenantScope,
        agent: AgentId,
        from_slot: i64,
        to_slot: i64,
    ) -> Answer<Vec<(i64, Counts)>> {
        let args = args![scope.business.0, agent.0, from_slot, to_slot];
        let rows = self.db.list(scope, sql::AGENT_COUNTS, args).await?;
        rows.iter().map(|row| Ok((row.get("slot")?, row.json("counts")?))).collect()
    }

    async fn calls_going_on(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<u64> {
        let args = args![scope.business.0, started_from_ms];
        self.need(scope, "count", sql::CALLS_GOING_ON, args).await?.get("count")
    }
}
