//! What reports may contain: seed 004's payloads in any order, and bodies of any kind.

use proptest::prelude::*;
use reelhook_domain::ClipStatus;
use reelhook_testkit::fuzz_json;

use super::*;

#[tokio::test]
async fn the_payloads_of_the_seed_lead_to_their_statuses() {
    let stack = Stack::default();
    for (event, status, progress) in [
        ("job.started", ClipStatus::Running, 5),
        ("job.progress", ClipStatus::Running, 65),
        ("job.completed", ClipStatus::Succeeded, 100),
        // A terminal status absorbs whatever comes late.
        ("job.progress", ClipStatus::Succeeded, 100),
        ("job.failed", ClipStatus::Succeeded, 100),
        ("job.completed", ClipStatus::Succeeded, 100),
    ] {
        assert_eq!(stack.report(&payload(event)).await, 200, "{event}");
        let job = stack.job();
        assert_eq!((job.status, job.run.progress), (status, progress), "{event}");
    }
    let job = stack.job();
    let urls = [job.clips[0].file.as_ref(), job.transcript.as_ref(), job.plan.as_ref()]
        .map(|file| file.unwrap().source.as_ref().unwrap().as_written());
    let expected = ["clips/clip_00.mp4", "transcript.json", "plan.json"]
        .map(|path| format!("https://bucket.s3.amazonaws.com/{path}"));
    assert_eq!(urls, expected);
    assert!(stack.errors.all().is_empty());
}

#[tokio::test]
async fn a_failure_lowers_nothing_and_says_why() {
    let stack = Stack::default();
    let progress =
        json!({ "event": "job.progress", "job_id": "abc-123", "progress_percent": 50, "clips_completed": 2 });
    assert_eq!(stack.report(&with_job(progress)).await, 200);
    let mut failed = payload("job.failed");
    failed["progress_percent"] = json!(0);
    assert_eq!(stack.report(&failed).await, 200);
    let job = stack.job();
    assert_eq!((job.status, job.run.progress, job.run.clips_completed), (ClipStatus::Failed, 50, 2));
    assert!(job.error.unwrap().contains("Video is unavailable"));
}

#[tokio::test]
async fn null_and_unknown_members_are_never_refused() {
    for body in [
        json!({ "event": null, "status": "rendering", "job_id": null }),
        json!({ "event": "job.heartbeat", "status": "processing" }),
        json!({ "event": "job.progress", "timestamp": "2024-11-28T10:32:00.123456+00:00", "output": null, "error": null }),
        json!({ "event": "job.progress", "gpu": [[null]], "progress_percent": { "value": 5 }, "total_clips": -1 }),
    ] {
        let stack = Stack::default();
        assert_eq!(stack.report(&with_job(body.clone())).await, 200, "{body}");
        assert_eq!(stack.job().status, ClipStatus::Running, "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_report_is_answered_with_400() {
    let stack = Stack::default();
    let token = with_token(ALIAS, EXTERNAL, 1);
    for body in ["", "[]", "null", "\"completed\"", "{", "{} {}", "{}", r#"{"status":"completed"}"#, "{\"a\": 1e999}"] {
        for request in [signed(PATH, body), post(&token, &[], body)] {
            let answer = stack.answer(&request, ADDRESS).await;
            let text: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            assert!(text["error"].is_string() && text.as_object().unwrap().len() == 1, "{answer:?}");
        }
    }
    assert_eq!(stack.job().status, ClipStatus::Queued);
}

/// The body with the id of the job.
fn with_job(mut body: Value) -> Value {
    body["external_job_id"] = json!(EXTERNAL);
    body
}

/// JSON whose members have the names that reports have, and values of any type.
fn any_report() -> impl Strategy<Value = Value> {
    fuzz_json(&NAMES, &NAMES, &TEXTS)
}

/// Texts that reports have.
pub const TEXTS: [&str; 11] = [
    "job.started",
    "job.completed",
    "job.failed",
    "completed",
    "canceled",
    EXTERNAL,
    "abc-123",
    "https://v.example/1.mp4",
    "/app/output/j/clip_00.mp4",
    "/outputs/../../etc/x",
    "s3://reelhook-bucket/clips/x.mp4",
];

/// The names of members of reports.
pub const NAMES: [&str; 20] = [
    "event",
    "status",
    "job_id",
    "external_job_id",
    "timestamp",
    "progress_percent",
    "current_step",
    "clips_completed",
    "total_clips",
    "error",
    "output",
    "clips",
    "clip_index",
    "s3_url",
    "duration_ms",
    "virality_score",
    "source_video_duration_seconds",
    "transcript_url",
    "plan_url",
    "message",
];

/// The status of the answer to a request, and the stack afterwards.
pub fn outcome(request: &ApiRequest) -> (u16, Stack) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stack = Stack::default();
    let status = runtime.block_on(stack.answer(request, ADDRESS)).status;
    (status, stack)
}

/// The number of versions of all jobs that were ever saved.
pub fn versions(jobs: &MemoryClips) -> usize {
    jobs.stream().len()
}

proptest! {
    #[test]
    fn no_bytes_are_a_fault_of_ours(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let (status, _) = outcome(&signed(PATH, body.clone()));
        prop_assert!((200..500).contains(&status), "{status}");
        let (status, _) = outcome(&post(&with_token(ALIAS, EXTERNAL, 1), &[], body));
        prop_assert!((200..500).contains(&status), "{status}");
    }

    #[test]
    fn each_report_is_taken_and_each_other_object_refused(body in any_report()) {
        let is_report = reelhook_app::clips::reports::is_report(&body);
        let expected = if is_report { 200 } else { 400 };
        prop_assert_eq!(outcome(&signed(PATH, body.to_string())).0, expected, "{}", body);
        prop_assert_eq!(outcome(&post(&with_token(PATH, EXTERNAL, 1), &[], body.to_string())).0, expected, "{}", body);
    }

    #[test]
    fn nothing_changes_without_a_valid_caller(
        body in any_report(),
        signature in "[0-9a-f]{64}|sha256=[0-9a-f]{64}|.{0,80}",
    ) {
        let unchanged = versions(&Stack::default().jobs);
        let visible: String = signature.chars().filter(char::is_ascii_graphic).collect();
        for headers in [vec![], vec![(GENESIS, visible.as_str()), ("authorization", visible.as_str())]] {
            let (status, stack) = outcome(&post(PATH, &headers, body.to_string()));
            prop_assert_eq!((status, versions(&stack.jobs), stack.errors.all().len()), (401, unchanged, 0));
        }
        let path = format!("/w/{}{PATH}", visible.replace(['/', '?', '#', '%'], ""));
        let (status, stack) = outcome(&post(&path, &[], body.to_string()));
        prop_assert_eq!((status, versions(&stack.jobs), stack.errors.all().len()), (401, unchanged, 0));
    }
}
