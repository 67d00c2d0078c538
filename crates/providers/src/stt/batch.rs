//! What recognisers of whole utterances over HTTP have in common: an utterance is kept until its final transcript is wanted,
//! and sent as a WAV file in a form; the transcript is the answer. Between, they say nothing.

use super::{SttEvent, SttOpen, SttProtocol};
use crate::form::{Part, multipart};
use base::limits::{STT_ANSWER_BYTES_MAX, STT_PREROLL_MS, STT_UTTERANCE_MS_MAX};
use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base::{ErrorClass, Failure, Secret};
use serde::Deserialize;
use std::io::Cursor;
use std::sync::Arc;
use url::Url;

/// What tells one vendor from another.
pub(super) struct Vendor {
    /// Registry name, for what is reported.
    pub(super) name: &'static str,
    pub(super) url: Url,
    /// Sent as a bearer token.
    pub(super) key: Option<Secret<String>>,
    /// The fields of the form beside the file.
    pub(super) fields: fn(&SttOpen, &Options) -> Vec<(&'static str, String)>,
    pub(super) options: Options,
    /// The least that is billed for one utterance.
    pub(super) billed_ms_min: u64,
    pub(super) classify: fn(u16, &str) -> ErrorClass,
}

/// What an operator can choose.
pub(super) struct Options {
    pub(super) model: String,
    pub(super) language: Option<String>,
}

impl Options {
    /// The language as ISO 639-1.
    pub(super) fn language(&self, open: &SttOpen) -> String {
        let language = self.language.as_deref().unwrap_or(&open.language);
        language.split('-').next().unwrap_or_default().to_owned()
    }

    /// Whisper says of each piece how sure it is that anybody spoke, and makes words up where nobody did.
    pub(super) fn is_whisper(&self) -> bool {
        self.model.starts_with("whisper")
    }
}

/// The least audio in a request: services refuse less.
const AUDIO_MS_MIN: u64 = 120;

/// A recogniser of whole utterances.
pub(super) struct Batch {
    vendor: Arc<Vendor>,
    fields: Vec<(&'static str, String)>,
    rate_hz: u32,
    utterance: Vec<i16>,
    /// Whether somebody speaks, once we were told.
    speaking: Option<bool>,
    /// Whether the utterance holds speech, as far as we were told.
    has_speech: bool,
    body: Vec<u8>,
    billed_ms: u64,
    over: bool,
}

impl Batch {
    pub(super) fn new(vendor: Arc<Vendor>) -> Self {
        Self {
            vendor,
            fields: Vec::new(),
            rate_hz: 8_000,
            utterance: Vec::new(),
            speaking: None,
            has_speech: false,
            body: Vec::new(),
            billed_ms: 0,
            over: false,
        }
    }

    fn samples(&self, ms: u64) -> usize {
        (u64::from(self.rate_hz) * ms / 1_000) as usize
    }

    fn fail(&mut self, class: ErrorClass, detail: String, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail)));
    }

    fn request(&mut self) -> HttpRequest {
        let least = self.samples(AUDIO_MS_MIN);
        let mut pcm = std::mem::take(&mut self.utterance);
        pcm.resize(pcm.len().max(least), 0);
        let ms = pcm.len() as u64 * 1_000 / u64::from(self.rate_hz);
        self.billed_ms += ms.max(self.vendor.billed_ms_min);
        let file = wav(&pcm, self.rate_hz);
        let mut parts: Vec<Part<'_>> = self.fields.iter().map(|(name, value)| Part::text(name, value)).collect();
        parts.push(Part::file("file", "speech.wav", "audio/wav", &file));
        let (content_type, body) = multipart(&parts);
        let mut headers = vec![Header::plain("content-type", content_type)];
        let key = self.vendor.key.iter();
        headers.extend(key.map(|key| Header::secret("authorization", format!("Bearer {}", key.expose()))));
        HttpRequest { method: Method::Post, url: self.vendor.url.as_str().to_owned(), headers, body }
    }

    fn on_answer(&mut self, out: &mut Vec<SttEvent>) {
        let body = std::mem::take(&mut self.body);
        match serde_json::from_slice::<Answer>(&body) {
            Ok(answer) => {
                out.push(SttEvent::Final { text: answer.spoken(), finalized: true });
                out.push(SttEvent::Usage { audio_ms: self.billed_ms });
            }
            Err(_) => {
                let detail = format!("{} sent what its interface does not allow", self.vendor.name);
                self.fail(ErrorClass::Protocol, detail, out);
            }
        }
    }
}

