//! What people do with the documents of their business: give, visit sites, ask, evaluate, see what was not answered.
//!
//! Whatever takes long is a durable job: the file is put into the storage of objects, sealed, the job is written down, and any
//! worker with the models does it. Its progress and what became of each document stand in a row that people can read.

pub mod embedding;
mod evaluation;
pub mod gate;
pub mod graph;
mod kept;
pub mod recordings;
mod training;
mod web;
mod worker;

pub use evaluation::{Evaluation, Miss};
pub use local::language::entities::{EntityType, EntityValue};
pub(crate) use training::keep_understood;
pub use training::{Intent, Lesson, TrainingReport, Understood, understood_in};
pub use web::Web;
pub use worker::{KNOWLEDGE_JOB, SITES_JOB, Visits};

use self::recordings::{AgentSide, Ears};
use crate::on_device::{Elsewhere, LocalBrain, StoredMinds};
use crate::wall_ms;
use base::{GapId, limits};
use knowledge::Refusal;
use knowledge::gaps::{Asked, Cluster, clusters};
use knowledge::ingest::slug;
use local::language::Brain;
use local::language::gate::Verdict;
use local::language::knowledge::{Hit, SearchOutcome};
use model::business::TenantScope;
use model::generation::Citation;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use store::knowledge_work::{Fate, Site, Work, WorkDocument, WorkKind, WorkProgress, WorkState};
use store::objects::{DOCUMENTS, ObjectError, ObjectName, Objects};
use store::{Cursor, NewJob, Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// A document as somebody gives it.
#[derive(Clone, Debug)]
pub struct Given {
    /// A file's name.
    pub name: String,
    /// What the document's short name is made of; the same is its next version.
    pub document: String,
    /// Title as people see it; the document's own when absent.
    pub title: Option<String>,
    /// What it consists of.
    pub content: Content,
    /// Who is on which channel, should it be a recorded call.
    pub agent: AgentSide,
}

/// What a document consists of.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file of whatever kind.
    File(Vec<u8>),
    /// Questions with their answers.
    Pairs(Vec<(String, String)>),
}

/// The kind of a document that waits and is no file.
const PAIRS: &str = "pairs";

/// Why something with documents did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something behind us does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<ObjectError> for DocumentError {
    fn from(error: ObjectError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A question that customers asked and no document answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapGroup {
    /// The question that stands for them.
    pub question: String,
    /// All of them.
    pub ids: Vec<GapId>,
    /// Unix milliseconds when it was asked last.
    pub last_at_ms: i64,
}

/// What a search found, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// `answer`, `closest` or `decline`.
    pub decision: &'static str,
    /// How probable it is that the best passage answers the question.
    pub probability: f32,
    /// From this probability on, the passage is the answer.
    pub answer_from: f32,
    /// From this probability on, the passage is named as the closest.
    pub closest_from: f32,
    /// What would be said, and where it stands; absent when declined.
    pub said: Option<Citation>,
    /// What was looked at, best first.
    pub candidates: Vec<Candidate>,
    /// Passages that were searched.
    pub passages: usize,
    /// What documents say of the things that they name, where that answered.
    pub facts: Vec<Uuid>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A passage that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Title of its document.
    pub document: String,
    /// Its heading.
    pub heading: String,
    /// Its page, from 1.
    pub page: Option<u32>,
    /// Its words.
    pub text: String,
    /// Nearness in meaning: the cosine of the passage plus that of its nearest sentence.
    pub meaning: f32,
    /// What the cross-encoder says.
    pub reading: f32,
    /// What candidates are ranked by.
    pub score: f32,
}

/// The documents of all businesses. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    store: Arc<dyn Store>,
    objects: Objects,
    minds: StoredMinds,
    brain: Arc<LocalBrain>,
    web: Web,
    uploads: Arc<Semaphore>,
    lessons: Arc<training::Lessons>,
    ears: Option<Arc<Ears>>,
}

