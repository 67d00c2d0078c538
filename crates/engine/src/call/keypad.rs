//! Keys pressed on a phone, collected into one number.

use base::limits::{DTMF_DIGITS_MAX, DTMF_PAUSE_MS_MAX};
use base::{CallTime, Millis};

/// Keys pressed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Keypad {
    digits: String,
    until: CallTime,
}

impl Keypad {
    /// A key was pressed. Gives the number when the key ends it.
    pub fn press(&mut self, now: CallTime, key: char) -> Option<String> {
        if key == '#' {
            return self.take();
        }
        if self.digits.len() < DTMF_DIGITS_MAX && (key.is_ascii_digit() || matches!(key, '*' | 'A'..='D')) {
            self.digits.push(key);
        }
        self.until = now + Millis(DTMF_PAUSE_MS_MAX);
        None
    }

    /// When the number is taken as complete.
    pub fn deadline(&self) -> Option<(CallTime, &'static str)> {
        (!self.digits.is_empty()).then_some((self.until, "keypad"))
    }

    /// The number, if any key was pressed.
    pub fn take(&mut self) -> Option<String> {
        (!self.digits.is_empty()).then(|| std::mem::take(&mut self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_with_hash_or_a_pause() {
        let mut keypad = Keypad::default();
        assert_eq!(keypad.press(CallTime(0), '#'), None, "no number, no turn");
        assert_eq!(keypad.press(CallTime(0), '4'), None);
        assert_eq!(keypad.press(CallTime(500), '2'), None);
        assert_eq!(keypad.deadline(), Some((CallTime(2_500), "keypad")));
        assert_eq!(keypad.press(CallTime(900), '#'), Some("42".into()));
        assert_eq!(keypad.deadline(), None);
    }
}
