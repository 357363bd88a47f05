//! Commands to one job: cancel, retry, complete, delete, monitor its render (contract.md, StreamGank: jobs).

use reelhook_app::change::Changed;
use reelhook_app::views::streamgank::job;
use reelhook_domain::{Event, Job, JobId, Rejected, RenderId, WebUrl, brief};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::videos::problem::VideoProblem;

/// A command to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// POST /api/job/{id}/cancel, DELETE /api/queue/job/{id}
    Cancel,
    /// POST /api/job/{id}/retry
    Retry,
    /// POST /api/job/{id}/complete
    Complete(WebUrl),
    /// DELETE /api/queue/job/{id}/delete
    Delete,
    /// POST /api/queue/job/{id}/monitor-creatomate
    Monitor,
}

impl Command {
    /// Reads the route and body of a command; none for another route.
    ///
    /// # Errors
    /// [`Problem`] for a body that is not valid; [`JobProblem::NotFound`] for an id that can't be a job's.
    pub fn read(request: &ApiRequest) -> Result<Option<(JobId, Self)>, Problem> {
        let (id, command) = match (request.method.as_str(), &request.segments()[..]) {
            ("POST", ["api", "job", id, "cancel"]) | ("DELETE", ["api", "queue", "job", id]) => (*id, Self::Cancel),
            ("POST", ["api", "job", id, "retry"]) => (*id, Self::Retry),
            ("POST", ["api", "job", id, "complete"]) => (*id, Self::Complete(video_url(request)?)),
            ("DELETE", ["api", "queue", "job", id, "delete"]) => (*id, Self::Delete),
            ("POST", ["api", "queue", "job", id, "monitor-creatomate"]) => (*id, Self::Monitor),
            _ => return Ok(None),
        };
        Ok(Some((JobId::parse(id).map_err(|_| Problem::Job(JobProblem::NotFound))?, command)))
    }

    /// The domain event of the command.
    pub fn event(&self) -> Event {
        match self {
            Self::Cancel => Event::Cancel,
            Self::Retry => Event::Retry,
            Self::Complete(video) => Event::Complete { video_url: video.clone() },
            Self::Delete => Event::Delete,
            Self::Monitor => Event::Monitor,
        }
    }

    /// Logs the outcome of a command. It logs only the host of a video's URL, because the rest may be a secret.
    pub fn note(&self, id: &JobId, caller: &Caller, outcome: &'static str) {
        let (command, host) = match self {
            Self::Cancel => ("cancel", None),
            Self::Retry => ("retry", None),
            Self::Complete(video) => ("complete", video.host_str().map(brief)),
            Self::Delete => ("delete", None),
            Self::Monitor => ("monitor", None),
        };
        tracing::info!(job_id = %id, command, host, caller = brief(&caller.fingerprint), outcome, "received a command");
    }

    /// The answer; a repeated command gets the same one.
    ///
    /// # Errors
    /// [`Problem`] says why the job refuses the command.
    pub fn answer(&self, changed: Changed) -> Result<ApiAnswer, Problem> {
        let changed = match changed {
            Changed::Applied(job) | Changed::Ignored(_, job) => job,
            Changed::NotFound => return Err(Problem::Job(JobProblem::NotFound)),
            Changed::Rejected(reason, _) => return Err(refused(reason)),
        };
        Ok(ApiAnswer::json(200, &self.body(&changed)))
    }

    fn body(&self, changed: &Job) -> Value {
        let id = &changed.id;
        let message = match self {
            Self::Cancel => "Job cancelled successfully".to_owned(),
            Self::Retry => format!("Job retry initiated (attempt {})", changed.retries.used),
            Self::Complete(_) => "Job updated with video URL".to_owned(),
            Self::Delete => {
                let last = &id.as_str()[id.as_str().len().saturating_sub(8)..];
                format!("Job {last} deleted permanently")
            }
            Self::Monitor => format!("Started Creatomate monitoring for job {id}"),
        };
        let mut body = json!({ "success": true, "message": message, "job": job(changed) });
        match self {
            Self::Delete => body["deletedAt"] = json!(changed.deleted_at.map(|at| at.to_string())),
            Self::Monitor => body["creatomateId"] = json!(changed.render_id().map(RenderId::as_str)),
            Self::Cancel | Self::Retry | Self::Complete(_) => {}
        }
        body
    }
}

fn refused(reason: Rejected) -> Problem {
    match reason {
        Rejected::CannotCancel(status) => Problem::Job(JobProblem::CannotCancel(status)),
        Rejected::CannotRetry(status) => Problem::Job(JobProblem::CannotRetry(status)),
        Rejected::CannotComplete(status) => Problem::Job(JobProblem::CannotComplete(status)),
        Rejected::CannotDelete(status) => Problem::Job(JobProblem::CannotDelete(status)),
        Rejected::NoRender => Problem::Job(JobProblem::NoRender),
        Rejected::VideoExists => Problem::Job(JobProblem::VideoExists),
        Rejected::WorkflowIncomplete => Problem::Job(JobProblem::WorkflowIncomplete),
        Rejected::CannotMonitor(status) => Problem::Job(JobProblem::CannotMonitor(status)),
        Rejected::NoVideo => Problem::Video(VideoProblem::Gone),
        Rejected::Deleted => Problem::Job(JobProblem::NotFound),
    }
}

fn video_url(request: &ApiRequest) -> Result<WebUrl, Problem> {
    let body = request.json()?;
    let right = "an http or https URL of at most 2,048 bytes";
    let wrong = || bad("videoUrl", right);
    match &body["videoUrl"] {
        Value::Null => Err(Problem::Job(JobProblem::VideoUrlMissing)),
        Value::String(text) if text.trim().is_empty() => Err(Problem::Job(JobProblem::VideoUrlMissing)),
        Value::String(text) => WebUrl::parse(text.trim()).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}
