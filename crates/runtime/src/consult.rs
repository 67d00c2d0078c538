//! Bringing a person to a caller: a second call is placed, its own machine tells the person who waits, and when they take the call
//! the audio of the two is joined here. That needs nothing of a phone platform but that it places calls.
//!
//! Each of the two calls keeps its journal, its recording and its end. What one side says goes into the other by the door that
//! supervisors use: bounded, resampled once, and left out rather than late. Both recordings hold the same words, so whoever
//! pauses one pauses both.

use crate::host::HostMessage;
use crate::host::supervision::{Door, Heard, LineMessage, OpenLine, PersonAudio, Recording, Side};
use crate::node::Node;
use crate::supervise::resampled;
use crate::{DialError, DialRequest};
use base::limits;
use base::{CallId, JournalSeq, PhoneNumber, Pii};
use engine::io::{ConsultInput, DeskInput, Input};
use media::Resampler;
use model::agent::Agent;
use model::business::TenantScope;
use model::call::{Call, CallState};
use model::journal::ConsultOutcome;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::journal_writer::wait_durable;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// What the call to the person says about itself.
#[derive(Debug)]
pub(crate) enum News {
    /// They take the call.
    TakesCaller,
    /// It is over.
    Over { reason: String, state: CallState },
}

/// What the call to the person begins with.
pub(crate) struct Briefed {
    /// The agent that tells them.
    pub(crate) agent: Agent,
    pub(crate) news: mpsc::Sender<News>,
}

/// A caller for whom a person is asked.
pub(crate) struct Asked {
    pub(crate) id: JournalSeq,
    pub(crate) scope: TenantScope,
    pub(crate) call: Call,
    pub(crate) agent: Arc<Agent>,
    pub(crate) to: PhoneNumber,
    pub(crate) text: Pii<String>,
    pub(crate) door: Door,
    pub(crate) messages: mpsc::Sender<HostMessage>,
}

impl Asked {
    async fn tell(&self, event: ConsultInput) {
        // The caller may have gone.
        let _ = self.messages.send(HostMessage::Input(Input::Consult { id: self.id, event })).await;
    }
}

/// Asks the person, and joins the two. Ends when either is gone, or when the caller's call lets go of `gone`.
pub(crate) async fn consult(
    node: Node,
    asked: Asked,
    durable: watch::Receiver<JournalSeq>,
    mut gone: oneshot::Receiver<()>,
) {
    if wait_durable(durable, asked.id).await.is_err() {
        return asked.tell(ConsultInput::Ended { outcome: ConsultOutcome::Failed }).await;
    }
    let (sender, mut news) = mpsc::channel(limits::CONSULT_NEWS_MAX);
    // Placing a call is never broken off in the middle: the phone would ring and nobody would be there.
    let person = match place(&node, &asked, sender).await {
        Ok(person) => person,
        Err(error) => {
            tracing::warn!(call = %asked.call.id, %error, "no person can be called for the caller");
            return asked.tell(ConsultInput::Ended { outcome: ConsultOutcome::Failed }).await;
        }
    };
    tracing::info!(call = %asked.call.id, person = %person, "a person is asked for the caller");
    let is_taken = tokio::select! {
        biased;
        _ = &mut gone => return leave(&node, &asked.scope, person).await,
        news = news.recv() => match news {
            Some(News::TakesCaller) => Ok(()),
            Some(News::Over { reason, state }) => Err(outcome_of(&reason, state)),
            None => Err(ConsultOutcome::Failed),
        },
    };
    if let Err(outcome) = is_taken {
        return asked.tell(ConsultInput::Ended { outcome }).await;
    }
    match Pair::open(&node, &asked, person).await {
        Some(pair) => pair.talk(&node, &asked, person, news, gone).await,
        None => {
            leave(&node, &asked.scope, person).await;
            asked.tell(ConsultInput::Ended { outcome: ConsultOutcome::Failed }).await;
        }
    }
}

async fn place(node: &Node, asked: &Asked, news: mpsc::Sender<News>) -> Result<CallId, DialError> {
    let (carrier, from) = node.line_out(&asked.scope, &asked.call).await.ok_or(DialError::NoCarrier)?;
    let base_url = node.shared().reached_at();
    let request = DialRequest { carrier, agent: asked.call.agent, to: asked.to.clone(), from, base_url };
    let agent = engine::call::briefing_agent(&asked.agent, asked.text.expose());
    node.dial_briefed(asked.scope, request, Briefed { agent, news }).await
}

/// The caller is gone: the person is told so.
async fn leave(node: &Node, scope: &TenantScope, person: CallId) {
    // Their call may be over, too.
    node.tell(scope, person, Input::Consult { id: JournalSeq(0), event: ConsultInput::Left }).await;
}

/// Why a call to a person ended that did not take the caller.
fn outcome_of(reason: &str, state: CallState) -> ConsultOutcome {
    match (reason, state) {
        (_, CallState::Busy) => ConsultOutcome::Busy,
        (_, CallState::NoAnswer) | ("idle" | "silence" | "no_media", _) => ConsultOutcome::NoAnswer,
        ("voicemail" | "menu" | "fax" | "announcement" | "screening", _) => ConsultOutcome::Machine,
        ("declined" | "hung_up", CallState::Completed) => ConsultOutcome::Declined,
        _ => ConsultOutcome::Failed,
    }
}

/// How a call is named to the one that is joined to it.
fn named(call: CallId) -> String {
    format!("{CALL}{call}")
}

const CALL: &str = "call:";

