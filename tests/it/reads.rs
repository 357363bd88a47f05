//! Lists and counts need the same number of reads with 1,000 jobs as with 10, and with 300 projects, errors and clip jobs.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::credits::ledger::{Addition, Ledger as _};
use reelhook_app::errors::store::{ErrorStore, SavedStep, group};
use reelhook_app::outbox::rows::{LogEntry, LogRow};
use reelhook_app::retention::Days;
use reelhook_app::views::Dialect;
use reelhook_aws::credits::table::CreditTable;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::EntryKind;
use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::errors::error::ErrorRow;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ClipJob, ClipPolicy, Event, EventId, JobId, LogLevel, OwnerId, Policy, Timestamp, decide};
use reelhook_testkit::{a_clip_job, a_project, make_job};
use serde_json::{Map, Value};

use crate::cost::{log_at_rest, log_length, log_lines};
use crate::stack::Stack;

/// How often each path is read: instances keep counts for five seconds, so that one of the reads finds none at least.
const ROUNDS: u32 = 3;

/// How often a request calls AWS, by function, operation and table.
type Calls = BTreeMap<String, usize>;

/// What requests to a path read.
#[derive(Default)]
struct Reads {
    calls: Calls,
    /// Counts that an instance keeps for seconds: whether a request reads them depends on those before it.
    counts: Calls,
}

/// The reads of a request to each path: the most of some rounds.
async fn reads(stack: &Stack, paths: &[&str]) -> Vec<Reads> {
    for path in paths {
        stack.get(path).await;
    }
    log_at_rest(stack).await;
    let mut most: Vec<Reads> = paths.iter().map(|_| Reads::default()).collect();
    for _ in 0..ROUNDS {
        for (path, most) in paths.iter().zip(&mut most) {
            let once = reads_once(stack, path).await;
            keep_most(&mut most.calls, once.calls);
            keep_most(&mut most.counts, once.counts);
        }
    }
    most
}

fn keep_most(most: &mut Calls, once: Calls) {
    for (call, count) in once {
        let known = most.entry(call).or_default();
        *known = count.max(*known);
    }
}

/// Checks that requests read as often now as they did when there was less.
async fn assert_reads(stack: &Stack, paths: &[&str], before: &[Reads]) {
    for ((path, few), many) in paths.iter().zip(before).zip(reads(stack, paths).await) {
        println!(
            "{path}: {:?} and {:?} with few, {:?} and {:?} with many",
            few.calls, few.counts, many.calls, many.counts
        );
        assert!(!many.calls.is_empty() || !many.counts.is_empty(), "{path} reads nothing");
        assert_eq!(many.calls, few.calls, "{path} reads more with many than with few");
        for (call, count) in many.counts {
            // Where this path found all counts kept, another one read them.
            let mut known =
                few.counts.get(&call).into_iter().chain(before.iter().filter_map(|few| few.counts.get(&call)));
            assert_eq!(known.next(), Some(&count), "{path} counts by {call} more often with many than with few");
        }
    }
}

/// The reads of one request, which begins and ends with a log at rest.
async fn reads_once(stack: &Stack, path: &str) -> Reads {
    let from = log_length();
    let (status, answer) = stack.get(path).await;
    assert_eq!(status, 200, "{answer}");
    log_at_rest(stack).await;
    let mut reads = Reads::default();
    let counters = stack.aws.output("CountersTable");
    for (function, _, line) in log_lines(from) {
        let is_ours = ["job-control", "job-logs", "projects", "clips", "errors"].contains(&function.as_str());
        // Leases for the rate limit depend on earlier calls.
        if is_ours && line["service"] == "DynamoDB" && line["operation"] != "UpdateItem" {
            let request: Value =
                line["request"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let is_count = request["TableName"] == counters || request["Select"] == "COUNT";
            let calls = if is_count { &mut reads.counts } else { &mut reads.calls };
            let [operation, table] =
                [&line["operation"], &request["TableName"]].map(|name| name.as_str().unwrap_or_default());
            *calls.entry(format!("{function} {operation} {table}")).or_default() += 1;
        }
    }
    reads
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    Timestamp(i64::try_from(now).expect("a time"))
}

/// Adds ended jobs, as if they had been created during the last hour.
async fn add_jobs(stack: &Stack, from: u32, to: u32) {
    let (policy, now) = (Policy::default(), now());
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
            packed: Vec::new(),
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
    add_jobs(&stack, 0, 10).await;
    let before = reads(&stack, &paths).await;
    add_jobs(&stack, 10, 1000).await;
    assert_reads(&stack, &paths, &before).await;
    let (_, listed) = stack.get("/api/queue/jobs?limit=500&status=cancelled").await;
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(500), "the jobs are listed");
    stack.aws.remove_jobs("job_reads_", 1000).await;
}

