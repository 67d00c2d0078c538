//! A voice that is a chain of voices: the first audio wins. Text is kept until then, so that the next one can say all of
//! it. Once audio was heard, a failure is the engine's matter: it knows what the caller heard of the sentence.

use super::race::{Move, Race, Rules, Why};
use super::{Clock, Standing, count_hedge, next_of, room, tell_switch};
use crate::service::{Bill, TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, limits};
use media::Resampler;
use providers::tts::{TtsEvent, TtsOpen};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::Instrument;

const RULES: Rules =
    Rules { hedge_ms: limits::HEDGE_TTS_MS, runner_ms_max: limits::TTS_FIRST_AUDIO_MS_MAX, retries: true };

pub(super) struct VoiceRouter {
    chain: Arc<[Arc<dyn TtsService>]>,
    standing: Standing,
}

impl VoiceRouter {
    pub(super) fn new(chain: Vec<Arc<dyn TtsService>>) -> Self {
        Self { standing: Standing::new("tts", chain.len()), chain: chain.into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Who is asked first for the next utterance.
    pub(super) fn now(&self) -> Option<&Arc<dyn TtsService>> {
        self.chain.get(*self.standing.order().first()?)
    }
}

impl TtsService for VoiceRouter {
    fn name(&self) -> &str {
        "router"
    }

    fn open(&self, open: TtsOpen) -> TtsSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, open: TtsOpen, bill: &Bill) -> TtsSession {
        let (command_sender, commands) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let (events, event_receiver) = mpsc::channel(limits::TTS_EVENTS_MAX);
        let clock = Clock::start();
        let race = Race::new(RULES, self.standing.order(), self.standing.may_hedge());
        let mut run = Run {
            chain: Arc::clone(&self.chain),
            standing: self.standing.clone(),
            open,
            bill: bill.clone(),
            commands,
            events,
            clock,
            race,
            asked: Vec::new(),
            text: Text::default(),
            sample_rate_hz: 0,
        };
        // The first is asked here and now: its rate is the rate of the session, whoever wins.
        run.race.start(clock.now_ms());
        let outcome = run.perform();
        let sample_rate_hz = run.sample_rate_hz;
        tokio::spawn(run.run(outcome).in_current_span());
        TtsSession { sample_rate_hz, commands: command_sender, events: event_receiver }
    }
}

/// What was to be said so far, until every voice that may say it has it.
#[derive(Default)]
struct Text {
    commands: VecDeque<TtsCommand>,
    /// How many have been forgotten.
    base: usize,
}

impl Text {
    fn get(&self, at: usize) -> Option<&TtsCommand> {
        self.commands.get(at.checked_sub(self.base)?)
    }

    /// Forgets what lies before this place.
    fn forget(&mut self, before: usize) {
        let gone = before.saturating_sub(self.base).min(self.commands.len());
        self.commands.drain(..gone);
        self.base += gone;
    }
}

/// One voice that was asked.
struct Asked {
    slot: usize,
    provider: usize,
    session: TtsSession,
    /// Where in the text it is.
    next: usize,
    /// What it said before its first audio.
    held: Vec<TtsEvent>,
}

impl Asked {
    /// Gives it the text it has room for; where some is left, answers whom to wait for.
    fn push(&mut self, text: &Text) -> Option<mpsc::Sender<TtsCommand>> {
        while let Some(command) = text.get(self.next) {
            match self.session.commands.try_send(command.clone()) {
                Ok(()) => self.next += 1,
                Err(TrySendError::Full(_)) => return Some(self.session.commands.clone()),
                Err(TrySendError::Closed(_)) => return None, // Its events say why.
            }
        }
        None
    }
}

struct Run {
    chain: Arc<[Arc<dyn TtsService>]>,
    standing: Standing,
    open: TtsOpen,
    bill: Bill,
    commands: mpsc::Receiver<TtsCommand>,
    events: mpsc::Sender<TtsEvent>,
    clock: Clock,
    race: Race,
    asked: Vec<Asked>,
    text: Text,
    sample_rate_hz: u32,
}

/// How the race ended.
enum Outcome {
    Won(Asked),
    Nobody(Failure),
    /// The call lost interest.
    Cancelled,
}

impl Run {
    async fn run(mut self, outcome: Option<Outcome>) {
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => self.decide().await,
        };
        if let Some(hedge) = self.race.hedge() {
            let outcome = match &outcome {
                Outcome::Won(winner) if winner.slot == hedge => "won",
                Outcome::Won(_) => "lost",
                Outcome::Nobody(_) => "failed",
                Outcome::Cancelled => "cancelled",
            };
            count_hedge(self.standing.stage(), outcome);
        }
        match outcome {
            Outcome::Won(winner) => self.relay(winner).await,
            Outcome::Nobody(failure) => {
                self.commands.close();
                // The call may have lost interest.
                let _ = self.events.send(TtsEvent::Failed(failure)).await;
            }
            Outcome::Cancelled => {}
        }
    }

    async fn decide(&mut self) -> Outcome {
        let mut more = true;
        loop {
            if let Some(outcome) = self.perform() {
                return outcome;
            }
            let full: Vec<_> = self.asked.iter_mut().filter_map(|asked| asked.push(&self.text)).collect();
            let has_room = self.text.commands.len() < limits::TTS_SEGMENTS_KEPT_MAX;
            let deadline = self.race.deadline();
            tokio::select! {
                biased;
                () = self.events.closed() => return Outcome::Cancelled,
                (at, event) = next_of(&mut self.asked, |asked| &mut asked.session.events) => self.on_event(at, event),
                command = self.commands.recv(), if more && has_room => match command {
                    Some(command) => {
                        if matches!(command, TtsCommand::Segment(_)) {
                            self.race.wait_from(self.clock.now_ms());
                        }
                        self.text.commands.push_back(command);
                    }
                    None => more = false,
                },
                () = room(&full), if !full.is_empty() => {}
                () = self.clock.until(deadline) => self.race.on_time(self.clock.now_ms()),
            }
        }
    }

