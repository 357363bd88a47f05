//! Reads what a service says about a task, from a callback, a poll or a list (docs/contract/scenes.md, Inbound webhooks):
//! lenient about the form, strict about sizes.

use reelhook_domain::projects::event::{TaskOutput, TaskReport};
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ProjectId, RenderId, SceneId, WebUrl, cut};
use serde_json::{Number, Value};

use crate::outbound::conceal::concealed;

/// The maximum size of a service's reason for a failure, in bytes.
const ERROR_LIMIT: usize = 2048;
/// The maximum size of the text that names one of our submissions, in bytes.
const SUBMISSION_LIMIT: usize = 256;
/// The longest video that is read, in seconds.
const LONGEST_S: f64 = 7.0 * 24.0 * 3600.0;
/// The largest width or height that is read, in pixels.
const LARGEST_SIDE: f64 = 65_536.0;
/// The largest file that is read, in bytes: 5 TiB.
const LARGEST_FILE: f64 = 5_497_558_138_880.0;

/// What a service says about a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    /// The service's id for the task.
    pub task_id: Option<RenderId>,
    /// The scene that it names.
    pub scene: Option<SceneId>,
    /// The project that it names.
    pub project: Option<ProjectId>,
    /// The submission that it names in its metadata, `<project>.<task>`, as we sent it.
    pub submission: Option<String>,
    /// Whether the ids of the body and those of its metadata disagree.
    pub ids_disagree: bool,
    /// What it reports.
    pub report: TaskReport,
}

/// Reads the body of a callback, the answer to a poll, or an entry of a list. Null means absent, and unknown members are
/// ignored.
pub fn read(stage: Stage, body: &Value) -> Callback {
    let metadata = &body["metadata"];
    let (scene, other_scene) = (id(&body["scene_id"], SceneId::parse), id(&metadata["scene_id"], SceneId::parse));
    let (project, other_project) =
        (id(&body["project_id"], ProjectId::parse), id(&metadata["project_id"], ProjectId::parse));
    let submission = metadata["submission"].as_str().filter(|text| text.len() <= SUBMISSION_LIMIT);
    Callback {
        task_id: task_id(body),
        submission: submission.map(str::to_owned),
        ids_disagree: disagree(scene.as_ref(), other_scene.as_ref())
            || disagree(project.as_ref(), other_project.as_ref()),
        scene: scene.or(other_scene),
        project: project.or(other_project),
        report: report(stage, body),
    }
}

/// The id that a service gave a task: a text or a whole number.
pub(crate) fn task_id(body: &Value) -> Option<RenderId> {
    match &body["task_id"] {
        Value::Number(number) if number.is_u64() => RenderId::parse(&number.to_string()).ok(),
        other => id(other, RenderId::parse),
    }
}

fn id<T, E>(value: &Value, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
    parse(value.as_str()?).ok()
}

fn disagree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

fn report(stage: Stage, body: &Value) -> TaskReport {
    match status(body).as_str() {
        "queued" | "pending" => TaskReport::UnderWay(0),
        "processing" => TaskReport::UnderWay(progress(body)),
        "completed" => output(stage, body).map_or(TaskReport::Unusable, |made| TaskReport::Completed(Box::new(made))),
        "failed" => TaskReport::Failed(error(body).unwrap_or_else(|| "the service gave no reason".to_owned())),
        "cancelled" | "canceled" => {
            TaskReport::Failed(error(body).unwrap_or_else(|| "the task was cancelled at the service".to_owned()))
        }
        _ => TaskReport::Unusable,
    }
}

/// The status in small letters; empty without one.
fn status(body: &Value) -> String {
    body["status"].as_str().filter(|text| text.len() <= 32).unwrap_or_default().trim().to_ascii_lowercase()
}

/// The progress as a percentage: services send 0 to 1.
fn progress(body: &Value) -> u8 {
    let sent = member(body, &["progress"]).and_then(Value::as_f64).unwrap_or_default();
    let percent = if sent <= 1.0 { sent * 100.0 } else { sent };
    percent.round().clamp(0.0, 100.0) as u8
}

