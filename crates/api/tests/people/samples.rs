//! One thing of each kind that paths of the API name, and one valid body for each operation that has one.
//!
//! Whoever adds an operation with an id in its path adds a line here; the tests of the matrix say when it is missing.

use crate::rig::{Owner, Rig};
use model::people::Role;
use serde_json::{Value, json};
use store::graph::{EntityFields, EntityKind, TypedRelation};
use store::heard::{HeardCall, LeftOut, Proposal, ProposalState};
use store::knowledge::{NewVersion, WholeVersion};
use store::knowledge_work::{KnowledgeReport, KnownQuestion, Site, Work, WorkKind, WorkState};
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
    let known = knowledge(rig, owner).await;
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
        sample("/api/v1/widgets/", make("/api/v1/widgets", json!({"name": "site", "agent": "front"}), "/id").await),
        sample("/api/v1/knowledge/jobs/", known.job),
        sample("/api/v1/knowledge/sites/", known.site),
        sample("/api/v1/knowledge/questions/", known.question),
        sample("/api/v1/knowledge/evaluations/", known.evaluation),
        sample("/api/v1/knowledge/entities/", known.entity),
        sample("/api/v1/knowledge/relations/", known.relation),
        sample("/api/v1/knowledge/recordings/", known.recording),
        sample("/api/v1/knowledge/proposals/", known.proposal),
        Sample { prefix: "/api/v1/knowledge/documents/", theirs: "help".into(), missing: "none".into() },
        // Words of a closed list, or names that each business has of its own.
        named("/api/v1/configuration/"),
        // Sessions have names that nobody can guess; whose they are is asked in `rtc`.
        named("/api/v1/webrtc/browser/"),
        named("/api/v1/flags/"),
        named("/api/v1/tool-credentials/"),
        named("/api/v1/mcp-servers/"),
        named("/api/v1/credentials/"),
        named("/api/v1/providers/"),
        named("/api/v1/usage/"),
        named("/api/v1/operations/nodes/"),
    ])
}

/// Ids of what belongs to documents.
struct Known {
    job: String,
    site: String,
    question: String,
    evaluation: String,
    entity: String,
    relation: String,
    recording: String,
    proposal: String,
}

/// A document, and one of each thing around documents.
async fn knowledge(rig: &Rig, owner: &Owner) -> Known {
    let (store, scope, at_ms) = (rig.store.as_ref(), &owner.scope, crate::rig::now_ms());
    let begun = NewVersion { slug: "help", title: "Help", source: "help.md", bytes: 12, sha256: "ab" };
    let version = store.begin_version(scope, &begun, at_ms).await.expect("a version");
    let whole = WholeVersion { kind: "markdown", title: "Help", pages: 0, chunks: 0, space: "toy" };
    store.publish_version(scope, version, &whole, at_ms).await.expect("it serves");
    let id = uuid::Uuid::now_v7;
    let work = Work {
        id: id(),
        kind: WorkKind::Documents,
        state: WorkState::Queued,
        source: "help.md".into(),
        progress: Default::default(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        finished_at_ms: None,
    };
    store.begin_work(scope, &work, &store::NewJob::now("knowledge.work", json!({}), at_ms)).await.expect("a job");
    let site = Site {
        id: id(),
        url: "https://a.example/".into(),
        pages_max: 1,
        depth_max: 0,
        every_hours: None,
        next_at_ms: None,
        last_work: None,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    };
    store.add_site(scope, &site).await.expect("a site");
    let question = KnownQuestion {
        id: id(),
        question: "when".into(),
        expected: None,
        origin: "typed".into(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    };
    store.add_questions(scope, std::slice::from_ref(&question)).await.expect("a question");
    let counts = ["revision", "passages", "answerable", "ranked_first", "answered", "closest", "lost", "wrong"];
    let counts = counts.iter().chain(&["unanswerable", "declined", "false_statements"]);
    let mut report: Value = counts.map(|name| ((*name).to_owned(), json!(0))).collect::<serde_json::Map<_, _>>().into();
    report["misses"] = json!([]);
    let report = KnowledgeReport { id: id(), at_ms, report };
    store.add_report(scope, &report).await.expect("an evaluation");
    let bike = EntityFields { kind: EntityKind::Product, name: "City bike".into(), aliases: Vec::new() };
    let entity = store.add_entity(scope, &bike, at_ms).await.expect("an entity");
    let (predicate, value) = ("costs".into(), "18 EUR".into());
    let says = TypedRelation { subject: entity, predicate, object: None, value, negated: false };
    let relation = store.add_relation(scope, &says).await.expect("a relation");
    let heard = HeardCall {
        id: id(),
        name: "monday.wav".into(),
        sha256: "ab".into(),
        duration_ms: 1_000,
        utterances: Vec::new(),
        left_out: LeftOut::default(),
        at_ms,
    };
    let proposal = Proposal {
        id: id(),
        heard: Some(heard.id),
        source: heard.name.clone(),
        from_ms: 0,
        question: "When?".into(),
        answer: "Daily.".into(),
        state: ProposalState::Open,
        space: "toy".into(),
        vector: Vec::new(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    };
    store.keep_heard_call(scope, &heard, std::slice::from_ref(&proposal)).await.expect("kept");
    Known {
        recording: heard.id.to_string(),
        proposal: proposal.id.to_string(),
        entity: entity.to_string(),
        relation: relation.to_string(),
        job: work.id.to_string(),
        site: site.id.to_string(),
        question: question.id.to_string(),
        evaluation: report.id.to_string(),
    }
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
        "create_site" | "put_site" => json!({"url": "https://shop.example/"}),
        "put_question" => json!({"question": "when are you open"}),
        "add_questions" => json!({"questions": [{"question": "when are you open"}]}),
        "put_agent_training" => json!({"intents": [{"name": "rent", "examples": ["rent a bike"]}]}),
        "roll_back_agent_training" => json!({"version": 1}),
        "classify" => json!({"text": "rent a bike"}),
        "add_text" => json!({"name": "hours", "text": "Open daily."}),
        "add_pairs" => json!({"name": "faq", "pairs": [{"question": "a?", "answer": "b"}]}),
        "create_entity" | "put_entity" => json!({"kind": "product", "name": "Town bike"}),
        "merge_entities" => json!({"ids": [uuid::Uuid::now_v7()]}),
        "create_relation" => json!({"subject": uuid::Uuid::now_v7(), "predicate": "costs", "value": "18 EUR"}),
        "query_knowledge" => json!({"question": "when are you open"}),
        "accept_proposals" | "reject_proposals" => json!({"ids": [uuid::Uuid::now_v7()]}),
        "put_proposal" => json!({"question": "when are you open?", "answer": "Daily."}),
        "put_embedding" => json!({"provider": "local"}),
        "put_gate" => json!({"mode": "usual"}),
        "forget_gaps" => json!({"ids": []}),
        "whisper_call" | "say_in_call" => json!({"text": "Offer her the spare key."}),
        "share_call" => json!({"expires_at_ms": crate::rig::now_ms() + 60_000}),
        "put_call_note" => json!({"text": "Wants a lamp."}),
        "create_ticket" => json!({"subject": "a lamp"}),
        "create_widget" => json!({"name": "site", "agent": "front"}),
        "put_addresses" => json!({"networks": []}),
        _ => json!({}),
    }
}
