//! Customers: who calls, what is known of them, and what they had to do with us.

use super::store_problem;
use super::views::CallView;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, Tagged, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::{CustomerId, PhoneNumber, Pii, limits};
use model::customer::Customer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use store::contract::customers::{CustomerFilter, VersionedCustomer};
use store::{CallFilter, Cursor};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerView {
    id: Uuid,
    #[serde(flatten)]
    fields: CustomerFields,
    /// Unix milliseconds of the first entry.
    created_at_ms: i64,
    /// Unix milliseconds of the last change.
    updated_at_ms: i64,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What is known of a customer. The number or the address must be there: a customer is found by them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CustomerFields {
    /// E.164 form.
    #[schema(example = "+4915735550123", pattern = r"^\+[0-9]{5,15}$")]
    phone: Option<String>,
    #[schema(example = "ada@example.com", pattern = r"^[!-?A-~]{1,64}@[!-?A-~]{1,190}$")]
    email: Option<String>,
    #[schema(example = "Ada Lovelace", max_length = 200)]
    name: Option<String>,
    /// BCP-47 language that they prefer.
    #[schema(pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
    language: Option<String>,
    /// Words to find them by.
    #[schema(max_items = 50)]
    tags: Vec<String>,
    /// What else is known, by name.
    attributes: BTreeMap<String, String>,
    /// Free text.
    #[schema(max_length = 4000)]
    notes: Option<String>,
}

/// A change of a customer (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct CustomerPatch {
    #[schema(pattern = r"^\+[0-9]{5,15}$")]
    phone: Option<String>,
    #[schema(pattern = r"^[!-?A-~]{1,64}@[!-?A-~]{1,190}$")]
    email: Option<String>,
    #[schema(max_length = 200)]
    name: Option<String>,
    #[schema(pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
    language: Option<String>,
    #[schema(required = false, value_type = Option<Vec<String>>, max_items = 50)]
    tags: Vec<String>,
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>, required = false)]
    attributes: BTreeMap<String, String>,
    #[schema(max_length = 4000)]
    notes: Option<String>,
}

fn text(value: Option<Pii<String>>) -> Option<String> {
    value.map(Pii::into_inner)
}

fn fields(customer: Customer) -> CustomerFields {
    CustomerFields {
        phone: customer.phone.map(|phone| phone.expose().to_owned()),
        email: text(customer.email),
        name: text(customer.name),
        language: customer.language,
        tags: customer.tags,
        attributes: customer.attributes.into_iter().map(|(name, value)| (name, value.into_inner())).collect(),
        notes: text(customer.notes),
    }
}

impl From<VersionedCustomer> for CustomerView {
    fn from(known: VersionedCustomer) -> Self {
        let VersionedCustomer { customer, version } = known;
        let Customer { id, created_at_ms, updated_at_ms, .. } = customer;
        Self { id: id.0, fields: fields(customer), created_at_ms, updated_at_ms, version }
    }
}

fn tagged(known: VersionedCustomer) -> Tagged<CustomerView> {
    Tagged { version: known.version, body: known.into() }
}

/// A customer with these facts, which are checked.
fn apply(known: Customer, given: CustomerFields, now_ms: i64) -> Result<Customer, Problem> {
    if given.phone.is_none() && given.email.is_none() {
        return Err(Problem::invalid("phone or email must be there: a customer is found by them"));
    }
    let phone = given.phone.as_deref().map(str::parse::<PhoneNumber>).transpose();
    let email = given.email.map(|email| email.trim().to_lowercase());
    if let Some(email) = &email {
        let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !is_address || email.len() > 254 || email.contains(char::is_whitespace) {
            return Err(Problem::invalid("email: this is no address"));
        }
    }
    if let Some(language) = &given.language {
        super::check_language(language)?;
    }
    if let Some(name) = &given.name {
        super::check_text("name", name, 0, 200)?;
    }
    if let Some(notes) = &given.notes {
        super::check_text("notes", notes, 0, limits::CUSTOMER_TEXT_CHARS_MAX)?;
    }
    if given.tags.len() > limits::CUSTOMER_FACTS_MAX || given.attributes.len() > limits::CUSTOMER_FACTS_MAX {
        let most = limits::CUSTOMER_FACTS_MAX;
        return Err(Problem::invalid(format!("tags, attributes: at most {most} each")));
    }
    for tag in &given.tags {
        super::check_text("tags", tag, 1, 100)?;
    }
    for (name, value) in &given.attributes {
        super::check_text("attributes", name, 1, 100)?;
        super::check_text("attributes", value, 0, limits::CUSTOMER_TEXT_CHARS_MAX)?;
    }
    Ok(Customer {
        phone: phone.map_err(|why| Problem::invalid(format!("phone: {why}")))?,
        email: email.map(Pii::new),
        name: given.name.map(Pii::new),
        language: given.language,
        tags: given.tags,
        attributes: given.attributes.into_iter().map(|(name, value)| (name, Pii::new(value))).collect(),
        notes: given.notes.map(Pii::new),
        updated_at_ms: now_ms,
        ..known
    })
}

