//! Rows that the dispatcher changes attribute by attribute: those of the Endpoints table.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Map, Value, json};

/// The rows by the text of their key `id`.
#[derive(Debug, Default)]
pub struct Rows(Mutex<BTreeMap<String, Map<String, Value>>>);

impl Rows {
    /// The row with this key, if there is one.
    pub fn row(&self, key: &Value) -> Option<Value> {
        self.rows().get(key["id"]["S"].as_str()?).cloned().map(Value::Object)
    }

    /// Makes an update, whose condition always holds since there is one dispatcher, and returns the new row.
    pub fn update(&self, request: &Value) -> Value {
        let id = request["Key"]["id"]["S"].as_str().unwrap_or_default();
        let mut rows = self.rows();
        let row = rows.entry(id.to_owned()).or_insert_with(|| request["Key"].as_object().cloned().unwrap_or_default());
        let expression = request["UpdateExpression"].as_str().unwrap_or_default();
        let name = |placeholder: &str| {
            request["ExpressionAttributeNames"][placeholder].as_str().unwrap_or(placeholder).to_owned()
        };
        let value = |placeholder: &str| request["ExpressionAttributeValues"][placeholder].clone();
        let mut clause = "";
        for part in expression.split(", ").flat_map(words) {
            match part {
                Part::Clause(word) => clause = word,
                Part::Change(change) => apply(row, clause, change, name, value),
            }
        }
        Value::Object(row.clone())
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Map<String, Value>>> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}

enum Part<'a> {
    Clause(&'a str),
    Change(&'a str),
}

/// The parts between two commas: the end of one clause, and perhaps the beginning of the next.
fn words(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let found = ["SET ", "ADD ", "REMOVE "].iter().filter_map(|word| Some((rest.find(word)?, *word))).min();
        let Some((at, word)) = found else { break };
        parts.extend(Some(rest[..at].trim()).filter(|before| !before.is_empty()).map(Part::Change));
        parts.push(Part::Clause(word.trim()));
        rest = &rest[at + word.len()..];
    }
    parts.extend(Some(rest.trim()).filter(|rest| !rest.is_empty()).map(Part::Change));
    parts
}

fn apply(
    row: &mut Map<String, Value>,
    clause: &str,
    change: &str,
    name: impl Fn(&str) -> String,
    value: impl Fn(&str) -> Value,
) {
    match (clause, change.split_once(' ')) {
        ("SET", Some((left, right))) => {
            row.insert(name(left), value(right.trim_start_matches("= ")));
        }
        ("ADD", Some((left, right))) => {
            let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            let sum = row.get(&name(left)).map_or(0, number) + number(&value(right));
            row.insert(name(left), json!({ "N": sum.to_string() }));
        }
        ("REMOVE", None) => {
            row.shift_remove(&name(change));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_sets_adds_and_removes() {
        let rows = Rows::default();
        let key = json!({ "id": { "S": "ep_1" } });
        assert_eq!(rows.row(&key), None);
        let request = |expression: &str| {
            json!({
                "Key": key,
                "UpdateExpression": expression,
                "ExpressionAttributeNames": { "#n0": "revision", "#n1": "slot_1", "#n2": "window_used" },
                "ExpressionAttributeValues": { ":v0": { "N": "2" }, ":v1": { "S": "1 9" }, ":v2": { "N": "10" } },
            })
        };
        rows.update(&request("SET #n1 = :v1, #n2 = :v2 ADD #n0 :v0"));
        let both = rows.update(&request("SET #n2 = :v2 ADD #n0 :v0 REMOVE #n1"));
        assert_eq!(both, json!({ "id": { "S": "ep_1" }, "window_used": { "N": "10" }, "revision": { "N": "4" } }));
        assert_eq!(rows.row(&key), Some(both));
    }
}
