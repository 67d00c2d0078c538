//! Letting a small language model rephrase one passage, and not believing what it says. Pure.
//!
//! The default brain has found a passage, decided that it answers, and would read it out. A [`Phrasing`] asks a model for one
//! sentence from that passage alone, and [`Phrasing::check`] refuses what is visibly not in it. Whoever is refused is
//! replaced by the passage, word for word.
//!
//! The check sees invented numbers, lost negations and addresses. It cannot see two numbers of the passage that changed
//! places, a unit that changed, or a sentence that is wrong in any other way.

use super::words::words;
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Citation, Finish, GenerationEvent, GenerationRequest};
use std::collections::BTreeSet;

/// Tokens of a rephrased answer: one or two spoken sentences.
pub const PHRASED_TOKENS_MAX: u32 = 64;
/// A rephrased answer may be this many times as long as its passage, and [`SLACK_CHARS`] more.
const LENGTH_FACTOR_MAX: usize = 2;
const SLACK_CHARS: usize = 40;

/// The part of the prompt that never changes, so that a model keeps it in its cache.
pub const INSTRUCTIONS: &str = "You speak for a company on the telephone. Answer the customer in one short sentence, with \
    the facts of the text only. Leave numbers, names and conditions as they are. If the text says not, say not.";

/// One answer that may be said in other words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrasing {
    question: String,
    citation: Citation,
    language: String,
}

/// Why a rephrased answer is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Nothing was said.
    #[error("it said nothing")]
    Empty,
    /// It ran out of tokens or is much longer than the passage.
    #[error("it is too long")]
    TooLong,
    /// A number that the passage does not have.
    #[error("it has a number that the passage does not have")]
    Number,
    /// A link or an e-mail address that the passage does not have.
    #[error("it has an address that the passage does not have")]
    Address,
    /// The passage denies something and the answer nothing, or the other way round.
    #[error("it denies what the passage does not deny, or the other way round")]
    Negation,
    /// It is about the model and not about the question.
    #[error("it speaks of itself")]
    Itself,
}

impl Doubt {
    /// A stable word for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Number => "number",
            Self::Address => "address",
            Self::Negation => "negation",
            Self::Itself => "itself",
        }
    }
}

impl Phrasing {
    /// What may be rephrased of an answer: all of it or nothing. An answer qualifies when it is one cited passage and not a
    /// word more. Doubtful findings ("the closest I found is"), double questions, tools, questions back, offers of a person
    /// and everything about the conversation itself stay as they are.
    pub fn of(request: &GenerationRequest, answer: &[GenerationEvent]) -> Option<Self> {
        let Some(ChatMessage::Customer { text: question }) = request.messages.last() else { return None };
        let mut said = String::new();
        let mut cited: Option<&Citation> = None;
        let mut is_done = false;
        for event in answer {
            match event {
                GenerationEvent::Started | GenerationEvent::Usage(_) => {}
                GenerationEvent::Text { delta } => said.push_str(delta),
                GenerationEvent::Cited { citations } => match (citations.as_slice(), cited) {
                    ([one], None) => cited = Some(one),
                    _ => return None,
                },
                GenerationEvent::Done { finish: Finish::Stop } => is_done = true,
                GenerationEvent::ToolCall { .. }
                | GenerationEvent::NeedSlot(_)
                | GenerationEvent::Done { .. }
                | GenerationEvent::Failed(_) => return None,
            }
        }
        let citation = cited?;
        let passage = words(&citation.quote);
        let is_whole = is_done && !passage.is_empty() && passage == words(&said);
        is_whole.then(|| Self {
            question: question.expose().trim().to_owned(),
            citation: citation.clone(),
            language: request.language.clone(),
        })
    }

    /// What the model is asked. The passage is never empty, and there is nothing else in it to get wrong: no tools, no
    /// earlier turns, no other passages.
    pub fn request(&self) -> GenerationRequest {
        let asked = format!("Text: {}\n\nQuestion: {}", self.citation.quote.trim(), self.question);
        GenerationRequest {
            brain: BrainChoice::Llm { provider: None, model: None },
            messages: vec![
                ChatMessage::System { text: INSTRUCTIONS.to_owned() },
                ChatMessage::Customer { text: asked.into() },
            ],
            tools: Vec::new(),
            awaiting: None,
            language: self.language.clone(),
            tokens_max: PHRASED_TOKENS_MAX,
        }
    }

