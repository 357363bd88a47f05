//! The due sweep: acts on what is due. Sweeps may overlap, since jobs change by `decide` and a hint may come twice.

use async_trait::async_trait;
use futures_util::StreamExt;
use reelhook_domain::{Aggregate, DeliveryId, EventId, Timestamp};

use crate::change::{AggregateStore, Changed, change};
use crate::clock::ClockAndRandom;
use crate::jobs::claims::{StartStore, oldest_ready};
use crate::jobs::starts::STARTS;
use crate::outbox::messages::{Delayed, DeliveryMessage, Hints, WorkMessage, send_all};
use crate::projects::store::SceneSlots;
use crate::store::StoreError;

/// Shards of the due indexes.
pub const SHARDS: u32 = 16;
/// Shards that are read concurrently.
const READS_AT_ONCE: usize = 8;
/// Aggregates that are changed concurrently.
const CHANGES_AT_ONCE: usize = 8;
/// The maximum number of due things of a shard in one sweep; the next sweep continues.
pub const PER_SHARD: i32 = 200;
/// The maximum number of due things of an index without shards in one sweep.
pub const PER_SWEEP: i32 = PER_SHARD * SHARDS as i32;
/// Hints to start jobs that one sweep sends, at most; each starts up to [`STARTS`] of them.
const HINTS: usize = 10;

/// The shard of an id.
pub fn shard(id: &str) -> u32 {
    hash(id) % SHARDS
}

/// A hash of an id, by which things are spread.
pub fn hash(id: &str) -> u32 {
    // FNV-1a spreads well and never changes.
    id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Finds due aggregates of one kind.
#[async_trait]
pub trait DueIndex<A: Aggregate>: Send + Sync {
    /// The parts of the index, which are read apart: shards, unless it is arranged otherwise.
    fn parts(&self) -> u32 {
        SHARDS
    }

    /// Aggregates of a part that are due, the longest overdue first, at most [`PER_SHARD`] of a shard. Some may not be due
    /// yet, and one may be in two parts; waiting jobs that are not claimed may be missing, since the sweep sends hints for
    /// them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due(&self, part: u32, now: Timestamp) -> Result<Vec<A::Id>, StoreError>;
}

/// Finds due deliveries.
#[async_trait]
pub trait DueDeliveries: Send + Sync {
    /// The parts of the index, which are read apart: shards, unless there is more to read.
    fn parts(&self) -> u32 {
        SHARDS
    }

    /// Deliveries of a part that are due, the longest overdue first, at most [`PER_SHARD`].
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due_deliveries(&self, part: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError>;
}

/// One kind of things that may be due, as the sweep sees it.
#[async_trait]
pub trait Sweepable: Send + Sync {
    /// Does what is due, and counts.
    async fn sweep(&self, clock: &dyn ClockAndRandom, swept: &mut Swept);
}

/// The aggregates of one kind: their due index and their store.
pub struct Due<'a, A: Aggregate> {
    /// Finds those that are due.
    pub index: &'a dyn DueIndex<A>,
    /// Stores them.
    pub store: &'a dyn AggregateStore<A>,
    /// Their times and limits.
    pub policy: &'a A::Policy,
}

#[async_trait]
impl<A: Aggregate> Sweepable for Due<'_, A> {
    async fn sweep(&self, clock: &dyn ClockAndRandom, swept: &mut Swept) {
        let (now, tick) = (clock.now(), A::tick());
        let reads = (0..self.index.parts()).map(|part| self.index.due(part, now));
        let found: Vec<_> = futures_util::stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect().await;
        let due: Vec<A::Id> = swept.keep(found);
        swept.jobs_due += due.len();
        let tick = &tick;
        let changes = due.into_iter().map(|id| async move { change(self.store, clock, self.policy, &id, tick).await });
        let changes: Vec<_> = futures_util::stream::iter(changes).buffer_unordered(CHANGES_AT_ONCE).collect().await;
        for result in changes {
            match result {
                Ok(Changed::Applied(changed)) => {
                    swept.jobs_changed += 1;
                    tracing::info!(job_id = %changed.id(), version = changed.version(), "changed what was due");
                }
                Ok(Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound) => {}
                Err(error) => swept.fail(&error),
            }
        }
    }
}

