//! Numbers, customers, conversations, the profile and settings.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::StatusCode;
use serde_json::json;

async fn a_number_leads_to_its_agent_and_elsewhere_while_nobody_is_there(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let hours = json!({ "hours": { "week": [{ "days": ["monday"], "from": "09:00", "to": "17:00" }] },
        "closed": { "kind": "message", "text": "We are closed." } });
    let new = json!({ "number": "+49 40 555 0170", "carrier": "loopback", "agent": "front", "hours": hours });
    let made = rig.post("/api/v1/numbers", &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!((&made.json()["number"], &made.json()["agent"]), (&json!("+49405550170"), &json!(agent.id.0)));
    assert_eq!(rig.post("/api/v1/numbers", &new).await.problem(), "conflict");
    let at = made.header("location").to_owned();
    let open = rig.change("PATCH", &at, &json!({ "hours": null, "label": "Front desk" })).await;
    assert_eq!(
        (&open.json()["hours"], &open.json()["label"], &open.json()["version"]),
        (&json!(null), &json!("Front desk"), &json!(2))
    );
    let cases = [
        json!({ "agent": uuid() }),
        json!({ "hours": { "closed": { "kind": "agent", "agent": uuid() } } }),
        json!({ "hours": { "closed": { "kind": "message", "text": "" } } }),
        json!({ "hours": { "hours": { "week": [{ "days": [], "from": "09:00", "to": "17:00" }] }, "closed": { "kind": "message", "text": "x" } } }),
        json!({ "hours": { "closed": { "kind": "agent" } } }),
        json!({ "carrier": "other" }),
    ];
    for change in cases {
        assert_eq!(rig.change("PATCH", &at, &change).await.problem(), "invalid", "{change}");
    }
    let refused = rig.change("PATCH", &at, &json!({ "overflow": { "kind": "forward", "to": "+4940555017" } })).await;
    assert_eq!(refused.problem(), "not_supported");
    let problem = refused.json();
    assert_eq!((&problem["carrier"], &problem["capability"]), (&json!("loopback"), &json!("transfer_cold")));
    let unknown = json!({ "number": "+49405550171", "carrier": "nobody", "agent": "front" });
    assert_eq!(rig.post("/api/v1/numbers", &unknown).await.problem(), "invalid");
    assert_eq!(rig.send(SHOP, "DELETE", "/api/v1/agents/front", &[], None).await.problem(), "conflict");
    assert_eq!(rig.send(RIVAL, "GET", &at, &[], None).await.problem(), "not_found");
    assert_eq!(rig.send(RIVAL, "DELETE", &at, &[], None).await.problem(), "not_found");
    assert_eq!(rig.send(RIVAL, "GET", "/api/v1/numbers", &[], None).await.json()["items"], json!([]));
    assert_eq!(rig.send(SHOP, "DELETE", &at, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&at).await.problem(), "not_found");
}

async fn a_number_sends_callers_elsewhere_when_no_line_is_free(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let hours = json!({ "time_zone": "Europe/Berlin", "closed": { "kind": "forward", "to": "+4940555017" } });
    let overflow = json!({ "kind": "message", "text": "All our lines are taken." });
    let new = json!({ "number": "+49405550170", "carrier": "twilio", "agent": "front", "hours": hours,
        "overflow": overflow });
    let made = rig.post("/api/v1/numbers", &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let at = made.header("location").to_owned();
    let known = rig.get(&at).await.json();
    assert_eq!((&known["overflow"], &known["hours"]["time_zone"]), (&overflow, &json!("Europe/Berlin")));
    assert_eq!(known["hours"]["closed"], hours["closed"]);
    for change in [
        json!({ "overflow": { "kind": "forward", "to": "+49405550170" } }),
        json!({ "overflow": { "kind": "forward", "to": "the office" } }),
        json!({ "overflow": { "kind": "message", "text": "" } }),
        json!({ "hours": { "time_zone": "Mars/Olympus" } }),
        json!({ "hours": { "closed": { "kind": "forward", "to": "+49405550170" } } }),
    ] {
        assert_eq!(rig.change("PATCH", &at, &change).await.problem(), "invalid", "{change}");
    }
    let changed = rig.change("PATCH", &at, &json!({ "overflow": null })).await;
    assert_eq!(changed.json()["overflow"], json!(null));
}

async fn rules_and_prices_of_outgoing_calls_are_kept_and_nonsense_is_refused(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let at = "/api/v1/outgoing";
    let none = rig.get(at).await.json();
    assert_eq!((&none["version"], &none["plan"]), (&json!(0), &json!({ "rules": [], "prices": [] })));
    let plan = json!({ "rules": [{ "prefix": "+49", "carriers": ["sip", "twilio"] }],
        "prices": [{ "carrier": "twilio", "prefix": "+", "minute_usd_micros": 14_000 }] });
    let set = rig.change("PUT", at, &plan).await.json();
    assert_eq!((&set["version"], &set["plan"]), (&json!(1), &plan));
    for wrong in [
        json!({ "rules": [{ "prefix": "49", "carriers": ["sip"] }] }),
        json!({ "rules": [{ "prefix": "+49", "carriers": [] }] }),
        json!({ "rules": [{ "prefix": "+49", "carriers": ["nobody"] }] }),
        json!({ "prices": [{ "carrier": "sip", "prefix": "+", "minute_usd_micros": -1 }] }),
        json!({ "prices": "cheap" }),
    ] {
        assert_eq!(rig.change("PUT", at, &wrong).await.problem(), "invalid", "{wrong}");
    }
    let ways = rig.get("/api/v1/outgoing/ways?to=%2B4940555017").await.json();
    assert_eq!(ways["items"], json!([]), "no platform is set up in this rig");
    assert_eq!(rig.get("/api/v1/outgoing/ways?to=home").await.problem(), "invalid");
    assert_eq!(rig.get("/api/v1/outgoing/ways").await.problem(), "invalid");
    let call = json!({ "to": "+4940555017", "agent": "front" });
    assert_eq!(rig.post("/api/v1/calls", &call).await.problem(), "invalid", "nobody can place it");
    let page = json!({ "to": "+4940555017", "agent": "front", "carrier": "browser" });
    let refused = rig.post("/api/v1/calls", &page).await;
    assert_eq!(refused.problem(), "not_supported");
    assert_eq!((&refused.json()["carrier"], &refused.json()["capability"]), (&json!("browser"), &json!("place")));
}

async fn platforms_say_what_they_can_do_and_where_they_send_webhooks(opened: Opened) {
    let rig = Rig::new(opened).await;
    rig.agent().await;
    let known = rig.get("/api/v1/carriers").await.json();
    let known = known["items"].as_array().expect("a list").clone();
    for (at, one) in known.iter().enumerate().filter(|(_, one)| one["has_numbers"] == json!(true)) {
        let number = json!({ "number": format!("+4940555{at:04}"), "carrier": one["name"], "agent": "front" });
        assert_eq!(rig.post("/api/v1/numbers", &number).await.status, StatusCode::CREATED, "{one}");
        assert_eq!(one["voice_url"].is_null(), one["status_url"].is_null(), "{one}");
        if let Some(url) = one["voice_url"].as_str() {
            assert!(url.ends_with(&format!("/carriers/{}/voice", one["name"].as_str().unwrap_or_default())), "{url}");
        }
    }
    let simulated = known.iter().find(|one| one["name"] == "loopback").expect("always there");
    assert_eq!((&simulated["ready"], &simulated["voice_url"]), (&json!(true), &json!(null)));
    assert!(known.iter().any(|one| one["ready"] == json!(false)), "nothing is configured in this rig");
    let page = known.iter().find(|one| one["name"] == "browser").expect("always there");
    assert_eq!((&page["has_numbers"], &page["ready"]), (&json!(false), &json!(true)));
    assert_eq!(page["capabilities"].as_array().map(|all| all.contains(&json!("transfer_cold"))), Some(false));
}

fn uuid() -> String {
    base::AgentId::generate().to_string()
}

async fn a_customer_is_kept_once_and_found_by_number(opened: Opened) {
    let rig = Rig::new(opened).await;
    let ada = json!({ "phone": "+4915735550123", "email": "Ada@Example.com", "name": "Ada", "tags": ["vip"],
        "attributes": { "bike": "red" } });
    let made = rig.post("/api/v1/customers", &ada).await;
    assert_eq!((made.status, &made.json()["email"]), (StatusCode::CREATED, &json!("ada@example.com")), "{made:?}");
    let again = rig.post("/api/v1/customers", &json!({ "phone": "+4915735550123", "name": "Ada L." })).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &made.json()["id"]));
    assert_eq!((&again.json()["name"], &again.json()["email"]), (&json!("Ada L."), &json!(null)));
    let found = rig.get("/api/v1/customers?phone=%2B4915735550123").await.json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rig.get("/api/v1/customers?phone=+4915735550123").await.json()["items"][0]["name"], "Ada L.");
    assert_eq!(rig.get("/api/v1/customers?q=ada").await.json()["items"].as_array().map(Vec::len), Some(1));
    let at = made.header("location").to_owned();
    let changed = rig.change("PATCH", &at, &json!({ "notes": "Likes red.", "tags": ["new"] })).await;
    assert_eq!((&changed.json()["notes"], &changed.json()["version"]), (&json!("Likes red."), &json!(3)));
    for wrong in [json!({ "phone": null }), json!({ "email": "nobody" }), json!({ "tags": [""] }), json!({ "x": 1 })] {
        assert_eq!(rig.change("PATCH", &at, &wrong).await.problem(), "invalid", "{wrong}");
    }
    assert_eq!(rig.get(&format!("{at}/history")).await.json()["items"], json!([]));
    for (method, path) in [("GET", at.clone()), ("DELETE", at.clone()), ("GET", format!("{at}/history"))] {
        assert_eq!(rig.send(RIVAL, method, &path, &[], None).await.problem(), "not_found", "{path}");
    }
    assert_eq!(rig.send(SHOP, "DELETE", &at, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&at).await.problem(), "not_found");
}

