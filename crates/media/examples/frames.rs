//! The audio of one call for so many frames of 20 ms, both ways, and nothing else: what an instruction counter is put on.
//! `cargo run -p media --release --example frames -- 1000`

use base::{MarkId, UtteranceId};
use media::listener::{Listener, Settings};
use media::recorder::{DualRecorder, Side};
use media::tone::ComfortNoise;
use media::{Law, Pacer, PlayoutBuffer};
use std::hint::black_box;
use std::io::Cursor;

const RATE_HZ: u32 = 8_000;
const FRAME: usize = 160;
/// The caller speaks for a second and a half of every five, the agent for two.
const ROUND_FRAMES: u64 = 250;
const CALLER_FRAMES: u64 = 75;
const AGENT_FROM: u64 = 100;
const AGENT_UNTIL: u64 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frames: u64 = std::env::args().nth(1).ok_or("how many frames?")?.parse()?;
    let settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: false };
    let mut listener = Listener::new(RATE_HZ, settings)?;
    let mut recorder = DualRecorder::new(Cursor::new(Vec::new()), RATE_HZ)?;
    let (mut playout, mut pacer) = (PlayoutBuffer::new(RATE_HZ), Pacer::default());
    let (mut room, mut voice) = (ComfortNoise::new(-60.0, 1), Voice::default());
    let (mut caller, mut agent) = (vec![0_i16; FRAME], vec![0_i16; FRAME]);
    let (mut line, mut heard, mut events) = (Vec::new(), Vec::new(), 0_u64);
    for frame in 0..frames {
        let (place, at_ms) = (frame % ROUND_FRAMES, frame * 20);
        room.fill(&mut caller);
        if place < CALLER_FRAMES {
            voice.add_to(&mut caller);
        }
        line.clear();
        Law::Ulaw.encode(&caller, &mut line);
        heard.clear();
        Law::Ulaw.decode(&line, &mut heard);
        listener.hear(
            &heard,
            |_| None,
            |told| {
                black_box(&told);
                events += 1;
            },
        );
        recorder.push_ms(Side::Caller, at_ms, &heard)?;
        if place == AGENT_FROM {
            playout.open(UtteranceId(frame));
        }
        if (AGENT_FROM..AGENT_UNTIL).contains(&place) {
            voice.fill(&mut agent);
            playout.push(&agent);
            for _ in 0..pacer.due(at_ms) {
                if !playout.is_ready(FRAME) {
                    break;
                }
                playout.pull(&mut agent);
                pacer.sent(at_ms, 1);
                listener.played(&agent);
                recorder.push_ms(Side::Agent, at_ms, &agent)?;
                line.clear();
                Law::Ulaw.encode(&agent, &mut line);
            }
            if place % 5 == 0 {
                playout.mark_sent(MarkId(frame));
                playout.played(MarkId(frame));
            }
        }
        if place == AGENT_UNTIL {
            playout.no_more();
            playout.stop();
            pacer.pause();
        }
    }
    println!("{frames} frames, {events} told, {} ms recorded", recorder.finish()?.written_ms);
    Ok(())
}

/// Pulses of a voice's pitch: for the ears that is speech.
#[derive(Default)]
struct Voice {
    at: u64,
}

impl Voice {
    fn next(&mut self) -> i16 {
        self.at += 1;
        let (since_pulse, syllable) = (self.at % 64, self.at % 2_000);
        let ring = 9_000.0 * (-(since_pulse as f32) / 12.0).exp() * (since_pulse as f32 * 0.55).sin();
        let loud = if syllable < 1_400 { 1.0 } else { 0.15 };
        (ring * loud) as i16
    }

    fn fill(&mut self, frame: &mut [i16]) {
        frame.fill_with(|| self.next());
    }

    fn add_to(&mut self, frame: &mut [i16]) {
        frame.iter_mut().for_each(|sample| *sample = sample.saturating_add(self.next()));
    }
}
