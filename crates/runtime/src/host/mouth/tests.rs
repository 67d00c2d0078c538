use super::*;
use crate::service::TtsCommand;
use base::{Failure, UtteranceId};
use carriers::playout::Playout;
use tokio::sync::mpsc;

const HZ: u32 = 8_000;
const ONE: UtteranceId = UtteranceId(1);
const TWO: UtteranceId = UtteranceId(2);
const THREE: UtteranceId = UtteranceId(3);
const ASIDE: UtteranceId = UtteranceId(9);
const WORD_MS: u64 = 200;

/// A word is 200 ms of a loudness of its own, so that it can be told from what was heard.
fn word(loudness: i16) -> Vec<i16> {
    vec![loudness; ms(WORD_MS)]
}

fn words(loudness: &[i16]) -> Vec<i16> {
    loudness.iter().flat_map(|one| word(*one)).collect()
}

fn ms(ms: u64) -> usize {
    (ms * u64::from(HZ) / 1000) as usize
}

fn phrase(loudness: &[i16]) -> Phrase {
    let starts: Vec<_> = (0..loudness.len()).map(|n| (n as u32 * 4, n as u64 * WORD_MS)).collect();
    Phrase { pcm: words(loudness).into(), words: starts.into() }
}

/// The mouth, a line of no delay, and the caller's ear. Time passes in milliseconds.
struct Line {
    mouth: Mouth,
    ear: Playout,
    now: u64,
    marks: u32,
    told: Vec<Input>,
    _sessions: Vec<(mpsc::Receiver<TtsCommand>, mpsc::Sender<TtsEvent>)>,
}

impl Line {
    fn new() -> Self {
        let (mouth, ear) = (Mouth::new(HZ), Playout::new(HZ));
        Self { mouth, ear, now: 0, marks: 0, told: Vec::new(), _sessions: Vec::new() }
    }

    /// Plays what is due until this time, as the host does.
    fn until(&mut self, end_ms: u64) {
        while self.now < end_ms {
            if self.mouth.next_frame_at(CallTime(self.now)).is_some_and(|at| at.0 <= self.now) {
                self.play();
            }
            self.now += 1;
            for mark in self.ear.advance(self.now) {
                let id = MarkId(mark.name.parse().unwrap());
                self.told.extend(self.mouth.on_mark(id));
            }
        }
    }

    fn play(&mut self) {
        let Self { mouth, ear, marks, now, .. } = self;
        mouth.play_due(CallTime(*now), |step| match step {
            Step::Voice(frame) | Step::Background(frame) | Step::Person(frame) => {
                ear.push_audio(frame);
                None
            }
            Step::Mark => {
                *marks += 1;
                ear.push_mark(&marks.to_string());
                Some(MarkId((*marks).into()))
            }
        });
    }

    /// Opens an utterance with one segment at a synthesiser of the test.
    fn open(&mut self, utterance: UtteranceId, text: &str) {
        self.mouth.begin(utterance);
        self.mouth.say(0, text.into());
        self.open_session();
    }

    fn open_session(&mut self) {
        assert!(self.mouth.wants_session());
        let (commands, inbox) = mpsc::channel(8);
        let (outbox, events) = mpsc::channel(8);
        self._sessions.push((inbox, outbox));
        self.mouth.attach(TtsSession { sample_rate_hz: HZ, commands, events });
    }

    fn audio(&mut self, pcm: Vec<i16>) {
        let inputs = self.mouth.on_tts(Some(TtsEvent::Audio { pcm }));
        self.told.extend(inputs);
    }

    fn tts(&mut self, event: TtsEvent) {
        let inputs = self.mouth.on_tts(Some(event));
        self.told.extend(inputs);
    }

    fn stop(&mut self, utterance: UtteranceId) {
        let stopped = self.mouth.stop(utterance, CallTime(self.now));
        self.told.extend(stopped.reports);
        if stopped.clears {
            self.ear.clear();
        }
    }

    /// The words that were heard, with how long each sounded in milliseconds; 0 is silence.
    fn heard(&self) -> Vec<(i16, u64)> {
        let mut heard: Vec<(i16, u64)> = Vec::new();
        for sample in self.ear.heard() {
            match heard.last_mut() {
                Some((loudness, samples)) if loudness == sample => *samples += 1,
                _ => heard.push((*sample, 1)),
            }
        }
        heard.into_iter().map(|(loudness, samples)| (loudness, samples * 1000 / u64::from(HZ))).collect()
    }

