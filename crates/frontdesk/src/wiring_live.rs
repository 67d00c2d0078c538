//! Live events, webhooks and jobs, put together.

use crate::config::Config;
use crate::wiring::Wired;
use anyhow::bail;
use api::auth::ForgottenPasswords;
use egress::{Egress, EgressConfig, Policy};
use model::plan::{GRACE_PERCENT, Subscription};
use runtime::documents::{KNOWLEDGE_JOB, SITES_JOB, Visits};
use runtime::mail::{AlertMails, MailWorker};
use runtime::on_device::{MIRROR_JOB, Mirroring};
use runtime::work::{Entry, HOUSEKEEPING_JOB, Handler, Housekeeping, RETENTION_JOB, Retention, Worker};
use runtime::{Live, events};
use std::sync::Arc;
use std::time::Duration;
use store::contract::mail::{ALERT_MAIL_JOB, MAIL_JOB, RESET_MAIL_JOB};
use store::{DELIVER_JOB, RETRY_JOB, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What the outside follows and is sent.
pub fn live(config: &Config, store: &Arc<dyn Store>) -> Live {
    let policy = if config.webhooks.allow_private { Policy::Operator } else { Policy::Tenant };
    let egress = Arc::new(Egress::new(EgressConfig::new(policy)));
    Live::new(store, egress)
}

/// The plan of businesses that have chosen none, when one is configured.
///
/// # Errors
/// When there is no such plan.
pub async fn subscribe_rest(config: &Config, store: &dyn Store) -> anyhow::Result<()> {
    let slug = config.plans.default.as_str();
    if slug.is_empty() {
        return Ok(());
    }
    let Ok(subscription) = Subscription::to(slug, runtime::wall_ms(), None, Some(GRACE_PERCENT)) else {
        let known: Vec<&str> = model::plan::plans().iter().map(|plan| plan.slug.as_str()).collect();
        bail!("plans.default: there is no plan {slug}; known are {}", known.join(", "));
    };
    store.subscribe_rest(&subscription).await?;
    Ok(())
}

/// Tells other nodes what happens here, and hears what happens there, until they are aborted.
pub fn hints(wired: &Wired) -> [JoinHandle<()>; 2] {
    let Live { feed, webhooks } = wired.live.clone();
    let shared = || Arc::clone(&wired.shared);
    [
        tokio::spawn(events::hints::tell(Arc::clone(&wired.store), shared())),
        tokio::spawn(events::hints::hear(shared(), feed, move |_| webhooks.wake())),
    ]
}

/// Does the jobs of the installation until `stop` is cancelled: deliveries, what is past its time, the calendar.
///
/// # Errors
/// When an entry of the calendar cannot be read, which a test excludes.
pub fn work(
    config: &Config,
    wired: &Wired,
    stop: CancellationToken,
    grace: Duration,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let (store, mailer) = (|| Arc::clone(&wired.store), || wired.node.mailer().cloned());
    let webhooks = Arc::new(wired.live.webhooks.clone());
    let at_once = base::limits::WEBHOOKS_AT_ONCE_MAX;
    let mut worker = Worker::new(store())
        .lane(DELIVER_JOB, at_once, Arc::clone(&webhooks) as Arc<dyn Handler>)
        .lane(RETRY_JOB, at_once, webhooks as Arc<dyn Handler>)
        .lane(HOUSEKEEPING_JOB, 1, Arc::new(Housekeeping { store: store() }))
        .lane(MAIL_JOB, base::limits::MAILS_AT_ONCE_MAX, Arc::new(MailWorker { store: store(), mailer: mailer() }))
        .lane(ALERT_MAIL_JOB, 1, Arc::new(AlertMails { store: store(), mailer: mailer() }))
        .lane(RESET_MAIL_JOB, 1, Arc::new(ForgottenPasswords { store: store(), mailer: mailer() }))
        .entry(Entry::new("housekeeping", "*/10 * * * *", "UTC", HOUSEKEEPING_JOB)?);
    if let Some(documents) = &wired.documents {
        let visits = Visits { documents: documents.clone() };
        worker = worker
            .lane(KNOWLEDGE_JOB, base::limits::KNOWLEDGE_WORKS_AT_ONCE_MAX, Arc::new(documents.clone()))
            .lane(SITES_JOB, 1, Arc::new(visits))
            .entry(Entry::new("sites", "* * * * *", "UTC", SITES_JOB)?);
        if let Some(elsewhere) = documents.elsewhere() {
            let mirroring = Mirroring { store: store(), index: Arc::clone(&elsewhere.index) };
            let each_minute = Entry::new("mirror", "* * * * *", "UTC", MIRROR_JOB)?.and_at_start();
            worker = worker.lane(MIRROR_JOB, 1, Arc::new(mirroring)).entry(each_minute);
        }
    }
    let days = config.retention.transcripts_days;
    let retention = Retention {
        store: store(),
        recordings: wired.recordings.clone(),
        kept_ms: (days > 0).then(|| i64::from(days) * DAY_MS),
    };
    let hourly = Entry::new("retention", "7 * * * *", "UTC", RETENTION_JOB)?.and_at_start();
    worker = worker.lane(RETENTION_JOB, 1, Arc::new(retention)).entry(hourly);
    let fan_out = wired.live.webhooks.clone().run_fan_out(stop.clone());
    Ok(vec![tokio::spawn(worker.run(stop, grace)), tokio::spawn(fan_out)])
}
