//! Live events: written by the transactions of what they tell, read in order, pruned and erased.

use super::calls::read_call;
use super::journal::of_hundredths;
use crate::args;
use crate::contract::mail::ALERT_MAIL_JOB;
use crate::contract::{Answer, EventRange, Events, NewJob};
use crate::db::{Db, DbRow, Tx, to_i64, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, CallId, Pii, TurnId, limits};
use model::business::TenantScope;
use model::call::Call;
use model::event::{CallFacts, Event, EventKind, Holder, LiveCall, Snapshot, TurnFacts, Wait};
use model::plan::{AlertFacts, Usage, UsageFacts, alerts};
use model::statistics::{Counts, slot_of};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// What rings within this process when something was written.
#[derive(Clone, Debug)]
pub(crate) struct Bells {
    pub(super) events: broadcast::Sender<BusinessId>,
    pub(super) jobs: watch::Sender<u64>,
}

impl Default for Bells {
    fn default() -> Self {
        let (events, _) = broadcast::channel(limits::EVENT_HINTS_MAX);
        Self { events, jobs: watch::Sender::new(0) }
    }
}

impl Bells {
    pub(super) fn ring_events(&self, business: BusinessId) {
        let _ = self.events.send(business); // Nobody may be listening.
    }

    pub(super) fn ring_jobs(&self) {
        self.jobs.send_modify(|rung| *rung = rung.wrapping_add(1));
    }
}

/// An event without its place.
pub(super) struct Fresh {
    kind: EventKind,
    subject: Uuid,
    data: String,
}

impl Fresh {
    pub(super) fn new(kind: EventKind, subject: Uuid, data: &impl Serialize) -> Answer<Self> {
        Ok(Self { kind, subject, data: to_json(data)? })
    }

    /// One that tells nothing but its kind.
    pub(super) fn bare(kind: EventKind, subject: Uuid) -> Self {
        Self { kind, subject, data: "{}".into() }
    }

    /// What a turn tells.
    pub(super) fn turn(turn: &TurnFacts) -> Answer<Self> {
        Self::new(EventKind::TranscriptTurn, turn.call.0, turn)
    }
}

/// Unix milliseconds now, for events that their cause gives no time.
pub(super) fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Writes events, as the last thing of a transaction: from here to its end no other one writes events of this business.
/// Whoever commits rings the bell.
pub(super) async fn write(tx: &mut Tx, scope: &TenantScope, fresh: &[Fresh], at_ms: i64) -> Answer<u64> {
    let count = to_i64(fresh.len() as u64)?;
    if count == 0 {
        return Ok(0);
    }
    let business = scope.business.0;
    let row = tx.read_one(sql::BUMP_EVENTS, args![business, count]).await?;
    let head: i64 = row.ok_or(crate::db::missing("business"))?.get("seq")?;
    let row =
        |(seq, event): (i64, &Fresh)| args![business, seq, event.kind.name(), event.subject, at_ms, event.data.clone()];
    tx.write_many(sql::INSERT_EVENT, (head - count + 1..).zip(fresh).map(row).collect()).await?;
    u64::try_from(head).map_err(|_| crate::error::StoreError::Corrupt("a negative place".into()))
}

/// What follows from a change of a call's row: the count, and the events. Answers whether there were any.
pub(super) async fn call_changed(
    tx: &mut Tx,
    scope: &TenantScope,
    before: Option<&Call>,
    after: &Call,
) -> Answer<bool> {
    let facts = CallFacts::from(after);
    let mut fresh = Vec::new();
    let was_open = before.is_none_or(|before| before.ended_at_ms.is_none());
    let kind = match (before, after.ended_at_ms) {
        (_, Some(_)) if was_open => Some(EventKind::CallEnded),
        (None, _) => Some(EventKind::CallCreated),
        (Some(before), _) if CallFacts::from(before) != facts => Some(EventKind::CallUpdated),
        _ => None,
    };
    // Once a call is over, a late change of its row must not bring it back into the picture.
    let kind = kind.filter(|kind| was_open || *kind != EventKind::CallUpdated);
    if let Some(kind) = kind {
        fresh.push(Fresh::new(kind, after.id.0, &facts)?);
    }
    let unborn = Call { ended_at_ms: None, ..after.clone() };
    let added = Usage::of_change(before.unwrap_or(&unborn), after);
    if let (false, Some(ended_at_ms)) = (added.is_nothing(), after.ended_at_ms) {
        let counts = Counts::of_change(before.unwrap_or(&unborn), after);
        super::desk::add_counts(tx, scope, after.agent.0, slot_of(ended_at_ms), &counts).await?;
        fresh.extend(count(tx, scope, after.id, added, ended_at_ms).await?);
    }
    let at_ms = if before.is_none() { after.started_at_ms } else { wall_ms() };
    write(tx, scope, &fresh, at_ms).await?;
    Ok(!fresh.is_empty())
}

