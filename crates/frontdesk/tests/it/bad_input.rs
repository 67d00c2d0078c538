//! Whatever comes in that should not: the real program answers it clearly, keeps nothing of it, and nobody else notices.

use crate::rig::{CALLER, NUMBER, SECRETS, Server, Setting, World, poll};
use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sim::twins::twilio::Verb;
use std::process::Output;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

const QUESTION: &str = "When are you open on Saturday?";
const ANSWER: &str = "On Saturday we are open from ten to four.";
const VOICE: &str = "/carriers/twilio/voice";
const STATUS: &str = "/carriers/twilio/status";
const PHONE_MEDIA: &str = "/carriers/twilio/media";
const PAGE_MEDIA: &str = "/carriers/browser/media";

type Socket = WebSocketStream<TcpStream>;

async fn world() -> World {
    let rule = Rule::on_user("open on saturday", Reply::says(ANSWER));
    World::new(Setting::new(&[QUESTION; 64], vec![rule])).await
}

/// The steady caller waits no longer than this for an answer, whatever else goes on; the machine may be busy with tests.
const ANSWER_MS_MAX: u64 = 3_000;

/// A server and a call on it, going on all the time, that nothing may disturb.
struct Beside {
    world: World,
    server: Server,
    enough: watch::Sender<bool>,
    steady: JoinHandle<usize>,
}

impl Beside {
    async fn new() -> Self {
        let world = world().await;
        let server = world.serve().await;
        Self::on(world, server).await
    }

    async fn on(world: World, server: Server) -> Self {
        let steady = world.call_in();
        steady.hears_greeting().await;
        let (enough, is_enough) = watch::channel(false);
        let steady = tokio::spawn(async move {
            let mut answers = 0;
            while !*is_enough.borrow() {
                let answer = steady.asks(QUESTION).await;
                assert!(answer.waited_ms <= ANSWER_MS_MAX, "the steady caller waited {} ms", answer.waited_ms);
                answers += 1;
            }
            let is_open = steady.leg(|leg| leg.errors.is_empty() && leg.closed.is_none());
            assert!(is_open && steady.0.record(|record| record.legs.len() == 1), "the steady call was disturbed");
            steady.0.hang_up().await;
            steady.0.finished(Duration::from_secs(5)).await.expect("it ends");
            answers
        });
        Self { world, server, enough, steady }
    }

    /// The steady caller was served all the time and is the last one left; nothing panicked, and the log keeps secrets.
    async fn stays_unharmed(self) {
        poll(Duration::from_secs(60), "the end of every call but the steady one", async || {
            (self.server.metric("frontdesk_calls_active", &[]).await <= 1.0).then_some(())
        })
        .await;
        self.enough.send(true).expect("the steady caller is there");
        let answers = self.steady.await.expect("the steady caller was served");
        assert!(answers > 0, "the steady caller heard no answer");
        self.server.is_idle_again().await;
        assert_discreet(&self.server.log());
    }

    async fn webhook(&self, path: &str, form: &[(String, String)]) -> (StatusCode, String) {
        webhook(&self.world, &self.server, path, form).await
    }
}

/// No panic, no secret, nobody's number and nobody's words.
fn assert_discreet(log: &str) {
    let forbidden = SECRETS.into_iter().chain([CALLER, &CALLER[1..], QUESTION, "open on Saturday", "panicked"]);
    for planted in forbidden {
        let line = log.lines().find(|line| line.contains(planted));
        assert_eq!(line, None, "{planted:?} is in the log");
    }
}

