//! The jobs of mails.

use super::relay::Fate;
use super::{Mailer, Sender, Undelivered, letters};
use crate::work::{Handler, Outcome};
use async_trait::async_trait;
use base::limits;
use model::business::TenantScope;
use model::people::Role;
use model::plan::AlertFacts;
use serde::Deserialize;
use std::sync::Arc;
use store::contract::mail::Mail;
use store::{Job, Store, StoreError};
use uuid::Uuid;

/// What a job of a mail is told.
#[derive(Deserialize)]
struct Payload {
    mail: Uuid,
}

/// Hands mails over.
pub struct MailWorker {
    /// Where they wait.
    pub store: Arc<dyn Store>,
    /// Who takes them; `None`: they wait.
    pub mailer: Option<Mailer>,
}

#[async_trait]
impl Handler for MailWorker {
    async fn run(&self, job: &Job) -> Outcome {
        let (Some(business), Ok(payload)) = (job.business, Payload::deserialize(&job.payload)) else {
            return Outcome::Dead("the job names no mail".into());
        };
        match self.send(&TenantScope { business }, payload.mail, job).await {
            Ok(outcome) => outcome,
            Err(error) => error.into(),
        }
    }
}

impl MailWorker {
    async fn send(&self, scope: &TenantScope, id: Uuid, job: &Job) -> Result<Outcome, StoreError> {
        let (mail, has_begun) = self.store.mail(scope, id).await?;
        if has_begun && mail.dispatch.is_some() {
            let why = "a worker died while the server may have taken it".to_owned();
            return self.failed(scope, &mail, job, Undelivered { fate: Fate::Unknown, step: "content", why }).await;
        }
        let Some(mailer) = &self.mailer else {
            return Ok(Outcome::Retry("this node knows no mail server".into()));
        };
        let message = match mailer.compose(&mail) {
            Ok(message) => message,
            Err(why) => {
                let step = "compose";
                return self.failed(scope, &mail, job, Undelivered { fate: Fate::Refused, step, why }).await;
            }
        };
        let addressed = match mailer.relay.address(message.envelope()).await {
            Ok(addressed) => addressed,
            Err(undelivered) => return self.failed(scope, &mail, job, undelivered).await,
        };
        self.store.begin_mail(scope, id, crate::wall_ms()).await?;
        match addressed.deliver(&message.formatted()).await {
            Ok(()) => {
                self.close(scope, &mail, "sent").await?;
                self.store.forget_mail(scope, id).await?;
                Ok(Outcome::Done)
            }
            Err(undelivered) => self.failed(scope, &mail, job, undelivered).await,
        }
    }

    /// What follows when the server did not say that it has the mail.
    async fn failed(
        &self,
        scope: &TenantScope,
        mail: &Mail,
        job: &Job,
        undelivered: Undelivered,
    ) -> Result<Outcome, StoreError> {
        let (why, is_last) = (undelivered.to_string(), job.attempt >= job.attempts_max);
        match undelivered.fate {
            Fate::Refused => {
                self.close(scope, mail, "refused").await?;
                Ok(Outcome::Dead(why))
            }
            Fate::Unknown if mail.dispatch.is_some() => {
                self.close(scope, mail, "unknown").await?;
                Ok(Outcome::Dead(why))
            }
            Fate::Later | Fate::Unknown => {
                self.close(scope, mail, if is_last { "refused" } else { "later" }).await?;
                Ok(Outcome::Retry(why))
            }
        }
    }

    /// Counts what became of a mail, and writes it down where it was a message of an agent and this is final.
    async fn close(&self, scope: &TenantScope, mail: &Mail, outcome: &'static str) -> Result<(), StoreError> {
        metrics::counter!("frontdesk_mails_total", "purpose" => mail.purpose.name(), "outcome" => outcome).increment(1);
        let Some(dispatch) = mail.dispatch.filter(|_| outcome != "later") else { return Ok(()) };
        self.store.close_dispatch(scope, dispatch, outcome).await?;
        // What was said to a customer is not kept longer than the call's words, and it is not sent again.
        self.store.forget_mail(scope, mail.id).await.map(drop)
    }
}

/// Tells the owners of a business how much of its plan is used.
pub struct AlertMails {
    /// Who they are.
    pub store: Arc<dyn Store>,
    /// Who writes to them; `None`: nobody.
    pub mailer: Option<Mailer>,
}

#[async_trait]
impl Handler for AlertMails {
    async fn run(&self, job: &Job) -> Outcome {
        let Some(mailer) = &self.mailer else { return Outcome::Done };
        let (Some(business), Ok(facts)) = (job.business, AlertFacts::deserialize(&job.payload)) else {
            return Outcome::Dead("the job says nothing of a plan".into());
        };
        match self.tell(mailer, &TenantScope { business }, &facts, job.id).await {
            Ok(()) => Outcome::Done,
            Err(error) => error.into(),
        }
    }
}

impl AlertMails {
    async fn tell(
        &self,
        mailer: &Mailer,
        scope: &TenantScope,
        facts: &AlertFacts,
        job: Uuid,
    ) -> Result<(), StoreError> {
        let sender = Sender::of(self.store.as_ref(), scope, None).await?;
        let (mut after, mut told) = (None, 0);
        loop {
            let page = self.store.users(scope, after, limits::PAGE_ROWS_MAX).await?;
            for owner in page.rows.iter().filter(|user| user.role == Role::Owner && user.active) {
                if told >= limits::ALERT_MAILS_MAX {
                    return Ok(());
                }
                // The same mail when the job is done again: it is not written twice.
                let id = Uuid::from_u128(job.as_u128() ^ owner.id.0.as_u128());
                let letter = letters::alert(&sender, &owner.email, facts);
                match mailer.post_as(self.store.as_ref(), scope, id, letter).await {
                    Ok(_) | Err(StoreError::Conflict(_) | StoreError::Invalid(_)) => told += 1,
                    Err(error) => return Err(error),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
