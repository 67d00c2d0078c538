//! A store with businesses, and an encoder whose vectors count words.

use async_trait::async_trait;
use base::BusinessId;
use knowledge::child::Parser;
use knowledge::ingest::{Encoder, Further, Ingest, Served, serving_page};
use model::business::{Business, TenantScope};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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

    fn encode(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let one = |text: &String| {
            self.encoded.fetch_add(1, Ordering::Relaxed);
            if text.contains("UNSPEAKABLE") {
                return Err("no vector for that".into());
            }
            let mut vector = vec![0.1_f32; 8];
            text.split_whitespace().for_each(|word| vector[word.len() % 8] += 1.0);
            Ok(vector)
        };
        texts.iter().map(one).collect()
    }
}

/// A service whose vectors are so many times the number of the words, and that can be away.
#[derive(Default)]
pub struct Service {
    pub spaces: Mutex<Vec<String>>,
    pub is_away: AtomicBool,
    pub texts: AtomicUsize,
}

#[async_trait]
impl Further for Service {
    async fn spaces(&self, _: &TenantScope) -> Result<Vec<String>, String> {
        Ok(self.spaces.lock().unwrap().clone())
    }

    async fn encode(&self, _: &TenantScope, space: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err("the service is away".into());
        }
        self.texts.fetch_add(texts.len(), Ordering::Relaxed);
        let width = knowledge::spaces::width(space).unwrap();
        Ok(texts.iter().map(|text| vec![text.split_whitespace().count() as f32; width]).collect())
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
        self.served(scope, "toy", None).await.0.into_iter().flat_map(|one| one.passage.sentences).collect()
    }

    /// Every passage that serves with vectors in a space, and in a further one; and how many have none there.
    pub async fn served(&self, scope: &TenantScope, space: &str, further: Option<&str>) -> (Vec<Served>, usize) {
        let (mut all, mut strange, mut after) = (Vec::new(), 0, None);
        loop {
            let page = serving_page(self.store.as_ref(), scope, space, further, after).await.unwrap();
            all.extend(page.passages);
            strange += page.strange;
            after = page.next;
            if after.is_none() {
                return (all, strange);
            }
        }
    }
}

async fn business(store: &dyn Store, slug: &str) -> TenantScope {
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, slug: slug.into(), name: slug.into(), time_zone: "UTC".into() };
    store.put_business(&scope, &business).await.unwrap();
    scope
}
