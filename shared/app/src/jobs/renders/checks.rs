//! Checks of renders at Creatomate, by schedule or by a person.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::{Event, JobId, RenderId, RenderState};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::change::{ChangeError, Changed, change};
use crate::jobs::renders::callback::Callback;
use crate::jobs::renders::ports::RenderPorts;
use crate::jobs::renders::receive::apply_parked;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest};

/// The time limit of one request to Creatomate.
const CHECK_DEADLINE: Duration = Duration::from_secs(10);
/// The maximum size of a response of Creatomate, in bytes.
const CHECK_LIMIT: usize = 256 * 1024;

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
}

/// Checks the state of a render at Creatomate and applies it to the job. An unusable response counts as no response.
///
/// # Errors
/// [`ChangeError`].
pub async fn check_render(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    job_id: &JobId,
    render: &RenderId,
    check: u8,
) -> Result<Changed, ChangeError> {
    // The message that applies a parked callback may have been lost.
    apply_parked(ports, job_id, render).await?;
    let state = match &creatomate.key {
        Some(key) => fetch_state(http, creatomate, key, render).await,
        None => None,
    };
    let event = Event::RenderChecked { render: render.clone(), state, check };
    change(ports.jobs, ports.clock, ports.policy, job_id, &event).await
}

/// The outcome of a lookup that a person requested.
#[derive(Debug, Clone, PartialEq)]
pub enum RenderLookup {
    /// The render object from Creatomate.
    Found(Value),
    /// No job has this render.
    Unknown,
    /// Creatomate sent no usable response, or no API key is configured.
    Failed,
    /// Creatomate did not respond in time.
    TimedOut,
}

/// Looks a render up at Creatomate and applies its state to its jobs. A render without a job is not looked up.
///
/// # Errors
/// [`ChangeError`].
pub async fn look_up(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    render: &RenderId,
) -> Result<RenderLookup, ChangeError> {
    let ids = ports.renders.jobs_of(render).await?;
    if ids.is_empty() {
        return Ok(RenderLookup::Unknown);
    }
    let Some(key) = &creatomate.key else { return Ok(RenderLookup::Failed) };
    let found = match fetch(http, creatomate, key, render).await {
        Ok(found) => found,
        Err(OutboundError::TimedOut(_)) => return Ok(RenderLookup::TimedOut),
        Err(_) => return Ok(RenderLookup::Failed),
    };
    let Some(callback) = Callback::read(&found) else { return Ok(RenderLookup::Failed) };
    for id in &ids {
        let event = Event::RenderChecked { render: render.clone(), state: Some(callback.state()), check: 0 };
        change(ports.jobs, ports.clock, ports.policy, id, &event).await?;
    }
    Ok(RenderLookup::Found(found))
}

async fn fetch_state(
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    key: &SecretString,
    render: &RenderId,
) -> Option<RenderState> {
    let found = fetch(http, creatomate, key, render).await.ok()?;
    Callback::read(&found).map(|callback| callback.state())
}

/// Fetches the render object. Any response but status 200 with JSON is an error, which is logged.
async fn fetch(
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    key: &SecretString,
    render: &RenderId,
) -> Result<Value, OutboundError> {
    let request = OutboundRequest {
        method: Method::Get,
        url: creatomate.url(&["v1", "renders", render.as_str()]),
        headers: vec![("authorization".to_owned(), format!("Bearer {}", key.expose_secret()))],
        body: Bytes::new(),
        deadline: CHECK_DEADLINE,
        response_limit: CHECK_LIMIT,
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
