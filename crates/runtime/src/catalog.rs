//! Where the services behind provider names come from, for whom and with which credential.

use crate::drivers::Realtime;
use crate::router::Facts;
use crate::service::{BrainService, SttService, TtsService};
use base::BusinessId;
use base::Secret;
use model::routing::{ProviderChoice, Stage, VoiceMap};
use providers::voices::Voices;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Credential, Owner};

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
    /// A model that hears and speaks, when this is one: it takes all stages of a call.
    fn realtime(&self, _business: BusinessId, _choice: &ProviderChoice) -> Option<Result<Arc<Realtime>, Unusable>> {
        None
    }
    /// How the voices of a provider become known, with the credential of this business; `None`: it has no list.
    ///
    /// # Errors
    /// As [`Catalog::facts`].
    fn voices_of(&self, _business: BusinessId, _name: &str) -> Result<Option<Box<dyn Voices>>, Unusable> {
        Ok(None)
    }
    /// The same voices at several providers, for all agents.
    fn voices(&self) -> Arc<VoiceMap>;
    /// Everybody there is, configured or not, as this business would use them.
    fn entries(&self, business: BusinessId) -> Vec<Entry>;
    /// Uses these credentials from now on, over what the configuration says.
    fn take_credentials(&self, credentials: Vec<Credential>);
    /// Whether these fields are ones that the provider knows and that this owner may set. Where requests go is for the
    /// installation alone to say: a business could name an address of the operator's own network.
    ///
    /// # Errors
    /// When there is no such provider or field; the text names the nearest one. When the field is not the owner's to set.
    fn check_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: &BTreeMap<String, Secret<String>>,
    ) -> Result<(), Unusable>;
}

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFrom {
    /// There is none.
    Nowhere,
    /// None is needed.
    NotNeeded,
    /// The configuration or the environment.
    Configuration,
    /// Set for the installation while it ran.
    Installation,
    /// The business's own.
    Business,
}

impl CredentialFrom {
    /// The stable name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::NotNeeded => "not_needed",
            Self::Configuration => "configuration",
            Self::Installation => "installation",
            Self::Business => "business",
        }
    }
}

/// One provider of one stage, for people.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which stage.
    pub stage: Stage,
    /// Registry name.
    pub name: String,
    /// Name as people write it.
    pub title: String,
    /// Where its credential comes from.
    pub credential: CredentialFrom,
    /// What is known of it, or why it cannot be used.
    pub facts: Result<Facts, Unusable>,
}
