//! What browsers send to be let in: an SDP offer (RFC 8829) and, later, more addresses of theirs (RFC 8840).

use base::limits;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Mid, Pt};
use str0m::{Candidate, Rtc, RtcConfig};

/// Why an offer is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It cannot be read.
    #[error("the offer is not a session description that can be answered: {0}")]
    Malformed(String),
    /// It has more parts than a line needs.
    #[error("the offer has more than {} media sections", limits::WEBRTC_SECTIONS_MAX)]
    TooMany,
    /// Nothing in it carries audio both ways as Opus.
    #[error("the offer has no section `audio` with opus/48000/2 in both directions")]
    NoAudio,
    /// Nothing in it carries the text messages.
    #[error("the offer has no data channel: create one before the offer is made")]
    NoChannel,
}

/// What an offer became.
pub(crate) struct Accepted {
    pub(crate) rtc: Rtc,
    pub(crate) audio: Mid,
    pub(crate) opus: Pt,
    pub(crate) answer: String,
    /// Our half of the user name in the peer's connectivity checks: datagrams find their session by it.
    pub(crate) ufrag: String,
}

/// What the sessions of one socket have in common.
#[derive(Clone, Debug)]
pub struct Identity {
    cert: DtlsCert,
    candidates: Vec<SocketAddr>,
}

impl Identity {
    /// A certificate for DTLS, made now and kept in memory, and the addresses where we are reached.
    ///
    /// # Errors
    /// When there is no address that a peer could be told, or no certificate could be made.
    pub fn new(candidates: Vec<SocketAddr>) -> Result<Self, &'static str> {
        let cert = str0m::crypto::from_feature_flags()
            .dtls_provider
            .generate_certificate()
            .ok_or("no certificate for DTLS could be made")?;
        let is_usable = |address: &SocketAddr| Candidate::host(*address, "udp").is_ok();
        let candidates: Vec<_> = candidates.into_iter().filter(is_usable).collect();
        if candidates.is_empty() {
            return Err("there is no address that a browser could be told");
        }
        Ok(Self { cert, candidates })
    }

    /// The address that datagrams from this one are said to have come to. The socket does not tell, and the choice changes
    /// nothing but the bookkeeping: there is one socket.
    pub(crate) fn destination(&self, source: SocketAddr) -> SocketAddr {
        let same_family = self.candidates.iter().find(|own| own.is_ipv4() == source.is_ipv4());
        *same_family.unwrap_or(&self.candidates[0])
    }

    fn config(&self) -> RtcConfig {
        let mut config = RtcConfig::new()
            .set_crypto_provider(std::sync::Arc::new(str0m::crypto::from_feature_flags()))
            .set_dtls_cert(self.cert.clone())
            // We are at a known address and need not look for peers: they check, we answer.
            .set_ice_lite(true)
            // Packets as they come: our own jitter buffer orders them and knows what is missing.
            .set_rtp_mode(true)
            .set_stats_interval(Some(Duration::from_millis(limits::WEBRTC_STATS_MS)))
            .set_sctp_max_message_size(limits::MEDIA_MESSAGE_BYTES_MAX as u32)
            .clear_codecs();
        // A packet of less than a frame costs as much as one of a frame.
        let format = FormatParams {
            min_p_time: Some(limits::FRAME_MS as u8),
            use_inband_fec: Some(true),
            ..FormatParams::default()
        };
        let opus = 111.into();
        config.codec_config().add_config(opus, None, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), format);
        config
    }

    /// Answers an offer.
    pub(crate) fn accept(&self, now: Instant, offer: &str) -> Result<Accepted, OfferError> {
        let sections = offer.lines().filter(|line| line.starts_with("m=")).count();
        if sections > limits::WEBRTC_SECTIONS_MAX {
            return Err(OfferError::TooMany);
        }
        if !offer.lines().any(|line| line.starts_with("m=application ")) {
            return Err(OfferError::NoChannel);
        }
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| OfferError::Malformed(error.to_string()))?;
        let mut rtc = self.config().build(now);
        for address in &self.candidates {
            if let Ok(candidate) = Candidate::host(*address, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| OfferError::Malformed(error.to_string()))?;
        let answer = answer.to_sdp_string();
        let audio = first_audio(&answer).ok_or(OfferError::NoAudio)?;
        let opus = rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).map(|params| params.pt());
        let media = rtc.media(audio).ok_or(OfferError::NoAudio)?;
        let opus = opus.filter(|pt| media.remote_pts().contains(pt)).ok_or(OfferError::NoAudio)?;
        let goes_both_ways = media.direction().is_sending() && media.direction().is_receiving();
        if !goes_both_ways {
            return Err(OfferError::NoAudio);
        }
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        Ok(Accepted { rtc, audio, opus, answer, ufrag })
    }
}

/// The first section of an answer that carries audio. The library tells of it when the keys are agreed on, which is later.
fn first_audio(answer: &str) -> Option<Mid> {
    let session = sdp_types::Session::parse(answer.as_bytes()).ok()?;
    let audio = session.medias.iter().find(|media| media.media == "audio" && media.port != 0)?;
    audio.get_first_attribute_value("mid")?.map(Mid::from)
}

/// Reads the candidates of an SDP fragment. Those that cannot be used, such as names that only the peer's own network can
/// resolve, are left out: the peer finds us, not we the peer.
///
/// # Errors
/// For a fragment of another ICE session than the one that `ufrag` names, and for too many lines.
pub(crate) fn fragment(text: &str, ufrag: Option<&str>) -> Result<Vec<Candidate>, FragmentError> {
    let mut candidates = Vec::new();
    for line in text.lines() {
        let Some(attribute) = line.strip_prefix("a=") else { continue };
        if let Some(named) = attribute.strip_prefix("ice-ufrag:")
            && ufrag.is_some_and(|ufrag| ufrag != named.trim())
        {
            return Err(FragmentError::Restart);
        }
        if !attribute.starts_with("candidate:") {
            continue;
        }
        if candidates.len() >= limits::WEBRTC_CANDIDATES_MAX {
            return Err(FragmentError::TooMany);
        }
        candidates.extend(Candidate::from_sdp_string(attribute).ok());
    }
    Ok(candidates)
}

/// Why a fragment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentError {
    Restart,
    TooMany,
}
