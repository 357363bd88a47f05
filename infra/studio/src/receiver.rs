//! Webhook receivers: keep what arrives at /hooks/{name}, verify it, and answer as told.

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
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answers::{Problem, control_body};
use crate::behaviour::Behaviour;
use crate::config::{Config, Language};
use crate::faults::Connection;
use crate::kept::{Kept, now_ms};
use crate::outside::OutsideProcess;
use crate::verify::{Held, Secrets, Verification, header_texts};

const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
const LISTED: usize = 1_000;

/// One delivery as it came.
struct Arrival {
    name: String,
    at_ms: u64,
    url_path: String,
    headers: HeaderMap,
    body: Bytes,
    event: Option<String>,
    job_id: Option<String>,
    webhook_id: Option<String>,
    /// How many deliveries with this webhook-id came before.
    repeat: u64,
    /// The status it was answered; none where no whole head was sent.
    answered: Option<u16>,
    /// The secrets that its receiver held then.
    held: Option<Held>,
    /// Empty until all verifiers are done.
    verification: OnceLock<Verification>,
}

/// One receiver: how it answers and what it counted.
#[derive(Default)]
struct Hook {
    behaviour: Behaviour,
    /// Its own secrets, where it does not hold the sender's.
    held: Option<Held>,
    /// Deliveries since the behaviour was set.
    behaved: u64,
    received: u64,
    by_event: BTreeMap<String, u64>,
    by_webhook_id: HashMap<String, u64>,
    by_verifier: BTreeMap<&'static str, Tally>,
}

/// What one verifier found. In Python seed 001's sample refuses text beyond ASCII, so verifiers are not summed up.
#[derive(Clone, Copy, Default, Serialize)]
struct Tally {
    passed: u64,
    failed: u64,
}

#[derive(Default)]
struct Arrivals {
    kept: Kept<Arrival>,
    hooks: BTreeMap<String, Hook>,
}

/// The stand-in for everybody who receives our webhooks.
pub struct Receiver {
    config: Config,
    outside: Vec<OutsideProcess>,
    arrivals: Mutex<Arrivals>,
}

