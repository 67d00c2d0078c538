//! The recogniser: partials, finals that are late, doubled, empty or missing, streams that die.

use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::{ErrorClass, SttStreamId};
use engine::Input;
use engine::io::SpeechInput;

/// What only a stale stream says: it must never become part of a turn.
pub const GHOST: &str = "ghostly";

/// Streams and the words that have no final yet.
#[derive(Clone, Debug, Default)]
pub struct Recogniser {
    stream: Option<SttStreamId>,
    stale: Option<SttStreamId>,
    words: String,
}

impl Recogniser {
    /// A new stream; the one before counts no more.
    pub fn open(&mut self, stream: SttStreamId) {
        self.stale = self.stream.replace(stream);
        self.words.clear();
    }

    /// A word was said.
    pub fn word(&mut self, plan: &mut Plan, word: &str) {
        let Some(stream) = self.stream else { return };
        if !self.words.is_empty() {
            self.words.push(' ');
        }
        self.words.push_str(word);
        if plan.chance.happens(0.6) {
            let ms = plan.ms(50, 250);
            let text = self.words.as_str().into();
            plan.tell(ms, Input::Speech(SpeechInput::Partial { stream, text }));
        }
        if plan.chance.happens(0.08) {
            self.give_final(plan, stream, false);
        }
        if plan.strikes(Trouble::EndOfTurn) {
            // Whoever ends turns by itself says with it what was said.
            let ms = plan.ms(50, 500);
            plan.after(ms, Event::Final { stream, finalized: false, is_empty: false, is_twice: false });
            plan.tell(ms, Input::Speech(SpeechInput::ProviderEndOfTurn { stream }));
        }
        if plan.strikes(Trouble::SttFails) {
            let class = *plan.chance.one_of(&[ErrorClass::Unavailable, ErrorClass::Auth, ErrorClass::Protocol]);
            let ms = plan.ms(0, 600);
            plan.tell(ms, Input::Speech(SpeechInput::Failed { stream, class }));
        }
        if let Some(stream) = self.stale.filter(|_| plan.strikes(Trouble::SttStale)) {
            let text = format!("{GHOST} words");
            let ms = plan.ms(0, 400);
            let input = SpeechInput::Final { stream, text: text.into(), finalized: plan.chance.happens(0.5) };
            plan.tell(ms, Input::Speech(input));
        }
    }

    /// The machine asks for the final.
    pub fn finalize(&mut self, plan: &mut Plan, stream: SttStreamId) {
        self.give_final(plan, stream, true);
    }

    fn give_final(&mut self, plan: &mut Plan, stream: SttStreamId, finalized: bool) {
        if plan.strikes(Trouble::FinalMissing) {
            return;
        }
        let late = plan.strikes(Trouble::FinalLate);
        let ms = if late { plan.ms(1_000, 4_000) } else { plan.ms(30, 300) };
        let (is_empty, is_twice) = (plan.strikes(Trouble::FinalEmpty), plan.strikes(Trouble::FinalTwice));
        plan.after(ms, Event::Final { stream, finalized, is_empty, is_twice });
    }

    /// The final is there: all words since the last one.
    pub fn take_final(
        &mut self,
        plan: &mut Plan,
        stream: SttStreamId,
        is_empty: bool,
        is_twice: bool,
        finalized: bool,
    ) -> Option<Input> {
        if self.stream != Some(stream) {
            return None;
        }
        let text = std::mem::take(&mut self.words);
        let text = if is_empty { String::new() } else { text };
        let is_plain = text.ends_with(char::is_alphanumeric);
        let text = if is_plain && plan.chance.happens(0.3) { format!("{text}.") } else { text };
        let input = Input::Speech(SpeechInput::Final { stream, text: text.into(), finalized });
        if is_twice {
            let ms = plan.ms(20, 500);
            plan.tell(ms, input.clone());
        }
        Some(input)
    }

    /// Nothing of the dead process is heard any more.
    pub fn cut(&mut self) {
        self.stale = self.stream.take();
        self.words.clear();
    }
}

/// The audio model is asked.
pub fn judge(plan: &mut Plan) {
    if !plan.strikes(Trouble::NoProbability) {
        let probability = plan.chance.below(101) as f32 / 100.0;
        let ms = plan.ms(10, 90);
        plan.tell(ms, Input::Speech(SpeechInput::TurnProbability { probability }));
    }
}
