//! What a store knows of people: who they are, what they and their programs sign in with, and what they did.
//!
//! Secrets come in as hashes and never go out. Lookups that begin with a secret or an e-mail address find out whose it is,
//! and answer with the scope; everything else takes one.

use crate::contract::{Answer, Cursor, Page};
use async_trait::async_trait;
use base::{AccessKeyId, Pii, Secret, SessionId, UserId};
use model::business::{Business, TenantScope};
use model::people::{Actor, PermissionSet, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// SHA-256 of a secret that is random enough not to be guessed.
pub type SecretHash = [u8; 32];

/// A person of a business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// E-mail address, in lower case; unique within the business.
    pub email: Pii<String>,
    /// Name as people see it.
    pub name: Pii<String>,
    /// What they are there for.
    pub role: Role,
    /// Whether they may sign in.
    pub active: bool,
    /// Whether they sign in with a second factor.
    pub mfa: bool,
    /// Whether they have a password; without one they sign in at an identity provider.
    pub has_password: bool,
    /// Unix milliseconds when it was shown that they read their address.
    pub verified_at_ms: Option<i64>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
}

/// A person who joins.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Their id.
    pub id: UserId,
    /// E-mail address, in lower case.
    pub email: Pii<String>,
    /// Name as people see it.
    pub name: Pii<String>,
    /// What they are there for.
    pub role: Role,
    /// In the form of PHC strings.
    pub password_hash: Option<Secret<String>>,
    /// Whether it was shown that they read their address.
    pub verified: bool,
}

/// What changes about a person. Everything absent stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name as people see it.
    pub name: Option<Pii<String>>,
    /// What they are there for.
    pub role: Option<Role>,
    /// Whether they may sign in. Who may no longer is signed out everywhere.
    pub active: Option<bool>,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChanged {
    /// The person as they are now.
    Done(User),
    /// Nothing: the business would have no owner left who may sign in.
    LastOwner,
}

/// A person with what they sign in with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Their business.
    pub scope: TenantScope,
    /// Who.
    pub user: User,
    /// In the form of PHC strings.
    pub password_hash: Option<Secret<String>>,
}

/// A second factor by time (RFC 6238).
#[derive(Clone, Debug)]
pub struct Totp {
    /// The shared secret, in Base32.
    pub secret: Secret<String>,
    /// Whether a code of it was shown once; until then nobody is asked for one.
    pub confirmed: bool,
}

/// One time that a person has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub user: UserId,
    /// How: `password`, `totp`, `recovery_code` or `identity_provider`.
    pub method: String,
    /// What the browser or program calls itself.
    pub user_agent: String,
    /// From where.
    pub address: Pii<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds of the last new access token.
    pub seen_at_ms: i64,
    /// Unix milliseconds after which it is over.
    pub expires_at_ms: i64,
}

/// What came of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It was exchanged.
    Done {
        /// Their business.
        scope: TenantScope,
        /// Who.
        user: UserId,
        /// Which session.
        session: SessionId,
    },
    /// It was exchanged before: somebody has a copy. The session is over.
    Reused {
        /// Their business.
        scope: TenantScope,
        /// Who.
        user: UserId,
        /// Which session.
        session: SessionId,
    },
    /// It is none of ours, or its session is over.
    Unknown,
}

/// What a live session allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAccess {
    /// Who.
    pub user: UserId,
    /// What they are there for, as it is now.
    pub role: Role,
    /// From where the business may be reached.
    pub networks: Vec<String>,
}

/// Whether a secret of a program is used as it is or exchanged for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// An API key: sent with every request.
    Key,
    /// A client of OAuth 2.0: exchanged for tokens (RFC 6749, 4.4).
    Client,
}

impl KeyKind {
    /// Its word in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Client => "client",
        }
    }
}

