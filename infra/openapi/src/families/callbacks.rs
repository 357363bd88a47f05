//! Callbacks of external workers, of Creatomate, of services that make tasks of projects and of the clipping worker, with
//! a token in their path or without.

use std::borrow::Cow;

use reelhook_http::callback::CallbackHealth;
use reelhook_http::clips::webhook::answers::ReportReceived;
use reelhook_http::clips::webhook::bodies::ClipReport;
use reelhook_http::jobs::creatomate::{RenderAnswer, RenderCallback, RenderHintTaken};
use reelhook_http::jobs::step::{StepAnswer, StepReport};
use reelhook_http::projects::callbacks::answers::{FrameAnswer, StitchAnswer, VideoAnswer};
use reelhook_http::projects::callbacks::bodies::{LastFrameComplete, StitchComplete, VideoComplete};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::operation::{Access, Operation, operation};

/// The operations of callbacks.
pub fn operations() -> Vec<Operation> {
    vec![
        report("POST /api/webhooks/step-update", "reportStep", "Report a step")
            .about(
                "The worker sends an API key, or a signature made with STEP_WEBHOOK_SECRET over the bytes that it \
                 sends: of a compressed body, over the compressed bytes.",
            )
            .access(Access::Worker),
        with_token(report(
            "POST /w/{token}/api/webhooks/step-update",
            "reportStepWithToken",
            "Report a step with the token of the run",
        )),
        render("POST /api/webhooks/creatomate", "hintRender", "Report a render without a token")
            .about(
                "The report is only a hint: Reelhook does not trust it and checks the render at Creatomate, at most \
                 once in 10 s. The answer does not reveal whether a job waits for the render.",
            )
            .access(Access::Open)
            .answer::<RenderHintTaken>(200, "The hint is received")
            .codes(&["unauthorized", "rate_limited"]),
        with_token(render(
            "POST /w/{token}/api/webhooks/creatomate",
            "reportRenderWithToken",
            "Report a render with a token",
        ))
        .about("The token is that of a run, or that of the operator for a hook of the whole project.")
        .answer::<RenderAnswer>(200, "The report is processed; or it is about an earlier run and changes nothing")
        .codes(&["render_unknown"]),
    ]
    .into_iter()
    .chain(of_tasks())
    .chain(of_clips())
    .collect()
}

/// The webhooks about tasks of projects: each is signed, or has the token of its task in its path.
fn of_tasks() -> Vec<Operation> {
    let video =
        |route, id, summary| task(route, id, summary).lenient_body::<VideoComplete>().answer::<VideoAnswer>(200, TAKEN);
    let frame = |route, id, summary| {
        task(route, id, summary).lenient_body::<LastFrameComplete>().answer::<FrameAnswer>(200, TAKEN)
    };
    let stitch = |route, id, summary| {
        task(route, id, summary).lenient_body::<StitchComplete>().answer::<StitchAnswer>(200, TAKEN)
    };
    let signed = |of: Operation| of.about(SIGNED);
    vec![
        health("GET /api/webhooks/video-complete", "getVideoWebhook"),
        signed(video("POST /api/webhooks/video-complete", "reportVideo", "Report the video of a scene")),
        task_token(video(
            "POST /w/{token}/api/webhooks/video-complete",
            "reportVideoWithToken",
            "Report the video of a scene with the token of its task",
        )),
        health("GET /api/webhooks/last-frame-complete", "getLastFrameWebhook"),
        signed(frame("POST /api/webhooks/last-frame-complete", "reportLastFrame", "Report the last frame of a scene")),
        task_token(frame(
            "POST /w/{token}/api/webhooks/last-frame-complete",
            "reportLastFrameWithToken",
            "Report the last frame of a scene with the token of its task",
        )),
        health("GET /api/webhooks/stitch-complete", "getStitchWebhook"),
        signed(stitch("POST /api/webhooks/stitch-complete", "reportStitch", "Report a stitched video")),
        task_token(stitch(
            "POST /w/{token}/api/webhooks/stitch-complete",
            "reportStitchWithToken",
            "Report a stitched video with the token of its task",
        )),
    ]
}