impl Receiver {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let outside = config.verify_with.iter();
        let outside = outside.map(|verifier| OutsideProcess::new(verifier, &config.verify_scripts));
        Ok(Self {
            config: config.clone(),
            outside: outside.collect::<anyhow::Result<_>>()?,
            arrivals: Mutex::default(),
        })
    }

    /// Replaces how one receiver answers, as PUT /control/hooks/{name} does.
    ///
    /// # Errors
    /// A sentence that names the unknown member or the wrong value.
    pub fn set(&self, name: &str, settings: Value) -> Result<(), String> {
        let behaviour = Behaviour::parse(settings)?;
        let mut arrivals = self.arrivals();
        let hook = arrivals.hooks.entry(name.to_owned()).or_default();
        hook.behaviour = behaviour;
        hook.behaved = 0;
        Ok(())
    }

    /// Gives one receiver secrets of its own, as PUT /control/hooks/{name}/secrets does; without any it holds the sender's.
    fn hold(&self, name: &str, held: Held) {
        let mut arrivals = self.arrivals();
        let hook = arrivals.hooks.entry(name.to_owned()).or_default();
        hook.held = (!held.secrets.is_empty()).then_some(held);
    }

    /// What arrived at one receiver and is wanted: `{received, next}`.
    pub fn received(&self, name: &str, query: &ReceivedQuery) -> Value {
        let limit = query.limit.unwrap_or(LISTED);
        let arrivals = self.arrivals();
        let wanted = |arrival: &Arrival| {
            arrival.name == name
                && (query.event.is_none() || query.event == arrival.event)
                && (query.job_id.is_none() || query.job_id == arrival.job_id)
        };
        let mut found: Vec<(u64, &Arc<Arrival>)> = arrivals
            .kept
            .since(query.since)
            .filter(|(_, arrival)| wanted(arrival))
            .take(limit.saturating_add(1))
            .collect();
        let next = found.get(limit).map(|(index, _)| *index);
        found.truncate(limit);
        let received = found.into_iter().map(|(index, arrival)| arrival.to_json(index));
        json!({
            "received": received.collect::<Vec<_>>(),
            "next": next.unwrap_or(arrivals.kept.next_index()),
        })
    }

    /// Counts of all that ever arrived at one receiver, also of what is no longer kept.
    pub fn summary(&self, name: &str) -> Value {
        let arrivals = self.arrivals();
        let nothing = Hook::default();
        arrivals.hooks.get(name).unwrap_or(&nothing).to_json(name)
    }

    /// Forgets what arrived at one receiver; its behaviour stays.
    pub fn clear(&self, name: &str) {
        let mut arrivals = self.arrivals();
        arrivals.kept.remove(|arrival| arrival.name == name);
        if let Some(hook) = arrivals.hooks.get_mut(name) {
            let Hook { behaviour, held, behaved, .. } = std::mem::take(hook);
            *hook = Hook { behaviour, held, behaved, ..Hook::default() };
        }
    }

    /// Every receiver's counts.
    pub(crate) fn summaries(&self) -> Vec<Value> {
        let arrivals = self.arrivals();
        let hooks = arrivals.hooks.iter();
        hooks.map(|(name, hook)| hook.to_json(name)).collect()
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a delivery and says how to answer it.
    fn keep(&self, name: String, url_path: &str, headers: HeaderMap, body: Bytes) -> (Arc<Arrival>, Behaviour) {
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let event = event_of(&headers, &json);
        let job_id = job_of(&json);
        let webhook_id = header_text(&headers, "webhook-id");
        let mut arrivals = self.arrivals();
        let hook = arrivals.hooks.entry(name.clone()).or_default();
        let behaviour = hook.behave();
        let repeat = hook.count(event.as_deref(), webhook_id.as_deref());
        let held = hook.held.clone();
        let arrival = Arrival {
            name,
            at_ms: now_ms(),
            url_path: url_path.to_owned(),
            headers: own_copy(&headers),
            event,
            job_id,
            webhook_id,
            repeat,
            answered: behaviour.status(),
            held,
            verification: OnceLock::new(),
            body: Bytes::copy_from_slice(&body),
        };
        let (_, arrival) = arrivals.kept.push(arrival.body.len(), arrival);
        (arrival, behaviour)
    }

    /// Asks every verifier; runs beside the answer.
    async fn verify(self: Arc<Self>, arrival: Arc<Arrival>) {
        let secrets = self.config.secret_of(&arrival.name).and_then(Secrets::parse);
        let verification = match (&arrival.held, &secrets) {
            (Some(held), _) => self.verify_held(held, &arrival).await,
            (None, Some(secrets)) => self.verify_with(secrets, &arrival).await,
            (None, None) => Verification::default(),
        };
        if let Some(hook) = self.arrivals().hooks.get_mut(&arrival.name) {
            for (verifier, ok) in verification.outcomes() {
                let tally = hook.by_verifier.entry(verifier).or_default();
                match ok {
                    true => tally.passed += 1,
                    false => tally.failed += 1,
                }
            }
        }
        // One task verifies an arrival, so nothing was set before.
        let _ = arrival.verification.set(verification);
    }

    /// Each secret and each public key alone.
    async fn verify_held(&self, held: &Held, arrival: &Arrival) -> Verification {
        let mut verification = held.verify(&arrival.headers, &arrival.body);
        let mut delivery = arrival.for_outside(&held.secrets[0]);
        delivery["secrets"] = json!(held.secrets);
        if !held.public_keys.is_empty() {
            delivery["public_keys"] = json!(held.public_keys);
        }
        // The newest secret alone makes seed 001's header, which is checked elsewhere.
        if let Some(headers) = delivery["headers"].as_object_mut() {
            headers.remove("x-streamgank-signature");
        }
        for process in &self.outside {
            let check = Some(process.verify(&delivery).await);
            match process.language {
                Language::Node => verification.node = check,
                Language::Python => verification.python = check,
            }
        }
        verification
    }

    async fn verify_with(&self, secrets: &Secrets, arrival: &Arrival) -> Verification {
        let mut verification = secrets.verify(&arrival.headers, &arrival.body);
        for process in &self.outside {
            let mut found = None;
            // A receiver has one secret; the sender may sign with several while they rotate.
            for secret in secrets.each() {
                let check = process.verify(&arrival.for_outside(secret)).await;
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
    fn behave(&mut self) -> Behaviour {
        self.behaved += 1;
        match self.behaviour.times {
            Some(times) if self.behaved > times => Behaviour::default(),
            _ => self.behaviour.clone(),
        }
    }

    /// Counts a delivery and returns how many of the same id came before.
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

impl Arrival {
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

    /// The line that verify.mjs and verify.py read.
    fn for_outside(&self, secret: &str) -> Value {
        json!({
            "url_path": self.url_path,
            "headers": header_texts(&self.headers),
            "body_base64": STANDARD.encode(&self.body),
            "secret": secret,
        })
    }
}

/// Header values (like bodies) are slices of the connection's buffer and would keep all of it.
fn own_copy(headers: &HeaderMap) -> HeaderMap {
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

/// The event as the body names it, else as the header of StreamGank or VidBuilder does.
fn event_of(headers: &HeaderMap, body: &Value) -> Option<String> {
    let named = body.get("event").and_then(Value::as_str).map(str::to_owned);
    named.or_else(|| header_text(headers, "x-streamgank-event")).or_else(|| header_text(headers, "x-webhook-event"))
}

/// The job that a body is about, as StreamGank or VidBuilder names it.
fn job_of(body: &Value) -> Option<String> {
    body.pointer("/data/job_id").or_else(|| body.get("jobId")).and_then(Value::as_str).map(str::to_owned)
}

/// Which deliveries a listing shall show.
#[derive(Debug, Default, Deserialize)]
pub struct ReceivedQuery {
    /// The index of the first.
    #[serde(default)]
    pub since: u64,
    /// Those of one event only.
    pub event: Option<String>,
    /// Those about one job only.
    pub job_id: Option<String>,
    /// How many at most.
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
    let (arrival, behaviour) = receiver.keep(name, uri.path(), headers, body);
    tokio::spawn(receiver.verify(arrival));
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
    let held: Held = serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))?;
    receiver.hold(&name, held);
    Ok(StatusCode::NO_CONTENT)
}

async fn get_behaviour(State(receiver): State<Arc<Receiver>>, Path(name): Path<String>) -> Json<Value> {
    let arrivals = receiver.arrivals();
    let behaviour = arrivals.hooks.get(&name).map(|hook| hook.behaviour.clone());
    Json(json!(behaviour.unwrap_or_default()))
}