/// Projects with a scene that waits for a slot, as the sweep sees them.
pub struct WaitingScenes<'a> {
    /// Finds them.
    pub slots: &'a dyn SceneSlots,
    /// The Work queue.
    pub work: &'a dyn Hints<WorkMessage>,
}

#[async_trait]
impl Sweepable for WaitingScenes<'_> {
    /// Sends a hint to start scenes if one waits: the hint that a slot is free may have been lost.
    async fn sweep(&self, _: &dyn ClockAndRandom, swept: &mut Swept) {
        let hinted = match self.slots.waiting(1).await {
            Ok(waiting) if waiting.is_empty() => Ok(()),
            Ok(_) => send_all(self.work, vec![Delayed::now(WorkMessage::start_scenes())]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = hinted {
            swept.fail(&error);
        }
    }
}

/// The ports that a sweep needs.
pub struct SweepPorts<'a> {
    /// The kinds of aggregates, and what else may be due, in the order in which they are swept.
    pub aggregates: &'a [&'a dyn Sweepable],
    /// Deliveries.
    pub due_deliveries: &'a dyn DueDeliveries,
    /// Jobs that wait for a slot.
    pub starts: &'a dyn StartStore,
    /// The Work queue.
    pub work: &'a dyn Hints<WorkMessage>,
    /// The Deliveries queue.
    pub deliveries: &'a dyn Hints<DeliveryMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Jobs and projects that were due.
    pub jobs_due: usize,
    /// Jobs and projects that changed.
    pub jobs_changed: usize,
    /// Deliveries that got a new hint.
    pub deliveries_hinted: usize,
    /// Shards, jobs, projects and hints that failed; they are due again at the next sweep.
    pub failed: usize,
}

/// Sweeps all shards; a failure in one does not affect the others.
pub async fn sweep(ports: &SweepPorts<'_>) -> Swept {
    let now = ports.clock.now();
    let mut swept = Swept::default();
    for aggregates in ports.aggregates {
        aggregates.sweep(ports.clock, &mut swept).await;
    }
    let deliveries: Vec<_> = futures_util::stream::iter(0..ports.due_deliveries.parts())
        .map(|part| ports.due_deliveries.due_deliveries(part, now))
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await;
    let hints: Vec<Delayed<DeliveryMessage>> = swept
        .keep(deliveries)
        .into_iter()
        .map(|(delivery_id, event_id)| Delayed::now(DeliveryMessage::of(delivery_id, event_id)))
        .collect();
    let count = hints.len();
    match send_all(ports.deliveries, hints).await {
        Ok(()) => swept.deliveries_hinted = count,
        Err(error) => swept.fail(&error),
    }
    if let Err(error) = hint_start(ports, now).await {
        swept.fail(&error);
    }
    swept
}

/// Sends hints to start if jobs are ready to, as many as they take: the hint of a job, or that a slot is free, may have been
/// lost. This is the timer of waiting jobs, whose due times are in no index.
async fn hint_start(ports: &SweepPorts<'_>, now: Timestamp) -> Result<(), StoreError> {
    let ready = oldest_ready(ports.starts, now, HINTS * STARTS).await?.len();
    if ready == 0 {
        return Ok(());
    }
    send_all(ports.work, vec![Delayed::now(WorkMessage::start()); ready.div_ceil(STARTS)]).await
}

impl Swept {
    fn keep<T>(&mut self, results: Vec<Result<Vec<T>, StoreError>>) -> Vec<T> {
        let mut kept = Vec::new();
        for result in results {
            match result {
                Ok(found) => kept.extend(found),
                Err(error) => self.fail(&error),
            }
        }
        kept
    }

    fn fail(&mut self, error: &dyn std::error::Error) {
        self.failed += 1;
        let cause = error.source().map(ToString::to_string);
        tracing::error!(error = %error, cause, "part of the sweep failed, the next sweep will retry");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_spread_over_the_shards() {
        let mut counts = [0_u32; SHARDS as usize];
        for n in 0..1600 {
            counts[shard(&format!("job_1704110400000_{n:032x}")) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
