//! Live events of the business: server-sent events, a WebSocket, and the picture to begin from.

use super::store_problem;
use super::supervise::{HolderView, holder};
use super::views::{CallStateView, DirectionView};
use crate::App;
use crate::auth::standing::Standing;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use crate::socket::tuned;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::{Event as SseEvent, Sse};
use base::limits;
use futures_util::Stream;
use model::call::Direction;
use model::event::{CallFacts, Event, EventKind, Holder};
use model::people::Permission;
use model::webhook::Kinds;
use runtime::events::{Follow, FollowError, Told};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The close code of a reader that is sent away and may come back at once (RFC 6455, 7.4.1; registry of IANA).
const TRY_AGAIN: u16 = 1013;
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;

/// Where to begin, and what to tell.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowQuery {
    /// Place of the last event that you have; events after it are sent. Without it, events from now on. A server-sent event
    /// stream that reconnects says it in `Last-Event-ID`, which counts more.
    #[param(minimum = 0)]
    after: Option<u64>,
    /// Kinds, with commas between; `call.*` stands for all that begin so. All when left out.
    #[param(example = "call.*,transcript.turn")]
    kinds: Option<String>,
}

/// One event.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    /// Place among the events of the business; without gaps.
    seq: u64,
    /// What kind; docs/events.md lists them. Pass over kinds that you do not know.
    #[schema(example = "call.updated")]
    kind: String,
    /// What it is about, such as a call.
    subject: Uuid,
    /// Unix milliseconds.
    at_ms: i64,
    /// What it tells; depends on the kind.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// What a call's events tell of it: what its row shows.
#[derive(Serialize, ToSchema)]
#[schema(as = CallFacts)]
pub(crate) struct CallFactsView {
    id: Uuid,
    agent: Uuid,
    conversation: Uuid,
    direction: DirectionView,
    /// Name of the phone platform.
    carrier: String,
    /// The customer's number or address.
    customer: Option<String>,
    /// Our number.
    number: Option<String>,
    state: CallStateView,
    /// Unix milliseconds.
    started_at_ms: i64,
    /// Unix milliseconds.
    answered_at_ms: Option<i64>,
    /// Unix milliseconds.
    ended_at_ms: Option<i64>,
    /// Why it ended, in one word.
    ended_reason: Option<String>,
    /// What providers charge for it, in millionths of a US dollar.
    cost_usd_micros: i64,
}

impl From<CallFacts> for CallFactsView {
    fn from(call: CallFacts) -> Self {
        Self {
            id: call.id.0,
            agent: call.agent.0,
            conversation: call.conversation.0,
            direction: match call.direction {
                Direction::Inbound => DirectionView::Inbound,
                Direction::Outbound => DirectionView::Outbound,
            },
            carrier: call.carrier,
            customer: call.customer.map(base::Pii::into_inner),
            number: call.number,
            state: call.state.into(),
            started_at_ms: call.started_at_ms,
            answered_at_ms: call.answered_at_ms,
            ended_at_ms: call.ended_at_ms,
            ended_reason: call.ended_reason,
            cost_usd_micros: call.cost_usd_micros,
        }
    }
}

/// A call that is going on.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveCall)]
pub(crate) struct LiveCallView {
    #[serde(flatten)]
    call: CallFactsView,
    /// The person who has it; not there while its agent has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<HolderView>,
    /// The caller waits for a person of the business; not there when they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitView>,
    /// Its last turns, at most 10, oldest first.
    turns: Vec<TurnView>,
}

/// Since when a caller waits for a person, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = Wait)]
pub(crate) struct WaitView {
    /// Unix milliseconds.
    since_ms: i64,
    /// In one word.
    #[schema(example = "asked")]
    reason: String,
}

/// One turn of a conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = Turn)]
pub(crate) struct TurnView {
    call: Uuid,
    /// Place in the conversation, ascending, with gaps.
    seq: u64,
    turn: u64,
    /// `customer`, `agent` or `person`: somebody who had taken the call over.
    #[schema(example = "customer")]
    role: &'static str,
    text: String,
    /// Whether the customer heard all of it.
    complete: bool,
    /// Milliseconds since the call began.
    at_call_ms: u64,
    /// How the customer sounds, from -1 (displeased) to 1 (pleased), by a list of words; not there where nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentiment: Option<f64>,
}

