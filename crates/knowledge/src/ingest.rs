//! A file becomes a version of a document: read by a child, cut, embedded, written beside the version that serves, and
//! put in its place when it is whole.

use crate::child::Parser;
use crate::chunk::{Chunk, chunks, hex};
use crate::document::Structured;
use crate::graph::{FoundName, extract};
use crate::parse::parse;
use crate::refusal::Refusal;
use crate::spaces;
use async_trait::async_trait;
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
    /// The vectors of texts, in their order, of length 1. Blocking work.
    fn encode(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String>;
}

/// Gives passages further vectors, of services that businesses chose.
#[async_trait]
pub trait Further: Send + Sync {
    /// The spaces, with their widths, in which the passages of a business are to have vectors beside those of the encoder.
    async fn spaces(&self, scope: &TenantScope) -> Result<Vec<String>, String>;
    /// The vectors of texts in one of them, of its width.
    async fn encode(&self, scope: &TenantScope, space: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String>;
}

/// Which vectors are made when a document is indexed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// All of them.
    All,
    /// Those that are missing, in this further space too.
    Missing(String),
}

/// Vectors of a passage that is known already.
struct Known {
    heading: String,
    spaces: String,
    vectors: Vec<u8>,
}

/// Passages with the ids of their chunks.
type Named = [(String, Passage)];

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
    further: Option<Arc<dyn Further>>,
}

impl Ingest {
    /// Into this store, read by children of this kind, with vectors from here.
    pub fn new(store: Arc<dyn Store>, parser: Parser, encoder: Arc<dyn Encoder>) -> Self {
        Self { store, parser, encoder, names: None, further: None }
    }

    /// The same, with what gives passages further vectors.
    #[must_use]
    pub fn with_further(mut self, further: Arc<dyn Further>) -> Self {
        self.further = Some(further);
        self
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
        again: &Again,
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Added, IngestError> {
        let document = self.store.knowledge_document(scope, slug).await?;
        let versions = self.store.document_versions(scope, slug).await?;
        let Some(serving) = versions.into_iter().find(|one| one.version == document.serving) else {
            return Ok(Added::Unchanged);
        };
        let mut spaces = self.spaces(scope).await?;
        if let Again::Missing(space) = again {
            if !spaces.contains(space) {
                spaces.push(space.clone());
            }
            let there = serving.space.as_deref().unwrap_or_default();
            if self.all(&spaces).all(|space| spaces::has(there, space)) {
                return Ok(Added::Unchanged);
            }
        }
        let (mut passages, mut known) = (Vec::new(), HashMap::new());
        let mut after = None;
        loop {
            let page = self.store.document_chunks(scope, document.id, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.ordinal);
            for chunk in page {
                if *again != Again::All {
                    let (heading, spaces, vectors) = (chunk.passage.heading.clone(), chunk.space, chunk.vectors);
                    known.insert(chunk.id.clone(), Known { heading, spaces, vectors });
                }
                passages.push((chunk.id, chunk.passage));
            }
        }
        let KnowledgeDocument { title, source, .. } = &document;
        let new = NewVersion { slug, title, source, bytes: serving.bytes, sha256: &serving.sha256 };
        let version = self.store.begin_version(scope, &new, at_ms).await?;
        let kind = serving.kind.as_deref().unwrap_or("text");
        let made = self.fill(scope, version, (&passages, &known), &spaces, progress).await;
        let chunks = u32::try_from(passages.len()).unwrap_or(u32::MAX);
        if made.is_ok() {
            self.draw(scope, version, passages.into_iter().map(|(_, passage)| passage).collect(), at_ms).await?;
        }
        let written = spaces::written(self.encoder.space(), &spaces);
        let whole = WholeVersion { kind, title, pages: serving.pages, chunks, space: &written };
        let served = match made {
            Ok(reused) => Ok((reused, self.store.publish_version(scope, version, &whole, at_ms).await?)),
            Err(error) => Err(error),
        };
        match served {
            Ok((reused, ())) => {
                Ok(Added::Indexed(Indexed { version, kind: "passages", pages: serving.pages, chunks, reused }))
            }
            Err(error) => {
                self.store.fail_version(scope, version, error.code(), &error.to_string(), at_ms).await?;
                Err(error)
            }
        }
    }

    /// The further spaces in which the passages of a business are to have vectors.
    async fn spaces(&self, scope: &TenantScope) -> Result<Vec<String>, IngestError> {
        match &self.further {
            Some(further) => further.spaces(scope).await.map_err(IngestError::Encoder),
            None => Ok(Vec::new()),
        }
    }

    fn all<'a>(&'a self, further: &'a [String]) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.encoder.space()).chain(further.iter().map(String::as_str))
    }

