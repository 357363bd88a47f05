//! The example programs, run as examples/README.md says.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use reelhook_signing::{SigningKeys, standard};
use reqwest::Method;
use serde_json::{Value, json};

use crate::callbacks::unreported;
use crate::documents::{ENDPOINTS, RECEIVER, Running, assert_is_video, folder, forget_receiver, python, root};
use crate::scenes::backends::Backends;
use crate::scenes::project::{command, completed, made, open, scenes, unique};
use crate::stack::{JsonText, Stack, read};

/// The endpoint at the example's receiver.
async fn receiver(stack: &Stack) -> Value {
    let (_, answer) = stack.get(ENDPOINTS).await;
    let endpoints = answer["endpoints"].as_array().expect("a list").clone();
    endpoints.into_iter().find(|endpoint| endpoint["url"] == RECEIVER).expect("the receiver is registered")
}

/// The rows that a query of the receiver's database returns.
async fn rows(stack: &Stack, database: &Path, query: &str) -> Value {
    let program = "import json, sqlite3, sys\n\
                   print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))";
    let output = python(stack).args(["-c", program]).arg(database).arg(query).output().await.expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn the_receiver_stores_a_replayed_webhook_once() {
    let stack = Stack::open().await;
    let database = folder("receiver").join("webhooks.db");
    let variables = [("DATABASE", database.to_str().expect("UTF-8"))];
    let mut running = Running::start(&stack, "examples/README.md", "receiver", &root(), &variables);
    running.until(&stack, &["listening", " stored"]).await;
    let endpoint = receiver(&stack).await;

    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    let delivery = stack
        .eventually("a delivery of job.completed", || async {
            let (_, answer) = stack.get(&format!("/api/job/{job}/deliveries")).await;
            let mut deliveries = answer["deliveries"].as_array().expect("a list").clone().into_iter();
            deliveries.find(|delivery| {
                delivery["endpointId"] == endpoint["id"]
                    && delivery["event"] == "job.completed"
                    && delivery["status"] == "delivered"
            })
        })
        .await;
    let id = delivery["id"].as_str().expect("an id");
    let webhook = format!("msg_{}", id.replace('-', ""));
    running.until(&stack, &[&format!("{webhook} stored")]).await;
    let (status, answer) = stack.post(&format!("/api/webhooks/deliveries/{id}/retry"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    running.until(&stack, &[&format!("{webhook} had come before")]).await;
    forget_receiver(&stack).await;
    let printed = running.finish(&stack).await;

    assert_eq!(printed.matches(&format!("{webhook} stored")).count(), 1, "{printed}");
    let count = format!("SELECT count(*) FROM webhooks WHERE id = '{webhook}'");
    assert_eq!(rows(&stack, &database, &count).await, json!([[1]]));
    // Also if an older event arrived last.
    let state = format!("SELECT status, video_url IS NOT NULL FROM jobs WHERE id = '{job}'");
    assert_eq!(rows(&stack, &database, &state).await, json!([["completed", 1]]));
}

#[tokio::test]
async fn a_receiver_that_unsubscribes_is_disabled() {
    let stack = Stack::open().await;
    let database = folder("unsubscribe").join("webhooks.db");
    let variables = [("DATABASE", database.to_str().expect("UTF-8")), ("UNSUBSCRIBE", "1")];
    let running = Running::start(&stack, "examples/README.md", "receiver", &root(), &variables);
    stack
        .eventually("a disabled endpoint", || async {
            let (_, answer) = stack.get(ENDPOINTS).await;
            let mut endpoints = answer["endpoints"].as_array().expect("a list").iter();
            endpoints
                .any(|endpoint| endpoint["url"] == RECEIVER && endpoint["health"]["status"] == "disabled")
                .then_some(())
        })
        .await;
    forget_receiver(&stack).await;
    running.finish(&stack).await;
}

/// Runs a block that makes two videos, in a folder where `examples` is that of the checkout.
async fn makes_two_videos(stack: &Stack, document: &str, name: &str) {
    let folder = folder(name);
    symlink(root().join("examples"), folder.join("examples")).expect("a link");
    let printed = Running::start(stack, document, name, &folder, &[]).finish(stack).await;
    assert!(printed.contains("100 % "), "{printed}");
    let saved: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("saved ")).collect();
    assert_eq!(saved.len(), 2, "{printed}");
    for file in saved {
        assert_is_video(&folder.join(file));
    }
}

#[tokio::test]
async fn the_python_client_makes_videos() {
    let stack = Stack::open().await;
    makes_two_videos(&stack, "examples/README.md", "client-python").await;
}

#[tokio::test]
async fn the_typescript_client_makes_videos() {
    let stack = Stack::open().await;
    let mut compiler = tokio::process::Command::new("node");
    compiler.arg(root().join("infra/browser/node_modules/typescript/bin/tsc"));
    let output = compiler.arg("--project").arg(root().join("examples/client-typescript")).output().await;
    let output = output.expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    makes_two_videos(&stack, "examples/README.md", "client-typescript").await;
}

/// Posts a body to the example's worker, signed as Reelhook signs.
async fn order(stack: &Stack, url: &str, body: &Value, keys: &SigningKeys) -> (u16, Value) {
    let (id, body) = ("msg_example", body.to_string());
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs()).expect("a time");
    let request = stack.http.post(url).header("content-type", "application/json").header("webhook-id", id);
    let request = request.header("webhook-timestamp", now.to_string());
    let request = request.header("webhook-signature", standard::sign(id, now, body.as_bytes(), keys));
    read(request.body(body).send().await.expect("an answer")).await
}

/// Starts the worker; returns it with its URL.
async fn worker(stack: &Stack, name: &str, secret: &str, step_seconds: &str) -> (Running, String) {
    let mut command = python(stack);
    command.arg(root().join("examples/worker-python/worker.py")).env("WEBHOOK_SECRET_KEY", secret);
    command.env("PORT", "0").env("STEP_SECONDS", step_seconds);
    let mut running = Running::spawn(stack, name, command, &folder(name));
    running.until(stack, &["listening on ", "\n"]).await;
    let printed = running.printed();
    let address = printed.lines().find_map(|line| line.strip_prefix("listening on ")).expect("an address");
    let url = format!("http://{address}/");
    (running, url)
}

#[tokio::test]
async fn the_worker_makes_a_job_once() {
    let stack = Stack::open().await;
    let secret = stack.aws.secret("WEBHOOK_SECRET_KEY").await;
    let keys = SigningKeys::parse(&secret).expect("a secret");
    // The mock worker has accepted this run, and leaves its reports to the example.
    let (job, base) = unreported(&stack).await;
    let callback = format!("{base}/api/webhooks/step-update");
    let body =
        json!({ "job_id": job, "attempt": 1, "parameters": {}, "webhook_base_url": base, "callback_url": callback });
    let (mut running, url) = worker(&stack, "worker", &secret, "0.01").await;
    let foreign = SigningKeys::parse("another secret").expect("a secret");
    assert_eq!(order(&stack, &url, &body, &foreign).await.0, 401);
    for _ in 0..2 {
        let (status, answer) = order(&stack, &url, &body, &keys).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(true)), "{answer}");
    }
    running.until(&stack, &[" had been accepted before", " done"]).await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!((&done["currentStepNumber"], &done["error"]), (&json!(8), &Value::Null), "{done:#}");
    assert!(done["videoUrl"].is_string(), "{done:#}");
    assert_eq!(done["stepDuration"].as_object().map(serde_json::Map::len), Some(7), "{done:#}");
    assert_eq!(running.printed().matches(" done").count(), 1);
}

