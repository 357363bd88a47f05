//! The webhook that a delivery sends: exact body bytes and headers that are made for each attempt, or a chat service's form.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::{Delivery, Subject, Timestamp};
use reelhook_signing::{js_json, standard, streamgank};
use serde_json::{Value, json};
use url::Url;

use super::chat::{self, ChatText};
use crate::outbound::{Method, OutboundRequest, user_agent};
use crate::views::Dialect;
use crate::views::vidbuilder;
use crate::webhooks::endpoints::receiver::ReceiverKind;
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Format, Payload, Signers};
use crate::webhooks::events::EventRow;
use crate::webhooks::notification;
use crate::webhooks::transport::{CloudTarget, CloudWebhook, OutboundWebhook};
use crate::webhooks::wire::{StandardPayload, StreamGankEnvelope, ThinData, standard_text, streamgank_text};

/// How many bytes of a receiver's response are read.
const RESPONSE_LIMIT: usize = 16 * 1024;

/// A POST request that must be answered within `deadline`.
pub(crate) fn post(url: &Url, headers: Vec<(String, String)>, body: String, deadline: Duration) -> OutboundRequest {
    OutboundRequest {
        method: Method::Post,
        url: url.clone(),
        headers,
        body: Bytes::from(body),
        deadline,
        response_limit: RESPONSE_LIMIT,
    }
}

