//! Registered endpoints: the contract of their API with each error, secrets that rotate under load, other destinations.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

const PATH: &str = "/api/webhooks/endpoints";

async fn register(stack: &Stack, body: &Value) -> Value {
    let (status, answer) = stack.post(PATH, body).await;
    assert_eq!(status, 201, "{answer}");
    answer["endpoint"].clone()
}

/// Registers a receiver of the mock services.
async fn hook(stack: &Stack, name: &str, more: Value) -> String {
    let mut body = json!({ "url": format!("{}/hooks/{name}", stack.studio) });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    register(stack, &body).await["id"].as_str().expect("an id").to_owned()
}

async fn call(stack: &Stack, method: Method, path: &str, body: &Value) -> (u16, Value) {
    read(stack.request(method, path).json_text(body).send().await.expect("an answer")).await
}

async fn remove(stack: &Stack, id: &str) {
    let (status, answer) = call(stack, Method::DELETE, &format!("{PATH}/{id}"), &Value::Null).await;
    assert_eq!((status, &answer["id"]), (200, &json!(id)), "{answer}");
}

/// The webhooks of this event that a receiver has verified.
async fn arrived(stack: &Stack, hook: &str, event: &str) -> Vec<Value> {
    let all = stack.studio(&format!("/hooks/{hook}/received?limit=20000&event={event}")).await;
    let all = all["received"].as_array().expect("a list").iter();
    all.filter(|one| !one["verification"].is_null()).cloned().collect()
}

