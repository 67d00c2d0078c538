//! Google Cloud Translation, version 2: `POST /language/translate/v2` and `…/detect`.
//!
//! Source: cloud.google.com, "Translate text (Basic)", "Detect languages (Basic)", "Quotas". Texts are sent as plain text, or
//! an apostrophe comes back as HTML.

use super::{TextAnswer, TextAnswers, TextLimits, TextProtocol, TextRequest, TextSkill, chars_of};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::pricing::Unit;
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Pii};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "google_translate",
    title: "Google Cloud Translation",
    base_url: "https://translation.googleapis.com",
    key_env: "GOOGLE_TRANSLATE_API_KEY",
    base_url_env: "GOOGLE_TRANSLATE_BASE_URL",
    model_env: Some("GOOGLE_TRANSLATE_MODEL"),
    voice_env: None,
    model: Some("nmt"),
    voice: None,
    extra: &[("auth_header", "How the key is sent: `x-goog-api-key` (default), or `bearer` for a token.")],
    key_optional: false,
    region: Some(Region::Global),
    features: &[Feature::DetectsLanguage, Feature::Translation],
    quality: 75,
    ..Descriptor::NONE
};

struct Config {
    translate_url: String,
    detect_url: String,
    headers: Vec<Header>,
    model: String,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TextProtocol>, OptionsError> {
    let bearer = settings.choice("auth_header", &["x-goog-api-key", "bearer"])? == Some("bearer");
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| match bearer {
        true => Header::secret("authorization", format!("Bearer {}", key.expose())),
        false => Header::secret("x-goog-api-key", key.expose().clone()),
    }));
    let config = Arc::new(Config {
        translate_url: settings.http_url(&["language", "translate", "v2"]).into(),
        detect_url: settings.http_url(&["language", "translate", "v2", "detect"]).into(),
        headers,
        model: settings.model().to_owned(),
    });
    Ok(Box::new(move || Box::new(Translate { config: config.clone(), items: 0 })))
}

struct Translate {
    config: Arc<Config>,
    items: usize,
}

impl TextProtocol for Translate {
    fn limits(&self, skill: TextSkill) -> Option<TextLimits> {
        let can = matches!(skill, TextSkill::Language | TextSkill::Translation);
        // 30,000 characters in all are recommended, 128 texts are the most.
        can.then_some(TextLimits { items_max: 6, chars_max: 5_000 })
    }

    fn request(&mut self, request: &TextRequest) -> HttpRequest {
        let config = &self.config;
        self.items = request.items.len();
        let texts: Vec<&Pii<String>> = request.items.iter().map(|item| &item.text).collect();
        let detects = request.skill == TextSkill::Language;
        let mut body = json!({"q": texts});
        if !detects {
            body["target"] = json!(request.target.as_deref().unwrap_or("en"));
            body["format"] = json!("text");
            body["model"] = json!(config.model);
            // One source for all texts: where they differ, the service finds out.
            let sources: BTreeSet<_> = request.items.iter().map(|item| item.language.as_deref()).collect();
            if let (1, Some(Some(source))) = (sources.len(), sources.first()) {
                body["source"] = json!(source);
            }
        }
        let url = if detects { &config.detect_url } else { &config.translate_url };
        HttpRequest {
            method: Method::Post,
            url: url.clone(),
            headers: config.headers.clone(),
            body: body.to_string().into_bytes(),
        }
    }

    fn on_body(&mut self, body: &[u8]) -> Result<TextAnswers, Failure> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Failure::new(ErrorClass::Protocol, "the service sent an answer of another shape"))?;
        let answers: Vec<TextAnswer> = match answer.data {
            Data::Translations(all) => all
                .into_iter()
                .map(|one| TextAnswer::Translation {
                    text: one.translated_text.into(),
                    from: one.detected_source_language,
                })
                .collect(),
            Data::Detections(all) => all.into_iter().map(best).collect(),
        };
        if answers.len() != self.items {
            return Err(Failure::new(ErrorClass::Protocol, "the service answered with another number of texts"));
        }
        Ok(answers.into_iter().map(Ok).collect())
    }

    fn billed(&self, request: &TextRequest) -> (Unit, u64) {
        (Unit::Chars, chars_of(request))
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let json = serde_json::from_str::<Value>(body).unwrap_or_default();
        let reason = json.pointer("/error/errors/0/reason").or(json.pointer("/error/details/0/reason"));
        match reason.and_then(Value::as_str) {
            Some("userRateLimitExceeded" | "rateLimitExceeded") => ErrorClass::RateLimited,
            Some("dailyLimitExceeded" | "billingNotEnabled") => ErrorClass::Quota,
            Some("API_KEY_INVALID" | "keyInvalid") => ErrorClass::Auth,
            _ => classify_status(status),
        }
    }
}

fn best(candidates: Vec<Detection>) -> TextAnswer {
    let best = candidates.into_iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence));
    match best {
        Some(Detection { language, confidence }) if language != "und" => {
            TextAnswer::Language { language: Some(language), confidence }
        }
        _ => TextAnswer::Language { language: None, confidence: 0.0 },
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Data {
    Translations(Vec<Translated>),
    Detections(Vec<Vec<Detection>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Translated {
    translated_text: String,
    detected_source_language: Option<String>,
}

#[derive(Deserialize)]
struct Detection {
    language: String,
    #[serde(default)]
    confidence: f32,
}
