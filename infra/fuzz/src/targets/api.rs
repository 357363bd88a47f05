//! Requests by the API's description: every operation, and bodies that follow its schemas or nearly do.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::input::Input;

/// The description that the API serves.
const DESCRIPTION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/pages/openapi/openapi.json"));
/// The depth of generated values.
const DEPTH: usize = 14;

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// The method in upper case.
    pub method: String,
    /// The path template.
    pub path: String,
    /// The names and schemas of query parameters.
    pub query: Vec<(String, Value)>,
    /// The media types and schemas of its body.
    pub bodies: Vec<(String, Value)>,
}

/// The API's description.
#[derive(Debug)]
pub struct Api {
    description: Value,
    operations: Vec<Operation>,
}

/// The API.
///
/// # Panics
/// When the description is not one.
pub fn api() -> &'static Api {
    static API: OnceLock<Api> = OnceLock::new();
    API.get_or_init(|| Api::read(serde_json::from_str(DESCRIPTION).expect("the description is JSON")))
}

impl Api {
    fn read(description: Value) -> Self {
        let mut operations = Vec::new();
        for (path, methods) in description["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                if operation.is_object() {
                    operations.push(Operation::read(method, path, operation));
                }
            }
        }
        assert!(operations.len() > 100, "the description has {} operations", operations.len());
        Self { description, operations }
    }

    /// The operations whose paths have one of these beginnings.
    pub fn below(&self, beginnings: &[&str]) -> Vec<&Operation> {
        let fits = |operation: &&Operation| beginnings.iter().any(|beginning| operation.path.starts_with(beginning));
        self.operations.iter().filter(fits).collect()
    }

    /// A value that follows a schema, except where the input says otherwise.
    pub fn value(&self, schema: &Value, input: &mut Input<'_>) -> Value {
        self.at(schema, input, 0)
    }

    fn at(&self, schema: &Value, input: &mut Input<'_>, depth: usize) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        if input.rarely(24) {
            return input.json(2);
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let found = self.description.pointer(reference.trim_start_matches('#'));
            return found.map_or(Value::Null, |found| self.at(found, input, depth + 1));
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        for name in ["enum", "examples"] {
            let known = schema[name].as_array().filter(|known| !known.is_empty());
            if let Some(known) = known.filter(|_| name == "enum" || input.flag()) {
                return input.pick(known).clone();
            }
        }
        let is_object = schema.get("properties").is_some();
        for name in ["oneOf", "anyOf"] {
            let choices = schema[name].as_array().filter(|choices| !choices.is_empty() && !is_object);
            if let Some(choices) = choices {
                let chosen = input.pick(choices);
                return self.at(chosen, input, depth + 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let own = self.object(schema, input, depth);
            let members = parts.iter().filter_map(|part| match self.at(part, input, depth + 1) {
                Value::Object(members) => Some(members),
                _ => None,
            });
            return Value::Object(std::iter::once(own).chain(members.collect::<Vec<_>>()).flatten().collect());
        }
        let kind = match &schema["type"] {
            Value::String(kind) => kind.as_str(),
            Value::Array(kinds) if !kinds.is_empty() => input.pick(kinds).as_str().unwrap_or("null"),
            _ if is_object => "object",
            _ => return input.json(2),
        };
        match kind {
            "object" => Value::Object(self.object(schema, input, depth)),
            "array" => {
                let count = input.below(4);
                (0..count).map(|_| self.at(&schema["items"], input, depth + 1)).collect()
            }
            "integer" | "number" => number(schema, input),
            "boolean" => input.flag().into(),
            "string" => match schema.get("contentSchema") {
                Some(inner) => self.at(inner, input, depth + 1).to_string().into(),
                None => text(schema, input).into(),
            },
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, input: &mut Input<'_>, depth: usize) -> Map<String, Value> {
        let mut members = Map::new();
        let required = schema["required"].as_array();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required.is_some_and(|required| required.iter().any(|known| known == name));
            let is_there = if is_required { !input.rarely(32) } else { input.rarely(2) };
            if is_there {
                members.insert(name.clone(), self.at(member, input, depth + 1));
            }
        }
        if schema["additionalProperties"].is_object() && input.flag() {
            let value = self.at(&schema["additionalProperties"], input, depth + 1);
            members.insert(input.text(), value);
        }
        if input.rarely(32) {
            members.insert(input.text(), input.json(2));
        }
        members
    }
}

impl Operation {
    fn read(method: &str, path: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let query = parameters.filter(|parameter| parameter["in"] == "query");
        let query = query.filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["schema"].clone())));
        let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
        Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            query: query.collect(),
            bodies: bodies.map(|(media_type, body)| (media_type.clone(), body["schema"].clone())).collect(),
        }
    }
}

/// A number about the bounds of a schema.
fn number(schema: &Value, input: &mut Input<'_>) -> Value {
    let bound = |name: &str| schema[name].as_i64();
    let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(1000));
    match input.below(6) {
        0 => least.into(),
        1 => most.into(),
        2 => input.pick(&[least.saturating_sub(1), most.saturating_add(1)]).to_owned().into(),
        3 => (input.whole() as f64 / 3.0).into(),
        4 => input.whole().into(),
        _ => least.saturating_add(i64::from(input.byte())).min(most).into(),
    }
}

fn text(schema: &Value, input: &mut Input<'_>) -> String {
    let most = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
    match most.filter(|most| *most <= 4096 && input.rarely(8)) {
        Some(most) => "é".repeat(most + input.below(2)),
        None => input.text(),
    }
}
