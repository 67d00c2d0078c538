//! The figures of both sides, as a table for people and as JSON for programs.

use super::judge::{Disturbance, HeardText, Turn, Verdict, YIELD_MS_MAX};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// Categories in which a speaker pauses in mid-turn.
const HESITANT: [&str; 1] = ["hesitant"];
const DICTATED: [&str; 2] = ["digits", "address"];

/// One side.
#[derive(Debug, Serialize)]
pub struct Column {
    name: String,
    wall_secs: u64,
    driver_lag_ms_p99: f64,
    figures: Figures,
    problems: Vec<String>,
    turns: Vec<Turn>,
    disturbances: Vec<Disturbance>,
    heard_text: HeardText,
}

/// What is compared.
#[derive(Debug, Default, Serialize)]
struct Figures {
    calls: usize,
    turns: usize,
    events: usize,
    events_skipped: usize,
    latency_ms_mean: f64,
    latency_ms_p50: u64,
    latency_ms_p95: u64,
    first_sound_ms_mean: f64,
    answered: f64,
    interrupts_per_turn: f64,
    interruptions: usize,
    yielded: f64,
    yield_ms_mean: f64,
    yield_ms_p95: u64,
    selectivity: f64,
    cut_off_hesitant: f64,
    cut_off_dictated: f64,
    cut_off_stories: f64,
    false_stops: usize,
    resumed: f64,
    heard_exact: f64,
    heard_cut_exact: f64,
    dead_air_ms_p95: u64,
    dead_air_ms_max: u64,
    requests_per_turn: f64,
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { f64::NAN } else { part as f64 / whole as f64 }
}

fn mean(values: &[u64]) -> f64 {
    if values.is_empty() { f64::NAN } else { values.iter().sum::<u64>() as f64 / values.len() as f64 }
}

