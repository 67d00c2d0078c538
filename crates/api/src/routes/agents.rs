//! Agents: drafts, status, publication. Their versions are in `versions`, their tools in `tools`.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, MaybeBody, Params, Tagged, body, page, rate};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::{AgentId, limits};
use model::agent::{Agent, AgentStatus};
use model::business::TenantScope;
use model::hours::Outside;
use model::seed::SeedAgent;
use runtime::ProviderError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Store;
use store::contract::drafts::{AgentFilter, DraftedAgent, Publication};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const NAME_CHARS_MAX: usize = 200;
const PERSONA_CHARS_MAX: usize = 50_000;
const NOTE_CHARS_MAX: usize = 1_000;

/// An agent, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentView {
    id: Uuid,
    /// Short name, used to pick it; it never changes.
    slug: String,
    name: String,
    business_name: String,
    /// BCP-47 language.
    language: String,
    /// First words of a call.
    greeting: String,
    /// The version that calls get; 0 when none was published.
    version: u32,
    /// Whether it answers.
    status: StatusView,
    /// Whether the draft differs from the published version.
    changed: bool,
    /// Counts every change; the same as `ETag`.
    revision: u32,
    /// Unix milliseconds of the last change; 0 when it is not known.
    updated_at_ms: i64,
}

/// An agent with its draft.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentDetail {
    #[serde(flatten)]
    agent: AgentView,
    /// All that can be set, as it would be published now.
    #[schema(value_type = Object)]
    draft: Value,
}

/// Whether an agent answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatusView {
    /// It answers and calls as soon as a version of it is published.
    Enabled,
    /// It takes no new calls; calls in progress go on.
    Disabled,
    /// It was deleted.
    Archived,
}

impl From<AgentStatus> for StatusView {
    fn from(status: AgentStatus) -> Self {
        match status {
            AgentStatus::Enabled => Self::Enabled,
            AgentStatus::Disabled => Self::Disabled,
            AgentStatus::Archived => Self::Archived,
        }
    }
}

impl From<StatusView> for AgentStatus {
    fn from(status: StatusView) -> Self {
        match status {
            StatusView::Enabled => Self::Enabled,
            StatusView::Disabled => Self::Disabled,
            StatusView::Archived => Self::Archived,
        }
    }
}

/// An agent to make, or a change of its draft (JSON merge patch, RFC 7396: what is left out stays, null takes away). What is
/// not described here is described in the guide of agents: `lines`, `timing`, `turns`, `sound`, `outbound`, `brain`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read as the description of an agent")]
pub(crate) struct NewAgent {
    /// Short name, unique within the business. Only when it is made.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "front")]
    slug: String,
    #[schema(min_length = 1, max_length = 200, example = "Robin")]
    name: String,
    /// Name of the business as spoken; that of the profile when left out.
    #[schema(required = false, min_length = 1, max_length = 200)]
    business_name: String,
    /// Who the agent is and how it behaves.
    #[schema(required = false, max_length = 50000)]
    persona: String,
    /// BCP-47 language; English when left out.
    #[schema(required = false, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", example = "en")]
    language: String,
    /// When it takes calls that come in, and what it does otherwise; always when left out.
    #[schema(required = false)]
    hours: Option<super::shapes::AgentHoursShape>,
    /// What it must not do.
    #[schema(required = false)]
    guardrails: super::shapes::GuardrailsShape,
    /// How a caller is handed to a person.
    #[schema(required = false)]
    handoff: super::shapes::HandoffShape,
}

/// A change of an agent's draft (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct AgentPatch {
    #[schema(required = false, min_length = 1, max_length = 200)]
    name: String,
    /// Name of the business as spoken.
    #[schema(required = false, min_length = 1, max_length = 200)]
    business_name: String,
    /// Who the agent is and how it behaves.
    #[schema(required = false, max_length = 50000)]
    persona: String,
    /// BCP-47 language.
    #[schema(required = false, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", example = "en")]
    language: String,
    /// Whether both sides are recorded; null: as by default.
    #[schema(required = false, value_type = Option<bool>)]
    record: bool,
    /// When it takes calls that come in, and what it does otherwise; null: always.
    #[schema(required = false)]
    hours: Option<super::shapes::AgentHoursShape>,
    /// What it must not do; null: as by default.
    #[schema(required = false)]
    guardrails: Option<super::shapes::GuardrailsShape>,
    /// How a caller is handed to a person; null: as by default.
    #[schema(required = false)]
    handoff: Option<super::shapes::HandoffShape>,
    /// What it goes through with a caller, step by step (docs/flows.md); null takes it away.
    #[schema(required = false, value_type = Option<Object>)]
    flow: Value,
}

