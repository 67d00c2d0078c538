use super::*;
use crate::test_audio::{self, mix, voice};
use crate::tone::Tone;
use base::limits::FRAME_MS;
use proptest::prelude::*;

const RATE: u32 = 8_000;

fn noise(ms: u64, dbfs: f32) -> Vec<i16> {
    test_audio::noise(RATE, ms, dbfs)
}

fn tone(mut tone: Tone, ms: u64) -> Vec<i16> {
    let mut pcm = vec![0; crate::ms_to_samples(ms, RATE) as usize];
    tone.fill(&mut pcm);
    pcm
}

/// The events of a stream with the time at the end of their frame.
fn listen(rate: u32, pcm: &[i16], config: Config, mut neural: impl FnMut(u64) -> Option<f32>) -> Vec<(u64, Event)> {
    let (mut gate, mut detector) = (Gate::new(rate).unwrap(), Detector::new(config));
    let mut events = Vec::new();
    let mut now = 0;
    for pcm in pcm.chunks_exact(crate::ms_to_samples(FRAME_MS, rate) as usize) {
        let mut frame = gate.push(pcm);
        if detector.wants_neural()
            && let Some(probability) = neural(now)
        {
            frame = frame.with_neural(probability);
        }
        now += FRAME_MS;
        events.extend(detector.push(frame).map(|event| (now, event)));
    }
    events
}

fn cheap(pcm: &[i16]) -> Vec<(u64, Event)> {
    listen(RATE, pcm, Config::default(), |_| None)
}

#[test]
fn voice_between_silences_starts_and_stops_once() {
    for rate in [8_000, 16_000] {
        let gap = vec![0; rate as usize];
        let pcm = [gap.clone(), voice(rate, 1_500, -22.0), gap].concat();
        let config = Config { silence_ms_min: 300, ..Config::default() };
        let events = listen(rate, &pcm, config, |_| None);
        let [
            (started, Event::SpeechStarted),
            (lull, Event::Lull { silence_ms: 100 }),
            (stopped, Event::SpeechStopped { silence_ms: 300 }),
        ] = events[..]
        else {
            panic!("{rate}: {events:?}");
        };
        assert!((2_500..=2_760).contains(&lull), "{rate}: lull at {lull}");
        assert!((1_060..=1_200).contains(&started), "{rate}: started at {started}");
        assert!((2_700..=2_960).contains(&stopped), "{rate}: stopped at {stopped}");
    }
}

#[test]
fn voice_is_heard_above_line_noise() {
    let pcm = mix([noise(1_000, -48.0), voice(RATE, 1_500, -25.0), noise(1_000, -48.0)].concat(), &noise(3_500, -48.0));
    let events = cheap(&pcm);
    assert!(matches!(events.first(), Some((1_040..=1_260, Event::SpeechStarted))), "{events:?}");
    assert!(matches!(events.last(), Some((2_600..=3_200, Event::SpeechStopped { .. }))), "{events:?}");
}

#[test]
fn tones_beeps_and_keys_are_no_speech() {
    let tones = [
        ("440 Hz", Tone::sine(RATE, 440.0, -12.0)),
        ("1 kHz quiet", Tone::sine(RATE, 1_000.0, -35.0)),
        ("voicemail beep", Tone::sine(RATE, 1_400.0, -6.0).cadence(RATE, 400, 900)),
        ("ringback", Tone::ringback(RATE, -15.0)),
        ("busy", Tone::busy(RATE, -15.0)),
        ("dial tone", Tone::dual(RATE, 350.0, 440.0, -15.0)),
        ("key 1", Tone::dtmf(RATE, '1', -10.0).unwrap().cadence(RATE, 100, 100)),
        ("key 9", Tone::dtmf(RATE, '9', -10.0).unwrap().cadence(RATE, 70, 60)),
        ("key #", Tone::dtmf(RATE, '#', -10.0).unwrap()),
    ];
    for (name, source) in tones {
        for line_dbfs in [-90.0, -55.0] {
            let pcm = mix([noise(500, line_dbfs), tone(source.clone(), 4_000)].concat(), &noise(4_500, line_dbfs));
            assert_eq!(cheap(&pcm), [], "{name} on a line with {line_dbfs} dBFS of noise");
        }
    }
}

