//! Messages of the stack's queues.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::Aws;

/// Every queue, dead letters, failures and refused messages included. No function reads the inbox of destinations, to
/// which endpoints and smoke tests send.
const QUEUES: [&str; 8] = [
    "WorkQueueUrl",
    DELIVERIES,
    "RenderQueueUrl",
    LIVE,
    "JobInboxUrl",
    "JobInboxRefusedUrl",
    DEAD_LETTERS,
    "FailuresQueueUrl",
];

/// The states of messages.
const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
const DELAYED: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
const IN_FLIGHT: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;

/// The output of the queue of `dispatcher`. A hint in it may wait for up to 15 minutes.
const DELIVERIES: &str = "DeliveriesQueueUrl";
/// The output of the queue of `live`. The heartbeat of each connection waits in it with a delay of up to eight minutes.
const LIVE: &str = "LiveQueueUrl";
/// Seconds after which a message comes again if its function was ended, in the queues that no parameter sets.
const VISIBILITY: [(&str, &str); 2] = [(LIVE, "35"), ("JobInboxUrl", "30")];
/// The output of the dead-letter queue.
pub const DEAD_LETTERS: &str = "DeadLettersUrl";

/// `maxReceiveCount` of the queue of `worker`.
const RECEIVES: u32 = 20;

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

    /// Makes a hint for `worker` a dead letter: while `worker` reads nothing, it is received as often as its queue allows.
    pub async fn dead_letter(&self, message: &Value) {
        self.set_mappings("worker", false).await;
        let url = self.output("WorkQueueUrl");
        let dead = async || self.depths().await.iter().any(|(queue, depth)| *queue == DEAD_LETTERS && *depth > 0);
        // A poll that had begun may still take the first one.
        for _ in 0..3 {
            self.send("WorkQueueUrl", message).await;
            for _ in 0..=RECEIVES {
                self.sqs.receive_message().queue_url(url).visibility_timeout(0).send().await.expect("received");
            }
            if dead().await {
                break;
            }
        }
        assert!(dead().await, "no message is a dead letter");
        self.set_mappings("worker", true).await;
    }

    /// Visible, delayed and in-flight messages of every queue, without heartbeats that wait.
    pub async fn depths(&self) -> Vec<(&'static str, u64)> {
        self.counts(|queue, state| queue != LIVE || state != DELAYED).await
    }

    /// The same without hints at deliveries that wait: a person may have had the delivery made sooner.
    pub async fn depths_without_hints_that_wait(&self) -> Vec<(&'static str, u64)> {
        self.counts(|queue, state| ![LIVE, DELIVERIES].contains(&queue) || state != DELAYED).await
    }

    /// Messages of every queue that may be received now.
    pub async fn visible(&self) -> Vec<(&'static str, u64)> {
        self.counts(|_, state| state == VISIBLE).await
    }

    /// The messages of each queue in the states that are counted.
    async fn counts(&self, is_counted: impl Fn(&str, QueueAttributeName) -> bool) -> Vec<(&'static str, u64)> {
        let mut counts = Vec::new();
        // A stack may have no job inbox.
        for queue in QUEUES.into_iter().filter(|queue| self.outputs[*queue].is_string()) {
            let call = self.sqs.get_queue_attributes().queue_url(self.output(queue));
            let answer = call.attribute_names(QueueAttributeName::All).send().await.expect("attributes");
            let count = |name: QueueAttributeName| -> Option<u64> { answer.attributes()?.get(&name)?.parse().ok() };
            let counted = [VISIBLE, DELAYED, IN_FLIGHT].into_iter().filter(|state| is_counted(queue, state.clone()));
            counts.push((queue, counted.filter_map(count).sum()));
        }
        counts
    }

    /// Lets messages whose function was ended come again soon in the queues too that no parameter sets.
    pub async fn shorten_visibility(&self) {
        for (queue, seconds) in VISIBILITY {
            if self.outputs[queue].is_string() {
                let set = self.sqs.set_queue_attributes().queue_url(self.output(queue));
                let set = set.attributes(QueueAttributeName::VisibilityTimeout, seconds);
                set.send().await.expect("set");
            }
        }
    }

    pub async fn purge_all(&self) {
        for queue in ["WorkQueueUrl", "DeliveriesQueueUrl", "RenderQueueUrl"] {
            self.sqs.purge_queue().queue_url(self.output(queue)).send().await.expect("purged");
        }
    }
}
