//! What every store must obey about people, their sessions, keys and rules.

use crate::contract::Store;
use crate::error::StoreError;
use crate::laws::tenant;
use crate::people::{
    AuditFilter, Audited, IdentityProvider, Invitation, KeyKind, NewKey, NewUser, Renewed, SecretHash, Session,
    UserChange, UserChanged,
};
use crate::trail::{Line, Trail};
use base::{AccessKeyId, BusinessId, Pii, Secret, SessionId, UserId};
use model::business::{Business, TenantScope};
use model::people::{Actor, Permission, PermissionSet, Role};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn person(email: &str, role: Role) -> NewUser {
    NewUser {
        id: UserId::generate(),
        email: email.into(),
        name: "Mira".into(),
        role,
        password_hash: Some("$argon2id$hash".into()),
        verified: false,
    }
}

fn hash(text: &str) -> SecretHash {
    let mut hash = [0; 32];
    hash[..text.len()].copy_from_slice(text.as_bytes());
    hash
}

fn session_of(user: UserId, at_ms: i64) -> Session {
    Session {
        id: SessionId::generate(),
        user,
        method: "password".into(),
        user_agent: "browser".into(),
        address: "192.0.2.1".into(),
        created_at_ms: at_ms,
        seen_at_ms: at_ms,
        expires_at_ms: at_ms + DAY_MS,
    }
}

/// A business of this short name with this person as its owner.
async fn registered(store: &dyn Store, slug: &str, owner: &NewUser) -> TenantScope {
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, slug: slug.into(), name: slug.into(), time_zone: "UTC".into() };
    store.register(&business, owner, 1).await.expect("registered");
    scope
}

/// Law.
pub async fn people_of_another_business_answer_as_missing(store: Arc<dyn Store>) {
    let (mira, noor) = (person("mira@a.example", Role::Owner), person("noor@b.example", Role::Owner));
    let (a, b) = (registered(&*store, "a", &mira).await, registered(&*store, "b", &noor).await);
    let taken = store
        .register(
            &Business { id: BusinessId::generate(), slug: "a".into(), name: "A".into(), time_zone: "UTC".into() },
            &person("x@x.example", Role::Owner),
            1,
        )
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    assert_eq!(store.user(&a, noor.id).await, Err(StoreError::NotFound("user")));
    assert_eq!(store.user(&a, UserId::generate()).await, Err(StoreError::NotFound("user")));
    let change = UserChange { active: Some(false), ..UserChange::default() };
    assert_eq!(store.change_user(&a, noor.id, &change, 2).await, Err(StoreError::NotFound("user")));
    assert!(store.set_password(&a, noor.id, &"$x".into(), None, 2).await.is_err());
    let session = session_of(noor.id, 1);
    store.open_session(&b, &session, &hash("refresh")).await.expect("opened");
    assert_eq!(store.session_access(&a, session.id, 2).await, Ok(None));
    assert_eq!(store.end_session(&a, noor.id, session.id, 2).await, Ok(false));
    assert_eq!(store.sessions(&a, noor.id, 2).await, Ok(vec![]));
    let page = store.users(&a, None, 10).await.expect("a page");
    assert_eq!(page.rows.iter().map(|user| user.id).collect::<Vec<_>>(), [mira.id]);
    let twice = store.create_user(&a, &person("mira@a.example", Role::Analyst), 3).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    store.create_user(&b, &person("mira@a.example", Role::Analyst), 3).await.expect("somebody else's affair");
}

