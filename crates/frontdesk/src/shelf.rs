//! Every provider that this installation could use, made on demand: from the configuration, from credentials that were set
//! while it runs, and from what agents ask for.

use crate::on_device::OnDevice;
use base::{BusinessId, Money, Secret};
use egress::Egress;
use model::routing::{ProviderChoice, Region, Stage, VoiceMap};
use providers::options::{Descriptor, ProviderOptions, Settings};
use providers::pricing;
use providers::voices::Voices;
use runtime::catalog::{Catalog, CredentialFrom, Entry, Unusable};
use runtime::drivers::{HttpBrain, Realtime, StreamStt, StreamTts};
use runtime::router::Facts;
use runtime::service::{BrainService, SttService, TtsService};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use store::{Credential, Owner};

/// What runs on this machine, and what the configuration calls it.
const LOCAL: &str = runtime::on_device::NAME;
/// The on-device brain with a language model of this machine behind it.
const GGUF: &str = runtime::on_device::GGUF_NAME;
/// Services kept ready. More than any installation has settings of; beyond it they are made anew.
const BUILT_MAX: usize = 512;

/// Every descriptor of a stage.
pub fn descriptors(stage: Stage) -> Vec<&'static Descriptor> {
    match stage {
        Stage::Stt => providers::stt::PROVIDERS.descriptors().collect(),
        Stage::Llm => providers::llm::PROVIDERS.descriptors().collect(),
        Stage::Tts => providers::tts::PROVIDERS.descriptors().collect(),
    }
}

/// What the configuration says about one provider.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Its options, of the file and the environment.
    pub options: ProviderOptions,
    /// Where it processes data, when the operator knows better than its descriptor.
    pub region: Option<Region>,
    /// How good it is, when the operator knows better.
    pub quality: Option<u8>,
}

type Fields = BTreeMap<String, Secret<String>>;

/// What tells one made service from another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    stage: Stage,
    account: Option<BusinessId>,
    choice: ProviderChoice,
}

#[derive(Clone)]
enum Built {
    Stt(Arc<dyn SttService>),
    Llm(Arc<dyn BrainService>),
    Tts(Arc<dyn TtsService>),
}

/// See the module.
pub struct Shelf {
    configured: HashMap<(Stage, String), Configured>,
    on_device: Option<Arc<OnDevice>>,
    egress: Arc<Egress>,
    voices: Arc<VoiceMap>,
    /// What was set while running; or why it does not open.
    credentials: RwLock<HashMap<(Owner, String), Result<Fields, String>>>,
    built: Mutex<HashMap<Key, Built>>,
    /// Takes it that the models of this machine are there, without having loaded them.
    trusts_models: bool,
}

impl Shelf {
    /// A shelf with what the configuration says.
    pub fn new(
        configured: HashMap<(Stage, String), Configured>,
        on_device: Option<Arc<OnDevice>>,
        egress: Arc<Egress>,
        voices: VoiceMap,
    ) -> Self {
        Self {
            configured,
            on_device,
            egress,
            voices: Arc::new(voices),
            credentials: RwLock::default(),
            built: Mutex::default(),
            trusts_models: false,
        }
    }

    /// For commands that take no calls: the models of this machine are not loaded, but may be named.
    #[must_use]
    pub fn trusting_models(mut self) -> Self {
        self.trusts_models = true;
        self
    }

