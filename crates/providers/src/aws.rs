//! What Amazon's speech services have in common: credentials, signatures (Signature Version 4) and the frames of event
//! streams. All three are the vendor's own libraries, given the time as a value.

use crate::options::{OptionsError, Settings};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header as EventHeader, HeaderValue as EventValue, Message};
use base::wire::{Header, HttpRequest};
use base::{ErrorClass, Secret};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// Options of every service.
pub(crate) const ACCESS_KEY_ID: (&str, &str) = ("access_key_id", "Which access key the secret belongs to.");
pub(crate) const SESSION_TOKEN: (&str, &str) = ("session_token", "Token of temporary credentials, where they are.");
pub(crate) const SERVICE_REGION: (&str, &str) =
    ("region", "Region whose service is used, such as `eu-central-1`; needed.");

/// Who signs, and for which region.
pub(crate) struct Signer {
    credentials: Option<Credentials>,
    region: String,
    service: &'static str,
}

impl Signer {
    pub(crate) fn new(settings: &Settings, service: &'static str) -> Result<Self, OptionsError> {
        let id = settings.required(ACCESS_KEY_ID.0)?.to_owned();
        let token = settings.text(SESSION_TOKEN.0).map(str::to_owned);
        let region = settings.required(SERVICE_REGION.0)?.to_owned();
        let is_region = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_region {
            return Err(settings.value_error(SERVICE_REGION.0, &region, "a region such as eu-central-1"));
        }
        let secret = settings.key().map(Secret::expose);
        let credentials = secret.map(|secret| Credentials::new(id, secret.clone(), token, None, "configured"));
        Ok(Self { credentials, region, service })
    }

    /// The vendor's own address in this region; any other address stays as it is.
    pub(crate) fn in_region(&self, mut url: Url, own: &str) -> Url {
        let own = Url::parse(own).ok();
        let own = own.as_ref().and_then(Url::host_str);
        if let Some(own) = own.filter(|own| url.host_str() == Some(own))
            && let Some((service, _)) = own.split_once('.')
        {
            // A region is letters, digits and hyphens, so it is part of a host name.
            let _ = url.set_host(Some(&format!("{service}.{}.amazonaws.com", self.region)));
        }
        url
    }

    fn instructions(
        &self,
        location: SignatureLocation,
        expires_in: Option<Duration>,
        now_unix_ms: u64,
        request: SignableRequest<'_>,
    ) -> Option<SigningInstructions> {
        let mut settings = SigningSettings::default();
        settings.signature_location = location;
        settings.expires_in = expires_in;
        let identity = self.credentials.clone()?.into();
        let now: SystemTime = UNIX_EPOCH + Duration::from_millis(now_unix_ms);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(settings)
            .build();
        let params: SigningParams<'_> = params.ok()?.into();
        Some(sign(request, &params).ok()?.into_parts().0)
    }

