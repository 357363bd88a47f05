//! The receiver: takes every webhook, knows them apart, and checks the signatures of some.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use reelhook_signing::{SigningKeys, standard, streamgank};
use serde::Serialize;
use serde_json::{Value, json};

use crate::stand_ins::Shared;
use crate::webhooks::now;

/// Where webhooks go.
pub const PATH: &str = "/hooks/load";
/// Of so many requests one is checked: enough to notice, too few to keep the processor busy.
const SAMPLE: u64 = 100;

/// What the receiver has seen.
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
    /// What was wrong with the first.
    complaint: Option<String>,
}

/// The same as numbers.
#[derive(Debug, Serialize)]
pub struct Received {
    requests: u64,
    connections: u64,
    /// Webhooks with different ids.
    distinct: u64,
    /// Requests whose signatures were checked.
    checked: u64,
    /// Of these, or without an id, those that no receiver would take.
    wrong: u64,
    complaint: Option<String>,
}

impl Sink {
    /// A receiver of bodies of this size.
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

    /// What it has seen by now.
    pub fn received(&self) -> Received {
        let seen = self.seen.lock().expect("nobody panics with it");
        Received {
            requests: self.requests.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            distinct: seen.ids.len() as u64,
            checked: self.checked.load(Ordering::Relaxed),
            wrong: seen.wrong,
            complaint: seen.complaint.clone(),
        }
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let id = header(headers, "webhook-id");
        let complaint = match id {
            "" => Some("a webhook has no id".to_owned()),
            _ if count.is_multiple_of(SAMPLE) => self.check(headers, id, body).err(),
            _ => None,
        };
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.ids.insert(id.to_owned());
        if let Some(complaint) = complaint {
            seen.wrong += 1;
            seen.complaint.get_or_insert(complaint);
        }
    }

    fn check(&self, headers: &HeaderMap, id: &str, body: &[u8]) -> Result<(), String> {
        self.checked.fetch_add(1, Ordering::Relaxed);
        if body.len() != self.body_bytes {
            return Err(format!("a body has {} bytes, not {}", body.len(), self.body_bytes));
        }
        let (timestamp, signature) = (header(headers, "webhook-timestamp"), header(headers, "webhook-signature"));
        standard::verify(id, timestamp, signature, body, &self.keys, now().seconds())
            .map_err(|error| format!("a webhook-signature is refused: {error}"))?;
        streamgank::verify_hex(body, header(headers, "x-streamgank-signature"), &self.keys)
            .map_err(|error| format!("an x-streamgank-signature is refused: {error}"))?;
        Ok(())
    }
}

/// Its only route.
pub fn routes(shared: Shared) -> Router {
    Router::new().route(PATH, post(take)).with_state(shared)
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    shared.sink.take(&headers, &body);
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
            sink.take(&headers, b"{}");
            sink.received()
        };
        let received = send(&Sink::new(keys(), 2), &keys());
        assert_eq!((received.checked, received.wrong, received.distinct), (1, 0, 1), "{:?}", received.complaint);
        assert_eq!(send(&Sink::new(keys(), 2), &SigningKeys::parse("other").unwrap()).wrong, 1);
        assert_eq!(send(&Sink::new(keys(), 3), &keys()).wrong, 1);
    }
}
