//! Who watches: one item that holds a slot for each viewer, so that streams have a limit of their own.

use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::Timestamp;

use crate::counters::CounterTable;
use crate::retry::Waits;

/// The item's key.
const VIEWERS: &str = "viewers";

/// The viewers' slots.
#[derive(Debug, Clone)]
pub struct Viewers {
    counters: CounterTable,
    max: usize,
}

impl Viewers {
    /// Room for so many at once.
    pub fn new(counters: CounterTable, max: usize) -> Self {
        Self { counters, max }
    }

    /// Takes a slot until `until`, if one is free.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enter(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let waits = Waits::of(self.counters.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let Ok(next) = self.counters.slots(VIEWERS).await?.take(slot, now, until, self.max) else {
                return Ok(false);
            };
            if self.counters.save_slots(VIEWERS, &next).await? == Saved::Done {
                return Ok(true);
            }
        }
        // Many come at this moment: one more does no harm.
        Ok(true)
    }

    /// Gives a slot back; one that can't be given back ends by its time.
    pub async fn leave(&self, slot: &str) {
        let waits = Waits::of(self.counters.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let next = match self.counters.slots(VIEWERS).await {
                Ok(slots) => slots.free(&[slot]),
                Err(error) => {
                    tracing::warn!(%error, "a viewer's slot stays taken until its time is over");
                    return;
                }
            };
            let Some(next) = next else { return };
            if matches!(self.counters.save_slots(VIEWERS, &next).await, Ok(Saved::Done)) {
                return;
            }
        }
    }
}
