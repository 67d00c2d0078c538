//! Putting the parts together: store, models, providers, carriers, node.

use crate::config::{Config, Setting, Stage};
use crate::on_device::{self, OnDevice};
use crate::shelf::{self, Configured, Shelf};
use anyhow::{Context as _, bail};
use base::{Money, NumberId, Secret, limits};
use carriers::protocol::CarrierControl;
use carriers::registry as carrier_registry;
use egress::{Egress, EgressConfig, Policy};
use model::business::{Number, TenantScope};
use model::routing::{Region, VoiceMap};
use model::seed::{Document, Seed};
use providers::options::{Descriptor, ProviderOptions, Settings};
use providers::registry::Provider;
use providers::tts::TtsProtocol;
use runtime::catalog::Catalog as _;
use runtime::documents::{Documents, Web};
use runtime::drivers::{HttpBrain, HttpEmbed, HttpText, HttpVectors, StreamStt, StreamTts};
use runtime::mail::Mailer;
use runtime::on_device::{Elsewhere, LocalText, model_slots};
use runtime::reading::{Embedders, Readers, Sited};
use runtime::recordings::Recordings;
use runtime::service::{
    AudioJudge, BrainService, EmbedService, KnowledgeSearch, SttService, TextService, TtsService, Understanding,
};
use runtime::spaces::{Offered, Spaces};
use runtime::{Budgets, Node, NodeSettings, Services};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use store::seed::SeedMode;
use store::shared::Shared;
use store::{Credential, Owner, SqlStore, Store, StoreOptions};
use tokio::sync::Semaphore;

/// The demonstration business as it is shipped.
const DEMO: &str = include_str!("../../../fixtures/demo/business.toml");
const DEMO_HELP: &str = include_str!("../../../fixtures/demo/help.md");

/// What runs on this machine, and what the configuration calls it.
const LOCAL: &str = runtime::on_device::NAME;
/// The on-device brain with a language model of this machine behind it.
const GGUF: &str = runtime::on_device::GGUF_NAME;
const AUTO: &str = "auto";
/// What an operator may know better about a provider than its descriptor.
const DATA_REGION: &str = "data_region";
const QUALITY: &str = "quality";

/// Reads an environment variable.
pub type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Everything, put together.
pub struct Wired {
    /// The calls of this process.
    pub node: Node,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The business of this installation.
    pub scope: TenantScope,
    /// The models of this machine, when they are used.
    pub on_device: Option<Arc<OnDevice>>,
    /// Live events and webhooks.
    pub live: runtime::Live,
    /// Where recordings are.
    pub recordings_dir: PathBuf,
    /// The same with the storage behind them.
    pub recordings: Recordings,
    /// What takes documents in and asks them, when the models for that are loaded.
    pub documents: Option<Documents>,
    /// What nodes share.
    pub shared: Arc<dyn Shared>,
    /// Who does what, for people: (stage, names in order).
    pub stages: Stages,
}

/// Puts everything together. Loads models, so it takes a moment.
///
/// # Errors
/// When something needed is missing; the text says what and names the command that mends it.
pub async fn wire(config: &Config, env: Env<'_>) -> anyhow::Result<Wired> {
    let (store, scope) = open_store(config, env).await?;
    take_numbers(config, store.as_ref(), &scope).await?;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));

    let kept = store.credentials().await.context("the credentials of providers")?;
    let cloud = Cloud { config, env, egress: &egress, kept };
    let [stt, tts, brain] = cloud.chains()?;
    let on_device = load_on_device(config, [&stt, &tts, &brain]).await?;
    let elsewhere = cloud.elsewhere()?;
    let spaces = Arc::new(cloud.spaces(&store));
    if let Some(on_device) = &on_device {
        on_device.brain.load_from(Arc::new(on_device.minds(Arc::clone(&store), elsewhere.clone(), &spaces)?));
        for business in store.businesses(None).await?.into_iter().take(limits::KNOWLEDGE_BUSINESSES_WARMED_MAX) {
            on_device.learn(store.as_ref(), &TenantScope { business: business.id }).await?;
        }
    }
    let stages = named([stt.clone(), tts.clone(), brain.clone()]);
    let mut services = services(&cloud, on_device.as_ref(), stt, tts, brain)?;
    services.embedders = cloud.embedders(on_device.as_deref())?;
    services.spaces = Some(Arc::clone(&spaces));
    services.readers = cloud.readers(on_device.as_ref().map_or_else(model_slots, |one| Arc::clone(&one.slots)))?;
    let voices = VoiceMap(config.voices.clone());
    // What was set while running can change while running: it is not mixed into what stays.
    let plain = Cloud { config, env, egress: &egress, kept: Vec::new() };
    services.catalog = Some(Arc::new(Shelf::new(plain.configured()?, on_device.clone(), Arc::clone(&egress), voices)));
    if services.judge.is_none() {
        services.judge = judge(config).await;
    }
    services.mailer = mailer(config, env)?;
    let documents = match &on_device {
        Some(on_device) => Some(documents(config, env, &store, on_device, (elsewhere, &spaces))?),
        None => None,
    };
    services.understanding = documents.clone().map(|documents| Arc::new(documents) as Arc<dyn Understanding>);
    let recordings_dir = recordings_dir(config);
    let settings = NodeSettings {
        public_url: public_url(config),
        recordings_dir: recordings_dir.clone(),
        calls_max: config.calls.max,
        inbound_reserve: config.calls.inbound_reserve,
        record: config.calls.record,
        record_inputs: config.calls.record_inputs,
        budgets: budgets(config),
    };
    let controls = carrier_controls(config, env)?;
    let node = Node::new(settings, Arc::clone(&store), services, egress, controls);
    if !config.tools.private_addresses {
        node.confine_tools(Arc::new(Egress::new(EgressConfig::new(Policy::Tenant))));
    }
    node.load_settings().await.context("switches and credentials of providers")?;
    let recordings = recordings(config, env, store.as_ref())?;
    let shared = crate::nodes::shared(config, env)?;
    crate::wiring_live::subscribe_rest(config, store.as_ref()).await?;
    let live = crate::wiring_live::live(config, &store);
    Ok(Wired { node, store, scope, on_device, live, recordings_dir, recordings, documents, shared, stages })
}

