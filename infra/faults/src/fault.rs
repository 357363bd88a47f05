//! The kinds of faults, and which of them a call can meet.

use serde_json::Value;

use crate::batch;
use crate::call::{Call, Service};

/// What can happen to a call. ADR 72 names where AWS documents each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out, and answered late: at times later than a caller waits.
    Slow,
    /// It is carried out, and its connection is closed without an answer. A caller that repeats a conditional write
    /// finds that its own first write has changed the item.
    LostAnswer,
    /// It is carried out, and answered with 500.
    FailedAfterwards,
    /// It is not carried out, and answered with 500.
    Internal,
    /// It is not carried out, and answered with 503 without a body.
    Unavailable,
    /// The service throttles it.
    Throttled,
    /// Another transaction holds one of its items.
    Conflict,
    /// Some entries of the batch are carried out, and the answer with status 200 says which ones are not.
    Partly,
    /// An index answers as it was some seconds ago.
    StaleIndex,
    /// It is not carried out, and the answer with status 200 has an error as its body.
    ErrorInside,
}

impl Fault {
    /// Its name in settings and counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::LostAnswer => "lost_answer",
            Self::FailedAfterwards => "failed_afterwards",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Conflict => "conflict",
            Self::Partly => "partly",
            Self::StaleIndex => "stale_index",
            Self::ErrorInside => "error_inside",
        }
    }
}

/// Operations of DynamoDB that may meet a transaction.
const MEETS_TRANSACTIONS: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "TransactGetItems"];

/// The faults that this call can meet.
pub fn possible(call: &Call, request: &Value) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Slow,
        Fault::LostAnswer,
        Fault::FailedAfterwards,
        Fault::Internal,
        Fault::Unavailable,
        Fault::Throttled,
    ];
    let operation = call.operation.as_str();
    if call.service == Service::DynamoDb && MEETS_TRANSACTIONS.contains(&operation) {
        faults.push(Fault::Conflict);
    }
    if batch::can_be_partial(operation, request) {
        faults.push(Fault::Partly);
    }
    if call.service == Service::DynamoDb
        && matches!(operation, "Query" | "Scan")
        && request["IndexName"].is_string()
        && request["ConsistentRead"] != true
    {
        faults.push(Fault::StaleIndex);
    }
    if call.service == Service::S3 && operation == "COMPLETE" {
        faults.push(Fault::ErrorInside);
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn can(operation: &str, request: Value, fault: Fault) -> bool {
        let call = Call { function: "worker".to_owned(), service: Service::DynamoDb, operation: operation.to_owned() };
        possible(&call, &request).contains(&fault)
    }

    #[test]
    fn only_reads_of_an_index_are_stale() {
        assert!(can("Query", json!({ "TableName": "Jobs", "IndexName": "by-active" }), Fault::StaleIndex));
        assert!(!can("Query", json!({ "TableName": "Jobs" }), Fault::StaleIndex));
        assert!(!can("GetItem", json!({ "TableName": "Jobs" }), Fault::StaleIndex));
    }

    #[test]
    fn only_the_end_of_an_upload_in_parts_fails_with_status_200() {
        let s3 = |operation: &str| {
            let call = Call { function: "scenes".to_owned(), service: Service::S3, operation: operation.to_owned() };
            possible(&call, &Value::Null).contains(&Fault::ErrorInside)
        };
        assert!(s3("COMPLETE") && !s3("POST") && !s3("PUT"));
        assert!(!can("PutItem", json!({}), Fault::ErrorInside));
    }

    #[test]
    fn only_writes_and_transactions_meet_transactions() {
        for operation in MEETS_TRANSACTIONS {
            assert!(can(operation, json!({}), Fault::Conflict), "{operation}");
        }
        assert!(!can("GetItem", json!({}), Fault::Conflict));
        assert!(!can("BatchWriteItem", json!({}), Fault::Conflict));
    }
}
