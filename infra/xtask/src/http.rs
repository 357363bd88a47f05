//! An HTTP client for small requests to programs on this machine.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use ureq::Agent;

use crate::visible;

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The ETag header.
    pub etag: Option<String>,
    /// The body; null if it is not JSON.
    pub body: Value,
}

/// A client of one base URL.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    key: String,
}

impl Client {
    /// A client that sends `key` as Bearer token, unless it is empty.
    pub fn new(base: &str, key: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A proxy cannot reach this machine's loopback.
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(35)));
        Self { agent: config.build().into(), base: base.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// GET, conditional on the ETag of a previous response if there is one.
    pub fn get(&self, path: &str, etag: Option<&str>) -> anyhow::Result<Response> {
        let mut request = self.agent.get(self.url(path));
        if !self.key.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.key));
        }
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag);
        }
        read(request.call().with_context(|| format!("GET {}", self.url(path)))?)
    }

    /// The body at a path; none if it is the same as at the call before, which has left its `etag`.
    pub fn changed(&self, path: &str, etag: &mut Option<String>) -> anyhow::Result<Option<Value>> {
        let answer = self.get(path, etag.as_deref())?;
        match answer.status {
            304 => Ok(None),
            200 => {
                *etag = answer.etag;
                Ok(Some(answer.body))
            }
            status => anyhow::bail!("GET {path} answered {status}: {}", answer.body),
        }
    }

    /// POST of a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        let mut request = self.agent.post(self.url(path)).header("Content-Type", "application/json");
        if !self.key.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.key));
        }
        read(request.send(body.to_string()).with_context(|| format!("POST {}", self.url(path)))?)
    }

    /// PUT of a file to a URL of this machine, which needs no key.
    pub fn upload(&self, url: &str, content_type: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = visible::line(url);
        let sent = self.agent.put(url).header("Content-Type", content_type).send(bytes);
        let response = sent.with_context(|| format!("PUT {shown}"))?;
        anyhow::ensure!(response.status().is_success(), "{shown} answered {}", response.status());
        Ok(())
    }

    /// The bytes at a URL of this machine.
    pub fn download(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let shown = visible::line(url);
        let response = self.agent.get(url).call().with_context(|| format!("GET {shown}"))?;
        anyhow::ensure!(response.status() == 200, "{shown} answered {}", response.status());
        let mut body = response.into_body();
        body.with_config().limit(1 << 30).read_to_vec().with_context(|| format!("read {shown}"))
    }

    /// Whether GET answers 200.
    pub fn is_up(&self, path: &str) -> bool {
        self.get(path, None).is_ok_and(|response| response.status == 200)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn read(response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Response> {
    let status = response.status().as_u16();
    let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    let text = body.with_config().limit(64 << 20).read_to_string().context("read the response's body")?;
    Ok(Response { status, etag, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
}
