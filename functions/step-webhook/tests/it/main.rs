//! Generated reports, from callers of each kind, on tables in memory: none is a fault of ours, and none changes anything
//! without a token, a signature or a key.

use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::{Body, Request, RequestExt};
use proptest::prelude::*;
use reelhook_api::apply_step;
use reelhook_app::jobs::steps::StepPorts;
use reelhook_domain::{Event, Policy};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::step::{Credentials, read, reporter};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use reelhook_signing::{ClipClaims, RunClaims, SignedToken, SigningKeys, streamgank};
use reelhook_testkit::{
    MemoryDetails, MemoryJobs, NOON, World, a_new_job, fuzz, fuzz_bodies, lived, make_job, policy, started,
};

const PATH: &str = "/api/webhooks/step-update";
const SECRET: &str = "a secret";
const KEY: &str = "rk_0123456789abcdef0123456789abcdef";
/// The id of the job ([`a_new_job`]).
const JOB: &str = "job_1704110400000_0001";
/// The names of members of reports, and of what is in their details.
const NAMES: [&str; 16] = [
    "job_id",
    "step_number",
    "step_name",
    "status",
    "duration",
    "details",
    "step_key",
    "sequence",
    "workflow_stage",
    "error",
    "timestamp",
    "creatomate_id",
    "video_url",
    "extracted_movies",
    "extractedMovies",
    "movies",
];
/// Texts that reports have.
const TEXTS: [&str; 8] =
    [JOB, "started", "completed", "failed", "Workflow Failed", "8", "https://v.example/1.mp4", "render-1"];

/// What instances of the function have in common: a job whose run the worker has begun.
struct Stack {
    world: World,
    jobs: MemoryJobs,
    details: MemoryDetails,
    policy: Policy,
    tokens: SigningKeys,
    secret: SigningKeys,
    access: Access,
}

impl Default for Stack {
    fn default() -> Self {
        let (policy, jobs) = (policy(), MemoryJobs::default());
        jobs.put(&lived(make_job(1, NOON, &policy), &[Event::Claim, started(1)], NOON, &policy));
        let lookup = |name: &str| match name {
            "API_KEYS" => Some(KEY.to_owned()),
            "SESSION_SECRET" => Some("the secret of sessions".to_owned()),
            _ => None,
        };
        let access = Access::read(&Site::default(), &lookup).unwrap();
        let (tokens, secret) = (keys("tokens"), keys(SECRET));
        Self { world: World::default(), jobs, details: MemoryDetails::default(), policy, tokens, secret, access }
    }
}

impl Stack {
    async fn respond(&self, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
        let credentials = Credentials { tokens: &self.tokens, secret: Some(&self.secret), access: &self.access };
        let step = read(request, &reporter(request, &credentials, NOON)?, NOON)?;
        let ports = StepPorts {
            jobs: &self.jobs,
            renders: &self.jobs,
            details: &self.details,
            clock: &self.world,
            policy: &self.policy,
        };
        apply_step(&ports, step, "r-1", &mut ReportLine::default()).await
    }
}

fn keys(secret: &str) -> SigningKeys {
    SigningKeys::parse(secret).unwrap()
}

fn post(path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> ApiRequest {
    let mut request = Request::new(Body::Binary(body)).with_raw_http_path(path);
    *request.method_mut() = "POST".parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    ApiRequest::of(request)
}

/// The status of the answer to a request, and the number of versions of all jobs that were ever saved.
fn outcome(request: &ApiRequest) -> (u16, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stack = Stack::default();
    let answer = runtime.block_on(stack.respond(request));
    (answer.map_or_else(|problem| problem.parts().0, |answer| answer.status), stack.jobs.stream_len())
}

#[test]
fn the_job_of_these_reports_is_there() {
    assert_eq!(a_new_job(1).id.as_str(), JOB);
    let token = SignedToken::mint(&RunClaims::of_run(JOB, 1), &keys("tokens"));
    let report = format!(r#"{{"job_id": "{JOB}", "step_number": 1, "status": "started"}}"#);
    let before = Stack::default().jobs.stream_len();
    let path = format!("/w/{}{PATH}", token.expose());
    assert_eq!(outcome(&post(&path, &[], report.clone().into())), (200, before + 1));
    assert_eq!(outcome(&post(PATH, &[], report.into())), (401, before));
}

#[test]
fn no_report_is_a_fault_of_ours_and_none_counts_without_a_valid_caller() {
    let before = Stack::default().jobs.stream_len();
    let claims = RunClaims::of_run(JOB, 1);
    let path = |token: &str| format!("/w/{token}{PATH}");
    let [token, forged] = ["tokens", SECRET].map(|secret| SignedToken::mint(&claims, &keys(secret)));
    let clip = SignedToken::mint(&ClipClaims { job: JOB.to_owned(), number: 1 }, &keys("tokens"));
    fuzz(file!(), &fuzz_bodies(&NAMES, &TEXTS), |body| {
        let signature = streamgank::signature(&body, &keys(SECRET));
        let valid = [
            post(&path(token.expose()), &[], body.clone()),
            post(PATH, &[("x-webhook-signature", signature.as_str())], body.clone()),
            post(PATH, &[("x-api-key", KEY)], body.clone()),
        ];
        for request in &valid {
            let (status, _) = outcome(request);
            prop_assert!((200..500).contains(&status), "{status}");
        }
        let wrong = streamgank::signature(&body, &keys("another secret"));
        let invalid = [
            post(PATH, &[], body.clone()),
            post(PATH, &[("x-webhook-signature", wrong.as_str())], body.clone()),
            post(&path(clip.expose()), &[], body.clone()),
            post(&path(forged.expose()), &[], body.clone()),
            post(&path("guessed"), &[], body),
        ];
        for request in &invalid {
            prop_assert_eq!(outcome(request), (401, before));
        }
        Ok(valid.len() + invalid.len())
    });
}
