//! The call host: one task per call. It feeds the engine what happens and does what the engine asks, and decides nothing.
//!
//! The loop is boring on purpose (rule 2): wait for one event, feed it, perform every output, flush the socket.

mod alarm;
mod desk;
mod ears;
mod feed;
mod last;
mod lines;
mod mouth;
mod paper;
mod perform;
mod relay;
pub(crate) mod supervision;
mod tape;
mod together;
mod tools;

use crate::consult::News;
use crate::node::{AttachError, Shared, refuse};
use crate::queue::Place;
use crate::reading::{self, Over};
use crate::router::{Routes, Tell};
use crate::service::{Bill, BrainSession, NeuralVadSession, SttCommand, SttSession};
use crate::socket::{self, Incoming, MediaSocket};
use alarm::Alarm;
use base::wire::Wire;
use base::{CallTime, GenerationId, JournalSeq, SttStreamId, limits};
use carriers::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink, Relays};
use ears::{CallerFrame, Ears};
use engine::Machine;
use engine::call::CallMachine;
use engine::io::{CarrierInput, DeskInput, HostInput, Input, SpeechInput};
use feed::Feed;
use model::agent::Agent;
use model::business::TenantScope;
use model::call::{Call, CallState, Direction};
use model::generation::GenerationEvent;
use model::journal::Record;
use model::live::LiveEvent;
use model::routing::Saving;
use mouth::Mouth;
use paper::Paper;
use providers::stt::SttEvent;
use providers::tts::TtsEvent;
use relay::Relay;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use supervision::{Desk, Door, LineMessage, PersonAudio, Recording, Side};
use tape::Tape;
use together::Together;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a call is hosted with: rows and snapshots taken when it began.
pub(crate) struct CallSetup {
    pub(crate) call: Call,
    pub(crate) agent: Arc<Agent>,
    pub(crate) scope: TenantScope,
    /// The journal so far; empty for a new call.
    pub(crate) past: Vec<Record>,
    /// A visitor of a website has it: `Some(true)` when they write. They may come back to it.
    pub(crate) visit: Option<bool>,
    /// Who hears of a call to a person for whom a caller waits.
    pub(crate) news: Option<mpsc::Sender<News>>,
}

/// A media socket that has said who it is.
pub(crate) struct Link {
    pub(crate) socket: Box<dyn MediaSocket>,
    pub(crate) protocol: Box<dyn MediaProtocol>,
    /// What came with the start message.
    pub(crate) sink: MediaSink,
    /// Whoever is there writes.
    pub(crate) is_written: bool,
    /// The platform recognises and speaks by itself.
    pub(crate) relays: Option<Relays>,
}

/// What others tell a call.
pub(crate) enum HostMessage {
    /// Something happened.
    Input(Input),
    /// Its audio arrives over this socket from now on.
    Join(Box<Link>),
    /// A supervisor came or went.
    Line(LineMessage),
    /// Close the audio path: the platform asks how to go on and will be told.
    CloseMedia,
    /// The process wants to stop after this time.
    Drain(Duration),
    /// Stop here without ending the call: another node goes on with it. Told when its journal is written.
    Yield(oneshot::Sender<()>),
}

/// The rate of a phone line, before a link says otherwise.
pub(crate) const PHONE_HZ: u32 = 8_000;

enum Event {
    Incoming(Option<Incoming>),
    Message(Option<HostMessage>),
    Stt(Option<SttEvent>),
    Brain(Option<GenerationEvent>),
    Tts(Option<TtsEvent>),
    /// A supervisor speaks.
    Person(PersonAudio),
    PersonStt(Option<SttEvent>),
    Pace,
    Deadline,
    /// Nothing came over the media socket for too long.
    Silent,
}