/// The reason of a failure: a text, or an object with one.
fn error(body: &Value) -> Option<String> {
    let said = member(body, &["error", "error_message"])?;
    let text = said.as_str().or_else(|| said["message"].as_str())?.trim();
    (!text.is_empty()).then(|| cut(&concealed(text, None), ERROR_LIMIT).to_owned())
}

fn output(stage: Stage, body: &Value) -> Option<TaskOutput> {
    let file = |names: &[&str]| member(body, names).and_then(Value::as_str).and_then(WebUrl::parse).map(File::outside);
    let made = match stage {
        Stage::Frame => return file(&["last_frame_url", "image_url"]).map(TaskOutput::Frame),
        Stage::Video => file(&["video_url", "media_url"])?,
        Stage::Stitch => file(&["final_video_url", "video_result_url", "video_url"])?,
    };
    let (width, height) = size(body);
    Some(TaskOutput::Video(Box::new(Video {
        file: made,
        thumbnail: file(&["thumbnail_url"]),
        duration_ms: within(body, "duration", LONGEST_S).map(|seconds| (seconds * 1000.0).round() as u64),
        width,
        height,
        fps: as_sent(body, "fps"),
        quality: as_sent(body, "quality_score"),
        bytes: within(body, "file_size", LARGEST_FILE).map(|bytes| bytes.round() as u64),
        metadata: None,
    })))
}

/// Width and height: members of their own, or a resolution such as `1920x1080`.
fn size(body: &Value) -> (Option<u32>, Option<u32>) {
    let side = |name| within(body, name, LARGEST_SIDE).filter(|side| *side >= 1.0).map(|side| side.round() as u32);
    let (width, height) = (side("width"), side("height"));
    if width.is_some() || height.is_some() {
        return (width, height);
    }
    let resolution = member(body, &["resolution"]).and_then(Value::as_str).filter(|text| text.len() <= 32);
    let Some((width, height)) = resolution.and_then(|text| text.split_once(['x', 'X', '×'])) else {
        return (None, None);
    };
    let side = |text: &str| text.trim().parse::<u32>().ok().filter(|side| (1..=LARGEST_SIDE as u32).contains(side));
    side(width).zip(side(height)).unzip()
}

/// A number from 0 to `most`.
fn within(body: &Value, name: &str, most: f64) -> Option<f64> {
    member(body, &[name]).and_then(Value::as_f64).filter(|number| (0.0..=most).contains(number))
}

/// A number that is kept as its sender wrote it.
fn as_sent(body: &Value, name: &str) -> Option<Number> {
    member(body, &[name]).and_then(Value::as_number).cloned()
}

