//! A datagram on a port of SIP, read as the endpoint reads it.

use std::io;

pub(crate) fn run(bytes: &[u8]) {
    let taken = sip::trial::message(bytes);
    assert_eq!(taken, sip::trial::message(bytes), "the same bytes are the same message");
}

/// The odd messages of the standards, of which many are ordinary ones with one oddity.
pub(crate) fn seeds() -> io::Result<Vec<Vec<u8>>> {
    let text = crate::fixture("sip/torture.txt")?;
    let messages = text.split("\n== ").skip(1).filter_map(|block| block.split_once('\n'));
    let wire = |(_, message): (&str, &str)| {
        let message = message.trim_end_matches('\n');
        let end = if message.contains("\n\n") { "" } else { "\n\n" };
        let filled =
            [("{PEER}", "192.0.2.1:5060"), ("{IP}", "192.0.2.1"), ("{PORT}", "5060"), ("{HERE}", "192.0.2.9:5060")];
        let odd = [("{TAB}", "\t"), ("{NUL}", "\0"), ("{LONG}", "xxxxxxxxxxxxxxxx")];
        let message =
            filled.iter().chain(&odd).fold(format!("{message}{end}"), |text, (mark, value)| text.replace(mark, value));
        message.replace('\n', "\r\n").into_bytes()
    };
    Ok(messages.map(wire).collect())
}