/// One live call.
pub(crate) struct CallHost {
    shared: Arc<Shared>,
    call: Call,
    agent: Arc<Agent>,
    scope: TenantScope,
    machine: CallMachine,
    origin: Instant,
    /// Call time at `origin`; above zero when the call goes on after a crash.
    offset: CallTime,
    link: Option<Link>,
    /// When the media socket last said anything.
    heard_at: Instant,
    /// For what is due, and for a line on which nothing comes.
    due: Alarm,
    patience: Alarm,
    out: Vec<Wire>,
    /// In a box because it is large and is taken out for every frame.
    ears: Option<Box<Ears>>,
    mouth: Mouth,
    desk: Desk,
    prepared: lines::Prepared,
    next_mark: base::MarkId,
    stt: Option<(SttStreamId, SttSession)>,
    brain: Option<(GenerationId, BrainSession)>,
    tools: HashMap<base::ToolCallId, AbortHandle>,
    /// A person who is asked for the caller; letting go of it lets them go.
    consult: Option<(JournalSeq, oneshot::Sender<()>)>,
    /// The caller waits for a person.
    place: Option<Place>,
    /// Who hears of a call to a person for whom a caller waits.
    news: Option<mpsc::Sender<News>>,
    /// Who serves each stage.
    routes: Routes,
    bill: Bill,
    journal: store::JournalWriter,
    tape: Tape,
    /// Instead of a voice, in a conversation that is written.
    paper: Option<Paper>,
    /// Instead of a recogniser and a voice of ours, on a line of words.
    relay: Option<Relay>,
    /// A visitor of a website has the call.
    is_visit: bool,
    /// A recogniser to open with the line that comes.
    open_stt_later: Option<SttStreamId>,
    /// The caller's audio that the recogniser has not been given.
    unheard: Vec<i16>,
    /// Room for frames that go out in one message.
    together: Vec<i16>,
    messages: mpsc::Receiver<HostMessage>,
    own: mpsc::Sender<HostMessage>,
    live: Feed<LiveEvent>,
    ended: Option<(String, CallState)>,
    /// Another node goes on with the call.
    yields: Option<oneshot::Sender<()>>,
}

/// Where a call is reached while it lives.
#[derive(Clone)]
pub(crate) struct Channels {
    pub(crate) messages: mpsc::Sender<HostMessage>,
    pub(crate) live: Feed<LiveEvent>,
    /// Where supervisors come in.
    pub(crate) door: Door,
}

impl CallHost {
    /// A host that is ready to run, and how to reach it.
    pub(crate) fn new(shared: Arc<Shared>, mut setup: CallSetup) -> (Self, Channels) {
        setup.agent = crate::router::as_it_can_be(&shared.services, setup.scope.business, setup.agent);
        if shared.control(&setup.call.carrier).is_some_and(|control| control.relays_words()) {
            setup.agent = relay::as_it_can_be(setup.agent);
        }
        let (own, messages) = mpsc::channel(limits::ENGINE_INPUTS_MAX);
        let live = Feed::new(limits::LIVE_EVENTS_MAX);
        let last = setup.past.last().map_or(JournalSeq(0), |record| record.seq);
        let journal = store::JournalWriter::start(shared.journal(), setup.scope, setup.call.id, last);
        let offset = crate::replay::begins_at(&setup.past);
        let machine = crate::replay::machine(&setup.agent, setup.call.direction, &setup.past);
        let tape = Tape::new(&shared.settings, &setup.call, &setup.agent, &setup.past);
        let teller = own.clone();
        let tell: Tell = Arc::new(move |decision| {
            // A call that is over needs no telling; one that cannot keep up has other sorrows.
            let _ = teller.try_send(HostMessage::Input(Input::Host(decision)));
        });
        let context = shared.call_context(&setup.agent, &setup.call, tell);
        let routes = Routes::new(&shared.services, &context);
        routes.warm();
        let bill = context.bill.clone();
        let recording = Recording { is_on: tape.is_wanted(), is_paused: machine.is_recording_paused(), by: None };
        let desk = Desk::new(setup.agent.is_briefing, recording);
        let channels = Channels { messages: own.clone(), live: live.clone(), door: desk.door.clone() };
        let host = Self {
            shared,
            call: setup.call,
            agent: setup.agent,
            scope: setup.scope,
            machine,
            origin: Instant::now(),
            offset,
            link: None,
            heard_at: Instant::now(),
            due: Alarm::new(),
            patience: Alarm::new(),
            out: Vec::new(),
            ears: None,
            mouth: Mouth::new(PHONE_HZ),
            desk,
            prepared: lines::Prepared::default(),
            next_mark: base::MarkId(1),
            stt: None,
            brain: None,
            tools: HashMap::new(),
            consult: None,
            place: None,
            news: setup.news,
            routes,
            bill,
            journal,
            tape,
            paper: setup.visit.filter(|is_written| *is_written).map(|_| Paper::default()),
            relay: None,
            is_visit: setup.visit.is_some(),
            open_stt_later: None,
            unheard: Vec::new(),
            together: Vec::new(),
            messages,
            own,
            live,
            ended: None,
            yields: None,
        };
        (host, channels)
    }

