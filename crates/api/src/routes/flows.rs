//! Flows of agents, tried out. A flow is part of its agent: it is written with the draft and published with it.

use super::agents::find;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, body};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use base::limits;
use engine::dialog::try_out::{TrialEnd, Tried, try_out};
use model::flow::{Flow, FlowProblem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What is tried out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowTest {
    /// What the caller says, in turn.
    #[schema(max_items = 100, example = json!(["It is four eight two one three."]))]
    #[serde(default)]
    turns: Vec<String>,
    /// What tools answer, by name; null: it fails. A tool that is not named answers `done`. Nothing is carried out.
    #[serde(default)]
    #[schema(value_type = Option<Object>, additional_properties)]
    results: BTreeMap<String, Option<String>>,
    /// The flow; that of the draft when left out.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    flow: Option<Value>,
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowTested {
    /// What is wrong with the flow; while there is anything, it cannot be published.
    problems: Vec<FlowProblemView>,
    /// What happened, in order.
    steps: Vec<FlowStepView>,
    /// All nodes that were gone through, in order: the path to light.
    path: Vec<String>,
    /// The variables at the end.
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
    /// `waits` (for the caller), `transferred`, `ended` or `free` (the conversation goes on without the flow).
    #[schema(example = "waits")]
    end: &'static str,
}

/// Something wrong with a flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowProblem)]
pub(crate) struct FlowProblemView {
    /// The node; null: the flow itself.
    node: Option<String>,
    /// In one word, such as `missing_target`, `unreachable`, `unknown_variable`, `unknown_tool`, `endless`.
    #[schema(example = "missing_target")]
    code: &'static str,
    detail: String,
}

impl From<FlowProblem> for FlowProblemView {
    fn from(problem: FlowProblem) -> Self {
        Self { node: problem.node, code: problem.code, detail: problem.detail }
    }
}

/// One step: it went on, the caller said something, or a tool was used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum FlowStepView {
    /// The flow went on through these nodes and said this.
    Went { path: Vec<String>, says: Vec<String> },
    /// The caller said this; what is no answer would be talked about freely.
    Heard { node: String, text: String, is_answer: bool },
    /// A tool would be used; `result` null: it fails.
    Used {
        node: String,
        tool: String,
        #[schema(value_type = Object)]
        args: Value,
        result: Option<String>,
    },
}

impl From<Tried> for FlowStepView {
    fn from(step: Tried) -> Self {
        match step {
            Tried::Went { path, says } => Self::Went { path, says },
            Tried::Heard { node, text, is_answer } => Self::Heard { node, text, is_answer },
            Tried::Used { node, tool, args, result } => Self::Used { node, tool, args, result },
        }
    }
}

/// Tries a flow out by text: what a caller would hear, and which way it goes. Nothing is carried out and nothing is kept.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/flow/test", tag = "agents", operation_id = "test_flow",
    params(("agent" = String, Path, description = "Id or short name")), request_body = FlowTest,
    security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The way it went, and what is wrong with it", body = FlowTested),
    (status = 409, description = "The agent has no flow", body = Problem)
))]
pub(crate) async fn test(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
    Body(asked): Body<FlowTest>,
) -> Result<Json<FlowTested>, Problem> {
    if asked.turns.len() > TURNS_MAX || asked.turns.iter().any(|turn| turn.len() > limits::CALLER_TURN_CHARS_MAX) {
        return Err(Problem::invalid(format!("turns: at most {TURNS_MAX} of {} bytes", limits::CALLER_TURN_CHARS_MAX)));
    }
    let agent = find(app.node.store().as_ref(), &caller.scope, &name).await?.draft;
    let flow = match &asked.flow {
        Some(flow) => read(flow)?,
        None => agent.flow.clone().ok_or_else(|| Problem::conflict("the agent has no flow"))?,
    };
    let problems = problems(&flow, &agent.tools);
    // A step that does not exist is where the walk ends.
    let trial = try_out(&flow, &asked.turns, &asked.results);
    let went = |step: &Tried| if let Tried::Went { path, .. } = step { path.clone() } else { Vec::new() };
    let end = match trial.end {
        TrialEnd::Waits => "waits",
        TrialEnd::Transferred => "transferred",
        TrialEnd::Ended => "ended",
        TrialEnd::Free => "free",
    };
    Ok(Json(FlowTested {
        problems: problems.into_iter().map(Into::into).collect(),
        path: trial.steps.iter().flat_map(went).collect(),
        steps: trial.steps.into_iter().map(Into::into).collect(),
        variables: trial.values,
        end,
    }))
}

/// Turns of one trial.
const TURNS_MAX: usize = 100;

fn read(flow: &Value) -> Result<Flow, Problem> {
    let text = serde_json::to_vec(&json!(flow)).map_err(|_| Problem::internal())?;
    body::parsed(&text)
}

/// All that is wrong with a flow, with what only the engine knows.
pub(super) fn problems(flow: &Flow, tools: &[model::tool::ToolSpec]) -> Vec<FlowProblem> {
    let mut problems = flow.problems(tools);
    for node in &flow.nodes {
        if let model::flow::FlowStep::Ask { answer, .. } = &node.step
            && let Err(why) = engine::dialog::policy::check_kind(&answer.parameter_kind())
            && !problems.iter().any(|problem| problem.node.as_deref() == Some(&node.id) && problem.code == "no_options")
        {
            let (node, detail) = (Some(node.id.clone()), format!("answer: {why}"));
            problems.push(FlowProblem { node, code: "bad_answer", detail });
        }
    }
    problems
}
