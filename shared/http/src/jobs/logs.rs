//! Logs: a job's lines, its archive, search over all jobs, and statistics (contract.md, StreamGank: jobs).

use reelhook_app::jobs::logs::{Found, Search};
use reelhook_domain::{JobId, LogLevel, LogTally, Timestamp};
use serde_json::{Map, Value, json};

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes;

/// The number of lines that a page shows.
const SHOWN: usize = 200;
/// The maximum number of lines in one answer.
const MOST: usize = 1000;
/// The default number of lines of a search.
const SEARCHED: usize = 100;
/// The maximum number of characters of a text parameter.
const TEXT: usize = 200;
/// Parameters of a search that its answer repeats.
const FILTERS: [&str; 6] = ["jobId", "eventType", "level", "messageContains", "from", "to"];

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
    Search(Box<Search>),
    /// GET /api/logs/stats
    Stats,
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`routes::unknown`]; [`JobProblem::NotFound`] for an invalid id; [`RequestProblem::BadField`] for an invalid parameter.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let id = |text: &str| JobId::parse(text).map_err(|_| Problem::Job(JobProblem::NotFound));
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "queue", "job", job, "logs"]) => Ok(Self::Log(id(job)?)),
            ("GET", ["api", "queue", "job", job, "logs", "persistent"]) => {
                Ok(Self::StoredLog(id(job)?, request.limit(MOST, MOST)?))
            }
            ("POST", ["api", "queue", "job", job, "logs", "archive"]) => Ok(Self::Archive(id(job)?)),
            ("GET", ["api", "logs", "search"]) => Ok(Self::Search(Box::new(read_search(request)?))),
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
    let given = |name: &str| request.query(name).filter(|text| !text.is_empty());
    let text = |name: &'static str| match given(name) {
        Some(text) if text.chars().count() > TEXT => Err(bad(name, format!("a text of at most {TEXT} characters"))),
        text => Ok(text.map(str::to_owned)),
    };
    let job = given("jobId").map(|id| JobId::parse(id).map_err(|_| bad("jobId", "the id of a job"))).transpose()?;
    let level = |name: &str| LogLevel::parse(name).ok_or_else(|| bad("level", "one of info, success, warning, error"));
    let level = given("level").map(level).transpose()?;
    let (from, to) = request.times()?;
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
        event_type: text("eventType")?,
        level,
        contains: text("messageContains")?,
        from,
        to,
        before,
        limit: request.limit(SEARCHED, MOST)?,
    })
}

/// A job's lines, oldest first; `source` names where they come from, if the answer says so.
pub fn log_answer(id: &JobId, lines: &[Value], source: Option<&str>, now: Timestamp) -> ApiAnswer {
    let mut data = json!({
        "jobId": id.as_str(),
        "logs": lines,
        "count": lines.len(),
        "lastUpdate": now.to_string(),
    });
    if let Some(source) = source {
        data["source"] = json!(source);
    }
    ApiAnswer::json(200, &json!({ "success": true, "data": data }))
}

/// The answer after a log was archived.
pub fn archive_answer(id: &JobId, now: Timestamp) -> ApiAnswer {
    let message = format!("Logs for job {id} archived successfully");
    let body = json!({ "success": true, "message": message, "jobId": id.as_str(), "timestamp": now.to_string() });
    ApiAnswer::json(200, &body)
}

/// The result of a search, with its parameters as they were written and its time.
pub fn search_answer(request: &ApiRequest, found: &Found, now: Timestamp) -> ApiAnswer {
    let given = |name: &str| request.query(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let mut filters = Map::new();
    for name in FILTERS {
        if let Some(text) = given(name) {
            filters.insert(name.to_owned(), json!(text));
        }
    }
    filters.insert("limit".to_owned(), json!(given("limit").unwrap_or_else(|| SEARCHED.to_string())));
    let mut data = json!({
        "logs": found.lines,
        "count": found.lines.len(),
        "filters": filters,
        "searchTime": now.to_string(),
    });
    if let Some(next) = &found.next {
        data["nextCursor"] = json!(ApiRequest::write_cursor(next));
    }
    if found.partial {
        data["partial"] = json!(true);
    }
    ApiAnswer::json(200, &json!({ "success": true, "data": data }))
}

/// The counted numbers of logs and of their lines; lines are counted once their job has ended.
pub fn stats_answer(logs: u64, log: &LogTally, now: Timestamp) -> ApiAnswer {
    let megabytes = log.bytes as f64 / (1024.0 * 1024.0);
    let data = json!({
        "active_log_files": logs,
        "archived_log_files": log.archived,
        "total_entries": log.lines(),
        "by_level": { "info": log.info, "success": log.success, "warning": log.warning, "error": log.error },
        "total_size_mb": (megabytes * 1000.0).round() / 1000.0,
        "timestamp": now.to_string(),
    });
    ApiAnswer::json(200, &json!({ "success": true, "data": data }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    fn route_of(query: &str) -> Result<Route, Problem> {
        let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Route::read(&get_request("/api/logs/search", &pairs))
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
    fn an_answer_repeats_the_parameters_as_written() {
        let answer = |query: &[(&str, &str)]| {
            let now = Timestamp(1_704_110_400_000);
            let answer = search_answer(&get_request("/api/logs/search", query), &Found::default(), now);
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
        let Route::Search(search) = route else { panic!("{route:?}") };
        assert_eq!((search.level, search.event_type.as_deref()), (Some(LogLevel::Error), Some("job_failed")));
        assert_eq!((search.limit, search.from), (5, Some(Timestamp(1_704_067_200_000))));
        assert_eq!(search.before.as_deref(), Some("1704110400000.job_1_a.0000000002.00"));
    }
}
