//! The simulated stack: its state, its events, and what they have in common.

use std::collections::BTreeSet;

use crate::agenda::{Agenda, MILLISECOND, Micros, SECOND};
use crate::cloud::capacity::{Bucket, IndexPartition};
use crate::cloud::index::ActiveShard;
use crate::cloud::pool::{Function, Pool};
use crate::cloud::queue::Queue;
use crate::cloud::stream::{Kind, POLL, Stream};
use crate::design::{Change, Claims, Design};
use crate::fairness::Fairness;
use crate::limits::{Limit, Stops};
use crate::load::Load;
use crate::outcome::{Counts, Outcome};
use crate::random::Random;
use admission::Admission;
use batch::Batch;
use job::{Job, State, shard};
use launcher::Launcher;
use ledger::{Ledger, Violation};
use slab::Slab;

mod admission;
mod batch;
mod claim_batch;
mod claim_one;
mod fanout;
pub mod job;
mod launcher;
mod launches;
pub mod ledger;
mod reports;
mod slab;
mod submit;
mod sweep;

/// A read of an item.
const READ: Micros = 4 * MILLISECOND;
/// A query of an index.
const QUERY: Micros = 6 * MILLISECOND;
/// A write of an item.
const WRITE: Micros = 7 * MILLISECOND;
/// A transaction.
const TRANSACTION: Micros = 15 * MILLISECOND;
/// A batch of messages that is sent.
const SEND: Micros = 10 * MILLISECOND;
/// The code of a function before its first call.
const CODE: Micros = 2 * MILLISECOND;
/// From sending a message to its function.
const RECEIVE: Micros = 15 * MILLISECOND;
/// A batch of webhooks.
const WEBHOOKS: Micros = 300 * MILLISECOND;
/// The first bound of a retry's wait, and the longest.
const RETRY: (Micros, Micros) = (25 * MILLISECOND, 500 * MILLISECOND);
/// The same for clients and external workers whose call was refused.
const CALL_AGAIN: (Micros, Micros) = (200 * MILLISECOND, 10 * SECOND);
/// The lease of a claim.
const CLAIM_LEASE: Micros = 30 * SECOND;
/// Shards of the due index, and how many of each one sweep handles.
const DUE_SHARDS: usize = 16;
/// Statuses that the index by status has.
const STATUSES: usize = 4;
/// The largest difference between the order bound and by how much a job is really overtaken: how far an index may be
/// behind, and how long a launcher has read it before.
const LATE: Micros = 1_500 * MILLISECOND;

/// What happens next.
#[derive(Clone, Copy)]
enum Event {
    /// A client submits a job.
    Submit,
    /// A client calls again for a job.
    Request(u32),
    /// `generate` saves a job.
    Create(u32),
    /// The external worker reports on a run.
    Report(u32),
    /// `step-webhook` saves a report.
    Save(u32),
    /// A launcher saves that the external worker has accepted a run.
    Start(u32),
    /// Lambda polls a lane of the stream.
    Poll(usize),
    /// A batch of the stream goes on.
    Batch(usize),
    /// Lambda polls the queue of hints.
    Receive,
    /// Lambda polls the queue again, since an invocation was not allowed before.
    PollQueue,
    /// A hint becomes visible again.
    Hint,
    /// A launcher goes on.
    Launch(usize),
    /// Webhooks are sent, in so many batches.
    Dispatch(u32),
    /// A batch of webhooks was sent.
    Dispatched,
    /// A shard of the stream is closed.
    Roll,
    /// The due sweep begins.
    Sweep,
}

/// What AWS does for the stack.
struct Cloud {
    api: Bucket,
    pool: Pool,
    queue: Queue,
    stream: Stream,
    writes: Vec<Bucket>,
    active: Vec<ActiveShard>,
    status: Vec<IndexPartition>,
    logs: Vec<IndexPartition>,
    deliveries: Vec<IndexPartition>,
}

/// The simulated stack.
pub struct World {
    design: Design,
    load: Load,
    agenda: Agenda<Event>,
    random: Random,
    fairness: Fairness,
    cloud: Cloud,
    admission: Admission,
    jobs: Vec<Job>,
    launchers: Slab<Launcher>,
    batches: Slab<Batch>,
    due: Vec<BTreeSet<(Micros, u32)>>,
    /// Whether another poll of the queue is scheduled.
    is_polled: bool,
    /// When a launcher last noted that it left jobs waiting.
    left_at: Option<Micros>,
    ledger: Ledger,
    stops: Stops,
    counts: Counts,
}

