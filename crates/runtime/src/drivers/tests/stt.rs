use super::{Server, about, deadline, egress, gone, metrics, next, read_request, server, tasks};
use crate::drivers::{MakeStt, StreamStt};
use crate::service::{SttCommand, SttService, SttSession};
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Millis, limits};
use providers::stt::{SttEvent, SttOpen, SttProtocol};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

const FRAME: usize = 160;

struct Toy {
    url: String,
    keep_alive_ms: Option<u64>,
}

impl SttProtocol for Toy {
    fn connect(&mut self, _: &SttOpen) -> Connect {
        let headers = vec![Header::secret("authorization", "Token sk-secret")];
        Connect { headers, first: vec![Wire::Text("hello".into())], ..Connect::websocket(self.url.as_str()) }
    }
    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        out.push(Wire::Binary(pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()));
    }
    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        let Wire::Text(text) = message else { return };
        out.push(match text.split_once(':') {
            Some(("P", text)) => SttEvent::Partial { text: text.into() },
            Some(("F", text)) => SttEvent::Final { text: text.into(), finalized: false },
            Some(("Z", text)) => SttEvent::Final { text: text.into(), finalized: true },
            Some(("U", ms)) => SttEvent::Usage { audio_ms: ms.parse().unwrap_or(0) },
            _ => SttEvent::Failed(Failure::new(ErrorClass::Protocol, "garbage")),
        });
    }
    fn finalize(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("finalize".into()));
    }
    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("keep".into()));
    }
    fn keep_alive_ms(&self) -> Option<u64> {
        self.keep_alive_ms
    }
    fn close(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("bye".into()));
    }
    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        providers::answer::classify_status(status)
    }
}

fn service(server: &Server, keep_alive_ms: Option<u64>) -> StreamStt {
    let url = format!("ws://{}/stt", server.address);
    let make: MakeStt = Arc::new(move || Box::new(Toy { url: url.clone(), keep_alive_ms }));
    StreamStt::new("toy", make, egress())
}

fn open(service: &StreamStt) -> SttSession {
    service.open(SttOpen { sample_rate_hz: 8_000, language: "en".into(), hints: Vec::new(), now_unix_ms: 0 })
}

fn audio(value: i16) -> SttCommand {
    SttCommand::Audio(vec![value; FRAME].into())
}

fn frame(value: i16) -> Message {
    Message::binary([value; FRAME].iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
}

async fn failure(session: &mut SttSession) -> Failure {
    loop {
        if let SttEvent::Failed(failure) = next(&mut session.events).await {
            assert!(session.events.recv().await.is_none(), "nothing follows a failure");
            return failure;
        }
    }
}

#[tokio::test]
async fn speech_goes_in_words_come_out_and_dropping_the_stream_says_good_bye() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let before = tasks();
    let mut session = open(&service(&server, None));
    let mut peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    assert_eq!(peer.hear().await, Some(Message::text("hello")));
    session.commands.send(audio(7)).await.expect("taken");
    assert_eq!(peer.hear().await, Some(frame(7)));
    peer.say("P:one").await;
    assert_eq!(next(&mut session.events).await, SttEvent::Partial { text: "one".into() });
    session.commands.send(SttCommand::Speech(false)).await.expect("taken");
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    assert_eq!(peer.hear().await, Some(Message::text("finalize")));
    peer.say("Z:one two").await;
    assert_eq!(next(&mut session.events).await, SttEvent::Final { text: "one two".into(), finalized: true });
    drop(session);
    assert_eq!(peer.hear().await, Some(Message::text("bye")));
    assert!(matches!(peer.hear().await, Some(Message::Close(_))));
    assert_eq!(peer.hear().await, None);
    assert!(gone(before).await < Duration::from_millis(limits::CANCEL_MS_MAX));
    assert_eq!(measured.value("frontdesk_provider_requests_total", &["toy", "stt", "cancelled"]), 1.0);
    assert_eq!(measured.value("frontdesk_provider_latency_seconds_count", &["toy", "stt"]), 1.0);
}

#[tokio::test]
async fn a_peer_that_never_closes_is_left_behind_in_time() {
    let server = server().await;
    let before = tasks();
    let mut session = open(&service(&server, None));
    let peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    drop(session.commands);
    let took = gone(before).await;
    assert!(took < Duration::from_millis(limits::CANCEL_MS_MAX + 150), "{took:?}");
    assert_eq!(session.events.recv().await, None);
    drop(peer);
}

#[tokio::test]
async fn a_refused_upgrade_has_its_class_and_its_pause() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let mut session = open(&service(&server, None));
    let mut stream = server.accept().await;
    read_request(&mut stream).await;
    let reply = b"HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(reply).await.expect("sent");
    let failure = failure(&mut session).await;
    assert_eq!((failure.class, failure.retry_after), (ErrorClass::RateLimited, Some(Millis(2_000))));
    assert!(session.commands.send(audio(0)).await.is_err(), "nobody takes audio any more");
    assert_eq!(measured.value("frontdesk_provider_errors_total", &["toy", "stt", "rate_limited"]), 1.0);
    assert_eq!(measured.value("frontdesk_provider_requests_total", &["toy", "stt", "error"]), 1.0);
}

#[tokio::test]
async fn a_closed_port_and_a_black_hole_fail_within_the_deadline() {
    let closed = { server().await };
    let toy = service(&closed, None);
    drop(closed);
    assert_eq!(failure(&mut open(&toy)).await.class, ErrorClass::Unavailable);

    let hole = server().await;
    let before = tasks();
    let mut session = open(&service(&hole, None));
    let silent = hole.accept().await;
    let (failure, took) = deadline(failure(&mut session)).await;
    assert_eq!(failure.class, ErrorClass::Timeout);
    about(took, limits::CONNECT_MS_MAX);
    gone(before).await;
    drop(silent);
}