/// Which customers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerQuery {
    /// The customer with this number, in E.164 form.
    phone: Option<String>,
    /// The customer with this address.
    email: Option<String>,
    /// Customers whose name, number or address holds this.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Customers with this tag.
    tag: Option<String>,
    /// `-updated_at` (the last changed first) or `updated_at`.
    #[param(inline)]
    sort: Option<CustomerSort>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(crate) enum CustomerSort {
    #[serde(rename = "updated_at")]
    UpdatedAt,
    #[serde(rename = "-updated_at")]
    UpdatedAtDown,
}

/// Lists customers, or finds them by what is known of them.
#[utoipa::path(get, path = "/api/v1/customers", tag = "customers", operation_id = "list_customers", params(CustomerQuery),
    security(("bearer" = ["customers:read"])), responses((status = 200, description = "One page of customers", body = List<CustomerView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::CustomersRead>,
    uri: Uri,
    Params(query): Params<CustomerQuery>,
) -> Result<Listed<CustomerView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    if let Some(words) = &query.q {
        super::check_text("q", words, 0, 100)?;
    }
    let filter = CustomerFilter {
        phone: query.phone.as_deref().map(super::dialled).transpose()?,
        email: query.email.map(|email| email.trim().to_lowercase()),
        words: query.q,
        tag: query.tag,
        ascending: matches!(query.sort, Some(CustomerSort::UpdatedAt)),
    };
    let rows = app.node.store().customers(&caller.scope, &filter, after, wanted + 1).await.map_err(store_problem)?;
    let place = |row: &VersionedCustomer| Cursor { at_ms: row.customer.updated_at_ms, id: row.customer.id.0 };
    let (rows, next) = page::cut(rows, wanted, place);
    Ok(Listed::new(rows.into_iter().map(CustomerView::from).collect(), next, uri))
}

/// Creates a customer, or replaces what is known of the one with the same number, else the same address.
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", operation_id = "upsert_customer", request_body = CustomerFields,
    security(("bearer" = ["customers:write"])), responses(
    (status = 200, description = "The customer was known", body = CustomerView, headers(("ETag" = String, description = "Its version"))),
    (status = 201, description = "The customer is new", body = CustomerView, headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version"))),
    (status = 409, description = "The number is one customer's and the address another's", body = Problem)
))]
pub(crate) async fn upsert(
    State(app): State<App>,
    caller: Allowed<may::CustomersWrite>,
    Body(given): Body<CustomerFields>,
) -> Result<Response, Problem> {
    let store = app.node.store();
    let now_ms = runtime::wall_ms();
    let fresh = Customer {
        id: CustomerId::generate(),
        business: caller.scope.business,
        phone: None,
        email: None,
        name: None,
        language: None,
        tags: Vec::new(),
        attributes: BTreeMap::new(),
        notes: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let fresh = apply(fresh, given, now_ms)?;
    let by_phone = CustomerFilter { phone: fresh.phone.clone(), ..CustomerFilter::default() };
    let email = fresh.email.as_ref().map(|email| email.expose().clone());
    let by_email = CustomerFilter { email, ..CustomerFilter::default() };
    for filter in [by_phone, by_email] {
        if filter == CustomerFilter::default() {
            continue;
        }
        let found = store.customers(&caller.scope, &filter, None, 1).await.map_err(store_problem)?;
        if let Some(known) = found.into_iter().next() {
            let id = known.customer.id;
            let customer = Customer { id, created_at_ms: known.customer.created_at_ms, ..fresh };
            let version = store.update_customer(&caller.scope, &customer, None).await.map_err(store_problem)?;
            return Ok(tagged(VersionedCustomer { customer, version }).into_response());
        }
    }
    store.create_customer(&caller.scope, &fresh).await.map_err(store_problem)?;
    let location = format!("/api/v1/customers/{}", fresh.id);
    let made = tagged(VersionedCustomer { customer: fresh, version: 1 });
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], made).into_response())
}

