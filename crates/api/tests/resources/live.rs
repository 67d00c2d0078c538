//! Events, webhooks, plans and usage, for two businesses that know nothing of each other.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::StatusCode;
use base::{CallId, ConversationId, JournalSeq, Money, TurnId};
use model::call::{Call, CallState, Direction};
use model::journal::{Entry, HandBack, HoldMode, QueueOutcome, Record};
use serde_json::{Value, json};
use store::{CallUpdate, WriterId};

/// A call of the shop that is going on.
async fn call(rig: &Rig) -> Call {
    let agent = match rig.store.agent_by_slug(&rig.shop, "front").await {
        Ok(known) => known.agent,
        Err(_) => rig.agent().await,
    };
    let call = Call {
        id: CallId::generate(),
        business: rig.shop.business,
        agent: agent.id,
        conversation: ConversationId::generate(),
        direction: Direction::Inbound,
        carrier: "loopback".into(),
        carrier_ref: None,
        customer: Some("+4915550100".into()),
        number: None,
        state: CallState::Active,
        started_at_ms: runtime::wall_ms(),
        answered_at_ms: Some(runtime::wall_ms()),
        ended_at_ms: None,
        ended_reason: None,
        recording: None,
        cost: Money::ZERO,
        agent_version: None,
    };
    rig.store.create_call(&rig.shop, &call).await.expect("a call");
    call
}

async fn say(rig: &Rig, call: &Call, text: &str) {
    let entry = Entry::CallerTurn { turn: TurnId(1), text: text.into(), cut: false, typed: false, sentiment: None };
    let record = Record { seq: JournalSeq(1), at: base::CallTime(10), entry };
    rig.store.append(&rig.shop, call.id, WriterId::generate(), JournalSeq(0), &[record]).await.expect("words");
}

async fn end(rig: &Rig, call: &Call) {
    let update = CallUpdate {
        state: Some(CallState::Completed),
        ended_at_ms: Some(call.started_at_ms + 90_000),
        charge: Some(store::Charge::new(Money::from_usd_micros(700), Vec::new())),
        ..CallUpdate::default()
    };
    rig.store.update_call(&rig.shop, call.id, &update).await.expect("an end");
}

async fn a_snapshot_shows_live_calls_with_their_words_and_to_nobody_else(opened: Opened) {
    let rig = Rig::new(opened).await;
    let live = call(&rig).await;
    say(&rig, &live, "where is my order?").await;
    let snapshot = rig.get("/api/v1/snapshot").await.json();
    assert_eq!((&snapshot["seq"], &snapshot["truncated"]), (&json!(2), &json!(false)));
    assert_eq!(snapshot["calls"][0]["id"], json!(live.id));
    assert_eq!(snapshot["calls"][0]["turns"][0]["text"], json!("where is my order?"));
    let rival = rig.send(RIVAL, "GET", "/api/v1/snapshot", &[], None).await.json();
    assert_eq!(rival, json!({ "seq": 0, "calls": [], "truncated": false }));
    end(&rig, &live).await;
    assert_eq!(rig.get("/api/v1/snapshot").await.json()["calls"], json!([]));
}

async fn a_snapshot_names_the_person_who_has_a_call_and_how_the_customer_sounds(opened: Opened) {
    let rig = Rig::new(opened).await;
    let live = call(&rig).await;
    let user = store::people::NewUser {
        id: base::UserId::generate(),
        email: "kim@shop.example".to_owned().into(),
        name: "Kim".to_owned().into(),
        role: model::people::Role::Supervisor,
        password_hash: None,
        verified: true,
    };
    let by = format!("user:{}", user.id);
    rig.store.create_user(&rig.shop, &user, 1).await.expect("a user");
    let (turn, text) = (TurnId(1), "This is terrible.".into());
    let entries = [
        Entry::CallerTurn { turn, text, cut: false, typed: false, sentiment: Some(-0.82) },
        Entry::TakenOver { by: Some(by.clone()), mode: HoldMode::TakeOver, with_line: true },
    ];
    let record = |(seq, entry)| Record { seq: JournalSeq(seq), at: base::CallTime(10), entry };
    let records: Vec<Record> = (1..).zip(entries).map(record).collect();
    let writer = WriterId::generate();
    rig.store.append(&rig.shop, live.id, writer, JournalSeq(0), &records).await.expect("written");
    let snapshot = rig.get("/api/v1/snapshot").await.json();
    let shown = &snapshot["calls"][0];
    assert_eq!((&shown["holder"]["name"], &shown["holder"]["by"]), (&json!("Kim"), &json!(by)), "{snapshot}");
    assert_eq!(shown["holder"]["user_id"], json!(user.id));
    assert_eq!(shown["turns"][0]["sentiment"], json!(-0.82));
    let messages = rig.get(&format!("/api/v1/conversations/{}/messages", live.conversation)).await.json();
    assert_eq!(messages["items"][0]["sentiment"], json!(-0.82));
    let detail = rig.get(&format!("/api/v1/calls/{}", live.id)).await.json();
    assert_eq!(detail["journal"][0]["entry"]["sentiment"], json!(-0.82), "{detail}");
    let back = record((3, Entry::HandedBack { reason: HandBack::Asked }));
    rig.store.append(&rig.shop, live.id, writer, JournalSeq(2), &[back]).await.expect("written");
    assert_eq!(rig.get("/api/v1/snapshot").await.json()["calls"][0]["holder"], json!(null));
}

