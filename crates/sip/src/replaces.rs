//! Somebody takes another party's place in a call (RFC 3891): what a telephone system does to join those who have spoken
//! about a call, or for a colleague who picks up.
//!
//! The call goes on with its line to the owner, who is not asked. Audio moves to sockets and a key of its own, so that whoever
//! leaves neither hears the rest nor is heard in it.

use crate::answer::Answer;
use crate::call;
use crate::endpoint::{Command, Shared};
use crate::inbound::Asked;
use crate::session::Session;
use base::limits;
use carriers::sip::sdp::{Agreed, Local};
use rsipstack::dialog::DialogId;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Request, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Whoever takes a call over confirms our answer within this: three repetitions over datagrams. The call waits for it.
const CONFIRM_MS_MAX: u64 = 4_000;

/// Which dialog shall be replaced, by the names that it has for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaces {
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// Not when somebody has picked up already.
    is_early_only: bool,
}

impl Replaces {
    /// What a request wants replaced. More than one is a mistake (3), and so is what cannot be read.
    pub(crate) fn of(request: &Request) -> Result<Option<Self>, StatusCode> {
        let mut all = request.headers.iter().filter(|one| one.name().eq_ignore_ascii_case("Replaces"));
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(one), None) => Self::parse(one.value()).map(Some).ok_or(StatusCode::BadRequest),
            (Some(_), Some(_)) => Err(StatusCode::BadRequest),
        }
    }

    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut local_tag, mut remote_tag, mut is_early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=').map_or((part, ""), |(name, tag)| (name.trim(), tag.trim())) {
                (name, tag) if name.eq_ignore_ascii_case("to-tag") => local_tag = Some(tag.to_owned()),
                (name, tag) if name.eq_ignore_ascii_case("from-tag") => remote_tag = Some(tag.to_owned()),
                (name, _) if name.eq_ignore_ascii_case("early-only") => is_early_only = true,
                _ => {}
            }
        }
        Some(Self { call_id, local_tag: local_tag?, remote_tag: remote_tag?, is_early_only })
    }

    fn names(&self, id: &DialogId) -> bool {
        (&self.call_id, &self.local_tag, &self.remote_tag) == (&id.call_id, &id.local_tag, &id.remote_tag)
    }
}

/// Who asks to take a call over. Dropped undecided, it is told that the call is over.
pub(crate) struct Successor {
    shared: Arc<Shared>,
    asked: Asked,
    replaces: Replaces,
    dialog: InviteDialog,
    /// Taken when it is decided.
    states: Option<DialogStateReceiver>,
    ip: IpAddr,
    transport: rsipstack::sip::Transport,
}

/// Who has taken a call over, and what was agreed.
pub(crate) struct Taken {
    pub(crate) dialog: InviteDialog,
    pub(crate) states: DialogStateReceiver,
    pub(crate) sockets: (UdpSocket, UdpSocket),
    pub(crate) agreed: Agreed,
    pub(crate) local: Local,
    pub(crate) session: Option<Session>,
    pub(crate) takes_updates: bool,
}

/// Hands a request to the call that it wants to take over.
pub(crate) async fn ask(
    shared: Arc<Shared>,
    mut transaction: Transaction,
    asked: Asked,
    replaces: Replaces,
) -> rsipstack::Result<()> {
    let Ok(commands) = shared.command_of(&replaces.call_id) else {
        return transaction.reply(StatusCode::CallTransactionDoesNotExist).await;
    };
    let (dialog, states, ip, transport) = call::begin(&shared, &transaction, &asked)?;
    call::drive(&shared, &dialog, transaction);
    let successor = Successor { shared, asked, replaces, dialog, states: Some(states), ip, transport };
    let _ = commands.send(Command::Replace(Box::new(successor))).await; // The call may be over, and says so.
    Ok(())
}

impl Successor {
    /// Why it does not get this call, as the standard has it (3).
    pub(crate) fn refusal(&self, dialog: &DialogId, trunk: &str, is_early: bool) -> Option<StatusCode> {
        if !self.replaces.names(dialog) {
            return Some(StatusCode::CallTransactionDoesNotExist);
        }
        // Whoever knows the names of a dialog may still be nobody whom the call concerns.
        if self.asked.trunk.name != trunk {
            return Some(StatusCode::Forbidden);
        }
        (self.replaces.is_early_only && !is_early).then_some(StatusCode::BusyHere)
    }

    /// Refuses it; the call goes on as it was.
    pub(crate) fn refuse(mut self, status: StatusCode) {
        self.reject(status);
    }

    fn reject(&mut self, status: StatusCode) {
        if self.states.take().is_none() {
            return;
        }
        metrics::counter!("frontdesk_sip_refused_total", "status" => status.code().to_string()).increment(1);
        if let Err(error) = self.dialog.reject(Some(status), None) {
            tracing::debug!(%error, "a refusal was not sent");
        }
        self.shared.dialogs.remove_dialog(&self.dialog.id());
    }

    /// Answers it and waits until it confirms that. `None` when nothing came of it: the call goes on as it was.
    pub(crate) async fn take(mut self, call_ref: &str) -> Option<Taken> {
        let opened = call::open(&self.shared, &self.asked.trunk, self.asked.invite.source, self.ip);
        let Some((sockets, local)) = opened else {
            self.reject(StatusCode::TemporarilyUnavailable);
            return None;
        };
        let Ok(answer) = Answer::to(&self.asked, &local) else {
            self.reject(StatusCode::NotAcceptableHere);
            return None;
        };
        let mut states = self.states.take()?;
        self.shared.also(&self.asked.invite.call_ref, call_ref);
        let dialog = self.dialog.clone();
        let confirmed = timeout(Duration::from_millis(CONFIRM_MS_MAX), async {
            answer.say(&dialog) && answer.confirmed(&dialog, &mut states, self.transport).await
        });
        let agreed = match (confirmed.await, answer.agreed) {
            (Ok(true), Some(agreed)) => Some(agreed),
            (Ok(true), None) => call::agreed_by_confirmation(&dialog, &local).ok(),
            _ => None,
        };
        let Some(agreed) = agreed else {
            call::leave(&self.shared, dialog);
            return None;
        };
        self.tell_owner(call_ref);
        let (session, takes_updates) = (answer.session, self.asked.takes_updates);
        Some(Taken { dialog, states, sockets, agreed, local, session, takes_updates })
    }
}

impl Successor {
    /// The owner learns who is there now; the call does not wait for it.
    fn tell_owner(&self, call_ref: &str) {
        let (shared, by, call_ref) = (Arc::clone(&self.shared), self.asked.invite.clone(), call_ref.to_owned());
        tokio::spawn(async move {
            let told = shared.front.replaced(&call_ref, by);
            if timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), told).await.is_err() {
                tracing::warn!("that somebody else is in a call was not taken in in time");
            }
        });
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        self.reject(StatusCode::Decline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialog_is_named_from_our_side() {
        let replaces = Replaces::parse(" 425928@pc.example.org ; to-tag=7743;from-tag = 6472 ;early-only").unwrap();
        assert!(replaces.is_early_only);
        let id = |local: &str, remote: &str| DialogId {
            call_id: "425928@pc.example.org".into(),
            local_tag: local.into(),
            remote_tag: remote.into(),
        };
        assert!(replaces.names(&id("7743", "6472")));
        assert!(!replaces.names(&id("6472", "7743")));
        for broken in ["", ";to-tag=1;from-tag=2", "id;to-tag=1", "id;from-tag=1"] {
            assert_eq!(Replaces::parse(broken), None, "{broken}");
        }
    }
}
