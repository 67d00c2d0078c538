//! Reading the recorded inputs of a call out of the store.

use super::PLACES_BITS;
use base::CallId;
use model::business::TenantScope;
use store::{Store, StoreError};

/// Why a call cannot be read for a replay.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// The store says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was recorded, or it was deleted.
    #[error(
        "no inputs of this call are kept: calls.record_inputs was off, or the time for which they are kept is over"
    )]
    Nothing,
    /// Lines are missing in the middle: the database was away for a moment, or the call is still going on.
    #[error("the recorded inputs are not whole: line {first} of part {part} was never written, or not yet")]
    Incomplete {
        /// Which process that had the call, from 1.
        part: u64,
        /// The first line that is missing, from 1.
        first: u64,
    },
}

/// The recorded inputs of a call as the text that [`super::Recorded::parse`] reads.
///
/// # Errors
/// When nothing was recorded, lines are missing, or they cannot be opened.
pub async fn load(store: &dyn Store, scope: &TenantScope, call: CallId) -> Result<String, LoadError> {
    let mut text = String::new();
    let (mut from, mut expected) = (0, 0);
    loop {
        let lines = store.inputs(scope, call, from).await?;
        let Some((last, _)) = lines.last() else { break };
        from = last + 1;
        for (place, line) in lines {
            let begins = place & ((1 << PLACES_BITS) - 1) == 0;
            if !begins && place != expected {
                let first = (expected & ((1 << PLACES_BITS) - 1)) + 1;
                let part = (place >> PLACES_BITS) + 1;
                let first = if expected >> PLACES_BITS == place >> PLACES_BITS { first } else { 1 };
                return Err(LoadError::Incomplete { part, first });
            }
            expected = place + 1;
            text.push_str(&line);
            text.push('\n');
        }
    }
    if text.is_empty() { Err(LoadError::Nothing) } else { Ok(text) }
}
