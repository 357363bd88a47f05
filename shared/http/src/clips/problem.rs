//! Problems of clip jobs; and all problems in the form of these routes (docs/contract/errors.md).

use reelhook_domain::clips::reasons::Rejected;
use reelhook_domain::clips::request::{LONGEST_CLIP_MS, MAX_RECUTS, SHORTEST_CUT_MS};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::clips::bodies::seconds;
use crate::problem::{Problem, RequestProblem, bad, problems};

problems! {
    /// A problem of a clip job.
    pub enum ClipProblem {
        /// The account has not enough credits: what a job may reserve, and what it needs.
        InsufficientCredits(_balance: i64, _needed: u64) = 402 "insufficient_credits" "Insufficient credits";
        /// The job does not exist.
        NotFound = 404 "clip_job_not_found" "Clip job not found";
        /// The job has no clip with this index.
        ClipNotFound(index: String) = 404 "clip_not_found" format!("The job has no clip {index}");
        /// The file does not exist.
        FileNotFound = 404 "file_not_found" "File not found";
        /// The job has ended, so that it can't be canceled.
        Ended = 409 "clip_job_ended" "The clip job has ended";
        /// The job is under way, so that it can't be retried.
        UnderWay = 409 "clip_job_under_way" "The clip job is under way: cancel it first";
        /// The job has succeeded, so that there is nothing to retry.
        Succeeded = 409 "clip_job_succeeded" "The clip job has succeeded: there is nothing to retry";
        /// Only clips of a job that has succeeded are cut again.
        NotSucceeded = 409 "clip_job_not_succeeded" "Clips are cut again once the clip job has succeeded";
        /// A worker cut the clips, and only clips of our own renderers are cut again.
        CutByWorker = 409 "cut_by_worker"
            "A clipping worker made these clips: only clips that Reelhook cut are cut again";
        /// The clip is being cut.
        ClipBusy(index: u32) = 409 "clip_busy" format!("Clip {index} is being cut");
        /// The clip was cut again as often as it may be.
        TooManyCuts(index: u32) = 409 "too_many_cuts"
            format!("Clip {index} was cut again {MAX_RECUTS} times, which is the limit");
        /// Only a worker reads pages of video sites, and there is none.
        PageUnreadable = 422 "source_unreadable"
            "Without a clipping worker only video files are cut, not pages of video sites: send the URL of a file as `videoUrl`";
    }
}

/// An error of the routes of clip jobs and credits.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClipError")]
pub struct ClipErrorBody<'a> {
    /// A sentence; it may change.
    error: String,
    /// A stable word; docs/errors.md lists them all.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    code: &'static str,
    /// The gateway's id of the request.
    #[serde(rename = "request_id")]
    request_id: &'a str,
    /// Only with `bad_field` and `unknown_field`: the path of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    field: Option<&'a str>,
    /// Only with `insufficient_credits`: the credits that are not reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<i64>,
    /// Only with `insufficient_credits`: the credits that the job reserves.
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<u64>,
    /// Only with `rate_limited` and `daily_limit`: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    /// The error in the form of the routes of clip jobs.
    pub fn clips(&self, request_id: &str) -> ApiAnswer {
        let (status, code, error) = self.parts();
        let mut body = ClipErrorBody {
            error,
            code,
            request_id,
            field: self.path(),
            balance: None,
            needed: None,
            retry_after: None,
        };
        match self {
            Self::Clip(ClipProblem::InsufficientCredits(balance, needed)) => {
                (body.balance, body.needed) = (Some(*balance), Some(*needed));
            }
            Self::Request(RequestProblem::RateLimited(wait)) => {
                "Rate limit exceeded".clone_into(&mut body.error);
                body.retry_after = Some(*wait);
            }
            Self::Request(RequestProblem::DailyLimit(_, wait)) => body.retry_after = Some(*wait),
            Self::Request(_)
            | Self::Job(_)
            | Self::Webhook(_)
            | Self::Video(_)
            | Self::Project(_)
            | Self::Clip(_)
            | Self::Error(_) => {}
        }
        self.headers(ApiAnswer::json(status, &body))
    }
}

/// A request has so many ranges, and the worker that would get them cuts one.
pub fn too_many_ranges(given: usize) -> Problem {
    let right = "a list of one range: the clipping worker cuts one range; send one job per range";
    bad("ranges", format!("{right} (got {given})"))
}

impl From<ClipProblem> for Problem {
    fn from(problem: ClipProblem) -> Self {
        Self::Clip(problem)
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::Clip(match rejected {
            Rejected::Deleted => ClipProblem::NotFound,
            Rejected::Ended => ClipProblem::Ended,
            Rejected::UnderWay => ClipProblem::UnderWay,
            Rejected::Succeeded => ClipProblem::Succeeded,
            Rejected::NoClip(index) => ClipProblem::ClipNotFound(index.to_string()),
            Rejected::NotSucceeded => ClipProblem::NotSucceeded,
            Rejected::NotOwn => ClipProblem::CutByWorker,
            Rejected::ClipBusy(index) => ClipProblem::ClipBusy(index),
            Rejected::OutOfSource(ms) => {
                return bad("end", format!("at most {}, the length of the source in seconds", seconds(ms)));
            }
            Rejected::BadLength(ms) => {
                let [least, most, given] = [SHORTEST_CUT_MS, LONGEST_CLIP_MS, ms].map(seconds);
                return bad("end", format!("{least} to {most} s after `start` (got {given} s)"));
            }
            Rejected::OutOfRanges => {
                return bad("start", "in one of the job's `ranges`, and `end` in the same one");
            }
            Rejected::TooManyCuts(index) => ClipProblem::TooManyCuts(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(problem: Problem) -> Value {
        serde_json::from_str(&problem.clips("r-1").body).unwrap()
    }

    #[test]
    fn missing_credits_are_reported_with_their_numbers() {
        let problem = Problem::from(ClipProblem::InsufficientCredits(5, 10));
        assert_eq!(problem.parts().0, 402);
        let expected = json!({
            "error": "Insufficient credits", "code": "insufficient_credits", "request_id": "r-1", "balance": 5, "needed": 10,
        });
        assert_eq!(body(problem), expected);
    }

    #[test]
    fn an_error_has_its_sentence_its_code_and_its_field() {
        let missing = json!({ "error": "Clip job not found", "code": "clip_job_not_found", "request_id": "r-1" });
        assert_eq!(body(ClipProblem::NotFound.into()), missing);
        let late = body(Rejected::OutOfSource(90_500).into());
        assert_eq!(late["error"], "`end` must be at most 90.5, the length of the source in seconds");
        assert_eq!((&late["code"], &late["field"]), (&json!("bad_field"), &json!("end")));
        let long = body(Rejected::BadLength(120_500).into());
        assert_eq!(long["error"], "`end` must be 1 to 120 s after `start` (got 120.5 s)");
        let outside = body(Rejected::OutOfRanges.into());
        assert_eq!(outside["error"], "`start` must be in one of the job's `ranges`, and `end` in the same one");
        let often = body(Rejected::TooManyCuts(3).into());
        assert_eq!(often["error"], "Clip 3 was cut again 20 times, which is the limit");
        assert_eq!(
            (&long["field"], &outside["field"], &often["code"]),
            (&json!("end"), &json!("start"), &json!("too_many_cuts"))
        );
        let limited = Problem::Request(RequestProblem::RateLimited(7)).clips("r-1");
        assert!(limited.headers.contains(&("retry-after", "7".to_owned())), "{limited:?}");
        assert!(limited.body.ends_with(r#""retryAfter":7}"#), "{}", limited.body);
    }
}
