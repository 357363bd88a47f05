//! SQS: batches of ten, tagged bodies, delays, and entries that failed inside a 200.

use reelhook_app::outbox::messages::{Delayed, Hints, WorkMessage};
use reelhook_app::store::StoreError;
use reelhook_aws::outbox::queues::Queue;
use reelhook_domain::{JobId, RenderId};
use serde_json::{Value, json};

use crate::replay::{ATTEMPTS, Answer, Call, Calls, error, kind, sqs};

fn queue(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (Queue<WorkMessage>, Calls) {
    let (client, calls) = sqs(script);
    (Queue::new(client, "https://sqs.eu-central-1.amazonaws.com/1/work"), calls)
}

/// A response in which all entries succeeded except these.
fn all_but(call: &Call, failed: &[(&str, &str, bool)]) -> Answer {
    let entries = call.at("/Entries").as_array().unwrap().iter();
    let sent: Vec<Value> = entries
        .filter(|entry| !failed.iter().any(|(id, ..)| entry["Id"] == *id))
        .map(|entry| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "" }))
        .collect();
    let failed: Vec<Value> = failed
        .iter()
        .map(|(id, code, fault)| json!({ "Id": id, "Code": code, "SenderFault": fault, "Message": "why" }))
        .collect();
    (200, json!({ "Successful": sent, "Failed": failed }))
}

fn starts(count: usize) -> Vec<Delayed<WorkMessage>> {
    vec![Delayed::now(WorkMessage::start()); count]
}

fn kinds(results: &[Result<(), StoreError>]) -> Vec<&'static str> {
    results.iter().map(|result| result.as_ref().err().map_or("done", kind)).collect()
}

#[tokio::test]
async fn messages_are_sent_in_batches_of_ten() {
    let (queue, calls) = queue(|call, _| all_but(call, &[]));
    assert_eq!(kinds(&queue.send(starts(23)).await), ["done"; 23]);
    let sizes: Vec<usize> = calls.all().iter().map(|call| call.at("/Entries").as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10, 3]);
    assert_eq!(calls.operations(), ["SendMessageBatch"; 3]);
    assert!(queue.send(Vec::new()).await.is_empty());
}

#[tokio::test]
async fn bodies_are_tagged_and_delays_are_what_sqs_takes() {
    let (queue, calls) = queue(|call, _| all_but(call, &[]));
    let check = WorkMessage::CheckRender {
        job_id: JobId::parse("job_1").unwrap(),
        render: RenderId::parse("render_1").unwrap(),
        check: 2,
    };
    let delayed = |delay_s| Delayed { message: check.clone(), delay_s };
    queue.send(vec![Delayed::now(WorkMessage::start()), delayed(7), delayed(900), delayed(100_000)]).await;
    let call = calls.only();
    assert_eq!(call.at("/Entries/0/MessageBody"), r#"{"kind":"start.v1"}"#);
    let body = r#"{"kind":"check_render.v1","job_id":"job_1","render":"render_1","check":2}"#;
    assert_eq!(call.at("/Entries/1/MessageBody"), body);
    let delays: Vec<&Value> = (0..4).map(|n| call.at(&format!("/Entries/{n}"))).map(|e| &e["DelaySeconds"]).collect();
    assert_eq!(delays, [&json!(0), &json!(7), &json!(900), &json!(900)]);
}

#[tokio::test]
async fn failed_entries_inside_a_200_are_failures_of_their_own_messages() {
    let failed = [("1", "InternalError", false), ("3", "InvalidMessageContents", true)];
    let (queue, calls) =
        queue(move |call, before| if before == 0 { all_but(call, &failed) } else { all_but(call, &[]) });
    let results = queue.send(starts(12)).await;
    let mut expected = ["done"; 12];
    (expected[1], expected[3]) = ("busy", "refused");
    assert_eq!(kinds(&results), expected);
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn a_call_that_fails_fails_for_each_of_its_messages() {
    for (code, expected, attempts) in [
        ("ThrottlingException", "busy", ATTEMPTS),
        ("RequestThrottled", "busy", ATTEMPTS),
        ("InternalFailure", "busy", ATTEMPTS),
        ("AccessDeniedException", "refused", 1),
        ("QueueDoesNotExist", "refused", 1),
    ] {
        let (queue, calls) = queue(move |call, _| match call.at("/Entries").as_array().unwrap().len() {
            10 => error(code),
            _ => all_but(call, &[]),
        });
        let results = queue.send(starts(12)).await;
        assert_eq!(kinds(&results), [vec![expected; 10], vec!["done"; 2]].concat(), "{code}");
        assert_eq!(calls.all().len(), attempts + 1, "{code}");
    }
}
