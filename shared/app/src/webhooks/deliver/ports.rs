//! The ports of a delivery, each named after what a stage uses it for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{
    Attempt, Delivery, DeliveryId, EndpointId, EndpointReport, EndpointState, EventId, Slot, Timestamp, WarningLevel,
};

use crate::clock::{ClockAndRandom, Timer};
use crate::errors::steps::ErrorSteps;
use crate::outbox::messages::{DeliveryMessage, Hints};
use crate::store::{Saved, StoreError};
use crate::webhooks::endpoints::EndpointStateStore;
use crate::webhooks::endpoints::cache::{EndpointCache, EndpointCachePorts, ResolvedEndpoint};
use crate::webhooks::endpoints::registrations::{RegistrationStore, Vault};
use crate::webhooks::events::{DueTogether, EventRow, EventStore};
use crate::webhooks::notify::NotifyPorts;
use crate::webhooks::operational::OperationalPorts;
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::transport::WebhookTransport;

/// A delivery with its event, whose row may expire earlier; deliveries of one event share it. None if the delivery does
/// not exist, an error if a row cannot be read.
pub type LoadedDelivery = Result<Option<(Delivery, Option<Arc<EventRow>>)>, StoreError>;

/// What was loaded for a batch.
#[derive(Debug, Default)]
pub struct LoadedBatch {
    /// The deliveries, in order.
    pub deliveries: Vec<LoadedDelivery>,
    /// The states of the endpoints.
    pub states: HashMap<EndpointId, EndpointState>,
    /// The deliveries of an event that may be due together.
    pub due_together: Vec<DueTogether>,
}

/// Where deliveries change.
#[async_trait]
pub trait SaveDeliveries: Send + Sync {
    /// Those of these deliveries that exist, in order; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load_all(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError>;

    /// Replaces each delivery on condition that its stored version is one lower, in as few calls as possible; one answer
    /// for each, in order.
    async fn save_all(&self, deliveries: &[&Delivery]) -> Vec<Result<Saved<Delivery>, StoreError>>;
}

/// Where deliveries are loaded and saved.
#[async_trait]
pub trait DeliveryRows: SaveDeliveries {
    /// Reads deliveries with their events, and the states of endpoints, strongly consistent, in as few calls as possible.
    ///
    /// # Errors
    /// [`StoreError`] when none could be read.
    async fn load(&self, ids: &[(DeliveryId, EventId)], endpoints: &[EndpointId]) -> Result<LoadedBatch, StoreError>;

    /// Removes the rows by which deliveries are due together, each of which was saved.
    ///
    /// # Errors
    /// [`StoreError`]; the due sweep removes what is left.
    async fn remove_due(&self, together: &[DueTogether]) -> Result<(), StoreError>;
}

/// Where attempts get rows of their own.
#[async_trait]
pub trait AttemptRecorder: Send + Sync {
    /// Writes rows of attempts that are no longer the newest of their deliveries, in as few calls as possible.
    ///
    /// # Errors
    /// [`StoreError`]; a repeat writes the same rows.
    async fn keep(&self, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError>;
}

/// Where deliveries are admitted to their endpoints, and their attempts claimed.
#[async_trait]
pub trait EndpointAdmission: Send + Sync {
    /// Saves the state after an admission if the stored state still is `was`; otherwise the answer is the stored state.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn admit(
        &self,
        id: &EndpointId,
        was: &EndpointState,
        next: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError>;

    /// Saves that a slot is held until its lease ends.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn extend(&self, id: &EndpointId, slot: &Slot) -> Result<(), StoreError>;
}

/// Where the health of endpoints is kept, and what subscribers were notified about it.
#[async_trait]
pub trait EndpointHealthStore: Send + Sync {
    /// Adds the results of a batch to an endpoint's state; the answer is the new state.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn report(&self, id: &EndpointId, report: &EndpointReport) -> Result<EndpointState, StoreError>;

    /// Records that an endpoint's operator is warned at this level; true if this call was the first to do so.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn warn(&self, id: &EndpointId, level: WarningLevel) -> Result<bool, StoreError>;

    /// Disables an endpoint that still has at least this number of failures; true if this call disabled it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn auto_disable(
        &self,
        id: &EndpointId,
        failures: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Records that subscribers were notified about the outage that began at `since`; false if the endpoint no longer
    /// fails. With none, records that they were notified of its end.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn mark_failing_notified(&self, id: &EndpointId, since: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Records that subscribers were notified that an endpoint is disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn mark_disabled_notified(&self, id: &EndpointId) -> Result<(), StoreError>;
}

/// What a delivery needs.
pub struct DeliverPorts<'a> {
    /// Deliveries with their events.
    pub deliveries: &'a dyn DeliveryRows,
    /// Rows of earlier attempts.
    pub attempts: &'a dyn AttemptRecorder,
    /// Operational events and their deliveries.
    pub events: &'a dyn EventStore,
    /// Raises and resolves errors.
    pub errors: &'a dyn ErrorSteps,
    /// States of endpoints.
    pub endpoints: &'a dyn EndpointStateStore,
    /// Admission to endpoints.
    pub admission: &'a dyn EndpointAdmission,
    /// Health of endpoints.
    pub health: &'a dyn EndpointHealthStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// Registered endpoints.
    pub registrations: &'a dyn RegistrationStore,
    /// What this instance remembers of endpoints.
    pub endpoint_cache: &'a EndpointCache,
    /// The vault of ENDPOINT_SECRETS_KEY; without it, deliveries to registered endpoints wait.
    pub vault: Option<&'a Vault>,
    /// Sends webhooks.
    pub transport: &'a dyn WebhookTransport,
    /// Clock and random source.
    pub clock: &'a dyn ClockAndRandom,
    /// Elapses when a slot must be extended, and when results have waited for others long enough.
    pub timer: &'a dyn Timer,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
    /// How long after its hint a delivery is due for the sweep.
    pub grace: Duration,
}

impl DeliverPorts<'_> {
    /// The ports of operational events.
    pub(super) fn operational(&self) -> OperationalPorts<'_> {
        OperationalPorts {
            notify: NotifyPorts { store: self.events, hints: self.hints, grace: self.grace },
            subscribers: self.registrations,
            settings: self.settings,
        }
    }

    /// The endpoint with this id and state.
    pub(super) async fn resolve(&self, id: &EndpointId, state: &EndpointState) -> Result<ResolvedEndpoint, StoreError> {
        let ports = EndpointCachePorts { store: self.registrations, vault: self.vault, settings: self.settings };
        self.endpoint_cache.find(&ports, id, state, self.clock.now()).await
    }
}
