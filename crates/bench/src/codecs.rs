//! What the codecs cost: processor time for a message, for every provider of every kind, with the messages of its cassette.
//!
//! A socket and JSON cost what they cost anywhere; this is what a vendor's file adds. Time is that of the thread alone, as
//! the kernel counts it, so that whatever else runs on the machine does not show.

use crate::report;
use anyhow::{Context as _, bail};
use base::wire::Wire;
use providers::cassette::{Cassette, Step, received};
use providers::registry::Registry;
use providers::{embed, llm, realtime, stt, text, tts};
use serde::Serialize;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

/// Measures the codecs of the providers.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Milliseconds of processor time for each figure
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=5_000))]
    budget_ms: u64,
    /// Also write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Pieces into which a body is cut, in turn: one byte, then a few, so that every boundary is met.
const CUTS: [usize; 5] = [1, 2, 3, 5, 7];
const FRAME_MS: u32 = 20;
const RATE_HZ: u32 = 8_000;
const SENTENCE: &str = "On Saturday we are open from ten to four.";
/// A moment for the codecs that sign what they send.
const NOW_UNIX_MS: u64 = 1_700_000_000_000;

/// One provider. Times are in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    provider: &'static str,
    transport: String,
    /// Messages of the cassette that the service sends.
    messages: usize,
    /// For one of them.
    in_us: f64,
    /// For one of them where a body comes in pieces of a few bytes; a message of a socket cannot be split.
    split_us: Option<f64>,
    /// For what we send: a frame of audio, a sentence, a request.
    out_us: f64,
    out: &'static str,
}

/// Prints the table.
pub fn measure(options: &Options) -> anyhow::Result<()> {
    let clock = Clock { budget: Duration::from_millis(options.budget_ms) };
    let mut rows = Vec::new();
    for name in names(&stt::PROVIDERS) {
        rows.push(recogniser(&clock, name).with_context(|| format!("stt {name}"))?);
    }
    for name in names(&tts::PROVIDERS) {
        rows.push(voice(&clock, name).with_context(|| format!("tts {name}"))?);
    }
    for name in names(&llm::PROVIDERS) {
        rows.push(brain(&clock, name).with_context(|| format!("llm {name}"))?);
    }
    for name in names(&realtime::PROVIDERS) {
        rows.push(conversation(&clock, name).with_context(|| format!("realtime {name}"))?);
    }
    for name in names(&embed::PROVIDERS) {
        rows.push(embedder(&clock, name).with_context(|| format!("embed {name}"))?);
    }
    for name in names(&text::PROVIDERS) {
        rows.push(service(&clock, name).with_context(|| format!("text {name}"))?);
    }
    report::publish(&table(&rows), &rows, options.json.as_deref())
}

fn names<P: ?Sized>(registry: &Registry<P>) -> Vec<&'static str> {
    registry.descriptors().map(|descriptor| descriptor.name).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "processor time of the codecs, microseconds; messages are those of the cassettes\n\
         kind      provider          transport  messages  in: a message  split anywhere  out\n",
    );
    for row in rows {
        let split = row.split_us.map_or("-".to_owned(), |us| format!("{us:.2}"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<9} {:<17} {:<9} {:>9} {:>14.2} {:>15} {:>6.2} a {}",
            row.kind, row.provider, row.transport, row.messages, row.in_us, split, row.out_us, row.out
        );
    }
    text
}

/// Counts what this thread was given of the processor.
struct Clock {
    budget: Duration,
}

impl Clock {
    fn now() -> anyhow::Result<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("the kernel's count of a thread")?;
        let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Ok(Duration::from_nanos(nanos.context("the kernel's count of a thread is a number")?))
    }

    /// Processor time for one round of this, in microseconds.
    fn round_us(&self, mut round: impl FnMut()) -> anyhow::Result<f64> {
        round();
        let (began, mut rounds, mut batch) = (Self::now()?, 0u32, 1u32);
        loop {
            (0..batch).for_each(|_| round());
            rounds += batch;
            let spent = Self::now()?.saturating_sub(began);
            if spent >= self.budget {
                return Ok(spent.as_secs_f64() * 1e6 / f64::from(rounds));
            }
            // The kernel's count moves in ticks; few looks at it suffice.
            batch = batch.saturating_mul(2).min(1 << 16);
        }
    }
}

