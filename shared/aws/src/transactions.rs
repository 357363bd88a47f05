//! The reasons of a cancelled transaction.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use reelhook_app::store::StoreError;

use crate::errors::store_error;

/// Why a transaction wrote nothing.
pub(crate) enum Cancelled {
    /// The condition of the item with this index does not hold.
    Condition(usize),
    /// Another transaction holds one of the items at this moment.
    Conflict,
    /// Anything else.
    Failed(StoreError),
}

/// Reads the reasons of a failed transaction: a failed condition takes precedence over a conflict.
pub(crate) fn cancelled(operation: &'static str, error: SdkError<TransactWriteItemsError, HttpResponse>) -> Cancelled {
    let Some(TransactWriteItemsError::TransactionCanceledException(exception)) = error.as_service_error() else {
        return Cancelled::Failed(store_error(operation, error));
    };
    let reasons = exception.cancellation_reasons();
    let with = |code: &str| reasons.iter().position(|reason| reason.code() == Some(code));
    if let Some(place) = with("ConditionalCheckFailed") {
        return Cancelled::Condition(place);
    }
    if with("TransactionConflict").is_some() {
        return Cancelled::Conflict;
    }
    let later = ["ThrottlingError", "ProvisionedThroughputExceeded"];
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason.code()).collect();
    let source = format!("transaction cancelled: {}", codes.join(", ")).into();
    Cancelled::Failed(if codes.iter().any(|code| later.contains(code)) {
        StoreError::Busy { operation, source }
    } else {
        StoreError::Refused { operation, source }
    })
}

/// The places of the items of a cancelled transaction whose conditions do not hold.
pub(crate) fn unmet(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Vec<usize> {
    places(error, &["ConditionalCheckFailed"])
}

/// The places of the items of a cancelled transaction that others have changed, or are changing.
pub(crate) fn contended(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Vec<usize> {
    places(error, &["ConditionalCheckFailed", "TransactionConflict"])
}

/// The places of the items with one of these reasons.
fn places(error: &SdkError<TransactWriteItemsError, HttpResponse>, codes: &[&str]) -> Vec<usize> {
    let Some(TransactWriteItemsError::TransactionCanceledException(exception)) = error.as_service_error() else {
        return Vec::new();
    };
    let reasons = exception.cancellation_reasons().iter().enumerate();
    let found = reasons.filter(|(_, reason)| reason.code().is_some_and(|code| codes.contains(&code)));
    found.map(|(place, _)| place).collect()
}
