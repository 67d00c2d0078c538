//! People of a business and invitations to join it.

use super::me::SessionView;
use super::sign_in::{read_email, read_name};
use super::store_problem;
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::secret::{self, SecretKind};
use crate::auth::{Allowed, Principal, may};
use crate::http::{Body, List, Listed, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use base::{UserId, limits};
use model::people::Role;
use runtime::mail;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::people::{Invitation, User, UserChange, UserChanged};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A person of the business.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    id: Uuid,
    email: String,
    name: String,
    #[schema(value_type = String, example = "operator")]
    role: Role,
    /// Whether they may sign in.
    active: bool,
    /// Whether they sign in with a second factor.
    mfa: bool,
    /// Whether they have a password here; without one they sign in at an identity provider.
    password: bool,
    /// Whether it was shown that they read their address.
    email_verified: bool,
    /// Unix milliseconds.
    created_at_ms: i64,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.into_inner(),
            name: user.name.into_inner(),
            role: user.role,
            active: user.active,
            mfa: user.mfa,
            password: user.has_password,
            email_verified: user.verified_at_ms.is_some(),
            created_at_ms: user.created_at_ms,
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub(super) limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    pub(super) cursor: Option<String>,
}

/// Lists people of the business, newest first.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", operation_id = "list_users", params(PageQuery),
    security(("bearer" = ["people:read"])), responses(
    (status = 200, description = "One page of people", body = List<UserView>),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::PeopleRead>,
    Params(query): Params<PageQuery>,
    uri: Uri,
) -> Result<Listed<UserView>, Problem> {
    let (rows, after) = (page::rows(query.limit)?, page::cursor(query.cursor.as_deref())?);
    let found = app.node.store().users(&caller.scope, after, rows).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

/// Reads a person.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "people", operation_id = "get_user",
    security(("bearer" = ["people:read"])), params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "The person", body = UserView),
    (status = 404, description = "No such person", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::PeopleRead>,
    Path(id): Path<String>,
) -> Result<Json<UserView>, Problem> {
    let user = app.node.store().user(&caller.scope, read_id(&id)?).await.map_err(store_problem)?;
    Ok(Json(user.into()))
}

/// What changes about a person. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 120)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "supervisor")]
    role: Option<Role>,
    /// Whether they may sign in. Who may no longer is signed out at once.
    #[serde(default)]
    active: Option<bool>,
}

