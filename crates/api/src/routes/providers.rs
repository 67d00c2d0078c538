//! Providers: how they do, what is switched, tests, credentials, who serves an agent, what all of it costs.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, Principal, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use base::Secret;
use model::people::Permission;
use model::routing::{AgentProviders, ProviderChoice, Stage, Switches};
use runtime::ProviderError;
use runtime::catalog::Entry;
use runtime::node::providers::advice;
use runtime::router::LaneView;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Owner, StoreError};
use utoipa::{IntoParams, ToSchema};

/// A provider of one stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// `stt`, `llm` or `tts`.
    stage: &'static str,
    /// Registry name.
    name: String,
    /// Name as people write it.
    title: String,
    /// Whether it can be used as it is configured.
    usable: bool,
    /// What is missing, in one line.
    problem: Option<String>,
    /// Where its credential comes from: `nowhere`, `not_needed`, `configuration`, `installation` or `business`.
    credential: &'static str,
    /// Its place among those who serve when an agent leaves the stage open, from 1.
    installed: Option<usize>,
    /// An operator has switched it off.
    switched_off: bool,
    /// An operator has put it first.
    switched_first: bool,
    /// The model it uses unless an agent says otherwise.
    model: Option<String>,
    /// Where it processes what is said.
    #[schema(value_type = Option<String>)]
    region: Option<model::routing::Region>,
    /// What it can do beyond its stage.
    #[schema(value_type = Vec<String>)]
    features: Vec<model::routing::Feature>,
    /// 0 to 100.
    quality: Option<u8>,
    /// What a minute of a usual call costs with it, in millionths of a US dollar.
    minute_usd_micros: Option<i64>,
    /// How it does, for each model and account that was used of late.
    health: Vec<HealthView>,
}

/// How one provider does with one model and one account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthView {
    model: String,
    /// Whether this is the account of the business rather than of the installation.
    own_account: bool,
    /// `closed` (it is asked), `open` (calls pass it over) or `half_open` (it is tried beside a call).
    breaker: &'static str,
    /// Outcomes within half a minute.
    outcomes: usize,
    /// Of these, failures.
    failures: usize,
    /// Median of the last minutes, from asking to the first of what was asked for.
    latency_ms: Option<u64>,
    /// Class of the last failure.
    last_failure: Option<&'static str>,
    /// How long ago that was.
    last_failure_ago_ms: Option<u64>,
}

impl From<LaneView> for HealthView {
    fn from(lane: LaneView) -> Self {
        Self {
            model: lane.key.model,
            own_account: lane.key.account.is_some(),
            breaker: lane.breaker.name(),
            outcomes: lane.outcomes,
            failures: lane.failures,
            latency_ms: lane.latency_ms,
            last_failure: lane.last_failure.map(|(class, _)| class.name()),
            last_failure_ago_ms: lane.last_failure.map(|(_, ago)| ago),
        }
    }
}

/// All providers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderList {
    items: Vec<ProviderView>,
}

/// Lists providers: who can be used, how each does on this node, what is switched.
#[utoipa::path(get, path = "/api/v1/providers", tag = "providers", operation_id = "list_providers", security(("bearer" = ["providers:read"])), responses(
    (status = 200, description = "Every provider of every stage", body = ProviderList)
))]
pub(crate) async fn list(State(app): State<App>, caller: Allowed<may::ProvidersRead>) -> Json<ProviderList> {
    let switches = app.node.board().switches();
    let mut lanes = app.node.board().lanes();
    // Another business's account is nobody else's business.
    lanes.retain(|lane| lane.key.account.is_none_or(|account| account == caller.scope.business));
    let entries = app.node.catalog().map(|catalog| catalog.entries(caller.scope.business)).unwrap_or_default();
    let view = |entry: Entry| view(&app, &switches, &lanes, entry);
    Json(ProviderList { items: entries.into_iter().map(view).collect() })
}

