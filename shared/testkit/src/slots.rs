//! The slots of one pool, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::store::StoreError;
use reelhook_app::waiting::Slots;
use reelhook_domain::Timestamp;

use crate::faults::Faults;

/// So many slots.
#[derive(Debug, Default)]
pub struct MemorySlots {
    max: usize,
    held: Mutex<BTreeMap<String, Timestamp>>,
    /// Failures of `enter`.
    pub faults: Faults,
}

impl MemorySlots {
    /// Room for so many at once.
    pub fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// The slots that are held, with the ends of their leases.
    pub fn held(&self) -> BTreeMap<String, Timestamp> {
        self.held.lock().unwrap().clone()
    }
}

#[async_trait]
impl Slots for MemorySlots {
    async fn enter(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("enter")?;
        let mut held = self.held.lock().unwrap();
        held.retain(|_, end| *end > now);
        let free = held.len() < self.max;
        if free {
            held.insert(slot.to_owned(), until);
        }
        drop(held);
        done.answer(free)
    }

    async fn leave(&self, slot: &str) {
        tokio::task::yield_now().await;
        self.held.lock().unwrap().remove(slot);
    }
}
