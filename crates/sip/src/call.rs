//! One call: from its request to its end, whoever began it.

use crate::answer::Answer;
use crate::config::Trunk;
use crate::endpoint::{Command, CommandError, Place, Shared};
use crate::front::{Line, Next, Quality, Report, Verdict};
use crate::inbound::Asked;
use crate::leg::{Leg, LineEnd, Noticed, Order};
use crate::message::{self, header};
use crate::reliable::{Reliable, Repeats};
use crate::replaces::{Successor, Taken};
use crate::session::{Expires, Session};
use base::{Secret, limits};
use carriers::sip::sdp::{self, Agreed, Description, Flow, Key, Local, SdpError};
use model::call::CallState;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TransactionHandle};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Request, StatusCode, StatusCodeKind, Transport};
use rsipstack::transaction::transaction::Transaction;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

type Told = oneshot::Sender<Result<(), CommandError>>;

/// A call that has been agreed on.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) call_ref: String,
    pub(crate) trunk: Arc<Trunk>,
    pub(crate) dialog: InviteDialog,
    pub(crate) states: DialogStateReceiver,
    pub(crate) told: mpsc::Receiver<Command>,
    pub(crate) leg: Leg,
    pub(crate) local: Local,
    pub(crate) session: Option<(Session, Instant)>,
    pub(crate) takes_updates: bool,
    is_held: bool,
    /// The next confirmation carries the answer to an offer of ours.
    awaits_answer: bool,
    /// Since when a transfer is under way, and who wants to know how it ends.
    transfer: Option<(Instant, Told)>,
}

/// How a call ended.
enum Over {
    /// The other side said goodbye, or its dialog broke.
    Theirs,
    /// We say goodbye, with this reason.
    Ours(&'static str),
}

/// Answers a request for a call. Returns when the call is over.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    transaction: Transaction,
    asked: Asked,
    place: Place,
    told: mpsc::Receiver<Command>,
) -> rsipstack::Result<()> {
    let (dialog, states, ip, transport) = begin(&shared, &transaction, &asked)?;
    let call_ref = asked.invite.call_ref.clone();
    drive(&shared, &dialog, transaction);
    // Who requires a reliable answer to a request without an offer must get the offer in it (RFC 3262, 5): such a caller
    // hears no ringing.
    let is_reliable = asked.is_reliable_only && asked.offer.is_some();
    let (reliable, repeats) = is_reliable.then(|| Reliable::new(&shared, &dialog)).flatten().unzip();
    let ringing = Ringing { shared: Arc::clone(&shared), asked, dialog: dialog.clone(), states, told, ip, transport };
    let (state, quality) = Box::pin(ringing.run(reliable.as_ref(), repeats)).await;
    drop(reliable);
    shared.dialogs.remove_dialog(&dialog.id());
    drop(place);
    metrics::counter!("frontdesk_sip_calls_total", "direction" => "inbound", "state" => state.name()).increment(1);
    report(&shared, &call_ref, state, None, quality).await;
    Ok(())
}

/// Begins a dialog: with it what happens in it, where its peer reaches us, and how messages travel.
#[expect(clippy::result_large_err, reason = "the library's error")]
pub(crate) fn begin(
    shared: &Shared,
    transaction: &Transaction,
    asked: &Asked,
) -> rsipstack::Result<(InviteDialog, DialogStateReceiver, IpAddr, Transport)> {
    let transport = transaction.connection.as_ref().map_or(Transport::Udp, message::transport_of);
    let ip = shared.ip_towards(asked.invite.source);
    let user = asked.trunk.user.clone().unwrap_or_else(|| "frontdesk".to_owned());
    let contact = shared.contact(&user, ip, transport);
    let (changed, states) = shared.dialogs.new_dialog_state_channel();
    let dialog = shared.dialogs.get_or_create_server_invite(transaction, changed, None, Some(contact))?;
    Ok((dialog, states, ip, transport))
}

/// Has the request that begins a dialog answered with what the dialog says, and its repetitions for a while.
pub(crate) fn drive(shared: &Shared, dialog: &InviteDialog, mut transaction: Transaction) {
    let (mut driven, moved) = (dialog.clone(), shared.moved.clone());
    tokio::spawn(async move {
        if let Err(error) = driven.handle(&mut transaction).await {
            tracing::debug!(%error, "a call's first transaction ended");
        }
        moved.forget(driven.id().call_id.trim());
    });
}