async fn who_waits_for_a_person_is_listed_in_order_and_to_nobody_else(opened: Opened) {
    let rig = Rig::new(opened).await;
    let (first, second) = (call(&rig).await, call(&rig).await);
    let record = |seq, entry| Record { seq: JournalSeq(seq), at: base::CallTime(10), entry };
    let writer = WriterId::generate();
    for (at, one) in [&first, &second].into_iter().enumerate() {
        let brief = (at == 0).then(|| "\"Where is my order?\"".into());
        let entry = Entry::Queued { reason: "asked".into(), brief };
        rig.store.append(&rig.shop, one.id, writer, JournalSeq(0), &[record(1, entry)]).await.expect("queued");
    }
    let queue = rig.get("/api/v1/queue").await.json();
    let mut ids: Vec<Value> = vec![json!(first.id), json!(second.id)];
    let callers = queue["callers"].as_array().expect("callers");
    let places: Vec<_> = callers.iter().map(|caller| caller["position"].clone()).collect();
    assert_eq!(places, [json!(1), json!(2)], "{queue}");
    let known = callers.iter().find(|caller| caller["call"] == json!(first.id)).expect("the first one");
    assert_eq!((&known["reason"], &known["brief"]), (&json!("asked"), &json!("\"Where is my order?\"")));
    assert_eq!(known["customer"], json!("+4915550100"));
    ids.retain(|id| callers.iter().all(|caller| caller["call"] != *id));
    assert!(ids.is_empty(), "not listed: {ids:?}");
    let rival = rig.send(RIVAL, "GET", "/api/v1/queue", &[], None).await.json();
    assert_eq!(rival, json!({ "callers": [] }));
    let snapshot = rig.get("/api/v1/snapshot").await.json();
    assert_eq!(snapshot["calls"][0]["waiting"]["reason"], json!("asked"), "{snapshot}");
    assert_eq!(
        snapshot["calls"][0]["waiting"]["since_ms"],
        callers.iter().find(|caller| caller["call"] == snapshot["calls"][0]["id"]).expect("it waits")["since_ms"]
    );
    // No node has these calls: whoever asks for the next one gets none of them.
    let none = rig.send(SHOP, "POST", "/api/v1/queue/next", &[], None).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let left = Entry::LeftQueue { outcome: QueueOutcome::CallBack, waited_ms: 4_000 };
    rig.store.append(&rig.shop, first.id, writer, JournalSeq(1), &[record(2, left)]).await.expect("left");
    end(&rig, &second).await;
    assert_eq!(rig.get("/api/v1/queue").await.json(), json!({ "callers": [] }));
}

async fn nodes_are_listed_and_drained_by_whoever_runs_the_installation(opened: Opened) {
    let rig = Rig::new(opened).await;
    let node = |id: u128, name: &str| model::node::Node {
        id: base::NodeId(uuid::Uuid::from_u128(id)),
        name: name.into(),
        address: format!("http://{name}:8080"),
        roles: "api,media".parse().expect("roles"),
        generation: 1,
        version: "1.0".into(),
        calls_live: 3,
        calls_max: 50,
        draining: false,
    };
    let lease = base::Millis(60_000);
    for (id, name) in [(1, "one"), (2, "two"), (3, "twin"), (4, "twin")] {
        rig.store.beat(&node(id, name), lease).await.expect("a node");
    }
    let nodes = rig.get("/api/v1/operations/nodes").await.json();
    let first = &nodes["items"][0];
    assert_eq!((&first["state"], &first["roles"]), (&json!("live"), &json!(["api", "media"])), "{nodes}");
    assert_eq!((&first["calls_live"], &first["calls_max"], &first["is_this"]), (&json!(3), &json!(50), &json!(false)));
    assert!(first["lease_ends_at_ms"].as_i64() > first["seen_at_ms"].as_i64());
    let drained = rig.send(SHOP, "POST", "/api/v1/operations/nodes/two/drain", &[], None).await;
    assert_eq!((drained.status, &drained.json()["state"]), (StatusCode::OK, &json!("will_drain")), "{drained:?}");
    assert!(rig.store.beat(&node(2, "two"), lease).await.expect("it lives"), "the node itself learns it");
    let undone = rig.post("/api/v1/operations/nodes/two/drain", &json!({ "drain": false })).await;
    assert_eq!(undone.json()["state"], "live");
    assert_eq!(rig.post("/api/v1/operations/nodes/twin/drain", &json!({})).await.problem(), "conflict");
    assert_eq!(rig.post("/api/v1/operations/nodes/three/drain", &json!({})).await.problem(), "not_found");
    let audit = rig.get("/api/v1/audit").await.json();
    assert_eq!(audit["items"][0]["action"], "drain_node", "{audit}");
}