fn view(app: &App, switches: &Switches, lanes: &[LaneView], entry: Entry) -> ProviderView {
    let Entry { stage, name, title, credential, facts } = entry;
    let of_it = lanes.iter().filter(|lane| lane.key.stage == stage && lane.key.provider == name);
    let installed = app.node.installed(stage).iter().position(|known| *known == name).map(|at| at + 1);
    let problem = facts.as_ref().err().map(ToString::to_string);
    let facts = facts.ok();
    ProviderView {
        stage: stage.name(),
        title,
        usable: facts.is_some(),
        problem,
        credential: credential.name(),
        installed,
        switched_off: switches.is_off(stage, &name),
        switched_first: switches.first.get(&stage) == Some(&name),
        model: facts.as_ref().map(|facts| facts.model.clone()),
        region: facts.as_ref().and_then(|facts| facts.region),
        features: facts.as_ref().map(|facts| facts.features.clone()).unwrap_or_default(),
        quality: facts.as_ref().map(|facts| facts.quality),
        minute_usd_micros: facts.as_ref().and_then(|facts| facts.minute).map(|minute| minute.usd_micros),
        health: of_it.cloned().map(Into::into).collect(),
        name,
    }
}

/// What is switched while calls run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchesBody {
    /// Who comes first in a stage, whatever agents say: `{"tts": "acme"}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    first: BTreeMap<Stage, String>,
    /// Who is not asked: `{"stt": ["acme"]}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    off: BTreeMap<Stage, BTreeSet<String>>,
    /// In how many of a hundred calls each flag is on.
    #[serde(default)]
    flags: BTreeMap<String, u8>,
    /// The version that this change is based on; left out, it replaces whatever there is.
    #[serde(default)]
    version: Option<u32>,
}

/// Reads what is switched.
#[utoipa::path(get, path = "/api/v1/providers/switches", tag = "providers", operation_id = "get_switches", security(("bearer" = ["providers:read"])), responses(
    (status = 200, description = "What is switched", body = SwitchesBody),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn switches(
    State(app): State<App>,
    _caller: Allowed<may::ProvidersRead>,
) -> Result<Json<SwitchesBody>, Problem> {
    let (Switches { first, off, flags }, version) = app.node.switches().await.map_err(provider_problem)?;
    Ok(Json(SwitchesBody { first, off, flags, version: Some(version) }))
}

/// Switches providers. Calls in progress follow when they use the stage next; none is dropped.
#[utoipa::path(put, path = "/api/v1/providers/switches", tag = "providers", operation_id = "put_switches", security(("bearer" = ["installation:manage"])),
    request_body = SwitchesBody, responses(
    (status = 200, description = "What is switched now", body = SwitchesBody),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "A name or a share is not valid, or the version is not the one now", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn put_switches(
    State(app): State<App>,
    _caller: Allowed<may::InstallationManage>,
    body: Result<Json<SwitchesBody>, JsonRejection>,
) -> Result<Json<SwitchesBody>, Problem> {
    let Json(SwitchesBody { first, off, flags, version }) = body.map_err(super::not_read)?;
    let switches = Switches { first: first.clone(), off: off.clone(), flags: flags.clone() };
    let version = app.node.set_switches(switches, version).await.map_err(provider_problem)?;
    Ok(Json(SwitchesBody { first, off, flags, version: Some(version) }))
}

/// How a provider is to be tested.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TestBody {
    /// Model instead of the configured one.
    model: Option<String>,
    /// Voice instead of the configured one.
    voice: Option<String>,
    /// Language; English when left out.
    language: Option<String>,
}

/// What a test found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestResult {
    ok: bool,
    /// Until the first of what was asked for.
    took_ms: Option<u64>,
    /// What is wrong, in one line.
    problem: Option<String>,
    /// The class of the failure.
    class: Option<&'static str>,
}

