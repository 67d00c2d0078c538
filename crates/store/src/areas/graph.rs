//! What documents name and say of it.

use crate::args;
use crate::contract::Answer;
use crate::db::{DbRow, PAGE, Tx, missing, to_json};
use crate::error::StoreError;
use crate::graph::{
    Entity, EntityFields, EntityFilter, EntityOrigin, FoundEntity, FoundGraph, KnowledgeGraph, Mention, Relation,
    RelationSource, TypedRelation, name_key,
};
use crate::knowledge::VersionId;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{DocumentId, limits};
use model::business::TenantScope;
use std::collections::HashSet;
use uuid::Uuid;

/// Entities of one transaction.
const ENTITIES_AT_ONCE: usize = 32;
/// Relations of one transaction.
const RELATIONS_AT_ONCE: usize = 256;

fn read_entity(row: &DbRow) -> Answer<Entity> {
    Ok(Entity {
        id: row.get("id")?,
        fields: EntityFields { kind: row.word("kind")?, name: row.get("name")?, aliases: row.json("aliases")? },
        origin: row.word("origin")?,
        mentions: row.get("mentions")?,
        documents: row.get("documents")?,
        relations: row.get("relations")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

fn read_relation(row: &DbRow) -> Answer<Relation> {
    let document: Option<Uuid> = row.get("document")?;
    let source = match document {
        Some(document) => Some(RelationSource {
            document: DocumentId(document),
            slug: row.get("slug")?,
            title: row.get("title")?,
            ordinal: row.get("ordinal")?,
            heading: row.get("heading")?,
            quote: row.get("quote")?,
        }),
        None => None,
    };
    Ok(Relation {
        id: row.get("id")?,
        subject: row.get("subject")?,
        subject_name: row.get("subject_name")?,
        predicate: row.get("predicate")?,
        object: row.get("object")?,
        value: row.get("value")?,
        negated: row.get("negated")?,
        source,
    })
}

fn read_mention(row: &DbRow) -> Answer<Mention> {
    Ok(Mention {
        entity: row.get("entity")?,
        document: DocumentId(row.get("document")?),
        slug: row.get("slug")?,
        title: row.get("title")?,
        ordinal: row.get("ordinal")?,
        heading: row.get("heading")?,
    })
}

/// What `LIKE` looks for: the words anywhere in a name, with nothing of theirs taken for a sign.
fn pattern(filter: &EntityFilter<'_>) -> Option<String> {
    let key = name_key(filter.text?);
    (!key.is_empty()).then(|| format!("%{}%", key.replace('!', "!!").replace('%', "!%").replace('_', "!_")))
}

fn taken(name: &str) -> StoreError {
    StoreError::Conflict(format!("another entity is called {name}"))
}

/// Lets names lead to an entity. `Conflict` when one leads to another already.
async fn put_names(tx: &mut Tx, business: Uuid, entity: Uuid, fields: &EntityFields) -> Answer<()> {
    for name in std::iter::once(&fields.name).chain(&fields.aliases) {
        let key = name_key(name);
        if tx.write(sql::INSERT_ENTITY_NAME, args![business, &key, entity]).await? == 0 {
            let row = tx.read_one(sql::ENTITY_OF_NAME, args![business, &key]).await?;
            if row.ok_or(missing("entity"))?.get::<Uuid>("entity")? != entity {
                return Err(taken(name));
            }
        }
    }
    Ok(())
}

/// Forgets what no document names any more.
pub(super) async fn prune(tx: &mut Tx, business: Uuid) -> Answer<()> {
    tx.write(sql::PRUNE_ENTITY_NAMES, args![business]).await?;
    tx.write(sql::PRUNE_DENIALS, args![business]).await?;
    tx.write(sql::PRUNE_ENTITIES, args![business]).await.map(drop)
}

impl SqlStore {
    async fn raise(&self, tx: &mut Tx, business: Uuid) -> Answer<()> {
        tx.write(sql::RAISE_KNOWLEDGE_REVISION, args![business]).await.map(drop)
    }

    /// The entity that a name leads to; a new one when it leads to none. `None` when there are as many as there may be.
    async fn resolve(&self, tx: &mut Tx, business: Uuid, found: &FoundEntity, at_ms: i64) -> Answer<Option<Uuid>> {
        let key = name_key(&found.name);
        if let Some(row) = tx.read_one(sql::ENTITY_OF_NAME, args![business, &key]).await? {
            return Ok(Some(row.get("entity")?));
        }
        let counted = tx.read_one(sql::COUNT_ENTITIES, args![business]).await?;
        if counted.ok_or(missing("entity"))?.get::<u64>("entities")? >= limits::GRAPH_ENTITIES_MAX as u64 {
            return Ok(None);
        }
        let (id, kind) = (Uuid::now_v7(), found.kind.name());
        let args = args![id, business, kind, &found.name, &key, "[]", EntityOrigin::Found.name(), at_ms];
        tx.write(sql::INSERT_ENTITY, args).await?;
        if tx.write(sql::INSERT_ENTITY_NAME, args![business, &key, id]).await? == 0 {
            // Another document named it meanwhile.
            tx.write(sql::DELETE_ENTITY, args![business, id]).await?;
            let row = tx.read_one(sql::ENTITY_OF_NAME, args![business, &key]).await?;
            return row.map(|row| row.get("entity")).transpose();
        }
        Ok(Some(id))
    }

    async fn add_relations(
        &self,
        scope: &TenantScope,
        version: VersionId,
        found: &FoundGraph,
        ids: &[Option<Uuid>],
    ) -> Answer<()> {
        let business = scope.business.0;
        for group in found.relations.chunks(RELATIONS_AT_ONCE) {
            let mut tx = self.db.begin(scope).await?;
            let mut denied: HashSet<(Uuid, String, String)> = HashSet::new();
            let subjects: HashSet<Uuid> = group.iter().filter_map(|one| ids[one.subject]).collect();
            for subject in subjects {
                for row in tx.read(sql::DENIALS_OF, args![business, subject]).await? {
                    denied.insert((subject, row.get("predicate")?, row.get("value")?));
                }
            }
            let mut rows = Vec::new();
            for one in group {
                let Some(subject) = ids[one.subject] else { continue };
                if denied.contains(&(subject, one.predicate.clone(), one.value.clone())) {
                    continue;
                }
                rows.push(args![
                    Uuid::now_v7(),
                    business,
                    subject,
                    one.predicate.as_str(),
                    one.object.and_then(|at| ids[at]),
                    one.value.as_str(),
                    one.negated,
                    Some(version.document.0),
                    Some(version.version),
                    Some(one.ordinal),
                    Some(one.heading.as_str()),
                    Some(one.quote.as_str()),
                ]);
            }
            tx.write_many(sql::INSERT_RELATION, rows).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl KnowledgeGraph for SqlStore {
    async fn add_graph(&self, scope: &TenantScope, version: VersionId, found: &FoundGraph, at_ms: i64) -> Answer<()> {
        let business = scope.business.0;
        let (document, number) = (version.document.0, version.version);
        let mut ids = Vec::with_capacity(found.entities.len());
        for group in found.entities.chunks(ENTITIES_AT_ONCE) {
            let mut tx = self.db.begin(scope).await?;
            let mut rows = Vec::new();
            for entity in group {
                let id = self.resolve(&mut tx, business, entity, at_ms).await?;
                ids.push(id);
                let Some(id) = id else { continue };
                let row = |(at, heading): &(u32, String)| args![business, document, number, *at, id, heading.clone()];
                rows.extend(entity.mentions.iter().map(row));
            }
            for row in rows {
                tx.write(sql::INSERT_MENTION, row).await?;
            }
            tx.commit().await?;
        }
        self.add_relations(scope, version, found, &ids).await
    }

    async fn graph_size(&self, scope: &TenantScope) -> Answer<(u64, u64)> {
        let entities = self.need(scope, "graph", sql::GRAPH_ENTITIES, args![scope.business.0]).await?;
        let relations = self.need(scope, "graph", sql::GRAPH_RELATIONS, args![scope.business.0]).await?;
        Ok((entities.get("entities")?, relations.get("relations")?))
    }

    async fn main_entities(&self, scope: &TenantScope, filter: EntityFilter<'_>, rows_max: u32) -> Answer<Vec<Entity>> {
        let kind = filter.kind.map(|kind| kind.name());
        let args = args![scope.business.0, kind, pattern(&filter), rows_max.min(limits::GRAPH_NODES_MAX)];
        self.db.read(scope, sql::MAIN_ENTITIES, args).await?.iter().map(read_entity).collect()
    }

    async fn entities(
        &self,
        scope: &TenantScope,
        filter: EntityFilter<'_>,
        after: Option<&(String, Uuid)>,
        rows_max: u32,
    ) -> Answer<Vec<Entity>> {
        let kind = filter.kind.map(|kind| kind.name());
        let (key, id) = after.map_or(("", Uuid::nil()), |(key, id)| (key.as_str(), *id));
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX + 1);
        let args = args![scope.business.0, kind, key, id, pattern(&filter), rows_max];
        self.db.read(scope, sql::ENTITIES, args).await?.iter().map(read_entity).collect()
    }

    async fn entity(&self, scope: &TenantScope, id: Uuid) -> Answer<Entity> {
        read_entity(&self.need(scope, "entity", sql::ENTITY, args![scope.business.0, id]).await?)
    }

    async fn add_entity(&self, scope: &TenantScope, fields: &EntityFields, at_ms: i64) -> Answer<Uuid> {
        let (business, id) = (scope.business.0, Uuid::now_v7());
        let (key, aliases) = (name_key(&fields.name), to_json(&fields.aliases)?);
        let mut tx = self.db.begin(scope).await?;
        let counted = tx.read_one(sql::COUNT_ENTITIES, args![business]).await?;
        if counted.ok_or(missing("entity"))?.get::<u64>("entities")? >= limits::GRAPH_ENTITIES_MAX as u64 {
            return Err(StoreError::Conflict(format!(
                "a business has at most {} entities",
                limits::GRAPH_ENTITIES_MAX
            )));
        }
        let origin = EntityOrigin::Typed.name();
        let args = args![id, business, fields.kind.name(), &fields.name, key, aliases, origin, at_ms];
        tx.write(sql::INSERT_ENTITY, args).await?;
        put_names(&mut tx, business, id, fields).await?;
        self.raise(&mut tx, business).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn correct_entity(&self, scope: &TenantScope, id: Uuid, fields: &EntityFields, at_ms: i64) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::ENTITY_TO_CHANGE, args![business, id]).await?.ok_or(missing("entity"))?;
        let origin = match row.word("origin")? {
            EntityOrigin::Typed => EntityOrigin::Typed,
            EntityOrigin::Found | EntityOrigin::Corrected => EntityOrigin::Corrected,
        };
        // Documents go on calling it what it was called.
        let former: String = row.get("name")?;
        tx.write(sql::DELETE_ENTITY_NAMES, args![business, id]).await?;
        put_names(&mut tx, business, id, fields).await?;
        tx.write(sql::INSERT_ENTITY_NAME, args![business, name_key(&former), id]).await?;
        let (key, aliases) = (name_key(&fields.name), to_json(&fields.aliases)?);
        let args = args![business, id, fields.kind.name(), &fields.name, key, aliases, origin.name(), at_ms];
        tx.write(sql::CORRECT_ENTITY, args).await?;
        self.raise(&mut tx, business).await?;
        tx.commit().await
    }

    async fn delete_entity(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let Some(row) = tx.read_one(sql::ENTITY_TO_CHANGE, args![business, id]).await? else { return Ok(false) };
        tx.write(sql::DELETE_RELATIONS_OF, args![business, id]).await?;
        tx.write(sql::DELETE_DENIALS_OF, args![business, id]).await?;
        if row.word::<EntityOrigin>("origin")? == EntityOrigin::Typed {
            tx.write(sql::DELETE_MENTIONS_OF, args![business, id]).await?;
            tx.write(sql::DELETE_ENTITY_NAMES, args![business, id]).await?;
            tx.write(sql::DELETE_ENTITY, args![business, id]).await?;
        } else {
            tx.write(sql::HIDE_ENTITY, args![business, id]).await?;
        }
        self.raise(&mut tx, business).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn merge_entities(&self, scope: &TenantScope, into: Uuid, others: &[Uuid], at_ms: i64) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::ENTITY_TO_CHANGE, args![business, into]).await?.ok_or(missing("entity"))?;
        let name: String = row.get("name")?;
        let mut aliases: Vec<String> = row.json("aliases")?;
        let was: EntityOrigin = row.word("origin")?;
        for &other in others.iter().filter(|other| **other != into) {
            let row = tx.read_one(sql::ENTITY_TO_CHANGE, args![business, other]).await?.ok_or(missing("entity"))?;
            aliases.push(row.get("name")?);
            aliases.extend(row.json::<Vec<String>>("aliases")?);
            for statement in [sql::MOVE_ENTITY_NAMES, sql::COPY_MENTIONS, sql::MOVE_SUBJECTS, sql::MOVE_OBJECTS] {
                tx.write(statement, args![business, other, into]).await?;
            }
            tx.write(sql::DELETE_MENTIONS_OF, args![business, other]).await?;
            tx.write(sql::DELETE_DENIALS_OF, args![business, other]).await?;
            tx.write(sql::DELETE_ENTITY, args![business, other]).await?;
        }
        let mut seen = HashSet::from([name_key(&name)]);
        aliases.retain(|alias| seen.insert(name_key(alias)));
        let origin = if was == EntityOrigin::Typed { was } else { EntityOrigin::Corrected };
        let kind: String =
            tx.read_one(sql::ENTITY, args![business, into]).await?.ok_or(missing("entity"))?.get("kind")?;
        let args = args![business, into, kind, &name, name_key(&name), to_json(&aliases)?, origin.name(), at_ms];
        tx.write(sql::CORRECT_ENTITY, args).await?;
        self.raise(&mut tx, business).await?;
        tx.commit().await
    }

    async fn relations(&self, scope: &TenantScope, of: Option<Uuid>, after: Option<Uuid>) -> Answer<Vec<Relation>> {
        let (business, after) = (scope.business.0, after.unwrap_or(Uuid::nil()));
        let rows = match of {
            Some(of) => self.db.read(scope, sql::RELATIONS_OF, args![business, of, after, PAGE]).await?,
            None => self.db.read(scope, sql::RELATIONS, args![business, after, PAGE]).await?,
        };
        rows.iter().map(read_relation).collect()
    }

    async fn add_relation(&self, scope: &TenantScope, relation: &TypedRelation) -> Answer<Uuid> {
        let (business, id) = (scope.business.0, Uuid::now_v7());
        let mut tx = self.db.begin(scope).await?;
        for entity in std::iter::once(relation.subject).chain(relation.object) {
            tx.read_one(sql::ENTITY_TO_CHANGE, args![business, entity]).await?.ok_or(missing("entity"))?;
        }
        let args = args![
            id,
            business,
            relation.subject,
            &relation.predicate,
            relation.object,
            &relation.value,
            relation.negated,
            None::<Uuid>,
            None::<u32>,
            None::<u32>,
            None::<&str>,
            None::<&str>,
        ];
        tx.write(sql::INSERT_RELATION, args).await?;
        self.raise(&mut tx, business).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn relation(&self, scope: &TenantScope, id: Uuid) -> Answer<Relation> {
        read_relation(&self.need(scope, "relation", sql::RELATION, args![scope.business.0, id]).await?)
    }

    async fn delete_relation(&self, scope: &TenantScope, id: Uuid) -> Answer<bool> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let Some(row) = tx.read_one(sql::RELATION, args![business, id]).await? else { return Ok(false) };
        let relation = read_relation(&row)?;
        let args = args![business, relation.subject, &relation.predicate, &relation.value];
        if relation.source.is_some() {
            tx.write(sql::INSERT_DENIAL, args.clone()).await?;
        }
        tx.write(sql::DELETE_SAME_RELATIONS, args).await?;
        self.raise(&mut tx, business).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn mentions(
        &self,
        scope: &TenantScope,
        of: Option<Uuid>,
        after: Option<(DocumentId, u32, Uuid)>,
    ) -> Answer<Vec<Mention>> {
        let business = scope.business.0;
        let (document, ordinal, entity) =
            after.map_or((Uuid::nil(), -1, Uuid::nil()), |(document, at, entity)| (document.0, i64::from(at), entity));
        let rows = match of {
            Some(of) => self.db.read(scope, sql::MENTIONS_OF, args![business, of, document, ordinal, PAGE]).await?,
            None => self.db.read(scope, sql::MENTIONS, args![business, document, ordinal, entity, PAGE]).await?,
        };
        rows.iter().map(read_mention).collect()
    }
}
