//! Our answer to a request for a call: said again until it is confirmed.

use crate::inbound::Asked;
use crate::message;
use crate::session::Session;
use carriers::sip::sdp::{self, Agreed, Local, SdpError};
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Transport};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first repetition of an answer that was not confirmed, and the longest pause between two (RFC 3261, 13.3.1.4).
const REPEAT_MS: u64 = 500;
const REPEAT_MS_MAX: u64 = 4_000;

/// What is answered to whoever calls.
pub(crate) struct Answer {
    headers: Vec<Header>,
    body: Vec<u8>,
    /// What their offer and this agree on; absent when this is the offer.
    pub(crate) agreed: Option<Agreed>,
    pub(crate) session: Option<Session>,
}

impl Answer {
    pub(crate) fn to(asked: &Asked, local: &Local) -> Result<Self, SdpError> {
        let (body, agreed) = match &asked.offer {
            Some(offer) => sdp::answer(offer, local).map(|(body, agreed)| (body, Some(agreed)))?,
            None => (sdp::offer(local), None),
        };
        let mut headers = message::answer_headers(true);
        let session = asked.session.map(|session| Session::answered(session, asked.knows_timers));
        if let Some((agreed, _)) = &session {
            headers.push(Header::SessionExpires(agreed.value().into()));
            if asked.knows_timers {
                headers.push(Header::Require("timer".into()));
            }
        }
        Ok(Self { headers, body: body.into_bytes(), agreed, session: session.map(|(_, session)| session) })
    }

    /// `false` when whoever asked has given up.
    pub(crate) fn say(&self, dialog: &InviteDialog) -> bool {
        dialog.accept(Some(self.headers.clone()), Some(self.body.clone())).is_ok()
    }

    /// Waits until the other side confirms it, repeating it meanwhile: over datagrams it may have been lost.
    pub(crate) async fn confirmed(
        &self,
        dialog: &InviteDialog,
        states: &mut DialogStateReceiver,
        transport: Transport,
    ) -> bool {
        let mut pause_ms = REPEAT_MS;
        let mut again = Instant::now() + Duration::from_millis(pause_ms);
        loop {
            tokio::select! {
                state = states.recv() => match state {
                    Some(DialogState::Confirmed(..)) => return true,
                    Some(DialogState::Terminated(..)) | None => return false,
                    Some(_) => {}
                },
                () = sleep_until(again), if transport == Transport::Udp => {
                    if matches!(dialog.state(), DialogState::WaitAck(..)) {
                        self.say(dialog); // Confirmed just now when it cannot be said.
                    }
                    pause_ms = (pause_ms * 2).min(REPEAT_MS_MAX);
                    again = Instant::now() + Duration::from_millis(pause_ms);
                }
            }
        }
    }
}
