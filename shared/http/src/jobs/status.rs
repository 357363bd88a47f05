//! GET /api/job/{id}, the job's details with an ETag of its version, and its deliveries.

use reelhook_app::views::streamgank::{JobDetails, JobView, job, job_details};
use reelhook_app::views::wire::Yes;
use reelhook_app::webhooks::deliveries::DeliveryFilter;
use reelhook_domain::{Job, JobId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::routes;
use crate::webhooks::deliveries::of_job;

/// The answer with a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobAnswer<'a> {
    success: Yes,
    /// The job.
    job: JobView<'a>,
}

/// The answer with the details of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobDetailsAnswer<'a> {
    success: Yes,
    /// The job.
    job: JobDetails<'a>,
}

/// The routes of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// GET /api/job/{id}
    Job(JobId),
    /// GET /api/job/{id}/details
    Details(JobId),
    /// GET /api/job/{id}/deliveries
    Deliveries(Box<DeliveryFilter>),
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`routes::unknown`]; [`JobProblem::NotFound`] for an invalid id.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        if request.method != "GET" {
            return Err(routes::unknown(request));
        }
        let id = |text: &str| JobId::parse(text).map_err(|_| Problem::Job(JobProblem::NotFound));
        match request.segments()[..] {
            ["api", "job", job] => Ok(Self::Job(id(job)?)),
            ["api", "job", job, "details"] => Ok(Self::Details(id(job)?)),
            ["api", "job", job, "deliveries"] => Ok(Self::Deliveries(Box::new(of_job(request, id(job)?)?))),
            _ => Err(routes::unknown(request)),
        }
    }
}

/// The job, or 304 if the caller has this version.
pub fn job_answer(request: &ApiRequest, found: &Job) -> ApiAnswer {
    let tag = format!("\"{}-{}\"", found.id, found.version);
    let answer = if matches_tag(request.header("if-none-match"), &tag) {
        ApiAnswer::text(304, String::new())
    } else {
        ApiAnswer::json(200, &JobAnswer { success: Yes, job: job(found) })
    };
    answer.header("etag", tag).header("cache-control", "private, no-cache")
}

/// The job with its duration, which changes while the job runs: only an ended job has a tag.
pub fn details_answer(request: &ApiRequest, found: &Job, now: Timestamp) -> ApiAnswer {
    let tag = format!("\"{}-{}-details\"", found.id, found.version);
    let answered = || ApiAnswer::json(200, &JobDetailsAnswer { success: Yes, job: job_details(found, now) });
    if !found.status.is_final() {
        return answered();
    }
    let answer = if matches_tag(request.header("if-none-match"), &tag) {
        ApiAnswer::text(304, String::new())
    } else {
        answered()
    };
    answer.header("etag", tag).header("cache-control", "private, no-cache")
}

/// Whether If-None-Match matches a tag by RFC 9110's weak comparison.
pub fn matches_tag(header: Option<&str>, tag: &str) -> bool {
    header.is_some_and(|list| {
        list.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}

#[cfg(test)]
mod tests {
    use reelhook_testkit::{NOON, make_job, policy};
    use serde_json::json;

    use super::*;
    use crate::request::get_request;

    #[test]
    fn an_answer_has_the_job_and_its_version() {
        let (found, request) = (make_job(1, NOON, &policy()), get_request("/api/job/job_1", &[]));
        let answer = job_answer(&request, &found);
        assert_eq!(answer.body, json!({ "success": true, "job": job(&found) }).to_string());
        assert!(answer.headers.contains(&("etag", "\"job_1704110400000_0001-1\"".to_owned())), "{answer:?}");
        let details = details_answer(&request, &found, NOON);
        assert_eq!(details.body, json!({ "success": true, "job": job_details(&found, NOON) }).to_string());
    }

    #[test]
    fn if_none_match_is_a_list_of_weak_tags() {
        let check = |header: Option<&str>, expected| assert_eq!(matches_tag(header, "\"a-1\""), expected, "{header:?}");
        check(Some("\"a-1\""), true);
        check(Some("W/\"a-1\", \"b\""), true);
        check(Some("*"), true);
        check(Some("\"a-2\""), false);
        check(None, false);
    }
}
