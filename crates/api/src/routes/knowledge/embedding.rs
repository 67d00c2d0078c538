//! What embeds the documents: the model of this machine alone, or a service beside it.

use super::{documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::Body;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use runtime::documents::Documents;
use runtime::documents::embedding::{EmbeddingError, KeptEmbedding};
use runtime::on_device::NAME;
use runtime::spaces::Offered;
use serde::{Deserialize, Serialize};
use store::knowledge_work::Work;
use utoipa::ToSchema;
use uuid::Uuid;

/// A service that can embed the documents, or why it cannot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeEmbedder)]
pub(crate) struct EmbedderView {
    #[schema(example = "acme")]
    name: String,
    /// Its name as people write it.
    title: String,
    /// Why it cannot be chosen; null when it can.
    reason: Option<String>,
}

impl From<&Offered> for EmbedderView {
    fn from(one: &Offered) -> Self {
        let reason = one.service.as_ref().err().cloned();
        Self { name: one.name.clone(), title: one.title.clone(), reason }
    }
}

/// Work on giving all passages the vectors of a service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeEmbeddingJob)]
pub(crate) struct EmbeddingJobView {
    /// The job; `GET /api/v1/knowledge/jobs/{id}` has all of it.
    id: Uuid,
    /// The service.
    provider: String,
    /// `queued`, `running`, `done` or `failed`.
    #[schema(example = "running")]
    state: &'static str,
    /// Documents that are done with.
    done: u32,
    /// How many there are.
    total: u32,
    /// Why it failed: what served before does still.
    error: Option<String>,
}

impl From<Work> for EmbeddingJobView {
    fn from(work: Work) -> Self {
        let (id, state, progress) = (work.id, work.state.name(), work.progress);
        let (done, total, error) = (progress.done, progress.total, progress.error);
        Self { id, provider: work.source, state, done, total, error }
    }
}

/// What embeds the documents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeEmbedding)]
pub(crate) struct EmbeddingView {
    /// What serves: `local` (the model of this machine) or the name of a service.
    #[schema(example = "local")]
    provider: String,
    /// The service's model and the width of its vectors; null for `local`.
    #[schema(example = "acme/embed-3:1536")]
    space: Option<String>,
    /// Unix milliseconds when the service was chosen.
    chosen_at_ms: Option<i64>,
    /// Services that there are beside `local`.
    embedders: Vec<EmbedderView>,
    /// The newest work on vectors of a service; null when there was none.
    job: Option<EmbeddingJobView>,
}

fn view(documents: &Documents, kept: KeptEmbedding, job: Option<Work>) -> EmbeddingView {
    let embedders = documents.embedders().iter().map(Into::into).collect();
    let job = job.map(Into::into);
    match kept.serving {
        Some(chosen) => EmbeddingView {
            provider: chosen.provider,
            space: Some(chosen.space),
            chosen_at_ms: Some(chosen.at_ms),
            embedders,
            job,
        },
        None => EmbeddingView { provider: NAME.into(), space: None, chosen_at_ms: None, embedders, job },
    }
}

/// Reads what embeds the documents, and what could.
#[utoipa::path(get, path = "/api/v1/knowledge/embedding", tag = "knowledge", operation_id = "get_embedding",
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "What embeds the documents", body = EmbeddingView)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
) -> Result<Json<EmbeddingView>, Problem> {
    let documents = documents(&app)?;
    let (kept, job) = documents.embedding(&caller.scope).await.map_err(problem)?;
    Ok(Json(view(documents, kept, job)))
}

/// What is to embed the documents.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeEmbeddingChoice)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingBody {
    /// `local`, or the name of a service.
    #[schema(example = "acme")]
    provider: String,
}

/// Says what is to embed the documents. `local` serves at once. A service is tried first, and serves when all passages have its
/// vectors: until then, and for ever if that fails, what served before does.
#[utoipa::path(put, path = "/api/v1/knowledge/embedding", tag = "knowledge", operation_id = "put_embedding", request_body = EmbeddingBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "What serves now, with the job that gives all passages the vectors of the service", body = EmbeddingView),
    (status = 402, description = "What may be spent in a month is used up", body = Problem),
    (status = 409, description = "All passages get new vectors at the moment, or it was changed meanwhile", body = Problem),
    (status = 422, description = "There is no such service, it has no key, an agent may not ask it, or its vectors are of no use", body = Problem),
    (status = 502, description = "The service was tried and failed", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<EmbeddingBody>,
) -> Result<Json<EmbeddingView>, Problem> {
    let documents = documents(&app)?;
    let chosen = documents.choose_embedding(&caller.scope, &body.provider).await;
    let (kept, job) = chosen.map_err(|error| match error {
        EmbeddingError::Unusable(why) => Problem::invalid(why),
        EmbeddingError::Spent => Problem::plan_limit("what may be spent in a month is used up"),
        EmbeddingError::Failed(failure) => Problem::provider_failed(failure.to_string()),
        EmbeddingError::Documents(error) => problem(error),
    })?;
    Ok(Json(view(documents, kept, job)))
}
