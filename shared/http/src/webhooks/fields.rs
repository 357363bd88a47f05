//! The fields of requests about webhooks: each reads within its bounds, says what would be right, and describes itself.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use reelhook_app::outbound::CONNECTION_HEADERS;
use reelhook_app::webhooks::deliver::is_reserved_header;
use reelhook_app::webhooks::endpoints::Destination;
use reelhook_app::webhooks::endpoints::policies::{
    CONCURRENCY, FINAL_STATUSES, RATE_MAX, TIMEOUT_MS, WINDOW_MS, may_be_final,
};
use reelhook_app::webhooks::recovery::statuses;
use reelhook_app::webhooks::settings::{is_field_value, is_token};
use reelhook_app::webhooks::wire::{DeliveryStatusText, EventNameText, EventPatternText};
use reelhook_domain::{DeliveryStatus, EventFilter, EventPattern, OutboundEvent, Subject};
use reelhook_signing::standard;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::typed::fields::{FieldValue, Whole};
use crate::typed::numbers::whole;

/// Characters of a URL.
pub const URL_LIMIT: usize = 2048;
/// Entries of a filter.
const EVENTS_LIMIT: usize = 50;
/// Bytes of a header's name, and of its value.
const HEADER_LIMITS: (usize, usize) = (64, 1024);
/// Entries of a list of statuses.
const STATUSES_LIMIT: usize = 8;
/// Replaces secrets in answers.
pub const HIDDEN: &str = "***";

/// The timeout of one attempt, in milliseconds.
pub type TimeoutMs = Whole<{ TIMEOUT_MS.0 as i64 }, { TIMEOUT_MS.1 as i64 }>;
/// Concurrent attempts.
pub type Concurrency = Whole<{ CONCURRENCY.0 as i64 }, { CONCURRENCY.1 as i64 }>;
/// Sends per window of the rate limit.
pub type RateMax = Whole<{ RATE_MAX.0 as i64 }, { RATE_MAX.1 as i64 }>;
/// The window of the rate limit, in milliseconds.
pub type WindowMs = Whole<{ WINDOW_MS.0 as i64 }, { WINDOW_MS.1 as i64 }>;

/// A value that a caller writes in JSON, and that is checked as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T>(pub T);

/// A type of such values.
pub trait CheckedValue: Sized {
    /// The name of its description.
    const NAME: &'static str;

    /// Reads a value.
    ///
    /// # Errors
    /// What would be right.
    fn of_json(value: Value) -> Result<Self, String>;

    /// Describes the values.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

impl<'de, T: CheckedValue> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::of_json(Value::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl<T: CheckedValue> JsonSchema for Checked<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// A field that may be absent but not null, for `#[serde(default, deserialize_with = "not_null")]`.
///
/// # Errors
/// Those of `T`.
pub fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointType {
    /// An HTTP server.
    Http,
    /// A queue of SQS.
    Sqs,
    /// An event bus of EventBridge.
    EventBridge,
}

impl EndpointType {
    /// The type of a destination.
    pub fn of(destination: &Destination) -> Self {
        match destination {
            Destination::Web(_) => Self::Http,
            Destination::Queue(_) => Self::Sqs,
            Destination::Bus(_) => Self::EventBridge,
        }
    }
}

impl fmt::Display for EndpointType {
    /// The name on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A kind of signature in `webhook-signature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SignatureKind {
    /// HMAC-SHA256 with the shared secret.
    V1,
    /// Ed25519 with the private key.
    V1a,
}

/// The signatures that an endpoint chooses: `v1`, and perhaps `v1a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signatures {
    /// Whether `v1a` is among them.
    pub asymmetric: bool,
}

impl CheckedValue for Signatures {
    const NAME: &'static str = "Signatures";

    fn of_json(value: Value) -> Result<Self, String> {
        let names: Option<Vec<&str>> = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
        match names.as_deref() {
            Some(["v1"]) => Ok(Self { asymmetric: false }),
            Some(["v1", "v1a"] | ["v1a", "v1"]) => Ok(Self { asymmetric: true }),
            _ => Err("[\"v1\"] or [\"v1\", \"v1a\"]".to_owned()),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<SignatureKind>(),
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": true,
            "contains": { "const": "v1" },
        })
    }
}

impl CheckedValue for EventFilter {
    const NAME: &'static str = "EventFilter";

    fn of_json(value: Value) -> Result<Self, String> {
        let names = value.as_array().filter(|names| (1..=EVENTS_LIMIT).contains(&names.len()));
        let pattern = |name: &Value| name.as_str().and_then(EventPattern::parse);
        let patterns = names.and_then(|names| names.iter().map(pattern).collect::<Option<Vec<_>>>());
        patterns.map(Self::new).ok_or_else(|| {
            format!(
                "a list of 1 to {EVENTS_LIMIT} events such as `job.completed`, `job.*` or `*`; see \
                 /api/webhooks/event-types"
            )
        })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<EventPatternText>(),
            "minItems": 1,
            "maxItems": EVENTS_LIMIT,
        })
    }
}

/// Additional headers, in their order: a header without a value is removed. `Debug` hides the values.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderChanges(pub Vec<(String, Option<String>)>);

impl fmt::Debug for HeaderChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The most headers that one request adds, changes and removes.
const HEADER_CHANGES: usize = 60;

impl CheckedValue for HeaderChanges {
    const NAME: &'static str = "HeaderChanges";

