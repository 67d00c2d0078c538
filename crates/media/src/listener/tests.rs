use super::*;
use crate::ambience::{Bed, Place};
use crate::level;
use crate::test_audio::{AGENT, CALLER, Speaker, come_back, cough, mix, noise, silence, speak, telephone};

const RATE: u32 = 8_000;
const ALL: Settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: false };

/// What was told about a call, with the time at the end of the frame.
#[derive(Default)]
struct Told {
    raw: Vec<i16>,
    clean: Vec<i16>,
    events: Vec<(u64, Event)>,
    overlaps: Vec<(u64, Evidence)>,
}

impl Told {
    fn started(&self) -> Vec<u64> {
        self.events.iter().filter(|(_, event)| *event == Event::SpeechStarted).map(|(at, _)| *at).collect()
    }
}

/// A call in which the agent says `agent` with the usual look-ahead while `caller` comes in.
fn call(settings: Settings, agent: &[i16], caller: &[i16]) -> Told {
    let mut listener = Listener::new(RATE, settings).unwrap();
    let mut told = Told::default();
    let mut out = agent.chunks_exact(160);
    out.by_ref().take(10).for_each(|frame| listener.played(frame));
    for (n, frame) in caller.chunks_exact(160).enumerate() {
        let at = (n as u64 + 1) * 20;
        listener.hear(
            frame,
            |_| None,
            |heard| match heard {
                Heard::Raw(frame) => told.raw.extend(frame),
                Heard::Clean(frame) => told.clean.extend(frame),
                Heard::Speech(event) => told.events.push((at, event)),
                Heard::Overlap(evidence) => told.overlaps.push((at, evidence)),
            },
        );
        if let Some(frame) = out.next() {
            listener.played(frame);
        }
    }
    told
}

fn then(parts: &[Vec<i16>]) -> Vec<i16> {
    parts.concat()
}

#[test]
fn the_agents_own_voice_coming_back_is_no_speech() {
    for (delay_ms, down) in [(60, -10.0), (180, -10.0), (180, -20.0), (420, -6.0)] {
        let agent = telephone(&then(&[speak(AGENT, RATE, 6_000, -20.0), silence(RATE, 1_000)]));
        let line = noise(RATE, 7_000, -58.0);
        let heard = telephone(&mix(come_back(RATE, &agent, delay_ms, down), &line));
        let told = call(ALL, &agent, &heard);
        assert_eq!(told.started(), [], "{delay_ms} ms, {down} dB: {:?}", told.overlaps);
        assert_eq!(told.raw, heard, "the recording has the echo");
    }
}

#[test]
fn without_the_guard_the_echo_would_interrupt() {
    let agent = then(&[speak(AGENT, RATE, 3_000, -20.0), silence(RATE, 1_000)]);
    let heard = mix(come_back(RATE, &agent, 180, -10.0), &noise(RATE, 4_000, -58.0));
    let told = call(Settings { echo_guard: false, ..ALL }, &agent, &heard);
    assert!(!told.started().is_empty() && !told.overlaps.is_empty());
}

#[test]
fn a_caller_who_interrupts_over_the_echo_is_noticed_and_told_apart() {
    for down in [-10.0, -20.0] {
        let agent = then(&[speak(AGENT, RATE, 5_000, -20.0), silence(RATE, 1_000)]);
        let caller = then(&[silence(RATE, 2_600), speak(CALLER, RATE, 1_400, -22.0), silence(RATE, 2_000)]);
        let line = mix(come_back(RATE, &agent, 180, down), &noise(RATE, 6_000, -58.0));
        let told = call(ALL, &agent, &telephone(&mix(line, &caller)));
        let [started, ..] = told.started()[..] else { panic!("{down}: not heard") };
        assert!((2_640..=2_800).contains(&started), "{down}: started at {started}");
        let (first_at, first) = told.overlaps[0];
        assert_eq!(first_at, started);
        assert_eq!(first.level_db, None, "the caller was not heard before");
        let later = told.overlaps.iter().find(|(_, evidence)| evidence.speech_ms >= 300).unwrap().1;
        assert!(later.echo < 0.5 && later.voice > 0.5, "{down}: {later:?}");
    }
}

