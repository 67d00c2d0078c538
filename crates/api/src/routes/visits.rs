//! Visitors of websites on which a widget stands. They have no account: the page they look at is what lets them in. The
//! widget's key names the agent, the `Origin` that the browser sends must be on the widget's list, and what they get opens
//! one conversation and nothing else.

use super::conversations::RoleView;
use super::store_problem;
use crate::App;
use crate::auth::network::ClientAddress;
use crate::auth::token::VisitPass;
use crate::http::List;
use crate::problem::Problem;
use crate::socket::{ServerSocket, tuned};
use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::wire::Wire;
use base::{AgentId, CallId, Millis, limits};
use model::agent::Agent;
use model::business::TenantScope;
use model::widget::{Widget, WidgetTheme};
use runtime::Visit;
use runtime::socket::{Closed, Incoming, MediaSocket};
use serde::{Deserialize, Serialize};
use std::task::{Context, Poll};
use std::time::Duration;
use store::StoreError;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where all of it is.
pub(crate) const PREFIX: &str = "/api/v1/widget/";
/// The protocol of the line, as the page and this server name it.
const PROTOCOL: &str = "frontdesk.visit.v1";
/// The token follows in the same header, behind this.
const TOKEN: &str = "frontdesk.token.";
const MINUTE: Millis = Millis(60_000);
const KEY_BYTES_MAX: usize = 80;
/// How long a browser may remember the answer to its question.
const PREFLIGHT_SECS: &str = "600";
/// Close code (of those for private use) for a visitor who types too much at once.
const TOO_MANY: u16 = 4029;
/// Of the registry of carriers.
pub(super) const CARRIER: &str = carriers::website::DESCRIPTOR.name;

/// What a page must know before anybody talks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WidgetPublicView {
    /// What stands above the conversation.
    title: String,
    /// Whether somebody answers now.
    available: bool,
    /// Whether visitors may speak.
    voice: bool,
    /// Whether visitors may write.
    chat: bool,
    /// First words.
    greeting: String,
    /// What a visitor must agree to first; empty: nothing.
    consent: String,
    /// Where the visitor reads about privacy; empty: nowhere.
    privacy_url: String,
    /// Languages of the widget's own words, the best first.
    languages: Vec<String>,
    #[schema(value_type = super::widgets::WidgetThemeShape)]
    theme: WidgetTheme,
}

/// What opens one conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VisitView {
    /// For `Authorization: Bearer …`, and for the line.
    token: String,
    /// Seconds for which it holds.
    expires_in: i64,
    /// The conversation's call.
    call: Uuid,
}

/// One message of a visitor's own conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VisitMessageView {
    /// Place in the conversation, ascending, with gaps.
    seq: u64,
    role: RoleView,
    text: String,
    /// Whether the visitor heard or read all of it.
    complete: bool,
    /// Milliseconds since the conversation began.
    at_ms: u64,
}

/// A widget as a page on a website sees it: found by its key, for an origin on its list.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    scope: TenantScope,
    widget: Widget,
    key: String,
    origin: Option<String>,
}

/// Why a page has nothing to do here.
#[derive(Clone, Debug)]
enum Door {
    Open(Box<Guest>),
    Refused(Problem),
}

impl FromRequestParts<App> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        match parts.extensions.get::<Door>() {
            Some(Door::Open(guest)) => Ok(guest.as_ref().clone()),
            Some(Door::Refused(problem)) => Err(problem.clone()),
            None => Err(Problem::not_found()),
        }
    }
}

