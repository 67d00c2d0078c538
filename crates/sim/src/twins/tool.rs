//! A service of a business that a tool asks: takes JSON by POST and answers JSON.

use super::fault::{Fault, Faults, Moment};
use super::server::{Record, Server, Shared, broken_body, refuse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// The running service. Dropping it ends every connection.
#[derive(Debug)]
pub struct Twin {
    /// Where to post.
    pub url: String,
    /// What is wrong with it.
    pub faults: Faults,
    /// What it received: `request {body}`.
    pub record: Record,
    _server: Server,
}

impl Twin {
    /// Starts it on a free loopback port; it answers every request with this.
    pub async fn start(answer: Value) -> io::Result<Self> {
        let router = |shared| Router::new().route("/tool", post(serve)).with_state(Context { shared, answer });
        let server = Server::start("", router).await?;
        Ok(Self {
            url: format!("http://{}/tool", server.address),
            faults: server.faults.clone(),
            record: server.record.clone(),
            _server: server,
        })
    }
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    answer: Value,
}

async fn serve(State(context): State<Context>, body: Bytes) -> Response {
    let Context { shared, answer } = context;
    shared.record.add(format!("request {}", String::from_utf8_lossy(&body)));
    let say = |status, after| refuse(status, after, json!({"error": "As the test wishes."}));
    match shared.faults.strike(Moment::Start) {
        None => {}
        Some(Fault::Status { status, retry_after_s }) => return say(status, retry_after_s),
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return Response::new(axum::body::Body::from(&b"\xff\xfe}{"[..])),
        Some(fault @ (Fault::Cut | Fault::Refuse)) => return Response::new(broken_body(b"", &fault)),
        Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => {
            shared.stopped().await;
            return say(503, None);
        }
    }
    match shared.faults.strike(Moment::MidTurn) {
        None => axum::Json(answer).into_response(),
        Some(Fault::Status { status, retry_after_s }) => say(status, retry_after_s),
        Some(fault) => Response::new(broken_body(answer.to_string().as_bytes(), &fault)),
    }
}
