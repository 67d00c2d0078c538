//! Agents from their first draft to a version that is taken back.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::StatusCode;
use serde_json::{Value, json};

async fn an_agent_is_drafted_published_changed_and_taken_back(opened: Opened) {
    let rig = Rig::new(opened).await;
    let made = rig.post("/api/v1/agents", &json!({ "slug": "front", "name": "Robin", "persona": "Kind." })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let agent = made.json();
    assert_eq!(agent["draft"]["business_name"], "The shop");
    assert_eq!((&agent["version"], &agent["changed"], &agent["status"]), (&json!(0), &json!(true), &json!("enabled")));
    let at = made.header("location").to_owned();
    assert_eq!(rig.get(&at).await.json()["id"], agent["id"]);
    let published = rig.post(&format!("{at}/publish"), &json!({ "note": "first" })).await;
    assert_eq!((published.status, &published.json()["version"]), (StatusCode::OK, &json!(1)), "{published:?}");
    let change = json!({ "lines": { "greeting": "Hi." }, "timing": { "endpoint_ms": 400 } });
    let changed = rig.change("PATCH", "/api/v1/agents/front", &change).await.json();
    assert_eq!(
        (&changed["changed"], &changed["greeting"], &changed["version"]),
        (&json!(true), &json!("Hi."), &json!(1))
    );
    assert_eq!(changed["draft"]["lines"]["goodbye"], agent["draft"]["lines"]["goodbye"], "what is left out stays");
    let diff = rig.get("/api/v1/agents/front/versions/1/diff").await.json();
    let paths: Vec<&str> =
        diff["patch"].as_array().expect("steps").iter().filter_map(|step| step["path"].as_str()).collect();
    assert!(paths.contains(&"/lines/greeting") && paths.contains(&"/timing/endpoint_ms"), "{diff}");
    let second = rig.send(SHOP, "POST", "/api/v1/agents/front/publish", &[], None).await;
    assert_eq!(second.json()["version"], 2, "{second:?}");
    let back = rig.post("/api/v1/agents/front/rollback", &json!({ "version": 1 })).await;
    assert_eq!((&back.json()["version"], &back.json()["changed"]), (&json!(3), &json!(false)));
    let versions = rig.get("/api/v1/agents/front/versions?limit=2").await.json();
    assert_eq!((&versions["items"][0]["version"], &versions["next_cursor"]), (&json!(3), &json!("2")));
    assert_eq!(versions["items"][0]["published_by"], "installation");
    let oldest = rig.get("/api/v1/agents/front/versions/1").await.json();
    assert_eq!((&oldest["note"], &oldest["config"]["persona"]), (&json!("first"), &json!("Kind.")));
    assert_eq!(rig.post("/api/v1/agents/front/rollback", &json!({ "version": 9 })).await.problem(), "not_found");
}

async fn a_mistake_in_an_agent_is_named_with_its_place(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let cases = [
        (json!({ "lines": { "greting": "Hi." } }), "lines.greting"),
        (json!({ "nme": "x" }), "nme"),
        (json!({ "name": "" }), "name"),
        (json!({ "slug": "other" }), "slug"),
        (json!({ "language": "english" }), "language"),
        (json!({ "timing": { "tool_ms_max": 0 } }), "timing"),
        (json!({ "brain": { "kind": "wise" } }), "brain"),
        (json!({ "tools": [{ "name": "A", "description": "", "action": { "kind": "handoff" } }] }), "tools[0]"),
        (json!({ "handoff_to": "0800" }), "handoff_to"),
    ];
    for (change, place) in cases {
        let reply = rig.change("PATCH", "/api/v1/agents/front", &change).await;
        assert_eq!(reply.problem(), "invalid", "{change}: {reply:?}");
        assert!(reply.json()["detail"].as_str().is_some_and(|why| why.contains(place)), "{change}: {reply:?}");
    }
}

async fn hours_and_guardrails_are_drafted_and_versioned_with_their_agent(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let message = json!({ "kind": "message", "text": "We are closed." });
    let change = json!({
        "hours": {
            "time_zone": "Asia/Kolkata",
            "week": [{ "days": ["monday"], "from": "09:00", "to": "17:30" }],
            "special": [{ "date": "2026-12-25" }],
            "outside": message,
        },
        "guardrails": { "refuse_topics": ["legal advice"], "never_say": ["full refund"],
            "offer_person": { "situations": ["the customer is angry"], "after_refusals": 3 } },
    });
    let changed = rig.change("PATCH", "/api/v1/agents/front", &change).await.json();
    assert_eq!(changed["draft"]["hours"]["outside"], message, "{changed}");
    assert_eq!(
        changed["draft"]["guardrails"]["offer_person"]["after_failed_turns"], 2,
        "what is left out is as by default"
    );
    let published = rig.post("/api/v1/agents/front/publish", &json!({})).await;
    assert_eq!(published.status, StatusCode::OK, "{published:?}");
    let version = published.json()["version"].as_u64().expect("a version");
    let taken = rig.change("PATCH", "/api/v1/agents/front", &json!({ "hours": null, "guardrails": null })).await.json();
    assert_eq!((&taken["draft"]["hours"], &taken["draft"]["guardrails"]["never_say"]), (&json!(null), &json!([])));
    let kept = rig.get(&format!("/api/v1/agents/front/versions/{version}")).await.json();
    assert_eq!(kept["config"]["hours"]["week"][0]["from"], "09:00");
    assert_eq!(kept["config"]["guardrails"]["never_say"], json!(["full refund"]));
}

async fn hours_and_guardrails_that_make_no_sense_are_refused(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let cases = [
        (json!({ "hours": { "week": [], "time_zone": "Mars/Olympus" } }), "hours.time_zone"),
        (json!({ "hours": { "week": [{ "days": [], "from": "09:00", "to": "10:00" }] } }), "hours.week[0]"),
        (json!({ "hours": { "week": [], "outside": { "kind": "message", "text": " " } } }), "hours.outside.text"),
        (json!({ "hours": { "week": [], "outside": { "kind": "transfer", "text": "x", "to": "110" } } }), "outside"),
        (json!({ "guardrails": { "never_say": [""] } }), "guardrails.never_say.0"),
        (json!({ "guardrails": { "instead": "" } }), "guardrails.instead"),
        (json!({ "guardrails": { "offer_person": { "after_failed_turns": 0 } } }), "guardrails.offer_person"),
        (json!({ "guardrails": { "never_sya": ["x"] } }), "never_sya"),
    ];
    for (change, place) in cases {
        let reply = rig.change("PATCH", "/api/v1/agents/front", &change).await;
        assert_eq!(reply.problem(), "invalid", "{change}: {reply:?}");
        assert!(reply.json()["detail"].as_str().is_some_and(|why| why.contains(place)), "{change}: {reply:?}");
    }
    // A draft may be on its way; what is published must hold together.
    rig.change("PATCH", "/api/v1/agents/front", &json!({ "guardrails": { "never_say": ["calling"] } })).await.json();
    let refused = rig.post("/api/v1/agents/front/publish", &json!({})).await;
    assert_eq!(refused.problem(), "invalid");
    assert!(refused.json()["detail"].as_str().is_some_and(|why| why.contains("lines.goodbye")), "{refused:?}");
}

async fn an_agent_is_switched_off_and_deleted(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.post("/api/v1/agents", &json!({ "slug": "night", "name": "N" })).await;
    let off = rig.send(SHOP, "PUT", "/api/v1/agents/night/status", &[], Some(r#"{"status":"disabled"}"#)).await;
    assert_eq!(off.json()["status"], "disabled", "{off:?}");
    assert_eq!(rig.send(SHOP, "DELETE", "/api/v1/agents/night", &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.send(SHOP, "DELETE", "/api/v1/agents/night", &[], None).await.problem(), "not_found");
    assert_eq!(rig.get("/api/v1/agents").await.json()["items"], json!([]));
    assert_eq!(rig.get("/api/v1/agents?status=archived").await.json()["items"][0]["slug"], "night");
    let taken = rig.post("/api/v1/agents", &json!({ "slug": "night", "name": "N" })).await;
    assert_eq!(taken.problem(), "conflict");
}

async fn another_business_sees_no_agent_of_ours(opened: Opened) {
    let rig = Rig::new(opened).await;
    let id = rig.agent().await.id;
    for path in ["", "/versions", "/versions/1", "/versions/1/diff", "/tools", "/providers"] {
        for name in ["front".to_owned(), id.to_string()] {
            let path = format!("/api/v1/agents/{name}{path}");
            let reply = rig.send(RIVAL, "GET", &path, &[], None).await;
            assert_eq!(reply.problem(), "not_found", "{path}");
        }
    }
    let changes: [(&str, &str, Value); 5] = [
        ("PATCH", "", json!({ "name": "stolen" })),
        ("POST", "/publish", json!({})),
        ("POST", "/rollback", json!({ "version": 1 })),
        ("PUT", "/status", json!({ "status": "disabled" })),
        ("DELETE", "", json!({})),
    ];
    for (method, path, body) in changes {
        let path = format!("/api/v1/agents/{id}{path}");
        let reply = rig.send(RIVAL, method, &path, &[("if-match", "*")], Some(&body.to_string())).await;
        assert_eq!(reply.problem(), "not_found", "{method} {path}");
    }
    assert_eq!(rig.get("/api/v1/agents/front").await.json()["name"], "Front");
}

on_both! {
    an_agent_is_drafted_published_changed_and_taken_back,
    a_mistake_in_an_agent_is_named_with_its_place,
    hours_and_guardrails_are_drafted_and_versioned_with_their_agent,
    hours_and_guardrails_that_make_no_sense_are_refused,
    an_agent_is_switched_off_and_deleted,
    another_business_sees_no_agent_of_ours,
}
