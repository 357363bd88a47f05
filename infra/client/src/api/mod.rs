//! The API: requests with the key, attempts that may be repeated, and answers in the API's own words.

use std::error::Error;
use std::time::Duration;

use reelhook_terminal::{ui, visible};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::config::{Connection, is_this_machine};
use crate::failure::{Failure, Refusal};

pub mod events;
pub mod upload;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long nothing may arrive: a stream has a heartbeat every 15 s, and a request for a video waits for 25 s.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an answer may take until its last byte: one that comes byte by byte never ends by the time between them.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a request is sent at most.
const ATTEMPTS: u32 = 4;
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// An answer has at most this many bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The API of a stack.
#[derive(Debug)]
pub struct Api {
    http: Client,
    url: Url,
    stream_url: Url,
    key: Option<HeaderValue>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    idempotency_key: Option<String>,
    etag: Option<HeaderValue>,
    /// Whether it may be sent again after an answer that was lost.
    is_repeatable: bool,
}

/// An answer that is no error.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its `ETag`.
    pub etag: Option<HeaderValue>,
    /// The body; null if there is none.
    pub body: Value,
}

impl Call {
    /// Reads something.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
            etag: None,
            is_repeatable: true,
        }
    }

    /// A command, which is not sent again after an answer that was lost.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), is_repeatable: false, ..Self::get(path) }
    }

    /// A change that has the same result when it is sent again.
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::get(path) }
    }

    /// A removal.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, is_repeatable: false, ..Self::get(path) }
    }

    /// A creation that the API recognises when it is sent again.
    pub fn create(path: impl Into<String>, body: Value, idempotency_key: &str) -> Self {
        let idempotency_key = Some(idempotency_key.to_owned());
        Self { idempotency_key, is_repeatable: true, ..Self::post(path, body) }
    }

    /// A command that changes nothing when it is sent again.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// With a parameter, if it has a value.
    pub fn with(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.query.extend(value.map(|value| (name, value.into())));
        self
    }

    /// Only if something has changed since this `ETag`.
    pub fn since(self, etag: Option<HeaderValue>) -> Self {
        Self { etag, ..self }
    }
}

impl Api {
    /// The API behind a connection.
    pub fn new(connection: Connection) -> Result<Self, Failure> {
        let Connection { url, key, stream_url } = connection;
        let stream_url = stream_url.unwrap_or_else(|| url.clone());
        let http = client(&url)?;
        let key = key.as_ref().map(bearer).transpose()?;
        Ok(Self { http, url, stream_url, key })
    }

    /// Reads something: the body of the answer.
    pub async fn get(&self, path: impl Into<String>) -> Result<Value, Failure> {
        Ok(self.send(Call::get(path)).await?.body)
    }

