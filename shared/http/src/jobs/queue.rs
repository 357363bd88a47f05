//! Routes of the queue: its counts, its paginated list, and its switches (contract.md, StreamGank: jobs).

use reelhook_app::digest::sha256_hex;
use reelhook_app::jobs::queue::{Cursor, JobFilter, Listed, QueueStatus};
use reelhook_app::views::Dialect;
use reelhook_app::views::streamgank::job_summary;
use reelhook_domain::{JobId, JobKind, Status, Timestamp, brief};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::metadata;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;

/// The default number of jobs in one page of the list.
const LIST: usize = 200;
/// The maximum number of jobs in one page of the list.
const LIST_MOST: usize = 500;

/// A request about the queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// GET /api/queue/status
    Status,
    /// GET /api/queue/jobs
    List {
        /// Selects jobs by family, status and metadata. The default family is StreamGank.
        filter: JobFilter,
        /// The maximum number of jobs in the answer.
        limit: usize,
        /// The position at which the list continues.
        cursor: Option<Cursor>,
    },
    /// POST /api/queue/clear
    Clear,
    /// POST /api/queue/clear-failed
    ClearFailed,
    /// POST /api/queue/toggle
    Toggle(Option<bool>),
    /// POST /api/queue/cleanup
    Cleanup,
}

impl Route {
    /// Reads the route; none for another route.
    ///
    /// # Errors
    /// [`RequestProblem::BadField`] names the wrong parameter.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "queue", "status"]) => Self::Status,
            ("GET", ["api", "queue", "jobs"]) => Self::List {
                filter: JobFilter {
                    family: read_family(request.query("family").unwrap_or_default())?,
                    status: request.query("status").map(read_status).transpose()?.flatten(),
                    metadata: metadata::filter(request)?,
                },
                limit: request.limit(LIST, LIST_MOST)?,
                cursor: request.cursor(read_cursor)?,
            },
            ("POST", ["api", "queue", "clear"]) => Self::Clear,
            ("POST", ["api", "queue", "clear-failed"]) => Self::ClearFailed,
            ("POST", ["api", "queue", "cleanup"]) => Self::Cleanup,
            ("POST", ["api", "queue", "toggle"]) => match &request.json_or_nothing()?["processing"] {
                Value::Null => Self::Toggle(None),
                Value::Bool(processing) => Self::Toggle(Some(*processing)),
                _ => return Err(bad("processing", "true or false")),
            },
            _ => return Ok(None),
        }))
    }

    /// Logs the caller and the call.
    pub fn note(&self, caller: &Caller) {
        let operation = match self {
            Self::Status => "status",
            Self::List { .. } => "list",
            Self::Clear => "clear",
            Self::ClearFailed => "clear failed jobs",
            Self::Toggle(None) => "toggle",
            Self::Toggle(Some(true)) => "start processing",
            Self::Toggle(Some(false)) => "stop processing",
            Self::Cleanup => "cleanup",
        };
        tracing::info!(operation, caller = brief(&caller.fingerprint), "received a queue request");
    }
}

fn read_family(text: &str) -> Result<Option<JobKind>, Problem> {
    if text == "all" {
        return Ok(None);
    }
    // StreamGank's clients do not send a family, and can't show jobs of other families.
    let name = if text.is_empty() { Dialect::StreamGank.name() } else { text };
    let found = JobKind::ALL.iter().copied().find(|kind| Dialect::of(*kind).name() == name);
    let right = "one of streamgank, vidbuilder, all";
    found.map(Some).ok_or_else(|| bad("family", right))
}

fn read_status(text: &str) -> Result<Option<Status>, Problem> {
    if matches!(text, "" | "all") {
        return Ok(None);
    }
    let right = "one of pending, processing, rendering, completed, failed, cancelled";
    Status::parse(text).map(Some).ok_or_else(|| bad("status", right))
}

/// Encodes a cursor as `until/id/id…` in base64url, opaque to clients.
pub(crate) fn write_cursor(cursor: &Cursor) -> String {
    let mut text = cursor.until.millis().to_string();
    for id in &cursor.listed {
        text.push('/');
        text.push_str(id.as_str());
    }
    ApiRequest::write_cursor(&text)
}

pub(crate) fn read_cursor(text: String) -> Option<Cursor> {
    let (until, ids) = text.split_once('/')?;
    let listed = ids.split('/').map(|id| JobId::parse(id).ok()).collect::<Option<_>>()?;
    Some(Cursor { until: Timestamp(until.parse().ok()?), listed })
}

