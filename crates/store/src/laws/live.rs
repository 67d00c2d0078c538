//! Laws of live events, jobs, webhooks, plans and usage.

use super::{Tenant, call_of, caller_turn, tenant};
use crate::contract::{
    After, CallUpdate, Charge, DELIVER_JOB, DayUsage, EndpointChange, EventRange, Job, NewJob, Store, Verdict, WriterId,
};
use crate::error::StoreError;
use crate::shared::laws::until;
use base::{CallTime, JournalSeq, Money, Secret, limits};
use model::business::TenantScope;
use model::call::{Call, CallState};
use model::event::{EventKind, Snapshot};
use model::journal::{Entry, HandBack, HoldMode, QueueOutcome, Record};
use model::plan::{AlertFacts, Subscription, Usage, UsageFacts};
use model::webhook::{Attempt, Delivery, DeliveryState, Endpoint, Kinds};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Somewhere in the middle of a month.
const NOW_MS: i64 = 20_500 * DAY_MS + 3_600_000;

async fn kinds(store: &dyn Store, tenant: &Tenant, after: u64) -> Vec<(u64, String)> {
    let events = store.events_after(&tenant.scope, after, limits::PAGE_ROWS_MAX).await.expect("events");
    events.into_iter().map(|event| (event.seq, event.kind)).collect()
}

async fn change(store: &dyn Store, tenant: &Tenant, call: &Call, update: CallUpdate) -> Call {
    store.update_call(&tenant.scope, call.id, &update).await.expect("a change")
}

fn end_at(ended_at_ms: i64, cost: i64) -> CallUpdate {
    CallUpdate {
        state: Some(CallState::Completed),
        ended_at_ms: Some(ended_at_ms),
        ended_reason: Some("done".into()),
        charge: Some(Charge::new(Money::from_usd_micros(cost), Vec::new())),
        ..CallUpdate::default()
    }
}

