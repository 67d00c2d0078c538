//! A turn being answered: the brain's stream, its failures, and what the caller hears meanwhile.

use super::CallMachine;
use super::guess::Prepared;
use super::thought::{Asked, Running};
use crate::dialog::{Answer, Step};
use crate::io::Output;
use base::limits::TOOL_CALLS_PER_TURN_MAX;
use base::{CallTime, ErrorClass, GenerationId};
use model::generation::{Finish, GenerationEvent};
use model::journal::Entry;

/// A brain is asked again at most once for the same answer.
const RETRIES_MAX: u32 = 1;

impl CallMachine {
    pub(super) fn start_generation(&mut self, now: CallTime) {
        let Some(thought) = &mut self.thought else { return };
        thought.generations += 1;
        thought.has_results = false;
        if thought.generations > TOOL_CALLS_PER_TURN_MAX + RETRIES_MAX + 1 {
            self.turn_failed(now);
            return;
        }
        let request = self.dialog.request();
        if let Some(Prepared { id, asked_at, events }) = self.take_guess(&request) {
            if let Some(thought) = &mut self.thought {
                thought.running = Some(Running::new(id, Answer::default(), asked_at));
            }
            for event in events {
                self.on_generation(now, id, event);
            }
            return;
        }
        self.drop_guess(); // Of other words than these.
        let id = self.ids.generation();
        if let Some(thought) = &mut self.thought {
            thought.running = Some(Running::new(id, Answer::default(), now));
        }
        self.out.push(Output::StartGeneration { id, request: Box::new(request) });
    }

    pub(super) fn on_generation(&mut self, now: CallTime, id: GenerationId, event: GenerationEvent) {
        if self.guess_event(now, id, &event) {
            return;
        }
        let running =
            self.thought.as_mut().and_then(|thought| thought.running.as_mut()).filter(|running| running.id == id);
        let Some(running) = running else {
            if mutant!(StaleDeltaAccepted)
                && let GenerationEvent::Text { delta } = event
            {
                self.say(now, &delta);
            }
            return;
        };
        let step = running.answer.on(event);
        if step != Step::Nothing {
            running.progress(now);
        }
        let ready = std::mem::take(&mut running.answer.ready);
        running.has_spoken |= !ready.is_empty();
        if running.answer.has_text()
            && let Some(clock) = &mut self.clock
        {
            clock.first_token(now);
        }
        for sentence in ready {
            self.say_in_turn(now, &sentence);
            if self.thought.is_none() {
                return; // A rule of the agent ended the answer.
            }
        }
        match step {
            Step::Nothing | Step::Progress => {}
            Step::Done(finish) => self.generation_done(now, finish),
            Step::TooLong => self.generation_failed(now, ErrorClass::Protocol),
            Step::Failed(failure) => self.generation_is_over(now, failure.class),
        }
    }

    fn generation_done(&mut self, now: CallTime, finish: Finish) {
        let Some(thought) = &mut self.thought else { return };
        let Some(running) = &thought.running else { return };
        let answer = &running.answer;
        if !answer.has_text() && answer.tools.is_empty() && answer.slot.is_none() {
            let class = if finish == Finish::Filtered { ErrorClass::Refused } else { ErrorClass::Protocol };
            self.generation_is_over(now, class);
            return;
        }
        let Some(Running { answer, .. }) = thought.running.take() else { return };
        let has_text = answer.has_text();
        thought.asked.extend(answer.tools.into_iter().map(|tool| Asked {
            brain_id: tool.id,
            name: tool.name,
            args: tool.args,
        }));
        if let Some(voice) = &mut self.voice {
            voice.citations.extend(answer.citations);
        }
        if let Some(slot) = answer.slot {
            self.out.journal(now, Entry::SlotAsked(slot.clone()));
            if let Some(ask) = self.dialog.slot_asked(slot).filter(|_| !has_text) {
                self.say_in_turn(now, &ask);
            }
        }
        self.next_tool(now);
    }

    /// The brain took too long, said too much, or said nothing: it is called off.
    pub(super) fn generation_failed(&mut self, now: CallTime, class: ErrorClass) {
        if let Some(id) = self.thought.as_ref().and_then(|thought| thought.running.as_ref()).map(|running| running.id) {
            self.out.push(Output::CancelGeneration { id });
        }
        self.generation_is_over(now, class);
    }

    /// The brain gives no answer, or no more of it.
    fn generation_is_over(&mut self, now: CallTime, class: ErrorClass) {
        self.fault(now, "brain", class);
        let Some(thought) = &mut self.thought else { return };
        let has_spoken = thought.running.take().is_some_and(|running| running.has_spoken);
        let can_retry = class.is_retryable() && thought.failures < RETRIES_MAX;
        let thought_has_spoken = thought.has_spoken;
        thought.failures += 1;
        if can_retry {
            // What was said already is in the request: the brain goes on from there.
            self.start_generation(now);
        } else if has_spoken || thought_has_spoken {
            let apology = self.agent.lines.lost_thread.clone();
            self.say(now, &apology);
            self.finish_turn();
        } else {
            self.turn_failed(now);
        }
    }

    /// The turn has taken longer than any caller waits.
    pub(super) fn turn_timed_out(&mut self, now: CallTime) {
        self.fault(now, "brain", ErrorClass::Timeout);
        self.cancel_generation();
        self.turn_failed(now);
    }

    /// The turn has no answer: an apology, and after some in a row a person.
    pub(super) fn turn_failed(&mut self, now: CallTime) {
        self.failed_turns += 1;
        if self.failed_turns >= self.agent.guardrails.offer_person.after_failed_turns.max(1) {
            self.give_up(now, "brain_failed");
            return;
        }
        self.thought = None;
        let apology = self.agent.lines.apology.clone();
        self.say(now, &apology);
    }

    /// The turn has its answer.
    pub(super) fn finish_turn(&mut self) {
        self.thought = None;
        self.failed_turns = 0;
        if let Some(voice) = &mut self.voice {
            voice.close();
        }
    }

    /// Calls the brain off. A late piece of its answer is nobody's.
    pub(super) fn cancel_generation(&mut self) {
        if let Some(running) = self.thought.as_mut().and_then(|thought| thought.running.take()) {
            self.out.push(Output::CancelGeneration { id: running.id });
        }
    }

    /// Drops the turn being answered.
    pub(super) fn abandon_turn(&mut self) {
        self.cancel_generation();
        self.thought = None;
    }
}
