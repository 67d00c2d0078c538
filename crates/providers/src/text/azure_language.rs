//! Azure AI Language: sentiment, entities, personal data and language, `POST /language/:analyze-text`.
//!
//! Source: learn.microsoft.com, "Analyze Text" (2023-04-01) and "Data limits". An answer of 200 may hold failures of single
//! documents. Offsets are asked for in code points, which are Rust's characters.

use super::{
    Entity, EntityKind, Sentiment, TextAnswer, TextAnswers, TextLimits, TextProtocol, TextRequest, TextSkill, bytes_of,
};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::pricing::Unit;
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use model::routing::Feature;

/// Stands where the name of the business's own resource belongs.
const NO_RESOURCE: &str = "resource.invalid";
/// Characters of one text record, by which the service bills.
const RECORD_CHARS: usize = 1_000;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure_language",
    title: "Azure AI Language",
    base_url: "https://resource.invalid",
    key_env: "AZURE_LANGUAGE_API_KEY",
    base_url_env: "AZURE_LANGUAGE_ENDPOINT",
    model_env: Some("AZURE_LANGUAGE_MODEL"),
    voice_env: None,
    model: Some("latest"),
    voice: None,
    extra: &[
        ("api_version", "Version of the interface; default `2023-04-01`."),
        ("domain", "`phi` finds health data in personal data, too; default `none`."),
    ],
    key_optional: false,
    features: &[Feature::Sentiment, Feature::Entities, Feature::PersonalData, Feature::DetectsLanguage],
    quality: 75,
    ..Descriptor::NONE
};

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    domain: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TextProtocol>, OptionsError> {
    let mut url = settings.http_url(&["language", ":analyze-text"]);
    if url.host_str() == Some(NO_RESOURCE) {
        let why = "it must name your resource, as in https://RESOURCE.cognitiveservices.azure.com";
        return Err(OptionsError::Address { env: DESCRIPTOR.base_url_env, why });
    }
    url.query_pairs_mut().append_pair("api-version", settings.text("api_version").unwrap_or("2023-04-01"));
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("ocp-apim-subscription-key", key.expose().clone())));
    let domain = settings.choice("domain", &["none", "phi"])?.map(str::to_owned);
    let config = Arc::new(Config { url: url.into(), headers, model: settings.model().to_owned(), domain });
    Ok(Box::new(move || Box::new(Language { config: config.clone(), asked: None })))
}

struct Language {
    config: Arc<Config>,
    asked: Option<TextRequest>,
}

impl TextProtocol for Language {
    fn limits(&self, skill: TextSkill) -> Option<TextLimits> {
        let items_max = match skill {
            TextSkill::Sentiment => 10,
            TextSkill::Entities | TextSkill::PersonalData => 5,
            TextSkill::Language => 1_000,
            TextSkill::Translation => return None,
        };
        Some(TextLimits { items_max, chars_max: 5_120 })
    }

    fn request(&mut self, request: &TextRequest) -> HttpRequest {
        let config = &self.config;
        let document = |(id, item): (usize, &super::TextItem)| {
            let mut document = json!({"id": id.to_string(), "text": item.text});
            if let Some(language) = item.language.as_ref().filter(|_| request.skill != TextSkill::Language) {
                document["language"] = json!(language);
            }
            document
        };
        let documents: Vec<Value> = request.items.iter().enumerate().map(document).collect();
        let mut parameters = json!({"modelVersion": config.model});
        let kind = match request.skill {
            TextSkill::Sentiment => "SentimentAnalysis",
            TextSkill::Entities => "EntityRecognition",
            TextSkill::PersonalData => "PiiEntityRecognition",
            TextSkill::Language | TextSkill::Translation => "LanguageDetection",
        };
        if kind != "LanguageDetection" {
            parameters["stringIndexType"] = json!("UnicodeCodePoint");
        }
        if let Some(domain) = config.domain.as_ref().filter(|_| kind == "PiiEntityRecognition") {
            parameters["domain"] = json!(domain);
        }
        let body = json!({"kind": kind, "analysisInput": {"documents": documents}, "parameters": parameters});
        self.asked = Some(request.clone());
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: body.to_string().into_bytes(),
        }
    }

    fn on_body(&mut self, body: &[u8]) -> Result<TextAnswers, Failure> {
        let refuse = |detail: &str| Failure::new(ErrorClass::Protocol, detail);
        let answer: Answer =
            serde_json::from_slice(body).map_err(|_| refuse("the service sent an answer of another shape"))?;
        let asked = self.asked.as_ref().ok_or_else(|| refuse("the service answered what nobody asked"))?;
        let missing = || Err(refuse("the service left out a document"));
        let mut out: TextAnswers = asked.items.iter().map(|_| missing()).collect();
        for document in answer.results.documents {
            let Some(place) = place_of(&document.id, &mut out) else { continue };
            let text = asked.items[place].text.expose();
            out[place] = document.into_answer(asked.skill, text).ok_or_else(|| refuse("a document has another shape"));
        }
        for failed in answer.results.errors {
            let Some(place) = place_of(&failed.id, &mut out) else { continue };
            let inner = failed.error.innererror.and_then(|inner| inner.code);
            let code = inner.or(failed.error.code).filter(|code| is_code(code)).unwrap_or_default();
            out[place] = Err(Failure::new(code_class(&code).unwrap_or(ErrorClass::Invalid), code));
        }
        Ok(out)
    }

    fn billed(&self, request: &TextRequest) -> (Unit, u64) {
        let records = |item: &super::TextItem| item.text.expose().chars().count().div_ceil(RECORD_CHARS) as u64;
        (Unit::Records, request.items.iter().map(records).sum())
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| code_class(&code)).unwrap_or_else(|| classify_status(status))
    }
}

