//! Responses of the worker: the run starts, waits, or has failed.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::outbound::OutboundError;
use reelhook_app::outbox::rows::kept_lines;
use reelhook_domain::{Event, Job, Status, StepStatus, WebUrl, Worker};
use reelhook_testkit::{Answer, NOON, Stack, body_of, header, keys, response, run, step, with_header};

use super::{requested_jobs, start};

/// A job after this response of the worker to its first request, with all immediate effects.
async fn after(answer: Answer) -> (Stack, Job) {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.http.script(move |_| answer.clone());
    stack.settle().await;
    let job = stack.jobs.get(&id);
    (stack, job)
}

#[tokio::test]
async fn an_accepted_run_is_processing_with_the_worker_s_data() {
    let body = r#"{"accepted": true, "worker_id": "gpu-7", "cancel_url": "https://worker.example/cancel/1"}"#;
    for status in [200, 201, 202] {
        let (_, job) = after(Ok(response(status, body))).await;
        assert_eq!((job.status, job.run.times.started_at), (Status::Processing, Some(NOON)), "{status}");
        assert_eq!(worker(&job).id.as_deref(), Some("gpu-7"));
        assert_eq!(worker(&job).cancel_url, WebUrl::parse("https://worker.example/cancel/1"));
        assert_eq!(job.due_at, Some(NOON.after(Duration::from_secs(30 * 60))));
    }
}

#[tokio::test]
async fn a_minimal_acceptance_is_enough() {
    for body in ["", "OK", "{}", r#"{"accepted": true, "worker_id": 7, "cancel_url": "javascript:alert(1)"}"#] {
        let (_, job) = after(Ok(response(200, body))).await;
        assert_eq!((job.status, worker(&job).id, worker(&job).cancel_url), (Status::Processing, None, None), "{body}");
    }
}

#[tokio::test]
async fn long_texts_of_a_worker_are_cut() {
    let long = "é".repeat(20_000);
    let body = serde_json::json!({ "worker_id": long, "cancel_url": format!("https://worker.example/{long}") });
    let (_, job) = after(Ok(response(200, body.to_string()))).await;
    assert_eq!(job.status, Status::Processing);
    assert_eq!(
        (worker(&job).id.map(|id| id.len()), worker(&job).cancel_url),
        (Some(128), None),
        "a part of a URL is another one"
    );
    let (_, job) = after(Ok(response(400, serde_json::json!({ "error": format!("quota {long}") }).to_string()))).await;
    assert_eq!((job.status, job.run.error.map(|error| error.len())), (Status::Failed, Some(2048)));
}

