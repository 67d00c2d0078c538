//! The authorisation matrix: every operation of the OpenAPI document, asked for by nobody and by every role.
//!
//! What the operation says in `security` is what the router does, and both stand in `matrix.txt`: a change of that file is a
//! change of what people may do. `FRONTDESK_GOLDEN=write cargo test -p api --test people matrix` writes it anew.

use crate::rig::{Reply, Rig, SERVER};
use axum::http::StatusCode;
use model::people::{Permission, Role};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const GOLDEN: &str = include_str!("matrix.txt");
/// Operations that are asked with a body and change nothing.
const QUESTIONS: [&str; 2] = ["classify", "query_knowledge"];

struct Operation {
    id: String,
    method: String,
    path: String,
    /// `None`: for everybody. Empty: for whoever has signed in.
    needs: Option<Vec<Permission>>,
    body: bool,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&api::document()).expect("JSON");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let security = operation["security"].as_array().and_then(|all| all.first()).cloned();
            let needs = security.and_then(|one| one.get("bearer").cloned()).map(|names| {
                let names = names.as_array().cloned().unwrap_or_default();
                let read = |name: &Value| name.as_str().and_then(|name| name.parse::<Permission>().ok());
                names.iter().map(|name| read(name).unwrap_or_else(|| panic!("{id}: no permission {name}"))).collect()
            });
            let body = operation.get("requestBody").is_some();
            all.push(Operation { id: id.into(), method: method.to_uppercase(), path: path.clone(), needs, body });
        }
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// The path with every parameter filled in.
fn filled(path: &str, value: &str) -> String {
    let mut filled = String::new();
    for part in path.split('/').skip(1) {
        let part = if part.starts_with('{') { value } else { part };
        let _ = write!(filled, "/{part}");
    }
    filled
}