#[tokio::test]
async fn an_endpoint_is_registered_changed_read_and_removed() {
    let stack = Stack::open().await;
    let body = json!({
        "url": format!("{}/hooks/own", stack.studio), "events": ["job.*", "endpoint.disabled"], "description": "Billing",
        "headers": { "X-Team": "billing", "X-Gone": "1" }, "payload": "thin", "asciiJson": true, "schedule": "standard",
        "timeoutMs": 1500, "concurrency": 3, "rateLimit": { "max": 50, "windowMs": 1000 }, "permanentStatuses": [404],
        "signatures": ["v1", "v1a"], "format": "streamgank",
    });
    let request = stack.request(Method::POST, PATH).header("idempotency-key", format!("own-{}", std::process::id()));
    let response = request.try_clone().expect("a copy").json_text(&body).send().await.expect("an answer");
    let location = response.headers()["location"].to_str().expect("text").to_owned();
    assert_eq!(response.headers()["etag"], "\"1\"");
    let (status, first) = read(response).await;
    let endpoint = &first["endpoint"];
    let id = endpoint["id"].as_str().expect("an id").to_owned();
    assert_eq!((status, location), (201, format!("{PATH}/{id}")), "{first}");
    let (status, again) = read(request.json_text(&body).send().await.expect("an answer")).await;
    assert_eq!(
        (status, &again["endpoint"]["id"], &again["test"]),
        (201, &json!(id), &first["test"]),
        "one endpoint, not two"
    );
    for (name, expected) in body.as_object().expect("an object") {
        match name.as_str() {
            "headers" => assert_eq!(endpoint["headers"], json!({ "X-Team": "***", "X-Gone": "***" })),
            _ => assert_eq!(&endpoint[name], expected, "{name}"),
        }
    }
    assert_eq!((&endpoint["enabled"], &endpoint["health"]["score"]), (&json!(true), &json!(100)));

    let delivery = first["test"]["deliveryId"].as_str().expect("an id");
    stack
        .eventually("the test arrived", || async {
            let (_, answer) = stack.get(&format!("/api/webhooks/deliveries/{delivery}")).await;
            (answer["delivery"]["status"] == "delivered").then_some(())
        })
        .await;
    let tests = stack.studio("/hooks/own/received?event=webhook.test&limit=100").await["received"].clone();
    let own = |one: &&Value| one["body"]["webhook_id"] == json!(id);
    let tests: Vec<&Value> = tests.as_array().expect("a list").iter().filter(own).collect();
    assert_eq!(tests.len(), 1, "one test for two equal requests");
    assert_eq!(tests[0]["headers"]["x-team"], "billing");

    let path = format!("{PATH}/{id}");
    let patch = json!({ "description": null, "headers": { "X-Gone": null }, "concurrency": null, "payload": "full" });
    let with_tag = |tag: &str| stack.request(Method::PATCH, &path).header("if-match", tag).json_text(&patch);
    let (status, answer) = read(with_tag("\"7\"").send().await.expect("an answer")).await;
    assert_eq!((status, &answer["code"]), (412, &json!("version_mismatch")));
    let (status, answer) = read(with_tag("\"1\"").send().await.expect("an answer")).await;
    let changed = &answer["endpoint"];
    assert_eq!((status, &changed["version"], &changed["description"]), (200, &json!(2), &Value::Null), "{answer}");
    assert_eq!((&changed["headers"], &changed["payload"]), (&json!({ "X-Team": "***" }), &json!("full")));
    assert_eq!((&changed["concurrency"], &changed["timeoutMs"]), (&json!(20), &json!(1500)), "null is the default");
    let (_, shown) = stack.get(&path).await;
    assert_eq!(shown["endpoint"]["version"], 2);

    let (_, off) = call(&stack, Method::PATCH, &path, &json!({ "enabled": false })).await;
    assert_eq!((&off["endpoint"]["enabled"], &off["endpoint"]["health"]["score"]), (&json!(false), &json!(0)), "{off}");
    let (status, answer) = stack.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("endpoint_disabled")));
    let (_, on) = stack.post(&format!("{path}/enable"), &json!({})).await;
    assert_eq!(on["endpoint"]["enabled"], true, "{on}");
    let (status, answer) = stack.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!(status, 202, "{answer}");

    let (_, preview) = stack.get(&format!("{path}/preview?event=job.failed")).await;
    let shown: Value = serde_json::from_str(preview["previews"][0]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!((&shown["event"], &shown["webhook_id"]), (&json!("job.failed"), &json!(id)));
    assert_eq!(preview["previews"][0]["headers"]["x-team"], "***");
    let (_, changed) = call(&stack, Method::PATCH, &path, &json!({ "format": null })).await;
    assert_eq!(changed["endpoint"]["format"], "standard", "null is the default of a registration: {changed}");
    assert_eq!(stack.post(&format!("{path}/test"), &json!({})).await.0, 202);
    let standard = stack
        .eventually("a test with the standard payload", || async {
            let tests = arrived(&stack, "own", "webhook.test").await.into_iter();
            let mut own = tests.filter(|one| one["body"]["data"]["endpoint_id"] == json!(id));
            own.find(|one| one["body"]["type"] == "webhook.test")
        })
        .await;
    let headers = &standard["headers"];
    assert_eq!((standard["body"].get("event"), headers.get("x-streamgank-event")), (None, None), "{standard}");
    assert_eq!(headers["user-agent"], format!("Reelhook/{}", env!("CARGO_PKG_VERSION")));
    let (_, all) = stack.get(&format!("{path}/preview")).await;
    let (_, types) = stack.get("/api/webhooks/event-types").await;
    let count = |list: &Value| list.as_array().map(Vec::len);
    assert_eq!(count(&all["previews"]), count(&types["eventTypes"]));

    let (_, list) = stack.get(&format!("{PATH}?limit=2")).await;
    let names: Vec<&str> =
        list["endpoints"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["webhook_1", "webhook_2"], "the endpoints of the settings come first");
    let cursor = list["nextCursor"].as_str().expect("there are more");
    let (_, rest) = stack.get(&format!("{PATH}?limit=2&cursor={cursor}")).await;
    assert_eq!((&rest["count"], &rest["endpoints"][0]["id"]), (&json!(1), &json!(id)));
    assert!(rest["nextCursor"].is_null());
    remove(&stack, &id).await;
    assert_eq!(stack.get(&path).await.0, 404);
}

