//! Links to calls, notes on calls, calls found by what was said, and what the calls of one agent come to.

use crate::rig::{Opened, RIVAL, Reply, Rig, SHOP, on_both};
use axum::http::StatusCode;
use base::{AgentId, CallId, ConversationId, JournalSeq, Money};
use model::agent::Agent;
use model::call::{Call, CallState, Direction};
use serde_json::{Value, json};
use store::{CallUpdate, WriterId};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// A call in which a customer said this.
async fn call(rig: &Rig, agent: AgentId, said: &str, started_at_ms: i64) -> CallId {
    let call = Call {
        id: CallId::generate(),
        business: rig.shop.business,
        agent,
        conversation: ConversationId::generate(),
        direction: Direction::Inbound,
        carrier: "loopback".into(),
        carrier_ref: None,
        customer: Some("+4915735550123".into()),
        number: Some("+49405550170".into()),
        state: CallState::Active,
        started_at_ms,
        answered_at_ms: Some(started_at_ms + 1_000),
        ended_at_ms: None,
        ended_reason: None,
        recording: None,
        cost: Money::ZERO,
        agent_version: None,
    };
    rig.store.create_call(&rig.shop, &call).await.expect("a call");
    let record = store::laws::caller_turn(1, said);
    rig.store.append(&rig.shop, call.id, WriterId::generate(), JournalSeq(0), &[record]).await.expect("words");
    call.id
}

/// The token of a link, from its address.
fn token(made: &Reply) -> String {
    let url = made.json()["url"].as_str().expect("an address").to_owned();
    let (page, token) = url.split_once('#').expect("a token behind the page");
    assert_eq!(page, "http://localhost:8080/shared");
    token.to_owned()
}

async fn a_link_shows_a_call_with_its_numbers_masked_until_it_is_void(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let now_ms = runtime::wall_ms();
    let id = call(&rig, agent.id, "My number is 0157 3555 0123, call at 9:30.", now_ms - HOUR_MS).await;
    let path = format!("/api/v1/calls/{id}/shares");
    for wrong in [now_ms - 1, now_ms + 91 * 24 * HOUR_MS] {
        assert_eq!(rig.post(&path, &json!({"expires_at_ms": wrong})).await.problem(), "invalid");
    }
    let made = rig.post(&path, &json!({"expires_at_ms": now_ms + HOUR_MS})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.header("cache-control"), "no-store");
    let token = token(&made);
    let shown = rig.open_to_anybody(&format!("/api/v1/shared/{token}"), &[]).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    assert_eq!((shown.header("cache-control"), shown.header("referrer-policy")), ("no-store", "no-referrer"));
    let call = shown.json();
    assert_eq!((&call["business"], &call["agent"]), (&json!("The shop"), &json!("Front")));
    assert_eq!((&call["customer"], &call["number"]), (&json!("+49…23"), &json!("+49…70")));
    assert_eq!(call["messages"][0]["text"], "My number is •••• •••• ••••, call at 9:30.");
    assert_eq!(call["recording"], false);
    assert!(!call["messages"].to_string().contains("3555"), "{}", shown.text);
    assert!(!shown.text.contains(&id.to_string()), "whoever has a link learns no ids");

    let listed = rig.get(&path).await;
    assert!(!listed.text.contains("url") && !listed.text.contains(&token), "{}", listed.text);
    let share = listed.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.json()["id"], share.as_str());
    for stranger in [
        rig.send(RIVAL, "GET", &path, &[], None).await,
        rig.send(RIVAL, "DELETE", &format!("{path}/{share}"), &[], None).await,
        rig.open_to_anybody("/api/v1/shared/fdl_00000000_nothing", &[]).await,
        rig.open_to_anybody(&format!("/api/v1/shared/{token}/recording"), &[]).await,
    ] {
        assert_eq!(stranger.problem(), "not_found");
    }
    assert_eq!(rig.send(SHOP, "DELETE", &format!("{path}/{share}"), &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.open_to_anybody(&format!("/api/v1/shared/{token}"), &[]).await.problem(), "not_found");
    assert_eq!(rig.get(&path).await.json()["items"], json!([]));
}

