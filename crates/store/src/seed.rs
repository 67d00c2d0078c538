//! Brings a business that a file describes into a store. Running it again changes nothing.

use crate::contract::{Answer, Document, Store};
use crate::error::StoreError;
use base::{AgentId, BusinessId, NumberId};
use model::business::TenantScope;
use model::seed::{Seed, SeedTable};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What happens to rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedMode {
    /// They stay as people have changed them; only missing ones are added.
    Missing,
    /// They become as described, and keep their ids.
    Replace,
}

/// Brings a business, its agents, numbers, documents and tables into the store. `documents` are the texts that
/// `seed.documents` names.
pub async fn seed(
    store: &dyn Store,
    seed: &Seed,
    documents: &[model::seed::Document],
    mode: SeedMode,
) -> Answer<TenantScope> {
    let known = found(store.business_by_slug(&seed.business.slug).await)?;
    let id = known.as_ref().map_or_else(BusinessId::generate, |business| business.id);
    let scope = TenantScope { business: id };
    if known.is_none() || mode == SeedMode::Replace {
        store.put_business(&scope, &seed.business.business(id)).await?;
    }
    let agents = seed_agents(store, &scope, seed, mode).await?;
    for number in &seed.numbers {
        let agent = agents.get(number.agent.as_str()).ok_or(StoreError::NotFound("agent that a number names"))?;
        let known = found(store.route_number(&number.carrier, &number.number).await)?;
        // A number of another business is left to `put_number`, which refuses it.
        let ours = known.filter(|route| route.scope == scope).map(|route| route.number);
        if ours.is_none() || mode == SeedMode::Replace {
            let number = number.number(ours.unwrap_or_else(NumberId::generate), id, *agent);
            store.put_number(&scope, &number).await?;
        }
    }
    for document in documents {
        let slug = slug(&document.title);
        if mode == SeedMode::Replace || found(store.document(&scope, &slug).await)?.is_none() {
            let document = Document { slug, title: document.title.clone(), text: document.text.clone() };
            store.put_document(&scope, &document).await?;
        }
    }
    for table in &seed.tables {
        seed_table(store, &scope, table, mode).await?;
    }
    Ok(scope)
}

async fn seed_agents<'a>(
    store: &dyn Store,
    scope: &TenantScope,
    seed: &'a Seed,
    mode: SeedMode,
) -> Answer<BTreeMap<&'a str, AgentId>> {
    let mut agents = BTreeMap::new();
    for described in &seed.agents {
        let known = found(store.agent_by_slug(scope, &described.slug).await)?.map(|known| known.agent);
        let id = known.as_ref().map_or_else(AgentId::generate, |agent| agent.id);
        let agent = described.agent(id, scope.business);
        let changed = known.as_ref() != Some(&agent);
        if known.is_none() || (changed && mode == SeedMode::Replace) {
            store.put_agent(scope, &agent, None).await?;
        }
        agents.insert(described.slug.as_str(), id);
    }
    Ok(agents)
}

async fn seed_table(store: &dyn Store, scope: &TenantScope, table: &SeedTable, mode: SeedMode) -> Answer<()> {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for row in &table.rows {
        *uses.entry(first_column(row)).or_default() += 1;
    }
    for (index, row) in table.rows.iter().enumerate() {
        let first = first_column(row);
        // The first column names a row where it can; else its place does.
        let key = if uses.get(&first) == Some(&1) && !first.is_empty() { first } else { format!("row-{index:06}") };
        if mode == SeedMode::Replace || found(store.row(scope, &table.name, &key).await)?.is_none() {
            store.put_row(scope, &table.name, &key, &Value::Object(row.clone())).await?;
        }
    }
    Ok(())
}

fn first_column(row: &Map<String, Value>) -> String {
    row.values().next().map(crate::contract::cell_text).unwrap_or_default().to_ascii_lowercase()
}

fn found<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A short name from a title: lower case, words joined by hyphens.
pub fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
