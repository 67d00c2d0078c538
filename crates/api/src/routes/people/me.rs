//! What people do about themselves: who they are, their password, sessions and second factor.

use super::sign_in::read_name;
use super::store_problem;
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::secret::{hash, random};
use crate::auth::session::Entry;
use crate::auth::{SignedIn, check_new_password};
use crate::http::{Body, List};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use base::{Secret, SessionId, UserId, limits};
use model::business::TenantScope;
use model::people::{Actor, Permission};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::people::{Session, UserChange, UserChanged};
use totp_rs::{Builder, Totp};
use utoipa::ToSchema;
use uuid::Uuid;

/// Letters of a recovery code: 80 bits.
const RECOVERY_BYTES: usize = 10;
/// RFC 4226, 4: at least 128 bits, 160 recommended.
const TOTP_SECRET_BYTES: usize = 20;
const ISSUER: &str = "Frontdesk";

/// Who makes this request.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// `user`, `key`, `client` or `installation`.
    kind: &'static str,
    /// Of the person, key or client.
    id: Option<String>,
    business: Uuid,
    business_slug: String,
    /// The person.
    user: Option<super::users::UserView>,
    /// Recovery codes left, for a person with a second factor.
    recovery_codes_left: Option<u32>,
    /// What the credential allows.
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
}

/// Says who makes this request and what they may do.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", operation_id = "get_me", security(("bearer" = [])), responses(
    (status = 200, description = "Who it is", body = Me),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn me(State(app): State<App>, caller: SignedIn) -> Result<Json<Me>, Problem> {
    let store = app.node.store();
    let business = store.business(&caller.scope).await.map_err(store_problem)?;
    let mut codes = None;
    let user = match caller.actor.user() {
        None => None,
        Some(id) => {
            let user = store.user(&caller.scope, id).await.map_err(store_problem)?;
            if user.mfa {
                codes = Some(store.recovery_codes_left(&caller.scope, id).await.map_err(store_problem)?);
            }
            Some(user)
        }
    };
    Ok(Json(Me {
        kind: caller.actor.kind(),
        id: caller.actor.id(),
        business: business.id.0,
        business_slug: business.slug,
        user: user.map(Into::into),
        recovery_codes_left: codes,
        permissions: caller.granted.iter().collect(),
    }))
}

/// What changes about oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeChange {
    #[schema(min_length = 1, max_length = 120)]
    name: String,
}

/// Changes one's own name.
#[utoipa::path(patch, path = "/api/v1/auth/me", tag = "auth", operation_id = "update_me", security(("bearer" = [])),
    request_body = MeChange, responses(
    (status = 200, description = "The person as they are now", body = super::users::UserView),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn update_me(
    State(app): State<App>,
    caller: SignedIn,
    Body(wish): Body<MeChange>,
) -> Result<Json<super::users::UserView>, Problem> {
    let (user, _) = caller.person()?;
    let name = read_name("name", &wish.name)?;
    let change = UserChange { name: Some(name.into()), ..UserChange::default() };
    let changed = app.node.store().change_user(&caller.scope, user, &change, runtime::wall_ms()).await;
    match changed.map_err(store_problem)? {
        UserChanged::Done(user) => Ok(Json(user.into())),
        UserChanged::LastOwner => Err(Problem::last_owner()),
    }
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The password now.
    #[schema(value_type = String)]
    old_password: Secret<String>,
    /// At least 10 characters.
    #[schema(value_type = String, min_length = 10)]
    new_password: Secret<String>,
}

/// Changes one's own password and ends all other sessions.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "auth", operation_id = "change_password", security(("bearer" = [])),
    request_body = PasswordChange, responses(
    (status = 204, description = "It is changed; all other sessions are over"),
    (status = 401, description = "The old password is not right", body = Problem),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The new password may not be used", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "Too many sign in at once, or the database does not answer", body = Problem)
))]
pub(crate) async fn change_password(
    State(app): State<App>,
    caller: SignedIn,
    entry: Entry,
    Body(wish): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let (user, session) = caller.person()?;
    let email = check_password(&app, &caller.scope, user, &entry, wish.old_password).await?;
    check_new_password(&wish.new_password, &email)?;
    let hash = app.auth.passwords.hash(wish.new_password).await?;
    let set = app.node.store().set_password(&caller.scope, user, &hash, Some(session), runtime::wall_ms()).await;
    set.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks the password of a person who has signed in, and answers their e-mail address.
async fn check_password(
    app: &App,
    scope: &TenantScope,
    user: UserId,
    entry: &Entry,
    password: Secret<String>,
) -> Result<String, Problem> {
    let account = app.node.store().account_of(scope, user).await.map_err(store_problem)?;
    let email = account.user.email.into_inner();
    app.auth.throttle.attempt("password", entry.address, Some(&user.to_string())).await?;
    if !app.auth.passwords.matches(password, account.password_hash).await? {
        return Err(Problem::sign_in_failed());
    }
    app.auth.throttle.succeeded("password", &user.to_string(), runtime::wall_ms()).await;
    Ok(email)
}

/// One time that a person has signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    id: Uuid,
    /// Whether it is the one of this request.
    current: bool,
    /// `password`, `totp`, `recovery_code` or `identity_provider`.
    method: String,
    user_agent: String,
    address: String,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds of the last new access token.
    seen_at_ms: i64,
    /// Unix milliseconds.
    expires_at_ms: i64,
}

