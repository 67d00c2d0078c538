use super::*;
use crate::tone::{ComfortNoise, Tone};
use crate::{level, ms_to_samples};
use proptest::prelude::*;

/// Something like a voice: a gliding pitch with its harmonics through three moving resonances, in syllables.
fn voice(rate: u32, ms: u64, pitch_hz: f64) -> Vec<i16> {
    let samples = ms_to_samples(ms, rate) as usize;
    let mut phase = 0.0_f64;
    let raw: Vec<f64> = (0..samples)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            let pitch = pitch_hz * (1.0 + 0.15 * (2.3 * t * TAU).sin() + 0.03 * (5.1 * t * TAU).sin());
            phase += pitch / f64::from(rate);
            let syllable = (4.0 * t * std::f64::consts::PI).sin().abs().sqrt();
            let formants = [
                (500.0 + 250.0 * (3.1 * t * TAU).sin(), 90.0, 1.0),
                (1_500.0 + 450.0 * (2.2 * t * TAU).cos(), 120.0, 0.5),
                (2_500.0 + 150.0 * (1.3 * t * TAU).sin(), 180.0, 0.25),
            ];
            let harmonics = (1..=28).map(|n| pitch * f64::from(n)).take_while(|hz| *hz < 3_400.0);
            let sum: f64 = harmonics
                .map(|hz| {
                    let gain: f64 =
                        formants.iter().map(|(at, width, gain)| gain / (1.0 + ((hz - at) / width).powi(2))).sum();
                    gain * (phase * hz / pitch * TAU).sin()
                })
                .sum();
            sum * syllable
        })
        .collect();
    let rms = (raw.iter().map(|value| value * value).sum::<f64>() / samples as f64).sqrt();
    raw.iter().map(|value| (value * 2_300.0 / rms) as i16).collect()
}

fn quiet(rate: u32, ms: u64) -> Vec<i16> {
    vec![0; ms_to_samples(ms, rate) as usize]
}

fn tone(rate: u32, mut tone: Tone, ms: u64) -> Vec<i16> {
    let mut pcm = quiet(rate, ms);
    tone.fill(&mut pcm);
    pcm
}

fn sine(rate: u32, hz: f64, ms: u64) -> Vec<i16> {
    tone(rate, Tone::sine(rate, hz, -12.0), ms)
}

fn with_noise(mut pcm: Vec<i16>, dbfs: f32) -> Vec<i16> {
    let mut noise = vec![0; pcm.len()];
    ComfortNoise::new(dbfs, 5).fill(&mut noise);
    pcm.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = sample.saturating_add(noise));
    pcm
}

fn through_phone(pcm: &[i16]) -> Vec<i16> {
    let (mut wire, mut back) = (Vec::new(), Vec::new());
    crate::Law::Ulaw.encode(pcm, &mut wire);
    crate::Law::Ulaw.decode(&wire, &mut back);
    back
}

/// What is told, and when it was told.
fn told(rate: u32, pcm: &[i16]) -> Vec<(LineTone, u64)> {
    let mut detector = ToneDetector::new(rate);
    let frame = (rate / 50) as usize;
    let frames = pcm.chunks(frame).enumerate();
    frames.filter_map(|(at, frame)| detector.push(frame).map(|tone| (tone, (at as u64 + 1) * 20))).collect()
}

fn tones(rate: u32, pcm: &[i16]) -> Vec<LineTone> {
    told(rate, pcm).into_iter().map(|(tone, _)| tone).collect()
}

#[test]
fn a_beep_after_a_greeting_is_told_as_soon_as_it_is_over() {
    for rate in [8_000, 16_000] {
        for hz in [404.0, 440.0, 620.0, 850.0, 1_000.0, 1_111.0, 1_400.0, 1_800.0, 2_090.0] {
            for ms in [200, 400, 900] {
                let mut pcm = [voice(rate, 2_500, 120.0), quiet(rate, 410), sine(rate, hz, ms)].concat();
                let over_ms = pcm.len() as u64 * 1_000 / u64::from(rate);
                pcm.extend(quiet(rate, 1_500));
                let found = told(rate, &through_phone(&with_noise(pcm, -52.0)));
                let shares_a_frequency_with_busy = (390.0..435.0).contains(&hz);
                if shares_a_frequency_with_busy && ms == 900 {
                    assert_eq!(found, [], "as long as ringing");
                    continue;
                }
                assert_eq!(found.len(), 1, "{hz} Hz, {ms} ms at {rate}: {found:?}");
                assert_eq!(found[0].0, LineTone::Beep, "{hz} Hz, {ms} ms at {rate}");
                let late_ms = if shares_a_frequency_with_busy { 820 } else { 160 };
                assert!(found[0].1 <= over_ms + late_ms, "{hz} Hz, {ms} ms: {} ms late", found[0].1 - over_ms);
            }
        }
    }
}

