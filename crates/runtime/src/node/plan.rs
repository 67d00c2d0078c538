//! Whether the plan of a business lets one more call begin.

use super::{Node, RefuseReason};
use base::limits;
use model::business::TenantScope;
use model::call::Direction;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl Node {
    /// Asks the store what the business uses and may use. A business without a subscription has no bound, and a store that
    /// does not answer refuses nobody: a call that nobody pays for is better than a customer who is turned away.
    pub(super) async fn plan_admits(&self, scope: &TenantScope, direction: Direction) -> Result<(), RefuseReason> {
        let now_ms = crate::wall_ms();
        let first_day = crate::month_begins_ms(now_ms).div_euclid(DAY_MS);
        let open_since_ms = now_ms.saturating_sub(limits::OPEN_CALL_MS_MAX as i64);
        let allowance = match self.shared.store.allowance(scope, first_day, open_since_ms).await {
            Ok(allowance) => allowance,
            Err(error) => {
                tracing::warn!(%error, "it is not known what the plan of the business allows");
                return Ok(());
            }
        };
        allowance.admit(direction == Direction::Inbound).map_err(|over| {
            metrics::counter!("frontdesk_calls_over_plan_total").increment(1);
            tracing::warn!(business = %scope.business, ?over, "the plan allows no more calls");
            RefuseReason::OverPlan(over)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Budgets, NodeSettings, Services};
    use model::call::CallState;
    use model::plan::{OverPlan, Subscription};
    use std::sync::Arc;
    use store::laws::{Tenant, call_of, tenant};
    use store::{CallUpdate, SqlStore, SqliteOptions, Store};

    struct Office {
        _folder: tempfile::TempDir,
        node: Node,
        store: Arc<dyn Store>,
        shop: Tenant,
        rival: Tenant,
    }

    impl Office {
        async fn open() -> Self {
            egress::install_crypto();
            let folder = tempfile::tempdir().expect("a folder");
            let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
            let store: Arc<dyn Store> = Arc::new(store);
            let shop = tenant(store.as_ref(), "shop", "+49405550170").await;
            let rival = tenant(store.as_ref(), "rival", "+49405550171").await;
            let settings = NodeSettings {
                public_url: None,
                recordings_dir: folder.path().to_owned(),
                calls_max: 100,
                inbound_reserve: 0,
                record: false,
                record_inputs: false,
                budgets: Budgets::default(),
            };
            let egress = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Operator)));
            let node = Node::new(settings, Arc::clone(&store), Services::default(), egress, Default::default());
            Self { _folder: folder, node, store, shop, rival }
        }

        /// The shop subscribes.
        async fn subscribe(&self, plan: &str, calls_month: Option<u64>, grace_percent: u32) {
            let now_ms = crate::wall_ms();
            let wish = Subscription::to(plan, now_ms, calls_month, Some(grace_percent)).expect("a subscription");
            self.store.put_subscription(&self.shop.scope, &wish, now_ms).await.expect("subscribed");
        }

        /// A call of the shop that somebody answered, and that ended at this time or goes on.
        async fn call(&self, ended_at_ms: Option<i64>) -> base::CallId {
            let now_ms = crate::wall_ms();
            let call = call_of(&self.shop, ended_at_ms.unwrap_or(now_ms) - 1_000);
            self.store.create_call(&self.shop.scope, &call).await.expect("a call");
            let update = CallUpdate {
                state: Some(if ended_at_ms.is_some() { CallState::Completed } else { CallState::Active }),
                answered_at_ms: Some(call.started_at_ms + 1),
                ended_at_ms,
                ..CallUpdate::default()
            };
            self.store.update_call(&self.shop.scope, call.id, &update).await.expect("changed");
            call.id
        }

        /// Whether the shop may take, and may place, one more call.
        async fn admits(&self) -> [Result<(), RefuseReason>; 2] {
            let inbound = self.node.plan_admits(&self.shop.scope, Direction::Inbound).await;
            [inbound, self.node.plan_admits(&self.shop.scope, Direction::Outbound).await]
        }
    }

    const OVER: Result<(), RefuseReason> = Err(RefuseReason::OverPlan(OverPlan::CallsMonth));
    const FULL: Result<(), RefuseReason> = Err(RefuseReason::OverPlan(OverPlan::CallsAtOnce));

    #[tokio::test]
    async fn the_calls_of_a_month_are_counted_and_customers_are_taken_a_little_longer() {
        let office = Office::open().await;
        let now_ms = crate::wall_ms();
        for _ in 0..3 {
            office.call(Some(crate::month_begins_ms(now_ms) - 1_000)).await;
        }
        assert_eq!(office.admits().await, [Ok(()), Ok(())], "nobody has subscribed to anything");
        office.subscribe("starter", Some(2), 50).await;
        assert_eq!(office.admits().await, [Ok(()), Ok(())], "the last month is over");
        office.call(Some(now_ms)).await;
        assert_eq!(office.admits().await, [Ok(()), Ok(())]);
        office.call(Some(now_ms)).await;
        assert_eq!(office.admits().await, [Ok(()), OVER], "grace is for customers who call");
        let open = office.call(None).await;
        assert_eq!(office.admits().await, [OVER, OVER], "what goes on will count, too");
        let unanswered = CallUpdate { ended_at_ms: Some(now_ms), ..CallUpdate::default() };
        office.store.update_call(&office.shop.scope, open, &unanswered).await.expect("ended");
        assert_eq!(office.admits().await, [OVER, OVER]);
        assert_eq!(
            office.node.plan_admits(&office.rival.scope, Direction::Outbound).await,
            Ok(()),
            "others are others"
        );
        office.subscribe("enterprise", None, 0).await;
        assert_eq!(office.admits().await, [Ok(()), Ok(())], "the next plan holds at once");
    }

    #[tokio::test]
    async fn so_many_calls_go_on_at_once_and_no_more_in_either_direction() {
        let office = Office::open().await;
        office.subscribe("starter", None, 100).await;
        let mut calls = Vec::new();
        for _ in 0..5 {
            assert_eq!(office.admits().await, [Ok(()), Ok(())]);
            calls.push(office.call(None).await);
        }
        assert_eq!(office.admits().await, [FULL, FULL]);
        let over = CallUpdate { ended_at_ms: Some(crate::wall_ms()), ..CallUpdate::default() };
        office.store.update_call(&office.shop.scope, calls[0], &over).await.expect("ended");
        assert_eq!(office.admits().await, [Ok(()), Ok(())]);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_turns_no_customer_away() {
        let office = Office::open().await;
        office.subscribe("starter", Some(0), 0).await;
        assert_eq!(office.admits().await, [OVER, OVER]);
        office.store.close().await;
        assert_eq!(office.admits().await, [Ok(()), Ok(())]);
    }
}
