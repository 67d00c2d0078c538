//! The end of what is kept of calls: past their time, or because somebody asked for it. Files go before the rows that
//! name them, so that a process that dies in between leaves nothing that nobody knows of.

use crate::recordings::Recordings;
use base::{CallId, limits};
use model::business::TenantScope;
use model::call::Call;
use std::collections::BTreeSet;
use store::objects::ObjectError;
use store::{Cursor, Store, StoreError};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Calls.
    pub calls: usize,
    /// Files of recordings.
    pub files: usize,
    /// Calls that stay for now, because a file could not be removed.
    pub left: usize,
}

impl std::ops::AddAssign for Deleted {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.files += other.files;
        self.left += other.left;
    }
}

/// Why something could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The store says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A recording cannot be removed; the rows that name it stay.
    #[error("the recording {name} cannot be removed: {error}")]
    File {
        /// Its name in the folder of recordings.
        name: String,
        /// Why.
        error: ObjectError,
    },
}

/// Deletes what was said and heard in calls that were over before this time: journal, messages, recorded inputs, log and
/// recordings together. Their rows stay. At most [`limits::CALLS_FORGOTTEN_PER_SWEEP_MAX`] calls at once.
///
/// # Errors
/// When the store does not answer. What could be deleted until then is deleted, and the next sweep goes on.
pub async fn sweep(
    store: &dyn Store,
    recordings: &Recordings,
    before_ms: i64,
    now_ms: i64,
) -> Result<Deleted, StoreError> {
    let mut deleted = Deleted::default();
    let mut after = None;
    while deleted.calls + deleted.left < limits::CALLS_FORGOTTEN_PER_SWEEP_MAX {
        let due = store.calls_to_forget(before_ms, after).await?;
        let Some(last) = due.last() else { break };
        after = Some(Cursor { at_ms: last.call.started_at_ms, id: last.call.id.0 });
        for route in due {
            forget(store, recordings, &route.scope, &route.call, now_ms, &mut deleted).await?;
        }
    }
    let mut heard = 0;
    for scope in store.businesses_of_heard_calls(before_ms).await? {
        heard += forget_heard(store, &scope, before_ms).await?;
    }
    if deleted.calls + heard > 0 {
        store.scrub().await?;
    }
    Ok(deleted)
}

/// Transcripts of calls that were recorded elsewhere are transcripts too.
async fn forget_heard(store: &dyn Store, scope: &TenantScope, before_ms: i64) -> Result<usize, StoreError> {
    let mut forgotten = 0;
    for _ in 0..limits::PRUNE_STEPS_MAX {
        let part = store.forget_heard_calls(scope, before_ms).await?;
        forgotten += part;
        if part == 0 {
            break;
        }
    }
    Ok(forgotten)
}

/// The same for the calls of one business.
///
/// # Errors
/// As [`sweep`].
pub async fn sweep_business(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    before_ms: i64,
    now_ms: i64,
) -> Result<Deleted, StoreError> {
    let mut deleted = Deleted::default();
    let mut after = None;
    while deleted.calls + deleted.left < limits::CALLS_FORGOTTEN_PER_SWEEP_MAX {
        let due = store.calls_of_business_to_forget(scope, before_ms, after).await?;
        let Some(last) = due.last() else { break };
        after = Some(Cursor { at_ms: last.started_at_ms, id: last.id.0 });
        for call in due {
            forget(store, recordings, scope, &call, now_ms, &mut deleted).await?;
        }
    }
    if deleted.calls + forget_heard(store, scope, before_ms).await? > 0 {
        store.scrub().await?;
    }
    Ok(deleted)
}

/// Deletes what was said and heard in one call. A file that cannot be removed keeps its call, and not the others.
async fn forget(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    call: &Call,
    now_ms: i64,
    deleted: &mut Deleted,
) -> Result<(), StoreError> {
    match remove_files(store, recordings, scope, call).await {
        Ok(files) => {
            store.forget_call(scope, call.id, now_ms).await?;
            deleted.calls += 1;
            deleted.files += files;
        }
        Err(DeleteError::Store(error)) => return Err(error),
        Err(error @ DeleteError::File { .. }) => {
            deleted.left += 1;
            tracing::error!(call = %call.id, %error, "what is kept of a call is past its time and stays");
        }
    }
    Ok(())
}

/// Deletes a call and all that belongs to it. Nothing to delete is no mistake.
///
/// # Errors
/// When a file cannot be removed or the store does not answer; asking again goes on.
pub async fn delete(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    call: CallId,
) -> Result<Deleted, DeleteError> {
    let row = match store.call(scope, call).await {
        Ok(row) => row,
        Err(StoreError::NotFound(_)) => return Ok(Deleted::default()),
        Err(error) => return Err(error.into()),
    };
    let files = remove_files(store, recordings, scope, &row).await?;
    let calls = usize::from(store.delete_call(scope, call).await?);
    store.scrub().await?;
    Ok(Deleted { calls, files, left: 0 })
}