#[test]
fn a_short_beep_and_one_right_after_the_last_word_count() {
    let short = [voice(8_000, 2_000, 200.0), quiet(8_000, 300), sine(8_000, 1_000.0, 130), quiet(8_000, 500)].concat();
    assert_eq!(tones(8_000, &short), [LineTone::Beep]);
    let close = [voice(8_000, 2_030, 200.0), sine(8_000, 1_000.0, 420), quiet(8_000, 500)].concat();
    assert_eq!(tones(8_000, &close), [LineTone::Beep]);
}

#[test]
fn a_beep_is_heard_in_a_noisy_line() {
    let pcm = [voice(8_000, 2_000, 160.0), quiet(8_000, 500), sine(8_000, 950.0, 400), quiet(8_000, 500)].concat();
    assert_eq!(tones(8_000, &with_noise(pcm, -33.0)), [LineTone::Beep]);
}

#[test]
fn a_tone_before_anybody_spoke_or_one_that_lasts_is_no_beep() {
    assert_eq!(tones(8_000, &[sine(8_000, 1_000.0, 400), quiet(8_000, 500)].concat()), []);
    let long = [voice(8_000, 2_000, 160.0), quiet(8_000, 500), sine(8_000, 1_000.0, 1_500), quiet(8_000, 500)].concat();
    assert_eq!(tones(8_000, &long), []);
}

#[test]
fn a_calling_fax_is_heard() {
    for rate in [8_000, 16_000] {
        for hz in [1_065.0, 1_100.0, 1_135.0] {
            let pcm = [quiet(rate, 700), sine(rate, hz, 500), quiet(rate, 3_000), sine(rate, hz, 500)].concat();
            assert_eq!(tones(rate, &pcm).first(), Some(&LineTone::FaxCalling), "{hz} Hz at {rate}");
        }
    }
}

#[test]
fn an_answering_fax_is_heard_within_its_tone_even_when_its_phase_turns() {
    for rate in [8_000, 16_000] {
        let mut pcm = [quiet(rate, 300), sine(rate, 2_100.0, 3_000)].concat();
        assert_eq!(told(rate, &pcm).first().map(|found| found.0), Some(LineTone::FaxAnswering));
        let turn = ms_to_samples(450, rate) as usize;
        for (n, part) in pcm.chunks_mut(turn).enumerate() {
            if n % 2 == 1 {
                part.iter_mut().for_each(|sample| *sample = -*sample);
            }
        }
        let found = told(rate, &through_phone(&pcm));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == LineTone::FaxAnswering && found[0].1 <= 1_400, "{found:?}");
    }
}

#[test]
fn the_special_information_tones_are_heard_as_networks_send_them() {
    for rate in [8_000, 16_000] {
        for (hz, ms, gap) in [
            ([950.0, 1_400.0, 1_800.0], [330, 330, 330], 0),
            ([950.0, 1_400.0, 1_800.0], [330, 330, 330], 30),
            ([913.8, 1_370.6, 1_776.7], [276, 276, 380], 0),
            ([985.2, 1_428.5, 1_776.7], [380, 276, 380], 0),
            ([985.2, 1_370.6, 1_776.7], [276, 380, 380], 20),
        ] {
            let mut pcm = quiet(rate, 500);
            for (hz, ms) in hz.into_iter().zip(ms) {
                pcm.extend([sine(rate, hz, ms), quiet(rate, gap)].concat());
            }
            pcm.extend([quiet(rate, 200), voice(rate, 1_000, 180.0)].concat());
            assert_eq!(tones(rate, &through_phone(&pcm)), [LineTone::SpecialInformation], "{hz:?} at {rate}");
        }
    }
}

#[test]
fn ringing_and_busy_are_call_progress_and_no_beeps() {
    for rate in [8_000, 16_000] {
        let lines = [
            ("ringing of North America", Tone::ringback(rate, -14.0), 2_500),
            ("busy of North America", Tone::busy(rate, -14.0), 2_500),
            ("congestion of North America", Tone::dual(rate, 480.0, 620.0, -14.0).cadence(rate, 250, 250), 2_000),
            ("ringing of Britain", Tone::dual(rate, 400.0, 450.0, -14.0).cadence(rate, 400, 200), 2_000),
            ("ringing of Europe", Tone::sine(rate, 425.0, -14.0).cadence(rate, 1_000, 4_000), 6_800),
            ("busy of Europe", Tone::sine(rate, 425.0, -14.0).cadence(rate, 480, 480), 3_000),
            ("busy of Britain", Tone::sine(rate, 400.0, -14.0).cadence(rate, 375, 375), 3_000),
        ];
        for (name, line, ms) in lines {
            let pcm = tone(rate, line, ms);
            assert_eq!(tones(rate, &pcm), [LineTone::CallProgress], "{name} at {rate}");
            let after_voice = [voice(rate, 1_500, 150.0), quiet(rate, 300), pcm].concat();
            assert_eq!(tones(rate, &after_voice), [LineTone::CallProgress], "{name} after a voice at {rate}");
        }
    }
}

