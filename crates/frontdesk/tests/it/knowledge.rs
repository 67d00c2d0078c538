//! What agents know, with the real program, its API and the models of this machine.

use crate::rig::{Detail, Server, Setting, World, poll};
use base::limits;
use egress::{Egress, EgressConfig, Policy};
use frontdesk::{caller, on_device};
use knowledge::child::Parser;
use knowledge::ingest::Source;
use local::language::LanguageModels;
use reqwest::StatusCode;
use runtime::documents::{Documents, Web};
use runtime::on_device::{LocalBrain, StoredMinds, model_slots};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;
use store::objects::{ObjectPlace, Objects};

pub const QUESTION: &str = "How much does it cost to rent a tandem?";
pub const PRICE: &str = "A tandem costs 45 euros a day.";
/// A machine that builds something else at the same time is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the demonstration business that answers with the models of this machine and nothing else.
pub async fn world() -> (World, Server) {
    world_with(Vec::new()).await
}

/// The same with more in its environment.
pub async fn world_with(more_env: Vec<(String, String)>) -> (World, Server) {
    let mut world = World::new(Setting::new(&[], Vec::new())).await;
    let models = on_device::model_dir("").expect("a folder").path().to_owned();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    world.more_env = vec![
        set("FRONTDESK_MODELS_DIR", &models.to_string_lossy()),
        set("FRONTDESK_STT_PROVIDER", "local"),
        set("FRONTDESK_TTS_PROVIDER", "local"),
        set("FRONTDESK_BRAIN_PROVIDER", "local"),
    ];
    world.more_env.extend(more_env);
    let server = world.serve().await;
    (world, server)
}

fn bad(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/knowledge/bad").join(name)
}

/// Gives a file and answers its job.
pub async fn upload(server: &Server, name: &str, bytes: Vec<u8>) -> Value {
    let url = server.url(&format!("/api/v1/knowledge/documents?name={name}"));
    let answer = server.http().post(url).header("content-type", "application/octet-stream").body(bytes).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{name}");
    answer.json().await.expect("a job")
}

/// Waits for a job and answers it as it ended.
pub async fn over(server: &Server, job: &Value) -> Value {
    let path = format!("/api/v1/knowledge/jobs/{}", job["id"].as_str().expect("an id"));
    poll(PATIENCE, "the end of the job", async || {
        let (status, job) = server.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        job["finished_at_ms"].is_i64().then_some(job)
    })
    .await
}

