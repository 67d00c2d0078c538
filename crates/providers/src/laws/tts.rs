//! Laws of synthesis.

use super::cassette::{Cassette, Step, opened, received, sent};
use super::{Mutation, NOW_UNIX_MS, assert_failure_hides_the_key, assert_no_key, cut_anew, exposed, mutate_wire};
use crate::options::ProviderOptions;
use crate::registry::Provider;
use crate::tts::{PROVIDERS, TtsEvent, TtsOpen, TtsProtocol};
use crate::voices::{CloneRequest, Listing, Sample};
use base::limits::EVENTS_PER_MESSAGE_MAX;
use base::wire::{HttpRequest, Transport, Wire};

pub(crate) fn provider(name: &str) -> Provider<dyn TtsProtocol> {
    PROVIDERS.open(name, &Cassette::load("tts", name).options()).expect("the cassette's options are usable")
}

fn open_from(text: &str) -> TtsOpen {
    let mut words = text.split_whitespace();
    let sample_rate_hz = words.next().and_then(|rate| rate.parse().ok()).expect("open RATE LANGUAGE [VOICE]");
    let language = words.next().expect("open RATE LANGUAGE [VOICE]").to_owned();
    TtsOpen { sample_rate_hz, language, voice: words.next().map(str::to_owned), now_unix_ms: NOW_UNIX_MS }
}

fn event_line(event: &TtsEvent) -> String {
    match event {
        TtsEvent::Started => "= started".to_owned(),
        TtsEvent::Audio { pcm } => format!("= audio {} samples", pcm.len()),
        TtsEvent::Words { starts } => {
            let words: Vec<String> = starts.iter().map(|(at, ms)| format!("{at}@{ms}")).collect();
            format!("= words {}", words.join(" "))
        }
        TtsEvent::SegmentDone => "= segment-done".to_owned(),
        TtsEvent::Usage { chars } => format!("= usage {chars} chars"),
        TtsEvent::Done => "= done".to_owned(),
        TtsEvent::Failed(failure) => format!("= failed {failure}"),
    }
}

struct Session {
    codec: Box<dyn TtsProtocol>,
    transport: Transport,
    pushed: String,
    events: Vec<TtsEvent>,
    sent: Vec<Wire>,
}

impl Session {
    fn open(provider: &Provider<dyn TtsProtocol>, open: &TtsOpen) -> (Self, Vec<String>) {
        let mut codec = provider.protocol();
        let connect = codec.connect(open);
        let (transport, lines) = (connect.transport, opened(&connect));
        (Self { codec, transport, pushed: String::new(), events: Vec::new(), sent: Vec::new() }, lines)
    }

    fn play(&mut self, step: &Step) -> Vec<String> {
        let (sent_before, events_before) = (self.sent.len(), self.events.len());
        match step {
            Step::Open(_) => {}
            Step::Act(verb, arg) => match verb.as_str() {
                "text" => {
                    self.pushed.push_str(arg);
                    self.codec.on_text(arg, &mut self.sent);
                }
                "flush" => self.codec.flush(&mut self.sent),
                "cancel" => self.codec.cancel(&mut self.sent),
                other => panic!("nobody can {other} a synthesis stream"),
            },
            Step::Receive(text) => self.receive(&received(self.transport, text)),
        }
        self.codec.poll(&mut self.sent, &mut self.events);
        let mut lines = sent(self.transport, &self.sent[sent_before..]);
        lines.extend(self.events[events_before..].iter().map(event_line));
        lines
    }

    fn receive(&mut self, wire: &Wire) {
        match wire {
            Wire::Close(code, _) => self.codec.on_close(*code, &mut self.events),
            message => self.codec.on_message(message, &mut self.events),
        }
        self.codec.poll(&mut self.sent, &mut self.events);
    }
}

fn sessions(name: &str, mut each: impl FnMut(Session, &[Step])) {
    let provider = provider(name);
    for steps in Cassette::load("tts", name).sessions() {
        let Some(Step::Open(open)) = steps.first() else { continue };
        let (session, _) = Session::open(&provider, &open_from(open));
        each(session, &steps[1..]);
    }
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut session: Option<Session> = None;
    Cassette::load("tts", name).replay(|step| match (step, session.as_mut()) {
        (Step::Open(open), _) => {
            let (fresh, lines) = Session::open(&provider, &open_from(open));
            session = Some(fresh);
            lines
        }
        (step, Some(session)) => session.play(step),
        (_, None) => panic!("a session begins with open"),
    });
}

