//! Somebody has forgotten their password: a link by mail, if there is such a person. The answer says nothing of that, and takes
//! as long for a stranger, because the person is looked for later, by a worker.

use super::secret::{self, SecretKind, hash};
use async_trait::async_trait;
use base::limits;
use runtime::mail::{self, Mailer};
use runtime::work::{Handler, Outcome};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::contract::mail::RESET_MAIL_JOB;
use store::{Job, NewJob, Store, StoreError};

/// What a job is told.
#[derive(Serialize, Deserialize)]
struct Payload {
    email: String,
    business: Option<String>,
    /// Of whom asked, as their browser says it.
    #[serde(default)]
    language: Option<String>,
}

/// Asks for a link. A second one while the first waits is the same.
pub(crate) async fn ask(
    store: &dyn Store,
    email: String,
    business: Option<String>,
    language: Option<String>,
) -> Result<(), StoreError> {
    let now_ms = runtime::wall_ms();
    let name = format!("{email} {}", business.as_deref().unwrap_or_default());
    let name: String = hash(&name)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let payload = serde_json::to_value(Payload { email, business, language }).unwrap_or_default();
    let job = NewJob { unique: Some(format!("reset {name}")), ..NewJob::now(RESET_MAIL_JOB, payload, now_ms) };
    store.enqueue(&job, now_ms).await.map(drop)
}

/// Writes the mails with the links.
pub struct ForgottenPasswords {
    /// Where people are.
    pub store: Arc<dyn Store>,
    /// Who writes to them; `None`: nobody.
    pub mailer: Option<Mailer>,
}

#[async_trait]
impl Handler for ForgottenPasswords {
    async fn run(&self, job: &Job) -> Outcome {
        let (Some(mailer), Ok(wish)) = (&self.mailer, Payload::deserialize(&job.payload)) else {
            return Outcome::Done;
        };
        match self.write(mailer, &wish).await {
            Ok(()) => Outcome::Done,
            Err(error) => error.into(),
        }
    }
}

impl ForgottenPasswords {
    async fn write(&self, mailer: &Mailer, wish: &Payload) -> Result<(), StoreError> {
        let store = self.store.as_ref();
        let account = store.account(&wish.email, wish.business.as_deref()).await?;
        // Who signs in elsewhere has no password here that could be forgotten.
        let Some(account) = account.filter(|one| one.user.active && one.user.has_password) else { return Ok(()) };
        let fresh = secret::fresh(SecretKind::OneTime)
            .map_err(|_| StoreError::Unavailable("this machine gives no random numbers".into()))?;
        let now_ms = runtime::wall_ms();
        let until_ms = now_ms + limits::PASSWORD_RESET_MS;
        store.allow_reset(&account.scope, account.user.id, &fresh.hash, now_ms, until_ms).await?;
        let sender = mail::Sender::of(store, &account.scope, wish.language.as_deref()).await?;
        let link = mailer.link("reset", &fresh.text);
        let letter = mail::password_reset(&sender, &account.user.email, &link, until_ms);
        mailer.post(store, &account.scope, letter).await.map(drop)
    }
}
