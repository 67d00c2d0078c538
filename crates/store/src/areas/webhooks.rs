//! Webhook endpoints, deliveries and attempts.

use super::events::{self, Fresh, read_event};
use super::jobs;
use crate::args;
use crate::contract::{Answer, Cursor, DELIVER_JOB, EndpointChange, NewJob, Page, RETRY_JOB, Verdict, Webhooks};
use crate::db::{Args, Db, DbRow, PAGE, Tx, missing, to_i64, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, Secret, limits};
use model::business::TenantScope;
use model::event::{Event, EventKind};
use model::webhook::{Attempt, Delivery, DeliveryState, DisabledFacts, Endpoint, SCHEDULE};
use uuid::Uuid;

/// A secret keeps its line when a newer one takes its column.
pub(super) const LINE: u64 = 0;

fn read_endpoint(row: &DbRow) -> Answer<Endpoint> {
    Ok(Endpoint {
        id: row.get("id")?,
        url: row.get("url")?,
        description: row.get("description")?,
        kinds: row.json("kinds")?,
        enabled: row.get("enabled")?,
        disabled_reason: row.get("disabled_reason")?,
        failing_since_ms: row.get("failing_since_ms")?,
        old_secret_until_ms: row.get("old_secret_until_ms")?,
        created_at_ms: row.get("created_at_ms")?,
        version: row.get("version")?,
        cursor_seq: row.get("cursor_seq")?,
    })
}

fn read_delivery(row: &DbRow) -> Answer<Delivery> {
    Ok(Delivery {
        id: row.get("id")?,
        endpoint: row.get("endpoint")?,
        seq: row.get("seq")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        message: row.get("message")?,
        body: row.get("body")?,
        state: row.word("state")?,
        attempts: row.get("attempts")?,
        next_at_ms: row.get("next_at_ms")?,
        created_at_ms: row.get("created_at_ms")?,
    })
}

fn read_attempt(row: &DbRow) -> Answer<Attempt> {
    let status: Option<u32> = row.get("status")?;
    Ok(Attempt {
        number: row.get("number")?,
        at_ms: row.get("at_ms")?,
        duration_ms: row.get("duration_ms")?,
        status: status.and_then(|status| u16::try_from(status).ok()),
        failure: row.get("failure")?,
        answer: row.get("answer")?,
    })
}

fn delivery_row(scope: &TenantScope, delivery: &Delivery) -> Answer<Args<'static>> {
    Ok(args![
        delivery.id,
        scope.business.0,
        delivery.endpoint,
        to_i64(delivery.seq)?,
        delivery.kind.clone(),
        delivery.subject,
        delivery.message.clone(),
        delivery.body.clone(),
        delivery.state.name(),
        delivery.attempts,
        delivery.next_at_ms,
        delivery.created_at_ms,
    ])
}

/// Keeps deliveries and asks for them. The schedule is the delivery's own; the job only must not give up before it.
async fn insert_deliveries(tx: &mut Tx, scope: &TenantScope, deliveries: &[Delivery], is_failing: bool) -> Answer<()> {
    let rows = deliveries.iter().map(|delivery| delivery_row(scope, delivery)).collect::<Answer<Vec<_>>>()?;
    tx.write_many(sql::INSERT_DELIVERY, rows).await?;
    for delivery in deliveries {
        let job = NewJob {
            kind: if is_failing { RETRY_JOB } else { DELIVER_JOB }.to_owned(),
            business: Some(scope.business),
            payload: serde_json::json!({ "endpoint": delivery.endpoint, "delivery": delivery.id }),
            run_at_ms: delivery.next_at_ms.unwrap_or(delivery.created_at_ms),
            attempts_max: 2 * SCHEDULE.len() as u32,
            unique: None,
        };
        jobs::insert(tx, &job, delivery.created_at_ms).await?;
    }
    Ok(())
}

impl SqlStore {
    pub(super) fn webhook_seal(&self, scope: &TenantScope, id: Uuid) -> RowSeal {
        self.keys.row(Row { business: scope.business, table: "webhook secrets", id })
    }

    async fn need_endpoint(&self, scope: &TenantScope, id: Uuid) -> Answer<()> {
        self.db.read_one(scope, sql::ENDPOINT, args![scope.business.0, id]).await?.map(drop).ok_or(missing("endpoint"))
    }
}

#[async_trait]
impl Webhooks for SqlStore {
    async fn create_endpoint(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        secret: &Secret<String>,
        endpoints_max: u32,
    ) -> Answer<Endpoint> {
        let sealed = self.webhook_seal(scope, endpoint.id).seal(LINE, secret.expose())?;
        let mut tx = self.db.begin(scope).await?;
        let count = tx.read_one(sql::COUNT_ENDPOINTS, args![scope.business.0]).await?;
        let count: u32 = count.map_or(Ok(0), |row| row.get("count"))?;
        if count >= endpoints_max {
            return Err(StoreError::Conflict(format!("the business has {count} webhook endpoints, as many as it may")));
        }
        let Endpoint { id, url, description, kinds, enabled, created_at_ms, .. } = endpoint;
        let kinds = to_json(kinds)?;
        let args = args![*id, scope.business.0, url, description, kinds, *enabled, sealed, *created_at_ms];
        let row = tx.read_one(sql::INSERT_ENDPOINT, args).await?.ok_or(missing("business"))?;
        let endpoint = read_endpoint(&row)?;
        tx.commit().await?;
        Ok(endpoint)
    }