/// Everything that a recorded session makes a codec do.
enum Doing {
    Act(String, String),
    Receive(Wire),
}

fn doings(steps: &[Step], transport: base::wire::Transport) -> Vec<Doing> {
    let doing = |step: &Step| match step {
        Step::Open(_) => None,
        Step::Act(verb, rest) => Some(Doing::Act(verb.clone(), rest.clone())),
        Step::Receive(text) => Some(Doing::Receive(received(transport, text))),
    };
    steps.iter().filter_map(doing).collect()
}

/// Pieces of bodies are joined and cut anew; everything else stays.
fn cut(doings: &[Doing]) -> Vec<Doing> {
    let mut all = Vec::new();
    let mut sizes = CUTS.iter().cycle();
    for doing in doings {
        match doing {
            Doing::Receive(Wire::Binary(bytes)) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let size = sizes.next().map_or(1, |size| (*size).min(rest.len()));
                    all.push(Doing::Receive(Wire::Binary(rest[..size].to_vec())));
                    rest = &rest[size..];
                }
            }
            Doing::Receive(wire) => all.push(Doing::Receive(wire.clone())),
            Doing::Act(verb, rest) => all.push(Doing::Act(verb.clone(), rest.clone())),
        }
    }
    all
}

fn count(sessions: &[Vec<Doing>]) -> usize {
    sessions.iter().flatten().filter(|doing| matches!(doing, Doing::Receive(_))).count()
}

fn without_messages(sessions: &[Vec<Doing>]) -> Vec<Vec<Doing>> {
    let act = |doing: &Doing| match doing {
        Doing::Act(verb, rest) => Some(Doing::Act(verb.clone(), rest.clone())),
        Doing::Receive(_) => None,
    };
    sessions.iter().map(|session| session.iter().filter_map(act).collect()).collect()
}

/// What a message costs: a whole session less one in which nothing comes, divided by what comes.
fn message_us(with: f64, without: f64, messages: usize) -> f64 {
    (with - without).max(0.0) / messages.max(1) as f64
}

fn loud(ms: u32) -> Vec<i16> {
    (0..ms * RATE_HZ / 1_000).map(|n| (n as i16).wrapping_mul(137)).collect()
}

/// The words of `open RATE LANGUAGE [MORE…]`.
fn opening(steps: &[Step]) -> anyhow::Result<(u32, String, Vec<String>)> {
    let Some(Step::Open(open)) = steps.first() else { bail!("a session begins with open") };
    let mut words = open.split_whitespace();
    let rate = words.next().and_then(|rate| rate.parse().ok()).context("open RATE")?;
    let language = words.next().context("open RATE LANGUAGE")?.to_owned();
    Ok((rate, language, words.map(str::to_owned).collect()))
}

fn recogniser(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("stt", name);
    let provider = stt::PROVIDERS.open(name, &cassette.options())?;
    let steps = cassette.sessions();
    let (_, language, hints) = opening(&steps[0])?;
    let open = stt::SttOpen { sample_rate_hz: RATE_HZ, language, hints, now_unix_ms: NOW_UNIX_MS };
    let transport = provider.protocol().connect(&open).transport;
    let sessions: Vec<Vec<Doing>> = steps.iter().map(|steps| doings(steps, transport)).collect();
    let play = |sessions: &[Vec<Doing>]| {
        for session in sessions {
            let (mut codec, mut sent, mut events) = (provider.protocol(), Vec::new(), Vec::new());
            black_box(codec.connect(&open));
            for doing in session {
                match doing {
                    Doing::Receive(wire) => codec.on_message(wire, &mut events),
                    Doing::Act(verb, rest) => match verb.as_str() {
                        // Their cost has a figure of its own.
                        "audio" => codec.on_audio(&[0; 160], &mut sent),
                        "speech" => codec.on_speech(rest == "on", &mut sent),
                        "finalize" => codec.finalize(&mut sent),
                        "keep-alive" => codec.keep_alive(&mut sent),
                        _ => {}
                    },
                }
                sent.clear();
            }
            black_box(&events);
        }
    };
    let frame = loud(FRAME_MS);
    let (mut codec, mut sent) = (provider.protocol(), Vec::new());
    codec.connect(&open);
    let mut frames = 0;
    let out_us = clock.round_us(|| {
        codec.on_audio(&frame, &mut sent);
        frames += 1;
        // A recogniser of whole utterances sends what it kept; others have little left.
        if frames % 250 == 0 {
            codec = provider.protocol();
            codec.connect(&open);
        }
        black_box(&sent);
        sent.clear();
    })?;
    let (in_us, split_us) = incoming(clock, &sessions, transport, play)?;
    let messages = count(&sessions);
    let transport = format!("{transport:?}");
    Ok(Row { kind: "stt", provider: name, transport, messages, in_us, split_us, out_us, out: "frame of 20 ms" })
}

