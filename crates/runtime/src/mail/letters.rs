//! What the mails say.

use super::Letter;
use base::{Pii, Secret};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::business::Business;
use model::people::Role;
use model::plan::AlertFacts;
use store::contract::mail::MailPurpose;

/// Invites somebody to a business.
pub fn invitation(business: &Business, to: &Pii<String>, role: Role, link: &Secret<String>, until_ms: i64) -> Letter {
    let name = &business.name;
    let text = format!(
        "You are invited to {name} on Frontdesk, as {role}.\n\nOpen this link and choose a password:\n\n{link}\n\nIt works once, \
         until {until}. If you do not know why you got this, do nothing.\n",
        link = link.expose(),
        until = moment(until_ms, &business.time_zone),
    );
    letter(MailPurpose::Invitation, to, format!("You are invited to {name}"), text)
}

/// Lets somebody set a new password.
pub fn password_reset(business: &Business, to: &Pii<String>, link: &Secret<String>, until_ms: i64) -> Letter {
    let name = &business.name;
    let text = format!(
        "Somebody, probably you, wants to set a new password for {name} on Frontdesk.\n\nOpen this link and choose it:\n\n\
         {link}\n\nIt works once, until {until}. If it was not you, do nothing: your password stays as it is.\n",
        link = link.expose(),
        until = moment(until_ms, &business.time_zone),
    );
    letter(MailPurpose::PasswordReset, to, format!("A new password for {name}"), text)
}

/// Says how much of a plan is used.
pub(super) fn alert(business: &Business, to: &Pii<String>, facts: &AlertFacts) -> Letter {
    let AlertFacts { percent, used, limit, month, .. } = facts;
    let next = if *percent >= 100 {
        "Calls of customers are still taken for a while; calls that your agents would place are not."
    } else {
        "Nothing changes yet. At 100 % your agents place no more calls, and a little later they take none."
    };
    let name = &business.name;
    let text = format!(
        "{name} has used {used} of the {limit} calls of its plan in {month}, which is {percent} %.\n\n{next}\n\nA larger plan \
         or another bound can be chosen in the settings, under plan and usage.\n"
    );
    letter(MailPurpose::UsageAlert, to, format!("{name}: {percent} % of this month's calls are used"), text)
}

fn letter(purpose: MailPurpose, to: &Pii<String>, subject: String, text: String) -> Letter {
    Letter { purpose, to: to.clone(), subject: Pii::new(subject), text: Secret::new(text), dispatch: None }
}

/// A moment as people of the business read it; in UTC when its zone is not known.
fn moment(at_ms: i64, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default().to_zoned(zone);
    at.strftime("%-d %B %Y, %H:%M %Z").to_string()
}
