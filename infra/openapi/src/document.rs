//! Builds the description: schemas, operations, webhooks, and what all operations have in common.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use reelhook_app::webhooks::wire::{StandardPayload, StreamGankEnvelope, ThinData};
use reelhook_http::access::audience::is_for_owners;
use reelhook_http::callback::CallbackError;
use reelhook_http::clips::problem::ClipErrorBody;
use reelhook_http::problem::{ErrorBody, Problem};
use reelhook_http::projects::problem::ProjectErrorBody;
use reelhook_http::videos::problem::VideoErrorBody;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::callback;
use crate::clients;
use crate::codes;
use crate::common;
use crate::examples::Examples;
use crate::families;
use crate::operation::{Access, Answer, Callback, Content, Errors, Operation, Parameter, SchemaOf, Webhook};
use crate::polish::{not_null, polish};

/// Where the schemas are in the document.
pub(crate) const SCHEMAS: &str = "/components/schemas";

/// What builds the document.
struct Builder {
    /// Describes what callers send: absent fields have defaults.
    requests: SchemaGenerator,
    /// Describes what Reelhook sends: fields are there unless they are skipped.
    answers: SchemaGenerator,
    examples: Examples,
    /// The types of query parameters by name. They are no schemas of the document, and several operations may have one.
    queries: BTreeMap<String, Value>,
    /// The responses with errors, by name.
    errors: BTreeMap<String, Value>,
    /// Statuses by code.
    statuses: BTreeMap<&'static str, BTreeSet<u16>>,
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    })
}

/// Describes what Reelhook sends.
pub(crate) fn answers() -> SchemaGenerator {
    settings().for_serialize().into_generator()
}

/// The description.
///
/// # Errors
/// If two types have one name, an operation names an unknown code, or an example can't be read.
pub fn describe() -> anyhow::Result<Value> {
    let mut statuses: BTreeMap<&'static str, BTreeSet<u16>> = BTreeMap::new();
    for (code, status) in Problem::CODES.into_iter().flatten() {
        statuses.entry(code).or_default().insert(*status);
    }
    let mut builder = Builder {
        requests: settings().for_deserialize().into_generator(),
        answers: answers(),
        examples: Examples::read()?,
        queries: BTreeMap::new(),
        errors: BTreeMap::new(),
        statuses,
    };
    let mut paths = Map::new();
    for operation in families::operations() {
        let described = builder.operation(&operation).with_context(|| operation.id.to_owned())?;
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = described;
    }
    let webhooks: Map<String, Value> =
        families::webhooks().iter().map(|webhook| (webhook.event.to_string(), builder.webhook(webhook))).collect();
    let headers = common::headers();
    let examples: Map<String, Value> =
        builder.examples.errors().map(|(name, body)| (name, json!({ "value": body }))).collect();
    let schemas = merged(builder.requests.take_definitions(true), builder.answers.take_definitions(true))?;
    Ok(json!({
        "openapi": "3.1.0",
        "info": common::info(),
        "servers": [{ "url": "/", "description": "The server of this document" }],
        "security": security(Access::Key),
        "tags": common::tags(),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "securitySchemes": common::security_schemes(),
            "headers": headers,
            "responses": builder.errors,
            "examples": examples,
            "schemas": schemas,
        },
    }))
}

/// The schemas of both directions, sorted by name.
fn merged(mut requests: Map<String, Value>, mut answers: Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    requests.values_mut().for_each(|schema| polish(schema, false));
    answers.values_mut().for_each(|schema| polish(schema, true));
    let mut all: BTreeMap<String, Value> = requests.into_iter().collect();
    for (name, schema) in answers {
        match all.get(&name) {
            Some(known) if *known != schema => bail!("requests and answers describe `{name}` differently"),
            Some(_) => {}
            None => drop(all.insert(name, schema)),
        }
    }
    Ok(clients::shape(all, &format!("#{SCHEMAS}"))?.into_iter().collect())
}

