//! Nothing is lost: queues purged, the stream replayed, its records dropped, processes killed, in the middle of a
//! burst.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use reelhook_domain::{Delivery, DeliveryStatus};
use serde_json::{Value, json};

use crate::aws::{DEAD_LETTERS, Item};
use crate::game_day::queues::UNREADABLE;
use crate::stack::Stack;

/// The number of jobs in one burst.
const BURST: usize = 50;
/// The number of processes killed in one burst.
const KILLS: usize = 50;

async fn burst(stack: &Stack) -> Vec<String> {
    let mut jobs = Vec::with_capacity(BURST);
    for _ in 0..BURST {
        jobs.push(stack.submit("step_ms=10&render_ms=50").await);
    }
    jobs
}

/// The counters of final jobs, summed over all days.
async fn counted(stack: &Stack) -> BTreeMap<String, i64> {
    let query = stack
        .aws
        .dynamodb
        .query()
        .table_name(stack.aws.output("CountersTable"))
        .key_condition_expression("pk = :finals")
        .expression_attribute_values(":finals", aws_sdk_dynamodb::types::AttributeValue::S("finals".to_owned()));
    let mut counts = BTreeMap::new();
    for item in query.send().await.expect("counters").items() {
        let status = item["sk"].as_s().expect("text").split('#').nth(1).expect("a status").to_owned();
        let count =
            item.get("count").map_or(0, |count| count.as_n().expect("a number").parse::<i64>().expect("a number"));
        *counts.entry(status).or_default() += count;
    }
    // A counter whose jobs were all deleted is 0.
    counts.retain(|_, count| *count != 0);
    counts
}

/// The number of final jobs over all days, counted from the jobs themselves.
async fn final_jobs(stack: &Stack) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    let mut start = None;
    loop {
        let scan = stack.aws.dynamodb.scan().table_name(stack.aws.output("JobsTable")).set_exclusive_start_key(start);
        let page = scan.send().await.expect("jobs");
        // A deleted job's tombstone is in no list, and jobs under way are in another one. `vidbuilder.failed#2026-11` is a
        // key of a failed video.
        let ended = |item: &Item| {
            let (status, _) = item.get("status_month")?.as_s().ok()?.split_once('#')?;
            item.contains_key("expires_at").then(|| status.trim_start_matches("vidbuilder.").to_owned())
        };
        for status in page.items().iter().filter_map(ended) {
            *counts.entry(status).or_default() += 1;
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return counts;
        }
    }
}

/// Asserts that the counters equal the jobs.
pub(crate) async fn assert_counts_are_right(stack: &Stack) {
    stack
        .eventually("the counters match the jobs", || async {
            (counted(stack).await == final_jobs(stack).await).then_some(())
        })
        .await;
}

/// Every job ends with its video, every delivery arrives, repeats carry the same id, counts are right, queues are
/// empty.
async fn assert_nothing_was_lost(stack: &Stack, jobs: &[String]) {
    for job in jobs {
        stack.until_status(job, "completed").await;
    }
    assert_delivered(stack, jobs).await;
    assert_counts_are_right(stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    stack.assert_queues_empty().await;
}

/// Every event of these jobs arrives at both receivers, repeats under the same id.
pub(crate) async fn assert_delivered(stack: &Stack, jobs: &[String]) {
    let mut expected = BTreeMap::new();
    for job in jobs {
        expected.insert(job.clone(), stack.stored(job).await.emitted.len() * 2);
    }
    let deliveries = stack
        .eventually("every delivery", || async {
            let all = stack.aws.deliveries_of(jobs).await;
            let arrived = all.len() == expected.values().sum::<usize>()
                && all.iter().all(|delivery| delivery.status == DeliveryStatus::Delivered);
            arrived.then_some(all)
        })
        .await;
    for job in jobs {
        let arrived: Vec<_> = deliveries.iter().filter(|delivery| delivery.subject.as_str() == job).collect();
        assert_eq!(arrived.len(), expected[job], "{job}: {arrived:#?}");
        for hook in ["main", "second"] {
            let webhooks = stack.webhooks(hook, job).await;
            let ids: BTreeSet<&str> = webhooks.iter().filter_map(|webhook| webhook["webhook_id"].as_str()).collect();
            assert_eq!(ids.len() * 2, arrived.len(), "{hook} got each event of {job} under one id: {ids:?}");
        }
    }
}

/// Replays the whole stream of the jobs to fanout, from its start.
async fn replay(stack: &Stack) {
    replay_stream_of(stack, "JobsTable").await;
}

/// Replays the whole stream of a table to fanout, from its start, apart from records that a game day made unreadable:
/// they would be put aside again.
pub(crate) async fn replay_stream_of(stack: &Stack, table: &str) {
    let mut records = stack.aws.stream_records(table).await;
    records
        .retain(|record| !record["dynamodb"]["Keys"]["id"]["S"].as_str().is_some_and(|id| id.starts_with(UNREADABLE)));
    assert!(!records.is_empty(), "the stream contains the events");
    for batch in records.chunks(100) {
        let (answer, error) = stack.aws.invoke("fanout", &json!({ "Records": batch })).await;
        assert_eq!((error, &answer["batchItemFailures"]), (None, &json!([])), "{answer}");
    }
}

fn print_repeats(what: &str, summary: &Value) {
    println!("{what}: {}", json!({ "received": summary["received"], "repeats": summary["repeats"] }));
}

#[tokio::test]
async fn purging_every_queue_in_the_middle_of_a_burst_loses_nothing() {
    let stack = Stack::open().await;
    let mut jobs = Vec::with_capacity(BURST);
    for number in 0..BURST {
        jobs.push(stack.submit("step_ms=10&render_ms=50").await);
        if number % 5 == 4 {
            stack.aws.purge_all().await;
        }
    }
    let mut unfinished = 0;
    for job in &jobs {
        unfinished += usize::from(!stack.stored(job).await.status.is_final());
    }
    assert!(unfinished > 0, "work was unfinished at the purges");
    for _ in 0..5 {
        stack.aws.purge_all().await;
        stack.sweep().await;
    }
    assert_nothing_was_lost(&stack, &jobs).await;
}

#[tokio::test]
async fn replaying_the_whole_stream_shows_receivers_nothing_new_and_counts_nothing_twice() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack.webhook("second", &job, "job.completed").await;
    stack.assert_queues_empty().await;
    assert_counts_are_right(&stack).await;
    let before = (counted(&stack).await, stack.studio("/hooks/main/summary").await["received"].clone());
    let log_before = stack.get(&format!("/api/queue/job/{job}/logs")).await.1["data"]["logs"].clone();

    replay(&stack).await;
    stack.assert_queues_empty().await;
    let after = (counted(&stack).await, stack.studio("/hooks/main/summary").await["received"].clone());
    assert_eq!(before, after);
    assert_counts_are_right(&stack).await;
    let log_after = stack.get(&format!("/api/queue/job/{job}/logs")).await.1["data"]["logs"].clone();
    assert_eq!(log_before, log_after);
}

