//! Which service embeds the documents of a business, beside the model of this machine: chosen by people, tried before anything is
//! changed, and serving once all passages have its vectors.

use super::kept::{keep, kept};
use super::{DocumentError, Documents, new_work};
use crate::documents::KNOWLEDGE_JOB;
use crate::on_device::NAME;
use crate::reading::{Sited, stays};
use crate::service::EmbedService;
use crate::spaces::Offered;
use crate::wall_ms;
use base::{Failure, Pii, limits};
use knowledge::ingest::{self, Again};
use knowledge::spaces;
use local::language::LanguageModels;
use local::language::embed::cosine;
use local::language::knowledge::Scale;
use model::business::TenantScope;
use providers::embed::EmbedPurpose;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::contract::office::ValueKind;
use store::knowledge_work::{Fate, Work, WorkDocument, WorkKind};
use store::{Store, StoreError};

/// What is kept of the choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptEmbedding {
    /// What serves; `None`: the model of this machine alone.
    pub serving: Option<Chosen>,
}

/// A service that embeds the documents of a business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Registry name.
    pub provider: String,
    /// The space of its vectors, with their width.
    pub space: String,
    /// What its cosines are worth to the gate.
    pub scale: Scale,
    /// Unix milliseconds when it was chosen.
    pub at_ms: i64,
}

/// What work on new vectors is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {
    chosen: Chosen,
    /// How often the choice was changed before: whoever chooses anew meanwhile has the last word.
    version: u32,
}

/// Why a service cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// There is none of this name, it has no key, or it may not be asked.
    #[error("{0}")]
    Unusable(String),
    /// What the business may spend in a month is spent.
    #[error("what may be spent in a month is used up")]
    Spent,
    /// It was tried, and failed.
    #[error("{0}")]
    Failed(Failure),
    /// Something of ours.
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

impl From<StoreError> for EmbeddingError {
    fn from(error: StoreError) -> Self {
        Self::Documents(error.into())
    }
}

/// What embeds the documents of a business, and how often that was changed.
///
/// # Errors
/// When the store does not answer.
pub async fn kept_embedding(store: &dyn Store, scope: &TenantScope) -> Result<(KeptEmbedding, u32), StoreError> {
    kept(store, scope, ValueKind::Embedding).await
}

/// Work among which the newest on vectors is looked for.
const NEWEST_WORKS: u32 = 20;

/// Questions with what answers them. How near a service puts these, and how far from each other those that do not belong
/// together, says what its cosines are worth.
const PROBES: [(&str, &str); 8] = [
    ("How much does delivery cost?", "Delivery costs 5 euros and is free of charge from 50 euros on."),
    ("When are you open on Saturday?", "We are open on Saturday from nine to four and closed on Sunday."),
    (
        "Can I return a product that I do not like?",
        "You can return any product within thirty days and get the money back.",
    ),
    ("Where is your shop?", "Our shop is in the main street, next to the town hall."),
    ("How do I book a repair?", "Book a repair on our website or by phone; it takes two days."),
    ("Do you speak French?", "Our staff speak English, French and German."),
    ("Is my dog allowed in the room?", "A dog may stay in the room for a fee of ten euros a night."),
    ("What do I need to open an account?", "To open an account you need a passport and proof of your address."),
];

/// Mean cosines of probes that do not belong together, and of those that do.
fn apart<V: AsRef<[f32]>>(questions: &[V], answers: &[V]) -> (f32, f32) {
    let (mut unrelated, mut related) = (0.0, 0.0);
    for (at, question) in questions.iter().enumerate() {
        for (other, answer) in answers.iter().enumerate() {
            *(if at == other { &mut related } else { &mut unrelated }) += cosine(question.as_ref(), answer.as_ref());
        }
    }
    let count = questions.len().max(2) as f32;
    (unrelated / (count * (count - 1.0)), related / count)
}

fn own_apart(models: &LanguageModels) -> Result<(f32, f32), local::language::LanguageError> {
    let questions = models.embedder.embed_all(&PROBES.map(|one| one.0))?;
    let answers = models.embedder.embed_all(&PROBES.map(|one| one.1))?;
    Ok(apart(&questions, &answers))
}

