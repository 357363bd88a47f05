//! SQS with Lambda's pollers: five at first, and 300 more concurrent invocations a minute while messages wait.

use crate::agenda::{Micros, SECOND};
use crate::limits::Limit;

/// Concurrent invocations at first.
const FIRST: u64 = 5;
/// Concurrent invocations that come each minute.
const PER_MINUTE: u64 = 300;
/// Equal messages that one batch merges.
const BATCH: usize = 5;

/// A queue whose messages are all equal: hints to start jobs.
pub struct Queue {
    waiting: usize,
    running: usize,
    most: usize,
    scales: bool,
    first: Option<Micros>,
}

impl Queue {
    /// A queue whose function runs at most `most` times at once; where it `scales`, it reaches that after a while.
    pub fn new(most: usize, scales: bool) -> Self {
        Self { waiting: 0, running: 0, most, scales, first: None }
    }

    /// Adds a message.
    pub fn send(&mut self, now: Micros) {
        self.waiting += 1;
        self.first.get_or_insert(now);
    }

    /// Takes a batch; false if there is no message.
    ///
    /// # Errors
    /// The limit that allows no further invocation now.
    pub fn receive(&mut self, now: Micros) -> Result<bool, Limit> {
        let since = now - self.first.unwrap_or(now);
        let allowed = if self.scales { FIRST + since * PER_MINUTE / (60 * SECOND) } else { u64::MAX };
        if self.waiting == 0 {
            return Ok(false);
        }
        if self.running >= self.most {
            return Err(Limit::Launcher);
        }
        if self.running as u64 >= allowed {
            return Err(Limit::Pollers);
        }
        self.waiting -= self.waiting.min(BATCH);
        self.running += 1;
        Ok(true)
    }

    /// Ends an invocation.
    pub fn end(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_begins_with_five_invocations_and_gets_five_more_each_second() {
        let mut queue = Queue::new(12, true);
        (0..100).for_each(|_| queue.send(0));
        let mut received =
            |now| std::iter::from_fn(|| queue.receive(now).is_ok_and(|taken| taken).then_some(())).count();
        assert_eq!((received(0), received(SECOND), received(10 * SECOND)), (5, 5, 2));
    }
}
