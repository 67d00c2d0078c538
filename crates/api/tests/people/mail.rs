//! What goes by mail: invitations, and links for who has forgotten a password. Nobody but the person gets the link.

use crate::rig::{Owner, PASSWORD, Rig};
use api::auth::{AuthSettings, ForgottenPasswords};
use axum::http::StatusCode;
use base::Secret;
use model::people::Role;
use runtime::Services;
use runtime::mail::{Mailer, RelaySettings};
use runtime::work::{Handler as _, Outcome};
use serde_json::json;
use std::sync::Arc;
use store::Store;
use store::contract::mail::{MAIL_JOB, RESET_MAIL_JOB};
use testkit::stores::Guard;

/// Makes every test one on each engine.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::mailing(testkit::stores::sqlite().await).await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::mailing(testkit::stores::on_postgres().await).await).await; })*
        }
    };
}

on_both!(
    an_invitation_goes_to_the_invited_alone,
    a_link_for_a_new_password_goes_to_its_owner_alone,
    who_has_forgotten_a_password_gets_a_link_and_a_stranger_learns_nothing,
);

fn mailer() -> Mailer {
    egress::install_crypto();
    // Nobody listens there: what is written down is looked at, and a request does not wait for a mail server.
    let relay = RelaySettings::read("smtp://127.0.0.1:9?tls=none", ("", Secret::default()), "desk@a.example", None);
    Mailer::new(relay.expect("settings"), "https://desk.example").expect("a mailer")
}

async fn mailing(opened: (Arc<dyn Store>, Guard)) -> Rig {
    let settings = AuthSettings { issuer: "https://desk.example".into(), registration: true };
    Rig::serving(opened, settings, Services { mailer: Some(mailer()), ..Services::default() }).await
}

/// The mails that wait: whom to, what they say.
async fn mails(rig: &Rig, owner: &Owner) -> Vec<(String, String)> {
    let now_ms = rig.store.now_ms().await.expect("a clock");
    let mut mails = Vec::new();
    for job in rig.store.claim(MAIL_JOB, 10, 1_000, now_ms).await.expect("jobs") {
        let id = job.payload["mail"].as_str().and_then(|id| id.parse().ok()).expect("a mail");
        let (mail, _) = rig.store.mail(&owner.scope, id).await.expect("it waits");
        mails.push((mail.to.into_inner(), mail.text.expose().clone()));
        assert_eq!(rig.store.complete(&job).await, Ok(true));
    }
    mails
}

/// The token in the link to this page.
fn token(text: &str, page: &str) -> String {
    let link = format!("https://desk.example/{page}#token=");
    let rest = text.split_once(&link).unwrap_or_else(|| panic!("no link: {text}")).1;
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

async fn an_invitation_goes_to_the_invited_alone(rig: Rig) {
    let owner = rig.owner("shop").await;
    let wish = json!({"email": "Noor@people.example", "role": "operator"});
    let made = rig.ask(&owner.token, "POST", "/api/v1/invitations", Some(wish)).await.good();
    assert_eq!((&made.json()["mailed"], made.json().get("token")), (&json!(true), None));
    let mails = mails(&rig, &owner).await;
    let [(to, text)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert_eq!(to, "noor@people.example");
    assert!(text.contains("as operator"), "{text}");
    let accept = json!({"token": token(text, "invitation"), "name": "Noor", "password": PASSWORD});
    rig.open("/api/v1/auth/invitations/accept", accept).await.good();
    let listed = rig.ask(&owner.token, "GET", "/api/v1/invitations", None).await.good();
    assert!(!listed.text.contains("fdo_"), "{listed:?}");
    for wrong in ["a@b.example,c@d.example", "a@b.example\r\nBcc: c@d.example", "a@b.example c@d.example"] {
        let wish = json!({"email": wrong, "role": "operator"});
        let refused = rig.ask(&owner.token, "POST", "/api/v1/invitations", Some(wish)).await;
        assert_eq!(refused.code(), "invalid", "{wrong:?}");
    }
    assert_eq!(self::mails(&rig, &owner).await, []);
}

async fn a_link_for_a_new_password_goes_to_its_owner_alone(rig: Rig) {
    let owner = rig.owner("shop").await;
    let user = rig.person(&owner.scope, Role::Operator).await;
    let path = format!("/api/v1/users/{user}/password-reset");
    let made = rig.ask(&owner.token, "POST", &path, None).await.good();
    assert_eq!((&made.json()["mailed"], made.json().get("token")), (&json!(true), None));
    let mails = mails(&rig, &owner).await;
    let [(to, text)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert_eq!(*to, format!("operator.{user}@people.example"));
    let set = json!({"token": token(text, "reset"), "password": "a new horse battery"});
    assert_eq!(rig.open("/api/v1/auth/password/reset", set).await.status, StatusCode::NO_CONTENT);
}

async fn who_has_forgotten_a_password_gets_a_link_and_a_stranger_learns_nothing(rig: Rig) {
    let owner = rig.owner("shop").await;
    let no_password = rig.person(&owner.scope, Role::Operator).await;
    let forgot = "/api/v1/auth/password/forgot";
    let addresses = [
        "owner@shop.example".to_owned(),
        "nobody@shop.example".into(),
        format!("operator.{no_password}@people.example"),
    ];
    for email in &addresses {
        let said = rig.open(forgot, json!({ "email": email })).await;
        assert_eq!((said.status, said.text.as_str()), (StatusCode::ACCEPTED, ""), "{email}");
    }
    let again = rig.open(forgot, json!({"email": "owner@shop.example"})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(rig.open(forgot, json!({"email": "nonsense"})).await.code(), "invalid");
    let now_ms = rig.store.now_ms().await.expect("a clock");
    let jobs = rig.store.claim(RESET_MAIL_JOB, 10, 1_000, now_ms).await.expect("jobs");
    assert_eq!(jobs.len(), 3, "a second wish for the same is the same");
    let worker = ForgottenPasswords { store: Arc::clone(&rig.store), mailer: Some(mailer()) };
    for job in &jobs {
        assert_eq!(worker.run(job).await, Outcome::Done);
    }
    let mails = mails(&rig, &owner).await;
    let [(to, text)] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert_eq!(to, "owner@shop.example");
    let set = json!({"token": token(text, "reset"), "password": "a new horse battery"});
    assert_eq!(rig.open("/api/v1/auth/password/reset", set).await.status, StatusCode::NO_CONTENT);
    rig.sign_in("owner@shop.example", "a new horse battery").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mail_server_the_link_is_shown_and_nothing_is_promised() {
    let rig = Rig::new(testkit::stores::sqlite().await).await;
    let owner = rig.owner("shop").await;
    let wish = json!({"email": "noor@people.example", "role": "operator"});
    let made = rig.ask(&owner.token, "POST", "/api/v1/invitations", Some(wish)).await.good().json();
    assert_eq!(made["mailed"], json!(false));
    assert!(made["token"].as_str().is_some_and(|token| token.starts_with("fdo_")), "{made}");
    let said = rig.open("/api/v1/auth/password/forgot", json!({"email": "owner@shop.example"})).await;
    assert_eq!((said.status, said.code().as_str()), (StatusCode::CONFLICT, "mail_not_configured"));
}
