//! JSON bodies as types: the right media type, within the bound of the route, no unknown fields, no U+0000 (which PostgreSQL
//! cannot hold), and a text that says where something is wrong.

use crate::problem::Problem;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The body of a request, which must be there.
pub(crate) struct Body<T>(pub(crate) T);

/// The body of a request, or what its type is when nothing is said.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, state).await?;
        if !is_json {
            return Err(Problem::unsupported_media_type());
        }
        parsed(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parsed(&bytes).map(Self),
            (false, false) => Err(Problem::unsupported_media_type()),
        }
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid("the body could not be read to its end"),
    })
}

/// Parses JSON as the API takes it.
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if holds_nul(bytes) {
        return Err(Problem::invalid("a text holds the character U+0000, which no value may have"));
    }
    // A list would be taken for a structure without names.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::invalid("the body must be a JSON object"));
    }
    let read = Json::<T>::from_bytes(bytes);
    read.map(|Json(value)| value).map_err(|rejection| Problem::invalid(rejection.body_text()))
}

/// `application/json` or any media type that is JSON by its suffix (RFC 6839, 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn holds_nul(bytes: &[u8]) -> bool {
    let escape = br"\u0000";
    if !bytes.windows(escape.len()).any(|window| window == escape) {
        return false;
    }
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value_holds_nul(&value))
}

fn value_holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(value_holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || value_holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_of_json_is_recognised_however_it_is_written() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().expect("a header"));
            is_json(&headers)
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        assert!(with("application/merge-patch+json"));
        assert!(!with("text/plain") && !with("text/json") && !with("application/xml"));
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_text_with_a_nul_is_refused_and_an_escaped_backslash_is_not() {
        assert!(holds_nul(br#"{"a":["x\u0000y"]}"#));
        assert!(!holds_nul(br#"{"a":"x\\u0000y"}"#));
        assert!(parsed::<Value>(br#"{"\u0000":1}"#).is_err());
        assert!(parsed::<Value>(b"[]").is_err() && parsed::<Value>(b" {}").is_ok());
    }
}
