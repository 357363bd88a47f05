//! The outcome of a conditional put that carries a write id.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use reelhook_app::store::{Saved, StoreError};

use crate::errors::store_error;
use crate::items::{Item, text};

/// Whether a transaction holds the item of a put at this moment.
pub(crate) fn meets_a_transaction(error: &SdkError<PutItemError, HttpResponse>) -> bool {
    matches!(error.as_service_error(), Some(PutItemError::TransactionConflictException(_)))
}

/// Reads a failed put: the caller's own write whose answer was lost counts as done; another writer's item is read by
/// `theirs`.
pub(crate) fn failed_put<T>(
    operation: &'static str,
    error: SdkError<PutItemError, HttpResponse>,
    write_id: &str,
    theirs: impl FnOnce(&Item) -> Result<T, StoreError>,
) -> Result<Saved<T>, StoreError> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
            Some(item) if text(item, "write_id") == Some(write_id) => Ok(Saved::Done),
            Some(item) => Ok(Saved::Conflict(Some(Box::new(theirs(item)?)))),
            None => Ok(Saved::Conflict(None)),
        },
        // A transaction holds the item at this moment: the caller reads it and decides again.
        Some(PutItemError::TransactionConflictException(_)) => Ok(Saved::Conflict(None)),
        _ => Err(store_error(operation, error)),
    }
}
