//! Customers: whoever calls, is called or chats, as a business knows them.

use base::{BusinessId, CustomerId, PhoneNumber, Pii};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A customer. What identifies them is their number or address; one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Their id.
    pub id: CustomerId,
    /// Whose customer.
    pub business: BusinessId,
    /// Their number; unique within the business.
    pub phone: Option<PhoneNumber>,
    /// Their address, in lower case; unique within the business.
    pub email: Option<Pii<String>>,
    /// What to call them.
    pub name: Option<Pii<String>>,
    /// BCP-47 language that they prefer.
    pub language: Option<String>,
    /// Words to find them by.
    pub tags: Vec<String>,
    /// What else the business knows, by name.
    pub attributes: BTreeMap<String, Pii<String>>,
    /// Free text.
    pub notes: Option<Pii<String>>,
    /// Unix milliseconds of the first entry.
    pub created_at_ms: i64,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
}
