//! Reliable provisional answers (RFC 3262): ringing is said again until the caller confirms that it came.
//!
//! Only to callers who require it: whoever merely supports it hears the answer moments later anyway. Ours describe no
//! audio, so the final answer need not wait for the confirmation (3).

use crate::endpoint::Shared;
use base::limits;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// The first pause between two repetitions; each is twice as long as the one before. Over streams too: behind a proxy
/// there may be datagrams.
const REPEAT_MS: u64 = 500;
// A caller who has confirmed nothing in 64 such pauses would be refused. The owner decides sooner, and that ends it.
const _: () = assert!(limits::SIP_FRONT_MS_MAX < 64 * REPEAT_MS);

/// What callers have still to confirm, by dialog.
#[derive(Default)]
pub(crate) struct Unconfirmed(Mutex<HashMap<String, Said>>);

struct Said {
    /// The numbers of the answer and of the request that it answers.
    numbers: (u32, u32),
    confirmed: oneshot::Sender<()>,
}

impl Unconfirmed {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a confirmation. `false` when there is nothing that it confirms, or not any more.
    pub(crate) fn confirm(&self, dialog: &str, (rseq, cseq, method): (u32, u32, Method)) -> bool {
        let mut held = self.held();
        let is_it = held.get(dialog).is_some_and(|said| said.numbers == (rseq, cseq) && method == Method::Invite);
        if let Some(said) = is_it.then(|| held.remove(dialog)).flatten() {
            let _ = said.confirmed.send(()); // The call may have been answered meanwhile.
        }
        is_it
    }
}

/// Ringing that one caller has to confirm. As long as it is held a confirmation is taken, also after the final answer.
pub(crate) struct Reliable {
    shared: Arc<Shared>,
    dialog: String,
    rseq: u32,
}

/// When to say it again.
pub(crate) struct Repeats {
    confirmed: Option<oneshot::Receiver<()>>,
    pause: Duration,
    again: Instant,
}

impl Reliable {
    pub(crate) fn new(shared: &Arc<Shared>, dialog: &InviteDialog) -> Option<(Self, Repeats)> {
        let cseq = dialog.initial_request().cseq_header().ok()?.seq().ok()?;
        let mut random = [0; 4];
        let _ = aws_lc_rs::rand::fill(&mut random); // Any number will do.
        // Between one and 2³¹ - 1 (3), and so that nobody overflows who counts on from there.
        let rseq = u32::from_be_bytes(random) >> 2 | 1;
        let (confirmed, waits) = oneshot::channel();
        let dialog = dialog.id().to_string();
        shared.unconfirmed.held().insert(dialog.clone(), Said { numbers: (rseq, cseq), confirmed });
        let pause = Duration::from_millis(REPEAT_MS);
        let repeats = Repeats { confirmed: Some(waits), pause, again: Instant::now() + pause };
        Some((Self { shared: Arc::clone(shared), dialog, rseq }, repeats))
    }

    pub(crate) fn headers(&self) -> Vec<Header> {
        vec![Header::Require("100rel".into()), Header::RSeq(self.rseq.to_string().into())]
    }
}

impl Drop for Reliable {
    fn drop(&mut self) {
        self.shared.unconfirmed.held().remove(&self.dialog);
    }
}

impl Repeats {
    /// Returns when it is to be said again: never, once it is confirmed.
    pub(crate) async fn due(&mut self) {
        if let Some(confirmed) = &mut self.confirmed {
            tokio::select! {
                _ = confirmed => self.confirmed = None,
                () = sleep_until(self.again) => {
                    self.pause *= 2;
                    self.again += self.pause;
                    return;
                }
            }
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_until_it_is_confirmed() {
        let (confirm, waits) = oneshot::channel();
        let began = Instant::now();
        let pause = Duration::from_millis(REPEAT_MS);
        let mut repeats = Repeats { confirmed: Some(waits), pause, again: began + pause };
        for millis in [500, 1_500, 3_500, 7_500] {
            repeats.due().await;
            assert_eq!(began.elapsed(), Duration::from_millis(millis));
        }
        confirm.send(()).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(600), repeats.due()).await.is_err());
    }

    #[test]
    fn only_the_numbers_that_were_said_confirm_and_once() {
        let unconfirmed = Unconfirmed::default();
        let (confirmed, mut waits) = oneshot::channel();
        unconfirmed.held().insert("a".into(), Said { numbers: (7, 1), confirmed });
        for wrong in [(8, 1, Method::Invite), (7, 2, Method::Invite), (7, 1, Method::Update)] {
            assert!(!unconfirmed.confirm("a", wrong));
        }
        assert!(!unconfirmed.confirm("b", (7, 1, Method::Invite)));
        assert!(waits.try_recv().is_err());
        assert!(unconfirmed.confirm("a", (7, 1, Method::Invite)));
        assert_eq!(waits.try_recv(), Ok(()));
        assert!(!unconfirmed.confirm("a", (7, 1, Method::Invite)), "once");
    }
}
