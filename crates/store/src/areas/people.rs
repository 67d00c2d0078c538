//! People, their second factors, sessions and one-time tokens.

use crate::args;
use crate::contract::{Answer, Cursor, Page};
use crate::db::{Db, DbRow, PAGE, missing};
use crate::error::StoreError;
use crate::people::{
    Account, Invitation, NewUser, OneTimeTokens, Renewed, SecondFactors, SecretHash, Session, SessionAccess, Sessions,
    Totp, User, UserChange, UserChanged, Users,
};
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use crate::trail;
use async_trait::async_trait;
use base::{BusinessId, Pii, Secret, SessionId, UserId, limits};
use model::business::{Business, TenantScope};
use model::people::{Actor, Role};
use uuid::Uuid;

const INVITATION: &str = "invitation";
const RESET: &str = "reset";
/// Exchanged refresh tokens are known for this long, so that a copy is noticed.
const USED_TOKEN_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

fn read_role(row: &DbRow) -> Answer<Role> {
    row.word("role")
}

fn read_user(row: &DbRow) -> Answer<User> {
    Ok(User {
        id: UserId(row.get("id")?),
        email: Pii::new(row.get("email")?),
        name: Pii::new(row.get("name")?),
        role: read_role(row)?,
        active: row.get("active")?,
        mfa: row.get("totp_on")?,
        has_password: row.get::<Option<String>>("password_hash")?.is_some(),
        verified_at_ms: row.get("verified_at_ms")?,
        created_at_ms: row.get("created_at_ms")?,
    })
}

fn read_account(row: &DbRow) -> Answer<Account> {
    Ok(Account {
        scope: TenantScope { business: BusinessId(row.get("business")?) },
        user: read_user(row)?,
        password_hash: row.get::<Option<String>>("password_hash")?.map(Secret::new),
    })
}

fn user_args<'a>(scope: &TenantScope, user: &'a NewUser, at_ms: i64) -> crate::db::Args<'a> {
    args![
        user.id.0,
        scope.business.0,
        user.email.expose(),
        user.name.expose(),
        user.role.name(),
        true,
        user.verified.then_some(at_ms),
        user.password_hash.as_ref().map(|hash| hash.expose().as_str()),
        at_ms,
    ]
}

impl SqlStore {
    async fn write_registration(&self, business: &Business, owner: &NewUser, at_ms: i64) -> Answer<()> {
        let scope = TenantScope { business: business.id };
        let mut tx = self.db.begin(&scope).await?;
        let args = args![business.id.0, &business.slug, &business.name, &business.time_zone];
        tx.write(sql::PUT_BUSINESS, args).await?;
        tx.write(sql::INSERT_USER, user_args(&scope, owner, at_ms)).await?;
        tx.commit().await
    }

    async fn write_change(
        &self,
        scope: &TenantScope,
        id: UserId,
        change: &UserChange,
        at_ms: i64,
    ) -> Answer<UserChanged> {
        let mut tx = self.db.begin(scope).await?;
        // Always the owners first, so that two who let each other go wait instead of both succeeding.
        let owners = tx.read(sql::OWNERS_TO_CHANGE, args![scope.business.0]).await?;
        let row = tx.read_one(sql::USER_TO_CHANGE, args![scope.business.0, id.0]).await?;
        let mut user = read_user(&row.ok_or(missing("user"))?)?;
        let was_owner = user.active && user.role == Role::Owner;
        if let Some(name) = &change.name {
            user.name = name.clone();
        }
        user.role = change.role.unwrap_or(user.role);
        user.active = change.active.unwrap_or(user.active);
        let stays_owner = user.active && user.role == Role::Owner;
        if was_owner && !stays_owner && owners.len() < 2 {
            return Ok(UserChanged::LastOwner);
        }
        let args = args![scope.business.0, id.0, user.name.expose(), user.role.name(), user.active];
        tx.write(sql::CHANGE_USER, args).await?;
        if !user.active {
            tx.write(sql::END_SESSIONS, args![scope.business.0, id.0, Uuid::nil(), at_ms]).await?;
        }
        tx.commit().await?;
        Ok(UserChanged::Done(user))
    }

