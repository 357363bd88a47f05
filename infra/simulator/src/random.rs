//! Random numbers that follow from a seed.

use crate::agenda::Micros;

/// SplitMix64: the same numbers for the same seed.
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.number()) * end as u128) >> 64) as usize
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something with this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.fraction() < probability
    }

    /// The time between two events that come at random, `mean` apart.
    pub fn gap(&mut self, mean: f64) -> Micros {
        (-mean * (1.0 - self.fraction()).ln()) as Micros
    }

    /// How long a call takes whose mean is `mean`: never less than 0.7 times as long, and for one of a hundred calls more
    /// than twice as long.
    pub fn about(&mut self, mean: Micros) -> Micros {
        (mean as f64 * 0.7) as Micros + self.gap(mean as f64 * 0.3)
    }

    /// A wait of a retry: full jitter within a bound that doubles.
    pub fn backoff(&mut self, first: Micros, longest: Micros, made: u32) -> Micros {
        let bound = (first << made.min(10)).min(longest);
        (bound as f64 * self.fraction()) as Micros
    }
}

/// The hash of a number, which places jobs in partitions and shards.
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
