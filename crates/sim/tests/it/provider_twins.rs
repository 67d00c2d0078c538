//! The codecs against the twins, over real sockets, in good times and bad.

use base::wire::{Connect, HttpRequest, Wire};
use base::{ErrorClass, Failure, Millis};
use futures_util::{SinkExt as _, StreamExt as _};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest};
use providers::ProviderOptions;
use providers::answer::refusal;
use providers::llm::LlmProtocol;
use providers::stt::{SttEvent, SttOpen, SttProtocol};
use providers::tts::{TtsEvent, TtsOpen, TtsProtocol};
use serde_json::json;
use sim::twins::openai::{Reply, Rule};
use sim::twins::{Fault, Faults, Moment, deepgram, elevenlabs, openai};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn options(base_url: &str, key: &str) -> ProviderOptions {
    let base_url = Some(base_url.to_owned());
    ProviderOptions { api_key: Some(key.into()), base_url, ..ProviderOptions::default() }
}

type Socket = WebSocketStream<TcpStream>;

/// Opens a socket as a codec asks for it; a refused upgrade gives status, headers and body.
async fn dial(connect: &Connect) -> Result<Socket, (u16, Vec<(String, String)>, String)> {
    let mut request = connect.url.as_str().into_client_request().expect("a URL");
    let address = request.uri().authority().expect("a host").as_str().to_owned();
    for header in &connect.headers {
        let name = http::HeaderName::from_bytes(header.name.as_bytes()).expect("a header name");
        request.headers_mut().insert(name, header.value.expose().parse().expect("a header value"));
    }
    let stream = TcpStream::connect(address).await.map_err(|why| (0, Vec::new(), why.to_string()))?;
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((mut socket, _)) => {
            send(&mut socket, &connect.first).await;
            Ok(socket)
        }
        Err(Error::Http(response)) => {
            let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = response.body().as_deref().map(|body| String::from_utf8_lossy(body).into_owned());
            Err((response.status().as_u16(), headers, body.unwrap_or_default()))
        }
        Err(why) => Err((0, Vec::new(), why.to_string())),
    }
}

async fn send(socket: &mut Socket, wires: &[Wire]) {
    for wire in wires {
        let message = match wire {
            Wire::Text(text) => Message::Text(text.as_str().into()),
            Wire::Binary(bytes) => Message::Binary(bytes.clone().into()),
            Wire::Close(..) | Wire::Request(_) | Wire::End => Message::Close(None),
        };
        // A twin that cuts off is noticed when reading.
        let _ = socket.send(message).await;
    }
}

/// The next message; an abrupt end reads as close code 1006.
async fn receive(socket: &mut Socket) -> Wire {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message comes in time");
        return match message {
            Some(Ok(Message::Text(text))) => Wire::Text(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => Wire::Binary(bytes.to_vec()),
            Some(Ok(Message::Close(Some(frame)))) => Wire::Close(frame.code.into(), frame.reason.to_string().into()),
            Some(Ok(Message::Close(None))) | Some(Err(_)) | None => Wire::Close(1006, "".into()),
            Some(Ok(_)) => continue,
        };
    }
}

fn failure(
    name: &str,
    codec: impl Fn(u16, &str) -> ErrorClass,
    answer: &(u16, Vec<(String, String)>, String),
) -> Failure {
    let (status, headers, body) = answer;
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    refusal(name, codec(*status, body), *status, headers, body)
}

// ---- recognition ----

fn speech(ms: usize) -> Vec<i16> {
    (0..ms * 8).map(|n| if n % 40 < 20 { 6_000 } else { -6_000 }).collect()
}

fn listener(twin: &sim::twins::Twin) -> (Box<dyn SttProtocol>, Connect) {
    let provider = providers::stt::PROVIDERS.open("deepgram", &options(&twin.base_url, &twin.key)).expect("usable");
    let mut codec = provider.protocol();
    let open = SttOpen { sample_rate_hz: 8_000, language: "en".to_owned(), hints: Vec::new(), now_unix_ms: 0 };
    let connect = codec.connect(&open);
    (codec, connect)
}

async fn listen_until(
    codec: &mut dyn SttProtocol,
    socket: &mut Socket,
    last: impl Fn(&SttEvent) -> bool,
) -> Vec<SttEvent> {
    let mut events = Vec::new();
    while !events.iter().any(&last) {
        let message = receive(socket).await;
        codec.on_message(&message, &mut events);
    }
    events
}

async fn say(codec: &mut dyn SttProtocol, socket: &mut Socket, pcm: &[i16]) {
    let mut wires = Vec::new();
    codec.on_audio(pcm, &mut wires);
    send(socket, &wires).await;
}

