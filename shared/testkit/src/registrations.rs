//! Registered endpoints in memory. A change of a registration also changes the state of its endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::endpoints::registrations::{EndpointReader, Registration, RegistrationStore, StateChange};
use reelhook_app::webhooks::subscriptions::{Subscriber, Subscribers};
use reelhook_domain::{Concurrency, EndpointId, EndpointState, Timestamp};

use crate::deliveries::MemoryDeliveries;

#[async_trait]
impl Subscribers for MemoryDeliveries {
    async fn subscribers(&self) -> Result<Arc<Vec<Subscriber>>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("subscribers")?;
        let all = self.state().registrations.values().map(Registration::subscriber).collect();
        done.answer(Arc::new(all))
    }
}

#[async_trait]
impl EndpointReader for MemoryDeliveries {
    async fn states(&self, ids: &[EndpointId]) -> Result<Vec<EndpointState>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("states")?;
        done.answer(ids.iter().map(|id| self.endpoint_state(id)).collect())
    }

    async fn registrations(&self, ids: &[EndpointId]) -> Result<HashMap<EndpointId, Registration>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("registrations")?;
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.registrations.get_key_value(id));
        done.answer(found.map(|(id, registration)| (id.clone(), registration.clone())).collect())
    }
}

#[async_trait]
impl RegistrationStore for MemoryDeliveries {
    async fn registration(&self, id: &EndpointId) -> Result<Option<Registration>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("registration")?;
        let found = self.state().registrations.get(id).cloned();
        done.answer(found)
    }

    async fn save_registration(
        &self,
        registration: &Registration,
        start: StateChange<'_>,
    ) -> Result<Saved<Registration>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("save_registration")?;
        let mut state = self.state();
        let known = state.registrations.get(&registration.id);
        let saved = match known {
            Some(known) if known.version + 1 != registration.version => Saved::Conflict(Some(Box::new(known.clone()))),
            None if registration.version != 1 => Saved::Conflict(None),
            None if state.endpoints.get(&registration.id).is_some_and(|known| known.registration.is_some()) => {
                Saved::Conflict(None)
            }
            _ => {
                state.registrations.insert(registration.id.clone(), registration.clone());
                let endpoint = state.endpoints.entry(registration.id.clone()).or_default();
                endpoint.revision += 1;
                endpoint.registration = Some(registration.version);
                match start {
                    StateChange::Keep => {}
                    StateChange::Disable(reason) => {
                        endpoint.disabled_at = Some(registration.created_at);
                        endpoint.disabled_reason = Some(reason.to_owned());
                        endpoint.disable_notified = true;
                    }
                    StateChange::Reset => forget_failures(endpoint),
                }
                Saved::Done
            }
        };
        done.answer(saved)
    }

    async fn remove_registration(&self, registration: &Registration, now: Timestamp) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("remove_registration")?;
        let mut state = self.state();
        let there =
            state.registrations.get(&registration.id).is_some_and(|known| known.version == registration.version);
        if there {
            state.registrations.remove(&registration.id);
            if let Some(endpoint) = state.endpoints.get_mut(&registration.id) {
                endpoint.revision += 1;
                endpoint.removed_at = Some(now);
            }
        }
        done.answer(there)
    }
}

/// Resets the failures of an endpoint whose destination changed.
fn forget_failures(of: &mut EndpointState) {
    let known = std::mem::take(of);
    *of = EndpointState {
        revision: known.revision,
        registration: known.registration,
        disabled_at: known.disabled_at,
        disabled_reason: known.disabled_reason,
        disable_notified: known.disable_notified,
        outage_notified_since: known.outage_notified_since,
        window: known.window,
        concurrency: Concurrency { slots: known.concurrency.slots, ..Concurrency::default() },
        ..EndpointState::default()
    };
}
