//! Doing what the engine asks. Nothing here waits: what takes time runs in a task that reports back as an input.

use super::{CallHost, HostMessage, tools};
use crate::consult::{self, Asked, News};
use crate::platform;
use crate::service::SttCommand;
use base::wire::Wire;
use base::{GenerationId, JournalSeq, PhoneNumber, Pii, SttStreamId, ToolCallId, TurnId, limits};
use carriers::protocol::{CallAction, Way};
use engine::Machine;
use engine::io::{CarrierInput, HostInput, Input, Measure, Output, SpeechInput};
use local::language::mood;
use model::call::CallState;
use model::generation::GenerationRequest;
use model::journal::{Entry, Record, TurnLatency};
use model::live::{LiveEvent, LiveKind};
use providers::stt::SttOpen;
use std::sync::Arc;
use std::time::Duration;
use store::journal_writer::wait_durable;
use tokio::sync::oneshot;

impl CallHost {
    /// Drains the engine. Inputs that performing an output gives rise to go through the queue, never back at once.
    pub(super) fn perform_all(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.tape.output(&output);
            self.perform(output);
        }
        self.follow_holder();
        self.tell_desk();
        self.follow_queue();
        let now = self.now();
        self.tape.pause(now, self.machine.is_recording_paused());
    }

    /// A caller who waits is told where they stand, and no other.
    fn follow_queue(&mut self) {
        let is_waiting = self.machine.is_waiting();
        if is_waiting != self.place.is_some() {
            self.place = is_waiting.then(|| self.shared.waiters.join(self.call.id, self.own.clone()));
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Journal(record) => self.append(record),
            Output::OpenStt { stream } => self.open_stt(stream),
            Output::FinalizeStt { stream } => {
                if !self.finalize_unneeded(stream)
                    && !self.relay_finalizes(stream)
                    && self.stt.as_ref().is_some_and(|(open, _)| *open == stream)
                {
                    self.push_stt(SttCommand::Finalize);
                }
            }
            Output::JudgeTurn => self.judge_turn(),
            Output::StartGeneration { id, request } => self.start_generation(id, *request),
            Output::CancelGeneration { id } => {
                self.brain.take_if(|(running, _)| *running == id);
            }
            Output::Speak { utterance, segment, text } => self.speak(utterance, segment, text),
            Output::EndUtterance { utterance } => {
                if !self.write_end(utterance)
                    && !self.relay_ends(utterance)
                    && self.mouth.utterance() == Some(utterance)
                {
                    self.mouth.no_more_text();
                }
            }
            Output::StopPlayout { utterance } => self.stop_playout(utterance),
            Output::Duck => self.mouth.duck(true),
            Output::Unduck => self.mouth.duck(false),
            Output::RunTool { id, name, args, durable } => self.run_tool(id, &name, args, durable),
            Output::CancelTool { id } => {
                if let Some(task) = self.tools.remove(&id) {
                    task.abort();
                }
            }
            Output::Transfer { to, durable } => self.transfer(to, durable),
            Output::Consult { id, to, text } => self.consult(id, to, text),
            Output::EndConsult { id } => {
                self.consult.take_if(|(asked, _)| *asked == id);
            }
            Output::TakeCaller => self.take_caller(),
            Output::HangUp { unsaid } => self.hang_up(unsaid),
            Output::Prepare { texts } => self.prepare(texts),
            Output::HoldUtterance { utterance } => {
                if !self.write_held(utterance) && !self.relay_holds(utterance) {
                    self.mouth.hold(utterance);
                }
            }
            Output::ReleaseUtterance { utterance } => {
                if !self.write_released(utterance) && !self.relay_releases(utterance) {
                    self.mouth.release(utterance);
                }
            }
            Output::Interlude { utterance, text } => self.interlude(utterance, text),
            Output::Press { utterance, keys } => self.press(utterance, &keys),
            Output::Live(kind) => self.tell_live(kind),
            Output::Measure(measure) => count(&measure),
            Output::Ended { reason, state } => {
                self.shared.mark_over(self.call.id);
                self.tell_of_person(News::Over { reason: reason.clone(), state });
                self.ended = Some((reason, state));
            }
        }
    }

    fn append(&mut self, mut record: Record) {
        match &mut record.entry {
            Entry::CallerTurn { turn, text, sentiment, .. } => {
                *sentiment = mood::sentiment(text.expose(), &self.agent.language);
                self.understand(*turn, text.clone());
            }
            Entry::State { state } => self.note_state(*state),
            Entry::Fault { stage, class } => self.routes.blame(stage, *class),
            // What they said before and the caller has not heard yet is not heard on hold either.
            Entry::OnHold { .. } => self.mouth.person_leaves(),
            Entry::RecordingPaused { by } => self.desk.tell_pause(true, by.as_deref()),
            Entry::RecordingResumed { by } => self.desk.tell_pause(false, by.as_deref()),
            Entry::ConsultEnded { outcome } => {
                metrics::counter!("frontdesk_consults_total", "outcome" => outcome.name()).increment(1);
            }
            _ => {}
        }
        if let Err(error) = self.journal.append(record) {
            tracing::error!(%error, "a journal entry was not taken");
            self.queue(Input::Host(HostInput::Overflow));
        }
    }

    /// Finds out what the caller wants, beside the conversation: it is shown to whoever watches and kept with the call.
    fn understand(&self, turn: TurnId, text: Pii<String>) {
        let Some(service) = self.shared.services.understanding.clone() else { return };
        let (scope, call, agent, at) = (self.scope, self.call.id, self.call.agent, self.now());
        let (store, live) = (Arc::clone(&self.shared.store), self.live.clone());
        self.shared.tasks.spawn(async move {
            let span = Duration::from_millis(limits::UNDERSTANDING_MS_MAX);
            let asked = tokio::time::timeout(span, service.understand(scope, agent, turn, text)).await;
            let Ok(Some(understood)) = asked else { return };
            crate::documents::keep_understood(store.as_ref(), &scope, call, &understood).await;
            live.tell(LiveEvent { at, kind: LiveKind::Understood(understood) });
        });
    }

    /// Keeps the row beside the journal in step. The row is for lists; the journal is the truth.
    fn note_state(&self, state: CallState) {
        let (store, scope, id) = (Arc::clone(&self.shared.store), self.scope, self.call.id);
        let now_ms = crate::wall_ms();
        self.shared.tasks.spawn(async move {
            let update = store::CallUpdate {
                state: Some(state),
                answered_at_ms: matches!(state, CallState::Answered | CallState::Active).then_some(now_ms),
                ..store::CallUpdate::default()
            };
            if let Err(error) = store.update_call(&scope, id, &update).await {
                tracing::warn!(call = %id, %error, "the call's row could not be updated");
            }
        });
    }

    /// Gives the engine an input later, in order. A full queue means that the call cannot keep up.
    pub(super) fn queue(&self, input: Input) {
        if self.own.try_send(HostMessage::Input(input)).is_err() {
            metrics::counter!("frontdesk_engine_inputs_overflow_total").increment(1);
        }
    }

    fn rate_hz(&self) -> u32 {
        self.link.as_ref().map_or(8_000, |link| link.protocol.sample_rate_hz())
    }

    pub(super) fn open_stt(&mut self, stream: SttStreamId) {
        if let Some(paper) = &mut self.paper {
            return paper.keep_stream(stream);
        }
        if self.relay_hears(stream) {
            return;
        }
        let Some(service) = self.routes.stt() else {
            self.queue(Input::Speech(SpeechInput::Failed { stream, class: base::ErrorClass::Internal }));
            return;
        };
        let open = SttOpen {
            sample_rate_hz: self.rate_hz(),
            language: self.agent.language.clone(),
            hints: vec![self.agent.business_name.clone()],
            now_unix_ms: 0,
        };
        self.stt = Some((stream, service.open_billed(open, &self.bill)));
    }

    fn judge_turn(&self) {
        let (Some(judge), Some(ears)) = (self.shared.services.judge.clone(), &self.ears) else { return };
        let (pcm, own) = (ears.recent_16k(), self.own.clone());
        let Ok(slot) = Arc::clone(&self.shared.judging).try_acquire_owned() else {
            metrics::counter!("frontdesk_turn_judge_skipped_total").increment(1);
            return; // The model is a hint; silence and text rules decide without it.
        };
        tokio::task::spawn_blocking(move || {
            let probability = judge.turn_probability(&pcm);
            drop(slot);
            if let Some(probability) = probability {
                // A call that has ended meanwhile is not an error.
                let _ = own.try_send(HostMessage::Input(Input::Speech(SpeechInput::TurnProbability { probability })));
            }
        });
    }

    fn start_generation(&mut self, id: GenerationId, request: GenerationRequest) {
        if self.paper.is_none() && self.relay.is_none() {
            self.warm_voice();
        }
        match self.routes.brain() {
            Some(service) => self.brain = Some((id, service.generate_billed(self.scope.business, request, &self.bill))),
            None => {
                let failure = base::Failure::new(base::ErrorClass::Internal, "no brain is configured");
                let event = model::generation::GenerationEvent::Failed(failure);
                self.queue(Input::Generation { id, event });
            }
        }
    }

    fn run_tool(&mut self, id: ToolCallId, name: &str, args: serde_json::Value, durable: JournalSeq) {
        let Some(spec) = self.agent.tools.iter().find(|tool| tool.name == name).cloned() else {
            let failure = base::Failure::new(base::ErrorClass::Invalid, "no such tool");
            self.queue(Input::Tool { id, result: Err(failure) });
            return;
        };
        let (written, own) = (self.journal.durable(), self.own.clone());
        let job = tools::Job {
            store: Arc::clone(&self.shared.store),
            search: self.shared.services.search.clone(),
            bill: self.bill.clone(),
            egress: Arc::clone(self.shared.tools_egress()),
            platform: Arc::clone(&self.shared.egress),
            control: self.shared.control(&self.call.carrier),
            mailer: self.shared.services.mailer.clone(),
            deadline: base::Millis(self.agent.timing.tool_ms_max),
            scope: self.scope,
            call: self.call.id,
            id,
            spec,
            args,
        };
        let task = self.shared.tasks.spawn(async move {
            let result = match wait_durable(written, durable).await {
                Ok(()) => tools::run(job).await,
                Err(never) => Err(base::Failure::new(base::ErrorClass::Internal, never.to_string())),
            };
            let _ = own.send(HostMessage::Input(Input::Tool { id, result })).await;
        });
        self.tools.retain(|_, task| !task.is_finished());
        self.tools.insert(id, task.abort_handle());
    }

    fn transfer(&mut self, to: PhoneNumber, durable: JournalSeq) {
        let (shared, own) = (Arc::clone(&self.shared), self.own.clone());
        let (carrier, carrier_ref) = (self.call.carrier.clone(), self.call.carrier_ref.clone());
        let asked_about = carrier_ref.clone();
        let caller_id = self.call.number.as_ref().and_then(|number| number.parse::<PhoneNumber>().ok());
        let written = self.journal.durable();
        self.shared.tasks.spawn(async move {
            let moved = match carrier_ref {
                Some(carrier_ref) if wait_durable(written, durable).await.is_ok() => {
                    hand_over(&shared, &carrier, &carrier_ref, &to, caller_id.as_ref()).await
                }
                _ => Moved::Not,
            };
            if moved == Moved::WhenAsked
                && let Some(carrier_ref) = asked_about
            {
                shared.plan_transfer(&carrier, &carrier_ref, to, own.clone());
                let _ = own.send(HostMessage::CloseMedia).await;
                return; // The platform's next request answers for the outcome.
            }
            let ok = moved == Moved::Now;
            let _ = own.send(HostMessage::Input(Input::Carrier(CarrierInput::TransferDone { ok }))).await;
        });
    }

    /// Has a person called for the caller.
    fn consult(&mut self, id: JournalSeq, to: PhoneNumber, text: Pii<String>) {
        if self.relay_consults(id) {
            return;
        }
        let (keep, gone) = oneshot::channel();
        self.consult = Some((id, keep));
        let asked = Asked {
            id,
            scope: self.scope,
            call: self.call.clone(),
            agent: Arc::clone(&self.agent),
            to,
            text,
            door: self.desk.door.clone(),
            messages: self.own.clone(),
        };
        let node = crate::Node::of(Arc::clone(&self.shared));
        self.shared.tasks.spawn(consult::consult(node, asked, self.journal.durable(), gone));
    }

    /// The person who was told about a caller takes the call. What they say from here on is written down there.
    fn take_caller(&mut self) {
        self.stt = None;
        self.tell_of_person(News::TakesCaller);
    }

    fn tell_of_person(&self, news: News) {
        if let Some(told) = &self.news {
            let _ = told.try_send(news); // Whoever waited may have gone.
        }
    }

    /// Ends the call on the carrier's side. Words that no voice of ours could speak are left to the carrier's own.
    fn hang_up(&mut self, unsaid: Option<String>) {
        let control = self.shared.control(&self.call.carrier);
        let carrier_ref = self.call.carrier_ref.clone();
        let Some((control, carrier_ref)) = control.clone().zip(carrier_ref) else {
            self.hang_up_by_socket(control.is_none());
            return;
        };
        let unsaid = unsaid.filter(|text| !text.trim().is_empty() && control.has_voice());
        let speaks = unsaid.is_some();
        self.shared.plan_hang_up(&self.call.carrier, &carrier_ref, unsaid);
        let by_socket = !matches!(control.act(&carrier_ref, CallAction::HangUp, crate::wall_ms()), Ok(Way::Request(_)));
        if speaks || by_socket {
            self.hang_up_by_socket(false);
        }
        if by_socket {
            // Without audio there is no socket to close: the phone still rings.
            if self.link.is_none()
                && let Some(lines) = self.shared.lines(&self.call.carrier)
            {
                self.shared.tasks.spawn(async move { lines.hang_up(&carrier_ref).await });
            }
            return;
        }
        let (shared, own, id) = (Arc::clone(&self.shared), self.own.clone(), self.call.id);
        self.shared.tasks.spawn(async move {
            if speaks {
                tokio::time::sleep(Duration::from_millis(limits::CARRIER_REQUEST_MS_MAX)).await;
                if !shared.drop_plan(control.name(), &carrier_ref) {
                    return; // The platform asked how to go on and was told.
                }
            }
            match platform::act(&shared.egress, control.as_ref(), &carrier_ref, CallAction::HangUp).await {
                Ok(_) => {
                    let state = CarrierInput::State { state: CallState::Completed };
                    let _ = own.send(HostMessage::Input(Input::Carrier(state))).await;
                }
                Err(failure) => {
                    tracing::warn!(call = %id, %failure, "the platform did not hang up");
                    let _ = own.send(HostMessage::CloseMedia).await; // Its next request is told to hang up.
                }
            }
        });
    }

    /// Closing the socket is the hang-up: of a page for good, of a platform when it asks how to go on.
    fn hang_up_by_socket(&mut self, is_for_good: bool) {
        if !self.relay_leaves("over") {
            self.out.push(Wire::Close(1000, "the call is over".into()));
        }
        if is_for_good {
            self.queue(Input::Carrier(CarrierInput::State { state: CallState::Completed }));
        }
    }

    fn tell_live(&mut self, mut kind: LiveKind) {
        if let LiveKind::CallerTurn { text, sentiment, .. } = &mut kind {
            *sentiment = mood::sentiment(text.expose(), &self.agent.language);
        }
        let event = LiveEvent { at: self.now(), kind };
        let is_announced = matches!(event.kind, LiveKind::AgentSaying { .. });
        let shown = match self.is_visit {
            true => event.kind.for_visitor().map(|kind| LiveEvent { at: event.at, kind }),
            false => event.kind.is_for_caller().then(|| event.clone()),
        };
        match (&mut self.paper, shown) {
            (Some(paper), Some(shown)) if is_announced => paper.announce(shown),
            (_, Some(shown)) => self.show(&shown),
            (_, None) => {}
        }
        self.live.tell(event);
    }
}

