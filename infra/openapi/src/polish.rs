//! Makes generated schemas easier to read, without changing what they accept.

use serde_json::{Map, Value, json};

/// Polishes a schema and all that it contains. In answers, a field that may be absent is never null.
pub fn polish(schema: &mut Value, is_answer: bool) {
    match schema {
        Value::Array(entries) => entries.iter_mut().for_each(|entry| polish(entry, is_answer)),
        Value::Object(members) => {
            remove_integer_format(members);
            join_lines(members);
            collapse_constants(members);
            if is_answer {
                forbid_null_where_absent(members);
            }
            members.values_mut().for_each(|member| polish(member, is_answer));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A schema that does not accept null.
pub fn not_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema.get_mut("type").and_then(Value::as_array_mut) {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
        // Generators of clients stumble over an optional constant.
        if let [Value::Bool(_)] = values.as_slice() {
            schema.as_object_mut().into_iter().for_each(|schema| drop(schema.remove("enum")));
            schema["type"] = json!("boolean");
        }
    }
    let Some(kinds) = schema.get_mut("anyOf").and_then(Value::as_array_mut) else { return schema };
    kinds.retain(|kind| *kind != json!({ "type": "null" }));
    if let [one] = kinds.as_slice() {
        let mut one = one.clone();
        if let Some(about) = schema.get("description") {
            one["description"] = about.clone();
        }
        return one;
    }
    schema
}

/// `uint64` and the like say nothing to JSON.
fn remove_integer_format(schema: &mut Map<String, Value>) {
    let is_integer = |format: &str| format.trim_start_matches('u').starts_with("int");
    if schema.get("format").and_then(Value::as_str).is_some_and(is_integer) {
        schema.shift_remove("format");
    }
}

/// A description is one paragraph of the source, which breaks lines.
fn join_lines(schema: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
}

/// Alternatives that are all names become an `enum`.
fn collapse_constants(schema: &mut Map<String, Value>) {
    let Some(kinds) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let names: Option<Vec<Value>> = kinds
        .iter()
        .map(|kind| match (kind.get("const"), kind.get("enum")) {
            (Some(name), _) => Some(vec![name.clone()]),
            (None, Some(Value::Array(names))) => Some(names.clone()),
            (None, _) => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|names| names.concat());
    if let Some(names) = names.filter(|names| names.iter().all(Value::is_string)) {
        schema.shift_remove("oneOf");
        schema.insert("type".to_owned(), json!("string"));
        schema.insert("enum".to_owned(), Value::Array(names));
    }
}

fn forbid_null_where_absent(schema: &mut Map<String, Value>) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        let is_required = required.as_array().is_some_and(|names| names.iter().any(|known| known == name));
        if !is_required {
            *property = not_null(property.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_field_of_an_answer_is_never_null() {
        let mut schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": { "type": ["integer", "null"], "format": "uint8" },
                "b": { "type": ["integer", "null"], "format": "int64" },
                "c": { "anyOf": [{ "$ref": "#/x" }, { "type": "null" }], "description": "One\nline." },
                "d": { "enum": [true, null] },
            },
        });
        polish(&mut schema, true);
        let expected = json!({
            "a": { "type": ["integer", "null"] },
            "b": { "type": "integer" },
            "c": { "$ref": "#/x", "description": "One line." },
            "d": { "type": "boolean" },
        });
        assert_eq!(schema["properties"], expected);
    }

    #[test]
    fn documented_names_become_an_enum() {
        let mut schema =
            json!({ "oneOf": [{ "type": "string", "const": "a" }, { "type": "string", "enum": ["b", "c"] }] });
        polish(&mut schema, false);
        assert_eq!(schema, json!({ "type": "string", "enum": ["a", "b", "c"] }));
    }
}
