//! Widgets: what stands on websites of a business so that visitors talk to an agent. What visitors do is in `visits`.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may, secret};
use crate::http::{Body, IfMatch, List, Tagged};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{WidgetId, limits};
use model::business::TenantScope;
use model::widget::{Widget, WidgetSettings, read_origin};
use serde::Serialize;
use serde_json::Value;
use store::Store;
use utoipa::ToSchema;
use uuid::Uuid;

/// Languages in which the widget's own words are there.
const LANGUAGES: [&str; 2] = ["en", "hi"];
const NAME_CHARS_MAX: usize = 100;
const URL_CHARS_MAX: usize = 500;

/// A widget.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WidgetView {
    id: Uuid,
    /// What stands in the page's source. It is no secret.
    #[schema(example = "fdw_0f5bd7aa_Yy0dQ9T3lQpXJw")]
    key: String,
    #[serde(flatten)]
    #[schema(value_type = WidgetShape)]
    settings: WidgetSettings,
    /// The line to put into the page's source.
    tag: String,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds.
    updated_at_ms: i64,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What can be said about a widget.
#[derive(ToSchema)]
#[schema(as = WidgetSettings)]
#[expect(dead_code, reason = "describes model::widget::WidgetSettings")]
pub(crate) struct WidgetShape {
    /// What people of the business call it.
    #[schema(min_length = 1, max_length = 100, example = "Website")]
    name: String,
    /// Who answers: id or short name.
    #[schema(example = "front")]
    agent: String,
    /// Whether it is there for anybody.
    #[schema(required = false, default = true)]
    enabled: bool,
    /// Websites that it may stand on: scheme and host, and `*.` for subdomains.
    #[schema(required = false, max_items = 50, example = json!(["https://shop.example", "https://*.shop.example"]))]
    origins: Vec<String>,
    /// Whether visitors may speak.
    #[schema(required = false, default = true)]
    voice: bool,
    /// Whether visitors may write.
    #[schema(required = false, default = true)]
    chat: bool,
    /// What stands above the conversation; empty: the agent's name.
    #[schema(required = false, max_length = 100)]
    title: String,
    /// First words; empty: the agent's own greeting.
    #[schema(required = false, max_length = 1000)]
    greeting: String,
    /// What a visitor must agree to before the conversation begins; empty asks for nothing.
    #[schema(required = false, max_length = 1000)]
    consent: String,
    /// Where the visitor reads about privacy.
    #[schema(required = false, max_length = 500)]
    privacy_url: String,
    /// Languages of the widget's own words, the first where the page asks for none of them.
    #[schema(required = false, min_items = 1, example = json!(["en", "hi"]))]
    languages: Vec<String>,
    /// How it looks.
    #[schema(required = false)]
    theme: WidgetThemeShape,
    /// Conversations that may begin in a minute.
    #[schema(required = false, default = 60, minimum = 1, maximum = 1000)]
    visits_per_minute: u32,
}

/// A change of a widget (JSON merge patch, RFC 7396): what is left out stays.
#[derive(ToSchema)]
#[schema(as = WidgetPatch)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct WidgetPatch {
    /// What people of the business call it.
    #[schema(required = false, min_length = 1, max_length = 100)]
    name: String,
    /// Who answers: id or short name.
    #[schema(required = false)]
    agent: String,
    /// Whether it is there for anybody.
    #[schema(required = false)]
    enabled: bool,
    /// Websites that it may stand on: scheme and host, and `*.` for subdomains.
    #[schema(required = false, max_items = 50, example = json!(["https://shop.example", "https://*.shop.example"]))]
    origins: Vec<String>,
    /// Whether visitors may speak.
    #[schema(required = false)]
    voice: bool,
    /// Whether visitors may write.
    #[schema(required = false)]
    chat: bool,
    /// What stands above the conversation; empty: the agent's name.
    #[schema(required = false, max_length = 100)]
    title: String,
    /// First words; empty: the agent's own greeting.
    #[schema(required = false, max_length = 1000)]
    greeting: String,
    /// What a visitor must agree to before the conversation begins; empty asks for nothing.
    #[schema(required = false, max_length = 1000)]
    consent: String,
    /// Where the visitor reads about privacy.
    #[schema(required = false, max_length = 500)]
    privacy_url: String,
    /// Languages of the widget's own words, the first where the page asks for none of them.
    #[schema(required = false, min_items = 1, example = json!(["en", "hi"]))]
    languages: Vec<String>,
    /// How it looks.
    #[schema(required = false)]
    theme: WidgetThemeShape,
    /// Conversations that may begin in a minute.
    #[schema(required = false, minimum = 1, maximum = 1000)]
    visits_per_minute: u32,
}

