//! Businesses, agents and numbers.

use super::drafts::status_of;
use crate::args;
use crate::contract::{Agents, Answer, Businesses, NumberRoute, Numbers, VersionedAgent};
use crate::db::{Db, DbRow, PAGE, missing, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, BusinessId, NumberId, PhoneNumber};
use model::agent::Agent;
use model::business::{Business, Number, TenantScope};

fn read_business(row: &DbRow) -> Answer<Business> {
    Ok(Business {
        id: BusinessId(row.get("id")?),
        slug: row.get("slug")?,
        name: row.get("name")?,
        time_zone: row.get("time_zone")?,
    })
}

#[async_trait]
impl Businesses for SqlStore {
    async fn put_business(&self, scope: &TenantScope, business: &Business) -> Answer<()> {
        if business.id != scope.business {
            return Err(missing("business"));
        }
        let args = args![business.id.0, &business.slug, &business.name, &business.time_zone];
        self.db.write(scope, sql::PUT_BUSINESS, args).await.map(drop)
    }

    async fn business(&self, scope: &TenantScope) -> Answer<Business> {
        read_business(&self.need(scope, "business", sql::BUSINESS, args![scope.business.0]).await?)
    }

    async fn businesses(&self, after_slug: Option<&str>) -> Answer<Vec<Business>> {
        let reach = Db::across("the operator of the installation sees all businesses");
        let rows = self.db.read(reach, sql::BUSINESSES, args![after_slug.unwrap_or(""), PAGE]).await?;
        rows.iter().map(read_business).collect()
    }

    async fn business_by_slug(&self, slug: &str) -> Answer<Business> {
        let reach = Db::across("whose a short name is");
        read_business(&self.need(reach, "business", sql::BUSINESS_BY_SLUG, args![slug]).await?)
    }
}

fn read_agent(row: &DbRow) -> Answer<VersionedAgent> {
    Ok(VersionedAgent { agent: row.json("config")?, version: row.get("version")?, status: status_of(row)? })
}

#[async_trait]
impl Agents for SqlStore {
    async fn put_agent(&self, scope: &TenantScope, agent: &Agent, expected: Option<u32>) -> Answer<u32> {
        if agent.business != scope.business {
            return Err(missing("agent"));
        }
        let config = to_json(agent)?;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::AGENT_TO_CHANGE, args![scope.business.0, agent.id.0]).await?;
        let version: u32 = row.as_ref().map_or(Ok(0), |row| row.get("version"))?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the agent was changed meanwhile: it is at version {version}")));
        }
        let statement = if row.is_none() { sql::INSERT_AGENT } else { sql::UPDATE_AGENT };
        tx.write(statement, args![agent.id.0, scope.business.0, &agent.slug, &config]).await?;
        let nobody = None::<&str>;
        let args = args![agent.id.0, version + 1, scope.business.0, &config, nobody, nobody, 0i64];
        tx.write(sql::INSERT_VERSION, args).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn agent(&self, scope: &TenantScope, id: AgentId) -> Answer<VersionedAgent> {
        read_agent(&self.need(scope, "agent", sql::AGENT, args![scope.business.0, id.0]).await?)
    }

    async fn agent_by_slug(&self, scope: &TenantScope, slug: &str) -> Answer<VersionedAgent> {
        read_agent(&self.need(scope, "agent", sql::AGENT_BY_SLUG, args![scope.business.0, slug]).await?)
    }

    async fn agents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<VersionedAgent>> {
        let args = args![scope.business.0, after_slug.unwrap_or(""), PAGE];
        self.db.read(scope, sql::AGENTS, args).await?.iter().map(read_agent).collect()
    }
}

fn read_number(row: &DbRow) -> Answer<Number> {
    let number: String = row.get("number")?;
    Ok(Number {
        id: NumberId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        number: number.parse().map_err(|_| StoreError::Corrupt("a phone number".into()))?,
        carrier: row.get("carrier")?,
        agent: AgentId(row.get("agent")?),
    })
}

#[async_trait]
impl Numbers for SqlStore {
    async fn put_number(&self, scope: &TenantScope, number: &Number) -> Answer<()> {
        if number.business != scope.business {
            return Err(missing("number"));
        }
        let dialled = number.number.expose();
        let args = args![number.id.0, scope.business.0, dialled, &number.carrier, number.agent.0];
        let count = self.db.write(scope, sql::PUT_NUMBER, args).await?;
        if count == 0 { Err(missing("number")) } else { Ok(()) }
    }

    async fn number(&self, scope: &TenantScope, id: NumberId) -> Answer<Number> {
        read_number(&self.need(scope, "number", sql::NUMBER, args![scope.business.0, id.0]).await?)
    }

    async fn numbers(&self, scope: &TenantScope, after: Option<&PhoneNumber>) -> Answer<Vec<Number>> {
        let after = after.map_or("", PhoneNumber::expose);
        let rows = self.db.read(scope, sql::NUMBERS, args![scope.business.0, after, PAGE]).await?;
        rows.iter().map(read_number).collect()
    }

    async fn route_number(&self, carrier: &str, number: &PhoneNumber) -> Answer<NumberRoute> {
        let reach = Db::across("whose a dialled number is");
        let row = self.need(reach, "number", sql::ROUTE_NUMBER, args![carrier, number.expose()]).await?;
        Ok(NumberRoute {
            scope: TenantScope { business: BusinessId(row.get("business")?) },
            agent: AgentId(row.get("agent")?),
            number: NumberId(row.get("id")?),
        })
    }
}
