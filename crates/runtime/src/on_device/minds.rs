//! Where the on-device brain of each business comes from: documents of the store, their vectors, the agents' tools.

use crate::wall_ms;
use base::{BusinessId, GapId};
use futures_util::future::BoxFuture;
use knowledge::child::Parser;
use knowledge::ingest::{self, Encoder, Ingest, Source};
use local::language::knowledge::SPACE;
use local::language::{Brain, EMBEDDING_WIDTH, Embedding, Gate, Knowledge, LanguageModels};
use model::business::TenantScope;
use model::passage::Passage;
use std::sync::Arc;
use store::Store;
use store::knowledge::Gap;

/// A brain and which state of the documents it knows.
#[derive(Clone, Debug)]
pub struct Mind {
    /// Of the documents.
    pub revision: u64,
    /// The brain.
    pub brain: Arc<Brain>,
    /// Bytes of its index, about.
    pub bytes: usize,
}

/// Gives brains to businesses.
pub trait Minds: Send + Sync {
    /// The state of the documents now; `None` when it cannot be told.
    fn revision(&self, business: BusinessId) -> BoxFuture<'static, Option<u64>>;
    /// The brain over the documents as they are now, or why there is none.
    fn load(&self, business: BusinessId) -> BoxFuture<'static, Result<Mind, String>>;
    /// A question found no answer.
    fn unanswered(&self, business: BusinessId, question: String) -> BoxFuture<'static, ()>;
}

struct ModelEncoder(Arc<LanguageModels>);

impl Encoder for ModelEncoder {
    fn space(&self) -> &str {
        SPACE
    }

    fn encode(&self, text: &str) -> Result<Vec<f32>, String> {
        self.0.embedder.embed(text).map(|vector| vector.to_vec()).map_err(|error| error.to_string())
    }
}

/// The models of this machine as the encoder of documents.
pub fn encoder(models: Arc<LanguageModels>) -> Arc<dyn Encoder> {
    Arc::new(ModelEncoder(models))
}

/// Brains over the documents of the store.
#[derive(Clone)]
pub struct StoredMinds {
    store: Arc<dyn Store>,
    models: Arc<LanguageModels>,
    ingest: Ingest,
    parser: Parser,
}

impl StoredMinds {
    /// Over this store, with these models. `parser` reads what strangers wrote.
    pub fn new(store: Arc<dyn Store>, models: Arc<LanguageModels>, parser: Parser) -> Self {
        let ingest = Ingest::new(Arc::clone(&store), parser.clone(), encoder(Arc::clone(&models)));
        Self { store, models, ingest, parser }
    }

    /// The models that embed, rank and read.
    pub const fn models(&self) -> &Arc<LanguageModels> {
        &self.models
    }

    /// Takes documents in.
    pub const fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// Reads what strangers wrote.
    pub const fn parser(&self) -> &Parser {
        &self.parser
    }

    /// Texts that came with the business become documents like all others. Those that are taken in already cost a look.
    async fn take_texts(&self, scope: &TenantScope) -> Result<(), String> {
        let mut after: Option<String> = None;
        loop {
            let page = self.store.documents(scope, after.as_deref()).await.map_err(|error| error.to_string())?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.slug.clone());
            for text in page {
                let bytes = text.text.as_bytes();
                let source = Source { slug: &text.slug, title: Some(&text.title), source: &text.slug, bytes };
                if let Err(error) = self.ingest.add_own_text(scope, &source, wall_ms()).await {
                    tracing::warn!(document = text.slug, %error, "a document of the business is not taken in");
                }
            }
        }
    }

    async fn make(&self, business: BusinessId) -> Result<Mind, String> {
        let scope = TenantScope { business };
        self.take_texts(&scope).await?;
        let failed = |error: store::StoreError| error.to_string();
        // Before the chunks: what changes meanwhile is noticed at the next look.
        let revision = self.store.knowledge_revision(&scope).await.map_err(failed)?;
        let (passages, strange) = ingest::serving(self.store.as_ref(), &scope, SPACE).await.map_err(failed)?;
        if strange > 0 {
            tracing::warn!(chunks = strange, "documents with vectors of another model; add them again to use them");
        }
        let agents = self.store.agents(&scope, None).await.map_err(failed)?;
        let models = Arc::clone(&self.models);
        let work = move || {
            let index = Knowledge::assemble(passages.into_iter().map(usable), Gate::default());
            let bytes = index.memory_bytes();
            let brain = Brain::new(models, Arc::new(index));
            for agent in &agents {
                brain.warm(&agent.agent.tools).map_err(|error| error.to_string())?;
            }
            Ok(Mind { revision, brain: Arc::new(brain), bytes })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| "indexing the documents stopped".to_owned())?
    }

    async fn keep_gap(&self, business: BusinessId, question: String) -> Result<(), String> {
        let (models, text) = (Arc::clone(&self.models), question.clone());
        let vector = tokio::task::spawn_blocking(move || models.embedder.embed(&text)).await;
        let vector = vector.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let gap = Gap {
            id: GapId::generate(),
            question: question.into(),
            asked_at_ms: wall_ms(),
            space: SPACE.into(),
            vector: vector.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        self.store.add_gap(&TenantScope { business }, &gap).await.map_err(|error| error.to_string())
    }
}

/// A passage with vectors as the index wants them; of another width there are none, and the index leaves it out.
fn usable((passage, vectors): (Passage, Vec<Vec<f32>>)) -> (Passage, Vec<Embedding>) {
    let fixed = |vector: Vec<f32>| <[f32; EMBEDDING_WIDTH]>::try_from(vector).ok();
    (passage, vectors.into_iter().map_while(fixed).collect())
}

impl Minds for StoredMinds {
    fn revision(&self, business: BusinessId) -> BoxFuture<'static, Option<u64>> {
        let store = Arc::clone(&self.store);
        Box::pin(async move { store.knowledge_revision(&TenantScope { business }).await.ok() })
    }

    fn load(&self, business: BusinessId) -> BoxFuture<'static, Result<Mind, String>> {
        let this = self.clone();
        Box::pin(async move { this.make(business).await })
    }

    fn unanswered(&self, business: BusinessId, question: String) -> BoxFuture<'static, ()> {
        let this = self.clone();
        Box::pin(async move {
            if let Err(error) = this.keep_gap(business, question).await {
                tracing::warn!(error, "a question without an answer is not kept");
            }
        })
    }
}
