//! What versions, deliveries and pieces record, in words of the program.

use std::time::Duration;

use reelhook_app::metrics::life::measure;
use reelhook_app::webhooks::deliver::deliver;
use reelhook_app::webhooks::events::EventRow;
use reelhook_domain::videos::film::{Content, Entrance, Scene, SceneKind};
use reelhook_domain::{Effect, Job, Status};
use reelhook_testkit::{
    NOON, ScriptedHttp, Stack, a_clip_job, a_delivery, a_film, make_job, policy, recorded_by, response,
};

const ONE: (&str, &str) = ("WEBHOOK_URLS", "https://receiver.example/hook");

/// The name, the values of the dimensions, and the value of each metric that `work` records.
async fn recorded(work: impl Future<Output = ()>) -> Vec<(&'static str, String, f64)> {
    let all = recorded_by(work).await;
    all.iter().map(|metric| (metric.name.name(), metric.by.join(" ").trim().to_owned(), metric.value)).collect()
}

fn value(found: &[(&'static str, String, f64)], name: &str, by: &str) -> Option<f64> {
    found.iter().find(|(known, of, _)| *known == name && of == by).map(|(_, _, value)| *value)
}

/// Sends a delivery about a job that was submitted at noon, a minute later.
async fn sent(status: u16) -> Vec<(&'static str, String, f64)> {
    let mut stack = Stack::with(&[ONE], 3);
    stack.http = ScriptedHttp::each([Ok(response(status, ""))]);
    stack.world.advance_s(60);
    let (delivery, event) = a_delivery(1, &stack.settings.endpoints[0], NOON.after(Duration::from_secs(60)));
    stack.deliveries.put_event(&EventRow { submitted_at: Some(NOON), ..event });
    stack.deliveries.put_delivery(&delivery);
    let hint = (delivery.id, delivery.event_id.clone());
    recorded(async { deliver(&stack.deliver_ports(), &[hint]).await.remove(0).unwrap() }).await
}

fn ended(status: Status) -> Job {
    let mut job = make_job(1, NOON, &policy());
    (job.version, job.status, job.updated_at) = (7, status, NOON.after(Duration::from_secs(155)));
    job.run.times.started_at = Some(NOON.after(Duration::from_secs(1)));
    job.outbox = vec![Effect::Count { status, day: NOON.day(), entered: true }];
    job
}

#[tokio::test]
async fn an_accepted_webhook_says_how_long_it_took_since_the_submission() {
    let found = sent(200).await;
    assert_eq!(value(&found, "DeliveryAttempts", "success"), Some(1.0));
    assert_eq!(value(&found, "DeliveriesEnded", "delivered"), Some(1.0));
    assert_eq!(value(&found, "TimeToFirstDelivery", "workflow"), Some(60_000.0));
    assert!(value(&found, "TimeToFirstByte", "").is_some());
    assert_eq!(value(&found, "DeliveryRetries", ""), None, "it was the first attempt");
}

#[tokio::test]
async fn a_refused_webhook_has_its_result_and_no_end() {
    let found = sent(500).await;
    assert_eq!(value(&found, "DeliveryAttempts", "retryable"), Some(1.0));
    assert!(!found.iter().any(|(name, _, _)| matches!(*name, "DeliveriesEnded" | "TimeToFirstDelivery")), "{found:?}");
    let found = sent(410).await;
    assert_eq!(value(&found, "DeliveryAttempts", "gone"), Some(1.0));
    assert_eq!(value(&found, "DeliveriesEnded", "stopped"), Some(1.0));
    assert_eq!(value(&found, "EndpointsDisabled", ""), Some(1.0));
}

#[tokio::test]
async fn a_version_says_what_it_reaches_once() {
    let first = recorded(async { measure(&make_job(1, NOON, &policy())) }).await;
    assert_eq!(first, [("JobsSubmitted", "workflow".to_owned(), 1.0)]);
    let completed = recorded(async { measure(&ended(Status::Completed)) }).await;
    assert_eq!(value(&completed, "JobsEnded", "workflow completed"), Some(1.0));
    assert_eq!(value(&completed, "JobDuration", "workflow"), Some(154_000.0));
    assert_eq!(value(&completed, "TimeToEnd", "workflow"), Some(155_000.0));
    let cancelled = recorded(async { measure(&ended(Status::Cancelled)) }).await;
    let names: Vec<&str> = cancelled.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(names, ["JobsEnded", "JobDuration"]);
    let later = Job { outbox: Vec::new(), ..ended(Status::Completed) };
    assert!(recorded(async { measure(&later) }).await.is_empty());
    let clips = recorded(async { measure(&a_clip_job(1, NOON, &Default::default())) }).await;
    assert_eq!(clips, [("JobsSubmitted", "clips".to_owned(), 1.0)]);
}

#[tokio::test]
async fn the_pieces_of_a_video_have_their_family_and_frames() {
    let stack = Stack::with(&[("WEBHOOK_URLS", "")], 3);
    let scene = Scene {
        kind: SceneKind::HeroTitle,
        frames: 30,
        content: Content { title: "A title".to_owned(), ..Content::default() },
        transition: None,
        entrance: Entrance::default(),
    };
    stack.submit_video(a_film(vec![scene.clone(), scene]), None).await;
    let found = recorded(async { stack.settle().await }).await;
    let done = found.iter().filter(|(name, by, _)| *name == "PiecesEnded" && by == "video done").count();
    assert_eq!(done, 3, "two scenes, and the join: {found:?}");
    assert!(value(&found, "TimeToStart", "video").is_some(), "{found:?}");
}
