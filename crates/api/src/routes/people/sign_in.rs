//! Signing in and what comes before it: registering, invitations, resets.

use super::store_problem;
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::secret::{self, SecretKind, hash};
use crate::auth::session::{self, Carry, Entry, SignedInAs, Tokens};
use crate::auth::{SignedIn, check_new_password};
use crate::http::{Body, MaybeBody};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::{BusinessId, Pii, Secret, UserId};
use model::business::{Business, TenantScope};
use model::people::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::people::{Account, Audited, NewUser, Renewed};
use utoipa::ToSchema;
use uuid::Uuid;

/// A business and its first owner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    /// Name of the business as customers know it.
    #[schema(example = "Brightleaf Cycles", min_length = 1, max_length = 120)]
    business_name: String,
    /// Short name, used in addresses.
    #[schema(example = "brightleaf", min_length = 2, max_length = 40, pattern = "^[a-z0-9][a-z0-9-]*$")]
    slug: String,
    /// IANA time zone; UTC when left out.
    #[schema(example = "Europe/Berlin", max_length = 60)]
    time_zone: Option<String>,
    /// The owner's e-mail address.
    #[schema(example = "mira@brightleaf.example", max_length = 254)]
    email: String,
    /// The owner's name.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// At least 10 characters.
    #[schema(value_type = String, min_length = 10)]
    password: Secret<String>,
}

/// What was registered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Registered {
    business: Uuid,
    slug: String,
    user: Uuid,
}

/// Registers a business with its first owner. Only where the server allows it.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", operation_id = "register", security(()),
    request_body = Registration, responses(
    (status = 201, description = "It exists; sign in", body = Registered),
    (status = 403, description = "Businesses are registered by whoever runs the server", body = Problem),
    (status = 409, description = "The short name is taken", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "Something in it is not valid", body = Problem),
    (status = 429, description = "Too many attempts", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn register(
    State(app): State<App>,
    entry: Entry,
    Body(wish): Body<Registration>,
) -> Result<impl IntoResponse, Problem> {
    if !app.auth.settings.registration {
        return Err(Problem::registration_closed());
    }
    app.auth.throttle.attempt("register", entry.address, None).await?;
    let email = read_email(&wish.email)?;
    let (slug, business_name) = (read_slug(&wish.slug)?, read_name("business_name", &wish.business_name)?);
    let name = read_name("name", &wish.name)?;
    let time_zone = wish.time_zone.unwrap_or_else(|| "UTC".into());
    if jiff::tz::TimeZone::get(&time_zone).is_err() {
        return Err(Problem::invalid("time_zone: not an IANA time zone, such as Europe/Berlin"));
    }
    check_new_password(&wish.password, &email)?;
    let password_hash = Some(app.auth.passwords.hash(wish.password).await?);
    let business = Business { id: BusinessId::generate(), slug, name: business_name, time_zone };
    let role = Role::Owner;
    let owner = NewUser {
        id: UserId::generate(),
        email: Pii::new(email),
        name: Pii::new(name),
        role,
        password_hash,
        verified: false,
    };
    audit::tell(&Note::of(TenantScope { business: business.id }).details(json!({"owner": owner.id.0})));
    app.node.store().register(&business, &owner, runtime::wall_ms()).await.map_err(|error| match error {
        store::StoreError::Conflict(_) => Problem::conflict("slug: another business has this short name"),
        other => store_problem(other),
    })?;
    let view = Registered { business: business.id.0, slug: business.slug, user: owner.id.0 };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// What a person signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(example = "mira@brightleaf.example", max_length = 254)]
    email: String,
    #[schema(value_type = String)]
    password: Secret<String>,
    /// Short name of the business, for people who belong to several.
    #[serde(default)]
    business: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    code: Option<Secret<String>>,
    /// Put the tokens into cookies that no script can read, instead of into the answer.
    #[serde(default)]
    cookies: bool,
}

/// Signs in with a password. Takes as long and says the same when there is no such person.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", operation_id = "login", security(()),
    request_body = Login, responses(
    (status = 200, description = "Tokens of a new session", body = Tokens),
    (status = 401, description = "It was not accepted, or a code of the second factor is needed", body = Problem),
    (status = 403, description = "The business may not be reached from here", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "Too many sign in at once, or the database does not answer", body = Problem)
))]
pub(crate) async fn login(
    State(app): State<App>,
    entry: Entry,
    Body(wish): Body<Login>,
) -> Result<SignedInAs, Problem> {
    let email = read_email(&wish.email).map_err(|_| Problem::sign_in_failed())?;
    app.auth.throttle.attempt("login", entry.address, Some(&email)).await?;
    if wish.password.expose().len() > base::limits::PASSWORD_BYTES_MAX {
        return Err(Problem::sign_in_failed());
    }
    let account = app.node.store().account(&email, wish.business.as_deref()).await.map_err(store_problem)?;
    let hash = account.as_ref().filter(|account| account.user.active).and_then(|account| account.password_hash.clone());
    let right = app.auth.passwords.matches(wish.password, hash).await?;
    let account = match account {
        Some(account) if right => account,
        account => {
            note_failure(&app, account.as_ref(), &entry, "password");
            return Err(Problem::sign_in_failed());
        }
    };
    let method = match (account.user.mfa, wish.code) {
        (false, _) => "password",
        (true, None) => return Err(Problem::second_factor_required()),
        (true, Some(code)) => match super::me::use_code(&app, &account.scope, account.user.id, &code).await? {
            Some(method) => method,
            None => {
                note_failure(&app, Some(&account), &entry, "code");
                return Err(Problem::sign_in_failed());
            }
        },
    };
    let signed_in = session::open(&app, account.scope, account.user.id, method, &entry, wish.cookies.into()).await?;
    app.auth.throttle.succeeded("login", &email, runtime::wall_ms()).await;
    Ok(signed_in)
}

