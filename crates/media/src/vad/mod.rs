//! Voice activity: when the caller speaks.
//!
//! Two stages. [`Gate`] looks at every frame: energy above an adaptive noise floor, a small learned model and a check for
//! tones and noise (which that model takes for speech). [`Detector`] turns its [`Frame`]s into [`Event`]s with hysteresis and says
//! through [`Detector::wants_neural`] when a better, dearer model is worth running; the host adds that model's
//! probability with [`Frame::with_neural`].
//!
//! ```
//! use media::vad::{Config, Detector, Gate};
//! let mut gate = Gate::new(8_000).unwrap();
//! let mut detector = Detector::new(Config::default());
//! let frame = gate.push(&[0; 160]);
//! assert_eq!(detector.push(frame), None);
//! ```

mod detector;
mod gate;
#[cfg(test)]
mod tests;
mod texture;

pub use detector::{Config, Detector, Event};
pub use gate::Gate;

/// What the stages say about one frame of [`base::limits::FRAME_MS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// How probable speech is, from the cheap stage, 0 to 1. Zero for tones, for noise and for
    /// what does not rise above the floor.
    pub cheap: f32,
    /// Level, dBFS.
    pub level_dbfs: f32,
    /// How far the level is above the noise floor, dB; negative below it.
    pub above_floor_db: f32,
    /// The frame is a steady tone or two: dial and ringing tones, beeps, keys.
    pub tonal: bool,
    /// How probable speech is, from the neural stage, 0 to 1; `None` when it was not run on this frame.
    pub neural: Option<f32>,
}

impl Frame {
    /// The same frame with what the neural stage said about it.
    #[must_use]
    pub fn with_neural(self, probability: f32) -> Self {
        Self { neural: Some(probability), ..self }
    }
}
