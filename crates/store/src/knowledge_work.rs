//! What a store keeps of the work on what a business knows: jobs with their progress, sites that are visited again, questions
//! of which the answer is known, and how well they were answered.

use crate::contract::{Answer, Cursor, NewJob, Page};
use async_trait::async_trait;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Documents are taken in.
    Documents,
    /// A site is visited.
    Crawl,
    /// Questions of which the answer is known are asked.
    Evaluation,
    /// All passages get new vectors.
    Reindex,
    /// An agent learns its lesson.
    Training,
}

impl WorkKind {
    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Crawl => "crawl",
            Self::Evaluation => "evaluation",
            Self::Reindex => "reindex",
            Self::Training => "training",
        }
    }
}

/// Where work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// It waits.
    Queued,
    /// Somebody does it.
    Running,
    /// Every document was looked at, whatever became of it.
    Done,
    /// It could not be done.
    Failed,
}

impl WorkState {
    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nothing yet.
    Waiting,
    /// It serves.
    Ready,
    /// It served already.
    Unchanged,
    /// It is gone, and was deleted.
    Gone,
    /// It is a recorded call that was heard; what it proposes waits for a person.
    Heard,
    /// It was refused.
    Failed,
}

impl Fate {
    /// Its name, as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::Heard => "heard",
            Self::Failed => "failed",
        }
    }
}

/// A document of some work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkDocument {
    /// A file's name or an address.
    pub name: String,
    /// Short name of the document.
    pub document: Option<String>,
    /// The title that it was given.
    pub title: Option<String>,
    /// What became of it.
    pub fate: Fate,
    /// The version that it became.
    pub version: Option<u32>,
    /// What the file turned out to be.
    pub kind: Option<String>,
    /// Pages, slides or sheets.
    pub pages: u32,
    /// Chunks.
    pub chunks: u32,
    /// The recorded call that it is.
    #[serde(default)]
    pub heard: Option<Uuid>,
    /// Questions with answers that it proposes.
    #[serde(default)]
    pub proposals: u32,
    /// Of a recording: the business speaks on the first of two channels.
    #[serde(default)]
    pub agent_left: bool,
    /// Why it was refused, in one word.
    pub error_code: Option<String>,
    /// Why it was refused.
    pub error: Option<String>,
}

impl WorkDocument {
    /// One that waits.
    pub fn waiting(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            document: None,
            title: None,
            fate: Fate::Waiting,
            version: None,
            kind: None,
            pages: 0,
            chunks: 0,
            heard: None,
            proposals: 0,
            agent_left: false,
            error_code: None,
            error: None,
        }
    }
}

/// How far work is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkProgress {
    /// Documents, pages or questions that are done with.
    pub done: u32,
    /// How many there are, as far as is known.
    pub total: u32,
    /// Chunks of the document under way that have their vectors.
    pub chunks_done: u32,
    /// Chunks of the document under way.
    pub chunks_total: u32,
    /// What became of each document.
    pub documents: Vec<WorkDocument>,
    /// Why it failed as a whole, in one word.
    pub error_code: Option<String>,
    /// Why it failed as a whole.
    pub error: Option<String>,
    /// The site that is visited.
    pub site: Option<Uuid>,
    /// The report that came of it.
    pub evaluation: Option<Uuid>,
    /// The agent that learns.
    pub agent: Option<Uuid>,
    /// The space that serves from then on, as whoever asked for it writes it down.
    #[serde(default)]
    pub embedding: Option<serde_json::Value>,
}

/// Work on what a business knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its id.
    pub id: Uuid,
    /// What.
    pub kind: WorkKind,
    /// Where it stands.
    pub state: WorkState,
    /// What it is about, for people: a file's name, an address.
    pub source: String,
    /// How far it is.
    pub progress: WorkProgress,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// Unix milliseconds when it was over.
    pub finished_at_ms: Option<i64>,
}