/// What a program knows us by, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id; of a client also its `client_id`.
    pub id: AccessKeyId,
    /// Which kind.
    pub kind: KeyKind,
    /// Name as people see it.
    pub name: String,
    /// The beginning of its secret.
    pub prefix: String,
    /// What it may do.
    pub permissions: PermissionSet,
    /// Who made it, in the words of [`Actor`].
    pub created_by: Option<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds after which it opens nothing.
    pub expires_at_ms: Option<i64>,
    /// Unix milliseconds of the last use, to the minute.
    pub used_at_ms: Option<i64>,
    /// Until when the secret before this one still opens.
    pub previous_until_ms: Option<i64>,
    /// Unix milliseconds when it was taken back.
    pub revoked_at_ms: Option<i64>,
}

/// A key that is made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Which kind.
    pub kind: KeyKind,
    /// Name as people see it.
    pub name: String,
    /// The beginning of its secret.
    pub prefix: String,
    /// Of the whole secret.
    pub hash: SecretHash,
    /// What it may do.
    pub permissions: PermissionSet,
    /// Who makes it.
    pub created_by: Option<String>,
    /// Unix milliseconds after which it opens nothing.
    pub expires_at_ms: Option<i64>,
}

/// What a live key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAccess {
    /// Its business.
    pub scope: TenantScope,
    /// The key.
    pub key: AccessKey,
    /// From where the business may be reached.
    pub networks: Vec<String>,
}

/// An invitation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: Uuid,
    /// Who is invited.
    pub email: Pii<String>,
    /// As what.
    pub role: Role,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds after which it is void.
    pub expires_at_ms: i64,
}

/// From where a business may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    /// Networks in CIDR notation; none: everywhere.
    pub networks: Vec<String>,
    /// From 1; one more with each change; 0 when it was never set.
    pub version: u32,
}

/// Where people of a business may sign in instead of here (OpenID Connect Core 1.0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityProvider {
    /// Its id.
    pub id: Uuid,
    /// Name as people see it on the button.
    pub name: String,
    /// Where its document is: the address before `/.well-known/openid-configuration`.
    pub discovery_url: String,
    /// Who its tokens must be from, where that differs from `discovery_url`.
    pub issuer: Option<String>,
    /// What it knows us by.
    pub client_id: String,
    /// Policy that its tokens must name (`tfp` or `acr`), where it has several.
    pub policy: Option<String>,
    /// Whether its addresses are true although it does not say `email_verified`.
    pub trust_email: bool,
    /// Domains of e-mail addresses whose owners join by signing in.
    pub join_domains: Vec<String>,
    /// As what they join.
    pub join_role: Role,
}

/// One line of who did what.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine {
    /// Its id.
    pub id: Uuid,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `user`, `key`, `client`, `installation` or `nobody`.
    pub actor_kind: String,
    /// Their id, where there is one.
    pub actor_id: Option<String>,
    /// What: the operation's name in the API.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Details, without secrets.
    pub details: Value,
    /// From where.
    pub address: Option<Pii<String>>,
}

/// A line to be written.
#[derive(Clone, Debug)]
pub struct Audited<'a> {
    /// Who; `None` when nobody had signed in.
    pub actor: Option<Actor>,
    /// What: the operation's name in the API.
    pub action: &'a str,
    /// On what.
    pub subject: &'a str,
    /// Details, without secrets.
    pub details: &'a Value,
    /// From where.
    pub address: Option<&'a str>,
}

/// Which lines a list shows. Everything absent means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this person or key.
    pub actor_id: Option<String>,
    /// Of this operation.
    pub action: Option<String>,
    /// From this time on, in Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Before this time.
    pub before_ms: Option<i64>,
}