fn verdict(operation: &Operation, reply: &Reply) -> &'static str {
    let code =
        if reply.text.is_empty() { String::new() } else { reply.seen().1["code"].as_str().unwrap_or_default().into() };
    assert!(
        !reply.status.is_server_error() || reply.status == StatusCode::SERVICE_UNAVAILABLE,
        "{}: {reply:?}",
        operation.id
    );
    match (reply.status.as_u16(), code.as_str()) {
        (401, "unauthorized") => "401",
        (403, "forbidden") => "-",
        _ => "x",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_open_to_whom_the_matrix_says_and_to_nobody_else() {
    let rig = Rig::new(testkit::stores::sqlite().await).await;
    let owner = rig.owner("shop").await;
    let mut people = BTreeMap::new();
    for role in Role::ALL {
        people.insert(role, rig.person(&owner.scope, role).await);
    }
    let mut table = String::from(
        "# operation, method, path, permission; nobody, then every role: x may, - may not, 401 must sign in\n",
    );
    for operation in operations() {
        let path = filled(&operation.path, &uuid::Uuid::nil().to_string());
        let body = operation.body.then(|| json!({}));
        let nobody = verdict(&operation, &rig.send(&operation.method, &path, &[], body.as_ref()).await);
        let needs = match &operation.needs {
            None => "everybody".to_owned(),
            Some(needs) if needs.is_empty() => "signed in".to_owned(),
            Some(needs) => needs.iter().map(|one| one.name()).collect::<Vec<_>>().join(" "),
        };
        assert_eq!(nobody == "401", operation.needs.is_some(), "{}: the document says {needs}", operation.id);
        let mut line = format!("{} {} {} | {needs} | {nobody}", operation.id, operation.method, operation.path);
        for role in Role::ALL {
            // A session of its own for each: some operations end it.
            let token = rig.session(&owner.scope, people[&role]).await;
            let reply = rig.ask(&token, &operation.method, &path, body.clone()).await;
            let may = verdict(&operation, &reply);
            let granted = role.permissions();
            let should = operation.needs.iter().flatten().all(|one| granted.contains(*one));
            assert_eq!(may == "x", should, "{} by {role}: {reply:?}", operation.id);
            let _ = write!(line, " {may}");
        }
        table.push_str(&line);
        table.push('\n');
    }
    if std::env::var("FRONTDESK_GOLDEN").is_ok_and(|wish| wish == "write") {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/people/matrix.txt");
        std::fs::write(file, &table).expect("written");
        return;
    }
    let (now, known): (BTreeSet<&str>, BTreeSet<&str>) = (table.lines().collect(), GOLDEN.lines().collect());
    let (new, gone): (Vec<_>, Vec<_>) = (now.difference(&known).collect(), known.difference(&now).collect());
    let how = "FRONTDESK_GOLDEN=write cargo test -p api --test people matrix";
    assert!(
        new.is_empty() && gone.is_empty(),
        "the matrix differs; read it, then `{how}`\nnew: {new:#?}\ngone: {gone:#?}"
    );
}

#[test]
fn what_anybody_may_ask_for_is_on_this_list_and_each_has_its_reason() {
    let public: Vec<String> = operations().into_iter().filter(|one| one.needs.is_none()).map(|one| one.id).collect();
    let allowed = [
        "accept_invitation",
        // Visitors of websites: the page's origin lets them in, and then a token of their own.
        "begin_visit",
        "close_visit_webrtc",
        "create_token",
        "finish_oidc",
        "forgot_password",
        // What a page shows before anybody has signed in.
        "get_public_branding",
        "get_public_logo",
        // The token of the link is the credential.
        "get_shared_call",
        "get_shared_recording",
        "get_sign_in_options",
        "get_visit_webrtc",
        "healthz",
        "list_visit_messages",
        "login",
        "open_visit",
        "open_visit_webrtc",
        "readyz",
        "refresh",
        "register",
        "reset_password",
        "show_widget",
        "start_oidc",
        "trickle_visit_webrtc",
    ];
    assert_eq!(public, allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_business_has_answers_byte_for_byte_as_missing() {
    let rig = Rig::new(testkit::stores::sqlite().await).await;
    let ours = rig.owner("shop").await;
    let (theirs, tenant) = crate::samples::business(&rig).await;
    let made = crate::samples::made(&rig, &theirs, &tenant).await;
    let mut lacking = Vec::new();
    for operation in operations().iter().filter(|one| one.path.contains('{') && one.needs.is_some()) {
        let Some(sample) = made.find(&operation.path) else {
            lacking.push(format!("{} {}", operation.method, operation.path));
            continue;
        };
        let body = operation.body.then(|| crate::samples::body(&operation.id));
        let ask = async |value: &str| {
            let path = filled(&operation.path, value);
            let mut seen = rig.ask(&ours.token, &operation.method, &path, body.clone()).await.seen();
            seen.1 = json!(seen.1.to_string().replace(value, "ID"));
            seen
        };
        assert_eq!(ask(&sample.theirs).await, ask(&sample.missing).await, "{} {}", operation.method, operation.path);
    }
    assert!(
        lacking.is_empty(),
        "tests/people/samples.rs makes nothing of the kind that these paths name: {lacking:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_something_is_known_to_the_audit_log() {
    let rig = Rig::new(testkit::stores::sqlite().await).await;
    let (owner, tenant) = crate::samples::business(&rig).await;
    let made = crate::samples::made(&rig, &owner, &tenant).await;
    let mut silent = Vec::new();
    let mut reached = 0;
    for operation in operations().iter().filter(|one| one.method != "GET" && one.needs.is_some()) {
        let value = made.find(&operation.path).map(|sample| sample.theirs.clone()).unwrap_or_default();
        let path = filled(&operation.path, &value);
        let body = operation.body.then(|| crate::samples::body(&operation.id));
        let token = rig.session(&owner.scope, owner.user).await;
        let runs_it = operation.needs.iter().flatten().any(|one| *one == Permission::InstallationManage);
        let (token, named) = if runs_it { (SERVER.to_owned(), "third") } else { (token, "") };
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("frontdesk-business", named), ("if-match", "*")];
        let headers = if named.is_empty() { vec![headers[0], headers[2]] } else { headers.to_vec() };
        let reply = rig.send(&operation.method, &path, &headers, body.as_ref()).await;
        if !reply.status.is_success() {
            continue;
        }
        if QUESTIONS.contains(&operation.id.as_str()) {
            continue;
        }
        reached += 1;
        let filter = store::people::AuditFilter { action: Some(operation.id.clone()), ..Default::default() };
        let lines = rig.store.audit_lines(&owner.scope, &filter, None, 1).await.expect("answered").rows;
        if lines.is_empty() {
            silent.push(operation.id.clone());
        }
    }
    assert!(silent.is_empty(), "these succeeded and left no line: {silent:?}");
    assert!(reached >= 10, "too few of them succeeded to mean anything: {reached}");
}
