//! Webhook receivers: record the deliveries to /hooks/{name}, verify them, and respond as configured.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelhook_faults::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::bounded_log::{BoundedLog, now_ms};
use crate::config::{Config, Language};
use crate::external_verifier::VerifierProcess;
use crate::responses::{Problem, control_body};
use crate::verify::{ReceiverKeys, Secrets, Verification, header_texts};

const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
const DEFAULT_LIMIT: usize = 1_000;

/// One received delivery.
struct Delivery {
    name: String,
    at_ms: u64,
    url_path: String,
    headers: HeaderMap,
    body: Bytes,
    event: Option<String>,
    job_id: Option<String>,
    webhook_id: Option<String>,
    /// How many deliveries with this webhook-id were received before.
    repeat: u64,
    /// Status of the response; none if the headers were not sent completely.
    answered: Option<u16>,
    /// The receiver's own keys at that time.
    keys: Option<ReceiverKeys>,
    /// Empty until all verifiers have finished.
    verification: OnceLock<Verification>,
}

/// One receiver: its behaviour and its counts.
#[derive(Default)]
struct Hook {
    behaviour: Behaviour,
    /// Its own keys; none if it has the sender's secrets.
    keys: Option<ReceiverKeys>,
    /// Deliveries since the behaviour was set.
    handled: u64,
    received: u64,
    by_event: BTreeMap<String, u64>,
    by_webhook_id: HashMap<String, u64>,
    by_verifier: BTreeMap<&'static str, Tally>,
}

/// Results of one verifier. They are not added up: in Python, the documented sample refuses non-ASCII text.
#[derive(Clone, Copy, Default, Serialize)]
struct Tally {
    passed: u64,
    failed: u64,
}

#[derive(Default)]
struct Deliveries {
    log: BoundedLog<Delivery>,
    hooks: BTreeMap<String, Hook>,
}

/// The mock webhook receivers.
pub struct Receiver {
    config: Config,
    verifiers: Vec<VerifierProcess>,
    deliveries: Mutex<Deliveries>,
}

