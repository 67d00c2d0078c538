//! Tools as data, tried against a service that really answers.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};

/// A service of the business: it tells what it was asked, and, as careless services do, how it was asked.
async fn service() -> String {
    let echo = |headers: HeaderMap, body: String| async move {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        axum::Json(json!({ "body": body, "authorization": header("authorization"), "key": header("x-api-key") }))
    };
    let router = axum::Router::new()
        .route("/orders", post(echo))
        .route("/look", get(|uri: axum::http::Uri| async move { uri.query().unwrap_or("").to_owned() }))
        .route("/broken", post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "no") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(api::server::serve(listener, router, stop, std::time::Duration::from_secs(1)));
    format!("http://{address}")
}

fn tool(name: &str, action: &Value) -> Value {
    json!({ "name": name, "description": "Looks an order up.", "action": action,
        "parameters": [{ "name": "order", "description": "The order", "kind": { "kind": "pattern", "regex": "[A-Z]{2}[0-9]{6}" } }] })
}

async fn a_tool_is_tried_once_and_its_secret_is_never_shown(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let url = service().await;
    let secret = json!({ "kind": "bearer", "token": "s3cret-t0ken" });
    let kept = rig.change("PUT", "/api/v1/tool-credentials/crm", &secret).await;
    assert_eq!(kept.status, StatusCode::NO_CONTENT, "{kept:?}");
    let action = json!({ "kind": "http", "url": format!("{url}/orders"), "credential": "crm", "timeout_ms": 2000 });
    let put = rig.change("PUT", "/api/v1/agents/front/tools/order_status", &tool("order_status", &action)).await;
    assert_eq!((put.status, &put.json()["changed"]), (StatusCode::OK, &json!(true)), "{put:?}");
    let tried = rig
        .post("/api/v1/agents/front/tools/order_status/test", &json!({ "arguments": { "order": "BL123456" } }))
        .await;
    let trial = tried.json();
    assert_eq!(
        (&trial["ok"], &trial["status"], &trial["request"]["method"]),
        (&json!(true), &json!(200), &json!("POST")),
        "{trial}"
    );
    assert_eq!(trial["request"]["body"], r#"{"order":"BL123456"}"#);
    assert_eq!(trial["request"]["headers"]["authorization"], "[secret]");
    assert!(!tried.text.contains("s3cret-t0ken"), "the service's own echo is masked, too: {trial}");
    assert!(trial["result"].as_str().is_some_and(|result| result.contains("BL123456")));
    let listed = rig.get("/api/v1/tool-credentials").await;
    assert_eq!((&listed.json()["items"][0]["kind"], listed.text.contains("s3cret")), (&json!("bearer"), false));
    let theirs = rig.send(RIVAL, "GET", "/api/v1/tool-credentials", &[], None).await;
    assert_eq!(theirs.json()["items"], json!([]));
    assert_eq!(rig.send(RIVAL, "DELETE", "/api/v1/tool-credentials/crm", &[], None).await.problem(), "not_found");
}

async fn a_look_up_asks_in_its_address_and_a_failure_is_told(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let url = service().await;
    let look = json!({ "kind": "http", "url": format!("{url}/look"), "method": "GET" });
    rig.change("PUT", "/api/v1/agents/front/tools/look", &tool("look", &look)).await;
    let path = "/api/v1/agents/front/tools/look/test";
    let trial = rig.post(path, &json!({ "arguments": { "order": "BL 1&2" } })).await.json();
    assert_eq!((&trial["result"], &trial["request"]["body"]), (&json!("order=BL+1%262"), &json!(null)), "{trial}");
    assert_eq!(rig.post(path, &json!({ "arguments": {} })).await.problem(), "invalid");
    assert_eq!(rig.post(path, &json!({ "arguments": { "order": "x", "more": 1 } })).await.problem(), "invalid");
    let broken = json!({ "kind": "http", "url": format!("{url}/broken") });
    rig.change("PUT", "/api/v1/agents/front/tools/look", &tool("look", &broken)).await;
    let trial = rig.post(path, &json!({ "arguments": { "order": "x" } })).await.json();
    assert_eq!((&trial["ok"], &trial["status"]), (&json!(false), &json!(500)), "{trial}");
    let missing = json!({ "kind": "http", "url": format!("{url}/look"), "credential": "nothing" });
    rig.change("PUT", "/api/v1/agents/front/tools/look", &tool("look", &missing)).await;
    assert_eq!(rig.post(path, &json!({ "arguments": { "order": "x" } })).await.problem(), "invalid");
    let person = json!({ "kind": "handoff" });
    rig.change("PUT", "/api/v1/agents/front/tools/look", &tool("look", &person)).await;
    assert_eq!(rig.post(path, &json!({ "arguments": { "order": "x" } })).await.problem(), "invalid");
    assert_eq!(rig.get("/api/v1/agents/front/tools").await.json()["items"].as_array().map(Vec::len), Some(1));
    let gone = rig.send(SHOP, "DELETE", "/api/v1/agents/front/tools/look", &[], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.post(path, &json!({ "arguments": {} })).await.problem(), "not_found");
}

async fn a_tool_that_makes_no_sense_is_refused(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let fine = json!({ "kind": "http", "url": "https://example.com/x" });
    let with = |change: fn(&mut Value)| {
        let mut one = tool("look", &fine);
        change(&mut one);
        one
    };
    let cases = [
        with(|one| one["name"] = json!("other")),
        with(|one| one["action"]["url"] = json!("ftp://example.com")),
        with(|one| one["action"]["timeout_ms"] = json!(1)),
        with(|one| one["action"]["kind"] = json!("fly")),
        with(|one| one["parameters"][0]["kind"]["regex"] = json!("(")),
        with(|one| one["parameters"][0]["name"] = json!("No Name")),
        with(|one| one["changes_stat"] = json!(true)),
    ];
    for case in cases {
        let reply = rig.change("PUT", "/api/v1/agents/front/tools/look", &case).await;
        assert_eq!(reply.problem(), "invalid", "{case}: {reply:?}");
    }
    for wrong in [
        json!({ "kind": "bearer", "token": "a b" }),
        json!({ "kind": "header", "header": "host", "value": "x" }),
        json!({ "kind": "header", "header": "Transfer-Encoding", "value": "chunked" }),
        json!({ "kind": "header", "header": "x key", "value": "x" }),
        json!({ "kind": "basic", "user": "u".repeat(201), "password": "" }),
    ] {
        assert_eq!(rig.change("PUT", "/api/v1/tool-credentials/crm", &wrong).await.problem(), "invalid", "{wrong}");
    }
    for name in ["X-Api-Key", "apikey", "Ocp-Apim-Subscription-Key", "authorization"] {
        let right = json!({ "kind": "header", "header": name, "value": "x" });
        let kept = rig.change("PUT", "/api/v1/tool-credentials/crm", &right).await;
        assert_eq!(kept.status, StatusCode::NO_CONTENT, "{name}: {kept:?}");
    }
}

on_both! {
    a_tool_is_tried_once_and_its_secret_is_never_shown,
    a_look_up_asks_in_its_address_and_a_failure_is_told,
    a_tool_that_makes_no_sense_is_refused,
}
