//! The on-device brain on the demo business, with the real models.

use local::language::evaluation::{first_turn, measure_questions, measure_tools, read_questions, read_tool_messages};
use local::language::names::NameKind;
use local::language::{Brain, EMBEDDER, Gate, Knowledge, LanguageModels, Names, RERANKER};
use local::models::ModelDir;
use model::generation::{AwaitedSlot, ChatMessage, Citation, Finish, GenerationEvent, GenerationRequest};
use model::seed::{Document, Seed};
use model::tool::ToolSpec;
use std::path::Path;
use std::sync::{Arc, LazyLock};

struct Demo {
    brain: Brain,
    tools: Vec<ToolSpec>,
    help: String,
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/demo").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn models_dir() -> ModelDir {
    ModelDir::locate().expect("a folder")
}

/// `None`, said aloud, on a machine without the model files.
fn demo() -> Option<&'static Demo> {
    static DEMO: LazyLock<Option<Demo>> = LazyLock::new(|| {
        let dir = models_dir();
        if [EMBEDDER, RERANKER].iter().any(|model| !dir.path_of(model, "model.onnx").exists()) {
            eprintln!("no models in {}: `frontdesk models pull` brings them; skipped", dir.path().display());
            return None;
        }
        let models = Arc::new(LanguageModels::load(&dir).expect("models load"));
        let seed: Seed = toml::from_str(&fixture("business.toml")).expect("the demo business is well formed");
        let help = fixture("help.md");
        let documents = [Document { title: seed.documents[0].title.clone(), text: help.clone() }];
        let gate = Gate::from_json(&fixture("gate.json")).expect("the gate is well formed");
        let knowledge = Knowledge::build(&models, &documents, gate).expect("the documents are indexed");
        Some(Demo { brain: Brain::new(models, Arc::new(knowledge)), tools: seed.agents[0].tools.clone(), help })
    });
    DEMO.as_ref()
}

/// A conversation of customer (`c`) and agent (`a`) lines; the last is the customer's.
fn conversation(tools: &[ToolSpec], lines: &[(char, &str)]) -> GenerationRequest {
    let mut request = first_turn("", tools);
    request.messages = lines
        .iter()
        .map(|(who, text)| match who {
            'c' => ChatMessage::Customer { text: (*text).into() },
            _ => ChatMessage::Agent { text: (*text).to_owned() },
        })
        .collect();
    request
}

fn said(events: &[GenerationEvent]) -> String {
    let deltas = events.iter().filter_map(|e| match e {
        GenerationEvent::Text { delta } => Some(delta.as_str()),
        _ => None,
    });
    deltas.collect::<String>().trim().to_owned()
}

fn citations(events: &[GenerationEvent]) -> Vec<Citation> {
    let cited = events.iter().filter_map(|e| match e {
        GenerationEvent::Cited { citations } => Some(citations.clone()),
        _ => None,
    });
    cited.flatten().collect()
}

fn finish(events: &[GenerationEvent]) -> Option<Finish> {
    match events.last() {
        Some(GenerationEvent::Done { finish }) => Some(*finish),
        _ => None,
    }
}

fn call(events: &[GenerationEvent]) -> Option<(String, String)> {
    events.iter().find_map(|e| match e {
        GenerationEvent::ToolCall { name, args, .. } => Some((name.clone(), args.to_string())),
        _ => None,
    })
}

fn needed(events: &[GenerationEvent]) -> Option<AwaitedSlot> {
    events.iter().find_map(|e| match e {
        GenerationEvent::NeedSlot(slot) => Some(slot.clone()),
        _ => None,
    })
}

#[test]
fn the_documents_answer_what_they_answer_and_little_else() {
    let Some(demo) = demo() else { return };
    let report = measure_questions(&demo.brain, &read_questions(&fixture("questions-dev.tsv"))).expect("models run");
    assert_eq!((report.answerable, report.unanswerable), (50, 30));
    assert!(report.ranked_first >= 46, "right section first: {report:#?}");
    assert!(report.answered >= 39, "answered from the right section: {report:#?}");
    assert!(report.wrong <= 2, "answered from a wrong section: {report:#?}");
    assert!(report.unanswerable_answered <= 8, "answered what has no answer: {report:#?}");
}

#[test]
fn requests_reach_their_tool_and_nothing_dangerous_happens() {
    let Some(demo) = demo() else { return };
    let messages = read_tool_messages(&fixture("tool-calls-dev.jsonl")).expect("messages are well formed");
    let report = measure_tools(&demo.brain, &demo.tools, &messages);
    assert_eq!(report.dangerous, 0, "{report:#?}");
    assert!(report.right_with_args >= 18, "{report:#?}");
}

#[test]
fn every_answer_is_verbatim_from_the_document() {
    let Some(demo) = demo() else { return };
    for question in read_questions(&fixture("questions-dev.tsv")).iter().step_by(4) {
        let events = demo.brain.answer(&first_turn(&question.text, &demo.tools));
        assert_eq!(events, demo.brain.answer(&first_turn(&question.text, &demo.tools)), "the same twice");
        for citation in citations(&events) {
            for sentence in citation.quote.split_inclusive(". ") {
                assert!(demo.help.contains(sentence.trim()), "{sentence}");
            }
            assert!(said(&events).contains(&citation.quote));
        }
    }
}

