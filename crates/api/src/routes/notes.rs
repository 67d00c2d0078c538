//! Notes on calls: what people want to remember of them.

use super::calls::CallPath;
use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, Tagged, rate};
use crate::problem::Problem;
use axum::extract::State;
use base::{Pii, limits};
use serde::{Deserialize, Serialize};
use store::contract::shares::CallNote;
use utoipa::ToSchema;

/// The note on a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallNote)]
pub(crate) struct NoteView {
    /// Empty as long as nobody wrote one.
    text: String,
    /// Who changed it last, as `kind:id`.
    updated_by: Option<String>,
    /// Unix milliseconds.
    updated_at_ms: Option<i64>,
    /// Grows with each change; the same as `ETag`. 0: nobody wrote one.
    version: u32,
}

fn view(note: Option<CallNote>) -> Tagged<NoteView> {
    let version = note.as_ref().map_or(0, |note| note.version);
    let body = match note {
        None => NoteView { text: String::new(), updated_by: None, updated_at_ms: None, version },
        Some(note) => NoteView {
            text: note.text.into_inner(),
            updated_by: note.updated_by,
            updated_at_ms: Some(note.updated_at_ms),
            version,
        },
    };
    Tagged { version, body }
}

/// A note to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    /// At most 4000 characters; none take the note away.
    #[schema(example = "Wants a call back on Tuesday.", max_length = 4000)]
    text: String,
}

/// Reads the note on a call.
#[utoipa::path(get, path = "/api/v1/calls/{id}/note", tag = "calls", operation_id = "get_call_note",
    params(("id" = uuid::Uuid, Path, description = "The call")), security(("bearer" = ["calls:read"])), responses(
    (status = 200, description = "The note; an empty one when nobody wrote any", body = NoteView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    CallPath(id): CallPath,
) -> Result<Tagged<NoteView>, Problem> {
    app.node.store().note(&caller.scope, id).await.map(view).map_err(store_problem)
}

/// Writes the note on a call. It goes when what was said in the call goes.
#[utoipa::path(put, path = "/api/v1/calls/{id}/note", tag = "calls", operation_id = "put_call_note",
    extensions(("x-if-match" = json!(true))), params(("id" = uuid::Uuid, Path, description = "The call")),
    request_body = NoteBody, security(("bearer" = ["conversations:write"])), responses(
    (status = 200, description = "The note as it is now", body = NoteView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::ConversationsWrite>,
    CallPath(id): CallPath,
    if_match: IfMatch,
    Body(body): Body<NoteBody>,
) -> Result<Tagged<NoteView>, Problem> {
    super::check_text("text", &body.text, 0, limits::CALL_NOTE_CHARS_MAX)?;
    let store = app.node.store();
    let now = store.note(&caller.scope, id).await.map_err(store_problem)?.map_or(0, |note| note.version);
    let expected = if_match.required(now)?;
    let mut note = CallNote {
        text: Pii::new(body.text),
        updated_by: Some(rate::actor_name(caller.actor)),
        updated_at_ms: runtime::wall_ms(),
        version: 0,
    };
    let written = store.put_note(&caller.scope, id, &note, expected).await;
    note.version = written.map_err(|error| super::stale_or(error, now))?;
    Ok(view(Some(note)))
}
