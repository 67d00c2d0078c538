//! The program on PostgreSQL, and a server that goes away in the middle of a call.

use crate::rig::{GOODBYE, GREETING, Setting, World, poll};
use serde_json::json;
use sim::twins::openai::{Reply, Rule};
use std::time::Duration;
use testkit::postgres::{Database, Server};

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const SUNDAY: &str = "And on Sunday?";
const CLOSED: &str = "On Sunday we are closed.";

async fn world(database: &Database) -> World {
    let setting = Setting::new(
        &[SATURDAY, SUNDAY, SATURDAY, "Thank you, goodbye."],
        vec![
            Rule::on_user("open on saturday", Reply::says(OPENING)),
            Rule::on_user("on sunday", Reply::says(CLOSED)),
            Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
        ],
    );
    let mut world = World::new(setting).await;
    world.more_env.push(("FRONTDESK_DATABASE_URL".to_owned(), database.url()));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_database_cuts_no_call_and_loses_nothing_of_it() {
    let postgres = Server::own();
    let database = postgres.empty();
    testkit::stores::bring_up(&database).await;
    let world = world(&database).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    postgres.stop();
    person.asks(SUNDAY).await;
    postgres.start();
    person.asks(SATURDAY).await;
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(20)).await.expect("the agent hangs up");
    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY, SUNDAY, SATURDAY, "Thank you, goodbye."]);
    assert_eq!(detail.heard(), [GREETING, OPENING, CLOSED, OPENING, GOODBYE]);
    assert_eq!(detail.call()["state"], "completed");
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_the_database_is_away_is_over_and_paid_for_when_it_is_back() {
    let postgres = Server::own();
    let database = postgres.empty();
    testkit::stores::bring_up(&database).await;
    let world = world(&database).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    postgres.stop();
    person.0.hang_up().await;
    poll(Duration::from_secs(40), "the end of the call", async || {
        server.log().contains("the end of the call waits for the database").then_some(())
    })
    .await;
    postgres.start();
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY]);
    assert!(detail.call()["cost_usd_micros"].as_i64().is_some_and(|cost| cost > 0), "{}", detail.call());
}