#[tokio::test]
async fn cancelling_while_connecting_leaves_nothing() {
    let hole = server().await;
    let before = tasks();
    let session = open(&service(&hole, None));
    let silent = hole.accept().await;
    drop(session);
    assert!(gone(before).await < Duration::from_millis(100));
    drop(silent);
}

#[tokio::test]
async fn the_last_second_of_audio_survives_a_slow_connection() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let session = open(&service(&server, None));
    let stream = server.accept().await;
    for value in 0..80 {
        session.commands.send(audio(value)).await.expect("taken");
    }
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    while session.commands.capacity() < limits::AUDIO_IN_FRAMES_MAX {
        tokio::task::yield_now().await;
    }
    let mut peer = super::Peer(tokio_tungstenite::accept_async(stream).await.expect("an upgrade"));
    assert_eq!(peer.hear().await, Some(Message::text("hello")));
    for value in 30..80 {
        assert_eq!(peer.hear().await, Some(frame(value)));
    }
    assert_eq!(peer.hear().await, Some(Message::text("finalize")));
    assert_eq!(measured.value("frontdesk_provider_audio_dropped_total", &["toy"]), 30.0);
}

#[tokio::test]
async fn a_stream_that_dies_in_silence_is_opened_again_unnoticed_and_once() {
    let server = server().await;
    let mut session = open(&service(&server, None));
    let mut peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    peer.say("U:500").await;
    peer.say("F:hello").await;
    assert_eq!(next(&mut session.events).await, SttEvent::Usage { audio_ms: 500 });
    assert!(matches!(next(&mut session.events).await, SttEvent::Final { .. }));
    peer.cut();
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("hello")));
    session.commands.send(audio(1)).await.expect("taken");
    assert_eq!(peer.hear().await, Some(frame(1)));
    peer.say("U:100").await;
    peer.say("F:again").await;
    assert_eq!(next(&mut session.events).await, SttEvent::Usage { audio_ms: 600 });
    assert_eq!(next(&mut session.events).await, SttEvent::Final { text: "again".into(), finalized: false });
    peer.cut();
    assert_eq!(failure(&mut session).await.class, ErrorClass::Protocol);
}

#[tokio::test]
async fn a_stream_that_dies_in_mid_speech_or_talks_garbage_fails() {
    let server = server().await;
    let toy = service(&server, None);
    let mut session = open(&toy);
    let mut peer = server.socket().await;
    peer.say("P:I would").await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    assert!(matches!(next(&mut session.events).await, SttEvent::Partial { .. }));
    peer.cut();
    assert_eq!(failure(&mut session).await.class, ErrorClass::Protocol);

    let mut session = open(&toy);
    let mut peer = server.socket().await;
    peer.say("P:I would").await;
    peer.say("what is this").await;
    assert_eq!(failure(&mut session).await.detail, "garbage");

    let mut session = open(&toy);
    let mut peer = server.socket().await;
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1008.into(), reason: "DATA-0000".into() };
    peer.say(Message::Close(Some(close))).await;
    let failure = failure(&mut session).await;
    assert_eq!((failure.class, failure.detail.as_str()), (ErrorClass::Invalid, "toy closed with 1008 (DATA-0000)"));
}

#[tokio::test]
async fn a_final_that_does_not_come_is_a_timeout() {
    let server = server().await;
    let mut session = open(&service(&server, None));
    let mut peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    assert_eq!(peer.hear().await, Some(Message::text("hello")));
    assert_eq!(peer.hear().await, Some(Message::text("finalize")));
    let (failure, took) = deadline(failure(&mut session)).await;
    assert_eq!(failure.class, ErrorClass::Timeout);
    about(took, limits::STT_FINAL_MS_MAX);
}

#[tokio::test]
async fn an_idle_stream_is_kept_alive() {
    let server = server().await;
    let session = open(&service(&server, Some(40)));
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("hello")));
    let began = tokio::time::Instant::now();
    assert_eq!(peer.hear().await, Some(Message::text("keep")));
    assert_eq!(peer.hear().await, Some(Message::text("keep")));
    assert!(began.elapsed() >= Duration::from_millis(60), "not in a tight loop: {:?}", began.elapsed());
    drop(session);
}

#[tokio::test]
async fn use_is_priced_over_all_of_a_session() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let is_audio = |price: &&providers::pricing::Price| price.unit == providers::pricing::Unit::AudioMs;
    let price = providers::pricing::prices().iter().find(is_audio).expect("a price of audio");
    let url = format!("ws://{}/stt", server.address);
    let make: MakeStt = Arc::new(move || Box::new(Toy { url: url.clone(), keep_alive_ms: None }));
    let service = StreamStt::new(&price.provider, make, egress()).priced_as(&price.model);
    let mut session = open(&service);
    let mut peer = server.socket().await;
    peer.say("U:30000").await;
    peer.say("U:60000").await;
    for _ in 0..3 {
        next(&mut session.events).await;
    }
    let cost = providers::pricing::stt_cost(&price.provider, &price.model, 60_000).expect("a cost");
    let counted = measured.value("frontdesk_provider_cost_usd_micros_total", &["stt"]);
    assert!((counted - cost.usd_micros as f64).abs() < 1.0, "{counted} instead of {cost}");
}
