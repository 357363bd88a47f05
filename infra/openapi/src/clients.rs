//! Shapes schemas so that generators of clients make good types of them, without changing what the schemas accept: variants
//! that a field tells apart are schemas of their own, and what is nested has a title, from which generators make its name.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use serde_json::{Map, Value, json};

/// The field that tells variants apart.
const TAG: &str = "type";

/// Shapes the schemas of a document, which are under `path`.
///
/// # Errors
/// If the name of a variant is another schema's.
pub fn shape(schemas: BTreeMap<String, Value>, path: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for (name, mut schema) in schemas {
        name_variants(&name, &mut schema, path, &mut all)?;
        if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
            for one in alternatives {
                let title = kind(one).map(|kind| format!("{name}{kind}"));
                give_title(one, title);
            }
        }
        ensure!(all.insert(name.clone(), schema).is_none(), "a variant is named `{name}`, as another schema is");
    }
    let names: BTreeSet<String> = all.keys().cloned().collect();
    for (name, schema) in &mut all {
        Owner { name, all: &names }.shape(schema);
    }
    Ok(all)
}

/// Makes each variant of a schema a schema of its own, if a constant field tells them apart.
fn name_variants(name: &str, schema: &mut Value, path: &str, all: &mut BTreeMap<String, Value>) -> anyhow::Result<()> {
    let Some(Value::Array(variants)) = schema.get("anyOf") else { return Ok(()) };
    let tags: Option<Vec<Vec<&str>>> = variants.iter().map(tags).collect();
    let Some(tags) = tags.filter(|tags| tags.len() > 1) else { return Ok(()) };
    let (mut references, mut mapping, mut named) = (Vec::new(), Map::new(), Vec::new());
    for (variant, tags) in variants.iter().zip(tags) {
        let own = format!("{name}{}", pascal(&common(&tags)));
        let reference = format!("{path}/{own}");
        mapping.extend(tags.iter().map(|tag| ((*tag).to_owned(), json!(reference))));
        references.push(json!({ "$ref": reference }));
        named.push((own, variant.clone()));
    }
    schema["anyOf"] = json!(references);
    schema["discriminator"] = json!({ "propertyName": TAG, "mapping": mapping });
    for (own, variant) in named {
        ensure!(all.insert(own.clone(), variant).is_none(), "two variants are named `{own}`");
    }
    Ok(())
}

/// The values of the field that tells a variant from others; none if it is optional, or may have any value.
fn tags(variant: &Value) -> Option<Vec<&str>> {
    let is_required = variant["required"].as_array()?.iter().any(|name| name == TAG);
    let tag = variant["properties"].get(TAG).filter(|_| is_required)?;
    match (tag.get("const"), tag.get("enum")) {
        (Some(one), _) => Some(vec![one.as_str()?]),
        (None, Some(Value::Array(names))) => names.iter().map(Value::as_str).collect(),
        (None, _) => None,
    }
}

/// The words with which all names begin, or else the first name: `render` of `render_planned` and `render_waiting`.
fn common(names: &[&str]) -> String {
    let Some((first, others)) = names.split_first() else { return String::new() };
    let words = first.split('_').enumerate();
    let shared = words.take_while(|(at, word)| others.iter().all(|name| name.split('_').nth(*at) == Some(*word)));
    let shared: Vec<&str> = shared.map(|(_, word)| word).collect();
    if shared.is_empty() { (*first).to_owned() } else { shared.join("_") }
}

/// A name in pascal case: `RenderCompleted` for `render_completed`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let mut characters = word.chars();
        characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect::<String>()
    };
    name.split(['_', '-', '.', ' ']).map(capital).collect()
}

/// The schema of the document in which others are nested.
struct Owner<'a> {
    name: &'a str,
    /// The names of all schemas of the document.
    all: &'a BTreeSet<String>,
}