#[tokio::test]
async fn recognition_follows_the_script_by_silence_and_by_finalize() {
    let behaviour = deepgram::Behaviour::script(["Where is my order?", "Four two."]);
    let twin = deepgram::start(behaviour).await.expect("a free port");
    let (mut codec, connect) = listener(&twin);
    let mut socket = dial(&connect).await.expect("open");
    say(codec.as_mut(), &mut socket, &speech(600)).await;
    say(codec.as_mut(), &mut socket, &[0; 8 * 400]).await;
    let events = listen_until(codec.as_mut(), &mut socket, |event| matches!(event, SttEvent::Usage { .. })).await;
    let heard = SttEvent::Final { text: "Where is my order?".to_owned(), finalized: false };
    assert!(matches!(&events[0], SttEvent::Partial { text } if text == "Where"), "{events:?}");
    assert_eq!(events[events.len() - 3..], [heard, SttEvent::EndOfTurn, SttEvent::Usage { audio_ms: 1_000 }]);

    say(codec.as_mut(), &mut socket, &speech(100)).await;
    let mut wires = Vec::new();
    codec.finalize(&mut wires);
    send(&mut socket, &wires).await;
    let events = listen_until(codec.as_mut(), &mut socket, |event| matches!(event, SttEvent::Usage { .. })).await;
    let heard = SttEvent::Final { text: "Four two.".to_owned(), finalized: true };
    assert_eq!(events, [heard, SttEvent::Usage { audio_ms: 1_100 }]);
}

#[tokio::test]
async fn a_refused_recognition_says_why_and_when_to_come_back() {
    let twin = deepgram::start(deepgram::Behaviour::default()).await.expect("a free port");
    let (codec, connect) = listener(&twin);
    twin.faults.set_times(Moment::Start, Fault::Status { status: 429, retry_after_s: Some(3) }, 1);
    let answer = dial(&connect).await.expect_err("too many");
    let failed = failure("deepgram", |status, body| codec.classify(status, body), &answer);
    assert_eq!((failed.class, failed.retry_after), (ErrorClass::RateLimited, Some(Millis(3_000))));
    assert_eq!(failed.detail, "deepgram answered 429 (TOO_MANY_REQUESTS)");

    let mut wrong = options(&twin.base_url, "wrong");
    wrong.model = Some("nova-3".to_owned());
    let provider = providers::stt::PROVIDERS.open("deepgram", &wrong).expect("usable");
    let open = SttOpen { sample_rate_hz: 8_000, language: "en".to_owned(), hints: Vec::new(), now_unix_ms: 0 };
    let answer = dial(&provider.protocol().connect(&open)).await.expect_err("a wrong key");
    let failed = failure("deepgram", |status, body| codec.classify(status, body), &answer);
    assert_eq!(failed.class, ErrorClass::Auth);

    twin.faults.set_times(Moment::Start, Fault::Refuse, 1);
    assert_eq!(dial(&connect).await.expect_err("reset").0, 0);
    dial(&connect).await.expect("works again");
    assert!(!twin.record.lines().join("\n").contains(&twin.key));
}

#[tokio::test]
async fn recognition_that_breaks_in_the_middle_is_a_failure_of_the_right_class() {
    let twin = deepgram::start(deepgram::Behaviour::script(["Hello?"])).await.expect("a free port");
    for (fault, class) in [
        (Fault::Cut, ErrorClass::Protocol),
        (Fault::Garbage, ErrorClass::Protocol),
        (Fault::Status { status: 500, retry_after_s: None }, ErrorClass::Invalid),
    ] {
        let (mut codec, connect) = listener(&twin);
        let mut socket = dial(&connect).await.expect("open");
        twin.faults.set_times(Moment::MidTurn, fault.clone(), 1);
        say(codec.as_mut(), &mut socket, &speech(200)).await;
        let events = listen_until(codec.as_mut(), &mut socket, |event| matches!(event, SttEvent::Failed(_))).await;
        let failed = events.iter().find_map(|event| match event {
            SttEvent::Failed(failure) => Some(failure.class),
            _ => None,
        });
        assert_eq!(failed, Some(class), "{fault:?}: {events:?}");
    }
}

// ---- generation ----

pub(crate) fn ask(words: &str) -> GenerationRequest {
    GenerationRequest {
        brain: BrainChoice::Llm { provider: None, model: None },
        messages: vec![ChatMessage::Customer { text: words.into() }],
        tools: Vec::new(),
        awaiting: None,
        language: "en".to_owned(),
        tokens_max: 100,
    }
}

