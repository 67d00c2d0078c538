//! What Google's speech services have in common: credentials, and recognition as one state machine over the messages of
//! two versions.
//!
//! Source: cloud.google.com/speech-to-text "StreamingRecognize", google.aip.dev/auth/4111 (self-signed tokens).

use crate::answer::classify_status;
use crate::options::{OptionsError, Settings};
use crate::stt::{SttEvent, SttOpen, SttProtocol};
use audio_codec_algorithms::encode_ulaw;
use base::limits::FRAME_MS;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// What the option `auth` may be.
pub(crate) const AUTH: (&str, &str) = (
    "auth",
    "What the key is: `api_key`, `bearer` (an OAuth token) or `service_account` (its JSON); by default what it looks like.",
);

/// How long a self-signed token is valid; the most that is allowed.
const TOKEN_S: u64 = 3_600;
/// A token is used no longer than until so much of its time is left.
const TOKEN_SPARE_S: u64 = 300;

/// A credential, in whichever form it was given.
pub(crate) struct Auth {
    kind: AuthKind,
    /// What the token is for.
    audience: &'static str,
    /// Signed last, with the second until which it is used.
    token: Mutex<Option<(u64, Secret<String>)>>,
}

enum AuthKind {
    None,
    ApiKey(Secret<String>),
    Bearer(Secret<String>),
    Account { email: String, key_id: String, key: Box<EncodingKey> },
}

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl Auth {
    /// Reads the credential once.
    pub(crate) fn new(settings: &Settings, audience: &'static str) -> Result<Self, OptionsError> {
        let given = settings.choice("auth", &["api_key", "bearer", "service_account"])?;
        let kind = match settings.key() {
            None => AuthKind::None,
            Some(key) => {
                let text = key.expose();
                let looks = if text.trim_start().starts_with('{') {
                    "service_account"
                } else if text.starts_with("ya29.") || text.starts_with("eyJ") {
                    "bearer"
                } else {
                    "api_key"
                };
                match given.unwrap_or(looks) {
                    "service_account" => account(settings, text)?,
                    "bearer" => AuthKind::Bearer(key.clone()),
                    _ => AuthKind::ApiKey(key.clone()),
                }
            }
        };
        Ok(Self { kind, audience, token: Mutex::new(None) })
    }

    /// The header that carries the credential at this moment.
    pub(crate) fn headers(&self, now_unix_ms: u64) -> Vec<Header> {
        match &self.kind {
            AuthKind::None => Vec::new(),
            AuthKind::ApiKey(key) => vec![Header::secret("x-goog-api-key", key.expose().clone())],
            AuthKind::Bearer(token) => vec![Header::secret("authorization", format!("Bearer {}", token.expose()))],
            AuthKind::Account { email, key_id, key } => {
                let token = self.token(email, key_id, key, now_unix_ms / 1_000);
                vec![Header::secret("authorization", format!("Bearer {}", token.expose()))]
            }
        }
    }

    fn token(&self, email: &str, key_id: &str, key: &EncodingKey, now_s: u64) -> Secret<String> {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until_s, token)) = kept.as_ref()
            && now_s < *until_s
            && now_s + TOKEN_S > *until_s
        {
            return token.clone();
        }
        let claims = Claims { iss: email, sub: email, aud: self.audience, iat: now_s, exp: now_s + TOKEN_S };
        let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
        header.kid = (!key_id.is_empty()).then(|| key_id.to_owned());
        // The key was tried when it was read; an empty token is refused by the service, in its own words.
        let token = Secret::new(jsonwebtoken::encode(&header, &claims, key).unwrap_or_default());
        *kept = Some((now_s + TOKEN_S - TOKEN_SPARE_S, token.clone()));
        token
    }
}

fn account(settings: &Settings, text: &str) -> Result<AuthKind, OptionsError> {
    let wrong = || {
        settings.value_error("api_key", "[secret]", "the JSON of a service account, with client_email and private_key")
    };
    let account: ServiceAccount = serde_json::from_str(text).map_err(|_| wrong())?;
    let key = EncodingKey::from_rsa_pem(account.private_key.as_bytes()).map_err(|_| wrong())?;
    let claims = Claims { iss: "", sub: "", aud: "", iat: 0, exp: 0 };
    jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::RS256), &claims, &key).map_err(|_| wrong())?;
    Ok(AuthKind::Account { email: account.client_email, key_id: account.private_key_id, key: Box::new(key) })
}

