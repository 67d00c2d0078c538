//! Who or what answers a call that we placed: a person who says hello, a voicemail with its beep, an assistant that asks
//! who is calling, a menu, a fax, or nobody.

use super::plan::{Event, Plan};
use engine::Input;
use engine::invariants::CallerSound;
use engine::io::{LineTone, SpeechInput};
use model::journal::Party;

/// What a machine says and does.
struct Opening {
    party: Party,
    words: &'static str,
    tone: Option<LineTone>,
}

const OPENINGS: &[Opening] = &[
    Opening { party: Party::Human, words: "hello", tone: None },
    Opening { party: Party::Human, words: "Schmidt speaking hello", tone: None },
    Opening {
        party: Party::Voicemail,
        words: "hi you have reached the voicemail of Anna please leave a message after the tone",
        tone: Some(LineTone::Beep),
    },
    Opening { party: Party::Screening, words: "please say your name and why you are calling", tone: None },
    Opening { party: Party::Menu, words: "for sales press one for service press two", tone: None },
    Opening { party: Party::Fax, words: "", tone: Some(LineTone::FaxAnswering) },
    Opening { party: Party::Silence, words: "", tone: None },
];

/// Plans what is heard once the call is picked up. Gives who it is and what they say.
pub fn answers(plan: &mut Plan) -> (Party, &'static str) {
    let opening = plan.chance.one_of(OPENINGS);
    let mut at_ms = plan.ms(200, 1_200);
    let hear = |plan: &mut Plan, ms: u64, input| plan.after(ms, Event::Hear(Input::Speech(input)));
    if !opening.words.is_empty() {
        plan.after(at_ms, Event::Sound(CallerSound::Unclear, true));
        hear(plan, at_ms + 80, SpeechInput::Started);
        for word in opening.words.split(' ') {
            at_ms += plan.ms(180, 350);
            plan.after(at_ms, Event::Word(CallerSound::Unclear, word.to_owned()));
        }
        plan.after(at_ms, Event::Sound(CallerSound::Unclear, false));
        hear(plan, at_ms + 100, SpeechInput::Lull { silence_ms: 100 });
        hear(plan, at_ms + 200, SpeechInput::Stopped { silence_ms: 200 });
    }
    if let Some(tone) = opening.tone {
        let ms = at_ms + plan.ms(300, 1_000);
        hear(plan, ms, SpeechInput::Tone { tone });
    }
    (opening.party, opening.words)
}
