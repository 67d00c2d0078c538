//! One thing of each kind that paths of the API name, and one valid body for each operation that has one.
//!
//! Whoever adds an operation with an id in its path adds a line here; the tests of the matrix say when it is missing.

use crate::rig::{Owner, Rig};
use model::people::Role;
use serde_json::{Value, json};
use store::laws::Tenant;

/// A value for the parameters of a path.
pub struct Sample {
    /// Begins every path that it is for.
    prefix: &'static str,
    /// Of the business for which it was made.
    pub theirs: String,
    /// Of the same form, and nobody's.
    pub missing: String,
}

pub struct Made(Vec<Sample>);

impl Made {
    /// The longest prefix wins.
    pub fn find(&self, path: &str) -> Option<&Sample> {
        let fitting = self.0.iter().filter(|sample| path.starts_with(sample.prefix));
        fitting.max_by_key(|sample| sample.prefix.len())
    }
}

/// A business with an agent and a number, and its owner.
pub async fn business(rig: &Rig) -> (Owner, Tenant) {
    let tenant = store::laws::tenant(rig.store.as_ref(), "third", "+49405550170").await;
    let user = rig.person(&tenant.scope, Role::Owner).await;
    let token = rig.session(&tenant.scope, user).await;
    (Owner { scope: tenant.scope, user, token }, tenant)
}

/// Makes one of each kind for this business.
pub async fn made(rig: &Rig, owner: &Owner, tenant: &Tenant) -> Made {
    let call = store::laws::call_of(tenant, crate::rig::now_ms());
    rig.store.create_call(&tenant.scope, &call).await.expect("a call");
    let nobody = || uuid::Uuid::now_v7().to_string();
    let make = async |path: &str, body: Value, place: &str| {
        let made = rig.ask(&owner.token, "POST", path, Some(body)).await.good().json();
        made.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {made}")).to_owned()
    };
    let key = json!({"name": "k", "permissions": ["calls:read"]});
    let provider = json!({"name": "p", "discovery_url": "https://login.example", "client_id": "c"});
    let sessions = rig.ask(&owner.token, "GET", "/api/v1/auth/sessions", None).await.good().json();
    let session = sessions["items"][0]["id"].as_str().expect("an id").to_owned();
    let sample = |prefix: &'static str, theirs: String| Sample { prefix, theirs, missing: nobody() };
    let named = |prefix: &'static str| Sample { prefix, theirs: "nothing".into(), missing: "nothing".into() };
    Made(vec![
        sample("/api/v1/auth/sessions/", session),
        sample("/api/v1/users/", rig.person(&owner.scope, Role::Analyst).await.to_string()),
        sample(
            "/api/v1/invitations/",
            make("/api/v1/invitations", json!({"email": "x@y.example", "role": "analyst"}), "/id").await,
        ),
        sample("/api/v1/keys/", make("/api/v1/keys", key.clone(), "/key/id").await),
        sample("/api/v1/clients/", make("/api/v1/clients", key, "/key/id").await),
        sample("/api/v1/identity-providers/", make("/api/v1/identity-providers", provider, "/id").await),
        sample("/api/v1/calls/", call.id.to_string()),
        sample("/api/v1/conversations/", call.conversation.to_string()),
        sample("/api/v1/agents/", tenant.agent.id.to_string()),
        sample("/api/v1/numbers/", tenant.number.id.to_string()),
        sample("/api/v1/customers/", make("/api/v1/customers", json!({"email": "ada@example.com"}), "/id").await),
        sample("/api/v1/tickets/", make("/api/v1/tickets", json!({"subject": "a lamp"}), "/id").await),
        sample(
            "/api/v1/webhooks/",
            make("/api/v1/webhooks", json!({"url": "https://hooks.example.com/desk"}), "/id").await,
        ),
        // Words of a closed list, or names that each business has of its own.
        named("/api/v1/configuration/"),
        named("/api/v1/flags/"),
        named("/api/v1/tool-credentials/"),
        named("/api/v1/mcp-servers/"),
        named("/api/v1/credentials/"),
        named("/api/v1/providers/"),
        named("/api/v1/usage/"),
    ])
}

/// A valid body.
pub fn body(operation: &str) -> Value {
    match operation {
        "update_user" => json!({"role": "analyst"}),
        "update_me" => json!({"name": "Mira"}),
        "create_invitation" => json!({"email": "z@y.example", "role": "analyst"}),
        "create_key" | "create_client" => json!({"name": "k", "permissions": ["calls:read"]}),
        "create_identity_provider" | "put_identity_provider" => {
            json!({"name": "p", "discovery_url": "https://login.example", "client_id": "c"})
        }
        "whisper_call" | "say_in_call" => json!({"text": "Offer her the spare key."}),
        "create_ticket" => json!({"subject": "a lamp"}),
        "put_addresses" => json!({"networks": []}),
        _ => json!({}),
    }
}
