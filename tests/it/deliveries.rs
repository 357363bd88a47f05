//! Receivers that fail, stall, answer with `Retry-After`, or are gone.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore as _, delivery_of};
use reelhook_app::webhooks::subscriptions::Subscriber;
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{DeliveryId, EventFilter, EventId, OutboundEvent, Subject, Timestamp};
use serde_json::{Value, json};

use crate::isolation::trigger;
use crate::stack::Stack;

/// The webhook of a completed job at `second`, whose behaviour was set before, and its attempts.
async fn delivered(stack: &Stack, job: &str) -> (Value, Vec<Value>) {
    let webhook = stack.webhook("second", job, "job.completed").await;
    let id = webhook["headers"]["x-streamgank-delivery"].as_str().expect("an id").to_owned();
    stack
        .eventually("the delivery ends", || async {
            let delivery = stack.aws.delivery(&id).await?;
            delivery.finished_at.is_some().then_some(())
        })
        .await;
    (webhook, stack.aws.attempts(&id).await)
}

fn of_event<'a>(all: &'a [Value], event: &str) -> Vec<&'a Value> {
    all.iter().filter(|webhook| webhook["event"] == event).collect()
}

#[tokio::test]
async fn a_receiver_that_fails_once_gets_the_same_webhook_again() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 500, "times": 2 })).await;
    let job = stack.submit("step_ms=5").await;
    let (webhook, attempts) = delivered(&stack, &job).await;
    let all = stack.webhooks("second", &job).await;
    for event in ["job.completed", "job.script_completed"] {
        let attempts = of_event(&all, event);
        assert!(attempts.iter().all(|again| again["webhook_id"] == attempts[0]["webhook_id"]), "{event}");
        assert!(
            attempts.iter().all(|again| again["body_base64"] == attempts[0]["body_base64"]),
            "each attempt has the same body"
        );
    }
    assert_eq!(all.iter().filter(|entry| entry["answered"] == 500).count(), 2);
    assert!(webhook["verification"]["standard_webhooks"]["ok"] == true);
    let last = attempts.last().expect("an attempt");
    assert_eq!((&last["result"]["status"], &last["result"]["reason"]), (&json!(200), &json!("delivered")));
    assert!(last["result"]["peer"].as_str().expect("a peer").starts_with("127.0.0.1:"));
    // The other endpoint was not delayed.
    assert_eq!(of_event(&stack.webhooks("main", &job).await, "job.completed").len(), 1);
}

#[tokio::test]
async fn retry_after_is_a_floor() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 429, "retry_after": 3, "times": 1 })).await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.until_status(&job, "completed").await;
    let attempts = stack
        .eventually("two attempts", || async {
            let all = stack.webhooks("second", &job).await;
            (all.len() >= 2).then_some(all)
        })
        .await;
    let apart = attempts[1]["at_ms"].as_i64().expect("ms") - attempts[0]["at_ms"].as_i64().expect("ms");
    assert!(apart >= 3000, "{apart} ms");
    assert_eq!(attempts[0]["webhook_id"], attempts[1]["webhook_id"]);
    assert_ne!(
        attempts[0]["headers"]["webhook-timestamp"], attempts[1]["headers"]["webhook-timestamp"],
        "the retry is signed again"
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_and_the_others_continue() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 410 })).await;
    let first = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.webhook("main", &first, "job.extraction_completed").await;
    stack
        .eventually("the delivery is stopped", || async {
            let deliveries = stack.aws.deliveries_of(std::slice::from_ref(&first)).await;
            deliveries
                .iter()
                .any(|delivery| delivery.last_result.as_deref() == Some("410: endpoint disabled"))
                .then_some(())
        })
        .await;
    let second = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.webhook("main", &second, "job.extraction_completed").await;
    stack
        .eventually("the next delivery is stopped without an attempt", || async {
            let deliveries = stack.aws.deliveries_of(std::slice::from_ref(&second)).await;
            deliveries
                .iter()
                .any(|delivery| delivery.last_result.as_deref() == Some("endpoint is disabled"))
                .then_some(())
        })
        .await;
    assert!(stack.webhooks("second", &second).await.is_empty());
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_stalled_receiver_is_retried_after_the_deadline_unless_its_status_arrived() {
    let stack = Stack::open().await;
    for (stall, least) in [("head", 2), ("body", 1)] {
        stack.control("hooks/second", json!({ "stall": stall, "times": 1 })).await;
        let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
        stack.until_status(&job, "completed").await;
        let attempts = stack
            .eventually("the attempts", || async {
                let all = stack.webhooks("second", &job).await;
                (all.len() >= least).then_some(all)
            })
            .await;
        let id = attempts[0]["headers"]["x-streamgank-delivery"].as_str().expect("an id").to_owned();
        let delivered = stack
            .eventually("the delivery has arrived", || async {
                let deliveries = stack.aws.deliveries_of(std::slice::from_ref(&job)).await;
                deliveries
                    .into_iter()
                    .find(|one| one.id.to_string() == id && one.status == reelhook_domain::DeliveryStatus::Delivered)
            })
            .await;
        let attempts = stack.aws.attempts(&id).await;
        if stall == "head" {
            assert_eq!(attempts[0]["result"]["error"], "ETIMEDOUT", "{attempts:#?}");
        } else {
            // A 2xx status is a success, even if the body breaks off.
            assert_eq!((delivered.attempts, &attempts[0]["result"]["status"]), (1, &json!(200)), "{attempts:#?}");
        }
    }
}