#[test]
fn voices_are_no_tones() {
    for rate in [8_000, 16_000] {
        for pitch in [85.0, 110.0, 140.0, 180.0, 220.0, 270.0, 330.0, 400.0] {
            let pcm = voice(rate, 12_000, pitch);
            assert_eq!(tones(rate, &pcm), [], "{pitch} Hz at {rate}");
            assert_eq!(tones(rate, &through_phone(&with_noise(pcm, -45.0))), [], "{pitch} Hz with noise at {rate}");
        }
    }
}

#[test]
fn keys_are_no_tones() {
    let mut pcm = voice(8_000, 1_500, 130.0);
    for key in "1234567890*#ABCD".chars() {
        pcm.extend(quiet(8_000, 80));
        pcm.extend(tone(8_000, Tone::dtmf(8_000, key, -10.0).unwrap(), 200));
    }
    pcm.extend(quiet(8_000, 500));
    assert_eq!(tones(8_000, &pcm), []);
}

#[test]
fn music_is_no_tone() {
    let rate = 8_000;
    let mut pcm = voice(rate, 1_500, 130.0);
    // Chords with their overtones, then a melody of plain sines without pauses.
    for root in [261.6, 349.2, 392.0, 220.0, 293.7, 440.0] {
        let notes = [root, root * 1.26, root * 1.5, root * 2.0, root * 2.52, root * 3.0];
        let mut chord = vec![0.0_f64; ms_to_samples(600, rate) as usize];
        for (n, hz) in notes.into_iter().enumerate() {
            let (hz, gain) = (hz * TAU / f64::from(rate), 2_500.0 / (1.0 + n as f64 * 0.5));
            chord.iter_mut().enumerate().for_each(|(at, sample)| *sample += gain * (hz * at as f64).sin());
        }
        pcm.extend(chord.into_iter().map(|sample| sample as i16));
    }
    for hz in [523.0, 587.0, 659.0, 784.0, 659.0, 587.0, 523.0, 440.0, 494.0, 523.0, 659.0, 523.0] {
        pcm.extend(sine(rate, hz, 300));
    }
    pcm.extend(quiet(rate, 500));
    assert_eq!(tones(rate, &pcm), []);
}

#[test]
fn whistling_and_sung_vowels_are_no_beeps() {
    let rate = 8_000;
    let mut pcm = voice(rate, 1_500, 130.0);
    let mut phase = 0.0_f64;
    for n in 0..ms_to_samples(4_000, rate) {
        let t = n as f64 / f64::from(rate);
        // A whistle with the vibrato and glides of a person.
        let hz = 1_200.0 * (1.0 + 0.2 * (1.7 * t * TAU).sin() + 0.02 * (6.0 * t * TAU).sin());
        phase += hz / f64::from(rate);
        pcm.push((6_000.0 * (phase * TAU).sin() * (1.3 * t * TAU).sin().abs()) as i16);
    }
    pcm.extend(quiet(rate, 500));
    assert_eq!(tones(rate, &pcm), []);
}

#[test]
fn noise_is_no_tone() {
    let mut pcm = vec![0; 160_000];
    ComfortNoise::new(-20.0, 3).fill(&mut pcm);
    assert_eq!(tones(8_000, &pcm), []);
    assert!(level::rms_dbfs(&pcm) > -21.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn audio_cut_anywhere_tells_the_same(cuts in prop::collection::vec(1_usize..900, 1..40)) {
        let pcm = [voice(8_000, 900, 120.0), quiet(8_000, 200), sine(8_000, 1_000.0, 300), quiet(8_000, 400)].concat();
        let mut detector = ToneDetector::new(8_000);
        let (mut found, mut rest, mut next) = (Vec::new(), pcm.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*next.next().unwrap()).min(rest.len()));
            found.extend(detector.push(now));
            rest = later;
        }
        prop_assert_eq!(found, vec![LineTone::Beep]);
    }

    #[test]
    fn any_audio_is_taken(pcm in prop::collection::vec(any::<i16>(), 0..4_000), rate in 1_u32..200_000) {
        ToneDetector::new(rate).push(&pcm);
    }
}
