//! What speech on this machine costs and how well it is understood:
//! `cargo run -p local --example measure_speech -- [sentences]`.
//!
//! The voice says built-in support sentences, the recogniser hears them at 16 kHz and through a telephone line (8 kHz,
//! µ-law), and words are compared after the same normalisation on both sides. Costs are CPU time (Linux).

use local::models::ModelDir;
use local::speech::{NeuralVad, Recognizer, Synthesizer, TurnJudge, spoken};
use media::g711::Law;
use media::resample::Resampler;
use std::error::Error;
use std::time::Instant;

const SENTENCES: [&str; 24] = [
    "Hello, thanks for calling. How can I help you today?",
    "Your order has shipped and will arrive on Friday.",
    "I can book you a table for four at seven thirty.",
    "The delivery costs four euros and ninety cents.",
    "Would you like me to send you a confirmation by text message?",
    "I am sorry, we are closed on public holidays.",
    "You can return any item within thirty days of delivery.",
    "Let me check that for you, one moment please.",
    "Your appointment with Doctor Smith is on the third of March.",
    "Could you tell me your order number, please?",
    "The refund was sent to your card yesterday.",
    "I will connect you with a colleague who can help.",
    "Please say yes if that is correct, or no to start again.",
    "Our shop in Hamburg opens at nine in the morning.",
    "The blue jacket is out of stock, but the green one is available.",
    "We do not have that information, but I can take a message.",
    "Is there anything else I can do for you?",
    "Your subscription renews on the first day of every month.",
    "The technician will call you thirty minutes before he arrives.",
    "You have two hundred and fifty points on your account.",
    "Please hold the line while I look up your booking.",
    "There is a service fee of twenty dollars for late changes.",
    "I have changed your delivery address to fifteen Garden Street.",
    "Thank you for your patience, and have a wonderful day.",
];

/// CPU time of all threads so far, in milliseconds.
fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e6
}

fn resampled(pcm: &[i16], from_hz: u32, to_hz: u32) -> Result<Vec<i16>, Box<dyn Error>> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut out = Vec::new();
    resampler.process(pcm, &mut out);
    resampler.flush(&mut out);
    Ok(out)
}

/// Down to 8 kHz, through µ-law, and up to 16 kHz: what a caller sends.
fn telephone(pcm_24k: &[i16]) -> Result<(Vec<i16>, Vec<i16>), Box<dyn Error>> {
    let narrow = resampled(pcm_24k, 24_000, 8_000)?;
    let (mut coded, mut decoded) = (Vec::new(), Vec::new());
    Law::Ulaw.encode(&narrow, &mut coded);
    Law::Ulaw.decode(&coded, &mut decoded);
    let wide = resampled(&decoded, 8_000, 16_000)?;
    Ok((decoded, wide))
}

/// Lower-case words with numbers written out, so that "4.90 euros" and "four euros and ninety cents" are the same.
fn words(text: &str) -> Vec<String> {
    let said = spoken::normalize(text).text.to_lowercase().replace(['-', '\''], " ");
    let kept: String = said.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect();
    kept.split_whitespace().map(str::to_owned).collect()
}

/// Words that must be changed, added or left out.
fn word_errors(expected: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, wanted) in expected.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, got) in heard.iter().enumerate() {
            let replaced = corner + usize::from(wanted != got);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}

#[derive(Default)]
struct Costs(Vec<f64>);

impl Costs {
    fn add<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = cpu_ms();
        let result = work();
        self.0.push(cpu_ms() - before);
        result
    }

    fn line(&mut self, what: &str) {
        self.0.sort_by(f64::total_cmp);
        let at =
            |share: f64| self.0.get(((self.0.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(0.0);
        let mean = self.0.iter().sum::<f64>() / self.0.len().max(1) as f64;
        println!("{what}: mean {mean:.1}, median {:.1}, p95 {:.1}, most {:.1} ms CPU", at(0.5), at(0.95), at(1.0));
    }
}

fn load<T>(what: &str, load: impl FnOnce() -> T) -> T {
    let (started, before) = (Instant::now(), cpu_ms());
    let loaded = load();
    println!("load {what}: {:.0} ms CPU, {:.0} ms wall", cpu_ms() - before, started.elapsed().as_secs_f64() * 1e3);
    loaded
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(SENTENCES.len());
    let dir = ModelDir::locate()?;
    let voice = load("voice", || Synthesizer::load(&dir))?;
    let ears = load("recogniser (two sessions)", || Recognizer::load(&dir))?;
    let vad = load("voice activity", || NeuralVad::load(&dir))?;
    let judge = load("end of turn", || TurnJudge::load(&dir))?;

    let (mut tts, mut stt, mut turn) = (Costs::default(), Costs::default(), Costs::default());
    let (mut audio_s, mut vad_ms) = (0.0, 0.0);
    let (mut total, mut wrong_wide, mut wrong_narrow) = (0, 0, 0);
    for sentence in SENTENCES.into_iter().cycle().take(count) {
        let speech = tts.add(|| voice.synthesize(sentence))?;
        audio_s += speech.pcm.len() as f64 / 24_000.0;
        let wide = resampled(&speech.pcm, 24_000, 16_000)?;
        let (line, narrow) = telephone(&speech.pcm)?;
        let heard_wide = stt.add(|| ears.recognize(&wide))?;
        let heard_narrow = stt.add(|| ears.recognize(&narrow))?;
        turn.add(|| judge.probability(&narrow))?;
        let before = cpu_ms();
        let mut session = vad.session(8_000)?;
        for frame in line.chunks(160) {
            session.push(frame);
        }
        vad_ms += cpu_ms() - before;
        let expected = words(sentence);
        total += expected.len();
        let (wide_errors, narrow_errors) =
            (word_errors(&expected, &words(&heard_wide)), word_errors(&expected, &words(&heard_narrow)));
        wrong_wide += wide_errors;
        wrong_narrow += narrow_errors;
        for (errors, heard) in [(wide_errors, &heard_wide), (narrow_errors, &heard_narrow)] {
            if errors > 0 {
                println!("  {errors} wrong: {sentence:?} heard as {heard:?}");
            }
        }
    }
    println!("{count} sentences, {audio_s:.1} s of speech, {total} words");
    tts.line("synthesis of a sentence");
    stt.line("recognition of an utterance after its end");
    turn.line("judging the end of a turn");
    println!("voice activity: {:.4} of a core per caller", vad_ms / 1e3 / audio_s);
    let percent = |wrong: usize| wrong as f64 * 100.0 / total.max(1) as f64;
    println!(
        "word errors: {:.1} % at 16 kHz, {:.1} % through the telephone",
        percent(wrong_wide),
        percent(wrong_narrow)
    );
    Ok(())
}
