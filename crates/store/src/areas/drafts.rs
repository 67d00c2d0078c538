//! Drafts, versions and status of agents.

use crate::args;
use crate::contract::drafts::{AgentFilter, AgentVersion, DraftedAgent, Drafts, Publication};
use crate::contract::{Agents, Answer, Calls, VersionedAgent};
use crate::db::{DbRow, Tx, missing, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, CallId};
use model::agent::{Agent, AgentStatus};
use model::business::TenantScope;

/// After every short name: these hold letters, digits and hyphens.
const AFTER_ALL_SLUGS: &str = "~";

fn read_drafted(row: &DbRow) -> Answer<DraftedAgent> {
    let config: Agent = row.json("config")?;
    let version: u32 = row.get("version")?;
    let draft: Option<Agent> = row.json_option("draft")?;
    Ok(DraftedAgent {
        draft: draft.unwrap_or_else(|| config.clone()),
        published: (version > 0).then_some(config),
        version,
        revision: row.get("revision")?,
        status: status_of(row)?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

fn read_version(row: &DbRow) -> Answer<AgentVersion> {
    Ok(AgentVersion {
        version: row.get("version")?,
        agent: row.json("config")?,
        note: row.get("note")?,
        published_by: row.get("published_by")?,
        published_at_ms: row.get("published_at_ms")?,
    })
}

pub(super) fn status_of(row: &DbRow) -> Answer<AgentStatus> {
    row.word("status")
}

/// A text that holds these words, as a pattern of `LIKE`.
pub(super) fn pattern(words: &str) -> String {
    let mut pattern = String::from("%");
    for sign in words.to_lowercase().chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern + "%"
}

/// Reads an agent in order to change it.
async fn to_change(tx: &mut Tx, scope: &TenantScope, id: AgentId, expected: Option<u32>) -> Answer<DraftedAgent> {
    let row = tx.read_one(sql::DRAFTED_TO_CHANGE, args![scope.business.0, id.0]).await?.ok_or(missing("agent"))?;
    let known = read_drafted(&row)?;
    if expected.is_some_and(|expected| expected != known.revision) {
        return Err(StoreError::Conflict(format!(
            "the agent was changed meanwhile: it is at revision {}",
            known.revision
        )));
    }
    Ok(known)
}

fn not_archived(known: &DraftedAgent) -> Answer<()> {
    match known.status {
        AgentStatus::Archived => Err(StoreError::Conflict("the agent is archived".into())),
        AgentStatus::Enabled | AgentStatus::Disabled => Ok(()),
    }
}

/// Writes a version down and puts it on the line.
async fn publish_in(
    tx: &mut Tx,
    scope: &TenantScope,
    known: &DraftedAgent,
    agent: &Agent,
    publication: Publication<'_>,
) -> Answer<()> {
    let config = to_json(agent)?;
    let id = agent.id.0;
    tx.write(sql::PUBLISH, args![scope.business.0, id, &config, publication.at_ms]).await?;
    let Publication { note, by, at_ms } = publication;
    tx.write(sql::INSERT_VERSION, args![id, known.version + 1, scope.business.0, &config, note, Some(by), at_ms])
        .await?;
    Ok(())
}

impl SqlStore {
    async fn drafted_again(&self, mut tx: Tx, scope: &TenantScope, id: AgentId) -> Answer<DraftedAgent> {
        let row = tx.read_one(sql::DRAFTED, args![scope.business.0, id.0]).await?.ok_or(missing("agent"))?;
        let drafted = read_drafted(&row)?;
        tx.commit().await?;
        Ok(drafted)
    }
}

#[async_trait]
impl Drafts for SqlStore {
    async fn create_draft(&self, scope: &TenantScope, agent: &Agent, at_ms: i64) -> Answer<DraftedAgent> {
        if agent.business != scope.business {
            return Err(missing("agent"));
        }
        let mut tx = self.db.begin(scope).await?;
        let args = args![agent.id.0, scope.business.0, &agent.slug, to_json(agent)?, at_ms];
        let written = tx.write(sql::CREATE_DRAFT, args).await;
        written.map_err(|error| match error {
            StoreError::Conflict(_) => StoreError::Conflict("another agent has this short name".into()),
            other => other,
        })?;
        self.drafted_again(tx, scope, agent.id).await
    }

    async fn drafted(&self, scope: &TenantScope, id: AgentId) -> Answer<DraftedAgent> {
        read_drafted(&self.need(scope, "agent", sql::DRAFTED, args![scope.business.0, id.0]).await?)
    }

    async fn drafted_agents(
        &self,
        scope: &TenantScope,
        filter: &AgentFilter,
        after_slug: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<DraftedAgent>> {
        let (one, other) = match filter.status {
            Some(status) => (status.name(), status.name()),
            None => (AgentStatus::Enabled.name(), AgentStatus::Disabled.name()),
        };
        let (statement, from) =
            if filter.descending { (sql::DRAFTED_AGENTS_DOWN, AFTER_ALL_SLUGS) } else { (sql::DRAFTED_AGENTS, "") };
        let like = pattern(filter.words.as_deref().unwrap_or_default());
        let args = args![scope.business.0, after_slug.unwrap_or(from), one, other, like, rows_max];
        self.db.read(scope, statement, args).await?.iter().map(read_drafted).collect()
    }

    async fn put_draft(
        &self,
        scope: &TenantScope,
        agent: &Agent,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<DraftedAgent> {
        let mut tx = self.db.begin(scope).await?;
        let known = to_change(&mut tx, scope, agent.id, expected).await?;
        not_archived(&known)?;
        let fixed = Agent { id: agent.id, business: scope.business, slug: known.draft.slug, ..agent.clone() };
        tx.write(sql::PUT_DRAFT, args![scope.business.0, agent.id.0, to_json(&fixed)?, at_ms]).await?;
        self.drafted_again(tx, scope, agent.id).await
    }

    async fn publish(
        &self,
        scope: &TenantScope,
        id: AgentId,
        expected: Option<u32>,
        publication: Publication<'_>,
    ) -> Answer<DraftedAgent> {
        let mut tx = self.db.begin(scope).await?;
        let known = to_change(&mut tx, scope, id, expected).await?;
        not_archived(&known)?;
        publish_in(&mut tx, scope, &known, &known.draft, publication).await?;
        self.drafted_again(tx, scope, id).await
    }

    async fn roll_back(
        &self,
        scope: &TenantScope,
        id: AgentId,
        version: u32,
        expected: Option<u32>,
        publication: Publication<'_>,
    ) -> Answer<DraftedAgent> {
        let mut tx = self.db.begin(scope).await?;
        let known = to_change(&mut tx, scope, id, expected).await?;
        not_archived(&known)?;
        let row = tx.read_one(sql::AGENT_VERSION, args![scope.business.0, id.0, version]).await?;
        let old = read_version(&row.ok_or(missing("version"))?)?;
        publish_in(&mut tx, scope, &known, &old.agent, publication).await?;
        self.drafted_again(tx, scope, id).await
    }

    async fn set_agent_status(
        &self,
        scope: &TenantScope,
        id: AgentId,
        status: AgentStatus,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<DraftedAgent> {
        let mut tx = self.db.begin(scope).await?;
        to_change(&mut tx, scope, id, expected).await?;
        if status == AgentStatus::Archived
            && tx.read_one(sql::AGENT_HAS_NUMBERS, args![scope.business.0, id.0]).await?.is_some()
        {
            return Err(StoreError::Conflict("numbers lead to this agent; give them to another one first".into()));
        }
        tx.write(sql::SET_AGENT_STATUS, args![scope.business.0, id.0, status.name(), at_ms]).await?;
        self.drafted_again(tx, scope, id).await
    }

    async fn agent_versions(
        &self,
        scope: &TenantScope,
        id: AgentId,
        below: Option<u32>,
        rows_max: u32,
    ) -> Answer<Vec<AgentVersion>> {
        let args = args![scope.business.0, id.0, below.map_or(i64::MAX, i64::from), rows_max];
        self.db.read(scope, sql::AGENT_VERSIONS, args).await?.iter().map(read_version).collect()
    }

    async fn agent_version(&self, scope: &TenantScope, id: AgentId, version: u32) -> Answer<AgentVersion> {
        let args = args![scope.business.0, id.0, version];
        read_version(&self.need(scope, "version", sql::AGENT_VERSION, args).await?)
    }

    async fn agent_of_call(&self, scope: &TenantScope, call: CallId) -> Answer<VersionedAgent> {
        let row = self.db.read_one(scope, sql::AGENT_OF_CALL, args![scope.business.0, call.0]).await?;
        match row {
            Some(row) => Ok(VersionedAgent {
                agent: row.json("config")?,
                version: row.get("version")?,
                status: status_of(&row)?,
            }),
            // A call from before versions were written down.
            None => {
                let agent = self.call(scope, call).await?.agent;
                self.agent(scope, agent).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_with_a_meaning_are_searched_as_themselves() {
        assert_eq!(super::pattern("50%_A\\b"), "%50\\%\\_a\\\\b%");
    }
}