fn form(sid: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual =
        [("CallSid", sid), ("From", CALLER), ("To", NUMBER), ("CallStatus", "ringing"), ("Direction", "inbound")];
    let replaced = usual.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    replaced.chain(more.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn encoded(form: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// A webhook as the platform signs it.
async fn webhook(world: &World, server: &Server, path: &str, form: &[(String, String)]) -> (StatusCode, String) {
    let url = server.url(path);
    let mut request = server.http().post(&url).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in world.phone.options().signature_headers(&url, form) {
        request = request.header(name, value);
    }
    let answer = request.body(encoded(form)).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

/// Rings, and gives the token that admits the call's media socket.
async fn ring(beside: &Beside, sid: &str) -> String {
    let (status, twiml) = beside.webhook(VOICE, &form(sid, &[])).await;
    assert_eq!(status, StatusCode::OK, "{twiml}");
    let verbs = sim::twins::twilio::parse(&twiml).expect("TwiML");
    let [Verb::Connect { parameters, .. }] = &verbs[..] else { panic!("{verbs:?}") };
    parameters.iter().find(|(name, _)| name == "token").expect("a token").1.clone()
}

async fn open(server: &Server, path: &str, headers: Vec<(&'static str, String)>) -> Result<Socket, Error> {
    let url = server.url(path).replacen("http", "ws", 1);
    let mut request = url.into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    let address = server.url("").trim_start_matches("http://").to_owned();
    let tcp = TcpSocket::new_v4()?;
    tcp.set_recv_buffer_size(8 * 1024)?;
    let tcp = tcp.connect(address.parse().expect("an address")).await?;
    Ok(tokio_tungstenite::client_async(request, tcp).await?.0)
}

/// A socket as the platform opens it.
async fn phone_socket(beside: &Beside) -> Socket {
    let url = beside.server.url(PHONE_MEDIA).replacen("http", "ws", 1);
    let headers = beside.world.phone.options().signature_headers(&url, &[]);
    open(&beside.server, PHONE_MEDIA, headers).await.expect("the signature is right")
}

async fn page_socket(beside: &Beside) -> Socket {
    open(&beside.server, PAGE_MEDIA, Vec::new()).await.expect("a page may connect")
}

fn start(call: &str, token: Value, encoding: &str) -> Message {
    let format = json!({"encoding": encoding, "sampleRate": 8000, "channels": 1});
    let start = json!({"accountSid": "AC1", "streamSid": "MZ1", "callSid": call, "tracks": ["inbound"],
        "mediaFormat": format, "customParameters": {"token": token}});
    Message::text(json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start}).to_string())
}

fn audio(stream: &str) -> Message {
    let media = json!({"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "/////w=="});
    Message::text(json!({"event": "media", "sequenceNumber": "2", "streamSid": stream, "media": media}).to_string())
}

/// Sends and reads until the server closes: with which code, after how long.
async fn closes(mut socket: Socket, messages: Vec<Message>) -> (Option<u16>, Duration) {
    let began = Instant::now();
    for message in messages {
        // The server may have closed before it was all said.
        let _ = socket.send(message).await;
    }
    let code = async {
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    };
    let code = tokio::time::timeout(Duration::from_secs(20), code).await.expect("the server closes in time");
    (code, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_socket_that_breaks_its_protocol_is_closed_with_the_code_that_says_why() {
    let beside = Beside::new().await;
    let garbled = || Message::Frame(Frame::message(vec![0xff, 0xfe, 0x41], OpCode::Data(Data::Text), true));
    let ulaw = "audio/x-mulaw";
    let phone = [
        ("not JSON", vec![Message::text("{nonsense")], 1007),
        ("audio before start", vec![audio("MZ1")], 1002),
        ("a stop before start", vec![Message::text(r#"{"event":"stop","streamSid":"MZ1"}"#)], 1002),
        ("a start without contents", vec![Message::text(r#"{"event":"start"}"#)], 1007),
        ("another codec", vec![start("CA1", json!("x"), "audio/x-alaw")], 1003),
        ("a binary message", vec![Message::binary(vec![1, 2, 3])], 1003),
        ("a message that is too large", vec![Message::text("x".repeat(70_000))], 1009),
        ("a message that is far too large", vec![Message::text("x".repeat(1 << 20))], 1009),
        ("text that is not UTF-8", vec![garbled()], 1007),
        ("a token nobody gave out", vec![start("CA1", json!("0123456789abcdef"), ulaw)], 1008),
        ("no token", vec![start("CA1", Value::Null, ulaw)], 1008),
    ];
    let page = [
        ("not JSON", vec![Message::text("[1,")], 1007),
        ("words before start", vec![Message::text(r#"{"type":"text","text":"hello"}"#)], 1002),
        ("audio before start", vec![Message::binary(vec![0; 640])], 1002),
        ("half a sample", vec![Message::text(r#"{"type":"start"}"#), Message::binary(vec![0; 641])], 1007),
        ("a second start", vec![Message::text(r#"{"type":"start"}"#), Message::text(r#"{"type":"start"}"#)], 1002),
        ("an agent that does not exist", vec![Message::text(r#"{"type":"start","agent":"nobody"}"#)], 1008),
        ("a token nobody gave out", vec![Message::text(r#"{"type":"start","token":"0123"}"#)], 1008),
        ("a message that is too large", vec![Message::text("x".repeat(70_000))], 1009),
        ("text that is not UTF-8", vec![Message::text(r#"{"type":"start"}"#), garbled()], 1007),
    ];
    let on = &beside;
    let phone = join_all(phone.map(|(name, messages, code)| async move {
        (format!("phone, {name}"), closes(phone_socket(on).await, messages).await.0, code)
    }));
    let page = join_all(page.map(|(name, messages, code)| async move {
        (format!("page, {name}"), closes(page_socket(on).await, messages).await.0, code)
    }));
    let silent = async { closes(phone_socket(on).await, Vec::new()).await };
    let (phone, page, (silent, after)) = tokio::join!(phone, page, silent);
    let wrong: Vec<_> = phone.into_iter().chain(page).filter(|(_, got, wanted)| *got != Some(*wanted)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", beside.server.log());
    assert_eq!(silent, Some(1008), "a socket that never says anything");
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&after), "closed after {after:?}");
    beside.stays_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_socket_misbehaves_ends_alone() {
    let beside = Beside::new().await;
    let ulaw = "audio/x-mulaw";

    let token = ring(&beside, "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01").await;
    let mut socket = phone_socket(&beside).await;
    for message in [
        r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#,
        r#"{"event":"brand-new","sequenceNumber":"0","anything":[1,{"a":null}]}"#,
    ] {
        socket.send(Message::text(message)).await.expect("sent");
    }
    socket.send(start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01", json!(token), ulaw)).await.expect("sent");
    let first = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("the agent speaks");
    let Some(Ok(Message::Text(first))) = first else { panic!("{first:?}") };
    assert!(first.contains("\"media\""), "what nobody knows is passed over: {first}");
    let used =
        closes(phone_socket(&beside).await, vec![start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01", json!(token), ulaw)]);
    assert_eq!(used.await.0, Some(1008), "a token works once");
    let again = closes(socket, vec![start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01", json!("x"), ulaw)]).await;
    assert_eq!(again.0, Some(1002), "a second start");

    let token = ring(&beside, "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02").await;
    let other =
        closes(phone_socket(&beside).await, vec![start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa99", json!(token), ulaw)]);
    assert_eq!(other.await.0, Some(1008), "the token of another call");

    let token = ring(&beside, "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03").await;
    let over = form("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03", &[("CallStatus", "completed"), ("SequenceNumber", "0")]);
    assert_eq!(beside.webhook(STATUS, &over).await.0, StatusCode::NO_CONTENT);
    poll(Duration::from_secs(5), "the end of the call", async || {
        let call = beside.server.find_call("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03").await?;
        call["ended_at_ms"].is_i64().then_some(())
    })
    .await;
    let late =
        closes(phone_socket(&beside).await, vec![start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03", json!(token), ulaw)]);
    assert_eq!(late.await.0, Some(1008), "a token whose call is over");

    let token = ring(&beside, "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa04").await;
    let stranger = vec![start("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa04", json!(token), ulaw), audio("MZ2")];
    assert_eq!(closes(phone_socket(&beside).await, stranger).await.0, Some(1008), "audio of another stream");

    let mut mute = page_socket(&beside).await;
    mute.send(Message::text(r#"{"type":"start"}"#)).await.expect("sent");
    let mut deaf = page_socket(&beside).await;
    deaf.send(Message::text(r#"{"type":"start"}"#)).await.expect("sent");
    // It speaks and never reads; the other reads and never speaks again.
    let talk = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while deaf.send(Message::binary(vec![0; 640])).await.is_ok() {
            ticks.tick().await;
        }
    });
    assert_eq!(closes(mute, Vec::new()).await.0, Some(1008), "a page that fell silent");
    beside.stays_unharmed().await;
    talk.await.expect("the deaf page lost its socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_forged_replayed_or_senseless_have_no_effect() {
    let beside = Beside::new().await;
    let server = &beside.server;
    let sid = "CAbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let post = |path: &str| server.http().post(server.url(path)).header(kind.0, kind.1);

    let genuine = encoded(&form(sid, &[]));
    let unsigned = post(VOICE).body(genuine.clone()).send().await.expect("an answer");
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN, "no signature");
    for signature in ["", "AAAA", "not base64 at all", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        for path in [VOICE, STATUS] {
            let request = post(path).header("x-twilio-signature", signature).body(genuine.clone());
            assert_eq!(request.send().await.expect("an answer").status(), StatusCode::FORBIDDEN, "{signature:?}");
        }
    }
    let tampered = beside.world.phone.options().signature_headers(&server.url(VOICE), &form(sid, &[]));
    let tampered = tampered.into_iter().fold(post(VOICE), |request, (name, value)| request.header(name, value));
    let tampered = tampered.body(encoded(&form(sid, &[("To", "+15550000001")]))).send().await.expect("an answer");
    assert_eq!(tampered.status(), StatusCode::FORBIDDEN, "a form that was changed on the way");
    let forged = open(server, PHONE_MEDIA, vec![("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into())]).await;
    assert!(matches!(&forged, Err(Error::Http(answer)) if answer.status() == 403), "{:?}", forged.err());
    assert!(server.find_call(sid).await.is_none(), "a forged webhook left a call");

    let (status, twiml) = beside.webhook(VOICE, &form(sid, &[("To", "+15550000001")])).await;
    assert_eq!(status, StatusCode::OK);
    assert!(twiml.contains("<Reject reason=\"rejected\"/>"), "{twiml}");
    assert_eq!(beside.webhook(VOICE, &[("To".into(), NUMBER.into())]).await.0, StatusCode::BAD_REQUEST, "no call");
    assert_eq!(beside.webhook(VOICE, &form("../../etc", &[])).await.0, StatusCode::BAD_REQUEST, "an id that is none");

    let huge = post(VOICE).body("a".repeat(100_000)).send().await.expect("an answer");
    assert_eq!(huge.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let get = server.http().get(server.url(VOICE)).send().await.expect("an answer");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    for path in ["/carriers/nobody/voice", "/carriers/browser/voice", "/carriers/loopback/media"] {
        let status = server.http().post(server.url(path)).send().await.expect("an answer").status();
        assert!(matches!(status.as_u16(), 404 | 405), "{path}: {status}");
    }

    ring(&beside, sid).await;
    let report = form(sid, &[("CallStatus", "completed"), ("SequenceNumber", "3")]);
    for _ in 0..3 {
        assert_eq!(beside.webhook(STATUS, &report).await.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(server.metric("frontdesk_webhooks_refused_total", &[("outcome", "replayed")]).await, 2.0);
    let unknown = form("CAcccccccccccccccccccccccccccccccc", &[("CallStatus", "completed"), ("SequenceNumber", "0")]);
    assert_eq!(beside.webhook(STATUS, &unknown).await.0, StatusCode::NO_CONTENT, "a call that is not ours");
    beside.stays_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_lines_are_taken_a_caller_hears_busy_and_a_page_is_told() {
    let world = world().await;
    let mut env = world.env();
    env.extend(
        [("FRONTDESK_CALLS_MAX", "1"), ("FRONTDESK_CALLS_INBOUND_RESERVE", "0")].map(|(k, v)| (k.into(), v.into())),
    );
    let server = Server::start(&world.place, &env).await;
    let beside = Beside::on(world, server).await;
    let refused = beside.world.call_in();
    refused.0.finished(Duration::from_secs(5)).await.expect("it is refused at once");
    assert_eq!(refused.0.record(|record| record.status), "busy");
    let page = closes(page_socket(&beside).await, vec![Message::text(r#"{"type":"start"}"#)]).await;
    assert_eq!(page.0, Some(1013));
    let place = json!({"to": "+4940555017", "from": NUMBER, "agent": "robin"});
    let (status, problem) = beside.server.post("/api/v1/calls", &place).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("busy")), "{problem}");
    assert_eq!(beside.server.metric("frontdesk_calls_refused_total", &[]).await, 3.0);
    beside.stays_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_nonsense_with_problem_documents() {
    let world = world().await;
    let server = world.serve().await;
    let nobody = "/api/v1/calls/00000000-0000-4000-8000-000000000000";
    let call = json!({"to": "+4940555017", "from": NUMBER, "agent": "robin"});
    let with = |key: &str, value: Value| {
        let mut changed = call.clone();
        changed[key] = value;
        changed.to_string()
    };
    let cases = [
        (Method::GET, "/api/v1/nothing".to_owned(), String::new(), 404, "not_found"),
        (Method::GET, "/api/v2/calls".into(), String::new(), 404, "not_found"),
        (Method::GET, "/api/v1/calls/not-an-id".into(), String::new(), 404, "not_found"),
        (Method::GET, "/api/v1/calls/%00%ff".into(), String::new(), 404, "not_found"),
        (Method::GET, nobody.into(), String::new(), 404, "not_found"),
        (Method::GET, format!("{nobody}/recording"), String::new(), 404, "not_found"),
        (Method::GET, format!("{nobody}/events"), String::new(), 404, "not_found"),
        (Method::POST, format!("{nobody}/end"), String::new(), 404, "not_found"),
        (Method::DELETE, nobody.into(), String::new(), 405, "method_not_allowed"),
        (Method::GET, "/api/v1/calls?limit=0".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?limit=101".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?limit=-1".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?limit=many".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?cursor=%F0%9F".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?cursor=';DROP".into(), String::new(), 422, "invalid"),
        (Method::GET, "/api/v1/calls?page=2".into(), String::new(), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), "{".into(), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), "[]".into(), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), with("surprise", json!(1)), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), with("to", json!("911; rm")), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), with("from", json!("+15550000001")), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), with("agent", json!("nobody")), 404, "not_found"),
        (Method::POST, "/api/v1/calls".into(), with("carrier", json!("nobody")), 422, "invalid"),
        (Method::POST, "/api/v1/calls".into(), format!("\"{}\"", "x".repeat(20_000)), 413, "too_large"),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in cases {
        let request = server.http().request(method.clone(), server.url(&path));
        let answer = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        let (got, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let text = answer.text().await.expect("a body");
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let is_right = got == status
            && kind.as_ref().is_some_and(|kind| kind == "application/problem+json")
            && (problem["status"].as_u64(), problem["code"].as_str()) == (Some(u64::from(status)), Some(code));
        if !is_right {
            wrong.push(format!("{method} {path}: {got} {kind:?} {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")] {
        for path in ["/api/v1/calls", "/", "/metrics"] {
            let answer = server.http().get(server.url(path)).header(name, value).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value} {path}");
        }
    }
    let page = open(&server, PAGE_MEDIA, vec![("origin", "https://evil.example".into())]).await;
    assert!(matches!(&page, Err(Error::Http(answer)) if answer.status() == 403), "{:?}", page.err());
    assert_discreet(&server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_dawdle_are_closed_and_the_next_one_is_served() {
    let world = world().await;
    let server = world.serve().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let dawdle = |first: &'static [u8]| {
        let address = address.clone();
        async move {
            let mut tcp = TcpStream::connect(address).await.expect("a connection");
            tcp.write_all(first).await.expect("sent");
            let began = Instant::now();
            let mut said = Vec::new();
            let read = tokio::time::timeout(Duration::from_secs(15), tcp.read_to_end(&mut said)).await;
            let _ = read.expect("the server closes in time"); // A reset is a close, too.
            (began.elapsed(), String::from_utf8_lossy(&said).into_owned())
        }
    };
    let half_a_body = b"POST /carriers/twilio/voice HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        content-type: application/x-www-form-urlencoded\r\ncontent-length: 50\r\n\r\nCallSid=";
    let (headers, body, garbage) = tokio::join!(
        dawdle(b"GET /healthz HTTP/1.1\r\nhost: local"),
        dawdle(half_a_body),
        dawdle(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is no HTTP\r\n\r\n"),
    );
    let in_time = Duration::from_secs(9)..Duration::from_secs(12);
    assert!(in_time.contains(&headers.0), "slow headers: closed after {:?}", headers.0);
    assert!(in_time.contains(&body.0), "a slow body: answered after {:?}", body.0);
    assert!(body.1.starts_with("HTTP/1.1 408 "), "{}", body.1);
    assert!(garbage.0 < Duration::from_secs(2) && garbage.1.starts_with("HTTP/1.1 400 "), "{garbage:?}");
    // On a connection of its own: the client's last one has been idle for as long and is closed at this very moment.
    let next = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert_eq!(next.get(server.url("/healthz")).send().await.expect("an answer").status(), StatusCode::OK);
    assert_discreet(&server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_is_a_fault_in_the_journal_an_apology_to_the_caller_and_no_key_in_the_log() {
    const KEY: &str = "sk-planted-0451-wrong";
    let world = world().await;
    let mut env = world.env();
    env.push(("OPENAI_API_KEY".into(), KEY.into()));
    let server = Server::start(&world.place, &env).await;
    let caller = world.call_in();
    caller.hears_greeting().await;
    caller.asks(QUESTION).await;
    caller.0.hang_up().await;
    let call = server.ended_call(caller.0.sid()).await;
    let faults = call.entries("fault");
    assert!(faults.iter().any(|fault| fault["class"] == "auth"), "{faults:?}");
    assert!(call.heard().len() > 1, "the caller hears what is wrong: {:?}", call.heard());
    assert!(!call.0.to_string().contains(KEY));
    server.is_idle_again().await;
    let log = server.log();
    assert!(!log.contains(KEY) && !log.contains("planted"), "the key is in the log");
    assert_discreet(&log);
}

/// Runs the program to its end, with nothing in its environment but this.
async fn run(env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String) {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    command.args(args).env_clear().env("HOME", home.path()).current_dir(home.path()).kill_on_drop(true);
    command.env("FRONTDESK_SERVER_LISTEN", "127.0.0.1:0").envs(env.iter().copied());
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let Output { status, stdout, stderr } = output.expect("it ends by itself").expect("it starts");
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (status.code(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_start_says_why_and_what_to_do() {
    let empty = tempfile::tempdir().expect("a folder");
    let nowhere = empty.path().join("models");
    let (code, text) = run(&[("FRONTDESK_MODELS", nowhere.to_str().expect("a path"))], &["serve"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("frontdesk models pull"), "missing models: {text}");

    let file = empty.path().join("frontdesk.toml");
    let bad = "[server]\nlisen = \"x\"\n[calls]\nmax = \"many\"\n[log]\nformat = \"yaml\"\n[surprise]\na = 1\n";
    std::fs::write(&file, bad).expect("written");
    let (code, text) = run(&[], &["--config", file.to_str().expect("a path"), "serve"]).await;
    assert_eq!(code, Some(2), "{text}");
    for wanted in
        ["3 problems", "did you mean server.listen?", "calls.max must be a whole number", "surprise is not known"]
    {
        assert!(text.contains(wanted), "{wanted:?} is missing: {text}");
    }
    let (code, text) = run(&[], &["--config", "/nowhere/frontdesk.toml", "serve"]).await;
    assert!(code == Some(2) && text.contains("/nowhere/frontdesk.toml"), "{code:?} {text}");
    std::fs::write(&file, "[server]\napi_token = \"planted-token\n").expect("written");
    let (code, text) = run(&[], &["--config", file.to_str().expect("a path"), "serve"]).await;
    assert!(code == Some(2) && !text.contains("planted-token"), "{code:?} {text}");
    assert_eq!(run(&[], &["serv"]).await.0, Some(2), "an unknown command");

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, text) = run(&[("FRONTDESK_SERVER_LISTEN", &address)], &["serve"]).await;
    assert!(code == Some(1) && text.contains(&address) && text.contains("--listen"), "{code:?} {text}");

    let cloud = [("DEEPGRAM_API_KEY", "k"), ("OPENAI_API_KEY", "k"), ("ELEVENLABS_API_KEY", "k")];
    let env = [&cloud[..], &[("FRONTDESK_DATA_DIR", "/dev/null/frontdesk")]].concat();
    let (code, text) = run(&env, &["serve"]).await;
    assert!(code == Some(1) && text.contains("/dev/null/frontdesk"), "{code:?} {text}");
}

/// A small disk of its own, where this process may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    async fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(dir.path());
        let mounted = mount.output().await.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a server that still holds a file does not keep it.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_recording_with_one_line_and_the_call_goes_on() {
    let Some(disk) = SmallDisk::mount("size=2m").await else {
        println!("skipped: a disk cannot be mounted here");
        return;
    };
    let world = world().await;
    let mut env = world.env();
    env.push(("FRONTDESK_DATA_DIR".into(), disk.0.path().to_string_lossy().into_owned()));
    let server = Server::start(&world.place, &env).await;
    let steady = world.call_in();
    steady.hears_greeting().await;
    let rest = std::fs::OpenOptions::new().create_new(true).write(true).open(disk.0.path().join("rest"));
    let mut rest = rest.expect("a file");
    while std::io::Write::write_all(&mut rest, &[0; 4096]).is_ok() {}
    for _ in 0..3 {
        steady.asks(QUESTION).await;
    }
    assert_eq!(server.metric("frontdesk_recording_failures_total", &[]).await, 1.0, "{}", server.log());
    let log = server.log();
    let said = log.lines().filter(|line| line.contains("the recording stopped")).count();
    assert_eq!(said, 1, "{log}");
    assert!(steady.leg(|leg| leg.closed.is_none()), "the call goes on");
    steady.0.hang_up().await;
    steady.0.finished(Duration::from_secs(10)).await.expect("it ends");
    poll(Duration::from_secs(60), "the end of the call", async || {
        (server.metric("frontdesk_calls_active", &[]).await == 0.0).then_some(())
    })
    .await;
    assert_discreet(&server.log());
    drop(rest);
}
