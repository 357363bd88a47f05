//! The Deliveries and Endpoints tables in memory: events once, deliveries by version, a row for each attempt.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_app::deliver::{DeliveryStore, EndpointState, Learned, Loaded};
use reelhook_app::fanout::EventRow;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EndpointId, EventId, JobId, RateWindow, Timestamp,
};

use crate::faults::Faults;

/// Deliveries; faults go by the port's names: `load`, `begin`, `complete`, `save`, `endpoint`, `reserve`, `disable`.
#[derive(Debug, Default)]
pub struct MemoryDeliveries {
    state: Mutex<State>,
    /// Failures to come.
    pub faults: Faults,
}

#[derive(Debug, Default)]
struct State {
    events: BTreeMap<EventId, EventRow>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    attempts: BTreeMap<(DeliveryId, u32), Attempt>,
    endpoints: BTreeMap<EndpointId, EndpointState>,
    reasons: BTreeMap<EndpointId, String>,
}

impl MemoryDeliveries {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes an event unless it is there.
    pub fn put_event(&self, event: &EventRow) {
        self.state().events.entry(event.id.clone()).or_insert_with(|| event.clone());
    }

    /// Writes a delivery unless it is there.
    pub fn put_delivery(&self, delivery: &Delivery) {
        self.state().deliveries.entry(delivery.id).or_insert_with(|| delivery.clone());
    }

    /// Writes a delivery over what is there.
    pub fn overwrite(&self, delivery: &Delivery) {
        self.state().deliveries.insert(delivery.id, delivery.clone());
    }

    /// Forgets every row, as if they had never been made.
    pub fn forget(&self) {
        let mut state = self.state();
        state.events.clear();
        state.deliveries.clear();
        state.attempts.clear();
    }

    /// A delivery.
    ///
    /// # Panics
    /// When there is none with this id.
    pub fn get(&self, id: DeliveryId) -> Delivery {
        self.state().deliveries.get(&id).unwrap_or_else(|| panic!("no delivery `{id}`")).clone()
    }

    /// All deliveries, by id.
    pub fn all(&self) -> Vec<Delivery> {
        self.state().deliveries.values().cloned().collect()
    }

    /// Deliveries with a due time until `now`.
    pub fn due_until(&self, now: Timestamp) -> Vec<(Timestamp, (DeliveryId, EventId))> {
        let state = self.state();
        let due = |delivery: &Delivery| Some((delivery.due_at.filter(|due| *due <= now)?, delivery.event_id.clone()));
        state.deliveries.values().filter_map(|one| due(one).map(|(at, event)| (at, (one.id, event)))).collect()
    }

    /// The only delivery.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn only(&self) -> Delivery {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The deliveries about a job.
    pub fn of_job(&self, job: &JobId) -> Vec<Delivery> {
        self.all().into_iter().filter(|delivery| delivery.job_id == *job).collect()
    }

    /// All events, by id.
    pub fn events(&self) -> Vec<EventRow> {
        self.state().events.values().cloned().collect()
    }

    /// A delivery's attempts, in order.
    pub fn attempts(&self, id: DeliveryId) -> Vec<Attempt> {
        self.state().attempts.range((id, 0)..=(id, u32::MAX)).map(|(_, attempt)| attempt.clone()).collect()
    }

    /// What is kept of an endpoint.
    pub fn endpoint_state(&self, id: &EndpointId) -> EndpointState {
        self.state().endpoints.get(id).cloned().unwrap_or_default()
    }

    /// Why an endpoint is disabled.
    pub fn disabled_reason(&self, id: &EndpointId) -> Option<String> {
        self.state().reasons.get(id).cloned()
    }

    /// Deliveries that have not ended.
    pub fn unfinished(&self) -> usize {
        self.all().iter().filter(|delivery| delivery.status == DeliveryStatus::Pending).count()
    }
}

impl State {
    fn replace(&mut self, delivery: &Delivery) -> Saved<Delivery> {
        match self.deliveries.get(&delivery.id) {
            Some(stored) if stored.version + 1 == delivery.version => {
                self.deliveries.insert(delivery.id, delivery.clone());
                Saved::Done
            }
            Some(stored) => Saved::Conflict(Some(Box::new(stored.clone()))),
            None => Saved::Conflict(None),
        }
    }
}

#[async_trait]
impl DeliveryStore for MemoryDeliveries {
    async fn load(&self, ids: &[(DeliveryId, EventId)]) -> Result<Vec<Loaded>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("load")?;
        let state = self.state();
        let read = |(id, event): &(DeliveryId, EventId)| {
            Ok(state.deliveries.get(id).cloned().map(|delivery| (delivery, state.events.get(event).cloned())))
        };
        done.answer(ids.iter().map(read).collect())
    }

    async fn begin(&self, delivery: &Delivery, attempt: &Attempt) -> Result<Saved<Delivery>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("begin", &delivery.id)?;
        let mut state = self.state();
        let saved = state.replace(delivery);
        if saved == Saved::Done {
            state.attempts.insert((attempt.delivery_id, attempt.number), attempt.clone());
        }
        done.answer(saved)
    }

    async fn complete(&self, attempt: &Attempt) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("complete", &attempt.delivery_id)?;
        self.state().attempts.insert((attempt.delivery_id, attempt.number), attempt.clone());
        done.answer(())
    }

    async fn save(&self, delivery: &Delivery) -> Result<Saved<Delivery>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("save", &delivery.id)?;
        let saved = self.state().replace(delivery);
        done.answer(saved)
    }

    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        tokio::task::yield_now().await;
        self.faults.check("endpoint")?.answer(self.endpoint_state(id))
    }

    async fn reserve(&self, id: &EndpointId, old: RateWindow, new: RateWindow) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("reserve")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        let same = endpoint.window == old;
        if same {
            endpoint.window = new;
        }
        done.answer(same)
    }

    async fn learn(&self, id: &EndpointId, learned: Learned) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("learn")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        endpoint.failures = if learned.took { 0 } else { endpoint.failures + learned.failed };
        endpoint.paused_until = endpoint.paused_until.max(learned.pause_until);
        done.answer(())
    }

    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("disable")?;
        let mut state = self.state();
        state.endpoints.entry(id.clone()).or_default().disabled_at.get_or_insert(now);
        state.reasons.insert(id.clone(), reason.to_owned());
        done.answer(())
    }
}
