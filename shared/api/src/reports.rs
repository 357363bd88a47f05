//! Reports of workers and render services about jobs, applied once they are authenticated and counted: behind the API and
//! at the Function URL of callbacks.

use reelhook_app::jobs::renders::{CallbackAuth, CallbackPorts, receive};
use reelhook_app::jobs::steps::{StepPorts, report};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::{creatomate, step};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;

/// Applies the report of a step, and notes in its line what it did.
///
/// # Errors
/// [`Problem`].
pub async fn apply_step(
    ports: &StepPorts<'_>,
    step: step::Report,
    request_id: &str,
    line: &mut ReportLine,
) -> Result<ApiAnswer, Problem> {
    (line.attempt, line.step) = (step.attempt, Some(step.update.number));
    line.status = Some(format!("{:?}", step.update.status));
    let changed = report(ports, &step.job_id, step.attempt, step.update).await?;
    line.outcome = Some(changed.name());
    step::answer(&changed, request_id)
}

/// Reads the callback of a render, applies it, and notes in its line what it did. One without a token only sends a hint to
/// the Work queue.
///
/// # Errors
/// [`Problem`].
pub async fn apply_render(
    ports: &CallbackPorts<'_>,
    auth: &CallbackAuth,
    request: &ApiRequest,
    line: &mut ReportLine,
) -> Result<ApiAnswer, Problem> {
    let (render, callback) = creatomate::read(request)?;
    line.render_id = Some(render.to_string());
    line.status = Some(callback.status.clone());
    let received = receive(ports, auth, &render, &callback).await?;
    line.received(&received);
    creatomate::answer(&received, &render, &callback)
}
