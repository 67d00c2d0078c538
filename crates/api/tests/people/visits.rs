//! Visitors of websites: who is let in, and to what.

use crate::rig::{Owner, Reply, Rig, on_both};
use axum::http::StatusCode;
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";

/// A widget on two websites.
async fn widget(rig: &Rig, more: Value) -> (Owner, Value) {
    let (owner, _) = crate::samples::business(rig).await;
    let mut settings = json!({"name": "site", "agent": "front", "origins": [SHOP, "https://*.fair.example"]});
    json_patch::merge(&mut settings, &more);
    let made = rig.ask(&owner.token, "POST", "/api/v1/widgets", Some(settings)).await.good().json();
    (owner, made)
}

fn place(widget: &Value, rest: &str) -> String {
    format!("/api/v1/widget/{}{rest}", widget["key"].as_str().expect("a key"))
}

async fn from(rig: &Rig, origin: &str, method: &str, path: &str, more: &[(&str, &str)]) -> Reply {
    let headers: Vec<_> = more.iter().copied().chain([("origin", origin)]).collect();
    rig.send(method, path, &headers, None).await
}

async fn a_visitor_of_a_listed_website_gets_in_and_any_other_does_not(rig: Rig) {
    let (owner, widget) = widget(&rig, json!({})).await;
    let shown = from(&rig, SHOP, "GET", &place(&widget, ""), &[]).await.good();
    assert_eq!(shown.header("access-control-allow-origin"), SHOP);
    assert_eq!(shown.json()["available"], true);
    assert!(!shown.json()["greeting"].as_str().expect("words").is_empty(), "the agent's own");
    assert!(shown.json().get("key").is_none() && shown.json().get("origins").is_none());
    let begun = from(&rig, "https://www.fair.example", "POST", &place(&widget, "/visits"), &[]).await;
    assert_eq!((begun.status, begun.header("cache-control")), (StatusCode::CREATED, "no-store"));
    for foreign in ["https://evil.example", "http://shop.example", "https://fair.example", "null"] {
        for (method, rest) in [("GET", ""), ("POST", "/visits"), ("GET", "/messages")] {
            let refused = from(&rig, foreign, method, &place(&widget, rest), &[]).await;
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (StatusCode::FORBIDDEN, "foreign_origin"),
                "{foreign}"
            );
            assert_eq!(refused.header("access-control-allow-origin"), "", "{foreign}");
        }
    }
    let nowhere = rig.send("POST", &place(&widget, "/visits"), &[], None).await;
    assert_eq!(nowhere.code(), "foreign_origin", "browsers always say where they are");
    assert_eq!(from(&rig, SHOP, "GET", "/api/v1/widget/fdw_nothing", &[]).await.code(), "not_found");
    let at = format!("/api/v1/widgets/{}", widget["id"].as_str().expect("an id"));
    let off = [("authorization", format!("Bearer {}", owner.token)), ("if-match", "\"1\"".to_owned())];
    let off: Vec<_> = off.iter().map(|(name, value)| (*name, value.as_str())).collect();
    rig.send("PATCH", &at, &off, Some(&json!({"enabled": false}))).await.good();
    assert_eq!(from(&rig, SHOP, "GET", &place(&widget, ""), &[]).await.code(), "not_found");
}

