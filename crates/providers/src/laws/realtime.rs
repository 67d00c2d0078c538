//! Laws of conversations with a model that hears and speaks.

use super::cassette::{Cassette, Step, opened, received, sent};
use super::{Mutation, assert_failure_hides_the_key, assert_no_key, mutate_wire};
use crate::realtime::{
    PROVIDERS, RealtimeAsk, RealtimeEvent, RealtimeItem, RealtimeOpen, RealtimeProtocol, RealtimeUsage,
};
use crate::registry::Provider;
use base::limits::EVENTS_PER_MESSAGE_MAX;
use base::wire::{Transport, Wire};

pub(crate) fn provider(name: &str) -> Provider<dyn RealtimeProtocol> {
    PROVIDERS.open(name, &Cassette::load("realtime", name).options()).expect("the cassette's options are usable")
}

fn event_line(event: &RealtimeEvent) -> String {
    match event {
        RealtimeEvent::Ready => "= ready".to_owned(),
        RealtimeEvent::Hearing { text } => format!("= hearing {text:?}"),
        RealtimeEvent::Heard { text } => format!("= heard {text:?}"),
        RealtimeEvent::Started => "= started".to_owned(),
        RealtimeEvent::Text { delta } => format!("= text {delta:?}"),
        RealtimeEvent::Audio { pcm } => format!("= audio {} samples", pcm.len()),
        RealtimeEvent::ToolCall { id, name, args } => format!("= tool {id} {name} {args}"),
        RealtimeEvent::Usage(usage) => {
            let RealtimeUsage { text_in, audio_in, cached, text_out, audio_out } = usage;
            format!("= usage text {text_in} audio {audio_in} cached {cached} said {text_out} spoken {audio_out}")
        }
        RealtimeEvent::Done { finish } => format!("= done {finish:?}"),
        RealtimeEvent::Elsewhere { connect } => format!("= elsewhere\n{}", opened(connect).join("\n")),
        RealtimeEvent::Refused(failure) => format!("= refused {failure}"),
        RealtimeEvent::Failed(failure) => format!("= failed {failure}"),
    }
}

struct Session {
    codec: Box<dyn RealtimeProtocol>,
    events: Vec<RealtimeEvent>,
    sent: Vec<Wire>,
}

impl Session {
    fn open(provider: &Provider<dyn RealtimeProtocol>, open: &str) -> (Self, Vec<String>) {
        let open: RealtimeOpen = serde_json::from_str(open).expect("open REALTIME_OPEN");
        let mut codec = provider.protocol();
        let connect = codec.connect(&open);
        assert_eq!(connect.transport, Transport::WebSocket);
        let mut lines = opened(&connect);
        lines.push(format!("= hears {} Hz, speaks {} Hz", codec.input_rate_hz(), codec.output_rate_hz()));
        (Self { codec, events: Vec::new(), sent: Vec::new() }, lines)
    }

    fn play(&mut self, step: &Step) -> Vec<String> {
        let (sent_before, events_before) = (self.sent.len(), self.events.len());
        match step {
            Step::Open(_) => {}
            Step::Act(verb, arg) => self.act(verb, arg),
            Step::Receive(text) => self.receive(&received(Transport::WebSocket, text)),
        }
        let mut lines = sent(Transport::WebSocket, &self.sent[sent_before..]);
        let shown = self.events[events_before..].iter().map(event_line);
        lines.extend(shown.flat_map(|lines| lines.lines().map(str::to_owned).collect::<Vec<_>>()));
        lines
    }

    fn receive(&mut self, wire: &Wire) {
        let before = self.events.len();
        self.codec.on_message(wire, &mut self.events, &mut self.sent);
        assert!(self.events.len() - before <= EVENTS_PER_MESSAGE_MAX, "too many events of one message");
    }

