//! What happened in a call as lines that people read and scenarios expect.

use crate::io::{
    CarrierInput, ConsultInput, DeskInput, HostInput, Input, Measure, Output, Overlap, SpeechInput, SynthesisInput,
};
use base::CallTime;
use model::call::Direction;
use model::generation::GenerationEvent;
use model::journal::{Entry, HoldMode};
use model::live::LiveKind;
use std::fmt::Write;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The machine was told.
    In(Input),
    /// A deadline passed.
    Timeout(&'static str),
    /// The machine asked.
    Out(Output),
    /// Something outside the machine, such as the death of its process.
    Note(String),
}

/// One thing that happened and when.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: CallTime,
    /// What.
    pub fact: Fact,
}

/// The whole call, a line a moment: `>` is what the machine was told, `<` what it asked for, `!` a deadline.
pub fn timeline(moments: &[Moment]) -> String {
    let mut out = String::new();
    for Moment { at, fact } in moments {
        let (sign, text) = match fact {
            Fact::In(input) => (">", describe_input(input)),
            Fact::Timeout(why) => ("!", (*why).to_owned()),
            Fact::Out(output) => ("  <", describe_output(output)),
            Fact::Note(note) => ("*", note.clone()),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{at:>8} {sign} {text}");
    }
    out
}

/// An id with its incarnation, as `1` or `2:1`.
fn id(id: u64) -> String {
    let (incarnation, count) = (id >> 32, id & 0xffff_ffff);
    if incarnation == 0 { count.to_string() } else { format!("{incarnation}:{count}") }
}

/// An input in words.
pub fn describe_input(input: &Input) -> String {
    match input {
        Input::Carrier(input) => describe_carrier(input),
        Input::Speech(input) => describe_speech(input),
        Input::Generation { id: which, event } => format!("brain {} {}", id(which.0), describe_generation(event)),
        Input::Synthesis { utterance, event } => match event {
            SynthesisInput::FirstAudio => format!("tts {} first-audio", id(utterance.0)),
            SynthesisInput::Words { segment, words } => {
                format!("tts {} words {segment} {}", id(utterance.0), words.len())
            }
            SynthesisInput::SegmentDone { segment, end_ms, .. } => {
                format!("tts {} segment-done {segment} {end_ms}", id(utterance.0))
            }
            SynthesisInput::Wordless { end_ms } => format!("tts {} wordless {end_ms}", id(utterance.0)),
            SynthesisInput::CutOff { segment, heard_bytes } => {
                format!("tts {} cut-off {segment} {heard_bytes}", id(utterance.0))
            }
            SynthesisInput::Failed { class } => format!("tts {} fails {class}", id(utterance.0)),
        },
        Input::Playout { utterance, played_ms, finished } => {
            format!("played {} {played_ms}{}", id(utterance.0), if *finished { " finished" } else { "" })
        }
        Input::Tool { id: which, result: Ok(text) } => format!("tool {} answers {text:?}", id(which.0)),
        Input::Tool { id: which, result: Err(failure) } => format!("tool {} fails {}", id(which.0), failure.class),
        Input::Desk(input) => describe_desk(input),
        Input::Consult { event: ConsultInput::Connected { by }, .. } => format!("colleague connected {by}"),
        Input::Consult { event: ConsultInput::Ended { outcome }, .. } => format!("colleague {}", outcome.name()),
        Input::Consult { event: ConsultInput::Left, .. } => "colleague leaves".into(),
        Input::Host(HostInput::Drain { deadline }) => format!("host drain {deadline}"),
        Input::Host(HostInput::BudgetExhausted) => "host budget".into(),
        Input::Host(HostInput::OutsideHours) => "host outside-hours".into(),
        Input::Host(HostInput::LineSaid { facts }) => format!("host line-said {:?}", facts.expose()),
        Input::Host(HostInput::QueuePosition { position }) => format!("host position {position}"),
        Input::Host(HostInput::Overflow) => "host overflow".into(),
        Input::Host(HostInput::Routed(routed)) => {
            format!("host routed {} {} {}", routed.stage, routed.provider, routed.reason)
        }
        Input::Host(HostInput::Saving { step, budget }) => format!("host saving {} {}", step.name(), budget.name()),
    }
}

fn describe_desk(input: &DeskInput) -> String {
    match input {
        DeskInput::TakeOver { by, mode, with_line } => {
            let verb = match mode {
                HoldMode::TakeOver => "takes-over",
                HoldMode::BargeIn => "barges-in",
            };
            let by = by.as_ref().map(|by| format!(" as {by}")).unwrap_or_default();
            format!("desk {verb}{by}{}", if *with_line { " on-line" } else { "" })
        }
        DeskInput::HandBack => "desk hands-back".into(),
        DeskInput::Line { is_up: true } => "desk line-up".into(),
        DeskInput::Line { is_up: false } => "desk line-lost".into(),
        DeskInput::Speaks => "desk speaks".into(),
        DeskInput::Said { text } => format!("desk talks {:?}", text.expose()),
        DeskInput::Whisper { text, .. } => format!("desk whispers {:?}", text.expose()),
        DeskInput::Say { text } => format!("desk says {text:?}"),
        DeskInput::Transfer { .. } => "desk transfers".into(),
        DeskInput::Record { on: false, .. } => "desk pauses-recording".into(),
        DeskInput::Record { on: true, .. } => "desk resumes-recording".into(),
        DeskInput::Hold { on: true, .. } => "desk holds".into(),
        DeskInput::Hold { on: false, .. } => "desk unholds".into(),
        DeskInput::End => "desk ends".into(),
    }
}

fn describe_carrier(input: &CarrierInput) -> String {
    match input {
        CarrierInput::State { state } => format!("carrier {}", state.name()),
        CarrierInput::MediaStarted => "carrier media".into(),
        CarrierInput::MediaLost => "carrier media-lost".into(),
        CarrierInput::Dtmf { digit } => format!("caller presses {}", digit.expose()),
        CarrierInput::Typed { text } => format!("caller types {:?}", text.expose()),
        CarrierInput::Interrupted => "caller presses Interrupt".into(),
        CarrierInput::HungUp => "caller hangs-up".into(),
        CarrierInput::TransferDone { ok } => format!("carrier transfer-{}", if *ok { "ok" } else { "failed" }),
    }
}

fn describe_speech(input: &SpeechInput) -> String {
    match input {
        SpeechInput::Started => "caller started".into(),
        SpeechInput::Stopped { silence_ms } => format!("caller stopped {silence_ms}"),
        SpeechInput::Lull { silence_ms } => format!("caller lull {silence_ms}"),
        SpeechInput::Overlap(Overlap { speech_ms, level_db, echo, voice, late_ms }) => {
            let level = level_db.map_or_else(|| "-".to_owned(), |level| level.to_string());
            let late = if *late_ms > 0 { format!(" late {late_ms}") } else { String::new() };
            format!("caller overlap {speech_ms} level {level} echo {echo} voice {voice}{late}")
        }
        SpeechInput::Tone { tone } => format!("line tone {}", tone.name()),
        SpeechInput::Partial { stream, text } => format!("stt {} partial {:?}", id(stream.0), text.expose()),
        SpeechInput::Final { stream, text, finalized } => {
            format!("stt {} {} {:?}", id(stream.0), if *finalized { "finalized" } else { "final" }, text.expose())
        }
        SpeechInput::TurnProbability { probability } => format!("stt probability {probability}"),
        SpeechInput::ProviderEndOfTurn { stream } => format!("stt {} end-of-turn", id(stream.0)),
        SpeechInput::Failed { stream, class } => format!("stt {} fails {class}", id(stream.0)),
    }
}

fn describe_generation(event: &GenerationEvent) -> String {
    match event {
        GenerationEvent::Started => "started".into(),
        GenerationEvent::Text { delta } => format!("text {delta:?}"),
        GenerationEvent::ToolCall { name, args, .. } => format!("tool {name} {args}"),
        GenerationEvent::NeedSlot(slot) => format!("slot {} {}", slot.tool, slot.slot),
        GenerationEvent::Cited { citations } => format!("cites {}", citations.len()),
        GenerationEvent::Usage(usage) => format!("usage {}+{}", usage.input, usage.output),
        GenerationEvent::Done { finish } => format!("done {finish:?}").to_lowercase(),
        GenerationEvent::Failed(failure) => format!("fails {}", failure.class),
    }
}

/// An output in words. Scenarios expect prefixes of these.
pub fn describe_output(output: &Output) -> String {
    match output {
        Output::Journal(record) => format!("journal {}", describe_entry(&record.entry)),
        Output::OpenStt { stream } => format!("open-stt {}", id(stream.0)),
        Output::FinalizeStt { stream } => format!("finalize-stt {}", id(stream.0)),
        Output::JudgeTurn => "judge-turn".into(),
        Output::StartGeneration { id: which, .. } => format!("generation {}", id(which.0)),
        Output::CancelGeneration { id: which } => format!("cancel generation {}", id(which.0)),
        Output::Speak { utterance, segment, text } => format!("speak {text:?} ({}.{segment})", id(utterance.0)),
        Output::Prepare { texts } => format!("prepare {}", texts.len()),
        Output::HoldUtterance { utterance } => format!("hold {}", id(utterance.0)),
        Output::ReleaseUtterance { utterance } => format!("release {}", id(utterance.0)),
        Output::Press { utterance, keys } => format!("press {keys} ({})", id(utterance.0)),
        Output::Interlude { utterance, text } => format!("interlude {text:?} ({})", id(utterance.0)),
        Output::EndUtterance { utterance } => format!("end-utterance {}", id(utterance.0)),
        Output::StopPlayout { utterance } => format!("stop-playout {}", id(utterance.0)),
        Output::Duck => "duck".into(),
        Output::Unduck => "unduck".into(),
        Output::RunTool { name, args, id: which, .. } => format!("run-tool {name} {args} ({})", id(which.0)),
        Output::CancelTool { id: which } => format!("cancel-tool {}", id(which.0)),
        Output::Transfer { to, .. } => format!("transfer {}", to.expose()),
        Output::Consult { to, text, .. } => format!("consult {} {:?}", to.expose(), text.expose()),
        Output::EndConsult { .. } => "end-consult".into(),
        Output::TakeCaller => "take-caller".into(),
        Output::HangUp { unsaid: None } => "hang-up".into(),
        Output::HangUp { unsaid: Some(words) } => format!("hang-up saying {words:?}"),
        Output::Live(kind) => format!("live {}", describe_live(kind)),
        Output::Measure(measure) => format!("measure {}", describe_measure(measure)),
        Output::Ended { reason, state } => format!("ended {reason} {}", state.name()),
    }
}

fn describe_entry(entry: &Entry) -> String {
    match entry {
        Entry::Started { direction: Direction::Inbound } => "started inbound".into(),
        Entry::Started { direction: Direction::Outbound } => "started outbound".into(),
        Entry::Resumed { incarnation } => format!("resumed {incarnation}"),
        Entry::State { state } => format!("state {}", state.name()),
        Entry::CallerTurn { text, cut, typed, .. } => {
            let (cut, typed) = (if *cut { " cut" } else { "" }, if *typed { " typed" } else { "" });
            format!("caller-turn {:?}{cut}{typed}", text.expose())
        }
        Entry::Dtmf { digit } => format!("dtmf {}", digit.expose()),
        Entry::AgentTurn { heard, complete, .. } => {
            format!("agent-turn {:?} {}", heard.expose(), if *complete { "complete" } else { "cut" })
        }
        Entry::ToolRefused { name, reason, .. } => format!("tool-refused {name} {reason}"),
        Entry::ConfirmationAsked { name, args, .. } => format!("confirmation-asked {name} {}", args.expose()),
        Entry::ConfirmationAnswered { yes, .. } => format!("confirmation-answered {}", if *yes { "yes" } else { "no" }),
        Entry::ToolStarted { name, args, .. } => format!("tool-started {name} {}", args.expose()),
        Entry::ToolFinished { name, ok, result, .. } => {
            format!("tool-finished {name} {} {:?}", if *ok { "ok" } else { "failed" }, result.expose())
        }
        Entry::SlotAsked(slot) => format!("slot-asked {} {}", slot.tool, slot.slot),
        Entry::HandoffRequested { reason } => format!("handoff {reason}"),
        Entry::ConsultBegan { to } => format!("consult {}", to.expose()),
        Entry::ConsultEnded { outcome } => format!("consult-ended {}", outcome.name()),
        Entry::Queued { reason, .. } => format!("queued {reason}"),
        Entry::QueuePosition { position } => format!("queue-position {position}"),
        Entry::LeftQueue { outcome, waited_ms } => format!("left-queue {} {waited_ms}", outcome.name()),
        Entry::Briefing => "briefing".into(),
        Entry::BriefAnswered { accepted } => format!("brief-answered {}", if *accepted { "yes" } else { "no" }),
        Entry::TakenOver { by, mode, .. } => {
            let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("taken-over {}{by}", mode.name())
        }
        Entry::HandedBack { reason } => format!("handed-back {}", reason.name()),
        Entry::RecordingPaused { by } => format!("recording-paused {}", by.as_deref().unwrap_or("-")),
        Entry::RecordingResumed { by } => format!("recording-resumed {}", by.as_deref().unwrap_or("-")),
        Entry::OnHold { by } => format!("on-hold {}", by.as_deref().unwrap_or("-")),
        Entry::OffHold { by } => format!("off-hold {}", by.as_deref().unwrap_or("-")),
        Entry::PersonTurn { text, .. } => format!("person-turn {:?}", text.expose()),
        Entry::FlowMoved { node, path, .. } => {
            format!("flow {} {}", path.join(" "), if node.is_some() { "waits" } else { "over" })
        }
        Entry::Whispered { text, .. } => format!("whispered {:?}", text.expose()),
        Entry::OutsideHours => "outside-hours".into(),
        Entry::LineSaid { facts } => format!("line-said {:?}", facts.expose()),
        Entry::Guarded { rule, words, .. } => format!("guarded {} {words:?}", rule.name()),
        Entry::AnsweredBy { party } => format!("answered-by {}", party.name()),
        Entry::Fault { stage, class } => format!("fault {stage} {class}"),
        Entry::Routed(routed) => format!("routed {} {} {}", routed.stage, routed.provider, routed.reason),
        Entry::Saving { step, budget } => format!("saving {} {}", step.name(), budget.name()),
        Entry::Ending { reason } => format!("ending {reason}"),
        Entry::Ended { reason, state, duration } => format!("ended {reason} {} {duration}", state.name()),
    }
}

fn describe_live(kind: &LiveKind) -> String {
    match kind {
        LiveKind::State { state } => format!("state {}", state.name()),
        LiveKind::Phase { phase } => format!("phase {phase}"),
        LiveKind::CallerSpeaking { speaking } => format!("caller-speaking {speaking}"),
        LiveKind::Partial { text } => format!("partial {:?}", text.expose()),
        LiveKind::CallerTurn { text, .. } => format!("caller-turn {:?}", text.expose()),
        LiveKind::AgentSaying { text, .. } => format!("agent-saying {:?}", text.expose()),
        LiveKind::AgentTurn { text, .. } => format!("agent-turn {:?}", text.expose()),
        LiveKind::Tool { name, status } => format!("tool {name} {status}"),
        LiveKind::Fault { stage, class } => format!("fault {stage} {class}"),
        LiveKind::Routed(routed) => format!("routed {} {} {}", routed.stage, routed.provider, routed.reason),
        LiveKind::Guarded { rule, words } => format!("guarded {} {words:?}", rule.name()),
        LiveKind::Queued { reason } => format!("queued {reason}"),
        LiveKind::QueuePosition { position } => format!("queue-position {position}"),
        LiveKind::LeftQueue { outcome, waited_ms } => format!("left-queue {} {waited_ms}", outcome.name()),
        LiveKind::TakenOver { by, mode } => format!("taken-over {} {}", mode.name(), by.as_deref().unwrap_or("-")),
        LiveKind::HandedBack { reason, .. } => format!("handed-back {}", reason.name()),
        LiveKind::RecordingPaused { by } => format!("recording-paused {}", by.as_deref().unwrap_or("-")),
        LiveKind::RecordingResumed { by } => format!("recording-resumed {}", by.as_deref().unwrap_or("-")),
        LiveKind::OnHold { by } => format!("on-hold {}", by.as_deref().unwrap_or("-")),
        LiveKind::OffHold { by } => format!("off-hold {}", by.as_deref().unwrap_or("-")),
        LiveKind::Flow { node, .. } => format!("flow {}", node.as_deref().unwrap_or("over")),
        LiveKind::Whispered { text, .. } => format!("whispered {:?}", text.expose()),
        LiveKind::PersonTurn { text, .. } => format!("person-turn {:?}", text.expose()),
        LiveKind::Saving { step, budget } => format!("saving {} {}", step.name(), budget.name()),
        LiveKind::Understood(one) => format!("understood {}", one.intent.as_deref().unwrap_or("nothing")),
        LiveKind::Ended { reason } => format!("ended {reason}"),
    }
}

fn describe_measure(measure: &Measure) -> String {
    match measure {
        Measure::Turn { latency, .. } => {
            let ms = |stage: Option<u64>| stage.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
            format!(
                "turn endpoint {} transcript {} token {} audio {} heard {}",
                ms(latency.endpoint_ms),
                ms(latency.transcript_ms),
                ms(latency.first_token_ms),
                ms(latency.first_audio_ms),
                ms(latency.heard_ms)
            )
        }
        Measure::BargeIn { after_ms } => format!("barge-in {after_ms}"),
        Measure::FalseBargeIn => "false-barge-in".into(),
        Measure::Filler => "filler".into(),
        Measure::Speculation { used, wasted_chars } => {
            format!("speculation {} wasted {wasted_chars}", if *used { "used" } else { "dropped" })
        }
        Measure::ResumedSpeech => "resumed-speech".into(),
        Measure::BackChannel => "back-channel".into(),
        Measure::Answered { by, after_ms } => format!("answered {} {after_ms}", by.name()),
        Measure::LeftQueue { outcome, waited_ms } => format!("left-queue {} {waited_ms}", outcome.name()),
        Measure::Fault { stage, class } => format!("fault {stage} {class}"),
    }
}
