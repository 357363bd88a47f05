//! Receives a report: applies it to the submission that it means, or raises a warning about a job that does not exist.

use reelhook_domain::ClipJob;
use reelhook_domain::clips::event::Event;
use reelhook_domain::errors::cause::{Cause, Raise};
use serde_json::Value;
use strum::IntoStaticStr;

use super::fields::word;
use super::named::Named;
use super::ports::{Inbound, ReportPorts};
use super::read::read;
use crate::change::{ChangeError, Changed, change_loaded};
use crate::errors::call::raise_about_call;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Received {
    /// It changed the job.
    Applied,
    /// It changed nothing: it came before, too late, or is about an earlier submission.
    Ignored,
    /// Neither its event nor its status is known.
    UnknownEvent,
    /// The job does not exist.
    UnknownJob,
}

impl Received {
    /// The name for logs.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Whether a body is that of a report: it has an event, or the id of a job.
pub fn is_report(body: &Value) -> bool {
    word(&body["event"]).is_some() || !Named::of(body).is_empty()
}

/// Receives a report. What it says is applied, or the warning about its job is raised, before there is an answer.
///
/// # Errors
/// [`ChangeError`]; the sender may repeat the report.
pub async fn receive(ports: &ReportPorts<'_>, inbound: &Inbound) -> Result<Received, ChangeError> {
    let named = Named::of(&inbound.body);
    let about = named.about(inbound.token.as_ref());
    let (job_id, number, received) = match named.find(ports, inbound.token.as_ref()).await? {
        Some((job, number)) => {
            (Some(job.id.to_string()), Some(number), apply(ports, job, number, &named, &inbound.body).await?)
        }
        None => {
            raise(ports, inbound, &named, about.clone()).await?;
            (None, None, Received::UnknownJob)
        }
    };
    let (job_id, about, outcome) = (job_id.as_deref(), about.as_str(), received.name());
    tracing::info!(job_id, number, named = about, outcome, "received a report of the clipping worker");
    Ok(received)
}

/// Applies a report to a submission of a job.
async fn apply(
    ports: &ReportPorts<'_>,
    job: ClipJob,
    number: u32,
    named: &Named,
    body: &Value,
) -> Result<Received, ChangeError> {
    let Some(report) = read(ports.files, &job.id, body) else { return Ok(Received::UnknownEvent) };
    let event = Event::Reported { number, id: named.worker_id(), report: Box::new(report), polled: false };
    Ok(match change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await? {
        Changed::Applied(_) => Received::Applied,
        Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound => Received::Ignored,
    })
}

/// Raises the warning about a job that does not exist.
async fn raise(ports: &ReportPorts<'_>, inbound: &Inbound, named: &Named, about: String) -> Result<(), ChangeError> {
    let message = if inbound.token.is_none() && named.is_empty() {
        "ai-clipping was called without the id of a job".to_owned()
    } else {
        format!("ai-clipping was called for job `{about}`, which does not exist")
    };
    let raise = Raise { cause: Cause::UnknownClipJob, about, message, context: named.context() };
    Ok(raise_about_call(ports.errors, ports.clock, &inbound.request_id, raise).await?)
}