    /// Writes the passages of a version with their vectors, and answers of how many they were known.
    async fn fill(
        &self,
        scope: &TenantScope,
        version: VersionId,
        (passages, known): (&Named, &HashMap<String, Known>),
        further: &[String],
        progress: &dyn Progress,
    ) -> Result<u32, IngestError> {
        let (mut ordinal, mut reused) = (0_u32, 0);
        for group in passages.chunks(limits::KNOWLEDGE_CHUNKS_PER_WRITE) {
            let mut rows = Vec::with_capacity(group.len());
            for (id, passage) in group {
                let vectors = match known_in(known, id, passage, self.encoder.space()) {
                    Some(vectors) => {
                        reused += 1;
                        vectors.to_vec()
                    }
                    None => self.embed(passage).await?,
                };
                let (document, id, passage) = (version.document, id.clone(), passage.clone());
                rows.push(StoredChunk { document, ordinal, id, passage, space: String::new(), vectors });
                ordinal = ordinal.saturating_add(1);
                progress.chunks(ordinal as usize, passages.len());
            }
            for space in further {
                self.embed_further(scope, space, known, &mut rows).await?;
            }
            self.store.add_chunks(scope, version, &rows).await?;
        }
        Ok(reused)
    }

    /// Puts the vectors of a further space behind those that passages have. What is not known is asked for in one request, which
    /// the service cuts as it likes.
    async fn embed_further(
        &self,
        scope: &TenantScope,
        space: &str,
        known: &HashMap<String, Known>,
        rows: &mut [StoredChunk],
    ) -> Result<(), IngestError> {
        let wrong = |why: &str| IngestError::Encoder(why.to_owned());
        let further = self.further.as_ref().ok_or_else(|| wrong("no service is configured"))?;
        let width = spaces::width(space).ok_or_else(|| wrong("the space has no width"))?;
        let is_new = |row: &StoredChunk| known_in(known, &row.id, &row.passage, space).is_none();
        let texts: Vec<String> = rows.iter().filter(|row| is_new(row)).flat_map(|row| row.passage.embedded()).collect();
        let wanted = texts.len();
        let made = if texts.is_empty() {
            Vec::new()
        } else {
            further.encode(scope, space, texts).await.map_err(IngestError::Encoder)?
        };
        if made.len() != wanted || made.iter().any(|vector| vector.len() != width) {
            return Err(wrong("the service answered with vectors of another width than before"));
        }
        let mut made = made.into_iter();
        for row in rows {
            match known_in(known, &row.id, &row.passage, space) {
                Some(vectors) => row.vectors.extend_from_slice(vectors),
                None => {
                    let own = made.by_ref().take(row.passage.sentences.len() + 2);
                    row.vectors.extend(own.flatten().flat_map(f32::to_le_bytes));
                }
            }
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
        let spaces = self.spaces(scope).await?;
        if before.as_ref().is_some_and(|document| self.serves_already(document, sha256, &spaces)) {
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
            Ok(document) => {
                let new = (source, &document);
                self.make(scope, new, version, &spaces, at_ms, progress).await
            }
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

    fn serves_already(&self, document: &KnowledgeDocument, sha256: &str, further: &[String]) -> bool {
        let newest = &document.newest;
        let there = newest.space.as_deref().unwrap_or_default();
        newest.version == document.serving
            && newest.sha256 == sha256
            && self.all(further).all(|space| spaces::has(there, space))
    }

    async fn make(
        &self,
        scope: &TenantScope,
        (source, document): (&Source<'_>, &Structured),
        version: VersionId,
        further: &[String],
        at_ms: i64,
        progress: &dyn Progress,
    ) -> Result<Indexed, IngestError> {
        let title = title(source, document);
        let found: Vec<(String, Passage)> =
            chunks(document).iter().map(|chunk| (chunk.id.clone(), passage(chunk, &title))).collect();
        let known = self.known(scope, version).await?;
        let reused = self.fill(scope, version, (&found, &known), further, progress).await?;
        let chunks = u32::try_from(found.len()).unwrap_or(u32::MAX);
        self.draw(scope, version, found.into_iter().map(|(_, passage)| passage).collect(), at_ms).await?;
        let (kind, pages) = (document.kind.name(), document.pages);
        let written = spaces::written(self.encoder.space(), further);
        let whole = WholeVersion { kind, title: &title, pages, chunks, space: &written };
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

    /// What is known of the chunks of the version that serves, by what they say.
    async fn known(&self, scope: &TenantScope, version: VersionId) -> Result<HashMap<String, Known>, StoreError> {
        let mut known = HashMap::new();
        let mut after = None;
        loop {
            let page = self.store.document_chunks(scope, version.document, after).await?;
            let Some(last) = page.last() else { return Ok(known) };
            after = Some(last.ordinal);
            known.extend(page.into_iter().map(|chunk| {
                let (heading, spaces, vectors) = (chunk.passage.heading, chunk.space, chunk.vectors);
                (chunk.id, Known { heading, spaces, vectors })
            }));
        }
    }

    async fn embed(&self, passage: &Passage) -> Result<Vec<u8>, IngestError> {
        let (encoder, texts) = (Arc::clone(&self.encoder), passage.embedded());
        let work = move || {
            let vectors = encoder.encode(&texts)?;
            Ok(vectors.into_iter().flatten().flat_map(f32::to_le_bytes).collect())
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err("the model stopped".into())).map_err(IngestError::Encoder)
    }
}

/// The vectors of a passage in a space, where one that says the same under the same heading has them.
fn known_in<'a>(known: &'a HashMap<String, Known>, id: &str, passage: &Passage, space: &str) -> Option<&'a [u8]> {
    let known = known.get(id).filter(|known| known.heading == passage.heading)?;
    spaces::vectors_in(&known.spaces, &known.vectors, passage.sentences.len() + 2, space)
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
    /// Of what is [`Passage::embedded`], one after the other.
    pub vectors: Vec<f32>,
    /// The same in a further space, when that was asked for; `None` when it has none there.
    pub further: Option<Vec<f32>>,
}

/// A page of the passages that serve.
#[derive(Clone, Debug)]
pub struct ServingPage {
    /// Those with vectors in the space.
    pub passages: Vec<Served>,
    /// How many have none there and wait to be taken in again.
    pub strange: usize,
    /// The place of the last one; `None` at the end.
    pub next: Option<(DocumentId, u32)>,
}

/// One page of the passages that serve after a place, in order, with their vectors in this space and in a further one.
pub async fn serving_page(
    store: &dyn Store,
    scope: &TenantScope,
    space: &str,
    further: Option<&str>,
    after: Option<(DocumentId, u32)>,
) -> Result<ServingPage, StoreError> {
    let page = store.serving_chunks(scope, after).await?;
    let next = page.last().map(|last| (last.document, last.ordinal));
    let total = page.len();
    let served = |chunk: StoredChunk| {
        let texts = chunk.passage.sentences.len() + 2;
        let in_space =
            |space: &str| spaces::vectors_in(&chunk.space, &chunk.vectors, texts, space).map(spaces::numbers);
        let (vectors, further) = (in_space(space)?, further.and_then(in_space));
        Some(Served { place: (chunk.document, chunk.ordinal), passage: chunk.passage, vectors, further })
    };
    let passages: Vec<Served> = page.into_iter().filter_map(served).collect();
    Ok(ServingPage { strange: total - passages.len(), passages, next })
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
