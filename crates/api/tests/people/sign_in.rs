//! People sign in, and stay or go.

use crate::rig::{PASSWORD, Rig, SERVER, now_ms, on_both};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use model::people::Role;
use serde_json::{Value, json};

on_both!(
    a_business_registers_and_its_owner_signs_in,
    nobody_learns_whether_an_account_exists,
    attempts_are_slowed_down_for_one_account_and_not_for_another,
    a_stolen_refresh_token_ends_the_session,
    a_session_that_is_ended_opens_nothing_at_once,
    a_new_password_ends_all_other_sessions,
    an_invited_person_joins_once_with_the_role_they_were_given,
    nobody_gives_more_than_they_have,
    the_last_owner_cannot_go,
    a_role_that_changes_and_a_person_who_goes_count_at_once,
    a_second_factor_is_asked_for_and_its_codes_count_once,
    a_reset_sets_a_password_once,
    a_page_carries_its_tokens_in_cookies_that_other_sites_cannot_use,
    an_address_list_keeps_everybody_else_out,
    what_is_done_stands_in_the_audit_log,
    the_installation_acts_for_the_business_it_names,
    the_installation_alone_sees_which_businesses_there_are,
    a_page_learns_how_people_get_in_before_anybody_has_signed_in,
);

async fn a_business_registers_and_its_owner_signs_in(rig: Rig) {
    let owner = rig.owner("shop").await;
    let me = rig.ask(&owner.token, "GET", "/api/v1/auth/me", None).await.good().json();
    assert_eq!((me["kind"].as_str(), me["business_slug"].as_str()), (Some("user"), Some("shop")));
    assert_eq!(me["user"]["email"], "owner@shop.example");
    assert!(me["permissions"].as_array().expect("a list").contains(&json!("plan:manage")));
    assert!(!me["permissions"].as_array().expect("a list").contains(&json!("installation:manage")));
    let again =
        json!({"business_name": "x", "slug": "shop", "email": "x@y.example", "name": "X", "password": PASSWORD});
    let taken = rig.open("/api/v1/auth/register", again).await;
    assert_eq!((taken.status, taken.code().as_str()), (StatusCode::CONFLICT, "conflict"));
    let weak = json!({"business_name": "x", "slug": "other", "email": "x@y.example", "name": "X", "password": "short"});
    assert_eq!(rig.open("/api/v1/auth/register", weak).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn nobody_learns_whether_an_account_exists(rig: Rig) {
    let owner = rig.owner("shop").await;
    let gone = rig.person(&owner.scope, Role::Analyst).await;
    let email = rig.store.user(&owner.scope, gone).await.expect("there").email.into_inner();
    let wish = |email: &str| json!({"email": email, "password": "not the password"});
    let known = rig.open("/api/v1/auth/login", wish("owner@shop.example")).await;
    assert_eq!((known.status, known.code().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_failed"));
    for other in ["nobody@shop.example", "not an address", &email] {
        assert_eq!(rig.open("/api/v1/auth/login", wish(other)).await.seen(), known.seen(), "{other}");
    }
    let void = rig.open("/api/v1/auth/password/reset", json!({"token": "fdo_x", "password": PASSWORD})).await;
    assert_eq!((void.status, void.code().as_str()), (StatusCode::GONE, "token_void"));
}

async fn attempts_are_slowed_down_for_one_account_and_not_for_another(rig: Rig) {
    rig.owner("shop").await;
    rig.owner("other").await;
    let wrong = json!({"email": "owner@shop.example", "password": "not the password"});
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(rig.open("/api/v1/auth/login", wrong.clone()).await.status.as_u16());
    }
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let refused = rig.open("/api/v1/auth/login", json!({"email": "owner@shop.example", "password": PASSWORD})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "too_many_attempts"));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|secs| secs >= 1));
    let nobody = json!({"email": "nobody@shop.example", "password": "not the password"});
    let mut unknown = Vec::new();
    for _ in 0..8 {
        unknown.push(rig.open("/api/v1/auth/login", nobody.clone()).await.status.as_u16());
    }
    assert!(unknown.contains(&429), "an account that does not exist is slowed down alike: {unknown:?}");
    rig.sign_in("owner@other.example", PASSWORD).await;
}

