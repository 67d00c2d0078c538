//! A timer that is kept: a call looks at the clock with every event, and mostly finds that nothing is due yet.

use std::future::pending;
use std::pin::Pin;
use tokio::time::{Instant, Sleep, sleep_until};

/// Goes off at the time for which it was set last. To put it off costs no lock; a new timer for each wait would take two.
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// Waits until then; for ever without a time. Dropping the future loses nothing.
    pub(super) async fn at(&mut self, when: Option<Instant>) {
        let Some(when) = when else { return pending().await };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(when)));
        if sleep.deadline() != when {
            sleep.as_mut().reset(when);
        }
        sleep.as_mut().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_when_it_was_set_for_last_and_again_when_it_is_asked_again() {
        let start = Instant::now();
        let after = |ms| Some(start + Duration::from_millis(ms));
        let mut alarm = Alarm::new();
        for (set_ms, then_ms) in [(50, 80), (200, 120)] {
            tokio::select! {
                biased;
                () = alarm.at(after(set_ms)) => panic!("nothing is due yet"),
                () = std::future::ready(()) => {}
            }
            alarm.at(after(then_ms)).await;
            assert_eq!(start.elapsed(), Duration::from_millis(then_ms), "later, and sooner");
        }
        alarm.at(after(120)).await;
        alarm.at(after(10)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(120), "what is past is due at once");
        let nothing = tokio::time::timeout(Duration::from_secs(3_600), alarm.at(None)).await;
        assert!(nothing.is_err(), "without a time it never goes off");
    }
}
