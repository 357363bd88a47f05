//! Webhook receivers: what they record, and how they respond.

use std::time::{Duration, Instant};

use reelhook_signing::{SigningKeys, standard, streamgank};
use reelhook_studio::{Config, ReceivedQuery, Studio};
use reqwest::Method;
use serde_json::{Value, json};

use crate::http::{Response, delete, get, post, put, try_send};
use crate::support::{config, eventually, start, studio};

const BODY: &str = r#"{"event":"job.completed","data":{"genre":"Série"}}"#;

async fn behave(studio: &Studio, settings: Value) {
    let url = format!("{}/control/hooks/shop", studio.url());
    let answer = put(&url, &settings).await;
    assert_eq!(answer.status, 200, "{settings}: {:?}", answer.json());
}

async fn deliver(studio: &Studio, headers: &[(&str, &str)]) -> Response {
    post(&format!("{}/hooks/shop", studio.url()), headers, BODY).await
}

async fn deliver_with_short_timeout(studio: &Studio) -> reqwest::Result<Response> {
    let url = format!("{}/hooks/shop", studio.url());
    try_send(Method::POST, &url, &[], BODY, Duration::from_millis(300)).await
}

#[tokio::test]
async fn deliveries_are_recorded_listed_counted_and_cleared() {
    let studio = studio().await;
    for id in ["msg_1", "msg_1", "msg_2"] {
        assert_eq!(deliver(&studio, &[("webhook-id", id)]).await.status, 200);
    }
    let other = format!("{}/hooks/other", studio.url());
    post(&other, &[("x-webhook-event", "started")], "not json").await;

    let url = format!("{}/hooks/shop", studio.url());
    let page = get(&format!("{url}/received?since=1&limit=1"), &[]).await.json();
    assert_eq!((&page["next"], page["received"].as_array().unwrap().len()), (&json!(2), 1));
    let second = &page["received"][0];
    assert_eq!(second["index"], 1);
    assert_eq!(second["body"]["data"]["genre"], "Série");
    assert_eq!(second["event"], "job.completed");
    assert_eq!(second["headers"]["webhook-id"], "msg_1");
    assert_eq!((&second["repeat"], &second["answered"]), (&json!(1), &json!(200)));
    let rest = get(&format!("{url}/received?since=2&event=job.completed"), &[]).await.json();
    assert_eq!((&rest["next"], &rest["received"][0]["webhook_id"]), (&json!(4), &json!("msg_2")));
    assert_eq!(rest["forgotten"], 0);
    let none = get(&format!("{url}/received?event=job.failed"), &[]).await.json();
    assert_eq!(none["received"], json!([]));
    let odd = studio.receiver().received("other", &ReceivedQuery::default())["received"][0].clone();
    assert_eq!((&odd["body"], &odd["event"]), (&Value::Null, &json!("started")));
    assert_eq!(odd["body_base64"], "bm90IGpzb24=");

    let summary = get(&format!("{url}/summary"), &[]).await.json();
    assert_eq!(summary["by_event"], json!({"job.completed": 3}));
    assert_eq!(summary["by_webhook_id"], json!({"msg_1": 2, "msg_2": 1}));
    assert_eq!((&summary["received"], &summary["repeats"]), (&json!(3), &json!(1)));

    assert_eq!(delete(&format!("{url}/received")).await.status, 204);
    assert_eq!(studio.receiver().received("shop", &ReceivedQuery::default())["received"], json!([]));
    assert_eq!(studio.receiver().summary("shop")["received"], 0);
    assert_eq!(studio.receiver().summary("other")["received"], 1);
}