    /// The passage as it stands.
    pub fn passage(&self) -> &str {
        &self.citation.quote
    }

    /// Whether the answer may be said instead of the passage. It can refuse a true answer; it can pass a false one.
    ///
    /// # Errors
    /// The first doubt.
    pub fn check(&self, said: &str, finish: Finish) -> Result<(), Doubt> {
        let passage = &self.citation.quote;
        let spoken = words(said);
        if spoken.is_empty() {
            return Err(Doubt::Empty);
        }
        let is_long = said.chars().count() > LENGTH_FACTOR_MAX * passage.chars().count() + SLACK_CHARS;
        if finish != Finish::Stop || is_long {
            return Err(Doubt::TooLong);
        }
        if !numbers(said).is_subset(&numbers(passage)) {
            return Err(Doubt::Number);
        }
        if !addresses(said).is_subset(&addresses(passage)) {
            return Err(Doubt::Address);
        }
        if denies(&spoken) != denies(&words(passage)) {
            return Err(Doubt::Negation);
        }
        if speaks_of_itself(&spoken) {
            return Err(Doubt::Itself);
        }
        Ok(())
    }
}

/// The events of an answer in which the passage was said in other words: the citation keeps the passage itself.
pub fn replace_text(answer: Vec<GenerationEvent>, said: &str) -> Vec<GenerationEvent> {
    let mut said = Some(said.trim().to_owned());
    answer
        .into_iter()
        .filter_map(|event| match event {
            GenerationEvent::Text { .. } => said.take().map(|delta| GenerationEvent::Text { delta }),
            other => Some(other),
        })
        .collect()
}

/// Every number of a text in one form: "1,500", "1500" and "fifteen hundred" are `1500`, "9:00" is `9` and `0`, "4.50" is
/// `4.5`. Words that count without being numbers stand for themselves.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    digits(text, &mut found);
    let mut run: Option<Run> = None;
    for word in words(text) {
        let Some(value) = spelled(&word) else {
            if word != "and" {
                found.extend(run.take().map(Run::text));
            }
            if COUNTS.contains(&word.as_str()) {
                found.insert(word);
            }
            continue;
        };
        if !run.as_mut().is_some_and(|run| run.takes(value)) {
            found.extend(run.replace(Run::new(value)).map(Run::text));
        }
    }
    found.extend(run.map(Run::text));
    found
}

/// Words that say how many or when without being a number.
const COUNTS: &[&str] = &[
    "half",
    "quarter",
    "third",
    "once",
    "twice",
    "thrice",
    "double",
    "triple",
    "dozen",
    "dozens",
    "hundreds",
    "thousands",
    "noon",
    "midday",
    "midnight",
];

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn spelled(word: &str) -> Option<u64> {
    let small = || SMALL.iter().position(|one| *one == word).map(|at| at as u64);
    let tens = || TENS.iter().position(|one| *one == word).map(|at| 20 + 10 * at as u64);
    let scale = || match word {
        "hundred" => Some(100),
        "thousand" => Some(1_000),
        "million" => Some(1_000_000),
        _ => None,
    };
    small().or_else(tens).or_else(scale)
}

/// A number that is being read from words.
struct Run {
    /// What whole thousands and millions make.
    whole: u64,
    /// What has no scale yet.
    part: u64,
    last: u64,
}

impl Run {
    fn new(value: u64) -> Self {
        Self { whole: 0, part: value, last: value }
    }

    /// Whether the word goes on with this number; "twenty five" does, "nine five" does not.
    fn takes(&mut self, value: u64) -> bool {
        match value {
            100 if (1..100).contains(&self.part) => self.part *= 100,
            1_000 | 1_000_000 if self.part > 0 && self.part < 1_000 => {
                self.whole = self.whole.saturating_add(self.part * value);
                self.part = 0;
            }
            1..=9 if (20..100).contains(&self.last) => self.part += value,
            1..=99 if self.last >= 100 && self.last.to_string().ends_with("00") => self.part += value,
            _ => return false,
        }
        self.last = value;
        true
    }

    fn text(self) -> String {
        self.whole.saturating_add(self.part).to_string()
    }
}

