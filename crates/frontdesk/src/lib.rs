//! The binary's own code: configuration, wiring, the command line and the simulated caller behind `frontdesk call`.
//!
//! **Must not know**: vendors and platforms by name (the registries list them), how calls are decided.
//!
//! Start reading at [`config`] (what can be set), then [`wiring`] (how the parts are put together), then `commands`.

pub mod caller;
pub mod cli;
mod commands;
pub mod config;
pub mod nodes;
pub mod on_device;
pub mod reload;
pub mod rtc;
pub mod shelf;
pub mod telemetry;
pub mod test_calls;
pub mod traces;
pub mod trunks;
pub mod vault;
pub mod wiring;
pub mod wiring_live;

pub use cli::run;
