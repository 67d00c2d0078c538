//! Whether somebody is speaking: the Silero network, frame by frame. It is not fooled by tones and beeps, which is why
//! it confirms what the cheap detector of the media crate suspects.

use super::SpeechError;
use crate::models::ModelDir;
use crate::onnx::{self, Pool};
use ort::session::Session;
use ort::value::{Tensor, TensorRef};
use std::sync::Arc;

const MODEL: &str = "vad-silero-v6";
const STATE: usize = 2 * 128;
/// A run takes less than 0.1 ms, so two sessions serve hundreds of calls.
const SESSIONS: usize = 2;

/// The network, shared by all calls.
#[derive(Clone)]
pub struct NeuralVad {
    pool: Arc<Pool<Session>>,
}

impl NeuralVad {
    /// Loads the network.
    pub fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        let path = dir.file(MODEL, "silero_vad.onnx")?;
        let sessions = (0..SESSIONS).map(|_| onnx::open(dir, &path, MODEL)).collect::<Result<_, _>>()?;
        Ok(Self { pool: Arc::new(Pool::new(MODEL, sessions)) })
    }

    /// The memory of one caller. The rate is 8,000 or 16,000 Hz.
    pub fn session(&self, rate_hz: u32) -> Result<VadSession, SpeechError> {
        let (frame, context) = match rate_hz {
            8_000 => (256, 32),
            16_000 => (512, 64),
            other => return Err(SpeechError::SampleRate(other)),
        };
        Ok(VadSession {
            vad: self.clone(),
            rate_hz,
            frame,
            context,
            input: vec![0.0; context],
            state: vec![0.0; STATE],
        })
    }
}

/// One caller's stream: keeps the network's memory and the samples of an unfinished frame.
pub struct VadSession {
    vad: NeuralVad,
    rate_hz: u32,
    frame: usize,
    context: usize,
    /// The context of the last frame, then what has come since.
    input: Vec<f32>,
    state: Vec<f32>,
}

impl VadSession {
    /// Samples per frame: 32 ms.
    pub fn frame_samples(&self) -> usize {
        self.frame
    }

    /// Adds audio. The highest probability of speech, 0 to 1, among the 32 ms frames it completed; nothing when it
    /// completed none, or when the network failed, which is logged and leaves the cheap detector to decide.
    pub fn push(&mut self, pcm: &[i16]) -> Option<f32> {
        self.input.extend(pcm.iter().map(|sample| f32::from(*sample) / 32_768.0));
        let mut highest = None;
        while self.input.len() >= self.context + self.frame {
            match self.run() {
                Ok(probability) => highest = Some(probability.max(highest.unwrap_or(0.0))),
                Err(error) => tracing::warn!(%error, "voice activity is not judged"),
            }
            self.input.drain(..self.frame);
        }
        highest
    }

    /// Forgets what was heard, as at the start of a call.
    pub fn reset(&mut self) {
        self.input = vec![0.0; self.context];
        self.state = vec![0.0; STATE];
    }

    fn run(&mut self) -> Result<f32, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let samples = self.context + self.frame;
        let mut session = self.vad.pool.take()?;
        let input = TensorRef::from_array_view(([1, samples], &self.input[..samples])).map_err(&failed)?;
        let state = TensorRef::from_array_view(([2, 1, STATE / 2], &self.state[..])).map_err(&failed)?;
        let rate = Tensor::from_array(((), vec![i64::from(self.rate_hz)])).map_err(&failed)?;
        let inputs = ort::inputs!["input" => input, "state" => state, "sr" => rate];
        let outputs = session.run(inputs).map_err(&failed)?;
        let (_, probability) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        let probability = *probability.first().ok_or_else(|| SpeechError::shape(MODEL, "output"))?;
        let (_, state) = outputs[1].try_extract_tensor::<f32>().map_err(&failed)?;
        if state.len() != STATE {
            return Err(SpeechError::shape(MODEL, "state"));
        }
        let state = state.to_vec();
        drop(outputs);
        self.state = state;
        Ok(probability)
    }
}
