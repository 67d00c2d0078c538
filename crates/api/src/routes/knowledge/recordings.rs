//! Recorded calls that were heard, and the questions with answers that they propose.

use super::upload::{ANSWER_CHARS_MAX, QUESTION_CHARS_MAX};
use super::{PageQuery, accepted, documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List, Listed, Params, page};
use crate::problem::Problem;
use crate::routes::{Id, check_text, deleted, store_problem};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base::limits;
use runtime::wall_ms;
use serde::{Deserialize, Serialize};
use store::Cursor;
use store::heard::{HeardCall, Proposal, ProposalState, Utterance};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A recorded call that was heard.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeardCall)]
pub(crate) struct HeardView {
    id: Uuid,
    /// Name of the recording.
    name: String,
    duration_ms: u64,
    /// Questions that are not proposed because documents or earlier proposals have them.
    known: u32,
    /// Questions that are not proposed because they or their answers hold personal data.
    personal: u32,
    /// Unix milliseconds when it was heard.
    at_ms: i64,
}

/// A recorded call that was heard, with what was said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeardCallDetail)]
pub(crate) struct HeardDetail {
    #[serde(flatten)]
    call: HeardView,
    utterances: Vec<UtteranceView>,
}

/// What somebody said without a pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeardUtterance)]
pub(crate) struct UtteranceView {
    /// `caller`, `agent`, or `unknown` in a recording of one channel, where voices are not told apart.
    #[schema(example = "caller")]
    speaker: &'static str,
    /// Milliseconds of the recording.
    from_ms: u32,
    to_ms: u32,
    text: String,
}

impl From<HeardCall> for HeardView {
    fn from(call: HeardCall) -> Self {
        let HeardCall { id, name, duration_ms, left_out, at_ms, .. } = call;
        Self { id, name, duration_ms, known: left_out.known, personal: left_out.personal, at_ms }
    }
}

impl From<Utterance> for UtteranceView {
    fn from(one: Utterance) -> Self {
        let Utterance { speaker, from_ms, to_ms, text } = one;
        Self { speaker: speaker.name(), from_ms, to_ms, text: text.into_inner() }
    }
}

/// Lists recorded calls that were heard, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/recordings", tag = "knowledge", operation_id = "list_heard_calls", params(PageQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of them", body = List<HeardView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Result<Listed<HeardView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let found = app.node.store().heard_calls(&caller.scope, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

/// Reads what was said in a recorded call.
#[utoipa::path(get, path = "/api/v1/knowledge/recordings/{id}", tag = "knowledge", operation_id = "get_heard_call",
    params(("id" = Uuid, Path, description = "The recorded call")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "Who said what", body = HeardDetail)
))]
pub(crate) async fn get(
    State(app): State<App>,
    // What customers said in calls is not for everybody who may read the documents.
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<Json<HeardDetail>, Problem> {
    let mut call = app.node.store().heard_call(&caller.scope, id).await.map_err(store_problem)?;
    let utterances = std::mem::take(&mut call.utterances).into_iter().map(Into::into).collect();
    Ok(Json(HeardDetail { call: call.into(), utterances }))
}

/// Deletes what was heard in a recorded call, and the proposals that nobody decided on. Documents that came of it stay.
#[utoipa::path(delete, path = "/api/v1/knowledge/recordings/{id}", tag = "knowledge", operation_id = "delete_heard_call",
    params(("id" = Uuid, Path, description = "The recorded call")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, Problem> {
    let gone = deleted(app.node.store().delete_heard_call(&caller.scope, id).await)?;
    app.node.store().scrub().await.map_err(store_problem)?;
    Ok(gone)
}

/// A question with its answer out of a recorded call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeProposal)]
pub(crate) struct ProposalView {
    id: Uuid,
    /// The recorded call; null when it was deleted.
    recording: Option<Uuid>,
    /// Name of the recording.
    source: String,
    /// Milliseconds of the recording at which it was asked.
    from_ms: u32,
    question: String,
    answer: String,
    /// `open`, `accepted` or `rejected`. Only what was accepted is ever said.
    #[schema(example = "open")]
    state: &'static str,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<Proposal> for ProposalView {
    fn from(one: Proposal) -> Self {
        Self {
            id: one.id,
            recording: one.heard,
            source: one.source,
            from_ms: one.from_ms,
            question: one.question,
            answer: one.answer,
            state: one.state.name(),
            created_at_ms: one.created_at_ms,
            updated_at_ms: one.updated_at_ms,
        }
    }
}

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalQuery {
    /// `open`, `accepted` or `rejected`; `open` when left out.
    #[param(inline)]
    state: Option<StateWord>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeProposalState)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateWord {
    /// Nobody decided yet.
    Open,
    /// It became a document.
    Accepted,
    /// It is not wanted.
    Rejected,
}

impl From<StateWord> for ProposalState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Open => Self::Open,
            StateWord::Accepted => Self::Accepted,
            StateWord::Rejected => Self::Rejected,
        }
    }
}

