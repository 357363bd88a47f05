//! The proxy between functions and the emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header, response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::answers::{aws_json, dynamodb, refusal};
use crate::batch;
use crate::call::{Call, Service};
use crate::connection::{Connection, FaultyListener};
use crate::fault::Fault;
use crate::repeats::Write;
use crate::settings::{Injected, Settings};
use crate::upstream::{LARGEST_BODY, Upstream};

/// The path of the settings, here and at the emulator. No bucket has such a name.
const SETTINGS: &str = "/_faults";
/// Tells the emulator the hash of the body that was signed, where the proxy has shortened it.
const SIGNED_HASH: &str = "x-signed-content-sha256";
/// Tells the emulator how old the state of an index is that it answers with.
const INDEX_LAG: &str = "x-index-lag-ms";
/// The longest lag of an index. AWS names no bound, and a fraction of a second as the usual one.
const LONGEST_LAG_MS: u64 = 5_000;
/// The delay of an answer that a caller still waits for, at most.
const SHORT_DELAY_MS: u64 = 1_500;
/// The delay of an answer that no caller waits for: an attempt at DynamoDB or SQS has three seconds
/// (`shared/aws/src/clients.rs`).
const LONG_DELAY_MS: u64 = 3_200;

/// The proxy, and what it has injected.
struct Proxy {
    upstream: Upstream,
    injected: Mutex<Injected>,
}

/// Serves the functions' calls until the process is stopped.
///
/// # Errors
/// When the port is in use.
pub async fn serve(port: u16, emulator: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("bind 127.0.0.1:{port}"))?;
    let service = routes(emulator).into_make_service_with_connect_info::<Connection>();
    axum::serve(FaultyListener(listener), service).await.context("serve the functions' calls")
}

/// The routes of a proxy without faults.
fn routes(emulator: SocketAddr) -> Router {
    let proxy = Arc::new(Proxy { upstream: Upstream(emulator), injected: Mutex::default() });
    Router::new().route(SETTINGS, get(show).put(set)).fallback(call).with_state(proxy)
}

async fn show(State(proxy): State<Arc<Proxy>>) -> Response {
    let counted = serde_json::to_value(&*proxy.injected()).unwrap_or_default();
    let deliveries = proxy.emulator(Method::GET, Bytes::new()).await;
    answered(deliveries.map(|deliveries| shown(counted, deliveries)))
}

/// What was injected, with what the emulator did to deliveries.
fn shown(mut counted: Value, deliveries: Value) -> Response {
    counted["deliveries"] = deliveries;
    Json(counted).into_response()
}

/// Replaces the settings. The answer is what was injected under the earlier ones, up to the last call that met them.
async fn set(State(proxy): State<Arc<Proxy>>, body: Bytes) -> Response {
    let settings: Settings = match serde_json::from_slice(&body) {
        Ok(settings) => settings,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("faults: {error}\n")).into_response(),
    };
    let before = std::mem::replace(&mut *proxy.injected(), Injected::new(settings));
    let counted = serde_json::to_value(&before).unwrap_or_default();
    // The emulator takes the same settings, for messages and stream records.
    let deliveries = proxy.emulator(Method::PUT, body).await;
    answered(deliveries.map(|deliveries| shown(counted, deliveries)))
}

async fn call(
    State(proxy): State<Arc<Proxy>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (request, body) = request.into_parts();
    match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => answered(proxy.pass(request, body, &connection).await),
        Err(error) => (StatusCode::BAD_REQUEST, format!("faults: {error}\n")).into_response(),
    }
}

/// An answer, or that there is none.
pub fn answered(outcome: anyhow::Result<Response>) -> Response {
    outcome.unwrap_or_else(|error| {
        eprintln!("faults: {error:#}");
        (StatusCode::BAD_GATEWAY, format!("faults: {error:#}\n")).into_response()
    })
}

fn whole((answer, body): (response::Parts, Bytes)) -> Response {
    Response::from_parts(answer, Body::from(body))
}

impl Proxy {
    fn injected(&self) -> MutexGuard<'_, Injected> {
        self.injected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the emulator about its own faults.
    async fn emulator(&self, method: Method, body: Bytes) -> anyhow::Result<Value> {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(SETTINGS)
            .header(header::HOST, self.upstream.0.to_string());
        let (request, ()) = request.body(()).context("make a request")?.into_parts();
        let (answer, body) = self.upstream.send(request, body).await?;
        anyhow::ensure!(answer.status == StatusCode::OK, "the emulator answered {}", answer.status);
        serde_json::from_slice(&body).context("the emulator's answer is not JSON")
    }

