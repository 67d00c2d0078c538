//! What businesses want kept, and for how long: looked at by one worker for all of them, some time after each hour.

mod words;

use crate::recordings::Recordings;
use crate::retention::{self, Deleted};
use base::{Pii, limits};
use model::business::TenantScope;
use model::call::Call;
use model::journal::Record;
use model::privacy::{Privacy, Redaction};
use std::collections::BTreeSet;
use store::contract::Redacted;
use store::contract::office::ValueKind;
use store::{Store, StoreError};

pub use words::redacted;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Under which name the value is kept.
pub const NAME: &str = "privacy";
/// Calls that began longer ago than this are not redacted any more: whoever asks for it asks for the calls to come.
const REDACTED_BACK_MS: i64 = 3 * DAY_MS;

/// What one look did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls whose words went, with their recordings.
    pub deleted: Deleted,
    /// Calls whose recordings went.
    pub recordings: usize,
    /// Calls of which nobody knows any more who they were with.
    pub numbers: u64,
    /// Calls that were redacted.
    pub redacted: usize,
}

/// Does what each business wants.
///
/// # Errors
/// When the store does not answer. What was done until then is done, and the next look goes on.
pub async fn sweep_all(store: &dyn Store, recordings: &Recordings, now_ms: i64) -> Result<Swept, StoreError> {
    let (mut swept, mut after) = (Swept::default(), None);
    loop {
        let page = store.values_of_all(ValueKind::Privacy, after).await?;
        let Some((last, _)) = page.last() else { return Ok(swept) };
        after = Some(last.business);
        for (scope, value) in page {
            match serde_json::from_str::<Privacy>(&value.value) {
                Ok(wanted) => sweep(store, recordings, &scope, &wanted, now_ms, &mut swept).await?,
                Err(_) => tracing::error!(business = %scope.business, "what a business wants kept cannot be read"),
            }
        }
    }
}

async fn sweep(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    wanted: &Privacy,
    now_ms: i64,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let before = |days: u32| now_ms - i64::from(days) * DAY_MS;
    if let Some(days) = wanted.transcripts_days {
        swept.deleted += retention::sweep_business(store, recordings, scope, before(days), now_ms).await?;
    }
    if let Some(days) = wanted.recordings_days {
        swept.recordings += forget_recordings(store, recordings, scope, before(days)).await?;
    }
    if let Some(days) = wanted.numbers_days {
        for _ in 0..limits::PRUNE_STEPS_MAX {
            let forgotten = store.forget_numbers(scope, before(days)).await?;
            swept.numbers += forgotten;
            if forgotten == 0 {
                break;
            }
        }
    }
    if !wanted.redact.is_empty() {
        swept.redacted += redact(store, scope, &wanted.redact, now_ms).await?;
    }
    Ok(())
}

async fn forget_recordings(
    store: &dyn Store,
    recordings: &Recordings,
    scope: &TenantScope,
    before_ms: i64,
) -> Result<usize, StoreError> {
    let (mut done, mut after_ms) = (0, i64::MIN);
    while done < limits::CALLS_FORGOTTEN_PER_SWEEP_MAX {
        let due = store.recordings_to_forget(scope, after_ms, before_ms).await?;
        let Some((_, last_ms)) = due.last() else { break };
        after_ms = *last_ms;
        let calls: BTreeSet<_> = due.into_iter().map(|(call, _)| call).collect();
        for id in calls {
            let call = store.call(scope, id).await?;
            if call.ended_at_ms.is_none() {
                continue;
            }
            match retention::remove_files(store, recordings, scope, &call).await {
                Ok(_) => {
                    store.forget_recordings(scope, id).await?;
                    done += 1;
                }
                Err(retention::DeleteError::Store(error)) => return Err(error),
                Err(error) => tracing::error!(call = %id, %error, "a recording is past its time and stays"),
            }
        }
    }
    Ok(done)
}

