//! Requests that arrive: within a call, about a new one, or about nothing that we know.

use crate::call;
use crate::endpoint::{NoPlace, Shared};
use crate::front::Invite;
use crate::guard::Admission;
use crate::message::{self, ALLOW, header};
use crate::replaces::{self, Replaces};
use crate::session::{Expires, SESSION_SECS_MIN};
use base::{Pii, limits};
use carriers::sip::sdp::{self, Description, SdpError};
use rsipstack::dialog::dialog::Dialog;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use std::net::IpAddr;
use std::sync::Arc;

/// How long a peer that finds us full shall wait.
const RETRY_AFTER_SECS: u32 = 5;

/// Takes requests until the endpoint stops.
pub(crate) async fn serve(shared: Arc<Shared>, mut incoming: TransactionReceiver) {
    while let Some(transaction) = incoming.recv().await {
        // Beyond the bound a request is dropped; who means it sends it again.
        let Ok(permit) = Arc::clone(&shared.requests).try_acquire_owned() else {
            metrics::counter!("frontdesk_sip_requests_dropped_total").increment(1);
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = handle(shared, transaction).await {
                tracing::debug!(%error, "a request was not served");
            }
            drop(permit);
        });
    }
}

async fn handle(shared: Arc<Shared>, mut transaction: Transaction) -> rsipstack::Result<()> {
    let request = &transaction.original;
    if let Some(why) = malformed(request) {
        tracing::debug!(why, "a malformed request");
        return transaction.reply(StatusCode::BadRequest).await;
    }
    let is_within = request.to_header()?.tag()?.is_some();
    if is_within {
        return match shared.dialogs.match_dialog(&transaction) {
            Some(dialog) => within(&shared, dialog, &mut transaction).await,
            None if request.method == Method::Ack => Ok(()),
            None => transaction.reply(StatusCode::CallTransactionDoesNotExist).await,
        };
    }
    match request.method {
        Method::Invite => invited(shared, transaction).await,
        Method::Options => transaction.reply_with(StatusCode::OK, message::answer_headers(false), None).await,
        Method::Ack | Method::Cancel => Ok(()),
        Method::Bye | Method::Info | Method::Update | Method::PRack => {
            transaction.reply(StatusCode::CallTransactionDoesNotExist).await
        }
        _ => {
            let allow = vec![Header::Allow(ALLOW.into())];
            transaction.reply_with(StatusCode::MethodNotAllowed, allow, None).await
        }
    }
}

/// A request within a call. The library takes every confirmation of a provisional answer for one that we await.
async fn within(shared: &Shared, mut dialog: Dialog, transaction: &mut Transaction) -> rsipstack::Result<()> {
    if let Some(numbers) = transaction.original.rack_value().filter(|_| transaction.original.method == Method::PRack) {
        if !shared.unconfirmed.confirm(&dialog.id().to_string(), numbers) {
            return transaction.reply(StatusCode::CallTransactionDoesNotExist).await;
        }
        // Nothing was answered yet that a new offer could follow (RFC 3262, 5).
        if !transaction.original.body.is_empty() {
            return transaction.reply(StatusCode::NotAcceptableHere).await;
        }
    }
    dialog.handle(transaction).await
}

/// What makes a request unusable, that the library's parser lets pass.
pub(crate) fn malformed(request: &Request) -> Option<&'static str> {
    let Ok(cseq) = request.cseq_header() else { return Some("no CSeq") };
    match cseq.method() {
        Ok(method) if method == request.method => {}
        _ => return Some("the method of CSeq is another one"),
    }
    if cseq.seq().is_err() {
        return Some("the number of CSeq is none");
    }
    let (Ok(from), Ok(to)) = (request.from_header(), request.to_header()) else { return Some("no From or To") };
    if from.tag().is_err() || to.tag().is_err() {
        return Some("From or To cannot be read");
    }
    if request.call_id_header().is_err() || request.via_header().is_err() {
        return Some("no Call-ID or Via");
    }
    None
}

/// A call that somebody asks for and that can be offered to the owner.
pub(crate) struct Asked {
    pub(crate) invite: Invite,
    pub(crate) trunk: Arc<crate::config::Trunk>,
    /// What was offered; absent when we shall offer.
    pub(crate) offer: Option<Description>,
    pub(crate) session: Option<Expires>,
    /// Whether the peer knows timers.
    pub(crate) knows_timers: bool,
    /// Whether the peer takes provisional answers only when they are reliable.
    pub(crate) is_reliable_only: bool,
    /// Whether the peer can be refreshed without a new offer.
    pub(crate) takes_updates: bool,
}

pub(crate) struct Refusal(StatusCode, Vec<Header>);

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self(status, Vec::new())
    }
}

