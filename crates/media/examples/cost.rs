//! What each block costs on one 20 ms frame, in nanoseconds and in copies of a frame: a ratio compares machines better
//! than a time does. `cargo run -p media --release --example cost`

use base::{MarkId, UtteranceId};
use media::ambience::{Bed, Place};
use media::dtmf::DtmfDetector;
use media::jitter::{JitterBuffer, JitterConfig};
use media::line_tones::ToneDetector;
use media::listener::{Listener, Settings};
use media::recorder::{DualRecorder, Side};
use media::tone::{ComfortNoise, Tone};
use media::{Framer, Law, Meter, Pacer, PlayoutBuffer, Resampler, l16, vad};
use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

const FRAME: usize = 160;
const ROUNDS: u32 = 2_000;
const REPEATS: usize = 15;

/// The fastest of several repeats, per round: what the machine does when nothing else disturbs it.
fn time(mut block: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..REPEATS {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| block());
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(ROUNDS));
    }
    best
}

fn pair(from_hz: u32, to_hz: u32) -> impl FnMut() {
    let mut resampler = Resampler::new(from_hz, to_hz).expect("both rates are in range");
    let mut input = vec![0; from_hz as usize / 50];
    ComfortNoise::new(-20.0, 1).fill(&mut input);
    let mut out = Vec::with_capacity(2_000);
    move || {
        out.clear();
        resampler.process(black_box(&input), &mut out);
        black_box(&out);
    }
}

fn main() {
    let mut speech = vec![0_i16; FRAME];
    ComfortNoise::new(-20.0, 1).fill(&mut speech);
    let mut copy = vec![0_i16; FRAME];
    let unit = time(|| {
        black_box(&mut copy).copy_from_slice(black_box(&speech));
        black_box(&copy);
    });
    println!("{:<34} {:>10} {:>10}", "one 20 ms frame at 8 kHz", "ns", "copies");
    let report = |name: &str, ns: f64| println!("{name:<34} {ns:>10.0} {:>10.0}", ns / unit);
    report("memcpy", unit);
    codecs(&speech, &report);
    for (from_hz, to_hz) in [
        (8_000, 16_000),
        (16_000, 8_000),
        (24_000, 8_000),
        (24_000, 16_000),
        (22_050, 8_000),
        (44_100, 16_000),
        (48_000, 16_000),
        (16_000, 48_000),
    ] {
        report(&format!("resample {from_hz} -> {to_hz}"), time(pair(from_hz, to_hz)));
    }
    buffers(&speech, &report);
    detectors(&speech, &report);
    ears();
}

fn codecs(speech: &[i16], report: &impl Fn(&str, f64)) {
    let (mut bytes, mut pcm) = (Vec::with_capacity(FRAME * 2), Vec::with_capacity(FRAME * 2));
    for (name, law) in [("u-law", Law::Ulaw), ("A-law", Law::Alaw)] {
        let encode = time(|| {
            bytes.clear();
            law.encode(black_box(speech), &mut bytes);
            black_box(&bytes);
        });
        report(&format!("{name} encode"), encode);
        let decode = time(|| {
            pcm.clear();
            law.decode(black_box(&bytes), &mut pcm);
            black_box(&pcm);
        });
        report(&format!("{name} decode"), decode);
    }
    let mut le = Vec::with_capacity(FRAME * 2);
    l16::encode_le(speech, &mut le);
    let decode = time(|| {
        pcm.clear();
        l16::decode_le(black_box(&le), &mut pcm);
        black_box(&pcm);
    });
    report("L16 decode", decode);
}

fn buffers(speech: &[i16], report: &impl Fn(&str, f64)) {
    let mut frame = [0; FRAME];
    let mut framer = Framer::new(FRAME);
    report(
        "framer",
        time(|| {
            framer.push(black_box(&speech[..FRAME]), |pcm| {
                black_box(pcm);
            })
        }),
    );
    let mut jitter = JitterBuffer::new(JitterConfig::for_rate(8_000));
    let mut n = 0_u32;
    report(
        "jitter buffer in + out",
        time(|| {
            jitter.insert(u64::from(n) * 20, n as u16, n.wrapping_mul(FRAME as u32), black_box(speech));
            black_box(jitter.pull(u64::from(n) * 20, &mut frame));
            n += 1;
        }),
    );
    let mut pacer = Pacer::default();
    let mut now = 0;
    report(
        "pacer",
        time(|| {
            let due = pacer.due(black_box(now));
            pacer.sent(now, due);
            now += 20;
        }),
    );
    for (name, ducked) in [("playout push + pull + mark", false), ("playout, ducked", true)] {
        let mut playout = PlayoutBuffer::new(8_000);
        playout.open(UtteranceId(1));
        if ducked {
            playout.duck();
        }
        let mut mark = MarkId(0);
        report(
            name,
            time(|| {
                playout.push(black_box(speech));
                black_box(playout.pull(&mut frame));
                mark = mark.next();
                playout.mark_sent(mark);
                black_box(playout.played(mark));
            }),
        );
    }
    let mut at = 0;
    let mut recorder = None;
    report(
        "recorder, both sides, to memory",
        time(|| {
            if at % (FRAME as u64 * 5_000) == 0 {
                recorder = DualRecorder::new(Cursor::new(Vec::with_capacity(4_000_000)), 8_000).ok();
                at = 0;
            }
            if let Some(recorder) = &mut recorder {
                let _ = black_box(recorder.push(Side::Caller, at, speech));
                let _ = black_box(recorder.push(Side::Agent, at, speech));
            }
            at += FRAME as u64;
        }),
    );
}

