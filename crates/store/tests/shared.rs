//! The laws of sharing on this process's memory and on a real Redis server, and what happens when that server goes away.

use base::{Millis, Secret};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use store::shared::laws::{LoopbackRedis, hears, until};
use store::shared::{Delivery, Held, Memory, Redis, RedisOptions, Resilient, Shared, SharedError, Sharing};
use tokio::time::Instant;

const LONG: Millis = Millis(60_000);

async fn memory() -> (Arc<dyn Shared>, ()) {
    (Arc::new(Memory::default()), ())
}

fn connect(server: &LoopbackRedis) -> Redis {
    Redis::open(RedisOptions { url: Secret::new(server.url()), prefix: "test".into() }).expect("an address")
}

async fn redis() -> (Arc<dyn Shared>, LoopbackRedis) {
    let server = LoopbackRedis::start().await;
    let shared = connect(&server);
    until("the first answer", async || shared.check().await.is_ok() && shared.sharing() == Sharing::Together).await;
    (Arc::new(shared), server)
}

async fn resilient() -> (Arc<Resilient>, LoopbackRedis) {
    let server = LoopbackRedis::start().await;
    let shared = Resilient::new(connect(&server));
    until("the first answer", async || shared.check().await.is_ok()).await;
    until("sharing", async || shared.sharing() == Sharing::Together).await;
    (shared, server)
}

async fn resilient_law() -> (Arc<dyn Shared>, LoopbackRedis) {
    let (shared, server) = resilient().await;
    (shared, server)
}

mod laws_of_memory {
    store::shared_laws!(super::memory());
}

mod laws_of_redis {
    store::shared_laws!(super::redis());
}

mod laws_of_redis_with_memory_behind {
    store::shared_laws!(super::resilient_law());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_see_the_same_values_leases_counters_and_messages() {
    let server = LoopbackRedis::start().await;
    let (a, b) = (Resilient::new(connect(&server)), Resilient::new(connect(&server)));
    until("the first answers", async || a.check().await.is_ok() && b.check().await.is_ok()).await;
    let mut listener = b.subscribe("calls").await.expect("listens");
    a.put("value", b"from a", LONG).await.expect("put");
    assert_eq!(b.get("value").await, Ok(Some(Bytes::from_static(b"from a"))));
    assert!(matches!(a.put_new("lease", "a", LONG).await, Ok(Held::Ours(_))));
    assert!(matches!(b.put_new("lease", "b", LONG).await, Ok(Held::Theirs { holder, .. }) if holder == "a"));
    a.count("hits", 2, LONG).await.expect("counted");
    assert_eq!(b.count("hits", 2, LONG).await.map(|count| count.total), Ok(4));
    a.publish("calls", b"hello").await.expect("published");
    assert_eq!(hears(&mut listener).await, Delivery::Message(Bytes::from_static(b"hello")));
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_with_other_prefixes_share_nothing() {
    let (shared, server) = redis().await;
    let other = Redis::open(RedisOptions { url: Secret::new(server.url()), prefix: "other".into() }).expect("opens");
    shared.put("value", b"ours", LONG).await.expect("put");
    assert_eq!(other.get("value").await, Ok(None));
    let mut listener = other.subscribe("calls").await.expect("listens");
    shared.publish("calls", b"ours").await.expect("published");
    other.publish("calls", b"theirs").await.expect("published");
    assert_eq!(hears(&mut listener).await, Delivery::Message(Bytes::from_static(b"theirs")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_no_answer_and_comes_back_by_itself() {
    let (shared, mut server) = resilient().await;
    let mut listener = shared.subscribe("calls").await.expect("listens");
    shared.put("before", b"1", LONG).await.expect("put");
    let Ok(Held::Ours(lease)) = shared.put_new("lease", "me", LONG).await else { panic!("free") };

    server.kill().await;
    let began = Instant::now();
    shared.put("during", b"2", LONG).await.expect("the node's own memory takes it");
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(shared.sharing(), Sharing::Away);
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(shared.get("during").await, Ok(Some(Bytes::from_static(b"2"))));
        shared.count("hits", 1, LONG).await.expect("counted here");
    }
    assert!(began.elapsed() < Duration::from_millis(500), "nobody waits for it twice: {:?}", began.elapsed());
    assert_eq!(shared.get("before").await, Ok(None), "a cache may forget");
    assert_eq!(shared.extend(&lease, LONG).await, Ok(false), "a lease is lost and says so");
    shared.publish("calls", b"near").await.expect("published");
    assert_eq!(
        hears(&mut listener).await,
        Delivery::Message(Bytes::from_static(b"near")),
        "this node still hears itself"
    );
    let mut late = shared.subscribe("late").await.expect("listens as soon as it can");

    server.start_again().await;
    until("the return", async || shared.sharing() == Sharing::Together).await;
    assert_eq!(shared.get("during").await, Ok(None), "what was kept meanwhile is not brought along");
    assert_eq!(hears(&mut listener).await, Delivery::Missed, "others may have said something");
    assert_eq!(hears(&mut late).await, Delivery::Missed);
    let other = Resilient::new(connect(&server));
    until("another node", async || other.check().await.is_ok()).await;
    other.publish("calls", b"far").await.expect("published");
    other.publish("late", b"too").await.expect("published");
    assert_eq!(hears(&mut listener).await, Delivery::Message(Bytes::from_static(b"far")));
    assert_eq!(hears(&mut late).await, Delivery::Message(Bytes::from_static(b"too")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_costs_one_deadline() {
    let (shared, server) = resilient().await;
    server.freeze(true).await;
    let began = Instant::now();
    shared.put("a", b"1", LONG).await.expect("kept here");
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(shared.get("a").await, Ok(Some(Bytes::from_static(b"1"))));
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    server.freeze(false).await;
    until("the return", async || shared.sharing() == Sharing::Together).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_at_the_start_is_found_later() {
    let mut server = LoopbackRedis::start().await;
    server.kill().await;
    let shared = Resilient::new(connect(&server));
    shared.put("a", b"1", LONG).await.expect("kept here");
    assert_eq!(shared.sharing(), Sharing::Away);
    server.start_again().await;
    until("the first answer", async || shared.sharing() == Sharing::Together).await;
}

#[tokio::test]
async fn an_address_that_makes_no_sense_is_said_without_its_password() {
    let options = RedisOptions { url: Secret::new("reddis://user:planted@host".into()), prefix: "x".into() };
    let Err(SharedError::Invalid(why)) = Redis::open(options) else { panic!("refused") };
    assert!(why.contains("redis://") && !why.contains("planted"), "{why}");
}
