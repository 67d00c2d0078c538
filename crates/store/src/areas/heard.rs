//! Recorded calls that were heard for what they teach, and what they propose.

use super::knowledge_work::page_of;
use crate::args;
use crate::contract::{Answer, Cursor, Page};
use crate::db::{Db, DbRow, PAGE, Reach, Tx, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::heard::{HeardCall, HeardCalls, Proposal, ProposalState};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, limits};
use model::business::TenantScope;
use uuid::Uuid;

/// What is past its time goes for all businesses.
const RETENTION: Reach = Db::across("transcripts of all businesses are deleted when their time is over");

fn read_call(row: &DbRow) -> Answer<HeardCall> {
    Ok(HeardCall {
        id: row.get("id")?,
        name: row.get("name")?,
        sha256: row.get("sha256")?,
        duration_ms: row.get("duration_ms")?,
        utterances: Vec::new(),
        left_out: row.json("left_out")?,
        at_ms: row.get("at_ms")?,
    })
}

fn read_proposal(row: &DbRow) -> Answer<Proposal> {
    Ok(Proposal {
        id: row.get("id")?,
        heard: row.get("heard")?,
        source: row.get("source")?,
        from_ms: row.get("from_ms")?,
        question: row.get("question")?,
        answer: row.get("answer")?,
        state: row.word("state")?,
        space: row.get("space")?,
        vector: row.get("vector")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

/// Open proposals go with their call; those that were decided on stay, without it.
async fn delete_call(tx: &mut Tx, business: Uuid, id: Uuid) -> Answer<bool> {
    tx.write(sql::DELETE_PROPOSALS_OF_CALL, args![business, id]).await?;
    tx.write(sql::CUT_PROPOSALS_OF_CALL, args![business, id]).await?;
    Ok(tx.write(sql::DELETE_HEARD_CALL, args![business, id]).await? > 0)
}

#[async_trait]
impl HeardCalls for SqlStore {
    async fn keep_heard_call(&self, scope: &TenantScope, call: &HeardCall, proposals: &[Proposal]) -> Answer<bool> {
        let business = scope.business.0;
        let (utterances, left_out) = (to_json(&call.utterances)?, to_json(&call.left_out)?);
        let mut tx = self.db.begin(scope).await?;
        let (name, sha256, duration_ms) = (call.name.as_str(), call.sha256.as_str(), to_i64(call.duration_ms)?);
        let args = args![call.id, business, name, sha256, duration_ms, utterances, left_out, call.at_ms];
        if tx.write(sql::INSERT_HEARD_CALL, args).await? == 0 {
            return Ok(false);
        }
        let row = |one: &Proposal| {
            args![
                one.id,
                business,
                one.heard,
                one.source.clone(),
                one.from_ms,
                one.question.clone(),
                one.answer.clone(),
                one.state.name(),
                one.space.clone(),
                one.vector.clone(),
                one.created_at_ms
            ]
        };
        tx.write_many(sql::INSERT_PROPOSAL, proposals.iter().map(row).collect()).await?;
        let kept = to_i64(limits::HEARD_CALLS_MAX as u64)?;
        for row in tx.read(sql::HEARD_CALLS_TOO_MANY, args![business, kept]).await? {
            delete_call(&mut tx, business, row.get("id")?).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn heard_call(&self, scope: &TenantScope, id: Uuid) -> Answer<HeardCall> {
        let row = self.need(scope, "recording", sql::HEARD_CALL, args![scope.business.0, id]).await?;
        Ok(HeardCall { utterances: row.json("utterances")?, ..read_call(&row)? })
    }

    async fn heard_call_of(&self, scope: &TenantScope, sha256: &str) -> Answer<Option<Uuid>> {
        let row = self.db.read_one(scope, sql::HEARD_CALL_OF, args![scope.business.0, sha256]).await?;
        row.map(|row| row.get("id")).transpose()
    }

    async fn heard_calls(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<HeardCall>> {
        let place = |one: &HeardCall| Cursor { at_ms: one.at_ms, id: one.id };
        self.newest(scope, sql::HEARD_CALLS, after, rows_max, read_call, place).await
    }

    async fn delete_heard_call(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        let mut tx = self.db.begin(scope).await?;
        let gone = delete_call(&mut tx, scope.business.0, id).await?;
        tx.commit().await?;
        Ok(gone)
    }

    async fn forget_heard_calls(&self, scope: &TenantScope, before_ms: i64) -> Answer<usize> {
        let rows = self.db.read(scope, sql::HEARD_CALLS_BEFORE, args![scope.business.0, before_ms, PAGE]).await?;
        for row in &rows {
            self.delete_heard_call(scope, row.get("id")?).await?;
        }
        Ok(rows.len())
    }

    async fn businesses_of_heard_calls(&self, before_ms: i64) -> Answer<Vec<TenantScope>> {
        let rows = self.db.read(RETENTION, sql::BUSINESSES_OF_HEARD_CALLS, args![before_ms, PAGE]).await?;
        rows.iter().map(|row| Ok(TenantScope { business: BusinessId(row.get("business")?) })).collect()
    }

    async fn proposal(&self, scope: &TenantScope, id: Uuid) -> Answer<Proposal> {
        read_proposal(&self.need(scope, "proposal", sql::PROPOSAL, args![scope.business.0, id]).await?)
    }

    async fn proposals(
        &self,
        scope: &TenantScope,
        state: ProposalState,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Proposal>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![scope.business.0, state.name(), after.at_ms, after.id, rows_max + 1];
        let place = |one: &Proposal| Cursor { at_ms: one.created_at_ms, id: one.id };
        page_of(&self.db.read(scope, sql::PROPOSALS, args).await?, rows_max, read_proposal, place)
    }

    async fn change_proposal(
        &self,
        scope: &TenantScope,
        id: Uuid,
        question: &str,
        answer: &str,
        at_ms: i64,
    ) -> Answer<Proposal> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        tx.read_one(sql::PROPOSAL, args![business, id]).await?.ok_or(missing("proposal"))?;
        let changed = tx.read_one(sql::CHANGE_PROPOSAL, args![business, id, question, answer, at_ms]).await?;
        let changed = changed.ok_or_else(|| StoreError::Conflict("it was decided on already".into()))?;
        let changed = read_proposal(&changed)?;
        tx.commit().await?;
        Ok(changed)
    }

    async fn settle_proposals(
        &self,
        scope: &TenantScope,
        ids: &[Uuid],
        state: ProposalState,
        at_ms: i64,
    ) -> Answer<usize> {
        let mut tx = self.db.begin(scope).await?;
        let mut settled = 0;
        for id in ids {
            let changed = tx.write(sql::SETTLE_PROPOSAL, args![scope.business.0, *id, state.name(), at_ms]).await?;
            settled += usize::from(changed > 0);
        }
        tx.commit().await?;
        Ok(settled)
    }
}
