//! The endpoints that an instance has sent to lately: their states are read together with the next batch's deliveries, and
//! its slots at them are replaced.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reelhook_domain::{EndpointId, Timestamp};

/// How long after a batch an endpoint is expected in the next one.
const EXPECTED: Duration = Duration::from_secs(10);
/// The batches in succession after which an endpoint is expected: reading a state ahead that is not needed costs as much
/// as reading one that is.
const BATCHES: u32 = 2;
/// The most endpoints whose states are read ahead.
const READ_AHEAD: usize = 4;
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
    /// The batches to the endpoint, each soon after the one before.
    pub batches: u32,
}

impl RecentEndpoints {
    /// The endpoints that the next batch probably sends to.
    pub(crate) fn expected(&self, now: Timestamp) -> Vec<EndpointId> {
        self.with(|all| {
            let recent = all.iter().rev().take_while(|recent| now.since(recent.at) <= EXPECTED);
            let expected = recent.filter(|recent| recent.slot.batches >= BATCHES);
            expected.take(READ_AHEAD).map(|recent| recent.id.clone()).collect()
        })
    }

    /// This instance's last slot at an endpoint. It is given back when all its claims are recorded, so that no batch
    /// replaces a slot whose claims may still be needed.
    pub(crate) fn take(&self, id: &EndpointId, now: Timestamp) -> Option<RecentSlot> {
        let Recent { slot, at, .. } = self.with(|all| remove(all, id))?;
        let batches = if now.since(at) <= EXPECTED { slot.batches } else { 0 };
        Some(RecentSlot { batches, ..slot })
    }

    /// Remembers a slot for the next batch.
    pub(crate) fn give_back(&self, id: &EndpointId, slot: RecentSlot, now: Timestamp) {
        self.with(|all| {
            remove(all, id);
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

fn remove(all: &mut Vec<Recent>, id: &EndpointId) -> Option<Recent> {
    let index = all.iter().rposition(|recent| recent.id == *id)?;
    Some(all.remove(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    #[test]
    fn an_endpoint_is_expected_after_two_batches_and_not_for_long() {
        let recent = RecentEndpoints::default();
        let id = |n: usize| EndpointId::parse(&format!("ep_{n}")).unwrap();
        let batch = |n: usize, now: Timestamp| {
            let slot = recent.take(&id(n), now).unwrap_or(RecentSlot { holder: 7, revision: 1, batches: 0 });
            recent.give_back(&id(n), RecentSlot { batches: slot.batches + 1, ..slot }, now);
        };
        batch(1, NOON);
        assert!(recent.expected(NOON).is_empty());
        batch(1, NOON.after(EXPECTED));
        batch(2, NOON.after(EXPECTED));
        assert_eq!(recent.expected(NOON.after(2 * EXPECTED)), [id(1)]);
        let late = NOON.after(3 * EXPECTED);
        assert!(recent.expected(late).is_empty());
        assert_eq!(recent.take(&id(1), late), Some(RecentSlot { holder: 7, revision: 1, batches: 0 }));
        assert_eq!(recent.take(&id(1), late), None, "one batch at a time uses a slot");
        for n in 0..300 {
            batch(n, late);
            batch(n, late);
        }
        assert_eq!(recent.expected(late), [id(299), id(298), id(297), id(296)]);
        assert_eq!(recent.take(&id(0), late), None);
    }
}
