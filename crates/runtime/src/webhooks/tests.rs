//! Webhooks against an endpoint that listens on loopback.

use super::*;
use egress::{EgressConfig, Policy};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::webhook::Kinds;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use store::laws::{Tenant, call_of, tenant};
use store::{After, EndpointChange, SqlStore, SqliteOptions};

/// What an endpoint received: id, timestamp, signatures, body.
type Received = (String, String, String, String);

/// An endpoint that answers as it is told and keeps what it got.
struct Listener {
    url: String,
    status: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Listener {
    async fn start() -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
        let (status, received) = (Arc::new(AtomicU16::new(204)), Arc::new(Mutex::default()));
        let (answer, kept) = (Arc::clone(&status), Arc::clone(&received));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                let service = service_fn(move |request| take(request, Arc::clone(&answer), Arc::clone(&kept)));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, status, received }
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().expect("whole").clone()
    }
}

async fn take(
    request: hyper::Request<hyper::body::Incoming>,
    status: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<Received>>>,
) -> Result<hyper::Response<Full<bytes::Bytes>>, hyper::Error> {
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).map_or_else(String::new, |value| value.to_str().expect("text").into());
    let got = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let body = request.into_body().collect().await?.to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    received.lock().expect("whole").push((got.0, got.1, got.2, body));
    let answer = hyper::Response::builder().status(status.load(Ordering::SeqCst));
    Ok(answer.body(Full::from("x".repeat(100_000))).expect("an answer"))
}

struct Office {
    _folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    webhooks: Webhooks,
    listener: Listener,
    shop: Tenant,
    endpoint: Endpoint,
    secret: base::Secret<String>,
}

