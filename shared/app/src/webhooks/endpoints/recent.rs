//! The endpoints that an instance has sent to lately: their states are read together with the next batch's deliveries, and
//! its slots at them are replaced.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reelhook_domain::{EndpointId, Timestamp};

/// How long after a batch an endpoint is expected in the next one.
const EXPECTED: Duration = Duration::from_secs(10);
/// The most endpoints whose states are read ahead, as many as a batch has deliveries.
const READ_AHEAD: usize = 10;
/// The most endpoints that are remembered.
const KEPT: usize = 256;

/// The endpoints at which this instance's last slot has no claim that is not recorded, the latest one last.
#[derive(Debug, Default)]
pub struct RecentEndpoints(Mutex<Vec<Recent>>);

#[derive(Debug)]
struct Recent {
    id: EndpointId,
    slot: RecentSlot,
    at: Timestamp,
}

/// The slot that this instance held last at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecentSlot {
    /// Its holder.
    pub holder: u64,
    /// The revision of the endpoint's state when this instance changed it last.
    pub revision: u64,
}

impl RecentEndpoints {
    /// The endpoints that the next batch probably sends to.
    pub(crate) fn expected(&self, now: Timestamp) -> Vec<EndpointId> {
        self.with(|all| {
            let recent = all.iter().rev().take_while(|recent| now.since(recent.at) <= EXPECTED);
            recent.take(READ_AHEAD).map(|recent| recent.id.clone()).collect()
        })
    }

    /// This instance's last slot at an endpoint. It is given back when all its claims are recorded, so that no batch
    /// replaces a slot whose claims may still be needed.
    pub(crate) fn take(&self, id: &EndpointId) -> Option<RecentSlot> {
        self.with(|all| {
            let index = all.iter().rposition(|recent| recent.id == *id)?;
            Some(all.remove(index).slot)
        })
    }

    /// Remembers a slot for the next batch.
    pub(crate) fn give_back(&self, id: &EndpointId, slot: RecentSlot, now: Timestamp) {
        self.with(|all| {
            if all.len() >= KEPT {
                all.remove(0);
            }
            all.push(Recent { id: id.clone(), slot, at: now });
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Recent>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
