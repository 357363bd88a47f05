//! Moves errors that several operations share to the components of the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Replaces each error response that occurs more than once by a reference, and returns these responses by name.
pub fn share(paths: &mut Map<String, Value>) -> Map<String, Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, response) in errors(paths) {
        *counts.entry(response.to_string()).or_default() += 1;
    }
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut shared = Map::new();
    for (status, response) in errors(paths) {
        let text = response.to_string();
        if counts.get(&text).is_none_or(|count| *count == 1) {
            continue;
        }
        let name = names.entry(text).or_insert_with(|| {
            let number = shared.keys().filter(|name: &&String| name.starts_with(&format!("Error{status}"))).count();
            let name = if number == 0 { format!("Error{status}") } else { format!("Error{status}_{}", number + 1) };
            shared.insert(name.clone(), response.clone());
            name
        });
        *response = json!({ "$ref": format!("#/components/responses/{name}") });
    }
    shared
}

/// The error responses of all operations, with their statuses.
fn errors(paths: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    let responses = operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut());
    responses.flat_map(|responses| responses.iter_mut()).filter(|(status, _)| status.starts_with(['4', '5']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_several_operations_is_shared_and_the_others_stay() {
        let mut paths = json!({
            "/a": { "get": { "responses": { "200": 1, "401": { "x": 1 }, "404": { "y": 1 } } } },
            "/b": { "get": { "responses": { "401": { "x": 1 } } }, "post": { "responses": { "401": { "x": 2 } } } },
            "/c": { "post": { "responses": { "401": { "x": 2 } } } },
        });
        let shared = share(paths.as_object_mut().unwrap());
        assert_eq!(Value::Object(shared), json!({ "Error401": { "x": 1 }, "Error401_2": { "x": 2 } }));
        let responses = |path: &str, method: &str| paths[path][method]["responses"].clone();
        let reference = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
        assert_eq!(responses("/a", "get"), json!({ "200": 1, "401": reference("Error401"), "404": { "y": 1 } }));
        assert_eq!(responses("/b", "post"), json!({ "401": reference("Error401_2") }));
    }
}