/// What becomes true of calls is told in order, once, and to nobody else.
pub async fn each_change_of_a_call_is_told_once_and_in_order(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "other", "+49405550171").await;
    let mut bell = store.event_bell();
    let call = call_of(&shop, NOW_MS);
    store.create_call(&shop.scope, &call).await.expect("a call");
    assert_eq!(bell.try_recv(), Ok(shop.scope.business));
    let answered =
        CallUpdate { state: Some(CallState::Active), answered_at_ms: Some(NOW_MS + 1_000), ..CallUpdate::default() };
    change(&*store, &shop, &call, answered.clone()).await;
    change(&*store, &shop, &call, answered).await;
    let writer = WriterId::generate();
    let words = [caller_turn(1, "hello"), caller_turn(2, "my order")];
    store.append(&shop.scope, call.id, writer, JournalSeq(0), &words).await.expect("words");
    // Its outcome got lost, so it is repeated; nothing is told twice.
    store.append(&shop.scope, call.id, writer, JournalSeq(0), &words).await.expect("words");
    change(&*store, &shop, &call, end_at(NOW_MS + 61_000, 500)).await;
    change(&*store, &shop, &call, end_at(NOW_MS + 99_000, 0)).await;
    let told = kinds(&*store, &shop, 0).await;
    let expected =
        ["call.created", "call.updated", "transcript.turn", "transcript.turn", "call.ended", "usage.recorded"];
    assert_eq!(told, (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
    assert_eq!(store.event_range(&shop.scope).await, Ok(EventRange { floor: 0, head: 6 }));
    assert_eq!(kinds(&*store, &shop, 4).await.len(), 2);
    assert_eq!(kinds(&*store, &other, 0).await, []);
    assert_eq!(store.event_range(&other.scope).await, Ok(EventRange::default()));
}

/// However many write at once, a reader who has seen a place has been able to see all before it.
pub async fn no_event_appears_behind_one_that_was_read(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let scope = shop.scope;
    let writers: Vec<_> = (0..6)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..20 {
                    let subject = scope.business.0;
                    store.emit(&scope, EventKind::WebhookTest, subject, &json!({}), 1).await.expect("an event");
                }
            })
        })
        .collect();
    let mut last = 0;
    while last < 120 {
        for event in store.events_after(&scope, last, 100).await.expect("events") {
            assert_eq!(event.seq, last + 1, "a gap");
            last = event.seq;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    assert_eq!(store.event_range(&scope).await, Ok(EventRange { floor: 0, head: 120 }));
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

/// One thing that may happen to the calls of a business.
async fn happen(store: &dyn Store, tenant: &Tenant, dice: &mut Dice, calls: &mut Vec<(Call, u64)>) {
    let scope = &tenant.scope;
    let at = calls.len().checked_sub(1).map(|last| dice.below(last + 1));
    let what = dice.below(12);
    let (Some(at), 2..) = (at, what) else {
        let call = call_of(tenant, NOW_MS - i64::try_from(dice.below(50)).unwrap_or(0));
        store.create_call(scope, &call).await.expect("a call");
        calls.push((call, 0));
        return;
    };
    let (call, words) = &mut calls[at];
    match what {
        2..=5 => {
            *words += 1;
            let words = *words;
            let record = caller_turn(words, &format!("words {words}"));
            let writer = WriterId::generate();
            store.append(scope, call.id, writer, JournalSeq(words - 1), &[record]).await.expect("words");
        }
        6 => {
            let states = [CallState::Ringing, CallState::Active, CallState::Paused, CallState::Ending];
            let update = CallUpdate { state: Some(states[dice.below(4)]), ..CallUpdate::default() };
            change(store, tenant, call, update).await;
        }
        7 => drop(change(store, tenant, call, end_at(NOW_MS + 5, 3)).await),
        10 => {
            *words += 1;
            let (seq, hold) = (JournalSeq(*words), dice.below(3));
            let by = (hold == 1).then(|| "user:kim".to_owned());
            let entry = match hold {
                0 => Entry::HandedBack { reason: HandBack::Asked },
                _ => Entry::TakenOver { by, mode: HoldMode::TakeOver, with_line: true },
            };
            let record = Record { seq, at: CallTime(seq.0 * 10), entry };
            store.append(scope, call.id, WriterId::generate(), JournalSeq(seq.0 - 1), &[record]).await.expect("held");
        }
        11 => {
            *words += 1;
            let seq = JournalSeq(*words);
            let entry = match dice.below(2) {
                0 => Entry::LeftQueue { outcome: QueueOutcome::Taken, waited_ms: 10 },
                _ => Entry::Queued { reason: "asked".into(), brief: None },
            };
            let record = Record { seq, at: CallTime(seq.0 * 10), entry };
            store.append(scope, call.id, WriterId::generate(), JournalSeq(seq.0 - 1), &[record]).await.expect("queued");
        }
        8 => {
            store.forget_call(scope, call.id, NOW_MS).await.expect("forgotten");
            *words = 0;
        }
        _ => {
            assert_eq!(store.delete_call(scope, call.id).await, Ok(true));
            calls.remove(at);
        }
    }
}

/// A snapshot and all events after its place make a fresh snapshot, wherever the cut is.
pub async fn a_snapshot_and_what_follows_is_a_fresh_snapshot(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "other", "+49405550171").await;
    let (mut dice, mut calls, mut others) = (Dice(7), Vec::new(), Vec::new());
    let mut cuts: Vec<Snapshot> = vec![store.snapshot(&shop.scope).await.expect("a snapshot")];
    for step in 0..120 {
        happen(&*store, &shop, &mut dice, &mut calls).await;
        if step % 8 == 0 {
            happen(&*store, &other, &mut dice, &mut others).await;
        }
        cuts.push(store.snapshot(&shop.scope).await.expect("a snapshot"));
    }
    let fresh = store.snapshot(&shop.scope).await.expect("a snapshot");
    assert!(fresh.seq > 100 && !fresh.calls.is_empty() && fresh.calls.iter().any(|call| call.turns.len() > 1));
    let mut events = Vec::new();
    while let Some(page) = Some(store.events_after(&shop.scope, events.len() as u64, 100).await.expect("events"))
        .filter(|page| !page.is_empty())
    {
        events.extend(page);
    }
    for mut cut in cuts {
        let from = cut.seq;
        events.iter().for_each(|event| cut.apply(event));
        assert_eq!(cut, fresh, "after {from}");
    }
}

async fn queue(store: &dyn Store, tenant: &Tenant, started_at_ms: i64) -> Call {
    let call = call_of(tenant, started_at_ms);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let entry = Entry::Queued { reason: "asked".into(), brief: Some("An invoice.".into()) };
    let record = Record { seq: JournalSeq(1), at: CallTime(10), entry };
    store.append(&tenant.scope, call.id, WriterId::generate(), JournalSeq(0), &[record]).await.expect("queued");
    call
}

/// Who began to wait first is first, whoever asks; a call that ends or is taken leaves the others their places.
pub async fn callers_wait_in_the_order_in_which_they_began(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "other", "+49405550171").await;
    // Since when they wait counts, not when they called.
    let first = queue(&*store, &shop, NOW_MS + 5).await;
    let since_ms = store.waiting(&shop.scope).await.expect("who waits")[0].since_ms;
    until("the next millisecond", async || jiff::Timestamp::now().as_millisecond() > since_ms).await;
    let second = queue(&*store, &shop, NOW_MS).await;
    let theirs = queue(&*store, &other, NOW_MS).await;
    let waiting = store.waiting(&shop.scope).await.expect("who waits");
    assert_eq!(waiting.iter().map(|one| one.call).collect::<Vec<_>>(), [first.id, second.id]);
    assert_eq!((waiting[0].reason.as_str(), waiting[0].brief.clone()), ("asked", Some("An invoice.".into())));
    let all = store.all_waiting().await.expect("who waits");
    let of = |scope: &TenantScope| -> Vec<_> {
        all.iter().filter(|(business, _)| *business == scope.business).map(|(_, call)| *call).collect()
    };
    assert_eq!((of(&shop.scope), of(&other.scope)), (vec![first.id, second.id], vec![theirs.id]));
    let entry = Entry::LeftQueue { outcome: QueueOutcome::Taken, waited_ms: 10 };
    let record = Record { seq: JournalSeq(2), at: CallTime(20), entry };
    store.append(&shop.scope, first.id, WriterId::generate(), JournalSeq(1), &[record]).await.expect("taken");
    change(&*store, &other, &theirs, end_at(NOW_MS + 50, 0)).await;
    assert_eq!(store.all_waiting().await.expect("who waits"), [(shop.scope.business, second.id)]);
    let told = kinds(&*store, &shop, 0).await;
    let told: Vec<_> = told.iter().map(|(_, kind)| kind.as_str()).filter(|kind| kind.contains("queue")).collect();
    assert_eq!(told, ["call.queued", "call.queued", "call.left_queue"]);
}

