//! A business as a file describes it, before it has ids: the demo business, and what an import reads.

use crate::agent::{Agent, BrainChoice, Handoff, Lines, Outbound, Sound, Timing, TurnTaking};
use crate::business::{Business, Number};
use crate::guard::Guardrails;
use crate::hours::AgentHours;
use crate::routing::AgentProviders;
use crate::tool::ToolSpec;
use base::{AgentId, BusinessId, NumberId, PhoneNumber};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A business with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The business.
    pub business: SeedBusiness,
    /// Its agents.
    pub agents: Vec<SeedAgent>,
    /// Its numbers.
    #[serde(default)]
    pub numbers: Vec<SeedNumber>,
    /// What its agents answer from.
    #[serde(default)]
    pub documents: Vec<SeedDocument>,
    /// What its agents look up and write down.
    #[serde(default)]
    pub tables: Vec<SeedTable>,
}

/// A business without its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedBusiness {
    /// Short name used in addresses and on the command line.
    pub slug: String,
    /// Name as customers know it.
    pub name: String,
    /// IANA time zone in which its hours are meant.
    pub time_zone: String,
}

impl SeedBusiness {
    /// The business, with an id.
    pub fn business(&self, id: BusinessId) -> Business {
        Business { id, slug: self.slug.clone(), name: self.name.clone(), time_zone: self.time_zone.clone() }
    }
}

/// An agent without its ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedAgent {
    /// Short name used in addresses and on the command line.
    pub slug: String,
    /// Name as shown to people.
    pub name: String,
    /// Name of the business as spoken.
    pub business_name: String,
    /// Who the agent is and how it behaves.
    pub persona: String,
    /// BCP-47 language.
    pub language: String,
    /// Which brain answers.
    #[serde(default)]
    pub brain: BrainChoice,
    /// Which voice speaks.
    #[serde(default)]
    pub voice: Option<String>,
    /// Who serves the stages of its calls.
    #[serde(default)]
    pub providers: AgentProviders,
    /// Lines it says by itself.
    #[serde(default)]
    pub lines: Lines,
    /// When it listens, waits and gives up.
    #[serde(default)]
    pub timing: Timing,
    /// How it takes turns with the caller.
    #[serde(default)]
    pub turns: TurnTaking,
    /// What the audio of both sides goes through.
    #[serde(default)]
    pub sound: Sound,
    /// What it does when a call that it placed is answered by something else than a person.
    #[serde(default)]
    pub outbound: Outbound,
    /// What it may do.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
    /// What it goes through with a caller, step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<crate::flow::Flow>,
    /// Where a caller who wants a person is sent.
    #[serde(default)]
    pub handoff_to: Option<PhoneNumber>,
    /// How a caller is handed to a person.
    #[serde(default)]
    pub handoff: Handoff,
    /// When it takes calls, and what it does otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<AgentHours>,
    /// What it must not do.
    #[serde(default)]
    pub guardrails: Guardrails,
    /// Whether both sides are recorded.
    #[serde(default = "yes")]
    pub record: bool,
}

fn yes() -> bool {
    true
}

impl SeedAgent {
    /// The agent, with its ids.
    pub fn agent(&self, id: AgentId, business: BusinessId) -> Agent {
        let seed = self.clone();
        Agent {
            id,
            business,
            slug: seed.slug,
            name: seed.name,
            business_name: seed.business_name,
            persona: seed.persona,
            language: seed.language,
            brain: seed.brain,
            voice: seed.voice,
            providers: seed.providers,
            lines: seed.lines,
            timing: seed.timing,
            turns: seed.turns,
            sound: seed.sound,
            outbound: seed.outbound,
            tools: seed.tools,
            flow: seed.flow,
            handoff_to: seed.handoff_to,
            handoff: seed.handoff,
            is_briefing: false,
            hours: seed.hours,
            guardrails: seed.guardrails,
            record: seed.record,
        }
    }
}

/// A number without its ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedNumber {
    /// The number customers dial.
    pub number: PhoneNumber,
    /// Registry name of the carrier that brings its calls.
    pub carrier: String,
    /// Slug of the agent that answers.
    pub agent: String,
}

impl SeedNumber {
    /// The number, with its ids.
    pub fn number(&self, id: NumberId, business: BusinessId, agent: AgentId) -> Number {
        Number { id, business, number: self.number.clone(), carrier: self.carrier.clone(), agent }
    }
}

/// A document, by the name of the file that lies beside the description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedDocument {
    /// Title as it is cited.
    pub title: String,
    /// File name, relative to the description.
    pub file: String,
}

/// A document an agent answers from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Title as it is cited.
    pub title: String,
    /// Markdown.
    pub text: String,
}

/// A table that tools look rows up in or write rows into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedTable {
    /// Name, as tools call it.
    pub name: String,
    /// Rows: column name to value. A lookup compares its arguments with the columns of the same names.
    #[serde(default)]
    pub rows: Vec<Map<String, Value>>,
}