    fn act(&mut self, verb: &str, arg: &str) {
        let out = &mut self.sent;
        match verb {
            "audio" => {
                let samples = arg.parse::<usize>().expect("audio SAMPLES");
                let pcm: Vec<i16> = (0..samples).map(|n| ((n * 37) % 2_000) as i16 - 1_000).collect();
                self.codec.on_audio(&pcm, out);
            }
            "speech" => self.codec.speech_started(out),
            "commit" => drop(self.codec.commit(out)),
            "add" => {
                let item: RealtimeItem = serde_json::from_str(arg).expect("add REALTIME_ITEM");
                self.codec.add(&item, out);
            }
            "respond" => {
                let ask: RealtimeAsk = serde_json::from_str(arg).expect("respond REALTIME_ASK");
                self.codec.respond(&ask, out);
            }
            "cancel" => self.codec.cancel(out),
            "trim" => {
                let (ms, text) = arg.split_once(' ').unwrap_or((arg, ""));
                self.codec.trim(ms.parse().expect("trim MS TEXT"), text, out);
            }
            "close" => self.codec.close(out),
            other => panic!("nobody can {other}"),
        }
    }
}

fn sessions(name: &str) -> Vec<Vec<Step>> {
    Cassette::load("realtime", name).sessions()
}

fn begun(provider: &Provider<dyn RealtimeProtocol>, steps: &[Step]) -> Session {
    let Some(Step::Open(open)) = steps.first() else { panic!("a session begins with open") };
    Session::open(provider, open).0
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut session: Option<Session> = None;
    Cassette::load("realtime", name).replay(|step| match (step, session.as_mut()) {
        (Step::Open(open), _) => {
            let (fresh, lines) = Session::open(&provider, open);
            session = Some(fresh);
            lines
        }
        (step, Some(session)) => session.play(step),
        (step, None) => panic!("nobody can {step:?}"),
    });
}

/// Answers begin before they go on and end once; a conversation that failed is over.
fn assert_in_order(events: &[RealtimeEvent]) {
    let mut open = false;
    for (at, event) in events.iter().enumerate() {
        match event {
            RealtimeEvent::Started => {
                assert!(!open, "an answer within an answer: {events:?}");
                open = true;
            }
            RealtimeEvent::Text { .. } | RealtimeEvent::Audio { .. } | RealtimeEvent::ToolCall { .. } => {
                assert!(open, "{event:?} without a beginning");
            }
            RealtimeEvent::Done { .. } => assert!(std::mem::take(&mut open), "an end without a beginning"),
            RealtimeEvent::Refused(_) => open = false,
            RealtimeEvent::Failed(_) => assert_eq!(at + 1, events.len(), "something follows the end"),
            _ => {}
        }
    }
}

pub(crate) fn answers_begin_and_end_once(name: &str) {
    let provider = provider(name);
    let (mut spoken, mut tools, mut interrupted) = (false, false, false);
    for steps in sessions(name) {
        let mut session = begun(&provider, &steps);
        let mut done = Vec::new();
        for step in &steps {
            session.play(step);
            if matches!(step, Step::Act(verb, _) if verb == "cancel") {
                interrupted = true;
                // What was called off has no end.
                done.append(&mut session.events);
            }
        }
        for events in [&done, &session.events] {
            spoken |= events.iter().any(|event| matches!(event, RealtimeEvent::Audio { .. }));
            tools |= events.iter().any(|event| matches!(event, RealtimeEvent::ToolCall { .. }));
        }
        assert_in_order(&session.events);
    }
    assert!(spoken && tools && interrupted, "the cassette shows speech, tools and an interruption");
}

