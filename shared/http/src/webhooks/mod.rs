//! Routes of webhooks: endpoints, deliveries, recoveries and triggers.

pub mod deliveries;
pub mod endpoint_fields;
pub mod endpoints;
pub mod hooks;
pub mod problem;
pub mod recover;