    fn now(&self) -> CallTime {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.offset + base::Millis(elapsed)
    }

    /// Runs the call to its end.
    pub(crate) async fn run(mut self) {
        self.perform_all();
        while self.ended.is_none() && self.yields.is_none() {
            let event = self.next_event().await;
            self.on_event(event);
            self.flush().await;
            self.store_lines();
        }
        // Both take the whole call along, which is large.
        match self.yields.take() {
            Some(told) if self.ended.is_none() => Box::pin(self.hand_over(told)).await,
            _ => Box::pin(self.finish()).await,
        }
    }

    async fn next_event(&mut self) -> Event {
        let now = self.now();
        let deadline = self.machine.next_deadline().map(|(at, _why)| self.instant(at));
        let pace_at = self.link.as_ref().and_then(|_| match &self.relay {
            Some(relay) => relay.next_at(),
            None => self.mouth.next_frame_at(now),
        });
        let pace_at = pace_at.map(|at| self.instant(at));
        let heard_by = |patience_ms| Some(self.heard_at + Duration::from_millis(patience_ms));
        let silent_at = match (&self.link, &self.paper, &self.relay) {
            // A page that nobody looks at sleeps, and says nothing for a minute.
            (_, Some(_), _) => heard_by(limits::VISITOR_AWAY_MS_MAX),
            // Where only words come, nothing comes while nobody speaks.
            (Some(_), None, Some(relay)) => relay.closes_by(),
            (Some(_), None, None) => heard_by(limits::MEDIA_SILENT_MS_MAX),
            (None, None, _) => None,
        };
        let due_at = [deadline, pace_at].into_iter().flatten().min();
        let socket = self.link.as_mut().map(|link| &mut link.socket);
        let stt = self.stt.as_mut().map(|(_, session)| &mut session.events);
        let brain = self.brain.as_mut().map(|(_, session)| &mut session.events);
        let tts = self.mouth.wanted_events();
        let (people, person_stt) = self.desk.sources();
        tokio::select! {
            biased;
            () = self.due.at(due_at) => match deadline {
                Some(deadline) if Some(deadline) == due_at => Event::Deadline,
                _ => Event::Pace,
            },
            message = self.messages.recv() => Event::Message(message),
            event = from(stt) => Event::Stt(event),
            event = from(brain) => Event::Brain(event),
            event = from(tts) => Event::Tts(event),
            Some(audio) = people.recv() => Event::Person(audio),
            event = from(person_stt) => Event::PersonStt(event),
            incoming = from_socket(socket) => Event::Incoming(incoming),
            () = self.patience.at(silent_at) => Event::Silent,
        }
    }