/// Law.
pub async fn the_last_owner_stays(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let demote = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    let leave = UserChange { active: Some(false), ..UserChange::default() };
    assert_eq!(store.change_user(&scope, mira.id, &demote, 2).await, Ok(UserChanged::LastOwner));
    assert_eq!(store.change_user(&scope, mira.id, &leave, 2).await, Ok(UserChanged::LastOwner));
    let noor = person("noor@a.example", Role::Owner);
    store.create_user(&scope, &noor, 2).await.expect("created");
    let (one, other) =
        tokio::join!(store.change_user(&scope, mira.id, &leave, 3), store.change_user(&scope, noor.id, &leave, 3));
    let gone = [one, other].into_iter().filter(|changed| matches!(changed, Ok(UserChanged::Done(_)))).count();
    assert_eq!(gone, 1, "of two owners who let each other go, one stays");
}

/// Law.
pub async fn an_address_leads_to_the_account_that_was_verified_first(store: Arc<dyn Store>) {
    let squatter = person("mira@a.example", Role::Owner);
    registered(&*store, "squat", &squatter).await;
    let mira = NewUser { verified: true, ..person("mira@a.example", Role::Owner) };
    let scope = registered(&*store, "a", &mira).await;
    let found = store.account("mira@a.example", None).await.expect("answered").expect("found");
    assert_eq!((found.user.id, found.scope), (mira.id, scope));
    assert_eq!(found.password_hash.expect("a hash").expose(), "$argon2id$hash");
    let named = store.account("mira@a.example", Some("squat")).await.expect("answered").expect("found");
    assert_eq!(named.user.id, squatter.id);
    assert!(store.account("nobody@a.example", None).await.expect("answered").is_none());
    assert!(store.account("mira@a.example", Some("nowhere")).await.expect("answered").is_none());
}

/// Law.
pub async fn a_refresh_token_works_once_and_its_copy_ends_the_session(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let session = session_of(mira.id, 1);
    store.open_session(&scope, &session, &hash("r1")).await.expect("opened");
    let done = Renewed::Done { scope, user: mira.id, session: session.id };
    assert_eq!(store.renew_session(&hash("r1"), &hash("r2"), 2).await, Ok(done));
    assert_eq!(store.sessions(&scope, mira.id, 3).await.expect("listed")[0].seen_at_ms, 2);
    let access = store.session_access(&scope, session.id, 3).await.expect("answered").expect("live");
    assert_eq!((access.user, access.role, access.networks), (mira.id, Role::Owner, vec![]));
    let reused = Renewed::Reused { scope, user: mira.id, session: session.id };
    assert_eq!(store.renew_session(&hash("r1"), &hash("r3"), 4).await, Ok(reused));
    assert_eq!(store.session_access(&scope, session.id, 5).await, Ok(None));
    assert_eq!(store.renew_session(&hash("r2"), &hash("r4"), 6).await, Ok(Renewed::Unknown));
    assert_eq!(store.renew_session(&hash("none"), &hash("r4"), 6).await, Ok(Renewed::Unknown));
    let late = session_of(mira.id, 1);
    store.open_session(&scope, &late, &hash("late")).await.expect("opened");
    assert_eq!(store.renew_session(&hash("late"), &hash("r5"), 1 + DAY_MS).await, Ok(Renewed::Unknown));
    assert_eq!(store.session_access(&scope, late.id, 1 + DAY_MS).await, Ok(None));
    assert_eq!(store.prune_sessions(2 + DAY_MS).await, Ok(2));
    assert_eq!(store.prune_sessions(2 + DAY_MS).await, Ok(0));
}

/// Law.
pub async fn who_may_no_longer_sign_in_is_signed_out(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let noor = person("noor@a.example", Role::Operator);
    store.create_user(&scope, &noor, 1).await.expect("created");
    let [first, second] = [session_of(noor.id, 1), session_of(noor.id, 2)];
    store.open_session(&scope, &first, &hash("r1")).await.expect("opened");
    store.open_session(&scope, &second, &hash("r2")).await.expect("opened");
    store.set_password(&scope, noor.id, &"$new".into(), Some(second.id), 3).await.expect("set");
    assert_eq!(store.session_access(&scope, first.id, 4).await, Ok(None));
    assert!(store.session_access(&scope, second.id, 4).await.expect("answered").is_some());
    let leave = UserChange { active: Some(false), ..UserChange::default() };
    assert!(matches!(store.change_user(&scope, noor.id, &leave, 5).await, Ok(UserChanged::Done(_))));
    assert_eq!(store.session_access(&scope, second.id, 6).await, Ok(None));
    assert_eq!(store.renew_session(&hash("r2"), &hash("r3"), 6).await, Ok(Renewed::Unknown));
    assert_eq!(store.end_sessions(&scope, noor.id, None, 7).await, Ok(0));
}

