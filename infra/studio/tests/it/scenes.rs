//! The services of scenes, as Reelhook calls them, and their faults.

use std::path::PathBuf;

use reelhook_signing::{SigningKeys, streamgank};
use reelhook_studio::{Config, SceneKeys, Studio};
use serde_json::{Value, json};

use crate::http::{Response, delete, get, post, put, try_send};
use crate::support::{FakeApi, RecordedRequest, config, config_with_video, eventually, start, studio};

/// Settings for prepared files at once.
fn fast(more: Value) -> Value {
    let mut settings = json!({"task": {"ms": 0}, "file": {"fast": true}});
    for (group, options) in more.as_object().unwrap() {
        for (name, value) in options.as_object().unwrap() {
            settings[group][name] = value.clone();
        }
    }
    settings
}

async fn set(studio: &Studio, control: &str, settings: &Value) {
    let answer = put(&format!("{}/control/{control}", studio.url()), settings).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

async fn control(studio: &Studio, path: &str) -> Value {
    get(&format!("{}/control/{path}", studio.url()), &[]).await.json()
}

/// The body of a submission of a video.
fn video(api: &FakeApi, project: &str, scene: &str) -> Value {
    json!({
        "project_id": project,
        "task_type": "generate_video",
        "task_data": {"scene_id": scene, "prompt": "a boat", "duration": 0.4, "fps": 25, "resolution": "320x180"},
        "priority": 1,
        "callback_url": format!("{}/api/webhooks/video-complete", api.url()),
        "metadata": {"scene_id": scene, "project_id": project, "task": format!("video.1.1.{scene}")},
    })
}

async fn submit(studio: &Studio, path: &str, body: &Value) -> Response {
    post(&format!("{}{path}", studio.url()), &[], &body.to_string()).await
}

async fn submit_video(studio: &Studio, body: &Value) -> String {
    let response = submit(studio, "/api/v1/tasks/submit", body).await;
    assert_eq!(response.status, 200, "{}", response.json());
    response.json()["task_id"].as_str().unwrap().to_owned()
}

async fn callbacks(api: &FakeApi, count: usize) -> Vec<RecordedRequest> {
    eventually("the callbacks", || {
        let requests = api.requests();
        (requests.len() >= count).then_some(requests)
    })
    .await
}

/// Waits until a task has this status, and returns what its service says about it.
async fn task_in(studio: &Studio, path: &str, status: &str) -> Value {
    let url = format!("{}{path}", studio.url());
    let (start, mut poll) = (std::time::Instant::now(), tokio::time::interval(std::time::Duration::from_millis(10)));
    loop {
        poll.tick().await;
        let shown = get(&url, &[]).await.json();
        if shown["status"] == status {
            return shown;
        }
        assert!(start.elapsed().as_secs() < 20, "timed out waiting for {status}: {shown}");
    }
}

#[tokio::test]
async fn a_video_is_made_and_its_signed_callback_is_nested() {
    let scenes = SceneKeys {
        task_api_key: Some("k3y".into()),
        video_webhook_secret: Some("s3cret".into()),
        ..SceneKeys::default()
    };
    let (studio, api) = (start(Config { scenes, ..config() }).await, FakeApi::start().await);
    set(&studio, "videos", &fast(json!({"file": {"quality_score": 0}}))).await;
    let body = video(&api, "proj_1", "scene_1");
    assert_eq!(submit(&studio, "/api/v1/tasks/submit", &body).await.status, 401);
    let url = format!("{}/api/v1/tasks/submit", studio.url());
    let headers = [("x-api-key", "k3y"), ("idempotency-key", "proj_1.video.1.1.scene_1")];
    let answer = post(&url, &headers, &body.to_string()).await.json();
    assert_eq!(answer["status"], "queued");

    let callback = callbacks(&api, 1).await.remove(0);
    assert_eq!(callback.path, "/w/tok3n/api/webhooks/video-complete");
    let signature = callback.headers["x-webhook-signature"].to_str().unwrap();
    assert!(streamgank::verify_hex(&callback.raw, signature, &SigningKeys::parse("s3cret").unwrap()).is_ok());
    let sent = callback.body;
    assert_eq!((&sent["task_id"], &sent["status"]), (&answer["task_id"], &json!("completed")));
    assert_eq!(sent["metadata"], body["metadata"]);
    assert!(sent.get("scene_id").is_none() && sent.get("video_url").is_none(), "{sent}");
    assert_eq!((&sent["result"]["resolution"], &sent["result"]["quality_score"]), (&json!("64x36"), &json!(0)));
    assert!(sent["completed_at"].as_str().unwrap().ends_with('Z') && sent["processing_time"].is_f64(), "{sent}");

    let file = get(sent["result"]["video_url"].as_str().unwrap(), &[("range", "bytes=4-7")]).await;
    assert_eq!((file.status, file.body.as_slice()), (206, b"ftyp".as_slice()));
    let image = get(sent["result"]["thumbnail_url"].as_str().unwrap(), &[]).await;
    assert_eq!((image.status, image.header("content-type")), (200, "image/jpeg"));

    let key = [("x-api-key", "k3y")];
    let listed = get(&format!("{}/api/v1/projects/proj_1/tasks", studio.url()), &key).await.json();
    assert_eq!((&listed["total"], &listed["tasks"][0]["metadata"]), (&json!(1), &body["metadata"]));
    let billed = control(&studio, "videos/billed?project=proj_1").await;
    assert_eq!((&billed["billed"], &billed["seconds"]), (&json!(1), &json!(0.4)));
    assert_eq!(billed["by_submission"], json!({"proj_1.video.1.1.scene_1": 1}));
    assert_eq!(billed["by_scene"], json!({"proj_1/scene_1": 1}));
}

#[tokio::test]
async fn frames_and_stitches_know_their_project_by_the_videos() {
    let scenes = SceneKeys { last_frame_api_key: Some("k3y".into()), ..SceneKeys::default() };
    let (studio, api) = (start(Config { scenes, ..config() }).await, FakeApi::start().await);
    for service in ["videos", "frames", "stitches"] {
        set(&studio, service, &fast(json!({}))).await;
    }
    submit_video(&studio, &video(&api, "proj_2", "scene_2")).await;
    let url = callbacks(&api, 1).await[0].body["result"]["video_url"].clone();

    let webhook_url = format!("{}/api/webhooks/last-frame-complete", api.url());
    let body = json!({"video_url": url, "webhook_url": webhook_url}).to_string();
    let process = format!("{}/api/v1/process", studio.url());
    let both = [("authorization", "Bearer k3y"), ("x-api-key", "k3y")];
    assert_eq!(post(&process, &both[..1], &body).await.status, 401);
    let answer = post(&process, &both, &body).await.json();
    assert_eq!(answer["status"], "pending");
    let sent = callbacks(&api, 2).await.remove(1);
    assert!(!sent.headers.contains_key("x-webhook-signature"));
    let image = sent.body["image_url"].as_str().unwrap();
    assert_eq!(&get(image, &[]).await.body[1..4], b"PNG");
    assert!(sent.body.get("scene_id").is_none() && sent.body.get("metadata").is_some(), "{}", sent.body);
    assert_eq!(control(&studio, "frames/billed").await["by_scene"], json!({"proj_2/scene_2": 1}));

    let stitch = format!("{}/api/v1/stitch", studio.url());
    let urls = |count| json!({"video_urls": vec![&url; count], "webhook_url": webhook_url}).to_string();
    let refused = post(&stitch, &both, &urls(11)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"], "video_urls must have at most 10 entries (got 11)");
    assert_eq!(post(&stitch, &both, &urls(1)).await.status, 400);
    let answer = post(&stitch, &both, &urls(10)).await.json();
    let sent = callbacks(&api, 3).await.remove(2);
    assert!(sent.body["video_result_url"].is_string());
    let id = answer["task_id"].as_str().unwrap();
    let status = get(&format!("{}/api/v1/status/{id}", studio.url()), &both).await.json();
    assert_eq!(status["video_result_url"], sent.body["video_result_url"]);
    assert_eq!(control(&studio, "stitches/billed").await["by_scene"], json!({"proj_2/-": 1}));
}

#[tokio::test]
async fn the_seeds_forms_get_callbacks_of_the_seeds_form() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    for service in ["videos", "frames", "stitches"] {
        set(&studio, service, &fast(json!({}))).await;
    }
    let body = json!({"type": "text-to-video", "prompt": "", "sceneId": "s1", "duration": 5, "webhookUrl": api.url()});
    assert_eq!(submit(&studio, "/seed/videos", &body).await.status, 200);
    let sent = callbacks(&api, 1).await[0].body.clone();
    assert_eq!((&sent["scene_id"], &sent["width"]), (&json!("s1"), &json!(64)));
    let video_url = sent["video_url"].clone();

    let ids = json!({"video_url": video_url, "scene_id": "s1", "project_id": "p1", "webhook_url": api.url()});
    submit(&studio, "/seed/frames", &ids).await;
    let sent = callbacks(&api, 2).await[1].body.clone();
    assert_eq!((&sent["project_id"], &sent["format"]), (&json!("p1"), &json!("png")));
    assert!(sent["last_frame_url"].is_string());

    let all = json!({"video_urls": [video_url, video_url], "project_id": "p1", "webhook_url": api.url()});
    submit(&studio, "/seed/stitches", &all).await;
    let sent = callbacks(&api, 3).await[2].body.clone();
    assert_eq!((&sent["project_id"], &sent["resolution"]), (&json!("p1"), &json!("64x36")));
    assert!(sent["final_video_url"].is_string() && sent["timestamp"].is_string(), "{sent}");
}

#[tokio::test]
async fn lost_answers_are_billed_and_dropped_submissions_are_not() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let settings = json!({
        "submit": {"lose_percent": 30, "lose_with": "mixed", "drop_percent": 10}, "callback": {"silent": true},
    });
    set(&studio, "videos?project=proj_l", &fast(settings)).await;
    let (mut answered, body) = (0, video(&api, "proj_l", "scene_1").to_string());
    let url = format!("{}/api/v1/tasks/submit", studio.url());
    for _ in 0..200 {
        let sent = try_send(reqwest::Method::POST, &url, &[], &body, std::time::Duration::from_secs(20)).await;
        answered += u64::from(sent.is_ok_and(|response| response.json()["task_id"].is_string()));
    }
    let billed = control(&studio, "videos/billed?project=proj_l").await;
    let count = |name: &str| billed[name].as_u64().unwrap();
    assert_eq!(count("accepted"), answered);
    assert_eq!(count("billed"), answered + count("lost"));
    assert_eq!(count("billed") + count("dropped"), 200);
    assert!((30..=80).contains(&count("lost")) && (8..=40).contains(&count("dropped")), "{billed}");
    let listed = get(&format!("{}/api/v1/projects/proj_l/tasks", studio.url()), &[]).await.json();
    assert_eq!(listed["total"], count("billed"));
    assert_eq!(control(&studio, "videos/billed?project=other").await["billed"], 0);
}

