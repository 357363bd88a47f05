//! The port to stored jobs.

use reelhook_domain::{Job, JobId};

use crate::change::AggregateStore;
use crate::store::StoreError;

/// Stores jobs.
pub trait JobStore: AggregateStore<Job> {}

impl<S: AggregateStore<Job>> JobStore for S {}

/// Reads a job that clients see: one that exists and was not deleted.
///
/// # Errors
/// [`StoreError`].
pub async fn find(jobs: &dyn JobStore, id: &JobId) -> Result<Option<Job>, StoreError> {
    Ok(jobs.load(id).await?.filter(|job| job.deleted_at.is_none()))
}
