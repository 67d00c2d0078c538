//! Whole calls over a platform that recognises and speaks by itself, by the real program.

use crate::rig::{CALLER, GOODBYE, GREETING, NUMBER, SECRETS, Server, Setting, World};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sim::twins::twilio::{Callee, TwinCall, WordsLeg};
use std::time::Duration;

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const RETURNS: &str = "You can send anything back within thirty days. The parcel must hold everything that was in it. We pay \
                       the money back within one week after it has arrived in our workshop.";
const STOP: &str = "Sorry, stop, do you repair electric bikes?";
const BIKES: &str = "Yes, we repair most electric bikes.";

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("open on saturday", Reply::says(OPENING)),
        Rule::on_user("order 48213", Reply::calls("order_status", json!({"order_id": "48213"}))),
        Rule::on_tool("order_status", Reply::says("Your order is on its way.")),
        Rule::on_user("48213", Reply::says("Thank you, I have your number.")),
        Rule::on_user("return something", Reply::says(RETURNS)),
        Rule::on_user("electric bikes", Reply::says(BIKES)),
        Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
    ]
}

async fn relaying() -> (World, Server) {
    let mut world = World::new(Setting::new(&[], rules())).await;
    world.more_env.push(("TWILIO_MODE".to_owned(), "conversation_relay".to_owned()));
    let server = world.serve().await;
    (world, server)
}

fn leg<T>(call: &TwinCall, look: impl FnOnce(&WordsLeg) -> T) -> T {
    call.record(|record| look(record.words_leg().expect("a socket of words")))
}

async fn until(call: &TwinCall, what: &str, condition: impl Fn(&WordsLeg) -> bool) {
    let waited = call.until(Duration::from_secs(15), what, |record| record.words_leg().is_some_and(&condition)).await;
    waited.unwrap_or_else(|why| panic!("{why}; {:#?}", call.record(|record| format!("{:?}", record.words))));
}

/// Waits until the voice has said this to its end.
async fn hears(call: &TwinCall, line: &str) {
    until(call, line, |leg| !leg.is_speaking && leg.heard.last().is_some_and(|(.., text)| text == line)).await;
}

/// The voice is in the middle of this line.
async fn hears_begin(call: &TwinCall, line: &str, words_min: usize) {
    until(call, line, |leg| {
        let heard = leg.heard.last().map_or("", |(.., text)| text);
        leg.is_speaking && line.starts_with(heard) && heard.split_whitespace().count() >= words_min
    })
    .await;
}

