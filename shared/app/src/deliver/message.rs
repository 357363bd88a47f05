//! The HTTP request of a delivery: exact body bytes, and headers that are made anew at each try, or a service's own form.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::{Delivery, Receiver, Timestamp};
use reelhook_signing::{SigningKeys, js_json, standard, streamgank};
use url::Url;

use super::chat::{self, ChatText};
use crate::dialect::streamgank::envelope;
use crate::endpoints::Endpoint;
use crate::fanout::EventRow;
use crate::outbound::{Method, OutboundRequest};
use crate::settings::WebhookSettings;

/// Bytes of a receiver's answer that are read.
const RESPONSE_LIMIT: usize = 16 * 1024;

/// How a URL is asked, whatever for: within this time.
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

/// The headers of every webhook.
pub(crate) fn plain_headers() -> Vec<(String, String)> {
    [("content-type", "application/json"), ("user-agent", "StreamGank-Webhook/1.0")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A message in the words of a chat service: neither signed nor with headers of the operator.
pub(crate) fn chat(url: &Url, text: &ChatText<'_>, service: Receiver, deadline: Duration) -> OutboundRequest {
    // Discord takes Slack's words at this path.
    let slack = service == Receiver::Slack || url.path().ends_with("/slack");
    let body = if slack { chat::slack(text) } else { chat::discord(text) };
    post(url, plain_headers(), body.to_string(), deadline)
}

/// The two signatures over a body that is sent now (seed 001; Standard Webhooks 1.0.0).
pub(crate) fn signatures(id: &str, now: Timestamp, body: &str, keys: &SigningKeys) -> [(String, String); 2] {
    [
        ("x-streamgank-signature".to_owned(), streamgank::signature(body.as_bytes(), keys)),
        ("webhook-signature".to_owned(), standard::sign(id, now.seconds(), body.as_bytes(), keys)),
    ]
}

/// Builds the request (contract.md, Outbound webhooks; Standard Webhooks 1.0.0).
pub(super) fn request(
    delivery: &Delivery,
    event: &EventRow,
    endpoint: &Endpoint,
    settings: &WebhookSettings,
    secret: Option<&SigningKeys>,
    now: Timestamp,
) -> OutboundRequest {
    let url = &endpoint.url;
    let text = ChatText { event: event.event.name(), data: &event.data, at: event.at };
    match endpoint.receiver() {
        Receiver::Own => {}
        service @ (Receiver::Slack | Receiver::Discord) => return chat(url, &text, service, endpoint.policy.timeout),
    }
    let body = envelope(event.event.name(), event.data.clone(), event.at, &delivery.endpoint_name);
    let body = js_json::to_string(&body);
    let id = delivery.id.webhook_id();
    let mut headers = plain_headers();
    headers.extend(
        [
            ("x-streamgank-event", event.event.name().to_owned()),
            ("x-streamgank-delivery", delivery.id.to_string()),
            ("webhook-id", id.clone()),
            ("webhook-timestamp", now.seconds().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let sequence = event.id.sequence(&event.job_id);
    headers.extend(sequence.map(|sequence| ("webhook-sequence".to_owned(), sequence.to_string())));
    if delivery.replay {
        headers.push(("webhook-replay".to_owned(), "true".to_owned()));
    }
    headers.extend(delivery.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.clone())));
    if let Some(keys) = secret {
        headers.extend(signatures(&id, now, &body, keys));
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
    post(url, headers, body, endpoint.policy.timeout)
}
