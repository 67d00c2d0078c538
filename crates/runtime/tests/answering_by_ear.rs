//! The written openings as sound: spoken by the on-device voice, sent through a telephone codec, heard by the detectors
//! and the on-device recogniser that a call has. They need their models: `cargo xtask models` fetches them.
//! `cargo test -p runtime --test answering_by_ear -- --ignored --nocapture` runs it.

use base::CallTime;
use engine::answering::{Answering, Decision, Finding, Heard};
use engine::io::LineTone;
use local::models::ModelDir;
use local::speech::{NeuralVad, Recognizer, Synthesizer};
use media::line_tones::{LineTone as Told, ToneDetector};
use media::listener::{self, Listener, Settings};
use media::tone::{ComfortNoise, Tone};
use media::vad::Event;
use media::{Law, Resampler, ms_to_samples};
use model::journal::Party;
use std::time::Instant;

const RATE_HZ: u32 = 8_000;
const FRAME: usize = 160;
/// The recogniser decodes again after this much more speech, and takes this long.
const PARTIAL_EVERY_MS: u64 = 500;
const DECODE_MS: u64 = 100;
const PREROLL_MS: u64 = 400;

const ENGLISH: [&str; 2] =
    [include_str!("../../../fixtures/answering/english.tsv"), include_str!("../../../fixtures/answering/held_out.tsv")];

struct Studio {
    voice: Synthesizer,
    ears: Recognizer,
    vad: NeuralVad,
}

impl Studio {
    /// `None`, said aloud, where the models are not there.
    fn open() -> Option<Self> {
        let models = ModelDir::locate().ok()?;
        match (Synthesizer::load(&models), Recognizer::load(&models), NeuralVad::load(&models)) {
            (Ok(voice), Ok(ears), Ok(vad)) => Some(Self { voice, ears, vad }),
            _ => {
                eprintln!("no models in {}: skipped", models.path().display());
                None
            }
        }
    }

    fn says(&self, text: &str) -> Vec<i16> {
        let speech = self.voice.synthesize(text).expect("models and fixtures are in order");
        let first = speech.pcm.iter().position(|sample| sample.unsigned_abs() > 300).unwrap_or(0);
        let last = speech.pcm.iter().rposition(|sample| sample.unsigned_abs() > 300).unwrap_or(0);
        resampled(&speech.pcm[first..=last], speech.sample_rate_hz, RATE_HZ)
    }

    /// The opening as it comes down the line; `None` for what only a written test can hold.
    fn line(&self, heard: &str) -> Option<Vec<i16>> {
        let mut pcm: Vec<i16> = Vec::new();
        for part in heard.split('|').map(str::trim) {
            let (time, what) = part.split_once(' ')?;
            let secs = |text: &str| {
                (text.parse::<f64>().expect("models and fixtures are in order") * f64::from(RATE_HZ)) as usize
            };
            let from = match time.strip_prefix('+') {
                Some(gap) => pcm.len() + secs(gap),
                None => secs(time).max(pcm.len()),
            };
            pcm.resize(from, 0);
            match what.strip_prefix('[') {
                Some(tone) => pcm.extend(tone_sound(tone.trim_end_matches(']'))),
                None => pcm.extend(self.says(what)),
            }
        }
        pcm.resize(pcm.len() + RATE_HZ as usize * 3, 0);
        let mut noise = vec![0; pcm.len()];
        ComfortNoise::new(-52.0, 7).fill(&mut noise);
        pcm.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = sample.saturating_add(noise));
        let (mut wire, mut back) = (Vec::new(), Vec::new());
        Law::Ulaw.encode(&pcm, &mut wire);
        Law::Ulaw.decode(&wire, &mut back);
        Some(back)
    }
}

fn resampled(pcm: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let mut out = Vec::new();
    let mut resampler = Resampler::new(from_hz, to_hz).expect("models and fixtures are in order");
    resampler.process(pcm, &mut out);
    resampler.flush(&mut out);
    out
}

fn tone_sound(name: &str) -> Vec<i16> {
    let notes: &[(f64, u64)] = match name {
        "beep" => &[(1_000.0, 400)],
        "fax-calling" => &[(1_100.0, 500)],
        "fax-answering" => &[(2_100.0, 2_600)],
        "special-information" => &[(950.0, 330), (1_400.0, 330), (1_800.0, 330)],
        other => panic!("no tone {other}"),
    };
    let mut pcm = Vec::new();
    for &(hz, ms) in notes {
        let mut note = vec![0; ms_to_samples(ms, RATE_HZ) as usize];
        Tone::sine(RATE_HZ, hz, -12.0).fill(&mut note);
        pcm.extend(note);
    }
    pcm
}

/// The recogniser of a call: decodes what was said since the onset, again and again.
struct Words<'s> {
    studio: &'s Studio,
    line: &'s [i16],
    from: Option<usize>,
    decoded: usize,
    /// Words on their way, and when they arrive.
    due: Vec<(u64, String, bool)>,
}

impl Words<'_> {
    fn decode(&mut self, to: usize, at_ms: u64, is_final: bool) {
        let Some(from) = self.from else { return };
        let text = self
            .studio
            .ears
            .recognize(&resampled(&self.line[from..to], RATE_HZ, 16_000))
            .expect("models and fixtures are in order");
        self.decoded = to;
        if is_final {
            self.from = None;
        }
        self.due.push((at_ms + DECODE_MS, text, is_final));
    }

    fn on(&mut self, to: usize, at_ms: u64) {
        if self.from.is_some() && to - self.decoded >= ms_to_samples(PARTIAL_EVERY_MS, RATE_HZ) as usize {
            self.decode(to, at_ms, false);
        }
    }
}

