//! Logs: a job's lines, its archive, search over all jobs, and statistics (docs/contract/jobs.md, Logs).

use reelhook_app::jobs::logs::{Found, Search};
use reelhook_app::views::streamgank::{LogEntryView, LogLevelName};
use reelhook_app::views::wire::{JobIdText, Time, Yes};
use reelhook_domain::{JobId, LogTally, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes;
use crate::typed::fields::{Parsed, QueryTime, Text, Whole, with_cursor};

/// The number of lines that a page shows.
const SHOWN: usize = 200;
/// The maximum number of lines in one answer.
const MOST: i64 = 1000;
/// The default number of lines of a log.
const LINES: usize = 1000;
/// The default number of lines of a search.
const SEARCHED: usize = 100;

/// The parameters of a job's log.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct JobLogQuery {
    /// The maximum number of lines.
    #[schemars(extend("default" = LINES))]
    limit: Option<Whole<1, MOST>>,
}

/// The parameters of a search.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = with_cursor)]
pub struct LogSearchQuery {
    /// Only lines of this job.
    job_id: Option<Parsed<JobId>>,
    /// Only lines of this type, such as `job_failed`.
    event_type: Option<Text<200>>,
    /// Only lines of this level.
    level: Option<LogLevelName>,
    /// Only lines whose message contains this text, in upper or lower case.
    message_contains: Option<Text<200>>,
    /// Only lines from this time on: RFC 3339 with its zone, or Unix seconds or milliseconds, from 2000 to 2099.
    from: Option<QueryTime>,
    /// Only lines up to this time.
    to: Option<QueryTime>,
    /// The maximum number of lines.
    #[schemars(extend("default" = SEARCHED))]
    limit: Option<Whole<1, MOST>>,
}

/// The newest lines of a job's log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobLog<'a> {
    success: Yes,
    /// The lines, and when they were read.
    data: JobLogData<'a>,
}

/// Lines of a job's log, and where they come from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PersistentJobLog<'a> {
    success: Yes,
    /// The lines, and when they were read.
    data: PersistentJobLogData<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct JobLogData<'a> {
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// The lines, oldest first.
    #[schemars(with = "Vec<LogEntryView<'static>>")]
    logs: &'a [Value],
    /// The number of lines.
    count: usize,
    /// When the lines were read.
    last_update: Time,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct PersistentJobLogData<'a> {
    #[serde(flatten)]
    log: JobLogData<'a>,
    /// `archive`: from the archived file, because the table no longer has them.
    #[schemars(extend("enum" = ["job_events", "archive"]))]
    source: &'a str,
}

/// A log was archived.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogArchived<'a> {
    success: Yes,
    /// A sentence.
    message: String,
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// When it was archived.
    timestamp: Time,
}

/// The result of a search.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogSearch<'a> {
    success: Yes,
    /// The lines, and how they were searched.
    data: LogSearchData<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct LogSearchData<'a> {
    /// The lines, oldest first.
    #[schemars(with = "Vec<LogEntryView<'static>>")]
    logs: &'a [Value],
    /// The number of lines.
    count: usize,
    /// The parameters as they were written.
    filters: &'a LogFilters,
    /// When the search was made.
    search_time: Time,
    /// The cursor for older lines; absent if all were examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Only if the search stopped at a bound before it found `limit` lines: other lines may match.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Yes>,
}

/// The parameters of a search as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LogFilters {
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LogLevelName")]
    level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_contains: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The limit; `100` if it was not given.
    #[serde(default = "default_limit")]
    limit: String,
}

fn default_limit() -> String {
    SEARCHED.to_string()
}

/// The numbers of logs and of their lines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogStats {
    success: Yes,
    /// The numbers, and when they were read.
    data: LogStatsData,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct LogStatsData {
    /// Jobs that have a log in the table.
    active_log_files: u64,
    /// Logs in the archive.
    #[schemars(range(min = 0))]
    archived_log_files: i64,
    /// Lines of jobs that have ended.
    #[schemars(range(min = 0))]
    total_entries: i64,
    /// These lines by level.
    by_level: LinesByLevel,
    /// The size of the messages and details of these lines, in MiB.
    #[schemars(range(min = 0))]
    total_size_mb: f64,
    /// When the numbers were read.
    timestamp: Time,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct LinesByLevel {
    #[schemars(range(min = 0))]
    info: i64,
    #[schemars(range(min = 0))]
    success: i64,
    #[schemars(range(min = 0))]
    warning: i64,
    #[schemars(range(min = 0))]
    error: i64,
}

/// The routes of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// GET /api/queue/job/{id}/logs
    Log(JobId),
    /// GET /api/queue/job/{id}/logs/persistent
    StoredLog(JobId, usize),
    /// POST /api/queue/job/{id}/logs/archive
    Archive(JobId),
    /// GET /api/logs/search
    Search(Box<Search>, Box<LogFilters>),
    /// GET /api/logs/stats
    Stats,
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`routes::unknown`]; [`JobProblem::NotFound`] for an invalid id; [`Problem`] names an invalid parameter.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let id = |text: &str| JobId::parse(text).map_err(|_| Problem::Job(JobProblem::NotFound));
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "queue", "job", job, "logs"]) => Ok(Self::Log(id(job)?)),
            ("GET", ["api", "queue", "job", job, "logs", "persistent"]) => {
                let job = id(job)?;
                let given: JobLogQuery = request.parameters()?;
                Ok(Self::StoredLog(job, given.limit.map_or(LINES, Whole::get)))
            }
            ("POST", ["api", "queue", "job", job, "logs", "archive"]) => Ok(Self::Archive(id(job)?)),
            ("GET", ["api", "logs", "search"]) => {
                Ok(Self::Search(Box::new(read_search(request)?), Box::new(request.parameters()?)))
            }
            ("GET", ["api", "logs", "stats"]) => Ok(Self::Stats),
            _ => Err(routes::unknown(request)),
        }
    }
}

