//! The queues that nothing consumes, and how many messages are in them.

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName;
use reelhook_app::errors::dead_letters::{LeftBehind, QueueDepth};
use reelhook_app::store::StoreError;

use super::store_error;

/// Dead-letter queues, and the queue of notes on poison records.
#[derive(Debug, Clone)]
pub struct LeftBehindQueues {
    client: aws_sdk_sqs::Client,
    dead_letters: Vec<String>,
    poison_notes: String,
}

impl LeftBehindQueues {
    /// The queues at these URLs.
    pub fn new(client: aws_sdk_sqs::Client, dead_letters: Vec<String>, poison_notes: String) -> Self {
        Self { client, dead_letters, poison_notes }
    }

    async fn depth(&self, url: &str) -> Result<QueueDepth, StoreError> {
        let operation = "count messages";
        let wanted = QueueAttributeName::ApproximateNumberOfMessages;
        let answer = self.client.get_queue_attributes().queue_url(url).attribute_names(wanted.clone()).send().await;
        let answer = answer.map_err(|error| store_error(operation, error))?;
        let messages = answer.attributes().and_then(|all| all.get(&wanted)?.parse().ok());
        let messages = messages.ok_or_else(|| StoreError::Unreadable {
            operation,
            reason: "the answer has no number of messages".to_owned(),
        })?;
        // A queue's URL ends with its name.
        Ok(QueueDepth { name: url.rsplit('/').next().unwrap_or(url).to_owned(), messages })
    }
}

#[async_trait]
impl LeftBehind for LeftBehindQueues {
    async fn dead_letters(&self) -> Result<Vec<QueueDepth>, StoreError> {
        let mut depths = Vec::with_capacity(self.dead_letters.len());
        for url in &self.dead_letters {
            depths.push(self.depth(url).await?);
        }
        Ok(depths)
    }

    async fn poison_notes(&self) -> Result<QueueDepth, StoreError> {
        self.depth(&self.poison_notes).await
    }
}
