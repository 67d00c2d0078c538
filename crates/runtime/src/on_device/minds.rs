//! Where the on-device brain of each business comes from: documents of the store, their vectors, the agents' tools.

use super::elsewhere::{Elsewhere, Nominations};
use crate::documents::embedding::{Chosen, kept_embedding};
use crate::documents::gate::kept_gate;
use crate::service::Bill;
use crate::spaces::Spaces;
use crate::wall_ms;
use base::{BusinessId, DocumentId, GapId, limits};
use futures_util::future::BoxFuture;
use knowledge::child::Parser;
use knowledge::graph::FoundName;
use knowledge::ingest::{self, Encoder, Further, Ingest, NameFinder, Source};
use knowledge::spaces;
use local::language::facts::{Fact, Facts, Thing};
use local::language::knowledge::{Made, SPACE};
use local::language::names::NameKind;
use local::language::{Assembly, Brain, Gate, LanguageModels};
use model::business::TenantScope;
use std::collections::HashMap;
use std::sync::Arc;
use store::graph::{EntityFilter, EntityKind};
use store::knowledge::Gap;
use store::{Store, StoreError};
use uuid::Uuid;

/// A brain and which state of the documents it knows.
#[derive(Clone, Debug)]
pub struct Mind {
    /// Of the documents and the gate.
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
    /// Vectors of questions in the space of a brain's documents, when a service that made them answers in time.
    fn made(&self, _brain: Arc<Brain>, _questions: Vec<String>, _bill: Bill) -> BoxFuture<'static, Made> {
        Box::pin(async { Made::default() })
    }
    /// A question found no answer.
    fn unanswered(&self, business: BusinessId, question: String) -> BoxFuture<'static, ()>;
}

struct ModelEncoder(Arc<LanguageModels>);

impl Encoder for ModelEncoder {
    fn space(&self) -> &str {
        SPACE
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let vectors = self.0.embedder.embed_all(texts).map_err(|error| error.to_string())?;
        Ok(vectors.into_iter().map(Vec::from).collect())
    }
}

struct ModelNames(Arc<LanguageModels>);

impl NameFinder for ModelNames {
    fn names(&self, sentence: &str) -> Vec<FoundName> {
        let found = self.0.names.as_ref().map_or(Ok(Vec::new()), |names| names.find(sentence));
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "names in a document are not looked for");
            Vec::new()
        });
        // A given name alone is often none.
        let whole = found.into_iter().filter(|one| one.is_whole);
        let name = |kind: NameKind| if kind == NameKind::Person { EntityKind::Person } else { EntityKind::Place };
        whole.map(|one| FoundName { kind: name(one.kind), name: sentence[one.range].to_owned() }).collect()
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
    elsewhere: Option<Elsewhere>,
    spaces: Option<Arc<Spaces>>,
}

impl StoredMinds {
    /// Over this store, with these models. `parser` reads what strangers wrote.
    pub fn new(store: Arc<dyn Store>, models: Arc<LanguageModels>, parser: Parser) -> Self {
        let names = models.names.is_some().then(|| Arc::new(ModelNames(Arc::clone(&models))) as Arc<dyn NameFinder>);
        let ingest = Ingest::new(Arc::clone(&store), parser.clone(), encoder(Arc::clone(&models))).with_names(names);
        Self { store, models, ingest, parser, elsewhere: None, spaces: None }
    }

    /// The same, with services that businesses may choose to embed their documents.
    #[must_use]
    pub fn with_spaces(mut self, spaces: Arc<Spaces>) -> Self {
        self.ingest = self.ingest.with_further(Arc::clone(&spaces) as Arc<dyn Further>);
        self.spaces = Some(spaces);
        self
    }

    /// Services that businesses may choose to embed their documents.
    pub fn spaces(&self) -> Option<&Spaces> {
        self.spaces.as_deref()
    }

