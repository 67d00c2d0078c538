//! Fourier transforms whose tables all calls share.

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) type Plans = (Arc<dyn RealToComplex<f32>>, Arc<dyn ComplexToReal<f32>>);

/// Transforms of this length, forward and back. The tables are made once per process, when the first call needs them.
pub(crate) fn plan(size: usize) -> Plans {
    static PLANNER: OnceLock<Mutex<RealFftPlanner<f32>>> = OnceLock::new();
    let planner = PLANNER.get_or_init(|| Mutex::new(RealFftPlanner::new()));
    let mut planner = planner.lock().unwrap_or_else(PoisonError::into_inner);
    (planner.plan_fft_forward(size), planner.plan_fft_inverse(size))
}
