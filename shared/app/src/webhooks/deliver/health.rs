//! Stage 6, health: adds the results of a batch to its endpoint's state: circuit breaker, limits and disable policy.

use reelhook_domain::{BatchOutcome, EndpointReport, HealthVerdict, Timestamp};

use super::notices::{notify_disabled, notify_outage};
use super::ports::DeliverPorts;
use super::types::EndpointSlot;
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;

/// Reports the results of a batch and releases its slot; `notifies` says whether subscribers are notified of an outage.
pub(super) async fn report(ports: &DeliverPorts<'_>, slot: &EndpointSlot, outcome: &BatchOutcome, notifies: bool) {
    let EndpointSlot { endpoint, state, holder, probe } = slot;
    let now = ports.clock.now();
    let report = state.report(&endpoint.policy, *holder, outcome, *probe, now);
    if let Err(error) = save(ports, endpoint, &report, notifies, now).await {
        // No delivery is lost by this, and a slot that is not released expires.
        tracing::warn!(endpoint_id = %endpoint.id, %error, "results of a batch not added to the endpoint's health");
    }
}

/// Saves a report, and warns about or disables an endpoint that has failed for too long.
async fn save(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    report: &EndpointReport,
    notifies: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let state = ports.health.report(&endpoint.id, report).await?;
    let (endpoint_id, name, failures) = (&endpoint.id, &endpoint.name, state.failures);
    let verdict = state.assess_health(&endpoint.policy, now);
    if notifies {
        notify_outage(ports, endpoint, &state, &verdict, now).await?;
    }
    match verdict {
        HealthVerdict::Healthy => {}
        HealthVerdict::Warn(level) => {
            if ports.health.warn(&endpoint.id, level).await? {
                tracing::warn!(%endpoint_id, endpoint = name, failures, percent = level.percent(),
                    "endpoint fails, will be disabled unless it accepts a webhook");
            }
        }
        HealthVerdict::Disable(reason) => {
            if ports.health.auto_disable(&endpoint.id, failures, &reason, now).await? {
                tracing::error!(%endpoint_id, endpoint = name, failures, reason, "endpoint disabled");
                notify_disabled(ports, endpoint).await;
            }
        }
    }
    Ok(())
}
