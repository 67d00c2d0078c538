//! What every store must obey about what documents name and say of it.

use crate::contract::Store;
use crate::error::StoreError;
use crate::graph::{
    EntityFields, EntityFilter, EntityKind, EntityOrigin, FoundEntity, FoundGraph, FoundRelation, TypedRelation,
};
use crate::knowledge::{NewVersion, VersionId, WholeVersion};
use crate::laws::tenant;
use model::business::TenantScope;
use std::sync::Arc;
use uuid::Uuid;

fn fields(kind: EntityKind, name: &str, aliases: &[&str]) -> EntityFields {
    EntityFields { kind, name: name.into(), aliases: aliases.iter().map(|&one| one.to_owned()).collect() }
}

/// A bike that costs so much.
fn found(bike: &str, price: &str) -> FoundGraph {
    let entity = |kind, name: &str| FoundEntity { kind, name: name.into(), mentions: vec![(0, "Rental".into())] };
    FoundGraph {
        entities: vec![entity(EntityKind::Product, bike), entity(EntityKind::Price, price)],
        relations: vec![FoundRelation {
            subject: 0,
            predicate: "costs".into(),
            object: Some(1),
            value: price.into(),
            negated: false,
            ordinal: 0,
            heading: "Rental".into(),
            quote: format!("{bike} costs {price}."),
        }],
    }
}

async fn begin(store: &dyn Store, scope: &TenantScope, slug: &str) -> VersionId {
    let new = NewVersion { slug, title: "Help", source: "help.md", bytes: 1, sha256: "ab" };
    store.begin_version(scope, &new, 1).await.expect("begun")
}

async fn publish(store: &dyn Store, scope: &TenantScope, version: VersionId) {
    let whole = WholeVersion { kind: "markdown", title: "Help", pages: 1, chunks: 0, space: "toy" };
    store.publish_version(scope, version, &whole, 2).await.expect("published");
}

async fn put(store: &dyn Store, scope: &TenantScope, slug: &str, graph: &FoundGraph) {
    let version = begin(store, scope, slug).await;
    store.add_graph(scope, version, graph, 3).await.expect("added");
    publish(store, scope, version).await;
}

async fn names(store: &dyn Store, scope: &TenantScope) -> Vec<String> {
    let all = store.entities(scope, EntityFilter::default(), None, 100).await.expect("entities");
    all.into_iter().map(|one| one.fields.name).collect()
}

async fn said(store: &dyn Store, scope: &TenantScope) -> Vec<(String, String)> {
    let all = store.relations(scope, None, None).await.expect("relations");
    all.into_iter().map(|one| (one.subject_name, one.value)).collect()
}

async fn id_of(store: &dyn Store, scope: &TenantScope, name: &str) -> Uuid {
    let filter = EntityFilter { text: Some(name), ..EntityFilter::default() };
    store.entities(scope, filter, None, 100).await.expect("entities")[0].id
}

