//! Services that read texts, as an installation has them: who finds out what texts mean, and who finds out their language,
//! their mood and what they name; for each a chain, of which the next one is asked when one fails. And what is read of a call
//! when it is over: beside the calls, bounded, and without a word of it to anybody when no service works.

use crate::node::Shared;
use crate::service::{Bill, EmbedService, TextService};
use base::{CallId, ErrorClass, Failure, Pii, limits};
use model::agent::Agent;
use model::business::TenantScope;
use model::journal::{Entry, Record};
use model::routing::{AgentProviders, CostStage, Region};
use providers::embed::{EmbedPurpose, EmbedRequest};
use providers::text::{EntityKind, Sentiment, TextAnswer, TextItem, TextRequest, TextSkill};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Store, StoreError};

/// A service, and where it processes what it is given; `None` where nobody knows.
pub struct Sited<S: ?Sized> {
    /// The service.
    pub service: Arc<S>,
    /// Where.
    pub region: Option<Region>,
}

impl<S: ?Sized> Clone for Sited<S> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), region: self.region }
    }
}

impl<S: ?Sized> Sited<S> {
    /// A service of this machine.
    pub fn here(service: Arc<S>) -> Self {
        Self { service, region: Some(Region::OnSite) }
    }
}

/// Whom a call may ask.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The agent's rules of residency.
    pub providers: &'a AgentProviders,
    /// Nothing may be spent any more.
    pub is_spent: bool,
}

impl Rules<'_> {
    fn allow<S: ?Sized>(&self, sited: &Sited<S>, name: &str) -> bool {
        stays(&self.providers.regions, sited.region) && (!self.is_spent || name == crate::on_device::NAME)
    }
}

/// Whether what a service of this region is given stays in these regions; anywhere when there are none.
pub(crate) fn stays(regions: &BTreeSet<Region>, region: Option<Region>) -> bool {
    let is_within = |region| region == Region::OnSite || regions.contains(&region);
    regions.is_empty() || region.is_some_and(is_within)
}

/// What a text means: a vector of length 1, and the space that it lies in.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// Who made it, with which model. Vectors of two spaces say nothing about each other.
    pub space: String,
    /// The vector.
    pub vector: Vec<f32>,
}

impl Meaning {
    /// The cosine of two meanings; `None` when they lie in different spaces.
    pub fn alike(&self, other: &Self) -> Option<f32> {
        let is_same = self.space == other.space && self.vector.len() == other.vector.len();
        is_same.then(|| self.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum())
    }
}

/// Who finds out what texts mean, best first.
#[derive(Clone, Default)]
pub struct Embedders(pub Vec<Sited<dyn EmbedService>>);

