//! The voices that a business can choose from, and hearing one before it is chosen.

use super::Node;
use crate::catalog::{Catalog, Unusable};
use crate::on_device::NAME as LOCAL;
use crate::service::{TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, Money, limits};
use hound::{SampleFormat, WavSpec, WavWriter};
use model::business::TenantScope;
use model::routing::{CostStage, ProviderChoice, Stage};
use providers::tts::{TtsEvent, TtsOpen};
use providers::voices::VoiceInfo;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a preview is asked for at; a codec may deliver another rate.
const RATE_HZ: u32 = 24_000;

/// Why there are no voices, or nothing to hear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceError {
    /// There is no such provider.
    #[error("there is no such provider of voices")]
    Unknown,
    /// It cannot be used: no credential, options that do not fit.
    #[error("{0}")]
    Unusable(String),
    /// Enough is being said already.
    #[error("enough voices are being heard at the moment")]
    Busy,
    /// The business may spend no more this month.
    #[error("what may be spent in a month is used up")]
    Spent,
    /// It was asked and failed.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Unusable> for VoiceError {
    fn from(why: Unusable) -> Self {
        Self::Unusable(why.0)
    }
}

/// A few words in a voice.
#[derive(Clone, Debug)]
pub struct Preview {
    /// WAV, 16-bit mono.
    pub wav: Vec<u8>,
    /// What the provider charges for it.
    pub cost: Money,
}

impl Node {
    /// The voices of a provider, with the credential that this business uses.
    ///
    /// # Errors
    /// When there is no such provider, it cannot be used, or it does not answer.
    pub async fn list_voices(&self, scope: &TenantScope, provider: &str) -> Result<Vec<VoiceInfo>, VoiceError> {
        self.knows_voice(scope, provider)?;
        if provider == LOCAL {
            let language = Some("en".to_owned());
            return Ok(vec![VoiceInfo { language, ..VoiceInfo::stock("en-1", "On this machine") }]);
        }
        let catalog = self.catalog().ok_or(VoiceError::Unknown)?;
        let Some(voices) = catalog.voices_of(scope.business, provider)? else { return Ok(Vec::new()) };
        let listed = crate::voices::list(&self.shared.egress, provider, voices.as_ref()).await;
        listed.map_err(VoiceError::Failed)
    }

    /// One that is known and has no credential is there, and says why it cannot be used when it is asked.
    fn knows_voice(&self, scope: &TenantScope, provider: &str) -> Result<(), VoiceError> {
        let is_configured = self.shared.services.names(Stage::Tts).iter().any(|name| name == provider);
        let is_listed = |catalog: &Arc<dyn Catalog>| {
            let mut entries = catalog.entries(scope.business).into_iter();
            entries.any(|entry| entry.stage == Stage::Tts && entry.name == provider)
        };
        let is_known = is_configured || self.catalog().is_some_and(is_listed);
        is_known.then_some(()).ok_or(VoiceError::Unknown)
    }

    /// Has a voice say a text. What it costs counts as the business's.
    ///
    /// # Errors
    /// As [`Node::list_voices`], when it takes too long, and when enough is being said at the moment.
    pub async fn preview_voice(
        &self,
        scope: &TenantScope,
        choice: &ProviderChoice,
        language: &str,
        text: &str,
    ) -> Result<Preview, VoiceError> {
        self.knows_voice(scope, &choice.name)?;
        let service = self.voice_service(scope, choice)?;
        if choice.name != LOCAL && self.month_is_spent(scope).await? {
            return Err(VoiceError::Spent);
        }
        let Ok(room) = Arc::clone(&self.shared.previewing).try_acquire_owned() else { return Err(VoiceError::Busy) };
        let bill = self.shared.bill(scope.business);
        let of_voice = bill.under(CostStage::from(Stage::Tts), service.name(), false);
        let voice = choice.voice.clone().filter(|_| choice.name != LOCAL);
        let open = TtsOpen { sample_rate_hz: RATE_HZ, language: language.to_owned(), voice, now_unix_ms: 0 };
        let session = service.open_billed(open, &of_voice);
        let deadline = Instant::now() + Duration::from_millis(limits::PREVIEW_MS_MAX);
        let late = || Failure::new(ErrorClass::Timeout, "the voice did not come to its end in time");
        let said = tokio::time::timeout_at(deadline, said(session, text)).await.unwrap_or_else(|_| Err(late()));
        drop(room);
        // What was asked for is paid for, also when it was no use.
        let cost = bill.total();
        if cost != Money::ZERO
            && let Err(error) = self.store().count_cost(scope, cost, crate::wall_ms()).await
        {
            tracing::error!(%error, "what a preview cost was not counted");
        }
        let outcome = if said.is_ok() { "said" } else { "failed" };
        metrics::counter!("frontdesk_voice_previews_total", "provider" => service.name().to_owned(), "outcome" => outcome)
            .increment(1);
        let (pcm, rate_hz) = said.map_err(VoiceError::Failed)?;
        Ok(Preview { wav: wav(&pcm, rate_hz).map_err(VoiceError::Failed)?, cost })
    }

    async fn month_is_spent(&self, scope: &TenantScope) -> Result<bool, VoiceError> {
        let unknown = |_| VoiceError::Failed(Failure::new(ErrorClass::Unavailable, "what was spent is not known"));
        self.shared.month_is_spent(scope).await.map_err(unknown)
    }

    fn voice_service(&self, scope: &TenantScope, choice: &ProviderChoice) -> Result<Arc<dyn TtsService>, VoiceError> {
        if let Some(catalog) = self.catalog() {
            return Ok(catalog.tts(scope.business, choice)?);
        }
        let mut services = self.shared.services.tts.iter();
        services.find(|service| service.name() == choice.name).cloned().ok_or(VoiceError::Unknown)
    }
}

async fn said(mut session: TtsSession, text: &str) -> Result<(Vec<i16>, u32), Failure> {
    let samples_max = session.sample_rate_hz as usize * limits::PREVIEW_SECS_MAX;
    for command in [TtsCommand::Segment(text.to_owned()), TtsCommand::Flush] {
        // A session that is gone says why in its events.
        let _ = session.commands.send(command).await;
    }
    let mut pcm: Vec<i16> = Vec::new();
    loop {
        match session.events.recv().await {
            Some(TtsEvent::Audio { pcm: more }) => {
                pcm.extend_from_slice(&more);
                if pcm.len() > samples_max {
                    return Err(Failure::new(ErrorClass::Protocol, "the voice said more than it was given"));
                }
            }
            Some(TtsEvent::Done) if pcm.is_empty() => {
                return Err(Failure::new(ErrorClass::Protocol, "the voice was silent"));
            }
            Some(TtsEvent::Done) => return Ok((pcm, session.sample_rate_hz)),
            Some(TtsEvent::Failed(failure)) => return Err(failure),
            Some(_) => {}
            None => return Err(Failure::new(ErrorClass::Protocol, "the voice stopped without an end")),
        }
    }
}

fn wav(pcm: &[i16], rate_hz: u32) -> Result<Vec<u8>, Failure> {
    let spec = WavSpec { channels: 1, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let unwritten = |error: hound::Error| Failure::new(ErrorClass::Internal, error.to_string());
    let mut bytes = Cursor::new(Vec::with_capacity(44 + pcm.len() * 2));
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(unwritten)?;
    for sample in pcm {
        writer.write_sample(*sample).map_err(unwritten)?;
    }
    writer.finalize().map_err(unwritten)?;
    Ok(bytes.into_inner())
}
