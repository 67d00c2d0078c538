//! Customers.

use super::drafts::pattern;
use crate::args;
use crate::contract::customers::{CustomerFilter, Customers, VersionedCustomer};
use crate::contract::{Answer, Cursor};
use crate::db::{DbRow, missing, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, CustomerId, PhoneNumber, Pii};
use model::business::TenantScope;
use model::customer::Customer;
use uuid::Uuid;

fn read_customer(row: &DbRow) -> Answer<VersionedCustomer> {
    let phone: Option<String> = row.get("phone")?;
    let customer = Customer {
        id: CustomerId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|_| StoreError::Corrupt("a phone number".into()))?,
        email: personal(row, "email")?,
        name: personal(row, "name")?,
        language: row.get("language")?,
        tags: row.json("tags")?,
        attributes: row.json("attributes")?,
        notes: personal(row, "notes")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    };
    Ok(VersionedCustomer { customer, version: row.get("version")? })
}

fn personal(row: &DbRow, column: &str) -> Answer<Option<Pii<String>>> {
    Ok(row.get::<Option<String>>(column)?.map(Pii::new))
}

fn exposed(text: &Option<Pii<String>>) -> Option<&str> {
    text.as_ref().map(|text| text.expose().as_str())
}

/// What a search looks through.
fn search_text(customer: &Customer) -> String {
    let phone = customer.phone.as_ref().map(PhoneNumber::expose);
    let parts = [exposed(&customer.name), phone, exposed(&customer.email)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase()
}

fn taken(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict(_) => StoreError::Conflict("another customer has this number or address".into()),
        other => other,
    }
}

#[async_trait]
impl Customers for SqlStore {
    async fn create_customer(&self, scope: &TenantScope, customer: &Customer) -> Answer<()> {
        if customer.business != scope.business {
            return Err(missing("customer"));
        }
        let args = args![
            customer.id.0,
            scope.business.0,
            customer.phone.as_ref().map(PhoneNumber::expose),
            exposed(&customer.email),
            exposed(&customer.name),
            &customer.language,
            to_json(&customer.tags)?,
            to_json(&customer.attributes)?,
            exposed(&customer.notes),
            search_text(customer),
            customer.created_at_ms,
            customer.updated_at_ms,
        ];
        self.db.write(scope, sql::INSERT_CUSTOMER, args).await.map(drop).map_err(taken)
    }

    async fn customer(&self, scope: &TenantScope, id: CustomerId) -> Answer<VersionedCustomer> {
        read_customer(&self.need(scope, "customer", sql::CUSTOMER, args![scope.business.0, id.0]).await?)
    }

    async fn update_customer(&self, scope: &TenantScope, customer: &Customer, expected: Option<u32>) -> Answer<u32> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::CUSTOMER_TO_CHANGE, args![scope.business.0, customer.id.0]).await?;
        let version: u32 = row.ok_or(missing("customer"))?.get("version")?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the customer was changed meanwhile: version {version}")));
        }
        let args = args![
            scope.business.0,
            customer.id.0,
            customer.phone.as_ref().map(PhoneNumber::expose),
            exposed(&customer.email),
            exposed(&customer.name),
            &customer.language,
            to_json(&customer.tags)?,
            to_json(&customer.attributes)?,
            exposed(&customer.notes),
            search_text(customer),
            customer.updated_at_ms,
        ];
        tx.write(sql::UPDATE_CUSTOMER, args).await.map_err(taken)?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn customers(
        &self,
        scope: &TenantScope,
        filter: &CustomerFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Vec<VersionedCustomer>> {
        let (statement, from) = if filter.ascending {
            (sql::CUSTOMERS_UP, Cursor { at_ms: i64::MIN, id: Uuid::nil() })
        } else {
            (sql::CUSTOMERS, Cursor { at_ms: i64::MAX, id: Uuid::max() })
        };
        let after = after.unwrap_or(from);
        // Tags are written as a JSON array of texts.
        let tag = filter.tag.as_ref().map(to_json).transpose()?.map(|tag| pattern(&tag));
        let args = args![
            scope.business.0,
            filter.phone.as_ref().map(PhoneNumber::expose),
            &filter.email,
            filter.words.as_deref().map(pattern),
            tag,
            after.at_ms,
            after.id,
            rows_max,
        ];
        self.db.read(scope, statement, args).await?.iter().map(read_customer).collect()
    }

    async fn delete_customer(&self, scope: &TenantScope, id: CustomerId) -> Answer<bool> {
        Ok(self.db.write(scope, sql::DELETE_CUSTOMER, args![scope.business.0, id.0]).await? > 0)
    }
}