    fn heard_words(&self) -> Vec<i16> {
        self.heard().into_iter().map(|(loudness, _)| loudness).filter(|loudness| *loudness != 0).collect()
    }

    /// How far an utterance was reported as played, and whether it was reported as finished.
    fn played(&self, of: UtteranceId) -> Option<(u64, bool)> {
        self.told.iter().rev().find_map(|input| match input {
            Input::Playout { utterance, played_ms, finished } if *utterance == of => Some((*played_ms, *finished)),
            _ => None,
        })
    }
}

#[test]
fn a_held_utterance_makes_no_sound_until_it_is_released_and_then_begins_within_one_frame() {
    let mut line = Line::new();
    line.mouth.hold(ONE);
    line.open(ONE, "one two");
    line.audio(words(&[1_000, 2_000]));
    assert!(matches!(line.told[0], Input::Synthesis { utterance: ONE, event: SynthesisInput::FirstAudio }));
    line.until(500);
    assert!(line.heard_words().is_empty());
    assert_eq!(line.mouth.next_frame_at(CallTime(500)), None);
    line.mouth.release(ONE);
    line.mouth.no_more_text();
    line.tts(TtsEvent::Done);
    line.until(1_000);
    assert_eq!(line.heard()[..3], [(0, 500), (1_000, 200), (2_000, 200)]);
    assert_eq!(line.played(ONE), Some((400, true)));
}

#[test]
fn what_was_held_and_thrown_away_is_never_heard_and_leaves_the_line_free() {
    let mut line = Line::new();
    line.open(ONE, "one");
    line.audio(word(1_000));
    line.tts(TtsEvent::Done);
    line.until(30); // Its end is still with the carrier.
    line.mouth.hold(TWO);
    line.open(TWO, "two");
    line.audio(word(2_000));
    line.stop(TWO);
    line.open(THREE, "three");
    line.audio(word(3_000));
    line.tts(TtsEvent::Done);
    line.until(600);
    assert_eq!(line.heard()[..2], [(1_000, 200), (3_000, 200)]);
    assert_eq!((line.played(ONE), line.played(TWO), line.played(THREE)), (Some((200, true)), None, Some((200, true))));
}

#[test]
fn held_audio_beyond_the_buffer_holds_synthesis_back_and_is_whole_when_released() {
    let mut line = Line::new();
    line.mouth.hold(ONE);
    line.open(ONE, "a long sentence");
    for loudness in 1..=25 {
        line.audio(word(loudness * 100));
    }
    assert!(line.mouth.wanted_events().is_none(), "four seconds are enough for now");
    line.mouth.release(ONE);
    line.until(1_500);
    assert!(line.mouth.wanted_events().is_some());
    line.tts(TtsEvent::Done);
    line.until(6_000);
    assert_eq!(line.heard_words(), (1..=25).map(|n| n * 100).collect::<Vec<_>>());
    assert_eq!(line.played(ONE), Some((5_000, true)));
}

#[test]
fn an_interlude_is_heard_while_the_voice_is_stalled_and_the_sentence_goes_on_after_it_word_for_word() {
    let mut line = Line::new();
    line.open(ONE, "one two three four");
    line.audio(words(&[1_000, 2_000]));
    line.until(900);
    assert_eq!(line.played(ONE), Some((400, false)), "all that was heard is known before the silence is broken");
    assert_eq!(line.mouth.interlude(ASIDE, &words(&[7_000, 8_000])), Some(400));
    line.until(1_000);
    line.audio(words(&[3_000, 4_000]));
    line.tts(TtsEvent::SegmentDone);
    line.mouth.no_more_text();
    line.tts(TtsEvent::Done);
    line.until(2_000);
    assert_eq!(line.heard_words(), [1_000, 2_000, 7_000, 8_000, 3_000, 4_000]);
    assert!(line.heard().iter().all(|(loudness, ms)| *loudness == 0 || *ms == WORD_MS), "{:?}", line.heard());
    assert_eq!((line.played(ONE), line.played(ASIDE)), (Some((800, true)), Some((400, true))));
    assert!(line.told.iter().any(|input| matches!(
        input,
        Input::Synthesis { utterance: ONE, event: SynthesisInput::SegmentDone { segment: 0, end_ms: 800, .. } }
    )));
}

