//! Records of the Projects stream.

use std::time::Duration;

use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_aws::outbox::stream::{self, Record};
use reelhook_aws::projects::item::from_item;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::{Scene, SceneState};
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{Effect, Live, OutboundEvent, ProjectEffect, Recipients};
use reelhook_testkit::{NOON, SceneStack};
use serde_json::{Value, json};

use super::items::item_of;
use super::stored::full;
use super::{project, scene, scene_id, task_id};
use crate::opened::{closed, opened};
use crate::stream::record;

fn read(old: Option<&Value>, new: &Value) -> Record<Project> {
    let name = if old.is_some() { "MODIFY" } else { "INSERT" };
    stream::read(&record(name, old, Some(new)), NOON, from_item)
}

#[tokio::test]
async fn a_new_version_is_acted_on_with_its_outbox_in_the_form_of_each_version() {
    let scenes: Vec<Scene> = (0..100).map(|n| scene(&n.to_string(), n, SceneState::Ready)).collect();
    let large = Project { outbox: full().outbox, ..project(scenes) };
    let images = [item_of(&full()).await, item_of(&large).await, opened(&item_of(&full()).await)];
    for (version, image) in [full(), large, full()].into_iter().zip(images) {
        assert_eq!(stream::id(&record("INSERT", None, Some(&image))), Some("proj_1"));
        assert_eq!(read(None, &image), Record::Version(Box::new(version.clone())));
        let older = item_of(&Project { version: 1, ..version.clone() }).await;
        assert_eq!(read(Some(&older), &image), Record::Version(Box::new(version)));
        assert_eq!(read(Some(&image), &image), Record::Nothing, "a write without a new version");
        assert_eq!(read(Some(&image), &older), Record::Nothing);
    }
}

#[tokio::test]
async fn a_version_without_effects_and_a_removal_are_nothing() {
    let quiet = item_of(&project(Vec::new())).await;
    assert_eq!(read(None, &quiet), Record::Nothing);
    let removed = stream::read(&record("REMOVE", Some(&item_of(&full()).await), None), NOON, from_item);
    assert_eq!(removed, Record::Nothing);
}

#[tokio::test]
async fn every_kind_of_effect_of_a_project_is_known() {
    let effects = [
        ProjectEffect::Tasks { delay_s: 3 },
        ProjectEffect::StartScenes { delay_s: 0 },
        ProjectEffect::FreeSlot { slot: "proj_1.video.1.1.scene_a".to_owned() },
        ProjectEffect::IndexScenes { scenes: vec![scene_id("a").to_string()] },
        ProjectEffect::IndexTask { stage: Stage::Video, id: task_id("t"), task: "video.1.1.scene_a".to_owned() },
        ProjectEffect::CancelTask { stage: Stage::Video, id: task_id("t") },
    ];
    let others =
        [Effect::Live { events: vec![Live::Scene { id: scene_id("a") }, Live::Project], after: 1 }, Effect::Purge];
    let outbox = effects.into_iter().map(Effect::from).chain(others).collect();
    let version = Project { outbox, ..project(Vec::new()) };
    assert_eq!(read(None, &item_of(&version).await), Record::Version(Box::new(version)));
}

#[tokio::test]
async fn fanout_plans_a_version_of_either_kind() {
    let (event, to) = (OutboundEvent::ProjectStarted, Some(Recipients::Subscribers));
    let outbox = vec![ProjectEffect::StartScenes { delay_s: 7 }.into(), Effect::Notify { event, to, about: None }];
    let image = item_of(&Project { outbox, ..project(Vec::new()) }).await;
    let Record::Version(version) = read(None, &image).of_any() else { panic!("it is a version") };
    assert!(version.notifies());
    let (scenes, grace) = (SceneStack::default(), Duration::from_secs(60));
    let plan = version.plan(&Subscriptions::default(), scenes.links(), grace);
    let projects = vec![project(Vec::new()).id];
    assert_eq!(plan.work, [Delayed { message: WorkMessage::StartScenes { projects }, delay_s: 7 }]);
}

#[tokio::test]
async fn what_cannot_be_read_waits_or_is_set_aside() {
    let good = opened(&item_of(&full()).await);
    let image = |name: &str, text: &str| {
        let mut image = good.clone();
        image[name] = json!({ "S": text });
        image
    };
    let with = |name: &str, text: &str| read(None, &image(name, text));
    let newer = with("outbox", r#"[{"kind":"rotate_scenes.v1"}]"#);
    assert!(matches!(newer, Record::TooNew(reason) if reason.contains("`rotate_scenes.v1`")));
    let newer = read(None, &closed(&image("outbox", r#"[{"kind":"rotate_scenes.v1"}]"#)));
    assert!(matches!(newer, Record::TooNew(reason) if reason.contains("`rotate_scenes.v1`")));
    for (name, text) in [("body", "{"), ("outbox", "{"), ("outbox", r#"[{"kind":"cancel_task.v1"}]"#)] {
        assert!(matches!(with(name, text), Record::Poison(_)), "{name}: {text}");
    }
}