#[test]
fn voice_right_after_a_beep_is_heard() {
    let pcm = [noise(500, -60.0), tone(Tone::sine(RATE, 1_000.0, -10.0), 500), voice(RATE, 1_500, -22.0)].concat();
    let events = cheap(&pcm);
    assert!(matches!(events.first(), Some((1_040..=1_260, Event::SpeechStarted))), "{events:?}");
}

#[test]
fn noise_and_its_steps_are_no_speech() {
    let pcm = [noise(2_000, -60.0), noise(3_000, -40.0), noise(3_000, -30.0), noise(2_000, -60.0)].concat();
    assert_eq!(cheap(&pcm), []);
}

#[test]
fn a_click_is_no_speech() {
    let mut pcm = noise(2_000, -60.0);
    pcm[8_000..8_040].fill(25_000);
    assert_eq!(cheap(&pcm), []);
}

#[test]
fn floor_follows_the_line_but_not_the_voice() {
    let mut gate = Gate::new(RATE).unwrap();
    noise(4_000, -42.0).chunks_exact(160).for_each(|pcm| {
        gate.push(pcm);
    });
    assert!((gate.floor_dbfs() + 42.0).abs() < 3.0, "{}", gate.floor_dbfs());
    let before = gate.floor_dbfs();
    voice(RATE, 4_000, -20.0).chunks_exact(160).for_each(|pcm| {
        gate.push(pcm);
    });
    assert!(gate.floor_dbfs() < before + 6.0, "{before} -> {}", gate.floor_dbfs());
}

fn frame(cheap: f32) -> Frame {
    Frame { cheap, level_dbfs: -20.0, above_floor_db: if cheap > 0.0 { 30.0 } else { 0.0 }, tonal: false, neural: None }
}

#[test]
fn neural_stage_overrules_the_cheap_one() {
    let config = Config { neural: true, ..Config::default() };
    let mut detector = Detector::new(config);
    assert!(!detector.wants_neural(), "nothing is worth it in silence");
    detector.push(frame(0.9));
    assert!(detector.wants_neural());
    for _ in 0..100 {
        assert_eq!(detector.push(frame(0.9).with_neural(0.05)), None, "a tone that fools the cheap stage");
    }
    let started = (0..10).find(|_| detector.push(frame(0.1).with_neural(0.9)).is_some());
    assert_eq!(started, Some(2), "a voice that the cheap stage misses");
}

#[test]
fn a_stuck_neural_stage_does_not_make_the_caller_unheard() {
    let config = Config { neural: true, ..Config::default() };
    let mut detector = Detector::new(config);
    let started = (0..100).find(|_| detector.push(frame(0.9)).is_some());
    assert!(started.is_some_and(|frames| frames * 20 <= 300), "{started:?}");
}

#[test]
fn neural_stage_is_not_run_in_silence() {
    let config = Config { neural: true, ..Config::default() };
    let mut runs = 0;
    let pcm = [noise(5_000, -55.0), voice(RATE, 1_000, -22.0), noise(4_000, -55.0)].concat();
    let events = listen(RATE, &pcm, config, |now| {
        runs += 1;
        Some(if (5_000..6_000).contains(&now) { 0.9 } else { 0.02 })
    });
    let is_edge = |event: &&(u64, Event)| !matches!(event.1, Event::Lull { .. });
    assert_eq!(events.iter().filter(is_edge).count(), 2, "{events:?}");
    assert!((40..=90).contains(&runs), "{runs} of 500 frames");
}

#[test]
fn a_lull_is_told_once_in_every_silence_and_before_its_end() {
    let mut detector = Detector::new(Config::default());
    let mut hear =
        |cheap: f32, frames: usize| -> Vec<Event> { (0..frames).filter_map(|_| detector.push(frame(cheap))).collect() };
    assert_eq!(hear(0.9, 10), [Event::SpeechStarted]);
    assert_eq!(hear(0.0, 9), [Event::Lull { silence_ms: 100 }]);
    assert_eq!(hear(0.9, 3), []);
    assert_eq!(hear(0.0, 4), [], "a gap within a word");
    assert_eq!(hear(0.9, 3), []);
    assert_eq!(hear(0.0, 30), [Event::Lull { silence_ms: 100 }, Event::SpeechStopped { silence_ms: 200 }]);
}

