//! What clips cost.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// The prices of clips in credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditPrice {
    /// A job costs at least so much (CREDITS_MINIMUM, 10).
    pub minimum: u64,
    /// The price of a minute of the source (CREDITS_PER_MINUTE, 10).
    pub per_minute: u64,
}

impl Default for CreditPrice {
    fn default() -> Self {
        Self { minimum: 10, per_minute: 10 }
    }
}

impl CreditPrice {
    /// The price of so many milliseconds: `max(minimum, round(per_minute * minutes))`.
    pub fn of(&self, ms: u64) -> u64 {
        self.of_length(ms).max(self.minimum)
    }

    /// The same price of a length that is known from `basis`, and what the price is based on: the minimum if the length
    /// alone would cost less.
    pub fn based_on(&self, ms: u64, basis: Basis) -> (u64, Basis) {
        let is_less = self.of_length(ms) < self.minimum;
        (self.of(ms), if is_less { Basis::Minimum } else { basis })
    }

    fn of_length(&self, ms: u64) -> u64 {
        let exact = (u128::from(self.per_minute) * u128::from(ms)).saturating_add(30_000) / 60_000;
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

/// What a charge or a reservation is based on: a length, or the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Basis {
    /// The ranges that the client asked for.
    Ranges,
    /// The length of the source, as the worker reported it.
    Reported,
    /// The length of the source, as we probed it.
    Probed,
    /// The length of the source, as the client declared it: only reservations are based on it.
    Declared,
    /// The sum of the clips.
    Clips,
    /// The minimum: the length costs less, or is not known yet.
    Minimum,
}

impl Basis {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_costs_less_than_the_minimum_is_not_the_basis() {
        let price = CreditPrice::default();
        for (ms, expected) in [
            (0, (10, Basis::Minimum)),
            (56_999, (10, Basis::Minimum)),
            (57_000, (10, Basis::Probed)),
            (60_000, (10, Basis::Probed)),
            (63_000, (11, Basis::Probed)),
        ] {
            assert_eq!(price.based_on(ms, Basis::Probed), expected, "{ms} ms");
        }
        assert_eq!(CreditPrice { minimum: 0, per_minute: 10 }.based_on(0, Basis::Clips), (0, Basis::Clips));
    }

    #[test]
    fn minutes_are_rounded_to_whole_credits_and_the_minimum_applies() {
        let price = CreditPrice::default();
        for (ms, credits) in [(0, 10), (59_999, 10), (60_000, 10), (62_999, 10), (63_000, 11), (4 * 3_600_000, 2400)] {
            assert_eq!(price.of(ms), credits, "{ms} ms");
        }
        assert_eq!(CreditPrice { minimum: 0, per_minute: 0 }.of(u64::MAX), 0);
        assert_eq!(CreditPrice { minimum: 0, per_minute: u64::MAX }.of(u64::MAX), u64::MAX);
    }
}