#[test]
fn an_interlude_waits_for_what_the_carrier_has_and_for_nothing_else() {
    let mut line = Line::new();
    line.open(ONE, "one two three");
    line.audio(words(&[1_000, 2_000, 3_000]));
    line.until(101);
    line.mouth.interlude(ASIDE, &word(7_000));
    line.mouth.no_more_text();
    line.tts(TtsEvent::Done);
    line.until(1_500);
    let heard = line.heard();
    let aside = heard.iter().position(|(loudness, _)| *loudness == 7_000).unwrap();
    let before: u64 = heard[..aside].iter().map(|(_, ms)| ms).sum();
    assert!((101..=101 + limits::PLAYOUT_LOOKAHEAD_MS + limits::FRAME_MS).contains(&before), "{before}");
    let spoken: u64 = heard.iter().filter(|(loudness, _)| ![0, 7_000].contains(loudness)).map(|(_, ms)| ms).sum();
    assert_eq!(spoken, 600, "nothing of the sentence was lost");
    assert_eq!((line.played(ONE), line.played(ASIDE)), (Some((600, true)), Some((200, true))));
}

#[test]
fn an_interlude_sounds_before_the_first_audio_and_while_another_utterance_is_held() {
    let mut line = Line::new();
    line.mouth.hold(ONE);
    line.open(ONE, "one");
    line.audio(word(1_000));
    line.mouth.interlude(ASIDE, &word(7_000));
    line.until(400);
    assert_eq!((line.heard_words(), line.played(ASIDE)), (vec![7_000], Some((200, true))));
    line.stop(ONE);
    line.open(TWO, "two");
    line.mouth.interlude(THREE, &word(8_000));
    line.until(800);
    line.audio(word(2_000));
    line.tts(TtsEvent::Done);
    line.until(1_200);
    assert_eq!(line.heard_words(), [7_000, 8_000, 2_000]);
    assert_eq!((line.played(ONE), line.played(TWO)), (None, Some((200, true))));
}

#[test]
fn an_interlude_goes_on_when_the_utterance_behind_it_is_stopped() {
    let mut line = Line::new();
    line.open(ONE, "one two");
    line.audio(words(&[1_000]));
    line.until(500);
    line.mouth.interlude(ASIDE, &words(&[7_000, 8_000]));
    line.until(600);
    line.stop(ONE);
    line.open(TWO, "two");
    line.audio(word(2_000));
    line.tts(TtsEvent::Done);
    line.until(1_500);
    assert_eq!(line.heard_words(), [1_000, 7_000, 8_000, 2_000]);
    assert_eq!((line.played(ASIDE), line.played(TWO)), (Some((400, true)), Some((200, true))));
}

#[test]
fn an_interruption_silences_the_utterance_and_the_interlude_at_once_in_either_order() {
    for order in [[ONE, ASIDE], [ASIDE, ONE]] {
        let mut line = Line::new();
        line.open(ONE, "one two");
        line.audio(words(&[1_000, 2_000]));
        line.until(101);
        line.mouth.interlude(ASIDE, &words(&[7_000, 8_000]));
        line.until(350);
        order.into_iter().for_each(|utterance| line.stop(utterance));
        line.until(1_000);
        let sounded: u64 = line.heard().iter().filter(|(loudness, _)| *loudness != 0).map(|(_, ms)| ms).sum();
        assert!(sounded <= 350, "{sounded} ms sounded, {order:?}");
    }
}

#[test]
fn an_interlude_alone_can_be_stopped_and_the_sentence_goes_on() {
    let mut line = Line::new();
    line.open(ONE, "one two");
    line.audio(words(&[1_000]));
    line.until(600);
    line.mouth.interlude(ASIDE, &words(&[7_000, 8_000, 9_000]));
    line.until(700);
    line.stop(ASIDE);
    line.audio(words(&[2_000]));
    line.tts(TtsEvent::Done);
    line.until(1_500);
    assert_eq!(line.heard_words(), [1_000, 7_000, 2_000]);
    assert_eq!(line.played(ONE), Some((400, true)));
    assert!(matches!(line.played(ASIDE), None | Some((0..=100, false))));
}

#[test]
fn the_end_of_an_interlude_that_an_interruption_cut_is_reported_as_far_as_it_was_heard() {
    let mut line = Line::new();
    line.open(ONE, "one");
    line.mouth.interlude(ASIDE, &word(7_000));
    line.audio(words(&[1_000, 2_000]));
    line.until(120); // The interlude and the beginning of the sentence are with the carrier.
    line.stop(ONE);
    line.until(600);
    let (played_ms, finished) = line.played(ASIDE).unwrap();
    assert!(finished && (100..=120).contains(&played_ms), "{played_ms}");
    assert_eq!(line.heard()[0], (7_000, 120));
    assert_eq!(line.heard_words(), [7_000]);
}