/// Law.
pub async fn a_code_of_a_second_factor_counts_once(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    assert!(store.totp(&scope, mira.id).await.expect("answered").is_none());
    assert_eq!(store.use_totp_step(&scope, mira.id, 5).await, Ok(false), "there is none");
    store.begin_totp(&scope, mira.id, &"FIRST".into()).await.expect("begun");
    store.begin_totp(&scope, mira.id, &"SECRET".into()).await.expect("begun anew");
    let totp = store.totp(&scope, mira.id).await.expect("answered").expect("kept");
    assert_eq!((totp.secret.expose().as_str(), totp.confirmed), ("SECRET", false));
    let (one, other) = tokio::join!(store.use_totp_step(&scope, mira.id, 7), store.use_totp_step(&scope, mira.id, 7));
    assert_eq!([one, other].into_iter().filter(|used| *used == Ok(true)).count(), 1);
    assert_eq!(store.use_totp_step(&scope, mira.id, 6).await, Ok(false));
    assert_eq!(store.use_totp_step(&scope, mira.id, 8).await, Ok(true));
    assert!(store.user(&scope, mira.id).await.expect("there").mfa);
    assert!(matches!(store.begin_totp(&scope, mira.id, &"X".into()).await, Err(StoreError::Conflict(_))));
    store.put_recovery_codes(&scope, mira.id, &[hash("a"), hash("b")]).await.expect("kept");
    assert_eq!(store.use_recovery_code(&scope, mira.id, &hash("a")).await, Ok(true));
    assert_eq!(store.use_recovery_code(&scope, mira.id, &hash("a")).await, Ok(false));
    assert_eq!(store.recovery_codes_left(&scope, mira.id).await, Ok(1));
    assert_eq!(store.remove_totp(&scope, mira.id).await, Ok(true));
    assert_eq!(store.remove_totp(&scope, mira.id).await, Ok(false));
    assert_eq!(store.recovery_codes_left(&scope, mira.id).await, Ok(0));
}

/// Law.
pub async fn an_invitation_makes_one_user(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let invitation = |email: &str| Invitation {
        id: Uuid::now_v7(),
        email: email.into(),
        role: Role::Operator,
        created_at_ms: 10,
        expires_at_ms: 100,
    };
    let known = store.invite(&scope, &invitation("mira@a.example"), &hash("known")).await;
    assert!(matches!(known, Err(StoreError::Conflict(_))), "{known:?}");
    let noor = invitation("noor@a.example");
    store.invite(&scope, &noor, &hash("token")).await.expect("invited");
    assert_eq!(store.invitations(&scope, 20).await, Ok(vec![noor.clone()]));
    assert_eq!(store.invitation(&hash("token"), 20).await, Ok(Some((scope, noor.clone()))));
    let (name, password): (Pii<String>, Secret<String>) = ("Noor".into(), "$p".into());
    let accept = |at_ms: i64| {
        let (store, name, password) = (Arc::clone(&store), name.clone(), password.clone());
        async move { store.accept_invitation(&hash("token"), UserId::generate(), &name, &password, at_ms).await }
    };
    assert_eq!(accept(100).await, Ok(None), "too late");
    let (one, other) = tokio::join!(accept(30), accept(30));
    let made: Vec<_> = [one, other].into_iter().filter_map(|made| made.ok().flatten()).collect();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].0, made[0].1.role, made[0].1.verified_at_ms), (scope, Role::Operator, Some(30)));
    assert_eq!(store.invitations(&scope, 31).await, Ok(vec![]));
    let other = invitation("other@a.example");
    store.invite(&scope, &other, &hash("other")).await.expect("invited");
    let elsewhere = TenantScope { business: BusinessId::generate() };
    assert_eq!(store.withdraw_invitation(&elsewhere, other.id, 40).await, Ok(false));
    assert_eq!(store.withdraw_invitation(&scope, other.id, 40).await, Ok(true));
    assert_eq!(store.withdraw_invitation(&scope, other.id, 40).await, Ok(false));
    assert_eq!(store.invitation(&hash("other"), 41).await, Ok(None));
}

