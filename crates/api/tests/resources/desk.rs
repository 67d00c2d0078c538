//! Tickets, and what calls come to.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::StatusCode;
use base::{CallId, CallTime, ConversationId, JournalSeq, Money, TurnId, UtteranceId};
use model::agent::Agent;
use model::call::{Call, CallState, Direction};
use model::journal::{Entry, Record, TurnLatency};
use serde_json::json;
use store::{CallUpdate, WriterId};

async fn a_ticket_is_raised_looked_after_and_resolved(opened: Opened) {
    let rig = Rig::new(opened).await;
    let wish = json!({"subject": "Call Ada back", "text": "about the lamp", "customer": "+4915735550123"});
    let made = rig.post("/api/v1/tickets", &wish).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let ticket = made.json();
    assert_eq!(
        (&ticket["number"], &ticket["status"], &ticket["priority"]),
        (&json!(1), &json!("open"), &json!("normal"))
    );
    let path = made.header("location").to_owned();
    let changed = rig.change("PATCH", &path, &json!({"status": "resolved", "priority": "high"})).await.json();
    assert_eq!((&changed["status"], &changed["version"]), (&json!("resolved"), &json!(2)));
    assert_eq!(changed["subject"], json!("Call Ada back"), "what is left out stays");
    let stale = rig.send(SHOP, "PATCH", &path, &[("if-match", "\"1\"")], Some(r#"{"status":"open"}"#)).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{stale:?}");
    let stranger = json!({"assignee": uuid::Uuid::now_v7()});
    assert_eq!(rig.change("PATCH", &path, &stranger).await.problem(), "invalid");
    assert_eq!(rig.post("/api/v1/tickets", &json!({"subject": ""})).await.problem(), "invalid");
    assert_eq!(rig.get("/api/v1/tickets?status=open").await.json()["items"], json!([]));
    let found = rig.get("/api/v1/tickets?status=resolved&customer=%2B4915735550123").await.json();
    assert_eq!(found["items"][0]["id"], ticket["id"]);
    assert_eq!(rig.send(RIVAL, "GET", &path, &[], None).await.problem(), "not_found");
    let kinds = rig.store.events_after(&rig.shop, 0, 10).await.expect("events");
    assert_eq!(kinds.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["ticket.created", "ticket.changed"]);
}

async fn call(rig: &Rig, agent: &Agent, answered: bool, reason: &str) -> Call {
    let now_ms = runtime::wall_ms();
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
        started_at_ms: now_ms - 60_000,
        answered_at_ms: answered.then_some(now_ms - 50_000),
        ended_at_ms: None,
        ended_reason: None,
        recording: None,
        cost: Money::ZERO,
        agent_version: None,
    };
    rig.store.create_call(&rig.shop, &call).await.expect("a call");
    let update = CallUpdate {
        state: Some(if answered { CallState::Completed } else { CallState::NoAnswer }),
        ended_at_ms: (!reason.is_empty()).then_some(now_ms),
        ended_reason: (!reason.is_empty()).then(|| reason.to_owned()),
        charge: Some(store::Charge::new(Money::from_usd_micros(500), Vec::new())),
        ..CallUpdate::default()
    };
    if !reason.is_empty() {
        rig.store.update_call(&rig.shop, call.id, &update).await.expect("an end");
    }
    call
}

async fn the_overview_shows_what_calls_come_to_and_to_nobody_else(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let talked = call(&rig, &agent, true, "caller").await;
    call(&rig, &agent, true, "transferred").await;
    call(&rig, &agent, false, "no_answer").await;
    call(&rig, &agent, true, "").await;
    let words = (1..=4).map(|seq| Record {
        seq: JournalSeq(seq),
        at: CallTime(seq),
        entry: Entry::AgentTurn {
            turn: TurnId(seq),
            utterance: UtteranceId(seq),
            heard: "hello".into(),
            complete: true,
            citations: Vec::new(),
            latency: Some(TurnLatency { heard_ms: Some(if seq == 4 { 2_500 } else { 620 }), ..TurnLatency::default() }),
        },
    });
    let words: Vec<Record> = words.collect();
    rig.store.append(&rig.shop, talked.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
    let overview = rig.get("/api/v1/overview?days=2").await.json();
    // A test that runs over midnight counts on both sides of it.
    let period = &overview["period"];
    let count = |name: &str| period[name].as_u64().expect("a count");
    assert_eq!((count("calls"), count("answered"), count("missed")), (3, 2, 1), "{overview}");
    assert_eq!((count("contained"), count("transferred"), count("talk_ms")), (1, 1, 100_000));
    assert_eq!((&period["cost_usd_micros"], &period["waits"]), (&json!(1_500), &json!(4)));
    assert!(
        (600..=650).contains(&count("wait_p50_ms")) && (2_300..=2_600).contains(&count("wait_p95_ms")),
        "{overview}"
    );
    assert_eq!((&overview["calls_now"], &overview["before"]["calls"]), (&json!(1), &json!(0)));
    assert_eq!(overview["days"].as_array().map(Vec::len), Some(2));
    assert_eq!(rig.get("/api/v1/overview?days=32").await.problem(), "invalid");
    let from_ms = runtime::wall_ms() - 3_600_000;
    let analytics = rig.get(&format!("/api/v1/analytics?from_ms={from_ms}&step=hour")).await.json();
    assert_eq!((&analytics["total"]["answered"], &analytics["total"]["waits"]), (&json!(2), &json!(4)));
    assert!(analytics["steps"].as_array().is_some_and(|steps| (1..=2).contains(&steps.len())), "{analytics}");
    assert_eq!(rig.get("/api/v1/analytics?from_ms=1").await.problem(), "invalid");
    let rival = rig.send(RIVAL, "GET", "/api/v1/overview", &[], None).await.json();
    assert_eq!((&rival["calls_now"], &rival["period"]["calls"]), (&json!(0), &json!(0)));
}

on_both! {
    a_ticket_is_raised_looked_after_and_resolved,
    the_overview_shows_what_calls_come_to_and_to_nobody_else,
}
