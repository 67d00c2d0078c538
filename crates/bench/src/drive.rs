//! The simulated caller: asks in bursts, listens, interrupts every second answer, and notes what was heard and when. Times
//! are milliseconds of the phone platform's clock for that media socket.

use sim::twins::twilio::{CallRecord, Leg, TwinCall};
use std::time::Duration;
use tokio::time::Instant;

/// Silence after which the other side is taken to have finished.
const QUIET_MS: u64 = 400;
/// How much of an answer is heard before it is interrupted.
const INTERRUPT_AFTER_MS: u64 = 900;
/// Silence within one answer from which it counts as a gap.
const GAP_MS_MIN: u64 = 20;
/// A longer silence lies between two utterances.
const GAP_MS_MAX: u64 = 1_500;
/// Nobody waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Louder than this is the burst coming back.
const ECHO_LEVEL: u16 = 400;

/// What happens on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The agent greets and answers.
    Conversation,
    /// Everything comes back.
    Echo,
}

/// What one caller experienced.
#[derive(Debug, Default)]
pub struct Heard {
    /// From the end of the caller's speech to the first audio of the answer; `None` for no answer.
    pub responses_ms: Vec<Option<u64>>,
    /// From the beginning of an interruption to the last audio of the agent; `None` when it went on.
    pub stops_ms: Vec<Option<u64>>,
    /// Silences within answers.
    pub gaps_ms: Vec<u64>,
    /// The server did not take the call.
    pub refused: bool,
    /// Why the call did not go on to the end.
    pub problem: Option<String>,
}

/// Plays the caller until `until`, then leaves the rest to whoever holds the call.
pub async fn drive(call: &TwinCall, scene: Scene, burst: &[i16], until: Instant) -> Heard {
    let mut heard = Heard::default();
    let talk = async {
        match scene {
            Scene::Conversation => converse(call, burst, until, &mut heard).await,
            Scene::Echo => echo(call, burst, until, &mut heard).await,
        }
    };
    // The time being over in the middle of a turn is no problem of the server.
    if let Ok(Err(problem)) = tokio::time::timeout_at(until, talk).await {
        heard.problem = Some(problem);
    }
    heard.refused = call.record(|record| record.legs.is_empty() || !record.faults.is_empty());
    if scene == Scene::Conversation {
        heard.gaps_ms = call.record(|record| record.leg().map(gaps).unwrap_or_default());
    }
    heard
}

async fn converse(call: &TwinCall, burst: &[i16], until: Instant, heard: &mut Heard) -> Result<(), String> {
    // What was said last may not have begun to be heard.
    let from = call.record(|record| record.leg().map_or(0, now)) + QUIET_MS;
    call.until(PATIENCE * 2, "the end of the greeting", with_leg(|leg| now(leg) >= from && is_quiet(leg))).await?;
    let mut interrupt = false;
    while Instant::now() < until {
        let (_, end) = speak(call, burst).await?;
        let mut answer = answer_after(call, end).await;
        heard.responses_ms.push(answer.map(|from| from - end));
        if interrupt && let Some(from) = answer {
            call.until(PATIENCE, "a part of the answer", with_leg(|leg| now(leg) >= from + INTERRUPT_AFTER_MS)).await?;
            let (onset, end) = speak(call, burst).await?;
            heard.stops_ms.push(call.record(|record| record.leg().and_then(|leg| stopped(leg, onset, end))));
            answer = answer_after(call, end).await;
            heard.responses_ms.push(answer.map(|from| from - end));
        }
        interrupt = !interrupt;
        call.until(PATIENCE, "the end of the answer", with_leg(is_quiet)).await?;
    }
    Ok(())
}

