//! What documents name and say of it: browsed, corrected, and where documents contradict each other.

use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List, Listed, Params, page};
use crate::problem::Problem;
use crate::routes::{Id, check_text, deleted, store_problem};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use base::limits;
use runtime::documents::graph::{Conflict, Picture, conflicts as contradictions, picture, relations, surroundings};
use runtime::wall_ms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::StoreError;
use store::graph::{Entity, EntityFields, EntityFilter, EntityKind, Relation, TypedRelation, name_key};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const NAME_CHARS_MAX: usize = 120;
const VALUE_CHARS_MAX: usize = 300;
const ALIASES_MAX: usize = 50;
const MERGED_MAX: usize = 50;
const PICTURE_ENTITIES: u32 = 200;

/// A thing that documents name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeEntity)]
pub(crate) struct EntityView {
    id: Uuid,
    /// `product`, `place`, `person`, `policy`, `price`, `hours` or `other`.
    #[schema(example = "product")]
    kind: &'static str,
    #[schema(example = "e-bike")]
    name: String,
    aliases: Vec<String>,
    /// `found` in documents, `typed` by a person, or found and `corrected` by one.
    #[schema(example = "found")]
    origin: &'static str,
    /// Passages that name it.
    mentions: u32,
    /// Documents that name it.
    documents: u32,
    /// Relations to and from it.
    relations: u32,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<Entity> for EntityView {
    fn from(one: Entity) -> Self {
        Self {
            id: one.id,
            kind: one.fields.kind.name(),
            name: one.fields.name,
            aliases: one.fields.aliases,
            origin: one.origin.name(),
            mentions: one.mentions,
            documents: one.documents,
            relations: one.relations,
            created_at_ms: one.created_at_ms,
            updated_at_ms: one.updated_at_ms,
        }
    }
}

/// Something that is said of an entity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeRelation)]
pub(crate) struct RelationView {
    id: Uuid,
    subject: Uuid,
    subject_name: String,
    /// `costs`, `costs a day`, `open monday`, `phone`, `has`, a column's name.
    #[schema(example = "costs a day")]
    predicate: String,
    /// The entity that it leads to, where it is one.
    object: Option<Uuid>,
    #[schema(example = "42 EUR")]
    value: String,
    /// That it is not so.
    negated: bool,
    /// The document's name in addresses; null when a person said so.
    document: Option<String>,
    document_title: Option<String>,
    heading: Option<String>,
    /// The sentence, word for word.
    quote: Option<String>,
    /// `found` or `typed`.
    #[schema(example = "found")]
    origin: &'static str,
}

impl From<Relation> for RelationView {
    fn from(one: Relation) -> Self {
        let origin = if one.source.is_some() { "found" } else { "typed" };
        let (mut document, mut document_title, mut heading, mut quote) = (None, None, None, None);
        if let Some(source) = one.source {
            (document, document_title) = (Some(source.slug), Some(source.title));
            (heading, quote) = (Some(source.heading), Some(source.quote));
        }
        let Relation { id, subject, subject_name, predicate, object, value, negated, .. } =
            Relation { source: None, ..one };
        Self {
            id,
            subject,
            subject_name,
            predicate,
            object,
            value,
            negated,
            document,
            document_title,
            heading,
            quote,
            origin,
        }
    }
}

/// Entities and what is said of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KnowledgeGraph {
    /// The ones that most passages name first.
    entities: Vec<EntityView>,
    /// At most 2,000.
    relations: Vec<RelationView>,
    entities_total: u64,
    relations_total: u64,
}

impl From<Picture> for KnowledgeGraph {
    fn from(picture: Picture) -> Self {
        Self {
            entities: picture.entities.into_iter().map(Into::into).collect(),
            relations: picture.relations.into_iter().map(Into::into).collect(),
            entities_total: picture.entities_total,
            relations_total: picture.relations_total,
        }
    }
}

/// Which part of the graph.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphQuery {
    /// This entity and what it is related to; the main entities when left out.
    entity: Option<Uuid>,
    /// Entities of this kind.
    #[param(example = "product")]
    kind: Option<String>,
    /// Words of a name.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Entities, 1 to 500; 200 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

