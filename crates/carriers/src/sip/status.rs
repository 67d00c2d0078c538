//! Answers of the SIP world as states of a call (RFC 3261, 21), with the telephone network's own reasons where a gateway
//! passes them on (`Reason: Q.850;cause=17`, RFC 3326 and ITU-T Q.850).

use model::call::CallState;

/// Whether we called the attempt off ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledOff {
    /// By us, before anybody picked up.
    ByUs,
    /// Not by us.
    No,
}

/// The state that an answer to our INVITE means. `cause` is of [`cause_of`].
pub fn state_of(status: u16, cause: Option<u16>, called_off: CalledOff) -> CallState {
    match (status, cause) {
        (100, _) => CallState::Initiated,
        (101..=199, _) => CallState::Ringing,
        (200..=299, _) => CallState::Answered,
        (487, _) if called_off == CalledOff::ByUs => CallState::Canceled,
        (_, Some(17)) => CallState::Busy,
        (_, Some(18..=20)) => CallState::NoAnswer,
        (486 | 600, _) => CallState::Busy,
        (408 | 480 | 487, _) => CallState::NoAnswer,
        _ => CallState::Failed,
    }
}

/// The cause in a Reason header.
pub fn cause_of(reason: &str) -> Option<u16> {
    // One header may hold reasons of several protocols, separated by commas.
    reason.split(',').find_map(|one| {
        let mut parts = one.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("q.850") {
            return None;
        }
        let cause = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("cause").then_some(value.trim())
        })?;
        cause.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_state() {
        let table = [
            (100, None, CallState::Initiated),
            (180, None, CallState::Ringing),
            (183, Some(17), CallState::Ringing),
            (200, None, CallState::Answered),
            (404, None, CallState::Failed),
            (408, None, CallState::NoAnswer),
            (480, None, CallState::NoAnswer),
            (480, Some(17), CallState::Busy),
            (480, Some(1), CallState::NoAnswer),
            (486, None, CallState::Busy),
            (487, None, CallState::NoAnswer),
            (488, None, CallState::Failed),
            (500, Some(19), CallState::NoAnswer),
            (503, None, CallState::Failed),
            (600, None, CallState::Busy),
            (603, None, CallState::Failed),
        ];
        for (status, cause, state) in table {
            assert_eq!(state_of(status, cause, CalledOff::No), state, "{status} {cause:?}");
        }
        assert_eq!(state_of(487, None, CalledOff::ByUs), CallState::Canceled);
        assert_eq!(state_of(486, None, CalledOff::ByUs), CallState::Busy, "it was busy before we called it off");
    }

    #[test]
    fn the_networks_cause_is_found_among_others() {
        assert_eq!(cause_of("Q.850;cause=16;text=\"Normal call clearing\""), Some(16));
        assert_eq!(cause_of("SIP;cause=200, q.850 ; cause = 17"), Some(17));
        assert_eq!(cause_of("SIP;cause=486"), None);
        assert_eq!(cause_of("Q.850;text=x"), None);
        assert_eq!(cause_of("Q.850;cause=99999999"), None);
        assert_eq!(cause_of(""), None);
    }
}