impl Owner<'_> {
    /// Shapes a schema and what it contains.
    fn shape(&self, schema: &mut Value) {
        match schema {
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.shape(entry)),
            Value::Object(keywords) => {
                move_requirements(keywords);
                separate_null(keywords);
                relax_optional_constants(keywords);
                if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
                    properties.iter_mut().for_each(|(name, property)| self.name_nested(name, property));
                }
                keywords.values_mut().for_each(|value| self.shape(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Gives the schemas that are nested in a property titles after its name.
    fn name_nested(&self, name: &str, property: &mut Value) {
        let title = kind(property).map(|_| self.title(name));
        give_title(property, title);
        if let Some(items) = property.get_mut("items") {
            let title = kind(items).map(|_| self.title(name.strip_suffix('s').unwrap_or(name)));
            give_title(items, title);
        }
        if let Some(Value::Array(alternatives)) = property.get_mut("anyOf") {
            alternatives.iter_mut().for_each(|one| self.name_nested(name, one));
        }
    }

    /// A title after the name of a property. Generators put the owner's name before it, which must not become the name of
    /// another schema.
    fn title(&self, property: &str) -> String {
        let title = pascal(property);
        if self.all.contains(&format!("{}{title}", self.name)) { format!("{title}Option") } else { title }
    }
}

/// Alternatives that only require fields stand in `allOf`: beside `properties`, generators read each of them as a type that
/// accepts anything.
fn move_requirements(keywords: &mut Map<String, Value>) {
    let only_require = |alternatives: &Value| {
        let mut each = alternatives.as_array().into_iter().flatten();
        each.all(|one| one.as_object().is_some_and(|one| one.len() == 1 && one.contains_key("required")))
    };
    let fits = keywords.contains_key("properties") && !keywords.contains_key("allOf");
    if fits && keywords.get("anyOf").is_some_and(only_require) {
        let alternatives = keywords.shift_remove("anyOf");
        keywords.insert("allOf".to_owned(), json!([{ "anyOf": alternatives }]));
    }
}

/// Null beside names is an alternative of its own: of a name that is null, generators make a type of its own.
fn separate_null(keywords: &mut Map<String, Value>) {
    let Some(Value::Array(names)) = keywords.get("enum") else { return };
    let others: Vec<Value> = names.iter().filter(|name| !name.is_null()).cloned().collect();
    if others.len() == names.len() || !others.iter().all(Value::is_string) {
        return;
    }
    keywords.shift_remove("enum");
    keywords.shift_remove("type");
    let title = keywords.shift_remove("title");
    let mut named = json!({ "type": "string", "enum": others });
    if let Some(title) = title {
        named["title"] = title;
    }
    keywords.insert("anyOf".to_owned(), json!([named, { "type": "null" }]));
}

/// An optional field with one value: generators compare it with a constant as if it were always there.
fn relax_optional_constants(keywords: &mut Map<String, Value>) {
    let required = keywords.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let Some(Value::Object(properties)) = keywords.get_mut("properties") else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !is_required(name)) {
        let Some(property) = property.as_object_mut() else { continue };
        match property.get("const") {
            Some(Value::Bool(_)) => {
                property.shift_remove("const");
                property.insert("type".to_owned(), json!("boolean"));
            }
            Some(Value::String(text)) => {
                let only = json!([text]);
                property.shift_remove("const");
                property.insert("type".to_owned(), json!("string"));
                property.insert("enum".to_owned(), only);
            }
            Some(_) | None => {}
        }
    }
}

/// What to call a schema that is nested, and is neither a reference nor a simple type.
fn kind(schema: &Value) -> Option<&'static str> {
    let is_object = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
        None => false,
    };
    if is_object || schema.get("properties").is_some() {
        Some("Object")
    } else if schema.get("enum").and_then(Value::as_array).is_some_and(|names| names.iter().any(Value::is_string)) {
        Some("Name")
    } else {
        None
    }
}

