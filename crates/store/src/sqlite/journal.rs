//! Journals and recorded inputs.

use super::{PAGE, SqliteStore, Write, from_json, get, map_error, missing, sql, to_i64, to_json, to_u64, within};
use crate::contract::{Answer, Inputs, Journal, WriterId};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use async_trait::async_trait;
use base::{CallId, CallTime, JournalSeq, MessageId, TurnId};
use model::business::TenantScope;
use model::generation::Citation;
use model::journal::{Entry, Record, TurnLatency};
use sqlx::query;
use sqlx::sqlite::SqliteRow;
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

async fn write_message(
    write: &mut Write,
    scope: &TenantScope,
    conversation: Uuid,
    record: &Record,
    said: Said<'_>,
) -> Answer<()> {
    let insert = query(sql::INSERT_MESSAGE)
        .bind(MessageId::generate().0)
        .bind(scope.business.0)
        .bind(conversation)
        .bind(to_i64(record.seq.0)?)
        .bind(to_i64(said.turn.0)?)
        .bind(said.role)
        .bind(said.text)
        .bind(said.complete)
        .bind(to_json(&said.citations)?)
        .bind(said.latency.map(to_json).transpose()?)
        .bind(to_i64(record.at.0)?);
    insert.execute(&mut **write).await.map_err(map_error)?;
    Ok(())
}

impl SqliteStore {
    async fn write_records(
        &self,
        scope: &TenantScope,
        call: CallId,
        writer: WriterId,
        expected: JournalSeq,
        records: &[Record],
    ) -> Answer<JournalSeq> {
        let mut write = self.begin().await?;
        let find = query(sql::JOURNAL_END).bind(scope.business.0).bind(call.0);
        let end = find.fetch_optional(&mut *write).await.map_err(map_error)?.ok_or(missing("call"))?;
        let conversation: Uuid = get(&end, "conversation")?;
        let last = JournalSeq(to_u64(get(&end, "last")?)?);
        let wanted = JournalSeq(expected.0 + records.len() as u64);
        if last != expected {
            let count = query(sql::JOURNAL_WRITTEN).bind(call.0).bind(to_i64(expected.0)?).bind(to_i64(wanted.0)?);
            let row = count.bind(writer.0).fetch_one(&mut *write).await.map_err(map_error)?;
            let ours: i64 = get(&row, "count")?;
            let repeated = !records.is_empty() && ours == to_i64(records.len() as u64)?;
            return if repeated { Ok(wanted) } else { Err(StoreError::Fenced) };
        }
        for record in records {
            let append = query(sql::APPEND)
                .bind(call.0)
                .bind(to_i64(record.seq.0)?)
                .bind(scope.business.0)
                .bind(to_i64(record.at.0)?)
                .bind(VERSION)
                .bind(writer.0)
                .bind(to_json(&record.entry)?);
            append.execute(&mut *write).await.map_err(map_error)?;
            if let Some(said) = said(&record.entry) {
                write_message(&mut write, scope, conversation, record, said).await?;
            }
        }
        write.commit().await.map_err(map_error)?;
        Ok(wanted)
    }

    fn input_seal(&self, scope: &TenantScope, call: CallId) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "recorded inputs", id: call.0 })
    }

    async fn write_inputs(&self, scope: &TenantScope, call: CallId, first: u64, lines: &[String]) -> Answer<()> {
        let seal = self.input_seal(scope, call);
        let sealed: Vec<(u64, Vec<u8>)> =
            (first..).zip(lines).map(|(seq, line)| Ok((seq, seal.seal(seq, line)?))).collect::<Answer<_>>()?;
        let mut write = self.begin().await?;
        for (seq, line) in sealed {
            let add = query(sql::APPEND_INPUT).bind(call.0).bind(to_i64(seq)?).bind(scope.business.0).bind(line);
            add.execute(&mut *write).await.map_err(map_error)?;
        }
        write.commit().await.map_err(map_error)
    }
}

fn read_record(row: &SqliteRow) -> Answer<Record> {
    let version: u32 = get(row, "version")?;
    if version > VERSION {
        return Err(StoreError::Corrupt(format!("journal entries of version {version} are newer than this program")));
    }
    Ok(Record {
        seq: JournalSeq(to_u64(get(row, "seq")?)?),
        at: CallTime(to_u64(get(row, "at_ms")?)?),
        entry: from_json("journal entry", get(row, "entry")?)?,
    })
}

#[async_trait]
impl Journal for SqliteStore {
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
        within(self.write_records(scope, call, writer, expected, records)).await
    }

    async fn journal_after(&self, scope: &TenantScope, call: CallId, after: JournalSeq) -> Answer<Vec<Record>> {
        let find = query(sql::JOURNAL_AFTER).bind(scope.business.0).bind(call.0).bind(to_i64(after.0)?).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        rows.iter().map(read_record).collect()
    }
}

#[async_trait]
impl Inputs for SqliteStore {
    async fn append_inputs(&self, scope: &TenantScope, call: CallId, first: u64, lines: &[String]) -> Answer<()> {
        within(self.write_inputs(scope, call, first, lines)).await
    }

    async fn inputs(&self, scope: &TenantScope, call: CallId, from: u64) -> Answer<Vec<(u64, String)>> {
        let find = query(sql::INPUTS).bind(scope.business.0).bind(call.0).bind(to_i64(from)?).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        if rows.is_empty() {
            self.need_call(scope, call).await?;
        }
        let seal = self.input_seal(scope, call);
        let open = |row: &SqliteRow| {
            let seq = to_u64(get(row, "seq")?)?;
            Ok((seq, seal.open(seq, get(row, "sealed")?)?))
        };
        rows.iter().map(open).collect()
    }
}
