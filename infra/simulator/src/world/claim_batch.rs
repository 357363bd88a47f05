//! The launcher with names of slots in rows: some jobs and one row in a transaction (ADR 55).

use super::admission::item_units;
use super::job::State;
use super::launcher::Stage;
use super::{Event, READ, RETRY, TRANSACTION, World};
use crate::agenda::{Micros, SECOND};
use crate::design::{Change, RESPONSE};
use crate::limits::Limit;

/// Jobs of one transaction, and of one invocation.
const MOST: (i64, u32) = (16, 64);
/// Attempts at one claim, and the time in which they begin.
const ATTEMPTS: (u32, Micros) = (20, 5 * SECOND);

impl World {
    /// Goes on with a launcher.
    pub(super) fn claim_batch(&mut self, launcher: usize) {
        match self.launchers.of(launcher).stage {
            Stage::Admit => self.read_rows(launcher),
            Stage::Heads => self.read_heads(launcher),
            Stage::Claim => self.claim_by_name(launcher),
            Stage::Request => self.send_batch(launcher),
            Stage::Start => self.next_batch(launcher),
        }
    }

    /// Reads all rows, and draws one with free slots.
    fn read_rows(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let rows = &self.admission.rows;
        let first = self.random.below(rows.len());
        let drawn =
            (0..rows.len()).map(|number| (first + number) % rows.len()).find(|row| rows[*row].used < rows[*row].cap);
        let Some(row) = drawn.or_else(|| (!self.holds(Limit::Slots)).then_some(first)) else {
            self.stops.add(Limit::Slots);
            return self.end_launcher(launcher, false);
        };
        let free = if self.holds(Limit::Slots) {
            self.admission.rows[row].cap - self.admission.rows[row].used
        } else {
            MOST.0
        };
        let wait = self.random.about(READ);
        let reader = self.launchers.of(launcher);
        (reader.row, reader.version, reader.stage) = (row, now, Stage::Heads);
        // One at first, so that a worker that is busy gets one request, and then twice as many each time.
        let most = (1 << reader.rounds.min(4)) >> reader.attempts.min(4);
        reader.tokens = most.clamp(1, MOST.0).min(free);
        self.agenda.after(wait, Event::Launch(launcher));
    }

    fn claim_by_name(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let took = self.random.about(TRANSACTION);
        let (row, read_at, wanted) = {
            let claimer = self.launchers.of(launcher);
            (claimer.row, claimer.version, claimer.tokens)
        };
        // Jobs that are not waiting any more were left out when they were read.
        let mut chosen = Vec::new();
        while (chosen.len() as i64) < wanted
            && let Some((_, job)) = self.launchers.of(launcher).heads.pop()
        {
            if self.jobs[job as usize].state == State::Waiting {
                chosen.push(job);
            }
        }
        let slots = &mut self.admission.rows[row];
        let is_late = slots.changed_at > read_at || now < slots.locked_until;
        let units = 2.0 * item_units(slots.used + chosen.len() as i64);
        let holds = self.load.limits.hold(Limit::Admission);
        if chosen.is_empty() || (holds && (is_late || !slots.writes.take(now, units))) {
            return self.claim_again(launcher, took);
        }
        (slots.changed_at, slots.locked_until) = (now + 1, now + took);
        for job in chosen {
            match self.save(job, Change::Claim) {
                Ok(appears) => {
                    self.admission.rows[row].used += 1;
                    self.ledger.used += 1;
                    self.jobs[job as usize].slot.bucket = row as u32;
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
        claimer.stage = Stage::Request;
        self.agenda.after(took, Event::Launch(launcher));
    }

    fn claim_again(&mut self, launcher: usize, took: Micros) {
        let now = self.agenda.now();
        self.counts.conflicts += 1;
        self.stops.add(Limit::Admission);
        let claimer = self.launchers.of(launcher);
        claimer.attempts += 1;
        claimer.stage = Stage::Admit;
        if claimer.attempts >= ATTEMPTS.0 || now > claimer.began + ATTEMPTS.1 {
            return self.end_launcher(launcher, false);
        }
        let wait = self.random.backoff(RETRY.0, RETRY.1, claimer.attempts - 1);
        self.agenda.after(took + wait, Event::Launch(launcher));
    }

    fn send_batch(&mut self, launcher: usize) {
        if self.random.chance(self.load.faults.kill_after_claim) {
            return self.end_launcher(launcher, true);
        }
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
            return self.end_launcher(launcher, true);
        }
        self.launchers.of(launcher).stage = Stage::Start;
        self.agenda.at(last + super::WRITE, Event::Launch(launcher));
    }

    fn next_batch(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let ended = self.launchers.of(launcher);
        // 1, 2, 4, 8, and then 16 at a time.
        let started = if ended.rounds < 4 { (2 << ended.rounds) - 1 } else { 31 + 16 * (ended.rounds - 4) };
        if started >= MOST.1 {
            return self.end_launcher(launcher, false);
        }
        (ended.stage, ended.attempts, ended.began) = (Stage::Admit, 0, now);
        ended.rounds += 1;
        self.read_rows(launcher);
    }
}