    /// Sends a request until it has an answer, within limits. 304 is an answer without a body.
    ///
    /// # Errors
    /// [`Failure::Refused`] for an error of the API, [`Failure::Unavailable`] without an answer.
    pub async fn send(&self, call: Call) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            let (failure, wait) = match self.request(&call)?.timeout(ANSWER_TIMEOUT).send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let named = retry_after(response.headers());
                    let etag = response.headers().get(ETAG).cloned();
                    match read(response).await {
                        Ok(Some(body)) if status < 300 || status == 304 => return Ok(Answer { status, etag, body }),
                        // A page, for example of a network that wants a sign-in: nothing is known of the request.
                        Ok(None) if status < 300 => return Err(self.no_json()),
                        Ok(body) => {
                            let refusal = Refusal::read(status, &body.unwrap_or_default());
                            // The limits of calls are checked before anything happens.
                            let may_repeat = refusal.is_ours() && (status == 429 || call.is_repeatable);
                            match may_repeat {
                                true => (Failure::Refused(refusal), named),
                                false => return Err(Failure::Refused(refusal)),
                            }
                        }
                        Err(failure) if call.is_repeatable => (failure, None),
                        Err(failure) => return Err(failure),
                    }
                }
                // A connection that was not made has sent nothing.
                Err(error) if call.is_repeatable || error.is_connect() => (self.unreachable(&error), None),
                Err(error) => return Err(self.unreachable(&error)),
            };
            if attempt == ATTEMPTS {
                return Err(failure);
            }
            let wait = wait.unwrap_or_default().max(backoff(attempt));
            ui::say(format!("{failure}; next attempt in {}", ui::seconds(wait)));
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Opens a stream of events after a position.
    pub async fn open_stream(&self, path: &str, position: Option<&str>) -> Result<Response, reqwest::Error> {
        let url = joined(&self.stream_url, path);
        let mut request = self.http.get(url).header("Accept", "text/event-stream");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        if let Some(position) = position {
            request = request.header("Last-Event-ID", position);
        }
        request.send().await
    }

    /// Opens a link of an answer, which may lead to other servers. Only the API gets the key.
    pub async fn open_link(&self, url: &Url, headers: HeaderMap) -> Result<Response, reqwest::Error> {
        let mut request = self.http.get(url.clone()).headers(headers);
        if let Some(key) = self.key.as_ref().filter(|_| url.origin() == self.url.origin()) {
            request = request.header(AUTHORIZATION, key.clone());
        }
        request.send().await
    }

    /// The URL of a link in an answer.
    pub fn link(&self, link: &str) -> Result<Url, Failure> {
        let url = self.url.join(link).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| {
            Failure::Unavailable(format!("the answer has a link that is no URL: {}", visible::line(link)))
        })
    }

    /// The address of the API, to be shown.
    pub fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, Failure> {
        let mut url = joined(&self.url, &call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        if let Some(etag) = &call.etag {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        if let Some(key) = &call.idempotency_key {
            let key = HeaderValue::from_str(key);
            let key = key.map_err(|_| Failure::Usage("an idempotency key has visible ASCII characters".to_owned()))?;
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        Ok(request)
    }

    fn no_json(&self) -> Failure {
        Failure::Unavailable(format!("{} answered with something else than JSON: is the API there?", self.address()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        Failure::Unavailable(format!("{} can't be reached: {}", self.address(), cause(error)))
    }
}

/// A client for an address.
pub fn client(url: &Url) -> Result<Client, Failure> {
    built(builder(url).read_timeout(READ_TIMEOUT))
}

/// A client that sends large bodies: the time of reading begins with the request, and may end before a body has gone.
fn sender(url: &Url) -> Result<Client, Failure> {
    built(builder(url))
}

/// A proxy cannot reach this machine's loopback.
fn builder(url: &Url) -> ClientBuilder {
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("reelhook/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT);
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    builder
}

fn built(builder: ClientBuilder) -> Result<Client, Failure> {
    // It reads the certificates of the system.
    builder.build().map_err(|error| Failure::Usage(format!("HTTPS can't be used here: {}", cause(&error))))
}

/// The header with the key, which is never logged.
fn bearer(key: &SecretString) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()));
    let mut value = value.map_err(|_| Failure::Usage("the key has characters that no key can have".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A path below an address.
fn joined(url: &Url, path: &str) -> Url {
    let mut joined = url.clone();
    joined.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    joined
}

/// The JSON of an answer: null if it is empty, none if it is something else.
async fn read(mut response: Response) -> Result<Option<Value>, Failure> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(Failure::Unavailable("an answer has more than 64 MiB".to_owned())),
            Ok(None) if bytes.is_empty() => return Ok(Some(Value::Null)),
            Ok(None) => return Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) => return Err(Failure::Unavailable(format!("an answer ended early: {}", cause(&error)))),
        }
    }
}

/// What went wrong below, without the URL: its query may have a token.
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut innermost = error.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    innermost.map_or_else(|| "the request failed".to_owned(), |source| visible::line(&source.to_string()))
}

/// The wait that an answer names.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// Exponential, with jitter: clients that failed together do not come back together.
pub fn backoff(failures: u32) -> Duration {
    let most = 500_u64.saturating_mul(1 << failures.min(6)).min(20_000);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    Duration::from_millis(most / 2 + random % (most / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_address() {
        for (address, expected) in [
            ("https://api.example", "https://api.example/api/job/1"),
            ("https://api.example/", "https://api.example/api/job/1"),
            ("https://api.example/prod/", "https://api.example/prod/api/job/1"),
        ] {
            assert_eq!(joined(&Url::parse(address).unwrap(), "/api/job/1").as_str(), expected);
        }
    }

    #[test]
    fn waits_grow_within_their_limits() {
        for failures in 1..40 {
            let wait = backoff(failures);
            assert!(wait >= Duration::from_millis(500) && wait <= Duration::from_secs(20), "{failures}: {wait:?}");
        }
        let headers = |value: &'static str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        assert_eq!(retry_after(&headers("15")), Some(Duration::from_secs(15)));
        assert_eq!(retry_after(&headers("99999999")), Some(LONGEST_WAIT));
        assert_eq!(retry_after(&headers("soon")), None);
    }

    #[test]
    fn the_key_is_not_shown() {
        let value = bearer(&SecretString::from("rk_secret")).unwrap();
        assert!(!format!("{value:?}").contains("rk_secret"));
        let error = bearer(&SecretString::from("rk_\nsecret")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