impl Office {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let shop = tenant(store.as_ref(), "shop", "+49405550170").await;
        let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
        let listener = Listener::start().await;
        let endpoint = Endpoint {
            id: Uuid::now_v7(),
            url: listener.url.clone(),
            description: String::new(),
            kinds: Kinds(vec!["call.*".into(), "webhook.disabled".into()]),
            enabled: true,
            disabled_reason: None,
            failing_since_ms: None,
            old_secret_until_ms: None,
            created_at_ms: crate::wall_ms(),
            version: 1,
            cursor_seq: 0,
        };
        let secret = sign::new_secret().expect("a secret");
        let endpoint = store.create_endpoint(&shop.scope, &endpoint, &secret, 9).await.expect("an endpoint");
        let webhooks = Webhooks::new(Arc::clone(&store), egress);
        Self { _folder: folder, store, webhooks, listener, shop, endpoint, secret }
    }

    async fn call(&self) {
        let call = call_of(&self.shop, crate::wall_ms());
        self.store.create_call(&self.shop.scope, &call).await.expect("a call");
    }

    /// Does the jobs of one lane that are due at this time, as a worker would.
    async fn work(&self, kind: &str, now_ms: i64) -> usize {
        let jobs = self.store.claim(kind, 100, 60_000, now_ms).await.expect("claimed");
        for job in &jobs {
            match self.webhooks.run(job).await {
                Outcome::Done => assert_eq!(self.store.complete(job).await, Ok(true)),
                Outcome::Again(at_ms) => {
                    assert_eq!(self.store.fail(job, "", After::Again(at_ms), now_ms).await, Ok(true));
                }
                other => panic!("{other:?}"),
            }
        }
        jobs.len()
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let page = self.store.deliveries(&self.shop.scope, self.endpoint.id, None, None, 100).await;
        page.expect("deliveries").rows
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_arrives_signed_and_only_what_the_endpoint_wants() {
    let office = Office::open().await;
    office.call().await;
    let scope = &office.shop.scope;
    office.store.emit(scope, EventKind::UsageAlert, scope.business.0, &json!({}), 1).await.expect("an event");
    assert_eq!(office.webhooks.fan_out().await, Ok(1));
    assert_eq!(office.webhooks.fan_out().await, Ok(0));
    assert_eq!(office.work(DELIVER_JOB, crate::wall_ms()).await, 1);
    let received = office.listener.received();
    let [(id, timestamp, signature, body)] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(*id, format!("evt_{}_1", scope.business.0.as_simple()));
    let secrets = std::slice::from_ref(&office.secret);
    let expected = sign::signatures(secrets, id, timestamp.parse().expect("seconds"), body);
    assert_eq!(expected.as_ref(), Ok(signature));
    let message: Value = serde_json::from_str(body).expect("json");
    assert_eq!((&message["type"], &message["data"]["state"]), (&json!("call.created"), &json!("initiated")));
    let deliveries = office.deliveries().await;
    assert_eq!((deliveries[0].state, deliveries[0].attempts), (DeliveryState::Delivered, 1));
    let attempts = office.store.attempts(scope, deliveries[0].id).await.expect("attempts");
    assert_eq!(attempts[0].status, Some(204));
    assert!(attempts[0].answer.len() <= limits::WEBHOOK_ANSWER_BYTES_MAX, "an answer is read to its bound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_apart_from_what_does_not_and_with_the_same_id() {
    let office = Office::open().await;
    office.listener.status.store(500, Ordering::SeqCst);
    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(1));
    assert_eq!(office.work(DELIVER_JOB, crate::wall_ms()).await, 1);
    let waiting = office.deliveries().await.remove(0);
    assert_eq!((waiting.state, waiting.attempts), (DeliveryState::Pending, 1));
    let pause_ms = waiting.next_at_ms.expect("a time") - crate::wall_ms();
    assert!((3_000..6_000).contains(&pause_ms), "{pause_ms}");
    assert_eq!(office.work(DELIVER_JOB, crate::wall_ms() + 90_000).await, 0);
    assert_eq!(office.work(RETRY_JOB, crate::wall_ms()).await, 0);
    // The lane hands it over when it is due; it looks at the clock itself, and waits.
    assert_eq!(office.work(RETRY_JOB, crate::wall_ms() + 90_000).await, 1);
    assert_eq!(office.listener.received().len(), 1);
    let again = office.webhooks.replay_one(&office.shop.scope, office.endpoint.id, waiting.id).await.expect("replayed");
    office.listener.status.store(200, Ordering::SeqCst);
    assert_eq!(office.work(RETRY_JOB, again.created_at_ms).await, 1);
    let received = office.listener.received();
    assert_eq!(received[0].0, received[1].0, "a receiver can tell that it has it already");
    assert_eq!(
        office.store.endpoint(&office.shop.scope, office.endpoint.id).await.map(|one| one.failing_since_ms),
        Ok(None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_or_has_failed_for_days_is_sent_nothing_any_more() {
    let office = Office::open().await;
    let scope = &office.shop.scope;
    office.listener.status.store(410, Ordering::SeqCst);
    office.call().await;
    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(2));
    assert_eq!(office.work(DELIVER_JOB, crate::wall_ms()).await, 2);
    assert_eq!(office.listener.received().len(), 1, "the second one was not tried");
    let endpoint = office.store.endpoint(scope, office.endpoint.id).await.expect("the endpoint");
    assert_eq!((endpoint.enabled, endpoint.disabled_reason.as_deref()), (false, Some("gone")));
    assert!(office.deliveries().await.iter().all(|one| one.state == DeliveryState::Failed));
    let events = office.store.events_after(scope, 2, 10).await.expect("events");
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["webhook.disabled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_tells_at_once_how_it_went_and_a_replay_sends_what_was() {
    let office = Office::open().await;
    let scope = &office.shop.scope;
    let (delivery, attempt) = office.webhooks.test(scope, office.endpoint.id).await.expect("tested");
    assert_eq!((delivery.state, attempt.status), (DeliveryState::Delivered, Some(204)));
    office.call().await;
    office.call().await;
    assert_eq!(office.webhooks.replay_since(scope, office.endpoint.id, 0).await, Ok(2));
    assert_eq!(office.work(RETRY_JOB, crate::wall_ms()).await, 2);
    assert_eq!(office.listener.received().len(), 3);
    office.listener.status.store(302, Ordering::SeqCst);
    let (delivery, attempt) = office.webhooks.test(scope, office.endpoint.id).await.expect("tested");
    assert_eq!((delivery.state, attempt.status), (DeliveryState::Failed, Some(302)), "a redirect is not followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_inside_our_network_is_refused_before_anybody_is_asked() {
    let office = Office::open().await;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Tenant)));
    let strict = Webhooks::new(Arc::clone(&office.store), egress);
    for url in [
        "http://shop.example/hook",
        "https://127.0.0.1/",
        "https://10.0.0.7/",
        "https://metadata.internal/",
        "ftp://a.b/",
    ] {
        assert!(strict.check_url(url).is_err(), "{url}");
    }
    assert_eq!(strict.check_url("https://shop.example/hook"), Ok(()));
    let (delivery, attempt) = strict.test(&office.shop.scope, office.endpoint.id).await.expect("tested");
    assert_eq!((delivery.state, attempt.status), (DeliveryState::Failed, None));
    assert_eq!(office.listener.received(), []);
}

/// What the official package says of messages.
async fn judged(secret: &base::Secret<String>, messages: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(std::path::PathBuf::from);
    let python = named.unwrap_or_else(|| root.join(".frontdesk/conformance/bin/python"));
    let why = "it holds the official packages, and `cargo xtask test` installs it";
    assert!(python.exists(), "{} is missing: {why}", python.display());
    let child = tokio::process::Command::new(python)
        .arg(root.join("fixtures/conformance/standard_webhooks.py"))
        .arg(secret.expose())
        .args(messages.iter().map(Value::to_string))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(90), child).await.expect("it ends").expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_package_accepts_what_we_sign_and_refuses_what_somebody_changed() {
    let office = Office::open().await;
    let scope = &office.shop.scope;
    let secret = sign::new_secret().expect("a secret");
    let until = crate::wall_ms() + 60_000;
    office.store.rotate_endpoint_secret(scope, office.endpoint.id, &secret, until).await.expect("rotated");
    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(1));
    assert_eq!(office.work(DELIVER_JOB, crate::wall_ms()).await, 1);
    let received = office.listener.received();
    let (id, timestamp, signature, body) = &received[0];
    let genuine = json!({ "id": id, "timestamp": timestamp, "signature": signature, "body": body });
    let mut forged = genuine.clone();
    forged["body"] = json!(body.replace("call.created", "call.deleted"));
    let mut old = genuine.clone();
    old["timestamp"] = json!((timestamp.parse::<i64>().expect("seconds") - 600).to_string());
    let accepted = json!({ "genuine": true, "type": "call.created" });
    // During the overlap both secrets verify.
    for secret in [&secret, &office.secret] {
        let lines = judged(secret, &[genuine.clone(), forged.clone(), old.clone()]).await;
        assert_eq!(lines[0], accepted);
        assert!(lines[1..].iter().all(|line| line["genuine"] == json!(false)), "{lines:?}");
    }
}

/// Lets days pass.
fn with_clock(office: &mut Office) -> Arc<AtomicI64> {
    let clock = Arc::new(AtomicI64::new(crate::wall_ms()));
    let shown = Arc::clone(&clock);
    office.webhooks.clock = Arc::new(move || shown.load(Ordering::SeqCst));
    clock
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_failed_for_five_days_is_switched_off_and_gets_what_it_missed_when_it_is_asked_for() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let mut office = Office::open().await;
    let clock = with_clock(&mut office);
    let scope = &office.shop.scope;
    let begin_ms = clock.load(Ordering::SeqCst);
    let endpoint = async || office.store.endpoint(scope, office.endpoint.id).await.expect("the endpoint");
    // Does what is due at the time of the newest delivery's next attempt. `false`: there is none.
    let next = async || {
        let Some(at_ms) = office.deliveries().await[0].next_at_ms else { return false };
        clock.fetch_max(at_ms, Ordering::SeqCst);
        office.work(RETRY_JOB, clock.load(Ordering::SeqCst)).await > 0
    };
    office.listener.status.store(503, Ordering::SeqCst);
    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(1));
    assert_eq!(office.work(DELIVER_JOB, begin_ms).await, 1);
    while next().await {}
    let first = office.deliveries().await.remove(0);
    assert_eq!((first.state, first.attempts), (DeliveryState::Failed, 10), "the schedule is over");
    let passed_ms = clock.load(Ordering::SeqCst) - begin_ms;
    assert!((2 * DAY_MS..5 * DAY_MS).contains(&passed_ms), "{passed_ms}");
    let now = endpoint().await;
    assert_eq!((now.enabled, now.failing_since_ms), (true, Some(begin_ms)), "one message is no verdict");

    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(1));
    while endpoint().await.enabled {
        assert!(next().await, "{:?}", office.deliveries().await);
    }
    let passed_ms = clock.load(Ordering::SeqCst) - begin_ms;
    assert!((5 * DAY_MS..7 * DAY_MS).contains(&passed_ms), "{passed_ms}");
    assert_eq!(endpoint().await.disabled_reason.as_deref(), Some("failing"));
    let tried = office.listener.received().len();
    next().await;
    assert_eq!(office.listener.received().len(), tried, "what waited is given up, not sent");
    assert!(office.deliveries().await.iter().all(|one| one.state == DeliveryState::Failed));
    office.call().await;
    assert_eq!(office.webhooks.fan_out().await, Ok(0));

    office.listener.status.store(204, Ordering::SeqCst);
    let on = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    office.store.change_endpoint(scope, office.endpoint.id, &on, None).await.expect("switched on");
    assert_eq!(office.webhooks.fan_out().await, Ok(0), "from now on");
    let again = office.webhooks.replay_one(scope, office.endpoint.id, first.id).await.expect("replayed");
    assert_eq!(office.work(RETRY_JOB, again.created_at_ms).await, 1);
    let received = office.listener.received();
    assert_eq!(received[tried].0, received[0].0, "the same message, as the receiver can tell");
    assert_eq!(
        office.webhooks.replay_since(scope, office.endpoint.id, 0).await,
        Ok(4),
        "three calls and the switching off"
    );
    assert_eq!(office.work(RETRY_JOB, clock.load(Ordering::SeqCst)).await, 4);
    let kinds = office.listener.received().split_off(tried + 1).into_iter().map(|(.., body)| {
        serde_json::from_str::<Value>(&body).map(|message| message["type"].clone()).unwrap_or_default()
    });
    let mut kinds: Vec<String> = kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["call.created", "call.created", "call.created", "webhook.disabled"]);
    assert_eq!(endpoint().await.failing_since_ms, None);
}
