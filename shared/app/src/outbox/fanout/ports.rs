//! The ports that fanout writes to.

use async_trait::async_trait;
use reelhook_domain::{Subject, Timestamp};

use super::steps::CountStep;
use crate::clips::store::ClipLookups;
use crate::clock::ClockAndRandom;
use crate::credits::ledger::Ledger;
use crate::errors::steps::ErrorSteps;
use crate::jobs::admission::AdmissionStore;
use crate::outbox::messages::{DeliveryMessage, Hints, LiveMessage, PieceMessage, WorkMessage};
use crate::outbox::rows::LogRow;
use crate::projects::store::Lookups;
use crate::store::StoreError;
use crate::webhooks::events::EventStore;

/// Stores the rows that effects become.
#[async_trait]
pub trait FanoutStore: EventStore + AdmissionStore {
    /// Writes rows of logs, in as few calls as fit; one result for each row, in order. Writing a row again writes the same.
    async fn put_logs(&self, rows: &[LogRow]) -> Vec<Result<(), StoreError>>;

    /// Removes the log of a deleted aggregate; removing it again does nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove_logs(&self, subject: &Subject) -> Result<(), StoreError>;

    /// Counts steps, in as few calls as fit, each unless it was counted before; one result for each step, in order.
    async fn count(&self, steps: &[CountStep]) -> Vec<Result<(), StoreError>>;
}

/// Stores the files of aggregates.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Removes everything below these prefixes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove(&self, prefixes: &[String]) -> Result<(), StoreError>;
}

/// Knows whether there are viewers with WebSocket connections. Without any, live events cost nothing.
#[async_trait]
pub trait Viewers: Send + Sync {
    /// Notes that a connection is open.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Whether a connection was open some minutes ago or less, as it was known at most a second ago.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn any(&self, now: Timestamp) -> Result<bool, StoreError>;
}

/// The ports that applying a plan needs.
pub struct FanoutPorts<'a> {
    /// Files of aggregates.
    pub files: &'a dyn FileStore,
    /// Rows and counters.
    pub store: &'a dyn FanoutStore,
    /// The admission item of scenes.
    pub scene_slots: &'a dyn AdmissionStore,
    /// What finds projects by the ids of scenes and tasks.
    pub lookups: &'a dyn Lookups,
    /// What finds clip jobs by the ids of their worker.
    pub submissions: &'a dyn ClipLookups,
    /// The ledger of credits.
    pub ledger: &'a dyn Ledger,
    /// Errors that people see.
    pub errors: &'a dyn ErrorSteps,
    /// The Work queue.
    pub work: &'a dyn Hints<WorkMessage>,
    /// The Render queue.
    pub pieces: &'a dyn Hints<PieceMessage>,
    /// The Deliveries queue.
    pub deliveries: &'a dyn Hints<DeliveryMessage>,
    /// Whether there are viewers.
    pub viewers: &'a dyn Viewers,
    /// The Live queue.
    pub live: &'a dyn Hints<LiveMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
}
