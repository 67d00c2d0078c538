//! All routes, one file per resource.

mod agents;
mod branding;
mod business;
mod businesses;
mod calls;
mod carriers;
mod conversations;
mod customers;
mod events;
mod fields;
mod flags;
mod flows;
mod health;
mod knowledge;
mod mcp_servers;
mod nodes;
mod notes;
mod numbers;
mod outgoing;
mod overview;
mod peers;
mod people;
mod plans;
mod privacy;
mod providers;
mod queue;
mod recordings;
mod shapes;
mod shares;
mod splits;
mod supervise;
pub(crate) mod test_calls;
mod tickets;
mod tools;
mod training;
mod transcripts;
mod values;
mod versions;
mod views;
pub(crate) mod visits;
mod voices;
mod webhooks;
mod webrtc;
mod widgets;

pub(crate) use fields::{
    Id, Name, can, check_key, check_language, check_slug, check_text, check_zone, customer_text, deleted, deleted_at,
    dialled, known_carrier, merged, merged_value, sane, stale_or, unknown_field,
};

use crate::App;
use crate::problem::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base::limits;
use store::StoreError;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
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
        (name = "auth", description = "Signing in: passwords, second factors, identity providers, tokens."),
        (name = "people", description = "Who belongs to the business, how they get in, and who did what."),
        (name = "keys", description = "API keys, and clients of OAuth 2.0."),
        (name = "business", description = "What the business tells about itself."),
        (name = "agents", description = "Who answers: drafts, published versions, status."),
        (name = "tools", description = "What agents may do, and the credentials of the services they ask."),
        (name = "numbers", description = "Which agent answers which number, and when."),
        (name = "customers", description = "Who calls, and what is known of them."),
        (name = "tickets", description = "What is left to be done for customers."),
        (name = "conversations", description = "What was said."),
        (name = "configuration", description = "Settings and feature flags of the business."),
        (name = "knowledge", description = "What agents answer from: documents, sites, gaps, evaluations; docs/knowledge.md."),
        (name = "calls", description = "Calls, their journals, recordings and live events."),
        (name = "events", description = "What happens in the business, as it happens; docs/events.md."),
        (name = "webhooks", description = "The same, sent to your systems; docs/webhooks.md."),
        (name = "widgets", description = "Agents on websites, and what their visitors do; docs/widget.md."),
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
    operated(running(known(shaping(people::routes(OpenApiRouter::with_openapi(Document::openapi()))))))
}

/// What a business is and what its agents do.
fn shaping(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(business::get, business::update).layer(wide()))
        .routes(routes!(privacy::get, privacy::put))
        .routes(routes!(branding::get, branding::put))
        .routes(routes!(branding::prove))
        .routes(routes!(branding::logo, branding::put_logo, branding::delete_logo).layer(image()))
        .routes(routes!(branding::public))
        .routes(routes!(branding::public_logo))
        .routes(routes!(carriers::list))
        .routes(routes!(outgoing::get, outgoing::put))
        .routes(routes!(outgoing::ways))
        .routes(routes!(voices::list))
        .routes(routes!(voices::preview))
        .routes(routes!(agents::list, agents::create).layer(wide()))
        .routes(routes!(agents::get, agents::update, agents::delete).layer(wide()))
        .routes(routes!(agents::set_status))
        .routes(routes!(agents::publish))
        .routes(routes!(versions::roll_back))
        .routes(routes!(versions::list))
        .routes(routes!(versions::get))
        .routes(routes!(versions::diff))
        .routes(routes!(flows::test).layer(wide()))
        .routes(routes!(splits::get, splits::put, splits::delete))
        .routes(routes!(tools::list))
        .routes(routes!(tools::put, tools::delete).layer(wide()))
        .routes(routes!(tools::test))
        .routes(routes!(mcp_servers::list))
        .routes(routes!(mcp_servers::put, mcp_servers::delete))
        .routes(routes!(mcp_servers::tools))
        .routes(routes!(tools::credentials))
        .routes(routes!(tools::put_credential, tools::delete_credential))
        .routes(routes!(training::get, training::put).layer(texts()))
        .routes(routes!(training::train))
        .routes(routes!(training::versions))
        .routes(routes!(training::roll_back))
        .routes(routes!(training::classify))
}