/// What became of the wish to hand a call over.
#[derive(PartialEq, Eq)]
enum Moved {
    Now,
    /// The platform learns of it when it asks how to go on.
    WhenAsked,
    Not,
}

async fn hand_over(
    shared: &crate::node::Shared,
    carrier: &str,
    carrier_ref: &str,
    to: &PhoneNumber,
    caller_id: Option<&PhoneNumber>,
) -> Moved {
    let moved = match (shared.lines(carrier), shared.control(carrier)) {
        (Some(lines), _) => lines.transfer(carrier_ref, to).await.map(|()| Moved::Now),
        (None, Some(control)) => {
            let action = CallAction::Transfer { to, caller_id };
            let done = platform::act(&shared.egress, control.as_ref(), carrier_ref, action).await;
            done.map(|is_done| if is_done { Moved::Now } else { Moved::WhenAsked })
        }
        (None, None) => return Moved::Not,
    };
    moved.unwrap_or_else(|failure| {
        tracing::warn!(carrier, %failure, "the platform did not transfer the call");
        Moved::Not
    })
}

fn count(measure: &Measure) {
    match measure {
        Measure::Turn { turn, latency } => {
            // A span of its own, so that a trace shows the turn within its call.
            tracing::info_span!("turn", turn = turn.0).in_scope(|| {
                let TurnLatency { endpoint_ms, transcript_ms, first_token_ms, first_audio_ms, heard_ms } = *latency;
                tracing::info!(endpoint_ms, transcript_ms, first_token_ms, first_audio_ms, heard_ms, "turn answered");
            });
            observe(latency);
        }
        Measure::BargeIn { after_ms } => {
            metrics::counter!("frontdesk_barge_ins_total").increment(1);
            metrics::histogram!("frontdesk_barge_in_stop_seconds").record(*after_ms as f64 / 1000.0);
        }
        Measure::FalseBargeIn => metrics::counter!("frontdesk_false_barge_ins_total").increment(1),
        Measure::Filler => metrics::counter!("frontdesk_fillers_total").increment(1),
        Measure::Speculation { used, wasted_chars } => {
            let outcome = if *used { "used" } else { "dropped" };
            metrics::counter!("frontdesk_speculations_total", "outcome" => outcome).increment(1);
            metrics::counter!("frontdesk_speculation_wasted_chars_total").increment(*wasted_chars);
        }
        Measure::ResumedSpeech => metrics::counter!("frontdesk_resumed_speech_total").increment(1),
        Measure::BackChannel => metrics::counter!("frontdesk_back_channels_total").increment(1),
        Measure::Answered { by, after_ms } => {
            metrics::counter!("frontdesk_calls_answered_total", "party" => by.name()).increment(1);
            metrics::histogram!("frontdesk_answered_by_seconds").record(*after_ms as f64 / 1000.0);
        }
        Measure::LeftQueue { outcome, waited_ms } => {
            metrics::counter!("frontdesk_queue_left_total", "outcome" => outcome.name()).increment(1);
            metrics::histogram!("frontdesk_queue_wait_seconds").record(*waited_ms as f64 / 1000.0);
        }
        Measure::Fault { stage, class } => {
            metrics::counter!("frontdesk_faults_total", "stage" => stage.clone(), "class" => class.name()).increment(1);
        }
    }
}

fn observe(latency: &TurnLatency) {
    let stages = [
        ("endpoint", latency.endpoint_ms),
        ("transcript", latency.transcript_ms),
        ("first_token", latency.first_token_ms),
        ("first_audio", latency.first_audio_ms),
        ("heard", latency.heard_ms),
    ];
    for (stage, ms) in stages {
        if let Some(ms) = ms {
            metrics::histogram!("frontdesk_turn_latency_seconds", "stage" => stage).record(ms as f64 / 1000.0);
        }
    }
}