impl World {
    /// A stack of this design in which nothing has happened.
    pub fn new(design: Design, load: Load, fairness: Fairness) -> Self {
        let indexes = |count: usize| std::iter::repeat_with(IndexPartition::default).take(count).collect();
        let hold = |limit| load.limits.hold(limit);
        let most = if hold(Limit::Launcher) { design.launchers } else { usize::MAX };
        Self {
            agenda: Agenda::default(),
            random: Random::new(load.seed),
            fairness,
            cloud: Cloud {
                api: Bucket::new(design.api.rate, design.api.burst),
                pool: Pool::new(design.executions),
                queue: Queue::new(most, hold(Limit::Pollers)),
                stream: Stream::new(design.partitions, design.fanout.parallelization),
                writes: std::iter::repeat_with(Bucket::writes).take(design.partitions).collect(),
                active: std::iter::repeat_with(ActiveShard::default).take(design.shards).collect(),
                status: indexes(STATUSES * design.status_shards),
                logs: indexes(design.fanout.day_shards),
                deliveries: indexes(design.fanout.day_shards),
            },
            admission: Admission::new(design.rows, load.max_workers, design.fanout.counters),
            left_at: None,
            jobs: Vec::new(),
            launchers: Slab::default(),
            batches: Slab::default(),
            due: vec![BTreeSet::new(); DUE_SHARDS],
            is_polled: false,
            ledger: Ledger::new(load.max_workers),
            stops: Stops::default(),
            counts: Counts::default(),
            design,
            load,
        }
    }

