//! Receives render callbacks: applies them to their jobs, or parks those that arrive before a job has recorded the render.

use std::time::Duration;

use reelhook_domain::{
    Decision, Effect, Event, Ignored, Job, JobEffect, JobId, RenderId, RenderState, Service, brief, decide,
};
use strum::IntoStaticStr;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::jobs::renders::callback::{Callback, Run};
use crate::jobs::renders::ports::{CallbackPorts, RenderPorts};
use crate::outbox::messages::{Delayed, Hints, WorkMessage, send_all};
use crate::store::StoreError;

/// The time limit of the request with which a callback confirms the end that it reports.
const CONFIRMATION_DEADLINE: Duration = Duration::from_secs(3);

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

/// Receives a callback. An unauthenticated one only sends a hint to the Work queue.
///
/// # Errors
/// [`ChangeError`].
pub async fn receive(
    ports: &CallbackPorts<'_>,
    auth: &CallbackAuth,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    match auth {
        CallbackAuth::Run(job_id, attempt) => receive_for_run(ports, job_id, *attempt, render, callback).await,
        CallbackAuth::Operator => {
            let mut reached = apply_to_all(ports, render, callback).await?;
            if reached.is_none() {
                park(ports, render, callback).await?;
                // A job may have recorded the id in the meantime.
                reached = apply_to_all(ports, render, callback).await?;
            }
            Ok(reached.map_or(Received::Unknown, |job| Received::Reached(Box::new(job))))
        }
        CallbackAuth::Anonymous => Ok(Received::Hinted(hint_if_allowed(ports, render).await)),
    }
}

async fn park(ports: &CallbackPorts<'_>, render: &RenderId, callback: &Callback) -> Result<(), StoreError> {
    let RenderPorts { renders, clock, .. } = ports.renders;
    renders.park(Service::Creatomate, render, callback, clock.now()).await
}

async fn receive_for_run(
    ports: &CallbackPorts<'_>,
    job_id: &JobId,
    attempt: u32,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    let jobs = ports.renders.jobs;
    let Some(job) = jobs.load(job_id).await? else { return Ok(Received::Unknown) };
    if job.run.attempt != attempt {
        return Ok(Received::Stale(Box::new(job)));
    }
    let mut reported = Reported::new(render, callback);
    if job.render_id() == Some(render) {
        return reported.apply(ports, job).await;
    }
    // The worker has not reported this render yet.
    let own = Callback { run: Some(Run { job_id: job_id.clone(), attempt }), ..callback.clone() };
    park(ports, render, &own).await?;
    // The worker may have reported it in the meantime.
    match jobs.load(job_id).await? {
        Some(job) if job.render_id() == Some(render) => reported.apply(ports, job).await,
        Some(job) => Ok(Received::Reached(Box::new(job))),
        None => Ok(Received::Unknown),
    }
}

async fn apply_to_all(
    ports: &CallbackPorts<'_>,
    render: &RenderId,
    callback: &Callback,
) -> Result<Option<Job>, ChangeError> {
    let (mut first, mut reported) = (None, Reported::new(render, callback));
    for id in ports.renders.renders.jobs_of(render).await? {
        let Some(job) = ports.renders.jobs.load(&id).await? else { continue };
        if let Received::Reached(job) = reported.apply(ports, job).await? {
            first.get_or_insert(*job);
        }
    }
    Ok(first)
}

/// What a callback reports about a render, and what Creatomate says about it, which is asked at most once.
struct Reported<'a> {
    render: &'a RenderId,
    callback: &'a Callback,
    confirmed: Option<Option<RenderState>>,
}

impl<'a> Reported<'a> {
    fn new(render: &'a RenderId, callback: &'a Callback) -> Self {
        Self { render, callback, confirmed: None }
    }

    /// Applies the report to a job. An end that has to be confirmed is confirmed here, if Creatomate answers in time; else
    /// the job polls.
    async fn apply(&mut self, ports: &CallbackPorts<'_>, job: Job) -> Result<Received, ChangeError> {
        let reported = report(&ports.renders, self.render, self.callback);
        if !asks_to_confirm(&ports.renders, &job, &reported) {
            return applied(&ports.renders, job, &reported).await;
        }
        if self.confirmed.is_none() {
            let asked = ports.creatomate.state(ports.http, self.render, CONFIRMATION_DEADLINE).await;
            self.confirmed = Some(asked.filter(RenderState::is_end));
        }
        let event = match self.confirmed.clone().flatten() {
            Some(end) => Event::RenderChecked { render: self.render.clone(), state: Some(end), check: 0 },
            None => reported,
        };
        applied(&ports.renders, job, &event).await
    }
}

/// Whether this event would make the job ask Creatomate.
fn asks_to_confirm(ports: &RenderPorts<'_>, job: &Job, event: &Event) -> bool {
    let is_check = |effect: &Effect| matches!(effect, Effect::Job(JobEffect::CheckRender { .. }));
    match decide(job, event, ports.clock.now(), ports.policy) {
        Decision::Apply(next) => next.outbox.iter().any(is_check),
        Decision::Ignore(_) | Decision::Reject(_) => false,
    }
}

fn report(ports: &RenderPorts<'_>, render: &RenderId, callback: &Callback) -> Event {
    Event::RenderReported { render: render.clone(), state: callback.state(), confirmable: ports.confirmable }
}

async fn applied(ports: &RenderPorts<'_>, job: Job, event: &Event) -> Result<Received, ChangeError> {
    Ok(match change_loaded(ports.jobs, ports.clock, ports.policy, job, event).await? {
        Changed::Ignored(Ignored::OtherRender, _) | Changed::NotFound => Received::Unknown,
        Changed::Applied(job) | Changed::Ignored(_, job) | Changed::Rejected(_, job) => Received::Reached(job),
    })
}

/// Calls [`hint`] and only logs its failure, since an error would reveal that a job waits for the render. The scheduled
/// check runs in any case.
async fn hint_if_allowed(ports: &CallbackPorts<'_>, render: &RenderId) -> Option<JobId> {
    match hint(&ports.renders, ports.work, render).await {
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
    applied(ports, job, &report(ports, render, &callback)).await?;
    let status = brief(&callback.status);
    tracing::info!(job_id = %job_id, render_id = %render, status, "applied an early render callback");
    Ok(())
}