/// The search for the lines that a page shows.
pub fn shown(id: &JobId) -> Search {
    Search::newest(id, SHOWN)
}

fn read_search(request: &ApiRequest) -> Result<Search, Problem> {
    let given: LogSearchQuery = request.parameters()?;
    let job = given.job_id.map(|Parsed(id)| id);
    let (from, to) = (given.from.map(|from| from.0), given.to.map(|to| to.0));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(bad("from", "a time before `to`"));
    }
    let before = request.cursor(|cursor| {
        let shaped =
            cursor.len() < 400 && cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        // The sort key of a line among a day's lines begins with its time in 13 digits.
        let time = cursor.split('.').next().unwrap_or_default();
        let timed = || time.len() == 13 && time.bytes().all(|byte| byte.is_ascii_digit());
        (shaped && (job.is_some() || timed())).then_some(cursor)
    })?;
    Ok(Search {
        job,
        event_type: given.event_type.map(Text::into_string),
        level: given.level.map(Into::into),
        contains: given.message_contains.map(Text::into_string),
        from,
        to,
        before,
        limit: given.limit.map_or(SEARCHED, Whole::get),
    })
}

/// A job's lines, oldest first; `source` names where they come from, if the answer says so.
pub fn log_answer(id: &JobId, lines: &[Value], source: Option<&str>, now: Timestamp) -> ApiAnswer {
    let log = JobLogData { job_id: id.as_str(), logs: lines, count: lines.len(), last_update: now.into() };
    match source {
        None => ApiAnswer::json(200, &JobLog { success: Yes, data: log }),
        Some(source) => {
            let data = PersistentJobLogData { log, source };
            ApiAnswer::json(200, &PersistentJobLog { success: Yes, data })
        }
    }
}

/// The answer after a log was archived.
pub fn archive_answer(id: &JobId, now: Timestamp) -> ApiAnswer {
    let message = format!("Logs for job {id} archived successfully");
    ApiAnswer::json(200, &LogArchived { success: Yes, message, job_id: id.as_str(), timestamp: now.into() })
}

/// The result of a search, with its parameters as they were written and its time.
pub fn search_answer(filters: &LogFilters, found: &Found, now: Timestamp) -> ApiAnswer {
    let data = LogSearchData {
        logs: &found.lines,
        count: found.lines.len(),
        filters,
        search_time: now.into(),
        next_cursor: found.next.as_deref().map(ApiRequest::write_cursor),
        partial: found.partial.then_some(Yes),
    };
    ApiAnswer::json(200, &LogSearch { success: Yes, data })
}

/// The counted numbers of logs and of their lines; lines are counted once their job has ended.
pub fn stats_answer(logs: u64, log: &LogTally, now: Timestamp) -> ApiAnswer {
    let megabytes = log.bytes as f64 / (1024.0 * 1024.0);
    let data = LogStatsData {
        active_log_files: logs,
        archived_log_files: log.archived,
        total_entries: log.lines(),
        by_level: LinesByLevel { info: log.info, success: log.success, warning: log.warning, error: log.error },
        total_size_mb: (megabytes * 1000.0).round() / 1000.0,
        timestamp: now.into(),
    };
    ApiAnswer::json(200, &LogStats { success: Yes, data })
}

#[cfg(test)]
mod tests {
    use reelhook_domain::LogLevel;
    use serde_json::{Map, json};

    use super::*;
    use crate::request::get_request;

    fn route_of(query: &str) -> Result<Route, Problem> {
        let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Route::read(&get_request("/api/logs/search", &pairs))
    }

    fn filters(query: &[(&str, &str)]) -> LogFilters {
        match Route::read(&get_request("/api/logs/search", query)) {
            Ok(Route::Search(_, filters)) => *filters,
            other => panic!("{query:?}: {other:?}"),
        }
    }

