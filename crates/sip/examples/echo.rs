//! Answers every call and plays back what it hears: what a call costs without a conversation.
//!
//! `cargo run -p sip --release --example echo -- 127.0.0.1:5070 30000-34999` waits for a line on its input, then says how the
//! calls were. `sipp 127.0.0.1:5070 -sf fixtures/sipp/call.xml -i 127.0.0.1 -mi 127.0.0.1 -rtp_echo -r 50 -d 10000 -m 1000` calls.

use base::wire::Wire;
use carriers::sip::sdp::{Codec, Preference, Protection};
use sip::{Config, Endpoint, Front, Invite, Line, Listen, Next, Report, Transport, Trunk, Verdict};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct Echo {
    over: Mutex<Vec<Report>>,
}

struct Door(Arc<Echo>);

#[async_trait::async_trait]
impl Front for Door {
    async fn invited(&self, _invite: Invite) -> Verdict {
        Verdict::Answer { token: "echo".into() }
    }

    async fn picked_up(&self, _call_ref: &str) -> Option<String> {
        None
    }

    async fn connected(&self, _call_ref: &str, mut line: Line) {
        tokio::spawn(async move {
            while let Some(wire) = line.from_leg.recv().await {
                if matches!(wire, Wire::Binary(_)) && line.to_leg.try_send(wire).is_err() {
                    return;
                }
            }
        });
    }

    async fn line_ended(&self, _call_ref: &str) -> Next {
        Next::HangUp
    }

    async fn reported(&self, report: Report) {
        if report.state.is_terminal() {
            self.0.over.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5070".into()).parse()?;
    let ports = arguments.next().unwrap_or_else(|| "30000-34999".into());
    let (first, last) = ports.split_once('-').ok_or("ports are FIRST-LAST")?;
    let trunk = Trunk {
        name: "peer".into(),
        host: "127.0.0.1".into(),
        transport: Transport::Udp,
        user: None,
        password: None,
        registers: false,
        is_probed: false,
        allowed: vec!["127.0.0.0/8".parse()?],
        protection: Protection::Allowed,
        codecs: Codec::ALL.to_vec(),
        preference: Preference::Theirs,
    };
    let config = Config {
        listen: vec![Listen { transport: Transport::Udp, address }],
        public_ip: None,
        rtp_ports: first.parse()?..=last.parse()?,
        calls_max: 10_000,
        certificate: None,
        authorities: None,
        tap: None,
        trunks: vec![trunk],
    };
    let echo = Arc::new(Echo::default());
    let endpoint = Endpoint::start(config, Arc::new(Door(Arc::clone(&echo)))).await?;
    println!("listening on {address}; a line ends it");
    let mut line = String::new();
    tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut line)).await??;
    let over = echo.over.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let heard: Vec<_> = over.iter().filter_map(|report| report.quality).collect();
    let sum = |count: fn(&sip::Quality) -> u64| heard.iter().map(count).sum::<u64>();
    let (sent, received, lost) = (sum(|one| one.sent), sum(|one| one.received), sum(|one| one.lost));
    let (late, concealed) = (sum(|one| one.late), sum(|one| one.concealed));
    let worst = heard.iter().filter_map(|one| one.mos).fold(5.0, f64::min);
    println!("{} calls over, {} live", over.len(), endpoint.calls());
    println!(
        "sent {sent}, received {received}, lost {lost}, late {late}, concealed {concealed}, worst score {worst:.2}"
    );
    Ok(())
}
