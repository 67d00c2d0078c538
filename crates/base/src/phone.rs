//! Phone numbers in E.164 form: `+` and 5 to 15 digits (ITU-T E.164).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number that can be dialled, in E.164 form. Prints masked, because it is personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// It does not begin with `+`.
    #[error("a phone number begins with + and the country code, as in +4940555017")]
    NoPlus,
    /// It has fewer than 5 or more than 15 digits.
    #[error("a phone number has 5 to 15 digits after the +")]
    Length,
    /// It holds something that is not a digit.
    #[error("a phone number holds digits only after the +")]
    NotADigit,
}

impl PhoneNumber {
    /// The number as dialled, for the carrier that dials it and the people who may see it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = PhoneNumberError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
        let digits = kept.strip_prefix('+').ok_or(PhoneNumberError::NoPlus)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PhoneNumberError::NotADigit);
        }
        if !(5..=15).contains(&digits.len()) {
            return Err(PhoneNumberError::Length);
        }
        Ok(Self(kept))
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneNumberError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> String {
        number.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…{}", &self.0[..3], &self.0[self.0.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_write_and_keeps_what_carriers_dial() {
        let number: PhoneNumber = "+49 (40) 555-0170".parse().expect("valid");
        assert_eq!(number.expose(), "+49405550170");
        assert_eq!(number.to_string(), "+49…70");
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!("0405550170".parse::<PhoneNumber>(), Err(PhoneNumberError::NoPlus));
        assert_eq!("+49".parse::<PhoneNumber>(), Err(PhoneNumberError::Length));
        assert_eq!("+49abc5550".parse::<PhoneNumber>(), Err(PhoneNumberError::NotADigit));
    }
}
