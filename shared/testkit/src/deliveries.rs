//! The Deliveries and Endpoints tables in memory: events once, deliveries by version, a row for each attempt.

mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::deliver::{
    AttemptRecorder, DeliveryRows, EndpointAdmission, EndpointHealthStore, LoadedBatch, SaveDeliveries,
};
use reelhook_app::webhooks::deliveries::{
    DELIVERY_SHARDS, DeliveryDetails, DeliveryQueries, ListedDelivery, delivery_cursor, delivery_shard,
};
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_app::webhooks::endpoints::registrations::Registration;
use reelhook_app::webhooks::events::{DueTogether, EventRow};
use reelhook_domain::{
    Attempt, Concurrency, Delivery, DeliveryId, DeliveryStatus, EndpointId, EndpointReport, EndpointState, EventId,
    JobId, Slot, Subject, Timestamp, WarningLevel,
};

use crate::faults::Faults;

/// Deliveries and endpoints. Faults have the names of the ports' methods, except that a save is `save`.
#[derive(Debug, Default)]
pub struct MemoryDeliveries {
    state: Mutex<State>,
    /// Failures to come.
    pub faults: Faults,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    events: BTreeMap<EventId, EventRow>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    places: BTreeMap<String, DeliveryId>,
    named: BTreeSet<DeliveryId>,
    due_together: BTreeMap<EventId, DueTogether>,
    attempts: BTreeMap<(DeliveryId, u32), Attempt>,
    pub(crate) endpoints: BTreeMap<EndpointId, EndpointState>,
    pub(crate) registrations: BTreeMap<EndpointId, Registration>,
}

impl MemoryDeliveries {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes an event unless it exists.
    pub fn put_event(&self, event: &EventRow) {
        self.state().events.entry(event.id.clone()).or_insert_with(|| event.clone());
    }

    /// Writes a delivery unless it exists.
    pub fn put_delivery(&self, delivery: &Delivery) {
        let mut state = self.state();
        state.places.insert(delivery_cursor(delivery), delivery.id);
        state.deliveries.entry(delivery.id).or_insert_with(|| delivery.clone());
    }

    /// Writes a delivery over the stored one.
    pub fn overwrite(&self, delivery: &Delivery) {
        let mut state = self.state();
        state.places.insert(delivery_cursor(delivery), delivery.id);
        state.deliveries.insert(delivery.id, delivery.clone());
    }

    /// Removes every row.
    pub fn forget(&self) {
        let mut state = self.state();
        state.events.clear();
        state.deliveries.clear();
        state.places.clear();
        state.named.clear();
        state.due_together.clear();
        state.attempts.clear();
    }

