//! VidBuilder's answers and notifications have the members of the original, in its order.

use reelhook_app::views::{of_jobs, vidbuilder};
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, Renderer, StoredVideo};
use reelhook_domain::{Engine, Job, JobId, JobKind, Metadata, OutboundEvent, PiecesRun, Status, Timestamp};
use reelhook_testkit::{NOON, SceneStack, make_job, policy};
use serde_json::json;

fn stored(rendition: Rendition, name: &str) -> StoredVideo {
    let (key, link) = (format!("videos/{name}.mp4"), format!("https://reelhook.example/{name}"));
    StoredVideo { rendition, key, bytes: 7, link }
}

/// A video of two scenes, with these renditions in storage.
fn video(status: Status, videos: Vec<StoredVideo>) -> Job {
    let mut job = make_job(1, NOON, &policy());
    job.id = JobId::parse("v-1").unwrap();
    (job.kind, job.status) = (JobKind::Video, status);
    job.request.input = json!({ "title": "Shoes", "type": "promo" });
    let (renderer, renditions) = (Renderer::Own, vec![Rendition::Landscape, Rendition::Portrait]);
    let plan = Some(RenderPlan { renderer, renditions, scenes: vec![90, 45] });
    job.run.engine = Engine::Pieces(PiecesRun { plan, videos, ..PiecesRun::default() });
    (job.run.progress, job.run.caption) = (40, "Rendering frames: 54/135".to_owned());
    (job.run.times.started_at, job.run.times.completed_at) = (Some(NOON), Some(Timestamp(NOON.0 + 18_400)));
    job
}

fn finished() -> Job {
    video(Status::Completed, vec![stored(Rendition::Landscape, "wide"), stored(Rendition::Portrait, "tall")])
}

/// The members of a finished video.
const FINISHED: &str = concat!(
    r#""jobId":"v-1","status":"completed","progress":100,"message":"Video generated successfully","#,
    r#""videoUrl":"/api/download/v-1","duration":4.5,"scenes":2,"reelsGenerated":true,"s3Upload":{"enabled":true,"#,
    r#""standard":{"s3Key":"videos/wide.mp4","signedUrl":"https://reelhook.example/wide","expiresIn":"7 days","#,
    r#""size":7},"reels":{"s3Key":"videos/tall.mp4","signedUrl":"https://reelhook.example/tall","#,
    r#""expiresIn":"7 days","size":7}},"renderTime":"18s","reelsVideoUrl":"/api/download/v-1_reels""#,
);

#[test]
fn an_accepted_video_has_warnings_only_if_there_are_any() {
    let job = video(Status::Pending, Vec::new());
    let expected = concat!(
        r#"{"success":true,"jobId":"v-1","status":"queued","#,
        r#""message":"Video generation started. You will receive updates via webhook.","webhookConfigured":false,"#,
        r#""statusUrl":"/api/job-status/v-1","estimatedTime":"10-20 seconds""#,
    );
    let accepted = |warnings: &[String]| json!(vidbuilder::accepted(&job, "10-20 seconds", warnings)).to_string();
    assert_eq!(accepted(&[]), format!("{expected}}}"));
    assert_eq!(accepted(&["a box".to_owned()]), format!(r#"{expected},"warnings":["a box"]}}"#));
}

#[test]
fn a_status_has_the_form_of_its_state() {
    let end = r#""createdAt":"2024-01-01T12:00:00.000Z","metadata":{}}"#;
    let check = |job: &Job, expected: &str| assert_eq!(json!(vidbuilder::status(job)).to_string(), expected);
    let progress = r#""progress":40,"message":"Rendering frames: 54/135""#;
    for (status, word) in
        [(Status::Pending, "queued"), (Status::Processing, "processing"), (Status::Rendering, "processing")]
    {
        check(&video(status, Vec::new()), &format!(r#"{{"jobId":"v-1","status":"{word}",{progress},{end}"#));
    }
    let failed = format!(r#"{{"jobId":"v-1","status":"failed",{progress},"error":"#);
    check(&video(Status::Cancelled, Vec::new()), &format!(r#"{failed}"Cancelled",{end}"#));
    check(&video(Status::Failed, Vec::new()), &format!(r#"{failed}"Video generation failed",{end}"#));
    check(&finished(), &format!("{{{FINISHED},{end}"));
    let deleted = concat!(
        r#"{"jobId":"v-1","status":"completed","progress":100,"message":"Video deleted","videoUrl":null,"#,
        r#""duration":4.5,"scenes":2,"reelsGenerated":false,"s3Upload":null,"renderTime":"18s","#,
    );
    check(&video(Status::Completed, Vec::new()), &format!("{deleted}{end}"));
}

#[test]
fn a_caller_that_waited_gets_the_title_and_the_type_of_the_request() {
    let expected = format!(r#"{{{FINISHED},"success":true,"title":"Shoes","type":"promo","metadata":{{}}}}"#);
    assert_eq!(json!(vidbuilder::finished(&finished())).to_string(), expected);
    let listed = concat!(
        r#"{"jobId":"v-1","filename":"v-1.mp4","size":7,"createdAt":"2024-01-01T12:00:18.400Z","#,
        r#""downloadUrl":"/api/download/v-1","metadata":{}}"#,
    );
    assert_eq!(json!(vidbuilder::listed(&finished())).to_string(), listed);
}

#[test]
fn a_notification_ends_with_its_time_and_metadata() {
    let mut job = finished();
    job.request.metadata = Metadata::parse(&json!({ "order": "42" })).unwrap();
    let end = r#""timestamp":"2024-01-01T12:00:00.000Z","metadata":{"order":"42"}}"#;
    let check = |job: &Job, event: OutboundEvent, expected: String| {
        assert_eq!(
            of_jobs(JobKind::Video).webhook_data(job, event, None, NOON, SceneStack::default().links()).to_string(),
            expected
        );
    };
    let started = r#"{"jobId":"v-1","status":"started","message":"Video generation started","#;
    check(&job, OutboundEvent::VideoStarted, format!("{started}{end}"));
    check(&job, OutboundEvent::VideoCompleted, format!("{{{FINISHED},{end}"));
    job.run.error = Some("no image".to_owned());
    let failed = r#"{"jobId":"v-1","status":"failed","error":"no image","#;
    check(&job, OutboundEvent::VideoFailed, format!("{failed}{end}"));
}
