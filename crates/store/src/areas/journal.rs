//! Journals and recorded inputs.

use super::events::{self, Fresh};
use crate::args;
use crate::contract::{Answer, Inputs, Journal, WriterId};
use crate::db::{Args, DbRow, PAGE, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{CallId, CallTime, JournalSeq, MessageId, TurnId};
use model::business::TenantScope;
use model::event::{EventKind, HoldFacts, Speaker, TurnFacts};
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
}

fn said(entry: &Entry) -> Option<Said<'_>> {
    match entry {
        Entry::CallerTurn { turn, text, .. } => Some(Said {
            role: "customer",
            turn: *turn,
            text: text.expose(),
            complete: true,
            citations: &[],
            latency: None,
        }),
        Entry::PersonTurn { turn, text } => Some(Said {
            role: "person",
            turn: *turn,
            text: text.expose(),
            complete: true,
            citations: &[],
            latency: None,
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
    ])
}

impl SqlStore {
    async fn write_records(
        &self,
        scope: &TenantScope,
        call: CallId,
        writer: WriterId,
        expected: JournalSeq,
        records: &[Record],
    ) -> Answer<JournalSeq> {
        let mut tx = self.db.begin(scope).await?;
        let end = tx.read_one(sql::JOURNAL_END, args![scope.business.0, call.0]).await?.ok_or(missing("call"))?;
        let (conversation, agent): (Uuid, Uuid) = (end.get("conversation")?, end.get("agent")?);
        let last = JournalSeq(end.get("last")?);
        let wanted = JournalSeq(expected.0 + records.len() as u64);
        if last != expected {
            let places = args![scope.business.0, call.0, to_i64(expected.0)?, to_i64(wanted.0)?, writer.0];
            let row = tx.read_one(sql::JOURNAL_WRITTEN, places).await?;
            let ours: u64 = row.map_or(Ok(0), |row| row.get("count"))?;
            let repeated = !records.is_empty() && ours == records.len() as u64;
            return if repeated { Ok(wanted) } else { Err(StoreError::Fenced) };
        }
        let (mut entries, mut messages, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let mut waits = Waits::default();
        for record in records {
            let (seq, at_ms) = (to_i64(record.seq.0)?, to_i64(record.at.0)?);
            let entry = to_json(&record.entry)?;
            entries.push(args![call.0, seq, scope.business.0, at_ms, VERSION, writer.0, entry]);
            if let Some(said) = said(&record.entry) {
                said.latency.and_then(|latency| latency.heard_ms).into_iter().for_each(|ms| waits.add(ms));
                told.push(Fresh::turn(&turn(call, record, &said))?);
                messages.push(message(scope, conversation, record, &said)?);
            }
            if let Some((kind, facts)) = hold(call, record) {
                told.push(Fresh::new(kind, call.0, &facts)?);
            }
        }
        tx.write_many(sql::APPEND, entries).await?;
        tx.write_many(sql::INSERT_MESSAGE, messages).await?;
        let now_ms = events::wall_ms();
        let counts = Counts { waits, ..Counts::default() };
        super::desk::add_counts(&mut tx, scope, agent, slot_of(now_ms), &counts).await?;
        events::write(&mut tx, scope, &told, now_ms).await?;
        tx.commit().await?;
        if !told.is_empty() {
            self.bells.ring_events(scope.business);
        }
        Ok(wanted)
    }

    fn input_seal(&self, scope: &TenantScope, call: CallId) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "recorded inputs", id: call.0 })
    }

    async fn write_inputs(&self, scope: &TenantScope, call: CallId, first: u64, lines: &[String]) -> Answer<()> {
        let seal = self.input_seal(scope, call);
        let line =
            |(seq, line): (u64, &String)| Ok(args![call.0, to_i64(seq)?, scope.business.0, seal.seal(seq, line)?]);
        let sealed = (first..).zip(lines).map(line).collect::<Answer<Vec<_>>>()?;
        let mut tx = self.db.begin(scope).await?;
        tx.write_many(sql::APPEND_INPUT, sealed).await?;
        tx.commit().await
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
        let write = || self.write_records(scope, call, writer, expected, records);
        match self.db.retrying(write).await {
            // Somebody wrote these places since they were looked at. Looking again tells whether it was we.
            Err(StoreError::Conflict(_)) => self.db.retrying(write).await,
            done => done,
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
        self.write_inputs(scope, call, first, lines).await
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
