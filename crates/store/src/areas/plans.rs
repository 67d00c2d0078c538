//! Subscriptions and usage. Counting itself happens where calls change: [`super::events::call_changed`].

use super::events::{self, Fresh, read_usage};
use crate::args;
use crate::contract::{Answer, DayUsage, Plans};
use crate::db::{Db, DbRow, to_i64};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::Money;
use model::business::TenantScope;
use model::event::EventKind;
use model::plan::{Allowance, Subscription};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn read_subscription(row: &DbRow) -> Answer<Option<Subscription>> {
    let Some(plan) = row.get("plan")? else { return Ok(None) };
    Ok(Some(Subscription {
        plan,
        since_ms: row.get("since_ms")?,
        calls_month: row.get("calls_month")?,
        grace_percent: row.get("grace_percent")?,
    }))
}

fn bound(subscription: &Subscription) -> Answer<Option<i64>> {
    subscription.calls_month.map(to_i64).transpose()
}

#[async_trait]
impl Plans for SqlStore {
    async fn subscription(&self, scope: &TenantScope) -> Answer<Option<Subscription>> {
        let row = self.db.read_one(scope, sql::SUBSCRIPTION, args![scope.business.0]).await?;
        row.as_ref().map_or(Ok(None), read_subscription)
    }

    async fn put_subscription(&self, scope: &TenantScope, subscription: &Subscription, at_ms: i64) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let Subscription { plan, since_ms, grace_percent, .. } = subscription;
        let args = args![business, plan, *since_ms, bound(subscription)?, *grace_percent];
        tx.write(sql::PUT_SUBSCRIPTION, args).await?;
        let fresh = [Fresh::new(EventKind::SubscriptionChanged, business, subscription)?];
        events::write(&mut tx, scope, &fresh, at_ms).await?;
        tx.commit().await?;
        self.bells.ring_events(scope.business);
        Ok(())
    }

    async fn subscribe_rest(&self, subscription: &Subscription) -> Answer<u64> {
        let Subscription { plan, since_ms, grace_percent, .. } = subscription;
        let args = args![plan, *since_ms, bound(subscription)?, *grace_percent];
        self.db.write(Db::across("every business has a plan"), sql::SUBSCRIBE_REST, args).await
    }

    async fn usage(&self, scope: &TenantScope, first: i64, last: i64) -> Answer<Vec<DayUsage>> {
        let rows = self.db.read(scope, sql::USAGE, args![scope.business.0, first, last]).await?;
        rows.iter().map(|row| Ok(DayUsage { day: row.get("day")?, usage: read_usage(row)? })).collect()
    }

    async fn count_cost(&self, scope: &TenantScope, cost: Money, at_ms: i64) -> Answer<()> {
        let day = at_ms.div_euclid(DAY_MS);
        let args = args![scope.business.0, day, 0_i64, 0_i64, 0_i64, cost.usd_micros];
        self.db.write(scope, sql::ADD_USAGE, args).await.map(drop)
    }

    async fn allowance(&self, scope: &TenantScope, first_day: i64, open_since_ms: i64) -> Answer<Allowance> {
        let row = self.db.read_one(scope, sql::ALLOWANCE, args![scope.business.0, first_day, open_since_ms]).await?;
        let row = row.ok_or(StoreError::Corrupt("an allowance without a row".into()))?;
        Ok(Allowance {
            subscription: read_subscription(&row)?,
            calls_ended: row.get("calls_ended")?,
            calls_open: row.get("calls_open")?,
        })
    }
}
