//! The stack under test: its API, its stand-ins and its tables, with waiting that polls and sweeps.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reelhook_domain::{Admission, Job};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::description;

/// The deadline of every wait; exceeding it fails the test.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The interval at which conditions are polled.
const POLL: Duration = Duration::from_millis(100);

/// The functions behind the HTTP API.
pub const API_FUNCTIONS: [&str; 16] = [
    "pages",
    "generate",
    "videos",
    "videos-wait",
    "job-status",
    "job-logs",
    "job-control",
    "job-wait",
    "webhooks-admin",
    "step-webhook",
    "creatomate-webhook",
    "scene-webhooks",
    "clipping-webhook",
    "projects",
    "clips",
    "errors",
];

/// A running stack, as REELHOOK_RUN describes it.
pub struct Stack {
    pub api: String,
    pub studio: String,
    pub key: String,
    pub aws: Aws,
    pub http: Client,
    /// The folder of the tools that instances share.
    pub local: PathBuf,
}

impl Stack {
    /// The stack in the state in which tests expect it: see [`Self::attach`].
    pub async fn open() -> Self {
        let stack = Self::attach().await;
        description::compare_answers_of(&stack.api);
        stack.reset().await;
        stack.settle().await;
        stack
    }

    /// The stack as it is, by the file that REELHOOK_RUN names. Its answers are not compared with the description: a
    /// repeated request gets the answer that an older version stored.
    pub async fn attach() -> Self {
        let path =
            std::env::var("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json: use `cargo xtask test --only e2e`");
        let run: Value = serde_json::from_slice(&std::fs::read(&path).expect("run.json")).expect("JSON");
        // Instances are beside the tools that they share.
        let local = Path::new(&path).ancestors().nth(2).expect("a folder of instances").to_owned();
        let text = |name: &str| run[name].as_str().unwrap_or_else(|| panic!("run.json has no `{name}`")).to_owned();
        // reqwest needs a TLS provider even for plain http.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(35)).build().expect("a client");
        let aws = Aws::open(&text("emulator_url"), &run).await;
        // The API may have another address, such as that of `cargo xtask edge`.
        let api = std::env::var("REELHOOK_API").unwrap_or_else(|_| text("api_url"));
        Self { api, studio: text("studio_url"), key: text("api_key"), aws, http, local }
    }

    /// The same stack, called at another address.
    pub fn at(mut self, url: &str) -> Self {
        self.api = url.to_owned();
        self
    }

    /// Waits until all work of the test before has ended, so that none of its webhooks reaches this test's receivers.
    async fn settle(&self) {
        self.aws.cancel_jobs().await;
        self.eventually("an idle stack", || async { (!self.aws.is_busy().await).then_some(()) }).await;
    }

