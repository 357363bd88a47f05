//! Webhooks about webhooks: an endpoint fails, is disabled or recovers, or a delivery is exhausted.
//!
//! They are delivered like all others. None is about another webhook about webhooks, and none goes to the endpoint that
//! it is about: so no such webhook causes another one.

use reelhook_domain::{
    Delivery, EndpointPolicy, EndpointState, EventId, OutageStage, OutboundEvent, Subject, Timestamp, WarningLevel,
};
use serde_json::{Value, json};

use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::events::EventRow;
use crate::webhooks::notify::{Notified, NotifyPorts, notify};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::{Subscribers, Subscriptions};

/// What [`notify_subscribers`] needs.
pub struct OperationalPorts<'a> {
    /// Events, deliveries and hints.
    pub notify: NotifyPorts<'a>,
    /// Registered endpoints.
    pub subscribers: &'a dyn Subscribers,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
}

/// Something that happened to an endpoint or a delivery.
#[derive(Debug, Clone, Copy)]
pub enum OperationalEvent<'a> {
    /// An endpoint fails; with the level of the warning.
    Failing(&'a Endpoint, &'a EndpointState, WarningLevel),
    /// An endpoint was disabled, when and why.
    Disabled(&'a Endpoint, Timestamp, &'a str),
    /// An endpoint accepts webhooks again; with the start of the outage that subscribers were notified about.
    Recovered(&'a Endpoint, Timestamp),
    /// Every attempt of a delivery failed.
    Exhausted(&'a Endpoint, &'a Delivery),
}

/// Notifies the subscribers of the event; it is idempotent.
///
/// # Errors
/// [`StoreError`]: not every delivery was written.
pub async fn notify_subscribers(
    ports: &OperationalPorts<'_>,
    cause: OperationalEvent<'_>,
    now: Timestamp,
) -> Result<Notified, StoreError> {
    let Some(event) = event(cause, now) else { return Ok(Notified::default()) };
    let subscriptions = Subscriptions::new(ports.settings, ports.subscribers.subscribers().await?);
    let about = cause.endpoint();
    let others = subscriptions.of(event.event, now).filter(|one| one.id != about.id);
    let notified = notify(&ports.notify, &event, others, None).await?;
    if notified.accepted < notified.total {
        return Err(StoreError::Busy {
            operation: "notify subscribers",
            source: "not every delivery was written".into(),
        });
    }
    Ok(notified)
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

/// The event, whose id follows from its cause; none for a delivery whose event is about webhooks itself.
pub(crate) fn event(cause: OperationalEvent<'_>, now: Timestamp) -> Option<EventRow> {
    let (event, id, at, data) = match cause {
        OperationalEvent::Failing(endpoint, state, level) => {
            let since = state.failing_since.unwrap_or(now);
            let id = OutageStage::Warned(level).event_id(&endpoint.id, since);
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
            data["message"] = json!(format!("Webhook endpoint {} accepts webhooks again", endpoint.name));
            (OutboundEvent::EndpointRecovered, OutageStage::Recovered.event_id(&endpoint.id, since), now, data)
        }
        OperationalEvent::Exhausted(_, delivery) if delivery.event.is_operational() => return None,
        OperationalEvent::Exhausted(endpoint, delivery) => {
            // The same for each call, and a new one if the delivery is exhausted again after a replay.
            let id = EventId::parse(&format!("{}.{}.0", delivery.id, delivery.requested_at().millis()));
            (OutboundEvent::DeliveryExhausted, id, now, exhausted(endpoint, delivery))
        }
    };
    let subject = match cause {
        OperationalEvent::Exhausted(_, delivery) => delivery.subject.clone(),
        OperationalEvent::Failing(..) | OperationalEvent::Disabled(..) | OperationalEvent::Recovered(..) => {
            Subject::Endpoint(cause.endpoint().id.clone())
        }
    };
    Some(EventRow { id: id.ok()?, event, subject, at, data, callback: None })
}

fn about(endpoint: &Endpoint) -> Value {
    // A receiver's URL may be a secret, and this event goes to other receivers.
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
    data["message"] = json!(format!("Webhook endpoint {} fails: the last {failures} attempts failed", endpoint.name));
    data
}

fn exhausted(endpoint: &Endpoint, delivery: &Delivery) -> Value {
    let mut data = about(endpoint);
    data["delivery_id"] = json!(delivery.id.to_string());
    data["webhook_id"] = json!(delivery.id.webhook_id());
    data["event"] = json!(delivery.event.name());
    data["job_id"] = json!(delivery.subject.as_str());
    data["attempts"] = json!(delivery.attempts);
    data["reason"] = json!(delivery.last_result);
    let (event, attempts) = (delivery.event.name(), delivery.attempts);
    let name = &endpoint.name;
    data["message"] = json!(format!("Webhook {event} to {name} was given up after {attempts} attempts"));
    data
}
