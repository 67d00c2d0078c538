//! Azure Translator, `POST /translate` of the interface that is current since 2026-06-06.
//!
//! Source: learn.microsoft.com, "Translate" and "Status codes". Codes of errors are numbers: an HTTP status and three digits.
//! An address of one's own ends in `/translator/text`.

use super::{TextAnswer, TextAnswers, TextLimits, TextProtocol, TextRequest, TextSkill, chars_of};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::pricing::Unit;
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure_translator",
    title: "Azure Translator",
    base_url: "https://api.cognitive.microsofttranslator.com",
    key_env: "AZURE_TRANSLATOR_API_KEY",
    base_url_env: "AZURE_TRANSLATOR_ENDPOINT",
    model_env: Some("AZURE_TRANSLATOR_MODEL"),
    voice_env: None,
    model: Some("general"),
    voice: None,
    extra: &[
        ("region", "Region of the key, as in `westeurope`; needed for keys that are not global."),
        ("api_version", "Version of the interface; default `2026-06-06`."),
        ("tone", "`formal` or `informal`, for models that can; left to the service when unset."),
        ("profanity", "`NoAction` (default), `Marked` or `Deleted`."),
    ],
    key_optional: false,
    region: Some(Region::Global),
    features: &[Feature::Translation],
    quality: 75,
    ..Descriptor::NONE
};

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    tone: Option<String>,
    profanity: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TextProtocol>, OptionsError> {
    let mut url = settings.http_url(&["translate"]);
    url.query_pairs_mut().append_pair("api-version", settings.text("api_version").unwrap_or("2026-06-06"));
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("ocp-apim-subscription-key", key.expose().clone())));
    headers.extend(settings.text("region").map(|region| Header::plain("ocp-apim-subscription-region", region)));
    let config = Arc::new(Config {
        url: url.into(),
        headers,
        model: settings.model().to_owned(),
        tone: settings.choice("tone", &["formal", "informal"])?.map(str::to_owned),
        profanity: settings.choice("profanity", &["NoAction", "Marked", "Deleted"])?.map(str::to_owned),
    });
    Ok(Box::new(move || Box::new(Translator { config: config.clone(), items: 0 })))
}

struct Translator {
    config: Arc<Config>,
    items: usize,
}

impl TextProtocol for Translator {
    fn limits(&self, skill: TextSkill) -> Option<TextLimits> {
        // 50,000 characters in all.
        (skill == TextSkill::Translation).then_some(TextLimits { items_max: 10, chars_max: 5_000 })
    }

    fn request(&mut self, request: &TextRequest) -> HttpRequest {
        let config = &self.config;
        self.items = request.items.len();
        let mut target = json!({"language": request.target.as_deref().unwrap_or("en")});
        if config.model != "general" {
            target["deploymentName"] = json!(config.model);
        }
        for (key, value) in [("tone", &config.tone), ("profanityAction", &config.profanity)] {
            if let Some(value) = value {
                target[key] = json!(value);
            }
        }
        let input = |item: &super::TextItem| {
            let mut input = json!({"text": item.text, "textType": "plain", "targets": [target]});
            if let Some(language) = &item.language {
                input["language"] = json!(language);
            }
            input
        };
        let inputs: Vec<Value> = request.items.iter().map(input).collect();
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: json!({"inputs": inputs}).to_string().into_bytes(),
        }
    }

    fn on_body(&mut self, body: &[u8]) -> Result<TextAnswers, Failure> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Failure::new(ErrorClass::Protocol, "the service sent an answer of another shape"))?;
        if answer.value.len() != self.items {
            return Err(Failure::new(ErrorClass::Protocol, "the service answered with another number of texts"));
        }
        let translation = |value: Translated| {
            let from = value.detected_language.map(|found| found.language);
            let first = value.translations.into_iter().next();
            let none = || Failure::new(ErrorClass::Protocol, "the service left out a translation");
            first.map(|one| TextAnswer::Translation { text: one.text.into(), from }).ok_or_else(none)
        };
        Ok(answer.value.into_iter().map(translation).collect())
    }

    fn billed(&self, request: &TextRequest) -> (Unit, u64) {
        (Unit::Chars, chars_of(request))
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let number = serde_json::from_str::<Value>(body).ok().and_then(|json| json.pointer("/error/code")?.as_u64());
        match (number, error_code(body).as_deref()) {
            (Some(403_000 | 403_001), _) => ErrorClass::Quota,
            (Some(408_001 | 408_002), _) => ErrorClass::Unavailable, // A model of one's own is being loaded.
            (Some(number), _) if number >= 100_000 => {
                classify_status(u16::try_from(number / 1_000).unwrap_or(status))
            }
            (_, Some("QuotaExceeded")) => ErrorClass::Quota,
            _ => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    value: Vec<Translated>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Translated {
    detected_language: Option<Detected>,
    translations: Vec<Translation>,
}

#[derive(Deserialize)]
struct Detected {
    language: String,
}

#[derive(Deserialize)]
struct Translation {
    text: String,
}
