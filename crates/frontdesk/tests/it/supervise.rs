//! A supervisor at a spoken call, over the socket, by the real program: hears both sides, takes the call over, is heard by the
//! caller instead of the agent, and gives it back.

use crate::rig::{Detail, Person, Server, Setting, World, poll, voice};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const KIM: &str = "This is Kim from the workshop.";
/// What a supervisor's voice has in it, and the agent's has not.
const MARK_HZ: f64 = 3_100.0;

/// What the socket has brought so far.
#[derive(Default)]
struct Brought {
    /// Sum of squares and frames of each side.
    loudness: [f64; 3],
    told: Vec<Value>,
    is_closed: bool,
}

struct Supervisor {
    to_call: SplitSink<WebSocketStream<TcpStream>, Message>,
    brought: Arc<Mutex<Brought>>,
}

impl Supervisor {
    async fn join(server: &Server, id: &str) -> Self {
        let url = server.url(&format!("/api/v1/calls/{id}/supervise"));
        let host = url.trim_start_matches("http://").split('/').next().expect("a host").to_owned();
        let tcp = TcpStream::connect(host).await.expect("a connection");
        let (socket, answer) =
            tokio_tungstenite::client_async(url.replace("http://", "ws://"), tcp).await.expect("a socket");
        assert_eq!(answer.status(), 101);
        let (to_call, from_call) = socket.split();
        let brought = Arc::<Mutex<Brought>>::default();
        tokio::spawn(take_in(from_call, Arc::clone(&brought)));
        Self { to_call, brought }
    }

    async fn tell(&mut self, message: &Value) {
        self.to_call.send(Message::Text(message.to_string().into())).await.expect("sent");
    }

