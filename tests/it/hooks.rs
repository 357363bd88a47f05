//! Webhooks for operators: status, tests, triggered events, deliveries of a job, and URL validation.

use serde_json::{Value, json};

use crate::cost::{log_at_rest, without_earlier_hints};
use crate::stack::{JsonText, Stack, read};

async fn webhooks(stack: &Stack) -> Value {
    let (status, answer) = stack.get("/api/webhooks/status").await;
    assert_eq!(status, 200, "{answer}");
    answer["webhooks"].clone()
}

#[tokio::test]
async fn the_status_counts_failures_until_an_endpoint_accepts_a_webhook() {
    let stack = Stack::open().await;
    let calm = webhooks(&stack).await;
    assert_eq!((&calm["active_webhooks"], &calm["total_webhooks"]), (&json!(2), &json!(2)));
    assert_eq!((&calm["total_errors"], &calm["config"]["secret_configured"]), (&json!(0), &json!(true)));
    assert_eq!(calm["config"]["rate_limit"], "1000000/60000ms");
    stack.control("hooks/second", json!({ "answer": 500 })).await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.until_status(&job, "completed").await;
    let failed = stack
        .eventually("failures are counted", || async {
            let webhooks = webhooks(&stack).await;
            (webhooks["error_counts"]["webhook_2"].as_u64() > Some(1)).then_some(webhooks)
        })
        .await;
    assert_eq!((&failed["error_counts"]["webhook_1"], &failed["active_webhooks"]), (&json!(0), &json!(2)));
    assert!(failed["rate_limits"]["webhook_2"].as_u64() > Some(0), "{failed}");
    stack.control("hooks/second", json!({})).await;
    stack
        .eventually("the endpoint accepts a webhook", || async {
            (webhooks(&stack).await["total_errors"] == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_test_shows_the_answer_of_the_receiver() {
    let stack = Stack::open().await;
    let test = async |url: &str| {
        let (status, answer) = stack.post("/api/webhooks/test", &json!({ "url": url })).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["timestamp"].is_string());
        answer["test_result"].clone()
    };
    let hook = format!("{}/hooks/tested", stack.studio);
    let result = test(&hook).await;
    assert_eq!((&result["success"], &result["status"], &result["url"]), (&json!(true), &json!(200), &json!(hook)));
    assert_eq!(result["message"], "Webhook endpoint is reachable");
    let arrived = stack.studio("/hooks/tested/received?limit=10").await["received"][0].clone();
    assert_eq!((&arrived["event"], &arrived["headers"]["x-streamgank-test"]), (&json!("webhook.test"), &json!("true")));
    assert!(arrived["headers"]["x-streamgank-signature"].as_str().expect("signed").starts_with("sha256="));
    let result = test(&format!("{}/nowhere", stack.studio)).await;
    assert_eq!((&result["status"], &result["message"]), (&json!(404), &json!("HTTP 404 response")));
    // A forbidden address has the error of a name that does not exist, so that callers can't scan the network.
    for url in ["http://127.0.0.1:9/x", "http://169.254.169.254/latest/meta-data", "http://no.such.invalid/"] {
        let result = test(url).await;
        assert_eq!((&result["success"], &result["error"]), (&json!(false), &json!("ENOTFOUND")), "{url}: {result}");
        assert!(result["message"].as_str().expect("a sentence").starts_with("getaddrinfo ENOTFOUND"), "{result}");
    }
    for (body, code) in [
        (json!({}), "url_missing"),
        (json!({ "url": " " }), "url_missing"),
        (json!({ "url": 5 }), "bad_field"),
        (json!({ "url": "ftp://a.example/" }), "bad_field"),
        (json!({ "url": format!("https://a.example/{}", "x".repeat(2048)) }), "bad_field"),
    ] {
        let (status, answer) = stack.post("/api/webhooks/test", &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{answer}");
    }
}

#[tokio::test]
async fn a_triggered_event_arrives_signed_at_each_endpoint_once() {
    let stack = Stack::open().await;
    without_earlier_hints(&stack).await;
    let job = format!("by-hand-{}", std::process::id());
    let body = json!({ "event": "job.completed", "data": { "job_id": job, "video_url": "https://example.com/x.mp4" } });
    let send = async |body: &Value| {
        let request = stack.request(reqwest::Method::POST, "/api/webhooks/trigger").header("idempotency-key", &job);
        read(request.json_text(body).send().await.expect("an answer")).await
    };
    let (one, two) = tokio::join!(send(&body), send(&body));
    assert_eq!((one.0, &one.1["message"]), (200, &json!("Webhook notifications sent")), "{}", one.1);
    assert_eq!(one.1["results"], json!({ "total": 2, "successful": 2, "failed": 0 }));
    assert_eq!(one, two, "the first answer, each time");
    for hook in ["main", "second"] {
        let webhook = stack.webhook(hook, &job, "job.completed").await;
        assert_eq!(webhook["verification"]["standard_webhooks"]["ok"], true, "{webhook}");
    }
    log_at_rest(&stack).await;
    for hook in ["main", "second"] {
        assert_eq!(stack.webhooks(hook, &job).await.len(), 1);
    }
    let (status, answer) = send(&json!({ "event": "job.failed" })).await;
    assert_eq!((status, &answer["code"]), (422, &json!("idempotency_key_reused")));
    let (status, answer) = stack.post("/api/webhooks/trigger", &json!({ "event": "nothing.subscribed" })).await;
    assert_eq!((status, &answer["results"]["total"]), (200, &json!(0)));
    for (body, status, code) in [
        (json!({}), 400, "event_missing"),
        (json!({ "event": "x".repeat(101) }), 400, "bad_field"),
        (json!({ "event": "job.completed", "data": [1] }), 400, "bad_field"),
        (json!({ "event": "job.completed", "data": { "x": "y".repeat(300_000) } }), 413, "payload_too_large"),
    ] {
        let (answered, answer) = stack.post("/api/webhooks/trigger", &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{answer}");
    }
}

#[tokio::test]
async fn a_job_lists_its_deliveries_with_their_status() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 500 })).await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    let path = format!("/api/job/{job}/deliveries");
    let all = stack
        .eventually("four deliveries", || async {
            let (status, answer) = stack.get(&path).await;
            assert_eq!(status, 200, "{answer}");
            let all = answer["deliveries"].as_array().expect("deliveries").clone();
            let of_main = all.iter().filter(|one| one["webhookId"] == "webhook_1");
            let delivered = of_main.filter(|one| one["status"] == "delivered").count();
            (all.len() == 4 && delivered == 2).then_some(all)
        })
        .await;
    for one in &all {
        assert!(one["eventId"].as_str().expect("an id").starts_with(&job), "{one}");
        assert_eq!(one["nextAttemptAt"].is_string(), one["status"] == "pending", "{one}");
        assert_eq!(one["finishedAt"].is_string(), one["status"] != "pending", "{one}");
    }
    assert!(all.is_sorted_by(|a, b| a["createdAt"].as_str() >= b["createdAt"].as_str()), "newest first");
    let (_, first) = stack.get(&format!("{path}?limit=3")).await;
    let (_, rest) = stack.get(&format!("{path}?limit=3&cursor={}", first["nextCursor"].as_str().expect("more"))).await;
    let ids = |part: &Value| {
        let all = part["deliveries"].as_array().expect("deliveries").iter();
        all.map(|one| one["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let expected: Vec<&str> = all.iter().map(|one| one["id"].as_str().expect("an id")).collect();
    assert_eq!([ids(&first), ids(&rest)].concat(), expected);
    assert!(rest.get("nextCursor").is_none());
    for (query, status) in [("?limit=101", 400), ("?cursor=!", 400)] {
        assert_eq!(stack.get(&format!("{path}{query}")).await.0, status, "{query}");
    }
    assert_eq!(stack.get("/api/job/job_1_a/deliveries").await.0, 404);
}

#[tokio::test]
async fn url_validation_fetches_the_url() {
    let stack = Stack::open().await;
    let validate = async |url: &str| {
        let (status, answer) = stack.post("/api/validate-url", &json!({ "url": url })).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["success"], answer.get("moviesCount")), (&json!(true), None));
        assert_eq!(answer["message"], answer["reason"]);
        (answer["valid"] == true, answer["reason"].as_str().expect("a sentence").to_owned())
    };
    assert!(validate(&format!("{}/", stack.studio)).await.0);
    let missing = (false, "The URL answered with HTTP status 404".to_owned());
    assert_eq!(validate(&format!("{}/nowhere", stack.studio)).await, missing);
    assert_eq!(validate("certainly not").await, (false, "This is not an http or https URL".to_owned()));
    let inside = (false, "The URL can't be reached: getaddrinfo ENOTFOUND 169.254.169.254".to_owned());
    assert_eq!(validate("http://169.254.169.254/latest").await, inside);
    let (status, answer) = stack.post("/api/validate-url", &json!({})).await;
    assert_eq!((status, &answer["message"]), (400, &json!("URL is required")));
}

/// The attempts of a delivery that the receiver `second` has verified.
async fn sent(stack: &Stack, job: &str, delivery: &str) -> Vec<Value> {
    let all = stack.webhooks("second", job).await.into_iter();
    all.filter(|webhook| webhook["headers"]["x-streamgank-delivery"] == delivery).collect()
}

#[tokio::test]
async fn a_lost_webhook_is_found_inspected_and_replayed_under_its_id() {
    let stack = Stack::open().await;
    stack.control("hooks/second", json!({ "answer": 404, "body": "not here" })).await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.until_status(&job, "completed").await;
    let path = format!("/api/webhooks/deliveries?jobId={job}&endpoint=webhook_2&status=exhausted");
    let lost = stack
        .eventually("the delivery is exhausted", || async {
            let (status, answer) = stack.get(&path).await;
            assert_eq!(status, 200, "{answer}");
            answer["deliveries"].as_array().expect("a list").first().cloned()
        })
        .await;
    let id = lost["id"].as_str().expect("an id").to_owned();
    // The list of all deliveries contains it, too; the other endpoint's delivery is not exhausted.
    let (_, newest) = stack.get("/api/webhooks/deliveries?status=exhausted&limit=1").await;
    assert_eq!(newest["deliveries"][0]["id"], id);
    let one = format!("/api/webhooks/deliveries/{id}");
    let (status, details) = stack.get(&one).await;
    assert_eq!((status, &details["payload"]["data"]["job_id"]), (200, &json!(job)), "{details}");
    let attempts = details["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 4);
    for (number, attempt) in (1..).zip(attempts) {
        assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(number), &json!("answered")));
        assert_eq!(attempt["status"], 404);
        assert_eq!(attempt["responseSha256"].as_str().map(str::len), Some(64), "{attempt}");
        let ms = |name: &str| attempt[name].as_u64().expect("milliseconds");
        assert!(ms("firstByteMs") <= ms("durationMs"));
    }
    let refused = stack
        .eventually("all four are verified", || async {
            let sent = sent(&stack, &job, &id).await;
            (sent.len() == 4).then_some(sent)
        })
        .await;
    stack.control("hooks/second", json!({})).await;
    let (status, answer) = stack.post(&format!("{one}/retry"), &json!({})).await;
    assert_eq!((status, &answer["delivery"]["replay"]), (200, &json!(true)), "{answer}");
    let arrived = stack
        .eventually("it arrives", || async {
            let all = stack.webhooks("second", &job).await;
            all.into_iter().find(|webhook| webhook["headers"]["webhook-replay"] == "true")
        })
        .await;
    assert_eq!(arrived["headers"]["x-streamgank-delivery"], id);
    assert!(arrived["headers"]["webhook-id"].is_string(), "{arrived}");
    for before in &refused {
        assert_eq!((&before["answered"], before["headers"].get("webhook-replay")), (&json!(404), None), "{before}");
        assert_eq!(before["headers"]["webhook-id"], arrived["headers"]["webhook-id"], "the replay has the same id");
        assert_eq!(before["body_base64"], arrived["body_base64"], "the replay has the same bytes");
    }
    assert_eq!(arrived["verification"]["standard_webhooks"]["ok"], true, "{arrived}");
    assert_eq!(arrived["headers"]["webhook-sequence"], lost["sequence"].to_string());
    stack
        .eventually("the attempt is stored", || async {
            let (_, details) = stack.get(&one).await;
            (details["delivery"]["status"] == "delivered" && details["attempts"].as_array().map(Vec::len) == Some(5))
                .then_some(())
        })
        .await;
    let unknown = "/api/webhooks/deliveries/5d1c8f5e-0f0a-5b7e-9a53-6c2b4d110f7a";
    let (status, answer) = stack.get(unknown).await;
    assert_eq!((status, &answer["code"]), (404, &json!("delivery_not_found")));
    let (status, answer) = stack.post(&format!("{unknown}/retry"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("delivery_not_found")));
}
