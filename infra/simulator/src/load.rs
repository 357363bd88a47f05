//! What a run of the simulator is given: jobs, slots, faults and a seed.

use crate::agenda::{Micros, SECOND};
use crate::limits::Limits;

/// How jobs come.
#[derive(Clone, Copy, Debug)]
pub enum Arrivals {
    /// At random, so many a second on average.
    Steady(f64),
    /// One owner submits so many jobs at once; then each of the others submits one, at random within a minute.
    Backlog {
        /// Jobs of the first owner.
        jobs: u32,
        /// Other owners.
        others: u32,
    },
}

/// Probabilities of faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A launcher is killed between its claims and its requests to the external worker.
    pub kill_after_claim: f64,
    /// A launcher is killed before it saves that the external worker has accepted its runs.
    pub kill_after_request: f64,
    /// `fanout` is killed at the end of a batch, which is then replayed.
    pub replay: f64,
    /// A message of the queue comes twice.
    pub duplicate: f64,
    /// Shards of the stream that are closed, a second.
    pub rolls: f64,
}

impl Faults {
    /// More faults than a year brings.
    pub fn some() -> Self {
        Self { kill_after_claim: 0.001, kill_after_request: 0.001, replay: 0.001, duplicate: 0.001, rolls: 0.2 }
    }
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How jobs come.
    pub arrivals: Arrivals,
    /// How long a run takes at the external worker.
    pub run_time: Micros,
    /// MaxWorkers.
    pub max_workers: u32,
    /// When the measurement begins.
    pub warm_up: Micros,
    /// How long it lasts; after it nothing is submitted.
    pub measured: Micros,
    /// How long jobs may take after that until they have ended.
    pub drain: Micros,
    /// What goes wrong.
    pub faults: Faults,
    /// The limits that hold.
    pub limits: Limits,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Load {
    /// Jobs that come steadily, with a quarter more slots than they need on average.
    pub fn steady(rate: f64, run_time: Micros) -> Self {
        let slots = rate * (run_time as f64 / SECOND as f64 + 1.0) * 1.25;
        Self {
            arrivals: Arrivals::Steady(rate),
            run_time,
            max_workers: slots.ceil() as u32 + 10,
            warm_up: run_time + 120 * SECOND,
            measured: 60 * SECOND,
            drain: run_time + 90 * SECOND,
            faults: Faults::default(),
            limits: Limits::all(),
            seed: 1,
        }
    }

    /// When the last job is submitted.
    pub fn last_submission(&self) -> Micros {
        self.warm_up + self.measured
    }
}