/// The first member of these names that is there, in the body or else in its `result`.
fn member<'a>(body: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let of = |object: &'a Value| names.iter().map(|name| &object[*name]).find(|value| !value.is_null());
    of(body).or_else(|| of(&body["result"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn video(report: TaskReport) -> Video {
        match report {
            TaskReport::Completed(made) => match *made {
                TaskOutput::Video(video) => *video,
                TaskOutput::Frame(frame) => panic!("a frame: {frame:?}"),
            },
            other => panic!("not completed: {other:?}"),
        }
    }

    fn source(file: &File) -> &str {
        file.source.as_ref().unwrap().as_written()
    }

    #[test]
    fn flat_and_nested_results_are_read_alike() {
        let flat = json!({
            "task_id": "task_1", "status": "completed", "scene_id": "scene_1", "project_id": "proj_1",
            "video_url": "https://v.example/1.mp4", "thumbnail_url": "https://v.example/1.jpg", "duration": 5.0,
            "fps": 24, "width": 1920.0, "height": 1080, "quality_score": 0, "metadata": null, "unknown": [1],
        });
        let nested = json!({
            "task_id": "task_1", "status": "completed", "metadata": { "scene_id": "scene_1", "project_id": "proj_1" },
            "result": {
                "media_url": "https://v.example/1.mp4", "thumbnail_url": "https://v.example/1.jpg", "duration": 5,
                "resolution": "1920x1080", "fps": 24, "quality_score": 0,
            },
            "completed_at": "2025-10-04T10:30:00Z", "processing_time": 3.5,
        });
        let (one, other) = (read(Stage::Video, &flat), read(Stage::Video, &nested));
        assert_eq!(one, other);
        assert_eq!(one.task_id.as_ref().map(RenderId::as_str), Some("task_1"));
        let video = video(one.report);
        assert_eq!(source(&video.file), "https://v.example/1.mp4");
        assert_eq!((video.duration_ms, video.width, video.height), (Some(5000), Some(1920), Some(1080)));
        assert_eq!((video.fps, video.quality), (Some(24.into()), Some(0.into())));
    }

    #[test]
    fn each_stage_has_its_names_for_the_result() {
        let frame = read(Stage::Frame, &json!({ "status": "completed", "image_url": "https://f.example/1.png" }));
        let TaskReport::Completed(made) = frame.report else { panic!("{:?}", frame.report) };
        let TaskOutput::Frame(file) = *made else { panic!("{made:?}") };
        assert_eq!(source(&file), "https://f.example/1.png");
        for name in ["final_video_url", "video_result_url"] {
            let stitched = read(Stage::Stitch, &json!({ "status": "COMPLETED", name: "https://s.example/1.mp4" }));
            assert_eq!(source(&video(stitched.report).file), "https://s.example/1.mp4");
        }
    }

    #[test]
    fn what_cannot_be_used_is_unusable() {
        for body in [
            json!({ "status": "completed" }),
            json!({ "status": "completed", "video_url": null, "result": {} }),
            json!({ "status": "completed", "video_url": "javascript:alert(1)" }),
            json!({ "status": "completed", "video_url": format!("https://v.example/{}", "x".repeat(3000)) }),
            json!({ "status": "done" }),
            json!({ "status": 7 }),
            json!([]),
            json!("completed"),
            json!(null),
        ] {
            assert_eq!(read(Stage::Video, &body).report, TaskReport::Unusable, "{body}");
        }
    }

    #[test]
    fn progress_and_failures_are_read() {
        let report = |body: Value| read(Stage::Video, &body).report;
        assert_eq!(report(json!({ "status": "queued" })), TaskReport::UnderWay(0));
        assert_eq!(report(json!({ "status": "pending", "progress": 0.9 })), TaskReport::UnderWay(0));
        assert_eq!(report(json!({ "status": "processing", "progress": 0.42 })), TaskReport::UnderWay(42));
        assert_eq!(report(json!({ "status": "processing", "progress": -1e300 })), TaskReport::UnderWay(0));
        assert_eq!(report(json!({ "status": "failed", "error": "no" })), TaskReport::Failed("no".to_owned()));
        let nested = json!({ "status": "failed", "result": { "error": { "message": "why" } } });
        assert_eq!(report(nested), TaskReport::Failed("why".to_owned()));
        let TaskReport::Failed(long) = report(json!({ "status": "failed", "error": "é".repeat(9000) })) else {
            panic!("no failure")
        };
        assert_eq!(long.len(), ERROR_LIMIT);
        assert!(matches!(report(json!({ "status": "cancelled" })), TaskReport::Failed(_)));
    }

    #[test]
    fn numbers_outside_their_bounds_are_ignored() {
        let body = json!({
            "status": "completed", "video_url": "https://v.example/1.mp4", "duration": 1e300, "width": -4, "height": 0,
            "fps": "fast", "quality_score": 99.5, "file_size": 1e300, "resolution": "huge x tiny",
        });
        let video = video(read(Stage::Video, &body).report);
        assert_eq!((video.duration_ms, video.width, video.height, video.bytes), (None, None, None, None));
        assert_eq!((video.fps, video.quality), (None, Number::from_f64(99.5)));
    }

    #[test]
    fn ids_that_disagree_are_noticed() {
        let body = |top: &str, inner: &str| json!({ "scene_id": top, "project_id": "proj_1", "metadata": { "scene_id": inner, "project_id": "proj_1" } });
        let callback = read(Stage::Video, &body("scene_1", "scene_2"));
        assert!(callback.ids_disagree);
        assert_eq!(callback.scene.as_ref().map(SceneId::as_str), Some("scene_1"), "the body's own ids are first");
        assert!(!read(Stage::Video, &body("scene_1", "scene_1")).ids_disagree);
        assert!(!read(Stage::Video, &json!({ "scene_id": "no id", "task_id": 17 })).ids_disagree);
        assert_eq!(read(Stage::Video, &json!({ "task_id": 17 })).task_id.unwrap().as_str(), "17");
    }
}
