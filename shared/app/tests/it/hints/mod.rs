//! Journeys that prove hints: queue messages alone move everything, and what loses its hint waits for the due sweep.

mod jobs;
mod videos;
mod webhooks;

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::sweep::SHARDS;
use reelhook_domain::{Delivery, Event, Job, JobId, Timestamp};
use reelhook_testkit::Stack;

/// A journey whose queues are not empty after so many moves of the clock counts as endless.
const MOVES: usize = 200;
/// The time between the loss of a hint and the sweep: longer than any of these hints is delayed, shorter than a run may
/// last.
const MISSED: Duration = Duration::from_secs(600);

/// What happens to the messages that move a journey on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// They arrive, and no sweep runs.
    Arrives,
    /// They are lost, and one sweep runs later.
    IsLost,
}

impl Hint {
    /// Sweeps of a journey.
    fn sweeps(self) -> usize {
        match self {
            Self::Arrives => 0,
            Self::IsLost => 1,
        }
    }

    /// Continues a journey at a moment at which messages are to move it on. If they are lost, this shows that nothing
    /// moves before the sweep.
    async fn carry_on(self, stack: &Stack) {
        stack.follow_stream().await.expect("fanout processes the stream");
        assert!(next_message(stack).is_some(), "no hint was sent");
        if self == Self::IsLost {
            stack.work.purge();
            stack.pieces.purge();
            stack.hints.purge();
            let waiting = stored(stack);
            stack.world.advance(MISSED);
            run_on_hints(stack).await;
            assert_eq!(stored(stack), waiting, "something moved without its hint");
            stack.sweep().await;
        }
        run_on_hints(stack).await;
    }

    /// Checks the end of a journey: the queues are empty, and no sweep ran unless the hint was lost.
    fn check_end(self, stack: &Stack) {
        assert_eq!(next_message(stack), None, "the queues are not empty");
        assert_eq!(sweeps(stack), self.sweeps());
    }
}

/// Sweeps so far.
fn sweeps(stack: &Stack) -> usize {
    stack.due.faults.calls("due_jobs") / SHARDS as usize
}

/// The jobs and deliveries as they are stored.
fn stored(stack: &Stack) -> (Vec<Job>, Vec<Delivery>) {
    (stack.jobs.all(), stack.deliveries.all())
}

/// When the next message of any queue becomes visible.
fn next_message(stack: &Stack) -> Option<Timestamp> {
    let work = stack.work.waiting().into_iter().map(|queued| queued.at);
    let pieces = stack.pieces.waiting().into_iter().map(|queued| queued.at);
    let deliveries = stack.hints.waiting().into_iter().map(|queued| queued.at);
    work.chain(pieces).chain(deliveries).min()
}

/// Runs all functions but the sweep until the queues are empty: the clock moves from message to message.
async fn run_on_hints(stack: &Stack) {
    for _ in 0..MOVES {
        stack.settle().await;
        let Some(next) = next_message(stack) else { return };
        stack.world.set(next);
    }
    panic!("the queues never become empty");
}

/// Applies reports of the external worker.
fn report(stack: &Stack, id: &JobId, events: &[Event]) {
    for event in events {
        assert!(stack.jobs.apply(id, event, stack.world.now(), &stack.policy), "{event:?} changed nothing");
    }
}