    /// Vectors of questions that people ask beside calls.
    ///
    /// # Errors
    /// When it cannot be told what may be spent.
    pub async fn made_for_people(
        &self,
        scope: &TenantScope,
        brain: &Brain,
        questions: Vec<String>,
    ) -> Result<Made, StoreError> {
        let (Some(spaces), Some(space)) = (&self.spaces, brain.knowledge().further_space()) else {
            return Ok(Made::default());
        };
        let bill = spaces.bill(scope).await?;
        let made = spaces.made(Some(space), questions, &bill).await;
        spaces.settle(scope, &bill).await;
        Ok(made)
    }

    /// The same, over vectors that lie elsewhere too.
    #[must_use]
    pub fn with_elsewhere(mut self, elsewhere: Option<Elsewhere>) -> Self {
        self.elsewhere = elsewhere;
        self
    }

    /// Where vectors lie too.
    pub const fn elsewhere(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_ref()
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
        let revision = state(self.store.as_ref(), &scope).await.map_err(failed)?;
        // Versions before passages: one that changes in between is not found elsewhere, and soon loaded again.
        let serving = match &self.elsewhere {
            Some(_) => knowledge::index::serving(self.store.as_ref(), &scope).await.map_err(failed)?,
            None => HashMap::new(),
        };
        let gate = kept_gate(self.store.as_ref(), &scope).await.map_err(failed)?.0.in_force();
        let chosen = kept_embedding(self.store.as_ref(), &scope).await.map_err(failed)?.0.serving;
        let (assembly, places, strange) = self.assemble(&scope, gate, chosen).await?;
        let facts = self.facts(&scope, &places).await.map_err(failed)?;
        if strange > 0 {
            tracing::warn!(chunks = strange, "documents with vectors of another model; add them again to use them");
        }
        let agents = self.store.agents(&scope, None).await.map_err(failed)?;
        let models = Arc::clone(&self.models);
        let elsewhere = self.elsewhere.as_ref().filter(|one| places.len() >= one.from_passages);
        let nominations = elsewhere.map(|one| Nominations::new(one, Arc::clone(&self.store), scope, places, serving));
        let work = move || {
            let mut index = assembly.finish().with_facts(facts);
            if let Some(nominations) = nominations {
                index = index.with_elsewhere(Arc::new(nominations));
            }
            let index = Arc::new(index);
            let bytes = index.memory_bytes();
            if index.is_large() {
                let index = Arc::clone(&index);
                // Minutes of work, and until it is done every passage is looked at: nobody waits for it.
                let linking = std::thread::Builder::new().name("knowledge-link".into()).spawn(move || index.link());
                linking.map_err(|error| error.to_string())?;
            }
            let brain = Brain::new(models, index);
            for agent in &agents {
                brain.warm(&agent.agent.tools).map_err(|error| error.to_string())?;
            }
            Ok(Mind { revision, brain: Arc::new(brain), bytes })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| "indexing the documents stopped".to_owned())?
    }

    /// The passages that serve, with the places that they have in the index, and how many lie in another space. A service that
    /// did not embed all of them yet is left out: vectors of two spaces never stand in one list.
    async fn assemble(
        &self,
        scope: &TenantScope,
        gate: Gate,
        chosen: Option<Chosen>,
    ) -> Result<(Assembly, Places, usize), String> {
        if let Some(chosen) = &chosen {
            let (assembly, places, left_out) = self.assemble_in(scope, gate.clone(), Some(chosen)).await?;
            if left_out == 0 {
                return Ok((assembly, places, 0));
            }
            let provider = &chosen.provider;
            tracing::warn!(
                provider,
                passages = left_out,
                "not all passages have vectors of the service; this machine's serve"
            );
        }
        self.assemble_in(scope, gate, None).await
    }

