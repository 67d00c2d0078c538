use super::*;
use crate::test_audio::{AGENT, CALLER, come_back, mix, noise, silence, speak, telephone};

const RATE: u32 = 8_000;

/// What became of the caller's side.
struct Heard {
    pcm: Vec<i16>,
    shares: Vec<f32>,
    guard: EchoGuard,
}

impl Heard {
    /// The mean share of the frames in these milliseconds that are not silent.
    fn share(&self, ms: std::ops::Range<usize>, raw: &[i16]) -> f32 {
        let frames = ms.start / 20..ms.end / 20;
        let loud: Vec<f32> = frames
            .filter(|frame| level::rms_dbfs(&raw[frame * 160..(frame + 1) * 160]) > -45.0)
            .map(|frame| self.shares[frame])
            .collect();
        loud.iter().sum::<f32>() / loud.len().max(1) as f32
    }
}

/// A call in which `played` is handed over with the usual look-ahead while `heard` comes in.
fn call(rate: u32, played: &[i16], heard: &[i16]) -> Heard {
    let mut guard = EchoGuard::new(rate);
    let size = rate as usize / 50;
    let mut out = played.chunks_exact(size);
    out.by_ref().take(10).for_each(|frame| guard.played(frame));
    let (mut pcm, mut shares) = (Vec::new(), Vec::new());
    for frame in heard.chunks_exact(size) {
        let mut frame = frame.to_vec();
        shares.push(guard.hear(&mut frame));
        pcm.extend(frame);
        if let Some(frame) = out.next() {
            guard.played(frame);
        }
    }
    Heard { pcm, shares, guard }
}

fn db(pcm: &[i16], ms: std::ops::Range<usize>, rate: u32) -> f32 {
    level::rms_dbfs(&pcm[ms.start * rate as usize / 1_000..ms.end * rate as usize / 1_000])
}

fn agent(rate: u32, ms: u64) -> Vec<i16> {
    [speak(AGENT, rate, ms, -20.0), silence(rate, 1_000)].concat()
}

#[test]
fn the_own_voice_coming_back_is_known_and_taken_out() {
    for rate in [8_000, 16_000] {
        for (delay_ms, down) in [(40, -6.0), (180, -10.0), (330, -20.0), (470, -10.0)] {
            let played = agent(rate, 4_000);
            let heard = mix(come_back(rate, &played, delay_ms, down), &noise(rate, 5_000, -60.0));
            let told = call(rate, &played, &heard);
            let name = format!("{rate} Hz, {delay_ms} ms, {down} dB");
            let found = told.guard.delay_ms();
            assert!(found.is_some_and(|ms| ms.abs_diff(delay_ms) <= 3), "{name}: {found:?}");
            let at = |ms: usize| ms + delay_ms as usize;
            let loss = db(&heard, at(0)..at(4_000), rate) - db(&told.pcm, at(0)..at(4_000), rate);
            let late = db(&heard, at(1_000)..at(4_000), rate) - db(&told.pcm, at(1_000)..at(4_000), rate);
            assert!(loss > 14.0, "{name}: {loss} dB");
            assert!(late > if down < -15.0 { 14.0 } else { 24.0 }, "{name}: {late} dB");
        }
    }
}

#[test]
fn the_own_voice_is_explained_from_its_first_syllable() {
    let played = agent(RATE, 3_000);
    let heard = telephone(&mix(come_back(RATE, &played, 180, -10.0), &noise(RATE, 4_000, -58.0)));
    let told = call(RATE, &telephone(&played), &heard);
    assert!(told.share(180..3_180, &heard) > 0.8, "{}", told.share(180..3_180, &heard));
    assert!(told.share(280..600, &heard) > 0.8, "{}", told.share(280..600, &heard));
}

