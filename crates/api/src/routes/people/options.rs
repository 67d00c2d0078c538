//! What a page needs to know before anybody has signed in.

use super::entry::start_url;
use super::store_problem;
use crate::App;
use crate::auth::session::Entry;
use crate::http::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::{IntoParams, ToSchema};

/// Whose way in.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptionsQuery {
    /// Short name of a business; the first one of the installation when left out.
    business: Option<String>,
}

/// How people get in here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInOptions {
    /// Whether anybody may register a business.
    registration: bool,
    /// Whether this request would need a credential; false on one's own machine.
    sign_in_needed: bool,
    /// Where people of the business may sign in instead of here.
    identity_providers: Vec<SignInProvider>,
}

/// An identity provider, as a button.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInProvider {
    name: String,
    /// Where a browser begins to sign in.
    start_url: String,
}

/// Says how people get in: what a page shows before anybody has signed in.
#[utoipa::path(get, path = "/api/v1/auth/options", tag = "auth", operation_id = "get_sign_in_options", security(()),
    params(OptionsQuery), responses((status = 200, description = "How people get in", body = SignInOptions)))]
pub(crate) async fn get(
    State(app): State<App>,
    entry: Entry,
    headers: HeaderMap,
    Params(query): Params<OptionsQuery>,
) -> Result<Json<SignInOptions>, Problem> {
    let store = app.node.store();
    let scope = match query.business.as_deref() {
        None => Ok(app.home),
        Some(slug) => store.business_by_slug(slug).await.map(|business| TenantScope { business: business.id }),
    };
    let providers = match scope {
        Ok(scope) => store.identity_providers(&scope).await.map_err(store_problem)?,
        // A business without providers looks the same.
        Err(StoreError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(store_problem(error)),
    };
    let base_url = app.access.base_url(&headers);
    let button = |provider: store::people::IdentityProvider| SignInProvider {
        start_url: start_url(&base_url, provider.id),
        name: provider.name,
    };
    Ok(Json(SignInOptions {
        registration: app.auth.settings.registration,
        sign_in_needed: !app.access.is_open_to(&headers, entry.address),
        identity_providers: providers.into_iter().map(button).collect(),
    }))
}
