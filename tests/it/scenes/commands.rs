//! Commands and changes: creation, budgets, new attempts and takes, cancellation, deletion, aliases, and notifications.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::backends::Backends;
use super::callers::Caller;
use super::inbox::error_about;
use super::listener::Listener;
use super::project::{
    PROJECTS, behave, billed, call, command, completed, create, fast, made, open, project, scene_ids, scenes,
    scenes_of, tasks, text, unique, until, until_status,
};
use crate::stack::{JsonText, Stack, read};

/// Changes a project or a scene.
async fn change(stack: &Stack, path: &str, body: Value) -> Value {
    let (status, answer) = call(stack, Method::PATCH, path, &body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// A member of each scene of a project.
fn each(project: &Value, name: &str) -> Vec<Value> {
    scenes_of(project).iter().map(|scene| scene[name].clone()).collect()
}

#[tokio::test]
async fn a_repeated_idempotency_key_makes_one_project() {
    let stack = open(Backends::Services).await;
    let key = format!("project-{}", unique());
    let send = async |name: &str| {
        let body = json!({ "name": name, "scenes": scenes(2) });
        let request = stack.request(Method::POST, PROJECTS).header("idempotency-key", &key).json_text(&body);
        read(request.send().await.expect("an answer")).await
    };
    let (one, two, three) = tokio::join!(send("A walk"), send("A walk"), send("A walk"));
    for (status, answer) in [&one, &two, &three] {
        assert_eq!((*status, &answer["id"]), (201, &one.1["id"]), "{answer}");
    }
    let (status, answer) = send("Another walk").await;
    assert_eq!((status, &answer["code"]), (422, &json!("idempotency_key_reused")), "{answer}");
    let (_, list) = stack.get(&format!("{PROJECTS}?limit=100")).await;
    let listed = list["projects"].as_array().expect("a list").iter().filter(|project| project["id"] == one.1["id"]);
    assert_eq!(listed.count(), 1);
}

#[tokio::test]
async fn a_known_version_is_not_sent_again_and_only_the_present_one_is_changed() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(1)).await;
    let path = format!("{PROJECTS}/{id}");
    let get = async |known: &str| {
        stack.request(Method::GET, &path).header("if-none-match", known).send().await.expect("an answer")
    };
    let tag_of = |response: &Response| response.headers()["etag"].to_str().expect("ASCII").to_owned();
    let first = get("\"x\"").await;
    assert_eq!(first.status(), 200);
    let tag = tag_of(&first);
    let same = get(&tag).await;
    assert_eq!((same.status().as_u16(), tag_of(&same)), (304, tag.clone()));
    assert_eq!(same.bytes().await.expect("nothing"), "");

    let rename = async |name: &str| {
        let request = stack.request(Method::PATCH, &path).header("if-match", &tag).json_text(&json!({ "name": name }));
        read(request.send().await.expect("an answer")).await
    };
    let (status, renamed) = rename("A run").await;
    assert_eq!((status, &renamed["name"]), (200, &json!("A run")), "{renamed}");
    let (status, refused) = rename("A ride").await;
    assert_eq!((status, &refused["code"]), (412, &json!("version_mismatch")), "{refused}");
    let changed = get(&tag).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(tag_of(&changed), tag);
    assert_eq!(project(&stack, &id).await["name"], "A run");
}

#[tokio::test]
async fn a_callback_that_comes_before_its_project_is_kept_and_applied() {
    let stack = open(Backends::Services).await;
    // A file at the service, for the callback.
    let (other, _) = made(&stack, scenes(1)).await;
    command(&stack, &other, "start").await;
    completed(&stack, &other).await;
    let video = tasks(&stack, "videos", &other).await[0]["shown"]["result"]["video_url"].clone();

    let (id, scene) = (format!("proj_early_{}", unique()), format!("scene_early_{}", unique()));
    let body = json!({
        "status": "completed", "scene_id": scene, "project_id": id, "result": { "video_url": video },
        "metadata": { "submission": format!("{id}.video.1.1.{scene}") },
    });
    let caller = Caller::of(&stack).await;
    let expected = json!({ "received": true, "warning": "Scene not found" });
    assert_eq!(caller.send_video(&body).await, (200, expected));
    let mut wanted = scenes(1);
    wanted[0]["id"] = json!(scene);
    let made = create(&stack, &json!({ "id": id, "name": "Early", "scenes": wanted })).await;
    assert_eq!((&made["id"], &made["scenes"][0]["id"]), (&json!(id), &json!(scene)));
    let (status, again) = stack.post(PROJECTS, &json!({ "id": id, "name": "Early" })).await;
    assert_eq!((status, &again["code"]), (409, &json!("project_exists")), "{again}");
    // The service itself never ends.
    behave(&stack, "videos", &id, fast(json!({ "task": { "endless": true } }))).await;
    command(&stack, &id, "start").await;
    let project = completed(&stack, &id).await;
    assert_eq!(project["scenes"][0]["attempt"], 1);
    assert_eq!(billed(&stack, "videos", &id).await["billed"], 1);
}

