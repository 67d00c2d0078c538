//! Recorded calls: files of sound into samples. Runs in the child process, as the parsers do.
//!
//! WAV (PCM, G.711, ADPCM), FLAC, Ogg Vorbis and MP3, with one or two channels. Two channels that say the same are one.

use crate::refusal::Refusal;
use base::limits;
use media::Resampler;
use std::io::Cursor;
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

/// Samples of a second of each channel.
pub const RATE_HZ: u32 = 16_000;
/// How an answer with samples begins; one in words begins with a brace.
const MARK: u8 = b'P';
/// Channels whose difference is this much quieter than they are say the same.
const SAME_RATIO: f64 = 0.001;

/// The sound of a call: 16-bit samples of one or two channels, [`RATE_HZ`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Each channel; both are of the same length.
    pub channels: Vec<Vec<i16>>,
}

impl Recording {
    /// How long it lasts.
    pub fn duration_ms(&self) -> u64 {
        let samples = self.channels.first().map_or(0, Vec::len);
        media::samples_to_ms(samples as u64, RATE_HZ)
    }

    /// As the child writes it: a mark, the number of channels, then their samples one channel after the other.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let samples = self.channels.iter().flatten();
        let count = u8::try_from(self.channels.len()).unwrap_or(u8::MAX);
        [MARK, count].into_iter().chain(samples.flat_map(|sample| sample.to_le_bytes())).collect()
    }

    /// Out of what the child wrote; `None` when it wrote something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[mark, count], samples) = bytes.split_first_chunk::<2>()?;
        if mark != MARK || !(1..=2).contains(&count) || samples.len() % (2 * usize::from(count)) != 0 {
            return None;
        }
        let one = |part: &[u8]| part.as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two)).collect();
        let bytes_each = samples.len() / usize::from(count);
        Some(Self { channels: samples.chunks_exact(bytes_each.max(1)).map(one).collect() })
    }
}

/// Whether a file is a recording, by its beginning.
pub fn is_recording(head: &[u8]) -> bool {
    let is_wav = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE");
    // Frames of MPEG layer III; what begins with FF FE is a text in UTF-16.
    let is_mp3 = matches!(head, [0xFF, 0xFA | 0xFB | 0xF2 | 0xF3 | 0xE2 | 0xE3, ..]);
    is_wav || is_mp3 || head.starts_with(b"fLaC") || head.starts_with(b"OggS") || head.starts_with(b"ID3")
}

/// Decodes a recording.
pub fn read(bytes: &[u8]) -> Result<Recording, Refusal> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
    let probed = symphonia::default::get_probe().probe(&Hint::new(), source, Default::default(), Default::default());
    let mut format = probed.map_err(refused)?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| Refusal::Broken("it holds no sound".into()))?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(|| Refusal::Broken("it holds no sound".into()))?;
    let decoder = symphonia::default::get_codecs().make_audio_decoder(parameters, &Default::default());
    let (mut decoder, id) = (decoder.map_err(refused)?, track.id);
    let mut taken = Taken::default();
    while let Some(packet) = next(format.as_mut())? {
        if packet.track_id == id {
            taken.packet(decoder.as_mut(), &packet)?;
        }
    }
    taken.finish()
}