async fn a_conversation_is_found_by_what_was_said_and_read_as_a_script(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let number = model::business::Number {
        id: base::NumberId::generate(),
        business: rig.shop.business,
        number: "+49405550170".parse().expect("a number"),
        carrier: "loopback".into(),
        agent: agent.id,
    };
    rig.store.put_number(&rig.shop, &number).await.expect("a number");
    let tenant = store::laws::Tenant { scope: rig.shop, agent, number };
    let call = store::laws::call_of(&tenant, runtime::wall_ms());
    rig.store.create_call(&rig.shop, &call).await.expect("a call");
    let said = store::laws::caller_turn(1, "My bell is broken");
    let writer = store::WriterId::generate();
    rig.store.append(&rig.shop, call.id, writer, base::JournalSeq(0), &[said]).await.expect("an entry");
    let found = rig.get("/api/v1/conversations?q=BELL").await.json();
    assert_eq!(found["items"][0]["id"], json!(call.conversation.0));
    assert_eq!(rig.get("/api/v1/conversations?q=brake").await.json()["items"], json!([]));
    let at = format!("/api/v1/conversations/{}", call.conversation);
    assert_eq!(rig.get(&at).await.json()["customer"], "+4915550100");
    let messages = rig.get(&format!("{at}/messages")).await.json();
    assert_eq!(
        (&messages["items"][0]["role"], &messages["items"][0]["text"]),
        (&json!("customer"), &json!("My bell is broken"))
    );
    let call_at = format!("/api/v1/calls/{}", call.id);
    assert_eq!(rig.get(&format!("{call_at}/transcript")).await.json()["messages"][0]["text"], "My bell is broken");
    let text = rig.get(&format!("{call_at}/transcript?format=text")).await;
    assert_eq!(text.text, "00:01 customer: My bell is broken\n");
    assert_eq!(rig.get(&format!("{call_at}/log")).await.json()["items"], json!([]));
    assert_eq!(
        rig.get("/api/v1/calls?customer=%2B4915550100&direction=inbound").await.json()["items"][0]["id"],
        json!(call.id.0)
    );
    assert_eq!(rig.get("/api/v1/calls?direction=outbound").await.json()["items"], json!([]));
    for path in [at.clone(), format!("{at}/messages"), format!("{call_at}/transcript"), format!("{call_at}/log")] {
        assert_eq!(rig.send(RIVAL, "GET", &path, &[], None).await.problem(), "not_found", "{path}");
    }
    assert_eq!(rig.send(RIVAL, "GET", "/api/v1/conversations?q=bell", &[], None).await.json()["items"], json!([]));
    let told = rig.post(&format!("{call_at}/transfer"), &json!({ "to": "+4940555017" })).await;
    assert_eq!(told.problem(), "not_found", "it is not live");
}

