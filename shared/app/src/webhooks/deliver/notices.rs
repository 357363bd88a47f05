//! Operational events and errors about an endpoint and its deliveries. Each event is recorded after it was sent: after a crash in between it
//! is sent again under the same id, which does no harm.

use reelhook_domain::{Delivery, EndpointId, EndpointState, HealthVerdict, Timestamp};

use super::ports::DeliverPorts;
use crate::errors::lost_key;
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::notification;
use crate::webhooks::operational::{OperationalEvent, notify_subscribers};

/// Notifies that an endpoint is disabled, unless that was done. After a failure, the next batch for the endpoint retries.
pub(super) async fn notify_disabled(ports: &DeliverPorts<'_>, endpoint: &Endpoint) {
    let notified = async {
        let state = ports.endpoints.endpoint(&endpoint.id).await?;
        let Some(at) = state.disabled_at.filter(|_| !state.disable_notified) else { return Ok(()) };
        let reason = state.disabled_reason.unwrap_or_default();
        notify(ports, OperationalEvent::Disabled(endpoint, at, &reason), ports.clock.now()).await?;
        ports.health.mark_disabled_notified(&endpoint.id).await
    };
    let notified: Result<(), StoreError> = notified.await;
    if let Err(error) = notified {
        tracing::warn!(endpoint_id = %endpoint.id, %error,
            "subscribers not notified of a disabled endpoint, the next batch will retry");
    }
}

/// Notifies that every attempt of a delivery failed.
pub(super) async fn notify_exhausted(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<(), StoreError> {
    notify(ports, OperationalEvent::Exhausted(endpoint, delivery), now).await
}

/// Notifies of an endpoint's outage and of its end, unless that was done.
pub(super) async fn notify_outage(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    state: &EndpointState,
    verdict: &HealthVerdict,
    now: Timestamp,
) -> Result<(), StoreError> {
    if state.disabled_at.is_some() {
        // The event about the disabled endpoint replaces these.
        return Ok(());
    }
    let warning = match verdict {
        HealthVerdict::Warn(level) => Some(*level),
        // The warning was given for operational events, about which subscribers are not notified.
        HealthVerdict::Healthy => state.warned.filter(|_| state.outage_notified_since.is_none()),
        HealthVerdict::Disable(_) => None,
    };
    let mut recovered = state.outage_notified_since.filter(|_| state.failures == 0);
    if let Some(level) = warning {
        notify(ports, OperationalEvent::Failing(endpoint, state, level), now).await?;
        let since = state.failing_since.unwrap_or(now);
        // If it has accepted a webhook in the meantime, that batch did not know of an outage to end.
        let still_failing = ports.health.mark_failing_notified(&endpoint.id, Some(since)).await?;
        recovered = recovered.or((!still_failing).then_some(since));
    }
    if let Some(since) = recovered {
        notify(ports, OperationalEvent::Recovered(endpoint, since), now).await?;
        ports.health.mark_failing_notified(&endpoint.id, None).await?;
    }
    Ok(())
}

/// Raises an error about a notification to the notification service that was not delivered, and resolves that of one that
/// was.
pub(super) async fn note_notification(
    ports: &DeliverPorts<'_>,
    ended: &Delivery,
    now: Timestamp,
) -> Result<(), StoreError> {
    match notification::step(ended, now) {
        Some(step) => ports.errors.apply(&step).await,
        None => Ok(()),
    }
}

/// Raises an error about an endpoint whose secrets no key opens. If that fails, the next delivery that waits retries.
pub(super) async fn note_lost_key(ports: &DeliverPorts<'_>, endpoint: &EndpointId, now: Timestamp) {
    if let Err(error) = ports.errors.apply(&lost_key::lost(endpoint, now)).await {
        tracing::warn!(endpoint_id = %endpoint, %error, "error about a lost key not raised, the next wait will retry");
    }
}

/// Resolves the error about an endpoint whose secrets open again.
pub(super) async fn note_found_key(
    ports: &DeliverPorts<'_>,
    endpoint: &EndpointId,
    now: Timestamp,
) -> Result<(), StoreError> {
    ports.errors.apply(&lost_key::found(endpoint, now)).await
}

async fn notify(ports: &DeliverPorts<'_>, event: OperationalEvent<'_>, now: Timestamp) -> Result<(), StoreError> {
    notify_subscribers(&ports.operational(), event, now).await?;
    Ok(())
}
