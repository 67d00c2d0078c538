//! `frontdesk knowledge embedding`: what embeds the documents of a business, and another choice.

use super::{Bar, OfBusiness, Tally, minds, open};
use crate::config::Config;
use anyhow::Context as _;
use egress::{Egress, EgressConfig, Policy};
use knowledge::ingest::{self, Again};
use model::business::TenantScope;
use runtime::documents::embedding::{Chosen, kept_embedding};
use runtime::documents::{Documents, Web};
use runtime::on_device::{LocalBrain, NAME, StoredMinds, model_slots};
use runtime::wall_ms;
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use store::objects::{ObjectPlace, Objects};

pub(super) async fn embedding(config: &Config, of: &OfBusiness, service: Option<&str>) -> anyhow::Result<ExitCode> {
    let (store, scope) = open(config, of).await?;
    let minds = minds(config, &store).await?;
    let documents = documents(&store, &minds)?;
    let code = match service {
        None => list(&store, &scope, &documents).await?,
        Some(NAME) => {
            documents.serve_embedding(&scope, None).await?;
            println!("the model of this machine serves");
            ExitCode::SUCCESS
        }
        Some(service) => {
            let chosen = documents.try_embedding(&scope, service).await?;
            println!("{service} answers: {}", chosen.space);
            embed_all(&store, &scope, &minds, &documents, chosen).await?
        }
    };
    store.close().await;
    Ok(code)
}

fn documents(store: &Arc<dyn Store>, minds: &StoredMinds) -> anyhow::Result<Documents> {
    let brain = Arc::new(LocalBrain::new(model_slots()));
    // Nothing waits in storage: what is embedded here is embedded at once.
    let objects = Objects::open(&ObjectPlace::Memory, store.keyring().clone()).map_err(|why| anyhow::anyhow!(why))?;
    let web = Web::new(Arc::new(Egress::new(EgressConfig::new(Policy::Tenant))));
    Ok(Documents::new(Arc::clone(store), objects, minds.clone(), brain, web))
}

async fn list(store: &Arc<dyn Store>, scope: &TenantScope, documents: &Documents) -> anyhow::Result<ExitCode> {
    let serving = kept_embedding(store.as_ref(), scope).await?.0.serving;
    let serves = |name: &str| match serving.as_ref().map_or(NAME, |one| &one.provider) == name {
        true => "serves",
        false => "",
    };
    println!("{NAME:14} {:6}  the model of this machine", serves(NAME));
    for one in documents.embedders() {
        let state = match &one.service {
            Ok(sited) => sited.service.space(),
            Err(why) => why,
        };
        println!("{:14} {:6}  {state}", one.name, serves(&one.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives all passages the vectors of a service, and lets it serve when none was left out.
async fn embed_all(
    store: &Arc<dyn Store>,
    scope: &TenantScope,
    minds: &StoredMinds,
    documents: &Documents,
    chosen: Chosen,
) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let again = Again::Missing(chosen.space.clone());
    for document in ingest::documents(store.as_ref(), scope).await? {
        let bar = Bar::of(&document.slug);
        let outcome = minds.ingest().reindex(scope, &document.slug, &again, wall_ms(), &bar).await;
        drop(bar);
        tally.note(&document.slug, outcome.as_ref().map_err(ToString::to_string));
    }
    let code = tally.end();
    if tally.refused > 0 {
        println!("what served before does still");
        return Ok(code);
    }
    let provider = chosen.provider.clone();
    documents.serve_embedding(scope, Some(chosen)).await.context("the choice is not kept")?;
    println!("{provider} serves");
    Ok(code)
}