/// The next packet. A recording that was cut off ends where it was cut.
fn next(format: &mut dyn FormatReader) -> Result<Option<symphonia::core::packet::Packet>, Refusal> {
    match format.next_packet() {
        Ok(packet) => Ok(packet),
        Err(Error::IoError(_)) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: Error) -> Refusal {
    match error {
        // It begins like a recording and goes on like none.
        Error::Unsupported(what) if what.starts_with("core (probe)") => Refusal::Broken(what.into()),
        Error::Unsupported(what) => Refusal::Kind(format!("the recording is of a kind that is not known: {what}")),
        other => Refusal::Broken(other.to_string()),
    }
}

/// What was decoded so far.
#[derive(Default)]
struct Taken {
    channels: Vec<Vec<i16>>,
    resamplers: Vec<Resampler>,
    rate_hz: u32,
    planes: Vec<Vec<i16>>,
    good: usize,
    bad: usize,
}

impl Taken {
    fn packet(
        &mut self,
        decoder: &mut dyn AudioDecoder,
        packet: &symphonia::core::packet::Packet,
    ) -> Result<(), Refusal> {
        let decoded = match decoder.decode(packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_)) => {
                self.bad += 1;
                return Ok(());
            }
            Err(error) => return Err(refused(error)),
        };
        self.good += 1;
        if self.resamplers.is_empty() {
            self.rate_hz = decoded.spec().rate();
            self.open(decoded.num_planes())?;
        }
        if decoded.spec().rate() != self.rate_hz || decoded.num_planes() != self.channels.len() {
            return Err(Refusal::Broken("its parts have different rates or channels".into()));
        }
        decoded.copy_to_vecs_planar(&mut self.planes);
        for ((plane, resampler), channel) in self.planes.iter().zip(&mut self.resamplers).zip(&mut self.channels) {
            resampler.process(plane, channel);
        }
        let most = media::ms_to_samples(limits::KNOWLEDGE_RECORDING_MS_MAX, RATE_HZ) as usize;
        if self.channels.iter().any(|channel| channel.len() > most) {
            return Err(Refusal::Lasting { minutes: limits::KNOWLEDGE_RECORDING_MS_MAX / 60_000 });
        }
        Ok(())
    }

    fn open(&mut self, channels: usize) -> Result<(), Refusal> {
        if !(1..=2).contains(&channels) {
            return Err(Refusal::Kind(format!("the recording has {channels} channels; one or two are heard")));
        }
        for _ in 0..channels {
            let resampler = Resampler::new(self.rate_hz, RATE_HZ);
            self.resamplers.push(resampler.map_err(|error| Refusal::Kind(error.to_string()))?);
            self.channels.push(Vec::new());
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Recording, Refusal> {
        if self.bad > self.good {
            return Err(Refusal::Broken("most of its sound cannot be decoded".into()));
        }
        if self.channels.iter().all(Vec::is_empty) {
            return Err(Refusal::Broken("it holds no sound".into()));
        }
        if let [left, right] = self.channels.as_slice()
            && say_the_same(left, right)
        {
            self.channels.truncate(1);
        }
        Ok(Recording { channels: self.channels })
    }
}

fn say_the_same(left: &[i16], right: &[i16]) -> bool {
    let energy = |value: f64| value * value;
    let both = left.iter().zip(right);
    let difference: f64 = both.map(|(left, right)| energy(f64::from(*left) - f64::from(*right))).sum();
    let whole: f64 = left.iter().chain(right).map(|sample| energy(f64::from(*sample))).sum();
    difference <= whole * SAME_RATIO
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};

    fn wav(channels: u16, rate_hz: u32, frames: impl Iterator<Item = Vec<i16>>) -> Vec<u8> {
        let spec = WavSpec { channels, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).expect("a header");
        frames.flatten().for_each(|sample| writer.write_sample(sample).expect("a sample"));
        writer.finalize().expect("an end");
        file.into_inner()
    }

    fn tone(at: u32, hz: f32) -> i16 {
        ((at as f32 / 8_000.0 * hz * std::f32::consts::TAU).sin() * 8_000.0) as i16
    }

    #[test]
    fn both_sides_of_a_call_come_out_at_the_rate_of_the_models() {
        let bytes = wav(2, 8_000, (0..8_000).map(|at| vec![tone(at, 300.0), tone(at, 500.0)]));
        assert!(is_recording(&bytes));
        let heard = read(&bytes).expect("it is read");
        assert_eq!((heard.channels.len(), heard.duration_ms()), (2, 1_000));
        assert_eq!(Recording::from_bytes(&heard.to_bytes()), Some(heard));
    }

    #[test]
    fn two_channels_that_say_the_same_are_one() {
        let bytes = wav(2, 44_100, (0..44_100).map(|at| vec![tone(at, 300.0); 2]));
        assert_eq!(read(&bytes).expect("it is read").channels.len(), 1);
    }

    #[test]
    fn g711_in_a_wav_file_is_read() {
        // WAVE_FORMAT_MULAW is 7, RFC 2361; 0xFF is silence.
        let mut bytes =
            b"RIFF\x46\x03\0\0WAVEfmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0data\x20\x03\0\0"
                .to_vec();
        bytes.resize(bytes.len() + 800, 0x80);
        let heard = read(&bytes).expect("it is read");
        assert_eq!(heard.duration_ms(), 100);
        assert!(heard.channels[0][800] > 30_000 || heard.channels[0][800] < -30_000);
    }

    #[test]
    fn what_lasts_too_long_has_too_many_channels_or_is_broken_is_refused() {
        let surround = wav(4, 8_000, (0..800).map(|_| vec![0; 4]));
        assert_eq!(read(&surround).map_err(|refusal| refusal.code()), Err("unsupported_type"));
        let whole = wav(1, 8_000, (0..8_000).map(|at| vec![tone(at, 300.0)]));
        assert_eq!(read(&whole[..30]).map_err(|refusal| refusal.code()), Err("broken"));
        // A process that died leaves a file without its end.
        assert!(read(&whole[..whole.len() / 2]).expect("what is there").duration_ms() > 400);
        for head in [&b"OggS garbage"[..], b"fLaC garbage", b"ID3 garbage", b"\xFF\xFB\x90\x64garbage"] {
            let refused = read(head).expect_err("nothing is in it");
            assert!(matches!(refused.code(), "broken" | "unsupported_type"), "{refused}");
        }
        let seconds = u32::try_from(limits::KNOWLEDGE_RECORDING_MS_MAX / 1_000).unwrap() + 1;
        let hour = wav(1, 4_000, (0..seconds * 4_000).map(|_| vec![0]));
        assert_eq!(read(&hour).map_err(|refusal| refusal.code()), Err("too_long"));
    }

    #[test]
    fn a_text_is_no_recording() {
        assert!(!is_recording(b"\xFF\xFEh\0i\0"));
        assert!(!is_recording(b"RIFF\0\0\0\0AVI "));
        assert!(!is_recording(b""));
    }
}