/// What a message costs whole, and split where the transport splits.
fn incoming(
    clock: &Clock,
    sessions: &[Vec<Doing>],
    transport: base::wire::Transport,
    play: impl Fn(&[Vec<Doing>]),
) -> anyhow::Result<(f64, Option<f64>)> {
    let messages = count(sessions);
    let acts = without_messages(sessions);
    let without = clock.round_us(|| play(&acts))?;
    let whole = message_us(clock.round_us(|| play(sessions))?, without, messages);
    if transport != base::wire::Transport::Http {
        return Ok((whole, None));
    }
    let pieces: Vec<Vec<Doing>> = sessions.iter().map(|session| cut(session)).collect();
    Ok((whole, Some(message_us(clock.round_us(|| play(&pieces))?, without, messages))))
}

fn voice(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("tts", name);
    let provider = tts::PROVIDERS.open(name, &cassette.options())?;
    let steps = cassette.sessions();
    let mut sessions = Vec::new();
    let mut transport = base::wire::Transport::WebSocket;
    for steps in &steps {
        let (sample_rate_hz, language, words) = opening(steps)?;
        let voice = words.into_iter().next();
        let open = tts::TtsOpen { sample_rate_hz, language, voice, now_unix_ms: NOW_UNIX_MS };
        transport = provider.protocol().connect(&open).transport;
        sessions.push((open, doings(steps, transport)));
    }
    let opens: Vec<tts::TtsOpen> = sessions.iter().map(|(open, _)| open.clone()).collect();
    let sessions: Vec<Vec<Doing>> = sessions.into_iter().map(|(_, doings)| doings).collect();
    let play = |sessions: &[Vec<Doing>]| {
        for (open, session) in opens.iter().zip(sessions) {
            let (mut codec, mut sent, mut events) = (provider.protocol(), Vec::new(), Vec::new());
            black_box(codec.connect(open));
            for doing in session {
                match doing {
                    Doing::Receive(Wire::Close(code, _)) => codec.on_close(*code, &mut events),
                    Doing::Receive(wire) => codec.on_message(wire, &mut events),
                    Doing::Act(verb, rest) => match verb.as_str() {
                        "text" => codec.on_text(rest, &mut sent),
                        "flush" => codec.flush(&mut sent),
                        "cancel" => codec.cancel(&mut sent),
                        _ => {}
                    },
                }
                codec.poll(&mut sent, &mut events);
            }
            black_box((&events, &sent));
        }
    };
    let out_us = clock.round_us(|| {
        let (mut codec, mut sent) = (provider.protocol(), Vec::new());
        codec.connect(&opens[0]);
        codec.on_text(SENTENCE, &mut sent);
        codec.poll(&mut sent, &mut Vec::new());
        codec.flush(&mut sent);
        black_box(&sent);
    })?;
    let (in_us, split_us) = incoming(clock, &sessions, transport, play)?;
    let messages = count(&sessions);
    let transport = format!("{transport:?}");
    Ok(Row { kind: "tts", provider: name, transport, messages, in_us, split_us, out_us, out: "sentence, opened anew" })
}