#[tokio::test]
async fn invalid_requests_are_refused_with_a_sentence_that_names_the_field() {
    let stack = Stack::open().await;
    let url = format!("{}/hooks/own", stack.studio);
    for (field, value, named) in [
        ("url", json!("ftp://a.example/"), "`url`"),
        ("url", json!("https://ann:pass@a.example/"), "without a user"),
        ("url", json!("x".repeat(3000)), "2048"),
        ("type", json!("carrier-pigeon"), "`type`"),
        ("arn", json!("arn:aws:sqs:us-east-1:000000000000:x"), "left out"),
        ("events", json!([]), "`events`"),
        ("events", json!(["job.exploded"]), "`events`"),
        ("description", json!("x".repeat(201)), "200"),
        ("headers", json!({ "webhook-id": "x" }), "`headers`"),
        ("headers", json!({ "Host": "x" }), "`headers`"),
        ("headers", json!({ "X-Line": "a\nb" }), "`headers`"),
        ("headers", json!((0..21).map(|n| (format!("x-{n}"), json!("1"))).collect::<serde_json::Map<_, _>>()), "20"),
        ("payload", json!("tiny"), "`payload`"),
        ("format", json!("cloudevents"), "`format`"),
        ("asciiJson", json!("yes"), "`asciiJson`"),
        ("signatures", json!(["v2"]), "`signatures`"),
        ("schedule", json!("never"), "`schedule`"),
        ("timeoutMs", json!(99), "100 to 30000"),
        ("concurrency", json!(0), "1 to 1000"),
        ("rateLimit", json!({ "max": 0 }), "`rateLimit.max`"),
        ("rateLimit", json!(5), "`rateLimit`"),
        ("permanentStatuses", json!([429]), "408, 425 and 429"),
        ("secret", json!("hunter2"), "`secret`"),
        ("enabled", json!("no"), "`enabled`"),
    ] {
        let mut body = json!({ "url": url });
        body[field] = value;
        let (status, answer) = stack.post(PATH, &body).await;
        let sentence = answer["message"].as_str().unwrap_or_default();
        assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{field}: {answer}");
        assert!(sentence.contains(named), "{field}: {sentence}");
    }
    for (body, status, code) in [
        (json!({}), 400, "url_missing"),
        (json!({ "url": url, "colour": "red" }), 400, "unknown_field"),
        (json!({ "type": "sqs", "arn": "arn:aws:sqs:us-east-1:000000000000:not-allowed" }), 400, "bad_field"),
        (json!({ "type": "eventbridge", "arn": "arn:aws:sqs:us-east-1:000000000000:x" }), 400, "bad_field"),
    ] {
        let (answered, answer) = stack.post(PATH, &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{answer}");
    }
    let unknown = "ep_00000000000000000000000000000000";
    for (method, path, body, status, code) in [
        (Method::GET, unknown, json!(null), 404, "endpoint_not_found"),
        (Method::GET, "no/such/route", json!(null), 404, "unknown_route"),
        (Method::PATCH, unknown, json!({ "payload": "thin" }), 404, "endpoint_not_found"),
        (Method::DELETE, unknown, json!(null), 404, "endpoint_not_found"),
        (Method::PATCH, "webhook_1", json!({ "payload": "thin" }), 409, "endpoint_configured"),
        (Method::DELETE, "webhook_1", json!(null), 409, "endpoint_configured"),
        (Method::PATCH, "webhook_1", json!({ "colour": 1 }), 400, "unknown_field"),
    ] {
        let (answered, answer) = call(&stack, method.clone(), &format!("{PATH}/{path}"), &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{method} {path}: {answer}");
    }
    for (path, status, code) in [
        ("webhook_1/secret", 409, "endpoint_configured"),
        (&format!("{unknown}/secret"), 404, "endpoint_not_found"),
        (&format!("{unknown}/preview?event=job.exploded"), 400, "bad_field"),
    ] {
        let (answered, answer) = stack.get(&format!("{PATH}/{path}")).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{path}: {answer}");
    }
    for (path, body, status, code) in [
        ("webhook_1/secret/rotate", json!({}), 409, "endpoint_configured"),
        (&format!("{unknown}/secret/rotate"), json!({}), 404, "endpoint_not_found"),
        (&format!("{unknown}/secret/rotate"), json!({ "graceSeconds": 2_592_001 }), 400, "bad_field"),
        (&format!("{unknown}/secret/rotate"), json!({ "secret": "whsec_AAAA" }), 400, "bad_field"),
        (&format!("{unknown}/secret/rotate"), json!({ "now": true }), 400, "unknown_field"),
        (&format!("{unknown}/test"), json!({}), 404, "endpoint_not_found"),
        (&format!("{unknown}/enable"), json!({}), 404, "endpoint_not_found"),
    ] {
        let (answered, answer) = stack.post(&format!("{PATH}/{path}"), &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{path}: {answer}");
    }
    // Eight valid secrets, and one endpoint of the settings that is disabled and enabled again.
    let id = hook(&stack, "own", json!({ "events": ["webhook.test"] })).await;
    for _ in 0..7 {
        assert_eq!(stack.post(&format!("{PATH}/{id}/secret/rotate"), &json!({})).await.0, 200);
    }
    let (status, answer) = stack.post(&format!("{PATH}/{id}/secret/rotate"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("too_many_secrets")), "{answer}");
    remove(&stack, &id).await;
    let (status, answer) =
        call(&stack, Method::PATCH, &format!("{PATH}/webhook_2"), &json!({ "enabled": false })).await;
    assert_eq!((status, &answer["endpoint"]["health"]["status"]), (200, &json!("disabled")), "{answer}");
    let (_, answer) = call(&stack, Method::PATCH, &format!("{PATH}/webhook_2"), &json!({ "enabled": true })).await;
    assert_eq!(answer["endpoint"]["enabled"], true, "{answer}");
}

/// Gives the receiver each of the endpoint's valid secrets and keys.
pub async fn hold_all(stack: &Stack, id: &str, hook: &str) -> usize {
    let (status, answer) = stack.get(&format!("{PATH}/{id}/secret")).await;
    assert_eq!(status, 200, "{answer}");
    let all = |name: &str| -> Vec<Value> {
        let all = answer["secrets"].as_array().expect("a list").iter();
        // Without asymmetric signatures there is no key.
        all.map(|one| one[name].clone()).filter(|one| !one.is_null()).collect()
    };
    let (secrets, keys) = (all("secret"), all("publicKey"));
    stack.control(&format!("hooks/{hook}/secrets"), json!({ "secrets": secrets, "public_keys": keys })).await;
    secrets.len()
}

#[tokio::test]
async fn secrets_rotate_under_load_without_a_refused_webhook() {
    let stack = Stack::open().await;
    let id = hook(&stack, "rotating", json!({ "signatures": ["v1", "v1a"], "events": ["job.completed"] })).await;
    hold_all(&stack, &id, "rotating").await;
    let data = json!({ "job_id": format!("rotate-{}", std::process::id()), "genre": "Série 🎬" });
    let trigger = json!({ "event": "job.completed", "data": data });
    let rotated = AtomicBool::new(false);
    let load = async {
        let mut sent = 0;
        while !rotated.load(Ordering::Relaxed) {
            let post = || stack.post("/api/webhooks/trigger", &trigger);
            let (one, two, three) = tokio::join!(post(), post(), post());
            assert!([one, two, three].iter().all(|(status, _)| *status == 200));
            sent += 3;
        }
        sent
    };
    // A receiver with one secret uses it until it expires. A receiver gets the newest secret once every webhook from
    // before the rotation has arrived.
    let rotations = async {
        let mut held = 1;
        for _ in 0..5 {
            let grace = json!({ "graceSeconds": 3600 });
            let (status, answer) = stack.post(&format!("{PATH}/{id}/secret/rotate"), &grace).await;
            assert_eq!(status, 200, "{answer}");
            let since = answer["secrets"][0]["createdAt"].as_str().expect("a time").to_owned();
            let waiting = format!("/api/webhooks/deliveries?endpoint={id}&status=pending&to={since}");
            stack
                .eventually("the earlier webhooks have arrived", || async {
                    (stack.get(&waiting).await.1["count"] == 0).then_some(())
                })
                .await;
            held = hold_all(&stack, &id, "rotating").await;
        }
        rotated.store(true, Ordering::Relaxed);
        held
    };
    let (sent, held) = tokio::join!(load, rotations);
    assert_eq!(held, 6, "six secrets are valid");
    let found = stack
        .eventually("all arrived", || async {
            let found = arrived(&stack, "rotating", "job.completed").await;
            (found.len() >= sent).then_some(found)
        })
        .await;
    let refused: Vec<&Value> = found
        .iter()
        .filter(|one| ["node", "python", "standard_webhooks"].iter().any(|who| one["verification"][who]["ok"] != true))
        .collect();
    assert!(refused.is_empty(), "{} of {} were refused, the first: {:#}", refused.len(), found.len(), refused[0]);
    let schemes: BTreeSet<usize> = found
        .iter()
        .map(|one| one["headers"]["webhook-signature"].as_str().unwrap_or_default().matches("v1a,").count())
        .collect();
    println!("{} webhooks under five rotations, v1a signatures each: {schemes:?}, refused: 0", found.len());
    assert!(schemes.contains(&6), "{schemes:?}");
    let node = &found.last().expect("one")["verification"]["node"]["checks"];
    for check in ["standardwebhooks", "svix", "snippet", "snippet_v1a"] {
        assert_eq!(node[check], true, "{node}");
    }
    remove(&stack, &id).await;
    let keys = format!("{}/.well-known/webhook-keys.json?endpointId={id}", stack.api);
    let (_, keys) = read(stack.http.get(keys).send().await.expect("an answer")).await;
    assert_eq!(keys["keys"], json!([]), "a removed endpoint has no keys");
}

#[tokio::test]
async fn public_keys_are_published_for_endpoints_with_asymmetric_signatures() {
    let stack = Stack::open().await;
    let with = hook(&stack, "own", json!({ "signatures": ["v1", "v1a"], "events": ["webhook.test"] })).await;
    let without = hook(&stack, "own", json!({ "events": ["webhook.test"] })).await;
    let keys = async |query: &str| {
        let url = format!("{}/.well-known/webhook-keys.json{query}", stack.api);
        let response = stack.http.get(url).send().await.expect("an answer");
        assert_eq!(response.headers()["cache-control"], "public, max-age=60");
        read(response).await.1["keys"].as_array().expect("a list").clone()
    };
    assert!(keys(&format!("?endpointId={without}")).await.is_empty() && keys("?endpointId=no/id").await.is_empty());
    // The list of all keys may be a minute old.
    let all = |key: &Value| key["endpointId"].is_string() && key["whpk"].is_string();
    assert!(keys("").await.iter().all(all));
    let (_, secrets) = stack.get(&format!("{PATH}/{with}/secret")).await;
    let own = keys(&format!("?endpointId={with}")).await;
    assert_eq!((own.len(), &own[0]["whpk"]), (1, &secrets["secrets"][0]["publicKey"]));
    assert_eq!(
        (&own[0]["kty"], &own[0]["crv"], &own[0]["kid"]),
        (&json!("OKP"), &json!("Ed25519"), &secrets["secrets"][0]["id"])
    );
    for id in [&with, &without] {
        remove(&stack, id).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_was_disabled_after_failing_is_enabled_and_recovered() {
    let stack = Stack::open().await;
    let began = reelhook_app::clock::ClockAndRandom::now(&reelhook_aws::start::SystemClock);
    let names = ["broken", "watching"].map(|name| format!("{name}-{}", std::process::id()));
    let [broken_hook, watching_hook] = &names;
    stack.control(&format!("hooks/{broken_hook}"), json!({ "answer": 500 })).await;
    let watching = hook(&stack, watching_hook, json!({ "events": ["endpoint.*", "delivery.*"] })).await;
    let broken = hook(&stack, broken_hook, json!({ "events": ["job.completed"] })).await;
    let count_of = async |event: &str| {
        let all = arrived(&stack, watching_hook, event).await;
        all.into_iter().filter(|one| one["body"]["data"]["endpoint_id"] == json!(broken)).count()
    };
    let trigger = async || {
        let body = json!({ "event": "job.completed", "data": { "job_id": format!("broken-{}", std::process::id()) } });
        assert_eq!(stack.post("/api/webhooks/trigger", &body).await.0, 200);
    };
    // The test webhook of the registration ran out of attempts, and so will each of these.
    for _ in 0..4 {
        trigger().await;
    }
    stack
        .eventually("the other endpoint gets endpoint.failing", || async {
            (count_of("endpoint.failing").await > 0).then_some(())
        })
        .await;
    // The endpoint has failed for a long time: nearly a thousand consecutive attempts.
    stack.aws.fail_endpoint(&broken, 997).await;
    let state = stack
        .eventually("it is disabled", || async {
            let (_, answer) = stack.get(&format!("{PATH}/{broken}")).await;
            (answer["endpoint"]["health"]["status"] == "disabled").then_some(answer)
        })
        .await;
    assert_eq!((&state["endpoint"]["enabled"], &state["endpoint"]["health"]["score"]), (&json!(false), &json!(0)));
    stack
        .eventually("the other endpoint gets endpoint.disabled", || async {
            (count_of("endpoint.disabled").await == 1).then_some(())
        })
        .await;
    // Events in the meantime are stored but not sent.
    trigger().await;
    let list = async |status: &str| {
        let (_, list) =
            stack.get(&format!("/api/webhooks/deliveries?endpoint={broken}&status={status}&limit=100")).await;
        list["deliveries"].as_array().expect("a list").clone()
    };
    let of_broken = async |status: &str| list(status).await.len();
    stack.eventually("nothing waits", || async { (of_broken("pending").await == 0).then_some(()) }).await;
    let (exhausted, stopped) = (of_broken("exhausted").await, of_broken("stopped").await);
    assert!(stopped > 0 && exhausted + stopped == 6, "{exhausted} exhausted, {stopped} stopped");
    let given_up = list("exhausted").await.iter().filter(|one| one["event"] == "job.completed").count();

    stack.control(&format!("hooks/{broken_hook}"), json!({})).await;
    let (status, answer) = stack.post(&format!("{PATH}/{broken}/enable"), &json!({})).await;
    assert_eq!((status, &answer["endpoint"]["enabled"]), (200, &json!(true)), "{answer}");
    let recover = json!({ "from": began.to_string(), "endpoint": broken });
    let (status, answer) = stack.post("/api/webhooks/recover", &recover).await;
    assert!(matches!(status, 200 | 202), "{answer}");
    stack.eventually("all is delivered", || async { (of_broken("delivered").await == 6).then_some(()) }).await;
    let received = stack.studio(&format!("/hooks/{broken_hook}/received?limit=1000")).await;
    let all = received["received"].as_array().expect("a list").iter();
    let ids: BTreeSet<&str> =
        all.filter(|one| one["answered"] == 200).filter_map(|one| one["webhook_id"].as_str()).collect();
    assert_eq!(ids.len(), 6, "each event is sent, some of them again");
    // One for each exhausted delivery, except the test.
    stack
        .eventually("an event arrives for each", || async {
            (count_of("delivery.exhausted").await == given_up).then_some(())
        })
        .await;
    assert_eq!((count_of("endpoint.disabled").await, count_of("endpoint.recovered").await), (1, 0));
    for id in [&broken, &watching] {
        remove(&stack, id).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_recovers_by_itself_causes_failing_and_recovered_events() {
    let stack = Stack::open().await;
    let names = ["flapping", "hearing"].map(|name| format!("{name}-{}", std::process::id()));
    stack.control(&format!("hooks/{}", names[0]), json!({ "answer": 503 })).await;
    let hearing = hook(&stack, &names[1], json!({ "events": ["endpoint.*"] })).await;
    let flapping = hook(&stack, &names[0], json!({ "events": ["job.completed"] })).await;
    let count_of = async |event: &str| arrived(&stack, &names[1], event).await.len();
    let body = json!({ "event": "job.completed", "data": { "job_id": format!("flapping-{}", std::process::id()) } });
    for _ in 0..4 {
        assert_eq!(stack.post("/api/webhooks/trigger", &body).await.0, 200);
    }
    stack
        .eventually("the other endpoint gets endpoint.failing", || async {
            (count_of("endpoint.failing").await > 0).then_some(())
        })
        .await;
    stack.control(&format!("hooks/{}", names[0]), json!({})).await;
    assert_eq!(stack.post("/api/webhooks/trigger", &body).await.0, 200);
    stack
        .eventually("the other endpoint gets endpoint.recovered", || async {
            (count_of("endpoint.recovered").await == 1).then_some(())
        })
        .await;
    let (_, answer) = stack.get(&format!("{PATH}/{flapping}")).await;
    assert_eq!(answer["endpoint"]["health"]["failures"], 0, "{answer}");
    for id in [&flapping, &hearing] {
        remove(&stack, id).await;
    }
}

#[tokio::test]
async fn queues_and_event_buses_are_destinations() {
    let stack = Stack::open().await;
    let queue = stack.aws.destination_queue("reelhook-test-destination").await;
    let behind_bus = stack.aws.destination_bus("reelhook-test-bus", "reelhook-test-bus-target").await;
    let arn = |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:000000000000:{name}");
    let to_queue =
        json!({ "type": "sqs", "arn": arn("sqs", "reelhook-test-destination"), "events": ["job.completed"] });
    let to_bus = json!({ "type": "eventbridge", "arn": arn("events", "event-bus/reelhook-test-bus"),
        "events": ["job.completed"], "format": "streamgank" });
    let (queued, bused) = (register(&stack, &to_queue).await, register(&stack, &to_bus).await);
    let job = format!("cloud-{}", std::process::id());
    let body = json!({ "event": "job.completed", "data": { "job_id": job } });
    assert_eq!(stack.post("/api/webhooks/trigger", &body).await.0, 200);

    let message = stack.eventually("a message", || stack.aws.receive_about(&queue, &job)).await;
    let (body, attributes) = message;
    assert_eq!((&body["type"], &body["data"]["job_id"]), (&json!("job.completed"), &json!(job)), "{body}");
    let (_, secrets) = stack.get(&format!("{PATH}/{}/secret", queued["id"].as_str().expect("an id"))).await;
    let keys =
        reelhook_signing::SigningKeys::parse(secrets["secrets"][0]["secret"].as_str().expect("text")).expect("a key");
    let (text, now) = (body.to_string(), reelhook_app::clock::ClockAndRandom::now(&reelhook_aws::start::SystemClock));
    let [id, at, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| attributes[name].clone());
    reelhook_signing::standard::verify(&id, &at, &signature, text.as_bytes(), &keys, now.seconds())
        .expect("it is ours");

    let (event, _) = stack.eventually("an event", || stack.aws.receive_about(&behind_bus, &job)).await;
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("reelhook"), &json!("job.completed")), "{event}");
    assert_eq!((&event["detail"]["data"]["job_id"], &event["detail"]["webhook_id"]), (&json!(job), &bused["id"]));
    assert!(event["detail"]["id"].as_str().is_some_and(|id| id.starts_with("msg_")));
    for endpoint in [&queued, &bused] {
        remove(&stack, endpoint["id"].as_str().expect("an id")).await;
    }
}

#[tokio::test]
async fn the_stack_has_a_queue_for_inspecting_webhooks() {
    let stack = Stack::open().await;
    let (inbox, arn) = (stack.aws.output("InboxQueueUrl"), stack.aws.output("InboxArn"));
    let made = register(&stack, &json!({ "type": "sqs", "arn": arn, "events": ["webhook.test"] })).await;
    let id = made["id"].as_str().expect("an id");
    let (body, attributes) = stack.eventually("its test", || stack.aws.receive_about(inbox, id)).await;
    assert_eq!((&body["type"], &body["data"]["endpoint_id"]), (&json!("webhook.test"), &json!(id)), "{body}");
    assert!(attributes["webhook-signature"].starts_with("v1,"), "{attributes:?}");
    remove(&stack, id).await;
}
