//! The mock of Creatomate, as Reelhook and the official SDK call it, and its files.

use reelhook_studio::{Config, Studio};
use serde_json::{Value, json};

use crate::http::{Response, get, post, put};
use crate::support::{FakeApi, config, config_with_video, eventually, start, studio};

const KEY: (&str, &str) = ("authorization", "Bearer k3y");

async fn render(studio: &Studio, version: &str, body: Value) -> Response {
    let url = format!("{}/creatomate/{version}/renders", studio.url());
    post(&url, &[KEY], &body.to_string()).await
}

async fn show(studio: &Studio, id: &str) -> Response {
    get(&format!("{}/creatomate/v1/renders/{id}", studio.url()), &[KEY]).await
}

#[tokio::test]
async fn a_render_becomes_a_playable_video() {
    let config = Config { creatomate_api_key: Some("k3y".into()), ..config_with_video() };
    let (studio, api) = (start(config).await, FakeApi::start().await);
    let body = json!({
        "template_id": "studio:render_ms=40",
        "modifications": {"Title": "L'été à 50% : \"Série\" [v] \\ 🎬"},
        "webhook_url": format!("{}/api/webhooks/creatomate", api.url()),
        "metadata": "job_1",
    });
    let response = render(&studio, "v1", body).await;
    assert_eq!(response.status, 202);
    let renders = response.json();
    assert_eq!(renders.as_array().unwrap().len(), 1);
    assert_eq!(renders[0]["status"], "planned");
    assert!(renders[0].get("url").is_none());
    let id = renders[0]["id"].as_str().unwrap().to_owned();

    let webhook = eventually("the webhook", || api.renders().pop()).await;
    assert!(!webhook.headers.contains_key("x-creatomate-signature"));
    let shown = show(&studio, &id).await.json();
    assert_eq!(webhook.body, shown);
    assert_eq!(shown["status"], "succeeded", "{shown}");
    assert_eq!(shown["metadata"], "job_1");
    assert_eq!(shown["url"], format!("{}/files/{id}.mp4", studio.url()));

    let url = shown["url"].as_str().unwrap();
    let video = get(url, &[]).await;
    assert_eq!((video.status, video.header("content-type")), (200, "video/mp4"));
    assert_eq!(shown["file_size"], video.body.len());
    assert_eq!(&video.body[4..8], b"ftyp");
    let position = |name: &[u8]| video.body.windows(4).position(|four| four == name).unwrap();
    assert!(position(b"moov") < position(b"mdat"), "faststart");
    assert!(video.body.windows(4).any(|four| four == b"avc1"), "h264");
    assert!(video.body.windows(4).any(|four| four == b"mp4a"), "sound");

    let part = get(url, &[("range", "bytes=4-7")]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, b"ftyp".as_slice()));
    assert_eq!(part.header("content-range"), format!("bytes 4-7/{}", video.body.len()));
    assert_eq!(get(url, &[("range", "bytes=99999999-")]).await.status, 416);
    assert_eq!(api.renders().len(), 1, "one webhook");
}

#[tokio::test]
async fn all_renders_can_share_one_video() {
    let config = Config { shared_video: true, ..config_with_video() };
    let studio = start(config).await;
    let mut videos = Vec::new();
    for title in ["one", "two"] {
        let source = json!({"output_format": "mp4", "elements": [{"type": "text", "text": title}]});
        let response = render(&studio, "v1", json!({"source": source})).await;
        let id = response.json()[0]["id"].as_str().unwrap().to_owned();
        let ended = eventually("the render", || ended(&studio, &id)).await;
        videos.push(get(ended["url"].as_str().unwrap(), &[]).await.body);
    }
    assert!(videos[0].len() > 10_000);
    assert_eq!(videos[0], videos[1]);
}

fn ended(studio: &Studio, id: &str) -> Option<Value> {
    let renders = studio.creatomate().snapshot()["renders"].clone();
    let mut renders = renders.as_array()?.iter();
    let render = renders.find(|render| render["id"] == id)?;
    let status = render["status"].as_str()?;
    matches!(status, "succeeded" | "failed").then(|| render.clone())
}

