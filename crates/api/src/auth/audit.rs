//! Who did what: every change that the API makes leaves a line in the business's audit log.
//!
//! A layer around every handler makes the line: the operation's name, whose credential it was, on what, and from where. The
//! change takes it along in its own transaction ([`store::trail`]), so none is made whose line cannot be written, and no
//! handler can forget it. A handler that knows more says it before the change ([`tell`]). What succeeds without touching a row
//! of the business (a live call is told something), and who signs in, gets its line afterwards; a handler leaves what it knows
//! of that as a [`Note`] in its answer.

use super::{Actor, Principal, network};
use crate::App;
use crate::problem::Problem;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::business::TenantScope;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::people::Audited;
use store::trail::{Line, Trail};

/// Operations that are asked with a body and change nothing.
const QUESTIONS: [&str; 2] = ["query_knowledge", "classify"];

/// Operations that change something although they are a `GET`: a browser is sent back by another site.
const CHANGES_BY_GET: [&str; 1] = ["finish_oidc"];
/// Operations that give somebody a credential and touch no row: nobody gets one of which there is no line.
const CREDENTIALS: [&str; 1] = ["create_token"];

/// What a handler adds to the line about it.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// For which business, where the request does not say it by its credential.
    scope: Option<TenantScope>,
    actor: Option<Actor>,
    subject: Option<String>,
    details: Option<Value>,
}

impl Note {
    /// Who did it, where the request came without a credential.
    pub(crate) fn by(scope: TenantScope, actor: Actor) -> Self {
        Self { scope: Some(scope), actor: Some(actor), ..Self::default() }
    }

    /// For which business it was, where nobody had signed in.
    pub(crate) fn of(scope: TenantScope) -> Self {
        Self { scope: Some(scope), ..Self::default() }
    }

    /// On what, where the path does not say it: `kind/id`.
    pub(crate) fn on(subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..Self::default() }
    }

    /// What exactly, without secrets.
    #[must_use]
    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// Names of the operations, by method and path.
pub(crate) type Operations = Arc<BTreeMap<(String, String), String>>;

/// The operations of an OpenAPI document.
pub(crate) fn operations(document: &Value) -> Operations {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().cloned().unwrap_or_default().into_iter();
        let path = path.clone();
        methods.filter_map(move |(method, operation)| {
            let id = operation["operationId"].as_str()?.to_owned();
            Some(((method.to_uppercase(), path.clone()), id))
        })
    };
    Arc::new(paths.flat_map(of_path).collect())
}

/// Says more about the change that follows, before it is made.
pub(crate) fn tell(note: &Note) {
    if let Some(trail) = Trail::current() {
        trail.amend(|line| note.complete(line));
    }
}

impl Note {
    fn complete(&self, line: &mut Line) {
        line.scope = self.scope.or(line.scope);
        line.actor = self.actor.or(line.actor);
        if let Some(subject) = &self.subject {
            line.subject.clone_from(subject);
        }
        if let Some(details) = &self.details {
            line.details.clone_from(details);
        }
    }
}

/// Has a request that changes something leave its line.
pub(crate) async fn record(
    State((app, operations)): State<(App, Operations)>,
    request: Request,
    next: Next,
) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let principal = request.extensions().get::<Principal>().copied();
    let address = network::client_address(&app.access, request.headers(), request.extensions());
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let name = route.and_then(|route| operations.get(&(request.method().to_string(), route)).cloned());
    let Some(action) = name.filter(|name| !QUESTIONS.contains(&name.as_str())) else {
        return next.run(request).await;
    };
    let changes = changes || CHANGES_BY_GET.contains(&action.as_str());
    let gives_credential = CREDENTIALS.contains(&action.as_str());
    let trail = Trail::new(Line {
        scope: principal.map(|principal| principal.scope),
        actor: principal.map(|principal| principal.actor),
        action,
        subject: request.uri().path().trim_start_matches("/api/v1/").to_owned(),
        details: json!({}),
        address: address.map(|address| address.to_string()),
        at_ms: runtime::wall_ms(),
    });
    let response = if changes { trail.follow(next.run(request)).await } else { next.run(request).await };
    let note = response.extensions().get::<Note>();
    if trail.is_written() || !((changes && response.status().is_success()) || note.is_some()) {
        return response;
    }
    let mut line = trail.line();
    if let Some(note) = note {
        note.complete(&mut line);
    }
    let Some(scope) = line.scope else { return response };
    let Line { actor, action, subject, details, address, .. } = &line;
    let line = Audited { actor: *actor, action, subject, details, address: address.as_deref() };
    if !write(&app, scope, &line).await && gives_credential {
        return Problem::unavailable("the audit log cannot be written").into_response();
    }
    response
}

/// Writes a line. What it tells of has happened, so a line that cannot be written is an error for the operator.
pub(crate) async fn write(app: &App, scope: TenantScope, line: &Audited<'_>) -> bool {
    let written = app.node.store().audit(&scope, line, runtime::wall_ms()).await;
    if let Err(error) = &written {
        metrics::counter!("frontdesk_audit_lines_lost_total").increment(1);
        tracing::error!(%error, action = line.action, subject = line.subject, "a line of the audit log was lost");
    }
    written.is_ok()
}
