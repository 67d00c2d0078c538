//! Every codec of a language model against the twin of its service, over real sockets, in good times and bad.

use crate::provider_twins::{ask, options, post, text};
use base::{ErrorClass, Millis};
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest};
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use providers::ProviderOptions;
use providers::answer::refusal;
use providers::llm::LlmProtocol;
use serde_json::json;
use sim::twins::openai::{Dialect, Reply, Rule};
use sim::twins::{Fault, Faults, Moment, Record, anthropic, gemini, openai};

/// A running twin of whichever service.
struct Service {
    name: &'static str,
    base_url: String,
    key: String,
    faults: Faults,
    record: Record,
    _twin: Box<dyn Send>,
}

const CHATS: [(&str, Dialect); 6] = [
    ("openai", Dialect::Plain),
    ("azure_openai", Dialect::Azure),
    ("groq", Dialect::Groq),
    ("vllm", Dialect::Local),
    ("ollama", Dialect::Local),
    ("llama_cpp", Dialect::Local),
];

/// A twin of every service that the registry lists.
async fn services() -> Vec<Service> {
    let rules = vec![
        Rule::on_user("order", Reply::calls("order_status", json!({"order": "A1 — é"}))),
        Rule::on_tool("order_status", Reply::says("It was {result}.")),
    ];
    let mut all = Vec::new();
    macro_rules! add {
        ($name:expr, $twin:expr) => {{
            let twin = $twin.await.expect("a free port");
            all.push(Service {
                name: $name,
                base_url: twin.base_url.clone(),
                key: twin.key.clone(),
                faults: twin.faults.clone(),
                record: twin.record.clone(),
                _twin: Box::new(twin),
            });
        }};
    }
    for (name, dialect) in CHATS {
        let rules = rules.clone();
        let behaviour = openai::Behaviour { rules, dialect, first_token_ms: 1, token_gap_ms: 1, ..Default::default() };
        add!(name, openai::start(behaviour));
    }
    let behaviour =
        anthropic::Behaviour { rules: rules.clone(), first_token_ms: 1, token_gap_ms: 1, ..Default::default() };
    add!("anthropic", anthropic::start(behaviour));
    let behaviour = gemini::Behaviour { rules, first_token_ms: 1, token_gap_ms: 1, ..Default::default() };
    add!("gemini", gemini::start(behaviour));
    all
}

impl Service {
    fn codec(&self) -> Box<dyn LlmProtocol> {
        let options = options(&self.base_url, &self.key);
        providers::llm::PROVIDERS.open(self.name, &options).expect("usable").protocol()
    }

    async fn generate(&self, request: &GenerationRequest) -> Vec<GenerationEvent> {
        let mut codec = self.codec();
        let mut response = post(&codec.request(request)).await;
        assert_eq!(response.status(), 200, "{}: {:?}", self.name, response.text().await);
        let mut events = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await {
            codec.on_bytes(&bytes, &mut events);
        }
        codec.on_end(&mut events);
        events
    }
}

fn order_status() -> ToolSpec {
    ToolSpec {
        name: "order_status".to_owned(),
        description: "Looks an order up.".to_owned(),
        parameters: vec![Parameter {
            name: "order".to_owned(),
            description: "Order number.".to_owned(),
            kind: ParameterKind::Text,
            required: true,
            ask: None,
        }],
        action: ToolAction::SearchKnowledge,
        changes_state: false,
        confirm: None,
        say_done: None,
        examples: Vec::new(),
        must_hold: Vec::new(),
    }
}

/// As a call begins: instructions, the agent's greeting, then the customer.
fn call_request(words: &str) -> GenerationRequest {
    let mut request = ask(words);
    request.messages.insert(0, ChatMessage::System { text: "You answer for a shop.".to_owned() });
    request.messages.insert(1, ChatMessage::Agent { text: "Hello, how can I help?".to_owned() });
    request.tools.push(order_status());
    request
}

#[tokio::test]
async fn every_listed_model_has_a_twin() {
    let mut twins: Vec<&str> = services().await.iter().map(|service| service.name).collect();
    let mut listed: Vec<&str> = providers::llm::PROVIDERS.descriptors().map(|descriptor| descriptor.name).collect();
    twins.sort_unstable();
    listed.sort_unstable();
    assert_eq!(twins, listed);
}

#[tokio::test]
async fn every_model_asks_for_a_tool_and_speaks_of_its_result() {
    for service in services().await {
        let name = service.name;
        let mut request = call_request("Where is my ORDER?");
        let events = service.generate(&request).await;
        assert_eq!(events.first(), Some(&GenerationEvent::Started), "{name}");
        let Some(GenerationEvent::ToolCall { id, name: tool, args }) = events.get(1) else {
            panic!("{name}: {events:?}")
        };
        assert_eq!((tool.as_str(), args), ("order_status", &json!({"order": "A1 — é"})), "{name}");
        let done = GenerationEvent::Done { finish: Finish::ToolCalls };
        assert_eq!(events.last(), Some(&done), "{name}");
        let (id, tool, args) = (id.clone(), tool.clone(), args.clone());
        request.messages.push(ChatMessage::ToolCall { id: id.clone(), name: tool.clone(), args });
        request.messages.push(ChatMessage::ToolResult { id, name: tool, text: "shipped".to_owned() });
        let events = service.generate(&request).await;
        assert_eq!(text(&events), "It was shipped.", "{name}");
        let used =
            matches!(events[events.len() - 2], GenerationEvent::Usage(usage) if usage.output > 0 && usage.input > 0);
        assert!(used, "{name}: {events:?}");
        assert!(!service.record.lines().join("\n").contains(&service.key), "{name}: the record holds no key");
    }
}

