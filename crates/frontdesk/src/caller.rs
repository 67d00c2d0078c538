//! A simulated caller: dials an agent in this process over the loopback carrier, at a phone line's 8 kHz µ-law, says its
//! lines in turn, and tells what it heard. Runs on tokio's time, so a test may let it fly.

use base::wire::Wire;
use base::{CallId, limits};
use carriers::loopback::{CallerEvent, LoopbackCaller};
use carriers::registry;
use media::Resampler;
use model::business::TenantScope;
use model::generation::Citation;
use model::journal::TurnLatency;
use model::live::{LiveEvent, LiveKind};
use runtime::socket::{ChannelPeer, ChannelSocket, Incoming};
use runtime::{AttachError, Node};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

/// The rate of the simulated line.
pub const RATE_HZ: u32 = 8_000;
/// Quiet after an answer before the caller speaks again, as people leave it.
const PAUSE_MS: u64 = 400;
/// After hanging up, how long the other end may take to put its affairs in order.
const HANG_UP_MS: u64 = 5_000;
/// The caller gives up on an agent that says nothing for this long.
const PATIENCE_MS: u64 = 30_000;

/// One thing the caller does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Waits until the agent has finished, then says this (16-bit mono at [`RATE_HZ`]).
    Say {
        /// What it is, for people.
        label: String,
        /// The audio.
        pcm: Vec<i16>,
    },
    /// Speaks over the agent once it has spoken for this long.
    Interrupt {
        /// How long the agent may speak.
        after_ms: u64,
        /// What it is, for people.
        label: String,
        /// The audio.
        pcm: Vec<i16>,
    },
    /// Types this instead of speaking.
    Type(String),
    /// Presses keys.
    Press(String),
}

/// One line of what was said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The caller said this (its label) and the agent understood that.
    Caller {
        /// When the words were over, in milliseconds of the call.
        at_ms: u64,
        /// What was said.
        label: String,
        /// What was understood; `None` until it is.
        understood: Option<String>,
    },
    /// The agent said this, as far as it was heard.
    Agent {
        /// When, in milliseconds of the call.
        at_ms: u64,
        /// The words.
        text: String,
        /// Whether all of it was heard.
        complete: bool,
        /// Where it is from.
        citations: Vec<Citation>,
        /// What the caller waited for.
        latency: Option<TurnLatency>,
    },
    /// A tool was used.
    Tool {
        /// Its name.
        name: String,
        /// What became of it.
        status: String,
    },
}

/// What the caller noticed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The call.
    pub call: Option<CallId>,
    /// What was said, in order.
    pub said: Vec<Said>,
    /// Why it ended, if the agent or the platform ended it.
    pub ended: Option<String>,
    /// From the onset of each interruption to the moment the caller heard nothing more, in milliseconds.
    pub interruption_stop_ms: Vec<u64>,
    /// What the caller heard, 16-bit mono at [`RATE_HZ`], from the beginning of the call.
    pub heard: Vec<i16>,
    /// The caller's steps that were never reached.
    pub steps_left: usize,
}

/// Calls an agent and goes through the steps; hangs up after the last answer. `watch` sees every line as it is said.
///
/// # Errors
/// When the node does not take the call.
pub async fn call(
    node: &Node,
    scope: TenantScope,
    agent: Option<&str>,
    steps: Vec<Step>,
    mut watch: impl FnMut(&Said),
) -> Result<Outcome, AttachError> {
    Ok(dial(node, scope, agent, steps).await?.talk(&mut watch).await)
}

/// A call that an agent has answered.
pub struct Answered {
    /// The call.
    pub call: CallId,
    line: Line,
    live: Option<broadcast::Receiver<LiveEvent>>,
}

impl Answered {
    /// Goes through the steps; hangs up after the last answer.
    pub async fn talk(self, watch: &mut impl FnMut(&Said)) -> Outcome {
        let Self { mut line, live, .. } = self;
        line.run(watch).await;
        if let Some(live) = live {
            let reason = until_written(live).await;
            line.outcome.ended = line.outcome.ended.take().or(reason).filter(|_| !line.hung_up);
        }
        line.outcome
    }
}