/// The address of a method of a service, at its own host or at that of a location.
pub(crate) fn method_url(settings: &Settings, own: &str, location: Option<&str>, service: &str, method: &str) -> Url {
    let mut url = settings.http_url(&[service, method]);
    if let (Some(location), Some(host)) = (location, own.strip_prefix("https://"))
        && location != "global"
        && url.host_str() == Some(host)
    {
        // A location that is no part of a host name leaves the address as it was.
        let _ = url.set_host(Some(&format!("{location}-{host}")));
    }
    url
}

/// Silence after which a quiet stream must hear from us; the service gives up after about 10 s.
const KEEP_ALIVE_MS: u64 = 4_000;
/// A stream may last 5 minutes. From here on it is ended at the next pause.
const ROTATE_MS: u64 = 240_000;
/// From here on it is ended in the middle of a word.
const ROTATE_MS_MAX: u64 = 290_000;

/// What one message of the service says, in either version.
#[derive(Default)]
pub(crate) struct Heard {
    /// Words, and whether they are for good.
    pub(crate) results: Vec<(String, bool)>,
    /// The service refused inside the stream, with this code of `google.rpc.Code`.
    pub(crate) error: Option<i32>,
}

/// How one version puts it.
pub(crate) trait Dialect: Send + Sync {
    /// Registry name.
    fn name(&self) -> &'static str;
    /// Whether audio goes as µ-law.
    fn mulaw(&self) -> bool;
    /// Address, metadata and first message.
    fn connect(&self, open: &SttOpen) -> Connect;
    /// A message of audio.
    fn audio(&self, bytes: Vec<u8>) -> Vec<u8>;
    /// `None` for what its protocol does not allow.
    fn heard(&self, message: &[u8]) -> Option<Heard>;
}

/// One recognition stream.
pub(crate) struct Recogniser {
    dialect: Arc<dyn Dialect>,
    sample_rate_hz: u32,
    pending: Vec<i16>,
    samples_sent: u64,
    /// What the last interim results said, not yet for good.
    partial: String,
    /// We said that there will be no more; whether because of a `finalize`.
    closing: Option<bool>,
    over: bool,
}

impl Recogniser {
    pub(crate) fn new(dialect: Arc<dyn Dialect>) -> Self {
        Self {
            dialect,
            sample_rate_hz: 8_000,
            pending: Vec::new(),
            samples_sent: 0,
            partial: String::new(),
            closing: None,
            over: false,
        }
    }

    fn send(&mut self, samples: usize, out: &mut Vec<Wire>) {
        if samples == 0 {
            return;
        }
        let encoded = self.pending.drain(..samples);
        let bytes = if self.dialect.mulaw() {
            encoded.map(encode_ulaw).collect()
        } else {
            encoded.flat_map(i16::to_le_bytes).collect()
        };
        self.samples_sent += samples as u64;
        out.push(Wire::Binary(self.dialect.audio(bytes)));
    }

    fn sent_ms(&self) -> u64 {
        self.samples_sent * 1_000 / u64::from(self.sample_rate_hz)
    }

    fn fail(&mut self, class: ErrorClass, detail: String, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail)));
    }

    fn on_heard(&mut self, heard: Heard, out: &mut Vec<SttEvent>) {
        if let Some(code) = heard.error {
            let class = if code == 8 { ErrorClass::RateLimited } else { ErrorClass::Unavailable };
            let detail = format!("{} reported status {code}", self.dialect.name());
            return self.fail(class, detail, out);
        }
        // Interim results come in pieces of falling stability: together they are what was said.
        let interim: String = heard.results.iter().filter(|(_, last)| !last).map(|(text, _)| text.as_str()).collect();
        if heard.results.iter().any(|(_, last)| *last) {
            self.partial.clear();
            let text: String = heard.results.iter().filter(|(_, last)| *last).map(|(text, _)| text.as_str()).collect();
            let text = text.trim().to_owned();
            if !text.is_empty() {
                out.push(SttEvent::Final { text, finalized: false });
                // The service gives words for good when it takes an utterance as ended, or because we ended it.
                if self.closing.is_none() {
                    out.push(SttEvent::EndOfTurn);
                }
            }
            out.push(SttEvent::Usage { audio_ms: self.sent_ms() });
        }
        let interim = interim.trim();
        if !interim.is_empty() {
            interim.clone_into(&mut self.partial);
            out.push(SttEvent::Partial { text: self.partial.clone() });
        }
    }

    /// The stream is over because we ended it. What was not given for good by now never will be.
    fn on_end(&mut self, out: &mut Vec<SttEvent>) {
        self.over = true;
        let finalized = self.closing == Some(true);
        let text = std::mem::take(&mut self.partial);
        if finalized || !text.is_empty() {
            out.push(SttEvent::Final { text, finalized });
        }
        out.push(SttEvent::Usage { audio_ms: self.sent_ms() });
    }

    fn on_status(&mut self, code: u16, reason: &str, out: &mut Vec<SttEvent>) {
        let name = self.dialect.name();
        let word = reason.split(':').next().filter(|word| crate::answer::is_code(word)).unwrap_or("a status");
        let detail = format!("{name} ended the stream with {word}");
        let retry_after = crate::answer::retry_after([], reason);
        let failure = Failure { retry_after, ..Failure::new(self.classify(code, reason), detail) };
        self.over = true;
        out.push(SttEvent::Failed(failure));
    }
}

