//! The answers of the routes of clip jobs.

use reelhook_app::clips::store::ClipJobPage;
use reelhook_app::views::clips::{ClipJobView, ClipOrder, Shown, job};
use reelhook_domain::ClipJob;
use reelhook_domain::credits::price::Basis;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::jobs::status::matches_tag;
use crate::request::ApiRequest;

/// The jobs of a page at most, in bytes as Lambda sends them: it answers at most 6 MB.
const PAGE_LIMIT: usize = 4_000_000;

/// A page of the list of clip jobs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClipJobList<'a> {
    /// The jobs, newest first. A page may have fewer than `limit`, and a cursor.
    jobs: Vec<ClipJobView<'a>>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    next_cursor: Option<String>,
}

/// The credits that a clip job reserves.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreditEstimate {
    /// The credits.
    credits: u64,
    /// What they are based on: `ranges`, `declared` for `durationSeconds`, or `minimum` if that costs less or nothing is known
    /// about the source.
    #[schemars(extend("enum" = ["ranges", "declared", "minimum"]))]
    basis: &'static str,
}

/// The entity tag of a version of a job, with its clips in this order.
fn tag(of: &ClipJob, order: ClipOrder) -> String {
    format!("\"{}-{}-{}\"", of.id.uuid(), of.version, order.name())
}

/// The answer with a job after a command.
pub fn job_answer(status: u16, of: &ClipJob, shown: Shown<'_>) -> ApiAnswer {
    ApiAnswer::json(status, &job(of, shown)).header("etag", tag(of, shown.order))
}

/// The answer with a new job.
pub fn created_answer(of: &ClipJob, shown: Shown<'_>) -> ApiAnswer {
    job_answer(201, of, shown).header("location", format!("/ai-clipping-agent/jobs/{}", of.id.uuid()))
}

/// Whether the caller has this version of a job.
pub fn is_known(request: &ApiRequest, of: &ClipJob, order: ClipOrder) -> bool {
    matches_tag(request.header("if-none-match"), &tag(of, order))
}

/// The answer to a caller that has this version of a job.
pub fn unchanged_answer(of: &ClipJob, order: ClipOrder) -> ApiAnswer {
    ApiAnswer::text(304, String::new()).header("etag", tag(of, order)).header("cache-control", "private, no-cache")
}

/// The job, for a caller that has not this version.
pub fn read_answer(of: &ClipJob, shown: Shown<'_>) -> ApiAnswer {
    job_answer(200, of, shown).header("cache-control", "private, no-cache")
}

/// A page of the list, or as much of it as an answer may have: `cursor_after` makes the cursor of what comes after a job.
pub fn list_answer(of: &ClipJobPage, shown: Shown<'_>, cursor_after: impl Fn(&ClipJob) -> String) -> ApiAnswer {
    let (mut jobs, mut room, mut next) = (Vec::with_capacity(of.jobs.len()), PAGE_LIMIT, of.next.clone());
    let mut last: Option<&ClipJob> = None;
    for one in &of.jobs {
        let view = job(one, shown);
        let bytes = sent_bytes(&ApiAnswer::json(200, &view).body);
        if let Some(last) = last.filter(|_| bytes > room) {
            next = Some(cursor_after(last));
            break;
        }
        room = room.saturating_sub(bytes);
        last = Some(one);
        jobs.push(view);
    }
    let next_cursor = next.as_deref().map(ApiRequest::write_cursor);
    ApiAnswer::json(200, &ClipJobList { jobs, next_cursor })
}

/// The bytes of JSON in an answer of Lambda, which is JSON itself: it has the quotes and backslashes escaped.
fn sent_bytes(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// The answer about a deleted job.
pub fn deleted_answer() -> ApiAnswer {
    ApiAnswer::text(204, String::new())
}

/// The answer with an estimate.
pub fn estimate_answer((credits, basis): (u64, Basis)) -> ApiAnswer {
    ApiAnswer::json(200, &CreditEstimate { credits, basis: basis.name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_names_its_basis() {
        let answer = estimate_answer((25, Basis::Ranges));
        assert_eq!(answer.body, r#"{"credits":25,"basis":"ranges"}"#);
    }

    #[test]
    fn what_lambda_escapes_counts_twice() {
        for json in [r#"{"jobs":[]}"#, r#"{"a":"\"\\","b":"\n\u0001é"}"#] {
            let sent = serde_json::to_string(json).unwrap();
            // Without the quotes around it.
            assert_eq!(sent_bytes(json), sent.len() - 2, "{sent}");
        }
    }

    #[test]
    fn a_page_names_the_next_one() {
        let page = |next: Option<&str>| ClipJobPage { jobs: Vec::new(), next: next.map(str::to_owned) };
        let shown = Shown { url: &|_| None, order: ClipOrder::Index };
        let body = |page: &ClipJobPage| list_answer(page, shown, |_| unreachable!("all fits")).body;
        assert_eq!(body(&page(None)), r#"{"jobs":[]}"#);
        let next = ApiRequest::write_cursor("7.after");
        assert_eq!(body(&page(Some("7.after"))), format!(r#"{{"jobs":[],"nextCursor":"{next}"}}"#));
    }
}
