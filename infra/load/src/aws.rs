//! DynamoDB, SQS and SSM as far as the dispatcher calls them: every condition holds, and nothing is kept but counts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::stand_ins::Shared;

/// Settings by name, as SSM has them; all others are unset.
pub type Parameters = BTreeMap<&'static str, String>;

/// What was asked for and written.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    delivered: HashSet<String>,
    logged: HashSet<String>,
}

/// What one operation took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Operation {
    calls: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// The same as numbers.
#[derive(Debug, Serialize)]
pub struct Written {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    /// Deliveries that were saved as delivered.
    delivered: u64,
    /// Deliveries with a try whose outcome was written down.
    logged: u64,
}

impl Calls {
    /// What was called by now.
    pub fn written(&self) -> Written {
        let counted = self.0.lock().expect("nobody panics with it");
        Written {
            connections: counted.connections,
            operations: counted.operations.clone(),
            delivered: counted.delivered.len() as u64,
            logged: counted.logged.len() as u64,
        }
    }

    /// Counts a connection.
    pub fn connected(&self) {
        self.0.lock().expect("nobody panics with it").connections += 1;
    }

    fn count(&self, name: &str, bytes_in: usize, bytes_out: usize, rows: Vec<Value>) {
        let mut counted = self.0.lock().expect("nobody panics with it");
        let operation = counted.operations.entry(name.to_owned()).or_default();
        operation.calls += 1;
        operation.bytes_in += bytes_in as u64;
        operation.bytes_out += bytes_out as u64;
        for row in rows {
            let Some(id) = row.get("id").or(row.get("delivery_id")).and_then(Value::as_str) else { continue };
            if row["status"] == "delivered" {
                counted.delivered.insert(id.to_owned());
            }
            // The newest try stands in the delivery, others in rows of their own.
            if row["last"]["result"].is_object() || row["result"].is_object() {
                counted.logged.insert(id.to_owned());
            }
        }
    }
}

/// One route for everything: the operation is a header.
pub fn routes(shared: Shared) -> Router {
    Router::new().route("/", post(call)).with_state(shared)
}

async fn call(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = target.rsplit('.').next().unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let known = answer(&shared, name, &request);
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let text = known.unwrap_or_else(|| json!({ "__type": "UnknownOperationException" })).to_string();
    let mut rows = Vec::new();
    aggregates(&request, &mut rows);
    shared.calls.count(name, body.len(), text.len(), rows);
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], text).into_response()
}

fn answer(shared: &Shared, name: &str, request: &Value) -> Option<Value> {
    Some(match name {
        "BatchGetItem" => batch_get_item(shared, &request["RequestItems"]),
        "GetItem" => match shared.webhooks.item(&request["Key"]) {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        },
        // What is kept of an endpoint is as if it had never been called.
        "UpdateItem" => match request["ReturnValues"].as_str() {
            None | Some("NONE") => json!({}),
            Some(_) => json!({ "Attributes": request["Key"] }),
        },
        "PutItem" | "TransactWriteItems" => json!({}),
        "BatchWriteItem" => json!({ "UnprocessedItems": {} }),
        "BatchExecuteStatement" => {
            let statements = request["Statements"].as_array().map(Vec::as_slice).unwrap_or_default();
            let answers: Vec<Value> = statements.iter().map(|one| json!({ "TableName": table_of(one) })).collect();
            json!({ "Responses": answers })
        }
        "SendMessage" => json!({ "MessageId": "sent", "MD5OfMessageBody": "unchecked" }),
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
            let sent =
                |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": "unchecked" });
            json!({ "Successful": entries.iter().map(sent).collect::<Vec<_>>(), "Failed": [] })
        }
        "GetParameters" => get_parameters(shared, &request["Names"]),
        _ => return None,
    })
}

fn batch_get_item(shared: &Shared, requested: &Value) -> Value {
    let mut responses = Map::new();
    for (table, wanted) in requested.as_object().into_iter().flatten() {
        let keys = wanted["Keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        responses.insert(table.clone(), keys.iter().filter_map(|key| shared.webhooks.item(key)).collect());
    }
    json!({ "Responses": responses, "UnprocessedKeys": {} })
}

fn get_parameters(shared: &Shared, names: &Value) -> Value {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for full in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let name = full.rsplit('/').next().unwrap_or_default();
        match shared.parameters.get(name) {
            Some(value) => found.push(json!({ "Name": full, "Type": "SecureString", "Value": value })),
            None => missing.push(full),
        }
    }
    json!({ "Parameters": found, "InvalidParameters": missing })
}

/// The table that a PartiQL statement names, in quotation marks.
fn table_of(statement: &Value) -> &str {
    statement["Statement"].as_str().and_then(|text| text.split('"').nth(1)).unwrap_or_default()
}

/// Every aggregate in a request, in whichever kind of write: they stand as JSON in texts.
fn aggregates(request: &Value, found: &mut Vec<Value>) {
    match request {
        Value::String(text) if text.starts_with('{') => found.extend(serde_json::from_str::<Value>(text)),
        Value::Array(values) => values.iter().for_each(|value| aggregates(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| aggregates(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_found_in_any_kind_of_write() {
        let check = |request: Value, delivered: u64, logged: u64| {
            let calls = Calls::default();
            let mut rows = Vec::new();
            aggregates(&request, &mut rows);
            calls.count("any", 1, 2, rows);
            let written = calls.written();
            assert_eq!((written.delivered, written.logged), (delivered, logged), "{request}");
        };
        let put = |body: &str| json!({ "Item": { "body": { "S": body } } });
        check(put(r#"{"id":"1","status":"delivered","last":{"result":{"status":200}}}"#), 1, 1);
        check(put(r#"{"id":"1","status":"pending","last":{"number":1}}"#), 0, 0);
        check(put(r#"{"delivery_id":"1","result":{"status":200}}"#), 0, 1);
        check(json!({ "Statements": [{ "Parameters": [{ "S": r#"{"id":"1","status":"delivered"}"# }] }] }), 1, 0);
        check(put("no JSON"), 0, 0);
    }

    #[test]
    fn a_statement_names_its_table() {
        assert_eq!(table_of(&json!({ "Statement": r#"UPDATE "Deliveries" SET x = ?"# })), "Deliveries");
    }
}
