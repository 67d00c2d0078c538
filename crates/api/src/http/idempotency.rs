//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request to create something that is sent twice has one
//! effect. The first answer is kept for [`limits::IDEMPOTENCY_MS_MAX`] in the database of the business, sealed, and given
//! again; the same key with another request is refused; while the first is being answered, the second is told to wait.
//!
//! Only answers of success are kept: what was refused may be mended and sent again under the same key. Nor is sound, a file or an
//! answer of more than [`limits::IDEMPOTENT_ANSWER_BYTES_MAX`] kept: what answers so much changes nothing, and is asked again. A request with a key
//! runs to its end even if its client goes away, because that is when the client will ask again.

use crate::App;
use crate::auth::Principal;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::limits;
use store::contract::requests::{Begun, KeptAnswer, RequestName};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers of an answer that are part of it.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
const KEY_CHARS_MAX: usize = 200;

/// Answers a repeated request with the first answer.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>().copied();
    let (Some(principal), true, Some(key)) =
        (principal, *request.method() == Method::POST, request.headers().get(KEY).cloned())
    else {
        return next.run(request).await;
    };
    match answer(app, principal, key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    app: App,
    principal: Principal,
    key: HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let fits = |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|sign| sign.is_ascii_graphic());
    let key = key.to_str().ok().filter(fits);
    let key = key.ok_or_else(|| Problem::invalid("Idempotency-Key: 1 to 200 visible ASCII characters are needed"))?;
    // The bound of the route comes later and may be lower.
    let bytes_max = match super::deadline::is_upload(&request) {
        true => limits::KNOWLEDGE_UPLOAD_BYTES_MAX,
        false => limits::KNOWLEDGE_BODY_BYTES_MAX,
    };
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, bytes_max).await.map_err(|_| Problem::too_large())?;
    let hash = store::contract::requests::hash(&[
        head.method.as_str().as_bytes(),
        head.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes(),
        &body,
    ]);
    let name =
        RequestName { scope: principal.scope, actor: super::rate::actor_name(principal.actor), key: key.to_owned() };
    let store = app.node.store();
    match store.begin_request(&name, &hash, runtime::wall_ms()).await.map_err(crate::routes::store_problem)? {
        Begun::First => {}
        Begun::Answered(kept) => return Ok(replay(kept)),
        Begun::Running => return Err(Problem::in_progress()),
        Begun::Other => return Err(Problem::key_reused()),
    }
    let request = Request::from_parts(head, Body::from(body));
    // A task of its own: dropping this future must not cut the work in half.
    let work = tokio::spawn(async move { finish(&app, &name, next.run(request).await).await });
    work.await.map_err(|_| Problem::internal())
}

/// Whether an answer is given again to whoever asks again under its key.
fn is_kept(status: StatusCode, headers: &HeaderMap, bytes: Option<u64>) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_text = kind.is_none_or(|kind| kind.starts_with("text/") || kind.contains("json"));
    let is_small = bytes.is_none_or(|bytes| bytes <= limits::IDEMPOTENT_ANSWER_BYTES_MAX as u64);
    status.is_success() && is_text && is_small
}

/// Keeps an answer of success, and lets any other be tried again.
async fn finish(app: &App, name: &RequestName, response: Response) -> Response {
    let store = app.node.store();
    let bytes = axum::body::HttpBody::size_hint(response.body()).exact();
    if !is_kept(response.status(), response.headers(), bytes) {
        if let Err(error) = store.release_request(name).await {
            tracing::warn!(%error, "an idempotency key stays taken until its time is over");
        }
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, limits::IDEMPOTENT_ANSWER_BYTES_MAX).await else {
        tracing::error!("an answer to a request with an idempotency key is too large to be kept");
        return Problem::internal().into_response();
    };
    let Ok(text) = String::from_utf8(body.to_vec()) else { return Response::from_parts(head, Body::from(body)) };
    let kept = KeptAnswer { status: head.status.as_u16(), headers: kept_headers(&head.headers), body: text };
    if let Err(error) = store.keep_answer(name, &kept).await {
        // The effect is there and the client gets its answer; a repeat waits until the key's time is over.
        tracing::error!(%error, "the answer under an idempotency key was not kept");
    }
    Response::from_parts(head, Body::from(body))
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = KEPT.iter().filter_map(|name| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned())));
    kept.collect()
}

fn replay(kept: KeptAnswer) -> Response {
    let mut response = Bytes::from(kept.body).into_response();
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_success_are_kept_and_sound_is_not() {
        let kept = |status, kind: Option<&'static str>| {
            let kind = kind.map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind)));
            is_kept(status, &kind.into_iter().collect(), Some(2_000))
        };
        assert!(kept(StatusCode::CREATED, Some("application/json")));
        assert!(kept(StatusCode::OK, Some("text/csv; charset=utf-8")));
        assert!(kept(StatusCode::NO_CONTENT, None));
        assert!(!kept(StatusCode::OK, Some("audio/wav")));
        assert!(!kept(StatusCode::CONFLICT, Some("application/problem+json")));
        let large = limits::IDEMPOTENT_ANSWER_BYTES_MAX as u64 + 1;
        assert!(!is_kept(StatusCode::OK, &HeaderMap::new(), Some(large)), "it is given, and not kept");
        assert!(is_kept(StatusCode::OK, &HeaderMap::new(), None));
    }
}
