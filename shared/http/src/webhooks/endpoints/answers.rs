//! The answers of calls about endpoints.

use reelhook_app::views::wire::{Time, Yes};
use reelhook_app::webhooks::endpoints::registrations::Opened;
use reelhook_app::webhooks::endpoints::secrets::{EndpointSecret, MOST_SECRETS};
use reelhook_app::webhooks::previews::Preview;
use reelhook_app::webhooks::recovery::Recovery;
use reelhook_app::webhooks::wire::{
    DeliveryIdText, EndpointIdText, EventGroupText, EventNameText, PublicKeyText, SecretIdText,
};
use reelhook_domain::{DeliveryId, EndpointId, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::view::{EndpointView, WebhookEndpoint};
use crate::answer::ApiAnswer;
use crate::request::ApiRequest;
use crate::webhooks::recover::{RecoveryView, shown};

const REGISTERED: &str = "Webhook endpoint registered";
const CHANGED: &str = "Webhook endpoint changed";
const DELETED: &str = "Webhook endpoint deleted";
const ENABLED: &str = "Webhook endpoint is enabled";
const TESTED: &str = "A test webhook is on its way";

/// A page of the list of endpoints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointList<'a> {
    success: Yes,
    /// The number of endpoints in this answer.
    #[schemars(range(max = 100))]
    count: usize,
    /// The endpoints.
    endpoints: Vec<WebhookEndpoint<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A registered endpoint, and the test that was sent to it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointRegistered<'a> {
    success: Yes,
    #[schemars(extend("const" = REGISTERED))]
    message: &'static str,
    /// The endpoint.
    endpoint: WebhookEndpoint<'a>,
    /// The `webhook.test` that is on its way; null if the endpoint was registered as disabled, or the test could not be
    /// written.
    test: Option<RegistrationTest>,
}

/// The test of a new endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct RegistrationTest {
    /// `GET /api/webhooks/deliveries/{id}` returns its result.
    #[schemars(with = "DeliveryIdText")]
    delivery_id: String,
}

/// One endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointAnswer<'a> {
    success: Yes,
    /// The endpoint.
    endpoint: WebhookEndpoint<'a>,
}

/// A changed endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointChanged<'a> {
    success: Yes,
    #[schemars(extend("const" = CHANGED))]
    message: &'static str,
    /// The endpoint.
    endpoint: WebhookEndpoint<'a>,
}

/// A deleted endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointDeleted<'a> {
    success: Yes,
    #[schemars(extend("const" = DELETED))]
    message: &'static str,
    /// The id of the endpoint.
    #[schemars(with = "EndpointIdText")]
    id: &'a EndpointId,
    /// When it was deleted.
    deleted_at: Time,
}

/// An enabled endpoint, and the recovery of its pending deliveries.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointEnabled<'a> {
    success: Yes,
    #[schemars(extend("const" = ENABLED))]
    message: &'static str,
    /// The endpoint.
    endpoint: WebhookEndpoint<'a>,
    /// The recovery of its pending deliveries.
    recovery: RecoveryView<'a>,
}

/// A test that is on its way.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointTested {
    success: Yes,
    #[schemars(extend("const" = TESTED))]
    message: &'static str,
    /// `GET /api/webhooks/deliveries/{id}` returns its result.
    #[schemars(with = "DeliveryIdText")]
    delivery_id: String,
}

/// The webhooks that an endpoint would get.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointPreviews<'a> {
    success: Yes,
    /// The webhooks.
    previews: Vec<EndpointPreview<'a>>,
}

/// A webhook that an endpoint would get.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct EndpointPreview<'a> {
    /// The event.
    #[schemars(with = "EventNameText")]
    event: OutboundEvent,
    /// The headers, signed now, with the values of the endpoint's own headers hidden; the attributes of the message for
    /// a queue; none for an event bus.
    #[schemars(extend("additionalProperties" = { "type": "string" }))]
    headers: Map<String, Value>,
    /// The exact body.
    body: &'a str,
}

/// The secrets of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointSecrets<'a> {
    success: Yes,
    /// A sentence.
    message: &'a str,
    /// The secrets that are valid, newest first.
    #[schemars(length(min = 1, max = MOST_SECRETS))]
    secrets: Vec<SecretView<'a>>,
}

/// A secret, and the public key that came with it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EndpointSecret")]
struct SecretView<'a> {
    /// The id of the secret.
    #[schemars(with = "SecretIdText")]
    id: &'a str,
    /// `whsec_` and base64; the key is the decoded bytes.
    #[schemars(extend("pattern" = "^whsec_"))]
    secret: &'a str,
    /// `whpk_` and the base64 of 32 bytes (ed25519); null unless `signatures` has `v1a`.
    #[schemars(with = "Option<PublicKeyText>")]
    public_key: Option<String>,
    /// When it was made.
    created_at: Time,
    /// Until when it signs; null for the newest.
    expires_at: Option<Time>,
}

