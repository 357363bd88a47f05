//! Webhooks: endpoints, events and their deliveries, from subscription to attempt.

pub mod deliver;
pub mod deliveries;
pub mod endpoints;
mod event_data;
pub mod events;
pub mod notification;
pub mod notify;
pub mod operational;
pub mod previews;
pub mod recover;
pub mod recovery;
pub mod settings;
pub mod subscriptions;
pub mod transport;
pub mod triggers;
pub mod validate;
pub mod wire;