/// How a widget looks.
#[derive(ToSchema)]
#[schema(as = WidgetTheme)]
#[expect(dead_code, reason = "describes model::widget::WidgetTheme")]
pub(crate) struct WidgetThemeShape {
    /// Of buttons and of what the visitor says.
    #[schema(required = false, pattern = "^#[0-9a-fA-F]{6}$", default = "#0f5bd7")]
    colour: String,
    #[schema(required = false)]
    scheme: WidgetSchemeShape,
    #[schema(required = false)]
    position: WidgetPositionShape,
    /// Address of a picture above the conversation; empty: none.
    #[schema(required = false, max_length = 500)]
    logo_url: String,
}

/// Light, dark, or as the visitor's device.
#[derive(ToSchema)]
#[schema(as = WidgetScheme, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::widget::WidgetScheme")]
pub(crate) enum WidgetSchemeShape {
    Auto,
    Light,
    Dark,
}

/// At which corner of the page.
#[derive(ToSchema)]
#[schema(as = WidgetPosition, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::widget::WidgetPosition")]
pub(crate) enum WidgetPositionShape {
    Right,
    Left,
}

fn view(widget: Widget, base_url: &str) -> WidgetView {
    let tag = format!("<script src=\"{base_url}/widget.js\" data-key=\"{}\" async></script>", widget.key);
    WidgetView {
        id: widget.id.0,
        key: widget.key,
        settings: widget.settings,
        tag,
        created_at_ms: widget.created_at_ms,
        updated_at_ms: widget.updated_at_ms,
        version: widget.version,
    }
}

fn tagged(widget: Widget, base_url: &str) -> Tagged<WidgetView> {
    Tagged { version: widget.version, body: view(widget, base_url) }
}

/// Lists widgets, oldest first.
#[utoipa::path(get, path = "/api/v1/widgets", tag = "widgets", operation_id = "list_widgets",
    security(("bearer" = ["agents:read"])), responses((status = 200, description = "All widgets", body = List<WidgetView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    headers: axum::http::HeaderMap,
) -> Result<Json<List<WidgetView>>, Problem> {
    let widgets = app.node.store().widgets(&caller.scope).await.map_err(store_problem)?;
    let base_url = app.access.base_url(&headers);
    Ok(Json(List::whole(widgets.into_iter().map(|widget| view(widget, &base_url)).collect())))
}

/// Makes a widget.
#[utoipa::path(post, path = "/api/v1/widgets", tag = "widgets", operation_id = "create_widget", request_body = WidgetShape,
    security(("bearer" = ["agents:write"])), responses(
    (status = 201, description = "The widget", body = WidgetView, headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version"))),
    (status = 409, description = "The business has as many as it may", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    headers: axum::http::HeaderMap,
    Body(settings): Body<WidgetSettings>,
) -> Result<Response, Problem> {
    let store = app.node.store();
    let settings = checked(store.as_ref(), &caller.scope, settings).await?;
    let now_ms = runtime::wall_ms();
    let widget = Widget {
        id: WidgetId::generate(),
        business: caller.scope.business,
        key: secret::publishable()?,
        settings,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        version: 1,
    };
    store.create_widget(&caller.scope, &widget, limits::WIDGETS_PER_BUSINESS_MAX).await.map_err(store_problem)?;
    let location = format!("/api/v1/widgets/{}", widget.id);
    let base_url = app.access.base_url(&headers);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged(widget, &base_url)).into_response())
}

/// Reads a widget.
#[utoipa::path(get, path = "/api/v1/widgets/{id}", tag = "widgets", operation_id = "get_widget",
    params(("id" = Uuid, Path, description = "The widget")), security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The widget", body = WidgetView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Id(id): super::Id<WidgetId>,
    headers: axum::http::HeaderMap,
) -> Result<Tagged<WidgetView>, Problem> {
    let widget = app.node.store().widget(&caller.scope, id).await.map_err(store_problem)?;
    Ok(tagged(widget, &app.access.base_url(&headers)))
}