/// The answer with a page of the list; its jobs have no step details.
pub fn list_answer(listed: &Listed) -> ApiAnswer {
    let jobs: Vec<Value> = listed.jobs.iter().map(|job| json!(job_summary(job))).collect();
    let mut body = json!({ "success": true, "jobs": jobs });
    if let Some(next) = &listed.next {
        body["nextCursor"] = json!(write_cursor(next));
    }
    ApiAnswer::json(200, &body)
}

/// The member `stats` of answers about the queue.
pub fn stats(status: &QueueStatus, max_workers: usize) -> Value {
    let counts = &status.counts;
    let by_status: serde_json::Map<String, Value> =
        Status::ALL.iter().map(|status| (status.name().to_owned(), json!(counts.of(*status)))).collect();
    let mut stats = json!({
        "total": counts.total(),
        "activeJobs": status.active.iter().map(JobId::as_str).collect::<Vec<_>>(),
        "activeWorkers": status.running,
        "availableWorkers": max_workers.saturating_sub(status.running),
        "maxWorkers": max_workers,
        "concurrentProcessing": max_workers > 1,
        "isProcessing": !status.paused,
    });
    for (name, count) in &by_status {
        stats[name] = count.clone();
    }
    stats["jobsByStatus"] = Value::Object(by_status);
    stats
}

/// A status event of the queue's live stream, with an id that changes with the stats.
pub fn live_status(status: &QueueStatus, max_workers: usize, now: Timestamp, client: &str) -> (String, Value) {
    let stats = stats(status, max_workers);
    let id = sha256_hex(stats.to_string())[..16].to_owned();
    (id, json!({ "success": true, "stats": stats, "timestamp": now.millis(), "clientId": client }))
}

/// The answer to GET /api/queue/status.
pub fn status_answer(status: &QueueStatus, max_workers: usize) -> ApiAnswer {
    ApiAnswer::json(200, &json!({ "success": true, "stats": stats(status, max_workers) }))
}

/// The answer to a toggle.
pub fn toggle_answer(was: bool, is: bool) -> ApiAnswer {
    let message = format!("Queue processing {}", if is { "started" } else { "stopped" });
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "isProcessing": is, "wasProcessing": was }))
}

/// The answer to clearing the queue.
pub fn clear_answer() -> ApiAnswer {
    ApiAnswer::json(200, &json!({ "success": true, "message": "All queues cleared successfully" }))
}

/// The answer to clearing the failed jobs.
pub fn clear_failed_answer(count: u64) -> ApiAnswer {
    let message = format!("Cleared {count} failed jobs");
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "clearedCount": count }))
}

/// The answer to a cleanup.
pub fn cleanup_answer(count: usize) -> ApiAnswer {
    let message = "Processing queue cleaned up successfully";
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "cleanedCount": count }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    #[test]
    fn the_list_has_streamgank_jobs_unless_a_family_is_named() {
        let check = |query: &[(&str, &str)], expected: Option<JobKind>| {
            let Ok(Some(Route::List { filter, .. })) = Route::read(&get_request("/api/queue/jobs", query)) else {
                panic!("{query:?} is a list")
            };
            assert_eq!(filter.family, expected, "{query:?}");
        };
        check(&[], Some(JobKind::Workflow));
        check(&[("family", "")], Some(JobKind::Workflow));
        check(&[("family", "streamgank"), ("status", "failed")], Some(JobKind::Workflow));
        check(&[("family", "vidbuilder")], Some(JobKind::Video));
        check(&[("family", "all")], None);
        for bad in ["VidBuilder", "none", "streamgank,vidbuilder"] {
            let route = Route::read(&get_request("/api/queue/jobs", &[("family", bad)]));
            assert!(route.as_ref().is_err_and(|problem| problem.path() == Some("family")), "{bad}");
        }
    }

    #[test]
    fn a_cursor_survives_a_round_trip_and_an_invalid_one_is_refused() {
        let id = |text: &str| JobId::parse(text).unwrap();
        let cursor = Cursor { until: Timestamp(5), listed: [id("job_1_a"), id("job_1_b")].into() };
        let read = |text: &str| Route::read(&get_request("/api/queue/jobs", &[("cursor", text)]));
        let filter = JobFilter { family: Some(JobKind::Workflow), ..JobFilter::default() };
        let list = Route::List { filter, limit: LIST, cursor: Some(cursor.clone()) };
        assert_eq!(read(&write_cursor(&cursor)), Ok(Some(list)));
        for bad in ["", "x", "!!", "NQ"] {
            assert!(read(bad).as_ref().is_err_and(|problem| problem.path() == Some("cursor")), "{bad}");
        }
    }
}
