//! Two real processes on one PostgreSQL and one Redis: a call on one is watched and ended through the other, goes on at the
//! other when its own is killed or stops, and needs no Redis for any of it.

use crate::rig::{GOODBYE, GREETING, Person, Place, Server, Setting, World, poll};
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::shared::laws::LoopbackRedis;
use testkit::postgres::Database;
use tokio::net::{TcpListener, TcpStream};

const RESUMED: &str = "Sorry, the line was interrupted for a moment. Where were we?";
const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const BOOK: &str = "I would like to book a basic service for Tuesday.";
const BOOKED: &str = "Done, your basic service is booked for Tuesday.";

/// Everything that is there but the processes: the platforms, the database, Redis, two places, and what stands in front.
struct Cluster {
    world: World,
    places: [Place; 2],
    database: Database,
    redis: LoopbackRedis,
    /// Which place gets what the phone platform sends.
    front: Arc<AtomicUsize>,
}

impl Cluster {
    async fn new() -> Self {
        let mut setting = Setting::new(
            &[SATURDAY, BOOK, "Yes, please.", SATURDAY, "Thank you, goodbye."],
            vec![
                Rule::on_user("open on saturday", Reply::says(OPENING)),
                Rule::on_user(
                    "basic service",
                    Reply::calls("book_repair", json!({"service": "basic", "day": "Tuesday"})),
                ),
                Rule::on_tool("book_repair", Reply::says(BOOKED)),
                Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
            ],
        );
        setting.webhook_retry = Duration::from_secs(30);
        let world = World::new(setting).await;
        let places = [Place::new(), Place::new()];
        let front = Arc::new(AtomicUsize::new(0));
        balance(&world.place.base_url(), [places[0].base_url(), places[1].base_url()], Arc::clone(&front)).await;
        let (database, redis) = (testkit::stores::database().await, LoopbackRedis::start().await);
        Self { world, places, database, redis, front }
    }

    fn env(&self, index: usize) -> Vec<(String, String)> {
        let mut env = self.world.env();
        let name = ["a", "b"][index].to_owned();
        let pairs = [
            ("FRONTDESK_DATABASE_URL", self.database.url()),
            ("FRONTDESK_DATABASE_CONNECTIONS_MAX", "4".to_owned()),
            ("FRONTDESK_SHARED_REDIS_URL", self.redis.url()),
            ("FRONTDESK_SECRETS_DATA_KEY", "5f".repeat(32)),
            ("FRONTDESK_NODE_NAME", name),
            ("FRONTDESK_NODE_MEDIA_URL", self.places[index].base_url()),
            ("FRONTDESK_CALLS_DRAIN_SECS", "7".to_owned()),
        ];
        env.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
        env
    }

    async fn serve(&self, index: usize) -> Server {
        self.serve_with(index, &[]).await
    }

    /// Starts a process whose environment says more.
    async fn serve_with(&self, index: usize, more: &[(&str, &str)]) -> Server {
        let mut env = self.env(index);
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Server::start(&self.places[index], &env).await
    }

    /// The customer calls; the first process gets the call.
    async fn call_in(&self) -> Person {
        let person = self.world.call_in();
        person.hears_greeting().await;
        person
    }
}

/// What stands in front of the processes: passes connections on to one of them.
async fn balance(at: &str, places: [String; 2], front: Arc<AtomicUsize>) {
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    let (listener, places) = (TcpListener::bind(host(at)).await.expect("the front"), places.map(|url| host(&url)));
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let to = places[front.load(Ordering::SeqCst)].clone();
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(to).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await; // Either side may go.
                }
            });
        }
    });
}

/// What a stream of live events has brought so far.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<(String, bool)>>);

impl Watched {
    async fn open(server: &Server, id: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(server.url(&format!("/api/v1/calls/{id}/events"))).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let (watched, mut bytes) = (Self::default(), answer.bytes_stream());
        let into = watched.clone();
        tokio::spawn(async move {
            while let Some(Ok(more)) = bytes.next().await {
                into.lock(|seen| seen.0.push_str(&String::from_utf8_lossy(&more)));
            }
            into.lock(|seen| seen.1 = true);
        });
        watched
    }

