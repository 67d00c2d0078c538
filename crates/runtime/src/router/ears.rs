//! A recogniser that is a chain of recognisers: one stream for the call, whatever dies behind it. The caller's audio since
//! the last final transcript is kept, and who takes over hears it first, faster than it was spoken.

use super::kept::Kept;
use super::race::{Move, Race, Rules, Why};
use super::roster::{Line, Roster};
use super::watch::{Manner, Watch};
use super::{Clock, count_hedge, next_of, room, tell_switch};
use crate::service::{Bill, SttCommand, SttService, SttSession};
use base::{ErrorClass, Failure, limits};
use model::routing::Switches;
use providers::stt::{SttEvent, SttOpen};
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tracing::Instrument;

/// A stream that does not open keeps nobody waiting while nobody speaks, but the next one may be wanted at any moment.
const RULES: Rules = Rules {
    hedge_ms: limits::HEDGE_STT_MS,
    runner_ms_max: limits::CONNECT_MS_MAX,
    retries_max: 0, // Rounds take care of that.
    patience_ms: 0,
};

pub(super) struct EarsRouter(Roster<dyn SttService>);

impl EarsRouter {
    pub(super) fn new(roster: Roster<dyn SttService>) -> Self {
        Self(roster)
    }

    pub(super) fn line(&self) -> Line<dyn SttService> {
        self.0.line()
    }
}

impl SttService for EarsRouter {
    fn name(&self) -> &str {
        "router"
    }

    fn open(&self, open: SttOpen) -> SttSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, open: SttOpen, bill: &Bill) -> SttSession {
        let (command_sender, commands) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let (events, event_receiver) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let run = Run {
            switches: self.0.context().board.watch(),
            line: self.0.line(),
            roster: self.0.clone(),
            is_old: false,
            heard_ms: 0,
            bill: bill.clone(),
            commands,
            events,
            clock: Clock::start(),
            kept: Kept::new(open.sample_rate_hz),
            open,
            watch: Watch::default(),
            race: None,
            asked: Vec::new(),
            current: None,
            rounds: 0,
            resume_ms: None,
            is_started: false,
            is_catching_up: false,
        };
        tokio::spawn(run.run().in_current_span());
        SttSession { commands: command_sender, events: event_receiver }
    }
}

/// One stream.
struct Stream {
    slot: usize,
    provider: usize,
    /// Why it serves if it does; `None` for the first.
    why: Option<&'static str>,
    session: SttSession,
    /// The next command that it has not been given.
    next: u64,
}

struct Run {
    roster: Roster<dyn SttService>,
    /// Who may be asked, as decided when the last race began.
    line: Line<dyn SttService>,
    switches: watch::Receiver<Arc<Switches>>,
    /// Something was switched or spent: somebody else may have to serve as soon as nobody speaks.
    is_old: bool,
    /// When the caller or the recogniser last said something.
    heard_ms: u64,
    bill: Bill,
    commands: mpsc::Receiver<SttCommand>,
    events: mpsc::Sender<SttEvent>,
    clock: Clock,
    kept: Kept,
    open: SttOpen,
    watch: Watch,
    /// Who will serve is being decided.
    race: Option<Race>,
    asked: Vec<Stream>,
    /// Who serves.
    current: Option<Stream>,
    /// How often everybody failed without a word in between.
    rounds: u32,
    /// When everybody is asked again.
    resume_ms: Option<u64>,
    is_started: bool,
    /// Who took over hears what was said before. When the final words are waited for already, its partial words are only a
    /// part of them.
    is_catching_up: bool,
}

/// The stream is over.
struct Over;

impl Run {
    async fn run(mut self) {
        self.begin_race();
        while self.step().await.is_ok() {}
        self.end_race(|_| "cancelled");
    }

    async fn step(&mut self) -> Result<(), Over> {
        self.follow_switches();
        self.perform().await?;
        let full = self.pump();
        let deadline = self.deadline();
        tokio::select! {
            biased;
            () = self.events.closed() => Err(Over),
            event = next_event(&mut self.current) => self.on_event(event).await,
            (at, event) = next_of(&mut self.asked, |asked| &mut asked.session.events) => self.on_candidate(at, event).await,
            command = self.commands.recv() => self.on_command(command.ok_or(Over)?),
            () = room(full.as_slice()), if full.is_some() => Ok(()),
            Ok(()) = self.switches.changed() => {
                self.is_old = true;
                Ok(())
            }
            () = self.clock.until(deadline) => self.on_time(),
        }
    }

