//! Embeddings and text services, whoever provides them: one suite of laws for the cloud (against the twins of the vendors)
//! and for the models of this machine.

use base::{ErrorClass, Failure, limits};
use egress::{Egress, EgressConfig, Policy};
use local::language::{EMBEDDER, LanguageModels, Names};
use local::models::ModelDir;
use providers::ProviderOptions;
use providers::embed::{EmbedPurpose, EmbedRequest, Embeddings};
use providers::text::{EntityKind, Sentiment, TextAnswer, TextItem, TextRequest, TextSkill};
use runtime::drivers::{HttpEmbed, HttpText};
use runtime::on_device::{LocalEmbed, LocalText, model_slots};
use runtime::service::{Bill, EmbedService, TextService};
use sim::twins::openai::Dialect;
use sim::twins::{Fault, Faults, Moment, Record, azure_language, azure_translator, gemini, google_translate, openai};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn egress() -> Arc<Egress> {
    egress::install_crypto();
    Arc::new(Egress::new(EgressConfig::new(Policy::Operator)))
}

fn options(base_url: &str, key: &str) -> ProviderOptions {
    ProviderOptions { api_key: Some(key.into()), base_url: Some(base_url.to_owned()), ..ProviderOptions::default() }
}

fn embedder(name: &str, base_url: &str, key: &str) -> Arc<dyn EmbedService> {
    let provider = providers::embed::PROVIDERS.open(name, &options(base_url, key)).expect("usable");
    let model = provider.settings().model().to_owned();
    Arc::new(HttpEmbed::new(name, &model, Arc::new(move || provider.protocol()), egress()))
}

fn reader(name: &str, base_url: &str, key: &str) -> Arc<dyn TextService> {
    let provider = providers::text::PROVIDERS.open(name, &options(base_url, key)).expect("usable");
    let model = provider.settings().model().to_owned();
    Arc::new(HttpText::new(name, &model, Arc::new(move || provider.protocol()), egress()))
}

fn request<S: AsRef<str>>(texts: &[S]) -> EmbedRequest {
    let texts = texts.iter().map(|text| text.as_ref().into()).collect();
    EmbedRequest { texts, purpose: EmbedPurpose::Document }
}

