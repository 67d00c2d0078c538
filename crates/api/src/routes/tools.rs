//! What agents may do, as data: tools of an agent's draft, a try of one, and the credentials of the services they ask.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Tagged};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::{Millis, Secret, limits};
use model::agent::Agent;
use model::tool::{Channel, ParameterKind, ToolAction, ToolSpec};
use runtime::tools::ToolTrial;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

const TEXT_CHARS_MAX: usize = 2_000;
const PARAMETERS_MAX: usize = 32;
const MESSAGE_CHARS_MAX: usize = 1_500;
const MAIL_CHARS_MAX: usize = 10_000;
const SUBJECT_CHARS_MAX: usize = 200;
const SECRET_BYTES_MAX: usize = 8 * 1024;
const USER_BYTES_MAX: usize = 200;

/// A tool to put into an agent's draft. The parameters are typed; the policy stands in `changes_state` (it needs a spoken yes),
/// `confirm` (what is asked before) and in each parameter's kind: a value must have been said or looked up.
#[derive(ToSchema)]
#[schema(as = Tool)]
#[expect(dead_code, reason = "describes model::tool::ToolSpec")]
pub(crate) struct ToolShape {
    /// Name as a model calls it; the same as in the address.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$", example = "order_status")]
    name: String,
    /// What it does, for the model.
    #[schema(max_length = 2000)]
    description: String,
    #[schema(required = false, max_items = 32)]
    parameters: Vec<ParameterShape>,
    action: ActionShape,
    /// Whether it changes anything; then it needs a spoken yes and a durable journal entry.
    #[schema(required = false)]
    changes_state: bool,
    /// What is asked before a change, with `{parameter}` placeholders.
    #[schema(max_length = 2000)]
    confirm: Option<String>,
    /// What is said when it is done, with `{parameter}` and `{result}` placeholders.
    #[schema(max_length = 2000)]
    say_done: Option<String>,
    /// Example requests in customers' words, for the on-device brain.
    #[schema(required = false, max_items = 50)]
    examples: Vec<String>,
    /// Words of which a request must hold one before the on-device brain may choose this tool.
    #[schema(required = false, max_items = 50)]
    must_hold: Vec<String>,
}

/// One argument of a tool.
#[derive(ToSchema)]
#[schema(as = ToolParameter)]
#[expect(dead_code, reason = "describes model::tool::Parameter")]
pub(crate) struct ParameterShape {
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$", example = "order")]
    name: String,
    /// What it means, for the model.
    #[schema(max_length = 2000)]
    description: String,
    kind: KindShape,
    /// Whether the tool can run without it; true when left out.
    #[schema(required = false)]
    required: bool,
    /// What is asked when it is missing.
    #[schema(max_length = 2000)]
    ask: Option<String>,
}

/// What the values of an argument look like.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolParameterKind)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::tool::ParameterKind")]
pub(crate) enum KindShape {
    /// Free text that the customer said.
    Text,
    /// An id with this regular expression.
    Pattern {
        #[schema(example = "[A-Z]{2}[0-9]{6}")]
        regex: String,
    },
    /// One of these values.
    Choice { options: Vec<OptionShape> },
    /// A day: a weekday, today, tomorrow or a date.
    Day,
    /// A number; the tool gets it as one.
    Number {
        minimum: Option<f64>,
        maximum: Option<f64>,
        /// Whether it has no fraction.
        #[schema(required = false)]
        whole: bool,
    },
    /// Yes or no; the tool gets true or false.
    YesNo {
        /// Words by which customers mean yes; a plain yes when there are none.
        #[schema(required = false)]
        yes: Vec<String>,
        /// Words by which customers mean no; a plain no when there are none.
        #[schema(required = false)]
        no: Vec<String>,
    },
}

/// One value of a choice.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolChoice)]
pub(crate) struct OptionShape {
    value: String,
    /// Words by which customers mean it.
    #[schema(required = false)]
    said: Vec<String>,
}

