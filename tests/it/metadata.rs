//! Metadata from every route that creates something: it is in answers, lists, filtered lists and webhooks.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::orders::form;
use crate::stack::{JsonText, Stack, read};
use crate::videos::{HOOK, film, order, until};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

/// A value that no job of another test has.
fn unique() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos().to_string()
}

/// The ids in a list, newest first, from all of its pages.
async fn listed(stack: &Stack, path: &str, list: &str, id: &str) -> Vec<Value> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = stack.get(&format!("{path}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        ids.extend(page[list].as_array().expect("a list").iter().map(|one| one[id].clone()));
        let Some(next) = page["nextCursor"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}

/// Waits until a filtered list has exactly these ids: the indexes show a job late.
async fn until_listed(stack: &Stack, path: &str, (list, id): (&str, &str), expected: &[&str]) {
    stack
        .eventually(&format!("{expected:?} in {path}"), || async {
            (listed(stack, path, list, id).await == expected).then_some(())
        })
        .await;
}

fn refused((status, answer): (u16, Value), path: &str) {
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains(path)), "{answer}");
}

#[tokio::test]
async fn the_metadata_of_a_job_is_in_its_answers_lists_and_webhooks() {
    let stack = Stack::open().await;
    let order = unique();
    let metadata = json!({ "order": order, "country": "ours", "note": "Café 🎬" });
    let template = "studio:step_ms=5";
    let job = stack.submit_with(json!({ "template": template, "metadata": metadata })).await;
    let other = stack.submit_with(json!({ "template": template, "metadata": { "order": order, "note": "" } })).await;
    let without = stack.submit("step_ms=5").await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!(done["metadata"], metadata);
    assert_eq!(stack.job(&without).await["metadata"], json!({}));
    let (_, details) = stack.get(&format!("/api/job/{job}/details")).await;
    assert_eq!(details["job"]["metadata"], metadata);
    let webhook = stack.webhook("main", &job, "job.completed").await;
    let beside = json!({ "country": "US", "platform": "Netflix", "order": order, "note": "Café 🎬" });
    assert_eq!(webhook["body"]["data"]["metadata"], beside, "country and platform are the job's");
    assert_eq!(webhook["verification"]["standard_webhooks"]["ok"], true, "{webhook:#}");
    let webhook = stack.webhook("main", &without, "job.completed").await;
    assert_eq!(webhook["body"]["data"]["metadata"], json!({ "country": "US", "platform": "Netflix" }));

    stack.until_status(&other, "completed").await;
    let names = ("jobs", "id");
    let path = format!("/api/queue/jobs?metadata.order={order}");
    until_listed(&stack, &path, names, &[&other, &job]).await;
    until_listed(&stack, &format!("{path}&limit=1"), names, &[&other, &job]).await;
    until_listed(&stack, &format!("{path}&status=completed&metadata.country=ours"), names, &[&job]).await;
    until_listed(&stack, &format!("{path}&metadata.note="), names, &[&other]).await;
    for none in ["&status=failed", "&family=vidbuilder", "&metadata.order=0", "&metadata.team=billing"] {
        assert!(listed(&stack, &format!("{path}{none}"), "jobs", "id").await.is_empty(), "{none}");
    }
    refused(stack.get("/api/queue/jobs?metadata.a%20b=1").await, "`metadata.a b`");

    let body = |metadata: Value| json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": template, "metadata": metadata });
    refused(stack.post("/api/generate", &body(json!({ "order": 42 }))).await, "`metadata.order`");
    let keyed = async |metadata: Value| {
        let request = stack.request(Method::POST, "/api/generate").header("idempotency-key", &order);
        read(request.json_text(&body(metadata)).send().await.expect("an answer")).await
    };
    let (status, first) = keyed(json!({ "step": "1" })).await;
    assert_eq!((status, &first["job"]["metadata"]), (200, &json!({ "step": "1" })), "{first}");
    assert_eq!(keyed(json!({ "step": "1" })).await.1["jobId"], first["jobId"]);
    let (status, answer) = keyed(json!({ "step": "2" })).await;
    assert_eq!((status, &answer["code"]), (422, &json!("idempotency_key_reused")));
}