/// The first blocks of a stream of server-sent events, until one holds this text.
async fn blocks_until(rig: &Rig, path: &str, headers: &[(&str, &str)], text: &str) -> Vec<String> {
    let answer = rig.open(SHOP, path, headers).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    let mut heard = String::new();
    while !heard.contains(text) {
        use http_body_util::BodyExt as _;
        let frame = tokio::time::timeout(std::time::Duration::from_secs(20), body.frame()).await.expect("in time");
        let data = frame.expect("more").expect("a frame").into_data().expect("data");
        heard.push_str(&String::from_utf8_lossy(&data));
    }
    heard.split("\n\n").filter(|block| !block.is_empty()).map(str::to_owned).collect()
}

async fn a_stream_goes_on_after_the_last_event_that_its_reader_had(opened: Opened) {
    let rig = Rig::new(opened).await;
    let live = call(&rig).await;
    say(&rig, &live, "hello").await;
    end(&rig, &live).await;
    let all = blocks_until(&rig, "/api/v1/events?after=0", &[], "usage.recorded").await;
    assert!(all[0].starts_with("event: stream.ready"), "{all:?}");
    let ids: Vec<&str> =
        all[1..].iter().filter_map(|block| block.lines().find_map(|line| line.strip_prefix("id: "))).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let rest = blocks_until(&rig, "/api/v1/events?after=0", &[("last-event-id", "3")], "usage.recorded").await;
    assert_eq!(rest.len(), 2);
    let turns = blocks_until(&rig, "/api/v1/events?after=0&kinds=transcript.*", &[], "transcript.turn").await;
    assert_eq!(turns.len(), 2);
    let lost = blocks_until(&rig, "/api/v1/events?after=99", &[], "stream.resync").await;
    assert!(lost[1].contains("take a snapshot") && lost[1].contains("id: 4"), "{lost:?}");
    for bad in ["?after=-1", "?after=x", "?kinds=calls", "?since=1"] {
        assert_eq!(rig.get(&format!("/api/v1/events{bad}")).await.problem(), "invalid", "{bad}");
    }
    assert_eq!(rig.get("/api/v1/events/socket").await.problem(), "bad_upgrade");
}

