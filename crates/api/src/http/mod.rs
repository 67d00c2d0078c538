//! What every resource of the API shares: request ids, problem documents for whatever goes wrong, pages, entity tags,
//! idempotency keys, rate limits, origins of browsers, deadlines, and the page that browses the document.
//!
//! One file each; a handler sees them as extractors and answers. Start reading at [`settings::HttpSettings`].

pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod deadline;
pub(crate) mod docs;
pub(crate) mod document;
pub(crate) mod etag;
pub(crate) mod idempotency;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod rate;
pub(crate) mod request;
pub(crate) mod settings;

pub(crate) use body::{Body, MaybeBody};
pub(crate) use etag::{IfMatch, Tagged};
pub(crate) use page::{List, Listed};
pub(crate) use query::Params;
pub use settings::HttpSettings;
