//! Jobs that hints name: the index of waiting jobs has a job a moment after it was stored, and its hint may come before
//! that (ADR 3).

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reelhook_domain::jobs::slots::fair::Waiting;
use reelhook_domain::{Decision, Event, Job, JobId, Policy, Timestamp, decide};

use crate::jobs::store::JobStore;
use crate::store::StoreError;

/// The jobs that the hints of a launcher name, until they are claimed or turn out to be none that may start.
pub(super) struct Named(BTreeSet<JobId>);

impl Named {
    /// These jobs.
    pub fn new(jobs: &[JobId]) -> Self {
        Self(jobs.iter().cloned().collect())
    }

    /// Those that are not known otherwise.
    pub fn unknown(&self, is_known: impl Fn(&JobId) -> bool) -> Vec<JobId> {
        self.0.iter().filter(|id| !is_known(id)).cloned().collect()
    }

    /// Reads some of them as they are stored now, and returns those that may start. The others are forgotten: a job that was
    /// started, cancelled or deferred meanwhile needs nothing of this launcher.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(
        &mut self,
        jobs: &dyn JobStore,
        ids: &[JobId],
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Vec<Waiting<JobId>>, StoreError> {
        let loaded = join_all(ids.iter().map(|id| jobs.load(id))).await;
        let mut waiting = Vec::new();
        for (id, loaded) in ids.iter().zip(loaded) {
            match loaded {
                Ok(Some(job)) if matches!(decide(&job, &Event::Claim, now, policy), Decision::Apply(_)) => {
                    tracing::info!(job_id = %id, "a hint names a waiting job that the index does not have yet");
                    waiting.push(waiting_job(job));
                }
                Ok(_) => {
                    self.0.remove(id);
                }
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(job_id = %id, %error, "failed to read a job that a hint names, skipped it");
                    self.0.remove(id);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(waiting)
    }

    /// Forgets jobs that were claimed.
    pub fn forget(&mut self, claimed: &[Job]) {
        for job in claimed {
            self.0.remove(&job.id);
        }
    }
}

/// A job as the index would show it.
fn waiting_job(job: Job) -> Waiting<JobId> {
    Waiting { lane: job.lane(), priority: job.request.priority, ready_at: job.run.start.ready_at, job: job.id }
}
