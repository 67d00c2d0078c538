//! The simulated caller: waits for the agent to finish, says the turn, hears the answer out, and does what the script says
//! happens meanwhile. It judges nothing; it notes what was said when and keeps what was heard.

use super::audio::{self, CALLER_RMS, SAMPLES_PER_MS};
use super::render::{Clip, Studio};
use super::script::{CallPlan, Dice, Event, EventKind, Script};
use super::world::{Caller, Twins};
use sim::twins::twilio::{Leg, Line, LineEcho, TwinCall};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Louder than this over 20 ms is the agent's voice.
pub const VOICED_RMS: f64 = 200.0;
pub const FRAME_MS: u64 = 20;
/// Silence after which the agent is taken to have finished.
const DONE_MS: u64 = 1_000;
/// Within this an answer should begin; then the caller speaks again.
pub const PATIENCE_MS: u64 = 3_000;
const GREETING_MS_MAX: u64 = 15_000;
const ANSWER_MS_MAX: u64 = 25_000;
const STREAM_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
const ECHO: LineEcho = LineEcho { delay_ms: 150, gain: 0.1 };
const ECHO_MS: u64 = 2_500;

/// What an utterance of the caller was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A turn that wants an answer.
    Turn,
    /// Over the agent, and wants to be heard.
    Interruption,
    /// Over the agent, and wants nothing.
    Event(EventKind),
    /// Because no answer came.
    Again,
}

/// Something the caller's side sent. Times are milliseconds of the call.
#[derive(Clone, Debug)]
pub struct Uttered {
    pub category: String,
    pub role: Role,
    pub text: String,
    /// What the model says to it; for an event, what it must not disturb.
    pub answer: String,
    pub from_ms: u64,
    pub to_ms: u64,
    pub stretches: Vec<(u64, u64)>,
}

/// All of a call.
#[derive(Debug)]
pub struct CallLog {
    pub plan: CallPlan,
    pub uttered: Vec<Uttered>,
    /// Events that could not happen because the agent was not speaking.
    pub skipped: Vec<EventKind>,
    pub heard: Vec<i16>,
    /// When audio that waited was thrown away.
    pub clears: Vec<(u64, u64)>,
    pub messages: Option<serde_json::Value>,
    /// What happened at the twins meanwhile: milliseconds of the call and what; other calls' speech is in it, too.
    pub trace: Vec<(u64, String)>,
    pub requests: usize,
    pub streams: usize,
    pub problem: Option<String>,
}

/// A call with everything it will say, rendered.
#[derive(Debug)]
pub struct Prepared {
    pub plan: CallPlan,
    background: Arc<[i16]>,
    items: Vec<PreparedItem>,
    again: Clip,
}

#[derive(Debug)]
struct PreparedItem {
    lead: Option<Clip>,
    turn: Clip,
    events: Vec<Clip>,
}

impl Prepared {
    pub fn render(plan: CallPlan, script: &Script, studio: &mut Studio) -> anyhow::Result<Self> {
        let voice = plan.voice;
        let mut dice = Dice::new(script.seed ^ ((plan.number as u64) << 8));
        let mut items = Vec::new();
        for item in &plan.items {
            let settled = matches!(item.category.as_str(), "digits" | "address");
            let mut events = Vec::new();
            for event in &item.events {
                let sound = |pcm: Vec<f32>| Clip { pcm: audio::at_level(&pcm, CALLER_RMS * 1.2), ..Clip::default() };
                events.push(match event.kind {
                    EventKind::Interruption | EventKind::BackChannel => studio.turn(&event.say, voice, true)?,
                    EventKind::SideTalk => studio.side_talk(&event.say, voice)?,
                    EventKind::Cough => sound(audio::cough(&mut dice)),
                    EventKind::Noise => sound(audio::thump(&mut dice)),
                    EventKind::Echo => Clip::default(),
                });
            }
            let lead = item.lead.as_ref().map(|lead| studio.turn(lead, voice, true)).transpose()?;
            items.push(PreparedItem { lead, turn: studio.turn(&item.say, voice, settled)?, events });
        }
        let background = studio.background(&plan, script)?;
        Ok(Self { background, items, again: studio.turn(&script.again, voice, true)?, plan })
    }
}

