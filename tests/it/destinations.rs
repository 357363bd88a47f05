//! Queues and event buses in the emulator that receive webhooks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws::Aws;

impl Aws {
    /// Creates or empties a queue with this name, and returns its URL.
    pub async fn destination_queue(&self, name: &str) -> String {
        let queue = self.sqs.create_queue().queue_name(name).send().await.expect("a queue");
        let url = queue.queue_url.expect("its URL");
        self.sqs.purge_queue().queue_url(&url).send().await.expect("an empty queue");
        url
    }

    /// Creates an event bus with this name that forwards Reelhook's events to a queue, and returns the queue's URL.
    pub async fn destination_bus(&self, name: &str, queue: &str) -> String {
        let url = self.destination_queue(queue).await;
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        let events = async |action: &str, body: Value| {
            let target = format!("AWSEvents.{action}");
            self.call("events", "POST", "/", Some(&target), &body).await
        };
        // The bus may exist from an earlier run.
        events("CreateEventBus", json!({ "Name": name })).await;
        let pattern = json!({ "source": ["reelhook"] }).to_string();
        let rule = json!({ "Name": "all-of-ours", "EventBusName": name, "EventPattern": pattern, "State": "ENABLED" });
        let (status, answer, _) = events("PutRule", rule).await;
        assert_eq!(status, 200, "{answer}");
        let targets =
            json!({ "Rule": "all-of-ours", "EventBusName": name, "Targets": [{ "Id": "queue", "Arn": arn }] });
        let (status, answer, _) = events("PutTargets", targets).await;
        assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(0)), "{answer}");
        url
    }

    /// The body and the attributes of the next message of a queue that contains this text.
    pub async fn receive_about(&self, url: &str, text: &str) -> Option<(Value, BTreeMap<String, String>)> {
        let receive =
            self.sqs.receive_message().queue_url(url).message_attribute_names("All").max_number_of_messages(10);
        let messages = receive.send().await.expect("messages").messages.unwrap_or_default();
        let message = messages.into_iter().find(|message| message.body().is_some_and(|body| body.contains(text)))?;
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        let attributes = attributes.map(|(name, value)| (name, value.string_value.unwrap_or_default())).collect();
        Some((serde_json::from_str(&message.body.unwrap_or_default()).expect("JSON"), attributes))
    }
}