/// The whole way of the caller's audio. A call of one second is fifty frames, so 20 000 ns a frame is one thousandth of a
/// core.
fn ears() {
    let decode = decoded();
    println!("{:<34} {:>10} {:>10} {:>10}", "the ears of a call, per frame", "ns", "decodes", "millicores");
    let report = |name: &str, ns: f64| {
        println!("{name:<34} {ns:>10.0} {:>10.1} {:>10.2}", ns / decode, ns * 50.0 / 1e6);
    };
    report("u-law decode", decode);
    let settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: false };
    let (quiet, caller, agent) = (hiss(-60.0), babble(1, -22.0), babble(2, -20.0));
    let echo: Vec<i16> = agent.iter().map(|sample| sample / 4).collect();
    let both: Vec<i16> = echo.iter().zip(&caller).map(|(echo, caller)| echo.saturating_add(*caller)).collect();
    let late = [&vec![0; 1_440], &echo[..]].concat();
    let silent = vec![0; agent.len()];
    report("nobody speaks", chain(settings, &quiet, &silent));
    report("the caller speaks", chain(settings, &caller, &silent));
    report("the agent speaks, no echo", chain(settings, &quiet, &agent));
    report("the agent speaks, echo", chain(settings, &late, &agent));
    report("both speak, no echo", chain(settings, &caller, &agent));
    report("both speak, echo", chain(settings, &both, &agent));
    report(
        "... without echo guard and gain",
        chain(Settings { echo_guard: false, auto_gain: false, ..settings }, &both, &agent),
    );
    report("... with noise suppression", chain(Settings { suppress_noise: true, ..settings }, &both, &agent));
    let mut tones = ToneDetector::new(8_000);
    let mut frames = caller.chunks_exact(FRAME).cycle();
    report(
        "line tones (outbound only)",
        time(|| {
            black_box(frames.next().map(|frame| tones.push(frame)));
        }),
    );
    let mut frame = [0; FRAME];
    let (mut comfort, mut place) = (Bed::comfort(8_000, 1), Bed::place(8_000, Place::CallCentre, 1));
    report("comfort noise, mixed in", time(|| comfort.mix(black_box(&mut frame), false)));
    report("a place, mixed in", time(|| place.mix(black_box(&mut frame), false)));
}

fn decoded() -> f64 {
    let bytes = vec![0x55; FRAME];
    let mut pcm = Vec::with_capacity(FRAME);
    time(|| {
        pcm.clear();
        Law::Ulaw.decode(black_box(&bytes), &mut pcm);
        black_box(&pcm);
    })
}

/// Frames of both sides, over and over.
fn chain(settings: Settings, caller: &[i16], agent: &[i16]) -> f64 {
    let mut listener = Listener::new(8_000, settings).expect("8 kHz is in range");
    let mut frames = caller.chunks_exact(FRAME).zip(agent.chunks_exact(FRAME)).cycle();
    time(|| {
        if let Some((caller, agent)) = frames.next() {
            listener.played(agent);
            listener.hear(
                black_box(caller),
                |_| None,
                |heard| {
                    black_box(heard);
                },
            );
        }
    })
}

fn hiss(dbfs: f32) -> Vec<i16> {
    let mut pcm = vec![0; 8_000 * 4];
    ComfortNoise::new(dbfs, 3).fill(&mut pcm);
    pcm
}

/// Something with harmonics that move, in syllables.
fn babble(seed: u32, dbfs: f32) -> Vec<i16> {
    let gain = media::level::amplitude(dbfs) * 32_768.0;
    let mut phase = 0.0_f32;
    (0..8_000 * 4)
        .map(|n| {
            let at = n as f32 / 8_000.0;
            phase += (90.0 + 60.0 * seed as f32 + 20.0 * (at * 9.0).sin()) / 8_000.0;
            let syllable = (at * 12.0 + seed as f32).sin().max(0.0);
            let voice: f32 = (1..16).map(|k| (phase * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum();
            (voice * syllable * gain) as i16
        })
        .collect()
}

fn detectors(speech: &[i16], report: &impl Fn(&str, f64)) {
    let mut frame = [0; FRAME];
    let mut tone = Tone::sine(8_000, 440.0, -10.0);
    report("tone", time(|| tone.fill(black_box(&mut frame))));
    let mut noise = ComfortNoise::new(-60.0, 1);
    report("comfort noise", time(|| noise.fill(black_box(&mut frame))));
    let mut meter = Meter::default();
    report(
        "level meter",
        time(|| {
            black_box(meter.push(black_box(speech)));
        }),
    );
    let mut keys = DtmfDetector::new(8_000);
    report(
        "dtmf detector",
        time(|| {
            keys.push(black_box(speech), |key| {
                black_box(key);
            })
        }),
    );
    let mut detector = vad::Detector::new(vad::Config::default());
    for (name, pcm) in
        [("vad gate + detector, silence", vec![0; FRAME]), ("vad gate + detector, signal", speech.to_vec())]
    {
        let mut gate = vad::Gate::new(8_000).expect("8 kHz is in range");
        report(
            name,
            time(|| {
                black_box(detector.push(gate.push(black_box(&pcm))));
            }),
        );
    }
}
