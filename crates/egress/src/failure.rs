//! The failures of a way out, in words that hold no credential, and for a business no hint at our network.

use crate::address::Checked;
use base::{ErrorClass, Failure, Millis};
use std::error::Error;

/// All that a business learns about an address that cannot be reached, whatever the reason.
const UNREACHABLE: &str = "the address cannot be reached";

pub(crate) fn invalid(detail: impl Into<String>) -> Failure {
    Failure::new(ErrorClass::Invalid, detail)
}

pub(crate) fn protocol(detail: impl Into<String>) -> Failure {
    Failure::new(ErrorClass::Protocol, detail)
}

pub(crate) fn unreachable(checked: Checked, detail: impl Into<String>) -> Failure {
    let detail = if checked == Checked::Public { UNREACHABLE.into() } else { detail.into() };
    Failure::new(ErrorClass::Unavailable, detail)
}

/// A deadline passed. Before a connection stands, a business cannot tell that from an address that is closed.
pub(crate) fn timeout(checked: Checked, what: &str, deadline: Millis) -> Failure {
    if checked == Checked::Public {
        return unreachable(checked, "");
    }
    late(what, deadline)
}

pub(crate) fn late(what: &str, deadline: Millis) -> Failure {
    Failure::new(ErrorClass::Timeout, format!("{what} took longer than {deadline}"))
}

/// The innermost cause of an error: what the operating system or TLS said. The layers above repeat URLs.
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The failure a resolver wrapped into an error, if it is one of ours.
pub(crate) fn wrapped(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure.clone());
        }
        cause = error.source();
    }
    None
}
