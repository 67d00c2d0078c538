use super::{Server, about, deadline, egress, gone, metrics, next, read_request, server, tasks};
use crate::drivers::{MakeTts, StreamTts};
use crate::service::{TtsCommand, TtsService, TtsSession};
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure, limits};
use futures_util::SinkExt;
use providers::tts::{TtsEvent, TtsOpen, TtsProtocol};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

struct Toy {
    url: String,
}

impl TtsProtocol for Toy {
    fn connect(&mut self, _: &TtsOpen) -> Connect {
        Connect::websocket(self.url.as_str())
    }
    fn sample_rate_hz(&self) -> u32 {
        8_000
    }
    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        out.push(Wire::Text(text.into()));
    }
    fn flush(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("flush".into()));
    }
    fn cancel(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("cancel".into()));
    }
    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        out.push(match message {
            Wire::Binary(bytes) => TtsEvent::Audio { pcm: vec![0; bytes.len() / 2] },
            Wire::Text(text) if text == "segment" => TtsEvent::SegmentDone,
            Wire::Text(text) if text == "done" => TtsEvent::Done,
            _ => TtsEvent::Failed(Failure::new(ErrorClass::Protocol, "garbage")),
        });
    }
    fn on_close(&mut self, _: u16, _: &mut Vec<TtsEvent>) {}
    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        providers::answer::classify_status(status)
    }
}

fn open(server: &Server) -> TtsSession {
    let url = format!("ws://{}/tts", server.address);
    let make: MakeTts = Arc::new(move || Box::new(Toy { url: url.clone() }));
    StreamTts::new("toy", make, egress()).open(TtsOpen {
        sample_rate_hz: 8_000,
        language: "en".into(),
        voice: None,
        now_unix_ms: 0,
    })
}

async fn say(session: &TtsSession, text: &str) {
    session.commands.send(TtsCommand::Segment(text.into())).await.expect("taken");
}

async fn failure(session: &mut TtsSession) -> Failure {
    loop {
        if let TtsEvent::Failed(failure) = next(&mut session.events).await {
            assert!(session.events.recv().await.is_none(), "nothing follows a failure");
            return failure;
        }
    }
}

fn chunk() -> Message {
    Message::binary(vec![0; 320])
}

#[tokio::test]
async fn an_utterance_is_spoken_to_its_end() {
    let (server, measured) = (server().await, metrics());
    let _guard = ::metrics::set_default_local_recorder(&measured.recorder);
    let before = tasks();
    let mut session = open(&server);
    assert_eq!(session.sample_rate_hz, 8_000);
    say(&session, "One.").await;
    say(&session, "Two.").await;
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let mut peer = server.socket().await;
    for words in ["One.", "Two.", "flush"] {
        assert_eq!(peer.hear().await, Some(Message::text(words)));
    }
    peer.say(chunk()).await;
    peer.say("segment").await;
    peer.say("done").await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 160] });
    assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
    assert_eq!(next(&mut session.events).await, TtsEvent::Done);
    assert!(matches!(peer.hear().await, Some(Message::Close(_))));
    assert_eq!(peer.hear().await, None);
    assert_eq!(session.events.recv().await, None);
    gone(before).await;
    assert_eq!(measured.value("frontdesk_provider_requests_total", &["toy", "tts", "ok"]), 1.0);
    assert_eq!(measured.value("frontdesk_provider_latency_seconds_count", &["toy", "tts"]), 1.0);
}

#[tokio::test]
async fn an_utterance_without_text_is_done_at_once() {
    let server = server().await;
    let mut session = open(&server);
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let _peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert_eq!(next(&mut session.events).await, TtsEvent::Done);
}

#[tokio::test]
async fn an_interruption_sends_the_vendors_cancel_and_nothing_follows() {
    let server = server().await;
    let before = tasks();
    let mut session = open(&server);
    say(&session, "A long story.").await;
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("A long story.")));
    assert_eq!(peer.hear().await, Some(Message::text("flush")));
    peer.say(chunk()).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    drop(session);
    assert_eq!(peer.hear().await, Some(Message::text("cancel")));
    assert!(matches!(peer.hear().await, Some(Message::Close(_))));
    assert_eq!(peer.hear().await, None);
    assert!(gone(before).await < Duration::from_millis(limits::CANCEL_MS_MAX));
}

#[tokio::test]
async fn a_caller_who_listens_slowly_holds_the_provider_back() {
    const CHUNKS: usize = 400;
    let server = server().await;
    let before = tasks();
    let session = open(&server);
    say(&session, "Everything at once.").await;
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let mut peer = server.socket().await;
    let mut sent = 0;
    // 40 MB: more than all socket buffers hold.
    while sent < CHUNKS {
        let big = Message::binary(vec![0; 100_000]);
        if timeout(Duration::from_millis(200), peer.0.feed(big)).await.is_err() {
            break;
        }
        let _ = timeout(Duration::from_millis(200), peer.0.flush()).await;
        sent += 1;
    }
    assert!(sent < CHUNKS, "the provider was never held back");
    drop(session);
    let took = gone(before).await;
    assert!(
        took < Duration::from_millis(limits::CANCEL_MS_MAX + 150),
        "a peer that does not read is aborted: {took:?}"
    );
}