/// A node that takes no calls and has loaded no models: for commands about providers.
///
/// # Errors
/// When the database cannot be opened or the configuration does not hold.
pub async fn wire_light(config: &Config, env: Env<'_>) -> anyhow::Result<(Node, TenantScope)> {
    let (store, scope) = open_store(config, env).await?;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let plain = Cloud { config, env, egress: &egress, kept: Vec::new() };
    let voices = VoiceMap(config.voices.clone());
    let shelf = Shelf::new(plain.configured()?, None, Arc::clone(&egress), voices).trusting_models();
    let services = Services { catalog: Some(Arc::new(shelf)), ..Services::default() };
    let settings = NodeSettings {
        public_url: None,
        recordings_dir: recordings_dir(config),
        calls_max: 0,
        inbound_reserve: 0,
        record: false,
        record_inputs: false,
        budgets: budgets(config),
    };
    let node = Node::new(settings, store, services, egress, BTreeMap::new());
    node.load_settings().await.context("switches and credentials of providers")?;
    Ok((node, scope))
}

/// Opens the database and finds the business of this installation.
pub async fn open_store(config: &Config, env: Env<'_>) -> anyhow::Result<(Arc<dyn Store>, TenantScope)> {
    let store = open_database(config, env).await?;
    let scope = business(store.as_ref(), &config.data.business, config.data.demo).await?;
    Ok((store, scope))
}

/// Opens the database, whatever is in it.
pub async fn open_database(config: &Config, env: Env<'_>) -> anyhow::Result<Arc<dyn Store>> {
    egress::install_crypto();
    let options = store_options(config, env)?;
    let place = options.place();
    let opened = SqlStore::open(options).await;
    Ok(Arc::new(opened.with_context(|| format!("the database {place} cannot be opened"))?))
}

/// How people and programs sign in.
pub fn auth(config: &Config, store: &dyn Store, shared: Arc<dyn Shared>) -> api::auth::Auth {
    // Identity providers are whatever a business says: they are reached like any other address of a business.
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Tenant)));
    let issuer = public_url(config).unwrap_or_else(|| "frontdesk".into());
    let settings = api::auth::AuthSettings { issuer, registration: config.access.registration };
    api::auth::Auth::new(settings, store.keyring(), shared, egress)
}

/// Where the database is and what seals it.
pub fn store_options(config: &Config, env: Env<'_>) -> anyhow::Result<StoreOptions> {
    let keys = config.secrets.keys(&|name| env(name)).map_err(|why| anyhow::anyhow!(why))?;
    config.database.options(&config.data_dir(), keys, &|name| env(name)).map_err(|why| anyhow::anyhow!(why))
}

/// Who writes mails, when the configuration names a mail server.
///
/// # Errors
/// When something about it makes no sense.
pub fn mailer(config: &Config, env: Env<'_>) -> anyhow::Result<Option<Mailer>> {
    let Some(relay) = config.mail.relay(&|name| env(name)).map_err(|why| anyhow::anyhow!(why))? else {
        return Ok(None);
    };
    let public_url = public_url(config).context("mail.url needs server.public_url: links in mails lead there")?;
    Mailer::new(relay, &public_url).map(Some).map_err(|why| anyhow::anyhow!(why))
}

