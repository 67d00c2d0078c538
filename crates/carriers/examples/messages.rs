//! So many media messages of a phone platform read, and as many written, and nothing else: what an instruction counter is
//! put on. `cargo run -p carriers --release --example messages -- 1000`

use carriers::protocol::{MediaCommand, MediaProtocol as _, MediaSink};
use carriers::twilio::TwilioMedia;
use std::hint::black_box;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages: u64 = std::env::args().nth(1).ok_or("how many messages?")?.parse()?;
    let (mut protocol, mut sink, mut out) = (TwilioMedia::new(), MediaSink::default(), Vec::new());
    protocol.on_text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#, &mut sink);
    protocol.on_text(
        r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ0123456789","start":{"accountSid":"AC1","streamSid":"MZ0123456789","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}}}"#,
        &mut sink,
    );
    let payload = "fn5+".repeat(53) + "fg==";
    let pcm: Vec<i16> = (0..160).map(|n| (n * 97 % 4_001) - 2_000).collect();
    let mut heard = 0;
    for number in 0..messages {
        let text = format!(
            r#"{{"event":"media","sequenceNumber":"{}","media":{{"track":"inbound","chunk":"{}","timestamp":"{}","payload":"{payload}"}},"streamSid":"MZ0123456789"}}"#,
            number + 2,
            number + 1,
            number * 20,
        );
        protocol.on_text(&text, &mut sink);
        heard += sink.pcm.len();
        sink.pcm.clear();
        sink.events.clear();
        protocol.on_command(MediaCommand::Audio(&pcm), &mut out);
        black_box(&out);
        out.clear();
    }
    println!("{messages} messages, {heard} samples");
    Ok(())
}
