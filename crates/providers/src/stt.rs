//! Speech to text: the codec trait and its events.

mod batch;
mod feed;

use crate::registry::stt_providers;
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure};

/// What a recognition stream is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SttOpen {
    /// Samples per second of the audio that will be pushed: 8000 or 16000.
    pub sample_rate_hz: u32,
    /// BCP-47 language.
    pub language: String,
    /// Words that are likely, such as product names.
    pub hints: Vec<String>,
    /// Milliseconds since 1970 (UTC) at the moment of opening, for signatures and tokens. The driver sets it; whoever asks
    /// for a stream leaves it 0.
    pub now_unix_ms: u64,
}

/// What a recogniser reports.
#[derive(Clone, Debug, PartialEq)]
pub enum SttEvent {
    /// The stream is ready. The driver says so when the socket is open; codecs do not.
    Started,
    /// What the speaker seems to be saying since the last `Final`. Replaces earlier partials.
    Partial {
        /// The words.
        text: String,
    },
    /// What the speaker said, for good. Appends to earlier finals of the turn. Empty text is allowed and answers a
    /// `finalize` when nothing was said.
    Final {
        /// The words.
        text: String,
        /// Whether it answers our `finalize`.
        finalized: bool,
    },
    /// The provider takes the turn as ended.
    EndOfTurn,
    /// Audio billed so far, cumulative.
    Usage {
        /// Milliseconds of audio.
        audio_ms: u64,
    },
    /// The stream is over because of this.
    Failed(Failure),
}

/// A vendor's recognition, over whichever transport `connect` names. One value per connection.
///
/// A vendor that can end a stream but not finish an utterance within it answers `finalize` with [`Wire::End`]: the driver
/// opens the next stream when the last words of this one are in. A vendor of whole utterances over HTTP keeps the audio
/// since its last final, sends a [`Wire::Request`] at `finalize` and gives `Final` at the [`Wire::End`] that answers it.
pub trait SttProtocol: Send {
    /// How to open the stream.
    fn connect(&mut self, open: &SttOpen) -> Connect;
    /// Turns 16-bit mono audio into messages. May hold back less than one message; any split gives the same bytes.
    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>);
    /// Turns one message into events. A close frame is a message too and gives `Failed` unless we asked for it.
    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>);
    /// Asks for the final transcript of what was pushed.
    fn finalize(&mut self, out: &mut Vec<Wire>);
    /// The caller begins (true) or stops (false) speaking. Only a recogniser of whole utterances needs to know.
    fn on_speech(&mut self, _speaking: bool, _out: &mut Vec<Wire>) {}
    /// Keeps an idle stream open; called every [`SttProtocol::keep_alive_ms`].
    fn keep_alive(&mut self, out: &mut Vec<Wire>);
    /// How often an idle stream must hear from us.
    fn keep_alive_ms(&self) -> Option<u64>;
    /// Ends the stream politely. No event follows.
    fn close(&mut self, out: &mut Vec<Wire>);
    /// Maps an HTTP status (a refused upgrade or request, or what a gRPC status stands for) and body, or a close code (1000
    /// and above), to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
    /// The same for a vendor that says in a header what is wrong; names are lower case.
    fn classify_refusal(&self, status: u16, _headers: &[(String, String)], body: &str) -> ErrorClass {
        self.classify(status, body)
    }
}

stt_providers! {
    deepgram,
    deepgram_flux,
    google,
    google_v1,
    azure,
    aws,
    assemblyai,
    sarvam,
    openai,
    openai_realtime,
    groq,
    elevenlabs,
}