/// Where recordings are.
pub fn recordings_dir(config: &Config) -> PathBuf {
    config.data_dir().join("recordings")
}

/// Recordings with the storage behind them.
///
/// # Errors
/// When the storage makes no sense.
pub fn recordings(config: &Config, env: Env<'_>, store: &dyn Store) -> anyhow::Result<Recordings> {
    let objects = crate::nodes::objects(config, env, store.keyring().clone())?;
    Ok(Recordings::new(recordings_dir(config), objects))
}

/// Documents with the storage in which they wait. Sites are read at public addresses, unless the operator lets them be
/// anywhere.
fn documents(
    config: &Config,
    env: Env<'_>,
    store: &Arc<dyn Store>,
    on_device: &OnDevice,
    (elsewhere, spaces): (Option<Elsewhere>, &Arc<Spaces>),
) -> anyhow::Result<Documents> {
    let objects = crate::nodes::objects(config, env, store.keyring().clone())?;
    let policy = if config.knowledge.private_addresses { Policy::Operator } else { Policy::Tenant };
    let web = Web::new(Arc::new(Egress::new(EgressConfig::new(policy))));
    let (minds, brain) = (on_device.minds(Arc::clone(store), elsewhere, spaces)?, Arc::clone(&on_device.brain));
    let documents = Documents::new(Arc::clone(store), objects, minds, brain, web);
    Ok(documents.with_ears(Some(Arc::clone(&on_device.ears))))
}

