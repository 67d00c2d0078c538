//! Numbers with their labels and routes.

use crate::args;
use crate::contract::Answer;
use crate::contract::lines::{CarrierFigures, LineFilter, LineRow, Lines};
use crate::db::{DbRow, missing, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{AgentId, BusinessId, NumberId};
use model::business::{Number, TenantScope};

fn read_line(row: &DbRow) -> Answer<LineRow> {
    let number: String = row.get("number")?;
    Ok(LineRow {
        number: Number {
            id: NumberId(row.get("id")?),
            business: BusinessId(row.get("business")?),
            number: number.parse().map_err(|_| StoreError::Corrupt("a phone number".into()))?,
            carrier: row.get("carrier")?,
            agent: AgentId(row.get("agent")?),
        },
        label: row.get("label")?,
        hours: row.json_option("hours")?,
        overflow: row.json_option("overflow")?,
        version: row.get("version")?,
    })
}

fn taken(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict(_) => StoreError::Conflict("this number is taken on this carrier".into()),
        other => other,
    }
}

#[async_trait]
impl Lines for SqlStore {
    async fn create_line(&self, scope: &TenantScope, line: &LineRow) -> Answer<()> {
        let LineRow { number, label, hours, overflow, .. } = line;
        if number.business != scope.business {
            return Err(missing("number"));
        }
        let hours = hours.as_ref().map(to_json).transpose()?;
        let overflow = overflow.as_ref().map(to_json).transpose()?;
        let dialled = number.number.expose();
        let (id, business, agent) = (number.id.0, scope.business.0, number.agent.0);
        let args = args![id, business, dialled, &number.carrier, agent, label, hours, overflow];
        self.db.write(scope, sql::INSERT_LINE, args).await.map(drop).map_err(taken)
    }

    async fn line(&self, scope: &TenantScope, id: NumberId) -> Answer<LineRow> {
        read_line(&self.need(scope, "number", sql::LINE, args![scope.business.0, id.0]).await?)
    }

    async fn lines(
        &self,
        scope: &TenantScope,
        filter: LineFilter<'_>,
        after: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<LineRow>> {
        let agent = filter.agent.map(|agent| agent.0);
        let args = args![scope.business.0, after.unwrap_or(""), agent, filter.carrier, rows_max];
        self.db.read(scope, sql::LINES, args).await?.iter().map(read_line).collect()
    }

    async fn update_line(&self, scope: &TenantScope, line: &LineRow, expected: Option<u32>) -> Answer<u32> {
        let LineRow { number, label, hours, overflow, .. } = line;
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::LINE_TO_CHANGE, args![scope.business.0, number.id.0]).await?;
        let version: u32 = row.ok_or(missing("number"))?.get("version")?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the number was changed meanwhile: it is at version {version}")));
        }
        let hours = hours.as_ref().map(to_json).transpose()?;
        let overflow = overflow.as_ref().map(to_json).transpose()?;
        let dialled = number.number.expose();
        let (id, business, agent) = (number.id.0, scope.business.0, number.agent.0);
        let args = args![business, id, dialled, &number.carrier, agent, label, hours, overflow];
        tx.write(sql::UPDATE_LINE, args).await.map_err(taken)?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn outgoing_figures(&self, scope: &TenantScope, prefix: &str, since_ms: i64) -> Answer<Vec<CarrierFigures>> {
        let rows = self.db.read(scope, sql::OUTGOING_FIGURES, args![scope.business.0, since_ms, prefix]).await?;
        let read = |row: &DbRow| {
            let (asked, answered, refused): (i64, i64, i64) =
                (row.get("asked")?, row.get("answered")?, row.get("refused")?);
            let count = |of: i64| u32::try_from(of).unwrap_or(u32::MAX);
            let (asked, answered, refused) = (count(asked), count(answered), count(refused));
            Ok(CarrierFigures { carrier: row.get("carrier")?, asked, answered, refused })
        };
        rows.iter().map(read).collect()
    }

    async fn delete_line(&self, scope: &TenantScope, id: NumberId, expected: Option<u32>) -> Answer<bool> {
        if self.db.write(scope, sql::DELETE_LINE, args![scope.business.0, id.0, expected]).await? > 0 {
            return Ok(true);
        }
        match self.line(scope, id).await {
            Ok(now) => Err(StoreError::Conflict(format!("it was changed meanwhile: it is at version {}", now.version))),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
