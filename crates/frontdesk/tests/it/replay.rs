//! What becomes of past calls: replayed from the database, written down as a scenario, sealed, forgotten, deleted.

use crate::rig::{GREETING, Place, SECRETS, Server, Setting, World, poll};
use engine::scenario::Scenario;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::PathBuf;
use std::time::Duration;

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const ORDER: &str = "My name is Priya Raman, where is my order 61347?";

async fn world() -> World {
    World::new(Setting::new(
        &[SATURDAY, ORDER, "Thank you, goodbye."],
        vec![
            Rule::on_user("open on saturday", Reply::says(OPENING)),
            Rule::on_user("my order", Reply::calls("order_status", json!({"order_id": "61347"}))),
            Rule::on_tool("order_status", Reply::says("Ms Raman, your order 61347 is on its way.")),
            Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
        ],
    ))
    .await
}

/// A call over loopback by the program itself, and its id.
async fn loopback_call(world: &World) -> String {
    let said = world.place.run(&world.env(), &["call", "--type", SATURDAY, "--type", ORDER, "--json"]).await;
    let said = said.expect("a call");
    let outcome: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).expect("an outcome");
    outcome["call"].as_str().expect("an id").to_owned()
}

/// All recordings, wherever they are: where they are made, or in storage.
fn recordings(place: &Place) -> Vec<PathBuf> {
    let data = place.path().join("data");
    let mut folders: Vec<PathBuf> = ["recordings", "objects"].iter().map(|name| data.join(name)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

async fn database(place: &Place) -> SqlitePool {
    let path = place.path().join("data/frontdesk.db");
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.expect("the database")
}

/// The fixture of a call, which runs green here as it did for the command.
async fn fixture(world: &World, id: &str, more: &[&str]) -> String {
    let path = world.place.path().join("fixture.call");
    let args = [&["call", "fixture", id, "--out", path.to_str().expect("a path")], more].concat();
    let said = world.place.run(&world.env(), &args).await.expect("a fixture");
    assert!(said.contains("runs green"), "{said}");
    let text = std::fs::read_to_string(path).expect("a scenario");
    let report = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).run();
    assert_eq!(report.failures, Vec::<String>::new(), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_call_replays_identically_and_becomes_a_scenario_without_its_names_and_numbers() {
    let world = world().await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    person.asks(ORDER).await;
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");
    let detail = server.ended_call(person.0.sid()).await;
    server.is_idle_again().await;
    let id = detail.id();

    // Beside the server, which goes on taking calls.
    for command in [&["call", "replay", id][..], &["replay", id]] {
        let said = world.place.run(&world.env(), command).await.expect("identical");
        assert!(said.contains("identical") && !said.contains("ends before"), "{said}");
    }
    let trace = world.place.run(&world.env(), &["call", "replay", id, "--trace"]).await.expect("identical");
    assert!(trace.contains(&format!("journal caller-turn {SATURDAY:?}")), "{trace}");
    assert!(trace.contains("carrier media") && trace.contains("speak "), "{trace}");

    let text = fixture(&world, id, &[]).await;
    for leaked in ["Priya", "Raman", "61347"] {
        assert!(!text.contains(leaked), "{leaked} is in the fixture:\n{text}");
    }
    assert!(text.contains(&format!("expect journal caller-turn {SATURDAY:?}")), "{text}");
    assert!(text.contains("expect journal tool-started order_status"), "the masked order is looked up:\n{text}");
    let kept = fixture(&world, id, &["--keep-words"]).await;
    assert!(kept.contains("Priya") && kept.contains("61347"), "{kept}");

    let raw = world.place.path().join("call.jsonl");
    let raw = raw.to_str().expect("a path");
    world.place.run(&world.env(), &["call", "fixture", id, "--raw", "--out", raw]).await.expect("the inputs");
    let said = world.place.run(&[], &["replay", raw]).await.expect("identical");
    assert!(said.contains("identical"), "{said}");
    let changed = std::fs::read_to_string(raw).expect("a text").replacen(GREETING, "Good morning.", 2);
    std::fs::write(raw, changed.replace("\"program\":\"0", "\"program\":\"old-0")).expect("written");
    let said = world.place.run(&[], &["replay", raw]).await.expect_err("it differs");
    for wanted in ["recorded  ", "replayed  ", "after ", "recorded the call, this is"] {
        assert!(said.contains(wanted), "{wanted:?} is missing: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_inputs_open_with_their_key_alone_and_where_they_were_written() {
    let world = world().await;
    let id = loopback_call(&world).await;
    let replay = ["call", "replay", id.as_str()];
    let said = world.place.run(&world.env(), &replay).await.expect("identical");
    assert!(said.contains("identical"), "{said}");
    let text = fixture(&world, &id, &[]).await;
    assert!(text.contains("caller types \"When are you open on Saturday?\""), "{text}");

    // The key is lost: the error names it, and a call taken from now on is sealed with the new one.
    let file = world.place.path().join("data/frontdesk.key");
    let lost = std::fs::read_to_string(&file).expect("a key beside the database");
    let said = world.place.run(&world.env(), &["doctor"]).await.unwrap_or_else(|said| said);
    let key_line = said.lines().find(|line| line.contains("data key")).expect("a line about the key");
    assert!(key_line.starts_with("ok") && key_line.contains("frontdesk.key") && !said.contains(lost.trim()), "{said}");
    std::fs::remove_file(&file).expect("removed");
    let mut env = world.env();
    env.push(("FRONTDESK_SECRETS_DATA_KEY".into(), "5f".repeat(32)));
    let said = world.place.run(&env, &replay).await.expect_err("no key");
    assert!(said.contains("sealed with the data key") && said.contains("secrets.data_keys_old"), "{said}");
    env.push(("FRONTDESK_SECRETS_DATA_KEYS_OLD".into(), lost.trim().into()));
    world.place.run(&env, &replay).await.expect("identical with the old key");
    env.push(("FRONTDESK_SECRETS_DATA_KEYS_OLD".into(), "short".into()));
    let said = world.place.run(&env, &replay).await.expect_err("no key at all");
    assert!(said.contains("secrets.data_keys_old: a data key is 64 hexadecimal digits"), "{said}");
    std::fs::write(&file, lost).expect("back");

    let database = database(&world.place).await;
    let swap = "UPDATE inputs SET sealed = (SELECT sealed FROM inputs WHERE seq = 5) WHERE seq = 6";
    sqlx::query(swap).execute(&database).await.expect("a tampered row");
    let said = world.place.run(&world.env(), &replay).await.expect_err("tampered");
    assert!(said.contains("line 6 of the recorded inputs does not open"), "{said}");
    sqlx::query("DELETE FROM inputs WHERE seq = 6").execute(&database).await.expect("a lost row");
    let said = world.place.run(&world.env(), &replay).await.expect_err("not whole");
    assert!(said.contains("line 7 of part 1 was never written"), "{said}");
    for secret in SECRETS {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_deleted_with_all_that_belongs_to_it_and_twice_is_once() {
    let world = world().await;
    let (first, second) = (loopback_call(&world).await, loopback_call(&world).await);
    assert_eq!(recordings(&world.place).len(), 2);
    let delete = ["call", "delete", first.as_str()];
    let said = world.place.run(&world.env(), &delete).await.expect("deleted");
    assert!(said.contains("deleted, 1 recordings"), "{said}");
    let said = world.place.run(&world.env(), &delete).await.expect("no mistake");
    assert!(said.contains("nothing to delete"), "{said}");
    let said = world.place.run(&world.env(), &["call", "replay", &first]).await.expect_err("gone");
    assert!(said.contains("there is no such call"), "{said}");
    assert_eq!(recordings(&world.place).len(), 1);
    world.place.run(&world.env(), &["call", "replay", &second]).await.expect("the other one is as it was");

    // Time passes, and what was said is kept for a day.
    let age = "UPDATE calls SET started_at_ms = 1000, ended_at_ms = 2000";
    sqlx::query(age).execute(&database(&world.place).await).await.expect("an old call");
    let mut env = world.env();
    env.push(("FRONTDESK_RETENTION_TRANSCRIPTS_DAYS".into(), "1".into()));
    let server = Server::start(&world.place, &env).await;
    let detail = poll(Duration::from_secs(10), "the end of what was kept", async || {
        let detail = server.detail(&second).await;
        detail.0["journal"].as_array().expect("a journal").is_empty().then_some(detail)
    });
    let detail = detail.await;
    assert_eq!(detail.call()["ended_at_ms"], 2000, "the row stays");
    assert!(detail.call()["recording"].is_null(), "{}", detail.call());
    // A recording that was just being brought to storage goes from there, too.
    poll(Duration::from_secs(10), "the end of the recording", async || {
        recordings(&world.place).is_empty().then_some(())
    })
    .await;
    let said = world.place.run(&env, &["call", "replay", &second]).await.expect_err("forgotten");
    assert!(said.contains("the time for which they are kept is over"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_parts_of_a_call_that_outlived_its_process_are_replayed_and_deleted() {
    let mut setting = Setting::new(&[SATURDAY], vec![Rule::on_user("open on saturday", Reply::says(OPENING))]);
    setting.webhook_retry = Duration::from_secs(30);
    let world = World::new(setting).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    server.kill().await;
    let server = world.serve().await;
    let back = person.0.until(Duration::from_secs(10), "the caller hearing the agent again", |record| {
        record.legs.len() > 1 && record.leg().is_some_and(|leg| !leg.playout.spans().is_empty())
    });
    back.await.unwrap_or_else(|why| panic!("{why}\n{}", server.log()));
    person.0.hang_up().await;
    let detail = server.ended_call(person.0.sid()).await;
    server.is_idle_again().await;
    let said = world.place.run(&world.env(), &["call", "replay", detail.id()]).await.expect("identical");
    assert!(said.contains("2 processes"), "{said}");
    assert_eq!(recordings(&world.place).len(), 2);
    let part = async |query: &str| {
        let url = server.url(&format!("/api/v1/calls/{}/recording{query}", detail.id()));
        let answer = server.http().get(url).send().await.expect("an answer");
        let parts = answer.headers().get("frontdesk-recording-parts").and_then(|parts| parts.to_str().ok());
        (answer.status().as_u16(), parts.map(str::to_owned), answer.bytes().await.expect("a body"))
    };
    let (first, last, newest) = (part("?part=1").await, part("?part=2").await, part("").await);
    assert_eq!((first.0, first.1.as_deref(), last.0), (200, Some("2"), 200));
    assert!(first.2 != last.2 && last.2 == newest.2, "the parts are told apart");
    assert_eq!((part("?part=3").await.0, part("?part=0").await.0), (404, 404));
    let said = world.place.run(&world.env(), &["call", "delete", detail.id()]).await.expect("deleted");
    assert!(said.contains("deleted, 2 recordings"), "{said}");
    assert_eq!(recordings(&world.place).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_about_past_calls_are_said() {
    let place = Place::new();
    let nobody = "0198c1c2-7d0e-7c33-b1cf-31d1e0a2b6f4";
    for (args, wanted) in [
        (&["call", "replay", nobody][..], "there is no such call"),
        (&["replay", nobody], "there is no such call"),
        (&["replay", "/nowhere/call.jsonl"], "/nowhere/call.jsonl cannot be read"),
        (&["call", "fixture", nobody], "there is no such call"),
        (&["call", "fixture", "robin"], "invalid value 'robin'"),
        (&["call", "--type", "hello", "delete", nobody], "cannot be used with"),
    ] {
        let said = place.run(&[], args).await.expect_err("a mistake");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
    let said = place.run(&[], &["call", "delete", nobody]).await.expect("nothing to delete is no mistake");
    assert!(said.contains("nothing to delete"), "{said}");
    let help = place.run(&[], &["call", "fixture", "--help"]).await.expect("help");
    assert!(help.contains("made-up") && help.contains("--keep-words") && help.contains("fixtures/scenarios"), "{help}");
}
