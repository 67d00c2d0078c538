//! What people say on every phone line, whatever the business: greetings, thanks, goodbyes, "are you a robot", "say that
//! again", and above all that they want a person. English. Pure.

use super::words::{find_phrase, words};
use regex::Regex;
use std::sync::LazyLock;

/// A turn that is about the conversation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// "Hello."
    Greeting,
    /// "Thank you."
    Thanks,
    /// "Ok, great."
    Acknowledge,
    /// "Bye."
    Goodbye,
    /// "Are you a robot?"
    Robot,
    /// "What can you do?"
    Abilities,
    /// "Say that again."
    Repeat,
    /// They want a person.
    Human,
    /// "Never mind."
    NeverMind,
}

/// Sentences that the brain says by itself. None of them states a fact of the business.
pub mod lines {
    /// To a greeting.
    pub const GREETING: &str = "Hello! How can I help you?";
    /// To thanks.
    pub const THANKS: &str = "You're welcome. Is there anything else I can help you with?";
    /// To "ok".
    pub const ACKNOWLEDGE: &str = "Is there anything else I can help you with?";
    /// To a goodbye, when there is no tool that ends the call.
    pub const GOODBYE: &str = "Thank you for calling. Goodbye.";
    /// To "are you a robot".
    pub const ROBOT: &str =
        "Yes, I am an automated assistant. I answer questions and can connect you with a colleague.";
    /// To "what can you do".
    pub const ABILITIES: &str = "I am an automated assistant. Just tell me what you would like to know.";
    /// To "say that again" when nothing was said.
    pub const NOTHING_TO_REPEAT: &str = "I have not said anything yet. How can I help you?";
    /// To "never mind".
    pub const NEVER_MIND: &str = "All right. Is there anything else I can help you with?";
    /// When the documents hold no answer and a person can be reached.
    pub const DECLINE_OFFER: &str = "I don't know that. I can connect you with a colleague. Would you like that?";
    /// When the documents hold no answer and nobody can be reached.
    pub const DECLINE: &str = "I'm sorry, I don't know that.";
    /// For the second half of a double question.
    pub const DECLINE_REST_OFFER: &str = "I don't know the other part. I can connect you with a colleague.";
    /// The same when nobody can be reached.
    pub const DECLINE_REST: &str = "I'm sorry, I don't know the other part.";
    /// What all offers of a person hold.
    pub const OFFER: &str = "connect you with a colleague";
    /// When somebody wants a person and the agent has no tool for it.
    pub const NO_HANDOFF: &str = "I'm sorry, I cannot connect you from here.";
    /// Before a passage of which the gate is not sure.
    pub const CLOSEST: &str = "I am not sure. The closest I found is:";
    /// Before asking for an argument again.
    pub const ASK_AGAIN: &str = "I didn't get that.";
    /// When a tool's answer is empty.
    pub const TOOL_EMPTY: &str = "I could not find anything about that.";
    /// When there is nothing to answer.
    pub const NOT_HEARD: &str = "I'm sorry, I didn't get that. Could you say it again?";
}

macro_rules! pattern {
    ($name:ident, $regex:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($regex).expect("a constant expression"));
    };
}

