//! Webhooks: events on their way to endpoints of businesses.
//!
//! Three steps, each durable before the next. *Fan-out* looks at the events that an endpoint has not seen, and notes how far
//! it looked together with the deliveries that follow, so that an event becomes one delivery per endpoint whoever dies.
//! *Delivery* is a job: one attempt, noted, and the next one by the schedule. *Judgement*: an endpoint that says that it is
//! gone, or has failed for days, is switched off, which is an event itself.
//!
//! Messages arrive at least once; `webhook-id` is the same each time. They go out through [`Egress`] alone.

pub mod sign;
#[cfg(test)]
mod tests;

use crate::work::{Handler, Outcome};
use async_trait::async_trait;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Millis, limits};
use egress::Egress;
use model::business::TenantScope;
use model::event::{Event, EventKind};
use model::webhook::{Attempt, Delivery, DeliveryState, Endpoint, FAILING_MS_MAX, pause_after};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::{DELIVER_JOB, Job, NewJob, RETRY_JOB, Store, StoreError, Verdict};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What is sent.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    /// RFC 3339.
    timestamp: String,
    seq: u64,
    subject: Uuid,
    data: &'a Value,
}

/// What a job of a delivery is told.
#[derive(Deserialize)]
struct Payload {
    endpoint: Uuid,
    delivery: Uuid,
}

