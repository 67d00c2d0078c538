//! What all operations have in common.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use api::HttpSettings;
use axum::http::StatusCode;
use serde_json::json;

async fn every_refusal_is_a_problem_document_with_the_id_of_its_request(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let long = "x".repeat(20_000);
    /// Method, path, headers, body, and the status and code that answer.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<&'a str>, u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("GET", "/api/v1/nothing", &[], None, 404, "not_found"),
        ("GET", "/api/v1/calls/not-an-id", &[], None, 404, "not_found"),
        ("GET", "/api/v1/agents/%ff", &[], None, 404, "not_found"),
        ("GET", "/api/v1/agents/a%00b", &[], None, 404, "not_found"),
        ("DELETE", "/api/v1/calls", &[], None, 405, "method_not_allowed"),
        ("GET", "/api/v1/calls?limit=0", &[], None, 422, "invalid"),
        ("GET", "/api/v1/calls?limt=1", &[], None, 422, "invalid"),
        ("GET", "/api/v1/calls?cursor=nonsense", &[], None, 422, "invalid"),
        ("GET", "/api/v1/calls?state=flying", &[], None, 422, "invalid"),
        ("GET", "/api/v1/customers?q=%00", &[], None, 422, "invalid"),
        ("POST", "/api/v1/numbers", &[("content-type", "text/plain")], Some("{}"), 415, "unsupported_media_type"),
        ("POST", "/api/v1/numbers", &[], Some("{"), 422, "invalid"),
        ("POST", "/api/v1/numbers", &[], Some("{}"), 422, "invalid"),
        ("POST", "/api/v1/numbers", &[], Some(r#"{"number":"\u0000"}"#), 422, "invalid"),
        ("POST", "/api/v1/numbers", &[], Some(&long), 413, "too_large"),
        ("PATCH", "/api/v1/agents/front", &[], Some("{}"), 428, "precondition_required"),
        ("PATCH", "/api/v1/agents/front", &[("if-match", "\"99\"")], Some("{}"), 412, "stale"),
        ("PATCH", "/api/v1/agents/front", &[("if-match", "*")], Some("[]"), 422, "invalid"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = rig.send(SHOP, method, path, headers, *body).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (*status, *code), "{method} {path}: {reply:?}");
    }
    let mine = rig.send(SHOP, "GET", "/api/v1/nothing", &[("x-request-id", "mine-1")], None).await;
    assert_eq!((mine.problem().as_str(), mine.header("x-request-id")), ("not_found", "mine-1"));
    let fine = rig.get("/api/v1/business").await;
    assert_eq!((fine.status, fine.header("x-request-id").is_empty()), (StatusCode::OK, false));
}

async fn a_request_that_is_sent_twice_has_one_effect(opened: Opened) {
    let rig = Rig::new(opened).await;
    let make = async |who: &str, key: &str, slug: &str| {
        let body = json!({ "slug": slug, "name": "A" }).to_string();
        rig.send(who, "POST", "/api/v1/agents", &[("idempotency-key", key)], Some(&body)).await
    };
    let first = make(SHOP, "k-1", "one").await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let again = make(SHOP, "k-1", "one").await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!((again.header("idempotency-replayed"), again.header("location")), ("true", first.header("location")));
    assert_eq!(again.header("etag"), first.header("etag"));
    let other = make(SHOP, "k-1", "two").await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key_reused"));
    assert_eq!(make(RIVAL, "k-1", "one").await.status, StatusCode::CREATED, "a key is the business's own");
    let refused = make(SHOP, "k-2", "Not A Slug").await;
    assert_eq!(refused.status.as_u16(), 422);
    assert_eq!(make(SHOP, "k-2", "mended").await.status, StatusCode::CREATED, "what was refused may be mended");
    assert_eq!(make(SHOP, "two words", "x").await.status.as_u16(), 422);
    let listed = rig.get("/api/v1/agents").await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
}

async fn of_two_equal_requests_at_once_one_does_the_work(opened: Opened) {
    let rig = Rig::new(opened).await;
    let body = json!({ "slug": "one", "name": "A" }).to_string();
    let send = || rig.send(SHOP, "POST", "/api/v1/agents", &[("idempotency-key", "k")], Some(&body));
    let replies = futures_util::future::join_all([send(), send(), send(), send()]).await;
    for reply in &replies {
        let fine = reply.status == StatusCode::CREATED || reply.problem() == "in_progress";
        assert!(fine, "{reply:?}");
    }
    assert_eq!(rig.get("/api/v1/agents").await.json()["items"].as_array().map(Vec::len), Some(1));
}

async fn pages_follow_one_another_by_link_and_by_cursor(opened: Opened) {
    let rig = Rig::new(opened).await;
    for index in 0..5 {
        rig.post("/api/v1/agents", &json!({ "slug": format!("agent-{index}"), "name": "A" })).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/agents?limit=2&sort=-slug".to_owned();
    loop {
        let page = rig.get(&path).await;
        let rows = page.json()["items"].as_array().expect("a list").clone();
        seen.extend(rows.iter().map(|row| row["slug"].as_str().expect("a slug").to_owned()));
        let link = page.header("link").to_owned();
        assert_eq!(link.is_empty(), page.json()["next_cursor"].is_null());
        match link.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((next, rel)) => {
                assert_eq!(rel, "; rel=\"next\"");
                path = next.to_owned();
            }
            None => break,
        }
    }
    assert_eq!(seen, ["agent-4", "agent-3", "agent-2", "agent-1", "agent-0"]);
}

async fn a_reader_who_has_the_newest_version_is_told_so(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let first = rig.get("/api/v1/agents/front").await;
    let tag = first.header("etag").to_owned();
    let again = rig.send(SHOP, "GET", "/api/v1/agents/front", &[("if-none-match", &tag)], None).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let changed = rig.send(SHOP, "PATCH", "/api/v1/agents/front", &[("if-match", &tag)], Some(r#"{"name":"B"}"#)).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let stale = rig.send(SHOP, "PATCH", "/api/v1/agents/front", &[("if-match", &tag)], Some(r#"{"name":"C"}"#)).await;
    assert_eq!(stale.problem(), "stale");
    let fresh = rig.send(SHOP, "GET", "/api/v1/agents/front", &[("if-none-match", &tag)], None).await;
    assert_eq!((fresh.status, fresh.json()["name"].as_str()), (StatusCode::OK, Some("B")));
}

async fn a_page_of_an_allowed_origin_may_ask_and_no_other(opened: Opened) {
    let http = HttpSettings { origins: vec!["https://app.example.com".into()], ..HttpSettings::default() };
    let rig = Rig::with(opened, http).await;
    let ours = rig.send(SHOP, "GET", "/api/v1/business", &[("origin", "https://app.example.com")], None).await;
    assert_eq!((ours.status, ours.header("access-control-allow-origin")), (StatusCode::OK, "https://app.example.com"));
    assert!(ours.header("access-control-expose-headers").contains("etag"));
    let theirs = rig.send(SHOP, "GET", "/api/v1/business", &[("origin", "https://evil.example")], None).await;
    assert_eq!((theirs.problem().as_str(), theirs.header("access-control-allow-origin")), ("foreign_origin", ""));
    let asked = [("origin", "https://app.example.com"), ("access-control-request-method", "PATCH")];
    let preflight = rig.send(SHOP, "OPTIONS", "/api/v1/business", &asked, None).await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));
    assert!(preflight.header("access-control-allow-headers").contains("if-match"));
}

async fn the_document_is_browsable_without_the_internet(opened: Opened) {
    let rig = Rig::new(opened).await;
    let moved = rig.get("/api/docs").await;
    assert!(moved.status.is_redirection(), "{moved:?}");
    let page = rig.get(moved.header("location")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let script = rig.get("/api/docs/swagger-initializer.js").await;
    assert!(script.text.contains("/api/v1/openapi.json"), "{}", script.text);
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"] {
        assert_eq!(rig.get(&format!("/api/docs/{file}")).await.status, StatusCode::OK, "{file}");
    }
    assert_eq!(rig.get("/api/docs/nothing.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.get("/api/v1/openapi.json").await.json()["openapi"], "3.1.0");
}

async fn paths_of_older_clients_lead_on(opened: Opened) {
    let rig = Rig::new(opened).await;
    let moved = rig.post("/api/v1/voice/test-call", &json!({})).await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, "/api/v1/test-calls"));
}

on_both! {
    every_refusal_is_a_problem_document_with_the_id_of_its_request,
    a_request_that_is_sent_twice_has_one_effect,
    of_two_equal_requests_at_once_one_does_the_work,
    pages_follow_one_another_by_link_and_by_cursor,
    a_reader_who_has_the_newest_version_is_told_so,
    a_page_of_an_allowed_origin_may_ask_and_no_other,
    the_document_is_browsable_without_the_internet,
    paths_of_older_clients_lead_on,
}