/// What agents know.
fn known(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(knowledge::documents::list))
        .routes(routes!(knowledge::upload::upload).layer(files()))
        .routes(routes!(knowledge::upload::text).layer(texts()))
        .routes(routes!(knowledge::upload::pairs).layer(texts()))
        .routes(routes!(knowledge::documents::get, knowledge::documents::delete))
        .routes(routes!(knowledge::documents::versions))
        .routes(routes!(knowledge::documents::chunks))
        .routes(routes!(knowledge::jobs))
        .routes(routes!(knowledge::job))
        .routes(routes!(knowledge::reindex))
        .routes(routes!(knowledge::sites::list, knowledge::sites::create))
        .routes(routes!(knowledge::sites::get, knowledge::sites::put, knowledge::sites::delete))
        .routes(routes!(knowledge::sites::crawl))
        .routes(routes!(knowledge::answers::query))
        .routes(routes!(knowledge::answers::gaps))
        .routes(routes!(knowledge::answers::forget).layer(wide()))
        .routes(routes!(knowledge::evaluation::questions, knowledge::evaluation::add).layer(texts()))
        .routes(routes!(knowledge::evaluation::generate))
        .routes(routes!(knowledge::evaluation::put, knowledge::evaluation::delete))
        .routes(routes!(knowledge::evaluation::list, knowledge::evaluation::start))
        .routes(routes!(knowledge::evaluation::get))
        .routes(routes!(knowledge::gate::get, knowledge::gate::put))
        .routes(routes!(knowledge::embedding::get, knowledge::embedding::put))
        .routes(routes!(knowledge::recordings::list))
        .routes(routes!(knowledge::recordings::get, knowledge::recordings::delete))
        .routes(routes!(knowledge::recordings::proposals))
        .routes(routes!(knowledge::recordings::put))
        .routes(routes!(knowledge::recordings::accept))
        .routes(routes!(knowledge::recordings::reject))
        .routes(routes!(knowledge::graph::graph))
        .routes(routes!(knowledge::graph::list, knowledge::graph::create))
        .routes(routes!(knowledge::graph::get, knowledge::graph::put, knowledge::graph::delete))
        .routes(routes!(knowledge::graph::merge))
        .routes(routes!(knowledge::graph::relate))
        .routes(routes!(knowledge::graph::unrelate))
        .routes(routes!(knowledge::graph::conflicts))
}

/// What goes on: calls, customers, providers, webhooks, plans.
fn running(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(numbers::list, numbers::create))
        .routes(routes!(numbers::get, numbers::update, numbers::delete))
        .routes(routes!(customers::list, customers::upsert).layer(wide()))
        .routes(routes!(customers::get, customers::update, customers::delete).layer(wide()))
        .routes(routes!(customers::history))
        .routes(routes!(overview::get))
        .routes(routes!(overview::analytics))
        .routes(routes!(tickets::list, tickets::create))
        .routes(routes!(tickets::get, tickets::update))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::get))
        .routes(routes!(conversations::messages))
        .routes(routes!(values::settings))
        .routes(routes!(values::get_setting, values::put_setting, values::delete_setting))
        .routes(routes!(flags::list))
        .routes(routes!(flags::get, flags::put, flags::delete))
        .routes(routes!(flags::evaluate))
        .routes(routes!(test_calls::create))
        .routes(routes!(calls::list, calls::place))
        .routes(routes!(calls::get))
        .routes(routes!(calls::end))
        .routes(routes!(calls::transfer))
        .routes(routes!(calls::events))
        .routes(routes!(supervise::whisper))
        .routes(routes!(supervise::say))
        .routes(routes!(supervise::take_over))
        .routes(routes!(supervise::hand_back))
        .routes(routes!(supervise::hold))
        .routes(routes!(supervise::unhold))
        .routes(routes!(supervise::pause_recording))
        .routes(routes!(supervise::resume_recording))
        .routes(routes!(queue::get))
        .routes(routes!(queue::take_next))
        .routes(routes!(supervise::supervise))
        .routes(routes!(shares::create, shares::list))
        .routes(routes!(shares::revoke))
        .routes(routes!(shares::get))
        .routes(routes!(shares::recording))
        .routes(routes!(notes::get, notes::put))
        .routes(routes!(transcripts::get))
        .routes(routes!(transcripts::log))
        .routes(routes!(recordings::get))
        .routes(routes!(recordings::packets))
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
        .routes(routes!(widgets::list, widgets::create).layer(wide()))
        .routes(routes!(widgets::get, widgets::update, widgets::delete).layer(wide()))
        .routes(routes!(visits::show))
        .routes(routes!(visits::begin))
        .routes(routes!(visits::messages))
        .routes(routes!(visits::line))
        .routes(routes!(webrtc::options, webrtc::open).layer(offers()))
        .routes(routes!(webrtc::trickle, webrtc::close).layer(offers()))
        .routes(routes!(webrtc::visit_options, webrtc::visit_open).layer(offers()))
        .routes(routes!(webrtc::visit_trickle, webrtc::visit_close).layer(offers()))
        .routes(routes!(plans::plans))
        .routes(routes!(plans::subscription, plans::put_subscription))
        .routes(routes!(plans::usage))
        .routes(routes!(plans::month))
        .routes(routes!(businesses::list))
}