    fn built(&self) -> MutexGuard<'_, HashMap<Key, Built>> {
        // No guarded section can panic half way through a change.
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The credential that a business uses with a provider, if one was set while running.
    fn credential(&self, business: BusinessId, provider: &str) -> Option<(Owner, Result<Fields, String>)> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        [Owner::Business(business), Owner::Installation]
            .into_iter()
            .find_map(|owner| credentials.get(&(owner, provider.to_owned())).map(|fields| (owner, fields.clone())))
    }

    fn descriptor(&self, stage: Stage, name: &str) -> Result<&'static Descriptor, Unusable> {
        let found = match stage {
            Stage::Stt => providers::stt::PROVIDERS.find(name).map(|entry| entry.descriptor),
            Stage::Llm => providers::llm::PROVIDERS.find(name).map(|entry| entry.descriptor),
            Stage::Tts => providers::tts::PROVIDERS.find(name).map(|entry| entry.descriptor),
        };
        found.map_err(|why| Unusable(why.to_string()))
    }

    /// Settings as this choice has them, and whose credential they hold. One that does not open is not replaced by another:
    /// that would be somebody else's account.
    fn options(
        &self,
        stage: Stage,
        business: BusinessId,
        choice: &ProviderChoice,
    ) -> Result<(ProviderOptions, Option<BusinessId>, CredentialFrom), Unusable> {
        let configured = self.configured.get(&(stage, choice.name.clone()));
        let mut options = configured.map(|one| one.options.clone()).unwrap_or_default();
        let mut from = match &options.api_key {
            Some(_) => CredentialFrom::Configuration,
            None => CredentialFrom::Nowhere,
        };
        let mut account = None;
        if let Some((owner, fields)) = self.credential(business, &choice.name) {
            let name = &choice.name;
            let mut fields = fields
                .map_err(|why| Unusable(format!("the credential of {name} does not open: {why}; set it again")))?;
            from = match owner {
                Owner::Installation => CredentialFrom::Installation,
                Owner::Business(business) => {
                    account = Some(business);
                    // What belongs to another account is not mixed in.
                    options.api_key = None;
                    fields.retain(|key, _| !is_address(key));
                    CredentialFrom::Business
                }
            };
            for (key, value) in fields {
                put(&mut options, &key, value);
            }
        }
        options.model = choice.model.clone().or(options.model);
        options.voice = choice.voice.clone().filter(|_| stage == Stage::Tts).or(options.voice);
        options.extra.extend(choice.options.clone());
        Ok((options, account, from))
    }

    /// The settings of a voice as calls of this business use them.
    pub fn voice_options(&self, business: BusinessId, name: &str) -> Result<ProviderOptions, Unusable> {
        self.options(Stage::Tts, business, &ProviderChoice::named(name)).map(|(options, ..)| options)
    }

    fn settings(&self, stage: Stage, business: BusinessId, choice: &ProviderChoice) -> Result<Settings, Unusable> {
        let (options, ..) = self.options(stage, business, choice)?;
        let unusable = |why: providers::OptionsError| Unusable(why.to_string());
        Ok(match stage {
            Stage::Stt => providers::stt::PROVIDERS.open(&choice.name, &options).map_err(unusable)?.settings().clone(),
            Stage::Llm => providers::llm::PROVIDERS.open(&choice.name, &options).map_err(unusable)?.settings().clone(),
            Stage::Tts => providers::tts::PROVIDERS.open(&choice.name, &options).map_err(unusable)?.settings().clone(),
        })
    }

    /// The service of this choice, made when there is none yet.
    fn make(
        &self,
        stage: Stage,
        business: BusinessId,
        choice: &ProviderChoice,
        build: impl FnOnce(&ProviderOptions) -> Result<Built, providers::OptionsError>,
    ) -> Result<Built, Unusable> {
        let (options, account, _) = self.options(stage, business, choice)?;
        // Weights and flags are how it is chosen, not what it is; language and voice come with each use.
        let bare = ProviderChoice { weight: None, flag: None, language: None, ..choice.clone() };
        let key = Key { stage, account, choice: bare };
        if let Some(built) = self.built().get(&key) {
            return Ok(built.clone());
        }
        let made = build(&options).map_err(|why| Unusable(why.to_string()))?;
        let mut built = self.built();
        if built.len() >= BUILT_MAX {
            built.clear();
        }
        built.insert(key, made.clone());
        Ok(made)
    }

    fn local(&self, choice: &ProviderChoice) -> Result<&Arc<OnDevice>, Unusable> {
        let missing = || Unusable(format!("{}: the models of this machine are not loaded", choice.name));
        self.on_device.as_ref().ok_or_else(missing)
    }

    fn is_local(stage: Stage, name: &str) -> bool {
        name == LOCAL || (name == GGUF && stage == Stage::Llm)
    }
}

/// Whether a field says where requests go.
fn is_address(key: &str) -> bool {
    key == "base_url"
}

/// Sets one field of a credential.
pub(crate) fn put(options: &mut ProviderOptions, key: &str, value: Secret<String>) {
    match key {
        "api_key" => options.api_key = Some(value),
        "base_url" => options.base_url = Some(value.expose().clone()),
        "model" => options.model = Some(value.expose().clone()),
        "voice" => options.voice = Some(value.expose().clone()),
        _ => {
            options.extra.insert(key.to_owned(), value.expose().clone());
        }
    }
}

