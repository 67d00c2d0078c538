//! More calls than the server takes: those that it took go on as before, and each of the others learns at once that there is
//! no room.

use super::{APART, Finding, LATENCY_RATIO_MAX, Part, Setting, Stage};
use crate::report::Spread;
use serde::Serialize;
use sim::twins::twilio::TwinCall;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Nobody waits longer to hear that there is no room.
const PATIENCE: Duration = Duration::from_secs(15);
const REFUSAL_MS_MAX: i64 = 500;

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Overload {
    times: u32,
    /// Calls that the server takes at once, as it said before the first of them.
    limit: u32,
    /// As many as it takes, and nobody else.
    full: Part,
    /// The same calls, and those that were let in meanwhile.
    over: Part,
    offered: usize,
    let_in: usize,
    refused: usize,
    /// Calls that heard neither yes nor no.
    unanswered: usize,
    /// From ringing to the refusal.
    refusal: Spread,
    p95_ratio: f64,
}

pub(super) async fn measure(stage: Stage, setting: Setting<'_>, times: u32) -> anyhow::Result<Overload> {
    let part = Duration::from_secs(setting.secs);
    let mut calls = stage.begin(stage.limit).await;
    eprintln!("{} calls, {} s", calls.len(), setting.secs);
    let full = stage.talk(&calls, Instant::now() + part).await?;
    let more = stage.limit * (times - 1);
    eprintln!("{more} more within {} s", setting.secs);
    let until = Instant::now() + part;
    let (talk, offers) = tokio::join!(stage.talk(&calls, until), offer(&stage, more, until));
    let over = talk?;
    let offered = offers.len();
    let (mut refusals_ms, mut unanswered) = (Vec::new(), 0);
    for (call, answer) in offers {
        match answer {
            Some(Answer::Refused(ms)) => refusals_ms.push(ms),
            Some(Answer::LetIn) => calls.push(call),
            None => unanswered += 1,
        }
    }
    let refused = refusals_ms.len();
    let limit = stage.limit;
    stage.close(calls).await?;
    Ok(Overload {
        times,
        limit,
        p95_ratio: over.ratio_to(&full),
        full,
        over,
        offered,
        let_in: offered - refused - unanswered,
        refused,
        unanswered,
        refusal: Spread::of(refusals_ms),
    })
}

enum Answer {
    LetIn,
    Refused(i64),
}

/// Places these calls, evenly, in three quarters of the time that is left.
async fn offer(stage: &Stage, calls: u32, until: Instant) -> Vec<(TwinCall, Option<Answer>)> {
    let apart = (until.saturating_duration_since(Instant::now()) * 3 / 4 / calls.max(1)).min(APART * 10);
    let mut waiting = JoinSet::new();
    for _ in 0..calls {
        let call = stage.place();
        waiting.spawn(async move {
            let answer = answer(&call).await;
            (call, answer)
        });
        tokio::time::sleep(apart).await;
    }
    waiting.join_all().await
}

async fn answer(call: &TwinCall) -> Option<Answer> {
    let from = Instant::now();
    // What it led to is in the record.
    let _ = call.until(PATIENCE, "yes or no", |record| record.is_over() || record.leg().is_some()).await;
    let ms = i64::try_from(from.elapsed().as_millis()).unwrap_or(i64::MAX);
    call.record(|record| match record.status {
        "busy" => Some(Answer::Refused(ms)),
        _ => record.leg().is_some().then_some(Answer::LetIn),
    })
}

impl Finding for Overload {
    fn table(&self) -> String {
        let mut out = format!("{} times the {} calls that the server takes at once\n\n", self.times, self.limit);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| | {}\n|---|{}", Part::HEAD, "---|".repeat(8));
        let _ = writeln!(out, "| full | {}", self.full.cells());
        let _ = writeln!(out, "| overrun | {}", self.over.cells());
        let _ = writeln!(
            out,
            "\n{} more were offered: {} let in, {} refused, {} without an answer; a refusal took {} / {} / {} ms (p50 / p95 / \
             longest)\nanswers p95: {:.2} of what it was",
            self.offered,
            self.let_in,
            self.refused,
            self.unanswered,
            self.refusal.p50_ms,
            self.refusal.p95_ms,
            self.refusal.max_ms,
            self.p95_ratio
        );
        out
    }

    fn misses(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.full.misses("full", &mut out);
        self.over.misses("overrun", &mut out);
        if self.p95_ratio > LATENCY_RATIO_MAX {
            out.push(format!("answers p95 is {:.2} of what it was, more than {LATENCY_RATIO_MAX}", self.p95_ratio));
        }
        if self.refusal.max_ms > REFUSAL_MS_MAX {
            out.push(format!("a refusal took {} ms, more than {REFUSAL_MS_MAX}", self.refusal.max_ms));
        }
        if self.unanswered > 0 {
            out.push(format!("{} calls heard neither yes nor no", self.unanswered));
        }
        if self.refused == 0 {
            out.push("nobody was refused: the server was not at its limit".to_owned());
        }
        out
    }
}