fn kind(name: &str) -> Result<EntityKind, Problem> {
    let known = EntityKind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| {
        let names: Vec<&str> = EntityKind::ALL.iter().map(|kind| kind.name()).collect();
        Problem::invalid(format!("kind: one of {}", names.join(", ")))
    })
}

fn filter<'a>(of: Option<&str>, q: Option<&'a str>) -> Result<EntityFilter<'a>, Problem> {
    check_text("q", q.unwrap_or_default(), 0, 100)?;
    Ok(EntityFilter { kind: of.map(kind).transpose()?, text: q.filter(|text| !text.trim().is_empty()) })
}

/// Shows what documents name and say of it: the main entities, or one with what it is related to.
#[utoipa::path(get, path = "/api/v1/knowledge/graph", tag = "knowledge", operation_id = "get_knowledge_graph", params(GraphQuery),
    security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "Entities and relations", body = KnowledgeGraph),
    (status = 404, description = "There is no such entity", body = Problem)
))]
pub(crate) async fn graph(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Params(query): Params<GraphQuery>,
) -> Result<Json<KnowledgeGraph>, Problem> {
    let store = app.node.store().as_ref();
    let rows_max = query.limit.unwrap_or(PICTURE_ENTITIES);
    if !(1..=limits::GRAPH_NODES_MAX).contains(&rows_max) {
        return Err(Problem::invalid(format!("limit must be between 1 and {}", limits::GRAPH_NODES_MAX)));
    }
    let filter = filter(query.kind.as_deref(), query.q.as_deref())?;
    let found = match query.entity {
        Some(entity) => surroundings(store, &caller.scope, entity).await,
        None => picture(store, &caller.scope, filter, rows_max).await,
    };
    Ok(Json(found.map_err(store_problem)?.into()))
}

/// Which entities.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityQuery {
    /// Entities of this kind.
    #[param(example = "product")]
    kind: Option<String>,
    /// Words of a name.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists what documents name, by name.
#[utoipa::path(get, path = "/api/v1/knowledge/entities", tag = "knowledge", operation_id = "list_entities", params(EntityQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of entities", body = List<EntityView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<EntityQuery>,
) -> Result<Listed<EntityView>, Problem> {
    let store = app.node.store();
    let wanted = page::rows(query.limit)?;
    let filter = filter(query.kind.as_deref(), query.q.as_deref())?;
    let after = match page::cursor::<Uuid>(query.cursor.as_deref())? {
        Some(id) => {
            let last = store.entity(&caller.scope, id).await.map_err(|error| match error {
                StoreError::NotFound(_) => Problem::invalid("cursor: what it stood for was taken out".to_owned()),
                error => store_problem(error),
            })?;
            Some((name_key(&last.fields.name), id))
        }
        None => None,
    };
    let rows = store.entities(&caller.scope, filter, after.as_ref(), wanted + 1).await.map_err(store_problem)?;
    let (rows, next) = page::cut(rows, wanted, |one| one.id);
    Ok(Listed::new(rows.into_iter().map(Into::into).collect(), next, uri))
}

/// What an entity is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutKnowledgeEntity)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityBody {
    /// `product`, `place`, `person`, `policy`, `price`, `hours` or `other`.
    #[schema(example = "product")]
    kind: String,
    #[schema(min_length = 1, max_length = 120, example = "e-bike")]
    name: String,
    /// Other names for it.
    #[serde(default)]
    #[schema(max_items = 50)]
    aliases: Vec<String>,
}

fn checked(body: EntityBody) -> Result<EntityFields, Problem> {
    if body.aliases.len() > ALIASES_MAX {
        return Err(Problem::invalid(format!("aliases: at most {ALIASES_MAX}")));
    }
    let fields = std::iter::once(("name", &body.name)).chain(body.aliases.iter().map(|alias| ("aliases", alias)));
    for (field, name) in fields {
        check_text(field, name.trim(), 1, NAME_CHARS_MAX)?;
        if name_key(name).is_empty() {
            return Err(Problem::invalid(format!("{field}: a letter or a digit is needed")));
        }
    }
    let trimmed = |name: String| name.trim().to_owned();
    let aliases = body.aliases.into_iter().map(trimmed).collect();
    Ok(EntityFields { kind: kind(&body.kind)?, name: trimmed(body.name), aliases })
}

