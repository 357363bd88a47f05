//! Checks of renders at Creatomate, by schedule or by a person.

use std::time::Duration;

use reelhook_domain::{Event, JobId, RenderId};
use serde_json::Value;

use crate::change::{ChangeError, Changed, change};
use crate::jobs::renders::callback::Callback;
use crate::jobs::renders::ports::RenderPorts;
use crate::jobs::renders::receive::apply_parked;
use crate::jobs::renders::service::Creatomate;
use crate::outbound::{HttpSender, OutboundError};

/// The time limit of one request to Creatomate.
const CHECK_DEADLINE: Duration = Duration::from_secs(10);

/// Checks the state of a render at Creatomate and applies it to the job. An unusable response counts as no response.
///
/// # Errors
/// [`ChangeError`].
pub async fn check_render(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    job_id: &JobId,
    render: &RenderId,
    check: u8,
) -> Result<Changed, ChangeError> {
    // The message that applies a parked callback may have been lost.
    apply_parked(ports, job_id, render).await?;
    let state = creatomate.state(http, render, CHECK_DEADLINE).await;
    let event = Event::RenderChecked { render: render.clone(), state, check };
    change(ports.jobs, ports.clock, ports.policy, job_id, &event).await
}

/// The outcome of a lookup that a person requested.
#[derive(Debug, Clone, PartialEq)]
pub enum RenderLookup {
    /// The render object from Creatomate.
    Found(Value),
    /// No job has this render.
    Unknown,
    /// Creatomate sent no usable response, or no API key is configured.
    Failed,
    /// Creatomate did not respond in time.
    TimedOut,
}

/// Looks a render up at Creatomate and applies its state to its jobs. A render without a job is not looked up.
///
/// # Errors
/// [`ChangeError`].
pub async fn look_up(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    render: &RenderId,
) -> Result<RenderLookup, ChangeError> {
    let ids = ports.renders.jobs_of(render).await?;
    if ids.is_empty() {
        return Ok(RenderLookup::Unknown);
    }
    let Some(key) = &creatomate.key else { return Ok(RenderLookup::Failed) };
    let found = match creatomate.fetch(http, key, render, CHECK_DEADLINE).await {
        Ok(found) => found,
        Err(OutboundError::TimedOut(_)) => return Ok(RenderLookup::TimedOut),
        Err(_) => return Ok(RenderLookup::Failed),
    };
    let Some(callback) = Callback::read(&found) else { return Ok(RenderLookup::Failed) };
    for id in &ids {
        let event = Event::RenderChecked { render: render.clone(), state: Some(callback.state()), check: 0 };
        change(ports.jobs, ports.clock, ports.policy, id, &event).await?;
    }
    Ok(RenderLookup::Found(found))
}
