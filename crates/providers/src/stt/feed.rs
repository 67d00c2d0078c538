//! What streaming recognisers have in common: audio is cut into messages of one length, written in the encoding that was
//! agreed, and counted, because the services say next to nothing about what they bill.

use audio_codec_algorithms::encode_ulaw;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 16-bit little-endian.
    Linear16,
    /// G.711 mu-law: half the bytes, no loss on a phone line, which carries nothing else.
    Mulaw,
}

/// The audio of one stream on its way out.
pub(super) struct Feed {
    encoding: Encoding,
    rate_hz: u32,
    chunk_ms: u64,
    pending: Vec<i16>,
    sent: u64,
}

impl Feed {
    /// Messages of `chunk_ms` each.
    pub(super) fn new(encoding: Encoding, chunk_ms: u64) -> Self {
        Self { encoding, rate_hz: 8_000, chunk_ms, pending: Vec::new(), sent: 0 }
    }

    /// The stream has this rate.
    pub(super) fn open(&mut self, rate_hz: u32) {
        self.rate_hz = rate_hz.max(1);
    }

    fn samples(&self, ms: u64) -> usize {
        (u64::from(self.rate_hz) * ms / 1_000).max(1) as usize
    }

    /// Takes audio and gives every message that is full.
    pub(super) fn push(&mut self, pcm: &[i16], mut send: impl FnMut(Vec<u8>)) {
        self.pending.extend_from_slice(pcm);
        let chunk = self.samples(self.chunk_ms);
        while self.pending.len() >= chunk {
            send(self.take(chunk));
        }
    }

    /// Takes audio that cannot be sent yet. Of more than `ms_max` the oldest gives way.
    pub(super) fn hold(&mut self, pcm: &[i16], ms_max: u64) {
        self.pending.extend_from_slice(pcm);
        let excess = self.pending.len().saturating_sub(self.samples(ms_max));
        self.pending.drain(..excess);
    }

    /// What is held back, filled up with silence to at least this long; `None` when that is nothing.
    pub(super) fn flush(&mut self, ms_min: u64) -> Option<Vec<u8>> {
        if ms_min > 0 {
            let least = self.samples(ms_min);
            self.pending.resize(self.pending.len().max(least), 0);
        }
        (!self.pending.is_empty()).then(|| self.take(self.pending.len()))
    }

    /// This much silence, behind what is held back.
    pub(super) fn silence(&mut self, ms: u64) -> Vec<u8> {
        let end = self.pending.len() + self.samples(ms);
        self.pending.resize(end, 0);
        self.take(end)
    }

    fn take(&mut self, samples: usize) -> Vec<u8> {
        self.sent += samples as u64;
        let taken = self.pending.drain(..samples);
        match self.encoding {
            Encoding::Linear16 => taken.flat_map(i16::to_le_bytes).collect(),
            Encoding::Mulaw => taken.map(encode_ulaw).collect(),
        }
    }

    /// Whether anything is held back.
    pub(super) fn has_rest(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Milliseconds sent so far.
    pub(super) fn sent_ms(&self) -> u64 {
        self.sent * 1_000 / u64::from(self.rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_leaves_in_whole_messages_and_the_rest_when_asked() {
        let mut feed = Feed::new(Encoding::Mulaw, 50);
        feed.open(8_000);
        let mut lens = Vec::new();
        feed.push(&[0; 900], |bytes| lens.push(bytes.len()));
        assert_eq!(lens, [400, 400]);
        assert_eq!(feed.flush(0).map(|bytes| bytes.len()), Some(100));
        assert_eq!((feed.flush(0), feed.sent_ms()), (None, 112));
        assert_eq!(feed.flush(50).map(|bytes| bytes.len()), Some(400), "silence");
        feed.hold(&[1; 900], 100);
        assert_eq!(feed.flush(0).map(|bytes| bytes.len()), Some(800), "the oldest gave way");
    }
}