#[test]
fn the_neural_stage_does_not_hold_back_a_lull() {
    let mut detector = Detector::new(Config { neural: true, ..Config::default() });
    (0..10).for_each(|_| {
        detector.push(frame(0.9).with_neural(0.9));
    });
    let lull = (0..10).find_map(|_| detector.push(frame(0.0).with_neural(0.9)));
    assert_eq!(lull, Some(Event::Lull { silence_ms: 100 }));
}

#[test]
fn the_end_is_not_late_though_the_neural_stage_lets_go_late() {
    let mut detector = Detector::new(Config { neural: true, ..Config::default() });
    (0..10).for_each(|_| {
        detector.push(frame(0.9).with_neural(0.9));
    });
    let stopped = (1..40).find(|n| {
        // Its probability falls over 160 ms after the voice.
        let event = detector.push(frame(0.0).with_neural(if *n <= 8 { 0.8 } else { 0.1 }));
        matches!(event, Some(Event::SpeechStopped { .. }))
    });
    assert_eq!(stopped.map(|frames| frames * 20), Some(200));
}

#[test]
fn the_beginning_is_not_late_though_the_neural_stage_hears_late() {
    let mut detector = Detector::new(Config { neural: true, ..Config::default() });
    let started = (1..20).find(|n| {
        let heard = if *n < 4 { frame(0.9) } else { frame(0.9).with_neural(0.9) };
        detector.push(heard) == Some(Event::SpeechStarted)
    });
    assert_eq!(started.map(|frames| frames * 20), Some(80));
    assert_eq!(detector.speech_ms(), 80);
}

#[test]
fn a_dip_of_the_neural_stage_in_words_that_the_cheap_one_misses_is_no_end() {
    let mut detector = Detector::new(Config { neural: true, ..Config::default() });
    (0..10).for_each(|_| {
        detector.push(frame(0.9).with_neural(0.9));
    });
    for _ in 0..5 {
        (0..20).for_each(|_| {
            detector.push(frame(0.0).with_neural(0.9));
        });
        let event = detector.push(frame(0.0).with_neural(0.2));
        assert!(!matches!(event, Some(Event::SpeechStopped { .. })), "{event:?}");
    }
}

#[test]
fn a_breath_between_words_is_no_end() {
    let mut detector = Detector::new(Config { silence_ms_min: 300, ..Config::default() });
    (0..10).for_each(|_| {
        detector.push(frame(0.9));
    });
    assert!(detector.is_speaking());
    assert_eq!(detector.speech_ms(), 200);
    for _ in 0..20 {
        for _ in 0..14 {
            assert!(!matches!(detector.push(frame(0.0)), Some(Event::SpeechStopped { .. })));
        }
        assert_eq!(detector.silence_ms(), 280);
        assert_eq!(detector.push(frame(0.4)), None, "hysteresis: weak speech holds on");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn starts_and_stops_alternate_and_keep_their_times(
        frames in prop::collection::vec((0.0f32..1.0, prop::option::of(0.0f32..1.0)), 0..400),
        neural in any::<bool>(), silence_ms_min in 0u64..600, speech_ms_min in 0u64..200,
    ) {
        let config = Config { neural, silence_ms_min, speech_ms_min, ..Config::default() };
        let mut detector = Detector::new(config);
        let mut speaking = false;
        let mut since = 0;
        for (cheap, probability) in frames {
            let next = frame(cheap);
            let next = probability.filter(|_| neural).map_or(next, |probability| next.with_neural(probability));
            since += FRAME_MS;
            match detector.push(next) {
                Some(Event::SpeechStarted) => {
                    prop_assert!(!speaking && since >= speech_ms_min);
                    (speaking, since) = (true, 0);
                }
                Some(Event::SpeechStopped { silence_ms }) => {
                    prop_assert!(speaking && silence_ms >= silence_ms_min && since >= silence_ms);
                    (speaking, since) = (false, 0);
                }
                Some(Event::Lull { silence_ms }) => {
                    prop_assert!(speaking && silence_ms >= 100 && since >= silence_ms);
                }
                None => {}
            }
            prop_assert_eq!(detector.is_speaking(), speaking);
            prop_assert!(neural || !detector.wants_neural());
        }
    }
}
