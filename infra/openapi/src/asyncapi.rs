//! The description of messages (AsyncAPI 3.0): webhooks, live streams, and WebSocket connections, from the same types as the
//! API's description.

use std::collections::BTreeMap;

use anyhow::Context as _;
use reelhook_app::live::messages::{Control, Update};
use reelhook_app::live::protocol::described;
use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::clients;
use crate::common;
use crate::document::{SCHEMAS, answers, webhook_payload};
use crate::examples::Examples;
use crate::families;
use crate::operation::Operation;
use crate::polish::polish;

/// The media type of streams.
const STREAM: &str = "text/event-stream";

/// The channels, operations and messages of the document.
#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
}

/// The description.
///
/// # Errors
/// If an example can't be read, or a type has another form than this expects.
pub fn describe() -> anyhow::Result<Value> {
    let (mut generator, mut parts) = (answers(), Parts::default());
    parts.webhooks(&mut generator, &Examples::read()?);
    parts.live(&mut generator)?;
    for operation in families::operations() {
        parts.stream(&mut generator, &operation);
    }
    let mut schemas: BTreeMap<String, Value> = generator.take_definitions(true).into_iter().collect();
    schemas.values_mut().for_each(|schema| polish(schema, true));
    let mut schemas = clients::shape(schemas, &format!("#{SCHEMAS}"))?;
    schemas.values_mut().for_each(name_discriminator);
    let mut info = common::info();
    if let Some(info) = info.as_object_mut() {
        // AsyncAPI has no summary, and wants a URL of a license.
        info.shift_remove("summary");
        info.shift_remove("license");
    }
    info["description"] = json!(ABOUT);
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": parts.channels,
        "operations": parts.operations,
        "components": { "messages": parts.messages, "schemas": schemas, "securitySchemes": security_schemes() },
    }))
}

impl Parts {
    fn webhooks(&mut self, generator: &mut SchemaGenerator, examples: &Examples) {
        let headers = headers_schema();
        let mut names = Vec::new();
        for webhook in families::webhooks() {
            let mut message = json!({
                "name": webhook.event,
                "summary": webhook.about,
                "headers": headers,
                "payload": payload(webhook_payload(generator, &webhook)),
            });
            if let Some(example) = examples.webhook(webhook.event) {
                message["examples"] = json!([{ "payload": example }]);
            }
            names.push(webhook.event);
            self.messages.insert(webhook.event.to_owned(), message);
        }
        let about = "The URL of an endpoint, by POST. A queue or an event bus may be an endpoint, too";
        self.channel(
            "webhooks",
            json!({ "address": null, "servers": [server("receiver")], "description": about }),
            &names,
        );
        let method = json!({ "http": { "method": "POST" } });
        self.operation("sendWebhook", "send", "webhooks", "Notify an endpoint of an event", &names);
        self.operations["sendWebhook"]["bindings"] = method;
    }

