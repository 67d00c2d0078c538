//! Answers that a brain gave before, given again: the same words in the same place of a conversation, or a first question
//! that means the same. One bounded store per node, apart for each business.
//!
//! Never kept: what came after a tool was used or asks for one, what was cut off, and what holds personal data. An answer
//! belongs to the instructions, the tools and the documents it was given with; when one of them changes it is not found.

use crate::reading::Meaning;
use base::{BusinessId, limits};
use local::language::pii;
use model::generation::{ChatMessage, Citation, GenerationRequest};
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two keyed hashes: nobody can make two requests meet.
type Key = (u64, u64);

/// A request whose answer may be known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    exact: Key,
    /// Everything but the words, when the question stands alone: the first of its call.
    frame: Option<Key>,
    /// The words that carry its meaning, stemmed, in any order.
    gist: BTreeSet<String>,
    pub(crate) words: String,
}

impl Question {
    /// Whether it may have the answer to a question that means the same.
    pub(crate) fn stands_alone(&self) -> bool {
        self.frame.is_some()
    }
}

/// An answer, whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) citations: Vec<Citation>,
}

/// How an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exact,
    Alike,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Alike => "alike",
        }
    }
}

struct Kept {
    answer: Answer,
    kept_ms: u64,
    used: u64,
    bytes: usize,
    /// What it answers, for questions that mean the same.
    meaning: Option<(Key, BTreeSet<String>, Meaning)>,
}

