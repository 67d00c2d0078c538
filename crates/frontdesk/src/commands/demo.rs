//! `frontdesk demo`: one scripted call in the terminal, then the Talk page.

use super::call::{Voice, print_said};
use super::serve;
use crate::caller::{self, Step};
use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Play the call and exit; fails when it did not go as it should
    #[arg(long)]
    once: bool,
}

pub(crate) async fn demo(config: Config, args: DemoArgs) -> anyhow::Result<ExitCode> {
    let metrics = crate::telemetry::start_metrics();
    let listener = if args.once { None } else { Some(serve::bind(&config).await?) };
    println!("Loading…");
    let started = std::time::Instant::now();
    let wired = wiring::wire(&config, &environment).await?;
    println!("Ready after {:.1} s.", started.elapsed().as_secs_f64());
    for (stage, names) in &wired.stages {
        println!("  {stage:15} {}", names.join(", then "));
    }
    println!("\nA customer calls the shop, at 8 kHz as on the telephone:\n");
    let voice = Voice::of(&wired, &config, true)?;
    let say = |words: &str| -> anyhow::Result<Step> { Ok(Step::Say { label: words.into(), pcm: voice.speak(words)? }) };
    let interrupting = "Wait, how much is a full service?";
    let steps = vec![
        say("Hi, are you open on Saturday?")?,
        say("How long is the warranty on the frame?")?,
        Step::Interrupt { after_ms: 1_200, label: interrupting.into(), pcm: voice.speak(interrupting)? },
        say("Do you sell helmets for horses?")?,
        say("Thank you, goodbye.")?,
    ];
    let outcome =
        caller::call(&wired.node, wired.scope, None, steps, print_said).await.context("the call was not taken")?;
    println!("— {}\n", outcome.ended.as_deref().unwrap_or("the caller hung up"));
    if args.once {
        wired.node.drain(std::time::Duration::from_secs(10)).await;
        wired.store.close().await;
        if outcome.steps_left > 0 {
            bail!("the call ended with {} lines unsaid", outcome.steps_left);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(listener) = listener else { return Ok(ExitCode::SUCCESS) };
    let address = listener.local_addr()?;
    println!("Talk to the agent yourself:  http://{address}/");
    println!("Stop with Ctrl-C.");
    serve::run(config, None, wired, listener, metrics).await
}
