//! The reports of jobs by webhook: signed and in order, or late, doubled, out of order, unsigned and wrong, as the settings
//! say. Like the real worker, each is sent three times at most.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use futures_util::future::join_all;
use reelhook_signing::{SigningKeys, streamgank};
use serde_json::{Value, json};

use crate::bounded_log::now_ms;
use crate::calls::Caller;
use crate::scenario::random;

use super::job::{Job, SentReport};
use super::settings::{Reports, Signature, SignatureHeader, Wrong};

/// Attempts at sending a report.
const ATTEMPTS: u32 = 3;

/// Sends the reports of jobs.
#[derive(Clone)]
pub(crate) struct ReportSender {
    pub caller: Caller,
    /// The secret that signs them.
    pub keys: Option<SigningKeys>,
    /// The wait before the second attempt; it doubles.
    pub retry_ms: u64,
    /// The base of the URLs of files.
    pub base: Arc<str>,
}

/// A report to send.
struct Message {
    kind: Value,
    url: String,
    body: Value,
    signature: Option<Signature>,
    /// Whether the body is cut off.
    garbage: bool,
}

impl ReportSender {
    /// Sends the report of an event. Those of progress are not waited for, as at the real worker.
    pub(crate) async fn send(&self, job: &Arc<Job>, event: &'static str) {
        let settings = &job.settings.report;
        let is_left_out = match event {
            "job.started" => settings.no_started,
            "job.progress" => settings.no_progress,
            _ => false,
        };
        let Some(url) = job.request.callback_url.as_ref().filter(|_| !settings.silent && !is_left_out) else { return };
        let body = job.report(event, &self.base);
        let is_end = matches!(event, "job.completed" | "job.failed");
        if !is_end {
            let (sender, job) = (self.clone(), job.clone());
            let message = message(event, settings, url, body);
            tokio::spawn(async move { sender.send_copies(&job, &job.settings.report, &message).await });
            return;
        }
        self.send_end(job, settings, url, event, body).await;
    }

    /// Sends the report of a job's present state now, as other settings say.
    pub(crate) async fn send_again(&self, job: &Job, settings: &Reports) {
        let Some(url) = &job.request.callback_url else { return };
        let event = job.event();
        self.send_end(job, settings, url, event, job.report(event, &self.base)).await;
    }

    /// Sends wrong reports, the right one, and what comes too late.
    async fn send_end(&self, job: &Job, settings: &Reports, url: &str, event: &str, body: Value) {
        for wrong in &settings.wrong {
            self.send_copies(job, settings, &wrong_message(*wrong, settings, url, &body)).await;
        }
        let mut late = body.clone();
        self.send_copies(job, settings, &message(event, settings, url, body)).await;
        if settings.late_progress {
            late["event"] = json!("job.progress");
            late["status"] = json!("running");
            late["progress_percent"] = json!(50);
            if let Some(members) = late.as_object_mut() {
                members.shift_remove("output");
            }
            self.send_copies(job, settings, &message("late_progress", settings, url, late)).await;
        }
    }

    /// Sends a report as many times at once as the settings say.
    async fn send_copies(&self, job: &Job, settings: &Reports, message: &Message) {
        let copies = (0..settings.copies.unwrap_or(1)).map(|number| self.send_later(job, settings, message, number));
        join_all(copies).await;
    }