/// Law: who brings a token that says whose it is leaves a line with what the token does, though nobody knew before whose it is.
pub async fn a_token_that_names_its_business_takes_its_line_along(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let trail = |action: &str| {
        let (subject, details) = (String::new(), json!({}));
        let address = Some("192.0.2.7".to_owned());
        Trail::new(Line { scope: None, actor: None, action: action.into(), subject, details, address, at_ms: 9 })
    };
    let session = session_of(mira.id, 1);
    store.open_session(&scope, &session, &hash("r1")).await.expect("opened");
    let unknown = trail("refresh");
    assert_eq!(unknown.follow(store.renew_session(&hash("none"), &hash("r2"), 2)).await, Ok(Renewed::Unknown));
    assert!(!unknown.is_written());
    for (old, new) in [("r1", "r2"), ("r1", "r3")] {
        let one = trail("refresh");
        one.follow(store.renew_session(&hash(old), &hash(new), 2)).await.expect("an answer");
        assert!(one.is_written(), "{old} for {new}");
    }
    store.allow_reset(&scope, mira.id, &hash("reset"), 3, 100).await.expect("allowed");
    let reset = trail("reset_password");
    reset.follow(store.reset_password(&hash("reset"), &"$new".into(), 5)).await.expect("reset");
    assert!(reset.is_written());
    let page = store.audit_lines(&scope, &AuditFilter::default(), None, 10).await.expect("lines");
    let mut lines: Vec<_> = page
        .rows
        .into_iter()
        .map(|line| (line.action, line.subject, line.address.map(|address| address.expose().clone())))
        .collect();
    lines.sort();
    let from = Some("192.0.2.7".to_owned());
    let expected = [
        ("refresh".to_owned(), String::new(), from.clone()),
        ("refresh_token_reused".to_owned(), format!("sessions/{}", session.id), from.clone()),
        ("reset_password".to_owned(), String::new(), from),
    ];
    assert_eq!(lines, expected);
}

/// Law.
pub async fn a_reset_sets_one_password_and_ends_sessions(store: Arc<dyn Store>) {
    let mira = person("mira@a.example", Role::Owner);
    let scope = registered(&*store, "a", &mira).await;
    let session = session_of(mira.id, 1);
    store.open_session(&scope, &session, &hash("r")).await.expect("opened");
    store.allow_reset(&scope, mira.id, &hash("old"), 2, 100).await.expect("allowed");
    store.allow_reset(&scope, mira.id, &hash("new"), 3, 100).await.expect("allowed");
    let password: Secret<String> = "$new".into();
    assert_eq!(store.reset_password(&hash("old"), &password, 4).await, Ok(None), "the later one counts");
    assert_eq!(store.invitation(&hash("new"), 4).await, Ok(None), "it is no invitation");
    assert_eq!(store.reset_password(&hash("new"), &password, 5).await, Ok(Some((scope, mira.id))));
    assert_eq!(store.reset_password(&hash("new"), &password, 6).await, Ok(None));
    let account = store.account_of(&scope, mira.id).await.expect("there");
    assert_eq!(account.password_hash.expect("a hash").expose(), "$new");
    assert_eq!(store.session_access(&scope, session.id, 7).await, Ok(None));
}

