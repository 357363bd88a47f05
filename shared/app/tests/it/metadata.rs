//! Metadata of callers: what shows a job has it, and recoveries and endpoints keep it.

use std::time::Duration;

use reelhook_app::views::{of_jobs, streamgank, vidbuilder};
use reelhook_app::webhooks::recover::{RecoveryRequest, RecoveryStore, Started, begin};
use reelhook_app::webhooks::recovery::Filter;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::StoredVideo;
use reelhook_domain::{DeliveryStatus, Engine, Job, JobKind, Metadata, OutboundEvent, PiecesRun, Status};
use reelhook_testkit::{NOON, SceneStack, Stack, make_job, policy};
use serde_json::{Value, json};

fn parsed(metadata: &Value) -> Metadata {
    Metadata::parse(metadata).unwrap()
}

fn workflow(metadata: &Value) -> Job {
    let mut job = make_job(1, NOON, &policy());
    job.request.metadata = parsed(metadata);
    job
}

/// A completed video.
fn video(metadata: &Value) -> Job {
    let video = StoredVideo {
        rendition: Rendition::Landscape,
        key: "videos/v.mp4".to_owned(),
        bytes: 7,
        link: "https://reelhook.example/v".to_owned(),
    };
    let mut job = Job { kind: JobKind::Video, status: Status::Completed, ..workflow(metadata) };
    job.run.engine = Engine::Pieces(PiecesRun { videos: vec![video], ..PiecesRun::default() });
    job
}

#[test]
fn every_answer_that_shows_a_job_has_its_metadata() {
    let order = json!({ "order": "42" });
    for (given, expected) in [(Value::Null, json!({})), (order.clone(), order)] {
        let (workflow, video) = (workflow(&given), video(&given));
        let failed = Job { status: Status::Failed, ..video.clone() };
        for view in [
            json!(streamgank::job(&workflow)),
            json!(streamgank::job_details(&workflow, NOON)),
            json!(streamgank::job(&video)),
            json!(vidbuilder::status(&video)),
            json!(vidbuilder::status(&failed)),
            json!(vidbuilder::finished(&video)),
            json!(vidbuilder::listed(&video).unwrap()),
        ] {
            assert_eq!(view["metadata"], expected, "{view}");
        }
    }
}

#[test]
fn webhooks_about_a_workflow_have_its_country_and_platform_before_its_metadata() {
    let check = |metadata: Value, expected: &str| {
        let data = of_jobs(JobKind::Workflow).webhook_data(
            &workflow(&metadata),
            OutboundEvent::Completed,
            None,
            NOON,
            SceneStack::default().links(),
        );
        assert_eq!(data["metadata"].to_string(), expected);
    };
    check(Value::Null, r#"{"country":"FR","platform":"Netflix"}"#);
    let own = json!({ "platform": "ours", "order": "42", "country": "DE", "a": "" });
    check(own, r#"{"country":"FR","platform":"Netflix","a":"","order":"42"}"#);
}

#[test]
fn webhooks_about_a_video_have_metadata_only_if_there_is_any() {
    for event in [OutboundEvent::VideoStarted, OutboundEvent::VideoCompleted, OutboundEvent::VideoFailed] {
        let data = |metadata: &Value| {
            of_jobs(JobKind::Video).webhook_data(&video(metadata), event, None, NOON, SceneStack::default().links())
        };
        assert_eq!(data(&Value::Null).get("metadata"), None, "{event:?}");
        assert_eq!(data(&json!({ "order": "42" }))["metadata"], json!({ "order": "42" }), "{event:?}");
    }
}

#[tokio::test]
async fn a_recovery_keeps_its_metadata_until_its_end() {
    let stack = Stack::default();
    let metadata = parsed(&json!({ "ticket": "7" }));
    let statuses = vec![DeliveryStatus::Exhausted];
    let filter = Filter { from: NOON, to: NOON, endpoint: None, event: None, statuses };
    let requested = RecoveryRequest { filter, dry_run: false, metadata: metadata.clone(), key: None };
    let Started::Recovery(recovery) = begin(&stack.recover_ports(), requested, Duration::from_secs(5)).await.unwrap()
    else {
        panic!("there is no key")
    };
    assert_eq!(recovery.origin.metadata, metadata);
    let stored = stack.recoveries.recovery(&recovery.id).await.unwrap().unwrap();
    assert_eq!((stored.finished_at.is_some(), stored.origin.metadata), (true, metadata));
}
