//! Routes of the queue: its counts, its paginated list, and its switches (docs/contract/jobs.md, Queue).

use reelhook_app::digest::sha256_hex;
use reelhook_app::jobs::queue::{Cursor, JobFilter, Listed, QueueStatus};
use reelhook_app::views::streamgank::{JobView, QueueCounts, job_summary};
use reelhook_app::views::wire::{JobIdText, Yes};
use reelhook_domain::{JobId, JobKind, Status, Timestamp, brief};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::metadata;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed::fields::{Flag, Whole, with_cursor};

/// The default number of jobs in one page of the list.
const LIST: usize = 200;
/// The maximum number of jobs in one page of the list.
const LIST_MOST: i64 = 500;

/// The parameters of the list of jobs.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct JobListQuery {
    /// Only jobs of this family: `streamgank` for jobs of `POST /api/generate`, `vidbuilder` for videos from scenes.
    #[serde(default)]
    #[schemars(extend("default" = "streamgank"))]
    family: FamilyName,
    /// Only jobs with this status.
    #[serde(default)]
    #[schemars(extend("default" = "all"))]
    status: StatusName,
    /// The maximum number of jobs in the answer.
    #[schemars(extend("default" = LIST))]
    limit: Option<Whole<1, LIST_MOST>>,
}

/// A family of jobs, or all. StreamGank's clients do not send one, and can't show jobs of other families.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum FamilyName {
    #[default]
    StreamGank,
    VidBuilder,
    All,
}

impl FamilyName {
    fn kind(self) -> Option<JobKind> {
        match self {
            Self::StreamGank => Some(JobKind::Workflow),
            Self::VidBuilder => Some(JobKind::Video),
            Self::All => None,
        }
    }
}

/// A status, or all.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum StatusName {
    Pending,
    Processing,
    Rendering,
    Completed,
    Failed,
    Cancelled,
    #[default]
    All,
}

impl StatusName {
    fn status(self) -> Option<Status> {
        match self {
            Self::Pending => Some(Status::Pending),
            Self::Processing => Some(Status::Processing),
            Self::Rendering => Some(Status::Rendering),
            Self::Completed => Some(Status::Completed),
            Self::Failed => Some(Status::Failed),
            Self::Cancelled => Some(Status::Cancelled),
            Self::All => None,
        }
    }
}

/// Whether the queue starts jobs.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ToggleRequest {
    /// Whether it starts jobs from now on; without it, the switch changes over.
    processing: Option<Flag>,
}

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobList<'a> {
    success: Yes,
    /// The jobs, newest first, without `stepDetails`.
    jobs: Vec<JobView<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The numbers of the queue.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueStats<'a> {
    /// All jobs.
    total: u64,
    /// Jobs that a worker runs or whose video renders.
    #[schemars(with = "Vec<JobIdText>")]
    active_jobs: Vec<&'a str>,
    /// Runs that are under way.
    active_workers: usize,
    /// Runs that could start now.
    available_workers: usize,
    /// The maximum number of runs at once.
    max_workers: usize,
    /// Whether more than one run may be under way at once.
    concurrent_processing: bool,
    /// Whether the queue starts jobs.
    is_processing: bool,
    #[serde(flatten)]
    counts: QueueCounts,
    /// The number of jobs by status.
    jobs_by_status: QueueCounts,
}

/// The answer with the numbers of the queue.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueAnswer<'a> {
    success: Yes,
    /// The numbers.
    stats: QueueStats<'a>,
}

/// The data of a `status` event of the queue's stream.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueStreamStatus<'a> {
    success: Yes,
    /// The numbers.
    stats: QueueStats<'a>,
    /// When they were read, in Unix milliseconds.
    #[schemars(range(min = 0))]
    timestamp: i64,
    /// A random id of the connection.
    client_id: &'a str,
}