/// However many ask for the next caller at once, each gets another one; who was given out and never taken is given out again.
pub async fn each_waiting_caller_is_given_to_one_person(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let mut calls = BTreeSet::new();
    for at in 0..4 {
        calls.insert(queue(&*store, &shop, NOW_MS + at).await.id);
    }
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (store, scope) = (Arc::clone(&store), shop.scope);
            tokio::spawn(async move {
                // A row that another one has in hand at this moment is passed over.
                loop {
                    if let Some(call) = store.claim_waiting(&scope, NOW_MS).await.expect("a claim") {
                        return call;
                    }
                }
            })
        })
        .collect();
    let mut given = BTreeSet::new();
    for asked in asking {
        given.insert(asked.await.expect("a claim"));
    }
    assert_eq!(given, calls);
    assert_eq!(store.claim_waiting(&shop.scope, NOW_MS + 1).await, Ok(None));
    let later = NOW_MS + i64::try_from(limits::QUEUE_CLAIM_MS).expect("a span");
    assert!(store.claim_waiting(&shop.scope, later).await.expect("a claim").is_some());
}

/// Old events go from the front, and the range says so.
pub async fn old_events_go_and_the_range_says_which(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    for at_ms in 1..=10 {
        let subject = shop.scope.business.0;
        store.emit(&shop.scope, EventKind::WebhookTest, subject, &json!({}), at_ms).await.expect("an event");
    }
    assert_eq!(store.prune_events(4, 100).await, Ok(3));
    assert_eq!(store.event_range(&shop.scope).await, Ok(EventRange { floor: 3, head: 10 }));
    assert_eq!(kinds(&*store, &shop, 0).await.first().map(|(seq, _)| *seq), Some(4));
    assert_eq!(store.prune_events(0, 2).await, Ok(5));
    assert_eq!(store.event_range(&shop.scope).await, Ok(EventRange { floor: 8, head: 10 }));
    assert_eq!(store.prune_events(100, 100).await, Ok(2));
    assert_eq!(store.event_range(&shop.scope).await, Ok(EventRange { floor: 10, head: 10 }));
    assert_eq!(store.emit(&shop.scope, EventKind::WebhookTest, Uuid::nil(), &json!({}), 11).await, Ok(11));
}