    /// Signs an address. One that cannot be signed stays as it is, and the service says why it refuses.
    pub(crate) fn presign(&self, mut url: Url, expires_s: u64, now_unix_ms: u64) -> Url {
        let signed = {
            // The library knows only the schemes of HTTP; a signature covers host, path and query.
            let text = url.as_str().replacen("ws", "http", 1);
            let body = SignableBody::Bytes(&[]);
            let request = SignableRequest::new("GET", text, std::iter::empty(), body).ok();
            let span = Some(Duration::from_secs(expires_s));
            request.and_then(|request| self.instructions(SignatureLocation::QueryParams, span, now_unix_ms, request))
        };
        if let Some(signed) = signed {
            for (name, value) in signed.params() {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    /// Signs a request in its headers. The signature, not the key, is what is sent.
    pub(crate) fn sign(&self, request: &mut HttpRequest, now_unix_ms: u64) {
        let signed = {
            let headers = request.headers.iter().map(|header| (&*header.name, header.value.expose()));
            let body = SignableBody::Bytes(&request.body);
            let signable = SignableRequest::new(request.method.name(), request.url.as_str(), headers, body).ok();
            signable.and_then(|signable| self.instructions(SignatureLocation::Headers, None, now_unix_ms, signable))
        };
        if let Some(signed) = signed {
            let headers = signed.headers().map(|(name, value)| match name {
                "x-amz-date" => Header::plain(name.to_owned(), value.to_owned()),
                _ => Header::secret(name.to_owned(), value.to_owned()),
            });
            request.headers.extend(headers.collect::<Vec<_>>());
        }
    }
}

/// Audio as an event, ready to send.
pub(crate) fn audio_event(bytes: Vec<u8>) -> Vec<u8> {
    let header = |name: &'static str, value: &'static str| EventHeader::new(name, EventValue::String(value.into()));
    let message = Message::new(bytes)
        .add_header(header(":content-type", "application/octet-stream"))
        .add_header(header(":event-type", "AudioEvent"))
        .add_header(header(":message-type", "event"));
    let mut frame = Vec::new();
    // Only a message of more than 16 MB cannot be written; audio comes in pieces of milliseconds.
    let _ = write_message_to(&message, &mut frame);
    frame
}

/// An event or an exception: its kind and its body.
pub(crate) struct Event {
    pub(crate) is_exception: bool,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

/// Reads one whole frame; `None` when it is none.
pub(crate) fn read_event(frame: &[u8]) -> Option<Event> {
    // The length comes first, and the library trusts it.
    let length = u32::from_be_bytes(frame.get(..4)?.try_into().ok()?) as usize;
    if length != frame.len() || length < 16 {
        return None;
    }
    let message = read_message_from(frame).ok()?;
    let text = |name: &str| {
        let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
        header.value().as_string().ok().map(|value| value.as_str().to_owned())
    };
    let is_exception = matches!(text(":message-type")?.as_str(), "exception" | "error");
    let kind = text(":exception-type").or_else(|| text(":event-type")).or_else(|| text(":error-code"))?;
    Some(Event { is_exception, kind, body: message.payload().to_vec() })
}

/// The class of a refused request or upgrade: the exception is named in a header, throttling among the bad requests.
pub(crate) fn refusal_class(headers: &[(String, String)]) -> Option<ErrorClass> {
    let named = headers.iter().find(|(name, _)| name == "x-amzn-errortype");
    named.and_then(|(_, name)| exception_class(name))
}

/// The class of an exception by its name, wherever it is told.
pub(crate) fn exception_class(name: &str) -> Option<ErrorClass> {
    Some(match name.split(':').next().unwrap_or_default() {
        "BadRequestException" | "ConflictException" | "ValidationException" => ErrorClass::Invalid,
        "LimitExceededException" | "ThrottlingException" | "ServiceQuotaExceededException" => ErrorClass::RateLimited,
        "InternalFailureException" | "ServiceUnavailableException" | "ServiceFailureException" => {
            ErrorClass::Unavailable
        }
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException" => ErrorClass::Auth,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;
    use crate::stt::SttOpen;
    use base::Failure;
    use base::wire::Wire;

    fn options(region: &str) -> ProviderOptions {
        let mut options = ProviderOptions { api_key: Some("secret".into()), ..ProviderOptions::default() };
        options.extra.insert("access_key_id".to_owned(), "AKIDEXAMPLE".to_owned());
        options.extra.insert("region".to_owned(), region.to_owned());
        options
    }

    #[test]
    fn the_region_is_part_of_the_vendors_own_address_and_of_no_other() {
        let open = SttOpen { sample_rate_hz: 8_000, language: "en-US".into(), hints: Vec::new(), now_unix_ms: 0 };
        let url = |options: &ProviderOptions| {
            crate::stt::PROVIDERS.open("aws", options).expect("usable").protocol().connect(&open).url
        };
        let own = url(&options("ap-south-1"));
        assert!(own.starts_with("wss://transcribestreaming.ap-south-1.amazonaws.com:8443/"), "{own}");
        let mut other = options("ap-south-1");
        other.base_url = Some("https://vpce.example".to_owned());
        assert!(url(&other).starts_with("wss://vpce.example/stream-transcription-websocket?"));
        for wrong in ["evil.example/", "EU", "a b"] {
            assert!(crate::stt::PROVIDERS.open("aws", &options(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        let mut options = options("eu-central-1");
        options.extra.remove("access_key_id");
        let Err(why) = crate::tts::PROVIDERS.open("aws", &options) else { panic!("it is needed") };
        assert!(why.to_string().contains("AWS_ACCESS_KEY_ID"), "{why}");
    }

    #[test]
    fn exceptions_have_their_class_and_their_words_are_not_repeated() {
        let mut codec = crate::stt::PROVIDERS.open("aws", &options("eu-central-1")).expect("usable").protocol();
        let header = |name: &'static str, value: &'static str| EventHeader::new(name, EventValue::String(value.into()));
        let message = Message::new(&br#"{"Message":"my card is 4111"}"#[..])
            .add_header(header(":message-type", "exception"))
            .add_header(header(":exception-type", "LimitExceededException"));
        let mut frame = Vec::new();
        write_message_to(&message, &mut frame).expect("small");
        let mut out = Vec::new();
        codec.on_message(&Wire::Binary(frame), &mut out);
        let failure = Failure::new(ErrorClass::RateLimited, "aws reported LimitExceededException");
        assert_eq!(out, [crate::stt::SttEvent::Failed(failure)]);
    }
}
