//! How many calls a machine holds with its own models: no network, no cloud, every stage computed here. The callers ask aloud,
//! because a recogniser that is real understands nothing else.

use crate::drive::Scene;
use crate::process::{Server, value};
use crate::report::{self, Cost, Side, Spread};
use crate::turn::audio::{self, CALLER_RMS};
use crate::{Load, QUESTION, cloud, side_with, start};
use anyhow::Context as _;
use local::speech::{ModelDir, Synthesizer};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// A reply that begins later on average is slow.
const REPLY_MS_MAX: f64 = 1_000.0;
/// What a telephone carries.
const PHONE_HZ_MAX: f64 = 3_500.0;

#[derive(Debug, Serialize)]
struct Step {
    calls: u32,
    cost: Cost,
    /// From the end of the caller's speech to the first audio of the answer.
    reply: Spread,
    reply_mean_ms: f64,
    barge_in_stop: Spread,
    turns: usize,
    turns_without_answer: usize,
    audio_in_dropped_frames: f64,
    calls_refused: usize,
    calls_broken: Vec<String>,
    /// Of all cores.
    machine_percent: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    secs: u64,
    cores: usize,
    steps: Vec<Step>,
    calls_held: Option<u32>,
}

/// One step after the other, until one is not held.
pub async fn measure(steps: &[u32], secs: u64, program: &Path, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    let models = ModelDir::locate().context("the models of this machine; `frontdesk models pull` brings them")?;
    let question: Arc<[i16]> = spoken(&models, QUESTION)?.into();
    let cloud = cloud().await?;
    let config = format!("{}[models]\ndir = {:?}\n", start::on_device(&cloud.config()), models.path());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut report = Report { secs, cores, steps: Vec::new(), calls_held: None };
    for calls in steps.iter().copied() {
        eprintln!("on this machine: {calls} calls");
        let servers = [Server::frontdesk(program, &config, calls, None, None).await?];
        let load = Load { calls, secs };
        let side = side_with(load, &cloud, &servers, cloud.voice_path(), Scene::Conversation, &question).await?;
        let [server] = servers;
        let metrics = server.metrics().await?;
        server.stop().await;
        let step = Step::new(load, side, &metrics, cores);
        let is_held = step.is_held();
        report.steps.push(step);
        if !is_held {
            break;
        }
        report.calls_held = Some(calls);
    }
    report::publish(&report.table(), &report, json)?;
    Ok(if report.calls_held.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A sentence in the voice of this machine, as a telephone carries it, without the silence around it.
fn spoken(models: &ModelDir, text: &str) -> anyhow::Result<Vec<i16>> {
    let speech = Synthesizer::load(models)?.synthesize(text)?;
    let wide: Vec<f32> = speech.pcm.iter().map(|sample| f32::from(*sample)).collect();
    let pcm = audio::resample(&wide, f64::from(speech.sample_rate_hz), audio::RATE_HZ, PHONE_HZ_MAX);
    let (from, to) = audio::bounds(&pcm);
    Ok(audio::at_level(&pcm[from..to], CALLER_RMS))
}

impl Step {
    fn new(load: Load, side: Side, metrics: &str, cores: usize) -> Self {
        let replies: Vec<Option<u64>> = side.heard.iter().flat_map(|one| one.responses_ms.clone()).collect();
        let stops = side.heard.iter().flat_map(|one| &one.stops_ms);
        let known: Vec<i64> = replies.iter().flatten().map(|ms| *ms as i64).collect();
        let cost = Cost::of(&side);
        Self {
            calls: load.calls,
            machine_percent: cost.cpu_millicores_per_call * f64::from(load.calls) / 10.0 / cores as f64,
            cost,
            reply_mean_ms: known.iter().sum::<i64>() as f64 / known.len().max(1) as f64,
            turns: replies.len(),
            turns_without_answer: replies.iter().filter(|one| one.is_none()).count(),
            reply: Spread::of(known),
            barge_in_stop: Spread::of(stops.flatten().map(|ms| *ms as i64).collect()),
            audio_in_dropped_frames: value(metrics, "frontdesk_audio_in_dropped_frames_total"),
            calls_refused: side.refused,
            calls_broken: side.heard.iter().filter_map(|one| one.problem.clone()).collect(),
        }
    }

    fn is_held(&self) -> bool {
        self.reply_mean_ms < REPLY_MS_MAX
            && self.turns > 0
            && self.turns_without_answer == 0
            && self.audio_in_dropped_frames == 0.0
            && self.calls_refused == 0
            && self.calls_broken.is_empty()
    }
}

impl Report {
    fn table(&self) -> String {
        let mut out =
            format!("{} s a step, {} cores for the server and its callers, all stages here\n\n", self.secs, self.cores);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| calls | reply mean ms | p50 / p95 / p99 ms | stop p50 / p95 ms | mcores a call | machine used | MiB before calls | turns | \
             unanswered | dropped | refused or broken |\n|{}",
            "---|".repeat(11)
        );
        for step in &self.steps {
            let _ = writeln!(
                out,
                "| {} | {:.0} | {} / {} / {} | {} / {} | {:.0} | {:.0} % | {:.0} | {} | {} | {} | {} |",
                step.calls,
                step.reply_mean_ms,
                step.reply.p50_ms,
                step.reply.p95_ms,
                step.reply.p99_ms,
                step.barge_in_stop.p50_ms,
                step.barge_in_stop.p95_ms,
                step.cost.cpu_millicores_per_call,
                step.machine_percent,
                step.cost.memory_idle_mib,
                step.turns,
                step.turns_without_answer,
                step.audio_in_dropped_frames,
                step.calls_refused + step.calls_broken.len(),
            );
        }
        let held = self.calls_held.map_or_else(|| "no call".to_owned(), |calls| format!("{calls} calls"));
        let _ = writeln!(out, "\nheld with replies under {REPLY_MS_MAX:.0} ms on average: {held}");
        out
    }
}
