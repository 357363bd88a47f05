//! The HTTP request of a delivery: exact body bytes, and headers that are made anew at each try.

use bytes::Bytes;
use reelhook_domain::{Delivery, Timestamp};
use reelhook_signing::{SigningKeys, js_json, standard, streamgank};
use url::Url;

use crate::dialect::streamgank::envelope;
use crate::endpoints::WebhookSettings;
use crate::fanout::EventRow;
use crate::outbound::{Method, OutboundRequest};

/// Bytes of a receiver's answer that are read.
const RESPONSE_LIMIT: usize = 16 * 1024;

/// Builds the request (contract.md, Outbound webhooks; Standard Webhooks 1.0.0).
pub(super) fn request(
    delivery: &Delivery,
    event: &EventRow,
    url: &Url,
    settings: &WebhookSettings,
    secret: Option<&SigningKeys>,
    now: Timestamp,
) -> OutboundRequest {
    let body = envelope(event.event.name(), event.data.clone(), event.at, &delivery.endpoint_name);
    let body = js_json::to_string(&body);
    let id = delivery.id.webhook_id();
    let mut headers: Vec<(String, String)> = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", "StreamGank-Webhook/1.0".to_owned()),
        ("x-streamgank-event", event.event.name().to_owned()),
        ("x-streamgank-delivery", delivery.id.to_string()),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", now.seconds().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    headers.extend(delivery.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.clone())));
    if let Some(keys) = secret {
        headers.push(("x-streamgank-signature".to_owned(), streamgank::signature(body.as_bytes(), keys)));
        headers.push(("webhook-signature".to_owned(), standard::sign(&id, now.seconds(), body.as_bytes(), keys)));
    }
    // A header of the operator replaces one of ours by the same name, but for the signed ones.
    for (name, value) in &settings.headers {
        let name = name.to_lowercase();
        if name.starts_with("webhook-") || name == "x-streamgank-signature" || name == "x-streamgank-delivery" {
            continue;
        }
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value.clone()));
    }
    OutboundRequest {
        method: Method::Post,
        url: url.clone(),
        headers,
        body: Bytes::from(body),
        deadline: settings.timeout,
        response_limit: RESPONSE_LIMIT,
    }
}
