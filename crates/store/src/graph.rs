//! What a store keeps of what documents name and say of it: entities, where they are mentioned, relations.
//!
//! What was found belongs to a version of a document, as its chunks do, and counts while that version serves. What people
//! corrected stays: a name leads to the entity that they chose, whatever later versions say.

use crate::contract::Answer;
use crate::knowledge::VersionId;
use async_trait::async_trait;
use base::DocumentId;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// Something that is sold, rented or done.
    Product,
    /// A country, a town, an address, a branch.
    Place,
    /// Somebody.
    Person,
    /// A rule: returns, warranty, cancellation.
    Policy,
    /// An amount of money.
    Price,
    /// Times at which something is open.
    Hours,
    /// Anything else.
    Other,
}

impl EntityKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Product, Self::Place, Self::Person, Self::Policy, Self::Price, Self::Hours, Self::Other];

    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Place => "place",
            Self::Person => "person",
            Self::Policy => "policy",
            Self::Price => "price",
            Self::Hours => "hours",
            Self::Other => "other",
        }
    }
}

/// Where an entity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityOrigin {
    /// Documents name it.
    Found,
    /// A person added it.
    Typed,
    /// Documents name it, and a person said what it is.
    Corrected,
}

impl EntityOrigin {
    /// The word that is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Typed => "typed",
            Self::Corrected => "corrected",
        }
    }
}

/// Lower-case words of a name with single spaces: names that differ in nothing else are the same.
pub fn name_key(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '\'' | '’'));
    let spaced: String = letters.map(|c| if c.is_alphanumeric() || "€$£₹+@".contains(c) { c } else { ' ' }).collect();
    spaced.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an entity is called and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityFields {
    /// What it is.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
}

/// An entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its id.
    pub id: Uuid,
    /// What it is called and is.
    pub fields: EntityFields,
    /// Where it comes from.
    pub origin: EntityOrigin,
    /// Passages that name it.
    pub mentions: u32,
    /// Documents that do.
    pub documents: u32,
    /// Relations to and from it.
    pub relations: u32,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

/// Where a relation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationSource {
    /// The document.
    pub document: DocumentId,
    /// Its short name.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Place of the passage in the document, from 0.
    pub ordinal: u32,
    /// Heading of the passage.
    pub heading: String,
    /// The sentence, verbatim.
    pub quote: String,
}

/// Something that is said of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its id.
    pub id: Uuid,
    /// Of what it is said.
    pub subject: Uuid,
    /// Its name.
    pub subject_name: String,
    /// What is said: `costs`, `open monday`, a column's name.
    pub predicate: String,
    /// The entity that it leads to.
    pub object: Option<Uuid>,
    /// What it is, in words.
    pub value: String,
    /// That it is not so.
    pub negated: bool,
    /// Where it stands; absent when a person said so.
    pub source: Option<RelationSource>,
}

/// A relation that a person adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedRelation {
    /// Of what it is said.
    pub subject: Uuid,
    /// What is said.
    pub predicate: String,
    /// The entity that it leads to.
    pub object: Option<Uuid>,
    /// What it is, in words.
    pub value: String,
    /// That it is not so.
    pub negated: bool,
}

/// An entity as a document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEntity {
    /// What it seems to be.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// Passages that name it, with their headings.
    pub mentions: Vec<(u32, String)>,
}

/// A relation as a document says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRelation {
    /// Place among the entities.
    pub subject: usize,
    /// What is said.
    pub predicate: String,
    /// Place among the entities.
    pub object: Option<usize>,
    /// What it is, in words.
    pub value: String,
    /// That it is not so.
    pub negated: bool,
    /// Place of the passage in the document.
    pub ordinal: u32,
    /// Heading of the passage.
    pub heading: String,
    /// The sentence, verbatim.
    pub quote: String,
}

/// What a version of a document names and says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundGraph {
    /// Entities, each once.
    pub entities: Vec<FoundEntity>,
    /// Relations.
    pub relations: Vec<FoundRelation>,
}

/// Which entities a list holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntityFilter<'a> {
    /// Of this kind.
    pub kind: Option<EntityKind>,
    /// One of whose names has these words.
    pub text: Option<&'a str>,
}

/// A passage that names an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The entity.
    pub entity: Uuid,
    /// The document.
    pub document: DocumentId,
    /// Its short name.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Place of the passage, from 0.
    pub ordinal: u32,
    /// Heading of the passage.
    pub heading: String,
}

/// What businesses' documents name and say of it.
#[async_trait]
pub trait KnowledgeGraph: Send + Sync {
    /// Adds what a version names and says, before it serves. A name that is known leads to its entity; what people took out
    /// stays out.
    async fn add_graph(&self, scope: &TenantScope, version: VersionId, found: &FoundGraph, at_ms: i64) -> Answer<()>;
    /// How many entities there are, and how many relations.
    async fn graph_size(&self, scope: &TenantScope) -> Answer<(u64, u64)>;
    /// The entities that most passages name, at most [`base::limits::GRAPH_NODES_MAX`].
    async fn main_entities(&self, scope: &TenantScope, filter: EntityFilter<'_>, rows_max: u32) -> Answer<Vec<Entity>>;
    /// Entities after this key, in order of their keys, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn entities(
        &self,
        scope: &TenantScope,
        filter: EntityFilter<'_>,
        after: Option<&(String, Uuid)>,
        rows_max: u32,
    ) -> Answer<Vec<Entity>>;
    /// One entity.
    async fn entity(&self, scope: &TenantScope, id: Uuid) -> Answer<Entity>;
    /// Adds an entity. `Conflict` when one of its names is another's, or there are as many as there may be.
    async fn add_entity(&self, scope: &TenantScope, fields: &EntityFields, at_ms: i64) -> Answer<Uuid>;
    /// Says what an entity is; its former name goes on leading to it. `Conflict` when one of its names is another's.
    async fn correct_entity(&self, scope: &TenantScope, id: Uuid, fields: &EntityFields, at_ms: i64) -> Answer<()>;
    /// Takes an entity out with its relations. One that documents name does not come back. `false` when there is none.
    async fn delete_entity(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Makes others one with an entity: their names lead to it, their mentions and relations become its.
    async fn merge_entities(&self, scope: &TenantScope, into: Uuid, others: &[Uuid], at_ms: i64) -> Answer<()>;
    /// Relations to and from an entity, or all of them, after this id, in order of ids, at most
    /// [`base::limits::PAGE_ROWS_MAX`].
    async fn relations(&self, scope: &TenantScope, of: Option<Uuid>, after: Option<Uuid>) -> Answer<Vec<Relation>>;
    /// Adds a relation. `NotFound` when there is no such entity.
    async fn add_relation(&self, scope: &TenantScope, relation: &TypedRelation) -> Answer<Uuid>;
    /// One relation.
    async fn relation(&self, scope: &TenantScope, id: Uuid) -> Answer<Relation>;
    /// Takes a relation out, wherever it is said. `false` when there is none.
    async fn delete_relation(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Passages that name an entity, or any, after this place, in order, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn mentions(
        &self,
        scope: &TenantScope,
        of: Option<Uuid>,
        after: Option<(DocumentId, u32, Uuid)>,
    ) -> Answer<Vec<Mention>>;
}