pub async fn ask(server: &Server, question: &str) -> Value {
    let (status, answer) = server.post("/api/v1/knowledge/query", &json!({ "question": question })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// Asks until what was taken in serves, which takes two seconds at most.
pub async fn ask_until(server: &Server, question: &str, fits: impl Fn(&Value) -> bool) -> Value {
    poll(PATIENCE, question, async || {
        let answer = ask(server, question).await;
        fits(&answer).then_some(answer)
    })
    .await
}

pub fn says(answer: &Value, words: &str) -> bool {
    answer["said"]["quote"].as_str().is_some_and(|quote| quote.contains(words))
}

/// A call in which a person asks for the price aloud and hears it.
pub async fn hears_the_price(world: &World, server: &Server) -> Detail {
    let dir = on_device::model_dir("").expect("a folder");
    let words = local::speech::Synthesizer::load(&dir).expect("a voice").synthesize(QUESTION).expect("speech");
    let words = caller::for_the_line(&words.pcm, words.sample_rate_hz);
    let person = world.call_in();
    person.hears_greeting().await;
    let to_ms = person.now_ms() + words.len() as u64 / 8;
    person.0.speak(words).await;
    person.hears_out(to_ms, PATIENCE, QUESTION).await;
    person.0.hang_up().await;
    let detail = server.ended_call(person.0.sid()).await;
    let heard = detail.heard().join(" ");
    assert!(heard.contains(PRICE), "{heard}; understood {:?}", detail.texts("caller_turn", "text"));
    detail
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_what_a_document_says_that_was_uploaded_half_a_minute_before() {
    let (world, server) = world().await;
    assert!(!says(&ask(&server, QUESTION).await, "45 euros"));
    let before = Instant::now();
    let text = format!("# Tandem rental\n\n{PRICE} Bring a passport along.\n");
    let job = over(&server, &upload(&server, "tandems.md", text.into_bytes()).await).await;
    assert_eq!((&job["state"], &job["documents"][0]["state"]), (&json!("done"), &json!("ready")), "{job}");
    let answer = ask_until(&server, QUESTION, |answer| says(answer, "45 euros")).await;
    println!("answered {} ms after the upload began", before.elapsed().as_millis());
    assert_eq!((&answer["decision"], &answer["said"]["heading"]), (&json!("answer"), &json!("Tandem rental")));

    let detail = hears_the_price(&world, &server).await;
    let cited = detail.entries("agent_turn").iter().any(|turn| turn["citations"].to_string().contains("Tandem rental"));
    assert!(cited, "the answer says where it stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_are_refused_with_a_reason_each_and_stop_nothing() {
    let (_world, server) = world().await;
    let expected = [
        ("bomb.docx", "archive_bomb"),
        ("locked.pdf", "encrypted"),
        ("cut.pdf", "broken"),
        ("scan.pdf", "empty"),
        ("empty.txt", "empty"),
        ("picture.pdf", "broken"),
        ("program.docx", "unsupported_type"),
    ];
    let mut body = Vec::new();
    for (name, _) in expected {
        part(&mut body, name, &std::fs::read(bad(name)).expect("a fixture"));
    }
    part(&mut body, "scripts.html", &std::fs::read(bad("scripts.html")).expect("a fixture"));
    body.extend_from_slice(b"--limit--\r\n");
    let url = server.url("/api/v1/knowledge/documents");
    let request = server.http().post(url).header("content-type", "multipart/form-data; boundary=limit");
    let answer = request.body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let job = over(&server, &answer.json().await.expect("a job")).await;
    assert_eq!(job["state"], "done", "{job}");
    let documents = job["documents"].as_array().expect("documents");
    for ((name, code), document) in expected.iter().zip(documents) {
        assert_eq!(
            (document["state"].as_str(), document["error_code"].as_str()),
            (Some("failed"), Some(*code)),
            "{name}"
        );
        assert!(document["error"].as_str().is_some_and(|why| !why.is_empty()), "{name}");
    }
    assert_eq!(documents.last().expect("the good one")["state"], "ready", "{job}");
    let (_, chunks) = server.get("/api/v1/knowledge/documents/scripts-html/chunks").await;
    let text = chunks["items"].to_string();
    assert!(text.contains("45 euros") && !text.contains("evil") && !text.contains("cancel_order"), "{text}");

    let huge = vec![b'a'; limits::KNOWLEDGE_FILE_BYTES_MAX + 1];
    let url = server.url("/api/v1/knowledge/documents?name=huge.txt");
    let refused = server.http().post(url).body(huge).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for url in ["http://127.0.0.1/", "http://10.0.0.1/help", "http://169.254.169.254/latest", "file:///etc/passwd"] {
        let (status, problem) = server.post("/api/v1/knowledge/sites", &json!({ "url": url })).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")),
            "{url}: {problem}"
        );
    }
    assert!(!server.log().contains("45 euros"), "what documents say is in no log");
}

fn part(body: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let head = format!("--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_are_asked_deleted_and_evaluated() {
    let (_world, server) = world().await;
    let pairs = json!({ "name": "Rental", "pairs": [
        { "question": "How much is a tandem?", "answer": PRICE },
        { "question": "Do you rent out cargo bikes?", "answer": "Yes, for 60 euros a day." },
    ] });
    let (status, job) = server.post("/api/v1/knowledge/pairs", &pairs).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    let job = over(&server, &job).await;
    assert_eq!(job["documents"][0]["kind"], "pairs", "{job}");
    ask_until(&server, QUESTION, |answer| says(answer, "45 euros")).await;

    let (status, made) = server.post("/api/v1/knowledge/questions/generate", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let typed = json!({ "questions": [{ "question": "who founded the company" }] });
    let (status, _) = server.post("/api/v1/knowledge/questions", &typed).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, job) = server.post("/api/v1/knowledge/evaluations", &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    let job = over(&server, &job).await;
    let id = job["evaluation"].as_str().expect("a report").to_owned();
    let (_, report) = server.get(&format!("/api/v1/knowledge/evaluations/{id}")).await;
    assert_eq!((&report["answerable"], &report["ranked_first"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!((&report["unanswerable"], &report["false_statements"]), (&json!(1), &json!(0)), "{report}");

    let url = server.url("/api/v1/knowledge/documents/rental");
    let gone = server.http().delete(&url).send().await.expect("an answer");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    ask_until(&server, QUESTION, |answer| !says(answer, "45 euros")).await;
    assert_eq!(server.get("/api/v1/knowledge/documents/rental").await.0, StatusCode::NOT_FOUND);
}

/// Documents of a store with the models of this machine, without a server.
fn documents(store: &Arc<dyn Store>) -> (Documents, StoredMinds) {
    let dir = on_device::model_dir("").expect("a folder");
    let models = LanguageModels::load(&dir);
    let minds = StoredMinds::new(
        Arc::clone(store),
        Arc::new(models.expect("models are here: run `cargo xtask models`")),
        Parser::of_this_program().expect("a program"),
    );
    let brain = Arc::new(LocalBrain::new(model_slots()));
    brain.load_from(Arc::new(minds.clone()));
    let objects = Objects::open(&ObjectPlace::Memory, store.keyring().clone()).expect("storage");
    let web = Web::new(Arc::new(Egress::new(EgressConfig::new(Policy::Tenant))));
    (Documents::new(Arc::clone(store), objects, minds.clone(), brain, web), minds)
}

async fn same_question_different_answers((store, _guard): (Arc<dyn Store>, testkit::stores::Guard)) {
    let (documents, minds) = documents(&store);
    let mut all = Vec::new();
    for (slug, number, hours) in [("ours", "+49405550170", "nine"), ("theirs", "+49405550171", "noon")] {
        let scope = store::laws::tenant(store.as_ref(), slug, number).await.scope;
        let text = format!("## Opening hours\n\nWe open at {hours} every day.\n");
        let source = Source { slug: "hours", title: Some("Hours"), source: "hours.md", bytes: text.as_bytes() };
        minds.ingest().add_own_text(&scope, &source, 1).await.expect("taken in");
        all.push((scope, hours));
    }
    for _ in 0..2 {
        for (scope, hours) in &all {
            let found = documents.query(scope, "when do you open".into()).await.expect("an answer");
            assert_eq!((found.decision, found.passages), ("answer", 1));
            assert!(found.said.expect("words").quote.contains(hours), "{slug} hears of others", slug = hours);
        }
    }
    assert!(store.delete_knowledge(&all[0].0, "hours").await.expect("answered"));
    poll(PATIENCE, "the deletion in the index", async || {
        let found = documents.query(&all[0].0, "when do you open".into()).await.expect("an answer");
        assert!(!format!("{found:?}").contains("noon"));
        (found.passages == 0).then_some(())
    })
    .await;
    let theirs = documents.query(&all[1].0, "when do you open".into()).await.expect("an answer");
    assert!(theirs.said.expect("words").quote.contains("noon"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_businesses_answer_the_same_question_each_from_its_own_documents() {
    same_question_different_answers(testkit::stores::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_businesses_in_one_postgresql_answer_each_from_its_own_documents() {
    same_question_different_answers(testkit::stores::on_postgres().await).await;
}

/// What customers say who want one of three things.
const SAID: [(&str, [&str; 6]); 3] = [
    (
        "rent",
        [
            "I would like to rent a bike",
            "can I hire a bicycle for the weekend",
            "do you lend out e-bikes",
            "how do I rent a tandem",
            "renting a cargo bike for two days",
            "I need a rental bike tomorrow",
        ],
    ),
    (
        "repair",
        [
            "my brakes are broken",
            "can you fix a flat tyre",
            "I need a repair for my chain",
            "my bike makes a strange noise",
            "please mend my gear shift",
            "the wheel is bent",
        ],
    ),
    (
        "hours",
        [
            "when do you open",
            "are you open on Sunday",
            "what are your opening hours",
            "until when is the shop open today",
            "do you close at noon",
            "at what time do you open on Monday",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_learns_what_customers_want_from_a_few_examples_and_goes_back_a_version() {
    let (_world, server) = world().await;
    let (_, agents) = server.get("/api/v1/agents").await;
    let agent = format!("/api/v1/agents/{}", agents["items"][0]["slug"].as_str().expect("an agent"));
    let intents: Vec<Value> =
        SAID.iter().map(|(name, examples)| json!({ "name": name, "examples": examples })).collect();
    let order = json!({ "name": "order", "pattern": r"\bBC-\d{4}\b" });
    let bike = json!({ "name": "bike", "values": [{ "value": "e-bike", "synonyms": ["electric bike"] }] });
    let lesson = json!({ "intents": intents, "entities": [order, bike] });
    let put = server.http().put(server.url(&format!("{agent}/training"))).json(&lesson).send().await;
    assert_eq!(put.expect("an answer").status(), StatusCode::OK);
    for version in 1..=2 {
        let (status, job) = server.post(&format!("{agent}/train"), &json!({})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        assert_eq!(over(&server, &job).await["state"], "done");
        let (_, versions) = server.get(&format!("{agent}/training/versions")).await;
        assert_eq!(versions["items"][0]["version"], version, "{versions}");
    }
    let (_, versions) = server.get(&format!("{agent}/training/versions")).await;
    let right = versions["items"][0]["right"].as_u64().expect("a count");
    assert!(right >= 15, "{right} of 18: {versions}");

    let classify = async |text: &str| {
        let (status, said) = server.post(&format!("{agent}/classify"), &json!({ "text": text })).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        said
    };
    let said = classify("could I rent an electric bike for order BC-1001").await;
    assert_eq!((&said["intent"], &said["version"]), (&json!("rent"), &json!(2)), "{said}");
    let named: Vec<_> = said["entities"].as_array().expect("a list").iter().map(|one| one["value"].clone()).collect();
    assert_eq!(named, [json!("e-bike"), json!("BC-1001")]);
    assert_eq!(classify("what is the capital of France").await["intent"], Value::Null);

    let back = server.post(&format!("{agent}/training/rollback"), &json!({ "version": 1 })).await;
    assert_eq!(back.0, StatusCode::NO_CONTENT);
    assert_eq!(classify("my tyre is flat, can you fix it").await["version"], 1);
    let broken = json!({ "entities": [{ "name": "x", "pattern": "(" }] });
    let refused = server.http().put(server.url(&format!("{agent}/training"))).json(&broken).send().await;
    assert_eq!(refused.expect("an answer").status(), StatusCode::UNPROCESSABLE_ENTITY);
}