#[tokio::test]
async fn a_repair_creates_what_lost_stream_records_did_not() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=2").await;
    stack.until(&job, "in step 2", |job| job["currentStepNumber"] == 2).await;
    let started = stack.stored(&job).await.updated_at;

    // Fanout is disconnected from the stream; the rest of the run reaches only the item.
    let table = stack.aws.output("JobsTable");
    let is_of_jobs = |mapping: &Value| mapping["EventSourceArn"].as_str().is_some_and(|arn| arn.contains(table));
    let mapping = stack.aws.mappings("fanout").await.into_iter().find(is_of_jobs).expect("a mapping of jobs");
    let path = format!("/2015-03-31/event-source-mappings/{}", mapping["UUID"].as_str().expect("an id"));
    let (status, answer, _) = stack.aws.call("lambda", "DELETE", &path, None, &Value::Null).await;
    assert!(status < 300, "{answer}");
    let body = json!({ "job_id": job, "step_number": 8, "status": "completed", "details": { "video_url": "https://cdn.example/v.mp4" } });
    let (status, answer) = stack.post("/api/webhooks/step-update", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(stack.job(&job).await["status"], "completed");

    // Fanout is reconnected after those records, as if they had expired.
    let again = json!({
        "EventSourceArn": mapping["EventSourceArn"], "FunctionName": stack.aws.function("fanout"),
        "StartingPosition": "LATEST", "BatchSize": 100, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": true, "MaximumRecordAgeInSeconds": 60,
        "FilterCriteria": mapping["FilterCriteria"], "DestinationConfig": mapping["DestinationConfig"],
    });
    let (status, answer, _) =
        stack.aws.call("lambda", "POST", "/2015-03-31/event-source-mappings/", None, &again).await;
    assert!(status < 300, "{answer}");
    stack.sweep().await;
    assert!(stack.webhooks("main", &job).await.is_empty());

    let repaired = stack.operate(&["repair", "--since-ms", &started.0.to_string()]).await;
    assert!(repaired["scanned"].as_u64() > Some(0) && repaired["ensured"].as_u64() > Some(0), "{repaired}");
    let webhook = stack.webhook("main", &job, "job.completed").await;
    assert_eq!(webhook["body"]["data"]["video_url"], "https://cdn.example/v.mp4");
    stack.assert_queues_empty().await;
    // If the records come back after all, they duplicate nothing, and they correct slot and count.
    let received = stack.studio("/hooks/main/summary").await["received"].clone();
    replay(&stack).await;
    stack.assert_queues_empty().await;
    assert_eq!(stack.studio("/hooks/main/summary").await["received"], received);
    assert_counts_are_right(&stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "the slot is free");
}