    fn lock<T>(&self, look: impl FnOnce(&mut (String, bool)) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn shows(&self, text: &str) {
        poll(Duration::from_secs(5), text, async || self.lock(|seen| seen.0.contains(text).then_some(()))).await;
    }

    async fn ends(&self) {
        poll(Duration::from_secs(5), "the end of the stream", async || self.lock(|seen| seen.1.then_some(()))).await;
    }
}

async fn id_of(server: &Server, person: &Person) -> String {
    let row = server.find_call(person.0.sid()).await.expect("a row");
    row["id"].as_str().expect("an id").to_owned()
}

async fn health(place: &Place, env: &[(String, String)]) -> Vec<Value> {
    let text = place.run(env, &["admin", "nodes", "--json"]).await.expect("nodes are listed");
    let list = text.find('[').map_or("", |at| &text[at..]);
    serde_json::from_str(list).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_one_node_is_watched_and_ended_through_another_even_without_redis() {
    let mut cluster = Cluster::new().await;
    let (a, b) = (cluster.serve(0).await, cluster.serve(1).await);
    let nodes = health(&cluster.places[1], &cluster.env(1)).await;
    let names: Vec<_> = nodes.iter().map(|one| (one["node"]["name"].as_str(), one["is_live"].as_bool())).collect();
    assert_eq!(names, [(Some("a"), Some(true)), (Some("b"), Some(true))]);

    let person = cluster.call_in().await;
    let id = id_of(&b, &person).await;
    assert_eq!(a.metric("frontdesk_calls_active", &[]).await, 1.0);
    assert_eq!(b.metric("frontdesk_calls_active", &[]).await, 0.0);
    assert_eq!(b.detail(&id).await.0["live"], true);
    let watched = Watched::open(&b, &id).await;
    person.asks(SATURDAY).await;
    watched.shows("ten to four").await;

    cluster.redis.kill().await;
    let (status, body) = b.post(&format!("/api/v1/calls/{id}/end"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    person.0.finished(Duration::from_secs(15)).await.expect("the agent says goodbye and hangs up");
    watched.shows("\"ended\"").await;
    watched.ends().await;
    let detail = b.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.call()["state"], "completed");
    assert_eq!(detail.heard()[..2], [GREETING, OPENING]);
    a.is_idle_again().await;
    let (status, _) = b.post(&format!("/api/v1/calls/{id}/end"), &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is over everywhere");
    for server in [&a, &b] {
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_killed_node_goes_on_at_another_and_no_tool_runs_twice() {
    let cluster = Cluster::new().await;
    let (a, b) = (cluster.serve(0).await, cluster.serve(1).await);
    let person = cluster.call_in().await;
    person.asks(SATURDAY).await;
    person.asks(BOOK).await;
    person.asks("Yes, please.").await;
    let before = b.detail(&id_of(&b, &person).await).await;
    let legs = person.0.record(|record| record.legs.len());

    cluster.front.store(1, Ordering::SeqCst);
    a.kill().await;
    let killed = tokio::time::Instant::now();
    let back = person.0.until(Duration::from_secs(8), "the caller hearing the agent again", |record| {
        record.legs.len() > legs && record.leg().is_some_and(|leg| !leg.playout.spans().is_empty())
    });
    back.await.unwrap_or_else(|why| panic!("{why}\n{}", b.log()));
    println!("the caller heard the other node {:?} after the first was killed", killed.elapsed());
    assert!(killed.elapsed() <= Duration::from_secs(5));
    person.hears_out(0, Duration::from_secs(10), "the resumed line").await;
    person.asks(SATURDAY).await;
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");

    let detail = b.ended_call(person.0.sid()).await;
    assert_eq!(detail.id(), before.id(), "it is the same call");
    detail.assert_sound();
    let (old, new) = (before.0["journal"].as_array().unwrap(), detail.0["journal"].as_array().unwrap());
    assert_eq!(old[..], new[..old.len()], "what was written stays");
    assert_eq!(detail.texts("tool_started", "name"), ["book_repair"], "booked once");
    assert_eq!(
        detail.heard(),
        [GREETING, OPENING, "Shall I book a basic service for Tuesday?", BOOKED, RESUMED, OPENING, GOODBYE]
    );
    assert_eq!(detail.call()["state"], "completed");
    assert_eq!(b.metric("frontdesk_calls_resumed_total", &[]).await, 1.0);
    b.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_its_call_over_and_nobody_is_cut_off() {
    let cluster = Cluster::new().await;
    let (a, b) = (cluster.serve(0).await, cluster.serve(1).await);
    let person = cluster.call_in().await;
    person.asks(SATURDAY).await;
    let legs = person.0.record(|record| record.legs.len());

    cluster.front.store(1, Ordering::SeqCst);
    let pid = a.pid().to_string();
    let told = tokio::process::Command::new("kill").args(["-TERM", &pid]).stdout(Stdio::null()).status().await;
    assert!(told.expect("kill runs").success());
    let back = person.0.until(Duration::from_secs(10), "the caller hearing the agent again", |record| {
        record.legs.len() > legs && record.leg().is_some_and(|leg| !leg.playout.spans().is_empty())
    });
    back.await.unwrap_or_else(|why| panic!("{why}\n{}\n{}", a.log(), b.log()));
    poll(Duration::from_secs(10), "the end of the first process", async || {
        health(&cluster.places[1], &cluster.env(1)).await.iter().all(|one| one["node"]["name"] != "a").then_some(())
    })
    .await;
    person.hears_out(0, Duration::from_secs(10), "the resumed line").await;
    person.0.hang_up().await;
    person.0.finished(Duration::from_secs(5)).await.expect("it is over");
    let detail = b.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.heard()[..3], [GREETING, OPENING, RESUMED]);
    b.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_has_another_one_take_the_next_call() {
    let cluster = Cluster::new().await;
    let one_line = [("FRONTDESK_CALLS_MAX", "1"), ("FRONTDESK_CALLS_INBOUND_RESERVE", "0")];
    let (a, b) = (cluster.serve_with(0, &one_line).await, cluster.serve_with(1, &one_line).await);
    let first = cluster.call_in().await;
    let second = cluster.call_in().await;
    for server in [&a, &b] {
        assert_eq!(server.metric("frontdesk_calls_active", &[]).await, 1.0);
    }
    assert_eq!(a.metric("frontdesk_calls_passed_on_total", &[]).await, 1.0);
    let (status, _) = a.post(&format!("/api/v1/calls/{}/end", id_of(&a, &second).await), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "it is ended through the node that passed it on");
    second.0.finished(Duration::from_secs(15)).await.expect("the agent says goodbye and hangs up");
    let detail = b.ended_call(second.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.call()["state"], "completed");
    first.0.hang_up().await;
    first.0.finished(Duration::from_secs(5)).await.expect("it is over");
    a.is_idle_again().await;
    b.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_calls_alone_serves_no_api_and_takes_the_calls_that_come_to_one_without() {
    let cluster = Cluster::new().await;
    let a = cluster.serve_with(0, &[("FRONTDESK_NODE_ROLES", "media")]).await;
    let b = cluster.serve_with(1, &[("FRONTDESK_NODE_ROLES", "api,worker")]).await;
    for path in ["/api/v1/calls", "/api/v1/openapi.json", "/api/docs", "/"] {
        let (status, problem) = a.get(path).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")), "{path}");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("the role api")), "{problem}");
    }
    assert_eq!(a.get("/readyz").await.0, StatusCode::OK);

    cluster.front.store(1, Ordering::SeqCst);
    let person = cluster.call_in().await;
    assert_eq!(a.metric("frontdesk_calls_active", &[]).await, 1.0, "the platform asked the other one");
    assert_eq!(b.metric("frontdesk_calls_active", &[]).await, 0.0);
    person.asks(SATURDAY).await;
    let (status, _) = b.post(&format!("/api/v1/calls/{}/end", id_of(&b, &person).await), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    person.0.finished(Duration::from_secs(15)).await.expect("the agent says goodbye and hangs up");
    let detail = b.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.heard()[..2], [GREETING, OPENING]);
    a.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_asked_of_another_counts_once() {
    let cluster = Cluster::new().await;
    let (a, b) = (cluster.serve(0).await, cluster.serve(1).await);
    let nodes = health(&cluster.places[0], &cluster.env(0)).await;
    let id = |name: &str| {
        let node = nodes.iter().find(|one| one["node"]["name"] == name).expect("it is there");
        node["node"]["id"].as_str().expect("an id").parse::<base::NodeId>().expect("an id")
    };
    let data_key = store::DataKey::parse(&base::Secret::new("5f".repeat(32))).expect("a key");
    let keys: Vec<_> =
        store::Keyring::new(data_key, Vec::new()).derive("node to node").into_iter().map(|(_, key)| key).collect();
    let keys = runtime::cluster::peer::PeerKeys::new(&keys);
    let path = runtime::cluster::peer::COMMAND_PATH;
    let body = json!({"ask": "nothing that a node knows"}).to_string();
    let ask = async |server: &Server, signature: &str| {
        let request = server.http().post(server.url(path)).header(runtime::cluster::peer::SIGNATURE, signature);
        request.body(body.clone()).send().await.expect("an answer").status()
    };
    let signature = keys.sign(path, id("b"), id("a"), runtime::wall_ms(), body.as_bytes()).expect("signed");
    assert_eq!(ask(&a, &signature).await, StatusCode::NOT_FOUND, "meant for another node");
    assert_eq!(ask(&b, &signature).await, StatusCode::UNPROCESSABLE_ENTITY, "known, and not understood");
    assert_eq!(ask(&b, &signature).await, StatusCode::NOT_FOUND, "sent again");
    let (head, tag) = signature.rsplit_once(' ').expect("a tag");
    let louder = format!("{head} {}", tag.to_uppercase());
    assert_eq!(ask(&b, &louder).await, StatusCode::NOT_FOUND, "sent again in other letters");
    assert!(b.log().contains("was sent again"), "the operator hears of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_too_old_for_the_others_says_so_and_does_not_start() {
    let cluster = Cluster::new().await;
    let generation = model::node::GENERATION + 2;
    cluster.database.ask(
        testkit::postgres::SERVING,
        &format!(
            "INSERT INTO nodes (id, name, address, roles, generation, version, calls_live, calls_max, draining,
                started_at_ms, seen_at_ms, lease_until_ms)
            VALUES (gen_random_uuid(), 'new', '', 'api', {generation}, '9.9', 0, 1, false, 0, 0, 9000000000000)"
        ),
    );
    let said = cluster.places[0].run(&cluster.env(0), &["serve"]).await.expect_err("it does not start");
    assert!(said.contains("the node new (version 9.9)") && said.contains("Start a newer version here"), "{said}");
}
