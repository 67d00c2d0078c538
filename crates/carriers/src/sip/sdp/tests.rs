use super::*;
use proptest::prelude::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

fn local() -> Local {
    Local {
        address: "192.0.2.9:40000".parse().unwrap(),
        session: 11,
        version: 1,
        codecs: Codec::ALL.to_vec(),
        preference: Preference::Theirs,
        protection: Protection::Allowed,
        key: Key(Secret::new(vec![7; 30])),
        flow: Flow::Both,
        identity: Some(Identity {
            fingerprint: Fingerprint([0xab; 32]),
            ice: Ice::new("here", "a-password-of-22-letters"),
            ssrc: 4_711,
        }),
        is_exchanged: false,
    }
}

fn described(lines: &str) -> Description {
    read(text(lines).as_bytes()).unwrap()
}

fn text(lines: &str) -> String {
    format!("v=0\r\no=alice 1 3 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n{lines}")
}

const PHONE: &str = "m=audio 5004 RTP/AVP 9 8 0 96\r\na=rtpmap:9 G722/8000\r\na=rtpmap:96 telephone-event/8000\r\n";

#[test]
fn the_first_codec_of_the_offer_that_we_speak_is_chosen_under_its_own_number() {
    let (answer, agreed) = answer(&described(PHONE), &local()).unwrap();
    assert_eq!(
        (agreed.codec, agreed.payload_types, agreed.events),
        (Codec::G722, (9, 9), Some(Events { sent: 96, heard: 96, clock_hz: 8_000 }))
    );
    assert_eq!(
        (agreed.address, agreed.reports),
        ("198.51.100.1:5004".parse().unwrap(), "198.51.100.1:5005".parse().unwrap())
    );
    assert!(
        answer.contains("m=audio 40000 RTP/AVP 9 96\r\na=rtpmap:9 G722/8000\r\na=rtpmap:96 telephone-event/8000\r\n")
    );
    assert!(answer.starts_with("v=0\r\no=- 11 1 IN IP4 192.0.2.9\r\n"));
    assert!(agreed.sends && agreed.listens && agreed.keys.is_none());
}

#[test]
fn the_order_of_a_trunk_that_has_one_decides_instead() {
    let ours = Local { codecs: vec![Codec::Pcma, Codec::G722], preference: Preference::Ours, ..local() };
    assert_eq!(answer(&described(PHONE), &ours).unwrap().1.codec, Codec::Pcma);
    let narrow = Local { codecs: vec![Codec::Pcmu], ..local() };
    assert_eq!(answer(&described(PHONE), &narrow).unwrap().1.codec, Codec::Pcmu, "what is not listed is not spoken");
    assert!(offer(&narrow).contains("m=audio 40000 RTP/AVP 0 101\r\n"), "nor are keys for its clock");
}

#[test]
fn opus_is_answered_under_its_own_number_and_keys_share_its_clock() {
    let lines = "m=audio 5004 RTP/AVP 96 0 101 102\r\na=rtpmap:96 OPUS/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
                 a=rtpmap:101 telephone-event/8000\r\na=rtpmap:102 telephone-event/48000\r\n";
    let (text, agreed) = answer(&described(lines), &local()).unwrap();
    assert!(
        text.contains("m=audio 40000 RTP/AVP 96 102\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=20;"),
        "{text}"
    );
    assert!(text.contains("useinbandfec=1\r\na=rtpmap:102 telephone-event/48000\r\n"), "{text}");
    let events = Events { sent: 102, heard: 102, clock_hz: 48_000 };
    assert_eq!((agreed.codec, agreed.payload_types, agreed.events), (Codec::Opus, (96, 96), Some(events)));
    // One that has keys for another clock alone is heard all the same.
    let other = lines.replace("a=rtpmap:102 telephone-event/48000\r\n", "");
    let events = answer(&described(&other), &local()).unwrap().1.events;
    assert_eq!(events, Some(Events { sent: 101, heard: 101, clock_hz: 8_000 }));
}

