//! Speculation: on a probable end of the turn the answer is prepared, and given only if the turn has ended there. Until
//! then nothing of it is journaled, played, shown, or known to the dialog, and none of its tools runs.

use super::utterance::{ToSpeak, Utterance};
use super::{CallMachine, Media};
use crate::dialog::{Answer, Reply, Step};
use crate::io::{Measure, Output};
use base::limits::{SPECULATION_CHARS_WASTED_MAX, SPECULATIONS_PER_TURN_MAX};
use base::{CallTime, GenerationId, Pii};
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest};
use model::journal::Entry;
use model::live::LiveKind;

/// Events of one prepared answer that are kept; an answer in more pieces is not worth the wait.
const EVENTS_MAX: usize = 4_096;

/// An answer to a turn that has not ended yet.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    id: GenerationId,
    request: GenerationRequest,
    asked_at: CallTime,
    answer: Answer,
    /// What came so far, to be taken in when the turn ends.
    events: Vec<GenerationEvent>,
    chars: u64,
    is_over: bool,
}

/// The first sentence of a prepared answer, or a line that is known beforehand, in synthesis.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub voice: Utterance,
    text: String,
}

/// What has been prepared, and what that has cost.
#[derive(Clone, Debug, Default)]
pub(super) struct Speculation {
    guess: Option<Guess>,
    pub held: Option<Held>,
    /// Answers prepared for the present turn.
    tries: u32,
    /// Characters generated for nothing, in the whole call.
    wasted_chars: u64,
}

impl Speculation {
    pub fn begin_turn(&mut self) {
        self.tries = 0;
    }
}

impl CallMachine {
    /// Prepares an answer if the caller has probably finished. Called whenever something about the pause changes.
    pub(super) fn speculate(&mut self, now: CallTime) {
        let Some(pause) = &self.hearing.pause else { return };
        let words = self.hearing.words();
        if !self.may_speculate() || words.is_empty() || !pause.is_probably_over(now, &words, self.expectation(&words)) {
            return;
        }
        let mut dialog = self.dialog.clone();
        let said = dialog.customer(&words);
        // A yes that runs a tool, or a no, is nothing to try out.
        if said.decided.is_some() || said.reply != Reply::Generate {
            return;
        }
        let request = dialog.request();
        if self.speculation.guess.as_ref().is_some_and(|guess| guess.fits(&request)) {
            return;
        }
        self.drop_guess();
        if self.speculation.tries >= SPECULATIONS_PER_TURN_MAX {
            return;
        }
        self.speculation.tries += 1;
        let id = self.ids.generation();
        self.speculation.guess = Some(Guess {
            id,
            request: request.clone(),
            asked_at: now,
            answer: Answer::default(),
            events: Vec::new(),
            chars: 0,
            is_over: false,
        });
        self.out.push(Output::StartGeneration { id, request: Box::new(request) });
    }

    fn may_speculate(&self) -> bool {
        self.agent.turns.speculate
            && self.media == Media::Up
            && self.closing.is_none()
            && !self.has_human
            && self.queue.is_none()
            && !self.is_busy()
            && !self.barge_in.is_pending()
            && self.tool.is_none()
            && self.owed.is_empty()
            && self.speculation.wasted_chars < SPECULATION_CHARS_WASTED_MAX
    }

    /// An event of the prepared answer. Says whether it was one.
    pub(super) fn guess_event(&mut self, now: CallTime, id: GenerationId, event: &GenerationEvent) -> bool {
        let Some(guess) = self.speculation.guess.as_mut().filter(|guess| guess.id == id) else { return false };
        if guess.is_over {
            return true; // Nothing counts behind the end.
        }
        if let GenerationEvent::Text { delta } = event {
            guess.chars += delta.len() as u64;
        }
        if mutant!(SpeculativeToolRuns)
            && let GenerationEvent::ToolCall { name, args, .. } = event
        {
            let (id, name, args) = (self.ids.tool_call(), name.clone(), args.clone());
            let entry = Entry::ToolStarted { id, name: name.clone(), args: Pii::new(args.clone()) };
            let durable = self.out.journal(now, entry);
            self.out.push(Output::RunTool { id, name, args, durable });
            return true;
        }
        let step = guess.answer.on(event.clone());
        guess.is_over |= matches!(step, Step::Done(_) | Step::Failed(_));
        guess.events.push(event.clone());
        if step == Step::TooLong || guess.events.len() > EVENTS_MAX {
            self.drop_guess();
            return true;
        }
        let first = guess.answer.ready.first().cloned();
        if let Some(first) = first
            && self.speculation.held.is_none()
            && self.voice.is_none()
            && !self.is_mute
        {
            self.hold(now, first);
        }
        true
    }

