//! Passes webhooks on to another receiver, with the headers and the bytes that came.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::request::Request;
use crate::api::{cause, client};
use crate::failure::Failure;

/// Reelhook waits for 30 s at most.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Headers of the connection, which are not passed on.
const OF_THE_CONNECTION: [&str; 6] = ["connection", "content-length", "expect", "host", "te", "transfer-encoding"];

/// Another receiver.
#[derive(Debug)]
pub struct Forward {
    http: Client,
    url: Url,
}

impl Forward {
    /// A receiver at a URL.
    ///
    /// # Errors
    /// If it is no http or https URL.
    pub fn new(url: Url) -> Result<Self, Failure> {
        match url.scheme() {
            "http" | "https" => Ok(Self { http: client(&url)?, url }),
            _ => Err(Failure::Usage("--forward-to must be an http or https URL".to_owned())),
        }
    }

    /// Sends a webhook on once; the status of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(&self, request: &Request) -> Result<u16, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str())) {
            let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
            if let Some((name, value)) = parsed {
                headers.append(name, value);
            }
        }
        let sent = self.http.post(self.url.clone()).headers(headers).body(request.body.clone()).timeout(TIMEOUT);
        match sent.send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(format!("{} can't be reached: {}", self.url, cause(&error))),
        }
    }
}
