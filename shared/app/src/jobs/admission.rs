//! The port of slots: the rows that grant them, with the pause switch and the cutoffs of clears.

use async_trait::async_trait;
use reelhook_domain::{Admission, SlotRow, Slots};

use crate::store::{Saved, StoreError};

/// Where the slots of a queue are kept.
#[async_trait]
pub trait AdmissionStore: Send + Sync {
    /// The slots, with at least this number of rows; those that are missing are empty.
    ///
    /// # Errors
    /// [`StoreError`]; busy if they were being arranged at each attempt.
    async fn admission_rows(&self, at_least: usize) -> Result<Slots, StoreError>;

    /// Replaces these rows, each one version on: all or none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_admission(&self, changed: &[SlotRow]) -> Result<Saved<Admission>, StoreError>;

    /// The slots.
    ///
    /// # Errors
    /// As [`Self::admission_rows`].
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.admission_rows(1).await
    }
}

/// Arranges slots, of which this number of rows was read, in as many; returns whether they were arranged otherwise. After a
/// conflict the next due sweep arranges them.
///
/// # Errors
/// [`StoreError`].
pub async fn arrange<S: AdmissionStore + ?Sized>(store: &S, slots: &Slots, rows: usize) -> Result<bool, StoreError> {
    let Some(arranged) = slots.arranged(rows) else { return Ok(false) };
    let saved = store.save_admission(&arranged).await? == Saved::Done;
    tracing::info!(rows, saved, "arranged the slots of runs in rows");
    Ok(saved)
}