/// Whether the queue starts jobs, now and before.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueToggled {
    success: Yes,
    /// A sentence.
    #[schemars(extend("enum" = [STARTED, STOPPED]))]
    message: &'static str,
    /// Whether the queue starts jobs.
    is_processing: bool,
    /// Whether it started jobs before.
    was_processing: bool,
}

/// The messages of a toggle.
const STARTED: &str = "Queue processing started";
const STOPPED: &str = "Queue processing stopped";

/// The queue was cleared.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueCleared {
    success: Yes,
    /// A sentence.
    #[schemars(extend("const" = CLEARED))]
    message: &'static str,
}

/// The message after a clear.
const CLEARED: &str = "All queues cleared successfully";

/// Failed jobs were removed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedJobsCleared {
    success: Yes,
    /// A sentence.
    #[schemars(regex(pattern = "^Cleared [0-9]+ failed jobs$"))]
    message: String,
    /// The number of removed jobs.
    cleared_count: u64,
}

/// Due work was done.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueCleanedUp {
    success: Yes,
    /// A sentence.
    #[schemars(extend("const" = CLEANED_UP))]
    message: &'static str,
    /// The number of jobs and deliveries that were due.
    cleaned_count: usize,
}

/// The message after a cleanup.
const CLEANED_UP: &str = "Processing queue cleaned up successfully";

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
    /// [`Problem`] names the wrong parameter.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "queue", "status"]) => Self::Status,
            ("GET", ["api", "queue", "jobs"]) => read_list(request)?,
            ("POST", ["api", "queue", "clear"]) => Self::Clear,
            ("POST", ["api", "queue", "clear-failed"]) => Self::ClearFailed,
            ("POST", ["api", "queue", "cleanup"]) => Self::Cleanup,
            ("POST", ["api", "queue", "toggle"]) => {
                let given: ToggleRequest = request.optional_body()?;
                Self::Toggle(given.processing.map(|processing| processing.0))
            }
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

fn read_list(request: &ApiRequest) -> Result<Route, Problem> {
    let given: JobListQuery = request.parameters()?;
    Ok(Route::List {
        filter: JobFilter {
            family: given.family.kind(),
            status: given.status.status(),
            metadata: metadata::filter(request)?,
            owner: None,
        },
        limit: given.limit.map_or(LIST, Whole::get),
        cursor: request.cursor(read_cursor)?,
    })
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
    let jobs = listed.jobs.iter().map(job_summary).collect();
    let next_cursor = listed.next.as_ref().map(write_cursor);
    ApiAnswer::json(200, &JobList { success: Yes, jobs, next_cursor })
}

/// The member `stats` of answers about the queue.
fn stats(status: &QueueStatus, max_workers: usize) -> QueueStats<'_> {
    QueueStats {
        total: status.counts.total(),
        active_jobs: status.active.iter().map(JobId::as_str).collect(),
        active_workers: status.running,
        available_workers: max_workers.saturating_sub(status.running),
        max_workers,
        concurrent_processing: max_workers > 1,
        is_processing: !status.paused,
        counts: status.counts,
        jobs_by_status: status.counts,
    }
}

/// A status event of the queue's live stream, with an id that changes with the stats.
pub fn live_status(status: &QueueStatus, max_workers: usize, now: Timestamp, client: &str) -> (String, Value) {
    let stats = stats(status, max_workers);
    let id = sha256_hex(json!(stats).to_string())[..16].to_owned();
    (id, json!(QueueStreamStatus { success: Yes, stats, timestamp: now.millis(), client_id: client }))
}

/// The answer to GET /api/queue/status.
pub fn status_answer(status: &QueueStatus, max_workers: usize) -> ApiAnswer {
    ApiAnswer::json(200, &QueueAnswer { success: Yes, stats: stats(status, max_workers) })
}

/// The answer to a toggle.
pub fn toggle_answer(was: bool, is: bool) -> ApiAnswer {
    let message = if is { STARTED } else { STOPPED };
    ApiAnswer::json(200, &QueueToggled { success: Yes, message, is_processing: is, was_processing: was })
}

