//! Whole calls over a SIP trunk, by the real program and a real telephone.

use crate::rig::{CALLER, Detail, GOODBYE, GREETING, Server, Setting, World, poll, voice};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use std::net::UdpSocket;
use std::time::Duration;
use testkit::phone::{Options, Phone, Sound};
use testkit::ports;

/// The number that the trunk brings.
const NUMBER: &str = "+49405550171";
const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const BYE: &str = "Thank you, goodbye.";
const RETURN: &str = "How can I return something?";
const RETURNS: &str = "You can send anything back within thirty days. The parcel must hold everything that was in it. We pay \
                       the money back within one week after it has arrived in our workshop.";
const SHORTLY: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(25);

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("open on saturday", Reply::says(OPENING)),
        Rule::on_user("return something", Reply::says(RETURNS)),
        Rule::on_user("48213", Reply::says("Your order is on its way.")),
        Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
    ]
}

/// The program with a trunk to a telephone, and the telephone.
struct Office {
    world: World,
    server: Server,
    phone: Phone,
    /// Where the program listens.
    sip: u16,
    /// Its first port of audio, of twenty.
    rtp: u16,
}

impl Office {
    async fn open(script: &[&'static str]) -> Self {
        let phone = Phone::start(Options { user: CALLER.into(), ..Options::default() }).await;
        let host = phone.host();
        Self::with(script, phone, &host).await
    }

    /// With a telephone that may stand elsewhere than the trunk's other end.
    async fn with(script: &[&'static str], phone: Phone, host: &str) -> Self {
        Self::with_settings(script, phone, host, "").await
    }

    /// With more lines of `[sip]`.
    async fn with_settings(script: &[&'static str], phone: Phone, host: &str, settings: &str) -> Self {
        let world = World::new(Setting::new(script, rules())).await;
        let sip = ports::free(22);
        let rtp = sip + 2;
        let table = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:{sip}\", \"tcp:127.0.0.1:{sip}\"]\nrtp_ports = \"{rtp}-{}\"\n{settings}\
             [[sip.trunks]]\nname = \"company\"\nhost = \"{host}\"\n\
             [[numbers]]\nnumber = \"{NUMBER}\"\ncarrier = \"sip\"\nagent = \"robin\"\n",
            rtp + 19,
        );
        std::fs::write(world.place.path().join("frontdesk.toml"), table).expect("written");
        let server = world.serve().await;
        Self { world, server, phone, sip, rtp }
    }

    async fn is_called(&self) {
        self.phone.tell(&format!("call sip:{NUMBER}@127.0.0.1:{}", self.sip)).await;
        self.phone.next("up", 0, SHORTLY).await;
    }

    /// Speaks as long as a person would for this line. Gives the times at which it begins and ends.
    async fn says(&self, line: &str) -> (u64, u64) {
        let ms = (line.split_whitespace().count() as u64 * 260).max(700);
        let file = self.phone.folder().join("line.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(&file, spec).expect("a file");
        voice(ms).into_iter().for_each(|sample| wav.write_sample(sample).expect("written"));
        wav.finalize().expect("written");
        let from_ms = self.phone.tell(&format!("say {}", file.display())).await;
        (from_ms, from_ms + ms)
    }

    /// Waits until the agent has said something from `since_ms` on and is quiet again.
    async fn hears_out(&self, since_ms: u64, what: &str) -> Sound {
        let settled = |phone: &Phone| {
            let sounds = phone.sounds();
            let first = sounds.iter().find(|sound| sound.from_ms >= since_ms)?;
            let last = sounds.last()?.to_ms?;
            Some(Sound { to_ms: Some(last), ..*first })
        };
        self.phone.until(LONG, what, settled).await
    }

    async fn asks(&self, line: &str) -> Sound {
        let (_, to_ms) = self.says(line).await;
        let answer = self.hears_out(to_ms, line).await;
        assert!(answer.from_ms - to_ms <= 3_000, "silence for {} ms after {line:?}", answer.from_ms - to_ms);
        answer
    }

    /// The only call, as soon as its row says that it is over.
    async fn ended(&self) -> Detail {
        let id = poll(Duration::from_secs(15), "the end of the call in its row", async || {
            let (_, list) = self.server.get("/api/v1/calls").await;
            let call = list["items"].as_array()?.first()?.clone();
            call["ended_at_ms"].is_i64().then(|| call["id"].as_str().expect("an id").to_owned())
        });
        let detail = self.server.detail(&id.await).await;
        self.server.is_idle_again().await;
        detail
    }

    /// Rubbish to where the program listens, and to every port of audio.
    fn is_pelted(&self) {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let torture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sip/torture.txt");
        let torture = std::fs::read_to_string(torture).expect("the messages").replace('\n', "\r\n");
        let mut datagrams: Vec<Vec<u8>> = torture.split("\r\n== ").map(|one| one.as_bytes().to_vec()).collect();
        datagrams.extend((0..200u32).map(|seed| {
            let byte = |at: u32| (seed.wrapping_mul(2_654_435_761).wrapping_add(at.wrapping_mul(40_503)) >> 7) as u8;
            (0..seed * 7).map(byte).collect()
        }));
        datagrams.push(vec![0x80, 0, 0, 1]);
        for datagram in datagrams.iter().filter(|one| one.len() < 60_000) {
            for port in [self.sip].into_iter().chain(self.rtp..self.rtp + 20) {
                // A port on which nobody listens says so; that is not the sender's affair.
                let _ = socket.send_to(datagram, ("127.0.0.1", port));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_over_a_trunk_asks_interrupts_presses_keys_and_is_let_go() {
    let office = Office::open(&[SATURDAY, RETURN, "Sorry, stop. When are you open on Saturday?", BYE]).await;
    office.is_called().await;
    let greeting = office.hears_out(0, "the greeting").await;
    let spoken_ms = greeting.to_ms.expect("an end") - greeting.from_ms;
    let written_ms = GREETING.chars().count() as u64 * crate::rig::CHAR_MS;
    assert!(spoken_ms.abs_diff(written_ms) <= 300, "the greeting of {written_ms} ms was heard for {spoken_ms} ms");

    office.asks(SATURDAY).await;
    office.is_pelted();

    // A long answer, and somebody who does not want to hear it.
    let (_, to_ms) = office.says(RETURN).await;
    let begun = office.phone.until(SHORTLY, "the long answer", |phone| {
        phone.sounds().last().copied().filter(|sound| sound.from_ms >= to_ms)
    });
    begun.await;
    let (onset_ms, spoken_ms) = office.says("Sorry, stop. When are you open on Saturday?").await;
    let stopped = office.phone.until(SHORTLY, "the agent stops", |phone| {
        phone.sounds().into_iter().find(|sound| sound.from_ms >= to_ms)?.to_ms
    });
    let stopped_ms = stopped.await.saturating_sub(onset_ms);
    assert!(stopped_ms <= 800, "the caller talked against the agent for {stopped_ms} ms");
    office.hears_out(spoken_ms, "the answer to the interruption").await;

    let pressed_ms = office.phone.tell("keys 48213#").await;
    office.hears_out(pressed_ms, "the answer to the keys").await;
    office.is_pelted();
    office.says(BYE).await;
    let over = office.phone.next("over", 0, LONG).await;
    assert_eq!(over["status"], 200, "{over}");

    let detail = office.ended().await;
    let call = detail.call();
    assert_eq!(
        (&call["state"], &call["direction"], &call["carrier"]),
        (&json!("completed"), &json!("inbound"), &json!("sip"))
    );
    assert_eq!((&call["customer"], &call["number"]), (&json!(CALLER), &json!(NUMBER)));
    assert_eq!(detail.texts("dtmf", "digit").concat(), "48213#");
    let heard = detail.heard();
    assert_eq!(heard[..2], [GREETING, OPENING], "{heard:#?}");
    assert!(heard[2].len() < RETURNS.len() && RETURNS.starts_with(heard[2]), "{heard:#?}");
    assert_eq!(heard[3..], [OPENING, "Your order is on its way.", GOODBYE], "{heard:#?}");
    detail.assert_sound();
    office.world.assert_replays(detail.id()).await;
    let log = office.server.log();
    assert!(!log.contains(CALLER) && !log.contains("panicked"), "{log}");
    // The greeting and the answers, as audio: seconds of it.
    assert!(office.phone.quit().await.loud > 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trunk_says_about_a_call_is_known_to_the_agent_and_shown() {
    let office = Office::open(&[SATURDAY]).await;
    let headers = "\tX-Account: 4711\tDiversion: <sip:+49405550188@company>;reason=no-answer\tP-Attestation-Indicator: A\t\
                   P-Asserted-Identity: <sip:+49405550123@company>";
    office.phone.tell(&format!("call sip:{NUMBER}@127.0.0.1:{}{headers}", office.sip)).await;
    office.hears_out(0, "the greeting").await;
    office.asks(SATURDAY).await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    assert_eq!(detail.call()["customer"], "+49405550123", "whom the network vouches for");
    let said = detail.entries("line_said");
    let facts = &said.first().expect("what the line said")["facts"];
    assert_eq!((&facts["X-Account"], &facts["diverted from"]), (&json!("4711"), &json!("+49405550188")), "{facts}");
    assert!(facts["number"].as_str().is_some_and(|text| text.contains("the caller's")), "{facts}");
    let asked = office.world.llm.record.lines().join("\n");
    assert!(asked.contains("X-Account") && asked.contains("4711"), "{asked}");
    office.world.assert_replays(detail.id()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_a_wideband_telephone_is_answered_and_recorded_in_wideband() {
    let phone = Phone::start(Options { user: CALLER.into(), codec: "G722/16000", ..Options::default() }).await;
    let host = phone.host();
    let office = Office::with(&[SATURDAY], phone, &host).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    office.asks(SATURDAY).await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    assert_eq!(detail.heard(), [GREETING, OPENING]);
    detail.assert_sound();
    let url = office.server.url(&format!("/api/v1/calls/{}/recording", detail.id()));
    let recording = office.server.http().get(&url).send().await.expect("an answer").bytes().await.expect("a body");
    assert_eq!(recording[24..28], 16_000_u32.to_le_bytes(), "samples per second");
    office.world.assert_replays(detail.id()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_over_a_trunk_who_hangs_up_ends_the_call() {
    let office = Office::open(&[]).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    assert_eq!((&detail.call()["state"], &detail.call()["ended_reason"]), (&json!("completed"), &json!("hung_up")));
    assert_eq!(detail.heard(), [GREETING]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_puts_us_on_hold_is_waited_for_and_answered_afterwards() {
    let office = Office::open(&[SATURDAY]).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    let id = live_call(&office).await;
    let is = async |state: &str| {
        poll(SHORTLY, state, async || (office.server.detail(&id).await.call()["state"] == state).then_some(())).await;
    };
    office.phone.tell("hold").await;
    is("paused").await;
    office.phone.tell("unhold").await;
    is("active").await;
    office.asks(SATURDAY).await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    assert_eq!(detail.heard(), [GREETING, OPENING]);
    detail.assert_sound();
    office.world.assert_replays(detail.id()).await;
}

/// Ports and payload of every datagram of a capture file.
fn datagrams(file: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    let mut reader = pcap_file::pcap::PcapReader::new(file).expect("a capture file");
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("whole");
        let sliced = etherparse::SlicedPacket::from_ip(&packet.data).expect("a packet");
        let Some(etherparse::TransportSlice::Udp(udp)) = sliced.transport else { panic!("{sliced:?}") };
        datagrams.push((udp.source_port(), udp.destination_port(), udp.payload().to_vec()));
    }
    datagrams
}

/// The numbers of packets of audio, as they came.
fn numbers<'a>(of: impl Iterator<Item = &'a (u16, u16, Vec<u8>)>) -> Vec<u16> {
    let audio = of.filter(|(_, _, bytes)| bytes.len() > 12 && bytes[0] >> 6 == 2 && !(192..=223).contains(&bytes[1]));
    audio.map(|(_, _, bytes)| u16::from_be_bytes([bytes[2], bytes[3]])).collect()
}

/// The trace of a call, as soon as it is there.
async fn traced(office: &Office, id: &str) -> reqwest::Response {
    let url = office.server.url(&format!("/api/v1/calls/{id}/packets"));
    poll(SHORTLY, "the trace is there", async || {
        let answer = office.server.http().get(&url).send().await.expect("an answer");
        answer.status().is_success().then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_we_place_is_traced_from_its_first_message() {
    let phone = Phone::start(Options { user: CALLER.into(), ..Options::default() }).await;
    let host = phone.host();
    let office = Office::with_settings(&[], phone, &host, "trace = true\n").await;
    let (status, placed) = office.server.post("/api/v1/calls", &dial()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    office.phone.next("incoming", 0, SHORTLY).await;
    office.phone.tell("answer 200").await;
    office.hears_out(0, "the greeting").await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    let all = datagrams(&traced(&office, detail.id()).await.bytes().await.expect("a body"));
    let their: u16 = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let (from, to, first) = &all[0];
    assert!(first.starts_with(b"INVITE "), "{}", String::from_utf8_lossy(first));
    assert_eq!((*from, *to), (office.sip, their));
    assert!(all.iter().any(|(from, _, bytes)| *from == their && bytes.starts_with(b"SIP/2.0 200")));
    assert!(all.iter().any(|(from, _, bytes)| *from == office.sip && bytes.starts_with(b"ACK ")));
    let ours = office.rtp..office.rtp + 20;
    assert!(numbers(all.iter().filter(|(from, _, _)| ours.contains(from))).len() > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_over_the_wire_is_downloaded_after_the_call_without_its_secrets() {
    let phone = Phone::start(Options { user: CALLER.into(), ..Options::default() }).await;
    let host = phone.host();
    let office = Office::with_settings(&[SATURDAY], phone, &host, "trace = true\n").await;
    let proof =
        "\tAuthorization: Digest username=\"ada\", realm=\"x\", nonce=\"n0nce\", uri=\"sip:x\", response=\"5ec4e7\"";
    office.phone.tell(&format!("call sip:{NUMBER}@127.0.0.1:{}{proof}", office.sip)).await;
    office.hears_out(0, "the greeting").await;
    let packets = format!("/api/v1/calls/{}/packets", live_call(&office).await);
    let (status, problem) = office.server.get(&packets).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(problem["detail"].as_str().is_some_and(|why| why.contains("not over yet")), "{problem}");
    office.asks(SATURDAY).await;
    office.phone.tell("hang_up").await;
    let detail = office.ended().await;
    let answer = traced(&office, detail.id()).await;
    assert_eq!(office.server.detail(detail.id()).await.0["packets"], true);
    assert_eq!(answer.headers()["content-type"], "application/vnd.tcpdump.pcap");
    let named = format!("attachment; filename=\"{}.pcap\"", detail.id());
    assert_eq!(answer.headers()["content-disposition"], named.as_str());
    let all = datagrams(&answer.bytes().await.expect("a body"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let messages: Vec<_> = all.iter().filter(|(from, to, _)| [*from, *to].contains(&office.sip)).collect();
    let heads: Vec<_> =
        messages.iter().map(|(_, _, bytes)| text(bytes).lines().next().unwrap_or("").to_owned()).collect();
    let first = messages.first().map(|(_, _, bytes)| text(bytes)).unwrap_or_default();
    assert!(first.starts_with("INVITE ") && first.contains("username=\"ada\""), "{heads:?}");
    assert!(heads.iter().any(|head| head.starts_with("ACK ")), "{heads:?}");
    assert!(heads.iter().any(|head| head.starts_with("BYE ")), "{heads:?}");
    assert_eq!(heads.last().map(String::as_str), Some("SIP/2.0 200 OK"), "{heads:?}");
    let whole: String = messages.iter().map(|(_, _, bytes)| text(bytes)).collect();
    assert!(!whole.contains("n0nce") && !whole.contains("5ec4e7"), "{whole}");
    let ours = office.rtp..office.rtp + 20;
    let both = [
        numbers(all.iter().filter(|(from, _, _)| ours.contains(from))),
        numbers(all.iter().filter(|(_, to, _)| ours.contains(to))),
    ];
    for way in both {
        assert!(way.len() > 100, "{} packets", way.len());
        assert!(way.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{way:?}");
    }
    assert_eq!(office.server.metric("frontdesk_sip_trace_packets_dropped_total", &[]).await, 0.0);
}

/// What the API is asked to place a call to the customer.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_takes_the_callers_place_is_another_one_for_the_agent() {
    let office = Office::open(&[SATURDAY, SATURDAY]).await;
    let colleague = Phone::start(Options { user: COLLEAGUE.into(), ..Options::default() }).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    office.asks(SATURDAY).await;
    office.phone.tell(&format!("call sip:{COLLEAGUE}@{}", colleague.host())).await;
    colleague.next("incoming", 0, LONG).await;
    colleague.tell("answer 200").await;
    office.phone.until(LONG, "both are up", |phone| (phone.last("up")?["call"] == 1).then_some(())).await;
    office.phone.tell("join").await;
    colleague.until(LONG, "the colleague has the call", |phone| (phone.last("up")?["call"] == 1).then_some(())).await;
    let call = live_call(&office).await;
    let facts = poll(SHORTLY, "the agent knows", async || {
        let detail = office.server.detail(&call).await;
        detail.entries("line_said").first().map(|said| said["facts"].to_string())
    });
    let facts = facts.await;
    assert!(facts.contains("taken the caller's place") && facts.contains(COLLEAGUE), "{facts}");
    let seen = colleague.sounds().len();
    speaks(&colleague, 1_500).await;
    hears(&colleague, seen, "an answer").await;
    let asked = office.world.llm.record.lines().join("\n");
    assert!(asked.contains("taken the caller's place"), "{asked}");
    colleague.tell("hang_up").await;
    let detail = office.ended().await;
    assert_eq!(detail.heard(), [GREETING, OPENING, OPENING]);
    office.world.assert_replays(detail.id()).await;
}

fn dial() -> Value {
    json!({"to": CALLER, "from": NUMBER, "agent": "robin"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_placed_over_a_trunk_rings_is_answered_and_ended_by_the_api() {
    let office = Office::open(&[SATURDAY]).await;
    let (status, placed) = office.server.post("/api/v1/calls", &dial()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    let incoming = office.phone.next("incoming", 0, SHORTLY).await;
    let invite = incoming["message"].as_str().expect("a message");
    assert!(invite.starts_with(&format!("INVITE sip:{CALLER}@")) && invite.contains(NUMBER), "{invite}");
    poll(SHORTLY, "the row says that it rings", async || {
        let detail = office.server.detail(placed["id"].as_str().expect("an id")).await;
        (detail.call()["state"] == "ringing").then_some(())
    })
    .await;
    office.phone.tell("answer 200").await;
    office.hears_out(0, "the greeting").await;
    office.asks(SATURDAY).await;
    let end = format!("/api/v1/calls/{}/end", placed["id"].as_str().expect("an id"));
    let (status, told) = office.server.post(&end, &json!({})).await;
    assert!(status.is_success(), "{status} {told}");
    office.phone.next("over", 0, LONG).await;
    let detail = office.ended().await;
    assert_eq!(detail.id(), placed["id"]);
    assert_eq!((&detail.call()["state"], &detail.call()["direction"]), (&json!("completed"), &json!("outbound")));
    assert_eq!(detail.heard()[..2], [GREETING, OPENING]);
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_behind_a_trunk_that_are_not_answered_end_the_call_as_they_say() {
    for (answer, state) in [("486", "busy"), ("480", "no_answer"), ("603", "failed")] {
        let office = Office::open(&[]).await;
        let (status, placed) = office.server.post("/api/v1/calls", &dial()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
        office.phone.next("incoming", 0, SHORTLY).await;
        office.phone.tell(&format!("answer {answer}")).await;
        let detail = office.ended().await;
        assert_eq!((detail.id(), &detail.call()["state"]), (placed["id"].as_str().expect("an id"), &json!(state)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_ended_while_it_rings_stops_ringing() {
    let office = Office::open(&[]).await;
    let (status, placed) = office.server.post("/api/v1/calls", &dial()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    office.phone.next("incoming", 0, SHORTLY).await;
    let end = format!("/api/v1/calls/{}/end", placed["id"].as_str().expect("an id"));
    let (status, told) = office.server.post(&end, &json!({})).await;
    assert!(status.is_success(), "{status} {told}");
    let over = office.phone.next("over", 0, LONG).await;
    assert_eq!(over["status"], 487, "{over}");
    assert_eq!(office.ended().await.call()["state"], "canceled");
}

/// The only call, which goes on.
async fn live_call(office: &Office) -> String {
    let (_, list) = office.server.get("/api/v1/calls").await;
    list["items"][0]["id"].as_str().expect("a call").to_owned()
}

async fn is_handed_over(office: &Office, to: &str) {
    let path = format!("/api/v1/calls/{}/transfer", live_call(office).await);
    let (status, told) = office.server.post(&path, &json!({ "to": to })).await;
    assert!(status.is_success(), "{status} {told}");
}

const COLLEAGUE: &str = "+49405550199";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_handed_over_talks_to_the_colleague() {
    let colleague = Phone::start(Options { user: COLLEAGUE.into(), ..Options::default() }).await;
    let caller = Phone::start(Options { user: CALLER.into(), ..Options::default() }).await;
    let office = Office::with(&[], caller, &colleague.host()).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    is_handed_over(&office, COLLEAGUE).await;
    let incoming = colleague.next("incoming", 0, LONG).await;
    assert!(
        incoming["message"].as_str().expect("a message").starts_with(&format!("INVITE sip:{COLLEAGUE}@")),
        "{incoming}"
    );
    colleague.tell("answer 200").await;
    let detail = office.ended().await;
    assert_eq!((&detail.call()["state"], &detail.call()["ended_reason"]), (&json!("completed"), &json!("transferred")));
    assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));
    // What the two say to each other is no matter of ours: we are off the line.
    office.phone.until(SHORTLY, "we have left", |phone| phone.last("over")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_cannot_be_handed_over_is_told_and_nobody_says_it_worked() {
    let office = Office::open(&[]).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    office.phone.tell("transfers 603").await;
    is_handed_over(&office, COLLEAGUE).await;
    office.phone.next("transfer", 0, LONG).await;
    let refused_ms = office.phone.tell("transfers 603").await;
    office.phone.next("over", 0, LONG).await;
    // What the agent says instead follows upon the announcement without a pause.
    let silent_ms = office.phone.until(SHORTLY, "the last sound", |phone| phone.sounds().last()?.to_ms).await;
    assert!(silent_ms > refused_ms + 1_000, "refused at {refused_ms} ms, silent at {silent_ms} ms");
    let detail = office.ended().await;
    assert_eq!(detail.call()["ended_reason"], "transfer_failed", "{}", detail.call());
    let faults = detail.entries("fault");
    assert!(faults.len() == 1 && faults[0]["stage"] == "carrier", "{faults:#?}");
    assert_eq!(detail.heard().last(), Some(&GOODBYE), "{:#?}", detail.heard());
}

const BRIEF: &str = "Maria Braun waits for a new fork since Monday.";
const REACHED_NOBODY: &str =
    "I'm sorry, I could not reach a colleague. You are back with me. What else can I do for you?";

/// A caller for whom a colleague behind the same trunk is asked, as the desk wants it.
async fn asks_a_colleague(script: &[&'static str]) -> (Office, Phone) {
    let colleague = Phone::start(Options { user: COLLEAGUE.into(), ..Options::default() }).await;
    let caller = Phone::start(Options { user: CALLER.into(), ..Options::default() }).await;
    let office = Office::with(script, caller, &colleague.host()).await;
    office.is_called().await;
    office.hears_out(0, "the greeting").await;
    let path = format!("/api/v1/calls/{}/transfer", live_call(&office).await);
    let wish = json!({ "to": COLLEAGUE, "mode": "warm", "brief": BRIEF });
    let asked_ms = office.phone.tell("transfers 603").await;
    let (status, told) = office.server.post(&path, &wish).await;
    assert!(status.is_success(), "{status} {told}");
    let incoming = colleague.next("incoming", 0, LONG).await;
    let invite = incoming["message"].as_str().expect("a message");
    assert!(invite.starts_with(&format!("INVITE sip:{COLLEAGUE}@")) && invite.contains(NUMBER), "{invite}");
    office.hears_out(asked_ms, "that somebody is asked").await;
    (office, colleague)
}

impl Office {
    /// The call of this direction, as soon as its row says that it is over.
    async fn ended_of(&self, direction: &str) -> Detail {
        let id = poll(Duration::from_secs(15), "the end of a call in its row", async || {
            let (_, list) = self.server.get("/api/v1/calls").await;
            let call = list["items"].as_array()?.iter().find(|call| call["direction"] == direction)?.clone();
            call["ended_at_ms"].is_i64().then(|| call["id"].as_str().expect("an id").to_owned())
        });
        self.server.detail(&id.await).await
    }
}

/// A voice of so long, spoken into this telephone.
async fn speaks(phone: &Phone, ms: u64) -> u64 {
    let file = phone.folder().join("words.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&file, spec).expect("a file");
    voice(ms).into_iter().for_each(|sample| wav.write_sample(sample).expect("written"));
    wav.finalize().expect("written");
    phone.tell(&format!("say {}", file.display())).await
}

/// Waits until something was heard at this telephone from now on, and it is quiet again.
async fn hears(phone: &Phone, seen: usize, what: &str) {
    phone.until(LONG, what, |phone| phone.sounds().get(seen)?.to_ms).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_hears_the_brief_takes_the_caller_and_the_two_talk() {
    let (office, colleague) = asks_a_colleague(&["Hello, this is Kim.", "Hello Kim."]).await;
    colleague.tell("answer 200").await;
    let seen = colleague.sounds().len();
    hears(&colleague, seen, "the brief").await;
    colleague.tell("keys 1").await;
    poll(SHORTLY, "the two are connected", async || {
        (office.server.detail(&inbound(&office).await).await.entries("taken_over").len() == 1).then_some(())
    })
    .await;
    // What either says is heard by the other.
    office.phone.until(LONG, "the last word of the agent", |phone| phone.sounds().last()?.to_ms).await;
    let seen = office.phone.sounds().len();
    speaks(&colleague, 1_500).await;
    hears(&office.phone, seen, "the colleague's voice").await;
    let seen = colleague.sounds().len();
    speaks(&office.phone, 1_500).await;
    hears(&colleague, seen, "the caller's voice").await;
    colleague.tell("hang_up").await;
    let over = office.phone.next("over", 0, SHORTLY).await;
    assert_eq!(over["status"], 200, "{over}");

    let call = office.ended_of("inbound").await;
    assert_eq!((&call.call()["state"], &call.call()["ended_reason"]), (&json!("completed"), &json!("transferred")));
    assert_eq!(call.texts("consult_ended", "outcome"), ["accepted"]);
    assert_eq!(call.texts("person_turn", "text"), ["Hello, this is Kim."]);
    assert_eq!(call.texts("caller_turn", "text"), ["Hello Kim."]);
    call.assert_sound();
    office.world.assert_replays(call.id()).await;
    let brief = office.ended_of("outbound").await;
    assert_eq!((&brief.call()["state"], &brief.call()["number"]), (&json!("completed"), &json!(NUMBER)));
    assert!(brief.heard().concat().contains(BRIEF), "{:#?}", brief.heard());
    assert_eq!(brief.entries("brief_answered")[0]["accepted"], true);
    assert_eq!(call.texts("taken_over", "by"), [format!("call:{}", brief.id())]);
    office.world.assert_replays(brief.id()).await;
    office.server.is_idle_again().await;
    let log = office.server.log();
    assert!(!log.contains(COLLEAGUE) && !log.contains("Maria") && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_one_recording_holds_for_the_colleague_who_is_joined() {
    let (office, colleague) = asks_a_colleague(&[]).await;
    let ours = inbound(&office).await;
    records(&office, &ours, "pause").await;
    colleague.tell("answer 200").await;
    hears(&colleague, colleague.sounds().len(), "the brief").await;
    colleague.tell("keys 1").await;
    let theirs = poll(SHORTLY, "the colleague's call", async || {
        let (_, list) = office.server.get("/api/v1/calls").await;
        let call = list["items"].as_array()?.iter().find(|call| call["direction"] == "outbound")?.clone();
        Some(call["id"].as_str().expect("an id").to_owned())
    })
    .await;
    noted(&office, &theirs, "recording_paused", &[format!("call:{ours}")]).await;
    noted(&office, &ours, "taken_over", &[format!("call:{theirs}")]).await;
    // It goes on by the other call, and holds again by the first.
    records(&office, &theirs, "resume").await;
    noted(&office, &ours, "recording_resumed", &[format!("call:{theirs}")]).await;
    records(&office, &ours, "pause").await;
    let by = format!("call:{ours}");
    noted(&office, &theirs, "recording_paused", &[by.clone(), by]).await;
    office.phone.tell("hang_up").await;
    colleague.next("over", 0, SHORTLY).await;
    let (ours, theirs) = (office.ended_of("inbound").await, office.ended_of("outbound").await);
    assert_eq!(ours.texts("recording_paused", "by"), ["installation", "installation"]);
    assert_eq!(theirs.texts("recording_resumed", "by"), ["installation"], "nothing comes back as an echo");
    office.world.assert_replays(ours.id()).await;
    office.world.assert_replays(theirs.id()).await;
}

async fn records(office: &Office, call: &str, what: &str) {
    let (status, told) = office.server.post(&format!("/api/v1/calls/{call}/recording/{what}"), &Value::Null).await;
    assert!(status.is_success(), "{status} {told}");
}

/// Waits until the journal of a call has these entries, by these.
async fn noted(office: &Office, call: &str, kind: &str, by: &[String]) {
    let what = format!("{kind} of {call}");
    poll(SHORTLY, &what, async || (office.server.detail(call).await.texts(kind, "by") == by).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_does_not_answer_leaves_the_caller_with_the_agent() {
    let (office, colleague) = asks_a_colleague(&[SATURDAY]).await;
    let refused_ms = office.phone.tell("transfers 603").await;
    colleague.tell("answer 480").await;
    office.hears_out(refused_ms, "that nobody was reached").await;
    office.asks(SATURDAY).await;
    office.phone.tell("hang_up").await;
    let call = office.ended_of("inbound").await;
    assert_eq!(call.texts("consult_ended", "outcome"), ["no_answer"]);
    assert_eq!(call.heard()[2..], [REACHED_NOBODY, OPENING], "{:#?}", call.heard());
    call.assert_sound();
    office.world.assert_replays(call.id()).await;
    office.server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_whose_caller_hangs_up_during_the_brief_is_told_and_let_go() {
    let (office, colleague) = asks_a_colleague(&[]).await;
    colleague.tell("answer 200").await;
    colleague.until(LONG, "the brief begins", |phone| phone.sounds().last().copied()).await;
    office.phone.tell("hang_up").await;
    colleague.next("over", 0, LONG).await;
    let call = office.ended_of("inbound").await;
    assert_eq!(call.texts("consult_ended", "outcome"), ["withdrawn"]);
    let brief = office.ended_of("outbound").await;
    assert_eq!(brief.call()["ended_reason"], "caller_gone");
    assert!(
        brief.heard().last().is_some_and(|line| line.starts_with("The caller has hung up")),
        "{:#?}",
        brief.heard()
    );
    office.server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_on_a_colleague_ends_both_calls() {
    let (office, colleague) = asks_a_colleague(&["Yes, please."]).await;
    colleague.tell("answer 200").await;
    hears(&colleague, colleague.sounds().len(), "the brief").await;
    speaks(&colleague, 800).await;
    poll(SHORTLY, "a yes takes the call, too", async || {
        (office.server.detail(&inbound(&office).await).await.entries("taken_over").len() == 1).then_some(())
    })
    .await;
    office.phone.tell("hang_up").await;
    colleague.next("over", 0, SHORTLY).await;
    assert_eq!(office.ended_of("outbound").await.call()["ended_reason"], "transferred");
    assert_eq!(office.ended_of("inbound").await.call()["ended_reason"], "hung_up");
}

/// The call of the caller.
async fn inbound(office: &Office) -> String {
    let (_, list) = office.server.get("/api/v1/calls").await;
    let calls = list["items"].as_array().expect("a list");
    let call = calls.iter().find(|call| call["direction"] == "inbound").expect("the caller's");
    call["id"].as_str().expect("an id").to_owned()
}