#[tokio::test]
async fn the_event_of_each_format_is_recognized() {
    let studio = studio().await;
    let url = format!("{}/hooks/shop", studio.url());
    let check = async |headers: &[(&str, &str)], body: &str, event: &str| {
        post(&url, headers, body).await;
        let list = get(&format!("{url}/received?event={event}"), &[]).await.json();
        assert_eq!(list["received"].as_array().unwrap().len(), 1, "{body}");
    };
    check(&[], r#"{"event":"job.completed","data":{"type":"a"}}"#, "job.completed").await;
    check(&[], r#"{"type":"job.failed","timestamp":"2024-01-01T12:00:00.000Z","data":{}}"#, "job.failed").await;
    check(&[("x-webhook-event", "completed")], r#"{"jobId":"1","type":"product-video"}"#, "completed").await;
}

#[tokio::test]
async fn a_receiver_fails_a_few_times_and_then_accepts() {
    let studio = studio().await;
    let settings = json!({"answer": 503, "retry_after": 3, "times": 2, "body": "down"});
    behave(&studio, settings).await;
    for _ in 0..2 {
        let answer = deliver(&studio, &[]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "3"));
        assert_eq!(answer.body, b"down");
    }
    assert_eq!(deliver(&studio, &[]).await.status, 200);
    let received = studio.receiver().received("shop", &ReceivedQuery::default());
    let answered: Vec<&Value> =
        received["received"].as_array().unwrap().iter().map(|delivery| &delivery["answered"]).collect();
    assert_eq!(answered, [503, 503, 200]);
}

#[tokio::test]
async fn a_receiver_responds_with_any_status_body_and_header() {
    let studio = studio().await;
    for status in [200, 204, 302, 410, 429, 500] {
        behave(&studio, json!({"answer": status})).await;
        assert_eq!(deliver(&studio, &[]).await.status, status);
    }
    behave(&studio, json!({"body": "ok", "headers": {"location": "/elsewhere"}, "answer": 301})).await;
    let answer = deliver(&studio, &[]).await;
    assert_eq!((answer.body.as_slice(), answer.header("location")), (b"ok".as_slice(), "/elsewhere"));
    behave(&studio, json!({"delay_ms": 120})).await;
    let start = Instant::now();
    assert_eq!(deliver(&studio, &[]).await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_receiver_can_stall_or_close_the_connection() {
    let studio = studio().await;
    for settings in
        [json!({"never": true}), json!({"stall": "head"}), json!({"stall": "body"}), json!({"endless": true})]
    {
        behave(&studio, settings.clone()).await;
        let error = deliver_with_short_timeout(&studio).await.unwrap_err();
        assert!(error.is_timeout(), "{settings}: {error:?}");
    }
    behave(&studio, json!({"close": true})).await;
    let error = deliver_with_short_timeout(&studio).await.unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(studio.receiver().summary("shop")["received"], 5);

    behave(&studio, json!({})).await;
    assert_eq!(deliver(&studio, &[]).await.status, 200);
}

#[tokio::test]
async fn deliveries_are_verified_with_the_secret_of_their_receiver() {
    let config = Config {
        secrets: vec!["shop=new, s3cret".parse().unwrap()],
        webhook_secret_key: Some("general".into()),
        ..config()
    };
    let studio = start(config).await;
    let keys = SigningKeys::parse("s3cret").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs() as i64;
    let headers = [
        ("x-streamgank-signature", &*streamgank::signature(BODY.as_bytes(), &keys)),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &now.to_string()),
        ("webhook-signature", &standard::sign("msg_1", now, BODY.as_bytes(), &keys)),
    ];
    deliver(&studio, &headers).await;
    post(&format!("{}/hooks/other", studio.url()), &headers, BODY).await;
    let verification = |name: &'static str| {
        let studio = &studio;
        move || {
            let received =
                studio.receiver().received(name, &ReceivedQuery { limit: Some(1), ..ReceivedQuery::default() });
            let found = received["received"][0]["verification"].clone();
            (!found.is_null()).then_some(found)
        }
    };
    let good = eventually("a verification", verification("shop")).await;
    let ok = json!({"ok": true});
    assert_eq!((&good["streamgank"], &good["standard_webhooks"]), (&ok, &ok));
    assert_eq!((&good["node"], &good["python"]), (&Value::Null, &Value::Null));
    let bad = eventually("a verification", verification("other")).await;
    assert_eq!(bad["streamgank"], json!({"ok": false, "error": "the signature does not match"}));
    assert_eq!(bad["standard_webhooks"]["ok"], false);
    for (name, tally) in [("shop", json!({"passed": 1, "failed": 0})), ("other", json!({"passed": 0, "failed": 1}))] {
        let verified = studio.receiver().summary(name)["verified"].clone();
        assert_eq!(verified, json!({"standard_webhooks": tally, "streamgank": tally}), "{name}");
    }
}
