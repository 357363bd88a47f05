//! Cancellations of tasks at their services.

use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ProjectId, RenderId};

use crate::change::ChangeError;
use crate::projects::launch::ports::LaunchPorts;
use crate::store::StoreError;

/// Cancels a task at its service, where the service can.
///
/// # Errors
/// [`StoreError::Busy`] if the service did not confirm it, so that the request is sent again. The cause names the task, since
/// nothing else is logged about it once it is given up.
pub async fn cancel_task(
    ports: &LaunchPorts<'_>,
    project: &ProjectId,
    stage: Stage,
    id: &RenderId,
) -> Result<(), ChangeError> {
    if ports.client.cancel(project, stage, id).await {
        return Ok(());
    }
    let source =
        format!("the service did not confirm the cancellation of {} `{id}` of `{project}`", stage.name()).into();
    Err(StoreError::Busy { operation: "cancel task", source }.into())
}
