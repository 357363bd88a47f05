//! Commands to one job: cancel, retry, complete, delete, monitor its render (docs/contract/jobs.md, Commands).

use reelhook_app::change::Changed;
use reelhook_app::views::streamgank::{JobView, job};
use reelhook_app::views::wire::{RenderIdText, Time, Yes};
use reelhook_domain::{Event, Job, JobId, Rejected, RenderId, WebUrl, brief};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed::fields::{Parsed, blank_is_absent};
use crate::videos::problem::VideoProblem;

/// The video of a job that was finished elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["videoUrl"]))]
pub struct CompleteRequest {
    /// The URL of the video: http or https.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Parsed<WebUrl>")]
    video_url: Option<Parsed<WebUrl>>,
}

/// What was done, and the job after it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobDone<'a> {
    success: Yes,
    /// `Job cancelled successfully`, `Job retry initiated (attempt N)` or `Job updated with video URL`.
    message: String,
    /// The job.
    job: JobView<'a>,
}

/// The last state of a job that was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDeleted<'a> {
    success: Yes,
    /// `Job <last 8 characters of the id> deleted permanently`.
    #[schemars(regex(pattern = "^Job .{1,8} deleted permanently$"))]
    message: String,
    /// The job.
    job: JobView<'a>,
    /// When it was deleted.
    #[schemars(with = "Time")]
    deleted_at: Option<Time>,
}

/// A job whose render is monitored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring<'a> {
    success: Yes,
    /// `Started Creatomate monitoring for job <id>`.
    message: String,
    /// The job.
    job: JobView<'a>,
    /// The id of the render.
    #[schemars(with = "RenderIdText")]
    creatomate_id: Option<&'a str>,
}

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
        Ok(self.applied(&changed))
    }

    fn applied(&self, changed: &Job) -> ApiAnswer {
        let id = &changed.id;
        let done = |message: String| ApiAnswer::json(200, &JobDone { success: Yes, message, job: job(changed) });
        match self {
            Self::Cancel => done("Job cancelled successfully".to_owned()),
            Self::Retry => done(format!("Job retry initiated (attempt {})", changed.retries.used)),
            Self::Complete(_) => done("Job updated with video URL".to_owned()),
            Self::Delete => {
                let last = &id.as_str()[id.as_str().len().saturating_sub(8)..];
                let message = format!("Job {last} deleted permanently");
                let deleted_at = changed.deleted_at.map(Time);
                ApiAnswer::json(200, &JobDeleted { success: Yes, message, job: job(changed), deleted_at })
            }
            Self::Monitor => {
                let message = format!("Started Creatomate monitoring for job {id}");
                let creatomate_id = changed.render_id().map(RenderId::as_str);
                ApiAnswer::json(200, &Monitoring { success: Yes, message, job: job(changed), creatomate_id })
            }
        }
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
    let given: CompleteRequest = request.body()?;
    given.video_url.map(|Parsed(url)| url).ok_or(Problem::Job(JobProblem::VideoUrlMissing))
}

#[cfg(test)]
mod tests {
    use reelhook_testkit::{NOON, make_job, policy};
    use serde_json::{Value, json};

    use super::*;
    use crate::request::posting;

    fn complete(body: &Value) -> Result<Option<(JobId, Command)>, Problem> {
        Command::read(&posting("/api/job/job_1_a/complete", body))
    }

    #[test]
    fn a_video_url_is_required_and_checked() {
        let url = WebUrl::parse("https://cdn.example/v.mp4").unwrap();
        let read = complete(&json!({ "videoUrl": " https://cdn.example/v.mp4 " })).unwrap();
        assert_eq!(read.map(|(_, command)| command), Some(Command::Complete(url)));
        for missing in [json!({}), json!({ "videoUrl": null }), json!({ "videoUrl": " " })] {
            assert_eq!(complete(&missing), Err(Problem::Job(JobProblem::VideoUrlMissing)), "{missing}");
        }
        for wrong in [json!("javascript:alert(1)"), json!("x"), json!(7), json!(["https://cdn.example/v.mp4"])] {
            let problem = complete(&json!({ "videoUrl": wrong })).unwrap_err();
            assert_eq!(problem.path(), Some("videoUrl"), "{wrong}");
            let right = "`videoUrl` must be an http or https URL of at most 2,048 bytes";
            assert_eq!(problem.parts().2, right, "{wrong}");
        }
    }

    #[test]
    fn each_command_has_its_answer() {
        let mut changed = make_job(4, NOON, &policy());
        changed.deleted_at = Some(NOON);
        let shown = json!(job(&changed)).to_string();
        let answered = |command: Command| {
            let changed = Changed::Applied(Box::new(changed.clone()));
            command.answer(changed).map(|answer| answer.body.replace(&shown, "JOB"))
        };
        let video = WebUrl::parse("https://cdn.example/v.mp4").unwrap();
        for (command, expected) in [
            (Command::Cancel, r#"{"success":true,"message":"Job cancelled successfully","job":JOB}"#),
            (Command::Retry, r#"{"success":true,"message":"Job retry initiated (attempt 0)","job":JOB}"#),
            (Command::Complete(video), r#"{"success":true,"message":"Job updated with video URL","job":JOB}"#),
            (
                Command::Delete,
                r#"{"success":true,"message":"Job 000_0004 deleted permanently","job":JOB,"deletedAt":"2024-01-01T12:00:00.000Z"}"#,
            ),
            (
                Command::Monitor,
                r#"{"success":true,"message":"Started Creatomate monitoring for job job_1704110400000_0004","job":JOB,"creatomateId":null}"#,
            ),
        ] {
            assert_eq!(answered(command).as_deref(), Ok(expected));
        }
    }
}
