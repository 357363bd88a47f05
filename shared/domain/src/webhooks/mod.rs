//! Webhook events, deliveries and endpoints as values, and the delivery policy.

pub(crate) mod admit;
pub(crate) mod attempt;
mod claims;
pub(crate) mod delivery;
pub(crate) mod endpoint;
pub(crate) mod outage;
pub(crate) mod outbound_event;
pub(crate) mod outcome;
pub(crate) mod rate;
pub(crate) mod schedule;
pub(crate) mod slot;