/// Law.
pub async fn a_rotated_key_opens_with_both_secrets_for_a_while(store: Arc<dyn Store>) {
    let (a, b) = (tenant(&*store, "a", "+49405550171").await, tenant(&*store, "b", "+49405550172").await);
    let permissions: PermissionSet = [Permission::CallsRead, Permission::AgentsRead].into_iter().collect();
    let key = NewKey {
        id: AccessKeyId::generate(),
        kind: KeyKind::Key,
        name: "crm".into(),
        prefix: "fdk_one".into(),
        hash: hash("one"),
        permissions,
        created_by: Some("user".into()),
        expires_at_ms: Some(1_000_000),
    };
    store.create_key(&a.scope, &key, 1).await.expect("made");
    let opens = |secret: &'static str, at_ms: i64| {
        let store = Arc::clone(&store);
        async move { store.key_by_secret(KeyKind::Key, &hash(secret), at_ms).await.expect("answered") }
    };
    let access = opens("one", 10).await.expect("opens");
    assert_eq!((access.scope, access.key.permissions), (a.scope, permissions));
    assert!(store.key_by_secret(KeyKind::Client, &hash("one"), 10).await.expect("answered").is_none());
    assert_eq!(store.key(&a.scope, KeyKind::Key, key.id).await.expect("there").used_at_ms, Some(10));
    opens("one", 20).await.expect("opens");
    assert_eq!(store.key(&a.scope, KeyKind::Key, key.id).await.expect("there").used_at_ms, Some(10), "to the minute");
    let missing = Err(StoreError::NotFound("key"));
    assert_eq!(store.key(&b.scope, KeyKind::Key, key.id).await, Err(StoreError::NotFound("key")));
    assert_eq!(store.rotate_key(&b.scope, KeyKind::Key, key.id, "x", &hash("x"), 100).await, missing);
    assert_eq!(store.revoke_key(&b.scope, KeyKind::Key, key.id, 30).await, Ok(false));
    store.rotate_key(&a.scope, KeyKind::Key, key.id, "fdk_two", &hash("two"), 100).await.expect("rotated");
    assert!(opens("one", 99).await.is_some() && opens("two", 99).await.is_some());
    assert!(opens("one", 100).await.is_none() && opens("two", 100).await.is_some());
    assert!(opens("two", 1_000_000).await.is_none(), "expired");
    assert_eq!(store.revoke_key(&a.scope, KeyKind::Key, key.id, 200).await, Ok(true));
    assert!(opens("two", 201).await.is_none());
    assert_eq!(store.rotate_key(&a.scope, KeyKind::Key, key.id, "x", &hash("x"), 300).await, missing);
    assert_eq!(store.keys(&a.scope, KeyKind::Key, None, 10).await.expect("a page").rows, vec![]);
    let client = NewKey { id: AccessKeyId::generate(), kind: KeyKind::Client, hash: hash("client"), ..key };
    store.create_key(&a.scope, &client, 1).await.expect("made");
    assert!(store.client_access(&a.scope, client.id, 2).await.expect("answered").is_some());
    assert!(store.client_access(&b.scope, client.id, 2).await.expect("answered").is_none());
}