impl std::fmt::Debug for SecretView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretView({})", self.id)
    }
}

/// Every event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventTypes {
    success: Yes,
    /// The events.
    event_types: Vec<EventType>,
}

/// An event, with an example of its data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct EventType {
    /// The name of the event.
    #[schemars(with = "EventNameText")]
    name: OutboundEvent,
    /// What it is about.
    #[schemars(with = "EventGroupText")]
    group: &'static str,
    /// When it is sent.
    description: &'static str,
    /// An example of the `data` of its webhooks.
    #[schemars(extend("type" = "object"))]
    example: Value,
}

/// A page of the list, and the cursor of the next one.
pub fn list_answer(endpoints: &[EndpointView], next: Option<&str>, now: Timestamp) -> ApiAnswer {
    let list = EndpointList {
        success: Yes,
        count: endpoints.len(),
        endpoints: endpoints.iter().map(|one| one.view(now)).collect(),
        next_cursor: next.map(ApiRequest::write_cursor),
    };
    ApiAnswer::json(200, &list)
}

fn with_tag(answer: ApiAnswer, of: &EndpointView) -> ApiAnswer {
    match of.tag() {
        Some(tag) => answer.header("etag", tag),
        None => answer,
    }
}

/// A new endpoint, and the test that was sent to it.
pub fn registered_answer(of: &EndpointView, test: Option<DeliveryId>, now: Timestamp) -> ApiAnswer {
    let test = test.map(|id| RegistrationTest { delivery_id: id.to_string() });
    let body = EndpointRegistered { success: Yes, message: REGISTERED, endpoint: of.view(now), test };
    let answer = ApiAnswer::json(201, &body).header("location", format!("/api/webhooks/endpoints/{}", of.endpoint.id));
    with_tag(answer, of)
}

/// One endpoint.
pub fn one_answer(of: &EndpointView, now: Timestamp) -> ApiAnswer {
    with_tag(ApiAnswer::json(200, &EndpointAnswer { success: Yes, endpoint: of.view(now) }), of)
}

/// A changed endpoint.
pub fn changed_answer(of: &EndpointView, now: Timestamp) -> ApiAnswer {
    let body = EndpointChanged { success: Yes, message: CHANGED, endpoint: of.view(now) };
    with_tag(ApiAnswer::json(200, &body), of)
}

/// A removed endpoint.
pub fn removed_answer(id: &EndpointId, now: Timestamp) -> ApiAnswer {
    ApiAnswer::json(200, &EndpointDeleted { success: Yes, message: DELETED, id, deleted_at: now.into() })
}

/// An enabled endpoint, and the recovery of its pending deliveries.
pub fn enable_answer(of: &EndpointView, woken: &Recovery, now: Timestamp) -> ApiAnswer {
    let (endpoint, recovery) = (of.view(now), shown(woken));
    ApiAnswer::json(200, &EndpointEnabled { success: Yes, message: ENABLED, endpoint, recovery })
}

/// A test was sent.
pub fn test_answer(delivery: DeliveryId) -> ApiAnswer {
    ApiAnswer::json(202, &EndpointTested { success: Yes, message: TESTED, delivery_id: delivery.to_string() })
}

/// The webhooks that an endpoint would get.
pub fn preview_answer(previews: &[Preview]) -> ApiAnswer {
    let shown = previews.iter().map(|preview| EndpointPreview {
        event: preview.event,
        headers: preview.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
        body: &preview.body,
    });
    no_store(ApiAnswer::json(200, &EndpointPreviews { success: Yes, previews: shown.collect() }))
}

/// An endpoint's secrets, newest first.
pub fn secrets_answer(of: &Opened, message: &str, now: Timestamp) -> ApiAnswer {
    let asymmetric = of.registration.choices.asymmetric;
    let live = of.private.secrets.iter().filter(|secret| secret.is_live(now));
    let shown = live.map(|secret: &EndpointSecret| SecretView {
        id: &secret.id,
        secret: &secret.secret,
        public_key: secret.key().filter(|_| asymmetric).map(|key| key.public()),
        created_at: secret.created_at.into(),
        expires_at: secret.expires_at.map(Time),
    });
    no_store(ApiAnswer::json(200, &EndpointSecrets { success: Yes, message, secrets: shown.collect() }))
}

fn no_store(answer: ApiAnswer) -> ApiAnswer {
    answer.header("cache-control", "no-store")
}

/// Every event, with an example of its data.
pub fn event_types_answer(example: impl Fn(OutboundEvent) -> Value) -> ApiAnswer {
    let types = OutboundEvent::ALL.iter().copied().map(|event| EventType {
        name: event,
        group: event.group().name(),
        description: event.description(),
        example: example(event),
    });
    ApiAnswer::json(200, &EventTypes { success: Yes, event_types: types.collect() })
}
