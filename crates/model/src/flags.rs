//! Feature flags: something is on for a share of calls, customers or businesses.
//!
//! Whether a flag is on depends on the flag, its share and whom it is asked for, and on nothing else: no chance, no clock, no
//! memory. So every node and every process gives the same answer, and a share that grows takes nobody back who had it.

use base::{BusinessId, CallId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Flags of one business, or of the installation.
pub const FLAGS_MAX: usize = 200;
/// Characters of the name of a flag.
pub const FLAG_NAME_CHARS_MAX: usize = 64;

/// What a share is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagBy {
    /// Each call draws anew.
    #[default]
    Call,
    /// A customer, known by number or address, has it in all calls or in none. Whoever hides it draws by call.
    Customer,
    /// A business has it whole or not at all. For flags of the installation.
    Business,
}

/// A flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// For how many of a hundred it is on: 0 to 100.
    pub share_percent: u8,
    /// Of a hundred what.
    #[serde(default)]
    pub by: FlagBy,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What is wrong with a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagError {
    /// The name is not 1 to 64 of `a`–`z`, `0`–`9`, `-` and `_`, beginning with a letter.
    Name,
    /// The share is above 100.
    Share,
    /// There are [`FLAGS_MAX`] already.
    TooMany,
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name of a flag is 1 to 64 of a–z, 0–9, - and _, and begins with a letter",
            Self::Share => "share_percent is a whole number from 0 to 100",
            Self::TooMany => "there are 200 flags already",
        })
    }
}

impl std::error::Error for FlagError {}

/// Whether this may be the name of a flag.
///
/// # Errors
/// [`FlagError::Name`].
pub fn check_name(name: &str) -> Result<(), FlagError> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let fits = name.len() <= FLAG_NAME_CHARS_MAX && name.starts_with(|c: char| c.is_ascii_lowercase());
    (fits && name.chars().all(known)).then_some(()).ok_or(FlagError::Name)
}

/// Whom a flag is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The business.
    pub business: BusinessId,
    /// The call.
    pub call: CallId,
    /// The customer's number or address.
    pub customer: Option<&'a str>,
}

/// Flags by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub BTreeMap<String, Flag>);

impl Flags {
    /// Checks names, shares and how many there are.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), FlagError> {
        if self.0.len() > FLAGS_MAX {
            return Err(FlagError::TooMany);
        }
        for (name, flag) in &self.0 {
            check_name(name)?;
            if flag.share_percent > 100 {
                return Err(FlagError::Share);
            }
        }
        Ok(())
    }

    /// What holds for a business: its own flags, and those of the installation of which it has none.
    #[must_use]
    pub fn over(&self, installation: &Flags) -> Flags {
        let mut all = installation.0.clone();
        all.extend(self.0.iter().map(|(name, flag)| (name.clone(), flag.clone())));
        Flags(all)
    }

    /// Whether a flag is on. One that does not exist is off.
    pub fn is_on(&self, name: &str, subject: &Subject<'_>) -> bool {
        let Some(flag) = self.0.get(name) else { return false };
        let customer = subject.customer.filter(|customer| !customer.is_empty());
        let drawn = match (flag.by, customer) {
            (FlagBy::Customer, Some(customer)) => draw(&customer_key(subject.business, customer), name, 100),
            (FlagBy::Business, _) => draw(subject.business.0.as_bytes(), name, 100),
            (FlagBy::Call | FlagBy::Customer, _) => draw(subject.call.0.as_bytes(), name, 100),
        };
        drawn < u32::from(flag.share_percent)
    }

    /// The names of the flags that are on, in order.
    pub fn all_on(&self, subject: &Subject<'_>) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| self.is_on(name, subject)).collect()
    }
}

/// The same customer of two businesses is two subjects.
fn customer_key(business: BusinessId, customer: &str) -> Vec<u8> {
    [business.0.as_bytes(), customer.as_bytes()].concat()
}