/// The calls that are going on, and the place among the events at which that is true.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub(crate) struct SnapshotView {
    /// Follow the events after this place.
    seq: u64,
    /// The calls, oldest first.
    calls: Vec<LiveCallView>,
    /// Whether there are more than are shown.
    truncated: bool,
}

impl From<model::event::TurnFacts> for TurnView {
    fn from(turn: model::event::TurnFacts) -> Self {
        Self {
            call: turn.call.0,
            seq: turn.seq,
            turn: turn.turn.0,
            role: match turn.role {
                model::event::Speaker::Customer => "customer",
                model::event::Speaker::Agent => "agent",
                model::event::Speaker::Person => "person",
            },
            text: turn.text.into_inner(),
            complete: turn.complete,
            at_call_ms: turn.at_call_ms,
            sentiment: turn.sentiment,
        }
    }
}

/// Shows the calls that are going on with their last turns.
#[utoipa::path(get, path = "/api/v1/snapshot", tag = "events", operation_id = "get_snapshot", security(("bearer" = ["events:read"])), responses(
    (status = 200, description = "The live calls, and the place to follow events from", body = SnapshotView),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn snapshot(
    State(app): State<App>,
    caller: Allowed<may::EventsRead>,
) -> Result<Json<SnapshotView>, Problem> {
    let snapshot = app.node.store().snapshot(&caller.scope).await.map_err(store_problem)?;
    let mut calls = Vec::with_capacity(snapshot.calls.len());
    for live in snapshot.calls {
        // Few calls are with a person at any time.
        let holder = match live.holder {
            Some(Holder { by }) => Some(holder(&app, &caller.scope, by, None).await),
            None => None,
        };
        let turns = live.turns.into_iter().map(TurnView::from).collect();
        let waiting = live.waiting.map(|wait| WaitView { since_ms: wait.since_ms, reason: wait.reason });
        calls.push(LiveCallView { call: live.facts.into(), holder, waiting, turns });
    }
    Ok(Json(SnapshotView { seq: snapshot.seq, calls, truncated: snapshot.truncated }))
}