/// What was said in a call leaves the events with it; their places stay.
pub async fn what_is_forgotten_is_gone_from_the_events_too(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&shop, NOW_MS);
    store.create_call(&shop.scope, &call).await.expect("a call");
    let words = [caller_turn(1, "my card is lost")];
    store.append(&shop.scope, call.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
    store.forget_call(&shop.scope, call.id, NOW_MS).await.expect("forgotten");
    let events = store.events_after(&shop.scope, 0, 100).await.expect("events");
    let told: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(told, ["call.created", "erased", "call.forgotten"]);
    assert!(!format!("{events:?}").contains("lost"));
    assert_eq!(store.delete_call(&shop.scope, call.id).await, Ok(true));
    let events = store.events_after(&shop.scope, 0, 100).await.expect("events");
    let told: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(told, ["erased", "erased", "erased", "call.deleted"]);
    assert!(events.iter().all(|event| event.data == json!({})));
}

fn job(kind: &str, number: usize) -> NewJob {
    NewJob::now(kind, json!({ "number": number }), NOW_MS)
}

async fn take(store: &dyn Store, kind: &str, now_ms: i64) -> Vec<Job> {
    store.claim(kind, 100, 1_000, now_ms).await.expect("a claim")
}

/// Of two thousand jobs and four workers, each job is done by one of them.
pub async fn each_job_is_done_once_however_many_workers_there_are(store: Arc<dyn Store>) {
    const JOBS: usize = 2_000;
    let writers = (0..4).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in (writer..JOBS).step_by(4) {
                store.enqueue(&job("count", number), NOW_MS).await.expect("a job");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    let workers = (0..4).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let jobs = store.claim("count", 16, 60_000, NOW_MS).await.expect("a claim");
                let waiting = || async { store.job_counts().await.expect("counts").iter().any(|one| one.waiting > 0) };
                if jobs.is_empty() && !waiting().await {
                    return done;
                }
                for job in jobs {
                    assert_eq!(job.attempt, 1);
                    done.push(job.payload["number"].as_u64().expect("a number"));
                    assert_eq!(store.complete(&job).await, Ok(true));
                }
            }
        })
    });
    let mut done = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        done.extend(worker.await.expect("a worker"));
    }
    assert_eq!(done.len(), JOBS);
    assert_eq!(done.iter().collect::<BTreeSet<_>>().len(), JOBS);
    assert_eq!(store.job_counts().await, Ok(Vec::new()));
}

/// A job outlives its worker, and a worker that comes back too late changes nothing.
pub async fn a_job_of_a_dead_worker_is_taken_after_its_lease(store: Arc<dyn Store>) {
    store.enqueue(&job("slow", 1), NOW_MS).await.expect("a job");
    let dead = take(&*store, "slow", NOW_MS).await.pop().expect("a job");
    assert_eq!(take(&*store, "slow", NOW_MS + 999).await, []);
    assert_eq!(store.heartbeat(&dead, 1_000, NOW_MS + 500).await, Ok(true));
    assert_eq!(take(&*store, "slow", NOW_MS + 1_499).await, []);
    let next = take(&*store, "slow", NOW_MS + 1_500).await.pop().expect("the same job");
    assert_eq!((next.id, next.attempt), (dead.id, 2));
    assert_eq!(store.heartbeat(&dead, 1_000, NOW_MS).await, Ok(false));
    assert_eq!(store.complete(&dead).await, Ok(false));
    assert_eq!(store.fail(&dead, "late", After::Dead, NOW_MS).await, Ok(false));
    assert_eq!(store.complete(&next).await, Ok(true));
    assert_eq!(take(&*store, "slow", NOW_MS + 9_999).await, []);
}

