//! Many rows in few calls: puts and deletes as BatchWriteItem, conditional updates as BatchExecuteStatement.
//!
//! BatchExecuteStatement is the only call with many conditions and an answer for each; a transaction costs twice as much
//! and fails as a whole (ADR 15).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest, KeysAndAttributes,
    PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use reelhook_app::store::{Saved, StoreError};

use crate::errors::store_error;
use crate::items::{Item, text};
use crate::retry::RetryClock;

/// Keys per BatchGetItem.
const BATCH_GET: usize = 100;
/// Rows per BatchWriteItem.
pub(crate) const BATCH_WRITE: usize = 25;
/// Statements per BatchExecuteStatement.
pub(crate) const STATEMENTS: usize = 25;

/// The existing items with these keys, by the text of their attribute `name`; read consistently.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn get_all(
    operation: &'static str,
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    name: &str,
    keys: &[Item],
) -> Result<HashMap<String, Item>, StoreError> {
    let mut found: HashMap<String, Item> = HashMap::new();
    let waits = RetryClock::of(client);
    for chunk in keys.chunks(BATCH_GET) {
        let wanted = KeysAndAttributes::builder().set_keys(Some(chunk.to_vec())).consistent_read(true).build();
        let mut wanted = Some(wanted.expect("keys are set"));
        // Unprocessed keys are read again; the SDK's own retries cover throttling of whole calls.
        let mut retry = waits.retry();
        while let Some(next) = wanted.take() {
            if !retry.attempt().await {
                return Err(StoreError::Busy { operation, source: "keys stayed unprocessed".into() });
            }
            let answer = client.batch_get_item().request_items(table, next).send().await;
            let answer = answer.map_err(|error| store_error(operation, error))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                found.insert(text(&item, name).unwrap_or_default().to_owned(), item);
            }
            wanted = answer.unprocessed_keys.unwrap_or_default().remove(table);
        }
    }
    Ok(found)
}

/// A request that writes an item as a whole.
pub(crate) fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

/// Writes at most [`BATCH_WRITE`] rows; unprocessed ones are written again.
///
/// # Errors
/// [`StoreError`]; some rows may be written then.
pub(crate) async fn write_all(
    operation: &'static str,
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    requests: Vec<WriteRequest>,
) -> Result<(), StoreError> {
    let mut left = requests;
    let waits = RetryClock::of(client);
    let mut retry = waits.retry();
    while retry.attempt().await {
        let answer = client.batch_write_item().request_items(table, left).send().await;
        let answer = answer.map_err(|error| store_error(operation, error))?;
        left = answer.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(StoreError::Busy { operation, source: format!("{} rows stayed unprocessed", left.len()).into() })
}

/// A conditional update of an item: attributes to set and to remove, and the version that it must have.
pub(crate) struct Update {
    /// `pk` and `sk`.
    pub key: [AttributeValue; 2],
    /// Attributes and their values, always in the same order, so that statements read alike.
    pub set: Vec<(&'static str, AttributeValue)>,
    /// Attributes to remove.
    pub remove: &'static [&'static str],
    /// The version that the item must have.
    pub version: AttributeValue,
    /// The id of this write, which is also among the attributes.
    pub write_id: String,
}

impl Update {
    fn request(self, table: &str) -> BatchStatementRequest {
        let mut statement = format!("UPDATE \"{table}\"");
        for (name, _) in &self.set {
            statement.push_str(&format!(" SET \"{name}\"=?"));
        }
        for name in self.remove {
            statement.push_str(&format!(" REMOVE \"{name}\""));
        }
        statement.push_str(" WHERE \"pk\"=? AND \"sk\"=? AND \"version\"=?");
        let values = self.set.into_iter().map(|(_, value)| value).chain(self.key).chain([self.version]);
        BatchStatementRequest::builder()
            .statement(statement)
            .set_parameters(Some(values.collect()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("the statement is set")
    }
}

/// Makes at most [`STATEMENTS`] updates; one answer for each, in order. If an item has another version, `theirs` reads
/// it. Throttled updates are retried under the same `write_id`.
pub(crate) async fn update_all<T>(
    operation: &'static str,
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    updates: Vec<Update>,
    theirs: impl Fn(&Item) -> Result<T, StoreError>,
) -> Vec<Result<Saved<T>, StoreError>> {
    let write_ids: Vec<String> = updates.iter().map(|update| update.write_id.clone()).collect();
    let requests: Vec<BatchStatementRequest> = updates.into_iter().map(|update| update.request(table)).collect();
    let missing = || StoreError::Busy { operation, source: "a statement has no answer".into() };
    let mut results: Vec<Result<Saved<T>, StoreError>> = write_ids.iter().map(|_| Err(missing())).collect();
    let mut left: Vec<usize> = (0..requests.len()).collect();
    let waits = RetryClock::of(client);
    let mut retry = waits.retry();
    while retry.attempt().await {
        let statements = left.iter().map(|index| requests[*index].clone()).collect();
        let answer = match client.batch_execute_statement().set_statements(Some(statements)).send().await {
            Ok(answer) => answer,
            Err(error) => {
                for (index, error) in left.iter().zip(store_error(operation, error).for_each(left.len())) {
                    results[*index] = Err(error);
                }
                return results;
            }
        };
        for (index, answer) in left.iter().zip(answer.responses.unwrap_or_default()) {
            results[*index] = match answer.error {
                None => Ok(Saved::Done),
                Some(error) => failed(operation, &error, &write_ids[*index], &theirs),
            };
        }
        left.retain(|index| results[*index].as_ref().is_err_and(StoreError::is_busy));
        if left.is_empty() {
            break;
        }
    }
    results
}

fn failed<T>(
    operation: &'static str,
    error: &BatchStatementError,
    write_id: &str,
    theirs: impl Fn(&Item) -> Result<T, StoreError>,
) -> Result<Saved<T>, StoreError> {
    use BatchStatementErrorCodeEnum as Code;
    let source = || format!("{}: {}", error.code().map_or("none", Code::as_str), error.message().unwrap_or("")).into();
    match error.code() {
        Some(Code::ConditionalCheckFailed) => match error.item() {
            // This call's own write, whose answer was lost.
            Some(item) if text(item, "write_id") == Some(write_id) => Ok(Saved::Done),
            Some(item) => Ok(Saved::Conflict(Some(Box::new(theirs(item)?)))),
            None => Ok(Saved::Conflict(None)),
        },
        Some(Code::TransactionConflict) => Ok(Saved::Conflict(None)),
        Some(
            Code::InternalServerError
            | Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError,
        ) => Err(StoreError::Busy { operation, source: source() }),
        _ => Err(StoreError::Refused { operation, source: source() }),
    }
}
