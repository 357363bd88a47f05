//! Job submission: queue position and counts, and an Idempotency-Key that creates one job for any number of requests.

use reelhook_domain::{Event, Job, JobKind, Metadata, Origin, Request, Status};
use std::time::Duration;

use futures_util::future::join_all;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::jobs::submit::{Submission, Submitted, submit};
use reelhook_app::store::StoreError;
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_testkit::{Fault, NOON, Stack, make_job, run, started};
use serde_json::json;

fn submission(key: Option<(&str, &str)>) -> Submission {
    Submission {
        kind: JobKind::Workflow,
        request: Request {
            input: json!({ "country": "US", "platform": "Netflix", "genre": "Horror" }),
            pause_after_extraction: true,
            callback: None,
            metadata: Metadata::default(),
            priority: Default::default(),
        },
        plan: None,
        origin: Origin { traceparent: Some("00-trace-01".to_owned()), ..called_by("caller") },
        key: key.map(|(key, body)| IdempotencyKey::new("caller", key, body)),
        usage: false,
    }
}

fn called_by(caller: &str) -> Origin {
    Origin { caller: Some(caller.to_owned()), ..Origin::default() }
}

/// The response of the tests: the job's id and its queue position.
fn position(job: &Job, counts: &QueueCounts) -> String {
    format!("{} is number {}", job.id, counts.pending + counts.processing + 1)
}

async fn make(stack: &Stack, submission: Submission) -> Result<Submitted, StoreError> {
    submit(&*stack.jobs, &*stack.world, &stack.policy, submission, position).await
}

fn answer(submitted: Result<Submitted, StoreError>) -> String {
    match submitted.unwrap() {
        Submitted::Answer(text) => text,
        Submitted::KeyReused => panic!("the key was used with another body"),
    }
}

#[tokio::test]
async fn a_job_is_created_as_requested() {
    let stack = Stack::default();
    let text = answer(make(&stack, submission(None)).await);
    let jobs = stack.jobs.all();
    let [job] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!(text, format!("{} is number 1", job.id));
    assert_eq!((job.status, job.version, job.run.attempt, job.created_at), (Status::Pending, 1, 1, NOON));
    assert_eq!(job.request.input, submission(None).request.input);
    assert!(job.request.pause_after_extraction);
    assert_eq!(
        (job.origin.caller.as_deref(), job.origin.traceparent.as_deref()),
        (Some("caller"), Some("00-trace-01"))
    );
    assert!(job.id.as_str().starts_with("job_1704110400000_"), "{}", job.id);
    assert_eq!(job.due_at, Some(NOON.after(Duration::from_secs(60))), "the sweep finds a job whose hint is lost");
    assert_eq!(stack.jobs.faults.calls("insert"), 1, "one write");
    assert_eq!(stack.jobs.faults.calls("insert_with_key"), 0);
}

#[tokio::test]
async fn the_queue_position_counts_waiting_and_running_jobs() {
    let stack = Stack::default();
    for n in 0..4 {
        stack.submit(n);
    }
    let ids: Vec<_> = stack.jobs.all().into_iter().map(|job| job.id).collect();
    let now = stack.world.now();
    for id in &ids[..2] {
        stack.jobs.apply(id, &Event::Claim, now, &stack.policy);
        stack.jobs.apply(id, &started(1), now, &stack.policy);
    }
    for event in run(1, Some("render_1")) {
        stack.jobs.apply(&ids[0], &event, now, &stack.policy);
    }
    stack.jobs.apply(&ids[3], &Event::Cancel, now, &stack.policy);
    // One job renders, one runs, one waits and one is cancelled: the new one is third.
    let counts = stack.jobs.counts();
    assert_eq!(
        (counts.rendering, counts.processing, counts.pending, counts.cancelled, counts.total()),
        (1, 1, 1, 1, 4)
    );
    let text = answer(make(&stack, submission(None)).await);
    assert!(text.ends_with("is number 3"), "{text}");
}

#[tokio::test]
async fn without_a_key_each_submission_creates_a_job() {
    let stack = Stack::default();
    for _ in 0..3 {
        answer(make(&stack, submission(None)).await);
    }
    assert_eq!(stack.jobs.all().len(), 3);
}

