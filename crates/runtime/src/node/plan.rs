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