/// What comes from one of two calls.
enum Brought {
    /// What is said there, with its rate.
    Sound(u32, Arc<[i16]>),
    /// A person paused the recording there, or let it go on.
    Pause(bool),
}

/// One of two calls whose audio is joined.
struct Leg {
    /// The other one.
    other: String,
    messages: mpsc::Sender<HostMessage>,
    recording: watch::Receiver<Recording>,
    frames: broadcast::Receiver<Heard>,
    voices: mpsc::Sender<PersonAudio>,
    door: Door,
    line: OpenLine,
    resampler: Option<Resampler>,
}

impl Leg {
    async fn open(door: Door, messages: mpsc::Sender<HostMessage>, other: CallId) -> Option<Self> {
        let (frames, recording, other) = (door.frames.subscribe(), door.recording.subscribe(), named(other));
        let line = OpenLine::open(&door, &messages, &other).await?;
        let claims = HostMessage::Line(LineMessage::Claims { line: line.line });
        messages.send(claims).await.ok()?;
        Some(Self { other, messages, recording, frames, voices: door.voices.clone(), door, line, resampler: None })
    }

    /// Does with the recording here what was done with the other one. Where it is so already, nothing changes.
    async fn pause(&self, is_paused: bool) {
        let input = DeskInput::Record { on: !is_paused, by: Some(self.other.clone()) };
        let _ = self.messages.send(HostMessage::Input(Input::Desk(input))).await; // The call may be over.
    }

    /// What comes from here next. Pending once nothing does any more: that the call is over is told otherwise.
    async fn next(&mut self) -> Brought {
        use broadcast::error::RecvError::{Closed, Lagged};
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.recording.changed() => {
                    let recording = self.recording.borrow_and_update();
                    // What the other call asked for is no news.
                    if !recording.by.as_deref().is_some_and(|by| by.starts_with(CALL)) {
                        return Brought::Pause(recording.is_paused);
                    }
                }
                heard = self.frames.recv() => match heard {
                    Ok(Heard::Frame { side: Side::Caller, rate_hz, pcm }) => return Brought::Sound(rate_hz, pcm),
                    Ok(Heard::Frame { .. } | Heard::Clear) | Err(Lagged(_)) => {}
                    Err(Closed) => std::future::pending().await,
                },
            }
        }
    }

    async fn takes(&mut self, brought: Brought) {
        match brought {
            Brought::Sound(rate_hz, pcm) => self.says(rate_hz, &pcm),
            Brought::Pause(is_paused) => self.pause(is_paused).await,
        }
    }

    /// Says this here. What the call cannot take now is left out.
    fn says(&mut self, from_hz: u32, pcm: &[i16]) {
        let rate_hz = self.door.rate_hz.load(Ordering::Relaxed);
        let pcm = resampled(&mut self.resampler, from_hz, rate_hz, pcm);
        let _ = self.voices.try_send(PersonAudio { line: self.line.line, pcm: pcm.into() }); // Better a gap than ever later.
    }
}

/// The caller's call and the person's.
struct Pair {
    caller: Leg,
    person: Leg,
}

impl Pair {
    async fn open(node: &Node, asked: &Asked, person: CallId) -> Option<Self> {
        let (channels, _) = node.channels(&asked.scope, person)?;
        let caller = Leg::open(asked.door.clone(), asked.messages.clone(), person).await?;
        let person = Leg::open(channels.door, channels.messages, asked.call.id).await?;
        // Nothing of what is not to be recorded may reach the other before it knows.
        if caller.recording.borrow().is_paused || person.recording.borrow().is_paused {
            caller.pause(true).await;
            person.pause(true).await;
        }
        asked.tell(ConsultInput::Connected { by: caller.other.clone() }).await;
        let joined = ConsultInput::Connected { by: person.other.clone() };
        let joined = HostMessage::Input(Input::Consult { id: JournalSeq(0), event: joined });
        person.messages.send(joined).await.ok()?;
        Some(Self { caller, person })
    }

    /// Until one of the two is gone; the other is told.
    async fn talk(
        mut self,
        node: &Node,
        asked: &Asked,
        person: CallId,
        mut news: mpsc::Receiver<News>,
        mut gone: oneshot::Receiver<()>,
    ) {
        metrics::gauge!("frontdesk_bridged_calls").increment(1.0);
        loop {
            tokio::select! {
                biased;
                _ = &mut gone => {
                    leave(node, &asked.scope, person).await;
                    break;
                }
                news = news.recv() => if !matches!(news, Some(News::TakesCaller)) {
                    asked.tell(ConsultInput::Left).await;
                    break;
                },
                brought = self.caller.next() => self.person.takes(brought).await,
                brought = self.person.next() => self.caller.takes(brought).await,
            }
        }
        metrics::gauge!("frontdesk_bridged_calls").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_the_call_to_the_person_says_what_became_of_it() {
        let table = [
            ("busy", CallState::Busy, ConsultOutcome::Busy),
            ("no_answer", CallState::NoAnswer, ConsultOutcome::NoAnswer),
            ("idle", CallState::Completed, ConsultOutcome::NoAnswer),
            ("voicemail", CallState::Completed, ConsultOutcome::Machine),
            ("declined", CallState::Completed, ConsultOutcome::Declined),
            ("hung_up", CallState::Completed, ConsultOutcome::Declined),
            ("failed", CallState::Failed, ConsultOutcome::Failed),
        ];
        for (reason, state, outcome) in table {
            assert_eq!(outcome_of(reason, state), outcome, "{reason}");
        }
    }
}
