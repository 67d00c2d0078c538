//! Money in whole millionths of a currency unit: exact, and small enough for the cost of one token.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign};

/// An amount in millionths of a US dollar, the currency in which providers bill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money {
    /// Millionths of a dollar.
    pub usd_micros: i64,
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money { usd_micros: 0 };

    /// An amount in millionths of a dollar.
    pub const fn from_usd_micros(usd_micros: i64) -> Self {
        Self { usd_micros }
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money { usd_micros: self.usd_micros.saturating_add(other.usd_micros) }
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.usd_micros < 0 { "-" } else { "" };
        let micros = self.usd_micros.unsigned_abs();
        write!(f, "{sign}${}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}
