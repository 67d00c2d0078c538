//! What a store can do. Object safe: callers hold an `Arc<dyn Store>`.
//!
//! Every method that touches rows of a business takes the [`TenantScope`] that proves the right to; a row of another
//! business is answered exactly like one that does not exist. The exceptions are the lookups that find out whose a call
//! is ([`Numbers::route_number`], [`Calls::route_call`], [`Calls::unfinished_calls`]): they answer with the scope. Every
//! method ends within [`base::limits::STATEMENT_MS_MAX`] plus [`base::limits::POOL_WAIT_MS_MAX`].

pub mod branding;
pub mod customers;
pub mod desk;
pub mod drafts;
pub mod lines;
pub mod mail;
pub mod office;
pub mod queue;
pub mod requests;
pub mod shares;
pub mod widgets;

mod events;
mod jobs;
mod plans;
mod webhooks;

pub use events::{EventRange, Events};
pub use jobs::{After, DeadJob, Job, JobCount, Jobs, NewJob};
pub use plans::{DayUsage, Plans};
pub use webhooks::{DELIVER_JOB, EndpointChange, RETRY_JOB, Verdict, Webhooks};

use crate::error::StoreError;
use crate::nodes::Nodes;
use crate::people::{AccessKeys, Audit, EntryRules, OneTimeTokens, SecondFactors, Sessions, Users};
use crate::seal::Keyring;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, CallTime, ConversationId, JournalSeq, MessageId, Money, NumberId};
use base::{PhoneNumber, Pii, Secret, TurnId, limits};
use model::agent::{Agent, AgentStatus};
use model::business::{Business, Number, TenantScope};
use model::call::{Call, CallState, Direction};
use model::generation::Citation;
use model::journal::{Record, TurnLatency};
use model::routing::CostStage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// What a method of a store answers.
pub type Answer<T> = Result<T, StoreError>;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// At most [`limits::PAGE_ROWS_MAX`] rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in a list that is ordered newest first. Opaque text to clients; rows inserted later never move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor {
    /// Unix milliseconds of the last row seen.
    pub at_ms: i64,
    /// Id of the last row seen.
    pub id: Uuid,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at_ms, self.id.as_simple())
    }
}

impl FromStr for Cursor {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = StoreError::Invalid("the cursor is not one that a list gave");
        let (at_ms, id) = text.split_once('.').ok_or(unreadable.clone())?;
        match (at_ms.parse(), Uuid::try_parse(id)) {
            (Ok(at_ms), Ok(id)) => Ok(Self { at_ms, id }),
            _ => Err(unreadable),
        }
    }
}

impl TryFrom<String> for Cursor {
    type Error = StoreError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> String {
        cursor.to_string()
    }
}

/// An agent and how often it was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionedAgent {
    /// The agent.
    pub agent: Agent,
    /// From 1; one more with each publication. 0: it was never published.
    pub version: u32,
    /// Whether it answers.
    pub status: AgentStatus,
}

impl VersionedAgent {
    /// Whether it may take or place a call.
    pub fn is_on_duty(&self) -> bool {
        self.version > 0 && self.status == AgentStatus::Enabled
    }
}

/// Where a dialled number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRoute {
    /// Whose it is.
    pub scope: TenantScope,
    /// Who answers.
    pub agent: AgentId,
    /// The number's row.
    pub number: NumberId,
}

/// Where a carrier's report of a call leads.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRoute {
    /// Whose it is.
    pub scope: TenantScope,
    /// The call.
    pub call: Call,
}

/// Which calls a list shows. Everything absent means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Calls in this state.
    pub state: Option<CallState>,
    /// Calls of this agent.
    pub agent: Option<AgentId>,
    /// Calls with this version of their agent.
    pub agent_version: Option<u32>,
    /// Calls in this direction.
    pub direction: Option<Direction>,
    /// Calls on this number of ours.
    pub number: Option<String>,
    /// Calls with this customer.
    pub customer: Option<String>,
    /// Calls in which somebody said this, without regard to case. Reads every message of the span of time.
    pub words: Option<String>,
    /// Calls that began at this time, in Unix milliseconds, or later.
    pub from_ms: Option<i64>,
    /// Calls that began before this time.
    pub to_ms: Option<i64>,
    /// The oldest first instead of the newest.
    pub ascending: bool,
}

