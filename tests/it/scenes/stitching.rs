//! Stitching: a tree where the service takes ten videos, nothing for one scene, the natural order of scenes, and failures.

use serde_json::{Value, json};

use super::backends::Backends;
use super::inbox::{error_about, retry};
use super::project::{
    assert_billed_once, behave, billed, command, completed, fast, made, open, scene_ids, scenes, scenes_of, started,
    tasks, text, until_status,
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
    // Tokens say what the callbacks of the first project mean, and ids alone those of the second.
    let with_token = json!({ "disorder_ms": 700, "copies": 2 });
    let without = json!({ "disorder_ms": 700, "copies": 2, "signature": "valid", "no_token": true, "form": "flat" });
    for callback in [with_token, without] {
        let mut wanted = scenes(3);
        for (scene, number) in wanted.iter_mut().zip(["2", "10", "002a"]) {
            scene["sceneNumber"] = json!(number);
        }
        let (id, project) = made(&stack, wanted).await;
        for service in ["videos", "frames", "stitches"] {
            behave(&stack, service, &id, fast(json!({ "callback": callback }))).await;
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

#[tokio::test]
async fn a_stitch_that_fails_three_times_is_a_critical_error_and_its_retry_generates_no_video() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(2)).await;
    let failing = fast(json!({ "task": { "fail_first": 3, "error": "the disk is full" } }));
    behave(&stack, "stitches", &id, failing).await;
    command(&stack, &id, "start").await;
    let failed = until_status(&stack, &id, "failed").await;
    assert_eq!(failed["error"], "The scenes could not be stitched: the disk is full");
    assert!(scenes_of(&failed).iter().all(|scene| scene["status"] == "verified"), "{failed:#}");
    assert_billed_once(&stack, &failed, 3).await;

    let error = error_about(&stack, &id, "stitch_failed").await;
    assert_eq!((&error["type"], &error["severity"]), (&json!("generation"), &json!("critical")), "{error:#}");
    assert_eq!((&error["context"]["error"], error["context"].get("scene_id")), (&json!("the disk is full"), None));
    retry(&stack, &error).await;
    let project = completed(&stack, &id).await;
    assert_billed_once(&stack, &project, 4).await;
    assert_eq!(billed(&stack, "frames", &id).await["billed"], 2);
    let path = format!("/api/v1/errors/{}", text(&error["id"]));
    stack
        .eventually("the error is resolved", || async {
            let (_, now) = stack.get(&path).await;
            now["error"]["resolvedAt"].is_string().then_some(())
        })
        .await;
    stack.assert_queues_empty().await;
}

/// The path of a signed link.
fn path(url: &Value) -> String {
    url.as_str().and_then(|url| url.split('?').next()).expect("a URL").to_owned()
}
