//! Every way to fail, over every transport and at both stages: the right class, in time.

use super::calls::{calls, listen, speak};
use super::{Server, deadline, next, read_request, server};
use crate::service::{SttCommand, SttSession, TtsCommand, TtsSession};
use base::wire::Transport;
use base::{ErrorClass, Failure, Millis, limits};
use providers::stt::SttEvent;
use providers::tts::TtsEvent;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What no future may outlive its deadline by.
const LATE_MS_MAX: u64 = 250;

#[derive(Clone, Copy, Debug)]
enum Fault {
    ClosedPort,
    /// Accepts and says nothing.
    BlackHole,
    /// Takes the request or the call and never answers it.
    Silent,
    /// Says no.
    Status(u16),
    /// Ends in the middle.
    Cut,
    /// Begins and does not go on.
    Stall,
    /// Bytes that the transport does not allow.
    Garbage,
    /// A message that the vendor's protocol does not allow.
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Stt,
    Tts,
}

const FAULTS: [Fault; 11] = [
    Fault::ClosedPort,
    Fault::BlackHole,
    Fault::Silent,
    Fault::Status(401),
    Fault::Status(429),
    Fault::Status(400),
    Fault::Status(503),
    Fault::Cut,
    Fault::Stall,
    Fault::Garbage,
    Fault::Nonsense,
];

/// The class, and the deadline that it must keep.
fn expected(fault: Fault, transport: Transport, stage: Stage) -> (ErrorClass, u64) {
    let answer_ms = if stage == Stage::Stt { limits::STT_FINAL_MS_MAX } else { limits::TTS_FIRST_AUDIO_MS_MAX };
    match fault {
        Fault::ClosedPort => (ErrorClass::Unavailable, 0),
        // Over HTTP nothing is opened before something is asked.
        Fault::BlackHole if transport == Transport::Grpc => (ErrorClass::Timeout, limits::CONNECT_MS_MAX),
        Fault::BlackHole | Fault::Silent => (ErrorClass::Timeout, answer_ms),
        Fault::Status(401) => (ErrorClass::Auth, 0),
        Fault::Status(429) => (ErrorClass::RateLimited, 0),
        Fault::Status(400) => (ErrorClass::Invalid, 0),
        Fault::Status(_) => (ErrorClass::Unavailable, 0),
        Fault::Cut | Fault::Garbage | Fault::Nonsense => (ErrorClass::Protocol, 0),
        Fault::Stall if stage == Stage::Stt => (ErrorClass::Timeout, limits::STT_FINAL_MS_MAX),
        Fault::Stall => (ErrorClass::Timeout, limits::TTS_GAP_MS_MAX),
    }
}

enum Session {
    Stt(SttSession),
    Tts(TtsSession),
}

impl Session {
    async fn open(address: &str, transport: Transport, stage: Stage) -> Self {
        match stage {
            Stage::Stt => {
                let session = listen(address, transport);
                session.commands.send(SttCommand::Audio(vec![1; 160].into())).await.expect("taken");
                session.commands.send(SttCommand::Finalize).await.expect("taken");
                Self::Stt(session)
            }
            Stage::Tts => {
                let session = speak(address, transport);
                session.commands.send(TtsCommand::Segment("Hello.".into())).await.expect("taken");
                session.commands.send(TtsCommand::Flush).await.expect("taken");
                Self::Tts(session)
            }
        }
    }

    async fn failure(&mut self) -> Failure {
        loop {
            let failure = match self {
                Self::Stt(session) => match session.events.recv().await.expect("an event") {
                    SttEvent::Failed(failure) => failure,
                    _ => continue,
                },
                Self::Tts(session) => match session.events.recv().await.expect("an event") {
                    TtsEvent::Failed(failure) => failure,
                    _ => continue,
                },
            };
            match self {
                Self::Stt(session) => assert!(session.events.recv().await.is_none(), "nothing follows"),
                Self::Tts(session) => assert!(session.events.recv().await.is_none(), "nothing follows"),
            }
            return failure;
        }
    }

    /// The first piece of an answer has come.
    async fn begun(&mut self) {
        match self {
            Self::Stt(session) => while !matches!(next(&mut session.events).await, SttEvent::Partial { .. }) {},
            Self::Tts(session) => while !matches!(next(&mut session.events).await, TtsEvent::Audio { .. }) {},
        }
    }
}

