//! Numbers as people manage them: what they are called, where they lead while nobody is there.

use super::Answer;
use async_trait::async_trait;
use base::{AgentId, NumberId};
use model::business::{Number, TenantScope};
use model::hours::{HoursRoute, Overflow};

/// A number with all that is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The number and its agent.
    pub number: Number,
    /// What people call it.
    pub label: Option<String>,
    /// Where its calls go while nobody is there.
    pub hours: Option<HoursRoute>,
    /// Where they go when no line is free; absent: a busy signal.
    pub overflow: Option<Overflow>,
    /// From 1; one more with each change.
    pub version: u32,
}

/// Which numbers a list shows, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineFilter<'a> {
    /// That lead to this agent.
    pub agent: Option<AgentId>,
    /// Of this carrier.
    pub carrier: Option<&'a str>,
}

/// What became of the calls that a business placed over a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierFigures {
    /// Registry name.
    pub carrier: String,
    /// Calls that it was asked for.
    pub asked: u32,
    /// How many of them somebody picked up.
    pub answered: u32,
    /// How many of them it refused.
    pub refused: u32,
}

/// Numbers with their routes.
#[async_trait]
pub trait Lines: Send + Sync {
    /// Creates a number. `Conflict` when somebody has it already, `NotFound` when the agent is not the business's.
    async fn create_line(&self, scope: &TenantScope, line: &LineRow) -> Answer<()>;
    /// One number.
    async fn line(&self, scope: &TenantScope, id: NumberId) -> Answer<LineRow>;
    /// Numbers after this one, at most `rows_max`.
    async fn lines(
        &self,
        scope: &TenantScope,
        filter: LineFilter<'_>,
        after: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<LineRow>>;
    /// Changes a number and answers its version. With `expected`, a `Conflict` unless that is the version now.
    async fn update_line(&self, scope: &TenantScope, line: &LineRow, expected: Option<u32>) -> Answer<u32>;
    /// What became of calls that were placed since then to numbers that begin like this, by carrier, in order of its name.
    async fn outgoing_figures(&self, scope: &TenantScope, prefix: &str, since_ms: i64) -> Answer<Vec<CarrierFigures>>;
    /// Deletes a number. `false` when there is none, `Conflict` when it is not at the version that is expected.
    async fn delete_line(&self, scope: &TenantScope, id: NumberId, expected: Option<u32>) -> Answer<bool>;
}
