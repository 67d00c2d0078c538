//! Documents that a service embeds, with the real program, the twins of two services and the models of this machine.

use crate::knowledge::{PRICE, QUESTION, ask, ask_until, hears_the_price, over, says, upload, world_with};
use crate::rig::{Server, poll};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::{Fault, Moment, gemini};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

async fn choose(server: &Server, provider: &str) -> (StatusCode, Value) {
    let url = server.url("/api/v1/knowledge/embedding");
    let answer = server.http().put(url).json(&json!({ "provider": provider })).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("json"))
}

async fn chosen(server: &Server, provider: &str) -> Value {
    let (status, view) = choose(server, provider).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    let job = over(server, &view["job"]).await;
    assert_eq!(job["state"], "done", "{job}");
    let (_, view) = server.get("/api/v1/knowledge/embedding").await;
    assert_eq!(view["provider"], provider, "{view}");
    view
}

/// How often a service was asked for the vector of a question.
fn asked(twin: &sim::twins::Twin, question: &str) -> usize {
    twin.record.lines().iter().filter(|line| line.starts_with("embed") && line.contains(question)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_a_business_chose_finds_its_answers_and_what_it_cannot_do_this_machine_does() {
    let other = gemini::start(gemini::Behaviour::default()).await.expect("a port");
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let more = vec![set("GEMINI_API_KEY", &other.key), set("GEMINI_BASE_URL", &other.base_url)];
    let (world, server) = world_with(more).await;
    let service = &world.llm;

    let (status, refused) = choose(&server, "azure_openai").await;
    let why = refused["detail"].as_str().unwrap_or_default();
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && why.contains("AZURE_OPENAI_API_KEY"), "{refused}");
    assert_eq!(choose(&server, "nobody").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    service.faults.set_times(Moment::Start, Fault::Status { status: 401, retry_after_s: None }, 1);
    assert_eq!(choose(&server, "openai").await.0, StatusCode::BAD_GATEWAY, "it was tried first");
    let (_, view) = server.get("/api/v1/knowledge/embedding").await;
    assert_eq!((&view["provider"], &view["job"]), (&json!("local"), &Value::Null), "nothing has changed");

    let view = chosen(&server, "openai").await;
    assert_eq!(view["space"], "openai/text-embedding-3-small:1536");
    let text = format!("# Tandem rental\n\n{PRICE} Bring a passport along.\n");
    over(&server, &upload(&server, "tandems.md", text.into_bytes()).await).await;
    ask_until(&server, QUESTION, |answer| says(answer, "45 euros")).await;
    assert!(asked(service, QUESTION) > 0, "the question went to the service");
    assert!(asked(service, PRICE) > 0, "and so did the document that came later");

    // A service that says nothing: the caller hears the answer, and whoever asks next does not wait for it again.
    service.faults.set(Moment::Start, Fault::BlackHole);
    let began = Instant::now();
    assert!(says(&ask(&server, QUESTION).await, "45 euros"));
    println!("answered {} ms after the service was asked in vain", began.elapsed().as_millis());
    hears_the_price(&world, &server).await;
    service.faults.clear();

    // Another service, whose vectors are narrower: what was there serves until all passages have them.
    let view = chosen(&server, "gemini").await;
    assert_eq!(view["space"], "gemini/gemini-embedding-001:768");
    ask_until(&server, QUESTION, |answer| says(answer, "45 euros") && asked(&other, QUESTION) > 0).await;
    let before = asked(service, QUESTION);
    assert!(says(&ask(&server, QUESTION).await, "45 euros"));
    assert_eq!(asked(service, QUESTION), before, "nobody asks the one that was before");

    let (status, view) = choose(&server, "local").await;
    assert_eq!((status, &view["provider"], &view["job"]), (StatusCode::OK, &json!("local"), &Value::Null), "{view}");
    poll(PATIENCE, "an answer of this machine alone", async || {
        let before = other.record.count("embed") + service.record.count("embed");
        let answer = ask(&server, QUESTION).await;
        let is_left_alone = other.record.count("embed") + service.record.count("embed") == before;
        (is_left_alone && says(&answer, "45 euros")).then_some(())
    })
    .await;
}