/// Which agents.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentQuery {
    /// Agents with this status; all but archived ones when left out.
    #[param(inline)]
    status: Option<StatusView>,
    /// Agents whose short name holds this.
    #[param(max_length = 100)]
    q: Option<String>,
    /// `slug` or `-slug`.
    #[param(inline)]
    sort: Option<AgentSort>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(crate) enum AgentSort {
    #[serde(rename = "slug")]
    Slug,
    #[serde(rename = "-slug")]
    SlugDown,
}

pub(super) fn view(known: &DraftedAgent) -> AgentView {
    AgentView {
        id: known.draft.id.0,
        slug: known.draft.slug.clone(),
        name: known.draft.name.clone(),
        business_name: known.draft.business_name.clone(),
        language: known.draft.language.clone(),
        greeting: known.draft.lines.greeting.clone(),
        version: known.version,
        status: known.status.into(),
        changed: known.is_changed(),
        revision: known.revision,
        updated_at_ms: known.updated_at_ms,
    }
}

fn detail(known: &DraftedAgent) -> Result<AgentDetail, Problem> {
    Ok(AgentDetail { agent: view(known), draft: config_of(&known.draft)? })
}

fn tagged(known: &DraftedAgent) -> Result<Tagged<AgentDetail>, Problem> {
    Ok(Tagged { version: known.revision, body: detail(known)? })
}

/// What can be set about an agent, without its ids.
pub(super) fn config_of(agent: &Agent) -> Result<Value, Problem> {
    let mut config = serde_json::to_value(agent).map_err(|_| Problem::internal())?;
    if let Some(fields) = config.as_object_mut() {
        fields.remove("id");
        fields.remove("business");
    }
    Ok(config)
}

/// The agent that a path names, by id or short name.
pub(super) async fn find(store: &dyn Store, scope: &TenantScope, name: &str) -> Result<DraftedAgent, Problem> {
    let id = match name.parse::<AgentId>() {
        Ok(id) => id,
        Err(_) => store.agent_by_slug(scope, name).await.map_err(store_problem)?.agent.id,
    };
    store.drafted(scope, id).await.map_err(store_problem)
}

/// Lists agents, in the order of their short names.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", operation_id = "list_agents", params(AgentQuery),
    security(("bearer" = ["agents:read"])), responses((status = 200, description = "One page of agents", body = List<AgentView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    uri: Uri,
    Params(query): Params<AgentQuery>,
) -> Result<Listed<AgentView>, Problem> {
    let wanted = page::rows(query.limit)?;
    if let Some(words) = &query.q {
        super::check_text("q", words, 0, 100)?;
    }
    let filter = AgentFilter {
        status: query.status.map(Into::into),
        words: query.q,
        descending: matches!(query.sort, Some(AgentSort::SlugDown)),
    };
    let agents = app.node.store().drafted_agents(&caller.scope, &filter, query.cursor.as_deref(), wanted + 1).await;
    let (rows, next) = page::cut(agents.map_err(store_problem)?, wanted, |agent| agent.draft.slug.clone());
    Ok(Listed::new(rows.iter().map(view).collect(), next, uri))
}

/// Makes an agent. It takes calls as soon as it is published.
#[utoipa::path(post, path = "/api/v1/agents", tag = "agents", operation_id = "create_agent", request_body = NewAgent,
    security(("bearer" = ["agents:write"])), responses(
    (status = 201, description = "The agent", body = AgentDetail, headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its revision")))
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Body(mut new): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let store = app.node.store();
    if !new.contains_key("business_name") {
        let business = store.business(&caller.scope).await.map_err(store_problem)?;
        new.insert("business_name".into(), Value::String(business.name));
    }
    new.entry("persona").or_insert_with(|| Value::String(String::new()));
    new.entry("language").or_insert_with(|| Value::String("en".into()));
    let agent = parse(&Value::Object(new), AgentId::generate(), &caller.scope)?;
    check(&app, &agent)?;
    let made = store.create_draft(&caller.scope, &agent, runtime::wall_ms()).await.map_err(store_problem)?;
    let location = format!("/api/v1/agents/{}", agent.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged(&made)?).into_response())
}

/// Reads an agent with its draft.
#[utoipa::path(get, path = "/api/v1/agents/{agent}", tag = "agents", operation_id = "get_agent",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The agent", body = AgentDetail, headers(("ETag" = String, description = "Its revision")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
) -> Result<Tagged<AgentDetail>, Problem> {
    tagged(&find(app.node.store().as_ref(), &caller.scope, &name).await?)
}

