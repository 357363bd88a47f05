//! Webhooks to queues and event buses: the requests, and the results of errors.

use std::time::Duration;

use reelhook_app::outbound::OutboundResponse;
use reelhook_app::webhooks::endpoints::Arn;
use reelhook_app::webhooks::transport::{CloudSender, CloudTarget, CloudWebhook};
use reelhook_aws::webhooks::cloud_transport::CloudTransport;
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, eventbridge, ok, sqs};

const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:hooks";
const BUS: &str = "arn:aws:events:eu-central-1:123456789012:event-bus/videos";

fn webhook(to: CloudTarget, once: &str) -> CloudWebhook {
    let attributes = vec![("webhook-id", "msg_1"), ("webhook-timestamp", "1704110400"), ("webhook-signature", "v1,x")];
    CloudWebhook {
        to,
        body: r#"{"event":"job.completed","data":{"job_id":"job_1"}}"#.to_owned(),
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        once: once.to_owned(),
        event: "job.completed",
        subject: "job_1".to_owned(),
        at: NOON,
        deadline: Duration::from_secs(10),
    }
}

fn queue(arn: &str) -> CloudTarget {
    CloudTarget::Queue(Arn::parse(arn, "sqs").unwrap())
}

fn bus() -> CloudTarget {
    CloudTarget::Bus(Arn::parse(BUS, "events").unwrap())
}

fn transport(
    script: impl Fn(&Call, usize) -> Answer + Clone + Send + Sync + 'static,
) -> (CloudTransport, Calls, Calls) {
    let (queues, to_queues) = sqs(script.clone());
    let (buses, to_buses) = eventbridge(script);
    (CloudTransport::new(queues, buses), to_queues, to_buses)
}

fn read(response: &OutboundResponse) -> (u16, &str) {
    (response.status, std::str::from_utf8(&response.body).unwrap())
}

fn of_queue(call: &Call, _: usize) -> Answer {
    match call.operation.as_str() {
        "GetQueueUrl" => (200, json!({ "QueueUrl": "https://sqs.example/123456789012/hooks" })),
        _ => (200, json!({ "MessageId": "m-1", "MD5OfMessageBody": "" })),
    }
}

#[tokio::test]
async fn a_queue_s_url_is_requested_once_and_its_messages_have_the_exact_body_and_header_attributes() {
    let (transport, calls, _) = transport(of_queue);
    for _ in 0..2 {
        assert_eq!(read(&transport.send(webhook(queue(QUEUE), "msg_1")).await.unwrap()), (200, "m-1"));
    }
    assert_eq!(calls.operations(), ["GetQueueUrl", "SendMessage", "SendMessage"]);
    let all = calls.all();
    let account = (all[0].at("/QueueName"), all[0].at("/QueueOwnerAWSAccountId"));
    assert_eq!(account, (&json!("hooks"), &json!("123456789012")));
    let sent = &all[1];
    assert_eq!(sent.at("/MessageBody"), r#"{"event":"job.completed","data":{"job_id":"job_1"}}"#);
    assert_eq!(sent.at("/MessageAttributes/webhook-signature/StringValue"), "v1,x");
    assert_eq!(sent.at("/MessageGroupId"), &Value::Null, "only FIFO queues have groups");
}

#[tokio::test]
async fn a_queue_that_keeps_an_order_groups_by_subject_and_takes_a_replay() {
    let (transport, calls, _) = transport(of_queue);
    let fifo = queue(&format!("{QUEUE}.fifo"));
    for once in ["msg_1", "msg_1.1704110400000"] {
        transport.send(webhook(fifo.clone(), once)).await.unwrap();
    }
    let sent: Vec<Call> = calls.all().into_iter().filter(|call| call.operation == "SendMessage").collect();
    let ids: Vec<&Value> = sent.iter().map(|call| call.at("/MessageDeduplicationId")).collect();
    assert_eq!(ids, [&json!("msg_1"), &json!("msg_1.1704110400000")]);
    assert_eq!(sent[0].at("/MessageGroupId"), "job_1");
}

#[tokio::test]
async fn an_event_of_a_bus_has_the_webhook_as_its_detail() {
    let (transport, _, calls) =
        transport(|_, _| (200, json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "e-1" }] })));
    assert_eq!(read(&transport.send(webhook(bus(), "msg_1")).await.unwrap()), (200, "e-1"));
    let entry = calls.only().at("/Entries/0").clone();
    assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("reelhook"), &json!("job.completed")));
    assert_eq!((&entry["EventBusName"], &entry["Time"]), (&json!(BUS), &json!(1_704_110_400)));
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, json!({ "event": "job.completed", "data": { "job_id": "job_1" } }));
}

#[tokio::test]
async fn refusals_have_a_status_and_their_code() {
    let check = async |to: CloudTarget, answer: Answer, expected: (u16, &str)| {
        let (transport, ..) =
            transport(move |call, _| if call.operation == "GetQueueUrl" { of_queue(call, 0) } else { answer.clone() });
        assert_eq!(read(&transport.send(webhook(to, "msg_1")).await.unwrap()), expected);
    };
    let failed = |code: &str| (400, json!({ "__type": format!("com.amazonaws#{code}"), "message": "why" }));
    let entry =
        |code: &str| (200, json!({ "FailedEntryCount": 1, "Entries": [{ "ErrorCode": code, "ErrorMessage": "why" }] }));
    check(queue(QUEUE), failed("QueueDoesNotExist"), (400, "QueueDoesNotExist")).await;
    check(queue(QUEUE), failed("ThrottlingException"), (429, "ThrottlingException")).await;
    check(bus(), failed("AccessDeniedException"), (400, "AccessDeniedException")).await;
    check(bus(), entry("NotAuthorizedForSource"), (400, "NotAuthorizedForSource")).await;
    check(bus(), entry("ThrottlingException"), (429, "ThrottlingException")).await;
    check(bus(), entry("InternalFailure"), (500, "InternalFailure")).await;
    let (transport, ..) = transport(|_, _| ok());
    let unknown = transport.send(webhook(queue(QUEUE), "msg_1")).await.unwrap();
    assert_eq!(unknown.status, 404, "a queue without a URL does not exist");
}