impl Documents {
    /// Over this store and storage, with these models and brains; pages of sites come from `web`.
    pub fn new(store: Arc<dyn Store>, objects: Objects, minds: StoredMinds, brain: Arc<LocalBrain>, web: Web) -> Self {
        let uploads = Arc::new(Semaphore::new(limits::KNOWLEDGE_UPLOADS_MAX));
        Self { store, objects, minds, brain, web, uploads, lessons: Arc::default(), ears: None }
    }

    /// Where vectors lie beside our own rows.
    pub const fn elsewhere(&self) -> Option<&Elsewhere> {
        self.minds.elsewhere()
    }

    /// Room for an upload, which is in memory while it comes; `None` when as many come as may.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.uploads).try_acquire_owned().ok()
    }

    /// Whether the address of a site could be reached, as far as it tells by itself.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check_address(&self, url: &str) -> Result<(), String> {
        self.web.check(url)
    }

    /// Keeps documents and asks for them to be taken in.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn take(&self, scope: &TenantScope, given: Vec<Given>) -> Result<Work, DocumentError> {
        let source = given.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut work = new_work(WorkKind::Documents, source);
        for (index, one) in given.into_iter().enumerate() {
            let mut document = WorkDocument::waiting(&one.name);
            document.document = Some(slug(&one.document));
            document.title = one.title;
            document.agent_left = one.agent == AgentSide::Left;
            let bytes = match one.content {
                Content::File(bytes) => bytes,
                Content::Pairs(pairs) => {
                    document.kind = Some(PAIRS.into());
                    serde_json::to_vec(&pairs).unwrap_or_default()
                }
            };
            let max = limits::KNOWLEDGE_FILE_BYTES_MAX;
            if bytes.len() > max {
                refuse(&mut document, &Refusal::TooLarge { bytes: bytes.len() as u64, max: max as u64 });
            } else {
                self.objects.put(&waiting(scope, work.id, index), &bytes).await?;
            }
            work.progress.documents.push(document);
        }
        work.progress.total = u32::try_from(work.progress.documents.len()).unwrap_or(u32::MAX);
        self.begin(scope, work, None).await
    }

    /// Asks for a site to be visited. `Conflict` while that is done already.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub async fn visit(&self, scope: &TenantScope, site: &Site) -> Result<Work, DocumentError> {
        let mut work = new_work(WorkKind::Crawl, site.url.clone());
        work.progress.site = Some(site.id);
        let work = self.begin(scope, work, Some(format!("{KNOWLEDGE_JOB}.site.{}", site.id))).await?;
        let next = site.every_hours.map(|hours| wall_ms() + i64::from(hours) * HOUR_MS);
        self.store.visited(scope, site.id, work.id, next).await?;
        Ok(work)
    }

    /// Asks for all known questions to be asked. `Conflict` while that is done already.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub async fn evaluate(&self, scope: &TenantScope) -> Result<Work, DocumentError> {
        let work = new_work(WorkKind::Evaluation, String::new());
        self.begin(scope, work, Some(format!("{KNOWLEDGE_JOB}.evaluation.{}", scope.business))).await
    }

    /// Asks for new vectors of all passages. `Conflict` while that is done already.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub async fn reindex(&self, scope: &TenantScope) -> Result<Work, DocumentError> {
        let work = new_work(WorkKind::Reindex, String::new());
        self.begin(scope, work, Some(format!("{KNOWLEDGE_JOB}.reindex.{}", scope.business))).await
    }

    async fn begin(&self, scope: &TenantScope, work: Work, unique: Option<String>) -> Result<Work, DocumentError> {
        let job = NewJob {
            business: Some(scope.business),
            unique,
            attempts_max: ATTEMPTS_MAX,
            ..NewJob::now(KNOWLEDGE_JOB, json!({ "work": work.id }), work.created_at_ms)
        };
        self.store.begin_work(scope, &work, &job).await?;
        Ok(work)
    }

    /// Asks the documents.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn query(&self, scope: &TenantScope, question: String) -> Result<Found, DocumentError> {
        let began = Instant::now();
        let brain = self.brain.of(scope.business).await.map_err(DocumentError::Unavailable)?;
        let made = self.minds.made_for_people(scope, &brain, vec![question.clone()]).await?;
        let asked = Arc::clone(&brain);
        let search = move || asked.search_with(&question, &made);
        let outcome = self.brain.think(search).await.map_err(DocumentError::Unavailable)?;
        let outcome = outcome.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Found { took_ms, ..found(&brain, outcome) })
    }
}

