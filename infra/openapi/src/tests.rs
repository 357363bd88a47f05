//! Tests of the description: it is valid, it has every route, and its examples fit its schemas.

use serde_json::Value;

use crate::document::describe;

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