    pub(super) fn totp_seal(&self, scope: &TenantScope, user: UserId) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "users", id: user.0 })
    }

    async fn write_new_session(&self, scope: &TenantScope, session: &Session, refresh: &SecretHash) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let args = args![
            session.id.0,
            scope.business.0,
            session.user.0,
            &session.method,
            &session.user_agent,
            session.address.expose(),
            session.created_at_ms,
            session.seen_at_ms,
            session.expires_at_ms,
        ];
        tx.write(sql::INSERT_SESSION, args).await?;
        tx.write(sql::INSERT_REFRESH_TOKEN, args![refresh.as_slice(), scope.business.0, session.id.0]).await?;
        tx.commit().await
    }

    async fn write_renewal(&self, old: &SecretHash, new: &SecretHash, at_ms: i64) -> Answer<Renewed> {
        let mut tx = self.db.begin(Db::across("whose a refresh token is")).await?;
        let Some(row) = tx.read_one(sql::REFRESH_TOKEN_TO_CHANGE, args![old.as_slice()]).await? else {
            return Ok(Renewed::Unknown);
        };
        let scope = TenantScope { business: BusinessId(row.get("business")?) };
        let (user, session) = (UserId(row.get("user_id")?), SessionId(row.get("session")?));
        let over = row.get::<Option<i64>>("revoked_at_ms")?.is_some() || row.get::<i64>("expires_at_ms")? <= at_ms;
        if over || !row.get::<bool>("active")? {
            return Ok(Renewed::Unknown);
        }
        if row.get::<Option<i64>>("used_at_ms")?.is_some() {
            trail::learn(&scope, |line| {
                line.action = "refresh_token_reused".into();
                line.subject = format!("sessions/{session}");
            });
            tx.write(sql::END_SESSION, args![scope.business.0, user.0, session.0, at_ms]).await?;
            tx.commit().await?;
            return Ok(Renewed::Reused { scope, user, session });
        }
        trail::learn(&scope, |line| line.actor = Some(Actor::User { id: user, session }));
        tx.write(sql::USE_REFRESH_TOKEN, args![old.as_slice(), at_ms]).await?;
        tx.write(sql::FORGET_REFRESH_TOKENS, args![session.0, at_ms - USED_TOKEN_KEPT_MS]).await?;
        tx.write(sql::INSERT_REFRESH_TOKEN, args![new.as_slice(), scope.business.0, session.0]).await?;
        tx.write(sql::SEE_SESSION, args![scope.business.0, session.0, at_ms]).await?;
        tx.commit().await?;
        Ok(Renewed::Done { scope, user, session })
    }

    async fn write_acceptance(
        &self,
        hash: &SecretHash,
        id: UserId,
        name: &Pii<String>,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, User)>> {
        let Some((scope, invitation)) = self.invitation(hash, at_ms).await? else { return Ok(None) };
        let mut tx = self.db.begin(&scope).await?;
        if tx.write(sql::USE_ONE_TIME_TOKEN, args![invitation.id, at_ms]).await? == 0 {
            return Ok(None);
        }
        let user = NewUser {
            id,
            email: invitation.email,
            name: name.clone(),
            role: invitation.role,
            password_hash: Some(password_hash.clone()),
            verified: true, // The token was sent to the address.
        };
        tx.write(sql::INSERT_USER, user_args(&scope, &user, at_ms)).await?;
        let row = tx.read_one(sql::USER, args![scope.business.0, id.0]).await?;
        let user = read_user(&row.ok_or(missing("user"))?)?;
        tx.commit().await?;
        Ok(Some((scope, user)))
    }

    async fn write_reset(
        &self,
        hash: &SecretHash,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, UserId)>> {
        let reach = Db::across("whose a one-time token is");
        let Some(row) = self.db.read_one(reach, sql::ONE_TIME_TOKEN, args![hash.as_slice(), RESET, at_ms]).await?
        else {
            return Ok(None);
        };
        let scope = TenantScope { business: BusinessId(row.get("business")?) };
        let user = UserId(row.get("user_id")?);
        trail::learn(&scope, |line| line.details = serde_json::json!({ "user": user.0 }));
        let mut tx = self.db.begin(&scope).await?;
        if tx.write(sql::USE_ONE_TIME_TOKEN, args![row.get::<Uuid>("id")?, at_ms]).await? == 0 {
            return Ok(None);
        }
        tx.write(sql::SET_PASSWORD, args![scope.business.0, user.0, password_hash.expose()]).await?;
        tx.write(sql::END_SESSIONS, args![scope.business.0, user.0, Uuid::nil(), at_ms]).await?;
        tx.commit().await?;
        Ok(Some((scope, user)))
    }
}