    /// Somebody else is to listen: changes over while nobody speaks. What is said meanwhile is kept.
    fn follow_switches(&mut self) {
        let is_long_quiet = self.clock.now_ms() >= self.heard_ms + limits::STT_SWITCH_QUIET_MS && self.kept.is_quiet();
        if !self.is_old || self.race.is_some() || !(self.kept.is_idle() || is_long_quiet) {
            return;
        }
        let Some(stream) = &self.current else { return };
        self.is_old = false;
        if self.roster.is_superseded(&self.line.lanes[stream.provider]) {
            self.current = None;
            self.begin_race();
        }
    }

    fn begin_race(&mut self) {
        let now_ms = self.clock.now_ms();
        self.line = self.roster.line();
        let standing = &self.line.standing;
        let mut race = Race::new(RULES, standing.order(), standing.may_hedge());
        race.wait_from(now_ms);
        race.start(now_ms);
        self.race = Some(race);
    }

    /// Does what the race asks for.
    async fn perform(&mut self) -> Result<(), Over> {
        while let Some(step) = self.race.as_mut().and_then(Race::poll) {
            match step {
                Move::Ask { slot, provider, why } => self.ask(slot, provider, why),
                Move::Drop { slot, provider, late } => {
                    self.asked.retain(|asked| asked.slot != slot);
                    if late {
                        self.line.standing.blame_late(provider);
                    }
                }
                Move::Won { slot, provider } => {
                    self.end_race(|hedge| if hedge == slot { "won" } else { "lost" });
                    let at = self.asked.iter().position(|asked| asked.slot == slot).ok_or(Over)?;
                    let mut winner = self.asked.swap_remove(at);
                    self.line.standing.serves(provider, winner.why);
                    winner.next = self.kept.begin();
                    self.current = Some(winner);
                    self.is_catching_up = self.is_started;
                    let manner = Manner {
                        whole: self.line.lanes[provider].service.hears_whole_utterances(),
                        usual_ms: self.line.standing.latency_ms(provider),
                    };
                    self.watch.restart(self.clock.now_ms(), manner);
                    if !std::mem::replace(&mut self.is_started, true) {
                        self.tell(SttEvent::Started).await?;
                    }
                }
                Move::GiveUp(failure) => {
                    self.end_race(|_| "failed");
                    self.rest(failure).await?;
                }
            }
        }
        Ok(())
    }

    fn end_race(&mut self, outcome: impl Fn(usize) -> &'static str) {
        if let Some(hedge) = self.race.take().and_then(|race| race.hedge()) {
            count_hedge(self.line.standing.stage(), outcome(hedge));
        }
    }

    /// Everybody has failed: the next round comes a little later, and there are not many.
    async fn rest(&mut self, failure: Failure) -> Result<(), Over> {
        self.rounds += 1;
        if self.rounds >= limits::STT_ROUNDS_MAX || !failure.class.is_retryable() {
            self.commands.close();
            let _ = self.events.send(SttEvent::Failed(failure)).await; // The call may be over.
            return Err(Over);
        }
        self.resume_ms = Some(self.clock.now_ms() + (limits::STT_ROUND_PAUSE_MS << (self.rounds - 1)));
        Ok(())
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
        let language = lane.choice.language.clone().unwrap_or_else(|| self.open.language.clone());
        let open = SttOpen { language, ..self.open.clone() };
        let session = lane.service.open_billed(open, &standing.bill(&self.bill, provider, why == Why::Late));
        self.asked.push(Stream { slot, provider, why: why.word(), session, next: 0 });
    }

    fn on_command(&mut self, command: SttCommand) -> Result<(), Over> {
        let now_ms = self.clock.now_ms();
        match &command {
            SttCommand::Speech(begins) => {
                self.heard_ms = now_ms;
                self.watch.on_speech(now_ms, *begins);
            }
            SttCommand::Finalize => self.watch.on_finalize(now_ms),
            SttCommand::Audio(_) => {}
        }
        let dropped = self.kept.push(command);
        let unheard = self.current.as_ref().is_none_or(|stream| stream.next < self.kept.begin());
        if dropped > 0 && unheard {
            metrics::counter!("frontdesk_audio_in_dropped_frames_total").increment(dropped);
        }
        Ok(())
    }

    /// Gives the stream what it has room for; where some is left, answers whom to wait for.
    fn pump(&mut self) -> Option<mpsc::Sender<SttCommand>> {
        let stream = self.current.as_mut()?;
        stream.next = stream.next.max(self.kept.begin());
        while let Some(command) = self.kept.get(stream.next) {
            let is_nothing = matches!(command, SttCommand::Audio(pcm) if pcm.is_empty());
            if !is_nothing && let Err(error) = stream.session.commands.try_send(command.clone()) {
                // A closed one says why in its events.
                return matches!(error, TrySendError::Full(_)).then(|| stream.session.commands.clone());
            }
            stream.next += 1;
        }
        None
    }

