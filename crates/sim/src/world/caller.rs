//! The caller: speaks with pauses, interrupts, hums, makes noise, types, presses keys, says yes and no, and hangs up.

use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::{CallTime, Pii};
use engine::Input;
use engine::invariants::CallerSound;
use engine::io::{CarrierInput, Overlap, SpeechInput};

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

/// Stories of several sentences, with pauses for breath.
const STORIES: &[&str] = &[
    "well last week I brought my bicycle to your shop. and your colleague told me that it would take a day. \
     but nobody has called me since and I am a little worried about it.",
    "my neighbour has one of these new bicycles. it is really quite light. and I was wondering. what does one cost?",
];

/// A number as people give it, with a breath after each group.
const NUMBER: &str = "my number is, four eight two, nine one seven, three three oh five";

/// What people say to others in the room.
const ASIDES: &[&str] = &["tell him I am on the phone", "in a minute", "put it on the table please"];

/// Silence after which a lull is told, and after which the end of speech is.
const LULL_MS: u64 = 100;
const STOPPED_MS: u64 = 200;

/// Between two things said there is at least so much silence, else they are one.
const BREATH_MS: u64 = 300;

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
    /// Words of the agent that came back over the line.
    pub echoed: Vec<String>,
    /// When the caller gives a number, group by group, without the first words about it.
    pub number: Option<(CallTime, CallTime)>,
    /// How often the caller agreed to something.
    pub yeses: u64,
    /// Nobody is there: a machine has answered.
    pub is_machine: bool,
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

    /// The agent begins to speak: some callers do not wait, others make sounds that mean nothing.
    pub fn heard_begin(&mut self, plan: &mut Plan) {
        let can_interrupt = !self.is_machine && !self.is_speaking && plan.now.since(self.sounded_at).0 >= BREATH_MS;
        let has_evidence = !plan.swarm.knows(Trouble::NoEvidence);
        if can_interrupt && plan.strikes(Trouble::CallerInterrupts) {
            self.think(plan, 100, 2_000);
        } else if can_interrupt && plan.strikes(Trouble::BackChannel) {
            let ms = plan.ms(200, 1_500);
            if plan.chance.happens(0.4) {
                let length_ms = plan.ms(150, 400);
                self.sound(plan, CallerSound::Listening, ms, length_ms);
            } else {
                let word = *plan.chance.one_of(&["mhm", "yeah", "okay", "right", "uh-huh"]);
                self.say_later(plan, ms, word, CallerSound::Listening);
            }
        } else if can_interrupt && plan.strikes(Trouble::Cough) {
            let (at_ms, length_ms) = (plan.ms(100, 1_500), plan.ms(120, 500));
            self.sound(plan, CallerSound::Noise, at_ms, length_ms);
        } else if can_interrupt && has_evidence && plan.strikes(Trouble::SideTalk) {
            let ms = plan.ms(200, 1_000);
            let words = *plan.chance.one_of(ASIDES);
            self.say_later(plan, ms, words, CallerSound::Aside);
        } else if can_interrupt && has_evidence && plan.strikes(Trouble::Echo) {
            let ms = plan.ms(200, 1_500);
            plan.after(ms, Event::Echo);
        } else if can_interrupt && plan.strikes(Trouble::Noise) {
            let (at_ms, length_ms) = (plan.ms(100, 1_500), plan.ms(100, 900));
            self.sound(plan, CallerSound::Unclear, at_ms, length_ms);
        } else if plan.strikes(Trouble::SilenceButton) {
            let ms = plan.ms(100, 1_500);
            plan.after(ms, Event::Report(Input::Carrier(CarrierInput::Interrupted)));
        }
    }

    /// The caller does something, or leaves.
    pub fn decide(&mut self, plan: &mut Plan, decision: u64, just_heard: &str) {
        if decision != self.decision || self.is_gone || self.is_speaking || self.is_machine {
            return;
        }
        if plan.now.since(self.sounded_at).0 < BREATH_MS {
            self.think(plan, BREATH_MS, 2 * BREATH_MS);
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
            self.sound(plan, CallerSound::Unclear, 0, length_ms);
        } else if plan.strikes(Trouble::Keys) {
            self.keys(plan);
        } else {
            let text = self.words(plan, just_heard);
            if plan.strikes(Trouble::TypedText) {
                self.note(&text);
                plan.after(0, Event::Report(Input::Carrier(CarrierInput::Typed { text: text.into() })));
            } else {
                // What a recogniser keeps back for ever may turn up as the answer to any question.
                self.yeses += u64::from(plan.swarm.knows(Trouble::FinalMissing) && text.ends_with("sure"));
                self.say_later(plan, 0, &text, CallerSound::Words);
            }
        }
    }

    fn words(&mut self, plan: &mut Plan, just_heard: &str) -> String {
        if plan.strikes(Trouble::Story) {
            return (*plan.chance.one_of(STORIES)).to_owned();
        }
        if plan.strikes(Trouble::Digits) {
            return NUMBER.to_owned();
        }
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

    /// Plans the sounds and words of one thing said. After a comma or a full stop people breathe.
    fn say_later(&mut self, plan: &mut Plan, wait_ms: u64, text: &str, sound: CallerSound) {
        self.speech += 1;
        let mut at_ms = wait_ms;
        self.note(text);
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut began_ms = at_ms;
        self.voice_starts(plan, at_ms);
        for (index, word) in words.iter().enumerate() {
            at_ms += plan.ms(180, 420);
            plan.after(at_ms, Event::Word(sound, (*word).to_owned()));
            let breathes = word.ends_with([',', '.']);
            if index + 1 < words.len() && (breathes || plan.strikes(Trouble::Hesitation)) {
                let pause_ms = if breathes { plan.ms(200, 800) } else { plan.ms(300, 1_600) };
                self.was_voiced(plan, sound, began_ms, at_ms);
                self.voice_stops(plan, at_ms, Some(pause_ms));
                at_ms += pause_ms;
                began_ms = at_ms;
                self.voice_starts(plan, at_ms);
            }
        }
        self.was_voiced(plan, sound, began_ms, at_ms);
        self.voice_stops(plan, at_ms, None);
        if text == NUMBER {
            let from_ms = at_ms.min(wait_ms + 1_500);
            self.number = Some((plan.now + base::Millis(from_ms), plan.now + base::Millis(at_ms)));
        }
        plan.after(at_ms, Event::FellSilent(self.speech));
        self.is_speaking = true;
    }

    /// A sound without words.
    fn sound(&mut self, plan: &mut Plan, sound: CallerSound, at_ms: u64, length_ms: u64) {
        self.speech += 1;
        self.voice_starts(plan, at_ms);
        self.was_voiced(plan, sound, at_ms, at_ms + length_ms);
        self.voice_stops(plan, at_ms + length_ms, None);
        plan.after(at_ms + length_ms, Event::FellSilent(self.speech));
        self.is_speaking = true;
    }

    /// The agent's voice comes back for as long as it is heard, with its last words where the recogniser makes them out.
    pub fn echo(&mut self, plan: &mut Plan, audible_ms: Option<u64>, heard: &str) {
        let Some(left_ms) = audible_ms.filter(|ms| *ms > 600 && !self.is_machine && !self.is_speaking && !self.is_gone)
        else {
            return;
        };
        let length_ms = plan.ms(200, left_ms.min(1_200) - 300);
        if plan.chance.happens(0.5)
            && let Some(word) = heard.split_whitespace().next_back()
        {
            plan.after(length_ms, Event::Word(CallerSound::Echo, word.to_owned()));
        }
        self.sound(plan, CallerSound::Echo, 0, length_ms);
    }

    /// The truth about a stretch of voice, and what the machine may be told of it while the agent is audible.
    fn was_voiced(&mut self, plan: &mut Plan, sound: CallerSound, from_ms: u64, to_ms: u64) {
        plan.after(from_ms, Event::Sound(sound, true));
        plan.after(to_ms, Event::Sound(sound, false));
        let (onset, until) = (plan.now + base::Millis(from_ms), plan.now + base::Millis(to_ms));
        plan.after(from_ms + 160, Event::Evidence(sound, onset, until));
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

    fn voice_stops(&mut self, plan: &mut Plan, at_ms: u64, pause_ms: Option<u64>) {
        let lasts = |ms: u64| pause_ms.is_none_or(|pause_ms| pause_ms > ms);
        if plan.strikes(Trouble::StopUnnoticed) {
            return;
        }
        for (silence_ms, input) in [
            (LULL_MS, SpeechInput::Lull { silence_ms: LULL_MS }),
            (STOPPED_MS, SpeechInput::Stopped { silence_ms: STOPPED_MS }),
        ] {
            if lasts(silence_ms) {
                plan.after(at_ms + silence_ms, Event::Hear(Input::Speech(input)));
            }
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

/// What a measurement of this sound over the agent gives.
pub fn evidence(plan: &mut Plan, sound: CallerSound, speech_ms: u64) -> Overlap {
    let (level_db, echo, voice) = match sound {
        CallerSound::Words => (plan.ms(0, 6) as f32 - 3.0, 0.05, 0.95),
        CallerSound::Listening => (plan.ms(0, 6) as f32 - 6.0, 0.05, 0.85),
        CallerSound::Noise => (plan.ms(0, 9) as f32 - 4.0, 0.05, plan.ms(5, 30) as f32 / 100.0),
        CallerSound::Aside => (-15.0, 0.1, 0.9),
        CallerSound::Echo => (plan.ms(0, 14) as f32 - 16.0, plan.ms(80, 97) as f32 / 100.0, 0.9),
        CallerSound::Unclear => (plan.ms(0, 12) as f32 - 9.0, 0.1, plan.ms(30, 90) as f32 / 100.0),
    };
    Overlap { speech_ms, level_db: Some(level_db), echo, voice, late_ms: 0 }
}