/// What carries a tool out.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolAction)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::tool::ToolAction")]
pub(crate) enum ActionShape {
    /// Looks a row up in a table of the business.
    Lookup { table: String },
    /// Writes a row into a table of the business.
    Record { table: String },
    /// Asks a service of the business.
    Http {
        #[schema(example = "https://api.example.com/orders")]
        url: String,
        #[schema(required = false)]
        method: MethodShape,
        /// Name of a credential of the business's tools.
        credential: Option<String>,
        /// How long the service may take.
        #[schema(minimum = 100, maximum = 30000)]
        timeout_ms: Option<u64>,
    },
    /// What is known about whoever is on the line.
    LookUpCustomer,
    /// Raises a ticket of the arguments `subject`, `text` and any others.
    CreateTicket {
        #[schema(required = false, inline)]
        priority: super::tickets::PriorityView,
    },
    /// Sends a message that is written here. It goes out after a spoken yes only: `changes_state` must be true.
    SendMessage {
        #[schema(inline)]
        channel: ChannelShape,
        /// The argument that holds whom it goes to; whoever is on the line when left out.
        to: Option<String>,
        /// What a mail is about, with `{parameter}` placeholders; that it is from the business when left out.
        #[schema(min_length = 1, max_length = 200)]
        subject: Option<String>,
        /// What it says, with `{parameter}` placeholders; a text message has at most 1,500 characters.
        #[schema(min_length = 1, max_length = 10000)]
        text: String,
        /// How many a call may send; 2 when left out.
        #[schema(required = false, minimum = 1, maximum = 10)]
        per_call_max: u32,
        /// How many a person may get in a day; 5 when left out.
        #[schema(required = false, minimum = 1, maximum = 50)]
        per_day_max: u32,
    },
    /// Has the customer type the one argument, of the kind `pattern`, on the keys of their phone.
    CollectDigits {
        /// So many keys are the whole of it.
        #[schema(minimum = 1, maximum = 64)]
        digits_max: u32,
    },
    /// Calls a tool of an MCP server of the business.
    Mcp {
        /// Name of the server.
        server: String,
        /// Name of the tool there.
        tool: String,
        /// How long it may take.
        #[schema(minimum = 100, maximum = 30000)]
        timeout_ms: Option<u64>,
    },
    /// Searches the documents of the business.
    SearchKnowledge,
    /// Hands the call to a person.
    Handoff,
    /// Ends the call after a goodbye.
    EndCall,
}

/// By which way a message reaches somebody.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::tool::Channel")]
pub(crate) enum ChannelShape {
    /// A text message, from the number of the call and by its platform.
    Sms,
    /// A mail, where the installation sends any.
    Email,
}

/// How a service is asked: with the arguments in the address (`GET`, `DELETE`) or as JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes model::tool::HttpMethod")]
pub(crate) enum MethodShape {
    Get,
    Post,
    Put,
    Delete,
}

/// Checks all tools of an agent.
pub(super) fn check_all(tools: &[ToolSpec]) -> Result<(), Problem> {
    if tools.len() > limits::AGENT_TOOLS_MAX {
        return Err(Problem::invalid(format!("tools: at most {}", limits::AGENT_TOOLS_MAX)));
    }
    let mut names = BTreeSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let at = |why: String| Problem::invalid(format!("tools[{index}]: {why}"));
        if !names.insert(&tool.name) {
            return Err(at(format!("another tool is called {}", tool.name)));
        }
        check(tool).map_err(at)?;
    }
    Ok(())
}

fn check(tool: &ToolSpec) -> Result<(), String> {
    is_name(&tool.name).then_some(()).ok_or("name: a letter, then letters, digits and _, in lower case")?;
    let texts = [Some(&tool.description), tool.confirm.as_ref(), tool.say_done.as_ref()];
    if texts.into_iter().flatten().any(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(format!("a text has at most {TEXT_CHARS_MAX} characters"));
    }
    if tool.parameters.len() > PARAMETERS_MAX || tool.examples.len() > 50 || tool.must_hold.len() > 50 {
        return Err(format!("at most {PARAMETERS_MAX} parameters and 50 examples"));
    }
    let mut names = BTreeSet::new();
    for parameter in &tool.parameters {
        if !is_name(&parameter.name) || !names.insert(&parameter.name) {
            return Err(format!("parameters: {:?} is no name, or there are two of it", parameter.name));
        }
        engine::dialog::policy::check_kind(&parameter.kind).map_err(|why| format!("{}: {why}", parameter.name))?;
    }
    check_action(tool)
}

