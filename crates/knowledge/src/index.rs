//! Where the vectors of passages can lie beside our own rows, to be searched there.
//!
//! The rows are the truth. What an index elsewhere finds is a nomination that [`checked`] looks up in them, so an index that mixes
//! two businesses or holds what was deleted can waste a place in a list and nothing more. [`mirror`] brings an index to what the
//! rows say, as often as it takes; until it has, whoever asks uses its own index.

use async_trait::async_trait;
use base::{DocumentId, Failure, limits};
use model::business::TenantScope;
pub use providers::vectors::{Neighbour, Place, Point};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::knowledge::{StoredChunk, VersionId};
use store::mirrors::Mirror;
use store::{Store, StoreError};

/// An index of vectors, of whatever make.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Its name; what lies where is noted by it.
    fn place(&self) -> &str;
    /// Makes ready for vectors of this width.
    async fn prepare(&self, scope: &TenantScope, width: usize) -> Result<(), Failure>;
    /// Keeps vectors, in place of those of the same places.
    async fn upsert(&self, scope: &TenantScope, points: Vec<Point>) -> Result<(), Failure>;
    /// Forgets the passages of a version. Nothing happens when there are none.
    async fn delete(&self, scope: &TenantScope, version: VersionId, passages: u32) -> Result<(), Failure>;
    /// The nearest, the nearest first.
    async fn search(&self, scope: &TenantScope, vector: &[f32], count: usize) -> Result<Vec<Neighbour>, Failure>;
    /// How many vectors of the business there are.
    async fn count(&self, scope: &TenantScope) -> Result<u64, Failure>;
}

/// Why an index is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index.
    #[error("{0}")]
    Index(Failure),
}

impl From<Failure> for MirrorError {
    fn from(failure: Failure) -> Self {
        Self::Index(failure)
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Versions that were sent.
    pub sent: u32,
    /// Versions that were forgotten.
    pub forgotten: u32,
}

/// Versions that serve.
///
/// # Errors
/// When the store does not answer.
pub async fn serving(store: &dyn Store, scope: &TenantScope) -> Result<HashMap<DocumentId, u32>, StoreError> {
    let mut serving = HashMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.knowledge_documents(scope, after.as_deref()).await?;
        let Some(last) = page.last() else { return Ok(serving) };
        after = Some(last.slug.clone());
        serving.extend(page.into_iter().filter(|one| one.serving > 0).map(|one| (one.id, one.serving)));
    }
}

/// Brings an index to what serves of a business: new versions go there, then old ones are forgotten. What fails is made up for by
/// the next time.
///
/// # Errors
/// When the store or the index does not answer.
pub async fn mirror(
    store: &dyn Store,
    index: &dyn VectorIndex,
    scope: &TenantScope,
    width: usize,
) -> Result<Mirrored, MirrorError> {
    let serving = serving(store, scope).await?;
    let there = all_mirrors(store, scope, index.place()).await?;
    let whole: HashSet<VersionId> = there.iter().filter(|one| one.whole).map(|one| one.version).collect();
    let mut done = Mirrored::default();
    let missing = serving.iter().map(|(document, version)| VersionId { document: *document, version: *version });
    for version in missing.filter(|version| !whole.contains(version)) {
        if done.sent == 0 {
            index.prepare(scope, width).await?;
        }
        send(store, index, scope, version, width).await?;
        done.sent += 1;
    }
    for old in there.iter().filter(|one| serving.get(&one.version.document) != Some(&one.version.version)) {
        index.delete(scope, old.version, old.passages).await?;
        store.forget_mirror(scope, index.place(), old.version).await?;
        done.forgotten += 1;
    }
    Ok(done)
}

