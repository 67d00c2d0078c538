//! Passages that are near, as a vector store elsewhere says, for bases that are too large to look at every passage.
//!
//! A caller waits meanwhile, so the store has a short time to answer. When it has not, holds something else than what serves, or
//! is away, the own index answers.

use crate::wall_ms;
use async_trait::async_trait;
use base::{DocumentId, limits};
use knowledge::index::{MirrorError, Place, VectorIndex, checked, mirror};
use local::language::knowledge::Nominate;
use local::language::{EMBEDDING_WIDTH, Embedding};
use model::business::TenantScope;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use store::{Job, Store};
use tokio::runtime::Handle;

use crate::work::{Handler, Outcome};

/// The kind of job that brings vectors to where they should lie.
pub const MIRROR_JOB: &str = "knowledge.mirror";

/// A vector store elsewhere, and from how many passages on a business's agents search it.
#[derive(Clone)]
pub struct Elsewhere {
    /// The store.
    pub index: Arc<dyn VectorIndex>,
    /// Below, the own index is quicker and looks at everything.
    pub from_passages: usize,
}

/// What a vector store nominates for one state of the documents of one business.
pub(super) struct Nominations {
    index: Arc<dyn VectorIndex>,
    store: Arc<dyn Store>,
    scope: TenantScope,
    places: HashMap<(DocumentId, u32), usize>,
    serving: HashMap<DocumentId, u32>,
    state: Arc<State>,
    runtime: Handle,
}

#[derive(Default)]
struct State {
    /// All that serves lies there.
    is_whole: AtomicBool,
    /// Unix milliseconds until which nobody is asked.
    pause_until_ms: AtomicI64,
}

impl fmt::Debug for Nominations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nominations({})", self.index.place())
    }
}

impl Nominations {
    pub(super) fn new(
        elsewhere: &Elsewhere,
        store: Arc<dyn Store>,
        scope: TenantScope,
        places: HashMap<(DocumentId, u32), usize>,
        serving: HashMap<DocumentId, u32>,
    ) -> Self {
        let (index, runtime) = (Arc::clone(&elsewhere.index), Handle::current());
        Self { index, store, scope, places, serving, state: Arc::default(), runtime }
    }

    /// Finds out, beside the calls, whether all that serves lies there.
    fn look(&self) {
        self.pause();
        let (store, state, scope) = (Arc::clone(&self.store), Arc::clone(&self.state), self.scope);
        let place = self.index.place().to_owned();
        self.runtime.spawn(async move {
            match store.is_mirrored(&scope, &place).await {
                Ok(true) => {
                    state.is_whole.store(true, Ordering::Release);
                    state.pause_until_ms.store(0, Ordering::Release);
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "whether the vectors of a business lie elsewhere is not known"),
            }
        });
    }

    fn pause(&self) {
        let pause_ms = i64::try_from(limits::VECTOR_PAUSE_MS).unwrap_or(i64::MAX);
        self.state.pause_until_ms.store(wall_ms().saturating_add(pause_ms), Ordering::Release);
    }

    fn ask(&self, query: &Embedding, count: usize) -> Option<Vec<Place>> {
        let (answer, answered) = mpsc::sync_channel(1);
        let (index, scope, query) = (Arc::clone(&self.index), self.scope, *query);
        self.runtime.spawn(async move {
            // Nobody may be there any more.
            let _ = answer.send(index.search(&scope, &query, count).await);
        });
        // The store has a deadline of its own; this one is for a runtime that has no time.
        let patience = Duration::from_millis(limits::VECTOR_SEARCH_MS_MAX * 2);
        let found = answered.recv_timeout(patience).ok()?.ok()?;
        Some(checked(found, &self.scope, &self.serving))
    }
}

fn counted(outcome: &'static str) {
    metrics::counter!("frontdesk_knowledge_nominations_total", "outcome" => outcome).increment(1);
}

impl Nominate for Nominations {
    fn nearest(&self, query: &Embedding, count: usize) -> Option<Vec<usize>> {
        if wall_ms() < self.state.pause_until_ms.load(Ordering::Acquire) {
            counted("paused");
            return None;
        }
        if !self.state.is_whole.load(Ordering::Acquire) {
            self.look();
            counted("not_whole");
            return None;
        }
        let Some(places) = self.ask(query, count) else {
            self.pause();
            counted("away");
            return None;
        };
        let known = places.iter().filter_map(|one| self.places.get(&(one.document, one.ordinal)).copied());
        let found: Vec<usize> = known.collect();
        counted(if found.is_empty() { "nothing" } else { "used" });
        (!found.is_empty()).then_some(found)
    }
}

