//! Which language a text is, among those that are served.

use lingua::{IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder};
use std::sync::LazyLock;

/// Of two languages that are this close, neither is named.
const DISTANCE_MIN: f64 = 0.1;
/// How much more the language that a conversation is held in may be doubted: short words are said in many languages.
const PRIOR: f64 = 0.35;

static DETECTOR: LazyLock<LanguageDetector> = LazyLock::new(|| {
    // Only what is compiled in; models are read when they are first needed.
    LanguageDetectorBuilder::from_all_languages().build()
});

/// The BCP-47 language of a text and how sure that is, from 0 to 1; `None` when nobody can tell. `expected` is the language
/// that the conversation is held in, which decides about words like "ok".
pub fn detect(text: &str, expected: Option<&str>) -> Option<(&'static str, f32)> {
    if !text.chars().any(char::is_alphabetic) {
        return None;
    }
    let ranked = DETECTOR.compute_language_confidence_values(text);
    let expected = expected.map(|tag| tag.split('-').next().unwrap_or_default().to_lowercase());
    let weigh = |(language, confidence): &(Language, f64)| {
        let is_expected = expected.as_deref() == Some(code(*language));
        (code(*language), if is_expected { confidence + PRIOR } else { *confidence })
    };
    let mut weighed: Vec<(&'static str, f64)> = ranked.iter().map(weigh).collect();
    weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (best, confidence) = *weighed.first()?;
    let next = weighed.get(1).map_or(0.0, |(_, confidence)| *confidence);
    (confidence - next >= DISTANCE_MIN).then_some((best, confidence.min(1.0) as f32))
}

fn code(language: Language) -> &'static str {
    match language.iso_code_639_1() {
        IsoCode639_1::DE => "de",
        IsoCode639_1::EN => "en",
        IsoCode639_1::ES => "es",
        IsoCode639_1::FR => "fr",
        IsoCode639_1::HI => "hi",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart_and_short_words_belong_to_the_conversation() {
        let cases = [
            ("Where is my order, please?", None, Some("en")),
            ("Ich möchte einen Termin vereinbaren.", None, Some("de")),
            ("Hola, quisiera cambiar mi cita", None, Some("es")),
            ("Bonjour, je voudrais annuler", None, Some("fr")),
            ("मेरा ऑर्डर कहाँ है", None, Some("hi")),
            ("ok", Some("de-DE"), Some("de")),
            ("yes please", Some("en"), Some("en")),
            ("12345", Some("en"), None),
            ("", None, None),
        ];
        for (text, expected, language) in cases {
            assert_eq!(detect(text, expected).map(|found| found.0), language, "{text}");
        }
    }
}
