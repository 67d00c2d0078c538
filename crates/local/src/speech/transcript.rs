//! What the recogniser wrote, made useful: spelled ids are joined, spoken digits become digits, and words invented on
//! near-silence are dropped. Pure.

/// Frames quieter than this hold no speech on any line.
const SILENCE_DBFS: f32 = -55.0;
/// Speech that is quieter than this may be an invention.
const FAINT_DBFS: f32 = -42.0;
/// Speech swells and falls; a steady hiss or hum does not.
const SWELL_DB_MIN: f32 = 6.0;
const FRAME_SAMPLES: usize = 480;

/// What the recogniser writes when nobody spoke.
const INVENTIONS: [&str; 9] = ["you", "thank you", "thanks", "bye", "i", "the", "oh", "so", "a"];

/// How loud an utterance is, which tells words from inventions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// The loudest 30 ms, relative to full scale.
    pub peak_dbfs: f32,
    /// How far the loudest 30 ms stand above the quietest fifth.
    pub swell_db: f32,
}

impl Loudness {
    /// Of 16 kHz audio.
    pub fn of(pcm_16k: &[i16]) -> Self {
        let mut frames: Vec<f32> = pcm_16k.chunks_exact(FRAME_SAMPLES).map(dbfs).collect();
        frames.sort_by(f32::total_cmp);
        let quiet = frames.get(frames.len() / 5).copied().unwrap_or(-120.0);
        let peak = frames.last().copied().unwrap_or(-120.0);
        Self { peak_dbfs: peak, swell_db: peak - quiet }
    }

    /// Whether there is nothing to recognise.
    pub fn is_silence(self) -> bool {
        self.peak_dbfs < SILENCE_DBFS
    }

    fn is_doubtful(self) -> bool {
        self.peak_dbfs < FAINT_DBFS || self.swell_db < SWELL_DB_MIN
    }
}

fn dbfs(frame: &[i16]) -> f32 {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len().max(1) as f64;
    (10.0 * (energy.max(1e-9) / 32_768.0_f64.powi(2)).log10()) as f32
}

/// The transcript as the rest of the program wants it.
pub fn normalize(raw: &str, loudness: Loudness) -> String {
    let text = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = text.trim_end_matches(['.', ',', '!', '?']).to_lowercase();
    if loudness.is_doubtful() && INVENTIONS.contains(&bare.as_str()) {
        return String::new();
    }
    if !text.chars().any(char::is_alphanumeric) {
        return String::new();
    }
    join_spelled(&text)
}

/// One word of a transcript: what is spelled by it, and the punctuation after it.
struct Word<'a> {
    written: &'a str,
    spelled: Option<Spelled>,
    tail: &'a str,
}

struct Spelled {
    characters: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    /// Digits as digits: `9`, `415`.
    Digits,
    /// A digit as a word: "nine".
    DigitWord,
    /// Letters and digits together: `b3792k`.
    Mixed,
    /// "double", "triple": how often the next character is meant.
    Times(usize),
    /// "oh" is a zero among digits and nothing else.
    Oh,
    /// "dash", "hyphen".
    Dash,
}

/// Joins runs of spelled characters into one id.
fn join_spelled(text: &str) -> String {
    let words: Vec<Word<'_>> = text.split(' ').flat_map(parts).map(word).collect();
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let end = run_end(&words, at);
        match joined(&words[at..end]) {
            Some(id) => {
                out.push(format!("{id}{}", words[end - 1].tail));
                at = end;
            }
            // The first word of a run may be an article or "I": the rest can still be an id.
            None => {
                out.push(format!("{}{}", written(&words[at]), words[at].tail));
                at += 1;
            }
        }
    }
    out.join(" ")
}

/// An id that was heard as one word keeps its place, in capitals.
fn written(word: &Word<'_>) -> String {
    match &word.spelled {
        Some(Spelled { characters, kind: Kind::Mixed }) if characters.starts_with(char::is_alphabetic) => {
            characters.clone()
        }
        _ => word.written.to_owned(),
    }
}

/// `B-L-9-0` is spelled with dashes; `BL-90177` and `twenty-one` are words.
fn parts(token: &str) -> Vec<&str> {
    let core = token.trim_end_matches([',', '.', '?', '!', ';', ':']);
    let spelled = core.matches('-').count() >= 2 && core.split('-').all(|part| part.chars().count() == 1);
    if !spelled {
        return vec![token];
    }
    token.split_inclusive('-').collect()
}

fn word(token: &str) -> Word<'_> {
    let core = token.trim_end_matches([',', '.', '?', '!', ';', ':', '-']);
    let tail = &token[core.len()..];
    Word { written: core, spelled: spelled(core), tail: if tail == "-" { "" } else { tail } }
}

fn spelled(core: &str) -> Option<Spelled> {
    let lower = core.to_ascii_lowercase();
    let digit = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        .iter()
        .position(|name| *name == lower);
    let (characters, kind) = match (digit, lower.as_str()) {
        (Some(digit), _) => (digit.to_string(), Kind::DigitWord),
        (_, "oh") => ("0".to_owned(), Kind::Oh),
        (_, "double") => (String::new(), Kind::Times(2)),
        (_, "triple") => (String::new(), Kind::Times(3)),
        (_, "dash" | "hyphen") => ("-".to_owned(), Kind::Dash),
        _ if core.is_empty() || !core.chars().all(|c| c.is_ascii_alphanumeric()) => return None,
        _ => {
            let digits = core.chars().filter(char::is_ascii_digit).count();
            let kind = match (digits, core.len()) {
                (0, 1) => Kind::Letter,
                (0, _) => return None,
                (digits, length) if digits == length => Kind::Digits,
                _ => Kind::Mixed,
            };
            (core.to_ascii_uppercase(), kind)
        }
    };
    Some(Spelled { characters, kind })
}

