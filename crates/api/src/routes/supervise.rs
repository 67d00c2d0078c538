//! People at the desk beside a live call: whisper, say, take over, hand back, and the socket over which they hear and speak.
//! Who may do it is said per operation, and every one of them leaves a line in the audit log, whichever way it came.

use super::calls::{CallPath, TransferModeView, peer_problem};
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::network::ClientAddress;
use crate::auth::standing::Standing;
use crate::auth::{Actor, Allowed, Principal, may};
use crate::http::Body;
use crate::problem::Problem;
use crate::socket::tuned;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use base::{CallId, PhoneNumber, Pii, UserId, limits};
use engine::io::DeskInput;
use model::business::TenantScope;
use model::journal::HoldMode;
use model::people::Permission;
use runtime::supervise::{HeardSide, SuperviseError, Supervisor, Told};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use store::people::Audited;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Close codes (RFC 6455, 7.4.1; registry of IANA).
const OVER: u16 = 1000;
const NOT_UNDERSTOOD: u16 = 1007;
const POLICY: u16 = 1008;
const TRY_AGAIN: u16 = 1013;
const VOID: &str = "your session or key is void; sign in again";

/// Words for the agent or for the caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeskText {
    /// At most 500 characters.
    #[schema(example = "Offer her the spare key.", min_length = 1, max_length = 500)]
    text: String,
}

/// Gives the agent of a live call a hint: its next answers follow it, and the caller hears nothing of it.
#[utoipa::path(post, path = "/api/v1/calls/{id}/whisper", tag = "calls", operation_id = "whisper_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), request_body = DeskText,
    security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "The agent knows it"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn whisper(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
    Body(body): Body<DeskText>,
) -> Result<StatusCode, Problem> {
    let input = Asked::Whisper { text: body.text }.input(&caller)?;
    ask(&app, &caller, id, input).await
}

/// Has the agent of a live call say this, in its own voice. While the caller speaks it waits.
#[utoipa::path(post, path = "/api/v1/calls/{id}/say", tag = "calls", operation_id = "say_in_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), request_body = DeskText,
    security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "It will be said; what of it is heard comes as a turn of the transcript"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn say(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
    Body(body): Body<DeskText>,
) -> Result<StatusCode, Problem> {
    let input = Asked::Say { text: body.text }.input(&caller)?;
    ask(&app, &caller, id, input).await
}

/// Takes a live call over: the agent falls silent until the call is handed back.
///
/// The voice comes over the socket of the same person. Without one, what is to be said is typed (`say`), and the agent goes
/// on by itself 15 s after the last line.
#[utoipa::path(post, path = "/api/v1/calls/{id}/take-over", tag = "calls", operation_id = "take_over_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "The agent falls silent"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn take_over(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let by = Some(name_of(caller.actor));
    ask(&app, &caller, id, DeskInput::TakeOver { by, mode: HoldMode::TakeOver, with_line: false }).await
}

/// Hands a live call back to its agent, which goes on with what was said meanwhile.
#[utoipa::path(post, path = "/api/v1/calls/{id}/hand-back", tag = "calls", operation_id = "hand_back_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "The agent has the call"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn hand_back(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    ask(&app, &caller, id, DeskInput::HandBack).await
}

/// Puts the caller of a live call on hold that a person has: neither hears the other, and the caller hears that it goes on.
///
/// Only while a person has the call. It ends with `unhold`, and when the call is taken, handed back or passed on. Who types has ten
/// minutes meanwhile, instead of 15 s. Transcript and recording go on.
#[utoipa::path(post, path = "/api/v1/calls/{id}/hold", tag = "calls", operation_id = "hold_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "The caller is on hold; where the agent has the call, or in a chat, nothing changes"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn hold(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let input = Asked::Hold.input(&caller)?;
    ask(&app, &caller, id, input).await
}

/// Comes back to a caller on hold.
#[utoipa::path(post, path = "/api/v1/calls/{id}/unhold", tag = "calls", operation_id = "unhold_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "Both hear each other; where the caller is not on hold, nothing changes"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn unhold(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let input = Asked::Unhold.input(&caller)?;
    ask(&app, &caller, id, input).await
}