async fn the_profile_and_settings_belong_to_one_business(opened: Opened) {
    let rig = Rig::new(opened).await;
    let change = json!({ "name": "Brightleaf", "time_zone": "Europe/Berlin", "website": "https://example.com",
        "hours": { "week": [{ "days": ["monday", "friday"], "from": "09:00", "to": "17:30" }] } });
    let changed = rig.change("PATCH", "/api/v1/business", &change).await;
    assert_eq!((&changed.json()["name"], &changed.json()["version"]), (&json!("Brightleaf"), &json!(2)), "{changed:?}");
    for wrong in
        [json!({ "time_zone": "Mars" }), json!({ "name": null }), json!({ "slug": "x" }), json!({ "phone": "1" })]
    {
        assert_eq!(rig.change("PATCH", "/api/v1/business", &wrong).await.problem(), "invalid", "{wrong}");
    }
    let theirs = rig.send(RIVAL, "GET", "/api/v1/business", &[], None).await.json();
    assert_eq!((&theirs["name"], &theirs["version"]), (&json!("The rival"), &json!(1)));
    let put = async |value: &str, headers: &[(&str, &str)]| {
        rig.send(SHOP, "PUT", "/api/v1/configuration/desk.color", headers, Some(value)).await
    };
    assert_eq!(put(r#"{"value":{"a":[1,null]}}"#, &[]).await.json()["version"], 1);
    assert_eq!(put(r#"{"value":2}"#, &[("if-match", "\"1\"")]).await.json()["version"], 2);
    assert_eq!(put(r#"{"value":3}"#, &[("if-match", "\"1\"")]).await.problem(), "stale");
    assert_eq!(rig.get("/api/v1/configuration/desk.color").await.json()["value"], 2);
    assert_eq!(rig.send(RIVAL, "GET", "/api/v1/configuration/desk.color", &[], None).await.problem(), "not_found");
    let bad = rig.send(SHOP, "PUT", "/api/v1/configuration/two%20words", &[], Some(r#"{"value":1}"#)).await;
    assert_eq!(bad.problem(), "invalid");
    let gone = rig.send(SHOP, "DELETE", "/api/v1/configuration/desk.color", &[], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}

on_both! {
    a_number_leads_to_its_agent_and_elsewhere_while_nobody_is_there,
    a_number_sends_callers_elsewhere_when_no_line_is_free,
    rules_and_prices_of_outgoing_calls_are_kept_and_nonsense_is_refused,
    platforms_say_what_they_can_do_and_where_they_send_webhooks,
    a_customer_is_kept_once_and_found_by_number,
    a_conversation_is_found_by_what_was_said_and_read_as_a_script,
    the_profile_and_settings_belong_to_one_business,
}
