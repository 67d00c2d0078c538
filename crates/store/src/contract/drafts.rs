//! How an agent comes to be: a draft that people edit, versions that were published, and whether it answers at all.
//!
//! [`super::Agents`] sees what was published last, which is what calls run on. A draft becomes a version by being published,
//! and a version never changes.

use super::{Answer, VersionedAgent};
use async_trait::async_trait;
use base::AgentId;
use model::agent::{Agent, AgentStatus};
use model::business::TenantScope;

/// An agent as people edit it.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftedAgent {
    /// As it would be published now.
    pub draft: Agent,
    /// As calls see it; `None`: it was never published.
    pub published: Option<Agent>,
    /// The last published version; 0: none.
    pub version: u32,
    /// Counts every change of draft, status or version.
    pub revision: u32,
    /// Whether it answers.
    pub status: AgentStatus,
    /// Unix milliseconds of the last change; 0: before that was written down.
    pub updated_at_ms: i64,
}

impl DraftedAgent {
    /// Whether the draft differs from what was published.
    pub fn is_changed(&self) -> bool {
        self.published.as_ref() != Some(&self.draft)
    }
}

/// One published version.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentVersion {
    /// From 1.
    pub version: u32,
    /// The agent as it was published.
    pub agent: Agent,
    /// What the publisher said about it.
    pub note: Option<String>,
    /// Who published it.
    pub published_by: Option<String>,
    /// Unix milliseconds; 0: before that was written down.
    pub published_at_ms: i64,
}

/// Who publishes what, and when.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// What is said about it.
    pub note: Option<&'a str>,
    /// Who.
    pub by: &'a str,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// Which agents a list shows, in the order of their short names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentFilter {
    /// With this status; without: all but archived ones.
    pub status: Option<AgentStatus>,
    /// Whose short name holds this.
    pub words: Option<String>,
    /// From the end of the alphabet.
    pub descending: bool,
}

/// Drafts and versions of agents. With `expected`, a change is a `Conflict` unless that is the revision now.
#[async_trait]
pub trait Drafts: Send + Sync {
    /// Creates an agent that nobody has published. `Conflict` when the short name is taken.
    async fn create_draft(&self, scope: &TenantScope, agent: &Agent, at_ms: i64) -> Answer<DraftedAgent>;
    /// One agent, also an archived one.
    async fn drafted(&self, scope: &TenantScope, id: AgentId) -> Answer<DraftedAgent>;
    /// Agents after this short name, at most `rows_max`.
    async fn drafted_agents(
        &self,
        scope: &TenantScope,
        filter: &AgentFilter,
        after_slug: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<DraftedAgent>>;
    /// Changes the draft. `Conflict` when the agent is archived or the short name is taken.
    async fn put_draft(
        &self,
        scope: &TenantScope,
        agent: &Agent,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<DraftedAgent>;
    /// Publishes the draft as a new version.
    async fn publish(
        &self,
        scope: &TenantScope,
        id: AgentId,
        expected: Option<u32>,
        publication: Publication<'_>,
    ) -> Answer<DraftedAgent>;
    /// Publishes an old version anew; the draft becomes the same. `NotFound` when there is no such version.
    async fn roll_back(
        &self,
        scope: &TenantScope,
        id: AgentId,
        version: u32,
        expected: Option<u32>,
        publication: Publication<'_>,
    ) -> Answer<DraftedAgent>;
    /// Says whether it answers. `Conflict` when numbers lead to an agent that is to be archived.
    async fn set_agent_status(
        &self,
        scope: &TenantScope,
        id: AgentId,
        status: AgentStatus,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<DraftedAgent>;
    /// Published versions below this one, newest first, at most `rows_max`.
    async fn agent_versions(
        &self,
        scope: &TenantScope,
        id: AgentId,
        below: Option<u32>,
        rows_max: u32,
    ) -> Answer<Vec<AgentVersion>>;
    /// One published version.
    async fn agent_version(&self, scope: &TenantScope, id: AgentId, version: u32) -> Answer<AgentVersion>;
    /// The agent as it was when a call began, for a process that goes on with it.
    async fn agent_of_call(&self, scope: &TenantScope, call: base::CallId) -> Answer<VersionedAgent>;
}
