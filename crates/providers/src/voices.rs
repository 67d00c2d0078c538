//! The voices of a vendor, and cloning one from recordings. Pure like the codecs: a vendor's file says what to ask and reads
//! what comes; `runtime` asks.

use base::wire::{Header, HttpRequest};
use base::{ErrorClass, Failure};
use serde::Serialize;

/// Recordings for one cloned voice.
pub const SAMPLES_MAX: usize = 25;
/// Bytes of one recording.
pub const SAMPLE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// A voice that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VoiceInfo {
    /// What to configure as the voice.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// BCP-47 language that it speaks first; `None` when it speaks many or the vendor does not say.
    pub language: Option<String>,
    /// `female`, `male` or `neutral`, when the vendor says so.
    pub gender: Option<&'static str>,
    /// Where it can be heard.
    pub preview_url: Option<String>,
    /// Made from recordings of the account; otherwise it is the vendor's own.
    pub cloned: bool,
}

impl VoiceInfo {
    /// A voice of the vendor's of which no more is known.
    pub fn stock(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), language: None, gender: None, preview_url: None, cloned: false }
    }
}

/// The word for a gender in any vendor's words.
pub(crate) fn gender(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "female" | "feminine" => Some("female"),
        "male" | "masculine" => Some("male"),
        "neutral" | "non-binary" | "gender_neutral" => Some("neutral"),
        _ => None,
    }
}

/// How the voices become known.
#[derive(Clone, Debug)]
pub enum Listing {
    /// They are the same for everybody and written in the vendor's documentation.
    Known(Vec<VoiceInfo>),
    /// The vendor is asked.
    Ask(Box<HttpRequest>),
}

/// One answer to a request for voices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The voices on it.
    pub voices: Vec<VoiceInfo>,
    /// What to give [`Voices::list`] for the next page; `None` when this is the last.
    pub next: Option<String>,
}

/// A recording of the person whose voice is cloned.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Name of the file.
    pub file_name: String,
    /// Its audio, in one of the formats of [`Sample::media_type`].
    pub bytes: Vec<u8>,
}

impl Sample {
    /// Media type by the ending of the name; `None` for files that no vendor takes.
    pub fn media_type(&self) -> Option<&'static str> {
        let ending = self.file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        Some(match ending.as_str() {
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            "m4a" => "audio/mp4",
            "ogg" => "audio/ogg",
            "flac" => "audio/flac",
            "webm" => "audio/webm",
            _ => return None,
        })
    }
}

/// What a cloned voice is made of. Exists only with the consent of the person whose voice it is.
#[derive(Clone, Debug)]
pub struct CloneRequest {
    name: String,
    language: String,
    description: Option<String>,
    samples: Vec<Sample>,
}

/// Why a voice is not cloned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloneError {
    /// Nobody said that the person agrees.
    #[error("a voice is cloned only with the consent of the person whose voice it is")]
    NoConsent,
    /// It has no name.
    #[error("the voice needs a name")]
    NoName,
    /// There is nothing to clone.
    #[error("the voice needs at least one recording")]
    NoSamples,
    /// More recordings than any vendor takes.
    #[error("at most {SAMPLES_MAX} recordings, not {0}")]
    TooMany(usize),
    /// A recording that no vendor takes.
    #[error("{0} is not a recording in WAV, MP3, M4A, Ogg, FLAC or WebM")]
    Format(String),
    /// A recording that is empty or too large.
    #[error("{0} is empty or larger than 10 MiB")]
    Size(String),
}