/// Which conversations a list shows. Everything absent means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// Conversations of this agent.
    pub agent: Option<AgentId>,
    /// Conversations with this customer.
    pub customer: Option<String>,
    /// Conversations in which somebody said this, without regard to case. Reads every message of the span of time.
    pub words: Option<String>,
    /// Conversations that began at this time, in Unix milliseconds, or later.
    pub from_ms: Option<i64>,
    /// Conversations that began before this time.
    pub to_ms: Option<i64>,
    /// The oldest first instead of the newest.
    pub ascending: bool,
}

/// What changed about a call. Reports come in any order, more than once and from several places, so a change never takes
/// anything back: a late state is ignored ([`CallState::advance`]), the first time and reason of an event stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallUpdate {
    /// Where it stands.
    pub state: Option<CallState>,
    /// The carrier's id; a second, different one is a conflict.
    pub carrier_ref: Option<String>,
    /// Unix milliseconds when it was answered.
    pub answered_at_ms: Option<i64>,
    /// Unix milliseconds when it ended.
    pub ended_at_ms: Option<i64>,
    /// Why it ended, in one word.
    pub ended_reason: Option<String>,
    /// Where the recording is kept; replaces an earlier one.
    pub recording: Option<String>,
    /// What is added to its cost.
    pub charge: Option<Charge>,
}

/// One line of what happened around a call: webhooks, retries, failures. For operators, not for the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallLogEntry {
    /// Place in the log, ascending, with gaps.
    pub id: i64,
    /// What, in one word, such as `carrier_state`.
    pub kind: String,
    /// Details.
    pub data: Value,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The customer.
    Customer,
    /// The agent.
    Agent,
    /// A person who had taken the call over.
    Person,
}

/// One message of a conversation: what was said, and of the agent only what was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Place in the conversation, ascending, with gaps: the place of its entry in the journal.
    pub seq: u64,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// Who.
    pub role: Role,
    /// The words.
    pub text: Pii<String>,
    /// Whether the customer heard all of it; always true of the customer's own words.
    pub complete: bool,
    /// What it rests on.
    pub citations: Vec<Citation>,
    /// What the customer had to wait for.
    pub latency: Option<TurnLatency>,
    /// When, since the conversation began.
    pub at: CallTime,
    /// How the customer sounds, from -1 (displeased) to 1 (pleased), in hundredths; `None`: nobody can say.
    #[serde(default)]
    pub sentiment: Option<f64>,
}

/// One conversation, as a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whose it is.
    pub business: BusinessId,
    /// Who answers.
    pub agent: AgentId,
    /// The customer's number or address.
    pub customer: Option<Pii<String>>,
    /// Unix milliseconds when it began.
    pub started_at_ms: i64,
    /// Unix milliseconds when it ended.
    pub ended_at_ms: Option<i64>,
}

/// A document of a business: what its agents answer from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Short name, unique within the business.
    pub slug: String,
    /// Title as people see it.
    pub title: String,
    /// The whole text.
    pub text: String,
}

/// Names one writer of a journal: one incarnation of a call in one process. Lets a repeated append be told from another
/// process's entry that happens to look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriterId(pub Uuid);

