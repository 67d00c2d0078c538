//! A call as a stereo WAV: the caller left, the agent right, on one timeline.
//!
//! Both sides are put where they were heard, by sample position of call time, in any order within a window. What the
//! caller did not hear (audio that an interruption threw away) is taken out again before it is written. What waits is
//! the only memory: everything older than the window goes to the writer, and so does what the owner says is settled. The header is
//! brought up to date every few seconds, so that the file is valid even if the process dies.
//!
//! Writing may block: give it a buffered file on a thread that may wait.

use crate::{ms_to_samples, samples_to_ms};
use base::limits::RECORDING_MS_MAX;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::collections::VecDeque;
use std::fmt;
use std::io::{Seek, Write};

/// How far apart both sides may be, and how far back audio may be taken out.
pub const WINDOW_MS: u64 = 2_000;
/// Audio between two updates of the header.
const HEADER_MS: u64 = 5_000;
/// What is settled is written in pieces of so much at least.
const SETTLED_MS_MIN: u64 = 60;
/// Written at once.
const BLOCK_FRAMES: usize = 1_024;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Left.
    Caller,
    /// Right.
    Agent,
}

/// Why a recording ended early. Said once; later audio is dropped silently.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk is full, or gone.
    #[error("cannot write the recording after {written_ms} ms: {source}")]
    Write {
        /// Audio that was written before.
        written_ms: u64,
        /// What the writer said.
        source: hound::Error,
    },
    /// The recording has reached [`RECORDING_MS_MAX`].
    #[error("the recording has reached its longest duration")]
    TooLong,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Audio written.
    pub written_ms: u64,
    /// Samples that came too late for their place, both sides together.
    pub late_samples: u64,
}

/// See the module.
pub struct DualRecorder<W: Write + Seek> {
    writer: Option<WavWriter<W>>,
    rate_hz: u32,
    /// Both sides of what waits, from `base` of call time on.
    waiting: VecDeque<[i16; 2]>,
    base: u64,
    unheadered: u64,
    late: u64,
}

impl<W: Write + Seek> DualRecorder<W> {
    /// Begins a recording at call time zero. Writes the header.
    pub fn new(writer: W, rate_hz: u32) -> Result<Self, RecordError> {
        let spec = WavSpec { channels: 2, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let writer = WavWriter::new(writer, spec).map_err(|source| RecordError::Write { written_ms: 0, source })?;
        Ok(Self { writer: Some(writer), rate_hz, waiting: VecDeque::new(), base: 0, unheadered: 0, late: 0 })
    }

    /// Whether audio is still taken: it is not after an error.
    pub fn is_recording(&self) -> bool {
        self.writer.is_some()
    }

    /// What has been recorded so far.
    pub fn recorded(&self) -> Recorded {
        Recorded { written_ms: samples_to_ms(self.base, self.rate_hz), late_samples: self.late }
    }

    /// Puts audio of one side where it was heard, `at_ms` of call time, over what was there. What falls out of the window
    /// is written.
    pub fn push_ms(&mut self, side: Side, at_ms: u64, pcm: &[i16]) -> Result<(), RecordError> {
        self.push(side, ms_to_samples(at_ms.min(RECORDING_MS_MAX * 2), self.rate_hz), pcm)
    }

    /// As [`DualRecorder::push_ms`], by sample position: a side whose frames must join without a gap counts its samples.
    pub fn push(&mut self, side: Side, at: u64, pcm: &[i16]) -> Result<(), RecordError> {
        if self.writer.is_none() {
            return Ok(());
        }
        let end = at.saturating_add(pcm.len() as u64);
        if end > ms_to_samples(RECORDING_MS_MAX, self.rate_hz) {
            self.close();
            return Err(RecordError::TooLong);
        }
        let frames = ms_to_samples(WINDOW_MS, self.rate_hz).max(1);
        let mut at = at;
        let mut pcm = pcm;
        if at < self.base {
            let late = (self.base - at).min(pcm.len() as u64);
            self.late += late;
            pcm = &pcm[late as usize..];
            at = self.base;
        }
        for chunk in pcm.chunks(frames as usize) {
            let chunk_end = at + chunk.len() as u64;
            if chunk_end > self.base + frames {
                self.write_until(chunk_end - frames)?;
            }
            self.make_room(chunk_end);
            let from = (at - self.base) as usize;
            for (frame, &sample) in self.waiting.range_mut(from..from + chunk.len()).zip(chunk) {
                frame[side as usize] = sample;
            }
            at = chunk_end;
        }
        Ok(())
    }

    /// Takes out what one side was to be heard saying from `from_ms` of call time on: it was interrupted.
    pub fn erase_from_ms(&mut self, side: Side, from_ms: u64) {
        let from = ms_to_samples(from_ms.min(RECORDING_MS_MAX * 2), self.rate_hz).saturating_sub(self.base);
        let from = (from as usize).min(self.waiting.len());
        self.waiting.range_mut(from..).for_each(|frame| frame[side as usize] = 0);
    }

    /// Nothing before this sample position comes or is taken out any more: it need not wait for the window to move on.
    pub fn settle(&mut self, until: u64) -> Result<(), RecordError> {
        let until = until.min(self.end());
        if until < self.base + ms_to_samples(SETTLED_MS_MIN, self.rate_hz) { Ok(()) } else { self.write_until(until) }
    }

    /// Writes what waits and ends the file. `Ok` also after an error that was said before.
    pub fn finish(mut self) -> Result<Recorded, RecordError> {
        self.write_until(self.end())?;
        let recorded = self.recorded();
        match self.writer.take().map(WavWriter::finalize) {
            Some(Err(source)) => Err(RecordError::Write { written_ms: recorded.written_ms, source }),
            _ => Ok(recorded),
        }
    }

    /// End of what was put in.
    fn end(&self) -> u64 {
        self.base + self.waiting.len() as u64
    }

    /// Silence up to this position where nothing is yet. Memory grows by a little more than is needed, and not to the double: there is
    /// one of this for each call.
    fn make_room(&mut self, end: u64) {
        let frames = (end.saturating_sub(self.base) as usize).max(self.waiting.len());
        if frames > self.waiting.capacity() {
            let more = frames - self.waiting.len() + ms_to_samples(SETTLED_MS_MIN, self.rate_hz) as usize;
            self.waiting.reserve_exact(more);
        }
        self.waiting.resize(frames, [0; 2]);
    }

    /// Writes everything before this position and moves the window there. Where nothing was put in, there is silence.
    fn write_until(&mut self, until: u64) -> Result<(), RecordError> {
        while self.base < until {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            let count = (until - self.base).min(BLOCK_FRAMES as u64) as usize;
            let known = count.min(self.waiting.len());
            let mut samples = writer.get_i16_writer(count as u32 * 2);
            self.waiting.range(..known).flatten().for_each(|&sample| samples.write_sample(sample));
            (known * 2..count * 2).for_each(|_| samples.write_sample(0));
            let mut result = samples.flush();
            self.waiting.drain(..known);
            self.unheadered += count as u64;
            if result.is_ok() && self.unheadered >= ms_to_samples(HEADER_MS, self.rate_hz) {
                self.unheadered = 0;
                result = writer.flush();
            }
            if let Err(source) = result {
                let written_ms = samples_to_ms(self.base, self.rate_hz);
                self.close();
                return Err(RecordError::Write { written_ms, source });
            }
            self.base += count as u64;
        }
        Ok(())
    }

    fn close(&mut self) {
        // Dropping tries to bring the header up to date, which may still work on a full disk.
        self.writer = None;
    }
}

impl<W: Write + Seek> Drop for DualRecorder<W> {
    /// Saves what waits, as far as the writer allows.
    fn drop(&mut self) {
        let _ = self.write_until(self.end());
    }
}

impl<W: Write + Seek> fmt::Debug for DualRecorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DualRecorder")
            .field("rate_hz", &self.rate_hz)
            .field("recording", &self.is_recording())
            .field("recorded", &self.recorded())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{self, Cursor, SeekFrom};
    use std::sync::{Arc, Mutex};

