//! Batches of which only some entries are carried out: how a request is shortened, and what the answer says of the rest.

use serde_json::{Map, Value, json};

/// A batch that is cut in two.
#[derive(Debug)]
pub struct Split {
    /// The request with the entries that are carried out; none if there are none.
    pub kept: Option<Value>,
    operation: Operation,
    dropped: Value,
    is_kept: Vec<bool>,
    detail: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    BatchWriteItem,
    BatchGetItem,
    BatchExecuteStatement,
    MessageBatch,
    PutEvents,
}

impl Operation {
    fn of(name: &str) -> Option<Self> {
        match name {
            "BatchWriteItem" => Some(Self::BatchWriteItem),
            "BatchGetItem" => Some(Self::BatchGetItem),
            "BatchExecuteStatement" => Some(Self::BatchExecuteStatement),
            "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => Some(Self::MessageBatch),
            "PutEvents" => Some(Self::PutEvents),
            _ => None,
        }
    }

    /// Whether at least one entry is always carried out: otherwise DynamoDB refuses the whole batch.
    fn keeps_one(self) -> bool {
        matches!(self, Self::BatchWriteItem | Self::BatchGetItem)
    }

    /// The member of a request that is a list of entries; none if each table has its own.
    fn member(self) -> Option<&'static str> {
        match self {
            Self::BatchWriteItem | Self::BatchGetItem => None,
            Self::BatchExecuteStatement => Some("Statements"),
            Self::MessageBatch | Self::PutEvents => Some("Entries"),
        }
    }
}

/// Whether a request of this operation can be carried out in part.
pub fn can_be_partial(operation: &str, request: &Value) -> bool {
    let Some(operation) = Operation::of(operation) else { return false };
    entries(operation, request) > usize::from(operation.keeps_one())
}

/// Cuts a request in two: bits of `detail` choose the entries that are carried out.
pub fn split(operation: &str, request: &Value, detail: u64) -> Option<Split> {
    let operation = Operation::of(operation)?;
    let count = entries(operation, request);
    if count <= usize::from(operation.keeps_one()) {
        return None;
    }
    let mut is_kept: Vec<bool> = (0..count).map(|entry| (detail >> (entry % 64)) & 1 == 1).collect();
    if is_kept.iter().all(|kept| *kept) {
        is_kept[(detail % count as u64) as usize] = false;
    }
    if operation.keeps_one() && is_kept.iter().all(|kept| !kept) {
        is_kept[(detail % count as u64) as usize] = true;
    }
    let kept = part(operation, request, &is_kept, true);
    let dropped = part(operation, request, &is_kept, false);
    let kept = is_kept.contains(&true).then_some(kept);
    Some(Split { kept, operation, dropped, is_kept, detail })
}

fn entries(operation: Operation, request: &Value) -> usize {
    match operation.member() {
        Some(member) => request[member].as_array().map_or(0, Vec::len),
        None => tables(request).map(|(_, table)| list(table).len()).sum(),
    }
}

fn tables(request: &Value) -> impl Iterator<Item = (&String, &Value)> {
    request["RequestItems"].as_object().into_iter().flatten()
}

