//! What tests of several crates start for themselves: real database servers, each test with a database of its own, and real
//! telephones.
//!
//! **Must not know**: what is tested. Nothing but tests depends on it.
//!
//! Start reading at [`stores`] (a store on either engine, ready for use), then [`postgres`] (the server below it); [`phone`] and [`baresip`]
//! stand alone.

pub mod baresip;
pub mod phone;
pub mod ports;
pub mod postgres;
pub mod stores;