/// The cause of the errors of this test.
const CAUSE: Cause = Cause::VideoFailed;

/// Project `n`, a draft of two scenes.
fn project(n: u32, now: Timestamp) -> Project {
    let mut project = a_project(n, 2, false, now, &ProjectPolicy::default());
    project.outbox.clear();
    project
}

/// What error `n` is about.
fn about(n: u32) -> String {
    format!("proj_reads/scene_{n}")
}

/// The step that raises error `n`.
fn step(n: u32, now: Timestamp) -> EventId {
    EventId::parse(&format!("reads.{}.{n}", now.millis())).expect("an id")
}

/// Adds drafts of projects, and errors.
async fn add_projects_and_errors(stack: &Stack, (from, to): (u32, u32), now: Timestamp) {
    let errors = ErrorTable::new(stack.aws.dynamodb.clone(), stack.aws.output("ErrorsTable"));
    for n in from..to {
        let put = stack.aws.dynamodb.put_item().table_name(stack.aws.output("ProjectsTable"));
        let item = reelhook_aws::projects::item::to_item(&project(n, now), "test", Days::MONTH);
        put.set_item(Some(item)).send().await.expect("saved");
        let raise = Raise {
            cause: CAUSE,
            about: about(n),
            message: "Video generation failed: out of memory".to_owned(),
            context: Map::new(),
        };
        let raised = ErrorRow::raised(&raise, now, now);
        let saved = errors.save_step(&step(n, now), None, &raised, None).await.expect("saved");
        assert!(matches!(saved, SavedStep::Done), "{}", raised.id);
    }
}

/// Removes them, with the markers of their steps.
async fn remove_projects_and_errors(stack: &Stack, count: u32, now: Timestamp) {
    let remove = async |table: &str, name: &str, key: String| {
        let delete = stack.aws.dynamodb.delete_item().table_name(stack.aws.output(table));
        delete.key(name, AttributeValue::S(key)).send().await.expect("deleted");
    };
    for n in 0..count {
        remove("ProjectsTable", "id", project(n, now).id.to_string()).await;
        remove("ErrorsTable", "group", group(CAUSE, &about(n))).await;
        remove("ErrorsTable", "group", format!("seen#{}", step(n, now))).await;
    }
}

#[tokio::test]
async fn projects_and_errors_are_read_as_often_with_300_as_with_10() {
    let (stack, now) = (Stack::open().await, now());
    let first = format!("/api/v1/projects/{}", project(0, now).id);
    let paths = [
        "/api/v1/projects?limit=10",
        first.as_str(),
        "/api/v1/errors?limit=10",
        "/api/v1/errors?limit=10&type=generation&severity=error",
        "/api/v1/errors/stats",
    ];
    add_projects_and_errors(&stack, (0, 10), now).await;
    let before = reads(&stack, &paths).await;
    add_projects_and_errors(&stack, (10, 300), now).await;
    assert_reads(&stack, &paths, &before).await;
    let (_, listed) = stack.get("/api/v1/projects?limit=10").await;
    assert!(listed["totalDocs"].as_u64() >= Some(300), "the projects are listed");
    let (_, counted) = stack.get("/api/v1/errors/stats").await;
    assert!(counted["stats"]["byType"]["generation"].as_u64() >= Some(300), "the errors are counted: {counted}");
    remove_projects_and_errors(&stack, 300, now).await;
}