#[tokio::test]
async fn the_same_key_and_body_give_the_first_answer_again() {
    let stack = Stack::default();
    let first = answer(make(&stack, submission(Some(("key", "body")))).await);
    stack.submit(7);
    stack.world.advance_s(3600);
    let again = answer(make(&stack, submission(Some(("key", "body")))).await);
    assert_eq!(again, first, "with the queue position of the first request");
    assert_eq!(stack.jobs.all().len(), 2);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_creates_nothing() {
    let stack = Stack::default();
    answer(make(&stack, submission(Some(("key", "body")))).await);
    assert_eq!(make(&stack, submission(Some(("key", "other body")))).await.unwrap(), Submitted::KeyReused);
    assert_eq!(stack.jobs.all().len(), 1);
}

#[tokio::test]
async fn a_record_of_version_0_1_is_still_known() {
    let stack = Stack::default();
    let first = answer(make(&stack, submission(Some(("key", "of its bytes")))).await);
    let again = |former: &str| {
        let former = former.to_owned();
        let key = IdempotencyKey::new("caller", "key", "of its value").formerly_hashed(move || former.clone());
        Submission { key: Some(key), ..submission(None) }
    };
    assert_eq!(answer(make(&stack, again("of its bytes")).await), first);
    assert_eq!(make(&stack, again("of others")).await.unwrap(), Submitted::KeyReused);
    assert_eq!(stack.jobs.all().len(), 1);
}

#[tokio::test]
async fn a_caller_keeps_its_keys_when_its_fingerprint_changes() {
    let stack = Stack::default();
    let before = submission(Some(("key", "body")));
    let first = answer(make(&stack, before.clone()).await);
    let known = |body: &str, former: &[&str]| {
        let former: Vec<String> = former.iter().map(|name| (*name).to_owned()).collect();
        let caller = "fingerprint under a new secret";
        let key = Some(IdempotencyKey::new(caller, "key", body).formerly_of(move || former.clone()));
        Submission { origin: called_by(caller), key, ..submission(None) }
    };
    let former = before.origin.caller.as_deref().unwrap_or_default();
    assert_eq!(answer(make(&stack, known("body", &["older still", former])).await), first);
    assert_eq!(make(&stack, known("other body", &[former])).await.unwrap(), Submitted::KeyReused);
    assert_eq!(stack.jobs.all().len(), 1);
    assert_ne!(answer(make(&stack, known("body", &["another caller"])).await), first);
    assert_eq!(stack.jobs.all().len(), 2);
}

#[tokio::test]
async fn keys_belong_to_their_callers() {
    let stack = Stack::default();
    answer(make(&stack, submission(Some(("key", "body")))).await);
    let key = Some(IdempotencyKey::new("another caller", "key", "other body"));
    let other = Submission { origin: called_by("another caller"), key, ..submission(None) };
    answer(make(&stack, other).await);
    assert_eq!(stack.jobs.all().len(), 2);
}

#[tokio::test]
async fn twenty_repetitions_at_once_create_one_job_and_get_the_same_response() {
    let stack = Stack::default();
    let all = join_all((0..20).map(|_| make(&stack, submission(Some(("key", "body")))))).await;
    let mut answers: Vec<String> = all.into_iter().map(answer).collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(stack.jobs.all().len(), 1);
    assert_eq!(stack.jobs.stream().len(), 1, "the job has one version");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let stack = Stack::default();
    let first = answer(make(&stack, submission(Some(("key", "body")))).await);
    stack.world.advance(Duration::from_millis(24 * 3600 * 1000 - 1));
    assert_eq!(answer(make(&stack, submission(Some(("key", "body")))).await), first);
    stack.world.advance(Duration::from_millis(1));
    let second = answer(make(&stack, submission(Some(("key", "other body")))).await);
    assert_ne!(second, first);
    assert_eq!(stack.jobs.all().len(), 2);
}

#[tokio::test]
async fn a_busy_store_creates_nothing_or_a_complete_job() {
    for key in [None, Some(("key", "body"))] {
        let operation = if key.is_some() { "insert_with_key" } else { "insert" };
        for failing in ["queue_counts", operation] {
            let stack = Stack::default();
            stack.jobs.faults.busy(failing, 1);
            assert!(make(&stack, submission(key)).await.unwrap_err().is_busy(), "{failing}");
            assert!(stack.jobs.all().is_empty(), "{failing}");
        }
        let stack = Stack::default();
        stack.jobs.faults.inject(operation, [Fault::LostAnswer]);
        assert!(make(&stack, submission(key)).await.is_err());
        assert_eq!(stack.jobs.all().len(), 1, "the job is complete, with its effects");
        assert!(!stack.jobs.all()[0].outbox.is_empty());
        // A repeat with the key gets the response of the created job.
        if key.is_some() {
            let text = answer(make(&stack, submission(key)).await);
            assert!(text.starts_with(stack.jobs.all()[0].id.as_str()), "{text}");
            assert_eq!(stack.jobs.all().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_id_that_exists_is_never_overwritten() {
    let stack = Stack::default();
    // The first random number of a new `World` is 1.
    let mut known = make_job(1, NOON, &stack.policy);
    known.id = reelhook_domain::JobId::timed(NOON, 1);
    stack.jobs.put(&known);
    assert!(make(&stack, submission(None)).await.is_err());
    assert_eq!(stack.jobs.all(), [known]);
}