/// Sends webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    store: Arc<dyn Store>,
    egress: Arc<Egress>,
    wake: Arc<Notify>,
    /// Unix milliseconds now: days of failures pass in a test at once.
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Webhooks {
    /// Sends through this way out, whose policy decides where messages may go.
    pub fn new(store: Arc<dyn Store>, egress: Arc<Egress>) -> Self {
        Self { store, egress, wake: Arc::default(), clock: Arc::new(crate::wall_ms) }
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// There may be new events.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether messages could be sent there, as far as the address tells without asking anybody.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check_url(&self, url: &str) -> Result<(), Failure> {
        if url.len() > limits::WEBHOOK_URL_BYTES_MAX {
            return Err(Failure::new(ErrorClass::Invalid, "the address is too long"));
        }
        self.egress.check_url(url)
    }

    /// Turns new events into deliveries until `stop` is cancelled.
    pub async fn run_fan_out(self, stop: CancellationToken) {
        let mut bell = self.store.event_bell();
        loop {
            if let Err(error) = self.fan_out().await {
                tracing::warn!(%error, "events were not turned into deliveries");
            }
            let pause = tokio::time::sleep(Duration::from_millis(limits::WEBHOOKS_POLL_MS));
            tokio::select! {
                () = stop.cancelled() => return,
                () = pause => {}
                () = self.wake.notified() => {}
                _ = bell.recv() => {}
            }
        }
    }

    /// Turns the events that endpoints have not looked at into deliveries, and answers how many.
    ///
    /// # Errors
    /// When the store does not answer; what was done is done.
    pub async fn fan_out(&self) -> Result<usize, StoreError> {
        let (mut made, mut after) = (0, None);
        loop {
            let behind = self.store.endpoints_behind(after).await?;
            let Some((_, last)) = behind.last() else { return Ok(made) };
            after = Some(last.id);
            for (scope, endpoint) in behind {
                made += self.fan_out_one(&scope, endpoint).await?;
            }
        }
    }

    async fn fan_out_one(&self, scope: &TenantScope, mut endpoint: Endpoint) -> Result<usize, StoreError> {
        let mut made = 0;
        loop {
            let events = self.store.events_after(scope, endpoint.cursor_seq, limits::PAGE_ROWS_MAX).await?;
            let upto = match events.last() {
                Some(last) => last.seq,
                // It was so far behind that what it did not see is kept no more.
                None => self.store.event_range(scope).await?.head,
            };
            if upto <= endpoint.cursor_seq {
                return Ok(made);
            }
            let now_ms = self.now_ms();
            let wanted = events.iter().filter(|event| endpoint.kinds.want(&event.kind));
            let deliveries: Vec<Delivery> = wanted.map(|event| delivery(scope, &endpoint, event, now_ms)).collect();
            if !self.store.fan_out(scope, &endpoint, upto, &deliveries).await? {
                return Ok(made); // Another worker is at it.
            }
            made += deliveries.len();
            endpoint.cursor_seq = upto;
        }
    }

    /// Sends the events from this time on again that the endpoint wants, and answers how many deliveries that makes, at most
    /// [`limits::REPLAY_DELIVERIES_MAX`].
    ///
    /// # Errors
    /// When the store does not answer, or there is no such endpoint.
    pub async fn replay_since(&self, scope: &TenantScope, endpoint: Uuid, since_ms: i64) -> Result<usize, StoreError> {
        let endpoint = self.store.endpoint(scope, endpoint).await?;
        let (mut made, mut after) = (0, 0);
        while made < limits::REPLAY_DELIVERIES_MAX {
            let events = self.store.events_since(scope, since_ms, after, limits::PAGE_ROWS_MAX).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            let now_ms = self.now_ms();
            let wanted = events.iter().filter(|event| endpoint.kinds.want(&event.kind));
            let wanted = wanted.take(limits::REPLAY_DELIVERIES_MAX - made);
            let deliveries: Vec<Delivery> = wanted.map(|event| delivery(scope, &endpoint, event, now_ms)).collect();
            self.store.add_deliveries(scope, endpoint.id, &deliveries).await?;
            made += deliveries.len();
        }
        Ok(made)
    }

    /// Sends one message again, as a delivery of its own.
    ///
    /// # Errors
    /// When the store does not answer, or there is no such delivery; `Invalid` when its content was deleted.
    pub async fn replay_one(&self, scope: &TenantScope, endpoint: Uuid, id: Uuid) -> Result<Delivery, StoreError> {
        let old = self.store.delivery(scope, endpoint, id).await?;
        if old.body.is_empty() {
            return Err(StoreError::Invalid("what this delivery said was deleted"));
        }
        let now_ms = self.now_ms();
        let again = Delivery {
            id: Uuid::now_v7(),
            state: DeliveryState::Pending,
            attempts: 0,
            next_at_ms: Some(now_ms),
            created_at_ms: now_ms,
            ..old
        };
        self.store.add_deliveries(scope, endpoint, std::slice::from_ref(&again)).await?;
        Ok(again)
    }

    /// Sends a test message at once, also to an endpoint that is switched off, and answers how it went. It is not tried again.
    ///
    /// # Errors
    /// When the store does not answer, or there is no such endpoint.
    pub async fn test(&self, scope: &TenantScope, endpoint: Uuid) -> Result<(Delivery, Attempt), StoreError> {
        let endpoint = self.store.endpoint(scope, endpoint).await?;
        let now_ms = self.now_ms();
        let id = Uuid::now_v7();
        let event = Event {
            seq: 0,
            kind: EventKind::WebhookTest.name().into(),
            subject: endpoint.id,
            at_ms: now_ms,
            data: json!({ "endpoint": endpoint.id }),
        };
        let mut test = delivery(scope, &endpoint, &event, now_ms);
        test.id = id;
        test.message = format!("evt_test_{}", id.as_simple());
        test.next_at_ms = None;
        self.store.add_test_delivery(scope, &test).await?;
        let attempt = self.send(scope, &endpoint, &test).await?.0;
        let state = if attempt.is_success() { DeliveryState::Delivered } else { DeliveryState::Failed };
        self.store.note_attempt(scope, &test, &attempt, Verdict { state, next_at_ms: None }).await?;
        (test.state, test.attempts) = (state, attempt.number);
        Ok((test, attempt))
    }

    /// One attempt at a delivery, noted with what follows from it. `None`: nothing follows.
    async fn attempt(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        delivery: &Delivery,
    ) -> Result<Option<i64>, StoreError> {
        let (attempt, pause) = self.send(scope, endpoint, delivery).await?;
        let now_ms = self.now_ms();
        let chance = delivery.id.as_u64_pair().1;
        let next = pause_after(attempt.number, chance).filter(|_| !attempt.is_gone());
        let next = next.map(|scheduled| scheduled.0.max(pause.map_or(0, |pause| pause.0)));
        let next_at_ms = next.map(|pause| now_ms.saturating_add(i64::try_from(pause).unwrap_or(i64::MAX)));
        let verdict = match (attempt.is_success(), next_at_ms) {
            (true, _) => Verdict { state: DeliveryState::Delivered, next_at_ms: None },
            (false, Some(_)) => Verdict { state: DeliveryState::Pending, next_at_ms },
            (false, None) => Verdict { state: DeliveryState::Failed, next_at_ms: None },
        };
        metrics::counter!("frontdesk_webhook_attempts_total", "outcome" => verdict.state.name()).increment(1);
        let endpoint = self.store.note_attempt(scope, delivery, &attempt, verdict).await?;
        let failing_ms = endpoint.failing_since_ms.map_or(0, |since| now_ms.saturating_sub(since));
        let reason = if attempt.is_gone() {
            Some("gone")
        } else {
            (u64::try_from(failing_ms).unwrap_or(0) >= FAILING_MS_MAX).then_some("failing")
        };
        if let Some(reason) = reason
            && self.store.disable_endpoint(scope, endpoint.id, reason, now_ms).await?
        {
            tracing::warn!(endpoint = %endpoint.id, reason, "a webhook endpoint was switched off");
        }
        Ok(verdict.next_at_ms)
    }

    /// Sends a message and reads the beginning of the answer; also answers the pause that it asks for.
    async fn send(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        delivery: &Delivery,
    ) -> Result<(Attempt, Option<Millis>), StoreError> {
        let at_ms = self.now_ms();
        let secrets = self.store.endpoint_secrets(scope, endpoint.id, at_ms).await?;
        let timestamp = at_ms.div_euclid(1_000);
        let began = Instant::now();
        let answer = match sign::signatures(&secrets, &delivery.message, timestamp, &delivery.body) {
            Ok(signature) => self.post(endpoint, delivery, timestamp, signature).await,
            Err(failure) => Err(failure),
        };
        let mut attempt = Attempt {
            number: delivery.attempts + 1,
            at_ms,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            status: None,
            failure: None,
            answer: String::new(),
        };
        let mut pause = None;
        match answer {
            Ok(answer) => {
                attempt.status = Some(answer.status);
                attempt.answer = answer.excerpt;
                pause = answer.retry_after;
            }
            Err(failure) => {
                attempt.failure = Some(failure.class.name().to_owned());
                attempt.answer = failure.detail;
            }
        }
        Ok((attempt, pause))
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
        timestamp: i64,
        signature: String,
    ) -> Result<Answer, Failure> {
        let request = HttpRequest {
            method: Method::Post,
            url: endpoint.url.clone(),
            headers: vec![
                Header::plain("content-type", "application/json"),
                Header::plain("webhook-id", delivery.message.as_str()),
                Header::plain("webhook-timestamp", timestamp.to_string()),
                Header::secret("webhook-signature", signature),
            ],
            body: delivery.body.clone().into_bytes(),
        };
        let deadline = Millis(limits::WEBHOOK_MS_MAX);
        let (status, headers, body) = self.egress.http_stream(request, deadline).await?;
        let excerpt = body.some(limits::WEBHOOK_ANSWER_BYTES_MAX, Millis(limits::REFUSAL_BODY_MS_MAX)).await;
        // A database keeps no zero bytes in texts.
        let excerpt = String::from_utf8_lossy(&excerpt).replace('\0', "\u{fffd}");
        let asked = headers.iter().find(|(name, _)| name == "retry-after").and_then(|(_, secs)| secs.parse().ok());
        let retry_after =
            asked.map(|secs: u64| Millis(secs.saturating_mul(1_000).min(limits::WEBHOOK_RETRY_AFTER_MS_MAX)));
        Ok(Answer { status, excerpt, retry_after })
    }
}