async fn a_link_plays_the_recording_only_where_it_says_so(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let now_ms = runtime::wall_ms();
    let id = call(&rig, agent.id, "Hello", now_ms - HOUR_MS).await;
    let name = format!("{}/{id}.wav", rig.shop.business);
    let file = rig.recordings().join(&name);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(&file, b"RIFF....WAVE").expect("a recording");
    rig.store.add_recording(&rig.shop, id, &name, now_ms).await.expect("noted");
    let update = CallUpdate { recording: Some(name), ..CallUpdate::default() };
    rig.store.update_call(&rig.shop, id, &update).await.expect("noted");
    let path = format!("/api/v1/calls/{id}/shares");
    let silent = token(&rig.post(&path, &json!({"expires_at_ms": now_ms + HOUR_MS})).await);
    assert_eq!(rig.open_to_anybody(&format!("/api/v1/shared/{silent}/recording"), &[]).await.problem(), "not_found");
    let loud = token(&rig.post(&path, &json!({"expires_at_ms": now_ms + HOUR_MS, "recording": true})).await);
    assert_eq!(rig.open_to_anybody(&format!("/api/v1/shared/{loud}"), &[]).await.json()["recording"], true);
    let played = rig.open_to_anybody(&format!("/api/v1/shared/{loud}/recording"), &[]).await;
    assert_eq!((played.status, played.text.as_str()), (StatusCode::OK, "RIFF....WAVE"));
    assert_eq!((played.header("content-type"), played.header("cache-control")), ("audio/wav", "no-store"));
    let part = rig.open_to_anybody(&format!("/api/v1/shared/{loud}/recording"), &[("range", "bytes=8-")]).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "WAVE"));
}

async fn a_note_on_a_call_is_kept_by_whoever_read_the_last_one(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let id = call(&rig, agent.id, "Hello", runtime::wall_ms()).await;
    let path = format!("/api/v1/calls/{id}/note");
    let none = rig.get(&path).await;
    assert_eq!((none.header("etag"), &none.json()["text"]), ("\"0\"", &json!("")));
    let text = json!({"text": "Wants a lamp."}).to_string();
    let bare = rig.send(SHOP, "PUT", &path, &[], Some(&text)).await;
    assert_eq!(bare.problem(), "precondition_required");
    let put = rig.send(SHOP, "PUT", &path, &[("if-match", "\"0\"")], Some(&text)).await;
    assert_eq!((put.status, put.header("etag")), (StatusCode::OK, "\"1\""), "{put:?}");
    assert_eq!(rig.send(SHOP, "PUT", &path, &[("if-match", "\"0\"")], Some(&text)).await.problem(), "stale");
    let now = rig.get(&path).await.json();
    assert_eq!((&now["text"], &now["version"]), (&json!("Wants a lamp."), &json!(1)));
    assert_eq!(now["updated_by"], "installation");
    assert!(now["updated_at_ms"].is_i64());
    assert_eq!(rig.change("PUT", &path, &json!({"text": "x".repeat(4_001)})).await.problem(), "invalid");
    assert_eq!(rig.send(RIVAL, "GET", &path, &[], None).await.problem(), "not_found");
    assert_eq!(rig.send(RIVAL, "PUT", &path, &[("if-match", "*")], Some(&text)).await.problem(), "not_found");
    let lines = rig.get("/api/v1/audit?action=put_call_note").await.json();
    assert_eq!(lines["items"].as_array().map(Vec::len), Some(1), "one change, one line: {lines}");
    assert_eq!(lines["items"][0]["subject"], format!("calls/{id}/note"));
    rig.store.forget_call(&rig.shop, id, runtime::wall_ms()).await.expect("forgotten");
    assert_eq!(rig.get(&path).await.json()["text"], "", "a note goes with what was said");
}

