//! Calls of the clipping worker. No fault of it is an error here: an answer says what is known.

use reelhook_domain::clips::event::{LookedUp, WorkerReport};
use reelhook_domain::{ClipJob, ClipJobId, RenderId, Timestamp};

use crate::clips::worker::requests::ClippingWorker;
use crate::clips::worker::{answer, state};
use crate::outbound::submission::Submission;
use crate::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};

/// Why nothing is sent to a worker that does not exist.
const NO_WORKER: &str = "no clipping worker is configured (CLIPPING_WORKER_URL)";

/// The clipping worker, and the guarded client that reaches it.
#[derive(Clone, Copy)]
pub struct WorkerClient<'a> {
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// The worker; none if our own renderers cut.
    pub worker: Option<&'a ClippingWorker>,
}

/// What a call yielded.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// What the worker says.
    pub said: T,
    /// Whether it answered without a server error; none if nothing was sent.
    pub answered: Option<bool>,
}

/// What a poll yielded.
#[derive(Debug, Clone, PartialEq)]
pub enum Polled {
    /// A report.
    Reported(Box<WorkerReport>),
    /// The worker does not have the submission.
    Missing,
    /// No usable answer.
    Nothing,
}

impl WorkerClient<'_> {
    /// Submits a job that was claimed for this submission.
    pub async fn submit(&self, job: &ClipJob, number: u32, now: Timestamp) -> Answer<Submission> {
        let Some(worker) = self.worker else {
            let said = Submission::Refused { error: NO_WORKER.to_owned(), wait: None, permanent: true };
            return Answer { said, answered: None };
        };
        let result = self.http.send(worker.submission(job, number, now)).await;
        let said = match answer::submission(&result, now) {
            Submission::Refused { error, wait, permanent } => {
                Submission::Refused { error: worker.concealed(&error), wait, permanent }
            }
            known @ (Submission::Accepted(_) | Submission::Lost(_)) => known,
        };
        Answer { said, answered: Some(is_answered(&result)) }
    }

    /// Looks a submission up by its external id.
    pub async fn look_up(&self, job: &ClipJobId, number: u32) -> Answer<LookedUp> {
        let external = job.external_id(number);
        let Some(worker) = self.worker else { return Answer { said: LookedUp::Unanswered, answered: None } };
        let result = self.send(worker.state_of(&external)).await;
        let said = result.as_ref().map_or(LookedUp::Unanswered, |response| answer::looked_up(response, &external));
        Answer { said, answered: Some(is_answered(&result)) }
    }

    /// Polls a submission under the worker's id.
    pub async fn poll(&self, job: &ClipJobId, number: u32, id: &RenderId) -> Answer<Polled> {
        let Some(worker) = self.worker else { return Answer { said: Polled::Nothing, answered: None } };
        let result = self.send(worker.state_of(id.as_str())).await;
        let said = match &result {
            Ok(response) if response.status == 404 => Polled::Missing,
            Ok(response) if (200..=299).contains(&response.status) => {
                read(worker, response, job, number, id).map_or(Polled::Nothing, Polled::Reported)
            }
            Ok(_) | Err(_) => Polled::Nothing,
        };
        if let (Polled::Nothing, Ok(response)) = (&said, &result) {
            tracing::warn!(job_id = %job, number, worker_id = %id, status = response.status, "failed to poll a clip job");
        }
        Answer { said, answered: Some(is_answered(&result)) }
    }

    /// Cancels the submission that the worker knows under this id. Returns whether there is nothing left to do.
    pub async fn cancel(&self, job: &ClipJobId, number: u32, id: &str) -> bool {
        let Some(worker) = self.worker else { return true };
        let Ok(response) = self.send(worker.cancellation(id)).await else { return false };
        tracing::info!(job_id = %job, number, status = response.status, "sent the cancellation of a submission");
        response.status < 500 && response.status != 429
    }

    /// Sends a request. That there is no answer is logged.
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let result = self.http.send(request).await;
        if let Err(error) = &result {
            tracing::warn!(%error, "the clipping worker did not answer");
        }
        result
    }
}

/// Reads the answer to a poll; none if it is about another job, or can't be read.
fn read(
    worker: &ClippingWorker,
    response: &OutboundResponse,
    job: &ClipJobId,
    number: u32,
    id: &RenderId,
) -> Option<Box<WorkerReport>> {
    let external = job.external_id(number);
    let body = response.whole_json().filter(|body| answer::is_about(body, id, &external))?;
    let mut report = state::read(&worker.files, job, body)?;
    report.error = report.error.map(|error| worker.concealed(&error));
    Some(Box::new(report))
}

fn is_answered(result: &Result<OutboundResponse, OutboundError>) -> bool {
    result.as_ref().is_ok_and(|response| response.status < 500)
}