fn check_action(tool: &ToolSpec) -> Result<(), String> {
    let has = |name: &str| tool.parameters.iter().any(|one| one.name == name);
    match &tool.action {
        ToolAction::SendMessage { channel, to, subject, text, per_call_max, per_day_max } => {
            if !tool.changes_state {
                return Err("changes_state: a message goes out after a spoken yes only, so it must be true".into());
            }
            let chars_max = if *channel == Channel::Email { MAIL_CHARS_MAX } else { MESSAGE_CHARS_MAX };
            if text.trim().is_empty() || text.chars().count() > chars_max {
                return Err(format!("action.text: 1 to {chars_max} characters are needed"));
            }
            match (channel, subject) {
                (Channel::Sms, Some(_)) => return Err("action.subject: a text message has none".into()),
                (_, Some(subject)) if subject.trim().is_empty() || subject.chars().count() > SUBJECT_CHARS_MAX => {
                    return Err(format!("action.subject: 1 to {SUBJECT_CHARS_MAX} characters are needed"));
                }
                _ => {}
            }
            if let Some(to) = to.as_ref().filter(|to| !has(to)) {
                return Err(format!("action.to: the tool has no parameter {to}"));
            }
            let fits = (1..=10).contains(per_call_max) && (1..=50).contains(per_day_max);
            fits.then_some(()).ok_or_else(|| "action: per_call_max is 1 to 10, per_day_max 1 to 50".to_owned())
        }
        ToolAction::CollectDigits { digits_max } => {
            let is_pattern = matches!(&tool.parameters[..], [one] if matches!(one.kind, ParameterKind::Pattern { .. }));
            let fits = is_pattern && (1..=64).contains(digits_max);
            fits.then_some(())
                .ok_or_else(|| "action: one parameter of the kind pattern, and digits_max of 1 to 64".to_owned())
        }
        ToolAction::Mcp { server, tool, timeout_ms } => {
            let fits = !server.is_empty() && server.len() <= 100 && !tool.is_empty() && tool.len() <= 200;
            let in_time = timeout_ms.is_none_or(|ms| (100..=30_000).contains(&ms));
            (fits && in_time)
                .then_some(())
                .ok_or_else(|| "action: server, tool, and a timeout_ms of 100 to 30000".to_owned())
        }
        ToolAction::Http { url, timeout_ms, .. } => {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            if !is_web || url.len() > TEXT_CHARS_MAX || url.parse::<axum::http::Uri>().is_err() {
                return Err("action.url: an address that begins with https:// is needed".into());
            }
            let fits = timeout_ms.is_none_or(|ms| (100..=30_000).contains(&ms));
            fits.then_some(()).ok_or_else(|| "action.timeout_ms: 100 to 30000".to_owned())
        }
        ToolAction::Lookup { table } | ToolAction::Record { table } => {
            let fits = !table.trim().is_empty() && table.chars().count() <= 100;
            fits.then_some(()).ok_or_else(|| "action.table: a name of 1 to 100 characters is needed".to_owned())
        }
        ToolAction::LookUpCustomer
        | ToolAction::CreateTicket { .. }
        | ToolAction::SearchKnowledge
        | ToolAction::Handoff
        | ToolAction::EndCall => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    let rest = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.chars().all(rest)
}

/// Lists the tools of an agent's draft.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/tools", tag = "tools", operation_id = "list_agent_tools",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:read"])),
    responses((status = 200, description = "The tools", body = List<ToolShape>, headers(("ETag" = String, description = "The agent's revision")))))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
) -> Result<Tagged<List<ToolSpec>>, Problem> {
    let known = super::agents::find(app.node.store().as_ref(), &caller.scope, &name).await?;
    Ok(Tagged { version: known.revision, body: List::whole(known.draft.tools) })
}

/// Puts a tool into an agent's draft, or replaces the one of this name. `If-Match` takes the agent's revision.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/tools/{tool}", tag = "tools", operation_id = "put_agent_tool",
    extensions(("x-if-match" = json!("optional"))),
    params(("agent" = String, Path, description = "Id or short name"), ("tool" = String, Path, description = "Name of the tool")),
    request_body = ToolShape, security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "The agent as it is now", body = super::agents::AgentDetail, headers(("ETag" = String, description = "The agent's revision"))),
    (status = 409, description = "The agent is archived", body = Problem),
    (status = 412, description = "The agent was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Path((agent, tool)): Path<(String, String)>,
    if_match: IfMatch,
    Body(given): Body<Value>,
) -> Result<Tagged<super::agents::AgentDetail>, Problem> {
    let text = serde_json::to_vec(&given).map_err(|_| Problem::internal())?;
    let spec: ToolSpec = crate::http::body::parsed(&text)?;
    let read = serde_json::to_value(&spec).map_err(|_| Problem::internal())?;
    if let Some(place) = super::unknown_field(&given, &read) {
        return Err(Problem::invalid(format!("{place}: there is no such field")));
    }
    if spec.name != tool {
        return Err(Problem::invalid("name: it must be the name in the address"));
    }
    let known = super::agents::find(app.node.store().as_ref(), &caller.scope, &super::sane(agent)?).await?;
    let expected = if_match.against(known.revision)?;
    let mut draft = known.draft;
    match draft.tools.iter_mut().find(|one| one.name == tool) {
        Some(one) => *one = spec,
        None => draft.tools.push(spec),
    }
    check_all(&draft.tools)?;
    super::agents::put_draft(&app, &caller.scope, &draft, expected, known.revision).await
}

