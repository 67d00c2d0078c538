//! Conversations and what was said in them.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base::{AgentId, ConversationId, Pii, limits};
use serde::{Deserialize, Serialize};
use store::{Conversation, ConversationFilter, Cursor, Message, Role};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationView {
    id: Uuid,
    agent: Uuid,
    /// The customer's number or address.
    customer: Option<String>,
    /// Unix milliseconds.
    started_at_ms: i64,
    /// Unix milliseconds; null while it goes on.
    ended_at_ms: Option<i64>,
}

impl From<Conversation> for ConversationView {
    fn from(one: Conversation) -> Self {
        Self {
            id: one.id.0,
            agent: one.agent.0,
            customer: one.customer.map(Pii::into_inner),
            started_at_ms: one.started_at_ms,
            ended_at_ms: one.ended_at_ms,
        }
    }
}

/// Something that was said: by the agent only what was heard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageView {
    id: Uuid,
    /// Place in the conversation, ascending, with gaps.
    seq: u64,
    /// `customer` or `agent`.
    role: RoleView,
    text: String,
    /// Whether the customer heard all of it.
    complete: bool,
    /// Milliseconds since the conversation began.
    at_ms: u64,
    /// What it rests on.
    #[schema(value_type = Vec<Object>)]
    citations: Vec<model::generation::Citation>,
    /// How the customer sounds, from -1 (displeased) to 1 (pleased), by a list of words; not there where nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentiment: Option<f64>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleView {
    Customer,
    Agent,
    /// Somebody who had taken the call over.
    Person,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Customer => Self::Customer,
            Role::Agent => Self::Agent,
            Role::Person => Self::Person,
        }
    }
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.0,
            seq: message.seq,
            role: message.role.into(),
            text: message.text.into_inner(),
            complete: message.complete,
            at_ms: message.at.0,
            citations: message.citations,
            sentiment: message.sentiment,
        }
    }
}

/// Which conversations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationQuery {
    /// Conversations of this agent.
    agent: Option<Uuid>,
    /// Conversations with this customer: their number or address as it was written down.
    customer: Option<String>,
    /// Conversations in which somebody said this. Without `from_ms`, of the last 30 days.
    #[param(min_length = 2, max_length = 100)]
    q: Option<String>,
    /// Conversations that began at this time, in Unix milliseconds, or later.
    from_ms: Option<i64>,
    /// Conversations that began before this time.
    to_ms: Option<i64>,
    /// `-started_at` (the newest first) or `started_at`.
    #[param(inline)]
    sort: Option<super::calls::CallSort>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// From when on is searched for words that were said: a search reads what was said, so it is given a bound where nobody gives
/// one.
pub(super) fn search_since(words: Option<&str>, to_ms: Option<i64>) -> Result<Option<i64>, Problem> {
    let Some(words) = words else { return Ok(None) };
    super::check_text("q", words, 2, 100)?;
    Ok(Some(to_ms.unwrap_or_else(runtime::wall_ms).saturating_sub(limits::SEARCH_SPAN_MS)))
}

/// Lists conversations, or finds them by what was said.
#[utoipa::path(get, path = "/api/v1/conversations", tag = "conversations", operation_id = "list_conversations",
    params(ConversationQuery), security(("bearer" = ["conversations:read"])),
    responses((status = 200, description = "One page of conversations", body = List<ConversationView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::ConversationsRead>,
    uri: Uri,
    Params(query): Params<ConversationQuery>,
) -> Result<Listed<ConversationView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let since = search_since(query.q.as_deref(), query.to_ms)?;
    let filter = ConversationFilter {
        agent: query.agent.map(AgentId),
        customer: query.customer.as_deref().map(super::customer_text),
        words: query.q,
        from_ms: query.from_ms.or(since),
        to_ms: query.to_ms,
        ascending: matches!(query.sort, Some(super::calls::CallSort::StartedAt)),
    };
    let found = app.node.store().conversations(&caller.scope, &filter, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(ConversationView::from).collect(), found.next, uri))
}

/// Reads a conversation.
#[utoipa::path(get, path = "/api/v1/conversations/{id}", tag = "conversations", operation_id = "get_conversation",
    params(("id" = Uuid, Path, description = "The conversation")), security(("bearer" = ["conversations:read"])),
    responses((status = 200, description = "The conversation", body = ConversationView)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::ConversationsRead>,
    super::Id(id): super::Id<ConversationId>,
) -> Result<Json<ConversationView>, Problem> {
    app.node.store().conversation(&caller.scope, id).await.map(|one| Json(one.into())).map_err(store_problem)
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists what was said in a conversation, in order.
#[utoipa::path(get, path = "/api/v1/conversations/{id}/messages", tag = "conversations", operation_id = "list_messages",
    params(("id" = Uuid, Path, description = "The conversation"), MessageQuery), security(("bearer" = ["conversations:read"])),
    responses((status = 200, description = "One page of messages", body = List<MessageView>)))]
pub(crate) async fn messages(
    State(app): State<App>,
    caller: Allowed<may::ConversationsRead>,
    super::Id(id): super::Id<ConversationId>,
    uri: Uri,
    Params(query): Params<MessageQuery>,
) -> Result<Listed<MessageView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<u64>(query.cursor.as_deref())?.unwrap_or(0);
    // Whoever asks for a place beyond all places gets an empty page.
    let after = after.min(i64::MAX as u64);
    let mut rows = app.node.store().messages(&caller.scope, id, after).await.map_err(store_problem)?;
    let has_more = rows.len() > wanted as usize || rows.len() == limits::PAGE_ROWS_MAX as usize;
    rows.truncate(wanted as usize);
    let next = rows.last().filter(|_| has_more).map(|message| message.seq);
    Ok(Listed::new(rows.into_iter().map(MessageView::from).collect(), next, uri))
}
