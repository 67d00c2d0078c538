//! Businesses (tenants) and their numbers.

use crate::hours::Hours;
use base::{AgentId, BusinessId, NumberId, PhoneNumber};
use serde::{Deserialize, Serialize};

/// A business: the tenant. Everything else belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Business {
    /// Its id.
    pub id: BusinessId,
    /// Short name used in addresses and on the command line, such as `brightleaf`.
    pub slug: String,
    /// Name as customers know it.
    pub name: String,
    /// IANA time zone in which its hours are meant.
    pub time_zone: String,
}

/// What a business tells about itself beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Its page, such as `https://example.com`.
    pub website: Option<String>,
    /// Where people write to.
    pub email: Option<String>,
    /// Where people call, in E.164 form.
    pub phone: Option<PhoneNumber>,
    /// Postal address, in lines.
    pub address: Option<String>,
    /// What it does, in a few words.
    pub industry: Option<String>,
    /// BCP-47 language in which it usually speaks.
    pub language: Option<String>,
    /// When somebody is there; absent: always.
    pub hours: Option<Hours>,
}

/// A phone number and the agent that answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Its id.
    pub id: NumberId,
    /// Whose it is.
    pub business: BusinessId,
    /// The number customers dial.
    pub number: PhoneNumber,
    /// Registry name of the carrier that brings its calls.
    pub carrier: String,
    /// Who answers.
    pub agent: AgentId,
}

/// Proof that the holder acts for one business. No row is read or written without one.
///
/// Only the authentication layer and the carrier router construct it, from a credential or a dialled number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantScope {
    /// The business whose rows are visible.
    pub business: BusinessId,
}
