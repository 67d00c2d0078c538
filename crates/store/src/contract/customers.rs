//! Customers of a business, and what they have to do with its calls.

use super::{Answer, Cursor};
use async_trait::async_trait;
use base::{CustomerId, PhoneNumber};
use model::business::TenantScope;
use model::customer::Customer;

/// A customer and how often their entry was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedCustomer {
    /// The customer.
    pub customer: Customer,
    /// From 1; one more with each change.
    pub version: u32,
}

/// Which customers a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    /// With this number.
    pub phone: Option<PhoneNumber>,
    /// With this address, in lower case.
    pub email: Option<String>,
    /// Whose name, number or address holds this.
    pub words: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// The one that was changed longest ago first, instead of the last changed.
    pub ascending: bool,
}

/// Customers.
#[async_trait]
pub trait Customers: Send + Sync {
    /// Creates a customer. `Conflict` when the number or the address is another's.
    async fn create_customer(&self, scope: &TenantScope, customer: &Customer) -> Answer<()>;
    /// One customer.
    async fn customer(&self, scope: &TenantScope, id: CustomerId) -> Answer<VersionedCustomer>;
    /// Changes a customer and answers the version. With `expected`, a `Conflict` unless that is the version now.
    async fn update_customer(&self, scope: &TenantScope, customer: &Customer, expected: Option<u32>) -> Answer<u32>;
    /// Customers in the order of their last change, after this place, at most `rows_max`.
    async fn customers(
        &self,
        scope: &TenantScope,
        filter: &CustomerFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Vec<VersionedCustomer>>;
    /// Deletes a customer's entry. Calls and conversations stay. `false` when there is none.
    async fn delete_customer(&self, scope: &TenantScope, id: CustomerId) -> Answer<bool>;
}
