//! Keys pressed on a phone, collected into one number.

use base::limits::{DTMF_ASKED_PAUSE_MS_MAX, DTMF_DIGITS_MAX, DTMF_PAUSE_MS_MAX};
use base::{CallTime, Millis};

/// Keys pressed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Keypad {
    digits: String,
    until: CallTime,
    /// So many keys were asked for.
    asked: Option<usize>,
}

impl Keypad {
    /// The next number is one of so many keys, and whoever types it may take their time.
    pub fn ask_for(&mut self, digits_max: usize) {
        self.asked = Some(digits_max.clamp(1, DTMF_DIGITS_MAX));
    }

    /// A key was pressed. Gives the number when the key ends it.
    pub fn press(&mut self, now: CallTime, key: char) -> Option<String> {
        if key == '#' {
            return self.take();
        }
        if self.digits.len() < DTMF_DIGITS_MAX && (key.is_ascii_digit() || matches!(key, '*' | 'A'..='D')) {
            self.digits.push(key);
        }
        if self.asked.is_some_and(|asked| self.digits.len() >= asked) {
            return self.take();
        }
        let pause = if self.asked.is_some() { DTMF_ASKED_PAUSE_MS_MAX } else { DTMF_PAUSE_MS_MAX };
        self.until = now + Millis(pause);
        None
    }

    /// When the number is taken as complete.
    pub fn deadline(&self) -> Option<(CallTime, &'static str)> {
        (!self.digits.is_empty()).then_some((self.until, "keypad"))
    }

    /// The number, if any key was pressed.
    pub fn take(&mut self) -> Option<String> {
        let number = (!self.digits.is_empty()).then(|| std::mem::take(&mut self.digits));
        self.asked = self.asked.filter(|_| number.is_none());
        number
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

    #[test]
    fn a_number_that_was_asked_for_ends_with_its_last_key() {
        let mut keypad = Keypad::default();
        keypad.ask_for(2);
        assert_eq!(keypad.press(CallTime(0), '4'), None);
        assert_eq!(keypad.deadline(), Some((CallTime(5_000), "keypad")), "people read it from a card");
        assert_eq!(keypad.press(CallTime(900), '2'), Some("42".into()));
        assert_eq!(keypad.press(CallTime(1_000), '1'), None);
        assert_eq!(keypad.press(CallTime(1_100), '2'), None);
        assert_eq!(keypad.press(CallTime(1_200), '3'), None, "asked for once");
    }
}
