//! Where callers are sent instead: the library's refusals carry our own contact, and a redirection must carry the other one.

use crate::trace::Tap;
use rsipstack::sip::prelude::HasHeaders;
use rsipstack::sip::{Header, SipMessage};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that are being answered with another address, by `Call-ID`. Each goes when its request is done with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved(Arc<Mutex<HashMap<String, String>>>);

/// Looks at every message: changes redirections, and shows it to whoever traces calls.
pub(crate) struct Inspector {
    pub(crate) moved: Moved,
    pub(crate) tap: Option<Tap>,
}

impl Moved {
    fn held(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redirections of this call carry this contact from now on.
    pub(crate) fn send_to(&self, call_ref: &str, contact: String) {
        self.held().insert(call_ref.to_owned(), contact);
    }

    pub(crate) fn forget(&self, call_ref: &str) {
        self.held().remove(call_ref);
    }

    fn redirected(&self, message: SipMessage) -> SipMessage {
        match message {
            SipMessage::Response(mut response) if response.status_code.code() == 302 => {
                let contact = crate::message::header(&response, "Call-ID").and_then(|id| self.held().get(&id).cloned());
                if let Some(contact) = contact {
                    response.headers_mut().retain(|header| !matches!(header, Header::Contact(_)));
                    response.headers_mut().push(Header::Contact(contact.into()));
                }
                SipMessage::Response(response)
            }
            other => other,
        }
    }
}

impl MessageInspector for Inspector {
    fn before_send(&self, message: SipMessage, to: Option<&SipAddr>) -> SipMessage {
        let message = self.moved.redirected(message);
        if let Some(tap) = &self.tap {
            tap.sends(&message, to);
        }
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        if let Some(tap) = &self.tap {
            tap.received(&message, from);
        }
        message
    }
}
