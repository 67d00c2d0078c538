//! A brain that is a chain of brains: the first words or the first tool call win.

use super::race::{Move, Race, Rules, Why};
use super::roster::{CallContext, Line, Roster};
use super::{Clock, count_hedge, next_of, tell_switch};
use crate::answers::{Answer, Kind, Question};
use crate::reading::{self, Meaning};
use crate::service::{Bill, BrainService, BrainSession};
use base::{BusinessId, ErrorClass, Failure, limits};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest};
use model::routing::{AnswerCache, Saving};
use providers::embed::EmbedPurpose;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Instrument;

const RULES: Rules = Rules {
    hedge_ms: limits::HEDGE_LLM_MS,
    runner_ms_max: limits::LLM_FIRST_TOKEN_MS_MAX,
    retries_max: 2,
    patience_ms: limits::LLM_FIRST_TOKEN_MS_MAX,
};

/// What a brain is told when a budget is nearly used up.
const BE_SHORT: &str = "Answer in one short sentence.";

pub(super) struct BrainRouter(Roster<dyn BrainService>);

impl BrainRouter {
    pub(super) fn new(roster: Roster<dyn BrainService>) -> Self {
        Self(roster)
    }

    pub(super) fn line(&self) -> Line<dyn BrainService> {
        self.0.line()
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
        let line = self.0.line();
        let race = Race::new(RULES, line.standing.order(), line.standing.may_hedge());
        let request = if line.saving >= Saving::Shorter { shortened(request) } else { request };
        let context = self.0.context();
        let documents = context.search.as_ref().map_or(0, |search| search.version(business));
        let question = match context.agent.providers.cache {
            // What is free and always says the same need not be kept.
            AnswerCache { exact: false, alike: None } => None,
            _ if line.is_free() => None,
            _ => context.answers.question(business, documents, &line.first_name(), &request),
        };
        let run = Run {
            line,
            context: Arc::clone(context),
            question,
            meaning: None,
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
    asked_ms: u64,
    /// Why it serves if it does; `None` for the first.
    why: Option<&'static str>,
    session: BrainSession,
    /// What it said before its first words.
    held: Vec<GenerationEvent>,
}

struct Run {
    line: Line<dyn BrainService>,
    context: Arc<CallContext>,
    /// What is asked, when its answer may be kept.
    question: Option<Question>,
    /// The question as a vector.
    meaning: Option<Meaning>,
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
        if let Some(answer) = self.remembered().await {
            return self.give(answer).await;
        }
        let outcome = self.decide().await;
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
                // The call may have lost interest.
                let _ = self.events.send(GenerationEvent::Failed(failure)).await;
            }
            Outcome::Cancelled => {}
        }
    }

    /// The answer, when it was given before.
    async fn remembered(&mut self) -> Option<Answer> {
        let question = self.question.as_ref()?;
        let (answers, cache) = (&self.context.answers, self.context.agent.providers.cache);
        let now_ms = self.context.board.now_ms();
        if cache.exact {
            let found = answers.exact(question, now_ms);
            count_answer(Kind::Exact, if found.is_some() { "hit" } else { "miss" });
            if found.is_some() {
                return found;
            }
        }
        // What is not about a question by itself need not be looked up.
        let least = cache.alike.filter(|_| question.stands_alone())?;
        let rules =
            reading::Rules { providers: &self.context.agent.providers, is_spent: self.line.saving == Saving::FreeOnly };
        let texts = vec![question.words.clone().into()];
        let asked = self.context.embedders.embed(texts, EmbedPurpose::Query, rules, &self.bill);
        let meaning = timeout(Duration::from_millis(limits::MEANING_MS_MAX), asked).await.ok()?.ok()?.pop()?;
        let found = answers.alike(question, &meaning, least, now_ms);
        count_answer(Kind::Alike, if found.is_some() { "hit" } else { "miss" });
        self.meaning = Some(meaning);
        found
    }

    /// Says an answer that is there already.
    async fn give(self, answer: Answer) {
        let Answer { text, citations } = answer;
        let mut said = vec![GenerationEvent::Started, GenerationEvent::Text { delta: text }];
        if !citations.is_empty() {
            said.push(GenerationEvent::Cited { citations });
        }
        said.push(GenerationEvent::Done { finish: Finish::Stop });
        for event in said {
            if self.events.send(event).await.is_err() {
                return;
            }
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
                        self.line.standing.blame_late(provider);
                    }
                }
                Move::Won { slot, provider } => {
                    let at = self.asked.iter().position(|asked| asked.slot == slot)?;
                    let winner = self.asked.swap_remove(at);
                    let standing = &self.line.standing;
                    standing.serves(provider, winner.why);
                    standing.praise(provider, self.clock.now_ms() - winner.asked_ms);
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
        let mut request = self.request.clone();
        // A model's name means nothing to another provider.
        if let BrainChoice::Llm { provider, model } = &mut request.brain {
            *provider = Some(lane.choice.name.clone());
            *model = lane.choice.model.clone();
        }
        if let Some(language) = &lane.choice.language {
            request.language.clone_from(language);
        }
        let bill = standing.bill(&self.bill, provider, why == Why::Late);
        let session = lane.service.generate_billed(self.business, request, &bill);
        let asked_ms = self.clock.now_ms();
        self.asked.push(Asked { slot, provider, asked_ms, why: why.word(), session, held: Vec::new() });
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
        self.line.standing.blame(provider, &failure);
        self.race.on_failure(self.clock.now_ms(), slot, failure);
    }

    /// Passes on what the winner says. What it fails at now was heard in part: the engine knows how to go on.
    async fn relay(self, winner: Asked) {
        let Asked { provider, mut session, held, .. } = winner;
        let mut draft = Draft::new(self.question.is_some());
        for event in held {
            draft.note(&event);
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
            let over = matches!(event, GenerationEvent::Failed(_) | GenerationEvent::Done { .. });
            draft.note(&event);
            if let (Some(question), Some(answer)) = (&self.question, draft.finished(&event)) {
                let now_ms = self.context.board.now_ms();
                if self.context.answers.keep(question, answer, self.meaning.clone(), now_ms) {
                    count_answer(Kind::Exact, "kept");
                }
            }
            if let GenerationEvent::Failed(failure) = &event {
                self.line.standing.blame(provider, failure);
            }
            if self.events.send(event).await.is_err() || over {
                return;
            }
        }
    }
}