/// A number below `range` that belongs to this subject and this purpose, the same on every node and at every time. Even over
/// the subjects, and for one subject unrelated between purposes. Not secret: who knows both knows the number.
pub fn draw(subject: &[u8], purpose: &str, range: u32) -> u32 {
    // FNV-1a, then a finaliser: the ids of calls that begin together differ in few bits.
    let bytes = subject.iter().chain(purpose.as_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    u32::try_from((mixed >> 32) % u64::from(range.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::str::FromStr;

    /// Ids as they come in practice: in order, differing in their last bits.
    fn call(number: u32) -> CallId {
        CallId::from_str(&format!("019a0000-0000-7000-8000-{number:012x}")).expect("an id")
    }

    fn business(number: u32) -> BusinessId {
        BusinessId(call(number).0)
    }

    fn flags(share_percent: u8, by: FlagBy) -> Flags {
        let flag = Flag { share_percent, by, description: String::new() };
        Flags([("new-voice".to_owned(), flag)].into())
    }

    fn on(flags: &Flags, numbers: std::ops::Range<u32>, customer: Option<&str>) -> BTreeSet<u32> {
        let subject = |number| Subject { business: business(1), call: call(number), customer };
        numbers.filter(|number| flags.is_on("new-voice", &subject(*number))).collect()
    }

    #[test]
    fn a_share_of_calls_is_that_share() {
        for share in [1, 5, 10, 33, 50, 75, 99] {
            let hits = on(&flags(share, FlagBy::Call), 0..20_000, None).len() as f64 / 20_000.0;
            let wanted = f64::from(share) / 100.0;
            // Four standard deviations of a fair draw.
            let allowed = 4.0 * (wanted * (1.0 - wanted) / 20_000.0).sqrt();
            assert!((hits - wanted).abs() <= allowed, "{share} %: {hits}");
        }
        assert_eq!(on(&flags(0, FlagBy::Call), 0..20_000, None).len(), 0);
        assert_eq!(on(&flags(100, FlagBy::Call), 0..20_000, None).len(), 20_000);
    }

    #[test]
    fn draws_fall_evenly_and_those_of_two_flags_have_nothing_to_do_with_each_other() {
        let (calls, buckets) = (50_000, 100);
        let mut counts = vec![0_u32; buckets as usize];
        let mut together = [[0_u32; 10]; 10];
        for number in 0..calls {
            let id = call(number);
            let first = draw(id.0.as_bytes(), "one", buckets);
            let second = draw(id.0.as_bytes(), "two", buckets);
            counts[first as usize] += 1;
            together[first as usize / 10][second as usize / 10] += 1;
        }
        let chi = |observed: &mut dyn Iterator<Item = u32>, expected: f64| {
            observed.map(|count| (f64::from(count) - expected).powi(2) / expected).sum::<f64>()
        };
        // 99 degrees of freedom: above 148.2 in one of a thousand fair tables. The ids are fixed, so is the outcome.
        let even = chi(&mut counts.into_iter(), f64::from(calls) / f64::from(buckets));
        assert!(even < 148.2, "{even}");
        let apart = chi(&mut together.iter().flatten().copied(), f64::from(calls) / 100.0);
        assert!(apart < 148.2, "{apart}");
    }

    #[test]
    fn a_share_that_grows_takes_nobody_back() {
        let mut before = BTreeSet::new();
        for share in 0..=100 {
            let now = on(&flags(share, FlagBy::Call), 0..2_000, None);
            assert!(now.is_superset(&before), "{share} %");
            before = now;
        }
    }

    #[test]
    fn a_customer_has_it_always_or_never_and_a_hidden_one_draws_by_call() {
        let half = flags(50, FlagBy::Customer);
        let mut with = 0;
        for number in 0..500 {
            let customer = format!("+1415555{number:04}");
            let calls = on(&half, 0..20, Some(&customer)).len();
            assert!(calls == 0 || calls == 20, "{customer}: {calls}");
            with += u32::from(calls == 20);
        }
        assert!((200..300).contains(&with), "{with} of 500");
        let hidden = on(&half, 0..1_000, Some("")).len();
        assert!((400..600).contains(&hidden), "{hidden} of 1000");
    }

    #[test]
    fn a_business_has_it_whole_or_not_at_all() {
        let half = flags(50, FlagBy::Business);
        let answer = |number, id| {
            half.is_on("new-voice", &Subject { business: business(number), call: call(id), customer: None })
        };
        let with = (0..500).filter(|number| answer(*number, 0)).count();
        assert!((200..300).contains(&with), "{with} of 500");
        assert!((0..500).all(|number| answer(number, 0) == answer(number, 1)));
    }

    #[test]
    fn a_business_overrules_the_installation_and_an_unknown_flag_is_off() {
        let installation = Flags([("a".to_owned(), Flag { share_percent: 100, ..Flag::default() })].into());
        let own = Flags([("a".to_owned(), Flag::default())].into());
        let subject = Subject { business: business(1), call: call(1), customer: None };
        assert!(Flags::default().over(&installation).is_on("a", &subject));
        assert!(!own.over(&installation).is_on("a", &subject));
        assert!(!installation.is_on("b", &subject));
        assert_eq!(installation.all_on(&subject), ["a"]);
    }

    #[test]
    fn names_and_shares_are_checked() {
        for name in ["", "New", "9lives", "a b", "ü", &"a".repeat(65)] {
            assert_eq!(check_name(name), Err(FlagError::Name), "{name}");
        }
        for name in ["a", "new-voice_2", &"a".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(flags(101, FlagBy::Call).check(), Err(FlagError::Share));
        assert_eq!(flags(100, FlagBy::Call).check(), Ok(()));
    }
}
