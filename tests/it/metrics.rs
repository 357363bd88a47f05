//! Metrics from a function's log to the dashboard's numbers.

use serde_json::{Value, json};

use crate::stack::Stack;

/// The sum of what a series of a chart counted in the last hour.
async fn sum(stack: &Stack, chart: &str, label: &str) -> f64 {
    let (status, answer) = stack.get("/api/v1/metrics?hours=1").await;
    assert_eq!(status, 200, "{answer}");
    let sections = answer["sections"].as_array().expect("sections").iter();
    let mut charts = sections.flat_map(|section| section["widgets"].as_array().expect("charts"));
    let chart = charts.find(|one| one["title"] == chart).unwrap_or_else(|| panic!("no chart `{chart}`"));
    let mut series = chart["series"].as_array().expect("series").iter();
    let series = series.find(|one| one["label"] == label).unwrap_or_else(|| panic!("no series `{label}`: {chart:#}"));
    series["values"].as_array().expect("values").iter().filter_map(Value::as_f64).sum()
}

#[tokio::test]
async fn a_job_and_its_webhooks_are_in_the_numbers_of_the_dashboard() {
    let stack = Stack::open().await;
    let before = sum(&stack, "Jobs completed", "workflow").await;
    let accepted = sum(&stack, "Delivery attempts", "success").await;
    let job = stack.submit("step_ms=5").await;
    stack.webhook("main", &job, "job.completed").await;
    stack
        .eventually("the numbers", || async {
            let jobs = sum(&stack, "Jobs completed", "workflow").await;
            let webhooks = sum(&stack, "Delivery attempts", "success").await;
            (jobs > before && webhooks > accepted).then_some(())
        })
        .await;
    for (chart, label) in [
        ("Jobs submitted", "workflow"),
        ("From submission to start", "workflow"),
        ("From submission to completion", "workflow"),
        ("From submission to the webhook", "workflow"),
        ("Deliveries that ended", "delivered"),
        ("Time to first byte", "p95"),
        ("Invocations", "fanout"),
        // The local stack counts no units of tables and no messages of queues.
        ("Dollars a day, estimated", "Lambda requests"),
        ("Dollars a day, estimated", "Lambda GB-seconds"),
        ("Dollars a day, estimated", "API requests"),
        ("Dollars a day, estimated", "sum"),
    ] {
        assert!(sum(&stack, chart, label).await > 0.0, "{chart}: {label}");
    }
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_refused_request_is_counted_under_its_code_and_in_the_total() {
    let stack = Stack::open().await;
    let before = sum(&stack, "Errors", "refused requests").await;
    let (status, answer) = stack.get("/api/v1/metrics?hours=169").await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    stack
        .eventually("the number", async || (sum(&stack, "Errors", "refused requests").await > before).then_some(()))
        .await;
}
