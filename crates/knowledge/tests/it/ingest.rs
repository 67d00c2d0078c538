//! Files become documents that serve.

use crate::shop::{Service, Shop};
use knowledge::ingest::{Added, Again, Further, Indexed, IngestError, Quiet, Served, Source};
use model::business::TenantScope;
use std::sync::Arc;
use std::sync::atomic::Ordering;

async fn add(shop: &Shop, scope: &TenantScope, slug: &str, text: &str) -> Result<Added, IngestError> {
    let source = Source { slug, title: None, source: "folder/Help page.md", bytes: text.as_bytes() };
    shop.ingest.add(scope, &source, 1, &Quiet).await
}

fn indexed(added: Result<Added, IngestError>) -> Indexed {
    match added {
        Ok(Added::Indexed(indexed)) => indexed,
        other => panic!("{other:?}"),
    }
}

const HELP: &str = "# Help\n\n## Opening hours\nWe are open every day from nine to five.\n\n## Repairs and services\nA service costs 40 euros and takes a day.\n";

#[tokio::test]
async fn a_document_serves_with_headings_and_vectors_for_all_that_is_searched() {
    let shop = Shop::open().await;
    let made = indexed(add(&shop, &shop.scope, "help", HELP).await);
    assert_eq!((made.kind, made.chunks, made.version.version), ("markdown", 2, 1));
    let (passages, strange) = shop.served(&shop.scope, "toy", None).await;
    let headings: Vec<&str> = passages.iter().map(|one| one.passage.heading.as_str()).collect();
    assert_eq!((headings, strange), (vec!["Opening hours", "Repairs and services"], 0));
    assert!(passages.iter().all(|one| one.vectors.len() == one.passage.embedded().len() * 8));
    assert_eq!(passages[0].passage.document, "Help");
    let (_, strange) = shop.served(&shop.scope, "another model", None).await;
    assert_eq!(strange, 2, "vectors of another model are not mixed in");
}

#[tokio::test]
async fn the_next_version_embeds_only_what_changed() {
    let shop = Shop::open().await;
    add(&shop, &shop.scope, "help", HELP).await.unwrap();
    assert_eq!(add(&shop, &shop.scope, "help", HELP).await.unwrap(), Added::Unchanged);
    let before = shop.toy.encoded.load(Ordering::Relaxed);
    let made = indexed(add(&shop, &shop.scope, "help", &HELP.replace("40 euros", "45 euros")).await);
    assert_eq!((made.version.version, made.chunks, made.reused), (2, 2, 1));
    assert_eq!(shop.toy.encoded.load(Ordering::Relaxed) - before, 3, "one passage, its heading, its sentence");
    assert!(shop.says(&shop.scope).await.contains(&"A service costs 45 euros and takes a day.".to_owned()));
}

#[tokio::test]
async fn a_service_embeds_beside_this_machine_and_what_served_before_does_until_it_has() {
    let mut shop = Shop::open().await;
    let service = Arc::new(Service::default());
    shop.ingest = shop.ingest.clone().with_further(Arc::clone(&service) as Arc<dyn Further>);
    add(&shop, &shop.scope, "help", HELP).await.unwrap();
    assert_eq!(service.texts.load(Ordering::Relaxed), 0, "nobody chose it");
    let embed = async |space: &str| {
        let again = Again::Missing(space.to_owned());
        shop.ingest.reindex(&shop.scope, "help", &again, 2, &Quiet).await
    };
    let widths = async |space: &str| -> Vec<Option<usize>> {
        let (served, strange) = shop.served(&shop.scope, "toy", Some(space)).await;
        assert!(strange == 0 && served.iter().all(|one| one.vectors.len() == one.passage.embedded().len() * 8));
        let width = |one: &Served| Some(one.further.as_ref()?.len() / one.passage.embedded().len());
        served.iter().map(width).collect()
    };
    service.is_away.store(true, Ordering::Relaxed);
    let error = embed("acme/a:5").await.unwrap_err();
    assert!(error.to_string().contains("the service is away"), "{error}");
    assert_eq!(widths("acme/a:5").await, [None, None], "what served does still");
    service.is_away.store(false, Ordering::Relaxed);

    let own = shop.toy.encoded.load(Ordering::Relaxed);
    let made = indexed(embed("acme/a:5").await);
    assert_eq!((made.chunks, made.reused, service.texts.load(Ordering::Relaxed)), (2, 2, 6));
    assert_eq!(shop.toy.encoded.load(Ordering::Relaxed), own, "its own vectors are known");
    assert_eq!(widths("acme/a:5").await, [Some(5), Some(5)]);
    assert_eq!(embed("acme/a:5").await.unwrap(), Added::Unchanged);

    // It serves now; another one is wanted, and both are there until it does.
    service.spaces.lock().unwrap().push("acme/a:5".into());
    indexed(embed("acme/b:3").await);
    assert_eq!((widths("acme/a:5").await, widths("acme/b:3").await), (vec![Some(5); 2], vec![Some(3); 2]));
    assert_eq!(service.texts.load(Ordering::Relaxed), 12, "what one service made is not asked for again");
    *service.spaces.lock().unwrap() = vec!["acme/b:3".into()];
    let made = indexed(add(&shop, &shop.scope, "help", &HELP.replace("40 euros", "45 euros")).await);
    assert_eq!((made.reused, service.texts.load(Ordering::Relaxed)), (1, 15), "one passage, its heading, its sentence");
    assert_eq!((widths("acme/a:5").await, widths("acme/b:3").await), (vec![None; 2], vec![Some(3); 2]));
}