/// Lists questions with answers that recorded calls propose, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/proposals", tag = "knowledge", operation_id = "list_proposals", params(ProposalQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of them", body = List<ProposalView>)))]
pub(crate) async fn proposals(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<ProposalQuery>,
) -> Result<Listed<ProposalView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let state = query.state.map_or(ProposalState::Open, Into::into);
    let found = app.node.store().proposals(&caller.scope, state, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

/// What a question and its answer should be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeProposalChange)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    #[schema(min_length = 1, max_length = 500, example = "Do you ship to Norway?")]
    question: String,
    #[schema(min_length = 1, max_length = 5000, example = "Yes, within five days.")]
    answer: String,
}

/// Changes a question and its answer before somebody decides on them.
#[utoipa::path(put, path = "/api/v1/knowledge/proposals/{id}", tag = "knowledge", operation_id = "put_proposal",
    params(("id" = Uuid, Path, description = "The proposal")), request_body = ChangeBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "As it is now", body = ProposalView),
    (status = 409, description = "It was decided on already", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
    Body(body): Body<ChangeBody>,
) -> Result<Json<ProposalView>, Problem> {
    let (question, answer) = (body.question.trim(), body.answer.trim());
    check_text("question", question, 1, QUESTION_CHARS_MAX)?;
    check_text("answer", answer, 1, ANSWER_CHARS_MAX)?;
    let changed = app.node.store().change_proposal(&caller.scope, id, question, answer, wall_ms()).await;
    changed.map(|one| Json(one.into())).map_err(store_problem)
}

/// Proposals to decide on.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = KnowledgeProposalIds)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdsBody {
    #[schema(min_items = 1, max_items = 50)]
    ids: Vec<Uuid>,
}

impl IdsBody {
    fn checked(self) -> Result<Vec<Uuid>, Problem> {
        let most = limits::PROPOSALS_AT_ONCE_MAX;
        if !(1..=most).contains(&self.ids.len()) {
            return Err(Problem::invalid(format!("ids: 1 to {most} are needed")));
        }
        Ok(self.ids)
    }
}

/// Lets proposals become documents that are answered from, each of its own. Those that were decided on already are passed over.
#[utoipa::path(post, path = "/api/v1/knowledge/proposals/accept", tag = "knowledge", operation_id = "accept_proposals", request_body = IdsBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "They are being taken in; `Location` says how far it is", body = super::JobView),
    (status = 204, description = "All of them were decided on already"),
    (status = 404, description = "One of them is not there; nothing was accepted", body = Problem)
))]
pub(crate) async fn accept(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<IdsBody>,
) -> Result<Response, Problem> {
    let begun = documents(&app)?.accept(&caller.scope, &body.checked()?).await.map_err(problem)?;
    Ok(begun.map_or_else(|| StatusCode::NO_CONTENT.into_response(), accepted))
}

/// How many were open.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedProposals {
    rejected: usize,
}

/// Rejects proposals; the same questions are not proposed again. Those that were decided on already stay as they are.
#[utoipa::path(post, path = "/api/v1/knowledge/proposals/reject", tag = "knowledge", operation_id = "reject_proposals", request_body = IdsBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "They are rejected", body = RejectedProposals)
))]
pub(crate) async fn reject(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<IdsBody>,
) -> Result<Json<RejectedProposals>, Problem> {
    let ids = body.checked()?;
    let settled = app.node.store().settle_proposals(&caller.scope, &ids, ProposalState::Rejected, wall_ms()).await;
    Ok(Json(RejectedProposals { rejected: settled.map_err(store_problem)? }))
}
