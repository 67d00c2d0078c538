//! What lies in a vector store elsewhere: known before it goes there and until it is gone from there, so that nothing is left
//! behind however often somebody fails.

use crate::contract::Answer;
use crate::knowledge::VersionId;
use async_trait::async_trait;
use model::business::TenantScope;

/// A version of a document whose vectors lie elsewhere, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The version.
    pub version: VersionId,
    /// Its passages.
    pub passages: u32,
    /// All of them are there.
    pub whole: bool,
}

/// What lies elsewhere. `place` names where.
#[async_trait]
pub trait Mirrors: Send + Sync {
    /// Notes that a version is about to be sent; what is noted of it is not whole.
    async fn begin_mirror(&self, scope: &TenantScope, place: &str, version: VersionId, passages: u32) -> Answer<()>;
    /// Notes that it is whole.
    async fn finish_mirror(&self, scope: &TenantScope, place: &str, version: VersionId) -> Answer<()>;
    /// Notes that it is gone.
    async fn forget_mirror(&self, scope: &TenantScope, place: &str, version: VersionId) -> Answer<()>;
    /// Versions that lie there, or may, after this one, at most [`base::limits::PAGE_ROWS_MAX`], in order.
    async fn mirrors(&self, scope: &TenantScope, place: &str, after: Option<VersionId>) -> Answer<Vec<Mirror>>;
    /// Whether everything that serves is there.
    async fn is_mirrored(&self, scope: &TenantScope, place: &str) -> Answer<bool>;
    /// Businesses of which something that serves is not there or something is there that does not serve, at most
    /// [`base::limits::PAGE_ROWS_MAX`].
    async fn unmirrored(&self, place: &str) -> Answer<Vec<TenantScope>>;
}