#[test]
fn a_number_without_a_name_means_opus_to_nobody() {
    assert_eq!(described("m=audio 5004 RTP/AVP 111 9\r\n").audio.codecs, [(Codec::G722, 9)]);
    let lines = "m=audio 5004 RTP/AVP 111 9\r\na=rtpmap:111 opus/16000/1\r\na=rtpmap:9 G722/16000\r\n";
    assert_eq!(described(lines).audio.codecs, [], "clocks that the standards do not give them");
}

#[test]
fn our_answer_to_our_own_offer_agrees_with_both() {
    for protection in [Protection::Never, Protection::Allowed, Protection::Required] {
        let ours = Local { protection, ..local() };
        let offered = read(offer(&ours).as_bytes()).unwrap();
        let other =
            Local { address: "192.0.2.8:50000".parse().unwrap(), key: Key(Secret::new(vec![9; 30])), ..local() };
        let (answered, there) = answer(&offered, &other).unwrap();
        let here = accept(&read(answered.as_bytes()).unwrap(), &ours).unwrap();
        assert_eq!((here.codec, here.payload_types, here.events), (there.codec, there.payload_types, there.events));
        assert_eq!((here.address, there.address), (other.address, ours.address));
        assert_eq!(here.keys.is_some(), protection == Protection::Required);
        if let (Some((here_ours, here_theirs)), Some((there_ours, there_theirs))) = (here.keys, there.keys) {
            assert_eq!((here_ours, here_theirs), (there_theirs, there_ours));
        }
    }
}

