//! Doing what the engine asks. Nothing here waits: what takes time runs in a task that reports back as an input.

use super::{CallHost, HostMessage, Link, tools};
use crate::service::{SttCommand, TtsSession};
use base::wire::Wire;
use base::{GenerationId, JournalSeq, PhoneNumber, SttStreamId, ToolCallId, UtteranceId, limits};
use carriers::protocol::MediaCommand;
use engine::Machine;
use engine::io::{CarrierInput, HostInput, Input, Measure, Output, SpeechInput, SynthesisInput};
use model::call::CallState;
use model::generation::GenerationRequest;
use model::journal::{Entry, Record, TurnLatency};
use model::live::{LiveEvent, LiveKind};
use providers::stt::SttOpen;
use providers::tts::TtsOpen;
use std::sync::Arc;
use store::journal_writer::wait_durable;

impl CallHost {
    /// Drains the engine. Inputs that performing an output gives rise to go through the queue, never back at once.
    pub(super) fn perform_all(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.tape.output(&output);
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Journal(record) => self.append(record),
            Output::OpenStt { stream } => self.open_stt(stream),
            Output::FinalizeStt { stream } => {
                if self.stt.as_ref().is_some_and(|(open, _)| *open == stream) {
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
                if self.mouth.utterance() == Some(utterance) {
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
            Output::HangUp { .. } => self.hang_up(),
            Output::Prepare { .. } | Output::HoldUtterance { .. } => {}
            Output::ReleaseUtterance { .. } | Output::Interlude { .. } => {}
            Output::Live(kind) => self.tell_live(kind),
            Output::Measure(measure) => count(&measure),
            Output::Ended { reason, state } => {
                self.shared.mark_over(self.call.id);
                self.ended = Some((reason, state));
            }
        }
    }

    fn append(&mut self, record: Record) {
        match &record.entry {
            Entry::State { state } => self.note_state(*state),
            Entry::Fault { stage, .. } => self.routes.blame(stage),
            _ => {}
        }
        if let Err(error) = self.journal.append(record) {
            tracing::error!(%error, "a journal entry was not taken");
            self.queue(Input::Host(HostInput::Overflow));
        }
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
    fn queue(&self, input: Input) {
        if self.own.try_send(HostMessage::Input(input)).is_err() {
            metrics::counter!("frontdesk_engine_inputs_overflow_total").increment(1);
        }
    }

    fn rate_hz(&self) -> u32 {
        self.link.as_ref().map_or(8_000, |link| link.protocol.sample_rate_hz())
    }

    fn open_stt(&mut self, stream: SttStreamId) {
        let Some(service) = self.routes.stt() else {
            self.queue(Input::Speech(SpeechInput::Failed { stream, class: base::ErrorClass::Internal }));
            return;
        };
        let open = SttOpen {
            sample_rate_hz: self.rate_hz(),
            language: self.agent.language.clone(),
            hints: vec![self.agent.business_name.clone()],
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
        match self.routes.brain() {
            Some(service) => self.brain = Some((id, service.generate_billed(self.scope.business, request, &self.bill))),
            None => {
                let failure = base::Failure::new(base::ErrorClass::Internal, "no brain is configured");
                let event = model::generation::GenerationEvent::Failed(failure);
                self.queue(Input::Generation { id, event });
            }
        }
    }

    /// A synthesis session at the rate that suits the line.
    fn open_tts(&self, rate_hz: u32) -> Option<TtsSession> {
        let service = self.routes.tts()?;
        let (language, voice) = (self.agent.language.clone(), self.agent.voice.clone());
        Some(service.open_billed(TtsOpen { sample_rate_hz: rate_hz, language, voice }, &self.bill))
    }

    fn speak(&mut self, utterance: UtteranceId, segment: u32, text: String) {
        if self.mouth.utterance() != Some(utterance) {
            let rate = self.mouth.rate_hz();
            let Some(session) = self.open_tts(rate) else {
                let event = SynthesisInput::Failed { class: base::ErrorClass::Internal };
                self.queue(Input::Synthesis { utterance, event });
                return;
            };
            self.mouth.begin(utterance, session);
        }
        self.mouth.say(segment, text);
    }

    fn stop_playout(&mut self, utterance: UtteranceId) {
        if self.mouth.utterance() != Some(utterance) || !self.mouth.stop(self.now()) {
            return;
        }
        if let Some(Link { protocol, .. }) = &mut self.link {
            // Audio that was not sent yet in this very step is not sent at all.
            self.out.retain(|wire| matches!(wire, Wire::Close(..)));
            protocol.on_command(MediaCommand::Clear, &mut self.out);
        }
        let now = self.now();
        self.tape.agent_stopped(now);
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
        let written = self.journal.durable();
        self.shared.tasks.spawn(async move {
            let possible = shared.control(&carrier).is_some();
            let ok = match (possible, carrier_ref, wait_durable(written, durable).await) {
                (true, Some(carrier_ref), Ok(())) => {
                    shared.plan_transfer(&carrier, &carrier_ref, to, own.clone());
                    let _ = own.send(HostMessage::CloseMedia).await;
                    return; // The platform's next request answers for the outcome.
                }
                _ => false,
            };
            let _ = own.send(HostMessage::Input(Input::Carrier(CarrierInput::TransferDone { ok }))).await;
        });
    }

    fn hang_up(&mut self) {
        let control = self.shared.control(&self.call.carrier);
        let request = match (&control, &self.call.carrier_ref) {
            (Some(control), Some(carrier_ref)) => {
                self.shared.plan_hang_up(&self.call.carrier, carrier_ref);
                control.hang_up(carrier_ref)
            }
            _ => None,
        };
        let Some((request, control)) = request.zip(control) else {
            // Closing the socket is the hang-up: of a page for good, of a platform when it asks how to go on.
            self.out.push(Wire::Close(1000, "the call is over".into()));
            if self.shared.control(&self.call.carrier).is_none() {
                self.queue(Input::Carrier(CarrierInput::State { state: CallState::Completed }));
            }
            return;
        };
        let (egress, own, id) = (Arc::clone(&self.shared.egress), self.own.clone(), self.call.id);
        self.shared.tasks.spawn(async move {
            let answer = egress.http(request, base::Millis(limits::CARRIER_REQUEST_MS_MAX)).await;
            match answer {
                Ok(reply) if control.hang_up_done(reply.status, &reply.body) => {
                    let state = CarrierInput::State { state: CallState::Completed };
                    let _ = own.send(HostMessage::Input(Input::Carrier(state))).await;
                }
                Ok(reply) => {
                    tracing::warn!(call = %id, status = reply.status, "the platform did not hang up");
                    let _ = own.send(HostMessage::CloseMedia).await; // Its next request is told to hang up.
                }
                Err(failure) => {
                    tracing::warn!(call = %id, %failure, "the hang-up request failed");
                    let _ = own.send(HostMessage::CloseMedia).await;
                }
            }
        });
    }

    fn tell_live(&mut self, kind: LiveKind) {
        let event = LiveEvent { at: self.now(), kind };
        if let Some(link) = &mut self.link
            && let Ok(json) = serde_json::to_string(&event)
        {
            link.protocol.on_command(MediaCommand::Live(&json), &mut self.out);
        }
        let _ = self.live.send(event); // Nobody may be watching.
    }
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