/// Gives a provider a small task with the credential that calls would use.
#[utoipa::path(post, path = "/api/v1/providers/{stage}/{name}/test", tag = "providers", operation_id = "test_provider", security(("bearer" = ["providers:manage"])),
    params(("stage" = String, Path, description = "`stt`, `llm` or `tts`"), ("name" = String, Path, description = "Registry name")),
    request_body = TestBody, responses(
    (status = 200, description = "What the test found", body = TestResult),
    (status = 404, description = "No such stage", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem)
))]
pub(crate) async fn test(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    Path((stage, name)): Path<(String, String)>,
    body: Result<Json<TestBody>, JsonRejection>,
) -> Result<Json<TestResult>, Problem> {
    let stage: Stage = stage.parse().map_err(|_| Problem::not_found())?;
    let Json(TestBody { model, voice, language }) = body.map_err(super::not_read)?;
    let choice = ProviderChoice { model, voice, language, ..ProviderChoice::named(name) };
    Ok(Json(match app.node.try_provider(&caller.scope, stage, &choice).await {
        Ok(took) => TestResult { ok: true, took_ms: Some(took.0), problem: None, class: None },
        Err(failure) => {
            TestResult { ok: false, took_ms: None, problem: Some(advice(&failure)), class: Some(failure.class.name()) }
        }
    }))
}

/// A credential, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialView {
    /// `installation` or `business`.
    owner: &'static str,
    /// Registry name of the provider.
    provider: String,
    /// Names of the fields, each with its last characters.
    fields: BTreeMap<String, String>,
    /// Why it does not open; then it has no fields, and the provider cannot be used until it is set again.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
    /// Unix milliseconds of the last change.
    updated_at_ms: i64,
}

/// Credentials, without their secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialList {
    items: Vec<CredentialView>,
}

/// The fields of a credential: `api_key` and the provider's own settings. Nothing of it is ever given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialBody {
    fields: BTreeMap<String, String>,
}

/// Lists credentials that were set while running, without their secrets.
#[utoipa::path(get, path = "/api/v1/credentials", tag = "providers", operation_id = "list_credentials", security(("bearer" = ["providers:read"])), responses(
    (status = 200, description = "Credentials of the business, and those of the installation for who runs it", body = CredentialList),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn credentials(
    State(app): State<App>,
    caller: Allowed<may::ProvidersRead>,
) -> Result<Json<CredentialList>, Problem> {
    let mut all = app.node.masked_credentials(caller.scope.business).await.map_err(provider_problem)?;
    if !caller.may(Permission::InstallationManage) {
        all.retain(|one| one.owner != Owner::Installation); // Whoever runs the installation pays for it, and it is theirs.
    }
    let view = |one: runtime::MaskedCredential| CredentialView {
        owner: if one.owner == Owner::Installation { "installation" } else { "business" },
        provider: one.provider,
        fields: one.fields,
        damage: one.damage,
        updated_at_ms: one.updated_at_ms,
    };
    Ok(Json(CredentialList { items: all.into_iter().map(view).collect() }))
}

fn owner(caller: &Principal, text: &str) -> Result<Owner, Problem> {
    match text {
        "installation" => caller.require(Permission::InstallationManage).map(|()| Owner::Installation),
        "business" => Ok(Owner::Business(caller.scope.business)),
        _ => Err(Problem::not_found()),
    }
}

