//! Whether the caller has finished: smart-turn listens to the last eight seconds. A hint, not a verdict: on telephone
//! audio alone it is only somewhat better than chance, so silence and the words decide with it.

use super::SpeechError;
use super::mel::{BANDS, LogMel};
use crate::models::ModelDir;
use crate::onnx::{self, Pool};
use ort::session::Session;
use ort::value::TensorRef;

const MODEL: &str = "turn-smart-turn-v3.2";
const SESSIONS: usize = 2;
const SAMPLES: usize = 8 * 16_000;
const FRAMES: usize = 800;

/// Judges pauses. Shared by all calls.
pub struct TurnJudge {
    pool: Pool<Session>,
    mel: LogMel,
}

impl TurnJudge {
    /// Loads the network.
    pub fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        let path = dir.file(MODEL, "smart-turn-v3.2-cpu.onnx")?;
        let sessions = (0..SESSIONS).map(|_| onnx::open_exact(dir, &path, MODEL)).collect::<Result<_, _>>()?;
        Ok(Self { pool: Pool::new(MODEL, sessions), mel: LogMel::new() })
    }

    /// The probability, 0 to 1, that the turn is over, from the audio up to now (16 kHz; the last eight seconds count).
    pub fn probability(&self, pcm_16k: &[i16]) -> Result<f32, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let picture = self.mel.compute(&standardised(pcm_16k));
        let input = TensorRef::from_array_view(([1, BANDS, FRAMES], &picture[..])).map_err(&failed)?;
        let mut session = self.pool.take()?;
        let outputs = session.run(ort::inputs!["input_features" => input]).map_err(&failed)?;
        let (_, probability) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        probability.first().copied().ok_or_else(|| SpeechError::shape(MODEL, "output"))
    }
}

/// The last eight seconds with silence in front, at zero mean and unit variance.
fn standardised(pcm_16k: &[i16]) -> Vec<f32> {
    let recent = &pcm_16k[pcm_16k.len().saturating_sub(SAMPLES)..];
    let mut samples = vec![0.0_f32; SAMPLES - recent.len()];
    samples.extend(recent.iter().map(|sample| f32::from(*sample) / 32_768.0));
    let mean = samples.iter().map(|x| f64::from(*x)).sum::<f64>() / SAMPLES as f64;
    let variance = samples.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
    let scale = 1.0 / (variance + 1e-7).sqrt();
    for sample in &mut samples {
        *sample = ((f64::from(*sample) - mean) * scale) as f32;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three seconds of a sawtooth that swells twice a second, and noise.
    fn signal() -> Vec<i16> {
        let mut state = 12_345_i64;
        let sample = |i: i64| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            let saw = (i * 137) % 16_000 * 2 - 16_000;
            (saw * (i % 8_000)).div_euclid(16_000) + (state >> 16) % 2_001 - 1_000
        };
        (0..48_000).map(sample).map(|sample| sample as i16).collect()
    }

    #[test]
    fn the_picture_equals_the_reference_implementations() {
        let picture = LogMel::new().compute(&standardised(&signal()));
        // Whisper's feature extractor (transformers 4.57, chunk_length=8, do_normalize) on the same signal.
        let at = [0, 400, 498, 500, 550, 700, 799];
        let reference = [
            (0, [0.2858, 0.2858, 0.2858, 0.6964, 1.4887, 1.6004, 1.2296]),
            (5, [-0.2029, -0.2029, -0.2029, 0.7905, 1.5873, 1.443, 1.5619]),
            (20, [-0.2029, -0.2029, -0.2029, 0.7639, 1.2932, 1.17, 1.3763]),
            (40, [-0.2029, -0.2029, -0.2029, 0.9702, 1.1322, 1.0792, 1.104]),
            (79, [-0.2029, -0.2029, -0.2029, 0.8605, 0.9104, 0.9259, 1.0347]),
        ];
        for (band, values) in reference {
            for (frame, expected) in at.into_iter().zip(values) {
                let found = picture[band * FRAMES + frame];
                assert!((found - expected).abs() < 2e-3, "band {band}, frame {frame}: {found} for {expected}");
            }
        }
    }
}
