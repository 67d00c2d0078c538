//! Language on this machine: embeddings, reranker, retrieval and the default brain.
