//! The voices that can be chosen, and hearing one before it is.

use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List, Params};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use base::limits;
use model::routing::ProviderChoice;
use runtime::VoiceError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a preview cost.
const COST: HeaderName = HeaderName::from_static("frontdesk-cost-usd-micros");

/// A voice that can be chosen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoiceView {
    /// What to set as the voice.
    id: String,
    name: String,
    /// BCP-47 language that it speaks first; null when it speaks many, or nobody says.
    language: Option<String>,
    /// `female`, `male` or `neutral`, when the provider says so.
    gender: Option<&'static str>,
    /// Where it can be heard without paying for it.
    preview_url: Option<String>,
    /// Made from recordings of the account.
    cloned: bool,
}

/// Whose voices.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoiceQuery {
    /// Registry name of the provider; `local` for the voice of this machine.
    #[param(max_length = 100)]
    provider: String,
}

/// What to hear.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// Registry name of the provider; `local` for the voice of this machine.
    #[schema(max_length = 100)]
    provider: String,
    /// In the provider's words; the configured one when left out.
    #[serde(default)]
    #[schema(max_length = 200)]
    voice: Option<String>,
    /// What it says.
    #[schema(min_length = 1, max_length = 200)]
    text: String,
    /// BCP-47 language.
    #[serde(default)]
    #[schema(pattern = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
    language: Option<String>,
}

fn problem(error: VoiceError) -> Problem {
    match error {
        VoiceError::Unknown => Problem::not_found(),
        VoiceError::Unusable(why) => Problem::invalid(why),
        VoiceError::Busy => Problem::busy(),
        VoiceError::Spent => Problem::plan_limit("what may be spent in a month is used up"),
        VoiceError::Failed(failure) => Problem::provider_failed(runtime::node::providers::advice(&failure)),
    }
}

/// Lists the voices of a provider.
#[utoipa::path(get, path = "/api/v1/voices", tag = "providers", operation_id = "list_voices", params(VoiceQuery),
    security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "All its voices", body = List<VoiceView>),
    (status = 404, description = "No such provider of voices", body = Problem),
    (status = 422, description = "The provider cannot be used: it has no credential, or its settings do not fit", body = Problem),
    (status = 502, description = "The provider was asked and failed", body = Problem)
))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    Params(query): Params<VoiceQuery>,
) -> Result<Json<List<VoiceView>>, Problem> {
    let found = app.node.list_voices(&caller.scope, &query.provider).await.map_err(problem)?;
    let view = |one: runtime::voices::VoiceInfo| VoiceView {
        id: one.id,
        name: one.name,
        language: one.language,
        gender: one.gender,
        preview_url: one.preview_url,
        cloned: one.cloned,
    };
    Ok(Json(List::whole(found.into_iter().map(view).collect())))
}

/// Has a voice say a few words. What it costs is counted as the business's.
#[utoipa::path(post, path = "/api/v1/voices/preview", tag = "providers", operation_id = "preview_voice",
    request_body = PreviewBody, security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "16-bit mono", content_type = "audio/wav", body = Vec<u8>,
        headers(("Frontdesk-Cost-Usd-Micros" = i64, description = "What the provider charges for it"))),
    (status = 402, description = "What may be spent in a month is used up", body = Problem),
    (status = 404, description = "No such provider of voices", body = Problem),
    (status = 422, description = "The body is not valid, or the provider cannot be used", body = Problem),
    (status = 502, description = "The provider was asked and failed", body = Problem),
    (status = 503, description = "Enough voices are being heard, or the database does not answer", body = Problem)
))]
pub(crate) async fn preview(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    Body(body): Body<PreviewBody>,
) -> Result<impl IntoResponse, Problem> {
    let PreviewBody { provider, voice, text, language } = body;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > limits::PREVIEW_CHARS_MAX {
        return Err(Problem::invalid(format!("text: 1 to {} characters are needed", limits::PREVIEW_CHARS_MAX)));
    }
    if voice.as_ref().is_some_and(|voice| voice.is_empty() || voice.len() > 200) {
        return Err(Problem::invalid("voice: 1 to 200 characters are needed"));
    }
    language.as_deref().map(super::check_language).transpose()?;
    let choice = ProviderChoice { voice, language: language.clone(), ..ProviderChoice::named(provider) };
    let language = language.unwrap_or_else(|| "en".into());
    let made = app.node.preview_voice(&caller.scope, &choice, &language, text).await.map_err(problem)?;
    let headers = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (COST, made.cost.usd_micros.to_string()),
    ];
    Ok((headers, made.wav))
}
