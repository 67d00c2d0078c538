//! Server-sent events (WHATWG HTML, section 9.2) from bytes that are split anywhere. Only the data of events is kept: the
//! services we speak to put everything there.

use base::limits::PROVIDER_MESSAGE_BYTES_MAX;

/// A line or an event was longer than [`PROVIDER_MESSAGE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {PROVIDER_MESSAGE_BYTES_MAX} bytes")]
pub struct TooLong;

/// Decodes one response body.
#[derive(Debug, Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    after_return: bool,
    past_first_line: bool,
}

impl SseDecoder {
    /// Takes more of the body and calls `event` with the data of each event that is complete.
    pub fn push(&mut self, bytes: &[u8], mut event: impl FnMut(&str)) -> Result<(), TooLong> {
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' => self.end_line(&mut event)?,
                b'\r' => {
                    self.after_return = true;
                    self.end_line(&mut event)?;
                }
                _ if self.line.len() >= PROVIDER_MESSAGE_BYTES_MAX => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The body ended. A last event without its empty line is given too: some servers forget it.
    pub fn end(&mut self, mut event: impl FnMut(&str)) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            self.end_line(&mut event)?;
        }
        self.dispatch(&mut event);
        Ok(())
    }

    fn end_line(&mut self, event: &mut impl FnMut(&str)) -> Result<(), TooLong> {
        let mut line = self.line.as_slice();
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            self.line.clear();
            self.dispatch(event);
            return Ok(());
        }
        let value = match line.strip_prefix(b"data") {
            Some([b':', b' ', value @ ..]) | Some([b':', value @ ..]) => Some(value),
            Some([]) => Some(&[][..]),
            _ => None,
        };
        if let Some(value) = value {
            if self.data.len() + value.len() > PROVIDER_MESSAGE_BYTES_MAX {
                return Err(TooLong);
            }
            if self.has_data {
                self.data.push('\n');
            }
            self.has_data = true;
            self.data.push_str(&String::from_utf8_lossy(value));
        }
        self.line.clear();
        Ok(())
    }

    fn dispatch(&mut self, event: &mut impl FnMut(&str)) {
        if std::mem::take(&mut self.has_data) {
            event(&self.data);
        }
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |data| events.push(data.to_owned())).expect("short");
        }
        decoder.end(|data| events.push(data.to_owned())).expect("short");
        events
    }

    #[test]
    fn line_ends_comments_names_and_many_lines_are_understood() {
        let body =
            "\u{feff}: keepalive\r\nevent: x\r\ndata: a\r\ndata:b\r\n\r\ndata:  c\n\nid: 1\n\ndata\r\rdata: last";
        assert_eq!(decode(&[body.as_bytes()]), ["a\nb", " c", "", "last"]);
    }

    #[test]
    fn an_endless_line_is_refused_rather_than_kept() {
        let mut decoder = SseDecoder::default();
        let piece = vec![b'x'; 64 * 1024];
        let outcome = (0..64).try_for_each(|_| decoder.push(&piece, |_| {}));
        assert_eq!(outcome, Err(TooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_body_split_anywhere_gives_the_same_events(
            lines in proptest::collection::vec("(data: ?[é☎a-z]{0,6}|: x|event: y|)", 0..12),
            ends in proptest::collection::vec("(\r\n|\n|\r)", 12),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let body: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end.as_str()]).collect();
            let whole = decode(&[body.as_bytes()]);
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            at.extend([0, body.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &body.as_bytes()[w[0]..w[1]]).collect();
            prop_assert_eq!(decode(&pieces), whole);
        }
    }
}
