//! The requests that these tests make.

use std::time::Duration;

use reqwest::{Client, Method, header::HeaderMap};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A client with a short patience; made after the studio, which installs what it needs.
pub fn client(patience: Duration) -> Client {
    let builder = Client::builder().timeout(patience).no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    builder.tls_certs_only([]).build().unwrap()
}

pub async fn try_send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    patience: Duration,
) -> reqwest::Result<Answer> {
    let mut request = client(patience).request(method, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?.to_vec(),
    })
}

async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let patience = Duration::from_secs(20);
    try_send(method, url, headers, body, patience).await.unwrap()
}

pub async fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(Method::POST, url, headers, body).await
}

pub async fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    send(Method::GET, url, headers, "").await
}

pub async fn put(url: &str, body: &Value) -> Answer {
    send(Method::PUT, url, &[], &body.to_string()).await
}

pub async fn delete(url: &str) -> Answer {
    send(Method::DELETE, url, &[], "").await
}
