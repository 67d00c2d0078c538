//! How good the answers are: questions of which the answer is known, and what became of them.

use super::gate::GateReportView;
use super::{JobView, PageQuery, accepted, documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List, Listed, Params, page};
use crate::problem::Problem;
use crate::routes::{Id, check_text, deleted, store_problem};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use base::limits;
use runtime::documents::{Evaluation, Miss};
use runtime::wall_ms;
use serde::{Deserialize, Serialize};
use store::Cursor;
use store::knowledge_work::{KnowledgeReport, KnownQuestion};
use utoipa::ToSchema;
use uuid::Uuid;

const QUESTION_CHARS_MAX: usize = 500;

/// A question of which the answer is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeQuestion)]
pub(crate) struct QuestionView {
    id: Uuid,
    question: String,
    /// Heading or title that answers it; null: nothing does, and it is to be declined.
    expected: Option<String>,
    /// `typed` or `generated`.
    #[schema(example = "typed")]
    origin: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<KnownQuestion> for QuestionView {
    fn from(one: KnownQuestion) -> Self {
        let KnownQuestion { id, question, expected, origin, created_at_ms, updated_at_ms } = one;
        Self { id, question, expected, origin, created_at_ms, updated_at_ms }
    }
}

/// A question and its known answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutKnowledgeQuestion)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionBody {
    #[schema(min_length = 1, max_length = 500, example = "when are you open")]
    question: String,
    /// Heading or title that answers it; nothing does when left out.
    #[schema(max_length = 500, example = "Opening hours")]
    expected: Option<String>,
}

/// Questions to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddQuestions {
    #[schema(min_items = 1, max_items = 500)]
    questions: Vec<QuestionBody>,
}

fn checked(body: QuestionBody, now_ms: i64) -> Result<KnownQuestion, Problem> {
    check_text("question", body.question.trim(), 1, QUESTION_CHARS_MAX)?;
    let expected = body.expected.map(|text| text.trim().to_owned());
    if let Some(expected) = &expected {
        check_text("expected", expected, 1, QUESTION_CHARS_MAX)?;
    }
    Ok(KnownQuestion {
        id: Uuid::now_v7(),
        question: body.question.trim().to_owned(),
        expected,
        origin: "typed".into(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    })
}

/// Lists questions of which the answer is known, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/questions", tag = "knowledge", operation_id = "list_questions", params(PageQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of questions", body = List<QuestionView>)))]
pub(crate) async fn questions(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Result<Listed<QuestionView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let found = app.node.store().questions(&caller.scope, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

/// Adds questions of which the answer is known.
#[utoipa::path(post, path = "/api/v1/knowledge/questions", tag = "knowledge", operation_id = "add_questions", request_body = AddQuestions,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 201, description = "They are kept", body = List<QuestionView>),
    (status = 409, description = "The business would have more than 2,000", body = Problem)
))]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<AddQuestions>,
) -> Result<(StatusCode, Json<List<QuestionView>>), Problem> {
    let most = limits::KNOWLEDGE_QUESTIONS_AT_ONCE_MAX;
    if !(1..=most).contains(&body.questions.len()) {
        return Err(Problem::invalid(format!("questions: 1 to {most} are needed")));
    }
    let now_ms = wall_ms();
    let questions = body.questions.into_iter().map(|one| checked(one, now_ms)).collect::<Result<Vec<_>, _>>()?;
    app.node.store().add_questions(&caller.scope, &questions).await.map_err(store_problem)?;
    Ok((StatusCode::CREATED, Json(List::whole(questions.into_iter().map(Into::into).collect()))))
}

/// Changes a question of which the answer is known.
#[utoipa::path(put, path = "/api/v1/knowledge/questions/{id}", tag = "knowledge", operation_id = "put_question",
    params(("id" = Uuid, Path, description = "The question")), request_body = QuestionBody, security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "The question as it is now", body = QuestionView)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
    Body(body): Body<QuestionBody>,
) -> Result<Json<QuestionView>, Problem> {
    let question = KnownQuestion { id, ..checked(body, wall_ms())? };
    let changed = app.node.store().change_question(&caller.scope, &question).await.map_err(store_problem)?;
    Ok(Json(changed.into()))
}

/// Forgets a question of which the answer is known.
#[utoipa::path(delete, path = "/api/v1/knowledge/questions/{id}", tag = "knowledge", operation_id = "delete_question",
    params(("id" = Uuid, Path, description = "The question")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is forgotten")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, Problem> {
    deleted(app.node.store().delete_question(&caller.scope, id).await)
}

