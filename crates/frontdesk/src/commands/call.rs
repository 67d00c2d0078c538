//! `frontdesk call`: call an agent as a simulated customer; its subcommands are about past calls.

use super::replay::{PastCall, past_call};
use crate::caller::{self, Outcome, Said, Step};
use crate::cli::environment;
use crate::config::Config;
use crate::wiring::{self, Wired};
use anyhow::{Context as _, bail};
use clap::Args;
use local::speech::Synthesizer;
use model::journal::TurnLatency;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "The caller waits for each answer and hangs up after the last one.

  frontdesk call --say \"When are you open?\" --say \"And where are you?\" --out call.wav
  frontdesk call --wav question.wav
  frontdesk call --say \"What does a full service cost?\" --interrupt \"Wait, I meant a basic one.\""
)]
pub(crate) struct CallArgs {
    #[command(subcommand)]
    past: Option<PastCall>,
    /// Say this; may be repeated, in order with the other steps
    #[arg(long, value_name = "WORDS")]
    say: Vec<String>,
    /// Play this WAV file (any rate, 16 bit); may be repeated
    #[arg(long, value_name = "FILE")]
    wav: Vec<PathBuf>,
    /// Type this instead of speaking; may be repeated
    #[arg(long = "type", value_name = "WORDS")]
    typed: Vec<String>,
    /// Speak over the answer to the step before; may be repeated
    #[arg(long, value_name = "WORDS")]
    interrupt: Vec<String>,
    /// How long the agent may speak before it is interrupted, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 900)]
    interrupt_after_ms: u64,
    /// Which agent, by its short name; the first one unless given
    #[arg(long, value_name = "SLUG")]
    agent: Option<String>,
    /// Copy the stereo recording here (caller left, agent right)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn call(config: Config, args: CallArgs) -> anyhow::Result<ExitCode> {
    if let Some(command) = &args.past {
        return past_call(&config, command).await;
    }
    if args.say.is_empty() && args.wav.is_empty() && args.typed.is_empty() && args.interrupt.is_empty() {
        bail!("nothing to say; give --say \"…\", --wav FILE or --type \"…\"");
    }
    crate::telemetry::start_metrics();
    let wired = wiring::wire(&config, &environment).await?;
    let steps = steps(&wired, &config, &args)?;
    let quiet = args.json;
    let outcome = caller::call(&wired.node, wired.scope, args.agent.as_deref(), steps, |said| {
        if !quiet {
            print_said(said);
        }
    })
    .await
    .context("the call was not taken")?;
    wired.node.drain(std::time::Duration::from_secs(10)).await;
    if args.json {
        println!("{}", as_json(&outcome));
    } else {
        println!("— {}", outcome.ended.as_deref().unwrap_or("the caller hung up"));
    }
    if let Some(out) = &args.out {
        copy_recording(&wired, &outcome, out).await?;
    }
    wired.store.close().await;
    Ok(if outcome.steps_left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn steps(wired: &Wired, config: &Config, args: &CallArgs) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let voice = Voice::of(wired, config, !args.say.is_empty() || !args.interrupt.is_empty())?;
    for words in &args.say {
        steps.push(Step::Say { label: words.clone(), pcm: voice.speak(words)? });
    }
    for path in &args.wav {
        steps.push(Step::Say { label: path.display().to_string(), pcm: read_wav(path)? });
    }
    steps.extend(args.typed.iter().cloned().map(Step::Type));
    for words in &args.interrupt {
        let pcm = voice.speak(words)?;
        steps.push(Step::Interrupt { after_ms: args.interrupt_after_ms, label: words.clone(), pcm });
    }
    Ok(steps)
}

/// The caller's voice: the one of this machine.
pub(crate) enum Voice {
    Loaded(std::sync::Arc<Synthesizer>),
    None,
}

impl Voice {
    pub(crate) fn of(wired: &Wired, config: &Config, needed: bool) -> anyhow::Result<Self> {
        match (&wired.on_device, needed) {
            (Some(on_device), _) => Ok(Self::Loaded(std::sync::Arc::clone(&on_device.synthesizer))),
            (None, true) => {
                let dir = crate::on_device::model_dir(&config.models.dir)?;
                let loaded = Synthesizer::load(&dir).context("a caller that speaks needs the voice of this machine")?;
                Ok(Self::Loaded(std::sync::Arc::new(loaded)))
            }
            (None, false) => Ok(Self::None),
        }
    }