/// The headers that every webhook of a format has.
pub(crate) fn plain_headers(format: Format) -> Vec<(String, String)> {
    let agent = match format {
        Format::StreamGank => "StreamGank-Webhook/1.0".to_owned(),
        Format::Standard => user_agent(None),
    };
    [("content-type", "application/json".to_owned()), ("user-agent", agent)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// A message in the form of a chat service: not signed, and without the operator's headers.
pub(crate) fn chat(url: &Url, text: &ChatText<'_>, service: ReceiverKind, deadline: Duration) -> OutboundRequest {
    // Discord accepts Slack's form at this path.
    let slack = service == ReceiverKind::Slack || url.path().ends_with("/slack");
    let body = if slack { chat::slack(text) } else { chat::discord(text) };
    post(url, plain_headers(Format::StreamGank), body.to_string(), deadline)
}

/// What is signed: the webhook's id, the time of the attempt, and the body.
pub(crate) type Signed<'a> = (&'a str, Timestamp, &'a str);

/// Adds the signatures of a body (seed 001; Standard Webhooks 1.0.0) by all secrets and keys of an endpoint, so that each
/// can be rotated without downtime.
pub(crate) fn sign(headers: &mut Vec<(String, String)>, format: Format, signers: &Signers, signed: Signed<'_>) {
    let (id, now, body) = signed;
    let mut tokens = String::new();
    if let Some(keys) = &signers.hmac {
        if format == Format::StreamGank {
            headers.push(("x-streamgank-signature".to_owned(), streamgank::signature(body.as_bytes(), keys)));
        }
        tokens = standard::sign(id, now.seconds(), body.as_bytes(), keys);
    }
    for key in &signers.asymmetric {
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        tokens.push_str(&key.sign(id, now.seconds(), body.as_bytes()));
    }
    if !tokens.is_empty() {
        headers.push(("webhook-signature".to_owned(), tokens));
    }
}

/// The body of a webhook that is more than its event's text.
fn body(delivery: &Delivery, event: &EventRow, endpoint: &Endpoint) -> Value {
    if notification::is_service(endpoint) {
        return notification::body(event);
    }
    let data = match endpoint.form.payload {
        Payload::Full => Cow::Borrowed(&*event.data),
        Payload::Thin => Cow::Owned(json!(ThinData::of(&event.data))),
    };
    let (name, at) = (event.event.name(), event.at);
    match endpoint.form.format {
        Format::StreamGank => json!(StreamGankEnvelope::new(name, &data, at, &delivery.endpoint_name)),
        Format::Standard => json!(StandardPayload::new(name, &data, at)),
    }
}

/// The exact text of a webhook's body.
fn text(delivery: &Delivery, event: &EventRow, endpoint: &Endpoint) -> String {
    let Form { payload, ascii, format, .. } = endpoint.form;
    let is_bus = matches!(endpoint.destination, Destination::Bus(_));
    if payload == Payload::Full && !(ascii || is_bus || notification::is_service(endpoint)) {
        let (name, data, at) = (event.event.name(), event.data.text(), event.at);
        return match format {
            Format::StreamGank => streamgank_text(name, &data, at, &delivery.endpoint_name),
            Format::Standard => standard_text(name, &data, at),
        };
    }
    let mut body = body(delivery, event, endpoint);
    if is_bus {
        // Events of a bus have no headers, and the bus authenticates their sender.
        body["id"] = json!(delivery.id.webhook_id());
    }
    if ascii { js_json::to_ascii_string(&body) } else { js_json::to_string(&body) }
}

/// Builds the webhook that is sent (docs/contract/webhooks.md; Standard Webhooks 1.0.0).
pub(crate) fn webhook(delivery: &Delivery, event: &EventRow, endpoint: &Endpoint, now: Timestamp) -> OutboundWebhook {
    let deadline = endpoint.policy.timeout;
    if let (Destination::Web(url), service @ (ReceiverKind::Slack | ReceiverKind::Discord)) =
        (&endpoint.destination, endpoint.receiver())
    {
        let text = ChatText { event: event.event.name(), data: &event.data, at: event.at };
        return OutboundWebhook::Web(chat(url, &text, service, deadline));
    }
    if let Destination::Web(url) = &endpoint.destination
        && is_notification(event, endpoint)
    {
        return OutboundWebhook::Web(notification(delivery, event, endpoint, url, now));
    }
    let (id, body) = (delivery.id.webhook_id(), text(delivery, event, endpoint));
    let headers = |headers| with_headers(headers, delivery, event, endpoint, (&id, now, &body));
    let (to, attributes) = match &endpoint.destination {
        Destination::Web(url) => {
            let all = headers(plain_headers(endpoint.form.format));
            return OutboundWebhook::Web(post(url, with_custom_headers(all, &endpoint.headers), body, deadline));
        }
        Destination::Queue(arn) => (CloudTarget::Queue(arn.clone()), headers(Vec::new())),
        Destination::Bus(arn) => (CloudTarget::Bus(arn.clone()), Vec::new()),
    };
    OutboundWebhook::Cloud(CloudWebhook {
        to,
        body,
        attributes,
        once: delivery.replayed_at.map_or_else(|| id.clone(), |at| format!("{id}.{}", at.millis())),
        event: event.event.name(),
        subject: event.subject.to_string(),
        at: event.at,
        deadline,
    })
}

/// Whether a webhook has the form of VidBuilder: at a client's own URL, about a video.
fn is_notification(event: &EventRow, endpoint: &Endpoint) -> bool {
    endpoint.form.dialect == Dialect::VidBuilder && matches!(event.subject, Subject::Job(_))
}

/// The notification to a client's own URL (docs/contract/videos.md, Notifications): the data alone, with a hexadecimal
/// signature beside that of Standard Webhooks.
fn notification(
    delivery: &Delivery,
    event: &EventRow,
    endpoint: &Endpoint,
    url: &Url,
    now: Timestamp,
) -> OutboundRequest {
    let body = event.data.text().into_owned();
    let id = delivery.id.webhook_id();
    let mut headers: Vec<(String, String)> = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", "VidBuilder/1.0".to_owned()),
        ("x-webhook-event", vidbuilder::notified(event.event).to_owned()),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", now.seconds().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    headers.push(("traceparent".to_owned(), delivery.trace().into()));
    if let Some(keys) = &endpoint.signers.hmac {
        headers.push(("x-webhook-signature".to_owned(), streamgank::hex_signature(body.as_bytes(), keys)));
        headers.push(("webhook-signature".to_owned(), standard::sign(&id, now.seconds(), body.as_bytes(), keys)));
    }
    post(url, headers, body, endpoint.policy.timeout)
}

/// Adds the headers that identify and sign a webhook with this id and body, sent now.
fn with_headers(
    mut headers: Vec<(String, String)>,
    delivery: &Delivery,
    event: &EventRow,
    endpoint: &Endpoint,
    signed: Signed<'_>,
) -> Vec<(String, String)> {
    let (id, now, _) = signed;
    // Ours, and room for the endpoint's own.
    headers.reserve(9 + endpoint.headers.len());
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if endpoint.form.format == Format::StreamGank {
        add("x-streamgank-event", event.event.name().to_owned());
        add("x-streamgank-delivery", delivery.id.to_string());
    }
    add("webhook-id", id.to_owned());
    add("webhook-timestamp", now.seconds().to_string());
    if let Some(sequence) = event.id.sequence(event.subject.as_str()) {
        add("webhook-sequence", sequence.to_string());
    }
    if delivery.replay {
        add("webhook-replay", "true".to_owned());
    }
    add("traceparent", delivery.trace().into());
    sign(&mut headers, endpoint.form.format, &endpoint.signers, signed);
    headers
}

/// Whether an endpoint's own headers must not replace this header: it identifies or signs the webhook.
pub fn is_reserved_header(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with("webhook-") || name == "x-streamgank-signature" || name == "x-streamgank-delivery"
}

/// Adds the endpoint's own headers, which replace ours of the same name, except those that [`is_reserved_header`] names.
fn with_custom_headers(mut headers: Vec<(String, String)>, own: &[(String, String)]) -> Vec<(String, String)> {
    for (name, value) in own.iter().filter(|(name, _)| !is_reserved_header(name)) {
        let name = name.to_lowercase();
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value.clone()));
    }
    headers
}