#[test]
fn an_unanswerable_question_is_declined_and_a_yes_brings_a_person() {
    let Some(demo) = demo() else { return };
    let question = "who founded the company";
    let events = demo.brain.answer(&first_turn(question, &demo.tools));
    assert_eq!(finish(&events), Some(Finish::Declined));
    let offer = said(&events);
    let yes = demo.brain.answer(&conversation(&demo.tools, &[('c', question), ('a', &offer), ('c', "yes please")]));
    assert_eq!(call(&yes), Some(("handoff".into(), "{}".into())));
    let no = demo.brain.answer(&conversation(&demo.tools, &[('c', question), ('a', &offer), ('c', "no thanks")]));
    assert_eq!(call(&no), None);
}

#[test]
fn a_missing_argument_is_asked_for_and_filled_from_the_next_turn() {
    let Some(demo) = demo() else { return };
    let first = demo.brain.answer(&first_turn("I would like to book a repair", &demo.tools));
    let slot = needed(&first).expect("it asks");
    assert_eq!((slot.tool.as_str(), slot.slot.as_str()), ("book_repair", "service"));

    let ask = said(&first);
    let lines =
        [('c', "I would like to book a repair"), ('a', ask.as_str()), ('c', "the small one on thursday please")];
    let mut request = conversation(&demo.tools, &lines);
    request.awaiting = Some(slot.clone());
    let filled = demo.brain.answer(&request);
    assert_eq!(call(&filled), Some(("book_repair".into(), r#"{"service":"basic","day":"Thursday"}"#.into())));

    request.messages.pop();
    request.messages.push(ChatMessage::Customer { text: "how much does the full service cost".into() });
    let aside = demo.brain.answer(&request);
    assert!(said(&aside).contains("119 euros") || needed(&aside).is_some(), "{aside:?}");

    request.messages.pop();
    request.messages.push(ChatMessage::Customer { text: "actually I want to speak to a human".into() });
    assert_eq!(call(&demo.brain.answer(&request)), Some(("handoff".into(), "{}".into())));
}

#[test]
fn an_order_number_is_understood_as_people_say_it() {
    let Some(demo) = demo() else { return };
    for (text, id) in [
        ("where is my order four eight two one three", "48213"),
        ("can you check order b l nine oh one seven seven for me", "BL-90177"),
        ("uh hi my order is double five one two zero has it been sent", "55120"),
    ] {
        let events = demo.brain.answer(&first_turn(text, &demo.tools));
        assert_eq!(call(&events), Some(("order_status".into(), format!(r#"{{"order_id":"{id}"}}"#))), "{text}");
    }
    let mut request = first_turn("it is three one triple three... no, three one three three seven", &demo.tools);
    request.awaiting =
        Some(AwaitedSlot { tool: "order_status".into(), args: serde_json::Map::new(), slot: "order_id".into() });
    assert_eq!(call(&demo.brain.answer(&request)).map(|c| c.1), Some(r#"{"order_id":"31337"}"#.into()));
}

#[test]
fn a_short_question_leans_on_the_one_before() {
    let Some(demo) = demo() else { return };
    let request = conversation(
        &demo.tools,
        &[
            ('c', "how much is it to rent a city bike for a day"),
            ('a', "18 euros a day."),
            ('c', "and how high is the deposit?"),
        ],
    );
    assert_eq!(citations(&demo.brain.answer(&request))[0].section, "Rental");
    let request = conversation(
        &demo.tools,
        &[('c', "do you deliver to Austria"), ('a', "We deliver to Austria."), ('c', "and to Switzerland?")],
    );
    assert_eq!(citations(&demo.brain.answer(&request))[0].section, "Countries we deliver to");
}

#[test]
fn two_questions_get_two_answers() {
    let Some(demo) = demo() else { return };
    let events =
        demo.brain.answer(&first_turn("what are your opening hours and do you deliver to Austria", &demo.tools));
    let sections: Vec<String> = citations(&events).into_iter().map(|c| c.section).collect();
    assert_eq!(sections, ["Opening hours", "Countries we deliver to"]);
}

#[test]
fn what_a_tool_answered_is_said() {
    let Some(demo) = demo() else { return };
    let mut request = first_turn("where is my order 48213", &demo.tools);
    let row = r#"{"order_id":"48213","status":"on its way","detail":"It should arrive soon."}"#;
    request.messages.push(ChatMessage::ToolCall {
        id: "local-1".into(),
        name: "order_status".into(),
        args: serde_json::json!({ "order_id": "48213" }),
    });
    request.messages.push(ChatMessage::ToolResult {
        id: "local-1".into(),
        name: "order_status".into(),
        text: row.into(),
    });
    assert_eq!(said(&demo.brain.answer(&request)), "Order 48213 is on its way. It should arrive soon.");
}

#[test]
fn names_of_people_and_addresses_are_found_and_products_are_none() {
    let Some(names) = Names::at(&models_dir()) else {
        eprintln!("no model of names in {}: skipped", models_dir().path().display());
        return;
    };
    let found = |text: &'static str| {
        let named = names.find(text).expect("the model runs");
        named.into_iter().filter(|one| one.is_whole).map(|one| (one.kind, &text[one.range])).collect::<Vec<_>>()
    };
    assert_eq!(found("Ask for Anna Weber in the workshop."), [(NameKind::Person, "Anna Weber")]);
    assert_eq!(
        found("You find us at 14 Canal Street, Northport, NP4 2BX."),
        [(NameKind::Address, "14 Canal Street, Northport, NP4 2BX")]
    );
    assert_eq!(found("The Leaf One and the Cargo King are e-bikes. Robes can be borrowed."), []);
    let long = "We mend bikes. Zoé Martin and John Smith work here.";
    let people = names.find_all(long).expect("the model runs");
    assert!(people.iter().any(|one| &long[one.range.clone()] == "John Smith"), "{people:?}");
}
