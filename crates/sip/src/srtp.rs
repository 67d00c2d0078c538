//! Protected audio (RFC 3711) with the keys that two descriptions or a handshake have exchanged.

use carriers::sip::sdp::{Crypto, Suite};
use rtc_srtp::context::Context;
use rtc_srtp::crypto::providers::AwsLcRsCrypto;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

/// Packets behind the newest one that are still told from repetitions.
const REPLAY_WINDOW: usize = 128;

/// One leg's keys. Both ways count packets beyond the 16 bits of their numbers, so the value lives as long as its keys.
pub struct Protected {
    keys: (Crypto, Crypto),
    ours: Context,
    theirs: Context,
}

impl Protected {
    /// From our key and theirs. `None` when the library does not take them.
    pub fn new(keys: &(Crypto, Crypto)) -> Option<Self> {
        Some(Self { keys: keys.clone(), ours: context(&keys.0)?, theirs: context(&keys.1)? })
    }

    /// Goes on with these keys. A key that stays goes on counting: the other side counts on, too.
    pub fn agree(&mut self, keys: &(Crypto, Crypto)) {
        if self.keys.0 != keys.0
            && let Some(ours) = context(&keys.0)
        {
            self.ours = ours;
        }
        if self.keys.1 != keys.1
            && let Some(theirs) = context(&keys.1)
        {
            self.theirs = theirs;
        }
        self.keys = keys.clone();
    }

    /// Protects a packet of audio.
    pub fn protect(&mut self, packet: &[u8], out: &mut Vec<u8>) -> bool {
        keep(self.ours.encrypt_rtp(packet).ok(), out)
    }

    /// Opens one. `false` when it is forged, repeated or cut short.
    pub fn open(&mut self, packet: &[u8], out: &mut Vec<u8>) -> bool {
        keep(self.theirs.decrypt_rtp(packet).ok(), out)
    }

    /// Protects a report.
    pub fn protect_report(&mut self, packet: &[u8], out: &mut Vec<u8>) -> bool {
        keep(self.ours.encrypt_rtcp(packet).ok(), out)
    }

    /// Opens one.
    pub fn open_report(&mut self, packet: &[u8], out: &mut Vec<u8>) -> bool {
        keep(self.theirs.decrypt_rtcp(packet).ok(), out)
    }
}

fn keep(bytes: Option<impl AsRef<[u8]>>, out: &mut Vec<u8>) -> bool {
    out.clear();
    match bytes {
        Some(bytes) => out.extend_from_slice(bytes.as_ref()),
        None => return false,
    }
    true
}

fn context(crypto: &Crypto) -> Option<Context> {
    let profile = match crypto.suite {
        Suite::AesCm80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::Gcm256 => ProtectionProfile::AeadAes256Gcm,
    };
    let (key, salt) = crypto.key.0.expose().split_at_checked(crypto.suite.cipher_key_bytes())?;
    let audio = Some(srtp_replay_protection(REPLAY_WINDOW));
    let reports = Some(srtcp_replay_protection(REPLAY_WINDOW));
    Context::new(key, salt, profile, audio, reports, &AwsLcRsCrypto).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Secret;
    use carriers::sip::sdp::Key;

    fn crypto(suite: Suite, first: u8) -> Crypto {
        let key = (0..suite.key_bytes() as u8).map(|n| n + first).collect();
        Crypto { tag: 1, suite, key: Key(Secret::new(key)) }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn packets_are_protected_as_other_libraries_do() {
        let keys = (crypto(Suite::AesCm80, 0), crypto(Suite::AesCm80, 0));
        let mut protected = Protected::new(&keys).unwrap();
        let plain = [bytes("80000001000000a0cafebabe"), vec![0xff; 20]].concat();
        let mut sent = Vec::new();
        assert!(protected.protect(&plain, &mut sent));
        let expected = "80000001000000a0cafebabe79c824ee7f2d0cbd5ca917f1d7eaaa5a34a5dd497237355dfc772bed55ff";
        assert_eq!(sent, bytes(expected));
        let mut report = Vec::new();
        assert!(protected.protect_report(&bytes("80c90001cafebabe"), &mut report));
        assert_eq!(report, bytes("80c90001cafebabe8000000160f83a56ff40640e0d5b"));
        let mut heard = Vec::new();
        assert!(protected.open(&sent, &mut heard));
        assert_eq!(heard, plain);
        assert!(!protected.open(&sent, &mut heard), "a repeated packet is refused");
    }

    #[test]
    fn a_packet_with_one_wrong_bit_is_refused_in_every_suite() {
        for suite in [Suite::AesCm80, Suite::AesCm32, Suite::Gcm, Suite::Gcm256] {
            let (ours, theirs) = (crypto(suite, 3), crypto(suite, 9));
            let mut sender = Protected::new(&(ours.clone(), theirs.clone())).unwrap();
            let mut receiver = Protected::new(&(theirs, ours)).unwrap();
            let plain = [bytes("8000000100000000cafebabe"), vec![7; 160]].concat();
            let (mut sent, mut heard) = (Vec::new(), Vec::new());
            assert!(sender.protect(&plain, &mut sent));
            for at in [1, 5, 20, sent.len() - 1] {
                let mut forged = sent.clone();
                forged[at] ^= 1;
                assert!(!receiver.open(&forged, &mut heard), "{suite:?} {at}");
            }
            assert!(receiver.open(&sent, &mut heard));
            assert_eq!(heard, plain);
        }
    }

    #[test]
    fn audio_goes_on_when_the_numbers_wrap() {
        let (ours, theirs) = (crypto(Suite::AesCm80, 3), crypto(Suite::AesCm80, 9));
        let mut sender = Protected::new(&(ours.clone(), theirs.clone())).unwrap();
        let mut receiver = Protected::new(&(theirs, ours)).unwrap();
        let (mut sent, mut heard) = (Vec::new(), Vec::new());
        for n in 0..140_000u32 {
            let sequence = (n as u16).to_be_bytes();
            let mut plain = bytes("80000000000000a0cafebabe0102");
            plain[2..4].copy_from_slice(&sequence);
            assert!(sender.protect(&plain, &mut sent) && receiver.open(&sent, &mut heard), "{n}");
        }
    }
}