/// Adds an entity that documents do not name, or name otherwise.
#[utoipa::path(post, path = "/api/v1/knowledge/entities", tag = "knowledge", operation_id = "create_entity", request_body = EntityBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 201, description = "The entity", body = EntityView),
    (status = 409, description = "Another entity has one of the names, or there are as many as there may be", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<EntityBody>,
) -> Result<(StatusCode, Json<EntityView>), Problem> {
    let (store, fields) = (app.node.store(), checked(body)?);
    let id = store.add_entity(&caller.scope, &fields, wall_ms()).await.map_err(store_problem)?;
    let entity = store.entity(&caller.scope, id).await.map_err(store_problem)?;
    Ok((StatusCode::CREATED, Json(entity.into())))
}

/// Passages of a document that name an entity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeMention)]
pub(crate) struct MentionView {
    /// The document's name in addresses.
    document: String,
    document_title: String,
    heading: String,
    /// Passages under this heading.
    passages: u32,
}

/// An entity, what is said of it, and where it is named.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KnowledgeEntityDetail {
    entity: EntityView,
    /// As what they are said of, and as what they lead to.
    relations: Vec<RelationView>,
    /// The first hundred passages, by document and heading.
    mentions: Vec<MentionView>,
}

/// Reads an entity with what is said of it and where it is named.
#[utoipa::path(get, path = "/api/v1/knowledge/entities/{id}", tag = "knowledge", operation_id = "get_entity",
    params(("id" = Uuid, Path, description = "The entity")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "The entity", body = KnowledgeEntityDetail)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Id(id): Id<Uuid>,
) -> Result<Json<KnowledgeEntityDetail>, Problem> {
    let store = app.node.store();
    let entity = store.entity(&caller.scope, id).await.map_err(store_problem)?;
    let said = relations(store.as_ref(), &caller.scope, Some(id)).await.map_err(store_problem)?;
    let mut places: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    for one in store.mentions(&caller.scope, Some(id), None).await.map_err(store_problem)? {
        *places.entry((one.slug, one.title, one.heading)).or_default() += 1;
    }
    let mention =
        |((document, document_title, heading), passages)| MentionView { document, document_title, heading, passages };
    Ok(Json(KnowledgeEntityDetail {
        entity: entity.into(),
        relations: said.into_iter().map(Into::into).collect(),
        mentions: places.into_iter().map(mention).collect(),
    }))
}

/// Says what an entity is and how it is called, whatever documents say later. Its former name goes on leading to it.
#[utoipa::path(put, path = "/api/v1/knowledge/entities/{id}", tag = "knowledge", operation_id = "put_entity",
    params(("id" = Uuid, Path, description = "The entity")), request_body = EntityBody, security(("bearer" = ["knowledge:write"])),
    responses(
    (status = 200, description = "The entity as it is now", body = EntityView),
    (status = 409, description = "Another entity has one of the names", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
    Body(body): Body<EntityBody>,
) -> Result<Json<EntityView>, Problem> {
    let (store, fields) = (app.node.store(), checked(body)?);
    store.correct_entity(&caller.scope, id, &fields, wall_ms()).await.map_err(store_problem)?;
    Ok(Json(store.entity(&caller.scope, id).await.map_err(store_problem)?.into()))
}

/// Takes an entity out with its relations. One that documents name does not come back with their next versions.
#[utoipa::path(delete, path = "/api/v1/knowledge/entities/{id}", tag = "knowledge", operation_id = "delete_entity",
    params(("id" = Uuid, Path, description = "The entity")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, Problem> {
    deleted(app.node.store().delete_entity(&caller.scope, id).await)
}

/// Entities that are one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeEntities {
    /// The others.
    #[schema(min_items = 1, max_items = 50)]
    ids: Vec<Uuid>,
}

/// Makes other entities one with this: their names become its aliases, their relations its own, later versions included.
#[utoipa::path(post, path = "/api/v1/knowledge/entities/{id}/merge", tag = "knowledge", operation_id = "merge_entities",
    params(("id" = Uuid, Path, description = "The entity that stays")), request_body = MergeEntities,
    security(("bearer" = ["knowledge:write"])), responses((status = 200, description = "The entity as it is now", body = EntityView)))]
