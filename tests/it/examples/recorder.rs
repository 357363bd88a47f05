//! Calls operations by their ids, and keeps what was sent and received.

use std::collections::BTreeMap;

use reelhook_openapi::examples::{Example, stable_body};
use reelhook_signing::{SigningKeys, streamgank};
use reqwest::Method;
use serde_json::{Value, json};

use super::files;
use crate::description::description;
use crate::stack::{JsonText, Stack, read};

/// What this run has sent and received.
pub struct Recorder<'a> {
    pub stack: &'a Stack,
    /// The name of the receiver to which webhooks are sent.
    pub hook: String,
    operations: BTreeMap<String, Example>,
    webhooks: BTreeMap<String, Value>,
}

impl<'a> Recorder<'a> {
    pub fn new(stack: &'a Stack) -> Self {
        let hook = format!("examples-{}", std::process::id());
        Self { stack, hook, operations: BTreeMap::new(), webhooks: BTreeMap::new() }
    }

    /// The URL of a receiver of this run.
    pub fn url(&self, name: &str) -> String {
        format!("{}/hooks/{}{name}", self.stack.studio, self.hook)
    }

    /// Calls an operation without a body. `parts` are its path parameters.
    pub async fn get(&mut self, operation: &str, parts: &[&str], query: &str) -> Value {
        self.call(operation, parts, query, None, None).await
    }

    /// Calls an operation that changes something, without a body.
    pub async fn post(&mut self, operation: &str, parts: &[&str]) -> Value {
        self.call(operation, parts, "", None, None).await
    }

    /// Calls an operation with a JSON body.
    pub async fn send(&mut self, operation: &str, parts: &[&str], body: &Value) -> Value {
        self.call(operation, parts, "", Some(body), None).await
    }

    /// Calls an operation with a JSON body that is signed with the secret of a setting.
    pub async fn send_signed(&mut self, operation: &str, setting: &str, body: &Value) -> Value {
        let keys = SigningKeys::parse(&self.stack.aws.secret(setting).await).expect("a secret");
        let signature = streamgank::hex_signature(body.to_string().as_bytes(), &keys);
        self.call(operation, &[], "", Some(body), Some(signature)).await
    }

    async fn call(
        &mut self,
        operation: &str,
        parts: &[&str],
        query: &str,
        body: Option<&Value>,
        signature: Option<String>,
    ) -> Value {
        let route = description().route(operation).unwrap_or_else(|| panic!("no operation `{operation}` is described"));
        let method: Method = route.method.to_uppercase().parse().expect("a method");
        let mut path = filled(route.path, parts);
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        let is_read = method == Method::GET;
        let request = match route.is_open {
            true => self.stack.http.request(method, format!("{}{path}", self.stack.api)),
            false => self.stack.request(method, &path),
        };
        // A call that changes something has a JSON body, as those of pages.
        let request = if is_read { request } else { request.json_text(body.unwrap_or(&json!({}))) };
        let request = signature.iter().fold(request, |request, text| request.header("x-webhook-signature", text));
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert!((200..300).contains(&status), "{operation}: {status} {answer}");
        let example = self.operations.entry(operation.to_owned()).or_default();
        if example.request.is_none() {
            example.request = body.cloned();
        }
        let before = example.answers.insert(status.to_string(), answer.clone());
        assert_eq!(before, None, "{operation} is called once for each status");
        answer
    }

    /// Leaves the first entry of a list in the example of an operation; the others are of other tests.
    pub fn keep_first(&mut self, operation: &str, list: &str) {
        let example = self.operations.get_mut(operation).expect("a recorded operation");
        let answer = example.answers.get_mut("200").expect("an answer");
        answer[list].as_array_mut().expect("a list").truncate(1);
        answer["count"] = json!(1);
    }

    /// Shows a member of an answer as it is later: how soon depends on what other tests have left.
    pub fn show_later(&mut self, operation: &str, member: &str, later: Value) {
        let example = self.operations.get_mut(operation).expect("a recorded operation");
        example.answers.get_mut("200").expect("an answer")[member] = later;
    }

    /// Waits until the receiver has got an event about a job, a video, a project or an endpoint, and keeps the webhook.
    pub async fn webhook(&mut self, event: &str, about: &str) {
        let stack = self.stack;
        let path = format!("/hooks/{}/received?limit=20000&event={event}", self.hook);
        let is_about = |body: &Value| {
            let data = &body["data"];
            ["job_id", "jobId", "endpoint_id", "project_id"].iter().any(|name| data[*name] == about)
        };
        let body = stack
            .eventually(&format!("{event} about {about}"), || async {
                let all = stack.studio(&path).await;
                let mut bodies = all["received"].as_array()?.iter().map(|one| &one["body"]);
                bodies.find(|body| is_about(body)).cloned()
            })
            .await;
        self.webhooks.insert(event.to_owned(), body);
    }

    /// Keeps the previews of events that this run does not cause: they need minutes or hours.
    pub fn keep_previews(&mut self, previews: &Value) {
        for preview in previews["previews"].as_array().expect("previews") {
            let body = serde_json::from_str(&text(&preview["body"])).expect("JSON");
            self.webhooks.entry(text(&preview["event"])).or_insert(body);
        }
    }

    /// Compares all that was recorded with the examples.
    pub async fn assert_same(self) {
        let literals = literals(self.stack, &self.hook);
        let operations = self.operations.iter().map(|(id, example)| (id.clone(), json!(example.stable(&literals))));
        let webhooks = self.webhooks.iter().map(|(event, body)| (event.clone(), stable_body(body, &literals)));
        let (operations, webhooks) = (operations.collect(), webhooks.collect());
        files::assert_same(self.stack, &[("operations", operations), ("webhooks", webhooks)]).await;
    }
}

/// A member that is a text.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Addresses and keys of this stack, and what stands for them in examples. The first that fits is used.
pub fn literals(stack: &Stack, hook: &str) -> Vec<(String, String)> {
    let bucket = format!("{}/{}", stack.aws.endpoint, stack.aws.output("BucketName"));
    let pairs = [
        (format!("{}/hooks/{hook}", stack.studio), "https://receiver.example/webhooks"),
        (format!("{}/files/", stack.studio), "https://cdn.example/"),
        (stack.studio.clone(), "https://receiver.example"),
        (stack.api.clone(), "https://api.example"),
        (bucket, "https://bucket.s3.us-east-1.amazonaws.com"),
        (stack.key.clone(), "rk_example"),
    ];
    pairs.map(|(from, to)| (from, to.to_owned())).into()
}

/// A path with its parameters.
fn filled(template: &str, parts: &[&str]) -> String {
    let mut parts = parts.iter();
    let segments = template.split('/').map(|segment| match segment.starts_with('{') {
        true => *parts.next().expect("each parameter has a value"),
        false => segment,
    });
    segments.collect::<Vec<&str>>().join("/")
}
