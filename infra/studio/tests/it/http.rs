//! The HTTP client of these tests.

use std::time::Duration;

use reqwest::{Client, Method, header::HeaderMap};
use serde_json::Value;

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A client with a timeout; created after the mock services, which install its TLS provider.
pub fn client(timeout: Duration) -> Client {
    let builder = Client::builder().timeout(timeout).no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    builder.tls_certs_only([]).build().unwrap()
}

pub async fn try_send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    timeout: Duration,
) -> reqwest::Result<Response> {
    let mut request = client(timeout).request(method, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    Ok(Response {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?.to_vec(),
    })
}

async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let timeout = Duration::from_secs(20);
    try_send(method, url, headers, body, timeout).await.unwrap()
}

pub async fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Response {
    send(Method::POST, url, headers, body).await
}

pub async fn get(url: &str, headers: &[(&str, &str)]) -> Response {
    send(Method::GET, url, headers, "").await
}

pub async fn put(url: &str, body: &Value) -> Response {
    send(Method::PUT, url, &[], &body.to_string()).await
}

pub async fn delete(url: &str) -> Response {
    send(Method::DELETE, url, &[], "").await
}
