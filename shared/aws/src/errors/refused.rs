//! The queue of refused messages: each is kept as it was, and its attributes say why it is there.

use async_trait::async_trait;
use aws_sdk_sqs::types::MessageAttributeValue;
use reelhook_app::errors::refused::{RefusedMessage, RefusedMessages};
use reelhook_app::store::StoreError;

use super::store_error;

/// The attribute with the id under which a message was sent first. `cargo xtask redrive` sets it, too, since a message that
/// is sent again gets another id.
pub const FIRST_ID: &str = "reelhook-message-id";

/// The queue of refused messages.
#[derive(Debug, Clone)]
pub struct RefusedQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl RefusedQueue {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }
}

#[async_trait]
impl RefusedMessages for RefusedQueue {
    async fn keep(&self, message: &RefusedMessage) -> Result<(), StoreError> {
        let RefusedMessage { id, body, operation, code, reason } = message;
        let mut send = self.client.send_message().queue_url(&self.url).message_body(body);
        let facts = [
            (FIRST_ID, id.as_str()),
            ("operation", operation.unwrap_or("unknown")),
            ("code", *code),
            ("reason", reason.as_str()),
        ];
        for (name, text) in facts {
            let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
            send = send.message_attributes(name, value.expect("the type is set"));
        }
        match send.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(store_error("keep a refused message", error)),
        }
    }
}
