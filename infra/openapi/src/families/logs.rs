//! The logs of jobs.

use reelhook_app::views::wire::JobIdText;
use reelhook_http::jobs::logs::{
    JobLog, JobLogQuery, LogArchived, LogSearch, LogSearchQuery, LogStats, PersistentJobLog,
};

use crate::operation::{Operation, operation};

/// The operations about logs.
pub fn operations() -> Vec<Operation> {
    vec![
        of_job("GET /api/queue/job/{id}/logs", "getJobLog", "Get the newest 200 lines of a job's log")
            .answer::<JobLog>(200, "The lines; none if the job does not exist"),
        of_job(
            "GET /api/queue/job/{id}/logs/persistent",
            "getPersistentJobLog",
            "Get a job's log, also from its archive",
        )
        .query::<JobLogQuery>()
        .answer::<PersistentJobLog>(200, "The newest lines; none if the job does not exist"),
        of_job("POST /api/queue/job/{id}/logs/archive", "archiveJobLog", "Archive a job's log in S3 as gzipped NDJSON")
            .answer::<LogArchived>(200, "The log is archived"),
        operation("logs", "GET /api/logs/search", "searchLogs", "Search logs")
            .about(
                "The search covers all jobs, or one. Without `jobId` it covers the last 24 hours, unless `from` and \
                 `to` name other times.",
            )
            .query::<LogSearchQuery>()
            .answer::<LogSearch>(200, "The newest lines that match"),
        operation("logs", "GET /api/logs/stats", "getLogStats", "Get the numbers of logs and lines")
            .about("The numbers come from counters. The lines of a job are counted when it ends.")
            .answer::<LogStats>(200, "The numbers"),
    ]
}

/// An operation about the log of one job.
fn of_job(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("logs", route, id, summary).path::<JobIdText>("id", "The job").codes(&["job_not_found"])
}
