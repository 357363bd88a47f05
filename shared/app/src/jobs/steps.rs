//! Taking a worker's report: large details go to S3 before the job is saved (architecture.md, Writes).

use async_trait::async_trait;
use reelhook_domain::{Decision, Event, Job, JobId, Policy, StepUpdate, decide};
use serde_json::json;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::store::JobStore;
use crate::store::StoreError;

/// Bytes of one step's details that stay on the job.
const STEP_LIMIT: usize = 16 * 1024;
/// Bytes of all steps' details that stay on the job.
const TOTAL_LIMIT: usize = 64 * 1024;

/// Where large details go.
#[async_trait]
pub trait DetailStore: Send + Sync {
    /// Writes details under a key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), StoreError>;
}

/// What taking a report needs.
pub struct StepPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Large details.
    pub details: &'a dyn DetailStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
}

/// Whether a report would change the job: what is late or repeated writes nothing to S3.
fn would_apply(job: &Job, attempt: Option<u32>, update: &StepUpdate, ports: &StepPorts<'_>) -> bool {
    let plain = StepUpdate { details: None, ..update.clone() };
    let decision = decide(job, &Event::Step { attempt, update: plain }, ports.clock.now(), ports.policy);
    matches!(decision, Decision::Apply(_))
}

/// Lets a report happen to its job; `attempt` is the run that its token names.
///
/// # Errors
/// [`ChangeError`]; workers never try again, so conflicts are tried again inside.
pub async fn report(
    ports: &StepPorts<'_>,
    job_id: &JobId,
    attempt: Option<u32>,
    mut update: StepUpdate,
) -> Result<Changed, ChangeError> {
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(Changed::NotFound) };
    if let Some(details) = &update.details {
        let text = details.to_string();
        let steps = job.run.engine.steps();
        let others: usize = steps
            .into_iter()
            .flat_map(|steps| &steps.records)
            .filter(|(number, _)| **number != update.number)
            .filter_map(|(_, step)| step.details.as_ref().map(|details| details.to_string().len()))
            .sum();
        let large = text.len() > STEP_LIMIT || others + text.len() > TOTAL_LIMIT;
        if large && would_apply(&job, attempt, &update, ports) {
            let bytes = text.len();
            let run = attempt.unwrap_or(job.run.attempt);
            let key = format!("details/{job_id}/{run}/step-{}-{}.json", update.number, update.sequence);
            ports.details.put(&key, text.into_bytes()).await?;
            update.details = Some(json!({ "stored": key, "bytes": bytes }));
        }
    }
    change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::Step { attempt, update }).await
}
