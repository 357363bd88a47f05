//! Stitching: a tree where the service takes ten videos, nothing for one scene, and the natural order of scenes.

use serde_json::{Value, json};

use super::backends::Backends;
use super::project::{
    assert_billed_once, behave, billed, command, completed, fast, made, open, scene_ids, scenes, scenes_of, started,
    tasks,
};

#[tokio::test]
async fn twelve_scenes_become_a_tree_of_stitches_and_one_scene_is_stitched_with_nothing() {
    let stack = open(Backends::Services).await;
    let (twelve, one) = (started(&stack, scenes(12)).await, started(&stack, scenes(1)).await);
    let project = completed(&stack, &twelve).await;
    // Two stitches of six, and one of both: the service refuses more than ten videos.
    assert_billed_once(&stack, &project, 3).await;
    assert_eq!(billed(&stack, "stitches", &twelve).await["refused"], 0);
    let ends = tasks(&stack, "stitches", &twelve).await;
    let names: Vec<Value> = ends.iter().map(|task| task["submission"].clone()).collect();
    let expected = [0, 1, 2].map(|node| json!(format!("{twelve}.stitch.1.1.{node}")));
    assert!(names.len() == 3 && expected.iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(names[2], expected[2], "the root comes last");

    let project = completed(&stack, &one).await;
    assert_billed_once(&stack, &project, 0).await;
    assert_eq!(path(&project["finalVideoUrl"]), path(&project["scenes"][0]["videoUrl"]));
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn two_projects_with_interleaved_callbacks_keep_apart_and_scenes_are_in_natural_order() {
    let stack = open(Backends::Services).await;
    let mut projects = Vec::new();
    for _ in 0..2 {
        let mut wanted = scenes(3);
        for (scene, number) in wanted.iter_mut().zip(["2", "10", "002a"]) {
            scene["sceneNumber"] = json!(number);
        }
        let (id, project) = made(&stack, wanted).await;
        for service in ["videos", "frames", "stitches"] {
            behave(&stack, service, &id, fast(json!({ "callback": { "disorder_ms": 700, "copies": 2 } }))).await;
        }
        projects.push((id, project));
    }
    for (id, _) in &projects {
        command(&stack, id, "start").await;
    }
    for (id, created) in &projects {
        let project = completed(&stack, id).await;
        let numbers: Vec<&Value> = scenes_of(&project).iter().map(|scene| &scene["sceneNumber"]).collect();
        assert_eq!(numbers, ["2", "002a", "10"]);
        assert_eq!(scene_ids(&project), scene_ids(created));
        let ids = scene_ids(&project);
        let depends: Vec<&Value> = scenes_of(&project).iter().map(|scene| &scene["dependsOn"]).collect();
        assert_eq!(depends, [&Value::Null, &json!(ids[0]), &json!(ids[1])]);
        assert_billed_once(&stack, &project, 1).await;
        for scene in scenes_of(&project) {
            assert!(path(&scene["videoUrl"]).contains(&format!("/{id}/scenes/")), "{scene:#}");
        }
    }
    stack.assert_queues_empty().await;
}

/// The path of a signed link.
fn path(url: &Value) -> String {
    url.as_str().and_then(|url| url.split('?').next()).expect("a URL").to_owned()
}
