//! Privacy, branding, splits and voices, as clients set them.

use crate::rig::{Opened, RIVAL, Rig, SHOP, on_both};
use axum::http::StatusCode;
use model::agent::Agent;
use model::call::{Call, CallState, Direction};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000IHDR";

async fn how_long_what_is_kept_is_set_whole_and_checked(opened: Opened) {
    let rig = Rig::new(opened).await;
    let none = json!({"recordings_days": null, "transcripts_days": null, "numbers_days": null, "redact": [],
        "installation_days": null, "version": 0});
    assert_eq!(rig.get("/api/v1/privacy").await.json(), none);
    let wish = json!({"recordings_days": 30, "numbers_days": 365, "redact": ["emails", "digits", "digits"]});
    let put = rig.change("PUT", "/api/v1/privacy", &wish).await;
    let now = json!({"recordings_days": 30, "transcripts_days": null, "numbers_days": 365,
        "redact": ["digits", "emails"], "installation_days": null, "version": 1});
    assert_eq!((put.status, put.json(), put.header("etag")), (StatusCode::OK, now.clone(), "\"1\""));
    assert_eq!(rig.get("/api/v1/privacy").await.json(), now);
    let stale = rig.send(SHOP, "PUT", "/api/v1/privacy", &[("if-match", "\"0\"")], Some("{}")).await;
    assert_eq!(stale.problem(), "stale");
    for wrong in [
        json!({"recordings_days": 0}),
        json!({"numbers_days": 3_651}),
        json!({"transcripts_days": -1}),
        json!({"redact": ["names"]}),
        json!({"days": 1}),
    ] {
        assert_eq!(rig.change("PUT", "/api/v1/privacy", &wrong).await.problem(), "invalid", "{wrong}");
    }
    assert_eq!(rig.send(RIVAL, "GET", "/api/v1/privacy", &[], None).await.json(), none);
}

