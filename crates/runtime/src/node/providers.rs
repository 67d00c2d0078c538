//! What an operator does about providers while calls run: switches, credentials, tests. Everything is written to the store,
//! so that other nodes follow and a restart changes nothing.

use super::Node;
use crate::catalog::Unusable;
use crate::router::trial;
use crate::service::Bill;
use base::{BusinessId, ErrorClass, Failure, Millis, Secret};
use model::agent::{Agent, BrainChoice};
use model::business::TenantScope;
use model::routing::{AgentProviders, CHOICES_MAX, ProviderChoice, Stage, Switches};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Owner, StoreError};

/// Setting under which the switches are kept.
const SWITCHES: &str = "provider_switches";
/// Setting that is touched whenever a credential has changed.
const CREDENTIALS: &str = "provider_credentials";
/// The store is asked this often whether another process has switched something.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);
/// Fields of one credential, and their length.
const FIELDS_MAX: usize = 16;
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It makes no sense; one line says why.
    #[error("{0}")]
    Invalid(String),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unusable> for ProviderError {
    fn from(why: Unusable) -> Self {
        Self::Invalid(why.0)
    }
}

/// A credential as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedCredential {
    /// Whose.
    pub owner: Owner,
    /// Registry name.
    pub provider: String,
    /// Names of its fields, each with its last characters.
    pub fields: BTreeMap<String, String>,
    /// Why it does not open and the provider cannot be used with it.
    pub damage: Option<String>,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
}

/// What of a secret may be seen: its last four characters, when it is so long that they do not help.
fn masked(value: &str) -> String {
    let count = value.chars().count();
    if count < 16 {
        return "…".into();
    }
    let last: String = value.chars().skip(count - 4).collect();
    format!("…{last}")
}

impl Node {
    /// Switches providers for all calls, those in progress when they use the stage next. Answers the new version.
    ///
    /// # Errors
    /// When a name is not known, a share is above 100, or the store does not take it.
    pub async fn set_switches(&self, switches: Switches, expected: Option<u32>) -> Result<u32, ProviderError> {
        self.check_switches(&switches)?;
        let text = serde_json::to_string(&switches).map_err(|error| ProviderError::Invalid(error.to_string()))?;
        let version = self.store().put_setting(SWITCHES, &text, expected).await?;
        self.board().switch(switches);
        Ok(version)
    }

    /// What is switched, and its version in the store.
    ///
    /// # Errors
    /// When the store does not answer or holds something else.
    pub async fn switches(&self) -> Result<(Switches, u32), ProviderError> {
        let Some(kept) = self.store().setting(SWITCHES).await? else { return Ok((Switches::default(), 0)) };
        let read = serde_json::from_str(&kept.value);
        let switches = read.map_err(|_| StoreError::Corrupt("the switches of providers".into()))?;
        Ok((switches, kept.version))
    }

    fn check_switches(&self, switches: &Switches) -> Result<(), ProviderError> {
        if let Some((flag, share)) = switches.flags.iter().find(|(_, share)| **share > 100) {
            return Err(ProviderError::Invalid(format!("flag {flag}: {share} of a hundred calls is too much")));
        }
        let off = switches.off.iter().flat_map(|(stage, names)| names.iter().map(move |name| (*stage, name)));
        for (stage, name) in switches.first.iter().map(|(stage, name)| (*stage, name)).chain(off) {
            self.check_name(stage, name)?;
        }
        for (stage, name) in &switches.first {
            if switches.is_off(*stage, name) {
                return Err(ProviderError::Invalid(format!("{stage}: {name} cannot be both first and off")));
            }
        }
        Ok(())
    }

    fn check_name(&self, stage: Stage, name: &str) -> Result<(), ProviderError> {
        let names = self.shared.services.names(stage);
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        let why = format!("{stage}: {name:?} cannot be used; there are {}", names.join(", "));
        Err(ProviderError::Invalid(why))
    }