impl Embedders {
    /// The meaning of each text, all in one space.
    ///
    /// # Errors
    /// What the last one that was asked failed of.
    pub async fn embed(
        &self,
        texts: Vec<Pii<String>>,
        purpose: EmbedPurpose,
        rules: Rules<'_>,
        bill: &Bill,
    ) -> Result<Vec<Meaning>, Failure> {
        let mut failed = nobody();
        for sited in self.0.iter().filter(|sited| rules.allow(sited, sited.service.name())) {
            let service = &sited.service;
            let bill = bill.under(CostStage::Embed, service.name(), false);
            match service.embed(EmbedRequest { texts: texts.clone(), purpose }, &bill).await {
                Ok(made) => {
                    let meaning = |vector| Meaning { space: service.space().to_owned(), vector };
                    return Ok(made.vectors.into_iter().map(meaning).collect());
                }
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }
}

/// Who reads texts, best first.
#[derive(Clone, Default)]
pub struct Readers {
    /// The services.
    pub chain: Vec<Sited<dyn TextService>>,
    /// Whether calls that are over are read.
    pub after_calls: bool,
}

/// What one text says, and the registry name of who says so.
pub type Read = (String, Result<TextAnswer, Failure>);

impl Readers {
    /// Has one text read.
    ///
    /// # Errors
    /// What the last one that was asked failed of.
    pub async fn read(
        &self,
        skill: TextSkill,
        item: TextItem,
        target: Option<String>,
        rules: Rules<'_>,
        bill: &Bill,
    ) -> Result<(String, TextAnswer), Failure> {
        let mut failed = nobody();
        let may =
            |sited: &&Sited<dyn TextService>| sited.service.can(skill) && rules.allow(sited, sited.service.name());
        for sited in self.chain.iter().filter(may) {
            let service = &sited.service;
            let request = TextRequest { skill, items: vec![item.clone()], target: target.clone() };
            let answers = service.read(request, &bill.under(CostStage::Text, service.name(), false)).await;
            match answers.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(no_answer()))) {
                Ok(answer) => return Ok((service.name().to_owned(), answer)),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }
}

fn nobody() -> Failure {
    Failure::new(ErrorClass::Invalid, "no service is configured that can do this")
}

fn no_answer() -> Failure {
    Failure::new(ErrorClass::Protocol, "the service gave no answer")
}

/// What was found out about a call when it was over, of what its customer said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallReading {
    /// BCP-47 language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How the customer felt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// What the customer named, in the order of the words; at most [`limits::READING_ENTITIES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Named>,
    /// Who found out what.
    pub by: BTreeMap<TextSkill, String>,
}

/// Something that a customer named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// What it is.
    pub kind: EntityKind,
    /// The words.
    pub text: Pii<String>,
    /// How sure the service is, from 0 to 1.
    pub confidence: f32,
}

/// Under which word a reading stands in the log of its call, with which it is deleted.
const KIND: &str = "reading";

/// What was read of a call, if it was.
///
/// # Errors
/// When the store does not answer.
pub async fn of_call(store: &dyn Store, scope: &TenantScope, call: CallId) -> Result<Option<CallReading>, StoreError> {
    let mut after = 0;
    loop {
        let page = store.call_log(scope, call, after).await?;
        let Some(last) = page.last() else { return Ok(None) };
        after = last.id;
        if let Some(line) = page.iter().find(|line| line.kind == KIND) {
            return Ok(serde_json::from_value(line.data.clone()).ok());
        }
    }
}

/// A call that is over.
pub(crate) struct Over {
    pub(crate) scope: TenantScope,
    pub(crate) call: CallId,
    pub(crate) agent: Arc<Agent>,
    pub(crate) is_spent: bool,
}

/// Reads a call that is over, beside the calls. Not more than some at once: what does not find room is not read.
pub(crate) fn read_later(shared: &Arc<Shared>, over: Over) {
    let readers = &shared.services.readers;
    if !readers.after_calls || readers.chain.is_empty() {
        return;
    }
    let Ok(room) = Arc::clone(&shared.reading).try_acquire_owned() else { return count("no_room") };
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let span = Duration::from_millis(limits::READING_MS_MAX);
        match tokio::time::timeout(span, read(&shared, &over)).await {
            Ok(Ok(outcome)) => count(outcome),
            Ok(Err(error)) => {
                tracing::warn!(call = %over.call, %error, "what was read of a call could not be kept");
                count("error");
            }
            Err(_) => count("late"),
        }
        drop(room);
    });
}

fn count(outcome: &'static str) {
    metrics::counter!("frontdesk_readings_total", "outcome" => outcome).increment(1);
}

async fn read(shared: &Shared, over: &Over) -> Result<&'static str, StoreError> {
    let journal = shared.store.journal(&over.scope, over.call).await?;
    let Some(said) = said_by_customer(&journal) else { return Ok("nothing_said") };
    let bill = shared.bill(over.scope.business);
    let rules = Rules { providers: &over.agent.providers, is_spent: over.is_spent };
    let reading = reading(&shared.services.readers, &said, &over.agent.language, rules, &bill).await;
    if let Some(charge) = bill.charge() {
        let update = store::CallUpdate { charge: Some(charge), ..store::CallUpdate::default() };
        shared.store.update_call(&over.scope, over.call, &update).await?;
    }
    if reading.by.is_empty() {
        return Ok("nobody");
    }
    let data = serde_json::to_value(&reading).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    shared.store.log_call(&over.scope, over.call, KIND, &data, crate::wall_ms()).await?;
    Ok("kept")
}