/// Makes questions out of headings that are ones, and out of what customers asked in vain, and adds those that are new.
#[utoipa::path(post, path = "/api/v1/knowledge/questions/generate", tag = "knowledge", operation_id = "generate_questions",
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 201, description = "The new ones", body = List<QuestionView>)
))]
pub(crate) async fn generate(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
) -> Result<(StatusCode, Json<List<QuestionView>>), Problem> {
    let made = documents(&app)?.generate_questions(&caller.scope).await.map_err(problem)?;
    Ok((StatusCode::CREATED, Json(List::whole(made.into_iter().map(Into::into).collect()))))
}

/// How good the answers were.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeEvaluation)]
pub(crate) struct EvaluationView {
    id: Uuid,
    at_ms: i64,
    /// State of the documents that were asked.
    revision: u64,
    /// Passages that were searched.
    passages: usize,
    /// Questions that have an answer.
    answerable: usize,
    /// Of them, the best passage was the right one, whatever the gate said: divided by `answerable`, the recall at 1.
    ranked_first: usize,
    /// Of them, the right passage was the answer.
    answered: usize,
    /// Of them, the right passage was named as the closest.
    closest: usize,
    /// Of them, declined.
    lost: usize,
    /// Of them, a wrong passage was given or named.
    wrong: usize,
    /// Questions that have none.
    unanswerable: usize,
    /// Of them, declined.
    declined: usize,
    /// Statements that stand in no passage.
    false_statements: usize,
    /// Processor time of a search, in milliseconds.
    cpu_ms_mean: Option<f64>,
    /// What went other than it should, at most 200.
    misses: Vec<MissView>,
    /// What came of fitting a gate to these questions. The counts above are those of the gate that served until then.
    gate: Option<GateReportView>,
}

/// A question that was answered other than it should be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeMiss)]
pub(crate) struct MissView {
    question: String,
    /// Heading or title that answers it; null: nothing does.
    expected: Option<String>,
    /// `answer`, `closest` or `decline`.
    decision: String,
    /// Heading of the best passage.
    found: Option<String>,
}

impl From<Miss> for MissView {
    fn from(miss: Miss) -> Self {
        let Miss { question, expected, decision, found } = miss;
        Self { question, expected, decision, found }
    }
}

fn view(report: KnowledgeReport) -> Result<EvaluationView, Problem> {
    let evaluation: Evaluation = serde_json::from_value(report.report).map_err(|error| {
        tracing::error!(%error, "an evaluation cannot be read");
        Problem::internal()
    })?;
    Ok(EvaluationView {
        id: report.id,
        at_ms: report.at_ms,
        revision: evaluation.revision,
        passages: evaluation.passages,
        answerable: evaluation.answerable,
        ranked_first: evaluation.ranked_first,
        answered: evaluation.answered,
        closest: evaluation.closest,
        lost: evaluation.lost,
        wrong: evaluation.wrong,
        unanswerable: evaluation.unanswerable,
        declined: evaluation.declined,
        false_statements: evaluation.false_statements,
        cpu_ms_mean: evaluation.cpu_ms_mean,
        misses: evaluation.misses.into_iter().map(Into::into).collect(),
        gate: evaluation.gate.map(Into::into),
    })
}

/// Asks all questions of which the answer is known. This happens by itself whenever documents have changed.
#[utoipa::path(post, path = "/api/v1/knowledge/evaluations", tag = "knowledge", operation_id = "start_evaluation",
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "They are being asked; `Location` says how far it is", body = JobView),
    (status = 409, description = "They are being asked already", body = Problem)
))]
pub(crate) async fn start(State(app): State<App>, caller: Allowed<may::KnowledgeWrite>) -> Result<Response, Problem> {
    documents(&app)?.evaluate(&caller.scope).await.map(accepted).map_err(problem)
}

/// Lists evaluations, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/evaluations", tag = "knowledge", operation_id = "list_evaluations", params(PageQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of evaluations", body = List<EvaluationView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Result<Listed<EvaluationView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let found = app.node.store().reports(&caller.scope, after, wanted).await.map_err(store_problem)?;
    let items = found.rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Listed::new(items, found.next, uri))
}

/// Reads an evaluation.
#[utoipa::path(get, path = "/api/v1/knowledge/evaluations/{id}", tag = "knowledge", operation_id = "get_evaluation",
    params(("id" = Uuid, Path, description = "The evaluation")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "The evaluation", body = EvaluationView)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Id(id): Id<Uuid>,
) -> Result<Json<EvaluationView>, Problem> {
    let report = app.node.store().report(&caller.scope, id).await.map_err(store_problem)?;
    view(report).map(Json)
}
