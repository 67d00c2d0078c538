//! Tools: what an agent may do, as data. The policy that decides whether a request is carried out is in the engine,
//! outside any model.

use crate::ticket::TicketPriority;
use serde::{Deserialize, Serialize};

/// A tool an agent may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Name as a model calls it, such as `order_status`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// What carries it out.
    pub action: ToolAction,
    /// Whether it changes anything; then it needs a spoken yes and a durable journal entry.
    #[serde(default)]
    pub changes_state: bool,
    /// What is asked before a change, with `{parameter}` placeholders.
    #[serde(default)]
    pub confirm: Option<String>,
    /// What is said when it is done, with `{parameter}` and `{result}` placeholders; a model brain may say more.
    #[serde(default)]
    pub say_done: Option<String>,
    /// Example requests in customers' words, for the on-device brain.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Words of which a request must hold one before the on-device brain may choose this tool.
    #[serde(default)]
    pub must_hold: Vec<String>,
}

/// One argument of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name as a model gives it.
    pub name: String,
    /// What it means, for the model.
    pub description: String,
    /// What its values look like.
    pub kind: ParameterKind,
    /// Whether the tool can run without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// What the on-device brain asks when it is missing.
    #[serde(default)]
    pub ask: Option<String>,
}

fn yes() -> bool {
    true
}

/// What the values of an argument look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ParameterKind {
    /// Free text that the customer said.
    Text,
    /// An id with this regular expression, such as an order number.
    Pattern {
        /// The expression; matched without regard to case.
        regex: String,
    },
    /// One of these values. Each may name the words by which customers mean it.
    Choice {
        /// The values.
        options: Vec<ChoiceOption>,
    },
    /// A day: a weekday, today, tomorrow or a date.
    Day,
    /// A number; the tool gets it as one.
    Number {
        /// The smallest that is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<f64>,
        /// The largest that is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<f64>,
        /// Whether it has no fraction.
        #[serde(default)]
        whole: bool,
    },
    /// Yes or no; the tool gets true or false.
    YesNo {
        /// Words by which customers mean yes; a plain yes when there are none.
        #[serde(default)]
        yes: Vec<String>,
        /// Words by which customers mean no; a plain no when there are none.
        #[serde(default)]
        no: Vec<String>,
    },
}

/// One value of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// The value the tool gets.
    pub value: String,
    /// Words by which customers mean it.
    #[serde(default)]
    pub said: Vec<String>,
}

/// How a tool asks a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Arguments in the address: for looking something up.
    Get,
    /// Arguments as JSON.
    #[default]
    Post,
    /// Arguments as JSON.
    Put,
    /// Arguments in the address.
    Delete,
}

impl HttpMethod {
    /// The method's name (RFC 9110, 9.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// By which way a message reaches somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A text message to a phone, from our number and by the platform of the call.
    Sms,
    /// A mail, from the business's name.
    Email,
}

impl Channel {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// Messages that one call may send unless its tool says otherwise.
pub const MESSAGES_PER_CALL: u32 = 2;
/// Messages that one person may get in a day unless the tool says otherwise.
pub const MESSAGES_PER_DAY: u32 = 5;

const fn messages_per_call() -> u32 {
    MESSAGES_PER_CALL
}

const fn messages_per_day() -> u32 {
    MESSAGES_PER_DAY
}

/// What carries a tool out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToolAction {
    /// Looks a row up in a table that the business gave (demo data, small shops).
    Lookup {
        /// Name of the table.
        table: String,
    },
    /// Writes a row into a table of the business, such as a booking.
    Record {
        /// Name of the table.
        table: String,
    },
    /// Sends the arguments to a service of the business: as JSON, or in the address of a `GET`. What it answers, JSON or text,
    /// is the result.
    Http {
        /// Where to: `https://…`, or `http://…` on this machine where the installation lets requests go there.
        url: String,
        /// How.
        #[serde(default)]
        method: HttpMethod,
        /// Name of the credential of the business that goes with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
        /// How long the service may take; never longer than the agent's `tool_ms_max`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// What the business knows about whoever is on the line, by their number.
    LookUpCustomer,
    /// Raises a ticket. Of the arguments, `subject` is what it is about, `text` all of it, and others are written below it. Words
    /// of the first two may be the brain's own: a person reads them.
    CreateTicket {
        /// How much it presses.
        #[serde(default)]
        priority: TicketPriority,
    },
    /// Sends a message that was written beforehand.
    SendMessage {
        /// By which way.
        channel: Channel,
        /// Name of the argument that holds whom it goes to; absent: whoever is on the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What a mail is about, with `{parameter}` placeholders; absent: that it is from the business.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// What it says, with `{parameter}` placeholders.
        text: String,
        /// How many a call may send.
        #[serde(default = "messages_per_call")]
        per_call_max: u32,
        /// How many a person may get in a day.
        #[serde(default = "messages_per_day")]
        per_day_max: u32,
    },
    /// Has the customer type its one argument on the keys of their phone.
    CollectDigits {
        /// So many keys are the whole of it; fewer end with the hash key or a pause.
        digits_max: u32,
    },
    /// Calls a tool of an MCP server of the business.
    Mcp {
        /// Name of the server.
        server: String,
        /// Name of the tool there.
        tool: String,
        /// How long it may take; never longer than the agent's `tool_ms_max`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// Searches the business's documents.
    SearchKnowledge,
    /// Hands the call to a person.
    Handoff,
    /// Ends the call after a goodbye.
    EndCall,
}

/// Where an MCP server of a business is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpServer {
    /// Its one address.
    pub url: String,
    /// Name of the credential of the business's tools that goes with every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}