/// Sends bytes as they are.
async fn put_logo(rig: &Rig, kind: &str, bytes: &[u8]) -> (StatusCode, Value) {
    use tower::ServiceExt as _;
    let request = axum::http::Request::builder()
        .method("PUT")
        .uri("/api/v1/branding/logo")
        .header("host", "localhost:8080")
        .header("frontdesk-business", SHOP)
        .header("content-type", kind)
        .body(axum::body::Body::from(bytes.to_vec()))
        .expect("a request");
    let answer = rig.router.clone().oneshot(request).await.expect("an answer");
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn a_business_looks_as_it_wishes_to_whoever_comes_by_its_domain(opened: Opened) {
    let rig = Rig::new(opened).await;
    let wish = json!({"name": "Shop Voice", "primary_color": "#0f766e", "domain": "calls.shop.example"});
    let put = rig.change("PUT", "/api/v1/branding", &wish).await;
    assert_eq!((put.status, put.json()["version"].clone()), (StatusCode::OK, json!(1)), "{put:?}");
    let public =
        async |query: &str| rig.send(SHOP, "GET", &format!("/api/v1/public/branding{query}"), &[], None).await.json();
    let shown = json!({"name": "Shop Voice", "primary_color": "#0f766e", "accent_color": null, "logo_url": null});
    let nobody = json!({"name": null, "primary_color": null, "accent_color": null, "logo_url": null});
    assert_eq!(public("?domain=calls.shop.example").await, nobody, "nobody has shown whose it is");
    let proof = &put.json()["domain_proof"];
    assert_eq!(proof["url"], "https://calls.shop.example/.well-known/frontdesk-challenge");
    assert_eq!(
        (&proof["content"], &proof["proven"]),
        (&json!(format!("frontdesk={}", rig.shop.business.0)), &json!(false))
    );
    let other = rig.send(RIVAL, "POST", "/api/v1/branding/domain/prove", &[], None).await;
    assert_eq!(other.problem(), "conflict", "it has set no domain");
    rig.store.prove_domain(&rig.shop, "calls.shop.example").await.expect("proven");
    let again = rig.send(SHOP, "POST", "/api/v1/branding/domain/prove", &[], None).await;
    assert_eq!((again.status, &again.json()["domain_proof"]["proven"]), (StatusCode::OK, &json!(true)), "{again:?}");
    assert_eq!(public("?domain=calls.shop.example").await, shown);
    assert_eq!(public("?domain=CALLS.shop.example:443").await, shown, "as a browser says it");
    assert_eq!(public("?domain=other.example").await, nobody);
    assert_eq!(public("").await, nobody);

    assert_eq!(put_logo(&rig, "image/svg+xml", b"<svg/>").await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(put_logo(&rig, "image/png", b"<svg/>").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(put_logo(&rig, "image/jpeg", PNG).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let large = [PNG, &vec![0; 256 * 1024]].concat();
    assert_eq!(put_logo(&rig, "image/png", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, view) = put_logo(&rig, "image/png", PNG).await;
    assert_eq!(
        (status, &view["logo"]["media_type"], &view["logo"]["bytes"]),
        (StatusCode::OK, &json!("image/png"), &json!(PNG.len()))
    );
    assert_eq!(view["name"], "Shop Voice", "the rest stays");
    let url = public("?domain=calls.shop.example").await["logo_url"].as_str().expect("an address").to_owned();
    let image = rig.send(RIVAL, "GET", &url, &[], None).await;
    assert_eq!((image.status, image.header("content-type")), (StatusCode::OK, "image/png"));
    assert!(image.header("content-security-policy").contains("default-src 'none'"), "{image:?}");
    assert_eq!(rig.get("/api/v1/branding/logo").await.status, StatusCode::OK);
    assert_eq!(rig.send(RIVAL, "GET", "/api/v1/branding/logo", &[], None).await.problem(), "not_found");

    let taken = rig.send(RIVAL, "PUT", "/api/v1/branding", &[("if-match", "*")], Some(&wish.to_string())).await;
    assert_eq!(taken.problem(), "conflict");
    for wrong in [
        json!({"name": ""}),
        json!({"name": "x".repeat(61)}),
        json!({"primary_color": "red"}),
        json!({"accent_color": "#12345"}),
        json!({"domain": "localhost"}),
        json!({"domain": "https://a.example"}),
        json!({"logo": "x"}),
    ] {
        assert_eq!(rig.change("PUT", "/api/v1/branding", &wrong).await.problem(), "invalid", "{wrong}");
    }
    let gone = rig.send(SHOP, "DELETE", "/api/v1/branding/logo", &[], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.send(SHOP, "DELETE", "/api/v1/branding/logo", &[], None).await.problem(), "not_found");
    assert_eq!(rig.get(&url).await.problem(), "not_found");
    // Whoever gives its domain up leaves it to others.
    assert_eq!(rig.change("PUT", "/api/v1/branding", &json!({})).await.status, StatusCode::OK);
    let taken = rig.send(RIVAL, "PUT", "/api/v1/branding", &[("if-match", "*")], Some(&wish.to_string())).await;
    assert_eq!(taken.status, StatusCode::OK, "{taken:?}");
}

async fn an_agent_serves_two_versions_and_each_call_says_which(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let split = "/api/v1/agents/front/split";
    assert_eq!(rig.get(split).await.json(), Value::Null);
    let changed = Agent { name: "Second".into(), ..agent.clone() };
    assert_eq!(rig.store.put_agent(&rig.shop, &changed, None).await, Ok(2));
    let wish = json!({"version": 1, "share_percent": 20});
    let put = rig.change("PUT", split, &wish).await;
    assert_eq!(put.status, StatusCode::OK, "{put:?}");
    let view = put.json();
    assert_eq!((&view["version"], &view["share_percent"], &view["by"]), (&json!(1), &json!(20), &json!("customer")));
    assert_eq!(view["published_version"], 2);
    assert_eq!(rig.get(&format!("/api/v1/agents/{}/split", agent.id)).await.json(), view);
    for wrong in [
        json!({"version": 2, "share_percent": 20}),
        json!({"version": 3, "share_percent": 20}),
        json!({"version": 1, "share_percent": 0}),
        json!({"version": 1, "share_percent": 100}),
        json!({"version": 1, "share_percent": 20, "by": "moon"}),
    ] {
        assert_eq!(rig.change("PUT", split, &wrong).await.problem(), "invalid", "{wrong}");
    }
    assert_eq!(rig.send(RIVAL, "GET", split, &[], None).await.problem(), "not_found");
    for version in [Some(1), None, None] {
        let call = Call {
            id: base::CallId::generate(),
            business: rig.shop.business,
            agent: agent.id,
            conversation: base::ConversationId::generate(),
            direction: Direction::Inbound,
            carrier: "loopback".into(),
            carrier_ref: None,
            customer: None,
            number: None,
            state: CallState::Answered,
            started_at_ms: 1_000,
            answered_at_ms: None,
            ended_at_ms: None,
            ended_reason: None,
            recording: None,
            cost: base::Money::ZERO,
            agent_version: version,
        };
        rig.store.create_call(&rig.shop, &call).await.expect("a call");
    }
    let versions = async |query: &str| {
        let listed = rig.get(&format!("/api/v1/calls{query}")).await.json();
        let mut of: Vec<i64> =
            listed["items"].as_array().expect("calls").iter().filter_map(|one| one["agent_version"].as_i64()).collect();
        of.sort_unstable();
        of
    };
    assert_eq!(versions("").await, [1, 2, 2]);
    assert_eq!(versions(&format!("?agent={}&agent_version=1", agent.id)).await, [1]);
    assert_eq!(versions("?agent_version=2&sort=started_at").await, [2, 2]);
    assert_eq!(rig.send(SHOP, "DELETE", split, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.send(SHOP, "DELETE", split, &[], None).await.problem(), "not_found");
}

async fn a_voice_that_nobody_has_is_not_heard(opened: Opened) {
    let rig = Rig::new(opened).await;
    assert_eq!(rig.get("/api/v1/voices?provider=nobody").await.problem(), "not_found");
    assert_eq!(rig.get("/api/v1/voices").await.problem(), "invalid");
    let long = "x".repeat(201);
    for (body, code) in [
        (json!({"provider": "nobody", "text": "Hello."}), "not_found"),
        (json!({"provider": "nobody", "text": " "}), "invalid"),
        (json!({"provider": "nobody", "text": long}), "invalid"),
        (json!({"provider": "nobody", "text": "Hello.", "language": "!"}), "invalid"),
        (json!({"provider": "nobody", "text": "Hello.", "voice": ""}), "invalid"),
    ] {
        assert_eq!(rig.post("/api/v1/voices/preview", &body).await.problem(), code, "{body}");
    }
}

on_both! {
    how_long_what_is_kept_is_set_whole_and_checked,
    a_business_looks_as_it_wishes_to_whoever_comes_by_its_domain,
    an_agent_serves_two_versions_and_each_call_says_which,
    a_voice_that_nobody_has_is_not_heard,
}
