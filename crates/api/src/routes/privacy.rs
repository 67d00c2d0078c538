//! How long the business keeps what was said and heard, and what it keeps of it.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, Tagged};
use crate::problem::Problem;
use axum::extract::State;
use model::privacy::{Privacy, Redaction};
use runtime::privacy::NAME;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::contract::office::ValueKind;
use utoipa::ToSchema;

/// What is taken out of the words of a call once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Redaction)]
pub(crate) enum RedactionView {
    /// Numbers of four digits and more, written or spoken.
    Digits,
    /// E-mail addresses, written or spoken.
    Emails,
}

/// How long what is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PrivacyView {
    #[serde(flatten)]
    fields: PrivacyBody,
    /// Days for which the installation keeps anything at all; null: for ever. The shorter time counts.
    installation_days: Option<u32>,
    /// Grows with each change; the same as `ETag`. 0: nothing was ever set.
    version: u32,
}

/// What to keep. What is left out is kept as long as the installation keeps it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivacyBody {
    /// Days for which recordings are kept, from the beginning of the call.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    recordings_days: Option<u32>,
    /// Days for which all that was said and heard in a call is kept, from its end: words, journal, log, recording.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    transcripts_days: Option<u32>,
    /// Days for which it is kept who a call was with, from its beginning. Customers and tickets stay.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    numbers_days: Option<u32>,
    /// What is taken out of the words of calls within an hour after their end. Recordings stay as they are.
    #[serde(default)]
    redact: Vec<RedactionView>,
}

impl PrivacyBody {
    fn of(privacy: Privacy) -> Self {
        let view = |one| match one {
            Redaction::Digits => RedactionView::Digits,
            Redaction::Emails => RedactionView::Emails,
        };
        Self {
            recordings_days: privacy.recordings_days,
            transcripts_days: privacy.transcripts_days,
            numbers_days: privacy.numbers_days,
            redact: privacy.redact.into_iter().map(view).collect(),
        }
    }

    fn read(self) -> Result<Privacy, Problem> {
        let mut redact: Vec<Redaction> = self
            .redact
            .into_iter()
            .map(|one| match one {
                RedactionView::Digits => Redaction::Digits,
                RedactionView::Emails => Redaction::Emails,
            })
            .collect();
        redact.sort_unstable();
        redact.dedup();
        let privacy = Privacy {
            recordings_days: self.recordings_days,
            transcripts_days: self.transcripts_days,
            numbers_days: self.numbers_days,
            redact,
        };
        let wrong = |place| Problem::invalid(format!("{place}: 1 to {} days are possible", model::privacy::DAYS_MAX));
        privacy.check().map_err(wrong)?;
        Ok(privacy)
    }
}

fn tagged(app: &App, privacy: Privacy, version: u32) -> Tagged<PrivacyView> {
    let installation_days = app.http.retention_days;
    Tagged { version, body: PrivacyView { fields: PrivacyBody::of(privacy), installation_days, version } }
}

/// Reads how long what is kept.
#[utoipa::path(get, path = "/api/v1/privacy", tag = "business", operation_id = "get_privacy",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "How long what is kept", body = PrivacyView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::BusinessRead>,
) -> Result<Tagged<PrivacyView>, Problem> {
    match app.node.store().value(&caller.scope, ValueKind::Privacy, NAME).await {
        Ok(known) => {
            let privacy = serde_json::from_str(&known.value).map_err(|_| Problem::internal())?;
            Ok(tagged(&app, privacy, known.version))
        }
        Err(StoreError::NotFound(_)) => Ok(tagged(&app, Privacy::default(), 0)),
        Err(error) => Err(store_problem(error)),
    }
}

/// Sets how long what is kept. What is past its time goes within an hour.
#[utoipa::path(put, path = "/api/v1/privacy", tag = "business", operation_id = "put_privacy",
    extensions(("x-if-match" = json!("optional"))),
    request_body = PrivacyBody, security(("bearer" = ["business:manage"])), responses(
    (status = 200, description = "How long what is kept now", body = PrivacyView, headers(("ETag" = String, description = "Its version"))),
    (status = 412, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    if_match: IfMatch,
    Body(body): Body<PrivacyBody>,
) -> Result<Tagged<PrivacyView>, Problem> {
    let privacy = body.read()?;
    let text = serde_json::to_string(&privacy).map_err(|_| Problem::internal())?;
    let version = super::values::put(&app, &caller.scope, ValueKind::Privacy, NAME, &text, &if_match).await?;
    Ok(tagged(&app, privacy, version))
}
