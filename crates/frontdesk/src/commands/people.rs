//! The part of `frontdesk admin` that is about businesses, people and keys. Works on the database, so it needs no running
//! server and no way in through the API.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use api::auth::secret::{self, SecretKind};
use api::auth::{Passwords, check_new_password};
use base::{AccessKeyId, BusinessId, Pii, Secret, UserId, limits};
use clap::{Args, Subcommand};
use model::business::{Business, TenantScope};
use model::people::{Actor, Permission, PermissionSet, Role};
use serde_json::{Value, json};
use std::io::Read as _;
use std::process::ExitCode;
use store::Store;
use store::people::{Audited, KeyKind, NewKey, NewUser};

/// A token that is printed here is carried to a person by hand.
const TOKEN_HOURS: i64 = 72;
const HOUR_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// Create a business
    CreateBusiness {
        /// Short name, used in addresses: lower-case letters, digits, hyphens
        slug: String,
        /// Name as customers know it
        #[arg(long)]
        name: Option<String>,
        /// IANA time zone
        #[arg(long, default_value = "UTC")]
        time_zone: String,
    },
    /// Add a person to a business and print the token with which they set their password
    CreateUser(UserArgs),
    /// Make an API key of a business and print it
    CreateKey(KeyArgs),
    /// Print a token with which a person sets a new password
    ResetPassword {
        /// Their e-mail address
        email: String,
        /// Short name of the business, for people who belong to several
        #[arg(long)]
        business: Option<String>,
    },
    /// List businesses, or the people and keys of one
    List {
        /// Short name of the business
        business: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// Short name of the business
    business: String,
    /// E-mail address
    email: String,
    /// owner, admin, supervisor, operator, analyst or developer
    #[arg(long, default_value = "operator")]
    role: Role,
    /// Name as people see it
    #[arg(long)]
    name: Option<String>,
    /// Read the password from standard input instead of printing a token
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Short name of the business
    business: String,
    /// Name as people see it
    name: String,
    /// What it may do, such as "calls:read agents:read"
    #[arg(long, value_parser = read_permissions)]
    permissions: PermissionSet,
    /// Days after which it opens nothing; without, it does not expire
    #[arg(long)]
    days: Option<u16>,
}

fn read_permissions(text: &str) -> Result<PermissionSet, String> {
    PermissionSet::parse(text).map_err(|name| format!("there is no permission {name}; docs/access.md lists them"))
}