/// Changes a widget (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[utoipa::path(patch, path = "/api/v1/widgets/{id}", tag = "widgets", operation_id = "update_widget",
    extensions(("x-if-match" = json!(true))), params(("id" = Uuid, Path, description = "The widget")),
    request_body = WidgetPatch, security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "The widget as it is now", body = WidgetView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Id(id): super::Id<WidgetId>,
    if_match: IfMatch,
    headers: axum::http::HeaderMap,
    Body(patch): Body<Value>,
) -> Result<Tagged<WidgetView>, Problem> {
    let store = app.node.store();
    let known = store.widget(&caller.scope, id).await.map_err(store_problem)?;
    let expected = if_match.required(known.version)?;
    let settings: WidgetSettings = super::merged(&known.settings, &patch)?;
    let settings = checked(store.as_ref(), &caller.scope, settings).await?;
    let now_ms = runtime::wall_ms();
    let written = store.update_widget(&caller.scope, id, &settings, expected, now_ms).await;
    let version = written.map_err(|error| super::stale_or(error, known.version))?;
    let widget = Widget { settings, version, updated_at_ms: now_ms, ..known };
    Ok(tagged(widget, &app.access.base_url(&headers)))
}

/// Deletes a widget. Pages that carry it show nothing from now on.
#[utoipa::path(delete, path = "/api/v1/widgets/{id}", tag = "widgets", operation_id = "delete_widget",
    extensions(("x-if-match" = json!("optional"))),
    params(("id" = Uuid, Path, description = "The widget")), security(("bearer" = ["agents:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Id(id): super::Id<WidgetId>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let store = app.node.store();
    let known = store.widget(&caller.scope, id).await.map_err(store_problem)?;
    let expected = if_match.against(known.version)?;
    super::deleted_at(store.delete_widget(&caller.scope, id, expected).await, known.version)
}

/// Settings that make sense, in the form in which they are kept.
async fn checked(store: &dyn Store, scope: &TenantScope, given: WidgetSettings) -> Result<WidgetSettings, Problem> {
    let mut settings = given;
    super::check_text("name", &settings.name, 1, NAME_CHARS_MAX)?;
    super::check_text("title", &settings.title, 0, NAME_CHARS_MAX)?;
    super::check_text("greeting", &settings.greeting, 0, limits::WIDGET_TEXT_CHARS_MAX)?;
    super::check_text("consent", &settings.consent, 0, limits::WIDGET_TEXT_CHARS_MAX)?;
    for (field, url) in [("privacy_url", &settings.privacy_url), ("theme.logo_url", &settings.theme.logo_url)] {
        super::check_text(field, url, 0, URL_CHARS_MAX)?;
        // A picture or a page, and nothing that a browser would run.
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Problem::invalid(format!("{field}: an address begins with https:// or http://")));
        }
    }
    if !settings.voice && !settings.chat {
        return Err(Problem::invalid("voice, chat: at least one of them is needed; `enabled` switches the widget off"));
    }
    if settings.origins.len() > limits::WIDGET_ORIGINS_MAX {
        return Err(Problem::invalid(format!("origins: at most {}", limits::WIDGET_ORIGINS_MAX)));
    }
    for (index, origin) in settings.origins.iter_mut().enumerate() {
        *origin = read_origin(origin).map_err(|why| Problem::invalid(format!("origins.{index}: {why}")))?;
    }
    let known = |language: &String| LANGUAGES.contains(&language.as_str());
    if settings.languages.is_empty() || !settings.languages.iter().all(known) {
        return Err(Problem::invalid(format!("languages: one or more of {}", LANGUAGES.join(", "))));
    }
    let colour = settings.theme.colour.strip_prefix('#').unwrap_or_default();
    if colour.len() != 6 || !colour.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Problem::invalid("theme.colour: # and six hexadecimal digits are needed"));
    }
    if !(1..=limits::VISITS_PER_MINUTE_MAX).contains(&settings.visits_per_minute) {
        return Err(Problem::invalid(format!("visits_per_minute: 1 to {}", limits::VISITS_PER_MINUTE_MAX)));
    }
    let agent = super::agents::find(store, scope, &settings.agent).await;
    let agent = agent.map_err(|problem| match problem.status {
        404 => Problem::invalid("agent: there is no such agent"),
        _ => problem,
    })?;
    settings.agent = agent.draft.id.to_string();
    Ok(settings)
}
