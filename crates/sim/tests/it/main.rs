//! The twins against our codecs and against the vendors' official packages.

mod conformance;
mod conformance_calls;
mod conformance_stt;
mod conformance_tts;
mod language_conformance;
mod language_twins;
mod matrix;
mod phones_conformance;
mod provider_twins;
mod twilio_conformance;
mod twilio_twin;
mod vault;
mod vector_conformance;
