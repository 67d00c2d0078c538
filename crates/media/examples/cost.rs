//! What each block costs on one 20 ms frame, in nanoseconds and in copies of a frame: a ratio compares machines better
//! than a time does. `cargo run -p media --release --example cost`

use base::{MarkId, UtteranceId};
use media::dtmf::DtmfDetector;
use media::jitter::{JitterBuffer, JitterConfig};
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
