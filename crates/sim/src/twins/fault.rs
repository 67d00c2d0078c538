//! What can go wrong with a service, the same words for every twin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One way in which a service fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset. At the start it is reset before a byte was exchanged.
    Refuse,
    /// The connection is accepted and nothing ever comes, not even an HTTP answer.
    BlackHole,
    /// An HTTP answer with this status. In the middle of a turn: an error inside the stream and a close.
    Status {
        /// Such as 401, 429 or 503.
        status: u16,
        /// Value of `Retry-After`, in seconds.
        retry_after_s: Option<u32>,
    },
    /// Everything comes this much later.
    Slow {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The connection ends without a goodbye.
    Cut,
    /// Bytes that no protocol allows.
    Garbage,
    /// The socket stays open, but nobody reads and nobody writes.
    HalfOpen,
    /// What we send is read, and nothing is ever answered.
    Silent,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When a connection or a request begins.
    Start,
    /// When the first part of an answer is out.
    MidTurn,
}

#[derive(Debug)]
struct Armed {
    /// `None` for every moment.
    moment: Option<Moment>,
    fault: Fault,
    /// How many times it still strikes; `None` for until it is cleared.
    times: Option<u32>,
}

/// The faults of one twin, switchable while it runs. Clones share the switch.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Option<Armed>>>);

impl Faults {
    /// Fails every time until [`Faults::clear`].
    pub fn set(&self, moment: Moment, fault: Fault) {
        *self.lock() = Some(Armed { moment: Some(moment), fault, times: None });
    }

    /// Fails at every moment until [`Faults::clear`]: what goes on now, and whatever is tried again.
    pub fn set_always(&self, fault: Fault) {
        *self.lock() = Some(Armed { moment: None, fault, times: None });
    }

    /// Fails this many times, then works again.
    pub fn set_times(&self, moment: Moment, fault: Fault, times: u32) {
        *self.lock() = Some(Armed { moment: Some(moment), fault, times: Some(times) });
    }

    /// Works from now on.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// The fault that strikes at this moment, if one does. Counts as one time.
    pub fn strike(&self, moment: Moment) -> Option<Fault> {
        self.strike_if(moment, |_| true)
    }

    pub(crate) fn strike_if(&self, moment: Moment, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut armed = self.lock();
        let current =
            armed.as_mut().filter(|armed| armed.moment.is_none_or(|at| at == moment) && fits(&armed.fault))?;
        let fault = current.fault.clone();
        if let Some(times) = current.times.as_mut() {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *armed = None;
            }
        }
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Armed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_strikes_so_often_and_at_its_moment_only() {
        let faults = Faults::default();
        faults.set_times(Moment::Start, Fault::Cut, 2);
        assert_eq!(faults.strike(Moment::MidTurn), None);
        assert_eq!(faults.strike_if(Moment::Start, |fault| *fault == Fault::Refuse), None);
        assert_eq!(faults.strike(Moment::Start), Some(Fault::Cut));
        assert_eq!(faults.strike(Moment::Start), Some(Fault::Cut));
        assert_eq!(faults.strike(Moment::Start), None);
        faults.set_always(Fault::Silent);
        assert_eq!(faults.strike(Moment::MidTurn), Some(Fault::Silent));
        assert_eq!(faults.strike(Moment::Start), Some(Fault::Silent));
    }
}
