//! Retries and throttles of the SDK, as its attempts show them. Retries of our own are not among them: they are decisions
//! about conflicts (`crate::retry`).

use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::ConfigBag;
use reelhook_app::metrics::{MetricName, count, is_on};

/// What the codes of throttled calls contain, of those that the SDK treats as throttling
/// (aws-runtime, `THROTTLING_ERRORS`).
const THROTTLED: [&str; 6] = [
    "Throttl",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "SlowDown",
];

/// Counts an attempt that was not the first of its call, or that was throttled.
pub(crate) fn count_attempt(context: &FinalizerInterceptorContextRef<'_>, config: &ConfigBag) {
    if !is_on() {
        return;
    }
    let is_retry = config.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1);
    let is_throttled = context.response().is_some_and(is_throttled);
    if is_retry || is_throttled {
        let service = config.load::<Metadata>().map_or("other", |call| service(call.service()));
        if is_retry {
            count(MetricName::SdkRetries, [service]);
        }
        if is_throttled {
            count(MetricName::SdkThrottles, [service]);
        }
    }
}

fn is_throttled(response: &HttpResponse) -> bool {
    match response.status().as_u16() {
        429 => true,
        400 | 503 => {
            let body = response.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
            THROTTLED.iter().any(|code| body.contains(code))
        }
        _ => false,
    }
}

/// Counts that DynamoDB left a part of a batch for later, inside an answer that is a success. A batch of reads is also left
/// in part where it has more than 16 MB, which ours do not reach.
pub(crate) fn throttled_part() {
    count(MetricName::SdkThrottles, ["dynamodb"]);
}

/// A service's name as a dimension.
fn service(name: &str) -> &'static str {
    match name {
        "DynamoDB" => "dynamodb",
        "SQS" => "sqs",
        "S3" => "s3",
        "SSM" => "ssm",
        "EventBridge" => "eventbridge",
        "ApiGatewayManagementApi" => "apigatewaymanagement",
        "CloudWatch" => "cloudwatch",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn throttled_answers_are_known_by_status_or_code() {
        let check = |status: u16, body: &'static str, expected: bool| {
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            assert_eq!(is_throttled(&response), expected, "{status} {body}");
        };
        check(429, "", true);
        check(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#, true);
        check(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#, true);
        check(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#, false);
        check(503, "<Error><Code>SlowDown</Code></Error>", true);
        check(500, "ThrottlingException", false);
        check(200, "ThrottlingException", false);
    }

    #[test]
    fn an_unknown_service_is_no_value_of_its_own() {
        assert_eq!((service("DynamoDB"), service("Polly")), ("dynamodb", "other"));
    }
}
