//! Laws of mails that wait.

use super::tenant;
use crate::contract::Store;
use crate::contract::mail::{MAIL_JOB, Mail, MailPurpose};
use crate::error::StoreError;
use base::{Pii, Secret};
use std::sync::Arc;
use uuid::Uuid;

/// A mail is kept with its job, opens for its business alone, and is gone when it has gone.
pub async fn a_mail_waits_with_its_job_and_belongs_to_one_business(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let mail = Mail {
        id: Uuid::now_v7(),
        purpose: MailPurpose::Invitation,
        dispatch: Some(Uuid::now_v7()),
        to: Pii::new("mira@example.com".into()),
        from_name: "The shop".into(),
        reply_to: Some("hello@example.com".into()),
        subject: Pii::new("Welcome".into()),
        text: Secret::new("https://example.com/#token=x".into()),
        html: Some(Secret::new("<p>x</p>".into())),
    };
    store.post_mail(&shop.scope, &mail, 10).await.expect("kept");
    assert!(matches!(store.mail(&rival.scope, mail.id).await.map(drop), Err(StoreError::NotFound(_))));
    let (read, begun) = store.mail(&shop.scope, mail.id).await.expect("opened");
    assert_eq!((read.to, read.from_name, read.reply_to), (mail.to.clone(), mail.from_name.clone(), mail.reply_to));
    assert_eq!((read.purpose, read.dispatch, begun), (mail.purpose, mail.dispatch, false));
    assert_eq!((read.subject, read.text.expose()), (mail.subject.clone(), mail.text.expose()));
    assert_eq!(read.html.map(|html| html.expose().clone()).as_deref(), Some("<p>x</p>"));
    let now_ms = store.now_ms().await.expect("a clock");
    let jobs = store.claim(MAIL_JOB, 10, 1_000, now_ms).await.expect("jobs");
    assert_eq!(jobs.iter().map(|job| job.business).collect::<Vec<_>>(), [Some(shop.scope.business)]);
    assert_eq!(jobs[0].payload, serde_json::json!({ "mail": mail.id }), "the job tells nothing of what it says");
    store.begin_mail(&shop.scope, mail.id, 20).await.expect("noted");
    assert!(store.mail(&shop.scope, mail.id).await.expect("opened").1);
    assert_eq!(store.forget_mail(&rival.scope, mail.id).await, Ok(false));
    assert_eq!(store.forget_mail(&shop.scope, mail.id).await, Ok(true));
    assert_eq!(store.forget_mail(&shop.scope, mail.id).await, Ok(false));
    let old = Mail { id: Uuid::now_v7(), reply_to: None, text: Secret::new("x".into()), ..mail };
    store.post_mail(&shop.scope, &old, 30).await.expect("kept");
    assert_eq!((store.prune_mails(30).await, store.prune_mails(31).await), (Ok(0), Ok(1)));
}
