//! The payloads of seed 004, as the worker that its users know sends them.

use std::process::Command;

use serde_json::{Value, json};

use super::backends::Backends;
use super::job::{assert_charged_once, clips, entries, job, open, until_status};
use super::submission::{HEADERS, Submission, sorted};
use crate::scenes::inbox::error_about;
use crate::stack::Stack;

/// What a job of 45 seconds of clips costs: the minimum.
const MINIMUM: u64 = 10;
/// A report, as a worker posts it.
const CURL: &str = r#"
SIGNATURE=$(printf '%s' "$PAYLOAD" | openssl dgst -sha256 -hmac "$SECRET" -hex | sed 's/.* //')
curl -s -X POST "$API/api/webhooks/ai-clipping" -H 'Content-Type: application/json' \
  -H "X-Genesis-Webhook-Signature: sha256=$SIGNATURE" -d "$PAYLOAD"
"#;

/// One of the four payloads, as the sample events have them.
pub fn payload(name: &str) -> Value {
    let event = match name {
        "started" => include_str!("../../../events/clipping-webhook/started.json"),
        "progress" => include_str!("../../../events/clipping-webhook/progress.json"),
        "completed" => include_str!("../../../events/clipping-webhook/completed.json"),
        "failed" => include_str!("../../../events/clipping-webhook/failed.json"),
        other => panic!("the seed has no payload `{other}`"),
    };
    let event: Value = serde_json::from_str(event).expect("JSON");
    serde_json::from_str(event["body"].as_str().expect("a text")).expect("JSON")
}

/// What reports change of a job, but for its stage, which polls change too.
fn reported(job: &Value) -> Value {
    let names = ["status", "progressPercent", "clipsCompleted", "totalClips", "errorMessage"];
    names.into_iter().map(|name| job[name].clone()).collect()
}

/// Posts a payload as a shell would.
async fn post(stack: &Stack, payload: &Value) -> Value {
    let secret = stack.aws.secret("WEBHOOK_SECRET").await;
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", CURL]).env("PAYLOAD", sorted(payload));
    bash.env("SECRET", secret.split(',').next().expect("a secret")).env("API", &stack.api).env("no_proxy", "*");
    let output = bash.output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn the_payloads_of_the_seed_are_taken_as_a_shell_posts_them() {
    let stack = open(Backends::Worker).await;
    let done = Submission::of(&stack).await;
    for (name, status, progress, stage) in [
        ("started", "running", 5, "Downloading video..."),
        ("progress", "running", 65, "Rendering clip 3/5..."),
        ("completed", "succeeded", 100, "Processing complete!"),
    ] {
        let answer = post(&stack, &done.report(payload(name))).await;
        assert_eq!(answer, json!({ "received": true }), "{name}");
        let job = job(&stack, &done.job).await;
        let shown = (&job["status"], &job["progressPercent"], &job["progressStage"]);
        assert_eq!(shown, (&json!(status), &json!(progress), &json!(stage)), "{name}");
    }
    let succeeded = job(&stack, &done.job).await;
    let [clip] = clips(&succeeded) else { panic!("one clip: {succeeded:#}") };
    let facts = (&clip["index"], &clip["durationMs"], &clip["score"], &clip["summary"]);
    assert_eq!(facts, (&json!(0), &json!(45_000), &json!(0.92), &json!("Key insight about...")));
    assert_charged_once(&stack, &done.job, MINIMUM).await;

    let failing = Submission::of(&stack).await;
    post(&stack, &failing.report(payload("failed"))).await;
    let failed = until_status(&stack, &failing.job, "failed").await;
    assert_eq!(failed["errorMessage"], "Failed to download video: Video is unavailable");
    assert_eq!((&failed["progressPercent"], &failed["creditsReserved"]), (&json!(15), &json!(0)));
    assert_eq!(entries(&stack, &failing.job).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_job_needs_no_first_report_and_absent_members_leave_what_is_known() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    submission.takes(&submission.report(payload("progress"))).await;
    let before = job(&stack, &submission.job).await;
    assert_eq!(reported(&before), json!(["running", 65, 2, 5, null]));
    for less in [
        json!({ "event": "job.progress" }),
        json!({ "event": "job.progress", "status": "running", "progress_percent": 40, "clips_completed": 1 }),
        json!({ "event": "job.progress", "clips_completed": null, "total_clips": null, "output": null, "gpu": [[1]] }),
        json!({ "event": "job.started", "progress_percent": 5, "timestamp": "2024-11-28T10:30:00.123456+00:00" }),
        json!({ "event": "job.paused", "status": "paused" }),
    ] {
        submission.takes(&submission.report(less.clone())).await;
        assert_eq!(reported(&job(&stack, &submission.job).await), reported(&before), "{less}");
    }
    // What is known by the worker's own id alone is found too, once that is known.
    let mut own = submission.report(json!({ "event": "job.progress", "progress_percent": 70 }));
    own.as_object_mut().expect("an object").remove("external_job_id");
    stack
        .eventually("it is found by the worker's id", || async {
            submission.takes(&own).await;
            (job(&stack, &submission.job).await["progressPercent"] == 70).then_some(())
        })
        .await;
    submission.end(&stack).await;
}

#[tokio::test]
async fn a_signature_is_valid_in_each_header_and_one_flipped_byte_is_not() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    for (header, progress) in HEADERS.into_iter().zip([10, 20, 30]) {
        let report = json!({ "event": "job.progress", "progress_percent": progress, "current_step": "Cutting" });
        let text = sorted(&submission.report(report));
        let signature = submission.signature(&text);
        let before = job(&stack, &submission.job).await;
        for place in [0, text.len() / 2, text.len() - 1] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let flipped = String::from_utf8(bytes).expect("ASCII");
            let refused = (401, json!({ "error": "Invalid signature" }));
            assert_eq!(
                submission.send(&[(header, signature.as_str())], &flipped).await,
                refused,
                "{header}: {flipped}"
            );
        }
        assert_eq!(reported(&job(&stack, &submission.job).await), reported(&before), "{header}");
        let bare = signature.strip_prefix("sha256=").expect("the worker's form");
        for given in [signature.as_str(), bare] {
            let taken = (200, json!({ "received": true }));
            assert_eq!(submission.send(&[(header, given)], &text).await, taken, "{header}: {given}");
        }
        assert_eq!(job(&stack, &submission.job).await["progressPercent"], progress, "{header}");
    }
    assert_eq!(submission.send(&[], &sorted(&submission.report(payload("completed")))).await.0, 401);
    assert_eq!(job(&stack, &submission.job).await["status"], "running");
    submission.end(&stack).await;
}

#[tokio::test]
async fn a_failure_with_progress_0_lowers_nothing() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let half = json!({ "event": "job.progress", "progress_percent": 50, "clips_completed": 1, "total_clips": 2 });
    submission.takes(&submission.report(half)).await;
    let mut failed = submission.report(payload("failed"));
    failed["progress_percent"] = json!(0);
    submission.takes(&failed).await;
    let job = until_status(&stack, &submission.job, "failed").await;
    assert_eq!((&job["progressPercent"], &job["clipsCompleted"]), (&json!(50), &json!(1)));
    assert_eq!((&job["creditsReserved"], &job["creditsCharged"]), (&json!(0), &json!(0)));
    let error = error_about(&stack, &submission.job, "clips_failed").await;
    assert_eq!((&error["type"], &error["severity"]), (&json!("processing"), &json!("error")), "{error:#}");
    assert_eq!(entries(&stack, &submission.job).await, Vec::<Value>::new());
}
