//! Requests that must have one effect however often they are sent, by the key that their client gave them.

use super::Answer;
use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};

/// A request as its client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestName {
    /// Whose business.
    pub scope: TenantScope,
    /// Who asks: two of them may use the same key.
    pub actor: String,
    /// The client's key.
    pub key: String,
}

/// What beginning a request found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is new: do it, then keep its answer or release it.
    First,
    /// The same request has been answered.
    Answered(KeptAnswer),
    /// The same request is being answered.
    Running,
    /// Another request has this key.
    Other,
}

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// The body: JSON or nothing.
    pub body: String,
}

/// What tells one request from another: SHA-256 over its parts, each with its length.
pub fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// Requests with a key. Answers are sealed: one may hold a secret that is shown once.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Takes the key, or says who has it. A key is free again after [`base::limits::IDEMPOTENCY_MS_MAX`], and after
    /// [`base::limits::IDEMPOTENCY_RUNNING_MS_MAX`] when nothing was answered.
    async fn begin_request(&self, name: &RequestName, hash: &[u8], at_ms: i64) -> Answer<Begun>;
    /// Keeps the answer.
    async fn keep_answer(&self, name: &RequestName, answer: &KeptAnswer) -> Answer<()>;
    /// Frees the key: the request had no effect.
    async fn release_request(&self, name: &RequestName) -> Answer<()>;
    /// Forgets requests from before this time and answers how many, at most a thousand at once.
    async fn prune_requests(&self, before_ms: i64) -> Answer<u64>;
}
