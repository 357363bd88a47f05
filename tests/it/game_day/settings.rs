//! A secret that is no longer what it was.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::alarm::page;
use super::drill;
use crate::aws::kill;
use crate::cost::without_earlier_hints;
use crate::stack::{Stack, read};

const SECRET: &str = "ENDPOINT_SECRETS_KEY";
const ENDPOINTS: &str = "/api/webhooks/endpoints";

/// Stores a value of the secret, and ends the dispatchers so that the next ones read it.
async fn store(stack: &Stack, path: &str, value: &str) {
    let body = json!({ "Name": format!("{path}/{SECRET}"), "Value": value, "Type": "SecureString", "Overwrite": true });
    let target = "AmazonSSM.PutParameter";
    let (status, answer, _) = stack.aws.call("ssm", "POST", "/", Some(target), &body).await;
    assert_eq!(status, 200, "{answer}");
    replace_dispatchers(stack);
}

fn replace_dispatchers(stack: &Stack) {
    for pid in stack.aws.processes("dispatcher") {
        kill(pid);
    }
}

/// Sends a test event to an endpoint; its delivery.
async fn test(stack: &Stack, endpoint: &str) -> String {
    let (status, answer) = stack.post(&format!("{ENDPOINTS}/{endpoint}/test"), &json!({})).await;
    assert_eq!(status, 202, "{answer}");
    answer["deliveryId"].as_str().expect("an id").to_owned()
}

async fn until_delivered(stack: &Stack, delivery: &str) {
    stack
        .eventually("the test arrived", || async {
            let (_, answer) = stack.get(&format!("/api/webhooks/deliveries/{delivery}")).await;
            (answer["delivery"]["status"] == "delivered").then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_key_that_was_replaced_rings_until_it_is_back() {
    let stack = Stack::open().await;
    let page = page("missing-secret", "MissingSecretAlarm");
    page.is_quiet(&stack).await;
    let (key, variables) = (stack.aws.secret(SECRET).await, stack.aws.variables("dispatcher").await);
    let path = variables["SETTINGS_PATH"].as_str().expect("a path");
    let body = json!({ "url": format!("{}/hooks/game-day", stack.studio), "events": ["webhook.test"] });
    let (status, answer) = stack.post(ENDPOINTS, &body).await;
    assert_eq!(status, 201, "{answer}");
    let endpoint = answer["endpoint"]["id"].as_str().expect("an id");
    until_delivered(&stack, answer["test"]["deliveryId"].as_str().expect("an id")).await;

    let played = drill(&stack, async {
        store(&stack, path, &"0".repeat(64)).await;
        let waiting = test(&stack, endpoint).await;
        page.rings(&stack).await;
        page.command(&stack, &[("SETTINGS", path), ("SECRET", SECRET), ("VALUE", key.as_str())]).await;
        // Dispatchers that run would read it within five minutes, and send what waits.
        replace_dispatchers(&stack);
        page.is_over(&stack).await;
        let (status, answer) = stack.post(&format!("/api/webhooks/deliveries/{waiting}/retry"), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        until_delivered(&stack, &waiting).await;
        until_delivered(&stack, &test(&stack, endpoint).await).await;
    });
    let outcome = AssertUnwindSafe(played).catch_unwind().await;
    if stack.aws.secret(SECRET).await != key {
        store(&stack, path, &key).await;
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    let deleted = stack.request(Method::DELETE, &format!("{ENDPOINTS}/{endpoint}")).send().await;
    let (status, answer): (u16, Value) = read(deleted.expect("an answer")).await;
    assert_eq!(status, 200, "{answer}");
    // The dispatcher that lacked the key has planned another look at what waited.
    without_earlier_hints(&stack).await;
}
