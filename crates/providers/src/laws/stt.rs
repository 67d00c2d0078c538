//! Laws of recognition.

use super::cassette::{Cassette, Step, opened, received, sent};
use super::{Mutation, NOW_UNIX_MS, assert_failure_hides_the_key, assert_no_key, cut_anew, exposed, mutate_wire};
use crate::options::ProviderOptions;
use crate::registry::Provider;
use crate::stt::{PROVIDERS, SttEvent, SttOpen, SttProtocol};
use base::limits::EVENTS_PER_MESSAGE_MAX;
use base::wire::{Transport, Wire};

pub(crate) fn provider(name: &str) -> Provider<dyn SttProtocol> {
    PROVIDERS.open(name, &Cassette::load("stt", name).options()).expect("the cassette's options are usable")
}

fn open_from(text: &str) -> SttOpen {
    let mut words = text.split_whitespace();
    let sample_rate_hz = words.next().and_then(|rate| rate.parse().ok()).expect("open RATE LANGUAGE [HINT…]");
    let language = words.next().expect("open RATE LANGUAGE [HINT…]").to_owned();
    SttOpen { sample_rate_hz, language, hints: words.map(str::to_owned).collect(), now_unix_ms: NOW_UNIX_MS }
}

fn event_line(event: &SttEvent) -> String {
    match event {
        SttEvent::Started => "= started".to_owned(),
        SttEvent::Partial { text } => format!("= partial {text:?}"),
        SttEvent::Final { text, finalized: false } => format!("= final {text:?}"),
        SttEvent::Final { text, finalized: true } => format!("= final {text:?} (finalized)"),
        SttEvent::EndOfTurn => "= end-of-turn".to_owned(),
        SttEvent::Usage { audio_ms } => format!("= usage {audio_ms} ms"),
        SttEvent::Failed(failure) => format!("= failed {failure}"),
    }
}

struct Session {
    codec: Box<dyn SttProtocol>,
    transport: Transport,
    sample_rate_hz: u32,
    events: Vec<SttEvent>,
    sent: Vec<Wire>,
}

impl Session {
    fn open(provider: &Provider<dyn SttProtocol>, open: &SttOpen) -> (Self, Vec<String>) {
        let mut codec = provider.protocol();
        let connect = codec.connect(open);
        let (transport, sample_rate_hz) = (connect.transport, open.sample_rate_hz);
        (Self { codec, transport, sample_rate_hz, events: Vec::new(), sent: Vec::new() }, opened(&connect))
    }

    fn play(&mut self, step: &Step) -> Vec<String> {
        let (sent_before, events_before) = (self.sent.len(), self.events.len());
        match step {
            Step::Open(_) => {}
            Step::Act(verb, arg) => self.act(verb, arg),
            Step::Receive(text) => self.codec.on_message(&received(self.transport, text), &mut self.events),
        }
        let mut lines = sent(self.transport, &self.sent[sent_before..]);
        lines.extend(self.events[events_before..].iter().map(event_line));
        lines
    }

    fn act(&mut self, verb: &str, arg: &str) {
        match verb {
            "audio" => {
                let ms: u32 = arg.parse().expect("! audio MS");
                let pcm = ramp((ms * self.sample_rate_hz / 1_000) as usize);
                self.codec.on_audio(&pcm, &mut self.sent);
            }
            "speech" => self.codec.on_speech(arg == "on", &mut self.sent),
            "finalize" => self.codec.finalize(&mut self.sent),
            "keep-alive" => self.codec.keep_alive(&mut self.sent),
            "close" => self.codec.close(&mut self.sent),
            other => panic!("nobody can {other} a recognition stream"),
        }
    }
}

fn ramp(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (n as i16).wrapping_mul(137)).collect()
}

fn play_all(name: &str, mut also: impl FnMut(&mut Session)) -> Vec<Session> {
    let provider = provider(name);
    let mut sessions = Vec::new();
    for steps in Cassette::load("stt", name).sessions() {
        let Some(Step::Open(open)) = steps.first() else { continue };
        let (mut session, _) = Session::open(&provider, &open_from(open));
        for step in &steps[1..] {
            session.play(step);
        }
        also(&mut session);
        sessions.push(session);
    }
    sessions
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut session: Option<Session> = None;
    Cassette::load("stt", name).replay(|step| match (step, session.as_mut()) {
        (Step::Open(open), _) => {
            let (fresh, lines) = Session::open(&provider, &open_from(open));
            session = Some(fresh);
            lines
        }
        (step, Some(session)) => session.play(step),
        (_, None) => panic!("a session begins with open"),
    });
}

pub(crate) fn audio_split_anywhere_gives_the_same_bytes(name: &str, cuts: &[usize], rate: u32) {
    let provider = provider(name);
    let open = open_from(&format!("{rate} en"));
    let pcm = ramp(2_000);
    let bytes = |pieces: &[&[i16]]| {
        let (mut session, _) = Session::open(&provider, &open);
        for piece in pieces {
            session.codec.on_audio(piece, &mut session.sent);
        }
        session.codec.finalize(&mut session.sent);
        session.sent
    };
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % pcm.len()).collect();
    at.extend([0, pcm.len()]);
    at.sort_unstable();
    let pieces: Vec<&[i16]> = at.windows(2).map(|pair| &pcm[pair[0]..pair[1]]).collect();
    let split = bytes(&pieces);
    assert_eq!(split, bytes(&[&pcm]));
    let empty = |wire: &Wire| matches!(wire, Wire::Binary(bytes) if bytes.is_empty());
    assert!(!split.iter().any(empty), "no message is without audio");
}

