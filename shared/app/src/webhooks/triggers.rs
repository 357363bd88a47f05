//! Manual webhooks: a test of any URL, and an event that an operator triggers (docs/contract/webhooks.md, Status and
//! tests).

use std::time::Duration;

use reelhook_domain::{DeliveryId, EndpointId, EventId, OutboundEvent, ResponseClass, Subject, Timestamp};
use reelhook_signing::{SigningKeys, js_json};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, IdempotencyStore, KeyReused, first_answer_or};
use crate::outbound::HttpSender;
use crate::outbox::messages::{DeliveryMessage, Hints};
use crate::store::StoreError;
use crate::webhooks::deliver::ChatText;
use crate::webhooks::deliver::message::{chat, plain_headers, post, sign};
use crate::webhooks::endpoints::receiver::ReceiverKind;
use crate::webhooks::endpoints::{Format, Signers, masked, receiver};
use crate::webhooks::events::{EventRow, EventStore};
use crate::webhooks::notify::{Notified, NotifyPorts, notify};
use crate::webhooks::operational::data::TestData;
use crate::webhooks::subscriptions::{Subscriber, Subscriptions};

/// The timeout of a test.
const TEST_DEADLINE: Duration = Duration::from_secs(5);
/// The event of a test.
const TEST: &str = "webhook.test";
/// What the id of a trigger's or test's only event ends with: its version and place.
const FIRST_EVENT: &str = ".1.0";
/// The message of a test.
fn test_message(format: Format) -> &'static str {
    match format {
        Format::Standard => "This is a test webhook from Reelhook",
        Format::StreamGank => "This is a test webhook from StreamGank",
    }
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Whether the receiver accepted it.
    pub success: bool,
    /// HTTP status; 0 when no response came.
    pub status: u16,
    /// Its duration.
    pub duration: Duration,
    /// The URL, without its path if that is a secret.
    pub url: String,
    /// The result as a sentence.
    pub message: String,
    /// The error's code when no response came.
    pub error: Option<&'static str>,
}

/// Sends `webhook.test` once to a URL, in the form of a delivery, but without the operator's headers.
pub async fn test(
    http: &dyn HttpSender,
    clock: &dyn ClockAndRandom,
    secret: Option<&SigningKeys>,
    url: &Url,
) -> Tested {
    let now = clock.now();
    let data = json!(TestData { message: test_message(Format::StreamGank), endpoint_id: None });
    let request = match receiver(url) {
        ReceiverKind::Own => {
            let body = json!({ "event": TEST, "data": data, "timestamp": now.to_string(), "test": true });
            let body = js_json::to_string(&body);
            let id = format!("msg_{}", Uuid::from_u128(clock.random()).simple());
            let mut headers = plain_headers(Format::StreamGank);
            let own = [
                ("x-streamgank-event", TEST.to_owned()),
                ("x-streamgank-test", "true".to_owned()),
                ("webhook-id", id.clone()),
                ("webhook-timestamp", now.seconds().to_string()),
            ];
            headers.extend(own.map(|(name, value)| (name.to_owned(), value)));
            if let Some(keys) = secret {
                let signers = Signers { hmac: Some(keys.clone()), asymmetric: Vec::new() };
                sign(&mut headers, Format::StreamGank, &signers, (&id, now, &body));
            }
            post(url, headers, body, TEST_DEADLINE)
        }
        service @ (ReceiverKind::Slack | ReceiverKind::Discord) => {
            let text = ChatText { event: TEST, data: &data, at: now };
            chat(url, &text, service, TEST_DEADLINE)
        }
    };
    let answer = http.send(request).await;
    let took = clock.now().since(now);
    let url_shown = masked(url);
    match answer {
        Ok(response) => {
            let success = receiver(url).classify(response.status) == ResponseClass::Success;
            let message = if success {
                "Webhook endpoint is reachable".to_owned()
            } else {
                format!("HTTP {} response", response.status)
            };
            let (status, duration) = (response.status, response.total);
            Tested { success, status, duration, url: url_shown, message, error: None }
        }
        Err(error) => {
            let (message, code) = (error.message_for(url), error.code());
            Tested { success: false, status: 0, duration: took, url: url_shown, message, error: Some(code) }
        }
    }
}

/// Where manually triggered events, their deliveries and their idempotency records are kept.
pub trait TriggerStore: EventStore + IdempotencyStore {}

impl<T: EventStore + IdempotencyStore> TriggerStore for T {}

/// The event of a test for one endpoint; `random` makes its id, and 0 makes the test that follows its registration.
pub fn test_event(endpoint: &EndpointId, format: Format, now: Timestamp, random: u128) -> EventRow {
    let id = event_id(&format!("test_{endpoint}_{random:032x}"));
    let data = json!(TestData { message: test_message(format), endpoint_id: Some(endpoint) });
    EventRow {
        id,
        event: OutboundEvent::Test,
        subject: Subject::Endpoint(endpoint.clone()),
        at: now,
        data: data.into(),
        callback: None,
        submitted_at: None,
    }
}

