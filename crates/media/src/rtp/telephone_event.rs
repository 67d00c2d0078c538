//! Keys as packets of their own (RFC 4733): each key is several packets with one timestamp and a growing duration.

use std::collections::VecDeque;

/// Keys that may wait to be sent.
const KEYS_MAX: usize = 64;
/// How long a key is held, in frames of 20 ms.
const HELD_FRAMES: u32 = 5;
/// The end is said three times, because one packet may be lost (2.5.1.4).
const END_PACKETS: u32 = 3;
/// Pause behind a key, in frames of 20 ms: shorter ones melt together on old equipment.
const PAUSE_FRAMES: u32 = 3;
/// As loud as a key on a phone, in dB below full scale.
const VOLUME: u8 = 10;
/// A packet this much older than the newest key is late; older still, the stream began anew.
const LATE_SAMPLES_MAX: i32 = 8_000 * 10;

/// The number of a key.
pub fn event_of(key: char) -> Option<u8> {
    match key {
        '0'..='9' => Some(key as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => Some(key as u8 - b'A' + 12),
        _ => None,
    }
}

/// The key of a number. `None` for what is no key, such as a flash (16).
pub fn key_of(event: u8) -> Option<char> {
    match event {
        0..=9 => Some((b'0' + event) as char),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some((b'A' + event - 12) as char),
        _ => None,
    }
}

/// One packet of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPacket {
    /// The same for all packets of a key.
    pub timestamp: u32,
    /// Set on the first one.
    pub marker: bool,
    /// The payload.
    pub payload: [u8; 4],
}

/// The payload: event, end and volume, duration in samples.
pub fn payload(event: u8, is_end: bool, volume: u8, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [event, u8::from(is_end) << 7 | volume & 0x3f, high, low]
}

/// Sends keys, one packet for each frame of 20 ms; audio pauses meanwhile.
#[derive(Clone, Debug, Default)]
pub struct KeySender {
    waiting: VecDeque<u8>,
    current: Option<Current>,
    pause: u32,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    event: u8,
    timestamp: u32,
    sent: u32,
}

impl KeySender {
    /// Queues a key. `false` when it is no key or too many wait.
    pub fn press(&mut self, key: char) -> bool {
        match event_of(key.to_ascii_uppercase()) {
            Some(event) if self.waiting.len() < KEYS_MAX => {
                self.waiting.push_back(event);
                true
            }
            _ => false,
        }
    }

    /// Whether a key is being sent or waits.
    pub fn is_busy(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// The packet for the frame that begins at `timestamp`; frames are `frame_samples` long.
    pub fn frame(&mut self, timestamp: u32, frame_samples: u32) -> Option<KeyPacket> {
        if self.current.is_none() {
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
            let event = self.waiting.pop_front()?;
            self.current = Some(Current { event, timestamp, sent: 0 });
        }
        let current = self.current.as_mut()?;
        current.sent += 1;
        let duration = current.sent.min(HELD_FRAMES) * frame_samples;
        let is_end = current.sent >= HELD_FRAMES;
        let packet = KeyPacket {
            timestamp: current.timestamp,
            marker: current.sent == 1,
            payload: payload(current.event, is_end, VOLUME, u16::try_from(duration).unwrap_or(u16::MAX)),
        };
        if current.sent + 1 >= HELD_FRAMES + END_PACKETS {
            self.current = None;
            self.pause = PAUSE_FRAMES;
        }
        Some(packet)
    }
}

/// Hears keys: each once, whichever of its packets arrive, in whatever order.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyReceiver {
    /// Stream and timestamp of the newest key.
    newest: Option<(u32, u32)>,
}

impl KeyReceiver {
    /// Takes a packet. `Some` for the first that arrives of a key: its end may be lost, and a caller who holds a key
    /// expects an answer at once.
    pub fn packet(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        let (&[event, _, _, _], _) = payload.split_first_chunk::<4>()?;
        let key = key_of(event)?;
        if let Some((stream, newest)) = self.newest
            && stream == ssrc
        {
            let ahead = timestamp.wrapping_sub(newest) as i32;
            if ahead <= 0 && ahead > -LATE_SAMPLES_MAX {
                return None;
            }
        }
        self.newest = Some((ssrc, timestamp));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn payloads_are_laid_out_as_the_standard_draws_them() {
        assert_eq!(payload(5, false, 10, 160), [0x05, 0x0a, 0x00, 0xa0]);
        assert_eq!(payload(5, true, 10, 800), [0x05, 0x8a, 0x03, 0x20]);
    }

    #[test]
    fn a_key_grows_keeps_its_timestamp_and_ends_three_times() {
        let mut sender = KeySender::default();
        assert!(sender.press('5') && !sender.press('x'));
        let packets: Vec<_> = (0..12).filter_map(|n| sender.frame(1_000 + n * 160, 160)).collect();
        assert_eq!(packets.len(), 7);
        assert!(packets.iter().all(|packet| packet.timestamp == 1_000));
        assert_eq!(packets.iter().map(|packet| packet.marker).filter(|marker| *marker).count(), 1);
        assert_eq!(packets[0].payload, [5, 0x0a, 0, 160]);
        assert_eq!(packets[3].payload, [5, 0x0a, 2, 128]);
        assert!(packets[4..].iter().all(|packet| packet.payload == [5, 0x8a, 3, 32]));
        assert!(!sender.is_busy());
    }

    #[test]
    fn every_key_that_is_sent_is_heard_once_in_order() {
        let (mut sender, mut receiver) = (KeySender::default(), KeyReceiver::default());
        let keys = "0123456789*#ABCD55";
        assert!(keys.chars().all(|key| sender.press(key)));
        let mut heard = String::new();
        for n in 0..400u32 {
            let timestamp = (u32::MAX - 8_000).wrapping_add(n * 160);
            if let Some(packet) = sender.frame(timestamp, 160) {
                heard.extend(receiver.packet(7, packet.timestamp, &packet.payload));
            }
        }
        assert_eq!(heard, keys);
    }

    #[test]
    fn a_key_whose_beginning_was_lost_or_whose_end_comes_again_is_heard_once() {
        let mut receiver = KeyReceiver::default();
        assert_eq!(receiver.packet(1, 8_000, &payload(3, true, 10, 800)), Some('3'), "only its end arrived");
        assert_eq!(receiver.packet(1, 8_000, &payload(3, true, 10, 800)), None);
        assert_eq!(receiver.packet(1, 16_000, &payload(4, false, 10, 160)), Some('4'));
        assert_eq!(receiver.packet(1, 8_000, &payload(3, true, 10, 800)), None, "late, of the key before");
        assert_eq!(receiver.packet(2, 100, &payload(3, true, 10, 800)), Some('3'), "a new stream");
        assert_eq!(receiver.packet(2, 900, &payload(16, false, 10, 800)), None, "a flash is no key");
        assert_eq!(receiver.packet(2, 900, &[1, 2]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_key_survives_any_loss_but_of_all_its_packets(lost in prop::collection::vec(any::<bool>(), 7)) {
            let (mut sender, mut receiver) = (KeySender::default(), KeyReceiver::default());
            sender.press('7');
            let mut heard = Vec::new();
            for (n, lost) in lost.iter().enumerate() {
                let packet = sender.frame(n as u32 * 160, 160).unwrap();
                if !lost {
                    heard.extend(receiver.packet(1, packet.timestamp, &packet.payload));
                }
            }
            prop_assert_eq!(heard.len(), usize::from(lost.iter().any(|lost| !lost)));
        }
    }
}