fn conversation(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("realtime", name);
    let provider = realtime::PROVIDERS.open(name, &cassette.options())?;
    let mut opens: Vec<realtime::RealtimeOpen> = Vec::new();
    let mut sessions = Vec::new();
    for steps in cassette.sessions() {
        let Some(Step::Open(open)) = steps.first() else { bail!("a session begins with open") };
        opens.push(serde_json::from_str(open).context("open REALTIME_OPEN")?);
        sessions.push(doings(&steps, base::wire::Transport::WebSocket));
    }
    let play = |sessions: &[Vec<Doing>]| {
        for (open, session) in opens.iter().zip(sessions) {
            let (mut codec, mut sent, mut events) = (provider.protocol(), Vec::new(), Vec::new());
            black_box(codec.connect(open));
            for doing in session {
                match doing {
                    Doing::Receive(wire) => codec.on_message(wire, &mut events, &mut sent),
                    Doing::Act(verb, rest) => match verb.as_str() {
                        "audio" => codec.on_audio(&[0; 160], &mut sent),
                        "speech" => codec.speech_started(&mut sent),
                        "commit" => drop(codec.commit(&mut sent)),
                        "cancel" => codec.cancel(&mut sent),
                        "add" => drop(serde_json::from_str(rest).map(|item| codec.add(&item, &mut sent))),
                        "respond" => drop(serde_json::from_str(rest).map(|ask| codec.respond(&ask, &mut sent))),
                        _ => {}
                    },
                }
            }
            black_box((&events, &sent));
        }
    };
    let (mut codec, mut sent) = (provider.protocol(), Vec::new());
    codec.connect(&opens[0]);
    let frame = vec![1_000; (codec.input_rate_hz() * FRAME_MS / 1_000) as usize];
    let out_us = clock.round_us(|| {
        codec.on_audio(&frame, &mut sent);
        black_box(&sent);
        sent.clear();
    })?;
    let transport = base::wire::Transport::WebSocket;
    let (in_us, split_us) = incoming(clock, &sessions, transport, play)?;
    let messages = count(&sessions);
    let transport = format!("{transport:?}");
    Ok(Row { kind: "realtime", provider: name, transport, messages, in_us, split_us, out_us, out: "frame of 20 ms" })
}

/// What each session asks, as it stands behind `open`, and the lines that answer it.
fn exchanges(cassette: &Cassette) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let exchange = |steps: Vec<Step>| {
        let Some(Step::Open(open)) = steps.first() else { bail!("a session begins with open") };
        let lines = steps.iter().filter_map(|step| match step {
            Step::Receive(line) => Some(format!("{line}\n")),
            _ => None,
        });
        Ok((open.clone(), lines.collect()))
    };
    cassette.sessions().into_iter().map(exchange).collect()
}

/// Gives an answer, whole or line by line, to whoever reads it, in the pieces that are measured.
type Split = fn(&str, &[String], &mut dyn FnMut(&[u8]));

fn brain(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("llm", name);
    let provider = llm::PROVIDERS.open(name, &cassette.options())?;
    let mut sessions = Vec::new();
    for (open, lines) in exchanges(&cassette)? {
        sessions.push((serde_json::from_str(&open).context("open GENERATION_REQUEST")?, lines.concat(), lines));
    }
    let messages = sessions.iter().flat_map(|(_, _, lines)| lines).filter(|line| !line.trim().is_empty()).count();
    let play = |pieces: Split| {
        for (request, body, lines) in &sessions {
            let (mut codec, mut events) = (provider.protocol(), Vec::new());
            black_box(codec.request(request));
            pieces(body, lines, &mut |piece| codec.on_bytes(piece, &mut events));
            codec.on_end(&mut events);
            black_box(&events);
        }
    };
    let without = clock.round_us(|| play(|_, _, _| ()))?;
    let whole =
        clock.round_us(|| play(|_, lines, on_bytes| lines.iter().for_each(|line| on_bytes(line.as_bytes()))))?;
    let split = clock.round_us(|| {
        play(|body, _, on_bytes| {
            let (mut rest, mut sizes) = (body.as_bytes(), CUTS.iter().cycle());
            while !rest.is_empty() {
                let size = sizes.next().map_or(1, |size| (*size).min(rest.len()));
                on_bytes(&rest[..size]);
                rest = &rest[size..];
            }
        })
    })?;
    let out_us = clock.round_us(|| {
        black_box(provider.protocol().request(&sessions[0].0));
    })?;
    Ok(Row {
        kind: "llm",
        provider: name,
        transport: "Http".to_owned(),
        messages,
        in_us: message_us(whole, without, messages),
        split_us: Some(message_us(split, without, messages)),
        out_us,
        out: "request",
    })
}

