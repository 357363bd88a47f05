//! Reports as the clipping worker sends them, on tables in memory: signatures, the rate limit, and bodies of any kind.

mod bodies;
mod fuzz;
mod senders;

use clipping_webhook::receiver::Receiver;
use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::{Body, Request, RequestExt};
use reelhook_app::clips::reports::ReportPorts;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_domain::clips::event::Event;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, RenderId};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::webhook::route::Route;
use reelhook_http::clips::webhook::sender::ReportKeys;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::{ClipClaims, SignedToken, SigningKeys, streamgank};
use reelhook_testkit::{MemoryCalls, MemoryClips, MemorySteps, NOON, World, a_clip_job, clipping_worker};
use serde_json::{Value, json};

const SECRET: &str = "a secret";
const ADDRESS: &str = "203.0.113.7";
const PATH: &str = "/api/webhooks/ai-clipping";
const ALIAS: &str = "/api/webhooks/clipping";
const GENESIS: &str = "x-genesis-webhook-signature";
/// The id of the job in seed 004's payloads.
const EXTERNAL: &str = "550e8400-e29b-41d4-a716-446655440000";

/// What instances of the function have in common: a job that the worker has as `abc-123`.
struct Stack {
    world: World,
    jobs: MemoryClips,
    errors: MemorySteps,
    calls: MemoryCalls,
    policy: ClipPolicy,
    files: WorkerFiles,
    keys: ReportKeys,
}

impl Default for Stack {
    fn default() -> Self {
        let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
        let lookup = |name: &str| (name == ReportKeys::SETTINGS[0]).then(|| format!("newest, {SECRET}"));
        let stack = Self {
            world: World::default(),
            jobs: MemoryClips::default(),
            errors: MemorySteps::default(),
            calls: MemoryCalls::default(),
            policy,
            files: clipping_worker().files,
            keys: ReportKeys::new(keys("tokens"), &lookup),
        };
        let job = ClipJob { id: ClipJobId::parse(EXTERNAL).unwrap(), ..a_clip_job(1, NOON, &stack.policy) };
        stack.jobs.put(&job);
        let id = RenderId::parse("abc-123").unwrap();
        for event in [Event::ClaimSubmission, Event::Submitted { number: 1, id }] {
            assert!(stack.jobs.apply(&job.id, &event, NOON, &stack.policy), "{event:?}");
        }
        stack
    }
}

impl Stack {
    /// The answer to a request, as its sender gets it.
    async fn answer(&self, request: &ApiRequest, address: &str) -> ApiAnswer {
        self.respond(request, address).await.unwrap_or_else(|problem| problem.callback("r-1"))
    }

    async fn respond(&self, request: &ApiRequest, address: &str) -> Result<ApiAnswer, Problem> {
        let Route::Receive = Route::read(request)? else { panic!("a POST") };
        let token = self.keys.verify(request)?;
        let ports = ReportPorts {
            jobs: &self.jobs,
            lookups: &self.jobs,
            errors: &self.errors,
            clock: &self.world,
            policy: &self.policy,
            files: &self.files,
        };
        Receiver { calls: &self.calls, per_minute: 600, ports }.receive(request, token, address).await
    }

    /// The answer to a signed report; its status.
    async fn report(&self, body: &Value) -> u16 {
        self.answer(&signed(PATH, body.to_string()), ADDRESS).await.status
    }

    fn job(&self) -> ClipJob {
        self.jobs.get(&ClipJobId::parse(EXTERNAL).unwrap())
    }
}

fn keys(secret: &str) -> SigningKeys {
    SigningKeys::parse(secret).unwrap()
}

/// One of seed 004's payloads, by its event.
fn payload(event: &str) -> Value {
    let mut body = json!({ "event": event, "job_id": "abc-123", "external_job_id": EXTERNAL });
    let more = match event {
        "job.started" => json!({
            "timestamp": "2024-11-28T10:30:00.000Z", "owner_user_id": "user_789", "status": "running",
            "progress_percent": 5, "current_step": "Downloading video...",
        }),
        "job.progress" => json!({
            "timestamp": "2024-11-28T10:32:00.000Z", "status": "running", "progress_percent": 65,
            "current_step": "Rendering clip 3/5...", "clips_completed": 2, "total_clips": 5,
        }),
        "job.completed" => json!({
            "timestamp": "2024-11-28T10:38:00.000Z", "status": "succeeded", "progress_percent": 100,
            "current_step": "Processing complete!", "clips_completed": 5, "total_clips": 5,
            "output": {
                "total_clips": 5, "source_video_title": "My Amazing Video", "processing_time_seconds": 482.5,
                "clips": [{
                    "clip_index": 0, "s3_url": "https://bucket.s3.amazonaws.com/clips/clip_00.mp4",
                    "duration_ms": 45000, "virality_score": 0.92, "summary": "Key insight about...",
                }],
                "transcript_url": "https://bucket.s3.amazonaws.com/transcript.json",
                "plan_url": "https://bucket.s3.amazonaws.com/plan.json",
            },
        }),
        _ => json!({
            "timestamp": "2024-11-28T10:32:00.000Z", "status": "failed", "progress_percent": 15,
            "current_step": "Processing failed", "error": "Failed to download video: Video is unavailable",
        }),
    };
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> ApiRequest {
    let mut request = Request::new(Body::Binary(body.into())).with_raw_http_path(path);
    *request.method_mut() = "POST".parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    ApiRequest::of(request)
}

/// The signature of a body with this secret.
fn signature(body: &[u8], secret: &str) -> String {
    streamgank::signature(body, &keys(secret))
}

fn signed(path: &str, body: impl Into<Vec<u8>>) -> ApiRequest {
    let body = body.into();
    let signature = signature(&body, SECRET);
    post(path, &[(GENESIS, signature.as_str())], body)
}

/// The path with the token of a submission of a job.
fn with_token(path: &str, job: &str, number: u32) -> String {
    let token = SignedToken::mint(&ClipClaims { job: job.to_owned(), number }, &keys("tokens"));
    format!("/w/{}{path}", token.expose())
}