/// Makes the call. `begun` is told when the next call may begin.
pub async fn play(
    prepared: Arc<Prepared>,
    twins: Arc<Twins>,
    url: String,
    begun: tokio::sync::oneshot::Sender<()>,
) -> CallLog {
    let caller = Arc::new(Caller::default());
    twins.world.arm(&caller);
    let call = twins.phone.place_call(&url);
    let taken = twins.world.taken(STREAM_WITHIN).await;
    // Whoever waited may be gone.
    let _ = begun.send(());
    let mut player = Player {
        call: &call,
        caller: &caller,
        background: Arc::clone(&prepared.background),
        uttered: Vec::new(),
        skipped: Vec::new(),
        dice: Dice::new(prepared.plan.number as u64 ^ 0x9a9),
    };
    let result = if taken { player.converse(&prepared).await } else { Err("no recognition stream came".to_owned()) };
    let Player { uttered, skipped, .. } = player;
    let (heard, clears, errors) = call.record(|record| {
        let leg = record.leg();
        let errors = leg.map(|leg| leg.errors.clone()).unwrap_or_default();
        let faults = record.faults.iter().cloned();
        let heard = leg.map(|leg| leg.playout.heard().to_vec()).unwrap_or_default();
        (
            heard,
            leg.map(|leg| leg.clears.clone()).unwrap_or_default(),
            errors.into_iter().chain(faults).collect::<Vec<_>>(),
        )
    });
    let since = call.record(|record| record.leg().map(|leg| leg.since));
    let trace = since.map(|since| trace(&twins, &caller, since)).unwrap_or_default();
    call.hang_up().await;
    // What it left behind is of no interest to the measurement.
    let _ = call.finished(Duration::from_secs(5)).await;
    twins.world.leave(&caller);
    let problem = result.err().or_else(|| (!errors.is_empty()).then(|| errors.join("; ")));
    CallLog {
        plan: prepared.plan.clone(),
        uttered,
        skipped,
        heard,
        clears,
        messages: caller.last_request(),
        trace,
        requests: caller.requests(),
        streams: caller.streams.load(std::sync::atomic::Ordering::Relaxed),
        problem,
    }
}

fn trace(twins: &Twins, caller: &Caller, since: Instant) -> Vec<(u64, String)> {
    let ms = |at: Instant| u64::try_from(at.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
    let asked = caller.asked().into_iter().map(|(at, text)| (ms(at), format!("model asked: {text}")));
    let spoken = twins.world.spoken(since, Instant::now()).into_iter();
    let spoken = spoken.map(|(at, text)| (ms(at), format!("voice asked: {text}")));
    let mut all: Vec<(u64, String)> = asked.chain(spoken).collect();
    all.sort();
    all
}

struct Player<'a> {
    call: &'a TwinCall,
    caller: &'a Caller,
    background: Arc<[i16]>,
    uttered: Vec<Uttered>,
    skipped: Vec<EventKind>,
    dice: Dice,
}

/// When the agent's voice was last heard at or after a moment, and the call's clock.
#[derive(Clone, Copy, Debug)]
struct Heard {
    now_ms: u64,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Player<'_> {
    async fn converse(&mut self, prepared: &Prepared) -> Result<(), String> {
        self.call.until(Duration::from_secs(10), "the media socket", |record| record.leg().is_some()).await?;
        self.set_line(None).await;
        self.until_done(0, GREETING_MS_MAX).await?;
        for (item, clips) in prepared.plan.items.iter().zip(&prepared.items) {
            if let (Some(lead), Some(text)) = (&clips.lead, &item.lead) {
                let answer = item.lead_answer.clone().unwrap_or_default();
                let (end, _) = self.turn(lead, "plain", Role::Turn, text, &answer, &prepared.again).await?;
                self.until_done(end, ANSWER_MS_MAX).await?;
            }
            let category = if item.events.is_empty() { item.category.as_str() } else { "plain" };
            let (mut end, mut answered) =
                self.turn(&clips.turn, category, Role::Turn, &item.say, &item.answer, &prepared.again).await?;
            for (event, clip) in item.events.iter().zip(&clips.events) {
                let Some(from) = answered else {
                    self.skipped.push(event.kind);
                    continue;
                };
                if !self.wait_to_speak_over(from, event.after_ms).await? {
                    self.skipped.push(event.kind);
                    continue;
                }
                if event.kind == EventKind::Interruption {
                    let role = Role::Interruption;
                    (end, answered) =
                        self.turn(clip, "interruption", role, &event.say, &event.answer, &prepared.again).await?;
                } else {
                    end = self.event(clip, event, &item.answer).await?;
                }
            }
            self.until_done(end, ANSWER_MS_MAX).await?;
            self.set_line(None).await;
        }
        Ok(())
    }

    async fn set_line(&self, echo: Option<LineEcho>) {
        self.call.set_line(Line { background: Arc::clone(&self.background), echo }).await;
    }

    /// Says a turn and waits for the beginning of an answer; when the turn ended, and when the answer began.
    async fn turn(
        &mut self,
        clip: &Clip,
        category: &str,
        role: Role,
        text: &str,
        answer: &str,
        again: &Clip,
    ) -> Result<(u64, Option<u64>), String> {
        let (_, end) = self.say(clip, category, role, text, answer).await?;
        if let Some(from) = self.answer_after(end, PATIENCE_MS).await? {
            return Ok((end, Some(from)));
        }
        let (_, end) = self.say(again, category, Role::Again, "…", answer).await?;
        let from = self.answer_after(end, 2 * PATIENCE_MS).await?;
        Ok((end, from))
    }