/// Adds to the usage of a business and answers the events of it.
async fn count(tx: &mut Tx, scope: &TenantScope, call: CallId, added: Usage, ended_at_ms: i64) -> Answer<Vec<Fresh>> {
    let business = scope.business.0;
    // Two calls that end at once must not both see the month without the other: whoever holds the head counts alone.
    tx.read(sql::BUMP_EVENTS, args![business, 0_i64]).await?;
    let day = ended_at_ms.div_euclid(DAY_MS);
    let (calls, unanswered) = (to_i64(added.calls)?, to_i64(added.calls_unanswered)?);
    let args = args![business, day, calls, unanswered, to_i64(added.talk_ms)?, added.cost_usd_micros];
    tx.write(sql::ADD_USAGE, args).await?;
    let date = jiff::Timestamp::from_millisecond(ended_at_ms).unwrap_or_default();
    let date = date.to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = day - i64::from(date.day()) + 1;
    let last = first + i64::from(date.days_in_month()) - 1;
    let rows = tx.read(sql::USAGE, args![business, first, last]).await?;
    let mut month = Usage::default();
    for row in &rows {
        month += read_usage(row)?;
    }
    let facts = UsageFacts { day: date.to_string(), added, month };
    let mut fresh = vec![Fresh::new(EventKind::UsageRecorded, call.0, &facts)?];
    let row = tx.read_one(sql::SUBSCRIPTION, args![business]).await?;
    let limit: Option<u64> = row.map(|row| row.get("calls_month")).transpose()?.flatten();
    for percent in limit.into_iter().flat_map(|limit| alerts(month.calls - added.calls, month.calls, limit)) {
        let facts = AlertFacts {
            metric: "calls_month".into(),
            percent,
            used: month.calls,
            limit: limit.unwrap_or_default(),
            month: date.strftime("%Y-%m").to_string(),
        };
        fresh.push(Fresh::new(EventKind::UsageAlert, business, &facts)?);
        let payload = serde_json::to_value(&facts).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let at_ms = wall_ms();
        let told = NewJob { business: Some(scope.business), ..NewJob::now(ALERT_MAIL_JOB, payload, at_ms) };
        super::jobs::insert(tx, &told, at_ms).await?;
    }
    Ok(fresh)
}