    #[test]
    fn every_invalid_parameter_is_named() {
        let check = |query: &str, field: &str| {
            let refused = route_of(query).unwrap_err();
            assert_eq!(refused.path(), Some(field), "{query}");
        };
        check("limit=0", "limit");
        check("limit=1001", "limit");
        check("level=loud", "level");
        check("from=yesterday", "from");
        check("to=-5", "to");
        check("from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "from");
        check("cursor=!", "cursor");
        check("jobId=job_1&cursor=", "cursor");
        check("cursor=bm90IGEgcGxhY2U", "cursor");
        for cursor in ["1704110400000999999", "17041104000009.job_1_a", "-999999999999", "170411040000.job_1_a", "1e3"]
        {
            check(&format!("cursor={}", ApiRequest::write_cursor(cursor)), "cursor");
        }
        check(&format!("messageContains={}", "a".repeat(201)), "messageContains");
        check("jobId=a/b", "jobId");
    }

    #[test]
    fn a_wrong_limit_of_a_job_s_log_is_named() {
        let read = |limit: &str| {
            let request = get_request("/api/queue/job/job_1/logs/persistent", &[("limit", limit)]);
            Route::read(&request).map_err(|problem| problem.path().map(str::to_owned))
        };
        let id = JobId::parse("job_1").unwrap();
        assert_eq!(read(""), Ok(Route::StoredLog(id.clone(), 1000)));
        assert_eq!(read("5.0"), Ok(Route::StoredLog(id, 5)));
        for bad in ["0", "1001", "many"] {
            assert_eq!(read(bad), Err(Some("limit".to_owned())), "{bad}");
        }
    }

    #[test]
    fn an_answer_repeats_the_parameters_as_written() {
        let answer = |query: &[(&str, &str)]| {
            let now = Timestamp(1_704_110_400_000);
            let answer = search_answer(&filters(query), &Found::default(), now);
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(body["data"]["searchTime"], "2024-01-01T12:00:00.000Z");
            body["data"]["filters"].clone()
        };
        assert_eq!(answer(&[]), json!({ "limit": "100" }));
        assert_eq!(answer(&[("limit", "0100"), ("level", "")]), json!({ "limit": "0100" }));
        let given = [
            ("jobId", "job_1"),
            ("eventType", "job_failed"),
            ("level", "error"),
            ("messageContains", "Run"),
            ("limit", "5"),
            ("from", "1704067200000"),
            ("to", "2024-01-01T12:00:00+01:00"),
        ];
        let repeated: Map<String, Value> = given.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        assert_eq!(answer(&given), Value::Object(repeated));
    }

    #[test]
    fn every_parameter_of_a_search_is_read() {
        let cursor = ApiRequest::write_cursor("1704110400000.job_1_a.0000000002.00");
        let route =
            route_of(&format!("level=error&eventType=job_failed&from=1704067200000&limit=5&cursor={cursor}")).unwrap();
        let Route::Search(search, _) = route else { panic!("{route:?}") };
        assert_eq!((search.level, search.event_type.as_deref()), (Some(LogLevel::Error), Some("job_failed")));
        assert_eq!((search.limit, search.from), (5, Some(Timestamp(1_704_067_200_000))));
        assert_eq!(search.before.as_deref(), Some("1704110400000.job_1_a.0000000002.00"));
    }

    #[test]
    fn the_answers_are_as_clients_know_them() {
        let (id, now) = (JobId::parse("job_1").unwrap(), Timestamp(1_704_110_400_000));
        let lines = [json!({ "message": "a" })];
        let log = r#"{"success":true,"data":{"jobId":"job_1","logs":[{"message":"a"}],"count":1,"lastUpdate":"2024-01-01T12:00:00.000Z""#;
        assert_eq!(log_answer(&id, &lines, None, now).body, format!("{log}}}}}"));
        let stored = log_answer(&id, &lines, Some("archive"), now);
        assert_eq!(stored.body, format!("{log},\"source\":\"archive\"}}}}"));
        let archived = r#"{"success":true,"message":"Logs for job job_1 archived successfully","jobId":"job_1","timestamp":"2024-01-01T12:00:00.000Z"}"#;
        assert_eq!(archive_answer(&id, now).body, archived);
        let found = Found { lines: lines.to_vec(), next: Some("x".to_owned()), partial: true };
        let searched = r#"{"success":true,"data":{"logs":[{"message":"a"}],"count":1,"filters":{"jobId":"job_1","limit":"5"},"searchTime":"2024-01-01T12:00:00.000Z","nextCursor":"eA","partial":true}}"#;
        let filters = filters(&[("limit", "5"), ("jobId", "job_1")]);
        assert_eq!(search_answer(&filters, &found, now).body, searched);
        let tally = LogTally { info: 1, success: 2, warning: 3, error: 4, bytes: 1_572_864, archived: 5 };
        let stats = r#"{"success":true,"data":{"active_log_files":6,"archived_log_files":5,"total_entries":10,"by_level":{"info":1,"success":2,"warning":3,"error":4},"total_size_mb":1.5,"timestamp":"2024-01-01T12:00:00.000Z"}}"#;
        assert_eq!(stats_answer(6, &tally, now).body, stats);
    }
}