impl Receiver {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let verifiers = config.verify_with.iter();
        let verifiers = verifiers.map(|verifier| VerifierProcess::new(verifier, &config.verify_scripts));
        Ok(Self {
            config: config.clone(),
            verifiers: verifiers.collect::<anyhow::Result<_>>()?,
            deliveries: Mutex::default(),
        })
    }

    /// Replaces the behaviour of one receiver, as PUT /control/hooks/{name} does.
    ///
    /// # Errors
    /// Names the unknown member or the wrong value.
    pub fn set(&self, name: &str, settings: Value) -> Result<(), String> {
        let behaviour = Behaviour::parse(settings)?;
        let mut deliveries = self.deliveries();
        let hook = deliveries.hooks.entry(name.to_owned()).or_default();
        hook.behaviour = behaviour;
        hook.handled = 0;
        Ok(())
    }

    /// Gives one receiver its own keys, as PUT /control/hooks/{name}/secrets does; by default it has the sender's.
    fn set_keys(&self, name: &str, keys: ReceiverKeys) {
        let mut deliveries = self.deliveries();
        let hook = deliveries.hooks.entry(name.to_owned()).or_default();
        hook.keys = (!keys.secrets.is_empty()).then_some(keys);
    }

    /// The matching deliveries to one receiver: `{received, next, forgotten}`. The last is the number of deliveries to any
    /// receiver that the log has dropped.
    pub fn received(&self, name: &str, query: &ReceivedQuery) -> Value {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        let deliveries = self.deliveries();
        let matches = |delivery: &Delivery| {
            delivery.name == name
                && (query.event.is_none() || query.event == delivery.event)
                && (query.job_id.is_none() || query.job_id == delivery.job_id)
        };
        let mut found: Vec<(u64, &Arc<Delivery>)> = deliveries
            .log
            .since(query.since)
            .filter(|(_, delivery)| matches(delivery))
            .take(limit.saturating_add(1))
            .collect();
        let next = found.get(limit).map(|(index, _)| *index);
        found.truncate(limit);
        let received = found.into_iter().map(|(index, delivery)| delivery.to_json(index));
        json!({
            "received": received.collect::<Vec<_>>(),
            "next": next.unwrap_or(deliveries.log.next_index()),
            "forgotten": deliveries.log.forgotten(),
        })
    }

    /// The counts of one receiver, including deliveries that the log has dropped.
    pub fn summary(&self, name: &str) -> Value {
        let deliveries = self.deliveries();
        let empty = Hook::default();
        deliveries.hooks.get(name).unwrap_or(&empty).to_json(name)
    }

    /// Removes the deliveries and counts of one receiver; its behaviour and keys stay.
    pub fn clear(&self, name: &str) {
        let mut deliveries = self.deliveries();
        deliveries.log.remove(|delivery| delivery.name == name);
        if let Some(hook) = deliveries.hooks.get_mut(name) {
            let Hook { behaviour, keys, handled, .. } = std::mem::take(hook);
            *hook = Hook { behaviour, keys, handled, ..Hook::default() };
        }
    }

    /// The counts of every receiver.
    pub(crate) fn summaries(&self) -> Vec<Value> {
        let deliveries = self.deliveries();
        let hooks = deliveries.hooks.iter();
        hooks.map(|(name, hook)| hook.to_json(name)).collect()
    }

    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a delivery, and returns how to respond to it.
    fn record(&self, name: String, url_path: &str, headers: HeaderMap, body: Bytes) -> (Arc<Delivery>, Behaviour) {
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let event = event_of(&headers, &json);
        let job_id = job_of(&json);
        let webhook_id = header_text(&headers, "webhook-id");
        let mut deliveries = self.deliveries();
        let hook = deliveries.hooks.entry(name.clone()).or_default();
        let behaviour = hook.next_behaviour();
        let repeat = hook.count(event.as_deref(), webhook_id.as_deref());
        let keys = hook.keys.clone();
        let delivery = Delivery {
            name,
            at_ms: now_ms(),
            url_path: url_path.to_owned(),
            headers: deep_copy(&headers),
            event,
            job_id,
            webhook_id,
            repeat,
            answered: behaviour.status(),
            keys,
            verification: OnceLock::new(),
            body: Bytes::copy_from_slice(&body),
        };
        let (_, delivery) = deliveries.log.push(delivery.body.len(), delivery);
        (delivery, behaviour)
    }

    /// Runs every verifier, concurrently with the response.
    async fn verify(self: Arc<Self>, delivery: Arc<Delivery>) {
        let secrets = self.config.secret_of(&delivery.name).and_then(Secrets::parse);
        let verification = match (&delivery.keys, &secrets) {
            (Some(keys), _) => self.verify_with_keys(keys, &delivery).await,
            (None, Some(secrets)) => self.verify_with_secrets(secrets, &delivery).await,
            (None, None) => Verification::default(),
        };
        if let Some(hook) = self.deliveries().hooks.get_mut(&delivery.name) {
            for (verifier, ok) in verification.outcomes() {
                let tally = hook.by_verifier.entry(verifier).or_default();
                match ok {
                    true => tally.passed += 1,
                    false => tally.failed += 1,
                }
            }
        }
        // Only one task verifies a delivery, so nothing was set before.
        let _ = delivery.verification.set(verification);
    }

    /// Verifies with each secret and each public key separately.
    async fn verify_with_keys(&self, keys: &ReceiverKeys, delivery: &Delivery) -> Verification {
        let mut verification = keys.verify(&delivery.headers, &delivery.body);
        let mut request = delivery.verifier_request(&keys.secrets[0]);
        request["secrets"] = json!(keys.secrets);
        if !keys.public_keys.is_empty() {
            request["public_keys"] = json!(keys.public_keys);
        }
        // Only the newest secret makes X-StreamGank-Signature, which other checks verify.
        if let Some(headers) = request["headers"].as_object_mut() {
            headers.remove("x-streamgank-signature");
        }
        for process in &self.verifiers {
            let check = Some(process.verify(&request).await);
            match process.language {
                Language::Node => verification.node = check,
                Language::Python => verification.python = check,
            }
        }
        verification
    }

    async fn verify_with_secrets(&self, secrets: &Secrets, delivery: &Delivery) -> Verification {
        let mut verification = secrets.verify(&delivery.headers, &delivery.body);
        for process in &self.verifiers {
            let mut found = None;
            // A receiver has one secret; the sender signs with several during a rotation.
            for secret in secrets.each() {
                let check = process.verify(&delivery.verifier_request(secret)).await;
                let ok = check.ok;
                found = Some(check);
                if ok {
                    break;
                }
            }
            match process.language {
                Language::Node => verification.node = found,
                Language::Python => verification.python = found,
            }
        }
        verification
    }
}

impl Hook {
    fn next_behaviour(&mut self) -> Behaviour {
        self.handled += 1;
        match self.behaviour.times {
            Some(times) if self.handled > times => Behaviour::default(),
            _ => self.behaviour.clone(),
        }
    }

    /// Counts a delivery, and returns how many with the same id were received before.
    fn count(&mut self, event: Option<&str>, webhook_id: Option<&str>) -> u64 {
        self.received += 1;
        let event = event.unwrap_or("none").to_owned();
        *self.by_event.entry(event).or_default() += 1;
        let Some(id) = webhook_id else {
            return 0;
        };
        let times = self.by_webhook_id.entry(id.to_owned()).or_default();
        *times += 1;
        *times - 1
    }

