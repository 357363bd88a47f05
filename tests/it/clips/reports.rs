//! Reports that come late, twice, at once, about nothing and from unknown callers: each job ends once, and is charged
//! once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::backends::Backends;
use super::job::{PRICE, assert_charged_once, assert_cut_once, begin, clips, entries, fast, job, open, succeeded};
use super::seed::payload;
use super::submission::{HEADERS, Submission, sorted};
use crate::scenes::inbox::errors_about;
use crate::scenes::project::unique;

/// Reports that misbehave, each in its own way.
fn misbehaviours() -> Vec<(&'static str, Value)> {
    vec![
        ("without the first", json!({ "no_started": true })),
        ("only the end", json!({ "no_started": true, "no_progress": true })),
        ("twenty ends at once", json!({ "no_started": true, "no_progress": true, "copies": 20 })),
        ("out of order", json!({ "disorder_ms": 900, "copies": 2 })),
        ("before the answer to the submission", json!({ "early": true })),
        ("progress after the end", json!({ "late_progress": true })),
        ("with null for what is empty", json!({ "nulls": true })),
        ("by signature alone", json!({ "no_token": true, "header": "webhook" })),
        ("by a bare signature", json!({ "no_token": true, "signature": "bare", "header": "authorization" })),
        ("of a job that it names by its own id", json!({ "no_token": true, "no_external_id": true })),
        ("with a flipped byte", json!({ "no_token": true, "signature": "flipped" })),
        ("with a signature of another secret", json!({ "no_token": true, "signature": "wrong" })),
        ("unsigned", json!({ "no_token": true, "signature": "none" })),
        (
            "about unknown jobs, of unknown events, and no JSON",
            json!({ "wrong": ["unknown_job", "unknown_event", "garbage"] }),
        ),
        ("without event and ids, and forged", json!({ "wrong": ["empty", "forged"] })),
        ("never sent", json!({ "silent": true })),
    ]
}

#[tokio::test]
async fn whatever_reports_do_each_source_is_cut_once_and_charged_once() {
    let stack = open(Backends::Worker).await;
    let mut begun = Vec::new();
    for (reports, settings) in misbehaviours() {
        begun.push((reports, begin(&stack, fast(json!({ "report": settings }))).await));
    }
    for (reports, (id, page)) in &begun {
        println!("reports {reports}: {id}");
        let job = succeeded(&stack, id).await;
        assert_eq!(clips(&job).len(), 2, "{reports}: {job:#}");
        assert_cut_once(&stack, page).await;
        assert_charged_once(&stack, id, PRICE).await;
    }
}

#[tokio::test]
async fn a_completion_20_times_at_once_is_charged_once() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let mut completed = submission.report(payload("completed"));
    completed["output"]["source_video_duration_seconds"] = json!(120);
    let text = sorted(&completed);
    let signature = submission.signature(&text);
    let headers = [(HEADERS[0], signature.as_str())];
    for answer in join_all((0..20).map(|_| submission.send(&headers, &text))).await {
        assert_eq!(answer, (200, json!({ "received": true })));
    }
    let ended = job(&stack, &submission.job).await;
    assert_eq!((&ended["status"], &ended["creditsCharged"]), (&json!("succeeded"), &json!(PRICE)), "{ended:#}");
    // Later ones change nothing either, whatever they say.
    submission.takes(&completed).await;
    for late in ["started", "progress", "failed"] {
        submission.takes(&submission.report(payload(late))).await;
    }
    let later = job(&stack, &submission.job).await;
    for name in ["status", "progressPercent", "progressStage", "clipsCompleted", "creditsCharged", "completedAt"] {
        assert_eq!(later[name], ended[name], "{name}: {later:#}");
    }
    assert_charged_once(&stack, &submission.job, PRICE).await;
}

#[tokio::test]
async fn a_job_without_clips_succeeds_and_costs_nothing() {
    let stack = open(Backends::Worker).await;
    let (id, page) = begin(&stack, fast(json!({ "clip": { "count": 0 } }))).await;
    let job = succeeded(&stack, &id).await;
    assert_eq!(job["errorMessage"], "No clips were found in the source");
    let counts = (&job["totalClips"], &job["progressPercent"], &job["creditsCharged"]);
    assert_eq!(counts, (&json!(0), &json!(100), &json!(0)), "{job:#}");
    assert_cut_once(&stack, &page).await;
    assert_eq!(entries(&stack, &id).await, Vec::<Value>::new());
}

#[tokio::test]
async fn five_reports_about_an_unknown_job_are_one_warning() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let unknown = format!("job-{}", unique());
    for _ in 0..5 {
        let mut report = payload("progress");
        report["external_job_id"] = json!(unknown);
        report["job_id"] = json!(format!("worker-{unknown}"));
        submission.takes(&report).await;
    }
    let errors = errors_about(&stack, &unknown, "unknown_clip_job").await;
    let [error] = errors.as_slice() else { panic!("one warning: {errors:#?}") };
    let facts = (&error["type"], &error["severity"], &error["occurrences"]);
    assert_eq!(facts, (&json!("webhook"), &json!("warning"), &json!(5)));
    submission.end(&stack).await;
}

#[tokio::test]
async fn a_token_opens_the_webhook_of_its_own_submission_under_both_names() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let completed = submission.report(payload("completed")).to_string();
    // It is for a submission that there is not.
    let later = submission.path_with_token(&stack, 2, "ai-clipping").await;
    assert_eq!(submission.send_to(&stack, &later, &[], &completed).await.0, 200);
    assert_eq!(job(&stack, &submission.job).await["status"], "queued");
    for guessed in ["/w/guessed/api/webhooks/ai-clipping", "/w/w1.a.b.c/api/webhooks/clipping"] {
        assert_eq!(submission.send_to(&stack, guessed, &[], &completed).await.0, 401, "{guessed}");
    }
    for (body, status) in [("[]", 400), ("{", 400), ("{}", 400), (r#"{"status": "completed"}"#, 400)] {
        let own = submission.path_with_token(&stack, 1, "clipping").await;
        assert_eq!(submission.send_to(&stack, &own, &[], body).await.0, status, "{body}");
    }
    assert_eq!(job(&stack, &submission.job).await["status"], "queued");
    let own = submission.path_with_token(&stack, 1, "clipping").await;
    // A token decides alone: what the body names does not count.
    let other = json!({ "event": "job.progress", "external_job_id": "another", "progress_percent": 30 }).to_string();
    assert_eq!(submission.send_to(&stack, &own, &[], &other).await, (200, json!({ "received": true })));
    assert_eq!(job(&stack, &submission.job).await["progressPercent"], 30);
    assert_eq!(submission.send_to(&stack, &own, &[], &completed).await.0, 200);
    assert_eq!(job(&stack, &submission.job).await["status"], "succeeded");
}