#[tokio::test]
async fn refusals_are_not_billed_and_say_how_long_to_wait() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, "videos", &fast(json!({"submit": {"status": 429, "times": 2, "retry_after": 7}}))).await;
    let body = video(&api, "proj_3", "scene_1");
    for _ in 0..2 {
        let refused = submit(&studio, "/api/v1/tasks/submit", &body).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "7"));
        assert_eq!(refused.json()["retry_after"], 7);
    }
    submit_video(&studio, &body).await;
    let billed = control(&studio, "videos/billed").await;
    assert_eq!((&billed["billed"], &billed["refused"]), (&json!(1), &json!(2)));
    let wrong = put(&format!("{}/control/videos", studio.url()), &json!({"submit": {"lost": 1}})).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn the_first_tasks_of_a_scene_fail() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, "videos?scene=scene_f", &fast(json!({"task": {"fail_first": 2, "error": "no memory"}}))).await;
    set(&studio, "videos", &fast(json!({}))).await;
    let mut statuses = Vec::new();
    for (number, scene) in ["scene_f", "scene_f", "scene_g", "scene_f"].into_iter().enumerate() {
        submit_video(&studio, &video(&api, "proj_4", scene)).await;
        let sent = callbacks(&api, number + 1).await[number].body.clone();
        assert_eq!(sent["failed_at"].is_string(), sent["error"] == "no memory", "{sent}");
        statuses.push(sent["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, ["failed", "failed", "completed", "completed"]);
}

#[tokio::test]
async fn callbacks_are_copied_unsigned_wrong_and_sent_again() {
    let scenes = SceneKeys { video_webhook_secret: Some("s3cret".into()), ..SceneKeys::default() };
    let (studio, api) = (start(Config { scenes, ..config() }).await, FakeApi::start().await);
    let wrong = json!(["no_url", "status", "unknown_scene", "other_ids", "other_task", "failed", "garbage"]);
    set(&studio, "videos", &fast(json!({"callback": {"wrong": wrong, "copies": 2, "signature": "none"}}))).await;
    let id = submit_video(&studio, &video(&api, "proj_5", "scene_1")).await;
    let sent = callbacks(&api, 16).await;
    assert!(sent.iter().all(|callback| !callback.headers.contains_key("x-webhook-signature")));
    let plain = "/api/webhooks/video-complete";
    let unknown: Vec<_> = sent.iter().filter(|callback| callback.path == plain).collect();
    assert_eq!(unknown.len(), 2);
    assert_eq!(unknown[0].body["metadata"]["project_id"], "proj_unknown");
    let count = |matches: &dyn Fn(&Value) -> bool| sent.iter().filter(|callback| matches(&callback.body)).count();
    assert_eq!(count(&|body| body.is_null()), 2, "garbage");
    assert_eq!(count(&|body| body["status"] == "finished"), 2);
    assert_eq!(count(&|body| body["status"] == "completed" && body["result"]["video_url"].is_null()), 2);
    assert_eq!(count(&|body| body["scene_id"] == "scene_of_another"), 2);
    assert_eq!(sent[15].body["metadata"]["scene_id"], "scene_1", "the right ones come last");

    let again = format!("{}/control/videos/tasks/{id}/callback", studio.url());
    assert_eq!(post(&again, &[], r#"{"signature": "wrong", "copies": 3}"#).await.status, 200);
    let sent = callbacks(&api, 19).await;
    let signature = sent[18].headers["x-webhook-signature"].to_str().unwrap();
    assert!(streamgank::verify_hex(&sent[18].raw, signature, &SigningKeys::parse("s3cret").unwrap()).is_err());
    let tasks = control(&studio, "videos/tasks?project=proj_5").await;
    let sent = tasks["tasks"][0]["callbacks"].as_array().unwrap();
    assert_eq!(sent.iter().filter(|callback| callback["kind"] == "right").count(), 5);
    assert_eq!(sent.iter().filter(|callback| callback["http_status"] == 200).count(), 19);
}

#[tokio::test]
async fn a_silent_service_is_polled_until_it_forgets() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, "videos", &fast(json!({"callback": {"silent": true}, "file": {"link_ms": 0}}))).await;
    let id = submit_video(&studio, &video(&api, "proj_6", "scene_1")).await;
    let shown = task_in(&studio, &format!("/api/v1/tasks/{id}/status"), "completed").await;
    assert_eq!(shown["progress"], 1);
    let expired = get(shown["result"]["video_url"].as_str().unwrap(), &[]).await;
    assert_eq!((expired.status, &expired.json()["error"]), (403, &json!("the link has expired")));
    assert!(api.requests().is_empty());

    set(&studio, "videos?project=proj_6", &json!({"status": {"forget": true}})).await;
    assert_eq!(get(&format!("{}/api/v1/tasks/{id}/status", studio.url()), &[]).await.status, 404);
    let listed = get(&format!("{}/api/v1/projects/proj_6/tasks", studio.url()), &[]).await.json();
    assert_eq!(listed["total"], 0);
    set(&studio, "videos?project=proj_6", &json!({"status": {"status": 503, "times": 1}})).await;
    assert_eq!(get(&format!("{}/api/v1/tasks/{id}/status", studio.url()), &[]).await.status, 503);
    assert_eq!(get(&format!("{}/api/v1/tasks/{id}/status", studio.url()), &[]).await.status, 200);
}

#[tokio::test]
async fn a_task_with_a_status_url_is_known_there_only() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, "videos", &fast(json!({"submit": {"status_url": true}}))).await;
    let answer = submit(&studio, "/api/v1/tasks/submit", &video(&api, "proj_10", "scene_1")).await.json();
    let (id, path) = (answer["task_id"].as_str().unwrap(), answer["status_url"].as_str().unwrap());
    assert_eq!(get(&format!("{}/api/v1/tasks/{id}/status", studio.url()), &[]).await.status, 404);
    assert_eq!(task_in(&studio, path, "completed").await["task_id"], id);
}