fn digits(text: &str, found: &mut BTreeSet<String>) {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut at = 0;
    while at < chars.len() {
        if !digit(at) {
            at += 1;
            continue;
        }
        let mut number = String::new();
        while digit(at) || is_inside(&chars, at) {
            if chars[at] != ',' {
                number.push(chars[at]);
            }
            at += 1;
        }
        found.insert(canonical(&number));
    }
}

/// Whether the mark here belongs to the number around it: a decimal point, or a comma before exactly three digits.
fn is_inside(chars: &[char], at: usize) -> bool {
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    match chars.get(at) {
        Some('.') => at > 0 && digit(at - 1) && digit(at + 1),
        Some(',') => at > 0 && digit(at - 1) && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4),
        _ => false,
    }
}

fn canonical(number: &str) -> String {
    let number = match number.split_once('.') {
        Some((_, fraction)) if !fraction.contains('.') => number.trim_end_matches('0').trim_end_matches('.'),
        _ => number,
    };
    let short = number.trim_start_matches('0');
    if short.is_empty() || short.starts_with('.') { format!("0{short}") } else { short.to_owned() }
}

/// Links and e-mail addresses, in small letters.
fn addresses(text: &str) -> BTreeSet<String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| word.contains('@') || word.contains("://") || word.starts_with("www."))
        .collect()
}

fn denies(words: &[String]) -> bool {
    const NO: &[&str] = &[
        "no",
        "not",
        "never",
        "none",
        "nothing",
        "nobody",
        "nowhere",
        "neither",
        "nor",
        "without",
        "except",
        "unless",
        "only",
        "exclude",
        "excluded",
        "excludes",
        "excluding",
        "closed",
        "cannot",
        "unfortunately",
        "unavailable",
        "impossible",
    ];
    words.iter().any(|word| NO.contains(&word.as_str()) || is_contracted_not(word))
}

/// "don't" comes without its apostrophe.
fn is_contracted_not(word: &str) -> bool {
    const NOT: &[&str] = &[
        "dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "cant", "couldnt", "wont", "wouldnt",
        "shouldnt", "hasnt", "havent", "hadnt", "mustnt",
    ];
    NOT.contains(&word)
}

