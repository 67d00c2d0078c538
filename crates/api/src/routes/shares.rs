//! Links that show one call to whoever has them, for a while: what was said, with numbers masked, and perhaps the recording.

use super::calls::CallPath;
use super::recordings::{self, Part};
use super::store_problem;
use super::views::{CallStateView, DirectionView};
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::secret::{self, SecretKind};
use crate::auth::{Allowed, may};
use crate::http::{Body, List, rate};
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{CallId, PhoneNumber, limits};
use model::business::TenantScope;
use model::call::Call;
use model::people::Permission;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::contract::shares::Share;
use store::{Message, Role};
use utoipa::ToSchema;
use uuid::Uuid;

/// Runs of so many digits are numbers of people, cards and accounts; shorter ones are hours, days and prices.
const DIGITS_MIN: usize = 6;
/// What may stand between the digits of a number.
const BETWEEN: &str = " -./()";
/// Answers to whoever has a link are kept nowhere and found by nobody else.
const PRIVATE: [(header::HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareBody {
    /// Unix milliseconds from which on it leads nowhere; at most 90 days away.
    expires_at_ms: i64,
    /// Whether the recording can be heard through it, for which `recordings:read` is needed.
    #[serde(default)]
    recording: bool,
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedShare {
    id: Uuid,
    /// The page with the token behind `#`, which browsers send to no server. Shown once.
    #[schema(example = "https://desk.example/shared#fdl_…")]
    url: String,
    recording: bool,
    /// Unix milliseconds.
    expires_at_ms: i64,
}

/// A link, without its token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallShare)]
pub(crate) struct ShareView {
    id: Uuid,
    /// Whether the recording can be heard through it.
    recording: bool,
    /// Who made it, as `kind:id`.
    created_by: Option<String>,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds.
    expires_at_ms: i64,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        let Share { id, recording, created_by, created_at_ms, expires_at_ms, .. } = share;
        Self { id, recording, created_by, created_at_ms, expires_at_ms }
    }
}

/// Makes a link that shows a call to whoever has it. The token is shown once.
#[utoipa::path(post, path = "/api/v1/calls/{id}/shares", tag = "calls", operation_id = "share_call",
    params(("id" = Uuid, Path, description = "The call")), request_body = ShareBody,
    security(("bearer" = ["calls:control"])), responses(
    (status = 201, description = "The link", body = CreatedShare),
    (status = 409, description = "The call has as many links as it may", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(call): CallPath,
    headers: HeaderMap,
    Body(body): Body<ShareBody>,
) -> Result<Response, Problem> {
    if body.recording {
        caller.require(Permission::RecordingsRead)?;
    }
    let now_ms = runtime::wall_ms();
    let lasts_ms = body.expires_at_ms.checked_sub(now_ms).unwrap_or(0);
    if !(1..=limits::CALL_SHARE_MS_MAX).contains(&lasts_ms) {
        return Err(Problem::invalid("expires_at_ms: later than now, by at most 90 days"));
    }
    let token = secret::fresh(SecretKind::Link)?;
    let share = Share {
        id: Uuid::now_v7(),
        call,
        recording: body.recording,
        created_by: Some(rate::actor_name(caller.actor)),
        created_at_ms: now_ms,
        expires_at_ms: body.expires_at_ms,
    };
    let details = json!({"recording": share.recording, "expires_at_ms": share.expires_at_ms});
    audit::tell(&Note::on(format!("calls/{call}/shares/{}", share.id)).details(details));
    app.node.store().share_call(&caller.scope, &share, &token.hash).await.map_err(store_problem)?;
    let made = CreatedShare {
        id: share.id,
        url: format!("{}/shared#{}", app.access.base_url(&headers), token.text.expose()),
        recording: share.recording,
        expires_at_ms: share.expires_at_ms,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// Lists the links of a call that hold, newest first.
#[utoipa::path(get, path = "/api/v1/calls/{id}/shares", tag = "calls", operation_id = "list_call_shares",
    params(("id" = Uuid, Path, description = "The call")), security(("bearer" = ["calls:read"])),
    responses((status = 200, description = "Links, without their tokens", body = List<ShareView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    CallPath(call): CallPath,
) -> Result<Json<List<ShareView>>, Problem> {
    let shares = app.node.store().shares(&caller.scope, call, runtime::wall_ms()).await.map_err(store_problem)?;
    Ok(Json(List::whole(shares.into_iter().map(ShareView::from).collect())))
}

/// Takes a link back: it leads nowhere from now on.
#[utoipa::path(delete, path = "/api/v1/calls/{id}/shares/{share}", tag = "calls", operation_id = "revoke_call_share",
    params(("id" = Uuid, Path, description = "The call"), ("share" = Uuid, Path, description = "The link")),
    security(("bearer" = ["calls:control"])), responses((status = 204, description = "It is gone")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    Path((call, share)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call: CallId = call.parse().map_err(|_| Problem::not_found())?;
    let share = Uuid::try_parse(&share).map_err(|_| Problem::not_found())?;
    super::deleted(app.node.store().revoke_share(&caller.scope, call, share).await)
}

/// A call as a link shows it. Numbers are masked, also those that were said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharedCall {
    /// Name of the business.
    business: String,
    /// Name of the agent.
    agent: String,
    direction: DirectionView,
    state: CallStateView,
    /// The customer's number or address, masked.
    customer: Option<String>,
    /// The number of the business, masked.
    number: Option<String>,
    /// Unix milliseconds.
    started_at_ms: i64,
    /// Unix milliseconds.
    answered_at_ms: Option<i64>,
    /// Unix milliseconds.
    ended_at_ms: Option<i64>,
    /// Why it ended, in one word.
    ended_reason: Option<String>,
    /// What was said, in order; of the agent what was heard.
    messages: Vec<SharedMessage>,
    /// Whether `/recording` below this address plays something.
    recording: bool,
    /// Unix milliseconds from which on the link leads nowhere.
    expires_at_ms: i64,
}

/// Something that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharedMessage {
    role: super::conversations::RoleView,
    text: String,
    /// Whether the customer heard all of it.
    complete: bool,
    /// Milliseconds since the conversation began.
    at_ms: u64,
}

impl From<Message> for SharedMessage {
    fn from(message: Message) -> Self {
        let role: Role = message.role;
        Self {
            role: role.into(),
            text: masked_text(message.text.expose()),
            complete: message.complete,
            at_ms: message.at.0,
        }
    }
}

/// Shows the call of a link to whoever has its token.
#[utoipa::path(get, path = "/api/v1/shared/{token}", tag = "calls", operation_id = "get_shared_call", security(()),
    params(("token" = String, Path, description = "The token of the link")), responses(
    (status = 200, description = "The call", body = SharedCall),
    (status = 404, description = "The link is over, taken back, or none", body = Problem)
))]
pub(crate) async fn get(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let (scope, share) = shared(&app, &token).await?;
    let store = app.node.store();
    let call = store.call(&scope, share.call).await.map_err(store_problem)?;
    let messages = super::transcripts::messages(&app, &scope, call.conversation).await?;
    let agent = store.agent_of_call(&scope, share.call).await.map_err(store_problem)?.agent;
    let shown = show(call, &share, agent.business_name, agent.name, messages);
    Ok((PRIVATE, Json(shown)).into_response())
}

/// Plays the recording of a link's call, where the link allows it.
#[utoipa::path(get, path = "/api/v1/shared/{token}/recording", tag = "calls", operation_id = "get_shared_recording", security(()),
    params(
        ("token" = String, Path, description = "The token of the link"),
        ("part" = Option<usize>, Query, description = "Which part, from 1; the last one unless given. \
            `Frontdesk-Recording-Parts` says how many there are"),
    ), responses(
    (status = 200, description = "Stereo WAV: the caller left, the agent right", content_type = "audio/wav"),
    (status = 206, description = "The part asked for by `Range`", content_type = "audio/wav"),
    (status = 404, description = "The link is over, taken back, none, or not one to the recording", body = Problem),
    (status = 416, description = "The range lies outside the recording")
))]
pub(crate) async fn recording(
    State(app): State<App>,
    Path(token): Path<String>,
    wanted: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let (scope, share) = shared(&app, &token).await?;
    if !share.recording {
        return Err(Problem::not_found());
    }
    let played = recordings::play(&app, &scope, share.call, wanted.part, &headers).await?;
    Ok((PRIVATE, played).into_response())
}

async fn shared(app: &App, token: &str) -> Result<(TenantScope, Share), Problem> {
    let found = app.node.store().shared_call(&secret::hash(token), runtime::wall_ms()).await;
    found.map_err(store_problem)?.ok_or_else(Problem::not_found)
}

fn show(call: Call, share: &Share, business: String, agent: String, messages: Vec<Message>) -> SharedCall {
    SharedCall {
        business,
        agent,
        direction: call.direction.into(),
        state: call.state.into(),
        customer: call.customer.map(|customer| masked(customer.expose())),
        number: call.number.as_deref().map(masked),
        started_at_ms: call.started_at_ms,
        answered_at_ms: call.answered_at_ms,
        ended_at_ms: call.ended_at_ms,
        ended_reason: call.ended_reason,
        messages: messages.into_iter().map(SharedMessage::from).collect(),
        recording: share.recording && call.recording.is_some(),
        expires_at_ms: share.expires_at_ms,
    }
}

/// A number or an address, so that who knows it recognises it.
fn masked(address: &str) -> String {
    match address.parse::<PhoneNumber>() {
        Ok(number) => number.to_string(),
        Err(_) => format!("{}…", address.chars().next().unwrap_or_default()),
    }
}

/// A text in which the digits of long numbers cannot be read.
fn masked_text(text: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    while at < signs.len() {
        let run = number_at(&signs[at..]);
        let digits = signs[at..at + run].iter().filter(|sign| sign.is_numeric()).count();
        let hides = digits >= DIGITS_MIN;
        shown.extend(signs[at..at + run].iter().map(|sign| if hides && sign.is_numeric() { '•' } else { *sign }));
        shown.extend((run == 0).then_some(signs[at]));
        at += run.max(1);
    }
    shown
}

/// How many signs the number has with which a text begins: digits, and single signs between them. 0: it begins with none.
fn number_at(signs: &[char]) -> usize {
    let (mut length, mut at) = (0, 0);
    while let Some(sign) = signs.get(at) {
        if sign.is_numeric() {
            length = at + 1;
        } else if length == 0 || at - length >= 2 || !BETWEEN.contains(*sign) {
            break;
        }
        at += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_not_shown_and_short_ones_are() {
        assert_eq!(masked("+4915735550123"), "+49…23");
        assert_eq!(masked("ada@example.com"), "a…");
        assert_eq!(masked_text("Call +49 157 3555-0123, at 9:30 or 18."), "Call +•• ••• ••••-••••, at 9:30 or 18.");
        assert_eq!(masked_text("4111 1111 1111 1111"), "•••• •••• •••• ••••");
        assert_eq!(masked_text("(030) 555 01 70 is ours"), "(•••) ••• •• •• is ours");
        assert_eq!(masked_text("Order HB1234 costs 19.99, in 2026."), "Order HB1234 costs 19.99, in 2026.");
        assert_eq!(masked_text("१२३४५६"), "••••••");
        assert_eq!(masked_text(""), "");
    }
}