/// Leaves what is heard in a live call out of its recording from now on, as where a card number is read out.
///
/// The recording has silence there. Transcript and journal are kept as ever; the journal says who asked and when.
#[utoipa::path(post, path = "/api/v1/calls/{id}/recording/pause", tag = "calls", operation_id = "pause_recording",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "What is heard is left out, here and in the call of a colleague who is joined; where it is already, nothing changes. A call that is not recorded notes it all the same"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn pause_recording(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let input = Asked::PauseRecording.input(&caller)?;
    ask(&app, &caller, id, input).await
}

/// Puts what is heard in a live call on its recording again.
#[utoipa::path(post, path = "/api/v1/calls/{id}/recording/resume", tag = "calls", operation_id = "resume_recording",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "What is heard is recorded again, here and in the call of a colleague who is joined; where it is already, nothing changes. A call that is not recorded notes it all the same"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn resume_recording(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let input = Asked::ResumeRecording.input(&caller)?;
    ask(&app, &caller, id, input).await
}

async fn ask(app: &App, caller: &Principal, id: CallId, input: DeskInput) -> Result<StatusCode, Problem> {
    let told = app.node.ask_desk(&caller.scope, id, input).await.map_err(peer_problem)?;
    if told { Ok(StatusCode::ACCEPTED) } else { Err(Problem::not_found()) }
}

/// Hears a live call and speaks in it, over a WebSocket; docs/supervision.md has its messages.
#[utoipa::path(get, path = "/api/v1/calls/{id}/supervise", tag = "calls", operation_id = "supervise_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:control"])), responses(
    (status = 101, description = "A WebSocket: audio of both sides, live events, and what the desk can do"),
    (status = 400, description = "Not the upgrade to a WebSocket", body = Problem),
    (status = 404, description = "No such live call", body = Problem),
    (status = 409, description = "Another node has the call; the detail says where", body = Problem),
    (status = 429, description = "So many supervise this call already", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn supervise(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
    ClientAddress(address): ClientAddress,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let by = name_of(caller.actor);
    let supervisor = app.node.supervise(&caller.scope, id, &by).await.map_err(|error| match error {
        SuperviseError::Gone => Problem::not_found(),
        SuperviseError::Elsewhere { .. } => Problem::call_elsewhere(error.to_string()),
        SuperviseError::TooMany => Problem::too_many_streams(),
    })?;
    let standing = Standing::new(app.clone(), *caller, Permission::CallsControl);
    let address = address.map(|address| address.to_string());
    let desk = Desk { app, caller: *caller, standing, id, by, address };
    let mut response = tuned(upgrade).on_upgrade(move |socket| desk.serve(socket, supervisor));
    // Whoever listens to a call leaves a line, too.
    response.extensions_mut().insert(Note::default());
    Ok(response)
}

/// Who somebody is, for the journal of a call: kind and id.
pub(super) fn name_of(actor: Actor) -> String {
    actor.id().map_or_else(|| actor.kind().to_owned(), |id| format!("{}:{id}", actor.kind()))
}

/// What a supervisor asks for over the socket.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Asked {
    TakeOver,
    BargeIn,
    HandBack,
    Hold,
    Unhold,
    PauseRecording,
    ResumeRecording,
    Whisper {
        text: String,
    },
    Say {
        text: String,
    },
    Transfer {
        to: String,
        #[serde(default)]
        mode: Option<TransferModeView>,
        #[serde(default)]
        brief: Option<String>,
    },
    End,
    /// Later pages may say more.
    #[serde(other)]
    Unknown,
}

