//! How a customer sounds, by the words of one turn: a short list of words for English and Hindi, written for calls to a business,
//! with negation and emphasis. It is a list and no model: it knows complaints, thanks and what stands between, and takes irony
//! for what it says.

/// How these words sound, from -1 (displeased) to 1 (pleased), in hundredths: 0 when nothing in them says so. `None` when there
/// are no words, or nobody here knows the language (BCP-47).
pub fn sentiment(text: &str, language: &str) -> Option<f64> {
    let lexicon = match language.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "en" => &ENGLISH,
        "hi" => &HINDI,
        _ => return None,
    };
    let words: Vec<String> = plain(text);
    if words.is_empty() {
        return None;
    }
    let sum = lexicon.sum(&words);
    let score = sum / (sum * sum + EVIDENCE).sqrt();
    Some((score * 100.0).round() / 100.0 + 0.0)
}

/// The more of it, the more words it takes to be sure: one plain word gives 0.58, one strong one 0.82.
const EVIDENCE: f64 = 2.0;
/// What is negated is less than its opposite.
const NEGATED: f64 = -0.7;
const EMPHASISED: f64 = 1.4;
/// A negation or an emphasis so many words away belongs to a word.
const REACH: usize = 3;

struct Lexicon {
    /// 2, and -2.
    strong: (&'static [&'static str], &'static [&'static str]),
    /// 1, and -1.
    plain: (&'static [&'static str], &'static [&'static str]),
    /// Several words that mean something together; each counts 2 or -2, and its words count no more.
    together: (&'static [&'static str], &'static [&'static str]),
    negations: &'static [&'static str],
    emphases: &'static [&'static str],
    /// Whether a negation may also come behind its word.
    negates_behind: bool,
}

impl Lexicon {
    fn sum(&self, words: &[String]) -> f64 {
        let (mut sum, mut at) = (0.0, 0);
        while at < words.len() {
            if let Some((length, weight)) = self.phrase(&words[at..]) {
                sum += weight;
                at += length;
                continue;
            }
            if let Some(weight) = self.weight(&words[at]) {
                sum += weight * self.context(words, at);
            }
            at += 1;
        }
        sum
    }

    fn phrase(&self, words: &[String]) -> Option<(usize, f64)> {
        let (good, bad) = self.together;
        let all = good.iter().map(|phrase| (phrase, 2.0)).chain(bad.iter().map(|phrase| (phrase, -2.0)));
        all.map(|(phrase, weight)| (phrase.split(' '), weight)).find_map(|(parts, weight)| {
            let length = parts.clone().count();
            let is_here = words.len() >= length && parts.zip(words).all(|(part, word)| part == word);
            is_here.then_some((length, weight))
        })
    }

    fn weight(&self, word: &str) -> Option<f64> {
        let lists = [(self.strong.0, 2.0), (self.strong.1, -2.0), (self.plain.0, 1.0), (self.plain.1, -1.0)];
        lists.into_iter().find(|(list, _)| list.contains(&word)).map(|(_, weight)| weight)
    }

    /// By how much the words around one change it.
    fn context(&self, words: &[String], at: usize) -> f64 {
        let before = &words[at.saturating_sub(REACH)..at];
        let behind = &words[at + 1..words.len().min(at + 1 + REACH)];
        let has = |list: &[&str], among: &[String]| among.iter().any(|word| list.contains(&word.as_str()));
        let is_negated = has(self.negations, before) || self.negates_behind && has(self.negations, behind);
        let emphasis = if has(self.emphases, before) { EMPHASISED } else { 1.0 };
        emphasis * if is_negated { NEGATED } else { 1.0 }
    }
}

