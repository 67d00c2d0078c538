//! What a store keeps of what agents are taught: the lesson as it is typed, and what was learned of it, in versions.

use crate::contract::Answer;
use async_trait::async_trait;
use base::AgentId;
use model::business::TenantScope;
use serde_json::Value;

/// What an agent is taught.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Intents with examples, entity types.
    pub draft: Value,
    /// The version that serves; 0: none.
    pub serving: u32,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// What was learned of a lesson.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// From 1.
    pub version: u32,
    /// The lesson.
    pub lesson: Value,
    /// Numbers of the classifier.
    pub model: Vec<u8>,
    /// The space that the vectors lie in which it was learned from.
    pub space: String,
    /// How well it tells intents apart.
    pub report: Value,
    /// Unix milliseconds.
    pub trained_at_ms: i64,
}

/// What agents are taught.
#[async_trait]
pub trait Trainings: Send + Sync {
    /// The lesson of an agent; absent when it has none.
    async fn lesson(&self, scope: &TenantScope, agent: AgentId) -> Answer<Option<Lesson>>;
    /// Keeps the lesson of an agent; what serves stays.
    async fn put_lesson(&self, scope: &TenantScope, agent: AgentId, draft: &Value, at_ms: i64) -> Answer<()>;
    /// Keeps what was learned as the next version, which serves from now on, and answers its number. Of each agent
    /// [`base::limits::TRAININGS_MAX`] are kept.
    async fn add_training(&self, scope: &TenantScope, agent: AgentId, training: &Training) -> Answer<u32>;
    /// Versions without their numbers, newest first.
    async fn trainings(&self, scope: &TenantScope, agent: AgentId) -> Answer<Vec<Training>>;
    /// One version.
    async fn training(&self, scope: &TenantScope, agent: AgentId, version: u32) -> Answer<Training>;
    /// Lets a version serve again. `false` when there is none.
    async fn serve_training(&self, scope: &TenantScope, agent: AgentId, version: u32) -> Answer<bool>;
}
