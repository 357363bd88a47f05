//! The answers to callbacks, and those about the webhooks themselves.

use reelhook_app::projects::callbacks::Received;
use reelhook_app::projects::services::webhook;
use reelhook_app::views::wire::Yes;
use reelhook_domain::Timestamp;
use reelhook_domain::projects::task::Stage;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::callback;
use crate::request::ApiRequest;
use crate::site::Site;

/// The status of a completed task.
const COMPLETED: &str = "completed";
/// The status of a task that is queued or under way.
const PROCESSING: &str = "processing";
/// The status of a failed task.
const FAILED: &str = "failed";
const ALLOW_METHODS: &str = "POST, GET, OPTIONS";
const ALLOW_HEADERS: &str = "Content-Type, X-Webhook-Signature";

/// A video is completed. A callback that came before, or too late, changed nothing: the answer is what is true now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VideoReceived {
    received: Yes,
    /// `completed`.
    #[schemars(extend("const" = COMPLETED))]
    status: &'static str,
    /// Whether the scene has the video.
    scene_updated: bool,
    /// Whether its last frame is being extracted, or was.
    last_frame_triggered: bool,
}

/// A last frame is completed. A callback that came before, or too late, changed nothing: the answer is what is true now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FrameReceived {
    received: Yes,
    /// `completed`.
    #[schemars(extend("const" = COMPLETED))]
    status: &'static str,
    /// Whether the scene has the frame.
    scene_updated: bool,
    /// Whether a scene that depends on this one is being generated, or was.
    next_scene_triggered: bool,
}

/// A stitched video is completed. A callback that came before, or too late, changed nothing: the answer is what is true
/// now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StitchReceived<'a> {
    received: Yes,
    /// `completed`.
    #[schemars(extend("const" = COMPLETED))]
    status: &'static str,
    /// Whether the project has the video.
    project_updated: bool,
    /// Whether the notification service is notified that the project is completed.
    user_notified: bool,
    /// The project's video at the service that made it; null until the project is completed.
    final_video_url: Option<&'a str>,
}

/// The task failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FailureReceived<'a> {
    received: Yes,
    /// `failed`.
    #[schemars(extend("const" = FAILED))]
    status: &'static str,
    /// The reason.
    error: &'a str,
}

/// The task is queued or under way; its progress was applied.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProgressReceived {
    received: Yes,
    /// `processing`.
    #[schemars(extend("const" = PROCESSING))]
    status: &'static str,
}

/// The callback ended nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CallbackWarning {
    received: Yes,
    /// `Scene not found`, `Project not found`, `Unknown status` or `Ids disagree`.
    warning: &'static str,
}

/// The answers of `video-complete`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum VideoAnswer<'a> {
    /// The video is completed.
    Completed(VideoReceived),
    /// It failed.
    Failed(FailureReceived<'a>),
    /// It is under way.
    UnderWay(ProgressReceived),
    /// The callback changed nothing.
    Warning(CallbackWarning),
}

/// The answers of `last-frame-complete`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum FrameAnswer<'a> {
    /// The frame is completed.
    Completed(FrameReceived),
    /// It failed.
    Failed(FailureReceived<'a>),
    /// It is under way.
    UnderWay(ProgressReceived),
    /// The callback changed nothing.
    Warning(CallbackWarning),
}