/// Takes the words of a call out of what was told about it, and tells that they are gone.
pub(super) async fn forget_words(tx: &mut Tx, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()> {
    for statement in [sql::ERASE_TURN_EVENTS, sql::ERASE_TURN_DELIVERIES] {
        tx.write(statement, args![scope.business.0, call.0]).await?;
    }
    write(tx, scope, &[Fresh::bare(EventKind::CallForgotten, call.0)], at_ms).await.map(drop)
}

/// Takes a call out of what was told, and tells that it is gone.
pub(super) async fn forget_call(tx: &mut Tx, scope: &TenantScope, call: CallId) -> Answer<()> {
    for statement in [sql::ERASE_EVENTS, sql::ERASE_DELIVERIES] {
        tx.write(statement, args![scope.business.0, call.0]).await?;
    }
    write(tx, scope, &[Fresh::bare(EventKind::CallDeleted, call.0)], wall_ms()).await.map(drop)
}

pub(super) fn read_usage(row: &DbRow) -> Answer<Usage> {
    Ok(Usage {
        calls: row.get("calls")?,
        calls_unanswered: row.get("calls_unanswered")?,
        talk_ms: row.get("talk_ms")?,
        cost_usd_micros: row.get("cost_usd_micros")?,
    })
}

pub(super) fn read_event(row: &DbRow) -> Answer<Event> {
    Ok(Event {
        seq: row.get("seq")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        at_ms: row.get("at_ms")?,
        data: row.json("data")?,
    })
}

#[async_trait]
impl Events for SqlStore {
    fn event_bell(&self) -> broadcast::Receiver<BusinessId> {
        self.bells.events.subscribe()
    }

    async fn emit(&self, scope: &TenantScope, kind: EventKind, subject: Uuid, data: &Value, at_ms: i64) -> Answer<u64> {
        let fresh = [Fresh::new(kind, subject, data)?];
        let mut tx = self.db.begin(scope).await?;
        let seq = write(&mut tx, scope, &fresh, at_ms).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(seq)
    }

    async fn event_range(&self, scope: &TenantScope) -> Answer<EventRange> {
        let row = self.db.read_one(scope, sql::EVENT_RANGE, args![scope.business.0]).await?;
        let Some(row) = row else { return Ok(EventRange::default()) };
        Ok(EventRange { floor: row.get("floor")?, head: row.get("seq")? })
    }

    async fn events_after(&self, scope: &TenantScope, after: u64, rows_max: u32) -> Answer<Vec<Event>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let rows = self.db.read(scope, sql::EVENTS_AFTER, args![scope.business.0, after, rows_max]).await?;
        rows.iter().map(read_event).collect()
    }

    async fn snapshot(&self, scope: &TenantScope) -> Answer<Snapshot> {
        let calls_max = to_i64(limits::SNAPSHOT_CALLS_MAX as u64)? + 1;
        let turns_max = to_i64(limits::SNAPSHOT_TURNS_MAX as u64)?;
        let rows = self.db.read(scope, sql::SNAPSHOT, args![scope.business.0, calls_max, turns_max]).await?;
        read_snapshot(&rows)
    }

    async fn prune_events(&self, before_ms: i64, kept_max: u64) -> Answer<u64> {
        let mut pruned = 0;
        let mut after = Uuid::nil();
        loop {
            let across = Db::across("events of all businesses grow old");
            let heads = self.db.read(across, sql::EVENT_HEADS, args![after, crate::db::PAGE]).await?;
            let Some(last) = heads.last() else { return Ok(pruned) };
            after = last.get("business")?;
            for head in &heads {
                let scope = TenantScope { business: BusinessId(head.get("business")?) };
                pruned +=
                    self.prune_business(&scope, head.get("seq")?, head.get("floor")?, before_ms, kept_max).await?;
            }
        }
    }
}

impl SqlStore {
    async fn prune_business(
        &self,
        scope: &TenantScope,
        head: u64,
        floor: u64,
        before_ms: i64,
        kept_max: u64,
    ) -> Answer<u64> {
        let business = scope.business.0;
        let last = to_i64(floor + u64::from(limits::PRUNE_ROWS_MAX))?;
        let too_many = to_i64(head.saturating_sub(kept_max))?;
        let args = args![business, to_i64(floor)?, last, before_ms, too_many];
        let Some(row) = self.db.read_one(scope, sql::EVENTS_TO_PRUNE, args).await? else { return Ok(0) };
        let upto: i64 = row.get("seq")?;
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::RAISE_FLOOR, args![business, upto]).await?;
        let gone = tx.write(sql::PRUNE_EVENTS, args![business, upto]).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

fn read_snapshot(rows: &[DbRow]) -> Answer<Snapshot> {
    let mut snapshot = Snapshot::default();
    for row in rows {
        snapshot.seq = row.get::<Option<u64>>("head")?.unwrap_or_default();
        let Some(id) = row.get::<Option<Uuid>>("id")? else { break };
        if snapshot.calls.last().is_none_or(|call| call.facts.id.0 != id) {
            if snapshot.calls.len() == limits::SNAPSHOT_CALLS_MAX {
                snapshot.truncated = true;
                break;
            }
            let held_by: Option<String> = row.get("held_by")?;
            let holder = held_by.map(|by| Holder { by: Some(by).filter(|by| !by.is_empty()) });
            let since_ms: Option<i64> = row.get("waiting_since_ms")?;
            let reason = row.get::<Option<String>>("waiting_reason")?.unwrap_or_default();
            let waiting = since_ms.map(|since_ms| Wait { since_ms, reason });
            let facts = CallFacts::from(&read_call(row)?);
            snapshot.calls.push(LiveCall { facts, holder, waiting, turns: Vec::new() });
        }
        let said = row.get::<Option<u64>>("said_seq")?;
        if let (Some(seq), Some(call)) = (said, snapshot.calls.last_mut()) {
            call.turns.push(TurnFacts {
                call: CallId(id),
                seq,
                turn: TurnId(row.get("said_turn")?),
                role: row.word("said_role")?,
                text: Pii::new(row.get("said_text")?),
                complete: row.get("said_complete")?,
                at_call_ms: row.get("said_at_ms")?,
                sentiment: row.get::<Option<i64>>("said_sentiment")?.map(of_hundredths),
            });
        }
    }
    Ok(snapshot)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
