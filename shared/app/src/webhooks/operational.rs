//! Webhooks about webhooks: an endpoint fails, is disabled or recovers, or a delivery is exhausted.
//!
//! They are delivered like all others. None is about another webhook about webhooks, and none goes to the endpoint that
//! it is about: so no such webhook causes another one.

pub mod data;

use reelhook_domain::{Delivery, EndpointState, EventId, OutageStage, OutboundEvent, Subject, Timestamp, WarningLevel};
use serde_json::json;

use self::data::{DeliveryExhaustedData, EndpointDisabledData, EndpointFailingData, EndpointRecoveredData};
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
            (OutboundEvent::EndpointFailing, id, now, json!(EndpointFailingData::new(endpoint, state, now)))
        }
        OperationalEvent::Disabled(endpoint, at, reason) => {
            let id = OutageStage::Disabled.event_id(&endpoint.id, at);
            (OutboundEvent::EndpointDisabled, id, at, json!(EndpointDisabledData::new(endpoint, at, reason)))
        }
        OperationalEvent::Recovered(endpoint, since) => {
            let id = OutageStage::Recovered.event_id(&endpoint.id, since);
            (OutboundEvent::EndpointRecovered, id, now, json!(EndpointRecoveredData::new(endpoint, since, now)))
        }
        OperationalEvent::Exhausted(_, delivery) if delivery.event.is_operational() => return None,
        OperationalEvent::Exhausted(endpoint, delivery) => {
            // The same for each call, and a new one if the delivery is exhausted again after a replay.
            let id = EventId::parse(&format!("{}.{}.0", delivery.id, delivery.requested_at().millis()));
            (OutboundEvent::DeliveryExhausted, id, now, json!(DeliveryExhaustedData::new(endpoint, delivery)))
        }
    };
    let subject = match cause {
        OperationalEvent::Exhausted(_, delivery) => delivery.subject.clone(),
        OperationalEvent::Failing(..) | OperationalEvent::Disabled(..) | OperationalEvent::Recovered(..) => {
            Subject::Endpoint(cause.endpoint().id.clone())
        }
    };
    Some(EventRow { id: id.ok()?, event, subject, at, data: data.into(), callback: None, submitted_at: None })
}
