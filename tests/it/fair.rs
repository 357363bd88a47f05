//! Fair slots (ADR 54): an owner with very many waiting jobs does not delay others.
//!
//! The test is short by default; `REELHOOK_FULL=1` gives the first owner 10,000 jobs, and FAIR_JOBS any other number. There
//! are as many others as slots, at most 50: with `MaxWorkers=50` it is the case of the ADR.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::clips::tokens::Owner;
use crate::stack::Stack;

/// What the worker does: eight reports, one each 200 ms.
const SCENARIO: &str = "studio:step_ms=200";
/// Requests at once.
const AT_ONCE: usize = 8;
/// Owners with one job at most.
const OTHERS: usize = 50;

/// The number of jobs of the first owner.
fn jobs() -> usize {
    let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
    let given = std::env::var("FAIR_JOBS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(if full { 10_000 } else { 200 })
}

async fn submit(stack: &Stack, owner: &Owner) -> String {
    let body = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": SCENARIO });
    let (status, answer) = owner.post(stack, "/api/generate", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer["jobId"].as_str().expect("jobId").to_owned()
}

async fn stats(stack: &Stack) -> Value {
    let (status, answer) = stack.get("/api/queue/status").await;
    assert_eq!(status, 200, "{answer}");
    answer["stats"].clone()
}

/// How long a job waited for its first request to the worker, and how long the worker was busy with it, in milliseconds.
async fn times(stack: &Stack, job: &str) -> (i64, i64) {
    let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    let posted = seen["posts"][0]["at_ms"].as_i64().expect("a request");
    let callbacks = seen["runs"][0]["callbacks"].as_array().expect("callbacks");
    let done = callbacks.last().expect("a callback")["at_ms"].as_i64().expect("milliseconds");
    let created = stack.stored(job).await.created_at.millis();
    (posted - created, done - posted)
}

#[tokio::test]
async fn an_owner_with_many_waiting_jobs_does_not_delay_others() {
    let stack = Stack::open().await;
    let slots = usize::try_from(stats(&stack).await["maxWorkers"].as_u64().expect("a number")).expect("a size");
    let many = Owner::of(&stack, "fair-many").await;
    let submitted = (0..jobs()).map(|_| submit(&stack, &many));
    stream::iter(submitted).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    stack
        .eventually("each slot is taken by the first owner", || async {
            (stats(&stack).await["availableWorkers"] == 0).then_some(())
        })
        .await;

    let mut others = Vec::new();
    for n in 0..slots.min(OTHERS) {
        others.push(Owner::of(&stack, &format!("fair-{n}")).await);
    }
    let submitted = others.iter().map(|owner| submit(&stack, owner));
    let waiting: Vec<String> = stream::iter(submitted).buffer_unordered(AT_ONCE).collect().await;
    let (mut waits, mut services) = (Vec::new(), Vec::new());
    for job in &waiting {
        stack.until_status(job, "completed").await;
        let (wait, service) = times(&stack, job).await;
        waits.push(wait);
        services.push(service);
    }
    waits.sort_unstable();
    services.sort_unstable();
    let (slow, service) = (waits[(waits.len() * 95).div_ceil(100) - 1], services[services.len() / 2]);
    let behind = stats(&stack).await["pending"].as_u64().unwrap_or_default();
    println!(
        "{} owners waited {slow} ms (95th percentile) for a service of {service} ms; {behind} jobs wait",
        others.len()
    );
    assert!(behind > 0, "the first owner still waits");
    assert!(slow <= 2 * service, "{waits:?} for {services:?}");

    // The rest is cancelled, so that the next test does not wait for it.
    let (status, answer) = stack.post("/api/queue/clear", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    stack.eventually("no job waits", || async { (!stack.aws.is_busy().await).then_some(()) }).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    stack.assert_queues_empty().await;
}
