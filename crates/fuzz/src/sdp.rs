//! A session description, as an offer to us and as an answer to ours.

use base::Secret;
use carriers::sip::sdp::{self, Codec, Fingerprint, Flow, Ice, Identity, Key, Local, Preference, Protection};
use std::io;
use std::net::SocketAddr;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(theirs) = sdp::read(bytes) else { return };
    for protection in [Protection::Never, Protection::Allowed, Protection::Required] {
        for preference in [Preference::Theirs, Preference::Ours] {
            let ours = local(protection, preference);
            if let Ok((text, agreed)) = sdp::answer(&theirs, &ours) {
                let back = sdp::read(text.as_bytes());
                let back = back.unwrap_or_else(|error| panic!("an answer of ours is unreadable ({error}): {text}"));
                assert!(back.audio.codecs.contains(&(agreed.codec, agreed.payload_types.1)), "{text}");
                assert!(ours.codecs.contains(&agreed.codec));
                assert!(agreed.is_protected() || protection != Protection::Required, "in the clear: {text}");
            }
            for is_exchanged in [false, true] {
                let ours = Local { is_exchanged, ..ours.clone() };
                if let Ok(agreed) = sdp::accept(&theirs, &ours) {
                    let must_be = is_exchanged || protection == Protection::Required;
                    assert!(agreed.is_protected() || !must_be, "in the clear");
                }
            }
        }
    }
}

fn local(protection: Protection, preference: Preference) -> Local {
    Local {
        address: SocketAddr::from(([192, 0, 2, 9], 40_000)),
        session: 11,
        version: 1,
        codecs: Codec::ALL.to_vec(),
        preference,
        protection,
        key: Key(Secret::new(vec![7; 30])),
        flow: Flow::Both,
        identity: Some(Identity {
            fingerprint: Fingerprint([9; 32]),
            ice: Ice::new("here", "0123456789012345678901"),
            ssrc: 1,
        }),
        is_exchanged: false,
    }
}

/// What telephones offer, and what we do.
pub(crate) fn seeds() -> io::Result<Vec<Vec<u8>>> {
    let offers = crate::fixture("fuzz/offers.sdp")?;
    let mut seeds: Vec<Vec<u8>> =
        offers.split("\n\n").map(|one| one.trim().replace('\n', "\r\n") + "\r\n").map(Into::into).collect();
    seeds.extend(
        [Protection::Allowed, Protection::Required].map(|one| sdp::offer(&local(one, Preference::Ours)).into_bytes()),
    );
    Ok(seeds)
}
