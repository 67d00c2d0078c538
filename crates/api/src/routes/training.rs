//! What agents are taught: intents by examples, entity types by patterns and lists, training, versions.

use super::knowledge::{JobView, accepted, documents, problem};
use super::{check_key, check_text, store_problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base::{AgentId, limits};
use runtime::documents::{EntityType, EntityValue, Intent, Lesson, TrainingReport, Understood};
use serde::{Deserialize, Serialize};
use store::training::Training;
use utoipa::ToSchema;

const EXAMPLE_CHARS_MAX: usize = 500;
const PATTERN_CHARS_MAX: usize = 500;
const TEXT_CHARS_MAX: usize = 500;

/// What an agent is taught.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Lesson)]
#[serde(deny_unknown_fields)]
pub(crate) struct LessonBody {
    /// What customers want, by examples.
    #[serde(default)]
    #[schema(max_items = 200)]
    intents: Vec<IntentBody>,
    /// What they name, by patterns and lists.
    #[serde(default)]
    #[schema(max_items = 100)]
    entities: Vec<EntityBody>,
}

/// Something that customers want.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Intent)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntentBody {
    #[schema(pattern = "^[A-Za-z0-9._-]{1,100}$", example = "rent_bike")]
    name: String,
    /// What they say when they want it. Ten to twenty are enough.
    #[schema(min_items = 1, max_items = 500)]
    examples: Vec<String>,
}

/// A kind of thing that customers name: a pattern, a list, or both.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EntityType)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityBody {
    #[schema(pattern = "^[A-Za-z0-9._-]{1,100}$", example = "order")]
    name: String,
    /// A regular expression without look-around; letters count the same in both cases.
    #[schema(max_length = 500, example = r"\bBC-[0-9]{4}\b")]
    pattern: Option<String>,
    #[serde(default)]
    #[schema(max_items = 1000)]
    values: Vec<EntityValueBody>,
}

/// One value of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EntityValue)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityValueBody {
    #[schema(min_length = 1, max_length = 500, example = "e-bike")]
    value: String,
    /// Other words for it.
    #[serde(default)]
    #[schema(max_items = 50)]
    synonyms: Vec<String>,
}

/// A lesson and the version that serves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentTraining)]
pub(crate) struct LessonView {
    #[serde(flatten)]
    lesson: LessonBody,
    /// The version that serves; 0: none.
    serving: u32,
    updated_at_ms: i64,
}

impl From<LessonBody> for Lesson {
    fn from(body: LessonBody) -> Self {
        let value = |one: EntityValueBody| EntityValue { value: one.value, synonyms: one.synonyms };
        let entity = |one: EntityBody| EntityType {
            name: one.name,
            pattern: one.pattern,
            values: one.values.into_iter().map(value).collect(),
        };
        Self {
            intents: body.intents.into_iter().map(|one| Intent { name: one.name, examples: one.examples }).collect(),
            entities: body.entities.into_iter().map(entity).collect(),
        }
    }
}

fn checked(body: LessonBody) -> Result<Lesson, Problem> {
    let most = |field: &str, count: usize, max: usize| {
        if count <= max { Ok(()) } else { Err(Problem::invalid(format!("{field}: at most {max}"))) }
    };
    most("intents", body.intents.len(), limits::INTENTS_MAX)?;
    most("entities", body.entities.len(), limits::ENTITY_TYPES_MAX)?;
    for (index, intent) in body.intents.iter().enumerate() {
        check_key(&format!("intents.{index}.name"), &intent.name)?;
        let field = format!("intents.{index}.examples");
        most(&field, intent.examples.len(), limits::INTENT_EXAMPLES_MAX)?;
        if intent.examples.is_empty() {
            return Err(Problem::invalid(format!("{field}: one at least is needed")));
        }
        for example in &intent.examples {
            check_text(&field, example.trim(), 1, EXAMPLE_CHARS_MAX)?;
        }
    }
    let all: usize = body.intents.iter().map(|intent| intent.examples.len()).sum();
    most("intents: examples of all of them", all, limits::LESSON_EXAMPLES_MAX)?;
    for (index, entity) in body.entities.iter().enumerate() {
        check_key(&format!("entities.{index}.name"), &entity.name)?;
        let field = format!("entities.{index}");
        most(&format!("{field}.values"), entity.values.len(), limits::ENTITY_VALUES_MAX)?;
        if let Some(pattern) = &entity.pattern {
            check_text(&format!("{field}.pattern"), pattern, 1, PATTERN_CHARS_MAX)?;
        }
        for value in &entity.values {
            most(&format!("{field}.synonyms"), value.synonyms.len(), limits::ENTITY_SYNONYMS_MAX)?;
            for word in value.synonyms.iter().chain([&value.value]) {
                check_text(&format!("{field}.values"), word.trim(), 1, EXAMPLE_CHARS_MAX)?;
            }
        }
    }
    let lesson = Lesson::from(body);
    lesson.check().map_err(Problem::invalid)?;
    Ok(lesson)
}

