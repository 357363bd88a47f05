//! What is due of one clip job at the worker: a submission, a look-up, or a poll.

use reelhook_domain::clips::event::{Event, LookedUp};
use reelhook_domain::clips::queries::ClipWork;
use reelhook_domain::{ClipJob, ClipJobId, RenderId, TraceParent};

use crate::change::{ChangeError, Changed, change};
use crate::circuit::{self, Results};
use crate::clips::launch::ports::ClipLaunchPorts;
use crate::clips::worker::{Answer, Polled, WORKER};
use crate::outbound::submission::Submission;

/// Does what is due of a clip job. While the worker's circuit is open, its jobs wait: nothing counts as their failure, and
/// the due sweep repeats the hint.
///
/// # Errors
/// [`ChangeError`]. A submission whose answer could not be recorded counts as lost when its lease ends.
pub async fn work(ports: &ClipLaunchPorts<'_>, id: &ClipJobId) -> Result<(), ChangeError> {
    let Some(job) = ports.jobs.load(id).await? else { return Ok(()) };
    let Some((number, work)) = job.work(ports.clock.now()) else { return Ok(()) };
    let permit = circuit::permit(ports.circuits, WORKER, ports.clock.now()).await?;
    if permit.requests(1) == 0 {
        tracing::info!(job_id = %id, "the circuit of the clipping worker is open");
        return Ok(());
    }
    let done = match work {
        ClipWork::Submit => submit(ports, id).await,
        ClipWork::LookUp => Ok(look_up(ports, &job, number).await),
        ClipWork::Poll(worker_id) => Ok(poll(ports, &job, number, worker_id).await),
    };
    let mut results = Results::default();
    if let Ok(Answer { answered: Some(answered), .. }) = &done {
        results.count(*answered);
    }
    let recorded = match done {
        Ok(Answer { said: Some(event), .. }) => apply(ports, id, &event).await,
        Ok(Answer { said: None, .. }) => Ok(()),
        Err(error) => Err(error),
    };
    // A probe that was not sent is released, whatever failed.
    circuit::record(ports.circuits, ports.clock, WORKER, permit, results).await;
    recorded
}

/// Claims the submission that waits, and sends it; nothing happens if another launcher has claimed it.
async fn submit(ports: &ClipLaunchPorts<'_>, id: &ClipJobId) -> Result<Answer<Option<Event>>, ChangeError> {
    let claimed = change(ports.jobs, ports.clock, ports.policy, id, &Event::ClaimSubmission).await?;
    let nothing = Answer { said: None, answered: None };
    let Changed::Applied(job) = claimed else { return Ok(nothing) };
    // The claim is of the present submission, which may be a newer one than that which was due before.
    let Some(number) = job.run.engine.worker().map(|run| run.number) else { return Ok(nothing) };
    let trace = TraceParent::of_aggregate(&*job);
    let trace_id = trace.trace_id();
    let Answer { said, answered } = ports.client.submit(&job, number, ports.clock.now()).await;
    let event = match said {
        Submission::Accepted(worker_id) => {
            tracing::info!(job_id = %id, number, %worker_id, trace_id, "submitted a clip job");
            Event::Submitted { number, id: worker_id }
        }
        Submission::Refused { error, wait, permanent } => {
            tracing::warn!(job_id = %id, number, permanent, trace_id, "the clipping worker refused a job");
            Event::SubmissionRefused { number, error, wait, permanent }
        }
        Submission::Lost(reason) => {
            tracing::warn!(job_id = %id, number, %reason, trace_id, "the answer to a submission was lost");
            Event::SubmissionLost { number }
        }
    };
    Ok(Answer { said: Some(event), answered })
}

async fn look_up(ports: &ClipLaunchPorts<'_>, job: &ClipJob, number: u32) -> Answer<Option<Event>> {
    let Answer { said: found, answered } = ports.client.look_up(&job.id, number).await;
    tracing::info!(job_id = %job.id, number, ?found, "looked up a submission whose answer was lost");
    Answer { said: Some(Event::LookedUp { number, found }), answered }
}

async fn poll(ports: &ClipLaunchPorts<'_>, job: &ClipJob, number: u32, id: RenderId) -> Answer<Option<Event>> {
    let Answer { said, answered } = ports.client.poll(&job.id, number, &id).await;
    let event = match said {
        Polled::Reported(report) => Event::Reported { number, id: Some(id), report, polled: true },
        Polled::Missing => Event::PollFailed { number, missing: true },
        Polled::Nothing => Event::PollFailed { number, missing: false },
    };
    Answer { said: Some(event), answered }
}

/// Applies an event to its job. A submission that the worker has, or may have, and that the job does not want any more is
/// canceled. If the worker does not confirm that, the job's outbox has the cancellation, which the queue then repeats.
async fn apply(ports: &ClipLaunchPorts<'_>, id: &ClipJobId, event: &Event) -> Result<(), ChangeError> {
    let changed = change(ports.jobs, ports.clock, ports.policy, id, event).await?;
    tracing::debug!(job_id = %id, changed = changed.name(), "recorded the answer of the clipping worker");
    let Some((number, worker_id)) = at_worker(event) else { return Ok(()) };
    let is_unwanted = match &changed {
        Changed::Applied(_) => false,
        Changed::Ignored(_, job) | Changed::Rejected(_, job) => job.is_unwanted(number),
        Changed::NotFound => true,
    };
    if is_unwanted {
        let external = id.external_id(number);
        let known = worker_id.map_or(external.as_str(), RenderId::as_str);
        if !ports.client.cancel(id, number, known).await {
            let unconfirmed = Event::CancelUnconfirmed { number };
            let changed = change(ports.jobs, ports.clock, ports.policy, id, &unconfirmed).await?;
            tracing::warn!(job_id = %id, number, changed = changed.name(), "the worker did not confirm a cancellation");
        }
    }
    Ok(())
}

/// The submission that the worker has or may have, as an event says, and the worker's id for it as far as it is known.
fn at_worker(event: &Event) -> Option<(u32, Option<&RenderId>)> {
    if let Event::Submitted { number, id } | Event::LookedUp { number, found: LookedUp::Found(id) } = event {
        return Some((*number, Some(id)));
    }
    if let Event::SubmissionLost { number } = event { Some((*number, None)) } else { None }
}
