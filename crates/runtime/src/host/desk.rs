//! Built-in tools that leave something at the desk or send something: tickets and messages.

use super::tools::Job;
use base::{ErrorClass, Failure, Millis, PhoneNumber, Pii, TicketId, limits};
use carriers::protocol::{DialReply, TextMessage};
use engine::dialog::template;
use model::call::Call;
use model::ticket::{Ticket, TicketPriority, TicketStatus};
use model::tool::{Channel, ToolAction};
use serde_json::{Map, Value};
use store::contract::desk::{Dispatch, MaySend};

const SUBJECT_CHARS_MAX: usize = 200;
/// Characters of a text message: some ten parts.
const TEXT_CHARS_MAX: usize = 1_500;

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
    let text: String = lines.collect::<Vec<_>>().join("\n").chars().take(limits::TICKET_CHARS_MAX).collect();
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

/// Sends a message that was written beforehand. The intent is durable before anything goes out, and nothing goes out twice.
pub(super) async fn send_message(job: &Job) -> Result<String, Failure> {
    let ToolAction::SendMessage { channel, to, text, per_call_max, per_day_max } = &job.spec.action else {
        return Err(Failure::new(ErrorClass::Internal, "this tool sends no message"));
    };
    let call = job.store.call(&job.scope, job.call).await?;
    let none = Map::new();
    let args = job.args.as_object().unwrap_or(&none);
    let recipient = recipient(&call, to.as_deref(), args)?;
    let text: String = template::fill(text, args, None).chars().take(TEXT_CHARS_MAX).collect();
    let dispatch = Dispatch {
        id: uuid::Uuid::now_v7(),
        key: key(job),
        channel: channel.name(),
        recipient: Pii::new(recipient.expose().to_owned()),
        call: call.id,
        at_ms: crate::wall_ms(),
        per_call_max: *per_call_max,
        per_day_max: *per_day_max,
    };
    match job.store.intend_dispatch(&job.scope, &dispatch).await? {
        MaySend::Yes => {}
        MaySend::Repeated => return Err(Failure::new(ErrorClass::Invalid, "this message was sent before")),
        MaySend::CallHasEnough => return Err(Failure::new(ErrorClass::Invalid, "this call has sent enough messages")),
        MaySend::RecipientHasEnough => {
            return Err(Failure::new(ErrorClass::Invalid, "enough messages went to this number today"));
        }
    }
    let done = match channel {
        Channel::Sms => send_sms(job, &call, &recipient, &text).await,
    };
    let (state, answer) = match done {
        DialReply::Accepted { .. } => ("sent", Ok("The message is on its way.".to_owned())),
        DialReply::Refused(failure) => ("refused", Err(failure)),
        // It may have arrived: it is never sent again.
        DialReply::Unknown(failure) => ("unknown", Err(failure)),
    };
    metrics::counter!("frontdesk_messages_total", "channel" => channel.name(), "outcome" => state).increment(1);
    if let Err(error) = job.store.close_dispatch(&job.scope, dispatch.id, state).await {
        tracing::error!(%error, call = %job.call, "what became of a message was not written");
    }
    answer
}

/// Whom it goes to: the argument of this name, or whoever is on the line.
fn recipient(call: &Call, to: Option<&str>, args: &Map<String, Value>) -> Result<PhoneNumber, Failure> {
    let text = match to {
        Some(name) => args.get(name).map(template::spoken),
        None => call.customer.as_ref().map(|customer| customer.expose().clone()),
    };
    let digits: String =
        text.unwrap_or_default().chars().filter(|sign| sign.is_ascii_digit() || *sign == '+').collect();
    digits.parse().map_err(|_| Failure::new(ErrorClass::Invalid, "there is no phone number to send it to"))
}

async fn send_sms(job: &Job, call: &Call, to: &PhoneNumber, text: &str) -> DialReply {
    let refused = |why: &'static str| DialReply::Refused(Failure::new(ErrorClass::Invalid, why));
    let Some(from) = call.number.as_ref().and_then(|number| number.parse::<PhoneNumber>().ok()) else {
        return refused("this call has no number of ours to send it from");
    };
    let Some(control) = &job.control else { return refused("the platform of this call sends no messages") };
    let Some(request) = control.text_message(&TextMessage { to, from: &from, text }) else {
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