/// Takes a tool out of an agent's draft.
#[utoipa::path(delete, path = "/api/v1/agents/{agent}/tools/{tool}", tag = "tools", operation_id = "delete_agent_tool",
    params(("agent" = String, Path, description = "Id or short name"), ("tool" = String, Path, description = "Name of the tool")),
    security(("bearer" = ["agents:write"])), responses(
    (status = 204, description = "It is gone"),
    (status = 409, description = "The agent is archived", body = Problem)
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Path((agent, tool)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let known = super::agents::find(app.node.store().as_ref(), &caller.scope, &super::sane(agent)?).await?;
    let tools: Vec<ToolSpec> = known.draft.tools.iter().filter(|one| one.name != tool).cloned().collect();
    if tools.len() == known.draft.tools.len() {
        return Err(Problem::not_found());
    }
    let draft = Agent { tools, ..known.draft };
    super::agents::put_draft(&app, &caller.scope, &draft, None, known.revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Arguments to try a tool with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialBody {
    /// By the names of the parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
}

/// What a try of a tool sent and got. Credentials are masked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialView {
    /// Whether a call would have got a result.
    ok: bool,
    /// What was sent.
    request: TrialRequest,
    /// The status that was answered.
    status: Option<u16>,
    /// The body that was answered.
    answer: Option<String>,
    /// What a brain would see.
    result: Option<String>,
    /// What went wrong, in one line.
    problem: Option<String>,
    took_ms: u64,
}

/// A request as it was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialRequest {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

impl From<ToolTrial> for TrialView {
    fn from(trial: ToolTrial) -> Self {
        let request = TrialRequest {
            method: trial.method,
            url: trial.url,
            headers: trial.headers.into_iter().collect(),
            body: trial.body,
        };
        let (result, problem) = match trial.result {
            Ok(result) => (Some(result), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        let (status, answer, took_ms) = (trial.status, trial.answer, trial.took.0);
        Self { ok: problem.is_none(), request, status, answer, result, problem, took_ms }
    }
}

/// Asks a tool's service once, as a call would, and shows what was sent and answered. A tool that changes something does.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/tools/{tool}/test", tag = "tools", operation_id = "test_agent_tool",
    params(("agent" = String, Path, description = "Id or short name"), ("tool" = String, Path, description = "Name of the tool")),
    request_body = TrialBody, security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "What was sent and answered", body = TrialView)
))]
pub(crate) async fn test(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Path((agent, tool)): Path<(String, String)>,
    Body(body): Body<TrialBody>,
) -> Result<Json<TrialView>, Problem> {
    let draft = super::agents::find(app.node.store().as_ref(), &caller.scope, &super::sane(agent)?).await?.draft;
    let spec = draft.tools.iter().find(|one| one.name == tool).ok_or_else(Problem::not_found)?;
    for parameter in spec.parameters.iter().filter(|parameter| parameter.required) {
        if !body.arguments.contains_key(&parameter.name) {
            return Err(Problem::invalid(format!("arguments.{}: it is missing", parameter.name)));
        }
    }
    if let Some(name) = body.arguments.keys().find(|name| !spec.parameters.iter().any(|one| one.name == **name)) {
        return Err(Problem::invalid(format!("arguments.{name}: the tool has no such parameter")));
    }
    let args = Value::Object(body.arguments);
    match app.node.try_tool(&caller.scope, spec, &args, Millis(draft.timing.tool_ms_max)).await {
        Ok(Some(trial)) => Ok(Json(trial.into())),
        Ok(None) => Err(Problem::invalid("this tool asks no service: it is carried out within a call")),
        Err(failure) => Err(Problem::invalid(format!("the tool cannot be tried: {failure}"))),
    }
}

/// A credential of a service that tools ask, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolCredentialView {
    name: String,
    /// `bearer`, `basic` or `header`.
    kind: String,
    /// The header that is set, for the kind `header`; the user, for the kind `basic`.
    shown: Option<String>,
    /// Unix milliseconds of the last change.
    updated_at_ms: i64,
}

/// How a service knows a tool. Nothing of it is ever given back.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ToolCredentialBody {
    /// `Authorization: Bearer …`.
    Bearer {
        #[schema(min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
        token: String,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        #[schema(max_length = 200, pattern = "^[!-9;-~]*$")]
        user: String,
        #[schema(max_length = 8192, pattern = "^[!-~]*$")]
        password: String,
    },
    /// A header of the service's own.
    Header {
        #[schema(pattern = "^[A-Za-z0-9-]{1,62}$", example = "x-api-key")]
        header: String,
        #[schema(min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
        value: String,
    },
}

