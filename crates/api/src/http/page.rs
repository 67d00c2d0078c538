//! Pages of lists: at most [`limits::PAGE_ROWS_MAX`] rows, a cursor for the next page in the body, and the whole address of
//! the next page in `Link` (RFC 8288). A cursor is a place between two rows, so rows that come later never shift a page.

use crate::problem::Problem;
use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base::limits;
use serde::Serialize;
use std::str::FromStr;
use utoipa::ToSchema;

/// Rows of a page when nobody says how many.
const PAGE_ROWS: u32 = 20;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Give it as `cursor` for the next page; null at the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is always whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// A page as an answer: with `Link` to the next one.
pub(crate) struct Listed<T> {
    list: List<T>,
    uri: Uri,
}

impl<T> Listed<T> {
    /// A page that was asked for at this address.
    pub(crate) fn new(items: Vec<T>, next: Option<impl ToString>, uri: Uri) -> Self {
        Self { list: List { items, next_cursor: next.map(|next| next.to_string()) }, uri }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let link = self.list.next_cursor.as_deref().map(|cursor| next_link(&self.uri, cursor));
        let mut response = Json(self.list).into_response();
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The same address with another cursor, as a link.
fn next_link(uri: &Uri, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())
}

/// How many rows are wanted.
pub(crate) fn rows(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(PAGE_ROWS);
    if !(1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("limit must be between 1 and {}", limits::PAGE_ROWS_MAX)));
    }
    Ok(limit)
}

/// Where the page begins.
pub(crate) fn cursor<C: FromStr>(text: Option<&str>) -> Result<Option<C>, Problem> {
    let unreadable = || Problem::invalid("cursor: it is not one that this list gave");
    text.map(|text| text.parse().map_err(|_| unreadable())).transpose()
}

/// Cuts a list that was asked for with one row more than wanted, and says where the next page begins.
pub(crate) fn cut<T, C>(mut rows: Vec<T>, wanted: u32, place: impl Fn(&T) -> C) -> (Vec<T>, Option<C>) {
    let wanted = wanted as usize;
    if rows.len() <= wanted {
        return (rows, None);
    }
    rows.truncate(wanted);
    let next = rows.last().map(place);
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filters_of_this_one() {
        let uri: Uri = "/api/v1/calls?state=active&cursor=old&limit=2".parse().expect("an address");
        let link = next_link(&uri, "7.ab");
        assert_eq!(link, "</api/v1/calls?state=active&limit=2&cursor=7.ab>; rel=\"next\"");
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        assert_eq!(cut(vec![1, 2, 3], 2, |row| *row), (vec![1, 2], Some(2)));
        assert_eq!(cut(vec![1, 2], 2, |row| *row), (vec![1, 2], None));
        assert!(rows(Some(0)).is_err() && rows(Some(101)).is_err());
        assert_eq!(rows(None).ok(), Some(PAGE_ROWS));
    }
}