async fn embed<S: AsRef<str>>(service: &dyn EmbedService, texts: &[S]) -> Result<Embeddings, Failure> {
    timeout(PATIENCE, service.embed(request(texts), &Bill::default())).await.expect("in time")
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

// ---- the laws of embedders ----

async fn obeys_the_laws(service: &dyn EmbedService) {
    let texts = ["Where is my order?", "Where is the order of mine?", "Purple elephants sing."];
    let made = embed(service, &texts).await.expect("vectors");
    assert_eq!(made.vectors.len(), texts.len(), "one vector for each text");
    for vector in &made.vectors {
        assert_eq!(vector.len(), made.vectors[0].len(), "all of one width");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-3, "of length 1");
    }
    let [a, b, c] = made.vectors.as_slice() else { panic!("three") };
    assert!(cosine(a, b) > cosine(a, c), "texts that are alike have vectors that are");
    assert!(made.tokens > 0);

    let turned = embed(service, &[texts[2], texts[0]]).await.expect("vectors");
    assert!(cosine(&turned.vectors[0], c) > 0.999, "in the order of the texts, whatever stands beside them");
    assert!(cosine(&turned.vectors[1], a) > 0.999);

    assert_eq!(embed::<&str>(service, &[]).await.expect("nothing").vectors.len(), 0);
    assert_eq!(embed(service, &["x", " "]).await.expect_err("empty").class, ErrorClass::Invalid);
    let many = vec!["x"; limits::EMBED_TEXTS_MAX + 1];
    assert_eq!(embed(service, &many).await.expect_err("too many").class, ErrorClass::Invalid);
    let long = "word ".repeat(limits::EMBED_TEXT_CHARS_MAX);
    embed(service, &[long]).await.expect("the rest does not count");
    assert!(service.space().starts_with(service.name()), "a space says whose it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedders_of_the_cloud_obey_the_laws_and_are_paid_for() {
    let plain = openai::start(openai::Behaviour::default()).await.expect("a port");
    let azure = openai::Behaviour { dialect: Dialect::Azure, ..openai::Behaviour::default() };
    let azure = openai::start(azure).await.expect("a port");
    let gemini = gemini::start(gemini::Behaviour::default()).await.expect("a port");
    for (name, base_url, key) in [
        ("openai", &plain.base_url, &plain.key),
        ("azure_openai", &azure.base_url, &azure.key),
        ("gemini", &gemini.base_url, &gemini.key),
    ] {
        let service = embedder(name, base_url, key);
        obeys_the_laws(service.as_ref()).await;
        let bill = Bill::default();
        let texts = vec!["a text of some length, so that it costs something"; 250];
        let made = service.embed(request(&texts), &bill).await.expect("more than one request holds");
        assert_eq!(made.vectors.len(), 250);
        assert!(bill.total().usd_micros > 0, "{name} is paid for");
    }
    assert_eq!(gemini.record.count("embed") % 3, 0, "250 texts are three requests of that service");
}

fn models_dir() -> ModelDir {
    ModelDir::locate().expect("a folder")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedder_of_this_machine_obeys_the_same_laws() {
    let dir = models_dir();
    if !dir.path_of(EMBEDDER, "model.onnx").exists() {
        eprintln!("no models in {}: `frontdesk models pull` brings them; skipped", dir.path().display());
        return;
    }
    let models = LanguageModels::load(&dir).expect("models load");
    obeys_the_laws(&LocalEmbed::new(Arc::new(models), model_slots())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedder_that_is_wrong_or_gone_fails_in_time_and_works_again() {
    let twin = openai::start(openai::Behaviour::default()).await.expect("a port");
    let service = embedder("openai", &twin.base_url, &twin.key);
    for (fault, class) in [
        (Fault::Status { status: 429, retry_after_s: Some(2) }, ErrorClass::RateLimited),
        (Fault::Status { status: 401, retry_after_s: None }, ErrorClass::Auth),
        (Fault::Status { status: 503, retry_after_s: None }, ErrorClass::Unavailable),
        (Fault::Garbage, ErrorClass::Protocol),
    ] {
        twin.faults.set_times(Moment::Start, fault.clone(), 1);
        let failure = embed(service.as_ref(), &["x"]).await.expect_err("a fault");
        assert_eq!(failure.class, class, "{fault:?}");
    }
    embed(service.as_ref(), &["x"]).await.expect("works again");
}

// ---- text services ----

fn items(texts: &[&str]) -> Vec<TextItem> {
    texts.iter().map(|text| TextItem { text: (*text).into(), language: Some("en".to_owned()) }).collect()
}

async fn read(service: &dyn TextService, skill: TextSkill, texts: &[&str]) -> Vec<Result<TextAnswer, Failure>> {
    let target = (skill == TextSkill::Translation).then(|| "de".to_owned());
    let request = TextRequest { skill, items: items(texts), target };
    timeout(PATIENCE, service.read(request, &Bill::default())).await.expect("in time").expect("answers")
}

/// What every service does alike, for every skill that it has.
async fn reads_by_the_laws(service: &dyn TextService) {
    let mut skills = 0;
    for skill in TextSkill::ALL {
        let target = Some("de".to_owned());
        let request = TextRequest { skill, items: items(&["Hello there"]), target };
        if !service.can(skill) {
            let refused = service.read(request, &Bill::default()).await.expect_err("cannot");
            assert_eq!(refused.class, ErrorClass::Invalid);
            continue;
        }
        skills += 1;
        let long = "x".repeat(200_000);
        let many: Vec<String> = (0..23).map(|n| format!("Hello there {n}")).collect();
        let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
        texts[3] = " ";
        texts[17] = &long;
        let answers = read(service, skill, &texts).await;
        assert_eq!(answers.len(), 23, "one outcome for each text");
        for (place, answer) in answers.iter().enumerate() {
            match answer {
                Ok(_) => assert!(place != 3 && place != 17),
                Err(failure) => {
                    assert!(place == 3 || place == 17, "{failure}");
                    assert_eq!(failure.class, ErrorClass::Invalid);
                }
            }
        }
        assert!(read(service, skill, &[]).await.is_empty());
    }
    assert!(skills > 0);
    if service.can(TextSkill::Translation) {
        let request = TextRequest { skill: TextSkill::Translation, items: items(&["Hello"]), target: None };
        let refused = service.read(request, &Bill::default()).await.expect_err("into what?");
        assert_eq!(refused.class, ErrorClass::Invalid);
    }
}

async fn fails_and_works_again(service: &dyn TextService, faults: &Faults, record: &Record, key: &str) {
    let skill = TextSkill::ALL.into_iter().find(|skill| service.can(*skill)).expect("a skill");
    let request = || TextRequest { skill, items: items(&["Hello"]), target: Some("de".to_owned()) };
    for (fault, class) in [
        (Fault::Status { status: 429, retry_after_s: Some(2) }, ErrorClass::RateLimited),
        (Fault::Status { status: 503, retry_after_s: None }, ErrorClass::Unavailable),
        (Fault::Garbage, ErrorClass::Protocol),
    ] {
        faults.set_times(Moment::Start, fault.clone(), 1);
        let failure = service.read(request(), &Bill::default()).await.expect_err("a fault");
        assert_eq!(failure.class, class, "{fault:?} of {}", service.name());
    }
    let bill = Bill::default();
    service.read(request(), &bill).await.expect("works again")[0].as_ref().expect("an answer");
    assert!(bill.total().usd_micros > 0, "{} is paid for", service.name());
    assert!(!record.lines().join("\n").contains(key), "the record holds no key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentiment_entities_and_personal_data_are_read_and_single_failures_are_seen() {
    let twin = azure_language::start().await.expect("a port");
    let service = reader("azure_language", &twin.base_url, &twin.key);
    reads_by_the_laws(service.as_ref()).await;
    fails_and_works_again(service.as_ref(), &twin.faults, &twin.record, &twin.key).await;

    let answers = read(service.as_ref(), TextSkill::Sentiment, &["It broke.", "That was great."]).await;
    let feels = |answer: &Result<TextAnswer, Failure>| match answer {
        Ok(TextAnswer::Sentiment { sentiment, .. }) => *sentiment,
        other => panic!("{other:?}"),
    };
    assert_eq!([feels(&answers[0]), feels(&answers[1])], [Sentiment::Negative, Sentiment::Positive]);

    let text = "Zoé said 5550170.";
    let answers = read(service.as_ref(), TextSkill::PersonalData, &[text]).await;
    let Ok(TextAnswer::PersonalData { entities, masked }) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(masked, "Zoé said *******.");
    assert_eq!((entities[0].kind, &text[entities[0].range.clone()]), (EntityKind::Phone, "5550170"));

    // The service succeeds as a whole and fails for one text.
    let mut mixed = items(&["Fine.", "Fine."]);
    mixed[1].language = Some("xx".to_owned());
    let request = TextRequest { skill: TextSkill::Sentiment, items: mixed, target: None };
    let answers = service.read(request, &Bill::default()).await.expect("200");
    assert!(answers[0].is_ok());
    let failure = answers[1].as_ref().expect_err("one of two");
    assert_eq!((failure.class, failure.detail.as_str()), (ErrorClass::Invalid, "UnsupportedLanguageCode"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_translated_whoever_does_it() {
    let azure = azure_translator::start().await.expect("a port");
    let google = google_translate::start().await.expect("a port");
    let services = [
        (reader("azure_translator", &azure.base_url, &azure.key), &azure.faults, &azure.record, &azure.key),
        (reader("google_translate", &google.base_url, &google.key), &google.faults, &google.record, &google.key),
    ];
    for (service, faults, record, key) in services {
        reads_by_the_laws(service.as_ref()).await;
        fails_and_works_again(service.as_ref(), faults, record, key).await;
        let request = TextRequest {
            skill: TextSkill::Translation,
            items: vec![TextItem { text: "It's open.".into(), language: None }],
            target: Some("de".to_owned()),
        };
        let answers = service.read(request, &Bill::default()).await.expect("answers");
        let expected = TextAnswer::Translation { text: "[de] It's open.".into(), from: Some("en".to_owned()) };
        assert_eq!(answers, [Ok(expected)], "{}", service.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_tells_languages_and_finds_personal_data_by_itself() {
    let service = LocalText::new(model_slots());
    reads_by_the_laws(&service).await;
    let request = TextRequest {
        skill: TextSkill::Language,
        items: vec![TextItem { text: "Quisiera cambiar mi cita, por favor".into(), language: None }],
        target: None,
    };
    let answers = service.read(request, &Bill::default()).await.expect("answers");
    assert!(matches!(&answers[0], Ok(TextAnswer::Language { language: Some(language), .. }) if language == "es"));
    let text = "write to zoé@example.com or 040 5550170";
    let answers = read(&service, TextSkill::PersonalData, &[text]).await;
    let Ok(TextAnswer::PersonalData { entities, masked }) = &answers[0] else { panic!("{answers:?}") };
    assert!(masked.ends_with("or [phone]"), "{masked}");
    let phone = entities.iter().find(|entity| entity.kind == EntityKind::Phone).expect("a number");
    assert_eq!(&text[phone.range.clone()], "040 5550170");
}

#[tokio::test]
async fn this_machine_marks_names_and_addresses_with_a_model_of_them() {
    let Some(names) = Names::at(&models_dir()) else {
        eprintln!("no model of names in {}: skipped", models_dir().path().display());
        return;
    };
    let service = LocalText::new(model_slots()).with_names(Some(names));
    let text = "My number is 040 5550170. I am Maria Lopez, I live at 22 Baker Street, London.";
    let answers = read(&service, TextSkill::PersonalData, &[text]).await;
    let Ok(TextAnswer::PersonalData { entities, masked }) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(masked, "My number is [phone]. I am [name], I live at [address].");
    let kinds: Vec<EntityKind> = entities.iter().map(|entity| entity.kind).collect();
    assert_eq!(kinds, [EntityKind::Phone, EntityKind::Person, EntityKind::Address]);
}
