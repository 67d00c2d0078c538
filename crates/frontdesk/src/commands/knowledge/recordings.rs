//! Recorded calls: heard here, and what they propose decided on.

use super::{Bar, Decide, OfBusiness, Tally, minds, open};
use crate::config::Config;
use crate::on_device::model_dir;
use anyhow::{Context as _, bail};
use egress::{Egress, EgressConfig, Policy};
use knowledge::Structured;
use knowledge::ingest::{Quiet, Source, slug};
use local::speech::{NeuralVad, Recognizer};
use model::business::TenantScope;
use runtime::documents::recordings::{AgentSide, Ears, GivenCall, Heard, accepted};
use runtime::documents::{Content, Documents, Web};
use runtime::on_device::{LocalBrain, StoredMinds, model_slots};
use runtime::wall_ms;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use store::heard::{Proposal, ProposalState};
use store::objects::{ObjectPlace, Objects};
use uuid::Uuid;

/// Digits of an id that tell proposals apart.
const ID_DIGITS: usize = 12;

/// Hears recordings, with models that are loaded when the first one comes.
pub(super) struct Hearing<'a> {
    config: &'a Config,
    store: &'a Arc<dyn Store>,
    minds: &'a StoredMinds,
    agent: AgentSide,
    documents: Option<Documents>,
}

impl<'a> Hearing<'a> {
    pub(super) const fn new(
        config: &'a Config,
        store: &'a Arc<dyn Store>,
        minds: &'a StoredMinds,
        agent_left: bool,
    ) -> Self {
        let agent = if agent_left { AgentSide::Left } else { AgentSide::Right };
        Self { config, store, minds, agent, documents: None }
    }

    pub(super) async fn add(&mut self, scope: &TenantScope, file: &Path, bytes: &[u8], tally: &mut Tally) {
        let (name, agent) = (file.display().to_string(), self.agent);
        let documents = match self.documents().await {
            Ok(documents) => documents,
            Err(error) => return tally.note(&name, Err(format!("{error:#}"))),
        };
        let bar = Bar::of("seconds of speech");
        let heard = documents.hear(scope, GivenCall { name: &name, bytes, agent }, &bar).await;
        drop(bar);
        match heard {
            Ok(Heard::Before(_)) => tally.unchanged(&name),
            Ok(Heard::Now { proposals, .. }) => {
                tally.taken += 1;
                println!(
                    "{name}: a recorded call, {proposals} questions with answers to decide on; see `knowledge proposals`"
                );
            }
            Err(error) => tally.note(&name, Err(error.to_string())),
        }
    }

    async fn documents(&mut self) -> anyhow::Result<&Documents> {
        if self.documents.is_none() {
            let dir = model_dir(&self.config.models.dir)?;
            let load = move || -> anyhow::Result<Ears> {
                Ok(Ears::new(Arc::new(Recognizer::load(&dir)?), NeuralVad::load(&dir)?))
            };
            let ears = tokio::task::spawn_blocking(load).await.context("loading models stopped")??;
            let brain = Arc::new(LocalBrain::new(model_slots()));
            brain.load_from(Arc::new(self.minds.clone()));
            // Nothing waits in storage: what is heard here is heard at once.
            let objects = Objects::open(&ObjectPlace::Memory, self.store.keyring().clone());
            let objects = objects.map_err(|why| anyhow::anyhow!(why))?;
            let web = Web::new(Arc::new(Egress::new(EgressConfig::new(Policy::Tenant))));
            let documents = Documents::new(Arc::clone(self.store), objects, self.minds.clone(), brain, web);
            self.documents = Some(documents.with_ears(Some(Arc::new(ears))));
        }
        self.documents.as_ref().context("what hears recordings is not loaded")
    }
}

impl Tally {
    fn unchanged(&mut self, name: &str) {
        self.unchanged += 1;
        println!("{name}: heard before");
    }
}

pub(super) async fn proposals(config: &Config, of: &OfBusiness) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let all = open_ones(store.as_ref(), &scope).await?;
    for one in &all {
        let seconds = one.from_ms / 1_000;
        println!("{}  {} ({} at {}:{:02})", short(one.id), one.question, one.source, seconds / 60, seconds % 60);
        println!("{:ID_DIGITS$}  {}", "", one.answer);
    }
    println!("{} to decide on", all.len());
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn accept(config: &Config, which: &Decide) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, &which.of).await?;
    let wanted = wanted(store.as_ref(), &scope, which).await?;
    let minds = minds(config, &store).await?;
    let mut tally = Tally::default();
    for one in wanted {
        let given = accepted(&one);
        let Content::Pairs(pairs) = given.content else { continue };
        let bytes = serde_json::to_vec(&pairs)?;
        let slug = slug(&given.document);
        let source = Source { slug: &slug, title: given.title.as_deref(), source: &given.name, bytes: &bytes };
        let read = Structured::of_pairs(&pairs);
        let outcome = minds.ingest().add_read(&scope, &source, read, wall_ms(), &Quiet).await;
        if outcome.is_ok() {
            store.settle_proposals(&scope, &[one.id], ProposalState::Accepted, wall_ms()).await?;
        }
        tally.note(&one.question, outcome.as_ref().map_err(ToString::to_string));
    }
    store.close().await;
    Ok(tally.end())
}

pub(super) async fn reject(config: &Config, which: &Decide) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, &which.of).await?;
    let ids: Vec<Uuid> = wanted(store.as_ref(), &scope, which).await?.iter().map(|one| one.id).collect();
    let rejected = store.settle_proposals(&scope, &ids, ProposalState::Rejected, wall_ms()).await?;
    println!("{rejected} rejected");
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn open_ones(store: &dyn Store, scope: &TenantScope) -> anyhow::Result<Vec<Proposal>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.proposals(scope, ProposalState::Open, after, base::limits::PAGE_ROWS_MAX).await?;
        all.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn wanted(store: &dyn Store, scope: &TenantScope, which: &Decide) -> anyhow::Result<Vec<Proposal>> {
    let all = open_ones(store, scope).await?;
    if which.all {
        return Ok(all);
    }
    let mut found: Vec<Proposal> = Vec::new();
    for id in &which.ids {
        let meant: Vec<&Proposal> = all.iter().filter(|one| whole(one.id).ends_with(&id.replace('-', ""))).collect();
        match meant.as_slice() {
            [one] => found.push((*one).clone()),
            [] => bail!("{id}: no proposal of this id is open"),
            _ => bail!("{id}: several open proposals end so; give more of the id"),
        }
    }
    Ok(found)
}

fn whole(id: Uuid) -> String {
    id.as_simple().to_string()
}

/// The end of an id: its beginning is the time, which proposals of one call share.
fn short(id: Uuid) -> String {
    let whole = whole(id);
    whole[whole.len() - ID_DIGITS..].to_owned()
}
