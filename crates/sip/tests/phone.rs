//! Calls with a real telephone: PJSIP, as an independent reading of the standards. It judges audio, keys and protection.

#![allow(clippy::unwrap_used)]

mod support;

use carriers::sip::sdp::{Codec, Preference, Protection};
use model::call::CallState;
use sip::{Config, Endpoint, Listen, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use support::{LONG, Manners, Office, Seen, certificate, endpoint, ports};
use testkit::baresip::Baresip;
use testkit::phone::{Options, Phone, Recording};

/// How long it speaks: two seconds around the keys.
const FRAMES_SPOKEN: u64 = 120;

struct Room {
    office: Arc<Office>,
    _endpoint: Endpoint,
    phone: Phone,
    address: SocketAddr,
}

impl Room {
    async fn new(options: Options, change: impl FnOnce(&mut Config)) -> Self {
        let office = Office::new(Manners { presses_keys: true, ..Manners::default() });
        let (_endpoint, address) = endpoint(&office, change).await;
        Self { phone: Phone::start(options).await, office, _endpoint, address }
    }

    /// Calls, and speaks once the call is up.
    async fn calls(&self, more: &str) {
        self.phone.tell(&format!("call sip:+4940555000@{}{more}", self.address)).await;
        self.phone.next("up", 0, LONG).await;
        self.phone.tell("tone").await;
    }

    /// Waits until this many loud frames have arrived.
    async fn spoke(&self, frames: u64) {
        self.office.until("it is heard", |seen| seen.loud_frames as u64 >= frames).await;
    }

    async fn ends(self) -> (Recording, Seen) {
        self.phone.tell("hang_up").await;
        let seen = self.office.until("the call is over", Seen::is_over).await;
        (self.phone.quit().await, seen)
    }
}

#[tokio::test]
async fn a_telephone_hears_itself_without_a_gap_and_its_keys_arrive_once() {
    let room = Room::new(Options::default(), |_| {}).await;
    room.calls("").await;
    room.spoke(FRAMES_SPOKEN / 2).await;
    room.phone.tell("keys 1590*#").await;
    let keys = |seen: &Seen| seen.words.iter().filter_map(|word| word.strip_prefix("dtmf ")).collect::<String>();
    room.office.until("the keys arrive", |seen| keys(seen).len() >= 6).await;
    room.phone.until(LONG, "the keys come back", |phone| (phone.keys().len() >= 6).then_some(())).await;
    assert_eq!(room.phone.keys(), "1590*#", "as events of their own (RFC 4733)");
    room.spoke(FRAMES_SPOKEN).await;
    let (heard, seen) = room.ends().await;
    assert_eq!(keys(&seen), "1590*#");
    assert!(heard.loud >= 100, "{} frames of the tone came back", heard.loud);
    assert_eq!(seen.states().last(), Some(&CallState::Completed));
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.mos.unwrap() > 4.0, "{quality:?}");
}

/// A call without keys: what was said comes back whole.
async fn comes_back_whole(room: Room, more: &str) -> Seen {
    room.calls(more).await;
    room.spoke(FRAMES_SPOKEN).await;
    let (heard, seen) = room.ends().await;
    assert!(heard.loud >= 100, "{} frames of the tone came back", heard.loud);
    assert!(heard.gaps <= 3, "{} gaps in it", heard.gaps);
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    seen
}

#[tokio::test]
async fn a_telephone_calls_over_tls_with_protected_audio() {
    let (certificate, authority) = certificate();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &authority).unwrap();
    let tls = SocketAddr::from(([127, 0, 0, 1], ports(2)));
    let options = Options { transport: "tls", is_protected: true, authority: Some(file), ..Options::default() };
    let mut room = Room::new(options, |config| {
        config.listen.push(Listen { transport: Transport::Tls, address: tls });
        config.certificate = Some(certificate);
        config.authorities = Some(authority);
        config.trunks[0].transport = Transport::Tls;
        config.trunks[0].protection = Protection::Required;
    })
    .await;
    room.address = tls;
    comes_back_whole(room, ";transport=tls").await;
}

#[tokio::test]
async fn protected_audio_flows_both_ways() {
    comes_back_whole(Room::new(Options { is_protected: true, ..Options::default() }, |_| {}).await, "").await;
}