#[test]
fn an_offer_says_what_we_speak_and_keys_only_when_they_are_required() {
    let plain = offer(&local());
    assert!(plain.contains("m=audio 40000 RTP/AVP 111 9 0 8 101 110\r\n") && !plain.contains("crypto"), "{plain}");
    let protected = offer(&Local { protection: Protection::Required, ..local() });
    assert!(protected.contains("RTP/SAVP 111 9 0 8 101 110\r\n"), "{protected}");
    assert!(protected.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BwcH"), "{protected}");
}

#[test]
fn every_stream_is_answered_in_its_place() {
    let lines = format!("m=video 6000 RTP/AVP 99\r\nm=audio 0 RTP/AVP 0\r\n{PHONE}m=image 7000 udptl t38\r\n");
    let (answer, _) = answer(&described(&lines), &local()).unwrap();
    let streams: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    let expected = ["m=video 0 RTP/AVP 99", "m=audio 0 RTP/AVP 0", "m=audio 40000 RTP/AVP 9 96", "m=image 0 udptl t38"];
    assert_eq!(streams, expected);
}

#[test]
fn hold_in_all_its_forms_silences_us_and_is_mirrored() {
    let cases = [
        ("a=sendonly\r\n", "a=recvonly", false, true),
        ("a=inactive\r\n", "a=inactive", false, false),
        ("a=recvonly\r\n", "a=sendonly", true, false),
        ("a=sendrecv\r\n", "a=sendrecv", true, true),
        ("c=IN IP4 0.0.0.0\r\n", "a=recvonly", false, true),
    ];
    for (line, answered, sends, listens) in cases {
        let lines = if line.starts_with("c=") {
            format!("m=audio 5004 RTP/AVP 0\r\n{line}")
        } else {
            format!("m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n{line}")
        };
        let (answer, agreed) = answer(&described(&lines), &local()).unwrap();
        assert!(answer.contains(answered), "{line}: {answer}");
        assert_eq!((agreed.sends, agreed.listens), (sends, listens), "{line}");
    }
}

#[test]
fn the_direction_of_the_whole_session_counts_for_a_stream_without_one() {
    let head = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\na=inactive\r\n";
    let held = read(format!("{head}m=audio 5004 RTP/AVP 0\r\n").as_bytes()).unwrap();
    assert_eq!(held.audio.flow, Flow::None);
}

#[test]
fn a_protected_offer_is_answered_with_the_same_tag_and_suite_and_our_key() {
    let lines = format!(
        "m=audio 5004 RTP/SAVP 0\r\na=crypto:3 F8_128_HMAC_SHA1_80 inline:{KEY}\r\n\
         a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31\r\n"
    );
    let (answer, agreed) = answer(&described(&lines), &local()).unwrap();
    assert!(answer.contains("RTP/SAVP 0\r\n") && answer.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:BwcH"));
    let (ours, theirs) = agreed.keys.unwrap();
    assert_eq!(theirs.key.0.expose()[..], (0..30).collect::<Vec<u8>>());
    assert_eq!((ours.tag, ours.key.0.expose()[..].to_vec()), (4, vec![7; 30]));
    assert!(!format!("{ours:?}").contains("7, 7"), "a key prints nothing of itself");
}

#[test]
fn what_cannot_be_agreed_says_why() {
    let offer = |lines: &str| answer(&described(lines), &local()).map(|_| ()).unwrap_err();
    assert_eq!(offer("m=audio 5004 RTP/AVP 3 18 111\r\n"), SdpError::NoCodec);
    assert_eq!(offer("m=audio 5004 RTP/SAVP 0\r\n"), SdpError::NoProtection);
    assert_eq!(
        offer("m=audio 5004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n"),
        SdpError::NoProtection
    );
    let identified = format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|7:4\r\n");
    assert_eq!(offer(&identified), SdpError::NoProtection);
    assert_eq!(read(text("").as_bytes()), Err(SdpError::NoAudio));
    assert_eq!(read(text("m=audio 5004 DCCP/TLS/RTP/SAVPF 0\r\n").as_bytes()), Err(SdpError::NoAudio));
    assert_eq!(offer("m=audio 5004 UDP/TLS/RTP/SAVPF 0\r\n"), SdpError::NoProtection, "nothing of a handshake");
    assert_eq!(read(b"hello"), Err(SdpError::Malformed));
    assert_eq!(read(&vec![b'a'; 20_000]), Err(SdpError::Malformed));
    let required = Local { protection: Protection::Required, ..local() };
    assert_eq!(answer(&described(PHONE), &required).map(|_| ()), Err(SdpError::NoProtection));
    assert_eq!(accept(&described(PHONE), &required).map(|_| ()), Err(SdpError::NoProtection));
    let never = Local { protection: Protection::Never, ..local() };
    let lines = format!("m=audio 5004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    assert_eq!(answer(&described(&lines), &never).map(|_| ()), Err(SdpError::NoProtection));
}

/// What a page in a browser offers, as far as it matters.
const PAGE: &str = "a=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:Qx7f\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:\
    10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\n";

#[test]
fn a_page_is_answered_with_a_handshake_that_it_begins() {
    let (text, agreed) = answer(&described(PAGE), &local()).unwrap();
    for line in [
        "a=group:BUNDLE 0\r\na=ice-lite\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111 126\r\n",
        "a=rtcp-mux\r\na=sendrecv\r\na=mid:0\r\na=setup:passive\r\na=fingerprint:sha-256 AB:AB:",
        "a=ssrc:4711 msid:- audio\r\na=ice-ufrag:here\r\na=ice-pwd:a-password-of-22-letters\r\n",
        "a=candidate:1 1 udp 2130706431 192.0.2.9 40000 typ host\r\na=end-of-candidates\r\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(agreed.is_protected() && agreed.keys.is_none() && agreed.sends && agreed.listens);
    let exchange = agreed.exchange.unwrap();
    assert_eq!((exchange.fingerprint.0[31], exchange.is_ours_to_begin, exchange.here), (31, false, local().address));
    let (ours, theirs) = exchange.ice.unwrap();
    assert_eq!(
        (ours.ufrag.as_str(), theirs.ufrag.as_str(), theirs.password()),
        ("here", "Qx7f", "abcdefghijklmnopqrstuvwx")
    );
    assert!(!format!("{theirs:?}").contains("97"), "a password prints nothing of itself");
}

#[test]
fn a_handshake_that_the_other_end_awaits_is_ours_to_begin_and_needs_no_checks() {
    let lines: String = PAGE
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("a=ice") && !line.starts_with("a=group") && !line.starts_with("a=mid"))
        .collect();
    let lines = lines
        .replace("actpass", "passive")
        .replace("0.0.0.0", "198.51.100.7")
        .replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF");
    let (text, agreed) = answer(&described(&lines), &local()).unwrap();
    assert!(text.contains("a=setup:active\r\n") && !text.contains("a=ice") && !text.contains("a=mid"), "{text}");
    let exchange = agreed.exchange.unwrap();
    assert!(exchange.is_ours_to_begin && exchange.ice.is_none());
    assert_eq!(agreed.address.ip().to_string(), "198.51.100.7");
}

#[test]
fn our_offers_within_a_call_with_a_handshake_go_on_with_it() {
    let ours = Local { is_exchanged: true, ..local() };
    let text = offer(&ours);
    assert!(
        text.contains("a=ice-lite\r\nm=audio 40000 UDP/TLS/RTP/SAVPF ") && text.contains("a=setup:actpass"),
        "{text}"
    );
    let other = Local { address: "192.0.2.8:50000".parse().unwrap(), ..local() };
    let (answered, there) = answer(&read(text.as_bytes()).unwrap(), &other).unwrap();
    let here = accept(&read(answered.as_bytes()).unwrap(), &ours).unwrap();
    assert_eq!(here.exchange.unwrap().is_ours_to_begin, !there.exchange.unwrap().is_ours_to_begin);
    assert_eq!(
        accept(&described(PHONE), &ours).map(|_| ()),
        Err(SdpError::NoProtection),
        "nothing is in the clear afterwards"
    );
}

#[test]
fn a_handshake_is_refused_where_nothing_is_protected_or_its_certificate_is_not_named() {
    let refused = |lines: &str, local: &Local| answer(&described(lines), local).map(|_| ()).unwrap_err();
    let never = Local { protection: Protection::Never, ..local() };
    assert_eq!(refused(PAGE, &never), SdpError::NoProtection);
    assert_eq!(refused(PAGE, &Local { identity: None, ..local() }), SdpError::NoProtection);
    assert_eq!(refused(&PAGE.replace("sha-256", "sha-1"), &local()), SdpError::NoProtection);
    assert_eq!(refused(&PAGE.replace(":1F\r\n", "\r\n"), &local()), SdpError::NoProtection);
    let required = Local { protection: Protection::Required, ..local() };
    assert!(answer(&described(PAGE), &required).unwrap().1.is_protected());
}

#[test]
fn a_host_name_instead_of_an_address_is_refused() {
    let named = "v=0\r\no=- 1 1 IN IP4 a.example\r\ns=-\r\nc=IN IP4 a.example\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n";
    assert_eq!(read(named.as_bytes()), Err(SdpError::Malformed));
}

#[test]
fn the_newer_internet_protocol_is_spoken() {
    let six = "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n";
    let ours = Local { address: "[2001:db8::9]:40000".parse().unwrap(), ..local() };
    let (answer, agreed) = answer(&read(six.as_bytes()).unwrap(), &ours).unwrap();
    assert_eq!(agreed.address, "[2001:db8::1]:5004".parse().unwrap());
    assert!(answer.contains("c=IN IP6 2001:db8::9\r\n"));
}

#[test]
fn reports_go_where_the_other_end_wants_them() {
    let mux = described("m=audio 5004 RTP/AVP 0\r\na=rtcp-mux\r\n");
    assert_eq!((mux.audio.reports.port(), mux.audio.is_multiplexed), (5004, true));
    let named = described("m=audio 5004 RTP/AVP 0\r\na=rtcp:5020\r\n");
    assert_eq!((named.audio.reports.port(), named.audio.is_multiplexed), (5020, false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_description_is_too_odd(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let lines = format!("{PAGE}{PHONE}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\na=rtcp:7\r\na=sendonly\r\n");
        let mut bytes = text(&lines).into_bytes();
        let index = at.index(bytes.len());
        bytes[index] = with;
        bytes.truncate(cut.index(bytes.len() * 2));
        if let Ok(description) = read(&bytes)
            && let Ok((text, _)) = answer(&description, &local())
        {
            prop_assert!(read(text.as_bytes()).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_noise_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }
}