/// People.
#[async_trait]
pub trait Users: Send + Sync {
    /// Creates a business with its first owner. `Conflict` when another one has the slug.
    async fn register(&self, business: &Business, owner: &NewUser, at_ms: i64) -> Answer<()>;
    /// Adds a person. `Conflict` when somebody of the business has the address.
    async fn create_user(&self, scope: &TenantScope, user: &NewUser, at_ms: i64) -> Answer<()>;
    /// One person.
    async fn user(&self, scope: &TenantScope, id: UserId) -> Answer<User>;
    /// People, newest first.
    async fn users(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<User>>;
    /// Changes a person, unless the business would have no owner left.
    async fn change_user(
        &self,
        scope: &TenantScope,
        id: UserId,
        change: &UserChange,
        at_ms: i64,
    ) -> Answer<UserChanged>;
    /// Who signs in with this address: in the business of this short name, or where it was verified first.
    async fn account(&self, email: &str, business_slug: Option<&str>) -> Answer<Option<Account>>;
    /// One person with what they sign in with.
    async fn account_of(&self, scope: &TenantScope, id: UserId) -> Answer<Account>;
    /// Sets a password and ends all sessions but this one.
    async fn set_password(
        &self,
        scope: &TenantScope,
        id: UserId,
        hash: &Secret<String>,
        keep: Option<SessionId>,
        at_ms: i64,
    ) -> Answer<()>;
}

/// Second factors.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// Begins: keeps a secret that is not asked for yet. `Conflict` when the person has a second factor.
    async fn begin_totp(&self, scope: &TenantScope, user: UserId, secret: &Secret<String>) -> Answer<()>;
    /// The person's secret.
    async fn totp(&self, scope: &TenantScope, user: UserId) -> Answer<Option<Totp>>;
    /// Notes that the code of this time step was used, and switches the second factor on. `false` when that code or a later
    /// one was used before.
    async fn use_totp_step(&self, scope: &TenantScope, user: UserId, step: i64) -> Answer<bool>;
    /// Replaces the recovery codes.
    async fn put_recovery_codes(&self, scope: &TenantScope, user: UserId, hashes: &[SecretHash]) -> Answer<()>;
    /// Uses up a recovery code. `false` when there is no such code any more.
    async fn use_recovery_code(&self, scope: &TenantScope, user: UserId, hash: &SecretHash) -> Answer<bool>;
    /// How many are left.
    async fn recovery_codes_left(&self, scope: &TenantScope, user: UserId) -> Answer<u32>;
    /// Takes the second factor away, with its recovery codes. `false` when there was none.
    async fn remove_totp(&self, scope: &TenantScope, user: UserId) -> Answer<bool>;
}

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Opens a session with its first refresh token.
    async fn open_session(&self, scope: &TenantScope, session: &Session, refresh: &SecretHash) -> Answer<()>;
    /// Exchanges a refresh token for the next one. One that was exchanged before ends its session.
    async fn renew_session(&self, old: &SecretHash, new: &SecretHash, at_ms: i64) -> Answer<Renewed>;
    /// What a session allows, if it is not over and its person is active.
    async fn session_access(&self, scope: &TenantScope, id: SessionId, at_ms: i64) -> Answer<Option<SessionAccess>>;
    /// Sessions of a person that are not over, newest first, at most a page.
    async fn sessions(&self, scope: &TenantScope, user: UserId, at_ms: i64) -> Answer<Vec<Session>>;
    /// Ends a session of this person. `false` when there is no such session that is not over.
    async fn end_session(&self, scope: &TenantScope, user: UserId, id: SessionId, at_ms: i64) -> Answer<bool>;
    /// Ends all sessions of a person but this one, and answers how many.
    async fn end_sessions(&self, scope: &TenantScope, user: UserId, keep: Option<SessionId>, at_ms: i64)
    -> Answer<u64>;
    /// Forgets sessions that were over before this time, and one-time tokens that expired before it, and answers how many.
    async fn prune_sessions(&self, before_ms: i64) -> Answer<u64>;
}

/// What may be done once with a token.
#[async_trait]
pub trait OneTimeTokens: Send + Sync {
    /// Invites somebody. `Conflict` when they belong to the business already.
    async fn invite(&self, scope: &TenantScope, invitation: &Invitation, hash: &SecretHash) -> Answer<()>;
    /// Invitations that wait, newest first, at most a page.
    async fn invitations(&self, scope: &TenantScope, at_ms: i64) -> Answer<Vec<Invitation>>;
    /// Takes an invitation back. `false` when none waits.
    async fn withdraw_invitation(&self, scope: &TenantScope, id: Uuid, at_ms: i64) -> Answer<bool>;
    /// The invitation of this token, if it waits: before a password is hashed for it.
    async fn invitation(&self, hash: &SecretHash, at_ms: i64) -> Answer<Option<(TenantScope, Invitation)>>;
    /// Makes an invited person a user. `None` when the token is void. Uses it up.
    async fn accept_invitation(
        &self,
        hash: &SecretHash,
        id: UserId,
        name: &Pii<String>,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, User)>>;
    /// Lets whoever has the token set the password of this person, until then.
    async fn allow_reset(
        &self,
        scope: &TenantScope,
        user: UserId,
        hash: &SecretHash,
        at_ms: i64,
        expires_at_ms: i64,
    ) -> Answer<()>;
    /// Sets the password that the token is for, ends all sessions of the person and says whose it is. `None` when the token
    /// is void. Uses it up.
    async fn reset_password(
        &self,
        hash: &SecretHash,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, UserId)>>;
}