/// Who does what, for people: (stage, names in order).
pub type Stages = Vec<(&'static str, Vec<String>)>;

fn named([stt, tts, brain]: [Vec<String>; 3]) -> Stages {
    vec![("speech to text", stt), ("text to speech", tts), ("brain", brain)]
}

/// Checks the settings of every provider that a stage uses and of every one that is configured.
pub fn check_providers(config: &Config, env: Env<'_>) -> anyhow::Result<Stages> {
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let cloud = Cloud { config, env, egress: &egress, kept: Vec::new() };
    let [stt, tts, brain] = cloud.chains()?;
    stt.iter().filter(|name| *name != LOCAL).try_for_each(|name| cloud.stt(name).map(drop))?;
    tts.iter().filter(|name| *name != LOCAL).try_for_each(|name| cloud.tts(name).map(drop))?;
    brain.iter().filter(|name| *name != LOCAL && *name != GGUF).try_for_each(|name| cloud.brain(name).map(drop))?;
    cloud.embedders(None)?;
    cloud.elsewhere()?;
    cloud.readers(model_slots())?;
    Ok(named([stt, tts, brain]))
}

/// One provider of voices with the credential that calls of the installation's business use, whether or not a stage uses it.
pub async fn voice(config: &Config, env: Env<'_>, name: &str) -> anyhow::Result<Provider<dyn TtsProtocol>> {
    let entry = providers::tts::PROVIDERS.find(name)?;
    let (store, scope) = open_store(config, env).await?;
    let kept = store.credentials().await.context("the credentials of providers");
    store.close().await;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let plain = Cloud { config, env, egress: &egress, kept: Vec::new() };
    let shelf = Shelf::new(plain.configured()?, None, Arc::clone(&egress), VoiceMap(config.voices.clone()));
    shelf.take_credentials(kept?);
    Ok(entry.open(&shelf.voice_options(scope.business, name)?)?)
}

/// Services that businesses may choose to embed their documents, with the credentials of the installation.
pub async fn spaces(config: &Config, env: Env<'_>, store: &Arc<dyn Store>) -> anyhow::Result<Spaces> {
    let kept = store.credentials().await.context("the credentials of providers")?;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    Ok(Cloud { config, env, egress: &egress, kept }.spaces(store))
}

/// Who reads texts, with the credentials of the installation.
pub async fn readers(config: &Config, env: Env<'_>) -> anyhow::Result<Readers> {
    let (store, _) = open_store(config, env).await?;
    let kept = store.credentials().await.context("the credentials of providers");
    store.close().await;
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    Cloud { config, env, egress: &egress, kept: kept? }.readers(model_slots())
}

/// What an operator decides about the API.
pub fn http_settings(config: &Config) -> api::HttpSettings {
    let days = config.retention.transcripts_days;
    api::HttpSettings {
        origins: config.api.origins.clone(),
        requests_per_minute: config.api.requests_per_minute,
        retention_days: (days > 0).then_some(days),
    }
}

/// The public address without a trailing slash, when there is one.
pub fn public_url(config: &Config) -> Option<String> {
    let url = config.server.public_url.trim_end_matches('/');
    (!url.is_empty()).then(|| url.to_owned())
}

/// The business of this installation: the one that is configured, else the first by name, or the demonstration when there is
/// none.
async fn business(store: &dyn Store, wanted: &str, demo: bool) -> anyhow::Result<TenantScope> {
    if !wanted.is_empty() {
        let found = store.business_by_slug(wanted).await;
        return match found {
            Ok(found) => Ok(TenantScope { business: found.id }),
            Err(store::StoreError::NotFound(_)) => {
                bail!("data.business: there is no business {wanted}; `frontdesk admin create-business` makes one")
            }
            Err(error) => Err(error.into()),
        };
    }
    if let Some(first) = store.businesses(None).await?.into_iter().next() {
        return Ok(TenantScope { business: first.id });
    }
    if !demo {
        bail!(
            "the database holds no business; `frontdesk admin create-business` makes one, and data.demo = true begins with \
            the demonstration"
        );
    }
    let seed: Seed = toml::from_str(DEMO).context("the demonstration business")?;
    let documents: Vec<Document> =
        seed.documents.iter().map(|one| Document { title: one.title.clone(), text: DEMO_HELP.into() }).collect();
    Ok(store::seed::seed(store, &seed, &documents, SeedMode::Missing).await?)
}

/// Brings the configured phone numbers into the store.
async fn take_numbers(config: &Config, store: &dyn Store, scope: &TenantScope) -> anyhow::Result<()> {
    for entry in &config.numbers {
        if carrier_registry::descriptor(&entry.carrier).is_none() {
            bail!(
                "numbers: there is no phone platform {}; known are {}",
                entry.carrier,
                carrier_registry::NAMES.join(", ")
            );
        }
        let agents = store.agents(scope, None).await?;
        let agent = agents.iter().find(|one| entry.agent.as_ref().is_none_or(|slug| one.agent.slug == *slug));
        let Some(agent) = agent else {
            bail!("numbers: there is no agent {}", entry.agent.as_deref().unwrap_or("at all"));
        };
        let known = match store.route_number(&entry.carrier, &entry.number).await {
            Ok(route) => route.number,
            Err(store::StoreError::NotFound(_)) => NumberId::generate(),
            Err(error) => return Err(error.into()),
        };
        let number = Number {
            id: known,
            business: scope.business,
            number: entry.number.clone(),
            carrier: entry.carrier.clone(),
            agent: agent.agent.id,
        };
        store.put_number(scope, &number).await.context("a configured number")?;
    }
    Ok(())
}

/// Loads the models when a stage needs them. A stage that only falls back to them does without when they are missing.
async fn load_on_device(config: &Config, chains: [&Vec<String>; 3]) -> anyhow::Result<Option<Arc<OnDevice>>> {
    let is_here = |name: &String| name == LOCAL || name == GGUF;
    let phrases = chains.iter().any(|chain| chain.iter().any(|name| name == GGUF));
    if !phrases && !config.models.gguf.is_empty() {
        tracing::warn!("models.gguf is set and not used; set brain.provider = \"gguf\" to use it");
    }
    if !chains.iter().any(|chain| chain.iter().any(is_here)) {
        return Ok(None);
    }
    // Who names a language model does not want to find out on a call that it is not there.
    let needed = phrases || chains.iter().any(|chain| chain.first().is_some_and(is_here));
    let dir = on_device::model_dir(&config.models.dir)?;
    let phrasing = phrases.then(|| on_device::gguf_file(&config.models.gguf)).transpose()?;
    let work = move || {
        let mut loaded = on_device::load(&dir)?;
        phrasing.map(|file| loaded.load_phrasing(&file)).transpose()?;
        Ok(loaded)
    };
    let loaded: anyhow::Result<OnDevice> = tokio::task::spawn_blocking(work).await.context("loading models stopped")?;
    match loaded {
        Ok(loaded) => Ok(Some(Arc::new(loaded))),
        Err(error) if needed => Err(error.context("the models of this machine are needed and cannot be loaded")),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "no fallback on this machine");
            Ok(None)
        }
    }
}

/// Voice activity and end of turn are judged on this machine whoever recognises and speaks. Without their models energy, words
/// and silence decide.
async fn judge(config: &Config) -> Option<Arc<dyn AudioJudge>> {
    let dir = on_device::model_dir(&config.models.dir).ok()?;
    match tokio::task::spawn_blocking(move || on_device::load_judge(&dir)).await.context("loading models stopped") {
        Ok(Ok(judge)) => Some(judge),
        Ok(Err(error)) | Err(error) => {
            tracing::info!(
                error = format!("{error:#}"),
                "turns are judged without models of voice; `frontdesk models pull` brings them"
            );
            None
        }
    }
}