struct Ringing {
    shared: Arc<Shared>,
    asked: Asked,
    dialog: InviteDialog,
    states: DialogStateReceiver,
    told: mpsc::Receiver<Command>,
    ip: IpAddr,
    transport: Transport,
}

impl Ringing {
    async fn run(mut self, reliable: Option<&Reliable>, repeats: Option<Repeats>) -> (CallState, Option<Quality>) {
        let token = match self.ring(reliable, repeats).await {
            Some(Verdict::Answer { token }) => token,
            Some(refusal) => return (self.refuse(&refusal), None),
            None => return (CallState::Canceled, None),
        };
        let Some((sockets, local)) = open(&self.shared, &self.asked.trunk, self.asked.invite.source, self.ip) else {
            tracing::error!("no port is free for the audio of a call");
            return (self.refuse(&Verdict::Unavailable), None);
        };
        match Answer::to(&self.asked, &local) {
            Ok(answer) => self.pick_up(sockets, local, answer, token).await,
            Err(error) => {
                tracing::info!(trunk = self.asked.trunk.name, %error, "a call's audio cannot be agreed on");
                (self.reject(StatusCode::NotAcceptableHere, CallState::Failed), None)
            }
        }
    }

    /// Rings until the owner has decided. `None` when the caller gives up before.
    async fn ring(&mut self, reliable: Option<&Reliable>, mut repeats: Option<Repeats>) -> Option<Verdict> {
        if reliable.is_some() || !self.asked.is_reliable_only {
            self.say_ringing(reliable);
        }
        let front = Arc::clone(&self.shared.front);
        let decided =
            timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), front.invited(self.asked.invite.clone()));
        tokio::pin!(decided);
        loop {
            tokio::select! {
                verdict = &mut decided => return Some(verdict.unwrap_or(Verdict::Unavailable)),
                () = terminated(&mut self.states) => return None,
                () = due(repeats.as_mut()) => self.say_ringing(reliable),
            }
        }
    }

    fn say_ringing(&self, reliable: Option<&Reliable>) {
        if let Err(error) = self.dialog.ringing(reliable.map(Reliable::headers), None) {
            tracing::debug!(%error, "ringing was not said");
        }
    }

    async fn pick_up(
        mut self,
        sockets: (UdpSocket, UdpSocket),
        mut local: Local,
        answer: Answer,
        token: String,
    ) -> (CallState, Option<Quality>) {
        if !answer.say(&self.dialog) {
            return (CallState::Canceled, None);
        }
        let tap = self.shared.leg_tap(&self.asked.invite.call_ref, self.ip);
        let leg = Leg::start(sockets, canonical_name(), tap, self.shared.identity.clone());
        let is_late = answer.agreed.is_none();
        if let Some(agreed) = answer.agreed.clone() {
            local.is_exchanged = agreed.exchange.is_some();
            let _ = leg.orders.send(Order::Agree(Box::new(agreed))).await; // Its task has just begun.
        }
        if !answer.confirmed(&self.dialog, &mut self.states, self.transport).await {
            return (CallState::Failed, Some(leg.stop().await));
        }
        let session = answer.session.map(|session| (session, Instant::now() + session.due()));
        let Self { shared, asked, dialog, states, told, .. } = self;
        let mut call = Call {
            call_ref: asked.invite.call_ref,
            trunk: asked.trunk,
            takes_updates: asked.takes_updates,
            is_held: false,
            awaits_answer: false,
            transfer: None,
            shared,
            dialog,
            states,
            told,
            leg,
            local,
            session,
        };
        if is_late && call.answer_came().await.is_err() {
            let _ = bye(&call.dialog, "SIP;cause=488;text=\"Not Acceptable Here\"").await;
            return (CallState::Failed, Some(call.leg.stop().await));
        }
        call.talk(Some(token)).await
    }

    fn refuse(&self, verdict: &Verdict) -> CallState {
        match verdict {
            Verdict::Busy => self.reject(StatusCode::BusyHere, CallState::Busy),
            Verdict::Moved { to } => {
                let contact = format!("<sip:{}@{}>", to.expose(), self.asked.trunk.host);
                self.shared.moved.send_to(&self.asked.invite.call_ref, contact);
                self.reject(StatusCode::MovedTemporarily, CallState::Completed)
            }
            Verdict::NoSuchNumber => self.reject(StatusCode::NotFound, CallState::Failed),
            Verdict::Declined => self.reject(StatusCode::Decline, CallState::Failed),
            Verdict::Unavailable | Verdict::Answer { .. } => {
                self.reject(StatusCode::TemporarilyUnavailable, CallState::Failed)
            }
        }
    }

    fn reject(&self, status: StatusCode, state: CallState) -> CallState {
        metrics::counter!("frontdesk_sip_refused_total", "status" => status.code().to_string()).increment(1);
        if let Err(error) = self.dialog.reject(Some(status), None) {
            tracing::debug!(%error, "a refusal was not sent");
        }
        state
    }
}

