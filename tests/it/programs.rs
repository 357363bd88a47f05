//! The example programs, run as examples/README.md says.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use reelhook_signing::{SigningKeys, standard};
use reqwest::Method;
use serde_json::{Value, json};

use crate::callbacks::unreported;
use crate::documents::{ENDPOINTS, RECEIVER, Running, assert_is_video, folder, forget_receiver, python, root};
use crate::stack::{Stack, read};

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