    async fn send_later(&self, job: &Job, settings: &Reports, message: &Message, number: usize) {
        // Another number for each report and copy, and other ones than for what happens to the submission.
        let progress = message.body["progress_percent"].as_u64().unwrap_or_default();
        let index = (job.index + 1).wrapping_mul(1_000_003).wrapping_add(progress * 1009 + number as u64);
        let disorder = random(job.settings.seed, index) % settings.disorder_ms.saturating_add(1);
        tokio::time::sleep(Duration::from_millis(settings.delay_ms.saturating_add(disorder))).await;
        for attempt in 0..ATTEMPTS {
            if self.send_once(job, settings, message).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(self.retry_ms << attempt)).await;
        }
    }

    /// Whether the report was taken.
    async fn send_once(&self, job: &Job, settings: &Reports, message: &Message) -> bool {
        let mut bytes = sorted(&message.body).to_string().into_bytes();
        if message.garbage {
            bytes.truncate(bytes.len() / 2);
        }
        let mut headers = HeaderMap::new();
        let signature = self.signature(message.signature, &bytes);
        let name = match settings.header {
            SignatureHeader::Genesis => HeaderName::from_static("x-genesis-webhook-signature"),
            SignatureHeader::Webhook => HeaderName::from_static("x-webhook-signature"),
            SignatureHeader::Authorization => header::AUTHORIZATION,
        };
        headers.extend(signature.and_then(|text| HeaderValue::from_str(&text).ok()).map(|value| (name, value)));
        if message.signature == Some(Signature::Flipped)
            && let Some(digit) = bytes.iter_mut().find(|byte| byte.is_ascii_digit())
        {
            *digit ^= 1;
        }
        let at_ms = now_ms();
        let outcome = self.caller.post(&message.url, headers, bytes).await;
        let is_taken = outcome.is_success();
        job.record(SentReport { at_ms, kind: message.kind.clone(), body: message.body.clone(), outcome });
        is_taken
    }

    fn signature(&self, setting: Option<Signature>, body: &[u8]) -> Option<String> {
        match setting.unwrap_or(Signature::Valid) {
            Signature::None => None,
            Signature::Valid | Signature::Flipped => Some(streamgank::signature(body, self.keys.as_ref()?)),
            Signature::Bare => Some(streamgank::hex_signature(body, self.keys.as_ref()?)),
            Signature::Wrong => Some(streamgank::signature(body, &SigningKeys::parse("another secret")?)),
            Signature::Malformed => Some("sha256=not-hexadecimal".to_owned()),
        }
    }
}

fn message(kind: &str, settings: &Reports, url: &str, body: Value) -> Message {
    let url = if settings.no_token { without_token(url) } else { url.to_owned() };
    Message { kind: json!(kind), url, body, signature: settings.signature, garbage: false }
}

fn wrong_message(wrong: Wrong, settings: &Reports, url: &str, right: &Value) -> Message {
    let mut message = message("", settings, url, right.clone());
    message.kind = json!(wrong);
    let body = &mut message.body;
    match wrong {
        Wrong::UnknownJob => {
            body["job_id"] = json!("00000000-0000-4000-8000-00000000dead");
            body["external_job_id"] = json!("00000000-0000-4000-8000-00000000beef");
            message.url = without_token(url);
        }
        Wrong::Empty => *body = json!({ "current_step": "Working..." }),
        Wrong::UnknownEvent => {
            body["event"] = json!("job.paused");
            body["status"] = json!("paused");
        }
        Wrong::Garbage => message.garbage = true,
        Wrong::Forged => {
            body["event"] = json!("job.failed");
            body["status"] = json!("failed");
            body["error"] = json!("forged");
            message.url = without_token(url);
            message.signature = Some(Signature::None);
        }
    }
    message
}

/// The value with the members of its objects in order: the real worker signs JSON with sorted keys.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> = members.iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The URL without the token before the path of the webhook: `/w/<token>/api/…` becomes `/api/…`.
fn without_token(url: &str) -> String {
    let stripped = url.split_once("/w/").and_then(|(base, rest)| Some((base, rest.split_once('/')?.1)));
    stripped.map_or_else(|| url.to_owned(), |(base, path)| format!("{base}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": [{"d": 1, "c": null}], "a": "é"});
        assert_eq!(sorted(&value).to_string(), r#"{"a":"é","b":[{"c":null,"d":1}]}"#);
    }

    #[test]
    fn a_token_can_be_left_out() {
        let plain = "http://a:1/api/webhooks/ai-clipping";
        assert_eq!(without_token("http://a:1/w/tok.en/api/webhooks/ai-clipping"), plain);
        assert_eq!(without_token(plain), plain);
    }
}
