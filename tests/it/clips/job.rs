//! Clip jobs as clients see them: created, commanded and watched, at a mock worker that behaves as a test wants.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use crate::scenes::project::{call, text, unique, with_groups};
use crate::stack::Stack;

/// The routes of clip jobs.
pub const JOBS: &str = "/ai-clipping-agent/jobs";
/// The route of credits.
pub const CREDITS: &str = "/ai-clipping-agent/credits";
/// What a job costs whose source has [`SOURCE_SECONDS`], in credits.
pub const PRICE: u64 = 20;
/// The length of the sources that the mock worker reports.
const SOURCE_SECONDS: u64 = 120;
/// The deadline of every wait.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The interval at which a job is read.
const POLL: Duration = Duration::from_millis(200);

/// The stack with these backends, with a worker that answers at once with prepared files, and with no clip job under way.
pub async fn open(backends: Backends) -> Stack {
    let stack = Stack::open().await;
    cancel_all(&stack).await;
    until_idle(&stack).await;
    backends.choose(&stack).await;
    stack.control("genesis", fast(json!({}))).await;
    stack
}

/// Waits until no clip job is under way.
async fn until_idle(stack: &Stack) {
    let idle = || async { (!stack.aws.has_rows("ClipsTable", "by-due").await).then_some(()) };
    stack.eventually("no clip job is under way", idle).await;
}

/// Cancels the jobs that another test left.
async fn cancel_all(stack: &Stack) {
    for status in ["queued", "running"] {
        let (answered, list) = stack.get(&format!("{JOBS}?limit=50&status={status}")).await;
        assert_eq!(answered, 200, "{list}");
        for job in list["jobs"].as_array().expect("a list") {
            // It may have ended since.
            stack.post(&format!("{JOBS}/{}/cancel", text(&job["id"])), &json!({})).await;
        }
    }
}

/// Settings of the mock worker for prepared files at once, with more members in their groups.
pub fn fast(more: Value) -> Value {
    with_groups(json!({ "job": { "ms": 0, "source_seconds": SOURCE_SECONDS }, "clip": { "fast": true } }), more)
}

/// Settings of the mock worker for the jobs of one source.
pub async fn behave(stack: &Stack, source: &str, settings: Value) {
    stack.control(&format!("genesis?source={source}"), settings).await;
}

/// A page of a video site that no other test names. The mock worker does not read it.
pub fn page() -> String {
    format!("https://youtu.be/{}", unique())
}

/// The body of a job for two clips of a page.
pub fn of_page(page: &str) -> Value {
    json!({ "youtubeUrl": page, "requestedClipCount": 2 })
}

/// Creates a job as an operator, and returns its id.
pub async fn create(stack: &Stack, body: &Value) -> String {
    let (status, job) = stack.post(JOBS, body).await;
    assert_eq!((status, &job["status"]), (201, &json!("queued")), "{job}");
    text(&job["id"])
}

/// Creates a job of a page of its own, for which the mock worker has these settings; returns its id, and the page.
pub async fn begin(stack: &Stack, settings: Value) -> (String, String) {
    let page = page();
    behave(stack, &page, settings).await;
    (create(stack, &of_page(&page)).await, page)
}

