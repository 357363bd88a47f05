//! Endpoints: registrations, changes, secrets, tests and previews.

use reelhook_http::webhooks::endpoint_fields::{EndpointPatch, EndpointRequest};
use reelhook_http::webhooks::endpoints::{
    EndpointAnswer, EndpointChanged, EndpointDeleted, EndpointEnabled, EndpointList, EndpointListQuery,
    EndpointPreviews, EndpointRegistered, EndpointSecrets, EndpointTested, PreviewQuery, RotateRequest,
};
use reelhook_http::webhooks::fields::EndpointNameText;

use crate::families::jobs::ONCE;
use crate::operation::{Operation, operation};

/// The operations about endpoints.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("webhooks", "GET /api/webhooks/endpoints", "listEndpoints", "List endpoints")
            .about(
                "Endpoints of WEBHOOK_URLS come first, then registered ones, newest first. A new one is in the list \
                 within about a second. One that no ENDPOINT_SECRETS_KEY decrypts is left out, with an error in the \
                 log. A cursor stays valid while endpoints are registered and deleted.",
            )
            .query::<EndpointListQuery>()
            .answer::<EndpointList>(200, "A page of endpoints"),
        operation("webhooks", "POST /api/webhooks/endpoints", "registerEndpoint", "Register an endpoint")
            .about(
                "From now on it gets the events that it subscribes to, and at once a `webhook.test`, whatever it \
                 subscribes to. Its secret is generated unless you send one; \
                 `GET /api/webhooks/endpoints/{id}/secret` returns it.",
            )
            .idempotent(
                "The same key of a caller registers one endpoint, as long as it exists, and gets its current state; \
                 another body gets 422. Once the endpoint is deleted, the key registers another one, the same for each \
                 repeat",
            )
            .body::<EndpointRequest>()
            .answer_with::<EndpointRegistered>(
                201,
                "The endpoint is registered",
                "application/json",
                &["ETag", "Location"],
            )
            .codes(&["url_missing", "unknown_field", "too_many_endpoints", "no_secrets_key"]),
        of_endpoint("GET /api/webhooks/endpoints/{id}", "getEndpoint", "Get an endpoint")
            .answer_with::<EndpointAnswer>(200, "The endpoint", "application/json", &["ETag"]),
        of_endpoint("PATCH /api/webhooks/endpoints/{id}", "changeEndpoint", "Change an endpoint")
            .about(CHANGE)
            .header::<String>("If-Match", "The ETag that the caller saw; with `*` or without it, any version changes")
            .body::<EndpointPatch>()
            .answer_with::<EndpointChanged>(200, "The changed endpoint", "application/json", &["ETag"])
            .codes(&["url_missing", "unknown_field", "endpoint_configured", "version_mismatch"]),
        of_any_endpoint("DELETE /api/webhooks/endpoints/{id}", "deleteEndpoint", "Delete an endpoint")
            .about(
                "Its pending deliveries end as `stopped` when they are due, and can't be sent again. Its id is not \
                 used again. An endpoint that no ENDPOINT_SECRETS_KEY decrypts can be deleted, too.",
            )
            .answer::<EndpointDeleted>(200, "The endpoint is deleted")
            .codes(&["endpoint_configured"]),
        of_endpoint("POST /api/webhooks/endpoints/{id}/enable", "enableEndpoint", "Enable an endpoint")
            .about(
                "It is enabled and not paused, its circuit is closed and its failures are reset. Pending deliveries \
                 are sent now, as `recovery` describes; that may continue in the background. Deliveries that ended \
                 while it was disabled stay `stopped`: `POST /api/webhooks/recover` sends them again.",
            )
            .answer::<EndpointEnabled>(200, "The endpoint is enabled"),
        of_endpoint("POST /api/webhooks/endpoints/{id}/test", "testEndpoint", "Send `webhook.test` to an endpoint")
            .about(
                "The test is sent like all webhooks of the endpoint: signed, with its headers, with retries, and in \
                 the list of deliveries.",
            )
            .idempotent(ONCE)
            .answer::<EndpointTested>(202, "The test is on its way")
            .codes(&["endpoint_disabled"]),
        of_endpoint(
            "GET /api/webhooks/endpoints/{id}/preview",
            "previewEndpoint",
            "Get the webhooks that an endpoint would get",
        )
        .about("They are about a made-up job, and signed with the secrets of the endpoint. Nothing is sent.")
        .query::<PreviewQuery>()
        .answer_with::<EndpointPreviews>(
            200,
            "The exact headers and bodies",
            "application/json",
            &["Cache-Control"],
        ),
        of_endpoint("GET /api/webhooks/endpoints/{id}/secret", "getEndpointSecrets", "Get the secrets of an endpoint")
            .about(
                "The audit log records the caller. An endpoint of WEBHOOK_URLS signs with WEBHOOK_SECRET_KEY, which \
                 the API does not show.",
            )
            .answer_with::<EndpointSecrets>(200, "The secrets that are valid", "application/json", &["Cache-Control"])
            .codes(&["endpoint_configured"]),
        of_endpoint(
            "POST /api/webhooks/endpoints/{id}/secret/rotate",
            "rotateEndpointSecret",
            "Rotate the secret of an endpoint",
        )
        .about(
            "The new secret signs at once. The earlier ones sign beside it for `graceSeconds`, so that a receiver can \
             accept both for a while; 0 ends them now.",
        )
        .idempotent("The same key of a caller makes one new secret, as long as that is valid; another body gets 422")
        .optional_body::<RotateRequest>()
        .answer_with::<EndpointSecrets>(200, "The secrets that are valid now", "application/json", &["Cache-Control"])
        .codes(&["unknown_field", "endpoint_configured", "too_many_secrets"]),
    ]
}

/// What a change does.
const CHANGE: &str = "Pending webhooks are sent as the endpoint is then. Its `type` can't change. Another `url` or \
                      `arn` resets its failures and closes its circuit, but does not enable it. A change that changes \
                      nothing makes no new version, unless an older ENDPOINT_SECRETS_KEY encrypted the endpoint: each \
                      change, also `{}`, encrypts it with the newest key. `enabled: true` for a disabled endpoint does \
                      the same as `POST /api/webhooks/endpoints/{id}/enable`. Of an endpoint of WEBHOOK_URLS only \
                      `enabled` can change.";

/// An operation about one endpoint, whose secrets are decrypted.
fn of_endpoint(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_any_endpoint(route, id, summary).codes(&["no_secrets_key"])
}

/// An operation about one endpoint, even if no ENDPOINT_SECRETS_KEY decrypts it.
fn of_any_endpoint(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("webhooks", route, id, summary)
        .path::<EndpointNameText>("id", "The id of the endpoint, or its name such as `webhook_1`")
        .codes(&["endpoint_not_found"])
}
