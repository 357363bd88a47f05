//! Creatomate as Reelhook and the official SDK meet it, and its files.

use reelhook_studio::{Config, Studio};
use serde_json::{Value, json};

use crate::http::{Answer, get, post, put};
use crate::support::{FakeApi, config, config_with_video, eventually, start, studio};

const KEY: (&str, &str) = ("authorization", "Bearer k3y");

async fn render(studio: &Studio, version: &str, body: Value) -> Answer {
    let url = format!("{}/creatomate/{version}/renders", studio.url());
    post(&url, &[KEY], &body.to_string()).await
}

async fn show(studio: &Studio, id: &str) -> Answer {
    get(&format!("{}/creatomate/v1/renders/{id}", studio.url()), &[KEY]).await
}

#[tokio::test]
async fn a_render_becomes_a_film_that_plays() {
    let config = Config { creatomate_api_key: Some("k3y".into()), ..config_with_video() };
    let (studio, api) = (start(config).await, FakeApi::start().await);
    let body = json!({
        "template_id": "studio:render_ms=40",
        "modifications": {"Title": "L'été à 50% : \"Série\" [v] \\ 🎬"},
        "webhook_url": format!("{}/api/webhooks/creatomate", api.url()),
        "metadata": "job_1",
    });
    let answer = render(&studio, "v1", body).await;
    assert_eq!(answer.status, 202);
    let renders = answer.json();
    assert_eq!(renders.as_array().unwrap().len(), 1);
    assert_eq!(renders[0]["status"], "planned");
    assert!(renders[0].get("url").is_none());
    let id = renders[0]["id"].as_str().unwrap().to_owned();

    let told = eventually("the webhook", || api.renders().pop()).await;
    assert!(!told.headers.contains_key("x-creatomate-signature"));
    let shown = show(&studio, &id).await.json();
    assert_eq!(told.body, shown);
    assert_eq!(shown["status"], "succeeded", "{shown}");
    assert_eq!(shown["metadata"], "job_1");
    assert_eq!(shown["url"], format!("{}/files/{id}.mp4", studio.url()));

    let url = shown["url"].as_str().unwrap();
    let film = get(url, &[]).await;
    assert_eq!((film.status, film.header("content-type")), (200, "video/mp4"));
    assert_eq!(shown["file_size"], film.body.len());
    assert_eq!(&film.body[4..8], b"ftyp");
    let place = |name: &[u8]| film.body.windows(4).position(|four| four == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"), "faststart");
    assert!(film.body.windows(4).any(|four| four == b"avc1"), "h264");
    assert!(film.body.windows(4).any(|four| four == b"mp4a"), "sound");

    let part = get(url, &[("range", "bytes=4-7")]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, b"ftyp".as_slice()));
    assert_eq!(part.header("content-range"), format!("bytes 4-7/{}", film.body.len()));
    assert_eq!(get(url, &[("range", "bytes=99999999-")]).await.status, 416);
    assert_eq!(api.renders().len(), 1, "told once");
}

#[tokio::test]
async fn all_renders_may_share_one_film() {
    let config = Config { shared_video: true, ..config_with_video() };
    let studio = start(config).await;
    let mut films = Vec::new();
    for title in ["one", "two"] {
        let source = json!({"output_format": "mp4", "elements": [{"type": "text", "text": title}]});
        let answer = render(&studio, "v1", json!({"source": source})).await;
        let id = answer.json()[0]["id"].as_str().unwrap().to_owned();
        let ended = eventually("the render", || ended(&studio, &id)).await;
        films.push(get(ended["url"].as_str().unwrap(), &[]).await.body);
    }
    assert!(films[0].len() > 10_000);
    assert_eq!(films[0], films[1]);
}

fn ended(studio: &Studio, id: &str) -> Option<Value> {
    let renders = studio.creatomate().snapshot()["renders"].clone();
    let mut renders = renders.as_array()?.iter();
    let render = renders.find(|render| render["id"] == id)?;
    let status = render["status"].as_str()?;
    matches!(status, "succeeded" | "failed").then(|| render.clone())
}

#[tokio::test]
async fn statuses_advance_and_a_failure_is_told() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let settings = json!({"render_ms": 800, "fail": true, "error_message": "font missing"});
    studio.creatomate().set(settings).unwrap();
    let webhook_url = format!("{}/api/webhooks/creatomate", api.url());
    let answer = render(&studio, "v1", json!({"tags": ["a", "b"], "webhook_url": webhook_url})).await;
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    let id = answer.json()[0]["id"].as_str().unwrap().to_owned();

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
        let answer = post(&url, &headers, r#"{"template_id": "t"}"#).await;
        assert_eq!(answer.status, 401);
        assert!(answer.json()["hint"].is_string());
        assert!(answer.json()["documentation"].is_string());
    }
    let answer = show(&studio, "69ba407b-72a9-4050-a9fb-559827b9623d").await;
    assert_eq!(answer.status, 404);
    assert!(answer.json()["hint"].is_string());
    assert_eq!(render(&studio, "v1", json!({"modifications": {}})).await.status, 400);
    let answer = render(&studio, "v1", json!({"template_id": "studio:render_ms=soon"})).await;
    assert_eq!(answer.json()["hint"], "option `render_ms` takes a number, not `soon`");
}

#[tokio::test]
async fn the_second_interface_answers_one_render() {
    let studio = studio().await;
    let script = json!({"output_format": "mp4", "width": 640, "elements": [{"type": "text", "text": "Hi"}]});
    let answer = render(&studio, "v2", script.clone()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["status"], "planned");

    let mut dry = script;
    dry["dry_run"] = json!(true);
    let answer = render(&studio, "v2", dry).await;
    assert_eq!((answer.status, &answer.json()["valid"]), (200, &json!(true)));
    assert_eq!(studio.creatomate().snapshot()["renders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn creatomate_fails_or_keeps_silent_when_told_to() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let control = format!("{}/control/creatomate", studio.url());
    let settings = json!({"status": 429, "times": 2, "webhook": false, "render_ms": 0, "early_url": true});
    assert_eq!(put(&control, &settings).await.status, 200);
    assert_eq!(put(&control, &json!({"stats": 429})).await.status, 400);

    let webhook_url = format!("{}/api/webhooks/creatomate", api.url());
    let answer = render(&studio, "v1", json!({"template_id": "t", "webhook_url": webhook_url})).await;
    assert!(answer.json()[0]["url"].is_string());
    let id = answer.json()[0]["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let answer = show(&studio, &id).await;
        assert_eq!((answer.status, answer.json()), (429, Value::Null));
    }
    assert_eq!(show(&studio, &id).await.status, 200);
    eventually("the render", || ended(&studio, &id)).await;

    // Another one, told: the silent one has had its time.
    studio.creatomate().set(json!({"render_ms": 0})).unwrap();
    render(&studio, "v1", json!({"template_id": "t", "webhook_url": webhook_url})).await;
    let told = eventually("a webhook", || api.renders().pop()).await;
    assert_ne!(told.body["id"], id);
    let shown = studio.creatomate().snapshot()["renders"][0].clone();
    assert_eq!((&shown["webhook"], &shown["webhook_url"]), (&Value::Null, &json!(true)));
}