/// An answer as it comes, to be kept if it turns out to be nothing but words.
struct Draft(Option<Answer>);

impl Draft {
    fn new(is_wanted: bool) -> Self {
        Self(is_wanted.then(|| Answer { text: String::new(), citations: Vec::new() }))
    }

    fn note(&mut self, event: &GenerationEvent) {
        let Some(answer) = &mut self.0 else { return };
        match event {
            GenerationEvent::Text { delta } => answer.text.push_str(delta),
            GenerationEvent::Cited { citations } => answer.citations.extend(citations.iter().cloned()),
            GenerationEvent::ToolCall { .. } | GenerationEvent::NeedSlot(_) | GenerationEvent::Failed(_) => {
                self.0 = None;
            }
            GenerationEvent::Started | GenerationEvent::Usage(_) | GenerationEvent::Done { .. } => {}
        }
    }

    /// The answer, when this event says that it is whole.
    fn finished(&mut self, event: &GenerationEvent) -> Option<Answer> {
        let is_whole = matches!(event, GenerationEvent::Done { finish: Finish::Stop });
        self.0.take_if(|_| is_whole)
    }
}

fn count_answer(kind: Kind, outcome: &'static str) {
    metrics::counter!("frontdesk_answer_cache_total", "kind" => kind.name(), "outcome" => outcome).increment(1);
}

/// The same request, for an answer that costs less.
pub(super) fn shortened(mut request: GenerationRequest) -> GenerationRequest {
    request.tokens_max = request.tokens_max.min(limits::SHORT_ANSWER_TOKENS_MAX);
    match request.messages.first_mut() {
        Some(ChatMessage::System { text }) => {
            text.push_str("\n\n");
            text.push_str(BE_SHORT);
        }
        _ => request.messages.insert(0, ChatMessage::System { text: BE_SHORT.into() }),
    }
    request
}

fn no_end() -> Failure {
    Failure::new(ErrorClass::Protocol, "the brain stopped without an end")
}
