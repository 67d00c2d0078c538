//! What the ears of a call make of a recording:
//! `cargo run -p media --example hear -- call.wav [echo DB DELAY_MS] [noise DBFS] [unguarded] [denoise]`
//!
//! The first channel is the caller, the second, if there is one, the agent. An echo of the agent and noise can be added to
//! the caller; every event is printed with its time.

use media::level::amplitude;
use media::listener::{Heard, Listener, Settings};
use media::tone::ComfortNoise;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("a WAV file is needed")?;
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels.max(1));
    let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let mut caller: Vec<i16> = samples.chunks_exact(channels).map(|both| both[0]).collect();
    let agent: Vec<i16> = samples.chunks_exact(channels).map(|both| if channels > 1 { both[1] } else { 0 }).collect();
    let mut settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: false };
    while let Some(word) = args.next() {
        let mut number = || args.next().and_then(|value| value.parse::<f32>().ok()).ok_or("a number is missing");
        match word.as_str() {
            "echo" => add_echo(&mut caller, &agent, number()?, number()?, spec.sample_rate),
            "noise" => add_noise(&mut caller, number()?),
            "unguarded" => settings.echo_guard = false,
            "denoise" => settings.suppress_noise = true,
            other => return Err(format!("{other}: not echo, noise, unguarded or denoise").into()),
        }
    }
    listen(spec.sample_rate, settings, &caller, &agent)
}

fn add_echo(caller: &mut [i16], agent: &[i16], db: f32, delay_ms: f32, rate_hz: u32) {
    let delay = (delay_ms * rate_hz as f32 / 1_000.0) as usize;
    let gain = amplitude(db);
    for (n, sample) in caller.iter_mut().enumerate().skip(delay) {
        // A direct path and two reflections, 3 and 8 ms later.
        let at = |back: usize| n.checked_sub(delay + back).map_or(0.0, |n| f32::from(agent[n]));
        let ms = rate_hz as usize / 1_000;
        let back = at(0) * 0.85 - at(3 * ms) * 0.4 + at(8 * ms) * 0.3;
        *sample = sample.saturating_add((back * gain) as i16);
    }
}

fn add_noise(caller: &mut [i16], dbfs: f32) {
    let mut noise = vec![0; caller.len()];
    ComfortNoise::new(dbfs, 7).fill(&mut noise);
    caller.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = sample.saturating_add(noise));
}

fn listen(rate_hz: u32, settings: Settings, caller: &[i16], agent: &[i16]) -> Result<(), Box<dyn Error>> {
    let mut listener = Listener::new(rate_hz, settings)?;
    let frame = rate_hz as usize / 50;
    let mut out = agent.chunks_exact(frame);
    // The usual look-ahead of the pacer.
    out.by_ref().take(10).for_each(|frame| listener.played(frame));
    for (n, pcm) in caller.chunks_exact(frame).enumerate() {
        let at_ms = (n + 1) * 20;
        listener.hear(
            pcm,
            |_| None,
            |heard| match heard {
                Heard::Raw(_) | Heard::Clean(_) => {}
                Heard::Speech(event) => println!("{at_ms:>7} {event:?}"),
                Heard::Overlap(seen) => println!("{at_ms:>7}   {seen:.2?}"),
            },
        );
        if let Some(frame) = out.next() {
            listener.played(frame);
        }
    }
    Ok(())
}
