//! The receiver: accepts every webhook, counts distinct ids, and checks the signatures of a sample.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use reelhook_signing::{SigningKeys, standard, streamgank};
use serde::Serialize;
use serde_json::{Value, json};

use crate::webhooks::now;

/// Path of the receiver.
pub const PATH: &str = "/hooks/load";
/// One of this many requests is checked: enough to find errors, too few to load the processor.
const SAMPLE: u64 = 100;

/// The receiver and its counts.
#[derive(Debug)]
pub struct Sink {
    keys: SigningKeys,
    body_bytes: usize,
    requests: AtomicU64,
    connections: AtomicU64,
    checked: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    wrong: u64,
    /// The problem of the first wrong webhook.
    first_problem: Option<String>,
}

/// Numbers of received webhooks.
#[derive(Debug, Serialize)]
pub struct Received {
    requests: u64,
    connections: u64,
    /// Webhooks with distinct ids.
    distinct: u64,
    /// Requests whose signatures were checked.
    checked: u64,
    /// Checked requests with an invalid signature, and requests without an id.
    wrong: u64,
    first_problem: Option<String>,
}

impl Sink {
    /// A receiver that expects bodies of this size.
    pub fn new(keys: SigningKeys, body_bytes: usize) -> Self {
        Self {
            keys,
            body_bytes,
            requests: AtomicU64::default(),
            connections: AtomicU64::default(),
            checked: AtomicU64::default(),
            seen: Mutex::default(),
        }
    }

    /// Counts a connection.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers so far.
    pub fn received(&self) -> Received {
        let seen = self.seen();
        Received {
            requests: self.requests.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            distinct: seen.ids.len() as u64,
            checked: self.checked.load(Ordering::Relaxed),
            wrong: seen.wrong,
            first_problem: seen.first_problem.clone(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no thread panics while it holds the lock")
    }

    fn accept(&self, headers: &HeaderMap, body: &[u8]) {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let id = header(headers, "webhook-id");
        let problem = match id {
            "" => Some("a webhook has no id".to_owned()),
            _ if count.is_multiple_of(SAMPLE) => self.check(headers, id, body).err(),
            _ => None,
        };
        let mut seen = self.seen();
        seen.ids.insert(id.to_owned());
        if let Some(problem) = problem {
            seen.wrong += 1;
            seen.first_problem.get_or_insert(problem);
        }
    }

    fn check(&self, headers: &HeaderMap, id: &str, body: &[u8]) -> Result<(), String> {
        self.checked.fetch_add(1, Ordering::Relaxed);
        if body.len() != self.body_bytes {
            return Err(format!("a body must have {} bytes (got {})", self.body_bytes, body.len()));
        }
        let (timestamp, signature) = (header(headers, "webhook-timestamp"), header(headers, "webhook-signature"));
        standard::verify(id, timestamp, signature, body, &self.keys, now().seconds())
            .map_err(|error| format!("a webhook-signature is invalid: {error}"))?;
        streamgank::verify_hex(body, header(headers, "x-streamgank-signature"), &self.keys)
            .map_err(|error| format!("an x-streamgank-signature is invalid: {error}"))?;
        Ok(())
    }
}

/// The only route.
pub fn routes(sink: Arc<Sink>) -> Router {
    Router::new().route(PATH, post(accept)).with_state(sink)
}

async fn accept(State(sink): State<Arc<Sink>>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    sink.accept(&headers, &body);
    Json(json!({ "ok": true }))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_signature_is_noticed() {
        let keys = || SigningKeys::parse("one").unwrap();
        let send = |sink: &Sink, signed_with: &SigningKeys| {
            let at = now().seconds();
            let mut headers = HeaderMap::new();
            let values = [
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", at.to_string()),
                ("webhook-signature", standard::sign("msg_1", at, b"{}", signed_with)),
                ("x-streamgank-signature", streamgank::signature(b"{}", signed_with)),
            ];
            for (name, value) in values {
                headers.insert(name, value.parse().unwrap());
            }
            sink.accept(&headers, b"{}");
            sink.received()
        };
        let received = send(&Sink::new(keys(), 2), &keys());
        assert_eq!((received.checked, received.wrong, received.distinct), (1, 0, 1), "{:?}", received.first_problem);
        assert_eq!(send(&Sink::new(keys(), 2), &SigningKeys::parse("other").unwrap()).wrong, 1);
        assert_eq!(send(&Sink::new(keys(), 3), &keys()).wrong, 1);
    }
}