impl Call {
    pub(crate) fn placed(
        shared: Arc<Shared>,
        call_ref: String,
        trunk: Arc<Trunk>,
        (dialog, states): (InviteDialog, DialogStateReceiver),
        told: mpsc::Receiver<Command>,
        (leg, local): (Leg, Local),
        (session, takes_updates): (Option<Session>, bool),
    ) -> Self {
        let session = session.map(|session| (session, Instant::now() + session.due()));
        let (is_held, awaits_answer, transfer) = (false, false, None);
        Self {
            shared,
            call_ref,
            trunk,
            dialog,
            states,
            told,
            leg,
            local,
            session,
            takes_updates,
            is_held,
            awaits_answer,
            transfer,
        }
    }

    /// The call, from the moment when both sides can hear each other.
    pub(crate) async fn talk(mut self, token: Option<String>) -> (CallState, Option<Quality>) {
        let token = match token {
            Some(token) => Some(token),
            None => self.ask_token().await,
        };
        let over = match token {
            Some(token) => {
                // The line first: a report is written down, and the caller should not wait for that.
                self.connect(&token).await;
                self.report(CallState::Answered).await;
                self.converse().await
            }
            None => Over::Ours("Q.850;cause=16"),
        };
        if let Over::Ours(reason) = over {
            self.say_goodbye(reason).await;
        }
        // Who agreed to be sent elsewhere and then leaves has gone there: not everybody reports on it first.
        self.transferred(if matches!(over, Over::Theirs) { Ok(()) } else { Err(CommandError::NoCall) });
        // It may be another one than the call began with.
        self.shared.dialogs.remove_dialog(&self.dialog.id());
        let quality = self.leg.stop().await;
        if let Some(mos) = quality.mos {
            metrics::histogram!("frontdesk_sip_mos").record(mos);
        }
        (CallState::Completed, Some(quality))
    }

