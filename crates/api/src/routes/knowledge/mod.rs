//! What agents know: documents of a business and how they get in, sites, questions to them, what was not answered, how good
//! the answers are.

pub(crate) mod answers;
pub(crate) mod documents;
pub(crate) mod embedding;
pub(crate) mod evaluation;
pub(crate) mod gate;
pub(crate) mod graph;
pub(crate) mod recordings;
pub(crate) mod sites;
pub(crate) mod upload;

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use runtime::documents::{DocumentError, Documents};
use serde::{Deserialize, Serialize};
use store::Cursor;
use store::knowledge_work::{Work, WorkDocument};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Work on documents that takes a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeJob)]
pub(crate) struct JobView {
    id: Uuid,
    /// `documents`, `crawl`, `evaluation`, `reindex` or `training`.
    #[schema(example = "documents")]
    kind: &'static str,
    /// `queued`, `running`, `done` or `failed`. It is `done` when every document was looked at, even if some were refused: what
    /// became of each stands in `documents`.
    #[schema(example = "running")]
    state: &'static str,
    /// What it is about: names of files, an address.
    source: String,
    /// Documents, pages or questions that are done with.
    done: u32,
    /// How many there are, as far as is known.
    total: u32,
    /// Passages of the document under way that are indexed; of a recorded call, seconds of speech that were understood.
    chunks_done: u32,
    /// Passages of the document under way; of a recorded call, its seconds of speech.
    chunks_total: u32,
    documents: Vec<JobDocumentView>,
    /// Why it failed as a whole, or stopped early, in one word; docs/knowledge.md lists them.
    error_code: Option<String>,
    error: Option<String>,
    /// The evaluation that came of it.
    evaluation: Option<Uuid>,
    created_at_ms: i64,
    updated_at_ms: i64,
    /// Unix milliseconds when it was over.
    finished_at_ms: Option<i64>,
}

/// What became of one document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeJobDocument)]
pub(crate) struct JobDocumentView {
    /// A file's name or an address.
    name: String,
    /// Its name in addresses of this API.
    document: Option<String>,
    /// `waiting`, `ready`, `unchanged`, `gone`, `heard` (a recorded call, which is no document) or `failed`.
    #[schema(example = "ready")]
    state: &'static str,
    /// The version that it became.
    version: Option<u32>,
    /// What the file turned out to be, such as `pdf`.
    kind: Option<String>,
    /// Pages, slides or sheets.
    pages: u32,
    /// Passages.
    chunks: u32,
    /// The recorded call that it is.
    recording: Option<Uuid>,
    /// Questions with answers that the recorded call proposes.
    proposals: u32,
    /// Why it was refused, in one word; docs/knowledge.md lists them.
    error_code: Option<String>,
    error: Option<String>,
}

impl From<WorkDocument> for JobDocumentView {
    fn from(one: WorkDocument) -> Self {
        Self {
            name: one.name,
            document: one.document,
            state: one.fate.name(),
            version: one.version,
            kind: one.kind,
            pages: one.pages,
            chunks: one.chunks,
            recording: one.heard,
            proposals: one.proposals,
            error_code: one.error_code,
            error: one.error,
        }
    }
}

impl From<Work> for JobView {
    fn from(work: Work) -> Self {
        let progress = work.progress;
        Self {
            id: work.id,
            kind: work.kind.name(),
            state: work.state.name(),
            source: work.source,
            done: progress.done,
            total: progress.total,
            chunks_done: progress.chunks_done,
            chunks_total: progress.chunks_total,
            documents: progress.documents.into_iter().map(Into::into).collect(),
            error_code: progress.error_code,
            error: progress.error,
            evaluation: progress.evaluation,
            created_at_ms: work.created_at_ms,
            updated_at_ms: work.updated_at_ms,
            finished_at_ms: work.finished_at_ms,
        }
    }
}

/// Work that was accepted: where to look how far it is.
pub(super) fn accepted(work: Work) -> Response {
    let location = format!("/api/v1/knowledge/jobs/{}", work.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(JobView::from(work))).into_response()
}

/// What takes documents in and asks them. A node without the models for that cannot.
pub(super) fn documents(app: &App) -> Result<&Documents, Problem> {
    app.documents.as_deref().ok_or_else(|| {
        Problem::unavailable(
            "this node has not loaded the models that read documents; `frontdesk models pull` brings them",
        )
    })
}

pub(super) fn problem(error: DocumentError) -> Problem {
    match error {
        DocumentError::Store(error) => store_problem(error),
        DocumentError::Unavailable(why) => {
            tracing::warn!(why, "documents do not answer");
            Problem::unavailable("what reads documents does not answer")
        }
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists jobs about documents, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/jobs", tag = "knowledge", operation_id = "list_knowledge_jobs", params(PageQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of jobs", body = List<JobView>)))]
pub(crate) async fn jobs(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Result<Listed<JobView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let found = app.node.store().works(&caller.scope, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

/// Reads how far a job about documents is.
#[utoipa::path(get, path = "/api/v1/knowledge/jobs/{id}", tag = "knowledge", operation_id = "get_knowledge_job",
    params(("id" = Uuid, Path, description = "The job")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "How far it is", body = JobView)
))]
pub(crate) async fn job(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    super::Id(id): super::Id<Uuid>,
) -> Result<Json<JobView>, Problem> {
    let work = app.node.store().work(&caller.scope, id).await.map_err(store_problem)?;
    Ok(Json(work.into()))
}

/// Gives all passages new vectors, made by the model of now. The old ones serve meanwhile.
#[utoipa::path(post, path = "/api/v1/knowledge/reindex", tag = "knowledge", operation_id = "reindex_knowledge",
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "It is being done; `Location` says how far it is", body = JobView),
    (status = 409, description = "It is being done already", body = Problem)
))]
pub(crate) async fn reindex(State(app): State<App>, caller: Allowed<may::KnowledgeWrite>) -> Result<Response, Problem> {
    documents(&app)?.reindex(&caller.scope).await.map(accepted).map_err(problem)
}
