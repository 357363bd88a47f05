//! Webhooks about webhooks: an endpoint fails, is disabled or recovers, a delivery is given up.
//!
//! They go the way of all others. None is about one of its own kind, and none goes to the endpoint that it is about: so
//! each is the end of what it tells of, and nothing circles.

use reelhook_domain::{Delivery, EndpointPolicy, EndpointState, EventId, JobId, OutageStage, OutboundEvent, Timestamp};
use serde_json::{Value, json};

use crate::outbox::fanout::EventRow;
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::notify::{Notified, NotifyPorts, notify};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::{Subscribers, Subscriptions};

/// What telling of webhooks needs.
pub struct OperationalPorts<'a> {
    /// Events, deliveries and hints.
    pub notify: NotifyPorts<'a>,
    /// Who was registered.
    pub subscribers: &'a dyn Subscribers,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
}

/// Something about webhooks that somebody may want to know.
#[derive(Debug, Clone, Copy)]
pub enum OperationalEvent<'a> {
    /// An endpoint fails; with the part of its patience of which its operator is warned.
    Failing(&'a Endpoint, &'a EndpointState, u8),
    /// An endpoint was disabled, when and why.
    Disabled(&'a Endpoint, Timestamp, &'a str),
    /// An endpoint that had been told of as failing since then takes webhooks again.
    Recovered(&'a Endpoint, Timestamp),
    /// Every try of a delivery failed.
    Exhausted(&'a Endpoint, &'a Delivery),
}

/// Tells whoever wants to know; telling the same again does no harm.
///
/// # Errors
/// [`StoreError`]: nobody was told.
pub async fn notify_subscribers(
    ports: &OperationalPorts<'_>,
    cause: OperationalEvent<'_>,
    now: Timestamp,
) -> Result<Notified, StoreError> {
    let Some(event) = event(cause, now) else { return Ok(Notified::default()) };
    let subscriptions = Subscriptions::new(ports.settings, ports.subscribers.subscribers().await?);
    let about = cause.endpoint();
    let others = subscriptions.of(event.event, now).filter(|one| one.id != about.id);
    let told = notify(&ports.notify, &event, others, None).await?;
    if told.accepted < told.total {
        return Err(StoreError::Busy {
            operation: "tell of webhooks",
            source: "not every delivery was written".into(),
        });
    }
    Ok(told)
}

impl<'a> OperationalEvent<'a> {
    fn endpoint(self) -> &'a Endpoint {
        match self {
            Self::Failing(endpoint, ..)
            | Self::Disabled(endpoint, ..)
            | Self::Recovered(endpoint, ..)
            | Self::Exhausted(endpoint, ..) => endpoint,
        }
    }
}

/// The event, whose id follows from what happened; none for what must not cause another one.
pub(crate) fn event(cause: OperationalEvent<'_>, now: Timestamp) -> Option<EventRow> {
    let (event, id, at, data) = match cause {
        OperationalEvent::Failing(endpoint, state, percent) => {
            let since = state.failing_since.unwrap_or(now);
            let id = OutageStage::Warned(percent).event_id(&endpoint.id, since);
            (OutboundEvent::EndpointFailing, id, now, failing(endpoint, &endpoint.policy, state, now))
        }
        OperationalEvent::Disabled(endpoint, at, reason) => {
            let mut data = about(endpoint);
            data["disabled_at"] = json!(at.to_string());
            data["reason"] = json!(reason);
            data["message"] = json!(format!("Webhook endpoint {} was disabled: {reason}", endpoint.name));
            (OutboundEvent::EndpointDisabled, OutageStage::Disabled.event_id(&endpoint.id, at), at, data)
        }
        OperationalEvent::Recovered(endpoint, since) => {
            let mut data = about(endpoint);
            data["failing_since"] = json!(since.to_string());
            data["recovered_at"] = json!(now.to_string());
            data["message"] = json!(format!("Webhook endpoint {} takes webhooks again", endpoint.name));
            (OutboundEvent::EndpointRecovered, OutageStage::Recovered.event_id(&endpoint.id, since), now, data)
        }
        OperationalEvent::Exhausted(_, delivery) if delivery.event.is_operational() => return None,
        OperationalEvent::Exhausted(endpoint, delivery) => {
            // The same at each telling, and another one where it is given up once more after it was sent again.
            let id = EventId::parse(&format!("{}.{}.0", delivery.id, delivery.requested_at().millis()));
            (OutboundEvent::DeliveryExhausted, id, now, exhausted(endpoint, delivery))
        }
    };
    let job_id = match cause {
        OperationalEvent::Exhausted(_, delivery) => delivery.job_id.clone(),
        OperationalEvent::Failing(..) | OperationalEvent::Disabled(..) | OperationalEvent::Recovered(..) => {
            JobId::parse(cause.endpoint().id.as_str()).ok()?
        }
    };
    Some(EventRow { id: id.ok()?, event, job_id, at, data, callback: None })
}

fn about(endpoint: &Endpoint) -> Value {
    // A receiver's URL may be its secret, and this goes to others.
    json!({ "endpoint_id": endpoint.id.as_str(), "endpoint": endpoint.name, "url": endpoint.destination.server() })
}

fn failing(endpoint: &Endpoint, policy: &EndpointPolicy, state: &EndpointState, now: Timestamp) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mut data = about(endpoint);
    let disable_policy = policy.disable_policy.time;
    let ends = state.failing_since.filter(|_| !disable_policy.is_zero()).map(|since| since.after(disable_policy));
    data["failures"] = json!(state.failures);
    data["failing_since"] = json!(time(state.failing_since));
    data["patience_used_percent"] = json!(state.disable_progress(policy, now));
    data["disables_at"] = json!(time(ends));
    let failures = state.failures;
    data["message"] = json!(format!("Webhook endpoint {} fails: the last {failures} tries in a row", endpoint.name));
    data
}

fn exhausted(endpoint: &Endpoint, delivery: &Delivery) -> Value {
    let mut data = about(endpoint);
    data["delivery_id"] = json!(delivery.id.to_string());
    data["webhook_id"] = json!(delivery.id.webhook_id());
    data["event"] = json!(delivery.event.name());
    data["job_id"] = json!(delivery.job_id.as_str());
    data["attempts"] = json!(delivery.attempts);
    data["reason"] = json!(delivery.last_result);
    let (event, attempts) = (delivery.event.name(), delivery.attempts);
    let name = &endpoint.name;
    data["message"] = json!(format!("Webhook {event} to {name} was given up after {attempts} attempts"));
    data
}