#[tokio::test]
async fn waiting_on_a_slow_listener_is_not_a_stall() {
    let server = server().await;
    let mut session = open(&server);
    say(&session, "Hello.").await;
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("Hello.")));
    assert_eq!(peer.hear().await, Some(Message::text("flush")));
    // With the event before them, one more than the queue holds: the last one waits for the listener.
    for _ in 0..limits::TTS_EVENTS_MAX {
        peer.say(chunk()).await;
    }
    let (_, _) = deadline(tokio::time::sleep(Duration::from_millis(3 * limits::TTS_GAP_MS_MAX))).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    for _ in 0..limits::TTS_EVENTS_MAX {
        assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    peer.say("done").await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Done);
}

#[tokio::test]
async fn audio_that_does_not_begin_or_stops_is_a_timeout() {
    let server = server().await;
    let mut session = open(&server);
    say(&session, "Hello.").await;
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("Hello.")));
    let (late, took) = deadline(failure(&mut session)).await;
    assert_eq!(late.class, ErrorClass::Timeout);
    about(took, limits::TTS_FIRST_AUDIO_MS_MAX);

    let mut session = open(&server);
    say(&session, "Hello.").await;
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("Hello.")));
    assert_eq!(peer.hear().await, Some(Message::text("flush")));
    peer.say(chunk()).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    let (late, took) = deadline(failure(&mut session)).await;
    assert_eq!(late.class, ErrorClass::Timeout);
    about(took, limits::TTS_GAP_MS_MAX);
}

#[tokio::test]
async fn a_pause_between_sentences_is_not_a_stall() {
    let server = server().await;
    let mut session = open(&server);
    say(&session, "One.").await;
    let mut peer = server.socket().await;
    assert_eq!(peer.hear().await, Some(Message::text("One.")));
    peer.say(chunk()).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    let (_, _) = deadline(tokio::time::sleep(Duration::from_millis(3 * limits::TTS_GAP_MS_MAX))).await;
    say(&session, "Two.").await;
    assert_eq!(peer.hear().await, Some(Message::text("Two.")));
    peer.say(chunk()).await;
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
}

#[tokio::test]
async fn a_cut_a_close_garbage_and_a_refusal_each_fail_in_their_class() {
    let server = server().await;
    let mut session = open(&server);
    say(&session, "Hello.").await;
    let mut peer = server.socket().await;
    peer.say(chunk()).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    peer.cut();
    assert_eq!(failure(&mut session).await.class, ErrorClass::Protocol);

    let mut session = open(&server);
    let mut peer = server.socket().await;
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1011.into(), reason: "".into() };
    peer.say(Message::Close(Some(close))).await;
    assert_eq!(failure(&mut session).await.class, ErrorClass::Unavailable);

    let mut session = open(&server);
    let mut peer = server.socket().await;
    peer.say("what is this").await;
    assert_eq!(failure(&mut session).await.detail, "garbage");

    let mut session = open(&server);
    let mut stream = server.accept().await;
    read_request(&mut stream).await;
    let reply = b"HTTP/1.1 401 No\r\nContent-Length: 25\r\n\r\n{\"error\":\"invalid_api_key\"}";
    stream.write_all(reply).await.expect("sent");
    assert_eq!(failure(&mut session).await.class, ErrorClass::Auth);
}

fn service(server: &Server) -> StreamTts {
    let url = format!("ws://{}/tts", server.address);
    let make: MakeTts = Arc::new(move || Box::new(Toy { url: url.clone() }));
    StreamTts::new("toy", make, egress())
}

fn english() -> TtsOpen {
    TtsOpen { sample_rate_hz: 8_000, language: "en".into(), voice: None, now_unix_ms: 0 }
}

#[tokio::test]
async fn an_utterance_speaks_over_the_conversation_that_was_opened_for_it() {
    let server = server().await;
    let service = service(&server);
    let before = tasks();
    service.open_ahead(&english(), |_| true);
    service.open_ahead(&english(), |_| true); // A brain that is asked again a moment later opens no second one.
    let mut peer = server.socket().await;
    let mut session = service.open(english());
    say(&session, "Yes.").await;
    assert_eq!(peer.hear().await, Some(Message::text("Yes.")), "over the same socket");
    peer.say(chunk()).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 160] });
    drop((session, peer));
    gone(before).await;

    // The next one finds none, another voice never would have.
    let mut other = service.open(TtsOpen { voice: Some("other".into()), ..english() });
    let _peer = server.socket().await;
    assert_eq!(next(&mut other.events).await, TtsEvent::Started);
}

#[tokio::test]
async fn a_conversation_that_the_vendor_did_not_keep_is_opened_anew() {
    let server = server().await;
    let service = service(&server);
    let before = tasks();
    service.open_ahead(&english(), |_| true);
    drop(server.socket().await);
    gone(before).await;
    let mut session = service.open(english());
    let mut peer = server.socket().await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    say(&session, "Yes.").await;
    assert_eq!(peer.hear().await, Some(Message::text("Yes.")));
}

#[tokio::test]
async fn a_server_near_by_is_asked_when_it_is_needed() {
    let server = server().await;
    let service = service(&server);
    let before = tasks();
    service.warm(&english());
    assert_eq!(tasks(), before, "a handshake without encryption costs nothing");
}
