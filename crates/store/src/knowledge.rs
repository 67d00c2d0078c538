//! What a store keeps of what a business knows: documents in versions, chunks with their vectors, unanswered questions.
//!
//! One version of a document serves at a time. A new one is written beside it and takes its place at once when it is whole
//! ([`KnowledgeBase::publish_version`]); until then, and for ever if it fails, the old one serves.

use crate::contract::{Answer, Cursor};
use async_trait::async_trait;
use base::{DocumentId, GapId, Pii};
use model::business::TenantScope;
use model::passage::Passage;
use serde::{Deserialize, Serialize};

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionStatus {
    /// It is being read, embedded and written.
    Indexing,
    /// It serves.
    Ready,
    /// A newer one serves.
    Replaced,
    /// It was refused, or whoever made it stopped.
    Failed,
}

impl VersionStatus {
    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Indexing => "indexing",
            Self::Ready => "ready",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

/// A version of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentVersion {
    /// From 1.
    pub version: u32,
    /// Where it stands.
    pub status: VersionStatus,
    /// What the file turned out to be.
    pub kind: Option<String>,
    /// Why it failed, in one word.
    pub error_code: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Pages, slides or sheets.
    pub pages: u32,
    /// Chunks.
    pub chunks: u32,
    /// The space that its vectors lie in.
    pub space: Option<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds when it began to serve.
    pub ready_at_ms: Option<i64>,
}

/// A document and its newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeDocument {
    /// Its id.
    pub id: DocumentId,
    /// Short name, unique within the business.
    pub slug: String,
    /// Title as people see it.
    pub title: String,
    /// A file's name or an address.
    pub source: String,
    /// The version that serves; 0: none yet.
    pub serving: u32,
    /// The newest version, which serves, or will, or failed.
    pub newest: DocumentVersion,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// A version that begins.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    /// Short name of the document; a new one begins when the business has none of this name.
    pub slug: &'a str,
    /// Title as people see it.
    pub title: &'a str,
    /// A file's name or an address.
    pub source: &'a str,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: &'a str,
}

/// Names a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionId {
    /// The document.
    pub document: DocumentId,
    /// From 1.
    pub version: u32,
}

/// What is known of a version that is whole.
#[derive(Clone, Debug)]
pub struct WholeVersion<'a> {
    /// What the file turned out to be.
    pub kind: &'a str,
    /// Title as people see it.
    pub title: &'a str,
    /// Pages, slides or sheets.
    pub pages: u32,
    /// Chunks that were added.
    pub chunks: u32,
    /// The space that the vectors lie in.
    pub space: &'a str,
}

/// A chunk with its vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChunk {
    /// Its document.
    pub document: DocumentId,
    /// Place in the document, from 0.
    pub ordinal: u32,
    /// What it says, in short; see the chunks of the knowledge crate.
    pub id: String,
    /// Its words. The title of the document is filled in when it is read.
    pub passage: Passage,
    /// The space that the vectors lie in; filled in when it is read.
    pub space: String,
    /// Vectors of [`Passage::embedded`], one after the other: 32-bit floats, little-endian.
    pub vectors: Vec<u8>,
}

/// A question that found no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Its id.
    pub id: GapId,
    /// What was asked.
    pub question: Pii<String>,
    /// Unix milliseconds.
    pub asked_at_ms: i64,
    /// The space that its vector lies in.
    pub space: String,
    /// 32-bit floats, little-endian.
    pub vector: Vec<u8>,
}

/// What businesses know.
#[async_trait]
pub trait KnowledgeBase: Send + Sync {
    /// Begins a version, the newest of its document. One that was begun before and not finished has failed by that.
    async fn begin_version(&self, scope: &TenantScope, new: &NewVersion<'_>, at_ms: i64) -> Answer<VersionId>;
    /// Adds chunks to a version that is being made.
    async fn add_chunks(&self, scope: &TenantScope, version: VersionId, chunks: &[StoredChunk]) -> Answer<()>;
    /// Makes a version serve, in place of the one before. `Conflict` when it is not the newest any more or its chunks are
    /// not all there.
    async fn publish_version(
        &self,
        scope: &TenantScope,
        version: VersionId,
        whole: &WholeVersion<'_>,
        at_ms: i64,
    ) -> Answer<()>;
    /// Says why a version will never serve. Its chunks go.
    async fn fail_version(
        &self,
        scope: &TenantScope,
        version: VersionId,
        code: &str,
        why: &str,
        at_ms: i64,
    ) -> Answer<()>;
    /// Documents after this slug, in order of slugs, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn knowledge_documents(
        &self,
        scope: &TenantScope,
        after_slug: Option<&str>,
    ) -> Answer<Vec<KnowledgeDocument>>;
    /// One document.
    async fn knowledge_document(&self, scope: &TenantScope, slug: &str) -> Answer<KnowledgeDocument>;
    /// Its versions, newest first, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn document_versions(&self, scope: &TenantScope, slug: &str) -> Answer<Vec<DocumentVersion>>;
    /// Deletes a document with all its versions and chunks. `false` when there is none.
    async fn delete_knowledge(&self, scope: &TenantScope, slug: &str) -> Answer<bool>;
    /// Chunks that serve after this place, in order of documents and places, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn serving_chunks(&self, scope: &TenantScope, after: Option<(DocumentId, u32)>) -> Answer<Vec<StoredChunk>>;
    /// Chunks of the version of a document that serves after this place, in order, at most
    /// [`base::limits::PAGE_ROWS_MAX`].
    async fn document_chunks(
        &self,
        scope: &TenantScope,
        document: DocumentId,
        after: Option<u32>,
    ) -> Answer<Vec<StoredChunk>>;
    /// One more whenever what serves has changed; 0 before there was anything.
    async fn knowledge_revision(&self, scope: &TenantScope) -> Answer<u64>;
    /// Keeps a question that found no answer. Beyond [`base::limits::KNOWLEDGE_GAPS_MAX`] the oldest go.
    async fn add_gap(&self, scope: &TenantScope, gap: &Gap) -> Answer<()>;
    /// Questions without an answer, newest first, after this place, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn gaps(&self, scope: &TenantScope, after: Option<Cursor>) -> Answer<Vec<Gap>>;
    /// Forgets these questions and answers how many there were.
    async fn delete_gaps(&self, scope: &TenantScope, ids: &[GapId]) -> Answer<u64>;
}
