//! Reproducible random numbers for noise and small variations in timing and strength: equal seeds give equal music.

/// A xorshift generator, good enough for sound and the same on every machine.
pub struct Random(u64);

impl Random {
    /// Creates a generator; equal seeds give equal sequences.
    pub fn new(seed: u64) -> Random {
        // Without the multiplication, adjacent seeds would give similar starts.
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number, from -1 to 1.
    pub fn signed(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The next number, from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.signed() + 1.0) / 2.0
    }

    /// A number that differs from one by at most `spread`: the variation of a player's hand.
    pub fn jitter(&mut self, spread: f64) -> f64 {
        1.0 + self.signed() * spread
    }
}
