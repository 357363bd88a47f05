//! Chains of invocations through queues: Lambda stops a chain after about 16, and the dispatcher's may be longer.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};

/// Invocations of one function in a chain, after which Lambda stops it unless its RecursiveLoop is Allow.
const STOPPED_AFTER: f64 = 16.0;
/// The time that the receiver needs for one webhook, while another delivery waits and is hinted each second.
const BUSY_MS: u64 = 25_000;

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64()
}

/// The maximum of a function's metric since a time; 0 without data (infra/local/mends/recursion.py).
async fn greatest(stack: &Stack, namespace: &str, metric: &str, function: &str, since: f64) -> f64 {
    let body = json!({
        "Namespace": namespace, "MetricName": metric, "StartTime": since, "EndTime": seconds() + 60.0,
        "Dimensions": [{ "Name": "FunctionName", "Value": stack.aws.function(function) }],
        "Period": 86_400, "Statistics": ["Maximum"],
    });
    let target = "GraniteServiceVersion20100801.GetMetricStatistics";
    let (status, answer, _) = stack.aws.call("monitoring", "POST", "/", Some(target), &body).await;
    assert_eq!(status, 200, "{answer}");
    let points = answer["Datapoints"].as_array().expect("datapoints").iter();
    points.filter_map(|point| point["Maximum"].as_f64()).fold(0.0, f64::max)
}

#[tokio::test]
async fn a_delivery_that_waits_longer_than_the_chain_limit_arrives() {
    let stack = Stack::open().await;
    let since = seconds();
    stack.control("hooks/patient", json!({ "delay_ms": BUSY_MS, "times": 1 })).await;
    let body = json!({
        "url": format!("{}/hooks/patient", stack.studio), "events": ["webhook.test"], "concurrency": 1,
        "timeoutMs": 30_000,
    });
    // The registration sends a first webhook and this is a second one: one of them waits until the other is answered.
    let (status, first) = stack.post("/api/webhooks/endpoints", &body).await;
    assert_eq!(status, 201, "{first}");
    let id = first["endpoint"]["id"].as_str().expect("an id");
    let path = format!("/api/webhooks/endpoints/{id}");
    let (status, second) = stack.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!(status, 202, "{second}");
    for delivery in [&first["test"]["deliveryId"], &second["deliveryId"]] {
        let delivery = delivery.as_str().expect("an id");
        let delivered: Value = stack
            .eventually("it arrives", || async {
                let (_, answer) = stack.get(&format!("/api/webhooks/deliveries/{delivery}")).await;
                (answer["delivery"]["status"] == "delivered").then_some(answer)
            })
            .await;
        assert_eq!(delivered["delivery"]["attempts"], 1, "waiting does not count as an attempt");
    }
    let hops = async |function: &str| greatest(&stack, "Reelhook", "ChainInvocations", function, since).await;
    let long = hops("dispatcher").await;
    println!("the dispatcher ran {long} times in one chain");
    assert!(long > STOPPED_AFTER, "the chain is too short for this test: {long}");
    for function in ["worker", "render"] {
        let short = hops(function).await;
        assert!(short <= 1.0, "{function} begins chains and continues none: {short}");
    }
    for function in ["dispatcher", "worker", "render"] {
        let dropped = greatest(&stack, "AWS/Lambda", "RecursiveInvocationsDropped", function, since).await;
        assert!(dropped == 0.0, "{function} was stopped in a loop");
    }
    let (status, answer) = read(stack.request(Method::DELETE, &path).send().await.expect("an answer")).await;
    assert_eq!(status, 200, "{answer}");
    stack.control("hooks/patient", json!({})).await;
    stack.assert_queues_empty().await;
}
