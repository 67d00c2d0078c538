//! What a business knows: documents are parsed (in a child process), cut into chunks, stored with their vectors, and come
//! back as the index that agents answer from; what they could not answer is collected.
//!
//! **Must not know**: models of this machine, HTTP, calls. Vectors come from whoever implements [`ingest::Encoder`], pages
//! of sites from whoever implements [`crawl::Fetch`].
//!
//! Start reading at [`ingest`] (a file becomes a version of a document), then [`chunk`] and [`parse`]. [`index`] is where vectors can lie beside our
//! rows. [`child`] is how the
//! parsers are kept on a leash. [`recording`] decodes recorded calls there, and [`calls`] finds in what was said what is worth
//! knowing. [`calls`], [`chunk`], [`crawl::frontier`], [`crawl::robots`], [`gaps`], [`graph`] and [`document`] are pure.

pub mod calls;
pub mod child;
pub mod chunk;
pub mod crawl;
pub mod document;
pub mod evaluation;
#[cfg(test)]
mod fixtures;
pub mod gaps;
pub mod graph;
pub mod index;
pub mod index_laws;
pub mod ingest;
pub mod parse;
pub mod recording;
pub mod refusal;
pub mod sniff;
pub mod spaces;

pub use chunk::Chunk;
pub use document::Structured;
pub use refusal::Refusal;
