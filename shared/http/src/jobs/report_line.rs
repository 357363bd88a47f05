//! The one log line of a report about a job: who sent it, and what became of it (docs/contract/access.md, Audit log).

use reelhook_app::jobs::renders::Received;
use reelhook_domain::{JobId, brief};

use crate::answer::ApiAnswer;
use crate::edge::Edge;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// What is known of a report. A report that is refused early has few of these facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportLine {
    /// The job.
    pub job_id: Option<JobId>,
    /// The run attempt of the token.
    pub attempt: Option<u32>,
    /// The number of the step.
    pub step: Option<u8>,
    /// The render.
    pub render_id: Option<String>,
    /// The reported status.
    pub status: Option<String>,
    /// What the report did.
    pub outcome: Option<&'static str>,
}

impl ReportLine {
    /// Notes what a render callback did. The job of its token stays, if no job has the render yet.
    pub fn received(&mut self, received: &Received) {
        if let Some(job_id) = received.job() {
            self.job_id = Some(job_id.clone());
        }
        self.outcome = Some(received.name());
    }

    /// Writes the line into the audit log. A report that was refused, or that failed, has the code of its answer as the
    /// outcome.
    pub fn write(&self, edge: &Edge, request: &ApiRequest, result: &Result<ApiAnswer, Problem>, what: &'static str) {
        let sender = edge.address(request);
        let (source_ip, user_agent) = (brief(&sender), request.header("user-agent").map(brief));
        let outcome = match result {
            Ok(_) => self.outcome.unwrap_or("answered"),
            Err(problem) => problem.parts().1,
        };
        let Self { job_id, attempt, step, render_id, status, .. } = self;
        let (job_id, render_id) = (job_id.as_ref().map(JobId::as_str), render_id.as_deref());
        let status = status.as_deref().map(brief);
        tracing::info!(target: "audit", audit = true, source_ip, user_agent, job_id, attempt, step, render_id, status, outcome,
            "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_of_the_token_stays_where_no_job_has_the_render() {
        let of_token = Some(JobId::parse("job_1_a").unwrap());
        let mut line = ReportLine { job_id: of_token.clone(), ..ReportLine::default() };
        line.received(&Received::Unknown);
        assert_eq!((&line.job_id, line.outcome), (&of_token, Some("unknown")));
        let other = JobId::parse("job_1_b").unwrap();
        line.received(&Received::Hinted(Some(other.clone())));
        assert_eq!((line.job_id, line.outcome), (Some(other), Some("hinted")));
    }
}