/// Finds the widget of a visitor's request and tells browsers whether the page may have the answer (the Fetch standard's
/// CORS protocol). Outside of all other layers: a question before a request carries no credential.
pub(crate) async fn cross_origin(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(rest) = request.uri().path().strip_prefix(PREFIX) else { return next.run(request).await };
    let key = rest.split('/').next().unwrap_or_default().to_owned();
    let door = open(&app, &key, request.headers()).await;
    let allowed = match &door {
        Door::Open(guest) => guest.origin.as_deref().and_then(|origin| HeaderValue::from_str(origin).ok()),
        Door::Refused(_) => None,
    };
    let asks_first =
        *request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first {
        let methods = (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE");
        let headers = (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match, x-request-id");
        let max_age = (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECS);
        match door {
            Door::Open(_) => (StatusCode::NO_CONTENT, [methods, headers, max_age]).into_response(),
            Door::Refused(problem) => problem.into_response(),
        }
    } else {
        request.extensions_mut().insert(door);
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let read = HeaderValue::from_static("retry-after, x-request-id, location, link, etag");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, read);
    }
    response
}

async fn open(app: &App, key: &str, headers: &HeaderMap) -> Door {
    if !key.starts_with(crate::auth::secret::WIDGET_LETTERS) || key.len() > KEY_BYTES_MAX {
        return Door::Refused(Problem::not_found());
    }
    let widget = match app.node.store().widget_by_key(key).await {
        Ok(widget) if widget.settings.enabled => widget,
        Ok(_) => return Door::Refused(Problem::not_found()),
        Err(error) => return Door::Refused(store_problem(error)),
    };
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null").to_owned());
    // Our own pages show a widget before it stands anywhere.
    let admitted =
        origin.as_deref().is_none_or(|origin| widget.settings.admits(origin)) || app.access.is_own_page(headers);
    if !admitted {
        return Door::Refused(Problem::foreign_origin());
    }
    let scope = TenantScope { business: widget.business };
    Door::Open(Box::new(Guest { scope, widget, key: key.to_owned(), origin }))
}

impl Guest {
    /// The origin, which browsers send with everything that begins or reads a conversation.
    fn origin(&self) -> Result<&str, Problem> {
        self.origin.as_deref().ok_or_else(Problem::foreign_origin)
    }

    /// Who answers; `None`: nobody now.
    async fn agent(&self, app: &App) -> Result<Option<Agent>, Problem> {
        let Ok(id) = self.widget.settings.agent.parse::<AgentId>() else { return Ok(None) };
        match app.node.store().agent(&self.scope, id).await {
            Ok(agent) if agent.is_on_duty() => Ok(Some(agent.agent)),
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(store_problem(error)),
        }
    }

    /// The conversation that a token opens.
    pub(super) fn pass(&self, app: &App, token: Option<&str>) -> Result<VisitPass, Problem> {
        let pass = token.and_then(|token| app.auth.signer.check_visit(token));
        let (scope, pass) = pass.ok_or_else(Problem::visit_void)?;
        // The page that began the conversation, and no other.
        let is_here = scope == self.scope && pass.widget == self.widget.id && self.origin() == Ok(pass.origin.as_str());
        if is_here { Ok(pass) } else { Err(Problem::visit_void()) }
    }

    /// The widget's key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What the visitor with this token is let in for.
    pub(super) async fn visit(self, app: &App, token: Option<&str>) -> Result<Visit, Problem> {
        let pass = self.pass(app, token)?;
        let mut agent = self.agent(app).await?.ok_or_else(|| Problem::unavailable("nobody answers here now"))?;
        let settings = self.widget.settings;
        if !settings.greeting.is_empty() {
            agent.lines.greeting = settings.greeting;
        }
        Ok(Visit { scope: self.scope, call: pass.call, agent, voice: settings.voice, chat: settings.chat })
    }
}

/// Reads what a page must know before anybody talks.
#[utoipa::path(get, path = "/api/v1/widget/{key}", tag = "widgets", operation_id = "show_widget", security(()),
    params(("key" = String, Path, description = "The widget's key")), responses(
    (status = 200, description = "How the widget looks and what it offers", body = WidgetPublicView)
))]
pub(crate) async fn show(State(app): State<App>, guest: Guest) -> Result<Response, Problem> {
    let agent = guest.agent(&app).await?;
    let settings = guest.widget.settings;
    let or = |text: String, other: Option<String>| if text.is_empty() { other.unwrap_or_default() } else { text };
    let view = WidgetPublicView {
        title: or(settings.title, agent.as_ref().map(|agent| agent.name.clone())),
        available: agent.is_some(),
        voice: settings.voice,
        chat: settings.chat,
        greeting: or(settings.greeting, agent.map(|agent| agent.lines.greeting)),
        consent: settings.consent,
        privacy_url: settings.privacy_url,
        languages: settings.languages,
        theme: settings.theme,
    };
    Ok(([(header::CACHE_CONTROL, "public, max-age=60")], Json(view)).into_response())
}

/// Lets a visitor begin a conversation: a token that opens this one, from this page, and nothing else.
#[utoipa::path(post, path = "/api/v1/widget/{key}/visits", tag = "widgets", operation_id = "begin_visit", security(()),
    params(("key" = String, Path, description = "The widget's key")), responses(
    (status = 201, description = "What opens the conversation", body = VisitView),
    (status = 403, description = "The page is not one that the widget may stand on", body = Problem)
))]
pub(crate) async fn begin(
    State(app): State<App>,
    guest: Guest,
    ClientAddress(address): ClientAddress,
) -> Result<Response, Problem> {
    let origin = guest.origin()?.to_owned();
    if guest.agent(&app).await?.is_none() {
        return Err(Problem::unavailable("nobody answers here now"));
    }
    let per_minute = u64::from(guest.widget.settings.visits_per_minute);
    count(&app, &format!("visits:{}", guest.widget.id), per_minute).await?;
    if let Some(address) = address {
        let from = crate::auth::throttle::network(address);
        count(&app, &format!("visits:from:{from}"), limits::VISITS_PER_ADDRESS_MINUTE_MAX).await?;
    }
    let pass = VisitPass { widget: guest.widget.id, call: CallId::generate(), origin };
    let token = app.auth.signer.sign_visit(&guest.scope, &pass, runtime::wall_ms()).ok_or_else(Problem::internal)?;
    metrics::counter!("frontdesk_visits_total").increment(1);
    let view = VisitView { token, expires_in: limits::VISIT_MS_MAX / 1000, call: pass.call.0 };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// Refuses one too many in a minute. Losing the shared counters lets visitors through, because a limit is no lock.
async fn count(app: &App, key: &str, most: u64) -> Result<(), Problem> {
    match app.shared.count(key, 1, MINUTE).await {
        Ok(count) if count.total > most => {
            metrics::counter!("frontdesk_http_rate_limited_total").increment(1);
            Err(Problem::rate_limited(count.left.0.div_ceil(1_000).max(1)))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "a visitor was not counted");
            Ok(())
        }
    }
}