    async fn ask_token(&self) -> Option<String> {
        let asked = self.shared.front.picked_up(&self.call_ref);
        timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), asked).await.ok().flatten()
    }

    /// Gives the owner a line to the leg.
    async fn connect(&self, token: &str) {
        let (to_host, from_leg) = mpsc::channel(limits::SIP_LINE_MESSAGES_MAX);
        let (to_leg, from_host) = mpsc::channel(limits::SIP_LINE_MESSAGES_MAX);
        let (token, call_ref) = (token.to_owned(), self.call_ref.clone());
        let attach = Order::Attach(Box::new(LineEnd { token, call_ref, to_host, from_host }));
        if self.leg.orders.send(attach).await.is_err() {
            return;
        }
        let told = self.shared.front.connected(&self.call_ref, Line { from_leg, to_leg });
        if timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), told).await.is_err() {
            tracing::warn!("the owner of a call did not take its line in time");
        }
    }

    async fn converse(&mut self) -> Over {
        loop {
            let far = Instant::now() + Duration::from_secs(86_400);
            let due = self.session.map_or(far, |(_, due)| due);
            let transfer_due = self.transfer.as_ref().map_or(far, |(due, _)| *due);
            let over = tokio::select! {
                state = self.states.recv() => self.state(state).await,
                command = self.told.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => Some(Over::Ours("Q.850;cause=31")),
                },
                noticed = self.leg.noticed.recv() => match noticed {
                    Some(Noticed::LineClosed) => self.go_on().await,
                    Some(Noticed::Silent) => Some(Over::Ours("SIP;cause=200;text=\"No audio\"")),
                    None => Some(Over::Ours("Q.850;cause=41;text=\"Audio broke\"")),
                },
                () = sleep_until(due) => self.refresh().await,
                () = sleep_until(transfer_due) => {
                    self.transferred(Err(CommandError::Timeout));
                    None
                }
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    /// What the other side did.
    async fn state(&mut self, state: Option<DialogState>) -> Option<Over> {
        match state {
            None | Some(DialogState::Terminated(..)) => return Some(Over::Theirs),
            Some(DialogState::Confirmed(..)) if self.awaits_answer => {
                self.awaits_answer = false;
                if let Err(error) = self.answer_came().await {
                    tracing::info!(%error, "the answer to an offer cannot be used; audio stays as it was");
                }
            }
            Some(DialogState::Updated(_, request, handle)) => self.changed(&request, handle).await,
            Some(DialogState::Info(_, request, handle)) => {
                let kind = header(&request, "Content-Type").unwrap_or_default();
                if let Some(key) = message::key_of_info(&kind, &request.body) {
                    let _ = self.leg.orders.send(Order::Heard(key)).await; // The leg may be ending.
                }
                let _ = handle.reply(StatusCode::OK).await; // Who asked may be gone, here and below.
            }
            Some(DialogState::Options(_, _, handle)) => {
                let _ = handle.respond(StatusCode::OK, Some(message::answer_headers(false)), None).await;
            }
            Some(DialogState::Notify(_, request, handle)) => {
                let _ = handle.reply(StatusCode::OK).await;
                if let Some((status, true)) = message::transfer_progress(&request) {
                    let is_done = (200..300).contains(&status);
                    self.transferred(if is_done { Ok(()) } else { Err(CommandError::Refused(status)) });
                    if is_done {
                        return Some(Over::Ours("Q.850;cause=16"));
                    }
                }
            }
            Some(DialogState::Message(_, _, handle)) => {
                let _ = handle.reply(StatusCode::OK).await;
            }
            // Whom the agent talks to is the business's to decide, not the caller's.
            Some(DialogState::Refer(_, _, handle)) => {
                let _ = handle.reply(StatusCode::Decline).await;
            }
            Some(_) => {}
        }
        None
    }

    /// A new offer within the call: hold, its end, another codec, another address, or a refresh that changes nothing.
    async fn changed(&mut self, request: &Request, handle: TransactionHandle) {
        let asked = header(request, "Session-Expires").and_then(|value| Expires::parse(&value));
        let mut headers = Vec::new();
        if let Some(asked) = asked {
            let (agreed, session) = Session::answered(asked, message::lists(request, "Supported", "timer"));
            headers.push(Header::SessionExpires(agreed.value().into()));
            self.session = Some((session, Instant::now() + session.due()));
        } else if let Some((session, due)) = &mut self.session {
            *due = Instant::now() + session.due();
        }
        let is_update = request.method == rsipstack::sip::Method::Update;
        headers.extend(message::answer_headers(!(is_update && request.body.is_empty())));
        let (status, body) = if !request.body.is_empty() {
            match self.renegotiate(&request.body).await {
                Ok(body) => (StatusCode::OK, Some(body)),
                Err(SdpError::Malformed) => (StatusCode::BadRequest, None),
                Err(_) => (StatusCode::NotAcceptableHere, None),
            }
        } else if is_update {
            (StatusCode::OK, None)
        } else {
            self.awaits_answer = true;
            (StatusCode::OK, Some(sdp::offer(&self.local)))
        };
        let headers = (status == StatusCode::OK).then_some(headers);
        let _ = handle.respond(status, headers, body.map(String::into_bytes)).await; // Who asked may be gone.
    }

    async fn renegotiate(&mut self, body: &[u8]) -> Result<String, SdpError> {
        let offer = sdp::read(body)?;
        let local = Local { version: self.local.version + 1, ..self.local.clone() };
        let (body, agreed) = sdp::answer(&offer, &local)?;
        self.local = local;
        self.agree(agreed).await;
        Ok(body)
    }

    async fn agree(&mut self, agreed: Agreed) {
        self.local.is_exchanged = agreed.exchange.is_some();
        let is_held = !agreed.sends;
        let _ = self.leg.orders.send(Order::Agree(Box::new(agreed))).await; // The leg may be ending.
        if is_held != self.is_held {
            self.is_held = is_held;
            self.report(if is_held { CallState::Paused } else { CallState::Active }).await;
        }
    }

    /// The confirmation of an answer in which we offered carries what was agreed on.
    async fn answer_came(&mut self) -> Result<(), SdpError> {
        let agreed = agreed_by_confirmation(&self.dialog, &self.local)?;
        self.agree(agreed).await;
        Ok(())
    }

    async fn command(&mut self, command: Command) -> Option<Over> {
        match command {
            Command::HangUp => return Some(Over::Ours("Q.850;cause=16")),
            Command::Transfer { to, done } => self.refer(&to, done).await,
            Command::Replace(by) => self.replaced(*by).await,
        }
        None
    }

    /// The owner has closed the line: it says how the call goes on.
    async fn go_on(&mut self) -> Option<Over> {
        let asked = self.shared.front.line_ended(&self.call_ref);
        let next = timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), asked).await.unwrap_or(Next::HangUp);
        match next {
            Next::HangUp => return Some(Over::Ours("Q.850;cause=16")),
            Next::Connect { token } => self.connect(&token).await,
        }
        None
    }

    /// Somebody takes the other side's place. The audio of both is apart, the line stays.
    async fn replaced(&mut self, by: Successor) {
        if let Some(status) = by.refusal(&self.dialog.id(), &self.trunk.name, false) {
            return by.refuse(status);
        }
        let Some(taken) = by.take(&self.call_ref).await else { return };
        tracing::info!(trunk = self.trunk.name, "somebody took the other side's place in a call");
        let Taken { dialog, states, sockets, agreed, local, session, takes_updates } = taken;
        leave(&self.shared, std::mem::replace(&mut self.dialog, dialog));
        (self.states, self.local, self.takes_updates, self.awaits_answer) = (states, local, takes_updates, false);
        self.session = session.map(|session| (session, Instant::now() + session.due()));
        // Who was to be transferred is gone.
        self.transferred(Err(CommandError::NoCall));
        let _ = self.leg.orders.send(Order::Move(Box::new(sockets))).await; // The leg may be ending.
        self.agree(agreed).await;
    }

    /// Asks the other side to call somebody else instead of us.
    async fn refer(&mut self, to: &str, done: Told) {
        let target = if to.contains(':') { format!("<{to}>") } else { format!("<sip:{to}@{}>", self.trunk.host) };
        let due = Instant::now() + Duration::from_millis(limits::SIP_TRANSFER_MS_MAX);
        let result = match timeout_at(due, self.dialog.refer(target, None, None)).await {
            Ok(Ok(Some(response))) if response.status_code.kind() == StatusCodeKind::Successful => {
                self.transfer = Some((due, done));
                return;
            }
            Ok(Ok(Some(response))) => Err(CommandError::Refused(response.status_code.code())),
            Ok(Ok(None)) | Ok(Err(_)) => Err(CommandError::NoCall),
            Err(_elapsed) => Err(CommandError::Timeout),
        };
        tracing::info!(trunk = self.trunk.name, ?result, "a transfer was refused");
        let _ = done.send(result); // Who asked may have given up.
    }

    fn transferred(&mut self, result: Result<(), CommandError>) {
        if let Some((_, done)) = self.transfer.take() {
            let _ = done.send(result); // Who asked may have given up.
        }
    }

    /// The session's timer is due: refresh it, or find that the other side has not.
    async fn refresh(&mut self) -> Option<Over> {
        let (session, _) = self.session?;
        if !session.refreshes() {
            return Some(Over::Ours("SIP;cause=408;text=\"Session expired\""));
        }
        // Whoever sends the refresh is its client, whoever began the call.
        let seconds = session.due().as_secs() * 2;
        let mut headers =
            vec![Header::SessionExpires(format!("{seconds};refresher=uac").into()), Header::Supported("timer".into())];
        let wait = Duration::from_millis(limits::SIP_REQUEST_MS_MAX);
        let answered = if self.takes_updates {
            timeout(wait, self.dialog.update(Some(headers), None)).await
        } else {
            headers.push(Header::ContentType("application/sdp".into()));
            let body = sdp::offer(&self.local).into_bytes();
            timeout(wait, self.dialog.reinvite(Some(headers), Some(body))).await
        };
        let status = match answered {
            Ok(Ok(Some(response))) => response.status_code.code(),
            _ => 408,
        };
        self.session = Some((session, Instant::now() + session.due()));
        // Only these say that the other side knows no such call any more (RFC 4028, 10).
        matches!(status, 408 | 481).then_some(Over::Ours("SIP;cause=408;text=\"Session expired\""))
    }

    async fn say_goodbye(&self, reason: &'static str) {
        if bye(&self.dialog, reason).await.is_err() {
            tracing::debug!("a goodbye was not answered");
        }
    }

    async fn report(&self, state: CallState) {
        report(&self.shared, &self.call_ref, state, None, None).await;
    }
}

