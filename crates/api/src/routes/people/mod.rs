//! People and programs: how they sign in, who belongs to a business, keys, entry rules, and who did what.

mod audit;
mod entry;
mod keys;
mod me;
mod oauth;
mod options;
mod sign_in;
mod users;

use super::store_problem;
use crate::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Adds the routes of people.
pub(super) fn routes(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(options::get))
        .routes(routes!(sign_in::register))
        .routes(routes!(sign_in::login))
        .routes(routes!(sign_in::refresh))
        .routes(routes!(sign_in::logout))
        .routes(routes!(sign_in::accept_invitation))
        .routes(routes!(sign_in::forgot_password))
        .routes(routes!(sign_in::reset_password))
        .routes(routes!(me::me, me::update_me))
        .routes(routes!(me::change_password))
        .routes(routes!(me::sessions))
        .routes(routes!(me::end_session))
        .routes(routes!(me::begin_mfa))
        .routes(routes!(me::confirm_mfa))
        .routes(routes!(me::renew_recovery_codes))
        .routes(routes!(me::disable_mfa))
        .routes(routes!(entry::start))
        .routes(routes!(entry::callback))
        .routes(routes!(oauth::token))
        .routes(routes!(users::list))
        .routes(routes!(users::get, users::update))
        .routes(routes!(users::allow_reset))
        .routes(routes!(users::remove_mfa))
        .routes(routes!(users::sessions, users::end_sessions))
        .routes(routes!(users::invitations, users::invite))
        .routes(routes!(users::withdraw))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::get_key, keys::delete_key))
        .routes(routes!(keys::rotate_key))
        .routes(routes!(keys::list_clients, keys::create_client))
        .routes(routes!(keys::get_client, keys::delete_client))
        .routes(routes!(keys::rotate_client))
        .routes(routes!(entry::addresses, entry::put_addresses))
        .routes(routes!(entry::providers, entry::create_provider))
        .routes(routes!(entry::change_provider, entry::delete_provider))
        .routes(routes!(audit::list))
}