/// Reads what was said in the visitor's own conversation. The credential is the token of the visit.
#[utoipa::path(get, path = "/api/v1/widget/{key}/messages", tag = "widgets", operation_id = "list_visit_messages", security(()),
    params(("key" = String, Path, description = "The widget's key")), responses(
    (status = 200, description = "What was said, in order", body = List<VisitMessageView>),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem)
))]
pub(crate) async fn messages(
    State(app): State<App>,
    guest: Guest,
    headers: HeaderMap,
) -> Result<Json<List<VisitMessageView>>, Problem> {
    let pass = guest.pass(&app, bearer(&headers))?;
    let store = app.node.store();
    let conversation = match store.call(&guest.scope, pass.call).await {
        Ok(call) => call.conversation,
        Err(StoreError::NotFound(_)) => return Ok(Json(List::whole(Vec::new()))),
        Err(error) => return Err(store_problem(error)),
    };
    let mut all: Vec<VisitMessageView> = Vec::new();
    loop {
        let after = all.last().map_or(0, |message| message.seq);
        let page = store.messages(&guest.scope, conversation, after).await.map_err(store_problem)?;
        let is_last = page.len() < limits::PAGE_ROWS_MAX as usize;
        all.extend(page.into_iter().map(|message| VisitMessageView {
            seq: message.seq,
            role: message.role.into(),
            text: message.text.into_inner(),
            complete: message.complete,
            at_ms: message.at.0,
        }));
        if is_last || all.len() >= limits::VISIT_MESSAGES_MAX {
            return Ok(Json(List::whole(all)));
        }
    }
}

/// Opens the line of a visitor's conversation; docs/widget.md has its messages. The token comes as a second word of
/// `Sec-WebSocket-Protocol`, because pages can set no other header.
#[utoipa::path(get, path = "/api/v1/widget/{key}/line", tag = "widgets", operation_id = "open_visit", security(()),
    params(("key" = String, Path, description = "The widget's key")), responses(
    (status = 101, description = "A WebSocket: docs/specs/browser-audio.md"),
    (status = 400, description = "Not the upgrade to a WebSocket", body = Problem),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem)
))]
pub(crate) async fn line(
    State(app): State<App>,
    guest: Guest,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| Problem::bad_upgrade(rejection.body_text()))?;
    let visit = guest.visit(&app, offered(&headers).as_deref()).await?;
    let protocol = carriers::registry::media(CARRIER).ok_or_else(Problem::internal)?;
    Ok(tuned(upgrade).protocols([PROTOCOL]).on_upgrade(move |socket| async move {
        // The refusal was logged and told to the page.
        let _ =
            app.node.attach_visitor(CARRIER, visit, protocol, Box::new(VisitorSocket::new(ServerSocket(socket)))).await;
    }))
}

/// The token of a request that can set headers.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The token among the protocols that a page offers.
fn offered(headers: &HeaderMap) -> Option<String> {
    let name = HeaderName::from_static("sec-websocket-protocol");
    let mut words =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    words.find_map(|word| word.trim().strip_prefix(TOKEN).map(str::to_owned))
}

/// A socket that takes only so many typed messages: each of them asks a brain, which costs.
pub(super) struct VisitorSocket<S> {
    inner: S,
    /// Messages that it takes at once, and since when one more has been earned.
    left: u32,
    since: Instant,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl<S: MediaSocket> VisitorSocket<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, left: limits::VISITOR_TYPED_MAX, since: Instant::now() }
    }

    fn takes(&mut self, message: &[u8]) -> bool {
        let is_typed = serde_json::from_slice::<Kind<'_>>(message).is_ok_and(|message| message.kind == "text");
        if !is_typed {
            return true;
        }
        let every = Duration::from_millis(limits::VISITOR_TYPES_EVERY_MS);
        while self.left < limits::VISITOR_TYPED_MAX && self.since.elapsed() >= every {
            self.left += 1;
            self.since += every;
        }
        if self.left == limits::VISITOR_TYPED_MAX {
            self.since = Instant::now();
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        true
    }
}

impl<S: MediaSocket> MediaSocket for VisitorSocket<S> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        match self.inner.poll_recv(cx) {
            Poll::Ready(Some(Incoming::Text(text))) if !self.takes(&text) => {
                Poll::Ready(Some(Incoming::Violation { code: TOO_MANY, why: "too many messages" }))
            }
            other => other,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.inner.poll_ready(cx)
    }

    fn start_send(&mut self, message: Wire) -> Result<(), Closed> {
        self.inner.start_send(message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.inner.poll_flush(cx)
    }
}
