//! Repeatable chance: noise, small shifts in time and strength; the same seed gives the same music.

/// A xorshift generator; enough for sound, and the same on every machine.
pub struct Random(u64);

impl Random {
    /// A generator that gives the same row of numbers for the same seed.
    pub fn new(seed: u64) -> Random {
        // Neighbouring seeds would begin alike without the multiplication.
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number from -1 to 1.
    pub fn signed(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The next number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.signed() + 1.0) / 2.0
    }

    /// A number close to one, as far from it as `spread`: how evenly a hand plays.
    pub fn near_one(&mut self, spread: f64) -> f64 {
        1.0 + self.signed() * spread
    }
}
