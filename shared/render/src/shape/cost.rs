//! The cost of text layout.

/// The cost of text layout as counts, which are the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayoutCost {
    /// The number of runs that were shaped.
    pub runs: u64,
    /// The number of characters that were shaped.
    pub characters: u64,
    /// The number of clusters that were visited to break lines.
    pub steps: u64,
}