fn writer(twin: &sim::twins::Twin) -> Box<dyn LlmProtocol> {
    let options = options(&twin.base_url, &twin.key);
    providers::llm::PROVIDERS.open("openai", &options).expect("usable").protocol()
}

pub(crate) async fn post(request: &HttpRequest) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let mut builder = client.post(&request.url).body(request.body.clone());
    for header in &request.headers {
        builder = builder.header(header.name.as_ref(), header.value.expose());
    }
    builder.send().await.expect("an answer")
}

async fn generate(twin: &sim::twins::Twin, request: &GenerationRequest) -> Vec<GenerationEvent> {
    let mut codec = writer(twin);
    let mut response = post(&codec.request(request)).await;
    assert_eq!(response.status(), 200);
    let mut events = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        codec.on_bytes(&bytes, &mut events);
    }
    codec.on_end(&mut events);
    events
}

pub(crate) fn text(events: &[GenerationEvent]) -> String {
    let delta = |event: &GenerationEvent| match event {
        GenerationEvent::Text { delta } => Some(delta.clone()),
        _ => None,
    };
    events.iter().filter_map(delta).collect()
}

async fn chat_twin() -> sim::twins::Twin {
    let rules = vec![
        Rule::on_user("order", Reply::calls("order_status", json!({"order": "A1"}))),
        Rule::on_tool("order_status", Reply::says("It was {result}.")),
    ];
    let behaviour = openai::Behaviour { rules, first_token_ms: 1, token_gap_ms: 1, ..openai::Behaviour::default() };
    openai::start(behaviour).await.expect("a free port")
}

#[tokio::test]
async fn a_generation_asks_for_a_tool_and_speaks_of_its_result() {
    let twin = chat_twin().await;
    let mut request = ask("Where is my ORDER?");
    let events = generate(&twin, &request).await;
    let Some(GenerationEvent::ToolCall { id, name, args }) = events.get(1) else { panic!("{events:?}") };
    assert_eq!(args, &json!({"order": "A1"}));
    assert!(matches!(events.last(), Some(GenerationEvent::Done { finish: Finish::ToolCalls })), "{events:?}");
    let (id, name, args) = (id.clone(), name.clone(), args.clone());
    request.messages.push(ChatMessage::ToolCall { id: id.clone(), name: name.clone(), args });
    request.messages.push(ChatMessage::ToolResult { id, name, text: "shipped".to_owned() });
    let events = generate(&twin, &request).await;
    assert_eq!(text(&events), "It was shipped.");
    assert!(matches!(events[events.len() - 2], GenerationEvent::Usage(usage) if usage.output > 0), "{events:?}");
}

#[tokio::test]
async fn a_generation_that_breaks_in_the_middle_fails_and_what_came_before_stays() {
    let twin = chat_twin().await;
    for (fault, class) in [
        (Fault::Cut, ErrorClass::Protocol),
        (Fault::Status { status: 503, retry_after_s: None }, ErrorClass::Unavailable),
    ] {
        twin.faults.set_times(Moment::MidTurn, fault.clone(), 1);
        let events = generate(&twin, &ask("Hello")).await;
        assert_eq!(text(&events), "I can ", "{fault:?}");
        assert!(
            matches!(events.last(), Some(GenerationEvent::Failed(failure)) if failure.class == class),
            "{events:?}"
        );
    }
    twin.faults.set_times(Moment::Start, Fault::Status { status: 401, retry_after_s: None }, 1);
    let mut codec = writer(&twin);
    let response = post(&codec.request(&ask("Hello"))).await;
    let status = response.status().as_u16();
    assert_eq!(codec.classify(status, &response.text().await.expect("a body")), ErrorClass::Auth);
    assert_eq!(text(&generate(&twin, &ask("Hello")).await), "I can help with that.");
}

#[tokio::test]
async fn a_generation_that_is_called_off_is_noticed_by_the_service() {
    let twin = chat_twin().await;
    let mut codec = writer(&twin);
    twin.faults.set_times(Moment::MidTurn, Fault::Slow { delay_ms: 50 }, 1);
    let mut response = post(&codec.request(&ask("Hello"))).await;
    let mut events = Vec::new();
    codec.on_bytes(&response.chunk().await.expect("open").expect("a piece"), &mut events);
    drop(response);
    let called_off = async {
        while twin.record.count("called off") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, called_off).await.expect("the service notices");
    assert!(codec.usage_so_far().input > 0, "what was read is paid for");
}

// ---- synthesis ----