/// Clip job `n`, which was canceled.
fn clip_job(n: u32, now: Timestamp) -> ClipJob {
    let (policy, cancel) = (ClipPolicy::default(), reelhook_domain::clips::event::Event::Cancel);
    let made = a_clip_job(n, now, &policy);
    let reelhook_domain::Decision::Apply(mut job) =
        reelhook_domain::clips::decide::decide(&made, &cancel, now, &policy)
    else {
        panic!("a waiting clip job can be canceled");
    };
    job.outbox.clear();
    *job
}

/// Adds clip jobs, and entries of an account.
async fn add_clips_and_entries(stack: &Stack, (from, to): (u32, u32), now: Timestamp, account: &Account) {
    let ledger = CreditTable::new(stack.aws.dynamodb.clone(), stack.aws.output("CreditsTable"));
    for n in from..to {
        let put = stack.aws.dynamodb.put_item().table_name(stack.aws.output("ClipsTable"));
        let item = reelhook_aws::clips::item::to_item(&clip_job(n, now), "test", Days::MONTH);
        put.set_item(Some(item)).send().await.expect("saved");
        let addition = Addition {
            account: account.clone(),
            id: format!("reads.{n}"),
            kind: EntryKind::Bonus,
            credits: 1,
            description: "A credit".to_owned(),
            at: now,
        };
        ledger.add(&addition).await.expect("added");
    }
}

/// Removes them, with all rows of the account.
async fn remove_clips_and_entries(stack: &Stack, count: u32, now: Timestamp, account: &Account) {
    for n in 0..count {
        let delete = stack.aws.dynamodb.delete_item().table_name(stack.aws.output("ClipsTable"));
        delete.key("id", AttributeValue::S(clip_job(n, now).id.to_string())).send().await.expect("deleted");
    }
    let table = stack.aws.output("CreditsTable");
    let query = stack.aws.dynamodb.query().table_name(table).key_condition_expression("pk = :account");
    let query = query.expression_attribute_values(":account", AttributeValue::S(account.to_string()));
    for mut item in query.send().await.expect("rows").items.unwrap_or_default() {
        item.retain(|name, _| matches!(name.as_str(), "pk" | "sk"));
        stack.aws.dynamodb.delete_item().table_name(table).set_key(Some(item)).send().await.expect("deleted");
    }
}

#[tokio::test]
async fn clip_jobs_and_credits_are_read_as_often_with_300_as_with_10() {
    let (stack, now) = (Stack::open().await, now());
    let account = Account::Owner(OwnerId::parse(&format!("reads-{}", now.millis())).expect("an id"));
    let first = format!("/ai-clipping-agent/jobs/{}", clip_job(0, now).id.uuid());
    let credits = format!("/ai-clipping-agent/credits?limit=10&userId={}", account.user_id());
    let paths = [
        "/ai-clipping-agent/jobs?limit=10",
        "/ai-clipping-agent/jobs?limit=10&status=canceled",
        first.as_str(),
        credits.as_str(),
    ];
    add_clips_and_entries(&stack, (0, 10), now, &account).await;
    let before = reads(&stack, &paths).await;
    add_clips_and_entries(&stack, (10, 300), now, &account).await;
    assert_reads(&stack, &paths, &before).await;
    let (_, listed) = stack.get("/ai-clipping-agent/jobs?limit=50&status=canceled").await;
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(50), "the clip jobs are listed");
    let (_, shown) = stack.get(&credits).await;
    assert_eq!((&shown["balance"], shown["transactions"].as_array().map(Vec::len)), (&Value::from(300), Some(10)));
    remove_clips_and_entries(&stack, 300, now, &account).await;
}
