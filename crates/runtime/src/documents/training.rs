//! What agents are taught: what customers want, by examples, and what they name, by patterns and lists.

use super::{DocumentError, Documents, KNOWLEDGE_JOB, new_work};
use crate::wall_ms;
use base::AgentId;
use local::language::Embedding;
use local::language::entities::{EntityType, Finder, Found};
use local::language::intents::{Classifier, CrossValidation, Example, cross_validate};
use local::language::knowledge::SPACE;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::StoreError;
use store::knowledge_work::{Work, WorkKind};
use store::training::Training;

/// Examples that are embedded before others get their turn with the models.
const AT_ONCE: usize = 16;

/// What an agent is taught.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// What customers want.
    #[serde(default)]
    pub intents: Vec<Intent>,
    /// What they name.
    #[serde(default)]
    pub entities: Vec<EntityType>,
}

/// Something that customers want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Its name.
    pub name: String,
    /// What they say when they want it.
    pub examples: Vec<String>,
}

impl Lesson {
    /// Whether it can be learned.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (index, intent) in self.intents.iter().enumerate() {
            if self.intents[..index].iter().any(|one| one.name == intent.name) {
                return Err(format!("intents.{index}.name: there are two of this name"));
            }
        }
        for (index, entity) in self.entities.iter().enumerate() {
            if entity.pattern.is_none() && entity.values.is_empty() {
                return Err(format!("entities.{index}: a pattern or values are needed"));
            }
        }
        Finder::new(&self.entities).map(drop)
    }
}

/// How well intents are told apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Intents.
    pub intents: usize,
    /// Examples.
    pub examples: usize,
    /// What cross-validation says: each example was asked of a classifier that had not seen it.
    pub validated: CrossValidation,
    /// Processor and waiting time of it all, in milliseconds.
    pub took_ms: u64,
}

/// What an utterance is.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// Version of the training that says so.
    pub version: u32,
    /// Name of the intent; absent: none of them.
    pub intent: Option<String>,
    /// Intents with their probabilities, the most probable first, at most five.
    pub guesses: Vec<(String, f32)>,
    /// How near it comes to the nearest intent.
    pub nearness: f32,
    /// What it names.
    pub entities: Vec<Found>,
}

impl Documents {
    /// Asks for an agent to learn its lesson. `Conflict` while it does.
    ///
    /// # Errors
    /// When it has none, or it cannot be asked for.
    pub async fn train(&self, scope: &TenantScope, agent: AgentId) -> Result<Work, DocumentError> {
        self.store.lesson(scope, agent).await?.ok_or(StoreError::NotFound("lesson"))?;
        let mut work = new_work(WorkKind::Training, String::new());
        work.progress.agent = Some(agent.0);
        self.begin(scope, work, Some(format!("{KNOWLEDGE_JOB}.training.{agent}"))).await
    }

    /// Learns the lesson of an agent.
    pub(super) async fn learn(&self, scope: &TenantScope, work: &mut Work) -> Result<(), DocumentError> {
        let began_ms = wall_ms();
        let agent = AgentId(work.progress.agent.ok_or(StoreError::NotFound("agent"))?);
        let kept = self.store.lesson(scope, agent).await?.ok_or(StoreError::NotFound("lesson"))?;
        let lesson: Lesson = read(kept.draft.clone())?;
        let texts: Vec<(usize, String)> = lesson
            .intents
            .iter()
            .enumerate()
            .flat_map(|(at, intent)| intent.examples.iter().map(move |text| (at, text.clone())))
            .collect();
        work.progress.total = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        let mut examples = Vec::with_capacity(texts.len());
        for part in texts.chunks(AT_ONCE) {
            let (models, part) = (Arc::clone(self.minds.models()), part.to_vec());
            let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
            let embed = move || {
                let one = |(intent, text): (usize, String)| {
                    models.embedder.embed(&text).map(|vector| Example { intent, vector })
                };
                part.into_iter().map(one).collect::<Result<Vec<_>, _>>()
            };
            let made = self.brain.think(embed).await.map_err(DocumentError::Unavailable)?;
            examples.extend(made.map_err(|error| DocumentError::Unavailable(error.to_string()))?);
            work.progress.done += count;
            self.note(scope, work).await?;
        }
        let (count, intents) = (examples.len(), lesson.intents.len());
        let learn = move || {
            let (validated, near_from) = cross_validate(&examples, intents);
            (Classifier::train(&examples, intents, near_from), validated)
        };
        let (learned, validated) = self.brain.think(learn).await.map_err(DocumentError::Unavailable)?;
        let took_ms = u64::try_from(wall_ms() - began_ms).unwrap_or(0);
        let report = TrainingReport { intents, examples: count, validated, took_ms };
        let training = Training {
            version: 0,
            lesson: kept.draft,
            model: learned.to_bytes(),
            space: SPACE.into(),
            report: serde_json::to_value(&report).unwrap_or_default(),
            trained_at_ms: wall_ms(),
        };
        self.store.add_training(scope, agent, &training).await?;
        Ok(())
    }

    /// What an utterance is, by the version that serves. `NotFound` when there is none.
    ///
    /// # Errors
    /// When nothing was learned, or by another model.
    pub async fn understand(
        &self,
        scope: &TenantScope,
        agent: AgentId,
        text: String,
    ) -> Result<Understood, DocumentError> {
        let kept = self.store.lesson(scope, agent).await?.ok_or(StoreError::NotFound("lesson"))?;
        let training = self.store.training(scope, agent, kept.serving).await?;
        let lesson: Lesson = read(training.lesson)?;
        if training.space != SPACE {
            return Err(StoreError::Conflict("it was learned with another model; train again".into()).into());
        }
        let corrupt = || StoreError::Corrupt("what was learned cannot be read".into());
        let learned = Classifier::from_bytes(&training.model, lesson.intents.len()).ok_or_else(corrupt)?;
        let finder = Finder::new(&lesson.entities).map_err(StoreError::Corrupt)?;
        let entities = finder.find(&text);
        let models = Arc::clone(self.minds.models());
        let vector =
            self.brain.think(move || models.embedder.embed(&text)).await.map_err(DocumentError::Unavailable)?;
        let vector: Embedding = vector.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
        let said = learned.classify(&vector);
        let name = |intent: usize| lesson.intents[intent].name.clone();
        let best = said.guesses.first().filter(|_| said.is_known).map(|best| name(best.intent));
        let guesses = said.guesses.iter().take(5).map(|one| (name(one.intent), one.probability)).collect();
        Ok(Understood { version: kept.serving, intent: best, guesses, nearness: said.nearness, entities })
    }
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