fn told(tone: Told) -> LineTone {
    match tone {
        Told::Beep => LineTone::Beep,
        Told::FaxCalling => LineTone::FaxCalling,
        Told::FaxAnswering => LineTone::FaxAnswering,
        Told::SpecialInformation => LineTone::SpecialInformation,
        Told::CallProgress => LineTone::CallProgress,
    }
}

/// Listens to a line and gives every decision.
fn listen(studio: &Studio, line: &[i16]) -> (Vec<(u64, Decision)>, Vec<LineTone>) {
    let settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: true };
    let mut listener = Listener::new(RATE_HZ, settings).expect("models and fixtures are in order");
    let mut neural = studio.vad.session(RATE_HZ).expect("models and fixtures are in order");
    let (mut tones, mut answering) = (ToneDetector::new(RATE_HZ), Answering::new(CallTime(0)));
    let mut words = Words { studio, line, from: None, decoded: 0, due: Vec::new() };
    let (mut decided, mut heard_tones) = (Vec::new(), Vec::new());
    for (n, frame) in line.chunks_exact(FRAME).enumerate() {
        let (to, now) = ((n + 1) * FRAME, (n as u64 + 1) * 20);
        let mut events = Vec::new();
        listener.hear(
            frame,
            |frame| neural.push(frame),
            |heard| {
                if let listener::Heard::Speech(event) = heard {
                    events.push(event);
                }
            },
        );
        if let Some(tone) = tones.push(frame) {
            heard_tones.push(told(tone));
            answering.hear(CallTime(now), Heard::Tone(told(tone)));
        }
        for event in events {
            match event {
                Event::SpeechStarted => {
                    words.from = Some(to.saturating_sub(ms_to_samples(PREROLL_MS, RATE_HZ) as usize));
                    words.decoded = to;
                    answering.hear(CallTime(now), Heard::SpeechStarted);
                }
                Event::SpeechStopped { silence_ms } => {
                    answering.hear(CallTime(now), Heard::SpeechStopped { silence_ms });
                    words.decode(to, now, true);
                }
                Event::Lull { .. } => {}
            }
        }
        words.on(to, now);
        let (due, later) = std::mem::take(&mut words.due).into_iter().partition(|(at, ..)| *at <= now);
        words.due = later;
        for (_, text, is_final) in due {
            let heard = if is_final { Heard::Final(&text) } else { Heard::Partial(&text) };
            answering.hear(CallTime(now), heard);
        }
        while answering.next_deadline().is_some_and(|(at, _)| at.0 <= now) {
            answering.handle_timeout(CallTime(now));
        }
        while let Some(finding) = answering.poll() {
            if let Finding::Answered(decision) = finding {
                decided.push((now, decision));
            }
        }
    }
    (decided, heard_tones)
}

#[test]
#[ignore = "speaks and hears ninety openings, which takes minutes"]
fn openings_are_told_apart_by_ear() {
    let Some(studio) = Studio::open() else { return };
    let (mut count, mut first, mut kind, mut settled, mut people, mut lost) = (0, 0, 0, 0, 0, Vec::new());
    let began = Instant::now();
    for line in ENGLISH.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')) {
        let [id, party, heard] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three fields: {line}") };
        let speaks_english =
            heard.is_ascii() && !id.starts_with("x-h-de") && !id.contains("-de") && !id.contains("-hi-");
        let Some(sound) = studio.line(heard).filter(|_| speaks_english) else { continue };
        let party: Party = serde_json::from_value(party.into()).expect("models and fixtures are in order");
        let (decided, tones) = listen(&studio, &sound);
        let has_tone = heard.contains('[');
        assert!(has_tone || tones.is_empty(), "{id}: {tones:?} in a voice");
        let is_right = |seen: Option<&(u64, Decision)>| seen.is_some_and(|(_, decision)| decision.party == party);
        let is_kind = |party: Party| party == Party::Human;
        count += 1;
        first += u32::from(is_right(decided.first()));
        kind += u32::from(decided.first().is_some_and(|(_, d)| is_kind(d.party) == is_kind(party)));
        settled += u32::from(is_right(decided.last()));
        if party == Party::Human {
            people += 1;
            let last = decided.last().map(|(_, decision)| decision.party);
            if !matches!(last, Some(Party::Human | Party::Screening) | None) {
                lost.push(id);
            }
        }
        if !is_right(decided.first()) || !is_right(decided.last()) {
            let seen: Vec<_> =
                decided.iter().map(|(at, d)| format!("{} ({}) at {at}", d.party.name(), d.reason.name())).collect();
            println!("{id}: {} was {} {tones:?}", party.name(), seen.join(", then "));
        }
        assert!(decided.iter().take(1).all(|(_, first)| first.after_ms <= 3_000), "{id}: {decided:?}");
    }
    println!(
        "{count} openings in {:.0} s: first decision person or machine {kind}, right party {first}; settled {settled}; \
         people lost {} of {people}",
        began.elapsed().as_secs_f32(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert!(f64::from(kind) >= 0.9 * f64::from(count) && f64::from(settled) >= 0.9 * f64::from(count));
}