impl Asked {
    /// What it is for the call.
    fn input(self, caller: &Principal) -> Result<DeskInput, Problem> {
        let by = Some(name_of(caller.actor));
        let words = |text: String| {
            let is_fine = !text.trim().is_empty() && text.chars().count() <= limits::DESK_TEXT_CHARS_MAX;
            let why = || Problem::invalid(format!("text: 1 to {} characters", limits::DESK_TEXT_CHARS_MAX));
            is_fine.then(|| text.trim().to_owned()).ok_or_else(why)
        };
        Ok(match self {
            Self::TakeOver => DeskInput::TakeOver { by, mode: HoldMode::TakeOver, with_line: true },
            Self::BargeIn => DeskInput::TakeOver { by, mode: HoldMode::BargeIn, with_line: true },
            Self::HandBack => DeskInput::HandBack,
            Self::Hold => DeskInput::Hold { on: true, by },
            Self::Unhold => DeskInput::Hold { on: false, by },
            Self::PauseRecording => DeskInput::Record { on: false, by },
            Self::ResumeRecording => DeskInput::Record { on: true, by },
            Self::Whisper { text } => DeskInput::Whisper { by, text: Pii::new(words(text)?) },
            Self::Say { text } => DeskInput::Say { text: words(text)? },
            Self::Transfer { to, mode, brief } => {
                let to: PhoneNumber = to.parse().map_err(|why| Problem::invalid(format!("to: {why}")))?;
                let brief = brief.map(words).transpose()?.map(Pii::new);
                DeskInput::Transfer { to, mode: mode.map(Into::into), brief }
            }
            Self::End => DeskInput::End,
            Self::Unknown => return Err(Problem::invalid("type: there is no such command")),
        })
    }

    /// The operation of the API that does the same, for the audit log.
    const fn operation(&self) -> &'static str {
        match self {
            Self::TakeOver => "take_over_call",
            Self::BargeIn => "barge_into_call",
            Self::HandBack => "hand_back_call",
            Self::Hold => "hold_call",
            Self::Unhold => "unhold_call",
            Self::PauseRecording => "pause_recording",
            Self::ResumeRecording => "resume_recording",
            Self::Whisper { .. } => "whisper_call",
            Self::Say { .. } => "say_in_call",
            Self::Transfer { .. } => "transfer_call",
            Self::End => "end_call",
            Self::Unknown => "",
        }
    }
}

/// One supervisor's socket.
struct Desk {
    app: App,
    caller: Principal,
    standing: Standing,
    id: CallId,
    by: String,
    /// From where they came, for the audit log.
    address: Option<String>,
}