pub(crate) fn mutated_messages_are_survived(name: &str, mutations: &[Mutation]) {
    let provider = provider(name);
    for steps in Cassette::load("stt", name).sessions() {
        let Some(Step::Open(open)) = steps.first() else { continue };
        let (mut session, _) = Session::open(&provider, &open_from(open));
        let mut failed = false;
        for step in &steps[1..] {
            let Step::Receive(text) = step else {
                session.play(step);
                continue;
            };
            let mut events = Vec::new();
            let garbled = mutate_wire(&received(session.transport, text), mutations);
            session.codec.on_message(&garbled, &mut events);
            assert!(events.len() <= EVENTS_PER_MESSAGE_MAX);
            assert!(!failed || events.is_empty(), "nothing follows a failure");
            failed |= events.iter().any(|event| matches!(event, SttEvent::Failed(_)));
        }
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let recorded = Cassette::load("stt", name).options();
    let shown = |key: &str| {
        let provider = PROVIDERS.open(name, &ProviderOptions { api_key: Some(key.into()), ..recorded.clone() });
        let provider = provider.expect("the cassette's options are usable");
        assert_no_key(&format!("{provider:?}"));
        let mut codec = provider.protocol();
        let connect = codec.connect(&open_from("8000 en"));
        let mut sent = Vec::new();
        codec.on_audio(&ramp(1_600), &mut sent);
        codec.finalize(&mut sent);
        exposed(&connect, &sent)
    };
    assert_ne!(shown(super::KEY), shown("sk-Another-0123456789"), "the key is sent, or signs what is sent");
    play_all(name, |session| {
        let echo =
            format!(r#"{{"type":"Error","error":"{key}","message":"{key}","description":"{key}"}}"#, key = super::KEY);
        let echo = if session.transport == Transport::WebSocket { Wire::Text(echo) } else { Wire::Binary(echo.into()) };
        session.codec.on_message(&echo, &mut session.events);
        for event in &session.events {
            if let SttEvent::Failed(failure) = event {
                assert_failure_hides_the_key(failure);
            }
        }
    });
}

pub(crate) fn nothing_follows_a_close(name: &str) {
    let cassette = Cassette::load("stt", name);
    play_all(name, |session| {
        session.codec.close(&mut session.sent);
        let before = session.events.len();
        for step in cassette.steps() {
            if let Step::Receive(text) = step {
                session.codec.on_message(&received(session.transport, &text), &mut session.events);
            }
        }
        assert_eq!(session.events.len(), before);
    });
}

/// A body comes in whatever pieces the network makes of it. Messages of other transports are not cut.
pub(crate) fn a_body_split_anywhere_gives_the_same_events(name: &str, cuts: &[usize]) {
    let provider = provider(name);
    for steps in Cassette::load("stt", name).sessions() {
        let Some(Step::Open(open)) = steps.first() else { continue };
        let play = |cuts: &[usize]| {
            let (mut session, _) = Session::open(&provider, &open_from(open));
            if session.transport != Transport::Http {
                return Vec::new();
            }
            for run in steps[1..].chunk_by(|a, b| matches!((a, b), (Step::Receive(_), Step::Receive(_)))) {
                if !matches!(run[0], Step::Receive(_)) {
                    session.play(&run[0]);
                    continue;
                }
                let wires: Vec<Wire> = run
                    .iter()
                    .filter_map(|step| match step {
                        Step::Receive(text) => Some(received(session.transport, text)),
                        _ => None,
                    })
                    .collect();
                for wire in cut_anew(&wires, cuts) {
                    session.codec.on_message(&wire, &mut session.events);
                }
            }
            session.events
        };
        assert_eq!(play(cuts), play(&[]));
    }
}

pub(crate) fn usage_moves(name: &str) {
    let mut last = 0;
    for session in play_all(name, |_| {}) {
        let mut so_far = 0;
        for event in &session.events {
            if let SttEvent::Usage { audio_ms } = event {
                assert!(*audio_ms >= so_far, "usage is cumulative");
                so_far = *audio_ms;
            }
        }
        last = last.max(so_far);
    }
    assert!(last > 0, "the cassette shows usage");
    let descriptor = PROVIDERS.find(name).expect("listed").descriptor;
    if crate::pricing::prices().iter().any(|price| price.provider == name) {
        let cost = crate::pricing::stt_cost(name, descriptor.model.unwrap_or_default(), last);
        assert!(cost.is_some_and(|cost| cost.usd_micros > 0), "the default model has a price");
    }
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, stt as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::stt::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
            let recorded = laws::cassette::Cassette::load("stt", $name).options();
            laws::defaults_are_usable(|options| entry.open(options), &recorded);
        }
        #[test]
        fn cassette_replays_to_the_expected_events() {
            law::cassette_replays($name);
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
        fn nothing_follows_a_close() {
            law::nothing_follows_a_close($name);
        }
        #[test]
        fn usage_moves_and_has_a_price() {
            law::usage_moves($name);
        }
        proptest::proptest! {
            #![proptest_config(laws::few())]
            #[test]
            fn audio_split_anywhere_gives_the_same_bytes(
                cuts in proptest::collection::vec(0usize..4_096, 0..12),
                wide in proptest::bool::ANY,
            ) {
                law::audio_split_anywhere_gives_the_same_bytes($name, &cuts, if wide { 16_000 } else { 8_000 });
            }
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
