//! Requests whose answers are read whole: embeddings and text services over HTTP. What is more than one request may hold is
//! asked for in several, one after the other.

use super::Meter;
use crate::service::{Bill, EmbedService, TextService};
use base::{ErrorClass, Failure, Millis, Money, limits};
use bytes::Bytes;
use egress::Egress;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use providers::embed::{EmbedProtocol, EmbedRequest, Embeddings};
use providers::pricing;
use providers::text::{TextAnswers, TextItem, TextProtocol, TextRequest, TextSkill};
use std::sync::Arc;
use tokio::time::Instant;

/// Makes one codec per request.
pub type MakeEmbed = Arc<dyn Fn() -> Box<dyn EmbedProtocol> + Send + Sync>;

/// Makes one codec per request.
pub type MakeText = Arc<dyn Fn() -> Box<dyn TextProtocol> + Send + Sync>;

/// The body of an answer; a refusal is told in the vendor's terms.
pub(super) fn body_of(
    provider: &str,
    answer: egress::Response,
    classify: impl Fn(u16, &str) -> ErrorClass,
) -> Result<Bytes, Failure> {
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    let told = &answer.body[..answer.body.len().min(limits::REFUSAL_BODY_BYTES_MAX)];
    let body = String::from_utf8_lossy(told);
    let class = classify(answer.status, &body);
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Err(providers::answer::refusal(provider, class, answer.status, headers, &body))
}

/// Counts a request that is over.
pub(super) fn count<T>(meter: &Meter, began: Instant, outcome: &Result<T, Failure>) {
    match outcome {
        Ok(_) => {
            meter.latency(began.elapsed());
            meter.finished("ok");
        }
        Err(failure) => {
            meter.failed(failure);
            meter.finished("error");
        }
    }
}

fn refused(detail: &str) -> Failure {
    Failure::new(ErrorClass::Invalid, detail)
}

/// Embeddings of any vendor.
pub struct HttpEmbed {
    make: MakeEmbed,
    egress: Arc<Egress>,
    meter: Meter,
    space: String,
}

impl HttpEmbed {
    /// A service of this registry name and model, which is also that by which its use is priced.
    pub fn new(name: &str, model: &str, make: MakeEmbed, egress: Arc<Egress>) -> Self {
        let meter = Meter { model: Some(model.into()), ..Meter::new(name, "embed") };
        Self { make, egress, meter, space: format!("{name}/{model}") }
    }
}

impl EmbedService for HttpEmbed {
    fn name(&self) -> &str {
        &self.meter.provider
    }

    fn space(&self) -> &str {
        &self.space
    }

    fn embed(&self, request: EmbedRequest, bill: &Bill) -> BoxFuture<'static, Result<Embeddings, Failure>> {
        let (make, egress, meter) = (self.make.clone(), self.egress.clone(), self.meter.billed(bill));
        async move {
            let request = embeddable(request)?;
            let mut all = Embeddings { vectors: Vec::with_capacity(request.texts.len()), tokens: 0 };
            let texts_max = make().texts_max().max(1);
            for texts in request.texts.chunks(texts_max) {
                let part = EmbedRequest { texts: texts.to_vec(), purpose: request.purpose };
                let began = Instant::now();
                let outcome = embed_part(make(), &egress, &meter, &part).await;
                count(&meter, began, &outcome);
                let Embeddings { vectors, tokens } = outcome?;
                all.vectors.extend(vectors);
                all.tokens += tokens;
            }
            Ok(all)
        }
        .boxed()
    }
}

async fn embed_part(
    mut codec: Box<dyn EmbedProtocol>,
    egress: &Egress,
    meter: &Meter,
    part: &EmbedRequest,
) -> Result<Embeddings, Failure> {
    let request = codec.request(part);
    let answer = egress.http(request, Millis(limits::EMBED_MS_MAX)).await?;
    let body = body_of(&meter.provider, answer, |status, body| codec.classify(status, body))?;
    let embeddings = codec.on_body(&body)?;
    let model = meter.model.as_deref().unwrap_or_default();
    if let Some(cost) = pricing::embed_cost(&meter.provider, model, embeddings.tokens) {
        meter.cost(Money::ZERO, cost);
    }
    Ok(embeddings)
}