    fn to_json(&self, name: &str) -> Value {
        let distinct = self.by_webhook_id.len() as u64;
        let with_id: u64 = self.by_webhook_id.values().sum();
        json!({
            "name": name,
            "received": self.received,
            "by_event": self.by_event,
            "by_webhook_id": self.by_webhook_id,
            "distinct_webhook_ids": distinct,
            "repeats": with_id - distinct,
            "verified": self.by_verifier,
        })
    }
}

impl Delivery {
    fn to_json(&self, index: u64) -> Value {
        json!({
            "index": index,
            "name": self.name,
            "at_ms": self.at_ms,
            "url_path": self.url_path,
            "headers": header_texts(&self.headers),
            "body_base64": STANDARD.encode(&self.body),
            "body": serde_json::from_slice::<Value>(&self.body).unwrap_or(Value::Null),
            "event": self.event,
            "webhook_id": self.webhook_id,
            "repeat": self.repeat,
            "answered": self.answered,
            "verification": self.verification.get(),
        })
    }

    /// The input line of verify.mjs and verify.py.
    fn verifier_request(&self, secret: &str) -> Value {
        json!({
            "url_path": self.url_path,
            "headers": header_texts(&self.headers),
            "body_base64": STANDARD.encode(&self.body),
            "secret": secret,
        })
    }
}

/// A deep copy: header values, like bodies, are slices of the connection's buffer and would keep all of it in memory.
fn deep_copy(headers: &HeaderMap) -> HeaderMap {
    let values = headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_str().as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    let mut copy = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in values {
        copy.append(name, value);
    }
    copy
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The event in StreamGank's envelope, else in the header of StreamGank or VidBuilder, else in the payload of Standard
/// Webhooks. A notification of VidBuilder has a `type` too, which is the video's.
fn event_of(headers: &HeaderMap, body: &Value) -> Option<String> {
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    member("event")
        .or_else(|| header_text(headers, "x-streamgank-event"))
        .or_else(|| header_text(headers, "x-webhook-event"))
        .or_else(|| member("type"))
}

/// The job id in a body of StreamGank or VidBuilder.
fn job_of(body: &Value) -> Option<String> {
    body.pointer("/data/job_id").or_else(|| body.get("jobId")).and_then(Value::as_str).map(str::to_owned)
}

/// Filters of a list of deliveries.
#[derive(Debug, Default, Deserialize)]
pub struct ReceivedQuery {
    /// Index of the first delivery.
    #[serde(default)]
    pub since: u64,
    /// Only deliveries of this event.
    pub event: Option<String>,
    /// Only deliveries about this job.
    pub job_id: Option<String>,
    /// Maximum number of deliveries.
    pub limit: Option<usize>,
}

pub(crate) fn routes(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/hooks/{name}", post(receive))
        .route("/hooks/{name}/received", get(list_received).delete(clear_received))
        .route("/hooks/{name}/summary", get(show_summary))
        .route("/control/hooks/{name}", put(put_behaviour).merge(get(get_behaviour)))
        .route("/control/hooks/{name}/secrets", put(put_secrets))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(receiver)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (delivery, behaviour) = receiver.record(name, uri.path(), headers, body);
    tokio::spawn(receiver.verify(delivery));
    behaviour.respond(connection).await
}

async fn list_received(
    State(receiver): State<Arc<Receiver>>,
    Path(name): Path<String>,
    Query(query): Query<ReceivedQuery>,
) -> Json<Value> {
    Json(receiver.received(&name, &query))
}

async fn clear_received(State(receiver): State<Arc<Receiver>>, Path(name): Path<String>) -> StatusCode {
    receiver.clear(&name);
    StatusCode::NO_CONTENT
}

async fn show_summary(State(receiver): State<Arc<Receiver>>, Path(name): Path<String>) -> Json<Value> {
    Json(receiver.summary(&name))
}

async fn put_behaviour(
    State(receiver): State<Arc<Receiver>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let settings: Value = control_body(&body)?;
    receiver.set(&name, settings).map_err(Problem::bad_request)?;
    Ok(get_behaviour(State(receiver), Path(name)).await)
}

async fn put_secrets(
    State(receiver): State<Arc<Receiver>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let keys: ReceiverKeys = serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))?;
    receiver.set_keys(&name, keys);
    Ok(StatusCode::NO_CONTENT)
}

async fn get_behaviour(State(receiver): State<Arc<Receiver>>, Path(name): Path<String>) -> Json<Value> {
    let deliveries = receiver.deliveries();
    let behaviour = deliveries.hooks.get(&name).map(|hook| hook.behaviour.clone());
    Json(json!(behaviour.unwrap_or_default()))
}
