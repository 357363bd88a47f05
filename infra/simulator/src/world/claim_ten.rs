//! The launcher with shards: ten tokens of a row, ten jobs near the head of the queue, and a conditional put for each.

use super::admission::bucket_of;
use super::job::{State, shard};
use super::launcher::Stage;
use super::{Event, QUERY, RETRY, WRITE, World};
use crate::agenda::Micros;
use crate::cloud::index::Waiting;
use crate::design::{Change, ORDER};
use crate::limits::Limit;

/// Tokens that are taken at once.
const TOKENS: i64 = 10;
/// Rounds of one invocation.
const ROUNDS: u32 = 20;
/// Rows that are asked for tokens.
const ATTEMPTS: u32 = 4;
/// Passes over the jobs that were drawn: a claim that meets another one takes a write unit, and the other launcher has
/// started that job.
const PASSES: u32 = 2;
/// Jobs of a shard that one claim reads: 5 KB of keys.
const HEADS: usize = 50;
/// Read units of that, eventually consistent.
const HEADS_UNITS: f64 = 1.0;

impl World {
    /// Goes on with a launcher.
    pub(super) fn claim_ten(&mut self, launcher: usize) {
        match self.launchers.of(launcher).stage {
            Stage::Admit => self.take_tokens(launcher),
            Stage::Heads | Stage::Load => self.read_heads(launcher),
            Stage::Claim => self.claim_jobs(launcher),
            Stage::Request => self.send_jobs(launcher),
            Stage::Start => self.next_round(launcher),
        }
    }

    fn take_tokens(&mut self, launcher: usize) {
        let now = self.agenda.now();
        let row = self.launchers.of(launcher).row;
        let units = self.admission.rows[row].units();
        if self.holds(Limit::Admission) && !self.admission.rows[row].writes.take(now, units) {
            self.stops.add(Limit::Admission);
            let wait = self.random.backoff(RETRY.0, RETRY.1, 1);
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        let taken = if self.holds(Limit::Slots) {
            TOKENS.min(self.admission.rows[row].cap - self.admission.rows[row].used)
        } else {
            TOKENS
        };
        let wait = self.random.about(WRITE);
        let attempts = ATTEMPTS.min(self.design.shards as u32);
        let taker = self.launchers.of(launcher);
        if taken <= 0 {
            self.stops.add(Limit::Slots);
            taker.attempts += 1;
            taker.row = (row + 1) % self.design.shards;
            if taker.attempts >= attempts {
                return self.end_launcher(launcher, false);
            }
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        (taker.tokens, taker.bucket, taker.attempts, taker.stage) = (taken, bucket_of(now), 0, Stage::Heads);
        self.admission.rows[row].add(taken, bucket_of(now));
        self.ledger.used += taken;
        self.ledger.in_hand += taken;
        if self.random.chance(self.load.faults.kill_with_tokens) {
            self.ledger.leak(taken, bucket_of(now));
            return self.end_launcher(launcher, true);
        }
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// Reads the heads of all shards, and draws among the jobs that are at most [`ORDER`] younger than the oldest.
    fn read_heads(&mut self, launcher: usize) {
        let each = if self.fairness.is_by_time() { HEADS } else { TOKENS as usize };
        let (mut heads, _) = self.read_shards(HEADS_UNITS, each, (usize::MAX, 0));
        let wanted = self.launchers.of(launcher).tokens as usize;
        self.draw(&mut heads, wanted);
        let is_empty = heads.is_empty();
        let reader = self.launchers.of(launcher);
        (reader.heads, reader.stage) = (heads, Stage::Claim);
        if is_empty {
            self.return_tokens(launcher);
            return self.end_launcher(launcher, false);
        }
        let wait = self.random.about(QUERY);
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// Puts jobs in the order in which a launcher claims them: the first one is the last of the list.
    fn draw(&mut self, heads: &mut Vec<Waiting>, wanted: usize) {
        if !self.fairness.is_by_time() {
            *heads = self.fairness.turns(std::mem::take(heads), 2 * wanted, true);
            heads.reverse();
            return;
        }
        let oldest = heads.iter().min().map_or(0, |(rank, _)| *rank);
        heads.retain(|(rank, _)| *rank <= oldest + ORDER);
        for drawn in 0..heads.len().min(2 * wanted) {
            let last = heads.len() - 1 - drawn;
            let place = self.random.below(last + 1);
            heads.swap(place, last);
        }
    }

    fn claim_jobs(&mut self, launcher: usize) {
        let (bucket, tokens) = (self.launchers.of(launcher).bucket, self.launchers.of(launcher).tokens);
        for _ in 0..tokens {
            let Some((_, job)) = self.launchers.of(launcher).heads.pop() else { break };
            match self.claim(job) {
                Ok(appears) => {
                    self.jobs[job as usize].slot.bucket = bucket;
                    self.claimed(job, appears);
                    self.ledger.in_hand -= 1;
                    let claimer = self.launchers.of(launcher);
                    claimer.tokens -= 1;
                    claimer.claimed.push(job);
                }
                Err(Some(limit)) => self.stops.add(limit),
                Err(None) => self.counts.conflicts += 1,
            }
        }
        let wait = self.random.about(WRITE);
        let claimer = self.launchers.of(launcher);
        claimer.attempts += 1;
        if claimer.tokens > 0 && !claimer.heads.is_empty() && claimer.attempts < PASSES {
            return self.agenda.after(wait, Event::Launch(launcher));
        }
        self.return_tokens(launcher);
        if self.launchers.of(launcher).claimed.is_empty() {
            return self.end_launcher(launcher, false);
        }
        if self.random.chance(self.load.faults.kill_after_claim) {
            return self.end_launcher(launcher, true);
        }
        self.launchers.of(launcher).stage = Stage::Request;
        self.agenda.after(wait, Event::Launch(launcher));
    }

    /// Claims a job.
    ///
    /// # Errors
    /// What throttles it; none if another launcher has claimed it.
    fn claim(&mut self, job: u32) -> Result<Micros, Option<Limit>> {
        if self.jobs[job as usize].state == State::Waiting {
            return self.save(job, Change::Claim).map_err(Some);
        }
        // A condition that fails takes a write unit.
        let partition = shard(job, 0, self.cloud.writes.len());
        self.cloud.writes[partition].take(self.agenda.now(), 1.0);
        Err(None)
    }

    fn send_jobs(&mut self, launcher: usize) {
        let Some(last) = self.send_claimed(launcher) else { return };
        let sender = self.launchers.of(launcher);
        sender.stage = Stage::Start;
        // Jobs that another round would find; fewer than ten are left to the next hint.
        let is_last = sender.heads.len() < TOKENS as usize;
        sender.rounds = if is_last { ROUNDS } else { sender.rounds + 1 };
        self.agenda.at(last + WRITE, Event::Launch(launcher));
    }

    fn next_round(&mut self, launcher: usize) {
        let ended = self.launchers.of(launcher);
        if ended.rounds >= ROUNDS {
            return self.end_launcher(launcher, false);
        }
        (ended.stage, ended.attempts) = (Stage::Admit, 0);
        self.take_tokens(launcher);
    }

    fn return_tokens(&mut self, launcher: usize) {
        let returner = self.launchers.of(launcher);
        let (row, bucket, tokens) = (returner.row, returner.bucket, std::mem::take(&mut returner.tokens));
        if tokens > 0 {
            self.admission.rows[row].add(-tokens, bucket);
            self.ledger.used -= tokens;
            self.ledger.in_hand -= tokens;
        }
    }
}
