//! Whole calls over the phone platform with other vendors than the usual ones, by the real program: over gRPC, over signed
//! sockets and requests, with a recogniser of whole utterances; and what a month's budget does to them.

use crate::rig::{Detail, GOODBYE, GREETING, Person, Server, Setting, World, poll};
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sim::twins::recogniser;
use sim::twins::transcription::{self, Dialect};
use sim::twins::{aws, azure_language, google};
use std::time::Duration;

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const BYE: &str = "Thank you, goodbye.";

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("open on saturday", Reply::says(OPENING)),
        Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
    ]
}

/// The environment of the world, with some of it different.
fn with(world: &World, changed: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut env = world.env();
    env.retain(|(known, _)| !changed.iter().any(|(name, _)| name == known));
    env.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env
}

/// The caller asks, hears the answer and says goodbye.
async fn converse(world: &World, server: &Server) -> Detail {
    let person = world.call_in();
    person.hears_greeting().await;
    let answer = person.asks(SATURDAY).await;
    assert!(answer.waited_ms <= 3_000, "silence for {} ms", answer.waited_ms);
    person.says(BYE).await;
    person.0.finished(Duration::from_secs(20)).await.expect("the agent hangs up");
    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    detail
}

fn cost(detail: &Detail, stage: &str, provider: &str) -> i64 {
    let costs = detail.0["costs"].as_array().expect("a list");
    let line = costs.iter().find(|line| line["stage"] == stage && line["provider"] == provider);
    line.and_then(|line| line["cost_usd_micros"].as_i64()).unwrap_or_default()
}

