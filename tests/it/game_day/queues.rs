//! Messages that wait, that crashed their function, or that came too often.

use std::panic::{AssertUnwindSafe, resume_unwind};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use futures_util::FutureExt as _;
use serde_json::json;

use super::alarm::{Page, page};
use super::drill;
use super::topic::People;
use crate::job_inbox::{REFUSED, dismiss, generate, jobs_of, refusal, unique};
use crate::stack::Stack;

/// What rings if a function does not read its queue: the page, the function, and the queue's output.
const WAITING: [(Page, &str, &str); 5] = [
    (page("work-age", "WorkAgeAlarm"), "worker", "WorkQueueUrl"),
    (page("delivery-age", "DeliveryHintsAgeAlarm"), "dispatcher", "DeliveriesQueueUrl"),
    (page("live-age", "LiveHintsAgeAlarm"), "live", "LiveQueueUrl"),
    (page("render-age", "RenderHintsAgeAlarm"), "render", "RenderQueueUrl"),
    (page("job-inbox-age", "JobInboxAgeAlarm"), "inbox", "JobInboxUrl"),
];
/// Messages in each queue: a poll that had begun may still take the first ones.
const MESSAGES: usize = 3;
/// The variable with the owners whom messages of the job inbox may name.
const OWNERS: &str = "INBOX_OWNERS";
/// How often a function may be invoked in a chain before Lambda stops it.
const CHAIN: u32 = 16;

#[tokio::test]
async fn hints_that_wait_ring_until_their_function_reads_them() {
    let stack = Stack::open().await;
    drill(&stack, async {
        let draft = json!({ "prompt": "A lake", "status": "draft" });
        let order = json!({ "operation": "projects", "body": { "name": "Game day", "scenes": [draft] } });
        for (page, function, queue) in &WAITING {
            page.is_quiet(&stack).await;
            stack.aws.set_mappings(function, false).await;
            for _ in 0..MESSAGES {
                // No function knows this hint, so that reading it does nothing. The job inbox would refuse it.
                let hint = json!({ "kind": "game_day" });
                stack.aws.send(queue, if *function == "inbox" { &order } else { &hint }).await;
            }
        }
        let job = stack.submit("step_ms=5").await;
        for (page, _, _) in &WAITING {
            page.rings(&stack).await;
        }
        for (page, _, _) in &WAITING {
            page.heals(&stack, &[]).await;
        }
        stack.until_status(&job, "completed").await;
    })
    .await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_refused_order_rings_until_it_is_sent_again_and_taken() {
    let stack = Stack::open().await;
    let (page, order) = (page("job-inbox-refused", "JobInboxRefusedAlarm"), unique("refused"));
    // A sample event that is refused may be there.
    stack.aws.sqs.purge_queue().queue_url(stack.aws.output(REFUSED)).send().await.expect("an empty queue");
    page.is_quiet(&stack).await;
    let (known, mut unknown) = (stack.aws.variables("inbox").await, stack.aws.variables("inbox").await);
    unknown[OWNERS] = json!("");
    stack.aws.set_variables("inbox", &unknown).await;
    let played = drill(&stack, async {
        stack.aws.send("JobInboxUrl", &generate(&order)).await;
        page.rings(&stack).await;
        assert!(jobs_of(&stack, &order).await.is_empty());
        // As a deployment does that lists the owner.
        stack.aws.set_variables("inbox", &known).await;
        page.heals(&stack, &[]).await;
        let taken = || async { (jobs_of(&stack, &order).await.len() == 1).then_some(()) };
        stack.eventually("the job of the order", taken).await;
    });
    let outcome = AssertUnwindSafe(played).catch_unwind().await;
    stack.aws.set_variables("inbox", &known).await;
    if let Some(error) = refusal(&stack, "JobInboxOwners").await {
        dismiss(&stack, &error).await;
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn dead_letters_ring_until_they_are_sent_back_and_people_hear_both() {
    let stack = Stack::open().await;
    let page = page("dead-letters", "DeadLettersAlarm");
    page.is_quiet(&stack).await;
    let people = People::subscribed(&stack).await;
    drill(&stack, async {
        stack.aws.dead_letter(&json!({ "kind": "start.v1" })).await;
        page.rings(&stack).await;
        people.hear(&stack, &page, "ALARM").await;
        page.heals(&stack, &[]).await;
        people.hear(&stack, &page, "OK").await;
    })
    .await;
    stack.assert_queues_empty().await;
}

/// Ids of jobs whose stream records can't be read begin so.
pub const UNREADABLE: &str = "game-day-";

#[tokio::test]
async fn a_record_that_is_put_aside_rings_until_it_is_repaired() {
    let stack = Stack::open().await;
    let page = page("failures", "FailuresAlarm");
    page.is_quiet(&stack).await;
    let id = AttributeValue::S(format!("{UNREADABLE}{}", std::process::id()));
    drill(&stack, async {
        let put = stack.aws.dynamodb.put_item().table_name(stack.aws.output("JobsTable")).item("id", id.clone());
        let put = put.item("outbox", AttributeValue::S("no outbox".to_owned()));
        put.item("version", AttributeValue::N("1".to_owned())).send().await.expect("put");
        page.rings(&stack).await;
        let delete = stack.aws.dynamodb.delete_item().table_name(stack.aws.output("JobsTable"));
        delete.key("id", id.clone()).send().await.expect("deleted");
        page.heals(&stack, &[]).await;
    })
    .await;
    stack.assert_queues_empty().await;
}

/// Sets whether the dispatcher may get its own messages again and again.
pub async fn recursive_loop(stack: &Stack, setting: &str) {
    let path = format!("/2024-08-31/functions/{}/recursion-config", stack.aws.function("dispatcher"));
    let body = json!({ "RecursiveLoop": setting });
    let (status, answer, _) = stack.aws.call("lambda", "PUT", &path, None, &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_chain_that_lambda_stops_rings_until_it_is_allowed() {
    let stack = Stack::open().await;
    let page = page("recursion", "RecursionAlarm");
    page.is_quiet(&stack).await;
    drill(&stack, async {
        recursive_loop(&stack, "Terminate").await;
        // As the local stack notes how often a function ran in the chain of a message (infra/local/mends/recursion.py).
        let mut name = flate2::Crc::new();
        name.update(stack.aws.function("dispatcher").as_bytes());
        let lineage = format!("Lineage={:08x}:{CHAIN}", name.sum());
        let header = MessageSystemAttributeValue::builder().data_type("String").string_value(lineage);
        let send = stack.aws.sqs.send_message().queue_url(stack.aws.output("DeliveriesQueueUrl"));
        let send = send.message_body(json!({ "kind": "game_day" }).to_string());
        let send = send.message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            header.build().expect("an attribute"),
        );
        send.send().await.expect("sent");
        page.rings(&stack).await;
        page.heals(&stack, &[]).await;
    })
    .await;
    stack.assert_queues_empty().await;
}
