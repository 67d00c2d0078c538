//! Mails that wait to be handed over.

use super::Answer;
use async_trait::async_trait;
use base::{Pii, Secret};
use model::business::TenantScope;
use uuid::Uuid;

/// The kind of job that hands one mail over.
pub const MAIL_JOB: &str = "mail.send";
/// The kind of job that tells the owners of a business by mail how much of its plan is used.
pub const ALERT_MAIL_JOB: &str = "mail.alert";
/// The kind of job that sends somebody who has forgotten their password a link, if there is such a person.
pub const RESET_MAIL_JOB: &str = "mail.reset";

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailPurpose {
    /// Somebody is invited to a business.
    Invitation,
    /// Somebody may set a new password.
    PasswordReset,
    /// So much of a plan is used.
    UsageAlert,
    /// An agent sends it to a customer.
    Message,
}

impl MailPurpose {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
            Self::UsageAlert => "usage_alert",
            Self::Message => "message",
        }
    }

    /// The purpose of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Invitation, Self::PasswordReset, Self::UsageAlert, Self::Message]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its id, also part of the id by which mail servers know it.
    pub id: Uuid,
    /// What it is for.
    pub purpose: MailPurpose,
    /// The message of an agent that it is ([`super::desk::Dispatch`]): such a mail is never handed over twice.
    pub dispatch: Option<Uuid>,
    /// Whom to: one address.
    pub to: Pii<String>,
    /// The name that it comes from, as people see it.
    pub from_name: String,
    /// Where an answer goes, when not back to the sender.
    pub reply_to: Option<String>,
    /// What it is about.
    pub subject: Pii<String>,
    /// What it says. May hold a link that lets somebody in.
    pub text: Secret<String>,
    /// The same as HTML; `None`: text alone.
    pub html: Option<Secret<String>>,
}

/// Mails. They are sealed while they wait, and gone when they have gone.
#[async_trait]
pub trait Mails: Send + Sync {
    /// Keeps a mail and asks for its job ([`MAIL_JOB`]), both or neither.
    async fn post_mail(&self, scope: &TenantScope, mail: &Mail, at_ms: i64) -> Answer<()>;
    /// One mail, opened, and whether a server may have it already.
    async fn mail(&self, scope: &TenantScope, id: Uuid) -> Answer<(Mail, bool)>;
    /// Notes, durably, that from now on a server may have it.
    async fn begin_mail(&self, scope: &TenantScope, id: Uuid, at_ms: i64) -> Answer<()>;
    /// Forgets a mail: it went, or never will. `false` when there is none.
    async fn forget_mail(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Forgets mails that have waited since before this time, at most [`base::limits::PRUNE_ROWS_MAX`] at once.
    async fn prune_mails(&self, before_ms: i64) -> Answer<u64>;
}