#[tokio::test]
async fn a_telephone_that_takes_only_reliable_provisional_answers_is_answered() {
    comes_back_whole(Room::new(Options { is_reliable: true, ..Options::default() }, |_| {}).await, "").await;
}

#[tokio::test]
async fn a_telephone_that_has_asked_a_colleague_gives_them_the_call() {
    let room = Room::new(Options::default(), |_| {}).await;
    let colleague = Phone::start(Options { user: "+4915735550199".into(), ..Options::default() }).await;
    room.phone.tell(&format!("call sip:+4940555000@{}", room.address)).await;
    room.phone.next("up", 0, LONG).await;
    room.phone.tell(&format!("call sip:+4915735550199@{}", colleague.host())).await;
    colleague.next("incoming", 0, LONG).await;
    colleague.tell("answer 200").await;
    room.phone.until(LONG, "both are up", |phone| (phone.last("up")?["call"] == 1).then_some(())).await;
    room.phone.tell("join").await;
    colleague.until(LONG, "the colleague has the call", |phone| (phone.last("up")?["call"] == 1).then_some(())).await;
    room.phone
        .until(LONG, "who gave it away is let go", |phone| (phone.last("over")?["call"] == 0).then_some(()))
        .await;
    colleague.tell("tone").await;
    room.spoke(FRAMES_SPOKEN).await;
    colleague.tell("hang_up").await;
    let seen = room.office.until("the call is over", Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    assert_eq!(seen.invites.len(), 1, "the owner goes on with the same call");
    let heard = colleague.quit().await;
    assert!(heard.loud >= 100, "{} frames of the tone came back to the colleague", heard.loud);
}

/// From how low to how high the rising tone goes, and for how long.
const RISE_HZ: (f64, f64) = (500.0, 6_500.0);
const RISE_SECS: f64 = 3.0;
/// How often.
const RISES: u32 = 4;

/// A tone that rises: each moment has its own pitch, and the highest are those that a telephone line does not carry.
fn rising(file: &std::path::Path, sample_rate: u32, channels: u16) {
    let spec = hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(file, spec).unwrap();
    let slope = (RISE_HZ.1 - RISE_HZ.0) / RISE_SECS;
    // Silence behind it: a telephone whose recording ends might hang up.
    for n in 0..sample_rate * 18 {
        let at = f64::from(n) / f64::from(sample_rate);
        let t = at % RISE_SECS;
        let phase = std::f64::consts::TAU * (RISE_HZ.0 + slope * t / 2.0) * t;
        let sample = if at < RISE_SECS * f64::from(RISES) { (12_000.0 * phase.sin()) as i16 } else { 0 };
        (0..channels).for_each(|_| wav.write_sample(sample).unwrap());
    }
    wav.finalize().unwrap();
}

/// Of every 20 ms of a recording in which something is heard: when, and its pitch.
fn pitches(file: &std::path::Path) -> Vec<(f64, f64)> {
    let mut wav = hound::WavReader::open(file).unwrap();
    let (rate, channels) = (f64::from(wav.spec().sample_rate), usize::from(wav.spec().channels));
    let left = wav.samples::<i16>().step_by(channels).map_while(Result::ok);
    let pcm: Vec<f64> = left.map(f64::from).collect();
    let pitch = |(n, frame): (usize, &[f64])| {
        let is_loud = (frame.iter().map(|one| one * one).sum::<f64>() / frame.len() as f64).sqrt() > 1_500.0;
        let crossings = frame.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
        is_loud.then_some((n as f64 * 0.02, crossings as f64 * 25.0))
    };
    pcm.chunks_exact((rate * 0.02) as usize).enumerate().filter_map(pitch).collect()
}

/// A telephone that speaks one codec says the rising tone and hears it come back.
async fn what_comes_back(codec: &'static str, change: impl FnOnce(&mut Config)) -> Vec<(f64, f64)> {
    let room = Room::new(Options { codec, ..Options::default() }, change).await;
    let said = room.phone.folder().join("rising.wav");
    rising(&said, 16_000, 1);
    room.phone.tell(&format!("call sip:+4940555000@{}", room.address)).await;
    let spoken = room.phone.next("codec", 0, LONG).await;
    assert!(codec.to_lowercase().starts_with(&spoken["name"].as_str().unwrap().to_lowercase()), "{codec}: {spoken}");
    room.phone.tell(&format!("say {}", said.display())).await;
    room.phone.until(LONG, "it is heard to its end", |phone| phone.sounds().first()?.to_ms).await;
    // A key within audio of any clock.
    room.phone.tell("keys 7").await;
    room.office.until("the key arrives", |seen| seen.words.iter().any(|word| word == "dtmf 7")).await;
    room.phone.until(LONG, "the key comes back", |phone| (phone.keys() == "7").then_some(())).await;
    room.phone.tell("hang_up").await;
    let seen = room.office.until("the call is over", Seen::is_over).await;
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert_eq!(quality.lost, 0, "{quality:?}");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("heard.wav");
    room.phone.quit_with(&file).await;
    pitches(&file)
}

/// The tone from one pitch to another was heard, and rose. A machine that does much else holds packets up for long, and what is
/// not there in time is not heard; so it rises several times, while the codecs' own tests are exact.
fn assert_rises(codec: &str, heard: &[(f64, f64)], (low, high): (f64, f64)) {
    const STEP_HZ: f64 = 200.0;
    let steps = ((high - low) / STEP_HZ) as usize;
    let step_of = |pitch: f64| ((pitch - low) / STEP_HZ) as usize;
    let within: Vec<f64> = heard.iter().map(|(_, pitch)| *pitch).filter(|pitch| (low..high).contains(pitch)).collect();
    let found = (0..steps).filter(|step| within.iter().any(|pitch| step_of(*pitch) == *step)).count();
    assert!(found + 2 >= steps, "{codec}: {found} of {steps} steps: {heard:?}");
    let falls = within.windows(2).filter(|pair| pair[1] + STEP_HZ < pair[0]).count();
    assert!(falls * 5 <= within.len(), "{codec}: it fell {falls} times: {heard:?}");
}

#[tokio::test]
async fn a_telephone_that_speaks_wideband_hears_all_of_it() {
    assert_rises("G722", &what_comes_back("G722/16000", |_| {}).await, (600.0, 6_000.0));
}

#[tokio::test]
async fn a_telephone_that_speaks_opus_hears_all_of_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let said = folder.path().join("rising.wav");
    rising(&said, 48_000, 2);
    // So many frames, then the owner is done with the line.
    let office = Office::new(Manners { frames_max: 650, ..Manners::default() });
    let (_endpoint, address) = endpoint(&office, |_| {}).await;
    let mut phone = Baresip::calls(&format!("sip:+4940555000@{address}"), "+4915735550123", "opus/48000/2", &said);
    let heard = pitches(&phone.heard().await);
    assert_rises("opus", &heard, (600.0, 6_000.0));
    let seen = office.until("the call is over", Seen::is_over).await;
    assert!(seen.words[0].ends_with(" 16000"), "{:?}", seen.words);
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert_eq!(quality.lost, 0, "{quality:?}");
}

#[tokio::test]
async fn a_telephone_that_speaks_the_telephone_band_hears_all_of_that() {
    for codec in ["PCMU/8000", "PCMA/8000"] {
        let heard = what_comes_back(codec, |_| {}).await;
        assert_rises(codec, &heard, (600.0, 3_000.0));
        let beyond = heard.iter().filter(|(_, pitch)| *pitch > 4_200.0).count();
        assert!(beyond * 10 <= heard.len(), "{codec}: {heard:?}");
    }
}

#[tokio::test]
async fn the_order_of_a_trunk_decides_what_a_telephone_with_all_codecs_speaks() {
    for (codecs, spoken) in [(vec![Codec::G722, Codec::Opus], "G722"), (vec![Codec::Pcma], "PCMA")] {
        let room = Room::new(Options::default(), |config| {
            config.trunks[0].codecs = codecs;
            config.trunks[0].preference = Preference::Ours;
        })
        .await;
        room.calls("").await;
        assert_eq!(room.phone.next("codec", 0, LONG).await["name"], spoken);
        room.spoke(20).await;
        room.ends().await;
    }
}