async fn invited(shared: Arc<Shared>, mut transaction: Transaction) -> rsipstack::Result<()> {
    let source = source_of(&transaction);
    let asked = match ask(&shared, &transaction.original, source) {
        Ok(asked) => asked,
        Err(Refusal(status, headers)) => {
            metrics::counter!("frontdesk_sip_refused_total", "status" => status.code().to_string()).increment(1);
            return transaction.reply_with(status, headers, None).await;
        }
    };
    match Replaces::of(&transaction.original) {
        Ok(None) => {}
        Ok(Some(replaces)) => return replaces::ask(shared, transaction, asked, replaces).await,
        Err(status) => return transaction.reply(status).await,
    }
    let (commands, told) = tokio::sync::mpsc::channel(limits::SIP_ORDERS_MAX);
    match shared.place(&asked.invite.call_ref, commands) {
        Ok(place) => call::answer(shared, transaction, asked, place, told).await,
        Err(no_place) => {
            let (status, headers) = match no_place {
                NoPlace::Merged => (StatusCode::LoopDetected, Vec::new()),
                NoPlace::Full => {
                    let later = Header::RetryAfter(RETRY_AFTER_SECS.to_string().into());
                    (StatusCode::ServiceUnavailable, vec![later])
                }
            };
            metrics::counter!("frontdesk_sip_refused_total", "status" => status.code().to_string()).increment(1);
            transaction.reply_with(status, headers, None).await
        }
    }
}

/// Looks at a request for a call before anybody is asked about it.
fn ask(shared: &Shared, request: &Request, source: Option<IpAddr>) -> Result<Asked, Refusal> {
    let source = source.ok_or(StatusCode::Forbidden)?;
    let trunk = match shared.guard.admit(source, request) {
        Admission::Trunk(trunk) => trunk,
        Admission::Challenge { is_stale } => {
            return Err(Refusal(StatusCode::Unauthorized, vec![shared.guard.challenge(request, is_stale)]));
        }
        Admission::Stranger => return Err(StatusCode::Forbidden.into()),
    };
    let unsupported = message::unsupported(request);
    if !unsupported.is_empty() {
        return Err(Refusal(StatusCode::BadExtension, vec![Header::Unsupported(unsupported.join(", ").into())]));
    }
    let session = header(request, "Session-Expires").and_then(|value| Expires::parse(&value));
    if session.is_some_and(|asked| asked.seconds < SESSION_SECS_MIN) {
        let least = Header::MinSE(SESSION_SECS_MIN.to_string().into());
        return Err(Refusal(StatusCode::SessionIntervalTooSmall, vec![least]));
    }
    Ok(Asked {
        invite: invite_of(request, &trunk.name, source)?,
        offer: offer_of(request)?,
        trunk,
        session,
        knows_timers: message::lists(request, "Supported", "timer"),
        is_reliable_only: message::requires(request, "100rel"),
        takes_updates: message::lists(request, "Allow", "UPDATE"),
    })
}

pub(crate) fn offer_of(request: &Request) -> Result<Option<Description>, Refusal> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let kind = header(request, "Content-Type").unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/sdp")) {
        return Err(Refusal(StatusCode::UnsupportedMediaType, vec![Header::Accept("application/sdp".into())]));
    }
    match sdp::read(&request.body) {
        Ok(offer) => Ok(Some(offer)),
        Err(SdpError::Malformed) => Err(StatusCode::BadRequest.into()),
        Err(_) => Err(StatusCode::NotAcceptableHere.into()),
    }
}

pub(crate) fn invite_of(request: &Request, trunk: &str, source: IpAddr) -> Result<Invite, Refusal> {
    let call_ref = request.call_id_header().map_err(|_| StatusCode::BadRequest)?.value().trim().to_owned();
    // It becomes a word of the line's first message and a key of rows.
    let is_plain =
        !call_ref.is_empty() && call_ref.len() <= 200 && call_ref.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        return Err(StatusCode::BadRequest.into());
    }
    let shown = request.headers.iter().filter(|one| one.name().get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-")));
    let headers = shown.filter(|one| one.value().len() <= limits::SIP_HEADER_BYTES_MAX);
    let headers = headers.take(limits::SIP_HEADERS_SHOWN_MAX);
    Ok(Invite {
        call_ref,
        trunk: trunk.to_owned(),
        from: message::caller_of(request).map(Pii::new),
        to: message::called_of(&request.uri),
        diverted_from: header(request, "Diversion").and_then(|value| message::user_of(&value)).map(Pii::new),
        attestation: message::attestation_of(request),
        headers: headers.map(|one| (one.name().to_owned(), Pii::new(one.value().trim().to_owned()))).collect(),
        source,
    })
}

fn source_of(transaction: &Transaction) -> Option<IpAddr> {
    let address = transaction.connection.as_ref()?.get_remote_addr()?;
    address.get_socketaddr().ok().map(|address| address.ip())
}