/// What customers asked and no document answered, the most frequent first.
///
/// # Errors
/// When the store does not answer.
pub async fn gaps(store: &dyn Store, scope: &TenantScope) -> Result<Vec<GapGroup>, StoreError> {
    let (mut asked, mut ids, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = store.gaps(scope, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(Cursor { at_ms: last.asked_at_ms, id: last.id.0 });
        ids.extend(page.iter().map(|gap| gap.id));
        asked.extend(page.into_iter().map(|gap| Asked {
            question: gap.question.expose().clone(),
            at_ms: gap.asked_at_ms,
            vector: gap.vector.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
        }));
    }
    let grouped = tokio::task::spawn_blocking(move || {
        let group = |one: Cluster| GapGroup {
            ids: one.members.iter().map(|&at| ids[at]).collect(),
            question: one.question,
            last_at_ms: one.last_at_ms,
        };
        clusters(&asked).into_iter().map(group).collect()
    });
    grouped.await.map_err(|_| StoreError::Corrupt("putting questions together stopped".into()))
}

/// A job about documents is tried again this often after failures that are not the document's.
const ATTEMPTS_MAX: u32 = 4;
const HOUR_MS: i64 = 60 * 60 * 1_000;

fn new_work(kind: WorkKind, source: String) -> Work {
    let now_ms = wall_ms();
    let source = source.chars().take(SOURCE_CHARS_MAX).collect();
    Work {
        id: Uuid::now_v7(),
        kind,
        state: WorkState::Queued,
        source,
        progress: WorkProgress::default(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        finished_at_ms: None,
    }
}

const SOURCE_CHARS_MAX: usize = 500;

/// Where a document waits.
fn waiting(scope: &TenantScope, work: Uuid, index: usize) -> ObjectName {
    ObjectName { business: scope.business, kind: DOCUMENTS, name: format!("{}-{index}", work.as_simple()) }
}

fn refuse(document: &mut WorkDocument, refusal: &Refusal) {
    document.fate = Fate::Failed;
    document.error_code = Some(refusal.code().into());
    document.error = Some(refusal.to_string());
}

pub(crate) const fn decision(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Answer => "answer",
        Verdict::Closest => "closest",
        Verdict::Decline => "decline",
    }
}

fn found(brain: &Brain, outcome: SearchOutcome) -> Found {
    let candidate = |hit: &Hit| {
        let passage = &brain.sections()[hit.section];
        Candidate {
            document: passage.document.clone(),
            heading: passage.heading.clone(),
            page: passage.page,
            text: passage.text(),
            meaning: hit.dense,
            reading: hit.cross,
            score: hit.score,
        }
    };
    let gate = brain.knowledge().gate();
    let facts = outcome.facts.iter().filter_map(|at| brain.knowledge().facts().fact(*at));
    Found {
        facts: facts.map(|fact| Uuid::from_u128(fact.id)).collect(),
        decision: decision(outcome.verdict),
        probability: outcome.probability,
        answer_from: gate.answer_from,
        closest_from: gate.closest_from,
        candidates: outcome.hits.iter().map(candidate).collect(),
        said: outcome.passage.filter(|_| outcome.verdict != Verdict::Decline),
        passages: brain.sections().len(),
        took_ms: 0,
    }
}
