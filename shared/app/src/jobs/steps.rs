//! Step reports of workers: large details are stored in S3 before the job is saved (ARCHITECTURE.md, The tables), and a
//! render callback that came before the report that names its render is applied after it.

use std::io;

use async_trait::async_trait;
use reelhook_domain::{Decision, Event, Job, JobId, Policy, RenderId, StepUpdate, decide};
use serde_json::{Value, json};

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::renders::{RenderPorts, RenderStore, apply_parked};
use crate::jobs::store::JobStore;
use crate::store::StoreError;

/// The maximum size of one step's details in the job's item, in bytes.
const STEP_LIMIT: usize = 16 * 1024;
/// The maximum size of all steps' details in the job's item, in bytes.
const TOTAL_LIMIT: usize = 64 * 1024;

/// Stores large details of steps.
#[async_trait]
pub trait DetailStore: Send + Sync {
    /// Writes details under a key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), StoreError>;
}

/// The ports of step reports.
pub struct StepPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Callbacks of renders that no job knew.
    pub renders: &'a dyn RenderStore,
    /// Large details.
    pub details: &'a dyn DetailStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
}

/// Whether a report would change the job. A late or duplicate report writes nothing to S3.
fn would_apply(job: &Job, attempt: Option<u32>, update: &StepUpdate, ports: &StepPorts<'_>) -> bool {
    let without_details = StepUpdate { details: None, ..update.clone() };
    let decision = decide(job, &Event::Step { attempt, update: without_details }, ports.clock.now(), ports.policy);
    matches!(decision, Decision::Apply(_))
}

/// Applies a report to its job; `attempt` is the run attempt of its token.
///
/// # Errors
/// [`ChangeError`]. Workers do not retry, so conflicts are retried here.
pub async fn report(
    ports: &StepPorts<'_>,
    job_id: &JobId,
    attempt: Option<u32>,
    mut update: StepUpdate,
) -> Result<Changed, ChangeError> {
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(Changed::NotFound) };
    if let Some(details) = &update.details {
        let steps = job.run.engine.steps();
        let others: usize = steps
            .into_iter()
            .flat_map(|steps| &steps.records)
            .filter(|(number, _)| **number != update.number)
            .filter_map(|(_, step)| step.details.as_ref().map(written_bytes))
            .sum();
        let bytes = written_bytes(details);
        let large = bytes > STEP_LIMIT || others + bytes > TOTAL_LIMIT;
        if large && would_apply(&job, attempt, &update, ports) {
            let run = attempt.unwrap_or(job.run.attempt);
            let key = format!("details/{job_id}/{run}/step-{}-{}.json", update.number, update.sequence);
            ports.details.put(&key, details.to_string().into_bytes()).await?;
            update.details = Some(json!({ "stored": key, "bytes": bytes }));
        }
    }
    let known = job.render_id().cloned();
    let changed = change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::Step { attempt, update }).await?;
    if let Changed::Applied(job) = &changed
        && let Some(render) = job.render_id().filter(|render| Some(*render) != known.as_ref())
    {
        apply_early(ports, job_id, render).await;
    }
    Ok(changed)
}

/// Applies the callback of a render that came before the job knew the render. It is read after the job was saved: a callback
/// that is stored later finds the render in the job. If this fails, the next poll of the render applies the callback.
async fn apply_early(ports: &StepPorts<'_>, job_id: &JobId, render: &RenderId) {
    let StepPorts { jobs, renders, clock, policy, .. } = *ports;
    // A reported end is left to the launcher, which knows whether the render service can confirm it.
    let ports = RenderPorts { jobs, renders, clock, policy, confirmable: true };
    if let Err(error) = apply_parked(&ports, job_id, render).await {
        tracing::warn!(%job_id, render_id = %render, %error, "failed to apply an early render callback, a poll will");
    }
}

/// The bytes of a value as it is written, without writing it: each report measures the details of all steps.
fn written_bytes(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("a value can be written");
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_measured_as_they_are_written() {
        for value in [json!(null), json!({ "a": [1, 2.5, "é\n"], "b": { "c": true } })] {
            assert_eq!(written_bytes(&value), value.to_string().len(), "{value}");
        }
    }
}
