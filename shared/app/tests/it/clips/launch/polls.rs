//! Polls: what the worker says of a job that it has, and what follows if it has forgotten the job.

use reelhook_app::outbound::{Method, OutboundError};
use reelhook_domain::clips::event::{Event, ReportKind, WorkerReport};
use reelhook_domain::clips::run::WorkerState;
use reelhook_domain::{ClipJobId, ClipStatus};
use reelhook_testkit::{Answer, Stack, header, response};

use super::{accepting, apply, create, job, paths, sent, state, submitted, work, worker_id};

/// A job that the worker has as `g-1`.
async fn accepted() -> (Stack, ClipJobId) {
    let stack = accepting();
    let id = create(&stack, 1);
    work(&stack, &id).await;
    (stack, id)
}

/// The time of the next poll comes, and the worker answers it so.
async fn next_poll(stack: &Stack, id: &ClipJobId, answer: impl Fn() -> Answer + Send + Sync + 'static) {
    let WorkerState::Submitted { next_at, .. } = state(stack, id) else { panic!("not submitted") };
    stack.world.set(next_at);
    stack.http.script(move |_| answer());
    work(stack, id).await;
}

#[tokio::test]
async fn a_worker_that_reports_nothing_is_polled_until_the_end() {
    let (stack, id) = accepted().await;
    next_poll(&stack, &id, || Ok(response(200, r#"{"job_id": "g-1", "status": "pending"}"#))).await;
    assert_eq!(job(&stack, &id).status, ClipStatus::Queued);
    let rendering =
        r#"{"job_id": "g-1", "status": "rendering", "progress_percent": 65, "current_step": "Rendering 3/5"}"#;
    next_poll(&stack, &id, move || Ok(response(200, rendering))).await;
    let running = job(&stack, &id);
    assert_eq!((running.status, running.run.progress), (ClipStatus::Running, 65));
    assert_eq!(running.run.stage, "Rendering 3/5");
    let completed = r#"{"job_id": "g-1", "status": "completed", "progress_percent": 100, "output": {
        "total_clips": 1, "source_video_duration_seconds": 120.0,
        "clips": [{"clip_index": 0, "s3_url": "/app/output/g-1/clip_00.mp4", "duration_ms": 45000, "virality_score": 0.92}]
    }}"#;
    next_poll(&stack, &id, move || Ok(response(200, completed))).await;
    let ended = job(&stack, &id);
    assert_eq!((ended.status, ended.clips.len()), (ClipStatus::Succeeded, 1));
    let file = ended.clips[0].file.as_ref().unwrap();
    assert_eq!(file.source.as_ref().unwrap().as_written(), "https://genesis.example/outputs/g-1/clip_00.mp4");
    let polls = sent(&stack, Method::Get);
    assert!(polls.iter().all(|poll| poll.url.path() == "/ai-clipping/jobs/g-1"));
    assert_eq!((polls.len(), header(&polls[0], "x-genesis-api-key")), (3, "the key of clips".to_owned()));
    stack.world.advance_s(3600);
    work(&stack, &id).await;
    assert_eq!(stack.http.requests().len(), 4, "nothing is polled after the end");
}

#[tokio::test]
async fn a_failure_is_stored_without_our_secrets() {
    let (stack, id) = accepted().await;
    let failed = r#"{"status": "failed", "error": "callback with the key of clips: Video is unavailable"}"#;
    next_poll(&stack, &id, move || Ok(response(200, failed))).await;
    let error = job(&stack, &id).error.unwrap();
    assert!(error.contains("Video is unavailable") && !error.contains("the key of clips"), "{error}");
}

#[tokio::test]
async fn a_poll_without_a_usable_answer_changes_nothing_that_people_see() {
    let answers: [fn() -> Answer; 5] = [
        || Err(OutboundError::TimedOut(20_000)),
        || Ok(response(500, "{}")),
        || Ok(response(200, "<html>")),
        || Ok(response(200, r#"{"job_id": "g-1", "status": "sleeping"}"#)),
        || Ok(response(200, r#"{"job_id": "g-2", "status": "failed", "error": "of another job"}"#)),
    ];
    for answer in answers {
        let (stack, id) = accepted().await;
        let before = job(&stack, &id);
        next_poll(&stack, &id, answer).await;
        let after = job(&stack, &id);
        assert_eq!((after.status, after.run.progress, &after.run.stage), (before.status, 0, &before.run.stage));
        assert!(matches!(state(&stack, &id), WorkerState::Submitted { missing: 0, .. }));
    }
}

fn report(kind: ReportKind) -> Box<WorkerReport> {
    let (progress, clips_completed, total_clips) = (Some(100), Some(3), Some(3));
    Box::new(WorkerReport { progress, clips_completed, total_clips, ..WorkerReport::of(kind) })
}

#[tokio::test]
async fn a_job_that_the_worker_lost_is_submitted_once_more_under_a_new_id() {
    let (stack, id) = accepted().await;
    let missing = || Ok(response(404, r#"{"detail": "Job not found"}"#));
    next_poll(&stack, &id, missing).await;
    next_poll(&stack, &id, missing).await;
    assert_eq!(job(&stack, &id).run.engine.worker().unwrap().number, 2);
    stack.http.script(|_| Ok(response(202, r#"{"job_id": "g-2"}"#)));
    work(&stack, &id).await;
    assert_eq!(submitted(&stack), [id.uuid().to_owned(), id.external_id(2)]);
    assert_ne!(id.external_id(2), id.uuid());

    // The old submission completes after all.
    let late = Event::Reported { number: 1, id: None, report: report(ReportKind::Completed), polled: false };
    assert!(!apply(&stack, &id, &late));
    let WorkerState::Submitted { id: known, .. } = state(&stack, &id) else { panic!("not submitted") };
    assert_eq!((known, job(&stack, &id).status), (worker_id("g-2"), ClipStatus::Queued));

    next_poll(&stack, &id, missing).await;
    next_poll(&stack, &id, missing).await;
    assert_eq!(job(&stack, &id).status, ClipStatus::Failed, "one resubmission is enough");
    assert_eq!((submitted(&stack).len(), paths(&stack, Method::Get).len()), (2, 4));
}