/// API keys and clients.
#[async_trait]
pub trait AccessKeys: Send + Sync {
    /// Makes one.
    async fn create_key(&self, scope: &TenantScope, key: &NewKey, at_ms: i64) -> Answer<()>;
    /// One, also when it was taken back.
    async fn key(&self, scope: &TenantScope, kind: KeyKind, id: AccessKeyId) -> Answer<AccessKey>;
    /// Those that were not taken back, newest first.
    async fn keys(
        &self,
        scope: &TenantScope,
        kind: KeyKind,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<AccessKey>>;
    /// Gives it a new secret; the one before opens until then. `NotFound` when it was taken back.
    async fn rotate_key(
        &self,
        scope: &TenantScope,
        kind: KeyKind,
        id: AccessKeyId,
        prefix: &str,
        hash: &SecretHash,
        previous_until_ms: i64,
    ) -> Answer<()>;
    /// Takes it back. `false` when it was not there.
    async fn revoke_key(&self, scope: &TenantScope, kind: KeyKind, id: AccessKeyId, at_ms: i64) -> Answer<bool>;
    /// What a secret opens, if anything. Notes the use, at most once a minute.
    async fn key_by_secret(&self, kind: KeyKind, hash: &SecretHash, at_ms: i64) -> Answer<Option<KeyAccess>>;
    /// What a client may still do that has a token.
    async fn client_access(&self, scope: &TenantScope, id: AccessKeyId, at_ms: i64) -> Answer<Option<KeyAccess>>;
}

/// How a business lets people in.
#[async_trait]
pub trait EntryRules: Send + Sync {
    /// From where the business may be reached.
    async fn address_list(&self, scope: &TenantScope) -> Answer<AddressList>;
    /// Sets it and answers its version. With `expected`, a `Conflict` unless that is the version now (0: never set).
    async fn put_address_list(&self, scope: &TenantScope, networks: &[String], expected: Option<u32>) -> Answer<u32>;
    /// Creates or changes an identity provider. Without a secret, the one there stays.
    async fn put_identity_provider(
        &self,
        scope: &TenantScope,
        provider: &IdentityProvider,
        secret: Option<&Secret<String>>,
        at_ms: i64,
    ) -> Answer<()>;
    /// The identity providers of a business, oldest first, at most a page.
    async fn identity_providers(&self, scope: &TenantScope) -> Answer<Vec<IdentityProvider>>;
    /// Whose an identity provider is, with its secret: for somebody who has not signed in yet.
    async fn identity_provider(&self, id: Uuid) -> Answer<(TenantScope, IdentityProvider, Option<Secret<String>>)>;
    /// Deletes one, with what links people to it. `false` when there is none.
    async fn delete_identity_provider(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Who a subject of an identity provider is here.
    async fn identity(&self, scope: &TenantScope, provider: Uuid, subject: &str) -> Answer<Option<UserId>>;
    /// Notes who a subject is.
    async fn link_identity(&self, scope: &TenantScope, provider: Uuid, subject: &str, user: UserId) -> Answer<()>;
}

/// Who did what.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Writes a line.
    async fn audit(&self, scope: &TenantScope, line: &Audited<'_>, at_ms: i64) -> Answer<()>;
    /// Lines, newest first.
    async fn audit_lines(
        &self,
        scope: &TenantScope,
        filter: &AuditFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<AuditLine>>;
}
