//! One session and one peer over a wire of their own, in a time of their own.

use crate::peer::{FRAME, Peer, moment_ms, rising_tone};
use base::wire::Wire;
use media::opus::Heard;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use webrtc::offer::{Identity, OfferError};
use webrtc::session::{Cause, Output, Session};

const STEP: Duration = Duration::from_millis(5);

/// What the network does to a datagram.
#[derive(Clone, Copy)]
struct Weather {
    loss_percent: u64,
    jitter_ms: u64,
}

const FINE: Weather = Weather { loss_percent: 0, jitter_ms: 1 };
const ROUGH: Weather = Weather { loss_percent: 5, jitter_ms: 50 };

struct World {
    now: Instant,
    began: Instant,
    session: Session,
    peer: Peer,
    ours: SocketAddr,
    theirs: SocketAddr,
    /// Arrival, whether to us, datagram.
    wire: Vec<(Instant, bool, Vec<u8>)>,
    weather: Weather,
    dice: u64,
    texts: Vec<String>,
    frames: Vec<Vec<i16>>,
    ended: Option<Cause>,
}

impl World {
    fn new() -> Self {
        let (ours, theirs) = ("203.0.113.5:40000".parse().unwrap(), "198.51.100.7:50000".parse().unwrap());
        let began = Instant::now();
        let (mut peer, offer) = Peer::new(began, theirs);
        let identity = Identity::new(vec![ours]).unwrap();
        let (session, answer) = Session::accept(identity, began, &offer).unwrap();
        assert!(answer.contains("a=ice-lite") && answer.contains("useinbandfec=1"), "{answer}");
        peer.answered(began, &answer);
        Self {
            now: began,
            began,
            session,
            peer,
            ours,
            theirs,
            wire: Vec::new(),
            weather: FINE,
            dice: 7,
            texts: Vec::new(),
            frames: Vec::new(),
            ended: None,
        }
    }

    fn connected() -> Self {
        let mut world = Self::new();
        world.run_until(3_000, |world| world.peer.is_open && world.session.is_connected());
        world.peer.say(world.now, r#"{"type":"start","agent":"shop","token":null}"#);
        world.run_until(500, |world| !world.texts.is_empty());
        world
    }

    fn ms(&self) -> u64 {
        self.now.duration_since(self.began).as_millis() as u64
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides.max(1)
    }

    fn post(&mut self, to_us: bool, datagram: Vec<u8>) {
        if self.roll(100) >= self.weather.loss_percent {
            let delay = Duration::from_millis(10 + self.roll(self.weather.jitter_ms));
            self.wire.push((self.now + delay, to_us, datagram));
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        self.wire.sort_by_key(|(at, ..)| *at);
        while self.wire.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, to_us, datagram) = self.wire.remove(0);
            if to_us {
                self.session.handle_datagram(now, self.theirs, &datagram);
            } else {
                self.peer.handle(now, self.ours, &datagram);
            }
        }
        if now >= self.session.next_deadline() {
            self.session.handle_timeout(now);
        }
        self.peer.tick(now);
        while let Some((_, datagram)) = self.peer.outbox.pop_front() {
            self.post(true, datagram);
        }
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send { datagram, .. } => self.post(false, datagram),
                Output::Text(text) => self.texts.push(text),
                Output::Audio(bytes) => {
                    let samples = bytes.as_chunks::<2>().0;
                    self.frames.push(samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect());
                }
                Output::Ended(cause) => self.ended = Some(cause),
            }
        }
    }

    fn run_until(&mut self, ms_max: u64, is_done: impl Fn(&Self) -> bool) {
        let until = self.ms() + ms_max;
        while !is_done(self) {
            assert!(self.ms() < until, "not within {ms_max} ms: {:?} {:?}", self.texts, self.peer.texts);
            self.step();
        }
    }

    fn run(&mut self, ms: u64) {
        let until = self.ms() + ms;
        while self.ms() < until {
            self.step();
        }
    }

    /// The host sends audio, as it does: a frame at a time, some frames ahead.
    fn host_says(&mut self, pcm: &[i16]) {
        let bytes = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.session.handle_host(self.now, Wire::Binary(bytes));
    }

    fn host_writes(&mut self, text: &str) {
        self.session.handle_host(self.now, Wire::Text(text.into()));
    }
}

