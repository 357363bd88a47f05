//! Callbacks as services send them, on tables in memory: signatures, the rate limit, and bodies of any kind.

use std::sync::Arc;

use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, RequestExt};
use proptest::prelude::*;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::projects::callbacks::CallbackPorts;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::scene::{SceneState, SceneStatus};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::projects::callbacks::answers::{health, preflight};
use reelhook_http::projects::callbacks::route::Route;
use reelhook_http::projects::callbacks::sender::CallbackKeys;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use reelhook_signing::{ClipClaims, SignedToken, SigningKeys, TaskClaims, streamgank};
use reelhook_testkit::{
    MemoryCalls, MemoryProjects, MemoryQueue, MemorySteps, NOON, World, a_running_project, a_scene, a_task, fuzz,
    fuzz_bodies, fuzz_json, project_policy,
};
use scene_webhooks::receiver::Receiver;
use serde_json::{Value, json};

const SECRET: &str = "a secret";
const ADDRESS: &str = "203.0.113.7";
const VIDEO: &str = "/api/webhooks/video-complete";
const STITCH: &str = "/api/webhooks/stitch-complete";

/// What instances of the function have in common.
struct Stack {
    world: World,
    projects: MemoryProjects,
    errors: MemorySteps,
    work: MemoryQueue<WorkMessage>,
    calls: MemoryCalls,
    policy: ProjectPolicy,
    keys: CallbackKeys,
}

impl Default for Stack {
    fn default() -> Self {
        let projects = MemoryProjects::default();
        projects.put(&a_running_project("test", vec![a_scene("001", SceneState::Generating(a_task("test_123")))]));
        let lookup = |name: &str| CallbackKeys::SETTINGS.contains(&name).then(|| format!("newest, {SECRET}"));
        let keys = CallbackKeys::new(keys("tokens"), &lookup);
        let (world, errors, calls) = (World::default(), MemorySteps::default(), MemoryCalls::default());
        let work = MemoryQueue::new(Arc::default());
        Self { world, projects, errors, work, calls, policy: project_policy(), keys }
    }
}

impl Stack {
    /// The answer to a request, as its sender gets it.
    async fn answer(&self, request: &ApiRequest, address: &str) -> ApiAnswer {
        self.respond(request, address).await.unwrap_or_else(|problem| problem.callback("r-1"))
    }

    async fn respond(&self, request: &ApiRequest, address: &str) -> Result<ApiAnswer, Problem> {
        let Route::Receive(stage) = Route::read(request)? else { panic!("a POST") };
        let token = self.keys.verify(request, stage)?;
        let ports = CallbackPorts {
            projects: &self.projects,
            lookups: &self.projects,
            early: &self.projects,
            files: &self.projects,
            errors: &self.errors,
            work: &self.work,
            clock: &self.world,
            policy: &self.policy,
            notifies: false,
        };
        Receiver { calls: &self.calls, ports }.receive(request, stage, token, address).await
    }

    fn status(&self) -> SceneStatus {
        self.projects.get(&ProjectId::parse("proj_test").unwrap()).scenes[0].status()
    }
}

fn keys(secret: &str) -> SigningKeys {
    SigningKeys::parse(secret).unwrap()
}

/// The body of seed 003's example.
fn payload() -> Value {
    json!({
        "task_id": "test_123", "status": "completed", "scene_id": "scene_001", "project_id": "proj_test",
        "video_url": "https://example.com/test.mp4", "timestamp": "2025-10-04T10:30:00.000Z",
    })
}

fn post(path: &str, signature: &str, body: Vec<u8>) -> ApiRequest {
    let mut request = Request::new(Body::Binary(body)).with_raw_http_path(path);
    *request.method_mut() = "POST".parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    request.headers_mut().insert("x-webhook-signature", HeaderValue::from_str(signature).unwrap());
    ApiRequest::of(request)
}

fn signed(path: &str, body: impl Into<Vec<u8>>) -> ApiRequest {
    let body = body.into();
    let signature = streamgank::hex_signature(&body, &keys(SECRET));
    post(path, &signature, body)
}

#[tokio::test]
async fn a_good_signature_is_answered_with_200() {
    let spaced = serde_json::to_string_pretty(&payload()).unwrap();
    let escaped = payload().to_string().replace("test.mp4", "t\\u0065st.mp4");
    let unicode = payload().to_string().replace("\"timestamp\"", "\"note\":\"é 🎬\",\"timestamp\"");
    let marked = format!("\u{feff}{}", payload());
    for body in [payload().to_string(), spaced, escaped, unicode, marked] {
        let stack = Stack::default();
        let answer = stack.answer(&signed(VIDEO, body.clone()), ADDRESS).await;
        let expected = r#"{"received":true,"status":"completed","scene_updated":true,"last_frame_triggered":true}"#;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{body}");
        assert_eq!(stack.status(), SceneStatus::Generated);
    }
}