/// Checks what every embedder has in common, and cuts texts that nobody reads to their end.
pub(crate) fn embeddable(mut request: EmbedRequest) -> Result<EmbedRequest, Failure> {
    if request.texts.len() > limits::EMBED_TEXTS_MAX {
        return Err(refused(&format!("more than {} texts at once", limits::EMBED_TEXTS_MAX)));
    }
    if request.texts.iter().any(|text| text.expose().trim().is_empty()) {
        return Err(refused("an empty text has no vector"));
    }
    for text in &mut request.texts {
        if let Some((end, _)) = text.expose().char_indices().nth(limits::EMBED_TEXT_CHARS_MAX) {
            *text = text.expose()[..end].into();
        }
    }
    Ok(request)
}

/// Text services of any vendor.
pub struct HttpText {
    make: MakeText,
    egress: Arc<Egress>,
    meter: Meter,
}

impl HttpText {
    /// A service of this registry name; its use is priced by this model.
    pub fn new(name: &str, model: &str, make: MakeText, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter { model: Some(model.into()), ..Meter::new(name, "text") } }
    }
}

impl TextService for HttpText {
    fn name(&self) -> &str {
        &self.meter.provider
    }

    fn can(&self, skill: TextSkill) -> bool {
        (self.make)().limits(skill).is_some()
    }

    fn read(&self, request: TextRequest, bill: &Bill) -> BoxFuture<'static, Result<TextAnswers, Failure>> {
        let (make, egress, meter) = (self.make.clone(), self.egress.clone(), self.meter.billed(bill));
        async move {
            let Some(most) = make().limits(request.skill) else {
                return Err(refused("the service cannot do this"));
            };
            let (mut outcomes, readable) = readable(&request, most.chars_max)?;
            for places in readable.chunks(most.items_max.max(1)) {
                let items = places.iter().map(|place| request.items[*place].clone()).collect();
                let part = TextRequest { items, skill: request.skill, target: request.target.clone() };
                let began = Instant::now();
                let outcome = read_part(make(), &egress, &meter, &part).await;
                count(&meter, began, &outcome);
                for (place, answer) in places.iter().zip(outcome?) {
                    outcomes[*place] = answer;
                }
            }
            Ok(outcomes)
        }
        .boxed()
    }
}

async fn read_part(
    mut codec: Box<dyn TextProtocol>,
    egress: &Egress,
    meter: &Meter,
    part: &TextRequest,
) -> Result<TextAnswers, Failure> {
    let request = codec.request(part);
    let answer = egress.http(request, Millis(limits::TEXT_MS_MAX)).await?;
    let body = body_of(&meter.provider, answer, |status, body| codec.classify(status, body))?;
    let answers = codec.on_body(&body)?;
    for failure in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        meter.failed(failure); // Inside an answer that succeeded as a whole.
    }
    let (unit, quantity) = codec.billed(part);
    let model = meter.model.as_deref().unwrap_or_default();
    if let Some(cost) = pricing::cost(&meter.provider, model, unit, quantity) {
        meter.cost(Money::ZERO, cost);
    }
    Ok(answers)
}

/// Checks what every service has in common: outcomes for the texts that cannot be read, and the places of those that can.
pub(crate) fn readable(request: &TextRequest, chars_max: usize) -> Result<(TextAnswers, Vec<usize>), Failure> {
    if request.items.len() > limits::TEXT_ITEMS_MAX {
        return Err(refused(&format!("more than {} texts at once", limits::TEXT_ITEMS_MAX)));
    }
    if request.skill == TextSkill::Translation && request.target.is_none() {
        return Err(refused("a translation needs a language to translate into"));
    }
    let why_not = |item: &TextItem| {
        let text = item.text.expose();
        if text.trim().is_empty() {
            Some(refused("an empty text says nothing"))
        } else if text.chars().nth(chars_max).is_some() {
            Some(refused(&format!("the text is longer than {chars_max} characters")))
        } else {
            None
        }
    };
    let nobody = || Failure::new(ErrorClass::Internal, "nobody read the text");
    let outcomes: TextAnswers = request.items.iter().map(|item| Err(why_not(item).unwrap_or_else(nobody))).collect();
    let places = request.items.iter().enumerate().filter(|(_, item)| why_not(item).is_none());
    Ok((outcomes, places.map(|(place, _)| place).collect()))
}