impl WriterId {
    /// A new one.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// Businesses.
#[async_trait]
pub trait Businesses: Send + Sync {
    /// Creates or changes the business of the scope. `Conflict` when another one has the slug.
    async fn put_business(&self, scope: &TenantScope, business: &Business) -> Answer<()>;
    /// The business of the scope.
    async fn business(&self, scope: &TenantScope) -> Answer<Business>;
    /// Businesses after this slug, in order of slugs, at most [`limits::PAGE_ROWS_MAX`]: for the operator of the whole
    /// installation, never for a tenant.
    async fn businesses(&self, after_slug: Option<&str>) -> Answer<Vec<Business>>;
    /// The business of this slug: for the command line and the public pages of a business.
    async fn business_by_slug(&self, slug: &str) -> Answer<Business>;
}

/// Agents.
#[async_trait]
pub trait Agents: Send + Sync {
    /// Creates or changes an agent and answers its version. With `expected`, a `Conflict` unless that is the version now
    /// (0: it does not exist yet).
    async fn put_agent(&self, scope: &TenantScope, agent: &Agent, expected: Option<u32>) -> Answer<u32>;
    /// One agent.
    async fn agent(&self, scope: &TenantScope, id: AgentId) -> Answer<VersionedAgent>;
    /// One agent, by its short name.
    async fn agent_by_slug(&self, scope: &TenantScope, slug: &str) -> Answer<VersionedAgent>;
    /// Agents after this slug, in order of slugs, at most [`limits::PAGE_ROWS_MAX`].
    async fn agents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<VersionedAgent>>;
}

/// Phone numbers.
#[async_trait]
pub trait Numbers: Send + Sync {
    /// Creates or changes a number. `Conflict` when somebody has it already, `NotFound` when the agent is not the business's.
    async fn put_number(&self, scope: &TenantScope, number: &Number) -> Answer<()>;
    /// One number.
    async fn number(&self, scope: &TenantScope, id: NumberId) -> Answer<Number>;
    /// Numbers after this one, in order, at most [`limits::PAGE_ROWS_MAX`].
    async fn numbers(&self, scope: &TenantScope, after: Option<&PhoneNumber>) -> Answer<Vec<Number>>;
    /// Whose a dialled number is. For the carrier router alone.
    async fn route_number(&self, carrier: &str, number: &PhoneNumber) -> Answer<NumberRoute>;
}

/// Calls.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Creates a call and its conversation. `Conflict` when the id or the carrier's id is taken.
    async fn create_call(&self, scope: &TenantScope, call: &Call) -> Answer<()>;
    /// One call.
    async fn call(&self, scope: &TenantScope, id: CallId) -> Answer<Call>;
    /// Applies a change and answers the call as it is then.
    async fn update_call(&self, scope: &TenantScope, id: CallId, update: &CallUpdate) -> Answer<Call>;
    /// Calls, newest first unless the filter says otherwise. `rows_max` is capped at [`limits::PAGE_ROWS_MAX`].
    async fn calls(
        &self,
        scope: &TenantScope,
        filter: &CallFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Call>>;
    /// Whose a carrier's report is. For the carrier router alone.
    async fn route_call(&self, carrier: &str, carrier_ref: &str) -> Answer<CallRoute>;
    /// Calls that began before this time and have not ended, oldest first, at most [`limits::PAGE_ROWS_MAX`]: for a node
    /// that looks for calls whose process died.
    async fn unfinished_calls(&self, started_before_ms: i64) -> Answer<Vec<CallRoute>>;
}

/// The log around a call.
#[async_trait]
pub trait CallLogs: Send + Sync {
    /// Adds a line.
    async fn log_call(&self, scope: &TenantScope, call: CallId, kind: &str, data: &Value, at_ms: i64) -> Answer<()>;
    /// Lines after this one, oldest first, at most [`limits::PAGE_ROWS_MAX`].
    async fn call_log(&self, scope: &TenantScope, call: CallId, after_id: i64) -> Answer<Vec<CallLogEntry>>;
}

/// Journals.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends entries after `expected` (0: the journal is empty), and writes what was said into the conversation, in one
    /// transaction. Answers the last place. `Fenced` when the journal does not end at `expected`, unless the very same
    /// writer put these places there: an append whose outcome got lost may be repeated.
    async fn append(
        &self,
        scope: &TenantScope,
        call: CallId,
        writer: WriterId,
        expected: JournalSeq,
        records: &[Record],
    ) -> Answer<JournalSeq>;
    /// Entries after this place, in order, at most [`limits::PAGE_ROWS_MAX`].
    async fn journal_after(&self, scope: &TenantScope, call: CallId, after: JournalSeq) -> Answer<Vec<Record>>;