    async fn event(&mut self, clip: &Clip, event: &Event, answer: &str) -> Result<u64, String> {
        let category = event.kind.name();
        if event.kind == EventKind::Echo {
            self.set_line(Some(ECHO)).await;
            let now = self.heard(0)?.now_ms;
            let (role, text) = (Role::Event(event.kind), "(echo of the agent)".to_owned());
            self.uttered.push(Uttered {
                category: category.to_owned(),
                role,
                text,
                answer: answer.to_owned(),
                from_ms: now,
                to_ms: now + ECHO_MS,
                stretches: Vec::new(),
            });
            return Ok(now);
        }
        let text = if event.say.is_empty() { format!("({category})") } else { event.say.clone() };
        let (_, end) = self.say(clip, category, Role::Event(event.kind), &text, answer).await?;
        Ok(end)
    }

    /// Says it; when it began and ended.
    async fn say(
        &mut self,
        clip: &Clip,
        category: &str,
        role: Role,
        text: &str,
        answer: &str,
    ) -> Result<(u64, u64), String> {
        let before = self.call.record(|record| record.leg().map_or(0, |leg| leg.spoken.len()));
        self.call.speak(clip.pcm.clone()).await;
        let spoken = move |leg: &Leg| leg.spoken.get(before).map(|span| (span.from_ms, leg.since));
        let began = |record: &sim::twins::twilio::CallRecord| record.leg().and_then(spoken).is_some();
        self.call.until(Duration::from_secs(3), "the caller's words", began).await?;
        let (from, since) =
            self.call.record(|record| record.leg().and_then(spoken)).ok_or("the media socket is gone")?;
        let event = matches!(role, Role::Event(_));
        self.caller.speaks(clip, if event { "" } else { answer }, since + Duration::from_millis(from));
        let end = from + clip.length_ms();
        self.uttered.push(Uttered {
            category: category.to_owned(),
            role,
            text: text.to_owned(),
            answer: answer.to_owned(),
            from_ms: from,
            to_ms: end,
            stretches: clip.stretches.iter().map(|(a, b)| (from + a, from + b)).collect(),
        });
        tokio::time::sleep_until(since + Duration::from_millis(end)).await;
        Ok((from, end))
    }

    fn heard(&self, since_ms: u64) -> Result<Heard, String> {
        self.call.record(|record| {
            let leg = record.leg().ok_or("the media socket is gone")?;
            if leg.closed.is_some() {
                return Err("the agent ended the call".to_owned());
            }
            let pcm = leg.playout.heard();
            let frame = FRAME_MS as usize * SAMPLES_PER_MS;
            let first_frame = since_ms.div_ceil(FRAME_MS) as usize;
            let voiced = |n: &usize| is_voiced(&pcm[n * frame..(n + 1) * frame]);
            let frames = first_frame..(pcm.len() / frame).max(first_frame);
            let at = |n: usize| n as u64 * FRAME_MS;
            let first = frames.clone().find(voiced);
            let last = frames.rev().find(voiced);
            Ok(Heard { now_ms: leg.playout.now_ms(), first_ms: first.map(at), last_ms: last.map(|n| at(n + 1)) })
        })
    }

    /// The agent's first sound at or after `end`, if it comes within `patience_ms`.
    async fn answer_after(&self, end: u64, patience_ms: u64) -> Result<Option<u64>, String> {
        let deadline = Instant::now() + Duration::from_millis(2 * patience_ms + 5_000);
        while Instant::now() < deadline {
            let heard = self.heard(end)?;
            if heard.first_ms.is_some() {
                return Ok(heard.first_ms);
            }
            if heard.now_ms >= end + patience_ms {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
        Err("the call's clock stands still".to_owned())
    }

    /// Waits until the agent has spoken for `after_ms` since `from`; false when it stopped before.
    async fn wait_to_speak_over(&self, from: u64, after_ms: u64) -> Result<bool, String> {
        loop {
            let heard = self.heard(from)?;
            let last = heard.last_ms.unwrap_or(from);
            if heard.now_ms > last + DONE_MS {
                return Ok(false);
            }
            if heard.now_ms >= from + after_ms && heard.now_ms <= last + 3 * FRAME_MS {
                return Ok(true);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the agent has finished, and a moment longer, as people do.
    async fn until_done(&mut self, end: u64, ms_max: u64) -> Result<(), String> {
        loop {
            let heard = self.heard(end)?;
            let quiet_since = heard.last_ms.unwrap_or(end);
            let nothing_yet = heard.last_ms.is_none();
            let patience = if nothing_yet { PATIENCE_MS } else { DONE_MS };
            if heard.now_ms >= quiet_since + patience || heard.now_ms >= end + ms_max {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        tokio::time::sleep(Duration::from_millis(self.dice.below(300) as u64)).await;
        Ok(())
    }
}

/// Whether a frame holds the agent's voice.
pub fn is_voiced(frame: &[i16]) -> bool {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / frame.len().max(1) as f64).sqrt() >= VOICED_RMS
}
