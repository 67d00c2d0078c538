//! The REST API: `Calls.json` and one call, with the platform's error bodies.

use super::super::fault::{Fault, Moment};
use super::super::server::broken_body;
use super::{Callee, RestFault, RestRequest, World, call};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long a request stays open that gets no answer; longer than any client waits.
const SILENCE: Duration = Duration::from_secs(120);

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new().fallback(handle).with_state(world)
}

async fn handle(
    State(world): State<Arc<World>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let authorized = is_authorized(&world, &headers);
    let request = RestRequest { method: method.to_string(), path: uri.path().to_owned(), form, authorized };
    let fault = {
        let mut state = world.state();
        state.requests.push(request.clone());
        state.faults.pop_front()
    };
    if !authorized {
        return error(401, 20003, "Authenticate");
    }
    match fault {
        None => answer_if_well(&world, &request).await,
        Some(RestFault::RateLimited) => {
            let mut response = error(429, 20429, "Too Many Requests");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            response
        }
        Some(RestFault::Unavailable) => error(503, 20503, "Service Unavailable"),
        Some(RestFault::Garbage) => (StatusCode::OK, "<html>welcome</html>").into_response(),
        Some(RestFault::Error { status, code }) => error(status, code, "refused"),
        Some(RestFault::DoneButSilent) => {
            answer(&world, &request);
            tokio::time::sleep(SILENCE).await;
            error(504, 0, "too late")
        }
        Some(RestFault::Silent) => {
            tokio::time::sleep(SILENCE).await;
            error(504, 0, "too late")
        }
    }
}

/// Answers, unless the API is ill.
async fn answer_if_well(world: &Arc<World>, request: &RestRequest) -> Response {
    match world.faults.strike(Moment::Start) {
        None => {}
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Status { status, retry_after_s }) => return refused(status, retry_after_s),
        Some(Fault::Garbage) => return (StatusCode::OK, "<html>welcome</html>").into_response(),
        Some(fault @ (Fault::Cut | Fault::Refuse)) => return Response::new(broken_body(b"", &fault)),
        Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => {
            tokio::time::sleep(SILENCE).await;
            return error(504, 0, "too late");
        }
    }
    let response = answer(world, request);
    let Some(fault) = world.faults.strike(Moment::MidTurn) else { return response };
    if let Fault::Status { status, retry_after_s } = fault {
        return refused(status, retry_after_s);
    }
    let (head, body) = response.into_parts();
    // The bodies of this twin are in memory, so they can be read.
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut broken = Response::new(broken_body(&whole, &fault));
    *broken.status_mut() = head.status;
    broken
}

fn refused(status: u16, retry_after_s: Option<u32>) -> Response {
    let mut response = error(status, if status == 429 { 20429 } else { 20503 }, "As the test wishes.");
    if let Some(secs) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, secs.into());
    }
    response
}

fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let credential = format!("{}:{}", world.options.account_sid, world.options.auth_token.expose());
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given == Some(format!("Basic {}", STANDARD.encode(credential)).as_str())
}

fn answer(world: &Arc<World>, request: &RestRequest) -> Response {
    let prefix = format!("/2010-04-01/Accounts/{}/", world.options.account_sid);
    let Some(path) = request.path.strip_prefix(&prefix) else { return error(404, 20404, "no such account") };
    match (request.method.as_str(), path) {
        ("POST", "Calls.json") => create(world, request),
        (method, path) => {
            let sid = path.strip_prefix("Calls/").and_then(|rest| rest.strip_suffix(".json")).unwrap_or_default();
            let call = world.state().calls.get(sid).cloned();
            match (method, call) {
                (_, None) => error(404, 20404, "The requested resource was not found"),
                ("GET", Some(call)) => shown(world, &call, StatusCode::OK),
                ("POST", Some(call)) => update(world, request, &call),
                _ => error(405, 20004, "Method not allowed"),
            }
        }
    }
}

fn field<'a>(request: &'a RestRequest, name: &str) -> Option<&'a str> {
    request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn create(world: &Arc<World>, request: &RestRequest) -> Response {
    let (Some(to), Some(from)) = (field(request, "To"), field(request, "From")) else {
        return error(400, 21201, "No 'To' number is specified");
    };
    if to.parse::<base::PhoneNumber>().is_err() {
        return error(400, 21211, "The 'To' number is not a valid phone number");
    }
    if from.parse::<base::PhoneNumber>().is_err() {
        return error(400, 21212, "The 'From' number is not a valid phone number");
    }
    let Some(url) = field(request, "Url").filter(|url| url.starts_with("http")) else {
        return error(400, 21205, "Url is not a valid URL");
    };
    let events = request.form.iter().filter(|(key, _)| key == "StatusCallbackEvent").map(|(_, event)| event.clone());
    let sid = world.next_sid("CA");
    let callee = world.state().callees.pop_front().unwrap_or(Callee::Answers(Duration::ZERO));
    let outbound = call::Outbound {
        to: to.to_owned(),
        from: from.to_owned(),
        url: url.to_owned(),
        status_url: field(request, "StatusCallback").map(str::to_owned),
        events: events.collect(),
        callee,
    };
    let call = call::outbound(world.clone(), sid.clone(), outbound);
    world.state().calls.insert(sid, call.clone());
    // A test that takes no outbound calls does not have to.
    let _ = world.outbound.try_send(call.clone());
    shown(world, &call, StatusCode::CREATED)
}

fn update(world: &Arc<World>, request: &RestRequest, call: &super::TwinCall) -> Response {
    if call.record(|record| record.is_over()) {
        return error(400, 21220, "Call is not in-progress. Cannot redirect.");
    }
    match (field(request, "Status"), field(request, "Url")) {
        (Some("completed" | "canceled"), _) => call.complete(),
        (None, Some(url)) => call.redirect(url),
        _ => return error(400, 21218, "nothing to update"),
    }
    shown(world, call, StatusCode::OK)
}

fn shown(world: &World, call: &super::TwinCall, status: StatusCode) -> Response {
    let account = &world.options.account_sid;
    let body = call.record(|record| {
        json!({
            "sid": call.sid(), "account_sid": account, "api_version": "2010-04-01", "status": record.status,
            "to": record.to, "from": record.from, "direction": record.direction, "parent_call_sid": null,
            "phone_number_sid": null, "start_time": null, "end_time": null, "duration": null, "price": null,
            "price_unit": "USD", "answered_by": null, "forwarded_from": null, "group_sid": null, "caller_name": null,
            "queue_time": "0", "trunk_sid": null, "subresource_uris": {},
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{}.json", call.sid()),
        })
    });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn error(status: u16, code: u32, message: &str) -> Response {
    let body = json!({
        "code": code, "message": message, "status": status,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
