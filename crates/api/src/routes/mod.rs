//! All routes, one file per resource.

mod agents;
mod calls;
mod carriers;
mod events;
mod health;
mod plans;
mod providers;
mod recordings;
mod views;
mod webhooks;

use crate::App;
use crate::problem::Problem;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::routing::{get, post};
use store::StoreError;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Frontdesk",
        description = "Agents that answer and place a company's calls. Errors are problem documents (RFC 9457). What an operation \
            needs stands in its `security`: the permissions of docs/access.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    modifiers(&Credentials),
    tags(
        (name = "agents", description = "Who answers."),
        (name = "calls", description = "Calls, their journals, recordings and live events."),
        (name = "events", description = "What happens in the business, as it happens; docs/events.md."),
        (name = "webhooks", description = "The same, sent to your systems; docs/webhooks.md."),
        (name = "plans", description = "Plans, the subscription, and what is used."),
        (name = "providers", description = "Who recognises, thinks and speaks: health, switches, credentials, costs."),
        (name = "operations", description = "Health and metrics.")
    )
)]
struct Document;

/// How a request says who makes it.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "An access token, an API key, or the token of the installation. Pages send the same in a cookie.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    }
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(agents::list))
        .routes(routes!(calls::list, calls::place))
        .routes(routes!(calls::get))
        .routes(routes!(calls::end))
        .routes(routes!(calls::events))
        .routes(routes!(recordings::get))
        .routes(routes!(providers::list))
        .routes(routes!(providers::switches, providers::put_switches))
        .routes(routes!(providers::test))
        .routes(routes!(providers::credentials))
        .routes(routes!(providers::put_credential, providers::delete_credential))
        .routes(routes!(providers::agent, providers::put_agent))
        .routes(routes!(providers::costs))
        .routes(routes!(events::stream))
        .routes(routes!(events::socket))
        .routes(routes!(events::snapshot))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::delivery))
        .routes(routes!(webhooks::replay_delivery))
        .routes(routes!(plans::plans))
        .routes(routes!(plans::subscription, plans::put_subscription))
        .routes(routes!(plans::usage))
        .routes(routes!(plans::month))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The OpenAPI document of this build, as pretty JSON.
pub fn document() -> String {
    let (_, document) = documented().split_for_parts();
    document.to_pretty_json().unwrap_or_default() + "\n"
}

pub(crate) fn all() -> Router<App> {
    let (router, document) = documented().split_for_parts();
    let document = document.to_pretty_json().unwrap_or_default();
    router
        .route(
            "/api/v1/openapi.json",
            get(move || async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document) }),
        )
        .route("/carriers/{carrier}/voice", post(carriers::voice))
        .route("/carriers/{carrier}/status", post(carriers::status))
        .route("/carriers/{carrier}/media", get(carriers::media))
        .route("/api/{*rest}", axum::routing::any(|| async { Problem::not_found() }))
}

/// Why a body could not be read.
fn not_read(rejection: JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid(rejection.body_text()),
    }
}

/// What a failing store means to a client.
pub(crate) fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound(_) => Problem::not_found(),
        StoreError::Unavailable(_) | StoreError::Contended => Problem::unavailable("the database does not answer"),
        StoreError::Full => Problem::unavailable("the disk is full"),
        StoreError::Invalid(why) => Problem::invalid(why),
        StoreError::Conflict(why) => Problem::invalid(why),
        StoreError::Fenced | StoreError::Corrupt(_) | StoreError::Sealed(_) => {
            tracing::error!(%error, "a request failed in the store");
            Problem::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_the_one_of_this_build() {
        let committed = include_str!("../../../../openapi.json");
        assert!(committed == super::document(), "run `cargo run -p frontdesk -- openapi > openapi.json`");
    }
}
