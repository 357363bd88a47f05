//! Webhooks: their status, tests and triggered events; endpoints, deliveries and recoveries are in files of their own.

mod deliveries;
mod endpoints;
mod recoveries;

use reelhook_http::webhooks::endpoints::{EventTypes, WebhookKeys, WebhookKeysQuery};
use reelhook_http::webhooks::hooks::{TriggerRequest, Triggered, UrlChecked, UrlRequest, WebhookStatus, WebhookTested};

use crate::families::jobs::ONCE;
use crate::operation::{Access, Operation, operation};

/// The operations about webhooks.
pub fn operations() -> Vec<Operation> {
    [of_all_endpoints(), deliveries::operations(), endpoints::operations(), keys(), recoveries::operations()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_all_endpoints() -> Vec<Operation> {
    vec![
        operation("catalogue", "POST /api/validate-url", "validateUrl", "Check whether a page can be fetched")
            .about("Reelhook fetches the page. Private and local addresses look like unknown names.")
            .stateless()
            .body::<UrlRequest>()
            .answer::<UrlChecked>(200, "The result; a page that can't be fetched is `valid: false`")
            .codes(&["url_missing"]),
        operation("webhooks", "GET /api/webhooks/status", "getWebhookStatus", "Get the status of outbound webhooks")
            .answer::<WebhookStatus>(200, "The numbers"),
        operation("webhooks", "POST /api/webhooks/test", "testWebhook", "Send `webhook.test` to a URL")
            .about(
                "The test is sent at once, without retries and without WEBHOOK_HEADERS, and has 5 s. Slack and Discord \
                 get it in their own format. `POST /api/webhooks/endpoints/{id}/test` sends a test to an endpoint like \
                 all its webhooks.",
            )
            .stateless()
            .body::<UrlRequest>()
            .answer::<WebhookTested>(200, "The result")
            .codes(&["url_missing"]),
        operation("webhooks", "POST /api/webhooks/trigger", "triggerWebhook", "Send an event manually")
            .about(
                "Each endpoint that subscribes to the event gets it like any other event: signed, and with retries. \
                 `event` and `data` are sent as they are given.",
            )
            .idempotent(ONCE)
            .body::<TriggerRequest>()
            .answer::<Triggered>(200, "The event is accepted for delivery")
            .codes(&["event_missing", "payload_too_large"]),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        operation("webhooks", "GET /api/webhooks/event-types", "listEventTypes", "List all events, with examples")
            .stateless()
            .answer::<EventTypes>(200, "The events"),
        operation(
            "webhooks",
            "GET /.well-known/webhook-keys.json",
            "getWebhookKeys",
            "Get the public keys of endpoints",
        )
        .about(
            "The keys are for receivers that verify `v1a`; this route needs no API key. Only endpoints whose \
                 `signatures` have `v1a` have public keys. A receiver uses only those of its own endpoint. With \
                 `endpointId` they are current; the list of all may be a minute old.",
        )
        .access(Access::Open)
        .lenient_query::<WebhookKeysQuery>()
        .answer_with::<WebhookKeys>(200, "The keys that verify webhooks now", "application/json", &["Cache-Control"])
        .codes(&["rate_limited"]),
    ]
}