#[tokio::test]
async fn a_bad_signature_is_answered_with_401() {
    let stack = Stack::default();
    let good = streamgank::hex_signature(payload().to_string().as_bytes(), &keys("another secret"));
    for signature in ["invalid", "", "sha256=", "00", good.as_str(), &good[..40]] {
        let answer = stack.answer(&post(VIDEO, signature, payload().to_string().into()), ADDRESS).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"Invalid signature"}"#), "{signature}");
    }
    assert_eq!(stack.status(), SceneStatus::Generating);
}

#[tokio::test]
async fn the_call_after_the_limit_is_answered_with_429() {
    for (path, limit) in [(VIDEO, 100), (STITCH, 50)] {
        let stack = Stack::default();
        let unknown = json!({ "status": "failed", "scene_id": "unknown", "project_id": "unknown" }).to_string();
        // Refused callers do not count.
        for call in 1..=10 {
            let answer = stack.answer(&post(path, "invalid", unknown.clone().into()), ADDRESS).await;
            assert_eq!(answer.status, 401, "{path} {call}");
        }
        for call in 1..=limit {
            let answer = stack.answer(&signed(path, unknown.clone()), ADDRESS).await;
            assert_eq!(answer.status, 200, "{path} {call}: {answer:?}");
        }
        let refused = stack.answer(&signed(path, payload().to_string()), ADDRESS).await;
        assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"error":"Rate limit exceeded"}"#));
        assert!(refused.headers.contains(&("retry-after", "60".to_owned())), "{refused:?}");
        assert_eq!(stack.status(), SceneStatus::Generating, "a refused call changes nothing");
        // The limit comes before the body is read.
        assert_eq!(stack.answer(&signed(path, "no JSON"), ADDRESS).await.status, 429);
        assert_eq!(stack.answer(&signed(path, unknown.clone()), "198.51.100.1").await.status, 200);
        stack.world.advance_s(60);
        assert_eq!(stack.answer(&signed(path, unknown), ADDRESS).await.status, 200);
    }
}

#[tokio::test]
async fn a_callback_whose_error_cannot_be_raised_is_answered_with_503() {
    let stack = Stack::default();
    stack.errors.faults.busy("apply", 1);
    let unknown = json!({ "status": "failed", "scene_id": "unknown", "project_id": "unknown" }).to_string();
    let refused = stack.answer(&signed(VIDEO, unknown.clone()), ADDRESS).await;
    assert_eq!((refused.status, stack.errors.all().len()), (503, 0), "{refused:?}");
    assert!(refused.headers.contains(&("retry-after", "1".to_owned())), "{refused:?}");
    let answer = stack.answer(&signed(VIDEO, unknown), ADDRESS).await;
    assert_eq!((answer.status, stack.errors.all().len()), (200, 1), "{answer:?}");
}