pub(crate) fn words_lie_in_the_text_in_order(name: &str) {
    sessions(name, |mut session, steps| {
        for step in steps {
            session.play(step);
        }
        let starts: Vec<(usize, u64)> = session
            .events
            .iter()
            .flat_map(|event| match event {
                TtsEvent::Words { starts } => starts.clone(),
                _ => Vec::new(),
            })
            .collect();
        assert!(starts.is_sorted(), "{starts:?}");
        for (at, _) in starts {
            let begins = session.pushed.is_char_boundary(at) && at < session.pushed.len();
            assert!(begins && !session.pushed[at..].starts_with(' '), "{at} in {:?}", session.pushed);
        }
    });
}

pub(crate) fn mutated_messages_are_survived(name: &str, mutations: &[Mutation]) {
    sessions(name, |mut session, steps| {
        let mut over = false;
        for step in steps {
            let Step::Receive(text) = step else {
                session.play(step);
                continue;
            };
            let before = session.events.len();
            session.receive(&mutate_wire(&received(session.transport, text), mutations));
            let events = &session.events[before..];
            assert!(events.len() <= EVENTS_PER_MESSAGE_MAX);
            assert!(!over || events.is_empty(), "nothing follows the end");
            over |= events.iter().any(|event| matches!(event, TtsEvent::Failed(_) | TtsEvent::Done));
        }
    });
}

