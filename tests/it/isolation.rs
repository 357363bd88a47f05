//! Failing and slow endpoints: they do not delay others, and they get every webhook after they recover.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stack::Stack;

/// Triggers `count` events, each about a job of its own, and returns the jobs.
pub async fn trigger(stack: &Stack, name: &str, count: usize) -> Vec<String> {
    let jobs: Vec<String> = (0..count).map(|n| format!("{name}-{}-{n}", std::process::id())).collect();
    for job in &jobs {
        let body = json!({ "event": "job.completed", "data": { "job_id": job } });
        let (status, answer) = stack.post("/api/webhooks/trigger", &body).await;
        assert_eq!((status, &answer["results"]["successful"]), (200, &json!(2)), "{answer}");
    }
    jobs
}

/// The health of an endpoint.
pub async fn endpoint(stack: &Stack, name: &str) -> Value {
    let (status, answer) = stack.get("/api/webhooks/status").await;
    assert_eq!(status, 200, "{answer}");
    let all = answer["webhooks"]["endpoints"].as_array().expect("endpoints").iter();
    let found = all.clone().find(|endpoint| endpoint["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {answer}"))["health"].clone()
}

fn times(webhooks: &[Value]) -> Vec<i64> {
    webhooks.iter().map(|webhook| webhook["at_ms"].as_i64().expect("milliseconds")).collect()
}

#[tokio::test]
async fn healthy_deliveries_finish_before_the_second_attempt_of_the_slow_endpoint() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "stall": "head" })).await;
    let jobs = trigger(&stack, "slow", 8).await;
    let (mut healthy, mut second_attempts) = (Vec::new(), Vec::new());
    for job in &jobs {
        let arrived = stack.webhook("main", job, "job.completed").await;
        healthy.extend(times(&[arrived]));
    }
    for job in &jobs {
        let attempts = stack
            .eventually("a second attempt", || async {
                let all = times(&stack.webhooks("second", job).await);
                (all.len() >= 2).then_some(all)
            })
            .await;
        second_attempts.push(attempts[1]);
    }
    let (last, first) = (healthy.iter().max().expect("some"), second_attempts.iter().min().expect("some"));
    println!("the last healthy one came {} ms before the first second try", first - last);
    assert!(last < first, "healthy endpoints until {last}, second attempts from {first}");
}

#[tokio::test]
async fn a_failing_endpoint_is_spared_and_gets_everything_after_it_recovers() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 500 })).await;
    let jobs = trigger(&stack, "circuit", 12).await;
    let open = stack
        .eventually("the circuit is open", || async {
            let endpoint = endpoint(&stack, "webhook_2").await;
            (endpoint["status"] == "circuit_open").then_some(endpoint)
        })
        .await;
    assert!(open["failures"].as_u64() >= Some(10) && open["failingSince"].is_string(), "{open}");
    // Waiting deliveries have a wait reason.
    stack
        .eventually("a delivery waits for the circuit", || async {
            let (_, answer) = stack.get("/api/webhooks/deliveries?endpoint=webhook_2&status=pending&limit=50").await;
            let all = answer["deliveries"].as_array().expect("a list");
            all.iter().any(|one| one["waitsFor"] == "circuit").then_some(())
        })
        .await;
    stack.control("hooks/second", json!({})).await;
    let (status, answer) = stack.post("/api/webhooks/endpoints/webhook_2/enable", &json!({})).await;
    assert_eq!((status, &answer["endpoint"]["health"]["status"]), (200, &json!("healthy")), "{answer}");
    let recovery = format!("/api/webhooks/recover/{}", answer["recovery"]["id"].as_str().expect("an id"));
    stack
        .eventually("waiting deliveries are sent", || async {
            let (_, answer) = stack.get(&recovery).await;
            (answer["recovery"]["matched"].as_u64() > Some(0)).then_some(())
        })
        .await;
    let statuses = stack
        .eventually("none is pending", || async {
            let deliveries = stack.aws.deliveries_of(&jobs).await;
            let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
            for one in deliveries.iter().filter(|one| one.endpoint_name == "webhook_2") {
                *statuses.entry(if one.finished_at.is_some() { "ended" } else { "pending" }).or_default() += 1;
            }
            (statuses.get("ended") == Some(&jobs.len())).then_some(deliveries)
        })
        .await;
    let delivered = statuses.iter().filter(|one| one.last_result.as_deref() == Some("delivered")).count();
    println!("{delivered} of {} delivered", statuses.len());
    assert!(delivered > jobs.len(), "deliveries with attempts left when the circuit opened arrive");
    assert_eq!(endpoint(&stack, "webhook_2").await["status"], "healthy");
}