/// Words in lower case; a mark of Devanagari belongs to its word.
fn plain(text: &str) -> Vec<String> {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '\'' || ('\u{0900}'..='\u{0963}').contains(&sign);
    let text = text.replace('’', "'").to_lowercase();
    text.split(|sign: char| !is_part(sign)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

const ENGLISH: Lexicon = Lexicon {
    strong: (
        &[
            "amazing",
            "awesome",
            "brilliant",
            "delighted",
            "excellent",
            "fantastic",
            "love",
            "loved",
            "perfect",
            "perfectly",
            "superb",
            "thrilled",
            "wonderful",
        ],
        &[
            "angry",
            "appalling",
            "atrocious",
            "awful",
            "cheated",
            "disgusted",
            "disgusting",
            "dreadful",
            "furious",
            "hate",
            "horrible",
            "incompetent",
            "infuriating",
            "livid",
            "outrageous",
            "pathetic",
            "rude",
            "scam",
            "stupid",
            "terrible",
            "unacceptable",
            "useless",
            "worst",
        ],
    ),
    plain: (
        &[
            "appreciate",
            "appreciated",
            "cool",
            "fine",
            "friendly",
            "glad",
            "good",
            "grateful",
            "great",
            "happy",
            "helpful",
            "helped",
            "kind",
            "lovely",
            "nice",
            "pleased",
            "pleasant",
            "polite",
            "quick",
            "relieved",
            "satisfied",
            "solved",
            "super",
            "thank",
            "thanks",
            "welcome",
            "works",
            "worked",
        ],
        &[
            "annoyed",
            "annoying",
            "bad",
            "broke",
            "broken",
            "complain",
            "complaint",
            "confused",
            "confusing",
            "damaged",
            "defective",
            "delay",
            "delayed",
            "disappointed",
            "disappointing",
            "fail",
            "failed",
            "fails",
            "faulty",
            "frustrated",
            "frustrating",
            "ignored",
            "late",
            "lost",
            "mess",
            "missing",
            "nobody",
            "overcharged",
            "poor",
            "problem",
            "problems",
            "refund",
            "ridiculous",
            "sad",
            "slow",
            "trouble",
            "unhappy",
            "unreliable",
            "upset",
            "waiting",
            "worried",
            "worse",
            "wrong",
        ],
    ),
    together: (
        &["thank you so much", "thanks so much", "thanks a lot", "well done", "no problem", "not bad", "no worries"],
        &[
            "not working",
            "doesn't work",
            "does not work",
            "didn't work",
            "did not work",
            "don't work",
            "no help",
            "waste of time",
            "waste of money",
            "fed up",
            "sick of",
            "speak to a manager",
            "talk to a manager",
            "speak to your manager",
            "never again",
            "no one",
            "how many times",
            "third time",
            "let me down",
            "ripped off",
            "rip off",
            "hung up on",
        ],
    ),
    negations: &[
        "not", "no", "never", "isn't", "aren't", "wasn't", "weren't", "don't", "doesn't", "didn't", "can't", "cannot",
        "won't", "hardly", "without",
    ],
    emphases: &["very", "really", "so", "extremely", "absolutely", "totally", "completely", "such", "too"],
    negates_behind: false,
};

const HINDI: Lexicon = Lexicon {
    strong: (
        &["शानदार", "बेहतरीन", "ज़बरदस्त", "जबरदस्त", "लाजवाब", "उत्तम", "shandar", "behtareen", "zabardast"],
        &[
            "घटिया",
            "बेकार",
            "बदतमीज़",
            "बदतमीज",
            "धोखा",
            "धोखाधड़ी",
            "गुस्सा",
            "बकवास",
            "नाराज़",
            "नाराज",
            "भयानक",
            "शर्मनाक",
            "ghatiya",
            "bekar",
            "bakwas",
            "dhokha",
            "gussa",
        ],
    ),
    plain: (
        &[
            "अच्छा",
            "अच्छी",
            "अच्छे",
            "बढ़िया",
            "धन्यवाद",
            "शुक्रिया",
            "खुश",
            "मदद",
            "सही",
            "ठीक",
            "मेहरबानी",
            "आभार",
            "संतुष्ट",
            "accha",
            "achha",
            "achhi",
            "badhiya",
            "dhanyavad",
            "shukriya",
            "khush",
            "theek",
            "thanks",
        ],
        &[
            "खराब",
            "ख़राब",
            "गलत",
            "ग़लत",
            "परेशान",
            "परेशानी",
            "समस्या",
            "दिक्कत",
            "दिक़्क़त",
            "देर",
            "देरी",
            "शिकायत",
            "निराश",
            "टूटा",
            "टूटी",
            "टूट",
            "दुखी",
            "मुश्किल",
            "kharab",
            "galat",
            "pareshan",
            "pareshani",
            "dikkat",
            "problem",
            "shikayat",
            "deri",
        ],
    ),
    together: (
        &["बहुत धन्यवाद", "बहुत शुक्रिया", "कोई बात नहीं", "कोई दिक्कत नहीं", "कोई समस्या नहीं"],
        &["काम नहीं", "कितनी बार", "समय बर्बाद", "पैसे बर्बाद", "मैनेजर से बात", "kaam nahi", "kitni baar"],
    ),
    negations: &["नहीं", "नही", "ना", "न", "मत", "बिना", "nahi", "nahin", "mat"],
    emphases: &["बहुत", "बेहद", "एकदम", "बिल्कुल", "काफ़ी", "काफी", "bahut", "ekdum", "bilkul"],
    negates_behind: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> f64 {
        sentiment(text, "en-GB").expect("English")
    }

    fn hindi(text: &str) -> f64 {
        sentiment(text, "hi").expect("Hindi")
    }

    #[test]
    fn complaints_are_below_zero_and_thanks_above() {
        for bad in [
            "This is the third time I call and nobody helps me.",
            "My bike is still broken, that is unacceptable.",
            "It doesn't work.",
            "I want to speak to a manager!",
        ] {
            assert!(english(bad) < -0.4, "{bad}: {}", english(bad));
        }
        for good in ["Great, thank you.", "That's perfect.", "You have been very helpful.", "Thanks a lot!"] {
            assert!(english(good) > 0.4, "{good}: {}", english(good));
        }
        assert!(hindi("आपकी सेवा बहुत घटिया है।") < -0.4 && hindi("यह काम नहीं कर रहा") < -0.4);
        assert!(hindi("बहुत बढ़िया, धन्यवाद।") > 0.4 && hindi("कोई बात नहीं") > 0.4);
    }

    #[test]
    fn a_question_without_feeling_is_nothing() {
        assert_eq!(english("When do you open on Saturday?"), 0.0);
        assert_eq!(hindi("आप कब खुलते हैं?"), 0.0);
        assert!(english("When do you open on Saturday?").is_sign_positive());
    }

    #[test]
    fn a_negation_turns_a_word_round_and_emphasis_makes_it_more() {
        assert!(english("I am not happy.") < 0.0 && english("It is not bad.") > 0.0);
        assert!(english("I am very disappointed.") < english("I am disappointed."));
        assert!(hindi("अच्छा नहीं है") < 0.0);
        assert!((-1.0..=1.0).contains(&english(&"terrible ".repeat(500))));
    }

    #[test]
    fn nobody_can_say_what_a_language_that_is_not_known_means() {
        assert_eq!(sentiment("das ist schlimm", "de"), None);
        assert_eq!(sentiment("  ?! ", "en"), None);
    }
}