#[tokio::test]
async fn a_token_needs_no_signature() {
    let stack = Stack::default();
    let claims = TaskClaims { project: "proj_test".to_owned(), task: "video.1.1.scene_001".to_owned() };
    let token = SignedToken::mint(&claims, &keys("tokens"));
    let body = json!({ "task_id": "test_123", "status": "completed", "video_url": "https://v.example/1.mp4" });
    let path = format!("/w/{}{VIDEO}", token.expose());
    let other_stage = format!("/w/{}/api/webhooks/last-frame-complete", token.expose());
    assert_eq!(stack.answer(&post(&other_stage, "", body.to_string().into()), ADDRESS).await.status, 401);
    assert_eq!(stack.answer(&post(&path, "", body.to_string().into()), ADDRESS).await.status, 200);
    assert_eq!(stack.status(), SceneStatus::Generated);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_answered_with_400() {
    let stack = Stack::default();
    for body in ["", "[]", "null", "\"completed\"", "{", "{} {}", &"[".repeat(200), "{\"a\": 1e999}"] {
        let answer = stack.answer(&signed(VIDEO, body), ADDRESS).await;
        let text: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(text["error"].is_string() && text.as_object().unwrap().len() == 1, "{answer:?}");
    }
}

#[tokio::test]
async fn each_sample_event_gets_its_answer() {
    let profile: Value = serde_json::from_str(include_str!("../../../../infra/local/test-profile.json")).unwrap();
    let setting = |name: &str| profile["settings"][name].as_str().map(str::to_owned);
    let tokens = keys(&setting("CALLBACK_TOKEN_SECRET").unwrap());
    let stack = Stack { keys: CallbackKeys::new(tokens, &setting), ..Stack::default() };
    let events = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let answers: Value = serde_json::from_slice(&std::fs::read(events.join("answers.json")).unwrap()).unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(events.join("scene-webhooks")).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let request = ApiRequest::of(lambda_http::request::from_str(&text).unwrap());
        let status = match request.method.as_str() {
            "OPTIONS" => preflight(&Site::default(), &request).status,
            "GET" => match Route::read(&request).unwrap() {
                Route::Health(stage) => health(stage, NOON).status,
                Route::Receive(stage) => panic!("{stage:?}"),
            },
            _ => stack.answer(&request, ADDRESS).await.status,
        };
        let path = file.path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(answers[format!("scene-webhooks/{name}")], status, "{name}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// The webhooks.
const WEBHOOKS: [&str; 3] = [VIDEO, "/api/webhooks/last-frame-complete", STITCH];
/// The names of members of callbacks, and of what is in them.
const NAMES: [&str; 8] = ["task_id", "status", "scene_id", "project_id", "video_url", "metadata", "result", "error"];
const NESTED: [&str; 15] = [
    "task_id",
    "status",
    "scene_id",
    "project_id",
    "video_url",
    "image_url",
    "final_video_url",
    "duration",
    "width",
    "resolution",
    "quality_score",
    "error",
    "result",
    "metadata",
    "submission",
];
/// Texts that callbacks have.
const TEXTS: [&str; 8] =
    ["completed", "failed", "processing", "scene_001", "proj_test", "test_123", "https://v.example/1.mp4", "1920x1080"];

/// The status of the answer to a request, and the stack afterwards.
fn outcome(request: &ApiRequest) -> (u16, Stack) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stack = Stack::default();
    let status = runtime.block_on(stack.answer(request, ADDRESS)).status;
    (status, stack)
}

/// The status of the answer of each webhook to a body.
fn statuses(body: &[u8]) -> Vec<u16> {
    WEBHOOKS.iter().map(|path| outcome(&signed(path, body)).0).collect()
}

/// The path of a webhook with the token of the task that its stage has.
fn with_token(path: &str) -> String {
    format!("/w/{}{path}", token(path, "tokens"))
}

/// A token by this secret of the task that the stage of a webhook has.
fn token(path: &str, secret: &str) -> String {
    let stage = path.trim_start_matches("/api/webhooks/").trim_end_matches("-complete");
    let stage = if stage == "last-frame" { "frame" } else { stage };
    let target = if stage == "stitch" { "0" } else { "scene_001" };
    let claims = TaskClaims { project: "proj_test".to_owned(), task: format!("{stage}.1.1.{target}") };
    SignedToken::mint(&claims, &keys(secret)).expose().to_owned()
}

proptest! {
    #[test]
    fn no_bytes_are_a_fault_of_ours(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for status in statuses(&body) {
            prop_assert!((200..500).contains(&status), "{status}");
        }
    }

    #[test]
    fn each_object_is_answered_with_200(body in fuzz_json(&NAMES, &NESTED, &TEXTS)) {
        let body = body.to_string();
        prop_assert_eq!(statuses(body.as_bytes()), [200, 200, 200], "{}", body);
    }
}

#[test]
fn no_callback_is_a_fault_of_ours_and_none_counts_without_a_valid_caller() {
    fuzz(file!(), &fuzz_bodies(&NESTED, &TEXTS), |body| {
        let mut requests = 0;
        for path in WEBHOOKS {
            let valid = [signed(path, body.clone()), post(&with_token(path), "", body.clone())];
            for request in &valid {
                let (status, _) = outcome(request);
                prop_assert!((200..500).contains(&status) && status != 401, "{status}");
            }
            let invalid = of_strangers(path, &body);
            for request in &invalid {
                let (status, stack) = outcome(request);
                let parked = stack.projects.faults.calls("park");
                let written =
                    (stack.projects.stream().len(), parked, stack.errors.all().len(), stack.work.sent().len());
                prop_assert_eq!((status, written), (401, (1, 0, 0, 0)));
            }
            requests += valid.len() + invalid.len();
        }
        Ok(requests)
    });
}

/// Requests of callers that are not valid: without credentials, with a signature by another secret, and with tokens of
/// another stage, of another purpose, by another secret, and guessed.
fn of_strangers(path: &str, body: &[u8]) -> Vec<ApiRequest> {
    let wrong = streamgank::hex_signature(body, &keys("another secret"));
    let signed = ["", wrong.as_str()].map(|signature| post(path, signature, body.to_vec()));
    let other_stage = if path == STITCH { VIDEO } else { STITCH };
    let clip = ClipClaims { job: "proj_test".to_owned(), number: 1 };
    let tokens = [
        token(other_stage, "tokens"),
        SignedToken::mint(&clip, &keys("tokens")).expose().to_owned(),
        token(path, SECRET),
        "guessed".to_owned(),
    ];
    let with_token = tokens.iter().map(|token| post(&format!("/w/{token}{path}"), "", body.to_vec()));
    signed.into_iter().chain(with_token).collect()
}
