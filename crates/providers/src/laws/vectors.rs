//! Laws of vector stores.

use super::cassette::{Cassette, Step as Line, header_lines};
use super::{Mutation, assert_failure_hides_the_key, assert_no_key, mutate};
use crate::registry::Provider;
use crate::vectors::{PROVIDERS, Step, VectorAnswer, VectorProtocol, VectorRequest};
use base::wire::HttpRequest;
use base::{BusinessId, Failure};

/// One thing that is asked takes no more requests than this in any cassette.
const STEPS_MAX: usize = 20;

pub(crate) fn provider(name: &str) -> Provider<dyn VectorProtocol> {
    PROVIDERS.open(name, &Cassette::load("vectors", name).options()).expect("the cassette's options are usable")
}

fn asked(open: &str) -> VectorRequest {
    serde_json::from_str(open).expect("open VECTOR_REQUEST")
}

fn business_of(request: &VectorRequest) -> BusinessId {
    match request {
        VectorRequest::Prepare { business, .. }
        | VectorRequest::Upsert { business, .. }
        | VectorRequest::Delete { business, .. }
        | VectorRequest::Search { business, .. }
        | VectorRequest::Count { business } => *business,
    }
}

/// What was asked, and the statuses and bodies that came back.
fn recorded(name: &str) -> Vec<(VectorRequest, Vec<(u16, String)>)> {
    let record = |lines: Vec<Line>| {
        let Some(Line::Open(open)) = lines.first() else { panic!("a session begins with open") };
        let mut answers = Vec::new();
        let mut body = String::new();
        for line in &lines {
            match line {
                Line::Receive(text) => body.push_str(text),
                Line::Act(verb, status) if verb == "answered" => {
                    answers.push((status.parse().expect("a status"), std::mem::take(&mut body)));
                }
                _ => {}
            }
        }
        (asked(open), answers)
    };
    Cassette::load("vectors", name).sessions().into_iter().map(record).collect()
}

fn request_lines(request: &HttpRequest) -> Vec<String> {
    let mut lines = vec![format!("> {} {}", request.method.name(), request.url)];
    lines.extend(header_lines(&request.headers));
    if !request.body.is_empty() {
        lines.push(format!("> {}", String::from_utf8_lossy(&request.body)));
    }
    lines
}

/// What a driver makes of an answer.
fn step(codec: &mut dyn VectorProtocol, status: u16, body: &[u8]) -> Result<Step, Failure> {
    if (200..300).contains(&status) || codec.accepts(status, body) {
        return codec.on_answer(status, body);
    }
    let class = codec.classify(status, &String::from_utf8_lossy(body));
    Err(Failure::new(class, format!("the service answered {status}")))
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut codec: Option<Box<dyn VectorProtocol>> = None;
    let mut body = String::new();
    Cassette::load("vectors", name).replay(|line| match (line, codec.as_mut()) {
        (Line::Open(open), _) => {
            let mut fresh = provider.protocol();
            let request = fresh.begin(&asked(open));
            codec = Some(fresh);
            body.clear();
            request_lines(&request)
        }
        (Line::Receive(line), _) => {
            body.push_str(line);
            Vec::new()
        }
        (Line::Act(verb, status), Some(codec)) if verb == "answered" => {
            let told = std::mem::take(&mut body);
            match step(codec.as_mut(), status.parse().expect("a status"), told.as_bytes()) {
                Ok(Step::Ask(request)) => request_lines(&request),
                Ok(Step::Answer(VectorAnswer::Done)) => vec!["= done".to_owned()],
                Ok(Step::Answer(VectorAnswer::Counted(count))) => vec![format!("= counted {count}")],
                Ok(Step::Answer(VectorAnswer::Found(all))) => {
                    let shown = |one: &crate::vectors::Neighbour| {
                        let place = one.place;
                        format!(
                            "= found {} {} {} {} {:.3}",
                            one.business, place.document, place.version, place.ordinal, one.similarity
                        )
                    };
                    let mut lines = vec![format!("= {} found", all.len())];
                    lines.extend(all.iter().map(shown));
                    lines
                }
                Err(failure) => vec![format!("= failed {failure}")],
            }
        }
        (line, _) => panic!("nobody can {line:?}"),
    });
}

