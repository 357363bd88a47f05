//! SDK clients whose HTTP is a closure: it sees each request and answers for AWS. Waits between retries take no time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    AsyncSleep, BehaviorVersion, Credentials, Region, SharedAsyncSleep, SharedHttpClient, Sleep,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::test_util::{NeverClient, infallible_client_fn};
use reelhook_app::store::StoreError;
use serde_json::{Value, json};

/// Attempts of the SDK, as in production.
pub const ATTEMPTS: usize = 4;

/// One HTTP request.
#[derive(Debug, Clone)]
pub struct Call {
    /// `PutItem`; for S3 the method and path.
    pub operation: String,
    /// The body; null where it is no JSON.
    pub body: Value,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The raw body.
    pub raw: Vec<u8>,
}

impl Call {
    /// A part of the body, by JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }
}

/// The status and the JSON of a response.
pub type Answer = (u16, Value);

/// The calls so far.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// All calls.
    pub fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }

    /// The operations, in order.
    pub fn operations(&self) -> Vec<String> {
        self.all().into_iter().map(|call| call.operation).collect()
    }

    /// The only call.
    pub fn only(&self) -> Call {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// An HTTP client that answers with `script`, which gets the number of calls before.
pub fn replay(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (SharedHttpClient, Calls) {
    let calls = Calls::default();
    let kept = calls.clone();
    let client = infallible_client_fn(move |request: http::Request<_>| {
        let call = read(&request);
        let before = {
            let mut calls = kept.0.lock().unwrap();
            calls.push(call.clone());
            calls.len() - 1
        };
        let (status, body) = script(&call, before);
        http::Response::builder().status(status).body(body.to_string()).unwrap()
    });
    (client, calls)
}

fn read(request: &http::Request<aws_smithy_types::body::SdkBody>) -> Call {
    let raw = request.body().bytes().unwrap_or_default().to_vec();
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let operation = match headers.get("x-amz-target").and_then(|target| target.split_once('.')) {
        Some((_, operation)) => operation.to_owned(),
        None => format!("{} {}", request.method(), request.uri().path()),
    };
    Call { operation, body: serde_json::from_slice(&raw).unwrap_or_default(), headers, raw }
}

#[derive(Debug)]
struct NoWait;

impl AsyncSleep for NoWait {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

/// Every wait between attempts is shorter (`reelhook_app::retry`).
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Waits that were requested; they take no time.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    /// The number of waits between attempts; timers of the SDK, which end a call, are longer.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|time| **time < LONGEST_WAIT).count()
    }
}

impl AsyncSleep for Waits {
    fn sleep(&self, time: Duration) -> Sleep {
        self.0.lock().unwrap().push(time);
        Sleep::new(std::future::ready(()))
    }
}

macro_rules! config {
    ($sdk:ident, $http:expr) => {
        $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
            .sleep_impl(SharedAsyncSleep::new(NoWait))
            // Clients of one region share their retry budget; other tests must not use it up.
            .retry_partition(RetryPartition::custom("a test's own").token_bucket(TokenBucket::default()).build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS as u32))
            .http_client($http)
    };
}

/// DynamoDB with the responses of `script`.
pub fn dynamodb(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (aws_sdk_dynamodb::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, http).build()), calls)
}

/// DynamoDB with the responses of `script`, and the waits between calls.
pub fn waiting_dynamodb(
    script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static,
) -> (aws_sdk_dynamodb::Client, Calls, Waits) {
    let ((http, calls), waits) = (replay(script), Waits::default());
    let config = config!(aws_sdk_dynamodb, http).sleep_impl(SharedAsyncSleep::new(waits.clone()));
    // Stalled-stream protection sleeps, too, while a response arrives.
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    (aws_sdk_dynamodb::Client::from_conf(config.build()), calls, waits)
}

/// DynamoDB that never answers, with a timeout for each attempt.
pub fn unresponsive_dynamodb() -> (aws_sdk_dynamodb::Client, NeverClient) {
    let http = NeverClient::new();
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(6)).build();
    let config = config!(aws_sdk_dynamodb, http.clone()).timeout_config(timeouts).build();
    (aws_sdk_dynamodb::Client::from_conf(config), http)
}

/// SQS with the responses of `script`.
pub fn sqs(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (aws_sdk_sqs::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, http).build()), calls)
}

/// EventBridge with the responses of `script`.
pub fn eventbridge(
    script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static,
) -> (aws_sdk_eventbridge::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_eventbridge::Client::from_conf(config!(aws_sdk_eventbridge, http).build()), calls)
}

/// The gateway of WebSocket connections with the responses of `script`.
pub fn api_gateway(
    script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static,
) -> (aws_sdk_apigatewaymanagement::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_apigatewaymanagement::Client::from_conf(config!(aws_sdk_apigatewaymanagement, http).build()), calls)
}

/// SSM with the responses of `script`.
pub fn ssm(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (aws_sdk_ssm::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_ssm::Client::from_conf(config!(aws_sdk_ssm, http).build()), calls)
}

/// S3 with the responses of `script`.
pub fn s3(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (aws_sdk_s3::Client, Calls) {
    let (http, calls) = replay(script);
    (aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3, http).force_path_style(true).build()), calls)
}

/// S3 whose answers have texts instead of JSON.
pub fn s3_with_texts(
    script: impl Fn(&Call) -> (u16, &'static str) + Send + Sync + 'static,
) -> (aws_sdk_s3::Client, Calls) {
    let calls = Calls::default();
    let kept = calls.clone();
    let http = infallible_client_fn(move |request: http::Request<_>| {
        let call = read(&request);
        let (status, body) = script(&call);
        kept.0.lock().unwrap().push(call);
        http::Response::builder().status(status).body(body.to_owned()).unwrap()
    });
    let config = config!(aws_sdk_s3, http).force_path_style(true);
    // Its timer would take no time, as all waits here.
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    (aws_sdk_s3::Client::from_conf(config.build()), calls)
}

/// A success with an empty body.
pub fn ok() -> Answer {
    (200, json!({}))
}

/// An error in DynamoDB's form; other services differ only in the prefix.
pub fn error(code: &str) -> Answer {
    let status =
        if ["InternalServerError", "InternalFailure", "ServiceUnavailable"].contains(&code) { 500 } else { 400 };
    (status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "a test says so" }))
}

/// A failed condition, with the existing item.
pub fn condition_failed(item: Option<&Value>) -> Answer {
    let (status, mut body) = error("ConditionalCheckFailedException");
    if let Some(item) = item {
        body["Item"] = item.clone();
    }
    (status, body)
}

/// A cancelled transaction, with the reason of each of its items.
pub fn cancelled(reasons: &[&str]) -> Answer {
    let (status, mut body) = error("TransactionCanceledException");
    body["CancellationReasons"] = reasons.iter().map(|code| json!({ "Code": code, "Message": "why" })).collect();
    (status, body)
}

/// Codes of errors that a later call may not have.
pub const LATER: [&str; 9] = [
    "InternalServerError",
    "InternalFailure",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
];

/// Codes of errors that every call has.
pub const NEVER: [&str; 4] =
    ["AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException", "ValidationException"];

/// The kind of an error.
pub fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy { .. } => "busy",
        StoreError::Refused { .. } => "refused",
        StoreError::Unreadable { .. } => "unreadable",
    }
}
