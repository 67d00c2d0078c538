//! A file becomes a version of a document: read by a child, cut, embedded, written beside the version that serves, and
//! put in its place when it is whole.

use crate::child::Parser;
use crate::chunk::{Chunk, chunks, hex};
use crate::document::Structured;
use crate::graph::{FoundName, extract};
use crate::parse::parse;
use crate::refusal::Refusal;
use aws_lc_rs::digest::{SHA256, digest};
use base::{DocumentId, limits};
use model::business::TenantScope;
use model::passage::Passage;
use std::collections::HashMap;
use std::sync::Arc;
use store::knowledge::{KnowledgeDocument, NewVersion, StoredChunk, VersionId, WholeVersion};
use store::{Store, StoreError};

/// Texts to vectors. What makes them is its own affair.
pub trait Encoder: Send + Sync {
    /// Name of the space that the vectors lie in. Vectors of different spaces cannot be compared.
    fn space(&self) -> &str;
    /// The vector of a text, of length 1. Blocking work.
    fn encode(&self, text: &str) -> Result<Vec<f32>, String>;
}

/// Finds names that have no form. What finds them is its own affair.
pub trait NameFinder: Send + Sync {
    /// The names in a sentence; none when it cannot tell. Blocking work.
    fn names(&self, sentence: &str) -> Vec<FoundName>;
}

/// Hears how far a document is.
pub trait Progress: Send + Sync {
    /// So many of so many chunks have their vectors.
    fn chunks(&self, _done: usize, _total: usize) {}
}

/// Nobody listens.
pub struct Quiet;

impl Progress for Quiet {}

/// A file as it was given.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Short name of the document; the same name is its next version.
    pub slug: &'a str,
    /// Title as people see it; the document's own, or its name, when absent.
    pub title: Option<&'a str>,
    /// A file's name or an address.
    pub source: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is what serves already.
    Unchanged,
    /// It serves now.
    Indexed(Indexed),
}

/// A version that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The version.
    pub version: VersionId,
    /// What the file turned out to be.
    pub kind: &'static str,
    /// Pages, slides or sheets.
    pub pages: u32,
    /// Chunks.
    pub chunks: u32,
    /// Of them, those whose vectors were known from the version before.
    pub reused: u32,
}

/// Why a file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It was refused; the version says so as well.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The business has as many documents as it may.
    #[error("a business has at most {0} documents")]
    Full(usize),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The texts have no vectors.
    #[error("the text cannot be embedded: {0}")]
    Encoder(String),
}

impl IngestError {
    /// One word for clients and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Full(_) => "too_many_documents",
            Self::Store(_) => "store",
            Self::Encoder(_) => "embedding",
        }
    }
}

/// How a file is read.
enum Reading {
    ByChild,
    Here,
    Done(Box<Structured>),
}

/// The SHA-256 of a file in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Takes documents in.
#[derive(Clone)]
pub struct Ingest {
    store: Arc<dyn Store>,
    parser: Parser,
    encoder: Arc<dyn Encoder>,
    names: Option<Arc<dyn NameFinder>>,
}

impl Ingest {
    /// Into this store, read by children of this kind, with vectors from here.
    pub fn new(store: Arc<dyn Store>, parser: Parser, encoder: Arc<dyn Encoder>) -> Self {
        Self { store, parser, encoder, names: None }
    }

    /// The same, with what finds names in documents.
    #[must_use]
    pub fn with_names(mut self, names: Option<Arc<dyn NameFinder>>) -> Self {
        self.names = names;
        self
    }

    /// Takes a file in. When it is refused and the document is new, the document stays, with the reason; when there is a
    /// version that serves, that one goes on.
    ///
    /// # Errors
    /// When it does not serve then.
    pub async fn add(
        &self,
        scope: &TenantScope,
        source: &Source<'_>,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Added, IngestError> {
        let sha256 = hash(source.bytes);
        self.take(scope, source, &sha256, Reading::ByChild, at_ms, progress).await
    }

    /// Takes Markdown in that was written here, not given by a stranger: without a child.
    ///
    /// # Errors
    /// When it does not serve then.
    pub async fn add_own_text(
        &self,
        scope: &TenantScope,
        source: &Source<'_>,
        at_ms: i64,
    ) -> Result<Added, IngestError> {
        self.take(scope, source, &hash(source.bytes), Reading::Here, at_ms, &Quiet).await
    }