fn speaker(twin: &sim::twins::Twin, sample_rate_hz: u32) -> (Box<dyn TtsProtocol>, Connect) {
    let provider = providers::tts::PROVIDERS.open("elevenlabs", &options(&twin.base_url, &twin.key)).expect("usable");
    let mut codec = provider.protocol();
    let connect = codec.connect(&TtsOpen { sample_rate_hz, language: "en".to_owned(), voice: None, now_unix_ms: 0 });
    (codec, connect)
}

async fn speak_until(
    codec: &mut dyn TtsProtocol,
    socket: &mut Socket,
    last: impl Fn(&TtsEvent) -> bool,
) -> Vec<TtsEvent> {
    let mut events = Vec::new();
    while !events.iter().any(&last) {
        match receive(socket).await {
            Wire::Close(code, _) => codec.on_close(code, &mut events),
            message => codec.on_message(&message, &mut events),
        }
    }
    events
}

fn samples(events: &[TtsEvent]) -> usize {
    events.iter().map(|event| if let TtsEvent::Audio { pcm } = event { pcm.len() } else { 0 }).sum()
}

#[tokio::test]
async fn synthesis_gives_every_character_and_says_when_words_begin() {
    let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
    for rate in [8_000, 24_000] {
        let (mut codec, connect) = speaker(&twin, rate);
        let mut socket = dial(&connect).await.expect("open");
        let mut wires = Vec::new();
        codec.on_text("Hi there.", &mut wires);
        codec.on_text("How are you?", &mut wires);
        codec.flush(&mut wires);
        send(&mut socket, &wires).await;
        let events = speak_until(codec.as_mut(), &mut socket, |event| *event == TtsEvent::Done).await;
        // "Hi there. " and "How are you? ", 60 ms each character.
        assert_eq!(samples(&events), 23 * 60 * rate as usize / 1_000);
        let starts: Vec<(usize, u64)> = events
            .iter()
            .flat_map(|event| if let TtsEvent::Words { starts } = event { starts.clone() } else { Vec::new() })
            .collect();
        assert_eq!(starts, [(0, 0), (3, 180), (9, 600), (13, 840), (17, 1_080)]);
        assert!(events.contains(&TtsEvent::Usage { chars: 23 }), "{events:?}");
    }
}

#[tokio::test]
async fn an_interrupted_synthesis_closes_and_a_broken_one_fails() {
    let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
    let (mut codec, connect) = speaker(&twin, 8_000);
    let mut socket = dial(&connect).await.expect("open");
    let mut wires = Vec::new();
    codec.on_text("A long sentence that nobody wants to hear to its end.", &mut wires);
    send(&mut socket, &wires).await;
    speak_until(codec.as_mut(), &mut socket, |event| matches!(event, TtsEvent::Audio { .. })).await;
    wires.clear();
    codec.cancel(&mut wires);
    send(&mut socket, &wires).await;
    let mut events = Vec::new();
    loop {
        let message = receive(&mut socket).await;
        codec.on_message(&message, &mut events);
        if matches!(message, Wire::Close(..)) {
            break;
        }
    }
    assert!(events.is_empty(), "nothing is heard after a cancel");

    let broken = [
        (Fault::Cut, ErrorClass::Protocol),
        (Fault::Garbage, ErrorClass::Protocol),
        (Fault::Status { status: 429, retry_after_s: None }, ErrorClass::RateLimited),
    ];
    for (fault, class) in broken {
        twin.faults.set_times(Moment::MidTurn, fault.clone(), 1);
        let (mut codec, connect) = speaker(&twin, 8_000);
        let mut socket = dial(&connect).await.expect("open");
        let mut wires = Vec::new();
        codec.on_text("A long sentence.", &mut wires);
        codec.flush(&mut wires);
        send(&mut socket, &wires).await;
        let events = speak_until(codec.as_mut(), &mut socket, |event| matches!(event, TtsEvent::Failed(_))).await;
        assert!(samples(&events) > 0, "what came before stays");
        assert!(
            matches!(events.last(), Some(TtsEvent::Failed(failure)) if failure.class == class),
            "{fault:?} {events:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_or_half_open_service_says_nothing_and_ends_with_its_twin() {
    for fault in [Fault::Silent, Fault::HalfOpen] {
        let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
        let faults: &Faults = &twin.faults;
        faults.set(Moment::Start, fault);
        let (mut codec, connect) = speaker(&twin, 8_000);
        let mut socket = dial(&connect).await.expect("open");
        let mut wires = Vec::new();
        codec.on_text("Hello.", &mut wires);
        codec.flush(&mut wires);
        send(&mut socket, &wires).await;
        let nothing = tokio::time::timeout(Duration::from_millis(150), socket.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        drop(twin);
        assert_eq!(receive(&mut socket).await, Wire::Close(1006, "".into()));
    }
}
