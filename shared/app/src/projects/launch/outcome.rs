//! The outcomes of requests to services: events for the project, and results for the circuit of the service.

use reelhook_domain::ProjectId;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::Stage;

use crate::change::{ChangeError, Changed, change};
use crate::circuit::{self, Permit, Results};
use crate::projects::launch::ports::LaunchPorts;
use crate::projects::unwanted::unwanted;

/// What one request to a service yielded.
pub(super) struct Outcome {
    /// The project.
    pub project: ProjectId,
    /// What happens to it.
    pub events: Vec<Event>,
    /// Whether the service answered without a server error; none if nothing was sent.
    pub answered: Option<bool>,
}

impl Outcome {
    /// Whether the service refused a submission for the moment: it would refuse further ones too.
    fn is_busy(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::SubmissionRefused { permanent: false, .. }))
    }
}

/// Records the outcomes of requests to one service, each in its project, and all in the circuit. Returns whether the
/// service is busy.
///
/// # Errors
/// The first [`ChangeError`]; the other outcomes are recorded nevertheless.
pub(super) async fn record(
    ports: &LaunchPorts<'_>,
    stage: Stage,
    permit: Permit,
    outcomes: Vec<Outcome>,
) -> Result<bool, ChangeError> {
    let (mut results, mut first_error) = (Results::default(), None);
    let is_busy = outcomes.iter().any(Outcome::is_busy);
    for Outcome { project, events, answered } in outcomes {
        if let Some(answered) = answered {
            results.count(answered);
        }
        for event in events {
            if let Err(error) = apply(ports, &project, &event).await {
                tracing::warn!(project_id = %project, %error, "failed to record the answer of a service");
                first_error.get_or_insert(error);
            }
        }
    }
    circuit::record(ports.circuits, ports.clock, stage.into(), permit, results).await;
    first_error.map_or(Ok(is_busy), Err)
}

/// Applies an event to its project. A task that a service has and that the project does not want any more is cancelled.
///
/// # Errors
/// [`ChangeError`].
pub(super) async fn apply(
    ports: &LaunchPorts<'_>,
    project: &ProjectId,
    event: &Event,
) -> Result<Changed<Project>, ChangeError> {
    let changed = change(ports.projects, ports.clock, ports.policy, project, event).await?;
    if let Some((stage, id)) = unwanted(event, &changed) {
        ports.client.cancel(project, stage, id).await;
    }
    tracing::debug!(project_id = %project, changed = changed.name(), "recorded the answer of a service");
    Ok(changed)
}
