//! The saved queries find what the functions and the API truly wrote.

use std::panic::{AssertUnwindSafe, resume_unwind};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::FutureExt as _;
use reelhook_app::circuit::ServiceCircuit;
use serde_json::{Value, json};

use super::alarm::waits_for;
use super::{drill, runbook, tables};
use crate::scenes::backends::Backends;
use crate::scenes::project::{choose, scenes, started};
use crate::stack::Stack;
use crate::videos::{film, order, until};

/// The row of the circuit of the service that makes the videos of scenes.
const CIRCUIT: [(&str, &str); 2] = [("pk", "circuit#video"), ("sk", "-")];

/// Lets a service be unavailable until its circuit is open.
async fn open_circuit(stack: &Stack) {
    choose(stack, Backends::Videos).await;
    stack.control("videos", json!({ "submit": { "status": 503, "retry_after": 1 } })).await;
    started(stack, scenes(1)).await;
    stack
        .eventually("the circuit of the service is open", || async {
            let row = stack.aws.item("CountersTable", &CIRCUIT).await?;
            let circuit: ServiceCircuit = serde_json::from_str(row["body"].as_s().expect("text")).expect("a circuit");
            circuit.opened_at
        })
        .await;
}

/// Lets our own renderers make everything again, and closes the circuit, which would let one request pass each half minute.
async fn close_circuit(stack: &Stack) {
    choose(stack, Backends::Own).await;
    let key = CIRCUIT.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let delete = stack.aws.dynamodb.delete_item().table_name(stack.aws.output("CountersTable"));
    delete.set_key(Some(key.into())).send().await.expect("deleted");
    // It resolves the error about the service.
    stack.sweep().await;
}

/// Calls CloudWatch Logs.
async fn logs(stack: &Stack, action: &str, body: &Value) -> Value {
    let target = format!("Logs_20140328.{action}");
    let (status, answer, _) = stack.aws.call("logs", "POST", "/", Some(&target), body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The saved queries of the stack.
async fn saved(stack: &Stack) -> Vec<Value> {
    let prefix = format!("{}/", stack.aws.stack);
    let answer = logs(stack, "DescribeQueryDefinitions", &json!({ "queryDefinitionNamePrefix": prefix })).await;
    answer["queryDefinitions"].as_array().expect("a list").clone()
}

/// The id of the request that created a job, from its line.
async fn request_of(stack: &Stack, groups: &Value, job: &str) -> String {
    let query = format!("filter job_id = '{job}' and ispresent(span.request_id) | fields span.request_id | limit 1");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs();
    waits_for("the line of a request", || async {
        let body =
            json!({ "logGroupNames": groups, "queryString": query, "startTime": now - 600, "endTime": now + 600 });
        let started = logs(stack, "StartQuery", &body).await;
        let found = logs(stack, "GetQueryResults", &json!({ "queryId": started["queryId"] })).await;
        found["results"][0][0]["value"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn each_saved_query_finds_lines() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    let video = order(&stack, film(1, 1.0)).await;
    stack.until_status(&job, "completed").await;
    until(&stack, &video, "completed").await;
    stack.webhook("main", &job, "job.completed").await;
    let delivery = stack.aws.deliveries_of(std::slice::from_ref(&job)).await.remove(0).id.to_string();
    // An error, and a run that fails.
    stack.aws.send("WorkQueueUrl", &json!({ "kind": "game_day" })).await;
    let (_, error) = stack.aws.invoke("worker", &json!({ "Records": "none" })).await;
    assert!(error.is_some(), "the event can't be read");
    // A service that is down, and a request that the API fails.
    let played = drill(&stack, async {
        open_circuit(&stack).await;
        tables::refuse_some(&stack, &job).await;
    });
    let outcome = AssertUnwindSafe(played).catch_unwind().await;
    close_circuit(&stack).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }

    let queries = saved(&stack).await;
    assert_eq!(queries.len(), 10, "{queries:#?}");
    let request = request_of(&stack, &queries[0]["logGroupNames"], &job).await;
    for query in queries {
        let name = query["name"].as_str().and_then(|name| name.split_once('/')).expect("a name of the stack").1;
        let id = match name {
            "what happened to a job" => job.as_str(),
            "what happened to a webhook" => delivery.as_str(),
            "what happened to a request" => request.as_str(),
            _ => "",
        };
        waits_for(name, || async {
            let found = runbook::script(&stack, &format!("saved '{name}' '{id}'"), &[]).await;
            // The line of the access log stands beside those of the function.
            let is_whole = name != "what happened to a request" || found.contains("route=POST ");
            (!found.trim().is_empty() && is_whole).then_some(())
        })
        .await;
    }
    stack.assert_queues_empty().await;
}
