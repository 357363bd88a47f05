//! Videos on the deployed stack: requested, rendered, joined, notified, downloaded and deleted; and renderers that are
//! killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Admission;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

/// The receiver of clients' webhooks.
pub const HOOK: &str = "client";

fn scene(kind: &str, seconds: f64, content: Value) -> Value {
    json!({ "type": kind, "duration": seconds, "content": content })
}

/// A small film whose scenes were never rendered before, because their titles are new.
pub fn film(scenes: usize, seconds: f64) -> Value {
    let nonce = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_nanos();
    let titles =
        (0..scenes).map(|place| scene("hero-title", seconds, json!({ "title": format!("{place} of {nonce}") })));
    json!({ "quality": "720p", "theme": "ocean", "scenes": titles.collect::<Vec<_>>() })
}

pub async fn order(stack: &Stack, mut film: Value) -> String {
    film["webhookUrl"] = json!(format!("{}/hooks/{HOOK}", stack.studio));
    let (status, answer) = stack.post("/api/generate-video-async", &film).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!((&answer["status"], &answer["webhookConfigured"]), (&json!("queued"), &json!(true)), "{answer}");
    let id = answer["jobId"].as_str().expect("an id").to_owned();
    assert_eq!(answer["statusUrl"], json!(format!("/api/job-status/{id}")));
    assert!(uuid_v4(&id), "{id}");
    id
}

fn uuid_v4(id: &str) -> bool {
    id.len() == 36 && id.as_bytes()[14] == b'4'
}

pub async fn until(stack: &Stack, id: &str, wanted: &str) -> Value {
    stack
        .eventually(&format!("{wanted} of {id}"), || async {
            let (status, answer) = stack.get(&format!("/api/job-status/{id}")).await;
            assert_eq!(status, 200, "{answer}");
            assert!(wanted == "failed" || answer["status"] != "failed", "{answer}");
            (answer["status"] == wanted).then_some(answer)
        })
        .await
}

/// The webhooks about a job that the client's receiver has verified.
async fn arrivals(stack: &Stack, id: &str) -> Vec<Value> {
    stack.webhooks(HOOK, id).await
}

async fn until_notified(stack: &Stack, id: &str, word: &str) -> Value {
    stack
        .eventually(&format!("the client is notified of {word} for {id}"), || async {
            arrivals(stack, id).await.into_iter().find(|arrival| arrival["body"]["status"] == word)
        })
        .await
}

/// Downloads the bytes at a link and follows its redirects.
async fn download(stack: &Stack, url: &str) -> Vec<u8> {
    let answer = stack.http.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    assert_eq!(answer.headers()["content-type"], "video/mp4");
    answer.bytes().await.expect("a video").to_vec()
}

/// The JSON output of ffprobe for a file.
pub fn probe(stack: &Stack, file: &Path, arguments: &[&str]) -> Value {
    let packages = stack.local.join("verify/node_modules/@ffprobe-installer");
    let found =
        std::fs::read_dir(&packages).expect("ffprobe's packages").flatten().map(|entry| entry.path().join("ffprobe"));
    let program = found.into_iter().find(|path| path.is_file()).expect("ffprobe for this machine");
    let output = Command::new(program).args(["-v", "error", "-of", "json"]).args(arguments).arg(file).output();
    let output = output.expect("ffprobe runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn kept(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("reelhook-{}-{name}.mp4", std::process::id()));
    std::fs::write(&path, bytes).expect("written");
    path
}

/// The offsets of the boxes of an MP4 file, by name.
fn boxes(bytes: &[u8]) -> Vec<(String, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_be_bytes(head[..4].try_into().expect("four bytes")) as usize;
        found.push((String::from_utf8_lossy(&head[4..]).into_owned(), at));
        if size < 8 {
            break;
        }
        at += size;
    }
    found
}