/// The customer's turns, a line each, as much as a service reads; `None` when nothing was said.
fn said_by_customer(journal: &[Record]) -> Option<String> {
    let turn = |record: &Record| match &record.entry {
        Entry::CallerTurn { text, .. } => Some(text.expose().clone()),
        _ => None,
    };
    let mut said = journal.iter().filter_map(turn).collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = said.char_indices().nth(limits::READING_CHARS_MAX) {
        said.truncate(end);
    }
    (!said.trim().is_empty()).then_some(said)
}

async fn reading(readers: &Readers, said: &str, language: &str, rules: Rules<'_>, bill: &Bill) -> CallReading {
    let mut reading = CallReading::default();
    let item = |language: Option<String>| TextItem { text: said.into(), language };
    let ask = |skill, language| readers.read(skill, item(language), None, rules, bill);
    if let Ok((by, TextAnswer::Language { language: Some(found), .. })) = ask(TextSkill::Language, None).await {
        reading.by.insert(TextSkill::Language, by);
        reading.language = Some(found);
    }
    let spoken = Some(reading.language.clone().unwrap_or_else(|| language.to_owned()));
    let (mood, named) = tokio::join!(ask(TextSkill::Sentiment, spoken.clone()), ask(TextSkill::Entities, spoken));
    if let Ok((by, TextAnswer::Sentiment { sentiment, .. })) = mood {
        reading.by.insert(TextSkill::Sentiment, by);
        reading.sentiment = Some(sentiment);
    }
    if let Ok((by, TextAnswer::Entities { entities })) = named {
        reading.by.insert(TextSkill::Entities, by);
        let named = entities.into_iter().filter_map(|entity| {
            let text = said.get(entity.range)?.to_owned().into();
            Some(Named { kind: entity.kind, text, confidence: entity.confidence })
        });
        reading.entities = named.take(limits::READING_ENTITIES_MAX).collect();
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{CallTime, JournalSeq, TurnId};
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use providers::embed::Embeddings;
    use providers::text::TextAnswers;

    /// A service whose vectors point in one direction, or that fails.
    struct Points(&'static str, Option<Vec<f32>>);

    impl EmbedService for Points {
        fn name(&self) -> &str {
            self.0
        }
        fn space(&self) -> &str {
            self.0
        }
        fn embed(&self, request: EmbedRequest, _: &Bill) -> BoxFuture<'static, Result<Embeddings, Failure>> {
            let made = self.1.clone().ok_or_else(no_answer);
            let count = request.texts.len();
            async move { made.map(|vector| Embeddings { vectors: vec![vector; count], tokens: 1 }) }.boxed()
        }
    }

    fn sited(service: Points, region: Option<Region>) -> Sited<dyn EmbedService> {
        Sited { service: Arc::new(service), region }
    }

    async fn space_of(embedders: &Embedders, rules: Rules<'_>) -> Option<String> {
        let texts = vec!["When are you open?".into()];
        let made = embedders.embed(texts, EmbedPurpose::Query, rules, &Bill::default()).await;
        made.ok().and_then(|mut made| made.pop()).map(|meaning| meaning.space)
    }

    #[tokio::test]
    async fn the_next_embedder_takes_over_and_its_vectors_are_told_from_those_of_the_first() {
        let (up, down) = (Some(vec![1.0, 0.0]), None);
        let free = AgentProviders::default();
        let rules = Rules { providers: &free, is_spent: false };
        let chain = Embedders(vec![sited(Points("a", down), None), sited(Points("b", up.clone()), Some(Region::Us))]);
        assert_eq!(space_of(&chain, rules).await.as_deref(), Some("b"));
        let stays = AgentProviders { regions: [Region::Eu].into(), ..AgentProviders::default() };
        assert_eq!(space_of(&chain, Rules { providers: &stays, is_spent: false }).await, None, "it stays in the EU");
        assert_eq!(space_of(&chain, Rules { providers: &free, is_spent: true }).await, None, "nothing may be spent");
        let here = Embedders(vec![sited(Points(crate::on_device::NAME, up), Some(Region::OnSite))]);
        assert!(space_of(&here, Rules { providers: &stays, is_spent: true }).await.is_some());
        let meaning = |space: &str| Meaning { space: space.into(), vector: vec![1.0, 0.0] };
        assert_eq!((meaning("a").alike(&meaning("a")), meaning("a").alike(&meaning("b"))), (Some(1.0), None));
    }

    /// Finds the mood of anything and the first word of it.
    struct Moody;

    impl TextService for Moody {
        fn name(&self) -> &str {
            "moody"
        }
        fn can(&self, skill: TextSkill) -> bool {
            skill != TextSkill::Language
        }
        fn read(&self, request: TextRequest, _: &Bill) -> BoxFuture<'static, Result<TextAnswers, Failure>> {
            let first = request.items[0].text.expose().split(' ').next().unwrap_or_default().len();
            let entity = |start, end| providers::text::Entity {
                kind: EntityKind::Person,
                category: "Person".into(),
                range: start..end,
                confidence: 0.9,
            };
            let answer = match request.skill {
                TextSkill::Sentiment => {
                    TextAnswer::Sentiment { sentiment: Sentiment::Negative, positive: 0.0, negative: 1.0 }
                }
                _ => TextAnswer::Entities { entities: vec![entity(0, first), entity(0, 1_000_000)] },
            };
            async move { Ok(vec![Ok(answer)]) }.boxed()
        }
    }

    #[tokio::test]
    async fn a_reading_has_what_services_can_find_out_and_nothing_else() {
        let providers = AgentProviders::default();
        let rules = Rules { providers: &providers, is_spent: false };
        let chain = vec![Sited { service: Arc::new(Moody) as Arc<dyn TextService>, region: None }];
        let readers = Readers { chain, after_calls: true };
        let found = reading(&readers, "Anna waits.", "en", rules, &Bill::default()).await;
        assert_eq!((found.language, found.sentiment), (None, Some(Sentiment::Negative)));
        let named: Vec<&str> = found.entities.iter().map(|one| one.text.expose().as_str()).collect();
        assert_eq!(named, ["Anna"], "a place that does not exist is left out");
        assert_eq!(found.by.keys().copied().collect::<Vec<_>>(), [TextSkill::Sentiment, TextSkill::Entities]);
        let nobody = reading(&Readers::default(), "Anna waits.", "en", rules, &Bill::default()).await;
        assert_eq!(nobody, CallReading::default());
    }

    #[test]
    fn what_the_customer_said_is_read_and_no_more_of_it_than_a_service_takes() {
        let record = |seq, entry| Record { seq: JournalSeq(seq), at: CallTime(0), entry };
        let turn = |text: &str| Entry::CallerTurn {
            turn: TurnId(1),
            text: text.into(),
            cut: false,
            typed: false,
            sentiment: None,
        };
        let taken = Entry::HandedBack { reason: model::journal::HandBack::Asked };
        let journal = [record(1, turn("Hello.")), record(2, taken), record(3, turn("Where is it?"))];
        assert_eq!(said_by_customer(&journal).as_deref(), Some("Hello.\nWhere is it?"));
        assert_eq!(said_by_customer(&journal[1..2]), None);
        let long = [record(1, turn(&"é".repeat(limits::READING_CHARS_MAX + 10)))];
        assert_eq!(said_by_customer(&long).map(|said| said.chars().count()), Some(limits::READING_CHARS_MAX));
    }
}