/// Retries wait, the last one makes a dead letter, and a person can have it tried again.
pub async fn a_job_that_keeps_failing_becomes_a_dead_letter(store: Arc<dyn Store>) {
    let mut twice = job("bad", 1);
    twice.attempts_max = 2;
    store.enqueue(&twice, NOW_MS).await.expect("a job");
    let first = take(&*store, "bad", NOW_MS).await.pop().expect("a job");
    assert_eq!(store.fail(&first, "not yet", After::Again(NOW_MS + 5), NOW_MS).await, Ok(true));
    let first = take(&*store, "bad", NOW_MS + 5).await.pop().expect("a job");
    assert_eq!(first.attempt, 1, "nothing went wrong");
    assert_eq!(store.fail(&first, "broken", After::Retry(NOW_MS + 50), NOW_MS + 6).await, Ok(true));
    assert_eq!(take(&*store, "bad", NOW_MS + 49).await, []);
    let second = take(&*store, "bad", NOW_MS + 50).await.pop().expect("a job");
    assert_eq!(second.attempt, 2);
    assert_eq!(store.fail(&second, "broken", After::Retry(NOW_MS + 90), NOW_MS + 60).await, Ok(true));
    assert_eq!(take(&*store, "bad", NOW_MS + 9_999).await, []);
    let page = store.dead_jobs(Some("bad"), None, 10).await.expect("dead letters");
    let letter = &page.rows[0];
    assert_eq!((letter.attempts, letter.error.as_str(), letter.died_at_ms), (2, "broken", NOW_MS + 60));
    assert!(store.dead_jobs(Some("good"), None, 10).await.expect("dead letters").rows.is_empty());
    assert_eq!(store.requeue(letter.id, NOW_MS + 100).await, Ok(true));
    assert_eq!(store.requeue(letter.id, NOW_MS + 100).await, Ok(false));
    // A worker that dies each time does not take the whole installation along.
    for attempt in 1..=2_i64 {
        assert_eq!(take(&*store, "bad", NOW_MS + 10_000 * attempt).await.len(), 1);
    }
    assert_eq!(take(&*store, "bad", NOW_MS + 99_000).await, []);
    assert_eq!(store.dead_jobs(None, None, 10).await.expect("dead letters").rows.len(), 1);
    assert_eq!(store.prune_dead_jobs(NOW_MS + DAY_MS).await, Ok(1));
}

/// What is asked for under one name waits once, and an entry of the calendar is due once on all nodes.
pub async fn a_unique_job_and_an_entry_of_the_calendar_come_once(store: Arc<dyn Store>) {
    let unique = NewJob { unique: Some("the sweep".into()), ..job("sweep", 1) };
    assert!(store.enqueue(&unique, NOW_MS).await.expect("asked").is_some());
    assert_eq!(store.enqueue(&unique, NOW_MS).await, Ok(None));
    let taken = take(&*store, "sweep", NOW_MS).await.pop().expect("a job");
    assert_eq!(store.enqueue(&unique, NOW_MS).await, Ok(None), "it is being done");
    assert_eq!(store.complete(&taken).await, Ok(true));
    assert!(store.enqueue(&unique, NOW_MS).await.expect("asked").is_some());

    let last = store.cron_last("nightly", NOW_MS).await.expect("a time");
    assert_eq!((last, store.cron_last("nightly", NOW_MS + 7).await), (NOW_MS, Ok(NOW_MS)));
    let nodes = (0..4).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            store.cron_due("nightly", last, last + 60_000, &job("night", 1), NOW_MS).await.expect("asked")
        })
    });
    let mut asked = 0;
    for node in nodes.collect::<Vec<_>>() {
        asked += u32::from(node.await.expect("a node"));
    }
    assert_eq!((asked, take(&*store, "night", NOW_MS).await.len()), (1, 1));
    assert_eq!(store.cron_last("nightly", NOW_MS).await, Ok(last + 60_000));
    assert!(store.now_ms().await.expect("a clock") > 1_700_000_000_000);
}