struct Answer {
    status: u16,
    excerpt: String,
    retry_after: Option<Millis>,
}

fn delivery(scope: &TenantScope, endpoint: &Endpoint, event: &Event, now_ms: i64) -> Delivery {
    let timestamp = jiff::Timestamp::from_millisecond(event.at_ms).unwrap_or_default().to_string();
    let message = Message { kind: &event.kind, timestamp, seq: event.seq, subject: event.subject, data: &event.data };
    Delivery {
        id: Uuid::now_v7(),
        endpoint: endpoint.id,
        seq: event.seq,
        kind: event.kind.clone(),
        subject: event.subject,
        message: format!("evt_{}_{}", scope.business.0.as_simple(), event.seq),
        body: serde_json::to_string(&message).unwrap_or_default(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_at_ms: Some(now_ms),
        created_at_ms: now_ms,
    }
}

/// Jobs of both lanes of deliveries.
#[async_trait]
impl Handler for Webhooks {
    async fn run(&self, job: &Job) -> Outcome {
        let (Some(business), Ok(payload)) = (job.business, Payload::deserialize(&job.payload)) else {
            return Outcome::Dead("the job names no delivery".into());
        };
        match self.do_delivery(TenantScope { business }, payload, job).await {
            Ok(outcome) => outcome,
            Err(error) => error.into(),
        }
    }
}

impl Webhooks {
    async fn do_delivery(&self, scope: TenantScope, payload: Payload, job: &Job) -> Result<Outcome, StoreError> {
        let endpoint = self.store.endpoint(&scope, payload.endpoint).await?;
        let delivery = self.store.delivery(&scope, payload.endpoint, payload.delivery).await?;
        let now_ms = self.now_ms();
        match (delivery.state, delivery.next_at_ms) {
            (DeliveryState::Pending, Some(at_ms)) if at_ms > now_ms && job.kind == RETRY_JOB => {
                return Ok(Outcome::Again(at_ms));
            }
            (DeliveryState::Pending, _) => {}
            (DeliveryState::Delivered | DeliveryState::Failed, _) => return Ok(Outcome::Done),
        }
        if !endpoint.enabled || delivery.body.is_empty() {
            self.store.give_up_delivery(&scope, delivery.id).await?;
            return Ok(Outcome::Done);
        }
        let Some(next_at_ms) = self.attempt(&scope, &endpoint, &delivery).await? else { return Ok(Outcome::Done) };
        if job.kind != DELIVER_JOB {
            return Ok(Outcome::Again(next_at_ms));
        }
        // From here on it waits among those that have failed, and holds up none that have not.
        let retry = NewJob {
            kind: RETRY_JOB.into(),
            business: job.business,
            payload: job.payload.clone(),
            run_at_ms: next_at_ms,
            attempts_max: job.attempts_max,
            unique: Some(format!("webhook {}", delivery.id)),
        };
        self.store.enqueue(&retry, now_ms).await?;
        Ok(Outcome::Done)
    }
}
