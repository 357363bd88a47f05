//! Services as a test plays them: they call back about tasks and clip jobs, each from an address with a rate limit of
//! its own.

use reelhook_signing::{SigningKeys, streamgank};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::project::unique;
use crate::stack::{JsonText, Stack, read};

/// A caller of the webhooks that services call.
pub struct Caller<'a> {
    stack: &'a Stack,
    edge: String,
    address: String,
}

impl<'a> Caller<'a> {
    /// A caller at an address that no other one has.
    pub async fn of(stack: &'a Stack) -> Self {
        let (edge, unique) = (stack.aws.secret("EDGE_SECRET").await, unique());
        // Networks of 64 bits are counted as one caller.
        let address = format!("2001:db8:{:x}:{:x}::1", (unique >> 16) & 0xffff, unique & 0xffff);
        Self { stack, edge, address }
    }

    /// The URL of a webhook without a token.
    pub fn url(&self, webhook: &str) -> String {
        format!("{}/api/webhooks/{webhook}", self.stack.api)
    }

    fn request(&self, client: &Client, url: &str, signature: Option<&str>, body: &Value) -> RequestBuilder {
        let request = self.at_address(client.post(url).json_text(body));
        signature.into_iter().fold(request, |request, text| request.header("x-webhook-signature", text))
    }

    /// The request as it comes from the caller's address.
    fn at_address(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("x-reelhook-edge", &self.edge).header("x-reelhook-viewer", &self.address)
    }

    /// Sends JSON as it is written, with these headers.
    pub async fn send_text(&self, url: &str, headers: &[(&str, &str)], text: &str) -> (u16, Value) {
        let request = self.at_address(self.stack.http.post(url).header("content-type", "application/json"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        read(request.body(text.to_owned()).send().await.expect("an answer")).await
    }

    /// Sends a callback: its signature, if it has one, and its body.
    pub async fn send(&self, url: &str, signature: Option<&str>, body: &Value) -> (u16, Value) {
        let request = self.request(&self.stack.http, url, signature, body);
        read(request.send().await.expect("an answer")).await
    }

    /// Sends a callback over the connections of a client, and returns the status of the answer.
    pub async fn over(&self, client: &Client, url: &str, signature: &str, body: &Value) -> u16 {
        let request = self.request(client, url, Some(signature), body);
        read(request.send().await.expect("an answer")).await.0
    }

    /// Sends a callback of a video that is signed with the secret of its webhook.
    pub async fn send_video(&self, body: &Value) -> (u16, Value) {
        let signature = self.signature("VIDEO_WEBHOOK_SECRET", body).await;
        self.send(&self.url("video-complete"), Some(&signature), body).await
    }

    /// The signature of a body with the secret of a setting.
    pub async fn signature(&self, setting: &str, body: &Value) -> String {
        let keys = SigningKeys::parse(&self.stack.aws.secret(setting).await).expect("a secret");
        streamgank::hex_signature(body.to_string().as_bytes(), &keys)
    }
}