#[tokio::test]
async fn dead_letters_are_redriven_and_processed() {
    let stack = Stack::open().await;
    stack.control("worker", json!({ "answer": 503 })).await;
    let job = stack.submit("step_ms=5").await;
    stack.aws.purge_all().await;
    stack.aws.dead_letter(&json!({ "kind": "start.v1" })).await;
    stack.control("worker", json!({})).await;
    let moved = stack.operate(&["redrive"]).await;
    assert_eq!(moved["Work"], 1, "{moved}");
    stack.until_status(&job, "completed").await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn killing_random_processes_loses_nothing() {
    let stack = Stack::open().await;
    let mut kills = 0;
    let mut seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let mut later = Vec::new();
    let submitting = burst(&stack);
    let killing = async {
        while kills < KILLS {
            // xorshift: which function, which process and when.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let function = ["dispatcher", "fanout", "worker"][(seed % 3) as usize];
            let processes = stack.aws.processes(function);
            if let Some(pid) = processes.get((seed >> 8) as usize % processes.len().max(1)) {
                let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
                kills += usize::from(killed.is_ok_and(|status| status.success()));
            }
            let pause = Duration::from_millis(20 + (seed >> 16) % 100);
            tokio::time::interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
            stack.sweep().await;
            // A function that has nothing to do has no process that could be killed.
            later.push(stack.submit("step_ms=10&render_ms=50").await);
        }
    };
    let (mut jobs, ()) = tokio::join!(submitting, killing);
    jobs.append(&mut later);
    println!("{kills} processes killed, {} jobs", jobs.len());
    assert_nothing_was_lost(&stack, &jobs).await;
    print_repeats("main", &stack.studio("/hooks/main/summary").await);
    print_repeats("second", &stack.studio("/hooks/second/summary").await);
}

/// The number of events in the storm; each goes to two endpoints.
const STORM: usize = 1000;
/// The number of dispatchers killed in the storm.
const STORM_KILLS: usize = 200;

/// Triggers events, several concurrently.
async fn storm(stack: &Stack) -> Vec<String> {
    let jobs: Vec<String> = (0..STORM).map(|n| format!("storm-{}-{n}", std::process::id())).collect();
    let trigger = |job: &String| {
        let body = json!({ "event": "job.completed", "data": { "job_id": job } });
        async move {
            let (status, answer) = stack.post("/api/webhooks/trigger", &body).await;
            assert_eq!((status, &answer["results"]["successful"]), (200, &json!(2)), "{answer}");
        }
    };
    futures_util::stream::iter(&jobs).map(trigger).buffer_unordered(4).collect::<Vec<()>>().await;
    jobs
}

/// The number of distinct webhooks that arrived at either receiver.
async fn distinct(stack: &Stack) -> u64 {
    let mut count = 0;
    for hook in ["main", "second"] {
        let summary = stack.studio(&format!("/hooks/{hook}/summary")).await;
        let number = |name: &str| summary[name].as_u64().expect("a count");
        count += number("received") - number("repeats");
    }
    count
}

#[tokio::test]
async fn two_hundred_dispatchers_killed_in_two_thousand_deliveries_lose_none() {
    let stack = Stack::open().await;
    let mut seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let before = distinct(&stack).await;
    let mut kills = 0;
    let killing = async {
        while kills < STORM_KILLS {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            for pid in stack.aws.processes("dispatcher").into_iter().take(1 + (seed % 2) as usize) {
                let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
                kills += usize::from(killed.is_ok_and(|status| status.success()));
            }
            let pause = Duration::from_millis(10 + (seed >> 16) % 60);
            tokio::time::interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
        }
    };
    let (jobs, ()) = tokio::join!(storm(&stack), killing);
    // The deadline is extended as long as there is progress.
    let mut seen = distinct(&stack).await;
    while seen < before + 2 * STORM as u64 {
        let polls = AtomicUsize::new(0);
        seen = stack
            .eventually("another webhook", || async {
                // The queue redelivers the messages of killed dispatchers; the sweep covers messages that were
                // delivered too often.
                if polls.fetch_add(1, Ordering::Relaxed) % 300 == 299 {
                    stack.sweep().await;
                }
                let now = distinct(&stack).await;
                (now > seen).then_some(now)
            })
            .await;
    }
    let done = |all: &[Delivery]| all.iter().filter(|one| one.status == DeliveryStatus::Delivered).count();
    let all = stack
        .eventually("every end is stored", || async {
            let all = stack.aws.deliveries_of(&jobs).await;
            (done(&all) == 2 * STORM).then_some(all)
        })
        .await;
    let delivered = done(&all);
    let due = all.iter().filter(|one| one.due_at.is_some()).count();
    let dead: u64 =
        stack.aws.depths().await.iter().filter(|(name, _)| *name == DEAD_LETTERS).map(|(_, depth)| depth).sum();
    let attempts: u32 = all.iter().map(|one| one.attempts).sum();
    println!(
        "{kills} dispatchers killed; {} sent = {delivered} delivered + {due} due + {dead} dead-lettered; {attempts} attempts",
        all.len()
    );
    assert_eq!((all.len(), due, dead), (2 * STORM, 0, 0));
    for hook in ["main", "second"] {
        print_repeats(hook, &stack.studio(&format!("/hooks/{hook}/summary")).await);
    }
    for job in jobs.iter().step_by(50) {
        for hook in ["main", "second"] {
            let webhooks = stack.webhooks(hook, job).await;
            let ids: BTreeSet<&str> = webhooks.iter().filter_map(|webhook| webhook["webhook_id"].as_str()).collect();
            assert_eq!(ids.len(), 1, "{hook} got {job} under one id");
        }
    }
}
