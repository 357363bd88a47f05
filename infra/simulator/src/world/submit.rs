//! Submissions: clients, the API, and `generate`.

use super::job::{Job, State};
use super::{CODE, Event, QUERY, World};
use crate::agenda::{Micros, SECOND};
use crate::cloud::pool::Function;
use crate::cloud::stream::Kind;
use crate::design::Change;
use crate::limits::Limit;
use crate::load::Arrivals;

/// Active jobs that a submission counts, and the read units of that many.
const COUNTED: (f64, f64) = (1_000.0, 12.5);
/// Attempts at a put before the client has to call again.
const ATTEMPTS: u8 = 5;
/// Within this time the other owners submit their jobs.
const OTHERS: Micros = 60 * SECOND;

impl World {
    /// Clients submit what comes now, and the next one is scheduled.
    pub(super) fn submit(&mut self) {
        let now = self.agenda.now();
        match self.load.arrivals {
            Arrivals::Steady(rate) => {
                if now < self.load.last_submission() {
                    let gap = self.random.gap(SECOND as f64 / rate);
                    self.agenda.after(gap, Event::Submit);
                    self.submit_job(0);
                }
            }
            Arrivals::Backlog { jobs, others } => {
                if self.jobs.is_empty() {
                    (0..jobs).for_each(|_| self.submit_job(0));
                    for _ in 0..others {
                        let at = OTHERS + self.random.below(OTHERS as usize) as Micros;
                        self.agenda.at(at, Event::Submit);
                    }
                } else {
                    self.submit_job(self.jobs.len() as u32 - jobs + 1);
                }
            }
        }
    }

    fn submit_job(&mut self, owner: u32) {
        let job = self.jobs.len() as u32;
        self.jobs.push(Job::new(self.agenda.now(), owner));
        self.ledger.submitted += 1;
        self.ledger.creating += 1;
        self.request(job);
    }

    /// A client calls the API.
    pub(super) fn request(&mut self, job: u32) {
        let now = self.agenda.now();
        if self.holds(Limit::Api) && !self.cloud.api.take(now, 1.0) {
            self.stops.add(Limit::Api);
            return self.request_again(job);
        }
        let Some(wait) = self.begin(Function::Generate) else { return self.request_again(job) };
        if self.design.api.counts_active && self.holds(Limit::SubmitReads) {
            let active = (self.ledger.waiting + self.ledger.holding) as f64;
            let units = (active / COUNTED.0 * COUNTED.1).clamp(0.5, COUNTED.1);
            if !self.cloud.active[0].reads.take(now, units) {
                self.stops.add(Limit::SubmitReads);
                self.end(Function::Generate, false);
                return self.request_again(job);
            }
        }
        let took = if self.design.api.counts_active { self.random.about(QUERY) } else { 0 };
        self.agenda.after(wait + CODE + took, Event::Create(job));
    }

    fn request_again(&mut self, job: u32) {
        let wait = self.call_again(job);
        self.agenda.after(wait, Event::Request(job));
    }

    /// `generate` saves the job.
    pub(super) fn create(&mut self, job: u32) {
        match self.save(job, Change::Create) {
            Ok(appears) => {
                self.end(Function::Generate, false);
                self.jobs[job as usize].throttled = 0;
                debug_assert_eq!(self.jobs[job as usize].state, State::Submitted);
                self.ledger.creating -= 1;
                self.wait(job, appears);
                self.append(job, Kind::Created);
            }
            Err(limit) => {
                self.stops.add(limit);
                let wait = self.retry_of(job);
                if !self.jobs[job as usize].throttled.is_multiple_of(ATTEMPTS) {
                    return self.agenda.after(wait, Event::Create(job));
                }
                self.end(Function::Generate, false);
                self.request_again(job);
            }
        }
    }
}
