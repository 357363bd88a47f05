//! Webhook events, deliveries and endpoints as values, and the delivery policy.

pub(crate) mod admit;
pub(crate) mod delivery;
pub(crate) mod endpoint;
pub(crate) mod outbound_event;
pub(crate) mod rate;
pub(crate) mod receiver;
pub(crate) mod schedule;
