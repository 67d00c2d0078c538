//! The process dies in the middle of a call, and the call goes on in the next one.

use crate::rig::{GOODBYE, GREETING, Person, Server, Setting, World};
use serde_json::json;
use sim::twins::openai::{Reply, Rule};
use std::time::Duration;

const RESUMED: &str = "Sorry, the line was interrupted for a moment. Where were we?";
const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const BOOK: &str = "I would like to book a basic service for Tuesday.";
const BOOKED: &str = "Done, your basic service is booked for Tuesday.";

async fn world() -> World {
    let mut setting = Setting::new(
        &[SATURDAY, BOOK, "Yes, please.", SATURDAY, "Thank you, goodbye."],
        vec![
            Rule::on_user("open on saturday", Reply::says(OPENING)),
            Rule::on_user("basic service", Reply::calls("book_repair", json!({"service": "basic", "day": "Tuesday"}))),
            Rule::on_tool("book_repair", Reply::says(BOOKED)),
            Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
        ],
    );
    setting.webhook_retry = Duration::from_secs(30);
    World::new(setting).await
}

/// Kills the server and starts it again at the same place. The platform comes back by itself.
async fn die_and_return(world: &World, server: Server, person: &Person) -> Server {
    let (pid, legs) = (server.pid(), person.0.record(|record| record.legs.len()));
    server.kill().await;
    let server = world.serve().await;
    assert_ne!(server.pid(), pid);
    let ready = tokio::time::Instant::now();
    let back = person.0.until(Duration::from_secs(5), "the caller hearing the agent again", |record| {
        record.legs.len() > legs && record.leg().is_some_and(|leg| !leg.playout.spans().is_empty())
    });
    back.await.unwrap_or_else(|why| panic!("{why}\n{}", server.log()));
    println!("the caller heard the agent {:?} after the new process was ready", ready.elapsed());
    assert!(ready.elapsed() <= Duration::from_secs(5));
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outlives_the_process_and_no_tool_runs_twice() {
    let world = world().await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    person.asks(BOOK).await;
    person.asks("Yes, please.").await;
    let before = server.detail(server.find_call(person.0.sid()).await.expect("a row")["id"].as_str().unwrap()).await;

    let server = die_and_return(&world, server, &person).await;
    person.hears_out(0, Duration::from_secs(10), "the resumed line").await;
    person.asks(SATURDAY).await;
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");

    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.id(), before.id(), "it is the same call");
    detail.assert_sound();
    let (old, new) = (before.0["journal"].as_array().unwrap(), detail.0["journal"].as_array().unwrap());
    assert_eq!(old[..], new[..old.len()], "what was written stays");
    let resumed: Vec<_> = detail.entries("resumed").iter().map(|entry| entry["incarnation"].clone()).collect();
    assert_eq!(resumed, [json!(1)]);
    assert_eq!(detail.texts("tool_started", "name"), ["book_repair"], "booked once");
    assert_eq!(
        detail.heard(),
        [GREETING, OPENING, "Shall I book a basic service for Tuesday?", BOOKED, RESUMED, OPENING, GOODBYE]
    );
    assert_eq!(detail.call()["state"], "completed");
    assert_eq!(person.0.record(|record| record.faults.clone()), Vec::<String>::new());
    world.assert_replays(detail.id()).await;
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_process_took_with_it_is_answered_by_the_next_one() {
    let world = world().await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    let (_, to_ms) = person.says(SATURDAY).await;
    // The turn is in the journal and the answer has begun, of which nothing is written down yet.
    let speaking = person.0.until(Duration::from_secs(5), "the answer", |record| {
        record.leg().unwrap().playout.spans().last().is_some_and(|span| span.from_ms > to_ms)
    });
    speaking.await.unwrap_or_else(|why| panic!("{why}"));
    let server = die_and_return(&world, server, &person).await;
    person.hears_out(0, Duration::from_secs(12), "the resumed line and the answer").await;
    person.0.hang_up().await;
    person.0.finished(Duration::from_secs(5)).await.expect("it is over");
    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY]);
    let heard = detail.heard();
    assert_eq!(heard[0], GREETING);
    assert_eq!(heard[1..].join(" "), format!("{RESUMED} {OPENING}"), "{heard:?}");
    server.is_idle_again().await;
}