#[tokio::test]
async fn a_task_is_cancelled_and_an_early_callback_precedes_the_answer() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, "videos", &fast(json!({"task": {"endless": true}}))).await;
    let id = submit_video(&studio, &video(&api, "proj_7", "scene_1")).await;
    let url = format!("{}/api/v1/tasks/{id}", studio.url());
    assert_eq!(delete(&url).await.json()["status"], "cancelled");
    assert_eq!(delete(&url).await.status, 409);
    task_in(&studio, &format!("/api/v1/tasks/{id}/status"), "cancelled").await;

    let early = json!({"callback": {"early": true}, "submit": {"idempotent": true}});
    set(&studio, "videos", &fast(early)).await;
    let key = [("idempotency-key", "proj_7.video.1.1.scene_1")];
    let body = video(&api, "proj_7", "scene_1").to_string();
    let first = post(&format!("{}/api/v1/tasks/submit", studio.url()), &key, &body).await.json();
    assert_eq!(api.requests().len(), 1, "the callback was sent before the answer");
    assert_eq!(api.requests()[0].body["task_id"], first["task_id"]);
    let second = post(&format!("{}/api/v1/tasks/submit", studio.url()), &key, &body).await.json();
    assert_eq!(first, second);
    assert_eq!(control(&studio, "videos/billed").await["repeated"], 1);
}