#[tokio::test]
async fn a_refused_version_leaves_the_old_one_serving_and_says_why() {
    let shop = Shop::open().await;
    add(&shop, &shop.scope, "help", HELP).await.unwrap();
    let refused = add(&shop, &shop.scope, "help", "\u{7f}ELF\u{2}").await.unwrap_err();
    assert_eq!(refused.code(), "unsupported_type");
    let document = shop.store.knowledge_document(&shop.scope, "help").await.unwrap();
    assert_eq!((document.serving, document.newest.version), (1, 2));
    assert_eq!(document.newest.error_code.as_deref(), Some("unsupported_type"));
    assert_eq!(shop.says(&shop.scope).await.len(), 2);
    let failed = add(&shop, &shop.scope, "help", &format!("{HELP}\n## Bad\nThis is UNSPEAKABLE in all ways.")).await;
    assert_eq!(failed.unwrap_err().code(), "embedding");
    assert_eq!(shop.says(&shop.scope).await.len(), 2, "half a document never serves");
    add(&shop, &shop.scope, "help", HELP).await.unwrap();
    assert_eq!(shop.store.knowledge_document(&shop.scope, "help").await.unwrap().serving, 4);
}

#[tokio::test]
async fn one_bad_file_among_many_stops_none_of_the_others() {
    let shop = Shop::open().await;
    let files: [(&str, &[u8]); 4] = [
        ("a", b"First fine document."),
        ("b", b"%PDF-1.7 broken"),
        ("c", b"PK\x03\x04"),
        ("d", b"Second fine document."),
    ];
    let adding = files.iter().map(|(slug, bytes)| {
        let source = Source { slug, title: None, source: slug, bytes };
        let (ingest, scope) = (shop.ingest.clone(), shop.scope);
        async move { ingest.add(&scope, &source, 1, &Quiet).await.is_ok() }
    });
    let mut fine = Vec::new();
    for one in adding {
        fine.push(one.await);
    }
    assert_eq!(fine, [true, false, false, true]);
    assert_eq!(shop.says(&shop.scope).await.len(), 2);
}

#[tokio::test]
async fn two_businesses_with_documents_of_one_name_never_meet() {
    let shop = Shop::open().await;
    add(&shop, &shop.scope, "help", "The code of our door is 1111.").await.unwrap();
    add(&shop, &shop.other, "help", "The code of our door is 2222.").await.unwrap();
    assert_eq!(shop.says(&shop.scope).await, ["The code of our door is 1111."]);
    assert_eq!(shop.says(&shop.other).await, ["The code of our door is 2222."]);
    assert!(shop.store.delete_knowledge(&shop.scope, "help").await.unwrap());
    assert!(shop.says(&shop.scope).await.is_empty());
    assert_eq!(shop.says(&shop.other).await, ["The code of our door is 2222."]);
}
