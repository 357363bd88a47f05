//! Messages of the stack's queues.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::Aws;

/// Every queue, dead letters and failures included.
const QUEUES: [&str; 8] = [
    "WorkQueueUrl",
    "DeliveriesQueueUrl",
    "RenderQueueUrl",
    "WorkDlqUrl",
    "DeliveriesDlqUrl",
    "RenderDlqUrl",
    "LiveDlqUrl",
    "FailuresQueueUrl",
];

impl Aws {
    /// Sends a message to the queue of an output.
    pub async fn send(&self, queue: &str, message: &Value) {
        let send = self.sqs.send_message().queue_url(self.output(queue)).message_body(message.to_string());
        send.send().await.expect("sent");
    }

    /// Sends a hint to the dispatcher.
    pub async fn hint(&self, message: &Value) {
        self.send("DeliveriesQueueUrl", message).await;
    }

    /// Visible, delayed and in-flight messages of every queue, dead letters and failures included.
    pub async fn depths(&self) -> Vec<(&'static str, u64)> {
        let mut depths = Vec::new();
        for queue in QUEUES {
            let call = self.sqs.get_queue_attributes().queue_url(self.output(queue));
            let answer = call.attribute_names(QueueAttributeName::All).send().await.expect("attributes");
            let count = |name: QueueAttributeName| {
                answer
                    .attributes()
                    .and_then(|all| all.get(&name))
                    .and_then(|text| text.parse::<u64>().ok())
                    .unwrap_or(0)
            };
            let depth = count(QueueAttributeName::ApproximateNumberOfMessages)
                + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
                + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
            depths.push((queue, depth));
        }
        depths
    }

    pub async fn purge_all(&self) {
        for queue in ["WorkQueueUrl", "DeliveriesQueueUrl", "RenderQueueUrl"] {
            self.sqs.purge_queue().queue_url(self.output(queue)).send().await.expect("purged");
        }
    }
}
