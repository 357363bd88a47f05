//! API, pages and live updates at one address, through the stand-in for infra/edge.yaml (infra/local/edge.py).

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::limits::{CALLS, REPORTS, use_up};
use crate::live::reports;
use crate::stack::{JsonText, Stack, read};

/// The time within which a stream must show the end of a job.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Another viewer's address on this machine, which no other test uses.
const VIEWER: [u8; 4] = [127, 0, 0, 77];
const VIEWER_TEXT: &str = "127.0.0.77";
/// The public route, limited by address.
const KEYS: &str = "/.well-known/webhook-keys.json";

/// The stand-in in front of the stack under test. Dropping it ends its process.
pub struct Edge {
    pub url: String,
    _process: Child,
}

impl Edge {
    /// Starts the stand-in on a free port. `stack.at(&edge.url)` then goes through it.
    pub async fn start(stack: &Stack) -> Self {
        let run = run_file();
        let mut python = Command::new(stack.local.join("venv/bin/python"));
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/local/edge.py")).arg("--run").arg(&run);
        // Marked as a process of the instance, so that it ends with the instance.
        python.env("REELHOOK_INSTANCE", Path::new(&run).parent().expect("a folder"));
        let mut process = python.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("Python runs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let url = lines.next_line().await.expect("text").expect("the line with its URL");
        Self { url, _process: process }
    }
}

fn run_file() -> OsString {
    std::env::var_os("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json")
}

/// The stack as a viewer at one address sees it.
async fn behind_edge() -> (Stack, Edge) {
    let stack = Stack::open().await;
    let edge = Edge::start(&stack).await;
    (stack.at(&edge.url), edge)
}

#[tokio::test]
async fn only_the_public_keys_may_be_cached() {
    let (stack, _edge) = behind_edge().await;
    let get = async |path: &str, with_key: bool| {
        let request = stack.http.get(format!("{}{path}", stack.api));
        let request = if with_key { request.header("x-api-key", &stack.key) } else { request };
        request.send().await.expect("an answer")
    };
    for (path, with_key, expected) in [
        ("/", true, 200),
        ("/queue", true, 200),
        ("/assets/style.css", true, 200),
        ("/assets/js/live.js", true, 200),
        ("/api/queue/status", true, 200),
        ("/api/job/job_1_unknown", true, 404),
        ("/no/such/page", true, 404),
        ("/api/queue/status", false, 401),
        ("/api/job/job_1_unknown/stream", false, 401),
        ("/openapi.json", false, 200),
        ("/health", false, 200),
    ] {
        let response = get(path, with_key).await;
        assert_eq!(response.status(), expected, "{path}");
        assert_eq!(response.headers()["x-cache"], "Miss from cloudfront", "{path}");
        // CloudFront shares one response between concurrent requests, unless the response forbids it.
        let kept = response.headers()["cache-control"].to_str().expect("ASCII");
        assert!(kept.contains("no-store") || kept.contains("private"), "{path}: {kept}");
    }
    assert_eq!(get(KEYS, false).await.headers()["cache-control"], "public, max-age=60");
}

#[tokio::test]
async fn a_job_is_submitted_and_followed_at_one_address() {
    let (stack, _edge) = behind_edge().await;
    let body = json!({ "country": "US", "platform": "netflix", "genre": "Drama", "template": "studio:step_ms=5" });
    let key = format!("edge-{}", std::process::id());
    let submit = async || {
        let request = stack.request(Method::POST, "/api/generate").header("idempotency-key", &key).json_text(&body);
        read(request.send().await.expect("an answer")).await
    };
    let (first, again) = (submit().await, submit().await);
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(first, again, "Idempotency-Key gets through");
    let job = first.1["jobId"].as_str().expect("jobId");
    stack.until_status(job, "completed").await;

    let url = format!("{}/api/job/{job}", stack.api);
    let known = stack.http.get(&url).bearer_auth(&stack.key).send().await.expect("an answer");
    assert_eq!(known.status(), 200, "Authorization gets through");
    let tag = known.headers()["etag"].clone();
    let same = stack.http.get(&url).bearer_auth(&stack.key).header("if-none-match", tag).send().await;
    assert_eq!(same.expect("an answer").status(), 304);
    let page = stack.request(Method::GET, "/").header("accept-encoding", "gzip").send().await.expect("a page");
    assert_eq!(page.headers()["content-encoding"], "gzip");
    assert_eq!(stack.get("/api/queue/jobs?limit=none").await.0, 400, "the query is passed on");
    let track = "/api/music-tracks/corporate-morning.mp3";
    let track = stack.request(Method::GET, track).send().await.expect("an answer").bytes().await.expect("bytes");
    assert!(track.len() > 10_000 && !track.is_ascii(), "a file is passed on unchanged");
    let removed = stack.request(Method::DELETE, &format!("/api/queue/job/{job}/delete")).send().await;
    assert_eq!(removed.expect("an answer").status(), 200);
}

/// Reads a stream until its text matches; a stream that ends before that fails the test.
async fn read_until(response: &mut Response, text: &mut String, has: impl Fn(&str) -> bool) {
    while !has(text.as_str()) {
        let chunk = response.chunk().await.expect("a chunk");
        let chunk = chunk.unwrap_or_else(|| panic!("the stream ended: {text}"));
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
}

#[tokio::test]
async fn a_job_stream_shows_events_while_the_job_runs_and_then_its_end() {
    let (stack, _edge) = behind_edge().await;
    let job = stack.submit("step_ms=5&stall=1").await;
    stack.until(&job, "done with step 1", |job| job["progress"] == 12).await;
    let open = async |last: &str| {
        let request = stack.request(Method::GET, &format!("/api/job/{job}/stream")).header("last-event-id", last);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        response
    };
    let (mut response, mut text) = (open("0").await, String::new());
    read_until(&mut response, &mut text, |text| text.matches("\ndata: ").count() >= 2).await;
    assert_eq!(stack.job(&job).await["status"], "processing", "the events came before the end: {text}");
    for report in reports(&job) {
        let (status, answer) = stack.post("/api/webhooks/step-update", &report).await;
        assert_eq!(status, 200, "{answer}");
    }
    let deadline = Instant::now() + TIMEOUT;
    while !text.contains("render_completed") {
        assert!(Instant::now() < deadline, "the end is not seen: {text}");
        match response.chunk().await.expect("a chunk") {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).expect("UTF-8")),
            // After StreamSeconds a viewer reconnects with its last event id.
            None => {
                let last = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap_or("0").to_owned();
                response = open(&last).await;
            }
        }
    }
}