fn services(
    cloud: &Cloud<'_>,
    on_device: Option<&Arc<OnDevice>>,
    stt: Vec<String>,
    tts: Vec<String>,
    brain: Vec<String>,
) -> anyhow::Result<Services> {
    let mut services = Services::default();
    for name in stt {
        match (name == LOCAL, on_device) {
            (true, Some(on_device)) => services.stt.push(Arc::clone(&on_device.stt) as Arc<dyn SttService>),
            (true, None) => {}
            (false, _) => services.stt.push(cloud.stt(&name)?),
        }
    }
    for name in tts {
        match (name == LOCAL, on_device) {
            (true, Some(on_device)) => services.tts.push(Arc::clone(&on_device.tts) as Arc<dyn TtsService>),
            (true, None) => {}
            (false, _) => services.tts.push(cloud.tts(&name)?),
        }
    }
    for name in brain {
        match (name.as_str(), on_device) {
            (LOCAL, Some(on_device)) => services.brains.push(Arc::clone(&on_device.brain) as Arc<dyn BrainService>),
            (GGUF, Some(on_device)) => services.brains.extend(on_device.phrasing.clone()),
            (LOCAL | GGUF, None) => {}
            _ => services.brains.push(cloud.brain(&name)?),
        }
    }
    if let Some(on_device) = on_device {
        services.judge = Some(Arc::clone(&on_device.judge) as Arc<dyn AudioJudge>);
        services.search = Some(Arc::clone(&on_device.brain) as Arc<dyn KnowledgeSearch>);
    }
    Ok(services)
}

/// The configured providers of the cloud.
struct Cloud<'a> {
    config: &'a Config,
    env: Env<'a>,
    egress: &'a Arc<Egress>,
    /// Credentials that were set while an installation ran.
    kept: Vec<Credential>,
}