/// Calls an agent and answers as soon as it has answered.
///
/// # Errors
/// When the node does not take the call.
pub async fn dial(
    node: &Node,
    scope: TenantScope,
    agent: Option<&str>,
    steps: Vec<Step>,
) -> Result<Answered, AttachError> {
    let (socket, peer) = ChannelSocket::pair();
    let protocol = registry::media("loopback").ok_or(AttachError::NoAgent)?;
    let mut line = Line::new(LoopbackCaller::new(agent, None), peer, steps);
    // The start message lies in the channel before the node looks for it.
    line.exchange().await;
    let call = node.attach("loopback", Some(scope), protocol, Box::new(socket)).await?;
    line.outcome.call = Some(call);
    let live = node.watch(&scope, call);
    Ok(Answered { call, line, live })
}

/// Waits until the call's task has ended, and with it its journal: the line goes dead before the last entry is written.
/// Answers why it ended, which the dead line did not carry any more.
async fn until_written(mut live: broadcast::Receiver<LiveEvent>) -> Option<String> {
    let mut reason = None;
    let over = async {
        loop {
            match live.recv().await {
                Ok(LiveEvent { kind: LiveKind::Ended { reason: why }, .. }) => reason = Some(why),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(HANG_UP_MS), over).await; // A stuck host is its own test's matter.
    reason
}

/// Audio at any rate as the line carries it.
pub fn for_the_line(pcm: &[i16], rate_hz: u32) -> Vec<i16> {
    if rate_hz == RATE_HZ {
        return pcm.to_vec();
    }
    let mut out = Vec::new();
    if let Ok(mut resampler) = Resampler::new(rate_hz, RATE_HZ) {
        resampler.process(pcm, &mut out);
        resampler.flush(&mut out);
    }
    out
}

struct Line {
    caller: LoopbackCaller,
    peer: ChannelPeer,
    steps: VecDeque<Step>,
    origin: Instant,
    outcome: Outcome,
    out: Vec<Wire>,
    /// The agent is between phases: what it does now.
    phase: String,
    /// When the phase became "listening" with nothing left to hear.
    quiet_since_ms: Option<u64>,
    agent_speaks_since_ms: Option<u64>,
    /// When the present interruption began to sound.
    interrupting_since_ms: Option<u64>,
    last_sign_ms: u64,
    awaiting_answer: bool,
    hung_up: bool,
}

impl Line {
    fn new(caller: LoopbackCaller, peer: ChannelPeer, steps: Vec<Step>) -> Self {
        Self {
            caller,
            peer,
            steps: steps.into(),
            origin: Instant::now(),
            outcome: Outcome::default(),
            out: Vec::new(),
            phase: String::new(),
            quiet_since_ms: None,
            agent_speaks_since_ms: None,
            interrupting_since_ms: None,
            last_sign_ms: 0,
            awaiting_answer: true,
            hung_up: false,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn run(&mut self, watch: &mut impl FnMut(&Said)) {
        let mut tick = tokio::time::interval(Duration::from_millis(limits::FRAME_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                wire = self.peer.from_host.recv() => match wire {
                    Some(wire) => {
                        let now = self.now_ms();
                        self.caller.on_wire(now, &wire);
                    }
                    None => break,
                },
            }
            self.exchange().await;
            for event in self.caller.take_events() {
                self.notice(event, watch);
            }
            if self.caller.is_closed() {
                break;
            }
            self.act();
        }
        // The host ends when it has read the last wire; its end is the end of the call.
        self.exchange().await;
        let over = async { while self.peer.from_host.recv().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(HANG_UP_MS), over).await; // A stuck host is its own test's matter.
        self.outcome.heard = self.caller.playout().heard().to_vec();
        self.outcome.steps_left = self.steps.len();
    }

    /// Sends what is due.
    async fn exchange(&mut self) {
        let now = self.now_ms();
        self.caller.advance(now, &mut self.out);
        for wire in self.out.drain(..) {
            let message = match wire {
                Wire::Text(text) => Incoming::Text(text.into()),
                Wire::Binary(bytes) => Incoming::Binary(bytes.into()),
                Wire::Close(..) | Wire::Request(_) | Wire::End => continue,
            };
            if self.peer.to_host.send(message).await.is_err() {
                break; // The host has gone; its last wires are still to be read.
            }
        }
    }

    fn notice(&mut self, event: CallerEvent, watch: &mut impl FnMut(&Said)) {
        let now = self.now_ms();
        match event {
            CallerEvent::Played(_) => self.last_sign_ms = now,
            CallerEvent::Cleared { at_ms, .. } => {
                if let Some(since) = self.interrupting_since_ms.take() {
                    self.outcome.interruption_stop_ms.push(at_ms.saturating_sub(since));
                }
            }
            CallerEvent::Closed { .. } => {}
            CallerEvent::Live(json) => {
                if let Ok(event) = serde_json::from_str::<LiveEvent>(&json) {
                    self.notice_live(event, watch);
                }
            }
        }
    }

    fn notice_live(&mut self, event: LiveEvent, watch: &mut impl FnMut(&Said)) {
        let now = self.now_ms();
        self.last_sign_ms = now;
        match event.kind {
            LiveKind::Phase { phase } => {
                self.agent_speaks_since_ms = (phase == "speaking").then_some(now);
                self.quiet_since_ms = (phase == "listening").then_some(now);
                self.phase = phase;
            }
            LiveKind::CallerTurn { text, .. } => {
                let unheard = self.outcome.said.iter_mut().rev().find_map(|said| match said {
                    Said::Caller { understood: none @ None, label, at_ms } => Some((none, label, at_ms)),
                    _ => None,
                });
                if let Some((understood, label, at_ms)) = unheard {
                    *understood = Some(text.expose().clone());
                    watch(&Said::Caller { at_ms: *at_ms, label: label.clone(), understood: understood.clone() });
                }
            }
            LiveKind::AgentTurn { text, complete, citations, latency, .. } => {
                let text = text.into_inner();
                self.awaiting_answer = false;
                let said = Said::Agent { at_ms: event.at.0, text, complete, citations, latency };
                watch(&said);
                // What an interruption cut off was said before the words that are still being understood.
                let waiting = self.outcome.said.iter().rev();
                let waiting = waiting.take_while(|one| matches!(one, Said::Caller { understood: None, .. })).count();
                let at = self.outcome.said.len() - if complete { 0 } else { waiting };
                self.outcome.said.insert(at, said);
            }
            LiveKind::Tool { name, status } => {
                let said = Said::Tool { name, status };
                watch(&said);
                self.outcome.said.push(said);
            }
            LiveKind::Ended { reason } => self.outcome.ended = Some(reason),
            _ => {}
        }
    }

    /// Does the next step when its time has come.
    fn act(&mut self) {
        let now = self.now_ms();
        if self.hung_up || self.caller.is_speaking() {
            return;
        }
        let answered = !self.awaiting_answer
            && self.caller.playout().queued_voice_ms() == 0
            && self.quiet_since_ms.is_some_and(|since| now >= since + PAUSE_MS);
        let interrupts = match self.steps.front() {
            Some(Step::Interrupt { after_ms, .. }) => {
                self.agent_speaks_since_ms.is_some_and(|since| now >= since + after_ms)
            }
            _ => false,
        };
        let gives_up = now > self.last_sign_ms + PATIENCE_MS;
        if gives_up || (answered && self.steps.is_empty()) {
            self.caller.hang_up();
            self.hung_up = true;
            return;
        }
        if !answered && !interrupts {
            return;
        }
        match self.steps.pop_front() {
            Some(Step::Say { label, pcm }) => self.speak(label, &pcm),
            Some(Step::Interrupt { label, pcm, .. }) => {
                self.interrupting_since_ms = Some(now);
                self.speak(label, &pcm);
            }
            Some(Step::Type(text)) => {
                self.caller.write(&text);
                self.expect_answer(text, now);
            }
            Some(Step::Press(keys)) => {
                keys.chars().for_each(|key| self.caller.press(key));
                self.expect_answer(keys, now);
            }
            None => {}
        }
    }

    fn speak(&mut self, label: String, pcm: &[i16]) {
        let ends = self.now_ms() + pcm.len() as u64 * 1000 / u64::from(RATE_HZ);
        self.caller.say(pcm);
        self.expect_answer(label, ends);
    }

    fn expect_answer(&mut self, label: String, at_ms: u64) {
        self.awaiting_answer = true;
        self.quiet_since_ms = None;
        self.agent_speaks_since_ms = None;
        self.outcome.said.push(Said::Caller { at_ms, label, understood: None });
    }
}