    fn live(&mut self, generator: &mut SchemaGenerator) -> anyhow::Result<()> {
        let mut from_clients = Vec::new();
        for (action, schema) in described() {
            from_clients.push(action);
            self.messages.insert(action.to_owned(), json!({ "name": action, "payload": schema }));
        }
        generator.subschema_for::<Control<'static>>();
        let control = generator.definitions_mut().remove("LiveControl").context("the type of control messages")?;
        let kinds = control["oneOf"].as_array().context("control messages have kinds")?;
        let mut from_us = vec!["update".to_owned()];
        let update = payload(json!(generator.subschema_for::<Update<'static>>()));
        self.messages.insert("update".to_owned(), json!({ "name": "update", "payload": update }));
        for kind in kinds {
            let name = kind["properties"]["type"]["const"].as_str().context("a control message has a type")?;
            from_us.push(name.to_owned());
            self.messages.insert(name.to_owned(), json!({ "name": name, "payload": payload(kind.clone()) }));
        }
        let from_us: Vec<&str> = from_us.iter().map(String::as_str).collect();
        let all: Vec<&str> = from_clients.iter().chain(&from_us).copied().collect();
        let query = json!({ "type": "object", "required": ["token"], "properties": {
            "token": { "type": "string", "description": "From POST /api/stream-token" },
        } });
        let channel = json!({
            "address": "/live",
            "servers": [server("live")],
            "description": "One connection follows many jobs, projects and owners (docs/contract/live.md)",
            "bindings": { "ws": { "method": "GET", "query": query } },
        });
        self.channel("live", channel, &all);
        self.operation("receiveLive", "receive", "live", "Take what a client wants to follow", &from_clients);
        self.operation("sendLive", "send", "live", "Send what happens to it", &from_us);
        Ok(())
    }

    /// The stream of an operation, if it answers with one.
    fn stream(&mut self, generator: &mut SchemaGenerator, of: &Operation) {
        let mut contents = of.answers.iter().filter_map(|answer| answer.content.as_ref());
        let Some(content) = contents.find(|content| content.media_type == STREAM) else { return };
        let stream = json!((content.schema)(generator));
        let data = payload(stream["contentSchema"].clone());
        let message = format!("{}Event", of.id);
        let described = json!({ "name": message, "contentType": "application/json", "payload": data });
        self.messages.insert(message.clone(), described);
        let parameters = of.parameters.iter().filter(|parameter| parameter.place == "path");
        let parameters: Map<String, Value> =
            parameters.map(|one| (one.name.to_owned(), json!({ "description": one.about }))).collect();
        let mut channel = json!({
            "address": of.path,
            "servers": [server("api")],
            "description": "Server-sent events; the data of each is a message",
        });
        if !parameters.is_empty() {
            channel["parameters"] = Value::Object(parameters);
        }
        self.channel(of.id, channel, &[&message]);
        self.operation(&format!("{}Live", of.id), "send", of.id, of.summary, &[&message]);
        self.operations[&format!("{}Live", of.id)]["bindings"] = json!({ "http": { "method": "GET" } });
    }

    fn channel(&mut self, name: &str, mut channel: Value, messages: &[&str]) {
        let messages = messages
            .iter()
            .map(|message| ((*message).to_owned(), json!({ "$ref": format!("#/components/messages/{message}") })));
        channel["messages"] = Value::Object(messages.collect());
        self.channels.insert(name.to_owned(), channel);
    }

    fn operation(&mut self, name: &str, action: &str, channel: &str, summary: &str, messages: &[&str]) {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| json!({ "$ref": format!("#/channels/{channel}/messages/{message}") }))
            .collect();
        let operation = json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{channel}") },
            "summary": summary,
            "messages": messages,
        });
        self.operations.insert(name.to_owned(), operation);
    }
}

/// A schema that stands where it is used, polished as those of the components are.
fn payload(mut schema: Value) -> Value {
    polish(&mut schema, true);
    schema
}

/// In AsyncAPI a discriminator is the name of a field.
fn name_discriminator(schema: &mut Value) {
    let name = schema.get("discriminator").and_then(|discriminator| discriminator.get("propertyName")).cloned();
    if let Some(name) = name {
        schema["discriminator"] = name;
    }
}

