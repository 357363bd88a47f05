//! The operations of DynamoDB, SQS and SSM that the measured functions call: every condition holds, and only counts and
//! the calls of one event are kept.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::items;
use crate::rows::Rows;

/// Settings in SSM by name; all others are unset.
pub type Parameters = BTreeMap<&'static str, String>;

/// Finds the item with a key.
type Items = Box<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

/// The stand-in of AWS.
pub struct Aws {
    items: Items,
    parameters: Parameters,
    endpoints: Rows,
    counts: Mutex<Counts>,
    calls: Mutex<Vec<Call>>,
}

/// A call of DynamoDB, as it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    operation: String,
    request: Value,
}

impl fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Aws").field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Counts {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    delivered: HashSet<String>,
    attempted: HashSet<String>,
}

/// Calls and bytes of one operation.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Operation {
    calls: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// Numbers of calls and stored results.
#[derive(Debug, Serialize)]
pub struct Stored {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    /// Deliveries that were stored as delivered.
    delivered: u64,
    /// Deliveries with a stored attempt and its result.
    attempted: u64,
}

impl Aws {
    /// AWS with these items and settings.
    pub fn new(items: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static, parameters: Parameters) -> Self {
        Self {
            items: Box::new(items),
            parameters,
            endpoints: Rows::default(),
            counts: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// Forgets the calls of the event before.
    pub fn begin(&self) {
        self.calls.lock().expect("no thread panics while it holds the lock").clear();
    }

    /// The calls of DynamoDB since the last event began.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no thread panics while it holds the lock").clone()
    }

    /// The item with a key, as it was given or as it was updated.
    fn item(&self, key: &Value) -> Option<Value> {
        (self.items)(key).or_else(|| self.endpoints.row(key))
    }

    /// The numbers so far.
    pub fn stored(&self) -> Stored {
        let counts = self.counts();
        Stored {
            connections: counts.connections,
            operations: counts.operations.clone(),
            delivered: counts.delivered.len() as u64,
            attempted: counts.attempted.len() as u64,
        }
    }

    /// Counts a connection.
    pub fn connected(&self) {
        self.counts().connections += 1;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no thread panics while it holds the lock")
    }
}

impl Counts {
    fn add(&mut self, name: &str, bytes_in: usize, bytes_out: usize, rows: Vec<Value>) {
        let operation = self.operations.entry(name.to_owned()).or_default();
        operation.calls += 1;
        operation.bytes_in += bytes_in as u64;
        operation.bytes_out += bytes_out as u64;
        for row in rows {
            let Some(id) = row.get("id").or(row.get("delivery_id")).and_then(Value::as_str) else { continue };
            if row["status"] == "delivered" {
                self.delivered.insert(id.to_owned());
            }
            // The newest attempt is part of the delivery; earlier ones have their own rows.
            if row["last"]["result"].is_object() || row["result"].is_object() {
                self.attempted.insert(id.to_owned());
            }
        }
    }
}

/// The only route: a header names the operation.
pub fn routes(aws: Arc<Aws>) -> Router {
    Router::new().route("/", post(call)).with_state(aws)
}

async fn call(State(aws): State<Arc<Aws>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = target.rsplit('.').next().unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let known = response(&aws, name, &request);
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let text = known.unwrap_or_else(|| json!({ "__type": "UnknownOperationException" })).to_string();
    let mut rows = Vec::new();
    aggregates(&request, &mut rows);
    aws.counts().add(name, body.len(), text.len(), rows);
    if target.starts_with("DynamoDB") {
        let call = Call { operation: name.to_owned(), request };
        aws.calls.lock().expect("no thread panics while it holds the lock").push(call);
    }
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], text).into_response()
}

fn response(aws: &Aws, name: &str, request: &Value) -> Option<Value> {
    Some(match name {
        "BatchGetItem" => batch_get_item(aws, &request["RequestItems"]),
        "GetItem" => match aws.item(&request["Key"]) {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        },
        "UpdateItem" => {
            let row = match request["TableName"].as_str() {
                Some("Endpoints") => aws.endpoints.update(request),
                _ => request["Key"].clone(),
            };
            match request["ReturnValues"].as_str() {
                None | Some("NONE") => json!({}),
                Some(_) => json!({ "Attributes": row }),
            }
        }
        "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
        "PutItem" | "TransactWriteItems" => json!({}),
        "BatchWriteItem" => json!({ "UnprocessedItems": {} }),
        "BatchExecuteStatement" => {
            let statements = request["Statements"].as_array().map(Vec::as_slice).unwrap_or_default();
            let responses: Vec<Value> = statements.iter().map(|one| json!({ "TableName": table_of(one) })).collect();
            json!({ "Responses": responses })
        }
        "SendMessage" => json!({ "MessageId": "sent", "MD5OfMessageBody": "unchecked" }),
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
            let sent =
                |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": "unchecked" });
            json!({ "Successful": entries.iter().map(sent).collect::<Vec<_>>(), "Failed": [] })
        }
        "GetParameters" => get_parameters(aws, &request["Names"]),
        _ => return None,
    })
}

fn batch_get_item(aws: &Aws, requested: &Value) -> Value {
    let mut responses = Map::new();
    for (table, query) in requested.as_object().into_iter().flatten() {
        let keys = query["Keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = keys.iter().filter_map(|key| aws.item(key)).map(|item| projected(item, query));
        responses.insert(table.clone(), found.collect());
    }
    json!({ "Responses": responses, "UnprocessedKeys": {} })
}

/// The attributes of an item that a query asks for.
fn projected(mut item: Value, query: &Value) -> Value {
    if let (Some(expression), Some(attributes)) = (query["ProjectionExpression"].as_str(), item.as_object_mut()) {
        let names = &query["ExpressionAttributeNames"];
        let wanted: Vec<&str> = expression.split(", ").map(|part| names[part].as_str().unwrap_or(part)).collect();
        attributes.retain(|name, _| wanted.contains(&name.as_str()));
    }
    item
}

fn get_parameters(aws: &Aws, names: &Value) -> Value {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for full in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let name = full.rsplit('/').next().unwrap_or_default();
        match aws.parameters.get(name) {
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

/// Every aggregate in a request, in any kind of write: aggregates are JSON in strings, and deliveries are compressed.
fn aggregates(request: &Value, found: &mut Vec<Value>) {
    match request {
        Value::String(text) if text.starts_with('{') => found.extend(serde_json::from_str::<Value>(text)),
        Value::Array(values) => values.iter().for_each(|value| aggregates(value, found)),
        Value::Object(fields) => match fields.get("B").and_then(Value::as_str) {
            Some(body) => found.extend(items::delivery(body)),
            None => fields.values().for_each(|value| aggregates(value, found)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_in_any_kind_of_write() {
        let check = |request: Value, delivered: usize, attempted: usize| {
            let mut counts = Counts::default();
            let mut rows = Vec::new();
            aggregates(&request, &mut rows);
            counts.add("any", 1, 2, rows);
            let found = (counts.delivered.len(), counts.attempted.len());
            assert_eq!(found, (delivered, attempted), "{request}");
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
