//! The launcher that is built, with numbers of slots in rows: some jobs and one row in a transaction (ADR 55 and 71,
//! shared/app/src/jobs/claims.rs).

use std::collections::BTreeMap;

use super::admission::REMEMBERED;
use super::job::{Job, State};
use super::launcher::Stage;
use super::{Event, QUERY, READ, RETRY, TRANSACTION, WRITE, World};
use crate::agenda::{Micros, SECOND};
use crate::cloud::index::{Waiting, owner_of};
use crate::design::{Change, ORDER};
use crate::limits::Limit;

/// Jobs of one transaction, and of one invocation.
const MOST: (i64, u32) = (16, 64);
/// Attempts at one claim, and the time in which they begin.
const ATTEMPTS: (u32, Micros) = (20, 5 * SECOND);
/// Attempts to write a claim of the same jobs.
const WRITES: u32 = 4;
/// Jobs of a shard that one claim reads, and how many where many of those are claimed.
const HEADS: (usize, usize) = (32, 128);
/// Read units of that many keys.
const HEADS_UNITS: (f64, f64) = (0.5, 2.0);
/// Owners that one claim reads at most, over all shards, and of one shard at least.
const OWNERS: (usize, usize) = (16, 4);
/// How often launchers note that they left jobs waiting.
const NOTED: Micros = 60 * SECOND;

impl World {
    /// Goes on with a launcher.
    pub(super) fn claim_batch(&mut self, launcher: usize) {
        match self.launchers.of(launcher).stage {
            Stage::Admit => self.draw_row(launcher),
            Stage::Heads => self.look(launcher),
            Stage::Load => self.load_jobs(launcher),
            Stage::Claim => self.claim_by_row(launcher),
            Stage::Request => self.send_batch(launcher),
            Stage::Start => self.next_batch(launcher),
        }
    }

