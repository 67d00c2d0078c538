//! The conversation engine as pure state machines: [`call`] owns a phone call, [`dialog`] owns what is said.
//!
//! **Must not know**: tokio, clocks, randomness, sockets, audio samples, vendors. `(now, Input)` goes in, `Output`s come
//! out; a whole phone call runs in a test in well under a millisecond.
//!
//! Start reading at [`io`] (everything that can happen and everything the engine can ask for), then [`call`]. What must
//! always hold is in [`invariants`]; whole calls written as text are run by [`scenario`].

/// Whether a deliberate defect is switched on. Constantly `false` in a product build.
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutants::is_active($crate::mutants::Mutant::$name)
    };
}
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

pub mod answering;
pub mod call;
pub mod dialog;
pub mod invariants;
pub mod io;
pub mod machine;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod outgoing;
pub mod scenario;

pub use call::{CallMachine, CallSetup, Phase};
pub use io::{Input, Output};
pub use machine::Machine;