impl Builder {
    fn operation(&mut self, of: &Operation) -> anyhow::Result<Value> {
        let mut described = json!({ "tags": [of.tag], "operationId": of.id, "summary": of.summary });
        if let Some(about) = of.about {
            described["description"] = json!(about);
        }
        if !matches!(of.access, Access::Key | Access::Page) {
            described["security"] = security(of.access);
        }
        let mut parameters: Vec<Value> = of.parameters.iter().map(|one| self.parameter(one)).collect();
        if let Some(query) = of.query {
            parameters.extend(self.query(query)?);
        }
        if !parameters.is_empty() {
            described["parameters"] = json!(parameters);
        }
        if !of.body.is_empty() {
            let example = self.examples.request(of.id).cloned();
            let content: Map<String, Value> =
                of.body.iter().map(|content| self.content(true, content, example.as_ref())).collect();
            described["requestBody"] = json!({ "required": !of.body_is_optional, "content": content });
        }
        let mut responses = Map::new();
        for answer in &of.answers {
            responses.insert(answer.status.to_string(), self.answer(of.id, answer));
        }
        for (status, codes) in self.codes(of)? {
            responses.insert(status.to_string(), self.error(of.errors, status, &codes)?);
        }
        described["responses"] = Value::Object(responses);
        if !of.callbacks.is_empty() {
            described["callbacks"] = callback::describe(&of.callbacks, |callback| self.callback_content(callback));
        }
        Ok(described)
    }

    fn parameter(&mut self, of: &Parameter) -> Value {
        json!({
            "name": of.name,
            "in": of.place,
            "required": of.place == "path",
            "description": of.about,
            "schema": (of.schema)(&mut self.requests),
        })
    }

    /// The query parameters: one for each field of a type.
    fn query(&mut self, schema: SchemaOf) -> anyhow::Result<Vec<Value>> {
        let schema = schema(&mut self.requests);
        let name =
            schema.as_value()["$ref"].as_str().and_then(|path| path.rsplit_once('/')).map(|(_, name)| name.to_owned());
        let name = name.context("query parameters are a struct")?;
        if let Some(definition) = self.requests.definitions_mut().remove(&name) {
            self.queries.insert(name.clone(), definition);
        }
        let definition = self.queries.get(&name).context("query parameters are a struct")?;
        let fields = definition["properties"].as_object().cloned().unwrap_or_default();
        let described = fields.into_iter().map(|(name, mut schema)| {
            polish(&mut schema, false);
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            // A parameter is absent, never null.
            json!({ "name": name, "in": "query", "required": false, "description": about, "schema": not_null(schema) })
        });
        Ok(described.collect())
    }

    fn content(&mut self, is_request: bool, of: &Content, example: Option<&Value>) -> (String, Value) {
        let generator = if is_request { &mut self.requests } else { &mut self.answers };
        let mut content = json!({ "schema": (of.schema)(generator) });
        // A form is described by its schema alone.
        if let Some(example) = example.filter(|_| matches!(of.media_type, "application/json" | "text/event-stream")) {
            content["example"] = example.clone();
        }
        (of.media_type.to_owned(), content)
    }

    fn answer(&mut self, id: &str, of: &Answer) -> Value {
        let mut described = json!({ "description": of.about });
        if !of.headers.is_empty() {
            let headers = of.headers.iter().map(|name| ((*name).to_owned(), header(name)));
            described["headers"] = Value::Object(headers.collect());
        }
        if let Some(content) = &of.content {
            let example = self.examples.answer(id, of.status).cloned();
            let (media_type, content) = self.content(false, content, example.as_ref());
            described["content"] = json!({ media_type: content });
        }
        described
    }