    /// Speaks for so long, in frames of 20 ms as they are made.
    async fn speaks(&mut self, ms: u64) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let mut at = 0_u64;
        for frame in voice(ms).chunks(160) {
            tick.tick().await;
            let samples = frame.iter().flat_map(|sample| [*sample, *sample]).map(|sample| {
                at += 1;
                let mark = 4_000.0 * (TAU * MARK_HZ * at as f64 / 16_000.0).sin();
                (f64::from(sample) * 0.7 + mark).clamp(-32_000.0, 32_000.0) as i16
            });
            let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
            self.to_call.send(Message::Binary(bytes.into())).await.expect("sent");
        }
    }

    /// Keeps the line open without a word.
    async fn is_silent(&mut self, ms: u64) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..ms / 20 {
            tick.tick().await;
            self.to_call.send(Message::Binary(vec![0; 640].into())).await.expect("sent");
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Brought) -> T) -> T {
        look(&self.brought.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn is_told(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        poll(Duration::from_secs(10), what, async || {
            self.look(|brought| brought.told.iter().find(|told| wanted(told)).cloned())
        })
        .await
    }
}

async fn take_in(mut from_call: SplitStream<WebSocketStream<TcpStream>>, brought: Arc<Mutex<Brought>>) {
    while let Some(Ok(message)) = from_call.next().await {
        let mut brought = brought.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            Message::Binary(bytes) => {
                let samples: Vec<i16> =
                    bytes[2..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
                let loudness: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
                brought.loudness[usize::from(bytes[0])] += loudness;
            }
            Message::Text(text) => brought.told.push(serde_json::from_str(&text).expect("JSON")),
            Message::Close(_) => break,
            _ => {}
        }
    }
    brought.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
}

/// How much of what the caller heard between these times is the mark of a supervisor's voice: 0 to 1.
fn marked(person: &Person, from_ms: u64, to_ms: u64) -> f64 {
    let heard = person.leg(|leg| {
        let at = |ms: u64| (ms as usize * 8).min(leg.playout.heard().len());
        leg.playout.heard()[at(from_ms)..at(to_ms)].to_vec()
    });
    let step = TAU * MARK_HZ / 8_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
    for (at, sample) in heard.iter().enumerate() {
        let sample = f64::from(*sample);
        re += sample * (step * at as f64).cos();
        im += sample * (step * at as f64).sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (all * heard.len().max(1) as f64)
}

/// Nothing that was heard while the recording was paused is on it, and what was heard before and afterwards is.
async fn assert_left_out(server: &Server, detail: &Detail) {
    let url = server.url(&format!("/api/v1/calls/{}/recording", detail.id()));
    let answer = server.http().get(&url).send().await.expect("an answer");
    let wav = answer.bytes().await.expect("a recording");
    let at = |kind: &str| {
        let journal = detail.0["journal"].as_array().expect("a journal");
        let record = journal.iter().find(|record| record["entry"]["entry"] == kind).expect("an entry");
        record["at"].as_u64().expect("a time")
    };
    // Two channels of 16 bits at 8 kHz. A frame joins the one before it, so it may lie a little beside its time.
    let is_silent = |from_ms: u64, to_ms: u64| {
        let at = |ms: u64| (44 + ms as usize * 8 * 4).min(wav.len());
        wav[at(from_ms)..at(to_ms)].chunks_exact(2).all(|pair| i16::from_le_bytes([pair[0], pair[1]]).abs() < 100)
    };
    let (from_ms, to_ms) = (at("recording_paused"), at("recording_resumed"));
    assert!(from_ms + 3_000 < to_ms, "a question and its answer: {from_ms} to {to_ms} ms");
    assert!(is_silent(from_ms + 250, to_ms - 250), "what was said from {from_ms} to {to_ms} ms is on the recording");
    assert!(!is_silent(0, from_ms) && !is_silent(to_ms, to_ms + 60_000), "and nothing else is left out");
}

fn is_event(told: &Value, event: &str) -> bool {
    told["type"] == "live" && told["event"] == event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_takes_a_spoken_call_over_is_heard_and_hands_it_back() {
    let script = [SATURDAY, KIM, SATURDAY];
    let rules = vec![Rule::on_user("open on saturday", Reply::says(OPENING))];
    let world = World::new(Setting::new(&script, rules)).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    let id = server.find_call(person.0.sid()).await.expect("a row")["id"].as_str().expect("an id").to_owned();

    let mut kim = Supervisor::join(&server, &id).await;
    let ready = kim.is_told("the socket is ready", |told| told["type"] == "ready").await;
    assert_eq!((&ready["call"], &ready["by"]), (&json!(id), &json!("installation")));
    let answer = person.asks(SATURDAY).await;
    assert!(marked(&person, answer.from_ms, person.now_ms()) < 0.05, "the agent's voice has no mark");
    let heard = kim.look(|brought| brought.loudness);
    assert!(heard[0] > 1e9 && heard[1] > 1e9 && heard[2] == 0.0, "both sides are heard: {heard:?}");

    // A hint, and the call is taken over.
    kim.tell(&json!({"type": "whisper", "text": "Offer a free check."})).await;
    kim.is_told("the hint", |told| is_event(told, "whispered")).await;
    kim.tell(&json!({"type": "take_over"})).await;
    kim.is_told("the take-over", |told| is_event(told, "taken_over") && told["by"] == "installation").await;
    let from_ms = person.now_ms();
    kim.speaks(3_000).await;
    kim.is_silent(600).await;
    let to_ms = person.now_ms();
    let share = marked(&person, from_ms + 400, to_ms - 800);
    assert!(share > 0.2, "the caller heard something else than the supervisor: {share}");
    let said = kim.is_told("what the supervisor said", |told| is_event(told, "person_turn")).await;
    assert_eq!(said["text"], KIM);
    assert!(kim.look(|brought| brought.loudness[2]) > 1e8, "listeners hear the person, too");

    // On hold neither hears the other, and the caller hears that it goes on.
    let from_ms = person.now_ms();
    kim.tell(&json!({"type": "hold"})).await;
    kim.is_told("the hold", |told| is_event(told, "on_hold") && told["by"] == "installation").await;
    let held_ms = person.now_ms();
    kim.speaks(1_500).await;
    person.hears_out(from_ms, Duration::from_secs(10), "that they are on hold").await;
    assert!(marked(&person, held_ms + 200, person.now_ms()) < 0.05, "the supervisor is not heard on hold");
    let (status, _) = server.post(&format!("/api/v1/calls/{id}/unhold"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    kim.is_told("the end of the hold", |told| is_event(told, "off_hold") && told["by"] == "installation").await;

    // The agent has it again and answers. The recording leaves it out.
    kim.tell(&json!({"type": "hand_back"})).await;
    kim.is_told("the hand-back", |told| is_event(told, "handed_back") && told["reason"] == "asked").await;
    let (status, _) = server.post(&format!("/api/v1/calls/{id}/recording/pause"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    kim.is_told("the pause", |told| is_event(told, "recording_paused") && told["by"] == "installation").await;
    let answer = person.asks(SATURDAY).await;
    kim.tell(&json!({"type": "resume_recording"})).await;
    kim.is_told("the end of the pause", |told| is_event(told, "recording_resumed")).await;
    assert!(answer.waited_ms <= 3_000, "silence for {} ms", answer.waited_ms);
    assert!(marked(&person, answer.from_ms, person.now_ms()) < 0.05, "the agent speaks again");
    let (status, _) = server.post(&format!("/api/v1/calls/{id}/end"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");

    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_eq!(detail.entries("taken_over")[0]["by"], "installation");
    assert_eq!(detail.entries("handed_back").len(), 1);
    assert_eq!(detail.texts("person_turn", "text"), [KIM]);
    assert!(detail.heard().iter().any(|heard| heard.contains("on hold")), "{:?}", detail.heard());
    assert_eq!(detail.heard().iter().filter(|heard| **heard == OPENING).count(), 2);
    assert_left_out(&server, &detail).await;
    world.assert_replays(detail.id()).await;
    poll(Duration::from_secs(5), "the end of the socket", async || kim.look(|brought| brought.is_closed).then_some(()))
        .await;
    let (_, audit) = server.get("/api/v1/audit?limit=50").await;
    for action in
        ["supervise_call", "whisper_call", "take_over_call", "hold_call", "unhold_call", "hand_back_call", "end_call"]
    {
        assert!(audit.to_string().contains(action), "{action} left no line: {audit}");
    }
    let (status, gone) = server.post(&format!("/api/v1/calls/{id}/take-over"), &Value::Null).await;
    assert_eq!((status, &gone["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{gone}");
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_whose_socket_breaks_gives_the_call_back_with_a_word() {
    let rules = vec![Rule::on_user("open on saturday", Reply::says(OPENING))];
    let world = World::new(Setting::new(&[SATURDAY], rules)).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    let id = server.find_call(person.0.sid()).await.expect("a row")["id"].as_str().expect("an id").to_owned();
    let mut kim = Supervisor::join(&server, &id).await;
    kim.tell(&json!({"type": "take_over"})).await;
    kim.is_told("the take-over", |told| is_event(told, "taken_over")).await;
    let from_ms = person.now_ms();
    kim.to_call.close().await.expect("closed");
    let word = person.hears_out(from_ms, Duration::from_secs(15), "the agent is back").await;
    let waited_ms = word.from_ms - from_ms;
    assert!((3_500..6_500).contains(&waited_ms), "back after {waited_ms} ms");
    person.asks(SATURDAY).await;
    person.0.hang_up().await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.entries("handed_back")[0]["reason"], "absent");
    assert!(detail.heard().iter().any(|heard| heard.contains("I am back with you")), "{:?}", detail.heard());
    server.is_idle_again().await;
}
