//! Many rows in few calls: puts and deletes as BatchWriteItem, conditional updates as BatchExecuteStatement.
//!
//! BatchExecuteStatement is the only call with many conditions and an answer for each; a transaction costs twice as much
//! and fails as a whole (ADR 15).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest, DeleteRequest,
    KeysAndAttributes, PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use reelhook_app::store::{Saved, StoreError};

use crate::errors::store_error;
use crate::items::{Item, text};
use crate::metrics::throttled_part;
use crate::retry::RetryClock;

/// Keys per BatchGetItem.
const BATCH_GET: usize = 100;
/// Rows per BatchWriteItem.
pub(crate) const BATCH_WRITE: usize = 25;
/// Statements per BatchExecuteStatement.
pub(crate) const STATEMENTS: usize = 25;

/// Keys of one table that are read.
pub(crate) struct Read<'a> {
    /// The table.
    pub table: &'a str,
    /// The attributes that are read; all if there are none.
    pub attributes: &'static [&'static str],
    /// Whether they are read as they are, and not as they were a moment ago.
    pub is_consistent: bool,
    /// The keys, without repetitions.
    pub keys: Vec<Item>,
}

impl Read<'_> {
    /// A request for some of the keys.
    fn request(&self, keys: Vec<Item>) -> KeysAndAttributes {
        let mut request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(self.is_consistent);
        if !self.attributes.is_empty() {
            let placeholders: Vec<String> = (0..self.attributes.len()).map(|n| format!("#a{n}")).collect();
            request = request.projection_expression(placeholders.join(", "));
            for (placeholder, name) in placeholders.into_iter().zip(self.attributes) {
                request = request.expression_attribute_names(placeholder, *name);
            }
        }
        request.build().expect("keys are set")
    }
}

/// The existing items with these keys, by table, in as few calls as possible.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn get_from(
    operation: &'static str,
    client: &aws_sdk_dynamodb::Client,
    mut reads: Vec<Read<'_>>,
) -> Result<HashMap<String, Vec<Item>>, StoreError> {
    let mut found: HashMap<String, Vec<Item>> = HashMap::new();
    let waits = RetryClock::of(client);
    while reads.iter().any(|read| !read.keys.is_empty()) {
        let mut room = BATCH_GET;
        let mut wanted = HashMap::new();
        for read in reads.iter_mut().filter(|read| !read.keys.is_empty()) {
            let rest = read.keys.split_off(read.keys.len().min(room));
            let keys = std::mem::replace(&mut read.keys, rest);
            room -= keys.len();
            if !keys.is_empty() {
                wanted.insert(read.table.to_owned(), read.request(keys));
            }
        }
        // Unprocessed keys are read again; the SDK's own retries cover throttling of whole calls.
        let mut retry = waits.retry();
        while !wanted.is_empty() {
            if !retry.attempt().await {
                return Err(StoreError::Busy { operation, source: "keys stayed unprocessed".into() });
            }
            let answer = client.batch_get_item().set_request_items(Some(wanted)).send().await;
            let answer = answer.map_err(|error| store_error(operation, error))?;
            for (table, items) in answer.responses.unwrap_or_default() {
                found.entry(table).or_default().extend(items);
            }
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if !wanted.is_empty() {
                throttled_part();
            }
        }
    }
    Ok(found)
}

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
    let found =
        get_from(operation, client, vec![Read { table, attributes: &[], is_consistent: true, keys: keys.to_vec() }])
            .await?;
    Ok(by_name(found.into_values().flatten(), name))
}

/// Items by the text of their attribute `name`.
pub(crate) fn by_name(items: impl Iterator<Item = Item>, name: &str) -> HashMap<String, Item> {
    items.map(|item| (text(&item, name).unwrap_or_default().to_owned(), item)).collect()
}

/// A request that writes an item as a whole.
pub(crate) fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

/// A request that removes the item with this key, if there is one.
pub(crate) fn delete(key: Item) -> WriteRequest {
    let delete = DeleteRequest::builder().set_key(Some(key)).build().expect("the key is set");
    WriteRequest::builder().delete_request(delete).build()
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
        throttled_part();
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
}

impl Update {
    fn request(self, table: &str) -> BatchStatementRequest {
        let mut statement = String::with_capacity(256);
        statement.extend(["UPDATE \"", table, "\""]);
        for (name, _) in &self.set {
            statement.extend([" SET \"", *name, "\"=?"]);
        }
        for name in self.remove {
            statement.extend([" REMOVE \"", *name, "\""]);
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

/// Makes at most [`STATEMENTS`] updates, one of each of `changed`; one answer for each, in order. If an item has another
/// version, `theirs` reads it. Throttled updates are retried under the same `write_id`, which each update sets.
pub(crate) async fn update_all<C, T>(
    operation: &'static str,
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    changed: &[C],
    write_id: &str,
    update: impl Fn(&C) -> Update,
    theirs: impl Fn(&Item) -> Result<T, StoreError>,
) -> Vec<Result<Saved<T>, StoreError>> {
    let missing = || StoreError::Busy { operation, source: "a statement has no answer".into() };
    let mut results: Vec<Result<Saved<T>, StoreError>> = changed.iter().map(|_| Err(missing())).collect();
    let mut left: Vec<usize> = (0..changed.len()).collect();
    let waits = RetryClock::of(client);
    let mut retry = waits.retry();
    while retry.attempt().await {
        let statements = left.iter().map(|index| update(&changed[*index]).request(table)).collect();
        let answer = match client.batch_execute_statement().set_statements(Some(statements)).send().await {
            Ok(answer) => answer,
            Err(error) => {
                for (index, error) in left.iter().zip(store_error(operation, error).for_each(left.len())) {
                    results[*index] = Err(error);
                }
                return results;
            }
        };
        if answer.responses().iter().any(|answer| answer.error().is_some_and(is_throttled)) {
            throttled_part();
        }
        for (index, answer) in left.iter().zip(answer.responses.unwrap_or_default()) {
            results[*index] = match answer.error {
                None => Ok(Saved::Done),
                Some(error) => failed(operation, &error, write_id, &theirs),
            };
        }
        left.retain(|index| results[*index].as_ref().is_err_and(StoreError::is_busy));
        if left.is_empty() {
            break;
        }
    }
    results
}

/// Whether DynamoDB takes no more for the moment.
fn is_throttled(error: &BatchStatementError) -> bool {
    use BatchStatementErrorCodeEnum as Code;
    matches!(
        error.code(),
        Some(Code::ProvisionedThroughputExceeded | Code::RequestLimitExceeded | Code::ThrottlingError)
    )
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