    /// Removes all events, as if they had expired.
    pub fn forget_events(&self) {
        self.state().events.clear();
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
    /// If there is none, or more than one.
    pub fn only(&self) -> Delivery {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The deliveries about a job.
    pub fn of_job(&self, job: &JobId) -> Vec<Delivery> {
        self.all().into_iter().filter(|delivery| delivery.subject.job() == Some(job)).collect()
    }

    /// All events, by id.
    pub fn events(&self) -> Vec<EventRow> {
        self.state().events.values().cloned().collect()
    }

    /// A delivery's attempts, in order; those that are claimed and not recorded are among them.
    pub fn attempts(&self, id: DeliveryId) -> Vec<Attempt> {
        let state = self.state();
        let Some(mut details) = state.details(id) else { return Vec::new() };
        if let Some(endpoint) = state.endpoints.get(&details.delivery.endpoint_id) {
            details.add_claimed(endpoint);
        }
        details.attempts
    }

    /// The state of an endpoint.
    pub fn endpoint_state(&self, id: &EndpointId) -> EndpointState {
        self.state().endpoints.get(id).cloned().unwrap_or_default()
    }

    /// Changes the state of an endpoint.
    pub fn change_endpoint(&self, id: &EndpointId, change: impl FnOnce(&mut EndpointState)) {
        change(self.state().endpoints.entry(id.clone()).or_default());
    }

    /// Why an endpoint is disabled.
    pub fn disabled_reason(&self, id: &EndpointId) -> Option<String> {
        self.endpoint_state(id).disabled_reason
    }

    /// Deliveries that have not ended.
    pub fn unfinished(&self) -> usize {
        self.all().iter().filter(|delivery| delivery.status == DeliveryStatus::Pending).count()
    }
}

impl State {
    /// The cursors of matching deliveries, in order.
    fn placed<'a>(
        &self,
        among: impl Iterator<Item = (&'a String, &'a DeliveryId)>,
        of: impl Fn(&Delivery) -> bool,
        limit: usize,
    ) -> Vec<ListedDelivery> {
        let found = among.filter(|(_, id)| self.deliveries.get(id).is_some_and(&of));
        found.take(limit).map(|(place, id)| (place.clone(), *id)).collect()
    }

    fn details(&self, id: DeliveryId) -> Option<DeliveryDetails> {
        let rows = self.attempts.range((id, 0)..=(id, u32::MAX)).map(|(_, attempt)| attempt.clone()).collect();
        self.deliveries.get(&id).map(|delivery| DeliveryDetails {
            delivery: delivery.clone(),
            event: self.events.get(&delivery.event_id).cloned(),
            attempts: delivery.all_attempts(rows),
        })
    }

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
impl SaveDeliveries for MemoryDeliveries {
    async fn load_all(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        let done = self.faults.check("load_all")?;
        let state = self.state();
        done.answer(ids.iter().filter_map(|id| state.deliveries.get(id).cloned()).collect())
    }

    async fn save_all(&self, deliveries: &[&Delivery]) -> Vec<Result<Saved<Delivery>, StoreError>> {
        tokio::task::yield_now().await;
        let one = |delivery: &&Delivery| {
            let done = self.faults.check_about("save", &delivery.id)?;
            let saved = self.state().replace(delivery);
            done.answer(saved)
        };
        deliveries.iter().map(one).collect()
    }
}

#[async_trait]
impl EndpointStateStore for MemoryDeliveries {
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        tokio::task::yield_now().await;
        self.faults.check("endpoint")?.answer(self.endpoint_state(id))
    }

    async fn request_probe(&self, id: &EndpointId) -> Result<(), StoreError> {
        let done = self.faults.check("request_probe")?;
        if let Some(endpoint) = self.state().endpoints.get_mut(id) {
            endpoint.revision += 1;
            endpoint.circuit.until = endpoint.circuit.until.map(|_| Timestamp::EPOCH);
            endpoint.circuit.candidate = None;
        }
        done.answer(())
    }

    async fn enable(&self, id: &EndpointId) -> Result<(), StoreError> {
        let done = self.faults.check("enable")?;
        if let Some(endpoint) = self.state().endpoints.get_mut(id) {
            let EndpointState { revision, registration, removed_at, window, .. } = *endpoint;
            let slots = std::mem::take(&mut endpoint.concurrency.slots);
            *endpoint = EndpointState {
                revision: revision + 1,
                registration,
                removed_at,
                window,
                concurrency: Concurrency { slots, ..Concurrency::default() },
                ..EndpointState::default()
            };
        }
        done.answer(())
    }

    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp, notified: bool) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("disable")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        endpoint.revision += 1;
        if endpoint.disabled_at.is_none() {
            endpoint.disabled_at = Some(now);
            endpoint.disabled_reason = Some(reason.to_owned());
            endpoint.disable_notified = notified;
        }
        done.answer(())
    }
}

#[async_trait]
impl DeliveryQueries for MemoryDeliveries {
    async fn of_subject(
        &self,
        subject: &Subject,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let done = self.faults.check("of_subject")?;
        let state = self.state();
        let earlier = state.places.range::<str, _>((Bound::Unbounded, Bound::Excluded(before))).rev();
        done.answer(state.placed(earlier, |one| one.subject == *subject, limit))
    }

    async fn of_day(
        &self,
        day: &str,
        shard: u32,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let done = self.faults.check("of_day")?;
        let state = self.state();
        let earlier = state.places.range::<str, _>((Bound::Unbounded, Bound::Excluded(before))).rev();
        done.answer(state.placed(earlier, |one| in_shard(one, day, shard), limit))
    }

    async fn of_day_after(
        &self,
        day: &str,
        shard: u32,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let done = self.faults.check("of_day_after")?;
        let state = self.state();
        let later = state.places.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        let of_day = later.take_while(|(place, _)| time_of(place).day() == day);
        done.answer(state.placed(of_day, |one| in_shard(one, day, shard), limit))
    }

    async fn details(&self, id: DeliveryId) -> Result<Option<DeliveryDetails>, StoreError> {
        let done = self.faults.check("details")?;
        let details = self.state().details(id);
        done.answer(details)
    }
}