#[tokio::test]
async fn a_video_is_made_notified_checked_downloaded_and_deleted() {
    let stack = Stack::open().await;
    let mut wanted = film(3, 1.0);
    wanted["music"] = json!({ "trackId": "corp-1", "volume": 0.5, "fadeIn": 0.2, "fadeOut": 0.2 });
    wanted["generateReels"] = json!(true);
    let id = order(&stack, wanted).await;
    let completed = until(&stack, &id, "completed").await;
    let notified = until_notified(&stack, &id, "completed").await;
    until_notified(&stack, &id, "started").await;
    let arrivals = arrivals(&stack, &id).await;
    assert_eq!(arrivals.len(), 2, "{arrivals:#?}");
    for arrival in &arrivals {
        let headers = &arrival["headers"];
        assert_eq!(headers["user-agent"], "VidBuilder/1.0");
        assert_eq!(headers["x-webhook-event"], arrival["body"]["status"]);
        let checks = &arrival["verification"];
        assert_eq!(
            (&checks["webhook_signature"]["ok"], &checks["standard_webhooks"]["ok"]),
            (&json!(true), &json!(true))
        );
        assert_eq!((&checks["node"]["ok"], &checks["python"]["ok"]), (&json!(true), &json!(true)), "{checks}");
    }
    for name in ["progress", "message", "videoUrl", "duration", "scenes", "reelsGenerated", "s3Upload", "renderTime"] {
        assert_eq!(completed[name], notified["body"][name], "{name}: the status is the notification");
    }
    assert_eq!((&completed["duration"], &completed["scenes"]), (&json!(3), &json!(3)));

    let link = completed["s3Upload"]["standard"]["signedUrl"].as_str().expect("a link");
    let video = download(&stack, link).await;
    // A HEAD request is redirected to the video too.
    let head = stack.http.head(link).send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "video/mp4");
    assert_eq!(head.headers()["content-length"], video.len().to_string().as_str());
    let names = boxes(&video);
    let place = |name: &str| names.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
    assert!(place("moov") < place("mdat"), "it starts playing before it is loaded: {names:?}");
    let file = kept("standard", &video);
    let entries = [
        "-count_frames",
        "-show_entries",
        "stream=codec_name,pix_fmt,width,height,nb_read_frames,r_frame_rate,avg_frame_rate",
    ];
    let streams = probe(&stack, &file, &entries)["streams"].clone();
    assert_eq!((&streams[0]["codec_name"], &streams[0]["pix_fmt"]), (&json!("h264"), &json!("yuv420p")), "{streams}");
    assert_eq!((&streams[0]["width"], &streams[0]["height"]), (&json!(1280), &json!(720)));
    assert_eq!(streams[0]["nb_read_frames"], json!("90"));
    assert_eq!((&streams[0]["r_frame_rate"], &streams[0]["avg_frame_rate"]), (&json!("30/1"), &json!("30/1")));
    assert_eq!(streams[1]["codec_name"], "aac");
    let seconds = probe(&stack, &file, &["-show_entries", "format=duration"])["format"]["duration"].clone();
    let seconds: f64 = seconds.as_str().and_then(|text| text.parse().ok()).expect("a duration");
    assert!((seconds - 3.0).abs() < 0.001, "three seconds: {seconds}");
    let path = file.to_str().expect("a path");
    let graph = format!("amovie={path},astats=metadata=1:reset=0");
    let levels = probe(
        &stack,
        Path::new(&graph),
        &["-f", "lavfi", "-show_entries", "frame_tags=lavfi.astats.Overall.RMS_level,lavfi.astats.Overall.Peak_level"],
    );
    let last = levels["frames"].as_array().and_then(|frames| frames.last()).expect("frames")["tags"].clone();
    let level = |name: &str| -> f64 {
        let text = last[format!("lavfi.astats.Overall.{name}_level")].as_str().expect("a level");
        text.parse().expect("decibels")
    };
    // A track is at -16 LUFS, and half as loud here: -6 dB.
    assert!((-35.0..=-15.0).contains(&level("RMS")) && level("Peak") < -1.0, "{last}");

    let portrait = completed["s3Upload"]["reels"]["signedUrl"].as_str().expect("a link");
    let file = kept("portrait", &download(&stack, portrait).await);
    let streams =
        probe(&stack, &file, &["-select_streams", "v", "-show_entries", "stream=width,height"])["streams"].clone();
    assert_eq!((&streams[0]["width"], &streams[0]["height"]), (&json!(1080), &json!(1920)));

    // A link authorizes only its own video, and only with its token.
    let other = link.replace("token=s1.", "token=s1.A");
    assert_eq!(stack.http.get(&other).send().await.expect("an answer").status(), 401);
    let bare = link.split('?').next().expect("a path");
    assert_eq!(stack.http.get(bare).send().await.expect("an answer").status(), 401);

    let (_, listed) = stack.get("/api/videos").await;
    let videos = listed["videos"].as_array().expect("a list");
    let row = videos.iter().find(|video| video["jobId"] == json!(id)).expect("it is listed");
    assert_eq!((&row["size"], &row["filename"]), (&json!(video.len()), &json!(format!("{id}.mp4"))));
    assert_eq!(listed["count"], json!(videos.len()));
    let key = completed["s3Upload"]["standard"]["s3Key"].as_str().expect("a key");
    assert!(key.starts_with("videos/2") && key.ends_with(&format!("/standard/{id}.mp4")), "{key}");
    let delete = async || {
        read(
            stack
                .request(Method::DELETE, &format!("/api/videos/{id}"))
                .json_text(&json!({}))
                .send()
                .await
                .expect("an answer"),
        )
        .await
    };
    assert_eq!(delete().await, (200, json!({ "success": true, "message": "Video deleted successfully", "jobId": id })));
    let (status, again) = delete().await;
    assert_eq!((status, &again["error"]), (404, &json!("Video not found or already deleted")));
    stack.eventually("the file is gone", || async { (!stack.aws.has_object(key).await).then_some(()) }).await;
    let (status, gone) = stack.get(&format!("/api/download/{id}")).await;
    assert_eq!((status, &gone["error"]), (404, &json!("Video not found")));
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_killed_renderer_loses_one_scene_and_causes_no_second_webhook() {
    let stack = Stack::open().await;
    let rendered_before = objects(&stack, "scenes/").await.len();
    let id = order(&stack, film(6, 2.0)).await;
    // Some scenes are rendered, others are not.
    let begun = stack
        .eventually("some scenes are rendered", || async {
            let stored = stack.stored(&id).await;
            let pieces = stored.run.engine.pieces()?.pieces.as_ref()?;
            let done = pieces.list.iter().filter(|piece| piece.done).count();
            let claimed = pieces.list.iter().filter(|piece| piece.claim.is_some()).count();
            (done >= 1 && claimed >= 1).then_some(done)
        })
        .await;
    let kept_scenes = objects(&stack, "scenes/").await;
    let processes = stack.aws.processes("render");
    assert!(!processes.is_empty(), "renderers run");
    for pid in &processes {
        // The process may have ended by itself.
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    let killed_at = Instant::now();
    let completed = until(&stack, &id, "completed").await;
    println!(
        "killed {} processes with {begun} of 6 scenes drawn; done {:?} later",
        processes.len(),
        killed_at.elapsed()
    );
    assert_eq!(stack.stored(&id).await.run.attempt, 1, "the run continued");
    let after = objects(&stack, "scenes/").await;
    assert_eq!(after.len() - rendered_before, 6 + 5, "six bodies are kept, and the transitions to all but the first");
    for (key, at) in &kept_scenes {
        assert_eq!(after.iter().find(|(known, _)| known == key).map(|(_, at)| at), Some(at), "{key} was drawn again");
    }
    let video = completed["s3Upload"]["standard"]["s3Key"].as_str().expect("a key");
    assert_eq!(objects(&stack, video).await.len(), 1);
    until_notified(&stack, &id, "completed").await;
    stack.assert_queues_empty().await;
    let webhooks = arrivals(&stack, &id).await;
    let mut ids: Vec<&Value> = webhooks
        .iter()
        .filter(|arrival| arrival["body"]["status"] == "completed")
        .map(|arrival| &arrival["webhook_id"])
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one completed webhook id: {ids:?}");
}

/// The keys below a prefix of the bucket, with the time at which each was written.
pub async fn objects(stack: &Stack, prefix: &str) -> Vec<(String, String)> {
    let path = format!("/{}?list-type=2&prefix={}", stack.aws.output("BucketName"), prefix.replace('/', "%2F"));
    let (_, answer, _) = stack.aws.call("s3", "GET", &path, None, &Value::Null).await;
    let text = answer.as_str().expect("XML");
    let between = |text: &str, name: &str| -> Option<String> {
        let from = text.find(&format!("<{name}>"))? + name.len() + 2;
        Some(text[from..from + text[from..].find('<')?].to_owned())
    };
    text.split("<Contents>")
        .filter_map(|entry| Some((between(entry, "Key")?, between(entry, "LastModified")?)))
        .collect()
}

#[tokio::test]
async fn a_cancelled_video_stops_its_renderers_and_notifies_a_failure() {
    let stack = Stack::open().await;
    let id = order(&stack, film(8, 3.0)).await;
    until(&stack, &id, "processing").await;
    let (status, answer) = stack.post(&format!("/api/job/{id}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let failed = until(&stack, &id, "failed").await;
    assert_eq!(failed["error"], "Cancelled");
    let notified = until_notified(&stack, &id, "failed").await;
    assert_eq!(notified["body"]["error"], "Cancelled");
    stack.assert_queues_empty().await;
    assert!(arrivals(&stack, &id).await.iter().all(|arrival| arrival["body"]["status"] != "completed"));
}

#[tokio::test]
async fn a_waiting_request_gets_the_video_in_its_answer() {
    let stack = Stack::open().await;
    let mut wanted = film(1, 1.0);
    wanted["title"] = json!("A film");
    wanted["theme"] = json!("unknown");
    let (status, answer) = stack.post("/api/generate-flexible-video", &wanted).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["success"], &answer["title"], &answer["type"]),
        (&json!(true), &json!("A film"), &json!("flexible"))
    );
    assert_eq!((&answer["duration"], &answer["scenes"]), (&json!(1), &json!(1)));
    assert_eq!(answer["warnings"], json!(["theme: `unknown` is not known, `corporate` is used"]));
    let (status, _) = stack.get(answer["videoUrl"].as_str().expect("a path")).await;
    assert_eq!(status, 200, "the link is followed to the file");
    let mut wanted = film(1, 1.0);
    wanted["scenes"][0]["content"]["images"] = json!(["http://no.such.invalid/a.png"]);
    let (status, answer) = stack.post("/api/generate-flexible-video", &wanted).await;
    assert_eq!(
        (status, &answer["code"], &answer["error"]),
        (422, &json!("video_failed"), &json!("Failed to generate video"))
    );
    assert!(answer["message"].as_str().is_some_and(|why| why.contains("no.such.invalid")), "{answer}");
}

#[tokio::test]
async fn without_a_free_waiter_slot_the_answer_is_immediate_and_the_video_is_made() {
    let stack = Stack::open().await;
    let before = stack.aws.slots("waiters").await;
    let lease = SystemClock.now().after(Duration::from_secs(60));
    let active = (0..20).map(|n| (format!("waiter {n}"), lease)).collect();
    stack.aws.save_slots("waiters", &Admission { version: before.version + 1, active, ..before.clone() }).await;
    let began = Instant::now();
    let (status, answer) = stack.post("/api/generate-flexible-video", &film(1, 1.0)).await;
    let took = began.elapsed();
    let id = answer["jobId"].as_str().expect("an id").to_owned();
    assert_eq!((status, &answer["status"]), (202, &json!("queued")), "{answer}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    stack.aws.save_slots("waiters", &Admission { version: before.version + 2, ..before }).await;
    until(&stack, &id, "completed").await;
    // Another waiting request gets a slot and releases it.
    let (status, answer) = stack.post("/api/generate-flexible-video", &film(1, 1.0)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(stack.aws.slots("waiters").await.active.is_empty());
}

#[tokio::test]
async fn without_a_worker_a_streamgank_job_gets_a_video_of_the_built_in_renderer() {
    let stack = Stack::open().await;
    let set = async |url: &str| {
        let mut variables = stack.aws.variables("worker").await;
        let before = variables["WORKER_URL"].clone();
        variables["WORKER_URL"] = json!(url);
        stack.aws.set_variables("worker", &variables).await;
        before.as_str().unwrap_or_default().to_owned()
    };
    let worker = set("").await;
    let made = async {
        let id = stack.submit_with(json!({ "template": "auto" })).await;
        let job = stack.until_status(&id, "completed").await;
        let paused = stack.submit_with(json!({ "template": "auto", "pauseAfterExtraction": true })).await;
        let paused = stack.until_status(&paused, "completed").await;
        let nothing = stack.submit_with(json!({ "platform": "Nowhere", "template": "auto" })).await;
        (job, paused, stack.until_status(&nothing, "failed").await)
    };
    let made = tokio::time::timeout(Duration::from_secs(120), made).await;
    set(&worker).await;
    let (job, paused, failed) = made.expect("all three end");
    assert_eq!((&job["currentStepNumber"], &job["progress"]), (&json!(7), &json!(100)), "{job:#}");
    assert!(job["stepDetails"]["step_2"]["script"].as_array().is_some_and(|script| !script.is_empty()), "{job:#}");
    let video = download(&stack, job["videoUrl"].as_str().expect("a link")).await;
    let file = kept("built-in", &video);
    let streams =
        probe(&stack, &file, &["-select_streams", "v", "-show_entries", "stream=width,height"])["streams"].clone();
    assert_eq!((&streams[0]["width"], &streams[0]["height"]), (&json!(1280), &json!(720)));
    assert_eq!((&paused["pausedAfterExtraction"], &paused["videoUrl"]), (&json!(true), &Value::Null));
    assert!(failed["error"].as_str().is_some_and(|error| error.starts_with("No movies found")), "{failed:#}");
    let webhook = stack.webhook("main", job["id"].as_str().expect("an id"), "job.completed").await;
    assert_eq!(webhook["body"]["data"]["video_url"], job["videoUrl"]);
    stack.assert_queues_empty().await;
}