async fn agent(app: &App, caller: &crate::auth::Principal, name: String) -> Result<AgentId, Problem> {
    let found = super::agents::find(app.node.store().as_ref(), &caller.scope, &super::sane(name)?).await?;
    Ok(found.draft.id)
}

async fn lesson_view(app: &App, caller: &crate::auth::Principal, agent: AgentId) -> Result<LessonView, Problem> {
    let kept = app.node.store().lesson(&caller.scope, agent).await.map_err(store_problem)?;
    let Some(kept) = kept else {
        let lesson = LessonBody { intents: Vec::new(), entities: Vec::new() };
        return Ok(LessonView { lesson, serving: 0, updated_at_ms: 0 });
    };
    let lesson = serde_json::from_value(kept.draft).map_err(|error| {
        tracing::error!(%error, "a lesson cannot be read");
        Problem::internal()
    })?;
    Ok(LessonView { lesson, serving: kept.serving, updated_at_ms: kept.updated_at_ms })
}

/// Reads what an agent is taught.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/training", tag = "agents", operation_id = "get_agent_training",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The lesson, and the version that serves", body = LessonView)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
) -> Result<Json<LessonView>, Problem> {
    let agent = agent(&app, &caller, name).await?;
    lesson_view(&app, &caller, agent).await.map(Json)
}

/// Sets what an agent is taught. It is learned by `train`; what serves stays until then.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/training", tag = "agents", operation_id = "put_agent_training",
    params(("agent" = String, Path, description = "Id or short name")), request_body = LessonBody,
    security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "The lesson as it is now", body = LessonView)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
    Body(body): Body<LessonBody>,
) -> Result<Json<LessonView>, Problem> {
    let agent = agent(&app, &caller, name).await?;
    let lesson = checked(body)?;
    let draft = serde_json::to_value(&lesson).map_err(|_| Problem::internal())?;
    let store = app.node.store();
    store.put_lesson(&caller.scope, agent, &draft, runtime::wall_ms()).await.map_err(store_problem)?;
    lesson_view(&app, &caller, agent).await.map(Json)
}

/// Lets an agent learn its lesson: seconds for some hundred examples. The new version serves when it is there.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/train", tag = "agents", operation_id = "train_agent",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:write"])), responses(
    (status = 202, description = "It is being learned; `Location` says how far it is", body = JobView),
    (status = 409, description = "It is being learned already", body = Problem)
))]
pub(crate) async fn train(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
) -> Result<Response, Problem> {
    let agent = agent(&app, &caller, name).await?;
    documents(&app)?.train(&caller.scope, agent).await.map(accepted).map_err(problem)
}

/// A version of what was learned, and how well it tells intents apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrainingVersion)]
pub(crate) struct TrainingView {
    version: u32,
    trained_at_ms: i64,
    intents: usize,
    examples: usize,
    /// Examples that were asked of a classifier that had not seen them.
    validated: usize,
    /// Of them, the right intent was the most probable.
    right: usize,
    /// Of them, taken for none of the intents.
    lost: usize,
    /// What was taken for what, most frequent first.
    confused: Vec<ConfusionView>,
    took_ms: u64,
}

/// An intent that was taken for another one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntentConfusion)]
pub(crate) struct ConfusionView {
    intent: String,
    taken_for: String,
    count: usize,
}

