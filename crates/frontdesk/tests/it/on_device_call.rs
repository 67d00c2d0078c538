//! Whole calls over the loopback line at 8 kHz µ-law, with nothing but the models of this machine, on a clock of their own
//! (`clock`): it stands still while a model thinks, so that a slow machine hears the same call.

use crate::clock;
use frontdesk::caller::{self, Outcome, Said, Step};
use frontdesk::config::{self, Config, Sources};
use frontdesk::wiring::{self, Wired};
use model::journal::{Entry, Record};

struct Shop {
    wired: Wired,
    _data: tempfile::TempDir,
}

impl Shop {
    /// The demonstration business on models of this machine alone, whatever the environment offers.
    async fn open() -> Self {
        let data = tempfile::tempdir().expect("temp dir");
        let overrides = [
            ("data.dir", data.path().to_string_lossy().into_owned()),
            ("stt.provider", "local".to_owned()),
            ("tts.provider", "local".to_owned()),
            ("brain.provider", "local".to_owned()),
        ];
        let empty = tempfile::NamedTempFile::new().expect("temp file");
        let sources = Sources { file: Some(empty.path()), env: &|_| None, overrides: &overrides };
        let config: Config = config::load(&sources).expect("valid configuration");
        let wired = wiring::wire(&config, &|_| None).await.expect("models are here: run `cargo xtask models`");
        Self { wired, _data: data }
    }

    fn say(&self, words: &str) -> Step {
        Step::Say { label: words.into(), pcm: self.voice(words) }
    }

    fn voice(&self, words: &str) -> Vec<i16> {
        let on_device = self.wired.on_device.as_ref().expect("on device");
        let speech = on_device.synthesizer.synthesize(words).expect("speech");
        caller::for_the_line(&speech.pcm, speech.sample_rate_hz)
    }

    async fn call(&self, steps: Vec<Step>) -> Outcome {
        let on_device = self.wired.on_device.clone().expect("on device");
        let call = caller::call(&self.wired.node, self.wired.scope, None, steps, |_| {});
        clock::fly(move || on_device.is_idle(), call).await.expect("taken")
    }

    async fn journal(&self, outcome: &Outcome) -> Vec<Record> {
        let call = outcome.call.expect("a call");
        self.wired.store.journal(&self.wired.scope, call).await.expect("journal")
    }

    /// What the agent said after the caller's line with this label.
    fn answer<'a>(outcome: &'a Outcome, label: &str) -> &'a str {
        let asked =
            outcome.said.iter().position(|said| matches!(said, Said::Caller { label: one, .. } if one == label));
        let after = &outcome.said[asked.unwrap_or_else(|| panic!("{label} was not said: {outcome:#?}"))..];
        let agent = after.iter().find_map(|said| match said {
            Said::Agent { text, .. } => Some(text.as_str()),
            _ => None,
        });
        agent.unwrap_or_else(|| panic!("no answer to {label}: {:#?}", outcome.said))
    }
}

