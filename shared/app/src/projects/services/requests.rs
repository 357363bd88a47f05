//! The requests that submit tasks to services, each with an Idempotency-Key and a callback URL of its own.

use bytes::Bytes;
use reelhook_domain::projects::media::File;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::SceneKind;
use reelhook_domain::projects::task::{Stage, Target, TaskRef};
use reelhook_domain::{SceneId, Timestamp, TraceParent, WebUrl};
use serde_json::{Value, json};

use crate::outbound::json::{seconds, without_nulls};
use crate::outbound::{Method, OutboundRequest};
use crate::projects::services::service::{Service, Services, has_own_path, submission_name};

/// Why a task cannot be submitted: nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSendable {
    /// No service makes tasks of this stage.
    #[error("no service for the stage `{}` is configured", .0.name())]
    NoService(Stage),
    /// The project lacks what the task is made from.
    #[error("the project has no {0}")]
    Lacks(&'static str),
}

/// The request that submits a task. `prompt` is the text of its scene's prompt, for a video.
///
/// # Errors
/// [`NotSendable`].
pub fn submission(
    services: &Services,
    project: &Project,
    task: &TaskRef,
    prompt: &str,
    now: Timestamp,
) -> Result<OutboundRequest, NotSendable> {
    let stage = task.stage();
    let service = services.of(stage).ok_or(NotSendable::NoService(stage))?;
    let form = Form { services, project, task, own_path: has_own_path(&service.url), now };
    let body = match &task.target {
        Target::Video(scene) => form.video(scene, prompt)?,
        Target::Frame(scene) => form.frame(scene)?,
        Target::Stitch(node) => form.stitch(*node)?,
    };
    let segments: &[&str] = match stage {
        Stage::Video => &["tasks", "submit"],
        Stage::Frame => &["process"],
        Stage::Stitch => &["stitch"],
    };
    Ok(form.request(service, segments, &body))
}

/// What all submissions of a task have in common.
struct Form<'a> {
    services: &'a Services,
    project: &'a Project,
    task: &'a TaskRef,
    /// Whether the service has its own form of requests.
    own_path: bool,
    now: Timestamp,
}

impl Form<'_> {
    fn video(&self, id: &SceneId, prompt: &str) -> Result<Value, NotSendable> {
        let spec = &self.project.scene(id).ok_or(NotSendable::Lacks("such scene"))?.spec;
        let first_frame = self.project.first_frame_of(id).and_then(|frame| self.link(&frame));
        let last_frame = spec.last_frame.as_ref().map(WebUrl::as_written);
        let images: Vec<&str> = spec.images.iter().map(WebUrl::as_written).collect();
        let images = (!images.is_empty()).then_some(images);
        let duration = seconds(spec.duration_ms);
        if self.own_path {
            return Ok(without_nulls(json!({
                "type": kind(spec.kind, first_frame.is_some()).name(),
                "prompt": prompt,
                "sceneId": id.as_str(),
                "firstFrameUrl": first_frame,
                "lastFrameUrl": last_frame,
                "imageUrls": images,
                "model": spec.model,
                "duration": duration,
                "fps": spec.fps,
                "resolution": spec.resolution,
                "webhookUrl": self.callback(),
            })));
        }
        let data = without_nulls(json!({
            "scene_id": id.as_str(),
            "prompt": prompt,
            "start_image_url": first_frame,
            "end_image_url": last_frame,
            "image_urls": images,
            "model": spec.model,
            "duration": duration,
            "fps": spec.fps,
            "resolution": spec.resolution,
        }));
        Ok(json!({
            "project_id": self.project.id.as_str(),
            "task_type": "generate_video",
            "task_data": data,
            "priority": "normal",
            "callback_url": self.callback(),
            "metadata": self.metadata(),
        }))
    }

    fn frame(&self, id: &SceneId) -> Result<Value, NotSendable> {
        let take =
            self.project.scene(id).and_then(|scene| scene.takes.iter().find(|take| take.attempt == self.task.run));
        let video =
            take.and_then(|take| self.link(&take.video.file)).ok_or(NotSendable::Lacks("video of the scene"))?;
        Ok(if self.own_path {
            let project = self.project.id.as_str();
            json!({ "video_url": video, "scene_id": id.as_str(), "project_id": project, "webhook_url": self.callback() })
        } else {
            json!({ "video_url": video, "webhook_url": self.callback(), "metadata": self.metadata() })
        })
    }

    fn stitch(&self, node: u16) -> Result<Value, NotSendable> {
        let is_present = self.project.stitch.as_ref().is_some_and(|stitch| stitch.generation == self.task.run);
        let files = self.project.inputs(node).filter(|_| is_present).unwrap_or_default();
        let videos: Option<Vec<String>> = files.iter().map(|file| self.link(file)).collect();
        let videos = videos.filter(|videos| !videos.is_empty());
        let videos = videos.ok_or(NotSendable::Lacks("videos to stitch"))?;
        Ok(if self.own_path {
            let project = self.project.id.as_str();
            json!({ "video_urls": videos, "project_id": project, "webhook_url": self.callback() })
        } else {
            json!({ "video_urls": videos, "webhook_url": self.callback(), "metadata": self.metadata() })
        })
    }

    fn link(&self, file: &File) -> Option<String> {
        self.services.links().of(file, self.now)
    }

    fn callback(&self) -> String {
        self.services.callback_url(&self.project.id, self.task)
    }

    /// What services send back with their reports.
    fn metadata(&self) -> Value {
        without_nulls(json!({
            "scene_id": self.task.scene().map(SceneId::as_str),
            "project_id": self.project.id.as_str(),
            "submission": submission_name(&self.project.id, self.task),
        }))
    }

    fn request(&self, service: &Service, segments: &[&str], body: &Value) -> OutboundRequest {
        let stage = self.task.stage();
        let mut request = service.request(Method::Post, stage, segments);
        if self.own_path {
            request.url = service.url.clone();
        }
        let key = submission_name(&self.project.id, self.task);
        request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        request.headers.push(("idempotency-key".to_owned(), key));
        request.headers.push(("traceparent".to_owned(), TraceParent::of_aggregate(self.project).into()));
        request.body = Bytes::from(body.to_string());
        request
    }
}

/// The kind that a service is asked for: a scene without an image of its own that continues another one starts from a
/// frame too.
fn kind(kind: SceneKind, has_first_frame: bool) -> SceneKind {
    match kind {
        SceneKind::TextToVideo if has_first_frame => SceneKind::FirstLastFrame,
        SceneKind::TextToVideo | SceneKind::ImageToVideo | SceneKind::FirstLastFrame | SceneKind::CompositeToVideo => {
            kind
        }
    }
}