fn view(training: Training) -> Result<TrainingView, Problem> {
    let unreadable = |error: serde_json::Error| {
        tracing::error!(%error, "what was learned cannot be read");
        Problem::internal()
    };
    let lesson: Lesson = serde_json::from_value(training.lesson).map_err(unreadable)?;
    let report: TrainingReport = serde_json::from_value(training.report).map_err(unreadable)?;
    let name = |at: usize| lesson.intents.get(at).map(|intent| intent.name.clone()).unwrap_or_default();
    let confused = report.validated.confused.iter();
    Ok(TrainingView {
        version: training.version,
        trained_at_ms: training.trained_at_ms,
        intents: report.intents,
        examples: report.examples,
        validated: report.validated.examples,
        right: report.validated.right,
        lost: report.validated.lost,
        confused: confused
            .map(|one| ConfusionView { intent: name(one.intent), taken_for: name(one.taken_for), count: one.count })
            .collect(),
        took_ms: report.took_ms,
    })
}

/// Lists versions of what an agent has learned, newest first.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/training/versions", tag = "agents", operation_id = "list_agent_trainings",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The versions that are kept", body = List<TrainingView>)
))]
pub(crate) async fn versions(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
) -> Result<Json<List<TrainingView>>, Problem> {
    let agent = agent(&app, &caller, name).await?;
    let all = app.node.store().trainings(&caller.scope, agent).await.map_err(store_problem)?;
    Ok(Json(List::whole(all.into_iter().map(view).collect::<Result<_, _>>()?)))
}

/// Which version serves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeTraining {
    #[schema(minimum = 1)]
    version: u32,
}

/// Lets a version of what was learned serve again.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/training/rollback", tag = "agents", operation_id = "roll_back_agent_training",
    params(("agent" = String, Path, description = "Id or short name")), request_body = ServeTraining,
    security(("bearer" = ["agents:write"])), responses(
    (status = 204, description = "It serves")
))]
pub(crate) async fn roll_back(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
    Body(body): Body<ServeTraining>,
) -> Result<StatusCode, Problem> {
    let agent = agent(&app, &caller, name).await?;
    super::deleted(app.node.store().serve_training(&caller.scope, agent, body.version).await)
}

/// An utterance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassifyBody {
    #[schema(min_length = 1, max_length = 500, example = "I would like to rent a tandem")]
    text: String,
}

/// What an utterance is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Classification {
    /// Version that says so.
    version: u32,
    /// Null: none of the intents.
    intent: Option<String>,
    /// The most probable ones, at most five.
    guesses: Vec<IntentGuess>,
    /// How near it comes to the nearest intent.
    nearness: f32,
    entities: Vec<NamedEntity>,
}

/// An intent that it may be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntentGuess {
    intent: String,
    probability: f32,
}

/// A thing that it names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedEntity {
    entity: String,
    /// The value; of a list, the one that the words stand for.
    value: String,
    /// The words as they were said.
    text: String,
}

impl From<Understood> for Classification {
    fn from(said: Understood) -> Self {
        let guess = |(intent, probability)| IntentGuess { intent, probability };
        let entities = said.entities.into_iter();
        Self {
            version: said.version,
            intent: said.intent,
            guesses: said.guesses.into_iter().map(guess).collect(),
            nearness: said.nearness,
            entities: entities
                .map(|one| NamedEntity { entity: one.entity, value: one.value, text: one.text })
                .collect(),
        }
    }
}

/// Says what an utterance is, by the version that serves.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/classify", tag = "agents", operation_id = "classify",
    params(("agent" = String, Path, description = "Id or short name")), request_body = ClassifyBody,
    security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "What it is", body = Classification)
))]
pub(crate) async fn classify(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
    Body(body): Body<ClassifyBody>,
) -> Result<Json<Classification>, Problem> {
    let agent = agent(&app, &caller, name).await?;
    check_text("text", body.text.trim(), 1, TEXT_CHARS_MAX)?;
    let said = documents(&app)?.understand(&caller.scope, agent, body.text).await.map_err(problem)?;
    Ok(Json(said.into()))
}
