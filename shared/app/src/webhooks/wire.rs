//! The bodies of webhooks, and descriptions of their names and ids, as they are written on the wire.

use std::borrow::Cow;

use reelhook_domain::{DeliveryStatus, EventGroup, OutboundEvent, Timestamp};
use reelhook_signing::js_json;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::errors::view::ErrorIdText;
use crate::views::wire::Time;

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
        "description": "What a webhook is about: a job, a video, a project, a scene, an error, or webhooks themselves",
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

/// A webhook in the neutral form of Standard Webhooks: the default of registered endpoints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StandardPayload<'a> {
    /// The name of the event.
    r#type: &'a str,
    /// When it happened.
    timestamp: Time,
    /// What happened; new members may be added.
    #[schemars(with = "Map<String, Value>")]
    data: &'a Value,
}

impl<'a> StandardPayload<'a> {
    /// The payload of an event.
    pub fn new(event: &'a str, data: &'a Value, at: Timestamp) -> Self {
        Self { r#type: event, timestamp: at.into(), data }
    }
}

/// A webhook in StreamGank's form: to the endpoints of WEBHOOK_URLS, and to registered ones that choose it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StreamGankEnvelope<'a> {
    /// The name of the event.
    event: &'a str,
    /// What happened; new members may be added.
    #[schemars(with = "Map<String, Value>")]
    data: &'a Value,
    /// When it happened.
    timestamp: Time,
    /// The name of the endpoint.
    webhook_id: &'a str,
    /// `streamgank`.
    source: &'static str,
}

impl<'a> StreamGankEnvelope<'a> {
    /// The envelope of seed 001; each attempt sends the same.
    pub fn new(event: &'a str, data: &'a Value, at: Timestamp, endpoint_name: &'a str) -> Self {
        Self { event, data, timestamp: at.into(), webhook_id: endpoint_name, source: "streamgank" }
    }
}

