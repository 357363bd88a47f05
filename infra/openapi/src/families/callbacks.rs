//! Callbacks of external workers and of Creatomate, with a token in their path or without.

use std::borrow::Cow;

use reelhook_http::jobs::creatomate::{RenderAnswer, RenderCallback, RenderHintTaken};
use reelhook_http::jobs::step::{StepAnswer, StepReport};
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
