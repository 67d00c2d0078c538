//! Calls that are shown to whoever has a link, and notes on calls.

use super::Answer;
use crate::people::SecretHash;
use async_trait::async_trait;
use base::{CallId, Pii};
use model::business::TenantScope;
use uuid::Uuid;

/// A link to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its id.
    pub id: Uuid,
    /// What it shows.
    pub call: CallId,
    /// Whether the recording can be heard through it.
    pub recording: bool,
    /// Who made it, as `kind:id`.
    pub created_by: Option<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds from which on it leads nowhere.
    pub expires_at_ms: i64,
}

/// Links to calls. Of their tokens only hashes are kept.
#[async_trait]
pub trait Shares: Send + Sync {
    /// Makes a link. `NotFound` without the call, `Conflict` when it has [`base::limits::CALL_SHARES_MAX`] that hold.
    async fn share_call(&self, scope: &TenantScope, share: &Share, token: &SecretHash) -> Answer<()>;
    /// The links of a call that hold at this time, newest first.
    async fn shares(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<Vec<Share>>;
    /// Takes a link back. `false` when there is none.
    async fn revoke_share(&self, scope: &TenantScope, call: CallId, id: Uuid) -> Answer<bool>;
    /// What a token shows at this time, and whose it is: for somebody who has nothing but the token.
    async fn shared_call(&self, token: &SecretHash, at_ms: i64) -> Answer<Option<(TenantScope, Share)>>;
}

/// What people wrote down about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallNote {
    /// The text.
    pub text: Pii<String>,
    /// Who changed it last, as `kind:id`.
    pub updated_by: Option<String>,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// From 1; one more with each change.
    pub version: u32,
}

/// Notes on calls: one each.
#[async_trait]
pub trait Notes: Send + Sync {
    /// The note on a call. `None`: nobody wrote one. `NotFound` without the call.
    async fn note(&self, scope: &TenantScope, call: CallId) -> Answer<Option<CallNote>>;
    /// Writes the note and answers its version. With `expected`, a `Conflict` unless that is the version now (0: nobody
    /// wrote one). The version of `note` does not matter.
    async fn put_note(&self, scope: &TenantScope, call: CallId, note: &CallNote, expected: Option<u32>) -> Answer<u32>;
}
