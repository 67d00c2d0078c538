//! The conversation engine as pure state machines: [`call`] owns a phone call, [`dialog`] owns what is said.
//!
//! **Must not know**: tokio, clocks, randomness, sockets, audio samples, vendors. `(now, Input)` goes in, `Output`s come
//! out; a whole phone call runs in a test in well under a millisecond.
//!
//! Start reading at [`io`] (everything that can happen and everything the engine can ask for), then [`call`].

pub mod io;
pub mod machine;

pub use io::{Input, Output};
pub use machine::Machine;
