//! Problems of webhooks: endpoints, deliveries, recoveries, tests and triggered events.

use reelhook_app::webhooks::endpoints::registrations::MOST_ENDPOINTS;
use reelhook_app::webhooks::endpoints::secrets::MOST_SECRETS;
use reelhook_domain::Timestamp;

use crate::problem::problems;

problems! {
    /// A problem of a webhook.
    pub enum WebhookProblem {
        /// The URL is missing; the text is the sentence of the route.
        UrlMissing(sentence: &'static str) = 400 "url_missing" *sentence;
        /// The name of the event to trigger is missing.
        EventMissing = 400 "event_missing" "Event name is required";
        /// The data of a triggered event is larger than a webhook may be.
        PayloadTooLarge = 413 "payload_too_large"
            "`data` must not be larger than 256 KiB; send a link to larger data";
        /// The delivery does not exist.
        DeliveryNotFound = 404 "delivery_not_found" "Webhook delivery not found";
        /// An attempt of the delivery is under way.
        DeliveryUnderWay = 409 "delivery_under_way" "This webhook is being sent at this moment";
        /// The endpoint of the delivery is disabled.
        EndpointDisabled = 409 "endpoint_disabled" "The endpoint is disabled; enable it before you send again";
        /// The endpoint does not exist.
        EndpointNotFound = 404 "endpoint_not_found" "Webhook endpoint not found";
        /// The endpoint is configured in the settings and can only be changed there.
        EndpointConfigured = 409 "endpoint_configured"
            "This endpoint is configured in WEBHOOK_URLS: change it there; the API can only enable and disable it";
        /// The maximum number of endpoints is registered.
        TooManyEndpoints = 409 "too_many_endpoints" format!("At most {MOST_ENDPOINTS} endpoints can be registered");
        /// The maximum number of the endpoint's secrets is valid; the time is the next expiry.
        TooManySecrets(ends: Option<Timestamp>) = 409 "too_many_secrets" too_many_secrets(*ends);
        /// The endpoint has another version than the one that the caller saw.
        VersionMismatch = 412 "version_mismatch" "The endpoint has changed in the meantime; read it again";
        /// No key is configured that encrypts the secrets of endpoints.
        NoSecretsKey = 503 "no_secrets_key" "ENDPOINT_SECRETS_KEY is not set; `cargo xtask secrets` generates one";
        /// The recovery does not exist.
        RecoveryNotFound = 404 "recovery_not_found" "Webhook recovery not found";
    }
}

fn too_many_secrets(ends: Option<Timestamp>) -> String {
    let ends = ends.map_or_else(String::new, |ends| format!("; the next one expires at {ends}"));
    format!("At most {MOST_SECRETS} secrets are valid at once{ends}")
}