fn time_of(place: &str) -> Timestamp {
    Timestamp(place[..13].parse().expect("places begin with a time"))
}

fn in_shard(delivery: &Delivery, day: &str, shard: u32) -> bool {
    delivery.created_at.day() == day && delivery_shard(delivery.id, DELIVERY_SHARDS) == shard
}

#[async_trait]
impl DeliveryRows for MemoryDeliveries {
    async fn load(&self, ids: &[(DeliveryId, EventId)], endpoints: &[EndpointId]) -> Result<LoadedBatch, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("load")?;
        let state = self.state();
        let read = |(id, event): &(DeliveryId, EventId)| {
            let event = || state.events.get(event).cloned().map(Arc::new);
            Ok(state.deliveries.get(id).cloned().map(|delivery| (delivery, event())))
        };
        let standing = |id: &EndpointId| (id.clone(), state.endpoints.get(id).cloned().unwrap_or_default());
        let is_loaded = |due: &&DueTogether| ids.iter().any(|(_, event)| *event == due.event_id);
        let loaded = LoadedBatch {
            deliveries: ids.iter().map(read).collect(),
            states: endpoints.iter().map(standing).collect(),
            due_together: state.due_together.values().filter(is_loaded).cloned().collect(),
        };
        done.answer(loaded)
    }

    async fn remove_due(&self, together: &[DueTogether]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("remove_due")?;
        let mut state = self.state();
        for due in together {
            let unsaved = due.deliveries.iter().find(|id| state.deliveries.get(id).is_none_or(|one| one.version < 2));
            assert_eq!(unsaved, None, "the due sweep would not find this delivery of `{}`", due.event_id);
            state.due_together.remove(&due.event_id);
        }
        drop(state);
        done.answer(())
    }
}

#[async_trait]
impl AttemptRecorder for MemoryDeliveries {
    async fn keep(&self, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("keep")?;
        let rows = attempts.iter().map(|(id, attempt)| ((*id, attempt.number), attempt.clone()));
        self.state().attempts.extend(rows);
        done.answer(())
    }
}

#[async_trait]
impl EndpointAdmission for MemoryDeliveries {
    async fn admit(
        &self,
        id: &EndpointId,
        was: &EndpointState,
        next: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("admit")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        let stored = (endpoint.revision != was.revision).then(|| endpoint.clone());
        if stored.is_none() {
            endpoint.clone_from(next);
        }
        done.answer(stored)
    }

    async fn extend(&self, id: &EndpointId, slot: &Slot) -> Result<(), StoreError> {
        let done = self.faults.check("extend")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        endpoint.revision += 1;
        endpoint.concurrency.slots.retain(|held| held.holder != slot.holder);
        endpoint.concurrency.slots.push(slot.clone());
        done.answer(())
    }
}

#[async_trait]
impl EndpointHealthStore for MemoryDeliveries {
    async fn auto_disable(
        &self,
        id: &EndpointId,
        failures: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = self.faults.check("auto_disable")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        let first = endpoint.failures >= failures && endpoint.disabled_at.is_none();
        if first {
            endpoint.revision += 1;
            endpoint.disabled_at = Some(now);
            endpoint.disabled_reason = Some(reason.to_owned());
            endpoint.disable_notified = false;
        }
        done.answer(first)
    }

    async fn report(&self, id: &EndpointId, report: &EndpointReport) -> Result<EndpointState, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("report")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        report.apply(endpoint);
        done.answer(endpoint.clone())
    }

    async fn warn(&self, id: &EndpointId, level: WarningLevel) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("warn")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        let first = endpoint.failures > 0 && endpoint.warned < Some(level);
        if first {
            endpoint.warned = Some(level);
        }
        done.answer(first)
    }

    async fn mark_failing_notified(&self, id: &EndpointId, since: Option<Timestamp>) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("mark_failing_notified")?;
        let mut state = self.state();
        let endpoint = state.endpoints.entry(id.clone()).or_default();
        let holds = since.is_none() || endpoint.failures > 0;
        if holds {
            endpoint.outage_notified_since = since;
        }
        done.answer(holds)
    }

    async fn mark_disabled_notified(&self, id: &EndpointId) -> Result<(), StoreError> {
        let done = self.faults.check("mark_disabled_notified")?;
        if let Some(endpoint) = self.state().endpoints.get_mut(id) {
            endpoint.disable_notified = true;
        }
        done.answer(())
    }
}
