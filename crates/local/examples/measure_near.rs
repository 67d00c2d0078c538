//! What the index of a large base costs and finds: `measure_near [CHUNKS] [SPREAD]`, on vectors that come in groups, with
//! sentences of which each is one word of a made-up language.

use base::limits;
use local::language::embed::cosine;
use local::language::knowledge::Assembly;
use local::language::near::synthetic::{Numbers, near};
use local::language::near::{Near, Query, Table};
use local::language::{EMBEDDING_WIDTH, Embedding, Gate};
use model::passage::Passage;
use std::time::Instant;

const GROUPS: usize = 2_000;
const QUESTIONS: usize = 200;
const AT: usize = 10;

fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let chunks: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let spread: f32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(0.8);
    let mut numbers = Numbers::new(1);
    let middles: Vec<Embedding> = (0..GROUPS).map(|_| near(&[0.0; EMBEDDING_WIDTH], 1.0, &mut numbers)).collect();
    let middle = |numbers: &mut Numbers| middles[(numbers.unit() * GROUPS as f32) as usize % GROUPS];
    let vectors: Vec<Embedding> = (0..chunks).map(|_| near(&middle(&mut numbers), spread, &mut numbers)).collect();
    let asked: Vec<Embedding> = (0..QUESTIONS).map(|_| near(&middle(&mut numbers), spread, &mut numbers)).collect();
    println!("{chunks} chunks in {GROUPS} groups, spread {spread}; {:.0} MB", memory_mb());

    let before = cpu_ms();
    let mut exact: Vec<Vec<usize>> = Vec::new();
    for query in &asked {
        let mut all: Vec<(usize, f32)> = vectors.iter().map(|vector| cosine(query, vector)).enumerate().collect();
        all.select_nth_unstable_by(AT - 1, |a, b| b.1.total_cmp(&a.1));
        exact.push(all[..AT].iter().map(|one| one.0).collect());
    }
    println!("a look at all: {:.1} ms CPU a question", (cpu_ms() - before) / QUESTIONS as f64);

    let (before, began, memory) = (cpu_ms(), Instant::now(), memory_mb());
    let mut table = Table::new(EMBEDDING_WIDTH);
    table.extend(vectors.as_flattened());
    let graph = Near::build(&table)?;
    let (cpu_s, wall_s) = ((cpu_ms() - before) / 1e3, began.elapsed().as_secs_f64());
    println!(
        "graph: {cpu_s:.0} s CPU ({:.2} ms a chunk, {wall_s:.0} s wall), {:.0} MB more, {} bytes a chunk as counted",
        cpu_s * 1e3 / chunks as f64,
        memory_mb() - memory,
        graph.memory_bytes() / chunks
    );
    let (mut found, mut costs) = (0, Vec::new());
    for (query, exact) in asked.iter().zip(&exact) {
        let before = cpu_ms();
        let mut near: Vec<(usize, f32)> =
            graph.search(&Query::new(query), 64).into_iter().map(|at| (at, cosine(query, &vectors[at]))).collect();
        costs.push(cpu_ms() - before);
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        found += near.iter().take(AT).filter(|one| exact.contains(&one.0)).count();
    }
    costs.sort_by(f64::total_cmp);
    println!(
        "recall@{AT} {:.4}; a question: {:.2} ms CPU mean, {:.2} p95",
        found as f64 / (QUESTIONS * AT) as f64,
        costs.iter().sum::<f64>() / costs.len() as f64,
        costs[costs.len() * 95 / 100]
    );
    drop(graph);
    whole(&vectors, &asked)
}

/// The same through the whole index but for the models: texts, words, vectors of sentences.
fn whole(vectors: &[Embedding], asked: &[Embedding]) -> Result<(), String> {
    const TEXTS: usize = 4;
    let chunks = vectors.len().min(limits::KNOWLEDGE_EXACT_CHUNKS_MAX * 10);
    let mut numbers = Numbers::new(2);
    let memory = memory_mb();
    let mut assembly = Assembly::new(Gate::default());
    for (at, vector) in vectors[..chunks].iter().enumerate() {
        let mut sentence = || {
            let words: Vec<String> = (0..14)
                .map(|_| {
                    // As in a language, few words are said often and many seldom.
                    let rare = (numbers.unit().powi(4) * 200_000.0) as u32;
                    format!("w{rare}")
                })
                .collect();
            format!("{}.", words.join(" "))
        };
        let sentences: Vec<String> = (0..TEXTS).map(|_| sentence()).collect();
        let passage = Passage {
            document: format!("Document {}", at / 200),
            heading: format!("Part {at}"),
            page: None,
            sentences,
        };
        assembly.push(passage, vec![*vector; TEXTS + 2].as_flattened(), &[]);
    }
    let index = assembly.finish();
    println!(
        "index of {chunks}: {:.0} MB more; vectors {} bytes a chunk, beside them {} bytes a chunk",
        memory_mb() - memory,
        index.vector_bytes() / chunks,
        index.text_bytes() / chunks
    );
    index.link().map_err(|error| error.to_string())?;
    println!(
        "  with its graph {} bytes a chunk beside the vectors",
        (index.memory_bytes() - index.vector_bytes()) / chunks
    );
    let mut costs = Vec::new();
    for query in asked {
        let words: Vec<String> = (0..8).map(|_| format!("w{}", (numbers.unit().powi(4) * 200_000.0) as u32)).collect();
        let before = cpu_ms();
        let found = index.candidates(&words.join(" "), query);
        costs.push(cpu_ms() - before);
        assert!(!found.is_empty());
    }
    costs.sort_by(f64::total_cmp);
    println!(
        "candidates by meaning and by words: {:.2} ms CPU mean, {:.2} p95",
        costs.iter().sum::<f64>() / costs.len() as f64,
        costs[costs.len() * 95 / 100]
    );
    Ok(())
}
