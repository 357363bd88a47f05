//! The slots of one pool, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::jobs::waiting::Slots;
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::faults::Faults;

/// So many slots.
#[derive(Debug, Default)]
pub struct MemorySlots {
    max: usize,
    leases: Mutex<BTreeMap<String, Timestamp>>,
    /// Failures of `enter`.
    pub faults: Faults,
}

impl MemorySlots {
    /// Room for so many at once.
    pub fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// The slots that are held, with the ends of their leases.
    pub fn leases(&self) -> BTreeMap<String, Timestamp> {
        self.leases.lock().unwrap().clone()
    }
}

#[async_trait]
impl Slots for MemorySlots {
    async fn acquire(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("enter")?;
        let mut leases = self.leases.lock().unwrap();
        leases.retain(|_, end| *end > now);
        let free = leases.len() < self.max;
        if free {
            leases.insert(slot.to_owned(), until);
        }
        drop(leases);
        done.answer(free)
    }

    async fn release(&self, slot: &str) {
        tokio::task::yield_now().await;
        self.leases.lock().unwrap().remove(slot);
    }
}
