//! The saved queries find what the functions truly wrote.

use serde_json::{Value, json};

use super::alarm::waits_for;
use super::runbook;
use crate::stack::Stack;
use crate::videos::{film, order, until};

/// Queries about lines that the local stack has not: it writes no access log, and no circuit need have opened.
const ELSEWHERE: [&str; 2] = ["which requests the API failed", "which outside services are down"];

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
async fn each_saved_query_finds_lines_of_functions() {
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

    let queries = saved(&stack).await;
    assert_eq!(queries.len(), 10, "{queries:#?}");
    let request = request_of(&stack, &queries[0]["logGroupNames"], &job).await;
    for query in queries {
        let name = query["name"].as_str().and_then(|name| name.split_once('/')).expect("a name of the stack").1;
        if ELSEWHERE.contains(&name) {
            continue;
        }
        let id = match name {
            "what happened to a job" => job.as_str(),
            "what happened to a webhook" => delivery.as_str(),
            "what happened to a request" => request.as_str(),
            _ => "",
        };
        waits_for(name, || async {
            let found = runbook::script(&stack, &format!("saved '{name}' '{id}'"), &[]).await;
            (!found.trim().is_empty()).then_some(())
        })
        .await;
    }
    stack.assert_queues_empty().await;
}
