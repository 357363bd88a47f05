//! Claims of starts: some waiting jobs, chosen by fair shares, and a slot for each, in one transaction (ADR 54, 55 and 71).
//! Launchers that leave jobs waiting note it, so that the next freed slot causes a hint (ADR 52).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use reelhook_domain::jobs::slots::fair::{Turns, Waiting};
use reelhook_domain::{Decision, Event, FairShares, Job, JobId, Lane, Policy, SlotRow, Slots, Timestamp, decide};

use crate::change::{ChangeError, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::{AdmissionStore, followed};
use crate::jobs::named::Named;
use crate::jobs::store::JobStore;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Claims in one transaction at most.
pub(super) const BATCH: usize = 16;
/// How many jobs of a lane a claim reads: about as many keys as half a read unit has.
const LOOK: usize = 32;
/// How many jobs of a lane a claim reads where many of the oldest [`LOOK`] are claimed, which the index does not know.
const FURTHER: usize = 128;
/// Attempts at a claim, or at a note that jobs wait, after conflicts.
const ATTEMPTS: u32 = 20;
/// Attempts to write a claim of the same jobs, after others have changed the rows.
const WRITES: u32 = 4;
/// The maximum number of pages of hidden jobs that one claim removes.
const REMOVED_PAGES: usize = 20;
/// How long after the time limit of a run the lease of its slot expires.
const SLOT_MARGIN: Duration = Duration::from_secs(300);

/// The outcome of writing a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The jobs and the rows of slots were written.
    Done,
    /// Another writer changed one of the jobs first.
    Conflict,
    /// Another writer changed one of the rows first, and none of the jobs.
    RowsChanged,
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

/// Waiting jobs that may start, and those that are claimed but have not started, which the index keeps among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The oldest of each lane that was read, in no order.
    pub jobs: Vec<Waiting<JobId>>,
    /// Whether all lanes were read.
    pub all: bool,
    /// Whether a lane that was read may have other jobs that may start, behind those that are enough of it.
    pub is_cut: bool,
}

/// The queue of waiting jobs, and claims of them.
#[async_trait]
pub trait StartStore: AdmissionStore {
    /// Jobs that may start, and claimed ones; eventually consistent.
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
    /// Another writer changed a job or the slots first.
    Conflict,
    /// What was read does not decide it: look again.
    Again,
    /// The ready jobs were hidden by a clear and are now cancelled.
    Removed,
}

/// How a launcher looks for jobs. What it has met it expects in its next claims, too.
pub(super) struct Search {
    /// How many jobs of a lane it reads.
    each: usize,
    /// A random number after a conflict, so that it prefers other jobs.
    draw: Option<u64>,
    /// Jobs that could not be claimed when it loaded them, though the index has them: claimed ones of which no row remembers
    /// that they hold a slot, and those that the index shows as they were a moment ago.
    passed: BTreeSet<JobId>,
    /// Jobs that its hints name, which the index may not have yet.
    named: Named,
}

impl Search {
    /// The search of a launcher that has met nothing, and whose hints name these jobs.
    pub fn new(named: &[JobId]) -> Self {
        Self { each: LOOK, draw: None, passed: BTreeSet::new(), named: Named::new(named) }
    }
}

/// One claim of a launcher.
struct Claiming {
    /// Jobs that it claims, at most.
    most: usize,
    /// Whether the slots are read as they are, and not as they were a moment ago.
    is_exact: bool,
    /// Whether the slots are read after it was noted that jobs wait.
    is_noted: bool,
}

/// The oldest of the jobs that one look reads, claimed ones included, at most `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn oldest_ready<S: StartStore + ?Sized>(
    store: &S,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let look = Look { now, from: Lane::default(), each: limit.max(LOOK) };
    let mut jobs = store.ready(&look).await?.jobs;
    jobs.sort_by(|a, b| (a.ready_at, &a.job).cmp(&(b.ready_at, &b.job)));
    Ok(jobs.into_iter().take(limit).map(|waiting| waiting.job).collect())
}

