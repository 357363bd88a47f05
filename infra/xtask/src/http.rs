//! Small HTTP requests to programs on this machine.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use ureq::Agent;

use crate::visible;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The ETag header.
    pub etag: Option<String>,
    /// The body; null where it is no JSON.
    pub body: Value,
}

/// Talks to one base URL.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    key: String,
}

impl Client {
    /// A client that sends `key`, if it is not empty.
    pub fn new(base: &str, key: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A proxy knows nothing of this machine's loopback.
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(35)));
        Self { agent: config.build().into(), base: base.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// GET, with the ETag of what is known already.
    pub fn get(&self, path: &str, etag: Option<&str>) -> anyhow::Result<Answer> {
        let mut request = self.agent.get(self.url(path));
        if !self.key.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.key));
        }
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag);
        }
        read(request.call().with_context(|| format!("GET {}", self.url(path)))?)
    }

    /// POST of a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let mut request = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        if !self.key.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.key));
        }
        read(request.send(body.to_string()).with_context(|| format!("POST {}", self.url(path)))?)
    }

    /// The bytes at a URL of this machine.
    pub fn download(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let shown = visible::line(url);
        let answer = self.agent.get(url).call().with_context(|| format!("GET {shown}"))?;
        anyhow::ensure!(answer.status() == 200, "{shown} answered {}", answer.status());
        let mut body = answer.into_body();
        body.with_config().limit(1 << 30).read_to_vec().with_context(|| format!("read {shown}"))
    }

    /// Whether GET answers 200.
    pub fn is_up(&self, path: &str) -> bool {
        self.get(path, None).is_ok_and(|answer| answer.status == 200)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn read(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    let status = answer.status().as_u16();
    let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let mut body = answer.into_body();
    let text = body.with_config().limit(64 << 20).read_to_string().context("read the answer")?;
    Ok(Answer { status, etag, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
}