fn place_of(id: &str, out: &mut TextAnswers) -> Option<usize> {
    id.parse().ok().filter(|place| *place < out.len())
}

fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "Unauthorized" | "Forbidden" => ErrorClass::Auth,
        "QuotaExceeded" => ErrorClass::Quota,
        "TooManyRequests" => ErrorClass::RateLimited,
        "InvalidRequest" | "InvalidArgument" | "InvalidDocument" | "NotFound" | "UnsupportedLanguageCode" => {
            ErrorClass::Invalid
        }
        "Timeout" => ErrorClass::Timeout,
        "InternalServerError" | "ServiceUnavailable" | "ModelUnavailable" => ErrorClass::Unavailable,
        _ => return None,
    })
}

fn kind_of(category: &str) -> EntityKind {
    match category {
        "Person" | "PersonType" => EntityKind::Person,
        "Organization" => EntityKind::Organization,
        "Location" => EntityKind::Location,
        "Address" => EntityKind::Address,
        "PhoneNumber" => EntityKind::Phone,
        "Email" => EntityKind::Email,
        "CreditCardNumber" => EntityKind::Card,
        "InternationalBankingAccountNumber" | "SWIFTCode" | "ABARoutingNumber" => EntityKind::Account,
        "DateTime" | "Date" | "Time" => EntityKind::Time,
        "Quantity" => EntityKind::Quantity,
        "URL" | "IPAddress" | "IP" => EntityKind::Url,
        other if other.ends_with("BankAccountNumber") => EntityKind::Account,
        other if other.ends_with("Number") || other.ends_with("Identifier") || other.ends_with("ID") => EntityKind::Id,
        _ => EntityKind::Other,
    }
}

#[derive(Deserialize)]
struct Answer {
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    documents: Vec<Document>,
    #[serde(default)]
    errors: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: String,
    sentiment: Option<String>,
    confidence_scores: Option<Scores>,
    entities: Option<Vec<Found>>,
    redacted_text: Option<String>,
    detected_language: Option<Detected>,
}

#[derive(Deserialize)]
struct Scores {
    positive: f32,
    negative: f32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    category: String,
    offset: usize,
    length: usize,
    confidence_score: f32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detected {
    iso6391_name: String,
    confidence_score: f32,
}

#[derive(Deserialize)]
struct Failed {
    id: String,
    error: Why,
}

#[derive(Deserialize)]
struct Why {
    code: Option<String>,
    innererror: Option<InnerError>,
}

#[derive(Deserialize)]
struct InnerError {
    code: Option<String>,
}

impl Document {
    fn into_answer(self, skill: TextSkill, text: &str) -> Option<TextAnswer> {
        Some(match skill {
            TextSkill::Sentiment => {
                let scores = self.confidence_scores?;
                let sentiment = match self.sentiment?.as_str() {
                    "positive" => Sentiment::Positive,
                    "negative" => Sentiment::Negative,
                    "mixed" => Sentiment::Mixed,
                    _ => Sentiment::Neutral,
                };
                TextAnswer::Sentiment { sentiment, positive: scores.positive, negative: scores.negative }
            }
            TextSkill::Entities => TextAnswer::Entities { entities: entities(self.entities?, text)? },
            TextSkill::PersonalData => {
                TextAnswer::PersonalData { entities: entities(self.entities?, text)?, masked: self.redacted_text? }
            }
            TextSkill::Language => {
                let found = self.detected_language?;
                // Two letters, sometimes with a script; "(Unknown)" is none.
                let language = Some(found.iso6391_name).filter(|name| !name.starts_with('('));
                TextAnswer::Language { language: language.map(|name| name.replace('_', "-")), confidence: found.confidence_score }
            }
            TextSkill::Translation => return None,
        })
    }
}

fn entities(found: Vec<Found>, text: &str) -> Option<Vec<Entity>> {
    let entity = |found: Found| {
        let range = bytes_of(text, found.offset, found.length)?;
        Some(Entity { kind: kind_of(&found.category), category: found.category, range, confidence: found.confidence_score })
    };
    let mut entities: Vec<Entity> = found.into_iter().map(entity).collect::<Option<_>>()?;
    entities.sort_by_key(|entity| entity.range.start);
    Some(entities)
}