    async fn endpoint(&self, scope: &TenantScope, id: Uuid) -> Answer<Endpoint> {
        let row = self.db.read_one(scope, sql::ENDPOINT, args![scope.business.0, id]).await?;
        read_endpoint(&row.ok_or(missing("endpoint"))?)
    }

    async fn endpoints(&self, scope: &TenantScope) -> Answer<Vec<Endpoint>> {
        let rows = self.db.read(scope, sql::ENDPOINTS, args![scope.business.0, PAGE]).await?;
        rows.iter().map(read_endpoint).collect()
    }

    async fn change_endpoint(
        &self,
        scope: &TenantScope,
        id: Uuid,
        change: &EndpointChange,
        expected: Option<u32>,
    ) -> Answer<Endpoint> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::LOCK_ENDPOINT, args![business, id]).await?.ok_or(missing("endpoint"))?;
        let mut now = read_endpoint(&row)?;
        if expected.is_some_and(|expected| expected != now.version) {
            return Err(StoreError::Conflict(format!("the endpoint has changed: its version is {}", now.version)));
        }
        now.url = change.url.clone().unwrap_or(now.url);
        now.description = change.description.clone().unwrap_or(now.description);
        now.kinds = change.kinds.clone().unwrap_or(now.kinds);
        if change.enabled == Some(true) && !now.enabled {
            let range = tx.read_one(sql::EVENT_RANGE, args![business]).await?;
            now.cursor_seq = range.map_or(Ok(0), |row| row.get("seq"))?;
            (now.failing_since_ms, now.disabled_reason) = (None, None);
        }
        now.enabled = change.enabled.unwrap_or(now.enabled);
        let args = args![
            business,
            id,
            &now.url,
            &now.description,
            to_json(&now.kinds)?,
            now.enabled,
            &now.disabled_reason,
            now.failing_since_ms,
            to_i64(now.cursor_seq)?,
        ];
        let row = tx.read_one(sql::UPDATE_ENDPOINT, args).await?.ok_or(missing("endpoint"))?;
        let endpoint = read_endpoint(&row)?;
        tx.commit().await?;
        Ok(endpoint)
    }

    async fn delete_endpoint(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        let business = scope.business.0;
        loop {
            let some = args![business, id, limits::PRUNE_ROWS_MAX];
            if self.db.write(scope, sql::DELETE_DELIVERIES, some).await? == 0 {
                break;
            }
        }
        Ok(self.db.write(scope, sql::DELETE_ENDPOINT, args![business, id]).await? > 0)
    }

    async fn disable_endpoint(&self, scope: &TenantScope, id: Uuid, reason: &str, at_ms: i64) -> Answer<bool> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::DISABLE_ENDPOINT, args![scope.business.0, id, false, reason]).await?;
        let Some(row) = row else { return Ok(false) };
        let facts = DisabledFacts { endpoint: id, reason: reason.to_owned(), url: read_endpoint(&row)?.url };
        let fresh = [Fresh::new(EventKind::WebhookDisabled, id, &facts)?];
        events::write(&mut tx, scope, &fresh, at_ms).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(true)
    }

    async fn rotate_endpoint_secret(
        &self,
        scope: &TenantScope,
        id: Uuid,
        secret: &Secret<String>,
        old_until_ms: i64,
    ) -> Answer<Endpoint> {
        let sealed = self.webhook_seal(scope, id).seal(LINE, secret.expose())?;
        let rows =
            self.db.write_rows(scope, sql::ROTATE_SECRET, args![scope.business.0, id, sealed, old_until_ms]).await?;
        read_endpoint(rows.first().ok_or(missing("endpoint"))?)
    }

    async fn endpoint_secrets(&self, scope: &TenantScope, id: Uuid, now_ms: i64) -> Answer<Vec<Secret<String>>> {
        let row = self.db.read_one(scope, sql::ENDPOINT_SECRETS, args![scope.business.0, id, now_ms]).await?;
        let row = row.ok_or(missing("endpoint"))?;
        let sealed = [Some(row.get::<Vec<u8>>("secret")?), row.get("old_secret")?];
        let seal = self.webhook_seal(scope, id);
        sealed.iter().flatten().map(|sealed| seal.open(LINE, sealed).map(Secret::new)).collect()
    }

    async fn endpoints_behind(&self, after: Option<Uuid>) -> Answer<Vec<(TenantScope, Endpoint)>> {
        let across = Db::across("the worker makes the deliveries of all businesses");
        let args = args![after.unwrap_or_default(), PAGE];
        let rows = self.db.read(across, sql::ENDPOINTS_BEHIND, args).await?;
        let read = |row: &DbRow| {
            let scope = TenantScope { business: BusinessId(row.get("business")?) };
            Ok((scope, read_endpoint(row)?))
        };
        rows.iter().map(read).collect()
    }

    async fn fan_out(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        upto: u64,
        deliveries: &[Delivery],
    ) -> Answer<bool> {
        let mut tx = self.db.begin(scope).await?;
        let args = args![scope.business.0, endpoint.id, to_i64(endpoint.cursor_seq)?, to_i64(upto)?];
        if tx.write(sql::MOVE_CURSOR, args).await? == 0 {
            return Ok(false);
        }
        insert_deliveries(&mut tx, scope, deliveries, endpoint.failing_since_ms.is_some()).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(true)
    }

    async fn add_deliveries(&self, scope: &TenantScope, endpoint: Uuid, deliveries: &[Delivery]) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        tx.read_one(sql::LOCK_ENDPOINT, args![scope.business.0, endpoint]).await?.ok_or(missing("endpoint"))?;
        insert_deliveries(&mut tx, scope, deliveries, true).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(())
    }

    async fn add_test_delivery(&self, scope: &TenantScope, delivery: &Delivery) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        tx.write(sql::INSERT_DELIVERY, delivery_row(scope, delivery)?).await?;
        tx.commit().await
    }

    async fn delivery(&self, scope: &TenantScope, endpoint: Uuid, id: Uuid) -> Answer<Delivery> {
        let row = self.db.read_one(scope, sql::DELIVERY, args![scope.business.0, endpoint, id]).await?;
        read_delivery(&row.ok_or(missing("delivery"))?)
    }

    async fn deliveries(
        &self,
        scope: &TenantScope,
        endpoint: Uuid,
        state: Option<DeliveryState>,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Delivery>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let state = state.map_or("", DeliveryState::name);
        let args = args![scope.business.0, endpoint, state, after.at_ms, after.id, rows_max + 1];
        let rows = self.db.list(scope, sql::DELIVERIES, args).await?;
        if rows.is_empty() {
            self.need_endpoint(scope, endpoint).await?;
        }
        let mut rows = rows.iter().map(read_delivery).collect::<Answer<Vec<_>>>()?;
        let more = rows.len() > rows_max as usize;
        rows.truncate(rows_max as usize);
        let next = rows.last().filter(|_| more).map(|one| Cursor { at_ms: one.created_at_ms, id: one.id });
        Ok(Page { rows, next })
    }

    async fn attempts(&self, scope: &TenantScope, delivery: Uuid) -> Answer<Vec<Attempt>> {
        let rows = self.db.read(scope, sql::ATTEMPTS, args![scope.business.0, delivery, PAGE]).await?;
        rows.iter().map(read_attempt).collect()
    }

    async fn note_attempt(
        &self,
        scope: &TenantScope,
        delivery: &Delivery,
        attempt: &Attempt,
        verdict: Verdict,
    ) -> Answer<Endpoint> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let Attempt { number, at_ms, duration_ms, status, failure, answer } = attempt;
        let (duration_ms, status) = (to_i64(*duration_ms)?, status.map(u32::from));
        let args = args![delivery.id, *number, business, *at_ms, duration_ms, status, failure, answer];
        let next = args![business, delivery.id, verdict.state.name(), *number, verdict.next_at_ms];
        if tx.write(sql::UPDATE_DELIVERY, next).await? == 0 {
            return Err(missing("delivery"));
        }
        tx.write(sql::INSERT_ATTEMPT, args).await?;
        if attempt.is_success() {
            tx.write(sql::ENDPOINT_WORKS, args![business, delivery.endpoint]).await?;
        } else {
            tx.write(sql::ENDPOINT_FAILS, args![business, delivery.endpoint, *at_ms]).await?;
        }
        let row = tx.read_one(sql::ENDPOINT, args![business, delivery.endpoint]).await?;
        let endpoint = read_endpoint(&row.ok_or(missing("endpoint"))?)?;
        tx.commit().await?;
        Ok(endpoint)
    }

    async fn give_up_delivery(&self, scope: &TenantScope, delivery: Uuid) -> Answer<()> {
        self.db.write(scope, sql::GIVE_UP_DELIVERY, args![scope.business.0, delivery]).await.map(drop)
    }

    async fn prune_webhook_log(&self, before_ms: i64) -> Answer<u64> {
        let across = Db::across("deliveries of all businesses grow old");
        self.db.write(across, sql::PRUNE_DELIVERIES_LOG, args![before_ms, limits::PRUNE_ROWS_MAX]).await
    }

    async fn events_since(&self, scope: &TenantScope, since_ms: i64, after: u64, rows_max: u32) -> Answer<Vec<Event>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let args = args![scope.business.0, to_i64(after)?, since_ms, rows_max];
        let rows = self.db.read(scope, sql::EVENTS_SINCE, args).await?;
        rows.iter().map(read_event).collect()
    }
}
