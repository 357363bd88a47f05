//! The loop over a batch of messages: each has its own result, and unreadable messages are dropped.

use aws_lambda_events::event::sqs::SqsEvent;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::store::StoreError;
use reelhook_aws::start::{SystemClock, Verdict, batch};
use serde_json::{Value, json};

fn event(bodies: &[(&str, &str)]) -> SqsEvent {
    let records: Vec<Value> = bodies.iter().map(|(id, body)| json!({ "messageId": id, "body": body })).collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn busy() -> StoreError {
    StoreError::Busy { operation: "test", source: "later".into() }
}

#[tokio::test]
async fn only_failed_messages_are_redelivered() {
    let start = r#"{"kind":"start.v1"}"#;
    let event = event(&[("a", start), ("b", start), ("c", start)]);
    let response = batch(event, async |messages: Vec<WorkMessage>| {
        assert_eq!(messages, vec![WorkMessage::start(); 3]);
        vec![Verdict::Done, Verdict::Retry(busy()), Verdict::Done]
    });
    let failed: Vec<String> =
        response.await.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    assert_eq!(failed, ["b"]);
}

#[tokio::test]
async fn poison_messages_are_dropped_and_shift_no_result() {
    let start = r#"{"kind":"start.v1"}"#;
    let event = event(&[("a", "not JSON"), ("b", start), ("c", r#"{"kind":"start.v9"}"#), ("d", start), ("e", "")]);
    let response = batch(event, async |messages: Vec<WorkMessage>| {
        assert_eq!(messages.len(), 2);
        vec![Verdict::Done, Verdict::Retry(busy())]
    });
    let failed: Vec<String> =
        response.await.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    assert_eq!(failed, ["d"]);
}

#[tokio::test]
async fn a_message_that_may_be_given_up_is_redelivered_so_often() {
    let record = |id: &str, receives: &str| json!({ "messageId": id, "body": r#"{"kind":"start.v1"}"#, "attributes": { "ApproximateReceiveCount": receives } });
    let records = [record("a", "1"), record("b", "9"), record("c", "10"), record("d", "11"), record("e", "x")];
    let event: SqsEvent = serde_json::from_value(json!({ "Records": records })).unwrap();
    let response = batch(event, async |messages: Vec<WorkMessage>| {
        messages.iter().map(|_| Verdict::RetryAtMost(busy(), 10)).collect()
    });
    let failed: Vec<String> =
        response.await.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    assert_eq!(failed, ["a", "b", "e"]);
}

#[test]
fn the_system_s_random_numbers_differ_in_both_halves() {
    let (one, other) = (SystemClock.random(), SystemClock.random());
    assert_ne!(one >> 64, other >> 64);
    assert_ne!(one as u64, other as u64);
    let fraction = SystemClock.fraction();
    assert!((0.0..1.0).contains(&fraction), "{fraction}");
}