/// Sets a credential. It is sealed, and used from the next use of the provider on.
#[utoipa::path(put, path = "/api/v1/credentials/{owner}/{provider}", tag = "providers", operation_id = "put_credential", security(("bearer" = ["providers:manage"])),
    params(("owner" = String, Path, description = "`installation` or `business`"), ("provider" = String, Path, description = "Registry name")),
    request_body = CredentialBody, responses(
    (status = 204, description = "It is kept"),
    (status = 404, description = "No such owner", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The provider or a field is not known", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn put_credential(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    Path((owner_name, provider)): Path<(String, String)>,
    body: Result<Json<CredentialBody>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let owner = owner(&caller, &owner_name)?;
    let Json(CredentialBody { fields }) = body.map_err(super::not_read)?;
    let fields = fields.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
    app.node.put_credential(owner, &provider, fields).await.map_err(provider_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a credential.
#[utoipa::path(delete, path = "/api/v1/credentials/{owner}/{provider}", tag = "providers", operation_id = "delete_credential", security(("bearer" = ["providers:manage"])),
    params(("owner" = String, Path, description = "`installation` or `business`"), ("provider" = String, Path, description = "Registry name")),
    responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "No such credential", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delete_credential(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    Path((owner_name, provider)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let owner = owner(&caller, &owner_name)?;
    let was_there = app.node.delete_credential(owner, &provider).await.map_err(provider_problem)?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Who serves an agent's calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentProvidersView {
    /// Version of the agent.
    version: u32,
    /// As docs/router.md describes.
    #[schema(value_type = Object)]
    providers: AgentProviders,
}

/// Reads who serves an agent's calls.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/providers", tag = "providers", operation_id = "get_agent_providers", security(("bearer" = ["agents:read"])),
    params(("agent" = String, Path, description = "Short name of the agent")), responses(
    (status = 200, description = "Who serves it", body = AgentProvidersView),
    (status = 404, description = "No such agent", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn agent(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    Path(slug): Path<String>,
) -> Result<Json<AgentProvidersView>, Problem> {
    let known = app.node.store().agent_by_slug(&caller.scope, &slug).await.map_err(store_problem)?;
    Ok(Json(AgentProvidersView { version: known.version, providers: known.agent.providers }))
}

/// Sets who serves an agent's calls, from the next one on.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/providers", tag = "providers", operation_id = "put_agent_providers", security(("bearer" = ["agents:write"])),
    params(("agent" = String, Path, description = "Short name of the agent")), request_body = Object, responses(
    (status = 200, description = "Who serves it now", body = AgentProvidersView),
    (status = 404, description = "No such agent", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "A provider cannot be used; the text says why", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn put_agent(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Path(slug): Path<String>,
    body: Result<Json<AgentProviders>, JsonRejection>,
) -> Result<Json<AgentProvidersView>, Problem> {
    let Json(providers) = body.map_err(super::not_read)?;
    let set = app.node.set_agent_providers(&caller.scope, &slug, providers.clone()).await;
    Ok(Json(AgentProvidersView { version: set.map_err(provider_problem)?, providers }))
}

/// From when on costs are added up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostQuery {
    /// Unix milliseconds; the beginning of this month (UTC) when left out.
    from_ms: Option<i64>,
}

/// What one provider charged in one stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StageCostView {
    /// `stt`, `llm`, `tts`, `embed` or `text`.
    stage: &'static str,
    /// Registry name.
    provider: String,
    /// In millionths of a US dollar, by the list prices of the build.
    cost_usd_micros: i64,
}

impl From<store::StageCost> for StageCostView {
    fn from(one: store::StageCost) -> Self {
        Self { stage: one.stage.name(), provider: one.provider, cost_usd_micros: one.cost.usd_micros }
    }
}

/// What calls cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CostView {
    /// Unix milliseconds from which calls count, by their beginning.
    from_ms: i64,
    /// All of it, in millionths of a US dollar.
    total_usd_micros: i64,
    /// By stage and provider, of calls that are over.
    by_provider: Vec<StageCostView>,
}

/// Adds up what the calls of the business have cost.
#[utoipa::path(get, path = "/api/v1/costs", tag = "providers", operation_id = "get_costs", security(("bearer" = ["usage:read"])), params(CostQuery), responses(
    (status = 200, description = "What calls cost", body = CostView),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn costs(
    State(app): State<App>,
    caller: Allowed<may::UsageRead>,
    query: Result<Query<CostQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<CostView>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let from_ms = query.from_ms.unwrap_or_else(|| runtime::month_begins_ms(runtime::wall_ms()));
    let store = app.node.store();
    let total = store.cost_since(&caller.scope, from_ms).await.map_err(store_problem)?;
    let lines = store.costs_since(&caller.scope, from_ms).await.map_err(store_problem)?;
    let by_provider = lines.into_iter().map(Into::into).collect();
    Ok(Json(CostView { from_ms, total_usd_micros: total.usd_micros, by_provider }))
}

fn provider_problem(error: ProviderError) -> Problem {
    match error {
        // Clients know a change that came too late by this code.
        ProviderError::Invalid(why) | ProviderError::Store(StoreError::Conflict(why)) => Problem::invalid(why),
        ProviderError::Store(error) => store_problem(error),
    }
}
