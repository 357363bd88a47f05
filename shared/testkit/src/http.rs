//! The guarded client's place in tests: answers by a closure, and remembers what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_app::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use reelhook_app::webhooks::transport::{CloudWebhook, OutboundWebhook, WebhookTransport};
use serde_json::Value;

/// What a request gives.
pub type Answer = Result<OutboundResponse, OutboundError>;

type Script = Arc<dyn Fn(&OutboundRequest) -> Answer + Send + Sync>;

/// A client that asks a closure instead of the network.
pub struct ScriptedHttp {
    script: Mutex<Script>,
    requests: Mutex<Vec<OutboundRequest>>,
    cloud_requests: Mutex<Vec<CloudWebhook>>,
}

impl ScriptedHttp {
    /// Answers with `script`, which may look at the world and move its clock.
    pub fn new(script: impl Fn(&OutboundRequest) -> Answer + Send + Sync + 'static) -> Self {
        Self { script: Mutex::new(Arc::new(script)), requests: Mutex::default(), cloud_requests: Mutex::default() }
    }

    /// Answers each request with this status and an empty body.
    pub fn always(status: u16) -> Self {
        Self::new(move |_| Ok(response(status, "")))
    }

    /// Gives these answers one after the other, the last one for ever.
    pub fn each(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        let answers = Mutex::new(answers);
        Self::new(move |_| {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
        })
    }

    /// Answers with another closure from now on.
    pub fn script(&self, script: impl Fn(&OutboundRequest) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<OutboundRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// What was sent to services of AWS so far; they take everything.
    pub fn cloud_requests(&self) -> Vec<CloudWebhook> {
        self.cloud_requests.lock().unwrap().clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn only_request(&self) -> OutboundRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

#[async_trait]
impl WebhookTransport for ScriptedHttp {
    async fn deliver(&self, webhook: OutboundWebhook) -> Result<OutboundResponse, OutboundError> {
        match webhook {
            OutboundWebhook::Web(request) => self.send(request).await,
            OutboundWebhook::Cloud(webhook) => {
                self.cloud_requests.lock().unwrap().push(webhook);
                Ok(response(200, "taken"))
            }
        }
    }
}

#[async_trait]
impl HttpSender for ScriptedHttp {
    async fn send(&self, request: OutboundRequest) -> Answer {
        tokio::task::yield_now().await;
        self.requests.lock().unwrap().push(request.clone());
        // The lock is let go before the script runs: it may ask for more.
        let script = Arc::clone(&self.script.lock().unwrap());
        let answer = script(&request);
        tokio::task::yield_now().await;
        answer
    }
}

/// A response with a status and a body.
pub fn response(status: u16, body: impl Into<String>) -> OutboundResponse {
    OutboundResponse {
        status,
        headers: Vec::new(),
        body: Bytes::from(body.into()),
        truncated: false,
        cut_short: None,
        first_byte: Duration::from_millis(12),
        total: Duration::from_millis(34),
        peer: None,
    }
}

/// The response with one more header.
pub fn with_header(mut response: OutboundResponse, name: &str, value: &str) -> OutboundResponse {
    response.headers.push((name.to_owned(), value.to_owned()));
    response
}

/// A request's headers by name.
///
/// # Panics
/// When a name comes twice, which receivers read differently.
pub fn headers(request: &OutboundRequest) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in &request.headers {
        let before = headers.insert(name.to_lowercase(), value.clone());
        assert_eq!(before, None, "header `{name}` comes twice");
    }
    headers
}

/// The value of a request's header.
///
/// # Panics
/// When it is missing.
pub fn header(request: &OutboundRequest, name: &str) -> String {
    headers(request).remove(name).unwrap_or_else(|| panic!("no header `{name}` in {:?}", request.headers))
}

/// A request's body as JSON.
///
/// # Panics
/// When it is none.
pub fn body_of(request: &OutboundRequest) -> Value {
    serde_json::from_slice(&request.body).expect("the body is JSON")
}
