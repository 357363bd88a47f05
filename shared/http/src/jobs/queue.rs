//! The queue: its numbers, its list with a cursor, and its switches (contract.md, StreamGank: jobs).

use reelhook_app::jobs::queue::{Cursor, Listed, QueueStatus};
use reelhook_app::views::Dialect;
use reelhook_app::views::streamgank::job;
use reelhook_domain::{JobId, Status, Timestamp, brief};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Jobs of one part of the list.
const LIST: usize = 200;
/// Jobs of one part at most.
const LIST_MOST: usize = 500;

/// What is asked of the queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// GET /api/queue/status
    Status,
    /// GET /api/queue/jobs
    List {
        /// Only jobs of this family; StreamGank's, where nothing is said.
        family: Option<Dialect>,
        /// Only jobs of this status.
        status: Option<Status>,
        /// At most so many.
        limit: usize,
        /// From here on.
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
    /// Reads the route; none where it is another's.
    ///
    /// # Errors
    /// [`Problem::BadField`] names the parameter.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "queue", "status"]) => Self::Status,
            ("GET", ["api", "queue", "jobs"]) => Self::List {
                family: read_family(request.query("family").unwrap_or_default())?,
                status: request.query("status").map(read_status).transpose()?.flatten(),
                limit: request.limit(LIST, LIST_MOST)?,
                cursor: request.cursor(read_cursor)?,
            },
            ("POST", ["api", "queue", "clear"]) => Self::Clear,
            ("POST", ["api", "queue", "clear-failed"]) => Self::ClearFailed,
            ("POST", ["api", "queue", "cleanup"]) => Self::Cleanup,
            ("POST", ["api", "queue", "toggle"]) => match &request.json_or_nothing()?["processing"] {
                Value::Null => Self::Toggle(None),
                Value::Bool(processing) => Self::Toggle(Some(*processing)),
                _ => return Err(Problem::BadField { field: "processing", right: "true or false".to_owned() }),
            },
            _ => return Ok(None),
        }))
    }

    /// Logs the caller and the call.
    pub fn note(&self, caller: &Caller) {
        let asked = match self {
            Self::Status => "status",
            Self::List { .. } => "list",
            Self::Clear => "clear",
            Self::ClearFailed => "clear failed jobs",
            Self::Toggle(None) => "toggle",
            Self::Toggle(Some(true)) => "start processing",
            Self::Toggle(Some(false)) => "stop processing",
            Self::Cleanup => "cleanup",
        };
        tracing::info!(asked, caller = brief(&caller.fingerprint), "took a call to the queue");
    }
}

fn read_family(text: &str) -> Result<Option<Dialect>, Problem> {
    if text == "all" {
        return Ok(None);
    }
    // Clients of StreamGank know no families, and could show no others' jobs.
    let name = if text.is_empty() { Dialect::StreamGank.name() } else { text };
    let found = Dialect::ALL.into_iter().find(|family| family.name() == name);
    let right = "one of streamgank, vidbuilder, all";
    found.map(Some).ok_or_else(|| Problem::BadField { field: "family", right: right.to_owned() })
}

fn read_status(text: &str) -> Result<Option<Status>, Problem> {
    if matches!(text, "" | "all") {
        return Ok(None);
    }
    let found = Status::ALL.into_iter().find(|status| status.name() == text);
    let right = "one of pending, processing, rendering, completed, failed, cancelled";
    found.map(Some).ok_or_else(|| Problem::BadField { field: "status", right: right.to_owned() })
}

/// `until.id.id…` in base64url: opaque to clients.
pub(crate) fn write_cursor(cursor: &Cursor) -> String {
    let mut text = cursor.until.0.to_string();
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

/// The list's answer; jobs come without their steps' details.
pub fn list_answer(listed: &Listed) -> ApiAnswer {
    let jobs: Vec<Value> = listed.jobs.iter().map(summary).collect();
    let mut body = json!({ "success": true, "jobs": jobs });
    if let Some(next) = &listed.next {
        body["nextCursor"] = json!(write_cursor(next));
    }
    ApiAnswer::json(200, &body)
}

fn summary(of: &reelhook_domain::Job) -> Value {
    let mut view = job(of);
    if let Some(view) = view.as_object_mut() {
        view.remove("stepDetails");
    }
    view
}

/// `stats` of the queue.
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

/// A status event of the queue's stream, with the id of its numbers.
pub fn live_status(status: &QueueStatus, max_workers: usize, now: Timestamp, client: &str) -> (String, Value) {
    let stats = stats(status, max_workers);
    let digest = Sha256::digest(stats.to_string().as_bytes());
    let id = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    (id, json!({ "success": true, "stats": stats, "timestamp": now.0, "clientId": client }))
}

/// The answer of GET /api/queue/status.
pub fn status_answer(status: &QueueStatus, max_workers: usize) -> ApiAnswer {
    ApiAnswer::json(200, &json!({ "success": true, "stats": stats(status, max_workers) }))
}

/// The answer of a toggle.
pub fn toggle_answer(was: bool, is: bool) -> ApiAnswer {
    let message = format!("Queue processing {}", if is { "started" } else { "stopped" });
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "isProcessing": is, "wasProcessing": was }))
}

/// The answer of a clear.
pub fn clear_answer() -> ApiAnswer {
    ApiAnswer::json(200, &json!({ "success": true, "message": "All queues cleared successfully" }))
}

/// The answer of clearing what failed.
pub fn clear_failed_answer(count: u64) -> ApiAnswer {
    let message = format!("Cleared {count} failed jobs");
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "clearedCount": count }))
}

/// The answer of a sweep.
pub fn cleanup_answer(count: usize) -> ApiAnswer {
    let message = "Processing queue cleaned up successfully";
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "cleanedCount": count }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::asking;

    #[test]
    fn a_list_is_streamgank_s_unless_a_family_is_named() {
        let check = |query: &[(&str, &str)], expected: Option<Dialect>| {
            let Ok(Some(Route::List { family, .. })) = Route::read(&asking("/api/queue/jobs", query)) else {
                panic!("{query:?} is a list")
            };
            assert_eq!(family, expected, "{query:?}");
        };
        check(&[], Some(Dialect::StreamGank));
        check(&[("family", "")], Some(Dialect::StreamGank));
        check(&[("family", "streamgank"), ("status", "failed")], Some(Dialect::StreamGank));
        check(&[("family", "vidbuilder")], Some(Dialect::VidBuilder));
        check(&[("family", "all")], None);
        for bad in ["VidBuilder", "none", "streamgank,vidbuilder"] {
            let asked = Route::read(&asking("/api/queue/jobs", &[("family", bad)]));
            assert!(matches!(asked, Err(Problem::BadField { field: "family", .. })), "{bad}");
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_and_others_are_refused() {
        let id = |text: &str| JobId::parse(text).unwrap();
        let cursor = Cursor { until: Timestamp(5), listed: [id("job_1_a"), id("job_1_b")].into() };
        let read = |text: &str| Route::read(&asking("/api/queue/jobs", &[("cursor", text)]));
        let family = Some(Dialect::StreamGank);
        let list = Route::List { family, status: None, limit: LIST, cursor: Some(cursor.clone()) };
        assert_eq!(read(&write_cursor(&cursor)), Ok(Some(list)));
        for bad in ["", "x", "!!", "NQ"] {
            assert!(matches!(read(bad), Err(Problem::BadField { field: "cursor", .. })), "{bad}");
        }
    }
}