    /// Runs the stack, and checks all rules after each event.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn run(mut self) -> Result<Outcome, Violation> {
        if !self.holds(Limit::Slots) {
            self.ledger.max = i64::MAX;
        }
        self.agenda.at(0, Event::Submit);
        self.agenda.at(60 * SECOND, Event::Sweep);
        self.schedule_roll();
        while let Some(event) = self.agenda.pop() {
            if self.is_over() {
                break;
            }
            self.counts.events += 1;
            self.handle(event);
            self.ledger.check()?;
        }
        self.outcome()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Submit => self.submit(),
            Event::Request(job) => self.request(job),
            Event::Create(job) => self.create(job),
            Event::Report(job) => self.report(job),
            Event::Save(job) => self.save_report(job),
            Event::Start(job) => self.save_start(job),
            Event::Poll(lane) => self.poll(lane),
            Event::Batch(batch) => self.fan_out(batch),
            Event::Receive => self.receive(),
            Event::PollQueue => {
                self.is_polled = false;
                self.receive();
            }
            Event::Hint => self.hint(),
            Event::Launch(launcher) => match self.design.claims {
                Claims::OneByOne => self.claim_one(launcher),
                Claims::InBatches => self.claim_batch(launcher),
            },
            Event::Dispatch(batches) => self.dispatch(batches),
            Event::Dispatched => self.end(Function::Dispatcher, false),
            Event::Roll => self.roll(),
            Event::Sweep => self.sweep(),
        }
    }

    fn holds(&self, limit: Limit) -> bool {
        self.load.limits.hold(limit)
    }

    /// Begins an invocation; returns how long it takes to start. None if it is throttled.
    fn begin(&mut self, function: Function) -> Option<Micros> {
        if !self.holds(Limit::Functions) {
            return Some(0);
        }
        let wait = self.cloud.pool.start(function, self.agenda.now(), &mut self.random);
        if wait.is_none() {
            self.stops.add(Limit::Functions);
        }
        wait
    }

    fn end(&mut self, function: Function, killed: bool) {
        if self.holds(Limit::Functions) {
            self.cloud.pool.end(function, killed);
        }
    }

    /// Saves a change of a job with its entries in the indexes; returns when those of active jobs appear.
    ///
    /// # Errors
    /// What throttles it.
    fn save(&mut self, job: u32, change: Change) -> Result<Micros, Limit> {
        let now = self.agenda.now();
        let (units, entries) = (self.design.units(change), self.status_entries(job, change));
        let active = shard(job, 1, self.cloud.active.len());
        if units.active > 0 && self.holds(Limit::ActiveIndex) && self.cloud.active[active].writes.is_behind(now) {
            return Err(Limit::ActiveIndex);
        }
        let is_behind = |entry: &usize| self.cloud.status[*entry].is_behind(now);
        if self.holds(Limit::StatusIndex) && entries.iter().flatten().any(is_behind) {
            return Err(Limit::StatusIndex);
        }
        let partition = shard(job, 0, self.cloud.writes.len());
        if self.holds(Limit::Tables) && !self.cloud.writes[partition].take(now, f64::from(units.item)) {
            return Err(Limit::Tables);
        }
        for entry in entries.into_iter().flatten() {
            self.cloud.status[entry].write(now, 1.0);
        }
        if !self.holds(Limit::ActiveIndex) {
            return Ok(now);
        }
        Ok(self.cloud.active[active].writes.write(now, f64::from(units.active)))
    }

    /// The partitions of the index by status in which a change has an entry.
    fn status_entries(&self, job: u32, change: Change) -> [Option<usize>; 2] {
        let place = |status: usize| Some(status * self.design.status_shards + shard(job, 3, self.design.status_shards));
        match (self.design.status_of_active, change) {
            (_, Change::Report | Change::Claim | Change::Release)
            | (false, Change::Create | Change::Start | Change::Render) => [None, None],
            (false, Change::End) => [place(3), None],
            (true, Change::Create) => [place(0), None],
            (true, Change::Start) => [place(0), place(1)],
            (true, Change::Render) => [place(1), place(2)],
            (true, Change::End) => [place(2), place(3)],
        }
    }

    /// Puts a job into the queue of waiting jobs.
    fn wait(&mut self, job: u32, appears: Micros) {
        let now = self.agenda.now();
        let rank = self.fairness.rank(self.jobs[job as usize].owner, now);
        let waiting = &mut self.jobs[job as usize];
        (waiting.state, waiting.rank, waiting.since) = (State::Waiting, rank, rank);
        self.ledger.waiting += 1;
        let shard = shard(job, 1, self.cloud.active.len());
        self.cloud.active[shard].wait((rank, job));
        self.cloud.active[shard].add((rank, job), appears);
    }

    /// Lets a job wait again that has kept its entry in the index.
    fn wait_again(&mut self, job: u32) {
        let since = self.agenda.now();
        let waiting = &mut self.jobs[job as usize];
        (waiting.state, waiting.since) = (State::Waiting, since);
        self.ledger.waiting += 1;
        let shard = shard(job, 1, self.cloud.active.len());
        self.cloud.active[shard].wait((since, job));
    }

    /// Adds a version to the stream.
    fn append(&mut self, job: u32, kind: Kind) {
        if kind == Kind::Changed && !self.design.fanout.every_version {
            return;
        }
        let slot = self.jobs[job as usize].slot;
        let lane = self.cloud.stream.append(shard(job, 0, self.design.partitions), job, kind, slot);
        if !self.cloud.stream.lanes[lane].is_active {
            self.cloud.stream.lanes[lane].is_active = true;
            let wait = self.random.below(POLL as usize) as Micros;
            self.agenda.after(wait, Event::Poll(lane));
        }
    }

    /// Whether the time is over.
    fn is_over(&self) -> bool {
        let (now, last) = (self.agenda.now(), self.load.last_submission());
        now > last && (self.is_drained() || now > last + self.load.drain)
    }

    fn is_drained(&self) -> bool {
        let Ledger { submitted, done, unfreed, .. } = self.ledger;
        submitted == done && unfreed == 0
    }

    fn outcome(mut self) -> Result<Outcome, Violation> {
        let (from, until, end) = (self.load.warm_up, self.load.last_submission(), self.agenda.now());
        let is_drained = self.is_drained();
        if self.ledger.ended == self.ledger.submitted && !is_drained {
            let Ledger { unfreed, done, ended, .. } = self.ledger;
            self.ledger
                .violated(|| format!("all jobs have ended, but {unfreed} slots and {} ends are lost", ended - done));
        }
        self.ledger.check()?;
        let wait = |job: &Job| if job.started > 0 { job.started - job.submitted } else { Micros::MAX };
        let within = |job: &&Job| (from..until).contains(&job.submitted);
        let mut waits: Vec<Micros> = self.jobs.iter().filter(within).map(wait).collect();
        let mut waits_of_others: Vec<Micros> = self.jobs.iter().filter(|job| job.owner > 0).map(wait).collect();
        waits.sort_unstable();
        waits_of_others.sort_unstable();
        let unstarted = waits.iter().filter(|wait| **wait == Micros::MAX).count();
        debug_assert!(end >= from, "the run ended before its measurement");
        Ok(Outcome {
            throughput: self.counts.finished as f64 * SECOND as f64 / self.load.measured as f64,
            counts: self.counts,
            waits,
            unstarted,
            waits_of_others,
            is_drained,
            most_overtaken: self.ledger.most_overtaken,
            most_executions: self.cloud.pool.most,
            cold_starts: self.cloud.pool.cold_starts,
            stops: self.stops,
        })
    }
}