/// Claims ready jobs, at most `most`, if slots are free. Where it claims none, no job waits that may start, or it is noted
/// that jobs wait.
pub(super) async fn claim_some(
    ports: &ClaimPorts<'_>,
    search: &mut Search,
    most: usize,
) -> Result<Vec<Job>, ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    let mut removed = 0;
    let mut claiming = Claiming { most: most.min(BATCH), is_exact: false, is_noted: false };
    while retry.attempt().await {
        let mut attempt = try_claim(ports, search, &mut claiming).await?;
        while matches!(attempt, Attempt::Removed) && removed < REMOVED_PAGES {
            removed += 1;
            attempt = try_claim(ports, search, &mut claiming).await?;
        }
        match attempt {
            Attempt::Claimed(jobs) => {
                search.named.forget(&jobs);
                return Ok(jobs);
            }
            Attempt::Nothing => return Ok(Vec::new()),
            Attempt::Removed => break,
            Attempt::Again => {}
            Attempt::Conflict => {
                // Other launchers claim too: smaller claims of other jobs meet theirs less often.
                claiming.most = (claiming.most / 2).max(1);
                search.draw = Some(number(ports.clock));
            }
        }
    }
    leave_waiting(ports).await?;
    Ok(Vec::new())
}

/// Notes that jobs may still wait, so that the next freed slot causes a hint. If that can't be noted either, it fails, and
/// the queue delivers the hint of this launcher again.
pub(super) async fn leave_waiting(ports: &ClaimPorts<'_>) -> Result<(), ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(note) = ports.starts.admission().await?.leave(ports.clock.now()) else { return Ok(()) };
        if ports.starts.save_admission(&note).await? == Saved::Done {
            return Ok(());
        }
    }
    let source = "the first row of slots changed during each attempt".into();
    Err(StoreError::Busy { operation: "note that jobs wait", source }.into())
}

/// A random number.
fn number(clock: &dyn ClockAndRandom) -> u64 {
    (clock.random() & u128::from(u64::MAX)) as u64
}

async fn try_claim(
    ports: &ClaimPorts<'_>,
    search: &mut Search,
    claiming: &mut Claiming,
) -> Result<Attempt, ChangeError> {
    let slots = if claiming.is_exact {
        followed(ports.starts, ports.clock).await?
    } else {
        ports.starts.recent_admission().await?
    };
    let now = ports.clock.now();
    let free: usize = match slots.free(now, ports.max) {
        Ok(free) => free.into_iter().sum(),
        Err(_) if slots.rows() > 1 && !claiming.is_exact => {
            claiming.is_exact = true;
            return Ok(Attempt::Again);
        }
        Err(reason) => {
            tracing::info!(?reason, running = slots.running(now), "no slot is free, started no job");
            return note(ports, &slots, now, claiming).await;
        }
    };
    let random = number(ports.clock);
    let found = look(ports, &slots, now, Lane::at(random), search).await?;
    let (waiting, all, is_cut) = (found.open.len(), found.all, found.is_cut);
    // Where there are many rows and many wait, many launchers look for the oldest jobs at the same time.
    let is_busy = slots.rows() > 1 && waiting >= LOOK;
    let draw = search.draw.or(is_busy.then_some(random));
    let turns = ports.shares.turns(found.open, &slots.held(now), ports.max, draw);
    let all_have_room = turns.jobs.len() + turns.spare.len() == waiting;
    let queue = Queue::of(turns, found.held, all);
    let chosen = choose(ports, &slots, now, &queue, claiming.most.min(free)).await?;
    if chosen.jobs.is_empty() {
        let known = search.passed.len();
        search.passed.extend(chosen.passed);
        return match (chosen.removed, all) {
            (true, _) => Ok(Attempt::Removed),
            (false, false) => Ok(Attempt::Again),
            // Others may wait behind those that can't be claimed.
            (false, true) if is_cut && search.passed.len() > known => Ok(Attempt::Again),
            (false, true) if all_have_room && !is_cut => Ok(Attempt::Nothing),
            // Their lanes hold as many slots as one lane may, or others wait behind very many that can't be claimed.
            (false, true) => note(ports, &slots, now, claiming).await,
        };
    }
    write(ports, slots, now, &chosen).await
}