/// Wherever an answer is called off, nothing of it is heard afterwards, until another one is asked for.
pub(crate) fn nothing_follows_a_cancel(name: &str) {
    let provider = provider(name);
    for steps in sessions(name) {
        for at in 1..steps.len() {
            let mut session = begun(&provider, &steps);
            steps[1..at].iter().for_each(|step| drop(session.play(step)));
            session.act("cancel", "");
            session.events.clear();
            let asked_again =
                |step: &&Step| matches!(step, Step::Act(verb, _) if verb == "respond" || verb == "commit");
            steps[at..].iter().take_while(|step| !asked_again(step)).for_each(|step| drop(session.play(step)));
            for event in &session.events {
                let silent = matches!(
                    event,
                    RealtimeEvent::Ready
                        | RealtimeEvent::Hearing { .. }
                        | RealtimeEvent::Heard { .. }
                        | RealtimeEvent::Usage(_)
                        | RealtimeEvent::Elsewhere { .. }
                        | RealtimeEvent::Refused(_)
                        | RealtimeEvent::Failed(_)
                );
                assert!(silent, "{event:?} after a cancel before step {at}");
            }
        }
    }
}

pub(crate) fn usage_moves_and_has_a_price(name: &str) {
    let provider = provider(name);
    let mut shown = false;
    for steps in sessions(name) {
        let mut session = begun(&provider, &steps);
        steps.iter().for_each(|step| drop(session.play(step)));
        for event in session.events {
            let RealtimeEvent::Usage(usage) = event else { continue };
            let cost = crate::pricing::realtime_cost(name, provider.settings().model(), usage);
            shown |= cost.expect("the model of the cassette has a price").usd_micros > 0;
        }
    }
    assert!(shown, "the cassette shows usage");
}

pub(crate) fn mutated_messages_are_survived(name: &str, mutations: &[Mutation]) {
    let provider = provider(name);
    for steps in sessions(name) {
        let mut session = begun(&provider, &steps);
        for step in &steps {
            match step {
                Step::Receive(text) => {
                    session.receive(&mutate_wire(&received(Transport::WebSocket, text), mutations));
                }
                step => drop(session.play(step)),
            }
        }
        assert!(session.events.iter().filter(|event| matches!(event, RealtimeEvent::Failed(_))).count() <= 1);
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let provider = provider(name);
    assert_no_key(&format!("{provider:?}"));
    for steps in sessions(name) {
        let Some(Step::Open(open)) = steps.first() else { panic!("a session begins with open") };
        let mut codec = provider.protocol();
        let connect = codec.connect(&serde_json::from_str(open).expect("open"));
        assert!(connect.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&format!("{connect:?}"));
        let echo = format!(r#"{{"type":"error","error":{{"code":"{0}","message":"{0}"}},"goAway":"{0}"}}"#, super::KEY);
        let mut events = Vec::new();
        codec.on_message(&Wire::Text(echo), &mut events, &mut Vec::new());
        codec.on_message(&Wire::Close(1008, super::KEY.into()), &mut events, &mut Vec::new());
        for event in events {
            if let RealtimeEvent::Failed(failure) | RealtimeEvent::Refused(failure) = event {
                assert_failure_hides_the_key(&failure);
            }
        }
    }
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, realtime as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::realtime::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
            entry.open(&laws::options()).expect("the defaults are usable");
        }
        #[test]
        fn cassette_replays_to_the_expected_events() {
            law::cassette_replays($name);
        }
        #[test]
        fn answers_begin_and_end_once() {
            law::answers_begin_and_end_once($name);
        }
        #[test]
        fn nothing_follows_a_cancel() {
            law::nothing_follows_a_cancel($name);
        }
        #[test]
        fn refusals_have_the_right_class_and_pause() {
            let codec = law::provider($name).protocol();
            laws::refusals_have_the_right_class($name, |status, body| codec.classify(status, body));
        }
        #[test]
        fn usage_moves_and_has_a_price() {
            law::usage_moves_and_has_a_price($name);
        }
        #[test]
        fn the_key_shows_nowhere() {
            law::the_key_shows_nowhere($name);
        }
        proptest::proptest! {
            #![proptest_config(laws::few())]
            #[test]
            fn mutated_messages_are_survived(mutations in laws::mutations()) {
                law::mutated_messages_are_survived($name, &mutations);
            }
        }
    };
}
pub(crate) use obeys_the_laws;
