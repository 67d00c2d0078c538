//! The official packages of vector stores accept what the twins say, and a store's own server does what its twin does.

use crate::conformance::run;
use serde_json::json;
use sim::twins::{azure_ai_search, chroma, pinecone, qdrant, weaviate};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_points_writes_searches_and_deletes_by_filter() {
    let server = qdrant::start().await.expect("a free port");
    assert_eq!(
        run("qdrant_points.py", &server.twin.base_url, &server.twin.key).await,
        [
            json!({"collections": ["c"]}),
            json!({"written": "completed"}),
            json!({"found": [["a", 0, 1.0], ["a", 1, 0.6]]}),
            json!({"a": 0, "b": 1}),
            json!({"refused": "UnexpectedResponse", "status": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_namespaces_writes_searches_and_deletes_by_name() {
    let server = pinecone::start().await.expect("a free port");
    assert_eq!(
        run("pinecone_vectors.py", &server.twin.base_url, &server.twin.key).await,
        [
            json!({"upserted": 2}),
            json!({"found": [["x", 0.0, 1.0], ["y", 1.0, 0.6]]}),
            json!({"width": 384, "b": 1, "all": 1}),
            json!({"refused": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_objects_writes_asks_in_graphql_and_deletes_in_batches() {
    let server = weaviate::start().await.expect("a free port");
    assert_eq!(
        run("weaviate_objects.py", &server.twin.base_url, &server.twin.key).await,
        [
            json!({"a": 2, "b": 1}),
            json!({"found": [["a", 0, 0.0], ["a", 1, 0.4]]}),
            json!({"deleted": 2, "a": 0, "b": 1}),
            json!({"refused": "UnexpectedStatusCodeException", "status": 401}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_collections_writes_searches_and_deletes() {
    let server = chroma::start().await.expect("a free port");
    assert_eq!(
        run("chroma_collections.py", &server.twin.base_url, &server.twin.key).await,
        [
            json!({"count": 3}),
            json!({"ids": [["x", "y"]], "distances": [0.0, 0.4]}),
            json!({"count": 1}),
            json!({"refused": true}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_of_an_index_writes_searches_and_deletes_by_key() {
    let server = azure_ai_search::start().await.expect("a free port");
    assert_eq!(
        run("azure_ai_search_documents.py", &server.twin.base_url, &server.twin.key).await,
        [
            json!({"index": "things"}),
            json!({"written": [true, true, true]}),
            json!({"found": [["x", "a", 1.0], ["y", "a", 0.71]]}),
            json!({"a": [], "b": [["z", "b", 1.0]]}),
            json!({"refused": "HttpResponseError", "status": 403}),
        ]
    );
}