#[tokio::test]
async fn a_delivery_without_attempts_left_stays_visible() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 503 })).await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.until_status(&job, "completed").await;
    let exhausted = stack
        .eventually("the delivery is exhausted", || async {
            let deliveries = stack.aws.deliveries_of(std::slice::from_ref(&job)).await;
            deliveries.into_iter().find(|delivery| delivery.status == reelhook_domain::DeliveryStatus::Exhausted)
        })
        .await;
    assert_eq!(exhausted.attempts, 4);
    let attempts = stack.aws.attempts(&exhausted.id.to_string()).await;
    assert_eq!(attempts.len(), 4);
    assert!(attempts.iter().all(|attempt| attempt["result"]["status"] == 503), "{attempts:#?}");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_webhook_with_unusual_keys_and_text_verifies_in_every_language() {
    let stack = Stack::open().await;
    // A key that JavaScript moves to the front, an accent, an emoji, and a number that JavaScript writes differently.
    let job = "job_odd_keys";
    let data =
        json!({ "job_id": job, "type": "Série", "mood": "🎬", "10": 1, "1": { "b": 1.0, "2": true }, "tiny": 1e-7 });
    let url = reelhook_app::Url::parse(&format!("{}/hooks/main", stack.studio)).expect("a URL");
    let endpoint = reelhook_app::webhooks::endpoints::endpoint_id(&url);
    let (now, unique) = (Timestamp::EPOCH, std::process::id());
    let event_id = EventId::parse(&format!("{job}.1.{unique}")).expect("an id");
    let id = DeliveryId::of(&event_id, &endpoint);
    let event = json!({ "id": event_id, "event": "job.completed", "job_id": job, "at": now, "data": data });
    let delivery = json!({
        "id": id, "event_id": event_id, "event": "job.completed", "job_id": job, "endpoint_id": endpoint,
        "endpoint_name": "webhook_1", "status": "pending", "version": 1, "created_at": now, "attempts": 0,
        "next_attempt_at": now, "due_at": now,
    });
    stack.aws.put_delivery(&format!("event#{event_id}"), "event", &event).await;
    stack.aws.put_delivery(&format!("delivery#{id}"), "delivery", &delivery).await;
    stack.aws.hint(&json!({ "kind": "deliver.v1", "delivery_id": id, "event_id": event_id })).await;
    let webhook = stack
        .eventually("the webhook", || async {
            let all = stack.webhooks("main", job).await;
            all.into_iter().find(|webhook| webhook["webhook_id"] == id.webhook_id())
        })
        .await;
    let verification = &webhook["verification"];
    for verifier in ["streamgank", "standard_webhooks", "node"] {
        assert_eq!(verification[verifier]["ok"], true, "{verifier}: {verification:#}");
    }
    assert_eq!(verification["node"]["checks"]["seed_sample"], true, "{verification:#}");
    for library in ["standardwebhooks", "svix"] {
        assert_eq!(verification["python"]["checks"][library], true, "{verification:#}");
    }
}

#[tokio::test]
async fn a_webhook_of_an_older_version_is_sent_and_listed_beside_new_ones() {
    let stack = Stack::open().await;
    let job = trigger(&stack, "beside", 1).await.remove(0);
    let url = reelhook_app::Url::parse(&format!("{}/hooks/main", stack.studio)).expect("a URL");
    let to = Subscriber {
        id: reelhook_app::webhooks::endpoints::endpoint_id(&url),
        name: "webhook_1".to_owned(),
        events: EventFilter::default(),
        since: Timestamp::EPOCH,
    };
    let event = EventRow {
        id: EventId::parse(&format!("{job}.1.0")).expect("an id"),
        event: OutboundEvent::Completed,
        subject: Subject::parse(&job).expect("an id"),
        at: SystemClock.now(),
        data: json!({ "job_id": job }).into(),
        callback: None,
        submitted_at: None,
    };
    let delivery = delivery_of(&event, &to, Duration::from_secs(60), None);
    let older = DeliveryTable::new(stack.aws.dynamodb.clone(), stack.aws.output("DeliveriesTable"));
    let older = older.storing(StoredForm::Text);
    older.put_event(&event, &[delivery.id]).await.expect("written");
    older.put_delivery(&delivery, DueBy::Itself).await.expect("written");
    stack.aws.hint(&json!({ "kind": "deliver.v1", "delivery_id": delivery.id, "event_id": event.id })).await;
    let path = format!("/api/webhooks/deliveries?jobId={job}");
    let all = stack
        .eventually("three delivered webhooks", || async {
            let (_, answer) = stack.get(&path).await;
            let all = answer["deliveries"].as_array().expect("a list").clone();
            (all.len() == 3 && all.iter().all(|one| one["status"] == "delivered")).then_some(all)
        })
        .await;
    assert_eq!(all[0]["id"], json!(delivery.id), "it is the newest one");
    let (mut paged, mut next) = (Vec::new(), path.clone() + "&limit=1");
    loop {
        let (_, page) = stack.get(&next).await;
        paged.extend(page["deliveries"].as_array().expect("a list").clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        next = format!("{path}&limit=1&cursor={cursor}");
    }
    assert_eq!(paged, all);
    // Lists of all jobs have them, too.
    let (_, recent) = stack.get("/api/webhooks/deliveries?limit=100").await;
    let recent: BTreeSet<&str> =
        recent["deliveries"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(all.iter().all(|one| recent.contains(one["id"].as_str().expect("an id"))), "{recent:?}");
}
