//! Whole calls against the parts as they are shipped.

mod bad_input;
mod clock;
mod cloud_call;
mod database;
mod embedding;
mod faults;
mod gate;
mod kill;
mod knowledge;
mod nodes;
mod on_device_call;
mod phones_call;
mod providers;
mod quick_start;
mod recordings;
mod relay_call;
mod replay;
mod rig;
mod sip_call;
mod sip_words;
mod supervise;
mod vault;
mod vendors_call;
mod voices;
mod website;
