//! What a trace of a call holds, read back with the library that others read capture files with.

#![allow(clippy::unwrap_used)]

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use sip::trace::{Capture, Kind, Packet, without_secrets};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

const INVITE: &str = "INVITE sip:+49405550171@192.0.2.1 SIP/2.0\r\n\
    Call-ID: one\r\n\
    Proxy-Authorization: Digest username=\"ada\", realm=\"shop\", nonce=\"n0n-ce\", cnonce=\"c-n0nce\",\r\n \
    uri=\"sip:x\", response=\"0123456789abcdef\", nc=00000001\r\n\
    authorization : Basic YWRhOnBhc3M=\r\n\
    \x20YWxzbyB0aGlz\r\n\
    Authorization: Negotiate gssapi-data=\"dG9rZW4=\"\r\n\
    Content-Length: 116\r\n\r\n\
    v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0a2V5|2^20|1:4;inline:b3RoZXI=\r\na=rtpmap:0 PCMU/8000\r\nk=clear:word\r\na=ice-pwd:checkword\r\n";

fn packet(kind: Kind, from: &str, to: &str, bytes: &[u8], ms: u64) -> Packet {
    let at = UNIX_EPOCH + Duration::from_millis(ms);
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Packet { at, kind, from: address(from), to: address(to), bytes: bytes.to_vec() }
}

/// Time, ends and payload of every packet.
fn read(file: &[u8]) -> Vec<(Duration, String, Vec<u8>)> {
    let mut reader = PcapReader::new(file).unwrap();
    assert_eq!(reader.header().datalink, DataLink::RAW);
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let sliced = SlicedPacket::from_ip(&packet.data).unwrap();
        let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("no datagram") };
        let (from, to) = match sliced.net.unwrap() {
            NetSlice::Ipv4(ip) => (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string()),
            NetSlice::Ipv6(ip) => (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string()),
            other => panic!("{other:?}"),
        };
        let ends = format!("{from} {} {to} {}", udp.source_port(), udp.destination_port());
        packets.push((packet.timestamp, ends, udp.payload().to_vec()));
    }
    packets
}

#[test]
fn what_proves_or_opens_something_is_blanked_and_all_else_stays() {
    let clean = String::from_utf8(without_secrets(INVITE.as_bytes())).unwrap();
    for secret in [
        "n0n-ce",
        "c-n0nce",
        "0123456789abcdef",
        "YWRh",
        "YWxz",
        "dG9r",
        "c2VjcmV0",
        "b3RoZXI",
        "clear",
        "word",
        "check",
    ] {
        assert!(!clean.contains(secret), "{secret} in {clean}");
    }
    for kept in [
        "username=\"ada\"",
        "Basic",
        "Negotiate",
        "realm=\"shop\"",
        "nc=00000001",
        "uri=\"sip:x\"",
        "inline:xxxxxxxxxxxx|2^20|1:4;inline:",
    ] {
        assert!(clean.contains(kept), "{kept} not in {clean}");
    }
    assert_eq!(clean.len(), INVITE.len(), "lengths that it states stay true");
    assert_eq!(clean.lines().count(), INVITE.lines().count());
    let plain = "SIP/2.0 200 OK\r\nCall-ID: nonce=1\r\n\r\nresponse=\"kept\"\r\n";
    assert_eq!(without_secrets(plain.as_bytes()), plain.as_bytes());
}

#[test]
fn a_capture_is_read_back_with_times_ends_and_payloads() {
    let mut capture = Capture::new(Vec::new(), 10_000).unwrap();
    let rtp = [0x80, 0, 0, 7, 0, 0, 0, 160, 1, 2, 3, 4, 0xff, 0xff];
    let packets = [
        packet(Kind::Signalling, "192.0.2.9:5060", "192.0.2.1:5062", INVITE.as_bytes(), 1_000),
        packet(Kind::Media, "192.0.2.1:20000", "192.0.2.9:4000", &rtp, 1_020),
        packet(Kind::Media, "[2001:db8::9]:4000", "[2001:db8::1]:20000", &rtp, 1_040),
    ];
    packets.iter().for_each(|packet| assert!(capture.write(packet).unwrap()));
    let read = read(&capture.into_file());
    assert_eq!(read[0].1, "192.0.2.9 5060 192.0.2.1 5062");
    assert_eq!(read[0].2, without_secrets(INVITE.as_bytes()));
    assert_eq!((read[1].0, read[1].2.as_slice()), (Duration::from_millis(1_020), &rtp[..]), "audio is as on the wire");
    assert_eq!((read[2].1.as_str(), read.len()), ("2001:db8::9 4000 2001:db8::1 20000", 3));
}

#[test]
fn a_full_capture_takes_no_more_audio_and_still_says_how_the_call_ended() {
    let mut capture = Capture::new(Vec::new(), 1_000).unwrap();
    let audio = packet(Kind::Media, "192.0.2.1:20000", "192.0.2.9:4000", &[0x80; 172], 0);
    let taken = (0..50).filter(|_| capture.write(&audio).unwrap()).count();
    assert_eq!((taken, capture.is_cut()), (5, true));
    let bye = packet(Kind::Signalling, "192.0.2.9:5060", "192.0.2.1:5060", b"BYE sip:x SIP/2.0\r\n\r\n", 9);
    assert!(capture.write(&bye).unwrap());
    assert!(!capture.write(&packet(Kind::Media, "192.0.2.1:1", "192.0.2.9:1", &[], 0)).unwrap());
    let long = packet(Kind::Signalling, "192.0.2.9:5060", "192.0.2.1:5060", &[b'x'; 60_000], 9);
    let more = (0..50).filter(|_| capture.write(&long).unwrap()).count();
    assert!(more <= 4, "signalling is bounded, too: {more}");
    assert!(read(&capture.into_file())[5].2.starts_with(b"BYE"));
}