/// Writes that somebody failed to sign in. Aside, so that the answer takes as long as for somebody who does not exist.
fn note_failure(app: &App, account: Option<&Account>, entry: &Entry, why: &'static str) {
    let Some(account) = account else { return };
    let (app, scope, user, address) = (app.clone(), account.scope, account.user.id, entry.address_text());
    tokio::spawn(async move {
        let (subject, details) = (format!("users/{user}"), json!({"wrong": why}));
        let line = Audited {
            actor: None,
            action: "login_failed",
            subject: &subject,
            details: &details,
            address: address.as_deref(),
        };
        crate::auth::audit::write(&app, scope, &line).await;
    });
}

/// A refresh token; a page leaves it out and sends its cookie.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    refresh_token: Option<Secret<String>>,
}

/// Exchanges a refresh token for the next tokens. One that comes a second time ends its session: somebody has a copy.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", operation_id = "refresh", security(()),
    request_body = Refresh, responses(
    (status = 200, description = "The next tokens of the session", body = Tokens),
    (status = 401, description = "The refresh token opens nothing", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn refresh(
    State(app): State<App>,
    entry: Entry,
    MaybeBody(wish): MaybeBody<Refresh>,
) -> Result<SignedInAs, Problem> {
    let carry = if wish.refresh_token.is_some() { Carry::Body } else { Carry::Cookies };
    let old = wish.refresh_token.or_else(|| entry.refresh_cookie.clone()).ok_or_else(Problem::sign_in_failed)?;
    let next = secret::fresh(SecretKind::Refresh)?;
    let renewed = app.node.store().renew_session(&hash(old.expose()), &next.hash, runtime::wall_ms()).await;
    match renewed.map_err(store_problem)? {
        Renewed::Done { scope, user, session } => {
            session::hand_out(&app, (scope, user, session), next.text, &entry, carry)
        }
        Renewed::Reused { user, session, .. } => {
            tracing::warn!(%user, %session, "a refresh token came twice; its session is over");
            Err(Problem::sign_in_failed())
        }
        Renewed::Unknown => Err(Problem::sign_in_failed()),
    }
}

/// Ends the session of this request.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", operation_id = "logout", security(("bearer" = [])), responses(
    (status = 204, description = "The session is over; its tokens open nothing any more"),
    (status = 403, description = "The credential is a program's", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn logout(
    State(app): State<App>,
    caller: SignedIn,
    entry: Entry,
) -> Result<impl IntoResponse, Problem> {
    let (user, session) = caller.person()?;
    let store = app.node.store();
    store.end_session(&caller.scope, user, session, runtime::wall_ms()).await.map_err(store_problem)?;
    Ok((StatusCode::NO_CONTENT, session::forget_cookies(&entry)))
}

/// What an invited person brings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// The token of the invitation.
    #[schema(value_type = String)]
    token: Secret<String>,
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// At least 10 characters.
    #[schema(value_type = String, min_length = 10)]
    password: Secret<String>,
    /// Put the tokens into cookies that no script can read, instead of into the answer.
    #[serde(default)]
    cookies: bool,
}

/// Joins the business that an invitation is from, and signs in.
#[utoipa::path(post, path = "/api/v1/auth/invitations/accept", tag = "auth", operation_id = "accept_invitation", security(()),
    request_body = Acceptance, responses(
    (status = 200, description = "Tokens of a new session", body = Tokens),
    (status = 403, description = "The business may not be reached from here", body = Problem),
    (status = 409, description = "The address belongs to somebody of the business by now", body = Problem),
    (status = 410, description = "The invitation is void", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "Too many attempts", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn accept_invitation(
    State(app): State<App>,
    entry: Entry,
    Body(wish): Body<Acceptance>,
) -> Result<SignedInAs, Problem> {
    app.auth.throttle.attempt("token", entry.address, None).await?;
    let (store, token) = (app.node.store(), hash(wish.token.expose()));
    let name = read_name("name", &wish.name)?;
    let invited = store.invitation(&token, runtime::wall_ms()).await.map_err(store_problem)?;
    let (scope, invitation) = invited.ok_or_else(Problem::token_void)?;
    check_new_password(&wish.password, invitation.email.expose())?;
    let password = app.auth.passwords.hash(wish.password).await?;
    let (id, name) = (UserId::generate(), Pii::new(name));
    audit::tell(&Note::of(scope).details(json!({"user": id.0, "role": invitation.role})));
    let accepted = store.accept_invitation(&token, id, &name, &password, runtime::wall_ms()).await;
    let (scope, user) = accepted.map_err(store_problem)?.ok_or_else(Problem::token_void)?;
    session::open(&app, scope, user.id, "password", &entry, wish.cookies.into()).await
}

/// Whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgotten {
    #[schema(example = "mira@brightleaf.example", max_length = 254)]
    email: String,
    /// Short name of the business, for people who belong to several.
    #[serde(default)]
    #[schema(max_length = 40)]
    business: Option<String>,
}

/// Sends a link to set a new password, if there is such a person. The answer does not say whether there is.
#[utoipa::path(post, path = "/api/v1/auth/password/forgot", tag = "auth", operation_id = "forgot_password", security(()),
    request_body = Forgotten, responses(
    (status = 202, description = "Whoever has this address and a password gets a mail"),
    (status = 409, description = "This installation sends no mail", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn forgot_password(
    State(app): State<App>,
    entry: Entry,
    Body(wish): Body<Forgotten>,
) -> Result<StatusCode, Problem> {
    if app.node.mailer().is_none() {
        return Err(Problem::mail_not_configured());
    }
    let email = read_email(&wish.email)?;
    let business = wish.business.as_deref().map(read_slug).transpose()?;
    app.auth.throttle.attempt("forgot", entry.address, Some(&email)).await?;
    crate::auth::forgotten::ask(app.node.store().as_ref(), email, business, entry.language.clone())
        .await
        .map_err(store_problem)?;
    Ok(StatusCode::ACCEPTED)
}

/// A new password for somebody who has forgotten theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// The token of the reset.
    #[schema(value_type = String)]
    token: Secret<String>,
    /// At least 10 characters.
    #[schema(value_type = String, min_length = 10)]
    password: Secret<String>,
}

/// Sets a new password with the token of a reset, and ends all sessions of the person.
#[utoipa::path(post, path = "/api/v1/auth/password/reset", tag = "auth", operation_id = "reset_password", security(()),
    request_body = Reset, responses(
    (status = 204, description = "Sign in with the new password"),
    (status = 410, description = "The token is void", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 429, description = "Too many attempts", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn reset_password(
    State(app): State<App>,
    entry: Entry,
    Body(wish): Body<Reset>,
) -> Result<StatusCode, Problem> {
    app.auth.throttle.attempt("token", entry.address, None).await?;
    check_new_password(&wish.password, "")?;
    let password = app.auth.passwords.hash(wish.password).await?;
    let done = app.node.store().reset_password(&hash(wish.token.expose()), &password, runtime::wall_ms()).await;
    done.map_err(store_problem)?.ok_or_else(Problem::token_void)?;
    Ok(StatusCode::NO_CONTENT)
}

/// An e-mail address as it is kept: in lower case. Whether mail arrives there is shown by mail, not by its letters.
pub(super) fn read_email(text: &str) -> Result<String, Problem> {
    let email = text.trim().to_lowercase();
    let shaped = email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    });
    let clean = !email.chars().any(|one| one.is_whitespace() || one.is_control());
    if shaped && clean && email.len() <= 254 {
        Ok(email)
    } else {
        Err(Problem::invalid("email: not an e-mail address"))
    }
}

/// A name as people write it.
pub(super) fn read_name(field: &str, text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let clean = !name.is_empty() && name.chars().count() <= 120 && !name.chars().any(char::is_control);
    if clean { Ok(name.to_owned()) } else { Err(Problem::invalid(format!("{field}: 1 to 120 characters are needed"))) }
}

fn read_slug(text: &str) -> Result<String, Problem> {
    let good = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    let fits = (2..=40).contains(&text.len()) && text.chars().all(good) && !text.starts_with('-');
    let wrong = "slug: 2 to 40 lower-case letters, digits and hyphens are needed, and no hyphen first";
    if fits { Ok(text.to_owned()) } else { Err(Problem::invalid(wrong)) }
}
