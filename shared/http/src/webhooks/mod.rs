//! Routes of webhooks: endpoints, deliveries, recoveries and triggers.

pub mod deliveries;
pub mod endpoint_fields;
pub mod endpoints;
pub mod fields;
pub mod hooks;
pub mod problem;
pub mod recover;

use std::time::Duration;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/.well-known/webhook-keys.json", &["GET"]),
    ("/api/job/{id}/deliveries", &["GET"]),
    ("/api/validate-url", &["POST"]),
    ("/api/webhooks/deliveries", &["GET"]),
    ("/api/webhooks/deliveries/{id}", &["GET"]),
    ("/api/webhooks/deliveries/{id}/retry", &["POST"]),
    ("/api/webhooks/endpoints", &["GET", "POST"]),
    ("/api/webhooks/endpoints/{id}", &["GET", "PATCH", "DELETE"]),
    ("/api/webhooks/endpoints/{id}/enable", &["POST"]),
    ("/api/webhooks/endpoints/{id}/preview", &["GET"]),
    ("/api/webhooks/endpoints/{id}/secret", &["GET"]),
    ("/api/webhooks/endpoints/{id}/secret/rotate", &["POST"]),
    ("/api/webhooks/endpoints/{id}/test", &["POST"]),
    ("/api/webhooks/event-types", &["GET"]),
    ("/api/webhooks/recover", &["GET", "POST"]),
    ("/api/webhooks/recover/{id}", &["GET"]),
    ("/api/webhooks/recover/{id}/cancel", &["POST"]),
    ("/api/webhooks/status", &["GET"]),
    ("/api/webhooks/test", &["POST"]),
    ("/api/webhooks/trigger", &["POST"]),
];

/// A duration in milliseconds.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