/// What a server holds while a fault lasts.
type Held = Box<dyn std::any::Any + Send>;

async fn over_http(server: &Server, fault: Fault, session: &mut Session) -> Held {
    let mut stream = server.accept().await;
    if matches!(fault, Fault::BlackHole) {
        return Box::new(stream);
    }
    read_request(&mut stream).await;
    let begin = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    match fault {
        Fault::Status(status) => {
            let text = format!("HTTP/1.1 {status} No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(text.as_bytes()).await.expect("sent");
        }
        Fault::Cut | Fault::Stall => {
            stream.write_all(format!("{}P:a", begin(1_000)).as_bytes()).await.expect("sent");
            session.begun().await;
            if matches!(fault, Fault::Cut) {
                reset(stream);
                return Box::new(());
            }
        }
        Fault::Garbage => stream.write_all(b"}{ is this the protocol?\r\n\r\n").await.expect("sent"),
        Fault::Nonsense => stream.write_all(format!("{}}}{{", begin(2)).as_bytes()).await.expect("sent"),
        _ => {}
    }
    Box::new(stream)
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().expect("a reset instead of a close");
}

async fn over_grpc(server: &Server, fault: Fault, session: &mut Session) -> Held {
    match fault {
        Fault::BlackHole => return Box::new(server.accept().await),
        Fault::Garbage => {
            let mut stream = server.accept().await;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("sent");
            return Box::new(stream);
        }
        _ => {}
    }
    let mut calls = calls(server, 200).await;
    let mut call = calls.call().await;
    call.hear().await;
    match fault {
        Fault::Status(status) => {
            let code = match status {
                401 => 16,
                429 => 8,
                400 => 3,
                _ => 14,
            };
            call.finish(code, "no").await;
            return Box::new(calls);
        }
        Fault::Cut | Fault::Stall => {
            call.say("P:a").await;
            session.begun().await;
            if matches!(fault, Fault::Cut) {
                call.cut().await;
                return Box::new(calls);
            }
        }
        Fault::Nonsense => call.say("}{").await,
        _ => {}
    }
    Box::new((calls, call))
}

async fn one(fault: Fault, transport: Transport, stage: Stage) {
    let what = format!("{fault:?} over {transport:?} at {stage:?}");
    let (class, deadline_ms) = expected(fault, transport, stage);
    let server = server().await;
    let address = server.address.clone();
    let mut server = Some(server);
    if matches!(fault, Fault::ClosedPort) {
        server = None;
    }
    let mut session = Session::open(&address, transport, stage).await;
    let held: Held = match (&server, transport) {
        (None, _) => Box::new(()),
        (Some(server), Transport::Grpc) => over_grpc(server, fault, &mut session).await,
        (Some(server), _) => over_http(server, fault, &mut session).await,
    };
    let (failure, took) = if deadline_ms > 0 {
        deadline(session.failure()).await
    } else {
        let began = tokio::time::Instant::now();
        let failure = tokio::time::timeout(Duration::from_secs(5), session.failure()).await;
        (failure.unwrap_or_else(|_| panic!("{what}: no failure")), began.elapsed())
    };
    drop(held);
    assert_eq!(failure.class, class, "{what}: {failure}");
    let took_ms = took.as_millis() as u64;
    assert!(took_ms <= deadline_ms + LATE_MS_MAX, "{what}: {took_ms} ms instead of {deadline_ms} ms");
    if matches!(fault, Fault::Status(429)) && transport == Transport::Http {
        assert_eq!(failure.retry_after, Some(Millis(7_000)), "{what}");
    }
    assert!(!failure.detail.contains("sk-secret"), "{what}: {failure}");
}

#[tokio::test]
async fn every_fault_over_every_transport_ends_in_its_class_and_in_time() {
    for transport in [Transport::Http, Transport::Grpc] {
        for stage in [Stage::Stt, Stage::Tts] {
            for fault in FAULTS {
                one(fault, transport, stage).await;
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_that_speaks_no_grpc_refuses_by_its_status() {
    for (status, class) in [(401, ErrorClass::Auth), (429, ErrorClass::RateLimited), (503, ErrorClass::Unavailable)] {
        let server = server().await;
        let mut session = Session::open(&server.address, Transport::Grpc, Stage::Tts).await;
        let mut calls = calls(&server, status).await;
        drop(calls.call().await);
        assert_eq!(session.failure().await.class, class);
    }
}