/// The answer to clearing the queue.
pub fn clear_answer() -> ApiAnswer {
    ApiAnswer::json(200, &QueueCleared { success: Yes, message: CLEARED })
}

/// The answer to clearing the failed jobs.
pub fn clear_failed_answer(count: u64) -> ApiAnswer {
    let message = format!("Cleared {count} failed jobs");
    ApiAnswer::json(200, &FailedJobsCleared { success: Yes, message, cleared_count: count })
}

/// The answer to a cleanup.
pub fn cleanup_answer(count: usize) -> ApiAnswer {
    ApiAnswer::json(200, &QueueCleanedUp { success: Yes, message: CLEANED_UP, cleaned_count: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{get_request, posting};

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
    #[test]
    fn a_wrong_parameter_or_field_is_named() {
        for (name, value, right) in [
            ("family", "none", "`streamgank`, `vidbuilder` or `all`"),
            ("status", "done", "`pending`, `processing`, `rendering`, `completed`, `failed`, `cancelled` or `all`"),
            ("limit", "501", "a whole number from 1 to 500"),
        ] {
            let problem = Route::read(&get_request("/api/queue/jobs", &[(name, value)])).unwrap_err();
            assert_eq!((problem.path(), problem.parts().2), (Some(name), format!("`{name}` must be {right}")));
        }
        let toggle = |body: Value| Route::read(&posting("/api/queue/toggle", &body));
        assert_eq!(toggle(json!({ "processing": null })), Ok(Some(Route::Toggle(None))));
        assert_eq!(toggle(json!({ "processing": false })), Ok(Some(Route::Toggle(Some(false)))));
        let problem = toggle(json!({ "processing": "no" })).unwrap_err();
        assert_eq!(
            (problem.path(), problem.parts().2.as_str()),
            (Some("processing"), "`processing` must be true or false")
        );
    }

    #[test]
    fn the_answers_are_as_clients_know_them() {
        let status = QueueStatus {
            counts: QueueCounts { pending: 1, processing: 2, rendering: 3, completed: 4, failed: 5, cancelled: 6 },
            active: vec![JobId::parse("job_1_a").unwrap()],
            running: 2,
            paused: true,
        };
        let counts = r#""pending":1,"processing":2,"rendering":3,"completed":4,"failed":5,"cancelled":6"#;
        let stats = format!(
            r#"{{"total":21,"activeJobs":["job_1_a"],"activeWorkers":2,"availableWorkers":1,"maxWorkers":3,"concurrentProcessing":true,"isProcessing":false,{counts},"jobsByStatus":{{{counts}}}}}"#
        );
        assert_eq!(status_answer(&status, 3).body, format!(r#"{{"success":true,"stats":{stats}}}"#));
        let (id, live) = live_status(&status, 3, Timestamp(5), "c");
        assert_eq!(live.to_string(), format!(r#"{{"success":true,"stats":{stats},"timestamp":5,"clientId":"c"}}"#));
        assert_eq!((id.len(), live_status(&status, 3, Timestamp(6), "d").0 == id), (16, true));
        for (answer, expected) in [
            (
                toggle_answer(false, true),
                r#"{"success":true,"message":"Queue processing started","isProcessing":true,"wasProcessing":false}"#,
            ),
            (clear_answer(), r#"{"success":true,"message":"All queues cleared successfully"}"#),
            (clear_failed_answer(2), r#"{"success":true,"message":"Cleared 2 failed jobs","clearedCount":2}"#),
            (
                cleanup_answer(3),
                r#"{"success":true,"message":"Processing queue cleaned up successfully","cleanedCount":3}"#,
            ),
            (list_answer(&Listed { jobs: Vec::new(), next: None }), r#"{"success":true,"jobs":[]}"#),
        ] {
            assert_eq!(answer.body, expected);
        }
    }
}
