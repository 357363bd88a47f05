//! A GET that may be redirected: followed one guarded step at a time, each checked like a first URL.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};

/// Redirects that are followed.
pub const MOST_REDIRECTS: usize = 4;

/// The request. It carries no secrets for the first server, so that any server may be the last one.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Absolute http or https URL.
    pub url: Url,
    /// The `accept` header.
    pub accept: &'static str,
    /// Total time of all steps.
    pub deadline: Duration,
    /// Bytes of each response's body that are kept.
    pub response_limit: usize,
}

/// Where a fetch led.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The URL of the last request.
    pub url: Url,
    /// Redirects that were followed.
    pub redirects: usize,
    /// The time of all steps that were answered.
    pub took: Duration,
    /// What came of the last step.
    pub end: End,
}

/// What came of the last step of a fetch.
#[derive(Debug, Clone)]
pub enum End {
    /// A response that leads nowhere else.
    Response(OutboundResponse),
    /// None.
    NoResponse(OutboundError),
    /// A redirect that is not followed.
    Stopped(Stop, OutboundResponse),
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// There were as many as are followed.
    TooMany,
    /// It leads from https to http.
    Downgrade,
}

impl fmt::Display for Stop {
    /// What the URL does, after its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "redirects more than {MOST_REDIRECTS} times"),
            Self::Downgrade => f.write_str("redirects from https to http"),
        }
    }
}

/// Fetches what is at a URL, or where that redirects to.
pub async fn fetch(http: &dyn HttpSender, fetch: Fetch) -> Fetched {
    let Fetch { mut url, accept, deadline, response_limit } = fetch;
    let (mut redirects, mut took) = (0, Duration::ZERO);
    let end = loop {
        let request = OutboundRequest {
            method: Method::Get,
            url: url.clone(),
            // Bodies that are compressed nevertheless can be read (`OutboundResponse::decoded`).
            headers: [("accept", accept), ("accept-encoding", "identity")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: Bytes::new(),
            deadline: deadline.saturating_sub(took),
            response_limit,
        };
        let response = match http.send(request).await {
            Ok(response) => response,
            // The error names the time for all steps.
            Err(OutboundError::TimedOut(_)) => {
                let ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
                break End::NoResponse(OutboundError::TimedOut(ms));
            }
            Err(error) => break End::NoResponse(error),
        };
        took += response.total;
        let Some(there) = target(&response, &url) else { break End::Response(response) };
        if redirects == MOST_REDIRECTS {
            break End::Stopped(Stop::TooMany, response);
        }
        if url.scheme() == "https" && there.scheme() == "http" {
            break End::Stopped(Stop::Downgrade, response);
        }
        url = there;
        redirects += 1;
    };
    Fetched { url, redirects, took, end }
}

/// Where a redirect leads, if that is a place of the web.
fn target(response: &OutboundResponse, url: &Url) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.header("location").map(str::trim).filter(|text| !text.is_empty())?;
    url.join(location).ok().filter(|there| matches!(there.scheme(), "http" | "https"))
}