pub(crate) async fn remove_files(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    call: &Call,
) -> Result<usize, DeleteError> {
    let mut names: BTreeSet<String> = store.recordings(scope, call.id).await?.into_iter().collect();
    names.extend(call.recording.clone());
    let mut removed = 0;
    for name in names {
        match recordings.remove(&name).await {
            Ok(was_there) => removed += usize::from(was_there),
            Err(error) => return Err(DeleteError::File { name, error }),
        }
    }
    let trace = Recordings::trace_of(call.business, call.id);
    if let Err(error) = recordings.traces().remove(&trace).await {
        return Err(DeleteError::File { name: trace, error });
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{JournalSeq, Secret};
    use store::laws::{Tenant, call_of, caller_turn, tenant};
    use store::objects::{ObjectPlace, Objects};
    use store::{CallUpdate, SqlStore, SqliteOptions, WriterId};
    use store::{DataKey, Keyring};

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    struct Office {
        folder: tempfile::TempDir,
        store: SqlStore,
        tenant: Tenant,
    }

    impl Office {
        async fn open() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
            let tenant = tenant(&store, "shop", "+49405550170").await;
            Self { folder, store, tenant }
        }

        /// A call with words and two parts of a recording, over at this time.
        async fn call(&self, ended_at_ms: i64) -> Call {
            let (scope, call) = (&self.tenant.scope, call_of(&self.tenant, ended_at_ms));
            self.store.create_call(scope, &call).await.expect("a call");
            let words = [caller_turn(1, "hello")];
            self.store_words(&call, &words).await;
            std::fs::create_dir_all(self.folder.path().join(call.business.to_string())).expect("a folder");
            for name in self.names(&call) {
                std::fs::write(self.folder.path().join(&name), "RIFF").expect("a file");
                use store::Recordings as _;
                self.store.add_recording(scope, call.id, &name, ended_at_ms).await.expect("noted");
            }
            use store::Calls as _;
            let end = CallUpdate { ended_at_ms: Some(ended_at_ms), ..CallUpdate::default() };
            self.store.update_call(scope, call.id, &end).await.expect("an end")
        }

        async fn store_words(&self, call: &Call, words: &[model::journal::Record]) {
            use store::{Inputs as _, Journal as _};
            let scope = &self.tenant.scope;
            self.store.append(scope, call.id, WriterId::generate(), JournalSeq(0), words).await.expect("words");
            self.store.append_inputs(scope, call.id, 0, &["a line".into()]).await.expect("inputs");
        }

        fn names(&self, call: &Call) -> [String; 2] {
            let business = call.business;
            [format!("{business}/{}.wav", call.id), format!("{business}/{}.7.wav", call.id)]
        }

        fn recordings(&self) -> Recordings {
            let key = DataKey::parse(&Secret::new("a".repeat(64))).expect("a key");
            let objects = Objects::open(&ObjectPlace::Memory, Keyring::new(key, Vec::new())).expect("opens");
            Recordings::new(self.folder.path(), objects)
        }

        fn files(&self, call: &Call) -> usize {
            self.names(call).iter().filter(|name| self.folder.path().join(name).exists()).count()
        }

        async fn words(&self, call: &Call) -> Option<usize> {
            use store::Journal as _;
            self.store.journal(&self.tenant.scope, call.id).await.ok().map(|records| records.len())
        }
    }

    #[tokio::test]
    async fn what_is_past_its_time_goes_with_its_recordings_and_what_is_not_stays() {
        let office = Office::open().await;
        let now_ms = 100 * DAY_MS;
        let (old, recent) = (office.call(now_ms - 31 * DAY_MS).await, office.call(now_ms - 29 * DAY_MS).await);
        let dir = &office.recordings();
        let deleted = sweep(&office.store, dir, now_ms - 30 * DAY_MS, now_ms).await.expect("swept");
        assert_eq!(deleted, Deleted { calls: 1, files: 2, left: 0 });
        assert_eq!((office.words(&old).await, office.files(&old)), (Some(0), 0));
        assert_eq!((office.words(&recent).await, office.files(&recent)), (Some(1), 2));
        let again = sweep(&office.store, dir, now_ms - 30 * DAY_MS, now_ms).await.expect("swept");
        assert_eq!(again, Deleted::default());
    }

    #[tokio::test]
    async fn a_recording_that_cannot_be_removed_keeps_its_call_and_not_the_others() {
        let office = Office::open().await;
        let (stuck, other) = (office.call(DAY_MS).await, office.call(2 * DAY_MS).await);
        let path = office.folder.path().join(&office.names(&stuck)[0]);
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("a folder in its place");
        let deleted = sweep(&office.store, &office.recordings(), 9 * DAY_MS, 9 * DAY_MS).await.expect("swept");
        assert_eq!((deleted.calls, deleted.left), (1, 1));
        assert_eq!((office.words(&stuck).await, office.words(&other).await), (Some(1), Some(0)));
        std::fs::remove_dir(&path).expect("mended");
        let deleted = sweep(&office.store, &office.recordings(), 9 * DAY_MS, 9 * DAY_MS).await.expect("swept");
        assert_eq!((deleted.calls, deleted.left), (1, 0));
    }

    #[tokio::test]
    async fn a_call_is_deleted_whole_and_deleting_it_again_is_no_mistake() {
        let office = Office::open().await;
        let call = office.call(DAY_MS).await;
        let trace = office.recordings().traces().dir().join(Recordings::trace_of(call.business, call.id));
        std::fs::create_dir_all(trace.parent().expect("a folder")).expect("made");
        std::fs::write(&trace, b"packets").expect("a trace");
        let gone = |deleted: Result<Deleted, DeleteError>| deleted.map(|deleted| (deleted.calls, deleted.files)).ok();
        let (store, dir, scope) = (&office.store, &office.recordings(), &office.tenant.scope);
        assert_eq!(gone(delete(store, dir, scope, call.id).await), Some((1, 2)));
        assert_eq!((office.words(&call).await, office.files(&call)), (None, 0));
        assert!(!trace.exists(), "what went over the wire goes with the call");
        assert_eq!(gone(delete(store, dir, scope, call.id).await), Some((0, 0)));
    }
}
