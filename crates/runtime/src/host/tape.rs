//! What is kept of a call beside its journal: the recording, and the engine's inputs for exact replay.
//!
//! Neither may hurt the call: a full disk ends the recording with one log line and a valid file.

use crate::node::NodeSettings;
use crate::replay;
use base::{CallId, CallTime, Millis, limits};
use engine::io::{Input, Output};
use media::recorder::{DualRecorder, RecordError, Side};
use model::agent::Agent;
use model::business::TenantScope;
use model::call::Call;
use model::journal::Record;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;

/// A frame that comes later than this after the one before does not join it.
const PAUSE: Millis = Millis(limits::FRAME_MS * 10);
/// Where nothing is put any more: a pause and a frame ago, and a little.
const SETTLED_AFTER: Millis = Millis(PAUSE.0 + 3 * limits::FRAME_MS);
/// Lines handed to the store at once.
const LINES_PER_WRITE: usize = 64;

pub(super) struct Tape {
    recording: Recording,
    recorder: Option<DualRecorder<BufWriter<File>>>,
    rate_hz: u32,
    /// Where the next frame of each side goes, so that frames that belong together join without a gap.
    caller_at: u64,
    agent_at: u64,
    /// What is heard is left out for now.
    is_paused: bool,
    lines: Option<Vec<replay::Line>>,
    lines_stored: u64,
}

/// Where the recording goes.
struct Recording {
    path: Option<PathBuf>,
    name: String,
}

impl Tape {
    pub(super) fn new(settings: &NodeSettings, call: &Call, agent: &Agent, past: &[Record]) -> Self {
        let part = if past.is_empty() { String::new() } else { format!(".{}", past.len()) };
        let name = format!("{}/{}{part}.wav", call.business, call.id);
        let wanted = settings.record && agent.record;
        let lines = settings
            .record_inputs
            .then(|| vec![replay::Line::Header(Box::new(replay::Header::new(agent, call.direction, past)))]);
        Self {
            recording: Recording { path: wanted.then(|| settings.recordings_dir.join(&name)), name },
            recorder: None,
            rate_hz: 0,
            caller_at: 0,
            agent_at: 0,
            is_paused: false,
            lines,
            lines_stored: replay::first_place(past),
        }
    }

    /// Whether the call is recorded once its audio path is open.
    pub(super) const fn is_wanted(&self) -> bool {
        self.recording.path.is_some()
    }

    /// The audio path is open at this rate. A second path of another rate leaves the recording as it is. Answers the name
    /// of the recording when it begins.
    pub(super) fn open(&mut self, rate_hz: u32) -> Option<String> {
        let path = self.recording.path.as_ref().filter(|_| self.recorder.is_none() && self.rate_hz == 0)?;
        self.rate_hz = rate_hz;
        let parent = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        match parent.and_then(|()| File::create(path)) {
            Ok(file) => match DualRecorder::new(BufWriter::new(file), rate_hz) {
                Ok(recorder) => self.recorder = Some(recorder),
                Err(error) => complain(&error),
            },
            Err(error) => {
                tracing::error!(%error, "the recording could not be opened; the call goes on without it");
                metrics::counter!("frontdesk_recording_failures_total").increment(1);
            }
        }
        self.recorder.as_ref().map(|_| self.recording.name.clone())
    }

    /// Leaves out what is heard from here on, or no more: where it was is silence. What was sent ahead of time is not on it either.
    pub(super) fn pause(&mut self, now: CallTime, is_paused: bool) {
        if is_paused && !self.is_paused {
            self.agent_stopped(now);
        }
        self.is_paused = is_paused;
    }

    pub(super) fn caller(&mut self, now: CallTime, frame: &[i16]) {
        let at = joined(self.caller_at, now, Millis(limits::FRAME_MS), self.rate_hz);
        self.caller_at = at + frame.len() as u64;
        self.push(Side::Caller, at, frame);
        self.settle(now);
    }

