//! Does the jobs about documents, and writes down how far they are.

use super::embedding::kept_embedding;
use super::recordings::{AgentSide, GivenCall, HearError, Heard};
use super::{DocumentError, Documents, PAIRS, refuse, waiting};
use crate::wall_ms;
use crate::work::{Handler, Outcome};
use async_trait::async_trait;
use base::limits;
use knowledge::Structured;
use knowledge::crawl::{CrawlBounds, Crawler, PageOutcome};
use knowledge::ingest::{self, Added, Again, IngestError, Progress, Source};
use knowledge::recording::is_recording;
use model::business::TenantScope;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::knowledge_work::{Fate, KnowledgeReport, Work, WorkDocument, WorkKind, WorkState};
use store::objects::ObjectError;
use store::{Job, StoreError};
use uuid::Uuid;

/// The kind of jobs about documents.
pub const KNOWLEDGE_JOB: &str = "knowledge.work";
/// The kind of job that looks which sites are due.
pub const SITES_JOB: &str = "knowledge.sites";
/// Pause between two pages of a site unless it asks for a longer one.
const PAUSE_MS: u64 = 200;

/// How far the document under way is.
#[derive(Debug, Default)]
struct Meter {
    done: AtomicU32,
    total: AtomicU32,
}

impl Meter {
    /// Writes into work how far it is.
    fn look(&self) -> impl FnMut(&mut Work) + Send + '_ {
        |work| {
            work.progress.chunks_done = self.done.load(Ordering::Relaxed);
            work.progress.chunks_total = self.total.load(Ordering::Relaxed);
        }
    }
}

