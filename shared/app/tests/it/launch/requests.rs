//! The requests that submit tasks, byte for byte as the contract has them.

use bytes::Bytes;
use reelhook_app::Url;
use reelhook_app::outbound::Method;
use reelhook_app::projects::store::ProjectFiles;
use reelhook_domain::WebUrl;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::scene::{LongText, SceneKind};
use reelhook_domain::projects::task::TaskRef;
use reelhook_signing::{TaskClaims, Verified};
use reelhook_testkit::{NOON, Stack, a_project, body_of, headers, response};
use serde_json::{Value, json};

use super::{add, apply, completed, extracted, frame, posts, report, start, video, work};

fn accepting() -> Stack {
    let stack = Stack::default();
    stack.http.script(|_| Ok(response(200, r#"{"task_id": "task_1"}"#)));
    stack
}

/// Takes the URL of the callback out of a body, and checks its webhook and its token.
fn take_callback(stack: &Stack, body: &mut Value, member: &str, webhook: &str, task: &TaskRef) {
    let url = Url::parse(body[member].as_str().unwrap()).unwrap();
    body.as_object_mut().unwrap().remove(member);
    let rest = url.as_str().strip_prefix("https://reelhook.example/w/").unwrap();
    let (token, path) = rest.split_once('/').unwrap();
    assert_eq!(path, format!("api/webhooks/{webhook}"));
    let claims = TaskClaims::verify(token, &stack.scenes.services.tokens).map(Verified::into_inner).unwrap();
    assert_eq!(TaskRef::parse(&claims.task).as_ref(), Some(task));
}

#[tokio::test]
async fn a_video_is_submitted_as_the_tasks_service_reads_it() {
    let stack = accepting();
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    let request = posts(&stack).remove(0);
    assert_eq!(request.url.as_str(), "https://tasks.example/api/v1/tasks/submit");
    let headers = headers(&request);
    assert_eq!(headers["x-api-key"], "the key of tasks");
    assert_eq!(headers["idempotency-key"], format!("{id}.video.1.1.scene_1_1"));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers.get("authorization"), None);
    let mut body = body_of(&request);
    take_callback(&stack, &mut body, "callback_url", "video-complete", &video(1, 1));
    let expected = json!({
        "project_id": id.as_str(),
        "task_type": "generate_video",
        "task_data": { "scene_id": "scene_1_1", "prompt": "Scene 1 of project 1", "duration": 5 },
        "priority": "normal",
        "metadata": {
            "scene_id": "scene_1_1", "project_id": id.as_str(), "submission": format!("{id}.video.1.1.scene_1_1"),
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_service_with_a_path_of_its_own_gets_the_body_of_the_seed() {
    let mut stack = accepting();
    stack.scenes.services.video.as_mut().unwrap().url = Url::parse("https://gen.example/api/generate?v=2").unwrap();
    let mut project = a_project(1, 1, false, NOON, &stack.scenes.policy);
    let spec = &mut project.scenes[0].spec;
    spec.kind = SceneKind::FirstLastFrame;
    spec.first_frame = WebUrl::parse("https://client.example/first.png");
    spec.last_frame = WebUrl::parse("https://client.example/last.png");
    (spec.model, spec.fps, spec.duration_ms) = (Some("veo".to_owned()), Some(24), 2500);
    stack.scenes.projects.put(&project);
    assert!(apply(&stack, &project.id, &Event::Start));
    start(&stack).await;
    let request = posts(&stack).remove(0);
    assert_eq!(request.url.as_str(), "https://gen.example/api/generate?v=2");
    let mut body = body_of(&request);
    take_callback(&stack, &mut body, "webhookUrl", "video-complete", &video(1, 1));
    let expected = json!({
        "type": "first-last-frame",
        "prompt": "Scene 1 of project 1",
        "sceneId": "scene_1_1",
        "firstFrameUrl": "https://client.example/first.png",
        "lastFrameUrl": "https://client.example/last.png",
        "model": "veo",
        "duration": 2.5,
        "fps": 24,
    });
    assert_eq!(body, expected);
    // It is polled at its own path, and not listed.
    stack.world.advance_s(600);
    work(&stack, &project.id).await;
    let requests = stack.http.requests();
    let [_, poll] = requests.as_slice() else { panic!("{requests:?}") };
    let expected = (Method::Get, "https://gen.example/api/generate/task_1?v=2");
    assert_eq!((poll.method, poll.url.as_str()), expected);
}

#[tokio::test]
async fn a_last_frame_is_requested_with_both_headers() {
    for (url, own_path) in [("https://frames.example/", false), ("https://frames.example/extract", true)] {
        let mut stack = accepting();
        stack.scenes.services.frame.as_mut().unwrap().url = Url::parse(url).unwrap();
        let id = add(&stack, 1, 1, false);
        start(&stack).await;
        report(&stack, &id, &video(1, 1), completed());
        work(&stack, &id).await;
        let request = posts(&stack).remove(1);
        assert_eq!(request.url.path(), if own_path { "/extract" } else { "/api/v1/process" });
        let headers = headers(&request);
        assert_eq!(headers["authorization"], "Bearer the key of frames");
        assert_eq!(headers["x-api-key"], "the key of frames");
        let mut body = body_of(&request);
        take_callback(&stack, &mut body, "webhook_url", "last-frame-complete", &frame(1, 1));
        assert_eq!(body["video_url"], "https://tasks.example/1.mp4");
        assert_eq!(body.get("scene_id").is_some(), own_path);
        assert_eq!(body.get("metadata").is_some(), !own_path);
    }
}

#[tokio::test]
async fn a_scene_starts_from_the_last_frame_of_the_one_before() {
    let stack = accepting();
    let id = add(&stack, 1, 2, false);
    start(&stack).await;
    report(&stack, &id, &video(1, 1), completed());
    work(&stack, &id).await;
    report(&stack, &id, &frame(1, 1), extracted());
    stack.scenes.projects.free_slots();
    start(&stack).await;
    let body = body_of(&posts(&stack).pop().unwrap());
    assert_eq!(body["task_data"]["start_image_url"], "https://frames.example/1.png");
}

#[tokio::test]
async fn a_stitch_has_the_videos_in_order() {
    let stack = accepting();
    let id = add(&stack, 1, 2, true);
    start(&stack).await;
    for scene in 1..=2 {
        report(&stack, &id, &video(1, scene), completed());
    }
    work(&stack, &id).await;
    for scene in 1..=2 {
        report(&stack, &id, &frame(1, scene), extracted());
    }
    work(&stack, &id).await;
    let request = posts(&stack).pop().unwrap();
    assert_eq!(request.url.as_str(), "https://frames.example/api/v1/stitch");
    let mut body = body_of(&request);
    let task = TaskRef::parse("stitch.1.1.0").unwrap();
    take_callback(&stack, &mut body, "webhook_url", "stitch-complete", &task);
    assert_eq!(body["video_urls"], json!(["https://tasks.example/1.mp4", "https://tasks.example/1.mp4"]));
}

#[tokio::test]
async fn a_long_prompt_is_read_from_the_bucket() {
    for is_there in [true, false] {
        let stack = accepting();
        let mut project = a_project(1, 1, false, NOON, &stack.scenes.policy);
        project.scenes[0].spec.prompt = LongText::Stored("projects/p/prompts/x.txt".to_owned());
        stack.scenes.projects.put(&project);
        if is_there {
            let long = Bytes::from("long ".repeat(1000));
            stack.scenes.projects.put_text("projects/p/prompts/x.txt", long).await.unwrap();
        }
        assert!(apply(&stack, &project.id, &Event::Start));
        start(&stack).await;
        let prompts: Vec<Value> =
            posts(&stack).iter().map(|request| body_of(request)["task_data"]["prompt"].clone()).collect();
        let expected = if is_there { vec![json!("long ".repeat(1000))] } else { vec![] };
        assert_eq!(prompts, expected, "without its prompt nothing is sent");
    }
}