impl Cloud<'_> {
    /// Who serves each stage: speech to text, text to speech, brain.
    fn chains(&self) -> anyhow::Result<[Vec<String>; 3]> {
        self.know_all_names()?;
        let brain = self.chain("brain", &self.config.brain, &providers::llm::PROVIDERS)?;
        if brain.iter().any(|name| name == GGUF) {
            on_device::gguf_file(&self.config.models.gguf)?;
        }
        Ok([
            self.chain("stt", &self.config.stt, &providers::stt::PROVIDERS)?,
            self.chain("tts", &self.config.tts, &providers::tts::PROVIDERS)?,
            brain,
        ])
    }

    /// A table of a provider that does not exist is a mistake, not a wish.
    fn know_all_names(&self) -> anyhow::Result<()> {
        let mut known: Vec<&str> = providers::stt::PROVIDERS.descriptors().map(|one| one.name).collect();
        known.extend(providers::tts::PROVIDERS.descriptors().map(|one| one.name));
        known.extend(providers::llm::PROVIDERS.descriptors().map(|one| one.name));
        known.extend(providers::realtime::PROVIDERS.descriptors().map(|one| one.name));
        known.extend(providers::embed::PROVIDERS.descriptors().map(|one| one.name));
        known.extend(providers::text::PROVIDERS.descriptors().map(|one| one.name));
        known.extend(providers::vectors::PROVIDERS.descriptors().map(|one| one.name));
        match self.config.providers.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => bail!("providers.{name}: there is no such provider; known are {}", known.join(", ")),
            None => Ok(()),
        }
    }

    /// Who serves a stage, best first.
    fn chain<P: ?Sized>(
        &self,
        table: &str,
        stage: &Stage,
        registry: &providers::registry::Registry<P>,
    ) -> anyhow::Result<Vec<String>> {
        let first = match stage.provider.as_str() {
            AUTO => registry
                .descriptors()
                .find(|descriptor| self.is_configured(descriptor))
                .map_or(LOCAL, |descriptor| descriptor.name),
            LOCAL => LOCAL,
            GGUF if table == "brain" => GGUF,
            name => registry.find(name).with_context(|| format!("{table}.provider"))?.descriptor.name,
        };
        let mut chain = vec![first.to_owned()];
        for name in &stage.fallback {
            if name != LOCAL && (name != GGUF || table != "brain") {
                registry.find(name).with_context(|| format!("{table}.fallback"))?;
            }
            if !chain.contains(name) {
                chain.push(name.clone());
            }
        }
        Ok(chain)
    }

    /// Whether somebody gave this provider a key, or an address where none is needed.
    fn is_configured(&self, descriptor: &Descriptor) -> bool {
        let options = self.options(descriptor).unwrap_or_default();
        options.api_key.is_some() || (descriptor.key_optional && options.base_url.is_some())
    }

    /// What is said about every provider, whether it is used or not.
    fn configured(&self) -> anyhow::Result<HashMap<(model::routing::Stage, String), Configured>> {
        let mut all = HashMap::new();
        for stage in model::routing::Stage::ALL {
            // A model that hears and speaks is chosen as a brain.
            let spoken = providers::realtime::PROVIDERS.descriptors().filter(|_| stage == model::routing::Stage::Llm);
            for descriptor in shelf::descriptors(stage).into_iter().chain(spoken) {
                let options = self.options(descriptor)?;
                let region = self.known_better(descriptor, DATA_REGION)?.map(|text| region(descriptor.name, &text));
                let quality = self.known_better(descriptor, QUALITY)?.map(|text| quality(descriptor.name, &text));
                let one = Configured { options, region: region.transpose()?, quality: quality.transpose()? };
                all.insert((stage, descriptor.name.to_owned()), one);
            }
        }
        Ok(all)
    }

    /// What the operator knows better than the descriptor.
    fn known_better(&self, descriptor: &Descriptor, key: &str) -> anyhow::Result<Option<String>> {
        let setting = self.config.providers.get(descriptor.name).and_then(|table| table.get(key));
        setting.map(|setting| resolve(setting, self.env).map(|text| text.expose().clone())).transpose()
    }

    /// What the environment says, then what the configuration says over it.
    fn options(&self, descriptor: &Descriptor) -> anyhow::Result<ProviderOptions> {
        let mut options = ProviderOptions::from_env(descriptor, self.env);
        for (key, setting) in self.config.providers.get(descriptor.name).into_iter().flatten() {
            let Some(own) = own_key(descriptor, key) else { continue };
            let value = resolve(setting, self.env).with_context(|| format!("providers.{}.{key}", descriptor.name))?;
            match own {
                "api_key" => options.api_key = Some(value),
                "base_url" => options.base_url = Some(value.expose().clone()),
                "model" => options.model = Some(value.expose().clone()),
                "voice" => options.voice = Some(value.expose().clone()),
                DATA_REGION | QUALITY => {}
                _ => {
                    options.extra.insert(own.to_owned(), value.expose().clone());
                }
            }
        }
        let is_own = |one: &&Credential| one.owner == Owner::Installation && one.provider == descriptor.name;
        let of_all = self.kept.iter().find(is_own);
        for (key, value) in of_all.into_iter().flat_map(|one| &one.fields) {
            shelf::put(&mut options, key, value.clone());
        }
        Ok(options)
    }

    fn stt(&self, name: &str) -> anyhow::Result<Arc<dyn SttService>> {
        let entry = providers::stt::PROVIDERS.find(name)?;
        let provider = entry.open(&self.options(entry.descriptor)?)?;
        let model = provider.settings().model().to_owned();
        let service = StreamStt::new(name, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
        Ok(Arc::new(service.priced_as(&model)))
    }

    fn tts(&self, name: &str) -> anyhow::Result<Arc<dyn TtsService>> {
        let entry = providers::tts::PROVIDERS.find(name)?;
        let provider = entry.open(&self.options(entry.descriptor)?)?;
        let model = provider.settings().model().to_owned();
        let service = StreamTts::new(name, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
        Ok(Arc::new(service.priced_as(&model)))
    }

    fn brain(&self, name: &str) -> anyhow::Result<Arc<dyn BrainService>> {
        let entry = providers::llm::PROVIDERS.find(name)?;
        let provider = entry.open(&self.options(entry.descriptor)?)?;
        let model = provider.settings().model().to_owned();
        let service = HttpBrain::new(name, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
        Ok(Arc::new(service.priced_as(&model)))
    }

    /// Who finds out what texts mean. Of this machine only when its models are loaded.
    fn embedders(&self, on_device: Option<&OnDevice>) -> anyhow::Result<Embedders> {
        let mut chain = Vec::new();
        for name in self.chain("embeddings", &self.config.embeddings, &providers::embed::PROVIDERS)? {
            if name == LOCAL {
                chain.extend(on_device.map(|on_device| Sited::here(on_device.embedder())));
                continue;
            }
            chain.push(self.embedder(&name)?);
        }
        Ok(Embedders(chain))
    }

    fn embedder(&self, name: &str) -> anyhow::Result<Sited<dyn EmbedService>> {
        let entry = providers::embed::PROVIDERS.find(name)?;
        let provider = entry.open(&self.options(entry.descriptor)?)?;
        let region = self.region(entry.descriptor, provider.settings())?;
        let model = provider.settings().model().to_owned();
        let service = HttpEmbed::new(name, &model, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
        Ok(Sited { service: Arc::new(service) as Arc<dyn EmbedService>, region })
    }

    /// Services that businesses may choose to embed their documents, and why others cannot be chosen.
    fn spaces(&self, store: &Arc<dyn Store>) -> Spaces {
        let offered = providers::embed::PROVIDERS.descriptors().map(|one| {
            let no_key = || format!("{} has no key: set {}, or providers.{}.api_key", one.title, one.key_env, one.name);
            let service = match self.is_configured(one) {
                true => self.embedder(one.name).map_err(|error| format!("{error:#}")),
                false => Err(no_key()),
            };
            Offered { name: one.name.to_owned(), title: one.title.to_owned(), service }
        });
        Spaces::new(Arc::clone(store), offered.collect(), budgets(self.config).month)
    }

    /// Where vectors lie beside our own rows.
    fn elsewhere(&self) -> anyhow::Result<Option<Elsewhere>> {
        let rules = &self.config.knowledge;
        if rules.index == LOCAL {
            return Ok(None);
        }
        let entry = providers::vectors::PROVIDERS.find(&rules.index).context("knowledge.index")?;
        let provider = entry.open(&self.options(entry.descriptor)?).context("knowledge.index")?;
        let name = entry.descriptor.name;
        let index = HttpVectors::new(name, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
        let from_passages = usize::try_from(rules.index_from_passages).unwrap_or(usize::MAX);
        Ok(Some(Elsewhere { index: Arc::new(index), from_passages }))
    }

    /// Who reads texts. What this machine can do about them needs no models, and finds names with one.
    fn readers(&self, slots: Arc<Semaphore>) -> anyhow::Result<Readers> {
        let config = &self.config.text;
        let stage = Stage { provider: config.provider.clone(), fallback: config.fallback.clone() };
        let mut chain = Vec::new();
        for name in self.chain("text", &stage, &providers::text::PROVIDERS)? {
            if name == LOCAL {
                let names = on_device::names(&on_device::model_dir(&self.config.models.dir)?);
                let service = LocalText::new(Arc::clone(&slots)).with_names(names);
                chain.push(Sited::here(Arc::new(service) as Arc<dyn TextService>));
                continue;
            }
            let entry = providers::text::PROVIDERS.find(&name)?;
            let provider = entry.open(&self.options(entry.descriptor)?)?;
            let region = self.region(entry.descriptor, provider.settings())?;
            let model = provider.settings().model().to_owned();
            let service = HttpText::new(&name, &model, Arc::new(move || provider.protocol()), Arc::clone(self.egress));
            chain.push(Sited { service: Arc::new(service) as Arc<dyn TextService>, region });
        }
        Ok(Readers { chain, after_calls: config.after_calls })
    }

    /// Where a provider processes what it is given: as the operator knows, as its descriptor says, or here.
    fn region(&self, descriptor: &Descriptor, settings: &Settings) -> anyhow::Result<Option<Region>> {
        let known =
            self.known_better(descriptor, DATA_REGION)?.map(|text| region(descriptor.name, &text)).transpose()?;
        let here = settings.is_on_loopback().then_some(Region::OnSite);
        Ok(known.or(descriptor.region).or(here))
    }
}

/// What a key of a provider's table means to one of the stages that it serves. One table is for all of them: the credential
/// and the address are shared, `model` is of the first of brain, stt, tts, embeddings and text services, an option is of whom it
/// is documented for, and `tts_model` and the like are of that stage alone.
fn own_key<'k>(descriptor: &Descriptor, key: &'k str) -> Option<&'k str> {
    let name = descriptor.name;
    let stages = [
        ("brain_", providers::llm::PROVIDERS.descriptors().find(|one| one.name == name)),
        ("stt_", providers::stt::PROVIDERS.descriptors().find(|one| one.name == name)),
        ("tts_", providers::tts::PROVIDERS.descriptors().find(|one| one.name == name)),
        ("embed_", providers::embed::PROVIDERS.descriptors().find(|one| one.name == name)),
        ("text_", providers::text::PROVIDERS.descriptors().find(|one| one.name == name)),
        ("vectors_", providers::vectors::PROVIDERS.descriptors().find(|one| one.name == name)),
    ];
    let stages: Vec<_> = stages.into_iter().filter_map(|(prefix, one)| Some((prefix, one?))).collect();
    let is_own = |one: &Descriptor| std::ptr::eq(one, descriptor);
    if let Some((prefix, one)) = stages.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return is_own(one).then(|| &key[prefix.len()..]);
    }
    let documents = |one: &Descriptor| one.extra.iter().any(|(known, _)| *known == key);
    let means_it = match key {
        "api_key" | "base_url" => true,
        "model" => stages.first().is_none_or(|(_, one)| is_own(one)),
        "voice" => descriptor.voice_env.is_some(),
        // What nobody documents is a mistake, and said to be one.
        _ => documents(descriptor) || !stages.iter().any(|(_, one)| documents(one)),
    };
    means_it.then_some(key)
}

fn region(provider: &str, text: &str) -> anyhow::Result<Region> {
    let known = "on_site, eu, uk, us, canada, india, asia_pacific, south_america, global";
    serde_json::from_value(text.into()).with_context(|| format!("providers.{provider}.{DATA_REGION} is one of {known}"))
}

fn quality(provider: &str, text: &str) -> anyhow::Result<u8> {
    let quality = text.parse().ok().filter(|quality| *quality <= 100);
    quality.with_context(|| format!("providers.{provider}.{QUALITY} is a whole number from 0 to 100"))
}

/// What may be spent.
pub fn budgets(config: &Config) -> Budgets {
    let cents = |cents: u32| (cents > 0).then(|| Money::from_usd_micros(i64::from(cents) * 10_000));
    Budgets { call: cents(config.budget.call_cents), month: cents(config.budget.month_cents) }
}

fn resolve(setting: &Setting, env: Env<'_>) -> anyhow::Result<Secret<String>> {
    setting.resolve(&|name| env(name)).map_err(|why| anyhow::anyhow!(why))
}

/// The phone platforms that are configured.
pub fn carrier_controls(config: &Config, env: Env<'_>) -> anyhow::Result<BTreeMap<String, Arc<dyn CarrierControl>>> {
    for name in config.carriers.keys() {
        if carrier_registry::descriptor(name).is_none() {
            bail!("carriers.{name}: there is no such phone platform; known are {}", carrier_registry::NAMES.join(", "));
        }
    }
    let mut controls = BTreeMap::new();
    for descriptor in carrier_registry::DESCRIPTORS {
        let table = config.carriers.get(descriptor.name);
        for key in table.into_iter().flat_map(BTreeMap::keys) {
            if !descriptor.settings.iter().any(|setting| setting.key == key) {
                let known: Vec<&str> = descriptor.settings.iter().map(|setting| setting.key).collect();
                bail!("carriers.{}.{key} is not known; known are {}", descriptor.name, known.join(", "));
            }
        }
        let configured = |key: &str| table.and_then(|table| resolve(table.get(key)?, env).ok());
        let settings = carrier_registry::Settings { configured: &configured, env: &|name| env(name) };
        let control =
            (descriptor.control)(&settings).map_err(|why| anyhow::anyhow!("carriers.{}: {why}", descriptor.name))?;
        if let Some(control) = control {
            controls.insert(descriptor.name.to_owned(), control);
        }
    }
    if !config.sip.listen.is_empty() {
        let trunks = carriers::sip::control::Control;
        controls.insert(trunks.name().to_owned(), Arc::new(trunks));
    }
    Ok(controls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn checked(text: &str) -> Result<Stages, String> {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), text).expect("written");
        let env = |_: &str| None;
        let config = load(&Sources { file: Some(file.path()), env: &env, overrides: &[] }).expect("well formed");
        check_providers(&config, &env).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn one_table_of_a_provider_serves_all_its_stages() {
        let table =
            "[stt]\nprovider = \"deepgram\"\n[tts]\nprovider = \"deepgram\"\n[providers.deepgram]\napi_key = \"k\"\n";
        let both =
            "model = \"nova-3\"\nendpointing_ms = \"300\"\ntts_model = \"aura-1\"\nspeed = \"1.1\"\nvoice = \"luna\"";
        checked(&format!("{table}{both}")).expect("each stage takes what is its own");
        let error = checked(&format!("{table}tts_model = \"nova-3\"")).expect_err("no voice");
        assert!(error.contains("aura-2"), "{error}");
        let error = checked(&format!("{table}spead = \"1.1\"")).expect_err("misspelt");
        assert!(error.contains("spead"), "{error}");
    }

    #[cfg(not(feature = "gguf"))]
    #[test]
    fn a_build_without_a_language_model_says_how_to_get_one_and_what_to_use_instead() {
        let error = checked("[models]\ngguf = \"/m.gguf\"\n[brain]\nprovider = \"gguf\"").expect_err("cannot");
        assert!(error.contains("cargo build -p frontdesk --features gguf"), "{error}");
        assert!(error.contains("speaks chat completions") && error.contains("config providers"), "{error}");
    }

    #[cfg(feature = "gguf")]
    #[test]
    fn a_language_model_must_be_named_and_be_there() {
        let error = checked("[brain]\nprovider = \"gguf\"").expect_err("no file");
        assert!(error.contains("needs models.gguf"), "{error}");
        let error = checked("[models]\ngguf = \"/m.gguf\"\n[brain]\nprovider = \"gguf\"").expect_err("no file");
        assert!(error.contains("there is no file /m.gguf"), "{error}");
    }

    #[test]
    fn a_language_model_is_a_brain_and_no_voice() {
        let error = checked("[tts]\nprovider = \"gguf\"").expect_err("no voice");
        assert!(error.contains("tts.provider"), "{error}");
        assert!(checked("").expect("the defaults")[2].1.iter().all(|name| name != GGUF));
    }
}
