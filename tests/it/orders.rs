//! Requests for videos: images by upload, form and URL, music tracks, and the errors of invalid requests.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};
use crate::videos::{HOOK, film, order, until};

#[tokio::test]
async fn images_are_accepted_by_upload_by_form_and_by_url() {
    let stack = Stack::open().await;
    let image = png();
    let (status, upload) =
        stack.post("/api/uploads", &json!({ "contentType": "image/png", "size": image.len() })).await;
    assert_eq!(status, 201, "{upload}");
    let put = stack.http.put(upload["uploadUrl"].as_str().expect("a link")).header("content-type", "image/png");
    let stored = put.body(image.clone()).send().await.expect("an answer");
    assert!(stored.status().is_success(), "{}", stored.text().await.unwrap_or_default());
    let mut wanted = film(1, 1.0);
    wanted["scenes"][0]["content"]["images"] = json!([upload["key"]]);
    let by_key = order(&stack, wanted).await;

    let mut wanted = film(1, 1.0);
    wanted["scenes"][0]["type"] = json!("product-showcase");
    let hook = format!("{}/hooks/{HOOK}", stack.studio);
    let body = form(&[
        ("config", None, wanted.to_string().as_bytes()),
        ("webhookUrl", None, hook.as_bytes()),
        ("images", Some("logo.png"), &image),
    ]);
    let request = stack.request(Method::POST, "/api/generate-video-async");
    let request = request.header("content-type", "multipart/form-data; boundary=part");
    let (status, answer) = read(request.body(body).send().await.expect("an answer")).await;
    assert_eq!(status, 202, "{answer}");
    let by_form = answer["jobId"].as_str().expect("an id").to_owned();

    // A forbidden address is refused when it is fetched, like a name that does not exist.
    let mut wanted = film(1, 1.0);
    wanted["scenes"][0]["content"]["images"] = json!(["http://169.254.169.254/latest/meta-data"]);
    let by_url = order(&stack, wanted).await;
    until(&stack, &by_key, "completed").await;
    until(&stack, &by_form, "completed").await;
    let failed = until(&stack, &by_url, "failed").await;
    let error = failed["error"].as_str().expect("a sentence");
    assert_eq!(error, "scenes[0].content.images[0]: the image at 169.254.169.254 could not be fetched: ENOTFOUND");
    stack.assert_queues_empty().await;
}

/// An image of one grey pixel.
fn png() -> Vec<u8> {
    let base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).expect("base64")
}

/// A body of multipart/form-data with the boundary `part`.
pub fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend(format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--part--\r\n");
    body
}