    /// The whole journal, in order.
    async fn journal(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<Record>> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let after = all.last().map_or(JournalSeq(0), |record| record.seq);
            let more = self.journal_after(scope, call, after).await?;
            let last_page = more.len() < limits::PAGE_ROWS_MAX as usize;
            all.extend(more);
            if last_page {
                return Ok(all);
            }
        }
    }
}

/// Conversations and their messages. Messages are written by [`Journal::append`].
#[async_trait]
pub trait Conversations: Send + Sync {
    /// One conversation.
    async fn conversation(&self, scope: &TenantScope, id: ConversationId) -> Answer<Conversation>;
    /// Conversations, newest first unless the filter says otherwise. `rows_max` is capped at [`limits::PAGE_ROWS_MAX`].
    async fn conversations(
        &self,
        scope: &TenantScope,
        filter: &ConversationFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Conversation>>;
    /// Messages after this place, in order, at most [`limits::PAGE_ROWS_MAX`].
    async fn messages(&self, scope: &TenantScope, id: ConversationId, after_seq: u64) -> Answer<Vec<Message>>;
}

/// Inputs of a call's engine, recorded so that the call can be replayed. Opaque lines to the store, which seals them
/// ([`crate::seal`]).
#[async_trait]
pub trait Inputs: Send + Sync {
    /// Adds lines at `first`, `first + 1`, …. `Conflict` when one of these places is taken.
    async fn append_inputs(&self, scope: &TenantScope, call: CallId, first: u64, lines: &[String]) -> Answer<()>;
    /// Lines from this place on, in order, at most [`limits::PAGE_ROWS_MAX`]. `Sealed` when one of them does not open.
    async fn inputs(&self, scope: &TenantScope, call: CallId, from: u64) -> Answer<Vec<(u64, String)>>;
}

/// The parts of a call's recording.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// Notes that a part was opened, by its name in the folder of recordings. A name noted twice counts once.
    async fn add_recording(&self, scope: &TenantScope, call: CallId, name: &str, at_ms: i64) -> Answer<()>;
    /// The names of all parts, in the order in which they were opened.
    async fn recordings(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<String>>;
}

/// The words of a call that change.
#[derive(Clone, Debug, Default)]
pub struct Redacted {
    /// Entries of its journal.
    pub records: Vec<Record>,
    /// Messages of its conversation.
    pub messages: Vec<(MessageId, Pii<String>)>,
}

/// How what was said and heard is deleted. Files are the caller's affair and go first: the rows name them.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Calls that were over before this time, or never ended and began before it, of which something is still kept:
    /// oldest first, after this place, at most [`limits::PAGE_ROWS_MAX`]. For the worker that deletes them.
    async fn calls_to_forget(&self, before_ms: i64, after: Option<Cursor>) -> Answer<Vec<CallRoute>>;
    /// The same of one business.
    async fn calls_of_business_to_forget(
        &self,
        scope: &TenantScope,
        before_ms: i64,
        after: Option<Cursor>,
    ) -> Answer<Vec<Call>>;
    /// Calls of a business with parts of recordings that were opened after the one and before the other time, with the time of
    /// each part, oldest first, at most [`limits::PAGE_ROWS_MAX`].
    async fn recordings_to_forget(
        &self,
        scope: &TenantScope,
        after_ms: i64,
        before_ms: i64,
    ) -> Answer<Vec<(CallId, i64)>>;
    /// Forgets the names of a call's recordings. Their files are gone.
    async fn forget_recordings(&self, scope: &TenantScope, call: CallId) -> Answer<()>;
    /// Forgets who calls of a business were with that are over and began before this time, at most
    /// [`limits::PAGE_ROWS_MAX`] at once, and answers how many.
    async fn forget_numbers(&self, scope: &TenantScope, before_ms: i64) -> Answer<u64>;
    /// Calls of a business that are over, began at this time or later, and were not redacted, oldest first, at most
    /// [`limits::PAGE_ROWS_MAX`].
    async fn calls_to_redact(&self, scope: &TenantScope, from_ms: i64) -> Answer<Vec<Call>>;
    /// Puts other words in the place of those of a call, and deletes what would still tell the old ones: recorded inputs, what
    /// was read of the call, what was told of its turns.
    async fn redact_call(&self, scope: &TenantScope, call: CallId, redacted: &Redacted, at_ms: i64) -> Answer<()>;
    /// Deletes what was said and heard in a call and its log: journal, messages, recorded inputs, names of recordings.
    /// The row of the call stays.
    async fn forget_call(&self, scope: &TenantScope, call: CallId, at_ms: i64) -> Answer<()>;
    /// Deletes a call and all that belongs to it. `false` when there is none.
    async fn delete_call(&self, scope: &TenantScope, call: CallId) -> Answer<bool>;
    /// Leaves nothing of what was deleted in files that are only there for speed.
    async fn scrub(&self) -> Answer<()>;
}