/// The caller's whole experience: nothing of what the voice said is missing in the journal, and nothing else is there.
fn heard_by_caller(call: &TwinCall) -> Vec<String> {
    leg(call, |leg| leg.heard.iter().map(|(.., text)| text.clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_asks_looks_up_interrupts_presses_keys_and_says_goodbye_in_words() {
    let (world, server) = relaying().await;
    let call = world.call_in().0;

    hears(&call, GREETING).await;
    call.say(SATURDAY).await;
    hears(&call, OPENING).await;
    call.say("Where is my order 48213?").await;
    hears(&call, "Your order is on its way.").await;
    call.say("How can I return something?").await;
    hears_begin(&call, RETURNS, 8).await;
    call.say(STOP).await;
    hears(&call, BIKES).await;
    for key in ['4', '8', '2', '1', '3', '#'] {
        call.press(key).await;
    }
    hears(&call, "Thank you, I have your number.").await;
    call.say("Thank you, goodbye.").await;
    call.finished(Duration::from_secs(15)).await.expect("the agent hangs up");

    assert_eq!(call.record(|record| record.faults.clone()), Vec::<String>::new());
    assert_eq!(leg(&call, |leg| leg.errors.clone()), Vec::<String>::new());
    let detail = server.ended_call(call.sid()).await;
    detail.assert_sound();
    let said =
        [SATURDAY, "Where is my order 48213?", "How can I return something?", STOP, "48213", "Thank you, goodbye."];
    assert_eq!(detail.texts("caller_turn", "text"), said);
    let heard = heard_by_caller(&call);
    assert_eq!(detail.heard(), heard, "the journal is what the caller heard, word for word");
    assert!(RETURNS.starts_with(&heard[3]) && heard[3].len() < RETURNS.len(), "{:?}", heard[3]);
    assert_eq!(heard.last().map(String::as_str), Some(GOODBYE));
    let complete: Vec<_> = detail.entries("agent_turn").iter().map(|turn| turn["complete"] == true).collect();
    assert_eq!(complete, [true, true, true, false, true, true, true]);
    let typed: Vec<_> = detail.entries("caller_turn").iter().map(|turn| turn["typed"] == true).collect();
    assert_eq!(typed, [false, false, false, false, true, false], "only keys are typed");
    assert_eq!(detail.entries("dtmf").len(), 6);
    assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));
    assert_eq!((&detail.call()["state"], &detail.call()["recorded"]), (&json!("completed"), &json!(false)));
    assert_eq!((&detail.call()["customer"], &detail.call()["number"]), (&json!(CALLER), &json!(NUMBER)));

    // Nobody here recognised or spoke. Lines that agents have on all calls are rendered when the server starts.
    assert_eq!(world.stt.record.count("open "), 0);
    assert!(!world.tts.record.lines().iter().any(|line| line.contains("ten to four") || line.contains("thirty days")));
    world.assert_replays(detail.id()).await;
    assert_quick(&call);
    let log = server.log();
    for secret in SECRETS.into_iter().chain(said).chain(heard.iter().map(String::as_str)).chain([CALLER]) {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
    server.is_idle_again().await;
}

/// From the platform's final words to our first.
fn assert_quick(call: &TwinCall) {
    let waits = leg(call, |leg| {
        let first = |after: u64| leg.messages.iter().map(|(at, _)| *at).find(|at| *at > after);
        leg.spoken.iter().filter_map(|to_ms| Some(first(*to_ms)? - to_ms)).collect::<Vec<_>>()
    });
    println!("from the end of the caller's words to the first of ours: {waits:?} ms");
    assert!(waits.iter().all(|ms| *ms <= 2_000), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_is_told_what_words_alone_cannot_do() {
    let (_world, server) = relaying().await;
    let (status, list) = server.get("/api/v1/carriers").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let twilio = list["items"].as_array().expect("a list").iter().find(|one| one["name"] == "twilio").expect("listed");
    let can = |what: &str| twilio["capabilities"].as_array().expect("a list").contains(&json!(what));
    assert!(can("keys_out") && can("transfer_cold") && can("hang_up"), "{twilio}");
    assert!(!can("audio") && !can("transfer_warm") && !can("marks") && !can("clear"), "{twilio}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_passes_a_caller_on_and_a_person_cannot_be_asked_first() {
    let (world, server) = relaying().await;
    let call = world.call_in().0;
    hears(&call, GREETING).await;
    let id = server.find_call(call.sid()).await.expect("it is live")["id"].as_str().expect("an id").to_owned();
    let transfer = format!("/api/v1/calls/{id}/transfer");
    let (status, problem) = server.post(&transfer, &json!({"to": "+4940555018", "mode": "warm"})).await;
    assert_eq!(
        (status, &problem["capability"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("transfer_warm")),
        "{problem}"
    );
    let (status, body) = server.post(&transfer, &json!({"to": "+4940555018"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    call.finished(Duration::from_secs(15)).await.expect("the caller is connected");
    assert_eq!(call.record(|record| record.dialled.clone()), ["+4940555018"]);
    assert_eq!(call.record(|record| record.faults.clone()), Vec::<String>::new(), "the socket was left as it is to be");
    let handed_over = leg(&call, |leg| leg.ended.clone()).flatten().expect("our side ended the session");
    let handed_over: Value = serde_json::from_str(&handed_over).expect("JSON");
    assert_eq!(handed_over, json!({"reason": "goes_on"}));
    let detail = server.ended_call(call.sid()).await;
    assert_eq!((&detail.call()["state"], &detail.call()["ended_reason"]), (&json!("completed"), &json!("transferred")));
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placed_call_is_answered_in_words_and_a_caller_who_hangs_up_leaves_nothing_running() {
    let (world, server) = relaying().await;
    world.phone.next_callees([Callee::Answers(Duration::from_millis(100))]);
    let (status, placed) = server.post("/api/v1/calls", &json!({"to": CALLER, "from": NUMBER, "agent": "robin"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    let call = world.phone.outbound_call(Duration::from_secs(5)).await.expect("the phone rings");
    hears(&call, GREETING).await;
    call.say(SATURDAY).await;
    hears_begin(&call, OPENING, 0).await;
    call.hang_up().await;
    call.finished(Duration::from_secs(5)).await.expect("it is over");
    let detail = server.ended_call(call.sid()).await;
    assert_eq!((&detail.call()["state"], &detail.call()["ended_reason"]), (&json!("completed"), &json!("hung_up")));
    let last = detail.heard().last().copied().unwrap_or_default().to_owned();
    assert!(OPENING.starts_with(&last) && last.len() < OPENING.len(), "{last:?}");
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_stalls_is_bridged_by_a_line_of_the_agents_own() {
    let (world, server) = relaying().await;
    let call = world.call_in().0;
    hears(&call, GREETING).await;
    world.llm.faults.set_times(sim::twins::Moment::Start, sim::twins::Fault::BlackHole, 1);
    let before = leg(&call, |leg| leg.heard.len());
    call.say(SATURDAY).await;
    until(&call, "a line", |leg| leg.heard.len() > before).await;
    let waited = leg(&call, |leg| leg.heard[before].0 - leg.spoken.last().expect("they spoke"));
    assert!(waited <= 2_000, "silence for {waited} ms");
    until(&call, "the answer after all", |leg| {
        let heard: Vec<&str> = leg.heard.iter().map(|(.., text)| text.as_str()).collect();
        heard.join(" ").ends_with(OPENING)
    })
    .await;
    call.hang_up().await;
    server.is_idle_again().await;
}
