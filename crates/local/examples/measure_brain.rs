//! Measures the on-device brain on the demo business, and fits its gate.
//!
//! `cargo run -p local --example measure_brain [-- --fit]`. Models are looked for in `$FRONTDESK_MODELS`, else in
//! `~/.local/share/frontdesk/models`.

use local::language::evaluation::{
    cross_validate, first_turn, measure_questions, measure_tools, read_questions, read_tool_messages,
};
use local::language::{Brain, Gate, Knowledge, LanguageModels};
use local::models::ModelDir;
use model::seed::{Document, Seed};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// CPU time of all threads, from the kernel's scheduler statistics.
fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

fn memory_mb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kb.map_or_else(|| "?".into(), |kb| format!("{:.0}", kb / 1024.0))
}

fn main() -> Result<(), Box<dyn Error>> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/demo");
    let read = |name: &str| std::fs::read_to_string(demo.join(name));
    let (started, before) = (Instant::now(), cpu_ms());
    let models = Arc::new(LanguageModels::load(&ModelDir::locate()?)?);
    println!("load: {:.0} ms CPU, {:.0} ms wall", cpu_ms() - before, started.elapsed().as_secs_f64() * 1e3);
    let seed: Seed = toml::from_str(&read("business.toml")?)?;
    let documents = seed
        .documents
        .iter()
        .map(|d| Ok(Document { title: d.title.clone(), text: read(&d.file)? }))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    let gate = Gate::from_json(&read("gate.json")?)?;
    let before = cpu_ms();
    let knowledge = Arc::new(Knowledge::build(&models, &documents, gate.clone())?);
    println!("index: {} sections, {:.0} ms CPU", knowledge.sections().len(), cpu_ms() - before);
    let brain = Brain::new(models, knowledge);
    let tools = seed.agents.first().map(|agent| agent.tools.clone()).unwrap_or_default();
    let before = cpu_ms();
    brain.warm(&tools)?;
    println!("examples of tools: {:.0} ms CPU", cpu_ms() - before);

    let questions = read_questions(&read("questions-dev.tsv")?);
    let report = measure_questions(&brain, &questions)?;
    println!(
        "answerable {}: right section first {}, answered {}, closest {}, wrong {}",
        report.answerable, report.ranked_first, report.answered, report.closest, report.wrong
    );
    println!(
        "unanswerable {}: answered {}, closest {}",
        report.unanswerable, report.unanswerable_answered, report.unanswerable_closest
    );
    for miss in &report.misses {
        println!("  {miss}");
    }
    let messages = read_tool_messages(&read("tool-calls-dev.jsonl")?)?;
    let by_tool = measure_tools(&brain, &tools, &messages);
    println!(
        "messages {}: right tool {}, with arguments {}, dangerous {}",
        by_tool.messages, by_tool.right, by_tool.right_with_args, by_tool.dangerous
    );
    for miss in &by_tool.misses {
        println!("  {miss}");
    }
    let texts: Vec<&str> =
        questions.iter().map(|q| q.text.as_str()).chain(messages.iter().map(|m| m.u.as_str())).collect();
    let mut costs = Vec::new();
    for text in &texts {
        let before = cpu_ms();
        let events = brain.answer(&first_turn(text, &tools));
        costs.push(cpu_ms() - before);
        if std::env::args().any(|a| a == "--say") {
            println!("> {text}\n    {events:?}");
        }
    }
    let max = costs.iter().copied().fold(0.0, f64::max);
    println!(
        "a turn: {:.1} ms CPU mean, {max:.1} max; memory {} MB at most",
        costs.iter().sum::<f64>() / costs.len() as f64,
        memory_mb()
    );
    if std::env::args().any(|a| a == "--features") {
        for (question, (features, right)) in questions.iter().zip(&report.examples) {
            println!("features {} {right} {features:?}", question.section.is_some());
        }
    }
    let (right, other) = cross_validate(&gate, &report.examples, 10);
    println!("gate, 10-fold: answers {right:.2} of the right passages, {other:.2} of the others");
    if std::env::args().any(|a| a == "--fit") {
        println!("{}", serde_json::to_string_pretty(&gate.fit(&report.examples))?);
    }
    Ok(())
}
