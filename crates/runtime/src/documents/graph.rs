//! What documents name and say of it, for people: pictures of it, and where documents contradict each other.

use base::limits;
pub use knowledge::graph::conflicts::Conflict;
use knowledge::graph::conflicts::conflicts as contradictions;
use model::business::TenantScope;
use std::collections::HashSet;
use store::graph::{Entity, EntityFilter, Relation};
use store::{Store, StoreError};
use uuid::Uuid;

/// Relations of one picture.
const RELATIONS_SHOWN_MAX: usize = 2_000;
/// Entities around one.
const NEIGHBOURS_MAX: usize = 100;

/// Entities and what is said among them.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Entities.
    pub entities: Vec<Entity>,
    /// Relations of these, to any.
    pub relations: Vec<Relation>,
    /// How many entities the business has.
    pub entities_total: u64,
    /// How many relations it has.
    pub relations_total: u64,
}

/// All relations to and from an entity, or of the business, as many as are looked at.
///
/// # Errors
/// When the store does not answer.
pub async fn relations(store: &dyn Store, scope: &TenantScope, of: Option<Uuid>) -> Result<Vec<Relation>, StoreError> {
    let mut all: Vec<Relation> = Vec::new();
    loop {
        let page = store.relations(scope, of, all.last().map(|last| last.id)).await?;
        let is_last = page.len() < limits::PAGE_ROWS_MAX as usize;
        all.extend(page);
        if is_last || all.len() >= limits::GRAPH_RELATIONS_MAX {
            return Ok(all);
        }
    }
}

/// The entities that most passages name with their relations.
///
/// # Errors
/// When the store does not answer.
pub async fn picture(
    store: &dyn Store,
    scope: &TenantScope,
    filter: EntityFilter<'_>,
    rows_max: u32,
) -> Result<Picture, StoreError> {
    let entities = store.main_entities(scope, filter, rows_max).await?;
    let shown: HashSet<Uuid> = entities.iter().map(|one| one.id).collect();
    let mut said = relations(store, scope, None).await?;
    said.retain(|one| shown.contains(&one.subject));
    said.truncate(RELATIONS_SHOWN_MAX);
    let (entities_total, relations_total) = store.graph_size(scope).await?;
    Ok(Picture { entities, relations: said, entities_total, relations_total })
}

/// An entity with what it is related to.
///
/// # Errors
/// When there is no such entity, or the store does not answer.
pub async fn surroundings(store: &dyn Store, scope: &TenantScope, of: Uuid) -> Result<Picture, StoreError> {
    let mut entities = vec![store.entity(scope, of).await?];
    let mut said = relations(store, scope, Some(of)).await?;
    said.truncate(RELATIONS_SHOWN_MAX);
    let mut seen = HashSet::from([of]);
    for id in said.iter().flat_map(|one| std::iter::once(one.subject).chain(one.object)) {
        if seen.len() <= NEIGHBOURS_MAX && seen.insert(id) {
            match store.entity(scope, id).await {
                Ok(entity) => entities.push(entity),
                // Taken out meanwhile, or hidden.
                Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let (entities_total, relations_total) = store.graph_size(scope).await?;
    Ok(Picture { entities, relations: said, entities_total, relations_total })
}

/// Where documents of a business contradict each other.
///
/// # Errors
/// When the store does not answer.
pub async fn conflicts(store: &dyn Store, scope: &TenantScope) -> Result<Vec<Conflict>, StoreError> {
    let said = relations(store, scope, None).await?;
    let found = tokio::task::spawn_blocking(move || contradictions(&said)).await;
    found.map_err(|_| StoreError::Corrupt("comparing what documents say stopped".into()))
}