impl Progress for Meter {
    fn chunks(&self, done: usize, total: usize) {
        self.done.store(u32::try_from(done).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.total.store(u32::try_from(total).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

#[async_trait]
impl Handler for Documents {
    async fn run(&self, job: &Job) -> Outcome {
        let work = job.payload.get("work").and_then(|id| id.as_str()).and_then(|id| Uuid::parse_str(id).ok());
        let (Some(work), Some(business)) = (work, job.business) else {
            return Outcome::Dead("the job names no work of a business".into());
        };
        let scope = TenantScope { business };
        let mut work = match self.store.work(&scope, work).await {
            Ok(work) if work.state.is_over() => return Outcome::Done,
            Ok(work) => work,
            Err(error) => return error.into(),
        };
        work.state = WorkState::Running;
        let done = match self.note(&scope, &mut work).await {
            Ok(()) => self.carry_out(&scope, &mut work).await,
            Err(error) => Err(error),
        };
        let outcome = match done {
            Ok(()) => {
                work.state = WorkState::Done;
                Outcome::Done
            }
            Err(DocumentError::Store(StoreError::NotFound(_))) => {
                work.state = WorkState::Failed;
                (work.progress.error_code, work.progress.error) = (Some("gone".into()), Some("it is gone".into()));
                Outcome::Done
            }
            Err(error) if job.attempt < job.attempts_max => return Outcome::Retry(error.to_string()),
            Err(error) => {
                work.state = WorkState::Failed;
                work.progress.error_code = Some("unavailable".into());
                work.progress.error = Some(error.to_string());
                Outcome::Dead(error.to_string())
            }
        };
        work.finished_at_ms = Some(wall_ms());
        if let Err(error) = self.note(&scope, &mut work).await {
            return Outcome::Retry(error.to_string());
        }
        self.evaluate_anew(&scope, &work).await;
        outcome
    }
}

impl Documents {
    async fn carry_out(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        match work.kind {
            WorkKind::Documents | WorkKind::Crawl => {
                let before = kept_embedding(self.store.as_ref(), scope).await?.0;
                match work.kind {
                    WorkKind::Crawl => self.crawl(scope, work).await?,
                    _ => self.take_all(scope, work).await?,
                }
                self.embed_late(scope, &before).await
            }
            WorkKind::Reindex => self.reindex_all(scope, work).await,
            WorkKind::Training => self.learn(scope, work).await,
            WorkKind::Evaluation => {
                let evaluation = self.measured(scope, work).await?;
                let report = serde_json::to_value(&evaluation).unwrap_or_default();
                let report = KnowledgeReport { id: Uuid::now_v7(), at_ms: wall_ms(), report };
                self.store.add_report(scope, &report).await?;
                work.progress.evaluation = Some(report.id);
                Ok(())
            }
        }
    }

    /// Writes down how far work is.
    pub(super) async fn note(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        work.updated_at_ms = wall_ms();
        Ok(self.store.update_work(scope, work).await.map(drop)?)
    }

    /// Waits for something and writes down meanwhile how far it is.
    async fn watched<T>(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        mut look: impl FnMut(&mut Work) + Send,
        done: impl Future<Output = T> + Send,
    ) -> T {
        tokio::pin!(done);
        let mut tick = tokio::time::interval(Duration::from_millis(limits::KNOWLEDGE_PROGRESS_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tokio::select! {
                done = &mut done => {
                    look(work);
                    return done;
                }
                _ = tick.tick() => {
                    look(work);
                    if let Err(error) = self.note(scope, work).await {
                        tracing::warn!(%error, "how far documents are is not written down");
                    }
                }
            }
        }
    }

    async fn take_all(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        for index in 0..work.progress.documents.len() {
            let object = waiting(scope, work.id, index);
            if work.progress.documents[index].fate == Fate::Waiting {
                let bytes = match self.objects.get(&object).await {
                    Ok(found) => Some(found.read_all().await?),
                    Err(ObjectError::Missing) => None,
                    Err(error) => return Err(error.into()),
                };
                self.take_one(scope, work, index, bytes).await?;
            }
            work.progress.done = u32::try_from(index + 1).unwrap_or(u32::MAX);
            self.note(scope, work).await?;
            if let Err(error) = self.objects.delete(&object).await {
                tracing::warn!(%error, "a document that is taken in still lies in storage");
            }
        }
        Ok(())
    }

    async fn take_one(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        index: usize,
        bytes: Option<Vec<u8>>,
    ) -> Result<(), DocumentError> {
        let mut document = work.progress.documents[index].clone();
        let Some(bytes) = bytes else {
            document.fate = Fate::Failed;
            document.error_code = Some("lost".into());
            document.error = Some("the file was lost before it was read; give it again".into());
            work.progress.documents[index] = document;
            return Ok(());
        };
        if is_recording(&bytes) {
            return self.hear_one(scope, work, index, &bytes).await;
        }
        let slug = document.document.clone().unwrap_or_else(|| ingest::slug(&document.name));
        let meter = Meter::default();
        let source = Source { slug: &slug, title: document.title.as_deref(), source: &document.name, bytes: &bytes };
        let is_pairs = document.kind.as_deref() == Some(PAIRS);
        let taking = async {
            if is_pairs {
                let pairs: Vec<(String, String)> = serde_json::from_slice(&bytes).unwrap_or_default();
                let read = Structured::of_pairs(&pairs);
                self.minds.ingest().add_read(scope, &source, read, wall_ms(), &meter).await
            } else {
                self.minds.ingest().add(scope, &source, wall_ms(), &meter).await
            }
        };
        let added = self.watched(scope, work, meter.look(), taking).await;
        settle(&mut document, added)?;
        work.progress.documents[index] = document;
        Ok(())
    }

    async fn hear_one(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        index: usize,
        bytes: &[u8],
    ) -> Result<(), DocumentError> {
        let mut document = work.progress.documents[index].clone();
        let agent = if document.agent_left { AgentSide::Left } else { AgentSide::Right };
        let name = document.name.clone();
        let meter = Meter::default();
        let hearing = self.hear(scope, GivenCall { name: &name, bytes, agent }, &meter);
        let heard = self.watched(scope, work, meter.look(), hearing).await;
        // A recording is no document.
        document.document = None;
        document.kind = Some("recording".into());
        match heard {
            Ok(Heard::Before(call)) => {
                document.fate = Fate::Unchanged;
                document.heard = Some(call);
            }
            Ok(Heard::Now { call, proposals }) => {
                document.fate = Fate::Heard;
                document.heard = Some(call);
                document.proposals = u32::try_from(proposals).unwrap_or(u32::MAX);
            }
            Err(HearError::Refused(refusal)) => refuse(&mut document, &refusal),
            Err(HearError::Documents(error)) => return Err(error),
        }
        work.progress.documents[index] = document;
        Ok(())
    }

    async fn crawl(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        let site = work.progress.site.ok_or(StoreError::NotFound("site"))?;
        let site = self.store.site(scope, site).await?;
        work.progress.total = site.pages_max;
        let seen: Arc<Mutex<Vec<WorkDocument>>> = Arc::default();
        let (pages_max, depth_max) = (site.pages_max as usize, site.depth_max);
        let bounds = CrawlBounds { pages_max, depth_max, pause_ms: PAUSE_MS };
        let crawler = Crawler {
            store: self.store.as_ref(),
            ingest: self.minds.ingest(),
            parser: self.minds.parser(),
            fetch: &self.web,
        };
        let visiting = async {
            let mut each = |url: &str, outcome: &PageOutcome| {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(visited(url, outcome));
            };
            crawler.crawl(scope, &site.url, bounds, wall_ms(), &mut each).await
        };
        let look = |work: &mut Work| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            work.progress.done = u32::try_from(seen.len()).unwrap_or(u32::MAX);
            work.progress.documents.clone_from(&seen);
        };
        let cut = self.watched(scope, work, look, visiting).await;
        work.progress.total = work.progress.done;
        self.credit(scope, work).await?;
        match cut {
            Ok(false) => {}
            Ok(true) => {
                work.progress.error_code = Some("pages_max".into());
                work.progress.error = Some(format!("there are more than {} pages", site.pages_max));
            }
            Err(IngestError::Store(error)) => return Err(error.into()),
            Err(error) => {
                work.progress.error_code = Some(error.code().into());
                work.progress.error = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// Pages that this very visit took in before it was interrupted are new, although its second attempt found them unchanged.
    async fn credit(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        let begun_at_ms = work.created_at_ms;
        for page in work.progress.documents.iter_mut().filter(|page| page.fate == Fate::Unchanged) {
            let Some(slug) = &page.document else { continue };
            let newest = match self.store.knowledge_document(scope, slug).await {
                Ok(document) => document.newest,
                Err(StoreError::NotFound(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            if newest.ready_at_ms.is_some_and(|ready_at_ms| ready_at_ms >= begun_at_ms) {
                page.fate = Fate::Ready;
                page.version = Some(newest.version);
                page.kind = newest.kind;
                (page.pages, page.chunks) = (newest.pages, newest.chunks);
            }
        }
        Ok(())
    }

    async fn reindex_all(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        let chosen = work.progress.embedding.clone().map(serde_json::from_value);
        match chosen {
            Some(Ok(chosen)) => self.embed_for(scope, work, chosen).await,
            Some(Err(error)) => Err(DocumentError::Unavailable(error.to_string())),
            None => self.index_again(scope, work, &Again::All).await,
        }
    }

    pub(super) async fn index_one_again(
        &self,
        scope: &TenantScope,
        work: &mut Work,
        (index, slug): (usize, &str),
        again: &Again,
    ) -> Result<(), DocumentError> {
        let meter = Meter::default();
        let again = self.minds.ingest().reindex(scope, slug, again, wall_ms(), &meter);
        let done = self.watched(scope, work, meter.look(), again).await;
        let mut document = work.progress.documents[index].clone();
        match done {
            // It was deleted, or given anew, meanwhile.
            Err(IngestError::Store(StoreError::NotFound(_))) => document.fate = Fate::Gone,
            Err(IngestError::Store(StoreError::Conflict(_))) => document.fate = Fate::Unchanged,
            done => settle(&mut document, done)?,
        }
        work.progress.documents[index] = document;
        work.progress.done = u32::try_from(index + 1).unwrap_or(u32::MAX);
        self.note(scope, work).await
    }

    /// Questions with known answers are asked again when what serves has changed.
    async fn evaluate_anew(&self, scope: &TenantScope, work: &Work) {
        let changed = |one: &WorkDocument| matches!(one.fate, Fate::Ready | Fate::Gone);
        if work.kind == WorkKind::Evaluation || !work.progress.documents.iter().any(changed) {
            return;
        }
        let begun = match self.store.questions(scope, None, 1).await {
            Ok(page) if page.rows.is_empty() => return,
            Ok(_) => self.evaluate(scope).await.map(drop),
            Err(error) => Err(error.into()),
        };
        match begun {
            Ok(()) | Err(DocumentError::Store(StoreError::Conflict(_))) => {}
            Err(error) => tracing::warn!(%error, "changed documents are not evaluated"),
        }
    }
}

/// Writes down what became of a document; what is not the document's fault is an error.
fn settle(document: &mut WorkDocument, added: Result<Added, IngestError>) -> Result<(), DocumentError> {
    match added {
        Ok(Added::Unchanged) => document.fate = Fate::Unchanged,
        Ok(Added::Indexed(made)) => {
            document.fate = Fate::Ready;
            document.version = Some(made.version.version);
            document.kind = Some(made.kind.into());
            (document.pages, document.chunks) = (made.pages, made.chunks);
        }
        Err(IngestError::Refused(refusal)) => refuse(document, &refusal),
        Err(IngestError::Full(most)) => {
            document.fate = Fate::Failed;
            document.error_code = Some(IngestError::Full(most).code().into());
            document.error = Some(IngestError::Full(most).to_string());
        }
        Err(IngestError::Store(error @ StoreError::Conflict(_))) => {
            document.fate = Fate::Failed;
            document.error_code = Some("overtaken".into());
            document.error = Some(error.to_string());
        }
        Err(IngestError::Store(error)) => return Err(error.into()),
        Err(IngestError::Encoder(why)) => return Err(DocumentError::Unavailable(why)),
    }
    Ok(())
}

fn visited(url: &str, outcome: &PageOutcome) -> WorkDocument {
    let mut document = WorkDocument::waiting(url);
    document.document = Some(ingest::slug(url));
    match outcome {
        PageOutcome::Taken(Added::Unchanged) => document.fate = Fate::Unchanged,
        PageOutcome::Taken(Added::Indexed(made)) => {
            document.fate = Fate::Ready;
            document.version = Some(made.version.version);
            document.kind = Some(made.kind.into());
            (document.pages, document.chunks) = (made.pages, made.chunks);
        }
        PageOutcome::Gone => document.fate = Fate::Gone,
        PageOutcome::Left(why) => {
            document.fate = Fate::Failed;
            document.error_code = Some("left_out".into());
            document.error = Some(why.clone());
        }
    }
    document
}

/// Visits sites whose time has come.
pub struct Visits {
    /// Who visits them.
    pub documents: Documents,
}

#[async_trait]
impl Handler for Visits {
    async fn run(&self, _job: &Job) -> Outcome {
        let due = match self.documents.store.due_sites(wall_ms()).await {
            Ok(due) => due,
            Err(error) => return error.into(),
        };
        for (scope, site) in due {
            match self.documents.visit(&scope, &site).await {
                Ok(_) | Err(DocumentError::Store(StoreError::Conflict(_))) => {}
                Err(error) => return Outcome::Retry(error.to_string()),
            }
        }
        Outcome::Done
    }
}
