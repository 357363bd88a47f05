//! The clipping worker: requests to it, and its answers (docs/contract/clipping.md, Worker).

mod answer;
mod client;
mod requests;
mod state;

pub use client::{Answer, Polled, WorkerClient};
pub use requests::ClippingWorker;

use reelhook_domain::ClipPolicy;

use crate::circuit::ServiceKey;
use crate::errors::service_down::WatchedService;

/// The worker's circuit.
pub const WORKER: ServiceKey = ServiceKey::new("clips");

/// The worker, for the check on services that are down.
pub fn watched(policy: &ClipPolicy) -> WatchedService {
    WatchedService {
        key: WORKER,
        is_used: policy.has_worker,
        subject: "The clipping worker",
        waiting: "jobs",
        member: "service",
    }
}