/// Changes a person's name or role, lets them go, or takes them back.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "people", operation_id = "update_user",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The person")),
    request_body = UserPatch, responses(
    (status = 200, description = "The person as they are now", body = UserView),
    (status = 403, description = "Their role, or the new one, allows more than the caller may", body = Problem),
    (status = 404, description = "No such person", body = Problem),
    (status = 409, description = "The business would have no owner left", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
    Body(wish): Body<UserPatch>,
) -> Result<impl IntoResponse, Problem> {
    let id = below(&app, &caller, &id).await?;
    wish.role.map(|role| may_give(&caller, role)).transpose()?;
    let name = wish.name.as_deref().map(|name| read_name("name", name)).transpose()?;
    let change = UserChange { name: name.map(Into::into), role: wish.role, active: wish.active };
    let mut details = json!({});
    details.as_object_mut().into_iter().for_each(|details| {
        details.extend(wish.role.map(|role| ("role".to_owned(), json!(role))));
        details.extend(wish.active.map(|active| ("active".to_owned(), json!(active))));
    });
    audit::tell(&Note::on(format!("users/{id}")).details(details));
    let changed = app.node.store().change_user(&caller.scope, id, &change, runtime::wall_ms()).await;
    match changed.map_err(store_problem)? {
        UserChanged::LastOwner => Err(Problem::last_owner()),
        UserChanged::Done(user) => Ok(Json(UserView::from(user))),
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct OneTimeToken {
    /// Shown once. Whoever has it can use it, once. Absent when it went by mail, to the person alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Whether it went by mail.
    mailed: bool,
    /// Unix milliseconds after which it is void.
    expires_at_ms: i64,
}

/// Lets a person set a new password. The link goes to them by mail; without mail, hand them the token.
#[utoipa::path(post, path = "/api/v1/users/{id}/password-reset", tag = "people", operation_id = "allow_password_reset",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 201, description = "The token for `/api/v1/auth/password/reset`", body = OneTimeToken),
    (status = 403, description = "Their role allows more than the caller may", body = Problem),
    (status = 404, description = "No such person", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn allow_reset(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let id = below(&app, &caller, &id).await?;
    let (token, now_ms) = (secret::fresh(SecretKind::OneTime)?, runtime::wall_ms());
    let expires_at_ms = now_ms + limits::PASSWORD_RESET_MS;
    let store = app.node.store();
    store.allow_reset(&caller.scope, id, &token.hash, now_ms, expires_at_ms).await.map_err(store_problem)?;
    let mailed = match app.node.mailer() {
        None => false,
        Some(mailer) => {
            let user = store.user(&caller.scope, id).await.map_err(store_problem)?;
            let sender = mail::Sender::of(store.as_ref(), &caller.scope, None).await.map_err(store_problem)?;
            let link = mailer.link("reset", &token.text);
            let letter = mail::password_reset(&sender, &user.email, &link, expires_at_ms);
            mailer.post(store.as_ref(), &caller.scope, letter).await.map_err(store_problem)?;
            true
        }
    };
    let view = OneTimeToken { token: (!mailed).then(|| token.text.expose().clone()), mailed, expires_at_ms };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)))
}

/// Takes the second factor of a person away who has lost it.
#[utoipa::path(delete, path = "/api/v1/users/{id}/mfa", tag = "people", operation_id = "remove_user_mfa",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 204, description = "They sign in without it"),
    (status = 403, description = "Their role allows more than the caller may", body = Problem),
    (status = 404, description = "No such person, or they have no second factor", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn remove_mfa(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = below(&app, &caller, &id).await?;
    let removed = app.node.store().remove_totp(&caller.scope, id).await.map_err(store_problem)?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Lists the sessions of a person.
#[utoipa::path(get, path = "/api/v1/users/{id}/sessions", tag = "people", operation_id = "list_user_sessions",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "Sessions that are not over, newest first", body = List<SessionView>),
    (status = 404, description = "No such person", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn sessions(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
) -> Result<Json<List<SessionView>>, Problem> {
    let (id, store) = (read_id(&id)?, app.node.store());
    store.user(&caller.scope, id).await.map_err(store_problem)?;
    let sessions = store.sessions(&caller.scope, id, runtime::wall_ms()).await.map_err(store_problem)?;
    let view = |session| SessionView::of(session, caller.actor);
    Ok(Json(List::whole(sessions.into_iter().map(view).collect())))
}

/// Ends all sessions of a person.
#[utoipa::path(delete, path = "/api/v1/users/{id}/sessions", tag = "people", operation_id = "end_user_sessions",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 204, description = "They are signed out everywhere"),
    (status = 403, description = "Their role allows more than the caller may", body = Problem),
    (status = 404, description = "No such person", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn end_sessions(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = below(&app, &caller, &id).await?;
    app.node.store().end_sessions(&caller.scope, id, None, runtime::wall_ms()).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationView {
    id: Uuid,
    email: String,
    #[schema(value_type = String, example = "operator")]
    role: Role,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds after which it is void.
    expires_at_ms: i64,
    /// For `/api/v1/auth/invitations/accept`. Shown once, to whoever invites, unless it went by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Whether it went by mail; said once, to whoever invites.
    #[serde(skip_serializing_if = "Option::is_none")]
    mailed: Option<bool>,
}

impl From<Invitation> for InvitationView {
    fn from(one: Invitation) -> Self {
        Self {
            id: one.id,
            email: one.email.into_inner(),
            role: one.role,
            created_at_ms: one.created_at_ms,
            expires_at_ms: one.expires_at_ms,
            token: None,
            mailed: None,
        }
    }
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationWish {
    #[schema(example = "noor@brightleaf.example", max_length = 254)]
    email: String,
    #[schema(value_type = String, example = "operator")]
    role: Role,
    /// In which language the mail is written (BCP-47); that of the business when left out.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", example = "hi")]
    language: Option<String>,
}

/// Invites somebody to join the business. The link goes to them by mail; without mail, hand them the token.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "people", operation_id = "create_invitation",
    security(("bearer" = ["people:manage"])), request_body = InvitationWish, responses(
    (status = 201, description = "The invitation with its token", body = InvitationView),
    (status = 403, description = "The role allows more than the caller may", body = Problem),
    (status = 409, description = "The address belongs to somebody of the business", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn invite(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Body(wish): Body<InvitationWish>,
) -> Result<impl IntoResponse, Problem> {
    may_give(&caller, wish.role)?;
    wish.language.as_deref().map(crate::routes::check_language).transpose()?;
    let (token, now_ms) = (secret::fresh(SecretKind::OneTime)?, runtime::wall_ms());
    let invitation = Invitation {
        id: Uuid::now_v7(),
        email: read_email(&wish.email)?.into(),
        role: wish.role,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + limits::INVITATION_MS,
    };
    audit::tell(&Note::on(format!("invitations/{}", invitation.id)).details(json!({"role": invitation.role})));
    let kept = app.node.store().invite(&caller.scope, &invitation, &token.hash).await;
    kept.map_err(|error| match error {
        store::StoreError::Conflict(_) => Problem::conflict("email: this belongs to somebody of the business"),
        other => store_problem(other),
    })?;
    let mailed = match app.node.mailer() {
        None => false,
        Some(mailer) => {
            let store = app.node.store();
            let sender = mail::Sender::of(store.as_ref(), &caller.scope, wish.language.as_deref()).await;
            let sender = sender.map_err(store_problem)?;
            let (link, until_ms) = (mailer.link("invitation", &token.text), invitation.expires_at_ms);
            let letter = mail::invitation(&sender, &invitation.email, invitation.role, &link, until_ms);
            mailer.post(store.as_ref(), &caller.scope, letter).await.map_err(store_problem)?;
            true
        }
    };
    let token = (!mailed).then(|| token.text.expose().clone());
    let view = InvitationView { token, mailed: Some(mailed), ..invitation.into() };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)))
}

/// Lists invitations that wait, newest first.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "people", operation_id = "list_invitations",
    security(("bearer" = ["people:read"])), responses(
    (status = 200, description = "Invitations, without their tokens", body = List<InvitationView>),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn invitations(
    State(app): State<App>,
    caller: Allowed<may::PeopleRead>,
) -> Result<Json<List<InvitationView>>, Problem> {
    let all = app.node.store().invitations(&caller.scope, runtime::wall_ms()).await.map_err(store_problem)?;
    Ok(Json(List::whole(all.into_iter().map(Into::into).collect())))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "people", operation_id = "delete_invitation",
    security(("bearer" = ["people:manage"])), params(("id" = Uuid, Path, description = "The invitation")), responses(
    (status = 204, description = "Its token is void"),
    (status = 404, description = "No such invitation waits", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Allowed<may::PeopleManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::not_found())?;
    let gone = app.node.store().withdraw_invitation(&caller.scope, id, runtime::wall_ms()).await;
    if gone.map_err(store_problem)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

fn read_id(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// Nobody gives what they do not have.
fn may_give(caller: &Principal, role: Role) -> Result<(), Problem> {
    let missing = role.permissions().iter().find(|one| !caller.may(*one));
    missing.map_or(Ok(()), |missing| Err(Problem::forbidden(missing)))
}

/// A person whose role allows nothing that the caller may not do: nobody else's password or second factor is theirs to change.
async fn below(app: &App, caller: &Principal, id: &str) -> Result<UserId, Problem> {
    let user = app.node.store().user(&caller.scope, read_id(id)?).await.map_err(store_problem)?;
    may_give(caller, user.role)?;
    Ok(user.id)
}
