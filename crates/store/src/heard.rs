//! What a store keeps of recorded calls that were heard for what they teach: who said what, and the questions with answers that
//! are proposed to people. None of it serves before somebody accepts it.

use crate::contract::{Answer, Cursor, Page};
use async_trait::async_trait;
use base::Pii;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who speaks in a recorded call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Who called.
    Caller,
    /// Who answered, a person or not.
    Agent,
    /// One of them: both are on one channel, and voices are not told apart.
    Unknown,
}

impl Speaker {
    /// The word that is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Unknown => "unknown",
        }
    }
}

/// What somebody said without a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utterance {
    /// Who.
    pub speaker: Speaker,
    /// Milliseconds of the recording at its beginning.
    pub from_ms: u32,
    /// And at its end.
    pub to_ms: u32,
    /// The words.
    pub text: Pii<String>,
}

/// Questions with answers of a call that are not proposed, by their reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The documents, or an earlier proposal, have the question.
    pub known: u32,
    /// They hold personal data.
    pub personal: u32,
}

/// A recorded call that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardCall {
    /// Its id.
    pub id: Uuid,
    /// Name of the recording.
    pub name: String,
    /// Of the file, in hexadecimal digits.
    pub sha256: String,
    /// How long it lasts.
    pub duration_ms: u64,
    /// Who said what, in order; empty in lists.
    pub utterances: Vec<Utterance>,
    /// What is not proposed.
    pub left_out: LeftOut,
    /// Unix milliseconds when it was heard.
    pub at_ms: i64,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Nobody decided yet.
    Open,
    /// It became a document.
    Accepted,
    /// It is not wanted, and not proposed again.
    Rejected,
}

impl ProposalState {
    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// A question with its answer out of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Its id.
    pub id: Uuid,
    /// The call; absent when that was deleted.
    pub heard: Option<Uuid>,
    /// Name of the recording.
    pub source: String,
    /// Milliseconds of the recording at which it was asked.
    pub from_ms: u32,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// What became of it.
    pub state: ProposalState,
    /// The space that the vector lies in.
    pub space: String,
    /// Of the question as it was heard: 32-bit floats, little-endian.
    pub vector: Vec<u8>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// Recorded calls that were heard, and what they propose.
#[async_trait]
pub trait HeardCalls: Send + Sync {
    /// Keeps a call with its proposals, all or nothing. `false` when the same recording is kept already. Beyond
    /// [`base::limits::HEARD_CALLS_MAX`] the oldest calls go as if they were deleted.
    async fn keep_heard_call(&self, scope: &TenantScope, call: &HeardCall, proposals: &[Proposal]) -> Answer<bool>;
    /// One call.
    async fn heard_call(&self, scope: &TenantScope, id: Uuid) -> Answer<HeardCall>;
    /// The call of a recording with this digest.
    async fn heard_call_of(&self, scope: &TenantScope, sha256: &str) -> Answer<Option<Uuid>>;
    /// Newest first, after this place, without what was said.
    async fn heard_calls(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<HeardCall>>;
    /// Deletes a call and its open proposals; what was decided on stays, without its call. `false` when there is none.
    async fn delete_heard_call(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Deletes calls that were heard before this time, some at a time, and answers how many.
    async fn forget_heard_calls(&self, scope: &TenantScope, before_ms: i64) -> Answer<usize>;
    /// Businesses with calls that were heard before this time, some at a time.
    async fn businesses_of_heard_calls(&self, before_ms: i64) -> Answer<Vec<TenantScope>>;
    /// One proposal.
    async fn proposal(&self, scope: &TenantScope, id: Uuid) -> Answer<Proposal>;
    /// Newest first, after this place.
    async fn proposals(
        &self,
        scope: &TenantScope,
        state: ProposalState,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Proposal>>;
    /// Changes question and answer. `Conflict` when it was decided on already.
    async fn change_proposal(
        &self,
        scope: &TenantScope,
        id: Uuid,
        question: &str,
        answer: &str,
        at_ms: i64,
    ) -> Answer<Proposal>;
    /// Decides on open proposals; what was decided on stays as it is. Answers how many there were.
    async fn settle_proposals(
        &self,
        scope: &TenantScope,
        ids: &[Uuid],
        state: ProposalState,
        at_ms: i64,
    ) -> Answer<usize>;
}
