//! What people hear of an alarm: the messages of the topic in `AlarmTopicArn`.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use super::alarm::{Page, waits_for};
use super::runbook;
use crate::stack::Stack;

/// The topic of infra/local/test-profile.json, and the queue that stands for people.
const NAME: &str = "reelhook-test-alarms";

/// A queue that is subscribed to the topic of the alarms.
pub struct People {
    queue: String,
}

impl People {
    /// Creates the topic, and subscribes an empty queue to it, as docs/deployment.md does with an address.
    pub async fn subscribed(stack: &Stack) -> Self {
        let queue = stack.aws.destination_queue(NAME).await;
        // As on AWS, a queue takes only what its policy allows.
        let policy = json!({
            "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" }, "Action": "sqs:SendMessage",
                "Resource": format!("arn:aws:sqs:us-east-1:000000000000:{NAME}"),
                "Condition": { "ArnEquals": { "aws:SourceArn": format!("arn:aws:sns:us-east-1:000000000000:{NAME}") } },
            }],
        });
        let set = stack.aws.sqs.set_queue_attributes().queue_url(&queue);
        set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.expect("set");
        let commands = format!(
            "TOPIC=$(aws sns create-topic --name {NAME} --query TopicArn --output text)\n\
             aws sns subscribe --topic-arn \"$TOPIC\" --protocol sqs \\\n  \
             --notification-endpoint arn:aws:sqs:us-east-1:000000000000:{NAME}"
        );
        runbook::script(stack, &commands, &[]).await;
        Self { queue }
    }

    /// Waits for the message that an alarm has changed to a state, and checks that it names the alarm's page.
    pub async fn hear(&self, stack: &Stack, page: &Page, state: &str) {
        let name = format!("{}-{}", stack.aws.stack, page.alarm);
        let message = waits_for(&format!("the message that {name} is {state}"), || async {
            let messages = self.received(stack).await.into_iter();
            let of_alarm = |message: &Value| message["AlarmName"].as_str().is_some_and(|one| one.starts_with(&name));
            messages.filter(of_alarm).find(|message| message["NewStateValue"] == state)
        })
        .await;
        let description = message["AlarmDescription"].as_str().expect("a text");
        assert!(description.ends_with(&page.document()), "{description}");
    }

    /// The messages of alarms that have come since the last look.
    async fn received(&self, stack: &Stack) -> Vec<Value> {
        let receive = stack.aws.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
        let mut found = Vec::new();
        for message in receive.send().await.expect("messages").messages.unwrap_or_default() {
            let delete = stack.aws.sqs.delete_message().queue_url(&self.queue);
            delete.receipt_handle(message.receipt_handle.expect("a handle")).send().await.expect("deleted");
            let notification: Value = serde_json::from_str(&message.body.expect("a body")).expect("a notification");
            let text = notification["Message"].as_str().expect("a message");
            found.push(serde_json::from_str(text).expect("an alarm"));
        }
        found
    }
}
