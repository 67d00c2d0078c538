//! What a call costs: by stage, by provider, and what second opinions cost; and what may be spent.

use base::{BusinessId, Money};
use model::business::TenantScope;
use model::routing::{Budget, CostStage, Region, Saving};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Store, StoreError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No guarded section of this file can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the providers of one call have charged so far. Clones are the same bill.
#[derive(Clone, Debug, Default)]
pub struct Bill {
    book: Arc<Book>,
    /// What is added through this handle is written down under this heading.
    heading: Option<Arc<Heading>>,
}

#[derive(Debug, Default)]
struct Book {
    total: AtomicI64,
    hedged: AtomicI64,
    lines: Mutex<BTreeMap<(CostStage, String), Money>>,
    /// What the business has spent this month, over all its calls.
    month: Option<Arc<AtomicI64>>,
    /// Only these process what is said; empty for anywhere.
    regions: BTreeSet<Region>,
    /// Nothing that costs may be asked any more.
    is_spent: AtomicBool,
}

#[derive(Debug)]
struct Heading {
    stage: CostStage,
    provider: String,
    is_hedge: bool,
}

/// What one provider has charged in one stage of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// Which stage.
    pub stage: CostStage,
    /// Registry name.
    pub provider: String,
    /// How much.
    pub cost: Money,
}

impl BillLine {
    fn into_row(self) -> store::StageCost {
        store::StageCost { stage: self.stage, provider: self.provider, cost: self.cost }
    }
}

impl Bill {
    /// A bill that counts towards what its business has spent this month.
    pub(crate) fn in_month(month: Arc<AtomicI64>) -> Self {
        Self::within(month, BTreeSet::new())
    }

    /// The same for a conversation of which every word stays in these regions.
    pub(crate) fn within(month: Arc<AtomicI64>, regions: BTreeSet<Region>) -> Self {
        let book = Book { month: Some(month), regions, ..Book::default() };
        Self { book: Arc::new(book), heading: None }
    }

    /// From now on nothing that costs may be asked.
    pub(crate) fn close(&self) {
        self.book.is_spent.store(true, Ordering::Relaxed);
    }

    /// Whether a service that costs and is in this region may be asked.
    pub(crate) fn allows(&self, region: Option<Region>) -> bool {
        let book = &self.book;
        !book.is_spent.load(Ordering::Relaxed) && crate::reading::stays(&book.regions, region)
    }

    /// The same bill, with what is added through this handle put down to one provider.
    pub(crate) fn under(&self, stage: impl Into<CostStage>, provider: &str, is_hedge: bool) -> Self {
        let heading = Heading { stage: stage.into(), provider: provider.to_owned(), is_hedge };
        Self { book: Arc::clone(&self.book), heading: Some(Arc::new(heading)) }
    }

    /// One more amount.
    pub fn add(&self, amount: Money) {
        self.book.total.fetch_add(amount.usd_micros, Ordering::Relaxed);
        if let Some(month) = &self.book.month {
            month.fetch_add(amount.usd_micros, Ordering::Relaxed);
        }
        let Some(heading) = &self.heading else { return };
        if heading.is_hedge {
            self.book.hedged.fetch_add(amount.usd_micros, Ordering::Relaxed);
        }
        *lock(&self.book.lines).entry((heading.stage, heading.provider.clone())).or_default() += amount;
    }

    /// All of it.
    pub fn total(&self) -> Money {
        Money::from_usd_micros(self.book.total.load(Ordering::Relaxed))
    }

    /// What second opinions have cost.
    pub fn hedged(&self) -> Money {
        Money::from_usd_micros(self.book.hedged.load(Ordering::Relaxed))
    }

    /// All of it to be written down; `None` when nothing was charged. Each call of this is another charge.
    pub(crate) fn charge(&self) -> Option<store::Charge> {
        let (total, lines) = (self.total(), self.lines());
        let lines: Vec<_> = lines.into_iter().map(BillLine::into_row).collect();
        (total != Money::ZERO || !lines.is_empty()).then(|| store::Charge::new(total, lines))
    }

    /// By stage and provider.
    pub fn lines(&self) -> Vec<BillLine> {
        let lines = lock(&self.book.lines);
        let line = |((stage, provider), cost): (&(CostStage, String), &Money)| BillLine {
            stage: *stage,
            provider: provider.clone(),
            cost: *cost,
        };
        lines.iter().map(line).collect()
    }
}

/// What businesses have spent this month, as far as this node knows.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<BusinessId, Month>>);

#[derive(Debug, Default)]
struct Month {
    /// Months since the beginning of the Unix era, in UTC.
    number: i32,
    spent: Arc<AtomicI64>,
}

impl Ledger {
    /// The sum of this business in this month, to count towards.
    pub(crate) fn month(&self, business: BusinessId, number: i32) -> Arc<AtomicI64> {
        let mut months = lock(&self.0);
        let month = months.entry(business).or_default();
        if month.number != number {
            *month = Month { number, spent: Arc::default() };
        }
        Arc::clone(&month.spent)
    }

    /// The store knows of this much in finished calls; what this node counted itself may be more.
    pub(crate) fn at_least(&self, business: BusinessId, number: i32, known: Money) {
        self.month(business, number).fetch_max(known.usd_micros, Ordering::Relaxed);
    }
}

