//! The due sweep, and what happens by itself.

use super::job::State;
use super::{Event, QUERY, World};
use crate::agenda::{Micros, SECOND};
use crate::cloud::stream::Kind;
use crate::design::{Change, Claims};

/// The time between two sweeps.
const MINUTE: Micros = 60 * SECOND;
/// Due jobs of a shard that one sweep handles.
const PER_SHARD: usize = 200;
/// Hints that one sweep sends at most, and jobs that one of them starts.
const HINTS: usize = 10;
const HINTED: usize = 64;

impl World {
    /// Releases claims whose lease has expired, and sends a hint if a job waits.
    pub(super) fn sweep(&mut self) {
        let now = self.agenda.now();
        self.agenda.after(MINUTE, Event::Sweep);
        let mut swept = 0;
        for shard in 0..self.due.len() {
            let due = self.due[shard].iter().take(PER_SHARD).take_while(|(lease, _)| *lease <= now);
            let due: Vec<(Micros, u32)> = due.copied().collect();
            for (lease, job) in due {
                if self.release(job) {
                    self.due[shard].remove(&(lease, job));
                    swept += 1;
                }
            }
        }
        self.counts.released += swept;
        self.counts.most_swept = self.counts.most_swept.max(swept);
        let hints = match self.design.claims {
            Claims::InBatches => (self.ledger.waiting as usize).div_ceil(HINTED).min(HINTS),
            Claims::OneByOne => usize::from(self.ledger.waiting > 0),
        };
        for _ in 0..hints {
            let wait = self.random.about(QUERY);
            self.agenda.after(wait, Event::Hint);
        }
    }

    /// Releases a claim that has expired: the job waits again. False if the write is throttled.
    fn release(&mut self, job: u32) -> bool {
        if self.jobs[job as usize].state != State::Claimed || self.jobs[job as usize].is_sent {
            // The run has begun, and its next report saves that.
            return self.jobs[job as usize].state != State::Claimed;
        }
        let Ok(appears) = self.save(job, Change::Release).inspect_err(|limit| self.stops.add(*limit)) else {
            return false;
        };
        self.ledger.holding -= 1;
        self.ledger.unfreed += 1;
        self.append(job, Kind::Released);
        if self.design.claims == Claims::InBatches {
            self.wait_again(job);
        } else {
            self.wait(job, appears);
        }
        true
    }

    /// Closes a shard of the stream.
    pub(super) fn roll(&mut self) {
        let partition = self.random.below(self.design.partitions);
        self.cloud.stream.roll(partition);
        self.schedule_roll();
    }

    pub(super) fn schedule_roll(&mut self) {
        let rolls = self.load.faults.rolls;
        if rolls > 0.0 {
            let wait = self.random.gap(SECOND as f64 / rolls);
            self.agenda.after(wait, Event::Roll);
        }
    }
}
