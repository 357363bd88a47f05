//! The port of the admission item: slots of runs, the pause switch, and the cutoffs of clears.

use async_trait::async_trait;
use reelhook_domain::Admission;

use crate::store::{Saved, StoreError};

/// Where the admission item is kept.
#[async_trait]
pub trait AdmissionStore: Send + Sync {
    /// The admission item; a new one if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn admission(&self) -> Result<Admission, StoreError>;

    /// Replaces the admission item, one version on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_admission(&self, admission: &Admission) -> Result<Saved<Admission>, StoreError>;
}
