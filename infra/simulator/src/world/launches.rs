//! Launchers in general: hints, claims of jobs, and runs that start.

use super::job::{State, shard};
use super::launcher::Launcher;
use super::{CALL_AGAIN, CLAIM_LEASE, CODE, DUE_SHARDS, Event, LATE, RECEIVE, RETRY, World};
use crate::agenda::{Micros, SECOND};
use crate::cloud::index::Waiting;
use crate::cloud::pool::Function;
use crate::cloud::stream::Kind;
use crate::design::{Change, Claims, ORDER, RENDERING, RESPONSE};
use crate::limits::Limit;

/// How long a hint is invisible whose launcher was killed or has failed: six times the function's timeout.
const VISIBILITY: Micros = 1_080 * SECOND;
/// How often a queue is polled whose messages may not be handled yet.
const POLL: Micros = SECOND / 5;
/// Calls that the SDK makes for one that is throttled, the first bound of its waits, and the longest.
const CALLS: u32 = 4;
const SDK_RETRY: (Micros, Micros) = (SECOND, 20 * SECOND);

impl World {
    /// Sends a hint to start jobs.
    pub(super) fn hint(&mut self) {
        let copies = 1 + u64::from(self.random.chance(self.load.faults.duplicate));
        self.counts.duplicates += copies - 1;
        for _ in 0..copies {
            self.cloud.queue.send(self.agenda.now());
            let wait = self.random.about(RECEIVE);
            self.agenda.after(wait, Event::Receive);
        }
    }

    /// Hands a batch of hints to a launcher.
    pub(super) fn receive(&mut self) {
        match self.cloud.queue.receive(self.agenda.now()) {
            Ok(false) => {}
            Ok(true) => match self.begin(Function::Worker) {
                Some(wait) => {
                    let row = self.random.below(self.design.rows);
                    let launcher = self.launchers.add(Launcher::new(self.agenda.now() + wait, row));
                    self.agenda.after(wait + CODE, Event::Launch(launcher));
                }
                None => {
                    self.cloud.queue.end();
                    self.cloud.queue.send(self.agenda.now());
                    self.poll_later();
                }
            },
            Err(limit) => {
                if !self.is_polled {
                    self.stops.add(limit);
                }
                self.poll_later();
            }
        }
    }

    fn poll_later(&mut self) {
        if !self.is_polled {
            self.is_polled = true;
            self.agenda.after(POLL, Event::PollQueue);
        }
    }

    /// Ends a launcher. The hint of one that was killed becomes visible again.
    pub(super) fn end_launcher(&mut self, launcher: usize, killed: bool) {
        self.launchers.remove(launcher);
        self.end(Function::Worker, killed);
        self.cloud.queue.end();
        if killed {
            self.counts.kills += 1;
            self.agenda.after(VISIBILITY, Event::Hint);
        }
        self.agenda.after(0, Event::Receive);
    }

    /// Ends a launcher whose call was throttled for too long. Its hint becomes visible again.
    pub(super) fn fail_launcher(&mut self, launcher: usize) {
        self.agenda.after(VISIBILITY, Event::Hint);
        self.end_launcher(launcher, false);
    }

    /// Reads the item or all rows, as often as the SDK calls; whether they were read now. If not, the
    /// launcher goes on later, or has ended.
    pub(super) fn reads_slots(&mut self, launcher: usize) -> bool {
        let now = self.agenda.now();
        // Several rows may be a moment old, unless the launcher has found no free slot in them.
        let is_consistent = self.design.rows == 1 || self.launchers.of(launcher).is_noted;
        let is_read = self.read_slots(now, is_consistent);
        let reader = self.launchers.of(launcher);
        reader.calls = if is_read { 0 } else { reader.calls + 1 };
        let calls = reader.calls;
        if calls == CALLS {
            self.fail_launcher(launcher);
        } else if calls > 0 {
            let wait = self.random.backoff(SDK_RETRY.0, SDK_RETRY.1, calls - 1);
            self.agenda.after(wait, Event::Launch(launcher));
        }
        is_read
    }

    /// The first entries of each shard, at most `each`; among owners, at most `each` of each owner, and of at most `owners` of
    /// them from the owner `from` on. Returns whether all owners are among them.
    pub(super) fn read_shards(
        &mut self,
        units: f64,
        each: usize,
        (owners, from): (usize, u32),
    ) -> (Vec<Waiting>, bool) {
        let now = self.agenda.now();
        let (mut seen, mut are_all) = (Vec::new(), true);
        for place in 0..self.cloud.active.len() {
            if self.holds(Limit::ActiveIndex) && !self.cloud.active[place].reads.take(now, units) {
                self.stops.add(Limit::ActiveIndex);
                continue;
            }
            let shard = &mut self.cloud.active[place];
            if self.fairness.is_by_time() {
                seen.extend(shard.heads(now, now, each));
            } else {
                let (heads, are_of_all) = shard.heads_of_owners(now, each, owners, from);
                seen.extend(heads);
                are_all &= are_of_all;
            }
        }
        (seen, are_all)
    }