#[derive(Default)]
struct Inner {
    of: HashMap<Key, Kept>,
    bytes: usize,
    /// Counts uses, so that the least recently used answer is known.
    clock: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Answers {
    hashers: (RandomState, RandomState),
    inner: Mutex<Inner>,
}

fn has_personal_data(text: &str) -> bool {
    pii::mask(text) != text
}

/// Words as they are compared: without case, punctuation and doubled spaces.
fn plain(text: &str) -> String {
    let letters = text.chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' });
    let lower: String = letters.flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words that ask politely or hold a sentence together, and say nothing about what is asked. Whoever asks when, where, how long
/// or for how much asks something else; so does "without".
const EMPTY: &[&str] = &[
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "there",
    "here",
    "i",
    "i'd",
    "i'm",
    "i've",
    "i'll",
    "you",
    "you're",
    "we",
    "we're",
    "they",
    "it",
    "it's",
    "its",
    "me",
    "my",
    "mine",
    "your",
    "yours",
    "our",
    "us",
    "do",
    "does",
    "did",
    "is",
    "are",
    "am",
    "was",
    "were",
    "be",
    "been",
    "being",
    "can",
    "could",
    "would",
    "should",
    "will",
    "shall",
    "may",
    "might",
    "have",
    "has",
    "had",
    "got",
    "get",
    "to",
    "of",
    "for",
    "in",
    "on",
    "at",
    "by",
    "about",
    "and",
    "so",
    "then",
    "just",
    "also",
    "please",
    "hello",
    "hi",
    "hey",
    "thanks",
    "thank",
    "ok",
    "okay",
    "well",
    "um",
    "uh",
    "tell",
    "know",
    "want",
    "like",
    "need",
    "wonder",
    "wondering",
    "ask",
    "asking",
    "question",
    "let",
    "see",
    "if",
    "whether",
    "any",
    "some",
    "guys",
    "sir",
    "madam",
];

/// What a question is about. Two questions whose vectors are close may still ask for Saturday and for Sunday: models put
/// opposites close together. So the words that carry the meaning must be the same; how they are put may differ.
fn gist(words: &str, language: &str) -> BTreeSet<String> {
    let stemmer = match language.split('-').next() {
        Some("en") => Some(Algorithm::English),
        Some("de") => Some(Algorithm::German),
        Some("es") => Some(Algorithm::Spanish),
        Some("fr") => Some(Algorithm::French),
        _ => None,
    }
    .map(Stemmer::create);
    let carries = |word: &&str| !word.is_empty() && !EMPTY.contains(word);
    let stem = |word: &str| stemmer.as_ref().map_or_else(|| word.to_owned(), |stemmer| stemmer.stem(word).into_owned());
    words.split(' ').filter(carries).map(stem).collect()
}

/// Whether a capital letter within a sentence, which may begin a name, stands in a text although nothing that the agent was
/// told holds that word.
fn may_name_somebody(text: &str, known: &str) -> bool {
    let mut begins_sentence = true;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_capital = bare.chars().next().is_some_and(char::is_uppercase);
        let is_usual = matches!(bare, "I" | "I'm" | "I'd" | "I'll" | "I've") || known.contains(bare);
        if is_capital && !begins_sentence && !is_usual {
            return true;
        }
        begins_sentence = word.ends_with(['.', '?', '!']);
    }
    false
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No guarded section can panic half way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question that a request asks, if its answer may be kept at all. `documents` is the version of what the business's
    /// agents answer from, `brain` who would be asked: two that are compared do not answer for each other.
    pub(crate) fn question(
        &self,
        business: BusinessId,
        documents: u64,
        brain: &str,
        request: &GenerationRequest,
    ) -> Option<Question> {
        let (last, before) = request.messages.split_last()?;
        let ChatMessage::Customer { text } = last else { return None };
        if request.awaiting.is_some() {
            return None;
        }
        for message in &request.messages {
            match message {
                ChatMessage::ToolCall { .. } | ChatMessage::ToolResult { .. } => return None,
                ChatMessage::Customer { text } if has_personal_data(text.expose()) => return None,
                _ => {}
            }
        }
        let words = plain(text.expose());
        let GenerationRequest { tools, language, tokens_max, .. } = request;
        let frame = serde_json::to_string(&(business, documents, brain, before, tools, language, tokens_max)).ok()?;
        let key = |words: &str| {
            let both = (frame.as_str(), words);
            (self.hashers.0.hash_one(both), self.hashers.1.hash_one(both))
        };
        let is_first = !before.iter().any(|message| matches!(message, ChatMessage::Customer { .. }));
        let instructions: String = before
            .iter()
            .filter_map(|message| match message {
                ChatMessage::System { text } | ChatMessage::Agent { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let gist = gist(&words, language);
        let stands_alone = is_first && !gist.is_empty() && !may_name_somebody(text.expose(), &instructions);
        Some(Question { exact: key(&words), frame: stands_alone.then(|| key("")), gist, words })
    }

    /// The answer to exactly this.
    pub(crate) fn exact(&self, question: &Question, now_ms: u64) -> Option<Answer> {
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let kept = inner.of.get_mut(&question.exact).filter(|kept| is_fresh(kept, now_ms))?;
        kept.used = clock;
        Some(kept.answer.clone())
    }

    /// The answer to what is most alike, when it is at least so much alike.
    pub(crate) fn alike(&self, question: &Question, meaning: &Meaning, least: f32, now_ms: u64) -> Option<Answer> {
        let frame = question.frame?;
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let fresh = inner.of.values_mut().filter(|kept| is_fresh(kept, now_ms));
        let scored = fresh.filter_map(|kept| {
            let (of, gist, known) = kept.meaning.as_ref()?;
            let cosine = known.alike(meaning)?;
            (*of == frame && *gist == question.gist && cosine >= least).then_some((cosine, kept))
        });
        let (_, best) = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        best.used = clock;
        Some(best.answer.clone())
    }

    /// Keeps an answer. `meaning` is the question's vector, when alike questions may have it.
    pub(crate) fn keep(&self, question: &Question, answer: Answer, meaning: Option<Meaning>, now_ms: u64) -> bool {
        let is_long = answer.text.chars().count() > limits::ANSWER_KEPT_CHARS_MAX;
        if is_long || answer.text.trim().is_empty() || has_personal_data(&answer.text) {
            return false;
        }
        let quotes: usize = answer.citations.iter().map(|one| one.quote.len() + one.document.len()).sum();
        let bytes = 128 + answer.text.len() + quotes + meaning.as_ref().map_or(0, |meaning| meaning.vector.len() * 4);
        let may = question.frame.filter(|_| !may_name_somebody(&answer.text, ""));
        let meaning = may.zip(meaning).map(|(frame, meaning)| (frame, question.gist.clone(), meaning));
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        let kept = Kept { answer, kept_ms: now_ms, used, bytes, meaning };
        if let Some(before) = inner.of.insert(question.exact, kept) {
            inner.bytes -= before.bytes;
        }
        inner.bytes += bytes;
        inner.make_room(now_ms);
        true
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().of.len()
    }
}

fn is_fresh(kept: &Kept, now_ms: u64) -> bool {
    now_ms.saturating_sub(kept.kept_ms) <= limits::ANSWER_KEPT_MS_MAX
}

impl Inner {
    fn make_room(&mut self, now_ms: u64) {
        let is_full = |inner: &Self| inner.of.len() > limits::ANSWERS_MAX || inner.bytes > limits::ANSWER_BYTES_MAX;
        if !is_full(self) {
            return;
        }
        self.of.retain(|_, kept| is_fresh(kept, now_ms));
        self.bytes = self.of.values().map(|kept| kept.bytes).sum();
        while is_full(self) {
            let oldest = self.of.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            let Some(gone) = oldest.and_then(|key| self.of.remove(&key)) else { return };
            self.bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::agent::BrainChoice;

    fn asked(messages: Vec<ChatMessage>) -> GenerationRequest {
        GenerationRequest {
            brain: BrainChoice::Auto,
            messages,
            tools: Vec::new(),
            awaiting: None,
            language: "en".into(),
            tokens_max: 300,
        }
    }

    fn system(text: &str) -> ChatMessage {
        ChatMessage::System { text: text.into() }
    }

    fn customer(text: &str) -> ChatMessage {
        ChatMessage::Customer { text: text.to_owned().into() }
    }

    fn first(words: &str) -> GenerationRequest {
        asked(vec![system("You are Robin of Brightleaf."), customer(words)])
    }

    fn answer(text: &str) -> Answer {
        Answer { text: text.into(), citations: Vec::new() }
    }

    const SHOP: BusinessId = BusinessId(uuid::Uuid::from_u128(1));

    #[test]
    fn the_same_words_in_the_same_place_are_answered_again_and_no_other() {
        let answers = Answers::default();
        let question = answers.question(SHOP, 1, "acme", &first("When are you open?")).expect("a question");
        assert!(answers.keep(&question, answer("From ten to four."), None, 0));
        let find = |business, documents, request: &GenerationRequest| {
            let question = answers.question(business, documents, "acme", request)?;
            answers.exact(&question, 1_000).map(|found| found.text)
        };
        assert_eq!(find(SHOP, 1, &first("when are you  open")).as_deref(), Some("From ten to four."));
        assert_eq!(find(SHOP, 1, &first("when are you closed")), None);
        assert_eq!(
            find(BusinessId(uuid::Uuid::from_u128(2)), 1, &first("When are you open?")),
            None,
            "another business"
        );
        assert_eq!(find(SHOP, 2, &first("When are you open?")), None, "the documents have changed");
        let other = answers.question(SHOP, 1, "another brain", &first("When are you open?")).expect("a question");
        assert_eq!(answers.exact(&other, 0), None);
        let other = asked(vec![system("You are Anna."), customer("When are you open?")]);
        assert_eq!(find(SHOP, 1, &other), None, "the agent has changed");
        let later =
            asked(vec![system("You are Robin of Brightleaf."), customer("Hello."), customer("When are you open?")]);
        assert_eq!(find(SHOP, 1, &later), None, "it may mean something else there");
        let question = answers.question(SHOP, 1, "acme", &first("When are you open?")).expect("a question");
        assert_eq!(answers.exact(&question, limits::ANSWER_KEPT_MS_MAX + 1), None, "it is too old");
    }

    #[test]
    fn what_holds_personal_data_or_needs_a_tool_is_never_kept() {
        let answers = Answers::default();
        for words in ["My card is 4111 1111 1111 1111", "Where is my order 48213?", "I am priya@example.com"] {
            assert_eq!(answers.question(SHOP, 1, "acme", &first(words)), None, "{words}");
        }
        let earlier =
            asked(vec![system("S"), customer("My number is +49 40 555 0170"), customer("When are you open?")]);
        assert_eq!(answers.question(SHOP, 1, "acme", &earlier), None);
        let result = ChatMessage::ToolResult { id: "1".into(), name: "orders".into(), text: "sent".into() };
        assert_eq!(
            answers.question(SHOP, 1, "acme", &asked(vec![system("S"), customer("Where is it?"), result.clone()])),
            None
        );
        assert_eq!(answers.question(SHOP, 1, "acme", &asked(vec![system("S"), result, customer("Thanks.")])), None);
        let question = answers.question(SHOP, 1, "acme", &first("Who is it?")).expect("a question");
        assert!(!answers.keep(&question, answer("It goes to priya@example.com."), None, 0));
        assert_eq!(answers.count(), 0);
    }

    fn meaning(vector: [f32; 2]) -> Meaning {
        Meaning { space: "local/one".into(), vector: vector.into() }
    }

    #[test]
    fn a_first_question_that_means_the_same_is_answered_and_one_with_a_name_is_not() {
        let answers = Answers::default();
        let question = answers.question(SHOP, 1, "acme", &first("When are you open?")).expect("a question");
        assert!(answers.keep(&question, answer("From ten to four."), Some(meaning([1.0, 0.0])), 0));
        let alike = |words: &str, vector: [f32; 2]| {
            let question = answers.question(SHOP, 1, "acme", &first(words)).expect("a question");
            let other = Meaning { space: "acme/two".into(), ..meaning(vector) };
            assert_eq!(answers.alike(&question, &other, 0.0, 10), None, "another model's vectors say nothing");
            answers.alike(&question, &meaning(vector), 0.9, 10).map(|found| found.text)
        };
        assert_eq!(alike("Hello, could you tell me when you open?", [0.95, 0.3]).as_deref(), Some("From ten to four."));
        assert_eq!(alike("When are you open?", [0.3, 0.95]), None, "the model finds them too different");
        assert_eq!(alike("When are you closed?", [0.95, 0.3]), None, "the model finds opposites alike");
        assert_eq!(alike("Hi, this is Anna Miller, when are you open?", [0.95, 0.3]), None);
        let question = answers.question(SHOP, 1, "acme", &first("Is he in?")).expect("a question");
        assert!(answers.keep(&question, answer("I think Peter is in."), Some(meaning([0.0, 1.0])), 0));
        assert_eq!(alike("Is he there in?", [0.0, 1.0]), None, "an answer with a name is for exactly that question");
    }

    /// Pairs of questions to the shop that have the same answer, and pairs that sound alike and do not.
    fn pairs() -> Vec<(bool, String, String)> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/demo/alike.tsv");
        let text = std::fs::read_to_string(file).expect("the pairs");
        let pair = |line: &str| {
            let [kind, one, other] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three fields: {line}") };
            (kind == "same", one.to_owned(), other.to_owned())
        };
        text.lines().filter(|line| !line.starts_with('#')).map(pair).collect()
    }

    /// However close a model puts them: of the pairs that must not meet none does, and polite ways of asking do.
    #[test]
    fn questions_that_differ_in_what_they_ask_never_share_an_answer() {
        let (mut met, mut missed) = (0, 0);
        for (is_same, one, other) in pairs() {
            let meets = gist(&plain(&one), "en") == gist(&plain(&other), "en");
            assert!(is_same || !meets, "{one} / {other}");
            met += usize::from(is_same && meets);
            missed += usize::from(is_same && !meets);
        }
        println!("of pairs with the same answer {met} meet by their words and {missed} ask the brain again");
        for (one, other) in [
            ("When are you open?", "Hello, could you please tell me when you are open?"),
            ("How much does a basic service cost?", "I'd like to know how much the basic service costs."),
            ("Do you repair e-bikes?", "Can you repair an e-bike?"),
            ("Do you ship to Norway?", "Would you ship to Norway, please?"),
        ] {
            assert_eq!(gist(&plain(one), "en"), gist(&plain(other), "en"), "{one} / {other}");
        }
    }

    #[test]
    fn the_store_is_bounded_and_the_least_used_goes_first() {
        let answers = Answers::default();
        let ask = |number: usize| {
            let words: String = format!("question {}", "x".repeat(number % 50 + 1)) + &"y ".repeat(number / 50);
            answers.question(SHOP, 1, "acme", &first(&words)).expect("a question")
        };
        for number in 0..limits::ANSWERS_MAX + 10 {
            assert!(answers.keep(&ask(number), answer("Yes."), None, 0));
            answers.exact(&ask(0), 0);
        }
        assert_eq!(answers.count(), limits::ANSWERS_MAX);
        assert!(answers.exact(&ask(0), 0).is_some() && answers.exact(&ask(1), 0).is_none());
    }
}
