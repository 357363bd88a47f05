//! SQS as the port for hints: sends batches of ten, and reports each failed entry as a failure.

use std::marker::PhantomData;

use async_trait::async_trait;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use reelhook_app::outbox::messages::{Delayed, Hints};
use reelhook_app::store::StoreError;
use serde::Serialize;

use crate::errors::store_error;

/// The maximum number of entries in one call.
const BATCH: usize = 10;
/// The longest delay that SQS supports.
const LONGEST_DELAY_S: u32 = 900;

/// An SQS queue of one kind of message.
#[derive(Debug, Clone)]
pub struct Queue<M> {
    client: aws_sdk_sqs::Client,
    url: String,
    message: PhantomData<fn(M)>,
}

impl<M> Queue<M> {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into(), message: PhantomData }
    }
}

#[async_trait]
impl<M: Serialize + Send + Sync + 'static> Hints<M> for Queue<M> {
    async fn send(&self, messages: Vec<Delayed<M>>) -> Vec<Result<(), StoreError>> {
        let mut results = Vec::with_capacity(messages.len());
        for chunk in messages.chunks(BATCH) {
            results.extend(self.send_chunk(chunk).await);
        }
        results
    }
}

impl<M: Serialize> Queue<M> {
    async fn send_chunk(&self, chunk: &[Delayed<M>]) -> Vec<Result<(), StoreError>> {
        let entries = chunk.iter().enumerate().map(|(index, delayed)| {
            let body = serde_json::to_string(&delayed.message).expect("our own messages are JSON");
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(body)
                .delay_seconds(delayed.delay_s.min(LONGEST_DELAY_S) as i32)
                .build()
                .expect("id and body are set")
        });
        let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries.collect())).send();
        let answer = match sent.await {
            Ok(answer) => answer,
            Err(error) => {
                let error = store_error("send messages", error);
                return error.for_each(chunk.len()).into_iter().map(Err).collect();
            }
        };
        // SQS reports failed entries in an answer with status 200.
        let mut results: Vec<Result<(), StoreError>> = chunk.iter().map(|_| Ok(())).collect();
        for entry in answer.failed() {
            if let Some(result) = entry.id().parse::<usize>().ok().and_then(|index| results.get_mut(index)) {
                *result = Err(failure(!entry.sender_fault(), entry.code()));
            }
        }
        results
    }
}

fn failure(busy: bool, text: &str) -> StoreError {
    let (operation, source) = ("send messages", text.to_owned().into());
    if busy { StoreError::Busy { operation, source } } else { StoreError::Refused { operation, source } }
}