#[tokio::test]
async fn the_metadata_of_a_video_is_in_its_status_list_and_notifications() {
    let stack = Stack::open().await;
    let batch = unique();
    let with = |number: &str| json!({ "batch": batch, "number": number });
    let mut wanted = film(1, 1.0);
    wanted["metadata"] = with("json");
    let by_json = order(&stack, wanted).await;
    let (config, hook) = (film(1, 1.0).to_string(), format!("{}/hooks/{HOOK}", stack.studio));
    let metadata = with("form").to_string();
    let body = form(&[
        ("config", None, config.as_bytes()),
        ("webhookUrl", None, hook.as_bytes()),
        ("metadata", None, metadata.as_bytes()),
    ]);
    let request = stack.request(Method::POST, "/api/generate-video-async");
    let request = request.header("content-type", "multipart/form-data; boundary=part");
    let (status, answer) = read(request.body(body).send().await.expect("an answer")).await;
    assert_eq!(status, 202, "{answer}");
    let by_form = answer["jobId"].as_str().expect("an id").to_owned();
    let mut wanted = film(1, 1.0);
    wanted["metadata"] = with("wait");
    let (status, answer) = stack.post("/api/generate-flexible-video", &wanted).await;
    assert!(matches!(status, 200 | 202), "{answer}");
    let by_wait = answer["jobId"].as_str().expect("an id").to_owned();
    let without = order(&stack, film(1, 1.0)).await;

    for (id, number) in [(&by_json, "json"), (&by_form, "form"), (&by_wait, "wait")] {
        assert_eq!(until(&stack, id, "completed").await["metadata"], with(number));
        assert_eq!(stack.job(id).await["metadata"], with(number));
        let path = format!("/api/videos?metadata.batch={batch}&metadata.number={number}");
        until_listed(&stack, &path, ("videos", "jobId"), &[id]).await;
    }
    assert_eq!(until(&stack, &without, "completed").await["metadata"], json!({}));
    let all = [by_wait.as_str(), &by_form, &by_json];
    until_listed(&stack, &format!("/api/videos?metadata.batch={batch}"), ("videos", "jobId"), &all).await;
    for (id, expected) in [(&by_json, Some(with("json"))), (&by_form, Some(with("form"))), (&without, None)] {
        let arrived = stack
            .eventually("both notifications", || async {
                let arrived = stack.webhooks(HOOK, id).await;
                arrived.iter().any(|one| one["body"]["status"] == "completed").then_some(arrived)
            })
            .await;
        for one in &arrived {
            assert_eq!(one["body"].get("metadata"), expected.as_ref(), "{one:#}");
            assert_eq!(one["verification"]["standard_webhooks"]["ok"], true, "{one:#}");
        }
    }
    let mut wanted = film(1, 1.0);
    wanted["metadata"] = json!({ "order": 42 });
    refused(stack.post("/api/generate-flexible-video", &wanted).await, "`metadata.order`");
}

#[tokio::test]
async fn endpoints_and_recoveries_show_their_metadata() {
    let stack = Stack::open().await;
    let url = format!("{}/hooks/own", stack.studio);
    let body = |metadata: Value| json!({ "url": url, "events": ["job.deleted"], "metadata": metadata });
    refused(stack.post(ENDPOINTS, &body(json!({ "team": null }))).await, "`metadata.team`");
    let (status, answer) = stack.post(ENDPOINTS, &body(json!({ "team": "billing", "gone": "1" }))).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["endpoint"]["metadata"], json!({ "team": "billing", "gone": "1" }));
    let path = format!("{ENDPOINTS}/{}", answer["endpoint"]["id"].as_str().expect("an id"));
    let change = async |body: Value| {
        read(stack.request(Method::PATCH, &path).json_text(&body).send().await.expect("an answer")).await
    };
    let (status, answer) = change(json!({ "metadata": { "gone": null, "cost": "7" } })).await;
    assert_eq!(
        (status, &answer["endpoint"]["metadata"]),
        (200, &json!({ "team": "billing", "cost": "7" })),
        "{answer}"
    );
    refused(change(json!({ "metadata": { "team": 1 } })).await, "`metadata.team`");
    let (_, shown) = stack.get(&path).await;
    assert_eq!(shown["endpoint"]["metadata"], json!({ "team": "billing", "cost": "7" }));
    let (_, list) = stack.get(ENDPOINTS).await;
    let list = list["endpoints"].as_array().expect("a list");
    assert!(list.iter().any(|one| one["metadata"]["team"] == "billing"), "{list:#?}");
    assert_eq!(list[0]["metadata"], json!({}), "an endpoint of the settings has none");
    let (_, answer) = change(json!({ "metadata": null })).await;
    assert_eq!(answer["endpoint"]["metadata"], json!({}));
    let (status, answer) = read(stack.request(Method::DELETE, &path).send().await.expect("an answer")).await;
    assert_eq!(status, 200, "{answer}");

    let from = answer["deletedAt"].as_str().expect("a time").to_owned();
    let ticket = unique();
    let body = |metadata: Value| json!({ "from": from, "dryRun": true, "metadata": metadata });
    refused(stack.post("/api/webhooks/recover", &body(json!("7"))).await, "`metadata`");
    let (status, answer) = stack.post("/api/webhooks/recover", &body(json!({ "ticket": ticket }))).await;
    assert!(matches!(status, 200 | 202), "{answer}");
    assert_eq!(answer["recovery"]["metadata"], json!({ "ticket": ticket }));
    let id = answer["recovery"]["id"].as_str().expect("an id");
    let (_, one) = stack.get(&format!("/api/webhooks/recover/{id}")).await;
    assert_eq!(one["recovery"]["metadata"], json!({ "ticket": ticket }));
    stack
        .eventually("the recovery in the list", || async {
            let (_, list) = stack.get("/api/webhooks/recover").await;
            let list = list["recoveries"].as_array().expect("a list");
            list.iter().any(|one| one["metadata"]["ticket"] == json!(ticket)).then_some(())
        })
        .await;
}
