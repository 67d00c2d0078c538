//! A supervisor's side of a live call: hears both sides, speaks when they have the call, and asks for what the desk can do.

use crate::cluster::peer::PeerError;
use crate::host::HostMessage;
use crate::host::supervision::{Door, Heard, LineMessage, OpenLine, PersonAudio, Recording, Side};
use crate::node::Node;
use base::{CallId, NodeId};
use engine::io::{DeskInput, Input};
use media::Resampler;
use model::business::TenantScope;
use model::live::LiveEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{broadcast, mpsc, watch};

pub use crate::host::supervision::{Held, Side as HeardSide};

/// Samples per second of what supervisors hear and say.
pub const SUPERVISE_HZ: u32 = 16_000;

/// Why nobody can supervise this call here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuperviseError {
    /// There is no such live call.
    #[error("there is no such live call")]
    Gone,
    /// Another node has it.
    #[error("the call is at the node {node} ({address})")]
    Elsewhere {
        /// Which.
        node: NodeId,
        /// Where it is.
        address: String,
    },
    /// So many supervise it already.
    #[error("so many supervise this call already")]
    TooMany,
}

/// What a supervisor is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Somebody is heard: 16-bit mono at [`SUPERVISE_HZ`].
    Audio {
        /// Who.
        side: Side,
        /// What.
        pcm: Vec<i16>,
    },
    /// What was not played yet of the agent's voice was thrown away.
    Clear,
    /// Something happened.
    Live(LiveEvent),
    /// Who has the call, or on which line they are heard, changed: [`Supervisor::held`].
    Held,
}

/// One supervisor at one live call of this node. Dropping it closes the line; a call that they have goes back to the agent.
pub struct Supervisor {
    frames: broadcast::Receiver<Heard>,
    live: broadcast::Receiver<LiveEvent>,
    messages: mpsc::Sender<HostMessage>,
    voices: mpsc::Sender<PersonAudio>,
    rate_hz: Arc<AtomicU32>,
    line: OpenLine,
    held: watch::Receiver<Held>,
    recording: watch::Receiver<Recording>,
    /// Of each side, at the rate that the call has.
    resamplers: [Option<Resampler>; 3],
    own: Option<Resampler>,
}

impl Supervisor {
    pub(crate) async fn open(
        door: Door,
        live: broadcast::Receiver<LiveEvent>,
        messages: mpsc::Sender<HostMessage>,
        by: &str,
    ) -> Option<Self> {
        let frames = door.frames.subscribe();
        let (held, recording) = (door.held.subscribe(), door.recording.subscribe());
        let line = OpenLine::open(&door, &messages, by).await?;
        let Door { voices, rate_hz, .. } = door;
        let resamplers = [None, None, None];
        Some(Self { frames, live, messages, voices, rate_hz, line, held, recording, resamplers, own: None })
    }

    /// What comes next. `None` when the call is over. Who does not keep up misses what is oldest. Cancel safe.
    pub async fn next(&mut self) -> Option<Told> {
        use broadcast::error::RecvError::{Closed, Lagged};
        loop {
            tokio::select! {
                biased;
                event = self.live.recv() => match event {
                    Ok(event) => return Some(Told::Live(event)),
                    Err(Lagged(_)) => {}
                    Err(Closed) => return None,
                },
                Ok(()) = self.held.changed() => return Some(Told::Held),
                heard = self.frames.recv() => match heard {
                    Ok(Heard::Clear) => return Some(Told::Clear),
                    Ok(Heard::Frame { side, rate_hz, pcm }) => {
                        let pcm = resampled(&mut self.resamplers[side as usize], rate_hz, SUPERVISE_HZ, &pcm);
                        return Some(Told::Audio { side, pcm });
                    }
                    Err(Lagged(_)) => {}
                    Err(Closed) => return None,
                },
            }
        }
    }

    /// Says this to the caller, if the call is this supervisor's: 16-bit mono at [`SUPERVISE_HZ`]. What the call cannot take
    /// now is left out.
    pub fn speak(&mut self, pcm: &[i16]) {
        let rate_hz = self.rate_hz.load(Ordering::Relaxed);
        let pcm = resampled(&mut self.own, SUPERVISE_HZ, rate_hz, pcm);
        let audio = PersonAudio { line: self.line.line, pcm: pcm.into() };
        let _ = self.voices.try_send(audio); // Better a gap than a voice that is ever later.
    }

    /// Who has the call now, and whether it is this line on which they are heard.
    pub fn held(&mut self) -> (Held, bool) {
        let held = self.held.borrow_and_update().clone();
        let is_heard = held.line == Some(self.line.line);
        (held, is_heard)
    }

    /// Whether the call is recorded, or will be once it is answered.
    pub fn is_recorded(&self) -> bool {
        self.recording.borrow().is_on
    }

    /// Asks the call for something. `false` when it is over.
    pub async fn ask(&self, input: DeskInput) -> bool {
        if matches!(input, DeskInput::TakeOver { .. }) {
            // The page on which somebody takes a call is the one that is heard.
            let claims = HostMessage::Line(LineMessage::Claims { line: self.line.line });
            if self.messages.send(claims).await.is_err() {
                return false;
            }
        }
        self.messages.send(HostMessage::Input(Input::Desk(input))).await.is_ok()
    }
}

/// Audio at another rate, by a resampler that is kept from frame to frame.
pub(crate) fn resampled(kept: &mut Option<Resampler>, from_hz: u32, to_hz: u32, pcm: &[i16]) -> Vec<i16> {
    if from_hz == to_hz {
        return pcm.to_vec();
    }
    if kept.as_ref().is_none_or(|kept| (kept.from_hz(), kept.to_hz()) != (from_hz, to_hz)) {
        *kept = Resampler::new(from_hz, to_hz).ok();
    }
    let mut out = Vec::with_capacity(pcm.len() * to_hz as usize / from_hz.max(1) as usize + 8);
    if let Some(resampler) = kept {
        resampler.process(pcm, &mut out);
    }
    out
}

impl Node {
    /// Opens a supervisor's line to a live call. `by` says who they are: kind and id of a credential.
    ///
    /// # Errors
    /// When there is no such call here.
    pub async fn supervise(&self, scope: &TenantScope, call: CallId, by: &str) -> Result<Supervisor, SuperviseError> {
        let Some((channels, live)) = self.channels(scope, call) else {
            return Err(match self.elsewhere(scope, call).await {
                Some((node, address)) => SuperviseError::Elsewhere { node, address },
                None => SuperviseError::Gone,
            });
        };
        let messages = channels.messages.clone();
        let opened = Supervisor::open(channels.door, live, messages, by).await;
        opened.ok_or(SuperviseError::TooMany)
    }

    /// Asks a live call for something that people at the desk can do, wherever it is. `Ok(false)`: there is no such call.
    ///
    /// # Errors
    /// When another node has the call and does not answer.
    pub async fn ask_desk(&self, scope: &TenantScope, call: CallId, input: DeskInput) -> Result<bool, PeerError> {
        self.tell_anywhere(scope, call, Input::Desk(input)).await
    }
}
