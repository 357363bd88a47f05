//! Lists and counts need the same number of reads with 1,000 jobs as with 10.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use reelhook_app::outbox::rows::{LogEntry, LogRow};
use reelhook_app::views::Dialect;
use reelhook_domain::{Event, JobId, LogLevel, Policy, Timestamp, decide};
use reelhook_testkit::make_job;
use serde_json::Value;

use crate::cost::{log_at_rest, log_length, log_lines};
use crate::stack::Stack;

/// The AWS calls of one API request, by operation.
async fn reads(stack: &Stack, path: &str) -> BTreeMap<String, usize> {
    // Warms up the function; each instance caches counters for some seconds.
    stack.get(path).await;
    log_at_rest(stack).await;
    let from = log_length();
    let (status, answer) = stack.get(path).await;
    assert_eq!(status, 200, "{answer}");
    log_at_rest(stack).await;
    let mut counted = BTreeMap::new();
    for (function, _, line) in log_lines(from) {
        let is_ours = ["job-control", "job-logs"].contains(&function.as_str());
        // Leases for the rate limit depend on earlier calls.
        if is_ours && line["service"] == "DynamoDB" && line["operation"] != "UpdateItem" {
            *counted.entry(format!("{function} {}", line["operation"].as_str().expect("a name"))).or_default() += 1;
        }
    }
    counted
}

/// Adds ended jobs, as if they had been created during the last hour.
async fn add_jobs(stack: &Stack, from: u32, to: u32) {
    let policy = Policy::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let now = Timestamp(i64::try_from(now).expect("a time"));
    let mut lines = Vec::new();
    for n in from..to {
        let made = make_job(n, Timestamp(now.millis() - 3_600_000 + i64::from(n)), &policy);
        let reelhook_domain::Decision::Apply(mut job) = decide(&made, &Event::Cancel, now, &policy) else {
            panic!("a waiting job can be cancelled");
        };
        job.id = JobId::parse(&format!("job_reads_{n}")).expect("an id");
        job.outbox.clear();
        stack.aws.save_job(&job).await;
        let row = |index: usize| LogRow {
            subject: job.id.clone().into(),
            dialect: Dialect::of(job.kind),
            version: 1,
            index,
            at: job.created_at,
            entry: Some(LogEntry {
                event_type: "job_log".to_owned(),
                level: LogLevel::Info,
                message: "A line".to_owned(),
                details: Value::Null,
            }),
            live: None,
        };
        lines.extend((0..3).map(row));
    }
    stack.aws.put_lines(&lines).await;
}

#[tokio::test]
async fn lists_and_numbers_read_as_often_with_1000_jobs_as_with_10() {
    let stack = Stack::open().await;
    let paths = [
        "/api/queue/status",
        "/api/queue/jobs?limit=10",
        "/api/queue/jobs?limit=10&status=cancelled",
        "/api/logs/stats",
        "/api/logs/search?limit=10",
    ];
    let mut before = Vec::new();
    add_jobs(&stack, 0, 10).await;
    for path in paths {
        before.push(reads(&stack, path).await);
    }
    add_jobs(&stack, 10, 1000).await;
    for (path, few) in paths.iter().zip(before) {
        let many = reads(&stack, path).await;
        println!("{path}: {few:?} with 10 jobs, {many:?} with 1,000");
        assert!(!many.is_empty() && many == few, "{path}: {few:?} with 10 jobs, {many:?} with 1,000");
    }
    let (_, listed) = stack.get("/api/queue/jobs?limit=500&status=cancelled").await;
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(500), "the jobs are listed");
    stack.aws.remove_jobs("job_reads_", 1000).await;
}
