//! The profile of the business.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, Tagged};
use crate::problem::Problem;
use axum::extract::State;
use model::business::Business;
use model::hours::Hours;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::office::BusinessProfile;
use utoipa::ToSchema;
use uuid::Uuid;

const NAME_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 1_000;

/// A business.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BusinessView {
    id: Uuid,
    /// Short name, used in addresses; it never changes.
    slug: String,
    #[serde(flatten)]
    fields: BusinessFields,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What can be changed about a business.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusinessFields {
    /// Name as customers know it.
    name: String,
    /// IANA time zone in which its hours are meant.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// Its page.
    website: Option<String>,
    /// Where people write to.
    email: Option<String>,
    /// Where people call, in E.164 form.
    #[schema(value_type = Option<String>, example = "+49405550170")]
    phone: Option<base::PhoneNumber>,
    /// Postal address, in lines.
    address: Option<String>,
    /// What it does, in a few words.
    industry: Option<String>,
    /// BCP-47 language in which it usually speaks.
    language: Option<String>,
    /// When somebody is there; null: always.
    #[schema(value_type = Option<super::shapes::HoursShape>)]
    hours: Option<Hours>,
}

/// A change of a business (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[derive(ToSchema)]
#[schema(as = BusinessPatch)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct BusinessPatch {
    #[schema(required = false, min_length = 1, max_length = 200)]
    name: String,
    /// IANA time zone.
    #[schema(required = false, example = "Europe/Berlin")]
    time_zone: String,
    #[schema(max_length = 1000)]
    website: Option<String>,
    #[schema(max_length = 1000)]
    email: Option<String>,
    /// E.164 form.
    #[schema(pattern = r"^\+[0-9]{5,15}$")]
    phone: Option<String>,
    #[schema(max_length = 1000)]
    address: Option<String>,
    #[schema(max_length = 1000)]
    industry: Option<String>,
    #[schema(pattern = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
    language: Option<String>,
    /// Merged into what is there; null: always open.
    #[schema(value_type = Option<Object>)]
    hours: Option<super::shapes::HoursShape>,
}

fn view(known: BusinessProfile) -> Tagged<BusinessView> {
    let version = known.version;
    let (id, slug) = (known.business.id.0, known.business.slug.clone());
    Tagged { version, body: BusinessView { id, slug, fields: fields(known), version } }
}

fn fields(known: BusinessProfile) -> BusinessFields {
    let BusinessProfile { business, profile, .. } = known;
    BusinessFields {
        name: business.name,
        time_zone: business.time_zone,
        website: profile.website,
        email: profile.email,
        phone: profile.phone,
        address: profile.address,
        industry: profile.industry,
        language: profile.language,
        hours: profile.hours,
    }
}

/// Reads the profile of the business.
#[utoipa::path(get, path = "/api/v1/business", tag = "business", operation_id = "get_business",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "The business", body = BusinessView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::BusinessRead>,
) -> Result<Tagged<BusinessView>, Problem> {
    app.node.store().profile(&caller.scope).await.map(view).map_err(store_problem)
}

/// Changes the profile of the business.
#[utoipa::path(patch, path = "/api/v1/business", tag = "business", operation_id = "update_business",
    extensions(("x-if-match" = json!(true))), security(("bearer" = ["business:manage"])), request_body = BusinessPatch, responses(
    (status = 200, description = "The business as it is now", body = BusinessView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    if_match: IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<BusinessView>, Problem> {
    let store = app.node.store();
    let known = store.profile(&caller.scope).await.map_err(store_problem)?;
    let expected = if_match.required(known.version)?;
    let changed: BusinessFields = super::merged(&fields(known.clone()), &patch)?;
    check(&changed)?;
    let business = Business { name: changed.name, time_zone: changed.time_zone, ..known.business };
    let profile = model::business::Profile {
        website: changed.website,
        email: changed.email,
        phone: changed.phone,
        address: changed.address,
        industry: changed.industry,
        language: changed.language,
        hours: changed.hours,
    };
    let written = store.put_profile(&caller.scope, &business, &profile, expected).await;
    let version = written.map_err(|error| super::stale_or(error, known.version))?;
    Ok(view(BusinessProfile { business, profile, version }))
}

fn check(fields: &BusinessFields) -> Result<(), Problem> {
    super::check_text("name", &fields.name, 1, NAME_CHARS_MAX)?;
    super::check_zone("time_zone", &fields.time_zone)?;
    let texts = [("website", &fields.website), ("email", &fields.email), ("address", &fields.address)];
    for (name, text) in texts.into_iter().chain([("industry", &fields.industry)]) {
        if let Some(text) = text {
            super::check_text(name, text, 0, TEXT_CHARS_MAX)?;
        }
    }
    if let Some(language) = &fields.language {
        super::check_language(language)?;
    }
    fields.hours.as_ref().map_or(Ok(()), Hours::check).map_err(|why| Problem::invalid(format!("hours: {why}")))
}