#[tokio::test]
async fn statuses_advance_and_a_failure_is_reported() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let settings = json!({"render_ms": 800, "fail": true, "error_message": "font missing"});
    studio.creatomate().set(settings).unwrap();
    let webhook_url = format!("{}/api/webhooks/creatomate", api.url());
    let response = render(&studio, "v1", json!({"tags": ["a", "b"], "webhook_url": webhook_url})).await;
    assert_eq!(response.json().as_array().unwrap().len(), 2);
    let id = response.json()[0]["id"].as_str().unwrap().to_owned();

    let mut seen = Vec::new();
    eventually("the render to fail", || {
        let renders = studio.creatomate().snapshot()["renders"].clone();
        let status = renders[0]["status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        (status == "failed").then_some(())
    })
    .await;
    assert_eq!(seen, ["planned", "waiting", "transcribing", "rendering", "failed"]);
    let shown = show(&studio, &id).await.json();
    assert_eq!(shown["error_message"], "font missing");
    assert!(shown.get("url").is_none());
    eventually("both webhooks", || (api.renders().len() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_wrong_key_an_unknown_id_and_a_bad_body_get_hints() {
    let config = Config { creatomate_api_key: Some("k3y".into()), ..config() };
    let studio = start(config).await;
    let url = format!("{}/creatomate/v1/renders", studio.url());
    for headers in [vec![], vec![("authorization", "Bearer other")], vec![("authorization", "k3y")]] {
        let response = post(&url, &headers, r#"{"template_id": "t"}"#).await;
        assert_eq!(response.status, 401);
        assert!(response.json()["hint"].is_string());
        assert!(response.json()["documentation"].is_string());
    }
    let response = show(&studio, "69ba407b-72a9-4050-a9fb-559827b9623d").await;
    assert_eq!(response.status, 404);
    assert!(response.json()["hint"].is_string());
    assert_eq!(render(&studio, "v1", json!({"modifications": {}})).await.status, 400);
    let response = render(&studio, "v1", json!({"template_id": "studio:render_ms=soon"})).await;
    assert_eq!(response.json()["hint"], "option `render_ms` must be a number (got `soon`)");
}

#[tokio::test]
async fn version_2_returns_one_render() {
    let studio = studio().await;
    let script = json!({"output_format": "mp4", "width": 640, "elements": [{"type": "text", "text": "Hi"}]});
    let response = render(&studio, "v2", script.clone()).await;
    assert_eq!(response.status, 202);
    assert_eq!(response.json()["status"], "planned");

    let mut dry = script;
    dry["dry_run"] = json!(true);
    let response = render(&studio, "v2", dry).await;
    assert_eq!((response.status, &response.json()["valid"]), (200, &json!(true)));
    assert_eq!(studio.creatomate().snapshot()["renders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn creatomate_fails_or_sends_no_webhook_if_configured() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let control = format!("{}/control/creatomate", studio.url());
    let settings = json!({"status": 429, "times": 2, "webhook": false, "render_ms": 0, "early_url": true});
    assert_eq!(put(&control, &settings).await.status, 200);
    assert_eq!(put(&control, &json!({"stats": 429})).await.status, 400);

    let webhook_url = format!("{}/api/webhooks/creatomate", api.url());
    let response = render(&studio, "v1", json!({"template_id": "t", "webhook_url": webhook_url})).await;
    assert!(response.json()[0]["url"].is_string());
    let id = response.json()[0]["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let response = show(&studio, &id).await;
        assert_eq!((response.status, response.json()), (429, Value::Null));
    }
    assert_eq!(show(&studio, &id).await.status, 200);
    eventually("the render", || ended(&studio, &id)).await;

    // A second render with a webhook: the first one's would have arrived before it.
    studio.creatomate().set(json!({"render_ms": 0})).unwrap();
    render(&studio, "v1", json!({"template_id": "t", "webhook_url": webhook_url})).await;
    let webhook = eventually("a webhook", || api.renders().pop()).await;
    assert_ne!(webhook.body["id"], id);
    let shown = studio.creatomate().snapshot()["renders"][0].clone();
    assert_eq!((&shown["webhook"], &shown["webhook_url"]), (&Value::Null, &json!(true)));
}