#[test]
fn interludes_follow_one_another_and_too_many_are_refused() {
    let mut line = Line::new();
    let refused = (0..limits::INTERLUDES_MAX as u64 + 1)
        .filter(|n| line.mouth.interlude(UtteranceId(10 + n), &word(1_000 * (*n as i16 + 1))).is_none());
    assert_eq!(refused.count(), 1);
    line.until(2_000);
    assert_eq!(line.heard_words(), [1_000, 2_000, 3_000, 4_000]);
    assert_eq!(line.played(UtteranceId(13)), Some((200, true)));
    assert!(line.mouth.interlude(ASIDE, &word(5_000)).is_some());
}

#[test]
fn words_from_the_cache_sound_at_once_and_the_rest_of_the_utterance_follows_from_the_synthesiser() {
    let mut line = Line::new();
    line.mouth.begin(ONE);
    assert!(line.mouth.takes_phrases());
    let inputs = line.mouth.say_phrase(0, "aaa bbb", &phrase(&[1_000, 2_000]));
    let done = SynthesisInput::SegmentDone { segment: 0, end_ms: 400, words: vec![(0, 0), (4, 200)] };
    let input = |event| Input::Synthesis { utterance: ONE, event };
    assert_eq!(inputs, [input(SynthesisInput::FirstAudio), input(done)]);
    line.mouth.say(1, "ccc ddd".into());
    line.open_session();
    assert!(!line.mouth.takes_phrases());
    line.tts(TtsEvent::Words { starts: vec![(0, 0), (4, 200)] });
    line.audio(words(&[3_000, 4_000]));
    line.tts(TtsEvent::SegmentDone);
    line.mouth.no_more_text();
    line.tts(TtsEvent::Done);
    let second = SynthesisInput::SegmentDone { segment: 1, end_ms: 800, words: vec![(0, 400), (4, 600)] };
    assert!(line.told.contains(&input(second)), "{:?}", line.told);
    line.until(1_000);
    assert_eq!(line.heard()[..4], [(1_000, 200), (2_000, 200), (3_000, 200), (4_000, 200)]);
    assert_eq!(line.played(ONE), Some((800, true)));
}

#[test]
fn a_whole_utterance_from_the_cache_needs_no_synthesiser_and_finishes() {
    let mut line = Line::new();
    line.mouth.begin(ONE);
    line.mouth.say_phrase(0, "aaa", &phrase(&[1_000]));
    line.mouth.no_more_text();
    assert!(!line.mouth.wants_session());
    line.until(500);
    assert_eq!((line.heard()[0], line.played(ONE)), ((1_000, 200), Some((200, true))));
}

#[test]
fn a_render_that_fails_before_its_first_audio_leaves_its_words_to_a_synthesiser() {
    let mut line = Line::new();
    line.mouth.begin(ONE);
    let (commands, _inbox) = mpsc::channel(1);
    let (_outbox, events) = mpsc::channel(1);
    line.mouth.attach_render(TtsSession { sample_rate_hz: HZ, commands, events });
    line.mouth.say(0, "one".into());
    line.mouth.no_more_text();
    line.tts(TtsEvent::Failed(Failure::new(ErrorClass::Timeout, "late")));
    assert!(line.told.is_empty());
    line.open_session();
    let (inbox, _) = line._sessions.last_mut().unwrap();
    assert!(matches!(inbox.try_recv(), Ok(TtsCommand::Segment(text)) if text == "one"));
    assert!(matches!(inbox.try_recv(), Ok(TtsCommand::Flush)));
}

#[test]
fn words_after_a_joined_render_go_to_a_synthesiser_and_their_times_follow_on() {
    let mut line = Line::new();
    line.mouth.begin(ONE);
    let (commands, _inbox) = mpsc::channel(1);
    let (_outbox, events) = mpsc::channel(1);
    line.mouth.attach_render(TtsSession { sample_rate_hz: HZ, commands, events });
    line.mouth.say(0, "one".into());
    line.mouth.say(1, "two".into());
    line.mouth.no_more_text();
    line.audio(word(1_000));
    line.tts(TtsEvent::SegmentDone);
    line.tts(TtsEvent::Done);
    line.open_session();
    line.tts(TtsEvent::Words { starts: vec![(0, 0)] });
    line.audio(word(2_000));
    line.tts(TtsEvent::SegmentDone);
    line.tts(TtsEvent::Done);
    line.until(1_000);
    assert_eq!(line.heard()[..2], [(1_000, 200), (2_000, 200)]);
    assert_eq!(line.played(ONE), Some((400, true)));
    let second = SynthesisInput::SegmentDone { segment: 1, end_ms: 400, words: vec![(0, 200)] };
    assert!(line.told.contains(&Input::Synthesis { utterance: ONE, event: second }));
}

