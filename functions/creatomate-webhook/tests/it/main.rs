//! Generated callbacks, from callers of each kind, on tables in memory: none is a fault of ours, and one without a token
//! only makes Creatomate be asked.

use std::sync::Arc;

use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, RequestExt};
use proptest::prelude::*;
use reelhook_api::apply_render;
use reelhook_app::Url;
use reelhook_app::jobs::renders::{CallbackPorts, Creatomate, RenderPorts};
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_domain::{Event, Policy};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::creatomate::authenticate;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::{ClipClaims, RunClaims, SignedToken, SigningKeys};
use reelhook_testkit::{
    MemoryJobs, MemoryQueue, NOON, ScriptedHttp, World, a_new_job, fuzz, fuzz_bodies, lived, make_job, policy, run,
    started,
};

const PATH: &str = "/api/webhooks/creatomate";
const OPERATOR: &str = "the-token-of-the-operator";
/// The id of the job ([`a_new_job`]).
const JOB: &str = "job_1704110400000_0001";
/// The render that the job waits for.
const RENDER: &str = "render-1";
/// The names of members of callbacks.
const NAMES: [&str; 8] = ["id", "render_id", "status", "url", "error_message", "error", "metadata", "duration"];
/// Texts that callbacks have.
const TEXTS: [&str; 9] = [
    RENDER,
    "render-2",
    "planned",
    "rendering",
    "succeeded",
    "failed",
    "cancelled",
    "https://v.example/1.mp4",
    "not a url",
];

/// What instances of the function have in common: a job that waits for its render.
struct Stack {
    world: World,
    jobs: MemoryJobs,
    work: MemoryQueue<WorkMessage>,
    http: ScriptedHttp,
    creatomate: Creatomate,
    policy: Policy,
    tokens: SigningKeys,
    operator: SigningKeys,
}

impl Default for Stack {
    fn default() -> Self {
        let (policy, jobs) = (policy(), MemoryJobs::default());
        let events = [vec![Event::Claim, started(1)], run(1, Some(RENDER))].concat();
        jobs.put(&lived(make_job(1, NOON, &policy), &events, NOON, &policy));
        let (tokens, operator) = (keys("tokens"), keys(OPERATOR));
        let base = Url::parse("https://api.creatomate.example").unwrap();
        Self {
            world: World::default(),
            jobs,
            work: MemoryQueue::new(Arc::default()),
            http: ScriptedHttp::always(503),
            creatomate: Creatomate { base, key: Some("creatomate key".into()) },
            policy,
            tokens,
            operator,
        }
    }
}

impl Stack {
    async fn respond(&self, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
        let auth = authenticate(request, &self.tokens, Some(&self.operator))?;
        let ports = CallbackPorts {
            renders: RenderPorts {
                jobs: &self.jobs,
                renders: &self.jobs,
                clock: &self.world,
                policy: &self.policy,
                confirmable: true,
            },
            http: &self.http,
            creatomate: &self.creatomate,
            work: &self.work,
        };
        apply_render(&ports, &auth, request, &mut ReportLine::default()).await
    }
}

fn keys(secret: &str) -> SigningKeys {
    SigningKeys::parse(secret).unwrap()
}

fn post(path: &str, body: Vec<u8>) -> ApiRequest {
    let mut request = Request::new(Body::Binary(body)).with_raw_http_path(path);
    *request.method_mut() = "POST".parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    ApiRequest::of(request)
}

/// The path with the token of a run of the job.
fn with_token(attempt: u32) -> String {
    let token = SignedToken::mint(&RunClaims::of_run(JOB, attempt), &keys("tokens"));
    format!("/w/{}{PATH}", token.expose())
}

/// The status of the answer to a request, and the number of versions of all jobs that were ever saved.
fn outcome(request: &ApiRequest) -> (u16, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stack = Stack::default();
    let answer = runtime.block_on(stack.respond(request));
    (answer.map_or_else(|problem| problem.parts().0, |answer| answer.status), stack.jobs.stream_len())
}

#[test]
fn the_render_of_these_callbacks_is_waited_for() {
    assert_eq!(a_new_job(1).id.as_str(), JOB);
    let failed = format!(r#"{{"id": "{RENDER}", "status": "failed"}}"#);
    let before = Stack::default().jobs.stream_len();
    let (status, versions) = outcome(&post(&with_token(1), failed.clone().into()));
    assert!(status == 200 && versions > before, "{status}");
    assert_eq!(outcome(&post(PATH, failed.into())), (200, before), "it is only a hint");
}

#[test]
fn no_callback_is_a_fault_of_ours_and_none_counts_without_a_valid_caller() {
    let before = Stack::default().jobs.stream_len();
    let path = |token: &str| format!("/w/{token}{PATH}");
    let forged = SignedToken::mint(&RunClaims::of_run(JOB, 1), &keys(OPERATOR));
    let clip = SignedToken::mint(&ClipClaims { job: JOB.to_owned(), number: 1 }, &keys("tokens"));
    fuzz(file!(), &fuzz_bodies(&NAMES, &TEXTS), |body| {
        let valid = [with_token(1), with_token(2), path(OPERATOR)].map(|path| post(&path, body.clone()));
        for request in &valid {
            let (status, _) = outcome(request);
            prop_assert!((200..500).contains(&status), "{status}");
        }
        let (status, versions) = outcome(&post(PATH, body.clone()));
        prop_assert!((200..500).contains(&status) && versions == before, "{status}");
        let invalid = [forged.expose(), clip.expose(), "guessed"].map(|token| post(&path(token), body.clone()));
        for request in &invalid {
            prop_assert_eq!(outcome(request), (401, before));
        }
        Ok(valid.len() + 1 + invalid.len())
    });
}