    /// Resets the mock services and the admission item after the test before.
    async fn reset(&self) {
        self.aws.shorten_visibility().await;
        for control in ["worker", "creatomate", "hooks/main", "hooks/second"] {
            self.control(control, json!({})).await;
        }
        self.aws
            .save_admission(&Admission { version: self.aws.admission().await.version + 1, ..Admission::default() })
            .await;
        self.aws.enable_endpoints().await;
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api)).header("x-api-key", &self.key)
    }

    /// POST with a JSON body and the key.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json_text(body).send().await.expect("an answer")).await
    }

    /// GET with the key.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.expect("an answer")).await
    }

    /// Submits a job whose worker follows `scenario` (infra/studio/README.md).
    pub async fn submit(&self, scenario: &str) -> String {
        self.submit_with(json!({ "template": format!("studio:{scenario}") })).await
    }

    /// Submits a job with more members.
    pub async fn submit_with(&self, more: Value) -> String {
        let mut body = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:" });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let (status, answer) = self.post("/api/generate", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["jobId"].as_str().expect("jobId").to_owned()
    }

    pub async fn job(&self, id: &str) -> Value {
        let (status, answer) = self.get(&format!("/api/job/{id}")).await;
        assert_eq!(status, 200, "{answer}");
        answer["job"].clone()
    }

    /// Waits until the job satisfies `condition`, and sweeps as the schedule would.
    pub async fn until(&self, id: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
        while Instant::now() < deadline {
            poll.tick().await;
            last = self.job(id).await;
            if condition(&last) {
                return last;
            }
            self.sweep().await;
        }
        panic!("job {id} is not {what}: {last:#}");
    }

    pub async fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |job| job["status"] == status).await
    }

    /// Runs the cleanup function once.
    pub async fn sweep(&self) -> Value {
        let (answer, error) = self.aws.invoke("cleanup", &json!({})).await;
        assert_eq!(error, None, "{answer}");
        answer
    }

    /// Waits for a condition, and sweeps in the meantime.
    pub async fn eventually<T, F: Future<Output = Option<T>>>(&self, what: &str, check: impl Fn() -> F) -> T {
        let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
        loop {
            poll.tick().await;
            if let Some(found) = check().await {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} did not come about");
            self.sweep().await;
        }
    }

    /// Runs a command of infra/local/stack.py, which is behind `cargo xtask redrive`, `repair` and others.
    pub async fn operate(&self, arguments: &[&str]) -> Value {
        self.try_to_operate(arguments).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs such a command, which may fail: what it says then.
    pub async fn try_to_operate(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut python = tokio::process::Command::new(self.local.join("venv/bin/python"));
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/local/stack.py"));
        python.args(["--stack", &self.aws.stack]).args(arguments);
        python.env("AWS_ENDPOINT_URL", &self.aws.endpoint).env("AWS_REGION", "us-east-1");
        python.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let output = python.output().await.expect("Python runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// PUT to a control of the studio.
    pub async fn control(&self, control: &str, settings: Value) {
        let url = format!("{}/control/{control}", self.studio);
        let answer = self.http.put(url).json_text(&settings).send().await.expect("the studio answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    pub async fn studio(&self, path: &str) -> Value {
        read(self.http.get(format!("{}{path}", self.studio)).send().await.expect("the studio answers")).await.1
    }

    /// The webhooks about a job that a receiver has verified.
    pub async fn webhooks(&self, hook: &str, job: &str) -> Vec<Value> {
        let all = self.studio(&format!("/hooks/{hook}/received?limit=100000&job_id={job}")).await;
        all["received"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|hook| !hook["verification"].is_null())
            .cloned()
            .collect()
    }

    /// Waits until a receiver has verified an event about a job, and returns the first such webhook.
    pub async fn webhook(&self, hook: &str, job: &str, event: &str) -> Value {
        self.eventually(&format!("{event} of {job} at {hook}"), || async {
            self.webhooks(hook, job).await.into_iter().find(|entry| entry["event"] == event)
        })
        .await
    }

    /// The job as it is stored.
    pub async fn stored(&self, id: &str) -> Job {
        self.aws.job(id).await.expect("the job is stored")
    }

    /// Asserts that every queue is empty.
    pub async fn assert_queues_empty(&self) {
        self.assert_empty(|| self.aws.depths()).await;
    }

    /// Asserts that every queue is empty but for hints at deliveries that wait for their time.
    pub async fn assert_only_hints_wait(&self) {
        self.assert_empty(|| self.aws.depths_without_hints_that_wait()).await;
    }

    /// Asserts that these depths become 0. Prints what waits whenever that changes.
    async fn assert_empty<F: Future<Output = Vec<(&'static str, u64)>>>(&self, depths: impl Fn() -> F) {
        let waited = RefCell::new(Vec::new());
        self.eventually("empty queues", || async {
            let waiting: Vec<_> = depths().await.into_iter().filter(|(_, depth)| *depth > 0).collect();
            let is_empty = waiting.is_empty();
            if waited.replace(waiting.clone()) != waiting {
                println!("there waits {waiting:?}");
            }
            is_empty.then_some(())
        })
        .await;
    }
}

/// Sets a JSON body, because reqwest is built without its `json` feature.
pub trait JsonText {
    fn json_text(self, body: &Value) -> Self;
}

impl JsonText for RequestBuilder {
    fn json_text(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

/// The status and the body of an answer. JSON of the API must be as it is described.
pub async fn read(response: Response) -> (u16, Value) {
    let (status, url) = (response.status().as_u16(), response.url().clone());
    let content_type = response.headers().get("content-type").map(|value| value.as_bytes().to_owned());
    let text = response.text().await.unwrap_or_default();
    let Ok(body) = serde_json::from_str(&text) else { return (status, Value::String(text)) };
    if content_type.is_some_and(|value| value.starts_with(b"application/json")) {
        description::assert_described(url.as_str(), status, &body);
    }
    (status, body)
}