#[async_trait]
impl Users for SqlStore {
    async fn register(&self, business: &Business, owner: &NewUser, at_ms: i64) -> Answer<()> {
        self.db.retrying(|| self.write_registration(business, owner, at_ms)).await
    }

    async fn create_user(&self, scope: &TenantScope, user: &NewUser, at_ms: i64) -> Answer<()> {
        self.db.write(scope, sql::INSERT_USER, user_args(scope, user, at_ms)).await.map(drop)
    }

    async fn user(&self, scope: &TenantScope, id: UserId) -> Answer<User> {
        read_user(&self.need(scope, "user", sql::USER, args![scope.business.0, id.0]).await?)
    }

    async fn users(&self, scope: &TenantScope, after: Option<Cursor>, rows_max: u32) -> Answer<Page<User>> {
        let rows_max = rows_max.min(limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![scope.business.0, after.at_ms, after.id, rows_max + 1];
        let rows = self.db.read(scope, sql::USERS, args).await?;
        page(&rows, rows_max, read_user, |user| Cursor { at_ms: user.created_at_ms, id: user.id.0 })
    }

    async fn change_user(
        &self,
        scope: &TenantScope,
        id: UserId,
        change: &UserChange,
        at_ms: i64,
    ) -> Answer<UserChanged> {
        self.db.retrying(|| self.write_change(scope, id, change, at_ms)).await
    }

    async fn account(&self, email: &str, business_slug: Option<&str>) -> Answer<Option<Account>> {
        let reach = Db::across("whose an e-mail address is");
        let row = match business_slug {
            Some(slug) => self.db.read_one(reach, sql::ACCOUNT_AT, args![email, slug]).await?,
            None => self.db.read_one(reach, sql::ACCOUNT, args![email]).await?,
        };
        row.as_ref().map(read_account).transpose()
    }

    async fn account_of(&self, scope: &TenantScope, id: UserId) -> Answer<Account> {
        read_account(&self.need(scope, "user", sql::USER, args![scope.business.0, id.0]).await?)
    }

    async fn set_password(
        &self,
        scope: &TenantScope,
        id: UserId,
        hash: &Secret<String>,
        keep: Option<SessionId>,
        at_ms: i64,
    ) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        if tx.write(sql::SET_PASSWORD, args![scope.business.0, id.0, hash.expose()]).await? == 0 {
            return Err(missing("user"));
        }
        let keep = keep.map_or(Uuid::nil(), |session| session.0);
        tx.write(sql::END_SESSIONS, args![scope.business.0, id.0, keep, at_ms]).await?;
        tx.commit().await
    }
}

#[async_trait]
impl SecondFactors for SqlStore {
    async fn begin_totp(&self, scope: &TenantScope, user: UserId, secret: &Secret<String>) -> Answer<()> {
        let sealed = self.totp_seal(scope, user).seal(0, secret.expose())?;
        match self.db.write(scope, sql::BEGIN_TOTP, args![scope.business.0, user.0, sealed]).await? {
            0 => {
                self.user(scope, user).await?;
                Err(StoreError::Conflict("there is a second factor already".into()))
            }
            _ => Ok(()),
        }
    }

    async fn totp(&self, scope: &TenantScope, user: UserId) -> Answer<Option<Totp>> {
        let row = self.need(scope, "user", sql::TOTP, args![scope.business.0, user.0]).await?;
        let Some(sealed) = row.get::<Option<Vec<u8>>>("totp_sealed")? else { return Ok(None) };
        let secret = Secret::new(self.totp_seal(scope, user).open(0, &sealed)?);
        Ok(Some(Totp { secret, confirmed: row.get("totp_on")? }))
    }

    async fn use_totp_step(&self, scope: &TenantScope, user: UserId, step: i64) -> Answer<bool> {
        let args = args![scope.business.0, user.0, step];
        Ok(self.db.write(scope, sql::USE_TOTP_STEP, args).await? > 0)
    }