fn endpoint_of(url: &str) -> Endpoint {
    Endpoint {
        id: Uuid::now_v7(),
        url: url.into(),
        description: "ours".into(),
        kinds: Kinds(vec!["call.*".into()]),
        enabled: true,
        disabled_reason: None,
        failing_since_ms: None,
        old_secret_until_ms: None,
        created_at_ms: NOW_MS,
        version: 1,
        cursor_seq: 0,
    }
}

fn delivery_to(endpoint: &Endpoint, seq: u64) -> Delivery {
    Delivery {
        id: Uuid::now_v7(),
        endpoint: endpoint.id,
        seq,
        kind: "call.created".into(),
        subject: Uuid::nil(),
        message: format!("evt_{seq}"),
        body: "{}".into(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_at_ms: Some(NOW_MS),
        created_at_ms: NOW_MS + i64::try_from(seq).unwrap_or(0),
    }
}

/// Secrets are opened for signing alone, and a replaced one signs until its time is over.
pub async fn a_secret_of_a_webhook_is_replaced_with_an_overlap(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "other", "+49405550171").await;
    let (scope, endpoint) = (&shop.scope, endpoint_of("https://a.example/hook"));
    let made = store.create_endpoint(scope, &endpoint, &Secret::from("whsec_one"), 2).await.expect("an endpoint");
    assert_eq!(made, endpoint);
    let secrets = |now_ms| {
        let (store, id) = (Arc::clone(&store), endpoint.id);
        let scope = *scope;
        async move {
            let all = store.endpoint_secrets(&scope, id, now_ms).await.expect("secrets");
            all.into_iter().map(|one| one.expose().clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(secrets(NOW_MS).await, ["whsec_one"]);
    let until = NOW_MS + 1_000;
    let rotated = store.rotate_endpoint_secret(scope, endpoint.id, &Secret::from("whsec_two"), until).await;
    assert_eq!(rotated.map(|one| (one.version, one.old_secret_until_ms)), Ok((2, Some(until))));
    assert_eq!(secrets(until - 1).await, ["whsec_two", "whsec_one"]);
    assert_eq!(secrets(until).await, ["whsec_two"]);

    let foreign = &other.scope;
    let missing = |answer: Result<Endpoint, StoreError>| matches!(answer, Err(StoreError::NotFound(_)));
    assert!(missing(store.endpoint(foreign, endpoint.id).await));
    assert!(missing(store.change_endpoint(foreign, endpoint.id, &EndpointChange::default(), None).await));
    assert!(missing(store.rotate_endpoint_secret(foreign, endpoint.id, &Secret::from("x"), 1).await));
    assert!(store.endpoint_secrets(foreign, endpoint.id, NOW_MS).await.is_err());
    assert!(store.deliveries(foreign, endpoint.id, None, None, 10).await.is_err());
    assert_eq!(store.delete_endpoint(foreign, endpoint.id).await, Ok(false));
    assert_eq!(store.endpoints(foreign).await, Ok(Vec::new()));

    let second = endpoint_of("https://b.example/hook");
    store.create_endpoint(scope, &second, &Secret::from("whsec_b"), 2).await.expect("an endpoint");
    let third = store.create_endpoint(scope, &endpoint_of("https://c.example"), &Secret::from("whsec_c"), 2).await;
    assert!(matches!(third, Err(StoreError::Conflict(_))), "{third:?}");
    assert_eq!(store.delete_endpoint(scope, second.id).await, Ok(true));
    assert_eq!(store.endpoints(scope).await.expect("endpoints").len(), 1);
}

/// An event becomes one delivery per endpoint, however many workers look.
pub async fn an_event_becomes_one_delivery_whoever_looks(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let scope = &shop.scope;
    store.create_call(scope, &call_of(&shop, NOW_MS)).await.expect("a call");
    let endpoint = endpoint_of("https://a.example/hook");
    let endpoint = store.create_endpoint(scope, &endpoint, &Secret::from("whsec_one"), 9).await.expect("an endpoint");
    assert_eq!(endpoint.cursor_seq, 1, "what was before is not sent");
    assert_eq!(store.endpoints_behind(None).await, Ok(Vec::new()));
    store.create_call(scope, &call_of(&shop, NOW_MS)).await.expect("a call");
    let behind = store.endpoints_behind(None).await.expect("endpoints");
    assert_eq!(behind, [(*scope, endpoint.clone())]);
    let delivery = delivery_to(&endpoint, 2);
    let first = store.fan_out(scope, &endpoint, 2, std::slice::from_ref(&delivery)).await;
    let second = store.fan_out(scope, &endpoint, 2, &[delivery_to(&endpoint, 2)]).await;
    assert_eq!((first, second), (Ok(true), Ok(false)));
    assert_eq!(take(&*store, DELIVER_JOB, NOW_MS + 99).await.len(), 1);
    let page = store.deliveries(scope, endpoint.id, None, None, 10).await.expect("deliveries");
    assert_eq!(page.rows, std::slice::from_ref(&delivery));
    assert_eq!(store.delivery(scope, endpoint.id, delivery.id).await, Ok(delivery));
}

/// Attempts are kept, failing is noticed, and an endpoint that was switched off begins anew.
pub async fn an_endpoint_that_fails_is_noticed_and_switched_off_with_an_event(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let scope = &shop.scope;
    let endpoint = endpoint_of("https://a.example/hook");
    store.create_endpoint(scope, &endpoint, &Secret::from("whsec_one"), 9).await.expect("an endpoint");
    let delivery = delivery_to(&endpoint, 2);
    store.add_deliveries(scope, endpoint.id, std::slice::from_ref(&delivery)).await.expect("a delivery");
    let attempt = |number, status| Attempt {
        number,
        at_ms: NOW_MS + i64::from(number),
        duration_ms: 12,
        status,
        failure: status.is_none().then(|| "timeout".into()),
        answer: "no".into(),
    };
    let pending = Verdict { state: DeliveryState::Pending, next_at_ms: Some(NOW_MS + 5_000) };
    let after = store.note_attempt(scope, &delivery, &attempt(1, None), pending).await.expect("noted");
    assert_eq!(after.failing_since_ms, Some(NOW_MS + 1));
    let after = store.note_attempt(scope, &delivery, &attempt(2, Some(500)), pending).await.expect("noted");
    assert_eq!(after.failing_since_ms, Some(NOW_MS + 1));
    let done = Verdict { state: DeliveryState::Delivered, next_at_ms: None };
    let after = store.note_attempt(scope, &delivery, &attempt(3, Some(204)), done).await.expect("noted");
    assert_eq!(after.failing_since_ms, None);
    let attempts = store.attempts(scope, delivery.id).await.expect("attempts");
    assert_eq!(attempts, [attempt(1, None), attempt(2, Some(500)), attempt(3, Some(204))]);
    let row = store.delivery(scope, endpoint.id, delivery.id).await.expect("the delivery");
    assert_eq!((row.state, row.attempts, row.next_at_ms), (DeliveryState::Delivered, 3, None));

    assert_eq!(store.disable_endpoint(scope, endpoint.id, "gone", NOW_MS).await, Ok(true));
    assert_eq!(store.disable_endpoint(scope, endpoint.id, "gone", NOW_MS).await, Ok(false));
    assert_eq!(kinds(&*store, &shop, 0).await, [(1, "webhook.disabled".to_owned())]);
    assert_eq!(store.endpoints_behind(None).await, Ok(Vec::new()));
    let on = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    let stale = store.change_endpoint(scope, endpoint.id, &on, Some(1)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let on = store.change_endpoint(scope, endpoint.id, &on, Some(2)).await.expect("changed");
    assert_eq!((on.enabled, on.disabled_reason, on.cursor_seq, on.version), (true, None, 1, 3));
    assert_eq!(store.prune_webhook_log(NOW_MS + DAY_MS).await, Ok(1));
    assert_eq!(store.attempts(scope, delivery.id).await, Ok(Vec::new()));
}

/// What is counted is what the rows of the calls say, however their ends were reported.
pub async fn usage_is_the_sum_of_the_calls(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "other", "+49405550171").await;
    let mut expected: BTreeMap<i64, Usage> = BTreeMap::new();
    for index in 0..12_i64 {
        let call = call_of(&shop, NOW_MS);
        store.create_call(&shop.scope, &call).await.expect("a call");
        let ended_at_ms = NOW_MS + 60_000 + (index % 3) * DAY_MS;
        let answered_at_ms = (index % 4 != 0).then_some(ended_at_ms - 10_000);
        let answer = CallUpdate { answered_at_ms, ..CallUpdate::default() };
        change(&*store, &shop, &call, answer).await;
        change(&*store, &shop, &call, end_at(ended_at_ms, 100)).await;
        // The carrier reports the end once more, and a late bill comes in.
        change(&*store, &shop, &call, end_at(ended_at_ms + 5, 0)).await;
        change(&*store, &shop, &call, end_at(ended_at_ms + 9, 7)).await;
        *expected.entry(ended_at_ms / DAY_MS).or_default() += Usage {
            calls: u64::from(answered_at_ms.is_some()),
            calls_unanswered: u64::from(answered_at_ms.is_none()),
            talk_ms: if answered_at_ms.is_some() { 10_000 } else { 0 },
            cost_usd_micros: 107,
        };
    }
    let day = NOW_MS / DAY_MS;
    let expected: Vec<_> = expected.into_iter().map(|(day, usage)| DayUsage { day, usage }).collect();
    assert_eq!(store.usage(&shop.scope, day, day + 30).await, Ok(expected));
    assert_eq!(store.usage(&other.scope, 0, i64::MAX).await, Ok(Vec::new()));
    let open = call_of(&shop, NOW_MS);
    store.create_call(&shop.scope, &open).await.expect("a call");
    let allowance = store.allowance(&shop.scope, day + 1, NOW_MS).await.expect("an allowance");
    assert_eq!((allowance.subscription, allowance.calls_ended, allowance.calls_open), (None, 6, 1));
    let allowance = store.allowance(&shop.scope, day, NOW_MS + 1).await.expect("an allowance");
    assert_eq!((allowance.calls_ended, allowance.calls_open), (9, 0));
}

/// Of calls that end at once, exactly one reaches a share of the limit.
pub async fn an_alert_is_given_once_when_a_share_of_the_plan_is_used(store: Arc<dyn Store>) {
    let shop = Arc::new(tenant(&*store, "shop", "+49405550170").await);
    let mut ten = Subscription::to("starter", NOW_MS, Some(10), None).expect("a subscription");
    assert_eq!(store.subscribe_rest(&ten).await, Ok(1));
    assert_eq!(store.subscribe_rest(&ten).await, Ok(0));
    ten.since_ms += 1;
    store.put_subscription(&shop.scope, &ten, NOW_MS).await.expect("subscribed");
    assert_eq!(store.subscription(&shop.scope).await, Ok(Some(ten)));
    let calls = (0..12).map(|_| {
        let (store, shop) = (Arc::clone(&store), Arc::clone(&shop));
        tokio::spawn(async move {
            let mut call = call_of(&shop, NOW_MS);
            call.answered_at_ms = Some(NOW_MS);
            store.create_call(&shop.scope, &call).await.expect("a call");
            change(&*store, &shop, &call, end_at(NOW_MS + 1_000, 1)).await;
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("a call");
    }
    let events = store.events_after(&shop.scope, 0, 100).await.expect("events");
    let mut alerts = Vec::new();
    let mut counted = Vec::new();
    for event in events {
        match event.known() {
            Some(EventKind::UsageAlert) => {
                let facts: AlertFacts = serde_json::from_value(event.data).expect("an alert");
                assert_eq!((facts.metric.as_str(), facts.limit), ("calls_month", 10));
                alerts.push((facts.percent, facts.used));
            }
            Some(EventKind::UsageRecorded) => {
                let facts: UsageFacts = serde_json::from_value(event.data).expect("a count");
                counted.push(facts.month.calls);
            }
            _ => {}
        }
    }
    assert_eq!(counted, (1..=12).collect::<Vec<u64>>());
    assert_eq!(alerts, [(80, 8), (100, 10)]);
}