/// The bits of a test that a caller requests: with a key, the same ones each time.
///
/// # Errors
/// [`StoreError`]; inside, [`KeyReused`].
pub async fn test_bits(
    records: &dyn IdempotencyStore,
    clock: &dyn ClockAndRandom,
    key: Option<&IdempotencyKey>,
) -> Result<Result<u128, KeyReused>, StoreError> {
    let Some(key) = key else { return Ok(Ok(clock.random())) };
    let bits = key.derived_id(&key.caller, 0);
    let first = match first_answer_or(records, key, format!("{bits:032x}"), clock.now()).await? {
        Ok(first) => first,
        Err(reused) => return Ok(Err(reused)),
    };
    let reason = || "the first answer of this key names no test".to_owned();
    let bits = u128::from_str_radix(&first, 16);
    bits.map(Ok).map_err(|_| StoreError::Unreadable { operation: "read key", reason: reason() })
}

/// Makes a test for an endpoint, regardless of its subscriptions: the delivery's id. The same bits make the same test.
///
/// # Errors
/// [`StoreError`].
pub async fn test_endpoint(
    ports: &NotifyPorts<'_>,
    endpoint: &Subscriber,
    format: Format,
    at: Timestamp,
    random: u128,
    traceparent: Option<&str>,
) -> Result<DeliveryId, StoreError> {
    let event = test_event(&endpoint.id, format, at, random);
    notify(ports, &event, std::iter::once(endpoint), traceparent).await?;
    Ok(DeliveryId::of(&event.id, &endpoint.id))
}

/// What an operator triggers.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// The event's name.
    pub event: String,
    /// Its data.
    pub data: Option<Value>,
    /// The caller's fingerprint.
    pub caller: String,
    /// The W3C trace of the request.
    pub traceparent: Option<String>,
}

/// What [`trigger`] needs.
pub struct TriggerPorts<'a> {
    /// Events, deliveries and idempotency records.
    pub store: &'a dyn TriggerStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The subscribers.
    pub subscriptions: &'a Subscriptions,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

/// The result of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Triggered {
    /// The answer's body; a repeat gets the first one again.
    Answer(String),
    /// The key was used with another body.
    KeyReused,
}

/// Makes a delivery of an event for each subscriber. A repeat with the same key makes no second event, and completes
/// what a failed call left undone.
///
/// # Errors
/// [`StoreError`]; a repeat with the same key continues where this call stopped.
pub async fn trigger(
    ports: &TriggerPorts<'_>,
    trigger: Trigger,
    key: Option<IdempotencyKey>,
    answer: impl Fn(&EventId, Notified) -> String,
) -> Result<Triggered, StoreError> {
    let now = ports.clock.now();
    let name = format!("trigger_{}_{:032x}", now.millis(), ports.clock.random());
    let (mut id, mut at) = (event_id(&name), now);
    let wanted = OutboundEvent::parse(&trigger.event);
    let total = wanted.map_or(0, |event| ports.subscriptions.of(event, now).count());
    let mut first = None;
    if let Some(key) = key {
        let text = answer(&id, Notified { total, accepted: total });
        let Ok(text) = first_answer_or(ports.store, &key, text, now).await? else {
            return Ok(Triggered::KeyReused);
        };
        let reason = || "the first answer of this key names no event".to_owned();
        (id, at) =
            remembered(&text).ok_or_else(|| StoreError::Unreadable { operation: "read key", reason: reason() })?;
        first = Some(text);
    }
    let results = match wanted {
        Some(event) => {
            let data = trigger.data.unwrap_or_else(
                || json!({ "message": "Manual webhook test trigger", "timestamp": at.to_string(), "manual": true }),
            );
            let named = data["job_id"].as_str().and_then(|id| Subject::parse(id).ok());
            let itself = || Subject::Trigger(id.as_str().trim_end_matches(FIRST_EVENT).to_owned());
            let subject = named.unwrap_or_else(itself);
            let row =
                EventRow { id: id.clone(), event, subject, at, data: data.into(), callback: None, submitted_at: None };
            let notify_ports = NotifyPorts { store: ports.store, hints: ports.hints, grace: ports.grace };
            notify(&notify_ports, &row, ports.subscriptions.of(event, at), trigger.traceparent.as_deref()).await?
        }
        None => Notified::default(),
    };
    match first {
        Some(text) if results.accepted == results.total => Ok(Triggered::Answer(text)),
        Some(_) => Err(StoreError::Busy { operation: "trigger", source: "not every delivery was written".into() }),
        None => Ok(Triggered::Answer(answer(&id, results))),
    }
}

fn event_id(name: &str) -> EventId {
    EventId::parse(&format!("{name}{FIRST_EVENT}")).expect("letters, digits and `_`")
}

/// The event that the first answer contains, and its time.
fn remembered(answer: &str) -> Option<(EventId, Timestamp)> {
    let body: Value = serde_json::from_str(answer).ok()?;
    let id = EventId::parse(body["eventId"].as_str()?).ok()?;
    Some((id, Timestamp::parse(body["timestamp"].as_str()?)?))
}
