//! Claims of starts: some waiting jobs, chosen by fair shares, and a slot for each, in one transaction (ADR 54 and 55).

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use reelhook_domain::jobs::fair::{Turns, Waiting};
use reelhook_domain::{Decision, Event, FairShares, Job, JobId, Lane, Policy, SlotRow, Slots, Timestamp, decide};

use crate::change::{ChangeError, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::AdmissionStore;
use crate::jobs::store::JobStore;
use crate::retry::Retry;
use crate::store::StoreError;

/// Claims in one transaction at most.
pub(super) const BATCH: usize = 16;
/// Attempts at a claim after conflicts, before the hint is dropped.
const ATTEMPTS: u32 = 20;
/// The maximum number of pages of hidden jobs that one claim removes.
const REMOVED_PAGES: usize = 20;
/// How long after the time limit of a run the lease of its slot expires.
const SLOT_MARGIN: Duration = Duration::from_secs(300);

/// The outcome of writing a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The jobs and the rows of slots were written.
    Done,
    /// Another writer changed one of them first.
    Conflict,
}

/// Which waiting jobs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Jobs that may start later are left out.
    pub now: Timestamp,
    /// The lane from which lanes are read where there are more than one look reads.
    pub from: Lane,
    /// The number of jobs that are enough of one lane.
    pub each: usize,
}

/// Waiting jobs that may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The oldest of each lane that was read, in no order.
    pub jobs: Vec<Waiting<JobId>>,
    /// Whether all lanes were read.
    pub all: bool,
}

/// The queue of waiting jobs, and claims of them.
#[async_trait]
pub trait StartStore: AdmissionStore {
    /// Jobs that may start; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn ready(&self, look: &Look) -> Result<Ready, StoreError>;

    /// Saves the next versions of the claimed jobs and of the rows with their slots in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim(&self, jobs: &[Job], rows: &[SlotRow]) -> Result<Claimed, StoreError>;
}

/// The ports and settings of claims.
pub(super) struct ClaimPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Waiting jobs and slots.
    pub starts: &'a dyn StartStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// The concurrency limit of runs.
    pub max: usize,
    /// The parts of the slots that lanes get.
    pub shares: &'a FairShares,
}

/// The outcome of one attempt at a claim.
enum Attempt {
    /// These jobs are claimed.
    Claimed(Vec<Job>),
    /// No slot is free, or no job is ready.
    Nothing,
    /// Another writer changed a job or the slots first, or the lanes that were read have no job that may start.
    Conflict,
    /// The ready jobs were hidden by a clear and are now cancelled.
    Removed,
}

/// The oldest waiting jobs of those that one look reads, at most `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn oldest_ready<S: StartStore + ?Sized>(
    store: &S,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let look = Look { now, from: Lane::default(), each: limit.max(BATCH) };
    let mut jobs = store.ready(&look).await?.jobs;
    jobs.sort_by(|a, b| (a.ready_at, &a.job).cmp(&(b.ready_at, &b.job)));
    Ok(jobs.into_iter().take(limit).map(|waiting| waiting.job).collect())
}

/// Claims ready jobs, at most `most`, if slots are free.
pub(super) async fn claim_some(ports: &ClaimPorts<'_>, most: usize) -> Result<Vec<Job>, ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    let (mut removed, mut most, mut draw) = (0, most.min(BATCH), None);
    while retry.attempt().await {
        let mut attempt = try_claim(ports, most, draw).await?;
        while matches!(attempt, Attempt::Removed) && removed < REMOVED_PAGES {
            removed += 1;
            attempt = try_claim(ports, most, draw).await?;
        }
        match attempt {
            Attempt::Claimed(jobs) => return Ok(jobs),
            Attempt::Nothing | Attempt::Removed => return Ok(Vec::new()),
            Attempt::Conflict => {
                // Other launchers claim too: smaller claims of other jobs meet theirs less often.
                most = (most / 2).max(1);
                draw = Some(number(ports.clock));
            }
        }
    }
    Ok(Vec::new())
}

