//! Groq's Whisper, `POST https://api.groq.com/openai/v1/audio/transcriptions`.
//!
//! Source: console.groq.com/docs, "Speech to text", and the vendor's SDK. The interface is OpenAI's; an utterance is billed as
//! ten seconds at least.

use super::batch::{Batch, Options, Vendor};
use super::{SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::ErrorClass;
use model::routing::{Feature, Region};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "groq",
    title: "Groq Whisper",
    base_url: "https://api.groq.com",
    key_env: "GROQ_API_KEY",
    base_url_env: "GROQ_BASE_URL",
    model_env: Some("GROQ_STT_MODEL"),
    voice_env: None,
    model: Some("whisper-large-v3-turbo"),
    voice: None,
    extra: &[("language", "Language instead of the agent's, such as `de`.")],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Hints],
    quality: 70,
    ..Descriptor::NONE
};

const BILLED_MS_MIN: u64 = 10_000;

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let vendor = Arc::new(Vendor {
        name: "groq",
        url: settings.http_url(&["openai", "v1", "audio", "transcriptions"]),
        key: settings.key().cloned(),
        fields,
        options: Options { model: settings.model().to_owned(), language: settings.text("language").map(str::to_owned) },
        billed_ms_min: BILLED_MS_MIN,
        classify,
    });
    Ok(Box::new(move || Box::new(Batch::new(vendor.clone()))))
}

fn fields(open: &SttOpen, options: &Options) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("model", options.model.clone()),
        ("response_format", "verbose_json".to_owned()),
        ("temperature", "0".to_owned()),
        ("language", options.language(open)),
    ];
    if !open.hints.is_empty() {
        fields.push(("prompt", open.hints.join(", ")));
    }
    fields
}

fn classify(status: u16, body: &str) -> ErrorClass {
    match (status, error_code(body).as_deref()) {
        (_, Some("insufficient_quota")) => ErrorClass::Quota,
        // Capacity that was bought as flexible is gone for now.
        (498, _) => ErrorClass::Unavailable,
        (status, _) => classify_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_number_for_trouble_is_understood() {
        assert_eq!(classify(498, ""), ErrorClass::Unavailable);
        assert_eq!(classify(429, r#"{"error":{"code":"insufficient_quota"}}"#), ErrorClass::Quota);
    }
}
