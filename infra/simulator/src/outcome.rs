//! What a run of the simulator has measured.

use crate::agenda::{Micros, SECOND};
use crate::limits::{Limit, Stops};

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Jobs whose end was processed within the measurement.
    pub finished: u64,
    /// Claims of a job that another launcher had claimed.
    pub conflicts: u64,
    /// Launchers that were killed.
    pub kills: u64,
    /// Batches of the stream that were replayed.
    pub replays: u64,
    /// Messages that came twice.
    pub duplicates: u64,
    /// Claims that the due sweep released.
    pub released: u64,
    /// The most claims that one sweep released.
    pub most_swept: u64,
    /// Events that were handled.
    pub events: u64,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Counts.
    pub counts: Counts,
    /// Jobs a second that ended, with all that follows from their end.
    pub throughput: f64,
    /// Waits from submission to start, of jobs that were submitted within the measurement, in order.
    pub waits: Vec<Micros>,
    /// Jobs among them that had not started at the end.
    pub unstarted: usize,
    /// The same for the jobs of all owners but the first, whenever submitted.
    pub waits_of_others: Vec<Micros>,
    /// Whether every job had ended at the end.
    pub is_drained: bool,
    /// The longest time by which a job was older than one that started before it.
    pub most_overtaken: Micros,
    /// The most functions that ran at the same time.
    pub most_executions: usize,
    /// Cold starts.
    pub cold_starts: u64,
    /// How often each limit stopped something.
    pub stops: Stops,
}

impl Outcome {
    /// A percentile of the waits. None if that many jobs have not started, so that it is not known.
    pub fn wait(&self, percent: usize) -> Option<Micros> {
        let known = self.waits.len().saturating_sub(self.unstarted);
        let place = percentile(self.waits.len(), percent)?;
        (place < known).then(|| self.waits[place])
    }

    /// The limit that stopped most, where the run did not keep up with what was submitted.
    pub fn bound(&self, rate: f64) -> Option<Limit> {
        if self.keeps_up(rate) { None } else { self.stops.most() }
    }

    /// Whether as many runs ended as were submitted, but for chance.
    pub fn keeps_up(&self, rate: f64) -> bool {
        self.throughput > rate * 0.93 && self.wait(99).is_some_and(|wait| wait < 20 * SECOND)
    }
}

/// A percentile of a list in order.
pub fn percentile_of(waits: &[Micros], percent: usize) -> Option<Micros> {
    percentile(waits.len(), percent).map(|place| waits[place])
}

fn percentile(count: usize, percent: usize) -> Option<usize> {
    (count * percent).div_ceil(100).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let waits: Vec<Micros> = (1..=200).collect();
        assert_eq!((percentile_of(&waits, 50), percentile_of(&waits, 99)), (Some(100), Some(198)));
        assert_eq!(percentile_of(&[], 99), None);
    }
}