/// The row of a provider whose answers are read whole.
fn whole_answers<R: serde::de::DeserializeOwned>(
    clock: &Clock,
    (kind, name): (&'static str, &'static str),
    cassette: &Cassette,
    answer: impl Fn(&R, Option<&[u8]>),
) -> anyhow::Result<Row> {
    let mut sessions: Vec<(R, Vec<u8>)> = Vec::new();
    for (open, lines) in exchanges(cassette)? {
        let body = lines.iter().map(|line| line.trim_end_matches('\n')).collect::<String>();
        sessions.push((serde_json::from_str(&open).context("open REQUEST")?, body.into_bytes()));
    }
    let messages = sessions.len();
    let play = |read: bool| sessions.iter().for_each(|(request, body)| answer(request, read.then_some(body)));
    let without = clock.round_us(|| play(false))?;
    let in_us = message_us(clock.round_us(|| play(true))?, without, messages);
    let out_us = without / messages as f64;
    let transport = "Http".to_owned();
    Ok(Row { kind, provider: name, transport, messages, in_us, split_us: None, out_us, out: "request" })
}

fn embedder(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("embed", name);
    let provider = embed::PROVIDERS.open(name, &cassette.options())?;
    whole_answers(clock, ("embed", name), &cassette, |request: &embed::EmbedRequest, body| {
        let mut codec = provider.protocol();
        black_box(codec.request(request));
        black_box(body.map(|body| codec.on_body(body).is_ok()));
    })
}

fn service(clock: &Clock, name: &'static str) -> anyhow::Result<Row> {
    let cassette = Cassette::load("text", name);
    let provider = text::PROVIDERS.open(name, &cassette.options())?;
    whole_answers(clock, ("text", name), &cassette, |request: &text::TextRequest, body| {
        let mut codec = provider.protocol();
        black_box(codec.request(request));
        black_box(body.map(|body| codec.on_body(body).is_ok()));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_a_figure_for_what_comes_and_for_what_goes() {
        let clock = Clock { budget: Duration::from_micros(200) };
        for name in names(&stt::PROVIDERS) {
            let row = recogniser(&clock, name).expect(name);
            assert!(row.messages > 0 && row.out_us > 0.0, "{row:?}");
            assert_eq!(row.split_us.is_some(), row.transport == "Http", "{row:?}");
        }
        for name in names(&tts::PROVIDERS) {
            let row = voice(&clock, name).expect(name);
            assert!(row.messages > 0 && row.out_us > 0.0, "{row:?}");
        }
        for name in names(&llm::PROVIDERS) {
            assert!(brain(&clock, name).expect(name).split_us.is_some());
        }
        for name in names(&realtime::PROVIDERS) {
            assert!(conversation(&clock, name).expect(name).out_us > 0.0);
        }
        for name in names(&embed::PROVIDERS) {
            assert!(embedder(&clock, name).expect(name).out_us > 0.0);
        }
        for name in names(&text::PROVIDERS) {
            assert!(service(&clock, name).expect(name).out_us > 0.0);
        }
    }

    #[test]
    fn a_body_is_cut_into_pieces_that_are_the_body() {
        let body: Vec<u8> = (0..50).collect();
        let pieces = cut(&[Doing::Receive(Wire::Binary(body.clone())), Doing::Receive(Wire::End)]);
        let joined = pieces.iter().flat_map(|piece| match piece {
            Doing::Receive(Wire::Binary(bytes)) => bytes.clone(),
            _ => Vec::new(),
        });
        assert_eq!(joined.collect::<Vec<u8>>(), body);
        assert!(pieces.len() > 10 && matches!(pieces.last(), Some(Doing::Receive(Wire::End))));
    }
}