/// The installation itself: its nodes and how they do.
fn operated(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::drain))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// Names of the operations, by method and path.
pub(crate) fn operations() -> crate::auth::audit::Operations {
    let (_, document) = documented().split_for_parts();
    crate::auth::audit::operations(&serde_json::to_value(document).unwrap_or_default())
}

/// For bodies that hold more than a form: personas, lines, tools, notes.
fn wide() -> DefaultBodyLimit {
    DefaultBodyLimit::max(limits::AGENT_BODY_BYTES_MAX)
}

/// For a logo.
fn image() -> DefaultBodyLimit {
    DefaultBodyLimit::max(limits::LOGO_BYTES_MAX)
}

/// For offers of sessions.
fn offers() -> DefaultBodyLimit {
    DefaultBodyLimit::max(limits::WEBRTC_OFFER_BYTES_MAX)
}

/// For files.
fn files() -> DefaultBodyLimit {
    DefaultBodyLimit::max(limits::KNOWLEDGE_UPLOAD_BYTES_MAX)
}

/// For texts of documents.
fn texts() -> DefaultBodyLimit {
    DefaultBodyLimit::max(limits::KNOWLEDGE_BODY_BYTES_MAX)
}

/// The OpenAPI document of this build, as pretty JSON.
pub fn document() -> String {
    let (_, document) = documented().split_for_parts();
    completed(&document) + "\n"
}

/// The document with what all operations have in common.
fn completed(document: &utoipa::openapi::OpenApi) -> String {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    crate::http::document::complete(&mut document);
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

pub(crate) fn all() -> Router<App> {
    let (router, document) = documented().split_for_parts();
    let document = completed(&document);
    router
        .route("/api/docs", get(crate::http::docs::root))
        .route("/api/docs/{*rest}", get(crate::http::docs::part))
        .route(
            "/api/v1/openapi.json",
            get(move || async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document) }),
        )
        .route("/api/v1/voice/test-call", post(test_calls::moved))
        .route("/carriers/{carrier}/voice", get(carriers::voice).post(carriers::voice))
        .route("/carriers/{carrier}/status", get(carriers::status).post(carriers::status))
        .route("/carriers/{carrier}/media", get(carriers::media))
        .route(runtime::cluster::peer::COMMAND_PATH, post(peers::command).layer(peer_body()))
        .route(runtime::cluster::peer::WATCH_PATH, post(peers::watch).layer(peer_body()))
        .route("/api/{*rest}", axum::routing::any(|| async { Problem::not_found() }))
}

fn peer_body() -> axum::extract::DefaultBodyLimit {
    axum::extract::DefaultBodyLimit::max(base::limits::PEER_BODY_BYTES_MAX)
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
        StoreError::Conflict(why) => Problem::conflict(why),
        StoreError::Fenced | StoreError::Corrupt(_) | StoreError::Sealed(_) => {
            tracing::error!(%error, "a request failed in the store");
            Problem::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_committed_document_is_the_one_of_this_build() {
        let committed = include_str!("../../../../openapi.json");
        assert!(committed == super::document(), "run `cargo run -p frontdesk -- openapi > openapi.json`");
    }

    #[test]
    fn every_operation_says_what_it_is_and_how_it_refuses() {
        let document: Value = serde_json::from_str(&super::document()).expect("JSON");
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let at = format!("{method} {path}");
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{at}: no operationId"));
                assert!(ids.insert(id.to_owned()), "{at}: {id} is used twice");
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at}: no summary");
                if !path.starts_with("/api/v1/") {
                    continue;
                }
                let responses = operation["responses"].as_object().expect("responses");
                for status in ["429", "500", "503", "504"] {
                    assert!(responses.contains_key(status), "{at}: {status} is missing");
                }
                if operation["security"].as_array().is_some_and(|security| !security.is_empty()) {
                    assert!(responses.contains_key("401") && responses.contains_key("403"), "{at}: no 401 or 403");
                }
                assert!(!path.contains('{') || responses.contains_key("404"), "{at}: 404 is missing");
                let reads_body = operation.get("requestBody").is_some();
                assert!(
                    !reads_body || ["413", "415", "422"].iter().all(|status| responses.contains_key(*status)),
                    "{at}"
                );
            }
        }
        assert!(ids.len() > 50, "{}", ids.len());
        let text = document.to_string();
        for target in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(target).is_some(), "{target} leads nowhere");
        }
    }
}