    /// Whether an agent's providers can be used: every name is known, the options fit, a credential is there.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn check_providers(&self, business: BusinessId, providers: &AgentProviders) -> Result<(), ProviderError> {
        for stage in Stage::ALL {
            let choices = providers.stage(stage);
            if choices.len() > CHOICES_MAX {
                return Err(ProviderError::Invalid(format!("{stage}: at most {CHOICES_MAX} providers")));
            }
            for choice in choices {
                match self.catalog() {
                    Some(catalog) => {
                        let facts = catalog.facts(stage, business, choice);
                        facts.map_err(|why| ProviderError::Invalid(format!("{stage}: {why}")))?;
                    }
                    None => self.check_name(stage, &choice.name)?,
                }
            }
        }
        if providers.cache.alike.is_some_and(|alike| !(0.5..=1.0).contains(&alike)) {
            return Err(ProviderError::Invalid("cache.alike must be from 0.5 to 1".into()));
        }
        if providers.budget_call_usd_micros.is_some_and(|budget| budget < 0) {
            return Err(ProviderError::Invalid("budget_call_usd_micros must not be negative".into()));
        }
        Ok(())
    }

    /// Sets who serves an agent's calls, from the next one on. Answers the agent's new version.
    ///
    /// # Errors
    /// When a provider cannot be used, or the store does not take it.
    pub async fn set_agent_providers(
        &self,
        scope: &TenantScope,
        slug: &str,
        providers: AgentProviders,
    ) -> Result<u32, ProviderError> {
        self.check_providers(scope.business, &providers)?;
        let known = self.store().agent_by_slug(scope, slug).await?;
        let drafted = self.store().drafted(scope, known.agent.id).await?;
        // What nobody has published stays a draft; a draft that differs follows.
        if known.version == 0 || drafted.is_changed() {
            let draft = Agent { providers: providers.clone(), ..drafted.draft };
            self.store().put_draft(scope, &draft, None, crate::wall_ms()).await?;
        }
        if known.version == 0 {
            return Ok(0);
        }
        let agent = Agent { providers, ..known.agent };
        Ok(self.store().put_agent(scope, &agent, Some(known.version)).await?)
    }

    /// Keeps a credential, sealed, and uses it from the next use of the provider on.
    ///
    /// # Errors
    /// When the provider does not know a field, or the store does not take it.
    pub async fn put_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: BTreeMap<String, Secret<String>>,
    ) -> Result<(), ProviderError> {
        let too_long = fields.values().any(|value| value.expose().len() > FIELD_BYTES_MAX);
        if fields.is_empty() || fields.len() > FIELDS_MAX || too_long {
            let why = format!("a credential has 1 to {FIELDS_MAX} fields of at most {FIELD_BYTES_MAX} bytes");
            return Err(ProviderError::Invalid(why));
        }
        if let Some(catalog) = self.catalog() {
            catalog.check_credential(owner, provider, &fields)?;
        }
        self.store().put_credential(owner, provider, &fields, crate::wall_ms()).await?;
        self.credential_changed(provider).await
    }

    /// Deletes a credential. `false` when there was none.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn delete_credential(&self, owner: Owner, provider: &str) -> Result<bool, ProviderError> {
        let was_there = self.store().delete_credential(owner, provider).await?;
        if was_there {
            self.credential_changed(provider).await?;
        }
        Ok(was_there)
    }

    /// Credentials as people may see them: the installation's and those of this business.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn masked_credentials(&self, business: BusinessId) -> Result<Vec<MaskedCredential>, ProviderError> {
        let all = self.store().credentials().await?;
        let visible = all.into_iter().filter(|one| match one.owner {
            Owner::Installation => true,
            Owner::Business(owner) => owner == business,
        });
        let mask = |one: store::Credential| MaskedCredential {
            owner: one.owner,
            provider: one.provider,
            fields: one.fields.into_iter().map(|(key, value)| (key, masked(value.expose()))).collect(),
            damage: one.damage,
            updated_at_ms: one.updated_at_ms,
        };
        Ok(visible.map(mask).collect())
    }

    async fn credential_changed(&self, provider: &str) -> Result<(), ProviderError> {
        self.store().put_setting(CREDENTIALS, "null", None).await?;
        self.load_credentials().await?;
        self.board().forget(provider);
        Ok(())
    }

    async fn load_credentials(&self) -> Result<(), StoreError> {
        if let Some(catalog) = self.catalog() {
            let all = self.store().credentials().await?;
            for one in all.iter().filter(|one| one.damage.is_some()) {
                let (provider, why) = (one.provider.as_str(), one.damage.as_deref());
                tracing::error!(provider, owner = ?one.owner, why, "a credential does not open; set it again");
            }
            catalog.take_credentials(all);
        }
        Ok(())
    }

    /// Brings switches and credentials from the store.
    ///
    /// # Errors
    /// When the store does not answer, or something in it cannot be read.
    pub async fn load_settings(&self) -> Result<(), ProviderError> {
        self.follow_once(&mut [None, None]).await
    }

    /// Brings switches and credentials from the store, now and whenever another process has changed them.
    pub async fn follow_settings(&self) {
        let mut seen: [Option<u32>; 2] = [None, None];
        let mut ticks = tokio::time::interval(FOLLOW_EVERY);
        loop {
            ticks.tick().await;
            if let Err(error) = self.follow_once(&mut seen).await {
                tracing::warn!(%error, "switches and credentials of providers could not be read; what was known holds");
            }
        }
    }

    async fn follow_once(&self, seen: &mut [Option<u32>; 2]) -> Result<(), ProviderError> {
        let version = self.store().setting(SWITCHES).await?.map_or(0, |kept| kept.version);
        if seen[0] != Some(version) {
            self.board().switch(self.switches().await?.0);
            seen[0] = Some(version);
        }
        let version = self.store().setting(CREDENTIALS).await?.map_or(0, |kept| kept.version);
        if seen[1] != Some(version) {
            self.load_credentials().await?;
            seen[1] = Some(version);
        }
        Ok(())
    }

    /// Gives a provider a small task, as this business would use it, and says how long it took.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn try_provider(
        &self,
        scope: &TenantScope,
        stage: Stage,
        choice: &ProviderChoice,
    ) -> Result<Millis, Failure> {
        let unusable = |why: Unusable| Failure::new(ErrorClass::Invalid, why.0);
        let missing = || Failure::new(ErrorClass::Invalid, "it is not configured");
        let (services, business, bill) = (&self.shared.services, scope.business, Bill::default());
        let language = choice.language.as_deref().unwrap_or("en");
        match stage {
            Stage::Stt => {
                let service = match self.catalog() {
                    Some(catalog) => catalog.stt(business, choice).map_err(unusable)?,
                    None => services.stt.iter().find(|one| one.name() == choice.name).cloned().ok_or_else(missing)?,
                };
                trial::hear(service.as_ref(), language, &bill).await
            }
            Stage::Tts => {
                let service = match self.catalog() {
                    Some(catalog) => catalog.tts(business, choice).map_err(unusable)?,
                    None => services.tts.iter().find(|one| one.name() == choice.name).cloned().ok_or_else(missing)?,
                };
                trial::speak(service.as_ref(), language, choice.voice.clone(), &bill).await
            }
            Stage::Llm => {
                let service = match self.catalog() {
                    Some(catalog) => catalog.llm(business, choice).map_err(unusable)?,
                    None => {
                        services.brains.iter().find(|one| one.name() == choice.name).cloned().ok_or_else(missing)?
                    }
                };
                let brain = BrainChoice::Llm { provider: Some(choice.name.clone()), model: choice.model.clone() };
                trial::think(service.as_ref(), business, brain, language, &bill).await
            }
        }
    }
}

