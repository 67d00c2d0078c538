//! Laws of generation.

use super::cassette::{Cassette, Step, header_lines};
use super::{Mutation, assert_failure_hides_the_key, assert_no_key, mutate};
use crate::llm::{LlmProtocol, PROVIDERS};
use crate::registry::Provider;
use base::limits::EVENTS_PER_MESSAGE_MAX;
use model::generation::{GenerationEvent, GenerationRequest};

pub(crate) fn provider(name: &str) -> Provider<dyn LlmProtocol> {
    PROVIDERS.open(name, &Cassette::load("llm", name).options()).expect("the cassette's options are usable")
}

/// A recorded generation: what was asked, and the body that came back.
struct Recorded {
    request: GenerationRequest,
    body: Vec<u8>,
}

fn recorded(name: &str) -> Vec<Recorded> {
    let sessions = Cassette::load("llm", name).sessions();
    let record = |steps: Vec<Step>| {
        let Some(Step::Open(open)) = steps.first() else { panic!("a session begins with open") };
        let request = serde_json::from_str(open).expect("open GENERATION_REQUEST");
        let lines = steps.iter().filter_map(|step| match step {
            Step::Receive(line) => Some(format!("{line}\n")),
            _ => None,
        });
        Recorded { request, body: lines.collect::<String>().into_bytes() }
    };
    sessions.into_iter().map(record).collect()
}

fn asked(provider: &Provider<dyn LlmProtocol>, request: &GenerationRequest) -> Box<dyn LlmProtocol> {
    let mut codec = provider.protocol();
    codec.request(request);
    codec
}

/// All events of a body that comes in these pieces, with neighbouring text joined.
fn events(provider: &Provider<dyn LlmProtocol>, request: &GenerationRequest, pieces: &[&[u8]]) -> Vec<GenerationEvent> {
    let mut codec = asked(provider, request);
    let mut all: Vec<GenerationEvent> = Vec::new();
    for piece in pieces {
        let mut events = Vec::new();
        codec.on_bytes(piece, &mut events);
        assert!(events.len() <= EVENTS_PER_MESSAGE_MAX, "{} events of one message", events.len());
        join(&mut all, events);
    }
    let mut events = Vec::new();
    codec.on_end(&mut events);
    assert!(events.len() <= EVENTS_PER_MESSAGE_MAX);
    join(&mut all, events);
    all
}

fn join(all: &mut Vec<GenerationEvent>, more: Vec<GenerationEvent>) {
    for event in more {
        match (all.last_mut(), event) {
            (Some(GenerationEvent::Text { delta }), GenerationEvent::Text { delta: next }) => delta.push_str(&next),
            (_, event) => all.push(event),
        }
    }
}

fn assert_ends_once(events: &[GenerationEvent]) {
    let ends = |event: &GenerationEvent| matches!(event, GenerationEvent::Done { .. } | GenerationEvent::Failed(_));
    assert_eq!(events.iter().filter(|event| ends(event)).count(), 1, "{events:?}");
    assert!(events.last().is_some_and(ends), "nothing follows the end: {events:?}");
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut codec: Option<Box<dyn LlmProtocol>> = None;
    Cassette::load("llm", name).replay(|step| {
        let mut events = Vec::new();
        match (step, codec.as_mut()) {
            (Step::Open(open), _) => {
                let mut fresh = provider.protocol();
                let request = fresh.request(&serde_json::from_str(open).expect("open GENERATION_REQUEST"));
                codec = Some(fresh);
                let mut lines = vec![format!("> {:?} {}", request.method, request.url).replace("Post", "POST")];
                lines.extend(header_lines(&request.headers));
                lines.push(format!("> {}", String::from_utf8_lossy(&request.body)));
                return lines;
            }
            (Step::Receive(line), Some(codec)) => codec.on_bytes(format!("{line}\n").as_bytes(), &mut events),
            (Step::Act(verb, _), Some(codec)) if verb == "end" => codec.on_end(&mut events),
            (step, _) => panic!("nobody can {step:?}"),
        }
        events.iter().map(|event| format!("= {}", serde_json::to_string(event).expect("events serialise"))).collect()
    });
}

pub(crate) fn response_split_anywhere_gives_the_same_events(name: &str, cuts: &[usize]) {
    let provider = provider(name);
    for recorded in recorded(name) {
        let body = &recorded.body;
        let whole = events(&provider, &recorded.request, &[body]);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
        at.extend([0, body.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        assert_eq!(events(&provider, &recorded.request, &pieces), whole);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(events(&provider, &recorded.request, &bytes), whole);
    }
}

pub(crate) fn a_response_cut_off_anywhere_ends_once(name: &str, cut: usize) {
    let provider = provider(name);
    for recorded in recorded(name) {
        let cut = cut % (recorded.body.len() + 1);
        assert_ends_once(&events(&provider, &recorded.request, &[&recorded.body[..cut]]));
    }
}

pub(crate) fn mutated_responses_are_survived(name: &str, mutations: &[Mutation]) {
    let provider = provider(name);
    for recorded in recorded(name) {
        assert_ends_once(&events(&provider, &recorded.request, &[&mutate(&recorded.body, mutations)]));
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let provider = provider(name);
    assert_no_key(&format!("{provider:?}"));
    for recorded in recorded(name) {
        let mut codec = provider.protocol();
        let request = codec.request(&recorded.request);
        assert!(request.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&format!("{request:?}"));
        assert_no_key(&String::from_utf8_lossy(&request.body));
        let echo = format!("data: {{\"error\":{{\"message\":\"{key}\",\"code\":\"{key}\"}}}}\n\n", key = super::KEY);
        for event in events(&provider, &recorded.request, &[echo.as_bytes()]) {
            if let GenerationEvent::Failed(failure) = event {
                assert_failure_hides_the_key(&failure);
            }
        }
    }
}

pub(crate) fn usage_moves(name: &str) {
    let provider = provider(name);
    let mut shown = false;
    for recorded in recorded(name) {
        let before = asked(&provider, &recorded.request).usage_so_far();
        assert!(before.input > 0, "a generation that is called off at once is not free");
        for event in events(&provider, &recorded.request, &[&recorded.body]) {
            let GenerationEvent::Usage(usage) = event else { continue };
            shown |= usage.output > 0;
            if crate::pricing::prices().iter().any(|price| price.provider == name) {
                let cost = crate::pricing::llm_cost(name, provider.settings().model(), usage);
                assert!(cost.is_some_and(|cost| cost.usd_micros >= 0), "the model of the cassette has a price");
            }
        }
    }
    assert!(shown, "the cassette shows usage");
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, llm as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::llm::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
            law::provider($name);
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
        fn usage_moves_and_has_a_price() {
            law::usage_moves($name);
        }
        proptest::proptest! {
            #![proptest_config(laws::few())]
            #[test]
            fn response_split_anywhere_gives_the_same_events(cuts in proptest::collection::vec(0usize..8_192, 0..12)) {
                law::response_split_anywhere_gives_the_same_events($name, &cuts);
            }
            #[test]
            fn a_response_cut_off_anywhere_ends_once(cut in 0usize..8_192) {
                law::a_response_cut_off_anywhere_ends_once($name, cut);
            }
            #[test]
            fn mutated_responses_are_survived(mutations in laws::mutations()) {
                law::mutated_responses_are_survived($name, &mutations);
            }
        }
    };
}
pub(crate) use obeys_the_laws;