#[tokio::test]
async fn invalid_video_requests_are_refused_with_what_would_be_right() {
    let stack = Stack::open().await;
    let hook = "https://client.example/hook";
    let scenes = |scenes: Value| json!({ "webhookUrl": hook, "scenes": scenes });
    let one = |more: Value| {
        let mut scene = json!({ "type": "hero-title", "content": {} });
        for (name, value) in more.as_object().expect("an object") {
            scene[name] = value.clone();
        }
        scenes(json!([scene]))
    };
    let many = |count: usize, seconds: u32| scenes(json!(vec![json!({ "type": "stats", "duration": seconds }); count]));
    let mut in_4k = many(46, 4);
    in_4k["quality"] = json!("4k");
    let mut bad_quality = one(json!({}));
    bad_quality["quality"] = json!("8k");
    let mut bad_track = one(json!({}));
    bad_track["music"] = json!({ "trackId": [7] });
    let cases = [
        (json!({}), "no_scenes", "Invalid video configuration. Must include scenes array."),
        (json!({ "webhookUrl": hook, "scenes": "all" }), "no_scenes", "Must include scenes array"),
        (
            json!({ "scenes": [{ "type": "stats" }] }),
            "webhook_url_missing",
            "Webhook URL is required for async video generation.",
        ),
        (json!({ "scenes": [{}], "webhookUrl": "invalid-url" }), "webhook_url_format", "Invalid webhook URL format."),
        (json!({ "scenes": [{}], "webhookUrl": 7 }), "webhook_url_format", "Invalid webhook URL format."),
        (
            json!({ "scenes": [{}], "webhookUrl": "ftp://a.example/" }),
            "webhook_url_protocol",
            "Invalid webhook URL protocol.",
        ),
        (scenes(json!([7])), "bad_field", "`scenes[0]` must be an object"),
        (scenes(json!([{ "content": {} }])), "bad_field", "`scenes[0].type` must be a text"),
        (one(json!({ "duration": 1e308 })), "bad_field", "`scenes[0].duration` must be a number from 0.5 to 120"),
        (one(json!({ "duration": -1 })), "bad_field", "`scenes[0].duration` must be a number from 0.5 to 120"),
        (one(json!({ "duration": "four" })), "bad_field", "`scenes[0].duration`"),
        (one(json!({ "content": ["x"] })), "bad_field", "`scenes[0].content` must be an object"),
        (
            one(json!({ "content": { "title": "x".repeat(2001) } })),
            "bad_field",
            "`scenes[0].content.title` must be a text of at most 2000 characters",
        ),
        (
            one(json!({ "content": { "title": { "deep": 1 } } })),
            "bad_field",
            "`scenes[0].content.title` must be a text",
        ),
        (one(json!({ "content": { "items": vec!["x"; 13] } })), "bad_field", "a list of at most 12 entries (got 13)"),
        (
            one(json!({ "content": { "image": "../../etc/passwd" } })),
            "bad_field",
            "`scenes[0].content.image` must be an http or https URL",
        ),
        (one(json!({ "content": { "images": ["file:///etc/passwd"] } })), "bad_field", "`scenes[0].content.images[0]`"),
        (many(10_000, 1), "bad_field", "`scenes` must be a list of at most 100 scenes (got 10000)"),
        (many(100, 7), "bad_field", "`scenes` must be at most 10 minutes long in total (got 700 seconds)"),
        (in_4k, "bad_field", "at most 3 minutes long in total in 4k"),
        (
            one(
                json!({ "content": { "images": (0..21).map(|n| format!("https://a.example/{n}.png")).collect::<Vec<_>>() } }),
            ),
            "bad_field",
            "limited to 20 different images in total (got 21)",
        ),
        (bad_quality, "bad_field", "`quality` must be `720p`, `1080p` or `4k`"),
        (bad_track, "bad_field", "`music.trackId` must be the id of a track"),
    ];
    for (body, code, sentence) in cases {
        let (status, answer) = stack.post("/api/generate-video-async", &body).await;
        let shown: String = body.to_string().chars().take(120).collect();
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{shown}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(sentence)), "{shown}: {answer}");
        assert!(answer["request_id"].is_string() && answer.to_string().len() < 4096, "{answer}");
    }
    let (_, missing) = stack.post("/api/generate-video-async", &json!({ "scenes": [{}] })).await;
    assert_eq!(missing["hint"], "Use /api/generate-flexible-video for synchronous generation without webhooks.");
    let (_, format) =
        stack.post("/api/generate-video-async", &json!({ "scenes": [{}], "webhookUrl": "invalid-url" })).await;
    assert_eq!(
        (&format["message"], &format["receivedUrl"]),
        (&json!("Please provide a valid HTTP/HTTPS URL."), &json!("invalid-url"))
    );
    // Deeply nested JSON, and invalid forms.
    let deep = format!("{{\"scenes\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let raw = async |media_type: &str, body: Vec<u8>| {
        let request = stack.request(Method::POST, "/api/generate-video-async").header("content-type", media_type);
        read(request.body(body).send().await.expect("an answer")).await
    };
    let (status, answer) = raw("application/json", deep.into_bytes()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_json")), "{answer}");
    let multipart = "multipart/form-data; boundary=part";
    let (status, answer) = raw(multipart, form(&[("config", None, b"{")])).await;
    assert_eq!((status, &answer["error"]), (400, &json!("Invalid JSON configuration")), "{answer}");
    let (status, answer) = raw(multipart, b"--other".to_vec()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_form")), "{answer}");
    let (status, answer) = raw(multipart, form(&[("images", Some("a.png"), &vec![0; 4 * 1024 * 1024])])).await;
    assert_eq!((status, &answer["code"]), (413, &json!("form_too_large")), "{answer}");
    let film = film(1, 1.0).to_string();
    let parts = [
        ("config", None, film.as_bytes()),
        ("webhookUrl", None, hook.as_bytes()),
        ("images", Some("a.svg"), b"<svg/>"),
    ];
    let (status, answer) = raw(multipart, form(&parts)).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    let (status, answer) = stack.get("/api/job-status/11111111-2222-4333-8444-555555555555").await;
    let id = "11111111-2222-4333-8444-555555555555";
    assert_eq!((status, &answer["error"], &answer["jobId"]), (404, &json!("Job not found"), &json!(id)));
}

#[tokio::test]
async fn track_links_work_and_changes_to_the_film_are_warnings() {
    let stack = Stack::open().await;
    let (_, answer) = stack.get("/api/music-tracks").await;
    let tracks = answer["tracks"].as_array().expect("a list");
    assert!(tracks.len() >= 8);
    let url = tracks[0]["url"].as_str().expect("a link");
    let track = stack.http.get(url).send().await.expect("an answer");
    assert_eq!(
        (track.status().as_u16(), &track.headers()["content-type"].to_str().expect("text")),
        (200, &"audio/mpeg")
    );
    assert!(track.bytes().await.expect("bytes").len() > 100_000);
    let mut wanted = film(1, 1.0);
    wanted["music"] = json!({ "trackId": "unknown" });
    wanted["scenes"][0]["type"] = json!("strange-card");
    wanted["scenes"][0]["content"]["subtitle"] = json!("ཀ");
    wanted["webhookUrl"] = json!(format!("{}/hooks/{HOOK}", stack.studio));
    let (status, answer) = stack.post("/api/generate-video-async", &wanted).await;
    assert_eq!(status, 202, "{answer}");
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("`unknown` is not known") && warnings.contains("`strange-card`"), "{warnings}");
    assert!(warnings.contains("scenes[0].content.subtitle: no typeface has `ཀ` (U+0F40)"), "{warnings}");
    let (_, queue) = stack.get("/api/queue-status").await;
    assert_eq!(queue["maxConcurrent"], json!(10), "{queue}");
    until(&stack, answer["jobId"].as_str().expect("an id"), "completed").await;
}