/// Follows the events of the business as server-sent events.
///
/// Each has its place as `id` and itself as JSON in `data`. Named events say what happens to the stream: `stream.ready`,
/// `stream.resync` (take a snapshot: what you asked for is kept no more), `stream.cut` (you read too slowly) and
/// `stream.closing` (this node stops; connect again).
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "follow_events", security(("bearer" = ["events:read"])),
    params(FollowQuery, ("Last-Event-ID" = Option<String>, Header, description = "Place of the last event that you have")), responses(
    (status = 200, description = "Events as they happen; `data` is an Event", content_type = "text/event-stream", body = EventView),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 429, description = "Too many connections follow events", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn stream(
    State(app): State<App>,
    caller: Allowed<may::EventsRead>,
    headers: HeaderMap,
    query: Result<Query<FollowQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, Problem> {
    let (after, kinds) = wanted(query, &headers)?;
    let follow = app.live.feed.follow(caller.scope, after).await.map_err(follow_problem)?;
    let standing = Standing::new(app, *caller, Permission::EventsRead);
    let (sender, lines) = mpsc::channel(limits::EVENTS_PER_CONNECTION_MAX);
    let cut = Arc::new(OnceLock::new());
    tokio::spawn(pump(follow, kinds, standing, sender, Arc::clone(&cut)));
    let stream = futures_util::stream::unfold((lines, Some(cut)), |(mut lines, cut)| async move {
        if let Some(line) = lines.recv().await {
            return Some((Ok(line.sse()), (lines, cut)));
        }
        // What was taken out of the way because nobody read it is said at the end.
        let last = cut?.get().cloned()?;
        Some((Ok(last.sse()), (lines, None)))
    });
    Ok(Sse::new(stream))
}

/// Follows the events of the business over a WebSocket: each message is an Event, or says what happens to the stream.
#[utoipa::path(get, path = "/api/v1/events/socket", tag = "events", operation_id = "follow_events_socket", security(("bearer" = ["events:read"])),
    params(FollowQuery), responses(
    (status = 101, description = "A WebSocket; each text message is an Event, or a `stream.…` notice with its place"),
    (status = 400, description = "Not the upgrade to a WebSocket", body = Problem),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 429, description = "Too many connections follow events", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn socket(
    State(app): State<App>,
    caller: Allowed<may::EventsRead>,
    headers: HeaderMap,
    query: Result<Query<FollowQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let (after, kinds) = wanted(query, &headers)?;
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let follow = app.live.feed.follow(caller.scope, after).await.map_err(follow_problem)?;
    let standing = Standing::new(app, *caller, Permission::EventsRead);
    let upgrade = tuned(upgrade)
        .max_message_size(limits::EVENTS_MESSAGE_BYTES_MAX)
        .max_frame_size(limits::EVENTS_MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, follow, kinds, standing)))
}

fn wanted(
    query: Result<Query<FollowQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(Option<u64>, Kinds), Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().parse());
    let last =
        last.transpose().map_err(|_| Problem::invalid("Last-Event-ID: it is the place of an event, a number"))?;
    let names = query.kinds.unwrap_or_default();
    let kinds = Kinds(names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect());
    match kinds.unknown() {
        Some(unknown) => Err(Problem::invalid(format!("kinds: there are no events of the kind {unknown}"))),
        None => Ok((last.or(query.after), kinds)),
    }
}

fn follow_problem(error: FollowError) -> Problem {
    match error {
        FollowError::TooMany => Problem::too_many_streams(),
        FollowError::Store(error) => store_problem(error),
    }
}

/// What goes to a follower.
#[derive(Clone)]
enum Line {
    Event(Arc<Event>),
    Notice {
        name: &'static str,
        seq: u64,
        detail: &'static str,
    },
    /// Nothing happened, up to this place.
    Tick(u64),
}

impl Line {
    fn ready(seq: u64) -> Self {
        Self::Notice { name: "stream.ready", seq, detail: "events after seq follow" }
    }

    fn resync(seq: u64) -> Self {
        let detail = "what you asked for is kept no more; take a snapshot and go on with the events after its seq";
        Self::Notice { name: "stream.resync", seq, detail }
    }

    fn cut(seq: u64) -> Self {
        let detail = "you read too slowly; connect again and begin after the last event that you have";
        Self::Notice { name: "stream.cut", seq, detail }
    }

    fn closing(seq: u64) -> Self {
        Self::Notice { name: "stream.closing", seq, detail: "this node stops; connect again" }
    }

    fn void(seq: u64) -> Self {
        Self::Notice { name: "stream.closing", seq, detail: "your session or key is void; sign in again" }
    }

    fn json(&self) -> String {
        let value = match self {
            Self::Event(event) => serde_json::to_string(event.as_ref()),
            Self::Notice { name, seq, detail } => {
                serde_json::to_string(&serde_json::json!({ "seq": seq, "kind": name, "detail": detail }))
            }
            Self::Tick(seq) => serde_json::to_string(&serde_json::json!({ "seq": seq, "kind": "stream.tick" })),
        };
        value.unwrap_or_default() // Nothing in it can fail to be JSON.
    }

    fn sse(&self) -> SseEvent {
        match self {
            Self::Event(event) => SseEvent::default().id(event.seq.to_string()).data(self.json()),
            Self::Notice { name, seq, .. } => {
                // What was cut off is asked for again, so its place is not the reader's.
                let event = SseEvent::default().event(*name).data(self.json());
                if *name == "stream.cut" { event } else { event.id(seq.to_string()) }
            }
            // An id without data moves the reader's place and is no event (HTML, 9.2.6).
            Self::Tick(seq) => SseEvent::default().id(seq.to_string()),
        }
    }
}