#[tokio::test]
async fn a_budget_refuses_what_would_exceed_it() {
    let stack = open(Backends::Services).await;
    let body = json!({ "name": "A walk", "budget": 0.1, "scenes": scenes(3) });
    let id = text(&create(&stack, &body).await["id"]);
    let (status, estimate) = stack.post(&format!("{PROJECTS}/{id}/estimate"), &json!({})).await;
    let tasks = json!({ "videos": 3, "frames": 3, "stitches": 1, "total": 7 });
    assert_eq!((status, &estimate["tasks"]), (200, &tasks), "{estimate}");
    let numbers = [&estimate["seconds"], &estimate["cost"], &estimate["budget"], &estimate["withinBudget"]];
    assert_eq!(numbers, [&json!(3.0), &json!(0.15), &json!(0.1), &json!(false)]);
    let (status, answer) = stack.post(&format!("{PROJECTS}/{id}/start"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (402, &json!("over_budget")), "{answer}");
    assert_eq!(answer["error"], "This would cost $0.15, and $0.10 of the budget are left");
    assert_eq!(project(&stack, &id).await["phase"], "draft");

    change(&stack, &format!("{PROJECTS}/{id}"), json!({ "budget": 0.15 })).await;
    command(&stack, &id, "start").await;
    let project = completed(&stack, &id).await;
    assert_eq!(project["cost"], json!(0.15));
    let again = format!("{PROJECTS}/{id}/scenes/{}/generate", scene_ids(&project)[0]);
    let (status, answer) = stack.post(&again, &json!({})).await;
    assert_eq!((status, &answer["code"]), (402, &json!("over_budget")), "{answer}");
    assert_eq!(billed(&stack, "videos", &id).await["seconds"], json!(3.0));
}

#[tokio::test]
async fn a_scene_is_generated_again_with_or_without_its_dependants_and_earlier_takes_can_be_chosen() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(3)).await;
    command(&stack, &id, "start").await;
    let first = completed(&stack, &id).await;
    let second = format!("{PROJECTS}/{id}/scenes/{}", scene_ids(&first)[1]);

    let (status, answer) = stack.post(&format!("{second}/generate"), &json!({})).await;
    assert_eq!((status, &answer["scene"]["attempt"]), (202, &json!(2)), "{answer}");
    let renewed = until(&stack, &id, "generated again", |project| {
        project["status"] == "completed" && each(project, "attempt") == [json!(1), json!(2), json!(2)]
    })
    .await;
    assert_eq!(each(&renewed, "take"), [json!(1), json!(2), json!(2)]);
    assert_eq!(each(&renewed, "stale"), [json!(false), json!(false), json!(false)]);
    assert_eq!(renewed["scenes"][1]["takes"].as_array().map(Vec::len), Some(2));
    assert_eq!(billed(&stack, "stitches", &id).await["billed"], 2);

    let (status, answer) = stack.post(&format!("{second}/generate"), &json!({ "cascade": false })).await;
    assert_eq!(status, 202, "{answer}");
    let alone = until(&stack, &id, "generated alone", |project| {
        project["status"] == "completed" && each(project, "attempt") == [json!(1), json!(3), json!(2)]
    })
    .await;
    assert_eq!(each(&alone, "stale"), [json!(false), json!(false), json!(true)]);

    let chosen = change(&stack, &second, json!({ "take": 1 })).await;
    assert_eq!((&chosen["scene"]["take"], &chosen["scene"]["attempt"]), (&json!(1), &json!(3)), "{chosen}");
    let (status, missing) = call(&stack, Method::PATCH, &second, &json!({ "take": 9 })).await;
    assert_eq!((status, &missing["code"]), (404, &json!("take_not_found")), "{missing}");
    let restitched = command(&stack, &id, "stitch").await;
    assert_eq!(restitched["phase"], "running");
    let last = completed(&stack, &id).await;
    assert_eq!(each(&last, "take"), [json!(1), json!(1), json!(2)]);
    assert!(text(&last["finalVideoUrl"]).contains("/final/4/"), "{last:#}");
    assert_eq!(billed(&stack, "stitches", &id).await["billed"], 4);
    assert_eq!(billed(&stack, "videos", &id).await["billed"], 6);
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_cancelled_project_cancels_its_tasks_outside_and_a_deleted_one_its_files() {
    let stack = open(Backends::Services).await;
    let listener = Listener::register(&stack, &["project.*"]).await;
    let (id, _) = made(&stack, scenes(2)).await;
    behave(&stack, "videos", &id, fast(json!({ "task": { "endless": true } }))).await;
    command(&stack, &id, "start").await;
    until(&stack, &id, "generating", |project| project["scenes"][0]["taskId"].is_string()).await;
    let cancelled = command(&stack, &id, "cancel").await;
    assert_eq!((&cancelled["status"], &cancelled["scenes"][0]["status"]), (&json!("cancelled"), &json!("ready")));
    stack
        .eventually("the task is cancelled at its service", || async {
            (tasks(&stack, "videos", &id).await[0]["shown"]["status"] == "cancelled").then_some(())
        })
        .await;
    stack
        .eventually("the slot is free", || async {
            stack.aws.slots("scene-admission").await.active.is_empty().then_some(())
        })
        .await;
    listener.heard(&stack, &id, "project.cancelled").await;
    let (status, again) = stack.post(&format!("{PROJECTS}/{id}/cancel"), &json!({})).await;
    assert_eq!((status, &again["status"]), (200, &json!("cancelled")), "{again}");

    // It goes on where it stood, and sends each event once.
    behave(&stack, "videos", &id, fast(json!({}))).await;
    command(&stack, &id, "start").await;
    completed(&stack, &id).await;
    let heard = listener.heard(&stack, &id, "project.completed").await;
    assert_eq!((&heard["status"], &heard["total_scenes"]), (&json!("completed"), &json!(2)), "{heard}");
    assert_eq!(listener.ids(&stack, &id, "project.started").await.len(), 2);
    let key = format!("projects/{id}/final/1/video.mp4");
    assert!(stack.aws.has_object(&key).await);
    let (status, answer) = call(&stack, Method::DELETE, &format!("{PROJECTS}/{id}"), &json!({})).await;
    assert_eq!((status, &answer["id"]), (200, &json!(id)), "{answer}");
    let (status, answer) = stack.get(&format!("{PROJECTS}/{id}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("project_not_found")), "{answer}");
    stack.eventually("the files are gone", || async { (!stack.aws.has_object(&key).await).then_some(()) }).await;
    listener.remove(&stack).await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn the_paths_of_the_originals_pages_work_too() {
    let stack = open(Backends::Services).await;
    let (id, project) = made(&stack, scenes(3)).await;
    let ids = scene_ids(&project);
    let (status, answer) = stack.get(&format!("/api/projects/{id}/scenes")).await;
    assert_eq!((status, &answer["scenes"]), (200, &project["scenes"]), "{answer}");
    // A page sends the whole scene back.
    let mut scene = project["scenes"][1].clone();
    scene["name"] = json!("The river");
    scene["prompt"] = json!("It stops at a river");
    let changed = change(&stack, &format!("/api/scenes/{}", ids[1]), scene).await;
    assert_eq!((&changed["scene"]["name"], &changed["scene"]["id"]), (&json!("The river"), &json!(ids[1])));
    let path = format!("/api/scenes/{}", ids[2]);
    let (status, answer) = call(&stack, Method::DELETE, &path, &json!({})).await;
    assert_eq!((status, &answer["id"]), (200, &json!(ids[2])), "{answer}");
    let (status, answer) = call(&stack, Method::DELETE, &path, &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("scene_not_found")), "{answer}");
    let generate = format!("/api/projects/{id}/scenes/{}/generate", ids[0]);
    let (status, answer) = stack.post(&generate, &json!({})).await;
    assert_eq!((status, &answer["scene"]["id"]), (202, &json!(ids[0])), "{answer}");
    let project = completed(&stack, &id).await;
    assert_eq!(scene_ids(&project), ids[..2]);
    assert_eq!(project["scenes"][1]["prompt"], "It stops at a river");
}

/// The notifications about a project.
async fn notifications(stack: &Stack, project: &str) -> Vec<Value> {
    let all = stack.studio(&format!("/notifications?project={project}")).await;
    all["received"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_notification_that_fails_raises_a_warning_and_undoes_nothing() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(1)).await;
    behave(&stack, "notifications", &id, json!({ "answer": 500 })).await;
    command(&stack, &id, "start").await;
    completed(&stack, &id).await;
    let warning = error_about(&stack, &id, "notification_failed").await;
    assert_eq!((&warning["type"], &warning["severity"]), (&json!("notification"), &json!("warning")), "{warning:#}");
    assert_eq!(project(&stack, &id).await["status"], "completed");
    let sent = notifications(&stack, &id).await;
    let key = stack.aws.secret("NOTIFICATION_API_KEY").await;
    for one in &sent {
        assert_eq!((&one["headers"]["x-api-key"], &one["body"]["type"]), (&json!(key), &json!("project_completed")));
        assert_eq!(one["headers"]["webhook-id"], sent[0]["headers"]["webhook-id"], "repeats have the same id");
    }

    behave(&stack, "notifications", &id, json!({})).await;
    let delivery = text(&warning["context"]["delivery_id"]);
    let (status, answer) = stack.post(&format!("/api/webhooks/deliveries/{delivery}/retry"), &json!({})).await;
    assert!(matches!(status, 200 | 202), "{status}: {answer}");
    stack
        .eventually("the notification arrives", || async {
            notifications(&stack, &id).await.iter().any(|one| one["answered"] == 200).then_some(())
        })
        .await;
    stack
        .eventually("the warning is resolved", || async {
            let (_, now) = stack.get(&format!("/api/v1/errors/{}", text(&warning["id"]))).await;
            now["error"]["resolvedAt"].is_string().then_some(())
        })
        .await;
    until_status(&stack, &id, "completed").await;
    stack.assert_queues_empty().await;
}
