use super::{Server, about, deadline, egress, gone, metrics, next, read_request, server, tasks};
use crate::drivers::{HttpBrain, MakeLlm};
use crate::service::{BrainService, BrainSession};
use base::wire::{Header, HttpRequest, Method};
use base::{BusinessId, ErrorClass, Failure, limits};
use model::agent::BrainChoice;
use model::generation::{Finish, GenerationEvent, GenerationRequest, TokenUsage};
use providers::llm::LlmProtocol;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Lines: `T:` text, `D` the end, a line that begins with `:` is a comment.
struct Toy {
    url: String,
    line: Vec<u8>,
    started: bool,
}

impl LlmProtocol for Toy {
    fn request(&mut self, _: &GenerationRequest) -> HttpRequest {
        let headers = vec![Header::secret("authorization", "Bearer sk-secret")];
        HttpRequest { method: Method::Post, url: self.url.clone(), headers, body: b"{}".to_vec() }
    }
    fn on_bytes(&mut self, bytes: &[u8], out: &mut Vec<GenerationEvent>) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap_or_default();
            if line.starts_with(':') {
                continue;
            }
            if !std::mem::replace(&mut self.started, true) {
                out.push(GenerationEvent::Started);
            }
            out.push(match line.strip_prefix("T:") {
                Some(text) => GenerationEvent::Text { delta: text.into() },
                None if line == "D" => GenerationEvent::Done { finish: Finish::Stop },
                None => GenerationEvent::Failed(Failure::new(ErrorClass::Protocol, "garbage")),
            });
        }
    }
    fn on_end(&mut self, _: &mut Vec<GenerationEvent>) {}
    fn usage_so_far(&self) -> TokenUsage {
        TokenUsage { input: 1_000_000, cached: 0, cache_writes: 0, output: 0 }
    }
    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        providers::answer::classify_status(status)
    }
}

fn brain(server: &Server) -> HttpBrain {
    let url = format!("http://{}/v1/chat", server.address);
    let make: MakeLlm = Arc::new(move || Box::new(Toy { url: url.clone(), line: Vec::new(), started: false }));
    HttpBrain::new("toy", make, egress())
}