// Matched against the words of the utterance: lower case, single spaces, no punctuation or apostrophes.
pattern!(
    HUMAN,
    r"(?x)
    \b(talk|speak|chat|connect(ed)?|transfer(red)?|put\sme\s(through|on)|pass\sme|get\sme|give\sme|want|need|prefer|reach|have)\b
      (\s\w+){0,4}?\s
      (human(\sbeing)?|(real|actual|live)\s(person|one|human|agent)|person|someone|somebody|anyone|anybody|agent|representative
        |rep|operator|manager|supervisor|boss|colleague|staff|employee|service\sdesk|front\sdesk|receptionist)\b
    |\b(human|operator|representative|agent)\splease\b
    |^(a\s)?(real\s|live\s)?(human|person|operator|agent|representative|manager|supervisor)$
    |\b(real|live|actual)\s(person|human)\b
    |\b(someone|somebody|anyone|anybody|colleague|person)\b(\s\w+){0,4}?\s(call|phone|ring)\sme\b
    |\b(call|phone|ring)\sme\sback\b
    |\b(customer\sservice|complaints?\sdepartment)\splease\b"
);
// Asking whether, when or how people can be reached is a question, not a request.
pattern!(
    ABOUT_HUMANS,
    r"^(when|what time|until when|which|where|who|how long|is there|are there|does|do you have|do you need)\b"
);
pattern!(
    NEEDS_THING,
    r"\b(need|want|have)\b(\s\w+){0,4}?\s(someone|somebody|anyone|anybody|person|agent|staff|employee)\b"
);
pattern!(
    ROBOT,
    r"(?x)
    \b(are|r)\s(you|u)\s(actually\s|really\s|just\s|even\s)?(an?\s)?(real\s)?(human|robot|bot|machine|computer|ai|person|real|automated|recording)\b
    |\bam\si\s(talking|speaking|chatting)\s(to|with)\s(an?\s)?(real\s|actual\s)?(human|robot|bot|machine|computer|ai|person|recording)\b
    |\bis\sthis\s(an?\s)(real\s)?(human|robot|bot|machine|computer|ai|person|recording)\b"
);
pattern!(
    REPEAT,
    r"(?x)
    \b(say|repeat|tell\sme)\s(that|it|this)(\s(again|once\smore|please|one\smore\stime))+$
    |^(can|could|would|will)\syou\s(please\s)?(repeat|say)(\s(that|it|this))?(\sagain|\sonce\smore)?(\splease)?$
    |^(please\s)?repeat(\s(that|it))?(\splease)?$
    |^(sorry\s)?(what\s(was\sthat|did\syou\ssay)|pardon(\sme)?|come\sagain|once\smore(\splease)?|again\splease|excuse\sme|i\sdid\s?nt\s(hear|catch|get)\s(that|it|you))$
    |^(sorry\s)?(i\s)?(didnt|did\snt|did\snot)\s(hear|catch|get)\s(that|it|you)(\s\w+){0,3}$"
);
pattern!(
    GOODBYE,
    r"(?x)
    \b(bye(\s?bye)?|goodbye|good\sbye|see\syou(\ssoon|\slater)?|have\sa\s(nice|good|great)\s(day|evening|weekend|one))$
    |^(no\s)?(thats?|that\sis|that\swas)\s(all|it|everything)(\sfor\s(now|today))?(\s(thanks?|thank\syou|cheers))?$
    |^(please\s)?(hang\sup|end\sthe\scall)(\splease)?$"
);
pattern!(
    THANKS,
    r"^((ok|okay|great|perfect|good|super|lovely|brilliant|excellent|wonderful|no|all right|alright|that s|thats|right|oh|very)\s)*(thanks|thank you|cheers|much appreciated)(\s(a lot|so much|very much|again|for (your|the) help|a million|that helps?|that helped|bye))*$"
);
pattern!(
    GREETING,
    r"^((well|oh|um|uh|yes|yeah)\s)*(hi|hello|hey|hiya|howdy|good (morning|afternoon|evening|day)|greetings)(\s(there|again|hello|everyone|you|guys|robin|how are you|how are you doing|how are you today))*$|^how are you( doing| today)*$|^(hello|hi) (can|do) you hear me$|^(is )?anybody there$"
);
pattern!(
    ACKNOWLEDGE,
    r"^((ok|okay|k|great|perfect|good|super|fine|cool|nice|alright|all right|right|sure|got it|i see|understood|makes sense|thats good|that is good|that s good|very good|sounds good|excellent|lovely|wonderful|brilliant|awesome|aha|ah|oh|mhm|uh huh|yes|yeah|yep|wow|interesting|good to know|no|nope|no problem|that helps|i understand)\s?)+$"
);
pattern!(
    NEVER_MIND,
    r"^(no\s|ok\s|oh\s|sorry\s)*(never ?mind|forget (it|about it|that)|leave it|doesnt matter|it doesnt matter|cancel that|stop|no thanks|no thank you|skip it)$"
);
pattern!(
    ABILITIES,
    r"^(so )?(what can you (do|help( me)? with)|how can you help( me)?|what do you do|who are you|who am i (speaking|talking) (to|with)|help( me)?|i need (some )?help|can you help me|i have (a|another) question|can i ask (you )?(something|a question))$"
);
pattern!(
    YES,
    r"^(yes|yeah|yep|yup|sure|ok|okay|please|please do|yes please|of course|absolutely|definitely|go ahead|do that|that would be (great|nice|good)|id like that|i would like that)(\s(please|do|thanks|thank you|that would be (great|nice|good)|id like that|do that|connect me|go ahead))*$"
);
pattern!(
    NO,
    r"^(no|nope|nah|not now|rather not)(\s(thanks|thank you|its fine|that s fine|thats fine|not now|not necessary|im good))*$"
);
pattern!(
    LEAD_IN,
    r"(?xi)^\s*(?:
      (?:hi|hello|hey|good\s+(?:morning|afternoon|evening|day)|there|ok(?:ay)?|all\s?right|right|so|well|um+|uh+|er+m?|yes|yeah|yep|no|oh|ah|great|perfect|thanks(?:\s+a\s+lot)?|thank\s+you(?:\s+(?:so|very)\s+much)?|sorry|excuse\s+me|please|listen|look
        |(?:i\s+(?:just\s+)?(?:have|had|got)\s+a\s+(?:quick\s+)?question)
        |(?:quick\s+question)
        |(?:(?:can|could|may)\s+i\s+ask(?:\s+you)?(?:\s+(?:something|a\s+question))?)
      )\b[\s,.!:;…—-]*)+"
);
pattern!(
    TELL_ME,
    r"(?xi)^\s*(?:
       (?:can|could|would)\s+you\s+(?:please\s+|maybe\s+|perhaps\s+)?(?:tell\s+me|explain|let\s+me\s+know)(?:\s+please)?\s+
      |(?:please\s+)?(?:tell\s+me)\s+
      |i\s*(?:'d|would)\s+(?:just\s+)?like\s+to\s+know\s+
      |i\s+(?:just\s+)?(?:want(?:ed)?|need)\s+to\s+(?:know|ask)\s+
      |(?:i\s+was|i\s*'m|i\s+am)\s+(?:just\s+)?wondering\s+
      |do\s+you\s+(?:happen\s+to\s+)?know\s+
      |any\s+(?:idea|chance\s+you\s+know)\s+
    )"
);

/// The utterance as one line of plain words, as the patterns above see it.
fn plain(utterance: &str) -> String {
    words(utterance).join(" ")
}

/// What the turn is, if it is about the conversation itself. A wish for a person is found anywhere in it; everything else
/// must be the whole of it.
pub fn recognise(utterance: &str) -> Option<Talk> {
    let text = plain(utterance);
    if text.is_empty() {
        return None;
    }
    if ROBOT.is_match(&text) {
        return Some(Talk::Robot);
    }
    let table: [(&Regex, Talk); 8] = [
        (&REPEAT, Talk::Repeat),
        (&NEVER_MIND, Talk::NeverMind),
        (&ABILITIES, Talk::Abilities),
        (&GREETING, Talk::Greeting),
        (&THANKS, Talk::Thanks),
        (&GOODBYE, Talk::Goodbye),
        (&ACKNOWLEDGE, Talk::Acknowledge),
        (&HUMAN, Talk::Human),
    ];
    if wants_human(&text) {
        return Some(Talk::Human);
    }
    let goodbye = GOODBYE.is_match(&text) && text.split(' ').count() <= 9;
    if goodbye {
        return Some(Talk::Goodbye);
    }
    table
        .iter()
        .filter(|(_, talk)| !matches!(talk, Talk::Human | Talk::Goodbye))
        .find(|(p, _)| p.is_match(&text))
        .map(|t| t.1)
}

fn wants_human(text: &str) -> bool {
    if !HUMAN.is_match(text) || ABOUT_HUMANS.is_match(text) {
        return false;
    }
    // "I need someone to fix my bike" is a job, "I need to speak to someone" is not.
    let speech =
        ["talk", "speak", "chat", "connect", "connected", "transfer", "transferred", "human", "real", "through", "me"];
    let said: Vec<String> = text.split(' ').map(str::to_owned).collect();
    !NEEDS_THING.is_match(text) || speech.iter().any(|word| find_phrase(&said, word).is_some()) || said.len() <= 6
}

/// A plain yes.
pub fn is_yes(utterance: &str) -> bool {
    YES.is_match(&plain(utterance))
}

/// A plain no.
pub fn is_no(utterance: &str) -> bool {
    NO.is_match(&plain(utterance))
}

/// The utterance without what people say before a question ("hi, um, quick question, could you tell me …"). Never empty
/// unless the utterance is.
pub fn without_lead_in(utterance: &str) -> &str {
    let mut text = utterance.trim();
    for _ in 0..3 {
        for pattern in [&*LEAD_IN, &*TELL_ME] {
            if let Some(found) = pattern.find(text) {
                let rest = text[found.end()..].trim_start();
                if words(rest).len() >= 2 {
                    text = rest;
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_a_person_always_wins() {
        for said in [
            "I want to talk to a human being",
            "Get me a manager, I've had enough",
            "could someone from your team call me",
            "hello, can you put me through to somebody please",
            "operator please",
            "can I speak with someone about my order 48213",
            "I need a real person",
            "just give me an agent",
            "transfer me to a colleague",
            "call me back",
        ] {
            assert_eq!(recognise(said), Some(Talk::Human), "{said}");
        }
    }

    #[test]
    fn questions_about_people_and_numbers_are_not_a_wish_for_one() {
        for said in [
            "when does a person answer the phone",
            "what number can I call",
            "I need someone to fix the brakes on my old bicycle",
            "do you have a manager",
            "may I bring another person to the test ride",
        ] {
            assert_eq!(recognise(said), None, "{said}");
        }
    }

    #[test]
    fn turns_about_the_conversation_are_recognised() {
        for (said, talk) in [
            ("hello!", Talk::Greeting),
            ("Good morning", Talk::Greeting),
            ("thank you so much, bye", Talk::Goodbye),
            ("thanks a lot", Talk::Thanks),
            ("ok great", Talk::Acknowledge),
            ("are you a robot?", Talk::Robot),
            ("am I talking to a real person", Talk::Robot),
            ("sorry, what did you say?", Talk::Repeat),
            ("can you repeat that please", Talk::Repeat),
            ("never mind", Talk::NeverMind),
            ("that's all, thanks", Talk::Goodbye),
            ("who are you", Talk::Abilities),
        ] {
            assert_eq!(recognise(said), Some(talk), "{said}");
        }
    }

    #[test]
    fn a_greeting_before_a_question_is_no_greeting() {
        assert_eq!(recognise("hello, do you deliver to Austria"), None);
        assert_eq!(without_lead_in("Hi, um, could you tell me when you open?"), "when you open?");
        assert_eq!(without_lead_in("hello"), "hello");
        assert_eq!(without_lead_in("No, I need a basic service"), "I need a basic service");
        assert!(is_yes("yes please") && !is_yes("yes but how much is it") && is_no("no thanks"));
    }
}
