//! Calls that we place.

use crate::call::{self, Call};
use crate::config::Trunk;
use crate::endpoint::{Command, NoPlace, Place, Shared, library_transport};
use crate::front::Quality;
use crate::leg::{Leg, Order};
use crate::message::{self, header};
use crate::replaces::{Successor, Taken};
use crate::session::{Expires, SESSION_SECS, SESSION_SECS_MIN, Session};
use base::{Pii, limits};
use carriers::sip::sdp::{self, Local};
use carriers::sip::status::{CalledOff, cause_of, state_of};
use model::call::CallState;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver};
use rsipstack::dialog::invitation::{InviteAsyncResult, InviteOption};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Response, StatusCode, Uri};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct DialPlan {
    /// Names the call from now on: its Call-ID. It must be new, and is best random.
    pub call_ref: String,
    /// Over which trunks, the preferred one first. One that does not answer when it is asked whether it is there comes last.
    pub trunks: Vec<String>,
    /// Whom to call.
    pub to: Pii<String>,
    /// Our number.
    pub from: String,
    /// How long to let it ring.
    pub ring: Duration,
    /// Headers to send along.
    pub headers: Vec<(String, String)>,
}

/// Why a call was certainly not placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// There is no such trunk.
    #[error("there is no such trunk")]
    NoTrunk,
    /// All lines are taken.
    #[error("all lines are taken")]
    Full,
    /// The trunk's host has no address, or no port is free.
    #[error("the trunk cannot be reached: {0}")]
    Unreachable(&'static str),
    /// A number, a name or a header that cannot be written into a message.
    #[error("this cannot be written into a request")]
    Unwritable,
    /// The library refuses.
    #[error("the request was not sent: {0}")]
    Stack(String),
}

/// A call on its way.
struct Attempt {
    shared: Arc<Shared>,
    call_ref: String,
    trunk: Arc<Trunk>,
    options: InviteOption,
    local: Local,
    ring: Duration,
}

/// An attempt that is out, and where its audio will go.
type Way = (Attempt, Placed, (UdpSocket, UdpSocket));

pub(crate) async fn dial(shared: &Arc<Shared>, plan: DialPlan) -> Result<(), DialError> {
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"@;".contains(&byte));
    let has_plain_headers =
        plan.headers.iter().all(|(name, value)| is_plain(name) && !value.chars().any(char::is_control));
    if !is_plain(plan.to.expose()) || !is_plain(&plan.from) || !is_plain(&plan.call_ref) || !has_plain_headers {
        return Err(DialError::Unwritable);
    }
    let mut trunks: Vec<_> = plan.trunks.iter().filter_map(|name| shared.guard.trunk(name)).collect();
    trunks.sort_by_key(|trunk| !shared.health.is_up(&trunk.name));
    let mut trunks = VecDeque::from(trunks);
    let (commands, told) = mpsc::channel(limits::SIP_ORDERS_MAX);
    let place = shared.place(&plan.call_ref, commands).map_err(|no_place| match no_place {
        NoPlace::Full | NoPlace::Merged => DialError::Full,
    })?;
    let way = next_way(shared, &plan, &mut trunks).await?;
    tokio::spawn(run(plan, way, trunks, told, place));
    Ok(())
}

