//! What the mails say, in English and in Hindi. A mail is text first: its HTML form is made of the same words ([`super::html`]).

use super::Letter;
use super::sender::{Sender, Tongue};
use base::{Pii, Secret};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::people::Role;
use model::plan::AlertFacts;
use store::contract::mail::MailPurpose;

/// Invites somebody to a business.
pub fn invitation(sender: &Sender, to: &Pii<String>, role: Role, link: &Secret<String>, until_ms: i64) -> Letter {
    let (name, place, link) = (&sender.business.name, sender.place(), link.expose());
    let (role, until) = (role_name(role, sender.tongue), moment(until_ms, sender));
    let (subject, text) = match sender.tongue {
        Tongue::English => (
            format!("You are invited to {name}"),
            format!(
                "You are invited to {place}, as {role}.\n\nOpen this link and choose a password:\n\n{link}\n\nIt works once, \
                 until {until}. If you do not know why you got this, do nothing.\n"
            ),
        ),
        Tongue::Hindi => (
            format!("आपको {name} में आमंत्रित किया गया है"),
            format!(
                "आपको {place} में {role} के रूप में आमंत्रित किया गया है।\n\nयह लिंक खोलें और अपना पासवर्ड चुनें:\n\n{link}\n\nयह एक बार, {until} \
                 तक काम करता है। यदि आप नहीं जानते कि यह मेल आपको क्यों मिली, तो कुछ न करें।\n"
            ),
        ),
    };
    letter(sender, MailPurpose::Invitation, to, subject, text)
}

/// Lets somebody set a new password.
pub fn password_reset(sender: &Sender, to: &Pii<String>, link: &Secret<String>, until_ms: i64) -> Letter {
    let (name, place, link) = (&sender.business.name, sender.place(), link.expose());
    let until = moment(until_ms, sender);
    let (subject, text) = match sender.tongue {
        Tongue::English => (
            format!("A new password for {name}"),
            format!(
                "Somebody, probably you, wants to set a new password for {place}.\n\nOpen this link and choose it:\n\n{link}\n\nIt \
                 works once, until {until}. If it was not you, do nothing: your password stays as it is.\n"
            ),
        ),
        Tongue::Hindi => (
            format!("{name} के लिए नया पासवर्ड"),
            format!(
                "किसी ने, शायद आपने, {place} के लिए नया पासवर्ड रखना चाहा है।\n\nयह लिंक खोलें और पासवर्ड चुनें:\n\n{link}\n\nयह एक बार, {until} तक \
                 काम करता है। यदि यह आपने नहीं किया, तो कुछ न करें: आपका पासवर्ड वही रहेगा।\n"
            ),
        ),
    };
    letter(sender, MailPurpose::PasswordReset, to, subject, text)
}

/// Says how much of a plan is used.
pub(super) fn alert(sender: &Sender, to: &Pii<String>, facts: &AlertFacts) -> Letter {
    let AlertFacts { percent, used, limit, month, .. } = facts;
    let (name, is_over) = (&sender.business.name, *percent >= 100);
    let (subject, text) = match sender.tongue {
        Tongue::English => {
            let next = if is_over {
                "Calls of customers are still taken for a while; calls that your agents would place are not."
            } else {
                "Nothing changes yet. At 100 % your agents place no more calls, and a little later they take none."
            };
            let text = format!(
                "{name} has used {used} of the {limit} calls of its plan in {month}, which is {percent} %.\n\n{next}\n\nA larger \
                 plan or another bound can be chosen in the settings, under plan and usage.\n"
            );
            (format!("{name}: {percent} % of this month's calls are used"), text)
        }
        Tongue::Hindi => {
            let next = if is_over {
                "ग्राहकों की कॉल कुछ समय तक ली जाती रहेंगी; आपके एजेंट स्वयं कॉल नहीं करेंगे।"
            } else {
                "अभी कुछ नहीं बदलता। 100 % पर आपके एजेंट कॉल करना बंद कर देंगे, और थोड़ी देर बाद कॉल लेना भी।"
            };
            let text = format!(
                "{name} ने {month} में अपने प्लान की {limit} में से {used} कॉल, यानी {percent} %, इस्तेमाल कर ली हैं।\n\n{next}\n\nबड़ा प्लान या \
                 दूसरी सीमा सेटिंग्स में, प्लान और उपयोग के अंतर्गत, चुनी जा सकती है।\n"
            );
            (format!("{name}: इस महीने की {percent} % कॉल इस्तेमाल हो चुकी हैं"), text)
        }
    };
    letter(sender, MailPurpose::UsageAlert, to, subject, text)
}

fn letter(sender: &Sender, purpose: MailPurpose, to: &Pii<String>, subject: String, text: String) -> Letter {
    let (subject, text) = (Pii::new(subject), Secret::new(text));
    Letter { purpose, to: to.clone(), subject, text, tongue: sender.tongue, dispatch: None }
}

fn role_name(role: Role, tongue: Tongue) -> String {
    if tongue == Tongue::English {
        return role.to_string();
    }
    match role {
        Role::Owner => "स्वामी",
        Role::Admin => "व्यवस्थापक",
        Role::Supervisor => "पर्यवेक्षक",
        Role::Operator => "ऑपरेटर",
        Role::Analyst => "विश्लेषक",
        Role::Developer => "डेवलपर",
    }
    .to_owned()
}

/// A moment as people of the business read it; in UTC when its zone is not known.
fn moment(at_ms: i64, sender: &Sender) -> String {
    let zone = TimeZone::get(&sender.business.time_zone).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default().to_zoned(zone);
    let form = match sender.tongue {
        Tongue::English => "%-d %B %Y, %H:%M %Z",
        Tongue::Hindi => "%d/%m/%Y, %H:%M %Z",
    };
    at.strftime(form).to_string()
}
