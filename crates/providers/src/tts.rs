//! Text to speech: the codec trait and its events.

mod utterance;

use crate::registry::tts_providers;
use crate::voices::Voices;
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure};

/// What a synthesis stream is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtsOpen {
    /// Samples per second we would like: 8000 for a phone line. The codec says in [`TtsProtocol::sample_rate_hz`] what it
    /// will deliver.
    pub sample_rate_hz: u32,
    /// BCP-47 language.
    pub language: String,
    /// Voice, in the vendor's words; `None` for the configured one.
    pub voice: Option<String>,
    /// Milliseconds since 1970 (UTC) at the moment of opening, for signatures and tokens. The driver sets it; whoever asks
    /// for an utterance leaves it 0.
    pub now_unix_ms: u64,
}

/// What a synthesiser reports. Segments come in the order in which their text was pushed.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsEvent {
    /// The stream is ready. The driver says so when the socket is open; codecs do not.
    Started,
    /// More 16-bit mono audio at [`TtsProtocol::sample_rate_hz`].
    Audio {
        /// The samples.
        pcm: Vec<i16>,
    },
    /// When words begin, in milliseconds of the audio of the whole stream. Offsets count bytes of the text pushed so far,
    /// all segments together. Given where the vendor gives it.
    Words {
        /// (byte offset in all text pushed, milliseconds of audio from the first sample of the stream).
        starts: Vec<(usize, u64)>,
    },
    /// All audio of the next segment is out; one for each segment, in the order in which they were pushed.
    SegmentDone,
    /// Characters billed so far, cumulative.
    Usage {
        /// Characters.
        chars: u64,
    },
    /// All audio of the stream is out.
    Done,
    /// The stream is over because of this.
    Failed(Failure),
}

/// A vendor's synthesis, over whichever transport `connect` names. One value per utterance.
///
/// A voice over HTTP sends one [`Wire::Request`] per segment, gives `Audio` for the pieces of its body, `SegmentDone` at
/// each [`Wire::End`], and `Done` after the last one. Over HTTP and gRPC `cancel` has nothing to send.
pub trait TtsProtocol: Send {
    /// How to open the stream.
    fn connect(&mut self, open: &TtsOpen) -> Connect;
    /// Samples per second of the audio this codec will deliver; known after `connect`.
    fn sample_rate_hz(&self) -> u32;
    /// One segment (a sentence) to speak.
    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>);
    /// No more text will come.
    fn flush(&mut self, out: &mut Vec<Wire>);
    /// Stop: no event may follow, whatever still arrives.
    fn cancel(&mut self, out: &mut Vec<Wire>);
    /// Turns one message into events.
    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>);
    /// What follows from the call before: messages that had to wait for the service, and events that need no word of it.
    /// Drivers ask after every other call that gives them anything to send or to tell.
    fn poll(&mut self, wires: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        let _ = (wires, events);
    }
    /// The socket was closed by the other side with this code.
    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>);
    /// The vendor's voices, where it has a list of them.
    fn voices(&self) -> Option<Box<dyn Voices>> {
        None
    }
    /// Maps an HTTP status (a refused upgrade or request, or what a gRPC status stands for) and body, or a close code (1000
    /// and above), to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
    /// The same for a vendor that says in a header what is wrong; names are lower case.
    fn classify_refusal(&self, status: u16, _headers: &[(String, String)], body: &str) -> ErrorClass {
        self.classify(status, body)
    }
}

tts_providers! {
    elevenlabs, elevenlabs_multi, elevenlabs_http, cartesia, deepgram, google, aws, azure, openai, sarvam
}
