//! The API's server: requests are kept, faults strike, the platform reads and answers.

use super::super::fault::{Fault, Moment};
use super::super::server::broken_body;
use super::{Asked, Call, Callee, Outcome, RestFault, RestRequest, World, call};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
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
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let is_form = json.is_null();
    let form = if is_form { form_urlencoded::parse(&body).into_owned().collect() } else { Vec::new() };
    let authorized = world.platform.is_authorized(&headers);
    let request = RestRequest { method: method.to_string(), path: uri.path().to_owned(), form, json, authorized };
    let fault = {
        let mut state = world.state();
        state.requests.push(request.clone());
        state.faults.pop_front()
    };
    if !authorized {
        return written(&world, Outcome::Unauthorized);
    }
    match fault {
        None => answer_if_well(&world, &request).await,
        Some(RestFault::RateLimited) => refused(&world, 429, Some(1)),
        Some(RestFault::Unavailable) => refused(&world, 503, None),
        Some(RestFault::Garbage) => (StatusCode::OK, "<html>welcome</html>").into_response(),
        Some(RestFault::Error { status, code }) => written(&world, Outcome::Refused(status, code)),
        Some(RestFault::DoneButSilent) => {
            answer(&world, &request);
            tokio::time::sleep(SILENCE).await;
            refused(&world, 504, None)
        }
        Some(RestFault::Silent) => {
            tokio::time::sleep(SILENCE).await;
            refused(&world, 504, None)
        }
    }
}

/// Answers, unless the API is ill.
async fn answer_if_well(world: &Arc<World>, request: &RestRequest) -> Response {
    match world.faults.strike(Moment::Start) {
        None => {}
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Status { status, retry_after_s }) => return refused(world, status, retry_after_s),
        Some(Fault::Garbage) => return (StatusCode::OK, "<html>welcome</html>").into_response(),
        Some(fault @ (Fault::Cut | Fault::Refuse)) => return Response::new(broken_body(b"", &fault)),
        Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => {
            tokio::time::sleep(SILENCE).await;
            return refused(world, 504, None);
        }
    }
    let response = answer(world, request);
    let Some(fault) = world.faults.strike(Moment::MidTurn) else { return response };
    if let Fault::Status { status, retry_after_s } = fault {
        return refused(world, status, retry_after_s);
    }
    let (head, body) = response.into_parts();
    // The bodies of this twin are in memory, so they can be read.
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut broken = Response::new(broken_body(&whole, &fault));
    *broken.status_mut() = head.status;
    broken
}

fn refused(world: &World, status: u16, retry_after_s: Option<u32>) -> Response {
    let mut response = written(world, Outcome::Refused(status, 0));
    if let Some(secs) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, secs.into());
    }
    response
}

fn answer(world: &Arc<World>, request: &RestRequest) -> Response {
    match world.platform.asked(request) {
        Asked::Not(status, code) => written(world, Outcome::Refused(status, code)),
        Asked::Dial { to, from, status_url, asked, note } => {
            let id = world.platform.call_id(super::next_id());
            let callee = world.state().callees.pop_front().unwrap_or(Callee::Answers(Duration::ZERO));
            let call = Call { id: id.clone(), from, to, status_url, asked, note, ..Call::default() };
            let call = call::outbound(world.clone(), call, callee);
            world.state().calls.insert(id, call.clone());
            // A test that takes no outbound calls does not have to.
            let _ = world.outbound.try_send(call.clone());
            call.record(|record| written(world, Outcome::Dialled(call.sid(), record)))
        }
        Asked::Show { call } => match world.state().calls.get(&call) {
            None => written(world, Outcome::Missing),
            Some(call) => call.record(|record| written(world, Outcome::Done(call.sid(), record))),
        },
        Asked::Do { call, verbs, note } => match world.state().calls.get(&call) {
            None => written(world, Outcome::Missing),
            Some(call) if call.record(|record| record.is_over()) => written(world, Outcome::Over),
            Some(call) => {
                call.command(verbs, note);
                call.record(|record| written(world, Outcome::Done(call.sid(), record)))
            }
        },
    }
}

fn written(world: &World, outcome: Outcome<'_>) -> Response {
    let (status, body) = world.platform.outcome(outcome);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_null() {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