    /// Frames lie where they were heard or join those before, so what is older than a pause is not touched again.
    fn settle(&mut self, now: CallTime) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.settle(samples(now - SETTLED_AFTER, self.rate_hz))
        {
            complain(&error);
        }
    }

    /// Frames go out ahead of time, so they join the ones before unless there was a pause.
    pub(super) fn agent(&mut self, now: CallTime, frame: &[i16]) {
        let at = joined(self.agent_at, now, Millis::ZERO, self.rate_hz);
        self.agent_at = at + frame.len() as u64;
        self.push(Side::Agent, at, frame);
    }

    /// The carrier threw away what was not played: it was not heard, so it is not on the recording.
    pub(super) fn agent_stopped(&mut self, now: CallTime) {
        if let Some(recorder) = &mut self.recorder {
            recorder.erase_from_ms(Side::Agent, now.0);
            self.agent_at = samples(now, self.rate_hz);
        }
    }

    fn push(&mut self, side: Side, at: u64, frame: &[i16]) {
        if !self.is_paused
            && let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.push(side, at, frame)
        {
            complain(&error);
        }
    }

    pub(super) fn input(&mut self, at: CallTime, input: &Input) {
        if let Some(lines) = &mut self.lines {
            lines.push(replay::Line::Input { at, input: input.clone() });
        }
    }

    pub(super) fn timeout(&mut self, at: CallTime) {
        if let Some(lines) = &mut self.lines {
            lines.push(replay::Line::Timeout { at });
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        if let Some(lines) = &mut self.lines {
            lines.push(replay::Line::Output { output: output.clone() });
        }
    }

    /// Lines that should be written now, with the place of the first.
    pub(super) fn lines_due(&mut self) -> Option<(u64, Vec<replay::Line>)> {
        let lines = self.lines.as_mut().filter(|lines| lines.len() >= LINES_PER_WRITE)?;
        let first = self.lines_stored;
        self.lines_stored += lines.len() as u64;
        Some((first, std::mem::take(lines)))
    }

    /// Ends the recording and answers where it is, relative to the recordings' folder.
    pub(super) fn finish(&mut self) -> Option<String> {
        let recorder = self.recorder.take()?;
        if let Err(error) = recorder.finish() {
            complain(&error);
        }
        Some(self.recording.name.clone())
    }

    /// The lines that are left.
    pub(super) async fn store_rest(&mut self, store: &Arc<dyn Store>, scope: &TenantScope, call: CallId) {
        let first = self.lines_stored;
        let lines = self.lines.take().unwrap_or_default();
        store_lines(store, scope, call, first, &lines).await;
    }
}

/// Notes a part of the recording where it is found again, also when this process dies before the call ends.
pub(super) async fn note_part(store: &Arc<dyn Store>, scope: &TenantScope, call: CallId, name: &str) {
    if let Err(error) = store.add_recording(scope, call, name, crate::wall_ms()).await {
        tracing::warn!(%call, %error, "a part of the recording was not noted");
    }
}

/// Writes lines; losing them loses a replay, not a call. Writing them out and sealing them is not the call's own work.
pub(super) async fn store_lines(
    store: &Arc<dyn Store>,
    scope: &TenantScope,
    call: CallId,
    first: u64,
    lines: &[replay::Line],
) {
    if lines.is_empty() {
        return;
    }
    let lines: Result<Vec<String>, _> = lines.iter().map(serde_json::to_string).collect();
    match lines {
        Ok(lines) => {
            if let Err(error) = store.append_inputs(scope, call, first, &lines).await {
                tracing::warn!(%call, %error, "recorded inputs were not written");
            }
        }
        Err(error) => tracing::warn!(%call, %error, "recorded inputs are no JSON"),
    }
}

/// Where a frame goes: right behind the one before unless the clock says that there was a pause.
fn joined(last_end: u64, now: CallTime, lasted: Millis, rate_hz: u32) -> u64 {
    let by_clock = samples(now - lasted, rate_hz);
    let pause = samples(CallTime(PAUSE.0), rate_hz);
    if by_clock > last_end + pause { by_clock } else { last_end.max(if last_end == 0 { by_clock } else { 0 }) }
}

fn samples(at: CallTime, rate_hz: u32) -> u64 {
    at.0 * u64::from(rate_hz) / 1000
}

fn complain(error: &RecordError) {
    tracing::error!(%error, "the recording stopped; the call goes on");
    metrics::counter!("frontdesk_recording_failures_total").increment(1);
}
