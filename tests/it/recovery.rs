//! Recovery on the deployed stack: an endpoint is disabled, repaired and enabled, and gets the events that it missed.

use serde_json::{Value, json};

use crate::isolation::{endpoint, trigger};
use crate::stack::Stack;

async fn recover(stack: &Stack, body: &Value) -> Value {
    let (status, answer) = stack.post("/api/webhooks/recover", body).await;
    assert!(status == 200 || status == 202, "{status}: {answer}");
    let id = answer["recovery"]["id"].as_str().expect("an id").to_owned();
    stack
        .eventually("the recovery is done", || async {
            stack.sweep().await;
            let (status, answer) = stack.get(&format!("/api/webhooks/recover/{id}")).await;
            assert_eq!(status, 200, "{answer}");
            (answer["recovery"]["status"] == "done").then(|| answer["recovery"].clone())
        })
        .await
}

#[tokio::test]
async fn events_that_a_disabled_endpoint_missed_are_recovered() {
    let stack = Stack::open().await;
    let (_, before) = stack.get("/api/webhooks/status").await;
    let from = before["timestamp"].as_str().expect("a time").to_owned();
    stack.control("hooks/second", json!({ "answer": 410 })).await;
    let jobs = trigger(&stack, "missed", 6).await;
    stack
        .eventually("all are stopped", || async {
            let path = format!("/api/webhooks/deliveries?endpoint=webhook_2&status=stopped&from={from}");
            let (_, answer) = stack.get(&path).await;
            (answer["count"] == jobs.len()).then_some(())
        })
        .await;
    let disabled = endpoint(&stack, "webhook_2").await;
    assert_eq!(
        (&disabled["status"], &disabled["disabledReason"]),
        (&json!("disabled"), &json!("the receiver answered 410"))
    );
    // While the endpoint is disabled, nothing is sent, and the recovery reports that.
    let filter = json!({ "from": from, "endpoint": "webhook_2", "status": "stopped" });
    let in_vain = recover(&stack, &filter).await;
    assert_eq!(
        (&in_vain["matched"], &in_vain["endpointDisabled"], &in_vain["replayed"]),
        (&json!(6), &json!(6), &json!(0))
    );
    stack.control("hooks/second", json!({})).await;
    let (status, answer) = stack.post("/api/webhooks/endpoints/webhook_2/enable", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let mut dry = filter.clone();
    dry["dryRun"] = json!(true);
    let counted = recover(&stack, &dry).await;
    assert_eq!((&counted["matched"], &counted["replayed"], &counted["dryRun"]), (&json!(6), &json!(0), &json!(true)));
    let done = recover(&stack, &filter).await;
    assert_eq!((&done["matched"], &done["replayed"], &done["progress"]), (&json!(6), &json!(6), &json!(100)));
    for job in &jobs {
        let arrived = stack
            .eventually("it arrives", || async {
                let all = stack.webhooks("second", job).await;
                all.into_iter().find(|webhook| webhook["headers"]["webhook-replay"] == "true")
            })
            .await;
        assert_eq!(arrived["verification"]["standard_webhooks"]["ok"], true, "{arrived}");
        let of_main = stack.webhooks("main", job).await;
        assert_eq!(of_main.len(), 1, "deliveries of the other endpoint are not replayed");
    }
    let (status, list) = stack.get("/api/webhooks/recover").await;
    assert_eq!((status, &list["recoveries"][0]["id"]), (200, &done["id"]));
    let (status, cancelled) =
        stack.post(&format!("/api/webhooks/recover/{}/cancel", done["id"].as_str().expect("an id")), &json!({})).await;
    assert_eq!((status, &cancelled["recovery"]["status"]), (200, &json!("done")), "a finished recovery stays as it is");
}