impl Catalog for Shelf {
    fn names(&self, stage: Stage) -> Vec<String> {
        let anybody = BusinessId(uuid::Uuid::nil());
        let mut names: Vec<String> = Vec::new();
        if self.trusts_models || self.on_device.is_some() {
            names.push(LOCAL.into());
        }
        let phrases = self.on_device.as_ref().is_some_and(|on_device| on_device.phrasing.is_some());
        if stage == Stage::Llm && (phrases || self.trusts_models) {
            names.push(GGUF.into());
        }
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        let has_own: Vec<String> = credentials.keys().map(|(_, name)| name.clone()).collect();
        drop(credentials);
        for descriptor in descriptors(stage) {
            let choice = ProviderChoice::named(descriptor.name);
            let has_key = self.settings(stage, anybody, &choice).is_ok();
            if has_key || has_own.iter().any(|name| name == descriptor.name) {
                names.push(descriptor.name.to_owned());
            }
        }
        names
    }

    fn facts(&self, stage: Stage, business: BusinessId, choice: &ProviderChoice) -> Result<Facts, Unusable> {
        if Self::is_local(stage, &choice.name) {
            if !self.trusts_models {
                self.local(choice)?;
            }
            return Ok(Facts { model: choice.name.clone(), ..Facts::on_site() });
        }
        let descriptor = self.descriptor(stage, &choice.name)?;
        let settings = self.settings(stage, business, choice)?;
        let (_, account, _) = self.options(stage, business, choice)?;
        let configured = self.configured.get(&(stage, choice.name.clone()));
        let is_here = settings.is_on_loopback();
        let known = configured.and_then(|one| one.region).or(descriptor.region);
        let minute = pricing::minute(stage, descriptor.name, settings.model());
        Ok(Facts {
            region: if is_here { known.or(Some(Region::OnSite)) } else { known },
            features: descriptor.features.to_vec(),
            languages: descriptor.languages.iter().map(|one| (*one).to_owned()).collect(),
            quality: configured.and_then(|one| one.quality).unwrap_or(descriptor.quality),
            // A server of our own charges nothing.
            minute: minute.or((is_here && descriptor.key_optional).then_some(Money::ZERO)),
            model: settings.model().to_owned(),
            account,
        })
    }

