//! Reports of the clipping worker, signed and with the token of a submission. No job has their id, which the answer does
//! not reveal.

use reelhook_signing::{ClipClaims, SignedToken, SigningKeys};
use serde_json::json;

use super::recorder::Recorder;

/// The id of a job that does not exist.
const JOB: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Calls each operation of the webhook.
pub async fn about_no_job(recorder: &mut Recorder<'_>) {
    let keys = SigningKeys::parse(&recorder.stack.aws.secret("CALLBACK_TOKEN_SECRET").await).expect("a secret");
    let token = SignedToken::mint(&ClipClaims { job: JOB.to_owned(), number: 1 }, &keys);
    let progress = json!({
        "event": "job.progress", "timestamp": "2024-01-01T12:00:00.000Z", "job_id": "abc-123", "external_job_id": JOB,
        "status": "running", "progress_percent": 65, "current_step": "Rendering clip 3/5...", "clips_completed": 2,
        "total_clips": 5,
    });
    let completed = json!({
        "event": "job.completed", "timestamp": "2024-01-01T12:00:00.000Z", "job_id": "abc-123", "external_job_id": JOB,
        "status": "succeeded", "progress_percent": 100, "current_step": "Processing complete!", "clips_completed": 1,
        "total_clips": 1,
        "output": {
            "total_clips": 1, "source_video_title": "My Amazing Video", "source_video_duration_seconds": 2712.5,
            "processing_time_seconds": 482.5,
            "clips": [{
                "clip_index": 0, "s3_url": "/app/output/abc-123/clip_00.mp4", "duration_ms": 45000,
                "virality_score": 0.92, "summary": "Key insight about...",
            }],
            "transcript_url": "/app/output/abc-123/transcript.json", "plan_url": "/app/output/abc-123/plan.json",
        },
    });
    for (health, signed, with_token) in [
        ("getClippingWebhook", "reportClips", "reportClipsWithToken"),
        ("getClippingWebhookByAlias", "reportClipsByAlias", "reportClipsWithTokenByAlias"),
    ] {
        recorder.get(health, &[], "").await;
        recorder.send_signed(signed, "WEBHOOK_SECRET", &progress).await;
        recorder.send(with_token, &[token.expose()], &completed).await;
    }
}
