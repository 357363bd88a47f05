//! The ports of render callbacks and checks.

use async_trait::async_trait;
use reelhook_domain::{JobId, Policy, RenderId, Service, Timestamp};

use crate::clock::ClockAndRandom;
use crate::jobs::renders::callback::Callback;
use crate::jobs::renders::service::Creatomate;
use crate::jobs::store::JobStore;
use crate::outbound::HttpSender;
use crate::outbox::messages::{Hints, WorkMessage};
use crate::store::StoreError;

/// The jobs of renders, parked callbacks, and the rate of hints.
#[async_trait]
pub trait RenderStore: Send + Sync {
    /// The jobs that recorded this render id; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn jobs_of(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError>;

    /// Parks the callback of a service's task for an hour, until a job has recorded the task. A final callback is not
    /// replaced by one that is not final.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn park(
        &self,
        service: Service,
        task: &RenderId,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The parked callback of a service's task.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn parked(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<Option<Callback>, StoreError>;

    /// Whether a hint may check a service's task outside of its schedule; true at most once in 10 s.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn may_hint(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<bool, StoreError>;
}

/// The ports of render callbacks and checks.
pub struct RenderPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Jobs of renders, and parked callbacks.
    pub renders: &'a dyn RenderStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// Whether an API key is configured, so that Creatomate can confirm a state.
    pub confirmable: bool,
}

/// The ports of callbacks as they arrive.
pub struct CallbackPorts<'a> {
    /// Jobs and renders.
    pub renders: RenderPorts<'a>,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// The access to Creatomate.
    pub creatomate: &'a Creatomate,
    /// The Work queue.
    pub work: &'a dyn Hints<WorkMessage>,
}
