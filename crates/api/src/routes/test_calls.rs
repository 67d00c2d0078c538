//! Test calls: a simulated caller on an agent of the business.

use crate::App;
use crate::auth::{Allowed, may};
use crate::http::Body;
use crate::problem::Problem;
use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base::{CallId, limits};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const LINE_CHARS_MAX: usize = 500;

/// Why a test call did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestCallError {
    /// As many as may be at once are going on.
    Busy,
    /// The agent is not there or not on duty.
    NoAgent,
    /// Something else; the text is for people.
    Failed(String),
}

/// Who calls an agent for a test. The program brings it, with the loopback platform.
#[async_trait]
pub trait TestCaller: Send + Sync {
    /// Calls the agent of this short name, types the lines in turn after each answer, and hangs up. Answers as soon as the
    /// call has an id; the call goes on by itself.
    async fn call(&self, scope: TenantScope, agent: &str, lines: Vec<String>) -> Result<CallId, TestCallError>;
}

/// A test call to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestCallBody {
    /// The agent, by id or short name. It must be published.
    #[schema(example = "front")]
    agent: String,
    /// What the caller says, line by line, each after the answer to the one before. They are typed, so that no voice is needed.
    #[schema(min_items = 1, max_items = 20, example = json!(["When are you open?"]))]
    say: Vec<String>,
}

/// A test call that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestCallView {
    /// The call: follow it, and read its transcript, by this id.
    id: Uuid,
}

/// Calls an agent with a simulated caller. The call is a call like any other: it has a journal, a transcript and costs.
#[utoipa::path(post, path = "/api/v1/test-calls", tag = "calls", operation_id = "create_test_call", request_body = TestCallBody,
    security(("bearer" = ["calls:place"])), responses(
    (status = 202, description = "The call has begun", body = TestCallView, headers(("Location" = String, description = "Where the call is"))),
    (status = 404, description = "No such agent", body = Problem),
    (status = 409, description = "The agent is not on duty", body = Problem),
    (status = 503, description = "Too many test calls at once, or none can be made here", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::CallsPlace>,
    Body(body): Body<TestCallBody>,
) -> Result<Response, Problem> {
    if !(1..=limits::TEST_CALL_LINES_MAX).contains(&body.say.len()) {
        return Err(Problem::invalid(format!("say: 1 to {} lines", limits::TEST_CALL_LINES_MAX)));
    }
    for line in &body.say {
        super::check_text("say", line, 1, LINE_CHARS_MAX)?;
    }
    let agent = super::agents::find(app.node.store().as_ref(), &caller.scope, &super::sane(body.agent)?).await?;
    if agent.version == 0 || agent.status != model::agent::AgentStatus::Enabled {
        return Err(Problem::conflict("the agent was never published, or is switched off"));
    }
    let tester = app.test_caller.as_ref().ok_or_else(|| Problem::unavailable("no test calls can be made here"))?;
    match tester.call(caller.scope, &agent.draft.slug, body.say).await {
        Ok(id) => {
            let location = format!("/api/v1/calls/{id}");
            Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(TestCallView { id: id.0 })).into_response())
        }
        Err(TestCallError::Busy) => Err(Problem::busy()),
        Err(TestCallError::NoAgent) => Err(Problem::conflict("the agent is not on duty")),
        Err(TestCallError::Failed(why)) => Err(Problem::unavailable(why)),
    }
}

/// The place of older clients.
pub(crate) async fn moved() -> Redirect {
    Redirect::permanent("/api/v1/test-calls")
}
