//! Schemas that accept only members that they name. The description itself lets receivers expect new ones.

use serde_json::{Map, Value, json};

/// How many references are followed to find out whether a schema names members.
const DEPTH: u8 = 8;

/// The schemas of a description, by name.
pub(super) struct Strict {
    open: Map<String, Value>,
    strict: Map<String, Value>,
}

impl Strict {
    /// These schemas, made strict.
    pub(super) fn new(schemas: &Value) -> Self {
        let open = schemas.as_object().cloned().unwrap_or_default();
        let mut strict = open.clone();
        strict.values_mut().for_each(|schema| close_within(schema, &open));
        Self { open, strict }
    }

    /// A schema that accepts only members that it names, with those that it refers to.
    pub(super) fn schema(&self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        close(&mut schema, &self.open);
        json!({ "allOf": [schema], "components": { "schemas": self.strict } })
    }
}

/// Refuses members of objects that neither the schema itself nor one that it consists of names. What it consists of is
/// not closed by itself: each part names only some of the members.
fn close(schema: &mut Value, all: &Map<String, Value>) {
    close_within(schema, all);
    if names_members(schema, all, DEPTH)
        && let Value::Object(keywords) = schema
    {
        keywords.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
}

/// Closes the schemas of members and of entries.
fn close_within(schema: &mut Value, all: &Map<String, Value>) {
    let Value::Object(keywords) = schema else { return };
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(members)) => {
                members.values_mut().for_each(|member| close(member, all));
            }
            ("items" | "additionalProperties", value) => close(value, all),
            ("prefixItems", Value::Array(entries)) => entries.iter_mut().for_each(|entry| close(entry, all)),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| close_within(part, all));
            }
            _ => {}
        }
    }
}

/// Whether a schema names members, and no alternative accepts any object.
fn names_members(schema: &Value, all: &Map<String, Value>, depth: u8) -> bool {
    let Some(keywords) = schema.as_object().filter(|_| depth > 0) else { return false };
    let names = |schema: &Value| names_members(schema, all, depth - 1);
    let parts = |keyword: &str| keywords.get(keyword).and_then(Value::as_array).into_iter().flatten();
    let target = keywords.get("$ref").and_then(Value::as_str).and_then(|path| all.get(path.rsplit('/').next()?));
    if keywords.contains_key("properties") || keywords.contains_key("patternProperties") || target.is_some_and(names) {
        return true;
    }
    let alternatives = || parts("anyOf").chain(parts("oneOf"));
    let accepts_any = |schema: &Value| accepts_objects(schema) && !names(schema);
    parts("allOf").any(names) || alternatives().any(names) && !alternatives().any(accepts_any)
}

/// Whether a schema by itself accepts objects.
fn accepts_objects(schema: &Value) -> bool {
    const LIMITS: [&str; 7] = ["$ref", "allOf", "anyOf", "oneOf", "const", "enum", "required"];
    let Value::Object(keywords) = schema else { return *schema == Value::Bool(true) };
    match keywords.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
        None => !LIMITS.iter().any(|limit| keywords.contains_key(*limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemas_that_name_members_are_closed_and_only_at_the_outside() {
        let all = json!({ "A": { "properties": { "a": {} } }, "Any": { "type": "object" } });
        let all = all.as_object().unwrap();
        let check = |mut schema: Value, expected: Value| {
            close(&mut schema, all);
            assert_eq!(schema, expected);
        };
        let (a, any) = (json!({ "$ref": "#/components/schemas/A" }), json!({ "$ref": "#/components/schemas/Any" }));
        let closed_a = json!({ "$ref": "#/components/schemas/A", "unevaluatedProperties": false });
        check(a.clone(), closed_a.clone());
        check(any.clone(), any.clone());
        check(json!(true), json!(true));
        check(json!({ "type": "string" }), json!({ "type": "string" }));
        check(json!({ "items": a }), json!({ "items": closed_a }));
        check(
            json!({ "allOf": [a, { "properties": { "b": a } }] }),
            json!({ "allOf": [a, { "properties": { "b": closed_a } }], "unevaluatedProperties": false }),
        );
        check(
            json!({ "anyOf": [a, { "type": "null" }] }),
            json!({ "anyOf": [a, { "type": "null" }], "unevaluatedProperties": false }),
        );
        for open in [json!({ "anyOf": [a, { "type": "object" }] }), json!({ "anyOf": [a, true] })] {
            check(open.clone(), open);
        }
    }
}