/// Headers that say how a message is carried or what it holds (RFC 9110, RFC 9112): a credential in their place would break it.
const TAKEN_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

impl ToolCredentialBody {
    fn fields(self) -> Result<BTreeMap<String, Secret<String>>, Problem> {
        let pairs = match self {
            Self::Bearer { token } => {
                vec![("kind", "bearer".to_owned()), ("token", visible("token", token, 1, SECRET_BYTES_MAX)?)]
            }
            Self::Basic { user, password } => {
                if user.contains(':') {
                    return Err(Problem::invalid("user: it cannot hold a colon"));
                }
                let user = visible("user", user, 0, USER_BYTES_MAX)?;
                let password = visible("password", password, 0, SECRET_BYTES_MAX)?;
                vec![("kind", "basic".to_owned()), ("user", user), ("password", password)]
            }
            Self::Header { header, value } => {
                let header = header.to_ascii_lowercase();
                let is_name = (1..=62).contains(&header.len())
                    && header.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-');
                if !is_name {
                    return Err(Problem::invalid("header: up to 62 letters, digits and hyphens are needed"));
                }
                if TAKEN_HEADERS.contains(&header.as_str()) || header.starts_with("proxy-") {
                    return Err(Problem::invalid(format!("header: {header} is not for credentials")));
                }
                vec![
                    ("kind", "header".to_owned()),
                    ("header", header),
                    ("value", visible("value", value, 1, SECRET_BYTES_MAX)?),
                ]
            }
        };
        Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect())
    }
}

fn visible(field: &str, text: String, bytes_min: usize, bytes_max: usize) -> Result<String, Problem> {
    let fits = (bytes_min..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text) } else { Err(Problem::invalid(format!("{field}: visible ASCII characters are needed"))) }
}

/// Lists credentials of the services that tools ask, without their secrets.
#[utoipa::path(get, path = "/api/v1/tool-credentials", tag = "tools", operation_id = "list_tool_credentials",
    security(("bearer" = ["providers:read"])),
    responses((status = 200, description = "All of them", body = List<ToolCredentialView>)))]
pub(crate) async fn credentials(
    State(app): State<App>,
    caller: Allowed<may::ProvidersRead>,
) -> Result<Json<List<ToolCredentialView>>, Problem> {
    let all = app.node.store().tool_credentials(&caller.scope).await.map_err(store_problem)?;
    let view = |one: store::contract::office::ToolCredential| {
        let field = |name: &str| one.fields.get(name).map(|value| value.expose().clone());
        ToolCredentialView {
            kind: field("kind").unwrap_or_default(),
            shown: field("header").or_else(|| field("user")),
            updated_at_ms: one.updated_at_ms,
            name: one.name,
        }
    };
    Ok(Json(List::whole(all.into_iter().map(view).collect())))
}

/// Sets a credential of a service that tools ask. It is sealed, and used from the next request on.
#[utoipa::path(put, path = "/api/v1/tool-credentials/{name}", tag = "tools", operation_id = "put_tool_credential",
    params(("name" = String, Path, description = "The credential: letters, digits, dots, hyphens and underscores")),
    request_body = ToolCredentialBody, security(("bearer" = ["providers:manage"])), responses(
    (status = 204, description = "It is kept"),
    (status = 409, description = "There are too many", body = Problem)
))]
pub(crate) async fn put_credential(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    super::Name(name): super::Name,
    Body(body): Body<ToolCredentialBody>,
) -> Result<StatusCode, Problem> {
    super::check_key("name", &name)?;
    let fields = body.fields()?;
    let store = app.node.store();
    let known = store.tool_credentials(&caller.scope).await.map_err(store_problem)?;
    if known.len() >= limits::PAGE_ROWS_MAX as usize && !known.iter().any(|one| one.name == name) {
        return Err(Problem::conflict(format!("a business has at most {} credentials", limits::PAGE_ROWS_MAX)));
    }
    store.put_tool_credential(&caller.scope, &name, &fields, runtime::wall_ms()).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a credential. Tools that use it fail from now on.
#[utoipa::path(delete, path = "/api/v1/tool-credentials/{name}", tag = "tools", operation_id = "delete_tool_credential",
    params(("name" = String, Path, description = "The credential")), security(("bearer" = ["providers:manage"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete_credential(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    super::Name(name): super::Name,
) -> Result<StatusCode, Problem> {
    super::deleted(app.node.store().delete_tool_credential(&caller.scope, &name).await)
}
