//! Laws of text services.

use super::cassette::{Cassette, Step, header_lines};
use super::{Mutation, assert_failure_hides_the_key, assert_no_key, mutate};
use crate::registry::Provider;
use crate::text::{Entity, PROVIDERS, TextAnswer, TextAnswers, TextItem, TextProtocol, TextRequest, TextSkill};
use base::Failure;

pub(crate) fn provider(name: &str) -> Provider<dyn TextProtocol> {
    PROVIDERS.open(name, &Cassette::load("text", name).options()).expect("the cassette's options are usable")
}

/// What was asked, and the body that came back.
fn recorded(name: &str) -> Vec<(TextRequest, Vec<u8>)> {
    let record = |steps: Vec<Step>| {
        let Some(Step::Open(open)) = steps.first() else { panic!("a session begins with open") };
        let lines = steps.iter().filter_map(|step| match step {
            Step::Receive(line) => Some(line.clone()),
            _ => None,
        });
        (serde_json::from_str(open).expect("open TEXT_REQUEST"), lines.collect::<String>().into_bytes())
    };
    Cassette::load("text", name).sessions().into_iter().map(record).collect()
}

fn answered(provider: &Provider<dyn TextProtocol>, request: &TextRequest, body: &[u8]) -> Result<TextAnswers, Failure> {
    let mut codec = provider.protocol();
    codec.request(request);
    codec.on_body(body)
}

fn assert_is_whole(request: &TextRequest, answers: &TextAnswers) {
    assert_eq!(answers.len(), request.items.len(), "one outcome for each text");
    for (item, answer) in request.items.iter().zip(answers) {
        let Ok(answer) = answer else { continue };
        let entities: &[Entity] = match answer {
            TextAnswer::Entities { entities } | TextAnswer::PersonalData { entities, .. } => entities,
            _ => &[],
        };
        for entity in entities {
            assert!(item.text.expose().get(entity.range.clone()).is_some(), "{entity:?} lies in the text");
        }
        assert!(entities.is_sorted_by_key(|entity| entity.range.start), "in the order of the text");
        let fits = match request.skill {
            TextSkill::Sentiment => matches!(answer, TextAnswer::Sentiment { .. }),
            TextSkill::Entities => matches!(answer, TextAnswer::Entities { .. }),
            TextSkill::PersonalData => matches!(answer, TextAnswer::PersonalData { .. }),
            TextSkill::Language => matches!(answer, TextAnswer::Language { .. }),
            TextSkill::Translation => matches!(answer, TextAnswer::Translation { .. }),
        };
        assert!(fits, "{answer:?} answers {:?}", request.skill);
    }
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut codec: Option<Box<dyn TextProtocol>> = None;
    let mut body = String::new();
    Cassette::load("text", name).replay(|step| match (step, codec.as_mut()) {
        (Step::Open(open), _) => {
            let mut fresh = provider.protocol();
            let asked = serde_json::from_str(open).expect("open TEXT_REQUEST");
            let request = fresh.request(&asked);
            let (unit, quantity) = fresh.billed(&asked);
            codec = Some(fresh);
            body.clear();
            let mut lines = vec![format!("> {:?} {}", request.method, request.url).replace("Post", "POST")];
            lines.extend(header_lines(&request.headers));
            lines.push(format!("> {}", String::from_utf8_lossy(&request.body)));
            lines.push(format!("= billed {quantity} {unit:?}"));
            lines
        }
        (Step::Receive(line), _) => {
            body.push_str(line);
            Vec::new()
        }
        (Step::Act(verb, _), Some(codec)) if verb == "end" => match codec.on_body(body.as_bytes()) {
            Ok(answers) => answers.iter().map(line_of).collect(),
            Err(failure) => vec![format!("= failed {failure}")],
        },
        (step, _) => panic!("nobody can {step:?}"),
    });
}

fn line_of(answer: &Result<TextAnswer, Failure>) -> String {
    match answer {
        Ok(answer) => format!("= {}", serde_json::to_string(answer).expect("answers serialise")),
        Err(failure) => format!("= failed item {failure}"),
    }
}

/// What the service says it can do is shown by its cassette, and what it cannot do is not asked there.
pub(crate) fn every_skill_is_shown_and_priced(name: &str) {
    let provider = provider(name);
    let sessions = recorded(name);
    for skill in TextSkill::ALL {
        let shown = sessions.iter().filter(|(request, _)| request.skill == skill);
        let good =
            shown.clone().filter_map(|(request, body)| Some((request, answered(&provider, request, body).ok()?)));
        let is_good = good.clone().any(|(_, answers)| answers.iter().all(Result::is_ok));
        let limits = provider.protocol().limits(skill);
        let said = provider.descriptor().features.contains(&skill.feature());
        assert_eq!(said, limits.is_some(), "the descriptor says whether it does {skill:?}");
        match limits {
            Some(limits) => {
                assert!(limits.items_max > 0 && limits.chars_max >= 1_000);
                assert!(is_good, "the cassette shows {skill:?}");
            }
            None => assert_eq!(shown.count(), 0, "{skill:?} cannot be asked for"),
        }
        for (request, answers) in good {
            assert_is_whole(request, &answers);
            let (unit, quantity) = provider.protocol().billed(request);
            let cost = crate::pricing::cost(name, provider.settings().model(), unit, quantity);
            assert!(quantity > 0 && cost.is_some(), "use has a price");
        }
    }
}

/// An answer for other texts than were sent is noticed.
pub(crate) fn texts_do_not_go_missing(name: &str) {
    let provider = provider(name);
    for (mut request, body) in recorded(name) {
        request.items.push(TextItem { text: "One more.".into(), language: None });
        if let Ok(answers) = answered(&provider, &request, &body) {
            assert_eq!(answers.len(), request.items.len());
            assert!(answers.last().is_some_and(Result::is_err), "nobody answered the last text");
        }
    }
}

pub(crate) fn mutated_answers_are_survived(name: &str, mutations: &[Mutation]) {
    let provider = provider(name);
    for (request, body) in recorded(name) {
        if let Ok(answers) = answered(&provider, &request, &mutate(&body, mutations)) {
            assert_eq!(answers.len(), request.items.len());
        }
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let provider = provider(name);
    assert_no_key(&format!("{provider:?}"));
    for (asked, _) in recorded(name) {
        let mut codec = provider.protocol();
        let request = codec.request(&asked);
        assert!(request.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&format!("{request:?}"));
        assert_no_key(&String::from_utf8_lossy(&request.body));
        let echo =
            format!(r#"{{"results":{{"documents":[],"errors":[{{"id":"0","error":{{"code":"{0}"}}}}]}}}}"#, super::KEY);
        match codec.on_body(echo.as_bytes()) {
            Err(failure) => assert_failure_hides_the_key(&failure),
            Ok(answers) => answers.iter().filter_map(|one| one.as_ref().err()).for_each(assert_failure_hides_the_key),
        }
    }
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, text as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::text::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
        }
        #[test]
        fn cassette_replays_to_the_expected_answers() {
            law::cassette_replays($name);
        }
        #[test]
        fn every_skill_is_shown_and_priced() {
            law::every_skill_is_shown_and_priced($name);
        }
        #[test]
        fn texts_do_not_go_missing() {
            law::texts_do_not_go_missing($name);
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
