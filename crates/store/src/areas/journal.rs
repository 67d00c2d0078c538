//! Journals and recorded inputs.

use super::events::{self, Fresh};
use crate::args;
use crate::contract::{Answer, Inputs, Journal, WriterId};
use crate::db::{Args, Db, DbRow, PAGE, Reach, Tx, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::gather::Together;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{CallId, CallTime, JournalSeq, MessageId, TurnId};
use model::business::TenantScope;
use model::event::{EventKind, HoldFacts, QueueFacts, Speaker, TurnFacts, Wait};
use model::generation::Citation;
use model::journal::{Entry, Record, TurnLatency};
use model::statistics::{Counts, Waits, slot_of};
use uuid::Uuid;

/// The form in which entries are written. A reader that meets a higher one stops instead of guessing.
const VERSION: u32 = 1;

/// What of an entry belongs into the conversation.
struct Said<'a> {
    role: &'static str,
    turn: TurnId,
    text: &'a str,
    complete: bool,
    citations: &'a [Citation],
    latency: Option<&'a TurnLatency>,
    sentiment: Option<f64>,
}

fn said(entry: &Entry) -> Option<Said<'_>> {
    match entry {
        Entry::CallerTurn { turn, text, sentiment, .. } => Some(Said {
            role: "customer",
            turn: *turn,
            text: text.expose(),
            complete: true,
            citations: &[],
            latency: None,
            sentiment: *sentiment,
        }),
        Entry::PersonTurn { turn, text } => Some(Said {
            role: "person",
            turn: *turn,
            text: text.expose(),
            complete: true,
            citations: &[],
            latency: None,
            sentiment: None,
        }),
        // What the caller did not hear was not said.
        Entry::AgentTurn { turn, heard, complete, citations, latency, .. } if !heard.expose().is_empty() => {
            Some(Said {
                role: "agent",
                turn: *turn,
                text: heard.expose(),
                complete: *complete,
                citations,
                latency: latency.as_ref(),
                sentiment: None,
            })
        }
        _ => None,
    }
}

/// What the outside learns of it.
fn turn(call: CallId, record: &Record, said: &Said<'_>) -> TurnFacts {
    TurnFacts {
        call,
        seq: record.seq.0,
        turn: said.turn,
        role: match said.role {
            "customer" => Speaker::Customer,
            "person" => Speaker::Person,
            _ => Speaker::Agent,
        },
        text: said.text.into(),
        complete: said.complete,
        at_call_ms: record.at.0,
        sentiment: said.sentiment.map(in_hundredths).map(of_hundredths),
    }
}

/// Who has the call from here on, where that changes.
fn hold(call: CallId, record: &Record) -> Option<(EventKind, HoldFacts)> {
    let facts = HoldFacts { call, by: None, mode: None, reason: None, at_call_ms: record.at.0 };
    match &record.entry {
        Entry::TakenOver { by, mode, .. } => {
            Some((EventKind::CallTakenOver, HoldFacts { by: by.clone(), mode: Some(*mode), ..facts }))
        }
        Entry::HandedBack { reason } => Some((EventKind::CallHandedBack, HoldFacts { reason: Some(*reason), ..facts })),
        _ => None,
    }
}

/// Whether the caller waits from here on, where that changes: what their row says, and what the outside learns.
struct Queued<'a> {
    kind: EventKind,
    facts: QueueFacts,
    brief: Option<&'a str>,
}

fn queued(call: CallId, record: &Record, now_ms: i64) -> Option<Queued<'_>> {
    let at_call_ms = record.at.0;
    match &record.entry {
        Entry::Queued { reason, brief } => {
            let wait = Wait { since_ms: now_ms, reason: reason.clone() };
            let facts = QueueFacts { call, waiting: Some(wait), outcome: None, waited_ms: None, at_call_ms };
            Some(Queued {
                kind: EventKind::CallQueued,
                facts,
                brief: brief.as_ref().map(|brief| brief.expose().as_str()),
            })
        }
        Entry::LeftQueue { outcome, waited_ms } => {
            let (outcome, waited_ms) = (Some(*outcome), Some(*waited_ms));
            let facts = QueueFacts { call, waiting: None, outcome, waited_ms, at_call_ms };
            Some(Queued { kind: EventKind::CallLeftQueue, facts, brief: None })
        }
        _ => None,
    }
}

impl Queued<'_> {
    async fn write(&self, tx: &mut Tx, scope: &TenantScope) -> Answer<()> {
        let wait = self.facts.waiting.as_ref();
        let (since_ms, reason) = (wait.map(|wait| wait.since_ms), wait.map(|wait| wait.reason.as_str()));
        let args = args![scope.business.0, self.facts.call.0, since_ms, reason, self.brief];
        tx.write(sql::QUEUE_CALL, args).await.map(drop)
    }
}