    /// Does what the race asks for.
    fn perform(&mut self) -> Option<Outcome> {
        while let Some(step) = self.race.poll() {
            match step {
                Move::Ask { slot, provider, why } => self.ask(slot, provider, why),
                Move::Drop { slot, provider, late } => {
                    self.asked.retain(|asked| asked.slot != slot);
                    if late {
                        self.standing.blame(provider);
                    }
                }
                Move::Won { slot, provider } => {
                    self.standing.serves(provider);
                    let at = self.asked.iter().position(|asked| asked.slot == slot)?;
                    return Some(Outcome::Won(self.asked.swap_remove(at)));
                }
                Move::GiveUp(failure) => return Some(Outcome::Nobody(failure)),
            }
        }
        None
    }

    fn ask(&mut self, slot: usize, provider: usize, why: Why) {
        let service = &self.chain[provider];
        match why {
            Why::First => self.standing.serves(provider),
            Why::Late => {
                self.standing.hedged();
                tell_switch(self.standing.stage(), service.name(), "late");
            }
            Why::Failed(class) => tell_switch(self.standing.stage(), service.name(), class.name()),
        }
        let session = service.open_billed(self.open.clone(), &self.bill);
        if self.sample_rate_hz == 0 {
            self.sample_rate_hz = session.sample_rate_hz;
        }
        self.asked.push(Asked { slot, provider, session, next: 0, held: Vec::new() });
    }

    fn on_event(&mut self, at: usize, event: Option<TtsEvent>) {
        let asked = &mut self.asked[at];
        let failure = match event {
            Some(TtsEvent::Failed(failure)) => failure,
            None => no_end(),
            Some(event) => {
                let has_sound = matches!(&event, TtsEvent::Audio { pcm } if !pcm.is_empty());
                let is_sign = has_sound || matches!(event, TtsEvent::Done);
                asked.held.push(event);
                if is_sign {
                    self.race.on_sign(asked.slot);
                }
                return;
            }
        };
        let Asked { slot, provider, .. } = self.asked.swap_remove(at);
        self.standing.blame(provider);
        self.race.on_failure(self.clock.now_ms(), slot, failure);
    }

    /// Passes on text and audio between the call and the winner.
    async fn relay(mut self, mut winner: Asked) {
        let mut rates = match Rates::between(winner.session.sample_rate_hz, self.sample_rate_hz) {
            Ok(rates) => rates,
            Err(failure) => {
                let _ = self.events.send(TtsEvent::Failed(failure)).await;
                return;
            }
        };
        for event in std::mem::take(&mut winner.held) {
            if !self.pass_on(&mut rates, event, winner.provider).await {
                return;
            }
        }
        let mut more = true;
        loop {
            let full = winner.push(&self.text);
            self.text.forget(winner.next);
            let has_room = self.text.commands.len() < limits::TTS_SEGMENTS_MAX;
            tokio::select! {
                biased;
                () = self.events.closed() => return,
                event = winner.session.events.recv() => {
                    let event = event.unwrap_or_else(|| TtsEvent::Failed(no_end()));
                    if !self.pass_on(&mut rates, event, winner.provider).await {
                        return;
                    }
                }
                command = self.commands.recv(), if more && has_room => match command {
                    Some(command) => self.text.commands.push_back(command),
                    None => more = false,
                },
                () = room(full.as_slice()), if full.is_some() => {}
            }
        }
    }

    /// Says whether more may follow.
    async fn pass_on(&mut self, rates: &mut Rates, event: TtsEvent, provider: usize) -> bool {
        let over = matches!(event, TtsEvent::Done | TtsEvent::Failed(_));
        if matches!(event, TtsEvent::Failed(_)) {
            self.standing.blame(provider);
        }
        if over {
            self.commands.close();
        }
        for event in rates.fit(event) {
            // Waits while the call does not read: that is what holds the provider back.
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        !over
    }
}

/// Brings the audio of a fallback to the rate that the session was opened with.
struct Rates(Option<Resampler>);

impl Rates {
    fn between(from_hz: u32, to_hz: u32) -> Result<Self, Failure> {
        if from_hz == to_hz {
            return Ok(Self(None));
        }
        let resampler = Resampler::new(from_hz, to_hz);
        let resampler = resampler.map_err(|error| Failure::new(ErrorClass::Internal, error.to_string()))?;
        Ok(Self(Some(resampler)))
    }

    fn fit(&mut self, event: TtsEvent) -> Vec<TtsEvent> {
        match (&mut self.0, event) {
            (Some(resampler), TtsEvent::Audio { pcm }) => {
                let mut out = Vec::new();
                resampler.process(&pcm, &mut out);
                vec![TtsEvent::Audio { pcm: out }]
            }
            (Some(resampler), TtsEvent::Done) => {
                let mut rest = Vec::new();
                resampler.flush(&mut rest);
                vec![TtsEvent::Audio { pcm: rest }, TtsEvent::Done]
            }
            (_, event) => vec![event],
        }
    }
}

fn no_end() -> Failure {
    Failure::new(ErrorClass::Protocol, "the voice stopped without an end")
}
