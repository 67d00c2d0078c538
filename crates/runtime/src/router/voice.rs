//! A voice that is a chain of voices: the first audio wins. Text is kept until then, so that the next one can say all of
//! it. Once audio was heard, a failure is the engine's matter: it knows what the caller heard of the sentence.

use super::race::{Move, Race, Rules, Why};
use super::roster::{Lane, Line, Roster};
use super::{Clock, VoiceNow, count_hedge, next_of, room, tell_switch};
use crate::service::{Bill, TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, limits};
use media::Resampler;
use providers::tts::{TtsEvent, TtsOpen};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::Instrument;

const RULES: Rules = Rules {
    hedge_ms: limits::HEDGE_TTS_MS,
    runner_ms_max: limits::TTS_FIRST_AUDIO_MS_MAX,
    retries_max: 3,
    patience_ms: limits::VOICE_FIRST_AUDIO_MS_MAX - 500,
};

pub(super) struct VoiceRouter(Roster<dyn TtsService>);

impl VoiceRouter {
    pub(super) fn new(roster: Roster<dyn TtsService>) -> Self {
        Self(roster)
    }

    pub(super) fn line(&self) -> Line<dyn TtsService> {
        self.0.line()
    }

    /// Who is asked first for the next utterance.
    pub(super) fn now(&self) -> Option<VoiceNow> {
        let line = self.0.line();
        let lane = line.lanes.get(*line.standing.order().first()?)?;
        let language = lane.choice.language.clone();
        Some(VoiceNow {
            service: Arc::clone(&lane.service),
            provider: lane.choice.name.clone(),
            model: lane.key.model.clone(),
            voice: lane.choice.voice.clone(),
            language: language.unwrap_or_else(|| self.0.context().agent.language.clone()),
        })
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
        let line = self.0.line();
        let race = Race::new(RULES, line.standing.order(), line.standing.may_hedge());
        let mut run = Run {
            line,
            open,
            bill: bill.clone(),
            commands,
            events,
            clock,
            race,
            asked: Vec::new(),
            text: Text::default(),
            text_ms: None,
            sample_rate_hz: 0,
        };
        // The first is asked here and now: its rate is the rate of the session, whoever wins.
        run.race.start(clock.now_ms());
        let outcome = run.perform();
        let sample_rate_hz = run.sample_rate_hz;
        tokio::spawn(run.run(outcome).in_current_span());
        TtsSession { sample_rate_hz, commands: command_sender, events: event_receiver }
    }

    fn warm(&self, open: &TtsOpen) {
        let line = self.0.line();
        if let Some(lane) = line.standing.order().first().and_then(|at| line.lanes.get(*at)) {
            lane.service.warm(&asked_of(lane, open));
        }
    }
}

/// What is asked for in the terms of one provider.
fn asked_of(lane: &Lane<dyn TtsService>, open: &TtsOpen) -> TtsOpen {
    let language = lane.choice.language.clone().unwrap_or_else(|| open.language.clone());
    TtsOpen { voice: lane.choice.voice.clone(), language, ..open.clone() }
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
    asked_ms: u64,
    /// Why it serves if it does; `None` for the first.
    why: Option<&'static str>,
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
    line: Line<dyn TtsService>,
    open: TtsOpen,
    bill: Bill,
    commands: mpsc::Receiver<TtsCommand>,
    events: mpsc::Sender<TtsEvent>,
    clock: Clock,
    race: Race,
    asked: Vec<Asked>,
    text: Text,
    /// When the first text came.
    text_ms: Option<u64>,
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
            count_hedge(self.line.standing.stage(), outcome);
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
                            let now_ms = self.clock.now_ms();
                            self.text_ms.get_or_insert(now_ms);
                            self.race.wait_from(now_ms);
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
                        self.line.standing.blame_late(provider);
                    }
                }
                Move::Won { slot, provider } => {
                    let at = self.asked.iter().position(|asked| asked.slot == slot)?;
                    let winner = self.asked.swap_remove(at);
                    let standing = &self.line.standing;
                    standing.serves(provider, winner.why);
                    if let Some(text_ms) = self.text_ms {
                        standing.praise(provider, self.clock.now_ms() - winner.asked_ms.max(text_ms));
                    }
                    return Some(Outcome::Won(winner));
                }
                Move::GiveUp(failure) => return Some(Outcome::Nobody(failure)),
            }
        }
        None
    }

    fn ask(&mut self, slot: usize, provider: usize, why: Why) {
        let lane = &self.line.lanes[provider];
        let standing = &self.line.standing;
        match why {
            Why::First => standing.serves(provider, None),
            Why::Late => {
                standing.hedged();
                tell_switch(standing.stage(), &lane.choice.name, "late");
            }
            Why::Failed(class) => tell_switch(standing.stage(), &lane.choice.name, class.name()),
        }
        let session = lane
            .service
            .open_billed(asked_of(lane, &self.open), &standing.bill(&self.bill, provider, why == Why::Late));
        if self.sample_rate_hz == 0 {
            self.sample_rate_hz = session.sample_rate_hz;
        }
        let asked_ms = self.clock.now_ms();
        self.asked.push(Asked { slot, provider, asked_ms, why: why.word(), session, next: 0, held: Vec::new() });
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
        self.line.standing.blame(provider, &failure);
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
        if let TtsEvent::Failed(failure) = &event {
            self.line.standing.blame(provider, failure);
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