fn rank(values: &[u64], hundredth: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * hundredth / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn cut_off(turns: &[Turn], categories: &[&str]) -> f64 {
    let of: Vec<&Turn> = turns.iter().filter(|turn| categories.contains(&turn.category.as_str())).collect();
    share(of.iter().filter(|turn| turn.interrupted_at_ms.is_some()).count(), of.len())
}

impl Figures {
    fn of(turns: &[Turn], disturbances: &[Disturbance], heard: &HeardText) -> Self {
        let latencies: Vec<u64> = turns.iter().filter_map(|turn| turn.answer_ms).collect();
        let sounds: Vec<u64> = turns.iter().filter_map(|turn| turn.first_sound_ms).collect();
        let yields: Vec<u64> = turns.iter().filter_map(|turn| turn.yield_ms).collect();
        let dead: Vec<u64> = turns.iter().map(|turn| turn.dead_air_ms).collect();
        let stops: Vec<bool> = disturbances.iter().filter_map(|one| one.resumed).collect();
        Self {
            turns: turns.len(),
            events: disturbances.len(),
            latency_ms_mean: mean(&latencies),
            latency_ms_p50: rank(&latencies, 50),
            latency_ms_p95: rank(&latencies, 95),
            first_sound_ms_mean: mean(&sounds),
            answered: share(turns.iter().filter(|turn| turn.answered).count(), turns.len()),
            interrupts_per_turn: share(
                turns.iter().filter(|turn| turn.interrupted_at_ms.is_some()).count(),
                turns.len(),
            ),
            interruptions: yields.len(),
            yielded: share(yields.iter().filter(|ms| **ms <= YIELD_MS_MAX).count(), yields.len()),
            yield_ms_mean: mean(&yields),
            yield_ms_p95: rank(&yields, 95),
            selectivity: share(disturbances.iter().filter(|one| one.went_on).count(), disturbances.len()),
            cut_off_hesitant: cut_off(turns, &HESITANT),
            cut_off_dictated: cut_off(turns, &DICTATED),
            cut_off_stories: cut_off(turns, &["story"]),
            false_stops: stops.len(),
            resumed: share(stops.iter().filter(|one| **one).count(), stops.len()),
            heard_exact: share(heard.exact, heard.messages),
            heard_cut_exact: share(heard.cut_exact, heard.cut),
            dead_air_ms_p95: rank(&dead, 95),
            dead_air_ms_max: dead.iter().copied().max().unwrap_or(0),
            ..Self::default()
        }
    }
}

impl Column {
    /// Puts the calls of one side together.
    pub fn new(name: &str, mut verdicts: Vec<Verdict>, wall: Duration, driver_lag_ms_p99: f64) -> Self {
        verdicts.sort_by_key(|verdict| verdict.turns.first().map_or(usize::MAX, |turn| turn.call));
        let turns: Vec<Turn> = verdicts.iter().flat_map(|verdict| verdict.turns.iter().cloned()).collect();
        let disturbances: Vec<Disturbance> =
            verdicts.iter().flat_map(|verdict| verdict.disturbances.iter().cloned()).collect();
        let mut heard_text = HeardText::default();
        for one in verdicts.iter().map(|verdict| &verdict.heard_text) {
            heard_text.messages += one.messages;
            heard_text.exact += one.exact;
            heard_text.cut += one.cut;
            heard_text.cut_exact += one.cut_exact;
            heard_text.notes.extend(one.notes.iter().cloned());
        }
        let mut figures = Figures::of(&turns, &disturbances, &heard_text);
        figures.calls = verdicts.len();
        figures.events_skipped = verdicts.iter().map(|verdict| verdict.skipped.len()).sum();
        figures.requests_per_turn = share(verdicts.iter().map(|verdict| verdict.requests).sum(), turns.len());
        let problems = verdicts.iter().filter_map(|verdict| verdict.problem.clone());
        Self {
            name: name.to_owned(),
            wall_secs: wall.as_secs(),
            driver_lag_ms_p99,
            figures,
            problems: problems.collect(),
            turns,
            disturbances,
            heard_text,
        }
    }

    /// Turns and disturbances that went wrong, the worst first.
    fn worst(&self, count: usize, out: &mut String) {
        let badness = |turn: &Turn| {
            let slow = turn.answer_ms.unwrap_or(0) / 10;
            let interrupted = if turn.interrupted_at_ms.is_some() { 400 } else { 0 };
            let unanswered = if turn.answered { 0 } else { 500 };
            let late = turn.yield_ms.map_or(0, |ms| if ms > YIELD_MS_MAX { 300 } else { 0 });
            slow + interrupted + unanswered + late
        };
        let mut turns: Vec<&Turn> =
            self.turns.iter().filter(|turn| !turn.note.is_empty() || badness(turn) > 90).collect();
        turns.sort_by_key(|turn| std::cmp::Reverse(badness(turn)));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "\n{}: worst turns", self.name);
        for turn in turns.iter().take(count) {
            let latency = turn.answer_ms.map_or("-".to_owned(), |ms| ms.to_string());
            let _ = writeln!(
                out,
                "  call {:>2} at {:>6} ms {:<12} answer {:>5} ms  {}  [{}] {:?}",
                turn.call, turn.at_ms, turn.category, latency, turn.note, turn.line, turn.text
            );
        }
        let _ = writeln!(out, "{}: disturbances that stopped the answer", self.name);
        for one in self.disturbances.iter().filter(|one| !one.note.is_empty()).take(count) {
            let _ = writeln!(
                out,
                "  call {:>2} at {:>6} ms {:<12} gap {:>5} ms  {}  [{}] {:?}",
                one.call, one.at_ms, one.kind, one.gap_ms, one.note, one.line, one.text
            );
        }
        let _ = writeln!(out, "{}: texts that were not what was heard", self.name);
        for note in self.heard_text.notes.iter().take(count) {
            let _ = writeln!(out, "  {note}");
        }
    }
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    floor_ms: u64,
    columns: Vec<Column>,
}

fn percent(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{:.1} %", value * 100.0) }
}

fn ms(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.0} ms") }
}

type Cell = fn(&Figures) -> String;

/// Name, target, figure.
const ROWS: [(&str, &str, Cell); 22] = [
    ("caller turns", ">= 300", |f| f.turns.to_string()),
    ("response latency, mean", "< 700 ms", |f| ms(f.latency_ms_mean)),
    ("response latency, median", "", |f| ms(f.latency_ms_p50 as f64)),
    ("response latency, p95", "", |f| ms(f.latency_ms_p95 as f64)),
    ("first sound incl. fillers, mean", "", |f| ms(f.first_sound_ms_mean)),
    ("answered within 3 s", "> 97 %", |f| percent(f.answered)),
    ("agent interrupts, per turn", "< 0.10", |f| format!("{:.3}", f.interrupts_per_turn)),
    ("cut off: hesitant", "<= 3 %", |f| percent(f.cut_off_hesitant)),
    ("cut off: digits, addresses", "", |f| percent(f.cut_off_dictated)),
    ("cut off: stories", "", |f| percent(f.cut_off_stories)),
    ("interruptions", "", |f| f.interruptions.to_string()),
    ("yields within 0.5 s", ">= 97 %", |f| percent(f.yielded)),
    ("time to yield, mean / p95", "", |f| format!("{} / {}", ms(f.yield_ms_mean), f.yield_ms_p95)),
    ("disturbances (skipped)", "", |f| format!("{} ({})", f.events, f.events_skipped)),
    ("selectivity", ">= 0.85", |f| format!("{:.3}", f.selectivity)),
    ("false stops", "", |f| f.false_stops.to_string()),
    ("resumed without loss", "", |f| percent(f.resumed)),
    ("heard text exact", "100 %", |f| percent(f.heard_exact)),
    ("heard text exact, cut answers", "100 %", |f| percent(f.heard_cut_exact)),
    ("dead air, p95", "", |f| ms(f.dead_air_ms_p95 as f64)),
    ("dead air, longest", "", |f| ms(f.dead_air_ms_max as f64)),
    ("model requests per turn", "", |f| format!("{:.2}", f.requests_per_turn)),
];

