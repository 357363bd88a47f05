//! Cancellations of submissions at the worker.

use reelhook_domain::ClipJobId;

use crate::change::ChangeError;
use crate::clips::launch::ports::ClipLaunchPorts;
use crate::store::StoreError;

/// Cancels a submission at the worker, by its external id.
///
/// # Errors
/// [`StoreError::Busy`] if the worker did not confirm it, so that the request is sent again. The cause names the job, since
/// nothing else is logged about it once it is given up.
pub async fn cancel(ports: &ClipLaunchPorts<'_>, job: &ClipJobId, number: u32) -> Result<(), ChangeError> {
    if ports.client.cancel(job, number, &job.external_id(number)).await {
        return Ok(());
    }
    let source = format!("the worker did not confirm the cancellation of submission {number} of `{job}`").into();
    Err(StoreError::Busy { operation: "cancel clip job", source }.into())
}
