//! Where the services behind provider names come from, for whom and with which credential.

use crate::router::Facts;
use crate::service::{BrainService, SttService, TtsService};
use base::BusinessId;
use model::routing::{ProviderChoice, Stage, VoiceMap};
use std::sync::Arc;

/// Why a choice cannot be used: one line for the operator, without any secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Makes services of providers by name. Answers at once: credentials are in memory.
pub trait Catalog: Send + Sync {
    /// Names that can be used for a stage now: configured by somebody, or on this machine.
    fn names(&self, stage: Stage) -> Vec<String>;
    /// What is known of a provider as this choice would use it.
    ///
    /// # Errors
    /// When there is no such provider, its options do not fit or it has no credential.
    fn facts(&self, stage: Stage, business: BusinessId, choice: &ProviderChoice) -> Result<Facts, Unusable>;
    /// A recogniser.
    ///
    /// # Errors
    /// As [`Catalog::facts`].
    fn stt(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn SttService>, Unusable>;
    /// A brain.
    ///
    /// # Errors
    /// As [`Catalog::facts`].
    fn llm(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn BrainService>, Unusable>;
    /// A voice.
    ///
    /// # Errors
    /// As [`Catalog::facts`].
    fn tts(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn TtsService>, Unusable>;
    /// The same voices at several providers, for all agents.
    fn voices(&self) -> Arc<VoiceMap>;
}
