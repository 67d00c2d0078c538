//! The official packages of language models accept what the twins say.

use crate::conformance::run;
use serde_json::{Value, json};
use sim::twins::openai::{Dialect, Reply, Rule};
use sim::twins::{anthropic, azure_language, azure_translator, gemini, google_translate, openai};

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("where is order", Reply::calls("order_status", json!({"order": "A1 — é"}))),
        Rule::on_tool("order_status", Reply::says("Your order was {result}.")),
    ]
}

fn chat(dialect: Dialect) -> openai::Behaviour {
    let otherwise = Reply::says("Hello to you.");
    openai::Behaviour { rules: rules(), otherwise, dialect, ..openai::Behaviour::default() }
}

async fn chat_lines(script: &str, dialect: Dialect) -> Vec<Value> {
    let twin = openai::start(chat(dialect)).await.expect("a free port");
    run(script, &twin.base_url, &twin.key).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_deployments_streams_tools_and_embeds() {
    assert_eq!(
        chat_lines("azure_openai_chat.py", Dialect::Azure).await,
        [
            json!({"finish": "tool_calls", "tool": "order_status", "args": {"order": "A1 — é"}, "usage": true}),
            json!({"whole": "Hello to you."}),
            json!({"vectors": 3, "width": 64}),
            json!({"refused": "AuthenticationError", "status": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_finds_usage_inside_the_extension() {
    assert_eq!(
        chat_lines("groq_chat.py", Dialect::Groq).await,
        [
            json!({"finish": "tool_calls", "args": {"order": "A1 — é"}, "usage": true}),
            json!({"whole": "Hello to you.", "models": ["twin"]}),
            json!({"refused": "AuthenticationError", "status": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_messages_client_streams_text_and_tools_and_reads_the_cache() {
    let otherwise = Reply::says("Hello to you.");
    let behaviour = anthropic::Behaviour { rules: rules(), otherwise, ..anthropic::Behaviour::default() };
    let twin = anthropic::start(behaviour).await.expect("a free port");
    let lines = run("anthropic_messages.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"stop": "tool_use", "tool": "order_status", "args": {"order": "A1 — é"}, "written": true, "output": true}),
            json!({"text": "Your order was shipped on Monday.", "pieces": 6, "read": true, "written": 0}),
            json!({"whole": "Hello to you."}),
            json!({"refused": "key", "as": "AuthenticationError", "status": 401}),
            json!({"refused": "order", "as": "BadRequestError", "status": 400}),
            json!({"refused": "empty", "as": "BadRequestError", "status": 400}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_generation_client_streams_text_and_tools_and_embeds() {
    let otherwise = Reply::says("Hello to you.");
    let behaviour = gemini::Behaviour { rules: rules(), otherwise, ..gemini::Behaviour::default() };
    let twin = gemini::start(behaviour).await.expect("a free port");
    let lines = run("gemini_generate.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"tool": "order_status", "args": {"order": "A1 — é"}, "signed": true, "finish": "STOP", "usage": true}),
            json!({"text": "Your order was shipped on Monday.", "pieces": 6}),
            json!({"whole": "Hello to you."}),
            json!({"vectors": 2, "width": 64}),
            json!({"refused": "key", "status": 400, "word": "INVALID_ARGUMENT"}),
            json!({"refused": "signature", "status": 400, "word": "INVALID_ARGUMENT"}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_text_client_reads_sentiment_entities_and_languages_and_sees_single_failures() {
    let twin = azure_language::start().await.expect("a free port");
    assert_eq!(
        run("azure_language_read.py", &twin.base_url, &twin.key).await,
        [
            json!({"sentiment": "positive", "sentences": 1, "failed": true, "why": "InvalidDocument"}),
            json!({"masked": "Zoé said *******.", "category": "PhoneNumber", "offset": 9}),
            json!({"entities": [["Zoé", "Person"]]}),
            json!({"languages": ["es", "(Unknown)"]}),
            json!({"refused": "ClientAuthenticationError", "status": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_translation_clients_translate() {
    let twin = azure_translator::start().await.expect("a free port");
    assert_eq!(
        run("azure_translator_translate.py", &twin.base_url, &twin.key).await,
        [
            json!({"texts": ["[de] Hello", "[de] It's open."], "from": "en"}),
            json!({"refused": "ClientAuthenticationError", "status": 401}),
        ]
    );
    let twin = google_translate::start().await.expect("a free port");
    assert_eq!(
        run("google_translate_translate.py", &twin.base_url, &twin.key).await,
        [
            json!({"texts": ["[de] Hello", "[de] It's open."], "from": "en"}),
            json!({"html": "[de] It&#39;s open."}),
            json!({"languages": ["es", "en", "und"]}),
            json!({"refused": "BadRequest", "status": 400}),
        ]
    );
}
