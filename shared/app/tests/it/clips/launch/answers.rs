//! The answers to submissions: accepted, refused, or lost.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::clips::worker::WORKER;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_domain::ClipStatus;
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::run::WorkerState;
use reelhook_testkit::{Answer, Fault, NOON, Stack, response, with_header};

use super::{accepting, apply, create, job, paths, ports, state, submitted, work, work_on, worker_id};

#[tokio::test]
async fn an_accepted_submission_is_polled_after_a_minute_without_a_report() {
    let stack = accepting();
    let id = create(&stack, 1);
    work(&stack, &id).await;
    let WorkerState::Submitted { id: known, next_at, .. } = state(&stack, &id) else { panic!("not submitted") };
    assert_eq!((known, next_at), (worker_id("g-1"), NOON.after(Duration::from_secs(60))));
    assert_eq!(stack.scenes.projects.faults.calls("save_circuit"), 0, "a healthy worker costs no write");
    stack.world.advance_s(59);
    work(&stack, &id).await;
    assert_eq!(stack.http.requests().len(), 1, "nothing is due");
}

#[tokio::test]
async fn what_may_have_arrived_is_never_sent_again_blindly() {
    let lost: [fn() -> Answer; 6] = [
        || Err(OutboundError::TimedOut(20_000)),
        || Err(OutboundError::Reset),
        || Ok(response(500, "Internal Server Error")),
        || Ok(response(502, "<html>")),
        || Ok(response(200, r#"{"ok": true}"#)),
        || Ok(response(202, r#"{"job_id": ""#)),
    ];
    for answer in lost {
        let stack = Stack::default();
        // Look-ups have no answer either.
        stack.http.script(
            move |request| {
                if request.method == Method::Post { answer() } else { Err(OutboundError::TimedOut(20_000)) }
            },
        );
        let id = create(&stack, 1);
        work(&stack, &id).await;
        assert!(matches!(state(&stack, &id), WorkerState::Unclear { lookups: 0, .. }));
        // A day and an hour.
        for _ in 0..1500 {
            stack.world.advance_s(60);
            apply(&stack, &id, &Event::Tick);
            work(&stack, &id).await;
        }
        assert_eq!(submitted(&stack).len(), 1, "one submission, whatever happens");
        assert_eq!(job(&stack, &id).status, ClipStatus::Failed, "the deadline has passed");
    }
}

#[tokio::test]
async fn a_busy_worker_gets_nothing_for_the_time_that_it_names() {
    for (status, body, value) in [(429, r#"{"retry_after": 90}"#, None), (503, "", Some("90"))] {
        let stack = Stack::default();
        stack.http.script(move |_| {
            let response = response(status, body);
            Ok(match value {
                Some(value) => with_header(response, "Retry-After", value),
                None => response,
            })
        });
        let id = create(&stack, 1);
        work(&stack, &id).await;
        let WorkerState::Waiting { ready_at, .. } = state(&stack, &id) else { panic!("not waiting") };
        assert_eq!(ready_at, NOON.after(Duration::from_secs(90)));
        stack.world.advance_s(89);
        work(&stack, &id).await;
        assert_eq!(submitted(&stack).len(), 1);
        stack.world.set(ready_at);
        work(&stack, &id).await;
        assert_eq!(submitted(&stack), [id.uuid(), id.uuid()], "it is the same submission");
    }
}

#[tokio::test]
async fn what_is_always_refused_fails_the_job_with_the_worker_s_sentence() {
    let invalid = r#"{"detail": [{"loc": ["body", "max_clips"], "msg": "must be at most 20"}]}"#;
    for (status, body, expected) in [
        (400, r#"{"detail": "Unsupported URL"}"#, "Unsupported URL"),
        (401, r#"{"detail": "Invalid API key"}"#, "Invalid API key"),
        (422, invalid, "body.max_clips: must be at most 20"),
    ] {
        let stack = Stack::default();
        stack.http.script(move |_| Ok(response(status, body)));
        let id = create(&stack, 1);
        work(&stack, &id).await;
        let failed = job(&stack, &id);
        assert_eq!(failed.status, ClipStatus::Failed);
        assert!(failed.error.as_ref().is_some_and(|error| error.contains(expected)), "{:?}", failed.error);
        assert_eq!(submitted(&stack).len(), 1);
    }
}

#[tokio::test]
async fn no_secret_of_ours_is_shown_in_an_error() {
    let stack = Stack::default();
    stack.http.script(|request| {
        let body = String::from_utf8_lossy(&request.body).replace('"', "'");
        Ok(response(400, format!(r#"{{"detail": "the key of clips: bad request {body}"}}"#)))
    });
    let id = create(&stack, 1);
    work(&stack, &id).await;
    let error = job(&stack, &id).error.unwrap();
    assert!(error.contains("bad request") && !error.contains("the key of clips") && !error.contains("w1."), "{error}");
}

#[tokio::test]
async fn a_submission_that_was_never_sent_is_sent_again() {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::Refused));
    let id = create(&stack, 1);
    work(&stack, &id).await;
    let WorkerState::Waiting { ready_at, .. } = state(&stack, &id) else { panic!("not waiting") };
    assert_eq!(stack.scenes.projects.circuit_of(WORKER).failures, 1);
    stack.http.script(|_| Ok(response(200, r#"{"job_id": 17}"#)));
    stack.world.set(ready_at);
    work(&stack, &id).await;
    assert_eq!(submitted(&stack), [id.uuid(), id.uuid()]);
    let WorkerState::Submitted { id: known, .. } = state(&stack, &id) else { panic!("not submitted") };
    assert_eq!(known, worker_id("17"));
    assert_eq!(stack.scenes.projects.circuit_of(WORKER).failures, 0);
}

#[tokio::test]
async fn two_hints_at_once_make_one_submission() {
    let stack = accepting();
    let id = create(&stack, 1);
    let (stack, id) = (&stack, &id);
    futures_util::future::join(work(stack, id), work(stack, id)).await;
    assert_eq!(submitted(stack).len(), 1);
}

#[tokio::test]
async fn an_answer_that_could_not_be_recorded_counts_as_lost() {
    let stack = accepting();
    let id = create(&stack, 1);
    // The claim is saved, the answer is not.
    stack.clips.jobs.faults.inject("save", [Fault::Pass, Fault::Busy]);
    assert!(work_on(&ports(&stack), &id).await.is_err());
    assert!(matches!(state(&stack, &id), WorkerState::Submitting { .. }));
    stack.world.advance_s(60);
    assert!(apply(&stack, &id, &Event::Tick));
    assert!(matches!(state(&stack, &id), WorkerState::Unclear { .. }));
    stack.world.advance_s(60);
    work(&stack, &id).await;
    assert_eq!((submitted(&stack).len(), paths(&stack, Method::Get).len()), (1, 1), "it is looked up");
}

#[tokio::test]
async fn a_submission_of_a_job_that_was_canceled_meanwhile_is_canceled_at_the_worker() {
    /// What the worker answers, and the path of the cancellation unless it has the external id.
    type Case = (fn() -> Answer, Option<&'static str>);
    let answers: [Case; 3] = [
        (|| Ok(response(202, r#"{"job_id": "g-1"}"#)), Some("/ai-clipping/jobs/g-1")),
        (|| Err(OutboundError::TimedOut(20_000)), None),
        (|| Ok(response(502, "<html>")), None),
    ];
    for (answer, expected) in answers {
        let stack = Stack::default();
        let id = create(&stack, 1);
        let (jobs, policy, canceled) = (Arc::clone(&stack.clips.jobs), stack.clips.policy.clone(), id.clone());
        stack.http.script(move |request| {
            if request.method == Method::Post {
                assert!(jobs.apply(&canceled, &Event::Cancel, NOON, &policy));
                return answer();
            }
            Ok(response(204, ""))
        });
        work(&stack, &id).await;
        // What may be there is known by the external id.
        let external = format!("/ai-clipping/jobs/{}", id.uuid());
        assert_eq!(paths(&stack, Method::Delete), [expected.unwrap_or(&external)]);
        assert_eq!(job(&stack, &id).status, ClipStatus::Canceled);
    }
}

#[tokio::test]
async fn a_cancellation_that_the_worker_does_not_confirm_goes_through_the_queue() {
    let canceled = [Event::Cancel, Event::Retry { reserved: 10 }];
    for events in [&canceled[..1], &canceled[..], &[Event::Delete][..]] {
        let stack = Stack::default();
        let id = create(&stack, 1);
        let (jobs, policy, changed) = (Arc::clone(&stack.clips.jobs), stack.clips.policy.clone(), id.clone());
        let events = events.to_vec();
        stack.http.script(move |request| {
            if request.method == Method::Post {
                assert!(events.iter().all(|event| jobs.apply(&changed, event, NOON, &policy)));
                return Ok(response(202, r#"{"job_id": "g-1"}"#));
            }
            Ok(response(503, ""))
        });
        work(&stack, &id).await;
        assert_eq!(paths(&stack, Method::Delete), ["/ai-clipping/jobs/g-1"]);
        let versions = stack.clips.jobs.stream();
        stack.fan_out(&versions[versions.len() - 1..]).await.unwrap();
        let queued: Vec<WorkMessage> = stack.work.receive();
        assert!(queued.contains(&WorkMessage::CancelClip { job_id: id, number: 1 }), "{queued:?}");
    }
}

#[tokio::test]
async fn without_a_worker_a_job_that_waits_for_one_fails() {
    let mut stack = Stack::default();
    let id = create(&stack, 1);
    stack.clips.worker = None;
    work(&stack, &id).await;
    let failed = job(&stack, &id);
    assert_eq!((failed.status, stack.http.requests().len()), (ClipStatus::Failed, 0));
    assert!(failed.error.is_some_and(|error| error.contains("CLIPPING_WORKER_URL")));
    assert_eq!(stack.world.now(), NOON);
}