    fn of_json(value: Value) -> Result<Self, String> {
        let given = value.as_object().ok_or("an object of names and values")?;
        if given.len() > HEADER_CHANGES {
            return Err(format!("at most {HEADER_CHANGES} names at once"));
        }
        let changes = given.iter().map(|(name, value)| header_value(name, value).map(|value| (name.clone(), value)));
        changes.collect::<Result<_, _>>().map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "type": ["string", "null"], "maxLength": HEADER_LIMITS.1, "not": { "const": HIDDEN },
            },
        })
    }
}

/// The value of a header; none to remove it.
fn header_value(name: &str, value: &Value) -> Result<Option<String>, String> {
    let right = || {
        let (names, values) = HEADER_LIMITS;
        let right = format!("names of at most {names} characters and values of at most {values}, in visible ASCII");
        format!("{right}; none of ours (webhook-*) and none of the connection's")
    };
    let lower = name.to_lowercase();
    let is_name = name.len() <= HEADER_LIMITS.0 && is_token(name);
    if !is_name || is_reserved_header(&lower) || CONNECTION_HEADERS.contains(&lower.as_str()) {
        return Err(right());
    }
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text == HIDDEN => Err("the values themselves, not ***".to_owned()),
        Value::String(text) if text.len() <= HEADER_LIMITS.1 && is_field_value(text) => Ok(Some(text.clone())),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(right()),
    }
}

/// HTTP statuses after which a webhook is not retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalStatuses(pub BTreeSet<u16>);

impl CheckedValue for FinalStatuses {
    const NAME: &'static str = "FinalStatuses";

    fn of_json(value: Value) -> Result<Self, String> {
        let status = |value: &Value| whole(value).and_then(|status| u16::try_from(status).ok());
        let status = |value: &Value| status(value).filter(|status| may_be_final(*status));
        let all = value.as_array().and_then(|all| all.iter().map(status).collect::<Option<_>>());
        all.map(Self).ok_or_else(|| format!("a list of statuses {FINAL_STATUSES}"))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "integer", "minimum": 400, "maximum": 499, "not": { "enum": [408, 425, 429] } },
        })
    }
}

/// The receiver's own secret. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(pub String);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl CheckedValue for WebhookSecret {
    const NAME: &'static str = "WebhookSecret";

    fn of_json(value: Value) -> Result<Self, String> {
        let secret = value.as_str().filter(|secret| standard::is_secret(secret));
        let right = || "`whsec_` and the base64 of 24 to 64 bytes; leave it out to have one made".to_owned();
        secret.map(|secret| Self(secret.to_owned())).ok_or_else(right)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^whsec_[A-Za-z0-9+/]+={0,2}$", "maxLength": 94 })
    }
}

/// The text of an ARN. Whether the stack may send there depends on the type of the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnText(pub String);

impl ArnText {
    /// What would be right.
    pub const RIGHT: &'static str = "the ARN of a queue or an event bus";
}

impl CheckedValue for ArnText {
    const NAME: &'static str = "Arn";

    fn of_json(value: Value) -> Result<Self, String> {
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty() && text.chars().count() <= URL_LIMIT);
        text.map(|text| Self(text.to_owned())).ok_or_else(|| Self::RIGHT.to_owned())
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 256 })
    }
}

/// One status or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatuses(pub Vec<DeliveryStatus>);

impl CheckedValue for DeliveryStatuses {
    const NAME: &'static str = "DeliveryStatuses";

    fn of_json(value: Value) -> Result<Self, String> {
        let status = |value: &Value| {
            let name = value.as_str().ok_or_else(|| "a status, or a list of them".to_owned())?;
            DeliveryStatus::of_text(name).ok_or_else(|| DeliveryStatus::RIGHT.to_owned())
        };
        let given = match &value {
            Value::Array(all) if (1..=STATUSES_LIMIT).contains(&all.len()) => {
                all.iter().map(status).collect::<Result<_, _>>()?
            }
            one => vec![status(one)?],
        };
        Ok(Self(statuses(given)))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let status = generator.subschema_for::<DeliveryStatusText>();
        let list = json_schema!({ "type": "array", "items": status, "minItems": 1, "maxItems": STATUSES_LIMIT });
        json_schema!({ "anyOf": [status, list] })
    }
}

/// The data of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventData(pub Map<String, Value>);

impl CheckedValue for EventData {
    const NAME: &'static str = "EventData";

    fn of_json(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err("an object".to_owned())
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl FieldValue for OutboundEvent {
    type Described = EventNameText;
    const RIGHT: &'static str = "an event's name, such as job.completed";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl FieldValue for DeliveryStatus {
    type Described = DeliveryStatusText;
    const RIGHT: &'static str = "one of pending, delivered, exhausted, stopped";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl FieldValue for Subject {
    type Described = String;
    const RIGHT: &'static str = "the id of a job";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

/// The id or the name of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointName(pub String);

impl FieldValue for EndpointName {
    type Described = EndpointNameText;
    const RIGHT: &'static str = "an endpoint's id, or its name such as webhook_1";

    fn of_text(text: &str) -> Option<Self> {
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_word && (1..=64).contains(&text.len())).then(|| Self(text.to_owned()))
    }
}

/// Describes the id or the name of an endpoint.
#[derive(Debug)]
pub struct EndpointNameText;

impl JsonSchema for EndpointNameText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EndpointName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "maxLength": 64, "examples": ["ep_5f0c2b7e9d134a6688e1c07ab2d94f31", "webhook_1"],
        })
    }
}
