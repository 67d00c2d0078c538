//! Built-in tools that leave something at the desk or send something: tickets and messages.

use super::tools::Job;
use crate::mail::{self, Letter, Mailer, Tongue};
use base::{ErrorClass, Failure, Millis, PhoneNumber, Pii, Secret, TicketId, limits};
use carriers::protocol::{DialReply, TextMessage};
use engine::dialog::template;
use model::call::Call;
use model::ticket::{Ticket, TicketPriority, TicketStatus};
use model::tool::{Channel, ToolAction};
use serde_json::{Map, Value};
use store::contract::customers::CustomerFilter;
use store::contract::desk::{Dispatch, MaySend};
use store::contract::mail::MailPurpose;

const SUBJECT_CHARS_MAX: usize = 200;
/// Characters of a text message: some ten parts.
const TEXT_CHARS_MAX: usize = 1_500;
const ON_ITS_WAY: &str = "The message is on its way.";

/// Raises a ticket. The key is the tool call itself, so that a repeat is not a second one.
pub(super) async fn create_ticket(job: &Job, priority: TicketPriority) -> Result<String, Failure> {
    let call = job.store.call(&job.scope, job.call).await?;
    let none = Map::new();
    let args = job.args.as_object().unwrap_or(&none);
    let said = |name: &str| args.get(name).map(template::spoken);
    let subject = said("subject").or_else(|| said("text")).unwrap_or_else(|| job.spec.name.replace('_', " "));
    let others = args.iter().filter(|(name, _)| !matches!(name.as_str(), "subject" | "text"));
    let lines = said("text")
        .into_iter()
        .chain(others.map(|(name, value)| format!("{}: {}", name.replace('_', " "), template::spoken(value))));
    let mut lines: Vec<String> = lines.collect();
    lines.extend(wanted(job).await.map(|intent| format!("intent: {intent}")));
    let text: String = lines.join("\n").chars().take(limits::TICKET_CHARS_MAX).collect();
    let now_ms = crate::wall_ms();
    let ticket = Ticket {
        id: TicketId::generate(),
        business: job.scope.business,
        number: 0,
        subject: Pii::new(subject.chars().take(SUBJECT_CHARS_MAX).collect()),
        text: Pii::new(text),
        status: TicketStatus::Open,
        priority,
        customer: call.customer,
        call: Some(call.id),
        agent: Some(call.agent),
        assignee: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        version: 0,
    };
    let made = job.store.create_ticket(&job.scope, &ticket, Some(&key(job))).await?;
    Ok(serde_json::json!({ "ticket": made.number }).to_string())
}

/// What the caller wanted last, as the agent was taught to tell: for whoever decides to whom the ticket goes.
async fn wanted(job: &Job) -> Option<String> {
    let understood = crate::documents::understood_in(job.store.as_ref(), &job.scope, job.call).await;
    let understood = understood.inspect_err(|error| tracing::warn!(%error, "what the caller wanted cannot be read"));
    understood.ok()?.into_iter().rev().find_map(|one| one.intent)
}

/// Sends a message that was written beforehand. The intent is durable before anything goes out, and nothing goes out twice.
pub(super) async fn send_message(job: &Job) -> Result<String, Failure> {
    let ToolAction::SendMessage { channel, to, subject, text, per_call_max, per_day_max } = &job.spec.action else {
        return Err(Failure::new(ErrorClass::Internal, "this tool sends no message"));
    };
    let call = job.store.call(&job.scope, job.call).await?;
    let none = Map::new();
    let args = job.args.as_object().unwrap_or(&none);
    let recipient = match channel {
        Channel::Sms => Recipient::Phone(phone(&call, to.as_deref(), args)?),
        Channel::Email => {
            let mailer = job.mailer.clone().ok_or_else(|| invalid("this installation sends no mail"))?;
            Recipient::Address(mailer, address(job, &call, to.as_deref(), args).await?)
        }
    };
    let dispatch = Dispatch {
        id: uuid::Uuid::now_v7(),
        key: key(job),
        channel: channel.name(),
        recipient: Pii::new(recipient.as_str().to_owned()),
        call: call.id,
        at_ms: crate::wall_ms(),
        per_call_max: *per_call_max,
        per_day_max: *per_day_max,
    };
    match job.store.intend_dispatch(&job.scope, &dispatch).await? {
        MaySend::Yes => {}
        MaySend::Repeated => return Err(invalid("this message was sent before")),
        MaySend::CallHasEnough => return Err(invalid("this call has sent enough messages")),
        MaySend::RecipientHasEnough => return Err(invalid("enough messages went to this person today")),
    }
    let text = template::fill(text, args, None);
    let (state, answer) = match recipient {
        Recipient::Phone(to) => {
            let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
            outcome(send_sms(job, &call, &to, &text).await)
        }
        Recipient::Address(mailer, to) => {
            let subject = subject.as_ref().map(|subject| template::fill(subject, args, None));
            match post(job, &mailer, (to, subject, text), dispatch.id).await {
                // What becomes of it is written down by whoever hands it over.
                Ok(()) => ("queued", Ok(ON_ITS_WAY.to_owned())),
                Err(failure) => ("refused", Err(failure)),
            }
        }
    };
    metrics::counter!("frontdesk_messages_total", "channel" => channel.name(), "outcome" => state).increment(1);
    if state != "queued"
        && let Err(error) = job.store.close_dispatch(&job.scope, dispatch.id, state).await
    {
        tracing::error!(%error, call = %job.call, "what became of a message was not written");
    }
    answer
}

