//! The callbacks of tasks: once and signed, or late, doubled, out of order, unsigned and wrong, as the settings say.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::future::join_all;
use reelhook_signing::{SigningKeys, streamgank};
use serde_json::{Value, json};

use crate::bounded_log::now_ms;
use crate::calls::Caller;
use crate::scenario::random;

use super::films::Films;
use super::request::Stage;
use super::settings::{Callback, Form, Signature, Wrong};
use super::task::{SentCallback, Task, url_member};

const SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");

/// Sends the callbacks of one service.
pub(crate) struct CallbackSender {
    pub caller: Caller,
    /// The secret that signs them.
    pub keys: Option<SigningKeys>,
}

/// A callback to send.
struct Message {
    kind: Value,
    url: String,
    body: Value,
    /// Whether the body is cut off.
    garbage: bool,
}

impl CallbackSender {
    /// Sends the callbacks about a task that has ended: those that are wrong, then the right one.
    pub(crate) async fn send_end(&self, task: &Task, settings: &Callback, films: &Films) {
        let Some(url) = &task.request.callback_url else {
            return;
        };
        let right = task.report(form_of(task, settings), films);
        let wrong = settings.wrong.iter().enumerate();
        let wrong = wrong.map(|(number, wrong)| wrong_message(*wrong, number, task, &right, url));
        self.send(task, settings, wrong.collect()).await;
        if !settings.silent {
            let url = if settings.no_token { without_token(url) } else { url.clone() };
            let message = Message { kind: json!("right"), url, body: right, garbage: false };
            self.send(task, settings, vec![message]).await;
        }
    }

    /// Sends a callback about the present state of a task that has not ended.
    pub(crate) async fn send_progress(&self, task: &Task, settings: &Callback, films: &Films) {
        let Some(url) = &task.request.callback_url else {
            return;
        };
        let body = task.report(form_of(task, settings), films);
        let message = Message { kind: json!("progress"), url: url.clone(), body, garbage: false };
        self.send(task, settings, vec![message]).await;
    }

    /// Sends each message as many times at once as the settings say, each after its delay.
    async fn send(&self, task: &Task, settings: &Callback, messages: Vec<Message>) {
        let mut sent = Vec::new();
        for message in &messages {
            for _ in 0..settings.copies.unwrap_or(1) {
                sent.push(self.send_later(task, settings, message, sent.len()));
            }
        }
        join_all(sent).await;
    }

    async fn send_later(&self, task: &Task, settings: &Callback, message: &Message, number: usize) {
        // Another number for each copy, and other ones than for what happens to the submission.
        let index = (task.index + 1).wrapping_mul(1_000_003).wrapping_add(number as u64);
        let disorder = random(task.settings.seed, index) % settings.disorder_ms.saturating_add(1);
        tokio::time::sleep(Duration::from_millis(settings.delay_ms.saturating_add(disorder))).await;
        self.send_one(task, settings, message).await;
    }

    async fn send_one(&self, task: &Task, settings: &Callback, message: &Message) {
        let mut bytes = message.body.to_string().into_bytes();
        if message.garbage {
            bytes.truncate(bytes.len() / 2);
        }
        let mut headers = HeaderMap::new();
        let signature = self.signature(task.request.stage(), settings.signature, &bytes);
        headers.extend(signature.and_then(|text| HeaderValue::from_str(&text).ok()).map(|value| (SIGNATURE, value)));
        let at_ms = now_ms();
        let outcome = self.caller.post(&message.url, headers, bytes).await;
        task.record(SentCallback { at_ms, kind: message.kind.clone(), body: message.body.clone(), outcome });
    }

    fn signature(&self, stage: Stage, setting: Option<Signature>, body: &[u8]) -> Option<String> {
        // The real service for frames and stitches does not sign.
        let default = if stage == Stage::Video { Signature::Valid } else { Signature::None };
        match setting.unwrap_or(default) {
            Signature::None => None,
            Signature::Valid => Some(streamgank::hex_signature(body, self.keys.as_ref()?)),
            Signature::Prefixed => Some(streamgank::signature(body, self.keys.as_ref()?)),
            Signature::Wrong => Some(streamgank::hex_signature(body, &SigningKeys::parse("another secret")?)),
            Signature::Malformed => Some("sha256=not-hexadecimal".to_owned()),
        }
    }
}

fn form_of(task: &Task, settings: &Callback) -> Form {
    settings.form.unwrap_or(if task.request.seed { Form::Flat } else { Form::Nested })
}

fn wrong_message(wrong: Wrong, number: usize, task: &Task, right: &Value, url: &str) -> Message {
    let mut message = Message { kind: json!(wrong), url: url.to_owned(), body: right.clone(), garbage: false };
    let body = &mut message.body;
    match wrong {
        Wrong::NoUrl => {
            body["status"] = json!("completed");
            remove_urls(body, task.request.stage());
        }
        Wrong::Status => body["status"] = json!("finished"),
        Wrong::UnknownScene => {
            set_ids(body, &format!("scene_unknown_{number}"), "proj_unknown");
            body["task_id"] = json!(format!("{}_unknown", task.id));
            message.url = without_token(url);
        }
        Wrong::OtherIds => set_ids(body, "scene_of_another", "proj_of_another"),
        Wrong::OtherTask => body["task_id"] = json!(format!("{}_other", task.id)),
        Wrong::Failed => {
            body["status"] = json!("failed");
            body["error"] = json!("the worker was restarted");
            remove_urls(body, task.request.stage());
        }
        Wrong::Garbage => message.garbage = true,
    }
    message
}

/// Removes the URLs of a result, wherever they are.
fn remove_urls(body: &mut Value, stage: Stage) {
    for form in [Form::Nested, Form::Media, Form::Flat] {
        let member = url_member(stage, form);
        if let Some(members) = body.as_object_mut() {
            members.shift_remove(member);
        }
        if let Some(result) = body.get_mut("result").and_then(Value::as_object_mut) {
            result.shift_remove(member);
        }
    }
}

/// Sets the ids at the top, and in the metadata where these have some.
fn set_ids(body: &mut Value, scene: &str, project: &str) {
    for (member, id) in [("scene_id", scene), ("project_id", project)] {
        body[member] = json!(id);
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut)
            && metadata.contains_key(member)
        {
            metadata.insert(member.to_owned(), json!(id));
        }
    }
}

/// The URL without the token before the path of the webhook: `/w/<token>/api/…` becomes `/api/…`.
fn without_token(url: &str) -> String {
    let Some((base, rest)) = url.split_once("/w/") else {
        return url.to_owned();
    };
    match rest.split_once('/') {
        Some((_, path)) => format!("{base}/{path}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_be_left_out() {
        let plain = "http://a:1/api/webhooks/video-complete";
        assert_eq!(without_token("http://a:1/w/tok.en/api/webhooks/video-complete"), plain);
        assert_eq!(without_token(plain), plain);
    }

    #[test]
    fn ids_and_urls_are_replaced_at_every_depth() {
        let mut body = json!({"result": {"video_url": "http://a", "fps": 25}, "metadata": {"scene_id": "s", "x": 1}});
        set_ids(&mut body, "t", "p");
        remove_urls(&mut body, Stage::Video);
        let metadata = json!({"scene_id": "t", "x": 1});
        assert_eq!(body, json!({"result": {"fps": 25}, "metadata": metadata, "scene_id": "t", "project_id": "p"}));
    }
}