/// Writes a claim. Where there are many rows, releases and other claims often change one that it takes slots from. Then it
/// takes slots of the rows as they are now, for the same jobs, unless what holds for all rows has changed.
async fn write(ports: &ClaimPorts<'_>, slots: Slots, now: Timestamp, chosen: &Chosen) -> Result<Attempt, ChangeError> {
    let lease = now.after(ports.policy.claim_lease + ports.policy.processing_timeout + SLOT_MARGIN);
    let (revision, mut slots) = (slots.first().revision, slots);
    let mut retry = Retry::new(ports.clock, WRITES);
    while retry.attempt().await {
        if retry.made() > 1 {
            slots = ports.starts.recent_admission().await?;
        }
        let taken = slots.take(&chosen.slots, now, lease, ports.max, number(ports.clock));
        let Some(taken) = taken.ok().filter(|_| slots.first().revision == revision) else { break };
        let granted = chosen.jobs.iter().cloned().zip(taken.slots).map(|(job, slot)| job.granted(slot));
        let jobs: Vec<Job> = granted.collect();
        match ports.starts.claim(&jobs, &taken.rows).await? {
            Claimed::Done => return Ok(Attempt::Claimed(jobs)),
            // In one row the parts of lanes are exact, so its jobs are chosen anew.
            Claimed::RowsChanged if slots.rows() > 1 => {}
            Claimed::RowsChanged | Claimed::Conflict => break,
        }
    }
    Ok(Attempt::Conflict)
}

/// Notes that jobs wait for a slot. One that is freed from now on causes a hint. One that was freed before that is found
/// by reading all rows again, also where another launcher has noted it: rows are read one by one, and a slot may have been
/// freed between reads of its row and of the note.
async fn note(
    ports: &ClaimPorts<'_>,
    slots: &Slots,
    now: Timestamp,
    claiming: &mut Claiming,
) -> Result<Attempt, ChangeError> {
    claiming.is_exact = true;
    if let Some(note) = slots.leave(now) {
        claiming.is_noted = ports.starts.save_admission(&note).await? == Saved::Done;
        return Ok(Attempt::Again);
    }
    if claiming.is_noted || slots.rows() == 1 {
        return Ok(Attempt::Nothing);
    }
    claiming.is_noted = true;
    Ok(Attempt::Again)
}

/// What one look found.
struct Found {
    /// Jobs that hold no slot.
    open: Vec<Waiting<JobId>>,
    /// Jobs that hold one, the oldest first: they are claimed, unless their claim has ended and its slot is not yet free.
    held: Vec<JobId>,
    /// Whether all lanes were read.
    all: bool,
    /// Whether others may wait in a lane, behind those that were read.
    is_cut: bool,
}

/// Reads waiting jobs. More of each lane are read if those of one are all claimed, or half of those of all: then one shard of
/// the index may show claimed jobs only.
///
/// Jobs that hints name are among them, also if the index does not have them yet. They are read where all was read that the
/// index has: else they may be behind others that were not, and would get a turn before them.
async fn look(
    ports: &ClaimPorts<'_>,
    slots: &Slots,
    now: Timestamp,
    from: Lane,
    search: &mut Search,
) -> Result<Found, StoreError> {
    let holders = slots.holders(now);
    loop {
        let each = search.each;
        let ready = ports.starts.ready(&Look { now, from, each }).await?;
        // An entry that moves may be seen where it was and where it is.
        let mut seen = BTreeSet::new();
        let jobs: Vec<Waiting<JobId>> =
            ready.jobs.into_iter().filter(|waiting| seen.insert(waiting.job.clone())).collect();
        let is_held = |job: &JobId| holders.contains(job) || search.passed.contains(job);
        let (mut held, mut open): (Vec<Waiting<JobId>>, Vec<Waiting<JobId>>) =
            jobs.into_iter().partition(|waiting| is_held(&waiting.job));
        let hides = hide_others(&held, &open, each);
        if each < FURTHER && (hides || (ready.is_cut && held.len() >= open.len())) {
            search.each = FURTHER;
            continue;
        }
        if ready.all && !ready.is_cut {
            let missing = search.named.unknown(|job| seen.contains(job) || is_held(job));
            open.extend(search.named.read(ports.jobs, &missing, now, ports.policy).await?);
        }
        held.sort_by(|a, b| (a.ready_at, &a.job).cmp(&(b.ready_at, &b.job)));
        let held = held.into_iter().map(|waiting| waiting.job).collect();
        return Ok(Found { open, held, all: ready.all, is_cut: ready.is_cut });
    }
}

/// Whether all jobs that were read of a lane hold slots, and there may be others behind them.
fn hide_others(held: &[Waiting<JobId>], open: &[Waiting<JobId>], each: usize) -> bool {
    let shown: BTreeSet<Lane> = open.iter().map(|waiting| waiting.lane).collect();
    of_lanes(held).into_iter().any(|(lane, count)| count >= each && !shown.contains(&lane))
}