impl CloneRequest {
    /// Checks what every vendor asks for, consent first.
    pub fn new(
        name: &str,
        language: &str,
        description: Option<&str>,
        samples: Vec<Sample>,
        consent: bool,
    ) -> Result<Self, CloneError> {
        if !consent {
            return Err(CloneError::NoConsent);
        }
        if name.trim().is_empty() {
            return Err(CloneError::NoName);
        }
        if samples.is_empty() {
            return Err(CloneError::NoSamples);
        }
        if samples.len() > SAMPLES_MAX {
            return Err(CloneError::TooMany(samples.len()));
        }
        for sample in &samples {
            if sample.media_type().is_none() {
                return Err(CloneError::Format(sample.file_name.clone()));
            }
            if sample.bytes.is_empty() || sample.bytes.len() > SAMPLE_BYTES_MAX {
                return Err(CloneError::Size(sample.file_name.clone()));
            }
        }
        Ok(Self {
            name: name.trim().to_owned(),
            language: language.to_owned(),
            description: description.map(str::to_owned),
            samples,
        })
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BCP-47 language of the recordings.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// What it sounds like, in words.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// At least one recording.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// A vendor's voices as a codec.
pub trait Voices: Send + Sync {
    /// How to learn about the voices; `after` is [`Page::next`] of the page before.
    fn list(&self, after: Option<&str>) -> Listing;
    /// Reads an answer to [`Voices::list`].
    fn listed(&self, body: &[u8]) -> Result<Page, Failure>;
    /// The request that clones a voice; `None` when the vendor clones none.
    fn clone_voice(&self, wanted: &CloneRequest) -> Option<HttpRequest> {
        let _ = wanted;
        None
    }
    /// Reads the answer to [`Voices::clone_voice`]: the id of the voice.
    fn cloned(&self, body: &[u8]) -> Result<String, Failure> {
        let _ = body;
        Err(Failure::new(ErrorClass::Invalid, "this provider clones no voices"))
    }
    /// Maps a status other than 2xx and its body to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

/// Reads JSON; what is wrong with it stays out of the failure, because it may hold names of people.
pub(crate) fn read<'a, T: serde::Deserialize<'a>>(vendor: &str, body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|_| Failure::new(ErrorClass::Protocol, format!("{vendor} answered what its protocol does not allow")))
}

/// A request without a body.
pub(crate) fn get(url: url::Url, headers: Vec<Header>) -> Listing {
    let method = base::wire::Method::Get;
    Listing::Ask(Box::new(HttpRequest { method, url: url.into(), headers, body: Vec::new() }))
}

/// Voices that are written in the vendor's documentation.
pub(crate) struct KnownVoices(pub(crate) fn() -> Vec<VoiceInfo>);

impl Voices for KnownVoices {
    fn list(&self, _: Option<&str>) -> Listing {
        Listing::Known((self.0)())
    }

    fn listed(&self, _: &[u8]) -> Result<Page, Failure> {
        Ok(Page { voices: (self.0)(), next: None })
    }

    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        crate::answer::classify_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(file_name: &str, bytes: usize) -> Sample {
        Sample { file_name: file_name.to_owned(), bytes: vec![1; bytes] }
    }

    #[test]
    fn nothing_is_cloned_without_consent() {
        let refused = CloneRequest::new("Ada", "en", None, vec![sample("a.wav", 1)], false).expect_err("no consent");
        assert_eq!(refused, CloneError::NoConsent);
        CloneRequest::new("Ada", "en", None, vec![sample("a.wav", 1)], true).expect("with consent");
    }

    #[test]
    fn recordings_are_looked_at_before_they_are_sent() {
        let with = |samples| CloneRequest::new("Ada", "en", None, samples, true).expect_err("refused");
        assert_eq!(with(Vec::new()), CloneError::NoSamples);
        assert_eq!(with(vec![sample("a.txt", 1)]), CloneError::Format("a.txt".to_owned()));
        assert_eq!(with(vec![sample("A.WAV", 0)]), CloneError::Size("A.WAV".to_owned()));
        assert_eq!(with(vec![sample("a.mp3", 1); SAMPLES_MAX + 1]), CloneError::TooMany(SAMPLES_MAX + 1));
        assert_eq!(
            CloneRequest::new(" ", "en", None, vec![sample("a.wav", 1)], true).expect_err("unnamed"),
            CloneError::NoName
        );
    }
}