pub(crate) fn nothing_follows_a_cancel(name: &str) {
    sessions(name, |_, steps| {
        for cut in 0..=steps.len() {
            let (mut session, _) = Session::open(&provider(name), &open_from("8000 en"));
            for step in &steps[..cut] {
                session.play(step);
            }
            session.codec.cancel(&mut session.sent);
            let (events, wires) = (session.events.len(), session.sent.len());
            for step in steps {
                session.play(step);
            }
            session.receive(&Wire::Close(1006, "".into()));
            assert_eq!(session.events.len(), events, "no event after a cancel");
            assert_eq!(session.sent.len(), wires, "no message after a cancel");
        }
    });
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let recorded = Cassette::load("tts", name).options();
    let shown = |key: &str| {
        let provider = PROVIDERS.open(name, &ProviderOptions { api_key: Some(key.into()), ..recorded.clone() });
        let provider = provider.expect("the cassette's options are usable");
        assert_no_key(&format!("{provider:?}"));
        let mut codec = provider.protocol();
        let connect = codec.connect(&open_from("8000 en"));
        let mut sent = Vec::new();
        codec.on_text("Good morning.", &mut sent);
        codec.flush(&mut sent);
        exposed(&connect, &sent)
    };
    assert_ne!(shown(super::KEY), shown("sk-Another-0123456789"), "the key is sent, or signs what is sent");
    sessions(name, |mut session, _| {
        let echo =
            format!(r#"{{"type":"Error","error":"{key}","message":"{key}","description":"{key}"}}"#, key = super::KEY);
        let echo = if session.transport == Transport::WebSocket { Wire::Text(echo) } else { Wire::Binary(echo.into()) };
        session.receive(&echo);
        for event in &session.events {
            if let TtsEvent::Failed(failure) = event {
                assert_failure_hides_the_key(failure);
            }
        }
    });
}

/// The same events with all neighbouring audio in one.
fn joined(events: Vec<TtsEvent>) -> Vec<TtsEvent> {
    let mut all: Vec<TtsEvent> = Vec::new();
    for event in events {
        match (event, all.last_mut()) {
            (TtsEvent::Audio { pcm }, Some(TtsEvent::Audio { pcm: before })) => before.extend(pcm),
            (event, _) => all.push(event),
        }
    }
    all
}

/// A body comes in whatever pieces the network makes of it. Messages of other transports are not cut.
pub(crate) fn a_body_split_anywhere_gives_the_same_events(name: &str, cuts: &[usize]) {
    let provider = provider(name);
    for steps in Cassette::load("tts", name).sessions() {
        let Some(Step::Open(open)) = steps.first() else { continue };
        let play = |cuts: &[usize]| {
            let (mut session, _) = Session::open(&provider, &open_from(open));
            if session.transport != Transport::Http {
                return Vec::new();
            }
            for run in steps[1..].chunk_by(|a, b| matches!((a, b), (Step::Receive(_), Step::Receive(_)))) {
                let wires: Vec<Wire> = run
                    .iter()
                    .filter_map(|step| match step {
                        Step::Receive(text) => Some(received(session.transport, text)),
                        _ => None,
                    })
                    .collect();
                if wires.is_empty() {
                    session.play(&run[0]);
                }
                cut_anew(&wires, cuts).iter().for_each(|wire| session.receive(wire));
            }
            joined(session.events)
        };
        assert_eq!(play(cuts), play(&[]));
    }
}

pub(crate) fn usage_moves(name: &str) {
    let mut most = 0;
    sessions(name, |mut session, steps| {
        let mut so_far = 0;
        for step in steps {
            session.play(step);
        }
        for event in &session.events {
            if let TtsEvent::Usage { chars } = event {
                assert!(*chars >= so_far, "usage is cumulative");
                so_far = *chars;
            }
        }
        most = most.max(so_far);
    });
    assert!(most > 0, "the cassette shows usage");
    let descriptor = PROVIDERS.find(name).expect("listed").descriptor;
    if crate::pricing::prices().iter().any(|price| crate::pricing::is_of(price, name)) {
        let cost = crate::pricing::tts_cost(name, descriptor.model.unwrap_or_default(), most, 1_000);
        assert!(cost.is_some_and(|cost| cost.usd_micros > 0), "the default model has a price");
    }
}

pub(crate) fn voices_are_asked_for_without_showing_the_key(name: &str) {
    let provider = provider(name);
    let clones = provider.descriptor().features.contains(&model::routing::Feature::Cloning);
    let Some(voices) = provider.protocol().voices() else {
        assert!(!clones, "what is cloned can be listed");
        return;
    };
    let hides = |request: &HttpRequest| {
        assert!(request.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&request.url);
        assert_no_key(&format!("{request:?}"));
        assert!(!String::from_utf8_lossy(&request.body).contains(super::KEY), "the key is in the body");
    };
    match voices.list(None) {
        Listing::Ask(request) => hides(&request),
        Listing::Known(known) => {
            let ids: std::collections::BTreeSet<&str> = known.iter().map(|voice| voice.id.as_str()).collect();
            assert!(!known.is_empty() && ids.len() == known.len() && !ids.contains(""), "each has an id of its own");
        }
    }
    let sample = Sample { file_name: "a.wav".to_owned(), bytes: b"RIFF".to_vec() };
    let wanted = CloneRequest::new("Ada", "en-US", None, vec![sample], true).expect("complete");
    let asked = voices.clone_voice(&wanted);
    assert_eq!(asked.is_some(), clones, "the descriptor says whether voices are cloned");
    asked.iter().for_each(hides);
    let echo = format!(r#"{{"voices":"{key}","data":[{{"id":"{key}"}}]}}"#, key = super::KEY);
    for body in ["", "{}", "[]", "[1]", "null", "{\"voices\":[{}]}", "{\"data\":7}", "<html>", echo.as_str()] {
        for failure in
            [voices.listed(body.as_bytes()).err(), voices.cloned(body.as_bytes()).err()].into_iter().flatten()
        {
            assert_failure_hides_the_key(&failure);
        }
    }
    super::refusals_have_the_right_class(name, |status, body| voices.classify(status, body));
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, tts as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::tts::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
            let recorded = laws::cassette::Cassette::load("tts", $name).options();
            laws::defaults_are_usable(|options| entry.open(options), &recorded);
        }
        #[test]
        fn cassette_replays_to_the_expected_events() {
            law::cassette_replays($name);
        }
        #[test]
        fn words_lie_in_the_text_in_order() {
            law::words_lie_in_the_text_in_order($name);
        }
        #[test]
        fn refusals_have_the_right_class_and_pause() {
            let codec = law::provider($name).protocol();
            laws::refusals_have_the_right_class($name, |status, body| codec.classify(status, body));
        }
        #[test]
        fn the_key_shows_nowhere() {
            law::the_key_shows_nowhere($name);
        }
        #[test]
        fn nothing_follows_a_cancel() {
            law::nothing_follows_a_cancel($name);
        }
        #[test]
        fn voices_are_asked_for_without_showing_the_key() {
            law::voices_are_asked_for_without_showing_the_key($name);
        }
        #[test]
        fn usage_moves_and_has_a_price() {
            law::usage_moves($name);
        }
        proptest::proptest! {
            #![proptest_config(laws::few())]
            #[test]
            fn a_body_split_anywhere_gives_the_same_events(
                cuts in proptest::collection::vec(0usize..4_096, 1..8),
            ) {
                law::a_body_split_anywhere_gives_the_same_events($name, &cuts);
            }
            #[test]
            fn mutated_messages_are_survived(mutations in laws::mutations()) {
                law::mutated_messages_are_survived($name, &mutations);
            }
        }
    };
}
pub(crate) use obeys_the_laws;
