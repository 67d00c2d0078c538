//! Query strings as types. Unknown names, doubled names and values of another type are said clearly.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query of a request. Its type refuses names that it does not know.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::invalid("the query holds the character U+0000, which no value may have"));
        }
        let read = Query::<T>::try_from_uri(&parts.uri);
        let Query(params) = read.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        Ok(Self(params))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        limit: Option<u32>,
    }

    async fn read(uri: &str) -> Result<Option<u32>, String> {
        let request = axum::http::Request::get(uri).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        let read = Params::<Wanted>::from_request_parts(&mut parts, &()).await;
        read.map(|Params(wanted)| wanted.limit).map_err(|problem| problem.detail.unwrap_or_default().into())
    }

    #[tokio::test]
    async fn a_name_that_is_not_known_is_named() {
        assert_eq!(read("/a?limit=7").await, Ok(Some(7)));
        assert!(read("/a?limmit=7").await.is_err_and(|why| why.contains("limmit")));
        assert!(read("/a?limit=many").await.is_err_and(|why| why.contains("limit")));
        assert!(read("/a?limit=1&limit=2").await.is_err_and(|why| why.contains("duplicate")));
        assert!(read("/a?limit=%00").await.is_err_and(|why| why.contains("U+0000")));
    }
}