async fn a_stolen_refresh_token_ends_the_session(rig: Rig) {
    rig.owner("shop").await;
    let login = json!({"email": "owner@shop.example", "password": PASSWORD});
    let first = rig.open("/api/v1/auth/login", login).await.good().json();
    let exchange = async |token: &Value| rig.open("/api/v1/auth/refresh", json!({"refresh_token": token})).await;
    let second = exchange(&first["refresh_token"]).await.good().json();
    assert_eq!(first["session"], second["session"]);
    let access = second["access_token"].as_str().expect("a token");
    rig.ask(access, "GET", "/api/v1/auth/me", None).await.good();
    let reused = exchange(&first["refresh_token"]).await;
    assert_eq!((reused.status, reused.code().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_failed"));
    assert_eq!(rig.ask(access, "GET", "/api/v1/auth/me", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(exchange(&second["refresh_token"]).await.status, StatusCode::UNAUTHORIZED);
}

async fn a_session_that_is_ended_opens_nothing_at_once(rig: Rig) {
    let owner = rig.owner("shop").await;
    let other = rig.session(&owner.scope, owner.user).await;
    let sessions = rig.ask(&owner.token, "GET", "/api/v1/auth/sessions", None).await.good().json();
    let items = sessions["items"].as_array().expect("a list");
    assert_eq!(items.len(), 2);
    let theirs =
        items.iter().find(|one| one["current"] == false).expect("the other one")["id"].as_str().expect("an id");
    let path = format!("/api/v1/auth/sessions/{theirs}");
    rig.ask(&owner.token, "DELETE", &path, None).await.good();
    assert_eq!(rig.ask(&other, "GET", "/api/v1/auth/me", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(rig.ask(&owner.token, "DELETE", &path, None).await.status, StatusCode::NOT_FOUND);
    rig.ask(&owner.token, "POST", "/api/v1/auth/logout", None).await.good();
    let out = rig.ask(&owner.token, "GET", "/api/v1/auth/me", None).await;
    assert_eq!(out.status, StatusCode::UNAUTHORIZED);
    assert!(out.header("www-authenticate").contains("invalid_token"));
}

async fn a_new_password_ends_all_other_sessions(rig: Rig) {
    let owner = rig.owner("shop").await;
    let other = rig.session(&owner.scope, owner.user).await;
    let new = "another horse battery";
    let change = |old: &str| json!({"old_password": old, "new_password": new});
    let wrong = rig.ask(&owner.token, "POST", "/api/v1/auth/password", Some(change("not it at all"))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    rig.ask(&owner.token, "POST", "/api/v1/auth/password", Some(change(PASSWORD))).await.good();
    assert_eq!(rig.ask(&other, "GET", "/api/v1/auth/me", None).await.status, StatusCode::UNAUTHORIZED);
    rig.ask(&owner.token, "GET", "/api/v1/auth/me", None).await.good();
    rig.sign_in("owner@shop.example", new).await;
}

async fn an_invited_person_joins_once_with_the_role_they_were_given(rig: Rig) {
    let owner = rig.owner("shop").await;
    let wish = json!({"email": "Noor@Shop.example", "role": "operator"});
    let made = rig.ask(&owner.token, "POST", "/api/v1/invitations", Some(wish)).await.good().json();
    let listed = rig.ask(&owner.token, "GET", "/api/v1/invitations", None).await.good().json();
    assert_eq!(listed["items"][0]["email"], "noor@shop.example");
    assert!(listed["items"][0].get("token").is_none(), "a token is shown once");
    let accept = json!({"token": made["token"], "name": "Noor", "password": "noor has a long one"});
    assert!(
        rig.open("/api/v1/auth/invitations/accept", accept.clone()).await.status == StatusCode::UNPROCESSABLE_ENTITY
    );
    let accept = json!({"token": made["token"], "name": "Noor", "password": PASSWORD});
    let joined = rig.open("/api/v1/auth/invitations/accept", accept.clone()).await.good().json();
    let me =
        rig.ask(joined["access_token"].as_str().expect("a token"), "GET", "/api/v1/auth/me", None).await.good().json();
    assert_eq!((me["user"]["role"].as_str(), me["user"]["email_verified"].as_bool()), (Some("operator"), Some(true)));
    let again = rig.open("/api/v1/auth/invitations/accept", accept).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::GONE, "token_void"));
    let known = json!({"email": "noor@shop.example", "role": "operator"});
    let known = rig.ask(&owner.token, "POST", "/api/v1/invitations", Some(known)).await;
    assert_eq!(known.status, StatusCode::CONFLICT);
}

async fn nobody_gives_more_than_they_have(rig: Rig) {
    let owner = rig.owner("shop").await;
    let admin = rig.person(&owner.scope, Role::Admin).await;
    let admin = rig.session(&owner.scope, admin).await;
    let wish = json!({"email": "noor@shop.example", "role": "owner"});
    let refused = rig.ask(&admin, "POST", "/api/v1/invitations", Some(wish)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let path = format!("/api/v1/users/{}", owner.user);
    for (method, path, body) in [
        ("PATCH", path.clone(), Some(json!({"active": false}))),
        ("POST", format!("{path}/password-reset"), None),
        ("DELETE", format!("{path}/mfa"), None),
        ("DELETE", format!("{path}/sessions"), None),
    ] {
        let refused = rig.ask(&admin, method, &path, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"), "{method} {path}");
    }
    let key = json!({"name": "k", "permissions": ["plan:manage"]});
    assert_eq!(rig.ask(&admin, "POST", "/api/v1/keys", Some(key)).await.status, StatusCode::FORBIDDEN);
    let key = json!({"name": "k", "permissions": ["installation:manage"]});
    assert_eq!(rig.ask(SERVER, "POST", "/api/v1/keys", Some(key)).await.status, StatusCode::FORBIDDEN);
}

async fn the_last_owner_cannot_go(rig: Rig) {
    let owner = rig.owner("shop").await;
    let path = format!("/api/v1/users/{}", owner.user);
    for change in [json!({"active": false}), json!({"role": "admin"})] {
        let refused = rig.ask(&owner.token, "PATCH", &path, Some(change)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "last_owner"));
    }
    let other = rig.person(&owner.scope, Role::Owner).await;
    rig.ask(&owner.token, "PATCH", &path, Some(json!({"role": "admin"}))).await.good();
    assert_eq!(rig.store.user(&owner.scope, other).await.expect("there").role, Role::Owner);
}

async fn a_role_that_changes_and_a_person_who_goes_count_at_once(rig: Rig) {
    let owner = rig.owner("shop").await;
    let id = rig.person(&owner.scope, Role::Analyst).await;
    let token = rig.session(&owner.scope, id).await;
    let (users, path) = ("/api/v1/users", format!("/api/v1/users/{id}"));
    let refused = rig.ask(&token, "GET", users, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("people:read"), "{refused:?}");
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    rig.ask(&owner.token, "PATCH", &path, Some(json!({"role": "supervisor"}))).await.good();
    rig.ask(&token, "GET", users, None).await.good();
    rig.ask(&owner.token, "PATCH", &path, Some(json!({"active": false}))).await.good();
    assert_eq!(rig.ask(&token, "GET", users, None).await.status, StatusCode::UNAUTHORIZED);
}

/// The code of an authenticator app, some steps of 30 s from now.
fn code(secret: &str, steps: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("a secret");
    let totp = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build().expect("a second factor");
    let secs = u64::try_from(now_ms() / 1000 + steps * 30).expect("a time");
    totp.generate(secs).to_string()
}

async fn a_second_factor_is_asked_for_and_its_codes_count_once(rig: Rig) {
    let owner = rig.owner("shop").await;
    let begun = rig.ask(&owner.token, "POST", "/api/v1/auth/mfa", None).await.good().json();
    let secret = begun["secret"].as_str().expect("a secret");
    assert!(begun["url"].as_str().is_some_and(|url| url.starts_with("otpauth://totp/Frontdesk")));
    let confirm =
        async |code: &str| rig.ask(&owner.token, "POST", "/api/v1/auth/mfa/confirm", Some(json!({"code": code}))).await;
    rig.sign_in("owner@shop.example", PASSWORD).await;
    let first = code(secret, 0);
    let wrong = if first == "000000" { "000001" } else { "000000" };
    assert_eq!(confirm(wrong).await.status, StatusCode::UNAUTHORIZED);
    let codes = confirm(&first).await.good().json();
    let recovery = codes["recovery_codes"][0].as_str().expect("a code").to_owned();
    assert_eq!(codes["recovery_codes"].as_array().map(Vec::len), Some(10));
    let login = async |code: Option<&str>| {
        let wish = json!({"email": "owner@shop.example", "password": PASSWORD, "code": code});
        let reply = rig.open("/api/v1/auth/login", wish).await;
        (reply.status.as_u16(), reply.code())
    };
    assert_eq!(login(None).await, (401, "second_factor_required".into()));
    assert_eq!(login(Some(&first)).await, (401, "sign_in_failed".into()), "a code that was used");
    assert_eq!(login(Some(&code(secret, 1))).await.0, 200);
    assert_eq!(login(Some(&recovery.to_lowercase())).await.0, 200);
    assert_eq!(login(Some(&recovery)).await, (401, "sign_in_failed".into()), "a recovery code that was used");
    let me = rig.ask(&owner.token, "GET", "/api/v1/auth/me", None).await.good().json();
    assert_eq!((me["user"]["mfa"].as_bool(), me["recovery_codes_left"].as_i64()), (Some(true), Some(9)));
    let second = codes["recovery_codes"][1].as_str().expect("a code");
    let end = json!({"password": PASSWORD, "code": second});
    rig.ask(&owner.token, "POST", "/api/v1/auth/mfa/disable", Some(end)).await.good();
    rig.sign_in("owner@shop.example", PASSWORD).await;
}

async fn a_reset_sets_a_password_once(rig: Rig) {
    let owner = rig.owner("shop").await;
    let id = rig.person(&owner.scope, Role::Operator).await;
    let email = rig.store.user(&owner.scope, id).await.expect("there").email.into_inner();
    let path = format!("/api/v1/users/{id}/password-reset");
    let made = rig.ask(&owner.token, "POST", &path, None).await.good().json();
    let reset = json!({"token": made["token"], "password": PASSWORD});
    rig.open("/api/v1/auth/password/reset", reset.clone()).await.good();
    assert_eq!(rig.open("/api/v1/auth/password/reset", reset).await.status, StatusCode::GONE);
    rig.sign_in(&email, PASSWORD).await;
}

async fn a_page_carries_its_tokens_in_cookies_that_other_sites_cannot_use(rig: Rig) {
    rig.owner("shop").await;
    let wish = json!({"email": "owner@shop.example", "password": PASSWORD, "cookies": true});
    let reply = rig.send("POST", "/api/v1/auth/login", &[("x-forwarded-proto", "https")], Some(&wish)).await.good();
    assert!(reply.json().get("access_token").is_none() && reply.json().get("refresh_token").is_none());
    let cookies: Vec<&str> =
        reply.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert_eq!(cookies.len(), 2);
    for cookie in &cookies {
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Secure"),
            "{cookie}"
        );
    }
    let jar: Vec<&str> = cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    let jar = jar.join("; ");
    rig.send("GET", "/api/v1/auth/me", &[("cookie", &jar)], None).await.good();
    let change = json!({"name": "Mallory"});
    let foreign = [("cookie", jar.as_str()), ("origin", "https://evil.example")];
    let refused = rig.send("PATCH", "/api/v1/auth/me", &foreign, Some(&change)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "foreign_origin"));
    let ours = [("cookie", jar.as_str()), ("origin", "https://desk.example")];
    rig.send("PATCH", "/api/v1/auth/me", &ours, Some(&json!({"name": "Mira L."}))).await.good();
    let renewed = rig.send("POST", "/api/v1/auth/refresh", &ours, None).await.good();
    assert_eq!(renewed.headers.get_all("set-cookie").iter().count(), 2);
    let out = rig.send("POST", "/api/v1/auth/logout", &ours, None).await.good();
    assert!(
        out.headers
            .get_all("set-cookie")
            .iter()
            .all(|value| value.to_str().is_ok_and(|text| text.contains("Max-Age=0")))
    );
}

async fn an_address_list_keeps_everybody_else_out(rig: Rig) {
    let owner = rig.owner("shop").await;
    let path = "/api/v1/access/addresses";
    let elsewhere = json!({"networks": ["198.51.100.0/24"]});
    let locked_out = rig.ask(&owner.token, "PUT", path, Some(elsewhere)).await;
    assert_eq!(locked_out.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody locks themselves out");
    let bad = rig.ask(&owner.token, "PUT", path, Some(json!({"networks": ["300.1.1.1/8"]}))).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    let bearer = format!("Bearer {}", owner.token);
    let from = |address: &'static str| [("authorization", bearer.clone()), ("x-forwarded-for", address.to_owned())];
    let ask = async |headers: [(&'static str, String); 2]| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        rig.send("GET", "/api/v1/auth/me", &headers, None).await
    };
    rig.ask(&owner.token, "PUT", path, Some(json!({"networks": ["127.0.0.1", "2001:db8::/32"]}))).await.good();
    rig.ask(&owner.token, "GET", "/api/v1/auth/me", None).await.good();
    ask(from("2001:db8::7")).await.good();
    let refused = ask(from("127.0.0.1, 203.0.113.9")).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "address_not_allowed"));
    let login = json!({"email": "owner@shop.example", "password": PASSWORD});
    let refused = rig.send("POST", "/api/v1/auth/login", &[("x-forwarded-for", "203.0.113.9")], Some(&login)).await;
    assert_eq!(refused.code(), "address_not_allowed");
    rig.ask(SERVER, "GET", "/api/v1/auth/me", None).await.good();
}

async fn what_is_done_stands_in_the_audit_log(rig: Rig) {
    let owner = rig.owner("shop").await;
    let other = rig.owner("other").await;
    let id = rig.person(&owner.scope, Role::Analyst).await;
    let path = format!("/api/v1/users/{id}");
    rig.ask(&owner.token, "PATCH", &path, Some(json!({"role": "operator"}))).await.good();
    rig.ask(&owner.token, "PATCH", &path, Some(json!({"rolle": "operator"}))).await;
    rig.open("/api/v1/auth/login", json!({"email": "owner@shop.example", "password": "not the password"})).await;
    let log = rig.ask(&owner.token, "GET", "/api/v1/audit?action=update_user", None).await.good().json();
    let lines = log["items"].as_array().expect("lines");
    assert_eq!(lines.len(), 1, "what was refused changed nothing: {lines:?}");
    assert_eq!(
        (lines[0]["actor"].as_str(), lines[0]["actor_id"].as_str()),
        (Some("user"), Some(&*owner.user.to_string()))
    );
    assert_eq!(
        (lines[0]["subject"].as_str(), lines[0]["address"].as_str()),
        (Some(&*format!("users/{id}")), Some("127.0.0.1"))
    );
    assert_eq!(lines[0]["details"]["role"], "operator");
    let log = rig.ask(&owner.token, "GET", "/api/v1/audit?limit=100", None).await.good().json();
    let actions: Vec<&str> =
        log["items"].as_array().expect("lines").iter().filter_map(|line| line["action"].as_str()).collect();
    assert!(actions.contains(&"register") && actions.contains(&"login"), "{actions:?}");
    assert!(!log.to_string().contains(PASSWORD));
    let theirs = rig.ask(&other.token, "GET", "/api/v1/audit?action=update_user", None).await.good().json();
    assert_eq!(theirs["items"], json!([]));
}

async fn the_installation_acts_for_the_business_it_names(rig: Rig) {
    let owner = rig.owner("shop").await;
    let bearer = format!("Bearer {SERVER}");
    let named = [("authorization", bearer.as_str()), ("frontdesk-business", "shop")];
    let me = rig.send("GET", "/api/v1/auth/me", &named, None).await.good().json();
    assert_eq!((me["kind"].as_str(), me["business_slug"].as_str()), (Some("installation"), Some("shop")));
    let nowhere = [("authorization", bearer.as_str()), ("frontdesk-business", "nowhere")];
    assert_eq!(rig.send("GET", "/api/v1/auth/me", &nowhere, None).await.status, StatusCode::NOT_FOUND);
    let theirs = [("authorization", &*format!("Bearer {}", owner.token)), ("frontdesk-business", "home")]
        .map(|(name, value)| (name, value.to_owned()));
    let theirs: Vec<(&str, &str)> = theirs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let me = rig.send("GET", "/api/v1/auth/me", &theirs, None).await.good().json();
    assert_eq!(me["business_slug"], "shop", "a person acts for their own business, whatever they say");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_registers_where_that_is_switched_off() {
    let settings = api::auth::AuthSettings { issuer: "x".into(), registration: false };
    let rig = Rig::with(testkit::stores::sqlite().await, settings).await;
    let wish = json!({"business_name": "x", "slug": "xx", "email": "x@y.example", "name": "X", "password": PASSWORD});
    let refused = rig.open("/api/v1/auth/register", wish).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "registration_closed"));
}

async fn the_installation_alone_sees_which_businesses_there_are(rig: Rig) {
    let shop = rig.owner("shop").await;
    rig.owner("atelier").await;
    let listed = rig.ask(SERVER, "GET", "/api/v1/businesses", None).await.good().json();
    let slugs: Vec<_> = listed["items"].as_array().expect("a list").iter().map(|one| one["slug"].clone()).collect();
    assert_eq!(slugs, ["atelier", "home", "shop"]);
    assert_eq!(listed["items"][2]["id"], shop.scope.business.0.to_string());
    assert_eq!(listed["next_cursor"], Value::Null);
    let reply = rig.ask(&shop.token, "GET", "/api/v1/businesses", None).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let key = json!({"name": "k", "permissions": ["business:read"]});
    let key = rig.ask(&shop.token, "POST", "/api/v1/keys", Some(key)).await.good().json();
    let reply = rig.ask(key["secret"].as_str().expect("a secret"), "GET", "/api/v1/businesses", None).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

async fn a_page_learns_how_people_get_in_before_anybody_has_signed_in(rig: Rig) {
    let shop = rig.owner("shop").await;
    let provider = json!({"name": "Work account", "discovery_url": "https://login.example", "client_id": "c"});
    let made = rig.ask(&shop.token, "POST", "/api/v1/identity-providers", Some(provider)).await.good().json();
    let options = async |query: &str| rig.send("GET", &format!("/api/v1/auth/options{query}"), &[], None).await.good();
    let of_shop = options("?business=shop").await.json();
    assert_eq!((&of_shop["registration"], &of_shop["sign_in_needed"]), (&json!(true), &json!(true)));
    let button = json!([{"name": "Work account", "start_url": made["start_url"]}]);
    assert_eq!(of_shop["identity_providers"], button, "and nothing else about them");
    assert_eq!(options("").await.json()["identity_providers"], json!([]), "those of the first business");
    assert_eq!(options("?business=nobody").await.seen(), options("").await.seen());
    let start = format!("/api/v1/auth/oidc/{}/start", made["id"].as_str().expect("an id"));
    assert!(made["start_url"].as_str().is_some_and(|url| url.ends_with(&start)), "{made}");
}

#[tokio::test]
async fn what_is_followed_ends_soon_after_the_session() {
    let rig = Rig::new(testkit::stores::sqlite().await).await;
    let owner = rig.owner("shop").await;
    let bearer = format!("Bearer {}", owner.token);
    let mut stream = rig.begin("GET", "/api/v1/events", &[("authorization", &bearer)], None).await.into_body();
    let mut next = async || {
        let frame = stream.frame().await.expect("more").expect("a frame");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
    };
    assert!(next().await.contains("stream.ready"));
    let keep_alive = std::time::Duration::from_millis(base::limits::EVENTS_KEEP_ALIVE_MS);
    let later = async || {
        tokio::time::pause();
        tokio::time::advance(keep_alive).await;
        tokio::time::resume();
    };
    later().await;
    assert!(next().await.starts_with("id: "), "it goes on while the session does");
    rig.ask(&owner.token, "POST", "/api/v1/auth/logout", None).await.good();
    later().await;
    assert!(next().await.contains("sign in again"));
    assert!(stream.frame().await.is_none(), "nothing follows");
}
