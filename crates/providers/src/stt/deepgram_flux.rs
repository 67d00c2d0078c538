//! Deepgram's turn-based recognition, `wss://api.deepgram.com/v2/listen` (Flux models).
//!
//! Source: developers.deepgram.com, "Flux": the reference of the endpoint, its states and its configuration; field names as
//! in the vendor's SDK. The service has an opinion on turns of its own, so nothing is forced: a final transcript that we ask
//! for is what it has made of the audio sent until then, and the turn ends when it says so. The transcript of a turn is
//! cumulative; words that we were told for good are counted and left out.

use super::feed::{Encoding, Feed};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use model::routing::{Feature, Region};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "deepgram_flux",
    title: "Deepgram Flux",
    base_url: "https://api.deepgram.com",
    key_env: "DEEPGRAM_API_KEY",
    base_url_env: "DEEPGRAM_BASE_URL",
    model_env: Some("DEEPGRAM_FLUX_MODEL"),
    voice_env: None,
    model: Some(ENGLISH),
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("eot_threshold", "Confidence from which the service ends a turn, 0.5 to 1; default 0.7."),
        ("eager_eot_threshold", "Confidence from which it says that the turn may be over, 0.3 to 0.9; default off."),
        ("eot_timeout_ms", "Silence that ends a turn whatever the model thinks, 500 to 60000; default 5000."),
        ("numerals", "`true` writes spoken numbers as digits; default `false`."),
        ("profanity_filter", "`true` masks profanity; default `false`."),
        ("mip_opt_out", "`true` keeps audio out of the vendor's model improvement programme; default `true`."),
    ],
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::EndOfTurn, Feature::Hints],
    quality: 85,
    ..Descriptor::NONE
};

const ENGLISH: &str = "flux-general-en";
const MULTILINGUAL: &str = "flux-general-multi";
/// What the vendor recommends.
const CHUNK_MS: u64 = 80;
/// An idle stream would leave its turn open; there is no message that keeps it alive, so it hears silence.
const KEEP_ALIVE_MS: u64 = 3_000;
const SILENCE_MS: u64 = 500;
/// Messages about the turn after which a final transcript is given where the service counts time anew in each turn, so that
/// it does not say how far it has heard.
const ANSWERS_MAX: u8 = 2;

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    model: String,
    encoding: Encoding,
    query: Vec<(&'static str, String)>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let model = settings.model();
    if !model.starts_with("flux") {
        return Err(settings.value_error("model", model, format!("a Flux model such as {ENGLISH}")));
    }
    let eot = settings.number("eot_threshold", 0.5..=1.0)?;
    let eager = settings.number("eager_eot_threshold", 0.3..=0.9)?;
    if let Some(eager) = eager.filter(|eager| *eager > eot.unwrap_or(0.7)) {
        return Err(settings.value_error("eager_eot_threshold", &eager.to_string(), "at most eot_threshold"));
    }
    let mut query = Vec::new();
    query.extend(eot.map(|value| ("eot_threshold", value.to_string())));
    query.extend(eager.map(|value| ("eager_eot_threshold", value.to_string())));
    query.extend(settings.whole("eot_timeout_ms", 500..=60_000)?.map(|value| ("eot_timeout_ms", value.to_string())));
    for (name, default) in [("numerals", false), ("profanity_filter", false), ("mip_opt_out", true)] {
        if settings.flag(name)?.unwrap_or(default) {
            query.push((name, "true".to_owned()));
        }
    }
    let mulaw = settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw");
    let config = Arc::new(Config {
        url: settings.ws_url(&["v2", "listen"]),
        key: settings.key().cloned(),
        model: model.to_owned(),
        encoding: if mulaw { Encoding::Mulaw } else { Encoding::Linear16 },
        query,
    });
    Ok(Box::new(move || Box::new(Flux::new(config.clone()))))
}

/// A final transcript that we want.
struct Asked {
    /// Audio that it must cover.
    until_ms: u64,
    /// What the service said of the turn since.
    answers: u8,
}

struct Flux {
    config: Arc<Config>,
    feed: Feed,
    turn: u64,
    /// Words of the turn that were given for good.
    given: usize,
    partial: String,
    asked: Option<Asked>,
    /// How far the service has heard, and whether that ever went back.
    heard_secs: f64,
    counts_anew: bool,
    over: bool,
}

impl Flux {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(config.encoding, CHUNK_MS);
        Self {
            config,
            feed,
            turn: 0,
            given: 0,
            partial: String::new(),
            asked: None,
            heard_secs: 0.0,
            counts_anew: false,
            over: false,
        }
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(failure));
    }

    fn on_turn(&mut self, turn: TurnInfo, out: &mut Vec<SttEvent>) {
        if turn.turn_index != self.turn {
            (self.turn, self.given) = (turn.turn_index, 0);
        }
        let words: Vec<&str> = turn.transcript.split_whitespace().collect();
        let fresh = words.get(self.given..).unwrap_or_default().join(" ");
        let ended = turn.event == "EndOfTurn";
        // The end of an earlier turn, on its way while we asked, has nothing to tell.
        let may_be_over = (ended || turn.event == "EagerEndOfTurn") && !fresh.is_empty();
        let answers = self.answers(may_be_over, turn.audio_window_end);
        if answers || (ended && !fresh.is_empty()) {
            out.push(SttEvent::Final { text: fresh, finalized: answers });
            self.given = words.len();
            self.partial.clear();
            out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() });
        } else if !ended && !fresh.is_empty() && fresh != self.partial {
            self.partial.clone_from(&fresh);
            out.push(SttEvent::Partial { text: fresh });
        }
        if ended {
            self.given = 0;
            self.turn = self.turn.wrapping_add(1);
            if !words.is_empty() {
                out.push(SttEvent::EndOfTurn);
            }
        }
    }

    /// Whether this message is the final transcript that we asked for: it covers all that was sent until then.
    fn answers(&mut self, may_be_over: bool, heard_secs: f64) -> bool {
        self.counts_anew |= heard_secs < self.heard_secs;
        self.heard_secs = heard_secs;
        let Some(asked) = self.asked.as_mut() else { return false };
        asked.answers = asked.answers.saturating_add(1);
        let heard_all = heard_secs * 1_000.0 >= asked.until_ms as f64;
        let answers = may_be_over || heard_all || self.counts_anew && asked.answers >= ANSWERS_MAX;
        if answers {
            self.asked = None;
        }
        answers
    }
}