/// The text of a [`StandardPayload`] with this data.
pub(crate) fn standard_text(event: &str, data: &str, at: Timestamp) -> String {
    format!(r#"{{"type":"{event}","timestamp":"{at}","data":{data}}}"#)
}

/// The text of a [`StreamGankEnvelope`] with this data.
pub(crate) fn streamgank_text(event: &str, data: &str, at: Timestamp, endpoint_name: &str) -> String {
    let name = js_json::quoted(endpoint_name);
    format!(r#"{{"event":"{event}","data":{data},"timestamp":"{at}","webhook_id":{name},"source":"streamgank"}}"#)
}

/// The data of a webhook to an endpoint whose `payload` is `thin`: ids, the status if there is one, and a path of this
/// API where the rest can be read.
#[derive(Debug, JsonSchema)]
pub struct ThinData<'a> {
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeliveryIdText")]
    delivery_id: Option<&'a str>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    /// The job of a video from scenes.
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    video_job_id: Option<&'a str>,
    /// The endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EndpointIdText")]
    endpoint_id: Option<&'a str>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    /// The scene of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    scene_id: Option<&'a str>,
    /// The error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorIdText")]
    error_id: Option<&'a str>,
    /// Where the rest can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["/api/job/job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"]))]
    href: Option<String>,
    /// The status of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    status: Option<&'a Value>,
}

impl<'a> ThinData<'a> {
    /// The ids and the status in an event's data, and where the rest can be read.
    pub fn of(data: &'a Value) -> Self {
        let id = |name: &str| data[name].as_str();
        let (delivery_id, job_id) = (id("delivery_id"), id("job_id"));
        let (video_job_id, endpoint_id) = (id("jobId"), id("endpoint_id"));
        let (project_id, scene_id, error_id) = (id("project_id"), id("scene_id"), id("error_id"));
        let paths = [
            ("/api/webhooks/deliveries/", delivery_id),
            ("/api/job/", job_id),
            ("/api/job-status/", video_job_id),
            ("/api/webhooks/endpoints/", endpoint_id),
            ("/api/v1/projects/", project_id),
            ("/api/v1/errors/", error_id),
        ];
        let href = paths.into_iter().find_map(|(path, id)| Some(format!("{path}{}", id?)));
        let status = data.get("status");
        Self { delivery_id, job_id, video_job_id, endpoint_id, project_id, scene_id, error_id, href, status }
    }
}

impl Serialize for ThinData<'_> {
    /// The path follows the id that it contains.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { delivery_id, job_id, video_job_id, endpoint_id, project_id, scene_id, error_id, href, status } =
            self;
        let ids = [
            ("delivery_id", delivery_id),
            ("job_id", job_id),
            ("jobId", video_job_id),
            ("endpoint_id", endpoint_id),
            ("project_id", project_id),
            ("scene_id", scene_id),
            ("error_id", error_id),
        ];
        let mut ids = ids.into_iter().filter(|(_, id)| id.is_some());
        let mut members = serializer.serialize_map(None)?;
        if let Some((name, id)) = ids.next() {
            members.serialize_entry(name, id)?;
            members.serialize_entry("href", href)?;
        }
        for (name, id) in ids {
            members.serialize_entry(name, id)?;
        }
        if let Some(status) = status {
            members.serialize_entry("status", status)?;
        }
        members.end()
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::EventPattern;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_described_pattern_is_read_and_every_group_is_there_once() {
        for pattern in patterns() {
            assert_eq!(EventPattern::parse(&pattern).map(|pattern| pattern.to_string()), Some(pattern));
        }
        let groups = ["job", "video", "project", "scene", "clips", "error", "endpoint", "delivery", "webhook"];
        assert_eq!(group_names(), groups);
    }

    #[test]
    fn wait_reasons_are_described_as_they_are_written() {
        use reelhook_domain::WaitReason::{Circuit, Concurrency, Pause, RateLimit, UnknownEndpoint};
        let all = serde_json::to_value([RateLimit, Concurrency, Circuit, Pause, UnknownEndpoint]).unwrap();
        let schema = schemars::schema_for!(WaitReasonText);
        assert_eq!(schema.as_value()["enum"], all);
    }

    #[test]
    fn a_body_from_text_is_that_from_a_value() {
        let at = Timestamp(1_704_110_400_007);
        let data = json!({ "10": 1.0, "text": "\"é\n", "2": [1e21, null], "empty": {} });
        let text = js_json::to_string(&data);
        for event in OutboundEvent::ALL.iter().map(|event| event.name()) {
            let standard = js_json::to_string(&json!(StandardPayload::new(event, &data, at)));
            assert_eq!(standard_text(event, &text, at), standard);
            for name in ["webhook_1", "webhookUrl", "a \"name\"\n", "é"] {
                let envelope = js_json::to_string(&json!(StreamGankEnvelope::new(event, &data, at, name)));
                assert_eq!(streamgank_text(event, &text, at, name), envelope);
            }
        }
    }

    #[test]
    fn bodies_have_their_members_in_the_order_of_the_contract() {
        let at = Timestamp(1_704_110_400_000);
        let data = json!({ "endpoint_id": "ep_1", "delivery_id": "d", "job_id": "j", "status": null, "url": "u" });
        let thin = json!(ThinData::of(&data));
        let text = r#"{"delivery_id":"d","href":"/api/webhooks/deliveries/d","job_id":"j","endpoint_id":"ep_1","status":null}"#;
        assert_eq!(thin.to_string(), text);
        let video = json!({ "status": "completed", "jobId": "v" });
        let of_video = r#"{"jobId":"v","href":"/api/job-status/v","status":"completed"}"#;
        assert_eq!(json!(ThinData::of(&video)).to_string(), of_video);
        let scene = json!({ "project_id": "proj_1", "scene_id": "s", "status": "verified" });
        let of_scene = r#"{"project_id":"proj_1","href":"/api/v1/projects/proj_1","scene_id":"s","status":"verified"}"#;
        assert_eq!(json!(ThinData::of(&scene)).to_string(), of_scene);
        let of_error = r#"{"error_id":"err_1","href":"/api/v1/errors/err_1"}"#;
        assert_eq!(json!(ThinData::of(&json!({ "error_id": "err_1", "message": "m" }))).to_string(), of_error);
        assert_eq!(json!(ThinData::of(&json!({ "job_id": 5 }))), json!({}));
        let (standard, envelope) =
            (StandardPayload::new("e", &data, at), StreamGankEnvelope::new("e", &data, at, "webhook_1"));
        assert_eq!(
            json!(standard).to_string(),
            format!(r#"{{"type":"e","timestamp":"2024-01-01T12:00:00.000Z","data":{data}}}"#)
        );
        assert_eq!(
            json!(envelope).to_string(),
            format!(
                r#"{{"event":"e","data":{data},"timestamp":"2024-01-01T12:00:00.000Z","webhook_id":"webhook_1","source":"streamgank"}}"#
            )
        );
    }
}
