//! When the documents are an answer: the gate that every business begins with, or one that was fitted to its own questions.

use crate::App;
use crate::auth::{Allowed, may};
use crate::http::Body;
use crate::problem::Problem;
use crate::routes::store_problem;
use axum::Json;
use axum::extract::State;
use runtime::documents::gate::{GateMode, GateReport, Judged, KeptGate, choose_gate, kept_gate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a gate does with questions of which the answer is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeJudged)]
pub(crate) struct JudgedView {
    /// The right passage was given as the answer.
    answered: usize,
    /// The right passage was named as the closest.
    closest: usize,
    /// The right passage was there, and the question declined.
    lost: usize,
    /// A passage that does not answer the question was given as the answer.
    let_through: usize,
    /// Such a passage was named as the closest.
    let_through_closest: usize,
    /// It was held back.
    declined: usize,
}

impl From<Judged> for JudgedView {
    fn from(one: Judged) -> Self {
        let Judged { answered, closest, lost, let_through, let_through_closest, declined } = one;
        Self { answered, closest, lost, let_through, let_through_closest, declined }
    }
}

/// What an evaluation says about the gate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeGateReport)]
pub(crate) struct GateReportView {
    /// Why the gate that is in force from then on is: `better` and `not_better` speak of the fitted one; `too_few_questions` to fit
    /// one; `chosen`: the usual one is wanted.
    #[schema(example = "better")]
    reason: &'static str,
    /// From this probability on, the passage is the answer.
    answer_from: f32,
    /// From this probability on, it is named as the closest; below, the question is declined.
    closest_from: f32,
    /// Questions that a gate can be fitted to: those that are no heading word for word.
    questions: usize,
    /// What gates do with them that were fitted without them (cross-validation in five parts); null when there are too few.
    validated: Option<JudgedView>,
    /// What the usual gate does with them.
    usual: Option<JudgedView>,
}

impl From<GateReport> for GateReportView {
    fn from(report: GateReport) -> Self {
        Self {
            reason: report.reason.name(),
            answer_from: report.answer_from,
            closest_from: report.closest_from,
            questions: report.questions,
            validated: report.validated.map(Into::into),
            usual: report.usual.map(Into::into),
        }
    }
}

/// What decides whether the best passage is an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeGate)]
pub(crate) struct GateView {
    /// Which one is wanted: `fitted` (to the questions of which the answer is known, where that is better) or `usual`.
    #[schema(example = "fitted")]
    mode: &'static str,
    /// Unix milliseconds when one was fitted last; null when there were never questions enough.
    fitted_at_ms: Option<i64>,
    #[serde(flatten)]
    report: GateReportView,
}

impl From<KeptGate> for GateView {
    fn from(kept: KeptGate) -> Self {
        let fitted_at_ms = kept.fitted.as_ref().map(|one| one.at_ms);
        Self { mode: kept.mode.name(), fitted_at_ms, report: kept.report().into() }
    }
}

/// Reads which gate is in force, and why.
#[utoipa::path(get, path = "/api/v1/knowledge/gate", tag = "knowledge", operation_id = "get_gate",
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "The gate", body = GateView)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
) -> Result<Json<GateView>, Problem> {
    let (kept, _) = kept_gate(app.node.store().as_ref(), &caller.scope).await.map_err(store_problem)?;
    Ok(Json(kept.into()))
}

/// Which gate is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeGateChoice)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateBody {
    mode: ModeWord,
}

/// A gate.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeGateMode)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeWord {
    /// Fitted to the questions of which the answer is known, where that is better.
    Fitted,
    /// The one that every business begins with.
    Usual,
}

/// Says which gate is wanted: so a fitted one can be taken back, and put in force again. It is within seconds.
#[utoipa::path(put, path = "/api/v1/knowledge/gate", tag = "knowledge", operation_id = "put_gate", request_body = GateBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "The gate that is in force now", body = GateView),
    (status = 409, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<GateBody>,
) -> Result<Json<GateView>, Problem> {
    let mode = match body.mode {
        ModeWord::Fitted => GateMode::Fitted,
        ModeWord::Usual => GateMode::Usual,
    };
    let kept = choose_gate(app.node.store().as_ref(), &caller.scope, mode).await.map_err(store_problem)?;
    Ok(Json(kept.into()))
}