    fn instant(&self, at: CallTime) -> Instant {
        self.origin + at.since(self.offset).to_duration()
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Deadline => {
                let now = self.now();
                self.tape.timeout(now);
                self.machine.handle_timeout(now);
                self.perform_all();
            }
            Event::Pace if self.relay.is_some() => self.relay_due(),
            Event::Pace => self.play_due(),
            // To put somebody on hold who reads would only fill the page with lines.
            Event::Message(Some(HostMessage::Input(Input::Desk(DeskInput::Hold { on: true, .. }))))
                if self.paper.is_some() => {}
            Event::Message(Some(HostMessage::Input(input))) => {
                let input = self.with_line(input);
                self.feed(input);
            }
            Event::Message(Some(HostMessage::Line(message))) => self.on_line(message),
            Event::Person(audio) => self.on_person(audio),
            Event::PersonStt(event) => self.on_person_stt(event),
            Event::Message(Some(HostMessage::Join(link))) => self.join(*link),
            Event::Message(Some(HostMessage::CloseMedia)) => self.close_media(),
            Event::Message(Some(HostMessage::Yield(told))) => self.yields = Some(told),
            Event::Message(Some(HostMessage::Drain(grace))) => {
                let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                let deadline = self.now() + base::Millis(grace_ms);
                self.feed(Input::Host(HostInput::Drain { deadline }));
            }
            // The sender side lives in `self.own`, so this cannot happen; ending is the safe answer.
            Event::Message(None) => self.feed(Input::Host(HostInput::Overflow)),
            Event::Stt(event) => self.on_stt(event),
            Event::Brain(event) => self.on_brain(event),
            Event::Tts(event) => self.on_tts(event),
            Event::Incoming(incoming) => self.on_incoming(incoming),
            Event::Silent if self.link.is_none() => self.visitor_is_gone(),
            Event::Silent => {
                self.on_media_event(MediaEvent::Violation { code: 1008, why: "nothing came for too long" })
            }
        }
    }

    /// Feeds the engine and does all it asks.
    fn feed(&mut self, input: Input) {
        if self.ended.is_some() {
            return;
        }
        let now = self.now();
        self.tape.input(now, &input);
        self.machine.handle(now, input);
        self.perform_all();
    }

    fn join(&mut self, mut link: Link) {
        if self.is_visit {
            self.visitor_joins(link.is_written);
        }
        if self.paper.is_some() {
            let sink = std::mem::take(&mut link.sink);
            return self.open_line(link, sink);
        }
        if let Some(relays) = link.relays.take() {
            self.relay_joins(&mut link, &relays);
            let sink = std::mem::take(&mut link.sink);
            return self.open_line(link, sink);
        }
        let rate = link.protocol.sample_rate_hz();
        let judge = self.shared.services.judge.as_ref();
        let vad: Option<Box<dyn NeuralVadSession>> = judge.and_then(|judge| judge.vad(rate));
        let is_outbound = self.call.direction == Direction::Outbound;
        self.ears = Some(Box::new(Ears::new(rate, &self.agent.sound, is_outbound, judge.is_some(), vad)));
        if self.mouth.rate_hz() != rate {
            self.mouth = Mouth::new(rate);
        }
        self.desk.door.rate_hz.store(rate, std::sync::atomic::Ordering::Relaxed);
        let seed = self.call.id.0.as_u64_pair().1;
        self.mouth.set_mark_frames_min(link.protocol.mark_frames_min());
        self.mouth.set_background(mouth::background(&self.agent.sound, rate, seed));
        self.render_prepared();
        let sink = std::mem::take(&mut link.sink);
        if let Some(name) = self.tape.open(rate) {
            let (store, scope, id) = (Arc::clone(&self.shared.store), self.scope, self.call.id);
            self.shared.tasks.spawn(async move { tape::note_part(&store, &scope, id, &name).await });
        }
        self.open_line(link, sink);
    }

    fn open_line(&mut self, link: Link, sink: MediaSink) {
        self.link = Some(link);
        self.heard_at = Instant::now();
        self.open_late_stt();
        self.show_holder();
        self.feed(Input::Carrier(CarrierInput::MediaStarted));
        self.on_sink(sink);
    }

    fn close_media(&mut self) {
        if self.link.is_some() && !self.relay_leaves("goes_on") {
            self.out.push(Wire::Close(1000, "the platform goes on".into()));
        }
    }

    fn on_incoming(&mut self, incoming: Option<Incoming>) {
        let Some(link) = &mut self.link else { return };
        self.heard_at = Instant::now();
        let mut sink = std::mem::take(&mut link.sink);
        match incoming {
            Some(Incoming::Text(bytes)) => match std::str::from_utf8(&bytes) {
                Ok(text) => link.protocol.on_text(text, &mut sink),
                Err(_) => sink.events.push(MediaEvent::Violation { code: 1007, why: "text that is not UTF-8" }),
            },
            Some(Incoming::Binary(bytes)) => link.protocol.on_binary(&bytes, &mut sink),
            Some(Incoming::Violation { code, why }) => sink.events.push(MediaEvent::Violation { code, why }),
            None => {
                self.lose_media();
                return;
            }
        }
        self.on_sink(sink);
    }

    fn on_sink(&mut self, mut sink: MediaSink) {
        if !sink.pcm.is_empty() {
            if self.paper.is_none() {
                self.hear(&sink.pcm);
            }
            sink.pcm.clear();
        }
        for event in sink.events.drain(..) {
            self.on_media_event(event);
        }
        if let Some(link) = &mut self.link {
            link.sink = sink; // Its buffers serve the next message.
        }
    }

    fn on_media_event(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Started(_) => {} // The node has seen it; the codec lets only one through.
            MediaEvent::Dtmf(digit) => self.on_key(digit),
            MediaEvent::Typed(text) => self.feed(Input::Carrier(CarrierInput::Typed { text })),
            MediaEvent::Interrupted => self.feed(Input::Carrier(CarrierInput::Interrupted)),
            MediaEvent::HangUp => self.feed(Input::Carrier(CarrierInput::HungUp)),
            MediaEvent::Words { text, is_last } => self.on_words(text.into_inner(), is_last),
            MediaEvent::CustomerSpeaks(speaks) => self.on_caller_speaks(speaks),
            MediaEvent::AgentSpeaks(speaks) => self.on_agent_speaks(speaks),
            MediaEvent::Spoken(text) => self.on_spoken(text.expose()),
            MediaEvent::CutOff(heard) => self.on_cut_off(heard.expose()),
            MediaEvent::Refused => self.on_refused(),
            MediaEvent::Mark(mark) => {
                if let Some(input) = self.mouth.on_mark(mark) {
                    self.feed(input);
                }
            }
            MediaEvent::Stopped => self.lose_media(),
            MediaEvent::Violation { code, why } => {
                tracing::warn!(carrier = %self.call.carrier, code, why, "media socket broke its protocol");
                metrics::counter!("frontdesk_media_violations_total", "carrier" => self.call.carrier.clone())
                    .increment(1);
                self.out.push(Wire::Close(code, why.into()));
            }
        }
    }

    /// The audio path is gone. A platform with webhooks may bring it back, and so may a visitor of a website; a page of ours
    /// cannot. Who writes may read later what is written meanwhile.
    fn lose_media(&mut self) {
        if self.link.take().is_none() {
            return;
        }
        self.out.clear();
        self.heard_at = Instant::now();
        if self.paper.is_some() {
            return;
        }
        let comes_back = self.is_visit || self.shared.control(&self.call.carrier).is_some();
        self.feed(Input::Carrier(if comes_back { CarrierInput::MediaLost } else { CarrierInput::HungUp }));
    }

    fn hear(&mut self, pcm: &[i16]) {
        let now = self.now();
        let Some(mut ears) = self.ears.take() else { return };
        let (piece_ms, is_on_hold) = (ears.piece_ms(), self.machine.is_on_hold());
        ears.hear(pcm, |frame| match frame {
            CallerFrame::Raw(frame) => {
                self.tape.caller(now, frame);
                if !is_on_hold {
                    self.desk.tap(Side::Caller, frame);
                }
            }
            CallerFrame::Clean(frame) => self.pass_on(frame, piece_ms),
        });
        self.mouth.expect_nothing(ears.is_far_from_answer());
        self.ears = Some(ears);
        // What the engine does about it may need the ears again: to stop the agent, to judge the turn.
        while let Some(speech) = self.ears.as_mut().and_then(|ears| ears.poll()) {
            match speech {
                SpeechInput::Started => self.push_stt(SttCommand::Speech(true)),
                SpeechInput::Stopped { .. } => self.push_stt(SttCommand::Speech(false)),
                // The final words may be asked for at any moment now.
                SpeechInput::Lull { .. } => self.push_unheard(),
                _ => {}
            }
            self.feed(Input::Speech(speech));
        }
    }

    /// Audio for the recogniser, in pieces of this length: each wakes a chain of tasks and goes out by itself.
    fn pass_on(&mut self, frame: &[i16], piece_ms: u64) {
        self.unheard.extend_from_slice(frame);
        if self.unheard.len() as u64 >= media::ms_to_samples(piece_ms, self.mouth.rate_hz()) {
            self.push_unheard();
        }
    }

    fn push_unheard(&mut self) {
        if !self.unheard.is_empty() {
            let pcm = self.unheard.as_slice().into();
            self.unheard.clear();
            self.send_stt(SttCommand::Audio(pcm));
        }
    }

    /// Tells the recogniser something of the audio so far.
    fn push_stt(&mut self, command: SttCommand) {
        self.push_unheard();
        self.send_stt(command);
    }

    fn send_stt(&mut self, command: SttCommand) {
        if let Some((_, session)) = &self.stt
            && let Err(mpsc::error::TrySendError::Full(SttCommand::Audio(_))) = session.commands.try_send(command)
        {
            metrics::counter!("frontdesk_audio_in_dropped_frames_total").increment(1);
        }
    }

    fn on_stt(&mut self, event: Option<SttEvent>) {
        let Some((stream, _)) = &self.stt else { return };
        let stream = *stream;
        let speech = match event {
            Some(SttEvent::Started) => return,
            Some(SttEvent::Partial { text }) => SpeechInput::Partial { stream, text: text.into() },
            Some(SttEvent::Final { text, finalized }) => SpeechInput::Final { stream, text: text.into(), finalized },
            Some(SttEvent::EndOfTurn) => SpeechInput::ProviderEndOfTurn { stream },
            Some(SttEvent::Usage { .. }) => return, // The driver meters it.
            Some(SttEvent::Failed(failure)) => self.stt_failed(stream, failure.class),
            None => self.stt_failed(stream, base::ErrorClass::Protocol),
        };
        self.feed(Input::Speech(speech));
    }

    fn stt_failed(&mut self, stream: SttStreamId, class: base::ErrorClass) -> SpeechInput {
        self.stt = None;
        SpeechInput::Failed { stream, class }
    }

    fn on_brain(&mut self, event: Option<GenerationEvent>) {
        let Some((id, _)) = &self.brain else { return };
        let id = *id;
        let event = event.unwrap_or_else(|| {
            GenerationEvent::Failed(base::Failure::new(base::ErrorClass::Protocol, "the brain stopped without an end"))
        });
        if matches!(event, GenerationEvent::Failed(_) | GenerationEvent::Done { .. }) {
            self.brain = None;
        }
        self.feed(Input::Generation { id, event });
    }

    fn on_tts(&mut self, event: Option<TtsEvent>) {
        let inputs = self.mouth.on_tts(event);
        self.open_voice();
        for input in inputs {
            self.feed(input);
        }
    }

    /// Sends the frames that are due, with marks between them.
    fn play_due(&mut self) {
        let now = self.now();
        let Some(link) = &mut self.link else { return };
        let (out, tape, next_mark) = (&mut self.out, &mut self.tape, &mut self.next_mark);
        let (ears, desk) = (&mut self.ears, &self.desk);
        let mut together = Together::new(link.protocol.as_mut(), &mut self.together);
        self.mouth.play_due(now, |step| match step {
            mouth::Step::Voice(frame) | mouth::Step::Person(frame) => {
                let side = if matches!(step, mouth::Step::Person(_)) { Side::Person } else { Side::Agent };
                desk.tap(side, frame);
                tape.agent(now, frame);
                if let Some(ears) = ears {
                    ears.played(frame);
                }
                together.push(frame, out);
                None
            }
            mouth::Step::Background(frame) => {
                tape.agent(now, frame);
                together.push(frame, out);
                None
            }
            mouth::Step::Mark => {
                let mark = *next_mark;
                *next_mark = next_mark.next();
                together.command(MediaCommand::Mark(mark), out);
                Some(mark)
            }
        });
        together.flush(out);
        if self.mouth.was_woken_late() {
            self.shared.admission.pacer_was_late();
        }
    }

    async fn flush(&mut self) {
        let Some(link) = &mut self.link else {
            self.out.clear();
            return;
        };
        let closes = self.out.iter().any(|wire| matches!(wire, Wire::Close(..)));
        let sent = socket::send_all(link.socket.as_mut(), &mut self.out).await;
        if closes || sent.is_err() {
            self.out.clear();
            self.lose_media();
        }
    }

    /// Hands recorded inputs to the store, in the background.
    fn store_lines(&mut self) {
        let Some((first, lines)) = self.tape.lines_due() else { return };
        let (store, scope, id) = (Arc::clone(&self.shared.store), self.scope, self.call.id);
        self.shared.tasks.spawn(async move { tape::store_lines(&store, &scope, id, first, &lines).await });
    }

    /// Leaves the call to another node: what is known is written, nothing says that it is over, and then the audio is let go,
    /// upon which the platform asks how to go on.
    async fn hand_over(mut self, told: oneshot::Sender<()>) {
        self.stt = None;
        self.brain = None;
        self.mouth.stop_all(self.now());
        for (_, tool) in self.tools.drain() {
            tool.abort();
        }
        let recording = self.tape.finish();
        let unwritten = self.journal.finish(Duration::from_millis(limits::STATEMENT_MS_MAX)).await;
        if unwritten > 0 {
            tracing::error!(unwritten, "journal entries could not be written before another node goes on");
        }
        let update = store::CallUpdate { recording, charge: self.bill.charge(), ..store::CallUpdate::default() };
        last::write(&self.shared, self.scope, self.call.id, update).await;
        self.tape.store_rest(&self.shared.store, &self.scope, self.call.id).await;
        self.shared.forget(&self.scope, self.call.id).await;
        metrics::counter!("frontdesk_calls_handed_over_total").increment(1);
        tracing::info!("the call is left to another node");
        let _ = told.send(()); // Whoever asked may have given up.
        if let Some(link) = &mut self.link {
            let mut last = Vec::new();
            link.protocol.on_command(MediaCommand::Leave("goes_on"), &mut last);
            last.push(crate::cluster::goodbye());
            let _ = socket::send_all(link.socket.as_mut(), &mut last).await;
        }
    }

    /// Frees everything and writes what remains.
    async fn finish(mut self) {
        let (reason, state) = self.ended.take().unwrap_or_else(|| ("internal".into(), CallState::Failed));
        let is_fenced = matches!(self.journal.stopped(), Some(store::StoreError::Fenced));
        self.stt = None;
        self.brain = None;
        self.mouth.stop_all(self.now());
        metrics::counter!("frontdesk_playout_underruns_total").increment(self.mouth.underruns());
        for (_, tool) in self.tools.drain() {
            tool.abort();
        }
        if let Some(link) = &mut self.link {
            let mut last = Vec::new();
            link.protocol.on_command(MediaCommand::Leave("over"), &mut last);
            last.push(Wire::Close(1000, "the call is over".into()));
            let _ = socket::send_all(link.socket.as_mut(), &mut last).await;
        }
        // A socket that was on its way when the call ended learns that its token is worth nothing any more.
        self.messages.close();
        while let Ok(message) = self.messages.try_recv() {
            if let HostMessage::Join(link) = message {
                refuse(link.socket, &AttachError::Token).await;
            }
        }
        let recording = self.tape.finish();
        let unwritten = self.journal.finish(Duration::from_millis(limits::STATEMENT_MS_MAX)).await;
        if unwritten > 0 && !is_fenced {
            // Whether they are lost in the end, their writer says.
            tracing::warn!(unwritten, "the last journal entries wait for the database");
        }
        let charge = self.bill.charge();
        let update = if is_fenced {
            // The call lives elsewhere: its end is not ours to tell, but what it has cost here is.
            tracing::warn!("another node goes on with this call");
            store::CallUpdate { charge, ..store::CallUpdate::default() }
        } else {
            store::CallUpdate {
                state: Some(state),
                ended_at_ms: Some(crate::wall_ms()),
                ended_reason: Some(reason.clone()),
                recording,
                charge,
                ..store::CallUpdate::default()
            }
        };
        last::write(&self.shared, self.scope, self.call.id, update).await;
        let is_spent = self.shared.purse(&self.agent, &self.bill).look().0 == Saving::FreeOnly;
        let over = Over { scope: self.scope, call: self.call.id, agent: Arc::clone(&self.agent), is_spent };
        reading::read_later(&self.shared, over);
        self.tape.store_rest(&self.shared.store, &self.scope, self.call.id).await;
        metrics::counter!("frontdesk_calls_ended_total", "carrier" => self.call.carrier.clone(), "state" => state.name())
            .increment(1);
        tracing::info!(state = state.name(), reason, "call ended");
    }
}

async fn from<T>(receiver: Option<&mut mpsc::Receiver<T>>) -> Option<T> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

async fn from_socket(socket: Option<&mut Box<dyn MediaSocket>>) -> Option<Incoming> {
    match socket {
        Some(socket) => socket::recv(socket.as_mut()).await,
        None => std::future::pending().await,
    }
}
