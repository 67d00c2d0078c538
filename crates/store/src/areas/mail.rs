//! Mails that wait to be handed over.

use super::jobs;
use crate::args;
use crate::contract::mail::{MAIL_JOB, Mail, MailPurpose, Mails};
use crate::contract::{Answer, NewJob};
use crate::db::{Db, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{Pii, Secret, limits};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const TABLE: &str = "mails";

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Content {
    to: String,
    from_name: String,
    reply_to: Option<String>,
    subject: String,
    text: String,
    #[serde(default)]
    html: Option<String>,
}

impl SqlStore {
    fn mail_seal(&self, scope: &TenantScope, id: Uuid) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: TABLE, id })
    }
}

#[async_trait]
impl Mails for SqlStore {
    async fn post_mail(&self, scope: &TenantScope, mail: &Mail, at_ms: i64) -> Answer<()> {
        let content = Content {
            to: mail.to.expose().clone(),
            from_name: mail.from_name.clone(),
            reply_to: mail.reply_to.clone(),
            subject: mail.subject.expose().clone(),
            text: mail.text.expose().clone(),
            html: mail.html.as_ref().map(|html| html.expose().clone()),
        };
        let sealed = self.mail_seal(scope, mail.id).seal(0, &to_json(&content)?)?;
        let job = NewJob {
            business: Some(scope.business),
            attempts_max: limits::MAIL_ATTEMPTS_MAX,
            ..NewJob::now(MAIL_JOB, serde_json::json!({ "mail": mail.id }), at_ms)
        };
        let mut tx = self.db.begin(scope).await?;
        let args = args![mail.id, scope.business.0, mail.purpose.name(), mail.dispatch, sealed, at_ms];
        tx.write(sql::INSERT_MAIL, args).await?;
        jobs::insert(&mut tx, &job, at_ms).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(())
    }

    async fn mail(&self, scope: &TenantScope, id: Uuid) -> Answer<(Mail, bool)> {
        let row = self.need(scope, "mail", sql::MAIL, args![scope.business.0, id]).await?;
        let (purpose, sealed): (String, Vec<u8>) = (row.get("purpose")?, row.get("sealed")?);
        let unknown = || StoreError::Corrupt(format!("a mail is for {purpose}, which this program does not know"));
        let text = self.mail_seal(scope, id).open(0, &sealed)?;
        let content: Content =
            serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("a mail cannot be read".into()))?;
        let mail = Mail {
            id,
            purpose: MailPurpose::of(&purpose).ok_or_else(unknown)?,
            dispatch: row.get("dispatch")?,
            to: Pii::new(content.to),
            from_name: content.from_name,
            reply_to: content.reply_to,
            subject: Pii::new(content.subject),
            text: Secret::new(content.text),
            html: content.html.map(Secret::new),
        };
        Ok((mail, row.get::<Option<i64>>("begun_at_ms")?.is_some()))
    }

    async fn begin_mail(&self, scope: &TenantScope, id: Uuid, at_ms: i64) -> Answer<()> {
        self.db.write(scope, sql::BEGIN_MAIL, args![scope.business.0, id, at_ms]).await.map(drop)
    }

    async fn forget_mail(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        Ok(self.db.write(scope, sql::FORGET_MAIL, args![scope.business.0, id]).await? > 0)
    }

    async fn prune_mails(&self, before_ms: i64) -> Answer<u64> {
        let reach = Db::across("one worker forgets for all businesses");
        self.db.write(reach, sql::PRUNE_MAILS, args![before_ms, limits::PRUNE_ROWS_MAX]).await
    }
}