async fn redact(
    store: &dyn Store,
    scope: &TenantScope,
    wanted: &[Redaction],
    now_ms: i64,
) -> Result<usize, StoreError> {
    let mut done = 0;
    while done < limits::CALLS_FORGOTTEN_PER_SWEEP_MAX {
        let due = store.calls_to_redact(scope, now_ms - REDACTED_BACK_MS).await?;
        if due.is_empty() {
            break;
        }
        for call in &due {
            let changed = changed_words(store, scope, call, wanted).await?;
            store.redact_call(scope, call.id, &changed, now_ms).await?;
            done += 1;
        }
    }
    Ok(done)
}

/// The entries and messages of a call whose words change.
async fn changed_words(
    store: &dyn Store,
    scope: &TenantScope,
    call: &Call,
    wanted: &[Redaction],
) -> Result<Redacted, StoreError> {
    let mut changed = Redacted::default();
    for record in store.journal(scope, call.id).await? {
        let entry = serde_json::to_value(&record.entry).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let masked = words::masked_entry(&entry, wanted);
        if masked != entry {
            let entry = serde_json::from_value(masked).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            changed.records.push(Record { entry, ..record });
        }
    }
    let mut after = 0;
    loop {
        let page = store.messages(scope, call.conversation, after).await?;
        let Some(last) = page.last() else { return Ok(changed) };
        after = last.seq;
        for message in page {
            let text = words::redacted(message.text.expose(), wanted);
            if text != *message.text.expose() {
                changed.messages.push((message.id, Pii::new(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{CallTime, JournalSeq, Secret};
    use model::journal::Entry;
    use std::collections::BTreeSet as Set;
    use store::laws::{Tenant, call_of, caller_turn, tenant};
    use store::objects::{ObjectPlace, Objects};
    use store::{CallUpdate, DataKey, Keyring, SqlStore, SqliteOptions, WriterId};

    struct Office {
        folder: tempfile::TempDir,
        store: SqlStore,
        recordings: Recordings,
        shop: Tenant,
        rival: Tenant,
    }

    impl Office {
        async fn open() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
            let key = DataKey::parse(&Secret::new("a".repeat(64))).expect("a key");
            let objects = Objects::open(&ObjectPlace::Memory, Keyring::new(key, Vec::new())).expect("opens");
            let recordings = Recordings::new(folder.path(), objects);
            let shop = tenant(&store, "shop", "+49405550170").await;
            let rival = tenant(&store, "rival", "+49405550171").await;
            Self { folder, store, recordings, shop, rival }
        }

        async fn wants(&self, privacy: &Privacy) {
            use store::contract::office::Office as _;
            let text = serde_json::to_string(privacy).expect("JSON");
            self.store.put_value(&self.shop.scope, ValueKind::Privacy, NAME, &text, None).await.expect("set");
        }

        /// A call with these words and a recording, over at this time.
        async fn call(&self, of: &Tenant, words: &str, at_ms: i64) -> Call {
            use store::{Calls as _, Inputs as _, Journal as _, Recordings as _};
            let call = call_of(of, at_ms);
            self.store.create_call(&of.scope, &call).await.expect("a call");
            let writer = WriterId::generate();
            let said = [caller_turn(1, words)];
            self.store.append(&of.scope, call.id, writer, JournalSeq(0), &said).await.expect("words");
            self.store.append_inputs(&of.scope, call.id, 0, &[words.to_owned()]).await.expect("inputs");
            let name = self.name(&call);
            std::fs::create_dir_all(self.folder.path().join(call.business.to_string())).expect("a folder");
            std::fs::write(self.folder.path().join(&name), "RIFF").expect("a file");
            self.store.add_recording(&of.scope, call.id, &name, at_ms).await.expect("noted");
            let end = CallUpdate { ended_at_ms: Some(at_ms), recording: Some(name), ..CallUpdate::default() };
            self.store.update_call(&of.scope, call.id, &end).await.expect("an end")
        }

        fn name(&self, call: &Call) -> String {
            format!("{}/{}.wav", call.business, call.id)
        }

        fn has_file(&self, call: &Call) -> bool {
            self.folder.path().join(self.name(call)).exists()
        }

        async fn words(&self, of: &Tenant, call: &Call) -> Vec<String> {
            use store::Journal as _;
            let records = self.store.journal(&of.scope, call.id).await.expect("a journal");
            let texts = records.iter().filter_map(|record| match &record.entry {
                Entry::CallerTurn { text, .. } => Some(text.expose().clone()),
                _ => None,
            });
            texts.collect()
        }

        async fn now(&self, of: &Tenant, call: &Call) -> Call {
            use store::Calls as _;
            self.store.call(&of.scope, call.id).await.expect("the row stays")
        }
    }

    #[tokio::test]
    async fn each_business_keeps_what_it_wants_for_as_long_as_it_wants() {
        let office = Office::open().await;
        let now_ms = 1_000 * DAY_MS;
        let days_ago = |days: i64| now_ms - days * DAY_MS;
        let (old, young) = (
            office.call(&office.shop, "hello", days_ago(11)).await,
            office.call(&office.shop, "hi", days_ago(6)).await,
        );
        let (oldest, theirs) = (
            office.call(&office.shop, "long ago", days_ago(31)).await,
            office.call(&office.rival, "theirs", days_ago(31)).await,
        );
        let wanted = Privacy {
            recordings_days: Some(5),
            transcripts_days: Some(30),
            numbers_days: Some(10),
            redact: Vec::new(),
        };
        office.wants(&wanted).await;
        let swept = sweep_all(&office.store, &office.recordings, now_ms).await.expect("swept");
        assert_eq!((swept.deleted.calls, swept.recordings, swept.numbers, swept.redacted), (1, 2, 2, 0), "{swept:?}");
        assert_eq!(office.words(&office.shop, &oldest).await, Vec::<String>::new());
        assert_eq!(
            (office.words(&office.shop, &old).await, office.words(&office.shop, &young).await.len()),
            (vec!["hello".to_owned()], 1)
        );
        assert!(!office.has_file(&oldest) && !office.has_file(&old) && !office.has_file(&young));
        let (old, young) = (office.now(&office.shop, &old).await, office.now(&office.shop, &young).await);
        assert_eq!((old.recording, old.customer.is_some()), (None, false));
        assert_eq!((young.recording, young.customer.is_some()), (None, true));
        let theirs_now = office.now(&office.rival, &theirs).await;
        assert!(office.has_file(&theirs) && theirs_now.customer.is_some() && theirs_now.recording.is_some());
        let again = sweep_all(&office.store, &office.recordings, now_ms).await.expect("swept");
        assert_eq!(again, Swept::default());
    }

    #[tokio::test]
    async fn numbers_and_addresses_go_out_of_the_words_once_a_call_is_over() {
        use store::{Conversations as _, Inputs as _};
        let office = Office::open().await;
        let now_ms = 1_000 * DAY_MS;
        let said = "My card is 4111 1111 1111 1111, write to mira at example dot com.";
        let call = office.call(&office.shop, said, now_ms - 1_000).await;
        let old = office.call(&office.shop, said, now_ms - 9 * DAY_MS).await;
        let theirs = office.call(&office.rival, said, now_ms - 1_000).await;
        office.wants(&Privacy { redact: vec![Redaction::Digits, Redaction::Emails], ..Privacy::default() }).await;
        let swept = sweep_all(&office.store, &office.recordings, now_ms).await.expect("swept");
        assert_eq!(swept.redacted, 1);
        let left = "My card is [digits], write to [email].";
        assert_eq!(office.words(&office.shop, &call).await, [left]);
        let messages = office.store.messages(&office.shop.scope, call.conversation, 0).await.expect("messages");
        let texts: Set<_> = messages.iter().map(|message| message.text.expose().as_str()).collect();
        assert_eq!(texts, Set::from([left]));
        assert_eq!(office.store.inputs(&office.shop.scope, call.id, 0).await, Ok(Vec::new()));
        assert_eq!(office.words(&office.shop, &old).await, [said], "what was before stays");
        assert_eq!(office.words(&office.rival, &theirs).await, [said]);
        assert!(office.has_file(&call) && messages[0].at >= CallTime(0));
        assert_eq!(sweep_all(&office.store, &office.recordings, now_ms).await.expect("swept"), Swept::default());
    }
}