impl SttProtocol for Batch {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.rate_hz = open.sample_rate_hz.max(1);
        self.fields = (self.vendor.fields)(open, &self.vendor.options);
        Connect::http(self.vendor.url.clone())
    }

    fn on_audio(&mut self, pcm: &[i16], _out: &mut Vec<Wire>) {
        self.utterance.extend_from_slice(pcm);
        // Silence before the voice costs money and invites invented words. Who is never told of voices keeps everything.
        let quiet = self.speaking == Some(false) && !self.has_speech;
        let most = self.samples(if quiet { STT_PREROLL_MS } else { STT_UTTERANCE_MS_MAX });
        // Cut a second at a time: an utterance moves once, not with every frame.
        if self.utterance.len() > most + self.rate_hz as usize {
            self.utterance.drain(..self.utterance.len() - most);
        }
    }

    fn on_speech(&mut self, speaking: bool, _out: &mut Vec<Wire>) {
        self.speaking = Some(speaking);
        self.has_speech |= speaking;
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Binary(piece) if self.body.len() + piece.len() > STT_ANSWER_BYTES_MAX => {
                self.fail(ErrorClass::Protocol, format!("the answer of {} is too long", self.vendor.name), out);
            }
            Wire::Binary(piece) => self.body.extend_from_slice(piece),
            Wire::End => self.on_answer(out),
            Wire::Close(code, reason) => {
                let class = self.classify(*code, reason);
                self.fail(class, format!("{} answered {code}", self.vendor.name), out);
            }
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        // Who has heard nobody need not ask: that is an answer, too, and the model would make words up.
        if self.speaking.is_some() && !self.has_speech {
            return;
        }
        // What is said on is more of the same breath, or silence.
        self.has_speech = self.speaking == Some(true);
        out.push(Wire::Request(Box::new(self.request())));
    }

    fn keep_alive(&mut self, _out: &mut Vec<Wire>) {}

    fn keep_alive_ms(&self) -> Option<u64> {
        None
    }

    fn close(&mut self, _out: &mut Vec<Wire>) {
        self.over = true;
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        (self.vendor.classify)(status, body)
    }
}

/// 16-bit mono samples as a WAV file.
fn wav(pcm: &[i16], rate_hz: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(pcm.len() * 2 + 64));
    let written = hound::WavWriter::new(&mut file, spec).and_then(|mut writer| {
        let mut samples = writer.get_i16_writer(u32::try_from(pcm.len()).unwrap_or(u32::MAX));
        pcm.iter().for_each(|sample| samples.write_sample(*sample));
        samples.flush()?;
        writer.finalize()
    });
    written.expect("memory takes what is written, and an utterance is far below the 4 GB of the format");
    file.into_inner()
}

#[derive(Deserialize)]
struct Answer {
    text: String,
    #[serde(default)]
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    text: String,
    #[serde(default)]
    no_speech_prob: f64,
    #[serde(default)]
    avg_logprob: f64,
}

/// Whisper's own thresholds for a piece in which nobody spoke (`no_speech_threshold`, `logprob_threshold`).
const NO_SPEECH_MIN: f64 = 0.6;
const LOGPROB_MAX: f64 = -1.0;

impl Answer {
    /// The words, without the pieces that the model itself takes for made up.
    fn spoken(&self) -> String {
        let is_invented = |piece: &&Segment| piece.no_speech_prob > NO_SPEECH_MIN && piece.avg_logprob < LOGPROB_MAX;
        if !self.segments.iter().any(|piece| is_invented(&piece)) {
            return self.text.trim().to_owned();
        }
        let spoken = self.segments.iter().filter(|piece| !is_invented(piece));
        spoken.map(|piece| piece.text.trim()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recogniser() -> Batch {
        let mut batch = Batch::new(Arc::new(Vendor {
            name: "acme",
            url: "https://acme.example/transcriptions".parse().expect("a URL"),
            key: None,
            fields: |_, _| vec![("model", "whisper".to_owned())],
            options: Options { model: "whisper".to_owned(), language: None },
            billed_ms_min: 0,
            classify: |status, _| crate::answer::classify_status(status),
        }));
        batch.connect(&SttOpen { sample_rate_hz: 8_000, language: "en".to_owned(), hints: Vec::new(), now_unix_ms: 0 });
        batch
    }

    fn sent_ms(batch: &mut Batch) -> usize {
        let mut out = Vec::new();
        batch.finalize(&mut out);
        let [Wire::Request(request)] = &out[..] else { panic!("{out:?}") };
        let at = request.body.windows(4).position(|window| window == b"RIFF").expect("a file");
        let end = request.body.windows(4).rposition(|window| window == b"\r\n--").expect("an end");
        let samples = hound::WavReader::new(&request.body[at..end]).expect("a WAV file").len();
        samples as usize / 8
    }

    #[test]
    fn silence_before_the_voice_is_left_out_and_the_voice_is_not() {
        let mut batch = recogniser();
        let mut out = Vec::new();
        batch.on_speech(false, &mut out);
        (0..500).for_each(|_| batch.on_audio(&[0; 160], &mut out));
        batch.on_speech(true, &mut out);
        (0..100).for_each(|_| batch.on_audio(&[1_000; 160], &mut out));
        batch.on_speech(false, &mut out);
        (0..20).for_each(|_| batch.on_audio(&[0; 160], &mut out));
        let sent = sent_ms(&mut batch);
        assert!((3_000..=4_000).contains(&sent), "{sent}");
        batch.finalize(&mut out);
        assert_eq!(out, [], "nobody spoke since");
    }

    #[test]
    fn who_is_told_of_no_voice_is_sent_the_last_half_minute() {
        let mut batch = recogniser();
        (0..2_000).for_each(|_| batch.on_audio(&[1_000; 160], &mut Vec::new()));
        let sent = sent_ms(&mut batch);
        assert!((30_000..=31_000).contains(&sent), "{sent}");
    }

    #[test]
    fn words_that_the_model_takes_for_invented_are_not_said() {
        let mut batch = recogniser();
        let mut events = Vec::new();
        let answer = br#"{"text":" Hello. Thanks for watching!","segments":[
            {"text":" Hello.","no_speech_prob":0.01,"avg_logprob":-0.2},
            {"text":" Thanks for watching!","no_speech_prob":0.93,"avg_logprob":-1.3}]}"#;
        batch.on_message(&Wire::Binary(answer.to_vec()), &mut events);
        batch.on_message(&Wire::End, &mut events);
        assert_eq!(events[0], SttEvent::Final { text: "Hello.".to_owned(), finalized: true });
    }
}
