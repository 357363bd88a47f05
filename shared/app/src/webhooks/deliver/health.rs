//! Stage 6, health: adds the results of a batch to its endpoint's state: circuit breaker, limits and disable policy.

use reelhook_domain::{AttemptClaim, BatchOutcome, EndpointReport, EndpointState, HealthVerdict, Timestamp};

use super::notices::{notify_disabled, notify_outage};
use super::ports::DeliverPorts;
use super::types::EndpointSlot;
use crate::metrics::{MetricName, count};
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;

/// What is known after the attempts of a batch.
pub(super) struct Report {
    /// Their results.
    pub outcome: BatchOutcome,
    /// Whether subscribers are notified of an outage.
    pub notifies: bool,
    /// The claims whose attempts could not be recorded.
    pub unrecorded: Vec<AttemptClaim>,
    /// Whether the slot was extended.
    pub extended: bool,
}

/// Reports the results of a batch and releases its slot, if they are news or others may wait for the slot; the revision of
/// the endpoint's state as far as it is known. Otherwise the slot stops counting by itself.
pub(super) async fn report(ports: &DeliverPorts<'_>, slot: &EndpointSlot, report: Report) -> u64 {
    let Report { outcome, notifies, unrecorded, extended } = report;
    let EndpointSlot { endpoint, state, slot, revision, probe, must_report, .. } = slot;
    let now = ports.clock.now();
    let report = state.report(&endpoint.policy, slot.holder, &outcome, *probe, now);
    if !(*must_report || extended || report.is_news(state)) {
        return *revision;
    }
    let report = EndpointReport { kept: slot.released(&unrecorded, now), ..report };
    match save(ports, endpoint, &report, notifies, now).await {
        Ok(after) => {
            if after.is_open(&endpoint.policy) && !state.is_open(&endpoint.policy) {
                count(MetricName::CircuitOpenings, []);
            }
            after.revision
        }
        Err(error) => {
            // No delivery is lost by this, and a slot that is not released expires.
            tracing::warn!(endpoint_id = %endpoint.id, %error, "results of a batch not added to the endpoint's health");
            *revision
        }
    }
}

/// Saves a report, and warns about or disables an endpoint that has failed for too long; the state after the report.
async fn save(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    report: &EndpointReport,
    notifies: bool,
    now: Timestamp,
) -> Result<EndpointState, StoreError> {
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
                count(MetricName::EndpointsDisabled, []);
                notify_disabled(ports, endpoint).await;
            }
        }
    }
    Ok(state)
}
