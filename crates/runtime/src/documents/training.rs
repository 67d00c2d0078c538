//! What agents are taught: what customers want, by examples, and what they name, by patterns and lists.

use super::{DocumentError, Documents, KNOWLEDGE_JOB, new_work};
use crate::service::Understanding;
use crate::wall_ms;
use base::{AgentId, CallId, Pii, TurnId, limits};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use local::language::entities::{EntityType, Finder, Found};
use local::language::intents::{Classifier, CrossValidation, Example, cross_validate};
use local::language::knowledge::SPACE;
use local::language::{Embedding, LanguageError};
use model::business::TenantScope;
use model::live::{self, NamedValue};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::knowledge_work::{Work, WorkKind};
use store::training::Training;
use store::{Store, StoreError};
use tokio::sync::Semaphore;

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
                let texts: Vec<&str> = part.iter().map(|(_, text)| text.as_str()).collect();
                let vectors = models.embedder.embed_all(&texts)?.into_iter();
                let intents = part.iter().map(|(intent, _)| *intent);
                Ok::<_, LanguageError>(
                    intents.zip(vectors).map(|(intent, vector)| Example { intent, vector }).collect::<Vec<_>>(),
                )
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
        let taught = self.taught(scope, agent).await?;
        self.classify(&taught, text).await
    }

    /// What serves of what an agent was taught.
    async fn taught(&self, scope: &TenantScope, agent: AgentId) -> Result<Taught, DocumentError> {
        let kept = self.store.lesson(scope, agent).await?.ok_or(StoreError::NotFound("lesson"))?;
        let training = self.store.training(scope, agent, kept.serving).await?;
        let lesson: Lesson = read(training.lesson)?;
        if training.space != SPACE {
            return Err(StoreError::Conflict("it was learned with another model; train again".into()).into());
        }
        let corrupt = || StoreError::Corrupt("what was learned cannot be read".into());
        let classifier = Classifier::from_bytes(&training.model, lesson.intents.len()).ok_or_else(corrupt)?;
        let finder = Finder::new(&lesson.entities).map_err(StoreError::Corrupt)?;
        let names = lesson.intents.into_iter().map(|intent| intent.name).collect();
        Ok(Taught { version: kept.serving, names, classifier, finder })
    }

    async fn classify(&self, taught: &Taught, text: String) -> Result<Understood, DocumentError> {
        let entities = taught.finder.find(&text);
        let models = Arc::clone(self.minds.models());
        let vector =
            self.brain.think(move || models.embedder.embed(&text)).await.map_err(DocumentError::Unavailable)?;
        let vector: Embedding = vector.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
        let said = taught.classifier.classify(&vector);
        let name = |intent: usize| taught.names[intent].clone();
        let best = said.guesses.first().filter(|_| said.is_known).map(|best| name(best.intent));
        let guesses = said.guesses.iter().take(5).map(|one| (name(one.intent), one.probability)).collect();
        Ok(Understood { version: taught.version, intent: best, guesses, nearness: said.nearness, entities })
    }

    /// The same as it was a moment ago; `None` for an agent that was taught nothing.
    async fn remembered(&self, scope: &TenantScope, agent: AgentId) -> Option<Arc<Taught>> {
        let fresh = Duration::from_millis(limits::LESSON_MS_MAX);
        if let Some((at, taught)) = self.lessons.lock().get(&agent)
            && at.elapsed() < fresh
        {
            return taught.clone();
        }
        let taught = match self.taught(scope, agent).await {
            Ok(taught) => Some(Arc::new(taught)),
            Err(DocumentError::Store(StoreError::NotFound(_) | StoreError::Conflict(_))) => None,
            Err(error) => {
                tracing::warn!(%error, "what an agent was taught cannot be read");
                None
            }
        };
        let mut lessons = self.lessons.lock();
        if lessons.len() >= limits::LESSONS_LOADED_MAX {
            lessons.retain(|_, (at, _)| at.elapsed() < fresh);
        }
        if lessons.len() < limits::LESSONS_LOADED_MAX {
            lessons.insert(agent, (Instant::now(), taught.clone()));
        }
        taught
    }
}

/// What serves of what an agent was taught, ready for use.
struct Taught {
    version: u32,
    names: Vec<String>,
    classifier: Classifier,
    finder: Finder,
}

type Remembered = HashMap<AgentId, (Instant, Option<Arc<Taught>>)>;

/// What agents were taught, as it was a moment ago, and room for those who ask.
pub(super) struct Lessons {
    remembered: Mutex<Remembered>,
    room: Arc<Semaphore>,
}

impl Default for Lessons {
    fn default() -> Self {
        Self { remembered: Mutex::default(), room: Arc::new(Semaphore::new(limits::UNDERSTANDING_AT_ONCE_MAX)) }
    }
}

impl Lessons {
    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // No guarded section can panic half way through a change.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Understanding for Documents {
    fn understand(
        &self,
        scope: TenantScope,
        agent: AgentId,
        turn: TurnId,
        text: Pii<String>,
    ) -> BoxFuture<'static, Option<live::Understood>> {
        let this = self.clone();
        async move {
            let _room = Arc::clone(&this.lessons.room).try_acquire_owned().ok()?;
            let taught = this.remembered(&scope, agent).await?;
            let said = this.classify(&taught, text.expose().clone()).await;
            let said = said.inspect_err(|error| tracing::warn!(%error, "a turn was not understood")).ok()?;
            let known = if said.intent.is_some() { "yes" } else { "no" };
            metrics::counter!("frontdesk_turns_understood_total", "known" => known).increment(1);
            let named = |one: Found| NamedValue { entity: one.entity, value: one.value.into() };
            Some(live::Understood {
                turn,
                probability: said.guesses.first().map_or(0.0, |best| best.1),
                intent: said.intent,
                entities: said.entities.into_iter().map(named).collect(),
                training: said.version,
            })
        }
        .boxed()
    }
}

/// Under which word it stands in the log of a call, with which it is deleted.
const UNDERSTOOD: &str = "understood";

/// Keeps with a call what its caller wanted.
pub(crate) async fn keep_understood(store: &dyn Store, scope: &TenantScope, call: CallId, what: &live::Understood) {
    let kept = match serde_json::to_value(what) {
        Ok(data) => store.log_call(scope, call, UNDERSTOOD, &data, wall_ms()).await,
        Err(error) => Err(StoreError::Corrupt(error.to_string())),
    };
    if let Err(error) = kept {
        tracing::warn!(%call, %error, "what the caller wants is not kept");
    }
}

/// What the caller of a call wanted, turn by turn.
///
/// # Errors
/// When the store does not answer.
pub async fn understood_in(
    store: &dyn Store,
    scope: &TenantScope,
    call: CallId,
) -> Result<Vec<live::Understood>, StoreError> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = store.call_log(scope, call, after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let lines = page.into_iter().filter(|line| line.kind == UNDERSTOOD);
        found.extend(lines.filter_map(|line| serde_json::from_value::<live::Understood>(line.data).ok()));
        if found.len() >= limits::UNDERSTOOD_TURNS_MAX {
            found.truncate(limits::UNDERSTOOD_TURNS_MAX);
            break;
        }
    }
    // They were found out beside the conversation, in any order.
    found.sort_by_key(|one| one.turn);
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