    /// The codes of an operation's errors by status.
    fn codes(&self, of: &Operation) -> anyhow::Result<BTreeMap<u16, Vec<&'static str>>> {
        let mut codes = of.codes.clone();
        if !of.body.is_empty() {
            codes.extend(["bad_json", "no_object", "bad_encoding", "body_too_large", "unsupported_encoding"]);
        }
        codes.extend(match of.access {
            Access::Open => &[][..],
            // Pages and streams count for no rate limit. With AUTH=none, pages of other origins can't read either.
            Access::Page => &["foreign_page", "foreign_host"],
            Access::Stream => &["unauthorized", "foreign_page", "foreign_host"],
            Access::Key | Access::Link | Access::Worker => {
                &["unauthorized", "foreign_page", "foreign_host", "rate_limited"]
            }
        });
        let accepts_owners = matches!(of.access, Access::Key | Access::Link | Access::Stream);
        if accepts_owners && !is_for_owners(of.method, of.path) {
            codes.push("operator_only");
        }
        if !of.is_stateless {
            codes.extend(["internal", "busy"]);
        }
        let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for code in codes {
            let statuses = self.statuses.get(code).with_context(|| format!("unknown code `{code}`"))?;
            for status in statuses {
                let known = by_status.entry(*status).or_default();
                if !known.contains(&code) {
                    known.push(code);
                }
            }
        }
        Ok(by_status)
    }

    /// A reference to the response with an error that has one of these codes.
    fn error(&mut self, form: Errors, status: u16, codes: &[&'static str]) -> anyhow::Result<Value> {
        let (schema, name) = match form {
            Errors::StreamGank | Errors::Page => (self.answers.subschema_for::<ErrorBody<'static>>(), "streamgank"),
            Errors::VidBuilder => (self.answers.subschema_for::<VideoErrorBody<'static>>(), "vidbuilder"),
            Errors::Project => (self.answers.subschema_for::<ProjectErrorBody<'static>>(), "projects"),
            Errors::Clip => (self.answers.subschema_for::<ClipErrorBody<'static>>(), "clips"),
            Errors::Callback => (self.answers.subschema_for::<CallbackError>(), "callbacks"),
        };
        // API Gateway has errors of its own.
        let schema = match status {
            413 | 429 | 500 | 503 => {
                json!({ "anyOf": [schema, self.answers.subschema_for::<common::GatewayError>()] })
            }
            _ => json!(schema),
        };
        let examples: Map<String, Value> = codes
            .iter()
            .filter(|code| self.examples.error(name, code).is_some())
            .map(|code| ((*code).to_owned(), json!({ "$ref": format!("#/components/examples/{name}.{code}") })))
            .collect();
        let mut content = json!({ "schema": schema });
        if !examples.is_empty() {
            content["examples"] = Value::Object(examples);
        }
        let mut described = json!({ "description": codes::listed(codes), "content": { "application/json": content } });
        if form == Errors::Page {
            described["content"]["text/html"] = json!({ "schema": { "type": "string" } });
        }
        let headers: Map<String, Value> =
            common::error_headers(status).iter().map(|name| ((*name).to_owned(), header(name))).collect();
        if !headers.is_empty() {
            described["headers"] = Value::Object(headers);
        }
        let name = codes::response_name(form, codes);
        let known = self.errors.entry(name.clone()).or_insert_with(|| described.clone());
        ensure!(*known == described, "two responses are named `{name}`");
        Ok(json!({ "$ref": format!("#/components/responses/{name}") }))
    }

    /// The body of a callback: the data of an event.
    fn callback_content(&mut self, of: &Callback) -> Value {
        let mut content = json!({ "schema": (of.data)(&mut self.answers) });
        if let Some(data) = self.examples.webhook(of.event).and_then(|example| example.get("data")) {
            content["example"] = data.clone();
        }
        content
    }

    fn webhook(&mut self, of: &Webhook) -> Value {
        let mut content = json!({ "schema": webhook_payload(&mut self.answers, of) });
        if let Some(example) = self.examples.webhook(of.event) {
            content["example"] = example.clone();
        }
        json!({
            "post": {
                "tags": ["webhooks"],
                "operationId": format!("on{}", codes::pascal_case(of.event)),
                "summary": of.about,
                "security": [],
                "parameters": common::webhook_headers(),
                "requestBody": { "required": true, "content": { "application/json": content } },
                "responses": {
                    "2XX": { "description": "The webhook was accepted; the body does not matter" },
                    "410": { "description": "The receiver wants no more webhooks: its endpoint is disabled" },
                    "default": { "description": "The delivery is retried" },
                },
            },
        })
    }
}

/// The schema of a webhook's body, in one of its two forms.
pub(crate) fn webhook_payload(answers: &mut SchemaGenerator, of: &Webhook) -> Value {
    let (data, thin) = ((of.data)(answers), answers.subschema_for::<ThinData>());
    let data = json!({ "anyOf": [data, thin] });
    let standard = answers.subschema_for::<StandardPayload>();
    let envelope = answers.subschema_for::<StreamGankEnvelope>();
    let standard = json!({ "allOf": [standard, { "properties": { "type": { "const": of.event }, "data": data } }] });
    let envelope = json!({ "allOf": [envelope, { "properties": { "event": { "const": of.event }, "data": data } }] });
    json!({ "anyOf": [standard, envelope] })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn security(access: Access) -> Value {
    let mut schemes = vec!["bearer", "basic", "apiKey", "session"];
    match access {
        Access::Open => return json!([]),
        Access::Key | Access::Page => {}
        Access::Link => schemes.push("linkToken"),
        Access::Stream => schemes.push("streamToken"),
        Access::Worker => schemes.extend(["streamgankSignature", "webhookSignature", "standardWebhooks"]),
    }
    json!(schemes.iter().map(|scheme| json!({ *scheme: [] })).collect::<Vec<_>>())
}