impl Desk {
    /// Serves the socket until the call is over or the supervisor leaves.
    async fn serve(self, mut socket: WebSocket, mut supervisor: Supervisor) {
        let (holder, is_heard) = self.held(&mut supervisor).await;
        let ready = json!({ "type": "ready", "call": self.id.0, "by": self.by, "sample_rate_hz": runtime::supervise::SUPERVISE_HZ,
            "holder": holder, "heard": is_heard, "recorded": supervisor.is_recorded() });
        if !send(&mut socket, Message::Text(ready.to_string().into())).await {
            return;
        }
        let mut tick = tokio::time::interval(Duration::from_millis(limits::EVENTS_KEEP_ALIVE_MS));
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                told = supervisor.next() => {
                    let Some(told) = told else {
                        close(&mut socket, OVER, "the call is over").await;
                        return;
                    };
                    let message = match told {
                        Told::Held => Some(self.holder_message(&mut supervisor).await),
                        told => message_of(told),
                    };
                    if let Some(message) = message
                        && !send(&mut socket, message).await
                    {
                        close(&mut socket, TRY_AGAIN, "you read too slowly; connect again").await;
                        return;
                    }
                }
                _ = tick.tick() => {
                    let is_silent = heard_at.elapsed() > Duration::from_millis(limits::EVENTS_SILENT_MS_MAX);
                    if is_silent || !send(&mut socket, Message::Ping(Vec::new().into())).await {
                        return;
                    }
                    if !self.standing.holds().await {
                        close(&mut socket, POLICY, VOID).await;
                        return;
                    }
                }
                message = socket.recv() => {
                    heard_at = Instant::now();
                    let answer = match message {
                        Some(Ok(Message::Binary(bytes))) => match pcm_of(&bytes) {
                            Some(pcm) => {
                                supervisor.speak(&pcm);
                                None
                            }
                            None => return close(&mut socket, NOT_UNDERSTOOD, "half a sample").await,
                        },
                        Some(Ok(Message::Text(text))) => match serde_json::from_str::<Asked>(&text) {
                            // Nobody steps into a call by a right that was taken away.
                            Ok(_) if !self.standing.holds().await => return close(&mut socket, POLICY, VOID).await,
                            Ok(asked) => self.carry_out(&supervisor, asked).await,
                            Err(_) => {
                                return close(&mut socket, NOT_UNDERSTOOD, "a message that is not of the protocol").await;
                            }
                        },
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    };
                    if let Some(answer) = answer
                        && !send(&mut socket, Message::Text(answer.to_string().into())).await
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Who has the call, and whether it is on this socket that they are heard.
    async fn held(&self, supervisor: &mut Supervisor) -> (Option<HolderView>, bool) {
        let (held, is_heard) = supervisor.held();
        let Some(by) = held.by else { return (None, false) };
        let mode = held.mode.map(mode_name);
        (Some(holder(&self.app, &self.caller.scope, by, mode).await), is_heard)
    }

    async fn holder_message(&self, supervisor: &mut Supervisor) -> Message {
        let (holder, is_heard) = self.held(supervisor).await;
        Message::Text(json!({ "type": "holder", "holder": holder, "heard": is_heard }).to_string().into())
    }

    /// Carries a command out. Answers why not.
    async fn carry_out(&self, supervisor: &Supervisor, asked: Asked) -> Option<Value> {
        let operation = asked.operation();
        let refused = |detail: &str| Some(json!({ "type": "refused", "command": operation, "detail": detail }));
        let input = match asked.input(&self.caller) {
            Ok(input) => input,
            Err(problem) => return refused(problem.detail_text()),
        };
        if !supervisor.ask(input).await {
            return refused("the call is over");
        }
        let subject = format!("calls/{}", self.id);
        let details = json!({ "over": "supervise_call" });
        let line = Audited {
            actor: Some(self.caller.actor),
            action: operation,
            subject: &subject,
            details: &details,
            address: self.address.as_deref(),
        };
        audit::write(&self.app, self.caller.scope, &line).await;
        None
    }
}

/// Who has a call.
#[derive(Serialize, ToSchema)]
#[schema(as = CallHolder)]
pub(crate) struct HolderView {
    /// Kind and id of their credential; null where nobody knows who it is.
    #[schema(example = "user:01990000-0000-7000-8000-000000000001")]
    by: Option<String>,
    /// Who, when it is a person of the business.
    user_id: Option<uuid::Uuid>,
    /// Their name as people see it.
    name: Option<String>,
    /// `take_over`, or `barge_in` for a word in between; not there where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

/// The name of the socket's command that takes a call so.
const fn mode_name(mode: HoldMode) -> &'static str {
    match mode {
        HoldMode::TakeOver => "take_over",
        HoldMode::BargeIn => "barge_in",
    }
}

/// Who has a call, with their name. Who left the business meanwhile has none.
pub(super) async fn holder(
    app: &App,
    scope: &TenantScope,
    by: Option<String>,
    mode: Option<&'static str>,
) -> HolderView {
    let user_id: Option<UserId> = by.as_deref().and_then(|by| by.strip_prefix("user:")).and_then(|id| id.parse().ok());
    let name = match user_id {
        Some(id) => app.node.store().user(scope, id).await.ok().map(|user| user.name.into_inner()),
        None => None,
    };
    HolderView { by, user_id: user_id.map(|id| id.0), name, mode }
}

/// What goes to the supervisor: audio behind two bytes that say whose, and JSON for all else.
fn message_of(told: Told) -> Option<Message> {
    match told {
        Told::Audio { side, pcm } => {
            let side: u16 = match side {
                HeardSide::Caller => 0,
                HeardSide::Agent => 1,
                HeardSide::Person => 2,
            };
            let mut bytes = Vec::with_capacity(2 + pcm.len() * 2);
            bytes.extend(side.to_le_bytes());
            bytes.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
            Some(Message::Binary(bytes.into()))
        }
        Told::Held => None,
        Told::Clear => Some(Message::Text(r#"{"type":"clear"}"#.into())),
        Told::Live(event) => {
            let mut event = serde_json::to_value(event).ok()?;
            event.as_object_mut()?.insert("type".into(), "live".into());
            Some(Message::Text(event.to_string().into()))
        }
    }
}

/// 16-bit little-endian samples; `None` for half a sample.
fn pcm_of(bytes: &[u8]) -> Option<Vec<i16>> {
    let (samples, rest) = bytes.as_chunks::<2>();
    rest.is_empty().then(|| samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect())
}

/// Sends within the time of a write. `false` when that was not possible.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    let patience = Duration::from_millis(limits::SOCKET_WRITE_MS_MAX);
    matches!(tokio::time::timeout(patience, socket.send(message)).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    send(socket, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}
