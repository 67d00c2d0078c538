//! The figures, as a table for people and as JSON for programs.

use crate::drive::Heard;
use crate::process::value;
use crate::{ENDPOINT_MS, LLM_FIRST_TOKEN_MS, STT_FINAL_MS, TTS_FIRST_AUDIO_MS};
use anyhow::Context as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Prints the table, for people, and writes the figures as JSON, for programs, to the file that was asked for.
pub fn publish(table: &str, figures: &impl Serialize, json: Option<&Path>) -> anyhow::Result<()> {
    println!("{}", table.trim_end());
    let Some(file) = json else { return Ok(()) };
    let text = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// What was measured at one server.
#[derive(Debug)]
pub struct Side {
    pub cpu_ms: u64,
    pub wall: Duration,
    pub rss_growth_bytes: u64,
    pub rss_idle_bytes: u64,
    pub calls: u32,
    pub refused: usize,
    pub driver_lag_ms_p99: f64,
    pub heard: Vec<Heard>,
}

/// Less growth than this per call says nothing: memory is counted in pages, and a first call has left some warm.
const MEMORY_KIB_MIN: f64 = 4.0;

/// Half and nearly all of something, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50_ms: i64,
    pub p95_ms: i64,
    pub p99_ms: i64,
    pub max_ms: i64,
}

impl Spread {
    /// Of these.
    pub fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        let at = |hundredth: usize| values.get((values.len() * hundredth / 100).min(values.len().saturating_sub(1)));
        let ms = |hundredth| at(hundredth).copied().unwrap_or_default();
        Self { count: values.len(), p50_ms: ms(50), p95_ms: ms(95), p99_ms: ms(99), max_ms: ms(100) }
    }
}

/// What a call costs.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Thousandths of a core while the call lasts: milliseconds of CPU per second of call.
    pub cpu_millicores_per_call: f64,
    pub memory_kib_per_call: f64,
    pub memory_idle_mib: f64,
}

impl Cost {
    /// From what was measured, over the calls that were taken.
    pub fn of(side: &Side) -> Self {
        let taken = f64::from(side.calls) - side.refused as f64;
        let call_secs = side.wall.as_secs_f64() * taken;
        Self {
            cpu_millicores_per_call: side.cpu_ms as f64 / call_secs,
            memory_kib_per_call: side.rss_growth_bytes as f64 / 1024.0 / taken,
            memory_idle_mib: side.rss_idle_bytes as f64 / 1024.0 / 1024.0,
        }
    }
}

/// The settings and fixed latencies that the figures are made of.
#[derive(Debug, Serialize)]
struct Fixed {
    endpoint_ms: u64,
    stt_final_ms: u64,
    llm_first_token_ms: u64,
    tts_first_audio_ms: u64,
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    calls: u32,
    secs: u64,
    fixed: Fixed,
    frontdesk: Cost,
    echo: Cost,
    cpu_ratio: f64,
    /// `None` when the echo server grew too little to be compared with.
    memory_ratio: Option<f64>,
    response: Spread,
    added_latency: Spread,
    echo_round_trip: Spread,
    barge_in_stop: Spread,
    turns_without_answer: usize,
    interruptions_not_obeyed: usize,
    gaps_heard: usize,
    gap_ms_max: u64,
    playout_underruns: f64,
    audio_in_dropped_frames: f64,
    calls_refused: usize,
    calls_broken: Vec<String>,
    driver_lag_ms_p99: f64,
}