    async fn assemble_in(
        &self,
        scope: &TenantScope,
        gate: Gate,
        chosen: Option<&Chosen>,
    ) -> Result<(Assembly, Places, usize), String> {
        let (mut assembly, mut places) = (Assembly::new(gate), Places::new());
        if let Some(chosen) = chosen {
            let width = spaces::width(&chosen.space).ok_or("the space of the documents has no width")?;
            assembly = assembly.with_further(&chosen.space, width, chosen.scale);
        }
        let (mut left_out, mut after) = (0, None);
        loop {
            let space = chosen.map(|chosen| chosen.space.as_str());
            let page = ingest::serving_page(self.store.as_ref(), scope, SPACE, space, after).await;
            let page = page.map_err(|error| error.to_string())?;
            left_out += page.strange;
            after = page.next;
            if after.is_none() {
                return Ok((assembly, places, left_out));
            }
            let work = move || {
                let mut lacking = 0;
                for one in page.passages {
                    match assembly.push(one.passage, &one.vectors, &one.further.unwrap_or_default()) {
                        Some(at) => drop(places.insert(one.place, at)),
                        None => lacking += 1,
                    }
                }
                (assembly, places, lacking)
            };
            let done = tokio::task::spawn_blocking(work).await;
            let (filled, known, lacking) = done.map_err(|_| "indexing the documents stopped".to_owned())?;
            (assembly, places) = (filled, known);
            left_out += lacking;
        }
    }

    /// What the passages say of the things that they name.
    async fn facts(&self, scope: &TenantScope, places: &Places) -> Result<Facts, StoreError> {
        let (mut things, mut at): (Vec<Thing>, HashMap<Uuid, usize>) = (Vec::new(), HashMap::new());
        let mut after = None;
        loop {
            let filter = EntityFilter::default();
            let page = self.store.entities(scope, filter, after.as_ref(), limits::PAGE_ROWS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some((store::graph::name_key(&last.fields.name), last.id));
            for one in page {
                at.insert(one.id, things.len());
                let names = std::iter::once(one.fields.name).chain(one.fields.aliases).collect();
                things.push(Thing { names, kind: one.fields.kind.name().into(), sections: Vec::new() });
            }
        }
        let mut after = None;
        loop {
            let page = self.store.mentions(scope, None, after).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.document, last.ordinal, last.entity));
            for one in page {
                if let (Some(&thing), Some(&section)) = (at.get(&one.entity), places.get(&(one.document, one.ordinal)))
                {
                    things[thing].sections.push(section);
                }
            }
        }
        let (mut facts, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.relations(scope, None, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for one in page {
                let Some(source) = one.source else { continue };
                let place = places.get(&(source.document, source.ordinal));
                if let (Some(&thing), Some(&section)) = (at.get(&one.subject), place) {
                    let (predicate, value, quote) = (one.predicate, one.value, source.quote);
                    let (id, negated) = (one.id.as_u128(), one.negated);
                    facts.push(Fact { id, thing, predicate, value, negated, section, quote });
                }
            }
            if facts.len() >= limits::GRAPH_RELATIONS_MAX {
                break;
            }
        }
        Ok(Facts::new(things, facts))
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

/// Where passages stand in the index, by document and ordinal.
type Places = HashMap<(DocumentId, u32), usize>;

/// The state of the documents, and of their gate and of what embeds them before it.
async fn state(store: &dyn Store, scope: &TenantScope) -> Result<u64, StoreError> {
    let ((_, gate), (_, embedding)) = (kept_gate(store, scope).await?, kept_embedding(store, scope).await?);
    // Documents of a business change less than a trillion times.
    let settings = u64::from(gate) + u64::from(embedding);
    Ok(store.knowledge_revision(scope).await? + (settings << SETTINGS_SHIFT))
}

const SETTINGS_SHIFT: u32 = 40;

impl Minds for StoredMinds {
    fn revision(&self, business: BusinessId) -> BoxFuture<'static, Option<u64>> {
        let store = Arc::clone(&self.store);
        Box::pin(async move { state(store.as_ref(), &TenantScope { business }).await.ok() })
    }

    fn load(&self, business: BusinessId) -> BoxFuture<'static, Result<Mind, String>> {
        let this = self.clone();
        Box::pin(async move { this.make(business).await })
    }

    fn made(&self, brain: Arc<Brain>, questions: Vec<String>, bill: Bill) -> BoxFuture<'static, Made> {
        let spaces = self.spaces.clone();
        Box::pin(async move {
            let Some(spaces) = spaces else { return Made::default() };
            spaces.made(brain.knowledge().further_space(), questions, &bill).await
        })
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
