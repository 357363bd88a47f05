//! A submission whose worker is played by a test: the mock worker keeps it in its queue and says nothing about it.

use reelhook_signing::{ClipClaims, SignedToken, SigningKeys, streamgank};
use serde_json::{Value, json};

use super::job::{begin, command, fast, until_at_worker};
use crate::scenes::callers::Caller;
use crate::scenes::project::text;
use crate::stack::Stack;

/// The headers in which a worker may send its signature.
pub const HEADERS: [&str; 3] = ["x-genesis-webhook-signature", "x-webhook-signature", "authorization"];
/// The webhook that workers call.
const WEBHOOK: &str = "ai-clipping";
/// How long the mock worker keeps the job in its queue.
const QUEUED_MS: u32 = 600_000;

/// A submission of a job.
pub struct Submission<'a> {
    caller: Caller<'a>,
    keys: SigningKeys,
    /// The job.
    pub job: String,
    /// The page that it is about.
    pub page: String,
    /// The worker's id for it.
    pub worker: String,
    /// Where it is reported.
    url: String,
}

impl<'a> Submission<'a> {
    /// A job that the mock worker has accepted.
    pub async fn of(stack: &'a Stack) -> Self {
        let queued = json!({ "job": { "queued_ms": QUEUED_MS }, "report": { "silent": true } });
        let (job, page) = begin(stack, fast(queued)).await;
        let accepted = until_at_worker(stack, &page, 1).await;
        let (caller, secret) = (Caller::of(stack).await, stack.aws.secret("WEBHOOK_SECRET").await);
        Self {
            url: caller.url(WEBHOOK),
            keys: SigningKeys::parse(&secret).expect("a secret"),
            worker: text(&accepted[0]["job_id"]),
            caller,
            job,
            page,
        }
    }

    /// A report about it, with its ids.
    pub fn report(&self, mut members: Value) -> Value {
        members["job_id"] = json!(self.worker);
        members["external_job_id"] = json!(self.job);
        members
    }

    /// Sends a text with these headers.
    pub async fn send(&self, headers: &[(&str, &str)], text: &str) -> (u16, Value) {
        self.caller.send_text(&self.url, headers, text).await
    }

    /// Sends a text to a path of the API that begins with `/`.
    pub async fn send_to(&self, stack: &Stack, path: &str, headers: &[(&str, &str)], text: &str) -> (u16, Value) {
        self.caller.send_text(&format!("{}{path}", stack.api), headers, text).await
    }

    /// The signature of a text in the worker's form.
    pub fn signature(&self, text: &str) -> String {
        streamgank::signature(text.as_bytes(), &self.keys)
    }

    /// Sends a report as the worker does: signed over its JSON with sorted keys. It is taken.
    pub async fn takes(&self, report: &Value) {
        let text = sorted(report);
        let signature = self.signature(&text);
        let answer = self.send(&[(HEADERS[0], signature.as_str())], &text).await;
        assert_eq!(answer, (200, json!({ "received": true })), "{text}");
    }

    /// Cancels the job, which would be polled after the test.
    pub async fn end(&self, stack: &Stack) {
        command(stack, &self.job, "cancel").await;
    }

    /// The path of the webhook with the token of submission `number` of its job.
    pub async fn path_with_token(&self, stack: &Stack, number: u32, webhook: &str) -> String {
        let keys = SigningKeys::parse(&stack.aws.secret("CALLBACK_TOKEN_SECRET").await).expect("a secret");
        let token = SignedToken::mint(&ClipClaims { job: self.job.clone(), number }, &keys);
        format!("/w/{}/api/webhooks/{webhook}", token.expose())
    }
}

/// JSON as `json.dumps(value, sort_keys=True)` of Python writes it.
pub fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let texts: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", json!(name), sorted(value))).collect();
            format!("{{{}}}", texts.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(sorted).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[test]
fn keys_are_sorted_at_every_depth() {
    let value = json!({ "b": [{ "d": 1.5, "c": null }], "a": "x" });
    assert_eq!(sorted(&value), r#"{"a": "x", "b": [{"c": null, "d": 1.5}]}"#);
}