#[test]
fn a_caller_who_speaks_at_the_same_time_is_heard() {
    for (down, caller_dbfs) in [(-10.0, -22.0), (-10.0, -30.0), (-20.0, -30.0)] {
        let played = agent(RATE, 5_000);
        let caller = [silence(RATE, 2_500), speak(CALLER, RATE, 1_500, caller_dbfs), silence(RATE, 2_000)].concat();
        let line = mix(come_back(RATE, &played, 180, down), &noise(RATE, 6_000, -60.0));
        let heard = telephone(&mix(line, &caller));
        let told = call(RATE, &played, &heard);
        let loss = db(&caller, 2_500..4_000, RATE) - db(&told.pcm, 2_500..4_000, RATE);
        assert!(loss.abs() < 3.0, "echo {down}, caller {caller_dbfs}: {loss}");
        assert!(told.share(1_000..2_500, &heard) > 0.9);
        let after = told.share(4_000..5_150, &heard);
        assert!(after > 0.9, "the guard forgot the way back: {after}");
    }
}

#[test]
fn a_caller_who_speaks_before_the_echo_is_known_is_heard() {
    let played = agent(RATE, 3_000);
    let caller = [speak(CALLER, RATE, 3_000, -20.0), silence(RATE, 1_000)].concat();
    let heard = mix(mix(come_back(RATE, &played, 120, -15.0), &caller), &noise(RATE, 4_000, -60.0));
    let told = call(RATE, &played, &heard);
    let loss = db(&caller, 100..3_000, RATE) - db(&told.pcm, 100..3_000, RATE);
    assert!(loss.abs() < 3.0, "{loss}");
    assert!(told.share(0..3_000, &heard) < 0.4, "{}", told.share(0..3_000, &heard));
}

#[test]
fn a_line_without_echo_is_left_alone() {
    let played = agent(RATE, 6_000);
    let caller = [silence(RATE, 500), speak(CALLER, RATE, 5_500, -24.0), silence(RATE, 1_000)].concat();
    let heard = mix(caller, &noise(RATE, 7_000, -50.0));
    let told = call(RATE, &played, &heard);
    assert_eq!(told.guard.delay_ms(), None);
    assert_eq!(told.pcm, heard);
    assert!(told.share(500..6_000, &heard) < 0.1, "{}", told.share(500..6_000, &heard));
}

#[test]
fn every_utterance_is_guarded_though_it_begins_at_another_moment_of_a_frame() {
    let played = [agent(RATE, 2_500), agent(RATE, 2_500), agent(RATE, 2_500)].concat();
    let mut heard = come_back(RATE, &played, 150, -12.0);
    // The second comes 7 ms later, the third 9 ms earlier.
    let third: Vec<i16> = heard[57_000..].to_vec();
    heard.truncate(29_000);
    heard.extend([0; 56]);
    heard.extend(&come_back(RATE, &played, 150, -12.0)[29_000..56_872]);
    heard.extend(third);
    heard.resize(played.len(), 0);
    let heard = mix(heard, &noise(RATE, 10_500, -60.0));
    let told = call(RATE, &played, &heard);
    for from in [150, 3_650, 7_150] {
        assert!(told.share(from..from + 2_500, &heard) > 0.8, "{from}: {}", told.share(from..from + 2_500, &heard));
    }
}

#[test]
fn what_was_thrown_away_is_no_echo() {
    let played = agent(RATE, 3_000);
    let mut guard = EchoGuard::new(RATE);
    played.chunks_exact(160).take(40).for_each(|frame| guard.played(frame));
    assert!(guard.is_agent_audible());
    guard.stopped();
    let mut quiet = noise(RATE, 600, -60.0);
    quiet.chunks_exact_mut(160).for_each(|frame| {
        guard.hear(frame);
    });
    assert!(!guard.is_agent_audible());
    assert_eq!(quiet, noise(RATE, 600, -60.0));
}

#[test]
fn frames_of_another_size_pass_untouched() {
    let mut guard = EchoGuard::new(RATE);
    guard.played(&speak(AGENT, RATE, 200, -20.0));
    let mut odd = speak(AGENT, RATE, 33, -20.0);
    let before = odd.clone();
    assert_eq!(guard.hear(&mut odd), 0.0);
    assert_eq!(odd, before);
}
