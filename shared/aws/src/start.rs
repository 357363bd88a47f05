//! What every function starts with: logs, clock and random source, and the loop over a batch of messages.

use std::future::Future;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::Context;
use reelhook_app::clock::{ClockAndRandom, Timer};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use crate::log_lines::Bounded;
pub use crate::log_lines::LogBuffer;

/// Starts logging: JSON lines of at most 2 KB. LOG_LEVEL is a `tracing` filter, `info` by default; the audit log is
/// written at any level.
pub fn logs() {
    subscribe(io::stdout);
}

/// Starts logging as [`logs`] does, but collects lines: a batch logs many, and each one that is written alone is a system
/// call. The function flushes them when a batch ends; warnings and errors are written at once, with all lines before them.
pub fn collected_logs() -> LogBuffer {
    let buffer = LogBuffer::default();
    subscribe(buffer.clone());
    buffer
}

fn subscribe(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    let audit = "audit=info".parse().expect("a directive");
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_writer(Bounded(writer))
        .with_env_filter(filter.add_directive(audit))
        .init();
}

/// The machine's clock and random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl ClockAndRandom for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.after(since)
    }

    fn random(&self) -> u128 {
        // A version 4 UUID has 122 random bits; two of them make 128 whole ones.
        Uuid::new_v4().as_u128() ^ Uuid::new_v4().as_u128().rotate_left(64)
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[async_trait]
impl Timer for SystemClock {
    async fn after(&self, time: Duration) {
        self.wait(time).await;
    }
}

/// Makes a first call while the function starts, so that the first request finds an open connection.
pub async fn warm_up<T>(call: impl Future<Output = Result<T, StoreError>>) {
    if let Err(error) = call.await {
        tracing::warn!(%error, "the warm-up call failed, requests open their own connections");
    }
}

/// The time at which Lambda ends this invocation; none if a test calls the handler.
pub fn deadline(context: &Context) -> Option<Timestamp> {
    i64::try_from(context.deadline).ok().filter(|ms| *ms > 0).map(Timestamp)
}

/// What happens to a message.
#[derive(Debug)]
pub enum Verdict {
    /// It is removed from the queue.
    Done,
    /// It becomes visible again later.
    Retry(StoreError),
    /// It becomes visible again later, unless it was received this often: then it is given up.
    RetryAtMost(StoreError, u32),
}

impl<E: Into<StoreError>> From<Result<(), E>> for Verdict {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => Self::Retry(error.into()),
        }
    }
}

/// A batch of messages of a queue: no more of each than is used.
#[derive(Debug, Deserialize)]
pub struct QueueBatch {
    #[serde(rename = "Records")]
    records: Vec<QueueRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueRecord {
    #[serde(default)]
    message_id: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    attributes: QueueAttributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueAttributes {
    approximate_receive_count: Option<String>,
}

impl From<SqsEvent> for QueueBatch {
    fn from(event: SqsEvent) -> Self {
        let record = |record: SqsMessage| QueueRecord {
            message_id: record.message_id.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
            attributes: QueueAttributes {
                approximate_receive_count: record.attributes.get("ApproximateReceiveCount").cloned(),
            },
        };
        Self { records: event.records.into_iter().map(record).collect() }
    }
}

/// Answers an SQS batch: unreadable messages are dropped with an error line, `work` gives a verdict on each of the
/// others.
pub async fn batch<M, F>(event: impl Into<QueueBatch>, work: impl FnOnce(Vec<M>) -> F) -> SqsBatchResponse
where
    M: DeserializeOwned,
    F: Future<Output = Vec<Verdict>>,
{
    let QueueBatch { records } = event.into();
    let mut received = Vec::with_capacity(records.len());
    let mut messages = Vec::with_capacity(records.len());
    for QueueRecord { message_id: id, body, attributes } in records {
        let receives = attributes.approximate_receive_count.and_then(|count| count.parse::<u32>().ok());
        match serde_json::from_str(&body) {
            Ok(message) => {
                received.push((id, receives.unwrap_or(1)));
                messages.push(message);
            }
            // A message is a hint: the due sweep finds what it was about.
            Err(error) => tracing::error!(message_id = id, %error, "dropped an unreadable message"),
        }
    }
    let mut response = SqsBatchResponse::default();
    for ((id, receives), verdict) in received.into_iter().zip(work(messages).await) {
        let (error, most) = match verdict {
            Verdict::Done => continue,
            Verdict::Retry(error) => (error, u32::MAX),
            Verdict::RetryAtMost(error, most) => (error, most),
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        if receives >= most {
            tracing::warn!(message_id = id, %error, cause, receives, "failed to process a message, it is given up");
            continue;
        }
        tracing::warn!(message_id = id, %error, cause, "failed to process a message, it will be retried");
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    response
}