    async fn put_recovery_codes(&self, scope: &TenantScope, user: UserId, hashes: &[SecretHash]) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::FORGET_RECOVERY_CODES, args![scope.business.0, user.0]).await?;
        for hash in hashes {
            tx.write(sql::INSERT_RECOVERY_CODE, args![scope.business.0, user.0, hash.as_slice()]).await?;
        }
        tx.commit().await
    }

    async fn use_recovery_code(&self, scope: &TenantScope, user: UserId, hash: &SecretHash) -> Answer<bool> {
        let args = args![scope.business.0, user.0, hash.as_slice()];
        Ok(self.db.write(scope, sql::USE_RECOVERY_CODE, args).await? > 0)
    }

    async fn recovery_codes_left(&self, scope: &TenantScope, user: UserId) -> Answer<u32> {
        let row = self.need(scope, "user", sql::RECOVERY_CODES_LEFT, args![scope.business.0, user.0]).await?;
        row.get("codes")
    }

    async fn remove_totp(&self, scope: &TenantScope, user: UserId) -> Answer<bool> {
        let mut tx = self.db.begin(scope).await?;
        let gone = tx.write(sql::REMOVE_TOTP, args![scope.business.0, user.0]).await? > 0;
        tx.write(sql::FORGET_RECOVERY_CODES, args![scope.business.0, user.0]).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

fn read_session(row: &DbRow) -> Answer<Session> {
    Ok(Session {
        id: SessionId(row.get("id")?),
        user: UserId(row.get("user_id")?),
        method: row.get("method")?,
        user_agent: row.get("user_agent")?,
        address: Pii::new(row.get("address")?),
        created_at_ms: row.get("created_at_ms")?,
        seen_at_ms: row.get("seen_at_ms")?,
        expires_at_ms: row.get("expires_at_ms")?,
    })
}

#[async_trait]
impl Sessions for SqlStore {
    async fn open_session(&self, scope: &TenantScope, session: &Session, refresh: &SecretHash) -> Answer<()> {
        self.db.retrying(|| self.write_new_session(scope, session, refresh)).await
    }

    async fn renew_session(&self, old: &SecretHash, new: &SecretHash, at_ms: i64) -> Answer<Renewed> {
        self.db.retrying(|| self.write_renewal(old, new, at_ms)).await
    }

    async fn session_access(&self, scope: &TenantScope, id: SessionId, at_ms: i64) -> Answer<Option<SessionAccess>> {
        let row = self.db.read_one(scope, sql::SESSION_ACCESS, args![scope.business.0, id.0, at_ms]).await?;
        let access = |row: DbRow| {
            let user = UserId(row.get("user_id")?);
            Ok(SessionAccess { user, role: read_role(&row)?, networks: super::access::read_networks(&row)? })
        };
        row.map(access).transpose()
    }

    async fn sessions(&self, scope: &TenantScope, user: UserId, at_ms: i64) -> Answer<Vec<Session>> {
        let rows = self.db.read(scope, sql::SESSIONS, args![scope.business.0, user.0, at_ms, PAGE]).await?;
        rows.iter().map(read_session).collect()
    }

    async fn end_session(&self, scope: &TenantScope, user: UserId, id: SessionId, at_ms: i64) -> Answer<bool> {
        let args = args![scope.business.0, user.0, id.0, at_ms];
        Ok(self.db.write(scope, sql::END_SESSION, args).await? > 0)
    }

    async fn end_sessions(
        &self,
        scope: &TenantScope,
        user: UserId,
        keep: Option<SessionId>,
        at_ms: i64,
    ) -> Answer<u64> {
        let keep = keep.map_or(Uuid::nil(), |session| session.0);
        self.db.write(scope, sql::END_SESSIONS, args![scope.business.0, user.0, keep, at_ms]).await
    }

    async fn prune_sessions(&self, before_ms: i64) -> Answer<u64> {
        let mut tx = self.db.begin(Db::across("forgets what is long over")).await?;
        tx.write(sql::PRUNE_REFRESH_TOKENS, args![before_ms, PAGE]).await?;
        let sessions = tx.write(sql::PRUNE_SESSIONS, args![before_ms, PAGE]).await?;
        let tokens = tx.write(sql::PRUNE_ONE_TIME_TOKENS, args![before_ms]).await?;
        tx.commit().await?;
        Ok(sessions + tokens)
    }
}

fn read_invitation(row: &DbRow) -> Answer<Invitation> {
    Ok(Invitation {
        id: row.get("id")?,
        email: Pii::new(row.get("email")?),
        role: read_role(row)?,
        created_at_ms: row.get("created_at_ms")?,
        expires_at_ms: row.get("expires_at_ms")?,
    })
}

#[async_trait]
impl OneTimeTokens for SqlStore {
    async fn invite(&self, scope: &TenantScope, invitation: &Invitation, hash: &SecretHash) -> Answer<()> {
        let known = args![scope.business.0, invitation.email.expose()];
        if self.db.read_one(scope, sql::USER_BY_EMAIL, known).await?.is_some() {
            return Err(StoreError::Conflict("this address belongs to somebody of the business".into()));
        }
        let args = args![
            invitation.id,
            scope.business.0,
            INVITATION,
            hash.as_slice(),
            invitation.email.expose(),
            invitation.role.name(),
            None::<Uuid>,
            invitation.created_at_ms,
            invitation.expires_at_ms,
        ];
        self.db.write(scope, sql::INSERT_ONE_TIME_TOKEN, args).await.map(drop)
    }

    async fn invitations(&self, scope: &TenantScope, at_ms: i64) -> Answer<Vec<Invitation>> {
        let rows = self.db.read(scope, sql::INVITATIONS, args![scope.business.0, at_ms, PAGE]).await?;
        rows.iter().map(read_invitation).collect()
    }

    async fn withdraw_invitation(&self, scope: &TenantScope, id: Uuid, at_ms: i64) -> Answer<bool> {
        Ok(self.db.write(scope, sql::WITHDRAW_INVITATION, args![scope.business.0, id, at_ms]).await? > 0)
    }

    async fn invitation(&self, hash: &SecretHash, at_ms: i64) -> Answer<Option<(TenantScope, Invitation)>> {
        let reach = Db::across("whose a one-time token is");
        let args = args![hash.as_slice(), INVITATION, at_ms];
        let row = self.db.read_one(reach, sql::ONE_TIME_TOKEN, args).await?;
        let whose =
            |row: DbRow| Ok((TenantScope { business: BusinessId(row.get("business")?) }, read_invitation(&row)?));
        row.map(whose).transpose()
    }

    async fn accept_invitation(
        &self,
        hash: &SecretHash,
        id: UserId,
        name: &Pii<String>,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, User)>> {
        self.db.retrying(|| self.write_acceptance(hash, id, name, password_hash, at_ms)).await
    }

    async fn allow_reset(
        &self,
        scope: &TenantScope,
        user: UserId,
        hash: &SecretHash,
        at_ms: i64,
        expires_at_ms: i64,
    ) -> Answer<()> {
        let known = self.user(scope, user).await?;
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::VOID_RESETS, args![scope.business.0, user.0, at_ms]).await?;
        let args = args![
            Uuid::now_v7(),
            scope.business.0,
            RESET,
            hash.as_slice(),
            known.email.expose(),
            known.role.name(),
            Some(user.0),
            at_ms,
            expires_at_ms,
        ];
        tx.write(sql::INSERT_ONE_TIME_TOKEN, args).await?;
        tx.commit().await
    }

    async fn reset_password(
        &self,
        hash: &SecretHash,
        password_hash: &Secret<String>,
        at_ms: i64,
    ) -> Answer<Option<(TenantScope, UserId)>> {
        self.db.retrying(|| self.write_reset(hash, password_hash, at_ms)).await
    }
}

/// A page of rows, of which one more was asked for to know whether there are more.
pub(super) fn page<T>(
    rows: &[DbRow],
    rows_max: u32,
    read: impl Fn(&DbRow) -> Answer<T>,
    place: impl Fn(&T) -> Cursor,
) -> Answer<Page<T>> {
    let more = rows.len() > rows_max as usize;
    let rows = rows.iter().take(rows_max as usize).map(read).collect::<Answer<Vec<T>>>()?;
    let next = rows.last().filter(|_| more).map(place);
    Ok(Page { rows, next })
}
