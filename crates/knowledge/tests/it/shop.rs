//! A store with businesses, and an encoder whose vectors count words.

use base::BusinessId;
use knowledge::child::Parser;
use knowledge::ingest::{Encoder, Ingest, serving};
use model::business::{Business, TenantScope};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{SqlStore, SqliteOptions, Store};
use tempfile::TempDir;

/// Vectors of eight numbers that depend on the words alone.
#[derive(Default)]
pub struct Toy {
    pub encoded: AtomicUsize,
}

impl Encoder for Toy {
    fn space(&self) -> &str {
        "toy"
    }

    fn encode(&self, text: &str) -> Result<Vec<f32>, String> {
        self.encoded.fetch_add(1, Ordering::Relaxed);
        if text.contains("UNSPEAKABLE") {
            return Err("no vector for that".into());
        }
        let mut vector = vec![0.1_f32; 8];
        text.split_whitespace().for_each(|word| vector[word.len() % 8] += 1.0);
        Ok(vector)
    }
}

pub struct Shop {
    pub store: Arc<dyn Store>,
    pub ingest: Ingest,
    pub parser: Parser,
    pub toy: Arc<Toy>,
    pub scope: TenantScope,
    pub other: TenantScope,
    _folder: TempDir,
}

impl Shop {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("test.db"))).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let (scope, other) = (business(store.as_ref(), "shop").await, business(store.as_ref(), "other").await);
        let toy = Arc::new(Toy::default());
        let parser = Parser::new(env!("CARGO_BIN_EXE_read-document"), &[]);
        let ingest = Ingest::new(Arc::clone(&store), parser.clone(), Arc::clone(&toy) as Arc<dyn Encoder>);
        Self { store, ingest, parser, toy, scope, other, _folder: folder }
    }

    /// Every sentence that serves, in order of documents.
    pub async fn says(&self, scope: &TenantScope) -> Vec<String> {
        let (passages, _) = serving(self.store.as_ref(), scope, "toy").await.unwrap();
        passages.into_iter().flat_map(|(passage, _)| passage.sentences).collect()
    }
}

async fn business(store: &dyn Store, slug: &str) -> TenantScope {
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, slug: slug.into(), name: slug.into(), time_zone: "UTC".into() };
    store.put_business(&scope, &business).await.unwrap();
    scope
}