/// Over the next trunk on which the request can be sent.
async fn next_way(shared: &Arc<Shared>, plan: &DialPlan, trunks: &mut VecDeque<Arc<Trunk>>) -> Result<Way, DialError> {
    let mut last = DialError::NoTrunk;
    while let Some(trunk) = trunks.pop_front() {
        match over(shared, plan, trunk).await {
            Ok(way) => return Ok(way),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn over(shared: &Arc<Shared>, plan: &DialPlan, trunk: Arc<Trunk>) -> Result<Way, DialError> {
    if trunk.transport.is_theirs() {
        return Err(DialError::Unreachable("over WebSockets it can only call us"));
    }
    let peer = match shared.guard.address_of(&trunk.name) {
        Some(ip) => ip,
        None => resolve(&trunk).await.ok_or(DialError::Unreachable("its host has no address"))?,
    };
    let ip = shared.ip_towards(peer);
    let (sockets, local) = call::open(shared, &trunk, peer, ip).ok_or(DialError::Unreachable("no port is free"))?;
    let call_ref = plan.call_ref.clone();
    let options = options(shared, &trunk, plan, ip, &call_ref, &local)?;
    let attempt = Attempt { shared: Arc::clone(shared), call_ref, trunk, options, local, ring: plan.ring };
    let placed = attempt.place()?;
    Ok((attempt, placed, sockets))
}

fn options(
    shared: &Shared,
    trunk: &Trunk,
    plan: &DialPlan,
    ip: IpAddr,
    call_ref: &str,
    local: &Local,
) -> Result<InviteOption, DialError> {
    let transport = trunk.transport.parameter();
    let uri = |text: String| Uri::try_from(text).map_err(|_| DialError::Unwritable);
    let host = &trunk.host;
    let user = trunk.user.as_deref().unwrap_or(&plan.from);
    let mut headers = vec![
        Header::Allow(message::ALLOW.into()),
        Header::Supported("timer, replaces".into()),
        Header::SessionExpires(SESSION_SECS.to_string().into()),
        Header::MinSE(SESSION_SECS_MIN.to_string().into()),
        Header::PAssertedIdentity(format!("<sip:{}@{host}>", plan.from).into()),
    ];
    headers.extend(plan.headers.iter().map(|(name, value)| Header::Other(name.clone(), value.clone())));
    Ok(InviteOption {
        caller: uri(format!("sip:{}@{host}", plan.from))?,
        callee: uri(format!("sip:{}@{host}{transport}", plan.to.expose()))?,
        contact: shared.contact(user, ip, library_transport(trunk.transport)),
        credential: credential(trunk),
        offer: Some(sdp::offer(local).into_bytes()),
        headers: Some(headers),
        support_prack: true,
        call_id: Some(call_ref.to_owned()),
        ..InviteOption::default()
    })
}

pub(crate) fn credential(trunk: &Trunk) -> Option<Credential> {
    let (user, password) = (trunk.user.clone()?, trunk.password.as_ref()?);
    Some(Credential { username: user, password: password.expose().clone(), ..Credential::default() })
}

/// A request that is out.
struct Placed {
    dialog: InviteDialog,
    states: DialogStateReceiver,
    outcome: JoinHandle<InviteAsyncResult>,
    is_ringing: bool,
}

impl Attempt {
    fn place(&self) -> Result<Placed, DialError> {
        let (changed, states) = self.shared.dialogs.new_dialog_state_channel();
        let placed = self.shared.dialogs.do_invite_async(self.options.clone(), changed);
        let (dialog, outcome) = placed.map_err(|error| DialError::Stack(error.to_string()))?;
        Ok(Placed { dialog, states, outcome, is_ringing: false })
    }
}

/// What came of an attempt.
enum Came {
    /// Somebody picked up.
    PickedUp(Box<Response>),
    /// Nobody did.
    Over(CallState, Option<u16>),
    /// Somebody else at the other end took the call from where it rang.
    TakenOver(Box<Taken>),
    /// The trunk wants a longer session than we asked for.
    Again(u32),
}

async fn run(
    plan: DialPlan,
    (mut attempt, mut placed, mut sockets): Way,
    mut trunks: VecDeque<Arc<Trunk>>,
    mut told: mpsc::Receiver<Command>,
    place: Place,
) {
    let shared = Arc::clone(&attempt.shared);
    let came = loop {
        let came = wait(&attempt, &mut placed, &mut told).await;
        match came {
            Came::Again(seconds) => match attempt.longer(seconds) {
                Ok(again) => placed = again,
                Err(_) => break Came::Over(CallState::Failed, Some(422)),
            },
            // Who has no room has certainly not called anybody; any other silence or refusal might mean a phone that rings.
            Came::Over(_, Some(503)) if !placed.is_ringing => match next_way(&shared, &plan, &mut trunks).await {
                Ok(next) => {
                    tracing::info!(
                        trunk = attempt.trunk.name,
                        next = next.0.trunk.name,
                        "a call goes over another trunk"
                    );
                    (attempt, placed, sockets) = next;
                }
                Err(_) => break came,
            },
            other => break other,
        }
    };
    let (state, status, quality) = match came {
        Came::PickedUp(response) => {
            let (state, quality) = Box::pin(picked_up(attempt, placed, sockets, told, &response)).await;
            (state, None, quality)
        }
        Came::TakenOver(taken) => {
            let (state, quality) = Box::pin(taken_over(attempt, placed, told, *taken)).await;
            (state, None, quality)
        }
        Came::Over(state, status) => (state, status, None),
        Came::Again(_) => (CallState::Failed, Some(422), None),
    };
    drop(place);
    metrics::counter!("frontdesk_sip_calls_total", "direction" => "outbound", "state" => state.name()).increment(1);
    call::report(&shared, &plan.call_ref, state, status, quality).await;
}

impl Attempt {
    fn longer(&mut self, seconds: u32) -> Result<Placed, DialError> {
        if let Some(headers) = &mut self.options.headers {
            headers.retain(|one| !matches!(one, Header::SessionExpires(_) | Header::MinSE(_)));
            headers.push(Header::SessionExpires(seconds.to_string().into()));
            headers.push(Header::MinSE(seconds.to_string().into()));
        }
        self.place()
    }

    /// Somebody wants the call that rings elsewhere.
    async fn taken(&self, placed: &Placed, by: Successor) -> Option<Taken> {
        let refusal = by.refusal(&placed.dialog.id(), &self.trunk.name, true);
        match refusal.or((!placed.is_ringing).then_some(StatusCode::CallTransactionDoesNotExist)) {
            Some(status) => {
                by.refuse(status);
                None
            }
            None => by.take(&self.call_ref).await,
        }
    }
}

/// Waits until somebody picks up or nobody will.
async fn wait(attempt: &Attempt, placed: &mut Placed, told: &mut mpsc::Receiver<Command>) -> Came {
    let mut called_off = CalledOff::No;
    let mut due = Instant::now() + attempt.ring;
    loop {
        let calls_off = tokio::select! {
            state = placed.states.recv() => match state {
                Some(DialogState::Early(_, response)) => {
                    if !std::mem::replace(&mut placed.is_ringing, true) {
                        let status = Some(response.status_code.code());
                        call::report(&attempt.shared, &attempt.call_ref, CallState::Ringing, status, None).await;
                    }
                    false
                }
                Some(DialogState::Confirmed(_, response)) => return Came::PickedUp(Box::new(response)),
                Some(DialogState::Terminated(..)) | None => return refused(attempt, placed, called_off).await,
                Some(_) => false,
            },
            command = told.recv() => match command {
                Some(Command::Replace(by)) => match attempt.taken(placed, *by).await {
                    Some(taken) => return Came::TakenOver(Box::new(taken)),
                    None => false,
                },
                Some(Command::Transfer { .. }) => false,
                Some(Command::HangUp) | None => true,
            },
            () = sleep_until(due) => {
                // A trunk that does not even answer a request to stop is given up.
                if called_off == CalledOff::ByUs {
                    return Came::Over(CallState::NoAnswer, None);
                }
                true
            }
        };
        if calls_off && called_off == CalledOff::No {
            // Whoever rings until the end was not there; whoever was called off before is a call that we called off.
            called_off = if Instant::now() >= due { CalledOff::No } else { CalledOff::ByUs };
            due = Instant::now() + Duration::from_millis(limits::SIP_REQUEST_MS_MAX);
            if let Err(error) = placed.dialog.cancel().await {
                tracing::debug!(%error, "a call was not called off");
            }
        }
    }
}

async fn refused(attempt: &Attempt, placed: &mut Placed, called_off: CalledOff) -> Came {
    let answered = timeout(Duration::from_millis(limits::SIP_REQUEST_MS_MAX), &mut placed.outcome).await;
    let Ok(Ok(Ok((_, Some(response))))) = answered else {
        let state = if called_off == CalledOff::ByUs { CallState::Canceled } else { CallState::NoAnswer };
        return Came::Over(state, None);
    };
    let status = response.status_code.code();
    let is_first = attempt.options.headers.iter().flatten().any(|one| one.value() == SESSION_SECS.to_string());
    let least = header(&response, "Min-SE").and_then(|value| value.split(';').next()?.trim().parse().ok());
    if let (422, true, Some(least)) = (status, is_first, least) {
        return Came::Again(least);
    }
    let cause = header(&response, "Reason").and_then(|reason| cause_of(&reason));
    Came::Over(state_of(status, cause, called_off), Some(status))
}

async fn picked_up(
    attempt: Attempt,
    placed: Placed,
    sockets: (UdpSocket, UdpSocket),
    told: mpsc::Receiver<Command>,
    response: &Response,
) -> (CallState, Option<Quality>) {
    let Attempt { shared, call_ref, trunk, local, .. } = attempt;
    let Placed { dialog, states, .. } = placed;
    let agreed = match call::agreed_by(&response.body, &local) {
        Ok(agreed) => agreed,
        Err(error) => {
            tracing::info!(trunk = trunk.name, %error, "a call's audio cannot be agreed on");
            let bye = dialog.bye_with_reason("SIP;cause=488".to_owned());
            let _ = timeout(Duration::from_millis(limits::SIP_REQUEST_MS_MAX), bye).await; // It is over for us anyway.
            shared.dialogs.remove_dialog(&dialog.id());
            return (CallState::Failed, None);
        }
    };
    let tap = shared.leg_tap(&call_ref, local.address.ip());
    let leg = Leg::start(sockets, call::canonical_name(), tap, shared.identity.clone());
    let _ = leg.orders.send(Order::Agree(Box::new(agreed))).await; // Its task has just begun.
    let session = header(response, "Session-Expires").and_then(|value| Expires::parse(&value)).map(Session::asked);
    let takes_updates = message::lists(response, "Allow", "UPDATE");
    let talking = Call::placed(
        Arc::clone(&shared),
        call_ref,
        trunk,
        (dialog.clone(), states),
        told,
        (leg, local),
        (session, takes_updates),
    );
    let ended = talking.talk(None).await;
    shared.dialogs.remove_dialog(&dialog.id());
    ended
}

/// The call goes on with whoever took it from where it rang; there it is called off.
async fn taken_over(
    attempt: Attempt,
    placed: Placed,
    told: mpsc::Receiver<Command>,
    taken: Taken,
) -> (CallState, Option<Quality>) {
    let Attempt { shared, call_ref, trunk, .. } = attempt;
    let Taken { dialog, states, sockets, agreed, local, session, takes_updates } = taken;
    call::leave(&shared, placed.dialog);
    let tap = shared.leg_tap(&call_ref, local.address.ip());
    let leg = Leg::start(sockets, call::canonical_name(), tap, shared.identity.clone());
    let _ = leg.orders.send(Order::Agree(Box::new(agreed))).await; // Its task has just begun.
    let dialog = (dialog, states);
    Call::placed(shared, call_ref, trunk, dialog, told, (leg, local), (session, takes_updates)).talk(None).await
}

/// Where a trunk's host is.
pub(crate) async fn resolve(trunk: &Trunk) -> Option<IpAddr> {
    addresses(trunk).await.into_iter().next()
}

pub(crate) async fn addresses(trunk: &Trunk) -> Vec<IpAddr> {
    let host = trunk.host.clone();
    if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
        return vec![ip];
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { host } else { format!("{host}:5060") };
    let asked = tokio::net::lookup_host(target);
    match timeout(Duration::from_millis(limits::CARRIER_REQUEST_MS_MAX), asked).await {
        Ok(Ok(found)) => found.map(|address| address.ip().to_canonical()).collect(),
        _ => Vec::new(),
    }
}