impl Report {
    /// Puts both sides together.
    pub fn new(calls: u32, secs: u64, frontdesk: Side, echo: Side, metrics: &str) -> Self {
        let (cost, echo_cost) = (Cost::of(&frontdesk), Cost::of(&echo));
        let all = |pick: fn(&Heard) -> &Vec<Option<u64>>, side: &Side| {
            side.heard.iter().flat_map(|heard| pick(heard).iter().copied()).collect::<Vec<_>>()
        };
        let known = |values: &[Option<u64>]| values.iter().flatten().map(|ms| *ms as i64).collect::<Vec<_>>();
        let responses = all(|heard| &heard.responses_ms, &frontdesk);
        let stops = all(|heard| &heard.stops_ms, &frontdesk);
        let fixed_ms = (ENDPOINT_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_AUDIO_MS) as i64;
        let gaps: Vec<u64> = frontdesk.heard.iter().flat_map(|heard| heard.gaps_ms.iter().copied()).collect();
        let broken = frontdesk.heard.iter().chain(&echo.heard).filter_map(|heard| heard.problem.clone());
        Self {
            calls,
            secs,
            fixed: Fixed {
                endpoint_ms: ENDPOINT_MS,
                stt_final_ms: STT_FINAL_MS,
                llm_first_token_ms: LLM_FIRST_TOKEN_MS,
                tts_first_audio_ms: TTS_FIRST_AUDIO_MS,
            },
            cpu_ratio: cost.cpu_millicores_per_call / echo_cost.cpu_millicores_per_call.max(f64::MIN_POSITIVE),
            memory_ratio: (echo_cost.memory_kib_per_call >= MEMORY_KIB_MIN)
                .then(|| cost.memory_kib_per_call / echo_cost.memory_kib_per_call),
            frontdesk: cost,
            echo: echo_cost,
            response: Spread::of(known(&responses)),
            added_latency: Spread::of(known(&responses).iter().map(|ms| ms - fixed_ms).collect()),
            echo_round_trip: Spread::of(known(&all(|heard| &heard.responses_ms, &echo))),
            barge_in_stop: Spread::of(known(&stops)),
            turns_without_answer: responses.iter().filter(|one| one.is_none()).count(),
            interruptions_not_obeyed: stops.iter().filter(|one| one.is_none()).count(),
            gaps_heard: gaps.len(),
            gap_ms_max: gaps.iter().copied().max().unwrap_or(0),
            playout_underruns: value(metrics, "frontdesk_playout_underruns_total"),
            audio_in_dropped_frames: value(metrics, "frontdesk_audio_in_dropped_frames_total"),
            calls_refused: frontdesk.refused + echo.refused,
            calls_broken: broken.collect(),
            driver_lag_ms_p99: frontdesk.driver_lag_ms_p99.max(echo.driver_lag_ms_p99),
        }
    }

    /// Whether every call went as it should, so that the figures mean what they say.
    pub fn is_sound(&self) -> bool {
        self.calls_refused == 0 && self.calls_broken.is_empty() && self.turns_without_answer == 0
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, ours: String, echo: String, ratio: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{name:34} {ours:>14} {echo:>14} {ratio:>8}");
        };
        let plain = |value: String| (value, String::new(), String::new());
        row(&format!("{} calls, {} s", self.calls, self.secs), "frontdesk".into(), "echo".into(), "ratio".into());
        row(
            "CPU per call, millicores",
            format!("{:.2}", self.frontdesk.cpu_millicores_per_call),
            format!("{:.2}", self.echo.cpu_millicores_per_call),
            format!("{:.1}", self.cpu_ratio),
        );
        row(
            "memory per call, KiB",
            format!("{:.0}", self.frontdesk.memory_kib_per_call),
            format!("{:.0}", self.echo.memory_kib_per_call),
            self.memory_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}")),
        );
        row(
            "memory without calls, MiB",
            format!("{:.1}", self.frontdesk.memory_idle_mib),
            format!("{:.1}", self.echo.memory_idle_mib),
            String::new(),
        );
        let spread = |spread: Spread| format!("{} / {}", spread.p50_ms, spread.p95_ms);
        row("added latency p50 / p95, ms", spread(self.added_latency), spread(self.echo_round_trip), String::new());
        for (name, (ours, echo, ratio)) in [
            ("end of speech to answer p50 / p95", plain(spread(self.response))),
            ("interruption to silence p50 / p95", plain(spread(self.barge_in_stop))),
            ("answers measured", plain(self.response.count.to_string())),
            ("interruptions measured", plain(self.barge_in_stop.count.to_string())),
            ("turns without an answer", plain(self.turns_without_answer.to_string())),
            ("interruptions not obeyed", plain(self.interruptions_not_obeyed.to_string())),
            ("gaps heard in answers", plain(format!("{} (max {} ms)", self.gaps_heard, self.gap_ms_max))),
            ("playout underruns", plain(format!("{}", self.playout_underruns))),
            ("caller frames dropped", plain(format!("{}", self.audio_in_dropped_frames))),
            ("calls refused", plain(self.calls_refused.to_string())),
            ("calls broken", plain(self.calls_broken.len().to_string())),
            ("lateness of the driver p99, ms", plain(format!("{:.1}", self.driver_lag_ms_p99))),
        ] {
            row(name, ours, echo, ratio);
        }
        for problem in &self.calls_broken {
            let _ = writeln!(out, "broken: {problem}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_of_nothing_is_nothing_and_of_many_is_by_rank() {
        assert_eq!(Spread::of(Vec::new()).count, 0);
        let spread = Spread::of((1..=100).rev().collect());
        assert_eq!((spread.p50_ms, spread.p95_ms, spread.max_ms), (51, 96, 100));
    }
}
