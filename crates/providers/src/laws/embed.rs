//! Laws of embeddings.

use super::cassette::{Cassette, Step, header_lines};
use super::{Mutation, assert_failure_hides_the_key, assert_no_key, mutate};
use crate::embed::{EmbedProtocol, EmbedRequest, Embeddings, PROVIDERS};
use crate::registry::Provider;
use base::Failure;

pub(crate) fn provider(name: &str) -> Provider<dyn EmbedProtocol> {
    PROVIDERS.open(name, &Cassette::load("embed", name).options()).expect("the cassette's options are usable")
}

/// What was asked, and the body that came back.
fn recorded(name: &str) -> Vec<(EmbedRequest, Vec<u8>)> {
    let record = |steps: Vec<Step>| {
        let Some(Step::Open(open)) = steps.first() else { panic!("a session begins with open") };
        let lines = steps.iter().filter_map(|step| match step {
            Step::Receive(line) => Some(line.clone()),
            _ => None,
        });
        (serde_json::from_str(open).expect("open EMBED_REQUEST"), lines.collect::<String>().into_bytes())
    };
    Cassette::load("embed", name).sessions().into_iter().map(record).collect()
}

fn answered(
    provider: &Provider<dyn EmbedProtocol>,
    request: &EmbedRequest,
    body: &[u8],
) -> Result<Embeddings, Failure> {
    let mut codec = provider.protocol();
    codec.request(request);
    codec.on_body(body)
}

fn assert_is_whole(request: &EmbedRequest, embeddings: &Embeddings) {
    assert_eq!(embeddings.vectors.len(), request.texts.len(), "one vector for each text");
    for vector in &embeddings.vectors {
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-3, "a vector has length 1, not {length}");
        assert_eq!(vector.len(), embeddings.vectors[0].len(), "all vectors have one width");
    }
}

pub(crate) fn cassette_replays(name: &str) {
    let provider = provider(name);
    let mut codec: Option<Box<dyn EmbedProtocol>> = None;
    let mut body = String::new();
    Cassette::load("embed", name).replay(|step| match (step, codec.as_mut()) {
        (Step::Open(open), _) => {
            let mut fresh = provider.protocol();
            let request = fresh.request(&serde_json::from_str(open).expect("open EMBED_REQUEST"));
            codec = Some(fresh);
            body.clear();
            let mut lines = vec![format!("> {:?} {}", request.method, request.url).replace("Post", "POST")];
            lines.extend(header_lines(&request.headers));
            lines.push(format!("> {}", String::from_utf8_lossy(&request.body)));
            lines
        }
        (Step::Receive(line), _) => {
            body.push_str(line);
            Vec::new()
        }
        (Step::Act(verb, _), Some(codec)) if verb == "end" => match codec.on_body(body.as_bytes()) {
            Ok(embeddings) => {
                let mut lines = vec![format!("= tokens {}", embeddings.tokens)];
                lines.extend(embeddings.vectors.iter().map(|vector| format!("= vector {vector:.4?}")));
                lines
            }
            Err(failure) => vec![format!("= failed {failure}")],
        },
        (step, _) => panic!("nobody can {step:?}"),
    });
}

pub(crate) fn every_text_has_one_vector(name: &str) {
    let provider = provider(name);
    assert!(provider.protocol().texts_max() >= 1);
    let mut whole = 0;
    for (request, body) in recorded(name) {
        let Ok(embeddings) = answered(&provider, &request, &body) else { continue };
        whole += 1;
        assert_is_whole(&request, &embeddings);
        assert!(embeddings.tokens > 0, "use is counted");
        let mut more = request.clone();
        more.texts.push("one more".into());
        answered(&provider, &more, &body).expect_err("fewer vectors than texts");
        more.texts.truncate(request.texts.len() - 1);
        answered(&provider, &more, &body).expect_err("more vectors than texts");
        let model = provider.settings().model();
        let cost = crate::pricing::embed_cost(name, model, embeddings.tokens);
        assert!(cost.is_some(), "the model of the cassette has a price");
    }
    assert!(whole > 0, "the cassette shows an answer");
}

pub(crate) fn mutated_answers_are_survived(name: &str, mutations: &[Mutation]) {
    let provider = provider(name);
    for (request, body) in recorded(name) {
        if let Ok(embeddings) = answered(&provider, &request, &mutate(&body, mutations)) {
            assert_is_whole(&request, &embeddings);
        }
    }
}

pub(crate) fn the_key_shows_nowhere(name: &str) {
    let provider = provider(name);
    assert_no_key(&format!("{provider:?}"));
    for (request, _) in recorded(name) {
        let mut codec = provider.protocol();
        let request = codec.request(&request);
        assert!(request.headers.iter().any(|header| header.value.expose().contains(super::KEY)), "the key is sent");
        assert_no_key(&format!("{request:?}"));
        assert_no_key(&String::from_utf8_lossy(&request.body));
        let echo = format!("{{\"error\":\"{}\"}}", super::KEY);
        assert_failure_hides_the_key(&codec.on_body(echo.as_bytes()).expect_err("no vectors"));
    }
}

macro_rules! obeys_the_laws {
    ($name:expr) => {
        use $crate::laws::{self, embed as law};

        #[test]
        fn descriptor_is_complete() {
            let entry = $crate::embed::PROVIDERS.find($name).expect("listed");
            laws::descriptor_is_complete(entry.descriptor);
        }
        #[test]
        fn cassette_replays_to_the_expected_vectors() {
            law::cassette_replays($name);
        }
        #[test]
        fn every_text_has_one_vector_and_a_price() {
            law::every_text_has_one_vector($name);
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
