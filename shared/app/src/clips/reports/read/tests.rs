//! Tests of reading reports: seed 004's payloads, and members of any kind.

use serde_json::json;

use super::*;

const JOB: &str = "clip_550e8400-e29b-41d4-a716-446655440000";

fn report(body: &Value) -> Option<WorkerReport> {
    let worker = Url::parse("https://worker.example").ok();
    let files = WorkerFiles { worker, bucket: "our-bucket".to_owned() };
    read(&files, &ClipJobId::parse(JOB).unwrap(), body)
}

fn made(output: &Value) -> WorkerOutput {
    let body = json!({ "event": "job.completed", "job_id": "abc-123", "output": output });
    *report(&body).unwrap().output.unwrap()
}

fn clip(clip: &Value) -> ReportedClip {
    made(&json!({ "clips": [clip] })).clips.remove(0)
}

/// The URL of a file that is not ours.
fn source(file: Option<&File>) -> &str {
    file.unwrap().source.as_ref().unwrap().as_written()
}

#[test]
fn the_payloads_of_the_seed_are_read() {
    let ids = json!({ "job_id": "abc-123", "external_job_id": "550e8400-e29b-41d4-a716-446655440000" });
    let check = |mut more: Value, expected: WorkerReport| {
        more.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
        assert_eq!(report(&more), Some(expected), "{more}");
    };
    let nothing = WorkerReport::of(ReportKind::Running);
    check(
        json!({
            "event": "job.started", "timestamp": "2024-11-28T10:30:00.000Z", "owner_user_id": "user_789",
            "status": "running", "progress_percent": 5, "current_step": "Downloading video...",
        }),
        WorkerReport { progress: Some(5), stage: Some("Downloading video...".to_owned()), ..nothing.clone() },
    );
    check(
        json!({
            "event": "job.progress", "timestamp": "2024-11-28T10:32:00.000Z", "status": "running",
            "progress_percent": 65, "current_step": "Rendering clip 3/5...", "clips_completed": 2, "total_clips": 5,
        }),
        WorkerReport {
            progress: Some(65),
            stage: Some("Rendering clip 3/5...".to_owned()),
            clips_completed: Some(2),
            total_clips: Some(5),
            ..nothing.clone()
        },
    );
    check(
        json!({
            "event": "job.failed", "timestamp": "2024-11-28T10:32:00.000Z", "status": "failed",
            "progress_percent": 15, "current_step": "Processing failed",
            "error": "Failed to download video: Video is unavailable",
        }),
        WorkerReport {
            kind: ReportKind::Failed,
            progress: Some(15),
            stage: Some("Processing failed".to_owned()),
            error: Some("Failed to download video: Video is unavailable".to_owned()),
            ..nothing.clone()
        },
    );
    let outside = |url: &str| Some(File::outside(reelhook_domain::WebUrl::parse(url).unwrap()));
    let output = WorkerOutput {
        clips: vec![ReportedClip {
            index: 0,
            file: outside("https://bucket.s3.amazonaws.com/clips/clip_00.mp4"),
            duration_ms: Some(45_000),
            score: serde_json::Number::from_f64(0.92),
            summary: Some("Key insight about...".to_owned()),
            ..ReportedClip::default()
        }],
        transcript: outside("https://bucket.s3.amazonaws.com/transcript.json"),
        plan: outside("https://bucket.s3.amazonaws.com/plan.json"),
        ..WorkerOutput::default()
    };
    check(
        json!({
            "event": "job.completed", "timestamp": "2024-11-28T10:38:00.000Z", "status": "succeeded",
            "progress_percent": 100, "current_step": "Processing complete!", "clips_completed": 5, "total_clips": 5,
            "output": {
                "total_clips": 5, "source_video_title": "My Amazing Video", "processing_time_seconds": 482.5,
                "clips": [{
                    "clip_index": 0, "s3_url": "https://bucket.s3.amazonaws.com/clips/clip_00.mp4",
                    "duration_ms": 45000, "virality_score": 0.92, "summary": "Key insight about...",
                }],
                "transcript_url": "https://bucket.s3.amazonaws.com/transcript.json",
                "plan_url": "https://bucket.s3.amazonaws.com/plan.json",
            },
        }),
        WorkerReport {
            kind: ReportKind::Completed,
            progress: Some(100),
            stage: Some("Processing complete!".to_owned()),
            clips_completed: Some(5),
            total_clips: Some(5),
            output: Some(Box::new(output)),
            ..nothing
        },
    );
}