#[tokio::test]
async fn every_model_goes_on_where_another_voice_broke_off() {
    for service in services().await {
        let mut request = call_request("Tell me about boats.");
        request.messages.push(ChatMessage::Agent { text: "Boats are".to_owned() });
        assert_eq!(text(&service.generate(&request).await), "I can help with that.", "{}", service.name);
    }
}

#[tokio::test]
async fn every_model_that_breaks_in_the_middle_fails_and_what_came_before_stays() {
    for service in services().await {
        for (fault, class) in [
            (Fault::Cut, ErrorClass::Protocol),
            (Fault::Garbage, ErrorClass::Protocol),
            (Fault::Status { status: 503, retry_after_s: None }, ErrorClass::Unavailable),
        ] {
            service.faults.set_times(Moment::MidTurn, fault.clone(), 1);
            let mut codec = service.codec();
            let mut response = post(&codec.request(&ask("Hello"))).await;
            let mut events = Vec::new();
            while !matches!(events.last(), Some(GenerationEvent::Failed(_))) {
                match response.chunk().await {
                    Ok(Some(bytes)) => codec.on_bytes(&bytes, &mut events),
                    Ok(None) | Err(_) => codec.on_end(&mut events),
                }
            }
            assert!(text(&events).starts_with("I "), "{} {fault:?} {events:?}", service.name);
            let failed = matches!(events.last(), Some(GenerationEvent::Failed(failure)) if failure.class == class);
            assert!(failed, "{} {fault:?} {events:?}", service.name);
        }
        assert_eq!(text(&service.generate(&ask("Hello")).await), "I can help with that.", "{}", service.name);
    }
}

#[tokio::test]
async fn every_model_that_refuses_says_why_and_when_to_come_back() {
    for service in services().await {
        let table = [
            (Fault::Status { status: 429, retry_after_s: Some(3) }, ErrorClass::RateLimited, Some(Millis(3_000))),
            (Fault::Status { status: 401, retry_after_s: None }, ErrorClass::Auth, None),
            (Fault::Status { status: 500, retry_after_s: None }, ErrorClass::Unavailable, None),
        ];
        for (fault, class, pause) in table {
            service.faults.set_times(Moment::Start, fault.clone(), 1);
            let mut codec = service.codec();
            let response = post(&codec.request(&ask("Hello"))).await;
            let status = response.status().as_u16();
            let headers: Vec<(String, String)> = response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect();
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let body = response.text().await.expect("a body");
            let failed = refusal(service.name, codec.classify(status, &body), status, headers, &body);
            assert_eq!((failed.class, failed.retry_after), (class, pause), "{} {fault:?}", service.name);
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_apart_even_where_it_is_called_an_invalid_argument() {
    for service in services().await.iter().filter(|service| !["vllm", "ollama", "llama_cpp"].contains(&service.name)) {
        let wrong = options(&service.base_url, "wrong");
        let mut codec = providers::llm::PROVIDERS.open(service.name, &wrong).expect("usable").protocol();
        let response = post(&codec.request(&ask("Hello"))).await;
        let status = response.status().as_u16();
        let body = response.text().await.expect("a body");
        assert_eq!(codec.classify(status, &body), ErrorClass::Auth, "{}", service.name);
    }
}

#[tokio::test]
async fn a_server_on_this_machine_needs_no_key() {
    for service in services().await.iter().filter(|service| ["vllm", "ollama", "llama_cpp"].contains(&service.name)) {
        let options = ProviderOptions { base_url: Some(service.base_url.clone()), ..ProviderOptions::default() };
        let mut codec = providers::llm::PROVIDERS.open(service.name, &options).expect("no key").protocol();
        let request = codec.request(&ask("Hello"));
        assert!(request.headers.iter().all(|header| header.name != "authorization"), "{}", service.name);
        assert_eq!(post(&request).await.status(), 200, "{}", service.name);
    }
}

#[tokio::test]
async fn instructions_are_read_from_the_cache_from_the_second_turn_on() {
    let twin = anthropic::start(anthropic::Behaviour::default()).await.expect("a free port");
    let mut cached = Vec::new();
    for words in ["Hello", "And now?"] {
        let options = options(&twin.base_url, &twin.key);
        let mut codec = providers::llm::PROVIDERS.open("anthropic", &options).expect("usable").protocol();
        let mut response = post(&codec.request(&call_request(words))).await;
        let mut events = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await {
            codec.on_bytes(&bytes, &mut events);
        }
        cached.push(codec.usage_so_far().cached);
    }
    assert_eq!(cached[0], 0);
    assert!(cached[1] > 0, "{cached:?}");
}
