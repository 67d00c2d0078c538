//! A gRPC server that a test drives call by call, and conversations over calls and over requests.

use super::{Server, deadline, egress, gone, next, read_request, server, tasks};
use crate::drivers::{MakeStt, MakeTts, StreamStt, StreamTts};
use crate::service::{SttCommand, SttService, SttSession, TtsCommand, TtsService, TtsSession};
use base::wire::{Connect, Header, HttpRequest, Method, Transport, Wire};
use base::{ErrorClass, Failure, limits};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use providers::stt::{SttEvent, SttOpen, SttProtocol};
use providers::tts::{TtsEvent, TtsOpen, TtsProtocol};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Piece = Result<Frame<Bytes>, io::Error>;

/// One call, as the server sees it.
pub(super) struct Call {
    pub(super) path: String,
    pub(super) headers: http::HeaderMap,
    request: Incoming,
    unread: BytesMut,
    answer: mpsc::Sender<Piece>,
}

/// A connection over which calls come.
pub(super) struct Calls(mpsc::Receiver<Call>);

/// Takes a connection and serves it with this HTTP status.
pub(super) async fn calls(server: &Server, status: u16) -> Calls {
    let stream = server.accept().await;
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let sender = sender.clone();
            async move {
                let (answer, pieces) = mpsc::channel::<Piece>(16);
                let (head, request) = request.into_parts();
                let (path, headers) = (head.uri.path().to_owned(), head.headers);
                let call = Call { path, headers, request, unread: BytesMut::new(), answer };
                sender.send(call).await.map_err(io::Error::other)?;
                let pieces = futures_util::stream::unfold(pieces, |mut pieces| async move {
                    pieces.recv().await.map(|piece| (piece, pieces))
                });
                let answer = http::Response::builder().status(status).header("content-type", "application/grpc");
                answer.body(StreamBody::new(pieces)).map_err(io::Error::other)
            }
        });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    });
    Calls(receiver)
}

impl Calls {
    pub(super) async fn call(&mut self) -> Call {
        timeout(Duration::from_secs(5), self.0.recv()).await.expect("a call in time").expect("a call")
    }
}

impl Call {
    /// The next message; `None` when no more will come.
    pub(super) async fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.unread.len() >= 5 {
                let length =
                    u32::from_be_bytes([self.unread[1], self.unread[2], self.unread[3], self.unread[4]]) as usize;
                if self.unread.len() >= 5 + length {
                    self.unread.advance(5);
                    return Some(self.unread.split_to(length).to_vec());
                }
            }
            let frame = timeout(Duration::from_secs(5), self.request.frame()).await.expect("a message in time")?;
            self.unread.extend_from_slice(frame.ok()?.data_ref()?);
        }
    }

    pub(super) async fn raw(&self, bytes: impl Into<Bytes>) {
        self.answer.send(Ok(Frame::data(bytes.into()))).await.expect("sent");
    }

    pub(super) async fn say(&self, message: &str) {
        let mut bytes = vec![0];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message.as_bytes());
        self.raw(bytes).await;
    }

    pub(super) async fn finish(self, status: u16, message: &'static str) {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", status.into());
        trailers.insert("grpc-message", http::HeaderValue::from_static(message));
        self.answer.send(Ok(Frame::trailers(trailers))).await.expect("sent");
    }

    pub(super) async fn cut(self) {
        let _ = self.answer.send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).await;
    }
}

/// Speaks whichever transport it is told. Words of the service: `P:`, `F:`, `U:`.
pub(super) struct Toy {
    pub(super) url: String,
    pub(super) transport: Transport,
    pub(super) audio: Vec<u8>,
    pub(super) segments: usize,
    pub(super) flushed: bool,
}

impl Toy {
    fn connection(&self) -> Connect {
        let headers = vec![Header::secret("authorization", "Bearer sk-secret")];
        Connect { transport: self.transport, headers, ..Connect::http(self.url.as_str()) }
    }

    fn request(&self, body: Vec<u8>) -> Wire {
        let headers = vec![Header::secret("authorization", "Bearer sk-secret")];
        Wire::Request(Box::new(HttpRequest { method: Method::Post, url: self.url.clone(), headers, body }))
    }
}

impl SttProtocol for Toy {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        assert!(open.now_unix_ms > 1_700_000_000_000, "the driver tells the time");
        self.connection()
    }
    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        let bytes = pcm.iter().flat_map(|sample| sample.to_le_bytes());
        match self.transport {
            Transport::Http => self.audio.extend(bytes),
            _ => out.push(Wire::Binary(bytes.collect())),
        }
    }
    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        match message {
            Wire::Binary(bytes) => match (std::str::from_utf8(bytes).unwrap_or_default()).split_once(':') {
                Some(("P", text)) => out.push(SttEvent::Partial { text: text.into() }),
                Some(("F", text)) => out.push(SttEvent::Final { text: text.into(), finalized: false }),
                _ => out.push(SttEvent::Failed(Failure::new(ErrorClass::Protocol, "garbage"))),
            },
            Wire::End => out.push(SttEvent::Final { text: String::new(), finalized: true }),
            _ => {}
        }
    }
    fn finalize(&mut self, out: &mut Vec<Wire>) {
        match self.transport {
            Transport::Http if self.audio.is_empty() => {}
            Transport::Http => {
                let body = std::mem::take(&mut self.audio);
                out.push(self.request(body));
            }
            _ => out.push(Wire::End),
        }
    }
    fn keep_alive(&mut self, _: &mut Vec<Wire>) {}
    fn keep_alive_ms(&self) -> Option<u64> {
        None
    }
    fn close(&mut self, _: &mut Vec<Wire>) {}
    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        providers::answer::classify_status(status)
    }
}