    fn stt(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn SttService>, Unusable> {
        if Self::is_local(Stage::Stt, &choice.name) {
            return Ok(Arc::clone(&self.local(choice)?.stt) as Arc<dyn SttService>);
        }
        let built = self.make(Stage::Stt, business, choice, |options| {
            let provider = providers::stt::PROVIDERS.open(&choice.name, options)?;
            let model = provider.settings().model().to_owned();
            let service = StreamStt::new(&choice.name, Arc::new(move || provider.protocol()), Arc::clone(&self.egress));
            Ok(Built::Stt(Arc::new(service.priced_as(&model))))
        })?;
        match built {
            Built::Stt(service) => Ok(service),
            Built::Llm(_) | Built::Tts(_) => Err(Unusable("it is no recogniser".into())),
        }
    }

    fn llm(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn BrainService>, Unusable> {
        if Self::is_local(Stage::Llm, &choice.name) {
            let on_device = self.local(choice)?;
            if choice.name == LOCAL {
                return Ok(Arc::clone(&on_device.brain) as Arc<dyn BrainService>);
            }
            return on_device
                .phrasing
                .clone()
                .ok_or_else(|| Unusable("no language model of this machine is loaded".into()));
        }
        let built = self.make(Stage::Llm, business, choice, |options| {
            let provider = providers::llm::PROVIDERS.open(&choice.name, options)?;
            let model = provider.settings().model().to_owned();
            let service = HttpBrain::new(&choice.name, Arc::new(move || provider.protocol()), Arc::clone(&self.egress));
            Ok(Built::Llm(Arc::new(service.priced_as(&model))))
        })?;
        match built {
            Built::Llm(service) => Ok(service),
            Built::Stt(_) | Built::Tts(_) => Err(Unusable("it is no brain".into())),
        }
    }

    fn tts(&self, business: BusinessId, choice: &ProviderChoice) -> Result<Arc<dyn TtsService>, Unusable> {
        if Self::is_local(Stage::Tts, &choice.name) {
            return Ok(Arc::clone(&self.local(choice)?.tts) as Arc<dyn TtsService>);
        }
        let built = self.make(Stage::Tts, business, choice, |options| {
            let provider = providers::tts::PROVIDERS.open(&choice.name, options)?;
            let model = provider.settings().model().to_owned();
            let service = StreamTts::new(&choice.name, Arc::new(move || provider.protocol()), Arc::clone(&self.egress));
            Ok(Built::Tts(Arc::new(service.priced_as(&model))))
        })?;
        match built {
            Built::Tts(service) => Ok(service),
            Built::Stt(_) | Built::Llm(_) => Err(Unusable("it is no voice".into())),
        }
    }

    fn realtime(&self, business: BusinessId, choice: &ProviderChoice) -> Option<Result<Arc<Realtime>, Unusable>> {
        let entry = providers::realtime::PROVIDERS.find(&choice.name).ok()?;
        let options = self.options(Stage::Llm, business, choice);
        let opened = options.and_then(|(options, ..)| entry.open(&options).map_err(|why| Unusable(why.to_string())));
        Some(opened.map(|provider| {
            let model = provider.settings().model().to_owned();
            let make = Arc::new(move || provider.protocol());
            Arc::new(Realtime::new(&choice.name, &model, make, Arc::clone(&self.egress)))
        }))
    }

    fn voices_of(&self, business: BusinessId, name: &str) -> Result<Option<Box<dyn Voices>>, Unusable> {
        let entry = providers::tts::PROVIDERS.find(name).map_err(|why| Unusable(why.to_string()))?;
        let options = self.voice_options(business, name)?;
        let opened = entry.open(&options).map_err(|why| Unusable(why.to_string()))?;
        Ok(opened.protocol().voices())
    }

    fn voices(&self) -> Arc<VoiceMap> {
        Arc::clone(&self.voices)
    }

    fn entries(&self, business: BusinessId) -> Vec<Entry> {
        let mut entries = Vec::new();
        for stage in Stage::ALL {
            let local = [(LOCAL, "On this machine"), (GGUF, "On this machine, phrased by a language model")];
            for (name, title) in local.into_iter().filter(|(name, _)| Self::is_local(stage, name)) {
                let facts = self.facts(stage, business, &ProviderChoice::named(name));
                let credential = CredentialFrom::NotNeeded;
                entries.push(Entry { stage, name: name.into(), title: title.into(), credential, facts });
            }
            for descriptor in descriptors(stage) {
                let choice = ProviderChoice::named(descriptor.name);
                let facts = self.facts(stage, business, &choice);
                let credential = match self.options(stage, business, &choice) {
                    Ok((_, _, CredentialFrom::Nowhere)) if facts.is_ok() => CredentialFrom::NotNeeded,
                    Ok((_, _, from)) => from,
                    Err(_) => CredentialFrom::Nowhere,
                };
                let (name, title) = (descriptor.name.to_owned(), descriptor.title.to_owned());
                entries.push(Entry { stage, name, title, credential, facts });
            }
        }
        entries
    }

    fn take_credentials(&self, all: Vec<Credential>) {
        let fields = |one: &mut Credential| one.damage.take().map_or_else(|| Ok(std::mem::take(&mut one.fields)), Err);
        let fresh = all.into_iter().map(|mut one| ((one.owner, one.provider.clone()), fields(&mut one))).collect();
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.built().clear();
    }

    fn check_credential(&self, owner: Owner, provider: &str, fields: &Fields) -> Result<(), Unusable> {
        let everybody = || {
            let beside = providers::embed::PROVIDERS.descriptors().chain(providers::text::PROVIDERS.descriptors());
            let beside = beside.chain(providers::realtime::PROVIDERS.descriptors());
            Stage::ALL.into_iter().flat_map(descriptors).chain(beside)
        };
        let known: Vec<_> = everybody().filter(|one| one.name == provider).collect();
        if known.is_empty() {
            let all: BTreeSet<&str> = everybody().map(|one| one.name).collect();
            let all: Vec<&str> = all.into_iter().collect();
            return Err(Unusable(format!("there is no provider {provider:?}; there are {}", all.join(", "))));
        }
        if let (Owner::Business(_), Some(key)) = (owner, fields.keys().find(|key| is_address(key))) {
            return Err(Unusable(format!("{key} of {provider} is for the installation to set, not for a business")));
        }
        let usual = ["api_key", "base_url", "model", "voice"];
        let extra: Vec<&str> = known.iter().flat_map(|one| one.extra.iter().map(|(key, _)| *key)).collect();
        match fields.keys().find(|key| !usual.contains(&key.as_str()) && !extra.contains(&key.as_str())) {
            Some(key) => Err(Unusable(format!(
                "{provider} has no field {key:?}; it has {}, {}",
                usual.join(", "),
                extra.join(", ")
            ))),
            None => Ok(()),
        }
    }
}