/// The webhook of the clipping worker: each report is signed, or has the token of its submission in its path.
fn of_clips() -> Vec<Operation> {
    let report = |route, id, summary| {
        task(route, id, summary).lenient_body::<ClipReport>().codes(&["bad_field"]).answer::<ReportReceived>(200, TAKEN)
    };
    let signed = |of: Operation| of.about(SIGNED_CLIPS);
    let token = |of: Operation| {
        of.path::<CallbackToken>(
            "token",
            "The token of the submission. It is part of the URL that the worker was given",
        )
    };
    vec![
        health("GET /api/webhooks/ai-clipping", "getClippingWebhook"),
        signed(report("POST /api/webhooks/ai-clipping", "reportClips", "Report on a clip job")),
        token(report(
            "POST /w/{token}/api/webhooks/ai-clipping",
            "reportClipsWithToken",
            "Report on a clip job with the token of its submission",
        )),
        health("GET /api/webhooks/clipping", "getClippingWebhookByAlias"),
        signed(report("POST /api/webhooks/clipping", "reportClipsByAlias", "Report on a clip job at the other path")),
        token(report(
            "POST /w/{token}/api/webhooks/clipping",
            "reportClipsWithTokenByAlias",
            "Report on a clip job at the other path with the token of its submission",
        )),
    ]
}

/// A webhook about a task of a project, or about a clip job.
fn task(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("callbacks", route, id, summary)
        .task_callback()
        .access(Access::Open)
        .codes(&["unauthorized", "rate_limited"])
}

/// The health of a webhook.
fn health(route: &'static str, id: &'static str) -> Operation {
    operation("callbacks", route, id, "Check that the webhook is there")
        .task_callback()
        .access(Access::Open)
        .stateless()
        .answer::<CallbackHealth>(200, "It is")
}

/// The webhook has the token of its task in its path.
fn task_token(callback: Operation) -> Operation {
    callback.path::<CallbackToken>("token", "The token of the task. It is part of the URL that the task was given")
}

/// A report of a step.
fn report(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("callbacks", route, id, summary)
        .body::<StepReport>()
        .answer::<StepAnswer>(200, "The report is valid, even if it changes nothing")
        .codes(&["job_not_found"])
}

/// A report of a render.
fn render(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("callbacks", route, id, summary)
        .body::<RenderCallback>()
        .codes(&["render_id_missing", "render_status_missing"])
}

/// The callback has a token in its path instead of other credentials.
fn with_token(callback: Operation) -> Operation {
    let about = "The token of a run, or the operator's. It is part of `webhook_base_url` (`https://host/w/<token>`) \
                 and is a secret";
    callback.access(Access::Open).path::<CallbackToken>("token", about).codes(&["unauthorized", "rate_limited"])
}

/// The credentials of a webhook about tasks.
const SIGNED: &str = "`X-Webhook-Signature` is the hex HMAC-SHA256 of the raw body, made with the webhook's own secret; \
                      `sha256=` may precede it.";
/// The credentials of the clipping worker's webhook.
const SIGNED_CLIPS: &str = "`X-Genesis-Webhook-Signature`, `X-Webhook-Signature` or `Authorization` is the hex \
                            HMAC-SHA256 of the raw body, made with WEBHOOK_SECRET; `sha256=` may precede it.";
/// The answer to a webhook about tasks.
const TAKEN: &str = "The report is valid, even if it changes nothing";

/// The token of a callback.
struct CallbackToken;

impl JsonSchema for CallbackToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CallbackToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,512}$",
            "examples": ["t1.am9iXzE.1.c2lnbmF0dXJl"],
        })
    }
}