impl Documents {
    /// What embeds the documents of a business, and the newest work on new vectors.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn embedding(&self, scope: &TenantScope) -> Result<(KeptEmbedding, Option<Work>), DocumentError> {
        let kept = kept_embedding(self.store.as_ref(), scope).await?.0;
        let newest = self.store.works(scope, None, NEWEST_WORKS).await?;
        Ok((kept, newest.rows.into_iter().find(|work| work.progress.embedding.is_some())))
    }

    /// Services that can be chosen, and why others cannot.
    pub fn embedders(&self) -> &[Offered] {
        self.minds.spaces().map_or(&[], |spaces| spaces.offered())
    }

    /// Lets a service embed the documents of a business; `local` is the model of this machine alone, and serves at once. Another
    /// one is tried first, and serves when all passages have its vectors; until then, and for ever if that fails, what served before
    /// does. The work is answered, when there is any.
    ///
    /// # Errors
    /// When it cannot be chosen. `Conflict` while passages get new vectors.
    pub async fn choose_embedding(
        &self,
        scope: &TenantScope,
        provider: &str,
    ) -> Result<(KeptEmbedding, Option<Work>), EmbeddingError> {
        if provider == NAME {
            return Ok((self.serve_embedding(scope, None).await?, None));
        }
        let chosen = self.try_embedding(scope, provider).await?;
        let (kept, version) = kept_embedding(self.store.as_ref(), scope).await?;
        let work = self.begin_embedding(scope, Wanted { chosen, version }).await?;
        Ok((kept, Some(work)))
    }

    async fn begin_embedding(&self, scope: &TenantScope, wanted: Wanted) -> Result<Work, DocumentError> {
        let mut work = new_work(WorkKind::Reindex, wanted.chosen.provider.clone());
        let written = serde_json::to_value(&wanted).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        work.progress.embedding = Some(written);
        self.begin(scope, work, Some(format!("{KNOWLEDGE_JOB}.reindex.{}", scope.business))).await
    }

    /// Tries a service without changing anything: whether it may be chosen and answers, and what its vectors are worth.
    ///
    /// # Errors
    /// When it cannot be chosen.
    pub async fn try_embedding(&self, scope: &TenantScope, provider: &str) -> Result<Chosen, EmbeddingError> {
        let sited = self.usable(scope, provider).await?;
        self.probe(scope, provider, &sited).await
    }

    /// Lets a service serve whose vectors all passages have, or the model of this machine alone.
    ///
    /// # Errors
    /// When the store does not answer, or it was changed meanwhile.
    pub async fn serve_embedding(
        &self,
        scope: &TenantScope,
        serving: Option<Chosen>,
    ) -> Result<KeptEmbedding, StoreError> {
        let (_, version) = kept_embedding(self.store.as_ref(), scope).await?;
        let kept = KeptEmbedding { serving };
        keep(self.store.as_ref(), scope, ValueKind::Embedding, &kept, version).await?;
        Ok(kept)
    }

    async fn usable(&self, scope: &TenantScope, provider: &str) -> Result<Sited<dyn EmbedService>, EmbeddingError> {
        let offered = self.embedders();
        let Some(one) = offered.iter().find(|one| one.name == provider) else {
            let names: Vec<&str> = offered.iter().map(|one| one.name.as_str()).collect();
            let why = format!("there is no service {provider} that embeds; there are {NAME}, {}", names.join(", "));
            return Err(EmbeddingError::Unusable(why));
        };
        let sited = one.service.clone().map_err(EmbeddingError::Unusable)?;
        let agents = self.store.agents(scope, None).await?;
        let kept_in = agents.iter().find(|one| !stays(&one.agent.providers.regions, sited.region));
        match kept_in {
            Some(agent) => Err(EmbeddingError::Unusable(format!(
                "the agent {} keeps what is said in regions of which {provider} is none",
                agent.agent.slug
            ))),
            None => Ok(sited),
        }
    }

    /// Has a service embed what is known, to see that it answers, how wide its vectors are and what its cosines are worth.
    async fn probe(
        &self,
        scope: &TenantScope,
        provider: &str,
        sited: &Sited<dyn EmbedService>,
    ) -> Result<Chosen, EmbeddingError> {
        let unusable = |why: &str| EmbeddingError::Unusable(why.to_owned());
        let spaces = self.minds.spaces().ok_or_else(|| unusable("no service that embeds is configured"))?;
        let bill = spaces.bill(scope).await?;
        if !bill.allows(sited.region) {
            return Err(EmbeddingError::Spent);
        }
        let texts =
            |texts: [&str; PROBES.len()]| -> Vec<Pii<String>> { texts.iter().map(|text| (*text).into()).collect() };
        let questions = spaces.embed(sited, texts(PROBES.map(|one| one.0)), EmbedPurpose::Query, &bill).await;
        let answers = match &questions {
            Ok(_) => spaces.embed(sited, texts(PROBES.map(|one| one.1)), EmbedPurpose::Document, &bill).await,
            Err(_) => Ok(Vec::new()),
        };
        spaces.settle(scope, &bill).await;
        let (questions, answers) =
            (questions.map_err(EmbeddingError::Failed)?, answers.map_err(EmbeddingError::Failed)?);
        let width = questions.first().map_or(0, Vec::len);
        if width == 0 || questions.iter().chain(&answers).any(|one| one.len() != width) {
            return Err(unusable("its vectors are not all of one width"));
        }
        let models = Arc::clone(self.minds.models());
        let own = self.brain.think(move || own_apart(&models)).await.map_err(DocumentError::Unavailable)?;
        let own = own.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
        let scale = Scale::between(apart(&questions, &answers), own);
        let scale =
            scale.ok_or_else(|| unusable("its vectors hardly tell a question from what it has nothing to do with"))?;
        let space = spaces::named(sited.service.space(), width);
        Ok(Chosen { provider: provider.to_owned(), space, scale, at_ms: wall_ms() })
    }

    /// Gives all passages the vectors of a service that are missing, and lets it serve when all are there.
    pub(super) async fn embed_for(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        wanted: Wanted,
    ) -> Result<(), DocumentError> {
        let again = Again::Missing(wanted.chosen.space.clone());
        // Documents may come while it goes on.
        for _ in 0..limits::EMBED_PASSES_MAX {
            let before = work.progress.documents.clone();
            self.index_again(scope, work, &again).await?;
            let is_new = |one: &WorkDocument| one.fate == Fate::Ready;
            let is_over = !work.progress.documents.iter().any(is_new);
            // What people see is what became of each document, not that nothing was left to be done.
            for (one, first) in work.progress.documents.iter_mut().zip(before) {
                if one.name == first.name && first.fate == Fate::Ready && one.fate == Fate::Unchanged {
                    *one = first;
                }
            }
            if is_over {
                break;
            }
        }
        let kept = KeptEmbedding { serving: Some(wanted.chosen) };
        match keep(self.store.as_ref(), scope, ValueKind::Embedding, &kept, wanted.version).await {
            // Somebody chose otherwise meanwhile.
            Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Documents that were taken in while another service was chosen have no vectors of it yet.
    pub(super) async fn embed_late(&self, scope: &TenantScope, before: &KeptEmbedding) -> Result<(), DocumentError> {
        let (kept, version) = kept_embedding(self.store.as_ref(), scope).await?;
        let Some(chosen) = kept.serving.clone().filter(|_| kept != *before) else { return Ok(()) };
        let begun = self.begin_embedding(scope, Wanted { chosen, version }).await;
        match begun {
            Ok(_) | Err(DocumentError::Store(StoreError::Conflict(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Indexes all documents again, one after the other.
    pub(super) async fn index_again(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        again: &Again,
    ) -> Result<(), DocumentError> {
        let documents = ingest::documents(self.store.as_ref(), scope).await?;
        work.progress.total = u32::try_from(documents.len()).unwrap_or(u32::MAX);
        work.progress.documents = documents
            .iter()
            .map(|one| WorkDocument { document: Some(one.slug.clone()), ..WorkDocument::waiting(&one.source) })
            .collect();
        for (index, one) in documents.iter().enumerate() {
            self.index_one_again(scope, work, (index, &one.slug), again).await?;
        }
        Ok(())
    }
}