#[tokio::test]
async fn the_worker_stops_when_its_run_is_cancelled() {
    let stack = Stack::open().await;
    let secret = stack.aws.secret("WEBHOOK_SECRET_KEY").await;
    let keys = SigningKeys::parse(&secret).expect("a secret");
    let (mut running, url) = worker(&stack, "cancelled-worker", &secret, "60").await;
    let (job, base) = unreported(&stack).await;
    let callback = format!("{base}/api/webhooks/step-update");
    let body = json!({ "job_id": job, "attempt": 1, "parameters": {}, "callback_url": callback });
    let (_, answer) = order(&stack, &url, &body, &keys).await;
    let cancel = answer["cancel_url"].as_str().expect("a URL");
    let (status, answer) = order(&stack, cancel, &json!({ "job_id": job, "attempt": 1 }), &keys).await;
    assert_eq!((status, &answer["cancelled"]), (200, &json!(true)), "{answer}");
    running.until(&stack, &[&format!("{job}.1 cancelled")]).await;
    let answer = stack.request(Method::POST, &format!("/api/job/{job}/cancel")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// Sends a request to the example's service of scenes, with a key.
async fn ask(stack: &Stack, method: Method, path: &str, key: &str, order: Option<&Value>) -> (u16, Value) {
    let request = stack.http.request(method, format!("{RECEIVER}api/v1/{path}")).header("x-api-key", key);
    let request = request.header("idempotency-key", "a-task-of-a-test");
    let request = order.into_iter().fold(request, |request, order| request.json_text(order));
    read(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn the_scene_service_makes_a_project_and_each_task_once() {
    let stack = open(Backends::Example).await;
    let folder = folder("scene-service");
    // The video that it hands in is that of the README.
    Running::start(&stack, "README.md", "first-video", &folder, &[]).finish(&stack).await;
    let key = stack.aws.secret("TASK_API_KEY").await;
    let mut service = python(&stack);
    service.arg(root().join("examples/scene-service-python/service.py")).arg(folder.join("welcome.mp4"));
    // The functions of a local stack may call this port.
    service.env("TASK_API_KEY", &key).env("PORT", "8090").env("SECONDS", "1");
    let mut running = Running::spawn(&stack, "scene-service", service, &folder);
    running.until(&stack, &["listening on "]).await;

    let (id, _) = made(&stack, scenes(2)).await;
    command(&stack, &id, "start").await;
    let project = completed(&stack, &id).await;
    assert_eq!(project["scenes"][1]["attempt"], 1, "{project:#}");
    let (status, listed) = ask(&stack, Method::GET, &format!("projects/{id}/tasks"), &key, None).await;
    let tasks = listed["tasks"].as_array().expect("a list");
    assert_eq!((status, tasks.len()), (200, 2), "{listed:#}");
    assert!(tasks.iter().all(|task| task["status"] == "completed"), "{listed:#}");
    running.until(&stack, &[" called back: 200"]).await;
    let printed = running.printed();
    assert!(!printed.contains("not called back"), "{printed}");

    // A repeated key has the first task; a cancelled one stops.
    let order = json!({ "task_type": "generate_video", "project_id": format!("proj_{}", unique()), "task_data": {} });
    let (status, first) = ask(&stack, Method::POST, "tasks/submit", &key, Some(&order)).await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(ask(&stack, Method::POST, "tasks/submit", &key, Some(&order)).await, (202, first.clone()));
    let task = format!("tasks/{}", first["task_id"].as_str().expect("an id"));
    let (status, answer) = ask(&stack, Method::DELETE, &task, &key, None).await;
    assert_eq!((status, &answer["status"]), (200, &json!("cancelled")), "{answer}");
    let (_, answer) = ask(&stack, Method::GET, &format!("{task}/status"), &key, None).await;
    assert_eq!(answer["status"], "cancelled");
    assert_eq!(ask(&stack, Method::POST, "tasks/submit", "another key", Some(&order)).await.0, 401);
    stack.assert_queues_empty().await;
}
