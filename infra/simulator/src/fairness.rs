//! Who gets the next slot: the oldest job, or the owner with the fewest slots (ADR 54).

use crate::agenda::Micros;
use crate::cloud::index::{Waiting, first_rank, owner_of, time_of};

/// How owners share the slots.
pub enum Fairness {
    /// First come, first served.
    ByTime,
    /// The owner with the fewest slots is next, and each owner's jobs start in the order of their age. Has the slots of
    /// each owner.
    ByOwner(Vec<u32>),
}

impl Fairness {
    /// Owners share the slots.
    pub fn by_owner() -> Self {
        Self::ByOwner(Vec::new())
    }

    /// Owners that have had slots, or more.
    pub fn owners(&self) -> usize {
        match self {
            Self::ByTime => 1,
            Self::ByOwner(slots) => slots.len(),
        }
    }

    /// Whether ranks are times, and owners do not count.
    pub fn is_by_time(&self) -> bool {
        matches!(self, Self::ByTime)
    }

    /// The rank of a job of this owner that waits from now on: its owner's part of the index, and the time in it.
    pub fn rank(&self, owner: u32, now: Micros) -> Micros {
        match self {
            Self::ByTime => now,
            Self::ByOwner(_) => first_rank(owner) | now,
        }
    }

    /// Notes that an owner has a slot more, or one less.
    pub fn holds(&mut self, owner: u32, change: i32) {
        if let Self::ByOwner(slots) = self {
            let owner = owner as usize;
            slots.resize(slots.len().max(owner + 1), 0);
            slots[owner] = slots[owner].saturating_add_signed(change);
        }
    }

    /// The first `wanted` of some waiting jobs, in the order in which they get slots. Where they are not of all owners, only
    /// those on the lowest level: an owner that is missing may come before the others.
    pub fn turns(&self, mut waiting: Vec<Waiting>, wanted: usize, are_all: bool) -> Vec<Waiting> {
        let Self::ByOwner(slots) = self else { return waiting };
        waiting.sort_unstable();
        let mut held = slots.clone();
        let (mut chosen, mut lowest) = (Vec::new(), None);
        while chosen.len() < wanted {
            // The oldest of each owner, which is the first of its part.
            let level = |waiting: Waiting| held.get(owner_of(waiting.0) as usize).copied().unwrap_or_default();
            let mut last = None;
            let oldest = waiting.iter().filter(|job| last.replace(owner_of(job.0)) != Some(owner_of(job.0)));
            let Some(next) = oldest.min_by_key(|job| (level(**job), time_of(job.0))).copied() else { break };
            if level(next) > *lowest.get_or_insert(level(next)) && !are_all {
                break;
            }
            waiting.retain(|job| *job != next);
            let owner = owner_of(next.0) as usize;
            held.resize(held.len().max(owner + 1), 0);
            held[owner] += 1;
            chosen.push(next);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_with_the_fewest_slots_is_next_and_its_oldest_job_is_first() {
        let mut fairness = Fairness::by_owner();
        (0..3).for_each(|_| fairness.holds(0, 1));
        fairness.holds(0, -1);
        let job = |owner: u32, at: Micros, number: u32| (fairness.rank(owner, at), number);
        let waiting = vec![job(0, 1, 1), job(0, 2, 2), job(5, 9, 3), job(5, 8, 4), job(7, 7, 5)];
        let order: Vec<u32> = fairness.turns(waiting.clone(), 4, true).into_iter().map(|(_, job)| job).collect();
        assert_eq!(order, [5, 4, 3, 1], "2 slots of owner 0 are as many as owner 5 has then");
        let some: Vec<u32> = fairness.turns(waiting, 4, false).into_iter().map(|(_, job)| job).collect();
        assert_eq!(some, [5, 4], "they hold no slot yet");
    }
}