/// A hum of loudness 5 behind everything.
struct Hum;

impl Background for Hum {
    fn mix(&mut self, frame: &mut [i16], is_voiced: bool) {
        let loudness = if is_voiced { 1 } else { 5 };
        frame.iter_mut().for_each(|sample| *sample += loudness);
    }
}

#[test]
fn a_background_is_heard_without_a_gap_and_the_voice_neither_waits_for_it_nor_loses_a_mark() {
    let mut line = Line::new();
    line.mouth.set_background(Some(Box::new(Hum)));
    line.until(1_000);
    line.open(ONE, "one two");
    line.until(1_200);
    line.audio(words(&[1_000]));
    line.until(2_000);
    assert_eq!(line.played(ONE), Some((200, false)));
    line.audio(words(&[2_000]));
    line.tts(TtsEvent::Done);
    line.until(3_000);
    assert_eq!(line.played(ONE), Some((400, true)));
    let heard = line.heard();
    assert!(heard.iter().all(|(loudness, _)| *loudness != 0), "{heard:?}");
    assert_eq!((heard[0].0, heard[1], heard[3]), (5, (1_001, 200), (2_001, 200)));
    assert!((1_200..=1_200 + BACKGROUND_AHEAD_MS_MIN).contains(&heard[0].1), "{heard:?}");
}

#[test]
fn an_agent_has_the_background_that_its_settings_ask_for() {
    let silent = Sound { comfort_noise: false, ambience: None, ..Sound::default() };
    assert!(background(&silent, HZ, 1).is_none());
    let page_hz = 16_000;
    assert!(background(&Sound { comfort_noise: true, ..silent.clone() }, page_hz, 1).is_none(), "a page needs no hiss");
    assert!(background(&Sound { ambience: Some(Ambience::Room), ..silent.clone() }, page_hz, 1).is_some());
    let loudness = |sound: &Sound| {
        let mut line = Line::new();
        line.mouth.set_background(background(sound, HZ, 1));
        line.until(2_000);
        media::level::rms_dbfs(line.ear.heard())
    };
    let hiss = loudness(&Sound { comfort_noise: true, ..silent.clone() });
    let office = loudness(&Sound { ambience: Some(Ambience::Office), ..silent });
    assert!((-70.0..-55.0).contains(&hiss) && office > hiss + 3.0 && office < -45.0, "{hiss} {office}");
}

/// The caller's phone rings, somebody picks up, the engine greets.
#[tokio::test(start_paused = true)]
async fn a_greeting_that_was_rendered_while_ringing_is_audible_within_60_ms_of_the_first_frame() {
    use crate::phrases::{Found, Phrases, toy};
    let toy = toy::Toy::new("toy", 400);
    let phrases = std::sync::Arc::new(Phrases::default());
    phrases.prepare(toy::renderer(&toy), ["Hello.".to_owned()]);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let mut line = Line::new();
    line.mouth.set_background(Some(Box::new(Hum)));
    line.until(1);
    line.mouth.begin(ONE);
    let Found::Ready(phrase) = phrases.find(&toy::renderer(&toy).key, "Hello.") else { panic!("it rang for long") };
    line.mouth.say_phrase(0, "Hello.", &phrase);
    line.until(1_000);
    let heard = line.heard();
    let loud = heard.iter().position(|(loudness, _)| *loudness > 50).unwrap();
    let silent_ms: u64 = heard[..loud].iter().map(|(_, ms)| ms).sum();
    assert!(silent_ms <= 60, "{silent_ms}");
}

#[test]
fn a_carrier_never_holds_more_of_the_background_than_its_share() {
    let mut line = Line::new();
    line.mouth.set_background(Some(Box::new(Hum)));
    for now in 1..500 {
        line.until(now);
        assert!(line.ear.queued_ms() <= BACKGROUND_AHEAD_MS);
    }
}