/// Law.
pub async fn what_a_version_names_counts_while_it_serves(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let first = begin(&*store, &shop, "prices").await;
    store.add_graph(&shop, first, &found("City bike", "18 EUR"), 3).await.expect("added");
    assert!(names(&*store, &shop).await.is_empty(), "nobody is told before it serves");
    assert_eq!(store.graph_size(&shop).await, Ok((0, 0)));
    publish(&*store, &shop, first).await;
    assert_eq!(names(&*store, &shop).await, ["18 EUR", "City bike"]);
    assert_eq!(store.graph_size(&shop).await, Ok((2, 1)));
    put(&*store, &shop, "leaflet", &found("city bike", "20 EUR")).await;
    let bike = id_of(&*store, &shop, "city bike").await;
    let entity = store.entity(&shop, bike).await.expect("it is there");
    assert_eq!((entity.mentions, entity.documents, entity.relations), (2, 2, 2));
    assert_eq!(entity.origin, EntityOrigin::Found);
    let most = store.main_entities(&shop, EntityFilter::default(), 1).await.expect("entities");
    assert_eq!(most[0].id, bike);
    let kind = EntityFilter { kind: Some(EntityKind::Price), ..EntityFilter::default() };
    assert_eq!(store.entities(&shop, kind, None, 100).await.expect("prices").len(), 2);
    let (key, after) = ("18 eur".to_owned(), id_of(&*store, &shop, "18 EUR").await);
    let next = store.entities(&shop, EntityFilter::default(), Some(&(key, after)), 1).await.expect("a page");
    assert_eq!(next[0].fields.name, "20 EUR");
    assert_eq!(store.mentions(&shop, Some(bike), None).await.expect("mentions").len(), 2);
    assert_eq!(store.mentions(&shop, None, None).await.expect("mentions").len(), 4);
    let source = store.relations(&shop, Some(bike), None).await.expect("relations")[0].source.clone().expect("a place");
    assert_eq!((source.slug.as_str(), source.quote.as_str()), ("prices", "City bike costs 18 EUR."));

    put(&*store, &shop, "prices", &found("City bike", "19 EUR")).await;
    assert_eq!(names(&*store, &shop).await, ["19 EUR", "20 EUR", "City bike"], "what the old version said is gone");
    assert!(store.delete_knowledge(&shop, "prices").await.expect("deleted"));
    assert_eq!(names(&*store, &shop).await, ["20 EUR", "City bike"]);
    assert!(names(&*store, &rival).await.is_empty());
    assert_eq!(store.graph_size(&rival).await, Ok((0, 0)));
    assert!(matches!(store.entity(&rival, bike).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.delete_entity(&rival, bike).await, Ok(false));
    assert!(store.relations(&rival, Some(bike), None).await.expect("relations").is_empty());
}

/// Law.
pub async fn what_a_person_corrects_outlives_the_next_version(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    put(&*store, &shop, "prices", &found("City bike", "18 EUR")).await;
    put(&*store, &shop, "leaflet", &found("Citybike Classic", "18 EUR")).await;
    let (bike, classic) = (id_of(&*store, &shop, "city bike").await, id_of(&*store, &shop, "classic").await);
    let revision = store.knowledge_revision(&shop).await.expect("a number");
    store.merge_entities(&shop, bike, &[classic], 9).await.expect("merged");
    assert!(store.knowledge_revision(&shop).await.expect("a number") > revision, "nodes look again");
    assert_eq!(names(&*store, &shop).await, ["18 EUR", "City bike"]);
    let merged = store.entity(&shop, bike).await.expect("it is there");
    assert_eq!((merged.fields.aliases, merged.documents), (vec!["Citybike Classic".to_owned()], 2));
    store
        .correct_entity(&shop, bike, &fields(EntityKind::Other, "Town bike", &["Citybike Classic"]), 10)
        .await
        .expect("kept");
    put(&*store, &shop, "leaflet", &found("Citybike classic", "21 EUR")).await;
    put(&*store, &shop, "prices", &found("City bike", "18 EUR")).await;
    let entity = store.entity(&shop, bike).await.expect("it is there");
    assert_eq!(
        (entity.fields.name.as_str(), entity.fields.kind, entity.documents),
        ("Town bike", EntityKind::Other, 2)
    );
    assert_eq!(entity.origin, EntityOrigin::Corrected);

    let wrong = store.relations(&shop, Some(bike), None).await.expect("relations");
    let wrong = wrong.iter().find(|one| one.value == "21 EUR").expect("said").id;
    assert_eq!(store.delete_relation(&shop, wrong).await, Ok(true));
    put(&*store, &shop, "leaflet", &found("Citybike Classic", "21 EUR")).await;
    assert_eq!(said(&*store, &shop).await, [("Town bike".to_owned(), "18 EUR".to_owned())]);
    assert_eq!(store.delete_entity(&shop, bike).await, Ok(true));
    put(&*store, &shop, "prices", &found("City bike", "18 EUR")).await;
    assert_eq!(names(&*store, &shop).await, ["18 EUR", "21 EUR"], "what was taken out stays out");
    assert!(said(&*store, &shop).await.is_empty());
}

/// Law.
pub async fn a_name_belongs_to_one_entity(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let anna =
        store.add_entity(&shop, &fields(EntityKind::Person, "Anna Weber", &["Dr. Weber"]), 1).await.expect("added");
    let again = store.add_entity(&shop, &fields(EntityKind::Person, "dr weber", &[]), 1).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    store.add_entity(&rival, &fields(EntityKind::Person, "Anna Weber", &[]), 1).await.expect("another business's");
    let clinic = store.add_entity(&shop, &fields(EntityKind::Place, "Clinic 50% off", &[]), 1).await.expect("added");
    let taken = store.correct_entity(&shop, clinic, &fields(EntityKind::Place, "Anna Weber", &[]), 2).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let text = EntityFilter { text: Some("50%"), ..EntityFilter::default() };
    assert_eq!(store.entities(&shop, text, None, 10).await.expect("entities").len(), 1);
    let relation = TypedRelation {
        subject: anna,
        predicate: "works at".into(),
        object: Some(clinic),
        value: "Clinic".into(),
        negated: false,
    };
    let id = store.add_relation(&shop, &relation).await.expect("added");
    assert_eq!(store.relation(&shop, id).await.expect("it is there").source, None);
    assert!(matches!(store.add_relation(&rival, &relation).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.delete_relation(&rival, id).await, Ok(false));
    assert_eq!(store.delete_entity(&shop, clinic).await, Ok(true));
    assert!(said(&*store, &shop).await.is_empty(), "what led to it is gone with it");
    assert!(matches!(store.relation(&shop, id).await, Err(StoreError::NotFound(_))));
}