/// Brings the vectors of all businesses to where they should lie, and has forgotten there what is gone here.
pub struct Mirroring {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// Where they should lie.
    pub index: Arc<dyn VectorIndex>,
}

#[async_trait]
impl Handler for Mirroring {
    async fn run(&self, _job: &Job) -> Outcome {
        let unlike = match self.store.unmirrored(self.index.place()).await {
            Ok(unlike) => unlike,
            Err(error) => return error.into(),
        };
        let mut failed = None;
        for scope in unlike {
            match mirror(self.store.as_ref(), self.index.as_ref(), &scope, EMBEDDING_WIDTH).await {
                Ok(done) => {
                    tracing::info!(business = %scope.business, sent = done.sent, forgotten = done.forgotten, "vectors lie where they should");
                }
                // One business must not be in the way of the others.
                Err(MirrorError::Store(error)) => failed = Some(error.to_string()),
                Err(MirrorError::Index(failure)) => failed = Some(failure.to_string()),
            }
        }
        failed.map_or(Outcome::Done, Outcome::Retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BusinessId, ErrorClass, Failure};
    use knowledge::index::{Neighbour, Point};
    use std::sync::atomic::AtomicUsize;
    use store::knowledge::VersionId;
    use store::{SqlStore, SqliteOptions};

    /// Finds one passage of ours and one of somebody else, or fails.
    struct Toy {
        ours: Neighbour,
        is_away: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl VectorIndex for Toy {
        fn place(&self) -> &str {
            "toy"
        }
        async fn prepare(&self, _: &TenantScope, _: usize) -> Result<(), Failure> {
            Ok(())
        }
        async fn upsert(&self, _: &TenantScope, _: Vec<Point>) -> Result<(), Failure> {
            Ok(())
        }
        async fn delete(&self, _: &TenantScope, _: VersionId, _: u32) -> Result<(), Failure> {
            Ok(())
        }
        async fn search(&self, _: &TenantScope, _: &[f32], _: usize) -> Result<Vec<Neighbour>, Failure> {
            self.asked.fetch_add(1, Ordering::AcqRel);
            if self.is_away.load(Ordering::Acquire) {
                return Err(Failure::new(ErrorClass::Unavailable, "away"));
            }
            let theirs = Neighbour { business: BusinessId::generate(), ..self.ours };
            Ok(vec![theirs, self.ours])
        }
        async fn count(&self, _: &TenantScope) -> Result<u64, Failure> {
            Ok(0)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_that_is_away_is_left_alone_and_the_own_index_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
        let scope = TenantScope { business: BusinessId::generate() };
        let place = Place { document: DocumentId::generate(), version: 3, ordinal: 7 };
        let ours = Neighbour { business: scope.business, place, similarity: 0.9 };
        let toy = Arc::new(Toy { ours, is_away: AtomicBool::new(false), asked: AtomicUsize::new(0) });
        let elsewhere = Elsewhere { index: toy.clone(), from_passages: 0 };
        let (places, serving) = ([((place.document, 7), 42)].into(), [(place.document, 3)].into());
        let nominations = Arc::new(Nominations::new(&elsewhere, Arc::new(store), scope, places, serving));
        let ask = || {
            let nominations = Arc::clone(&nominations);
            tokio::task::spawn_blocking(move || nominations.nearest(&[0.0; EMBEDDING_WIDTH], 5))
        };
        assert_eq!(ask().await.expect("asked"), None, "nobody knows yet whether everything is there");
        while !nominations.state.is_whole.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        nominations.state.pause_until_ms.store(0, Ordering::Release);
        assert_eq!(ask().await.expect("asked"), Some(vec![42]), "ours, and not that of somebody else");
        toy.is_away.store(true, Ordering::Release);
        assert_eq!(ask().await.expect("asked"), None);
        let asked = toy.asked.load(Ordering::Acquire);
        assert_eq!(ask().await.expect("asked"), None);
        assert_eq!(toy.asked.load(Ordering::Acquire), asked, "it is left alone for a while");
    }
}
