//! Describes the bodies of callbacks; [`reelhook_app::projects::services::report`] reads them. Null means absent, and other
//! members are ignored.

use schemars::JsonSchema;
use serde_json::Value;

/// A video of a scene, as the generation service reports it.
#[derive(Debug, JsonSchema)]
pub struct VideoComplete {
    /// The service's id of the task.
    pub task_id: Option<String>,
    /// `completed`, `failed` or `cancelled`. Another status ends nothing: the service is asked at once.
    pub status: String,
    /// The scene, if the path has no token.
    pub scene_id: Option<String>,
    /// The scene's project.
    pub project_id: Option<String>,
    /// The video, with `completed`: an http or https URL of at most 2,048 bytes.
    pub video_url: Option<String>,
    /// An image of the video.
    pub thumbnail_url: Option<String>,
    /// Its length in seconds.
    pub duration: Option<f64>,
    /// Frames per second.
    pub fps: Option<f64>,
    /// Its width in pixels.
    pub width: Option<f64>,
    /// Its height in pixels.
    pub height: Option<f64>,
    /// The service's score, on its own scale; kept as it is sent.
    pub quality_score: Option<f64>,
    /// Why it failed: a text, or an object with a `message`.
    pub error: Option<Value>,
    /// The same as the members beside it, which win.
    pub result: Option<VideoResult>,
    /// The service's own data.
    pub metadata: Option<CallbackMetadata>,
    /// When it ended, for the sender's own records.
    pub timestamp: Option<String>,
}

/// A video in a nested report.
#[derive(Debug, JsonSchema)]
pub struct VideoResult {
    /// The video: an http or https URL of at most 2,048 bytes.
    pub video_url: Option<String>,
    /// The same as `video_url`.
    pub media_url: Option<String>,
    /// An image of the video.
    pub thumbnail_url: Option<String>,
    /// Its length in seconds.
    pub duration: Option<f64>,
    /// Width and height in pixels, such as `1920x1080`.
    pub resolution: Option<String>,
    /// Frames per second.
    pub fps: Option<f64>,
    /// The service's score, on its own scale.
    pub quality_score: Option<f64>,
}

/// The last frame of a scene's video, as the last-frame service reports it.
#[derive(Debug, JsonSchema)]
pub struct LastFrameComplete {
    /// The service's id of the task.
    pub task_id: Option<String>,
    /// `completed`, `failed` or `cancelled`. Another status ends nothing: the service is asked at once.
    pub status: String,
    /// The scene, if the path has no token.
    pub scene_id: Option<String>,
    /// The scene's project.
    pub project_id: Option<String>,
    /// The image, with `completed`: an http or https URL of at most 2,048 bytes.
    pub last_frame_url: Option<String>,
    /// The same as `last_frame_url`.
    pub image_url: Option<String>,
    /// Its width in pixels, for the sender's own records.
    pub width: Option<f64>,
    /// Its height in pixels, for the sender's own records.
    pub height: Option<f64>,
    /// Its format, for the sender's own records.
    pub format: Option<String>,
    /// Why it failed: a text, or an object with a `message`.
    pub error: Option<Value>,
    /// The service's own data.
    pub metadata: Option<CallbackMetadata>,
    /// When it ended, for the sender's own records.
    pub timestamp: Option<String>,
}

/// A video that is stitched from others, as the stitching service reports it.
#[derive(Debug, JsonSchema)]
pub struct StitchComplete {
    /// The service's id of the task.
    pub task_id: Option<String>,
    /// `completed`, `failed` or `cancelled`. Another status ends nothing: the service is asked at once.
    pub status: String,
    /// The project, if the path has no token.
    pub project_id: Option<String>,
    /// The video, with `completed`: an http or https URL of at most 2,048 bytes.
    pub final_video_url: Option<String>,
    /// The same as `final_video_url`.
    pub video_result_url: Option<String>,
    /// An image of the video.
    pub thumbnail_url: Option<String>,
    /// Its length in seconds.
    pub duration: Option<f64>,
    /// Its size in bytes.
    pub file_size: Option<f64>,
    /// The number of stitched videos, for the sender's own records.
    pub total_scenes: Option<f64>,
    /// Its format, for the sender's own records.
    pub format: Option<String>,
    /// Width and height in pixels, such as `1920x1080`.
    pub resolution: Option<String>,
    /// Why it failed: a text, or an object with a `message`.
    pub error: Option<Value>,
    /// The service's own data.
    pub metadata: Option<CallbackMetadata>,
    /// When it ended, for the sender's own records.
    pub timestamp: Option<String>,
}

/// What counts in the metadata of a callback. Other members are ignored.
#[derive(Debug, JsonSchema)]
pub struct CallbackMetadata {
    /// The scene, if the members beside the metadata do not name it.
    pub scene_id: Option<String>,
    /// The project, if the members beside the metadata do not name it.
    pub project_id: Option<String>,
    /// The text that came with the submission.
    pub submission: Option<String>,
}
