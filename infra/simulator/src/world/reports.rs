//! Reports of the external worker, and `step-webhook`.

use super::job::State;
use super::{CODE, Event, READ, World};
use crate::agenda::Micros;
use crate::cloud::pool::Function;
use crate::cloud::stream::Kind;
use crate::design::{Change, RENDERING, REPORTS};
use crate::limits::Limit;

/// Attempts at a save before the worker has to report again.
const ATTEMPTS: u8 = 5;

impl World {
    /// The external worker reports.
    pub(super) fn report(&mut self, job: u32) {
        // A run that was claimed again, or has ended, is not reported on by the older one.
        if !matches!(self.jobs[job as usize].state, State::Claimed | State::Running | State::Rendering) {
            return;
        }
        let now = self.agenda.now();
        if self.design.api.has_reports && self.holds(Limit::Api) && !self.cloud.api.take(now, 1.0) {
            self.stops.add(Limit::Api);
            return self.report_again(job);
        }
        let Some(wait) = self.begin(Function::StepWebhook) else { return self.report_again(job) };
        let took = self.random.about(READ);
        self.agenda.after(wait + CODE + took, Event::Save(job));
    }

    fn report_again(&mut self, job: u32) {
        let wait = self.call_again(job);
        self.agenda.after(wait, Event::Report(job));
    }

    /// `step-webhook` saves the report.
    pub(super) fn save_report(&mut self, job: u32) {
        let Self { jobs, load, .. } = self;
        let number = jobs[job as usize].reports + 1;
        let gap = load.run_time / Micros::from(RENDERING);
        let change = match number {
            REPORTS => Change::End,
            RENDERING => Change::Render,
            _ if jobs[job as usize].state == State::Claimed => Change::Start,
            _ => Change::Report,
        };
        let appears = match self.save(job, change) {
            Ok(appears) => appears,
            Err(limit) => {
                self.stops.add(limit);
                let wait = self.retry_of(job);
                if !self.jobs[job as usize].throttled.is_multiple_of(ATTEMPTS) {
                    return self.agenda.after(wait, Event::Save(job));
                }
                self.end(Function::StepWebhook, false);
                return self.report_again(job);
            }
        };
        self.end(Function::StepWebhook, false);
        let reported = &mut self.jobs[job as usize];
        (reported.reports, reported.throttled) = (number, 0);
        // A launcher that was killed has not saved the start: the first report does.
        if reported.state == State::Claimed {
            self.runs(job, appears);
        }
        match number {
            RENDERING => {
                self.jobs[job as usize].state = State::Rendering;
                self.ledger.holding -= 1;
                self.ledger.rendering += 1;
                self.ledger.unfreed += 1;
                self.append(job, Kind::Rendering);
            }
            REPORTS => {
                self.jobs[job as usize].state = State::Ended;
                self.ledger.rendering -= 1;
                self.ledger.ended += 1;
                return self.append(job, Kind::Ended);
            }
            _ => self.append(job, Kind::Changed),
        }
        let wait = self.random.about(gap);
        self.agenda.after(wait, Event::Report(job));
    }
}
