//! Renders at Creatomate.

use reelhook_app::views::wire::{JobIdText, RenderIdText};
use reelhook_http::jobs::control::Monitoring;
use reelhook_http::jobs::render::RenderStatus;

use crate::operation::{Operation, operation};

/// The operations about renders.
pub fn operations() -> Vec<Operation> {
    vec![
        operation(
            "renders",
            "POST /api/queue/job/{id}/monitor-creatomate",
            "monitorRender",
            "Monitor a job's render again",
        )
        .about("A completed job without a video becomes rendering.")
        .path::<JobIdText>("id", "The job")
        .answer::<Monitoring>(200, "The render is monitored")
        .codes(&["job_not_found", "no_render", "video_exists", "workflow_incomplete", "cannot_monitor"]),
        operation("renders", "GET /api/status/{creatomateId}", "getRenderStatus", "Get a render from Creatomate")
            .about("The render must belong to a job. If Creatomate confirms that it succeeded, the job is completed.")
            .path::<RenderIdText>("creatomateId", "The render")
            .answer::<RenderStatus>(200, "The render as Creatomate reports it")
            .codes(&["render_unknown", "render_check_failed", "render_check_timeout"]),
    ]
}
