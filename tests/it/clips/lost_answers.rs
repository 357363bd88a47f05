//! A worker that loses 30 percent of its answers to submissions: no source is cut twice, and nobody is charged twice.
//!
//! The test is short by default; `REELHOOK_FULL=1` gives it 1,000 jobs, and CLIP_SUBMISSIONS any other number.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::interval;

use super::backends::Backends;
use super::job::{CREDITS, JOBS, PRICE, counts, fast, of_page, open, page};
use super::tokens::Owner;
use crate::kills::{number, sweep};
use crate::scenes::project::text;
use crate::stack::Stack;

/// How long nothing may happen.
const STALLED: Duration = Duration::from_secs(120);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// Requests at once.
const AT_ONCE: usize = 8;
/// Entries of a page of the account.
const PAGE: usize = 200;

/// The number of jobs.
fn submissions() -> u64 {
    let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
    number("CLIP_SUBMISSIONS", if full { 1000 } else { 100 })
}

#[tokio::test]
async fn lost_answers_are_looked_up_and_no_source_is_cut_or_charged_twice() {
    let stack = open(Backends::Worker).await;
    let (owner, page, total) = (Owner::of(&stack, "lost").await, page(), submissions());
    // No report ends what is unclear.
    let mut losing = fast(json!({
        "submit": { "lose_percent": 30, "lose_with": "mixed" }, "report": { "silent": true },
        "clip": { "count": 1, "no_documents": true },
    }));
    losing["seed"] = json!(std::process::id());
    stack.control("genesis", losing).await;
    let pages: Vec<String> = (0..total).map(|number| format!("{page}-{number}")).collect();
    let created = pages.iter().map(|page| create(&stack, &owner, page));
    let jobs: Vec<String> = stream::iter(created).buffered(AT_ONCE).collect().await;
    until_charged(&stack, &owner, total).await;

    let (mut cut, mut lost) = (0, 0);
    for (job, page) in jobs.iter().zip(&pages) {
        let counts = counts(&stack, page).await;
        assert_eq!(counts["by_external_id"], json!({ job.as_str(): 1 }), "{counts:#}");
        cut += counts["cut"].as_u64().expect("a number");
        lost += counts["lost"].as_u64().expect("a number");
    }
    println!("{lost} of {total} answers were lost, {cut} sources were cut");
    assert_eq!(cut, total, "each source is cut once");
    assert!(lost * 100 > total * 10, "{lost} of {total}");

    let mut charged = charged_jobs(&stack, &owner).await;
    let mut expected = jobs;
    charged.sort_unstable();
    expected.sort_unstable();
    assert_eq!(charged, expected, "each job is charged once");
    // Their copies are not what this test is about.
    for job in &expected {
        let (status, answer) = owner.call(&stack, Method::DELETE, &format!("{JOBS}/{job}"), &json!({})).await;
        assert_eq!(status, 204, "{answer}");
    }
    stack.assert_queues_empty().await;
}

/// Creates a job of an owner, and returns its id.
async fn create(stack: &Stack, owner: &Owner, page: &str) -> String {
    let (status, job) = owner.post(stack, JOBS, &of_page(page)).await;
    assert_eq!(status, 201, "{job}");
    text(&job["id"])
}

/// Waits until each job is charged, as long as there is progress.
async fn until_charged(stack: &Stack, owner: &Owner, total: u64) {
    let (mut ticks, mut swept) = (interval(Duration::from_millis(500)), Instant::now());
    let (mut seen, mut moved) = (0, Instant::now());
    loop {
        ticks.tick().await;
        let (status, account) = owner.get(stack, &format!("{CREDITS}?limit=1")).await;
        assert_eq!(status, 200, "{account}");
        let now = account["totalSpent"].as_u64().expect("a number");
        assert!(now <= total * PRICE, "more is charged than there are jobs: {account}");
        if now == total * PRICE && account["reserved"] == 0 {
            return;
        }
        if now > seen {
            (seen, moved) = (now, Instant::now());
        }
        assert!(moved.elapsed() < STALLED, "{seen} of {} credits, and none for {STALLED:?}", total * PRICE);
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
}

/// The jobs of all charges of an account.
async fn charged_jobs(stack: &Stack, owner: &Owner) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = owner.get(stack, &format!("{CREDITS}?limit={PAGE}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let entries = page["transactions"].as_array().expect("a list");
        found.extend(entries.iter().map(|entry| text(&entry["relatedJobId"])));
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return found,
        }
    }
}