/// Reads a customer.
#[utoipa::path(get, path = "/api/v1/customers/{id}", tag = "customers", operation_id = "get_customer",
    params(("id" = Uuid, Path, description = "The customer")), security(("bearer" = ["customers:read"])), responses(
    (status = 200, description = "The customer", body = CustomerView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CustomersRead>,
    super::Id(id): super::Id<CustomerId>,
) -> Result<Tagged<CustomerView>, Problem> {
    app.node.store().customer(&caller.scope, id).await.map(tagged).map_err(store_problem)
}

/// Changes what is known of a customer.
#[utoipa::path(patch, path = "/api/v1/customers/{id}", tag = "customers", operation_id = "update_customer",
    extensions(("x-if-match" = json!(true))), params(("id" = Uuid, Path, description = "The customer")),
    request_body = CustomerPatch, security(("bearer" = ["customers:write"])), responses(
    (status = 200, description = "The customer as they are now", body = CustomerView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::CustomersWrite>,
    super::Id(id): super::Id<CustomerId>,
    if_match: IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<CustomerView>, Problem> {
    let store = app.node.store();
    let known = store.customer(&caller.scope, id).await.map_err(store_problem)?;
    let expected = if_match.required(known.version)?;
    let given: CustomerFields = super::merged(&fields(known.customer.clone()), &patch)?;
    let customer = apply(known.customer, given, runtime::wall_ms())?;
    let written = store.update_customer(&caller.scope, &customer, expected).await;
    let version = written.map_err(|error| {
        if expected.is_some() { super::stale_or(error, known.version) } else { store_problem(error) }
    })?;
    Ok(tagged(VersionedCustomer { customer, version }))
}

/// Deletes a customer's entry. Calls and conversations stay until their time is over.
#[utoipa::path(delete, path = "/api/v1/customers/{id}", tag = "customers", operation_id = "delete_customer",
    params(("id" = Uuid, Path, description = "The customer")), security(("bearer" = ["customers:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::CustomersWrite>,
    super::Id(id): super::Id<CustomerId>,
) -> Result<StatusCode, Problem> {
    super::deleted(app.node.store().delete_customer(&caller.scope, id).await)
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists a customer's calls, newest first.
#[utoipa::path(get, path = "/api/v1/customers/{id}/history", tag = "customers", operation_id = "get_customer_history",
    params(("id" = Uuid, Path, description = "The customer"), HistoryQuery), security(("bearer" = ["customers:read"])),
    responses((status = 200, description = "One page of calls", body = List<CallView>)))]
pub(crate) async fn history(
    State(app): State<App>,
    caller: Allowed<may::CustomersRead>,
    super::Id(id): super::Id<CustomerId>,
    uri: Uri,
    Params(query): Params<HistoryQuery>,
) -> Result<Listed<CallView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let store = app.node.store();
    let known = store.customer(&caller.scope, id).await.map_err(store_problem)?.customer;
    let Some(phone) = known.phone else { return Ok(Listed::new(Vec::new(), None::<String>, uri)) };
    let filter = CallFilter { customer: Some(phone.expose().to_owned()), ..CallFilter::default() };
    let calls = store.calls(&caller.scope, &filter, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(calls.rows.into_iter().map(CallView::from).collect(), calls.next, uri))
}
