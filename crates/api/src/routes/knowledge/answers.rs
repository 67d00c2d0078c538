//! Questions to the documents, and those that they could not answer.

use super::graph::RelationView;
use super::{documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List};
use crate::problem::Problem;
use crate::routes::{check_text, store_problem};
use axum::Json;
use axum::extract::State;
use base::{GapId, limits};
use runtime::documents::{Candidate, Found, GapGroup, gaps as grouped};
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::ToSchema;
use uuid::Uuid;

const QUESTION_CHARS_MAX: usize = 500;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeQuery)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryBody {
    /// What a customer would ask.
    #[schema(min_length = 1, max_length = 500, example = "do you ship to Norway")]
    question: String,
}

/// What was found for a question, and what would be said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeAnswer)]
pub(crate) struct AnswerView {
    /// `answer`, `closest` (it is named as the closest there is) or `decline`.
    #[schema(example = "answer")]
    decision: &'static str,
    /// How probable it is that the best passage answers the question.
    probability: f32,
    /// From this probability on, the passage is the answer.
    answer_from: f32,
    /// From this probability on, it is named as the closest; below, the question is declined.
    closest_from: f32,
    /// What would be said; null when declined.
    said: Option<SaidView>,
    /// What was looked at, best first.
    candidates: Vec<CandidateView>,
    /// What documents say of the things that they name, where several passages answered together.
    facts: Vec<RelationView>,
    /// Passages that were searched.
    passages: usize,
    took_ms: u64,
}

/// Words of a document, and where they stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeQuote)]
pub(crate) struct SaidView {
    /// Title of the document.
    document: String,
    heading: String,
    page: Option<u32>,
    /// Word for word.
    quote: String,
}

/// A passage that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeCandidate)]
pub(crate) struct CandidateView {
    /// Title of its document.
    document: String,
    heading: String,
    page: Option<u32>,
    text: String,
    /// Nearness in meaning: the cosine of the passage plus that of its nearest sentence.
    meaning: f32,
    /// What the model says that reads question and passage together.
    reading: f32,
    /// What candidates are ranked by: `meaning` plus a tenth of `reading`.
    score: f32,
}

impl From<Candidate> for CandidateView {
    fn from(one: Candidate) -> Self {
        let Candidate { document, heading, page, text, meaning, reading, score } = one;
        Self { document, heading, page, text, meaning, reading, score }
    }
}

impl From<Found> for AnswerView {
    fn from(found: Found) -> Self {
        let said = found.said.map(|one| SaidView {
            document: one.document,
            heading: one.section,
            page: one.page,
            quote: one.quote,
        });
        Self {
            decision: found.decision,
            probability: found.probability,
            answer_from: found.answer_from,
            closest_from: found.closest_from,
            said,
            candidates: found.candidates.into_iter().map(Into::into).collect(),
            facts: Vec::new(),
            passages: found.passages,
            took_ms: found.took_ms,
        }
    }
}

/// Asks the documents, and shows what is found, how it is ranked, and what would be said. Nothing is counted as a gap.
#[utoipa::path(post, path = "/api/v1/knowledge/query", tag = "knowledge", operation_id = "query_knowledge", request_body = QueryBody,
    security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "What was found", body = AnswerView)
))]
pub(crate) async fn query(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Body(body): Body<QueryBody>,
) -> Result<Json<AnswerView>, Problem> {
    check_text("question", body.question.trim(), 1, QUESTION_CHARS_MAX)?;
    let found = documents(&app)?.query(&caller.scope, body.question.trim().to_owned()).await.map_err(problem)?;
    let mut facts = Vec::new();
    for id in &found.facts {
        match app.node.store().relation(&caller.scope, *id).await {
            Ok(relation) => facts.push(relation.into()),
            // Its document was replaced meanwhile.
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(store_problem(error)),
        }
    }
    Ok(Json(AnswerView { facts, ..found.into() }))
}

/// A question that customers asked and no document answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeGap)]
pub(crate) struct GapView {
    /// The question that stands for all that mean the same.
    question: String,
    /// How often it was asked.
    count: usize,
    /// Unix milliseconds when it was asked last.
    last_at_ms: i64,
    /// All of them, to forget them.
    ids: Vec<Uuid>,
}

impl From<GapGroup> for GapView {
    fn from(group: GapGroup) -> Self {
        let GapGroup { question, ids, last_at_ms } = group;
        Self { question, count: ids.len(), last_at_ms, ids: ids.into_iter().map(|id| id.0).collect() }
    }
}

/// Lists what customers asked and no document answered, the most frequent first.
#[utoipa::path(get, path = "/api/v1/knowledge/gaps", tag = "knowledge", operation_id = "list_gaps",
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "All of them", body = List<GapView>)))]
pub(crate) async fn gaps(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
) -> Result<Json<List<GapView>>, Problem> {
    let gaps = grouped(app.node.store().as_ref(), &caller.scope).await.map_err(store_problem)?;
    Ok(Json(List::whole(gaps.into_iter().map(Into::into).collect())))
}

/// Questions to forget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetGaps {
    /// `ids` of gaps.
    #[schema(max_items = 5000)]
    ids: Vec<Uuid>,
}

/// How many were forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ForgottenGaps {
    forgotten: u64,
}

/// Forgets questions that were not answered.
#[utoipa::path(post, path = "/api/v1/knowledge/gaps/forget", tag = "knowledge", operation_id = "forget_gaps", request_body = ForgetGaps,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "They are forgotten", body = ForgottenGaps)
))]
pub(crate) async fn forget(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<ForgetGaps>,
) -> Result<Json<ForgottenGaps>, Problem> {
    if body.ids.len() > limits::KNOWLEDGE_GAPS_MAX {
        return Err(Problem::invalid(format!("ids: at most {}", limits::KNOWLEDGE_GAPS_MAX)));
    }
    let ids: Vec<GapId> = body.ids.into_iter().map(GapId).collect();
    let mut forgotten = 0;
    for part in ids.chunks(limits::PAGE_ROWS_MAX as usize) {
        forgotten += app.node.store().delete_gaps(&caller.scope, part).await.map_err(store_problem)?;
    }
    if forgotten > 0 {
        app.node.store().scrub().await.map_err(store_problem)?;
    }
    Ok(Json(ForgottenGaps { forgotten }))
}