/// Everything that can be asked is shown, and every request but those of the whole store begins by naming the business.
pub(crate) fn every_request_names_the_business(name: &str) {
    let provider = provider(name);
    let mut kinds = [false; 5];
    for (request, _) in recorded(name) {
        kinds[match request {
            VectorRequest::Prepare { .. } => 0,
            VectorRequest::Upsert { .. } => 1,
            VectorRequest::Delete { .. } => 2,
            VectorRequest::Search { .. } => 3,
            VectorRequest::Count { .. } => 4,
        }] = true;
        let mut codec = provider.protocol();
        assert!(codec.points_max() >= 1);
        let first = codec.begin(&request);
        let sent = format!("{} {}", first.url, String::from_utf8_lossy(&first.body));
        let business = business_of(&request);
        let named = sent.contains(&business.to_string()) || sent.contains(&business.0.as_simple().to_string());
        // How many there are is told for all at once by some.
        let of_all = matches!(request, VectorRequest::Prepare { .. } | VectorRequest::Count { .. });
        assert!(named || of_all, "{sent}");
    }
    assert_eq!(kinds, [true; 5], "the cassette shows everything that can be asked");
}

fn finish(name: &str, request: &VectorRequest, answers: &[(u16, String)], garble: impl Fn(&str) -> Vec<u8>) {
    let mut codec = provider(name).protocol();
    codec.begin(request);
    for (status, body) in answers.iter().take(STEPS_MAX) {
        match step(codec.as_mut(), *status, &garble(body)) {
            Ok(Step::Ask(_)) => {}
            Ok(Step::Answer(VectorAnswer::Found(all))) => {
                let VectorRequest::Search { count, .. } = request else { panic!("nothing was searched for") };
                assert!(all.len() <= *count, "no more than was asked for");
                assert!(all.iter().all(|one| one.similarity.is_finite()));
                return;
            }
            Ok(Step::Answer(_)) | Err(_) => return,
        }
    }
}

pub(crate) fn mutated_answers_are_survived(name: &str, mutations: &[Mutation]) {
    for (request, answers) in recorded(name) {
        finish(name, &request, &answers, |body| mutate(body.as_bytes(), mutations));
    }
}

pub(crate) fn no_more_is_found_than_was_asked_for(name: &str) {
    for (request, answers) in recorded(name) {
        if let VectorRequest::Search { business, vector, .. } = request {
            let one = VectorRequest::Search { business, vector, count: 1 };
            finish(name, &one, &answers, |body| body.as_bytes().to_vec());
        }
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let provider = provider(name);
    assert_no_key(&format!("{provider:?}"));
    for (request, _) in recorded(name) {
        let mut codec = provider.protocol();
        let request = codec.begin(&request);
        assert!(request.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&format!("{request:?}"));
        assert_no_key(&String::from_utf8_lossy(&request.body));
        let echo = format!("{{\"error\":\"{}\"}}", super::KEY);
        if let Err(failure) = codec.on_answer(200, echo.as_bytes()) {
            assert_failure_hides_the_key(&failure);
        }
    }
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, vectors as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::vectors::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
        }
        #[test]
        fn cassette_replays_to_the_expected_answers() {
            law::cassette_replays($name);
        }
        #[test]
        fn every_request_names_the_business() {
            law::every_request_names_the_business($name);
        }
        #[test]
        fn no_more_is_found_than_was_asked_for() {
            law::no_more_is_found_than_was_asked_for($name);
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
        proptest::proptest! {
            #![proptest_config(laws::few())]
            #[test]
            fn mutated_answers_are_survived(mutations in laws::mutations()) {
                law::mutated_answers_are_survived($name, &mutations);
            }
        }
    };
}
pub(crate) use obeys_the_laws;
