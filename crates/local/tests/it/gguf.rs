//! A real language model in a GGUF file, named by `FRONTDESK_TEST_GGUF`. What it says is not judged: any instruction-tuned
//! model will do, however small.

use local::language::gguf::{GgufModel, GgufOptions};
use local::language::phrasing::Phrasing;
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Citation, Finish, GenerationEvent, GenerationRequest, TokenUsage};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// `None`, said aloud, when no model is named.
fn model_file() -> Option<PathBuf> {
    let named = std::env::var_os("FRONTDESK_TEST_GGUF").map(PathBuf::from);
    if named.is_none() {
        eprintln!("FRONTDESK_TEST_GGUF names no model; skipped");
    }
    named
}

fn phrasing(quote: &str, question: &str) -> GenerationRequest {
    let citation = Citation { document: "Help".into(), section: "One".into(), quote: quote.into(), page: None };
    let answer = [
        GenerationEvent::Text { delta: quote.into() },
        GenerationEvent::Cited { citations: vec![citation] },
        GenerationEvent::Done { finish: Finish::Stop },
    ];
    let request = GenerationRequest {
        brain: BrainChoice::Auto,
        messages: vec![ChatMessage::Customer { text: question.to_owned().into() }],
        tools: Vec::new(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 300,
    };
    Phrasing::of(&request, &answer).expect("one passage").request()
}

fn answered(model: &GgufModel, request: &GenerationRequest) -> (String, TokenUsage, Finish) {
    let (mut said, mut usage, mut finish) = (String::new(), None, None);
    model.generate(request, &Arc::default(), &mut |event| {
        match event {
            GenerationEvent::Text { delta } => said.push_str(&delta),
            GenerationEvent::Usage(used) => usage = Some(used),
            GenerationEvent::Done { finish: how } => finish = Some(how),
            GenerationEvent::Failed(failure) => panic!("{failure:?}"),
            _ => {}
        }
        true
    });
    (said, usage.expect("usage"), finish.expect("an end"))
}

/// Processor time of this process, in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>() * 10
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[test]
fn a_model_writes_the_same_answer_twice_reads_a_known_beginning_once_and_stops_when_it_is_called_off() {
    let Some(file) = model_file() else { return };
    let began = Instant::now();
    let model = GgufModel::load(&file, GgufOptions::default()).expect("the model loads");
    println!("load: {} ms wall, {} MB", began.elapsed().as_millis(), resident_mb());

    let quote = "We are open from 9 to 18 on weekdays and from 9 to 16 on Saturdays. We are closed on Sundays.";
    let hours = phrasing(quote, "When are you open on Saturday?");
    let before = cpu_ms();
    let (first, cold, _) = answered(&model, &hours);
    let after = cpu_ms();
    println!("cold: {cold:?}, {} CPU-ms: {first:?}", after - before);
    assert_eq!(cold.cached, 0);
    assert!(cold.output > 0 && !first.trim().is_empty());

    let (second, warm, _) = answered(&model, &hours);
    println!("same again: {warm:?}, {} CPU-ms", cpu_ms() - after);
    assert_eq!(second, first);
    assert_eq!(warm.cached, warm.input - 1);

    let before = cpu_ms();
    let (other, usage, _) =
        answered(&model, &phrasing("A service costs 79 euros and takes two days.", "How much is a service?"));
    println!("another passage: {usage:?}, {} CPU-ms: {other:?}", cpu_ms() - before);
    assert!(usage.cached > 20, "the instructions are in the cache: {usage:?}");

    let mut pieces = 0;
    let cancelled = Arc::<AtomicBool>::default();
    model.generate(&hours, &cancelled, &mut |event| {
        pieces += usize::from(matches!(event, GenerationEvent::Text { .. }));
        pieces < 2
    });
    assert_eq!(pieces, 2);
    // What was called off leaves nothing behind.
    assert_eq!(answered(&model, &hours).0, first);
    println!("at the end: {} MB", resident_mb());
}

#[test]
fn a_prompt_that_does_not_fit_is_refused_and_the_next_one_is_answered() {
    let Some(file) = model_file() else { return };
    let options = GgufOptions { context_tokens: 256, ..GgufOptions::default() };
    let model = GgufModel::load(&file, options).expect("the model loads");
    let mut failed = false;
    let long = phrasing(&"Returns are free. ".repeat(200), "What does a return cost?");
    model.generate(&long, &Arc::default(), &mut |event| {
        failed |= matches!(&event, GenerationEvent::Failed(why) if why.detail.contains("does not fit"));
        true
    });
    assert!(failed);
    let mut short = phrasing("Returns are free.", "What does a return cost?");
    short.tokens_max = 3;
    let (_, usage, _) = answered(&model, &short);
    assert!(usage.output <= 3);
}