#[test]
fn the_event_decides_and_the_status_only_where_the_event_is_not_known() {
    let check = |event: Value, status: Value, expected: Option<ReportKind>| {
        let body = json!({ "event": event, "status": status });
        assert_eq!(report(&body).map(|report| report.kind), expected, "{body}");
    };
    check(json!("job.progress"), json!("succeeded"), Some(ReportKind::Running));
    check(json!("job.completed"), json!("running"), Some(ReportKind::Completed));
    check(json!(" JOB.Failed "), json!(null), Some(ReportKind::Failed));
    check(json!("job.cancelled"), json!(null), Some(ReportKind::Canceled));
    for event in [json!(null), json!("job.clip_ready"), json!(7), json!("x".repeat(100))] {
        for (status, expected) in [
            ("pending", Some(ReportKind::Queued)),
            ("queued", Some(ReportKind::Queued)),
            ("downloading", Some(ReportKind::Running)),
            ("transcribing", Some(ReportKind::Running)),
            ("planning", Some(ReportKind::Running)),
            ("detecting", Some(ReportKind::Running)),
            ("rendering", Some(ReportKind::Running)),
            ("uploading", Some(ReportKind::Running)),
            ("processing", Some(ReportKind::Running)),
            ("Running", Some(ReportKind::Running)),
            ("completed", Some(ReportKind::Completed)),
            ("complete", Some(ReportKind::Completed)),
            ("succeeded", Some(ReportKind::Completed)),
            ("failed", Some(ReportKind::Failed)),
            ("canceled", Some(ReportKind::Canceled)),
            ("cancelled", Some(ReportKind::Canceled)),
            ("", None),
            ("sleeping", None),
        ] {
            check(event.clone(), json!(status), expected);
        }
        check(event, json!(null), None);
    }
}

#[test]
fn null_unknown_and_absurd_members_are_absent() {
    for value in [json!(null), json!("x"), json!(-1), json!(1e300), json!(2.5), json!([]), json!({}), json!(true)] {
        let body = json!({
            "event": "job.progress", "timestamp": value, "clips_completed": value, "total_clips": value,
            "owner_user_id": value, "more": value, "output": { "clips": value, "plan_url": null },
        });
        let report = report(&body).unwrap();
        assert_eq!((report.clips_completed, report.total_clips, report.progress), (None, None, None), "{body}");
        assert_eq!(report.output.map(|output| *output), Some(WorkerOutput::default()), "{body}");
    }
    for time in ["2024-11-28T10:32:00.123456+00:00", "2024-11-28T10:32:00.123456", "yesterday"] {
        let body = json!({ "event": "job.progress", "timestamp": time, "progress_percent": "64.6" });
        assert_eq!(report(&body).unwrap().progress, Some(65), "{body}");
    }
    assert_eq!(report(&json!({ "event": "job.progress", "progress_percent": -3 })).unwrap().progress, Some(0));
    assert_eq!(report(&json!({ "event": "job.progress", "progress_percent": 250 })).unwrap().progress, Some(100));
    assert_eq!(report(&json!({ "event": "job.progress", "output": null })).unwrap().output, None);
    for body in [json!(null), json!([]), json!("job.completed"), json!({}), json!({ "event": null })] {
        assert_eq!(report(&body), None, "{body}");
    }
}

#[test]
fn a_reason_is_read_from_a_text_or_an_object_and_has_no_token_of_ours() {
    let error = |error: Value| report(&json!({ "event": "job.failed", "error": error })).unwrap().error;
    assert_eq!(error(json!(" no ")).as_deref(), Some("no"));
    assert_eq!(error(json!({ "message": "why" })).as_deref(), Some("why"));
    assert_eq!((error(json!(null)), error(json!("")), error(json!(7))), (None, None, None));
    assert_eq!(error(json!("é".repeat(9000))).unwrap().len(), ERROR_LIMIT);
    let token = format!("w1.Y2xpcF8x.1.{}", "A".repeat(32));
    let text = format!("POST https://api.example/w/{token}/api/webhooks/ai-clipping failed");
    assert_eq!(error(json!(text)).as_deref(), Some("POST https://api.example/w/…/api/webhooks/ai-clipping failed"));
    let running = json!({ "event": "job.progress", "error": "a warning" });
    assert_eq!(report(&running).unwrap().error, None);
}