    /// Notes that a waiting job was claimed.
    pub(super) fn claimed(&mut self, job: u32, appears: Micros) {
        let now = self.agenda.now();
        let (rank, since) = (self.jobs[job as usize].rank, self.jobs[job as usize].since);
        let place = shard(job, 1, self.cloud.active.len());
        self.cloud.active[place].claim((since, job));
        if self.design.claims == Claims::OneByOne {
            self.cloud.active[place].remove((rank, job), appears);
        }
        let oldest = self.cloud.active.iter().filter_map(|shard| shard.oldest()).min();
        let overtaken = oldest.map_or(0, |(oldest, _)| rank.saturating_sub(oldest));
        self.ledger.most_overtaken = self.ledger.most_overtaken.max(overtaken);
        // Among owners a place is no time.
        if self.design.keeps_order() && self.fairness.is_by_time() && overtaken > ORDER + LATE {
            self.ledger.violated(|| format!("job {job} started before one that is {overtaken} µs older"));
        }
        let claimed = &mut self.jobs[job as usize];
        if claimed.state != State::Waiting {
            self.ledger.violated(|| format!("job {job} was started twice"));
        }
        (claimed.state, claimed.throttled) = (State::Claimed, 0);
        claimed.slot.claim += 1;
        claimed.lease = now + CLAIM_LEASE;
        // Removed when the run has started; the sweep acts on what is left.
        self.due[shard(job, 2, DUE_SHARDS)].insert((claimed.lease, job));
        let owner = claimed.owner;
        self.fairness.holds(owner, 1);
        self.ledger.waiting -= 1;
        self.ledger.holding += 1;
        self.append(job, Kind::Changed);
    }

    /// The external worker gets a run, and begins to report on it.
    pub(super) fn sent(&mut self, job: u32, at: Micros) {
        self.jobs[job as usize].is_sent = true;
        self.agenda.at(at + self.load.run_time / Micros::from(RENDERING), Event::Report(job));
    }

    /// Sends all claimed jobs to the external worker; returns when the last one is accepted. None if the launcher was killed
    /// before it saved that.
    pub(super) fn send_claimed(&mut self, launcher: usize) -> Option<Micros> {
        let now = self.agenda.now();
        let is_killed = self.random.chance(self.load.faults.kill_after_request);
        let claimed = std::mem::take(&mut self.launchers.of(launcher).claimed);
        let mut last = now;
        for job in claimed {
            let at = now + self.random.about(RESPONSE);
            self.sent(job, at);
            if !is_killed {
                self.agenda.at(at, Event::Start(job));
            }
            last = last.max(at);
        }
        if is_killed {
            self.end_launcher(launcher, true);
            return None;
        }
        Some(last)
    }

    /// Saves that the external worker has accepted a run, for a launcher that started several.
    pub(super) fn save_start(&mut self, job: u32) {
        if self.jobs[job as usize].state == State::Claimed && self.started(job).is_err() {
            let wait = self.retry_of(job);
            self.agenda.after(wait, Event::Start(job));
        }
    }

    /// Saves the start of a run.
    pub(super) fn started(&mut self, job: u32) -> Result<(), Limit> {
        let appears = self.save(job, Change::Start).inspect_err(|limit| self.stops.add(*limit))?;
        self.runs(job, appears);
        self.append(job, Kind::Changed);
        Ok(())
    }

    /// Notes that a claimed job runs. A claim that moved no entry of the index leaves that to the start.
    pub(super) fn runs(&mut self, job: u32, appears: Micros) {
        let now = self.agenda.now();
        if self.design.claims == Claims::InBatches {
            let place = shard(job, 1, self.cloud.active.len());
            self.cloud.active[place].remove((self.jobs[job as usize].rank, job), appears);
        }
        let due = &mut self.due[shard(job, 2, DUE_SHARDS)];
        let started = &mut self.jobs[job as usize];
        started.state = State::Running;
        started.throttled = 0;
        if started.started == 0 {
            started.started = now;
        }
        due.remove(&(started.lease, job));
    }

    /// The wait before another attempt at a write of a job that was throttled.
    pub(super) fn retry_of(&mut self, job: u32) -> Micros {
        let throttled = &mut self.jobs[job as usize].throttled;
        *throttled = throttled.saturating_add(1);
        self.random.backoff(RETRY.0, RETRY.1, u32::from(*throttled))
    }

    /// The wait before a client or an external worker calls again.
    pub(super) fn call_again(&mut self, job: u32) -> Micros {
        let throttled = &mut self.jobs[job as usize].throttled;
        *throttled = throttled.saturating_add(1);
        self.random.backoff(CALL_AGAIN.0, CALL_AGAIN.1, u32::from(*throttled)) + CALL_AGAIN.0
    }
}