/// Changes an agent's draft. Calls see it when it is published.
#[utoipa::path(patch, path = "/api/v1/agents/{agent}", tag = "agents", operation_id = "update_agent",
    extensions(("x-if-match" = json!(true))), params(("agent" = String, Path, description = "Id or short name")),
    request_body = AgentPatch, security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "The agent as it is now", body = AgentDetail, headers(("ETag" = String, description = "Its revision")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<AgentDetail>, Problem> {
    let store = app.node.store();
    let known = find(store.as_ref(), &caller.scope, &name).await?;
    let expected = if_match.required(known.revision)?;
    let merged = super::merged_value(config_of(&known.draft)?, &patch)?;
    if merged.get("slug").and_then(Value::as_str) != Some(known.draft.slug.as_str()) {
        return Err(Problem::invalid("slug: it never changes"));
    }
    let agent = parse(&merged, known.draft.id, &caller.scope)?;
    check(&app, &agent)?;
    put_draft(&app, &caller.scope, &agent, expected, known.revision).await
}

pub(super) async fn put_draft(
    app: &App,
    scope: &TenantScope,
    agent: &Agent,
    expected: Option<u32>,
    now: u32,
) -> Result<Tagged<AgentDetail>, Problem> {
    let written = app.node.store().put_draft(scope, agent, expected, runtime::wall_ms()).await;
    tagged(
        &written
            .map_err(|error| if expected.is_some() { super::stale_or(error, now) } else { store_problem(error) })?,
    )
}

/// Deletes an agent: its past calls still name it, nothing else does.
#[utoipa::path(delete, path = "/api/v1/agents/{agent}", tag = "agents", operation_id = "delete_agent",
    extensions(("x-if-match" = json!("optional"))),
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:write"])), responses(
    (status = 204, description = "It is gone"),
    (status = 409, description = "Numbers lead to it", body = Problem)
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let store = app.node.store();
    let known = find(store.as_ref(), &caller.scope, &name).await?;
    let expected = if_match.against(known.revision)?;
    if known.status == AgentStatus::Archived {
        return Err(Problem::not_found());
    }
    let (id, now_ms) = (known.draft.id, runtime::wall_ms());
    let done = store.set_agent_status(&caller.scope, id, AgentStatus::Archived, expected, now_ms).await;
    done.map(|_| StatusCode::NO_CONTENT).map_err(|error| super::stale_or(error, known.revision))
}

/// Whether an agent answers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusBody {
    status: StatusView,
}

/// Switches an agent on or off. Calls in progress go on.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/status", tag = "agents", operation_id = "set_agent_status",
    extensions(("x-if-match" = json!("optional"))),
    params(("agent" = String, Path, description = "Id or short name")), request_body = StatusBody,
    security(("bearer" = ["agents:publish"])), responses(
    (status = 200, description = "The agent as it is now", body = AgentDetail, headers(("ETag" = String, description = "Its revision"))),
    (status = 409, description = "Numbers lead to an agent that is to be archived", body = Problem)
))]
pub(crate) async fn set_status(
    State(app): State<App>,
    caller: Allowed<may::AgentsPublish>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(body): Body<StatusBody>,
) -> Result<Tagged<AgentDetail>, Problem> {
    let store = app.node.store();
    let known = find(store.as_ref(), &caller.scope, &name).await?;
    let expected = if_match.against(known.revision)?;
    let (id, status) = (known.draft.id, body.status.into());
    let done = store.set_agent_status(&caller.scope, id, status, expected, runtime::wall_ms()).await;
    tagged(&done.map_err(|error| super::stale_or(error, known.revision))?)
}

/// What is said about a publication.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PublishBody {
    /// For whoever reads the list of versions.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Publishes an agent's draft: the next calls get it. Calls in progress keep the version they began with.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/publish", tag = "agents", operation_id = "publish_agent",
    extensions(("x-if-match" = json!("optional"))),
    params(("agent" = String, Path, description = "Id or short name")), request_body = Option<PublishBody>,
    security(("bearer" = ["agents:publish"])), responses(
    (status = 200, description = "The agent as it is now", body = AgentDetail, headers(("ETag" = String, description = "Its revision"))),
    (status = 409, description = "It is archived", body = Problem)
))]
pub(crate) async fn publish(
    State(app): State<App>,
    caller: Allowed<may::AgentsPublish>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    MaybeBody(body): MaybeBody<PublishBody>,
) -> Result<Tagged<AgentDetail>, Problem> {
    if let Some(note) = &body.note {
        super::check_text("note", note, 0, NOTE_CHARS_MAX)?;
    }
    let store = app.node.store();
    let known = find(store.as_ref(), &caller.scope, &name).await?;
    let expected = if_match.against(known.revision)?;
    check(&app, &known.draft)?;
    check_words(&known.draft)?;
    // A draft may hold a flow that is not finished.
    let wrong =
        known.draft.flow.as_ref().map(|flow| super::flows::problems(flow, &known.draft.tools)).unwrap_or_default();
    if let Some(problem) = wrong.first() {
        let node = problem.node.as_ref().map(|node| format!("node {node}: ")).unwrap_or_default();
        return Err(Problem::invalid(format!("flow: {node}{} ({} in all)", problem.detail, wrong.len())));
    }
    let by = rate::actor_name(caller.actor);
    let publication = Publication { note: body.note.as_deref(), by: &by, at_ms: runtime::wall_ms() };
    let done = store.publish(&caller.scope, known.draft.id, expected, publication).await;
    tagged(&done.map_err(|error| super::stale_or(error, known.revision))?)
}

