//! Several nodes behind a real proxy: Kamailio (Debian package `kamailio`) with the configuration that the documentation names.

#![allow(clippy::unwrap_used)]

mod support;

use model::call::CallState;
use sip::Endpoint;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use support::{LONG, Manners, Office, Seen, Sipp, endpoint, plan, ports};
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};

const CONFIGURATION: &str = include_str!("../../../fixtures/kamailio/kamailio.cfg");
const IS_THERE: &str = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK-there\r\n\
    From: <sip:test@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: there\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\n\
    Content-Length: 0\r\n\r\n";

struct Proxy {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    /// In front of these nodes, and a carrier that calls from any port of this machine.
    async fn start(nodes: &[SocketAddr]) -> Self {
        Self::start_at(ports(2), nodes, ports(2)).await
    }

    async fn start_at(port: u16, nodes: &[SocketAddr], carrier_port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let list: String = nodes.iter().map(|node| format!("1 sip:{node}\n")).collect();
        let list_file = folder.path().join("dispatcher.list");
        std::fs::write(&list_file, format!("{list}2 sip:127.0.0.1:{carrier_port}\n")).unwrap();
        let changed = |from: &str, to: &str, text: &str| {
            assert!(text.contains(from), "no {from} in the configuration");
            text.replace(from, to)
        };
        let text = changed("/etc/kamailio/dispatcher.list", list_file.to_str().unwrap(), CONFIGURATION);
        let text = changed("udp:127.0.0.1:5060", &format!("udp:{address}"), &text);
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, text).unwrap();
        // Debian keeps it where not everybody looks.
        let program = Some("/usr/sbin/kamailio").filter(|path| Path::new(path).is_file()).unwrap_or("kamailio");
        let mut command = Command::new(program);
        command.arg("-f").arg(&file).args(["-DD", "-E", "-m", "16", "-M", "4"]);
        command.arg("-Y").arg(folder.path()).arg("-P").arg(folder.path().join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("Kamailio is installed: apt-get install kamailio");
        let proxy = Self { child, address, _folder: folder };
        proxy.is_there().await;
        proxy
    }

    async fn is_there(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let asked = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            let mut answer = [0; 2_000];
            loop {
                tokio::select! {
                    _ = ticks.tick() => drop(socket.send_to(IS_THERE.as_bytes(), self.address).await),
                    Ok((length, _)) = socket.recv_from(&mut answer) => {
                        assert!(answer[..length].starts_with(b"SIP/2.0 200"));
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(LONG, asked).await.expect("the proxy starts");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It ends its children only when it is asked to.
        if let Some(pid) = self.child.id() {
            let _ = std::process::Command::new("kill").arg(pid.to_string()).status();
        }
    }
}

struct Node {
    office: Arc<Office>,
    endpoint: Endpoint,
    address: SocketAddr,
}

async fn node(manners: Manners, calls_max: usize) -> Node {
    let office = Office::new(manners);
    let (endpoint, address) = endpoint(&office, |config| config.calls_max = calls_max).await;
    Node { office, endpoint, address }
}

impl Node {
    async fn had_its_call(&self) -> Seen {
        let seen = self.office.until("the call is over", Seen::is_over).await;
        assert_eq!(self.endpoint.calls(), 0, "no call is left");
        seen
    }
}

#[tokio::test]
async fn callers_reach_the_nodes_in_turn_and_are_let_go_along_the_way_they_came() {
    let nodes = [node(Manners::default(), 8).await, node(Manners::default(), 8).await];
    let proxy = Proxy::start(&nodes.each_ref().map(|node| node.address)).await;
    for _ in &nodes {
        Sipp::calls(proxy.address, "call", &["-d", "500"]).succeeds().await;
    }
    for node in &nodes {
        let seen = node.had_its_call().await;
        assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
        assert_eq!(seen.invites[0].from.as_ref().unwrap().expose(), "+4940555017");
        assert!(seen.frames >= 15, "{} frames in half a second", seen.frames);
    }
}

#[tokio::test]
async fn a_node_that_hangs_up_reaches_the_caller_behind_the_proxy() {
    let node = node(Manners { frames_max: 25, ..Manners::default() }, 8).await;
    let proxy = Proxy::start(&[node.address]).await;
    Sipp::calls(proxy.address, "hung_up_on", &[]).succeeds().await;
    assert_eq!(node.had_its_call().await.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_caller_goes_around_nodes_that_are_full_or_gone() {
    let (full, free) = (node(Manners::default(), 0).await, node(Manners::default(), 8).await);
    let gone = SocketAddr::from(([127, 0, 0, 1], ports(2)));
    // It takes what is sent and says nothing.
    let _socket = std::net::UdpSocket::bind(gone).unwrap();
    let proxy = Proxy::start(&[full.address, gone, free.address]).await;
    // One after the other, so that each of the three has its turn to be the first.
    for _ in 0..3 {
        Sipp::calls(proxy.address, "call", &[]).succeeds().await;
    }
    let seen = free.had_its_call().await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed].repeat(3));
    assert!(full.office.seen().invites.is_empty());
}

#[tokio::test]
async fn a_call_of_a_node_goes_out_through_the_proxy_and_ends_there() {
    let peer = Sipp::waits("answers", &[]);
    let office = Office::new(Manners { frames_max: 25, ..Manners::default() });
    let proxy_port = ports(2);
    let (endpoint, address) =
        endpoint(&office, |config| config.trunks[0].host = format!("127.0.0.1:{proxy_port}")).await;
    let _proxy = Proxy::start_at(proxy_port, &[address], peer.port).await;
    endpoint.dial(plan()).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    peer.succeeds().await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered, CallState::Completed]);
    assert!(seen.reports.last().unwrap().quality.unwrap().received > 0);
}