pub(crate) async fn merge(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
    Body(mut body): Body<MergeEntities>,
) -> Result<Json<EntityView>, Problem> {
    body.ids.sort_unstable();
    body.ids.dedup();
    if body.ids.is_empty() || body.ids.len() > MERGED_MAX || body.ids.contains(&id) {
        return Err(Problem::invalid(format!("ids: 1 to {MERGED_MAX} other entities")));
    }
    let store = app.node.store();
    store.merge_entities(&caller.scope, id, &body.ids, wall_ms()).await.map_err(store_problem)?;
    Ok(Json(store.entity(&caller.scope, id).await.map_err(store_problem)?.into()))
}

/// A relation to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKnowledgeRelation {
    /// The entity of which it is said.
    subject: Uuid,
    #[schema(min_length = 1, max_length = 120, example = "located in")]
    predicate: String,
    /// The entity that it leads to; or `value`.
    object: Option<Uuid>,
    /// What it is in words; or `object`.
    #[schema(max_length = 300)]
    value: Option<String>,
    /// That it is not so.
    #[serde(default)]
    negated: bool,
}

/// Says something of an entity.
#[utoipa::path(post, path = "/api/v1/knowledge/relations", tag = "knowledge", operation_id = "create_relation",
    request_body = NewKnowledgeRelation, security(("bearer" = ["knowledge:write"])), responses(
    (status = 201, description = "The relation", body = RelationView),
    (status = 404, description = "There is no such entity", body = Problem)
))]
pub(crate) async fn relate(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<NewKnowledgeRelation>,
) -> Result<(StatusCode, Json<RelationView>), Problem> {
    check_text("predicate", body.predicate.trim(), 1, NAME_CHARS_MAX)?;
    let store = app.node.store();
    let value = match (body.object, body.value) {
        (Some(object), None) => store.entity(&caller.scope, object).await.map_err(store_problem)?.fields.name,
        (None, Some(value)) => {
            check_text("value", value.trim(), 1, VALUE_CHARS_MAX)?;
            value.trim().to_owned()
        }
        _ => return Err(Problem::invalid("object or value: one of them is needed".to_owned())),
    };
    let predicate = body.predicate.trim().to_lowercase();
    let relation =
        TypedRelation { subject: body.subject, predicate, object: body.object, value, negated: body.negated };
    let id = store.add_relation(&caller.scope, &relation).await.map_err(store_problem)?;
    let relation = store.relation(&caller.scope, id).await.map_err(store_problem)?;
    Ok((StatusCode::CREATED, Json(relation.into())))
}

/// Takes a relation out. What documents say does not come back with their next versions.
#[utoipa::path(delete, path = "/api/v1/knowledge/relations/{id}", tag = "knowledge", operation_id = "delete_relation",
    params(("id" = Uuid, Path, description = "The relation")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn unrelate(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, Problem> {
    deleted(app.node.store().delete_relation(&caller.scope, id).await)
}

/// One of several values that documents give.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeConflictValue)]
pub(crate) struct ConflictValueView {
    value: String,
    /// Where it is said.
    relations: Vec<RelationView>,
}

/// Something of which documents say different things.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeConflict)]
pub(crate) struct ConflictView {
    subject: Uuid,
    subject_name: String,
    predicate: String,
    /// Two or more, the one that is said most often first.
    values: Vec<ConflictValueView>,
}

impl From<Conflict> for ConflictView {
    fn from(one: Conflict) -> Self {
        let value = |(value, said): (String, Vec<Relation>)| ConflictValueView {
            value,
            relations: said.into_iter().map(Into::into).collect(),
        };
        Self {
            subject: one.subject,
            subject_name: one.subject_name,
            predicate: one.predicate,
            values: one.values.into_iter().map(value).collect(),
        }
    }
}

/// Lists where documents contradict each other: prices, hours, phone numbers, periods, columns of tables.
#[utoipa::path(get, path = "/api/v1/knowledge/conflicts", tag = "knowledge", operation_id = "list_conflicts",
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "All of them", body = List<ConflictView>)))]
pub(crate) async fn conflicts(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
) -> Result<Json<List<ConflictView>>, Problem> {
    let found = contradictions(app.node.store().as_ref(), &caller.scope).await.map_err(store_problem)?;
    Ok(Json(List::whole(found.into_iter().map(Into::into).collect())))
}
