//! Reads the clip jobs that clients see.

use reelhook_domain::{ClipJob, ClipJobId};

use crate::clips::store::ClipStore;
use crate::store::StoreError;

/// Reads a job that clients see: one that exists and was not deleted.
///
/// # Errors
/// [`StoreError`].
pub async fn find(jobs: &dyn ClipStore, id: &ClipJobId) -> Result<Option<ClipJob>, StoreError> {
    Ok(jobs.load(id).await?.filter(|job| job.deleted_at.is_none()))
}