/// A job as it is now.
pub async fn job(stack: &Stack, id: &str) -> Value {
    let (status, answer) = stack.get(&format!("{JOBS}/{id}")).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Sends a command to a job, which takes it.
pub async fn command(stack: &Stack, id: &str, command: &str) -> Value {
    let (status, answer) = stack.post(&format!("{JOBS}/{id}/{command}"), &json!({})).await;
    assert_eq!(status, 200, "{command} of {id}: {answer}");
    answer
}

/// Deletes a job, or cancels it while it is under way.
pub async fn delete(stack: &Stack, id: &str) {
    let (status, answer) = call(stack, Method::DELETE, &format!("{JOBS}/{id}"), &json!({})).await;
    assert_eq!(status, 204, "{answer}");
}

/// Waits until a job satisfies `condition`, and sweeps as the schedule would.
pub async fn until(stack: &Stack, id: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
    while Instant::now() < deadline {
        poll.tick().await;
        last = job(stack, id).await;
        if condition(&last) {
            return last;
        }
        stack.sweep().await;
    }
    panic!("{id} is not {what}: {last:#}");
}

/// Waits until a job has a status; it must not fail unless that is meant.
pub async fn until_status(stack: &Stack, id: &str, status: &str) -> Value {
    until(stack, id, status, |job| {
        assert!(status == "failed" || job["status"] != "failed", "{job:#}");
        job["status"] == status
    })
    .await
}

/// Waits until a job has succeeded, its clips are in our bucket, and its credits are charged.
pub async fn succeeded(stack: &Stack, id: &str) -> Value {
    until_status(stack, id, "succeeded").await;
    until(stack, id, "copied and charged", |job| {
        job["creditsReserved"] == 0 && clips(job).iter().all(|clip| is_ours(&clip["url"]))
    })
    .await
}

/// Whether a URL is a link of this API to a file of a clip job.
pub fn is_ours(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.contains("/api/v1/files/clips/"))
}

/// The clips of a job.
pub fn clips(job: &Value) -> &[Value] {
    job["output"]["clips"].as_array().expect("a list")
}

/// What the mock worker did for a source.
pub async fn counts(stack: &Stack, source: &str) -> Value {
    stack.studio(&format!("/control/genesis/counts?source={source}")).await
}

/// The jobs that the mock worker has of a source, the oldest first.
pub async fn at_worker(stack: &Stack, source: &str) -> Vec<Value> {
    let all = stack.studio(&format!("/control/genesis/jobs?source={source}")).await;
    all["jobs"].as_array().expect("a list").clone()
}

/// Waits until the mock worker has so many jobs of a source.
pub async fn until_at_worker(stack: &Stack, source: &str, count: usize) -> Vec<Value> {
    stack
        .eventually(&format!("{count} jobs of {source} at the worker"), || async {
            let all = at_worker(stack, source).await;
            (all.len() >= count).then_some(all)
        })
        .await
}

/// Asserts that the mock worker got a source once, and cut it once.
pub async fn assert_cut_once(stack: &Stack, source: &str) {
    let counts = counts(stack, source).await;
    assert_eq!(counts["cut"], 1, "{counts:#}");
    let ids = counts["by_external_id"].as_object().expect("counts");
    assert!(ids.len() == 1 && ids.values().all(|count| *count == 1), "{counts:#}");
}

/// The newest entries of the operator's account that are about a job.
async fn entries_now(stack: &Stack, job: &str) -> Vec<Value> {
    let (status, account) = stack.get(&format!("{CREDITS}?limit=200")).await;
    assert_eq!(status, 200, "{account}");
    let all = account["transactions"].as_array().expect("a list").iter();
    all.filter(|entry| entry["relatedJobId"] == job).cloned().collect()
}

/// Waits until all work is done, and returns the entries about a job of an operator.
pub async fn entries(stack: &Stack, job: &str) -> Vec<Value> {
    stack.assert_queues_empty().await;
    until_idle(stack).await;
    entries_now(stack, job).await
}

/// Waits for the charge of a job of an operator, which must be the only one, and asserts its credits.
pub async fn assert_charged_once(stack: &Stack, job: &str, credits: u64) {
    stack
        .eventually(&format!("{job} is charged"), || async {
            (!entries_now(stack, job).await.is_empty()).then_some(())
        })
        .await;
    let entries = entries(stack, job).await;
    let [entry] = entries.as_slice() else { panic!("one charge of {job}: {entries:#?}") };
    let amount = -i64::try_from(credits).expect("a few");
    assert_eq!((&entry["type"], &entry["amount"]), (&json!("usage"), &json!(amount)), "{entry:#}");
}
