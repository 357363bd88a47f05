//! Provokes each documented error: docs/errors.md lists only errors that the API returns.

mod clips;
mod projects;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_domain::{
    Admission, DeliveryId, EndpointId, Engine, ExternalRun, ExternalTask, Incomplete, JobId, RenderId, Service, Status,
    Timestamp,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::clips::job::JOBS;
use crate::clips::tokens::Owner;
use crate::examples::assert_same_errors;
use crate::limits::use_up_calls;
use crate::stack::{JsonText, Stack, read};

/// Codes of a broken or a full stack, or of one that requires no key; unit tests provoke them
/// (shared/http/src/problem.rs, shared/app/tests/it/registrations.rs, shared/http/tests/it/keyless.rs,
/// shared/domain/tests/it/clips/commands.rs). And that of a full day, whose limits a test of its own reaches
/// (daily_limits.rs).
const BROKEN: [&str; 7] =
    ["busy", "daily_limit", "foreign_host", "internal", "no_secrets_key", "too_many_cuts", "too_many_endpoints"];

fn documented() -> BTreeMap<String, u16> {
    let rows = include_str!("../../docs/errors.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| row.split_once("` | "));
    rows.filter_map(|(code, rest)| Some((code.to_owned(), rest.split(' ').next()?.parse().ok()?))).collect()
}

/// The errors seen so far: statuses by code, and the first body of each code by its form.
struct Seen<'a> {
    stack: &'a Stack,
    codes: BTreeMap<String, u16>,
    bodies: BTreeMap<&'static str, BTreeMap<String, Value>>,
}

impl Seen<'_> {
    async fn answer(&mut self, request: RequestBuilder, code: &str) {
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], code, "{status}: {answer}");
        assert_eq!(answer["success"], false, "{answer}");
        let sentences = [&answer["message"], &answer["error"], &answer["request_id"]];
        assert!(sentences.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{answer}");
        self.keep("streamgank", code, status, answer);
    }

    /// Expects an error in VidBuilder's format.
    async fn video(&mut self, request: RequestBuilder, code: &str) {
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], code, "{status}: {answer}");
        let sentences = [&answer["error"], &answer["request_id"]];
        assert!(sentences.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{answer}");
        self.keep("vidbuilder", code, status, answer);
    }

    fn keep(&mut self, form: &'static str, code: &str, status: u16, body: Value) {
        self.codes.insert(code.to_owned(), status);
        self.bodies.entry(form).or_default().entry(code.to_owned()).or_insert(body);
    }

    async fn post(&mut self, path: &str, body: Value, code: &str) {
        self.answer(self.stack.request(Method::POST, path).json_text(&body), code).await;
    }

    async fn get(&mut self, path: &str, code: &str) {
        self.answer(self.stack.request(Method::GET, path), code).await;
    }
}

#[tokio::test]
async fn every_documented_error_has_its_code_its_status_and_both_sentences() {
    let stack = Stack::open().await;
    let mut seen = Seen { stack: &stack, codes: BTreeMap::new(), bodies: BTreeMap::new() };
    bad_requests(&mut seen).await;
    callers(&mut seen).await;
    jobs(&mut seen).await;
    renders(&mut seen).await;
    videos(&mut seen).await;
    requests_for_videos(&mut seen).await;
    projects::requests(&mut seen).await;
    projects::projects(&mut seen).await;
    projects::callbacks(&mut seen).await;
    projects::inbox(&mut seen).await;
    clips::requests(&mut seen).await;
    clips::clips(&mut seen).await;
    limits(&mut seen).await;
    stack.aws.remove_jobs("job_errors_", 2).await;
    let mut expected = documented();
    expected.retain(|code, _| !BROKEN.contains(&code.as_str()));
    assert_eq!(seen.codes, expected);
    assert_same_errors(&stack, &seen.bodies).await;
}

async fn bad_requests(seen: &mut Seen<'_>) {
    let generate = "/api/generate";
    let raw = |body: &str| {
        let request = seen.stack.request(Method::POST, generate);
        request.header("content-type", "application/json").body(body.to_owned())
    };
    let (bad, list, large) = (raw("{"), raw("[]"), raw(&format!("\"{}\"", "x".repeat(1024 * 1024))));
    seen.answer(bad, "bad_json").await;
    seen.answer(list, "no_object").await;
    seen.answer(large, "body_too_large").await;
    let coded = |coding: &str, content_type: &str| {
        let request = seen.stack.request(Method::POST, generate).header("content-type", content_type);
        request.header("content-encoding", coding).body("{}")
    };
    let (other, damaged) = (coded("br", "application/json"), coded("gzip", "application/octet-stream"));
    seen.answer(other, "unsupported_encoding").await;
    seen.answer(damaged, "bad_encoding").await;
    seen.post(generate, json!({ "country": "US" }), "missing_parameters").await;
    seen.post(generate, json!({ "country": 5, "platform": "x", "genre": "y" }), "bad_field").await;
    let keyed = |key: &str, genre: &str| {
        let body = json!({ "country": "US", "platform": "netflix", "genre": genre, "template": "studio:step_ms=5" });
        seen.stack.request(Method::POST, generate).header("idempotency-key", key).json_text(&body)
    };
    let (long, first) = (keyed(&"k".repeat(256), "Drama"), keyed("key of errors", "Drama"));
    let other = keyed("key of errors", "Horror");
    seen.answer(long, "bad_idempotency_key").await;
    assert_eq!(first.send().await.expect("an answer").status(), 200);
    seen.answer(other, "idempotency_key_reused").await;
    seen.post("/api/webhooks/test", json!({}), "url_missing").await;
    seen.post("/api/webhooks/trigger", json!({}), "event_missing").await;
    seen.get("/api/nothing", "unknown_route").await;
    seen.get(generate, "method_not_allowed").await;
    let delivery = "/api/webhooks/deliveries/5d1c8f5e-0f0a-5b7e-9a53-6c2b4d110f7a";
    seen.get(delivery, "delivery_not_found").await;
    let large = json!({ "event": "job.completed", "data": { "x": "y".repeat(300_000) } });
    seen.post("/api/webhooks/trigger", large, "payload_too_large").await;
    seen.post("/api/webhooks/endpoints/webhook_99/enable", json!({}), "endpoint_not_found").await;
    let (hook, endpoints) = (format!("{}/hooks/errors", seen.stack.studio), "/api/webhooks/endpoints");
    seen.post(endpoints, json!({ "url": hook, "colour": "red" }), "unknown_field").await;
    seen.post(&format!("{endpoints}/webhook_1/secret/rotate"), json!({}), "endpoint_configured").await;
    let (_, made) = seen.stack.post(endpoints, &json!({ "url": hook, "enabled": false })).await;
    let one = format!("{endpoints}/{}", made["endpoint"]["id"].as_str().expect("an id"));
    let stale = seen.stack.request(Method::PATCH, &one).header("if-match", "\"7\"").json_text(&json!({}));
    seen.answer(stale, "version_mismatch").await;
    for _ in 0..7 {
        assert_eq!(seen.stack.post(&format!("{one}/secret/rotate"), &json!({})).await.0, 200);
    }
    seen.post(&format!("{one}/secret/rotate"), json!({}), "too_many_secrets").await;
    let removed = seen.stack.request(Method::DELETE, &one).header("content-type", "application/json");
    assert_eq!(removed.send().await.expect("an answer").status(), 200);
    seen.get("/api/webhooks/recover/rec_5f0c2b7e9d134a6688e1c07ab2d94f31", "recovery_not_found").await;
}

async fn callers(seen: &mut Seen<'_>) {
    let url = format!("{}/api/queue/toggle", seen.stack.api);
    seen.answer(seen.stack.http.post(&url).json_text(&json!({})), "unauthorized").await;
    let login = seen.stack.http.post(format!("{}/login", seen.stack.api));
    seen.answer(login.json_text(&json!({ "password": "a guess" })), "sign_in_failed").await;
    let foreign = seen.stack.http.post(&url).basic_auth("anyone", Some(&seen.stack.key)).body("processing=false");
    seen.answer(foreign, "foreign_page").await;
    let owner = Owner::of(seen.stack, "ann").await;
    let toggle = owner.request(seen.stack, Method::POST, "/api/queue/toggle").json_text(&json!({}));
    seen.answer(toggle, "operator_only").await;
}

async fn jobs(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    seen.get("/api/job/job_1_a", "job_not_found").await;
    let done = stack.submit("step_ms=5").await;
    stack.until_status(&done, "completed").await;
    let job = |name: &str| format!("/api/job/{done}/{name}");
    let monitor = |id: &str| format!("/api/queue/job/{id}/monitor-creatomate");
    seen.post(&job("cancel"), json!({}), "cannot_cancel").await;
    seen.post(&job("retry"), json!({}), "cannot_retry").await;
    seen.post(&job("complete"), json!({}), "video_url_missing").await;
    seen.post(&job("complete"), json!({ "videoUrl": "https://a.example/x.mp4" }), "cannot_complete").await;
    seen.post(&monitor(&done), json!({}), "video_exists").await;
    stack.webhook("main", &done, "job.completed").await;
    let slow = stack.aws.leased_delivery(&done).await;
    seen.post(&format!("/api/webhooks/deliveries/{slow}/retry"), json!({}), "delivery_under_way").await;
    let stopped = delivery_of_a_disabled_endpoint(stack, &done).await;
    seen.post(&format!("/api/webhooks/deliveries/{stopped}/retry"), json!({}), "endpoint_disabled").await;
    let running = stack.submit("step_ms=5&stall=3").await;
    stack.until(&running, "done with step 3", |job| job["progress"] == 36).await;
    let delete = stack.request(Method::DELETE, &format!("/api/queue/job/{running}/delete"));
    seen.answer(delete, "cannot_delete").await;
    seen.post(&monitor(&running), json!({}), "no_render").await;
    // Final states that would take half an hour: jobs with a render after a timeout and after a failure.
    let ends = [(Status::Completed, "workflow_incomplete"), (Status::Failed, "cannot_monitor")];
    for (n, (status, code)) in ends.into_iter().enumerate() {
        let mut job = stack.stored(&done).await;
        job.id = JobId::parse(&format!("job_errors_{n}")).expect("an id");
        (job.status, job.run.video_url) = (status, None);
        job.run.incomplete = (status == Status::Completed).then_some(Incomplete::WorkflowIncomplete);
        let id = RenderId::parse("render-of-errors").expect("an id");
        let render = Some(ExternalTask::new(Service::Creatomate, id));
        job.run.engine = Engine::External(ExternalRun { render, ..ExternalRun::default() });
        job.outbox.clear();
        stack.aws.save_job(&job).await;
        seen.post(&monitor(job.id.as_str()), json!({}), code).await;
    }
}

/// A delivery about a job to a separate, disabled endpoint; the stack's two endpoints stay enabled.
async fn delivery_of_a_disabled_endpoint(stack: &Stack, job: &str) -> DeliveryId {
    let endpoint = EndpointId::parse("ep_errors").expect("an id");
    let put = stack.aws.dynamodb.put_item().table_name(stack.aws.output("EndpointsTable"));
    let put = put.item("id", AttributeValue::S(endpoint.as_str().to_owned()));
    put.item("disabled_at", AttributeValue::N("0".to_owned())).send().await.expect("put");
    let mut delivery = stack.aws.deliveries_of(&[job.to_owned()]).await.remove(0);
    delivery.id = DeliveryId::of(&delivery.event_id, &endpoint);
    delivery.endpoint_id = endpoint;
    delivery.lease_until = None;
    let pk = format!("delivery#{}", delivery.id);
    stack.aws.put_delivery(&pk, "delivery", &serde_json::to_value(&delivery).expect("JSON")).await;
    delivery.id
}

async fn renders(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let token = stack.aws.secret("OPERATOR_CALLBACK_TOKEN").await;
    let hook = format!("/w/{token}/api/webhooks/creatomate");
    seen.post(&hook, json!({ "status": "rendering" }), "render_id_missing").await;
    seen.post(&hook, json!({ "id": "unknown" }), "render_status_missing").await;
    seen.post(&hook, json!({ "id": "unknown", "status": "rendering" }), "render_unknown").await;
    let ask = "/api/status/render-of-errors";
    stack.control("creatomate", json!({ "status": 500 })).await;
    seen.get(ask, "render_check_failed").await;
    stack.control("creatomate", json!({ "get_ms": 15_000 })).await;
    seen.get(ask, "render_check_timeout").await;
    stack.control("creatomate", json!({})).await;
}

async fn videos(seen: &mut Seen<'_>) {
    const MAKE: &str = "/api/generate-video-async";
    let stack = seen.stack;
    let make = |body: Value| stack.request(Method::POST, MAKE).json_text(&body);
    let scenes = json!([{ "type": "stats" }]);
    seen.video(make(json!({})), "no_scenes").await;
    seen.video(make(json!({ "scenes": scenes })), "webhook_url_missing").await;
    seen.video(make(json!({ "scenes": scenes, "webhookUrl": "nowhere" })), "webhook_url_format").await;
    seen.video(make(json!({ "scenes": scenes, "webhookUrl": "ftp://a.example/" })), "webhook_url_protocol").await;
    let form = |body: Vec<u8>| {
        let request = stack.request(Method::POST, MAKE).header("content-type", "multipart/form-data; boundary=part");
        request.body(body)
    };
    let head = "--part\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n";
    seen.video(form(format!("{head}{{\r\n--part--\r\n").into_bytes()), "bad_config").await;
    seen.video(form(b"--other".to_vec()), "bad_form").await;
    seen.video(form(vec![b'-'; 4 * 1024 * 1024 + 1]), "form_too_large").await;
    seen.video(stack.request(Method::GET, "/api/download/unknown"), "video_not_found").await;
    seen.video(stack.request(Method::DELETE, "/api/videos/unknown").json_text(&json!({})), "video_gone").await;
    seen.video(stack.request(Method::GET, "/api/music-tracks/unknown"), "track_not_found").await;
    let shown = json!([{ "type": "stats", "duration": 1, "content": { "image": "http://no.such.invalid/a.png" } }]);
    let wait = stack.request(Method::POST, "/api/generate-flexible-video").json_text(&json!({ "scenes": shown }));
    seen.video(wait, "video_failed").await;
}

/// Errors of any request, in VidBuilder's format.
async fn requests_for_videos(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let url = format!("{}/api/generate-video-async", stack.api);
    let sent = |coding: &str, content_type: &str, body: &str| {
        let request = stack.http.post(&url).header("x-api-key", &stack.key).header("content-type", content_type);
        let request = if coding.is_empty() { request } else { request.header("content-encoding", coding) };
        request.body(body.to_owned())
    };
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for (coding, content_type, body, code) in [
        ("", "application/json", "{", "bad_json"),
        ("", "application/json", "[]", "no_object"),
        ("", "application/json", &large, "body_too_large"),
        ("br", "application/json", "{}", "unsupported_encoding"),
        ("gzip", "application/octet-stream", "{}", "bad_encoding"),
    ] {
        seen.video(sent(coding, content_type, body), code).await;
    }
    seen.video(stack.request(Method::GET, "/api/videos?limit=0"), "bad_field").await;
    seen.video(stack.request(Method::GET, "/api/job-status/unknown"), "job_not_found").await;
    seen.video(stack.http.post(&url).json_text(&json!({})), "unauthorized").await;
    seen.video(stack.http.post(&url).basic_auth("anyone", Some(&stack.key)).body("scenes=1"), "foreign_page").await;
    let hook = format!("{}/hooks/errors", stack.studio);
    let keyed = |key: &str, seconds: u8| {
        let body = json!({ "scenes": [{ "type": "stats", "duration": seconds }], "webhookUrl": hook });
        stack.http.post(&url).header("x-api-key", &stack.key).header("idempotency-key", key).json_text(&body)
    };
    seen.video(keyed(&"k".repeat(256), 1), "bad_idempotency_key").await;
    let (status, first) = read(keyed("video of errors", 1).send().await.expect("an answer")).await;
    assert_eq!(status, 202, "{first}");
    seen.video(keyed("video of errors", 2), "idempotency_key_reused").await;
    let cancel = format!("/api/job/{}/cancel", first["jobId"].as_str().expect("an id"));
    assert_eq!(stack.post(&cancel, &json!({})).await.0, 200);
}

async fn limits(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let watched = stack.submit("step_ms=5&stall=3").await;
    stack.until(&watched, "done with step 3", |job| job["progress"] == 36).await;
    let before = stack.aws.slots("viewers").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let until = Timestamp(i64::try_from(now).expect("a time") + 60_000);
    let full = (0..500).map(|n| (format!("viewer {n}"), until)).collect();
    let taken = Admission { version: before.version + 1, active: full, ..before.clone() };
    stack.aws.save_slots("viewers", &taken).await;
    // A viewer gets past events in any case; a viewer that waits for more needs a slot.
    let waits = stack.request(Method::GET, &format!("/api/job/{watched}/stream")).header("last-event-id", "1000");
    seen.answer(waits, "too_many_streams").await;
    stack.aws.save_slots("viewers", &Admission { version: before.version + 2, ..before }).await;
    // A key that no other test uses (infra/local/test-profile.json).
    let key = "rk_errors";
    use_up_calls(stack, key).await;
    let call = |path: &str| stack.http.get(format!("{}{path}", stack.api)).header("x-api-key", key);
    for path in ["/api/queue/status", "/api/videos", "/api/v1/projects", JOBS] {
        // An instance may still have a lease on a few calls.
        for _ in 0..20 {
            if call(path).send().await.expect("an answer").status() == 429 {
                break;
            }
        }
    }
    seen.answer(call("/api/queue/status"), "rate_limited").await;
    seen.video(call("/api/videos"), "rate_limited").await;
    seen.project(call("/api/v1/projects"), "rate_limited").await;
    seen.clip(call(JOBS), "rate_limited").await;
}
