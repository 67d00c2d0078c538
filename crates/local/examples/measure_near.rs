//! What a question costs and finds in a large base, beside one of 5,000 chunks: `measure_near [CHUNKS] [SPREAD]`.
//!
//! Everything of the index but the models: vectors that come in groups, sentences of a made-up language, the graph, the words. A
//! million chunks take about 10 GB and, for their graph, an hour of one core.

use local::language::embed::cosine;
use local::language::knowledge::{Assembly, Breadth};
use local::language::near::synthetic::{Numbers, near};
use local::language::{EMBEDDING_WIDTH, Embedding, Gate, Knowledge};
use model::passage::Passage;
use std::io::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const GROUPS: usize = 2_000;
const QUESTIONS: usize = 200;
const AT: usize = 10;
/// Chunks of a large base that are ranked by their sentences too.
const LOOKED_AT: usize = 64;
/// Sentences of a chunk.
const TEXTS: usize = 4;
/// What others are compared with, and by how much a question may cost more.
const SMALL: usize = 5_000;
const MORE_MS_MAX: f64 = 15.0;
const RECALL_MIN: f64 = 0.95;
const TEXT_BYTES_MAX: usize = 2_048;

fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

fn memory_mb(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Does work and says every ten seconds that it goes on.
fn told<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (over, is_over) = mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let began = Instant::now();
            while is_over.recv_timeout(Duration::from_secs(10)) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprint!("\r  {what}: {} s, {:.0} MB  ", began.elapsed().as_secs(), memory_mb("VmRSS:"));
                let _ = std::io::stderr().flush();
            }
            eprintln!("\r  {what}: {} s  {:12}", began.elapsed().as_secs(), "");
        });
        let done = work();
        drop(over);
        done
    })
}

/// What is asked, and what the chunks are about.
struct World {
    middles: Vec<Embedding>,
    spread: f32,
    asked: Vec<(Embedding, String)>,
}

impl World {
    fn new(spread: f32) -> Self {
        let mut numbers = Numbers::new(1);
        let middles: Vec<Embedding> = (0..GROUPS).map(|_| near(&[0.0; EMBEDDING_WIDTH], 1.0, &mut numbers)).collect();
        let mut world = Self { middles, spread, asked: Vec::new() };
        world.asked = (0..QUESTIONS).map(|_| (world.vector(&mut numbers), words(8, &mut numbers))).collect();
        world
    }

    fn vector(&self, numbers: &mut Numbers) -> Embedding {
        let middle = self.middles[(numbers.unit() * GROUPS as f32) as usize % GROUPS];
        near(&middle, self.spread, numbers)
    }
}

/// As in a language, few words are said often and many seldom.
fn words(count: usize, numbers: &mut Numbers) -> String {
    let words: Vec<String> = (0..count).map(|_| format!("w{}", (numbers.unit().powi(4) * 200_000.0) as u32)).collect();
    words.join(" ")
}

/// An index of so many chunks, and the nearest of each question by a look at every vector.
fn index(world: &World, chunks: usize) -> (Knowledge, Vec<Vec<usize>>) {
    let (mut numbers, mut said) = (Numbers::new(3), Numbers::new(2));
    let mut assembly = Assembly::new(Gate::default());
    let mut exact: Vec<Vec<(usize, f32)>> = vec![Vec::new(); world.asked.len()];
    for at in 0..chunks {
        let vector = world.vector(&mut numbers);
        for (best, (query, _)) in exact.iter_mut().zip(&world.asked) {
            let one = (at, cosine(query, &vector));
            let place = best.partition_point(|other| other.1 >= one.1);
            if place < AT {
                best.insert(place, one);
                best.truncate(AT);
            }
        }
        let passage = Passage {
            document: format!("Document {}", at / 200),
            heading: format!("Part {at}"),
            page: None,
            sentences: (0..TEXTS).map(|_| format!("{}.", words(14, &mut said))).collect(),
        };
        assembly.push(passage, [vector; TEXTS + 2].as_flattened(), &[]);
    }
    let places = |best: Vec<(usize, f32)>| best.into_iter().map(|one| one.0).collect();
    (assembly.finish(), exact.into_iter().map(places).collect())
}