/// Adds a title, unless there is one.
fn give_title(schema: &mut Value, title: Option<String>) {
    if let (Some(title), Some(keywords)) = (title, schema.as_object_mut())
        && !keywords.contains_key("title")
    {
        keywords.insert("title".to_owned(), Value::from(title));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(schemas: Value) -> BTreeMap<String, Value> {
        let schemas = schemas.as_object().unwrap().clone().into_iter().collect();
        shape(schemas, "#/s").unwrap()
    }

    #[test]
    fn variants_become_schemas_with_a_discriminator() {
        let variant = |tag: Value| json!({ "type": "object", "required": ["type"], "properties": { "type": tag } });
        let render = variant(json!({ "enum": ["render_planned", "render_waiting"] }));
        let all = shaped(json!({
            "Event": { "anyOf": [variant(json!({ "const": "connected" })), render] },
        }));
        assert_eq!(all.keys().collect::<Vec<_>>(), ["Event", "EventConnected", "EventRender"]);
        let expected = json!({
            "anyOf": [{ "$ref": "#/s/EventConnected" }, { "$ref": "#/s/EventRender" }],
            "discriminator": { "propertyName": "type", "mapping": {
                "connected": "#/s/EventConnected",
                "render_planned": "#/s/EventRender",
                "render_waiting": "#/s/EventRender",
            } },
        });
        assert_eq!(all["Event"], expected);
        assert_eq!(all["EventConnected"]["properties"]["type"]["const"], "connected");
    }

    #[test]
    fn a_variant_with_the_name_of_a_schema_is_refused() {
        let variant = |tag: &str| json!({ "required": ["type"], "properties": { "type": { "const": tag } } });
        let schemas = json!({ "Event": { "anyOf": [variant("a"), variant("b")] }, "EventA": {} });
        let schemas = schemas.as_object().unwrap().clone().into_iter().collect();
        assert!(shape(schemas, "#/s").is_err());
    }

    #[test]
    fn alternatives_without_a_constant_field_stay() {
        let union = json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/s/B" }] });
        assert_eq!(shaped(json!({ "A": union }))["A"], union);
    }

    #[test]
    fn requirements_stand_beside_the_fields() {
        let fields = json!({ "url": { "type": "string" }, "arn": { "type": "string" } });
        let either = json!([{ "required": ["url"] }, { "required": ["arn"] }]);
        let all = shaped(json!({ "A": { "properties": fields, "anyOf": either } }));
        assert_eq!(all["A"], json!({ "properties": fields, "allOf": [{ "anyOf": either }] }));
    }

    #[test]
    fn what_is_nested_has_a_title() {
        let all = shaped(json!({
            "A": { "properties": {
                "rateLimit": { "type": ["object", "null"], "properties": {} },
                "keys": { "type": "array", "items": { "type": "object", "properties": {} } },
                "waits_for": { "type": ["string", "null"], "enum": ["rate", null] },
                "plain": { "type": "string" },
                "more": { "const": true },
            } },
            "B": { "anyOf": [{ "type": "string" }, { "type": "object", "properties": {} }] },
        }));
        let fields = &all["A"]["properties"];
        assert_eq!(
            (&fields["rateLimit"]["title"], &fields["keys"]["items"]["title"]),
            (&json!("RateLimit"), &json!("Key"))
        );
        let waits = json!([{ "type": "string", "enum": ["rate"], "title": "WaitsFor" }, { "type": "null" }]);
        assert_eq!(fields["waits_for"], json!({ "anyOf": waits }));
        assert_eq!(fields["plain"], json!({ "type": "string" }));
        assert_eq!(fields["more"], json!({ "type": "boolean" }));
        assert_eq!(all["B"]["anyOf"][1]["title"], "BObject");
    }

    #[test]
    fn a_title_is_not_the_name_of_another_schema() {
        let kinds = json!({ "type": "string", "enum": ["a"] });
        let all = shaped(json!({ "Scene": { "properties": { "type": kinds } }, "SceneType": kinds }));
        assert_eq!(all["Scene"]["properties"]["type"]["title"], "TypeOption");
    }
}