/// The end of the run of spelled words that begins here. A full stop or question mark ends it, except after a single
/// letter ("B. L. 9."), where it belongs to the spelling.
fn run_end(words: &[Word<'_>], start: usize) -> usize {
    let mut end = start;
    while let Some(Word { spelled: Some(spelled), tail, .. }) = words.get(end) {
        end += 1;
        let closes = tail.contains(['?', '!', ';', ':']) || (tail.contains('.') && spelled.characters.len() > 1);
        if closes {
            break;
        }
    }
    end
}

/// The id that a run spells, or nothing when it is more likely plain words.
fn joined(run: &[Word<'_>]) -> Option<String> {
    let spelled: Vec<&Spelled> = run.iter().filter_map(|word| word.spelled.as_ref()).collect();
    let count = |kind: Kind| spelled.iter().filter(|one| one.kind == kind).count();
    let letters = count(Kind::Letter);
    let singles = letters
        + count(Kind::DigitWord)
        + count(Kind::Oh)
        + spelled.iter().filter(|one| one.kind == Kind::Digits && one.characters.len() == 1).count();
    let digits: usize = spelled.iter().flat_map(|one| one.characters.chars()).filter(char::is_ascii_digit).count();
    let groups = count(Kind::Digits);
    let id_like = spelled.iter().any(|one| one.kind == Kind::Mixed && one.characters.len() >= 4);
    let is_id = singles >= 3
        || (singles >= 2 && spelled.iter().any(|one| matches!(one.kind, Kind::Times(_))))
        || (letters >= 1 && id_like)
        || (letters >= 2 && groups >= 1 && digits >= 3)
        || (groups >= 2 && digits >= 7 && letters == 0);
    // "A" and "I" alone at the front are words unless letters follow them.
    let leading_word = spelled.first().is_some_and(|one| matches!(one.characters.as_str(), "A" | "I"))
        && !spelled.get(1).is_some_and(|one| matches!(one.kind, Kind::Letter | Kind::Mixed));
    let open = |one: Option<&&Spelled>, kinds: fn(Kind) -> bool| one.is_some_and(|one| kinds(one.kind));
    let dangling = open(spelled.first(), |kind| kind == Kind::Dash)
        || open(spelled.last(), |kind| matches!(kind, Kind::Dash | Kind::Times(_)));
    if run.len() < 2 || !is_id || leading_word || dangling {
        return None;
    }
    let mut id = String::new();
    let mut times = 1;
    for one in spelled {
        if let Kind::Times(n) = one.kind {
            times = n;
            continue;
        }
        id.push_str(&one.characters.repeat(times));
        times = 1;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: Loudness = Loudness { peak_dbfs: -18.0, swell_db: 40.0 };

    #[test]
    fn spelled_ids_and_digits_are_joined_and_plain_words_kept() {
        let table = [
            ("My order is B L 9 0 1 7 7.", "My order is BL90177."),
            ("It's B, L, nine, zero, one, seven, seven.", "It's BL90177."),
            ("B-L-9-0-1-7-7", "BL90177"),
            ("the code is a b3792k", "the code is AB3792K"),
            ("BL-90177 please", "BL-90177 please"),
            ("my number is bl90177.", "my number is BL90177."),
            ("the 30th at 10am in the 1990s", "the 30th at 10am in the 1990s"),
            ("four one five double five two", "415552"),
            ("five five five oh one seven two", "5550172"),
            ("415 555 0172", "4155550172"),
            ("B L dash 9 0 1", "BL-901"),
            ("I have a 2 bedroom flat", "I have a 2 bedroom flat"),
            ("one or two of them", "one or two of them"),
            ("I need two one way tickets", "I need two one way tickets"),
            ("at 10 or 20 percent", "at 10 or 20 percent"),
            ("Can I get a refund?", "Can I get a refund?"),
            ("A B C", "ABC"),
            ("Oh no.", "Oh no."),
            ("twenty-one days", "twenty-one days"),
            ("double the price", "double the price"),
        ];
        for (raw, expected) in table {
            assert_eq!(normalize(raw, CLEAR), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_lone_you_on_near_silence_is_nobody_speaking() {
        let faint = Loudness { peak_dbfs: -50.0, swell_db: 20.0 };
        let hiss = Loudness { peak_dbfs: -30.0, swell_db: 2.0 };
        for loudness in [faint, hiss] {
            assert_eq!(normalize("You.", loudness), "");
            assert_eq!(normalize("Thank you!", loudness), "");
            assert_eq!(normalize("You are right.", loudness), "You are right.");
        }
        assert_eq!(normalize("You.", CLEAR), "You.");
        assert_eq!(normalize("...", CLEAR), "");
    }

    #[test]
    fn silence_is_seen_without_the_network() {
        assert!(Loudness::of(&[0; 16_000]).is_silence());
        assert!(Loudness::of(&[3; 16_000]).is_silence());
        assert!(Loudness::of(&[]).is_silence());
        let word: Vec<i16> = (0..16_000).map(|i| if (6_000..9_000).contains(&i) { 4_000 } else { 10 }).collect();
        let loudness = Loudness::of(&word);
        assert!(!loudness.is_silence() && loudness.swell_db > 30.0);
    }
}