/// What is wrong with a provider, in one line that says what to do.
pub fn advice(failure: &Failure) -> String {
    let what = match failure.class {
        ErrorClass::Auth => "the key is wrong, expired or not allowed to do this",
        ErrorClass::Quota => "the account has no credit left, or its plan does not allow this",
        ErrorClass::RateLimited => "too many requests: the account's rate limit is used up",
        ErrorClass::Invalid => "the request is not accepted: check the model, the voice and the options",
        ErrorClass::Refused => "the content was refused",
        ErrorClass::Unavailable => "it cannot be reached or is down: check the address and the way out of this network",
        ErrorClass::Timeout => "it did not answer in time: check the way out of this network",
        ErrorClass::Protocol => "it answers what its protocol does not allow: check the address",
        ErrorClass::Cancelled => "it was called off",
        ErrorClass::Internal => "something is missing on this machine",
    };
    format!("{what} ({})", failure.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_end_only_when_that_does_not_help() {
        assert_eq!(masked("sk-0123456789abcdef"), "…cdef");
        assert_eq!(masked("short-secret"), "…");
        assert_eq!(masked(""), "…");
    }

    #[test]
    fn advice_is_one_line_that_begins_with_what_to_look_at() {
        let failure = Failure::new(ErrorClass::Auth, "acme: 401 invalid_api_key");
        assert_eq!(advice(&failure), "the key is wrong, expired or not allowed to do this (acme: 401 invalid_api_key)");
    }
}
