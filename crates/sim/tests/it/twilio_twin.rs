//! The twin against our codecs on a small host, over real sockets.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use base::MarkId;
use base::wire::Wire;
use carriers::protocol::{
    Answer, Authenticity, CallAction, CarrierControl as _, Inbound, MediaCommand, MediaEvent, MediaProtocol as _,
    MediaSink, StatusReport, Way,
};
use carriers::twilio::{TwilioControl, TwilioMedia, TwilioOptions};
use model::call::CallState;
use sim::twins::twilio::{Callee, RestFault, StatusDelivery, TwilioTwin, TwinOptions, Verb};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "sekret";
const SOON: Duration = Duration::from_secs(10);

/// What the host saw.
#[derive(Default)]
struct Seen {
    reports: Vec<StatusReport>,
    replay_keys: Vec<String>,
    events: Vec<MediaEvent>,
    pcm: Vec<i16>,
}

struct Host {
    control: TwilioControl,
    address: std::net::SocketAddr,
    seen: Mutex<Seen>,
}

impl Host {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let control = TwilioControl::new(TwilioOptions::new(ACCOUNT, TOKEN));
        let host = Arc::new(Self { control, address, seen: Mutex::default() });
        let router = Router::new()
            .route("/voice", post(voice))
            .route("/status", post(status))
            .route("/media", get(media))
            .with_state(host.clone());
        // Without it the second frame of a burst waits for the caller's next packet: 20 ms of silence.
        let listener = listener.tap_io(|tcp| tcp.set_nodelay(true).expect("a TCP socket"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        host
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().expect("nobody panicked"))
    }