#[test]
fn each_clip_is_read_once_and_the_rest_stays() {
    let output = made(&json!({
        "clips": [
            { "clip_index": 1, "s3_url": "/outputs/j/clip_01.mp4" },
            { "clip_index": 1, "s3_url": "/outputs/j/another.mp4" },
            null,
            "clip",
            { "s3_url": "/outputs/j/clip_04.mp4" },
            { "clip_index": "7" },
            { "clip_index": -1 },
            { "clip_index": 1e9 },
            { "clip_index": {} },
        ],
        "source_video_duration_seconds": 2712.5,
    }));
    let indexes: Vec<u32> = output.clips.iter().map(|clip| clip.index).collect();
    assert_eq!(indexes, [1, 4, 7]);
    assert_eq!(source(output.clips[0].file.as_ref()), "https://worker.example/outputs/j/clip_01.mp4");
    assert_eq!((output.source_ms, output.unusable.len()), (Some(2_712_500), 0));
    let many: Vec<Value> = (0..500).map(|index| json!({ "clip_index": index })).collect();
    assert_eq!(made(&json!({ "clips": many })).clips.len(), MAX_CLIPS as usize);
}

#[test]
fn times_and_texts_of_a_clip_are_read_in_either_unit() {
    let range = |start_ms, end_ms| Some(Range { start_ms, end_ms });
    let long = "é".repeat(5000);
    let read = clip(&json!({
        "start_time": 12.5, "end_time": "72.25", "duration_seconds": 59.75, "score": "0.5", "tags": ["a", 1, " b "],
        "score_breakdown": { "hook": 0.5 }, "layout_type": "split", "summary": long,
    }));
    assert_eq!((read.range, read.duration_ms), (range(12_500, 72_250), Some(59_750)));
    assert_eq!(
        (read.tags.as_slice(), read.layout.as_deref()),
        (["a".to_owned(), "b".to_owned()].as_slice(), Some("split"))
    );
    assert_eq!(read.summary.unwrap().len(), SUMMARY_LIMIT);
    assert_eq!((read.score, read.score_basis.len()), (serde_json::Number::from_f64(0.5), 1));
    assert_eq!(clip(&json!({ "start_ms": 0, "end_ms": 1 })).range, range(0, 1));
    for none in
        [json!({ "start_ms": 5, "end_ms": 5 }), json!({ "start_ms": 5 }), json!({ "start_ms": -5, "end_ms": 5 })]
    {
        assert_eq!(clip(&none).range, None, "{none}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let output = made(&json!({
        "clips": [
            { "s3_url": "/outputs/../../etc/x" },
            { "s3_url": "https://u:p@a.example/x.mp4?X-Amz-Signature=secret" },
            { "s3_url": null }, { "s3_url": " " }, {},
            { "s3_url": 7 },
            { "s3_url": format!("/outputs/{}", "x".repeat(5000)) },
        ],
        "transcript_url": "s3://another/transcript.json",
        "plan_url": "/app/output/j/plan.json",
    }));
    assert!(output.clips.iter().all(|clip| clip.file.is_none()) && output.clips.len() == 7, "{output:?}");
    let (named, long): (Vec<String>, Vec<String>) = output.unusable.into_iter().partition(|name| name.len() < 100);
    let expected = ["/outputs/../../etc/x", "https://a.example/x.mp4", "s3_url", "s3://another/transcript.json"];
    assert_eq!(named, expected);
    assert!(long.len() == 1 && long[0].ends_with('…') && long[0].len() <= 203, "{long:?}");
    assert_eq!((output.transcript, source(output.plan.as_ref())), (None, "https://worker.example/outputs/j/plan.json"));
    let many: Vec<Value> = (0..40).map(|_| json!({ "s3_url": "x" })).collect();
    assert_eq!(made(&json!({ "clips": many })).unusable.len(), MOST_UNUSABLE);
}