/// Law.
pub async fn entry_rules_come_back_to_their_business(store: Arc<dyn Store>) {
    let (mira, noor) = (person("mira@a.example", Role::Owner), person("noor@b.example", Role::Owner));
    let (a, b) = (registered(&*store, "a", &mira).await, registered(&*store, "b", &noor).await);
    assert_eq!(store.address_list(&a).await.expect("answered").version, 0);
    assert_eq!(store.put_address_list(&a, &["192.0.2.0/24".into()], Some(0)).await, Ok(1));
    assert!(matches!(store.put_address_list(&a, &[], Some(0)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.address_list(&b).await.expect("answered").networks, Vec::<String>::new());
    let session = session_of(mira.id, 1);
    store.open_session(&a, &session, &hash("r")).await.expect("opened");
    let access = store.session_access(&a, session.id, 2).await.expect("answered").expect("live");
    assert_eq!(access.networks, ["192.0.2.0/24"]);

    let mut provider = IdentityProvider {
        id: Uuid::now_v7(),
        name: "Work".into(),
        discovery_url: "https://login.example".into(),
        issuer: None,
        client_id: "frontdesk".into(),
        policy: None,
        trust_email: false,
        join_domains: vec![],
        join_role: Role::Analyst,
    };
    store.put_identity_provider(&a, &provider, Some(&"s3cret".into()), 1).await.expect("kept");
    provider.name = "Office".into();
    store.put_identity_provider(&a, &provider, None, 2).await.expect("changed");
    let theirs = store.put_identity_provider(&b, &provider, None, 3).await;
    assert_eq!(theirs, Err(StoreError::NotFound("identity provider")));
    let (scope, known, secret) = store.identity_provider(provider.id).await.expect("there");
    assert_eq!((scope, known.name.as_str()), (a, "Office"));
    assert_eq!(secret.expect("kept").expose(), "s3cret");
    assert_eq!(store.identity_providers(&b).await, Ok(vec![]));
    store.link_identity(&a, provider.id, "subject", mira.id).await.expect("linked");
    assert_eq!(store.identity(&a, provider.id, "subject").await, Ok(Some(mira.id)));
    assert_eq!(store.identity(&b, provider.id, "subject").await, Ok(None));
    assert_eq!(store.delete_identity_provider(&b, provider.id).await, Ok(false));
    assert_eq!(store.delete_identity_provider(&a, provider.id).await, Ok(true));
    assert_eq!(store.identity(&a, provider.id, "subject").await, Ok(None));
}

/// Law.
pub async fn the_audit_log_pages_from_the_newest(store: Arc<dyn Store>) {
    let (a, b) = (tenant(&*store, "a", "+49405550171").await, tenant(&*store, "b", "+49405550172").await);
    let user = Actor::User { id: UserId::generate(), session: SessionId::generate() };
    for at_ms in 1..=5 {
        let actor = if at_ms % 2 == 0 { Some(user) } else { Some(Actor::Installation) };
        let action = if at_ms == 5 { "end_call" } else { "put_agent" };
        let details = json!({"at": at_ms});
        let line = Audited { actor, action, subject: "agents/robin", details: &details, address: Some("192.0.2.1") };
        store.audit(&a.scope, &line, at_ms).await.expect("written");
    }
    let all = AuditFilter::default();
    let page = store.audit_lines(&a.scope, &all, None, 2).await.expect("a page");
    assert_eq!(page.rows.iter().map(|line| line.at_ms).collect::<Vec<_>>(), [5, 4]);
    assert_eq!(page.rows[1].actor_id, user.id());
    assert_eq!(page.rows[0].details, json!({"at": 5}));
    let next = store.audit_lines(&a.scope, &all, page.next, 10).await.expect("a page");
    assert_eq!(next.rows.iter().map(|line| line.at_ms).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(next.next.is_none());
    let filter = AuditFilter { actor_id: user.id(), before_ms: Some(4), ..AuditFilter::default() };
    let of_user = store.audit_lines(&a.scope, &filter, None, 10).await.expect("a page");
    assert_eq!(of_user.rows.iter().map(|line| line.at_ms).collect::<Vec<_>>(), [2]);
    let ended = AuditFilter { action: Some("end_call".into()), ..AuditFilter::default() };
    assert_eq!(store.audit_lines(&a.scope, &ended, None, 10).await.expect("a page").rows.len(), 1);
    assert_eq!(store.audit_lines(&b.scope, &all, None, 10).await.expect("a page").rows, vec![]);
}
