//! Receives render callbacks: applies them to their jobs, or parks those that arrive before a job has recorded the render.

use reelhook_domain::{Event, Ignored, Job, JobId, RenderId, Service, brief};
use strum::IntoStaticStr;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::jobs::renders::callback::{Callback, Run};
use crate::jobs::renders::ports::RenderPorts;
use crate::outbox::messages::{Delayed, Hints, WorkMessage, send_all};
use crate::store::StoreError;

/// How a callback was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackAuth {
    /// By the token of a job's run.
    Run(JobId, u32),
    /// By the operator's token, from a project-level hook.
    Operator,
    /// Not at all: the callback is only a hint.
    Anonymous,
}

/// The outcome of a callback.
#[derive(Debug, Clone, PartialEq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Received {
    /// It was applied to this job (the first of several).
    Reached(Box<Job>),
    /// It belongs to an older run of this job.
    Stale(Box<Job>),
    /// The callback was not authenticated. If a job waits for the render, which the answer does not reveal, a check was
    /// queued now or shortly before.
    Hinted(Option<JobId>),
    /// The callback was authenticated, and no job has the render; the callback was stored.
    Unknown,
}

impl Received {
    /// The job of the callback, if it is known.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Reached(job) | Self::Stale(job) => Some(&job.id),
            Self::Hinted(job_id) => job_id.as_ref(),
            Self::Unknown => None,
        }
    }

    /// The name for logs.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// Receives a callback. An unauthenticated one only sends a hint to `work`, the Work queue.
///
/// # Errors
/// [`ChangeError`].
pub async fn receive(
    ports: &RenderPorts<'_>,
    work: &dyn Hints<WorkMessage>,
    auth: &CallbackAuth,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    match auth {
        CallbackAuth::Run(job_id, attempt) => receive_for_run(ports, job_id, *attempt, render, callback).await,
        CallbackAuth::Operator => {
            let mut reached = apply_to_all(ports, render, callback).await?;
            if reached.is_none() {
                ports.renders.park(Service::Creatomate, render, callback, ports.clock.now()).await?;
                // A job may have recorded the id in the meantime.
                reached = apply_to_all(ports, render, callback).await?;
            }
            Ok(reached.map_or(Received::Unknown, |job| Received::Reached(Box::new(job))))
        }
        CallbackAuth::Anonymous => Ok(Received::Hinted(hint_if_allowed(ports, work, render).await)),
    }
}

async fn receive_for_run(
    ports: &RenderPorts<'_>,
    job_id: &JobId,
    attempt: u32,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(Received::Unknown) };
    if job.run.attempt != attempt {
        return Ok(Received::Stale(Box::new(job)));
    }
    if job.render_id() == Some(render) {
        return apply(ports, job, render, callback).await;
    }
    // The worker has not reported this render yet.
    let own = Callback { run: Some(Run { job_id: job_id.clone(), attempt }), ..callback.clone() };
    ports.renders.park(Service::Creatomate, render, &own, ports.clock.now()).await?;
    // The worker may have reported it in the meantime.
    match ports.jobs.load(job_id).await? {
        Some(job) if job.render_id() == Some(render) => apply(ports, job, render, callback).await,
        Some(job) => Ok(Received::Reached(Box::new(job))),
        None => Ok(Received::Unknown),
    }
}

async fn apply(
    ports: &RenderPorts<'_>,
    job: Job,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    let event =
        Event::RenderReported { render: render.clone(), state: callback.state(), confirmable: ports.confirmable };
    Ok(match change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await? {
        Changed::Ignored(Ignored::OtherRender, _) | Changed::NotFound => Received::Unknown,
        Changed::Applied(job) | Changed::Ignored(_, job) | Changed::Rejected(_, job) => Received::Reached(job),
    })
}

async fn apply_to_all(
    ports: &RenderPorts<'_>,
    render: &RenderId,
    callback: &Callback,
) -> Result<Option<Job>, ChangeError> {
    let mut first = None;
    for id in ports.renders.jobs_of(render).await? {
        let Some(job) = ports.jobs.load(&id).await? else { continue };
        if let Received::Reached(job) = apply(ports, job, render, callback).await? {
            first.get_or_insert(*job);
        }
    }
    Ok(first)
}

/// Calls [`hint`] and only logs its failure, since an error would reveal that a job waits for the render. The scheduled
/// check runs in any case.
async fn hint_if_allowed(ports: &RenderPorts<'_>, work: &dyn Hints<WorkMessage>, render: &RenderId) -> Option<JobId> {
    match hint(ports, work, render).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(render_id = %render, %error, "failed to send a hint about a render");
            None
        }
    }
}

/// Sends hints to check a render at Creatomate, because the body of an unauthenticated callback is not trusted. Returns the
/// first job that waits for the render.
async fn hint(
    ports: &RenderPorts<'_>,
    work: &dyn Hints<WorkMessage>,
    render: &RenderId,
) -> Result<Option<JobId>, StoreError> {
    let mut waiting = Vec::new();
    for id in ports.renders.jobs_of(render).await? {
        let Some(job) = ports.jobs.load(&id).await? else { continue };
        if job.deleted_at.is_none() && (!job.status.is_final() || job.run.render_timed_out()) {
            waiting.push(id);
        }
    }
    let Some(first) = waiting.first().cloned() else { return Ok(None) };
    if ports.renders.may_hint(Service::Creatomate, render, ports.clock.now()).await? {
        let check = |job_id| Delayed::now(WorkMessage::CheckRender { job_id, render: render.clone(), check: 0 });
        send_all(work, waiting.into_iter().map(check).collect()).await?;
    }
    Ok(Some(first))
}

/// Applies the parked callback of a render, which arrived before its job recorded the render.
///
/// # Errors
/// [`ChangeError`].
pub async fn apply_parked(ports: &RenderPorts<'_>, job_id: &JobId, render: &RenderId) -> Result<(), ChangeError> {
    let Some(callback) = ports.renders.parked(Service::Creatomate, render, ports.clock.now()).await? else {
        return Ok(());
    };
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(()) };
    if callback.run.as_ref().is_some_and(|run| run.job_id != *job_id || run.attempt != job.run.attempt) {
        return Ok(());
    }
    apply(ports, job, render, &callback).await?;
    let status = brief(&callback.status);
    tracing::info!(job_id = %job_id, render_id = %render, status, "applied an early render callback");
    Ok(())
}