fn ask(brain: &HttpBrain) -> BrainSession {
    let request = GenerationRequest {
        brain: BrainChoice::Llm { provider: None, model: None },
        messages: Vec::new(),
        tools: Vec::new(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 100,
    };
    brain.generate(BusinessId::generate(), request)
}

/// Takes the request and answers with a head that lets the body stream until the connection closes.
async fn answering(server: &Server) -> TcpStream {
    let mut stream = server.accept().await;
    let request = read_request(&mut stream).await;
    assert!(request.starts_with("POST /v1/chat ") && request.ends_with("{}"), "{request}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.expect("sent");
    stream
}

async fn failure(session: &mut BrainSession) -> Failure {
    loop {
        if let GenerationEvent::Failed(failure) = next(&mut session.events).await {
            assert!(session.events.recv().await.is_none(), "nothing follows a failure");
            return failure;
        }
    }
}

fn text(delta: &str) -> GenerationEvent {
    GenerationEvent::Text { delta: delta.into() }
}

#[tokio::test]
async fn the_first_question_finds_a_connection_that_was_opened_ahead() {
    let server = server().await;
    let brain = brain(&server);
    let knocked = brain.knock(&format!("http://{}/v1/chat", server.address)).expect("nobody was asked yet");
    let mut stream = server.accept().await;
    let request = read_request(&mut stream).await;
    assert!(request.starts_with("GET / "), "the model is asked nothing: {request}");
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.expect("sent");
    knocked.await.expect("it ends");
    let mut session = ask(&brain);
    let request = read_request(&mut stream).await;
    assert!(request.starts_with("POST /v1/chat "), "over the same connection: {request}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nT:Yes\nD\n").await.expect("sent");
    assert_eq!(next(&mut session.events).await, GenerationEvent::Started);
    // Who was asked a moment ago need not be knocked at.
    assert!(brain.knock(&format!("http://{}/v1/chat", server.address)).is_none());
}

#[tokio::test]
async fn an_answer_streams_to_its_end() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let before = tasks();
    let mut session = ask(&brain(&server));
    let mut stream = answering(&server).await;
    stream.write_all(b":thinking\nT:Yes, ").await.expect("sent");
    stream.write_all(b"we\nT: do.\nD\n").await.expect("sent");
    assert_eq!(next(&mut session.events).await, GenerationEvent::Started);
    assert_eq!(next(&mut session.events).await, text("Yes, we"));
    assert_eq!(next(&mut session.events).await, text(" do."));
    assert_eq!(next(&mut session.events).await, GenerationEvent::Done { finish: Finish::Stop });
    assert_eq!(session.events.recv().await, None);
    drop(stream);
    gone(before).await;
    assert_eq!(measured.value("frontdesk_provider_requests_total", &["toy", "llm", "ok"]), 1.0);
    assert_eq!(measured.value("frontdesk_provider_latency_seconds_count", &["toy", "llm"]), 1.0);
}

#[tokio::test]
async fn dropping_a_generation_ends_its_request() {
    let server = server().await;
    let before = tasks();
    let mut session = ask(&brain(&server));
    let mut stream = answering(&server).await;
    stream.write_all(b"T:Once upon\n").await.expect("sent");
    assert_eq!(next(&mut session.events).await, GenerationEvent::Started);
    drop(session);
    let read = tokio::time::timeout(Duration::from_millis(limits::CANCEL_MS_MAX), stream.read_u8()).await;
    assert!(read.expect("in time").is_err(), "the connection is closed");
    assert!(gone(before).await < Duration::from_millis(limits::CANCEL_MS_MAX));
}

#[tokio::test]
async fn refusals_have_their_class_and_say_no_key() {
    let server = server().await;
    let toy = brain(&server);
    let cases = [
        (401, ErrorClass::Auth),
        (429, ErrorClass::RateLimited),
        (400, ErrorClass::Invalid),
        (503, ErrorClass::Unavailable),
    ];
    for (status, class) in cases {
        let mut session = ask(&toy);
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        let body = r#"{"error":{"message":"Incorrect key: sk-secret","code":"some_code"}}"#;
        let reply = format!(
            "HTTP/1.1 {status} No\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(reply.as_bytes()).await.expect("sent");
        let failure = failure(&mut session).await;
        assert_eq!((failure.class, failure.retry_after.map(|pause| pause.0)), (class, Some(3_000)));
        assert_eq!(failure.detail, format!("toy answered {status} (some_code)"));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_a_timeout_whatever_keeps_the_line_open() {
    let server = server().await;
    let toy = brain(&server);
    let mut session = ask(&toy);
    let mut silent = server.accept().await;
    read_request(&mut silent).await;
    let (late, took) = deadline(failure(&mut session)).await;
    assert_eq!(late.class, ErrorClass::Timeout);
    about(took, limits::LLM_FIRST_TOKEN_MS_MAX);

    let mut session = ask(&toy);
    let mut stream = answering(&server).await;
    stream.write_all(b":thinking\n:thinking\n").await.expect("sent");
    let (late, took) = deadline(failure(&mut session)).await;
    assert_eq!(late.class, ErrorClass::Timeout);
    about(took, limits::LLM_FIRST_TOKEN_MS_MAX);
}

#[tokio::test]
async fn an_answer_that_pauses_is_cut_or_talks_garbage_fails() {
    let server = server().await;
    let toy = brain(&server);
    let mut session = ask(&toy);
    let mut stream = answering(&server).await;
    stream.write_all(b"T:One\n").await.expect("sent");
    assert_eq!(next(&mut session.events).await, GenerationEvent::Started);
    assert_eq!(next(&mut session.events).await, text("One"));
    let (late, took) = deadline(failure(&mut session)).await;
    assert_eq!(late.class, ErrorClass::Timeout);
    about(took, limits::LLM_PAUSE_MS_MAX);

    let mut session = ask(&toy);
    let mut stream = answering(&server).await;
    stream.write_all(b"T:One\nT:Tw").await.expect("sent");
    drop(stream);
    assert_eq!(failure(&mut session).await.class, ErrorClass::Protocol);

    let mut session = ask(&toy);
    let mut stream = answering(&server).await;
    stream.write_all(b"T:One\nwhat is this\n").await.expect("sent");
    assert_eq!(failure(&mut session).await.detail, "garbage");

    let mut session = ask(&toy);
    let stream = answering(&server).await;
    stream.set_zero_linger().expect("a reset");
    drop(stream);
    assert_eq!(failure(&mut session).await.class, ErrorClass::Protocol);
}

#[tokio::test]
async fn a_model_that_never_stops_is_stopped() {
    let server = server().await;
    let mut session = ask(&brain(&server));
    let mut stream = answering(&server).await;
    let writer = tokio::spawn(async move {
        let line = format!("T:{}\n", "x".repeat(1_000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    });
    let mut chars = 0;
    loop {
        match next(&mut session.events).await {
            GenerationEvent::Text { delta } => chars += delta.len(),
            GenerationEvent::Done { finish } => break assert_eq!(finish, Finish::Length),
            GenerationEvent::Started => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(chars <= limits::GENERATION_CHARS_MAX + 1_000, "{chars}");
    assert_eq!(session.events.recv().await, None);
    writer.await.expect("the connection was closed");
}

#[tokio::test]
async fn a_generation_that_was_called_off_is_billed() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let before = tasks();
    let is_read = |price: &&providers::pricing::Price| price.unit == providers::pricing::Unit::TokensIn;
    let price = providers::pricing::prices().iter().find(is_read).expect("a price of tokens");
    let url = format!("http://{}/v1/chat", server.address);
    let make: MakeLlm = Arc::new(move || Box::new(Toy { url: url.clone(), line: Vec::new(), started: false }));
    let brain = HttpBrain::new(&price.provider, make, egress()).priced_as(&price.model);
    let session = ask(&brain);
    let stream = answering(&server).await;
    drop(session);
    drop(stream);
    gone(before).await;
    let usage = TokenUsage { input: 1_000_000, cached: 0, cache_writes: 0, output: 0 };
    let cost = providers::pricing::llm_cost(&price.provider, &price.model, usage).expect("a cost");
    assert_eq!(measured.value("frontdesk_provider_cost_usd_micros_total", &["llm"]), cost.usd_micros as f64);
}
