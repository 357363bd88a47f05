//! The rank of a waiting job: its place in the queue.

use crate::agenda::{Micros, SECOND};

/// How owners share the slots.
pub enum Fairness {
    /// First come, first served, whoever the owner is.
    ByTime,
    /// Each owner's jobs are ranked one service time over its share apart, so that one with many does not delay others.
    ByOwner(Shares),
}

/// The ranks that owners have used.
#[derive(Default)]
pub struct Shares {
    /// The rank that the next job of each owner has at least.
    next: Vec<Micros>,
}

/// What each waiting job adds to the rank of its owner's next one.
const STEP: Micros = SECOND;

impl Fairness {
    /// Owners share the slots.
    pub fn by_owner() -> Self {
        Self::ByOwner(Shares::default())
    }

    /// Whether ranks are times from which on jobs may start.
    pub fn is_by_time(&self) -> bool {
        matches!(self, Self::ByTime)
    }

    /// The rank of a job of this owner that waits from now on.
    pub fn rank(&mut self, owner: u32, now: Micros) -> Micros {
        match self {
            Self::ByTime => now,
            Self::ByOwner(shares) => {
                let owner = owner as usize;
                if shares.next.len() <= owner {
                    shares.next.resize(owner + 1, 0);
                }
                let rank = shares.next[owner].max(now);
                shares.next[owner] = rank + STEP;
                rank
            }
        }
    }
}