    /// Has the first sentence synthesised without a sound.
    pub(super) fn hold(&mut self, now: CallTime, text: String) {
        let mut voice = Utterance::new(self.turn, 0, now);
        voice.id = self.ids.utterance();
        voice.add(&text);
        let Some(ToSpeak::Segment(segment, first)) = voice.next_to_speak(now) else { return };
        if !mutant!(HeldAudioPlayed) {
            self.out.push(Output::HoldUtterance { utterance: voice.id });
        }
        self.out.push(Output::Speak { utterance: voice.id, segment, text: first });
        self.speculation.held = Some(Held { voice, text });
    }

    /// The turn has ended. Gives the answer that was prepared for it, if it was prepared for these words.
    pub(super) fn take_guess(&mut self, request: &GenerationRequest) -> Option<Prepared> {
        let guess = self.speculation.guess.take_if(|guess| guess.fits(request))?;
        self.out.measure(Measure::Speculation { used: true, wasted_chars: 0 });
        Some(Prepared { id: guess.id, asked_at: guess.asked_at, events: guess.events })
    }

    /// The first sentence is wanted now: what was held begins to play.
    pub(super) fn release(&mut self, now: CallTime, text: &str) -> Option<Utterance> {
        let Held { mut voice, text } = self.speculation.held.take_if(|held| held.text == text)?;
        voice.released(self.turn, now);
        self.has_asked = text.ends_with('?');
        self.out.live(LiveKind::AgentSaying { turn: self.turn, text: Pii::new(text) });
        self.out.push(Output::ReleaseUtterance { utterance: voice.id });
        if voice.has_audio()
            && let Some(clock) = &mut self.clock
        {
            clock.first_audio(now);
        }
        Some(voice)
    }

    /// The host has one voice: what is said otherwise takes the place of what was held.
    pub(super) fn drop_held(&mut self) {
        if let Some(held) = self.speculation.held.take() {
            self.out.push(Output::StopPlayout { utterance: held.voice.id });
            if mutant!(SpeculationJournaled) {
                self.journal_said(self.now, &held.voice, None);
            }
        }
    }

    /// The caller goes on, or somebody else has the call: what was prepared is thrown away.
    pub(super) fn drop_guess(&mut self) {
        if mutant!(SpeculationNeverDropped) && self.speculation.guess.is_some() {
            return;
        }
        self.drop_held();
        if let Some(guess) = self.speculation.guess.take() {
            if !guess.is_over {
                self.out.push(Output::CancelGeneration { id: guess.id });
            }
            self.speculation.wasted_chars += guess.chars;
            self.out.measure(Measure::Speculation { used: false, wasted_chars: guess.chars });
        }
    }
}

/// An answer that was prepared, with what came of it so far.
pub(super) struct Prepared {
    pub id: GenerationId,
    pub asked_at: CallTime,
    pub events: Vec<GenerationEvent>,
}

impl Guess {
    /// Whether the request is the same but for the spelling of the caller's last words: recognisers polish their final text.
    fn fits(&self, request: &GenerationRequest) -> bool {
        let (Some((mine, before)), Some((theirs, theirs_before))) =
            (self.request.messages.split_last(), request.messages.split_last())
        else {
            return false;
        };
        let same_words = match (mine, theirs) {
            (ChatMessage::Customer { text: mine }, ChatMessage::Customer { text: theirs }) => {
                plain(mine.expose()).eq(plain(theirs.expose()))
            }
            _ => mine == theirs,
        };
        if mutant!(SpeculationNeverDropped) {
            return true;
        }
        same_words
            && before == theirs_before
            && self.request.awaiting == request.awaiting
            && self.request.language == request.language
    }
}

fn plain(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}