/// Rows hold whole numbers.
fn in_hundredths(sentiment: f64) -> i64 {
    // Between -100 and 100.
    (sentiment.clamp(-1.0, 1.0) * 100.0).round() as i64
}

/// What a row says of it.
pub(super) fn of_hundredths(sentiment: i64) -> f64 {
    sentiment as f64 / 100.0
}

fn message<'a>(scope: &TenantScope, conversation: Uuid, record: &Record, said: &Said<'a>) -> Answer<Args<'a>> {
    Ok(args![
        MessageId::generate().0,
        scope.business.0,
        conversation,
        to_i64(record.seq.0)?,
        to_i64(said.turn.0)?,
        said.role,
        said.text,
        said.complete,
        to_json(&said.citations)?,
        said.latency.map(to_json).transpose()?,
        to_i64(record.at.0)?,
        said.sentiment.map(in_hundredths),
    ])
}

/// Entries of one call that are to be written behind `expected`.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    pub(crate) scope: TenantScope,
    pub(crate) call: CallId,
    pub(crate) writer: WriterId,
    pub(crate) expected: JournalSeq,
    pub(crate) records: Vec<Record>,
}

/// Where entries belong.
struct Place {
    conversation: Uuid,
    agent: Uuid,
}

impl Entries {
    /// The last entry's place, when they are written.
    fn end(&self) -> JournalSeq {
        JournalSeq(self.expected.0 + self.records.len() as u64)
    }

    /// Where they belong; `None` when they are there already.
    async fn place(&self, tx: &mut Tx) -> Answer<Option<Place>> {
        let (business, call) = (self.scope.business.0, self.call.0);
        let end = tx.read_one(sql::JOURNAL_END, args![business, call]).await?.ok_or(missing("call"))?;
        if end.get::<u64>("last")? == self.expected.0 {
            return Ok(Some(Place { conversation: end.get("conversation")?, agent: end.get("agent")? }));
        }
        let places = args![business, call, to_i64(self.expected.0)?, to_i64(self.end().0)?, self.writer.0];
        let row = tx.read_one(sql::JOURNAL_WRITTEN, places).await?;
        let ours: u64 = row.map_or(Ok(0), |row| row.get("count"))?;
        let repeated = !self.records.is_empty() && ours == self.records.len() as u64;
        if repeated { Ok(None) } else { Err(StoreError::Fenced) }
    }

    /// Writes them there. Answers whether there is something to tell.
    async fn write(&self, tx: &mut Tx, place: &Place) -> Answer<bool> {
        let (scope, call) = (&self.scope, self.call);
        let (mut entries, mut messages, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let mut waits = Waits::default();
        let (mut held_by, mut place_in_queue) = (None, None);
        let now_ms = events::wall_ms();
        for record in &self.records {
            let (seq, at_ms) = (to_i64(record.seq.0)?, to_i64(record.at.0)?);
            let entry = to_json(&record.entry)?;
            entries.push(args![call.0, seq, scope.business.0, at_ms, VERSION, self.writer.0, entry]);
            if let Some(said) = said(&record.entry) {
                said.latency.and_then(|latency| latency.heard_ms).into_iter().for_each(|ms| waits.add(ms));
                told.push(Fresh::turn(&turn(call, record, &said))?);
                messages.push(message(scope, place.conversation, record, &said)?);
            }
            if let Some((kind, facts)) = hold(call, record) {
                let is_taken = kind == EventKind::CallTakenOver;
                held_by = Some(is_taken.then(|| facts.by.clone().unwrap_or_default()));
                told.push(Fresh::new(kind, call.0, &facts)?);
            }
            if let Some(queued) = queued(call, record, now_ms) {
                told.push(Fresh::new(queued.kind, call.0, &queued.facts)?);
                place_in_queue = Some(queued);
            }
        }
        tx.write_many(sql::APPEND, entries).await?;
        if let Some(held_by) = held_by {
            tx.write(sql::HOLD_CALL, args![scope.business.0, call.0, held_by]).await?;
        }
        if let Some(queued) = place_in_queue {
            queued.write(tx, scope).await?;
        }
        tx.write_many(sql::INSERT_MESSAGE, messages).await?;
        let counts = Counts { waits, ..Counts::default() };
        super::desk::add_counts(tx, scope, place.agent, slot_of(now_ms), &counts).await?;
        events::write(tx, scope, &told, now_ms).await?;
        Ok(!told.is_empty())
    }
}

/// The reach of [`Together`].
pub(crate) const SEVERAL: Reach = Db::across("what live calls write, on an engine with one writer");

impl SqlStore {
    /// Writes entries that come alone.
    pub(crate) async fn write_entries(&self, entries: &Entries) -> Answer<JournalSeq> {
        let write = || async {
            let mut tx = self.db.begin(&entries.scope).await?;
            let Some(place) = entries.place(&mut tx).await? else { return Ok(entries.end()) };
            let is_told = entries.write(&mut tx, &place).await?;
            tx.commit().await?;
            if is_told {
                self.bells.ring_events(entries.scope.business);
            }
            Ok(entries.end())
        };
        match self.db.retrying(write).await {
            // Somebody wrote these places since they were looked at. Looking again tells whether it was we.
            Err(StoreError::Conflict(_)) => self.db.retrying(write).await,
            done => done,
        }
    }

