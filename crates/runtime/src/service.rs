//! What a call host uses, whoever provides it: cloud codecs behind a driver, or a model on this machine.
//!
//! Every session is a pair of bounded channels. Dropping the sending side (or the whole session) cancels: the service
//! stops within [`base::limits::CANCEL_MS_MAX`] and sends nothing more. Every service keeps its own deadlines
//! (connect, first result, stall) and reports their passing as `Failed`, so a receiver never waits for ever.

pub use crate::bill::Bill;
use base::Failure;
use futures_util::future::BoxFuture;
use model::generation::{GenerationEvent, GenerationRequest};
use providers::embed::{EmbedRequest, Embeddings};
use providers::stt::{SttEvent, SttOpen};
use providers::text::{TextAnswers, TextRequest, TextSkill};
use providers::tts::{TtsEvent, TtsOpen};
use tokio::sync::mpsc;

/// What is pushed into a recognition session.
#[derive(Clone, Debug)]
pub enum SttCommand {
    /// More audio at the rate of [`SttOpen::sample_rate_hz`]: 16-bit mono.
    Audio(Box<[i16]>),
    /// The voice activity detector says that the caller begins (true) or stops (false) speaking. Streaming recognisers
    /// ignore it; a recogniser that decodes whole utterances lives by it.
    Speech(bool),
    /// Give the final transcript of what was pushed, now.
    Finalize,
}

/// One recognition stream.
#[derive(Debug)]
pub struct SttSession {
    /// Audio in; capacity [`base::limits::AUDIO_IN_FRAMES_MAX`]. Use `try_send`: a full queue drops and counts.
    pub commands: mpsc::Sender<SttCommand>,
    /// Events out. Ends after `Failed`.
    pub events: mpsc::Receiver<SttEvent>,
}

/// Speech to text.
pub trait SttService: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Opens a stream; returns at once, connecting goes on behind.
    fn open(&self, open: SttOpen) -> SttSession;
    /// The same for a call that keeps count of its cost. What costs nothing need not know.
    fn open_billed(&self, open: SttOpen, _bill: &Bill) -> SttSession {
        self.open(open)
    }
    /// Whether it begins to read when an utterance is over: it says nothing before, takes longer for the final words, and
    /// cannot be asked for them in a mere lull without cutting the utterance in two.
    fn hears_whole_utterances(&self) -> bool {
        false
    }
}

/// What is pushed into a synthesis session.
#[derive(Clone, Debug)]
pub enum TtsCommand {
    /// One more segment (a sentence).
    Segment(String),
    /// No more segments will come.
    Flush,
}

/// One utterance being synthesised.
#[derive(Debug)]
pub struct TtsSession {
    /// Samples per second of the audio events.
    pub sample_rate_hz: u32,
    /// Text in; capacity [`base::limits::TTS_SEGMENTS_MAX`].
    pub commands: mpsc::Sender<TtsCommand>,
    /// Events out. Ends after `Done` or `Failed`. Not reading it holds synthesis back.
    pub events: mpsc::Receiver<TtsEvent>,
}

/// Text to speech.
pub trait TtsService: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Opens an utterance; returns at once, connecting goes on behind.
    fn open(&self, open: TtsOpen) -> TtsSession;
    /// The same for a call that keeps count of its cost. What costs nothing need not know.
    fn open_billed(&self, open: TtsOpen, _bill: &Bill) -> TtsSession {
        self.open(open)
    }
    /// Opens a connection ahead for an utterance that will begin in a moment. Asks for nothing that is paid.
    fn warm(&self, _open: &TtsOpen) {}
}

/// One generation.
#[derive(Debug)]
pub struct BrainSession {
    /// Events out. Ends after `Done` or `Failed`. Dropping it cancels.
    pub events: mpsc::Receiver<GenerationEvent>,
}

/// A brain: a language model or the on-device pipeline.
pub trait BrainService: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Starts a generation for this business; returns at once. A model in the cloud does not need to know for whom; the
    /// on-device brain answers from that business's documents.
    fn generate(&self, business: base::BusinessId, request: GenerationRequest) -> BrainSession;
    /// The same for a call that keeps count of its cost. What costs nothing need not know.
    fn generate_billed(&self, business: base::BusinessId, request: GenerationRequest, _bill: &Bill) -> BrainSession {
        self.generate(business, request)
    }
    /// Opens a connection ahead, so that the first question of a call does not wait for one. Asks the model nothing.
    fn warm(&self) {}
}

/// Finds passages of a business's documents, for brains that look things up by a tool.
pub trait KnowledgeSearch: Send + Sync {
    /// The passages that answer the query, best first; empty when nothing passes the gate. What the service that embeds the
    /// documents charges for the query is put on the bill. Blocking work; the caller gives it a thread.
    fn search(&self, business: base::BusinessId, query: &str, bill: &Bill) -> Vec<model::generation::Citation>;
    /// Another number whenever the documents of the business have changed.
    fn version(&self, _business: base::BusinessId) -> u64 {
        0
    }
}

/// Tells what callers want, as agents were taught.
pub trait Understanding: Send + Sync {
    /// What a turn is; `None` when the agent was taught nothing, or when too many ask at once. Beside the conversation: nobody
    /// waits for it.
    fn understand(
        &self,
        scope: model::business::TenantScope,
        agent: base::AgentId,
        turn: base::TurnId,
        text: base::Pii<String>,
    ) -> BoxFuture<'static, Option<model::live::Understood>>;
}

/// Texts to vectors.
pub trait EmbedService: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Name of the space that the vectors lie in: who made them, with which model. Vectors of different spaces cannot be
    /// compared, so an index belongs to one.
    fn space(&self) -> &str;
    /// One vector of length 1 for each text, in their order; dropping the future calls it off. An empty text is refused;
    /// of a text longer than [`base::limits::EMBED_TEXT_CHARS_MAX`] the rest does not count.
    fn embed(&self, request: EmbedRequest, bill: &Bill) -> BoxFuture<'static, Result<Embeddings, Failure>>;
}

/// What texts say: sentiment, entities, personal data, language, translation.
pub trait TextService: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Whether it can do this.
    fn can(&self, skill: TextSkill) -> bool;
    /// One outcome for each text, in their order; dropping the future calls it off. A text that is empty or too long for
    /// the service fails by itself.
    fn read(&self, request: TextRequest, bill: &Bill) -> BoxFuture<'static, Result<TextAnswers, Failure>>;
}

/// Neural voice activity for one call: 8 or 16 kHz audio in any chunks, a probability of speech when a window is full.
pub trait NeuralVadSession: Send {
    /// More audio; the latest probability when one or more windows became full.
    fn push(&mut self, pcm: &[i16]) -> Option<f32>;
}

/// Judges from audio.
pub trait AudioJudge: Send + Sync {
    /// A neural VAD for a new call at this rate.
    fn vad(&self, sample_rate_hz: u32) -> Option<Box<dyn NeuralVadSession>>;
    /// How probable it is that the speaker has finished, from the last seconds of speech at 16 kHz. Blocking work; the
    /// caller gives it a thread.
    fn turn_probability(&self, pcm_16k: &[i16]) -> Option<f32>;
}