/// How many frames of what was heard are none of the tone, by how many milliseconds what is heard runs ahead of or behind the
/// tone's own time at most, and how many frames were looked at. Single frames are measured roughly, so the middle of nine
/// counts. The first 20 frames that carry the tone are left out: the jitter buffer finds its depth.
fn judge(frames: &[Vec<i16>]) -> (usize, f64, usize) {
    let moments: Vec<Option<f64>> = frames.iter().map(|frame| moment_ms(frame)).collect();
    let first = moments.iter().position(Option::is_some).unwrap() + 20;
    let last = moments.iter().rposition(Option::is_some).unwrap();
    let heard = &moments[first..=last];
    let gaps = heard.iter().filter(|moment| moment.is_none()).count();
    let offsets: Vec<f64> =
        heard.iter().enumerate().filter_map(|(n, moment)| moment.map(|moment| moment - n as f64 * 20.0)).collect();
    let middles = offsets.windows(9).map(|window| {
        let mut window = window.to_vec();
        window.sort_by(f64::total_cmp);
        window[4]
    });
    let (least, most) = middles.fold((f64::MAX, f64::MIN), |(least, most), one| (least.min(one), most.max(one)));
    (gaps, most - least, heard.len())
}

#[test]
fn words_go_both_ways_as_they_are() {
    let mut world = World::connected();
    assert_eq!(world.texts, [r#"{"type":"start","agent":"shop","token":null}"#]);
    let event = r#"{"type":"live","at":12,"event":"phase","phase":"thinking"}"#;
    world.host_writes(event);
    world.peer.say(world.now, r#"{"type":"dtmf","digit":"5"}"#);
    world.run_until(500, |world| world.peer.texts.len() == 1 && world.texts.len() == 2);
    assert_eq!((world.peer.texts[0].as_str(), world.texts[1].as_str()), (event, r#"{"type":"dtmf","digit":"5"}"#));
}

#[test]
fn both_sides_hear_each_other_without_gap_or_repetition() {
    for weather in [FINE, ROUGH] {
        let mut world = World::connected();
        world.weather = weather;
        world.frames.clear();
        let tone = rising_tone(6_000);
        let mut at_peer = Vec::new();
        let mut given = Vec::new();
        for frame in tone.chunks_exact(FRAME) {
            world.host_says(frame);
            world.peer.speak(world.now, frame);
            world.run(20);
            let (heard, pcm) = world.peer.listen(world.now);
            given.push(heard);
            at_peer.push(pcm);
        }
        // The buffer may deepen with the jitter; nothing else moves what is heard against time.
        let drift_ms_max = if weather.loss_percent > 0 { 100.0 } else { 60.0 };
        let (gaps, drift_ms, count) = judge(&at_peer);
        assert!(
            count > 250 && gaps <= 3 && drift_ms < drift_ms_max,
            "peer: {gaps}, {drift_ms} ms of {count} {given:?}"
        );
        let (gaps, drift_ms, count) = judge(&world.frames);
        assert!(count > 250 && gaps <= 3 && drift_ms < drift_ms_max, "host: {gaps}, {drift_ms} ms of {count}");
        let quality = world.session.quality();
        if weather.loss_percent > 0 {
            let lost = quality.recovered + quality.concealed;
            assert!(quality.recovered * 2 > lost, "most of what was lost came back: {quality:?}");
        } else {
            assert!(!given[20..].contains(&Heard::Concealed), "{given:?}");
        }
    }
}

#[test]
fn an_interruption_leaves_nothing_but_what_is_on_its_way() {
    let mut world = World::connected();
    let tone = rising_tone(2_000);
    world.host_says(&tone[..FRAME * 50]);
    world.host_writes(r#"{"type":"mark","id":1}"#);
    for _ in 0..20 {
        world.run(20);
        world.peer.listen(world.now);
    }
    assert!(world.session.waiting() > 20);
    world.host_writes(r#"{"type":"clear"}"#);
    assert_eq!(world.session.waiting(), 0);
    let mut loud_after = 0;
    for _ in 0..50 {
        world.run(20);
        let (_, pcm) = world.peer.listen(world.now);
        loud_after += usize::from(moment_ms(&pcm).is_some());
    }
    // What the peer's jitter buffer holds (80 ms at most here), what the wire does, and the frame at work.
    assert!(loud_after <= 6, "{loud_after} frames were heard after the interruption");
    assert!(!world.texts.iter().any(|text| text.contains("mark")), "{:?}", world.texts);
}

#[test]
fn a_mark_comes_back_when_its_audio_was_heard() {
    let mut world = World::connected();
    world.peer.say(world.now, r#"{"type":"playout","ms":60}"#);
    world.run(50);
    world.host_says(&rising_tone(500));
    world.host_writes(r#"{"type":"mark","id":9}"#);
    let from = world.ms();
    world.run_until(1_000, |world| world.texts.iter().any(|text| text == r#"{"type":"mark","id":9}"#));
    let took = world.ms() - from;
    assert!((540..=640).contains(&took), "{took} ms for 500 ms of audio and 60 ms to the ear");
}

#[test]
fn the_interrupt_button_silences_at_once_and_is_told_on() {
    let mut world = World::connected();
    world.host_says(&rising_tone(1_000));
    world.run(100);
    world.peer.say(world.now, r#"{"type":"interrupt"}"#);
    world.run_until(200, |world| world.texts.iter().any(|text| text.contains("interrupt")));
    assert_eq!(world.session.waiting(), 0);
    world.host_says(&rising_tone(200));
    assert_eq!(world.session.waiting(), 0, "what the host had under way is of the cut-off answer");
}

#[test]
fn a_host_that_closes_says_why_first() {
    let mut world = World::connected();
    world.session.handle_host(world.now, Wire::Close(4000, "over".into()));
    world.run_until(2_000, |world| world.ended.is_some());
    assert_eq!(
        (world.ended, world.peer.texts.last().map(String::as_str)),
        (Some(Cause::Host), Some(r#"{"type":"closed","code":4000,"reason":"over"}"#),)
    );
    world.run(200);
    assert!(world.peer.is_closed);
}

#[test]
fn a_peer_that_never_comes_or_falls_silent_is_let_go() {
    let (_, offer) = Peer::new(Instant::now(), "198.51.100.7:50000".parse().unwrap());
    let identity = Identity::new(vec!["203.0.113.5:40000".parse().unwrap()]).unwrap();
    let now = Instant::now();
    let (mut session, _) = Session::accept(identity, now, &offer).unwrap();
    let mut ended = None;
    while ended.is_none() {
        let at = session.next_deadline();
        assert!(at <= now + Duration::from_secs(20));
        session.handle_timeout(at);
        while let Some(output) = session.poll_output() {
            if let Output::Ended(cause) = output {
                ended = Some(cause);
            }
        }
    }
    assert_eq!(ended, Some(Cause::NotConnected));

    let mut world = World::connected();
    world.weather.loss_percent = 100;
    world.run_until(20_000, |world| world.ended.is_some());
    assert_eq!(world.ended, Some(Cause::Silent));
}

#[test]
fn datagrams_of_strangers_and_broken_ones_change_nothing() {
    let mut world = World::connected();
    let stranger: SocketAddr = "192.0.2.66:6666".parse().unwrap();
    for n in 0..2_000_u64 {
        let length = world.roll(200) as usize;
        let mut datagram: Vec<u8> = (0..length).map(|_| world.roll(256) as u8).collect();
        if let (Some(first), 0) = (datagram.first_mut(), n % 2) {
            *first = [0, 1, 20, 22, 23, 63, 128, 144, 200][(n / 2 % 9) as usize];
        }
        let source = if n % 3 == 0 { world.theirs } else { stranger };
        let taken = world.session.handle_datagram(world.now, source, &datagram);
        assert!(!taken || source == world.theirs);
    }
    world.peer.say(world.now, r#"{"type":"text","text":"still here"}"#);
    world.run_until(500, |world| world.texts.iter().any(|text| text.contains("still here")));
    assert_eq!(world.ended, None);
}

#[test]
fn an_offer_that_cannot_be_a_line_is_told_why() {
    let identity = Identity::new(vec!["203.0.113.5:40000".parse().unwrap()]).unwrap();
    let (_, offer) = Peer::new(Instant::now(), "198.51.100.7:50000".parse().unwrap());
    let refused = |offer: &str| match Session::accept(identity.clone(), Instant::now(), offer) {
        Ok(_) => panic!("accepted:\n{offer}"),
        Err(error) => error,
    };
    assert!(matches!(refused("v=0"), OfferError::NoChannel));
    assert!(matches!(refused("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"), OfferError::Malformed(_)));
    assert!(matches!(refused(&offer.replace("opus/48000", "speex/16000")), OfferError::NoAudio));
    assert!(matches!(refused(&offer.replace("a=sendrecv", "a=sendonly")), OfferError::NoAudio));
    let fingerprint = offer.lines().find(|line| line.starts_with("a=fingerprint")).unwrap();
    assert!(matches!(refused(&offer.replace(fingerprint, "a=x")), OfferError::Malformed(_)));
    let many = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(9);
    assert_eq!(refused(&format!("{offer}{many}")), OfferError::TooMany);
}
