//! What agents are taught, and what they learned of it.

use crate::args;
use crate::contract::Answer;
use crate::db::{DbRow, PAGE, missing, to_json};
use crate::sql;
use crate::sql_store::SqlStore;
use crate::training::{Lesson, Training, Trainings};
use async_trait::async_trait;
use base::{AgentId, limits};
use model::business::TenantScope;
use serde_json::Value;

fn read(row: &DbRow, model: Vec<u8>) -> Answer<Training> {
    Ok(Training {
        version: row.get("version")?,
        lesson: row.json("lesson")?,
        model,
        space: row.get("space")?,
        report: row.json("report")?,
        trained_at_ms: row.get("trained_at_ms")?,
    })
}

#[async_trait]
impl Trainings for SqlStore {
    async fn lesson(&self, scope: &TenantScope, agent: AgentId) -> Answer<Option<Lesson>> {
        let Some(row) = self.db.read_one(scope, sql::AGENT_LESSON, args![scope.business.0, agent.0]).await? else {
            return Ok(None);
        };
        Ok(Some(Lesson {
            draft: row.json("draft")?,
            serving: row.get("serving")?,
            updated_at_ms: row.get("updated_at_ms")?,
        }))
    }

    async fn put_lesson(&self, scope: &TenantScope, agent: AgentId, draft: &Value, at_ms: i64) -> Answer<()> {
        let args = args![scope.business.0, agent.0, to_json(draft)?, at_ms];
        self.db.write(scope, sql::PUT_AGENT_LESSON, args).await.map(drop)
    }

    async fn add_training(&self, scope: &TenantScope, agent: AgentId, training: &Training) -> Answer<u32> {
        let (business, agent) = (scope.business.0, agent.0);
        let (lesson, report) = (to_json(&training.lesson)?, to_json(&training.report)?);
        let mut tx = self.db.begin(scope).await?;
        tx.read_one(sql::AGENT_LESSON_TO_CHANGE, args![business, agent]).await?.ok_or(missing("lesson"))?;
        let last = tx.read_one(sql::LAST_AGENT_TRAINING, args![business, agent]).await?;
        let version = last.ok_or(missing("training"))?.get::<u32>("version")? + 1;
        let (model, space) = (training.model.as_slice(), training.space.as_str());
        let args = args![business, agent, version, lesson, model, space, report, training.trained_at_ms];
        tx.write(sql::INSERT_AGENT_TRAINING, args).await?;
        let old = version.saturating_sub(limits::TRAININGS_MAX);
        tx.write(sql::PRUNE_AGENT_TRAININGS, args![business, agent, old]).await?;
        tx.write(sql::SERVE_AGENT_TRAINING, args![business, agent, version]).await?;
        tx.commit().await?;
        Ok(version)
    }

    async fn trainings(&self, scope: &TenantScope, agent: AgentId) -> Answer<Vec<Training>> {
        let rows = self.db.read(scope, sql::AGENT_TRAININGS, args![scope.business.0, agent.0, PAGE]).await?;
        rows.iter().map(|row| read(row, Vec::new())).collect()
    }

    async fn training(&self, scope: &TenantScope, agent: AgentId, version: u32) -> Answer<Training> {
        let args = args![scope.business.0, agent.0, version];
        let row = self.need(scope, "training", sql::AGENT_TRAINING, args).await?;
        read(&row, row.get("model")?)
    }

    async fn serve_training(&self, scope: &TenantScope, agent: AgentId, version: u32) -> Answer<bool> {
        let (business, agent) = (scope.business.0, agent.0);
        let mut tx = self.db.begin(scope).await?;
        if tx.read_one(sql::AGENT_TRAINING_EXISTS, args![business, agent, version]).await?.is_none() {
            return Ok(false);
        }
        tx.write(sql::SERVE_AGENT_TRAINING, args![business, agent, version]).await?;
        tx.commit().await?;
        Ok(true)
    }
}
