//! The port of slots: the rows that grant them, with the pause switch and the cutoffs of clears.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use reelhook_domain::{Admission, SlotRow, Slots};

use crate::clock::ClockAndRandom;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Attempts at a change of rows, after conflicts.
const ATTEMPTS: u32 = 20;

/// Where the slots of a queue are kept.
#[async_trait]
pub trait AdmissionStore: Send + Sync {
    /// The slots. Rows that do not exist are empty.
    ///
    /// # Errors
    /// [`StoreError`]; busy if they were being changed at each attempt.
    async fn admission(&self) -> Result<Slots, StoreError>;

    /// Replaces a row, one version on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError>;

    /// The slots as they were a moment ago: enough for a claim, which fails if a row has changed, and cheaper where there are
    /// many rows. That no slot is free is only known from [`Self::admission`].
    ///
    /// # Errors
    /// As [`Self::admission`].
    async fn recent_admission(&self) -> Result<Slots, StoreError> {
        self.admission().await
    }

    /// The rows with these numbers.
    ///
    /// # Errors
    /// As [`Self::admission`].
    async fn some_rows(&self, numbers: &BTreeSet<usize>) -> Result<Vec<SlotRow>, StoreError> {
        let rows = self.admission().await?.into_rows();
        Ok(rows.into_iter().filter(|row| numbers.contains(&row.number)).collect())
    }
}

/// The slots, once each row has followed the first one: usually it has. Each reader helps, so that a change whose
/// function was killed stops no claims.
///
/// # Errors
/// [`StoreError`]; busy if rows changed during each attempt.
pub async fn followed<S: AdmissionStore + ?Sized>(store: &S, clock: &dyn ClockAndRandom) -> Result<Slots, StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let slots = store.admission().await?;
        let behind = slots.behind();
        if behind.is_empty() {
            return Ok(slots);
        }
        try_join_all(behind.iter().map(|row| store.save_admission(row))).await?;
    }
    Err(changed_always("follow the first row of slots"))
}

/// Arranges slots in this number of rows, with `numbers` or names, and returns the rows.
///
/// # Errors
/// [`StoreError`]; the next due sweep goes on.
pub async fn arrange<S: AdmissionStore + ?Sized>(
    store: &S,
    clock: &dyn ClockAndRandom,
    rows: usize,
    numbers: bool,
) -> Result<Slots, StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let slots = followed(store, clock).await?;
        let Some(first) = slots.arranged(rows, numbers) else { return Ok(slots) };
        if store.save_admission(&first).await? == Saved::Done {
            tracing::info!(rows, numbers, "arranged the slots of runs in rows");
        }
    }
    Err(changed_always("arrange slots"))
}

fn changed_always(operation: &'static str) -> StoreError {
    StoreError::Busy { operation, source: "their rows changed during each attempt".into() }
}