async fn all_mirrors(store: &dyn Store, scope: &TenantScope, place: &str) -> Result<Vec<Mirror>, StoreError> {
    let mut all: Vec<Mirror> = Vec::new();
    loop {
        let page = store.mirrors(scope, place, all.last().map(|last| last.version)).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn send(
    store: &dyn Store,
    index: &dyn VectorIndex,
    scope: &TenantScope,
    version: VersionId,
    width: usize,
) -> Result<(), MirrorError> {
    let mut points = Vec::new();
    let mut after = None;
    loop {
        let page = store.document_chunks(scope, version.document, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.ordinal);
        points.extend(page.iter().filter_map(|chunk| point(chunk, version.version, width)));
    }
    // Written down first: what may lie there is known, whatever becomes of us.
    let passages = after.map_or(0, |last| last.saturating_add(1));
    store.begin_mirror(scope, index.place(), version, passages).await?;
    if !points.is_empty() {
        index.upsert(scope, points).await?;
    }
    Ok(store.finish_mirror(scope, index.place(), version).await?)
}

/// The first vector of a chunk is that of the whole passage.
fn point(chunk: &StoredChunk, version: u32, width: usize) -> Option<Point> {
    let bytes = chunk.vectors.get(..width * size_of::<f32>())?;
    let vector = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    Some(Point { place: Place { document: chunk.document, version, ordinal: chunk.ordinal }, vector })
}

/// Of what an index found, what our rows know: passages of this business that serve, each once, in the same order.
pub fn checked(found: Vec<Neighbour>, scope: &TenantScope, serving: &HashMap<DocumentId, u32>) -> Vec<Place> {
    let mut seen = HashSet::new();
    let is_known = |one: &Neighbour| {
        one.business == scope.business && serving.get(&one.place.document) == Some(&one.place.version)
    };
    found.into_iter().filter(is_known).map(|one| one.place).filter(|place| seen.insert(*place)).collect()
}

/// Our own rows as an index: every passage is looked at. What others are measured by, and no more than a reference for a business
/// of any size; agents search what they have in memory.
pub struct Rows {
    store: Arc<dyn Store>,
}

impl Rows {
    /// Over this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    async fn all(&self, scope: &TenantScope, width: usize) -> Result<Vec<Point>, Failure> {
        let away = |error: StoreError| Failure::new(base::ErrorClass::Unavailable, error.to_string());
        let serving = serving(self.store.as_ref(), scope).await.map_err(away)?;
        let mut points = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.serving_chunks(scope, after).await.map_err(away)?;
            let Some(last) = page.last() else { return Ok(points) };
            after = Some((last.document, last.ordinal));
            let version = |chunk: &StoredChunk| serving.get(&chunk.document).copied();
            points.extend(page.iter().filter_map(|chunk| point(chunk, version(chunk)?, width)));
        }
    }
}

#[async_trait]
impl VectorIndex for Rows {
    fn place(&self) -> &str {
        "rows"
    }

    async fn prepare(&self, _scope: &TenantScope, _width: usize) -> Result<(), Failure> {
        Ok(())
    }

    /// They were written with their document.
    async fn upsert(&self, _scope: &TenantScope, _points: Vec<Point>) -> Result<(), Failure> {
        Ok(())
    }

    /// They went with their document.
    async fn delete(&self, _scope: &TenantScope, _version: VersionId, _passages: u32) -> Result<(), Failure> {
        Ok(())
    }

    async fn search(&self, scope: &TenantScope, vector: &[f32], count: usize) -> Result<Vec<Neighbour>, Failure> {
        let near = |one: Point| Neighbour {
            business: scope.business,
            place: one.place,
            similarity: one.vector.iter().zip(vector).map(|(a, b)| a * b).sum(),
        };
        let mut found: Vec<Neighbour> = self.all(scope, vector.len()).await?.into_iter().map(near).collect();
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.place.cmp(&b.place)));
        found.truncate(count.min(limits::PAGE_ROWS_MAX as usize));
        Ok(found)
    }

    async fn count(&self, scope: &TenantScope) -> Result<u64, Failure> {
        Ok(self.all(scope, 1).await?.len() as u64)
    }
}
