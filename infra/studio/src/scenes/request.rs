//! The submissions: in the forms of the real services, and in those of seed 003.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::scopes::Scope;
use super::settings::Files;

/// The size of a video whose resolution is not asked for.
const DEFAULT_SIZE: (u32, u32) = (640, 360);
const DEFAULT_FPS: f64 = 25.0;
const DEFAULT_SECONDS: f64 = 5.0;
const MAX_SECONDS: f64 = 600.0;

/// What a task makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Video,
    Frame,
    Stitch,
}

/// A submission.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub work: Work,
    /// Whether it came in seed 003's form, whose callbacks have that form too.
    pub seed: bool,
    /// Its project and scene, as far as they are known.
    pub ids: Scope,
    pub callback_url: Option<String>,
    /// Returned as it came.
    pub metadata: Value,
    /// The Idempotency-Key.
    pub key: Option<String>,
}

/// The work that a submission asks for.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Video(Clip),
    /// The URL of the video.
    Frame(String),
    /// The URLs of the videos.
    Stitch(Vec<String>),
}

/// A video to make.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clip {
    /// The URL of the first frame.
    pub start_image: Option<String>,
    /// The URL of the last frame.
    pub end_image: Option<String>,
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    pub seconds: f64,
}

#[derive(Deserialize)]
struct SubmitBody {
    project_id: String,
    task_type: String,
    task_data: TaskData,
    callback_url: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct TaskData {
    scene_id: Option<String>,
    start_image_url: Option<String>,
    end_image_url: Option<String>,
    duration: Option<f64>,
    fps: Option<f64>,
    resolution: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeedVideoBody {
    #[serde(rename = "type")]
    kind: String,
    scene_id: Option<String>,
    project_id: Option<String>,
    first_frame_url: Option<String>,
    last_frame_url: Option<String>,
    duration: Option<f64>,
    fps: Option<f64>,
    resolution: Option<String>,
    webhook_url: Option<String>,
}

#[derive(Deserialize)]
struct FrameBody {
    video_url: String,
    scene_id: Option<String>,
    project_id: Option<String>,
    webhook_url: Option<String>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct StitchBody {
    video_urls: Vec<String>,
    project_id: Option<String>,
    webhook_url: Option<String>,
    #[serde(default)]
    metadata: Value,
}

impl Request {
    /// Parses the body of POST /api/v1/tasks/submit.
    ///
    /// # Errors
    /// What is wrong, for the 400 response.
    pub(crate) fn task(body: &[u8]) -> Result<Self, String> {
        let body: SubmitBody = parse(body)?;
        if body.task_type != "generate_video" {
            return Err(format!("task_type must be `generate_video` (got `{}`)", body.task_type));
        }
        let data = body.task_data;
        let scene = data.scene_id.or_else(|| body.metadata.get("scene_id")?.as_str().map(str::to_owned));
        let clip = Clip::new(data.start_image_url, data.end_image_url, data.resolution, data.fps, data.duration)?;
        Ok(Self {
            work: Work::Video(clip),
            seed: false,
            ids: Scope { project: Some(body.project_id), scene },
            callback_url: body.callback_url,
            metadata: Value::Object(body.metadata),
            key: None,
        })
    }

    /// Parses the body of POST /seed/videos: seed 003's generation request.
    ///
    /// # Errors
    /// What is wrong, for the 400 response.
    pub(crate) fn seed_video(body: &[u8]) -> Result<Self, String> {
        let body: SeedVideoBody = parse(body)?;
        if body.kind == "first-last-frame" && body.first_frame_url.is_none() {
            return Err("firstFrameUrl is required for the type `first-last-frame`".to_owned());
        }
        let clip = Clip::new(body.first_frame_url, body.last_frame_url, body.resolution, body.fps, body.duration)?;
        Ok(Self {
            work: Work::Video(clip),
            seed: true,
            ids: Scope { project: body.project_id, scene: body.scene_id },
            callback_url: body.webhook_url,
            metadata: Value::Null,
            key: None,
        })
    }

    /// Parses the body of POST /api/v1/process, or with `seed` of POST /seed/frames.
    ///
    /// # Errors
    /// What is wrong, for the 400 response.
    pub(crate) fn frame(body: &[u8], seed: bool) -> Result<Self, String> {
        let body: FrameBody = parse(body)?;
        Ok(Self {
            work: Work::Frame(body.video_url),
            seed,
            ids: Scope { project: body.project_id, scene: body.scene_id },
            callback_url: body.webhook_url,
            metadata: body.metadata,
            key: None,
        })
    }

    /// Parses the body of POST /api/v1/stitch, or with `seed` of POST /seed/stitches.
    ///
    /// # Errors
    /// What is wrong, for the 400 response.
    pub(crate) fn stitch(body: &[u8], seed: bool) -> Result<Self, String> {
        let body: StitchBody = parse(body)?;
        if body.video_urls.len() < 2 {
            return Err(format!("video_urls must have at least 2 entries (got {})", body.video_urls.len()));
        }
        Ok(Self {
            work: Work::Stitch(body.video_urls),
            seed,
            ids: Scope { project: body.project_id, scene: None },
            callback_url: body.webhook_url,
            metadata: body.metadata,
            key: None,
        })
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.work {
            Work::Video(_) => Stage::Video,
            Work::Frame(_) => Stage::Frame,
            Work::Stitch(_) => Stage::Stitch,
        }
    }

    /// The seconds of video that are billed; none for other tasks.
    pub(crate) fn seconds(&self) -> f64 {
        match &self.work {
            Work::Video(clip) => clip.seconds,
            Work::Frame(_) | Work::Stitch(_) => 0.0,
        }
    }
}

impl Clip {
    fn new(
        start_image: Option<String>,
        end_image: Option<String>,
        resolution: Option<String>,
        fps: Option<f64>,
        seconds: Option<f64>,
    ) -> Result<Self, String> {
        let (width, height) = match &resolution {
            Some(text) => {
                size(text).ok_or_else(|| format!("resolution must be like `1920x1080` or `720p` (got `{text}`)"))?
            }
            None => DEFAULT_SIZE,
        };
        let (fps, seconds) = (fps.unwrap_or(DEFAULT_FPS), seconds.unwrap_or(DEFAULT_SECONDS));
        if !(fps > 0.0 && fps <= 120.0) {
            return Err(format!("fps must be above 0 and at most 120 (got {fps})"));
        }
        if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
            return Err(format!("duration must be above 0 and at most {MAX_SECONDS} s (got {seconds})"));
        }
        Ok(Self { start_image, end_image, width, height, fps, seconds })
    }

    /// This clip as the settings override it.
    pub(crate) fn with(&self, files: &Files) -> Self {
        Self {
            width: files.width.unwrap_or(self.width) & !1,
            height: files.height.unwrap_or(self.height) & !1,
            fps: files.fps.unwrap_or(self.fps),
            seconds: files.seconds.unwrap_or(self.seconds),
            ..self.clone()
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Parses `1920x1080` or `1080p`.
fn size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = match text.split_once('x') {
        Some((width, height)) => (width.parse().ok()?, height.parse().ok()?),
        None => {
            let height: u32 = text.strip_suffix('p')?.parse().ok()?;
            (height.checked_mul(16)? / 9, height)
        }
    };
    let fits = |length: &u32| (16..=4096).contains(length);
    (fits(&width) && fits(&height)).then_some((width, height))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn clip_of(request: Request) -> Clip {
        match request.work {
            Work::Video(clip) => clip,
            other => panic!("no video: {other:?}"),
        }
    }

    #[test]
    fn a_submission_says_what_to_make() {
        let body = json!({
            "project_id": "proj_1", "task_type": "generate_video",
            "task_data": {
                "scene_id": "scene_1", "prompt": "a boat", "start_image_url": "http://a/b.png",
                "duration": 2, "fps": 24.0, "resolution": "720p",
            },
            "priority": 1, "callback_url": "http://c/d",
            "metadata": {"scene_id": "scene_1", "task": "video.1.1.scene_1"},
        });
        let request = Request::task(body.to_string().as_bytes()).unwrap();
        assert_eq!(request.ids, Scope::new(Some("proj_1"), Some("scene_1")));
        assert_eq!(request.metadata, body["metadata"]);
        assert_eq!((request.stage(), request.seconds()), (Stage::Video, 2.0));
        let clip = clip_of(request);
        assert_eq!((clip.width, clip.height, clip.fps), (1280, 720, 24.0));
        let files = Files { seconds: Some(0.5), width: Some(321), ..Files::default() };
        assert_eq!((clip.with(&files).width, clip.with(&files).seconds), (320, 0.5));
    }

    #[test]
    fn the_seeds_form_is_understood() {
        let body = json!({"type": "first-last-frame", "prompt": "", "sceneId": "s", "firstFrameUrl": "http://a/b.png",
            "duration": 5, "fps": 25, "webhookUrl": "http://c/d"});
        let request = Request::seed_video(body.to_string().as_bytes()).unwrap();
        assert_eq!(request.callback_url.as_deref(), Some("http://c/d"));
        assert_eq!(request.ids.scene.as_deref(), Some("s"));
        assert_eq!(clip_of(request).start_image.as_deref(), Some("http://a/b.png"));
    }

    #[test]
    fn a_wrong_submission_is_explained() {
        let check = |body: Value, expected: &str| {
            let error = Request::task(body.to_string().as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let task = |data: Value| json!({"project_id": "p", "task_type": "generate_video", "task_data": data});
        check(json!({}), "missing field `project_id`");
        check(json!({"project_id": "p", "task_type": "poem", "task_data": {}}), "task_type must be `generate_video`");
        check(task(json!({"resolution": "huge"})), "resolution must be like `1920x1080` or `720p` (got `huge`)");
        check(task(json!({"duration": 0})), "duration must be above 0 and at most 600 s (got 0)");
        let one = json!({"video_urls": ["http://a/b.mp4"]}).to_string();
        let error = Request::stitch(one.as_bytes(), false).unwrap_err();
        assert_eq!(error, "video_urls must have at least 2 entries (got 1)");
    }
}