/// Reads the description of an agent, and says where something is wrong.
fn parse(config: &Value, id: AgentId, scope: &TenantScope) -> Result<Agent, Problem> {
    let text = serde_json::to_vec(config).map_err(|_| Problem::internal())?;
    let seed: SeedAgent = body::parsed(&text)?;
    let agent = seed.agent(id, scope.business);
    // Types of the domain skip names that they do not know; here that is a mistake.
    if let Some(place) = super::unknown_field(config, &config_of(&agent)?) {
        return Err(Problem::invalid(format!("{place}: there is no such field")));
    }
    Ok(agent)
}

/// Its hours, and what it must not do.
fn check_rules(agent: &Agent) -> Result<(), Problem> {
    agent.handoff.check().map_err(|why| Problem::invalid(format!("handoff.{why}")))?;
    let guardrails = &agent.guardrails;
    guardrails.check().map_err(|why| Problem::invalid(format!("guardrails.{why}")))?;
    let Some(hours) = &agent.hours else { return Ok(()) };
    hours.check().map_err(|why| Problem::invalid(format!("hours.{why}")))?;
    hours.time_zone.as_ref().map_or(Ok(()), |zone| super::check_zone("hours.time_zone", zone))
}

/// What it says by itself must not be what it never says. A draft may be on its way there.
fn check_words(agent: &Agent) -> Result<(), Problem> {
    let outside = match agent.hours.as_ref().map(|hours| &hours.outside) {
        Some(Outside::Message { text } | Outside::Transfer { text, .. }) => text.as_str(),
        Some(Outside::TakeAnyway) | None => "",
    };
    let lines = serde_json::to_value(&agent.lines).map_err(|_| Problem::internal())?;
    let lines =
        lines.as_object().into_iter().flatten().filter_map(|(name, text)| Some((name.as_str(), text.as_str()?)));
    let mut said = lines.map(|(name, text)| (format!("lines.{name}"), text)).chain([
        ("guardrails.instead".into(), agent.guardrails.instead.as_str()),
        ("hours.outside.text".into(), outside),
    ]);
    let wrong = said.find_map(|(at, text)| agent.guardrails.phrase_in("", text).map(|phrase| (at, phrase)));
    match wrong {
        Some((at, phrase)) => Err(Problem::invalid(format!("{at}: it holds \"{phrase}\", which is never said"))),
        None => Ok(()),
    }
}

fn check(app: &App, agent: &Agent) -> Result<(), Problem> {
    super::check_slug("slug", &agent.slug)?;
    super::check_text("name", &agent.name, 1, NAME_CHARS_MAX)?;
    super::check_text("business_name", &agent.business_name, 1, NAME_CHARS_MAX)?;
    super::check_text("persona", &agent.persona, 0, PERSONA_CHARS_MAX)?;
    super::check_language(&agent.language)?;
    let timing = &agent.timing;
    if timing.call_ms_max == 0 || timing.call_ms_max > limits::CALL_MS_MAX {
        return Err(Problem::invalid(format!("timing.call_ms_max: 1 to {}", limits::CALL_MS_MAX)));
    }
    if timing.tool_ms_max == 0 || timing.turn_ms_max == 0 || timing.ring_ms_max == 0 {
        return Err(Problem::invalid("timing: tool_ms_max, turn_ms_max and ring_ms_max must be more than 0"));
    }
    super::tools::check_all(&agent.tools)?;
    check_rules(agent)?;
    if agent.flow.as_ref().is_some_and(|flow| flow.nodes.len() > limits::FLOW_NODES_MAX) {
        return Err(Problem::invalid(format!("flow: at most {} nodes", limits::FLOW_NODES_MAX)));
    }
    match app.node.check_providers(agent.business, &agent.providers) {
        Ok(()) => Ok(()),
        Err(ProviderError::Invalid(why)) => Err(Problem::invalid(format!("providers: {why}"))),
        Err(ProviderError::Store(error)) => Err(store_problem(error)),
    }
}
