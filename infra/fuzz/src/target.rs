//! What a target is: a parser, or several that read the same bytes, and the properties that they have.

/// What became of an input that broke no property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// At least one parser read it.
    Accepted,
    /// All parsers refused it.
    Refused,
}

impl Verdict {
    /// The verdict about an input of which something was read, or nothing.
    pub fn of(was_read: bool) -> Self {
        if was_read { Self::Accepted } else { Self::Refused }
    }
}

/// Bytes that a check may allocate in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// For any input.
    pub base: u64,
    /// For each byte of the input.
    pub per_byte: u64,
}

impl Allowance {
    /// Of a parser of texts: a body is at most 1 MiB after it was decompressed, and buffers double while they grow.
    pub const TEXT: Self = Self { base: 24 << 20, per_byte: 8 << 10 };
    /// Of a parser of pictures: 40 million pixels in several forms.
    pub const PICTURE: Self = Self { base: 2 << 30, per_byte: 8 << 10 };

    /// The bytes for an input of this length.
    pub fn of(self, length: usize) -> u64 {
        self.base.saturating_add(self.per_byte.saturating_mul(length as u64))
    }
}

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line, and that of its folder in the corpus.
    pub name: &'static str,
    /// What it reads.
    pub about: &'static str,
    /// Checks an input; a panic is a fault.
    pub check: fn(&[u8]) -> Verdict,
    /// Inputs that others are made of, besides those of the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What a check may allocate.
    pub allowance: Allowance,
}

impl Target {
    /// A target of texts.
    pub(crate) const fn text(name: &'static str, about: &'static str, check: fn(&[u8]) -> Verdict) -> Self {
        Self { name, about, check, seeds: Vec::new, allowance: Allowance::TEXT }
    }

    /// The same target with these seeds.
    pub(crate) const fn with_seeds(self, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { seeds, ..self }
    }
}
