//! Webhooks about projects: their links to files, and the notification that a project is completed.

use reelhook_app::outbox::fanout::plan;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::webhooks::previews::preview;
use reelhook_domain::projects::effect::ProjectEffect;
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::project::{FinalVideo, Phase, Project};
use reelhook_domain::{Effect, OutboundEvent, Recipients};
use reelhook_testkit::{NOON, Stack, a_running_project, body_of, webhook_settings};

/// A project whose video is in the bucket, in the version in which it is completed.
fn completed() -> Project {
    let (event, to) = (OutboundEvent::ProjectCompleted, Some(Recipients::Subscribers));
    let video = Video { file: File::stored("projects/proj_1/final/1/video.mp4"), ..Video::default() };
    Project {
        phase: Phase::Completed,
        ended_at: Some(NOON),
        video: Some(FinalVideo { video, takes: Vec::new(), at: NOON }),
        outbox: vec![Effect::Notify { event, to, about: None }],
        ..a_running_project("1", Vec::new())
    }
}

#[tokio::test]
async fn a_notification_has_a_link_to_the_video_and_a_replay_plans_the_same() {
    let stack = Stack::with(&[("NOTIFICATION_SERVICE_URL", "https://notify.example/completed")], 3);
    let subscriptions = stack.subscriptions().await;
    let plan = || plan(&completed(), &subscriptions, stack.scenes.links(), stack.policy.hint_grace);
    let planned = plan();
    let url = planned.events[0].data["video_url"].as_str().unwrap();
    assert!(url.starts_with("https://reelhook.example/api/v1/files/proj_1/final/1/video.mp4?token="), "{url}");
    stack.fan_out(&[completed()]).await.unwrap();
    stack.dispatch().await;
    assert_eq!(body_of(&stack.http.only_request())["video_url"], url);
    stack.world.advance_s(3600);
    assert_eq!(plan(), planned);
}

#[tokio::test]
async fn a_hint_that_names_what_it_starts_is_enough_if_a_slot_is_freed_too() {
    let stack = Stack::default();
    let slot = "proj_1.video.1.1.scene_1".to_owned();
    let starts = [ProjectEffect::FreeSlot { slot }, ProjectEffect::StartScenes { delay_s: 0 }];
    let version = Project { outbox: starts.map(Effect::from).into(), ..a_running_project("1", Vec::new()) };
    stack.fan_out(std::slice::from_ref(&version)).await.unwrap();
    let projects = vec![version.id];
    assert_eq!(stack.work.sent(), [Delayed::now(WorkMessage::StartScenes { projects })]);
}

#[test]
fn examples_of_webhooks_have_links_too() {
    let settings = webhook_settings(&[("WEBHOOK_URLS", "https://one.example/")]);
    for event in [OutboundEvent::ProjectCompleted, OutboundEvent::SceneGenerated, OutboundEvent::SceneVerified] {
        let body = preview(&settings.endpoints[0], event, NOON).body;
        assert!(body.contains(r#""video_url":"https://reelhook.example/api/v1/files/proj_"#), "{body}");
    }
}
