//! What a business says about the way in which its calls go out: which phone platform for which country, and at what price.

use base::PhoneNumber;
use serde::{Deserialize, Serialize};

/// Rules and prices of one business, each.
pub const OUTGOING_ROWS_MAX: usize = 200;
/// Platforms that one rule names.
pub const RULE_CARRIERS_MAX: usize = 10;

/// How the calls of a business go out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingPlan {
    /// Which platforms come first, by the beginning of the number that is called.
    pub rules: Vec<PrefixRule>,
    /// What a minute costs.
    pub prices: Vec<Price>,
}

/// Which platforms come first for numbers that begin like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixRule {
    /// `+` and digits; `+` alone for every number.
    pub prefix: String,
    /// Registry names, the first choice first.
    pub carriers: Vec<String>,
    /// The number that is shown, where the platform has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PhoneNumber>,
}

/// What a minute to numbers that begin like this costs at a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Registry name.
    pub carrier: String,
    /// `+` and digits; `+` alone for every number.
    pub prefix: String,
    /// Millionths of a US dollar.
    pub minute_usd_micros: i64,
}

impl OutgoingPlan {
    /// The rule for a number: that with the longest prefix, the first of equals.
    pub fn rule(&self, to: &PhoneNumber) -> Option<&PrefixRule> {
        longest(self.rules.iter(), to, |rule| &rule.prefix)
    }

    /// What a minute to a number costs at a platform.
    pub fn price(&self, carrier: &str, to: &PhoneNumber) -> Option<i64> {
        let of_carrier = self.prices.iter().filter(|price| price.carrier == carrier);
        longest(of_carrier, to, |price| &price.prefix).map(|price| price.minute_usd_micros)
    }

    /// What is wrong with it, in words. Whether the platforms exist is not known here.
    ///
    /// # Errors
    /// The place and what was expected.
    pub fn check(&self) -> Result<(), String> {
        if self.rules.len() > OUTGOING_ROWS_MAX || self.prices.len() > OUTGOING_ROWS_MAX {
            return Err(format!("at most {OUTGOING_ROWS_MAX} rules and {OUTGOING_ROWS_MAX} prices"));
        }
        for (at, rule) in self.rules.iter().enumerate() {
            check_prefix(&rule.prefix).map_err(|why| format!("rules[{at}].prefix: {why}"))?;
            if rule.carriers.is_empty() || rule.carriers.len() > RULE_CARRIERS_MAX {
                return Err(format!("rules[{at}].carriers: name 1 to {RULE_CARRIERS_MAX}"));
            }
        }
        for (at, price) in self.prices.iter().enumerate() {
            check_prefix(&price.prefix).map_err(|why| format!("prices[{at}].prefix: {why}"))?;
            if !(0..=1_000_000_000).contains(&price.minute_usd_micros) {
                return Err(format!("prices[{at}].minute_usd_micros: 0 to 1000000000"));
            }
        }
        Ok(())
    }
}

/// The longest prefix wins; of equals, the first.
fn longest<'a, T>(rows: impl Iterator<Item = &'a T>, to: &PhoneNumber, prefix: impl Fn(&T) -> &str) -> Option<&'a T> {
    let fitting = rows.filter(|row| to.expose().starts_with(prefix(row)));
    fitting.reduce(|best, row| if prefix(row).len() > prefix(best).len() { row } else { best })
}

fn check_prefix(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('+').filter(|digits| digits.len() <= 15);
    if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(());
    }
    Err("+ and at most 15 digits, such as +49; + alone for every number".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts() {
        let rule = |prefix: &str, carrier: &str| PrefixRule {
            prefix: prefix.into(),
            carriers: vec![carrier.into()],
            from: None,
        };
        let price = |carrier: &str, prefix: &str, minute_usd_micros| Price {
            carrier: carrier.into(),
            prefix: prefix.into(),
            minute_usd_micros,
        };
        let plan = OutgoingPlan {
            rules: vec![rule("+", "a"), rule("+49", "b"), rule("+4915", "c"), rule("+4915", "d")],
            prices: vec![price("a", "+", 9_000), price("a", "+49", 4_000), price("b", "+1", 1_000)],
        };
        assert_eq!(plan.check(), Ok(()));
        let to: PhoneNumber = "+4915735550123".parse().expect("a number");
        assert_eq!(plan.rule(&to).map(|rule| rule.carriers[0].as_str()), Some("c"));
        assert_eq!((plan.price("a", &to), plan.price("b", &to)), (Some(4_000), None));
        for wrong in ["49", "+4a", "", "+1234567890123456"] {
            let plan = OutgoingPlan { rules: vec![rule(wrong, "a")], prices: vec![] };
            assert!(plan.check().is_err(), "{wrong:?}");
        }
        assert!(OutgoingPlan { rules: vec![], prices: vec![price("a", "+", -1)] }.check().is_err());
    }
}
