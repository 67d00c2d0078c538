//! Every index of vectors obeys the same laws: our own rows in both databases, what agents have in memory, and each vector store
//! through its codec over a real socket.
#![allow(clippy::unwrap_used)]

use base::{Failure, Secret};
use egress::{Egress, EgressConfig, Policy};
use knowledge::index::{Neighbour, Place, Point, Rows, VectorIndex, serving};
use knowledge::index_laws::Subject;
use local::language::{Assembly, Embedding, Gate};
use model::business::TenantScope;
use providers::ProviderOptions;
use providers::vectors::PROVIDERS;
use runtime::drivers::HttpVectors;
use sim::twins::vectors::VectorTwin;
use sim::twins::{Fault, Moment};
use std::io;
use std::sync::Arc;
use store::knowledge::VersionId;
use store::{SqlStore, SqliteOptions, Store};
use tempfile::TempDir;

async fn sqlite() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.unwrap();
    (Arc::new(store), folder)
}

/// A vector store behind its codec.
struct Remote {
    index: HttpVectors,
    twin: VectorTwin,
}

impl Subject for Remote {
    fn index(&self) -> &dyn VectorIndex {
        &self.index
    }

    fn fails(&self, fails: bool) -> bool {
        let faults = &self.twin.twin.faults;
        if fails {
            faults.set(Moment::Start, Fault::Status { status: 503, retry_after_s: None });
        } else {
            faults.clear();
        }
        true
    }

    fn forgets_filters(&self, forgets: bool) -> bool {
        self.twin.table.forget_filters(forgets);
        true
    }

    fn holds(&self, document: base::DocumentId) -> Option<bool> {
        let table = &self.twin.table;
        Some(table.holds(&document.to_string()) || table.holds(&document.0.as_simple().to_string()))
    }
}

fn index(name: &str, base_url: &str, key: Option<&str>) -> HttpVectors {
    let options = ProviderOptions {
        api_key: key.map(|key| Secret::new(key.to_owned())),
        base_url: Some(base_url.to_owned()),
        ..ProviderOptions::default()
    };
    let provider = PROVIDERS.open(name, &options).unwrap();
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    HttpVectors::new(name, Arc::new(move || provider.protocol()), egress)
}

async fn remote(name: &str, twin: impl Future<Output = io::Result<VectorTwin>>) -> (Arc<dyn Store>, Remote, TempDir) {
    let (store, folder) = sqlite().await;
    let twin = twin.await.unwrap();
    (store, Remote { index: index(name, &twin.twin.base_url, Some(&twin.twin.key)), twin }, folder)
}

/// Our rows.
struct Own(Rows);

impl Subject for Own {
    fn index(&self) -> &dyn VectorIndex {
        &self.0
    }
}

mod rows_of_sqlite {
    async fn open() -> (super::Arc<dyn super::Store>, super::Own, super::TempDir) {
        let (store, folder) = super::sqlite().await;
        let rows = super::Rows::new(store.clone());
        (store, super::Own(rows), folder)
    }
    knowledge::index_laws!(open());
}

mod rows_of_postgres {
    async fn open() -> (super::Arc<dyn super::Store>, super::Own, impl Sized) {
        let (store, guard) = testkit::stores::on_postgres().await;
        let rows = super::Rows::new(store.clone());
        (store, super::Own(rows), guard)
    }
    knowledge::index_laws!(open());
}

/// What agents have in memory, loaded anew for every question.
struct Memory(Arc<dyn Store>);

impl Subject for Memory {
    fn index(&self) -> &dyn VectorIndex {
        self
    }
}

#[async_trait::async_trait]
impl VectorIndex for Memory {
    fn place(&self) -> &str {
        "memory"
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
    async fn search(&self, scope: &TenantScope, vector: &[f32], count: usize) -> Result<Vec<Neighbour>, Failure> {
        let (mut assembly, mut places) = (Assembly::new(Gate::default()), Vec::new());
        let versions = serving(self.0.as_ref(), scope).await.unwrap();
        let mut after = None;
        loop {
            let page = self.0.serving_chunks(scope, after).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.document, last.ordinal));
            for one in page {
                let numbers = one.vectors.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
                let numbers: Vec<f32> = numbers.collect();
                assembly.push(one.passage, &numbers, &[]).unwrap();
                places.push(Place { document: one.document, version: versions[&one.document], ordinal: one.ordinal });
            }
        }
        let query: Embedding = vector.try_into().unwrap();
        let near = assembly.finish().candidates("", &query).into_iter().take(count);
        // The sum of the cosines of the passage and of its nearest sentence, which is the passage here.
        let near = near.map(|(at, dense)| (places[at], dense / 2.0));
        Ok(near.map(|(place, similarity)| Neighbour { business: scope.business, place, similarity }).collect())
    }
    async fn count(&self, scope: &TenantScope) -> Result<u64, Failure> {
        Rows::new(self.0.clone()).count(scope).await
    }
}

mod memory {
    async fn open() -> (super::Arc<dyn super::Store>, super::Memory, super::TempDir) {
        let (store, folder) = super::sqlite().await;
        (store.clone(), super::Memory(store), folder)
    }
    knowledge::index_laws!(open());
}

macro_rules! stores {
    ($($name:ident),+) => {$(
        mod $name {
            knowledge::index_laws!(super::remote(stringify!($name), sim::twins::$name::start()));
        }
    )+};
}
stores!(qdrant, pinecone, weaviate, chroma, azure_ai_search);
