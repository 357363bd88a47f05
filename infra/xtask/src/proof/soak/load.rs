//! The jobs of a soak test: several callers submit one after the other and read each until it has ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::http::Client;
use crate::instance::Run;
use crate::{interrupt, visible};

/// What the mock worker does with each job: its steps and its render take little time.
const SCENARIO: &str = "studio:step_ms=5&render_ms=20";
/// How long a job may take: less than what a lost hint costs, which waits for the due sweep.
const JOB_TIMEOUT: Duration = Duration::from_secs(45);
const POLL_INTERVAL: Duration = Duration::from_millis(250);
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The times of one job, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the request that submits it to the answer.
    pub submit: f64,
    /// From a request that reads it to the answer; of several the last.
    pub read: f64,
    /// From its creation to its end, as the job itself says.
    pub job: f64,
}

/// Jobs that are being made.
pub struct Load {
    client: Client,
    jobs: u64,
    taken: AtomicU64,
    stopped: AtomicBool,
    ended: Mutex<Ended>,
}

/// What has become of the jobs.
#[derive(Debug, Default)]
struct Ended {
    /// How many have ended.
    count: u64,
    /// The times of those that have ended since they were last asked for.
    times: Vec<Times>,
    /// What went wrong first.
    problem: Option<String>,
}

impl Load {
    /// So many jobs on a stack.
    pub fn new(run: &Run, jobs: u64) -> Self {
        Self {
            client: Client::new(&run.api_url, &run.api_key),
            jobs,
            taken: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            ended: Mutex::default(),
        }
    }

    /// Makes jobs until there are enough, or until it is stopped. Several threads may do this at once.
    pub fn work(&self) {
        while !self.stopped.load(Ordering::Relaxed) && self.taken.fetch_add(1, Ordering::Relaxed) < self.jobs {
            let outcome = self.make_one();
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(times) => {
                    ended.count += 1;
                    ended.times.push(times);
                }
                Err(error) => {
                    if ended.problem.is_none() {
                        ended.problem = Some(format!("{error:#}"));
                    }
                    self.stop();
                }
            }
        }
    }

    /// Lets the threads end after the job that they are at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// How many jobs have ended; fails if one is lost or a request was refused.
    pub fn ended(&self) -> anyhow::Result<u64> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match &ended.problem {
            Some(problem) => bail!("after {} jobs: {problem}", ended.count),
            None => Ok(ended.count),
        }
    }

    /// The times of the jobs that have ended since the last call.
    pub fn take_times(&self) -> Vec<Times> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner).times)
    }

    fn make_one(&self) -> anyhow::Result<Times> {
        let body = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": SCENARIO });
        let began = Instant::now();
        let submitted = self.client.post("/api/generate", &body)?;
        let submit = milliseconds(began.elapsed());
        let id = match (submitted.status, submitted.body["jobId"].as_str()) {
            (200, Some(id)) => visible::line(id),
            (status, _) => bail!("POST /api/generate answered {status}: {}", submitted.body),
        };
        let (mut etag, mut read) = (None, 0.0);
        let ended = interrupt::wait_for(JOB_TIMEOUT, POLL_INTERVAL, || {
            let asked = Instant::now();
            let answer = self.client.changed(&format!("/api/job/{id}"), &mut etag)?;
            read = milliseconds(asked.elapsed());
            let job = answer.map(|mut answer| answer["job"].take());
            Ok(job.filter(|job| matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled"))))
        })?;
        let job = ended.with_context(|| format!("{id} has not ended after {JOB_TIMEOUT:?}"))?;
        anyhow::ensure!(job["status"] == "completed", "{id} is {}: {}", job["status"], job["error"]);
        let job = took(&job).with_context(|| format!("{id} does not say when it was created and completed"))?;
        Ok(Times { submit, read, job })
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The milliseconds from a job's creation to its end.
fn took(job: &Value) -> Option<f64> {
    let (from, to) = (of_day(job["createdAt"].as_str()?)?, of_day(job["completedAt"].as_str()?)?);
    // A job takes less than a day, so it does not matter which day it was.
    i32::try_from((to - from).rem_euclid(DAY_MS)).ok().map(f64::from)
}

/// The milliseconds of its day of a time such as `2026-01-31T12:00:00.250Z`.
fn of_day(time: &str) -> Option<i64> {
    let (_, clock) = time.split_once('T')?;
    let mut parts = clock.trim_end_matches('Z').split([':', '.']);
    let mut part = |digits: usize| parts.next().filter(|text| text.len() == digits)?.parse::<i64>().ok();
    let (hours, minutes, seconds) = (part(2)?, part(2)?, part(2)?);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + part(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_how_long_it_took() {
        let job = json!({ "createdAt": "2026-01-31T12:00:00.250Z", "completedAt": "2026-01-31T12:00:02.000Z" });
        assert_eq!(took(&job), Some(1750.0));
        let over_midnight =
            json!({ "createdAt": "2026-01-31T23:59:59.900Z", "completedAt": "2026-02-01T00:00:00.100Z" });
        assert_eq!(took(&over_midnight), Some(200.0));
        assert_eq!(took(&json!({ "createdAt": "2026-01-31T12:00:00.250Z", "completedAt": null })), None);
        assert_eq!(of_day("2026-01-31T12:00:00Z"), None);
    }
}
