//! Lambda: one pool of execution environments for all functions of an account and region.

use super::capacity::Bucket;
use crate::agenda::{MILLISECOND, Micros};
use crate::random::Random;

/// A cold start.
const COLD_START: Micros = 150 * MILLISECOND;
/// Environments that a function gets within ten seconds.
const SCALING: f64 = 1_000.0;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Creates jobs.
    Generate,
    /// Receives reports.
    StepWebhook,
    /// Reads the stream.
    Fanout,
    /// Starts runs.
    Worker,
    /// Sends webhooks.
    Dispatcher,
}

/// The pool.
pub struct Pool {
    limit: usize,
    running: usize,
    /// The most environments that ran at the same time.
    pub most: usize,
    /// Cold starts.
    pub cold_starts: u64,
    functions: [Environments; 5],
}

struct Environments {
    idle: usize,
    scaling: Bucket,
}

impl Pool {
    /// A pool with this limit of concurrent executions.
    pub fn new(limit: usize) -> Self {
        let functions =
            std::array::from_fn(|_| Environments { idle: 0, scaling: Bucket::new(SCALING / 10.0, SCALING) });
        Self { limit, running: 0, most: 0, cold_starts: 0, functions }
    }

    /// Starts an invocation; returns what a cold start takes. None if it is throttled.
    pub fn start(&mut self, function: Function, now: Micros, random: &mut Random) -> Option<Micros> {
        if self.running >= self.limit {
            return None;
        }
        let environments = &mut self.functions[function as usize];
        let wait = if environments.idle > 0 {
            environments.idle -= 1;
            0
        } else {
            if !environments.scaling.take(now, 1.0) {
                return None;
            }
            self.cold_starts += 1;
            random.about(COLD_START)
        };
        self.running += 1;
        self.most = self.most.max(self.running);
        Some(wait)
    }

    /// Ends an invocation. A killed environment is not used again.
    pub fn end(&mut self, function: Function, killed: bool) {
        self.running -= 1;
        self.functions[function as usize].idle += usize::from(!killed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agenda::SECOND;

    #[test]
    fn a_function_gets_a_thousand_environments_in_ten_seconds_and_keeps_them() {
        let (mut pool, mut random) = (Pool::new(1_500), Random::new(1));
        let mut started =
            |pool: &mut Pool, now| std::iter::from_fn(|| pool.start(Function::Generate, now, &mut random)).count();
        assert_eq!(started(&mut pool, 0), 1_000);
        assert_eq!(started(&mut pool, SECOND), 100);
        assert_eq!(started(&mut pool, 10 * SECOND), 400);
        pool.end(Function::Generate, false);
        assert_eq!((started(&mut pool, 10 * SECOND), pool.cold_starts, pool.most), (1, 1_500, 1_500));
    }
}
