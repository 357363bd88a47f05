//! Repeats of writes whose answers were lost: DynamoDB refuses one whose own first write has changed the item.

use sha2::{Digest as _, Sha256};

use crate::call::{Call, Service};

/// Operations of DynamoDB that write on a condition.
const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchExecuteStatement"];
/// The code of a failed condition: of a call, of an item of a transaction, and of a statement.
const REFUSED: &[u8] = b"ConditionalCheckFailed";

/// The identity of a write. An SDK repeats a call with the same body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Write([u8; 32]);

impl Write {
    /// The write that a call makes; none if it makes none on a condition.
    pub fn of(call: &Call, body: &[u8]) -> Option<Self> {
        let is_write = call.service == Service::DynamoDb && WRITES.contains(&call.operation.as_str());
        is_write.then(|| {
            let name = format!("{}/{}/", call.function, call.operation);
            Self(Sha256::digest([name.as_bytes(), body].concat()).into())
        })
    }
}

/// Whether an answer says that a condition failed.
pub fn is_refused(answer: &[u8]) -> bool {
    answer.windows(REFUSED.len()).any(|part| part == REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(function: &str, operation: &str, body: &[u8]) -> Option<Write> {
        let call = Call { function: function.to_owned(), service: Service::DynamoDb, operation: operation.to_owned() };
        Write::of(&call, body)
    }

    #[test]
    fn a_repeat_is_the_same_write_of_the_same_function() {
        let first = write("fanout", "PutItem", b"{}");
        assert!(first.is_some());
        assert_eq!(first, write("fanout", "PutItem", b"{}"));
        for other in
            [write("worker", "PutItem", b"{}"), write("fanout", "DeleteItem", b"{}"), write("fanout", "PutItem", b"")]
        {
            assert!(other.is_some() && other != first);
        }
        assert_eq!(write("fanout", "GetItem", b"{}"), None);
    }

    #[test]
    fn a_failed_condition_is_found_in_each_answer() {
        for answer in [
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#,
            r#"{"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed"}]}"#,
            r#"{"Responses":[{},{"Error":{"Code":"ConditionalCheckFailed"}}]}"#,
        ] {
            assert!(is_refused(answer.as_bytes()), "{answer}");
        }
        assert!(!is_refused(br#"{"CancellationReasons":[{"Code":"TransactionConflict"}]}"#));
    }
}