/// A site whose pages are documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: Uuid,
    /// The page to begin with.
    pub url: String,
    /// Pages.
    pub pages_max: u32,
    /// Links from the first page.
    pub depth_max: u32,
    /// Hours between two visits; absent: when somebody asks.
    pub every_hours: Option<u32>,
    /// Unix milliseconds of the next visit.
    pub next_at_ms: Option<i64>,
    /// The work of the last visit.
    pub last_work: Option<Uuid>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// A question of which the answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownQuestion {
    /// Its id.
    pub id: Uuid,
    /// The question.
    pub question: String,
    /// Heading or title that answers it; absent: nothing does.
    pub expected: Option<String>,
    /// `typed` or `generated`.
    pub origin: String,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// How well questions were answered.
#[derive(Clone, Debug, PartialEq)]
pub struct KnowledgeReport {
    /// Its id.
    pub id: Uuid,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The counts.
    pub report: serde_json::Value,
}

/// Work on what businesses know.
#[async_trait]
pub trait KnowledgeWork: Send + Sync {
    /// Keeps work and asks for the job that does it, both or neither. `Conflict` when a job of the same unique key waits or
    /// runs. Beyond [`base::limits::KNOWLEDGE_WORKS_MAX`] the oldest go.
    async fn begin_work(&self, scope: &TenantScope, work: &Work, job: &NewJob) -> Answer<()>;
    /// Writes down how far work is. What is over stays as it is: then `false`.
    async fn update_work(&self, scope: &TenantScope, work: &Work) -> Answer<bool>;
    /// One of them.
    async fn work(&self, scope: &TenantScope, id: Uuid) -> Answer<Work>;
    /// Newest first, after this place.
    async fn works(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<Work>>;

    /// Keeps a site. `Conflict` when the business has it, or has [`base::limits::KNOWLEDGE_SITES_MAX`] of them.
    async fn add_site(&self, scope: &TenantScope, site: &Site) -> Answer<()>;
    /// Changes a site: its address, bounds and times. `Conflict` when the business has another one of that address.
    async fn change_site(&self, scope: &TenantScope, site: &Site) -> Answer<()>;
    /// Notes the work of a visit, and when the next one is.
    async fn visited(&self, scope: &TenantScope, site: Uuid, work: Uuid, next_at_ms: Option<i64>) -> Answer<bool>;
    /// One site.
    async fn site(&self, scope: &TenantScope, id: Uuid) -> Answer<Site>;
    /// All sites of the business, oldest first.
    async fn sites(&self, scope: &TenantScope) -> Answer<Vec<Site>>;
    /// Forgets a site; its documents stay. `false` when there is none.
    async fn delete_site(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Sites of all businesses that are due, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn due_sites(&self, now_ms: i64) -> Answer<Vec<(TenantScope, Site)>>;

    /// Adds questions. `Conflict` when there would be more than [`base::limits::KNOWLEDGE_QUESTIONS_MAX`].
    async fn add_questions(&self, scope: &TenantScope, questions: &[KnownQuestion]) -> Answer<()>;
    /// Changes a question and what is expected.
    async fn change_question(&self, scope: &TenantScope, question: &KnownQuestion) -> Answer<KnownQuestion>;
    /// Forgets a question. `false` when there is none.
    async fn delete_question(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Newest first, after this place.
    async fn questions(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32)
    -> Answer<Page<KnownQuestion>>;

    /// Keeps a report. Beyond [`base::limits::KNOWLEDGE_REPORTS_MAX`] the oldest go.
    async fn add_report(&self, scope: &TenantScope, report: &KnowledgeReport) -> Answer<()>;
    /// One of them.
    async fn report(&self, scope: &TenantScope, id: Uuid) -> Answer<KnowledgeReport>;
    /// Newest first, after this place.
    async fn reports(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32)
    -> Answer<Page<KnowledgeReport>>;
}
