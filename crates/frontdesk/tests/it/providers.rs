//! What an operator does about providers, with the real program.

use crate::rig::{LLM_KEY, Setting, TTS_KEY, World};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;

const CANARY: &str = "sk-planted-0123456789abcdef";

async fn put(server: &crate::rig::Server, path: &str, body: &Value) -> (StatusCode, Value) {
    let answer = server.http().put(server.url(path)).json(body).send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

async fn delete(server: &crate::rig::Server, path: &str) -> StatusCode {
    server.http().delete(server.url(path)).send().await.expect("an answer").status()
}

/// Whether any file of a folder holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok);
    files.map(|file| file.path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_set_while_running_is_used_at_once_sealed_and_never_given_back() {
    let world = World::new(Setting::new(&[], Vec::new())).await;
    let server = world.serve().await;
    let test = "/api/v1/providers/tts/elevenlabs/test";
    let (_, works) = server.post(test, &json!({})).await;
    assert_eq!(works["ok"], true, "{works}");
    let own = "/api/v1/credentials/business/elevenlabs";
    let (status, _) = put(&server, own, &json!({"fields": {"api_key": CANARY}})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, wrong) = server.post(test, &json!({})).await;
    assert_eq!((&wrong["ok"], &wrong["class"]), (&json!(false), &json!("auth")), "{wrong}");
    assert!(wrong["problem"].as_str().expect("a line").starts_with("the key is wrong"), "{wrong}");
    let (_, list) = server.get("/api/v1/credentials").await;
    assert_eq!(list["items"][0]["fields"]["api_key"], "…cdef");
    assert!(!list.to_string().contains("planted"), "{list}");
    assert!(!holds(world.place.path(), CANARY), "it is sealed");
    assert!(!server.log().contains(CANARY));
    put(&server, own, &json!({"fields": {"api_key": TTS_KEY}})).await;
    let (_, works) = server.post(test, &json!({})).await;
    assert_eq!(works["ok"], true, "{works}");
    assert_eq!(delete(&server, own).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(&server, own).await, StatusCode::NOT_FOUND);
    let (status, problem) = put(&server, own, &json!({"fields": {"api_kee": "x"}})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().expect("a line").contains("api_key"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_are_listed_switched_and_named_by_agents_and_nonsense_is_refused_with_what_there_is() {
    let world = World::new(Setting::new(&[], Vec::new())).await;
    let server = world.serve().await;
    let (status, list) = server.get("/api/v1/providers").await;
    assert_eq!(status, StatusCode::OK);
    let find = |list: &Value, stage: &str, name: &str| {
        let items = list["items"].as_array().expect("a list").clone();
        items.into_iter().find(|one| one["stage"] == stage && one["name"] == name).expect("it is listed")
    };
    let voice = find(&list, "tts", "elevenlabs");
    assert_eq!(
        (&voice["usable"], &voice["installed"], &voice["credential"]),
        (&json!(true), &json!(1), &json!("configuration"))
    );
    assert!(!list.to_string().contains(LLM_KEY));

    let switches = "/api/v1/providers/switches";
    let (status, problem) = put(&server, switches, &json!({"first": {"tts": "elevenlab"}})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().expect("a line").contains("elevenlabs"), "{problem}");
    let (status, set) = put(&server, switches, &json!({"off": {"tts": ["elevenlabs"]}, "flags": {"new": 10}})).await;
    assert_eq!((status, &set["version"]), (StatusCode::OK, &json!(1)), "{set}");
    let (_, list) = server.get("/api/v1/providers").await;
    assert_eq!(find(&list, "tts", "elevenlabs")["switched_off"], true);
    let (status, _) = put(&server, switches, &json!({"version": 0})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "somebody else was faster");

    let agent = "/api/v1/agents/robin/providers";
    let (status, problem) = put(&server, agent, &json!({"llm": ["opnai"]})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().expect("a line").contains("did you mean \"openai\""), "{problem}");
    let wanted = json!({"llm": [{"name": "openai", "model": "small"}], "prefer": "latency", "regions": ["on_site"]});
    let (status, set) = put(&server, agent, &wanted).await;
    assert_eq!((status, &set["version"]), (StatusCode::OK, &json!(2)), "{set}");
    let (_, read) = server.get(agent).await;
    assert_eq!(read["providers"]["llm"][0]["model"], "small");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_on_the_command_line_says_in_one_line_what_is_wrong() {
    let world = World::new(Setting::new(&[], Vec::new())).await;
    let with = |name: &str, value: &str| {
        let mut env = world.env();
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), value.to_owned()));
        env
    };
    let test = async |env: &[(String, String)], name: &str| {
        let (Ok(said) | Err(said)) = world.place.run(env, &["providers", "test", name, "--stage", "stt"]).await;
        said
    };
    let fine = test(&world.env(), "deepgram").await;
    assert!(fine.starts_with("stt deepgram: works, "), "{fine}");
    let wrong_key = test(&with("DEEPGRAM_API_KEY", CANARY), "deepgram").await;
    assert!(wrong_key.starts_with("stt deepgram: the key is wrong"), "{wrong_key}");
    assert!(!wrong_key.contains(CANARY), "{wrong_key}");
    let no_route = test(&with("DEEPGRAM_BASE_URL", "ws://127.0.0.1:1"), "deepgram").await;
    assert!(no_route.contains("cannot be reached"), "{no_route}");
    let no_key = test(&with("DEEPGRAM_API_KEY", ""), "deepgram").await;
    assert!(no_key.contains("set DEEPGRAM_API_KEY"), "{no_key}");
    let unknown = test(&world.env(), "deepgran").await;
    assert!(unknown.contains("there is no provider \"deepgran\""), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_requests_go_is_for_the_installation_to_say() {
    let world = World::new(Setting::new(&[], Vec::new())).await;
    let server = world.serve().await;
    let own = json!({"fields": {"api_key": TTS_KEY, "base_url": "http://169.254.169.254"}});
    let (status, problem) = put(&server, "/api/v1/credentials/business/elevenlabs", &own).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().expect("a line").contains("for the installation to set"), "{problem}");
    let (_, list) = server.get("/api/v1/credentials").await;
    assert_eq!(list["items"], json!([]), "nothing of it is kept");
    let own = json!({"fields": {"base_url": world.tts.base_url}});
    let (status, _) = put(&server, "/api/v1/credentials/installation/elevenlabs", &own).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_does_not_open_takes_its_provider_out_and_nothing_else() {
    let world = World::new(Setting::new(&[], Vec::new())).await;
    let server = world.serve().await;
    let path = "/api/v1/credentials/installation/elevenlabs";
    let (status, _) = put(&server, path, &json!({"fields": {"api_key": CANARY}})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    server.kill().await;
    // The key that sealed it is gone.
    std::fs::remove_file(world.place.path().join("data/frontdesk.key")).expect("a key beside the database");
    let mut env = world.env();
    env.push(("FRONTDESK_SECRETS_DATA_KEY".to_owned(), "5f".repeat(32)));
    let server = crate::rig::Server::start(&world.place, &env).await;
    let (_, list) = server.get("/api/v1/credentials").await;
    let one = &list["items"][0];
    assert!(one["damage"].as_str().expect("why").contains("data_keys_old"), "{list}");
    assert_eq!(one["fields"], json!({}));
    let (_, refused) = server.post("/api/v1/providers/tts/elevenlabs/test", &json!({})).await;
    assert!(refused["problem"].as_str().expect("a line").contains("does not open"), "{refused}");
    let (_, works) = server.post("/api/v1/providers/stt/deepgram/test", &json!({})).await;
    assert_eq!(works["ok"], true, "{works}");
    let listed = world.place.run(&env, &["providers", "credential", "list"]).await.expect("listed");
    assert!(listed.contains("does not open") && listed.contains("set it again"), "{listed}");
    let (status, _) = put(&server, path, &json!({"fields": {"api_key": TTS_KEY}})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, works) = server.post("/api/v1/providers/tts/elevenlabs/test", &json!({})).await;
    assert_eq!(works["ok"], true, "{works}");
}
