//! Recordings: the caller left, the agent right.

use super::calls::CallPath;
use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{CallId, limits};
use model::business::TenantScope;
use model::call::Call;
use runtime::recordings::{Playback, Recordings};
use serde::Deserialize;
use store::objects::ObjectError;

/// How many parts there are.
const PARTS: HeaderName = HeaderName::from_static("frontdesk-recording-parts");

/// Which part of a recording.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    /// From 1.
    pub(super) part: Option<usize>,
}

/// Reads the recording of a call. Each process that had the call leaves a part of its own.
#[utoipa::path(get, path = "/api/v1/calls/{id}/recording", tag = "calls", operation_id = "get_recording", security(("bearer" = ["recordings:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The call"),
        ("part" = Option<usize>, Query, description = "Which part, from 1, of a call that outlived its process; the last one \
            unless given. `Frontdesk-Recording-Parts` says how many there are"),
    ), responses(
    (status = 200, description = "Stereo WAV: the caller left, the agent right", content_type = "audio/wav"),
    (status = 206, description = "The part asked for by `Range`", content_type = "audio/wav"),
    (status = 404, description = "No such call or part, or it was not recorded", body = Problem),
    (status = 422, description = "The part is no number", body = Problem),
    (status = 503, description = "The database or the storage of recordings does not answer", body = Problem),
    (status = 416, description = "The range lies outside the recording")
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::RecordingsRead>,
    CallPath(id): CallPath,
    wanted: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    play(&app, &caller.scope, id, wanted.part, &headers).await
}

/// Reads what went over the wire for a call over a SIP trunk: its messages and audio, as a capture file.
#[utoipa::path(get, path = "/api/v1/calls/{id}/packets", tag = "calls", operation_id = "get_packets", security(("bearer" = ["recordings:read"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 200, description = "A capture file of libpcap, which Wireshark, tshark and sngrep open", content_type = "application/vnd.tcpdump.pcap"),
    (status = 404, description = "No such call, or there is no trace of it: `sip.trace` was off, it has been over for more than a \
        day, is not over yet, or did not come over a SIP trunk", body = Problem),
    (status = 503, description = "The database or the storage of recordings does not answer", body = Problem)
))]
pub(crate) async fn packets(
    State(app): State<App>,
    caller: Allowed<may::RecordingsRead>,
    CallPath(id): CallPath,
) -> Result<Response, Problem> {
    let call = app.node.store().call(&caller.scope, id).await.map_err(store_problem)?;
    let trace = trace(&app, &call).await?;
    let length = trace.length();
    let head = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.pcap\"")),
    ];
    Ok((head, Body::from_stream(trace.read(0..length).await.map_err(object_problem)?)).into_response())
}

/// The trace of a call, or why there is none.
pub(super) async fn trace(app: &App, call: &Call) -> Result<Playback, Problem> {
    let none = |why: &str| Problem::not_found().detail(why);
    if call.carrier != "sip" {
        return Err(none("packets are kept of calls over SIP trunks alone"));
    }
    let Some(ended_at_ms) = call.ended_at_ms else {
        return Err(none("the call is not over yet; its packets can be read a few seconds after its end"));
    };
    if runtime::wall_ms() - ended_at_ms > limits::SIP_TRACE_KEPT_MS as i64 {
        return Err(none("packets are kept for a day, and the call has been over for longer"));
    }
    let name = Recordings::trace_of(call.business, call.id);
    match app.recordings.traces().open(&name).await {
        Err(ObjectError::Missing) => {
            Err(none("no packets were kept of this call: `trace` of `[sip]` was not switched on"))
        }
        other => other.map_err(object_problem),
    }
}

/// Answers a part of the recording of a call, or of that part what `Range` asks for.
pub(super) async fn play(
    app: &App,
    scope: &TenantScope,
    id: CallId,
    part: Option<usize>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let call = app.node.store().call(scope, id).await.map_err(store_problem)?;
    let parts = app.node.store().recordings(scope, id).await.map_err(store_problem)?;
    let name = match part {
        Some(part) => part.checked_sub(1).and_then(|index| parts.get(index)).cloned(),
        None => parts.last().cloned().or(call.recording),
    };
    // The name was written by us, never by a client.
    let name = name.ok_or_else(Problem::not_found)?;
    let playback = app.recordings.open(&name).await.map_err(object_problem)?;
    let length = playback.length();
    let common = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (PARTS, parts.len().max(1).to_string()),
    ];
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        let size = [(header::CONTENT_LENGTH, length.to_string())];
        let body = playback.read(0..length).await.map_err(object_problem)?;
        return Ok((common, size, Body::from_stream(body)).into_response());
    };
    let Some((first, last)) = byte_range(range, length) else {
        let size = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, size).into_response());
    };
    let part = [
        (header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}")),
        (header::CONTENT_LENGTH, (last - first + 1).to_string()),
    ];
    let body = playback.read(first..last + 1).await.map_err(object_problem)?;
    Ok((StatusCode::PARTIAL_CONTENT, common, part, Body::from_stream(body)).into_response())
}

fn object_problem(error: ObjectError) -> Problem {
    match error {
        ObjectError::Missing | ObjectError::Name => Problem::not_found(),
        ObjectError::Away(_) => Problem::unavailable("the storage of recordings does not answer"),
        error => {
            tracing::error!(%error, "a recording cannot be played");
            Problem::internal()
        }
    }
}

/// One range of RFC 9110, 14.1.2, as first and last byte.
fn byte_range(text: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end = length.checked_sub(1)?;
    let (first, last) = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), last) => (first, last.unwrap_or(end).min(end)),
        (None, Some(tail)) if tail > 0 => (length.saturating_sub(tail), end),
        _ => return None,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::byte_range;

    #[test]
    fn ranges_are_read_as_players_ask_for_them() {
        assert_eq!(byte_range("bytes=0-", 100), Some((0, 99)));
        assert_eq!(byte_range("bytes=10-19", 100), Some((10, 19)));
        assert_eq!(byte_range("bytes=-10", 100), Some((90, 99)));
        assert_eq!(byte_range("bytes=90-200", 100), Some((90, 99)));
        assert_eq!(byte_range("bytes=100-", 100), None);
        assert_eq!(byte_range("bytes=5-2", 100), None);
        assert_eq!(byte_range("lines=1-2", 100), None);
        assert_eq!(byte_range("bytes=0-", 0), None);
    }
}
