//! Creatomate's API: who may call it, and the state of a render there.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::{RenderId, RenderState};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::jobs::renders::callback::Callback;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest};

/// The maximum size of a response of Creatomate, in bytes.
const RESPONSE_LIMIT: usize = 256 * 1024;

/// Access to the Creatomate API.
pub struct Creatomate {
    /// `https://api.creatomate.com`, or the URL of a mock service.
    pub base: Url,
    /// CREATOMATE_API_KEY.
    pub key: Option<SecretString>,
}

impl Creatomate {
    /// The URL of a path of the API. Each segment is percent-encoded; no id is `.` or `..`, which would change the path.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The state of a render; none without a key, or if there is no usable response within `deadline`.
    pub(super) async fn state(
        &self,
        http: &dyn HttpSender,
        render: &RenderId,
        deadline: Duration,
    ) -> Option<RenderState> {
        let found = self.fetch(http, self.key.as_ref()?, render, deadline).await.ok()?;
        Callback::read(&found).map(|callback| callback.state())
    }

    /// Fetches the render object. Any response but status 200 with JSON is an error, which is logged.
    pub(super) async fn fetch(
        &self,
        http: &dyn HttpSender,
        key: &SecretString,
        render: &RenderId,
        deadline: Duration,
    ) -> Result<Value, OutboundError> {
        let request = OutboundRequest {
            method: Method::Get,
            url: self.url(&["v1", "renders", render.as_str()]),
            headers: vec![("authorization".to_owned(), format!("Bearer {}", key.expose_secret()))],
            body: Bytes::new(),
            deadline,
            response_limit: RESPONSE_LIMIT,
        };
        let response = match http.send(request).await {
            Ok(response) if response.status == 200 => response.whole(),
            Ok(response) => {
                tracing::warn!(render_id = %render, status = response.status, "failed to fetch a render from Creatomate");
                return Err(OutboundError::Other(format!("status {}", response.status)));
            }
            Err(error) => Err(error),
        };
        match response {
            Ok(response) => response.json().ok_or_else(|| OutboundError::Other("the response is not JSON".to_owned())),
            Err(error) => {
                tracing::warn!(render_id = %render, %error, "failed to fetch a render from Creatomate");
                Err(error)
            }
        }
    }
}