/// How many jobs there are of each lane.
fn of_lanes(jobs: &[Waiting<JobId>]) -> BTreeMap<Lane, usize> {
    jobs.iter().fold(BTreeMap::new(), |mut counts, waiting| {
        *counts.entry(waiting.lane).or_default() += 1;
        counts
    })
}

/// Waiting jobs in the order in which a claim loads them.
struct Queue {
    jobs: Vec<JobId>,
    /// How many of them hold no slot, as far as it is known.
    open: usize,
    /// How many of them come before every job of a lane that was not read.
    certain: usize,
    /// How many of them have turns. Those behind them are claimed one by one, where none of these can be.
    turns: usize,
}

impl Queue {
    /// Jobs in their turns, then the others that may start, and then those that hold slots.
    fn of(turns: Turns<JobId>, held: Vec<JobId>, all: bool) -> Self {
        let count = turns.jobs.len();
        let certain = if all { count } else { turns.certain };
        let open = count + turns.spare.len();
        let jobs = turns.jobs.into_iter().chain(turns.spare).chain(held).collect();
        Self { jobs, open, certain, turns: count }
    }

    /// The jobs to load after the first `seen`, and how many of them are claimed at most, where `most` are wanted.
    fn after(&self, seen: usize, most: usize) -> (&[JobId], usize) {
        let (end, at_once, claims) = if seen < self.certain {
            (self.certain, most, most)
        } else if seen < self.turns {
            (self.turns, most, most)
        } else {
            // Few of them, or none, can be claimed, and more than one may be more than a lane's part.
            (self.jobs.len(), BATCH, 1)
        };
        (&self.jobs[seen..end.min(seen + at_once)], claims)
    }
}

/// Jobs in their next versions, with the names of their slots.
#[derive(Default)]
struct Chosen {
    jobs: Vec<Job>,
    slots: Vec<String>,
    /// Jobs that can't be claimed, of those that seemed to wait.
    passed: Vec<JobId>,
    /// Whether jobs that a clear had hidden were cancelled.
    removed: bool,
}

impl Chosen {
    /// Notes that the job at a place in the queue can't be claimed.
    fn pass(&mut self, queue: &Queue, place: usize, id: &JobId) {
        if place < queue.open {
            self.passed.push(id.clone());
        }
    }
}

/// The first `most` jobs that can be claimed, in their turns. Where some lanes were not read, those whose turn may come
/// after a job of such a lane are left for the next look, unless no other can be claimed. So are those without a turn.
async fn choose(
    ports: &ClaimPorts<'_>,
    slots: &Slots,
    now: Timestamp,
    queue: &Queue,
    most: usize,
) -> Result<Chosen, ChangeError> {
    let cleared = &slots.first().cleared;
    let (mut chosen, mut seen) = (Chosen::default(), 0);
    while chosen.jobs.len() < most && (seen < queue.certain || chosen.jobs.is_empty()) {
        let (ids, claims) = queue.after(seen, most - chosen.jobs.len());
        if ids.is_empty() {
            break;
        }
        let (begin, most) = (seen, chosen.jobs.len() + claims);
        seen += ids.len();
        let loaded = join_all(ids.iter().map(|id| ports.jobs.load(id))).await;
        for (place, (id, loaded)) in (begin..).zip(ids.iter().zip(loaded)) {
            if chosen.jobs.len() == most {
                break;
            }
            let job = match loaded {
                Ok(job) => job,
                // An unreadable job must not block the jobs behind it.
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(job_id = %id, %error, "failed to read a waiting job, skipped it");
                    None
                }
                Err(error) => return Err(error.into()),
            };
            let Some(job) = job else {
                chosen.pass(queue, place, id);
                continue;
            };
            if let Some(until) = cleared.all.filter(|_| cleared.hides(&job)) {
                // The due sweep cancels hidden jobs too, but here they would block the jobs behind them.
                change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::Clear { until }).await?;
                chosen.removed = true;
                continue;
            }
            let Decision::Apply(claimed) = decide(&job, &Event::Claim, now, ports.policy) else {
                chosen.pass(queue, place, id);
                continue;
            };
            chosen.slots.push(job.next_slot());
            chosen.jobs.push(*claimed);
        }
    }
    Ok(chosen)
}