async fn a_webhook_is_made_changed_tested_and_deleted_and_its_secret_is_shown_once(opened: Opened) {
    let rig = Rig::new(opened).await;
    let made = rig.post("/api/v1/webhooks", &json!({ "url": "http://127.0.0.1:9/hook", "kinds": ["call.*"] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let path = made.header("location").to_owned();
    let made = made.json();
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_") && secret.len() > 40));
    let read = rig.get(&path).await;
    assert_eq!((read.header("etag"), read.json().get("secret")), ("\"1\"", None));
    assert_eq!(rig.get("/api/v1/webhooks").await.json()["items"].as_array().map(Vec::len), Some(1));

    let stale = rig.send(SHOP, "PATCH", &path, &[("if-match", "\"7\"")], Some(r#"{"enabled":false}"#)).await;
    assert_eq!(stale.problem(), "stale");
    let changed = rig.send(SHOP, "PATCH", &path, &[("if-match", "\"1\"")], Some(r#"{"enabled":false}"#)).await.json();
    assert_eq!((&changed["enabled"], &changed["version"]), (&json!(false), &json!(2)));
    let rotated = rig.send(SHOP, "POST", &format!("{path}/rotate"), &[], None).await.json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["old_secret_until_ms"].as_i64() > Some(runtime::wall_ms()));
    let tested = rig.send(SHOP, "POST", &format!("{path}/test"), &[], None).await.json();
    assert_eq!((&tested["state"], &tested["tries"][0]["status"]), (&json!("failed"), &Value::Null));
    let log = rig.get(&format!("{path}/deliveries?state=failed")).await.json();
    assert_eq!(log["items"][0]["kind"], json!("webhook.test"));
    let id = log["items"][0]["id"].as_str().expect("an id");
    let again = rig.send(SHOP, "POST", &format!("{path}/deliveries/{id}/replay"), &[], None).await;
    assert_eq!(
        (again.status, again.json()["message"].clone()),
        (StatusCode::ACCEPTED, log["items"][0]["message"].clone())
    );
    call(&rig).await;
    let replayed = rig.post(&format!("{path}/replay"), &json!({ "since_ms": 0 })).await;
    assert_eq!((replayed.status, replayed.json()), (StatusCode::ACCEPTED, json!({ "deliveries": 1 })));

    for (method, below, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(r#"{"enabled":true}"#)),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("POST", "/replay", Some(r#"{"since_ms":0}"#)),
        ("GET", "/deliveries", None),
    ] {
        let ours = rig.send(RIVAL, method, &format!("{path}{below}"), &[], body).await;
        let none = format!("/api/v1/webhooks/{}{below}", uuid::Uuid::now_v7());
        let missing = rig.send(RIVAL, method, &none, &[], body).await;
        assert_eq!((ours.status, ours.problem()), (StatusCode::NOT_FOUND, missing.problem()), "{method} {below}");
    }
    assert_eq!(rig.send(SHOP, "DELETE", &path, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&path).await.problem(), "not_found");
}

async fn a_webhook_that_makes_no_sense_is_refused_with_the_reason(opened: Opened) {
    let rig = Rig::new(opened).await;
    for (body, why) in [
        (json!({ "url": "ftp://shop.example/" }), "url"),
        (json!({ "url": "https://user:pass@shop.example/" }), "url"),
        (json!({ "url": "https://shop.example/", "kinds": ["calls"] }), "kinds"),
        (json!({ "url": "https://shop.example/", "description": "x".repeat(201) }), "description"),
        (json!({ "url": "https://shop.example/", "secret": "mine" }), "secret"),
    ] {
        let refused = rig.post("/api/v1/webhooks", &body).await;
        assert_eq!(refused.problem(), "invalid", "{body}");
        assert!(refused.text.contains(why), "{refused:?}");
    }
}

async fn a_plan_bounds_what_is_counted_by_month_and_day(opened: Opened) {
    let rig = Rig::new(opened).await;
    assert_eq!(rig.get("/api/v1/subscription").await.json()["plan"], Value::Null);
    assert_eq!(rig.get("/api/v1/plans").await.json()["items"].as_array().map(Vec::len), Some(4));
    let put = |body: Value| {
        let rig = &rig;
        async move { rig.send(SHOP, "PUT", "/api/v1/subscription", &[], Some(&body.to_string())).await }
    };
    assert_eq!(put(json!({ "plan": "gold" })).await.problem(), "invalid");
    assert_eq!(put(json!({ "plan": "starter", "calls_month": 101 })).await.problem(), "invalid");
    let starter = put(json!({ "plan": "starter", "calls_month": 1, "grace_percent": 0 })).await.json();
    assert_eq!((&starter["calls_month"], &starter["plan"]), (&json!(1), &json!("starter")));

    let counted = call(&rig).await;
    end(&rig, &counted).await;
    let months = rig.get("/api/v1/usage?months=2").await.json();
    let month = months["items"][0]["month"].as_str().expect("a month").to_owned();
    assert_eq!(months["items"].as_array().map(Vec::len), Some(2));
    let by_day = rig.get(&format!("/api/v1/usage/{month}")).await.json();
    assert_eq!((&by_day["total"]["calls"], &by_day["total"]["minutes"]), (&json!(1), &json!(2)));
    assert_eq!((&by_day["calls_limit"], &by_day["days"][0]["cost_usd_micros"]), (&json!(1), &json!(700)));
    let rival = rig.send(RIVAL, "GET", &format!("/api/v1/usage/{month}"), &[], None).await.json();
    assert_eq!((&rival["total"]["calls"], &rival["calls_limit"]), (&json!(0), &Value::Null));
    for bad in ["2026-13", "2026-1", "x", "2026-11-21"] {
        assert_eq!(rig.get(&format!("/api/v1/usage/{bad}")).await.problem(), "not_found", "{bad}");
    }
}

on_both! {
    a_snapshot_shows_live_calls_with_their_words_and_to_nobody_else,
    a_snapshot_names_the_person_who_has_a_call_and_how_the_customer_sounds,
    who_waits_for_a_person_is_listed_in_order_and_to_nobody_else,
    nodes_are_listed_and_drained_by_whoever_runs_the_installation,
    a_stream_goes_on_after_the_last_event_that_its_reader_had,
    a_webhook_is_made_changed_tested_and_deleted_and_its_secret_is_shown_once,
    a_webhook_that_makes_no_sense_is_refused_with_the_reason,
    a_plan_bounds_what_is_counted_by_month_and_day,
}