#[tokio::test]
async fn notifications_are_recorded_and_can_be_refused() {
    let scenes = SceneKeys { notification_api_key: Some("k3y".into()), ..SceneKeys::default() };
    let studio = start(Config { scenes, ..config() }).await;
    let url = format!("{}/notifications", studio.url());
    let body = json!({"type": "project_completed", "project_id": "proj_8", "video_url": "http://a/b.mp4"}).to_string();
    let key = [("x-api-key", "k3y")];
    set(&studio, "notifications?project=proj_8", &json!({"answer": 503, "times": 1})).await;
    assert_eq!(post(&url, &[], &body).await.status, 401);
    assert_eq!(post(&url, &key, &body).await.status, 503);
    assert_eq!(post(&url, &key, &body).await.status, 200);
    assert_eq!(post(&url, &key, r#"{"project_id": "proj_9"}"#).await.status, 200);
    let received = get(&format!("{url}?project=proj_8"), &[]).await.json()["received"].clone();
    let answered: Vec<&Value> = received.as_array().unwrap().iter().map(|entry| &entry["answered"]).collect();
    assert_eq!(answered, [401, 503, 200]);
    assert_eq!(received[2]["body"]["type"], "project_completed");
}

/// The raw pixels of a file's first frame, or of its only one.
fn pixels(file: &[u8]) -> Vec<u8> {
    let source = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.source", uuid::Uuid::new_v4()));
    std::fs::write(&source, file).unwrap();
    let program = std::env::var_os("STUDIO_FFMPEG").unwrap_or_else(|| "ffmpeg".into());
    let output = std::process::Command::new(program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-i"])
        .arg(&source)
        // Without these flags the conversion makes an image darker.
        .args(["-frames:v", "1", "-vf", "scale=flags=accurate_rnd+full_chroma_int"])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    std::fs::remove_file(source).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The mean difference of two images, from 0 to 255.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let sum: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.len() as f64
}

#[tokio::test]
async fn a_real_video_begins_with_its_first_frame_and_changes() {
    let (studio, api) = (start(config_with_video()).await, FakeApi::start().await);
    set(&studio, "videos", &json!({"task": {"ms": 0}, "file": {"b_frames": true, "vfr": true, "sound": true}})).await;
    let webhook_url = format!("{}/last-frame", api.url());
    let first_id = submit_video(&studio, &video(&api, "proj_9", "scene_1")).await;
    let first = task_in(&studio, &format!("/api/v1/tasks/{first_id}/status"), "completed").await;
    assert_eq!(first["result"]["resolution"], "320x180");

    let frame = json!({"video_url": first["result"]["video_url"], "webhook_url": webhook_url});
    let frame = submit(&studio, "/api/v1/process", &frame).await.json()["task_id"].as_str().unwrap().to_owned();
    let frame = task_in(&studio, &format!("/api/v1/status/{frame}"), "completed").await;
    let mut body = video(&api, "proj_9", "scene_2");
    body["task_data"]["start_image_url"] = frame["image_url"].clone();
    let second = submit_video(&studio, &body).await;
    let second = task_in(&studio, &format!("/api/v1/tasks/{second}/status"), "completed").await;

    let last_of_first = pixels(&get(frame["image_url"].as_str().unwrap(), &[]).await.body);
    let first_video = get(first["result"]["video_url"].as_str().unwrap(), &[]).await.body;
    let second_video = get(second["result"]["video_url"].as_str().unwrap(), &[]).await.body;
    assert!(second_video.windows(4).any(|four| four == b"mp4a"), "sound");
    assert_eq!(last_of_first.len(), 320 * 180 * 3);
    let same = difference(&last_of_first, &pixels(&second_video));
    assert!(same < 2.0, "the mean difference is {same}");
    let changed = difference(&last_of_first, &pixels(&first_video));
    assert!(changed > 5.0, "the mean difference is {changed}");

    let urls = [&first["result"]["video_url"], &second["result"]["video_url"]];
    let stitch = json!({"video_urls": urls, "webhook_url": webhook_url});
    let stitch = submit(&studio, "/api/v1/stitch", &stitch).await.json()["task_id"].as_str().unwrap().to_owned();
    let stitch = task_in(&studio, &format!("/api/v1/status/{stitch}"), "completed").await;
    let joined = get(stitch["video_result_url"].as_str().unwrap(), &[]).await.body;
    assert_eq!(&joined[4..8], b"ftyp");
    assert!(difference(&pixels(&joined), &pixels(&first_video)) < 2.0);
}
