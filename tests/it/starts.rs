//! Starts of runs when the worker is busy, refuses or is unreachable, and when a function crashes in between.

use reelhook_domain::{Decision, Event, Policy, Timestamp, decide};
use serde_json::{Value, json};

use crate::stack::Stack;

async fn posts(stack: &Stack, job: &str) -> Vec<Value> {
    let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    seen["posts"].as_array().expect("posts").clone()
}

#[tokio::test]
async fn a_busy_worker_is_retried_under_the_same_key() {
    let stack = Stack::open().await;
    for scenario in ["step_ms=5&answer=503&answer_times=2", "step_ms=5&answer=429&retry_after=2&answer_times=1"] {
        let job = stack.submit(scenario).await;
        stack.until_status(&job, "completed").await;
        let posts = posts(&stack, &job).await;
        assert!(posts.len() >= 2, "{posts:#?}");
        assert!(posts.iter().all(|post| post["idempotency_key"] == format!("{job}.1")), "{posts:#?}");
        assert!(posts.iter().all(|post| post["verification"]["standard_webhooks"]["ok"] == true), "{posts:#?}");
        if scenario.contains("429") {
            let apart = posts[1]["at_ms"].as_i64().expect("ms") - posts[0]["at_ms"].as_i64().expect("ms");
            assert!(apart >= 2000, "Retry-After is a floor: {apart} ms");
        }
    }
}

#[tokio::test]
async fn a_worker_that_refuses_fails_the_run_with_its_message() {
    let stack = Stack::open().await;
    let job = stack.submit("answer=422&error=Unauthorized%20template").await;
    let failed = stack.until_status(&job, "failed").await;
    assert_eq!(failed["error"], "Unauthorized template");
    stack.webhook("main", &job, "job.failed_no_retry").await;
}

#[tokio::test]
async fn an_unreachable_worker_is_retried_until_it_answers() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&vanish=post&answer_times=2").await;
    stack
        .eventually("a post that was not answered", || async {
            let posted = !posts(&stack, &job).await.is_empty();
            posted.then_some(())
        })
        .await;
    let waiting = stack.job(&job).await;
    assert_eq!((&waiting["retryCount"], &waiting["error"]), (&json!(0), &json!(null)));
    stack.until_status(&job, "completed").await;
    assert!(posts(&stack, &job).await.len() >= 3);
}

#[tokio::test]
async fn a_crash_between_claim_and_post_is_repaired_by_the_lease() {
    let stack = Stack::open().await;
    // The queue is stopped while the test writes the claim, as if the function had crashed right after it.
    let mut admission = stack.aws.admission().await;
    admission.paused = true;
    stack.aws.save_admission(&admission).await;
    let job = stack.submit("step_ms=5").await;
    let stored = stack.stored(&job).await;
    let now = Timestamp::parse(stack.job(&job).await["lastUpdate"].as_str().expect("a time")).expect("a time");
    let policy = Policy { claim_lease: std::time::Duration::from_secs(1), ..Policy::default() };
    let Decision::Apply(claimed) = decide(&stored, &Event::Claim, now, &policy) else {
        panic!("the job can be claimed")
    };
    stack.aws.save_job(&claimed).await;
    let slot = claimed.run.start.claim.as_ref().expect("a claim").slot.clone();
    let lease = now.after(std::time::Duration::from_secs(3600));
    let mut taken = reelhook_domain::Admission { paused: false, ..stack.aws.admission().await };
    taken = taken.take(&slot, now, lease, 10).expect("a slot");
    stack.aws.save_admission(&taken).await;

    stack.until_status(&job, "completed").await;
    assert_eq!(posts(&stack, &job).await.len(), 1);
    stack
        .eventually("the slot is released", || async { (stack.aws.admission().await.used() == 0).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_crash_between_post_and_confirm_is_repaired_by_the_run_itself() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=30&vanish=answer").await;
    stack.until_status(&job, "completed").await;
    let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    assert_eq!(seen["runs"].as_array().expect("runs").len(), 1, "a repeated key starts no run: {seen:#}");
}

#[tokio::test]
async fn twenty_jobs_wait_while_the_queue_is_stopped_and_none_is_lost() {
    let stack = Stack::open().await;
    let (_, answer) = stack.post("/api/queue/toggle", &json!({})).await;
    assert_eq!((&answer["isProcessing"], &answer["wasProcessing"]), (&json!(false), &json!(true)), "{answer}");
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(stack.submit("step_ms=5").await);
    }
    // Hints and sweeps start nothing.
    for _ in 0..5 {
        stack.sweep().await;
    }
    stack
        .eventually("the hints are processed", || async {
            let depths = stack.aws.depths().await;
            (depths[0].1 == 0).then_some(())
        })
        .await;
    for job in &jobs {
        assert_eq!(stack.job(job).await["status"], "pending");
    }
    let (_, answer) = stack.post("/api/queue/toggle", &json!({})).await;
    assert_eq!(answer["message"], "Queue processing started");
    for job in &jobs {
        let done = stack.until_status(job, "completed").await;
        assert_eq!((&done["retryCount"], &done["timeoutAt"]), (&json!(0), &json!(null)));
    }
    stack.assert_queues_empty().await;
}
