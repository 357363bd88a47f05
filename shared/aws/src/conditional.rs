//! What came of a conditional put that carried a write id.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use reelhook_app::store::{Saved, StoreError};

use crate::errors::store_error;
use crate::items::{Item, text};

/// Reads a failed put: one's own write whose answer got lost counts as done; what somebody else wrote is read by `theirs`.
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
        // A transaction is at the item at this moment: it is read and decided again.
        Some(PutItemError::TransactionConflictException(_)) => Ok(Saved::Conflict(None)),
        _ => Err(store_error(operation, error)),
    }
}