async fn the_widgets_code_is_everybodys_and_no_other_page_is(rig: Rig) {
    for path in ["/widget.js", "/widget/audio.js"] {
        let served = from(&rig, "https://anywhere.example", "GET", path, &[]).await;
        assert_ne!(served.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = from(&rig, "https://anywhere.example", "GET", "/", &[]).await;
    assert_eq!(refused.code(), "foreign_origin");
}

async fn a_browser_that_asks_first_is_told_for_listed_websites_alone(rig: Rig) {
    let (_, widget) = widget(&rig, json!({})).await;
    let asks = [("access-control-request-method", "GET"), ("access-control-request-headers", "authorization")];
    let told = from(&rig, SHOP, "OPTIONS", &place(&widget, "/messages"), &asks).await;
    assert_eq!(told.status, StatusCode::NO_CONTENT);
    assert_eq!(told.header("access-control-allow-origin"), SHOP);
    assert!(told.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(told.header("access-control-allow-credentials"), "", "cookies are never a website's to send");
    let refused = from(&rig, "https://evil.example", "OPTIONS", &place(&widget, "/messages"), &asks).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (StatusCode::FORBIDDEN, ""));
}

async fn a_visitors_token_opens_one_conversation_from_one_page_and_nothing_of_the_api(rig: Rig) {
    let (_, widget) = widget(&rig, json!({})).await;
    let visit = from(&rig, SHOP, "POST", &place(&widget, "/visits"), &[]).await.good().json();
    let bearer = format!("Bearer {}", visit["token"].as_str().expect("a token"));
    let credential = [("authorization", bearer.as_str())];
    let said = from(&rig, SHOP, "GET", &place(&widget, "/messages"), &credential).await.good().json();
    assert_eq!(said["items"], json!([]), "nothing was said yet");
    let elsewhere = from(&rig, "https://www.fair.example", "GET", &place(&widget, "/messages"), &credential).await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (StatusCode::UNAUTHORIZED, "visit_void"));
    assert_eq!(from(&rig, SHOP, "GET", &place(&widget, "/messages"), &[]).await.code(), "visit_void");
    for path in ["/api/v1/calls", "/api/v1/agents", "/api/v1/widgets"] {
        let refused = rig.send("GET", path, &credential, None).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"), "{path}");
    }
    let foreign = from(&rig, SHOP, "GET", "/api/v1/calls", &credential).await;
    assert_eq!(foreign.code(), "foreign_origin", "the list is the widget's, not the API's");
}

async fn a_widget_begins_as_many_conversations_in_a_minute_as_it_may(rig: Rig) {
    let (_, widget) = widget(&rig, json!({"visits_per_minute": 2})).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(from(&rig, SHOP, "POST", &place(&widget, "/visits"), &[]).await);
    }
    let codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(codes, [201, 201, 429]);
    assert!(!answers[2].header("retry-after").is_empty());
    assert_eq!(answers[2].header("access-control-allow-origin"), SHOP, "the page may read how long to wait");
}

async fn settings_that_make_no_sense_are_refused_with_their_place(rig: Rig) {
    let (owner, tenant) = crate::samples::business(&rig).await;
    let good = json!({"name": "site", "agent": "front"});
    for (bad, place) in [
        (json!({"origins": ["shop.example"]}), "origins.0"),
        (json!({"origins": ["https://shop.example/path"]}), "origins.0"),
        (json!({"agent": "nobody"}), "agent"),
        (json!({"languages": ["xx"]}), "languages"),
        (json!({"theme": {"colour": "red"}}), "theme.colour"),
        (json!({"theme": {"logo_url": "javascript:alert(1)"}}), "theme.logo_url"),
        (json!({"voice": false, "chat": false}), "voice, chat"),
        (json!({"visits_per_minute": 0}), "visits_per_minute"),
        (json!({"cookie": true}), "cookie"),
    ] {
        let mut settings = good.clone();
        json_patch::merge(&mut settings, &bad);
        let refused = rig.ask(&owner.token, "POST", "/api/v1/widgets", Some(settings)).await;
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && detail.contains(place), "{place}: {refused:?}");
    }
    let made = rig.ask(&owner.token, "POST", "/api/v1/widgets", Some(good)).await.good().json();
    assert_eq!(made["agent"], tenant.agent.id.to_string());
    assert!(made["tag"].as_str().is_some_and(|tag| tag.contains("/widget.js") && tag.contains("fdw_")));
}

on_both!(
    a_visitor_of_a_listed_website_gets_in_and_any_other_does_not,
    a_browser_that_asks_first_is_told_for_listed_websites_alone,
    the_widgets_code_is_everybodys_and_no_other_page_is,
    a_visitors_token_opens_one_conversation_from_one_page_and_nothing_of_the_api,
    a_widget_begins_as_many_conversations_in_a_minute_as_it_may,
    settings_that_make_no_sense_are_refused_with_their_place,
);
