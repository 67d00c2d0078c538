//! The simulated world: callers, carrier twins, provider twins, faults, seeds, replay.
//!
//! **Must not know**: the runtime. Twins are real servers and clients on loopback sockets that speak the vendors' protocols,
//! so that the very same bytes can be tried against the official client libraries.
//!
//! Start reading at [`world`] for whole calls in virtual time, and at `twins` for the vendors' protocols.

#[cfg(feature = "twins")]
pub mod twins;
pub mod world;
