use super::toy::{Toy, audio, renderer};
use super::*;
use providers::tts::TtsEvent;

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn kept(phrases: &Phrases, toy: &Arc<Toy>, text: &str) -> Option<Phrase> {
    match phrases.find(&renderer(toy).key, text) {
        Found::Ready(phrase) => Some(phrase),
        Found::Coming(_) | Found::Missing => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_rendered_once_whoever_asks_for_it_and_how_often() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 50));
    for _ in 0..5 {
        phrases.prepare(renderer(&toy), lines(&["Hello.", " One moment. ", "Hello."]));
    }
    pass(1_000).await;
    let phrase = kept(&phrases, &toy, "One moment.").unwrap();
    assert_eq!((phrase.pcm.to_vec(), phrase.words.to_vec()), (audio("One moment."), vec![(0, 0)]));
    assert!(kept(&phrases, &toy, "Hello.").is_some());
    assert_eq!(toy.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_say_a_line_that_is_being_rendered_hears_it_grow_from_its_beginning() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 50));
    phrases.prepare(renderer(&toy), lines(&["Good morning."]));
    pass(60).await;
    let Found::Coming(mut session) = phrases.find(&renderer(&toy).key, "Good morning.") else {
        panic!("the render is under way")
    };
    let (mut pcm, mut last, began) = (Vec::new(), None, Instant::now());
    let mut first_ms = None;
    while let Some(event) = session.events.recv().await {
        if let TtsEvent::Audio { pcm: more } = &event {
            first_ms.get_or_insert(began.elapsed().as_millis());
            pcm.extend_from_slice(more);
        }
        last = Some(event);
    }
    assert_eq!((pcm, last), (audio("Good morning."), Some(TtsEvent::Done)));
    assert!(first_ms.unwrap() <= 5, "what was made before is there at once");
    assert_eq!(toy.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_render_that_has_said_nothing_for_long_is_not_joined() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 5_000));
    phrases.prepare(renderer(&toy), lines(&["Hello."]));
    pass(JOIN_SILENT_MS_MAX + 50).await;
    assert!(matches!(phrases.find(&renderer(&toy).key, "Hello."), Found::Missing));
}

#[tokio::test(start_paused = true)]
async fn who_joined_a_render_that_stays_silent_is_told_in_time_to_ask_somebody_else() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 5_000));
    phrases.prepare(renderer(&toy), lines(&["Hello."]));
    pass(100).await;
    let Found::Coming(mut session) = phrases.find(&renderer(&toy).key, "Hello.") else { panic!("it is young") };
    let joined = Instant::now();
    assert!(matches!(session.events.recv().await, Some(TtsEvent::Failed(_))));
    assert!(joined.elapsed().as_millis() <= u128::from(limits::HEDGE_TTS_MS) + 5);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_kept_and_the_line_is_there_after_a_later_attempt() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 10));
    toy.fail(2);
    phrases.prepare(renderer(&toy), lines(&["Hello.", "Goodbye."]));
    pass(100).await;
    assert!(matches!(phrases.find(&renderer(&toy).key, "Hello."), Found::Missing));
    pass(limits::PHRASE_RETRY_MS * 4).await;
    assert!(kept(&phrases, &toy, "Hello.").is_some() && kept(&phrases, &toy, "Goodbye.").is_some());
    assert_eq!(toy.opened(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_not_asked_for_ever() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 10));
    toy.fail(usize::MAX);
    phrases.prepare(renderer(&toy), lines(&["Hello.", "Goodbye."]));
    pass(3_600_000).await;
    assert!(toy.opened() <= limits::PHRASE_ATTEMPTS_MAX as usize + 1, "{}", toy.opened());
}

#[tokio::test(start_paused = true)]
async fn the_line_used_least_recently_makes_room() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 1));
    let texts: Vec<String> = (0..limits::PHRASES_PER_VOICE_MAX).map(|n| format!("Line {n}.")).collect();
    phrases.render_all(&renderer(&toy), texts).await;
    assert!(kept(&phrases, &toy, "Line 0.").is_some());
    phrases.render_all(&renderer(&toy), lines(&["One more."])).await;
    pass(100).await;
    assert!(kept(&phrases, &toy, "Line 0.").is_some() && kept(&phrases, &toy, "One more.").is_some());
    assert!(kept(&phrases, &toy, "Line 1.").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_interlude_takes_a_strange_voice_of_the_language_rather_than_none() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 1));
    phrases.prepare(renderer(&toy), lines(&["One moment."]));
    pass(500).await;
    let other = VoiceKey { provider: "other".into(), ..renderer(&toy).key };
    assert!(matches!(phrases.find(&other, "One moment."), Found::Missing));
    assert_eq!(phrases.find_any(&other, "One moment.").unwrap().pcm.to_vec(), audio("One moment."));
    let page = VoiceKey { rate_hz: 16_000, ..other.clone() };
    let resampled = phrases.find_any(&page, "One moment.").unwrap().pcm.len();
    assert!(resampled.abs_diff(audio("One moment.").len() * 2) < 200, "{resampled}");
    let foreign = VoiceKey { language: "de".into(), ..other };
    assert!(phrases.find_any(&foreign, "One moment.").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_empty_or_longer_than_a_segment_is_not_rendered() {
    let (phrases, toy) = (Arc::new(Phrases::default()), Toy::new("toy", 1));
    phrases.prepare(renderer(&toy), ["  ".to_owned(), "long ".repeat(100)]);
    pass(500).await;
    assert_eq!(toy.opened(), 0);
}