    /// Passes a request on, or lets it meet a fault.
    async fn pass(&self, mut request: Parts, body: Bytes, connection: &Connection) -> anyhow::Result<Response> {
        let Some(call) = Call::read(&request) else { return self.upstream.send(request, body).await.map(whole) };
        let given: Value = match call.service {
            Service::S3 => Value::Null,
            _ => serde_json::from_slice(&body).unwrap_or_default(),
        };
        let write = Write::of(&call, &body);
        let met = self.injected().next(&call, &given, now_ms());
        let Some((fault, detail)) = met else {
            let answer = self.upstream.send(request, body).await?;
            self.injected().answered(&call, write, &answer.1);
            return Ok(whole(answer));
        };
        match fault {
            Fault::Slow => {
                let (answer, delay) = (self.upstream.send(request, body).await?, delay(detail));
                if delay < Duration::from_millis(LONG_DELAY_MS) {
                    self.injected().answered(&call, write, &answer.1);
                } else {
                    self.lost(write, answer.0.status);
                }
                sleep(delay).await;
                Ok(whole(answer))
            }
            Fault::LostAnswer => {
                let answer = self.upstream.send(request, body).await?;
                self.lost(write, answer.0.status);
                connection.close();
                Ok(whole(answer))
            }
            Fault::FailedAfterwards => {
                let (answer, _) = self.upstream.send(request, body).await?;
                self.lost(write, answer.status);
                Ok(refusal(fault, &call, &given, detail))
            }
            Fault::Internal | Fault::Unavailable | Fault::Throttled | Fault::Conflict | Fault::ErrorInside => {
                Ok(refusal(fault, &call, &given, detail))
            }
            Fault::Partly => self.partly(request, &body, &call, &given, detail).await,
            Fault::StaleIndex => {
                request.headers.insert(INDEX_LAG, HeaderValue::from(1 + detail % LONGEST_LAG_MS));
                self.upstream.send(request, body).await.map(whole)
            }
        }
    }

    /// Notes that the caller of a write does not get its answer.
    fn lost(&self, write: Option<Write>, status: StatusCode) {
        if status == StatusCode::OK {
            self.injected().lost(write);
        }
    }

    /// Lets the emulator carry out some entries of a batch, and answers that the others are not done.
    async fn partly(
        &self,
        mut request: Parts,
        body: &Bytes,
        call: &Call,
        given: &Value,
        detail: u64,
    ) -> anyhow::Result<Response> {
        let split = batch::split(&call.operation, given, detail).context("cut a batch in two")?;
        let mut done = Value::Null;
        if let Some(kept) = &split.kept {
            let shortened = padded(kept, body.len()).context("a part of a batch is longer than the batch")?;
            let hash = HeaderValue::from_str(&hex::encode(Sha256::digest(body))).context("write a hash")?;
            request.headers.insert(SIGNED_HASH, hash);
            let answer = self.upstream.send(request, shortened).await?;
            if answer.0.status != StatusCode::OK {
                return Ok(whole(answer));
            }
            done = serde_json::from_slice(&answer.1).context("the emulator's answer is not JSON")?;
        }
        let merged = split.merge(done);
        Ok(if call.service == Service::DynamoDb { dynamodb(200, merged) } else { aws_json(200, merged) })
    }
}

/// Unix time in milliseconds.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A quarter of slow answers comes when nobody waits for it.
fn delay(detail: u64) -> Duration {
    let more = (detail / 4) % SHORT_DELAY_MS;
    Duration::from_millis(if detail.is_multiple_of(4) { LONG_DELAY_MS + more / 2 } else { more })
}

/// JSON with spaces behind it: a body as long as the signed one needs no other `content-length`, which is signed too.
fn padded(value: &Value, length: usize) -> Option<Bytes> {
    let mut bytes = serde_json::to_vec(value).ok()?;
    if bytes.len() > length {
        return None;
    }
    bytes.resize(length, b' ');
    Some(bytes.into())
}

#[cfg(test)]
mod tests;
