//! Businesses, agents and numbers.

use super::{PAGE, SqliteStore, from_json, get, map_error, missing, sql, to_json, within};
use crate::contract::{Agents, Answer, Businesses, NumberRoute, Numbers, VersionedAgent};
use crate::error::StoreError;
use async_trait::async_trait;
use base::{AgentId, BusinessId, NumberId, PhoneNumber};
use model::agent::Agent;
use model::business::{Business, Number, TenantScope};
use sqlx::query;
use sqlx::sqlite::SqliteRow;

fn read_business(row: &SqliteRow) -> Answer<Business> {
    Ok(Business {
        id: BusinessId(get(row, "id")?),
        slug: get(row, "slug")?,
        name: get(row, "name")?,
        time_zone: get(row, "time_zone")?,
    })
}

#[async_trait]
impl Businesses for SqliteStore {
    async fn put_business(&self, scope: &TenantScope, business: &Business) -> Answer<()> {
        if business.id != scope.business {
            return Err(missing("business"));
        }
        let put = query(sql::PUT_BUSINESS).bind(business.id.0).bind(&business.slug).bind(&business.name);
        within(async { put.bind(&business.time_zone).execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }

    async fn business(&self, scope: &TenantScope) -> Answer<Business> {
        let find = query(sql::BUSINESS).bind(scope.business.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_business(&row.ok_or(missing("business"))?)
    }

    async fn businesses(&self, after_slug: Option<&str>) -> Answer<Vec<Business>> {
        let find = query(sql::BUSINESSES).bind(after_slug.unwrap_or("")).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_business).collect()
    }

    async fn business_by_slug(&self, slug: &str) -> Answer<Business> {
        let find = query(sql::BUSINESS_BY_SLUG).bind(slug);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_business(&row.ok_or(missing("business"))?)
    }
}

fn read_agent(row: &SqliteRow) -> Answer<VersionedAgent> {
    let config: &str = get(row, "config")?;
    Ok(VersionedAgent { agent: from_json("agent", config)?, version: get(row, "version")? })
}

#[async_trait]
impl Agents for SqliteStore {
    async fn put_agent(&self, scope: &TenantScope, agent: &Agent, expected: Option<u32>) -> Answer<u32> {
        if agent.business != scope.business {
            return Err(missing("agent"));
        }
        let config = to_json(agent)?;
        within(async {
            let mut write = self.begin().await?;
            let find = query(sql::AGENT_VERSION).bind(scope.business.0).bind(agent.id.0);
            let row = find.fetch_optional(&mut *write).await.map_err(map_error)?;
            let version: u32 = row.as_ref().map_or(Ok(0), |row| get(row, "version"))?;
            if expected.is_some_and(|expected| expected != version) {
                return Err(StoreError::Conflict(format!(
                    "the agent was changed meanwhile: it is at version {version}"
                )));
            }
            let statement = if version == 0 { sql::INSERT_AGENT } else { sql::UPDATE_AGENT };
            let put = query(statement).bind(agent.id.0).bind(scope.business.0).bind(&agent.slug).bind(&config);
            put.execute(&mut *write).await.map_err(map_error)?;
            write.commit().await.map_err(map_error)?;
            Ok(version + 1)
        })
        .await
    }

    async fn agent(&self, scope: &TenantScope, id: AgentId) -> Answer<VersionedAgent> {
        let find = query(sql::AGENT).bind(scope.business.0).bind(id.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_agent(&row.ok_or(missing("agent"))?)
    }

    async fn agent_by_slug(&self, scope: &TenantScope, slug: &str) -> Answer<VersionedAgent> {
        let find = query(sql::AGENT_BY_SLUG).bind(scope.business.0).bind(slug);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_agent(&row.ok_or(missing("agent"))?)
    }

    async fn agents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<VersionedAgent>> {
        let find = query(sql::AGENTS).bind(scope.business.0).bind(after_slug.unwrap_or("")).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_agent).collect()
    }
}

fn read_number(row: &SqliteRow) -> Answer<Number> {
    let number: &str = get(row, "number")?;
    Ok(Number {
        id: NumberId(get(row, "id")?),
        business: BusinessId(get(row, "business")?),
        number: number.parse().map_err(|_| StoreError::Corrupt("a phone number".into()))?,
        carrier: get(row, "carrier")?,
        agent: AgentId(get(row, "agent")?),
    })
}

#[async_trait]
impl Numbers for SqliteStore {
    async fn put_number(&self, scope: &TenantScope, number: &Number) -> Answer<()> {
        if number.business != scope.business {
            return Err(missing("number"));
        }
        let put = query(sql::PUT_NUMBER).bind(number.id.0).bind(scope.business.0).bind(number.number.expose());
        let put = put.bind(&number.carrier).bind(number.agent.0);
        let done = within(async { put.execute(&self.writer).await.map_err(map_error) }).await?;
        if done.rows_affected() == 0 { Err(missing("number")) } else { Ok(()) }
    }

    async fn number(&self, scope: &TenantScope, id: NumberId) -> Answer<Number> {
        let find = query(sql::NUMBER).bind(scope.business.0).bind(id.0);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_number(&row.ok_or(missing("number"))?)
    }

    async fn numbers(&self, scope: &TenantScope, after: Option<&PhoneNumber>) -> Answer<Vec<Number>> {
        let after = after.map_or("", PhoneNumber::expose);
        let find = query(sql::NUMBERS).bind(scope.business.0).bind(after).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_number).collect()
    }

    async fn route_number(&self, carrier: &str, number: &PhoneNumber) -> Answer<NumberRoute> {
        let find = query(sql::ROUTE_NUMBER).bind(carrier).bind(number.expose());
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        let row = row.ok_or(missing("number"))?;
        Ok(NumberRoute {
            scope: TenantScope { business: BusinessId(get(&row, "business")?) },
            agent: AgentId(get(&row, "agent")?),
            number: NumberId(get(&row, "id")?),
        })
    }
}