struct Figures {
    chunks: usize,
    recall: f64,
    mean_ms: f64,
    p95_ms: f64,
    link_cpu_s: f64,
    vector_bytes: usize,
    text_bytes: usize,
    graph_bytes: usize,
}

fn measured(world: &World, chunks: usize) -> Result<Figures, String> {
    let (index, exact) = told(&format!("index of {chunks} chunks"), || index(world, chunks));
    let without = index.memory_bytes();
    let before = cpu_ms();
    told("graph", || index.link()).map_err(|error| error.to_string())?;
    let link_cpu_s = (cpu_ms() - before) / 1e3;
    let graph_bytes = (index.memory_bytes() - without) / chunks;
    let mut costs = Vec::new();
    for (query, words) in &world.asked {
        let before = cpu_ms();
        let candidates = index.candidates(words, query);
        costs.push(cpu_ms() - before);
        assert!(!candidates.is_empty(), "a question finds something");
    }
    costs.sort_by(f64::total_cmp);
    let index = index.with_breadth(Breadth { dense: LOOKED_AT, bm25: 0, ..Breadth::default() });
    let near = |query: &Embedding| index.candidates("", query).into_iter().map(|one| one.0).collect::<Vec<_>>();
    let found = |((query, _), exact): (&(Embedding, String), &Vec<usize>)| {
        let near = near(query);
        exact.iter().filter(|at| near.contains(at)).count()
    };
    let found: usize = world.asked.iter().zip(&exact).map(found).sum();
    Ok(Figures {
        chunks,
        recall: found as f64 / (exact.len() * AT) as f64,
        mean_ms: costs.iter().sum::<f64>() / costs.len() as f64,
        p95_ms: costs[costs.len() * 95 / 100],
        link_cpu_s,
        vector_bytes: index.vector_bytes() / chunks,
        text_bytes: index.text_bytes() / chunks,
        graph_bytes,
    })
}

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let chunks: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(100_000).max(1);
    let spread: f32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(0.8);
    let world = World::new(spread);
    let small = measured(&world, SMALL)?;
    let large = measured(&world, chunks)?;
    println!("{QUESTIONS} questions, {GROUPS} groups, spread {spread}");
    println!("| chunks | {:>9} | {:>9} | ratio |", small.chunks, large.chunks);
    println!("|---|---|---|---|");
    let row =
        |name: &str, a: f64, b: f64| println!("| {name} | {a:.3} | {b:.3} | {:.2} |", b / a.max(f64::MIN_POSITIVE));
    row(&format!("recall@{AT} of a look at every vector"), small.recall, large.recall);
    row("a question, ms CPU mean", small.mean_ms, large.mean_ms);
    row("a question, ms CPU p95", small.p95_ms, large.p95_ms);
    row("the graph, s CPU", small.link_cpu_s, large.link_cpu_s);
    row("vectors, bytes a chunk", small.vector_bytes as f64, large.vector_bytes as f64);
    row("texts and words, bytes a chunk", small.text_bytes as f64, large.text_bytes as f64);
    row("the graph, bytes a chunk", small.graph_bytes as f64, large.graph_bytes as f64);
    println!("most memory at once: {:.0} MB", memory_mb("VmHWM:"));
    let verdict = |is_met: bool| if is_met { "met" } else { "MISSED" };
    let more_ms = large.mean_ms - small.mean_ms;
    println!("{more_ms:.2} ms more than at {SMALL} chunks, at most {MORE_MS_MAX}: {}", verdict(more_ms <= MORE_MS_MAX));
    println!("recall {:.3}, at least {RECALL_MIN}: {}", large.recall, verdict(large.recall >= RECALL_MIN));
    let beside = large.text_bytes + large.graph_bytes;
    println!(
        "{beside} bytes a chunk beside the vectors, at most {TEXT_BYTES_MAX}: {}",
        verdict(beside <= TEXT_BYTES_MAX)
    );
    Ok(())
}