/// A vendor that hears and speaks serves a whole call, is paid for, and nothing is left running.
async fn serves_a_call(world: World, vendor: &str, server: Server) {
    let detail = converse(&world, &server).await;
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY, BYE], "{vendor}");
    assert_eq!(detail.heard(), [GREETING, OPENING, GOODBYE], "{vendor}");
    assert!(detail.entries("fault").is_empty(), "{vendor}: {:#?}", detail.entries("fault"));
    for stage in ["stt", "tts"] {
        assert!(cost(&detail, stage, vendor) > 0, "{vendor} {stage}: {}", detail.0["costs"]);
        let errors = server.metric("frontdesk_provider_errors_total", &[("stage", stage), ("provider", vendor)]).await;
        assert_eq!(errors, 0.0, "{vendor} {stage}");
    }
    let own = detail.entries("routed").into_iter().filter(|one| one["stage"] != "llm");
    assert!(own.into_iter().all(|one| one["provider"] == vendor), "{:#?}", detail.entries("routed"));
    world.assert_replays(detail.id()).await;
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_call_is_heard_and_spoken_over_grpc() {
    let world = World::new(Setting::new(&[], rules())).await;
    let script = [SATURDAY, BYE].map(str::to_owned).to_vec();
    let twin = google::Twin::start(google::Behaviour { script, ..google::Behaviour::default() }).await.expect("a twin");
    let table = "[providers.google]\nproject = \"p\"\n";
    std::fs::write(world.place.path().join("frontdesk.toml"), table).expect("written");
    let env = with(
        &world,
        &[
            ("FRONTDESK_STT_PROVIDER", "google"),
            ("FRONTDESK_TTS_PROVIDER", "google"),
            ("GOOGLE_CLOUD_API_KEY", &twin.key),
            ("GOOGLE_SPEECH_BASE_URL", &twin.base_url),
            ("GOOGLE_TTS_BASE_URL", &twin.base_url),
        ],
    );
    let server = Server::start(&world.place, &env).await;
    serves_a_call(world, "google", server).await;
    assert!(twin.record.count("call /google.cloud.texttospeech.v1") > 0, "{:?}", twin.record.lines());
    assert!(!twin.record.lines().join("\n").contains(&twin.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_call_is_heard_over_a_signed_socket_and_spoken_over_signed_requests() {
    let world = World::new(Setting::new(&[], rules())).await;
    let script = [SATURDAY, BYE].map(str::to_owned).to_vec();
    let twin = aws::start(aws::Behaviour { script, ..aws::Behaviour::default() }).await.expect("a twin");
    let table = format!("[providers.aws]\naccess_key_id = \"{}\"\nregion = \"eu-central-1\"\n", aws::ACCESS_KEY_ID);
    std::fs::write(world.place.path().join("frontdesk.toml"), table).expect("written");
    let env = with(
        &world,
        &[
            ("FRONTDESK_STT_PROVIDER", "aws"),
            ("FRONTDESK_TTS_PROVIDER", "aws"),
            ("AWS_SECRET_ACCESS_KEY", &twin.key),
            ("AWS_TRANSCRIBE_BASE_URL", &twin.base_url),
            ("AWS_POLLY_BASE_URL", &twin.base_url),
        ],
    );
    let server = Server::start(&world.place, &env).await;
    serves_a_call(world, "aws", server).await;
    assert!(twin.record.count("request") > 0 && twin.record.count("open") > 0, "{:?}", twin.record.lines());
    assert!(!twin.record.lines().join("\n").contains(&twin.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_that_begins_to_read_when_all_is_said_is_not_doubted_turn_by_turn() {
    let world = World::new(Setting::new(&["Somebody else heard this."], rules())).await;
    // Slower than a stream may be, and not slow for one of its kind.
    let behaviour = recogniser::Behaviour { final_ms: 700, ..recogniser::Behaviour::script([SATURDAY, BYE]) };
    let twin = transcription::start(Dialect::Groq, behaviour).await.expect("a twin");
    let env = with(
        &world,
        &[
            ("FRONTDESK_STT_PROVIDER", "groq"),
            ("FRONTDESK_STT_FALLBACK", "deepgram"),
            ("GROQ_API_KEY", &twin.key),
            ("GROQ_BASE_URL", &twin.base_url),
        ],
    );
    let server = Server::start(&world.place, &env).await;
    let detail = converse(&world, &server).await;
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY, BYE]);
    for reason in ["no_final", "late", "silent"] {
        let labels = [("stage", "stt"), ("reason", reason)];
        assert_eq!(server.metric("frontdesk_failovers_total", &labels).await, 0.0, "{reason}");
    }
    assert_eq!(world.stt.record.count("open "), 0, "nobody else was asked");
}

/// 400 characters: with the list price of the voice more than a cent.
fn long_answer() -> String {
    "We are open all week long, and you are welcome at any time. ".repeat(7).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_months_budget_ends_in_a_promise_and_the_next_process_knows_what_was_spent() {
    let rules = vec![Rule::on_user("open on saturday", Reply::says(long_answer())), rules().remove(1)];
    let world = World::new(Setting::new(&[SATURDAY, SATURDAY, SATURDAY], rules)).await;
    let env = with(&world, &[("FRONTDESK_BUDGET_MONTH_CENTS", "3")]);
    let server = Server::start(&world.place, &env).await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.asks(SATURDAY).await;
    person.says(SATURDAY).await;
    person.0.finished(Duration::from_secs(30)).await.expect("the agent ends the call");
    let detail = server.ended_call(person.0.sid()).await;
    assert_month_is_spent(&detail);
    assert_eq!(detail.heard().iter().filter(|said| said.starts_with("We are open")).count(), 1, "{:?}", detail.heard());
    let steps = server.metric("frontdesk_savings_total", &[("budget", "month"), ("step", "free_only")]).await;
    assert_eq!(steps, 1.0);
    server.kill().await;

    let server = Server::start(&world.place, &env).await;
    let llm_before = world.llm.record.lines().len();
    let person = world.call_in();
    person.0.finished(Duration::from_secs(30)).await.expect("the agent ends the call");
    let detail = server.ended_call(person.0.sid()).await;
    assert_month_is_spent(&detail);
    assert_eq!(world.llm.record.lines().len(), llm_before, "the brain was not asked");
}

fn assert_month_is_spent(detail: &Detail) {
    assert_eq!(detail.call()["ended_reason"], "budget", "{}", detail.call());
    let steps: Vec<(&Value, &Value)> =
        detail.entries("saving").into_iter().map(|one| (&one["step"], &one["budget"])).collect();
    assert_eq!(steps.last(), Some(&(&json!("free_only"), &json!("month"))), "{steps:?}");
    let last = *detail.heard().last().expect("it says something");
    assert!(last.ends_with(GOODBYE), "{:?}", detail.heard());
}

/// The reading of a call, once it is there.
async fn reading(server: &Server, id: &str) -> Value {
    poll(Duration::from_secs(10), "the reading of the call", async || {
        let detail = server.detail(id).await;
        (!detail.0["reading"].is_null()).then(|| detail.0["reading"].clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_over_is_read_and_one_that_nobody_can_read_is_over_all_the_same() {
    const COMPLAINT: &str = "Where is it? My bike broke, says Anna.";
    let rules = vec![Rule::on_user("broke", Reply::says("I am sorry to hear that.")), rules().remove(1)];
    let world = World::new(Setting::new(&[COMPLAINT, BYE, COMPLAINT, BYE], rules)).await;
    let twin = azure_language::start().await.expect("a twin");
    let env = with(
        &world,
        &[
            ("FRONTDESK_TEXT_PROVIDER", "azure_language"),
            ("AZURE_LANGUAGE_API_KEY", &twin.key),
            ("AZURE_LANGUAGE_ENDPOINT", &twin.base_url),
        ],
    );
    let server = Server::start(&world.place, &env).await;
    let talk = async || {
        let person: Person = world.call_in();
        person.hears_greeting().await;
        person.asks(COMPLAINT).await;
        person.says(BYE).await;
        person.0.finished(Duration::from_secs(20)).await.expect("the agent hangs up");
        server.ended_call(person.0.sid()).await
    };
    let detail = talk().await;
    let read = reading(&server, detail.id()).await;
    assert_eq!((&read["language"], &read["sentiment"]), (&json!("en"), &json!("negative")), "{read}");
    assert!(read["entities"].as_array().expect("a list").iter().any(|one| one["text"] == "Anna"), "{read}");
    assert_eq!(read["by"]["sentiment"], "azure_language", "{read}");
    let detail = server.detail(detail.id()).await;
    assert!(cost(&detail, "text", "azure_language") > 0, "{}", detail.0["costs"]);
    let shown = world.place.run(&env, &["call", "show", detail.id()]).await.expect("shown");
    assert!(shown.contains("sentiment negative (azure_language)") && shown.contains("person"), "{shown}");
    assert!(!shown.contains("Anna") && !server.log().contains("Anna"), "names are nobody's business: {shown}");

    twin.faults.set(sim::twins::Moment::Start, sim::twins::Fault::Status { status: 503, retry_after_s: None });
    let detail = talk().await;
    assert_eq!(detail.call()["state"], "completed");
    poll(Duration::from_secs(10), "the end of reading", async || {
        let given_up = server.metric("frontdesk_readings_total", &[("outcome", "nobody")]).await;
        (given_up == 1.0).then_some(())
    })
    .await;
    assert_eq!(server.detail(detail.id()).await.0["reading"], Value::Null);

    let text = async |args: &[&str]| world.place.run(&env, args).await;
    let failed = text(&["text", "analyse", "My bike broke."]).await.expect_err("the service is down");
    assert!(failed.contains("sentiment: "), "{failed}");
    twin.faults.clear();
    let said = text(&["text", "analyse", "My bike broke, says Anna."]).await.expect("it is up");
    assert!(said.contains("sentiment     negative") && said.contains("person \"Anna\""), "{said}");
    let refused = text(&["text", "translate", "--to", "de", "Hello"]).await.expect_err("nobody translates");
    assert!(refused.contains("no service is configured that can do this"), "{refused}");
}