impl SessionView {
    pub(super) fn of(session: Session, actor: Actor) -> Self {
        Self {
            current: matches!(actor, Actor::User { session: own, .. } if own == session.id),
            id: session.id.0,
            method: session.method,
            user_agent: session.user_agent,
            address: session.address.into_inner(),
            created_at_ms: session.created_at_ms,
            seen_at_ms: session.seen_at_ms,
            expires_at_ms: session.expires_at_ms,
        }
    }
}

/// Lists one's own sessions.
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "auth", operation_id = "list_sessions", security(("bearer" = [])),
    responses(
    (status = 200, description = "Sessions that are not over, newest first", body = List<SessionView>),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn sessions(State(app): State<App>, caller: SignedIn) -> Result<Json<List<SessionView>>, Problem> {
    let (user, _) = caller.person()?;
    let sessions = app.node.store().sessions(&caller.scope, user, runtime::wall_ms()).await.map_err(store_problem)?;
    let view = |session| SessionView::of(session, caller.actor);
    Ok(Json(List::whole(sessions.into_iter().map(view).collect())))
}

/// Ends one of one's own sessions. Its tokens open nothing from now on.
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{id}", tag = "auth", operation_id = "end_session",
    security(("bearer" = [])), params(("id" = Uuid, Path, description = "The session")), responses(
    (status = 204, description = "It is over"),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 404, description = "No such session", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn end_session(
    State(app): State<App>,
    caller: SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (user, _) = caller.person()?;
    let id: SessionId = id.parse().map_err(|_| Problem::not_found())?;
    let ended = app.node.store().end_session(&caller.scope, user, id, runtime::wall_ms()).await;
    if ended.map_err(store_problem)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// What an authenticator app needs. Shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpBegun {
    /// The shared secret, in Base32, to be typed.
    secret: String,
    /// The same as an address, to be shown as a QR code.
    url: String,
}

/// Begins to set up a second factor (RFC 6238). Nothing changes before a code of it is confirmed.
#[utoipa::path(post, path = "/api/v1/auth/mfa", tag = "auth", operation_id = "begin_mfa", security(("bearer" = [])), responses(
    (status = 200, description = "For the authenticator app; shown once", body = TotpBegun),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 409, description = "There is a second factor already", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn begin_mfa(State(app): State<App>, caller: SignedIn) -> Result<impl IntoResponse, Problem> {
    let (id, _) = caller.person()?;
    let store = app.node.store();
    let user = store.user(&caller.scope, id).await.map_err(store_problem)?;
    let bytes = random::<TOTP_SECRET_BYTES>()?;
    let secret = totp_rs::Secret::from(bytes.to_vec()).to_base32();
    let url = totp(&bytes, user.email.expose())?.to_url().map_err(|_| Problem::internal())?;
    store.begin_totp(&caller.scope, id, &Secret::new(secret.clone())).await.map_err(|error| match error {
        store::StoreError::Conflict(why) => Problem::conflict(why),
        other => store_problem(other),
    })?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(TotpBegun { secret, url })))
}

/// A code of the authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    #[schema(value_type = String, example = "123456")]
    code: Secret<String>,
}