/// What is written down of what a business has spent this month, in calls and beside them. Calls count when they end, those that
/// another node left also before: the two are looked at apart, and neither is more than was spent.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn written_this_month(
    store: &dyn Store,
    scope: &TenantScope,
    now_ms: i64,
) -> Result<Money, StoreError> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let begins_ms = crate::month_begins_ms(now_ms);
    let begun = store.cost_since(scope, begins_ms).await?;
    let days = store.usage(scope, begins_ms.div_euclid(DAY_MS), now_ms.div_euclid(DAY_MS)).await?;
    let ended = days.iter().map(|day| day.usage.cost_usd_micros).sum();
    Ok(begun.max(Money::from_usd_micros(ended)))
}

/// What one call may still spend.
#[derive(Debug)]
pub(crate) struct Purse {
    bill: Bill,
    call: Option<Money>,
    month: Option<(Arc<AtomicI64>, Money)>,
    /// The furthest step so far: saving never goes back within a call.
    step: AtomicU32,
}

const STEPS: [Saving; 4] = [Saving::None, Saving::Cheaper, Saving::Shorter, Saving::FreeOnly];

impl Purse {
    pub(crate) fn new(bill: Bill, call: Option<Money>, month: Option<(Arc<AtomicI64>, Money)>) -> Self {
        Self { bill, call, month, step: AtomicU32::new(0) }
    }

    /// How far saving goes now, and the budget that made it go further just now, if one did.
    pub(crate) fn look(&self) -> (Saving, Option<Budget>) {
        let call = Saving::at(self.bill.total(), self.call);
        let month = self.month.as_ref().map_or(Saving::None, |(spent, budget)| {
            Saving::at(Money::from_usd_micros(spent.load(Ordering::Relaxed)), Some(*budget))
        });
        let (wanted, budget) = if month > call { (month, Budget::Month) } else { (call, Budget::Call) };
        let wanted_at = STEPS.iter().position(|step| *step == wanted).unwrap_or(0);
        let before = self.step.fetch_max(u32::try_from(wanted_at).unwrap_or(0), Ordering::Relaxed) as usize;
        let now = STEPS[before.max(wanted_at).min(STEPS.len() - 1)];
        if now == Saving::FreeOnly {
            self.bill.close();
        }
        (now, (wanted_at > before).then_some(budget))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::routing::Stage;

    fn usd_micros(amount: i64) -> Money {
        Money::from_usd_micros(amount)
    }

    #[tokio::test]
    async fn what_was_spent_beside_calls_counts_towards_the_month() {
        const NOW_MS: i64 = 1_795_000_000_000;
        let (store, _guard) = testkit::stores::sqlite().await;
        let scope = TenantScope { business: BusinessId::generate() };
        let (slug, name, time_zone) = ("shop".to_owned(), "Shop".to_owned(), "UTC".to_owned());
        let shop = model::business::Business { id: scope.business, slug, name, time_zone };
        store.put_business(&scope, &shop).await.expect("a business");
        store.count_cost(&scope, usd_micros(5), NOW_MS).await.expect("counted");
        let before_ms = crate::month_begins_ms(NOW_MS) - 1;
        store.count_cost(&scope, usd_micros(7), before_ms).await.expect("counted");
        assert_eq!(written_this_month(store.as_ref(), &scope, NOW_MS).await, Ok(usd_micros(5)));
    }

    #[test]
    fn a_bill_says_who_charged_what_and_what_second_opinions_cost() {
        let bill = Bill::default();
        bill.under(Stage::Llm, "a", false).add(usd_micros(30));
        bill.under(Stage::Llm, "b", true).add(usd_micros(10));
        bill.under(Stage::Tts, "c", false).add(usd_micros(5));
        bill.add(usd_micros(1));
        assert_eq!((bill.total(), bill.hedged()), (usd_micros(46), usd_micros(10)));
        let lines: Vec<_> = bill.lines().into_iter().map(|line| (line.provider, line.cost.usd_micros)).collect();
        assert_eq!(lines, [("a".to_owned(), 30), ("b".to_owned(), 10), ("c".to_owned(), 5)]);
    }

    #[test]
    fn a_new_month_begins_at_nothing_and_all_calls_of_a_business_share_one() {
        let (ledger, business) = (Ledger::default(), BusinessId::generate());
        let (one, two) = (Bill::in_month(ledger.month(business, 682)), Bill::in_month(ledger.month(business, 682)));
        one.add(usd_micros(70));
        two.add(usd_micros(5));
        assert_eq!(ledger.month(business, 682).load(Ordering::Relaxed), 75);
        ledger.at_least(business, 682, usd_micros(50));
        assert_eq!(ledger.month(business, 682).load(Ordering::Relaxed), 75);
        ledger.at_least(business, 682, usd_micros(100));
        assert_eq!(ledger.month(business, 682).load(Ordering::Relaxed), 100);
        assert_eq!(ledger.month(business, 683).load(Ordering::Relaxed), 0);
    }

    #[test]
    fn each_step_of_saving_is_told_once_and_never_taken_back() {
        let bill = Bill::default();
        let month = Arc::new(AtomicI64::new(0));
        let purse = Purse::new(bill.clone(), Some(usd_micros(100)), Some((Arc::clone(&month), usd_micros(1_000))));
        assert_eq!(purse.look(), (Saving::None, None));
        bill.add(usd_micros(75));
        assert_eq!(purse.look(), (Saving::Cheaper, Some(Budget::Call)));
        assert_eq!(purse.look(), (Saving::Cheaper, None));
        assert!(bill.allows(None));
        month.store(2_000, Ordering::Relaxed);
        assert_eq!(purse.look(), (Saving::FreeOnly, Some(Budget::Month)));
        month.store(0, Ordering::Relaxed);
        assert_eq!(purse.look(), (Saving::FreeOnly, None));
        assert!(!bill.allows(None), "what is asked beside the stages knows it, too");
    }
}