    pub(crate) fn speak(&self, words: &str) -> anyhow::Result<Vec<i16>> {
        match self {
            Self::Loaded(synthesizer) => {
                let speech = synthesizer.synthesize(words)?;
                Ok(caller::for_the_line(&speech.pcm, speech.sample_rate_hz))
            }
            Self::None => bail!("the voice of this machine is not loaded"),
        }
    }
}

/// Reads a WAV file as the line carries it; of several channels the first.
pub(crate) fn read_wav(path: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
        bail!("{}: a WAV file with 16-bit samples is needed", path.display());
    }
    let channels = usize::from(spec.channels.max(1));
    let samples: Result<Vec<i16>, _> = reader.samples::<i16>().step_by(channels).collect();
    Ok(caller::for_the_line(&samples.with_context(|| format!("{} is cut off", path.display()))?, spec.sample_rate))
}

/// Prints one line of a call.
pub(crate) fn print_said(said: &Said) {
    match said {
        Said::Caller { label, understood, .. } => {
            println!("caller  {label}");
            if let Some(text) = understood.as_ref().filter(|text| !same_words(text, label)) {
                println!("        (understood: {text})");
            }
        }
        Said::Agent { text, complete, citations, latency, .. } => {
            let cut = if *complete { "" } else { " — (interrupted)" };
            println!("agent   {text}{cut}");
            for citation in citations {
                println!("        source: {} › {}", citation.document, citation.section);
            }
            if let Some(line) = latency.as_ref().and_then(latency_line) {
                println!("        {line}");
            }
        }
        Said::Tool { name, status } => println!("tool    {name}: {status}"),
    }
}

fn same_words(a: &str, b: &str) -> bool {
    let bare =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    bare(a) == bare(b)
}

/// Where the time of a turn went, in one line.
pub(crate) fn latency_line(latency: &TurnLatency) -> Option<String> {
    let heard = latency.heard_ms.or(latency.first_audio_ms)?;
    let stages = [
        ("turn ended", latency.endpoint_ms),
        ("transcript", latency.transcript_ms),
        ("first words", latency.first_token_ms),
        ("first audio", latency.first_audio_ms),
        ("heard", latency.heard_ms),
    ];
    let parts: Vec<String> = stages.iter().filter_map(|(name, ms)| ms.map(|ms| format!("{name} {ms}"))).collect();
    Some(format!("{heard} ms after the caller stopped ({})", parts.join(" · ")))
}

fn as_json(outcome: &Outcome) -> String {
    let said: Vec<_> = outcome
        .said
        .iter()
        .map(|said| match said {
            Said::Caller { at_ms, label, understood } => {
                serde_json::json!({ "caller": label, "understood": understood, "at_ms": at_ms })
            }
            Said::Agent { at_ms, text, complete, citations, latency } => serde_json::json!({
                "agent": text, "complete": complete, "citations": citations, "latency": latency, "at_ms": at_ms
            }),
            Said::Tool { name, status } => serde_json::json!({ "tool": name, "status": status }),
        })
        .collect();
    let value = serde_json::json!({
        "call": outcome.call,
        "said": said,
        "ended": outcome.ended,
        "interruption_stop_ms": outcome.interruption_stop_ms,
        "steps_left": outcome.steps_left,
    });
    value.to_string()
}

async fn copy_recording(wired: &Wired, outcome: &Outcome, out: &Path) -> anyhow::Result<()> {
    let id = outcome.call.context("the call has no id")?;
    let row = wired.store.call(&wired.scope, id).await?;
    let name = row.recording.context("the call was not recorded")?;
    std::fs::copy(wired.recordings_dir.join(name), out)
        .with_context(|| format!("the recording cannot be written to {}", out.display()))?;
    println!("recording: {}", out.display());
    Ok(())
}