/// A random number.
fn number(clock: &dyn ClockAndRandom) -> u64 {
    (clock.random() & u128::from(u64::MAX)) as u64
}

async fn try_claim(ports: &ClaimPorts<'_>, most: usize, draw: Option<u64>) -> Result<Attempt, ChangeError> {
    let slots = ports.starts.admission().await?;
    let now = ports.clock.now();
    let free: usize = match slots.free(now, ports.max) {
        Ok(free) => free.into_iter().sum(),
        Err(reason) => {
            tracing::info!(?reason, running = slots.running(now), "no slot is free, started no job");
            return Ok(Attempt::Nothing);
        }
    };
    let random = number(ports.clock);
    let ready = ports.starts.ready(&Look { now, from: Lane::at(random), each: BATCH }).await?;
    let all = ready.all;
    let turns = ports.shares.turns(ready.jobs, &slots.held(now), ports.max, draw);
    let chosen = choose(ports, &slots, now, turns, all, most.min(free)).await?;
    if chosen.jobs.is_empty() {
        return Ok(match (chosen.removed, all) {
            (true, _) => Attempt::Removed,
            (false, true) => Attempt::Nothing,
            (false, false) => Attempt::Conflict,
        });
    }
    let keys: Vec<String> = chosen.slots;
    let lease = now.after(ports.policy.claim_lease + ports.policy.processing_timeout + SLOT_MARGIN);
    let Ok(rows) = slots.take(&keys, now, lease, ports.max, random) else { return Ok(Attempt::Conflict) };
    Ok(match ports.starts.claim(&chosen.jobs, &rows).await? {
        Claimed::Done => Attempt::Claimed(chosen.jobs),
        Claimed::Conflict => Attempt::Conflict,
    })
}

/// Jobs in their next versions, with the keys of their slots.
#[derive(Default)]
struct Chosen {
    jobs: Vec<Job>,
    slots: Vec<String>,
    /// Whether jobs that a clear had hidden were cancelled.
    removed: bool,
}

/// The first `most` jobs that can be claimed, in their turns. Where some lanes were not read, those whose turn may come
/// after a job of such a lane are left for the next look, unless no other can be claimed.
async fn choose(
    ports: &ClaimPorts<'_>,
    slots: &Slots,
    now: Timestamp,
    turns: Turns<JobId>,
    all: bool,
    most: usize,
) -> Result<Chosen, ChangeError> {
    let certain = if all { turns.jobs.len() } else { turns.certain };
    let cleared = &slots.first().cleared;
    let (mut chosen, mut seen) = (Chosen::default(), 0);
    while chosen.jobs.len() < most && seen < turns.jobs.len() && (seen < certain || chosen.jobs.is_empty()) {
        let end = turns.jobs.len().min(seen + most - chosen.jobs.len());
        let end = if seen < certain { end.min(certain) } else { end };
        let ids = &turns.jobs[seen..end];
        seen = end;
        for (id, loaded) in ids.iter().zip(join_all(ids.iter().map(|id| ports.jobs.load(id))).await) {
            let job = match loaded {
                Ok(Some(job)) => job,
                Ok(None) => continue,
                // An unreadable job must not block the jobs behind it.
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(job_id = %id, %error, "failed to read a waiting job, skipped it");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(until) = cleared.all.filter(|_| cleared.hides(&job)) {
                // The due sweep cancels hidden jobs too, but here they would block the jobs behind them.
                change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::Clear { until }).await?;
                chosen.removed = true;
                continue;
            }
            let Decision::Apply(claimed) = decide(&job, &Event::Claim, now, ports.policy) else { continue };
            chosen.slots.push(job.next_slot());
            chosen.jobs.push(*claimed);
        }
    }
    Ok(chosen)
}