    /// Takes a document in that was read already. It has changed when its text has: pages of sites are never twice the
    /// same bytes.
    ///
    /// # Errors
    /// When it does not serve then.
    pub async fn add_read(
        &self,
        scope: &TenantScope,
        source: &Source<'_>,
        document: Structured,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Added, IngestError> {
        let text = serde_json::to_vec(&(&document.title, &document.blocks)).unwrap_or_default();
        self.take(scope, source, &hash(&text), Reading::Done(Box::new(document)), at_ms, progress).await
    }

    /// Gives the passages of a document that serves new vectors; the old ones serve until all are there.
    ///
    /// # Errors
    /// When there is no such document, or it does not serve then with new vectors.
    pub async fn reindex(
        &self,
        scope: &TenantScope,
        slug: &str,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Added, IngestError> {
        let document = self.store.knowledge_document(scope, slug).await?;
        let versions = self.store.document_versions(scope, slug).await?;
        let Some(serving) = versions.into_iter().find(|one| one.version == document.serving) else {
            return Ok(Added::Unchanged);
        };
        let mut passages = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.document_chunks(scope, document.id, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.ordinal);
            passages.extend(page.into_iter().map(|chunk| (chunk.id, chunk.passage)));
        }
        let KnowledgeDocument { title, source, .. } = &document;
        let new = NewVersion { slug, title, source, bytes: serving.bytes, sha256: &serving.sha256 };
        let version = self.store.begin_version(scope, &new, at_ms).await?;
        let kind = serving.kind.as_deref().unwrap_or("text");
        let made = self.embed_again(scope, version, &passages, progress).await;
        let chunks = u32::try_from(passages.len()).unwrap_or(u32::MAX);
        if made.is_ok() {
            self.draw(scope, version, passages.into_iter().map(|(_, passage)| passage).collect(), at_ms).await?;
        }
        let whole = WholeVersion { kind, title, pages: serving.pages, chunks, space: self.encoder.space() };
        let served = match made {
            Ok(()) => Ok(self.store.publish_version(scope, version, &whole, at_ms).await?),
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            self.store.fail_version(scope, version, error.code(), &error.to_string(), at_ms).await?;
            return Err(error);
        }
        Ok(Added::Indexed(Indexed { version, kind: "passages", pages: serving.pages, chunks, reused: 0 }))
    }

    async fn embed_again(
        &self,
        scope: &TenantScope,
        version: VersionId,
        passages: &[(String, Passage)],
        progress: &dyn Progress,
    ) -> Result<(), IngestError> {
        let mut ordinal = 0;
        for group in passages.chunks(limits::KNOWLEDGE_CHUNKS_PER_WRITE) {
            let mut rows = Vec::with_capacity(group.len());
            for (id, passage) in group {
                let vectors = self.embed(passage).await?;
                let (document, id, passage) = (version.document, id.clone(), passage.clone());
                rows.push(StoredChunk { document, ordinal, id, passage, space: String::new(), vectors });
                ordinal += 1;
                progress.chunks(ordinal as usize, passages.len());
            }
            self.store.add_chunks(scope, version, &rows).await?;
        }
        Ok(())
    }

    async fn take(
        &self,
        scope: &TenantScope,
        source: &Source<'_>,
        sha256: &str,
        reading: Reading,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Added, IngestError> {
        let before = match self.store.knowledge_document(scope, source.slug).await {
            Ok(document) => Some(document),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if before.as_ref().is_some_and(|document| self.serves_already(document, sha256)) {
            return Ok(Added::Unchanged);
        }
        if before.is_none() && documents(self.store.as_ref(), scope).await?.len() >= limits::KNOWLEDGE_DOCUMENTS_MAX {
            return Err(IngestError::Full(limits::KNOWLEDGE_DOCUMENTS_MAX));
        }
        let new = NewVersion {
            slug: source.slug,
            title: source.title.unwrap_or_else(|| file_name(source.source)),
            source: source.source,
            bytes: source.bytes.len() as u64,
            sha256,
        };
        let version = self.store.begin_version(scope, &new, at_ms).await?;
        let made = match self.read(source, reading).await {
            Ok(document) => self.make(scope, source, &document, version, at_ms, progress).await,
            Err(refusal) => Err(refusal.into()),
        };
        match made {
            Ok(indexed) => Ok(Added::Indexed(indexed)),
            Err(error) => {
                self.store.fail_version(scope, version, error.code(), &error.to_string(), at_ms).await?;
                Err(error)
            }
        }
    }

    async fn read(&self, source: &Source<'_>, reading: Reading) -> Result<Structured, Refusal> {
        match reading {
            Reading::ByChild => self.parser.parse(source.bytes, file_name(source.source)).await,
            Reading::Here => parse(source.bytes, "text.md"),
            Reading::Done(document) => Ok(*document),
        }
    }

    fn serves_already(&self, document: &KnowledgeDocument, sha256: &str) -> bool {
        let newest = &document.newest;
        newest.version == document.serving
            && newest.sha256 == sha256
            && newest.space.as_deref() == Some(self.encoder.space())
    }

    async fn make(
        &self,
        scope: &TenantScope,
        source: &Source<'_>,
        document: &Structured,
        version: VersionId,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Indexed, IngestError> {
        let title = title(source, document);
        let found = chunks(document);
        let known = self.known(scope, version).await?;
        let (mut reused, total) = (0, found.len());
        for (at, group) in found.chunks(limits::KNOWLEDGE_CHUNKS_PER_WRITE).enumerate() {
            let first = at * limits::KNOWLEDGE_CHUNKS_PER_WRITE;
            let mut rows = Vec::with_capacity(group.len());
            for (offset, chunk) in group.iter().enumerate() {
                let passage = passage(chunk, &title);
                let vectors = match known.get(&chunk.id) {
                    Some((before, vectors)) if *before == passage.heading => {
                        reused += 1;
                        vectors.clone()
                    }
                    _ => self.embed(&passage).await?,
                };
                let ordinal = u32::try_from(first + offset).unwrap_or(u32::MAX);
                let (document, id) = (version.document, chunk.id.clone());
                rows.push(StoredChunk { document, ordinal, id, passage, space: String::new(), vectors });
                progress.chunks(first + offset + 1, total);
            }
            self.store.add_chunks(scope, version, &rows).await?;
        }
        self.draw(scope, version, found.iter().map(|chunk| passage(chunk, &title)).collect(), at_ms).await?;
        let chunks = u32::try_from(total).unwrap_or(u32::MAX);
        let (kind, pages) = (document.kind.name(), document.pages);
        let whole = WholeVersion { kind, title: &title, pages, chunks, space: self.encoder.space() };
        self.store.publish_version(scope, version, &whole, at_ms).await?;
        Ok(Indexed { version, kind, pages, chunks, reused })
    }

    /// Notes what the passages of a version name and say.
    async fn draw(
        &self,
        scope: &TenantScope,
        version: VersionId,
        passages: Vec<Passage>,
        at_ms: i64,
    ) -> Result<(), IngestError> {
        let names = self.names.clone();
        let find = move |sentence: &str| names.as_ref().map_or_else(Vec::new, |names| names.names(sentence));
        let drawn = tokio::task::spawn_blocking(move || extract(&passages, find)).await;
        let graph = drawn.map_err(|_| IngestError::Encoder("reading what the passages name stopped".into()))?;
        Ok(self.store.add_graph(scope, version, &graph, at_ms).await?)
    }

    /// Headings and vectors of the chunks of the version that serves, by what they say.
    async fn known(
        &self,
        scope: &TenantScope,
        version: VersionId,
    ) -> Result<HashMap<String, (String, Vec<u8>)>, StoreError> {
        let mut known = HashMap::new();
        let mut after = None;
        loop {
            let page = self.store.document_chunks(scope, version.document, after).await?;
            let Some(last) = page.last() else { return Ok(known) };
            after = Some(last.ordinal);
            let same = page.into_iter().filter(|chunk| chunk.space == self.encoder.space());
            known.extend(same.map(|chunk| (chunk.id, (chunk.passage.heading, chunk.vectors))));
        }
    }

    async fn embed(&self, passage: &Passage) -> Result<Vec<u8>, IngestError> {
        let (encoder, texts) = (Arc::clone(&self.encoder), passage.embedded());
        let work = move || {
            let mut bytes = Vec::new();
            for text in texts {
                bytes.extend(encoder.encode(&text)?.into_iter().flat_map(f32::to_le_bytes));
            }
            Ok(bytes)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err("the model stopped".into())).map_err(IngestError::Encoder)
    }
}

/// The passage of a chunk.
pub fn passage(chunk: &Chunk, title: &str) -> Passage {
    let heading = if chunk.path.is_empty() { title.to_owned() } else { chunk.path.join(": ") };
    Passage { document: title.to_owned(), heading, page: chunk.page, sentences: chunk.units.clone() }
}

/// The title that was given, the document's own, or its name.
fn title(source: &Source<'_>, document: &Structured) -> String {
    let own = document.own_title().filter(|title| title.chars().count() <= TITLE_CHARS_MAX);
    source.title.or(own).unwrap_or_else(|| file_name(source.source)).to_owned()
}

const TITLE_CHARS_MAX: usize = 200;

/// The last part of a path or an address.
pub fn file_name(source: &str) -> &str {
    let path = source.split(['?', '#']).next().unwrap_or(source).trim_end_matches('/');
    path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(source)
}

/// A short name made of a file's name or an address: letters, digits and hyphens.
pub fn slug(source: &str) -> String {
    let bare = source.strip_prefix("https://").or_else(|| source.strip_prefix("http://"));
    let text = bare.unwrap_or_else(|| file_name(source));
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(SLUG_CHARS_MAX).collect();
    if slug.is_empty() { "document".into() } else { slug }
}

const SLUG_CHARS_MAX: usize = 120;

/// All documents of a business.
pub async fn documents(store: &dyn Store, scope: &TenantScope) -> Result<Vec<KnowledgeDocument>, StoreError> {
    let mut all: Vec<KnowledgeDocument> = Vec::new();
    loop {
        let after = all.last().map(|document| document.slug.clone());
        let page = store.knowledge_documents(scope, after.as_deref()).await?;
        let is_last = page.len() < limits::PAGE_ROWS_MAX as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// A passage that serves, with its place and its vectors.
#[derive(Clone, Debug)]
pub struct Served {
    /// Document and ordinal.
    pub place: (DocumentId, u32),
    /// Its words.
    pub passage: Passage,
    /// Of what is [`Passage::embedded`].
    pub vectors: Vec<Vec<f32>>,
}

/// One page of the passages that serve with their vectors in this space, after this place, in order; how many lie in another
/// space and wait to be taken in again; and the place of the last one, `None` at the end.
pub async fn serving_page(
    store: &dyn Store,
    scope: &TenantScope,
    space: &str,
    after: Option<(DocumentId, u32)>,
) -> Result<(Vec<Served>, usize, Option<(DocumentId, u32)>), StoreError> {
    let page = store.serving_chunks(scope, after).await?;
    let next = page.last().map(|last| (last.document, last.ordinal));
    let total = page.len();
    let served = |chunk: StoredChunk| {
        let texts = chunk.passage.sentences.len() + 2;
        let vectors = vectors(&chunk.vectors, texts);
        Served { place: (chunk.document, chunk.ordinal), passage: chunk.passage, vectors }
    };
    let found: Vec<Served> = page.into_iter().filter(|chunk| chunk.space == space).map(served).collect();
    let strange = total - found.len();
    Ok((found, strange, next))
}

/// All passages that serve with their vectors in this space, in order; and how many lie in another one.
pub async fn serving(
    store: &dyn Store,
    scope: &TenantScope,
    space: &str,
) -> Result<(Vec<(Passage, Vec<Vec<f32>>)>, usize), StoreError> {
    let (mut found, mut strange, mut after) = (Vec::new(), 0, None);
    loop {
        let (page, others, next) = serving_page(store, scope, space, after).await?;
        found.extend(page.into_iter().map(|one| (one.passage, one.vectors)));
        strange += others;
        after = next;
        if after.is_none() {
            return Ok((found, strange));
        }
    }
}

/// So many vectors out of their bytes.
fn vectors(bytes: &[u8], count: usize) -> Vec<Vec<f32>> {
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let width = numbers.len() / count.max(1);
    if width == 0 { Vec::new() } else { numbers.chunks_exact(width).map(<[f32]>::to_vec).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files_and_addresses() {
        assert_eq!(slug("/tmp/Price List 2025.PDF"), "price-list-2025-pdf");
        assert_eq!(slug("https://shop.example/help/?a=1"), "shop-example-help-a-1");
        assert_eq!(slug("***"), "document");
        assert_eq!(file_name("https://shop.example/help/terms.html?x=/y#z"), "terms.html");
        assert_eq!(file_name("C:\\docs\\a.docx"), "a.docx");
    }
}