/// The headers of a webhook as one schema.
fn headers_schema() -> Value {
    let described = common::webhook_headers();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for header in described.as_array().into_iter().flatten() {
        let name = header["name"].as_str().unwrap_or_default();
        let mut schema = header["schema"].clone();
        schema["description"] = header["description"].clone();
        properties.insert(name.to_owned(), schema);
        if header["required"] == true {
            required.push(name);
        }
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn server(name: &str) -> Value {
    json!({ "$ref": format!("#/servers/{name}") })
}

fn servers() -> Value {
    let stack = |about: &str| json!({ "description": about });
    let key = |name: &str| json!({ "$ref": format!("#/components/securitySchemes/{name}") });
    json!({
        "receiver": {
            "host": "{receiver}",
            "protocol": "https",
            "description": "A receiver of webhooks",
            "variables": { "receiver": stack("The host of an endpoint's URL") },
        },
        "api": {
            "host": "{api}",
            "protocol": "https",
            "description": "The API, or the Function URL of streams",
            "variables": { "api": stack("The host of the output ApiUrl or StreamUrl") },
            "security": [key("bearer"), key("apiKey"), key("streamToken")],
        },
        "live": {
            "host": "{live}",
            "protocol": "wss",
            "description": "WebSocket connections",
            "variables": { "live": stack("The host of the output LiveUrl") },
            "security": [key("streamToken")],
        },
    })
}

fn security_schemes() -> Value {
    let all = common::security_schemes();
    let mut kept = Map::new();
    for name in ["bearer", "apiKey", "streamToken"] {
        let mut scheme = all[name].clone();
        // AsyncAPI names a key in a header or a query otherwise.
        if scheme["type"] == "apiKey" {
            scheme["type"] = json!("httpApiKey");
        }
        kept.insert(name.to_owned(), scheme);
    }
    Value::Object(kept)
}

const ABOUT: &str = "What Reelhook sends by itself: webhooks, live streams, and messages over WebSocket connections. \
                     The calls of its API are in `/openapi.json`.\n\nWebhooks are delivered at least once and without \
                     order; `webhook-id` stays the same over retries. Verify `webhook-signature` over the raw body. A \
                     live event has an `id` or a `cursor`, from which a client continues after it was cut off.\n\n\
                     Schemas list all that this version sends; later ones may add members.";

#[cfg(test)]
mod tests {
    use reelhook_app::live::protocol::parse;

    use super::*;

    #[test]
    fn every_reference_resolves_and_every_message_is_sent_or_received() {
        let document = describe().unwrap();
        let (mut open, mut named) = (vec![&document], Vec::new());
        while let Some(value) = open.pop() {
            if let Some(path) = value.get("$ref").and_then(Value::as_str) {
                let pointer = path.strip_prefix('#').expect("a local reference");
                assert!(document.pointer(pointer).is_some(), "{path}");
                named.push(path.to_owned());
            }
            match value {
                Value::Object(members) => open.extend(members.values()),
                Value::Array(entries) => open.extend(entries),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        for name in document["components"]["messages"].as_object().expect("messages").keys() {
            assert!(named.contains(&format!("#/components/messages/{name}")), "{name} is in no channel");
        }
        for event in families::webhooks() {
            assert!(document["channels"]["webhooks"]["messages"].get(event.event).is_some(), "{}", event.event);
        }
    }

    /// Whether a value fits the payload of a message.
    fn fits(document: &Value, message: &str, value: &Value) -> bool {
        let payload = &document["components"]["messages"][message]["payload"];
        let schema = json!({ "allOf": [payload], "components": document["components"] });
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
        options.build(&schema).expect("a schema").is_valid(value)
    }

    #[test]
    fn examples_of_webhooks_fit_their_messages() {
        let document = describe().unwrap();
        for (event, body) in &Examples::read().unwrap().webhooks {
            assert!(fits(&document, event, body), "{event}");
        }
    }

    #[test]
    fn a_clients_message_fits_its_schema_exactly_if_it_is_read() {
        let document = describe().unwrap();
        for (message, value) in [
            ("subscribe", json!({ "action": "subscribe", "jobId": "job_1" })),
            ("subscribe", json!({ "action": "subscribe", "projectId": "proj_1", "cursor": "12.0", "more": 1 })),
            ("subscribe", json!({ "action": "subscribe", "owner": "ann" })),
            ("subscribe", json!({ "action": "subscribe", "owner": "ann", "cursor": "12.0" })),
            ("subscribe", json!({ "action": "subscribe", "jobId": "job_1", "cursor": "x" })),
            ("subscribe", json!({ "action": "subscribe", "jobId": "a", "projectId": "b" })),
            ("subscribe", json!({ "action": "subscribe" })),
            ("unsubscribe", json!({ "action": "unsubscribe", "jobId": "job_1" })),
            ("unsubscribe", json!({ "action": "unsubscribe" })),
            ("ping", json!({ "action": "ping" })),
            ("ping", json!({ "action": "pong" })),
        ] {
            assert_eq!(fits(&document, message, &value), parse(&value.to_string()).is_ok(), "{value}");
        }
    }

    #[test]
    fn what_is_sent_over_a_connection_fits_its_message() {
        use reelhook_app::live::messages::{error, heartbeat, pong, reconnect, reset, subscribed, unsubscribed};
        use reelhook_app::live::protocol::Refusal;
        use reelhook_app::live::topic::Topic;
        use reelhook_app::watch::Cursor;
        use reelhook_domain::{Subject, Timestamp};

        let (document, now) = (describe().unwrap(), Timestamp(1_704_110_400_000));
        let job = Topic::parse("job_1").expect("a topic");
        for (message, text) in [
            ("pong", pong(now)),
            ("heartbeat", heartbeat(now)),
            ("reconnect", reconnect(std::time::Duration::from_secs(2), now)),
            ("subscribed", subscribed(&job, Cursor::parse("7"), now)),
            ("unsubscribed", unsubscribed(&job, now)),
            ("reset", reset(&Subject::parse("job_1").expect("a subject"), now)),
            ("error", error(Refusal::UnknownAction, now)),
        ] {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(fits(&document, message, &value), "{text}");
        }
    }

    #[test]
    fn the_description_of_messages_is_up_to_date() {
        let known = include_str!("../../../docs/contract/asyncapi.json");
        let written = serde_json::to_string_pretty(&describe().unwrap()).unwrap();
        assert!(known == format!("{written}\n"), "run `cargo xtask openapi`");
    }
}
