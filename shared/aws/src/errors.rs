//! SDK errors, classified by whether a retry can succeed; and the errors that people see, in a table of their own.

pub mod faults;
pub mod refused;
mod stored;
pub mod table;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use reelhook_app::store::StoreError;

/// Codes of failures that a later retry can overcome, from the API references of DynamoDB, SQS, S3, SSM and CloudWatch.
const LATER: [&str; 15] = [
    "InternalServerError",
    "InternalError",
    "InternalFailure",
    "LimitExceededException",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Classifies an SDK error by its type, code and status.
pub(crate) fn store_error<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let later = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(context) => {
            context.err().code().is_some_and(|code| LATER.contains(&code)) || context.raw().status().as_u16() >= 500
        }
        _ => false,
    };
    let service = error.as_service_error();
    let source = match service.and_then(|error| error.code().zip(error.message())) {
        Some((code, message)) => format!("{code}: {message}").into(),
        None => DisplayErrorContext(&error).to_string().into(),
    };
    if later { StoreError::Busy { operation, source } } else { StoreError::Refused { operation, source } }
}