/// The next thing to say, and whether it is the last one.
async fn next_line(follow: &mut Follow, kinds: &Kinds) -> (Line, bool) {
    loop {
        match follow.next().await {
            Ok(Told::Event(event)) if kinds.want(&event.kind) => return (Line::Event(event), false),
            Ok(Told::Event(_)) => {}
            Ok(Told::Resync { head }) => return (Line::resync(head), false),
            Ok(Told::Closing) => return (Line::closing(follow.last()), true),
            Err(error) => {
                tracing::warn!(%error, "live events cannot be read");
                tokio::time::sleep(Duration::from_millis(limits::EVENTS_POLL_MS)).await;
            }
        }
    }
}

/// Moves events into a connection. One that does not take them within the time of a write is cut.
async fn pump(
    mut follow: Follow,
    kinds: Kinds,
    standing: Standing,
    lines: mpsc::Sender<Line>,
    cut: Arc<OnceLock<Line>>,
) {
    let mut tick = tokio::time::interval(Duration::from_millis(limits::EVENTS_KEEP_ALIVE_MS));
    tick.tick().await;
    let mut next = (Line::ready(follow.last()), false);
    loop {
        let patience = Duration::from_millis(limits::SOCKET_WRITE_MS_MAX);
        match tokio::time::timeout(patience, lines.send(next.0)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return, // The reader has gone.
            Err(_) => {
                metrics::counter!("frontdesk_event_followers_cut_total").increment(1);
                let _ = cut.set(Line::cut(follow.last()));
                return;
            }
        }
        if next.1 {
            return;
        }
        next = tokio::select! {
            line = next_line(&mut follow, &kinds) => line,
            _ = tick.tick() => match standing.holds().await {
                true => (Line::Tick(follow.last()), false),
                false => (Line::void(follow.last()), true),
            },
            () = lines.closed() => return,
        };
    }
}

/// Serves one socket until either side leaves.
async fn serve(mut socket: WebSocket, mut follow: Follow, kinds: Kinds, standing: Standing) {
    let mut tick = tokio::time::interval(Duration::from_millis(limits::EVENTS_KEEP_ALIVE_MS));
    tick.tick().await;
    let mut heard_at = Instant::now();
    let mut next = Some((Line::ready(follow.last()), false));
    loop {
        if let Some((line, is_last)) = next.take() {
            if !send(&mut socket, Message::Text(line.json().into())).await {
                metrics::counter!("frontdesk_event_followers_cut_total").increment(1);
                close(&mut socket, TRY_AGAIN, "you read too slowly; connect again after the last event you have").await;
                return;
            }
            if is_last {
                close(&mut socket, GOING_AWAY, "this node stops; connect again").await;
                return;
            }
        }
        tokio::select! {
            line = next_line(&mut follow, &kinds) => next = Some(line),
            _ = tick.tick() => {
                let silent = heard_at.elapsed() > Duration::from_millis(limits::EVENTS_SILENT_MS_MAX);
                if silent || !send(&mut socket, Message::Ping(Vec::new().into())).await {
                    return;
                }
                if !standing.holds().await {
                    close(&mut socket, POLICY, "your session or key is void; sign in again").await;
                    return;
                }
                next = Some((Line::Tick(follow.last()), false));
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard_at = Instant::now(),
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    close(&mut socket, POLICY, "nothing is expected from you").await;
                    return;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        }
    }
}

/// Sends within the time of a write. `false` when that was not possible.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    let patience = Duration::from_millis(limits::SOCKET_WRITE_MS_MAX);
    matches!(tokio::time::timeout(patience, socket.send(message)).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    send(socket, Message::Close(Some(frame))).await;
}

/// The kinds of events that there are, for people who set up a webhook or a filter.
pub(super) fn kind_names() -> Vec<&'static str> {
    let told = EventKind::ALL.iter().filter(|kind| !matches!(kind, EventKind::Erased | EventKind::WebhookTest));
    told.map(|kind| kind.name()).collect()
}