impl SttProtocol for Flux {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.feed.open(open.sample_rate_hz);
        let config = &self.config;
        let is_english = open.language.split('-').next() == Some("en");
        let model = if config.model == ENGLISH && !is_english { MULTILINGUAL } else { &config.model };
        let mut url = config.url.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model", model)
            .append_pair("encoding", if config.encoding == Encoding::Mulaw { "mulaw" } else { "linear16" })
            .append_pair("sample_rate", &open.sample_rate_hz.to_string());
        for (name, value) in &config.query {
            query.append_pair(name, value);
        }
        if model == MULTILINGUAL {
            query.append_pair("language_hint", open.language.split('-').next().unwrap_or_default());
        }
        for hint in &open.hints {
            query.append_pair("keyterm", hint);
        }
        drop(query);
        let headers = config.key.iter().map(|key| Header::secret("authorization", format!("Token {}", key.expose())));
        Connect { headers: headers.collect(), ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        self.feed.push(pcm, |bytes| out.push(Wire::Binary(bytes)));
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Close(code, reason) => {
                let detail = error_code(reason).unwrap_or_default();
                let failure =
                    Failure::new(self.classify(*code, reason), format!("deepgram_flux closed with {code} {detail}"));
                return self.fail(failure, out);
            }
            _ => return,
        };
        match serde_json::from_str(text) {
            Ok(Message::TurnInfo(turn)) => self.on_turn(turn, out),
            Ok(Message::Error { code }) => {
                let word = if is_code(&code) { code.as_str() } else { "an error" };
                let failure = Failure::new(error_class(&code), format!("deepgram_flux reported {word}"));
                self.fail(failure, out);
            }
            Ok(Message::Other) => {}
            Err(_) => {
                let detail = "deepgram_flux sent what its protocol does not allow";
                self.fail(Failure::new(ErrorClass::Protocol, detail), out);
            }
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        out.extend(self.feed.flush(0).map(Wire::Binary));
        self.asked = Some(Asked { until_ms: self.feed.sent_ms(), answers: 0 });
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Binary(self.feed.silence(SILENCE_MS)));
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(Wire::Text(r#"{"type":"CloseStream"}"#.to_owned()));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match (status, error_code(body).as_deref()) {
            (400..=599, Some("ASR_PAYMENT_REQUIRED")) => ErrorClass::Quota,
            (400..=599, Some("INVALID_AUTH" | "INSUFFICIENT_PERMISSIONS")) => ErrorClass::Auth,
            (400..=599, Some("TOO_MANY_REQUESTS")) => ErrorClass::RateLimited,
            (1011, Some("NET-0001")) => ErrorClass::Timeout,
            (status, _) => classify_status(status),
        }
    }
}

/// The vendor names failures of its own by these words; the rest is about what we sent.
fn error_class(code: &str) -> ErrorClass {
    if code.contains("INTERNAL") || code.contains("UNAVAILABLE") {
        ErrorClass::Unavailable
    } else if code.starts_with("NET") || code.contains("TIMEOUT") {
        ErrorClass::Timeout
    } else {
        ErrorClass::Invalid
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Message {
    TurnInfo(TurnInfo),
    Error {
        #[serde(default)]
        code: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TurnInfo {
    event: String,
    #[serde(default)]
    turn_index: u64,
    #[serde(default)]
    audio_window_end: f64,
    #[serde(default)]
    transcript: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn options(extra: &[(&str, &str)]) -> ProviderOptions {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() }
    }

    #[test]
    fn another_language_gets_the_model_that_knows_it() {
        let provider = super::super::PROVIDERS.open("deepgram_flux", &options(&[])).expect("usable");
        let open = SttOpen { sample_rate_hz: 8_000, language: "de-DE".to_owned(), hints: Vec::new(), now_unix_ms: 0 };
        let connect = provider.protocol().connect(&open);
        assert!(connect.url.contains("model=flux-general-multi&"), "{}", connect.url);
        assert!(connect.url.ends_with("&language_hint=de"), "{}", connect.url);
    }

    #[test]
    fn an_eager_threshold_above_the_other_one_is_refused() {
        let odd = options(&[("eot_threshold", "0.6"), ("eager_eot_threshold", "0.8")]);
        super::super::PROVIDERS.open("deepgram_flux", &odd).expect_err("eager is the lower one");
        let mut nova = options(&[]);
        nova.model = Some("nova-3".to_owned());
        super::super::PROVIDERS.open("deepgram_flux", &nova).expect_err("another protocol");
    }
}