impl Report {
    pub fn new(columns: Vec<Column>) -> Self {
        use super::world::{LLM_FIRST_TOKEN_MS, STT_FINAL_MS, TTS_FIRST_AUDIO_MS};
        Self { floor_ms: STT_FINAL_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_AUDIO_MS, columns }
    }

    /// Whether every call went to its end, so that the figures mean what they say.
    pub fn is_sound(&self) -> bool {
        self.columns.iter().all(|column| column.problems.is_empty())
    }

    pub fn table(&self, verbose: bool, worst: usize) -> String {
        let mut out = String::new();
        let mut row = |name: &str, cells: Vec<String>, target: &str| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>18}")).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{name:34}{cells}   {target}");
        };
        let title = format!("providers' floor {} ms", self.floor_ms);
        row(&title, self.columns.iter().map(|column| column.name.clone()).collect(), "target");
        for (name, target, cell) in ROWS {
            row(name, self.columns.iter().map(|column| cell(&column.figures)).collect(), target);
        }
        row(
            "calls (broken)",
            self.columns.iter().map(|one| format!("{} ({})", one.figures.calls, one.problems.len())).collect(),
            "(0)",
        );
        row("wall time", self.columns.iter().map(|one| format!("{} s", one.wall_secs)).collect(), "");
        row(
            "lateness of the driver p99",
            self.columns.iter().map(|one| format!("{:.1} ms", one.driver_lag_ms_p99)).collect(),
            "",
        );
        if verbose {
            self.by_category(&mut out);
        }
        for column in &self.columns {
            if worst > 0 {
                column.worst(worst, &mut out);
            }
            for problem in &column.problems {
                let _ = writeln!(out, "{}: broken: {problem}", column.name);
            }
        }
        out
    }

    fn by_category(&self, out: &mut String) {
        let categories: BTreeSet<&str> =
            self.columns.iter().flat_map(|column| column.turns.iter().map(|turn| turn.category.as_str())).collect();
        let kinds: BTreeSet<&str> =
            self.columns.iter().flat_map(|column| column.disturbances.iter().map(|one| one.kind.as_str())).collect();
        for column in &self.columns {
            let _ = writeln!(
                out,
                "\n{:34}{:>8}{:>10}{:>10}{:>12}{:>14}",
                column.name, "turns", "mean ms", "p95 ms", "answered", "interrupted"
            );
            for category in &categories {
                let turns: Vec<Turn> = column.turns.iter().filter(|turn| turn.category == *category).cloned().collect();
                let f = Figures::of(&turns, &[], &HeardText::default());
                let _ = writeln!(
                    out,
                    "  {category:32}{:>8}{:>10.0}{:>10}{:>12}{:>14.3}",
                    f.turns,
                    f.latency_ms_mean,
                    f.latency_ms_p95,
                    percent(f.answered),
                    f.interrupts_per_turn
                );
            }
            let _ = writeln!(out, "{:34}{:>8}{:>12}{:>12}", "", "events", "went on", "gap mean");
            for kind in &kinds {
                let of: Vec<Disturbance> =
                    column.disturbances.iter().filter(|one| one.kind == *kind).cloned().collect();
                let gaps: Vec<u64> = of.iter().map(|one| one.gap_ms).collect();
                let on = share(of.iter().filter(|one| one.went_on).count(), of.len());
                let _ = writeln!(out, "  {kind:32}{:>8}{:>12}{:>12}", of.len(), percent(on), ms(mean(&gaps)));
            }
        }
    }
}