/// The answers of `stitch-complete`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum StitchAnswer<'a> {
    /// The video is completed.
    Completed(StitchReceived<'a>),
    /// It failed.
    Failed(FailureReceived<'a>),
    /// It is under way.
    UnderWay(ProgressReceived),
    /// The callback changed nothing.
    Warning(CallbackWarning),
}

/// The answer to a callback: 200 for every one that could be read, since services do not send it again.
pub fn answer(received: &Received) -> ApiAnswer {
    match received {
        Received::Video { scene_updated, last_frame_triggered } => {
            let (scene_updated, last_frame_triggered) = (*scene_updated, *last_frame_triggered);
            let body = VideoReceived { received: Yes, status: COMPLETED, scene_updated, last_frame_triggered };
            ApiAnswer::json(200, &VideoAnswer::Completed(body))
        }
        Received::Frame { scene_updated, next_scene_triggered } => {
            let (scene_updated, next_scene_triggered) = (*scene_updated, *next_scene_triggered);
            let body = FrameReceived { received: Yes, status: COMPLETED, scene_updated, next_scene_triggered };
            ApiAnswer::json(200, &FrameAnswer::Completed(body))
        }
        Received::Stitch { project_updated, user_notified, final_video_url } => {
            let body = StitchReceived {
                received: Yes,
                status: COMPLETED,
                project_updated: *project_updated,
                user_notified: *user_notified,
                final_video_url: final_video_url.as_deref(),
            };
            ApiAnswer::json(200, &StitchAnswer::Completed(body))
        }
        Received::Failed(error) => ApiAnswer::json(200, &FailureReceived { received: Yes, status: FAILED, error }),
        Received::UnderWay => ApiAnswer::json(200, &ProgressReceived { received: Yes, status: PROCESSING }),
        Received::UnknownStatus => warning("Unknown status"),
        Received::NotFound(Stage::Video | Stage::Frame) => warning("Scene not found"),
        Received::NotFound(Stage::Stitch) => warning("Project not found"),
        Received::IdsDisagree => warning("Ids disagree"),
    }
}

fn warning(warning: &'static str) -> ApiAnswer {
    ApiAnswer::json(200, &CallbackWarning { received: Yes, warning })
}

/// The answer about the health of a webhook.
pub fn health(stage: Stage, now: Timestamp) -> ApiAnswer {
    let description = match stage {
        Stage::Video => "Receives the videos of scenes from the generation service",
        Stage::Frame => "Receives the last frames of scenes from the last-frame service",
        Stage::Stitch => "Receives the stitched videos of projects from the stitching service",
    };
    callback::health(webhook(stage), description, now)
}

/// The answer to OPTIONS, before any check. Pages of the same origins may read it as elsewhere.
pub fn preflight(site: &Site, request: &ApiRequest) -> ApiAnswer {
    let answer = ApiAnswer { status: 200, ..site.preflight(request) };
    let answer = answer.header("access-control-allow-methods", ALLOW_METHODS);
    answer.header("access-control-allow-headers", ALLOW_HEADERS)
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Request};

    use super::*;

    #[test]
    fn each_outcome_has_its_answer() {
        let check = |received: Received, expected: &str| {
            let answer = answer(&received);
            assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{received:?}");
        };
        check(
            Received::Video { scene_updated: true, last_frame_triggered: false },
            r#"{"received":true,"status":"completed","scene_updated":true,"last_frame_triggered":false}"#,
        );
        check(
            Received::Frame { scene_updated: true, next_scene_triggered: true },
            r#"{"received":true,"status":"completed","scene_updated":true,"next_scene_triggered":true}"#,
        );
        let url = Some("https://v.example/final.mp4".to_owned());
        check(
            Received::Stitch { project_updated: true, user_notified: false, final_video_url: url },
            concat!(
                r#"{"received":true,"status":"completed","project_updated":true,"user_notified":false,"#,
                r#""final_video_url":"https://v.example/final.mp4"}"#,
            ),
        );
        check(
            Received::Stitch { project_updated: false, user_notified: false, final_video_url: None },
            concat!(
                r#"{"received":true,"status":"completed","project_updated":false,"user_notified":false,"#,
                r#""final_video_url":null}"#,
            ),
        );
        check(Received::Failed("no GPU".to_owned()), r#"{"received":true,"status":"failed","error":"no GPU"}"#);
        check(Received::UnderWay, r#"{"received":true,"status":"processing"}"#);
        check(Received::NotFound(Stage::Video), r#"{"received":true,"warning":"Scene not found"}"#);
        check(Received::NotFound(Stage::Frame), r#"{"received":true,"warning":"Scene not found"}"#);
        check(Received::NotFound(Stage::Stitch), r#"{"received":true,"warning":"Project not found"}"#);
        check(Received::UnknownStatus, r#"{"received":true,"warning":"Unknown status"}"#);
        check(Received::IdsDisagree, r#"{"received":true,"warning":"Ids disagree"}"#);
    }

    #[test]
    fn a_webhook_says_that_it_is_there() {
        let expected = concat!(
            r#"{"status":"healthy","endpoint":"/api/webhooks/stitch-complete","method":"POST","#,
            r#""description":"Receives the stitched videos of projects from the stitching service","#,
            r#""timestamp":"2024-01-01T12:00:00.000Z"}"#,
        );
        assert_eq!(health(Stage::Stitch, Timestamp(1_704_110_400_000)).body, expected);
    }

    #[test]
    fn options_names_the_methods_and_headers_of_the_webhooks() {
        let request = ApiRequest::of(Request::new(Body::Empty));
        let answer = preflight(&Site::default(), &request);
        let header =
            |name: &str| answer.headers.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str());
        assert_eq!(answer.status, 200);
        assert_eq!(header("access-control-allow-methods"), Some("POST, GET, OPTIONS"));
        assert_eq!(header("access-control-allow-headers"), Some("Content-Type, X-Webhook-Signature"));
        assert_eq!(header("access-control-allow-origin"), None, "no origin is allowed that the settings do not name");
    }
}
