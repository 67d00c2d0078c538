//! The caller: speaks with pauses, interrupts, hums, makes noise, types, presses keys, says yes and no, and hangs up.

use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::{CallTime, Pii};
use engine::Input;
use engine::io::{CarrierInput, SpeechInput};

const WANTS: &[&str] = &[
    "when do you open",
    "where is my order BL901771",
    "my order is BL123456 where is it",
    "I have a flat tyre can I come on Wednesday",
    "flat tyre on Monday please",
    "make it Tuesday for the flat tyre",
    "I would like to know what it costs and",
    "well um I am not sure",
    "I want a person please",
    "what was that again",
    "four eight two nine one",
];

/// One caller.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    decision: u64,
    speech: u64,
    turns_left: u64,
    /// The last time the caller made a sound.
    pub sounded_at: CallTime,
    /// Whether the caller is speaking, as far as people in the room can tell.
    pub is_speaking: bool,
    /// Every word ever spoken or typed.
    pub said: String,
    /// How often the caller agreed to something.
    pub yeses: u64,
    /// The caller has hung up.
    pub is_gone: bool,
}

impl Caller {
    /// A caller with this much to say.
    pub fn new(plan: &mut Plan) -> Self {
        let turns_left = plan.ms(1, 9);
        Self { turns_left, ..Self::default() }
    }

    /// The caller may do something in a while; earlier plans are dropped.
    pub fn think(&mut self, plan: &mut Plan, low_ms: u64, high_ms: u64) {
        self.decision += 1;
        let ms = plan.ms(low_ms, high_ms);
        plan.after(ms, Event::Decide(self.decision));
    }

    /// The agent has finished speaking.
    pub fn heard_end(&mut self, plan: &mut Plan) {
        let silent = plan.strikes(Trouble::CallerSilent);
        let (low, high) = if silent { (5_000, 40_000) } else { (100, 2_500) };
        self.think(plan, low, high);
    }

    /// The agent begins to speak: some callers do not wait.
    pub fn heard_begin(&mut self, plan: &mut Plan) {
        let can_interrupt = !self.is_speaking;
        if can_interrupt && plan.strikes(Trouble::CallerInterrupts) {
            self.think(plan, 100, 2_000);
        } else if can_interrupt && plan.strikes(Trouble::BackChannel) {
            let ms = plan.ms(200, 1_500);
            let word = *plan.chance.one_of(&["mhm", "yeah", "okay", "right"]);
            self.say_later(plan, ms, word);
        } else if can_interrupt && plan.strikes(Trouble::Noise) {
            let (at_ms, length_ms) = (plan.ms(100, 1_500), plan.ms(100, 900));
            self.noise(plan, at_ms, length_ms);
        } else if plan.strikes(Trouble::SilenceButton) {
            let ms = plan.ms(100, 1_500);
            plan.after(ms, Event::Report(Input::Carrier(CarrierInput::Interrupted)));
        }
    }

    /// The caller does something, or leaves.
    pub fn decide(&mut self, plan: &mut Plan, decision: u64, just_heard: &str) {
        if decision != self.decision || self.is_gone || self.is_speaking {
            return;
        }
        if plan.strikes(Trouble::CallerLeaves) || self.turns_left == 0 && plan.chance.happens(0.4) {
            plan.after(0, Event::Leaves);
            return;
        }
        self.turns_left = self.turns_left.saturating_sub(1);
        // A caller who hears nothing says something again, sooner or later.
        self.think(plan, 6_000, 25_000);
        if plan.strikes(Trouble::Noise) {
            let length_ms = plan.ms(100, 1_200);
            self.noise(plan, 0, length_ms);
        } else if plan.strikes(Trouble::Keys) {
            self.keys(plan);
        } else {
            let text = self.words(plan, just_heard);
            if plan.strikes(Trouble::TypedText) {
                self.note(&text);
                plan.after(0, Event::Report(Input::Carrier(CarrierInput::Typed { text: text.into() })));
            } else {
                self.say_later(plan, 0, &text);
            }
        }
    }

    fn words(&mut self, plan: &mut Plan, just_heard: &str) -> String {
        let answers: &[&str] = if just_heard.contains("Shall I") {
            &["yes please", "yes", "no", "no but on Tuesday", "what does it cost", "yes please"]
        } else if just_heard.contains("order?") {
            &["BL901771", "it is BL123456", "I do not know"]
        } else if just_heard.ends_with('?') && self.turns_left > 0 {
            WANTS
        } else if self.turns_left == 0 {
            &["that was all", "thank you that was all", "goodbye"]
        } else {
            WANTS
        };
        (*plan.chance.one_of(answers)).to_owned()
    }

    fn note(&mut self, text: &str) {
        self.said.push(' ');
        self.said.push_str(text);
        self.yeses += u64::from(text.split(' ').any(|word| matches!(word, "yes" | "yeah" | "okay" | "right")));
    }

    /// Plans the sounds and words of one thing said.
    fn say_later(&mut self, plan: &mut Plan, wait_ms: u64, text: &str) {
        self.speech += 1;
        let mut at_ms = wait_ms;
        self.note(text);
        self.voice_starts(plan, at_ms);
        let words: Vec<&str> = text.split(' ').collect();
        for (index, word) in words.iter().enumerate() {
            at_ms += plan.ms(180, 420);
            plan.after(at_ms, Event::Word((*word).to_owned()));
            if index + 1 < words.len() && plan.strikes(Trouble::Hesitation) {
                let pause_ms = plan.ms(300, 1_600);
                self.voice_stops(plan, at_ms);
                at_ms += pause_ms;
                self.voice_starts(plan, at_ms);
            }
        }
        self.voice_stops(plan, at_ms);
        plan.after(at_ms, Event::FellSilent(self.speech));
        self.is_speaking = true;
    }

    fn noise(&mut self, plan: &mut Plan, at_ms: u64, length_ms: u64) {
        self.speech += 1;
        self.voice_starts(plan, at_ms);
        self.voice_stops(plan, at_ms + length_ms);
        plan.after(at_ms + length_ms, Event::FellSilent(self.speech));
        self.is_speaking = true;
    }

    fn keys(&mut self, plan: &mut Plan) {
        let count = plan.ms(1, 8);
        let mut at_ms = 0;
        for _ in 0..count {
            at_ms += plan.ms(100, 1_200);
            let digit = Pii::new(*plan.chance.one_of(&['0', '1', '4', '7', '9', '*', '#']));
            plan.after(at_ms, Event::Report(Input::Carrier(CarrierInput::Dtmf { digit })));
        }
    }

    fn voice_starts(&mut self, plan: &mut Plan, at_ms: u64) {
        let detected_ms = at_ms + plan.ms(60, 160);
        plan.after(detected_ms, Event::Hear(Input::Speech(SpeechInput::Started)));
    }

    fn voice_stops(&mut self, plan: &mut Plan, at_ms: u64) {
        if !plan.strikes(Trouble::StopUnnoticed) {
            let silence_ms = 200;
            plan.after(at_ms + silence_ms, Event::Hear(Input::Speech(SpeechInput::Stopped { silence_ms })));
        }
    }

    /// The last planned word is over.
    pub fn fell_silent(&mut self, plan: &Plan, speech: u64) {
        if speech == self.speech {
            self.is_speaking = false;
            self.sounded_at = plan.now;
        }
    }
}
