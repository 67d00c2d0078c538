//! What other nodes of this installation ask. Not part of the API: each request is signed with a key of the installation.

use crate::App;
use crate::problem::Problem;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base::limits;
use model::business::TenantScope;
use runtime::Follow;
use runtime::cluster::peer::{self, COMMAND_PATH, PeerAnswer, PeerRequest, SIGNATURE, WATCH_PATH};
use std::convert::Infallible;
use std::time::Duration;

/// Carries out what another node asks.
pub(crate) async fn command(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<PeerAnswer>, Problem> {
    let request = asked(&app, COMMAND_PATH, &headers, &body)?;
    Ok(Json(app.node.answer_peer(request).await))
}

/// Streams the live events of a call to another node: one line of JSON each, an empty line now and then.
pub(crate) async fn watch(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let PeerRequest::Watch { business, call } = asked(&app, WATCH_PATH, &headers, &body)? else {
        return Err(Problem::invalid("this is not asked here"));
    };
    // Only what is here: nodes do not pass each other's questions on.
    let events = app.node.watch(&TenantScope { business }, call).ok_or_else(Problem::not_found)?;
    let lines = futures_util::stream::unfold(Follow::Here(events), |mut events| async move {
        let patience = Duration::from_millis(limits::PEER_WATCH_ALIVE_MS);
        let line = match tokio::time::timeout(patience, events.next()).await {
            Ok(Some(event)) => peer::line(Some(&event)),
            Ok(None) => return None,
            Err(_quiet) => peer::line(None),
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), events))
    });
    Ok(Body::from_stream(lines).into_response())
}

/// The request, if another node signed it for us. Nobody else learns anything, not even that this path exists.
fn asked(app: &App, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<PeerRequest, Problem> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    app.node.known_peer(path, signature, body).ok_or_else(Problem::not_found)?;
    PeerRequest::read(body).ok_or_else(|| Problem::invalid("this node does not know what is asked"))
}
