//! Messages on the media socket of a platform. An input is messages, with [`BETWEEN`] between two of them; one that begins with
//! [`BINARY`] is binary.

use carriers::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink};
use carriers::registry;
use std::io;

/// The record separator of ASCII, which no text of a platform holds.
const BETWEEN: u8 = 0x1e;
const BINARY: u8 = 0x01;
const FRAME: [i16; 160] = [1; 160];

pub(crate) fn run(name: &'static str, bytes: &[u8]) {
    let Some(mut media) = registry::media(name) else { return };
    let mut is_over = false;
    for message in bytes.split(|byte| *byte == BETWEEN) {
        let sink = take(media.as_mut(), message);
        let violations = sink.events.iter().filter(|event| matches!(event, MediaEvent::Violation { .. })).count();
        if is_over {
            assert!(violations == 0 && sink.pcm.is_empty(), "it goes on after it closed: {:?}", sink.events);
        }
        assert!(violations <= 1, "{:?}", sink.events);
        assert!(sink.pcm.len() <= bytes.len(), "more samples than bytes");
        is_over |= violations == 1;
        let mut out = Vec::new();
        media.on_command(MediaCommand::Audio(&FRAME), &mut out);
        assert!(!is_over || out.is_empty(), "it sends after it closed");
    }
}

fn take(media: &mut dyn MediaProtocol, message: &[u8]) -> MediaSink {
    let mut sink = MediaSink::default();
    match message.split_first() {
        Some((&BINARY, binary)) => media.on_binary(binary, &mut sink),
        _ => {
            // The socket lets nothing else through as text.
            if let Ok(text) = std::str::from_utf8(message) {
                media.on_text(text, &mut sink);
            }
        }
    }
    sink
}

/// The conversations of `fixtures/fuzz/media`, whole, and their beginnings with each of their other messages. A socket that may
/// turn out to carry words has two.
pub(crate) fn seeds(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = seeds_of(&crate::fixture(&format!("fuzz/media/{name}.txt"))?);
    match crate::fixture(&format!("fuzz/media/{name}.words.txt")) {
        Ok(words) => seeds.extend(seeds_of(&words)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(seeds)
}

fn seeds_of(text: &str) -> Vec<Vec<u8>> {
    let messages: Vec<Vec<u8>> = text.lines().map(message_of).collect();
    let mut seeds = vec![messages.join(&BETWEEN)];
    let (first, others) = messages.split_at(messages.len().min(2));
    seeds.extend(others.iter().map(|one| [first, std::slice::from_ref(one)].concat().join(&BETWEEN)));
    seeds
}

fn message_of(line: &str) -> Vec<u8> {
    match line.strip_prefix("0x") {
        Some(hex) => [&[BINARY][..], &bytes_of(hex)].concat(),
        None => line.as_bytes().to_vec(),
    }
}

pub(crate) fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|sign| sign.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