/// Documents and tables of a business.
#[async_trait]
pub trait Content: Send + Sync {
    /// Creates or replaces a document.
    async fn put_document(&self, scope: &TenantScope, document: &Document) -> Answer<()>;
    /// One document.
    async fn document(&self, scope: &TenantScope, slug: &str) -> Answer<Document>;
    /// Documents after this slug, in order of slugs, at most [`limits::PAGE_ROWS_MAX`].
    async fn documents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<Document>>;
    /// The row of this key. Keys compare without regard to the case of ASCII letters.
    async fn row(&self, scope: &TenantScope, table: &str, key: &str) -> Answer<Value>;
    /// Creates or replaces a row.
    async fn put_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()>;
    /// Creates a row. `Conflict` when the key is taken.
    async fn insert_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()>;
    /// Rows after this key, in order of keys, at most [`limits::PAGE_ROWS_MAX`].
    async fn rows(&self, scope: &TenantScope, table: &str, after_key: Option<&str>) -> Answer<Vec<(String, Value)>>;

    /// The first rows, at most `rows_max`, whose columns hold these values; case and surrounding space do not count.
    /// Reads the table from its beginning, so it is for tables of at most some thousand rows.
    async fn find_rows(
        &self,
        scope: &TenantScope,
        table: &str,
        columns: &Map<String, Value>,
        rows_max: usize,
    ) -> Answer<Vec<Value>> {
        let mut hits = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.rows(scope, table, after.as_deref()).await?;
            let last_page = page.len() < limits::PAGE_ROWS_MAX as usize;
            after = page.last().map(|(key, _)| key.clone());
            hits.extend(page.into_iter().map(|(_, row)| row).filter(|row| row_matches(row, columns)));
            if last_page || hits.len() >= rows_max {
                hits.truncate(rows_max);
                return Ok(hits);
            }
        }
    }
}

/// A value of a row as people say it.
pub(crate) fn cell_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn row_matches(row: &Value, columns: &Map<String, Value>) -> bool {
    columns.iter().all(|(name, wanted)| {
        row.get(name).is_some_and(|cell| cell_text(cell).to_lowercase() == cell_text(wanted).to_lowercase())
    })
}

/// Deliveries of carriers that were seen.
#[async_trait]
pub trait ReplayKeys: Send + Sync {
    /// Notes a delivery; `true` the first time, `false` when it is a replay.
    async fn see_delivery(&self, carrier: &str, key: &str, at_ms: i64) -> Answer<bool>;
    /// Forgets deliveries seen before this time and answers how many, at most a thousand at once.
    async fn prune_deliveries(&self, before_ms: i64) -> Answer<u64>;
}

/// Whose a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// For every business that has none of its own.
    Installation,
    /// For one business.
    Business(BusinessId),
}

/// What a provider knows us by, and what goes with it. Values do not print.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Whose.
    pub owner: Owner,
    /// Registry name.
    pub provider: String,
    /// `api_key` and the provider's own settings.
    pub fields: BTreeMap<String, Secret<String>>,
    /// Why it does not open: it was changed or moved, or its data key is gone. Then it has no fields.
    pub damage: Option<String>,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
}

