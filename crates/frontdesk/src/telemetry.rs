//! Logs and metrics of the process. Logs never block a call: a full queue drops lines and counts them.

use crate::config::Log;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload;

/// Lines that wait for a slow log sink.
const LINES_MAX: usize = 4096;

/// Upper bounds of latency buckets, in seconds: fine where a caller notices.
const LATENCY_SECONDS: [f64; 14] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0, 10.0];

/// Upper bounds of the time that callers wait for a person, in seconds.
const QUEUE_SECONDS: [f64; 10] = [5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0];

/// Starts logging to standard error.
pub fn start_logs(log: &Log) {
    let filter = filter_of(&log.filter).unwrap_or_else(|_| EnvFilter::new("info,rsipstack=off"));
    let writer = Queue::start();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = match log.format.as_str() {
        "json" => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            keep(builder.reload_handle());
            builder.try_init()
        }
        _ => {
            let builder =
                builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).compact().with_filter_reloading();
            keep(builder.reload_handle());
            builder.try_init()
        }
    };
    // A second start (tests in one process) keeps the first one's settings.
    let _ = started;
}

/// A filter under which the SIP stack stays silent: it logs whole messages, with the numbers of callers in them.
fn filter_of(text: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let is_none = text.split(',').all(|one| one.trim().is_empty());
    EnvFilter::try_new(if is_none { "rsipstack=off".to_owned() } else { format!("{text},rsipstack=off") })
}

type SetFilter = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// Exchanges the filter of the running logs.
static FILTER: OnceLock<SetFilter> = OnceLock::new();

fn keep<S: 'static>(handle: reload::Handle<EnvFilter, S>) {
    let _ = FILTER.set(Box::new(move |filter| handle.reload(filter).is_ok())); // The first start's logs are the ones.
}

/// Logs what this filter lets through from now on. `false` when it is none.
pub fn set_filter(text: &str) -> bool {
    match (filter_of(text), FILTER.get()) {
        (Ok(filter), Some(set)) => set(filter),
        (Ok(_), None) => true,
        (Err(_), _) => false,
    }
}

/// The one recorder of this process and what renders it.
pub fn start_metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let builder = builder
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &LATENCY_SECONDS)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(Matcher::Full("frontdesk_queue_wait_seconds".into()), &QUEUE_SECONDS)
                })
                .unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            // Only a recorder of somebody else could be there already; its metrics are then not ours to render.
            let _ = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// Hands lines to a thread that may block on the sink.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Vec<u8>>,
}

impl Queue {
    fn start() -> Self {
        let (lines, waiting) = sync_channel::<Vec<u8>>(LINES_MAX);
        let writer = std::thread::Builder::new().name("logs".into()).spawn(move || {
            let mut sink = std::io::stderr();
            while let Ok(line) = waiting.recv() {
                let _ = sink.write_all(&line); // There is nowhere left to complain.
            }
        });
        drop(writer);
        Self { lines }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line { bytes: Vec::new(), lines: self.lines.clone() }
    }
}

/// One log line, sent when complete.
struct Line {
    bytes: Vec<u8>,
    lines: SyncSender<Vec<u8>>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(std::mem::take(&mut self.bytes)) {
            metrics::counter!("frontdesk_log_lines_dropped_total").increment(1);
        }
    }
}