/// Says goodbye in a dialog.
pub(crate) async fn bye(dialog: &InviteDialog, reason: &'static str) -> Result<(), CommandError> {
    let said = dialog.hangup_with_reason(reason.to_owned());
    match timeout(Duration::from_millis(limits::SIP_REQUEST_MS_MAX), said).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(CommandError::NoCall),
        Err(_elapsed) => Err(CommandError::Timeout),
    }
}

/// Leaves a dialog whose place another one has taken; nobody waits for that.
pub(crate) fn leave(shared: &Arc<Shared>, dialog: InviteDialog) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if bye(&dialog, "SIP;cause=200;text=\"Replaced\"").await.is_err() {
            tracing::debug!("a goodbye was not answered");
        }
        shared.dialogs.remove_dialog(&dialog.id());
    });
}

/// Waits until ringing is to be said again.
async fn due(repeats: Option<&mut Repeats>) {
    match repeats {
        Some(repeats) => repeats.due().await,
        None => std::future::pending().await,
    }
}

/// Waits until a call that rings is called off.
async fn terminated(states: &mut DialogStateReceiver) {
    while let Some(state) = states.recv().await {
        if matches!(state, DialogState::Terminated(..)) {
            return;
        }
    }
}

/// Sockets for a call's audio, and what to say about them.
pub(crate) fn open(
    shared: &Shared,
    trunk: &Trunk,
    peer: IpAddr,
    ip: IpAddr,
) -> Option<((UdpSocket, UdpSocket), Local)> {
    let sockets = shared.ports.bind(shared.bind_ip(peer))?;
    let port = sockets.0.local_addr().ok()?.port();
    let mut random = [0; 38];
    // The key protects the call: without random numbers there is no call.
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let (session, key) = random.split_at(8);
    let local = Local {
        address: SocketAddr::new(ip, port),
        // Some peers read it as a signed number.
        session: u64::from_be_bytes(session.try_into().ok()?) >> 2,
        version: 1,
        codecs: trunk.codecs.clone(),
        preference: trunk.preference,
        protection: trunk.protection,
        key: Key(Secret::new(key.to_vec())),
        flow: Flow::Both,
        identity: shared.identity.as_ref().and_then(|identity| identity.for_call()),
        is_exchanged: false,
    };
    Some((sockets, local))
}