    async fn on_candidate(&mut self, at: usize, event: Option<SttEvent>) -> Result<(), Over> {
        let slot = self.asked[at].slot;
        let failure = match event {
            Some(SttEvent::Failed(failure)) => failure,
            None => no_end(),
            // It has heard nothing yet, so all it can say is that it is there.
            Some(_) => {
                self.race.iter_mut().for_each(|race| race.on_sign(slot));
                return Ok(());
            }
        };
        let stream = self.asked.swap_remove(at);
        self.line.standing.blame(stream.provider, &failure);
        let now_ms = self.clock.now_ms();
        self.race.iter_mut().for_each(|race| race.on_failure(now_ms, slot, failure.clone()));
        Ok(())
    }

    async fn on_event(&mut self, event: Option<SttEvent>) -> Result<(), Over> {
        let now_ms = self.clock.now_ms();
        match &event {
            Some(SttEvent::Partial { text }) => {
                self.rounds = 0;
                self.heard_ms = now_ms;
                self.watch.on_words(now_ms, true);
                if !text.is_empty() {
                    self.kept.on_words();
                }
                if self.is_catching_up && self.kept.is_finalizing() {
                    return Ok(());
                }
            }
            Some(SttEvent::Final { finalized, .. }) => {
                self.rounds = 0;
                self.heard_ms = now_ms;
                let asked_ms = self.watch.finalize_ms();
                self.watch.on_final(now_ms, *finalized);
                self.kept.on_final(*finalized);
                self.is_catching_up &= !*finalized;
                if let (true, Some(asked_ms), Some(stream)) = (*finalized, asked_ms, &self.current) {
                    // The stream that serves gave the final words it was asked for.
                    self.line.standing.praise(stream.provider, now_ms - asked_ms);
                }
                self.is_old |= self.roster.context().saving() != self.line.saving;
            }
            Some(SttEvent::Failed(failure)) => {
                self.lose(failure, failure.class.name());
                return Ok(());
            }
            None => {
                self.lose(&no_end(), ErrorClass::Protocol.name());
                return Ok(());
            }
            Some(SttEvent::Started | SttEvent::EndOfTurn | SttEvent::Usage { .. }) => {}
        }
        match event {
            Some(event) => self.tell(event).await,
            None => Ok(()),
        }
    }

    /// The stream that served is gone: whoever is next hears what was kept.
    fn lose(&mut self, failure: &Failure, why: &'static str) {
        let Some(stream) = self.current.take() else { return };
        self.line.standing.blame(stream.provider, failure);
        let next = self.line.standing.order().first().map_or("", |next| &self.line.lanes[*next].choice.name);
        tell_switch(self.line.standing.stage(), next, why);
        self.begin_race();
    }

    fn deadline(&self) -> Option<u64> {
        let race = self.race.as_ref().and_then(Race::deadline);
        [race, self.silence_due(), self.resume_ms].into_iter().flatten().min()
    }

    /// A stream is given up for its silence only where somebody else stands at least as well; else its own driver decides.
    fn silence_due(&self) -> Option<u64> {
        let stream = self.current.as_ref()?;
        self.watch.deadline().filter(|_| self.line.standing.has_better_than(stream.provider))
    }

    fn on_time(&mut self) -> Result<(), Over> {
        let now_ms = self.clock.now_ms();
        if let Some(race) = &mut self.race {
            race.on_time(now_ms);
        }
        if self.resume_ms.take_if(|at| *at <= now_ms).is_some() {
            self.begin_race();
        }
        if self.silence_due().is_some_and(|at| at <= now_ms)
            && let Some(silence) = self.watch.verdict(now_ms)
        {
            self.lose(&Failure::new(ErrorClass::Timeout, "the recogniser fell silent"), silence.name());
        }
        Ok(())
    }

    async fn tell(&self, event: SttEvent) -> Result<(), Over> {
        self.events.send(event).await.map_err(|_| Over)
    }
}

async fn next_event(stream: &mut Option<Stream>) -> Option<SttEvent> {
    match stream {
        Some(stream) => stream.session.events.recv().await,
        None => std::future::pending().await,
    }
}

fn no_end() -> Failure {
    Failure::new(ErrorClass::Protocol, "the recogniser stopped without an end")
}