#[test]
fn overlap_is_told_with_the_onset_and_on_until_the_agent_falls_silent() {
    let agent = then(&[silence(RATE, 3_000), speak(AGENT, RATE, 2_000, -20.0), silence(RATE, 3_000)]);
    let talk = then(&[speak(CALLER, RATE, 2_000, -22.0), silence(RATE, 1_800), speak(CALLER, RATE, 4_000, -22.0)]);
    let told = call(ALL, &agent, &mix(talk, &noise(RATE, 7_800, -60.0)));
    let started = *told.started().last().unwrap();
    assert_eq!(told.overlaps.first().map(|(at, _)| *at), Some(started));
    let is_due = |pair: &[(u64, Evidence)]| pair[1].0 - pair[0].0 == if pair[1].1.speech_ms <= 200 { 20 } else { 100 };
    assert!(told.overlaps.windows(2).all(is_due), "{:?}", told.overlaps);
    let last = told.overlaps.last().unwrap().0;
    assert!((5_000..=5_400).contains(&last), "{last}");
    let level_db = told.overlaps[5].1.level_db.unwrap();
    assert!(level_db.abs() < 3.0, "{level_db}");
}

#[test]
fn a_second_speaker_across_the_room_is_not_the_caller() {
    let told = |level_dbfs: f32| {
        let other = Speaker { pitch_hz: 165.0, syllables_per_s: 4.6, vowels: 0.93 };
        let agent = then(&[silence(RATE, 3_000), speak(AGENT, RATE, 4_000, -20.0)]);
        let talk = then(&[
            speak(CALLER, RATE, 2_000, -22.0),
            silence(RATE, 2_000),
            speak(other, RATE, 1_500, level_dbfs),
            silence(RATE, 1_500),
        ]);
        call(ALL, &agent, &mix(talk, &noise(RATE, 7_000, -60.0)))
    };
    let far = told(-38.0);
    assert!(far.overlaps.is_empty(), "{:?}", far.overlaps);
    let nearer = told(-33.0);
    let late = nearer.overlaps.iter().filter(|(_, evidence)| evidence.speech_ms >= 200);
    let levels: Vec<_> = late.map(|(_, evidence)| evidence.level_db.unwrap()).collect();
    assert!(!levels.is_empty() && levels.iter().all(|db| (-16.0..-6.0).contains(db)), "{levels:?}");
}

#[test]
fn a_crowd_behind_the_caller_is_not_the_caller_once_it_was_heard_under_the_agent() {
    let crowd = |ms: u64| {
        let voices = [(150.0, 4.1, 0.9), (205.0, 5.2, 1.1), (118.0, 3.7, 1.0)];
        voices.iter().fold(silence(RATE, ms), |line, &(pitch_hz, syllables_per_s, vowels)| {
            mix(line, &speak(Speaker { pitch_hz, syllables_per_s, vowels }, RATE, ms, -36.0))
        })
    };
    let agent = then(&[silence(RATE, 3_000), speak(AGENT, RATE, 5_000, -20.0)]);
    let talk = then(&[speak(CALLER, RATE, 2_500, -20.0), silence(RATE, 6_000), speak(CALLER, RATE, 1_500, -20.0)]);
    let told = call(ALL, &agent, &mix(crowd(12_000), &talk));
    let ends = told.events.iter().filter(|(_, event)| *event != Event::SpeechStarted);
    let told_after = ends.map(|(at, _)| *at).find(|at| *at >= 9_900).map(|at| at.saturating_sub(10_000));
    assert!(told_after.is_some_and(|ms| ms <= 300), "{:?}", told.events);
}

#[test]
fn a_caller_who_moves_away_from_the_phone_is_heard_again() {
    let talk = then(&[
        speak(CALLER, RATE, 2_000, -20.0),
        silence(RATE, 1_000),
        speak(CALLER, RATE, 8_000, -36.0),
        silence(RATE, 1_000),
    ]);
    let told = call(ALL, &silence(RATE, 12_000), &mix(talk, &noise(RATE, 12_000, -62.0)));
    let starts = told.events.iter().filter(|(_, event)| matches!(event, Event::SpeechStarted)).count();
    assert!(starts >= 2, "{:?}", told.events);
}