#[tokio::test]
async fn the_queue_stream_continues_after_its_first_event() {
    let (stack, _edge) = behind_edge().await;
    let request = stack.request(Method::GET, "/api/queue/status/stream");
    let (mut response, mut text) = (request.send().await.expect("an answer"), String::new());
    read_until(&mut response, &mut text, |text| text.contains("event: status")).await;
    let (status, answer) = stack.post("/api/queue/toggle", &json!({ "processing": false })).await;
    assert_eq!(status, 200, "{answer}");
    read_until(&mut response, &mut text, |text| text.contains("\"isProcessing\":false")).await;
}

#[tokio::test]
async fn a_limit_by_address_counts_the_viewer_and_ignores_headers_of_callers() {
    let stack = Stack::open().await;
    let edge = Edge::start(&stack).await;
    use_up(&stack, &format!("keys {VIEWER_TEXT}"), CALLS).await;
    let status = async |client: &Client, base: &str, headers: &[(&str, &str)]| {
        let mut request = client.get(format!("{base}{KEYS}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    let (viewer, edge, api) = (viewer(), edge.url.as_str(), stack.api.as_str());
    assert_eq!(status(&viewer, edge, &[]).await, 429);
    // Other callers who claim the address of that viewer.
    let spoofed = ("x-reelhook-viewer", VIEWER_TEXT);
    let guessed = ("x-reelhook-edge", "0123456789abcdef0123456789abcdef");
    let forwarded = [("x-forwarded-for", VIEWER_TEXT), ("cloudfront-viewer-address", "127.0.0.77:443")];
    let cases: [&[(&str, &str)]; 4] = [&[], &[spoofed], &[spoofed, guessed], &forwarded];
    for base in [edge, api] {
        for headers in cases {
            assert_eq!(status(&stack.http, base, headers).await, 200, "{base} {headers:?}");
        }
    }
    assert_eq!(
        status(&viewer, edge, &[("x-reelhook-viewer", "192.0.2.1")]).await,
        429,
        "and the viewer can't use another address"
    );
    // Only callers with the secret are trusted.
    let secret = stack.aws.secret("EDGE_SECRET").await;
    assert_eq!(status(&stack.http, api, &[spoofed, ("x-reelhook-edge", secret.as_str())]).await, 429);
}

#[tokio::test]
async fn callbacks_without_a_token_count_against_their_address() {
    let stack = Stack::open().await;
    let edge = Edge::start(&stack).await;
    use_up(&stack, &format!("hint {VIEWER_TEXT}"), REPORTS).await;
    let hint = async |client: &Client| {
        let request = client.post(format!("{}/api/webhooks/creatomate", edge.url));
        let body = json!({ "id": "unknown", "status": "succeeded" });
        read(request.json_text(&body).send().await.expect("an answer")).await
    };
    let viewer = viewer();
    let mut taken = 0;
    let refused = loop {
        match hint(&viewer).await {
            (200, _) => taken += 1,
            (429, answer) => break answer,
            other => panic!("{other:?}"),
        }
        assert!(taken <= 200, "ten calls of each instance are free, not all");
    };
    assert_eq!(refused["code"], "rate_limited");
    // Callers at other addresses are not limited.
    assert_eq!(hint(&stack.http).await.0, 200);
}

#[tokio::test]
async fn the_audit_log_names_the_viewer() {
    let (stack, _edge) = behind_edge().await;
    let agent = format!("edge-test-{}", std::process::id());
    let request = viewer().post(format!("{}/api/webhooks/step-update", stack.api)).header("user-agent", &agent);
    let request = request.header("x-reelhook-viewer", "192.0.2.1").json_text(&json!({}));
    assert_eq!(request.send().await.expect("an answer").status(), 401);
    let run: Value = serde_json::from_slice(&std::fs::read(run_file()).expect("run.json")).expect("JSON");
    let log = run["function_log"].as_str().expect("a path");
    let line = stack
        .eventually("a line of the audit log", || async {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            text.lines().find(|line| line.contains(&agent)).map(str::to_owned)
        })
        .await;
    assert!(line.contains(VIEWER_TEXT) && !line.contains("192.0.2.1"), "{line}");
}

/// A client at another address.
fn viewer() -> Client {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(35));
    client.local_address(IpAddr::V4(Ipv4Addr::from(VIEWER))).build().expect("a client")
}