    /// Whether the request is the twin's; then also what the codec makes of it.
    fn genuine<T>(
        &self,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        ask: impl FnOnce(&TwilioControl, &Inbound<'_>) -> T,
    ) -> Option<T> {
        let url = self.url(path);
        let headers: Vec<(&str, &str)> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let inbound = Inbound { method, url: &url, headers: &headers, body, received_at_ms: 0 };
        match self.control.authenticate(&inbound) {
            Authenticity::Genuine { replay_key } => {
                self.seen(|seen| seen.replay_keys.extend(replay_key));
                Some(ask(&self.control, &inbound))
            }
            _ => None,
        }
    }
}

async fn voice(State(host): State<Arc<Host>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.to_string();
    let call = host.genuine("POST", &path, &headers, &body, |control, inbound| control.inbound_call(inbound));
    let Some(Ok(call)) = call else { return StatusCode::FORBIDDEN.into_response() };
    let answer = if call.resumed {
        Answer::SayAndHangUp { text: "Goodbye & <thanks>".into() }
    } else {
        Answer::Connect {
            media_url: format!("ws://{}/media", host.address),
            token: "t-1".into(),
            next_url: host.url("/voice?leg=2"),
        }
    };
    let reply = host.control.answer(&call, &answer);
    ([(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response()
}

async fn status(State(host): State<Arc<Host>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let report = host.genuine("POST", &uri.to_string(), &headers, &body, |control, inbound| control.status(inbound));
    let Some(Ok(report)) = report else { return StatusCode::FORBIDDEN };
    host.seen(|seen| seen.reports.extend(report));
    StatusCode::NO_CONTENT
}

async fn media(State(host): State<Arc<Host>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    match host.genuine("GET", "/media", &headers, b"", |_, _| ()) {
        Some(()) => upgrade.on_upgrade(move |socket| talk(host, socket)),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

/// Greets with a second of audio between two marks; key 1 clears, key 2 closes.
async fn talk(host: Arc<Host>, mut socket: WebSocket) {
    let mut codec = TwilioMedia::new();
    while let Some(Ok(message)) = socket.recv().await {
        let mut sink = MediaSink::default();
        match &message {
            Message::Text(text) => codec.on_text(text, &mut sink),
            Message::Binary(bytes) => codec.on_binary(bytes, &mut sink),
            _ => continue,
        }
        let mut out = Vec::new();
        for event in &sink.events {
            match event {
                MediaEvent::Started(_) => {
                    (0..10).for_each(|_| codec.on_command(MediaCommand::Audio(&[9000; 160]), &mut out));
                    codec.on_command(MediaCommand::Mark(MarkId(1)), &mut out);
                    (0..40).for_each(|_| codec.on_command(MediaCommand::Audio(&[9000; 160]), &mut out));
                    codec.on_command(MediaCommand::Mark(MarkId(2)), &mut out);
                }
                MediaEvent::Dtmf(key) if *key.expose() == '1' => codec.on_command(MediaCommand::Clear, &mut out),
                MediaEvent::Dtmf(_) => out.push(Wire::Close(1000, "done".into())),
                MediaEvent::Violation { code, why } => out.push(Wire::Close(*code, (*why).into())),
                _ => {}
            }
        }
        host.seen(|seen| {
            seen.events.extend(sink.events);
            seen.pcm.extend(sink.pcm);
        });
        for wire in out {
            let message = match wire {
                Wire::Text(text) => Message::Text(text.into()),
                Wire::Binary(bytes) => Message::Binary(bytes.into()),
                Wire::Close(code, reason) => {
                    let reason = reason.into_owned().into();
                    Message::Close(Some(axum::extract::ws::CloseFrame { code, reason }))
                }
                Wire::Request(_) | Wire::End => continue,
            };
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

async fn twin(change: impl FnOnce(&mut TwinOptions)) -> TwilioTwin {
    let mut options = TwinOptions::new(ACCOUNT, TOKEN);
    change(&mut options);
    TwilioTwin::start(options).await.expect("the twin starts")
}

#[tokio::test]
async fn an_interrupted_greeting_is_heard_up_to_the_interruption() {
    let host = Host::start().await;
    let twin = twin(|options| options.status_url = Some(host.url("/status"))).await;
    let call = twin.place_call(&host.url("/voice"));
    call.speak(vec![5000; 1600]).await;
    call.until(SOON, "the first mark", |record| record.leg().is_some_and(|leg| !leg.marks.is_empty()))
        .await
        .expect("heard");
    call.press('1').await;
    call.until(SOON, "the clear", |record| record.leg().is_some_and(|leg| !leg.clears.is_empty()))
        .await
        .expect("cleared");
    call.press('2').await;
    call.finished(SOON).await.expect("over");

    call.record(|record| {
        let leg = &record.legs[0];
        let (cleared_at, dropped) = leg.clears[0];
        assert_eq!(leg.errors, Vec::<String>::new());
        assert_eq!(leg.closed, Some(Some(1000)));
        assert_eq!(leg.marks.len(), 1, "the second mark was cleared, not played");
        assert_eq!(leg.frames_received, 50);
        let spans = leg.playout.spans();
        assert_eq!(spans.len(), 1, "no gap within the greeting: {spans:?}");
        let heard = spans[0].to_ms - spans[0].from_ms;
        assert!((heard + dropped).abs_diff(1000) <= 2, "heard {heard} ms, dropped {dropped} ms");
        assert!(spans[0].to_ms.abs_diff(cleared_at) <= 2, "silence begins with the clear");
        assert_eq!(record.said, ["Goodbye & <thanks>"]);
        assert_eq!(record.webhooks.len(), 2);
        assert!(record.webhooks[1].url.ends_with("/voice?leg=2&resumed=1"));
        assert_eq!(record.webhooks[1].answer.as_ref().expect("valid")[1], Verb::Hangup);
        assert_eq!((record.status, record.faults.len()), ("completed", 0));
        assert_eq!(record.reports, [("completed".to_owned(), 204)]);
    });
    host.seen(|seen| {
        let marks = seen.events.iter().filter(|event| matches!(event, MediaEvent::Mark(_))).collect::<Vec<_>>();
        assert_eq!(marks, [&MediaEvent::Mark(MarkId(1))], "the echo of the cleared mark is no news");
        let loud = seen.pcm.iter().filter(|sample| **sample > 4000).count();
        assert_eq!(loud, 1600, "every word of the caller arrived once");
        assert_eq!(seen.reports[0].state, CallState::Completed);
    });
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_stream_and_the_call() {
    let host = Host::start().await;
    let twin = twin(|_| {}).await;
    let call = twin.place_call(&host.url("/voice"));
    call.until(SOON, "audio", |record| record.leg().is_some_and(|leg| leg.frames_received > 0)).await.expect("heard");
    call.hang_up().await;
    call.finished(SOON).await.expect("over");
    assert_eq!(call.record(|record| (record.status, record.webhooks.len())), ("completed", 1));
    assert_eq!(host.seen(|seen| seen.events.last().cloned()), Some(MediaEvent::Stopped));
}

#[tokio::test]
async fn a_broken_connection_comes_back_as_a_known_call() {
    let host = Host::start().await;
    let twin = twin(|_| {}).await;
    let call = twin.place_call(&host.url("/voice"));
    call.until(SOON, "audio", |record| record.leg().is_some_and(|leg| leg.frames_received > 0)).await.expect("heard");
    call.cut_media().await;
    call.finished(SOON).await.expect("over");
    assert_eq!(call.record(|record| record.said.clone()), ["Goodbye & <thanks>"]);
}

#[tokio::test]
async fn nonsense_on_the_media_socket_gets_a_close_code() {
    let host = Host::start().await;
    let twin = twin(|_| {}).await;
    for (nonsense, code) in [(r#"{"event":"media","media":{"payload":"%"}}"#, 1007), (r#"{"event":"start"}"#, 1007)] {
        let call = twin.place_call(&host.url("/voice"));
        call.until(SOON, "audio", |record| record.leg().is_some_and(|leg| leg.frames_received > 0))
            .await
            .expect("heard");
        call.inject(nonsense).await;
        call.until(SOON, "the close", |record| record.legs[0].closed.is_some()).await.expect("closed");
        assert_eq!(call.record(|record| record.legs[0].closed), Some(Some(code)), "{nonsense}");
    }
}

#[tokio::test]
async fn a_stranger_is_turned_away() {
    let host = Host::start().await;
    let twin = twin(|options| options.auth_token = "other".into()).await;
    let call = twin.place_call(&host.url("/voice"));
    call.finished(SOON).await.expect("over");
    assert_eq!(call.record(|record| record.faults.len()), 1);
    assert!(host.seen(|seen| seen.events.is_empty()));
}

/// Sends a codec's request as a client would, and reads the answer.
async fn send(request: base::wire::HttpRequest, within: Duration) -> Option<(u16, Vec<u8>)> {
    let mut builder = reqwest::Client::new().post(&request.url).timeout(within).body(request.body);
    for header in &request.headers {
        builder = builder.header(&*header.name, header.value.expose());
    }
    let answer = builder.send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.bytes().await.ok()?.to_vec()))
}

fn attempt(host: &Host) -> carriers::protocol::DialAttempt {
    carriers::protocol::DialAttempt {
        call: base::CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: host.url("/voice?call=1"),
        status_url: host.url("/status?call=1"),
        media_url: format!("ws://{}/media", host.address),
        token: "t-1".into(),
        ring: base::Millis(20_000),
        now_ms: 0,
    }
}

async fn dialled(twin: &TwilioTwin, host: &Host, within: Duration) -> carriers::protocol::DialReply {
    let mut options = TwilioOptions::new(ACCOUNT, TOKEN);
    options.api_base = twin.api_base();
    let control = TwilioControl::new(options);
    let request = control.dial(&attempt(host)).expect("it can dial");
    let answer = send(request, within).await;
    control.dial_reply(answer.as_ref().map(|(status, body)| (*status, &body[..])))
}

#[tokio::test]
async fn states_reported_backwards_and_twice_end_in_the_same_state() {
    use carriers::protocol::DialReply;
    for (delivery, reports) in [(StatusDelivery::Backwards, 4), (StatusDelivery::Twice, 8)] {
        let host = Host::start().await;
        let twin = twin(|options| options.delivery = delivery).await;
        twin.next_callees([Callee::Answers(Duration::from_millis(30))]);
        let reply = dialled(&twin, &host, SOON).await;
        let call = twin.outbound_call(SOON).await.expect("it rings");
        assert_eq!(reply, DialReply::Accepted { carrier_ref: call.sid().to_owned() });
        call.until(SOON, "audio", |record| record.leg().is_some_and(|leg| leg.frames_received > 0))
            .await
            .expect("heard");
        call.hang_up().await;
        call.finished(SOON).await.expect("over");
        host.seen(|seen| {
            assert_eq!(seen.reports.len(), reports);
            let mut state = CallState::Initiated;
            for report in &seen.reports {
                state = state.advance(report.state).unwrap_or(state);
            }
            assert_eq!(state, CallState::Completed);
            let mut keys = seen.replay_keys.clone();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), 5, "four reports and one voice webhook, however often they came");
        });
    }
}

#[tokio::test]
async fn a_phone_that_rings_without_an_answer_to_the_request_is_unknown() {
    use carriers::protocol::DialReply;
    let host = Host::start().await;
    let twin = twin(|_| {}).await;
    twin.fail_next([RestFault::DoneButSilent, RestFault::Unavailable, RestFault::Garbage, RestFault::RateLimited]);
    twin.next_callees([Callee::Busy]);
    let patience = Duration::from_millis(200);
    assert!(matches!(dialled(&twin, &host, patience).await, DialReply::Unknown(_)));
    let ringing = twin.outbound_call(SOON).await.expect("it rings all the same");
    ringing.finished(SOON).await.expect("over");
    assert_eq!(ringing.record(|record| record.status), "busy");
    assert!(matches!(dialled(&twin, &host, SOON).await, DialReply::Unknown(_)));
    assert!(matches!(dialled(&twin, &host, SOON).await, DialReply::Unknown(_)));
    assert!(matches!(dialled(&twin, &host, SOON).await, DialReply::Refused(_)));
    assert_eq!(host.seen(|seen| seen.reports.last().map(|report| report.state)), Some(CallState::Busy));
}

#[tokio::test]
async fn hanging_up_by_request_ends_the_call_once() {
    let host = Host::start().await;
    let twin = twin(|_| {}).await;
    let call = twin.place_call(&host.url("/voice"));
    call.until(SOON, "audio", |record| record.leg().is_some_and(|leg| leg.frames_received > 0)).await.expect("heard");
    let mut options = TwilioOptions::new(ACCOUNT, TOKEN);
    options.api_base = twin.api_base();
    let control = TwilioControl::new(options);
    for _ in 0..2 {
        let Ok(Way::Request(request)) = control.act(call.sid(), CallAction::HangUp, 0) else { panic!("a request") };
        let (status, body) = send(request, SOON).await.expect("an answer");
        assert_eq!(control.act_reply(CallAction::HangUp, Some((status, &body))), Ok(()));
        call.finished(SOON).await.expect("over");
    }
    assert_eq!(call.record(|record| record.legs.len()), 1);
}
