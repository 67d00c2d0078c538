//! What a business wants of its documents, kept as one value each.

use model::business::TenantScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::contract::office::ValueKind;
use store::{Store, StoreError};

/// A value, and how often it was changed; what it is by itself when nobody said anything, or what was said cannot be read.
pub(super) async fn kept<T: Default + DeserializeOwned>(
    store: &dyn Store,
    scope: &TenantScope,
    kind: ValueKind,
) -> Result<(T, u32), StoreError> {
    match store.value(scope, kind, kind.name()).await {
        Ok(known) => {
            let read = serde_json::from_str(&known.value).unwrap_or_else(|error| {
                tracing::error!(kind = kind.name(), %error, "what a business wants cannot be read; the usual serves");
                T::default()
            });
            Ok((read, known.version))
        }
        Err(StoreError::NotFound(_)) => Ok((T::default(), 0)),
        Err(error) => Err(error),
    }
}

/// Keeps a value that was read at this version.
pub(super) async fn keep<T: Serialize + Sync>(
    store: &dyn Store,
    scope: &TenantScope,
    kind: ValueKind,
    value: &T,
    version: u32,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    store.put_value(scope, kind, kind.name(), &text, Some(version)).await.map(drop)
}