#[tokio::test]
async fn a_truncated_acceptance_is_an_acceptance() {
    for why in [OutboundError::Reset, OutboundError::TimedOut(15_000)] {
        let mut truncated = response(202, r#"{"accepted": true, "worker_id": "gpu"#);
        truncated.cut_short = Some(why);
        let (stack, job) = after(Ok(truncated)).await;
        assert_eq!((job.status, worker(&job).id), (Status::Processing, None));
        assert_eq!(requested_jobs(&stack).len(), 1, "another request might start another run");
    }
}

#[tokio::test]
async fn a_busy_worker_defers_the_start_and_uses_no_retry() {
    let check = async |answer: Answer, wait_s: u64, said: &str| {
        let (stack, job) = after(answer).await;
        let ready = NOON.after(Duration::from_secs(wait_s));
        let lines: Vec<String> = kept_lines(&job).into_iter().map(|(_, line)| line.entry.message).collect();
        assert_eq!((job.status, job.run.attempt, job.retries.used), (Status::Pending, 1, 0), "{said}");
        assert_eq!((job.run.start.ready_at, job.run.start.claim), (ready, None), "{said}");
        assert_eq!(job.due_at, Some(ready.after(Duration::from_secs(60))), "{said}");
        assert!(stack.jobs.admission_item().active.is_empty(), "the slot is free again: {said}");
        assert!(lines.iter().any(|line| line.contains(said)), "{said}: {lines:?}");
        // The hint shows when it is ready.
        stack.world.advance_s(wait_s.min(900));
        stack.http.script(|_| Ok(response(200, "{}")));
        stack.settle().await;
        let expected = if wait_s <= 900 { Status::Processing } else { Status::Pending };
        assert_eq!(stack.jobs.get(&job.id).status, expected, "{said}");
    };
    let asking = |status, wait: &str| Ok(with_header(response(status, ""), "Retry-After", wait));
    check(Ok(response(429, "")), 5, "worker answered 429").await;
    check(asking(429, "40"), 40, "worker answered 429").await;
    check(asking(429, "1"), 5, "worker answered 429").await;
    check(asking(503, "Mon, 01 Jan 2024 12:10:00 GMT"), 600, "worker answered 503").await;
    check(asking(503, "Monday, 01-Jan-24 12:10:00 GMT"), 600, "worker answered 503").await;
    check(asking(429, "Mon Jan  1 12:10:00 2024"), 600, "worker answered 429").await;
    check(asking(503, "86400"), 3600, "worker answered 503").await;
    check(Ok(response(500, r#"{"error": "boom"}"#)), 5, "worker answered 500").await;
    check(Ok(response(302, "")), 5, "worker answered 302").await;
    check(Err(OutboundError::Refused), 5, "worker not reached: ECONNREFUSED").await;
    check(Err(OutboundError::TimedOut(15_000)), 5, "worker not reached: ETIMEDOUT").await;
    let forbidden = OutboundError::Forbidden { host: "10.0.0.1".to_owned() };
    check(Err(forbidden), 5, "worker not reached: ENOTFOUND").await;
}

#[tokio::test]
async fn waits_for_a_busy_worker_double_up_to_five_minutes() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.http.script(|_| Ok(response(503, "")));
    let mut waits = Vec::new();
    for _ in 0..9 {
        stack.settle().await;
        let ready = stack.jobs.get(&id).run.start.ready_at;
        waits.push((ready.0 - reelhook_app::clock::ClockAndRandom::now(&*stack.world).0) / 1000);
        stack.world.set(ready);
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(stack.jobs.get(&id).run.attempt, 1);
}

#[tokio::test]
async fn one_busy_response_ends_the_hint() {
    let stack = Stack::default();
    for n in 0..3 {
        stack.submit(n);
    }
    stack.http.script(|_| Ok(response(503, "")));
    assert_eq!(start(&stack).await, 0);
    assert_eq!(requested_jobs(&stack).len(), 1, "the other jobs would get the same response");
}

#[tokio::test]
async fn a_refusal_is_a_failed_run_with_the_worker_s_reason() {
    let check = async |answer: Answer, status: Status, error: Option<&str>, attempt: u32| {
        let shown = format!("{answer:?}");
        let (_, job) = after(answer).await;
        assert_eq!((job.status, job.run.error.as_deref(), job.run.attempt), (status, error, attempt), "{shown}");
    };
    let no_credits = r#"{"error": "Insufficient credits"}"#;
    check(Ok(response(400, no_credits)), Status::Failed, Some("Insufficient credits"), 1).await;
    check(Ok(response(422, no_credits)), Status::Failed, Some("Insufficient credits"), 1).await;
    let refused = r#"{"accepted": false, "error": "No movies found"}"#;
    check(Ok(response(200, refused)), Status::Failed, Some("No movies found"), 1).await;
    // What another run may mend gets one: the class of the message decides.
    check(Ok(response(400, r#"{"error": "browser crashed"}"#)), Status::Pending, None, 2).await;
    check(Ok(response(404, "")), Status::Pending, None, 2).await;
    check(Ok(response(200, r#"{"accepted": false}"#)), Status::Pending, None, 2).await;
}

#[tokio::test]
async fn a_refusal_does_not_block_the_next_job() {
    let stack = Stack::default();
    let (bad, good) = (stack.submit(1), stack.submit(2));
    let refused = bad.clone();
    stack.http.script(move |request| {
        let is_bad = body_of(request)["job_id"] == refused.as_str();
        Ok(if is_bad { response(400, r#"{"error": "Payment required"}"#) } else { response(200, "{}") })
    });
    start(&stack).await;
    assert_eq!(stack.jobs.get(&bad).status, Status::Failed);
    assert_eq!(stack.jobs.get(&good).status, Status::Processing);
}

#[tokio::test]
async fn a_callback_before_the_response_is_applied() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (jobs, policy, mine) = (Arc::clone(&stack.jobs), stack.policy.clone(), id.clone());
    stack.http.script(move |_| {
        assert!(jobs.apply(&mine, &step(1, 3, StepStatus::Started, None), NOON, &policy));
        Ok(response(200, r#"{"worker_id": "gpu-7", "cancel_url": "https://worker.example/cancel"}"#))
    });
    start(&stack).await;
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.run.engine.steps().unwrap().current), (Status::Processing, 3));
    assert_eq!(worker(&job).id.as_deref(), Some("gpu-7"), "and the worker is known all the same");
    assert!(job.run.start.claim.is_some(), "it holds its slot");
}

#[tokio::test]
async fn a_run_that_ends_before_the_response_stays_ended_and_is_not_cancelled() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (jobs, policy, mine) = (Arc::clone(&stack.jobs), stack.policy.clone(), id.clone());
    stack.http.script(move |request| {
        if body_of(request).get("parameters").is_some() {
            for event in run(1, None) {
                jobs.apply(&mine, &event, NOON, &policy);
            }
        }
        Ok(response(200, r#"{"cancel_url": "https://worker.example/cancel"}"#))
    });
    start(&stack).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
    let urls: Vec<String> = stack.http.requests().iter().map(|request| request.url.to_string()).collect();
    assert_eq!(urls, ["https://worker.example/run"], "a worker that is done is not cancelled");
}

#[tokio::test]
async fn a_job_that_is_cancelled_during_its_start_is_cancelled_at_the_worker() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (jobs, policy, mine) = (Arc::clone(&stack.jobs), stack.policy.clone(), id.clone());
    stack.http.script(move |request| {
        if body_of(request).get("parameters").is_some() {
            assert!(jobs.apply(&mine, &Event::Cancel, NOON, &policy));
        }
        Ok(response(200, r#"{"cancel_url": "https://worker.example/cancel"}"#))
    });
    start(&stack).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Cancelled);
    let requests = stack.http.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].url.as_str(), "https://worker.example/cancel");
    assert_eq!(body_of(&requests[1]), serde_json::json!({ "job_id": id.as_str(), "attempt": 1 }));
    let hex = header(&requests[1], "x-streamgank-signature");
    reelhook_signing::streamgank::verify_hex(&requests[1].body, &hex, &keys()).unwrap();
    assert_ne!(header(&requests[0], "webhook-id"), header(&requests[1], "webhook-id"));
}

#[tokio::test]
async fn a_worker_without_a_cancel_url_gets_no_cancellation() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (jobs, policy, mine) = (Arc::clone(&stack.jobs), stack.policy.clone(), id.clone());
    stack.http.script(move |_| {
        jobs.apply(&mine, &Event::Cancel, NOON, &policy);
        Ok(response(200, "{}"))
    });
    start(&stack).await;
    assert_eq!(stack.http.requests().len(), 1);
}

#[tokio::test]
async fn a_later_cancellation_is_sent_once_to_the_worker() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.http.script(|_| Ok(response(200, r#"{"cancel_url": "https://worker.example/cancel"}"#)));
    stack.settle().await;
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    stack.settle().await;
    let cancellations: Vec<_> =
        stack.http.requests().into_iter().filter(|request| request.url.path() == "/cancel").collect();
    assert_eq!(cancellations.len(), 1);
    assert_eq!(body_of(&cancellations[0])["attempt"], 1);
}

#[tokio::test]
async fn a_failed_cancellation_at_the_worker_blocks_nothing() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.http.script(|request| match request.url.path() {
        "/cancel" => Err(OutboundError::Refused),
        _ => Ok(response(200, r#"{"cancel_url": "https://worker.example/cancel"}"#)),
    });
    stack.settle().await;
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    stack.settle().await;
    assert!(stack.work.waiting().is_empty());
    assert_eq!(stack.jobs.get(&id).status, Status::Cancelled);
}

fn worker(job: &Job) -> Worker {
    job.run.engine.external().unwrap().worker.clone()
}