/// The entries of a table: those of BatchGetItem are in a member of their own.
fn list(table: &Value) -> &[Value] {
    table.as_array().or_else(|| table["Keys"].as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// The request with the entries that are kept, or with those that are not.
fn part(operation: Operation, request: &Value, is_kept: &[bool], wanted: bool) -> Value {
    let mut flags = is_kept.iter();
    let mut chosen = |all: &[Value]| -> Vec<Value> {
        let flagged = all.iter().zip(flags.by_ref());
        flagged.filter(|(_, kept)| **kept == wanted).map(|(entry, _)| entry.clone()).collect()
    };
    let mut part = request.clone();
    let Some(member) = operation.member() else {
        let mut items = Map::new();
        for (name, table) in tables(request) {
            let entries = chosen(list(table));
            if entries.is_empty() {
                continue;
            }
            let mut some = table.clone();
            if table.is_array() {
                some = Value::Array(entries);
            } else {
                some["Keys"] = Value::Array(entries);
            }
            items.insert(name.clone(), some);
        }
        part["RequestItems"] = Value::Object(items);
        return part;
    };
    let all = request[member].as_array().map(Vec::as_slice).unwrap_or_default();
    part[member] = Value::Array(chosen(all));
    part
}

impl Split {
    /// The answer to the whole batch, made of the one to the entries that were carried out.
    pub fn merge(&self, answer: Value) -> Value {
        let mut whole = if answer.is_object() { answer } else { json!({}) };
        match self.operation {
            Operation::BatchWriteItem => {
                whole["UnprocessedItems"] = self.dropped["RequestItems"].clone();
            }
            Operation::BatchGetItem => {
                whole["UnprocessedKeys"] = self.dropped["RequestItems"].clone();
            }
            Operation::BatchExecuteStatement => {
                let codes = [
                    "ProvisionedThroughputExceeded",
                    "TransactionConflict",
                    "InternalServerError",
                    "ThrottlingError",
                    "RequestLimitExceeded",
                ];
                let code = codes[(self.detail / 7 % 5) as usize];
                whole["Responses"] =
                    self.in_order(&whole["Responses"], || json!({ "Error": { "Code": code, "Message": "not done" } }));
            }
            Operation::MessageBatch => {
                let dropped = self.dropped["Entries"].as_array().into_iter().flatten();
                let failed = dropped.map(|entry| {
                    json!({ "Id": entry["Id"], "SenderFault": false, "Code": "InternalError", "Message": "not done" })
                });
                let before = whole["Failed"].as_array().cloned().unwrap_or_default();
                whole["Failed"] = before.into_iter().chain(failed).collect();
                if !whole["Successful"].is_array() {
                    whole["Successful"] = json!([]);
                }
            }
            Operation::PutEvents => {
                let code = ["InternalFailure", "ThrottlingException"][(self.detail / 7 % 2) as usize];
                let entries =
                    self.in_order(&whole["Entries"], || json!({ "ErrorCode": code, "ErrorMessage": "not done" }));
                let failed = entries.as_array().into_iter().flatten().filter(|entry| entry["ErrorCode"].is_string());
                whole["FailedEntryCount"] = json!(failed.count());
                whole["Entries"] = entries;
            }
        }
        whole
    }

    /// The answers to the entries that were carried out, each at its place, and others between them.
    fn in_order(&self, done: &Value, otherwise: impl Fn() -> Value) -> Value {
        let mut done = done.as_array().into_iter().flatten();
        self.is_kept
            .iter()
            .map(|kept| if *kept { done.next().cloned().unwrap_or_default() } else { otherwise() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_written_are_unprocessed() {
        let row = |id: &str| json!({ "PutRequest": { "Item": { "id": { "S": id } } } });
        let request = json!({ "RequestItems": { "A": [row("1"), row("2")], "B": [row("3")] } });
        let split = split("BatchWriteItem", &request, 0b001).expect("three rows");
        assert_eq!(split.kept, Some(json!({ "RequestItems": { "A": [row("1")] } })));
        let answer = split.merge(json!({ "UnprocessedItems": {} }));
        assert_eq!(answer, json!({ "UnprocessedItems": { "A": [row("2")], "B": [row("3")] } }));
    }

    #[test]
    fn keys_that_are_not_read_keep_their_options() {
        let keys = json!([{ "id": { "S": "1" } }, { "id": { "S": "2" } }]);
        let request = json!({ "RequestItems": { "A": { "Keys": keys, "ConsistentRead": true } } });
        let split = split("BatchGetItem", &request, 0).expect("two keys");
        let kept = json!({ "RequestItems": { "A": { "Keys": [keys[0]], "ConsistentRead": true } } });
        assert_eq!(split.kept, Some(kept), "one is always read");
        let answer = split.merge(json!({ "Responses": { "A": [{}] }, "UnprocessedKeys": {} }));
        assert_eq!(answer["UnprocessedKeys"], json!({ "A": { "Keys": [keys[1]], "ConsistentRead": true } }));
    }

    #[test]
    fn statements_keep_their_places() {
        let request = json!({ "Statements": [{ "Statement": "a" }, { "Statement": "b" }, { "Statement": "c" }] });
        let split = split("BatchExecuteStatement", &request, 0b101).expect("three statements");
        let answer = split.merge(json!({ "Responses": [{ "TableName": "1" }, { "TableName": "2" }] }));
        let responses = answer["Responses"].as_array().unwrap();
        assert_eq!((&responses[0]["TableName"], &responses[2]["TableName"]), (&json!("1"), &json!("2")));
        assert!(responses[1]["Error"]["Code"].is_string(), "{answer}");
    }

    #[test]
    fn messages_that_are_not_sent_are_failed_even_all_of_them() {
        let request = json!({ "QueueUrl": "q", "Entries": [{ "Id": "0" }, { "Id": "1" }] });
        let some = split("SendMessageBatch", &request, 0b10).expect("two messages");
        let answer = some.merge(json!({ "Successful": [{ "Id": "1" }] }));
        assert_eq!((&answer["Failed"][0]["Id"], &answer["Failed"][0]["SenderFault"]), (&json!("0"), &json!(false)));
        let none = split("SendMessageBatch", &request, 0).expect("two messages");
        assert!(none.kept.is_none());
        assert_eq!(none.merge(Value::Null)["Failed"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn events_are_counted() {
        let request = json!({ "Entries": [{ "Detail": "{}" }] });
        let answer = split("PutEvents", &request, 0).expect("an event").merge(Value::Null);
        assert_eq!((&answer["FailedEntryCount"], answer["Entries"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    }

    #[test]
    fn one_row_is_written_or_refused() {
        let request = json!({ "RequestItems": { "A": [{ "PutRequest": {} }] } });
        assert!(!can_be_partial("BatchWriteItem", &request) && split("BatchWriteItem", &request, 0).is_none());
        assert!(can_be_partial("SendMessageBatch", &json!({ "Entries": [{ "Id": "0" }] })));
        assert!(!can_be_partial("PutItem", &request));
    }
}