#[test]
fn a_cough_over_the_agent_is_over_before_it_is_long() {
    let agent = speak(AGENT, RATE, 4_000, -20.0);
    let talk = then(&[silence(RATE, 2_000), cough(RATE, 250, -20.0), silence(RATE, 1_750)]);
    let told = call(ALL, &agent, &mix(talk, &noise(RATE, 4_000, -58.0)));
    let longest = told.overlaps.iter().map(|(_, evidence)| evidence.speech_ms).max().unwrap_or(0);
    assert!(longest < 300, "{:?}", told.overlaps);
    assert!(told.events.iter().all(|(at, _)| *at < 2_250 + 460), "{:?}", told.events);
}

#[test]
fn steady_noise_is_no_speech_and_speech_in_it_is_noticed_at_once() {
    for snr_db in [5.0, 10.0, 15.0, 20.0] {
        for codec in [false, true] {
            let talk = then(&[silence(RATE, 4_000), speak(CALLER, RATE, 2_000, -25.0), silence(RATE, 2_000)]);
            let line = mix(talk, &noise(RATE, 8_000, -25.0 - snr_db));
            let line = if codec { telephone(&line) } else { line };
            let told = call(ALL, &[], &line);
            let name = format!("{snr_db} dB, codec {codec}: {:?}", told.events);
            let [started, ..] = told.started()[..] else { panic!("{name}") };
            assert!((4_040..=4_120).contains(&started), "{name}");
            let stopped =
                told.events.iter().rfind(|(_, event)| matches!(event, Event::SpeechStopped { .. })).unwrap().0;
            assert!((6_060..=6_300).contains(&stopped), "{name}");
        }
    }
}

#[test]
fn the_end_of_speech_is_told_in_two_steps() {
    let talk = then(&[silence(RATE, 1_000), speak(CALLER, RATE, 2_000, -22.0), silence(RATE, 1_000)]);
    let told = call(ALL, &[], &mix(talk, &noise(RATE, 4_000, -60.0)));
    let [(_, Event::SpeechStarted), .., (lull, Event::Lull { .. }), (stopped, Event::SpeechStopped { .. })] =
        told.events[..]
    else {
        panic!("{:?}", told.events);
    };
    assert!((3_060..=3_180).contains(&lull), "{lull}");
    assert!((3_180..=3_260).contains(&stopped), "{stopped}");
}

#[test]
fn nothing_that_is_done_to_the_audio_reaches_the_recording_of_the_caller() {
    let mut bed = Bed::place(RATE, Place::CallCentre, 1);
    let mut agent = then(&[speak(AGENT, RATE, 2_000, -20.0), silence(RATE, 2_000)]);
    agent.chunks_exact_mut(160).for_each(|frame| bed.mix(frame, true));
    let mut caller = then(&[silence(RATE, 2_000), speak(CALLER, RATE, 1_000, -30.0), silence(RATE, 1_000)]);
    caller = mix(caller, &come_back(RATE, &agent, 150, -12.0));
    let told = call(Settings { suppress_noise: true, ..ALL }, &agent, &caller);
    assert_eq!(told.raw, caller);
    assert_ne!(told.clean, caller);
    assert_eq!(told.clean.len(), caller.len());
}

#[test]
fn the_sound_of_a_place_is_not_the_agent_speaking() {
    for place in [Place::Office, Place::CallCentre, Place::Room] {
        let mut bed = Bed::place(RATE, place, 1);
        let mut agent = silence(RATE, 6_000);
        agent.chunks_exact_mut(160).for_each(|frame| bed.mix(frame, false));
        let talk = then(&[silence(RATE, 1_000), speak(CALLER, RATE, 4_000, -22.0), silence(RATE, 1_000)]);
        let told = call(ALL, &agent, &mix(talk, &noise(RATE, 6_000, -60.0)));
        assert!(told.overlaps.is_empty(), "{place:?}");
    }
}

#[test]
fn quiet_and_loud_callers_reach_the_recogniser_alike() {
    let mut levels = Vec::new();
    for dbfs in [-35.0, -10.0] {
        let told = call(ALL, &[], &mix(speak(CALLER, RATE, 5_000, dbfs), &noise(RATE, 5_000, -75.0)));
        levels.push(level::rms_dbfs(&told.clean[RATE as usize * 3..]));
    }
    assert!((levels[0] - levels[1]).abs() < 3.0, "{levels:?}");
}
