//! Describes the names and ids of webhooks, and the data that thin webhooks keep, as they are written on the wire.

use std::borrow::Cow;

use reelhook_domain::{DeliveryStatus, EventGroup, OutboundEvent};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

/// Declares types that describe texts. An inline description stands in each place, another one among the schemas.
macro_rules! texts {
    ($(
        $(#[$about:meta])*
        $name:ident, $schema_name:literal, inline: $inline:literal, $schema:expr;
    )+) => { $(
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                $inline
            }

            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+ };
}

texts! {
    /// Describes the id of an endpoint.
    EndpointIdText, "EndpointId", inline: false, json_schema!({
        "type": "string",
        "description": "A hash of the URL for an endpoint of WEBHOOK_URLS, so that the order of URLs does not matter; \
                        random for a registered one. `cb_…`, the `webhookUrl` of a video, is only in webhooks and \
                        deliveries",
        "pattern": "^(ep|cb)_[0-9a-f]{32}$",
        "examples": ["ep_5f0c2b7e9d134a6688e1c07ab2d94f31"],
    });
    /// Describes the id of a delivery.
    DeliveryIdText, "DeliveryId", inline: true, json_schema!({
        "type": "string", "format": "uuid", "examples": ["5f0c2b7e-9d13-5a66-88e1-c07ab2d94f31"],
    });
    /// Describes the `webhook-id` of a delivery.
    WebhookIdText, "WebhookId", inline: true, json_schema!({ "type": "string", "pattern": "^msg_[0-9a-f]{32}$" });
    /// Describes the id of a recovery.
    RecoveryIdText, "RecoveryId", inline: true, json_schema!({
        "type": "string", "pattern": "^rec_[0-9a-f]{32}$", "examples": ["rec_5f0c2b7e9d134a6688e1c07ab2d94f31"],
    });
    /// Describes the id of a secret.
    SecretIdText, "SecretId", inline: true, json_schema!({ "type": "string", "pattern": "^sec_[0-9a-f]{32}$" });
    /// Describes a public key in the form of Standard Webhooks.
    PublicKeyText, "PublicKey", inline: true, json_schema!({
        "type": "string", "pattern": "^whpk_[A-Za-z0-9+/]{43}=$",
    });
    /// Describes the name of an event.
    EventNameText, "EventName", inline: false, json_schema!({
        "type": "string",
        "description": "What a webhook is about: a job, a video, or webhooks themselves",
        "enum": event_names(),
    });
    /// Describes an entry of an endpoint's filter.
    EventPatternText, "EventPattern", inline: false, json_schema!({
        "type": "string",
        "description": "The name of an event, all events of a group, or all events",
        "enum": patterns(),
    });
    /// Describes what an event is about.
    EventGroupText, "EventGroup", inline: true, json_schema!({ "type": "string", "enum": group_names() });
    /// Describes the status of a delivery.
    DeliveryStatusText, "DeliveryStatus", inline: false, json_schema!({
        "type": "string",
        "description": "`exhausted`: every attempt failed, or a response was final; `stopped`: the endpoint is \
                        disabled or deleted, or a later webhook replaces this one",
        "enum": [
            DeliveryStatus::Pending.name(),
            DeliveryStatus::Delivered.name(),
            DeliveryStatus::Exhausted.name(),
            DeliveryStatus::Stopped.name(),
        ],
    });
    /// Describes why a delivery waits.
    WaitReasonText, "WaitReason", inline: true, json_schema!({
        "type": "string", "enum": ["rate", "line", "circuit", "pause", "settings"],
    });
}

fn event_names() -> Vec<&'static str> {
    OutboundEvent::ALL.iter().map(|event| event.name()).collect()
}

/// The names of all groups, in the order of their events.
fn group_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = OutboundEvent::ALL.iter().map(|event| event.group()).map(EventGroup::name).collect();
    names.dedup();
    names
}

fn patterns() -> Vec<String> {
    let groups = group_names().into_iter().map(|name| format!("{name}.*"));
    let names = event_names().into_iter().map(str::to_owned);
    std::iter::once("*".to_owned()).chain(groups).chain(names).collect()
}

/// The data of a webhook to an endpoint whose `payload` is `thin`: ids, the status if there is one, and a path of this
/// API where the rest can be read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ThinData {
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeliveryIdText")]
    pub delivery_id: Option<String>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The job of a video from scenes.
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    pub video_job_id: Option<String>,
    /// The endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EndpointIdText")]
    pub endpoint_id: Option<String>,
    /// Where the rest can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["/api/job/job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"]))]
    pub href: Option<String>,
    /// The status of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub status: Option<Value>,
}

#[cfg(test)]
mod tests {
    use reelhook_domain::EventPattern;

    use super::*;

    #[test]
    fn every_described_pattern_is_read_and_every_group_is_there_once() {
        for pattern in patterns() {
            assert_eq!(EventPattern::parse(&pattern).map(|pattern| pattern.to_string()), Some(pattern));
        }
        assert_eq!(group_names(), ["job", "video", "endpoint", "delivery", "webhook"]);
    }

    #[test]
    fn wait_reasons_are_described_as_they_are_written() {
        use reelhook_domain::WaitReason::{Circuit, Concurrency, Pause, RateLimit, UnknownEndpoint};
        let all = serde_json::to_value([RateLimit, Concurrency, Circuit, Pause, UnknownEndpoint]).unwrap();
        let schema = schemars::schema_for!(WaitReasonText);
        assert_eq!(schema.as_value()["enum"], all);
    }
}
