//! Writes a sentence as a WAV file, for tests that need a spoken question: `cargo run -p local --example say -- "…" out.wav`.

use local::speech::{ModelDir, Synthesizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(text), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: say TEXT FILE".into());
    };
    let speech = Synthesizer::load(&ModelDir::locate()?)?.synthesize(&text)?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: speech.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    speech.pcm.iter().try_for_each(|sample| writer.write_sample(*sample))?;
    writer.finalize()?;
    Ok(())
}