impl TtsProtocol for Toy {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        assert!(open.now_unix_ms > 1_700_000_000_000, "the driver tells the time");
        self.connection()
    }
    fn sample_rate_hz(&self) -> u32 {
        8_000
    }
    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        self.segments += 1;
        out.push(if self.transport == Transport::Http { self.request(text.into()) } else { Wire::Binary(text.into()) });
    }
    fn flush(&mut self, out: &mut Vec<Wire>) {
        self.flushed = true;
        if self.transport == Transport::Grpc {
            out.push(Wire::End);
        }
    }
    fn cancel(&mut self, _: &mut Vec<Wire>) {}
    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        match message {
            Wire::Binary(bytes) if bytes.starts_with(b"}{") => {
                out.push(TtsEvent::Failed(Failure::new(ErrorClass::Protocol, "garbage")));
            }
            Wire::Binary(bytes) => out.push(TtsEvent::Audio { pcm: vec![0; bytes.len() / 2] }),
            Wire::End => {
                out.push(TtsEvent::SegmentDone);
                self.segments -= 1;
                if self.flushed && (self.segments == 0 || self.transport == Transport::Grpc) {
                    out.push(TtsEvent::Done);
                }
            }
            _ => {}
        }
    }
    fn on_close(&mut self, _: u16, _: &mut Vec<TtsEvent>) {}
    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        providers::answer::classify_status(status)
    }
}

fn toy(url: String, transport: Transport) -> Toy {
    Toy { url, transport, audio: Vec::new(), segments: 0, flushed: false }
}

pub(super) fn listen(address: &str, transport: Transport) -> SttSession {
    let url = format!("http://{address}/toy.Ears/Hear");
    let make: MakeStt = Arc::new(move || Box::new(toy(url.clone(), transport)));
    let open = SttOpen { sample_rate_hz: 8_000, language: "en".into(), hints: Vec::new(), now_unix_ms: 0 };
    StreamStt::new("toy", make, egress()).open(open)
}

pub(super) fn speak(address: &str, transport: Transport) -> TtsSession {
    let url = format!("http://{address}/toy.Mouth/Say");
    let make: MakeTts = Arc::new(move || Box::new(toy(url.clone(), transport)));
    let open = TtsOpen { sample_rate_hz: 8_000, language: "en".into(), voice: None, now_unix_ms: 0 };
    StreamTts::new("toy", make, egress()).open(open)
}

async fn tell(session: &SttSession, command: SttCommand) {
    session.commands.send(command).await.expect("taken");
}

fn frame(value: i16) -> SttCommand {
    SttCommand::Audio(vec![value; 4].into())
}

fn partial(text: &str) -> SttEvent {
    SttEvent::Partial { text: text.into() }
}

fn last(text: &str, finalized: bool) -> SttEvent {
    SttEvent::Final { text: text.into(), finalized }
}

#[tokio::test]
async fn speech_over_a_call_ends_with_each_finalize_and_goes_on_over_the_next_call() {
    let server = server().await;
    let mut session = listen(&server.address, Transport::Grpc);
    let mut calls = calls(&server, 200).await;
    let mut call = calls.call().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    assert_eq!(call.path, "/toy.Ears/Hear");
    assert_eq!(call.headers["authorization"], "Bearer sk-secret");
    tell(&session, frame(1)).await;
    assert_eq!(call.hear().await, Some(vec![1, 0, 1, 0, 1, 0, 1, 0]));
    call.say("P:where is").await;
    assert_eq!(next(&mut session.events).await, partial("where is"));
    tell(&session, SttCommand::Finalize).await;
    assert_eq!(call.hear().await, None, "a half-close");
    // The caller goes on before the last words are in.
    tell(&session, frame(2)).await;
    tell(&session, frame(3)).await;
    call.say("F:where is my order").await;
    call.finish(0, "").await;
    assert_eq!(next(&mut session.events).await, last("where is my order", false));
    assert_eq!(next(&mut session.events).await, last("", true));
    let mut second = calls.call().await;
    assert_eq!(second.hear().await, Some(vec![2, 0, 2, 0, 2, 0, 2, 0]));
    assert_eq!(second.hear().await, Some(vec![3, 0, 3, 0, 3, 0, 3, 0]));
    second.say("P:and").await;
    assert_eq!(next(&mut session.events).await, partial("and"));
}

