//! What documents name and say of it comes and goes with their versions.

use crate::shop::Shop;
use knowledge::graph::conflicts::conflicts;
use knowledge::ingest::{Quiet, Source};
use model::business::TenantScope;
use store::graph::EntityFilter;

async fn add(shop: &Shop, scope: &TenantScope, slug: &str, name: &str, text: &str) {
    let source = Source { slug, title: None, source: name, bytes: text.as_bytes() };
    shop.ingest.add(scope, &source, 1, &Quiet).await.unwrap();
}

async fn said(shop: &Shop, scope: &TenantScope) -> Vec<String> {
    let all = shop.store.relations(scope, None, None).await.unwrap();
    let mut said: Vec<String> =
        all.iter().map(|one| format!("{}: {} {}", one.subject_name, one.predicate, one.value)).collect();
    said.sort();
    said
}

const PAGE: &str = "# Help\n\n## Rental\nWe rent city bikes for 18 euros a day and e-bikes for 42 euros a day.\n";
const TABLE: &str = "model,motor,price\nCargo One,yes,€60 per day\nCity bike,no,€20 per day\n";

#[tokio::test]
async fn a_document_says_what_things_cost_until_its_next_version_says_otherwise() {
    let shop = Shop::open().await;
    add(&shop, &shop.scope, "help", "help.md", PAGE).await;
    assert_eq!(said(&shop, &shop.scope).await, ["city bike: costs a day 18 EUR", "e-bike: costs a day 42 EUR"]);
    let relation = &shop.store.relations(&shop.scope, None, None).await.unwrap()[0];
    let source = relation.source.as_ref().unwrap();
    assert_eq!(source.quote, "We rent city bikes for 18 euros a day and e-bikes for 42 euros a day.");
    assert_eq!((source.slug.as_str(), source.heading.as_str()), ("help", "Rental"));
    add(&shop, &shop.scope, "help", "help.md", &PAGE.replace("18 euros", "19 euros")).await;
    assert_eq!(said(&shop, &shop.scope).await, ["city bike: costs a day 19 EUR", "e-bike: costs a day 42 EUR"]);
    assert!(said(&shop, &shop.other).await.is_empty(), "nobody else's");
    assert!(shop.store.delete_knowledge(&shop.scope, "help").await.unwrap());
    let left = shop.store.entities(&shop.scope, EntityFilter::default(), None, 100).await.unwrap();
    assert!(left.is_empty(), "nothing of it is left: {left:?}");
}

#[tokio::test]
async fn documents_that_say_different_things_of_one_thing_are_reported() {
    let shop = Shop::open().await;
    add(&shop, &shop.scope, "help", "help.md", PAGE).await;
    add(&shop, &shop.scope, "bikes", "bikes.csv", TABLE).await;
    let found = conflicts(&shop.store.relations(&shop.scope, None, None).await.unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].subject_name.as_str(), found[0].predicate.as_str()), ("city bike", "costs a day"));
    let values: Vec<&str> = found[0].values.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(values, ["18 EUR", "20 EUR"]);
    let documents: Vec<&str> =
        found[0].values.iter().map(|one| one.1[0].source.as_ref().unwrap().slug.as_str()).collect();
    assert_eq!(documents, ["help", "bikes"]);
}
