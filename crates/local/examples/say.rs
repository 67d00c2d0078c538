//! Speaks a text into a WAV file and hears it back: `cargo run -p local --example say -- "text" out.wav`.

use local::models::ModelDir;
use local::speech::{Recognizer, Synthesizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or_else(|| "Hello, this is Frontdesk. How can I help you?".to_owned());
    let dir = ModelDir::locate()?;
    let synthesizer = Synthesizer::load(&dir)?;
    println!("symbols: {}", synthesizer.phonemes(&text)?);
    let speech = synthesizer.synthesize(&text)?;
    for (byte, ms) in &speech.words {
        let word = text[*byte..].split_whitespace().next().unwrap_or_default();
        println!("{ms:>6} ms  {word}");
    }
    if let Some(path) = arguments.next() {
        std::fs::write(path, wav(&speech.pcm, speech.sample_rate_hz))?;
    }
    let pcm_16k: Vec<i16> = (0..speech.pcm.len() * 2 / 3)
        .map(|i| {
            let (at, half) = (i * 3 / 2, i % 2 == 1);
            let next = speech.pcm[(at + 1).min(speech.pcm.len() - 1)];
            if half { ((i32::from(speech.pcm[at]) + i32::from(next)) / 2) as i16 } else { speech.pcm[at] }
        })
        .collect();
    println!("heard: {}", Recognizer::load_with(&dir, 1)?.recognize(&pcm_16k)?);
    Ok(())
}

fn wav(pcm: &[i16], rate_hz: u32) -> Vec<u8> {
    let bytes = pcm.len() as u32 * 2;
    let mut out = Vec::with_capacity(44 + bytes as usize);
    out.extend(b"RIFF");
    out.extend((36 + bytes).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend([1, 0, 1, 0]);
    out.extend(rate_hz.to_le_bytes());
    out.extend((rate_hz * 2).to_le_bytes());
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(bytes.to_le_bytes());
    out.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    out
}