impl SttProtocol for Recogniser {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.sample_rate_hz = open.sample_rate_hz.max(1);
        self.dialect.connect(open)
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        if self.closing.is_some() || self.over {
            return;
        }
        let frame = (u64::from(self.sample_rate_hz) * FRAME_MS / 1_000).max(1) as usize;
        for piece in pcm.chunks(frame) {
            self.pending.extend_from_slice(piece);
            if self.pending.len() >= frame {
                self.send(frame, out);
            }
        }
        let long = self.sent_ms() >= ROTATE_MS && self.partial.is_empty();
        if long || self.sent_ms() >= ROTATE_MS_MAX {
            self.send(self.pending.len(), out);
            self.closing = Some(false);
            out.push(Wire::End);
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Binary(bytes) => match self.dialect.heard(bytes) {
                Some(heard) => self.on_heard(heard, out),
                None => {
                    let detail = format!("{} sent what its protocol does not allow", self.dialect.name());
                    self.fail(ErrorClass::Protocol, detail, out);
                }
            },
            Wire::End if self.closing.is_some() => self.on_end(out),
            Wire::End => {
                self.fail(ErrorClass::Protocol, format!("{} ended the stream", self.dialect.name()), out);
            }
            Wire::Close(code, reason) => self.on_status(*code, reason, out),
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    /// The service has no word for it: the stream is ended, and the driver opens the next one.
    fn finalize(&mut self, out: &mut Vec<Wire>) {
        if self.over {
            return;
        }
        if self.closing.replace(true).is_none() {
            self.send(self.pending.len(), out);
            out.push(Wire::End);
        }
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        if self.closing.is_none() && !self.over {
            let silence = (u64::from(self.sample_rate_hz) * FRAME_MS / 1_000) as usize;
            self.pending.resize(self.pending.len() + silence, 0);
            self.send(self.pending.len(), out);
        }
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, _: &mut Vec<Wire>) {
        self.over = true;
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        // The service counts the end of a stream's time as our mistake; a new stream is all it takes.
        let lower = body.to_ascii_lowercase();
        if lower.contains("maximum allowed stream duration") || lower.contains("max duration of") {
            return ErrorClass::Protocol;
        }
        if lower.contains("audio timeout") {
            return ErrorClass::Timeout;
        }
        classify_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Descriptor, ProviderOptions};
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::{Value, json};

    static DESCRIPTOR: Descriptor = Descriptor {
        name: "google",
        title: "Google",
        base_url: "https://speech.googleapis.com",
        key_env: "GOOGLE_CLOUD_API_KEY",
        extra: &[AUTH],
        ..Descriptor::NONE
    };

    fn auth(key: &str, kind: Option<&str>) -> Result<Auth, OptionsError> {
        let extra = kind.iter().map(|kind| ("auth".to_owned(), (*kind).to_owned())).collect();
        let options = ProviderOptions { api_key: Some(key.into()), extra, ..ProviderOptions::default() };
        Auth::new(&Settings::resolve(&DESCRIPTOR, &options)?, "https://speech.googleapis.com/")
    }

    fn sent(auth: &Auth, now_unix_ms: u64) -> String {
        let headers = auth.headers(now_unix_ms);
        let [header] = &headers[..] else { panic!("one header carries the credential") };
        assert!(!format!("{header:?}").contains("ya29"));
        format!("{}: {}", header.name, header.value.expose())
    }

    #[test]
    fn a_credential_is_sent_as_what_it_looks_like_or_is_said_to_be() {
        let key = |text, kind| sent(&auth(text, kind).expect("usable"), 0);
        assert_eq!(key("AIzaKey", None), "x-goog-api-key: AIzaKey");
        assert_eq!(key("ya29.token", None), "authorization: Bearer ya29.token");
        assert_eq!(key("opaque", Some("bearer")), "authorization: Bearer opaque");
        let Err(why) = auth(r#"{"client_email":"a@b","private_key":"hush-hush"}"#, None) else { panic!("no key") };
        assert!(why.to_string().contains("service account") && !why.to_string().contains("hush"), "{why}");
    }

    #[test]
    fn a_service_account_signs_its_own_token_and_uses_it_while_it_is_valid() {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("its form");
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let account = json!({"type": "service_account", "client_email": "desk@p.iam.example", "private_key": pem,
            "private_key_id": "k1"});
        let auth = auth(&account.to_string(), None).expect("usable");
        const NOW_MS: u64 = 1_700_000_000_000;
        let first = sent(&auth, NOW_MS);
        let token = first.strip_prefix("authorization: Bearer ").expect("a token");
        let key = DecodingKey::from_rsa_der(pair.public_key().as_ref());
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://speech.googleapis.com/"]);
        validation.validate_exp = false;
        let read = jsonwebtoken::decode::<Value>(token, &key, &validation).expect("signed by the account");
        assert_eq!(read.header.kid.as_deref(), Some("k1"));
        assert_eq!(read.claims["iss"], "desk@p.iam.example");
        assert_eq!(read.claims["exp"].as_u64(), Some(NOW_MS / 1_000 + TOKEN_S));
        assert_eq!(sent(&auth, NOW_MS + 3_000_000), first, "it is used again");
        assert_ne!(sent(&auth, NOW_MS + 3_400_000), first, "and replaced before it ends");
    }

    #[test]
    fn a_stream_is_ended_before_the_service_ends_it_at_a_pause_if_there_is_one() {
        let mut options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        options.extra.insert("project".to_owned(), "p".to_owned());
        let provider = crate::stt::PROVIDERS.open("google", &options).expect("usable");
        let open = SttOpen { sample_rate_hz: 8_000, language: "en".into(), hints: Vec::new(), now_unix_ms: 0 };
        let minute = vec![0; 60 * 8_000];
        let mut codec = provider.protocol();
        codec.connect(&open);
        let mut out = Vec::new();
        (0..4).for_each(|_| codec.on_audio(&minute, &mut out));
        assert_eq!(out.last(), Some(&Wire::End));
        let mut events = Vec::new();
        codec.on_message(&Wire::End, &mut events);
        assert_eq!(events, [SttEvent::Usage { audio_ms: 240_000 }], "nobody asked for a final transcript");
    }

    #[test]
    fn one_table_of_the_configuration_serves_both_stages() {
        let mut options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        for (key, value) in [("project", "p"), ("speaking_rate", "1.1"), ("encoding", "mulaw")] {
            options.extra.insert(key.to_owned(), value.to_owned());
        }
        crate::stt::PROVIDERS.open("google", &options).expect("usable");
        crate::tts::PROVIDERS.open("google", &options).expect("usable");
        options.extra.insert("speed".to_owned(), "1".to_owned());
        assert!(crate::tts::PROVIDERS.open("google", &options).is_err(), "nobody takes it");
    }

    #[test]
    fn the_end_of_its_time_is_no_mistake_of_ours() {
        let mut options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        options.extra.insert("project".to_owned(), "p".to_owned());
        let codec = crate::stt::PROVIDERS.open("google", &options).expect("usable").protocol();
        let class = |status, text: &str| codec.classify(status, text);
        assert_eq!(
            class(400, "OUT_OF_RANGE: Exceeded maximum allowed stream duration of 305 s."),
            ErrorClass::Protocol
        );
        assert_eq!(class(400, "OUT_OF_RANGE: Audio Timeout Error: Long duration elapsed"), ErrorClass::Timeout);
        assert_eq!(class(400, "INVALID_ARGUMENT: no such model"), ErrorClass::Invalid);
    }
}