    /// Writes what several calls have, in one transaction: all of it happens or nothing does. What does not belong where it
    /// is to go says so in its own answer and leaves the others alone.
    pub(crate) async fn write_together(&self, all: &[Together]) -> Answer<Vec<Answer<JournalSeq>>> {
        let mut tx = self.db.begin(SEVERAL).await?;
        let (mut answers, mut told, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
        for one in all {
            answers.push(match one {
                Together::Inputs(rows) => {
                    inputs.extend(rows.iter().cloned());
                    Ok(JournalSeq(0))
                }
                Together::Entries(entries) => match entries.place(&mut tx).await {
                    Ok(Some(place)) => {
                        if entries.write(&mut tx, &place).await? {
                            told.push(entries.scope.business);
                        }
                        Ok(entries.end())
                    }
                    Ok(None) => Ok(entries.end()),
                    Err(error @ (StoreError::Fenced | StoreError::NotFound(_))) => Err(error),
                    Err(error) => return Err(error),
                },
            });
        }
        tx.write_many(sql::APPEND_INPUT, inputs).await?;
        tx.commit().await?;
        told.sort_unstable();
        told.dedup();
        told.into_iter().for_each(|business| self.bells.ring_events(business));
        Ok(answers)
    }

    /// Writes sealed inputs that come alone.
    pub(crate) async fn write_inputs(&self, reach: impl Into<Reach>, rows: Vec<Args<'static>>) -> Answer<()> {
        let mut tx = self.db.begin(reach).await?;
        tx.write_many(sql::APPEND_INPUT, rows).await?;
        tx.commit().await
    }

    fn input_seal(&self, scope: &TenantScope, call: CallId) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "recorded inputs", id: call.0 })
    }
}

fn read_record(row: &DbRow) -> Answer<Record> {
    let version: u32 = row.get("version")?;
    if version > VERSION {
        return Err(StoreError::Corrupt(format!("journal entries of version {version} are newer than this program")));
    }
    Ok(Record { seq: JournalSeq(row.get("seq")?), at: CallTime(row.get("at_ms")?), entry: row.json("entry")? })
}

#[async_trait]
impl Journal for SqlStore {
    async fn append(
        &self,
        scope: &TenantScope,
        call: CallId,
        writer: WriterId,
        expected: JournalSeq,
        records: &[Record],
    ) -> Answer<JournalSeq> {
        let in_order = (expected.0 + 1..).zip(records).all(|(seq, record)| record.seq.0 == seq);
        if !in_order {
            return Err(StoreError::Invalid("journal entries leave a gap"));
        }
        let entries = Entries { scope: *scope, call, writer, expected, records: records.to_vec() };
        match &self.db {
            Db::Sqlite(_) => self.gather(Together::Entries(entries)).await,
            Db::Postgres(_) => self.write_entries(&entries).await,
        }
    }

    async fn journal_after(&self, scope: &TenantScope, call: CallId, after: JournalSeq) -> Answer<Vec<Record>> {
        let args = args![scope.business.0, call.0, to_i64(after.0)?, PAGE];
        let rows = self.db.read(scope, sql::JOURNAL_AFTER, args).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        rows.iter().map(read_record).collect()
    }
}

#[async_trait]
impl Inputs for SqlStore {
    async fn append_inputs(&self, scope: &TenantScope, call: CallId, first: u64, lines: &[String]) -> Answer<()> {
        let seal = self.input_seal(scope, call);
        let line =
            |(seq, line): (u64, &String)| Ok(args![call.0, to_i64(seq)?, scope.business.0, seal.seal(seq, line)?]);
        let rows = (first..).zip(lines).map(line).collect::<Answer<Vec<_>>>()?;
        match &self.db {
            Db::Sqlite(_) => self.gather(Together::Inputs(rows)).await.map(drop),
            Db::Postgres(_) => self.write_inputs(scope, rows).await,
        }
    }

    async fn inputs(&self, scope: &TenantScope, call: CallId, from: u64) -> Answer<Vec<(u64, String)>> {
        let args = args![scope.business.0, call.0, to_i64(from)?, PAGE];
        let rows = self.db.read(scope, sql::INPUTS, args).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        let seal = self.input_seal(scope, call);
        let open = |row: &DbRow| {
            let seq: u64 = row.get("seq")?;
            Ok((seq, seal.open(seq, &row.get::<Vec<u8>>("sealed")?)?))
        };
        rows.iter().map(open).collect()
    }
}