#[tokio::test]
async fn whole_utterances_over_http_are_answered_at_each_finalize() {
    let server = server().await;
    let mut session = listen(&server.address, Transport::Http);
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    tell(&session, SttCommand::Finalize).await;
    assert_eq!(next(&mut session.events).await, last("", true), "nothing was said, and nobody was asked");
    tell(&session, frame(1)).await;
    tell(&session, SttCommand::Finalize).await;
    let mut stream = server.accept().await;
    let request = read_request(&mut stream).await;
    assert!(request.ends_with("\u{1}\0\u{1}\0\u{1}\0\u{1}\0"), "{request:?}");
    answer(&mut stream, "F:where is my order").await;
    assert_eq!(next(&mut session.events).await, last("where is my order", false));
    assert_eq!(next(&mut session.events).await, last("", true));
}

async fn answer(stream: &mut TcpStream, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).await.expect("sent");
}

#[tokio::test]
async fn sentences_over_http_are_fetched_ahead_and_come_in_order() {
    let server = server().await;
    let before = tasks();
    let mut session = speak(&server.address, Transport::Http);
    for text in ["One.", "Two.", "Three."] {
        session.commands.send(TtsCommand::Segment(text.into())).await.expect("taken");
    }
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    let (mut one, mut two) = (server.accept().await, server.accept().await);
    let asked = read_request(&mut one).await;
    assert!(read_request(&mut two).await.ends_with("Two.") || asked.ends_with("Two."));
    if asked.ends_with("Two.") {
        std::mem::swap(&mut one, &mut two);
    }
    answer(&mut two, "22").await;
    answer(&mut one, "1111").await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 2] });
    assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 1] });
    assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
    let mut again = tokio::select! {
        asked = read_request(&mut one) => { assert!(asked.ends_with("Three."), "{asked}"); one }
        asked = read_request(&mut two) => { assert!(asked.ends_with("Three."), "{asked}"); two }
    };
    answer(&mut again, "333333").await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 3] });
    assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
    assert_eq!(next(&mut session.events).await, TtsEvent::Done);
    drop((session, again));
    gone(before).await;
}

#[tokio::test]
async fn an_utterance_over_a_call_is_spoken_to_its_end_and_the_connection_serves_the_next() {
    let server = server().await;
    let url = format!("http://{}/toy.Mouth/Say", server.address);
    let make: MakeTts = Arc::new(move || Box::new(toy(url.clone(), Transport::Grpc)));
    let service = StreamTts::new("toy", make, egress());
    let open = TtsOpen { sample_rate_hz: 8_000, language: "en".into(), voice: None, now_unix_ms: 0 };
    let mut session = service.open(open.clone());
    let mut calls = calls(&server, 200).await;
    for turn in 0..2 {
        session.commands.send(TtsCommand::Segment("Hello.".into())).await.expect("taken");
        session.commands.send(TtsCommand::Flush).await.expect("taken");
        let mut call = calls.call().await;
        assert_eq!(next(&mut session.events).await, TtsEvent::Started);
        assert_eq!(call.hear().await.as_deref(), Some(&b"Hello."[..]));
        assert_eq!(call.hear().await, None);
        call.say("audio!").await;
        call.finish(0, "").await;
        assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![0; 3] });
        assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
        assert_eq!(next(&mut session.events).await, TtsEvent::Done);
        if turn == 0 {
            session = service.open(open.clone());
        }
    }
}

#[tokio::test]
async fn an_interruption_drops_the_call_and_the_requests() {
    let server = server().await;
    let mut session = speak(&server.address, Transport::Grpc);
    let mut calls = calls(&server, 200).await;
    session.commands.send(TtsCommand::Segment("Hello.".into())).await.expect("taken");
    let mut call = calls.call().await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    assert!(call.hear().await.is_some());
    drop(session);
    let reset = timeout(Duration::from_millis(limits::CANCEL_MS_MAX), call.answer.closed()).await;
    reset.expect("the stream is reset");

    let mut session = speak(&server.address, Transport::Http);
    session.commands.send(TtsCommand::Segment("Hello.".into())).await.expect("taken");
    let mut stream = server.accept().await;
    read_request(&mut stream).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Started);
    drop(session);
    let mut rest = [0];
    let closed =
        timeout(Duration::from_millis(limits::CANCEL_MS_MAX), tokio::io::AsyncReadExt::read(&mut stream, &mut rest));
    assert_eq!(closed.await.expect("in time").unwrap_or(0), 0, "the connection is closed");
}

#[tokio::test]
async fn a_server_that_stops_reading_does_not_hold_us() {
    let server = server().await;
    let mut session = listen(&server.address, Transport::Grpc);
    let mut calls = calls(&server, 200).await;
    let call = calls.call().await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    let commands = session.commands.clone();
    let pushing =
        tokio::spawn(async move { while commands.send(SttCommand::Audio(vec![0; 16_000].into())).await.is_ok() {} });
    let failed = async {
        loop {
            if let SttEvent::Failed(failure) = session.events.recv().await.expect("an event") {
                break failure;
            }
        }
    };
    let (failure, _) = deadline(failed).await;
    assert_eq!(failure.class, ErrorClass::Timeout, "{failure}");
    pushing.await.expect("the queue is closed");
    drop(call);
}