/// Whom a message goes to.
enum Recipient {
    Phone(PhoneNumber),
    Address(Mailer, String),
}

impl Recipient {
    fn as_str(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.expose(),
            Self::Address(_, address) => address,
        }
    }
}

fn invalid(why: &'static str) -> Failure {
    Failure::new(ErrorClass::Invalid, why)
}

fn outcome(reply: DialReply) -> (&'static str, Result<String, Failure>) {
    match reply {
        DialReply::Accepted { .. } => ("sent", Ok(ON_ITS_WAY.to_owned())),
        DialReply::Refused(failure) => ("refused", Err(failure)),
        // It may have arrived: it is never sent again.
        DialReply::Unknown(failure) => ("unknown", Err(failure)),
    }
}

/// The number it goes to: the argument of this name, or whoever is on the line.
fn phone(call: &Call, to: Option<&str>, args: &Map<String, Value>) -> Result<PhoneNumber, Failure> {
    let text = match to {
        Some(name) => args.get(name).map(template::spoken),
        None => call.customer.as_ref().map(|customer| customer.expose().clone()),
    };
    let digits: String =
        text.unwrap_or_default().chars().filter(|sign| sign.is_ascii_digit() || *sign == '+').collect();
    digits.parse().map_err(|_| invalid("there is no phone number to send it to"))
}

/// The address it goes to: the argument of this name, or what is known of whoever is on the line.
async fn address(job: &Job, call: &Call, to: Option<&str>, args: &Map<String, Value>) -> Result<String, Failure> {
    let text = match to {
        Some(name) => args.get(name).map(template::spoken),
        None => {
            let phone = call.customer.as_ref().and_then(|customer| customer.expose().parse().ok());
            let Some(phone) = phone else { return Err(invalid("there is no e-mail address to send it to")) };
            let filter = CustomerFilter { phone: Some(phone), ..CustomerFilter::default() };
            let found = job.store.customers(&job.scope, &filter, None, 1).await?;
            found.into_iter().next().and_then(|row| row.customer.email).map(|email| email.expose().clone())
        }
    };
    let text = text.ok_or_else(|| invalid("there is no e-mail address to send it to"))?;
    mail::read_address(&text)
}

/// Writes the mail down; a worker hands it over.
async fn post(
    job: &Job,
    mailer: &Mailer,
    (to, subject, text): (String, Option<String>, String),
    dispatch: uuid::Uuid,
) -> Result<(), Failure> {
    let subject = match subject {
        Some(subject) => subject,
        None => format!("A message from {}", job.store.business(&job.scope).await?.name),
    };
    let letter = Letter {
        purpose: MailPurpose::Message,
        to: Pii::new(to),
        subject: Pii::new(subject),
        text: Secret::new(text),
        tongue: Tongue::English,
        dispatch: Some(dispatch),
    };
    mailer.post(job.store.as_ref(), &job.scope, letter).await?;
    Ok(())
}

async fn send_sms(job: &Job, call: &Call, to: &PhoneNumber, text: &str) -> DialReply {
    let refused = |why: &'static str| DialReply::Refused(Failure::new(ErrorClass::Invalid, why));
    let Some(from) = call.number.as_ref().and_then(|number| number.parse::<PhoneNumber>().ok()) else {
        return refused("this call has no number of ours to send it from");
    };
    let Some(control) = &job.control else { return refused("the platform of this call sends no messages") };
    if let Err(failure) = crate::platform::log_in(&job.platform, control.as_ref()).await {
        return DialReply::Refused(failure);
    }
    let message = TextMessage { to, from: &from, text, now_ms: crate::wall_ms() };
    let Ok(request) = control.text_message(&message) else {
        return refused("the platform of this call sends no messages");
    };
    let deadline = Millis(limits::CARRIER_REQUEST_MS_MAX.min(job.deadline.0));
    match job.platform.http(request, deadline).await {
        Ok(answer) => control.text_message_reply(Some((answer.status, &answer.body))),
        Err(_) => control.text_message_reply(None),
    }
}

fn key(job: &Job) -> String {
    format!("{}-{}", job.call, job.id)
}
