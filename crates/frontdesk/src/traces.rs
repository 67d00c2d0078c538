//! Keeps what goes over the wire for calls over trunks, one capture file per call.
//!
//! A thread of its own writes: a slow disk loses packets of traces, and no frame of a call. A file lies in a folder of its own
//! until its call is over; then it gets the call's name and goes where recordings go, and a call of which nothing is kept
//! loses its file.

use crate::trunks::CARRIER;
use anyhow::Context as _;
use base::limits;
use runtime::Node;
use runtime::recordings::Recordings;
use sip::trace::{Capture, Kind, Tap, Traced};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

/// Below the folder of traces: what is still being written.
const OPEN: &str = "open";

/// Removes what a process left that died during a call: it has no end, and nobody knows whose it is.
///
/// # Errors
/// When it cannot be removed.
pub fn forget_open(traces: &Recordings) -> anyhow::Result<()> {
    let open = traces.dir().join(OPEN);
    if open.exists() {
        std::fs::remove_dir_all(&open).with_context(|| format!("cannot empty {}", open.display()))?;
    }
    Ok(())
}

/// Keeps what comes out of this tap until it is dropped.
///
/// # Errors
/// When the folder cannot be made.
pub fn start(node: &Node, traces: Recordings) -> anyhow::Result<Tap> {
    let open = traces.dir().join(OPEN);
    std::fs::create_dir_all(&open).with_context(|| format!("cannot make {}", open.display()))?;
    let (tap, traced) = Tap::new();
    let desk = Desk { node: node.clone(), traces, runtime: Handle::current(), captures: HashMap::new(), files: 0 };
    std::thread::Builder::new().name("sip-traces".into()).spawn(move || desk.run(traced, &open))?;
    Ok(tap)
}

struct Desk {
    node: Node,
    traces: Recordings,
    runtime: Handle,
    captures: HashMap<Arc<str>, (Capture<BufWriter<File>>, PathBuf)>,
    files: u64,
}

impl Desk {
    fn run(mut self, mut traced: Receiver<Traced>, open: &Path) {
        while let Some(traced) = traced.blocking_recv() {
            match traced {
                Traced::Packet(call, packet) => {
                    if let Err(error) = self.packet(&call, &packet, open) {
                        tracing::warn!(%error, "a packet is missing in the trace of a call");
                        metrics::counter!("frontdesk_sip_trace_packets_dropped_total").increment(1);
                    }
                }
                Traced::Over(call) => {
                    if let Some((capture, path)) = self.captures.remove(&call) {
                        self.finish(&call, capture, path);
                    }
                }
            }
        }
    }

    fn packet(&mut self, call: &Arc<str>, packet: &sip::trace::Packet, open: &Path) -> std::io::Result<()> {
        if !self.captures.contains_key(call) {
            // A call begins with a message; audio without one is of a call that is over, and would leave a file that nobody ends.
            if packet.kind == Kind::Media {
                return Ok(());
            }
            self.files += 1;
            let path = open.join(format!("{}.part", self.files));
            let file = BufWriter::new(File::create(&path)?);
            let capture = Capture::new(file, limits::SIP_TRACE_BYTES_MAX)?;
            self.captures.insert(Arc::clone(call), (capture, path));
        }
        let Some((capture, _)) = self.captures.get_mut(call) else { return Ok(()) };
        let was_cut = capture.is_cut();
        capture.write(packet)?;
        if capture.is_cut() && !was_cut {
            tracing::warn!(call_ref = %call, bytes = limits::SIP_TRACE_BYTES_MAX, "the trace of a call is full and ends here");
            metrics::counter!("frontdesk_sip_traces_cut_total").increment(1);
        }
        Ok(())
    }

    fn finish(&self, call: &Arc<str>, capture: Capture<BufWriter<File>>, path: PathBuf) {
        if let Err(error) = capture.into_file().flush() {
            tracing::warn!(%error, "the end of a call's trace is missing");
        }
        let (node, traces, call) = (self.node.clone(), self.traces.clone(), Arc::clone(call));
        self.runtime.spawn(async move {
            if let Err(error) = keep(&node, &traces, &call, &path).await {
                tracing::warn!(%error, "the trace of a call is not kept");
                let _ = tokio::fs::remove_file(&path).await; // It may have been moved already.
            }
        });
    }
}

/// Gives a file the name of its call, from where it goes to storage.
async fn keep(node: &Node, traces: &Recordings, call: &str, path: &Path) -> anyhow::Result<()> {
    // A call that was refused, or deleted meanwhile, has no row.
    let route = match node.store().route_call(CARRIER, call).await {
        Err(store::StoreError::NotFound(_)) => return Ok(tokio::fs::remove_file(path).await?),
        route => route?,
    };
    let name = Recordings::trace_of(route.call.business, route.call.id);
    let whole = traces.dir().join(&name);
    if let Some(folder) = whole.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::rename(path, &whole).await?;
    // Who deletes a call removes its trace before the row; a row that is gone by now may have missed this one.
    if let Err(store::StoreError::NotFound(_)) = node.store().call(&route.scope, route.call.id).await {
        traces.remove(&name).await?;
    }
    Ok(())
}