    /// Reads all rows, and draws one with free slots.
    fn draw_row(&mut self, launcher: usize) {
        if !self.reads_slots(launcher) {
            return;
        }
        let now = self.agenda.now();
        let wait = self.random.about(READ);
        let rows = &self.admission.rows;
        let first = self.random.below(rows.len());
        let drawn =
            (0..rows.len()).map(|number| (first + number) % rows.len()).find(|row| rows[*row].used < rows[*row].cap);
        let Some(row) = drawn.or_else(|| (!self.holds(Limit::Slots)).then_some(first)) else {
            self.stops.add(Limit::Slots);
            return self.find_none(launcher, wait);
        };
        let free = if self.holds(Limit::Slots) { rows[row].cap - rows[row].used } else { MOST.0 };
        let reader = self.launchers.of(launcher);
        (reader.row, reader.version, reader.stage) = (row, now, Stage::Heads);
        // One at first, so that a worker that is busy gets one request, and then twice as many each time; half as many after
        // each conflict.
        let most = (1 << reader.rounds.min(4)) >> reader.attempts.min(4);
        reader.wanted = most.clamp(1, MOST.0).min(free);
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// No slot is free. A launcher that notes that jobs wait reads the rows again, and so does each one where there are
    /// several rows.
    fn find_none(&mut self, launcher: usize, took: Micros) {
        let notes = self.note();
        let is_one = self.admission.rows.len() == 1;
        let finder = self.launchers.of(launcher);
        if !notes && (finder.is_noted || is_one) {
            return self.end_launcher(launcher, false);
        }
        finder.is_noted = true;
        self.agenda.after(took, Event::Launch(launcher));
    }

    /// Notes that jobs wait, once a minute; returns whether it did. Another launcher that has read the first row meets that.
    fn note(&mut self) -> bool {
        let now = self.agenda.now();
        if self.left_at.is_some_and(|at| now - at < NOTED) {
            return false;
        }
        let first = &mut self.admission.rows[0];
        let units = first.units();
        if self.load.limits.hold(Limit::Admission) && !first.writes.take(now, units) {
            self.stops.add(Limit::Admission);
            return false;
        }
        first.changed_at = now + 1;
        self.left_at = Some(now);
        true
    }

    /// Reads the oldest entries of all shards. Claimed jobs are among them, and the rows remember the newest of those.
    fn look(&mut self, launcher: usize) {
        let reads_further = self.launchers.of(launcher).reads_further;
        let (is_drawn, wanted) = (self.launchers.of(launcher).is_drawn, self.launchers.of(launcher).wanted as usize);
        let mut seen =
            if reads_further { self.seen(HEADS.1, HEADS_UNITS.1) } else { self.seen(HEADS.0, HEADS_UNITS.0) };
        if !reads_further && self.hides_others(&seen.0, HEADS.0) {
            self.launchers.of(launcher).reads_further = true;
            seen = self.seen(HEADS.1, HEADS_UNITS.1);
        }
        let (mut heads, are_all) = seen;
        heads.retain(|(_, job)| !self.is_remembered(*job));
        if heads.is_empty() {
            return self.end_launcher(launcher, false);
        }
        // The first one is the last of the list.
        heads.sort_unstable_by(|a, b| b.cmp(a));
        if !self.fairness.is_by_time() {
            heads = self.fairness.turns(heads, wanted, are_all);
            heads.reverse();
        } else if is_drawn || (self.design.rows > 1 && heads.len() >= HEADS.0) {
            // Jobs that are near enough to the oldest change places, and stay in their order.
            let oldest = heads[heads.len() - 1].0;
            let first = heads.partition_point(|(rank, _)| *rank > oldest + ORDER);
            let by = self.random.below(heads.len() - first);
            heads[first..].rotate_right(by);
        }
        let wait = self.random.about(QUERY);
        let reader = self.launchers.of(launcher);
        (reader.heads, reader.stage) = (heads, Stage::Load);
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// Whether a job holds a slot, and the row that granted it remembers that.
    fn is_remembered(&self, job: u32) -> bool {
        let Job { slot, state, .. } = self.jobs[job as usize];
        let holds = matches!(state, State::Claimed | State::Running);
        holds && self.admission.rows[slot.row as usize].granted - slot.number < REMEMBERED
    }

    /// The first entries of each shard, or of some owners in each, and whether all owners are among them.
    fn seen(&mut self, each: usize, units: f64) -> (Vec<Waiting>, bool) {
        let owners = (OWNERS.0 / self.cloud.active.len()).max(OWNERS.1);
        let from = self.random.below(self.fairness.owners().max(1)) as u32;
        self.read_shards(units, each, (owners, from))
    }

    /// Whether all entries that were read of an owner hold slots, so that there may be others behind them, or half of all.
    fn hides_others(&self, seen: &[Waiting], each: usize) -> bool {
        let mut owners: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (rank, job) in seen {
            let owner = if self.fairness.is_by_time() { 0 } else { owner_of(*rank) };
            let (held, open) = owners.entry(owner).or_default();
            let one = if self.is_remembered(*job) { held } else { open };
            *one += 1;
        }
        let held: usize = owners.values().map(|(held, _)| held).sum();
        let is_cut = owners.values().any(|(held, open)| held + open >= each);
        (is_cut && 2 * held >= seen.len()) || owners.values().any(|(held, open)| *held >= each && *open == 0)
    }

    /// Reads the jobs that it will claim, as many at once as it wants; those that wait no longer are left out.
    fn load_jobs(&mut self, launcher: usize) {
        let wait = self.random.about(READ);
        let loader = self.launchers.of(launcher);
        let mut claimed = std::mem::take(&mut loader.claimed);
        let missing = (loader.wanted as usize).saturating_sub(claimed.len());
        let rest = loader.heads.len().saturating_sub(missing);
        claimed.extend(loader.heads.split_off(rest).into_iter().rev().map(|(_, job)| job));
        claimed.retain(|job| self.jobs[*job as usize].state == State::Waiting);
        let loader = self.launchers.of(launcher);
        let is_done = claimed.len() as i64 >= loader.wanted || loader.heads.is_empty();
        let is_empty = claimed.is_empty();
        loader.claimed = claimed;
        if !is_done {
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        if is_empty && !loader.reads_further {
            // Others may wait behind those that turned out to be claimed.
            (loader.reads_further, loader.stage) = (true, Stage::Admit);
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        loader.stage = Stage::Claim;
        if is_empty {
            return self.end_launcher(launcher, false);
        }
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// Claims all of its jobs, or none: if the row or a job has changed since it was read.
    fn claim_by_row(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let took = self.random.about(TRANSACTION);
        let chosen = std::mem::take(&mut self.launchers.of(launcher).claimed);
        let (row, read_at) = (self.launchers.of(launcher).row, self.launchers.of(launcher).version);
        let are_waiting = chosen.iter().all(|job| self.jobs[*job as usize].state == State::Waiting);
        let is_one = self.admission.rows.len() == 1;
        let slots = &mut self.admission.rows[row];
        let is_late = slots.changed_at > read_at || now < slots.locked_until;
        let units = 2.0 * slots.units();
        let holds = self.load.limits.hold(Limit::Admission);
        let is_full = self.load.limits.hold(Limit::Slots) && slots.used + chosen.len() as i64 > slots.cap;
        if !are_waiting || is_full || (holds && is_late && is_one) {
            return self.claim_again(launcher, took);
        }
        if holds && is_late {
            return self.write_again(launcher, chosen, took);
        }
        if holds && !slots.writes.take(now, units) {
            self.stops.add(Limit::Admission);
            return self.fail_launcher(launcher);
        }
        (slots.changed_at, slots.locked_until) = (now + 1, now + took);
        for job in chosen {
            match self.save(job, Change::Claim) {
                Ok(appears) => {
                    let slots = &mut self.admission.rows[row];
                    (slots.used, slots.granted) = (slots.used + 1, slots.granted + 1);
                    let slot = &mut self.jobs[job as usize].slot;
                    (slot.row, slot.number) = (row as u32, slots.granted);
                    self.ledger.used += 1;
                    self.claimed(job, appears);
                    self.launchers.of(launcher).claimed.push(job);
                }
                Err(limit) => self.stops.add(limit),
            }
        }
        let claimer = self.launchers.of(launcher);
        if claimer.claimed.is_empty() {
            return self.claim_again(launcher, took);
        }
        (claimer.stage, claimer.writes) = (Stage::Request, 0);
        self.agenda.after(took, Event::Launch(launcher));
    }

    /// Only the row has changed: the launcher reads the rows again, and claims the same jobs.
    fn write_again(&mut self, launcher: usize, chosen: Vec<u32>, took: Micros) {
        let now = self.agenda.now();
        self.stops.add(Limit::Admission);
        let row = self.random.below(self.design.rows);
        let wait = self.random.about(READ);
        let claimer = self.launchers.of(launcher);
        claimer.writes += 1;
        if claimer.writes >= WRITES {
            claimer.writes = 0;
            return self.claim_again(launcher, took);
        }
        let backoff = self.random.backoff(RETRY.0, RETRY.1, self.launchers.of(launcher).writes - 1);
        let again = self.launchers.of(launcher);
        (again.claimed, again.row, again.version) = (chosen, row, now + took + backoff);
        if !self.read_slots(now, false) {
            return self.claim_again(launcher, took);
        }
        self.agenda.after(took + backoff + wait, Event::Launch(launcher));
    }

    fn claim_again(&mut self, launcher: usize, took: Micros) {
        let now = self.agenda.now();
        self.counts.conflicts += 1;
        self.stops.add(Limit::Admission);
        let claimer = self.launchers.of(launcher);
        claimer.attempts += 1;
        claimer.writes = 0;
        claimer.is_drawn = true;
        claimer.stage = Stage::Admit;
        claimer.claimed.clear();
        if claimer.attempts >= ATTEMPTS.0 || now > claimer.began + ATTEMPTS.1 {
            self.note();
            return self.end_launcher(launcher, false);
        }
        let wait = self.random.backoff(RETRY.0, RETRY.1, claimer.attempts - 1);
        self.agenda.after(took + wait, Event::Launch(launcher));
    }

    fn send_batch(&mut self, launcher: usize) {
        if self.random.chance(self.load.faults.kill_after_claim) {
            return self.end_launcher(launcher, true);
        }
        let Some(last) = self.send_claimed(launcher) else { return };
        self.launchers.of(launcher).stage = Stage::Start;
        self.agenda.at(last + WRITE, Event::Launch(launcher));
    }

    fn next_batch(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let ended = self.launchers.of(launcher);
        // 1, 2, 4, 8, and then 16 at a time.
        let started = if ended.rounds < 4 { (2 << ended.rounds) - 1 } else { 31 + 16 * (ended.rounds - 4) };
        if started >= MOST.1 {
            self.note();
            return self.end_launcher(launcher, false);
        }
        (ended.stage, ended.attempts, ended.began) = (Stage::Admit, 0, now);
        ended.rounds += 1;
        self.draw_row(launcher);
    }
}
