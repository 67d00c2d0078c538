//! A brain that is a chain of brains: the first words or the first tool call win.

use super::race::{Move, Race, Rules, Why};
use super::{Clock, Standing, count_hedge, next_of, tell_switch};
use crate::service::{Bill, BrainService, BrainSession};
use base::{BusinessId, ErrorClass, Failure, limits};
use model::generation::{GenerationEvent, GenerationRequest};
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Instrument;

const RULES: Rules =
    Rules { hedge_ms: limits::HEDGE_LLM_MS, runner_ms_max: limits::LLM_FIRST_TOKEN_MS_MAX, retries: true };

pub(super) struct BrainRouter {
    chain: Arc<[Arc<dyn BrainService>]>,
    standing: Standing,
}

impl BrainRouter {
    pub(super) fn new(chain: Vec<Arc<dyn BrainService>>) -> Self {
        Self { standing: Standing::new("llm", chain.len()), chain: chain.into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }
}

impl BrainService for BrainRouter {
    fn name(&self) -> &str {
        "router"
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        self.generate_billed(business, request, &Bill::default())
    }

    fn generate_billed(&self, business: BusinessId, request: GenerationRequest, bill: &Bill) -> BrainSession {
        let (events, event_receiver) = mpsc::channel(limits::LLM_EVENTS_MAX);
        let race = Race::new(RULES, self.standing.order(), self.standing.may_hedge());
        let run = Run {
            chain: Arc::clone(&self.chain),
            standing: self.standing.clone(),
            business,
            request,
            bill: bill.clone(),
            events,
            clock: Clock::start(),
            race,
            asked: Vec::new(),
        };
        tokio::spawn(run.run().in_current_span());
        BrainSession { events: event_receiver }
    }
}

/// One brain that was asked.
struct Asked {
    slot: usize,
    provider: usize,
    session: BrainSession,
    /// What it said before its first words.
    held: Vec<GenerationEvent>,
}

struct Run {
    chain: Arc<[Arc<dyn BrainService>]>,
    standing: Standing,
    business: BusinessId,
    request: GenerationRequest,
    bill: Bill,
    events: mpsc::Sender<GenerationEvent>,
    clock: Clock,
    race: Race,
    asked: Vec<Asked>,
}

/// How the race ended.
enum Outcome {
    Won(Asked),
    Nobody(Failure),
    /// The call lost interest.
    Cancelled,
}

impl Run {
    async fn run(mut self) {
        let outcome = self.decide().await;
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
                // The call may have lost interest.
                let _ = self.events.send(GenerationEvent::Failed(failure)).await;
            }
            Outcome::Cancelled => {}
        }
    }

    async fn decide(&mut self) -> Outcome {
        self.race.wait_from(self.clock.now_ms());
        self.race.start(self.clock.now_ms());
        loop {
            if let Some(outcome) = self.perform() {
                return outcome;
            }
            let deadline = self.race.deadline();
            tokio::select! {
                biased;
                () = self.events.closed() => return Outcome::Cancelled,
                (at, event) = next_of(&mut self.asked, |asked| &mut asked.session.events) => self.on_event(at, event),
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
        let session = service.generate_billed(self.business, self.request.clone(), &self.bill);
        self.asked.push(Asked { slot, provider, session, held: Vec::new() });
    }

    fn on_event(&mut self, at: usize, event: Option<GenerationEvent>) {
        let asked = &mut self.asked[at];
        let failure = match event {
            Some(GenerationEvent::Failed(failure)) => failure,
            Some(GenerationEvent::Done { .. }) => Failure::new(ErrorClass::Protocol, "the answer was empty"),
            None => no_end(),
            Some(event) => {
                let is_sign = match &event {
                    GenerationEvent::Text { delta } => !delta.trim().is_empty(),
                    GenerationEvent::ToolCall { .. } => true,
                    _ => false,
                };
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

    /// Passes on what the winner says. What it fails at now was heard in part: the engine knows how to go on.
    async fn relay(self, winner: Asked) {
        let Asked { provider, mut session, held, .. } = winner;
        for event in held {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
        loop {
            let event = tokio::select! {
                biased;
                () = self.events.closed() => return,
                event = session.events.recv() => event.unwrap_or_else(|| GenerationEvent::Failed(no_end())),
            };
            let failed = matches!(event, GenerationEvent::Failed(_));
            let over = failed || matches!(event, GenerationEvent::Done { .. });
            if failed {
                self.standing.blame(provider);
            }
            if self.events.send(event).await.is_err() || over {
                return;
            }
        }
    }
}

fn no_end() -> Failure {
    Failure::new(ErrorClass::Protocol, "the brain stopped without an end")
}
