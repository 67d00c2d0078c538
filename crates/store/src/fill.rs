//! Fills a database with businesses, calls and messages that nobody had, so that it can be measured at the size that it will
//! have one day. Running it again adds calls to the same businesses.

use crate::args;
use crate::contract::Answer;
use crate::db::{Args, Db, Reach, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use base::{AgentId, BusinessId, MessageId, Millis, NumberId};
use model::agent::{Agent, BrainChoice, Lines, Timing};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// How much.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Businesses, `load-0000` and on, each with an agent and a number.
    pub businesses: u32,
    /// Calls of all of them. The first business gets [`Fill::FIRST_PERCENT`] of them, the others the rest in turn.
    pub calls: u64,
    /// Messages of all calls, in turn.
    pub messages: u64,
    /// Months until now over which the calls are spread.
    pub months: u32,
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// How much there is already.
#[derive(Debug, Default)]
pub struct Filled {
    /// Calls.
    pub calls: AtomicU64,
    /// Messages.
    pub messages: AtomicU64,
}

/// Calls that are written together.
const GROUP: u64 = 32;
/// Groups that are written at the same time where the engine lets them.
const WRITERS: u64 = 4;
const MONTH_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How often a group is tried again before the database counts as away.
const ATTEMPTS_MAX: u32 = 20;
/// How long a group may take: nobody waits for it, and the machine may be busy.
const PATIENCE: Millis = Millis(60_000);
const REACH: Reach = Db::across("fills the tables of many businesses");
/// In turn, what is said.
const SAID: [(&str, &str); 4] = [
    ("customer", "Hello, I would like to ask about the order that I placed last week, the one with the two lamps."),
    ("agent", "Of course. Could you tell me the number of the order? It begins with two letters."),
    ("customer", "It is B L one zero zero one. And could you send it to my new address, please?"),
    ("agent", "Thank you. It left our house yesterday and should reach you on Thursday before noon."),
];

impl Fill {
    /// Of a hundred calls, so many are the first business's: a list of it is a long one.
    pub const FIRST_PERCENT: u64 = 20;

    fn business_of(&self, call: u64) -> u32 {
        let others = u64::from(self.businesses).saturating_sub(1);
        if others == 0 || call % 100 < Self::FIRST_PERCENT {
            return 0;
        }
        1 + u32::try_from(call % others).unwrap_or(0)
    }

    fn started_at_ms(&self, call: u64) -> i64 {
        let span = i128::from(self.months.max(1)) * i128::from(MONTH_MS);
        let since = span * i128::from(call + 1) / i128::from(self.calls.max(1));
        self.now_ms - i64::try_from(span - since).unwrap_or(0)
    }

    fn messages_of(&self, call: u64) -> u64 {
        let until = |call: u64| u128::from(self.messages) * u128::from(call) / u128::from(self.calls.max(1));
        u64::try_from(until(call + 1) - until(call)).unwrap_or(0)
    }
}

/// The short name of a business that was made here.
pub fn slug(index: u32) -> String {
    format!("load-{index:04}")
}

impl SqlStore {
    /// Fills the database. What is there already can be watched in `filled`.
    ///
    /// # Errors
    /// When the database does not answer for long, or a number or name is another business's.
    pub async fn fill(&self, fill: &Fill, filled: &Arc<Filled>) -> Answer<()> {
        if let Db::Postgres(_) = &self.db {
            let months = args![i64::from(fill.months) + 1, 1_i64];
            self.db.write_rows(REACH, sql::MAKE_PARTITIONS, months).await?;
        }
        for index in 0..fill.businesses {
            self.fill_business(index).await?;
        }
        let writers = if matches!(self.db, Db::Postgres(_)) { WRITERS } else { 1 };
        let mut tasks: tokio::task::JoinSet<Answer<()>> = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let (store, fill, filled) = (self.clone(), fill.clone(), Arc::clone(filled));
            tasks.spawn(async move {
                let mut first = writer * GROUP;
                while first < fill.calls {
                    store.fill_group(&fill, first, &filled).await?;
                    first += writers * GROUP;
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.map_err(|_| StoreError::Unavailable("a writer stopped".into()))??;
        }
        for index in 0..fill.businesses {
            let mut tx = self.db.begin_within(REACH, PATIENCE).await?;
            tx.write(sql::FILL_COUNTS, args![made_of(1, index)]).await?;
            tx.write(sql::FILL_AGENT_COUNTS, args![made_of(1, index)]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn fill_business(&self, index: u32) -> Answer<()> {
        let (slug, agent) = (slug(index), agent(index));
        let mut tx = self.db.begin(REACH).await?;
        tx.write(sql::PUT_BUSINESS, args![agent.business.0, &slug, &slug, "Europe/Berlin"]).await?;
        let known = tx.read_one(sql::AGENT_TO_CHANGE, args![agent.business.0, agent.id.0]).await?;
        if known.is_none() {
            let config = to_json(&agent)?;
            tx.write(sql::INSERT_AGENT, args![agent.id.0, agent.business.0, &agent.slug, config]).await?;
        }
        let number = NumberId(made_of(3, index)).0;
        let dialled = format!("+4930{index:08}");
        tx.write(sql::PUT_NUMBER, args![number, agent.business.0, dialled, "loopback", agent.id.0]).await?;
        tx.commit().await
    }

    /// Writes a group, however often that takes. All of it is written or nothing.
    async fn fill_group(&self, fill: &Fill, first: u64, filled: &Filled) -> Answer<()> {
        let mut group = Group::default();
        for call in first..fill.calls.min(first + GROUP) {
            group.add(fill, call)?;
        }
        for attempt in 1.. {
            match self.write_group(&group).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS_MAX => {}
                // An attempt whose answer got lost had written it.
                Err(StoreError::Conflict(_)) if attempt > 1 => break,
                done => {
                    done?;
                    break;
                }
            }
        }
        filled.calls.fetch_add(group.calls.len() as u64, Ordering::Relaxed);
        filled.messages.fetch_add(group.messages.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn write_group(&self, group: &Group) -> Answer<()> {
        let mut tx = self.db.begin_within(REACH, PATIENCE).await?;
        tx.write_many(sql::FILL_CONVERSATION, group.conversations.clone()).await?;
        tx.write_many(sql::INSERT_CALL, group.calls.clone()).await?;
        tx.write_many(sql::INSERT_MESSAGE, group.messages.clone()).await?;
        tx.commit().await
    }
}

#[derive(Default)]
struct Group {
    conversations: Vec<Args<'static>>,
    calls: Vec<Args<'static>>,
    messages: Vec<Args<'static>>,
}

impl Group {
    fn add(&mut self, fill: &Fill, call: u64) -> Answer<()> {
        let agent = agent(fill.business_of(call));
        let business = agent.business.0;
        let started_at_ms = fill.started_at_ms(call);
        let (id, conversation) = (id_at(started_at_ms), id_at(started_at_ms));
        let count = fill.messages_of(call);
        let ended_at_ms = started_at_ms + 6_000 * i64::try_from(count).unwrap_or(0) + 10_000;
        let customer = format!("+49151{:08}", call % 90_000_000);
        let number = format!("+4930{:08}", fill.business_of(call));
        self.conversations.push(args![
            conversation,
            business,
            agent.id.0,
            customer.clone(),
            started_at_ms,
            ended_at_ms
        ]);
        self.calls.push(args![
            id,
            business,
            agent.id.0,
            conversation,
            if call.is_multiple_of(4) { "outbound" } else { "inbound" },
            "loopback",
            Some(format!("load-{}", id.as_simple())),
            customer,
            number,
            if call.is_multiple_of(17) { "failed" } else { "completed" },
            started_at_ms,
            Some(started_at_ms + 2_000),
            Some(ended_at_ms),
            Some("goodbye"),
            None::<String>,
            4_200_i64 + i64::try_from(call % 1_000).unwrap_or(0),
            None::<u32>,
        ]);
        for place in 0..count {
            let (role, text) = SAID[usize::try_from(place % 4).unwrap_or(0)];
            let seq = i64::try_from(place + 2).unwrap_or(0);
            let at_ms = 6_000 * seq;
            self.messages.push(args![
                MessageId::generate().0,
                business,
                conversation,
                seq,
                seq / 2,
                role,
                text,
                true,
                "[]",
                None::<String>,
                at_ms,
                None::<i64>,
            ]);
        }
        Ok(())
    }
}

/// An id that stays the same from run to run.
fn made_of(kind: u128, index: u32) -> Uuid {
    Uuid::from_u128((0x10ad << 112) | (kind << 64) | (u128::from(index) + 1))
}

/// An id as if made at this moment (RFC 9562, 5.7).
fn id_at(at_ms: i64) -> Uuid {
    let chance = Uuid::new_v4().as_u128();
    let rest = (1_u128 << 80) - 1;
    let fixed = (0xf_u128 << 76) | (0x3 << 62);
    let version = (0x7_u128 << 76) | (0x2 << 62);
    Uuid::from_u128((u128::try_from(at_ms).unwrap_or(0) << 80) | (chance & rest & !fixed) | version)
}

fn agent(index: u32) -> Agent {
    Agent {
        id: AgentId(made_of(2, index)),
        business: BusinessId(made_of(1, index)),
        slug: "front".into(),
        name: "Robin".into(),
        business_name: slug(index),
        persona: String::new(),
        language: "en".into(),
        brain: BrainChoice::Local,
        voice: None,
        providers: Default::default(),
        lines: Lines::default(),
        timing: Timing::default(),
        turns: Default::default(),
        sound: Default::default(),
        outbound: Default::default(),
        tools: Vec::new(),
        flow: None,
        handoff_to: None,
        handoff: Default::default(),
        is_briefing: false,
        hours: None,
        guardrails: Default::default(),
        record: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spread_over_businesses_and_months_and_share_all_messages() {
        let fill = Fill { businesses: 10, calls: 1_000, messages: 2_500, months: 2, now_ms: 1_800_000_000_000 };
        let first = (0..1_000).filter(|call| fill.business_of(*call) == 0).count();
        assert_eq!(first, 200);
        assert!((0..10).all(|business| (0..1_000).any(|call| fill.business_of(call) == business)));
        assert_eq!((0..1_000).map(|call| fill.messages_of(call)).sum::<u64>(), 2_500);
        assert_eq!(fill.started_at_ms(999), fill.now_ms);
        assert!(fill.started_at_ms(0) < fill.now_ms - MONTH_MS);
        let id = id_at(1_800_000_000_000);
        assert_eq!((id.get_version_num(), id.as_u128() >> 80), (7, 1_800_000_000_000));
    }
}