    /// A file that outlives its writer and holds only so much.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<Cursor<Vec<u8>>>>, u64);

    impl Disk {
        fn of(bytes: u64) -> Self {
            Self(Arc::default(), bytes)
        }
        fn read(&self) -> (Vec<i16>, Vec<i16>) {
            let bytes = self.0.lock().unwrap().get_ref().clone();
            let mut wav = hound::WavReader::new(Cursor::new(bytes)).unwrap();
            assert_eq!(wav.spec().channels, 2);
            let all: Vec<i16> = wav.samples().map(Result::unwrap).collect();
            (all.iter().copied().step_by(2).collect(), all.iter().copied().skip(1).step_by(2).collect())
        }
    }

    impl Write for Disk {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let mut file = self.0.lock().unwrap();
            if file.position() + buf.len() as u64 > self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.lock().unwrap().seek(to)
        }
    }

    fn on(disk: &Disk) -> DualRecorder<Disk> {
        DualRecorder::new(disk.clone(), 8_000).unwrap()
    }

    #[test]
    fn both_sides_lie_where_they_were_heard() {
        let disk = Disk::of(u64::MAX);
        let mut recorder = on(&disk);
        recorder.push_ms(Side::Agent, 500, &[2; 160]).unwrap();
        recorder.push_ms(Side::Caller, 480, &[1; 160]).unwrap();
        recorder.push_ms(Side::Caller, 5_000, &[3; 160]).unwrap();
        assert_eq!(recorder.finish().unwrap(), Recorded { written_ms: 5_020, late_samples: 0 });
        let (caller, agent) = disk.read();
        assert_eq!(caller.len(), 40_160);
        assert_eq!((caller[3_839], caller[3_840], caller[3_999], caller[4_000]), (0, 1, 1, 0));
        assert_eq!((agent[3_999], agent[4_000], agent[4_159], agent[4_160]), (0, 2, 2, 0));
        assert_eq!((caller[40_000], agent[40_000]), (3, 0));
    }

    #[test]
    fn what_was_interrupted_is_not_in_the_recording() {
        let disk = Disk::of(u64::MAX);
        let mut recorder = on(&disk);
        recorder.push_ms(Side::Agent, 1_000, &[2; 1_600]).unwrap();
        recorder.push_ms(Side::Caller, 1_000, &[1; 1_600]).unwrap();
        recorder.erase_from_ms(Side::Agent, 1_080);
        recorder.finish().unwrap();
        let (caller, agent) = disk.read();
        assert_eq!((agent[8_639], agent[8_640], agent[9_599]), (2, 0, 0));
        assert_eq!(caller[9_599], 1);
    }

    #[test]
    fn a_dropped_recording_is_whole_and_a_killed_one_valid() {
        let disk = Disk::of(u64::MAX);
        let mut recorder = on(&disk);
        recorder.push_ms(Side::Caller, 0, &[1; 8_000]).unwrap();
        drop(recorder);
        assert_eq!(disk.read().0, vec![1; 8_000]);

        let disk = Disk::of(u64::MAX);
        let mut recorder = on(&disk);
        for second in 0..20 {
            recorder.push_ms(Side::Caller, second * 1_000, &[1; 8_000]).unwrap();
        }
        std::mem::forget(recorder);
        assert!(disk.read().0.len() >= 12 * 8_000);
    }

    #[test]
    fn a_full_disk_is_said_once_and_ends_only_the_recording() {
        let disk = Disk::of(100_000);
        let mut recorder = on(&disk);
        let mut errors = 0;
        for n in 0..1_000 {
            if let Err(error) = recorder.push_ms(Side::Caller, n * 20, &[1; 160]) {
                assert!(matches!(error, RecordError::Write { .. }), "{error}");
                errors += 1;
            }
        }
        assert_eq!(errors, 1);
        assert!(!recorder.is_recording());
        recorder.finish().unwrap();
        assert!(disk.read().0.len() > 20_000, "what was written before can be heard");
    }

    #[test]
    fn a_disk_full_from_the_start_is_an_error() {
        assert!(DualRecorder::new(Disk::of(10), 8_000).is_err());
    }

    #[test]
    fn a_recording_does_not_grow_for_ever() {
        let mut recorder = on(&Disk::of(u64::MAX));
        assert!(matches!(recorder.push_ms(Side::Agent, u64::MAX, &[1; 160]), Err(RecordError::TooLong)));
        assert!(recorder.push_ms(Side::Agent, 0, &[1; 160]).is_ok());
    }

    #[test]
    fn what_is_settled_waits_no_longer_and_the_file_is_the_same() {
        let (kept, settled) = (Disk::of(u64::MAX), Disk::of(u64::MAX));
        let (mut one, mut other) = (on(&kept), on(&settled));
        for frame in 0..500_u64 {
            for recorder in [&mut one, &mut other] {
                let pcm = [frame as i16 + 1; 160];
                recorder.push(Side::Caller, frame * 160, &pcm).unwrap();
                // The agent is ahead by 200 ms, and is interrupted every two seconds.
                recorder.push(Side::Agent, frame * 160 + 1_600, &pcm).unwrap();
                if frame % 100 == 99 {
                    recorder.erase_from_ms(Side::Agent, frame * 20);
                }
            }
            other.settle((frame * 160).saturating_sub(2_000)).unwrap();
        }
        assert!(one.waiting.capacity() >= 16_000, "{} frames", one.waiting.capacity());
        assert!(other.waiting.capacity() <= 5_000, "{} frames", other.waiting.capacity());
        assert_eq!(one.finish().unwrap(), other.finish().unwrap());
        assert_eq!(kept.read(), settled.read());
    }

    #[test]
    fn audio_that_comes_too_late_is_counted() {
        let mut recorder = on(&Disk::of(u64::MAX));
        recorder.push_ms(Side::Agent, 5_000, &[1; 160]).unwrap();
        recorder.push_ms(Side::Caller, 0, &[1; 160]).unwrap();
        assert_eq!(recorder.recorded().late_samples, 160);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_file_is_what_was_put_in(
            chunks in prop::collection::vec((any::<bool>(), 0u64..12_000, 1usize..900), 1..30),
        ) {
            let disk = Disk::of(u64::MAX);
            let mut recorder = on(&disk);
            let mut wanted = [vec![0_i16; 0], vec![0_i16; 0]];
            let mut forward = 0;
            for (n, (agent, back, count)) in chunks.into_iter().enumerate() {
                forward += 1_000;
                let at = forward + 12_000 - back;
                let side = if agent { Side::Agent } else { Side::Caller };
                let pcm = vec![n as i16 + 1; count];
                recorder.push(side, at, &pcm).unwrap();
                let end = at as usize + count;
                wanted.iter_mut().for_each(|side| { let len = side.len().max(end); side.resize(len, 0) });
                wanted[agent as usize][at as usize..end].copy_from_slice(&pcm);
            }
            prop_assert_eq!(recorder.finish().unwrap().late_samples, 0);
            let (caller, agent) = disk.read();
            prop_assert_eq!(&caller, &wanted[0]);
            prop_assert_eq!(&agent, &wanted[1]);
        }
    }
}
