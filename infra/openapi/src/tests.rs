//! Tests of the description: it is valid, it has every example, and its examples fit its schemas.

use serde_json::{Map, Value};

use crate::codes;
use crate::conformance::Conformance;
use crate::document::describe;
use crate::examples::Examples;

/// Answers without an example: the operation, the status, and why.
const WITHOUT_EXAMPLE: [(&str, &str, &str); 3] = [
    ("getMetrics", "200", "its numbers are other ones in each minute"),
    ("getOpenApi", "200", "the answer is this description"),
    ("recoverDeliveries", "202", "only a recovery of thousands of deliveries takes longer than its first call"),
];
/// Codes without an example: of a broken or a full stack, of one that requires no key, or of one that has owners or limits of
/// a day. Other tests provoke them.
const NOT_PROVOKED: [&str; 8] = [
    "busy",
    "daily_limit",
    "foreign_host",
    "internal",
    "no_secrets_key",
    "operator_only",
    "too_many_cuts",
    "too_many_endpoints",
];

#[test]
fn every_reference_resolves() {
    let document = describe().unwrap();
    let mut open = vec![&document];
    let mut checked = 0;
    while let Some(value) = open.pop() {
        if let Some(path) = value.get("$ref").and_then(Value::as_str) {
            let pointer = path.strip_prefix('#').expect("a local reference");
            assert!(document.pointer(pointer).is_some(), "{path}");
            checked += 1;
        }
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(entries) => open.extend(entries),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(checked > 5, "{checked}");
}

/// The operations of a description, by id.
fn operations(document: &Value) -> Map<String, Value> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.values().filter_map(Value::as_object).flat_map(Map::values);
    operations.map(|one| (one["operationId"].as_str().expect("an id").to_owned(), one.clone())).collect()
}

/// What a value refers to, or the value.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    reference.map_or(value, |pointer| document.pointer(pointer).expect("a local reference"))
}

/// The content of a body or an answer that has examples.
fn content(of: &Value) -> Option<&Value> {
    let content = &of["content"];
    content.get("application/json").or_else(|| content.get("text/event-stream"))
}

#[test]
fn every_operation_every_code_and_every_webhook_has_an_example() {
    let document = describe().unwrap();
    let mut missing = Vec::new();
    for (id, operation) in operations(&document) {
        let body = content(&operation["requestBody"]);
        missing.extend(body.filter(|body| body.get("example").is_none()).map(|_| format!("{id}: request")));
        for (status, answer) in operation["responses"].as_object().expect("responses") {
            let answer = resolved(&document, answer);
            let Some(content) = content(answer) else { continue };
            if status.starts_with('2') {
                let is_exception = WITHOUT_EXAMPLE.iter().any(|(known, of, _)| (*known, *of) == (&*id, &**status));
                if content.get("example").is_some() == is_exception {
                    missing.push(format!("{id}: {status}{}", if is_exception { " is no exception" } else { "" }));
                }
                continue;
            }
            let without = codes::of_response(answer)
                .filter(|code| content["examples"].get(code).is_none() && !NOT_PROVOKED.contains(code));
            missing.extend(without.map(|code| format!("{id}: {status} {code}")));
        }
    }
    for (event, webhook) in document["webhooks"].as_object().expect("webhooks") {
        if webhook.pointer("/post/requestBody/content/application~1json/example").is_none() {
            missing.push(event.clone());
        }
    }
    assert!(missing.is_empty(), "run the end-to-end test `examples` with REELHOOK_UPDATE_DOCS=1: {missing:#?}");
}

#[test]
fn every_example_fits_its_schema() {
    let document = describe().unwrap();
    let (examples, conformance) = (Examples::read().unwrap(), Conformance::new(document.clone()));
    let mut faults = Vec::new();
    let mut check = |name: String, result: anyhow::Result<()>| {
        faults.extend(result.err().map(|fault| format!("{name}: {fault}")));
    };
    for (id, example) in &examples.operations {
        if let Some(body) = &example.request {
            check(format!("{id}, request"), conformance.request(id, body));
        }
        for (status, body) in &example.answers {
            check(format!("{id}, {status}"), conformance.answer(id, status, body));
        }
    }
    for (event, body) in &examples.webhooks {
        check(event.clone(), conformance.webhook(event, body));
    }
    for (id, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().expect("responses") {
            let errors =
                resolved(&document, answer).pointer("/content/application~1json/examples").and_then(Value::as_object);
            for (code, error) in errors.into_iter().flatten() {
                check(
                    format!("{id}, {status}, {code}"),
                    conformance.answer(&id, status, &resolved(&document, error)["value"]),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_served_description_is_up_to_date() {
    let served = include_str!("../../../functions/pages/openapi/openapi.json");
    assert!(served == crate::text().unwrap(), "run `cargo xtask openapi`");
}