fn speaks_of_itself(words: &[String]) -> bool {
    let text = words.join(" ");
    ["language model", "as an ai", "the text", "the passage", "provided text", "i am not a robot", "im not a robot"]
        .iter()
        .any(|phrase| format!(" {text} ").contains(&format!(" {phrase} ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::generation::AwaitedSlot;

    fn request(question: &str) -> GenerationRequest {
        GenerationRequest {
            brain: BrainChoice::Local,
            messages: vec![ChatMessage::Customer { text: question.to_owned().into() }],
            tools: Vec::new(),
            awaiting: None,
            language: "en".into(),
            tokens_max: 300,
        }
    }

    fn citation(quote: &str) -> Citation {
        Citation { document: "Help".into(), section: "One".into(), quote: quote.into(), page: None }
    }

    fn text(delta: &str) -> GenerationEvent {
        GenerationEvent::Text { delta: delta.into() }
    }

    fn answer(said: &str, quote: &str) -> Vec<GenerationEvent> {
        vec![
            GenerationEvent::Started,
            text(said),
            GenerationEvent::Cited { citations: vec![citation(quote)] },
            GenerationEvent::Done { finish: Finish::Stop },
        ]
    }

    fn over(quote: &str) -> Phrasing {
        Phrasing::of(&request("why?"), &answer(quote, quote)).expect("one cited passage")
    }

    #[test]
    fn one_cited_passage_may_be_rephrased_and_the_model_sees_nothing_else() {
        let mut request = request("When are you open?");
        request.messages.insert(0, ChatMessage::System { text: "Secret instructions".into() });
        let answer = answer("We are open from 9 to 6. ", "We are open from 9 to 6.");
        let asked = Phrasing::of(&request, &answer).expect("one cited passage").request();
        assert!(asked.tools.is_empty());
        let ChatMessage::Customer { text } = &asked.messages[1] else { panic!("a question") };
        assert_eq!(text.expose(), "Text: We are open from 9 to 6.\n\nQuestion: When are you open?");
        assert_eq!(asked.messages.len(), 2);
        assert!(!format!("{:?}", asked.messages[0]).contains("Secret"));
    }

    #[test]
    fn declines_tools_questions_back_doubtful_and_double_answers_stay_the_default_brains() {
        let ask = request("why?");
        let quote = "We are open.";
        let closest = answer("I am not sure. The closest I found is: We are open.", quote);
        assert_eq!(Phrasing::of(&ask, &closest), None);
        let mut double = answer("We are open. It is free. ", quote);
        double[2] = GenerationEvent::Cited { citations: vec![citation(quote), citation("It is free.")] };
        assert_eq!(Phrasing::of(&ask, &double), None);
        let mut slot = answer(quote, quote);
        let awaited = AwaitedSlot { tool: "order".into(), args: serde_json::Map::new(), slot: "id".into() };
        slot.insert(2, GenerationEvent::NeedSlot(awaited));
        assert_eq!(Phrasing::of(&ask, &slot), None);
        let mut declined = answer(quote, quote);
        declined[3] = GenerationEvent::Done { finish: Finish::Declined };
        assert_eq!(Phrasing::of(&ask, &declined), None);
        let plain = [GenerationEvent::Started, text("Hello!"), GenerationEvent::Done { finish: Finish::Stop }];
        assert_eq!(Phrasing::of(&ask, &plain), None);
    }

    #[test]
    fn an_empty_passage_is_never_given_to_a_model() {
        assert_eq!(Phrasing::of(&request("why?"), &answer("", "")), None);
        assert_eq!(Phrasing::of(&request("why?"), &answer(" ", " \n")), None);
    }

    #[test]
    fn a_number_that_the_passage_does_not_have_is_refused() {
        let over =
            over("Shipping costs 4.50 euros below 1,500 euros, open 9:00 to 16:00, at most two hundred fifty kilos.");
        for said in [
            "It is 4.5 euros.",
            "Below 1500 it is 4.50.",
            "Open from nine to sixteen.",
            "Up to 250 kilos.",
            "Up to two hundred and fifty kilos.",
            "Below one thousand five hundred euros.",
        ] {
            assert_eq!(over.check(said, Finish::Stop), Ok(()), "{said}");
        }
        for said in
            ["It is 4.05 euros.", "Below 15000.", "At 10 o'clock.", "Up to two hundred kilos.", "Twice a day.", "One."]
        {
            assert_eq!(over.check(said, Finish::Stop), Err(Doubt::Number), "{said}");
        }
    }

    #[test]
    fn two_numbers_that_changed_places_pass_and_that_is_a_known_limit() {
        let over = over("The range is 60 kilometers in Turbo mode and 90 kilometers in Eco mode.");
        assert_eq!(over.check("The range is 90 kilometers in Turbo mode.", Finish::Stop), Ok(()));
    }

    #[test]
    fn a_denial_that_was_lost_or_added_is_refused() {
        let denied = over("We do not deliver to Switzerland.");
        assert_eq!(denied.check("Yes, we deliver to Switzerland.", Finish::Stop), Err(Doubt::Negation));
        assert_eq!(denied.check("No, we don't deliver there.", Finish::Stop), Ok(()));
        let open = over("Saturdays from nine.");
        assert_eq!(open.check("We are closed on Saturday from nine.", Finish::Stop), Err(Doubt::Negation));
    }

    #[test]
    fn what_is_cut_off_empty_or_about_the_model_is_refused() {
        let over = over("Returns are free.");
        assert_eq!(over.check("  ", Finish::Stop), Err(Doubt::Empty));
        assert_eq!(over.check("Returns are", Finish::Length), Err(Doubt::TooLong));
        assert_eq!(over.check(&"Returns are free. ".repeat(9), Finish::Stop), Err(Doubt::TooLong));
        assert_eq!(over.check("According to the text, free.", Finish::Stop), Err(Doubt::Itself));
        assert_eq!(over.check("Write to a@b.example.", Finish::Stop), Err(Doubt::Address));
    }

    #[test]
    fn the_citation_keeps_the_passage_word_for_word() {
        let replaced = replace_text(answer("Returns are free. ", "Returns are free."), " It is free. ");
        assert_eq!(replaced, answer("It is free.", "Returns are free."));
    }
}