async fn echo(call: &TwinCall, burst: &[i16], until: Instant, heard: &mut Heard) -> Result<(), String> {
    call.until(PATIENCE, "the first echo", with_leg(|leg| leg.frames_received > 10)).await?;
    while Instant::now() < until {
        let (onset, end) = speak(call, burst).await?;
        call.until(PATIENCE, "the rest of the echo", with_leg(|leg| now(leg) >= end + 1_000)).await?;
        heard.responses_ms.push(call.record(|record| record.leg().and_then(|leg| echoed(leg, onset))));
    }
    Ok(())
}

fn with_leg(look: impl Fn(&Leg) -> bool) -> impl Fn(&CallRecord) -> bool {
    move |record| record.leg().is_some_and(&look)
}

fn now(leg: &Leg) -> u64 {
    leg.playout.now_ms()
}

/// Everything that was sent has been heard, a while ago, and so has all that the caller said: whoever drove the call before may
/// have left in the middle of a sentence.
fn is_quiet(leg: &Leg) -> bool {
    let last = leg.playout.spans().last();
    leg.playout.queued_voice_ms() == 0
        && last.is_some_and(|last| now(leg) >= last.to_ms + QUIET_MS)
        && leg.spoken.last().is_none_or(|last| now(leg) >= last.to_ms + QUIET_MS)
}

/// Says the burst; when it began and when it ended.
async fn speak(call: &TwinCall, burst: &[i16]) -> Result<(u64, u64), String> {
    let before = call.record(|record| record.leg().map_or(0, |leg| leg.spoken.len()));
    call.speak(burst.to_vec()).await;
    let length_ms = burst.len() as u64 / 8;
    // Frames that were late and are caught up with make a burst look shorter than it is.
    let said = move |leg: &Leg| {
        leg.spoken.get(before).is_some_and(|span| {
            let is_whole = span.to_ms + 20 >= span.from_ms + length_ms;
            now(leg) > span.to_ms + if is_whole { 0 } else { QUIET_MS }
        })
    };
    call.until(PATIENCE, "the caller's own words", with_leg(said)).await?;
    let span = call.record(|record| record.leg().and_then(|leg| leg.spoken.get(before).copied()));
    span.map(|span| (span.from_ms, span.to_ms)).ok_or_else(|| "the media socket is gone".to_owned())
}

/// When the agent was first heard after `end`.
async fn answer_after(call: &TwinCall, end: u64) -> Option<u64> {
    let from = move |leg: &Leg| leg.playout.spans().iter().find(|span| span.from_ms >= end).map(|span| span.from_ms);
    let answered = call.until(PATIENCE, "an answer", with_leg(move |leg| from(leg).is_some())).await;
    answered.ok()?;
    call.record(|record| record.leg().and_then(from))
}

/// How long the agent was still heard after the caller began to interrupt; `None` when it was heard to the end of the
/// interruption, or was not speaking when it began.
fn stopped(leg: &Leg, onset: u64, end: u64) -> Option<u64> {
    let over = leg.playout.spans().iter().find(|span| span.from_ms <= onset && span.to_ms >= onset)?;
    (over.to_ms < end).then_some(over.to_ms - onset)
}

/// When the burst that began at `onset` was first heard coming back, after that. The frame is sent when it is complete,
/// which is not the server's time.
fn echoed(leg: &Leg, onset: u64) -> Option<u64> {
    let heard = leg.playout.heard().get((onset as usize) * 8..)?;
    let first = heard.iter().position(|sample| sample.unsigned_abs() > ECHO_LEVEL)?;
    Some((first as u64 / 8).saturating_sub(20))
}

/// Silences within answers: between two stretches of agent audio with no word of the caller between them.
fn gaps(leg: &Leg) -> Vec<u64> {
    let pairs = leg.playout.spans().windows(2);
    pairs
        .filter(|pair| {
            !leg.spoken.iter().any(|said| said.from_ms < pair[1].from_ms && said.to_ms + 20 > pair[0].from_ms)
        })
        .map(|pair| pair[1].from_ms - pair[0].to_ms)
        .filter(|gap| (GAP_MS_MIN..GAP_MS_MAX).contains(gap))
        .collect()
}
