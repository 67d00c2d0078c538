//! Mails: invitations, links to set a new password, alerts, and messages of agents to customers.
//!
//! Nobody waits for a mail server. Whoever has something to say writes a mail down ([`Mailer::post`]), sealed and with a durable
//! job in one transaction; a worker hands it over ([`MailWorker`]) to the one server that the operator named, and tries again
//! when that does not work. A message of an agent to a customer is handed over once at most: when nobody knows whether the
//! server has it, it is not sent again.

mod html;
mod letters;
mod relay;
mod sender;
#[cfg(test)]
mod tests;
mod worker;

pub use letters::{invitation, password_reset};
pub use relay::{Deadlines, Fate, RelaySettings, Undelivered};
pub use sender::{Sender, Tongue};
pub use worker::{AlertMails, MailWorker};

use base::{ErrorClass, Failure, Pii, Secret, limits};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::{Address, address::AddressError};
use model::business::TenantScope;
use relay::Relay;
use std::sync::Arc;
use store::contract::mail::{Mail, MailPurpose};
use store::{Store, StoreError};
use uuid::Uuid;

/// Characters of an address (RFC 5321, 4.5.3.1.3).
const ADDRESS_CHARS_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 120;

/// What is to be said, and to whom.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What it is for.
    pub purpose: MailPurpose,
    /// One address.
    pub to: Pii<String>,
    /// What it is about.
    pub subject: Pii<String>,
    /// What it says.
    pub text: Secret<String>,
    /// In which language.
    pub tongue: Tongue,
    /// The message of an agent that it is.
    pub dispatch: Option<Uuid>,
}

/// Writes mails and knows the server that takes them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    relay: Arc<Relay>,
    /// Where links lead, without a trailing slash.
    public_url: Arc<str>,
}

impl Mailer {
    /// Hands mails to this server; links in them begin with this address.
    ///
    /// # Errors
    /// When TLS cannot be used on this machine.
    pub fn new(settings: RelaySettings, public_url: &str) -> Result<Self, String> {
        Ok(Self { relay: Arc::new(Relay::new(settings)?), public_url: public_url.trim_end_matches('/').into() })
    }

    /// A link to a page with a token. It stands behind `#`, so that neither our log nor anybody's on the way holds it.
    pub fn link(&self, page: &str, token: &Secret<String>) -> Secret<String> {
        Secret::new(format!("{}/{page}#token={}", self.public_url, token.expose()))
    }

    /// Writes a mail down and asks for its sending. It comes from the business, by its name, and answers go to the address
    /// that the business tells.
    ///
    /// # Errors
    /// `Invalid` when the address is none, and when the store does not answer.
    pub async fn post(&self, store: &dyn Store, scope: &TenantScope, letter: Letter) -> Result<Uuid, StoreError> {
        self.post_as(store, scope, Uuid::now_v7(), letter).await
    }

    async fn post_as(
        &self,
        store: &dyn Store,
        scope: &TenantScope,
        id: Uuid,
        letter: Letter,
    ) -> Result<Uuid, StoreError> {
        let invalid = |_| StoreError::Invalid("this is no e-mail address that mail can be sent to");
        let to = read_address(letter.to.expose()).map_err(invalid)?;
        let known = store.profile(scope).await?;
        // What an agent sends to a customer is what somebody wrote, as they wrote it.
        let is_ours = letter.purpose != MailPurpose::Message;
        let html = if is_ours {
            let branding = store.branding(scope).await?.branding;
            let language = letter.tongue.name();
            Some(Secret::new(html::page(&known.business.name, &branding, language, letter.text.expose())))
        } else {
            None
        };
        let reply_to = known.profile.email.filter(|text| read_address(text).is_ok());
        let mail = Mail {
            id,
            purpose: letter.purpose,
            dispatch: letter.dispatch,
            to: Pii::new(to),
            from_name: one_line(&known.business.name, NAME_CHARS_MAX),
            reply_to,
            subject: Pii::new(one_line(letter.subject.expose(), limits::MAIL_SUBJECT_CHARS_MAX)),
            text: Secret::new(letter.text.expose().chars().take(limits::MAIL_CHARS_MAX).collect()),
            html,
        };
        store.post_mail(scope, &mail, crate::wall_ms()).await?;
        Ok(id)
    }

    /// Whether the server takes mails from us: greets, proves who it is, and lets us in. Sends nothing.
    ///
    /// # Errors
    /// Says at which step it did not.
    pub async fn check(&self) -> Result<(), Undelivered> {
        self.relay.check().await
    }

    /// Where the server is, for people.
    pub fn place(&self) -> String {
        self.relay.place()
    }

    /// The mail as it goes over the wire (RFC 5322).
    fn compose(&self, mail: &Mail) -> Result<Message, String> {
        let sender = self.relay.sender();
        let address = |text: &str| text.parse::<Address>().map_err(|error: AddressError| error.to_string());
        let own = sender.name.clone();
        let name = (!mail.from_name.is_empty()).then(|| mail.from_name.clone()).or(own);
        let mut message = Message::builder()
            .from(Mailbox::new(name, sender.email.clone()))
            .to(Mailbox::new(None, address(mail.to.expose())?))
            .subject(mail.subject.expose().as_str())
            // The same at each attempt: a server that got it twice can tell.
            .message_id(Some(format!("<{}@{}>", mail.id, sender.email.domain())));
        if let Some(reply_to) = &mail.reply_to {
            message = message.reply_to(Mailbox::new(None, address(reply_to)?));
        }
        // RFC 3834: nobody's automatic answer is wanted.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        message = message.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        let text = mail.text.expose().clone();
        match &mail.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(text, html.expose().clone())),
            None => message.header(ContentType::TEXT_PLAIN).body(text),
        }
        .map_err(|error| error.to_string())
    }
}

/// One address as mails are sent to, in the form `name@example.com`, or why it is none. Nothing that could become a second
/// address, a header or a command gets through.
///
/// # Errors
/// `Invalid`. The text does not quote it.
pub fn read_address(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let plain = |sign: char| sign.is_ascii_graphic() && !"\"(),:;<>[]\\".contains(sign);
    let fits = text.len() <= ADDRESS_CHARS_MAX && text.chars().all(plain) && text.matches('@').count() == 1;
    let host = text.rsplit('@').next().unwrap_or_default();
    if fits && host.contains('.') && text.parse::<Address>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(Failure::new(ErrorClass::Invalid, "this is no e-mail address that mail can be sent to"))
    }
}

/// Text without anything that would begin a line.
fn one_line(text: &str, chars_max: usize) -> String {
    let flat: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    flat.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(chars_max).collect()
}
