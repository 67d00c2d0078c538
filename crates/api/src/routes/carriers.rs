//! Which phone platforms there are; their webhooks and media sockets, and the media socket of the page. The node checks who
//! they are.

use crate::App;
use crate::auth::{Allowed, Principal, may};
use crate::http::List;
use crate::problem::Problem;
use crate::socket::{ServerSocket, tuned};
use axum::Json;
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::limits;
use carriers::protocol::{Inbound, Reply};
use carriers::registry::{self, Descriptor, Door};
use model::business::TenantScope;
use model::people::Permission;
use serde::Serialize;
use utoipa::ToSchema;

/// Brings the calls of this process alone, and needs nothing to be set up.
const SIMULATED: &str = carriers::loopback::DESCRIPTOR.name;

/// A way in which calls come and go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CarrierView {
    /// Registry name; what a number's `carrier` is.
    name: &'static str,
    /// Name as people write it.
    title: &'static str,
    /// Whether a number can belong to it; otherwise it is a page.
    has_numbers: bool,
    /// Whether this installation is set up for it. Until then its calls are turned away.
    ready: bool,
    /// What it can do as it is set up here, by the names of docs/carriers.md. What is not here is refused.
    capabilities: Vec<&'static str>,
    /// Where the platform is to ask what to do with a call; null where it asks nobody.
    voice_url: Option<String>,
    /// Where it is to report on calls; null where it reports to nobody.
    status_url: Option<String>,
}

/// Lists the phone platforms and other ways in: what each can do, whether it is set up here, and where it sends its webhooks.
#[utoipa::path(get, path = "/api/v1/carriers", tag = "numbers", operation_id = "list_carriers",
    security(("bearer" = ["numbers:read"])), responses(
    (status = 200, description = "Every platform and every other way in", body = List<CarrierView>)
))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Allowed<may::NumbersRead>,
    headers: HeaderMap,
) -> Json<List<CarrierView>> {
    let base_url = app.access.base_url(&headers);
    let view = |one: &Descriptor| {
        let is_platform = one.door == Door::Platform;
        let url = |what: &str| is_platform.then(|| format!("{base_url}/carriers/{}/{what}", one.name));
        let is_simulated = one.name == SIMULATED;
        let is_page = matches!(one.door, Door::Page | Door::Visitor);
        CarrierView {
            name: one.name,
            title: one.title,
            has_numbers: !is_page,
            ready: is_page || is_simulated || app.node.is_signed_carrier(one.name),
            capabilities: app.node.capabilities(one.name).iter().map(|can| can.name()).collect(),
            voice_url: url("voice"),
            status_url: url("status"),
        }
    };
    Json(List::whole(registry::DESCRIPTORS.iter().map(view).collect()))
}

/// A platform asks what to do with a call.
pub(crate) async fn voice(
    State(app): State<App>,
    Path(carrier): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let body = match read(request).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let base_url = app.access.base_url(&headers);
    let seen = Seen::new(&base_url, &uri, &headers);
    answer(app.node.voice_webhook(&carrier, &seen.inbound(method.as_str(), &body), &base_url).await)
}

/// A platform reports on a call.
pub(crate) async fn status(
    State(app): State<App>,
    Path(carrier): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let body = match read(request).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let base_url = app.access.base_url(&headers);
    let seen = Seen::new(&base_url, &uri, &headers);
    answer(app.node.status_webhook(&carrier, &seen.inbound(method.as_str(), &body), &base_url).await)
}

/// A platform or a page brings audio.
pub(crate) async fn media(
    State(app): State<App>,
    Path(carrier): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    caller: Option<Extension<Principal>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (Some(known), Some(protocol)) = (registry::descriptor(&carrier), registry::media(&carrier)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_page = known.door == Door::Page;
    if !is_page && !app.node.is_signed_carrier(&carrier) {
        return StatusCode::NOT_FOUND.into_response(); // A platform that is not configured, or no socket at all.
    }
    // Signatures cover the address as the platform was told it, which is that of a WebSocket.
    let base_url = app.node.media_url().unwrap_or_else(|| app.access.base_url(&headers)).replacen("http", "ws", 1);
    let seen = Seen::new(&base_url, &uri, &headers);
    if !app.node.media_upgrade_genuine(&carrier, &seen.inbound("GET", &[])) {
        return StatusCode::FORBIDDEN.into_response();
    }
    // Who talks from a page speaks for their business; a platform proves itself by its token.
    let scope: Option<TenantScope> = match (is_page, caller) {
        (false, _) => None,
        (true, None) => return Problem::unauthorized().into_response(),
        (true, Some(Extension(caller))) => match caller.require(Permission::CallsPlace) {
            Ok(()) => Some(caller.scope),
            Err(problem) => return problem.into_response(),
        },
    };
    tuned(upgrade).on_upgrade(move |socket| async move {
        // The refusal was logged and told to the peer.
        let _ = app.node.attach(&carrier, scope, protocol, Box::new(ServerSocket(socket))).await;
    })
}

async fn read(request: Request) -> Result<Bytes, StatusCode> {
    let limit = limits::WEBHOOK_BODY_BYTES_MAX;
    let wait = std::time::Duration::from_millis(limits::HTTP_HEADER_MS_MAX);
    match tokio::time::timeout(wait, axum::body::to_bytes(request.into_body(), limit)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_elapsed) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn answer(reply: Option<Reply>) -> Response {
    let Some(reply) = reply else { return StatusCode::NOT_FOUND.into_response() };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response();
    for (name, value) in reply.headers {
        match HeaderValue::from_str(&value) {
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(_) => return StatusCode::BAD_REQUEST.into_response(), // What came in does not fit into a header.
        }
    }
    response
}

/// A request as the platform made it.
struct Seen<'a> {
    url: String,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    fn new(base_url: &str, uri: &Uri, headers: &'a HeaderMap) -> Self {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let headers = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        Self { url: format!("{base_url}{path}"), headers: headers.collect() }
    }

    fn inbound<'b>(&'b self, method: &'b str, body: &'b [u8]) -> Inbound<'b> {
        Inbound { method, url: &self.url, headers: &self.headers, body, received_at_ms: runtime::wall_ms() }
    }
}
