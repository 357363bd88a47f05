//! The launcher of version 0.2: one run after the other, each claimed by a transaction over the admission item and the job.

use super::admission::Item;
use super::job::State;
use super::launcher::Stage;
use super::{Event, QUERY, READ, RETRY, TRANSACTION, World};
use crate::agenda::{Micros, SECOND};
use crate::design::{Change, RESPONSE};
use crate::limits::Limit;

/// Runs that one invocation starts.
const STARTS: u32 = 10;
/// Attempts at one claim, and the time in which they begin.
const ATTEMPTS: (u32, Micros) = (20, 5 * SECOND);
/// Waiting jobs that one claim reads.
const HEADS: usize = 10;

impl World {
    /// Goes on with a launcher.
    pub(super) fn claim_one(&mut self, launcher: usize) {
        match self.launchers.of(launcher).stage {
            Stage::Admit | Stage::Heads | Stage::Load => self.read_admission(launcher),
            Stage::Claim => self.claim_by_transaction(launcher),
            Stage::Request => self.send_one(launcher),
            Stage::Start => self.start_one(launcher),
        }
    }

    fn read_admission(&mut self, launcher: usize) {
        let now = self.agenda.now();
        if self.holds(Limit::Slots) && self.ledger.used >= self.ledger.max {
            self.stops.add(Limit::Slots);
            return self.end_launcher(launcher, false);
        }
        if !self.reads_slots(launcher) {
            return;
        }
        let heads: Vec<_> = self.cloud.active[0].heads(now, now, HEADS).collect();
        let ghosts = heads.iter().take_while(|(_, job)| self.jobs[*job as usize].state != State::Waiting).count();
        if ghosts == heads.len() {
            return self.end_launcher(launcher, false);
        }
        let version = self.admission.item.version;
        let reads = QUERY + READ * (ghosts as Micros + 1);
        let wait = self.random.about(reads);
        let reader = self.launchers.of(launcher);
        (reader.version, reader.heads, reader.stage) = (version, vec![heads[ghosts]], Stage::Claim);
        self.agenda.after(wait, Event::Launch(launcher));
    }

    fn claim_by_transaction(&mut self, launcher: usize) {
        let now = self.agenda.now();
        if !self.holds(Limit::Admission) {
            // Without the item, launchers do not meet at the oldest job either.
            let Some(oldest) = self.cloud.active[0].oldest() else { return self.end_launcher(launcher, false) };
            self.launchers.of(launcher).heads = vec![oldest];
        }
        let (version, (_, job)) = {
            let claimer = self.launchers.of(launcher);
            (claimer.version, claimer.heads[0])
        };
        let took = self.random.about(TRANSACTION);
        let item = &self.admission.item;
        let is_late = self.holds(Limit::Admission) && (item.version != version || now < item.locked_until);
        let is_taken = is_late || self.jobs[job as usize].state != State::Waiting;
        let units = 2.0 * Item::units(self.ledger.used + 1);
        let is_throttled = !is_taken && self.holds(Limit::Admission) && !self.admission.item.writes.take(now, units);
        let outcome = if is_taken || is_throttled { Err(Limit::Admission) } else { self.save(job, Change::Claim) };
        match outcome {
            Ok(appears) => {
                (self.admission.item.version, self.admission.item.locked_until) = (version + 1, now + took);
                self.ledger.used += 1;
                self.claimed(job, appears);
                self.launchers.of(launcher).stage = Stage::Request;
                self.agenda.after(took, Event::Launch(launcher));
            }
            Err(limit) if !is_taken => {
                self.stops.add(limit);
                self.fail_launcher(launcher);
            }
            Err(limit) => {
                self.stops.add(limit);
                self.counts.conflicts += u64::from(limit == Limit::Admission);
                let claimer = self.launchers.of(launcher);
                claimer.attempts += 1;
                claimer.stage = Stage::Admit;
                if claimer.attempts >= ATTEMPTS.0 || now > claimer.began + ATTEMPTS.1 {
                    return self.end_launcher(launcher, false);
                }
                let wait = self.random.backoff(RETRY.0, RETRY.1, claimer.attempts - 1);
                self.agenda.after(took + wait + READ, Event::Launch(launcher));
            }
        }
    }

    fn send_one(&mut self, launcher: usize) {
        if self.random.chance(self.load.faults.kill_after_claim) {
            return self.end_launcher(launcher, true);
        }
        let response = self.random.about(RESPONSE);
        let (_, job) = self.launchers.of(launcher).heads[0];
        self.sent(job, self.agenda.now() + response);
        self.launchers.of(launcher).stage = Stage::Start;
        self.agenda.after(response, Event::Launch(launcher));
    }

    fn start_one(&mut self, launcher: usize) {
        if self.random.chance(self.load.faults.kill_after_request) {
            return self.end_launcher(launcher, true);
        }
        let (_, job) = self.launchers.of(launcher).heads[0];
        if self.jobs[job as usize].state == State::Claimed && self.started(job).is_err() {
            let wait = self.retry_of(job);
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        let now = self.agenda.now();
        let starter = self.launchers.of(launcher);
        (starter.stage, starter.attempts, starter.began) = (Stage::Admit, 0, now);
        starter.rounds += 1;
        if starter.rounds == STARTS {
            return self.end_launcher(launcher, false);
        }
        let wait = self.random.about(READ);
        self.agenda.after(super::WRITE + wait, Event::Launch(launcher));
    }
}