async fn calls_are_found_by_what_was_said(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let now_ms = runtime::wall_ms();
    let lamp = call(&rig, agent.id, "My lamp is 100% broken", now_ms - HOUR_MS).await;
    call(&rig, agent.id, "A chair, please", now_ms - 2 * HOUR_MS).await;
    let old = call(&rig, agent.id, "The lamp of last year", now_ms - 40 * 24 * HOUR_MS).await;
    let found = async |query: &str| {
        let list = rig.get(&format!("/api/v1/calls?{query}")).await.json();
        let ids = list["items"].as_array().unwrap_or_else(|| panic!("{list}")).iter();
        ids.map(|one| one["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("q=LAMP").await, [lamp.to_string()], "the last 30 days unless told otherwise");
    assert_eq!(found("q=lamp&from_ms=0&sort=started_at").await, [old.to_string(), lamp.to_string()]);
    assert_eq!(found("q=100%25&direction=inbound").await, [lamp.to_string()]);
    assert!(found("q=lamp&direction=outbound").await.is_empty());
    assert!(found("q=1__%25").await.is_empty(), "signs with a meaning are themselves");
    assert_eq!(rig.get("/api/v1/calls?q=x").await.problem(), "invalid");
    let page = rig.get("/api/v1/calls?q=lamp&from_ms=0&limit=1").await.json();
    let cursor = page["next_cursor"].as_str().expect("a second page");
    assert_eq!(found(&format!("q=lamp&from_ms=0&limit=1&cursor={cursor}")).await, [old.to_string()]);
    let theirs = rig.send(RIVAL, "GET", "/api/v1/calls?q=lamp", &[], None).await.json();
    assert_eq!(theirs["items"], json!([]));
}

async fn what_the_calls_of_one_agent_come_to_is_counted_apart(opened: Opened) {
    let rig = Rig::new(opened).await;
    let front = rig.agent().await;
    let back = Agent { id: AgentId::generate(), slug: "back".into(), ..front.clone() };
    rig.store.put_agent(&rig.shop, &back, Some(0)).await.expect("an agent");
    let now_ms = runtime::wall_ms();
    for agent in [front.id, front.id, back.id] {
        let id = call(&rig, agent, "Hello", now_ms - 60_000).await;
        let update = CallUpdate {
            state: Some(CallState::Completed),
            ended_at_ms: Some(now_ms - 1_000),
            ended_reason: Some("caller".into()),
            charge: Some(store::Charge::new(Money::from_usd_micros(5), Vec::new())),
            ..CallUpdate::default()
        };
        rig.store.update_call(&rig.shop, id, &update).await.expect("an end");
    }
    let totals = async |who: &str, more: &str| {
        let from_ms = now_ms - HOUR_MS;
        let reply = rig.send(who, "GET", &format!("/api/v1/analytics?from_ms={from_ms}{more}"), &[], None).await;
        let total = reply.json()["total"].clone();
        (total["calls"].clone(), total["cost_usd_micros"].clone())
    };
    let counted = |calls: u64, cost: u64| (json!(calls), json!(cost));
    assert_eq!(totals(SHOP, "").await, counted(3, 15));
    assert_eq!(totals(SHOP, &format!("&agent={}", front.id)).await, counted(2, 10));
    assert_eq!(totals(SHOP, &format!("&agent={}", back.id)).await, counted(1, 5));
    assert_eq!(totals(RIVAL, &format!("&agent={}", back.id)).await, counted(0, 0));
    assert_eq!(rig.get("/api/v1/analytics?from_ms=0&to_ms=1&agent=front").await.problem(), "invalid");
}

on_both!(
    a_link_shows_a_call_with_its_numbers_masked_until_it_is_void,
    a_link_plays_the_recording_only_where_it_says_so,
    a_note_on_a_call_is_kept_by_whoever_read_the_last_one,
    calls_are_found_by_what_was_said,
    what_the_calls_of_one_agent_come_to_is_counted_apart,
);

#[test]
fn the_document_says_where_a_change_may_name_its_base() {
    let document: Value = serde_json::from_str(&api::document()).expect("JSON");
    let says = |path: &str, method: &str, name: &str| {
        let wanted = json!({ "$ref": format!("#/components/parameters/{name}") });
        let parameters = document["paths"][path][method]["parameters"].as_array().cloned().unwrap_or_default();
        assert!(parameters.contains(&wanted), "{method} {path}: {parameters:?}");
        assert!(document["paths"][path][method]["responses"].get("412").is_some(), "{method} {path}");
    };
    says("/api/v1/calls/{id}/note", "put", "IfMatch");
    for (path, method) in [
        ("/api/v1/agents/{agent}/publish", "post"),
        ("/api/v1/agents/{agent}/rollback", "post"),
        ("/api/v1/agents/{agent}/status", "put"),
        ("/api/v1/agents/{agent}/tools/{tool}", "put"),
        ("/api/v1/agents/{agent}", "delete"),
        ("/api/v1/numbers/{id}", "delete"),
        ("/api/v1/flags/{name}", "put"),
        ("/api/v1/configuration/{name}", "put"),
        ("/api/v1/mcp-servers/{name}", "put"),
    ] {
        says(path, method, "IfMatchIfAny");
    }
}
