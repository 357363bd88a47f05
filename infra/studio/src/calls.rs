//! Calls that the stand-ins make to Reelhook: one client, 5 seconds, no second try (like the real ones).

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::http::HeaderMap;
use serde::Serialize;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of an answer that are kept.
const KEPT_ANSWER: usize = 64_000;

/// The client for all calls.
#[derive(Clone)]
pub(crate) struct Caller {
    client: reqwest::Client,
}

/// What came back from one call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    /// None where no answer came.
    pub http_status: Option<u16>,
    /// The beginning of the body.
    pub answer: String,
    /// Why no answer came.
    pub error: Option<String>,
    pub duration_ms: u64,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Caller {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // An error means that somebody in this process has installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Only loopback is called, over http: no certificates to read.
            .tls_certs_only([])
            .build()
            .context("build the http client")?;
        Ok(Self { client })
    }

    /// Posts a JSON body once.
    pub(crate) async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Answer {
        let start = Instant::now();
        let (http_status, answer, error) = match self.exchange(url, headers, body).await {
            Ok((status, answer)) => (Some(status), answer, None),
            // The URL may hold a callback token, so it stays out of the text.
            Err(error) => (None, String::new(), Some(sentence(&error.without_url()))),
        };
        Answer { http_status, answer, error, duration_ms: start.elapsed().as_millis() as u64 }
    }

    async fn exchange(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> reqwest::Result<(u16, String)> {
        let response =
            self.client.post(url).header("content-type", "application/json").headers(headers).body(body).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, text.chars().take(KEPT_ANSWER).collect()))
    }
}

fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
