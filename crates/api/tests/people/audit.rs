//! Lines of the audit log and the changes that they tell of: both or neither.

use crate::rig::{Rig, on_both};
use axum::http::StatusCode;
use model::people::Role;
use serde_json::{Value, json};
use store::people::AuditFilter;

on_both!(a_change_whose_line_cannot_be_written_is_not_made, asking_a_question_leaves_no_line);

async fn a_change_whose_line_cannot_be_written_is_not_made(rig: Rig) {
    let (owner, tenant) = crate::samples::business(&rig).await;
    let clerk = rig.person(&owner.scope, Role::Analyst).await;
    let key = json!({"name": "old", "permissions": ["calls:read"]});
    let key = rig.ask(&owner.token, "POST", "/api/v1/keys", Some(key)).await.good().json();
    let key = key["key"]["id"].as_str().expect("an id").to_owned();
    let agent = tenant.agent.id;
    let changes: [(&str, &str, String, Value); 11] = [
        ("update_user", "PATCH", format!("/api/v1/users/{clerk}"), json!({"role": "operator"})),
        ("create_invitation", "POST", "/api/v1/invitations".into(), json!({"email": "n@y.example", "role": "analyst"})),
        ("create_key", "POST", "/api/v1/keys".into(), json!({"name": "new", "permissions": ["calls:read"]})),
        ("rotate_key", "POST", format!("/api/v1/keys/{key}/rotate"), json!({})),
        ("delete_key", "DELETE", format!("/api/v1/keys/{key}"), Value::Null),
        ("put_tool_credential", "PUT", "/api/v1/tool-credentials/crm".into(), json!({"kind": "bearer", "token": "t"})),
        ("create_agent", "POST", "/api/v1/agents".into(), json!({"slug": "robin", "name": "Robin"})),
        ("update_agent", "PATCH", format!("/api/v1/agents/{agent}"), json!({"name": "Another"})),
        ("publish_agent", "POST", format!("/api/v1/agents/{agent}/publish"), json!({})),
        (
            "create_number",
            "POST",
            "/api/v1/numbers".into(),
            json!({"number": "+49405550199", "carrier": "loopback", "agent": agent}),
        ),
        ("put_setting", "PUT", "/api/v1/configuration/theme".into(), json!({"value": "dark"})),
    ];
    let bearer = format!("Bearer {}", owner.token);
    let make = async |(_, method, path, body): &(&str, &str, String, Value)| {
        let headers = [("authorization", bearer.as_str()), ("if-match", "*")];
        rig.send(method, path, &headers, Some(body).filter(|body| !body.is_null())).await
    };
    let state = async || {
        let mut all = Vec::new();
        for list in ["users", "invitations", "keys", "tool-credentials", "agents", "numbers", "configuration"] {
            all.push(rig.ask(&owner.token, "GET", &format!("/api/v1/{list}"), None).await.good().text);
        }
        all.push(rig.ask(&owner.token, "GET", &format!("/api/v1/agents/{agent}"), None).await.good().text);
        all
    };
    let before = state().await;
    rig.break_audit_log().await;
    for change in &changes {
        let reply = make(change).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            "{change:?}"
        );
    }
    assert_eq!(state().await, before, "nothing has changed");

    rig.mend_audit_log().await;
    for change in &changes {
        make(change).await.good();
        let filter = AuditFilter { action: Some(change.0.to_owned()), ..AuditFilter::default() };
        let lines = rig.store.audit_lines(&owner.scope, &filter, None, 10).await.expect("lines").rows;
        let wanted = if change.0 == "create_key" { 2 } else { 1 };
        assert_eq!(lines.len(), wanted, "{}: {lines:?}", change.0);
        assert_eq!((lines[0].actor_kind.as_str(), lines[0].actor_id.clone()), ("user", Some(owner.user.to_string())));
    }
    assert_ne!(state().await, before);
    let log = rig.ask(&owner.token, "GET", "/api/v1/audit?action=rotate_key", None).await.good().json();
    assert_eq!(log["items"][0]["subject"], format!("keys/{key}"));
    assert_eq!(log["items"][0]["details"]["permissions"], "calls:read");
}

async fn asking_a_question_leaves_no_line(rig: Rig) {
    let (owner, tenant) = crate::samples::business(&rig).await;
    let classify = format!("/api/v1/agents/{}/classify", tenant.agent.id);
    rig.ask(&owner.token, "POST", &classify, Some(json!({"text": "rent a bike"}))).await;
    rig.ask(&owner.token, "POST", "/api/v1/knowledge/query", Some(json!({"question": "when"}))).await;
    let lines = rig.store.audit_lines(&owner.scope, &AuditFilter::default(), None, 10).await.expect("lines").rows;
    assert!(!lines.iter().any(|line| ["classify", "query_knowledge"].contains(&line.action.as_str())), "{lines:?}");
}