/// Credentials of providers, sealed at rest ([`crate::seal`]). Who may see or change one is decided above.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Creates or replaces a credential.
    async fn put_credential(
        &self,
        owner: Owner,
        provider: &str,
        fields: &BTreeMap<String, Secret<String>>,
        at_ms: i64,
    ) -> Answer<()>;
    /// All of them, opened: for the node that uses them. One that does not open is listed with its damage.
    async fn credentials(&self) -> Answer<Vec<Credential>>;
    /// Deletes one. `false` when there is none.
    async fn delete_credential(&self, owner: Owner, provider: &str) -> Answer<bool>;
    /// Seals all of them anew with the current data key, and with them the credentials of tools and the secrets of second
    /// factors, identity providers and webhooks; answers how many. So an old key can go, as soon as what else it seals is
    /// gone by its age: recordings, recorded inputs, answers to requests with a key. One that does not open stays as it is.
    async fn reseal_credentials(&self) -> Answer<u64>;
}

/// A value and how often it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// JSON.
    pub value: String,
    /// From 1; one more with each change.
    pub version: u32,
}

/// What an operator sets for the whole installation while it runs.
#[async_trait]
pub trait Settings: Send + Sync {
    /// One of them.
    async fn setting(&self, name: &str) -> Answer<Option<Versioned>>;
    /// Sets one and answers its version. With `expected`, a `Conflict` unless that is the version now (0: not set yet).
    async fn put_setting(&self, name: &str, value: &str, expected: Option<u32>) -> Answer<u32>;
}

/// What one provider charged in one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCost {
    /// Which stage.
    pub stage: CostStage,
    /// Registry name.
    pub provider: String,
    /// How much.
    pub cost: Money,
}

/// What a part of a call has cost. It counts once, however often it is sent: who got no answer sends it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: Uuid,
    /// All of it, also what is put down to no provider.
    pub total: Money,
    /// By stage and provider.
    pub lines: Vec<StageCost>,
}

impl Charge {
    /// A charge that was not sent yet.
    pub fn new(total: Money, lines: Vec<StageCost>) -> Self {
        Self { id: Uuid::now_v7(), total, lines }
    }
}

/// What calls cost. It is written with [`CallUpdate::charge`].
#[async_trait]
pub trait Costs: Send + Sync {
    /// What providers charged for a call, by stage and provider.
    async fn costs(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<StageCost>>;
    /// What the calls of the business that began from this time on have cost.
    async fn cost_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Money>;
    /// The same by stage and provider.
    async fn costs_since(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<Vec<StageCost>>;
}

/// Everything a store can do.
#[async_trait]
pub trait Store:
    Businesses
    + Agents
    + Numbers
    + Calls
    + CallLogs
    + Journal
    + Conversations
    + Inputs
    + Recordings
    + Retention
    + Content
    + crate::knowledge::KnowledgeBase
    + crate::knowledge_work::KnowledgeWork
    + crate::graph::KnowledgeGraph
    + crate::heard::HeardCalls
    + crate::mirrors::Mirrors
    + crate::training::Trainings
    + ReplayKeys
    + Credentials
    + Settings
    + Costs
    + drafts::Drafts
    + lines::Lines
    + customers::Customers
    + desk::Tickets
    + desk::Dispatches
    + desk::Statistics
    + shares::Shares
    + shares::Notes
    + mail::Mails
    + office::Office
    + branding::Brandings
    + widgets::Widgets
    + requests::Requests
    + Events
    + Jobs
    + Webhooks
    + Plans
    + Users
    + SecondFactors
    + Sessions
    + OneTimeTokens
    + AccessKeys
    + EntryRules
    + Audit
    + Nodes
    + queue::Queue
{
    /// What seals rows, and what other keys of the installation are derived from.
    fn keyring(&self) -> &Keyring;
    /// Whether the database answers and can be written to.
    async fn check(&self) -> Answer<()>;
    /// Makes ahead of time what the months to come need, and answers how much of it is new. For a worker that comes by
    /// some times a day; nothing is refused when it does not.
    async fn make_room(&self) -> Answer<u64>;
    /// Finishes what is under way and closes.
    async fn close(&self);
}
