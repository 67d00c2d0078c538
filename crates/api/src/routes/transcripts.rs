//! What was said in a call, and what happened around it.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use base::{CallId, ConversationId, limits};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use store::{Message, Role};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What was said in a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TranscriptView {
    call: Uuid,
    conversation: Uuid,
    /// In order; of the agent only what was heard.
    messages: Vec<super::conversations::MessageView>,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// JSON.
    #[default]
    Json,
    /// Lines for people.
    Text,
}

/// In which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TranscriptQuery {
    /// `json` or `text`.
    #[param(inline)]
    format: Option<Form>,
}

/// Reads what was said in a call.
#[utoipa::path(get, path = "/api/v1/calls/{id}/transcript", tag = "calls", operation_id = "get_transcript",
    params(("id" = Uuid, Path, description = "The call"), TranscriptQuery), security(("bearer" = ["calls:read"])), responses(
    (status = 200, description = "What was said", content((TranscriptView = "application/json"), (String = "text/plain")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    super::Id(id): super::Id<CallId>,
    Params(query): Params<TranscriptQuery>,
) -> Result<Response, Problem> {
    let store = app.node.store();
    let call = store.call(&caller.scope, id).await.map_err(store_problem)?;
    let messages = messages(&app, &caller.scope, call.conversation).await?;
    if matches!(query.format, Some(Form::Text)) {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], as_text(&messages)).into_response());
    }
    let messages = messages.into_iter().map(Into::into).collect();
    Ok(Json(TranscriptView { call: id.0, conversation: call.conversation.0, messages }).into_response())
}

/// Everything that was said in a conversation.
pub(super) async fn messages(
    app: &App,
    scope: &TenantScope,
    conversation: ConversationId,
) -> Result<Vec<Message>, Problem> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let after = messages.last().map_or(0, |message| message.seq);
        let more = app.node.store().messages(scope, conversation, after).await.map_err(store_problem)?;
        let is_last = more.len() < limits::PAGE_ROWS_MAX as usize;
        messages.extend(more);
        if is_last {
            return Ok(messages);
        }
    }
}

/// A line each: `00:12 agent: …`.
fn as_text(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let secs = message.at.0 / 1_000;
        let who = match message.role {
            Role::Customer => "customer",
            Role::Agent => "agent",
            Role::Person => "person",
        };
        let cut = if message.complete { "" } else { " —" };
        let said = message.text.expose().replace(['\n', '\r'], " ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:02}:{:02} {who}: {said}{cut}", secs / 60, secs % 60);
    }
    text
}

/// Something that happened around a call: reports of the platform, retries, failures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallEventView {
    /// Place in the log, ascending, with gaps.
    id: i64,
    /// What, in one word.
    kind: String,
    #[schema(value_type = Object)]
    data: Value,
    /// Unix milliseconds.
    at_ms: i64,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists what happened around a call, in order.
#[utoipa::path(get, path = "/api/v1/calls/{id}/log", tag = "calls", operation_id = "get_call_log",
    params(("id" = Uuid, Path, description = "The call"), LogQuery), security(("bearer" = ["calls:read"])),
    responses((status = 200, description = "One page of the log", body = List<CallEventView>)))]
pub(crate) async fn log(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    super::Id(id): super::Id<CallId>,
    uri: Uri,
    Params(query): Params<LogQuery>,
) -> Result<Listed<CallEventView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<i64>(query.cursor.as_deref())?.unwrap_or(0);
    let mut rows = app.node.store().call_log(&caller.scope, id, after).await.map_err(store_problem)?;
    let has_more = rows.len() > wanted as usize || rows.len() == limits::PAGE_ROWS_MAX as usize;
    rows.truncate(wanted as usize);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let views =
        rows.into_iter().map(|row| CallEventView { id: row.id, kind: row.kind, data: row.data, at_ms: row.at_ms });
    Ok(Listed::new(views.collect(), next, uri))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{CallTime, MessageId, TurnId};

    #[test]
    fn a_transcript_reads_like_a_script() {
        let said = |seq: u64, role, text: &str, complete| Message {
            id: MessageId::generate(),
            conversation: ConversationId::generate(),
            seq,
            turn: TurnId(seq),
            role,
            text: text.to_owned().into(),
            complete,
            citations: Vec::new(),
            latency: None,
            at: CallTime(seq * 61_000),
            sentiment: None,
        };
        let messages = [said(0, Role::Agent, "Hello,\nhow", false), said(1, Role::Customer, "Hi", true)];
        assert_eq!(as_text(&messages), "00:00 agent: Hello, how —\n01:01 customer: Hi\n");
    }
}
