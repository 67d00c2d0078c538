//! OpenAI transcription of whole utterances, `POST https://api.openai.com/v1/audio/transcriptions`.
//!
//! Source: developers.openai.com, "Create transcription". Servers that speak the same interface work with their address.

use super::batch::{Batch, Options, Vendor};
use super::{SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::ErrorClass;
use model::routing::{Feature, Region};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai",
    title: "OpenAI transcription",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_STT_MODEL"),
    voice_env: None,
    model: Some("gpt-transcribe"),
    voice: None,
    extra: &[("language", "Language instead of the agent's, such as `de`.")],
    key_optional: true,
    region: Some(Region::Us),
    features: &[Feature::Hints],
    quality: 75,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let vendor = Arc::new(Vendor {
        name: "openai",
        url: settings.http_url(&["audio", "transcriptions"]),
        key: settings.key().cloned(),
        fields,
        options: Options { model: settings.model().to_owned(), language: settings.text("language").map(str::to_owned) },
        billed_ms_min: 0,
        classify,
    });
    Ok(Box::new(move || Box::new(Batch::new(vendor.clone()))))
}

fn fields(open: &SttOpen, options: &Options) -> Vec<(&'static str, String)> {
    let format = if options.is_whisper() { "verbose_json" } else { "json" };
    let mut fields = vec![("model", options.model.clone()), ("response_format", format.to_owned())];
    // The current model takes lists; the older ones take one language and a text that sets the scene.
    if options.model.starts_with("gpt-transcribe") {
        fields.push(("languages[]", options.language(open)));
        fields.extend(open.hints.iter().map(|hint| ("keywords[]", hint.clone())));
    } else {
        fields.push(("language", options.language(open)));
        if !open.hints.is_empty() {
            fields.push(("prompt", open.hints.join(", ")));
        }
    }
    fields
}

fn classify(status: u16, body: &str) -> ErrorClass {
    match error_code(body).as_deref() {
        Some("insufficient_quota" | "credit_balance_exhausted") => ErrorClass::Quota,
        Some("invalid_api_key") => ErrorClass::Auth,
        _ => classify_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_model_gets_its_own_fields() {
        let open = SttOpen {
            sample_rate_hz: 8_000,
            language: "en-US".to_owned(),
            hints: vec!["Contoso".to_owned()],
            now_unix_ms: 0,
        };
        let options = Options { model: "whisper-1".to_owned(), language: None };
        let sent = fields(&open, &options);
        assert!(sent.contains(&("response_format", "verbose_json".to_owned())), "{sent:?}");
        assert!(sent.contains(&("language", "en".to_owned())) && sent.contains(&("prompt", "Contoso".to_owned())));
    }

    #[test]
    fn its_own_words_for_trouble_are_understood() {
        let body = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        assert_eq!(classify(429, body), ErrorClass::Quota);
    }
}
