//! Calls from the mock services to Reelhook: a timeout of 5 s and no retries, like the real services. Downloads follow
//! redirects.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::HeaderMap;
use reqwest::redirect::Policy;
use serde::Serialize;

const TIMEOUT: Duration = Duration::from_secs(5);
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 5;
/// Maximum of recorded characters of a response.
const MAX_RECORDED_CHARS: usize = 64_000;

/// The clients for all calls.
#[derive(Clone)]
pub(crate) struct Caller {
    client: reqwest::Client,
    downloads: reqwest::Client,
}

/// The outcome of one call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CallOutcome {
    /// Status of the response; none if there was none.
    pub http_status: Option<u16>,
    /// The beginning of the response's body.
    pub answer: String,
    /// Why there was no response.
    pub error: Option<String>,
    pub duration_ms: u64,
}

impl CallOutcome {
    pub(crate) fn is_success(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Caller {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // An error means that a provider is already installed in this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            client: client(TIMEOUT, Policy::none())?,
            downloads: client(DOWNLOAD_TIMEOUT, Policy::limited(MAX_REDIRECTS))?,
        })
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// There is no answer, or its status is no success.
    pub(crate) async fn get(&self, url: &str) -> Result<Bytes, String> {
        let download = async { self.downloads.get(url).send().await?.error_for_status()?.bytes().await };
        // The URL may be a signed link, so the text leaves it out.
        download.await.map_err(|error: reqwest::Error| with_causes(&error.without_url()))
    }

    /// Posts a JSON body, without retries.
    pub(crate) async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> CallOutcome {
        let start = Instant::now();
        let (http_status, answer, error) = match self.exchange(url, headers, body).await {
            Ok((status, answer)) => (Some(status), answer, None),
            // The URL may contain a callback token, so the text leaves it out.
            Err(error) => (None, String::new(), Some(with_causes(&error.without_url()))),
        };
        CallOutcome { http_status, answer, error, duration_ms: start.elapsed().as_millis() as u64 }
    }

    async fn exchange(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> reqwest::Result<(u16, String)> {
        let response =
            self.client.post(url).header("content-type", "application/json").headers(headers).body(body).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, text.chars().take(MAX_RECORDED_CHARS).collect()))
    }
}

fn client(timeout: Duration, redirects: Policy) -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(redirects)
        // All calls are plain http on loopback: no certificates are needed.
        .tls_certs_only([])
        .build()
        .context("build the http client")
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