fn heard_texts(journal: &[Record]) -> Vec<(String, bool)> {
    let turns = journal.iter().filter_map(|record| match &record.entry {
        Entry::AgentTurn { heard, complete, .. } => Some((heard.expose().clone(), *complete)),
        _ => None,
    });
    turns.collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_caller_asks_five_questions_by_voice_and_hears_the_documents_and_nothing_else() {
    let shop = Shop::open().await;
    let help = include_str!("../../../../fixtures/demo/help.md");
    let interrupting = "Sorry, how much does a basic service cost?";
    let outcome = shop
        .call(vec![
            shop.say("Are you open on Saturday?"),
            shop.say("Do you deliver to Austria?"),
            shop.say("How long is the warranty on the frame?"),
            Step::Interrupt { after_ms: 2_500, label: interrupting.into(), pcm: shop.voice(interrupting) },
            shop.say("Who founded the company?"),
        ])
        .await;
    assert_eq!(outcome.steps_left, 0, "{:#?}", outcome.said);

    // Right answers, word for word from the documents.
    for (question, fact) in [
        ("Are you open on Saturday?", "on Saturday from 9:00 to 16:00"),
        ("Do you deliver to Austria?", "We deliver to Germany, Austria"),
        ("How long is the warranty on the frame?", "Every bicycle has a 5 year warranty"),
        (interrupting, "A basic service costs 59 euros"),
    ] {
        let answer = Shop::answer(&outcome, question);
        assert!(answer.contains(fact) || fact.starts_with(answer), "{question}: {answer}");
    }
    let journal = shop.journal(&outcome).await;
    for record in &journal {
        if let Entry::AgentTurn { citations, .. } = &record.entry {
            for citation in citations {
                for sentence in citation.quote.split_inclusive(". ") {
                    assert!(help.contains(sentence.trim()), "not in the documents: {sentence}");
                }
            }
        }
    }

    // Nothing invented for what the documents do not say.
    let answer = Shop::answer(&outcome, "Who founded the company?");
    assert!(!answer.chars().any(|c| c.is_ascii_digit()), "{answer}");
    assert!(answer.contains("colleague") || answer.contains("closest"), "{answer}");

    // The interruption stopped the speech at once, and the journal holds exactly what was heard of it.
    assert_eq!(outcome.interruption_stop_ms.len(), 1, "{outcome:?}");
    assert!(outcome.interruption_stop_ms[0] < 800, "stopped after {:?} ms", outcome.interruption_stop_ms);
    let cut: Vec<_> = heard_texts(&journal).into_iter().filter(|(_, complete)| !complete).collect();
    assert_eq!(cut.len(), 1, "{cut:?}");
    let whole = "Every bicycle has a 5 year warranty on the frame and a 2 year warranty on all other parts.";
    assert!(whole.starts_with(&cut[0].0) && cut[0].0.len() < whole.len(), "{cut:?}");
    assert!(cut[0].0.starts_with("Every bicycle has"), "two and a half seconds are more than three words: {cut:?}");
    assert!(matches!(journal.last().map(|record| &record.entry), Some(Entry::Ended { .. })));

    // What the page and the command line showed is what the journal holds.
    let said = outcome.said.iter().filter_map(|said| match said {
        Said::Agent { text, complete, .. } => Some((text.clone(), *complete)),
        _ => None,
    });
    let said: Vec<_> = said.collect();
    assert_eq!(said, heard_texts(&journal)[..said.len()]);

    recorded_inputs_replay(&shop, &outcome).await;
    recording_holds_both_sides(&shop, &outcome).await;
}

async fn recorded_inputs_replay(shop: &Shop, outcome: &Outcome) {
    let call = outcome.call.expect("a call");
    let mut text = String::new();
    let mut next = 0;
    loop {
        let lines = shop.wired.store.inputs(&shop.wired.scope, call, next).await.expect("inputs");
        let Some((last, _)) = lines.last() else { break };
        next = last + 1;
        lines.iter().for_each(|(_, line)| {
            text.push_str(line);
            text.push('\n');
        });
    }
    let replayed = runtime::replay::run(&text).expect("the same outputs");
    assert!(replayed.inputs > 50 && replayed.outputs > 50, "{replayed:?}");
}

async fn recording_holds_both_sides(shop: &Shop, outcome: &Outcome) {
    let call = shop.wired.store.call(&shop.wired.scope, outcome.call.expect("a call")).await.expect("row");
    let path = shop.wired.recordings_dir.join(call.recording.expect("recorded"));
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("whole");
    let loud =
        |side: usize| samples.iter().skip(side).step_by(2).filter(|sample| sample.unsigned_abs() > 1_000).count();
    assert!(loud(0) > 8_000 && loud(1) > 8_000, "caller {} agent {}", loud(0), loud(1));
}

#[tokio::test(flavor = "current_thread")]
async fn an_order_is_looked_up_and_a_booking_waits_for_a_yes() {
    let shop = Shop::open().await;
    let outcome = shop
        .call(vec![
            shop.say("Where is my order four eight two one three?"),
            shop.say("I would like to book a basic service for Tuesday."),
            shop.say("Yes, please."),
            shop.say("Thank you, goodbye."),
        ])
        .await;
    let status = Shop::answer(&outcome, "Where is my order four eight two one three?");
    assert!(status.contains("on its way"), "{:#?}", outcome.said);
    let asked = Shop::answer(&outcome, "I would like to book a basic service for Tuesday.");
    assert!(asked.contains("Shall I book a basic service for Tuesday"), "{:#?}", outcome.said);
    let done = Shop::answer(&outcome, "Yes, please.");
    assert!(done.contains("booked for Tuesday"), "{:#?}", outcome.said);
    assert!(outcome.ended.is_some(), "the agent says goodbye and hangs up: {:#?}", outcome.said);

    let journal = shop.journal(&outcome).await;
    let at = |wanted: fn(&Entry) -> bool| journal.iter().position(|record| wanted(&record.entry));
    let yes = at(|entry| matches!(entry, Entry::ConfirmationAnswered { yes: true, .. })).expect("a yes");
    let started =
        at(|entry| matches!(entry, Entry::ToolStarted { name, .. } if name == "book_repair")).expect("a start");
    assert!(yes < started, "the yes comes before the effect");
    let rows = shop.wired.store.rows(&shop.wired.scope, "bookings", None).await.expect("rows");
    let mine: Vec<_> = rows.iter().filter(|(_, row)| row.get("call").is_some()).collect();
    assert_eq!(mine.len(), 1, "{rows:?}");
    assert_eq!(mine[0].1["service"], "basic");
}
