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
const LATER: [&str; 16] = [
    "InternalServerError",
    "InternalError",
    "InternalFailure",
    "LimitExceededException",
    // An upload in parts was completed without an answer, and is begun anew.
    "NoSuchUpload",
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn an_upload_that_was_completed_without_an_answer_is_begun_anew() {
        let metadata = ErrorMetadata::builder().code("NoSuchUpload").message("it may have been completed").build();
        let response = HttpResponse::new(404_u16.try_into().unwrap(), SdkBody::empty());
        let error = SdkError::service_error(CompleteMultipartUploadError::generic(metadata), response);
        assert!(store_error("put parts", error).is_busy());
    }
}