/// The name under which a call's reports come: random, so that reports of two calls cannot be put together (RFC 7022).
pub(crate) fn canonical_name() -> String {
    let mut random = [0; 8];
    let _ = aws_lc_rs::rand::fill(&mut random); // Any name will do.
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}@frontdesk")
}

/// Tells the owner, within a deadline.
pub(crate) async fn report(
    shared: &Shared,
    call_ref: &str,
    state: CallState,
    status: Option<u16>,
    quality: Option<Quality>,
) {
    let told = shared.front.reported(Report { call_ref: call_ref.to_owned(), state, status, quality });
    if timeout(Duration::from_millis(limits::SIP_FRONT_MS_MAX), told).await.is_err() {
        tracing::warn!("the owner of a call did not take a report in time");
    }
}

/// What was agreed by the confirmation of our offer.
pub(crate) fn agreed_by_confirmation(dialog: &InviteDialog, local: &Local) -> Result<Agreed, SdpError> {
    agreed_by(&dialog.last_remote_ack().map(|ack| ack.body).unwrap_or_default(), local)
}

/// What was agreed by an answer in a message.
pub(crate) fn agreed_by(body: &[u8], local: &Local) -> Result<Agreed, SdpError> {
    let answer: Description = sdp::read(body)?;
    sdp::accept(&answer, local)
}
