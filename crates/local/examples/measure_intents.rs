//! How well intents are told apart after a few examples each, on public sets of questions.
//!
//! `measure_intents banking TRAIN.csv TEST.csv` reads banking77; `measure_intents clinc FULL.json` reads CLINC150 with what is
//! none of its intents.

use local::language::intents::{Classifier, Example, cross_validate};
use local::language::{Embedder, Embedding, LanguageError};
use local::models::ModelDir;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

/// Examples of each intent that are learned from.
const SHOTS: [usize; 2] = [5, 20];

type Rows = Vec<(String, String)>;

fn banking(file: &str) -> Result<Rows, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let row = |record: &str| {
        let (text, intent) = record.rsplit_once(',')?;
        Some((text.trim_matches('"').replace('\n', " "), intent.to_owned()))
    };
    let (mut rows, mut record) = (Rows::new(), String::new());
    for line in text.lines().skip(1) {
        record.push_str(line);
        // An utterance in quotation marks may go over lines.
        if record.matches('"').count().is_multiple_of(2) {
            rows.extend(row(&record));
            record.clear();
        } else {
            record.push('\n');
        }
    }
    Ok(rows)
}

fn clinc(set: &Value, part: &str) -> Rows {
    let rows = set[part].as_array().into_iter().flatten();
    rows.filter_map(|row| Some((row[0].as_str()?.to_owned(), row[1].as_str()?.to_owned()))).collect()
}

fn embed(embedder: &Embedder, rows: &Rows) -> Result<Vec<Embedding>, LanguageError> {
    rows.iter().map(|(text, _)| embedder.embed(text)).collect()
}

/// So many examples of each intent, taken evenly from all of them: neighbours in these files were written by one person.
fn evenly(train: &Rows, shots: usize) -> Rows {
    let mut by_intent: BTreeMap<&str, Vec<&(String, String)>> = BTreeMap::new();
    for row in train {
        by_intent.entry(row.1.as_str()).or_default().push(row);
    }
    let some = |rows: Vec<&(String, String)>| {
        let (all, count) = (rows.len(), shots.min(rows.len()));
        (0..count).map(|at| rows[at * all / count].clone()).collect::<Rows>()
    };
    by_intent.into_values().flat_map(some).collect()
}

/// Share of pairs in which the known one is nearer than the foreign one.
fn auroc(known: &[f32], foreign: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> =
        known.iter().map(|x| (*x, true)).chain(foreign.iter().map(|x| (*x, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 = all.iter().enumerate().filter(|(_, one)| one.1).map(|(at, _)| at as f64 + 1.0).sum();
    let (k, f) = (known.len() as f64, foreign.len() as f64);
    (ranks - k * (k + 1.0) / 2.0) / (k * f).max(1.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (train, test, foreign) = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["banking", train, test] => (banking(train)?, banking(test)?, Rows::new()),
        ["clinc", file] => {
            let set: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            (clinc(&set, "train"), clinc(&set, "test"), clinc(&set, "oos_test"))
        }
        _ => return Err("measure_intents banking TRAIN.csv TEST.csv | clinc FULL.json".into()),
    };
    let embedder = Embedder::load(&ModelDir::locate()?)?;
    let mut names: BTreeMap<&str, usize> = train.iter().map(|(_, intent)| (intent.as_str(), 0)).collect();
    names.values_mut().enumerate().for_each(|(at, place)| *place = at);
    let (tests, strange) = (embed(&embedder, &test)?, embed(&embedder, &foreign)?);
    println!("{} intents, {} test utterances, {} of none", names.len(), tests.len(), strange.len());
    for shots in SHOTS {
        let kept = evenly(&train, shots);
        let began = Instant::now();
        let vectors = embed(&embedder, &kept)?;
        let embedded = began.elapsed();
        let example = |((_, intent), vector): (&(String, String), &Embedding)| Example {
            intent: names[intent.as_str()],
            vector: *vector,
        };
        let examples: Vec<Example> = kept.iter().zip(&vectors).map(example).collect();
        let began = Instant::now();
        let (validated, near_from) = cross_validate(&examples, names.len());
        let validating = began.elapsed();
        let began = Instant::now();
        let learned = Classifier::train(&examples, names.len(), near_from);
        let training = began.elapsed();
        let said: Vec<_> = tests.iter().map(|vector| learned.classify(vector)).collect();
        let right =
            said.iter().zip(&test).filter(|(said, (_, intent))| said.guesses[0].intent == names[intent.as_str()]);
        println!(
            "{shots} examples each: accuracy {:.3} (cross-validated {:.3}); embedded in {:.1} s, learned in {:.2} s, validated in {:.1} s",
            right.count() as f64 / test.len().max(1) as f64,
            validated.right as f64 / validated.examples.max(1) as f64,
            embedded.as_secs_f64(),
            training.as_secs_f64(),
            validating.as_secs_f64(),
        );
        if !strange.is_empty() {
            let near = |vector: &Embedding| learned.classify(vector).nearness;
            let known: Vec<f32> = said.iter().map(|said| said.nearness).collect();
            let foreign: Vec<f32> = strange.iter().map(near).collect();
            let refused = foreign.iter().filter(|near| **near < near_from).count() as f64 / foreign.len() as f64;
            let lost = known.iter().filter(|near| **near < near_from).count() as f64 / known.len() as f64;
            println!(
                "  none of them: AUROC {:.3}; at the bound {refused:.3} refused, {lost:.3} of the others lost",
                auroc(&known, &foreign)
            );
        }
    }
    Ok(())
}