/// Codes that each replace one code of the second factor, once. Shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// Switches the second factor on with its first code, and gives recovery codes.
#[utoipa::path(post, path = "/api/v1/auth/mfa/confirm", tag = "auth", operation_id = "confirm_mfa", security(("bearer" = [])),
    request_body = Code, responses(
    (status = 200, description = "It is on; the recovery codes are shown once", body = RecoveryCodes),
    (status = 401, description = "The code is not right", body = Problem),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 404, description = "Nothing was begun", body = Problem),
    (status = 409, description = "There is a second factor already", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn confirm_mfa(
    State(app): State<App>,
    caller: SignedIn,
    entry: Entry,
    Body(wish): Body<Code>,
) -> Result<impl IntoResponse, Problem> {
    let (user, _) = caller.person()?;
    app.auth.throttle.attempt("code", entry.address, Some(&user.to_string())).await?;
    let begun = app.node.store().totp(&caller.scope, user).await.map_err(store_problem)?;
    if begun.ok_or_else(Problem::not_found)?.confirmed {
        return Err(Problem::conflict("there is a second factor already"));
    }
    tell_codes(user);
    if !use_totp(&app, &caller.scope, user, wish.code.expose()).await? {
        return Err(Problem::sign_in_failed());
    }
    new_recovery_codes(&app, &caller.scope, user).await
}

/// Replaces the recovery codes.
#[utoipa::path(post, path = "/api/v1/auth/mfa/recovery-codes", tag = "auth", operation_id = "renew_recovery_codes",
    security(("bearer" = [])), request_body = Code, responses(
    (status = 200, description = "New codes, shown once; the old ones are void", body = RecoveryCodes),
    (status = 401, description = "The code is not right", body = Problem),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn renew_recovery_codes(
    State(app): State<App>,
    caller: SignedIn,
    entry: Entry,
    Body(wish): Body<Code>,
) -> Result<impl IntoResponse, Problem> {
    let (user, _) = caller.person()?;
    app.auth.throttle.attempt("code", entry.address, Some(&user.to_string())).await?;
    tell_codes(user);
    use_code(&app, &caller.scope, user, &wish.code).await?.ok_or_else(Problem::sign_in_failed)?;
    new_recovery_codes(&app, &caller.scope, user).await
}

/// What it takes to go without a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MfaEnd {
    #[schema(value_type = String)]
    password: Secret<String>,
    /// A code of the second factor, or a recovery code.
    #[schema(value_type = String, example = "123456")]
    code: Secret<String>,
}

/// Switches the second factor off.
#[utoipa::path(post, path = "/api/v1/auth/mfa/disable", tag = "auth", operation_id = "disable_mfa", security(("bearer" = [])),
    request_body = MfaEnd, responses(
    (status = 204, description = "It is off"),
    (status = 401, description = "The password or the code is not right", body = Problem),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn disable_mfa(
    State(app): State<App>,
    caller: SignedIn,
    entry: Entry,
    Body(wish): Body<MfaEnd>,
) -> Result<impl IntoResponse, Problem> {
    let (user, _) = caller.person()?;
    check_password(&app, &caller.scope, user, &entry, wish.password).await?;
    audit::tell(&Note::on(format!("users/{user}")));
    use_code(&app, &caller.scope, user, &wish.code).await?.ok_or_else(Problem::sign_in_failed)?;
    app.node.store().remove_totp(&caller.scope, user).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the line about new recovery codes says.
fn tell_codes(user: UserId) {
    audit::tell(&Note::on(format!("users/{user}")).details(json!({"recovery_codes": limits::RECOVERY_CODES})));
}

async fn new_recovery_codes(
    app: &App,
    scope: &TenantScope,
    user: UserId,
) -> Result<impl IntoResponse + use<>, Problem> {
    let mut codes = Vec::new();
    for _ in 0..limits::RECOVERY_CODES {
        let letters = totp_rs::Secret::from(random::<RECOVERY_BYTES>()?.to_vec()).to_base32();
        let groups: Vec<&str> = [0, 4, 8, 12].iter().filter_map(|at| letters.get(*at..at + 4)).collect();
        codes.push(groups.join("-"));
    }
    let hashes: Vec<_> = codes.iter().map(|code| recovery_hash(user, code)).collect();
    app.node.store().put_recovery_codes(scope, user, &hashes).await.map_err(store_problem)?;
    let answer = Json(RecoveryCodes { recovery_codes: codes });
    Ok(([(header::CACHE_CONTROL, "no-store")], answer))
}

fn recovery_hash(user: UserId, code: &str) -> store::people::SecretHash {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hash(&format!("{user} {}", letters.to_ascii_uppercase()))
}

/// Uses up a code of the second factor or a recovery code, and says which it was. `None` when it is neither.
pub(super) async fn use_code(
    app: &App,
    scope: &TenantScope,
    user: UserId,
    code: &Secret<String>,
) -> Result<Option<&'static str>, Problem> {
    let code = code.expose().trim();
    if code.len() <= 8 {
        return Ok(use_totp(app, scope, user, code).await?.then_some("totp"));
    }
    let used = app.node.store().use_recovery_code(scope, user, &recovery_hash(user, code)).await;
    Ok(used.map_err(store_problem)?.then_some("recovery_code"))
}

async fn use_totp(app: &App, scope: &TenantScope, user: UserId, code: &str) -> Result<bool, Problem> {
    let store = app.node.store();
    let Some(kept) = store.totp(scope, user).await.map_err(store_problem)? else { return Ok(false) };
    let secret = totp_rs::Secret::try_from_base32(kept.secret.expose()).map_err(|_| Problem::internal())?;
    let totp = totp(secret.as_ref(), "person")?;
    let now_secs = u64::try_from(runtime::wall_ms() / 1000).unwrap_or(0);
    let Some(step) = totp.check(code, now_secs) else { return Ok(false) };
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    store.use_totp_step(scope, user, step).await.map_err(store_problem)
}

fn totp(secret: &[u8], account: &str) -> Result<Totp, Problem> {
    let account = account.replace(':', " ");
    let builder = Builder::new().with_secret(secret.to_vec()).with_account_name(account).with_issuer(Some(ISSUER));
    builder.build().map_err(|error| {
        tracing::error!(%error, "a second factor cannot be computed");
        Problem::internal()
    })
}