pub(crate) async fn people(config: &Config, command: PeopleCommand) -> anyhow::Result<ExitCode> {
    let store = wiring::open_database(config, &environment).await?;
    match command {
        PeopleCommand::CreateBusiness { slug, name, time_zone } => {
            create_business(&*store, slug, name, time_zone).await?
        }
        PeopleCommand::CreateUser(args) => create_user(&*store, args).await?,
        PeopleCommand::CreateKey(args) => create_key(&*store, args).await?,
        PeopleCommand::ResetPassword { email, business } => {
            reset_password(&*store, &email, business.as_deref()).await?
        }
        PeopleCommand::List { business: None } => list_businesses(&*store).await?,
        PeopleCommand::List { business: Some(slug) } => list_business(&*store, &slug).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn create_business(
    store: &dyn Store,
    slug: String,
    name: Option<String>,
    time_zone: String,
) -> anyhow::Result<()> {
    let good = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    if !(2..=40).contains(&slug.len()) || !slug.chars().all(good) || slug.starts_with('-') {
        bail!("{slug:?} is no short name: 2 to 40 lower-case letters, digits and hyphens, no hyphen first");
    }
    jiff::tz::TimeZone::get(&time_zone).map_err(|_| anyhow::anyhow!("there is no time zone {time_zone}"))?;
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, name: name.unwrap_or_else(|| slug.clone()), slug, time_zone };
    store.put_business(&scope, &business).await.map_err(|error| match error {
        store::StoreError::Conflict(_) => anyhow::anyhow!("there is a business {} already", business.slug),
        other => other.into(),
    })?;
    note(store, &scope, "create_business", &format!("businesses/{}", scope.business), json!({})).await?;
    println!("business {} ({})", business.slug, scope.business);
    Ok(())
}

async fn create_user(store: &dyn Store, args: UserArgs) -> anyhow::Result<()> {
    let scope = scope_of(store, &args.business).await?;
    let email = args.email.trim().to_lowercase();
    if !email.contains('@') || email.chars().any(char::is_whitespace) {
        bail!("{email:?} is no e-mail address");
    }
    let password_hash = if args.password_stdin { Some(read_password(&email).await?) } else { None };
    let has_password = password_hash.is_some();
    let user = NewUser {
        id: UserId::generate(),
        name: Pii::new(args.name.unwrap_or_else(|| email.clone())),
        email: Pii::new(email.clone()),
        role: args.role,
        password_hash,
        verified: true, // By whoever runs the installation.
    };
    store.create_user(&scope, &user, runtime::wall_ms()).await.map_err(|error| match error {
        store::StoreError::Conflict(_) => anyhow::anyhow!("somebody of {} has the address {email}", args.business),
        other => other.into(),
    })?;
    note(store, &scope, "create_user", &format!("users/{}", user.id), json!({"role": args.role})).await?;
    println!("user {} ({email}, {})", user.id, args.role);
    if has_password { Ok(()) } else { print_token(store, &scope, user.id).await }
}

async fn read_password(email: &str) -> anyhow::Result<Secret<String>> {
    let mut text = String::new();
    let most = limits::PASSWORD_BYTES_MAX as u64 + 2;
    std::io::stdin().take(most).read_to_string(&mut text).context("the password on standard input")?;
    let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    check_new_password(&password, email).map_err(problem)?;
    Passwords::default().hash(password).await.map_err(problem)
}

async fn create_key(store: &dyn Store, args: KeyArgs) -> anyhow::Result<()> {
    let scope = scope_of(store, &args.business).await?;
    if args.permissions.contains(Permission::InstallationManage) || args.permissions == PermissionSet::NONE {
        bail!("a key has at least one permission, and never {}", Permission::InstallationManage);
    }
    let (secret, now_ms) = (secret::fresh(SecretKind::Key).map_err(problem)?, runtime::wall_ms());
    let key = NewKey {
        id: AccessKeyId::generate(),
        kind: KeyKind::Key,
        name: args.name,
        prefix: secret.prefix,
        hash: secret.hash,
        permissions: args.permissions,
        created_by: Some(Actor::Installation.kind().into()),
        expires_at_ms: args.days.map(|days| now_ms + i64::from(days) * 24 * HOUR_MS),
    };
    store.create_key(&scope, &key, now_ms).await?;
    let details = json!({"permissions": key.permissions.to_string()});
    note(store, &scope, "create_key", &format!("keys/{}", key.id), details).await?;
    println!("key {} ({})", key.id, key.permissions);
    println!("{}", secret.text.expose());
    Ok(())
}

async fn reset_password(store: &dyn Store, email: &str, business: Option<&str>) -> anyhow::Result<()> {
    let account = store.account(&email.trim().to_lowercase(), business).await?;
    let account = account.with_context(|| format!("nobody has the address {email}"))?;
    note(store, &account.scope, "allow_password_reset", &format!("users/{}", account.user.id), json!({})).await?;
    print_token(store, &account.scope, account.user.id).await
}

async fn print_token(store: &dyn Store, scope: &TenantScope, user: UserId) -> anyhow::Result<()> {
    let (token, now_ms) = (secret::fresh(SecretKind::OneTime).map_err(problem)?, runtime::wall_ms());
    store.allow_reset(scope, user, &token.hash, now_ms, now_ms + TOKEN_HOURS * HOUR_MS).await?;
    println!("token for POST /api/v1/auth/password/reset, for {TOKEN_HOURS} hours:");
    println!("{}", token.text.expose());
    Ok(())
}

async fn list_businesses(store: &dyn Store) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = store.businesses(after.as_deref()).await?;
        let last_page = page.len() < limits::PAGE_ROWS_MAX as usize;
        after = page.last().map(|business| business.slug.clone());
        for business in page {
            println!("{:<24} {}  {}  {}", business.slug, business.id, business.time_zone, business.name);
        }
        if last_page {
            return Ok(());
        }
    }
}

async fn list_business(store: &dyn Store, slug: &str) -> anyhow::Result<()> {
    let scope = scope_of(store, slug).await?;
    let mut after = None;
    loop {
        let page = store.users(&scope, after, limits::PAGE_ROWS_MAX).await?;
        for user in page.rows {
            let state = if user.active { "active" } else { "gone" };
            let factor = if user.mfa { "second factor" } else { "" };
            println!("user {}  {:<10} {state:<6} {} {factor}", user.id, user.role.name(), user.email.expose());
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    for kind in [KeyKind::Key, KeyKind::Client] {
        for key in store.keys(&scope, kind, None, limits::PAGE_ROWS_MAX).await?.rows {
            println!("{:<6} {}  {}  {}  {}", kind.name(), key.id, key.prefix, key.name, key.permissions);
        }
    }
    Ok(())
}

async fn scope_of(store: &dyn Store, slug: &str) -> anyhow::Result<TenantScope> {
    match store.business_by_slug(slug).await {
        Ok(business) => Ok(TenantScope { business: business.id }),
        Err(store::StoreError::NotFound(_)) => bail!("there is no business {slug}; `frontdesk admin list` names them"),
        Err(error) => Err(error.into()),
    }
}

async fn note(
    store: &dyn Store,
    scope: &TenantScope,
    action: &str,
    subject: &str,
    details: Value,
) -> anyhow::Result<()> {
    let line = Audited { actor: Some(Actor::Installation), action, subject, details: &details, address: None };
    store.audit(scope, &line, runtime::wall_ms()).await.context("the audit log")
}

fn problem(problem: api::Problem) -> anyhow::Error {
    anyhow::anyhow!(problem.detail.unwrap_or_else(|| problem.title.into()))
}
