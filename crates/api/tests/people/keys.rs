//! Programs sign in: API keys and OAuth 2.0 client credentials.

use crate::rig::{Reply, Rig, on_both};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

on_both!(
    a_key_opens_what_it_was_made_for_and_is_shown_once,
    a_rotated_key_goes_on_until_the_overlap_is_over,
    a_key_of_another_business_does_not_exist,
    a_client_exchanges_its_secret_for_tokens_of_what_it_asks_for,
    errors_of_the_token_route_are_those_of_the_standard,
);

async fn make(rig: &Rig, token: &str, kind: &str, permissions: Value) -> (String, String) {
    let wish = json!({"name": "CRM", "permissions": permissions});
    let made = rig.ask(token, "POST", &format!("/api/v1/{kind}"), Some(wish)).await.good();
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["key"]["id"]), text(&made["secret"]))
}

async fn a_key_opens_what_it_was_made_for_and_is_shown_once(rig: Rig) {
    let owner = rig.owner("shop").await;
    let (id, secret) = make(&rig, &owner.token, "keys", json!(["audit:read"])).await;
    rig.ask(&secret, "GET", "/api/v1/audit", None).await.good();
    let refused = rig.ask(&secret, "GET", "/api/v1/users", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let program = rig.ask(&secret, "GET", "/api/v1/auth/sessions", None).await;
    assert_eq!((program.status, program.code().as_str()), (StatusCode::FORBIDDEN, "not_a_person"));
    let listed = rig.ask(&owner.token, "GET", "/api/v1/keys", None).await.good();
    assert!(!listed.text.contains(&secret));
    let key = &listed.json()["items"][0];
    assert!(secret.starts_with(key["prefix"].as_str().expect("a prefix")) && key["used_at_ms"].is_i64());
    assert_eq!(key["created_by"], format!("user {}", owner.user));
    rig.ask(&owner.token, "DELETE", &format!("/api/v1/keys/{id}"), None).await.good();
    assert_eq!(rig.ask(&secret, "GET", "/api/v1/audit", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(rig.ask("fdk_00000000_nothing", "GET", "/api/v1/audit", None).await.status, StatusCode::UNAUTHORIZED);
    let past = json!({"name": "CRM", "permissions": ["audit:read"], "expires_at_ms": 1});
    let past = rig.ask(&owner.token, "POST", "/api/v1/keys", Some(past)).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn a_rotated_key_goes_on_until_the_overlap_is_over(rig: Rig) {
    let owner = rig.owner("shop").await;
    let (id, first) = make(&rig, &owner.token, "keys", json!(["audit:read"])).await;
    let path = format!("/api/v1/keys/{id}/rotate");
    let rotate = async |body: Option<Value>| {
        let made = rig.ask(&owner.token, "POST", &path, body).await.good().json();
        made["secret"].as_str().expect("a secret").to_owned()
    };
    let second = rotate(Some(json!({"overlap_secs": 3600}))).await;
    for secret in [&first, &second] {
        rig.ask(secret, "GET", "/api/v1/audit", None).await.good();
    }
    let third = rotate(None).await;
    for void in [&first, &second] {
        assert_eq!(rig.ask(void, "GET", "/api/v1/audit", None).await.status, StatusCode::UNAUTHORIZED);
    }
    rig.ask(&third, "GET", "/api/v1/audit", None).await.good();
}

async fn a_key_of_another_business_does_not_exist(rig: Rig) {
    let (owner, other) = (rig.owner("shop").await, rig.owner("other").await);
    let (id, _) = make(&rig, &owner.token, "keys", json!(["audit:read"])).await;
    for (method, path) in [("GET", ""), ("POST", "/rotate"), ("DELETE", "")] {
        let theirs = rig.ask(&other.token, method, &format!("/api/v1/keys/{id}{path}"), None).await;
        let nobodys =
            rig.ask(&other.token, method, &format!("/api/v1/keys/{}{path}", uuid::Uuid::now_v7()), None).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND);
        assert_eq!(theirs.seen(), nobodys.seen(), "{method} {path}");
    }
}

async fn token(rig: &Rig, headers: &[(&str, &str)], form: &str) -> Reply {
    rig.send_text("POST", "/api/v1/oauth/token", headers, Some(("application/x-www-form-urlencoded", form))).await
}

async fn a_client_exchanges_its_secret_for_tokens_of_what_it_asks_for(rig: Rig) {
    let owner = rig.owner("shop").await;
    let (id, secret) = make(&rig, &owner.token, "clients", json!(["audit:read", "people:read"])).await;
    assert_eq!(rig.ask(&secret, "GET", "/api/v1/audit", None).await.status, StatusCode::UNAUTHORIZED, "no key");
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let form = "grant_type=client_credentials&scope=audit:read";
    let reply = token(&rig, &[("authorization", &basic)], form).await.good();
    assert_eq!(reply.header("cache-control"), "no-store");
    let answer = reply.json();
    assert_eq!((answer["token_type"].as_str(), answer["scope"].as_str()), (Some("Bearer"), Some("audit:read")));
    let access = answer["access_token"].as_str().expect("a token");
    rig.ask(access, "GET", "/api/v1/audit", None).await.good();
    assert_eq!(rig.ask(access, "GET", "/api/v1/users", None).await.status, StatusCode::FORBIDDEN);
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = token(&rig, &[], &form).await.good().json();
    let all = answer["access_token"].as_str().expect("a token");
    rig.ask(all, "GET", "/api/v1/users", None).await.good();
    rig.ask(&owner.token, "DELETE", &format!("/api/v1/clients/{id}"), None).await.good();
    assert_eq!(rig.ask(all, "GET", "/api/v1/users", None).await.status, StatusCode::UNAUTHORIZED);
}

async fn errors_of_the_token_route_are_those_of_the_standard(rig: Rig) {
    let owner = rig.owner("shop").await;
    let (id, secret) = make(&rig, &owner.token, "clients", json!(["audit:read"])).await;
    let right = format!("client_id={id}&client_secret={secret}");
    let cases = [
        (right.clone(), 400, "invalid_request"),
        (format!("grant_type=password&{right}"), 400, "unsupported_grant_type"),
        (format!("grant_type=client_credentials&{right}&scope=plan:manage"), 400, "invalid_scope"),
        (format!("grant_type=client_credentials&{right}&scope=fly"), 400, "invalid_scope"),
        (format!("grant_type=client_credentials&{right}&{right}"), 400, "invalid_request"),
        (format!("grant_type=client_credentials&client_id={id}&client_secret=fdc_x"), 401, "invalid_client"),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
    ];
    for (form, status, error) in cases {
        let reply = token(&rig, &[], &form).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (status, Some(error)), "{form}");
        assert_eq!(status == 401, reply.header("www-authenticate").starts_with("Basic"), "{reply:?}");
    }
}
